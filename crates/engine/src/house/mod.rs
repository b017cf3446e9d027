//! What the house remembers between steps: outputs that are owed, messages that wait, requests that are open. Owns their rows, their
//! numbers and the indexes over them. [`failed`] has what could not be read. Does not know what becomes of them: that is [`crate::rules`].
//!
//! On disk, in the space `house`: one row for each thing (`item/#n`), a bitmap of the numbers in use for every 256
//! (`index/#n`), and one small row (`state`) with the next number, the alarms, and which bitmaps there are. So a step that answers one of
//! five thousand requests writes three small rows.
//!
//! Invariants: everything changes through [`House::set`], so that the indexes are true and the journal can undo; a number is
//! never used twice, not after an undone step either.
use crate::codec::Writer;
use crate::hooks::Wait;
use crate::store::Write;
use crate::wire;
use crate::*;
use rows::{asked_row, index, item, parked_row, state};
use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

pub(crate) mod failed;
mod rows;

pub(crate) use failed::Count;

pub(crate) const SPACE: &str = "house";
const VERSION: u8 = 1;
/// Numbers that share a bitmap: 2^8.
const CHUNK: u32 = 8;

type Map<K, V> = HashMap<K, V, foldhash::fast::RandomState>;
/// Numbers in the order of something else. One type for all that is ordered: every other is a tree of code more.
type Order = BTreeSet<(u64, u64)>;
/// An engine by name: what is stored outlives the order of installation. Empty: none.
pub(crate) type EngineName = Cow<'static, str>;

/// An open request.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(crate) struct Asked {
    pub engine: EngineName,
    pub request: Request,
}
/// A message that waits.
#[derive(Debug)]
pub(crate) struct Parked {
    pub engine: EngineName,
    pub wait: Wait,
    pub deadline: Time,
    /// How often its hook asked for something more.
    pub rounds: u8,
    /// The very engine it began with, while this process lasts; then the one of that name.
    pub began: Option<usize>,
    pub message: Arc<Message>,
}
/// Until when the transport holds its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct AnswerBy(pub Option<Time>);
#[derive(Debug)]
pub(crate) enum Message {
    Out {
        id: MessageId,
        chat: ChatId,
        to: Recipients,
        kind: Kind,
        plain: Plaintext,
        headers: Headers,
    },
    In {
        id: MessageId,
        chat: ChatId,
        from: Address,
        sent: Time,
        kind: Kind,
        content_type: ContentType,
        body: Vec<u8>,
        headers: Headers,
        answer_by: AnswerBy,
    },
    File {
        id: MessageId,
        chat: ChatId,
        to: Recipients,
        file: FileInfo,
    },
}
#[derive(Clone)]
enum Item {
    /// Its bytes are on disk only: nobody asks for them before the next start.
    Owed,
    Asked(Arc<Asked>),
    Parked(Arc<Parked>),
}
#[derive(Clone)]
struct Slot {
    item: Item,
    /// A request: it is out, on this connection.
    flying: bool,
    /// A request: it may have been out before.
    again: bool,
}
impl Slot {
    fn new(item: Item) -> Self {
        Slot { item, flying: false, again: false }
    }
}
enum Change {
    Slot(u64, Option<Slot>),
    Alarms(Vec<(EngineName, Time)>),
    Decided,
}
/// How far the rows are loaded.
enum Loaded {
    Nothing,
    State(Vec<u64>),
    Index(Vec<u64>),
    All,
}

