//! What a server takes away or holds back: nothing goes where it should not, and a person learns what matters.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, clippy::arithmetic_side_effects)]
mod common;
#[path = "quirks/puppet.rs"]
mod puppet;
use common::*;
use puppet::*;
use subrosa_engine::*;
use subrosa_omemo::wire::{Version, device_list};
use subrosa_ratchet::Omemo2;
use subrosa_testkit::ClientId;

/// A server takes a contact's newer keys away: what is written goes on in the older version, and a person knows.
#[test]
fn who_is_written_to_in_an_older_version_than_before_is_told_of_once() {
    let (mut world, alice, bob) = two(22);
    world.send(alice, BOB, "hello");
    world.run();
    world.send(bob, ALICE, "hello");
    world.run();
    let theirs = device(&mut world, bob);
    world.disconnect(bob);
    world.publish_as(BOB, Version::Omemo2.device_list_node(), Some("current"), Keep::One, &device_list::write(Version::Omemo2, &[]));
    world.run();
    for words in ["two", "three"] {
        let id = world.send(alice, BOB, words);
        world.run();
        assert_eq!(report(&world, alice, &id)[0].protocol, Version::Legacy.protocol());
    }
    let told: Vec<_> = world.client(alice).events().iter().filter(|e| matches!(e, Event::Warning { .. })).collect();
    let [Event::Warning { warning: Warning::Downgraded, chat: Some(chat), device: Some(device) }] = told[..] else { panic!("{told:?}") };
    assert_eq!((chat.0.as_str(), device), (BOB, &theirs));
}
const CAROL: &str = "carol@example.org";
const ROOM: &str = "room@conference.example.org";

