//! What rooms have, what is new about them, and why something did not work.
use crate::Bounce;
use minidom::Element;
use subrosa_engine::{Address, Coded, Fault, Input, MessageId, Time};

/// What somebody is to a room, also while away (XEP-0045 §5.2). Ordered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Affiliation {
    /// Banned.
    Outcast,
    /// Nothing. In a members-only room: not in it.
    None,
    /// May enter a members-only room.
    Member,
    /// May also bring in, and remove, members.
    Admin,
    /// May do everything.
    Owner,
}
impl Affiliation {
    /// Those whom a message in the room is for.
    pub(crate) const LISTED: [Self; 3] = [Affiliation::Owner, Affiliation::Admin, Affiliation::Member];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Affiliation::Outcast => "outcast",
            Affiliation::None => "none",
            Affiliation::Member => "member",
            Affiliation::Admin => "admin",
            Affiliation::Owner => "owner",
        }
    }
    pub(crate) fn read(name: &str) -> Option<Self> {
        Self::LISTED.into_iter().chain([Affiliation::None, Affiliation::Outcast]).find(|affiliation| affiliation.name() == name)
    }
}
/// What somebody may do in a room while there (XEP-0045 §5.1). Ordered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// Is not there.
    None,
    /// May read.
    Visitor,
    /// May speak.
    Participant,
    /// May also silence others.
    Moderator,
}
impl Role {
    pub(crate) fn read(name: &str) -> Self {
        match name {
            "moderator" => Role::Moderator,
            "participant" => Role::Participant,
            "visitor" => Role::Visitor,
            _ => Role::None,
        }
    }
}
/// Somebody who is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Occupant {
    /// The name in the room. Another may have had it before, and may have it later.
    pub nick: String,
    /// Who it is: a bare address. `None`: the room does not say.
    pub who: Option<Address>,
    /// What they are to the room.
    pub affiliation: Affiliation,
    /// What they may do.
    pub role: Role,
    /// What the room knows them by (XEP-0421), where it announces to have such ids.
    pub id: Option<String>,
}
/// What a new room is called. The rest is fixed: members only, everybody sees everybody's address, it stays, no one from outside finds it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RoomConfig {
    /// For people.
    pub name: String,
    /// For people; may be empty.
    pub description: String,
}
/// What a room says about itself (disco#info, XEP-0045 §6.4).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct About {
    /// At most 256 characters; may be empty.
    pub name: String,
    /// At most 1024 characters; may be empty.
    pub description: String,
    /// Everybody sees everybody's address.
    pub non_anonymous: bool,
    /// Only members may enter.
    pub members_only: bool,
    /// It stays when the last one leaves.
    pub persistent: bool,
    /// Its occupant ids count (XEP-0421).
    pub occupant_ids: bool,
    /// The ids that it gives to messages count (XEP-0359).
    pub stanza_ids: bool,
    /// It has an archive (XEP-0313).
    pub archive: bool,
    /// Its moderators can take messages away (XEP-0425).
    pub moderation: bool,
    /// The SHA-1 of its picture, in hex (XEP-0486).
    pub avatar: Option<String>,
}

