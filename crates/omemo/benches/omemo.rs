//! What the house costs: one message to 1000 devices through the machine, the engine, its records and the batch that is
//! stored, beside the floor of the bare primitives: `cargo bench -p subrosa-omemo --bench omemo -- [--json]`.
//!
//! Measured as the ratchet is (see its bench), floor and machine take turns within a round; but what counts is a low decile of the
//! times of each, not a median: an operation of milliseconds is interrupted more often than not on a busy machine.
//! The store takes the batch and throws it away: what a disk costs is measured with the store.
//!
//! `list_5000_cpu` and `list_5000_memory`: a message to somebody whose list has 5,000 devices, none with a bundle, so that nothing of
//! it is the cost of sessions; what the network between would cost is not in it.
#![allow(missing_docs, clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, clippy::arithmetic_side_effects)]
#[allow(dead_code)]
#[path = "../../ratchet/benches/ratchet/floor.rs"]
mod floor;

use base64::Engine as _;
use floor::Floor;
use getrandom::{SysRng, rand_core::UnwrapErr};
use std::collections::HashMap;
use std::convert::Infallible;
use std::hint::black_box;
use std::time::{Duration, Instant};
use subrosa_engine::*;
use subrosa_omemo::Omemo;
use subrosa_omemo::payload::OMEMO2_EMPTY;
use subrosa_omemo::wire::bundle::{self, Bundle};
use subrosa_omemo::wire::device_list::{self, ListedDevice};
use subrosa_omemo::wire::encrypted::Builder;
use subrosa_omemo::wire::{NodeKind, Version};
use subrosa_ratchet::{IdentityKeyPair, KeyExchange, KeyPair, Omemo2, PreKeyId, PreKeys, Session, SignedPreKeyId};

const ALICE: &str = "alice@example.org";
const BOB: &str = "bob@example.org";
const DEVICES: u32 = 1000;
const ROUNDS: usize = 101;

/// Takes everything, keeps nothing.
struct Null;
impl Store for Null {
    type Error = Infallible;
    fn load(&mut self, keys: &[Key]) -> Result<Vec<Option<Vec<u8>>>, Infallible> {
        Ok(vec![None; keys.len()])
    }
    fn commit(&mut self, batch: &Batch) -> Result<(), Infallible> {
        black_box(batch);
        Ok(())
    }
}

/// One of Bob's.
struct Theirs {
    identity: IdentityKeyPair,
    signed: KeyPair,
    one_time: KeyPair,
}
impl PreKeys for Theirs {
    fn pre_key(&self, _: PreKeyId) -> Option<KeyPair> {
        Some(self.one_time.clone())
    }
    fn signed_pre_key(&self, _: SignedPreKeyId) -> Option<KeyPair> {
        Some(self.signed.clone())
    }
}
impl Theirs {
    fn new() -> Self {
        let mut rng = UnwrapErr(SysRng);
        Theirs { identity: IdentityKeyPair::generate(&mut rng), signed: KeyPair::generate(&mut rng), one_time: KeyPair::generate(&mut rng) }
    }
    fn bundle(&self) -> Vec<u8> {
        bundle::write(&Bundle {
            version: Version::Omemo2,
            identity_key: (*self.identity.public().to_wire::<Omemo2>()).try_into().unwrap(),
            signed_prekey_id: 1,
            signed_prekey: *self.signed.public().as_bytes(),
            signature: self.identity.sign_pre_key::<Omemo2>(self.signed.public(), &mut UnwrapErr(SysRng)),
            prekeys: vec![(1, *self.one_time.public().as_bytes())],
        })
    }
    /// The answer to Alice's first message.
    fn answer(&self, id: u32, first: &[u8], alice: u32) -> Vec<u8> {
        let key = key_for(first, id);
        let mut session = Session::<Omemo2>::accept(&self.identity, self, &KeyExchange::parse(&key).unwrap()).unwrap().session;
        let (mut builder, mut out) = (Builder::omemo2(id, 1), Vec::new());
        session.encrypt(&OMEMO2_EMPTY, &mut UnwrapErr(SysRng), &mut out).unwrap();
        builder.recipient(ALICE);
        builder.key(alice, false, &out);
        builder.message(None)
    }
}

