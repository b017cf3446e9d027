//! What a server or a peer can send that it should not: each is refused with a word for it, and nothing changes.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::arithmetic_side_effects)]
mod common;
#[path = "quirks/puppet.rs"]
mod puppet;
use common::*;
use proptest::prelude::*;
use puppet::{Puppet, talking};
use std::time::Instant;
use subrosa_engine::*;
use subrosa_omemo::wire::{Version, bundle, device_list, encrypted};
use subrosa_ratchet::{IdentityKeyPair, KeyPair, Legacy, Omemo2, Session, SignedPreKeyId, UnverifiedBundle};
use subrosa_testkit::{Seeded, Stanza};

fn stanza(from: &str, id: &str, body: Vec<u8>) -> Stanza {
    let to = Recipients::People(vec![BOB.into()]);
    Stanza {
        id: id.into(),
        part: 0,
        chat: ChatId(BOB.into()),
        from: from.into(),
        to,
        kind: Kind::Text,
        content_type: ContentType::STANZA,
        body,
        in_clear: false,
        made: Time(u64::MAX), // just now
    }
}
/// A conversation in the middle, and the last thing alice sent, which bob has not seen.
fn unseen(seed: u64) -> (World, subrosa_testkit::ClientId, subrosa_testkit::ClientId, Stanza) {
    let (mut world, alice, bob) = two(seed);
    for _ in 0..2 {
        world.send(alice, BOB, "hello");
        world.run();
        world.send(bob, ALICE, "hello");
        world.run();
    }
    world.faults.lose = 1000;
    let id = world.send(alice, BOB, "the real thing");
    world.run();
    world.faults.lose = 0;
    let sent = world.stanzas().iter().find(|s| s.id == id).unwrap().clone();
    (world, alice, bob, sent)
}

