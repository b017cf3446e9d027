//! Presence of rooms: who comes, goes and changes, ourselves too.
use super::answers::{Asked, person};
use super::news::{Affiliation, Left, Occupant, Presence, Role, RoomError, RoomNews, RoomTurn, Task};
use super::room::Phase;
use super::{Rooms, build, form, invitations, occupant, presence_to};
use crate::{avatar, ns};
use jid::Jid;
use minidom::Element;
use subrosa_engine::{Address, Time};

/// Other names that are tried where ours is taken.
const MAX_RENAMED: u8 = 5;

/// What an `<x/>` of muc#user says of its sender (XEP-0045 §7.2, §15.6.2).
pub(super) struct Says<'a> {
    x: Option<&'a Element>,
}
impl<'a> Says<'a> {
    pub(super) fn of(stanza: &'a Element) -> Self {
        Says { x: stanza.get_child("x", ns::MUC_USER) }
    }
    pub(super) fn status(&self, code: &str) -> bool {
        self.x.is_some_and(|x| x.children().any(|c| c.is("status", ns::MUC_USER) && c.attr("code") == Some(code)))
    }
    pub(super) fn items(&self) -> impl Iterator<Item = &'a Element> {
        self.x.into_iter().flat_map(Element::children).filter(|c| c.is("item", ns::MUC_USER))
    }
    fn destroyed(&self) -> Option<&'a Element> {
        self.x?.get_child("destroy", ns::MUC_USER)
    }
    /// Why somebody went.
    fn why(&self) -> Left {
        let is = |code| self.status(code);
        match self.destroyed() {
            Some(destroy) => Left::Destroyed { instead: destroy.attr("jid").and_then(|jid| crate::bare(jid).ok()) },
            None if is("301") => Left::Banned,
            None if is("321") || is("322") => Left::Removed,
            // Prosody gives 307 beside it
            None if is("332") || is("333") => Left::Lost,
            None if is("307") => Left::Kicked,
            None => Left::Asked,
        }
    }
    fn reason(&self) -> String {
        let (destroy, item) = (self.destroyed(), self.items().next());
        destroy.or(item).map(|parent| invitations::reason(parent, ns::MUC_USER)).unwrap_or_default()
    }
}