/// By hand: a first message to a thousand devices is larger than what is read.
fn key_for(body: &[u8], id: u32) -> Vec<u8> {
    let (body, tag) = (std::str::from_utf8(body).unwrap(), format!("<key rid='{id}' kex='true'>"));
    let key = &body[body.find(&tag).unwrap() + tag.len()..];
    base64::engine::general_purpose::STANDARD.decode(&key[..key.find('<').unwrap()]).unwrap()
}

struct Alice {
    machine: Machine,
    theirs: HashMap<u32, Theirs>,
    /// As many of them are on lists.
    listed: u32,
    messages: u64,
}
impl Alice {
    fn with(devices: u32) -> Self {
        let mut machine = Machine::new(ALICE.into());
        let omemo = machine.install(Omemo::default());
        machine.route(move |_| Some(omemo.id()));
        let theirs = (1..=devices).map(|id| (id, Theirs::new())).collect();
        let mut alice = Alice { machine, theirs, listed: 0, messages: 0 };
        alice.run(vec![Input::Online { resumed: false }]);
        alice
    }
    fn new() -> Self {
        let mut alice = Alice::with(DEVICES);
        // in two halves: a first message to a thousand is larger than a stanza may be
        for half in [1..=DEVICES / 2, DEVICES / 2 + 1..=DEVICES] {
            alice.listed = *half.end();
            let node = Node { owner: BOB.into(), name: Version::Omemo2.device_list_node().into(), item: None };
            let first = alice.run(vec![Input::Published(node, Some(alice.list())), alice.send(0)]);
            alice.answers(&first, half);
        }
        alice.run(vec![alice.send(0)]);
        alice
    }
    /// Everybody answers the first message.
    fn answers(&mut self, first: &[u8], ids: std::ops::RangeInclusive<u32>) {
        let header = std::str::from_utf8(first).unwrap();
        let us = header[header.find("sid='").unwrap() + 5..].split('\'').next().unwrap().parse().unwrap();
        let answer = |id: u32| {
            let from = Address::from(BOB);
            let (id, body) = ("answer".into(), self.theirs[&id].answer(id, first, us));
            let (chat, headers, content_type) = (ChatId(from.clone()), Headers::default(), ContentType::STANZA);
            Input::Receive { id, chat, from, sent: Time(0), kind: Kind::Other, content_type, body, headers, answer_by: None }
        };
        let answers = ids.map(answer).collect();
        self.run(answers);
    }
    fn list(&self) -> Vec<u8> {
        device_list::write(Version::Omemo2, &(1..=self.listed).map(ListedDevice::new).collect::<Vec<_>>())
    }
    fn send(&self, id: u64) -> Input {
        let (chat, to) = (ChatId(BOB.into()), Recipients::People(vec![BOB.into()]));
        let (id, plain) = (MessageId(id.to_string().into()), Plaintext::text("hello"));
        Input::Send { id, chat, to, kind: Kind::Text, plain, headers: Headers::default() }
    }
    /// Until everything is answered. Gives the first body that left.
    fn run(&mut self, mut queue: Vec<Input>) -> Vec<u8> {
        let (mut rng, mut body) = (UnwrapErr(SysRng), Vec::new());
        while !queue.is_empty() {
            let mut step = self.machine.begin(Time(0), &mut rng);
            queue.drain(..).for_each(|input| step.feed(input));
            for (id, output) in step.commit(&mut Null).unwrap() {
                let owed = output.is_owed();
                match output {
                    Output::Request(id, request) => queue.push(Input::Answer(id, Ok(self.answer(&request)))),
                    Output::Transmit { wire: Wire::Encrypted(part), .. } if body.is_empty() => body = part.body,
                    Output::Event(Event::NotSent { why, .. }) if !self.theirs.is_empty() => panic!("{why}"),
                    Output::Event(Event::NotReceived { why, .. }) => panic!("{why}"),
                    _ => {}
                }
                if owed {
                    queue.push(Input::Done(id));
                }
            }
        }
        body
    }
    fn answer(&self, request: &Request) -> Vec<Item> {
        let Request::Fetch(node) = request else { return Vec::new() };
        let payload = match Version::of_node(&node.name) {
            Some(NodeKind::DeviceList(Version::Omemo2)) if node.owner.as_str() == BOB => self.list(),
            Some(NodeKind::Bundle { version: Version::Omemo2, .. }) => {
                let id: u32 = node.item.as_deref().and_then(|i| i.parse().ok()).unwrap();
                let Some(theirs) = self.theirs.get(&id) else { return Vec::new() };
                theirs.bundle()
            }
            _ => return Vec::new(),
        };
        vec![Item { id: node.item.clone(), payload }]
    }
    /// One message, and how long the step took from its begin to the released outputs.
    fn message(&mut self) -> Duration {
        self.messages += 1;
        let (input, mut rng) = (self.send(self.messages), UnwrapErr(SysRng));
        let start = Instant::now();
        let mut step = self.machine.begin(Time(0), &mut rng);
        step.feed(input);
        let outputs = step.commit(&mut Null).unwrap();
        let time = start.elapsed();
        let done: Vec<Input> = outputs.iter().filter(|(_, o)| o.is_owed()).map(|(id, _)| Input::Done(*id)).collect();
        assert_eq!(done.len(), 2, "a stanza and its report");
        drop(outputs);
        self.run(done);
        time
    }
}
/// Seconds of CPU that this process has used, and the most memory in MiB it has had.
fn used() -> (f64, f64) {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let ticks = |n: usize| stat.rsplit(')').next().and_then(|s| s.split_whitespace().nth(n)).and_then(|t| t.parse::<f64>().ok()).unwrap_or(0.0);
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find_map(|l| l.strip_prefix("VmHWM:")).and_then(|l| l.split_whitespace().next()?.parse::<f64>().ok());
    ((ticks(11) + ticks(12)) / 100.0, peak.unwrap_or(0.0) / 1024.0)
}
/// A list of 5,000 devices without a bundle: seconds and MiB.
fn long_list() -> (f64, f64) {
    let mut alice = Alice { listed: 5000, ..Alice::with(0) };
    let before = used();
    alice.run(vec![alice.send(0)]);
    let after = used();
    (after.0 - before.0, after.1 - before.1)
}
fn undisturbed(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 10]
}

