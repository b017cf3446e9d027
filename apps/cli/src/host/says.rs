//! What is said from here: checked, given an id, and on its way through the machine. One form for `send`, `reply`, `react`, `edit` and
//! `retract`; notices (typing, receipts, read) beside it, of which nothing is remembered.
use super::chats::Deed;
use super::drive::{Drive, now};
use super::ledger::Stage;
use super::memory::Draft;
use super::sends::Waiter;
use super::step::Fact;
use crate::failure::{Failure, FaultName};
use crate::rpc::Call;
use crate::rpc::types::{Edit, MarkRead, Of, React, Reply, Retract, SendText, Typing};
use serde_json::{Value, json};
use subrosa_engine::{Address, ChatId, Content, ContentType, Headers, Input, MessageId, Plaintext, Recipients, Typing as TypingState};
use subrosa_history::{Entry, Gone, Message, State};
use subrosa_xmpp::content::{self, Ask};

/// The longest quotation that goes with an answer, in characters: for programs that know no answers.
const QUOTE: usize = 300;

/// A message of ours, checked.
#[derive(Debug)]
pub struct Outbound {
    /// Unique to it.
    pub id: String,
    /// The contact, or the room.
    pub to: String,
    /// Whether that is a room.
    pub room: bool,
    /// What it says.
    pub content: Content,
    /// The same, as it travels.
    pub plain: Plaintext,
}
impl Outbound {
    /// For the machine.
    pub fn input(&self) -> Input {
        let to = Address::from(self.to.as_str());
        Input::Send {
            id: MessageId::from(self.id.as_str()),
            chat: ChatId(to.clone()),
            to: if self.room { Recipients::Room } else { Recipients::People(vec![to]) },
            kind: self.content.kind(),
            plain: self.plain.clone(),
            headers: Headers::default(),
        }
    }
    /// For the ledger, until the history has it.
    pub fn draft(&self) -> Result<Draft, Failure> {
        Ok(Draft { chat: self.to.clone(), room: self.room, time: now(), run: run(&self.content, Ask::default())? })
    }
}
fn run(content: &Content, ask: Ask) -> Result<Vec<u8>, Failure> {
    content::write_asking(content, ask).map_err(|e| Failure::usage(format!("it can't be sent like this: {e}")))
}

