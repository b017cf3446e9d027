//! The keys: one table. The model asks it what a key does, the help screen and docs/cli.md are made from it.
use super::editor::Edit;
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

/// Where a key means something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Where {
    /// Whatever is open.
    Always,
    /// No dialog is open.
    Main,
    Composer,
    Messages,
    Chats,
    /// Any dialog that is a list.
    List,
    Trust,
    Members,
    Notices,
    /// Something is typed in a dialog.
    Input,
    Search,
    Question,
}
impl Where {
    /// As a heading.
    pub fn title(self) -> &'static str {
        match self {
            Where::Always => "everywhere",
            Where::Main => "outside dialogs",
            Where::Composer => "writing",
            Where::Messages => "messages",
            Where::Chats => "chats",
            Where::List => "lists",
            Where::Trust => "devices",
            Where::Members => "members",
            Where::Notices => "notices",
            Where::Input => "input",
            Where::Search => "search",
            Where::Question => "questions",
        }
    }
    /// What is looked at when the place itself has no meaning for a key.
    fn outer(self) -> Option<Where> {
        match self {
            Where::Always => None,
            Where::Composer | Where::Messages | Where::Chats => Some(Where::Main),
            Where::Trust | Where::Members | Where::Notices => Some(Where::List),
            Where::Search => Some(Where::Input),
            Where::Main | Where::List | Where::Input | Where::Question => Some(Where::Always),
        }
    }
}

/// What a key does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    Quit,
    Redraw,
    Help,
    NextFocus,
    PrevFocus,
    Search,
    SearchHere,
    Trust,
    Members,
    Notices,
    Accounts,
    NewChat,
    NewRoom,
    JoinRoom,
    Invite,
    Leave,
    NextUnread,
    PrevChat,
    NextChat,
    PageUp,
    PageDown,
    Up,
    Down,
    First,
    Last,
    Choose,
    Cancel,
    Send,
    Edit(Edit),
    Reply,
    React,
    Correct,
    Retract,
    Details,
    Answered,
    Verify,
    Link,
    Admit,
    Reject,
    Approve,
    ApproveWithHistory,
    Replace,
    RemoveDevice,
    Code,
    Own,
    Block,
    RemoveMember,
    LeaveOut,
    Acknowledge,
    AcknowledgeAll,
    GoOn,
    InClear,
    Accept,
    Decline,
    Yes,
    No,
}

/// One key with what is held down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Key(KeyModifiers, KeyCode);
const fn plain(code: KeyCode) -> Key {
    Key(KeyModifiers::NONE, code)
}
const fn ch(c: char) -> Key {
    plain(KeyCode::Char(c))
}
const fn ctrl(c: char) -> Key {
    Key(KeyModifiers::CONTROL, KeyCode::Char(c))
}
const fn alt(c: char) -> Key {
    Key(KeyModifiers::ALT, KeyCode::Char(c))
}
const fn with_alt(code: KeyCode) -> Key {
    Key(KeyModifiers::ALT, code)
}
const fn with_ctrl(code: KeyCode) -> Key {
    Key(KeyModifiers::CONTROL, code)
}
impl Key {
    fn is(self, key: KeyEvent) -> bool {
        // Shift is in the letter itself, and terminals differ in whether they report it
        let held = key.modifiers & (KeyModifiers::CONTROL | KeyModifiers::ALT);
        self.0 == held && self.1 == key.code
    }
}
impl std::fmt::Display for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let held = match self.0 {
            KeyModifiers::CONTROL => "Ctrl-",
            KeyModifiers::ALT => "Alt-",
            _ => "",
        };
        f.write_str(held)?;
        match self.1 {
            KeyCode::Char(' ') => f.write_str("Space"),
            KeyCode::Char(c) if self.0.is_empty() => write!(f, "{c}"),
            KeyCode::Char(c) => write!(f, "{}", c.to_uppercase()),
            KeyCode::BackTab => f.write_str("Shift-Tab"),
            KeyCode::PageUp => f.write_str("PgUp"),
            KeyCode::PageDown => f.write_str("PgDn"),
            KeyCode::F(n) => write!(f, "F{n}"),
            code => write!(f, "{code:?}"),
        }
    }
}

