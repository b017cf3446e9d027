//! Devices and sessions beyond `trust`; who may not write at all.
use super::*;
use serde::{Deserialize, Serialize};

/// `verify`: either `uri`, or `jid`, `device` and `fingerprint`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Verify {
    /// What a QR code says: `xmpp:bob@example.org?omemo-sid-1201=8bd1…`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uri: Option<String>,
    /// Whose device.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jid: Option<String>,
    /// Its number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device: Option<u32>,
    /// The key that was compared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<String>,
    /// For which account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
}
/// `approve`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Approve {
    /// The number of the account's own new device.
    pub device: u32,
    /// The key that was compared with what the device shows: it is verified then, and the others are told so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<String>,
    /// It is sent the history too.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub history: bool,
    /// Of which account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
}
/// `replace_session`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReplaceSession {
    /// Whose device.
    pub jid: String,
    /// Its number.
    pub device: u32,
    /// Of which account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
}
/// `remove_device`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RemoveDevice {
    /// The number of one of the account's own devices.
    pub device: u32,
    /// Of which account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
}
/// `opt_out`
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OptOut {
    /// The contact.
    pub chat: String,
    /// What they are told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The caller's id: what was accepted once under it is not sent again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Seconds to wait for the server's acknowledgement.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<u64>,
    /// Of which account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
}
impl std::fmt::Debug for OptOut {
    /// Without the words.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OptOut").field("chat", &self.chat).finish_non_exhaustive()
    }
}
/// `allow_clear`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AllowClear {
    /// The contact.
    pub chat: String,
    /// Takes it back.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub off: bool,
    /// Of which account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
}
of_account!(Verify, Approve, ReplaceSession, RemoveDevice, OptOut, AllowClear);

/// The answer to `verify`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verified {
    /// Whose devices.
    pub jid: String,
    /// Their numbers: verified from here on.
    pub devices: Vec<u32>,
    /// Keys of the link that no device has shown yet: one that does is verified when it does.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub later: Vec<String>,
}
/// The answer to `stale_devices`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StaleDevices {
    /// Those of the account that were not heard of for long; `remove_device` takes one off the list.
    pub devices: Vec<StaleDevice>,
}
/// A device that was not heard of for long.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StaleDevice {
    /// Its number.
    pub device: u32,
    /// What it is called.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// When it was heard of last: milliseconds since 1970. Left out: never, from here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub heard: Option<u64>,
}
/// The answer to `blocked`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Blocked {
    /// Their addresses, sorted.
    pub blocked: Vec<String>,
}

/// `warning`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Warned {
    /// As in [`Message`].
    pub account: String,
    /// As in [`Message`].
    pub seq: u64,
    /// As in [`Message`].
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub again: bool,
    /// Stable: `"rolled-back"`.
    pub code: String,
    /// In which conversation, where it is one's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chat: Option<String>,
    /// About which device, where it is one's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device: Option<DeviceNumber>,
    /// What happened and what can be done.
    pub sentence: String,
}
kept!(Warned);
