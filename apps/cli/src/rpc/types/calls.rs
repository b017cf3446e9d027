//! What can be asked: the list of all methods, and the parameters of those that were first.
use super::*;
use crate::args::Level;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What a call's parameters have in common.
pub(super) trait Params {
    /// The account they name.
    fn account(&self) -> Option<&str>;
}
/// They have a member `account`.
macro_rules! of_account {
    ($($params:ty),* $(,)?) => {
        $(impl super::Params for $params {
            fn account(&self) -> Option<&str> {
                self.account.as_deref()
            }
        })*
    };
}
pub(super) use of_account;

/// The methods: each once, with its name on the line and its parameters.
macro_rules! methods {
    ($($(#[$doc:meta])* $name:literal $variant:ident($params:ty),)*) => {
        /// A request, checked.
        #[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(tag = "method", content = "params")]
        pub enum Call {
            $($(#[$doc])* #[serde(rename = $name)] $variant($params),)*
        }
        impl Call {
            /// The names of all.
            #[cfg(test)]
            pub const METHODS: &[&str] = &[$($name),*];
            /// The call of this name. `None`: there is no such method.
            pub fn read(method: &str, params: Value) -> Option<Result<Self, serde_json::Error>> {
                match method {
                    $($name => Some(serde_json::from_value(params).map(Call::$variant)),)*
                    _ => None,
                }
            }
            /// The account it names.
            pub fn account(&self) -> Option<&str> {
                match self {
                    $(Call::$variant(params) => Params::account(params),)*
                }
            }
        }
    };
}

methods! {
    /// What speaks here.
    "version" Version(Nothing),
    /// Accounts and connections.
    "status" Status(Scope),
    /// A message to a person or a room.
    "send" Send(SendText),
    /// A file to a person (SIP).
    "send_file" SendFile(SendFile),
    /// Somebody writes here, or has stopped.
    "typing" Typing(Typing),
    /// A message was read.
    "mark_read" MarkRead(MarkRead),
    /// Devices and their keys.
    "devices" Devices(Devices),
    /// A decision about a key.
    "trust" Trust(SetTrust),
    /// Notifications from here on.
    "subscribe" Subscribe(Subscribe),
    /// A message was shown (only after `subscribe {confirm: true}`).
    "shown" Shown(Shown),
    /// Withdraws the device, erases the keys.
    "logout" Logout(Logout),
    /// All conversations.
    "chats" Chats(OfAccount),
    /// What was said in one.
    "history" History(GetHistory),
    /// Where something was said.
    "search" Search(Search),
    /// Erases what was said in one, here.
    "erase" Erase(OfChat),
    /// An answer to a message.
    "reply" Reply(Reply),
    /// Emojis to a message.
    "react" React(React),
    /// New words for a message of one's own.
    "edit" Edit(Edit),
    /// Takes a message of one's own back.
    "retract" Retract(Retract),
    /// The rooms of the account, and invitations.
    "rooms" Rooms(OfAccount),
    /// A new room, private and encrypted.
    "room_create" RoomCreate(RoomCreate),
    /// Goes into a room, and again each time the account connects.
    "room_join" RoomJoin(RoomJoin),
    /// Leaves it for good.
    "room_leave" RoomLeave(RoomLeave),
    /// Makes somebody a member and tells them.
    "room_invite" RoomInvite(RoomInvite),
    /// Takes somebody's membership.
    "room_remove" RoomRemove(RoomRemove),
    /// Who is in it.
    "room_members" RoomMembers(OfRoom),
    /// Its picture: shown, set, or taken away.
    "room_avatar" RoomAvatar(RoomAvatar),
    /// Whether members without keys are left out, or stop messages.
    "room_leave_out" RoomLeaveOut(RoomLeaveOut),
    /// A key was compared.
    "verify" Verify(Verify),
    /// A new device of the account's own gets messages from here on.
    "approve" Approve(Approve),
    /// A new session with a device, in place of one that is broken.
    "replace_session" ReplaceSession(ReplaceSession),
    /// Takes a device off the account's list.
    "remove_device" RemoveDevice(RemoveDevice),
    /// Devices of the account that were not heard of for long.
    "stale_devices" StaleDevices(OfAccount),
    /// Tells a contact that encrypted messages are not wanted here.
    "opt_out" OptOut(OptOut),
    /// Goes on encrypted, although the contact opted out.
    "go_on" GoOn(OfChat),
    /// Lets what can't be encrypted go in clear in one conversation, or no longer.
    "allow_clear" AllowClear(AllowClear),
    /// Nothing more from this person.
    "block" Block(OfPerson),
    /// They may write again.
    "unblock" Unblock(OfPerson),
    /// Who is blocked.
    "blocked" Blocked(OfAccount),
    /// A sealed copy of the history.
    "backup" Backup(Sealed),
    /// The history out of such a copy.
    "restore" Restore(Sealed),
}

/// `{}`
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Nothing {}
impl Params for Nothing {
    fn account(&self) -> Option<&str> {
        None
    }
}

/// Nothing but which account: `chats`, `rooms`, `stale_devices`, `blocked`
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OfAccount {
    /// Which; needed when there are several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
}
/// One conversation: `erase`, `go_on`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OfChat {
    /// The contact's address, or the room's.
    pub chat: String,
    /// Of which account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
}
/// One person: `block`, `unblock`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OfPerson {
    /// Their address.
    pub jid: String,
    /// For which account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
}

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
    /// A person's address, or that of a room that was joined.
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
    /// Who sees it: a person, or a room.
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
    /// Who wrote it; in a room, the room.
    pub from: String,
    /// The message's: the last one read.
    pub id: String,
    /// The place from where on it was on a screen: what stands before that and came since stays unread. Left out: all before it was read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<i64>,
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
    /// It was not: it waits on, as if it had not been given out.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub passed: bool,
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

of_account!(Scope, OfAccount, OfChat, OfPerson, SendText, SendFile, Typing, MarkRead, Devices, SetTrust, Subscribe, Shown, Logout);

/// What a call has that says something to somebody.
pub struct Says<'a> {
    /// The caller's id of it.
    pub id: &'a mut Option<String>,
    /// Seconds to wait for the server's acknowledgement.
    pub timeout: Option<u64>,
    /// Its words, if it has any.
    pub text: Option<&'a str>,
}
impl Call {
    /// `None`: it says nothing to anybody.
    pub fn says(&mut self) -> Option<Says<'_>> {
        Some(match self {
            Call::Send(SendText { id, timeout, text, .. })
            | Call::Reply(Reply { id, timeout, text, .. })
            | Call::Edit(Edit { id, timeout, text, .. }) => Says { id, timeout: *timeout, text: Some(text) },
            Call::React(React { id, timeout, .. }) | Call::Retract(Retract { id, timeout, .. }) | Call::OptOut(OptOut { id, timeout, .. }) => {
                Says { id, timeout: *timeout, text: None }
            }
            _ => return None,
        })
    }
}
