//! What was said: what a step brought goes into the history in one transaction, and only then is anything told or given back.
//!
//! Owns the history and what waits for it. Knows no machine: what is to follow a deed stands beside it ([`After`]).
use super::link::Mark;
use super::step::Fact;
use crate::failure::Failure;
use crate::rpc::types::Notification;
use std::collections::hash_map::Entry as At;
use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};
use subrosa_engine::{Address, ChatId, Content, MessageId, OutputId, Time};
use subrosa_history::{Added, Entry, History, HistoryError, Message, Place, State};

/// Messages whose archive ids and times are remembered while they are on their way through their engine.
const REMEMBERED: usize = 4096;

/// Something for the history.
#[derive(Debug)]
pub enum Deed {
    /// A message. With what its sender is told when it was not there before.
    Add(Box<Entry>, Option<Owed>),
    /// One that nothing but the history knows from its copies: no key told them apart. With the output that it came by.
    Copy(Box<Entry>, OutputId),
    /// The archive's id of a message.
    Confirm { chat: ChatId, from: Address, id: MessageId, stanza_id: String },
    /// How far a message of ours is.
    State { chat: ChatId, id: MessageId, state: State },
    /// The room took a message away.
    Moderated { chat: ChatId, stanza_id: String, by: Address, reason: String, time: Time },
    /// Everything between the two was read.
    Read(ChatId, Place, Place),
}
/// A receipt that somebody asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owed {
    /// Who.
    pub to: Address,
    /// For which message.
    pub of: MessageId,
}
/// What may be done once it is on disk.
pub enum After {
    /// The machine may forget this output.
    Done(OutputId),
    /// Somebody has to be shown this.
    Owe(OutputId, Notification),
    /// Who is there is told.
    Tell(Notification),
    /// The server may forget incoming stanzas up to here.
    Handled(Mark),
    /// For the next step.
    Fact(Fact),
}
/// What a transaction led to.
#[derive(Default)]
pub struct Outcome {
    /// In their order.
    pub after: Vec<After>,
    /// Messages that appeared or changed.
    pub changed: BTreeSet<i64>,
    /// Conversations that did.
    pub chats: BTreeSet<ChatId>,
    /// Receipts for what is new.
    pub receipts: Vec<Owed>,
    /// What was there before.
    pub copies: HashSet<OutputId>,
}

/// Where, by whom, under which id: two may use the same.
type Said = (ChatId, Address, MessageId);
/// What its archive calls a message, and when it was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known {
    pub stanza_id: Option<String>,
    pub sent: Time,
    /// It came out of the archive, not live.
    pub archived: bool,
    /// In a room.
    pub nick: Option<String>,
}

/// The history, and what waits for it.
pub struct Chats {
    pub(super) history: History,
    deeds: Vec<Deed>,
    after: Vec<After>,
    touched: BTreeSet<ChatId>,
    known: HashMap<Said, Known>,
    order: VecDeque<Said>,
    /// Conversations that are rooms, those that were left too.
    rooms: HashSet<ChatId>,
    #[cfg(test)]
    pub(super) full: bool,
}

impl Chats {
    /// Nothing waits.
    pub fn new(history: History) -> Result<Self, Failure> {
        let chats = history.chats().map_err(|e| Failure::coded(&e))?;
        let rooms = chats.into_iter().filter(|chat| chat.room).map(|chat| chat.chat).collect();
        Ok(Chats {
            history,
            deeds: Vec::new(),
            after: Vec::new(),
            touched: BTreeSet::new(),
            known: HashMap::new(),
            order: VecDeque::new(),
            rooms,
            #[cfg(test)]
            full: false,
        })
    }
    /// It is a room, or was one.
    pub fn is_room(&self, chat: &ChatId) -> bool {
        self.rooms.contains(chat)
    }
    /// From here on it is one.
    pub fn set_room(&mut self, chat: ChatId) {
        self.rooms.insert(chat);
    }
    /// Something for the history.
    pub fn deed(&mut self, deed: Deed) {
        self.deeds.push(deed);
    }
    /// Something about it is to be shown anew.
    pub fn touch(&mut self, chat: ChatId) {
        self.touched.insert(chat);
    }
    /// What follows once all deeds until now are on disk.
    pub fn after(&mut self, after: After) {
        self.after.push(after);
    }
    /// Something waits.
    pub fn is_waiting(&self) -> bool {
        !self.deeds.is_empty() || !self.after.is_empty() || !self.touched.is_empty()
    }
    /// A message came, was sent then, and its archive calls it so: the history learns it with the message, whenever its engine is done
    /// with it.
    pub fn came(&mut self, chat: &ChatId, from: &Address, id: &MessageId, came: Known) {
        let key = (chat.clone(), from.clone(), id.clone());
        match self.known.entry(key.clone()) {
            At::Vacant(new) => {
                new.insert(came);
                self.order.push_back(key);
            }
            // one id for two messages: which is which nobody can say here
            At::Occupied(mut known) => match (&known.get().stanza_id, &came.stanza_id) {
                (Some(before), Some(now)) if before != now => drop(known.insert(Known { stanza_id: None, ..came })),
                (Some(_), _) => {}
                (None, _) => drop(known.insert(came)),
            },
        }
        if self.order.len() > REMEMBERED
            && let Some(oldest) = self.order.pop_front()
        {
            self.known.remove(&oldest);
        }
    }
    /// Of a message of theirs, or, where the transport named the room only, of nobody's.
    pub fn known(&self, chat: &ChatId, from: &Address, id: &MessageId) -> Option<Known> {
        let known = |from: &Address| self.known.get(&(chat.clone(), from.clone(), id.clone()));
        known(from).or_else(|| known(&chat.0).filter(|_| self.is_room(chat))).cloned()
    }

