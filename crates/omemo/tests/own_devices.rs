//! What a person does with their own devices: names, those that are silent, those that go, an identity that comes from elsewhere.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, clippy::arithmetic_side_effects)]
mod common;
use base64::Engine as _;
use common::*;
use std::time::Duration;
use subrosa_engine::*;
use subrosa_omemo::wire::{Version, bundle, device_list};
use subrosa_omemo::{ImportError, Imported, ImportedKey, ImportedPreKey, LabelError, RemoveError};
use subrosa_ratchet::{IdentityKeyPair, KeyPair, Legacy, Omemo2};
use subrosa_testkit::{ClientId, Seeded};
use zeroize::Zeroizing;

fn label(world: &mut World, who: ClientId, label: &str) -> Result<(), LabelError> {
    let (engine, label) = (*world.client(who).handle(), label.to_owned());
    let result = world.call(who, engine, move |o, cx| o.set_label(cx, &label)).unwrap();
    world.run();
    result
}
fn remove(world: &mut World, who: ClientId, id: u32) -> Result<(), RemoveError> {
    let engine = *world.client(who).handle();
    let result = world.call(who, engine, move |o, cx| o.remove_own_device(cx, id)).unwrap();
    world.run();
    result
}
fn stale(world: &mut World, who: ClientId, days: u64) -> Vec<Device> {
    let engine = *world.client(who).handle();
    let older = Duration::from_secs(days * 24 * 60 * 60);
    world.call(who, engine, move |o, cx| o.stale_devices(cx, older)).unwrap().into_iter().map(|d| d.device).collect()
}
fn named(world: &World, owner: &str) -> Vec<(u32, Option<String>)> {
    let node = world.server.node(&owner.into(), Version::Omemo2.device_list_node()).unwrap();
    device_list::parse(Version::Omemo2, &node.items.last().unwrap().payload).unwrap().into_iter().map(|d| (d.id, d.label)).collect()
}

