//! What is said over the RPC: methods, results, notifications. Version 2; grows only by addition (docs/rpc.md).
use crate::args::Level;
use crate::config::TrustPolicy;
use serde::{Deserialize, Serialize};

/// Raised only when something is added; nothing is ever changed or taken away.
pub const VERSION: u32 = 2;

/// A request, checked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "method", content = "params", rename_all = "snake_case")]
pub enum Call {
    /// What speaks here.
    Version(Nothing),
    /// Accounts and connections.
    Status(Scope),
    /// A message to a person.
    Send(SendText),
    /// A file to a person (SIP).
    SendFile(SendFile),
    /// Somebody writes here, or has stopped (SIP).
    Typing(Typing),
    /// A message was read (SIP).
    MarkRead(MarkRead),
    /// Devices and their keys.
    Devices(Devices),
    /// A decision about a key.
    Trust(SetTrust),
    /// Notifications from here on.
    Subscribe(Subscribe),
    /// A message was shown (only after `subscribe {confirm: true}`).
    Shown(Shown),
    /// Withdraws the device, erases the keys.
    Logout(Logout),
}

/// `{}`
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Nothing {}

/// `status`
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scope {
    /// One account; left out: all of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
}

/// `send`
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SendText {
    /// A person's address.
    pub to: String,
    /// What to say.
    pub text: String,
    /// The caller's id: what was accepted once under it is not sent again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Seconds to wait for the server's acknowledgement.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<u64>,
    /// From which account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
}
impl std::fmt::Debug for SendText {
    /// Without the text.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let text = format_args!("({} bytes)", self.text.len());
        f.debug_struct("SendText").field("to", &self.to).field("id", &self.id).field("text", &text).finish_non_exhaustive()
    }
}

/// `send_file`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SendFile {
    /// A person's address.
    pub to: String,
    /// Which file, on the disk of the program. The other side is told its name, without the directories.
    pub path: std::path::PathBuf,
    /// What it is; left out: `application/octet-stream`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content_type: Option<String>,
    /// Seconds to wait for the other side's answer, the upload included.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<u64>,
    /// From which account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
}

/// `typing`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Typing {
    /// Who sees it.
    pub to: String,
    /// `false`: it has stopped.
    pub composing: bool,
    /// From which account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
}

/// `mark_read`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MarkRead {
    /// Who wrote it.
    pub from: String,
    /// The message's.
    pub id: String,
    /// Of which account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
}

/// `devices`
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Devices {
    /// Whose; left out: the account's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jid: Option<String>,
    /// As seen by which account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
}

/// `trust`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SetTrust {
    /// Whose device.
    pub jid: String,
    /// Its number.
    pub device: u32,
    /// The key meant; left out: the one that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<String>,
    /// What it is worth.
    pub level: Level,
    /// For which account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
}

/// `subscribe`
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Subscribe {
    /// A message counts as shown when `shown` says so, not when its line was written.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub confirm: bool,
    /// One account; left out: all of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
}

/// `shown`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Shown {
    /// `seq` of the notification.
    pub seq: u64,
    /// Which account's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
}

/// `logout`
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Logout {
    /// Erase although the server can't be told.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub offline: bool,
    /// Which account; needed when there are several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
}

impl Call {
    /// The account it names.
    pub fn account(&self) -> Option<&str> {
        match self {
            Call::Version(_) => None,
            Call::Status(Scope { account })
            | Call::Send(SendText { account, .. })
            | Call::SendFile(SendFile { account, .. })
            | Call::Typing(Typing { account, .. })
            | Call::MarkRead(MarkRead { account, .. })
            | Call::Devices(Devices { account, .. })
            | Call::Trust(SetTrust { account, .. })
            | Call::Subscribe(Subscribe { account, .. })
            | Call::Shown(Shown { account, .. })
            | Call::Logout(Logout { account, .. }) => account.as_deref(),
        }
    }
}

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

