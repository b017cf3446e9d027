//! Which rooms the account is in, as all its devices have it (XEP-0402), and who invites it into others.
use super::super::drive::Drive;
use super::super::link::RoomAsk;
use super::super::memory::KeptInvitation;
use super::super::step::Fact;
use super::book::Known;
use super::{INVITATIONS, InvitationNote, RoomEvent};
use crate::rpc::types::Notification;
use subrosa_engine::Address;
use subrosa_xmpp::bookmarks::{Bookmark, BookmarkNews};
use subrosa_xmpp::rooms::Invitation;

impl Drive {
    pub(super) fn bookmark(&self, room: &Address) {
        let Some(known) = self.rooms.rooms.get(room).filter(|known| !known.bookmarked) else { return };
        let (nick, password) = (Some(known.nick.clone()), known.password.clone());
        self.link.bookmark(Ok(Bookmark { room: room.clone(), name: known.name.clone(), nick, password, autojoin: true }));
    }
    /// Which rooms the account is in, as all its devices have it: this one goes in and out with them.
    pub(in super::super) fn bookmark_news(&mut self, news: BookmarkNews) {
        match news {
            BookmarkNews::List(all) => {
                let gone = |(room, known): (&Address, &Known)| (known.bookmarked && all.iter().all(|b| b.room != *room)).then(|| room.clone());
                let gone: Vec<_> = self.rooms.rooms.iter().filter_map(gone).collect();
                // a server that lost the list: nobody leaves all rooms at once, and in a room that was left nothing is heard any more
                if all.is_empty() && gone.len() > 1 {
                    return tracing::warn!(rooms = gone.len(), "the account has no bookmarks any more; its rooms are kept");
                }
                gone.into_iter().for_each(|room| self.left_elsewhere(room));
                all.into_iter().for_each(|bookmark| self.bookmarked(bookmark));
            }
            BookmarkNews::Set(bookmark) => self.bookmarked(bookmark),
            BookmarkNews::Removed(room) => self.left_elsewhere(room),
            BookmarkNews::Failed(room, why) => tracing::warn!(?room, ?why, "the account's other devices do not learn of a room"),
        }
    }
    fn bookmarked(&mut self, bookmark: Bookmark) {
        let room = bookmark.room.clone();
        if let Some(failure) = self.no_room(&room).filter(|_| bookmark.autojoin) {
            return self.refuse_room(&room, &failure);
        }
        match (self.rooms.rooms.get_mut(&room), bookmark.autojoin) {
            (Some(known), true) => {
                known.bookmark = Some(bookmark);
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
        self.rooms.rooms.remove(&room);
        self.facts.push(Fact::Rooms(self.rooms.kept()));
        self.room_note(&room, RoomEvent::Left, None, None);
    }
    /// It is not for us any more: no device goes in by itself. The bookmark stays, it is the person's.
    pub(super) fn unbookmark(&self, room: &Address, known: Known) {
        let Known { bookmark, name, nick, password, .. } = known;
        let said = bookmark.unwrap_or(Bookmark { room: room.clone(), name, nick: Some(nick), password, autojoin: true });
        self.link.bookmark(Ok(Bookmark { autojoin: false, ..said }));
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
        self.rooms.invitations.retain(|known| known.room != room);
        self.rooms.invitations.push(kept);
        if self.rooms.invitations.len() > INVITATIONS {
            self.rooms.invitations.remove(0);
        }
        self.facts.push(Fact::Rooms(self.rooms.kept()));
        let reason = Some(invitation.reason).filter(|reason| !reason.is_empty());
        self.hub.tell(&Notification::Invitation(InvitationNote { account: self.account.clone(), room, from, reason }));
    }
}