impl Drive {
    /// A message that was asked for. The waiter hears when the server has it.
    pub(super) fn say(&mut self, id: Option<String>, to: &str, make: impl FnOnce(&mut Self, &ChatId) -> Result<Content, Failure>, waiter: Waiter) {
        let outbound = self.outbound(id, to, make);
        let begun = match outbound {
            Ok(outbound) => self.begin(outbound, waiter),
            Err(failure) => return drop(waiter.send(Err(failure))),
        };
        if let Err(failed) = begun {
            let (waiter, failure) = *failed;
            let _ = waiter.send(Err(failure));
        }
    }
    fn outbound(
        &mut self,
        id: Option<String>,
        to: &str,
        make: impl FnOnce(&mut Self, &ChatId) -> Result<Content, Failure>,
    ) -> Result<Outbound, Failure> {
        let id = id.ok_or_else(|| Failure::bug("a message without an id"))?;
        let to = crate::home::bare(to)?;
        let chat = ChatId(to.as_str().into());
        if let Some(failure) = self.blocked_oneself(&chat.0) {
            return Err(failure);
        }
        let room = self.chats.is_room(&chat);
        if let Some(failure) = self.rooms.refusal(&chat.0).filter(|_| room || self.rooms.is_invited(&chat.0)) {
            return Err(failure);
        }
        if !room && self.rooms.contains(&chat.0) {
            let sentence = format!("the room {to} is being entered for the first time; try again in a moment");
            return Err(Failure::new("room.not-joined", FaultName::Network, sentence));
        }
        let content = make(self, &chat)?;
        // XEP-0184 §5.3: in rooms nobody is asked
        let omemo = self.engine.other().is_none();
        let ask = Ask { receipt: !room && omemo, displayed: !room && omemo };
        let plain = match &content {
            Content::Text(text) if !omemo => Plaintext::text(text),
            content => Plaintext::new(ContentType::STANZA, run(content, ask)?),
        };
        Ok(Outbound { id, to, room, content, plain })
    }
    fn begin(&mut self, outbound: Outbound, waiter: Waiter) -> Result<(), Box<(Waiter, Failure)>> {
        let (id, to) = (outbound.id.clone(), outbound.to.clone());
        let other = |to: &str| {
            let sentence = format!("the id {id} was used for a message to {to} before; choose another");
            Failure::new("send.id-used", FaultName::Caller, sentence)
        };
        if let Some(before) = self.sends.recipient(&id) {
            if before != to {
                return Err(Box::new((waiter, other(before))));
            }
            self.sends.wait(&id, None, waiter);
            return Ok(());
        }
        let before = match self.sent(&id) {
            Ok(before) => before,
            Err(failure) => return Err(Box::new((waiter, failure))),
        };
        match before {
            Some(sent) if sent.to != to => return Err(Box::new((waiter, other(&sent.to)))),
            Some(sent) => {
                self.sends.accept(&id, &to);
                self.sends.wait(&id, Some(sent.report), waiter);
                if sent.stage != Stage::Accepted {
                    self.sends.complete(&id, self.engine.other()); // no stanza of it is owed: it would be open
                }
            }
            None => {
                let draft = match outbound.draft() {
                    Ok(draft) => draft,
                    Err(failure) => return Err(Box::new((waiter, failure))),
                };
                self.sends.accept(&id, &to);
                self.sends.wait(&id, None, waiter);
                self.facts.push(Fact::Accept(Box::new(outbound), draft));
            }
        }
        Ok(())
    }
    pub(super) fn send(&mut self, send: SendText, waiter: Waiter) {
        if let Some(room) = self.first_entry(&send.to) {
            return self.when_in(room, Call::Send(send), waiter);
        }
        self.say(send.id, &send.to, |_, _| Ok(Content::Text(send.text)), waiter);
    }
    pub(super) fn reply(&mut self, reply: Reply, waiter: Waiter) {
        let make = |drive: &mut Self, chat: &ChatId| {
            let message = drive.about(chat, &reply.of, false)?;
            let quote = message.text().map(|text| text.chars().take(QUOTE).collect()).unwrap_or_default();
            let of = drive.name(&message)?;
            Ok(Content::Reply { of, author: Some(message.from), text: reply.text, quote })
        };
        self.say(reply.id, &reply.chat, make, waiter);
    }
    pub(super) fn react(&mut self, react: React, waiter: Waiter) {
        let make = |drive: &mut Self, chat: &ChatId| {
            let message = drive.about(chat, &react.of, false)?;
            Ok(Content::Reaction { of: drive.name(&message)?, emojis: react.emojis })
        };
        self.say(react.id, &react.chat, make, waiter);
    }
    pub(super) fn edit(&mut self, edit: Edit, waiter: Waiter) {
        let make = |drive: &mut Self, chat: &ChatId| {
            // XEP-0308 §3: by the author's own id, in rooms too
            let message = drive.about(chat, &edit.of, true)?;
            if message.retraction.is_some_and(|retraction| retraction.gone != Gone::Claimed) {
                return Err(Failure::usage("that message was taken back: there is nothing left to change; send a new one"));
            }
            Ok(Content::Correction { of: message.id, text: edit.text })
        };
        self.say(edit.id, &edit.chat, make, waiter);
    }
    pub(super) fn retract(&mut self, retract: Retract, waiter: Waiter) {
        let make = |drive: &mut Self, chat: &ChatId| {
            let message = drive.about(chat, &retract.of, true)?;
            Ok(Content::Retraction { of: drive.name(&message)? })
        };
        self.say(retract.id, &retract.chat, make, waiter);
    }
    /// The message that another is about. `own`: it has to be one of ours.
    fn about(&self, chat: &ChatId, of: &Of, own: bool) -> Result<Message, Failure> {
        let message = self.chats.find(chat, of)?;
        if own && message.from != self.me {
            return Err(Failure::usage(format!("that message is by {}; only one's own can be changed or taken back", message.from)));
        }
        Ok(message)
    }
    /// What everybody in the conversation knows a message by.
    fn name(&self, message: &Message) -> Result<MessageId, Failure> {
        if self.chats.is_room(&message.chat) && message.stanza_id.is_none() {
            let sentence = "the room has not said yet what it calls that message; try again in a moment".to_owned();
            return Err(Failure::new("message.unnamed", FaultName::Network, sentence));
        }
        Ok(MessageId::from(self.chats.named(message).as_str()))
    }

