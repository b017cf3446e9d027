//! What rooms are asked for: a call becomes an act at the connection, and is answered once the room did it or said no. What needs us
//! to be in, or the server to have said what it has, waits for that.
use super::super::drive::Drive;
use super::super::link::RoomAsk;
use super::super::memory::KeptInvitation;
use super::super::notes;
use super::super::sends::Waiter;
use super::super::step::Fact;
use super::book::{Known, Waiting, What, not_in};
use crate::failure::{Failure, FaultName};
use crate::rpc::Call;
use crate::rpc::types::{
    Invited, OfRoom, RoomCreate, RoomEvent, RoomInvite, RoomJoin, RoomLeave, RoomLeaveOut, RoomLeft, RoomRemove, Rooms as RoomList,
};
use serde_json::{Value, json};
use subrosa_engine::{Address, ChatId, Input};

impl Drive {
    pub(in super::super) fn rooms(&mut self) -> Result<Value, Failure> {
        let invited = |i: &KeptInvitation| Invited {
            room: i.room.clone(),
            from: i.from.clone(),
            by_room: !i.direct,
            reason: Some(i.reason.clone()).filter(|reason| !reason.is_empty()),
        };
        let rooms = self.rooms.rooms.keys().filter_map(|room| self.rooms.info(room)).collect();
        notes::value(&RoomList { rooms, invitations: self.rooms.invitations.iter().map(invited).collect() })
    }
    pub(in super::super) fn my_nick(&self, nick: Option<String>) -> String {
        nick.unwrap_or_else(|| self.account.split('@').next().unwrap_or_default().to_owned())
    }
    pub(super) fn wait(&mut self, room: Address, what: What, waiter: Waiter) {
        self.rooms.waiting.push(Waiting { room, what, waiter });
    }
    /// The server said what it has.
    pub(in super::super) fn set_room_service(&mut self, service: Option<Address>) {
        self.rooms.service = Some(service);
        self.take_up_later(None);
    }
    /// What waited for this is asked again.
    pub(in super::super) fn take_up_later(&mut self, what: Option<&Address>) {
        for (waits, call, waiter) in std::mem::take(&mut self.rooms.later) {
            // who was told that nobody answered does not want it any more
            if waiter.is_closed() {
                continue;
            }
            if waits.as_ref() == what {
                self.call(call, waiter);
            } else {
                self.rooms.later.push((waits, call, waiter));
            }
        }
    }
    /// We do not come in: who wants to leave has left, the others are told.
    pub(in super::super) fn refuse_later(&mut self, room: &Address, failure: &Failure) {
        for (waits, call, waiter) in std::mem::take(&mut self.rooms.later) {
            match call {
                call if waits.as_ref() != Some(room) => self.rooms.later.push((waits, call, waiter)),
                Call::RoomLeave(_) => {
                    let answer = self.left_for_good(room);
                    let _ = waiter.send(answer);
                }
                _ => drop(waiter.send(Err(failure.clone()))),
            }
        }
    }
    /// Whether a call about this room can go on now; else it does once we are in, or it is told why not.
    pub(super) fn enters_first(&mut self, room: &str, make: impl FnOnce() -> Call, waiter: Waiter) -> Option<(Address, Waiter)> {
        let room = match crate::home::bare(room) {
            Ok(room) => Address::from(room.as_str()),
            Err(failure) => {
                let _ = waiter.send(Err(failure));
                return None;
            }
        };
        if let Some(failure) = self.rooms.refusal(&room) {
            let _ = waiter.send(Err(failure));
            return None;
        }
        if self.rooms.rooms.get(&room).is_some_and(Known::is_ready) {
            return Some((room, waiter));
        }
        self.when_in(room, make(), waiter);
        None
    }
    pub(in super::super) fn room_create(&mut self, create: RoomCreate, waiter: Waiter) {
        self.link.connect();
        if create.room.is_none() && self.rooms.service.is_none() {
            return self.rooms.later.push((None, Call::RoomCreate(create), waiter));
        }
        let room = match &create.room {
            Some(room) => crate::home::bare(room).map(|room| Address::from(room.as_str())),
            None => self.new_room(create.name.as_deref().unwrap_or_default()),
        };
        let room = match room {
            Ok(room) => room,
            Err(failure) => return drop(waiter.send(Err(failure))),
        };
        if let Some(failure) = self.no_room(&room) {
            return drop(waiter.send(Err(Failure { fault: FaultName::Caller, ..failure })));
        }
        let nick = self.my_nick(create.nick);
        self.link.room(RoomAsk::Create { room: room.clone(), nick, name: create.name.unwrap_or_default() });
        self.wait(room, What::Joined, waiter);
    }
    /// An address that nobody guesses, at the server's own service.
    fn new_room(&self, name: &str) -> Result<Address, Failure> {
        let Some(service) = self.rooms.service.iter().flatten().next() else {
            let sentence = "this server has no service of rooms; name the address of a room elsewhere, like garden@rooms.example.org";
            return Err(Failure::new("room.no-service", FaultName::Network, sentence));
        };
        let word: String = name.chars().filter(char::is_ascii_alphanumeric).take(24).collect::<String>().to_lowercase();
        let id = super::super::new_id();
        let local = if word.is_empty() { id } else { format!("{word}-{}", id.get(..8).unwrap_or(&id)) };
        Ok(Address::from(format!("{local}@{service}").as_str()))
    }
    pub(in super::super) fn room_join(&mut self, join: RoomJoin, waiter: Waiter) {
        let room = match crate::home::bare(&join.room) {
            Ok(room) => Address::from(room.as_str()),
            Err(failure) => return drop(waiter.send(Err(failure))),
        };
        if self.rooms.rooms.get(&room).is_some_and(|known| known.joined) {
            return drop(waiter.send(self.room_info(&room)));
        }
        if let Some(failure) = self.no_room(&room) {
            return drop(waiter.send(Err(Failure { fault: FaultName::Caller, ..failure })));
        }
        let password = self.password_for(&room);
        let (nick, after) = (self.my_nick(join.nick), self.newest(&room));
        self.rooms.rooms.get_mut(&room).into_iter().for_each(|known| known.out = None);
        self.link.connect();
        self.link.room(RoomAsk::Join { room: room.clone(), nick, password, after });
        self.wait(room, What::Joined, waiter);
    }
    /// What let us in before; where that does not do, or there is none, what somebody who invites us says.
    fn password_for(&mut self, room: &Address) -> Option<String> {
        let (ours, works) = self.rooms.rooms.get(room).map_or((None, false), |known| (known.password.clone(), known.out.is_none()));
        let theirs = self.rooms.invitations.iter().find(|i| i.room == room.as_str()).and_then(|i| i.password.clone());
        match (ours, theirs) {
            (Some(ours), _) if works => Some(ours),
            (_, Some(theirs)) => {
                self.rooms.given.insert(room.clone(), theirs.clone());
                Some(theirs)
            }
            (ours, None) => ours,
        }
    }
    pub(in super::super) fn room_info(&self, room: &Address) -> Result<Value, Failure> {
        let info = self.rooms.info(room).ok_or_else(|| not_in(room))?;
        notes::value(&info)
    }
    /// Leaving a room that we are only invited to declines.
    pub(in super::super) fn room_leave(&mut self, leave: &RoomLeave, waiter: Waiter) {
        let room = match crate::home::bare(&leave.room) {
            Ok(room) => Address::from(room.as_str()),
            Err(failure) => return drop(waiter.send(Err(failure))),
        };
        self.link.connect();
        let known = self.rooms.rooms.get(&room).map(|known| (known.is_ready(), known.out.is_some()));
        let later = match known {
            // from a room that we are not in nothing can be taken back: the others would go on seeing us
            Some((ready, out)) => (!ready && !out).then(|| Some(room.clone())),
            // of one that was left before, the room is asked once there is somebody to ask
            None => (leave.resign && self.rooms.service.is_none()).then_some(None),
        };
        if let Some(later) = later {
            return self.rooms.later.push((later, Call::RoomLeave(leave.clone()), waiter));
        }
        let invited = self.rooms.invitations.iter().position(|i| i.room == room.as_str());
        if let (None, Some(at)) = (known, invited) {
            let invitation = self.rooms.invitations.remove(at);
            self.facts.push(Fact::Rooms(self.rooms.kept()));
            self.link.room(RoomAsk::Decline { invitation });
            if !leave.resign {
                return drop(waiter.send(Ok(json!({}))));
            }
        }
        match known {
            Some(_) if leave.destroy => self.link.room(RoomAsk::Destroy { room: room.clone() }),
            _ if leave.resign => self.link.room(RoomAsk::Resign { room: room.clone() }),
            Some((_, true)) => {
                let answer = self.left_for_good(&room);
                return drop(waiter.send(answer));
            }
            Some(_) => self.link.room(RoomAsk::Leave { room: room.clone() }),
            None => {
                let sentence = format!("this account is neither in the room {room} nor invited; `subrosa room list` shows where it is");
                return drop(waiter.send(Err(Failure::new("room.not-joined", FaultName::Caller, sentence))));
            }
        }
        self.wait(room, What::Left, waiter);
    }
    /// We are out of it already, and do not mean to come again.
    fn left_for_good(&mut self, room: &Address) -> Result<Value, Failure> {
        let member = self.rooms.forget(room).is_some_and(|known| known.member);
        self.facts.push(Fact::Rooms(self.rooms.kept()));
        self.link.bookmark(Err(room.clone()));
        notes::value(&RoomLeft { member })
    }
    pub(in super::super) fn room_invite(&mut self, invite: RoomInvite, waiter: Waiter) {
        let again = || Call::RoomInvite(invite.clone());
        let Some((room, waiter)) = self.enters_first(&invite.room, again, waiter) else { return };
        let who = match crate::home::bare(&invite.jid) {
            Ok(who) => Address::from(who.as_str()),
            Err(failure) => return drop(waiter.send(Err(failure))),
        };
        self.link.room(RoomAsk::Invite { room: room.clone(), who: who.clone(), reason: invite.reason.unwrap_or_default() });
        // who is a member already is told once more, and nothing changes
        match self.rooms.rooms.get(&room).is_some_and(|known| known.members.contains(&who)) {
            true => drop(waiter.send(Ok(json!({})))),
            false => self.wait(room, What::Member(who), waiter),
        }
    }
    pub(in super::super) fn room_remove(&mut self, remove: &RoomRemove, waiter: Waiter) {
        let again = || Call::RoomRemove(remove.clone());
        let Some((room, waiter)) = self.enters_first(&remove.room, again, waiter) else { return };
        let who = match crate::home::bare(&remove.jid) {
            Ok(who) => Address::from(who.as_str()),
            Err(failure) => return drop(waiter.send(Err(failure))),
        };
        if who == self.me {
            let sentence = format!("nobody can put oneself out; leave the room instead (`room_leave`, `subrosa room leave {room}`)");
            return drop(waiter.send(Err(Failure::usage(sentence))));
        }
        self.link.room(RoomAsk::Remove { room: room.clone(), who: who.clone() });
        self.wait(room, What::NoMember(who), waiter);
    }
    pub(in super::super) fn room_members(&mut self, of: &OfRoom, waiter: Waiter) {
        let again = || Call::RoomMembers(of.clone());
        let Some((room, waiter)) = self.enters_first(&of.room, again, waiter) else { return };
        let leave_out = self.rooms.rooms.get(&room).is_some_and(|known| known.leave_out);
        self.link.room(RoomAsk::Members { room, leave_out, waiter });
    }
    pub(in super::super) fn room_leave_out(&mut self, choice: &RoomLeaveOut) -> Result<Value, Failure> {
        let room = Address::from(crate::home::bare(&choice.room)?.as_str());
        let known = self.rooms.rooms.get_mut(&room).ok_or_else(|| not_in(&room))?;
        known.leave_out = choice.leave_out;
        self.facts.push(Fact::Rooms(self.rooms.kept()));
        self.facts.push(Fact::Input(Input::LeaveOut(ChatId(room.clone()), choice.leave_out)));
        self.room_note(&room, RoomEvent::Changed, None, None);
        Ok(json!({}))
    }
}
