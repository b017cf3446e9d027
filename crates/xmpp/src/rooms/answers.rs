//! What rooms were asked, and what follows from the answers.
use super::form;
use super::news::{Affiliation, Left, RoomError, RoomNews, RoomTurn, Task};
use super::room::{Inquiry, Phase};
use super::{Rooms, build};
use crate::mapping::condition;
use crate::{avatar, bare, ns};
use minidom::Element;
use subrosa_engine::{Address, Time};

#[derive(Debug)]
pub(super) enum Asked {
    /// What it is.
    Info,
    /// Who has this affiliation.
    List(Affiliation),
    /// How it may be configured.
    Form,
    /// To be configured.
    Submit,
    /// Whether we, by this name, are in it.
    Ping(String),
    /// To make somebody a member, who is invited then with this reason.
    Admit(Address, String),
    Affiliate(Address, Affiliation),
    /// To be no member any more. `last`: there is no other way to try.
    Resign {
        last: bool,
    },
    Destroy,
    Avatar,
    SetAvatar,
}
#[derive(Debug)]
pub(super) struct Question {
    pub room: Address,
    pub asked: Asked,
    pub deadline: Time,
}
/// The answer, or the error where there is one: nobody may have answered.
type Answer<'a> = Result<&'a Element, Option<&'a Element>>;

impl Rooms {
    /// A received `<iq>` of type `result` or `error`. `None`: it answers nothing of ours.
    pub fn iq(&mut self, iq: &Element, now: Time) -> Option<RoomTurn> {
        let answer = match iq.attr("type") {
            Some("result") => Ok(iq),
            Some("error") => Err(iq.get_child("error", ns::CLIENT)),
            _ => return None,
        };
        let (id, from) = (iq.attr("id")?, iq.attr("from")?);
        let question = self.open.get(id)?;
        // a room answers for itself, and for its occupants
        let fits = match &question.asked {
            Asked::Ping(_) => bare(from).is_ok_and(|from| from == question.room),
            _ => from == question.room.as_str(),
        };
        let question = if fits { self.open.remove(id)? } else { return None };
        let mut turn = RoomTurn::default();
        if let Some(room) = self.rooms.get_mut(&question.room) {
            room.heard(now);
        }
        self.go_on(question, answer, now, &mut turn);
        Some(turn)
    }
    /// The answer was over the limit for stanzas. `None`: it answers nothing of ours.
    pub fn too_large(&mut self, iq: &Element, now: Time) -> Option<RoomTurn> {
        let id = iq.attr("id")?;
        let from = bare(iq.attr("from")?).ok()?;
        self.open.get(id).filter(|question| question.room == from)?;
        let question = self.open.remove(id)?;
        let mut turn = RoomTurn::default();
        self.go_on(question, Err(None), now, &mut turn);
        Some(turn)
    }

