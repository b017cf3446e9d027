//! The rooms of one account in memory: what is known of each, who waits for what there, and what is kept for the next process.
use super::super::memory::{KeptInvitation, KeptRoom, KeptRooms};
use super::super::sends::Waiter;
use crate::failure::{Failure, FaultName};
use crate::rpc::Call;
use crate::rpc::types::{Lock, RoomInfo};
use serde_json::Value;
use std::collections::BTreeMap;
use subrosa_engine::Address;
use subrosa_xmpp::bookmarks::Bookmark;

/// Rooms that were left, and are remembered as rooms where nothing was said.
const MAX_LEFT: usize = 500;

/// A room.
#[derive(Default)]
pub(super) struct Known {
    pub nick: String,
    pub password: Option<String>,
    pub bookmarked: bool,
    /// As the account's devices have it, as far as they said.
    pub bookmark: Option<Bookmark>,
    /// It is left because they left it: the bookmark is as a person wants it.
    pub follows: bool,
    pub name: String,
    pub joined: bool,
    /// We were in it at some time: only then it is one for certain.
    pub entered: bool,
    /// Why we are out of it, and nobody tries again while this stream lasts.
    pub out: Option<String>,
    /// It does not let us in, and will not by itself: nobody tries again until a person does, here or on another device.
    pub shut: bool,
    /// Who its members are is known.
    pub listed: bool,
    pub archive: bool,
    /// As the machine was told last.
    pub members: Vec<Address>,
    /// How many there were when that was last known.
    pub count: u64,
    /// We remain one of them, though we are out of it.
    pub member: bool,
    /// Why nothing can be encrypted in it; `None`: it can, or is not known to be otherwise.
    pub locked_out: Option<String>,
    /// What a person should know of it all the same.
    pub warning: Option<&'static str>,
    pub leave_out: bool,
}
impl Known {
    /// We are in, and know for whom it is.
    pub fn is_ready(&self) -> bool {
        self.joined && self.listed
    }
    /// We are not in it now.
    pub fn went(&mut self) {
        (self.joined, self.listed) = (false, false);
    }
}
/// What somebody waits for.
pub(super) struct Waiting {
    pub room: Address,
    pub what: What,
    pub waiter: Waiter,
}
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum What {
    Joined,
    Left,
    Member(Address),
    NoMember(Address),
    Avatar,
    AvatarSet,
}
/// The rooms of one account.
#[derive(Default)]
pub struct RoomBook {
    pub(super) rooms: BTreeMap<Address, Known>,
    /// Rooms that were entered, and are left; the oldest first. An address that was a room is one.
    pub(super) left: Vec<Address>,
    pub(super) invitations: Vec<KeptInvitation>,
    /// Passwords out of invitations that a person accepted, until they let us in.
    pub(super) given: BTreeMap<Address, String>,
    pub(super) waiting: Vec<Waiting>,
    /// For rooms that are being entered; `None`: for the server to say what it has.
    pub(super) later: Vec<(Option<Address>, Call, Waiter)>,
    /// The server's service of rooms. `None`: it has not said what it has.
    pub(super) service: Option<Option<Address>>,
}
impl RoomBook {
    /// As earlier processes left it.
    pub fn new(kept: KeptRooms) -> Self {
        let known = |room: KeptRoom| {
            (
                room.room.as_str().into(),
                Known {
                    nick: room.nick,
                    password: room.password,
                    bookmarked: room.bookmarked,
                    leave_out: room.leave_out,
                    name: room.name,
                    count: room.members,
                    entered: room.entered,
                    shut: room.shut.is_some(),
                    out: room.shut,
                    ..Known::default()
                },
            )
        };
        let left = kept.left.iter().map(|room| room.as_str().into()).collect();
        RoomBook { rooms: kept.rooms.into_iter().map(known).collect(), left, invitations: kept.invitations, ..RoomBook::default() }
    }
    /// It is none of the account's any more.
    pub(super) fn forget(&mut self, room: &Address) -> Option<Known> {
        let known = self.rooms.remove(room)?;
        if known.entered && !self.left.contains(room) {
            if self.left.len() >= MAX_LEFT {
                self.left.remove(0);
            }
            self.left.push(room.clone());
        }
        Some(known)
    }
    /// What the next process is to know. Of rooms that were not entered yet, nothing.
    pub(super) fn kept(&self) -> KeptRooms {
        let room = |(room, known): (&Address, &Known)| KeptRoom {
            room: room.to_string(),
            nick: known.nick.clone(),
            password: known.password.clone(),
            bookmarked: known.bookmarked,
            leave_out: known.leave_out,
            name: known.name.clone(),
            members: known.count,
            entered: known.entered,
            shut: known.out.clone().filter(|_| known.shut),
        };
        let entered = self.rooms.iter().filter(|(_, known)| !known.nick.is_empty());
        let left = self.left.iter().map(ToString::to_string).collect();
        KeptRooms { rooms: entered.map(room).collect(), left, invitations: self.invitations.clone() }
    }
    /// Somebody invited us, and it was not answered.
    pub fn is_invited(&self, room: &Address) -> bool {
        self.invitations.iter().any(|i| i.room == room.as_str())
    }
    /// All of them.
    pub fn addresses(&self) -> impl Iterator<Item = &Address> {
        self.rooms.keys()
    }
    /// It is to be entered, or was.
    pub fn contains(&self, room: &Address) -> bool {
        self.rooms.contains_key(room)
    }
    /// What it is called.
    pub fn name(&self, room: &Address) -> Option<String> {
        self.rooms.get(room).map(|known| known.name.clone()).filter(|name| !name.is_empty())
    }
    /// Nobody but the account is a member.
    pub fn is_alone(&self, room: &Address) -> bool {
        self.rooms.get(room).is_some_and(|known| known.is_ready() && known.locked_out.is_none() && known.members.len() <= 1)
    }
    /// What becomes of a message sent there.
    pub fn lock(&self, room: &Address) -> (Lock, Option<String>) {
        match self.rooms.get(room) {
            None => (Lock::Impossible, Some("this account is not in the room any more".into())),
            Some(Known { out: Some(why), .. }) => (Lock::Impossible, Some(why.clone())),
            Some(Known { locked_out: Some(why), .. }) => (Lock::Impossible, Some(why.clone())),
            Some(known) => (Lock::Omemo, known.warning.map(str::to_owned)),
        }
    }
    /// Why nothing can be said there now, and does not wait either.
    pub fn refusal(&self, room: &Address) -> Option<Failure> {
        match self.rooms.get(room) {
            None => Some(not_in(room)),
            Some(Known { out: Some(why), shut: true, .. }) => {
                let again = format!("Once it does again, `room_join` (`subrosa room join {room}`) goes in");
                let sentence = format!(
                    "the room {room} does not let this account in: {why}. {again}; `room_leave` (`subrosa room leave {room}`) takes it from the list"
                );
                Some(Failure::new("room.not-joined", FaultName::Caller, sentence))
            }
            Some(Known { out: Some(why), .. }) => {
                let sentence = format!("this account is not in the room {room}: {why}; `room_join` (`subrosa room join {room}`) tries again");
                Some(Failure::new("room.not-joined", FaultName::Caller, sentence))
            }
            Some(_) => None,
        }
    }
    /// A new stream: we are nowhere until we come in again.
    pub fn anew(&mut self) {
        for known in self.rooms.values_mut() {
            known.went();
            known.out = known.out.take().filter(|_| known.shut);
        }
    }
    /// Nothing that was asked on the stream before is answered.
    pub fn lost(&mut self, failure: &Failure) {
        self.anew();
        self.waiting.drain(..).for_each(|waiting| drop(waiting.waiter.send(Err(failure.clone()))));
        self.later.drain(..).for_each(|(_, _, waiter)| drop(waiter.send(Err(failure.clone()))));
        self.service = None;
    }
    pub(super) fn answer(&mut self, room: &Address, what: impl Fn(&What) -> bool, answer: &Result<Value, Failure>) {
        for waiting in std::mem::take(&mut self.waiting) {
            if waiting.room == *room && what(&waiting.what) {
                let _ = waiting.waiter.send(answer.clone());
            } else {
                self.waiting.push(waiting);
            }
        }
    }
    pub(super) fn info(&self, room: &Address) -> Option<RoomInfo> {
        let known = self.rooms.get(room)?;
        let (lock, why) = self.lock(room);
        Some(RoomInfo {
            room: room.to_string(),
            name: self.name(room),
            nick: Some(known.nick.clone()).filter(|nick| !nick.is_empty()),
            joined: known.joined,
            lock,
            why,
            members: known.count,
            leave_out: known.leave_out,
        })
    }
}

pub(super) fn not_in(room: &Address) -> Failure {
    Failure::new(
        "room.not-joined",
        FaultName::Caller,
        format!("this account is not in the room {room}; join it first (`room_join`, `subrosa room join {room}`)"),
    )
}
