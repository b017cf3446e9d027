//! Which rooms the account is in, as all its devices have it (XEP-0402), and who invites it into others.
use super::super::drive::Drive;
use super::super::link::RoomAsk;
use super::super::memory::KeptInvitation;
use super::super::step::Fact;
use super::book::Known;
use super::{FROM_ONE_SERVER, INVITATIONS, InvitationNote, RoomEvent};
use crate::rpc::types::Notification;
use subrosa_engine::Address;
use subrosa_xmpp::bookmarks::{Bookmark, BookmarkNews};
use subrosa_xmpp::rooms::Invitation;

impl Drive {
    pub(super) fn bookmark(&self, room: &Address) {
        let Some(known) = self.rooms.rooms.get(room).filter(|known| !known.bookmarked) else { return };
        let (nick, password) = (Some(known.nick.clone()), known.password.clone());
        let (room, name) = (room.clone(), known.name.clone());
        let as_it_was = known.bookmark.clone().map(|mark| Bookmark { password: password.clone(), autojoin: true, ..mark });
        self.link.bookmark(Ok(as_it_was.unwrap_or(Bookmark { room, name, nick, password, autojoin: true })));
    }
    /// Which rooms the account is in, as all its devices have it: this one goes in and out with them.
    pub(in super::super) fn bookmark_news(&mut self, news: BookmarkNews) {
        match news {
            BookmarkNews::List(all) => {
                let gone = |(room, known): (&Address, &Known)| (known.bookmarked && all.iter().all(|b| b.room != *room)).then(|| room.clone());
                let gone: Vec<_> = self.rooms.rooms.iter().filter_map(gone).collect();
                // a server that lost the list: nobody leaves all rooms at once, and in a room that was left nothing is heard any more
                if all.is_empty() && gone.len() > 1 {
                    tracing::warn!(rooms = gone.len(), "the account has no bookmarks any more; its rooms are kept");
                } else {
                    gone.into_iter().for_each(|room| self.left_elsewhere(room));
                    all.into_iter().for_each(|bookmark| self.bookmarked(bookmark, false));
                }
                self.link.room(RoomAsk::Complete);
            }
            BookmarkNews::Set(bookmark) => self.bookmarked(bookmark, true),
            BookmarkNews::Removed(room) => self.left_elsewhere(room),
            BookmarkNews::Failed(None, why) => {
                tracing::warn!(?why, "which rooms the account's other devices are in can't be known");
                self.link.room(RoomAsk::Complete);
            }
            BookmarkNews::Failed(room, why) => tracing::warn!(?room, ?why, "the account's other devices do not learn of a room"),
        }
    }
    /// `now`: it is set just now.
    fn bookmarked(&mut self, bookmark: Bookmark, now: bool) {
        let room = bookmark.room.clone();
        if let Some(failure) = self.no_room(&room).filter(|_| bookmark.autojoin) {
            return self.refuse_room(&room, &failure);
        }
        match (self.rooms.rooms.get_mut(&room), bookmark.autojoin) {
            (Some(known), true) => {
                let again = now && std::mem::take(&mut known.shut);
                known.bookmark = Some(bookmark);
                // another device was let in
                if again {
                    known.out = None;
                    let (nick, password, after) = (known.nick.clone(), known.password.clone(), self.newest(&room));
                    self.link.room(RoomAsk::Join { room: room.clone(), nick, password, after });
                }
                let Some(known) = self.rooms.rooms.get_mut(&room) else { return };
                if !std::mem::replace(&mut known.bookmarked, true) {
                    self.facts.push(Fact::Rooms(self.rooms.kept()));
                }
            }
            (Some(known), false) if known.bookmarked => self.left_elsewhere(room),
            (None, true) => {
                let (nick, password) = (self.my_nick(bookmark.nick.clone()), bookmark.password.clone());
                let (name, after) = (bookmark.name.clone(), self.newest(&room));
                self.link.room(RoomAsk::Join { room: room.clone(), nick: nick.clone(), password: password.clone(), after });
                self.rooms.rooms.insert(room, Known { nick, password, name, bookmarked: true, bookmark: Some(bookmark), ..Known::default() });
                self.facts.push(Fact::Rooms(self.rooms.kept()));
            }
            _ => {}
        }
    }
    /// Another device of the account left it, or a person there does not want to be in it any more.
    fn left_elsewhere(&mut self, room: Address) {
        let Some(known) = self.rooms.rooms.get_mut(&room) else { return };
        known.follows = true;
        if known.out.take().is_none() {
            return self.link.room(RoomAsk::Leave { room });
        }
        self.rooms.forget(&room);
        self.facts.push(Fact::Rooms(self.rooms.kept()));
        self.room_note(&room, RoomEvent::Left, None, None);
    }
    /// It is not for us any more: no device goes in by itself. The bookmark stays, it is the person's.
    pub(super) fn unbookmark(&self, room: &Address, known: &Known) {
        let Known { bookmark, name, nick, password, .. } = known;
        let (nick, password) = (Some(nick.clone()), password.clone());
        let said = bookmark.clone().unwrap_or_else(|| Bookmark { room: room.clone(), name: name.clone(), nick, password, autojoin: true });
        self.link.bookmark(Ok(Bookmark { autojoin: false, ..said }));
    }
    /// It stays on the list, with the reason, until a person takes it off or is let in again. `all`: it is for none of our devices.
    pub(super) fn shut(&mut self, room: &Address, why: String, all: bool) {
        let Some(known) = self.rooms.rooms.get_mut(room) else { return };
        known.went();
        (known.out, known.shut, known.member) = (Some(why), true, false);
        if all {
            known.bookmarked = false;
            if let Some(known) = self.rooms.rooms.get(room) {
                self.unbookmark(room, known);
            }
        }
        self.facts.push(Fact::Rooms(self.rooms.kept()));
    }
    pub(super) fn invited(&mut self, invitation: Invitation) {
        let from = invitation.by.as_ref().unwrap_or(&invitation.room).to_string();
        let room = invitation.room.to_string();
        if let Some(failure) = self.no_room(&invitation.room) {
            return self.refuse_room(&invitation.room, &failure);
        }
        let kept = KeptInvitation {
            room: room.clone(),
            from: from.clone(),
            direct: invitation.direct,
            reason: invitation.reason.clone(),
            password: invitation.password,
        };
        if !self.keeps(kept) {
            return tracing::warn!(%room, %from, "an invitation is left out: there is another, or there are too many");
        }
        self.facts.push(Fact::Rooms(self.rooms.kept()));
        let reason = Some(invitation.reason).filter(|reason| !reason.is_empty());
        let (account, by_room) = (self.account.clone(), !invitation.direct);
        self.hub.tell(&Notification::Invitation(InvitationNote { account, room, from, by_room, reason }));
    }
    /// Whether it is kept. The first one for a room stays, unless the same says it anew or a contact says it; contacts' invitations
    /// go out for nobody, and strangers of one server have but some.
    fn keeps(&mut self, new: KeptInvitation) -> bool {
        let by_contact = |i: &KeptInvitation| i.direct && self.contacts.has(&i.from.as_str().into());
        let is_known = by_contact(&new);
        let all = &self.rooms.invitations;
        let at = all.iter().position(|i| i.room == new.room);
        let oldest = all.iter().position(|i| !by_contact(i));
        let of_server = all.iter().filter(|i| !by_contact(i) && server(i) == server(&new)).count();
        let before = at.and_then(|at| all.get(at));
        match before {
            Some(before) if (before.from == new.from && before.direct == new.direct) || is_known && !by_contact(before) => {}
            Some(_) => return false,
            None if !is_known && of_server >= FROM_ONE_SERVER => return false,
            None => {}
        }
        let out = at.or(oldest.filter(|_| all.len() >= INVITATIONS));
        if out.is_none() && all.len() >= INVITATIONS {
            return false;
        }
        out.into_iter().for_each(|at| drop(self.rooms.invitations.remove(at)));
        self.rooms.invitations.push(new);
        true
    }
}
/// Whose word it is: of the server of whoever invites, or of the room that says so.
fn server(invitation: &KeptInvitation) -> &str {
    let by = if invitation.direct { &invitation.from } else { &invitation.room };
    by.split_once('@').map_or(by, |(_, server)| server)
}
