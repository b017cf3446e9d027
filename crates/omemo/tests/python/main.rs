//! With python-omemo on the other side, in process: bundles, first messages by either side, both at once, in both versions.
//!
//! Runs where `SUBROSA_PYTHON` names a Python that has it (`omemo`, `twomemo[xml]`, `oldmemo[xml]`).
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::arithmetic_side_effects)]
#[path = "../common/mod.rs"]
mod common;
use common::*;
use serde_json::{Value, json};
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use subrosa_engine::*;
use subrosa_omemo::wire::Version;
use subrosa_testkit::{ClientId, Stanza};

/// Alice is ours; Bob is python-omemo, and this carries between them.
struct Pair {
    world: World,
    alice: ClientId,
    process: Child,
    to: ChildStdin,
    from: BufReader<ChildStdout>,
    versions: Vec<&'static str>,
    /// Stanzas of alice that bob has been given.
    given: usize,
    /// Stanzas that bob wants sent.
    outbox: Vec<String>,
    sequence: usize,
}
impl Drop for Pair {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
    }
}
impl Pair {
    fn new(seed: u64, versions: &[Version]) -> Option<Self> {
        let Some(python) = std::env::var_os("SUBROSA_PYTHON") else {
            eprintln!("skipped: SUBROSA_PYTHON is not set");
            return None;
        };
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/python/peer.py");
        let mut process = Command::new(python).arg(script).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let (to, from) = (process.stdin.take().unwrap(), BufReader::new(process.stdout.take().unwrap()));
        let mut world = World::new(seed);
        let alice = world.join(ALICE, omemo);
        world.run();
        let versions = versions.iter().map(|v| v.namespace()).collect();
        let mut pair = Pair { world, alice, process, to, from, versions, given: 0, outbox: Vec::new(), sequence: 0 };
        let versions = pair.versions.clone();
        assert!(pair.ask(json!({ "do": "start", "versions": versions }))["device"].is_number());
        pair.world.run();
        Some(pair)
    }
    fn ask(&mut self, mut question: Value) -> Value {
        let mut pep = serde_json::Map::new();
        for owner in [Address::from(ALICE), Address::from(BOB)] {
            let names: Vec<String> = self.world.server.nodes_of(&owner).map(str::to_owned).collect();
            for name in names {
                for item in &self.world.server.node(&owner, &name).unwrap().items {
                    let place = format!("{owner}|{name}|{}", item.id.as_deref().unwrap_or("current"));
                    pep.insert(place, String::from_utf8(item.payload.clone()).unwrap().into());
                }
            }
        }
        question["pep"] = pep.into();
        writeln!(self.to, "{question}").unwrap();
        let mut line = String::new();
        self.from.read_line(&mut line).unwrap();
        let answer: Value = serde_json::from_str(&line).unwrap();
        for (place, xml) in answer["pep"].as_object().unwrap() {
            let parts: Vec<&str> = place.split('|').collect();
            let keep = if parts[1].ends_with(":bundles") { Keep::Many } else { Keep::One };
            self.world.publish_as(parts[0], parts[1], Some(parts[2]), keep, xml.as_str().unwrap().as_bytes());
        }
        self.outbox.extend(answer["out"].as_array().unwrap().iter().map(|x| x.as_str().unwrap().to_owned()));
        answer
    }
    /// Bob writes; it is on its way.
    fn bob_writes(&mut self, text: &str) {
        let versions = self.versions.clone();
        let answer = self.ask(json!({ "do": "encrypt", "text": text, "versions": versions }));
        assert_eq!(answer["text"], "", "{answer}");
    }
    fn alice_writes(&mut self, text: &str) {
        self.world.send(self.alice, BOB, text);
        self.world.run();
    }
    /// What bob sent arrives at alice.
    fn carry_to_alice(&mut self) {
        for body in std::mem::take(&mut self.outbox) {
            self.sequence += 1;
            let to = Recipients::People(vec![ALICE.into()]);
            let id = MessageId(format!("py{}", self.sequence).into());
            self.world.inject(Stanza {
                id,
                part: 0,
                chat: ChatId(BOB.into()),
                from: BOB.into(),
                to,
                kind: Kind::Text,
                content_type: ContentType::STANZA,
                body: body.into_bytes(),
                in_clear: false,
                made: self.world.now(),
            });
            self.world.run();
        }
    }
    /// What alice sent arrives at bob: the texts he reads. Whatever he can't read fails the test.
    fn carry_to_bob(&mut self) -> Vec<String> {
        let mut read = Vec::new();
        while self.given < self.world.stanzas().len() {
            let stanza = self.world.stanzas()[self.given].clone();
            self.given += 1;
            if stanza.from.as_str() != ALICE {
                continue;
            }
            let body = String::from_utf8(stanza.body).unwrap();
            let xml = &body[..body.find("</encrypted>").unwrap() + "</encrypted>".len()];
            let answer = self.ask(json!({ "do": "decrypt", "xml": xml }));
            assert!(answer.get("error").is_none(), "bob can't read: {} {xml}", answer["error"]);
            read.extend(answer["text"].as_str().map(str::to_owned));
        }
        read
    }
    /// Until nothing is on its way. Gives what bob read.
    fn settle(&mut self) -> Vec<String> {
        let mut read = Vec::new();
        loop {
            self.carry_to_alice();
            let more = self.carry_to_bob();
            if more.is_empty() && self.outbox.is_empty() && self.given == self.world.stanzas().len() {
                return read;
            }
            read.extend(more);
        }
    }
    fn ten_each_way(&mut self) {
        let before = texts(&self.world, self.alice).len();
        for n in 0..10 {
            self.alice_writes(&format!("a{n}"));
            assert_eq!(self.settle(), [format!("a{n}")]);
            self.bob_writes(&format!("b{n}"));
            self.settle();
        }
        let read = texts(&self.world, self.alice);
        assert_eq!(read[before..], (0..10).map(|n| format!("b{n}")).collect::<Vec<_>>());
        assert_eq!(unread(&self.world, self.alice), vec![]);
    }
}
const VERSIONS: [&[Version]; 3] = [&[Version::Omemo2], &[Version::Legacy], &Version::ALL];