impl Rooms {
    /// A received `<presence>`. `None`: it is of no room that we entered.
    pub fn presence(&mut self, presence: &Element, now: Time) -> Option<RoomTurn> {
        let from = Jid::new(presence.attr("from")?).ok()?;
        let room = Address::from(from.to_bare().as_str());
        let known = self.rooms.get_mut(&room)?;
        let mut turn = RoomTurn::default();
        known.heard(now);
        let nick = from.resource().map(|nick| nick.as_str().to_owned());
        match (presence.attr("type"), nick) {
            (Some("error"), _) => self.refused(&room, presence, now, &mut turn),
            (None, Some(nick)) => self.available(&room, nick, presence, now, &mut turn),
            (Some("unavailable"), Some(nick)) => self.unavailable(&room, &nick, presence, now, &mut turn),
            (None, None) => self.pictured(&room, presence, &mut turn),
            _ => {}
        }
        Some(turn)
    }
    fn available(&mut self, room: &Address, nick: String, presence: &Element, now: Time, turn: &mut RoomTurn) {
        let Some(known) = self.rooms.get_mut(room).filter(|known| matches!(known.phase, Phase::Joining(_) | Phase::Configuring | Phase::Joined))
        else {
            return;
        };
        let says = Says::of(presence);
        let item = says.items().next();
        let read = |name: &'static str| item.and_then(|item| item.attr(name));
        let came = Occupant {
            nick: nick.clone(),
            who: read("jid").and_then(person).or_else(|| says.status("110").then(|| self.me.clone())),
            affiliation: read("affiliation").and_then(Affiliation::read).unwrap_or(Affiliation::None),
            role: read("role").map_or(Role::None, Role::read),
            id: occupant_id(presence).filter(|_| known.about.occupant_ids),
        };
        if let Some(who) = &came.who {
            known.members.set(who.clone(), came.affiliation);
        }
        let before = known.came(came.clone());
        if known.phase == Phase::Joined && before.as_ref() != Some(&came) {
            let news = if before.is_some() { Presence::Changed(came) } else { Presence::Came(came) };
            turn.news.push(RoomNews::Presence(room.clone(), news));
        }
        if says.status("110") {
            return self.present(room, nick, &says, now, turn);
        }
        self.judge(room, turn);
    }
    /// The room itself shows the hash of its picture (XEP-0153 §3).
    fn pictured(&mut self, room: &Address, presence: &Element, turn: &mut RoomTurn) {
        let Some(known) = self.rooms.get_mut(room) else { return };
        if let Some(hash) = avatar::shown(presence)
            && known.about.avatar != hash
        {
            known.about.avatar = hash;
            turn.news.push(RoomNews::About(room.clone(), known.about.clone()));
        }
    }
    /// We are there.
    fn present(&mut self, room: &Address, nick: String, says: &Says<'_>, now: Time, turn: &mut RoomTurn) {
        let Some(known) = self.rooms.get_mut(room) else { return };
        let is_new_name = std::mem::replace(&mut known.nick, nick.clone()) != nick;
        if says.status("100") {
            known.about.non_anonymous = true;
        }
        known.made |= says.status("201");
        match known.phase {
            Phase::Joining(_) if known.made && known.entry.create.is_some() => {
                known.phase = Phase::Configuring;
                turn.send.push(self.ask(room, Asked::Form, "get", build("query", ns::MUC_OWNER).end(), now));
            }
            // it was there when it was asked what it is, and is not any more: it is not left behind as it came
            Phase::Joining(_) if known.made => {
                let query = build("query", ns::MUC_OWNER).child(build("destroy", ns::MUC_OWNER));
                turn.send.push(build("iq", ns::CLIENT).attr("type", "set").attr("id", self.id()).attr("to", room.as_str()).child(query).end());
                self.not_entered(room, RoomError::NoSuchRoom, now, turn);
            }
            Phase::Joining(_) if known.entry.create.is_some() => {
                turn.send.push(presence_to(room, &nick).attr("type", "unavailable").end());
                self.not_entered(room, RoomError::Exists, now, turn);
            }
            Phase::Joining(_) => self.joined(room, now, turn),
            Phase::Joined => {
                if is_new_name {
                    known.entry.nick.clone_from(&nick);
                    turn.news.push(RoomNews::Nick { room: room.clone(), nick });
                }
                self.judge(room, turn);
            }
            Phase::Asking | Phase::Configuring | Phase::Leaving | Phase::Away(_) => {}
        }
    }
    fn unavailable(&mut self, room: &Address, nick: &str, presence: &Element, now: Time, turn: &mut RoomTurn) {
        let Some(known) = self.rooms.get_mut(room) else { return };
        let says = Says::of(presence);
        let item = says.items().next();
        let was = known.occupants.remove(nick);
        let who = item.and_then(|item| person(item.attr("jid")?)).or_else(|| was.as_ref()?.who.clone());
        if let Some(who) = who
            && let Some(affiliation) = item.and_then(|item| Affiliation::read(item.attr("affiliation")?))
        {
            known.members.set(who, affiliation);
        }
        let to = item.and_then(|item| item.attr("nick")).filter(|_| says.status("303")).and_then(|nick| occupant(room, nick));
        // rooms may leave 110 out where it is clear from the name
        let ours = says.status("110") || nick == known.nick;
        if let Some((_, to)) = to {
            if let Some(was) = was.filter(|_| known.phase == Phase::Joined) {
                known.came(Occupant { nick: to.clone(), ..was.clone() });
                turn.news.push(RoomNews::Presence(room.clone(), Presence::Renamed { was, to: to.clone() }));
            }
            if ours && known.phase == Phase::Joined {
                known.nick.clone_from(&to);
                known.entry.nick.clone_from(&to);
                turn.news.push(RoomNews::Nick { room: room.clone(), nick: to });
            }
            return;
        }
        if ours {
            return self.absent(room, &says, now, turn);
        }
        if let Some(was) = was.filter(|_| known.phase == Phase::Joined) {
            turn.news.push(RoomNews::Presence(room.clone(), Presence::Went { was, why: says.why() }));
        }
        self.judge(room, turn);
    }
    /// We are not there any more.
    fn absent(&mut self, room: &Address, says: &Says<'_>, now: Time, turn: &mut RoomTurn) {
        let Some(known) = self.rooms.get_mut(room) else { return };
        let why = match (known.phase, says.why()) {
            (Phase::Leaving, Left::Lost) => Left::Asked,
            (_, Left::Removed) if known.resigning => Left::Asked,
            // of an earlier session by the same name
            (Phase::Asking | Phase::Joining(_) | Phase::Away(_), Left::Asked | Left::Lost) => return,
            // nobody asked for it
            (Phase::Joined | Phase::Configuring, Left::Asked) => Left::Lost,
            (_, why) => why,
        };
        if why == Left::Lost {
            // at once it may be down yet
            return self.lost(room, says.reason(), Some(super::RETURN), now, turn);
        }
        self.gone(room, why, says.reason(), now, turn);
    }
    /// XEP-0045 §7.2: we may not enter, or not be called so.
    fn refused(&mut self, room: &Address, presence: &Element, now: Time, turn: &mut RoomTurn) {
        let Some(known) = self.rooms.get_mut(room) else { return };
        let error = presence.get_child("error", ns::CLIENT);
        match (known.phase, RoomError::of(Task::Join, error)) {
            (Phase::Joining(_), RoomError::NickTaken) if known.renamed < MAX_RENAMED => {
                known.renamed = known.renamed.saturating_add(1);
                known.nick.push('_');
                turn.send.push(known.entrance(room));
            }
            (Phase::Joining(_), why) => self.not_entered(room, why, now, turn),
            (Phase::Joined, _) => {
                let why = RoomError::of(Task::Rename, error);
                turn.news.push(RoomNews::Failed { room: room.clone(), task: Task::Rename, who: None, why, again: None });
            }
            (Phase::Leaving, _) => self.gone(room, Left::Asked, String::new(), now, turn),
            (Phase::Asking | Phase::Configuring | Phase::Away(_), _) => {}
        }
    }
}
/// XEP-0421 §5: one, of at most 128 characters. It counts only of rooms that announce them.
pub(super) fn occupant_id(stanza: &Element) -> Option<String> {
    let mut ids = stanza.children().filter(|c| c.is("occupant-id", ns::OCCUPANT_ID));
    let id = ids.next()?.attr("id").filter(|id| !id.is_empty() && id.chars().count() <= 128)?;
    ids.next().is_none().then(|| form::cut(id, 128))
}
