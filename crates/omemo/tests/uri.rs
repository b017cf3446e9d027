//! Links and QR codes with keys: what is read, what is refused, what follows.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, clippy::arithmetic_side_effects)]
mod common;
use common::*;
use proptest::prelude::*;
use subrosa_engine::*;
use subrosa_omemo::uri::{self, UriError};
use subrosa_omemo::wire::Version;
use subrosa_omemo::{Checked, KeyCheck};
use subrosa_ratchet::IdentityKeyPair;
use subrosa_testkit::ClientId;

const KEY: &str = "c758975a5960aace88d6c3353630da8c553281f3871b181b06d7eb55478a9155";
const OTHER: &str = "4092df9c2cca9c9fe8fd567794be1838b4c16e17449f36b1bfd6ed866f819f73";

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}
fn scan(world: &mut World, who: ClientId, link: &str, of: Option<&str>) -> Result<Vec<Checked>, UriError> {
    let (engine, link, of) = (*world.client(who).handle(), link.to_owned(), of.map(Address::from));
    let result = world.call(who, engine, move |o, cx| o.verify_uri(cx, &link, of.as_ref())).unwrap();
    world.run();
    result
}
fn link(world: &mut World, of: ClientId) -> String {
    let engine = *world.client(of).handle();
    world.call(of, engine, |o, cx| o.xmpp_uri(cx)).flatten().unwrap()
}
fn trust(world: &mut World, who: ClientId, of: ClientId) -> Option<Trust> {
    let device = device(world, of);
    devices(world, who, device.owner.as_str()).into_iter().find(|d| d.device == device).map(|d| d.trust)
}