    /// The machine has it: so has the history.
    pub(super) fn accepted(&mut self, outbound: &Outbound, draft: &Draft) {
        if matches!(outbound.content, Content::Text(_) | Content::Reply { .. }) {
            let entry = self.written(&outbound.id, draft, outbound.content.clone(), State::Queued);
            self.chats.deed(Deed::Add(Box::new(entry), None));
        }
    }
    /// What becomes of a message that was accepted: into the history, for good.
    pub(super) fn settled(&mut self, id: &str, state: State, in_clear: bool) {
        let draft = match self.look(self.ledger, {
            let id = id.to_owned();
            move |_, cx| super::ledger::Ledger::draft(cx, &id)
        }) {
            Ok(draft) => draft,
            Err(failure) => return tracing::error!(code = %failure.code, "what was said can't be looked up"),
        };
        let Some(draft) = draft else { return };
        let plain = Plaintext::new(ContentType::STANZA, draft.run.clone());
        let Ok(Some(content)) = content::read(&plain) else { return };
        let words = matches!(content, Content::Text(_) | Content::Reply { .. });
        if words || matches!(state, State::Sent | State::Queued) {
            let entry = Entry { in_clear, ..self.written(id, &draft, content, state) };
            let chat = entry.chat.clone();
            self.chats.deed(Deed::Add(Box::new(entry), None));
            if words {
                self.chats.deed(Deed::State { chat, id: MessageId::from(id), state });
            }
        }
    }
    fn written(&self, id: &str, draft: &Draft, content: Content, state: State) -> Entry {
        let entry = Entry { state, ..Entry::new(&draft.chat.as_str().into(), &self.me, id, content, draft.time) };
        if draft.room { entry.in_room(None) } else { entry }
    }

    /// Somebody writes here, or has stopped. Worth nothing later.
    pub(super) fn typing(&mut self, typing: &Typing) -> Result<Value, Failure> {
        let state = if typing.composing { TypingState::Composing } else { TypingState::Paused };
        let to = crate::home::bare(&typing.to)?;
        self.notice(&to.as_str().into(), Content::Typing(state))?;
        Ok(json!({}))
    }
    /// Read here: the history, the account's other devices and, where they asked, its author are told.
    pub(super) fn mark_read(&mut self, read: &MarkRead) -> Result<Value, Failure> {
        let chat = ChatId(crate::home::bare(&read.from)?.as_str().into());
        let message = self.chats.find(&chat, &Of::Id(read.id.clone()))?;
        let first = read.since.map_or(subrosa_history::Place(0), super::chats::place_of);
        self.chats.deed(Deed::Read(chat.clone(), first, message.place));
        if message.from != self.me && !self.chats.is_room(&chat) && self.contacts.see_us(&chat.0) {
            self.notice(&chat.0, Content::Displayed { of: message.id.clone() })?;
        }
        self.read_elsewhere(&chat, &message);
        Ok(json!({}))
    }
    /// A notice to a person or a room: encrypted, or not at all.
    pub(super) fn notice(&mut self, to: &Address, content: Content) -> Result<(), Failure> {
        if self.engine.other().is_some() {
            return Ok(()); // engines that want no notices would let them pass in clear
        }
        let room = self.chats.is_room(&ChatId(to.clone()));
        let plain = Plaintext::new(ContentType::STANZA, run(&content, Ask::default())?);
        let outbound = Outbound { id: super::new_id(), to: to.to_string(), room, content, plain };
        self.facts.push(Fact::Input(outbound.input()));
        Ok(())
    }
}