    pub(super) fn go_on(&mut self, Question { room, asked, .. }: Question, answer: Answer<'_>, now: Time, turn: &mut RoomTurn) {
        let mut failed = |task, who: Option<Address>, error| {
            turn.news.push(RoomNews::Failed { room: room.clone(), task, who, why: RoomError::of(task, error), again: None });
        };
        match (asked, answer) {
            (Asked::Info, answer) => self.informed(&room, answer, now, turn),
            (Asked::List(affiliation), answer) => {
                let Some(known) = self.rooms.get_mut(&room) else { return };
                match answer {
                    Ok(iq) => known.members.list(affiliation, listed(iq)),
                    Err(_) => known.members.no_list(affiliation),
                }
                if known.members.are_answered() {
                    self.inquired(&room, now, turn);
                }
            }
            (Asked::Form, answer) => {
                let form = answer.ok().and_then(|iq| iq.get_child("query", ns::MUC_OWNER)?.get_child("x", ns::DATA));
                let Some(config) = self.rooms.get(&room).and_then(|known| known.entry.create.clone()) else { return };
                match form {
                    Some(form) => {
                        let query = build("query", ns::MUC_OWNER).child(form::filled(form, &config));
                        turn.send.push(self.ask(&room, Asked::Submit, "set", query.end(), now));
                    }
                    None => self.not_made(&room, answer.err().flatten(), now, turn),
                }
            }
            (Asked::Submit, Ok(_)) => {
                turn.send.push(self.ask(&room, Asked::Info, "get", build("query", ns::DISCO_INFO).end(), now));
            }
            (Asked::Submit, Err(error)) => self.not_made(&room, error, now, turn),
            (Asked::Ping(nick), Err(Some(error))) => {
                // XEP-0410 §3.2. Who has another name since then is asked by that one.
                let in_it = ["service-unavailable", "feature-not-implemented", "item-not-found"];
                let undecided = ["remote-server-not-found", "remote-server-timeout"];
                let joined = self.rooms.get(&room).is_some_and(|known| known.phase == Phase::Joined && known.nick == nick);
                match condition(error) {
                    Some(condition) if in_it.contains(&condition) => {}
                    Some(condition) if undecided.contains(&condition) => self.ping_soon(&room, now),
                    _ if joined => self.lost(&room, String::new(), None, now, turn),
                    _ => {}
                }
            }
            (Asked::Ping(_), Err(None)) => self.ping_soon(&room, now),
            (Asked::Admit(who, reason), Ok(_)) => {
                self.affiliated(&room, who.clone(), Affiliation::Member, turn);
                turn.send.extend(self.invitations(&room, &who, &reason, true));
            }
            // where members may invite, the room makes members of whom they invite
            (Asked::Admit(who, reason), Err(Some(error))) if matches!(condition(error), Some("forbidden" | "not-allowed")) => {
                turn.send.extend(self.invitations(&room, &who, &reason, false));
            }
            (Asked::Admit(who, _), Err(error)) => failed(Task::Invite, Some(who), error),
            (Asked::Affiliate(who, affiliation), Ok(_)) => self.affiliated(&room, who, affiliation, turn),
            (Asked::Affiliate(who, _), Err(error)) => failed(Task::Affiliate, Some(who), error),
            (Asked::Destroy, Err(error)) => failed(Task::Destroy, None, error),
            (Asked::Destroy, Ok(_)) if self.rooms.contains_key(&room) => {
                self.gone(&room, Left::Destroyed { instead: None }, String::new(), now, turn)
            }
            (Asked::Destroy, Ok(_)) => {
                turn.news.push(RoomNews::Left { room, why: Left::Destroyed { instead: None }, reason: String::new(), still: None })
            }
            (Asked::Resign { .. }, Ok(_)) => self.resigned(&room, now, turn),
            // servers that leave affiliations to admins have another way for members (XEP-0077 §3.2)
            (Asked::Resign { last: false }, Err(Some(error))) if condition(error) != Some("conflict") => {
                let remove = build("query", ns::REGISTER).child(build("remove", ns::REGISTER));
                turn.send.push(self.ask(&room, Asked::Resign { last: true }, "set", remove.end(), now));
            }
            (Asked::Resign { .. }, Err(error)) => {
                failed(Task::Resign, None, error);
                self.rooms.get_mut(&room).into_iter().for_each(|known| known.resigning = false);
            }
            (Asked::Avatar, Ok(iq)) => turn.news.push(RoomNews::Avatar(room, avatar::of_card(iq))),
            (Asked::Avatar, Err(Some(error))) if condition(error) == Some("item-not-found") => turn.news.push(RoomNews::Avatar(room, None)),
            (Asked::Avatar | Asked::SetAvatar, Err(error)) => failed(Task::Avatar, None, error),
            (Asked::SetAvatar, Ok(_)) => turn.news.push(RoomNews::AvatarSet(room)),
            (Asked::Ping(_), Ok(_)) => {}
        }
    }
    /// XEP-0045 §6.4: what the room is, before we enter it, once it is configured, and when it changed.
    fn informed(&mut self, room: &Address, answer: Answer<'_>, now: Time, turn: &mut RoomTurn) {
        let Some(known) = self.rooms.get_mut(room) else { return };
        let about = match answer {
            Ok(iq) => match iq.get_child("query", ns::DISCO_INFO).and_then(form::about) {
                None if known.phase == Phase::Asking => return self.not_entered(room, RoomError::NoSuchRoom, now, turn),
                about => about,
            },
            Err(error) => {
                let why = RoomError::of(Task::Join, error);
                // to enter a room that is not there would make it
                if known.phase == Phase::Asking && matches!(why, RoomError::NoSuchRoom | RoomError::Unreachable | RoomError::Moved(_)) {
                    return self.not_entered(room, why, now, turn);
                }
                None // some tell it to their occupants only
            }
        };
        if let Some(about) = about.filter(|about| *about != known.about) {
            // rooms that begin to show addresses show them to who comes: we come again
            let hid = about.non_anonymous && !known.about.non_anonymous && known.occupants.values().any(|occupant| occupant.who.is_none());
            turn.send.extend((hid && known.phase == Phase::Joined).then(|| known.entrance(room)));
            known.about = about.clone();
            turn.news.push(RoomNews::About(room.clone(), about));
        }
        match known.phase {
            Phase::Asking => {
                known.phase = Phase::Joining(now.after(super::PATIENCE));
                turn.send.push(known.entrance(room));
            }
            Phase::Configuring => self.joined(room, now, turn),
            Phase::Joined => self.inquire_members(room, now, turn),
            Phase::Joining(_) | Phase::Leaving | Phase::Away(_) => {}
        }
    }
    /// The room is new and can't be configured: it is given up, so that it does not stay as it is (XEP-0045 §10.1.3).
    fn not_made(&mut self, room: &Address, error: Option<&Element>, now: Time, turn: &mut RoomTurn) {
        let Some(known) = self.rooms.get(room) else { return };
        let cancel = build("query", ns::MUC_OWNER).child(build("x", ns::DATA).attr("type", "cancel"));
        let leave = super::presence_to(room, &known.nick).attr("type", "unavailable").end();
        turn.send.push(build("iq", ns::CLIENT).attr("type", "set").attr("id", self.id()).attr("to", room.as_str()).child(cancel).end());
        turn.send.push(leave);
        let why = match RoomError::of(Task::Create, error) {
            RoomError::Unreachable => RoomError::Other("remote-server-timeout".into()), // to try it again would find a room
            why => why,
        };
        self.not_entered(room, why, now, turn);
    }
    /// We made somebody something. Rooms need not say so of those who are away.
    fn affiliated(&mut self, room: &Address, who: Address, affiliation: Affiliation, turn: &mut RoomTurn) {
        if let Some(known) = self.rooms.get_mut(room) {
            known.members.set(who, affiliation);
            self.judge(room, turn);
        }
    }
    /// We are no member any more. Rooms for members only put us out themselves, before or after they say so.
    fn resigned(&mut self, room: &Address, now: Time, turn: &mut RoomTurn) {
        match self.rooms.get_mut(room) {
            Some(known) => {
                known.members.set(self.me.clone(), Affiliation::None);
                let left = self.leave(room, now);
                turn.absorb(left);
            }
            None => {
                let still = Some(Affiliation::None);
                turn.news.push(RoomNews::Left { room: room.clone(), why: Left::Asked, reason: String::new(), still });
            }
        }
    }
    fn ping_soon(&mut self, room: &Address, now: Time) {
        if let Some(known) = self.rooms.get_mut(room) {
            known.ping_at = now.after(super::PAUSE);
        }
    }
    /// We are in.
    pub(super) fn joined(&mut self, room: &Address, now: Time, turn: &mut RoomTurn) {
        let Some(known) = self.rooms.get_mut(room) else { return };
        let created = known.entry.create.take().is_some();
        known.phase = Phase::Joined;
        known.made = false;
        known.failures = 0;
        known.inquiry = Inquiry::Running;
        known.heard(now);
        turn.news.push(RoomNews::Joined { room: room.clone(), nick: known.nick.clone(), created });
        self.inquire_members(room, now, turn);
    }
}
impl RoomError {
    /// Of an error, or of silence. The same condition means different things (XEP-0045 §7.2, §9, §10).
    pub(super) fn of(task: Task, error: Option<&Element>) -> Self {
        let Some(error) = error else { return RoomError::Unreachable };
        let joins = matches!(task, Task::Join | Task::Create);
        match condition(error).unwrap_or("undefined-condition") {
            "not-authorized" if joins => RoomError::Password,
            "forbidden" if joins => RoomError::Banned,
            "registration-required" if joins => RoomError::MembersOnly,
            "service-unavailable" if joins => RoomError::Full,
            "service-unavailable" | "feature-not-implemented" if task == Task::Avatar => RoomError::NoPictures,
            "service-unavailable" | "feature-not-implemented" if task == Task::Resign => RoomError::NotAllowed,
            "conflict" if task == Task::Resign => RoomError::LastOwner,
            "conflict" if joins || task == Task::Rename => RoomError::NickTaken,
            "not-acceptable" if joins || task == Task::Rename => RoomError::NickRefused,
            "item-not-found" if joins => RoomError::NoSuchRoom,
            "not-acceptable" => RoomError::NotJoined,
            "jid-malformed" => RoomError::Malformed,
            "not-allowed" | "forbidden" | "not-authorized" | "conflict" => RoomError::NotAllowed,
            "gone" | "redirect" => {
                let to = error.children().find(|c| c.has_ns(ns::STANZAS) && matches!(c.name(), "gone" | "redirect")).map(Element::text);
                let to = to.and_then(|to| bare(to.trim().strip_prefix("xmpp:").unwrap_or(&to).split('?').next()?).ok());
                RoomError::Moved(to)
            }
            "remote-server-not-found" | "remote-server-timeout" | "internal-server-error" | "resource-constraint" | "recipient-unavailable" => {
                RoomError::Unreachable
            }
            other => RoomError::Other(form::cut(other, 64)),
        }
    }
}
/// Who stands in a list (XEP-0045 §9.5), and as what.
fn listed(iq: &Element) -> Vec<(Address, Affiliation)> {
    let items = iq.get_child("query", ns::MUC_ADMIN).into_iter().flat_map(Element::children).filter(|c| c.is("item", ns::MUC_ADMIN));
    // a whole domain can be listed; who comes from there is seen when they come
    items.filter_map(|item| Some((person(item.attr("jid")?)?, Affiliation::read(item.attr("affiliation")?)?))).collect()
}
/// The bare address of a person.
pub(super) fn person(jid: &str) -> Option<Address> {
    bare(jid).ok().filter(|address| address.as_str().contains('@'))
}
