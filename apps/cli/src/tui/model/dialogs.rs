//! What can lie over the main screen.
use super::trust::Trusting;
use crate::rpc::types::{Entry, Member};
use crate::tui::editor::Editor;
use crate::tui::keys::{self, Where};
use std::path::PathBuf;

/// A dialog. Lists have a cursor or, where nothing can be chosen, a first row.
pub enum Dialog {
    /// Rows to be read, `what` above them. One that does not begin with a space is a heading.
    Text {
        what: String,
        rows: Vec<String>,
        top: usize,
    },
    /// A QR code and the link in it.
    Code {
        rows: Vec<String>,
        link: String,
    },
    Prompt(Prompt),
    Question {
        text: String,
        what: Sure,
    },
    Trust(Trusting),
    Members(MembersOf),
    Search(Searching),
    Notices {
        at: usize,
    },
    Accounts {
        at: usize,
    },
}
/// One line that is typed.
pub struct Prompt {
    pub what: Asked,
    pub editor: Editor,
}
/// What for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Asked {
    /// Whom to write to.
    Chat,
    /// What a new room is called.
    Room,
    /// Which room to go into.
    Join,
    /// Whom to invite.
    Invite(String),
    /// What a QR code says.
    Link,
    /// An emoji for this message.
    Emoji(i64),
    /// For a sealed file. `first`: what was typed first, to be typed once more.
    Passphrase { path: PathBuf, restore: bool, first: Option<String> },
}
/// What happens after a yes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sure {
    Quit,
    Retract(i64),
    Leave(String),
    Verify {
        jid: String,
        device: u32,
        fingerprint: String,
    },
    Approve {
        device: u32,
        /// What was compared.
        fingerprint: Option<String>,
        history: bool,
    },
    RemoveDevice(u32),
    RemoveMember {
        room: String,
        jid: String,
    },
    /// The words that could not be sent are sent then.
    LeaveOut(super::Words),
    Block(String),
    Erase(String),
    /// Messages to them may go in clear. With words that could not be sent: those go then.
    AllowClear(String, Option<super::Words>),
}
/// Who is in a room.
pub struct MembersOf {
    pub room: String,
    /// `None`: not known yet.
    pub members: Option<Vec<Member>>,
    pub leave_out: bool,
    pub at: usize,
}
/// What is searched, and what was found.
pub struct Searching {
    pub editor: Editor,
    /// Only there.
    pub chat: Option<String>,
    pub found: Vec<Entry>,
    pub more: bool,
    pub at: usize,
    /// Of the newest question; the words it asked for.
    pub serial: u64,
    pub waits: bool,
    /// Enter came before the answer: to the first find.
    pub go: bool,
}

impl Dialog {
    pub fn place(&self) -> Where {
        match self {
            Dialog::Text { .. } | Dialog::Code { .. } | Dialog::Accounts { .. } => Where::List,
            Dialog::Prompt(_) => Where::Input,
            Dialog::Question { .. } => Where::Question,
            Dialog::Trust(_) => Where::Trust,
            Dialog::Members(_) => Where::Members,
            Dialog::Search(_) => Where::Search,
            Dialog::Notices { .. } => Where::Notices,
        }
    }
    /// What is typed in it.
    pub fn editor(&mut self) -> Option<&mut Editor> {
        match self {
            Dialog::Prompt(prompt) => Some(&mut prompt.editor),
            Dialog::Search(searching) => Some(&mut searching.editor),
            _ => None,
        }
    }
}
impl Prompt {
    pub fn dialog(what: Asked) -> Dialog {
        Dialog::Prompt(Prompt { what, editor: Editor::default() })
    }
    /// What is asked for.
    pub fn title(&self) -> &'static str {
        match &self.what {
            Asked::Chat => "Write to (address):",
            Asked::Room => "Name of the new room (Enter alone: none):",
            Asked::Join => "Go into the room (address):",
            Asked::Invite(_) => "Invite (address):",
            Asked::Link => "Paste the link of their QR code (xmpp:…):",
            Asked::Emoji(_) => "React with an emoji, or 1 👍 2 ❤️ 3 😂 4 😮 5 😢 6 🙏 (nothing: take back):",
            Asked::Passphrase { restore: true, .. } => "Passphrase of the file:",
            Asked::Passphrase { first: None, .. } => "Passphrase to seal the file with:",
            Asked::Passphrase { .. } => "The same passphrase once more:",
        }
    }
    /// What is typed is not shown.
    pub fn hides(&self) -> bool {
        matches!(self.what, Asked::Passphrase { .. })
    }
}
/// All keys, commands and signs, to be read.
pub fn help() -> Dialog {
    let mut rows = Vec::new();
    let line = |left: &str, right: &str| format!("  {left:<24} {right}");
    let mut heading = "";
    for (place, names, what) in keys::help() {
        if place != heading {
            rows.push(place.to_owned());
            heading = place;
        }
        rows.push(line(&names, what));
    }
    rows.push("commands, where messages are written".into());
    rows.extend(super::COMMANDS.iter().map(|(command, what)| line(command, what)));
    rows.push("signs".into());
    rows.push(line("▪  o  ✗", "a chat: encrypted, in clear, nothing can be sent"));
    rows.push(line("✓  ?  !", "the key of a message: verified, undecided, untrusted; no sign: trusted"));
    rows.push(line("o  ✗", "a message: came in clear, can't be read"));
    Dialog::Text { what: "Keys".into(), rows, top: 0 }
}
/// The emojis behind the digits of the prompt.
pub const QUICK: [&str; 6] = ["👍", "❤️", "😂", "😮", "😢", "🙏"];

/// `a, b and 3 more`
pub fn people(all: &[String], account: &str) -> String {
    let names: Vec<_> = all.iter().take(5).map(|jid| super::names::person(jid, account)).collect();
    match all.len().saturating_sub(names.len()) {
        0 => names.join(", "),
        more => format!("{} and {more} more", names.join(", ")),
    }
}
