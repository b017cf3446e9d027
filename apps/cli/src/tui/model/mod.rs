//! What the screen shows and what happens to it: events in, calls out. Knows no terminal, no clock and no connection.
//!
//! Invariants: of a conversation at most [`page::LIMIT`] entries are here; nothing is looked through per event that grows with the
//! history. A notice stays until a person acknowledged it, and only then counts as shown.
mod account;
mod actions;
mod answers;
mod commands;
mod composer;
mod dialog_keys;
mod dialogs;
mod layout;
mod names;
mod notes;
mod page;
mod rows;

mod trust;

pub use account::{Account, Notice, NoticeKind};
pub use commands::COMMANDS;
pub use dialogs::{Asked, Dialog, MembersOf, Prompt, Searching, Sure, people};
pub use layout::{Area, Layout, SMALLEST, dialog_columns, fold};
pub use names::{chat_name, person};
#[cfg(test)]
pub use page::LIMIT;
pub use page::{About, Page};
pub use rows::{Ink, Look, Row, date, rows, sentence};
pub use trust::Trusting;

use super::editor::Editor;
use super::keys::{self, Action, Where};
use crate::failure::Failure;
use crate::rpc::types::{Call, Notification, Scope};
use ratatui::crossterm::event::KeyEvent;
use serde_json::Value;

/// What comes in.
pub enum Event {
    Key(KeyEvent),
    Paste(String),
    Resize(u16, u16),
    /// The terminal has the attention, or has lost it.
    Focus(bool),
    Note(Box<Notification>),
    Answer(Tag, Result<Value, Failure>),
}
/// What goes out.
#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    Call(Tag, Box<Call>),
    /// The notification need not come again.
    Shown {
        account: String,
        seq: u64,
    },
    Redraw,
    Quit,
}
/// What an answer belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tag {
    Status,
    Chats(String),
    Rooms(String),
    Page {
        account: String,
        chat: String,
        way: page::Load,
        serial: u64,
    },
    /// Words that were sent: back they come where that failed.
    Sent(Words),
    /// Something else that goes to a chat.
    Said,
    Read,
    Devices {
        jid: String,
    },
    Stale,
    Blocked,
    /// What is looked at in the trust screen changed.
    Decided(String),
    Members {
        room: String,
    },
    /// Who is in the room changed.
    MembersChanged(String),
    /// What these words needed was decided (members without keys are left out, clear text may pass): then they leave.
    Freed(Words),
    Found {
        serial: u64,
    },
    /// A room was made or joined: it is opened.
    Entered {
        account: String,
    },
    /// A room was left, an invitation declined.
    LeftRoom {
        account: String,
    },
    Verified,
    Sealed {
        account: String,
        back: bool,
    },
    /// Nothing to do but to say how it went.
    Done(String),
}

/// Words on their way to a chat.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Words {
    pub account: String,
    pub chat: String,
    pub text: String,
    pub about: Option<About>,
    /// Members of the room who have no keys are left out, or it may go in clear: that was asked.
    pub decided: bool,
}
/// Which part of the screen has the keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Focus {
    Composer,
    Messages,
    Chats,
}
/// One line at the bottom, until the next key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flash {
    pub text: String,
    pub bad: bool,
}

/// All of it.
pub struct Screen {
    pub size: (u16, u16),
    pub accounts: Vec<Account>,
    /// Which of them is on the screen.
    pub at: usize,
    pub focus: Focus,
    /// The last one has the keys.
    pub dialogs: Vec<Dialog>,
    pub flash: Option<Flash>,
    pub zone: jiff::tz::TimeZone,
    /// The terminal has the attention.
    pub attended: bool,
    /// Answers to older questions are not taken.
    serial: u64,
    out: Vec<Effect>,
}