/// One row of the table.
pub struct Binding {
    pub at: Where,
    pub keys: &'static [Key],
    pub does: Action,
    pub help: &'static str,
}
impl Binding {
    /// `Up, k`
    pub fn names(&self) -> String {
        self.keys.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
    }
}
const fn row(at: Where, keys: &'static [Key], does: Action, help: &'static str) -> Binding {
    Binding { at, keys, does, help }
}

/// All of them.
pub const TABLE: &[Binding] = {
    use Action as A;
    use KeyCode as K;
    use Where as W;
    &[
        row(W::Always, &[ctrl('q')], A::Quit, "end the program"),
        row(W::Always, &[ctrl('l')], A::Redraw, "draw the screen anew"),
        row(W::Main, &[plain(K::F(1)), alt('h')], A::Help, "this help"),
        row(W::Main, &[ctrl('c')], A::Quit, "end the program"),
        row(W::Main, &[plain(K::Tab)], A::NextFocus, "on: writing, messages, chats"),
        row(W::Main, &[plain(K::BackTab)], A::PrevFocus, "back"),
        row(W::Main, &[plain(K::PageUp)], A::PageUp, "a page up in the messages"),
        row(W::Main, &[plain(K::PageDown)], A::PageDown, "a page down"),
        row(W::Main, &[with_alt(K::Up), ctrl('p')], A::PrevChat, "the chat above"),
        row(W::Main, &[with_alt(K::Down), ctrl('n')], A::NextChat, "the chat below"),
        row(W::Main, &[alt('a')], A::NextUnread, "the next chat with unread messages"),
        row(W::Main, &[ctrl('f')], A::Search, "search everywhere"),
        row(W::Main, &[ctrl('t')], A::Trust, "devices and keys of the person; of a room: its members"),
        row(W::Main, &[alt('m')], A::Members, "who is in the room"),
        row(W::Main, &[alt('n')], A::Notices, "notices and invitations"),
        row(W::Main, &[alt('s')], A::Accounts, "another account"),
        row(W::Composer, &[plain(K::Enter)], A::Send, "send"),
        row(W::Composer, &[with_alt(K::Enter), ctrl('j')], A::Edit(Edit::Break), "a new line"),
        row(W::Composer, &[plain(K::Esc)], A::Cancel, "give up the answer or the correction; to the newest message"),
        row(W::Composer, &[plain(K::Up)], A::Up, "a line up; on the first one: what was written before"),
        row(W::Composer, &[plain(K::Down)], A::Down, "a line down; on the last one: what was written after"),
        row(W::Messages, &[plain(K::Up), ch('k')], A::Up, "the message above"),
        row(W::Messages, &[plain(K::Down), ch('j')], A::Down, "the message below"),
        row(W::Messages, &[plain(K::Home), ch('g')], A::First, "the oldest message that is loaded"),
        row(W::Messages, &[plain(K::End), ch('G')], A::Last, "the newest message"),
        row(W::Messages, &[ch('r')], A::Reply, "answer it"),
        row(W::Messages, &[ch('+')], A::React, "react with an emoji"),
        row(W::Messages, &[ch('e')], A::Correct, "correct it (one's own)"),
        row(W::Messages, &[ch('d'), plain(K::Delete)], A::Retract, "take it back (one's own)"),
        row(W::Messages, &[plain(K::Enter), ch('i')], A::Details, "all about it"),
        row(W::Messages, &[ch('o')], A::Answered, "to the message that it answers"),
        row(W::Messages, &[ch('/')], A::SearchHere, "search in this chat"),
        row(W::Messages, &[ch('?')], A::Help, "this help"),
        row(W::Messages, &[plain(K::Esc), ch('q')], A::Cancel, "back to writing"),
        row(W::Chats, &[plain(K::Up), ch('k')], A::Up, "the chat above"),
        row(W::Chats, &[plain(K::Down), ch('j')], A::Down, "the chat below"),
        row(W::Chats, &[plain(K::Home), ch('g')], A::First, "the first chat"),
        row(W::Chats, &[plain(K::End), ch('G')], A::Last, "the last chat"),
        row(W::Chats, &[plain(K::Enter)], A::Choose, "open it"),
        row(W::Chats, &[ch('n')], A::NewChat, "write to somebody new"),
        row(W::Chats, &[ch('N')], A::NewRoom, "make a room"),
        row(W::Chats, &[ch('J')], A::JoinRoom, "go into a room"),
        row(W::Chats, &[ch('I')], A::Invite, "invite somebody to the room"),
        row(W::Chats, &[ch('L')], A::Leave, "leave the room"),
        row(W::Chats, &[ch('/')], A::Search, "search everywhere"),
        row(W::Chats, &[ch('?')], A::Help, "this help"),
        row(W::Chats, &[plain(K::Esc), ch('q')], A::Cancel, "back to writing"),
        row(W::List, &[plain(K::Up), ch('k')], A::Up, "up"),
        row(W::List, &[plain(K::Down), ch('j')], A::Down, "down"),
        row(W::List, &[plain(K::PageUp)], A::PageUp, "a page up"),
        row(W::List, &[plain(K::PageDown), ch(' ')], A::PageDown, "a page down"),
        row(W::List, &[plain(K::Home), ch('g')], A::First, "to the first"),
        row(W::List, &[plain(K::End), ch('G')], A::Last, "to the last"),
        row(W::List, &[plain(K::Enter)], A::Choose, "open it"),
        row(W::List, &[plain(K::Esc), ch('q'), ctrl('c')], A::Cancel, "close"),
        row(W::Trust, &[ch('v')], A::Verify, "verify: the fingerprints were compared"),
        row(W::Trust, &[ch('l')], A::Link, "verify by the link in a QR code"),
        row(W::Trust, &[ch('t')], A::Admit, "trust it"),
        row(W::Trust, &[ch('u')], A::Reject, "do not trust it"),
        row(W::Trust, &[ch('a')], A::Approve, "approve an own new device"),
        row(W::Trust, &[ch('A')], A::ApproveWithHistory, "approve it with the history: sent to it, or taken from it"),
        row(W::Trust, &[ch('s')], A::Replace, "replace the session with it"),
        row(W::Trust, &[ch('D')], A::RemoveDevice, "take an own device off the list"),
        row(W::Trust, &[ch('c')], A::Code, "this device's QR code and link"),
        row(W::Trust, &[ch('o')], A::Own, "own devices, and back"),
        row(W::Trust, &[ch('b')], A::Block, "block the person, or unblock"),
        row(W::Members, &[ch('I')], A::Invite, "invite somebody"),
        row(W::Members, &[ch('D')], A::RemoveMember, "take the membership"),
        row(W::Members, &[ch('x')], A::LeaveOut, "leave out members without keys, or stop doing so"),
        row(W::Members, &[ch('L')], A::Leave, "leave the room"),
        row(W::Notices, &[ch('a')], A::Acknowledge, "seen: it goes"),
        row(W::Notices, &[ch('A')], A::AcknowledgeAll, "all are seen"),
        row(W::Notices, &[ch('y')], A::Accept, "accept the invitation"),
        row(W::Notices, &[ch('n')], A::Decline, "decline it"),
        row(W::Notices, &[ch('e')], A::GoOn, "go on encrypted, although the contact asked to stop"),
        row(W::Notices, &[ch('c')], A::InClear, "go on in clear, because the contact asked to stop"),
        row(W::Input, &[plain(K::Enter)], A::Choose, "done"),
        row(W::Input, &[plain(K::Esc), ctrl('c')], A::Cancel, "close"),
        row(W::Search, &[plain(K::Up)], A::Up, "the newer find"),
        row(W::Search, &[plain(K::Down)], A::Down, "the older find"),
        row(W::Search, &[plain(K::PageUp)], A::PageUp, "a page up"),
        row(W::Search, &[plain(K::PageDown)], A::PageDown, "a page down"),
        row(W::Question, &[ch('y'), ch('Y')], A::Yes, "yes"),
        row(W::Question, &[ch('n'), plain(K::Esc), ctrl('c')], A::No, "no"),
    ]
};

