//! What comes without being asked for.
use super::*;
use crate::args::Level;
use serde::{Deserialize, Serialize};

/// What the account's notifications have in common.
pub(super) trait Note {
    /// Which account's.
    fn account(&self) -> &str;
    /// The number and the flag, where it is kept until shown.
    fn counted(&mut self) -> Option<(&mut u64, &mut bool)>;
    /// The number.
    fn seq(&self) -> Option<u64>;
}
/// They are kept until shown: they have `seq` and `again`.
macro_rules! kept {
    ($($note:ty),* $(,)?) => {
        $(impl super::Note for $note {
            fn account(&self) -> &str {
                &self.account
            }
            fn counted(&mut self) -> Option<(&mut u64, &mut bool)> {
                Some((&mut self.seq, &mut self.again))
            }
            fn seq(&self) -> Option<u64> {
                Some(self.seq)
            }
        })*
    };
}
/// They are told to who is there.
macro_rules! told {
    ($($note:ty),* $(,)?) => {
        $(impl super::Note for $note {
            fn account(&self) -> &str {
                &self.account
            }
            fn counted(&mut self) -> Option<(&mut u64, &mut bool)> {
                None
            }
            fn seq(&self) -> Option<u64> {
                None
            }
        })*
    };
}
pub(super) use {kept, told};

/// All notifications: each once, with its name on the line.
macro_rules! notifications {
    ($($(#[$doc:meta])* $name:literal $variant:ident($note:ty),)*) => {
        /// What comes without being asked for.
        #[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(tag = "method", content = "params")]
        pub enum Notification {
            $($(#[$doc])* #[serde(rename = $name)] $variant($note),)*
        }
        impl Notification {
            /// The names of all.
            #[cfg(test)]
            pub const METHODS: &[&str] = &[$($name),*];
            /// The number to give to `shown`; `None`: nobody waits for it.
            pub fn seq(&self) -> Option<u64> {
                match self {
                    $(Notification::$variant(note) => Note::seq(note),)*
                }
            }
            /// The number and the flag of one that is kept until shown.
            pub fn counted(&mut self) -> Option<(&mut u64, &mut bool)> {
                match self {
                    $(Notification::$variant(note) => Note::counted(note),)*
                }
            }
            /// Which account's.
            pub fn account(&self) -> &str {
                match self {
                    $(Notification::$variant(note) => Note::account(note),)*
                }
            }
        }
    };
}

notifications! {
    /// Somebody wrote.
    "message" Message(Message),
    /// Somebody wrote and it can't be read.
    "undecryptable" Undecryptable(Undecryptable),
    /// A device that was not known before.
    "device_new" DeviceNew(DeviceSeen),
    /// A known device showed another key: refused until `trust` names it.
    "key_changed" KeyChanged(KeyChanged),
    /// A message that had waited could not be sent after all.
    "not_sent" NotSent(NotSent),
    /// A message came back from the other side.
    "bounced" Bounced(Bounced),
    /// Something came that can't be taken.
    "left_out" LeftOut(LeftOut),
    /// How far a message of ours is (SIP).
    "state" State(MessageState),
    /// Somebody writes, or has stopped.
    "typing" Typing(TypingSeen),
    /// What became of a message of ours at the other side.
    "receipt" Receipt(Receipt),
    /// Somebody sent a file (SIP).
    "file" File(FileSeen),
    /// The connection changed.
    "connection" Connection(Connection),
    /// A line of the history appeared or changed: for screens.
    "entry" Entry(EntryChanged),
    /// A conversation appeared or changed.
    "chat" Chat(ChatChanged),
    /// Something happened in a room.
    "room" Room(RoomNews),
    /// Somebody invites us to a room.
    "invitation" Invitation(Invitation),
    /// A person should know, though no message is concerned.
    "warning" Warning(Warned),
    /// How far a history on its way between own devices is.
    "history_progress" HistoryProgress(HistoryProgress),
    /// What was missed is being read.
    "catch_up" CatchUp(CatchUp),
}
/// `message`
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// Which account's.
    pub account: String,
    /// Counts the notifications of an account that want to be shown; for `shown`.
    pub seq: u64,
    /// May have been shown before: a crash came between. Same `id`.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub again: bool,
    /// The message's.
    pub id: String,
    /// Who wrote it: the account itself for what its other devices sent.
    pub from: String,
    /// The conversation it belongs to.
    pub chat: String,
    /// Which device wrote it.
    pub device: Option<DeviceNumber>,
    /// The version it was encrypted in, or the engine: `"omemo:2"`, `"xor"`. `null`: it came in clear.
    pub protocol: Option<String>,
    /// What the key that wrote it is worth.
    pub trust: Option<Level>,
    /// What was said.
    pub text: String,
    /// When, by the server's clock: milliseconds since 1970.
    pub time: u64,
    /// The message whose words these replace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub corrects: Option<String>,
    /// The message that this one answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answers: Option<String>,
    /// What it answers or corrects was said in clear beside it: the server could have made that up.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub beside: bool,
    /// In a room, what it calls whoever wrote this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nick: Option<String>,
}
/// `undecryptable`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Undecryptable {
    /// As in [`Message`].
    pub account: String,
    /// As in [`Message`].
    pub seq: u64,
    /// As in [`Message`].
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub again: bool,
    /// The message's.
    pub id: String,
    /// Who wrote it.
    pub from: String,
    /// Which device, where the message says so.
    pub device: Option<DeviceNumber>,
    /// Why it can't be read.
    pub reason: String,
    /// What its sender was answered, where engines answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
}
/// `device_new`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceSeen {
    /// As in [`Message`].
    pub account: String,
    /// As in [`Message`].
    pub seq: u64,
    /// As in [`Message`].
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub again: bool,
    /// Whose.
    pub jid: String,
    /// Its number.
    pub device: DeviceNumber,
    /// Its key.
    pub fingerprint: String,
    /// What the policy made of it.
    pub trust: Level,
}
/// `key_changed`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyChanged {
    /// As in [`Message`].
    pub account: String,
    /// As in [`Message`].
    pub seq: u64,
    /// As in [`Message`].
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub again: bool,
    /// Whose.
    pub jid: String,
    /// Its number.
    pub device: DeviceNumber,
    /// The key it had.
    pub known: String,
    /// The key it shows now.
    pub fingerprint: String,
}
/// `not_sent`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NotSent {
    /// As in [`Message`].
    pub account: String,
    /// As in [`Message`].
    pub seq: u64,
    /// As in [`Message`].
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub again: bool,
    /// The message's.
    pub id: String,
    /// Why not.
    pub reason: String,
    /// Every device that was considered.
    pub devices: Vec<DeviceResult>,
    /// Members of the room who have no device that could read it: `room_leave_out` sends without them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub people: Vec<String>,
}
/// `bounced`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bounced {
    /// Which account's.
    pub account: String,
    /// The message's.
    pub id: String,
    /// Who sent it back.
    pub from: String,
    /// The condition of RFC 6120: `service-unavailable`.
    pub condition: String,
    /// The other side's engine refused it: the very code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// What the code is called.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}
