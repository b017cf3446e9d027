//! What can be asked.
use crate::args::Level;
use serde::{Deserialize, Serialize};

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
