//! People and a clock for the tests of histories.
#![allow(dead_code, clippy::unwrap_used, clippy::arithmetic_side_effects)]
use std::time::{SystemTime, UNIX_EPOCH};
use subrosa_engine::{Address, ChatId, Content, MessageId, Time};
use subrosa_history::{Added, At, Entry, History, Message, Place};
use tempfile::TempDir;

pub const KEY: [u8; 32] = [7; 32];
pub fn me() -> Address {
    "alice@example.org".into()
}
pub fn bob() -> Address {
    "bob@example.org".into()
}
pub fn carol() -> Address {
    "carol@example.org".into()
}
pub fn room() -> Address {
    "room@rooms.example.org".into()
}
pub fn chat(address: &Address) -> ChatId {
    ChatId(address.clone())
}
/// So many seconds after an hour ago.
pub fn at(seconds: u64) -> Time {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    Time((now - now % 1000 - 3600 + seconds) * 1000)
}
pub fn text(words: &str) -> Content {
    Content::Text(words.into())
}
pub fn of(id: &str) -> MessageId {
    id.into()
}
pub fn rng(seed: u8) -> chacha20::ChaCha20Rng {
    rand_core::SeedableRng::from_seed([seed; 32])
}
pub fn opened() -> (TempDir, History) {
    let directory = TempDir::new().unwrap();
    let history = History::open(directory.path().join("history.db"), &KEY, &me()).unwrap();
    (directory, history)
}
/// From Bob, in the chat with him.
pub fn from_bob(id: &str, content: Content, seconds: u64) -> Entry {
    Entry::new(&bob(), &bob(), id, content, at(seconds))
}
pub fn to_bob(id: &str, content: Content, seconds: u64) -> Entry {
    Entry::new(&bob(), &me(), id, content, at(seconds))
}
/// In the room, with the room's id `s…` for the author's id `…`.
pub fn said(from: &Address, id: &str, content: Content, seconds: u64) -> Entry {
    Entry::new(&room(), from, id, content, at(seconds)).in_room(Some("nick".into())).archived(Some(format!("s{id}")))
}
pub fn place(added: Added) -> Place {
    match added {
        Added::New(place) | Added::Known(place) | Added::Read(place) => place,
        other => unreachable!("{other:?}"),
    }
}
pub fn all(history: &History, address: &Address) -> Vec<Message> {
    history.page(&chat(address), At::Newest, 1000).unwrap().messages
}
pub fn texts(history: &History, address: &Address) -> Vec<String> {
    all(history, address).iter().map(|m| m.text().unwrap_or("-").to_owned()).collect()
}
pub fn found(history: &History, words: &str) -> Vec<String> {
    history.search(words, None, 100).unwrap().iter().map(|m| m.text().unwrap_or("-").to_owned()).collect()
}
