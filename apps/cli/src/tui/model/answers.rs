//! What was asked is answered.
use super::page::Load;
use super::*;
use crate::rpc::types::*;
use crate::show;
use serde::de::DeserializeOwned;
use subrosa_engine::{Omission, Reason};

type Answer = Result<Value, Failure>;

impl Screen {
    pub(super) fn answer(&mut self, tag: Tag, answer: Answer) {
        match tag {
            Tag::Status => self.have(answer, Self::have_status),
            Tag::Chats(jid) => self.have(answer, |state, Chats { chats }| {
                let Some(account) = state.account_of(&jid) else { return };
                account.put_all(chats);
                // one that is open and has no entry yet
                if let Some(open) = account.page.as_ref().map(|page| page.chat.clone()) {
                    account.begin(&open, false);
                }
            }),
            Tag::Rooms(jid) => self.have(answer, |state, rooms: Rooms| {
                let Some(account) = state.account_of(&jid) else { return };
                account.invitations = rooms.invitations;
                rooms.rooms.into_iter().for_each(|room| account.put_room(room));
            }),
            Tag::Page { account, chat, way, serial } => self.have_page(&account, &chat, way, serial, answer),
            Tag::Sent(words) => self.have_sent(words, answer),
            Tag::Said => self.have(answer, |state, result: SendResult| state.tell_unsaid(&result)),
            Tag::Read => {}
            Tag::Devices { jid } => {
                let list = self.read::<DeviceList>(answer);
                if let Some(trusting) = self.trusting().filter(|now| now.jid == jid) {
                    trusting.devices = Some(list.map(|list| list.devices).unwrap_or_default());
                    trusting.at = trusting.at.min(trusting.devices.as_ref().map_or(0, |all| all.len().saturating_sub(1)));
                }
            }
            Tag::Stale => self.have(answer, |state, stale: StaleDevices| {
                if let Some(trusting) = state.trusting() {
                    trusting.stale = stale.devices;
                }
            }),
            Tag::Blocked => self.have(answer, |state, all: Blocked| {
                if let Some(trusting) = state.trusting() {
                    trusting.blocked = all.blocked.contains(&trusting.jid);
                }
            }),
            Tag::Decided(jid) => self.have(answer, |state, _: Value| {
                if state.trusting().is_some_and(|now| now.jid == jid) {
                    state.ask_trust(&jid);
                }
            }),
            Tag::Members { room } => {
                let list = self.read::<Members>(answer);
                if let (Some(list), Some(Dialog::Members(now))) = (list, self.dialogs.last_mut())
                    && now.room == room
                {
                    (now.members, now.leave_out) = (Some(list.members), list.leave_out);
                }
            }
            Tag::Freed(words) => match answer {
                Ok(_) => self.send_words(words),
                Err(failure) => {
                    self.give_back(&words);
                    self.fail(&failure);
                }
            },
            Tag::MembersChanged(room) => self.have(answer, |state, _: Value| state.ask_members(&room)),
            Tag::Found { serial } => {
                let found = self.read::<Messages>(answer);
                if let Some(searching) = self.searching().filter(|now| now.serial == serial) {
                    searching.waits = false;
                    if let Some(found) = found {
                        (searching.found, searching.more, searching.at) = (found.messages, found.more, 0);
                        if std::mem::take(&mut searching.go) {
                            self.open_found();
                        }
                    }
                }
            }
            Tag::Entered { account } => self.have(answer, |state, room: RoomInfo| {
                let jid = room.room.clone();
                if let Some(account) = state.account_of(&account) {
                    account.invitations.retain(|known| known.room != jid);
                    account.put_room(room);
                }
                if state.jid().as_ref() == Some(&account) {
                    state.dialogs.clear();
                    state.open(&jid);
                }
            }),
            Tag::LeftRoom { account } => self.have(answer, |state, _: Value| state.ask_chats(&account)),
            Tag::Verified => self.have(answer, |state, Verified { jid, devices, later }: Verified| {
                let own = state.jid();
                let which = devices.iter().map(u32::to_string).collect::<Vec<_>>().join(", ");
                let name = names::person(&jid, own.as_deref().unwrap_or_default());
                state.say(match (devices.as_slice(), later.as_slice()) {
                    ([], []) => format!("no device of {name} was in that link"),
                    ([], _) => format!("no device of {name} has shown that key yet; one that does is verified when it does"),
                    _ => format!("verified: {name}, device {which}"),
                });
                if let Some(jid) = state.trusting().map(|now| now.jid.clone()) {
                    state.ask_trust(&jid);
                }
            }),
            Tag::Sealed { account, back } => self.have(answer, |state, Kept { messages }: Kept| {
                state.say(match (back, messages) {
                    (true, 1) => "1 message came back".to_owned(),
                    (true, n) => format!("{n} messages came back"),
                    (false, n) => format!("messages in the file: {n}"),
                });
                if back {
                    state.refresh(&account);
                }
            }),
            Tag::Done(text) => self.have(answer, |state, _: Value| state.say(text)),
        }
    }
    /// As its type; what went wrong is told.
    fn read<T: DeserializeOwned>(&mut self, answer: Answer) -> Option<T> {
        let read = answer.and_then(|value| {
            serde_json::from_value(value)
                .map_err(|e| Failure::bug(format!("an answer was not understood ({e}); is another version of subrosa running?")))
        });
        read.map_err(|failure| self.fail(&failure)).ok()
    }
    fn have<T: DeserializeOwned>(&mut self, answer: Answer, then: impl FnOnce(&mut Self, T)) {
        if let Some(value) = self.read(answer) {
            then(self, value);
        }
    }
    fn have_status(&mut self, status: Status) {
        for one in status.accounts {
            let Some(account) = self.known(&one.account) else { continue };
            (account.device, account.fingerprint) = (one.device, one.fingerprint);
            if !account.link_told {
                account.link = one.connection;
            }
        }
    }
    fn have_page(&mut self, account: &str, chat: &str, way: Load, serial: u64, answer: Answer) {
        let messages = self.read::<Messages>(answer);
        let Some(account) = self.account_of(account) else { return };
        let unread = account.chat(chat).map_or(0, |chat| chat.unread);
        let Some(page) = account.page.as_mut().filter(|page| page.chat == chat && page.loading == Some((way, serial))) else { return };
        let Some(Messages { messages, more }) = messages else {
            // not asked again by itself: an error would come again and again
            page.loading = None;
            (page.older, page.newer) = (false, false);
            return;
        };
        page.loaded(way, messages, more);
        let above = unread.saturating_sub(page.unread());
        if way == Load::Newest && page.older && above > 0 {
            self.say(format!("{above} unread further up"));
        }
        if let Load::Around(place) = way {
            self.with_page(|page, height, look| page.show(place, height, look));
        }
    }
    fn have_sent(&mut self, words: Words, answer: Answer) {
        match answer {
            Ok(value) => {
                if let Some(result) = self.read(Ok(value)) {
                    self.tell_unsaid(&result);
                }
            }
            // stored: it leaves at the next connection, and its line says that it waits
            Err(failure) if failure.code == "send.queued" => {}
            Err(failure) if failure.code.ends_with("members-without-keys") && !words.decided => {
                let who = failure.details.as_ref().map(|result| result.left_out.clone()).unwrap_or_default();
                let names = if who.is_empty() { "Some members".to_owned() } else { people(&who, &words.account) };
                let text = format!("{names}: no device that could decrypt. Leave them out in this room from now on, and send it to the others?");
                self.give_back(&words);
                self.dialogs.push(Dialog::Question { text, what: Sure::LeaveOut(words) });
            }
            // a message to oneself waits for a second device
            Err(failure) if may_go_in_clear(&failure) && !words.decided && words.chat != words.account => {
                self.give_back(&words);
                self.ask_clear(words.chat.clone(), Some(words));
            }
            Err(failure) => {
                self.give_back(&words);
                self.fail(&failure);
            }
        }
    }
    /// Silence means that everybody got all of it.
    fn tell_unsaid(&mut self, result: &SendResult) {
        let own = self.jid().unwrap_or_default();
        if result.in_clear {
            self.warn(show::IN_CLEAR);
        } else if !result.left_out.is_empty() {
            self.say(format!("without keys, left out: {}", people(&result.left_out, &own)));
        } else if let Some(code) = result.unsaid.first() {
            self.say(Omission::from_code(code).map_or_else(|| code.clone(), |omission| omission.sentence().to_owned()));
        }
    }
}
/// Nobody can encrypt it, or the contact asks that nobody does.
fn may_go_in_clear(failure: &Failure) -> bool {
    failure.code.strip_prefix("send.").and_then(Reason::from_code).is_some_and(|why| matches!(why, Reason::NoEncryption | Reason::OptedOut))
}
