//! What mends itself: a memory that was put back, lost sessions in a storm, catch-ups that are cut, heartbeats that race, what a server
//! damages.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, clippy::arithmetic_side_effects)]
mod common;
#[path = "quirks/puppet.rs"]
mod puppet;
use common::*;
use puppet::*;
use std::cell::Cell;
use std::collections::HashSet;
use std::rc::Rc;
use subrosa_engine::*;
use subrosa_omemo::wire::device_list::ListedDevice;
use subrosa_omemo::wire::{Version, device_list, encrypted};
use subrosa_ratchet::{Legacy, Omemo2};
use subrosa_testkit::{ClientId, Crash, Stanza};

const MINUTE: u64 = 60_000;

fn warnings(world: &World, who: ClientId) -> Vec<Warning> {
    world.client(who).events().iter().filter_map(|e| if let Event::Warning { warning, .. } = e { Some(*warning) } else { None }).collect()
}
/// The ratchet messages for Bob in what Alice sent.
fn keys_for(world: &World, to: &Device) -> Vec<Vec<u8>> {
    let keys = |s: &Stanza| encrypted::parse(&s.body, to.owner.as_str(), number(to)).ok()?.encrypted.map(|e| e.keys);
    world.stanzas().iter().filter(|s| s.from.as_str() == ALICE).filter_map(keys).flatten().map(|key| key.data).collect()
}
/// Alice and Bob, who talk in both directions.
fn friends(seed: u64) -> (World, ClientId, ClientId) {
    let (mut world, alice, bob) = two(seed);
    for (from, to) in [(alice, BOB), (bob, ALICE), (alice, BOB)] {
        world.send(from, to, "hello");
        world.run();
    }
    (world, alice, bob)
}

