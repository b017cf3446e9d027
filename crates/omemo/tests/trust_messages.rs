//! Trust messages as others write them, and as nobody should (XEP-0434, XEP-0450): shape, affixes, order, bounds.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, clippy::arithmetic_side_effects)]
mod common;
#[path = "quirks/puppet.rs"]
mod puppet;
use common::*;
use proptest::prelude::*;
use puppet::*;
use subrosa_engine::*;
use subrosa_omemo::wire::trust_message::{self, Found, KeyOwner};
use subrosa_omemo::wire::{Version, WireError};
use subrosa_ratchet::{IdentityKeyPair, Legacy, Omemo2};
use subrosa_testkit::{ClientId, Seeded};

/// XEP-0434, example 1, without its line breaks.
const EXAMPLE: &str = "<trust-message xmlns='urn:xmpp:tm:1' usage='urn:xmpp:atm:1' encryption='urn:xmpp:omemo:2'>\
<key-owner jid='alice@example.org'><trust>aFABnX7Q/rbTgjBySYzrT2FsYCVYb49mbca5yB734KQ=</trust><trust>IhpPjiKLchgrAG5cpSfTvdzPjZ5v6vTOluHEUehkgCA=</trust></key-owner>\
<key-owner jid='bob@example.com'><trust>YjVI04NcbTPvXLaA95RO84HPcSvyOgEZ2r5cTyUs0C8=</trust>\
<distrust>tCP1CI3pqSTVGzFYFyPYUMfMZ9Ck/msmfD0wH/VtJBM=</distrust><distrust>2fhJtrgoMJxfLI3084/YkYh9paqiSiLFDVL2m0qAgX4=</distrust></key-owner></trust-message>";

#[test]
fn the_example_of_the_specification_both_ways() {
    let Found::Message(owners) = trust_message::find(EXAMPLE.as_bytes()).unwrap() else { panic!("it is for us") };
    let counts: Vec<_> = owners.iter().map(|o| (o.jid.as_str(), o.trust.len(), o.distrust.len())).collect();
    assert_eq!(counts, [("alice@example.org", 2, 0), ("bob@example.com", 1, 2)]);
    assert_eq!(trust_message::write(&owners), EXAMPLE.as_bytes());
    let spread = EXAMPLE.replace("><", ">\n  <");
    assert_eq!(trust_message::find(spread.as_bytes()), Ok(Found::Message(owners)));
}
#[test]
fn what_is_no_trust_message() {
    let find = |xml: &str| trust_message::find(xml.as_bytes());
    assert_eq!(find(""), Ok(Found::Nothing));
    assert_eq!(find("<body xmlns='jabber:client'>hi</body><trust-message xmlns='urn:xmpp:tm:0'/>"), Ok(Found::Nothing));
    assert_eq!(find(&EXAMPLE.replace("urn:xmpp:atm:1", "urn:example:other")), Ok(Found::Foreign));
    assert_eq!(find(&EXAMPLE.replace("urn:xmpp:omemo:2", "urn:xmpp:openpgp:0")), Ok(Found::Foreign));
    assert_eq!(find(&format!("{EXAMPLE}{EXAMPLE}")), Err(WireError::RepeatedElement("trust-message")));
    for (from, to, error) in [
        (" usage='urn:xmpp:atm:1'", "", WireError::MissingAttribute { element: "trust-message", attribute: "usage" }),
        (" jid='bob@example.com'", "", WireError::MissingAttribute { element: "key-owner", attribute: "jid" }),
        ("IhpPjiKLchgrAG5cpSfTvdzPjZ5v6vTOluHEUehkgCA=", "IhpP", WireError::WrongKeyLength { what: "trust", len: 3 }),
        ("IhpPjiKLchgrAG5cpSfTvdzPjZ5v6vTOluHEUehkgCA=", "!", WireError::BadBase64("trust")),
        ("</trust-message>", "<key-owner jid='c@d'/></trust-message>", WireError::MissingElement("trust")),
        ("</trust-message>", "", WireError::NotXml),
        (
            "</key-owner>",
            "<decided xmlns='urn:subrosa:omemo:0'/></key-owner>",
            WireError::MissingAttribute { element: "decided", attribute: "stamp" },
        ),
        ("</key-owner>", "<decided xmlns='urn:subrosa:omemo:0' stamp='yesterday'/></key-owner>", WireError::BadTime),
    ] {
        assert_eq!(find(&EXAMPLE.replace(from, to)), Err(error));
    }
    let none = "<trust-message xmlns='urn:xmpp:tm:1' usage='urn:xmpp:atm:1' encryption='urn:xmpp:omemo:2'/>";
    assert_eq!(find(none), Err(WireError::MissingElement("key-owner")));
    let many = KeyOwner { jid: "a@b".into(), trust: vec![[1; 32]; 2_001], distrust: Vec::new(), decided: None };
    assert_eq!(trust_message::find(&trust_message::write(&[many])), Err(WireError::TooMany { what: "trust", limit: 2_000 }));
}
proptest! {
    #[test]
    fn what_is_written_is_read(owners in prop::collection::vec(("[a-zé<&'\"]{1,9}", prop::collection::vec(any::<[u8; 32]>(), 0..4), prop::collection::vec(any::<[u8; 32]>(), 1..4), prop::option::of(0u64..4_000_000_000_000)), 1..5)) {
        let owners: Vec<KeyOwner> = owners.into_iter().map(|(jid, trust, distrust, at)| KeyOwner { jid, trust, distrust, decided: at.map(Time) }).collect();
        prop_assert_eq!(trust_message::find(&trust_message::write(&owners)), Ok(Found::Message(owners)));
    }
    #[test]
    fn damage_is_refused_or_read(at in 0..EXAMPLE.len(), byte in 0u8..128) {
        let mut xml = EXAMPLE.as_bytes().to_vec();
        xml[at] = byte;
        let _ = trust_message::find(&xml);
        let _ = trust_message::find(&EXAMPLE.as_bytes()[..at]);
    }
}