impl Screen {
    /// Before anything is known.
    pub fn new(size: (u16, u16), zone: jiff::tz::TimeZone) -> Self {
        Screen {
            size,
            accounts: Vec::new(),
            at: 0,
            focus: Focus::Chats,
            dialogs: Vec::new(),
            flash: None,
            zone,
            attended: true,
            serial: 0,
            out: Vec::new(),
        }
    }
    /// What has to be asked first.
    pub fn start(&mut self) -> Vec<Effect> {
        self.call(Tag::Status, Call::Status(Scope::default()));
        std::mem::take(&mut self.out)
    }
    /// One step.
    pub fn update(&mut self, event: Event) -> Vec<Effect> {
        match event {
            Event::Key(key) => {
                self.flash = None;
                self.key(key);
            }
            Event::Paste(text) => {
                self.flash = None;
                // terminals give a line's end as Enter does: CR
                let text = text.replace("\r\n", "\n").replace('\r', "\n");
                self.paste(&super::text::lines(&text).replace('\u{fffd}', ""));
            }
            Event::Resize(width, height) => self.size = (width, height),
            Event::Focus(has) => self.attended = has,
            Event::Note(note) => self.note(*note),
            Event::Answer(tag, answer) => self.answer(tag, answer),
        }
        self.settle();
        std::mem::take(&mut self.out)
    }
    /// The account on the screen.
    pub fn account(&self) -> Option<&Account> {
        self.accounts.get(self.at)
    }
    pub(super) fn account_mut(&mut self) -> Option<&mut Account> {
        self.accounts.get_mut(self.at)
    }
    fn account_of(&mut self, jid: &str) -> Option<&mut Account> {
        self.accounts.iter_mut().find(|account| account.jid == jid)
    }
    /// The same; what is heard of one first may be a notification.
    fn known(&mut self, jid: &str) -> Option<&mut Account> {
        if !self.accounts.iter().any(|account| account.jid == jid) {
            let at = self.accounts.partition_point(|account| account.jid.as_str() < jid);
            // whoever is at one stays there
            self.at += usize::from(at <= self.at && (self.page().is_some() || !self.dialogs.is_empty()));
            self.accounts.insert(at, Account::new(jid.to_owned()));
            self.ask_chats(jid);
        }
        self.account_of(jid)
    }
    /// Its address: what calls name.
    fn jid(&self) -> Option<String> {
        self.account().map(|account| account.jid.clone())
    }
    /// The open chat.
    pub fn page(&self) -> Option<&Page> {
        self.account()?.page.as_ref()
    }
    fn page_mut(&mut self) -> Option<&mut Page> {
        self.account_mut()?.page.as_mut()
    }
    pub fn layout(&self) -> Layout {
        let (rows, about) = self.page().map_or((1, false), |page| {
            let columns = Layout::composer_columns(self.size.0, self.focus);
            (fold(page.draft.editor.text(), columns).len(), page.draft.about.is_some())
        });
        Layout::of(self.size, self.focus, rows, about)
    }
    /// How entries are laid out now.
    pub fn look(&self) -> Option<Look<'_>> {
        let (account, page) = (self.account()?, self.page()?);
        Some(Look { width: usize::from(self.layout().messages.width), account: &account.jid, zone: &self.zone, new_from: page.new_from })
    }
    /// Where keys go.
    pub fn place(&self) -> Where {
        match (self.dialogs.last(), self.focus) {
            (Some(dialog), _) => dialog.place(),
            (None, Focus::Composer) => Where::Composer,
            (None, Focus::Messages) => Where::Messages,
            (None, Focus::Chats) => Where::Chats,
        }
    }
    fn key(&mut self, key: KeyEvent) {
        let place = self.place();
        match (keys::find(place, key), keys::typed(key)) {
            (Some(Action::Quit), _) => self.quit(),
            (Some(Action::Redraw), _) => self.out.push(Effect::Redraw),
            (Some(action), _) if self.dialogs.is_empty() => self.act(action),
            (Some(action), _) => self.act_in_dialog(action),
            (None, Some(c)) => self.write(place, &super::text::line(c.encode_utf8(&mut [0; 4]))),
            (None, None) => {}
        }
    }
    fn paste(&mut self, text: &str) {
        match self.place() {
            Where::Messages | Where::Chats => {
                self.focus = Focus::Composer;
                self.write(Where::Composer, text);
            }
            Where::Composer => self.write(Where::Composer, text),
            place => self.write(place, text.lines().next().unwrap_or_default()),
        }
    }
    fn write(&mut self, place: Where, text: &str) {
        if place == Where::Composer && self.page().is_none() {
            return self.warn("choose a chat first: Tab, then Enter, or n for a new one");
        }
        let mut whole = true;
        if let Some(editor) = self.editor() {
            whole = editor.insert(text);
        }
        if !whole {
            self.warn("that is more than one message takes; send it as a file, or in parts");
        }
        self.typed();
    }
    /// What letters go into.
    fn editor(&mut self) -> Option<&mut Editor> {
        let focus = self.focus;
        let page = self.accounts.get_mut(self.at).and_then(|account| account.page.as_mut());
        match self.dialogs.last_mut() {
            Some(dialog) => dialog.editor(),
            None if focus == Focus::Composer => page.map(|page| &mut page.draft.editor),
            None => None,
        }
    }
    fn call(&mut self, tag: Tag, call: Call) {
        self.out.push(Effect::Call(tag, Box::new(call)));
    }
    fn say(&mut self, text: impl Into<String>) {
        self.flash = Some(Flash { text: super::text::line(&text.into()), bad: false });
    }
    fn warn(&mut self, text: impl Into<String>) {
        self.flash = Some(Flash { text: super::text::line(&text.into()), bad: true });
    }
    fn fail(&mut self, failure: &Failure) {
        self.warn(failure.sentence.clone());
    }
    fn quit(&mut self) {
        let unsent = self.accounts.iter().any(Account::has_drafts);
        let asked = matches!(self.dialogs.last(), Some(Dialog::Question { what: Sure::Quit, .. }));
        if unsent && !asked {
            self.dialogs
                .push(Dialog::Question { text: "There is text that was not sent; it would be lost. End the program?".into(), what: Sure::Quit });
        } else {
            self.out.push(Effect::Quit);
        }
    }
}