/// A room's server says that Bob wrote, with the number of a device of Bob's and a key of its own: whose key that is says Bob's server,
/// before the device is met.
#[test]
fn a_room_makes_nobody_known_by_another_key() {
    const ROOM: &str = "room@conference.example.org";
    for known in [false, true] {
        let (mut world, alice, bob) = two(22);
        if known {
            world.send(bob, ALICE, "hello");
            world.run();
        }
        let before = texts(&world, alice).len();
        let mut evil = puppet::Puppet::<Omemo2>::new(4, device(&mut world, alice));
        evil.id = number(&device(&mut world, bob));
        evil.initiate(&world);
        let members = [ALICE, BOB].map(Address::from).to_vec();
        world.feed(alice, Input::Room(ChatId(ROOM.into()), Some(members)));
        world.run();
        let plain = format!(
            "<envelope xmlns='urn:xmpp:sce:1'><content><body xmlns='jabber:client'>it is Bob</body></content><rpad/><from jid='{BOB}'/><to jid='{ROOM}'/></envelope>"
        );
        let (id, chat, from, kind, sent) = ("evil".into(), ChatId(ROOM.into()), BOB.into(), Kind::Text, world.now());
        let (content_type, body) = (ContentType::STANZA, evil.sealed_element(plain.as_bytes()).into_bytes());
        world.feed(alice, Input::Receive { id, chat, from, sent, kind, content_type, body, headers: Headers::default(), answer_by: None });
        world.run();
        assert_eq!((unread(&world, alice), texts(&world, alice).len()), (vec![Reason::KeyChanged], before));
        let id = world.send(alice, BOB, "for Bob");
        world.run();
        assert_eq!((not_sent(&world, alice, &id), texts(&world, bob).pop().as_deref()), (None, Some("for Bob")));
        world.send(bob, ALICE, "it is me");
        world.run();
        assert_eq!(texts(&world, alice).last().unwrap(), "it is me");
    }
}
/// A member whose list has more devices than fit into a message: the others get it, and some of theirs.
#[test]
fn one_member_with_many_devices_stops_no_room() {
    const CAROL: &str = "carol@example.org";
    const ROOM: &str = "room@conference.example.org";
    const MANY: u32 = 200;
    let (mut world, alice, bob) = two(21);
    let rng = &mut Seeded::new(1);
    let signed = KeyPair::generate(rng);
    for id in 1..=MANY {
        let identity = IdentityKeyPair::generate(rng);
        let xml = bundle::write(&bundle::Bundle {
            version: Version::Omemo2,
            identity_key: *identity.public().ed25519(),
            signed_prekey_id: 1,
            signed_prekey: *signed.public().as_bytes(),
            signature: identity.sign_pre_key::<Omemo2>(signed.public(), rng),
            prekeys: vec![(1, *signed.public().as_bytes())],
        });
        world.publish_as(CAROL, &Version::Omemo2.bundle_node(id), Some(&id.to_string()), Keep::Many, &xml);
    }
    let list: Vec<_> = (1..=MANY).map(device_list::ListedDevice::new).collect();
    world.publish_as(CAROL, Version::Omemo2.device_list_node(), Some("current"), Keep::One, &device_list::write(Version::Omemo2, &list));
    world.set_room(ROOM, [ALICE, BOB, CAROL].map(Address::from));
    world.run();
    // as long as a stanza may be with all of the keys in it
    let text = "x".repeat(160_000);
    let id = world.send_in(alice, &ROOM.into(), &text);
    world.run();
    assert_eq!((not_sent(&world, alice, &id), texts(&world, bob).pop()), (None, Some(text)));
    let report = report(&world, alice, &id);
    let of = |owner: &str, result: Result<(), Exclusion>| report.iter().filter(|r| r.device.owner.as_str() == owner && r.result == result).count();
    assert_eq!(of(BOB, Ok(())), 1);
    let (served, left) = (of(CAROL, Ok(())), of(CAROL, Err(Exclusion::TooManyDevices)));
    assert!(served >= 50 && left > 0 && served + left == MANY as usize, "{served} and {left}");
    // words that are too long for anybody are
    let id = world.send_in(alice, &ROOM.into(), &"x".repeat(250_000));
    world.run();
    assert_eq!(not_sent(&world, alice, &id), Some(Reason::TooLarge));
}
#[test]
fn each_kind_of_rubbish_has_its_word_and_changes_nothing() {
    let (mut world, alice, bob, sent) = unseen(1);
    let body = String::from_utf8(sent.body.clone()).unwrap();
    let (a, b) = (device(&mut world, alice), device(&mut world, bob));
    let ns = "urn:xmpp:omemo:2";
    let key = |data: &str| {
        format!(
            "<encrypted xmlns='{ns}'><header sid='{}'><keys jid='{BOB}'><key rid='{}'>{data}</key></keys></header><payload>AAAA</payload></encrypted>",
            a.id, b.id
        )
    };
    let payload = body.find("<payload>").unwrap() + 9;
    let mut forged = body.clone().into_bytes();
    forged[payload] = if forged[payload] == b'A' { b'B' } else { b'A' };
    let cases: Vec<(&str, Vec<u8>, Reason)> = vec![
        ("not XML", b"<encrypted".to_vec(), Reason::Malformed),
        ("truncated", body.as_bytes()[..body.len() / 2].to_vec(), Reason::Malformed),
        ("wrong namespace", body.replace(ns, "urn:xmpp:omemo:99").into_bytes(), Reason::Unsupported),
        ("wrong namespace, unlabelled", b"<encrypted xmlns='urn:xmpp:omemo:99'/>".to_vec(), Reason::NotEncrypted),
        (
            "another encryption",
            b"<body xmlns='jabber:client'>?OTRv3?</body><encryption xmlns='urn:xmpp:eme:0' namespace='urn:xmpp:otr:0'/>".to_vec(),
            Reason::Unsupported,
        ),
        ("no header", format!("<encrypted xmlns='{ns}'/>").into_bytes(), Reason::Malformed),
        ("sid 2^31", body.replace(&format!("sid='{}'", a.id), "sid='2147483648'").into_bytes(), Reason::Malformed),
        ("not base64", key("!!").into_bytes(), Reason::Malformed),
        ("empty key", key("").into_bytes(), Reason::Malformed),
        ("no protobuf", key("/////w==").into_bytes(), Reason::Malformed),
        ("garbage protobuf", key("CgQAAAAA").into_bytes(), Reason::Malformed),
        ("another device", body.replace(&format!("rid='{}'", b.id), "rid='1'").into_bytes(), Reason::NotForThisDevice),
        ("payload changed", forged, Reason::Damaged),
        ("payload gone", format!("{}{}", &body[..payload - 9], &body[body.find("</payload>").unwrap() + 10..]).into_bytes(), Reason::Damaged),
        ("too large", [b"<x>".as_slice(), &vec![b' '; 300 << 10], b"</x>"].concat(), Reason::TooLarge),
    ];
    for (n, (what, bytes, reason)) in cases.into_iter().enumerate() {
        let before = unread(&world, bob).len();
        world.inject(stanza(ALICE, &format!("case {n}"), bytes));
        world.run();
        assert_eq!(unread(&world, bob)[before..], [reason], "{what}");
    }
    // and after all of it the real one is read
    world.inject(sent);
    world.run();
    assert_eq!(texts(&world, bob).last().unwrap(), "the real thing");
}
#[test]
fn the_envelope_must_fit_the_stanza() {
    let (mut world, _, bob, sent) = unseen(2);
    // from another address with the same device: no session there
    world.inject(Stanza { from: "mallory@example.org".into(), id: "moved".into(), ..sent.clone() });
    world.run();
    assert_eq!(unread(&world, bob), [Reason::NoSession]);
    // two days later
    world.run_for(2 * 24 * 60 * 60_000);
    world.inject(Stanza { made: world.now(), ..sent });
    world.run();
    assert_eq!(unread(&world, bob), [Reason::NoSession, Reason::EnvelopeMismatch]);
}
#[test]
fn replays_reflections_and_strangers_keys_are_silent() {
    let (mut world, alice, bob, sent) = unseen(3);
    for _ in 0..3 {
        world.inject(sent.clone());
        world.run();
    }
    assert_eq!(texts(&world, bob).iter().filter(|t| *t == "the real thing").count(), 1);
    let own = Stanza { to: Recipients::People(vec![ALICE.into()]), ..sent };
    world.inject(own);
    world.run();
    assert_eq!((unread(&world, alice), unread(&world, bob)), (vec![], vec![]));
    // an empty message for somebody else's device
    let mut other = encrypted::Builder::omemo2(5, 1);
    other.recipient(BOB);
    other.key(1, false, b"\x0a");
    world.inject(stanza(ALICE, "empty", other.message(None)));
    world.run();
    assert_eq!(unread(&world, bob), vec![]);
}
#[test]
fn one_bad_device_never_stops_the_message() {
    type Damage = fn(&mut World, u32);
    let node = |version: Version, id: u32| version.bundle_node(id).into_owned();
    let _ = node;
    let cases: [(Exclusion, Damage); 4] = [
        (Exclusion::NoBundle, |w, id| {
            w.server.node_mut(&BOB.into(), &Version::Omemo2.bundle_node(id)).unwrap().items.retain(|i| i.id != Some(id.to_string()))
        }),
        (Exclusion::BadBundle, |w, id| change(w, id, |b| b.signature[3] ^= 1)),
        (Exclusion::BadBundle, |w, id| change(w, id, |b| b.signed_prekey = [0; 32])),
        (Exclusion::BadBundle, |w, id| change(w, id, |b| b.prekeys.clear())),
    ];
    for (n, (why, damage)) in cases.into_iter().enumerate() {
        let mut world = World::new(40 + n as u64);
        world.notify(|node| node.starts_with("urn:xmpp:omemo:2"));
        world.server.refuse(|_, r| match r {
            Request::Publish { node, .. } if node.name.starts_with("eu.siacs") => Some(RequestError::Forbidden),
            _ => None,
        });
        let (alice, good, bad) = (world.join(ALICE, omemo), world.join(BOB, omemo), world.join(BOB, omemo));
        world.run();
        let (good_device, bad_device) = (device(&mut world, good), device(&mut world, bad));
        world.disconnect(bad);
        damage(&mut world, number(&bad_device));
        let id = world.send(alice, BOB, "hello");
        world.run();
        assert_eq!(texts(&world, good), ["hello"], "{n}");
        let report = report(&world, alice, &id);
        assert!(report.iter().any(|r| r.device == good_device && r.result == Ok(())));
        assert!(report.iter().any(|r| r.device == bad_device && r.result == Err(why)), "{n}: {report:?}");
    }
}
fn change(world: &mut World, id: u32, f: impl FnOnce(&mut bundle::Bundle)) {
    let mut changed = published(world, BOB, id, Version::Omemo2).unwrap();
    f(&mut changed);
    let node = world.server.node_mut(&BOB.into(), &Version::Omemo2.bundle_node(id)).unwrap();
    node.items.iter_mut().find(|i| i.id == Some(id.to_string())).unwrap().payload = bundle::write(&changed);
}
#[test]
fn no_answer_and_no_device_ever_means_clear_text() {
    for error in [None, Some(RequestError::NotFound), Some(RequestError::Forbidden), Some(RequestError::Unreachable), Some(RequestError::Malformed)] {
        let mut world = World::new(5);
        let alice = world.join(ALICE, omemo);
        world.run();
        if let Some(error) = error {
            world.server.refuse(move |_, r| matches!(r, Request::Fetch(node) if node.owner.as_str() == BOB).then_some(error));
        } else {
            for version in Version::ALL {
                world.publish_as(BOB, version.device_list_node(), Some("current"), Keep::One, &device_list::write(version, &[]));
            }
        }
        let id = world.send(alice, BOB, "secret");
        world.run();
        // a server that says that there is nobody is another thing than one that says nothing
        let expected = if matches!(error, None | Some(RequestError::NotFound)) { Reason::NoEncryption } else { Reason::DeviceListUnavailable };
        assert_eq!(not_sent(&world, alice, &id), Some(expected), "{error:?}");
        assert!(world.stanzas().is_empty());
        assert!(!world.server.saw(b"secret"));
    }
}
#[test]
fn a_known_list_survives_an_error() {
    let (mut world, alice, bob) = two(6);
    world.send(alice, BOB, "one");
    world.run();
    world.server.refuse(|_, r| matches!(r, Request::Fetch(_)).then_some(RequestError::Unreachable));
    world.run_for(3 * 24 * 60 * 60_000);
    world.send(alice, BOB, "two");
    world.run();
    assert_eq!(texts(&world, bob), ["one", "two"]);
}
#[test]
fn five_thousand_devices() {
    let mut world = World::new(7);
    let (alice, bob) = (world.join(ALICE, omemo), world.join(BOB, omemo));
    world.run();
    let real = device(&mut world, bob);
    world.disconnect(bob);
    let mut list: Vec<_> = (1..5000).map(device_list::ListedDevice::new).collect();
    list.push(device_list::ListedDevice::new(number(&real)));
    let xml = device_list::write(Version::Omemo2, &list);
    assert!(xml.len() < 256 << 10);
    world.publish_as(BOB, Version::Omemo2.device_list_node(), Some("current"), Keep::One, &xml);
    let start = Instant::now();
    let id = world.send(alice, BOB, "to one of many");
    world.run();
    println!("5,000 devices, 4,999 without a bundle: {:?}", start.elapsed());
    let report = report(&world, alice, &id);
    assert_eq!(report.len(), 5000);
    assert_eq!(report.iter().filter(|r| r.result.is_ok()).count(), 1);
    world.connect(bob);
    world.run();
    assert_eq!(texts(&world, bob), ["to one of many"]);
}
#[test]
fn what_no_server_would_carry_is_not_sent() {
    let (mut world, alice, bob) = two(10);
    let id = world.send(alice, BOB, &"x".repeat(200 << 10));
    world.run();
    assert_eq!(not_sent(&world, alice, &id), Some(Reason::TooLarge));
    assert!(world.stanzas().is_empty());
    let id = world.send(alice, BOB, &"x".repeat(150 << 10));
    world.run();
    assert_eq!(not_sent(&world, alice, &id), None);
    assert_eq!(texts(&world, bob)[0].len(), 150 << 10);
}
#[test]
fn ids_zero_and_two_to_the_thirty_one() {
    let (mut world, alice, bob) = two(8);
    let real = number(&device(&mut world, bob));
    let list =
        format!("<devices xmlns='urn:xmpp:omemo:2'><device id='0'/><device id='2147483648'/><device id='{real}'/><device id='{real}'/></devices>");
    world.disconnect(bob);
    world.publish_as(BOB, Version::Omemo2.device_list_node(), Some("current"), Keep::One, list.as_bytes());
    let id = world.send(alice, BOB, "hello");
    world.run();
    let mut ids: Vec<_> = report(&world, alice, &id).iter().map(|r| (number(&r.device), r.result)).collect();
    ids.sort_unstable_by_key(|(id, _)| *id);
    assert_eq!(ids, [(0, Err(Exclusion::NoBundle)), (real, Ok(()))]);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]
    /// One byte of a message, a bundle or a list changed anywhere: never a panic, and the conversation goes on.
    #[test]
    fn any_byte_changed(at in 0usize..100_000, to: u8) {
        let (mut world, alice, bob, sent) = unseen(9);
        let mut damaged = sent.clone();
        let at_body = at % damaged.body.len();
        damaged.body[at_body] = to;
        damaged.id = "damaged".into();
        let changed = damaged.body != sent.body;
        world.inject(damaged);
        world.run();
        if changed {
            // a change outside of what is authentic may leave it readable: then it is read as it was
            let shown = texts(&world, bob);
            prop_assert!(shown.iter().all(|t| t == "hello" || t == "the real thing"));
        }
        let id = number(&device(&mut world, alice));
        for version in Version::ALL {
            for node in [version.device_list_node().to_owned(), version.bundle_node(id).into_owned()] {
                let payload = &mut world.server.node_mut(&ALICE.into(), &node).unwrap().items[0].payload;
                let at = at % payload.len();
                payload[at] = to;
            }
        }
        for who in [alice, bob] {
            world.disconnect(who);
            world.connect(who);
            world.run();
        }
        world.send(bob, ALICE, "still here");
        world.send(alice, BOB, "so am i");
        world.run();
        prop_assert_eq!(texts(&world, alice).pop(), Some("still here".to_owned()));
        prop_assert_eq!(texts(&world, bob).pop(), Some("so am i".to_owned()));
    }
}

