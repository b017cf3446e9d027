//! A device of OMEMO as a host drives it, for benches: a machine and its store, whose requests a server answers at once and whose outputs
//! are done as soon as they are released. Owns no network: what leaves is handed back ([`Post`]), and fed where it belongs.
#![allow(clippy::unwrap_used)]

use std::time::SystemTime;
use subrosa_engine::{
    Address, Batch, ChatId, ContentType, Event, Headers, Input, Key, Kind, Machine, MessageId, Output, OutputId, Plaintext, Recipients, Store, Time,
    Wire, Write,
};
use subrosa_omemo::Omemo;
use subrosa_testkit::{FakeServer, Seeded};

/// A message that left.
#[derive(Clone, Debug)]
pub struct Post {
    /// Whose.
    pub from: Address,
    /// In the sender's words: the other's address, or the room's.
    pub chat: ChatId,
    /// The children of the stanza.
    pub body: Vec<u8>,
}
impl Post {
    /// As it comes to another: in a room under the room's name, else under the sender's.
    #[must_use]
    pub fn arrives(self, id: &str, room: &ChatId) -> Input {
        let chat = if self.chat == *room { self.chat } else { ChatId(self.from.clone()) };
        let (kind, headers, content_type) = (Kind::Text, Headers::default(), ContentType::STANZA);
        Input::Receive { id: id.into(), chat, from: self.from, sent: now(), kind, content_type, body: self.body, headers, answer_by: None }
    }
}

/// One device.
pub struct Device<S> {
    /// Whose it is.
    pub me: Address,
    /// All that it knows.
    pub store: S,
    machine: Machine,
    rng: Seeded,
}
/// What one step released.
#[derive(Default)]
pub struct Released {
    /// Messages that left.
    pub posts: Vec<Post>,
    /// Messages that were shown.
    pub shown: usize,
    /// What has to be fed next: the server's answers, and that all is done.
    pub next: Vec<Input>,
}

impl<S: Store> Device<S> {
    /// Cold, over what there is. The seed is its own.
    pub fn new(me: &Address, store: S, seed: u64) -> Self {
        let mut machine = Machine::new(me.clone());
        let omemo = machine.install(Omemo::default());
        machine.route(move |_| Some(omemo.id()));
        Device { me: me.clone(), store, machine, rng: Seeded::new(seed) }
    }
    /// One step, one commit.
    ///
    /// # Panics
    /// Where a message is not sent or not read: nothing is to fail in a bench.
    pub fn step(&mut self, server: &mut FakeServer, inputs: Vec<Input>) -> Released {
        let outputs = self.commit(inputs);
        self.perform(server, outputs)
    }
    /// The first half of [`Self::step`]: what is measured.
    ///
    /// # Panics
    /// Where the store fails.
    pub fn commit(&mut self, inputs: Vec<Input>) -> Vec<(OutputId, Output)> {
        let mut step = self.machine.begin(now(), &mut self.rng);
        inputs.into_iter().for_each(|input| step.feed(input));
        step.commit(&mut self.store).unwrap().into_iter().collect()
    }
    /// The second: what the host does.
    ///
    /// # Panics
    /// See [`Self::step`].
    pub fn perform(&mut self, server: &mut FakeServer, outputs: Vec<(OutputId, Output)>) -> Released {
        let mut released = Released::default();
        for (id, output) in outputs {
            if output.is_owed() {
                released.next.push(Input::Done(id));
            }
            match output {
                Output::Request(id, request) => released.next.push(Input::Answer(id, server.answer(&self.me, &request).0)),
                Output::Transmit { chat, wire: Wire::Encrypted(part), .. } => {
                    released.posts.push(Post { from: self.me.clone(), chat, body: part.body })
                }
                Output::Event(Event::Message { .. }) => released.shown += 1,
                Output::Event(Event::NotSent { why, .. } | Event::NotReceived { why, .. }) => panic!("{}: {why}", self.me),
                _ => {}
            }
        }
        released
    }
    /// Until nothing is left to answer. Gives what left.
    ///
    /// # Panics
    /// See [`Self::step`].
    pub fn run(&mut self, server: &mut FakeServer, mut inputs: Vec<Input>) -> Vec<Post> {
        let mut posts = Vec::new();
        while !inputs.is_empty() {
            let released = self.step(server, inputs);
            posts.extend(released.posts);
            inputs = released.next;
        }
        posts
    }
    /// Connects, and is published.
    ///
    /// # Panics
    /// See [`Self::step`].
    pub fn join(&mut self, server: &mut FakeServer) {
        self.run(server, vec![Input::Online { resumed: false }]);
    }
}

/// A message of some words.
#[must_use]
pub fn says(id: &str, chat: &ChatId, to: Recipients, words: &str) -> Input {
    Input::Send { id: MessageId(id.into()), chat: chat.clone(), to, kind: Kind::Text, plain: Plaintext::text(words), headers: Headers::default() }
}
/// The present.
#[must_use]
pub fn now() -> Time {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Time(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

/// Two stores that get the same, of which the first answers.
pub struct Both<A, B>(pub A, pub B);
impl<A: Store, B: Store> Store for Both<A, B> {
    type Error = A::Error;
    fn load(&mut self, keys: &[Key]) -> Result<Vec<Option<Vec<u8>>>, A::Error> {
        self.0.load(keys)
    }
    fn commit(&mut self, batch: &Batch) -> Result<(), A::Error> {
        self.1.commit(batch).unwrap();
        self.0.commit(batch)
    }
}
/// A store that is watched.
pub struct Watched<S> {
    /// The store.
    pub store: S,
    /// Transactions so far.
    pub commits: usize,
    /// What the next of them writes, if that is wanted.
    pub rows: Option<Vec<Write>>,
}
impl<S: Store> Store for Watched<S> {
    type Error = S::Error;
    fn load(&mut self, keys: &[Key]) -> Result<Vec<Option<Vec<u8>>>, S::Error> {
        self.store.load(keys)
    }
    fn commit(&mut self, batch: &Batch) -> Result<(), S::Error> {
        self.commits += 1;
        if let Some(rows) = self.rows.as_mut().filter(|rows| rows.is_empty()) {
            rows.extend_from_slice(batch.writes());
        }
        self.store.commit(batch)
    }
}
