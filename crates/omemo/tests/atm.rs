//! Decisions about keys that travel (XEP-0450): who learns what, who may say what, what waits for whom.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, clippy::arithmetic_side_effects)]
mod common;
use common::*;
use subrosa_engine::*;
use subrosa_testkit::ClientId;

const CAROL: &str = "carol@example.org";

/// What one client thinks of another's key, and who said so.
fn worth(world: &mut World, who: ClientId, of: ClientId) -> (Trust, Decider) {
    let (device, key) = (device(world, of), key(world, of));
    let engine = *world.client(who).handle();
    let all = world.call(who, engine, move |_, cx| cx.identities(&device.owner.clone())).unwrap();
    let to = self::device(world, of);
    all.into_iter().find(|i| i.device == to && i.key == key && i.current).map_or((Trust::Undecided, Decider::Policy), |i| (i.trust, i.by))
}
fn trust(world: &mut World, who: ClientId, of: ClientId) -> Trust {
    worth(world, who, of).0
}
fn decide(world: &mut World, who: ClientId, of: ClientId, trust: Trust) {
    let (device, key) = (device(world, of), key(world, of));
    world.feed(who, Input::SetTrust(device, key, trust));
    world.run();
}
fn verify(world: &mut World, who: ClientId, of: ClientId) {
    decide(world, who, of, Trust::Verified);
}
/// Each verifies the other.
fn meet(world: &mut World, one: ClientId, other: ClientId) {
    verify(world, one, other);
    verify(world, other, one);
}
/// Stanzas that the library sent by itself with words in them, from here on.
fn sent(world: &World, since: usize) -> usize {
    world.stanzas()[since..].iter().filter(|s| s.kind == Kind::Other && String::from_utf8_lossy(&s.body).contains("<payload")).count()
}
/// Three of Alice, one of Bob, who have all written to each other.
fn family(seed: u64) -> (World, [ClientId; 3], ClientId) {
    let mut world = World::new(seed);
    let a1 = world.join(ALICE, omemo);
    world.run();
    let a2 = world.join(ALICE, omemo);
    world.run();
    let a3 = world.join(ALICE, omemo);
    world.run();
    let b1 = world.join(BOB, omemo);
    world.run();
    for from in [a1, a2, a3] {
        world.send(from, BOB, "hello");
    }
    world.send(b1, ALICE, "hello");
    world.run();
    (world, [a1, a2, a3], b1)
}