pub(crate) struct House {
    loaded: Loaded,
    /// Makes the ids of engines' own messages unique to this installation. 0: not drawn yet.
    pub seed: u64,
    /// Drawn with every load: makes tokens unlike those that were given out before it and not stored. 0: not drawn yet.
    pub salt: u64,
    /// Drawn once in a process. 0: not drawn yet.
    pub process: u64,
    next: u64,
    /// By engine, each once.
    alarms: Vec<(EngineName, Time)>,
    live: Map<u64, Slot>,
    journal: Vec<Change>,
    /// Devices about whose keys an engine decided in the open job.
    decided: Vec<Device>,
    /// Which engines the messages on disk began with, as known before it was loaded again.
    began: Map<u64, usize>,
    /// Of whom engines learned more in the job that runs.
    pub learned: Vec<Address>,
    /// Outputs found on disk, not yet released by this process.
    again: Vec<(OutputId, Output)>,
    // derived from `live`
    /// By the bitmap that has them.
    used: Order,
    asked: Map<Arc<Asked>, u64>,
    /// Requests to be released: first what is no fetch.
    queue: Order,
    /// Fetches that are out.
    flying: usize,
    /// Who waits for a request, open or not.
    waiters: Map<u64, Vec<u64>>,
    /// Open requests that a waiting message waits for.
    left: Map<u64, usize>,
    tokens: Map<Token, u64>,
    /// What waits in a chat, in order.
    chats: Map<ChatId, Vec<u64>>,
    deadlines: Order,
}
impl Default for House {
    fn default() -> Self {
        House {
            loaded: Loaded::Nothing,
            seed: 0,
            salt: 0,
            process: 0,
            next: 1,
            alarms: Vec::new(),
            live: Map::default(),
            journal: Vec::new(),
            learned: Vec::new(),
            decided: Vec::new(),
            began: Map::default(),
            again: Vec::new(),
            used: Order::new(),
            asked: Map::default(),
            queue: Order::new(),
            flying: 0,
            waiters: Map::default(),
            left: Map::default(),
            tokens: Map::default(),
            chats: Map::default(),
            deadlines: Order::new(),
        }
    }
}

/// Numbers, things and their indexes.
impl House {
    pub fn fresh(&mut self) -> u64 {
        let n = self.next;
        self.next = self.next.saturating_add(1);
        n
    }
    /// A number that was not stored is given out again: whoever has a token from before must not have another message's. Below 2⁶³: C
    /// has a bit of its own in it.
    pub fn token(&mut self) -> Token {
        Token(self.salt.wrapping_add(self.fresh()) & (u64::MAX >> 1))
    }
    fn set(&mut self, id: u64, slot: Option<Slot>) {
        let before = self.place(id, slot);
        self.journal.push(Change::Slot(id, before));
    }
    /// Changes `live` and everything derived from it.
    fn place(&mut self, id: u64, slot: Option<Slot>) -> Option<Slot> {
        let before = self.live.remove(&id);
        if let Some(before) = &before {
            self.used.remove(&(id >> CHUNK, id));
            self.unlink(id, before);
        }
        if let Some(slot) = slot {
            self.used.insert((id >> CHUNK, id));
            self.link(id, &slot);
            self.live.insert(id, slot);
        }
        before
    }
    fn link(&mut self, id: u64, slot: &Slot) {
        match &slot.item {
            Item::Owed => {}
            Item::Asked(asked) => {
                let fetch = matches!(asked.request, Request::Fetch(_));
                if slot.flying {
                    self.flying = self.flying.saturating_add(fetch.into());
                } else {
                    self.queue.insert((fetch.into(), id));
                }
                self.asked.insert(asked.clone(), id);
                self.count(id, |left| left.saturating_add(1));
            }
            Item::Parked(parked) => {
                match &parked.wait {
                    Wait::Answers(ids) => {
                        let open = ids.iter().filter(|r| self.is_asked(**r)).count();
                        self.left.insert(id, open);
                        ids.iter().for_each(|r| self.waiters.entry(r.0).or_default().push(id));
                    }
                    Wait::Completion(token) => drop(self.tokens.insert(*token, id)),
                    Wait::Turn => {}
                }
                if let Message::Out { chat, .. } = &*parked.message {
                    let waiting = self.chats.entry(chat.clone()).or_default();
                    waiting.insert(waiting.partition_point(|w| *w < id), id);
                }
                self.deadlines.insert((parked.deadline.0, id));
            }
        }
    }
    fn unlink(&mut self, id: u64, slot: &Slot) {
        match &slot.item {
            Item::Owed => {}
            Item::Asked(asked) => {
                let fetch = matches!(asked.request, Request::Fetch(_));
                if slot.flying {
                    self.flying = self.flying.saturating_sub(fetch.into());
                } else {
                    self.queue.remove(&(fetch.into(), id));
                }
                self.asked.remove(asked);
                self.count(id, |left| left.saturating_sub(1));
            }
            Item::Parked(parked) => {
                match &parked.wait {
                    Wait::Answers(ids) => {
                        self.left.remove(&id);
                        for request in ids {
                            if let Some(waiters) = self.waiters.get_mut(&request.0) {
                                waiters.retain(|w| *w != id);
                                if waiters.is_empty() {
                                    self.waiters.remove(&request.0);
                                }
                            }
                        }
                    }
                    Wait::Completion(token) => drop(self.tokens.remove(token)),
                    Wait::Turn => {}
                }
                if let Message::Out { chat, .. } = &*parked.message
                    && let Some(waiting) = self.chats.get_mut(chat)
                {
                    waiting.retain(|w| *w != id);
                    if waiting.is_empty() {
                        self.chats.remove(chat);
                    }
                }
                self.deadlines.remove(&(parked.deadline.0, id));
            }
        }
    }
    fn count(&mut self, request: u64, change: impl Fn(usize) -> usize) {
        for waiter in self.waiters.get(&request).into_iter().flatten() {
            if let Some(left) = self.left.get_mut(waiter) {
                *left = change(*left);
            }
        }
    }

