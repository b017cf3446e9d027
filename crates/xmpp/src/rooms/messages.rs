//! Messages in rooms: whose they are, which of them are our own come back, and what the room itself says.
//!
//! Whose: of what is said now, by who has the name now; of what was said before, by the archive's own word (XEP-0313 §6.1.2) or the
//! occupant id (XEP-0421), never by the name. Where nothing says it, the sender is the room: then the engine tells by the key, or refuses.
use super::answers::person;
use super::form::cut;
use super::invitations::{self, MAX_REASON};
use super::news::{Affiliation, Invitation, RoomError, RoomNews, RoomTurn, Task};
use super::presence::{Says, occupant_id};
use super::room::Room;
use super::{MAX_SUBJECT, Rooms, text_of};
use crate::archive::Archived;
use crate::mapping::{Mapping, bounce, condition, is_address};
use crate::{bare, ns, stamp};
use jid::Jid;
use minidom::Element;
use std::time::Duration;
use subrosa_engine::{Address, Time};

/// Invitations that are remembered, and how long.
const MAX_INVITED: usize = 64;
const INVITED: Duration = Duration::from_secs(10 * 60);

impl Rooms {
    /// A received `<message>`. `mapping` makes the input of what the machine is told. `None`: it is none of ours, `mapping` takes it.
    pub fn message(&mut self, stanza: &Element, mapping: &mut Mapping, now: Time) -> Option<RoomTurn> {
        if let Some(copied) = self.copied(stanza) {
            return Some(copied);
        }
        let from = Jid::new(stanza.attr("from")?).ok()?;
        let room = Address::from(from.to_bare().as_str());
        let nick = from.resource().map(|nick| nick.as_str());
        let kind = stanza.attr("type");
        if kind != Some("error")
            && let Some(turn) = self.invited(stanza, &room, nick, now)
        {
            return Some(turn);
        }
        let Some(known) = self.rooms.get_mut(&room) else {
            // of a room that another device of ours is in
            return nick.filter(|_| is_private(stanza)).map(|nick| private(&room, nick));
        };
        known.heard(now);
        let mut turn = RoomTurn::default();
        match (kind, nick) {
            (Some("error"), None) => self.bounced(&room, stanza, &from, now, &mut turn),
            (Some("error"), Some(_)) => {}
            (Some("groupchat"), Some(nick)) => self.groupchat(&room, nick, stanza, mapping, now, &mut turn),
            (_, Some(nick)) => return Some(private(&room, nick)),
            (_, None) => self.said_by_room(&room, stanza, mapping, now, &mut turn),
        }
        Some(turn)
    }
    /// A result of the room's own archive (XEP-0313 §6.1.2).
    pub fn archived(&mut self, archived: &Archived, mapping: &mut Mapping, now: Time) -> RoomTurn {
        let (room, stanza, mut turn) = (&archived.at.by, &archived.stanza, RoomTurn::default());
        let Some(from) = stanza.attr("from").and_then(|from| Jid::new(from).ok()).filter(|from| from.to_bare().as_str() == room.as_str()) else {
            return turn;
        };
        let at = archived.stamp.or_else(|| delayed(stanza, room)).unwrap_or(now);
        // a tombstone: the message was here (XEP-0425 §6)
        let place = archived.at.id.as_str();
        if let Some(stone) = tombstone(stanza) {
            turn.news.push(moderation(room, place, stone));
            return turn;
        }
        if from.resource().is_none() {
            turn.news.extend(moderated(room, stanza));
        }
        if stanza.attr("type") != Some("groupchat") || !turn.news.is_empty() || is_subject(stanza) {
            return turn;
        }
        let said = said_by_archive(stanza);
        let known = self.rooms.get_mut(room);
        let who = match (said, known.as_ref().and_then(|known| known.owner_by_id(stanza))) {
            (Some(said), Some(owner)) if said != owner => None, // one of them is not the room's word
            (said, owner) => said.or(owner),
        };
        let ids = crate::Ids { archive: Some(archived.at.clone()), ..mapping.ids(stanza, room) };
        let reflected = known.filter(|_| who.as_ref() == Some(&self.me)).and_then(|known| known.reflected(stanza.attr("id")?));
        turn.ids = ids;
        match reflected {
            Some(id) => turn.reflected(room, id, at),
            None => turn.received(mapping, stanza, room, who, at),
        }
        turn
    }

