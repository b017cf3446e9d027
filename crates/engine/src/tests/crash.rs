//! A process that dies at any commit, before it or between it and the release, any number of times: nothing lost, nothing doubled,
//! the same ids, no counter used twice.
use super::*;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

#[derive(Clone, Copy, Debug, PartialEq)]
enum Fate {
    Fine,
    /// The disk is full: nothing stored, the process lives.
    Full,
    /// Dies before the commit reaches the disk.
    Before,
    /// Dies after the commit, before anything is released.
    After,
    /// Lives, but a cancelled commit was never heard of again.
    Abandoned,
}
#[derive(Clone, Debug)]
enum Op {
    Send(u8, u8),
    Receive(u8),
    Answer(usize, bool),
    Done(usize),
    Tick,
    Online(bool),
    Restart,
    Trust(bool),
}
fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        4 => (0u8..3, 0u8..5).prop_map(|(chat, what)| Op::Send(chat, what)),
        3 => (0u8..3).prop_map(Op::Receive),
        8 => (0usize..8, prop::bool::weighted(0.9)).prop_map(|(n, ok)| Op::Answer(n, ok)),
        4 => (0usize..8).prop_map(Op::Done),
        1 => Just(Op::Tick),
        1 => any::<bool>().prop_map(Op::Online),
        1 => Just(Op::Restart),
        1 => any::<bool>().prop_map(Op::Trust),
    ]
}
fn fate() -> impl Strategy<Value = Fate> {
    prop_oneof![6 => Just(Fate::Fine), 1 => Just(Fate::Full), 1 => Just(Fate::Before), 1 => Just(Fate::After), 1 => Just(Fate::Abandoned)]
}

struct Disk {
    rows: MemoryStore,
    fate: Fate,
}
impl Store for Disk {
    type Error = std::io::Error;
    fn load(&mut self, keys: &[Key]) -> Result<Vec<Option<Vec<u8>>>, Self::Error> {
        Ok(self.rows.load(keys).unwrap())
    }
    fn commit(&mut self, batch: &Batch) -> Result<(), Self::Error> {
        if matches!(self.fate, Fate::Full | Fate::Before) {
            return Err(std::io::Error::other("no"));
        }
        let mut keys = BTreeSet::new();
        assert!(batch.writes().iter().all(|(key, _)| keys.insert(key.clone())), "each key once");
        self.rows.commit(batch).unwrap();
        if self.fate == Fate::After { Err(std::io::Error::other("dead")) } else { Ok(()) }
    }
}
impl AsyncStore for Disk {
    type Error = std::io::Error;
    async fn load(&mut self, keys: &[Key]) -> Result<Vec<Option<Vec<u8>>>, Self::Error> {
        Store::load(self, keys)
    }
    async fn commit(&mut self, batch: &Batch) -> Result<(), Self::Error> {
        Store::commit(self, batch)?;
        std::future::pending().await
    }
}