/// Why nothing can be encrypted in a room.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum Unencryptable {
    /// Not everybody may see everybody's address.
    #[error("the room hides who is in it; an owner can make it non-anonymous")]
    Anonymous,
    /// It has somebody there whose address it does not show, and gives no list of its members.
    #[error("the room does not say who some of those present are; an owner can make it members-only and non-anonymous")]
    MembersUnknown,
    /// More than 1000.
    #[error("the room has more than 1000 members; a smaller one can be encrypted")]
    TooMany,
}
impl Coded for Unencryptable {
    fn code(&self) -> &'static str {
        match self {
            Unencryptable::Anonymous => "room.anonymous",
            Unencryptable::MembersUnknown => "room.members-unknown",
            Unencryptable::TooMany => "room.too-many",
        }
    }
    fn fault(&self) -> Fault {
        Fault::Peer
    }
}
/// What a person should know about a room that can be encrypted in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RoomWarning {
    /// Anybody may enter, and reads from then on.
    NotMembersOnly,
    /// It gives no list of members: those who were not seen yet can't read.
    AbsentUnknown,
}
/// What was to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub enum Task {
    Create,
    Join,
    Rename,
    Invite,
    Affiliate,
    Resign,
    Destroy,
    Avatar,
}
/// Why it did not work.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RoomError {
    /// It is protected by a password, and this is not it.
    #[error("the room wants a password, or another one; ask somebody in it")]
    Password,
    /// We are banned.
    #[error("the room has banned this account; only its admins can change that")]
    Banned,
    /// Only members may enter.
    #[error("only members may enter the room; ask one of its admins to be made a member")]
    MembersOnly,
    /// So many are in it as it takes, or its server lets nobody in now. Tried again by itself.
    #[error("the room is full, or its server lets nobody in now; it is tried again")]
    Full,
    /// Somebody has the name, and the next ones too.
    #[error("the name is taken in the room; choose another one")]
    NickTaken,
    /// The room takes no such name from us: another is reserved for us, or names can't be changed.
    #[error("the room does not take this name; use the one that is reserved for this account")]
    NickRefused,
    /// There is none.
    #[error("there is no such room; create it, or check its address")]
    NoSuchRoom,
    /// There is one already.
    #[error("there is such a room already; join it, or choose another address")]
    Exists,
    /// Not for this account.
    #[error("the room or its server does not allow this; an admin of the room or of the server can")]
    NotAllowed,
    /// It would have no owner any more.
    #[error("this account is the room's only owner; make somebody else one first, or end the room")]
    LastOwner,
    /// Its server has no pictures of rooms.
    #[error("the room's server has no pictures of rooms (XEP-0486); its operator may add them")]
    NoPictures,
    /// We are not in it.
    #[error("this account is not in the room; join it first")]
    NotJoined,
    /// It is somewhere else now.
    #[error("the room has moved{}", .0.as_ref().map(|to| format!("; join {to}")).unwrap_or_default())]
    Moved(Option<Address>),
    /// The address, or a name, can't be one.
    #[error("this is no address of a room, or a name or text that XMPP can't carry; check it")]
    Malformed,
    /// At most 1000 rooms at once.
    #[error("this account is in 1000 rooms; leave one first")]
    TooManyRooms,
    /// No answer, or its server can't be reached. Tried again by itself where it is about joining.
    #[error("the room's server can't be reached now; it may work later")]
    Unreachable,
    /// The condition of RFC 6120 §8.3.3: `"internal-server-error"`.
    #[error("the room's server says {0}; its operator may know why")]
    Other(String),
}
impl Coded for RoomError {
    fn code(&self) -> &'static str {
        match self {
            RoomError::Password => "room.password",
            RoomError::Banned => "room.banned",
            RoomError::MembersOnly => "room.members-only",
            RoomError::Full => "room.full",
            RoomError::NickTaken => "room.nick-taken",
            RoomError::NickRefused => "room.nick-refused",
            RoomError::NoSuchRoom => "room.none",
            RoomError::Exists => "room.exists",
            RoomError::NotAllowed => "room.not-allowed",
            RoomError::LastOwner => "room.last-owner",
            RoomError::NoPictures => "room.no-pictures",
            RoomError::NotJoined => "room.not-joined",
            RoomError::Moved(_) => "room.moved",
            RoomError::Malformed => "room.malformed",
            RoomError::TooManyRooms => "room.too-many-rooms",
            RoomError::Unreachable => "room.unreachable",
            RoomError::Other(_) => "room.other",
        }
    }
    fn fault(&self) -> Fault {
        match self {
            RoomError::Unreachable | RoomError::Other(_) => Fault::Network,
            _ => Fault::Caller,
        }
    }
}
/// Why we are not in a room any more.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Left {
    /// We left.
    Asked,
    /// Somebody put us out; we may come again (307).
    Kicked,
    /// Somebody put us out for good (301).
    Banned,
    /// We are no member any more (321), or the room has become members-only (322).
    Removed,
    /// There is no such room any more; perhaps there is another instead.
    Destroyed {
        /// Where those who were in it should go.
        instead: Option<Address>,
    },
    /// Its server went down (332), lost us (333), or had forgotten us. It is entered again by itself.
    Lost,
}
/// What happened to somebody who is, was, or will be there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Presence {
    /// Came.
    Came(Occupant),
    /// Has another affiliation, role or address now.
    Changed(Occupant),
    /// Went.
    Went {
        /// Who.
        was: Occupant,
        /// As for ourselves; [`Left::Asked`]: by themselves.
        why: Left,
    },
    /// Has another name.
    Renamed {
        /// Who, as it was.
        was: Occupant,
        /// The new name.
        to: String,
    },
}
/// Somebody invites us.
#[derive(Clone, PartialEq, Eq)]
pub struct Invitation {
    /// Where to.
    pub room: Address,
    /// Who. Where the room itself says it (XEP-0045 §7.8.2), nobody else vouches for it; `None`: it does not say.
    pub by: Option<Address>,
    /// It came from them directly (XEP-0249), not through the room.
    pub direct: bool,
    /// In their words, at most 1024 characters; may be empty.
    pub reason: String,
    /// What it takes to enter.
    pub password: Option<String>,
}
/// Passwords stay out of logs.
impl std::fmt::Debug for Invitation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Invitation").field("room", &self.room).field("by", &self.by).field("direct", &self.direct).finish_non_exhaustive()
    }
}

