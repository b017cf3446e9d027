//! Which rooms the account is in, as all its devices have it (XEP-0402), and who invites it into others.
use super::super::drive::Drive;
use super::super::link::RoomAsk;
use super::super::memory::KeptInvitation;
use super::super::step::Fact;
use super::{INVITATIONS, InvitationNote, Known};
use crate::rpc::types::Notification;
use subrosa_engine::{Address, ChatId};
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
                gone.into_iter().for_each(|room| self.link.room(RoomAsk::Leave { room }));
                all.into_iter().for_each(|bookmark| self.bookmarked(bookmark));
            }
            BookmarkNews::Set(bookmark) => self.bookmarked(bookmark),
            BookmarkNews::Removed(room) if self.rooms.is_known(&room) => self.link.room(RoomAsk::Leave { room }),
            BookmarkNews::Removed(_) => {}
            BookmarkNews::Failed(room, why) => tracing::warn!(?room, ?why, "the account's other devices do not learn of a room"),
        }
    }
    fn bookmarked(&mut self, bookmark: Bookmark) {
        let Bookmark { room, nick, password, autojoin, .. } = bookmark;
        match (self.rooms.rooms.get_mut(&room), autojoin) {
            (Some(known), true) if !known.bookmarked => {
                known.bookmarked = true;
                self.facts.push(Fact::Rooms(self.rooms.kept()));
            }
            (Some(known), false) if known.bookmarked => self.link.room(RoomAsk::Leave { room }),
            (None, true) => {
                let (nick, after) = (self.my_nick(nick), self.newest(&room));
                self.link.room(RoomAsk::Join { room: room.clone(), nick: nick.clone(), password: password.clone(), after });
                self.chats.set_room(ChatId(room.clone()));
                self.rooms.rooms.insert(room, Known { nick, password, bookmarked: true, ..Known::default() });
                self.facts.push(Fact::Rooms(self.rooms.kept()));
            }
            _ => {}
        }
    }
    pub(super) fn invited(&mut self, invitation: Invitation) {
        let from = invitation.by.as_ref().unwrap_or(&invitation.room).to_string();
        let room = invitation.room.to_string();
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