#[test]
fn a_label_is_signed_shown_and_kept() {
    let (mut world, alice, bob) = two(1);
    world.send(bob, ALICE, "hello");
    world.run();
    assert_eq!(label(&mut world, alice, " Telefon ☎ "), Ok(()));
    assert_eq!(devices(&mut world, bob, ALICE)[0].label.as_deref(), Some("Telefon ☎"), "others check the signature");
    assert_eq!(devices(&mut world, alice, ALICE)[0].label.as_deref(), Some("Telefon ☎"));
    // another device writes the list from what it knows; a broken program drops all names
    let laptop = world.join(ALICE, omemo);
    world.run();
    assert_eq!(label(&mut world, laptop, "Laptop"), Ok(()));
    let (phone, other) = (number(&device(&mut world, alice)), number(&device(&mut world, laptop)));
    let mut all = named(&world, ALICE);
    all.sort_unstable();
    let mut expected = vec![(phone, Some("Telefon ☎".into())), (other, Some("Laptop".into()))];
    expected.sort_unstable();
    assert_eq!(all, expected);
    let bare = device_list::write(Version::Omemo2, &[device_list::ListedDevice::new(phone), device_list::ListedDevice::new(other)]);
    world.publish_as(ALICE, Version::Omemo2.device_list_node(), Some("current"), Keep::One, &bare);
    world.run_for(5 * 60_000);
    assert!(named(&world, ALICE).iter().all(|(_, label)| label.is_some()), "both names are back: {:?}", named(&world, ALICE));
    // over a restart, and away again
    world.crash(alice);
    world.run();
    assert_eq!(label(&mut world, alice, ""), Ok(()));
    assert_eq!(named(&world, ALICE).into_iter().find(|(id, _)| *id == phone).unwrap().1, None);
    assert_eq!(devices(&mut world, bob, ALICE).into_iter().find(|d| d.device.id == phone.into()).unwrap().label, None);
}
#[test]
fn a_label_that_is_none() {
    let mut world = World::new(2);
    let alice = world.join(ALICE, omemo);
    assert_eq!(label(&mut world, alice, "too early"), Err(LabelError::NotJoined));
    world.run();
    assert_eq!(label(&mut world, alice, &"ü".repeat(53)), Err(LabelError::TooLong(53)));
    assert_eq!(label(&mut world, alice, &"ü".repeat(52)), Ok(()));
    for bad in ["a\nb", "a\u{0}", "\u{202e}evil", "a\u{fffe}"] {
        assert_eq!(label(&mut world, alice, bad), Err(LabelError::Character), "{bad:?}");
    }
    assert_eq!(named(&world, ALICE)[0].1.as_deref(), Some("ü".repeat(52).as_str()), "nothing was changed");
}
#[test]
fn silent_devices_are_a_suggestion_only() {
    let (mut world, phone, _) = two(3);
    let (laptop, tablet) = (world.join(ALICE, omemo), world.join(ALICE, omemo));
    world.run();
    for other in [laptop, tablet] {
        let (of, key) = (device(&mut world, other), key(&mut world, other));
        world.feed(phone, Input::SetTrust(of, key, Trust::Trusted));
    }
    world.run();
    let (l, t) = (device(&mut world, laptop), device(&mut world, tablet));
    assert_eq!(stale(&mut world, phone, 1), []);
    world.disconnect(tablet);
    world.run_for(10 * 24 * 60 * 60 * 1000);
    world.send(laptop, BOB, "i am here");
    world.run();
    assert_eq!(stale(&mut world, phone, 7).as_slice(), std::slice::from_ref(&t), "nothing was ever heard of it");
    world.run_for(8 * 24 * 60 * 60 * 1000);
    assert_eq!(stale(&mut world, phone, 7), [t.clone(), l.clone()], "the longest silent first");
    assert_eq!(listed(&world, ALICE, Version::Omemo2).len(), 3, "and nothing was done about it");
    // a person does
    assert_eq!(remove(&mut world, phone, number(&t)), Ok(()));
    for version in Version::ALL {
        assert!(!listed(&world, ALICE, version).contains(&number(&t)));
        assert!(published(&world, ALICE, number(&t), version).is_none());
        assert_eq!(listed(&world, ALICE, version).len(), 2, "the others stay");
    }
    assert_eq!(stale(&mut world, phone, 7), [l]);
}
/// A program that still runs on a device that was taken off puts itself back: a person is asked, and it reads nothing until then.
#[test]
fn a_device_that_comes_back_is_asked_about() {
    let (mut world, phone, bob) = two(5);
    let laptop = world.join(ALICE, omemo);
    world.run();
    world.send(phone, BOB, "hello");
    world.run();
    let (of, shown) = (device(&mut world, laptop), key(&mut world, laptop));
    world.feed(phone, Input::SetTrust(of.clone(), shown, Trust::Verified));
    world.run();
    world.disconnect(laptop);
    assert_eq!(remove(&mut world, phone, number(&of)), Ok(()));
    let before = world.client(phone).events().len();
    world.connect(laptop);
    world.run();
    assert!(listed(&world, ALICE, Version::Omemo2).contains(&number(&of)));
    let asked = |e: &&Event| matches!(e, Event::DeviceNew { device, key, trust: Trust::Undecided } if *device == of && *key == shown);
    assert_eq!(world.client(phone).events()[before..].iter().filter(asked).count(), 1, "once, in whatever version it is on a list");
    for (text, decided) in [("not for the laptop", false), ("for both", true)] {
        if decided {
            world.feed(phone, Input::SetTrust(of.clone(), shown, Trust::Trusted));
            world.run();
        }
        let id = world.send(phone, BOB, text);
        world.run();
        assert_eq!(texts(&world, bob).last().unwrap(), text);
        assert_eq!(world.stanzas().iter().filter(|s| s.id == id).any(|s| carried(s, &of).is_some()), decided);
    }
}
#[test]
fn what_can_not_be_removed() {
    let (mut world, phone, bob) = two(4);
    let this = number(&device(&mut world, phone));
    assert_eq!(remove(&mut world, phone, this), Err(RemoveError::ThisDevice(this)));
    let theirs = number(&device(&mut world, bob));
    assert_eq!(remove(&mut world, phone, theirs), Err(RemoveError::NotListed(theirs)));
    let laptop = world.join(ALICE, omemo);
    world.run();
    let other = number(&device(&mut world, laptop));
    world.disconnect(phone);
    world
        .server
        .refuse(|from, r| matches!(r, Request::Fetch(n) if from.as_str() == ALICE && n.name.contains("device")).then_some(RequestError::Unreachable));
    world.notify(|_| false);
    world.connect(phone);
    world.run();
    assert_eq!(remove(&mut world, phone, other), Err(RemoveError::NotRead), "what was not read on this stream is not written");
    assert!(listed(&world, ALICE, Version::Omemo2).contains(&other));
}