/// What is new about rooms.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum RoomNews {
    /// We are in, and may speak. [`RoomNews::Members`] or [`RoomNews::NotEncryptable`] follows.
    Joined {
        /// Where.
        room: Address,
        /// By which name: the room, or others with the same name, may have changed it.
        nick: String,
        /// We made it.
        created: bool,
    },
    /// We are not in it any more, or not now.
    Left {
        /// Where.
        room: Address,
        /// Why.
        why: Left,
        /// In the words of whoever did it, at most 1024 characters; may be empty.
        reason: String,
        /// What we remain to it: from [`Affiliation::Member`] up, others go on encrypting for us. `None`: it did not say.
        still: Option<Affiliation>,
    },
    /// What it says about itself, new or changed.
    About(Address, About),
    /// Whom a message is for, new or changed: [`Input::Room`] is in the same turn.
    Members {
        /// Where.
        room: Address,
        /// Members, admins, owners, whether they are there or not, and ourselves; sorted.
        members: Vec<Address>,
        /// What a person should know.
        warnings: Vec<RoomWarning>,
    },
    /// Nothing can be encrypted in it: [`Input::Room`] with `None` is in the same turn.
    NotEncryptable {
        /// Where.
        room: Address,
        /// Why.
        why: Unencryptable,
    },
    /// Somebody came, went or changed. Not told of those who are there when we come: see `Rooms::occupants`.
    Presence(Address, Presence),
    /// We have this name now.
    Nick {
        /// Where.
        room: Address,
        /// The name.
        nick: String,
    },
    /// What the room is about, when we come and when it changes. It is never encrypted.
    Subject {
        /// Where.
        room: Address,
        /// At most 4096 characters; may be empty.
        text: String,
        /// The name of who set it.
        nick: Option<String>,
    },
    /// A message of ours came back from the room: all have it.
    Reflected {
        /// Where.
        room: Address,
        /// Ours, as it was sent.
        id: MessageId,
        /// The one that everybody in the room knows it by.
        room_id: Option<String>,
        /// When the room had it.
        at: Time,
    },
    /// A moderator took a message away (XEP-0425); the room itself says so.
    Moderated {
        /// Where.
        room: Address,
        /// The room's id of the message.
        room_id: String,
        /// The name of the moderator.
        nick: Option<String>,
        /// At most 1024 characters; may be empty.
        reason: String,
    },
    /// Somebody in the room wrote to us alone. It is not taken: who in a room wrote to whom can't be encrypted for.
    Private {
        /// Where.
        room: Address,
        /// The name of who wrote; our own where another device of ours did.
        nick: String,
    },
    /// A message of ours to the room came back: not all, or none, have it.
    Bounced(Bounce),
    /// Somebody invites us.
    Invited(Invitation),
    /// Somebody does not come.
    Declined {
        /// Where to.
        room: Address,
        /// Who.
        who: Address,
        /// At most 1024 characters; may be empty.
        reason: String,
    },
    /// The picture of the room, as it was asked for; `None`: it has none.
    Avatar(Address, Option<crate::avatar::Picture>),
    /// The room has the picture that it was to have, or none where it was to have none.
    AvatarSet(Address),
    /// Something did not work.
    Failed {
        /// Where.
        room: Address,
        /// What.
        task: Task,
        /// Whom it was about.
        who: Option<Address>,
        /// Why.
        why: RoomError,
        /// When it is tried again by itself.
        again: Option<Time>,
    },
}
/// What a step leads to.
#[derive(Debug, Default)]
pub struct RoomTurn {
    /// To be sent, on this stream only.
    pub send: Vec<Element>,
    /// For the host.
    pub news: Vec<RoomNews>,
    /// For the machine.
    pub inputs: Vec<Input>,
    /// Which ids the message has that is in `inputs` or was reflected.
    pub ids: crate::Ids,
    /// The host has named all its rooms.
    pub complete: bool,
    /// There is more in the message than was taken: `Mapping` is to have it too.
    pub more: bool,
    /// Something for an application's engine came, and can't be taken.
    pub unreadable: Option<crate::Unreadable>,
}
