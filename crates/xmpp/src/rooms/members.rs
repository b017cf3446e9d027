//! Whom a message in a room is for: members, admins and owners, whether they are there or not (XEP-0384 §5.8), by the room's three
//! lists (XEP-0045 §9.5, §10.5, §10.8) and every change after them.
//!
//! Invariant: nothing is said of members until every list has come or was refused, so that a message is never for some of them by haste.
use super::news::{About, Affiliation, Occupant, RoomWarning, Unencryptable};
use std::collections::{BTreeSet, HashMap};
use subrosa_engine::Address;

/// Members of a room that can be encrypted in.
const MAX_MEMBERS: usize = 1000;
/// Affiliations that are remembered; with more the room has too many.
const MAX_AFFILIATIONS: usize = 10_000;

/// Members and what a person should know of them, or why nothing can be encrypted.
pub(super) type Verdict = Result<(Vec<Address>, Vec<RoomWarning>), Unencryptable>;

#[derive(Debug, Default)]
pub(super) struct Members {
    affiliations: HashMap<Address, Affiliation>,
    /// Lists whose answer is not there.
    waiting: Vec<Affiliation>,
    refused: bool,
    /// Some did not fit.
    overflow: bool,
    /// What was told last.
    pub told: Option<Verdict>,
}
impl Members {
    /// The three lists are asked for. What is known holds until each has come.
    pub(super) fn ask(&mut self) -> [Affiliation; 3] {
        self.waiting = Affiliation::LISTED.into();
        self.refused = false;
        self.overflow = false;
        Affiliation::LISTED
    }
    /// A list came: who is in it has this affiliation, and nobody else.
    pub(super) fn list(&mut self, affiliation: Affiliation, people: impl IntoIterator<Item = (Address, Affiliation)>) {
        self.affiliations.retain(|_, has| *has != affiliation);
        people.into_iter().filter(|(_, has)| *has == affiliation).for_each(|(who, _)| self.set(who, affiliation));
        self.waiting.retain(|waiting| *waiting != affiliation);
    }
    /// It did not come: what presence shows has to do.
    pub(super) fn no_list(&mut self, affiliation: Affiliation) {
        self.refused = true;
        self.waiting.retain(|waiting| *waiting != affiliation);
    }
    /// Somebody's affiliation, as presence or the room says.
    pub(super) fn set(&mut self, who: Address, affiliation: Affiliation) {
        if affiliation < Affiliation::Member {
            self.affiliations.remove(&who);
        } else if self.affiliations.len() < MAX_AFFILIATIONS || self.affiliations.contains_key(&who) {
            self.affiliations.insert(who, affiliation);
        } else {
            self.overflow = true;
        }
    }
    /// Somebody did not fit anywhere.
    pub(super) fn overflow(&mut self) {
        self.overflow = true;
    }
    pub(super) fn of(&self, who: &Address) -> Option<Affiliation> {
        self.affiliations.get(who).copied()
    }
    pub(super) fn all(&self) -> impl Iterator<Item = (&Address, Affiliation)> {
        self.affiliations.iter().map(|(who, affiliation)| (who, *affiliation))
    }
    /// Every list came or was refused.
    pub(super) fn are_answered(&self) -> bool {
        self.waiting.is_empty()
    }
    /// Every list came.
    pub(super) fn are_listed(&self) -> bool {
        self.are_answered() && !self.refused
    }
    /// What is new to tell, if anything is.
    pub(super) fn news<'a>(&mut self, me: &Address, about: &About, present: impl Iterator<Item = &'a Occupant>) -> Option<&Verdict> {
        // that the room is anonymous needs no list
        if !self.are_answered() && about.non_anonymous {
            return None;
        }
        let verdict = self.judge(me, about, present);
        if self.told.as_ref() == Some(&verdict) {
            return None;
        }
        Some(self.told.insert(verdict))
    }
    fn judge<'a>(&self, me: &Address, about: &About, present: impl Iterator<Item = &'a Occupant>) -> Verdict {
        if !about.non_anonymous {
            return Err(Unencryptable::Anonymous);
        }
        let mut members: BTreeSet<&Address> = self.affiliations.keys().collect();
        members.insert(me);
        for occupant in present {
            match &occupant.who {
                // in a members-only room whoever is no member is on the way out
                Some(who) if !about.members_only => drop(members.insert(who)),
                Some(_) => {}
                // who it is stands in the lists
                None if about.members_only && self.are_listed() => {}
                None => return Err(Unencryptable::MembersUnknown),
            }
        }
        if self.overflow || members.len() > MAX_MEMBERS {
            return Err(Unencryptable::TooMany);
        }
        let open = (!about.members_only).then_some(RoomWarning::NotMembersOnly);
        let unlisted = (!self.are_listed()).then_some(RoomWarning::AbsentUnknown);
        Ok((members.into_iter().cloned().collect(), open.into_iter().chain(unlisted).collect()))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::news::Role;
    use super::*;

    const CLOSED: About = About {
        name: String::new(),
        description: String::new(),
        non_anonymous: true,
        members_only: true,
        persistent: true,
        occupant_ids: false,
        stanza_ids: false,
        archive: false,
        moderation: false,
        avatar: None,
    };
    fn occupant(who: Option<&str>, affiliation: Affiliation) -> Occupant {
        Occupant { nick: "n".into(), who: who.map(Address::from), affiliation, role: Role::Participant, id: None }
    }
    fn names(verdict: &Verdict) -> Vec<&str> {
        verdict.as_ref().unwrap().0.iter().map(Address::as_str).collect()
    }
    fn listed() -> Members {
        let mut members = Members::default();
        members.ask();
        members.list(Affiliation::Owner, [("me@x".into(), Affiliation::Owner)]);
        members.list(Affiliation::Admin, []);
        members.list(Affiliation::Member, [("bob@x".into(), Affiliation::Member), ("banned@x".into(), Affiliation::Outcast)]);
        members
    }

    #[test]
    fn nothing_is_said_before_every_list_is_there() {
        let mut members = Members::default();
        let me = "me@x".into();
        members.ask();
        for affiliation in [Affiliation::Owner, Affiliation::Admin] {
            assert!(members.news(&me, &CLOSED, [].iter()).is_none());
            members.list(affiliation, []);
        }
        assert!(members.news(&me, &CLOSED, [].iter()).is_none());
        members.list(Affiliation::Member, [("bob@x".into(), Affiliation::Member)]);
        assert_eq!(names(members.news(&me, &CLOSED, [].iter()).unwrap()), ["bob@x", "me@x"]);
        assert!(members.news(&me, &CLOSED, [].iter()).is_none(), "told once");
    }

    #[test]
    fn a_change_between_two_lists_is_kept() {
        let mut members = listed();
        members.ask();
        members.list(Affiliation::Owner, [("me@x".into(), Affiliation::Owner)]);
        members.set("bob@x".into(), Affiliation::Owner); // was a member, and is in neither list
        members.list(Affiliation::Admin, []);
        members.list(Affiliation::Member, []);
        assert_eq!(names(&members.judge(&"me@x".into(), &CLOSED, [].iter())), ["bob@x", "me@x"]);
        members.set("bob@x".into(), Affiliation::None);
        assert_eq!(names(&members.judge(&"me@x".into(), &CLOSED, [].iter())), ["me@x"]);
    }

    #[test]
    fn rooms_that_hide_somebody_say_so() {
        let (me, members) = ("me@x".into(), listed());
        let hidden = [occupant(None, Affiliation::Member)];
        let judge = |members: &Members, about: &About, present: &[Occupant]| members.judge(&me, about, present.iter());
        assert_eq!(judge(&members, &About { non_anonymous: false, ..CLOSED }, &[]), Err(Unencryptable::Anonymous));
        assert_eq!(judge(&members, &About { members_only: false, ..CLOSED }, &hidden), Err(Unencryptable::MembersUnknown));
        assert!(judge(&members, &CLOSED, &hidden).is_ok(), "the lists have everybody");
        let mut members = members;
        members.no_list(Affiliation::Admin);
        assert_eq!(judge(&members, &CLOSED, &hidden), Err(Unencryptable::MembersUnknown));
        let (_, warnings) = judge(&members, &CLOSED, &[]).unwrap();
        assert_eq!(warnings, [RoomWarning::AbsentUnknown]);
    }

    #[test]
    fn in_an_open_room_whoever_is_there_is_written_to() {
        let open = About { members_only: false, ..CLOSED };
        let verdict = listed().judge(&"me@x".into(), &open, [occupant(Some("guest@x"), Affiliation::None)].iter());
        assert_eq!(names(&verdict), ["bob@x", "guest@x", "me@x"]);
        assert_eq!(verdict.unwrap().1, [RoomWarning::NotMembersOnly]);
        // closed again, the guest is on the way out
        assert_eq!(names(&listed().judge(&"me@x".into(), &CLOSED, [occupant(Some("guest@x"), Affiliation::None)].iter())), ["bob@x", "me@x"]);
    }

    #[test]
    fn a_room_of_a_hostile_size_is_refused() {
        let mut members = listed();
        members.list(Affiliation::Member, (0..20_000).map(|n| (Address::from(format!("m{n}@x").as_str()), Affiliation::Member)));
        assert!(members.affiliations.len() <= MAX_AFFILIATIONS);
        assert_eq!(members.judge(&"me@x".into(), &CLOSED, [].iter()), Err(Unencryptable::TooMany));
        members.ask();
        Affiliation::LISTED.into_iter().for_each(|affiliation| members.list(affiliation, []));
        assert_eq!(names(&members.judge(&"me@x".into(), &CLOSED, [].iter())), ["me@x"]);
    }
}