#[test]
fn alice_first() {
    for versions in VERSIONS {
        let Some(mut pair) = Pair::new(1, versions) else { return };
        pair.alice_writes("hello");
        assert_eq!(pair.settle(), ["hello"]);
        pair.ten_each_way();
    }
}
#[test]
fn bob_first() {
    for versions in VERSIONS {
        let Some(mut pair) = Pair::new(2, versions) else { return };
        pair.bob_writes("hello");
        pair.settle();
        assert_eq!(texts(&pair.world, pair.alice), ["hello"]);
        pair.ten_each_way();
    }
}
#[test]
fn both_at_once() {
    for versions in VERSIONS {
        for ahead in 1..4 {
            let Some(mut pair) = Pair::new(3, versions) else { return };
            for _ in 0..ahead {
                pair.bob_writes("at");
                pair.alice_writes("once");
            }
            assert_eq!(pair.settle(), vec!["once"; ahead]);
            assert_eq!(texts(&pair.world, pair.alice), vec!["at"; ahead]);
            pair.ten_each_way();
        }
    }
}
#[test]
fn sixty_in_a_row() {
    for versions in VERSIONS {
        let Some(mut pair) = Pair::new(4, versions) else { return };
        pair.alice_writes("hello");
        pair.settle();
        for n in 0..60 {
            pair.bob_writes(&n.to_string());
        }
        pair.settle();
        assert_eq!(texts(&pair.world, pair.alice).len(), 60);
        for n in 0..60 {
            pair.alice_writes(&n.to_string());
        }
        assert_eq!(pair.settle().len(), 60);
        pair.ten_each_way();
    }
}