/// Legacy ids are not qualified by an address: accounts that take ours in a room hide nothing.
#[test]
fn keys_of_others_with_our_id_do_not_hide_the_good_one() {
    let (mut world, alice, mut bob) = talking::<Legacy>(40);
    let ours = number(&bob.alice);
    for before in [0, 8, 20, 31] {
        let text = format!("behind {before}");
        let sealed = bob.seal(text.as_bytes());
        let mut builder = encrypted::Builder::legacy(bob.id, &sealed.iv, before + 1);
        for n in 0..before {
            let mut other = bob.key(&sealed.material).1;
            let last = other.len() - 1;
            other[last] ^= 1 + u8::try_from(n).unwrap();
            builder.key(ours, false, &other);
        }
        let (kex, data) = bob.key(&sealed.material);
        builder.key(ours, kex, &data);
        let body = String::from_utf8(builder.message(Some(&sealed.payload))).unwrap();
        bob.send(&mut world, &body);
        assert_eq!(texts(&world, alice).last(), Some(&text));
    }
    // a bound on what is tried stays
    let mut builder = encrypted::Builder::legacy(bob.id, &[1; 12], 5_000);
    (0..5_000).for_each(|_| builder.key(ours, false, b"\x33..."));
    let found = encrypted::parse(&builder.element(Some(b"x")), ALICE, ours).unwrap().encrypted.unwrap();
    assert_eq!((found.keys.len(), found.others), (encrypted::MAX_OWN_KEYS, 5_000 - encrypted::MAX_OWN_KEYS));
}

