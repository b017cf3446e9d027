//! One account: its chats by when they were last spoken in, drafts, notices, how it is connected.
use super::page::{Draft, Page};
use crate::rpc::types::{CatchUp, Chat, HistoryProgress, Invited, Lock, RoomInfo, State as Link};
use std::collections::HashMap;

/// One account.
pub struct Account {
    pub jid: String,
    pub link: Link,
    /// It was told how it stands: what was asked before is older, whenever its answer comes.
    pub link_told: bool,
    /// Why it is not connected.
    pub link_reason: Option<String>,
    pub device: Option<u32>,
    pub fingerprint: Option<String>,
    /// The one last spoken in first.
    pub chats: Vec<Chat>,
    /// The chat under the cursor of the list, by its address: the list moves.
    pub cursor: Option<String>,
    pub page: Option<Page>,
    /// Of chats that are not open.
    pub drafts: HashMap<String, Draft>,
    pub invitations: Vec<Invited>,
    pub notices: Vec<Notice>,
    pub catch_up: Option<CatchUp>,
    pub transfer: Option<HistoryProgress>,
}
/// Something that a person should know, until they say that they do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// The notifications it stands for: shown once it is acknowledged.
    pub seqs: Vec<u64>,
    /// Whole sentences, harmless.
    pub text: String,
    pub kind: NoticeKind,
}
/// What it is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NoticeKind {
    /// Devices of this person: the trust screen says more.
    Devices(String),
    /// In a chat.
    Chat(String),
    /// At a place in a chat.
    Late(String, i64),
    /// The contact asked not to be sent encrypted messages.
    OptOut(String),
    Other,
}

impl Account {
    pub fn new(jid: String) -> Self {
        Account {
            jid,
            link: Link::Connecting,
            link_told: false,
            link_reason: None,
            device: None,
            fingerprint: None,
            chats: Vec::new(),
            cursor: None,
            page: None,
            drafts: HashMap::new(),
            invitations: Vec::new(),
            notices: Vec::new(),
            catch_up: None,
            transfer: None,
        }
    }
    pub fn chat(&self, jid: &str) -> Option<&Chat> {
        self.chats.iter().find(|chat| chat.chat == jid)
    }
    /// The open one.
    pub fn open(&self) -> Option<&Chat> {
        self.chat(&self.page.as_ref()?.chat)
    }
    /// Where the cursor of the list is; the first one where it was lost.
    pub fn cursor(&self) -> usize {
        self.cursor.as_ref().and_then(|jid| self.chats.iter().position(|chat| chat.chat == *jid)).unwrap_or(0)
    }
    pub fn set_cursor(&mut self, at: usize) {
        let at = at.min(self.chats.len().saturating_sub(1));
        self.cursor = self.chats.get(at).map(|chat| chat.chat.clone());
    }
    /// How many messages nobody has read.
    pub fn unread(&self) -> u64 {
        self.chats.iter().map(|chat| chat.unread).sum()
    }
    pub fn has_drafts(&self) -> bool {
        self.page.as_ref().is_some_and(|page| !page.draft.editor.is_empty()) || self.drafts.values().any(|draft| !draft.editor.is_empty())
    }
    /// As it is now, in its place.
    pub fn put(&mut self, chat: Chat) {
        if let Some(at) = self.chats.iter().position(|known| known.chat == chat.chat) {
            self.chats.remove(at);
        }
        let at = self.chats.partition_point(|other| before(other, &chat));
        self.chats.insert(at, chat);
    }
    /// All there are.
    pub fn put_all(&mut self, mut chats: Vec<Chat>) {
        // one that was begun here and has no message yet stays
        let begun = std::mem::take(&mut self.chats).into_iter().filter(|chat| chat.last.is_none() && !chat.room);
        let begun: Vec<_> = begun.filter(|chat| !chats.iter().any(|known| known.chat == chat.chat)).collect();
        chats.extend(begun);
        chats.sort_by(|a, b| order(a).cmp(&order(b)));
        self.chats = chats;
    }
    /// A chat that nothing was said in yet.
    pub fn begin(&mut self, jid: &str, room: bool) {
        if self.chat(jid).is_none() {
            self.put(Chat { chat: jid.to_owned(), room, name: None, last: None, unread: 0, lock: Lock::Omemo, why: None });
        }
    }
    /// What is known of a room.
    pub fn put_room(&mut self, room: RoomInfo) {
        let RoomInfo { room, name, lock, why, .. } = room;
        match self.chats.iter_mut().find(|chat| chat.chat == room) {
            Some(chat) => (chat.name, chat.lock, chat.why) = (name.or(chat.name.take()), lock, why),
            None => self.put(Chat { chat: room, room: true, name, last: None, unread: 0, lock, why }),
        }
    }
    /// It goes from the list, and from the screen.
    pub fn forget(&mut self, jid: &str) {
        self.chats.retain(|chat| chat.chat != jid);
        self.drafts.remove(jid);
        if self.page.as_ref().is_some_and(|page| page.chat == jid) {
            self.page = None;
        }
    }
    pub fn notice(&mut self, kind: NoticeKind, text: String, seq: Option<u64>) {
        if let Some(seq) = seq
            && self.notices.iter().any(|notice| notice.seqs.contains(&seq))
        {
            return; // it came again, from another process that has the account now
        }
        self.notices.push(Notice { seqs: seq.into_iter().collect(), text, kind });
    }
}

fn order(chat: &Chat) -> (std::cmp::Reverse<u64>, &str) {
    (std::cmp::Reverse(chat.last.as_ref().map_or(u64::MAX, |last| last.time)), &chat.chat)
}
fn before(one: &Chat, other: &Chat) -> bool {
    order(one) < order(other)
}