fn affixes(time: Time) -> String {
    // XEP-0082, from milliseconds: through our own writer
    let plain = subrosa_omemo::wire::sce::Outgoing { content: b"", from: BOB, to: Some(ALICE), time };
    let whole = String::from_utf8(subrosa_omemo::wire::sce::write(&plain, &mut Seeded::new(1)).to_vec()).unwrap();
    whole.split_once("</content>").unwrap().1.strip_suffix("</envelope>").unwrap().to_owned()
}
fn say(world: &mut World, bob: &mut Puppet<Omemo2>, content: &str, affixes: &str) {
    let plain = format!("<envelope xmlns='urn:xmpp:sce:1'><content>{content}</content>{affixes}</envelope>");
    let element = bob.sealed_element(plain.as_bytes());
    bob.send(world, &element);
}
fn about(owner: &str, key: &IdentityKeyPair, trust: bool) -> String {
    let keys = vec![*key.public().ed25519()];
    let (trust, distrust) = if trust { (keys, vec![]) } else { (vec![], keys) };
    String::from_utf8(trust_message::write(&[KeyOwner { jid: owner.into(), trust, distrust, decided: None }])).unwrap()
}
/// Another device of Bob's, that Alice knows: its identity and number.
fn second(world: &mut World, alice: ClientId, bob: &Puppet<Omemo2>) -> (IdentityKeyPair, Device) {
    use subrosa_omemo::wire::{bundle, device_list};
    let rng = &mut Seeded::new(77);
    let (identity, signed, one) = (IdentityKeyPair::generate(rng), subrosa_ratchet::KeyPair::generate(rng), subrosa_ratchet::KeyPair::generate(rng));
    let xml = bundle::write(&bundle::Bundle {
        version: Version::Omemo2,
        identity_key: *identity.public().ed25519(),
        signed_prekey_id: 1,
        signed_prekey: *signed.public().as_bytes(),
        signature: identity.sign_pre_key::<Omemo2>(signed.public(), rng),
        prekeys: vec![(1, *one.public().as_bytes())],
    });
    world.publish_as(BOB, &Version::Omemo2.bundle_node(5), Some("5"), Keep::Many, &xml);
    let list = [device_list::ListedDevice::new(bob.id), device_list::ListedDevice::new(5)];
    world.publish_as(BOB, Version::Omemo2.device_list_node(), Some("current"), Keep::One, &device_list::write(Version::Omemo2, &list));
    world.run();
    world.send(alice, BOB, "to both");
    world.run();
    (identity, Device::of(&BOB.into(), 5))
}
fn trust(world: &mut World, alice: ClientId, of: &Device) -> Trust {
    devices(world, alice, BOB).into_iter().find(|d| d.device == *of).unwrap().trust
}
fn verify(world: &mut World, alice: ClientId, bob: &Puppet<Omemo2>) {
    let of = Device::of(&BOB.into(), bob.id);
    let key = devices(world, alice, BOB).into_iter().find(|d| d.device == of).unwrap().key.unwrap();
    world.feed(alice, Input::SetTrust(of, key, Trust::Verified));
    world.run();
}