#[test]
fn links_as_others_write_them() {
    // Conversations, of two devices; the page of its makers; a program that groups and capitalises; libsignal's type byte
    let two = uri::parse(&format!("xmpp:alice@example.org?omemo-sid-1953869954={KEY};omemo-sid-868104676={OTHER}")).unwrap();
    assert_eq!(two.owner.as_str(), "alice@example.org");
    assert_eq!(
        two.keys.iter().map(|k| (k.device, hex(&k.value))).collect::<Vec<_>>(),
        [(Some(1953869954), KEY.into()), (Some(868104676), OTHER.into())]
    );
    let loud = KEY.to_uppercase().chars().collect::<Vec<_>>().chunks(8).map(String::from_iter).collect::<Vec<_>>().join("%20");
    for same in [
        format!("XMPP:alice@example.org?omemo-sid-1={KEY}"),
        format!("xmpp:Alice@Example.ORG/phone?otr-fingerprint=811b;omemo-sid-1={KEY};message;body=hi"),
        format!("xmpp:alice@example.org?roster;name=A;omemo-sid-1={KEY};omemo-sid-1={KEY}"),
        format!("xmpp:alice%40example.org?omemo-sid-1={loud}"),
        format!("xmpp:alice@example.org?omemo-sid-1=05{KEY}#fragment"),
        format!("https://conversations.im/i/alice@example.org?omemo-sid-1={KEY}"),
        format!("https://conversations.im/i/alice/example.org/?omemo-sid-1={KEY}"),
        format!("xmpp://alice@example.org?omemo-sid-1={KEY}"),
    ] {
        let read = uri::parse(&same).unwrap_or_else(|e| panic!("{same}: {e}"));
        assert_eq!(read.owner.as_str(), "alice@example.org", "{same}");
        assert_eq!(read.keys.iter().map(|k| (k.device, hex(&k.value), k.ed25519, k.trust)).collect::<Vec<_>>(), [(Some(1), KEY.into(), false, true)]);
    }
    let from = uri::parse(&format!("xmpp://bob@example.org/alice@example.org?omemo-sid-1={KEY}")).unwrap();
    assert_eq!((from.from.unwrap().as_str(), from.owner.as_str()), ("bob@example.org", "alice@example.org"));
}
/// XEP-0434, example of a Trust Message URI.
#[test]
fn the_form_of_the_specification() {
    let example = "xmpp:bob@example.com?trust-message;encryption=urn:xmpp:omemo:2;trust=623548d3835c6d33ef5cb680f7944ef381cf712bf23a0119dabe5c4f252cd02f;distrust=b423f5088de9a924d51b31581723d850c7cc67d0a4fe6b267c3d301ff56d2413";
    match uri::parse(example) {
        Ok(read) => {
            assert_eq!(read.owner.as_str(), "bob@example.com");
            assert_eq!(read.keys.iter().map(|k| (k.device, k.ed25519, k.trust)).collect::<Vec<_>>(), [(None, true, true), (None, true, false)]);
        }
        // the example's keys are made up: those that are on no curve are named
        Err(error) => assert!(matches!(error, UriError::BadKey(_)), "{error}"),
    }
    let keys: Vec<[u8; 32]> = (0..2).map(|n| *IdentityKeyPair::generate(&mut subrosa_testkit::Seeded::new(n)).public().ed25519()).collect();
    let written = uri::write_trust_message(&"bob@example.com".into(), &keys);
    assert!(written.starts_with("xmpp:bob@example.com?trust-message;encryption=urn:xmpp:omemo:2;trust="));
    assert_eq!(uri::parse(&written).unwrap().keys.iter().map(|k| k.value).collect::<Vec<_>>(), keys);
    let twice = format!("{written};distrust={}", hex(&keys[0]));
    assert!(matches!(uri::parse(&twice), Err(UriError::Contradiction(_))));
    let other = "xmpp:bob@example.com?trust-message;encryption=urn:xmpp:openpgp:0;trust=00";
    assert_eq!(uri::parse(other), Err(UriError::OtherEncryption("urn:xmpp:openpgp:0".into())));
}
#[test]
fn addresses_in_all_their_forms() {
    for (written, owner) in [
        ("xmpp:andr%C3%A9@b%C3%BCcher.example", "andré@bücher.example"),
        ("xmpp:andré@BÜCHER.example", "andré@bücher.example"),
        ("xmpp:andr%c3%a9@xn--bcher-kva.example.", "andré@bücher.example"),
        ("xmpp:a%2Bb@example.org", "a+b@example.org"),
        ("xmpp:a%25b@example.org", "a%b@example.org"),
        ("xmpp:a@127.0.0.1", "a@127.0.0.1"),
    ] {
        assert_eq!(uri::parse(&format!("{written}?omemo-sid-1={KEY}")).map(|u| u.owner.to_string()).as_deref(), Ok(owner), "{written}");
    }
}
#[test]
fn what_is_not_used() {
    let bad = |link: &str| uri::parse(link).unwrap_err();
    assert_eq!(bad(&format!("https://example.org/i/alice@example.org?omemo-sid-1={KEY}")), UriError::OtherHost("example.org".into()));
    assert_eq!(bad("https://conversations.im/j/room@example.org"), UriError::OtherHost("conversations.im".into()));
    assert_eq!(bad("openpgp4fpr:00"), UriError::NotXmpp);
    assert_eq!(bad(""), UriError::NotXmpp);
    assert_eq!(bad("xmpp:alice@example.org"), UriError::NoKeys("alice@example.org".into()));
    assert_eq!(bad("xmpp:alice@example.org?message;body=omemo-sid"), UriError::NoKeys("alice@example.org".into()));
    for address in
        ["example.org", "@example.org", "alice@", "a%00b@example.org", "alice@exa mple", "alice@example.org:5222", "a@b@c", "a%2F@b", "a@xn--%FF"]
    {
        let error = bad(&format!("xmpp:{address}?omemo-sid-1={KEY}"));
        assert!(matches!(error, UriError::BadAddress(_) | UriError::BadEscape), "{address}: {error:?}");
    }
    for escaped in ["xmpp:a%4@example.org", "xmpp:a%zz@example.org", "xmpp:a%ff@example.org"] {
        assert_eq!(bad(&format!("{escaped}?omemo-sid-1={KEY}")), UriError::BadEscape);
    }
    for id in ["", "0", "-1", "2147483648", "1x", "99999999999999999999"] {
        assert_eq!(bad(&format!("xmpp:a@b?omemo-sid-{id}={KEY}")), UriError::BadDevice(id.into()));
    }
    for key in ["", "00", &KEY[1..], &format!("{KEY}0"), &format!("06{KEY}"), "gg"] {
        assert_eq!(bad(&format!("xmpp:a@b?omemo-sid-1={key}")), UriError::BadKey(key.into()));
    }
    assert!(matches!(bad(&format!("xmpp:a@b?omemo-sid-1={KEY};omemo-sid-1={OTHER}")), UriError::Contradiction(_)));
    let many: String = (1..=257).map(|n| format!(";omemo-sid-{n}={KEY}")).collect();
    assert_eq!(bad(&format!("xmpp:a@b?{}", &many[1..])), UriError::TooMany);
    assert!(matches!(bad(&format!("xmpp:{}@b", "a".repeat(70_000))), UriError::TooLong(_)));
}
proptest! {
    #[test]
    fn what_is_written_is_read(local in "[a-z0-9é'%&; ?#]{1,12}", domain in "[a-z]{1,8}\\.[a-zü]{2,5}", ids in prop::collection::btree_set(1u32..0x8000_0000, 1..5)) {
        prop_assume!(!local.contains([' ', '&', '\'']) ); // no address of anybody
        let owner = Address::from(format!("{local}@{domain}").as_str());
        let keys: Vec<(u32, Fingerprint)> = ids.into_iter().map(|id| (id, Fingerprint([id as u8; 32]))).collect();
        let written = uri::write(&owner, keys.iter().map(|(id, key)| (*id, key)));
        let read = uri::parse(&written).unwrap();
        prop_assert_eq!(read.owner, owner);
        prop_assert_eq!(read.keys.iter().map(|k| (k.device.unwrap(), Fingerprint(k.value))).collect::<Vec<_>>(), keys);
    }
    #[test]
    fn anything_is_read_or_refused_with_a_sentence(text in "\\PC*", tail in "[a-z0-9=;&%?/:@#-]{0,60}") {
        for link in [text.clone(), format!("xmpp:{text}?{tail}"), format!("xmpp:a@b?omemo-sid-{tail}={text}"), format!("xmpp:{tail}")] {
            if let Err(error) = uri::parse(&link) {
                prop_assert!(error.to_string().len() > 20 && error.code().starts_with("omemo.uri."));
            }
        }
    }
    /// The Ed25519 form is taken for the key that it is, and for no other.
    #[test]
    fn both_forms_name_one_key(seed: u64, other: u64) {
        prop_assume!(seed != other);
        let key = |n| *IdentityKeyPair::generate(&mut subrosa_testkit::Seeded::new(n)).public();
        let (ours, theirs) = (key(seed), key(other));
        for value in [hex(&ours.fingerprint()), hex(ours.ed25519())] {
            let read = uri::parse(&format!("xmpp:a@b?omemo-sid-1={value}")).unwrap();
            let forms: Vec<_> = read.keys[0].forms().collect();
            prop_assert!(forms.contains(&Fingerprint(ours.fingerprint())));
            prop_assert!(!forms.contains(&Fingerprint(theirs.fingerprint())));
        }
    }
}

