//! Rooms of many (XEP-0045), as they must be for encryption: who is in them, offline ones too, and who wrote what.
//!
//! Owns which stanzas create, enter, keep and leave a room; who its occupants and members are; whose a message in it is. Knows no
//! encryption: members go to the machine as [`Input::Room`], messages as [`Input::Receive`]. Archives are asked elsewhere
//! (XEP-0313), bookmarks are the host's (`bookmarks`). XEP-0045, 0249, 0410, 0421, 0425, 0486; XEP-0384 §5.8.
//!
//! Invariants: a room speaks for itself only, and only rooms that we entered are listened to; members are told once all
//! lists are there; a message of the past is never attributed by who has its name now; what others write about who they are counts
//! nowhere; everything that a room can make grow is bounded.
mod answers;
mod form;
mod invitations;
mod members;
mod messages;
mod news;
mod presence;
mod room;
#[cfg(test)]
mod tests;

pub use news::{
    About, Affiliation, Invitation, Left, Occupant, Presence, Role, RoomConfig, RoomError, RoomNews, RoomTurn, RoomWarning, Task, Unencryptable,
};

pub(crate) use invitations::is_invitation_alone;

use crate::xml::{self, build};
use crate::{avatar, ns};
use answers::{Asked, Question};
use invitations::MAX_REASON;
use jid::Jid;
use minidom::Element;
use room::{Entry, Inquiry, Phase, Room};
use std::collections::{HashMap, VecDeque};
use std::time::Duration;
use subrosa_engine::{Address, ChatId, Input, MessageId, Time};

/// Rooms at once.
const MAX_ROOMS: usize = 1000;
/// How long a room has for one step.
const PATIENCE: Duration = Duration::from_secs(60);
/// After so much silence a room is asked whether we are in it (XEP-0410 §3).
const SILENCE: Duration = Duration::from_secs(15 * 60);
/// A server that went down is given so long.
const RETURN: Duration = Duration::from_secs(5);
/// A room that can't be reached is tried again: first, and at the longest.
const PAUSE: Duration = Duration::from_secs(30);
const LONGEST_PAUSE: Duration = Duration::from_secs(30 * 60);
/// A message of ours is back from the room so soon; else it is asked whether we are in it.
const ECHO: Duration = Duration::from_secs(30);
/// Invitations of ours that the room may refuse yet.
const MAX_INVITING: usize = 64;
/// Bytes of a subject that is set.
const MAX_SUBJECT: usize = 4096;