#[test]
fn without_all_affixes_it_is_refused() {
    let (mut world, alice, mut bob) = talking::<Omemo2>(1);
    let (key, of) = second(&mut world, alice, &bob);
    verify(&mut world, alice, &bob);
    let whole = affixes(world.now());
    let without = |name: &str| {
        let start = whole.find(&format!("<{name}")).unwrap();
        let end = if name == "rpad" { whole.find("</rpad>").unwrap() + 7 } else { start + whole[start..].find("/>").unwrap() + 2 };
        format!("{}{}", &whole[..start], &whole[end..])
    };
    for (n, name) in ["rpad", "time", "from", "to"].into_iter().enumerate() {
        say(&mut world, &mut bob, &about(BOB, &key, true), &without(name));
        assert_eq!(unread(&world, alice), vec![Reason::Malformed; n + 1], "{name}");
        assert_eq!(trust(&mut world, alice, &of), Trust::Trusted);
    }
    say(&mut world, &mut bob, "<trust-message xmlns='urn:xmpp:tm:1' usage='urn:xmpp:atm:1' encryption='urn:xmpp:omemo:2'/>", &whole);
    assert_eq!(unread(&world, alice).len(), 5);
    // for somebody else, or by somebody else
    for (from, to) in [(BOB, "carol@example.org"), (ALICE, BOB)] {
        say(&mut world, &mut bob, &about(BOB, &key, true), &whole.replace(from, to));
        assert_eq!(unread(&world, alice).pop(), Some(Reason::EnvelopeMismatch));
    }
    assert_eq!(trust(&mut world, alice, &of), Trust::Trusted);
    say(&mut world, &mut bob, &about(BOB, &key, true), &whole);
    assert_eq!(trust(&mut world, alice, &of), Trust::Verified, "and with all of them it counts");
    assert_eq!(texts(&world, alice), ["hello", "fine"], "nothing of it is shown");
}
/// In the legacy version there is no envelope: what looks like one is words.
#[test]
fn it_does_not_travel_in_the_legacy_version() {
    let (mut world, alice, mut bob) = talking::<Legacy>(2);
    let key = IdentityKeyPair::generate(&mut Seeded::new(3));
    let content = about(BOB, &key, true);
    bob.say(&mut world, &content);
    assert_eq!(texts(&world, alice).pop(), Some(content), "it is shown for what it is");
}
/// The network turns two statements around, or brings one late: the later word of their author stands.
#[test]
fn the_order_is_that_of_the_sender() {
    let (mut world, alice, mut bob) = talking::<Omemo2>(4);
    let (key, of) = second(&mut world, alice, &bob);
    verify(&mut world, alice, &bob);
    world.run_for(10_000);
    let now = world.now();
    let at = |ago: u64| affixes(Time(now.0 - ago));
    say(&mut world, &mut bob, &about(BOB, &key, false), &at(1_000));
    assert_eq!(trust(&mut world, alice, &of), Trust::Untrusted);
    say(&mut world, &mut bob, &about(BOB, &key, true), &at(2_000));
    assert_eq!(trust(&mut world, alice, &of), Trust::Untrusted, "what was said before comes too late");
    say(&mut world, &mut bob, &about(BOB, &key, true), &at(1_000));
    assert_eq!(trust(&mut world, alice, &of), Trust::Untrusted, "of two at one time the one that distrusts");
    say(&mut world, &mut bob, &about(BOB, &key, true), &at(500));
    assert_eq!(trust(&mut world, alice, &of), Trust::Verified);
    // a clock that is ahead wins nothing: from now on others are later
    say(&mut world, &mut bob, &about(BOB, &key, false), &affixes(Time(now.0 + 3_600_000)));
    world.run_for(1_000);
    let later = affixes(world.now());
    say(&mut world, &mut bob, &about(BOB, &key, true), &later);
    assert_eq!(trust(&mut world, alice, &of), Trust::Verified);
    // one message that says both
    let both = about(BOB, &key, true).replace(
        "</trust></key-owner>",
        &format!(
            "</trust>{}</key-owner>",
            about(BOB, &key, false).split_once("'>").unwrap().1.split_once("'>").unwrap().1.split_once("</key-owner>").unwrap().0
        ),
    );
    world.run_for(1_000);
    let later = affixes(world.now());
    say(&mut world, &mut bob, &both, &later);
    assert_eq!(trust(&mut world, alice, &of), Trust::Untrusted);
}
/// What was decided before it was said is as old as it says, and never newer than its message.
#[test]
fn what_is_told_later_is_as_old_as_the_decision() {
    let (mut world, alice, mut bob) = talking::<Omemo2>(16);
    let (key, of) = second(&mut world, alice, &bob);
    verify(&mut world, alice, &bob);
    world.run_for(10_000);
    let now = world.now();
    let decided = |trust: bool, ago: i64| {
        let time = Time(now.0.checked_add_signed(-ago).unwrap());
        let keys = vec![*key.public().ed25519()];
        let (trust, distrust) = if trust { (keys, vec![]) } else { (vec![], keys) };
        String::from_utf8(trust_message::write(&[KeyOwner { jid: BOB.into(), trust, distrust, decided: Some(time) }])).unwrap()
    };
    let at = |ago: u64| affixes(Time(now.0 - ago));
    say(&mut world, &mut bob, &about(BOB, &key, false), &at(5_000));
    say(&mut world, &mut bob, &decided(true, 6_000), &at(1_000));
    assert_eq!(trust(&mut world, alice, &of), Trust::Untrusted, "said later, decided before");
    say(&mut world, &mut bob, &decided(true, -3_600_000), &at(5_500));
    assert_eq!(trust(&mut world, alice, &of), Trust::Untrusted, "nobody decides later than they say it");
    say(&mut world, &mut bob, &decided(true, 4_000), &at(1_000));
    assert_eq!(trust(&mut world, alice, &of), Trust::Verified);
}
/// Before it is verified a device may say what it likes, as often as it likes: little is kept, and of that the latest.
#[test]
fn what_is_kept_of_one_device_is_bounded() {
    let (mut world, alice, mut bob) = talking::<Omemo2>(5);
    let (key, of) = second(&mut world, alice, &bob);
    let mut rng = Seeded::new(9);
    for n in 0..3 {
        let keys = (0..200).map(|_| *IdentityKeyPair::generate(&mut rng).public().ed25519()).collect();
        let content = trust_message::write(&[KeyOwner { jid: BOB.into(), trust: keys, distrust: vec![], decided: None }]);
        world.run_for(10);
        let now = affixes(world.now());
        say(&mut world, &mut bob, std::str::from_utf8(&content).unwrap(), &now);
        if n == 2 {
            say(&mut world, &mut bob, &about(BOB, &key, true), &now);
        }
    }
    assert_eq!(trust(&mut world, alice, &of), Trust::Trusted);
    assert!(unread(&world, alice).is_empty());
    verify(&mut world, alice, &bob);
    assert_eq!(trust(&mut world, alice, &of), Trust::Verified, "the last is among what was kept");
}
/// A message that vouches for a key which a device shows in the place of another: whoever may vouch may do that.
#[test]
fn nobody_is_verified_by_their_own_word() {
    let (mut world, alice, mut bob) = talking::<Omemo2>(6);
    let (own, now) = (bob.identity.clone(), affixes(world.now()));
    say(&mut world, &mut bob, &about(BOB, &own, true), &now);
    let of = Device::of(&BOB.into(), bob.id);
    assert_eq!(trust(&mut world, alice, &of), Trust::Trusted, "it is kept until the device is verified, and says nothing then");
}
/// A person refused a key that a device showed in the place of its own, and by a link one that no device has shown: no contact can
/// allow either; the person elsewhere can.
#[test]
fn a_contact_can_not_undo_a_refusal_of_a_key_that_is_not_there() {
    let (mut world, alice, mut bob) = talking::<Omemo2>(7);
    let (_, of) = second(&mut world, alice, &bob);
    verify(&mut world, alice, &bob);
    let new = IdentityKeyPair::generate(&mut Seeded::new(8));
    let shown = Fingerprint(new.public().fingerprint());
    world.feed(alice, Input::SetTrust(of.clone(), shown, Trust::Untrusted));
    world.run_for(1_000);
    let now = affixes(world.now());
    say(&mut world, &mut bob, &about(BOB, &new, true), &now);
    let other = IdentityKeyPair::generate(&mut Seeded::new(10));
    let hex: String = other.public().ed25519().iter().map(|byte| format!("{byte:02x}")).collect();
    let link = format!("xmpp:{BOB}?trust-message;encryption=urn:xmpp:omemo:2;distrust={hex}");
    let engine = *world.client(alice).handle();
    world.call(alice, engine, move |o, cx| o.verify_uri(cx, &link, None)).unwrap().unwrap();
    world.run_for(1_000);
    let now = affixes(world.now());
    say(&mut world, &mut bob, &about(BOB, &other, true), &now);
    // both keys are shown, each by a device that has another or none
    for (id, identity) in [(5, new), (6, other)] {
        let mut puppet = Puppet::<Omemo2>::new(70 + u64::from(id), bob.alice.clone());
        (puppet.id, puppet.identity) = (id, identity.clone());
        puppet.initiate(&world);
        puppet.say(&mut world, "let me in");
        let of = Device::of(&BOB.into(), id);
        let key = Fingerprint(identity.public().fingerprint());
        let all = world.call(alice, engine, move |_, cx| cx.identities(&BOB.into())).unwrap();
        let worth: Vec<Trust> = all.into_iter().filter(|i| i.device == of && i.key == key).map(|i| i.trust).collect();
        assert_eq!(worth, [Trust::Untrusted], "{id}");
    }
}
/// Whose keys a message names is kept with every key of it, so that it is no longer than an address can be.
#[test]
fn an_address_that_is_too_long_for_one() {
    for (length, fits) in [(3_071, true), (3_072, false)] {
        let owner = KeyOwner { jid: "x".repeat(length), trust: vec![[1; 32]], distrust: vec![], decided: None };
        assert_eq!(trust_message::find(&trust_message::write(&[owner])).is_ok(), fits);
    }
}
/// What a device said under a key that it has no more counts for nothing when its new one is verified.
#[test]
fn what_was_said_under_another_key_is_not_the_devices_word() {
    let (mut world, alice, mut bob) = talking::<Omemo2>(14);
    let (key, of) = second(&mut world, alice, &bob);
    let now = affixes(world.now());
    say(&mut world, &mut bob, &about(BOB, &key, true), &now);
    let new = Fingerprint(IdentityKeyPair::generate(&mut Seeded::new(15)).public().fingerprint());
    world.feed(alice, Input::SetTrust(Device::of(&BOB.into(), bob.id), new, Trust::Verified));
    world.run();
    assert_eq!(trust(&mut world, alice, &of), Trust::Trusted);
}
/// Named in both ways by one message, a key is what the later of the two makes it: distrust, in whatever order it was written. For a message
/// that is kept too.
#[test]
fn of_one_message_distrust_is_the_last_word() {
    for verified_before in [false, true] {
        let (mut world, alice, mut bob) = talking::<Omemo2>(9);
        let (key, of) = second(&mut world, alice, &bob);
        if verified_before {
            verify(&mut world, alice, &bob);
        }
        let key = vec![*key.public().ed25519()];
        let (yes, no) = ((key.clone(), vec![]), (vec![], key));
        let owners = [no, yes].map(|(trust, distrust)| KeyOwner { jid: BOB.into(), trust, distrust, decided: None });
        let now = affixes(world.now());
        say(&mut world, &mut bob, std::str::from_utf8(&trust_message::write(&owners)).unwrap(), &now);
        if !verified_before {
            assert_eq!(trust(&mut world, alice, &of), Trust::Trusted);
            verify(&mut world, alice, &bob);
        }
        assert_eq!(trust(&mut world, alice, &of), Trust::Untrusted, "{verified_before}");
    }
}
/// XEP-0450 knows none: whoever runs a room would decide who gets them.
#[test]
fn in_a_room_it_is_refused() {
    const ROOM: &str = "room@conference.example.org";
    let (mut world, alice, mut bob) = talking::<Omemo2>(10);
    let (key, of) = second(&mut world, alice, &bob);
    verify(&mut world, alice, &bob);
    world.feed(alice, Input::Room(ChatId(ROOM.into()), Some([ALICE, BOB].map(Address::from).to_vec())));
    let affixes = affixes(world.now()).replace(&format!("<to jid='{ALICE}'"), &format!("<to jid='{ROOM}'"));
    assert!(affixes.contains(ROOM));
    let plain = format!("<envelope xmlns='urn:xmpp:sce:1'><content>{}</content>{affixes}</envelope>", about(BOB, &key, true));
    let (body, sent) = (bob.sealed_element(plain.as_bytes()).into_bytes(), world.now());
    let (chat, content_type, headers) = (ChatId(ROOM.into()), ContentType::STANZA, Headers::default());
    world.feed(
        alice,
        Input::Receive { id: "r1".into(), chat, from: BOB.into(), sent, kind: Kind::Text, content_type, body, headers, answer_by: None },
    );
    world.run();
    assert_eq!((unread(&world, alice), trust(&mut world, alice, &of)), (vec![Reason::Malformed], Trust::Trusted));
}