/// The examples of XEP-0450 in their order: contact's device, own device, own device distrusted, contact's device distrusted.
#[test]
fn the_story_of_the_specification() {
    let (mut world, [a1, a2, a3], b1) = family(1);
    meet(&mut world, a1, a2);
    // A1 and B1: A2 learns of B1, B1 of A2
    verify(&mut world, a1, b1);
    assert_eq!(worth(&mut world, a2, b1), (Trust::Verified, Decider::Message));
    assert_eq!(trust(&mut world, b1, a2), Trust::Trusted, "B1 has not authenticated A1: it is kept");
    verify(&mut world, b1, a1);
    assert_eq!(worth(&mut world, b1, a2), (Trust::Verified, Decider::Message));
    assert_eq!(trust(&mut world, a3, b1), Trust::Trusted, "A3 is authenticated by nobody");
    // A2 and A3: all learn of A3, A3 of all once it has authenticated A2
    verify(&mut world, a2, a3);
    assert_eq!((trust(&mut world, a1, a3), trust(&mut world, b1, a3)), (Trust::Verified, Trust::Verified));
    assert_ne!(trust(&mut world, a3, a1), Trust::Verified);
    verify(&mut world, a3, a2);
    assert_eq!((trust(&mut world, a3, a1), trust(&mut world, a3, b1)), (Trust::Verified, Trust::Verified));
    // A1 distrusts A3
    decide(&mut world, a1, a3, Trust::Untrusted);
    assert_eq!(worth(&mut world, a2, a3), (Trust::Untrusted, Decider::Message));
    assert_eq!(worth(&mut world, b1, a3), (Trust::Untrusted, Decider::Message));
    // and B1
    decide(&mut world, a1, b1, Trust::Untrusted);
    assert_eq!(worth(&mut world, a2, b1), (Trust::Untrusted, Decider::Message));
    let told = world.client(a2).events().iter().any(|e| matches!(e, Event::TrustChanged { trust: Trust::Untrusted, .. }));
    assert!(told, "the application is told what was decided elsewhere");
}
#[test]
fn what_was_told_is_not_told_again_and_nothing_goes_round() {
    let (mut world, [a1, a2, _], b1) = family(2);
    meet(&mut world, a1, a2);
    meet(&mut world, a1, b1);
    let before = world.stanzas().len();
    verify(&mut world, a1, b1);
    verify(&mut world, b1, a1);
    assert_eq!(sent(&world, before), 0, "nothing was decided that was not before");
    decide(&mut world, a1, b1, Trust::Untrusted);
    assert_eq!(sent(&world, before), 1, "one stanza for the one own device; it says nothing on");
    assert_eq!(trust(&mut world, a2, b1), Trust::Untrusted);
    decide(&mut world, a1, b1, Trust::Verified);
    assert_eq!(trust(&mut world, a2, b1), Trust::Verified, "the later word counts");
}
#[test]
fn a_contact_decides_about_their_own_devices_only() {
    let (mut world, [a1, a2, a3], b1) = family(3);
    let carol = world.join(CAROL, omemo);
    world.run();
    world.send(a1, CAROL, "hello");
    world.run();
    meet(&mut world, a1, b1);
    meet(&mut world, a1, a2);
    // Bob's device says by a program of its own what the rules do not allow it
    for (owner, of) in [(CAROL, carol), (ALICE, a3)] {
        forge(&mut world, b1, ALICE, &[(owner, of, true)]);
        assert_ne!(trust(&mut world, a1, of), Trust::Verified);
        let warned = |e: &Event| matches!(e, Event::Warning { warning: Warning::TrustMessage, device: Some(d), .. } if d.owner.as_str() == BOB);
        assert!(world.client(a1).events().iter().any(warned));
    }
    forge(&mut world, a2, ALICE, &[(CAROL, carol, true)]);
    assert_eq!(trust(&mut world, a1, carol), Trust::Verified, "an own device may decide about everybody");
    // nobody decides about this device itself
    forge(&mut world, a2, ALICE, &[(ALICE, a1, false)]);
    assert_eq!(devices(&mut world, a1, ALICE).into_iter().find(|d| d.this_device).unwrap().trust, Trust::Verified);
}
#[test]
fn a_device_that_is_not_trusted_is_refused_and_told() {
    let (mut world, [a1, a2, _], b1) = family(4);
    decide(&mut world, a1, a2, Trust::Untrusted);
    forge(&mut world, a2, ALICE, &[(BOB, b1, true)]);
    assert_eq!(trust(&mut world, a1, b1), Trust::Trusted);
    assert_eq!(unread(&world, a1), [Reason::Untrusted]);
}
#[test]
fn a_contact_can_not_undo_what_a_person_refused() {
    let (mut world, [a1, a2, _], b1) = family(5);
    let b2 = world.join(BOB, omemo);
    world.run();
    world.send(a1, BOB, "to both");
    world.run();
    meet(&mut world, a1, b1);
    decide(&mut world, a1, b2, Trust::Untrusted);
    world.run_for(10);
    verify(&mut world, b1, b2);
    assert_eq!(worth(&mut world, a1, b2), (Trust::Untrusted, Decider::Person));
    // the same person elsewhere can
    meet(&mut world, a1, a2);
    world.run_for(10);
    verify(&mut world, a2, b2);
    assert_eq!(trust(&mut world, a1, b2), Trust::Verified);
}
/// The same on the person's other devices, which know the refusal from a message only.
#[test]
fn a_contact_can_not_undo_what_a_person_refused_elsewhere() {
    let (mut world, [a1, a2, _], b1) = family(14);
    let b2 = world.join(BOB, omemo);
    world.run();
    for from in [a1, a2] {
        world.send(from, BOB, "to both");
    }
    world.run();
    meet(&mut world, a1, a2);
    meet(&mut world, a1, b1);
    assert_eq!(trust(&mut world, a2, b1), Trust::Verified);
    world.run_for(10);
    decide(&mut world, a1, b2, Trust::Untrusted);
    assert_eq!(worth(&mut world, a2, b2), (Trust::Untrusted, Decider::Message));
    world.run_for(10);
    verify(&mut world, b1, b2);
    for own in [a1, a2] {
        assert_eq!(trust(&mut world, own, b2), Trust::Untrusted);
    }
    world.run_for(10);
    verify(&mut world, a2, b2);
    assert_eq!(trust(&mut world, a1, b2), Trust::Verified, "but the person can");
}
/// XEP-0384 §5.5.2: words about keys are words, and only devices on the lists get any.
#[test]
fn who_is_on_no_list_is_told_nothing() {
    let (mut world, [a1, a2, a3], b1) = family(15);
    let b2 = world.join(BOB, omemo);
    world.run();
    world.send(a1, BOB, "to both");
    world.run();
    for other in [a2, a3, b1, b2] {
        meet(&mut world, a1, other);
    }
    let take_off = |world: &mut World, by: ClientId, gone: ClientId| {
        world.disconnect(gone);
        let (engine, id) = (*world.client(by).handle(), number(&device(world, gone)));
        world.call(by, engine, move |o, cx| o.remove_own_device(cx, id)).unwrap().unwrap();
        world.run();
    };
    take_off(&mut world, a2, a3);
    take_off(&mut world, b1, b2);
    let a4 = world.join(ALICE, omemo);
    world.run();
    let before = world.stanzas().len();
    verify(&mut world, a1, a4);
    let told = [a2, b1, a3, b2].map(|who| {
        let to = device(&mut world, who);
        world.stanzas()[before..].iter().any(|s| carried(s, &to).is_some_and(|e| e.payload.is_some()))
    });
    assert_eq!(told, [true, true, false, false]);
}
#[test]
fn a_key_that_nobody_has_seen_yet_is_waited_for() {
    let (mut world, [a1, a2, _], b1) = family(6);
    meet(&mut world, a1, a2);
    meet(&mut world, a1, b1);
    // a device of Bob's that Alice's first has never met, and her second has verified
    world.disconnect(a1);
    let b2 = world.join(BOB, omemo);
    world.run();
    world.send(a2, BOB, "to the new one");
    world.run();
    verify(&mut world, a2, b2);
    // the word is there before the key is
    let node = subrosa_omemo::wire::Version::Omemo2.device_list_node();
    world.notify(move |n| n != node);
    world.connect(a1);
    world.run();
    world.send(b2, ALICE, "it is me");
    world.run();
    assert_eq!(worth(&mut world, a1, b2), (Trust::Verified, Decider::Message));
    let seen = |e: &&Event| matches!(e, Event::DeviceNew { device, .. } if device.owner.as_str() == BOB);
    let new: Vec<_> = world.client(a1).events().iter().filter(seen).collect();
    assert!(matches!(new.last(), Some(Event::DeviceNew { trust: Trust::Verified, .. })), "told once, as what it is: {new:?}");
}
#[test]
fn a_device_that_is_approved_is_told_of_all_and_all_of_it() {
    let (mut world, phone, bob) = two(7);
    world.send(phone, BOB, "hello");
    world.run();
    meet(&mut world, phone, bob);
    let laptop = world.join(ALICE, omemo);
    world.run();
    let new = device(&mut world, laptop);
    let own = |e: &Event| matches!(e, Event::DeviceNew { device, trust: Trust::Undecided, .. } if *device == new);
    assert_eq!(world.client(phone).events().iter().filter(|e| own(e)).count(), 1, "a person is asked, once");
    assert!(!devices(&mut world, phone, ALICE).into_iter().any(|d| d.device == new && d.has_session));
    let before = world.stanzas().len();
    verify(&mut world, phone, laptop);
    assert!(devices(&mut world, phone, ALICE).into_iter().any(|d| d.device == new && d.has_session), "no message is needed for that");
    assert_eq!(sent(&world, before), 2, "to Bob and to the laptop");
    verify(&mut world, laptop, phone);
    world.send(laptop, BOB, "from the laptop");
    world.run();
    assert_eq!(trust(&mut world, bob, laptop), Trust::Verified, "Bob has verified the phone");
    assert_eq!(trust(&mut world, laptop, bob), Trust::Verified);
    assert_eq!(texts(&world, bob).last().unwrap(), "from the laptop");
}
#[test]
fn switched_off_nothing_is_told_and_nothing_is_taken() {
    fn off(machine: &mut Machine) -> Installed<subrosa_omemo::Omemo> {
        machine.configure(Settings::default().trust_messages(false));
        omemo(machine)
    }
    let mut world = World::new(8);
    let a1 = world.join(ALICE, off);
    world.run();
    let a2 = world.join(ALICE, omemo);
    let b1 = world.join(BOB, omemo);
    world.run();
    for from in [a1, a2] {
        world.send(from, BOB, "hello");
        world.run();
    }
    let before = world.stanzas().len();
    verify(&mut world, a1, a2);
    verify(&mut world, a1, b1);
    assert_eq!(sent(&world, before), 0);
    verify(&mut world, a2, a1);
    verify(&mut world, a2, b1);
    decide(&mut world, a2, b1, Trust::Untrusted);
    assert_eq!(trust(&mut world, a1, b1), Trust::Verified);
    assert!(unread(&world, a1).iter().all(|r| *r == Reason::NotForThisDevice), "it is no error either");
}
#[test]
fn who_has_no_session_is_told_once_there_is_one() {
    let (mut world, phone, bob) = two(9);
    world.send(phone, BOB, "hello");
    world.run();
    let laptop = world.join(ALICE, omemo);
    world.run();
    verify(&mut world, laptop, phone);
    // nobody hands out bundles
    world.server.refuse(|_, r| match r {
        Request::Fetch(node) if node.name.contains("bundles") => Some(RequestError::Unreachable),
        _ => None,
    });
    verify(&mut world, phone, laptop);
    verify(&mut world, phone, bob);
    assert_ne!(trust(&mut world, laptop, bob), Trust::Verified);
    world.server.refuse_nothing();
    world.disconnect(phone);
    world.crash(phone);
    world.run();
    world.send(laptop, BOB, "now they meet");
    world.run();
    assert_eq!(trust(&mut world, laptop, bob), Trust::Verified);
}
/// A1 verified B1 yesterday and does not know yet that A2 distrusts it since: what it tells a new device then says nothing newer than that.
#[test]
fn an_old_decision_that_is_told_on_does_not_undo_a_later_one() {
    let (mut world, [a1, a2, a3], b1) = family(12);
    meet(&mut world, a1, a2);
    verify(&mut world, a1, b1);
    assert_eq!(trust(&mut world, a2, b1), Trust::Verified);
    world.disconnect(a1);
    world.run_for(60 * 60_000);
    meet(&mut world, a2, a3);
    decide(&mut world, a2, b1, Trust::Untrusted);
    assert_eq!(trust(&mut world, a3, b1), Trust::Untrusted);
    world.run_for(60 * 60_000);
    // by comparing, with nothing that came since
    let before = world.stanzas().len();
    verify(&mut world, a1, a3);
    world.connect(a1);
    world.run();
    let to = device(&mut world, a3);
    let told = world.stanzas()[before..].iter().filter(|s| s.kind == Kind::Other && carried(s, &to).is_some_and(|e| e.payload.is_some()));
    assert!(told.count() > 0, "the new one is told");
    for (who, of) in [(a3, b1), (a2, b1), (a1, b1)] {
        assert_eq!(trust(&mut world, who, of), Trust::Untrusted, "the later word counts");
    }
}
/// Who opted out of encryption (XEP-0384 §5.7) gets no words about keys either: they wait.
#[test]
fn who_opted_out_is_told_when_that_is_over() {
    let (mut world, [a1, a2, _], b1) = family(13);
    meet(&mut world, a1, b1);
    say(&mut world, b1, ALICE, b"<opt-out xmlns='urn:xmpp:omemo:2'/>");
    let before = world.stanzas().len();
    verify(&mut world, a1, a2);
    let to = device(&mut world, b1);
    let told = |world: &World| world.stanzas()[before..].iter().filter(|s| carried(s, &to).is_some_and(|e| e.payload.is_some())).count();
    assert_eq!((told(&world), trust(&mut world, b1, a2)), (0, Trust::Trusted));
    let engine = *world.client(a1).handle();
    assert_eq!(world.call(a1, engine, |o, cx| o.go_on(cx, &ChatId(BOB.into()))), Some(true));
    world.run();
    assert_eq!((told(&world), trust(&mut world, b1, a2)), (1, Trust::Verified));
}