#[test]
fn a_memory_that_was_put_back_is_seen_by_its_own_bundle_before_anything_is_encrypted() {
    for old in [false, true] {
        let mut world = World::new(1);
        if old {
            legacy_only(&mut world);
        }
        let (alice, bob) = (world.join(ALICE, omemo), world.join(BOB, omemo));
        world.run();
        for (from, to) in [(alice, BOB), (bob, ALICE)] {
            world.send(from, to, "hello");
            world.run();
        }
        let copy = world.client_mut(alice).snapshot();
        // the future that gets lost: messages with the next keys, a prekey that somebody takes
        world.send(alice, BOB, "of the future");
        let other = world.join(BOB, omemo);
        world.run();
        world.send(other, ALICE, "from another device");
        world.run();
        let to = device(&mut world, bob);
        let before: HashSet<Vec<u8>> = keys_for(&world, &to).into_iter().collect();
        world.roll_back(alice, &copy);
        world.send(alice, BOB, "again"); // before it is online
        world.run();
        assert_eq!(warnings(&world, alice), [Warning::RolledBack], "old: {old}");
        assert_eq!(texts(&world, bob).last().unwrap(), "again");
        assert!(keys_for(&world, &to).iter().filter(|key| !before.contains(*key)).count() >= 1);
        // both directions, without a person, and a restart is not another warning
        world.send(bob, ALICE, "and back");
        world.run();
        world.crash(alice);
        world.run();
        world.send(other, ALICE, "from there too");
        world.send(alice, BOB, "to both");
        world.run();
        assert_eq!(warnings(&world, alice), [Warning::RolledBack]);
        let read = texts(&world, alice);
        assert!(read.contains(&"and back".into()) && read.contains(&"from there too".into()), "{read:?}");
        assert!([bob, other].into_iter().all(|who| texts(&world, who).contains(&"to both".into())));
        assert_eq!(unread(&world, bob), []);
    }
}
/// Whenever the copy was taken: a bundle that was under way then does not go out over the newer one that shows how old the memory is.
#[test]
fn what_an_old_memory_owed_does_not_hide_that_it_is_old() {
    for steps in 0..24 {
        let mut world = World::new(3);
        let (alice, bob) = (world.join(ALICE, omemo), world.join(BOB, omemo));
        world.run();
        world.send(bob, ALICE, "a prekey is taken, and the bundle published without it");
        for _ in 0..steps {
            world.settle();
        }
        let copy = world.client_mut(alice).snapshot();
        world.run();
        let other = world.join(BOB, omemo);
        world.run();
        world.send(other, ALICE, "another one, in the time that gets lost");
        world.run();
        world.roll_back(alice, &copy);
        world.run();
        assert_eq!(warnings(&world, alice), [Warning::RolledBack], "copied after {steps} steps");
    }
}
/// The bundles of both versions are ahead, and a process dies between the two looks at them: it is one old memory.
#[test]
fn a_memory_that_was_put_back_is_told_once_whoever_dies() {
    for commit in 0..12 {
        let (mut world, alice, _) = friends(3);
        let copy = world.client_mut(alice).snapshot();
        world.disconnect(alice);
        world.run_for(15 * 24 * 60 * 60 * 1000);
        world.connect(alice); // the signed prekey is rotated: in both bundles
        world.run();
        world.roll_back(alice, &copy);
        let store = world.client_mut(alice).store();
        let next = store.commits() + commit;
        store.plan(next, Crash::AfterCommit);
        world.run();
        world.crash(alice);
        world.run();
        assert_eq!(warnings(&world, alice), [Warning::RolledBack], "dies after commit {commit}");
        world.send(alice, BOB, "here again");
        world.run();
        assert_eq!(unread(&world, alice), []);
    }
}
#[test]
fn a_memory_that_was_put_back_is_seen_by_what_it_sent() {
    let (mut world, alice, bob) = friends(2);
    let copy = world.client_mut(alice).snapshot();
    world.send(alice, BOB, "of the future");
    world.run();
    let sent = world.stanzas().last().unwrap().clone();
    world.roll_back(alice, &copy);
    world.run();
    assert_eq!(warnings(&world, alice), [], "nothing shows it yet");
    // as an archive has it: first one that somebody made up
    let back = |id: &str, body: Vec<u8>| Input::Receive {
        id: id.into(),
        chat: ChatId(BOB.into()),
        from: ALICE.into(),
        sent: Time(0),
        kind: Kind::Text,
        content_type: ContentType::STANZA,
        body,
        headers: Headers::default(),
        answer_by: None,
    };
    let from = device(&mut world, alice);
    let mut made_up = encrypted::Builder::omemo2(number(&from), 1);
    made_up.recipient(BOB);
    let to = device(&mut world, bob);
    let key = keys_for(&world, &to).pop().unwrap();
    let mut forged = key.clone();
    let last = forged.len() - 1;
    forged[last] ^= 1;
    made_up.key(number(&to), false, &forged);
    world.feed(alice, back("x1", made_up.message(Some(&[1; 16]))));
    world.run();
    assert_eq!(warnings(&world, alice), []);
    for id in ["x2", "x3"] {
        world.feed(alice, back(id, sent.body.clone()));
        world.run();
    }
    assert_eq!(warnings(&world, alice), [Warning::RolledBack]);
    world.send(alice, BOB, "anew");
    world.send(bob, ALICE, "I see");
    world.run();
    assert_eq!((texts(&world, bob).last().unwrap().as_str(), texts(&world, alice).last().unwrap().as_str()), ("anew", "I see"));
    let keys = keys_for(&world, &to);
    assert_eq!(keys.iter().collect::<HashSet<_>>().len(), keys.len());
}
/// What nothing shows: the next key is used twice, and whoever read the first takes the second for a repetition.
#[test]
fn what_can_not_be_seen() {
    let (mut world, alice, bob) = friends(3);
    let copy = world.client_mut(alice).snapshot();
    world.send(alice, BOB, "of the future");
    world.run();
    world.roll_back(alice, &copy);
    world.send(alice, BOB, "again");
    world.run();
    assert_eq!(warnings(&world, alice), []);
    assert_eq!(texts(&world, bob).last().unwrap(), "of the future");
}
/// Whoever had a session learns that it is over, some at a time.
#[test]
fn all_that_had_sessions_are_told() {
    let mut world = World::new(4);
    let alice = world.join(ALICE, omemo);
    let peers: Vec<String> = (0..45).map(|n| format!("peer{n}@example.org")).collect();
    let them: Vec<ClientId> = peers.iter().map(|peer| world.join(peer, omemo)).collect();
    world.run();
    for peer in &peers {
        world.send(alice, peer, "hello");
    }
    world.run();
    let copy = world.client_mut(alice).snapshot();
    let late = world.join(BOB, omemo);
    world.run();
    world.send(late, ALICE, "takes a prekey");
    world.run();
    world.roll_back(alice, &copy);
    world.run();
    let before = world.stanzas().len();
    let told = |world: &World, from: usize| {
        let to = |s: &Stanza| if let Recipients::Device(device) = &s.to { Some(device.owner.clone()) } else { None };
        world.stanzas()[from..].iter().filter(|s| s.from.as_str() == ALICE).filter_map(to).collect::<HashSet<_>>().len()
    };
    assert!(told(&world, 0) < 45);
    world.run_for(5 * MINUTE);
    assert!(told(&world, before) >= 20, "the rest by and by");
    for (peer, who) in peers.iter().zip(&them) {
        world.send(*who, ALICE, peer);
    }
    world.run();
    let read = texts(&world, alice);
    assert!(peers.iter().all(|peer| read.contains(peer)));
}
#[test]
fn a_storm_of_lost_sessions_is_bounded() {
    let (mut world, alice, mut bob) = meet::<Omemo2>(5);
    let devices: Vec<u32> = (1000..1250).collect();
    bob.publish_list(&mut world, &devices.iter().map(|id| ListedDevice::new(*id)).collect::<Vec<_>>());
    let to = number(&device(&mut world, alice));
    for n in 0..1500u32 {
        bob.id = devices[n as usize % devices.len()];
        let mut builder = encrypted::Builder::omemo2(bob.id, 1);
        builder.recipient(ALICE);
        builder.key(to, false, b"\x0a\x02ab");
        let element = String::from_utf8(builder.element(Some(&n.to_le_bytes().repeat(4)))).unwrap();
        bob.send(&mut world, &element);
    }
    assert_eq!(unread(&world, alice), vec![Reason::NoSession; 1500]);
    let bundle = |r: &Request| matches!(r, Request::Fetch(node) if node.owner.as_str() == BOB && node.name.contains("bundles"));
    let asked = world.server.requests().iter().filter(|(from, r)| from.as_str() == ALICE && bundle(r)).count();
    assert_eq!(asked, 120, "each device once in an hour, and so many of all");
}
/// Legacy clients expect a new session for what can't be read: once for each connection.
#[test]
fn an_unreadable_legacy_message_is_answered_by_a_new_session() {
    let (mut world, alice, mut bob) = talking::<Legacy>(6);
    bob.hear(&world);
    let damage = |world: &mut World, bob: &mut Puppet<Legacy>| {
        let sealed = bob.seal(b"damaged");
        let (_, mut data) = bob.key(&sealed.material);
        let middle = data.len() - 20;
        data[middle] ^= 1;
        let element = bob.element(false, &data, &sealed.iv, Some(&sealed.payload));
        bob.send(world, &element);
        bob.hear(world).into_iter().map(|heard| (heard.kex, heard.plain.is_some())).collect::<Vec<_>>()
    };
    assert_eq!(damage(&mut world, &mut bob), [(true, false)]);
    assert_eq!(damage(&mut world, &mut bob), []);
    world.disconnect(alice);
    world.run_for(MINUTE);
    world.connect(alice);
    world.run();
    assert_eq!(damage(&mut world, &mut bob), [(true, false)]);
    bob.say(&mut world, "well again");
    assert_eq!(texts(&world, alice).last().unwrap(), "well again");
}
/// XEP-0384 §6: prekeys taken twice while old messages arrive, over a crash and a catch-up that has no end, until one ends.
#[test]
fn prekeys_last_until_a_catch_up_ends() {
    let (mut world, alice, bob) = meet::<Omemo2>(7);
    let bundle = published(&world, ALICE, number(&bob.alice), Version::Omemo2).unwrap();
    let mut ids = 5000..;
    let mut take = |world: &mut World| {
        let mut other = Puppet::<Omemo2>::new(u64::from(ids.start), bob.alice.clone());
        other.id = ids.next().unwrap();
        other.initiate_with(&bundle);
        other.say(world, "with the same prekey");
        other.hear(world).len()
    };
    let catch_up = |world: &mut World, running| {
        world.feed(alice, Input::CatchUp { running });
        world.run();
    };
    catch_up(&mut world, true);
    world.run_for(10 * MINUTE);
    assert_eq!(take(&mut world), 1, "read, and answered at once");
    catch_up(&mut world, true);
    assert_eq!(take(&mut world), 1);
    world.crash(alice);
    world.run();
    catch_up(&mut world, true);
    world.run_for(10 * MINUTE);
    assert_eq!(take(&mut world), 1);
    catch_up(&mut world, false);
    assert_eq!(take(&mut world), 0);
    catch_up(&mut world, false); // an end without a beginning
    assert_eq!((texts(&world, alice).len(), unread(&world, alice)), (3, vec![Reason::UnknownPreKey]));
}
/// XEP-0384 §5.3: one heartbeat for each ratchet key, however many messages ask for one at once, and whenever the process dies.
#[test]
fn a_heartbeat_is_sent_once() {
    for (together, crash) in (1..4).flat_map(|n| [None].into_iter().chain(Crash::ALL.map(Some)).map(move |crash| (n, crash))) {
        let (mut world, alice, mut bob) = talking::<Omemo2>(8);
        bob.hear(&world);
        for n in 0..52 {
            bob.say(&mut world, &format!("{n}"));
        }
        world.faults.batch = 1000;
        if let Some(crash) = crash {
            let store = world.client_mut(alice).store();
            let next = store.commits();
            store.plan(next, crash);
        }
        for _ in 0..together {
            let plain = bob.plain(&world, "asks for one");
            let element = bob.sealed_element(&plain);
            let sent = Stanza {
                id: format!("h{}", world.rng().below(u64::MAX)).as_str().into(),
                part: 0,
                chat: ChatId(ALICE.into()),
                from: BOB.into(),
                to: Recipients::People(vec![ALICE.into()]),
                kind: Kind::Text,
                content_type: ContentType::STANZA,
                body: element.into_bytes(),
                in_clear: false,
                made: world.now(),
            };
            world.inject(sent);
        }
        world.run();
        bob.say(&mut world, "one more");
        let heard = bob.hear(&world);
        assert!(heard.len() == 1 && heard[0].plain.is_none(), "{together} at once, {crash:?}: {} heartbeats", heard.len());
        assert_eq!(unread(&world, alice), []);
    }
}
#[test]
fn who_is_taken_off_again_and_again_is_told() {
    let (mut world, alice, _) = two(9);
    let without = device_list::write(Version::Omemo2, &[device_list::ListedDevice::new(77)]);
    for n in 0..6 {
        world.publish_as(ALICE, Version::Omemo2.device_list_node(), Some("current"), Keep::One, &without);
        world.run_for(20 * MINUTE);
        assert_eq!(warnings(&world, alice).len(), usize::from(n >= 2), "{n}");
    }
    assert_eq!(warnings(&world, alice), [Warning::Delisted]);
    let id = number(&device(&mut world, alice));
    world.run_for(60 * MINUTE);
    assert!(listed(&world, ALICE, Version::Omemo2).contains(&id));
}
#[test]
fn a_damaged_bundle_is_repaired_and_told() {
    let (mut world, alice, _) = two(10);
    let id = number(&device(&mut world, alice));
    let node = Version::Omemo2.bundle_node(id);
    let good = published(&world, ALICE, id, Version::Omemo2).unwrap();
    let again = |world: &mut World| {
        world.disconnect(alice);
        world.connect(alice);
        world.run_for(2 * MINUTE);
    };
    again(&mut world);
    assert_eq!(warnings(&world, alice), []);
    world.server.node_mut(&ALICE.into(), &node).unwrap().items.last_mut().unwrap().payload = b"<bundle xmlns='urn:xmpp:omemo:2'/>".to_vec();
    again(&mut world);
    assert_eq!(warnings(&world, alice), [Warning::BundleRepaired]);
    assert_eq!(published(&world, ALICE, id, Version::Omemo2).unwrap(), good);
    // what is lost is published again without a word
    world.server.lose_node(&ALICE.into(), &node);
    again(&mut world);
    assert_eq!((warnings(&world, alice).len(), published(&world, ALICE, id, Version::Omemo2)), (1, Some(good)));
}
/// What we wrote to a large room comes back to a process that has loaded nothing: its members are looked up together.
#[test]
fn a_reflection_in_a_large_room_is_looked_at_in_a_few_rounds() {
    struct Rounds(MemoryStore, Rc<Cell<usize>>);
    impl Store for Rounds {
        type Error = std::convert::Infallible;
        fn load(&mut self, keys: &[Key]) -> Result<Vec<Option<Vec<u8>>>, Self::Error> {
            self.1.set(self.1.get() + 1);
            self.0.load(keys)
        }
        fn commit(&mut self, batch: &Batch) -> Result<(), Self::Error> {
            self.0.commit(batch)
        }
    }
    let (mut world, rounds) = (subrosa_testkit::World::<Installed<subrosa_omemo::Omemo>, Rounds>::new(11), Rc::new(Cell::new(0)));
    let alice = world.join_with(ALICE, Rounds(MemoryStore::default(), rounds.clone()), omemo);
    world.run();
    let engine = *world.client(alice).handle();
    let ours = world.call(alice, engine, |o, cx| o.own_device(cx)).flatten().unwrap();
    let chat = ChatId("room@conference.example.org".into());
    let members = (0..60).map(|n| Address::from(format!("m{n}@example.org").as_str())).chain([ALICE.into()]).collect();
    world.feed(alice, Input::Room(chat.clone(), Some(members)));
    world.run();
    world.crash(alice);
    world.run();
    let mut builder = encrypted::Builder::legacy(number(&ours), &[1; 12], 1);
    (77..80).for_each(|rid| builder.key(rid, false, &[0x33; 40]));
    let (id, sent, kind, content_type, body) = ("r".into(), world.now(), Kind::Text, ContentType::STANZA, builder.element(Some(&[1; 9])));
    let before = rounds.get();
    let headers = Headers::default();
    world.feed(alice, Input::Receive { id, chat, from: ALICE.into(), sent, kind, content_type, body, headers, answer_by: None });
    world.run();
    let rounds = rounds.get() - before;
    assert!(rounds < 10, "{rounds} rounds");
}
/// Nothing is encrypted before it is known that this memory is not an old one: not a heartbeat either.
#[test]
fn no_heartbeat_leaves_before_memories_are_compared() {
    let (mut world, alice, mut bob) = talking::<Omemo2>(12);
    bob.hear(&world);
    for n in 0..52 {
        bob.say(&mut world, &format!("{n}"));
    }
    assert!(bob.hear(&world).is_empty());
    world.crash(alice);
    world.disconnect(alice);
    let plain = bob.plain(&world, "asks for one");
    let (body, sent) = (bob.sealed_element(&plain).into_bytes(), world.now());
    let (chat, content_type, headers) = (ChatId(BOB.into()), ContentType::STANZA, Headers::default());
    world.feed(
        alice,
        Input::Receive { id: "h1".into(), chat, from: BOB.into(), sent, kind: Kind::Text, content_type, body, headers, answer_by: None },
    );
    world.run();
    assert_eq!(texts(&world, alice).last().unwrap(), "asks for one");
    world.connect(alice);
    world.run();
    assert!(bob.hear(&world).is_empty());
    bob.say(&mut world, "asks again");
    assert_eq!(bob.hear(&world).len(), 1);
}
