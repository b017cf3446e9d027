//! What the connection says: stanzas, answers, what the server has, how the connection is.
use super::chats::{After, Known};
use super::drive::{Drive, now};
use super::link::{Came, Said};
use super::step::Fact;
use crate::rpc::types::{self, Notification, State};
use subrosa_engine::{ChatId, Input};
use subrosa_xmpp::positions::PositionNews;

impl Drive {
    /// What the connection says.
    pub(super) fn said(&mut self, said: Said) {
        match said {
            Said::Input(input) => {
                match &input {
                    Input::Answer(request, _) => drop(self.asked.remove(request)),
                    Input::Online { resumed: false } => {
                        self.asked.clear(); // what is still wanted is asked again, the rest never answered
                        self.forget_reading();
                        self.rooms.anew();
                        self.enter_rooms();
                    }
                    _ => {}
                }
                self.facts.push(Fact::Input(input));
            }
            Said::Came(came) => self.came(*came),
            Said::Page(by, page) => self.paged(by, page),
            Said::Abilities(found) => {
                self.set_room_service(found.rooms.clone());
                if found.archive {
                    let me = self.me.clone();
                    self.read_archive(&me);
                } else {
                    self.nothing_to_read();
                }
                self.resume_transfers();
            }
            Said::Bookmarks(news) => self.bookmark_news(news),
            Said::Blocking(news) => self.block_news(news),
            Said::Position(PositionNews::List(all)) => all.iter().for_each(|p| self.read_here(&ChatId(p.chat.clone()), &p.at.id)),
            Said::Position(PositionNews::Moved(p)) => self.read_here(&ChatId(p.chat), &p.at.id),
            Said::Position(_) => {}
            Said::Contacts(all) => self.contacts.set(all),
            Said::Contact(contact) => self.contacts.change(contact),
            Said::Pinned(pin) => {
                self.pin = Some(pin.clone());
                self.facts.push(Fact::Pin(pin));
            }
            Said::Unsendable(output, failure) => {
                if let Some(id) = self.sends.message(output) {
                    self.sends.acknowledged(output);
                    self.not_sendable(&id);
                    self.sends.refused(&id, &failure);
                    self.chats.after(After::Fact(Fact::Failed(id)));
                }
                self.chats.after(After::Done(output));
            }
            Said::Bounced(bounce) => self.bounced(bounce),
            Said::LeftOut(from, reason) => {
                let note = types::LeftOut { account: self.account.clone(), from, reason };
                self.hub.tell(&Notification::LeftOut(note));
            }
            Said::Acknowledged(output) => {
                let over = self.sends.acknowledged(output);
                over.iter().for_each(|id| self.arrived(id));
                // once the history has it: whoever dies before sends it again, and is told so again
                self.chats.after(After::Done(output));
                over.into_iter().for_each(|id| self.chats.after(After::Fact(Fact::Acknowledged(id))));
            }
            Said::State(state, failure) => {
                self.was_online |= state == State::Online;
                // a line that was lost is waited for; one that never was, or that nobody will try again, is not
                if let Some(failure) = failure.as_ref().filter(|_| !self.was_online || state == State::Refused) {
                    self.sends.unreachable(failure);
                    self.rooms.lost(failure);
                    self.blocked.lost(failure);
                    for settling in self.settling.drain(..) {
                        let waiter = settling.waiter();
                        let _ = waiter.send(Err(failure.clone()));
                    }
                }
                let changed = state != self.state || failure.is_some();
                self.state = state;
                if failure.is_some() || state == State::Online {
                    self.trouble = failure.clone();
                }
                match &failure {
                    Some(failure) => tracing::info!(?state, code = %failure.code, "connection"),
                    None => tracing::info!(?state, "connection"),
                }
                if changed {
                    self.report(failure.as_ref());
                }
            }
        }
    }
    /// A stanza, or what a room or an archive gave.
    fn came(&mut self, came: Came) {
        let Came { inputs, ids, news, archived, mark } = came;
        for input in inputs {
            if self.is_for_a_person(&input) {
                continue;
            }
            let input = if archived { self.archived(input) } else { input };
            if let Input::Receive { id, chat, from, sent, .. } = &input {
                let stanza_id = ids.archive.as_ref().map(|place| place.id.clone());
                let came = Known { stanza_id, sent: *sent, archived, nick: ids.nick.clone() };
                self.chats.came(chat, from, id, came);
            }
            if let (Input::Receive { id, chat, from, sent, .. }, Some(place)) = (&input, &ids.archive) {
                if archived {
                    self.reading.came(&place.by, *sent);
                }
                let came = Fact::Came(chat.clone(), from.clone(), id.clone(), place.id.clone());
                // the archive has what this device sent too
                if archived && *from == self.me && self.is_sent(id.as_str()) {
                    self.facts.push(came);
                    continue;
                }
                self.facts.push(Fact::Input(input));
                self.facts.push(came);
            } else {
                self.facts.push(Fact::Input(input));
            }
        }
        if let Some(place) = ids.archive.filter(|place| !archived && self.reading.follows(&place.by)) {
            self.reading.came(&place.by, now());
            let reached = self.reading.reached(&place.by, place.id);
            self.facts.push(Fact::Reached(place.by, reached));
        }
        news.into_iter().for_each(|news| self.room_news(news));
        self.facts.extend(mark.map(Fact::Handled));
    }
    /// Whether it is a message of this device, or a part of one.
    fn is_sent(&mut self, id: &str) -> bool {
        names(id).any(|id| self.sends.recipient(id).is_some() || matches!(self.sent(id), Ok(Some(_))))
    }
}
/// What a stanza's id may be: a message's, or that of a part of one, which has its number behind a dot.
pub(super) fn names(id: &str) -> impl Iterator<Item = &str> {
    let whole = id.rsplit_once('.').filter(|(_, part)| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit())).map(|(whole, _)| whole);
    std::iter::once(id).chain(whole)
}
