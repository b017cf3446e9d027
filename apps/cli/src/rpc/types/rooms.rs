//! Rooms: going in and out, who is in them, what happens there.
use super::*;
use serde::{Deserialize, Serialize};

/// `room_create`
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RoomCreate {
    /// What it is called.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Its address; left out: one is made at the server's own service.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub room: Option<String>,
    /// What we are called in it; left out: the part of the account before the `@`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nick: Option<String>,
    /// By which account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
}
/// `room_join`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RoomJoin {
    /// Its address.
    pub room: String,
    /// As in [`RoomCreate`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nick: Option<String>,
    /// By which account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
}
/// `room_leave`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RoomLeave {
    /// Its address.
    pub room: String,
    /// The room ends for everybody; only its owners can do that.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub destroy: bool,
    /// The membership is given up too, also of a room that was left before: who only leaves goes on being written to.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub resign: bool,
    /// Of which account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
}
/// The answer to `room_leave`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoomLeft {
    /// The account remains on the room's list of members: what is written there goes on being encrypted for its devices, though it does not
    /// come to them. `resign` ends that.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub member: bool,
}
/// `room_invite`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RoomInvite {
    /// The room's address.
    pub room: String,
    /// Whom.
    pub jid: String,
    /// What they are told. It travels in clear.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Of which account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
}
/// `room_remove`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RoomRemove {
    /// The room's address.
    pub room: String,
    /// Whom.
    pub jid: String,
    /// Of which account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
}
/// `room_members`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OfRoom {
    /// The room's address.
    pub room: String,
    /// Of which account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
}
/// `room_avatar`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RoomAvatar {
    /// The room's address.
    pub room: String,
    /// A picture that it is to have, in base64; at most 128 KiB before that. Left out: the one that it has is told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<String>,
    /// The media type of `data`: `"image/png"`.
    #[serde(default, rename = "type", skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// It is to have none.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub remove: bool,
    /// Of which account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
}
/// The answer to `room_avatar`; empty where the room has no picture, and where one was set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoomPicture {
    /// Its media type, as whoever set it says.
    #[serde(default, rename = "type", skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// The file, in base64. It may be anything: what shows it must be careful with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<String>,
    /// What it is known by: SHA-1, in hex.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
}
/// `room_leave_out`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RoomLeaveOut {
    /// The room's address.
    pub room: String,
    /// `true`: members without keys can't read what is sent; `false`: nothing is sent while there are such members.
    pub leave_out: bool,
    /// Of which account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
}
of_account!(RoomCreate, RoomJoin, RoomLeave, RoomInvite, RoomRemove, OfRoom, RoomAvatar, RoomLeaveOut);

/// A room; the answer to `room_create` and `room_join` too.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoomInfo {
    /// Its address.
    pub room: String,
    /// What it is called.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// What we are called in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nick: Option<String>,
    /// Whether we are in it.
    pub joined: bool,
    /// What becomes of a message sent there.
    pub lock: Lock,
    /// Why, where it is not encrypted or we are not in it; and what to know of it where it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// How many members it has, offline ones too.
    pub members: u64,
    /// Members without keys are left out.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub leave_out: bool,
}
/// The answer to `rooms`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rooms {
    /// By address.
    pub rooms: Vec<RoomInfo>,
    /// Not answered yet: `room_join` accepts, `room_leave` declines.
    pub invitations: Vec<Invited>,
}
/// An invitation that was not answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Invited {
    /// To which room.
    pub room: String,
    /// From whom.
    pub from: String,
    /// Only the room says that they do; it may say so of anybody.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub by_room: bool,
    /// What they say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}
/// The answer to `room_members`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Members {
    /// The room's address.
    pub room: String,
    /// By address.
    pub members: Vec<Member>,
    /// Those without keys are left out.
    pub leave_out: bool,
}
/// One of a room.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    /// Their own address.
    pub jid: String,
    /// `"owner"`, `"admin"`, `"member"` or `"none"`.
    pub affiliation: String,
    /// What they are called in it, while they are there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nick: Option<String>,
    /// They are connected to it now.
    pub here: bool,
}

/// `room`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoomNews {
    /// Which account's.
    pub account: String,
    /// Its address.
    pub room: String,
    /// What happened.
    pub event: RoomEvent,
    /// Whom it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jid: Option<String>,
    /// Why, in words, or a code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}
/// What happens in a room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RoomEvent {
    /// We are in it.
    Joined,
    /// We left it.
    Left,
    /// We could not go in; `reason` says why.
    Refused,
    /// We were taken out of it, or it ended.
    Removed,
    /// The connection to it was lost; it is joined again.
    Lost,
    /// Somebody came.
    Came,
    /// Somebody went.
    Went,
    /// Somebody is a member from here on.
    MemberAdded,
    /// Somebody is no member any more.
    MemberRemoved,
    /// Its name, or what can be sent there, changed.
    Changed,
}
/// `invitation`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Invitation {
    /// Which account's.
    pub account: String,
    /// To which room.
    pub room: String,
    /// From whom.
    pub from: String,
    /// Only the room says that they do; it may say so of anybody.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub by_room: bool,
    /// What they say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}
told!(RoomNews, Invitation);
