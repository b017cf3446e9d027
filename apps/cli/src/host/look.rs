//! What was said, looked up: conversations, pages, search.
use super::chats::{Deed, place_of};
use super::drive::{Drive, now};
use super::notes;
use crate::failure::Failure;
use crate::rpc::lines;
use crate::rpc::types::{self, Chat, GetHistory, Lock, Messages, Search};
use serde_json::{Value, json};
use std::ops::Range;
use subrosa_engine::{Address, ChatId, Content, MessageId};
use subrosa_history::{At, Entry, HistoryError, Message};

/// Entries of one answer.
const LIMIT: u32 = 50;
const MOST: u32 = 500;
/// And their bytes: an answer is a line, and no longer than a line may be.
const BYTES: usize = lines::LIMIT / 4 * 3;

impl Drive {
    /// All conversations, and rooms in which nothing was said yet.
    pub(super) fn conversations(&mut self) -> Result<Vec<Chat>, Failure> {
        let mut chats = Vec::new();
        for chat in self.chats.history.chats().map_err(failed)? {
            let (name, lock) = (self.name_of(&chat.chat.0, chat.room), self.lock_of(&chat.chat.0, chat.room));
            chats.push(self.chats.chat(chat, &self.me, name, lock)?);
        }
        let quiet: Vec<_> = self.rooms.addresses().filter(|room| chats.iter().all(|chat| chat.chat != room.as_str())).cloned().collect();
        for room in quiet {
            let (name, (lock, why)) = (self.name_of(&room, true), self.lock_of(&room, true));
            chats.push(Chat { chat: room.to_string(), room: true, name, last: None, unread: 0, lock, why });
        }
        Ok(chats)
    }
    fn name_of(&self, chat: &Address, room: bool) -> Option<String> {
        if room { self.rooms.name(chat) } else { self.contacts.name(chat) }
    }
    fn lock_of(&mut self, chat: &Address, room: bool) -> (Lock, Option<String>) {
        match self.engine.other().map(str::to_owned).as_deref() {
            Some(engine) if engine.starts_with("preshared") => (Lock::Omemo, Some(crate::show::engine(engine))),
            Some(engine) => (Lock::Clear, Some(crate::show::engine(engine))),
            None if room => self.rooms.lock(chat),
            None if self.is_clear(chat) => (Lock::Clear, Some(super::clear::WHY.into())),
            None => (Lock::Omemo, None),
        }
    }
    pub(super) fn page(&self, wanted: &GetHistory) -> Result<Value, Failure> {
        let chat = ChatId(crate::home::bare(&wanted.chat)?.as_str().into());
        let at = match (wanted.before, wanted.after, wanted.around) {
            (None, None, None) => At::Newest,
            (Some(place), None, None) => At::Before(place_of(place)),
            (None, Some(place), None) => At::After(place_of(place)),
            (None, None, Some(place)) => At::Around(place_of(place)),
            _ => return Err(Failure::usage("say one of `before`, `after` and `around`, not several")),
        };
        let page = self.chats.history.page(&chat, at, limit(wanted.limit)?).map_err(failed)?;
        let more = if matches!(at, At::After(_)) { page.later } else { page.earlier };
        let nearest = match at {
            At::After(_) => 0,
            At::Around(place) => page.messages.partition_point(|message| message.place < place),
            At::Newest | At::Before(_) => page.messages.len(),
        };
        self.messages(page.messages, nearest, more)
    }
    pub(super) fn search(&self, wanted: &Search) -> Result<Value, Failure> {
        let chat = wanted.chat.as_deref().map(crate::home::bare).transpose()?.map(|chat| ChatId(chat.as_str().into()));
        let limit = limit(wanted.limit)?;
        let mut found = self.chats.history.search(&wanted.query, chat.as_ref(), limit.saturating_add(1)).map_err(failed)?;
        let more = found.len() > limit;
        found.truncate(limit);
        self.messages(found, 0, more)
    }
    /// As many as one answer has room for, from the nearest on.
    fn messages(&self, messages: Vec<Message>, nearest: usize, more: bool) -> Result<Value, Failure> {
        let mut messages: Vec<types::Entry> = messages.into_iter().map(|message| self.chats.entry(message, &self.me)).collect::<Result<_, _>>()?;
        let sizes: Vec<usize> = messages.iter().map(|entry| serde_json::to_vec(entry).map_or(BYTES, |json| json.len())).collect();
        let fits = fitting(&sizes, nearest, BYTES);
        let more = more || fits.len() < messages.len();
        messages.truncate(fits.end);
        messages.drain(..fits.start);
        notes::value(&Messages { messages, more })
    }
    pub(super) fn erase(&mut self, chat: &str) -> Result<Value, Failure> {
        let chat = ChatId(crate::home::bare(chat)?.as_str().into());
        self.chats.history.erase_chat(&chat).map_err(failed)?;
        Ok(json!({}))
    }
    /// The account's other devices learn how far was read.
    pub(super) fn read_elsewhere(&self, chat: &ChatId, message: &Message) {
        let by = if self.chats.is_room(chat) { chat.0.clone() } else { self.me.clone() };
        if let Some(id) = &message.stanza_id {
            self.link.position(chat.0.clone(), by, id.clone());
        }
    }
    /// Another device of the account has read up to there.
    pub(super) fn read_here(&mut self, chat: &ChatId, id: &str) {
        let displayed = Content::Displayed { of: MessageId::from(id) };
        let entry = Entry::new(&chat.0, &self.me, "", displayed, now());
        let entry = if self.chats.is_room(chat) { entry.in_room(None) } else { entry };
        self.chats.deed(Deed::Add(Box::new(entry), None));
    }
}
/// Which of these sizes fit together, from the nearest on to both sides; always one, where there is any.
fn fitting(sizes: &[usize], nearest: usize, room: usize) -> Range<usize> {
    let (mut start, mut end) = (nearest.min(sizes.len()), nearest.min(sizes.len()));
    let mut left = room;
    loop {
        let (before, behind) = (start.checked_sub(1).and_then(|at| sizes.get(at)), sizes.get(end));
        let forwards = behind.is_some() && (before.is_none() || nearest - start >= end - nearest);
        let Some(size) = (if forwards { behind } else { before }) else { return start..end };
        if *size > left && start < end {
            return start..end;
        }
        left = left.saturating_sub(*size);
        if forwards {
            end += 1;
        } else {
            start -= 1;
        }
    }
}
fn failed(e: HistoryError) -> Failure {
    Failure::coded(&e)
}
fn limit(wanted: Option<u32>) -> Result<usize, Failure> {
    match wanted.unwrap_or(LIMIT) {
        limit @ 1..=MOST => Ok(usize::try_from(limit).unwrap_or(usize::MAX)),
        _ => Err(Failure::usage(format!("`limit` is a number from 1 to {MOST}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::fitting;

    #[test]
    fn an_answer_has_what_is_nearest_and_fits() {
        let sizes = [40, 40, 40, 40, 40];
        assert_eq!(fitting(&sizes, 5, 100), 3..5, "the newest");
        assert_eq!(fitting(&sizes, 0, 100), 0..2, "the next");
        assert_eq!(fitting(&sizes, 2, 130), 1..4, "around");
        assert_eq!(fitting(&sizes, 2, 1000), 0..5);
        assert_eq!(fitting(&[500, 500], 2, 100), 1..2, "one that is larger than that, alone");
        assert_eq!(fitting(&[], 0, 100), 0..0);
    }
}
