//! Rooms as the application sees them: which it is in, who asked for what, who invited it. What they are and how one gets in is
//! [`subrosa_xmpp::Rooms`]'s, at the connection; this module turns calls into its acts and its news into answers, rows and notifications.
mod lists;

use super::chats::Deed;
use super::drive::{Drive, now};
use super::link::RoomAsk;
use super::memory::{KeptInvitation, KeptRoom, KeptRooms};
use super::notes;
use super::sends::Waiter;
use super::step::Fact;
use crate::failure::{Failure, FaultName};
use crate::rpc::Call;
use crate::rpc::types::{
    Invitation as InvitationNote, Invited, LeftOut, Lock, Member, Members, Notification, OfRoom, RoomCreate, RoomEvent, RoomInfo, RoomInvite,
    RoomJoin, RoomLeave, RoomLeaveOut, RoomNews as RoomNote, RoomRemove, Rooms as RoomList,
};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use subrosa_engine::{Address, ChatId, Coded, Input, Time};
use subrosa_history::At;
use subrosa_xmpp::rooms::{Affiliation, Left, Presence, RoomError, RoomNews, RoomWarning, Task};

/// Invitations that are kept; the oldest goes first.
const INVITATIONS: usize = 100;

/// A room.
#[derive(Default)]
struct Known {
    nick: String,
    password: Option<String>,
    bookmarked: bool,
    name: String,
    joined: bool,
    /// Who its members are is known.
    listed: bool,
    archive: bool,
    /// As the machine was told last.
    members: Vec<Address>,
    /// Why nothing can be encrypted in it; `None`: it can, or is not known to be otherwise.
    locked_out: Option<String>,
    /// What a person should know of it all the same.
    warning: Option<&'static str>,
    leave_out: bool,
}
/// What somebody waits for.
struct Waiting {
    room: Address,
    what: What,
    waiter: Waiter,
}
#[derive(Clone, Debug, PartialEq, Eq)]
enum What {
    Joined,
    Left,
    Member(Address),
    NoMember(Address),
}
/// The rooms of one account.
#[derive(Default)]
pub struct RoomBook {
    rooms: BTreeMap<Address, Known>,
    invitations: Vec<KeptInvitation>,
    waiting: Vec<Waiting>,
    /// For rooms that are being entered; `None`: for the server to say what it has.
    later: Vec<(Option<Address>, Call, Waiter)>,
    /// The server's service of rooms. `None`: it has not said what it has.
    service: Option<Option<Address>>,
}
impl RoomBook {
    /// As earlier processes left it.
    pub fn new(kept: KeptRooms) -> Self {
        let known = |room: KeptRoom| {
            (
                room.room.as_str().into(),
                Known { nick: room.nick, password: room.password, bookmarked: room.bookmarked, leave_out: room.leave_out, ..Known::default() },
            )
        };
        RoomBook { rooms: kept.rooms.into_iter().map(known).collect(), invitations: kept.invitations, ..RoomBook::default() }
    }
    fn kept(&self) -> KeptRooms {
        let room = |(room, known): (&Address, &Known)| KeptRoom {
            room: room.to_string(),
            nick: known.nick.clone(),
            password: known.password.clone(),
            bookmarked: known.bookmarked,
            leave_out: known.leave_out,
        };
        KeptRooms { rooms: self.rooms.iter().map(room).collect(), invitations: self.invitations.clone() }
    }
    /// It was created or entered, and not left.
    pub fn is_known(&self, room: &Address) -> bool {
        self.rooms.contains_key(room)
    }
    /// Somebody invited us, and it was not answered.
    pub fn is_invited(&self, room: &Address) -> bool {
        self.invitations.iter().any(|i| i.room == room.as_str())
    }
    /// All of them.
    pub fn addresses(&self) -> impl Iterator<Item = &Address> {
        self.rooms.keys()
    }
    /// What it is called.
    pub fn name(&self, room: &Address) -> Option<String> {
        self.rooms.get(room).map(|known| known.name.clone()).filter(|name| !name.is_empty())
    }
    /// What becomes of a message sent there.
    pub fn lock(&self, room: &Address) -> (Lock, Option<String>) {
        match self.rooms.get(room) {
            None => (Lock::Impossible, Some("this account is not in the room any more".into())),
            Some(Known { locked_out: Some(why), .. }) => (Lock::Impossible, Some(why.clone())),
            Some(known) => (Lock::Omemo, known.warning.map(str::to_owned)),
        }
    }
    /// A new stream: we are nowhere until we come in again.
    pub fn anew(&mut self) {
        self.rooms.values_mut().for_each(|known| known.joined = false);
    }
    /// Nothing that was asked on the stream before is answered.
    pub fn lost(&mut self, failure: &Failure) {
        self.anew();
        self.waiting.drain(..).for_each(|waiting| drop(waiting.waiter.send(Err(failure.clone()))));
        self.later.drain(..).for_each(|(_, _, waiter)| drop(waiter.send(Err(failure.clone()))));
        self.service = None;
    }
    fn answer(&mut self, room: &Address, what: impl Fn(&What) -> bool, answer: &Result<Value, Failure>) {
        for waiting in std::mem::take(&mut self.waiting) {
            if waiting.room == *room && what(&waiting.what) {
                let _ = waiting.waiter.send(answer.clone());
            } else {
                self.waiting.push(waiting);
            }
        }
    }
    fn info(&self, room: &Address) -> Option<RoomInfo> {
        let known = self.rooms.get(room)?;
        let (lock, why) = self.lock(room);
        Some(RoomInfo {
            room: room.to_string(),
            name: self.name(room),
            nick: Some(known.nick.clone()).filter(|nick| !nick.is_empty()),
            joined: known.joined,
            lock,
            why,
            members: u64::try_from(known.members.len()).unwrap_or(u64::MAX),
            leave_out: known.leave_out,
        })
    }
}