/// What another program had, as it had published it.
struct Old {
    imported: Imported,
    identity: IdentityKeyPair,
}
fn old(seed: u64, key: impl Fn(Zeroizing<[u8; 32]>) -> ImportedKey) -> Old {
    use rand_core::Rng as _;
    let rng = &mut Seeded::new(seed);
    let mut draw = || {
        let mut bytes = Zeroizing::new([0; 32]);
        rng.fill_bytes(bytes.as_mut_slice());
        bytes
    };
    let secret = draw();
    let identity = match key(secret.clone()) {
        ImportedKey::Seed(seed) => IdentityKeyPair::from_seed(&seed),
        ImportedKey::Scalar(scalar) => IdentityKeyPair::from_private_as_is(&scalar),
        ImportedKey::Legacy(scalar) => IdentityKeyPair::from_private(&scalar),
    };
    let keys = |id: u32, draw: &mut dyn FnMut() -> Zeroizing<[u8; 32]>| Version::ALL.map(|version| ImportedPreKey { version, id, private: draw() });
    let prekeys = (7..17).flat_map(|id| keys(id, &mut draw)).collect();
    let imported = Imported {
        identity: key(secret),
        fingerprint: Some(Fingerprint(identity.public().fingerprint())),
        device: 4711,
        label: Some("from elsewhere".into()),
        signed: keys(3, &mut draw).to_vec(), // two keys of one number
        prekeys,
    };
    Old { imported, identity }
}
impl Old {
    fn publish(&self, world: &mut World) {
        let rng = &mut Seeded::new(99);
        for version in Version::ALL {
            let signed = self.imported.signed.iter().find(|k| k.version == version).unwrap();
            let pair = KeyPair::from_private(*signed.private);
            let (wire, signature) = match version {
                Version::Omemo2 => (self.identity.public().to_wire::<Omemo2>(), self.identity.sign_pre_key::<Omemo2>(pair.public(), rng)),
                Version::Legacy => (self.identity.public().to_wire::<Legacy>(), self.identity.sign_pre_key::<Legacy>(pair.public(), rng)),
            };
            let prekeys = self.imported.prekeys.iter().filter(|k| k.version == version);
            let xml = bundle::write(&bundle::Bundle {
                version,
                identity_key: *wire.last_chunk().unwrap(),
                signed_prekey_id: signed.id,
                signed_prekey: *pair.public().as_bytes(),
                signature,
                prekeys: prekeys.map(|k| (k.id, *KeyPair::from_private(*k.private).public().as_bytes())).collect(),
            });
            let keep = if version == Version::Omemo2 { Keep::Many } else { Keep::One };
            world.publish_as(ALICE, &version.bundle_node(4711), Some(&version.bundle_item(4711)), keep, &xml);
            let list = device_list::write(version, &[device_list::ListedDevice::new(4711)]);
            world.publish_as(ALICE, version.device_list_node(), Some("current"), Keep::One, &list);
        }
    }
}
fn import(world: &mut World, who: ClientId, imported: &Imported) -> Result<(), ImportError> {
    let (engine, imported) = (*world.client(who).handle(), imported.clone());
    world.call(who, engine, move |o, cx| o.import(cx, &imported)).unwrap()
}
#[test]
fn an_identity_from_elsewhere_is_the_same_to_others() {
    type Kind = fn(Zeroizing<[u8; 32]>) -> ImportedKey;
    let kinds: [Kind; 3] = [ImportedKey::Seed, ImportedKey::Scalar, ImportedKey::Legacy];
    for (seed, kind) in (0..4).flat_map(|seed| kinds.map(|kind| (seed, kind))) {
        for legacy in [false, true] {
            let old = old(seed, kind);
            let mut world = World::new(seed);
            if legacy {
                world.notify(|node| !node.starts_with("urn:xmpp:omemo:2"));
            }
            old.publish(&mut world);
            if legacy {
                legacy_only(&mut world);
            }
            let bob = world.join(BOB, omemo);
            world.run();
            // written to the old program, which is gone
            world.send(bob, ALICE, "to the old one");
            world.run();
            let waiting = world.stanzas().last().unwrap().clone();
            let shown = devices(&mut world, bob, ALICE)[0].key;
            assert_eq!(shown, old.imported.fingerprint);
            // the new one takes its place
            let alice = world.join(ALICE, omemo);
            assert_eq!(import(&mut world, alice, &old.imported), Ok(()));
            world.run();
            assert_eq!(device(&mut world, alice), Device::of(&ALICE.into(), 4711));
            assert_eq!(Some(key(&mut world, alice)), shown);
            world.inject(waiting);
            world.run();
            assert_eq!(texts(&world, alice), ["to the old one"], "what was on its way is read: {seed} {legacy}");
            world.send(alice, BOB, "from the new one");
            world.run();
            world.send(bob, ALICE, "to the new one");
            world.run();
            assert_eq!(texts(&world, bob), ["from the new one"]);
            assert_eq!(texts(&world, alice).last().unwrap(), "to the new one");
            let alarms = |e: &&Event| matches!(e, Event::KeyChanged { .. } | Event::Warning { .. } | Event::NotReceived { .. });
            assert_eq!(world.client(bob).events().iter().filter(alarms).count(), 0);
            assert_eq!(world.client(alice).events().iter().filter(alarms).count(), 0);
            let met = |e: &&Event| matches!(e, Event::DeviceNew { device, .. } if device.owner.as_str() == ALICE);
            assert_eq!(world.client(bob).events().iter().filter(met).count(), 1, "no new device, no new fingerprint");
            let version = if legacy { Version::Legacy } else { Version::Omemo2 };
            assert_eq!(listed(&world, ALICE, version), [4711]);
            if !legacy {
                let (before, after) = (old.identity.public().ed25519(), published(&world, ALICE, 4711, Version::Omemo2).unwrap());
                assert_eq!(&after.identity_key, before, "both forms of the key");
                assert_eq!(named(&world, ALICE), [(4711, Some("from elsewhere".into()))]);
            }
        }
    }
}
/// Signed prekeys that came along go after their period: what was written to them and comes later is not for this device any more.
#[test]
fn signed_prekeys_that_were_taken_over_go_after_their_period() {
    for (days, reads) in [(10, true), (30, false)] {
        let old = old(11, ImportedKey::Seed);
        let mut world = World::new(11);
        old.publish(&mut world);
        let bob = world.join(BOB, omemo);
        world.run();
        world.send(bob, ALICE, "to the old one");
        world.run();
        let waiting = world.stanzas().last().unwrap().clone();
        let alice = world.join(ALICE, omemo);
        assert_eq!(import(&mut world, alice, &old.imported), Ok(()));
        world.run_for(days * 24 * 60 * 60_000);
        world.inject(waiting);
        world.run();
        let (shown, why) = (texts(&world, alice), unread(&world, alice));
        assert_eq!((shown.len(), why), if reads { (1, vec![]) } else { (0, vec![Reason::UnknownPreKey]) }, "{days} days");
    }
}
/// The other program may have known that one of them is somebody else's.
#[test]
fn own_devices_that_were_there_await_approval_after_an_import() {
    let mut world = World::new(6);
    let other = world.join(ALICE, omemo);
    world.run();
    let there = device(&mut world, other);
    let alice = world.join(ALICE, omemo);
    assert_eq!(import(&mut world, alice, &old(6, ImportedKey::Seed).imported), Ok(()));
    world.run();
    let known = devices(&mut world, alice, ALICE).into_iter().find(|d| d.device == there).unwrap();
    assert_eq!((known.trust, known.listed), (Trust::Undecided, true));
    let told = |e: &&Event| matches!(e, Event::DeviceNew { device, trust: Trust::Undecided, .. } if *device == there);
    assert_eq!(world.client(alice).events().iter().filter(told).count(), 1);
    assert_eq!(listed(&world, ALICE, Version::Omemo2).len(), 2);
}
#[test]
fn what_is_not_taken_over() {
    let mut world = World::new(7);
    let alice = world.join(ALICE, omemo);
    let good = old(7, ImportedKey::Seed).imported;
    let bad = |f: fn(&mut Imported)| {
        let mut imported = good.clone();
        f(&mut imported);
        imported
    };
    for (imported, error) in [
        (bad(|i| i.device = 0), ImportError::BadDevice(0)),
        (bad(|i| i.device = 1 << 31), ImportError::BadDevice(1 << 31)),
        (bad(|i| i.fingerprint = Some(Fingerprint([1; 32]))), ImportError::OtherKey),
        (bad(|i| i.prekeys[2].id = 7), ImportError::Duplicate(7)),
        (bad(|i| i.signed[0].id = u32::MAX), ImportError::BadId(u32::MAX)),
        (bad(|i| i.prekeys = (0..1001).map(|id| ImportedPreKey { id, ..i.prekeys[0].clone() }).collect()), ImportError::TooMany),
    ] {
        assert_eq!(import(&mut world, alice, &imported), Err(error));
        let engine = *world.client(alice).handle();
        assert_eq!(world.call(alice, engine, |o, cx| o.own_device(cx)).unwrap(), None, "nothing was taken over");
    }
    assert_eq!(import(&mut world, alice, &good), Ok(()));
    assert_eq!(import(&mut world, alice, &good), Err(ImportError::HasIdentity(4711)));
    assert!(!format!("{good:?}").contains("private"));
}
#[test]
fn signatures_of_labels_are_of_this_device() {
    let (mut world, alice, _) = two(8);
    label(&mut world, alice, "mine").unwrap();
    let node = world.server.node(&ALICE.into(), Version::Omemo2.device_list_node()).unwrap();
    let entry = device_list::parse(Version::Omemo2, &node.items.last().unwrap().payload).unwrap().remove(0);
    let key = published(&world, ALICE, entry.id, Version::Omemo2).unwrap().identity_key;
    let signature = base64::engine::general_purpose::STANDARD.decode(entry.labelsig.unwrap()).unwrap();
    let key = ed25519_dalek::VerifyingKey::from_bytes(&key).unwrap();
    key.verify_strict(b"mine", &ed25519_dalek::Signature::from_slice(&signature).unwrap()).unwrap();
}