/// One account's rooms. Sans-IO: stanzas in, stanzas out, the time passed in.
#[derive(Debug)]
pub struct Rooms {
    me: Address,
    salt: String,
    next: u64,
    rooms: HashMap<Address, Room>,
    open: HashMap<String, Question>,
    /// Invitations that were told, so that one that comes by two ways is told once.
    invited: VecDeque<(Time, Address, Option<Address>)>,
    /// Our own, as they were sent through a room: id, room, who.
    inviting: VecDeque<(String, Address, Address)>,
    /// The host has named all that it is to be in.
    complete: bool,
}
impl Rooms {
    /// For this account. `salt`: any random text; makes ids that nobody can guess.
    pub fn new(me: Address, salt: &str) -> Self {
        Rooms {
            me,
            salt: salt.into(),
            next: 0,
            rooms: HashMap::new(),
            open: HashMap::new(),
            invited: VecDeque::new(),
            inviting: VecDeque::new(),
            complete: false,
        }
    }
    /// Makes a room for encryption and enters it: [`RoomNews::Joined`], or [`RoomNews::Failed`]. One that exists is left alone.
    pub fn create(&mut self, room: &Address, nick: &str, config: RoomConfig, now: Time) -> RoomTurn {
        if [&config.name, &config.description].into_iter().any(|text| xml::check_text(text).is_err()) {
            return RoomTurn::failed(room, Task::Create, None, RoomError::Malformed);
        }
        self.enter(room, Entry { nick: nick.into(), password: None, after: None, create: Some(config) }, now)
    }
    /// Enters a room, and stays: after a loss, on a new stream, and when its server is there again it is entered again. `after`: when the newest
    /// message was sent that the host has; what came since is asked for, of rooms without an archive. In it already: nothing is done.
    pub fn join(&mut self, room: &Address, nick: &str, password: Option<&str>, after: Option<Time>, now: Time) -> RoomTurn {
        self.enter(room, Entry { nick: nick.into(), password: password.map(str::to_owned), after, create: None }, now)
    }
    /// Leaves a room for good: [`RoomNews::Left`].
    pub fn leave(&mut self, room: &Address, now: Time) -> RoomTurn {
        let mut turn = RoomTurn::default();
        let Some(known) = self.rooms.get_mut(room) else { return turn };
        known.next = None;
        match known.phase {
            Phase::Joining(_) | Phase::Configuring | Phase::Joined => {
                known.phase = Phase::Leaving;
                turn.send.push(presence_to(room, &known.nick).attr("type", "unavailable").end());
            }
            Phase::Leaving => {}
            Phase::Asking | Phase::Away(_) => self.gone(room, Left::Asked, String::new(), now, &mut turn),
        }
        turn
    }
    /// Gives up what we are to a room, in it or not, and leaves it: [`RoomNews::Left`], or [`RoomNews::Failed`] where only an admin can take us
    /// from its lists. Who only leaves remains a member, and is written to.
    pub fn resign(&mut self, room: &Address, now: Time) -> RoomTurn {
        let me = self.me.clone();
        let mut last = false;
        if let Some(known) = self.rooms.get_mut(room) {
            let mut owners = known.members.all().filter(|(_, affiliation)| *affiliation == Affiliation::Owner).map(|(who, _)| who);
            if owners.next() == Some(&me) && owners.next().is_none() {
                return RoomTurn::failed(room, Task::Resign, None, RoomError::LastOwner);
            }
            known.resigning = true;
            // the other way takes memberships only, and says that it did
            last = known.members.of(&me) > Some(Affiliation::Member);
        }
        RoomTurn::send(self.ask(room, Asked::Resign { last }, "set", item(&me, Affiliation::None, &[]), now))
    }
    /// Ends a room, for owners. Everybody is told.
    pub fn destroy(&mut self, room: &Address, reason: &str, now: Time) -> RoomTurn {
        let Some(reason) = words("reason", ns::MUC_OWNER, reason) else {
            return RoomTurn::failed(room, Task::Destroy, None, RoomError::Malformed);
        };
        let destroy = build("destroy", ns::MUC_OWNER).children(reason);
        let query = build("query", ns::MUC_OWNER).child(destroy);
        RoomTurn::send(self.ask(room, Asked::Destroy, "set", query.end(), now))
    }
    /// Another name in a room: [`RoomNews::Nick`].
    pub fn rename(&mut self, room: &Address, nick: &str) -> RoomTurn {
        match (self.is_joined(room), occupant(room, nick)) {
            (false, _) => RoomTurn::failed(room, Task::Rename, None, RoomError::NotJoined),
            (_, None) => RoomTurn::failed(room, Task::Rename, None, RoomError::Malformed),
            (_, Some((_, nick))) => RoomTurn::send(presence_to(room, &nick).end()),
        }
    }
    /// Makes somebody a member, then invites them through the room and directly. Who may not make members asks the room only:
    /// it does both where members may invite.
    pub fn invite(&mut self, room: &Address, who: &Address, reason: &str, now: Time) -> RoomTurn {
        let Some(known) = self.rooms.get(room).filter(|known| known.phase == Phase::Joined) else {
            return RoomTurn::failed(room, Task::Invite, Some(who), RoomError::NotJoined);
        };
        if xml::check_text(reason).is_err() || !who.as_str().contains('@') {
            return RoomTurn::failed(room, Task::Invite, Some(who), RoomError::Malformed);
        }
        // who is more than a member would be made less
        if known.members.of(who).is_some() {
            return RoomTurn { send: self.invitations(room, who, reason, true), ..RoomTurn::default() };
        }
        let asked = Asked::Admit(who.clone(), form::cut(reason, MAX_REASON));
        RoomTurn::send(self.ask(room, asked, "set", item(who, Affiliation::Member, &[]), now))
    }
    /// Changes what somebody is to a room. [`Affiliation::None`] takes a member out of it, [`Affiliation::Outcast`] for good.
    pub fn affiliate(&mut self, room: &Address, who: &Address, affiliation: Affiliation, reason: &str, now: Time) -> RoomTurn {
        match words("reason", ns::MUC_ADMIN, reason) {
            Some(reason) => {
                let asked = Asked::Affiliate(who.clone(), affiliation);
                RoomTurn::send(self.ask(room, asked, "set", item(who, affiliation, &reason), now))
            }
            None => RoomTurn::failed(room, Task::Affiliate, Some(who), RoomError::Malformed),
        }
    }
    /// Says that we do not come, where the invitation came through the room.
    pub fn decline(&mut self, invitation: &Invitation, reason: &str) -> RoomTurn {
        let id = self.id();
        let reason = if xml::check_text(reason).is_ok() { reason } else { "" };
        RoomTurn { send: invitations::declined(invitation, id, reason).into_iter().collect(), ..RoomTurn::default() }
    }
    /// What the room is about. Not encrypted. `None`: it is too long, or text that XMPP can't carry.
    pub fn subject(&mut self, room: &Address, text: &str) -> Option<Element> {
        if xml::check_text(text).is_err() || text.len() > MAX_SUBJECT {
            return None;
        }
        let message = build("message", ns::CLIENT).attr("type", "groupchat").attr("to", room.as_str()).attr("id", self.id());
        Some(message.child(build("subject", ns::CLIENT).text(text)).end())
    }
    /// Asks for a room's picture: [`RoomNews::Avatar`].
    pub fn avatar(&mut self, room: &Address, now: Time) -> RoomTurn {
        RoomTurn::send(self.ask(room, Asked::Avatar, "get", avatar::card(None), now))
    }
    /// Sets a room's picture, for owners; `None` takes it away. [`RoomNews::AvatarSet`]
    pub fn set_avatar(&mut self, room: &Address, picture: Option<&avatar::Picture>, now: Time) -> RoomTurn {
        RoomTurn::send(self.ask(room, Asked::SetAvatar, "set", avatar::card(picture), now))
    }