/// `left_out`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeftOut {
    /// Which account's.
    pub account: String,
    /// Who sent it, where that could be read.
    pub from: Option<String>,
    /// Why.
    pub reason: String,
}
/// `state`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MessageState {
    /// Which account's.
    pub account: String,
    /// The message's.
    pub id: String,
    /// Whom it is for; `null` for what an earlier process left.
    pub to: Option<String>,
    /// How far it is.
    pub state: HowFar,
    /// The code that was answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// Why not, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}
/// How far a message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum HowFar {
    /// On its way: its file is being uploaded, its engine works, or the other side has not answered.
    InProgress,
    /// The other side, or a server that keeps it, has taken it.
    Delivered,
    /// It has not, and will not.
    NotDelivered,
}
/// `typing`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TypingSeen {
    /// Which account's.
    pub account: String,
    /// Who.
    pub from: String,
    /// The room they write in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chat: Option<String>,
    /// `false`: it has stopped.
    pub composing: bool,
}
/// `receipt`
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    /// Which account's.
    pub account: String,
    /// Whose program says so.
    pub from: String,
    /// The message's.
    pub id: String,
    /// Its first words, where it is in the history.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub words: Option<String>,
    /// What became of it.
    pub fate: Fate,
    /// It was said in clear, or by a device that is not trusted: anybody could have made it up.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unsure: bool,
}
/// What became of a message at the other side (RFC 5438).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fate {
    /// It arrived.
    Delivered,
    /// Somebody has seen it.
    Displayed,
    /// It can't be shown there.
    Failed,
}
/// `file`
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileSeen {
    /// As in [`Message`].
    pub account: String,
    /// As in [`Message`].
    pub seq: u64,
    /// As in [`Message`].
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub again: bool,
    /// The message's.
    pub id: String,
    /// Who sent it.
    pub from: String,
    /// As the sender calls it.
    pub name: String,
    /// What it is, as the sender says.
    pub content_type: String,
    /// How many bytes, as the sender says.
    pub size: u64,
    /// What the offer went through; `null`: it came in clear.
    pub protocol: Option<String>,
    /// When it was sent: milliseconds since 1970.
    pub time: u64,
    /// Where it lies now, whole and checked; `null`: it was not fetched, or could not be.
    pub path: Option<std::path::PathBuf>,
    /// Why it could not be fetched.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}
/// `connection`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Connection {
    /// Which account's.
    pub account: String,
    /// Where it stands now.
    pub state: State,
    /// Why, where it went wrong.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The same for programs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
}

impl Notification {
    /// Marks it as possibly shown before.
    pub fn set_again(&mut self) {
        if let Some((_, again)) = self.counted() {
            *again = true;
        }
    }
}
impl std::fmt::Debug for Notification {
    /// The kind and the number; never the text.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Notification({:?})", self.seq())
    }
}

kept!(Message, Undecryptable, DeviceSeen, KeyChanged, NotSent, FileSeen);
told!(Bounced, LeftOut, MessageState, TypingSeen, Receipt, Connection);