    /// The same question asked once.
    pub fn ask(&mut self, engine: &'static str, request: Request) -> RequestId {
        let asked = Asked { engine: engine.into(), request };
        if let Some(id) = self.asked.get(&asked) {
            return RequestId(*id);
        }
        let id = self.fresh();
        self.set(id, Some(Slot::new(Item::Asked(asked.into()))));
        RequestId(id)
    }
    pub fn is_asked(&self, id: RequestId) -> bool {
        matches!(self.live.get(&id.0), Some(Slot { item: Item::Asked(_), .. }))
    }
    /// Closes an open request of this engine without an answer.
    pub fn withdraw(&mut self, engine: &str, id: RequestId) {
        if matches!(self.live.get(&id.0), Some(Slot { item: Item::Asked(asked), .. }) if asked.engine == engine) {
            self.set(id.0, None);
        }
    }
    /// Those that wait for answers, and none of them is to come: what they asked was withdrawn.
    pub fn freed(&self) -> Vec<u64> {
        self.left.iter().filter(|(_, left)| **left == 0).map(|(id, _)| *id).collect()
    }
    /// Closes a request. `None`: it is not open.
    pub fn answered(&mut self, id: RequestId) -> Option<Arc<Asked>> {
        let Some(Slot { item: Item::Asked(asked), .. }) = self.live.get(&id.0) else { return None };
        let asked = asked.clone();
        self.set(id.0, None);
        Some(asked)
    }
    /// Those that waited for this request and now for no other.
    pub fn ready(&self, id: RequestId) -> Vec<u64> {
        let ready = |w: &&u64| self.left.get(w).is_none_or(|left| *left == 0);
        self.waiters.get(&id.0).into_iter().flatten().filter(ready).copied().collect()
    }
    /// A new connection: nobody will answer what was asked on the old one.
    pub fn disconnected(&mut self) {
        let is_out = |id: &u64| self.live.get(id).is_some_and(|slot| slot.flying);
        let out: Vec<u64> = self.used.iter().map(|(_, id)| *id).filter(is_out).collect();
        for id in out {
            if let Some(slot) = self.live.get(&id).cloned() {
                self.set(id, Some(Slot { flying: false, again: true, ..slot }));
            }
        }
    }
    pub fn park(&mut self, id: u64, parked: Parked) {
        self.set(id, Some(Slot::new(Item::Parked(parked.into()))));
    }
    pub fn parked(&self, id: u64) -> Option<Arc<Parked>> {
        if let Some(Slot { item: Item::Parked(parked), .. }) = self.live.get(&id) { Some(parked.clone()) } else { None }
    }
    /// Whether something waits that began with this very engine.
    pub fn is_needed(&self, engine: usize) -> bool {
        let waits = |slot: &Slot| matches!(&slot.item, Item::Parked(parked) if parked.began == Some(engine));
        self.began.values().any(|began| *began == engine) || self.live.values().any(waits)
    }
    pub fn unpark(&mut self, id: u64) {
        self.set(id, None);
    }
    pub fn by_token(&self, token: Token) -> Option<u64> {
        self.tokens.get(&token).copied()
    }
    /// The message of this chat that may leave next.
    pub fn first_of(&self, chat: &ChatId) -> Option<u64> {
        self.chats.get(chat)?.first().copied()
    }
    pub fn expired(&self, now: Time) -> Vec<u64> {
        self.deadlines.iter().take_while(|(deadline, _)| *deadline <= now.0).map(|(_, id)| *id).collect()
    }
    /// The host needs it no more.
    pub fn done(&mut self, id: OutputId) {
        if matches!(self.live.get(&id.0), Some(Slot { item: Item::Owed, .. })) {
            self.set(id.0, None);
        }
    }
    pub fn alarm(&mut self, engine: &'static str, time: Time) {
        let set = self.alarms.iter().position(|(name, _)| name == engine);
        if set.and_then(|at| self.alarms.get(at)).is_none_or(|(_, set)| time < *set) {
            self.journal.push(Change::Alarms(self.alarms.clone()));
            self.alarms.retain(|(name, _)| name != engine);
            self.alarms.push((engine.into(), time));
        }
    }
    /// The engines whose time has come; their alarms are off.
    pub fn ring(&mut self, now: Time) -> Vec<EngineName> {
        let due: Vec<EngineName> = self.alarms.iter().filter(|(_, time)| *time <= now).map(|(engine, _)| engine.clone()).collect();
        if !due.is_empty() {
            self.journal.push(Change::Alarms(self.alarms.clone()));
            self.alarms.retain(|(_, time)| *time > now);
        }
        due
    }
    pub fn wake_at(&self) -> Option<Time> {
        self.deadlines.first().map(|(time, _)| Time(*time)).into_iter().chain(self.alarms.iter().map(|(_, time)| *time)).min()
    }
}