    /// What was said in a room, now or before we came.
    fn groupchat(&mut self, room: &Address, nick: &str, stanza: &Element, mapping: &mut Mapping, now: Time, turn: &mut RoomTurn) {
        let Some(known) = self.rooms.get_mut(room) else { return };
        let before = delayed(stanza, room);
        if is_subject(stanza) {
            let text = cut(&text_of(stanza, "subject", ns::CLIENT), MAX_SUBJECT);
            turn.news.push(RoomNews::Subject { room: room.clone(), text, nick: Some(nick.to_owned()) });
            return;
        }
        let present = known.occupants.get(nick).filter(|_| before.is_none()).and_then(|occupant| occupant.who.clone());
        let who = present.or_else(|| known.owner_by_id(stanza));
        let at = before.unwrap_or(now);
        known.entry.after = known.entry.after.max(Some(at.min(now)));
        let ours = match &who {
            Some(who) => *who == self.me,
            None => before.is_none() && known.nick == nick,
        };
        let reflected = Some(&mut *known).filter(|_| ours).and_then(|known| known.reflected(stanza.attr("id")?));
        mapping.believe(room.clone(), known.about.stanza_ids);
        turn.ids = mapping.ids(stanza, room);
        match reflected {
            Some(id) => turn.reflected(room, id, at),
            None => turn.received(mapping, stanza, room, who, at),
        }
    }
    /// What the room itself says.
    fn said_by_room(&mut self, room: &Address, stanza: &Element, mapping: &mut Mapping, now: Time, turn: &mut RoomTurn) {
        let Some(known) = self.rooms.get_mut(room) else { return };
        let says = Says::of(stanza);
        if let Some(declined) = declined(stanza, room) {
            turn.news.push(declined);
            return;
        }
        // XEP-0045 §9.3 and on: of those who are not there the room says it in a message
        for item in says.items() {
            if let (Some(who), Some(affiliation)) = (item.attr("jid").and_then(person), item.attr("affiliation").and_then(Affiliation::read)) {
                known.members.set(who, affiliation);
            }
        }
        // its configuration is another: it may be anonymous now, or open
        if ["104", "172", "173", "174"].into_iter().any(|code| says.status(code)) {
            if says.status("173") || says.status("174") {
                known.about.non_anonymous = false;
            }
            self.inquire(room, now, turn);
        }
        let before = turn.news.len();
        if is_subject(stanza) {
            let text = cut(&text_of(stanza, "subject", ns::CLIENT), MAX_SUBJECT);
            turn.news.push(RoomNews::Subject { room: room.clone(), text, nick: None });
        } else {
            turn.news.extend(moderated(room, stanza));
        }
        if turn.news.len() == before && stanza.has_child("body", ns::CLIENT) {
            turn.received(mapping, stanza, room, None, delayed(stanza, room).unwrap_or(now));
        }
        self.judge(room, turn);
    }
    /// A message of ours to a room that came back; or an invitation.
    fn bounced(&mut self, room: &Address, stanza: &Element, from: &Jid, now: Time, turn: &mut RoomTurn) {
        let invite = stanza.get_child("x", ns::MUC_USER).and_then(|x| x.get_child("invite", ns::MUC_USER));
        let error = stanza.get_child("error", ns::CLIENT);
        // not every room says what it was that it refuses
        let ours = self.inviting.iter().position(|(id, at, _)| stanza.attr("id") == Some(id) && at == room);
        let invited = ours.and_then(|at| self.inviting.remove(at)).map(|(_, _, who)| who);
        if invite.is_some() || invited.is_some() {
            let who = invited.or_else(|| invite.and_then(|invite| invite.attr("to").and_then(person)));
            let why = RoomError::of(Task::Invite, error);
            turn.news.push(RoomNews::Failed { room: room.clone(), task: Task::Invite, who, why, again: None });
            return;
        }
        turn.news.extend(bounce(stanza, from).map(RoomNews::Bounced));
        let is_out = error.and_then(condition) == Some("not-acceptable");
        // of a message of ours only, once: else rooms could have us come in again and again
        let known = self.rooms.get_mut(room).filter(|_| is_out);
        let is_ours = known.and_then(|known| known.reflected(stanza.attr("id")?)).is_some();
        if is_ours && self.is_joined(room) {
            self.lost(room, String::new(), None, now, turn);
        }
    }
    fn invited(&mut self, stanza: &Element, from: &Address, nick: Option<&str>, now: Time) -> Option<RoomTurn> {
        let known = self.rooms.get(from);
        let mediated = if nick.is_none() && *from != self.me { invitations::mediated(stanza, from) } else { None };
        let by = match (known, nick) {
            (Some(known), Some(nick)) => known.occupants.get(nick).and_then(|occupant| occupant.who.clone()),
            _ => Some(from.clone()),
        };
        let is_direct = stanza.attr("type") != Some("groupchat");
        let invitation = mediated.or_else(|| invitations::direct(stanza, by).filter(|_| is_direct))?;
        let mut turn = RoomTurn::default();
        if self.is_news(&invitation, now) {
            turn.news.push(RoomNews::Invited(invitation));
        }
        turn.more = !invitations::is_invitation_alone(stanza);
        Some(turn)
    }
    fn is_news(&mut self, invitation: &Invitation, now: Time) -> bool {
        if invitation.by.as_ref() == Some(&self.me) || self.is_joined(&invitation.room) {
            return false;
        }
        self.invited.retain(|(at, ..)| at.after(INVITED) > now);
        if self.invited.iter().any(|(_, room, by)| *room == invitation.room && *by == invitation.by) {
            return false;
        }
        if self.invited.len() >= MAX_INVITED {
            self.invited.pop_front();
        }
        self.invited.push_back((now, invitation.room.clone(), invitation.by.clone()));
        true
    }
    /// What our server copies of private messages in rooms (XEP-0280 §6.1): they are nobody's conversation.
    fn copied(&self, stanza: &Element) -> Option<RoomTurn> {
        if stanza.attr("from").is_some_and(|from| !is_address(from, &self.me)) {
            return None;
        }
        let copy = stanza.children().find(|c| c.has_ns(ns::CARBONS) && matches!(c.name(), "sent" | "received"))?;
        let inner = copy.get_child("forwarded", ns::FORWARD)?.get_child("message", ns::CLIENT)?;
        let other = Jid::new(inner.attr(if copy.name() == "sent" { "to" } else { "from" })?).ok()?;
        let room = Address::from(other.to_bare().as_str());
        let nick = other.resource()?;
        (self.rooms.contains_key(&room) || is_private(inner)).then(|| private(&room, nick.as_str()))
    }
}
impl Room {
    fn owner_by_id(&self, stanza: &Element) -> Option<Address> {
        let id = occupant_id(stanza).filter(|_| self.about.occupant_ids)?;
        self.owner_of(&id).cloned()
    }
}
impl RoomTurn {
    fn received(&mut self, mapping: &mut Mapping, stanza: &Element, room: &Address, who: Option<Address>, at: Time) {
        match mapping.said(stanza, room, who.unwrap_or_else(|| room.clone()), at) {
            Some(Ok(input)) => self.inputs.push(input),
            Some(Err(unreadable)) => self.unreadable = Some(unreadable),
            None => {}
        }
    }
    fn reflected(&mut self, room: &Address, id: subrosa_engine::MessageId, at: Time) {
        let room_id = self.ids.archive.as_ref().map(|place| place.id.clone());
        self.news.push(RoomNews::Reflected { room: room.clone(), id, room_id, at });
    }
}

