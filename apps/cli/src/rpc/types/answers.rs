//! What is answered.
use super::VERSION;
use crate::args::Level;
use crate::config::TrustPolicy;
use serde::{Deserialize, Serialize};

/// The answer to `version`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Version {
    /// `"subrosa"`
    pub name: String,
    /// Of the program.
    pub version: String,
    /// Of the RPC: [`VERSION`].
    pub rpc: u32,
}
impl Version {
    /// This program's.
    pub fn own() -> Self {
        Version { name: "subrosa".into(), version: env!("CARGO_PKG_VERSION").into(), rpc: VERSION }
    }
}

/// The answer to `send`, `reply`, `react`, `edit`, `retract`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SendResult {
    /// The message's.
    pub id: String,
    /// Every device that was considered; empty for engines without devices.
    pub devices: Vec<DeviceResult>,
    /// The engine, where it is not OMEMO: `"xor"`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub engine: Option<String>,
    /// It was **not encrypted**: `allow_clear` was called for this conversation, and it could not be.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub in_clear: bool,
    /// What the other side answered (SIP): 200, or why not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// Members of the room who can't read it, as was chosen for that room.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left_out: Vec<String>,
    /// What older devices of the recipients do not get of it: `"reaction"`, `"retraction"`, …
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unsaid: Vec<String>,
}
/// Who got it, who not and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceResult {
    /// Whose device.
    pub jid: String,
    /// Its number (or name).
    pub device: DeviceNumber,
    /// `"omemo:2"`, …; `null` where none was chosen.
    pub protocol: Option<String>,
    /// Whether it can read the message.
    pub result: SendOutcome,
    /// Why not; `null` if it can.
    pub reason: Option<String>,
}
/// Whether a device can read a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SendOutcome {
    /// Yes, and the server has it.
    Sent,
    /// No: see the reason.
    LeftOut,
}
/// OMEMO numbers devices; other protocols name them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum DeviceNumber {
    /// OMEMO's.
    Number(u32),
    /// Others'.
    Name(String),
}
impl std::fmt::Display for DeviceNumber {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            DeviceNumber::Number(n) => n.fmt(f),
            DeviceNumber::Name(s) => s.fmt(f),
        }
    }
}
impl From<&subrosa_engine::DeviceId> for DeviceNumber {
    fn from(id: &subrosa_engine::DeviceId) -> Self {
        match id {
            subrosa_engine::DeviceId::Number(n) => DeviceNumber::Number(*n),
            subrosa_engine::DeviceId::Name(s) => DeviceNumber::Name(s.to_string()),
        }
    }
}

/// One line of the answer to `devices`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceInfo {
    /// Whose.
    pub jid: String,
    /// Its number.
    pub device: DeviceNumber,
    /// 64 hexadecimal digits; `null` until its key was seen.
    pub fingerprint: Option<String>,
    /// What the key is worth.
    pub trust: Level,
    /// The versions it speaks, the preferred one first.
    pub protocols: Vec<String>,
    /// The device that answers.
    pub own: bool,
    /// On its owner's list, with this key. `false`: gone, or a key that it had once or showed and was refused.
    pub active: bool,
    /// What its owner calls it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
}
/// The answer to `devices`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceList {
    /// By number.
    pub devices: Vec<DeviceInfo>,
}

/// The answer to `status`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// As `version` says.
    #[serde(flatten)]
    pub version: Version,
    /// Those that were asked about.
    pub accounts: Vec<AccountStatus>,
}
/// One account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountStatus {
    /// Its address.
    pub account: String,
    /// This device's number.
    pub device: Option<u32>,
    /// This device's key, 64 hexadecimal digits.
    pub fingerprint: Option<String>,
    /// How it is connected.
    pub connection: State,
    /// Messages that the server has not acknowledged yet.
    pub queued: usize,
    /// Messages that came and nobody has seen yet.
    pub unread: usize,
    /// What becomes of a contact's new key.
    pub policy: TrustPolicy,
    /// What its chats go through, where it is not OMEMO: as `--engine` names it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub engine: Option<String>,
}
/// A connection's state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// Not wanted.
    Offline,
    /// Being made, or waiting to be tried again.
    Connecting,
    /// There.
    Online,
    /// The server refuses the account: not tried again.
    Refused,
}

/// The answer to `status` (SIP).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SipStatus {
    /// As `version` says.
    #[serde(flatten)]
    pub version: Version,
    /// The one that the program was started for.
    pub accounts: Vec<SipAccount>,
}
/// One account on SIP.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SipAccount {
    /// Its address.
    pub account: String,
    /// What all messages go through.
    pub engine: String,
    /// How it is registered; `online` too where it is not to be.
    pub connection: State,
    /// Where others reach it: `udp 127.0.0.1:5060`.
    pub listens: Vec<String>,
    /// Messages that were not answered yet.
    pub queued: usize,
}