    /// Every room that the account is to be in was created or joined: what is for another one waits for nothing.
    pub fn complete(&mut self) -> RoomTurn {
        self.complete = true;
        RoomTurn { complete: true, ..RoomTurn::default() }
    }
    /// [`Rooms::complete`] was said.
    pub fn is_complete(&self) -> bool {
        self.complete
    }
    /// A message stanza of ours on its way. To a room it becomes one for the room, and its reflection will be known. `false`: we are not in
    /// now, or whom it is for is not known; it waits for [`RoomNews::Members`] or [`RoomNews::NotEncryptable`].
    pub fn send(&mut self, stanza: &mut Element, now: Time) -> bool {
        let Some(room) = stanza.attr("to").and_then(|to| crate::bare(to).ok()).and_then(|to| self.rooms.get_mut(&to)) else { return true };
        if room.phase != Phase::Joined || room.members.told.is_none() {
            return false;
        }
        xml::set(stanza, "type", "groupchat");
        if let Some(id) = stanza.attr("id").filter(|id| id.len() <= crate::mapping::MAX_ID) {
            room.sent(MessageId::from(id), now);
        }
        true
    }
    /// We are in, and nothing can be encrypted there.
    pub fn is_unencryptable(&self, room: &Address) -> bool {
        self.rooms.get(room).is_some_and(|room| room.phase == Phase::Joined && matches!(room.members.told, Some(Err(_))))
    }
    /// It is a room that was created or entered, and not left.
    pub fn contains(&self, room: &Address) -> bool {
        self.rooms.contains_key(room)
    }
    /// We are in, and may speak.
    pub fn is_joined(&self, room: &Address) -> bool {
        self.rooms.get(room).is_some_and(|room| room.phase == Phase::Joined)
    }
    /// Those who are there, in no order.
    pub fn occupants(&self, room: &Address) -> impl Iterator<Item = &Occupant> {
        self.rooms.get(room).into_iter().flat_map(|room| room.occupants.values())
    }
    /// Who is a member, an admin or an owner, and which, as far as that is known: those who are away too. In no order.
    pub fn members(&self, room: &Address) -> impl Iterator<Item = (&Address, Affiliation)> {
        self.rooms.get(room).into_iter().flat_map(|room| room.members.all())
    }
    /// What the room says about itself.
    pub fn about(&self, room: &Address) -> Option<&About> {
        self.rooms.get(room).map(|room| &room.about)
    }