/// A message and the floor of its encryptions, turn about, so that a slower moment is one for both. Nanoseconds.
fn against_floor(alice: &mut Alice, mut run_floor: impl FnMut()) -> (f64, f64) {
    let (mut times, mut floors) = (Vec::new(), Vec::new());
    for round in 0..ROUNDS + 2 {
        let mut timed = || {
            let start = Instant::now();
            run_floor();
            start.elapsed()
        };
        let (floor, ours) = if round % 2 == 0 {
            let floor = timed();
            (floor, alice.message())
        } else {
            let ours = alice.message();
            (timed(), ours)
        };
        // the first two warm up
        if round >= 2 {
            times.push(ours.as_nanos() as f64);
            floors.push(floor.as_nanos() as f64);
        }
    }
    (undisturbed(&mut times), undisturbed(&mut floors))
}

fn main() {
    let json = std::env::args().any(|argument| argument == "--json");
    let (seconds, mebibytes) = long_list(); // first: memory is measured by its peak
    let mut floor = Floor::new();
    let (value, floor) = against_floor(&mut Alice::new(), || floor.fanout_1000());
    let ratio = value / floor;
    if json {
        println!(r#"{{"name":"omemo/machine_fanout_1000","value":{value:.0},"unit":"ns","floor":{floor:.0},"ratio":{ratio:.3},"limit":1.6}}"#);
    } else {
        let verdict = if ratio > 1.6 { "  missed" } else { "" };
        println!("{:<28}{:>12}{:>12}{:>8}{:>8}", "", "ours", "floor", "ratio", "at most");
        println!("{:<28}{:>9.1} µs{:>9.1} µs{ratio:>8.2}{:>8.2}{verdict}", "machine_fanout_1000", value / 1000.0, floor / 1000.0, 1.6);
    }
    if json {
        println!(r#"{{"name":"omemo/list_5000_cpu","value":{seconds:.2},"unit":"s","floor":null,"ratio":null,"limit":1}}"#);
        println!(r#"{{"name":"omemo/list_5000_memory","value":{mebibytes:.1},"unit":"MiB","floor":null,"ratio":null,"limit":20}}"#);
    } else {
        println!("{:<28}{seconds:>10.2} s{:>28}", "list_5000_cpu", "1 s");
        println!("{:<28}{mebibytes:>8.1} MiB{:>28}", "list_5000_memory", "20 MiB");
    }
}