/// What a line of text is edited with, wherever one is: as in shells.
pub const EDITING: &[Binding] = {
    use Action::Edit as E;
    use KeyCode as K;
    use Where::Input as W;
    &[
        row(W, &[plain(K::Left), ctrl('b')], E(Edit::Left), "left"),
        row(W, &[plain(K::Right)], E(Edit::Right), "right"),
        row(W, &[with_ctrl(K::Left), with_alt(K::Left), alt('b')], E(Edit::WordLeft), "a word left"),
        row(W, &[with_ctrl(K::Right), with_alt(K::Right), alt('f')], E(Edit::WordRight), "a word right"),
        row(W, &[plain(K::Home), ctrl('a')], E(Edit::Home), "to the beginning of the line"),
        row(W, &[plain(K::End), ctrl('e')], E(Edit::End), "to its end"),
        row(W, &[plain(K::Backspace), ctrl('h')], E(Edit::Backspace), "delete before the cursor"),
        row(W, &[plain(K::Delete), ctrl('d')], E(Edit::Delete), "delete behind it"),
        row(W, &[ctrl('w'), with_alt(K::Backspace)], E(Edit::WordBack), "delete the word before it"),
        row(W, &[ctrl('u')], E(Edit::ToHome), "delete to the beginning"),
        row(W, &[ctrl('k')], E(Edit::ToEnd), "delete to the end"),
    ]
};