/// The answer to `send`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SendResult {
    /// The message's.
    pub id: String,
    /// Every device that was considered; empty for engines without devices.
    pub devices: Vec<DeviceResult>,
    /// The engine, where it is not OMEMO: `"xor"`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub engine: Option<String>,
    /// What the other side answered (SIP): 200, or why not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
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

/// What comes without being asked for.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "method", content = "params", rename_all = "snake_case")]
pub enum Notification {
    /// Somebody wrote.
    Message(Message),
    /// Somebody wrote and it can't be read.
    Undecryptable(Undecryptable),
    /// A device that was not known before.
    DeviceNew(DeviceSeen),
    /// A known device showed another key: refused until `trust` names it.
    KeyChanged(KeyChanged),
    /// A message that had waited could not be sent after all.
    NotSent(NotSent),
    /// A message came back from the other side.
    Bounced(Bounced),
    /// Something came that can't be taken.
    LeftOut(LeftOut),
    /// How far a message of ours is (SIP).
    State(MessageState),
    /// Somebody writes, or has stopped (SIP).
    Typing(TypingSeen),
    /// What became of a message of ours at the other side (SIP).
    Receipt(Receipt),
    /// Somebody sent a file (SIP).
    File(FileSeen),
    /// The connection changed.
    Connection(Connection),
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
    /// `false`: it has stopped.
    pub composing: bool,
}
/// `receipt`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    /// Which account's.
    pub account: String,
    /// Whose program says so.
    pub from: String,
    /// The message's.
    pub id: String,
    /// What became of it.
    pub fate: Fate,
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
    /// The number to give to `shown`; `None`: nobody waits for it.
    pub fn seq(&self) -> Option<u64> {
        match self {
            Notification::Message(Message { seq, .. })
            | Notification::Undecryptable(Undecryptable { seq, .. })
            | Notification::DeviceNew(DeviceSeen { seq, .. })
            | Notification::KeyChanged(KeyChanged { seq, .. })
            | Notification::NotSent(NotSent { seq, .. })
            | Notification::File(FileSeen { seq, .. }) => Some(*seq),
            Notification::Bounced(_)
            | Notification::LeftOut(_)
            | Notification::State(_)
            | Notification::Typing(_)
            | Notification::Receipt(_)
            | Notification::Connection(_) => None,
        }
    }
    /// The number and the flag of one that is kept until shown.
    pub fn counted(&mut self) -> Option<(&mut u64, &mut bool)> {
        match self {
            Notification::Message(Message { seq, again, .. })
            | Notification::Undecryptable(Undecryptable { seq, again, .. })
            | Notification::DeviceNew(DeviceSeen { seq, again, .. })
            | Notification::KeyChanged(KeyChanged { seq, again, .. })
            | Notification::NotSent(NotSent { seq, again, .. })
            | Notification::File(FileSeen { seq, again, .. }) => Some((seq, again)),
            Notification::Bounced(_)
            | Notification::LeftOut(_)
            | Notification::State(_)
            | Notification::Typing(_)
            | Notification::Receipt(_)
            | Notification::Connection(_) => None,
        }
    }
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
impl Notification {
    /// Which account's.
    pub fn account(&self) -> &str {
        match self {
            Notification::Message(Message { account, .. })
            | Notification::Undecryptable(Undecryptable { account, .. })
            | Notification::DeviceNew(DeviceSeen { account, .. })
            | Notification::KeyChanged(KeyChanged { account, .. })
            | Notification::NotSent(NotSent { account, .. })
            | Notification::Bounced(Bounced { account, .. })
            | Notification::LeftOut(LeftOut { account, .. })
            | Notification::State(MessageState { account, .. })
            | Notification::Typing(TypingSeen { account, .. })
            | Notification::Receipt(Receipt { account, .. })
            | Notification::File(FileSeen { account, .. })
            | Notification::Connection(Connection { account, .. }) => account,
        }
    }
}