/// Legacy exchanges that spend no prekey cost nothing: whoever makes up devices with them fills nothing here, and makes nobody forget whom a
/// person knows, nor who is on the list.
#[test]
fn devices_on_no_list_are_remembered_so_many_at_most() {
    let (mut world, alice, bob) = talking::<Legacy>(41);
    let ours = published(&world, ALICE, number(&bob.alice), Version::Legacy).unwrap();
    let real = Device::of(&BOB.into(), bob.id);
    let stranger = |n: u32| Device::of(&BOB.into(), 64 * (n + 1_000));
    for n in 0..200 {
        let mut made_up = Puppet::<Legacy>::new(1_000 + u64::from(n), bob.alice.clone());
        made_up.id = number(&stranger(n));
        let signed = (SignedPreKeyId(ours.signed_prekey_id), ours.signed_prekey.as_slice());
        let bundle = UnverifiedBundle::<Legacy>::new(&ours.identity_key, signed, &ours.signature, None).unwrap().verify().unwrap();
        made_up.session = Some(Session::initiate(&made_up.identity, bundle, &mut made_up.rng).unwrap());
        let element = made_up.sealed_element(b"x");
        made_up.send(&mut world, &element);
        if n == 3 {
            let key = devices(&mut world, alice, BOB).into_iter().find(|d| d.device == stranger(3)).unwrap().key.unwrap();
            world.feed(alice, Input::SetTrust(stranger(3), key, Trust::Untrusted));
        }
    }
    let known = devices(&mut world, alice, BOB);
    let of = |device: &Device| known.iter().find(|d| d.device == *device);
    assert_eq!(of(&stranger(3)).unwrap().trust, Trust::Untrusted);
    assert!(of(&real).unwrap().has_session && of(&stranger(199)).unwrap().has_session && of(&stranger(0)).is_none());
    assert_eq!(known.len(), 64 + 2);
    assert_eq!(shown(&world, alice).len(), 2 + 200, "each is read all the same");
}