/// What the key does there. Letters that mean nothing are text: [`typed`].
pub fn find(at: Where, key: KeyEvent) -> Option<Action> {
    let hit = |table: &[Binding], at: Where| table.iter().find(|row| row.at == at && row.keys.iter().any(|k| k.is(key))).map(|row| row.does);
    let mut place = Some(at);
    let mut writes = false;
    while let Some(here) = place {
        if let Some(action) = hit(TABLE, here) {
            return Some(action);
        }
        if matches!(here, Where::Composer | Where::Input) && !writes {
            writes = true;
            if let Some(action) = hit(EDITING, Where::Input) {
                return Some(action);
            }
        }
        place = here.outer();
    }
    None
}
/// The letter that it writes.
pub fn typed(key: KeyEvent) -> Option<char> {
    match key.code {
        // AltGr arrives as Ctrl and Alt together
        KeyCode::Char(c) if key.modifiers.contains(KeyModifiers::CONTROL) == key.modifiers.contains(KeyModifiers::ALT) => Some(c),
        _ => None,
    }
}

/// The help, as `(place, keys, what)`: the screen and docs/cli.md show these.
pub fn help() -> impl Iterator<Item = (&'static str, String, &'static str)> {
    TABLE.iter().map(|row| (row.at.title(), row.names(), row.help)).chain(EDITING.iter().map(|row| ("editing", row.names(), row.help)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_key_means_two_things_in_one_place() {
        for table in [TABLE, EDITING] {
            let mut all: Vec<_> = table.iter().flat_map(|row| row.keys.iter().map(move |key| format!("{:?} {key}", row.at))).collect();
            let n = all.len();
            all.sort();
            all.dedup();
            assert_eq!(all.len(), n);
        }
    }

    #[test]
    fn what_is_nearest_wins() {
        let key = |code, held| KeyEvent::new(code, held);
        assert_eq!(find(Where::Composer, key(KeyCode::Enter, KeyModifiers::NONE)), Some(Action::Send));
        assert_eq!(find(Where::Composer, key(KeyCode::Char('a'), KeyModifiers::CONTROL)), Some(Action::Edit(Edit::Home)));
        assert_eq!(find(Where::Composer, key(KeyCode::Char('r'), KeyModifiers::NONE)), None);
        assert_eq!(find(Where::Trust, key(KeyCode::Char('j'), KeyModifiers::NONE)), Some(Action::Down));
        assert_eq!(find(Where::Trust, key(KeyCode::Char('q'), KeyModifiers::CONTROL)), Some(Action::Quit));
        assert_eq!(find(Where::Messages, key(KeyCode::Char('G'), KeyModifiers::SHIFT)), Some(Action::Last));
        assert_eq!(typed(key(KeyCode::Char('@'), KeyModifiers::CONTROL | KeyModifiers::ALT)), Some('@'));
        assert_eq!(typed(key(KeyCode::Char('x'), KeyModifiers::ALT)), None);
    }
}