#[test]
fn a_scanned_key_is_verified() {
    let (mut world, alice, bob) = two(1);
    world.send(alice, BOB, "hello");
    world.run();
    let (shown, of) = (link(&mut world, bob), device(&mut world, bob));
    let checked = scan(&mut world, alice, &shown, Some(BOB)).unwrap();
    assert_eq!((checked.len(), &checked[0].device, &checked[0].result), (1, &Some(of.clone()), &KeyCheck::Verified));
    assert_eq!(trust(&mut world, alice, bob), Some(Trust::Verified));
    // in the form that some show, and in that of the specification
    let ed = hex(&published(&world, BOB, number(&of), Version::Omemo2).unwrap().identity_key);
    for link in [format!("xmpp:{BOB}?omemo-sid-{}={ed}", of.id), format!("xmpp:{BOB}?trust-message;encryption=urn:xmpp:omemo:2;trust={ed}")] {
        let checked = scan(&mut world, alice, &link, None).unwrap();
        assert_eq!((checked[0].device.as_ref(), &checked[0].result), (Some(&of), &KeyCheck::Verified), "{link}");
    }
    // the specification's can say no
    let refuse = format!("xmpp:{BOB}?trust-message;encryption=urn:xmpp:omemo:2;distrust={ed}");
    assert_eq!(scan(&mut world, alice, &refuse, None).unwrap()[0].result, KeyCheck::Refused);
    assert_eq!(trust(&mut world, alice, bob), Some(Trust::Untrusted));
    // one's own code
    let own = link(&mut world, alice);
    assert_eq!(scan(&mut world, alice, &own, None).unwrap()[0].result, KeyCheck::ThisDevice);
}
#[test]
fn another_key_is_an_alarm_and_changes_nothing() {
    let (mut world, alice, bob) = two(2);
    world.send(alice, BOB, "hello");
    world.run();
    let (of, known) = (device(&mut world, bob), key(&mut world, bob));
    let checked = scan(&mut world, alice, &format!("xmpp:{BOB}?omemo-sid-{}={OTHER}", of.id), Some(BOB)).unwrap();
    assert_eq!(checked[0].result, KeyCheck::Differs { known });
    assert_eq!(trust(&mut world, alice, bob), Some(Trust::Trusted));
    // somebody else's, and one that is for another account
    let own = link(&mut world, alice);
    let error = scan(&mut world, alice, &own, Some(BOB)).unwrap_err();
    assert_eq!(error, UriError::OtherOwner { expected: BOB.into(), found: ALICE.into() });
    let elsewhere = link(&mut world, bob).replace("xmpp:", "xmpp://carol@example.org/");
    assert_eq!(scan(&mut world, alice, &elsewhere, None), Err(UriError::OtherAccount("carol@example.org".into())));
    assert_eq!(trust(&mut world, alice, bob), Some(Trust::Trusted));
}
#[test]
fn a_key_is_verified_when_its_device_shows_it() {
    let mut world = World::new(3);
    let alice = world.join(ALICE, manual);
    let bob = world.join(BOB, omemo);
    world.run();
    let shown = link(&mut world, bob);
    let checked = scan(&mut world, alice, &shown, Some(BOB)).unwrap();
    assert_eq!(checked[0].result, KeyCheck::NotSeen);
    // no word was ever exchanged: the first message goes out, though every key waits for a decision here
    let id = world.send(alice, BOB, "hello");
    world.run();
    assert_eq!(not_sent(&world, alice, &id), None);
    assert_eq!(trust(&mut world, alice, bob), Some(Trust::Verified));
    // a device with that number that has another key is not meant
    let carol = world.join("carol@example.org", omemo);
    world.run();
    let of = device(&mut world, carol);
    scan(&mut world, alice, &format!("xmpp:carol@example.org?omemo-sid-{}={OTHER}", of.id), None).unwrap();
    let id = world.send(alice, "carol@example.org", "hello");
    world.run();
    assert_eq!(not_sent(&world, alice, &id), Some(Reason::NoDevice));
    assert_eq!(trust(&mut world, alice, carol), Some(Trust::Undecided));
}
