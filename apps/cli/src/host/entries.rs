//! The history's words in the words of the RPC: entries, conversations.
use super::chats::{Chats, number};
use super::notes::level;
use crate::failure::Failure;
use crate::rpc::types::{Answered, Chat, DeviceNumber, Entry, Lock, Reacted, Way};
use std::collections::BTreeMap;
use subrosa_engine::{Address, Content, MessageId, Trust};
use subrosa_history::{Body, Gone, HistoryError, Message, State};

impl Chats {
    /// As it stands now. `me`: whose history it is.
    pub fn entry(&self, message: Message, me: &Address) -> Result<Entry, Failure> {
        let reply = match &message.body {
            Body::Said(Content::Reply { of, author, .. }) => Some(self.answered(&message, of, author.as_ref()).map_err(|e| Failure::coded(&e))?),
            _ => None,
        };
        let (retracted, claimed) = match &message.retraction {
            Some(retraction) => (Some(retraction.by.to_string()), retraction.gone == Gone::Claimed),
            None => (None, false),
        };
        let text = message.text().map(str::to_owned).or_else(|| match &message.body {
            Body::Said(Content::OptOut { reason }) => Some(reason.clone()),
            _ => None,
        });
        let undecryptable = match message.body {
            Body::Unreadable(reason) => Some(reason.code().to_owned()),
            _ => None,
        };
        let mut reactions: BTreeMap<String, Reacted> = BTreeMap::new();
        for reaction in &message.reactions {
            let unsure = reaction.in_clear || matches!(reaction.trust, Some(Trust::Untrusted | Trust::Undecided));
            for emoji in &reaction.emojis {
                let known = reactions.entry(emoji.clone());
                let reacted = known.or_insert_with(|| Reacted { emoji: emoji.clone(), from: Vec::new(), unsure: Vec::new() });
                reacted.from.push(reaction.from.to_string());
                reacted.unsure.extend(unsure.then(|| reaction.from.to_string()));
            }
        }
        let (state, reason) = match message.state {
            Some(State::Queued) => (Some(Way::Queued), None),
            Some(State::Failed(why)) => (Some(Way::Failed), Some(why.code().to_owned())),
            Some(State::Sent) if !message.displayed.is_empty() => (Some(Way::Displayed), None),
            Some(State::Sent) if !message.delivered.is_empty() => (Some(Way::Delivered), None),
            Some(State::Sent) => (Some(Way::Sent), None),
            None => (None, None),
        };
        let unsure = match state {
            Some(Way::Displayed) => !message.displayed.iter().any(|mark| mark.sure),
            Some(Way::Delivered) => !message.delivered.iter().any(|mark| mark.sure),
            _ => false,
        };
        let corrects = match &message.body {
            Body::Said(Content::Correction { of, .. }) => Some(of.to_string()),
            _ => None,
        };
        let id = self.named(&message);
        Ok(Entry {
            place: number(message.place),
            chat: message.chat.0.to_string(),
            id,
            stanza_id: message.stanza_id,
            outgoing: message.from == *me,
            from: message.from.to_string(),
            time: message.time.0,
            text: text.filter(|_| retracted.is_none() || claimed),
            encrypted: !message.in_clear,
            edited: message.edited.is_some(),
            claimed: retracted.clone().filter(|_| claimed),
            retracted: retracted.filter(|_| !claimed),
            reply,
            reactions: reactions.into_values().collect(),
            device: message.by.as_ref().map(|by| DeviceNumber::from(&by.device)),
            trust: message.by.as_ref().map(|by| level(by.trust)),
            state,
            reason,
            undecryptable,
            nick: message.nick,
            corrects,
            beside: message.beside,
            unsure,
            unread: message.unread,
        })
    }
    fn answered(&self, message: &Message, of: &MessageId, author: Option<&Address>) -> Result<Answered, HistoryError> {
        let found = self.history.find(&message.chat, of)?;
        Ok(Answered {
            of: of.to_string(),
            place: found.as_ref().map(|found| number(found.place)),
            from: found.as_ref().map(|found| &found.from).or(author).map(ToString::to_string),
            text: found.as_ref().and_then(|found| found.text().map(str::to_owned)),
        })
    }
    /// A conversation. `name`: what it is called.
    pub fn chat(&self, chat: subrosa_history::Chat, me: &Address, name: Option<String>, lock: (Lock, Option<String>)) -> Result<Chat, Failure> {
        Ok(Chat {
            chat: chat.chat.0.to_string(),
            room: chat.room,
            name,
            last: Some(self.entry(chat.last, me)?),
            unread: chat.unread.into(),
            lock: lock.0,
            why: lock.1,
        })
    }
    /// What others name a message by: in a room the room's id of it, where that is known.
    pub fn named(&self, message: &Message) -> String {
        message.stanza_id.clone().filter(|_| self.is_room(&message.chat)).unwrap_or_else(|| message.id.to_string())
    }
}