    /// All that waits, in one transaction. `Err`: nothing was stored, and it waits on.
    pub fn keep(&mut self) -> Result<Outcome, Failure> {
        #[cfg(test)]
        if self.full {
            return Err(Failure::disk_full(std::path::Path::new("history.db")));
        }
        let deeds = std::mem::take(&mut self.deeds);
        let mut outcome = Outcome::default();
        let done = if deeds.is_empty() {
            Ok(())
        } else {
            self.history.transaction(|history| deeds.iter().try_for_each(|deed| apply(history, deed, &mut outcome)))
        };
        match done {
            Ok(()) => {
                outcome.after = std::mem::take(&mut self.after);
                outcome.chats.append(&mut self.touched);
                Ok(outcome)
            }
            Err(e) => {
                self.deeds = deeds;
                Err(Failure::coded(&e))
            }
        }
    }
    /// Which message another is about, by its place or by its id.
    pub fn find(&self, chat: &ChatId, of: &crate::rpc::types::Of) -> Result<Message, Failure> {
        use crate::rpc::types::Of;
        let found = match of {
            Of::Place(place) => self.history.get(place_of(*place)).map(|m| m.filter(|m| m.chat == *chat)),
            Of::Id(id) => self.history.find(chat, &MessageId::from(id.as_str())),
        };
        found.map_err(|e| Failure::coded(&e))?.ok_or_else(|| {
            let sentence = format!("there is no such message with {}; `history` names those that there are", chat.0);
            Failure::new("message.none", crate::failure::FaultName::Caller, sentence)
        })
    }
}

fn apply(history: &mut History, deed: &Deed, outcome: &mut Outcome) -> Result<(), HistoryError> {
    let mut changed = |chat: &ChatId, places: &[Place]| {
        outcome.changed.extend(places.iter().map(|place| number(*place)));
        if !places.is_empty() {
            outcome.chats.insert(chat.clone());
        }
    };
    match deed {
        Deed::Add(entry, receipt) => match history.add(entry)? {
            Added::New(place) => {
                changed(&entry.chat, &[place]);
                outcome.receipts.extend(receipt.clone());
            }
            Added::Read(place) => {
                changed(&entry.chat, &[place]);
                outcome.receipts.extend(receipt.clone());
            }
            Added::Changed(places) => {
                changed(&entry.chat, &places);
                outcome.receipts.extend(receipt.clone());
            }
            Added::Waits => outcome.receipts.extend(receipt.clone()),
            // read elsewhere: how many are unread is another number now
            _ if matches!(entry.body, subrosa_history::Body::Said(Content::Displayed { .. })) => drop(outcome.chats.insert(entry.chat.clone())),
            _ => {}
        },
        Deed::Copy(entry, output) => match history.add(entry)? {
            Added::New(place) | Added::Read(place) => changed(&entry.chat, &[place]),
            Added::Changed(places) => changed(&entry.chat, &places),
            Added::Waits => {}
            _ => drop(outcome.copies.insert(*output)),
        },
        Deed::Confirm { chat, from, id, stanza_id } => {
            // in a room others name it so from here on; elsewhere nothing that is shown changes
            let named = history.find(chat, &MessageId::from(stanza_id.as_str()))?.is_some();
            let place = history.confirm(chat, from, id, stanza_id)?;
            let renamed = history.find(chat, &MessageId::from(stanza_id.as_str()))?.is_some();
            place.filter(|_| renamed && !named).into_iter().for_each(|place| changed(chat, &[place]));
        }
        Deed::State { chat, id, state } => {
            if history.set_state(chat, id, *state)?
                && let Some(message) = own(history, chat, id)?
            {
                changed(chat, &[message.place]);
            }
        }
        Deed::Moderated { chat, stanza_id, by, reason, time } => {
            history.moderate(chat, stanza_id, by, reason, *time)?.into_iter().for_each(|place| changed(chat, &[place]));
        }
        Deed::Read(chat, first, place) => {
            history.read_between(chat, *first, *place)?;
            outcome.chats.insert(chat.clone());
        }
    }
    Ok(())
}
/// A message of ours under the id that we gave it; in a room it may not have the room's yet.
fn own(history: &History, chat: &ChatId, id: &MessageId) -> Result<Option<Message>, HistoryError> {
    if let Some(message) = history.find(chat, id)?.filter(|m| m.state.is_some()) {
        return Ok(Some(message));
    }
    let newest = history.page(chat, subrosa_history::At::Newest, 100)?;
    Ok(newest.messages.into_iter().rev().find(|m| m.id == *id && m.state.is_some()))
}

/// A place as the RPC has it.
pub fn number(place: Place) -> i64 {
    i64::try_from(place.0).unwrap_or(i64::MAX)
}
/// And back.
pub fn place_of(number: i64) -> Place {
    Place(u64::try_from(number).unwrap_or(0))
}
