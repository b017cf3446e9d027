//! Who may read: blind trust before verification, own new devices, changed keys, a person who decides everything.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::arithmetic_side_effects)]
mod common;
#[path = "quirks/puppet.rs"]
mod puppet;
use base64::Engine as _;
use common::*;
use puppet::*;
use subrosa_engine::*;
use subrosa_omemo::wire::{Version, bundle, device_list};
use subrosa_ratchet::{IdentityKeyPair, KeyExchange, KeyPair, Omemo2, Session};

fn new_devices(world: &World, who: subrosa_testkit::ClientId) -> Vec<(Device, Trust)> {
    let new = |e: &Event| if let Event::DeviceNew { device, trust, .. } = e { Some((device.clone(), *trust)) } else { None };
    world.client(who).events().iter().filter_map(new).collect()
}
fn result(world: &World, who: subrosa_testkit::ClientId, id: &MessageId, device: &Device) -> Option<Result<(), Exclusion>> {
    report(world, who, id).into_iter().find(|r| r.device == *device).map(|r| r.result)
}

#[test]
fn a_new_own_device_waits_for_approval() {
    let mut world = World::new(1);
    let phone = world.join(ALICE, omemo);
    let bob = world.join(BOB, omemo);
    world.run();
    let laptop = world.join(ALICE, omemo);
    world.run();
    let (old, new) = (device(&mut world, phone), device(&mut world, laptop));
    assert_eq!(new_devices(&world, phone), [(new.clone(), Trust::Undecided)], "shown at once, not at the next message");
    assert_eq!(new_devices(&world, laptop), [(old, Trust::Trusted)], "what was there is trusted on joining, and shown");
    let id = world.send(phone, BOB, "not for the laptop");
    world.run();
    assert_eq!(result(&world, phone, &id, &new), Some(Err(Exclusion::AwaitsApproval)));
    assert!(texts(&world, laptop).is_empty());
    assert_eq!(unread(&world, laptop), [Reason::NotForThisDevice]);
    // approved
    let shown = key(&mut world, laptop);
    world.feed(phone, Input::SetTrust(new.clone(), shown, Trust::Verified));
    let id = world.send(phone, BOB, "for the laptop");
    world.run();
    assert_eq!(result(&world, phone, &id, &new), Some(Ok(())));
    assert_eq!(texts(&world, laptop), ["for the laptop"]);
    assert_eq!(texts(&world, bob).len(), 2);
}
#[test]
fn a_device_that_was_there_is_trusted_though_its_keys_come_late() {
    let mut world = World::new(12);
    let (phone, bob) = (world.join(ALICE, omemo), world.join(BOB, omemo));
    world.run();
    world.server.refuse(|_, r| match r {
        Request::Fetch(node) if node.name.contains("bundles") => Some(RequestError::Unreachable),
        _ => None,
    });
    let laptop = world.join(ALICE, omemo);
    world.run();
    world.server.refuse_nothing();
    world.run_for(2 * 60_000);
    world.send(laptop, BOB, "from the laptop");
    world.run();
    let there = device(&mut world, phone);
    let known = devices(&mut world, laptop, ALICE).into_iter().find(|d| d.device == there).unwrap();
    assert_eq!(known.trust, Trust::Trusted);
    assert_eq!((texts(&world, phone), texts(&world, bob)), (vec!["from the laptop".into()], vec!["from the laptop".into()]));
}
#[test]
fn after_a_verified_one_a_new_device_waits() {
    let mut world = World::new(2);
    let alice = world.join(ALICE, omemo);
    let bob = world.join(BOB, omemo);
    world.run();
    let (first, shown) = (device(&mut world, bob), key(&mut world, bob));
    let id = world.send(alice, BOB, "blindly");
    world.run();
    assert_eq!(result(&world, alice, &id, &first), Some(Ok(())));
    world.feed(alice, Input::SetTrust(first, shown, Trust::Verified));
    let other = world.join(BOB, omemo);
    world.run();
    let second = device(&mut world, other);
    let id = world.send(alice, BOB, "only to the verified one");
    world.run();
    assert_eq!(result(&world, alice, &id, &second), Some(Err(Exclusion::Undecided)));
    assert_eq!(texts(&world, bob).len(), 2);
    assert!(texts(&world, other).is_empty());
    let shown = key(&mut world, other);
    world.feed(alice, Input::SetTrust(second.clone(), shown, Trust::Trusted));
    let id = world.send(alice, BOB, "to both");
    world.run();
    assert_eq!(result(&world, alice, &id, &second), Some(Ok(())));
    assert_eq!(texts(&world, other), ["to both"]);
    world.feed(alice, Input::SetTrust(second.clone(), shown, Trust::Untrusted));
    let id = world.send(alice, BOB, "to one");
    world.run();
    assert_eq!(result(&world, alice, &id, &second), Some(Err(Exclusion::Untrusted)));
}
#[test]
fn by_hand_nobody_gets_a_key_before_a_decision() {
    let mut world = World::new(3);
    let alice = world.join(ALICE, manual);
    let bob = world.join(BOB, omemo);
    world.run();
    let (to, shown) = (device(&mut world, bob), key(&mut world, bob));
    let id = world.send(alice, BOB, "wait");
    world.run();
    assert_eq!(not_sent(&world, alice, &id), Some(Reason::NoDevice));
    assert_eq!(result(&world, alice, &id, &to), Some(Err(Exclusion::Undecided)));
    assert!(world.stanzas().iter().all(|s| s.id != id), "nothing leaves");
    let info = devices(&mut world, alice, BOB);
    assert_eq!((info[0].key, info[0].trust), (Some(shown), Trust::Undecided), "there is something to decide about");
    world.feed(alice, Input::SetTrust(to, shown, Trust::Trusted));
    let id = world.send(alice, BOB, "go");
    world.run();
    assert_eq!(not_sent(&world, alice, &id), None);
    assert_eq!(texts(&world, bob), ["go"]);
}
#[test]
fn a_message_only_our_own_devices_could_read_is_not_sent() {
    let mut world = World::new(4);
    let phone = world.join(ALICE, omemo);
    let bob = world.join(BOB, omemo);
    world.run();
    let laptop = world.join(ALICE, omemo);
    world.run();
    let (to, shown) = (device(&mut world, bob), key(&mut world, bob));
    world.feed(laptop, Input::SetTrust(to.clone(), shown, Trust::Untrusted));
    let id = world.send(laptop, BOB, "to nobody");
    world.run();
    assert_eq!(report(&world, laptop, &id).len(), 1, "no key was spent on our own");
    assert_eq!(not_sent(&world, laptop, &id), Some(Reason::NoDevice));
    assert_eq!(result(&world, laptop, &id, &to), Some(Err(Exclusion::Untrusted)));
    assert!(texts(&world, phone).is_empty());
}
#[test]
fn a_changed_key_is_refused_and_shown() {
    let (mut world, alice, bob) = two(5);
    world.send(alice, BOB, "hello");
    world.send(bob, ALICE, "hello");
    world.run();
    let mallory = world.join("mallory@example.org", omemo);
    world.run();
    let (real, fake) = (device(&mut world, bob), device(&mut world, mallory));
    // the server passes mallory's first message off as one of bob's device
    world.send(mallory, ALICE, "i am bob");
    world.disconnect(alice);
    world.run();
    let mut stanza = world.stanzas().iter().rev().find(|s| s.from.as_str() == "mallory@example.org").unwrap().clone();
    let body = String::from_utf8(stanza.body).unwrap();
    stanza.body = body.replace(&format!("sid='{}'", fake.id), &format!("sid='{}'", real.id)).into_bytes();
    stanza.from = BOB.into();
    stanza.id = "forged".into();
    world.connect(alice);
    world.inject(stanza.clone());
    world.run();
    assert!(!world.client(alice).texts().contains(&(BOB.into(), "i am bob".into())));
    assert!(unread(&world, alice).contains(&Reason::KeyChanged));
    let (known, shown) = (key(&mut world, bob), key(&mut world, mallory));
    let changed = world
        .client(alice)
        .events()
        .iter()
        .any(|e| matches!(e, Event::KeyChanged { device, known: k, shown: s } if *device == real && *k == known && *s == shown));
    assert!(changed, "the person is told which key it had and which it shows");
    // bob goes on as before
    world.send(alice, BOB, "are you?");
    world.send(bob, ALICE, "it is me");
    world.run();
    assert_eq!(texts(&world, bob).last().unwrap(), "are you?");
    assert_eq!(texts(&world, alice).last().unwrap(), "it is me");
}
#[test]
fn a_changed_key_in_a_bundle_is_refused() {
    let (mut world, alice, bob) = two(6);
    world.send(alice, BOB, "hello");
    world.run();
    let mallory = world.join("mallory@example.org", omemo);
    world.run();
    let (real, fake) = (device(&mut world, bob), device(&mut world, mallory));
    let forged = published(&world, "mallory@example.org", number(&fake), Version::Omemo2).unwrap();
    let node = world.server.node_mut(&BOB.into(), &Version::Omemo2.bundle_node(number(&real))).unwrap();
    node.items[0].payload = bundle::write(&forged);
    let (engine, to) = (*world.client(alice).handle(), real.clone());
    world.call(alice, engine, move |o, cx| o.replace_session(cx, &to)).unwrap().unwrap();
    world.run();
    assert!(world.client(alice).events().iter().any(|e| matches!(e, Event::KeyChanged { device, .. } if *device == real)));
    world.send(alice, BOB, "by the old session");
    world.run();
    assert_eq!(texts(&world, bob).last().unwrap(), "by the old session");
}
#[test]
fn the_sender_is_a_device_and_a_key() {
    let (mut world, alice, bob) = two(7);
    world.send(alice, BOB, "hello");
    world.run();
    let (from, shown) = (device(&mut world, alice), key(&mut world, alice));
    let sender = world
        .client(bob)
        .events()
        .iter()
        .find_map(|e| if let Event::Message { message, .. } = e { message.sender().cloned() } else { None })
        .unwrap();
    assert_eq!((sender.device, sender.key, sender.trust, sender.protocol.as_ref()), (from, shown, Trust::Trusted, "omemo:2"));
}
#[test]
fn a_label_counts_with_its_signature_only() {
    let rng = &mut subrosa_testkit::Seeded::new(8);
    let (identity, signed, one) = (IdentityKeyPair::generate(rng), KeyPair::generate(rng), KeyPair::generate(rng));
    let bundle = bundle::write(&bundle::Bundle {
        version: Version::Omemo2,
        identity_key: (*identity.public().to_wire::<Omemo2>()).try_into().unwrap(),
        signed_prekey_id: 1,
        signed_prekey: *signed.public().as_bytes(),
        signature: identity.sign_pre_key::<Omemo2>(signed.public(), rng),
        prekeys: vec![(1, *one.public().as_bytes())],
    });
    for (label, honest) in [("Telefon", true), ("Bank", false)] {
        let mut world = World::new(8);
        let alice = world.join(ALICE, omemo);
        world.run();
        world.publish_as(BOB, &Version::Omemo2.bundle_node(5), Some("5"), Keep::Many, &bundle);
        let signature = base64::engine::general_purpose::STANDARD.encode(identity.sign(b"Telefon", rng));
        let list = [device_list::ListedDevice { id: 5, label: Some(label.into()), labelsig: Some(signature) }];
        let xml = device_list::write(Version::Omemo2, &list);
        world.publish_as(BOB, Version::Omemo2.device_list_node(), Some("current"), Keep::One, &xml);
        world.send(alice, BOB, "hello");
        world.run();
        let shown = devices(&mut world, alice, BOB);
        assert_eq!(shown[0].label.as_deref(), honest.then_some("Telefon"));
        assert_eq!((shown[0].listed, shown[0].has_session, shown[0].versions.as_slice()), (true, true, ["omemo:2"].as_slice()));
    }
}
/// The session with the old key is over: nothing waits behind it until the new one happens to write.
#[test]
fn a_key_that_is_accepted_in_the_place_of_another_is_written_to_at_once() {
    let (mut world, alice, old) = talking::<Omemo2>(17);
    let mut new = Puppet::<Omemo2>::new(18, old.alice.clone());
    assert_eq!(new.id, old.id);
    new.publish(&mut world);
    let of = Device::of(&BOB.into(), new.id);
    world.feed(alice, Input::SetTrust(of.clone(), Fingerprint(new.identity.public().fingerprint()), Trust::Verified));
    let id = world.send(alice, BOB, "to the new key");
    world.run();
    assert_eq!(result(&world, alice, &id, &of), Some(Ok(())));
    let stanza = world.stanzas().iter().find(|s| s.id == id).unwrap();
    let key = &carried(stanza, &of).unwrap().keys[0].data;
    let exchange = KeyExchange::<Omemo2>::parse(key).unwrap();
    assert!(Session::accept(&new.identity.clone(), &new, &exchange).is_ok());
}