    /// Connected. On a new stream every room is entered again.
    pub fn online(&mut self, resumed: bool, now: Time) -> RoomTurn {
        let mut turn = RoomTurn::default();
        if resumed {
            self.open.values_mut().for_each(|question| question.deadline = now.after(PATIENCE));
            return turn;
        }
        self.open.clear();
        let rooms: Vec<Address> = self.rooms.keys().cloned().collect();
        for room in rooms {
            match self.rooms.get(&room).map(|known| known.phase) {
                Some(Phase::Leaving) => self.gone(&room, Left::Asked, String::new(), now, &mut turn),
                _ => self.start(&room, now, &mut turn),
            }
        }
        turn
    }
    /// The time of [`Rooms::wake_at`] has come.
    pub fn tick(&mut self, now: Time) -> RoomTurn {
        let mut turn = RoomTurn::default();
        let late: Vec<String> = self.open.iter().filter(|(_, question)| question.deadline <= now).map(|(id, _)| id.clone()).collect();
        for id in late {
            if let Some(question) = self.open.remove(&id) {
                self.go_on(question, Err(None), now, &mut turn);
            }
        }
        let rooms: Vec<(Address, Phase, Time)> = self.rooms.iter().map(|(address, room)| (address.clone(), room.phase, room.check_at())).collect();
        for (room, phase, check_at) in rooms {
            match phase {
                Phase::Joining(until) if until <= now => self.not_entered(&room, RoomError::Unreachable, now, &mut turn),
                Phase::Away(again) if again <= now => self.start(&room, now, &mut turn),
                Phase::Joined if check_at <= now => turn.send.extend(self.ping(&room, now)),
                _ => {}
            }
        }
        turn
    }
    /// When [`Rooms::tick`] has something to do.
    pub fn wake_at(&self) -> Option<Time> {
        let rooms = self.rooms.values().filter_map(|room| match room.phase {
            Phase::Joining(at) | Phase::Away(at) => Some(at),
            Phase::Joined => Some(room.check_at()),
            Phase::Asking | Phase::Configuring | Phase::Leaving => None,
        });
        rooms.chain(self.open.values().map(|question| question.deadline)).min()
    }