/// Whoever waits to be told and is no longer verified by then is not told.
#[test]
fn who_is_verified_no_more_is_told_nothing() {
    for (then, told) in [(Trust::Verified, 1), (Trust::Trusted, 0), (Trust::Untrusted, 0)] {
        let (mut world, phone, bob) = two(11);
        world.send(phone, BOB, "hello");
        world.run();
        let laptop = world.join(ALICE, omemo);
        world.run();
        world.server.refuse(|_, r| match r {
            Request::Fetch(node) if node.name.contains("bundles") => Some(RequestError::Unreachable),
            _ => None,
        });
        verify(&mut world, phone, laptop);
        verify(&mut world, phone, bob);
        decide(&mut world, phone, laptop, then);
        world.server.refuse_nothing();
        let (before, to) = (world.stanzas().len(), device(&mut world, laptop));
        world.disconnect(phone);
        world.connect(phone);
        world.run();
        world.send(laptop, BOB, "now they meet");
        world.run();
        let sent = world.stanzas()[before..].iter().filter(|s| s.kind == Kind::Other && carried(s, &to).is_some_and(|e| e.payload.is_some()));
        assert_eq!(sent.count().min(1), told, "{then:?}");
    }
}

/// A device says things that our own program never would: as content of an envelope, through its sessions.
fn forge(world: &mut World, from: ClientId, to: &str, said: &[(&str, ClientId, bool)]) {
    use subrosa_omemo::wire::trust_message::{KeyOwner, write};
    let mut owners = Vec::new();
    for (owner, of, trust) in said {
        let id = device(world, *of);
        let bundle = published(world, id.owner.as_str(), number(&id), subrosa_omemo::wire::Version::Omemo2).unwrap();
        let (mut yes, mut no) = (Vec::new(), Vec::new());
        if *trust { &mut yes } else { &mut no }.push(bundle.identity_key);
        owners.push(KeyOwner { jid: (*owner).to_owned(), trust: yes, distrust: no, decided: None });
    }
    say(world, from, to, &write(&owners));
}
fn say(world: &mut World, from: ClientId, to: &str, content: &[u8]) {
    let plain = Plaintext::new(ContentType::STANZA, content);
    let (chat, people) = (ChatId(to.into()), Recipients::People(vec![to.into()]));
    world.run_for(5);
    let id = MessageId(format!("said-{}", world.stanzas().len()).into());
    world.feed(from, Input::Send { id, chat, to: people, kind: Kind::Other, plain, headers: Headers::default() });
    world.run();
}
/// Dies around every commit: what was decided is decided, and whoever is to know of it does.
#[test]
fn a_decision_survives_every_crash() {
    let scenario = |world: &mut World| {
        let phone = world.join(ALICE, omemo);
        world.run();
        let (laptop, bob) = (world.join(ALICE, omemo), world.join(BOB, omemo));
        world.run();
        world.send(phone, BOB, "hello");
        world.send(laptop, BOB, "hello");
        world.run();
        // what a process took with it before it was stored, a person sees and does again
        for _ in 0..2 {
            meet(world, phone, laptop);
            meet(world, phone, bob);
        }
    };
    let runs = subrosa_testkit::crash_everywhere(10, scenario, |world, plan| {
        let all: Vec<ClientId> = world.clients().collect();
        let changed = |who: ClientId| {
            let changed = |e: &&Event| matches!(e, Event::TrustChanged { trust: Trust::Verified, .. });
            world.client(who).events().iter().filter(changed).count()
        };
        assert!(changed(all[1]) >= 1, "the laptop learns of Bob: {plan:?}");
        assert!(changed(all[2]) >= 1, "Bob learns of the laptop: {plan:?}");
    });
    assert!(runs > 20);
}
