//! Rooms as the application sees them: which it is in, who asked for what, who invited it. What they are and how one gets in is
//! [`subrosa_xmpp::Rooms`]'s, at the connection; this module turns calls into its acts and its news into answers, rows and notifications.
mod asks;
mod avatar;
mod book;
mod lists;
mod people;

pub use book::RoomBook;

use super::chats::Deed;
use super::drive::{Drive, now};
use super::link::RoomAsk;
use super::step::Fact;
use crate::failure::{Failure, FaultName};
use crate::rpc::types::{Invitation as InvitationNote, LeftOut, Member, Members, Notification, RoomEvent, RoomLeft, RoomNews as RoomNote};
use book::{Known, What};
use serde_json::json;
use subrosa_engine::{Address, ChatId, Coded, Input, Time};
use subrosa_history::At;
use subrosa_xmpp::rooms::{Affiliation, Left, Presence, RoomError, RoomNews, RoomWarning, Task};

/// Invitations that are kept; the oldest by a stranger goes first.
const INVITATIONS: usize = 100;
/// Of them, by strangers of one server.
const FROM_ONE_SERVER: usize = 20;

impl Drive {
    /// The stream is there: every room is entered again. The connection keeps those that it knows; these are for one that is new.
    pub(super) fn enter_rooms(&mut self) {
        let all: Vec<Address> = self.rooms.rooms.iter().filter(|(_, known)| !known.shut).map(|(room, _)| room.clone()).collect();
        for room in all {
            // one that was never entered may have turned out to be a person's
            if self.no_room(&room).is_some() {
                continue;
            }
            let Some(known) = self.rooms.rooms.get(&room) else { continue };
            let (nick, password, after) = (known.nick.clone(), known.password.clone(), self.newest(&room));
            self.link.room(RoomAsk::Join { room, nick, password, after });
        }
    }
    /// When the last message was said there that we have.
    fn newest(&self, room: &Address) -> Option<Time> {
        let page = self.chats.history.page(&ChatId(room.clone()), At::Newest, 1);
        page.ok()?.messages.pop().map(|message| message.time)
    }
    /// What rooms have to say. Nothing of it is told before what came with it is stored, where it is for the machine.
    pub(super) fn room_news(&mut self, news: RoomNews) {
        if self.is_entered_wrongly(&news) {
            return;
        }
        match news {
            RoomNews::Joined { room, nick, .. } => {
                let known = self.rooms.rooms.entry(room.clone()).or_default();
                (known.nick, known.joined, known.entered, known.out) = (nick, true, true, None);
                let archive = known.archive;
                known.shut = false;
                // it let us in: the next process, and the account's other devices, need it too
                if let Some(password) = self.rooms.given.remove(&room).filter(|given| known.password.as_ref() != Some(given)) {
                    (known.password, known.bookmarked) = (Some(password), false);
                }
                self.rooms.invitations.retain(|i| i.room != room.as_str());
                self.chats.set_room(ChatId(room.clone()));
                self.facts.push(Fact::Rooms(self.rooms.kept()));
                self.bookmark(&room);
                if archive {
                    self.read_archive(&room);
                }
                self.room_note(&room, RoomEvent::Joined, None, None);
            }
            RoomNews::Left { room, why, reason, still } => self.room_left(&room, &why, reason, still >= Some(Affiliation::Member)),
            RoomNews::About(room, about) => {
                let known = self.rooms.rooms.entry(room.clone()).or_default();
                let renamed = known.name != about.name && !known.nick.is_empty();
                (known.name, known.archive) = (about.name, about.archive);
                if renamed {
                    self.facts.push(Fact::Rooms(self.rooms.kept()));
                    self.room_note(&room, RoomEvent::Changed, None, None);
                }
            }
            RoomNews::Members { room, members, warnings } => {
                let mut changed = Vec::new();
                if let Some(known) = self.rooms.rooms.get_mut(&room) {
                    let before = std::mem::replace(&mut known.members, members.clone());
                    if std::mem::replace(&mut known.listed, true) {
                        let added = members.iter().filter(|who| !before.contains(who)).map(|who| (RoomEvent::MemberAdded, who.clone()));
                        let gone = before.iter().filter(|who| !members.contains(who)).map(|who| (RoomEvent::MemberRemoved, who.clone()));
                        changed = added.chain(gone).collect();
                    }
                    known.locked_out = None;
                    known.warning = warnings.into_iter().find_map(warning);
                    // the machine forgets it with the members
                    self.facts.push(Fact::Input(Input::LeaveOut(ChatId(room.clone()), known.leave_out)));
                    self.counted(&room, members.len());
                }
                self.listed_room(&room);
                changed.iter().for_each(|(event, who)| self.room_note(&room, *event, Some(who), None));
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
                    self.counted(&room, 0);
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
            RoomNews::Avatar(room, picture) => {
                let answer = super::notes::value(&avatar::shown(picture.as_ref()));
                self.rooms.answer(&room, |what| *what == What::Avatar, &answer);
            }
            RoomNews::AvatarSet(room) => self.rooms.answer(&room, |what| *what == What::AvatarSet, &Ok(json!({}))),
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
    /// How many its members are, kept for when there is nobody to ask.
    fn counted(&mut self, room: &Address, members: usize) {
        let count = u64::try_from(members).unwrap_or(u64::MAX);
        if self.rooms.rooms.get_mut(room).is_some_and(|known| std::mem::replace(&mut known.count, count) != count) {
            self.facts.push(Fact::Rooms(self.rooms.kept()));
        }
    }
    /// `member`: we remain one, and others go on encrypting for us.
    fn room_left(&mut self, room: &Address, why: &Left, reason: String, member: bool) {
        self.leave_archive(room);
        let known = self.rooms.rooms.get_mut(room);
        if *why == Left::Lost {
            known.into_iter().for_each(Known::went);
            return self.room_note(room, RoomEvent::Lost, None, None);
        }
        let (event, cause) = match why {
            Left::Asked => (RoomEvent::Left, String::new()),
            Left::Banned => (RoomEvent::Removed, "you were banned".into()),
            Left::Destroyed { instead: Some(instead) } => (RoomEvent::Removed, format!("the room ended; {instead} takes its place")),
            Left::Destroyed { .. } => (RoomEvent::Removed, "the room ended".into()),
            Left::Kicked => (RoomEvent::Removed, "you were put out; you may come again".into()),
            _ => (RoomEvent::Removed, "you are no member any more".into()),
        };
        let whole = [cause, reason].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(": ");
        if let (Left::Kicked, Some(known)) = (why, known) {
            // for now only (XEP-0045 §8.2): it stays one of the account's rooms, and of its other devices'
            known.went();
            (known.out, known.member) = (Some(whole.clone()), member);
        } else if matches!(why, Left::Asked | Left::Destroyed { .. }) || self.rooms.rooms.get(room).is_none_or(|known| known.follows) {
            let known = self.rooms.forget(room);
            self.facts.push(Fact::Rooms(self.rooms.kept()));
            if known.is_none_or(|known| !known.follows) {
                self.link.bookmark(Err(room.clone()));
            }
        } else {
            self.shut(room, whole.clone(), true);
        }
        self.room_note(room, event, None, Some(whole).filter(|whole| !whole.is_empty()));
        let answer = super::notes::value(&RoomLeft { member: member && !matches!(why, Left::Destroyed { .. }) });
        self.rooms.answer(room, |what| *what == What::Left, &answer);
        let gone = Err(Failure::new("room.not-joined", FaultName::Caller, format!("this account is not in the room {room} any more")));
        self.rooms.answer(room, |_| true, &gone);
    }
    fn room_failed(&mut self, room: &Address, task: Task, who: Option<&Address>, why: &RoomError, again: bool) {
        let failure = Failure { sentence: format!("{room}: {why}"), ..Failure::coded(why as &dyn Coded) };
        if matches!(task, Task::Join | Task::Create) {
            if !again {
                self.rooms.given.remove(room);
            }
            let known = self.rooms.rooms.get_mut(room);
            // what a person did not ask for now may work another time: a room is forgotten only where it says that it is none any more
            let over = !again && matches!(why, RoomError::NoSuchRoom | RoomError::Moved(_));
            let shut = !again && matches!(why, RoomError::Banned | RoomError::MembersOnly | RoomError::Password);
            // it was never entered: the name comes with that
            if known.as_ref().is_some_and(|known| known.nick.is_empty()) {
                self.rooms.forget(room);
            } else if let Some(known) = if over { self.rooms.forget(room) } else { None } {
                self.facts.push(Fact::Rooms(self.rooms.kept()));
                self.unbookmark(room, &known);
            } else if shut && self.rooms.rooms.contains_key(room) {
                self.shut(room, why.to_string(), *why == RoomError::Banned);
            } else if let Some(known) = self.rooms.rooms.get_mut(room) {
                known.went();
                known.out = (!again).then(|| why.to_string());
            }
            self.room_note(room, RoomEvent::Refused, None, Some(why.to_string()));
            if !again {
                self.refuse_later(room, &failure);
            }
        }
        let concerns = |what: &What| match (what, task) {
            (What::Joined, Task::Join | Task::Create) | (What::Left, Task::Destroy | Task::Resign) => true,
            (What::Avatar | What::AvatarSet, Task::Avatar) => true,
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