/// Alice and Bob in a room that leaves out who can't read, with Carol, whose server does not hand out the keys of her device.
fn room_with_carol(seed: u64) -> (World, ClientId, ClientId) {
    let mut world = World::new(seed);
    let clients = [ALICE, BOB, CAROL].map(|who| world.join(who, omemo));
    world.run();
    world.disconnect(clients[2]);
    let members: Vec<Address> = [ALICE, BOB, CAROL].map(Address::from).to_vec();
    world.set_room(ROOM, members.clone());
    for who in clients {
        world.feed(who, Input::Room(ChatId(ROOM.into()), Some(members.clone())));
        world.feed(who, Input::LeaveOut(ChatId(ROOM.into()), true));
    }
    world.server.refuse(|_, request| match request {
        Request::Fetch(node) if node.owner.as_str() == CAROL && node.name.contains("bundles") => Some(RequestError::Unreachable),
        _ => None,
    });
    world.run();
    (world, clients[0], clients[1])
}
fn say(world: &mut World, from: ClientId, words: &str) -> MessageId {
    let id = MessageId(words.into());
    world.feed(
        from,
        Input::Send {
            id: id.clone(),
            chat: ChatId(ROOM.into()),
            to: Recipients::Room,
            kind: Kind::Text,
            plain: Plaintext::text(words),
            headers: Headers::default(),
        },
    );
    id
}
/// How often Alice asked for the keys of a person's devices.
fn asked(world: &World, of: &str) -> usize {
    let bundle = |r: &Request| matches!(r, Request::Fetch(node) if node.owner.as_str() == of && node.name.contains("bundles"));
    world.server.requests().iter().filter(|(from, r)| from.as_str() == ALICE && bundle(r)).count()
}
/// One server that does not answer holds up one message, not each.
#[test]
fn a_message_to_a_room_does_not_wait_again_for_what_failed() {
    let (mut world, alice, bob) = room_with_carol(31);
    say(&mut world, alice, "first");
    world.run();
    let mut before = asked(&world, CAROL);
    for (minutes, asks) in [(1, true), (1, false), (1, true), (3, false), (1, true), (60, true), (61, true)] {
        world.run_for(minutes * 60_000 + 1);
        let waits = |world: &World| world.client(alice).events().iter().filter(|e| matches!(e, Event::Waiting { .. })).count();
        let waiting = waits(&world);
        let words = format!("at {}", world.now().0);
        let id = say(&mut world, alice, &words);
        world.run();
        assert_eq!(waits(&world), waiting, "it does not wait");
        let line = report(&world, alice, &id).into_iter().find(|line| line.device.owner.as_str() == CAROL).unwrap();
        assert_eq!(line.result, Err(Exclusion::BundleUnavailable));
        let now = asked(&world, CAROL);
        assert_eq!(now > before, asks, "{minutes}");
        before = now;
    }
    assert_eq!(texts(&world, bob).len(), 8);
    // and when it answers, she gets what is written next
    world.server.refuse(|_, _| None);
    world.run_for(61 * 60_000);
    say(&mut world, alice, "asks");
    world.run();
    let id = say(&mut world, alice, "reaches her");
    world.run();
    assert!(report(&world, alice, &id).iter().any(|line| line.device.owner.as_str() == CAROL && line.result.is_ok()));
}
/// Nobody else gets it: then it waits for the keys, as often as it is tried.
#[test]
fn a_message_that_only_they_would_get_waits_for_them() {
    let (mut world, alice, _) = room_with_carol(32);
    for _ in 0..3 {
        let id = world.send(alice, CAROL, "are you there?");
        world.run();
        assert_eq!(not_sent(&world, alice, &id), Some(Reason::NoDevice));
        world.run_for(61_000);
    }
    world.server.refuse(|_, _| None);
    let id = world.send(alice, CAROL, "now");
    world.run();
    assert!(report(&world, alice, &id).iter().all(|line| line.result.is_ok()));
}
/// Whoever lists more devices than fit is not asked about for all of them.
#[test]
fn no_more_keys_are_asked_for_than_a_message_to_a_room_has_room_for() {
    let (mut world, alice, bob) = room_with_carol(33);
    let list: Vec<_> = (1..=5_000).map(device_list::ListedDevice::new).collect();
    world.publish_as(CAROL, Version::Legacy.device_list_node(), Some("current"), Keep::One, &device_list::write(Version::Legacy, &list));
    world.run();
    let id = say(&mut world, alice, "hi");
    world.run();
    assert_eq!(texts(&world, bob), ["hi"]);
    assert!(asked(&world, CAROL) < 1_000, "{}", asked(&world, CAROL));
    let many = report(&world, alice, &id).iter().filter(|line| line.result == Err(Exclusion::TooManyDevices)).count();
    assert!(many > 4_000, "{many}");
}
/// A room's server names whoever it likes; where nobody else says whose a key is, it is not trusted.
#[test]
fn the_word_of_a_room_alone_makes_no_key_trusted() {
    let mut world = World::new(34);
    let alice = world.join(ALICE, omemo);
    world.run();
    let mut evil = Puppet::<Omemo2>::new(34, device(&mut world, alice));
    world.feed(alice, Input::Room(ChatId(ROOM.into()), Some([ALICE, BOB].map(Address::from).to_vec())));
    world.server.refuse(|_, request| match request {
        Request::Fetch(node) if node.owner.as_str() == BOB => Some(RequestError::Unreachable),
        _ => None,
    });
    evil.initiate(&world);
    let plain = format!(
        "<envelope xmlns='urn:xmpp:sce:1'><content><body xmlns='jabber:client'>hi</body></content><from jid='{BOB}'/><to jid='{ROOM}'/></envelope>"
    );
    let body = evil.sealed_element(plain.as_bytes()).into_bytes();
    let sent = world.now();
    let receive = Input::Receive {
        id: "e1".into(),
        chat: ChatId(ROOM.into()),
        from: BOB.into(),
        sent,
        kind: Kind::Text,
        content_type: ContentType::STANZA,
        body,
        headers: Headers::default(),
        answer_by: None,
    };
    world.feed(alice, receive);
    world.run();
    assert_eq!(texts(&world, alice), ["hi"]);
    assert_eq!(shown(&world, alice)[0].sender().unwrap().trust, Trust::Undecided);
    // its number is on Bob's list by and by, but nothing is encrypted to that key
    world.server.refuse(|_, _| None);
    evil.publish(&mut world);
    world.run_for(2 * 60_000);
    let id = world.send(alice, BOB, "for Bob's eyes");
    world.run();
    assert_eq!(report(&world, alice, &id)[0].result, Err(Exclusion::Undecided));
}
