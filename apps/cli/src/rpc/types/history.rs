//! What was said: conversations, their entries, and messages that are about another one.
use super::*;
use crate::args::Level;
use serde::{Deserialize, Serialize};

/// `history`. At most one of `before`, `after` and `around`; none of them: the newest.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GetHistory {
    /// The contact's address, or the room's.
    pub chat: String,
    /// The entries before this place, the nearest ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<i64>,
    /// The entries after this place, the nearest ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<i64>,
    /// This place and what is on both sides of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub around: Option<i64>,
    /// How many at most: 1 to 500, 50 if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
    /// Of which account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
}
/// `search`
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Search {
    /// Words, or their beginnings.
    pub query: String,
    /// Only there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chat: Option<String>,
    /// How many at most: 1 to 500, 50 if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
    /// Of which account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
}
/// Which message another is about: its place in the history here, or its id.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Of {
    /// `place` of an [`Entry`].
    Place(i64),
    /// `id` of an [`Entry`].
    Id(String),
}
/// `reply`
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reply {
    /// The contact's address, or the room's.
    pub chat: String,
    /// The message that is answered.
    pub of: Of,
    /// The answer, without what it quotes.
    pub text: String,
    /// As in `send`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// As in `send`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<u64>,
    /// From which account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
}
/// `react`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct React {
    /// The contact's address, or the room's.
    pub chat: String,
    /// The message.
    pub of: Of,
    /// All reactions to it from here on; none takes them back.
    pub emojis: Vec<String>,
    /// As in `send`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// As in `send`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<u64>,
    /// From which account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
}
/// `edit`
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Edit {
    /// The contact's address, or the room's.
    pub chat: String,
    /// The message, which is one's own.
    pub of: Of,
    /// What it says from here on.
    pub text: String,
    /// As in `send`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// As in `send`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<u64>,
    /// From which account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
}
/// `retract`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Retract {
    /// The contact's address, or the room's.
    pub chat: String,
    /// The message, which is one's own.
    pub of: Of,
    /// As in `send`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// As in `send`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<u64>,
    /// From which account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
}
of_account!(GetHistory, Search, Reply, React, Edit, Retract);

/// One line of a conversation.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Its row in the history: names it here, and orders a conversation.
    pub place: i64,
    /// The conversation: the contact's address, or the room's.
    pub chat: String,
    /// What others name the message by when theirs is about it.
    pub id: String,
    /// The id that the room or the account's archive gave it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stanza_id: Option<String>,
    /// Who wrote it: the real address, in rooms too where it is known.
    pub from: String,
    /// One's own: from here, or from another device.
    pub outgoing: bool,
    /// When, by the server's clock: milliseconds since 1970.
    pub time: u64,
    /// What it says now; left out: it was taken back, can't be read, or has no words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// `false`: it went in clear, as was allowed for the conversation.
    pub encrypted: bool,
    /// Its words are not the first ones.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub edited: bool,
    /// Who took it back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retracted: Option<String>,
    /// The message that it answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reply: Option<Answered>,
    /// Emoji by emoji.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reactions: Vec<Reacted>,
    /// Which device wrote it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device: Option<DeviceNumber>,
    /// What the key that wrote it was worth when it came.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trust: Option<Level>,
    /// How far a message from this device is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<Way>,
    /// Why it was not sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Why it can't be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undecryptable: Option<String>,
    /// In a room, what it called whoever wrote it: all that is known where `from` is the room.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nick: Option<String>,
    /// It says that it corrects this message, which stands as it was: that one is not here, or not of its author, or this may not change it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub corrects: Option<String>,
    /// What it answers or corrects was said in clear beside it: the server could have made that up.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub beside: bool,
    /// Who is said to have taken it back, in a way that proves nothing: in clear, or by a device that is worth less than the one that wrote.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claimed: Option<String>,
    /// That it is `delivered` or `displayed` was said in clear, or by a device that is not trusted.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unsure: bool,
    /// It came since the conversation was read, wherever it stands.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unread: bool,
}
/// The message that another answers.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answered {
    /// Its id.
    pub of: String,
    /// Its place, where it is in the history.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<i64>,
    /// Who wrote it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// What it says, where it is in the history.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
}
/// An emoji and who gave it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reacted {
    /// Which.
    pub emoji: String,
    /// Who.
    pub from: Vec<String>,
    /// Those of whom it was said in clear, or by a device that is not trusted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unsure: Vec<String>,
}
/// How far a message from this device is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Way {
    /// Stored; the server has not acknowledged all of it.
    Queued,
    /// The server has it.
    Sent,
    /// A device of the other side has it.
    Delivered,
    /// The other side has seen it.
    Displayed,
    /// Nothing of it left.
    Failed,
}
/// The answer to `history` and `search`.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Messages {
    /// In the order of their places; found ones the newest first.
    pub messages: Vec<Entry>,
    /// There are further ones in the direction that was asked for.
    pub more: bool,
}

/// A conversation.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Chat {
    /// The contact's address, or the room's.
    pub chat: String,
    /// It is a room.
    pub room: bool,
    /// What it is called.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The last thing that was said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last: Option<Entry>,
    /// Messages of others that were not read, on none of the account's devices.
    pub unread: u64,
    /// What becomes of a message sent there.
    pub lock: Lock,
    /// Why, where it is not encrypted; and what to know of it where it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}
/// What becomes of a message sent to a conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Lock {
    /// Encrypted, or not sent.
    Omemo,
    /// In clear, as a person chose.
    Clear,
    /// Nothing leaves.
    Impossible,
}
/// The answer to `chats`.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Chats {
    /// The one that was last spoken in first.
    pub chats: Vec<Chat>,
}

/// `entry`
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EntryChanged {
    /// Which account's.
    pub account: String,
    /// As it is now.
    pub entry: Entry,
}
/// `chat`
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChatChanged {
    /// Which account's.
    pub account: String,
    /// As it is now.
    #[serde(flatten)]
    pub chat: Chat,
}
/// `catch_up`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CatchUp {
    /// Which account's.
    pub account: String,
    /// `false`: it ended.
    pub running: bool,
    /// Messages taken from archives so far.
    pub done: u64,
    /// Archives of which something was not read, with the reason: tried again with the next connection.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub failed: Vec<Unread>,
}
/// An archive of which something was not read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unread {
    /// Whose: the account's or a room's address.
    pub archive: String,
    /// `archive.…`
    pub code: String,
    /// Why.
    pub reason: String,
}
told!(EntryChanged, ChatChanged, CatchUp);

/// Words stay out of logs.
macro_rules! without_words {
    ($($name:ident { $($shown:ident),* })*) => {
        $(impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.debug_struct(stringify!($name))$(.field(stringify!($shown), &self.$shown))*.finish_non_exhaustive()
            }
        })*
    };
}
without_words! {
    Search { chat }
    Reply { chat, of, id }
    Edit { chat, of, id }
    Entry { place, chat, id }
    Answered { of, place }
    Messages { messages, more }
    Chat { chat, room, unread }
    Chats { chats }
    EntryChanged { account, entry }
    ChatChanged { account, chat }
}