    fn id(&mut self) -> String {
        self.next = self.next.saturating_add(1);
        format!("rooms-{}-{}", self.salt, self.next)
    }
    fn ask(&mut self, room: &Address, asked: Asked, kind: &str, payload: Element, now: Time) -> Element {
        let id = self.id();
        let to = match &asked {
            Asked::Ping(nick) => format!("{room}/{nick}"),
            _ => room.to_string(),
        };
        self.open.insert(id.clone(), Question { room: room.clone(), asked, deadline: now.after(PATIENCE) });
        build("iq", ns::CLIENT).attr("type", kind).attr("id", id).attr("to", to).child(payload).end()
    }
    fn ping(&mut self, room: &Address, now: Time) -> Option<Element> {
        let known = self.rooms.get_mut(room)?;
        (known.ping_at, known.echo_by) = (now.after(SILENCE), None);
        let nick = known.nick.clone();
        Some(self.ask(room, Asked::Ping(nick), "get", build("ping", ns::PING).end(), now))
    }
    fn enter(&mut self, room: &Address, entry: Entry, now: Time) -> RoomTurn {
        let task = if entry.create.is_some() { Task::Create } else { Task::Join };
        let text = [&entry.nick].into_iter().chain(&entry.password);
        let Some((_, nick)) = occupant(room, &entry.nick).filter(|_| text.into_iter().all(|text| xml::check_text(text).is_ok())) else {
            return RoomTurn::failed(room, task, None, RoomError::Malformed);
        };
        let entry = Entry { nick, ..entry };
        let mut turn = RoomTurn::default();
        let is_full = self.rooms.len() >= MAX_ROOMS;
        match self.rooms.get_mut(room) {
            Some(known) if known.phase == Phase::Leaving => {
                known.next = Some(entry);
                return turn;
            }
            Some(_) if task == Task::Create => return RoomTurn::failed(room, task, None, RoomError::Exists),
            // by another way: with a password, under another name
            Some(known) if matches!(known.phase, Phase::Asking | Phase::Away(_)) => {
                known.entry = Entry { after: entry.after.max(known.entry.after), ..entry }; // what came meanwhile is here
            }
            Some(_) => return turn,
            None if is_full => return RoomTurn::failed(room, task, None, RoomError::TooManyRooms),
            None => drop(self.rooms.insert(room.clone(), Room::new(entry, Phase::Asking))),
        }
        self.start(room, now, &mut turn);
        turn
    }
    /// Begins to enter, from the beginning.
    fn start(&mut self, room: &Address, now: Time, turn: &mut RoomTurn) {
        self.open.retain(|_, question| question.room != *room);
        let Some(known) = self.rooms.get_mut(room) else { return };
        known.forget();
        known.nick = known.entry.nick.clone();
        known.renamed = 0;
        if known.entry.create.is_some() {
            known.phase = Phase::Joining(now.after(PATIENCE));
            turn.send.push(known.entrance(room));
            return;
        }
        known.phase = Phase::Asking;
        turn.send.push(self.ask(room, Asked::Info, "get", build("query", ns::DISCO_INFO).end(), now));
    }
    /// Asks the room what it is and who its members are; a question that runs is asked again when it is over.
    fn inquire(&mut self, room: &Address, now: Time, turn: &mut RoomTurn) {
        let Some(known) = self.rooms.get_mut(room).filter(|known| known.phase == Phase::Joined) else { return };
        if known.inquiry != Inquiry::None {
            known.inquiry = Inquiry::Again;
            return;
        }
        known.inquiry = Inquiry::Running;
        turn.send.push(self.ask(room, Asked::Info, "get", build("query", ns::DISCO_INFO).end(), now));
    }
    /// Asks for the lists of members, where they help.
    fn inquire_members(&mut self, room: &Address, now: Time, turn: &mut RoomTurn) {
        let Some(known) = self.rooms.get_mut(room) else { return };
        if !known.about.non_anonymous {
            return self.inquired(room, now, turn);
        }
        for affiliation in known.members.ask() {
            let list = build("item", ns::MUC_ADMIN).attr("affiliation", affiliation.name());
            turn.send.push(self.ask(room, Asked::List(affiliation), "get", build("query", ns::MUC_ADMIN).child(list).end(), now));
        }
    }
    /// Tells who the members are, if that is known and new.
    fn judge(&mut self, room: &Address, turn: &mut RoomTurn) {
        let Some(known) = self.rooms.get_mut(room).filter(|known| known.phase == Phase::Joined) else { return };
        if let Some(verdict) = known.members.news(&self.me, &known.about, known.occupants.values()) {
            let (members, news) = match verdict.clone() {
                Ok((members, warnings)) => (Some(members.clone()), RoomNews::Members { room: room.clone(), members, warnings }),
                Err(why) => (None, RoomNews::NotEncryptable { room: room.clone(), why }),
            };
            turn.inputs.push(Input::Room(ChatId(room.clone()), members));
            turn.news.push(news);
        }
    }
    /// Everything that was asked is answered: tells it, and asks once more if something changed meanwhile.
    fn inquired(&mut self, room: &Address, now: Time, turn: &mut RoomTurn) {
        self.judge(room, turn);
        let Some(known) = self.rooms.get_mut(room) else { return };
        if std::mem::take(&mut known.inquiry) == Inquiry::Again {
            self.inquire(room, now, turn);
        }
    }
    /// We are in no more, for good, and nothing leaves for it; unless we were to enter it anew.
    fn gone(&mut self, room: &Address, why: Left, reason: String, now: Time, turn: &mut RoomTurn) {
        self.open.retain(|_, question| question.room != *room);
        let Some(known) = self.rooms.remove(room) else { return };
        turn.inputs.push(Input::Room(ChatId(room.clone()), None));
        let still = known.members.of(&self.me).or_else(|| matches!(why, Left::Banned | Left::Removed).then_some(Affiliation::None));
        turn.news.push(RoomNews::Left { room: room.clone(), why, reason, still });
        if let Some(entry) = known.next {
            self.rooms.insert(room.clone(), Room::new(entry, Phase::Asking));
            self.start(room, now, turn);
        }
    }
    /// The server lost us: we enter again, once `pause` is over. Messages wait meanwhile, as who is in it may change unseen.
    fn lost(&mut self, room: &Address, reason: String, pause: Option<Duration>, now: Time, turn: &mut RoomTurn) {
        let Some(known) = self.rooms.get_mut(room) else { return };
        known.resigning = false;
        turn.inputs.push(Input::RoomUnknown(ChatId(room.clone())));
        let still = known.members.of(&self.me);
        turn.news.push(RoomNews::Left { room: room.clone(), why: Left::Lost, reason, still });
        match pause {
            Some(pause) => {
                known.phase = Phase::Away(now.after(pause));
                known.forget();
            }
            None => self.start(room, now, turn),
        }
    }
    /// It did not work; what may work later is tried again.
    fn not_entered(&mut self, room: &Address, why: RoomError, now: Time, turn: &mut RoomTurn) {
        self.open.retain(|_, question| question.room != *room);
        let Some(known) = self.rooms.get_mut(room) else { return };
        let task = if known.entry.create.is_some() { Task::Create } else { Task::Join };
        // a server that goes down or comes up says of its rooms what a full one says
        if why == RoomError::Unreachable || why == RoomError::Full && task == Task::Join {
            let pause = PAUSE.saturating_mul(1u32.checked_shl(known.failures.min(16)).unwrap_or(u32::MAX)).min(LONGEST_PAUSE);
            known.failures = known.failures.saturating_add(1);
            let again = now.after(pause);
            known.phase = Phase::Away(again);
            turn.news.push(RoomNews::Failed { room: room.clone(), task, who: None, why, again: Some(again) });
            return;
        }
        self.rooms.remove(room);
        turn.inputs.push(Input::Room(ChatId(room.clone()), None));
        turn.news.push(RoomNews::Failed { room: room.clone(), task, who: None, why, again: None });
    }
    fn invitations(&mut self, room: &Address, who: &Address, reason: &str, direct: bool) -> Vec<Element> {
        let password = self.rooms.get(room).and_then(|room| room.entry.password.clone());
        let id = self.id();
        if self.inviting.len() >= MAX_INVITING {
            self.inviting.pop_front();
        }
        self.inviting.push_back((id.clone(), room.clone(), who.clone()));
        let mut both = vec![invitations::through(room, id, who, reason)];
        if direct {
            both.push(invitations::to(who, self.id(), room, reason, password.as_deref()));
        }
        both
    }
}
impl Room {
    /// The presence that enters (XEP-0045 §7.2). What an archive has is asked there.
    fn entrance(&self, room: &Address) -> Element {
        let history = build("history", ns::MUC);
        let history = match self.entry.after {
            Some(after) if !self.about.archive => history.attr("since", crate::stamp::write(after)),
            _ => history.attr("maxstanzas", "0").attr("maxchars", "0"),
        };
        let password = self.entry.password.as_ref().map(|password| build("password", ns::MUC).text(password).end());
        presence_to(room, &self.nick).child(build("x", ns::MUC).child(history).children(password)).end()
    }
}
impl RoomTurn {
    fn send(stanza: Element) -> Self {
        RoomTurn { send: vec![stanza], ..RoomTurn::default() }
    }
    fn absorb(&mut self, other: RoomTurn) {
        self.send.extend(other.send);
        self.news.extend(other.news);
        self.inputs.extend(other.inputs);
    }
    fn failed(room: &Address, task: Task, who: Option<&Address>, why: RoomError) -> Self {
        let news = RoomNews::Failed { room: room.clone(), task, who: who.cloned(), why, again: None };
        RoomTurn { news: vec![news], ..RoomTurn::default() }
    }
}

