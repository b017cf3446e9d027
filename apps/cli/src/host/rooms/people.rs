//! An address is a person's or a room's, and never both: who decides about rooms, a server or whoever invites, could else put others
//! between two people, as what is said in a room is for its members.
//!
//! Invariants: what was a room stays one; of everything else a person is whom the account has in its contacts, whose keys were met, or
//! with whom something was said; a person's address is never entered, and never spoken to as a room.
use super::super::drive::Drive;
use super::super::link::RoomAsk;
use super::super::sends::Waiter;
use super::super::step::Fact;
use super::RoomEvent;
use crate::failure::{Failure, FaultName};
use crate::rpc::Call;
use subrosa_engine::{Address, ChatId, Input};
use subrosa_history::{At, Body, State};
use subrosa_xmpp::rooms::RoomNews;

/// So many of the newest messages of a conversation say whether anything was said there.
const LOOKED_AT: usize = 50;

impl Drive {
    /// Why this can't be a room, if it can't.
    pub(in super::super) fn no_room(&mut self, address: &Address) -> Option<Failure> {
        if self.chats.is_room(&ChatId(address.clone())) {
            return None;
        }
        let why = match () {
            () if *address == self.me => "the account itself",
            // there are programs that put rooms there
            () if self.contacts.has(address) => "one of the account's contacts (take it off that list first, if it is none of the people)",
            // what can't be looked up is no reason to write to others
            () if self.identities(address).map_or(true, |met| !met.is_empty()) => "a person whose keys are known",
            () if self.was_spoken_with(address) => "a person with whom messages were exchanged",
            () => return None,
        };
        let sentence =
            format!("{address} is {why}, and no room: nothing is changed there. A server that makes a room of that address may be reading along");
        Some(Failure::new("room.person", FaultName::Peer, sentence))
    }
    /// Something was said there, by them or to them. What did not leave, or could not be read, binds nobody, nor does what others say.
    fn was_spoken_with(&self, address: &Address) -> bool {
        let page = self.chats.history.page(&ChatId(address.clone()), At::Newest, LOOKED_AT);
        let said = |message: &subrosa_history::Message| {
            let by_us = message.from == self.me && !matches!(message.state, Some(State::Failed(_)));
            (by_us || message.from == *address) && !matches!(message.body, Body::Unreadable(_))
        };
        page.map_or(true, |page| page.messages.iter().any(said))
    }
    /// Of what the connection says: nothing makes members of a person's conversation.
    pub(in super::super) fn is_for_a_person(&mut self, input: &Input) -> bool {
        matches!(input, Input::Room(chat, Some(_)) if self.no_room(&chat.0).is_some())
    }
    /// We were let into a room that is none: we are out again, and whoever waits for it is told.
    pub(super) fn is_entered_wrongly(&mut self, news: &RoomNews) -> bool {
        let RoomNews::Joined { room, .. } = news else { return false };
        let Some(failure) = self.no_room(room) else { return false };
        self.link.room(RoomAsk::Leave { room: room.clone() });
        if self.rooms.forget(room).is_some() {
            self.facts.push(Fact::Rooms(self.rooms.kept()));
        }
        self.refuse_room(room, &failure);
        self.rooms.answer(room, |_| true, &Err(failure.clone()));
        self.refuse_later(room, &failure);
        true
    }
    /// Somebody else wanted it to be one.
    pub(super) fn refuse_room(&mut self, room: &Address, failure: &Failure) {
        tracing::warn!(code = %failure.code, "{failure}");
        self.room_note(room, RoomEvent::Refused, None, Some(failure.sentence.clone()));
    }
    /// It is a room that is entered for the first time, so that nobody knows yet whether it is one.
    pub(in super::super) fn first_entry(&self, to: &str) -> Option<Address> {
        let room = Address::from(crate::home::bare(to).ok()?.as_str());
        (self.rooms.contains(&room) && !self.chats.is_room(&ChatId(room.clone())) && self.rooms.refusal(&room).is_none()).then_some(room)
    }
    /// Asked again once we are in.
    pub(in super::super) fn when_in(&mut self, room: Address, call: Call, waiter: Waiter) {
        self.link.connect();
        self.rooms.later.push((Some(room), call, waiter));
    }
    /// Rooms that an earlier process left. What it had from a server only may be a person's address.
    pub(in super::super) fn take_up_rooms(&mut self) {
        // of one that was left a message may be on its way through the engine
        for room in self.rooms.left.clone() {
            if self.no_room(&room).is_none() {
                self.chats.set_room(ChatId(room));
            }
        }
        let all: Vec<Address> = self.rooms.addresses().cloned().collect();
        for room in all {
            match self.no_room(&room) {
                Some(failure) => {
                    tracing::warn!(code = %failure.code, "{failure}");
                    self.rooms.forget(&room);
                }
                None if self.rooms.rooms.get(&room).is_some_and(|known| known.entered) => self.chats.set_room(ChatId(room)),
                None => {}
            }
        }
    }
}
