//! Model and view together, over a host that answers from memory; the screen is read as text.
mod big;
mod conversation;
mod hostile;
mod keys_doc;
mod lists;

use super::model::{Effect, Event, Screen, Tag};
use super::view::{Theme, draw};
use crate::args::Level;
use crate::colour::Depth;
use crate::failure::{Failure, FaultName};
use crate::rpc::types::*;
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use serde_json::{Value, json};
use std::collections::BTreeMap;

pub const ME: &str = "alice@x";
pub const KEY: &str = "8bd1c1f0a3e5978842b0c5c3d1f7e2906a5b4c3d2e1f00998877665544332211";
/// 2026-11-27 14:03 UTC, a minute per message
pub const START: u64 = 1_795_788_180_000;

/// A host that answers from memory.
#[derive(Default)]
pub struct Fake {
    pub chats: Vec<Chat>,
    /// Of other accounts.
    pub elsewhere: Vec<Chat>,
    pub entries: BTreeMap<String, Vec<Entry>>,
    pub devices: BTreeMap<String, Vec<DeviceInfo>>,
    pub members: Vec<Member>,
    /// Answered with this failure: the next call of this method.
    pub fails: Option<(&'static str, Failure)>,
    pub calls: Vec<Call>,
    pub shown: Vec<u64>,
    pub ended: bool,
}
/// A screen over it.
pub struct Desk {
    pub screen: Screen,
    pub fake: Fake,
    pub theme: Theme,
}

pub fn entry(chat: &str, place: i64, from: &str, text: &str) -> Entry {
    Entry {
        place,
        chat: chat.into(),
        id: format!("m{place}"),
        stanza_id: None,
        from: from.into(),
        outgoing: from == ME,
        time: START + u64::try_from(place).unwrap() * 60_000,
        text: Some(text.into()),
        encrypted: true,
        edited: false,
        retracted: None,
        reply: None,
        reactions: Vec::new(),
        device: Some(DeviceNumber::Number(7)),
        trust: Some(Level::Trusted),
        state: (from == ME).then_some(Way::Sent),
        reason: None,
        undecryptable: None,
        nick: None,
        corrects: None,
        beside: false,
        claimed: None,
        unsure: false,
        unread: false,
    }
}
pub fn chat(jid: &str, last: Option<Entry>, unread: u64) -> Chat {
    Chat { chat: jid.into(), room: jid.contains("@rooms"), name: None, last, unread, lock: Lock::Omemo, why: None }
}
pub fn device(jid: &str, number: u32, trust: Level) -> DeviceInfo {
    let own = jid == ME && number == 1;
    DeviceInfo {
        jid: jid.into(),
        device: DeviceNumber::Number(number),
        fingerprint: Some(KEY.into()),
        trust,
        protocols: vec!["omemo:2".into()],
        own,
        active: true,
        label: None,
    }
}

impl Fake {
    /// With `n` messages of Bob's.
    pub fn with(n: i64) -> Self {
        let entries: Vec<_> =
            (1..=n).map(|place| entry("bob@x", place, if place % 3 == 0 { ME } else { "bob@x" }, &format!("message {place}"))).collect();
        let last = entries.last().cloned();
        Fake { chats: vec![chat("bob@x", last, 0)], entries: [("bob@x".to_owned(), entries)].into(), ..Fake::default() }
    }
    fn answer(&mut self, call: &Call) -> Result<Value, Failure> {
        if let Some((_, failure)) = self.fails.take_if(|(name, _)| *name == method(call)) {
            return Err(failure);
        }
        Ok(match call {
            Call::Status(_) => json!(Status {
                version: Version::own(),
                accounts: vec![AccountStatus {
                    account: ME.into(),
                    device: Some(1),
                    fingerprint: Some(KEY.into()),
                    connection: State::Online,
                    queued: 0,
                    unread: 0,
                    policy: crate::config::TrustPolicy::Btbv,
                    engine: None,
                }],
            }),
            Call::Chats(of) if of.account.as_deref() != Some(ME) => json!(Chats { chats: self.elsewhere.clone() }),
            Call::Chats(_) => json!(Chats { chats: self.chats.clone() }),
            Call::Rooms(_) => json!(Rooms::default()),
            Call::History(ask) => json!(self.history(ask)),
            Call::Search(ask) => {
                let all = self.entries.values().flatten().rev();
                let hits = all
                    .filter(|e| e.text.as_ref().is_some_and(|text| text.split(' ').any(|word| word.starts_with(&ask.query)) || *text == ask.query));
                json!(Messages { messages: hits.take(100).cloned().collect(), more: false })
            }
            Call::Devices(ask) => json!(DeviceList { devices: self.devices.get(ask.jid.as_deref().unwrap_or(ME)).cloned().unwrap_or_default() }),
            Call::StaleDevices(_) => json!(StaleDevices::default()),
            Call::Blocked(_) => json!(Blocked::default()),
            Call::RoomMembers(of) => json!(Members { room: of.room.clone(), members: self.members.clone(), leave_out: false }),
            Call::RoomCreate(_) | Call::RoomJoin(_) => {
                json!(RoomInfo {
                    room: "tea@rooms.x".into(),
                    name: Some("Tea".into()),
                    nick: None,
                    joined: true,
                    lock: Lock::Omemo,
                    why: None,
                    members: 1,
                    leave_out: false
                })
            }
            Call::Verify(v) => {
                json!(Verified { jid: v.jid.clone().unwrap_or("bob@x".into()), devices: vec![v.device.unwrap_or(7)], later: Vec::new() })
            }
            Call::Backup(_) | Call::Restore(_) => json!(Kept { messages: 5 }),
            Call::Send(_) | Call::Reply(_) | Call::React(_) | Call::Edit(_) | Call::Retract(_) => json!(SendResult::default()),
            _ => json!({}),
        })
    }
    fn history(&self, ask: &GetHistory) -> Messages {
        let none = Vec::new();
        let all = self.entries.get(&ask.chat).unwrap_or(&none);
        let limit = ask.limit.unwrap_or(50) as usize;
        let at = |place: i64| all.partition_point(|e| e.place < place);
        let (from, to) = match (ask.before, ask.after, ask.around) {
            (Some(place), ..) => (at(place).saturating_sub(limit), at(place)),
            (_, Some(place), _) => (at(place + 1), (at(place + 1) + limit).min(all.len())),
            (.., Some(place)) => (at(place).saturating_sub(limit / 2), (at(place) + limit / 2).min(all.len())),
            _ => (all.len().saturating_sub(limit), all.len()),
        };
        let more = if ask.after.is_some() { to < all.len() } else { from > 0 };
        Messages { messages: all[from..to].to_vec(), more }
    }
}

impl Desk {
    pub fn new(fake: Fake) -> Self {
        let mut desk = Desk { screen: Screen::new((80, 24), jiff::tz::TimeZone::UTC), fake, theme: Theme { colours: true, depth: Depth::None } };
        let effects = desk.screen.start();
        desk.carry_out(effects);
        desk
    }
    /// With the chat with Bob open.
    pub fn with_bob(n: i64) -> Self {
        let mut desk = Desk::new(Fake::with(n));
        desk.keys("<Enter>");
        desk
    }
    fn carry_out(&mut self, effects: Vec<Effect>) {
        let mut queue: std::collections::VecDeque<_> = effects.into();
        while let Some(effect) = queue.pop_front() {
            match effect {
                Effect::Call(tag, call) => {
                    let answer = self.fake.answer(&call);
                    self.fake.calls.push(*call);
                    queue.extend(self.screen.update(Event::Answer(tag, answer)));
                }
                Effect::Shown { seq, .. } => self.fake.shown.push(seq),
                Effect::Quit => self.fake.ended = true,
                Effect::Redraw => {}
            }
        }
    }
    pub fn event(&mut self, event: Event) {
        let effects = self.screen.update(event);
        self.carry_out(effects);
    }
    /// The effects that nobody carries out.
    pub fn held(&mut self, keys: &str) -> Vec<(Tag, Call)> {
        let mut calls = Vec::new();
        for key in parse(keys) {
            calls.extend(
                self.screen
                    .update(Event::Key(key))
                    .into_iter()
                    .filter_map(|e| if let Effect::Call(tag, call) = e { Some((tag, *call)) } else { None }),
            );
        }
        calls
    }
    pub fn note(&mut self, note: Notification) {
        self.event(Event::Note(Box::new(note)));
    }
    /// An entry of the history appeared or changed.
    pub fn entry(&mut self, entry: Entry) {
        let entry = Entry { unread: !entry.outgoing, ..entry };
        self.note(Notification::Entry(EntryChanged { account: ME.into(), entry }));
    }
    /// Types: `hello<Enter><C-f>`.
    pub fn keys(&mut self, keys: &str) {
        for key in parse(keys) {
            self.event(Event::Key(key));
        }
    }
    pub fn resize(&mut self, width: u16, height: u16) {
        self.event(Event::Resize(width, height));
    }
    /// What is on the screen, row by row.
    pub fn rows(&self) -> Vec<String> {
        let (width, height) = self.screen.size;
        let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
        terminal.draw(|frame| draw(frame, &self.screen, self.theme)).unwrap();
        let buffer = terminal.backend().buffer();
        let row = |y| {
            let mut text = String::new();
            let mut skip = 0;
            for x in 0..width {
                if skip > 0 {
                    skip -= 1;
                    continue;
                }
                let symbol = buffer[(x, y)].symbol();
                skip = super::text::width(symbol).saturating_sub(1);
                text.push_str(symbol);
            }
            text.trim_end().to_owned()
        };
        (0..height).map(row).collect()
    }
    pub fn text(&self) -> String {
        self.rows().join("\n")
    }
    #[track_caller]
    pub fn sees(&self, what: &str) {
        assert!(self.text().contains(what), "no {what:?} in:\n{}", self.text());
    }
    #[track_caller]
    pub fn sees_not(&self, what: &str) {
        assert!(!self.text().contains(what), "{what:?} in:\n{}", self.text());
    }
    /// The last call of this method.
    #[track_caller]
    pub fn called(&self, method: &str) -> Value {
        let call = self.fake.calls.iter().rev().find(|call| self::method(call) == method);
        json!(call.unwrap_or_else(|| panic!("no {method} in {:?}", self.fake.calls)))["params"].clone()
    }
    pub fn count(&self, method: &str) -> usize {
        self.fake.calls.iter().filter(|call| self::method(call) == method).count()
    }
}
/// `<Enter>`, `<C-f>`, `<A-n>`, `<Up>`; all else is typed.
fn parse(keys: &str) -> Vec<KeyEvent> {
    let mut all = Vec::new();
    let mut rest = keys;
    while let Some(c) = rest.chars().next() {
        if c == '<'
            && let Some((name, after)) = rest[1..].split_once('>')
        {
            rest = after;
            let (held, name) = match name.split_once('-') {
                Some(("C", name)) => (KeyModifiers::CONTROL, name),
                Some(("A", name)) => (KeyModifiers::ALT, name),
                _ => (KeyModifiers::NONE, name),
            };
            let code = match name {
                "Enter" => KeyCode::Enter,
                "Esc" => KeyCode::Esc,
                "Tab" => KeyCode::Tab,
                "Up" => KeyCode::Up,
                "Down" => KeyCode::Down,
                "PgUp" => KeyCode::PageUp,
                "PgDn" => KeyCode::PageDown,
                "Home" => KeyCode::Home,
                "End" => KeyCode::End,
                "F1" => KeyCode::F(1),
                "BS" => KeyCode::Backspace,
                one => KeyCode::Char(one.chars().next().unwrap()),
            };
            all.push(KeyEvent::new(code, held));
        } else {
            rest = &rest[c.len_utf8()..];
            all.push(KeyEvent::new(KeyCode::Char(c), KeyModifiers::NONE));
        }
    }
    all
}
/// Its name on the line.
fn method(call: &Call) -> String {
    json!(call)["method"].as_str().unwrap().to_owned()
}
pub fn failure(code: &str) -> Failure {
    Failure::new(code, FaultName::Network, "it did not work; try again")
}
