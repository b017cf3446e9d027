//! The stored form of what the application keeps: messages, chats, banners, the place in the archive. Every row begins with the
//! version of its form; a new version reads the old one.
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use subrosa_web_api::http::BrowserId;
use subrosa_web_api::page::{Banner, Chat, Message, Position};
use subrosa_web_api::{Jid, Seq, decode, encode};

/// The form of all rows here.
const FORM: u8 = 1;

/// The list of small things that there are one of.
pub const APP: &str = "app";
/// In [`APP`]: [`Account`].
pub const ACCOUNT: &str = "account";
/// In [`APP`]: [`Cursor`].
pub const CURSOR: &str = "cursor";
/// The list of [`ChatRow`]s, by address.
pub const CHATS: &str = "chats";
/// The list of [`Banner`]s, by number.
pub const BANNERS: &str = "banners";
/// The list of [`Place`]s of own messages, by id.
pub const PLACES: &str = "places";
/// The list of a chat's [`Message`]s, by position.
pub fn history(chat: &str) -> String {
    format!("history/{chat}")
}

/// Own messages that the archive does not have yet stand after all others.
pub const PENDING: u64 = 1 << 52;

/// Who this browser is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// The account.
    pub jid: Jid,
    /// As the gateway numbers it.
    pub browser: BrowserId,
    /// A passphrase locks the keys.
    pub has_passphrase: bool,
}
/// Up to where the archive was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cursor(pub Seq);

/// A chat and what only the worker needs of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChatRow {
    /// As the page sees it.
    pub chat: Chat,
    /// The last message that was read.
    pub read: Position,
    /// Up to where the gateway knows of it.
    pub read_told: Position,
    /// When a device of theirs was met for the first time; 0: never.
    pub met: u64,
}
/// Where a message stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// In which chat.
    pub chat: Jid,
    /// Where.
    pub position: Position,
}

/// What can be a row.
pub trait Row: Serialize + DeserializeOwned {
    /// As bytes.
    fn to_row(&self) -> Vec<u8> {
        let mut bytes = vec![FORM];
        bytes.append(&mut encode(self));
        bytes
    }
    /// `None`: damaged, or of a newer version.
    fn from_row(bytes: &[u8]) -> Option<Self> {
        bytes.split_first().filter(|(form, _)| **form == FORM).and_then(|(_, rest)| decode(rest))
    }
}
impl Row for Account {}
impl Row for Cursor {}
impl Row for ChatRow {}
impl Row for Place {}
impl Row for Message {}
impl Row for Banner {}
