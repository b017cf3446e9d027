//! The process dies at every commit, and between commit and send: no message told as sent is lost, none is shown twice,
//! no message key is used twice.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::arithmetic_side_effects)]
mod common;
use common::*;
use std::collections::HashMap;
use subrosa_engine::*;
use subrosa_omemo::wire::encrypted;
use subrosa_testkit::{Faults, crash_everywhere};

/// Ratchet key and counter of every message in a stanza for this device, straight from the protobuf.
fn message_keys(stanza: &subrosa_testkit::Stanza, to: &Device) -> Vec<Vec<u8>> {
    let Some(found) = carried(stanza, to) else { return Vec::new() };
    found.keys.iter().map(|key| header(&key.data)).collect()
}
/// OMEMOKeyExchange{5 message} or OMEMOAuthenticatedMessage{2 message} → OMEMOMessage{1 n, 3 dh_pub}
fn header(data: &[u8]) -> Vec<u8> {
    let fields = fields(data);
    let authenticated = fields.iter().find(|(tag, _)| *tag == 5).map_or(data, |(_, inner)| inner);
    let message = self::fields(authenticated).into_iter().find(|(tag, _)| *tag == 2).unwrap().1;
    let inner = self::fields(message);
    let n = inner.iter().find(|(tag, _)| *tag == 1).map_or(&[0][..], |(_, n)| n);
    [inner.iter().find(|(tag, _)| *tag == 3).unwrap().1, n].concat()
}
fn fields(mut data: &[u8]) -> Vec<(u8, &[u8])> {
    let mut all = Vec::new();
    while let Some((tag, rest)) = data.split_first() {
        let end = rest.iter().position(|b| b & 0x80 == 0).unwrap() + 1;
        let value = rest[..end].iter().rev().fold(0usize, |n, b| n << 7 | usize::from(b & 0x7f));
        let (field, rest) = if tag & 7 == 2 { (&rest[end..end + value], &rest[end + value..]) } else { (&rest[..end], &rest[end..]) };
        all.push((tag >> 3, field));
        data = rest;
    }
    all
}
/// No (ratchet key, counter) carries two different things.
fn no_key_twice(world: &World, devices: &[Device]) {
    let mut used: HashMap<Vec<u8>, Vec<u8>> = HashMap::new();
    for stanza in world.stanzas() {
        for to in devices {
            for key in message_keys(stanza, to) {
                let before = used.insert(key, stanza.body.clone());
                assert!(before.is_none_or(|body| body == stanza.body), "a message key was used for two messages");
            }
        }
    }
}
fn conversation(world: &mut World) {
    let (alice, bob) = (world.join(ALICE, omemo), world.join(BOB, omemo));
    world.run();
    world.send(alice, BOB, "one");
    world.run();
    world.send(bob, ALICE, "two");
    world.send(alice, BOB, "three");
    world.run();
    world.send(bob, ALICE, "four");
    world.run();
}
fn judge(world: &World, what: &str) {
    let clients: Vec<_> = world.clients().collect();
    let (alice, bob) = (clients[0], clients[1]);
    for (from, to, all) in [(alice, bob, ["one", "three"]), (bob, alice, ["four", "two"])] {
        let sent = world.client(from).events().iter().filter(|e| matches!(e, Event::Sent { kind: Kind::Text, .. })).count();
        assert_eq!(sent, all.len(), "{what}: told as sent");
        let mut seen = texts(world, to);
        seen.sort(); // what was on its way together may come in any order
        assert_eq!(seen, all, "{what}: nothing lost, nothing twice; {:?}", unread(world, to));
        assert_eq!(unread(world, to), vec![], "{what}");
    }
}

#[test]
fn at_every_commit() {
    let runs = crash_everywhere(
        1,
        |world: &mut World| conversation(world),
        |world, crash| {
            judge(world, &format!("{crash:?}"));
            let devices: Vec<Device> =
                world.stanzas().iter().filter_map(|s| encrypted::parse(&s.body, "", 0).ok()?.encrypted.map(|e| Device::of(&s.from, e.sid))).collect();
            no_key_twice(world, &devices);
        },
    );
    println!("{runs} runs");
    assert!(runs > 200);
}
#[test]
fn crashes_on_a_bad_line() {
    for seed in 0..20 {
        let (mut world, alice, bob) = two(seed);
        let devices = [device(&mut world, alice), device(&mut world, bob)];
        world.faults = Faults { duplicate: 200, delay: 300, reorder: true, batch: 300, ..Faults::default() };
        for n in 0..12 {
            world.send(alice, BOB, &format!("a{n}"));
            world.send(bob, ALICE, &format!("b{n}"));
            if n % 3 == 0 {
                let who = if world.rng().permille(500) { alice } else { bob };
                world.crash(who);
            }
            if n % 4 == 1 {
                world.run();
            }
        }
        world.run();
        no_key_twice(&world, &devices);
        for who in [alice, bob] {
            let mut seen = texts(&world, who);
            seen.sort();
            let mut all: Vec<_> = (0..12).map(|n| format!("{}{n}", if who == alice { 'b' } else { 'a' })).collect();
            all.sort();
            assert_eq!(seen, all, "{seed}: {:?}", unread(&world, who));
        }
    }
}