/// Steps.
impl House {
    /// Cold, for the same process.
    pub fn anew(&mut self) -> Self {
        let began = |(id, slot): (&u64, &Slot)| if let Item::Parked(parked) = &slot.item { Some((*id, parked.began?)) } else { None };
        self.began.extend(self.live.iter().filter_map(began));
        House { began: std::mem::take(&mut self.began), process: self.process, ..House::default() }
    }
    /// An engine decided about a key of this device.
    pub fn decide(&mut self, device: &Device) {
        self.decided.push(device.clone());
        self.journal.push(Change::Decided);
    }
    /// One about which an engine decided; each once.
    pub fn take_decided(&mut self) -> Option<Device> {
        self.decided.pop()
    }
    pub fn savepoint(&self) -> usize {
        self.journal.len()
    }
    pub fn undo_to(&mut self, savepoint: usize) {
        while self.journal.len() > savepoint {
            match self.journal.pop() {
                Some(Change::Slot(id, before)) => drop(self.place(id, before)),
                Some(Change::Alarms(before)) => self.alarms = before,
                Some(Change::Decided) => drop(self.decided.pop()),
                None => return,
            }
        }
    }
    /// Numbers the outputs of a step, lets queued requests go as far as `in_flight` allows, and adds every row that changed.
    /// After it, memory is ahead of the disk until the commit.
    pub fn seal(&mut self, outputs: Vec<Output>, in_flight: usize, writes: &mut Vec<Write>) -> Vec<(OutputId, Output, bool)> {
        let numbered = !outputs.is_empty();
        let mut released = Vec::with_capacity(outputs.len());
        for output in outputs {
            let id = self.fresh();
            if output.is_owed() {
                let mut out = Writer::with_capacity(256);
                out.u8(VERSION).u8(0);
                wire::write_output(&mut out, &output);
                writes.push((item(id), Some(out.into_bytes())));
                self.set(id, Some(Slot::new(Item::Owed)));
            }
            released.push((OutputId(id), output, false));
        }
        while let Some((_, id)) = self.queue.first().copied().filter(|(fetch, _)| *fetch == 0 || self.flying < in_flight.max(1)) {
            let Some(slot) = self.live.get(&id).cloned() else { break };
            if let Item::Asked(asked) = &slot.item {
                released.push((OutputId(id), Output::Request(RequestId(id), asked.request.clone()), slot.again));
            }
            self.place(id, Some(Slot { flying: true, ..slot }));
        }
        if self.journal.is_empty() && !numbered {
            return released; // requests that go out again change nothing
        }
        let (mut seen, mut chunks) = (HashSet::<u64, foldhash::fast::RandomState>::default(), Vec::new());
        for change in self.journal.drain(..) {
            let Change::Slot(id, before) = change else { continue };
            if !seen.insert(id) {
                continue; // the first tells what the disk has
            }
            let (live, stored) = (self.live.get(&id), before.is_some());
            if live.is_some() != stored && !chunks.contains(&(id >> CHUNK)) {
                chunks.push(id >> CHUNK);
            }
            let bytes = live.and_then(|slot| match &slot.item {
                Item::Owed => None, // written above
                Item::Asked(asked) => Some(asked_row(asked)),
                Item::Parked(parked) => Some(parked_row(parked)),
            });
            if bytes.is_some() || (stored && live.is_none()) {
                writes.push((item(id), bytes));
            }
        }
        for chunk in chunks {
            let mut bits = [0u8; 1 << CHUNK >> 3];
            let mut any = false;
            for id in self.chunk(chunk) {
                let (byte, bit) = ((id >> 3) as usize & (bits.len().saturating_sub(1)), id & 7);
                if let Some(byte) = bits.get_mut(byte) {
                    *byte |= 1 << bit;
                    any = true;
                }
            }
            writes.push((index(chunk), any.then(|| bits.to_vec())));
        }
        writes.push((state(), Some(self.state_row())));
        released
    }
    fn chunk(&self, chunk: u64) -> impl Iterator<Item = u64> {
        self.used.range((chunk, 0)..=(chunk, u64::MAX)).map(|(_, id)| *id)
    }
    /// What comes again and is still owed. Once: after the commit.
    pub fn take_again(&mut self) -> Vec<(OutputId, Output)> {
        let live = &self.live;
        let again = std::mem::take(&mut self.again);
        again.into_iter().filter(|(id, _)| live.contains_key(&id.0)).collect()
    }
}

