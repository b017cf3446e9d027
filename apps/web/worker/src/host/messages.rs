//! Messages and chats: what is shown and its rows. A chat exists because it is a contact or because something was said in it.
//!
//! Ids: a message that was sent here has the id its page gave it; all others are named by their place in the archive, so that nobody
//! else can choose an id that is taken.
use super::{Host, Out};
use crate::rows::{CHATS, ChatRow, PENDING, PLACES, Place, Row as _, history};
use crate::shelf::{At, Shelf};
use rand_core::CryptoRng;
use subrosa_web_api::page::{Chat, Content, Lock, Message, Position, Protection, State, Told};
use subrosa_web_api::socket::Standing;
use subrosa_web_api::{Failure, Jid, MessageId, Seq};

/// The last words of a chat are cut to so many characters.
const SNIPPET: usize = 100;

impl<S: Shelf, R: CryptoRng + Send> Host<S, R> {
    /// A chat, made if it is not there.
    pub(super) fn chat(&mut self, jid: &str) -> &mut ChatRow {
        self.chats.entry(jid.to_owned()).or_insert_with(|| ChatRow { chat: new_chat(jid), read: Position(0), read_told: Position(0), met: 0 })
    }
    /// Writes a chat, and tells it when it is stored.
    pub(super) fn keep_chat(&mut self, jid: &str) {
        let Some(row) = self.chats.get(jid) else { return };
        self.rows.set(CHATS, At::Name(jid.to_owned()), Some(row.to_row()));
        self.after.push(Out::Tell(Told::Chat(row.chat.clone())));
    }
    /// Writes a message where it stands, and tells it when it is stored.
    pub(super) fn keep(&mut self, message: Message) {
        self.rows.set(&history(&message.chat), At::Number(message.position.0), Some(message.to_row()));
        self.after.push(Out::Tell(Told::Message(message)));
    }
    /// A message that was sent here.
    pub(super) async fn own(&mut self, id: &str) -> Result<Option<Message>, S::Error> {
        let Some(place) = self.rows.get(PLACES, At::Name(id.to_owned())).await?.as_deref().and_then(Place::from_row) else { return Ok(None) };
        let row = self.rows.get(&history(&place.chat), At::Number(place.position.0)).await?;
        Ok(row.as_deref().and_then(Message::from_row).filter(|message| message.id == id))
    }
    /// Changes a message that was sent here.
    pub(super) async fn change(&mut self, id: &str, change: impl FnOnce(&mut Message)) -> Result<(), S::Error> {
        if let Some(mut message) = self.own(id).await? {
            let before = message.clone();
            change(&mut message);
            if message != before {
                self.keep(message);
            }
        }
        Ok(())
    }
    /// A new message of ours, behind all others.
    pub(super) async fn say(&mut self, id: MessageId, chat: Jid, text: String) -> Result<(), S::Error> {
        self.last_pending = self.last_pending.saturating_add(1).max(PENDING.saturating_add(self.now.0));
        // by a clock that was turned back
        while self.rows.get(&history(&chat), At::Number(self.last_pending)).await?.is_some() {
            self.last_pending = self.last_pending.saturating_add(1);
        }
        let position = Position(self.last_pending);
        self.rows.set(PLACES, At::Name(id.clone()), Some(Place { chat: chat.clone(), position }.to_row()));
        let at = self.now.0;
        self.last(&chat, at, &text);
        self.keep(Message { id, chat, position, own: true, at, content: Content::Text(text), state: State::Sending, protection: Protection::None });
        Ok(())
    }
    /// The archive has a message of ours: it stands there from now on.
    pub(super) async fn archived(&mut self, id: &str, seq: Seq, at: u64) -> Result<(), S::Error> {
        let Some(mut message) = self.own(id).await? else { return Ok(()) };
        if message.position.0 < PENDING {
            return Ok(());
        }
        let list = history(&message.chat);
        if self.rows.get(&list, At::Number(seq.0)).await?.is_some() {
            return Ok(()); // a gateway that gives a place twice does not get a message out of it
        }
        self.rows.set(&list, At::Number(message.position.0), None);
        message.position = Position(seq.0);
        message.at = at;
        self.rows.set(PLACES, At::Name(id.to_owned()), Some(Place { chat: message.chat.clone(), position: message.position }.to_row()));
        self.keep(message);
        Ok(())
    }
    /// Takes a message of ours away.
    pub(super) fn forget(&mut self, message: &Message) {
        self.rows.set(&history(&message.chat), At::Number(message.position.0), None);
        self.rows.set(PLACES, At::Name(message.id.clone()), None);
        self.after.push(Out::Tell(Told::Discarded { chat: message.chat.clone(), id: message.id.clone() }));
    }
    /// A message that came, at its place in the archive. One that is there already stays.
    pub(super) async fn came(&mut self, chat: Jid, seq: Seq, own: bool, at: u64, content: Content, protection: Protection) -> Result<(), S::Error> {
        let position = Position(seq.0);
        if self.rows.get(&history(&chat), At::Number(position.0)).await?.is_some() {
            return Ok(());
        }
        let row = self.chat(&chat);
        if !own && position > row.read {
            row.chat.unread = row.chat.unread.saturating_add(1);
        }
        let text = if let Content::Text(text) = &content { text.clone() } else { String::new() };
        self.last(&chat, at, &text);
        self.keep(Message { id: format!("r{}", seq.0), chat, position, own, at, content, state: State::Here, protection });
        Ok(())
    }
    /// Something was said in a chat.
    fn last(&mut self, chat: &str, at: u64, text: &str) {
        let row = self.chat(chat);
        if at >= row.chat.last_at {
            row.chat.last_at = at;
            row.chat.last_text = text.chars().take(SNIPPET).collect();
        }
        self.keep_chat(chat);
    }
    /// A chat was read up to here, in some browser. Counts anew what is left.
    pub(super) async fn read(&mut self, chat: &str, up_to: Position) -> Result<(), S::Error> {
        let Some(row) = self.chats.get_mut(chat).filter(|row| row.read < up_to) else { return Ok(()) };
        row.read = up_to;
        let mut unread = 0u32;
        if row.chat.unread > 0 {
            let most = row.chat.unread.saturating_add(64);
            for (position, bytes) in self.rows.newest(&history(chat), Some(PENDING), most).await? {
                let counts = position > up_to.0 && Message::from_row(&bytes).is_some_and(|m| !m.own);
                unread = unread.saturating_add(u32::from(counts));
            }
        }
        self.chat(chat).chat.unread = unread;
        self.keep_chat(chat);
        Ok(())
    }
    /// The newest place of a chat that the archive has.
    pub(super) async fn newest(&mut self, chat: &str) -> Result<Position, S::Error> {
        let rows = self.rows.newest(&history(chat), Some(PENDING), 1).await?;
        Ok(Position(rows.first().map_or(0, |(position, _)| *position)))
    }
    /// Messages of a chat, the oldest first, and whether there are older ones.
    pub(super) async fn page(&mut self, chat: &str, before: Option<Position>, count: u32) -> Result<(Vec<Message>, bool), S::Error> {
        let count = count.clamp(1, 500);
        let mut rows = self.rows.newest(&history(chat), before.map(|p| p.0), count.saturating_add(1)).await?;
        let more = rows.len() > usize::try_from(count).unwrap_or(usize::MAX);
        if more {
            rows.remove(0);
        }
        Ok((rows.iter().filter_map(|(_, bytes)| Message::from_row(bytes)).collect(), more))
    }
}

/// A chat that nobody has said anything in, with no contact.
pub(super) fn new_chat(jid: &str) -> Chat {
    let jid = jid.to_owned();
    Chat { jid, name: String::new(), standing: Standing::Gone, unread: 0, last_at: 0, last_text: String::new(), lock: Lock::Encrypted }
}
/// How far a state is: a message never goes back to an earlier one.
pub(super) fn rank(state: &State) -> u8 {
    match state {
        State::Here | State::Waiting(_) | State::Sending => 0,
        State::Sent => 1,
        State::Failed { .. } => 2,
        State::Delivered => 3,
    }
}
/// It did not leave, or came back.
pub(super) fn failed(why: Failure, may_clear: bool) -> State {
    State::Failed { why, may_clear }
}
