//! People who write to each other: first messages, both at once, several devices, both versions.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::arithmetic_side_effects)]
mod common;
#[path = "quirks/puppet.rs"]
mod puppet;
use common::*;
use proptest::prelude::*;
use subrosa_engine::*;
use subrosa_omemo::wire::{Version, device_list, encrypted};
use subrosa_ratchet::Omemo2;
use subrosa_testkit::{ClientId, Faults, Stanza};

/// Ten messages each way, in turns; all are read, in order.
fn ten_each_way(world: &mut World, alice: ClientId, bob: ClientId) {
    let (before_a, before_b) = (texts(world, alice).len(), texts(world, bob).len());
    let numbered = |who: &str| (0..10).map(|n| format!("{who} {n}")).collect::<Vec<_>>();
    for n in 0..10 {
        world.send(alice, BOB, &format!("a {n}"));
        world.run();
        world.send(bob, ALICE, &format!("b {n}"));
        world.run();
    }
    assert_eq!(texts(world, bob)[before_b..], numbered("a"));
    assert_eq!(texts(world, alice)[before_a..], numbered("b"));
    assert_eq!((unread(world, alice), unread(world, bob)), (vec![], vec![]));
}

#[test]
fn the_first_message_and_its_answer() {
    let (mut world, alice, bob) = two(1);
    let id = world.send(alice, BOB, "hello");
    world.run();
    assert_eq!(texts(&world, bob), ["hello"]);
    let to = device(&mut world, bob);
    assert_eq!(report(&world, alice, &id), [DeviceReport { device: to, protocol: "omemo:2".into(), result: Ok(()) }]);
    world.send(bob, ALICE, "and hello to you");
    world.run();
    assert_eq!(texts(&world, alice), ["and hello to you"]);
    assert!(!world.server.saw(b"hello"), "the server reads nothing");
    ten_each_way(&mut world, alice, bob);
}
#[test]
fn legacy_throughout() {
    let mut world = World::new(2);
    legacy_only(&mut world);
    let (alice, bob) = (world.join(ALICE, omemo), world.join(BOB, omemo));
    world.run();
    let id = world.send(alice, BOB, "hello");
    world.run();
    assert_eq!(report(&world, alice, &id)[0].protocol, "omemo:1");
    ten_each_way(&mut world, alice, bob);
    assert!(!world.server.saw(b"hello"));
}
#[test]
fn both_start_at_once() {
    for legacy in [false, true] {
        let mut world = World::new(3);
        if legacy {
            legacy_only(&mut world);
        }
        let (alice, bob) = (world.join(ALICE, omemo), world.join(BOB, omemo));
        world.run();
        world.send(alice, BOB, "at");
        world.send(bob, ALICE, "once");
        world.run();
        assert_eq!((texts(&world, bob), texts(&world, alice)), (vec!["at".into()], vec!["once".into()]));
        ten_each_way(&mut world, alice, bob);
        // and both keep writing without waiting
        for n in 0..10 {
            world.send(alice, BOB, &format!("x{n}"));
            world.send(bob, ALICE, &format!("y{n}"));
            world.run();
        }
        assert_eq!((texts(&world, alice).len(), texts(&world, bob).len()), (21, 21));
        assert_eq!((unread(&world, alice), unread(&world, bob)), (vec![], vec![]));
        // in the end no side repeats its key exchange
        world.send(alice, BOB, "last");
        world.send(bob, ALICE, "last");
        world.run();
        let (a, b) = (device(&mut world, alice), device(&mut world, bob));
        for to in [a, b] {
            let last = world.stanzas().iter().rev().find_map(|s| carried(s, &to)).unwrap();
            assert!(!last.keys[0].kex, "a key exchange after all those answers");
        }
    }
}
#[test]
fn one_message_to_devices_of_both_versions() {
    let mut world = World::new(4);
    legacy_only(&mut world);
    let old = world.join(BOB, omemo);
    world.run();
    world.disconnect(old); // before it learns of the new version
    world.notify(|_| true);
    world.server.refuse_nothing();
    let alice = world.join(ALICE, omemo);
    let new = world.join(BOB, omemo);
    world.run();
    let id = world.send(alice, BOB, "to both");
    world.run();
    let (d_old, d_new) = (device(&mut world, old), device(&mut world, new));
    let report = report(&world, alice, &id);
    let protocol = |d: &Device| report.iter().find(|r| r.device == *d).map(|r| (r.protocol.clone(), r.result));
    assert_eq!(protocol(&d_old), Some(("omemo:1".into(), Ok(()))));
    assert_eq!(protocol(&d_new), Some(("omemo:2".into(), Ok(()))));
    assert_eq!(report.len(), 2, "no device twice");
    let sent: Vec<_> = world.stanzas().iter().filter(|s| s.id == id).collect();
    assert_eq!(sent.len(), 2, "a stanza for each version");
    assert!(sent.iter().all(|s| carried(s, &d_old).is_some() != carried(s, &d_new).is_some()));
    world.connect(old);
    world.run();
    assert_eq!((texts(&world, old), texts(&world, new)), (vec!["to both".into()], vec!["to both".into()]));
    assert!(unread(&world, old).iter().all(|r| *r == Reason::NotForThisDevice));
    assert_eq!(unread(&world, new), [], "the part for older devices is nothing to tell");
    // a part without a key for us counts as the other one only where it says so and the first was read
    let other = world.stanzas().iter().find(|s| s.id == id && carried(s, &d_old).is_some()).unwrap().clone();
    let said = String::from_utf8(other.body.clone()).unwrap();
    let silent = said.replace("<also xmlns='urn:subrosa:omemo:0'/>", "");
    assert_ne!(silent, said);
    world.inject(Stanza { id: "alone".into(), body: silent.into_bytes(), ..other.clone() });
    world.run();
    assert_eq!(unread(&world, new), [Reason::NotForThisDevice], "the sender left us out");
    world.run_for(10 * 60_000);
    world.inject(Stanza { id: "later".into(), ..other });
    world.run();
    assert_eq!(unread(&world, new), [Reason::NotForThisDevice; 2]);
}
/// A program that speaks both versions and says nothing of it sends a stanza for each, under one id: the one that is not for us is no
/// message that we missed. Under another id it is, however close they are: the sender may have left us out.
#[test]
fn two_stanzas_of_one_message_that_do_not_say_so() {
    let (mut world, alice, mut bob) = puppet::talking::<Omemo2>(17);
    let list = device_list::write(Version::Legacy, &[device_list::ListedDevice::new(bob.id)]);
    let us = bob.id;
    // without a key for us, in the form of either version
    let not_for_us = |version: Version, rid: u32| {
        let (ns, payload) = (version.namespace(), puppet::base64(&[7; 40]));
        let keys = match version {
            Version::Omemo2 => format!("<keys jid='carol@example.org'><key rid='{rid}'>{payload}</key></keys>"),
            Version::Legacy => format!("<key rid='{rid}'>{payload}</key><iv>{}</iv>", puppet::base64(&[1; 12])),
        };
        format!("<encrypted xmlns='{ns}'><header sid='{us}'>{keys}</header><payload>{payload}</payload></encrypted>")
    };
    let send = |world: &mut World, id: &str, body: String| {
        let (chat, to, body, made) = (ChatId(ALICE.into()), Recipients::People(vec![ALICE.into()]), body.into_bytes(), world.now());
        let (id, from, kind, content_type) = (id.into(), BOB.into(), Kind::Text, ContentType::STANZA);
        world.inject(Stanza { id, part: 0, chat, from, to, kind, content_type, body, in_clear: false, made });
        world.run();
    };
    let words = |world: &mut World, bob: &mut puppet::Puppet<Omemo2>, id: &str| {
        let plain = bob.plain(world, id);
        let element = bob.sealed_element(&plain);
        send(world, id, element);
    };
    // on one list: no other version is spoken
    words(&mut world, &mut bob, "one");
    send(&mut world, "one", not_for_us(Version::Legacy, 9));
    assert_eq!(unread(&world, alice), [Reason::NotForThisDevice]);
    world.publish_as(BOB, Version::Legacy.device_list_node(), Some("current"), Keep::One, &list);
    world.run();
    words(&mut world, &mut bob, "two");
    world.run_for(10 * 60_000);
    send(&mut world, "two", not_for_us(Version::Legacy, 8));
    assert_eq!(unread(&world, alice).len(), 1, "the other part, however late");
    send(&mut world, "three", not_for_us(Version::Legacy, 7));
    assert_eq!(unread(&world, alice).len(), 2, "another message");
    words(&mut world, &mut bob, "four");
    send(&mut world, "four", not_for_us(Version::Omemo2, 6));
    assert_eq!(unread(&world, alice).len(), 3, "in our version we are left out");
    assert_eq!(texts(&world, alice)[2..], ["one", "two", "four"]);
}
#[test]
fn own_other_devices_read_along() {
    let mut world = World::new(5);
    let phone = world.join(ALICE, omemo);
    world.run();
    let laptop = world.join(ALICE, omemo);
    let bob = world.join(BOB, omemo);
    world.run();
    world.send(laptop, BOB, "from the laptop");
    world.run();
    assert_eq!(texts(&world, bob), ["from the laptop"]);
    assert_eq!(texts(&world, phone), ["from the laptop"], "by carbon; the laptop trusted the phone on joining");
}
#[test]
fn a_heartbeat_for_fifty_three_without_an_answer() {
    let (mut world, alice, bob) = two(6);
    world.send(bob, ALICE, "hello");
    world.run();
    let (from, to) = (device(&mut world, bob), device(&mut world, alice));
    let empties = |world: &World| {
        world.stanzas().iter().filter(|s| s.from == from.owner).filter_map(|s| carried(s, &to)).filter(|e| e.payload.is_none()).count()
    };
    let before = empties(&world);
    for n in 0..80 {
        world.send(alice, BOB, &n.to_string());
        world.run();
    }
    assert_eq!(empties(&world) - before, 1, "one for one ratchet key");
    assert_eq!(texts(&world, bob).len(), 80);
}
#[test]
fn a_session_replaced_by_hand_lives() {
    let (mut world, alice, bob) = two(7);
    ten_each_way(&mut world, alice, bob);
    let (engine, to) = (*world.client(alice).handle(), device(&mut world, bob));
    assert_eq!(world.call(alice, engine, move |o, cx| o.replace_session(cx, &to)), Some(Ok(())));
    world.run();
    ten_each_way(&mut world, alice, bob);
    let missing = Device::of(&BOB.into(), 1);
    let missing = world.call(alice, engine, move |o, cx| o.replace_session(cx, &missing)).unwrap();
    assert_eq!(missing.unwrap_err().code(), "omemo.replace.not-listed");
}
#[test]
fn a_lost_session_is_set_up_again() {
    let (mut world, alice, bob) = two(8);
    ten_each_way(&mut world, alice, bob);
    // bob has the device but not the session: another key accepted, then the old one again
    let from = device(&mut world, alice);
    let known = key(&mut world, alice);
    let other = Fingerprint([7; 32]);
    world.feed(bob, Input::SetTrust(from.clone(), other, Trust::Trusted));
    world.feed(bob, Input::SetTrust(from, known, Trust::Trusted));
    world.run();
    world.send(alice, BOB, "lost");
    world.run();
    assert_eq!(unread(&world, bob), [Reason::NoSession]);
    world.send(alice, BOB, "found");
    world.run();
    assert_eq!(texts(&world, bob).last().unwrap(), "found");
    world.send(bob, ALICE, "again");
    world.run();
    assert_eq!(texts(&world, alice).last().unwrap(), "again");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]
    /// Whatever the network does, what arrives is read once, whoever writes when.
    #[test]
    fn loss_delay_disorder_and_repetition(seed in 0u64..1_000_000, lose in 0u32..150, duplicate in 0u32..200, delay in 0u64..400, reorder: bool, legacy: bool, turns in prop::collection::vec(0u8..3, 1..40)) {
        let mut world = World::new(seed);
        if legacy {
            legacy_only(&mut world);
        }
        let (alice, bob) = (world.join(ALICE, omemo), world.join(BOB, omemo));
        world.run();
        world.faults = Faults { lose, duplicate, delay, reorder, ..Faults::default() };
        for (n, turn) in turns.iter().enumerate() {
            if *turn != 1 {
                world.send(alice, BOB, &format!("a{n}"));
            }
            if *turn != 0 {
                world.send(bob, ALICE, &format!("b{n}"));
            }
            if n % 3 == 0 {
                world.run();
            }
        }
        world.run();
        for who in [alice, bob] {
            let mut seen = texts(&world, who);
            let all = seen.len();
            seen.sort();
            seen.dedup();
            prop_assert_eq!(seen.len(), all, "nothing is shown twice");
            if lose == 0 {
                let sent = turns.iter().filter(|t| **t != if who == alice { 0 } else { 1 }).count();
                prop_assert_eq!(all, sent, "nothing is lost");
                prop_assert_eq!(unread(&world, who), vec![]);
            }
        }
        // and then, on a good line, everything is well
        world.faults = Faults::default();
        for n in 0..3 {
            world.send(alice, BOB, &format!("c{n}"));
            world.run();
            world.send(bob, ALICE, &format!("c{n}"));
            world.run();
        }
        for who in [alice, bob] {
            let seen = texts(&world, who);
            prop_assert_eq!(&seen[seen.len() - 3..], ["c0", "c1", "c2"]);
        }
    }
}