fn private(room: &Address, nick: &str) -> RoomTurn {
    RoomTurn { news: vec![RoomNews::Private { room: room.clone(), nick: nick.to_owned() }], ..RoomTurn::default() }
}
/// XEP-0045 §7.5: such a message has an empty element that says so.
fn is_private(stanza: &Element) -> bool {
    stanza.attr("type") != Some("groupchat") && stanza.get_child("x", ns::MUC_USER).is_some_and(|x| x.children().next().is_none())
}
/// XEP-0045 §8.1.
fn is_subject(stanza: &Element) -> bool {
    stanza.has_child("subject", ns::CLIENT) && !stanza.children().any(|c| matches!(c.name(), "body" | "encrypted" | "thread"))
}
/// When it was said, of what the room says to be from before (XEP-0045 §7.2.14). Other stamps are the sender's word.
fn delayed(stanza: &Element, room: &Address) -> Option<Time> {
    stamp::by(stanza, |from| from.is_some_and(|from| bare(from).is_ok_and(|from| from == *room)))
}
/// What a moderator left of an archived message (XEP-0425 §6): that, and nothing that anybody said. Whoever writes such an element beside
/// their words has said them all the same.
fn tombstone(stanza: &Element) -> Option<&Element> {
    let beside = |c: &Element| {
        [ns::DELAY, ns::SID, ns::MUC_USER, ns::OCCUPANT_ID, ns::HINTS].into_iter().any(|namespace| c.has_ns(namespace)) || c.name() == "thread"
    };
    let mut said = stanza.children().filter(|c| !beside(c));
    let stone = said.next().filter(|c| c.is("retracted", ns::RETRACT) && c.has_child("moderated", ns::MODERATE))?;
    said.next().is_none().then_some(stone)
}
/// Who wrote an archived message, in the archive's own words. Of several nobody can say which is.
fn said_by_archive(stanza: &Element) -> Option<Address> {
    let mut all = stanza.children().filter(|c| c.is("x", ns::MUC_USER));
    let x = all.next().filter(|_| all.next().is_none())?;
    let mut items = x.children().filter(|c| c.is("item", ns::MUC_USER));
    person(items.next()?.attr("jid")?).filter(|_| items.next().is_none())
}
fn declined(stanza: &Element, room: &Address) -> Option<RoomNews> {
    let decline = stanza.get_child("x", ns::MUC_USER)?.get_child("decline", ns::MUC_USER)?;
    let who = person(decline.attr("from")?)?;
    Some(RoomNews::Declined { room: room.clone(), who, reason: invitations::reason(decline, ns::MUC_USER) })
}
/// XEP-0425 §5, in a message of the room itself; and the form before it (0.2).
fn moderated(room: &Address, stanza: &Element) -> Option<RoomNews> {
    let retract = stanza.get_child("retract", ns::RETRACT).filter(|retract| retract.has_child("moderated", ns::MODERATE));
    let before = || stanza.get_child("apply-to", ns::APPLY_TO).filter(|apply| apply.has_child("moderated", ns::MODERATE_0));
    let what = retract.or_else(before)?;
    Some(moderation(room, what.attr("id").filter(|id| crate::mapping::is_archive_id(id))?, what))
}
fn moderation(room: &Address, id: &str, what: &Element) -> RoomNews {
    let moderated = what.children().find(|c| c.name() == "moderated" && (c.has_ns(ns::MODERATE) || c.has_ns(ns::MODERATE_0)));
    let by = moderated.and_then(|m| Jid::new(m.attr("by")?).ok()).filter(|by| by.to_bare().as_str() == room.as_str());
    let nick = by.and_then(|by| by.resource().map(|nick| nick.as_str().to_owned()));
    let inside = moderated.filter(|m| m.has_ns(ns::MODERATE_0)).unwrap_or(what);
    let reason = inside.children().find(|c| c.name() == "reason").map(Element::text).unwrap_or_default();
    RoomNews::Moderated { room: room.clone(), room_id: id.to_owned(), nick, reason: cut(reason.trim(), MAX_REASON) }
}