struct Host {
    machine: Machine,
    disk: Disk,
    time: u64,
    /// Every output ever released, by id.
    seen: BTreeMap<OutputId, String>,
    /// What the host would acknowledge next.
    owed: Vec<OutputId>,
    open: BTreeMap<RequestId, Request>,
    sends: Vec<(String, u8)>,
    received: Vec<String>,
}
impl Host {
    fn new() -> Self {
        let disk = Disk { rows: MemoryStore::default(), fate: Fate::Fine };
        let machine = Host::start();
        Host { machine, disk, time: 0, seen: BTreeMap::new(), owed: Vec::new(), open: BTreeMap::new(), sends: Vec::new(), received: Vec::new() }
    }
    fn start() -> Machine {
        let (mut machine, _) = machine();
        machine.configure(Settings::default().in_flight(2).cached_records(8));
        machine
    }
    fn restart(&mut self) {
        self.machine = Host::start();
        self.owed.clear();
        self.open.clear();
    }
    /// One step under a fate; whatever dies is started again and what survives outside is fed again.
    fn step(&mut self, input: impl Fn() -> Option<Input>, fate: Fate) {
        self.step_(&input, fate);
    }
    fn step_(&mut self, input: &dyn Fn() -> Option<Input>, fate: Fate) {
        self.time += 1;
        self.disk.fate = fate;
        let mut rng = Counting(self.time << 32);
        let mut step = self.machine.begin(Time(self.time), &mut rng);
        input().into_iter().for_each(|i| step.feed(i));
        if fate == Fate::Abandoned {
            let mut commit = Box::pin(step.commit_async(&mut self.disk));
            match commit.as_mut().poll(&mut std::task::Context::from_waker(std::task::Waker::noop())) {
                std::task::Poll::Ready(Ok(outputs)) => {
                    drop(commit); // nothing to write: nothing to be cancelled in
                    self.released(outputs);
                }
                std::task::Poll::Ready(Err(e)) => panic!("{e}"),
                std::task::Poll::Pending => {} // on the disk, and nobody was told
            }
            return;
        }
        match step.commit(&mut self.disk) {
            Ok(outputs) if matches!(fate, Fate::Before | Fate::After) => {
                drop(outputs); // dies after a commit that had nothing to write
                self.restart();
                self.step_(input, Fate::Fine);
            }
            Ok(outputs) => self.released(outputs),
            Err(_) if fate == Fate::Full => self.step_(input, Fate::Fine),
            Err(_) => {
                self.restart();
                let server_sends_again = input().filter(|i| matches!(i, Input::Receive { .. })).is_some();
                if fate == Fate::Before || server_sends_again {
                    self.step_(input, Fate::Fine);
                } else {
                    self.step_(&|| None, Fate::Fine);
                }
            }
        }
        self.machine.house.check();
    }
    fn released(&mut self, outputs: Outputs) {
        let again: BTreeSet<OutputId> = outputs.iter().map(|(id, _)| *id).filter(|id| outputs.is_again(*id)).collect();
        let mut last = None;
        for (id, output) in outputs {
            let word = word(&output);
            if let Some(before) = self.seen.insert(id, word.clone()) {
                assert_eq!(before, word, "the same id, another output");
                assert!(again.contains(&id), "{word} came twice without saying so");
            } // else new, or one that a dead process had committed and not released
            if output.is_owed() {
                assert!(last.is_none_or(|l| l < id), "in order");
                last = Some(id);
                self.owed.retain(|o| *o != id);
                self.owed.push(id);
            }
            if let Output::Request(request_id, request) = output {
                assert_eq!(request_id.0, id.0);
                self.open.insert(request_id, request);
            }
        }
    }
    fn run(&mut self, op: &Op, fate: Fate) {
        match op {
            Op::Send(chat, what) => {
                let id = format!("s{}", self.sends.len());
                self.sends.push((id.clone(), *chat));
                let text = ["hello", "two", "skip", "hello", "empty"][usize::from(*what)];
                let chat = ["bob@x", "carol@x", "dave@x"][usize::from(*chat)];
                self.step(|| Some(say(&id, chat, text)), fate);
            }
            Op::Receive(from) => {
                let id = format!("r{}", self.received.len());
                self.received.push(id.clone());
                let text = format!("seen {}", self.received.len());
                let from = ["bob@x", "carol@x", "dave@x"][usize::from(*from)];
                self.step(|| Some(receive(&id, from, Kind::Text, &text)), fate);
            }
            Op::Answer(n, ok) => {
                let Some((id, request)) = self.open.iter().nth(n % self.open.len().max(1)).map(|(i, r)| (*i, r.clone())) else { return };
                let answer = match request {
                    Request::Fetch(Node { item: None, .. }) => ids(&[7, 8]),
                    _ if *ok => Ok(Vec::new()),
                    _ => Err(RequestError::NotFound),
                };
                self.open.remove(&id);
                self.step(|| Some(Input::Answer(id, answer.clone())), fate);
            }
            Op::Done(n) => {
                if let Some(id) = self.owed.get(n % self.owed.len().max(1)).copied() {
                    self.owed.retain(|o| *o != id);
                    self.step(|| Some(Input::Done(id)), fate);
                }
            }
            Op::Tick => self.step(|| Some(Input::Tick), fate),
            Op::Online(resumed) => self.step(|| Some(Input::Online { resumed: *resumed }), fate),
            Op::Restart => self.restart(),
            Op::Trust(yes) => {
                let trust = if *yes { Trust::Trusted } else { Trust::Untrusted };
                self.step(|| Some(Input::SetTrust(Device::of(&"bob@x".into(), 8), key_of(8), trust)), fate);
            }
        }
    }
    /// The network is back, the disk is fine: everything comes to its end.
    fn finish(&mut self) {
        self.restart();
        self.step(|| Some(Input::Online { resumed: false }), Fate::Fine);
        while !self.open.is_empty() || !self.owed.is_empty() {
            self.run(&Op::Answer(0, true), Fate::Fine);
            self.run(&Op::Done(0), Fate::Fine);
        }
        assert_eq!(self.machine.house.live(), 0);
        let left: Vec<String> = self.disk.rows.keys_for_tests().map(|k| k.to_string()).filter(|k| k.starts_with("house/i")).collect();
        assert!(left.is_empty(), "{left:?}");
        self.restart();
        self.step(|| None, Fate::Fine);
        assert!(self.owed.is_empty() && self.open.is_empty(), "what is done stays done");
    }
    fn check(&self) {
        let words: Vec<&String> = self.seen.values().collect();
        let count = |start: &str| words.iter().filter(|w| w.starts_with(start)).count();
        for (id, _) in &self.sends {
            let (sent, not) = (count(&format!("sent {id} ")), count(&format!("not-sent {id} ")));
            assert_eq!(sent + not, 1, "{id}: {words:?}");
            assert_eq!(count(&format!("transmit {id}/0 ")), sent, "{id}");
        }
        for id in &self.received {
            assert_eq!(count(&format!("message {id} ")), 1, "{id}: {words:?}");
        }
        // the order of ids is the order of release: messages of a chat ended as they were given
        for chat in 0..3 {
            let given: Vec<&str> = self.sends.iter().filter(|(_, c)| *c == chat).map(|(id, _)| id.as_str()).collect();
            let ended: Vec<&str> =
                words.iter().filter(|w| w.starts_with("sent ") || w.starts_with("not-sent ")).filter_map(|w| w.split(' ').nth(1)).collect();
            let ended: Vec<&str> = ended.into_iter().filter(|id| given.contains(id)).collect();
            assert_eq!(ended, given);
        }
        // no counter of a device is used twice
        let mut used = BTreeSet::new();
        for word in words.iter().filter(|w| w.starts_with("transmit s") && w.contains("/0 ")) {
            let (id, body) = word["transmit ".len()..].split_once("/0 ").unwrap();
            let chat = self.sends.iter().find(|(s, _)| s == id).unwrap().1;
            for counter in body.split(',').filter(|c| c.contains(':')) {
                assert!(used.insert((chat, counter.to_string())), "{counter} twice: {words:?}");
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(160))]
    #[test]
    fn nothing_is_lost_and_nothing_doubled(ops in prop::collection::vec((op(), fate()), 1..60)) {
        let mut host = Host::new();
        for (op, fate) in &ops {
            host.run(op, *fate);
        }
        host.finish();
        host.check();
    }
}

#[test]
fn one_conversation_dies_at_every_step_in_every_way() {
    let story: Vec<Op> = vec![
        Op::Send(0, 0),
        Op::Send(0, 1),
        Op::Receive(0),
        Op::Answer(0, true),
        Op::Answer(0, true),
        Op::Send(1, 0),
        Op::Answer(0, true),
        Op::Done(0),
        Op::Answer(0, true),
        Op::Receive(1),
        Op::Answer(0, true),
        Op::Answer(0, false),
        Op::Done(1),
        Op::Done(0),
        Op::Send(0, 3),
    ];
    for fate in [Fate::Full, Fate::Before, Fate::After, Fate::Abandoned] {
        for at in 0..story.len() {
            let mut host = Host::new();
            for (n, op) in story.iter().enumerate() {
                host.run(op, if n == at { fate } else { Fate::Fine });
            }
            host.finish();
            host.check();
        }
    }
}