impl Drive {
    /// The stream is there: every room is entered again. The connection keeps those that it knows; these are for one that is new.
    pub(super) fn enter_rooms(&mut self) {
        for (room, known) in &self.rooms.rooms {
            let (nick, password, after) = (known.nick.clone(), known.password.clone(), self.newest(room));
            self.link.room(RoomAsk::Join { room: room.clone(), nick, password, after });
        }
    }
    /// When the last message was said there that we have.
    fn newest(&self, room: &Address) -> Option<Time> {
        let page = self.chats.history.page(&ChatId(room.clone()), At::Newest, 1);
        page.ok()?.messages.pop().map(|message| message.time)
    }
    pub(super) fn rooms(&mut self) -> Result<Value, Failure> {
        let invited = |i: &KeptInvitation| Invited {
            room: i.room.clone(),
            from: i.from.clone(),
            reason: Some(i.reason.clone()).filter(|reason| !reason.is_empty()),
        };
        let rooms = self.rooms.rooms.keys().filter_map(|room| self.rooms.info(room)).collect();
        notes::value(&RoomList { rooms, invitations: self.rooms.invitations.iter().map(invited).collect() })
    }
    fn my_nick(&self, nick: Option<String>) -> String {
        nick.unwrap_or_else(|| self.account.split('@').next().unwrap_or_default().to_owned())
    }
    fn wait(&mut self, room: Address, what: What, waiter: Waiter) {
        self.rooms.waiting.push(Waiting { room, what, waiter });
    }
    /// The server said what it has.
    pub(super) fn set_room_service(&mut self, service: Option<Address>) {
        self.rooms.service = Some(service);
        self.take_up_later(None);
    }
    /// What waited for this is asked again.
    fn take_up_later(&mut self, what: Option<&Address>) {
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
    fn refuse_later(&mut self, room: &Address, failure: &Failure) {
        for (waits, call, waiter) in std::mem::take(&mut self.rooms.later) {
            match call {
                call if waits.as_ref() != Some(room) => self.rooms.later.push((waits, call, waiter)),
                Call::RoomLeave(_) => {
                    self.rooms.rooms.remove(room);
                    self.facts.push(Fact::Rooms(self.rooms.kept()));
                    self.link.bookmark(Err(room.clone()));
                    let _ = waiter.send(Ok(json!({})));
                }
                _ => drop(waiter.send(Err(failure.clone()))),
            }
        }
    }
    /// Whether a call about this room can go on now; else it does once we are in, or it is told why not.
    fn enters_first(&mut self, room: &str, make: impl FnOnce() -> Call, waiter: Waiter) -> Option<(Address, Waiter)> {
        let room = match crate::home::bare(room) {
            Ok(room) => Address::from(room.as_str()),
            Err(failure) => {
                let _ = waiter.send(Err(failure));
                return None;
            }
        };
        match self.rooms.rooms.get(&room).map(|known| known.joined && known.listed) {
            Some(true) => return Some((room, waiter)),
            Some(false) => {
                self.link.connect();
                self.rooms.later.push((Some(room), make(), waiter));
            }
            None => drop(waiter.send(Err(not_in(&room)))),
        }
        None
    }
    pub(super) fn room_create(&mut self, create: RoomCreate, waiter: Waiter) {
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
        let id = super::new_id();
        let local = if word.is_empty() { id } else { format!("{word}-{}", id.get(..8).unwrap_or(&id)) };
        Ok(Address::from(format!("{local}@{service}").as_str()))
    }
    pub(super) fn room_join(&mut self, join: RoomJoin, waiter: Waiter) {
        let room = match crate::home::bare(&join.room) {
            Ok(room) => Address::from(room.as_str()),
            Err(failure) => return drop(waiter.send(Err(failure))),
        };
        if self.rooms.rooms.get(&room).is_some_and(|known| known.joined) {
            return drop(waiter.send(self.room_info(&room)));
        }
        let password = self.rooms.invitations.iter().find(|i| i.room == room.as_str()).and_then(|i| i.password.clone());
        let (nick, after) = (self.my_nick(join.nick), self.newest(&room));
        self.link.connect();
        self.link.room(RoomAsk::Join { room: room.clone(), nick, password, after });
        self.wait(room, What::Joined, waiter);
    }
    fn room_info(&self, room: &Address) -> Result<Value, Failure> {
        let info = self.rooms.info(room).ok_or_else(|| not_in(room))?;
        notes::value(&info)
    }
    /// Leaving a room that we are only invited to declines.
    pub(super) fn room_leave(&mut self, leave: &RoomLeave, waiter: Waiter) {
        let room = match crate::home::bare(&leave.room) {
            Ok(room) => Address::from(room.as_str()),
            Err(failure) => return drop(waiter.send(Err(failure))),
        };
        self.link.connect();
        let invited = self.rooms.invitations.iter().position(|i| i.room == room.as_str());
        if self.rooms.rooms.get(&room).is_some_and(|known| !known.joined || !known.listed) {
            // from a room that we are not in nothing can be taken back: the others would go on seeing us
            return self.rooms.later.push((Some(room), Call::RoomLeave(leave.clone()), waiter));
        }
        match (self.rooms.is_known(&room), invited) {
            (true, _) if leave.destroy => self.link.room(RoomAsk::Destroy { room: room.clone() }),
            (true, _) => self.link.room(RoomAsk::Leave { room: room.clone() }),
            (false, Some(at)) => {
                let invitation = self.rooms.invitations.remove(at);
                self.facts.push(Fact::Rooms(self.rooms.kept()));
                self.link.room(RoomAsk::Decline { invitation });
                return drop(waiter.send(Ok(json!({}))));
            }
            (false, None) => {
                let sentence = format!("this account is neither in the room {room} nor invited; `subrosa room list` shows where it is");
                return drop(waiter.send(Err(Failure::new("room.not-joined", FaultName::Caller, sentence))));
            }
        }
        self.wait(room, What::Left, waiter);
    }
    pub(super) fn room_invite(&mut self, invite: RoomInvite, waiter: Waiter) {
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
    pub(super) fn room_remove(&mut self, remove: &RoomRemove, waiter: Waiter) {
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
    pub(super) fn room_members(&mut self, of: &OfRoom, waiter: Waiter) {
        let again = || Call::RoomMembers(of.clone());
        let Some((room, waiter)) = self.enters_first(&of.room, again, waiter) else { return };
        let leave_out = self.rooms.rooms.get(&room).is_some_and(|known| known.leave_out);
        self.link.room(RoomAsk::Members { room, leave_out, waiter });
    }
    pub(super) fn room_leave_out(&mut self, choice: &RoomLeaveOut) -> Result<Value, Failure> {
        let room = Address::from(crate::home::bare(&choice.room)?.as_str());
        let known = self.rooms.rooms.get_mut(&room).ok_or_else(|| not_in(&room))?;
        known.leave_out = choice.leave_out;
        self.facts.push(Fact::Rooms(self.rooms.kept()));
        self.facts.push(Fact::Input(Input::LeaveOut(ChatId(room.clone()), choice.leave_out)));
        self.room_note(&room, RoomEvent::Changed, None, None);
        Ok(json!({}))
    }

    /// What rooms have to say. Nothing of it is told before what came with it is stored, where it is for the machine.
    pub(super) fn room_news(&mut self, news: RoomNews) {
        match news {
            RoomNews::Joined { room, nick, .. } => {
                let known = self.rooms.rooms.entry(room.clone()).or_default();
                (known.nick, known.joined) = (nick, true);
                let (archive, listed) = (known.archive, known.listed);
                self.rooms.invitations.retain(|i| i.room != room.as_str());
                self.chats.set_room(ChatId(room.clone()));
                self.facts.push(Fact::Rooms(self.rooms.kept()));
                self.bookmark(&room);
                if archive {
                    self.read_archive(&room);
                }
                self.room_note(&room, RoomEvent::Joined, None, None);
                if listed {
                    self.listed_room(&room); // who is in it is told only where that is new
                }
            }
            RoomNews::Left { room, why, reason } => self.room_left(&room, &why, reason),
            RoomNews::About(room, about) => {
                let known = self.rooms.rooms.entry(room.clone()).or_default();
                (known.name, known.archive) = (about.name, about.archive);
            }
            RoomNews::Members { room, members, warnings } => {
                if let Some(known) = self.rooms.rooms.get_mut(&room) {
                    (known.members, known.locked_out, known.listed) = (members.clone(), None, true);
                    known.warning = warnings.into_iter().find_map(warning);
                    // the machine forgets it with the members
                    self.facts.push(Fact::Input(Input::LeaveOut(ChatId(room.clone()), known.leave_out)));
                }
                self.listed_room(&room);
                // rooms need not say it of those who are away
                let is_member = |what: &What| matches!(what, What::Member(who) if members.contains(who));
                self.rooms.answer(&room, is_member, &Ok(json!({})));
                let is_none = |what: &What| matches!(what, What::NoMember(who) if !members.contains(who));
                self.rooms.answer(&room, is_none, &Ok(json!({})));
                self.room_note(&room, RoomEvent::Changed, None, None);
            }
            RoomNews::NotEncryptable { room, why } => {
                if let Some(known) = self.rooms.rooms.get_mut(&room) {
                    (known.locked_out, known.listed) = (Some(why.to_string()), true);
                }
                self.listed_room(&room);
                self.room_note(&room, RoomEvent::Changed, None, Some(why.to_string()));
            }
            RoomNews::Presence(room, presence) => {
                let (event, who) = match presence {
                    Presence::Came(who) => (RoomEvent::Came, who.who),
                    Presence::Went { was, .. } => (RoomEvent::Went, was.who),
                    _ => return,
                };
                self.room_note(&room, event, who.as_ref(), None);
            }
            RoomNews::Nick { room, nick } => {
                if let Some(known) = self.rooms.rooms.get_mut(&room) {
                    known.nick = nick;
                    self.facts.push(Fact::Rooms(self.rooms.kept()));
                }
            }
            RoomNews::Reflected { room, id, room_id: Some(stanza_id), .. } => {
                let from = self.me.clone();
                // the part of a message has its number behind its id
                self.chats.deed(Deed::Confirm { chat: ChatId(room), from, id, stanza_id });
            }
            RoomNews::Moderated { room, room_id, reason, .. } => {
                let (chat, by) = (ChatId(room.clone()), room);
                self.chats.deed(Deed::Moderated { chat, stanza_id: room_id, by, reason, time: now() });
            }
            RoomNews::Bounced(bounce) => self.bounced(bounce),
            // of our own, another device of ours knows
            RoomNews::Private { room, nick } if self.rooms.rooms.get(&room).is_none_or(|known| known.nick != nick) => {
                let reason = "it was written in a room to this account alone, which can't be encrypted; ask them to write directly".into();
                let note = LeftOut { account: self.account.clone(), from: Some(format!("{room}/{nick}")), reason };
                self.hub.tell(&Notification::LeftOut(note));
            }
            RoomNews::Invited(invitation) => self.invited(invitation),
            RoomNews::Declined { room, who, reason } => {
                let reason = if reason.is_empty() { "the invitation was declined".into() } else { format!("the invitation was declined: {reason}") };
                self.room_note(&room, RoomEvent::Changed, Some(&who), Some(reason));
            }
            RoomNews::Failed { room, task, who, why, again } => self.room_failed(&room, task, who.as_ref(), &why, again.is_some()),
            _ => {}
        }
    }
    /// Who is in it is known: whoever waited to be in it can go on.
    fn listed_room(&mut self, room: &Address) {
        if self.rooms.rooms.get(room).is_some_and(|known| known.joined) {
            let answer = self.room_info(room);
            self.rooms.answer(room, |what| *what == What::Joined, &answer);
        }
        self.take_up_later(Some(room));
    }
    fn room_left(&mut self, room: &Address, why: &Left, reason: String) {
        self.leave_archive(room);
        if *why == Left::Lost {
            if let Some(known) = self.rooms.rooms.get_mut(room) {
                known.joined = false;
            }
            return self.room_note(room, RoomEvent::Lost, None, None);
        }
        self.rooms.rooms.remove(room);
        self.facts.push(Fact::Rooms(self.rooms.kept()));
        self.link.bookmark(Err(room.clone()));
        let (event, cause) = match why {
            Left::Asked => (RoomEvent::Left, String::new()),
            Left::Banned => (RoomEvent::Removed, "you were banned".into()),
            Left::Destroyed { instead: Some(instead) } => (RoomEvent::Removed, format!("the room ended; {instead} takes its place")),
            Left::Destroyed { .. } => (RoomEvent::Removed, "the room ended".into()),
            Left::Kicked => (RoomEvent::Removed, "you were put out; you may come again".into()),
            _ => (RoomEvent::Removed, "you are no member any more".into()),
        };
        let whole = [cause, reason].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(": ");
        self.room_note(room, event, None, Some(whole).filter(|whole| !whole.is_empty()));
        self.rooms.answer(room, |what| *what == What::Left, &Ok(json!({})));
        let gone = Err(Failure::new("room.not-joined", FaultName::Caller, format!("this account is not in the room {room} any more")));
        self.rooms.answer(room, |_| true, &gone);
    }
    fn room_failed(&mut self, room: &Address, task: Task, who: Option<&Address>, why: &RoomError, again: bool) {
        let failure = Failure { sentence: format!("{room}: {why}"), ..Failure::coded(why as &dyn Coded) };
        if matches!(task, Task::Join | Task::Create) {
            let known = self.rooms.rooms.get_mut(room);
            // what a person did not ask for now may work another time: a room is forgotten only where it says that it is not for us
            let over = !again && matches!(why, RoomError::NoSuchRoom | RoomError::Banned | RoomError::Moved(_));
            // it was never entered: the name comes with that
            if known.as_ref().is_some_and(|known| known.nick.is_empty()) {
                self.rooms.rooms.remove(room);
            } else if over && known.is_some() {
                self.rooms.rooms.remove(room);
                self.facts.push(Fact::Rooms(self.rooms.kept()));
                self.link.bookmark(Err(room.clone()));
            } else if let Some(known) = known {
                known.joined = false;
            }
            self.room_note(room, RoomEvent::Refused, None, Some(why.to_string()));
            if !again {
                self.refuse_later(room, &failure);
            }
        }
        let concerns = |what: &What| match (what, task) {
            (What::Joined, Task::Join | Task::Create) | (What::Left, Task::Destroy) => true,
            (What::Member(of), Task::Invite) | (What::NoMember(of), Task::Affiliate) => who.is_none_or(|who| who == of),
            _ => false,
        };
        self.rooms.answer(room, concerns, &Err(failure));
    }
    fn room_note(&mut self, room: &Address, event: RoomEvent, who: Option<&Address>, reason: Option<String>) {
        let note = RoomNote { account: self.account.clone(), room: room.to_string(), event, jid: who.map(ToString::to_string), reason };
        self.hub.tell(&Notification::Room(note));
    }
}
fn warning(of: RoomWarning) -> Option<&'static str> {
    match of {
        RoomWarning::NotMembersOnly => Some("anybody may enter the room, and reads from then on; an owner can make it members-only"),
        RoomWarning::AbsentUnknown => Some("the room gives no list of its members: those who were not seen yet can't read what is sent"),
        _ => None,
    }
}
fn not_in(room: &Address) -> Failure {
    Failure::new("room.not-joined", FaultName::Caller, format!("this account is not in the room {room}; join it first (`subrosa room join {room}`)"))
}
/// The answer to `room_members`. `members`: with their affiliations; `present`: names and whose they are.
pub fn members(room: &Address, members: Vec<(Address, Affiliation)>, present: &[(String, Option<Address>)], leave_out: bool) -> Members {
    let word = |affiliation| match affiliation {
        Affiliation::Owner => "owner",
        Affiliation::Admin => "admin",
        Affiliation::Member => "member",
        _ => "none",
    };
    let mut all: Vec<Member> = members
        .into_iter()
        .map(|(who, affiliation)| {
            let nick = present.iter().find(|(_, of)| of.as_ref() == Some(&who)).map(|(nick, _)| nick.clone());
            Member { jid: who.to_string(), affiliation: word(affiliation).into(), here: nick.is_some(), nick }
        })
        .collect();
    all.sort_by(|a, b| a.jid.cmp(&b.jid));
    Members { room: room.to_string(), members: all, leave_out }
}