/// A name in a room, as an address and normalised. `None`: it can't be one.
fn occupant(room: &Address, nick: &str) -> Option<(Jid, String)> {
    let jid = Jid::new(&format!("{room}/{nick}")).ok().filter(|jid| jid.node().is_some() && !nick.trim().is_empty())?;
    let nick = jid.resource()?.as_str().to_owned();
    (jid.to_bare().as_str() == room.as_str()).then_some((jid, nick))
}
fn presence_to(room: &Address, nick: &str) -> xml::Build {
    build("presence", ns::CLIENT).attr("to", format!("{room}/{nick}"))
}
/// XEP-0045 §9.3: what somebody is from now on.
fn item(who: &Address, affiliation: Affiliation, reason: &[Element]) -> Element {
    let item = build("item", ns::MUC_ADMIN).attr("affiliation", affiliation.name()).attr("jid", who.as_str());
    build("query", ns::MUC_ADMIN).child(item.children(reason.iter().cloned())).end()
}
/// An element with a text of ours, if there is any. `None`: XML can't hold it.
fn words(name: &str, namespace: &str, text: &str) -> Option<Vec<Element>> {
    xml::check_text(text).ok()?;
    Some(if text.is_empty() { Vec::new() } else { vec![build(name, namespace).text(&form::cut(text, MAX_REASON)).end()] })
}
/// The text of the first such child; empty where there is none.
fn text_of(parent: &Element, name: &str, namespace: &str) -> String {
    parent.get_child(name, namespace).map(|child| child.text().trim().to_owned()).unwrap_or_default()
}