/// The version that a device is spoken to is on the list.
#[test]
fn both_lists_name_the_device() {
    let (mut world, alice, _) = two(9);
    let id = number(&device(&mut world, alice));
    for version in Version::ALL {
        assert_eq!(listed(&world, ALICE, version), [id]);
        assert_eq!(published(&world, ALICE, id, version).unwrap().prekeys.len(), 100);
    }
}
/// Nobody pushes to a stranger: the list is asked for again after a while.
#[test]
fn a_strangers_new_device_is_found() {
    let mut world = World::new(10);
    world.server.make_strangers(&ALICE.into(), &BOB.into());
    let (alice, bob) = (world.join(ALICE, omemo), world.join(BOB, omemo));
    world.run();
    world.send(alice, BOB, "one");
    world.run();
    let other = world.join(BOB, omemo);
    world.run();
    world.run_for(2 * 60 * 60_000);
    let fetches = |world: &World| {
        world.server.requests().iter().filter(|(from, r)| from.as_str() == ALICE && matches!(r, Request::Fetch(n) if n.owner.as_str() == BOB)).count()
    };
    world.send(alice, BOB, "two");
    world.run();
    assert_eq!((texts(&world, bob).len(), texts(&world, other)), (2, vec!["two".into()]));
    let before = fetches(&world);
    world.send(alice, BOB, "three");
    world.run();
    assert_eq!(fetches(&world), before, "but not each time");
}
/// Whoever sends what we have no session for does not make us ask each time.
#[test]
fn a_lost_session_is_not_asked_for_each_time() {
    let (mut world, alice, bob) = two(11);
    world.faults.lose = 1000;
    world.send(bob, ALICE, "hello");
    world.send(alice, BOB, "hello");
    world.run();
    world.faults.lose = 0;
    world
        .server
        .refuse(|from, r| (from.as_str() == BOB && matches!(r, Request::Fetch(n) if n.name.ends_with(":bundles"))).then_some(RequestError::NotFound));
    let (from, known) = (device(&mut world, alice), key(&mut world, alice));
    for key in [Fingerprint([7; 32]), known] {
        world.feed(bob, Input::SetTrust(from.clone(), key, Trust::Trusted));
    }
    world.run();
    let asked = |world: &World| {
        world
            .server
            .requests()
            .iter()
            .filter(|(from, r)| from.as_str() == BOB && matches!(r, Request::Fetch(n) if n.name.ends_with(":bundles")))
            .count()
    };
    let (before, to) = (asked(&world), device(&mut world, bob));
    let sent = world.stanzas().iter().find(|s| s.from.as_str() == ALICE).unwrap().clone();
    for n in 0..5u8 {
        let mut builder = encrypted::Builder::omemo2(number(&from), 1);
        builder.recipient(BOB);
        builder.key(number(&to), false, b"\x0a\x02ab");
        world.inject(Stanza { id: format!("x{n}").as_str().into(), body: builder.message(Some(&[n; 16])), ..sent.clone() });
        world.run();
    }
    assert_eq!(unread(&world, bob), [Reason::NoSession; 5]);
    assert_eq!(asked(&world) - before, 1);
}