#[cfg(test)]
use std::collections::BTreeMap;
#[cfg(test)]
impl House {
    /// The indexes are what a fresh look at everything gives.
    pub fn check(&self) {
        let mut fresh = House::default();
        for asked_first in [true, false] {
            for (id, slot) in self.live.iter().filter(|(_, s)| matches!(s.item, Item::Asked(_)) == asked_first) {
                fresh.place(*id, Some(slot.clone()));
            }
        }
        assert_eq!(self.used, fresh.used);
        let waiters = |h: &House| h.waiters.iter().map(|(k, v)| (*k, v.iter().copied().collect::<BTreeSet<_>>())).collect::<BTreeMap<_, _>>();
        assert_eq!(waiters(self), waiters(&fresh));
        assert_eq!(self.left, fresh.left);
        assert_eq!((&self.queue, self.flying), (&fresh.queue, fresh.flying));
        assert_eq!((&self.chats, &self.deadlines), (&fresh.chats, &fresh.deadlines));
        assert_eq!(self.asked.values().collect::<BTreeSet<_>>(), fresh.asked.values().collect());
    }
    pub fn live(&self) -> usize {
        self.live.len()
    }
    pub fn tokens_for_tests(&self) -> Vec<Token> {
        self.tokens.keys().copied().collect::<BTreeSet<_>>().into_iter().collect()
    }
    pub fn asked_for_tests(&self) -> Vec<u64> {
        self.asked.values().copied().collect::<BTreeSet<_>>().into_iter().collect()
    }
}
