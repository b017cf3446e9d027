//! AES-256-GCM with a key that all sides were given: its form, and whom it believes what.
use crate::{ALICE, BOB, Side, part};
use aes_gcm::aead::{Aead, KeyInit, Payload};
use aes_gcm::{Aes256Gcm, Nonce};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use sha2::{Digest, Sha256};
use subrosa_engine::codec::{Reader, Writer};
use subrosa_engine::*;
use subrosa_engines::PresharedAead;

const KEY: [u8; 32] = [7; 32];
const TYPE: &str = "application/vnd.subrosa.aead";
const CAROL: &str = "sip:carol@example.org";
const ROOM: &str = "sip:room@example.org";

fn side(me: &str) -> Side {
    Side::new(me, PresharedAead::new(&KEY))
}
fn head() -> Vec<u8> {
    let id = Sha256::digest([&b"subrosa preshared key id"[..], &KEY].concat());
    [&[1], &id[..8]].concat()
}
/// By the one-shot cipher, from the documented form.
fn message(inner: &[u8]) -> Part {
    let nonce = [9; 12];
    let payload = Payload { msg: inner, aad: &head() };
    let sealed = Aes256Gcm::new(&KEY.into()).encrypt(&Nonce::from(nonce), payload).unwrap();
    part(TYPE, [head(), nonce.to_vec(), sealed].concat())
}
fn inner(from: &str, chat: &str, sender: u64, number: u64) -> Vec<u8> {
    let mut out = Writer::new();
    out.str(from).str(chat).u64(sender).varint(number).str("text/plain").bytes(b"by hand");
    out.into_bytes()
}
fn refused(side: &mut Side, from: &str, part: &Part) -> (Reason, u16) {
    let why = side.open(from, from, part).expect("not silent").map(drop).unwrap_err();
    (why.reason, why.status.code())
}

#[test]
fn the_form_is_the_documented_one() {
    let mut alice = side(ALICE);
    let body = alice.say(BOB, "hello").body;
    let (associated, rest) = body.split_at(9);
    assert_eq!(associated, head());
    let (nonce, sealed) = rest.split_first_chunk::<12>().unwrap();
    let payload = Payload { msg: sealed, aad: associated };
    let inner = Aes256Gcm::new(&KEY.into()).decrypt(&Nonce::from(*nonce), payload).unwrap();
    let mut read = Reader::new(&inner);
    assert_eq!((read.str(), read.str()), (Some(ALICE), Some(BOB)));
    assert!(read.u64().is_some());
    assert_eq!((read.varint(), read.str(), read.bytes(), read.end()), (Some(1), Some("text/plain"), Some(&b"hello"[..]), Some(())));
    // and the other way
    assert_eq!(side(BOB).hear(ALICE, &message(&self::inner(ALICE, BOB, 5, 1))), Ok("by hand".into()));
    let (one, two) = (alice.say(BOB, "hello").body, alice.say(BOB, "hello").body);
    assert_ne!(one[9..21], two[9..21], "a nonce twice");
}
#[test]
fn another_key_another_version_and_changes_are_told_apart() {
    let (good, mut bob) = (side(ALICE).say(BOB, "hello"), side(BOB));
    assert_eq!(refused(&mut Side::new(BOB, PresharedAead::new(&[8; 32])), ALICE, &good), (Reason::OtherKey, 488));
    let changed = |at: usize| Part { body: good.body.iter().enumerate().map(|(n, b)| if n == at { b ^ 1 } else { *b }).collect(), ..good.clone() };
    assert_eq!(refused(&mut bob, ALICE, &changed(0)).0, Reason::Unsupported);
    assert_eq!(refused(&mut bob, ALICE, &changed(8)).0, Reason::OtherKey);
    for at in 9..good.body.len() {
        assert_eq!(refused(&mut bob, ALICE, &changed(at)), (Reason::Damaged, 488), "byte {at}");
    }
    for length in 0..37 {
        assert_eq!(refused(&mut bob, ALICE, &part(TYPE, &good.body[..length])), (Reason::Malformed, 400), "{length} bytes");
    }
    // whoever has the key may write what has no form
    for nonsense in [&b""[..], b"\x01", &[0xff; 40], &[inner(ALICE, BOB, 1, 1), vec![0]].concat()] {
        assert_eq!(refused(&mut bob, ALICE, &message(nonsense)), (Reason::Malformed, 400));
    }
    assert_eq!(bob.hear(ALICE, &good), Ok("hello".into()));
}
#[test]
fn nothing_is_received_twice_nor_from_too_long_ago() {
    let (mut alice, mut bob) = (side(ALICE), side(BOB));
    let parts: Vec<Part> = (0..1100).map(|n| alice.say(BOB, &n.to_string())).collect();
    assert_eq!(bob.hear(ALICE, &parts[1]), Ok("1".into()));
    assert_eq!(bob.hear(ALICE, &parts[0]), Ok("0".into()), "late is not twice");
    assert_eq!(bob.hear(ALICE, &parts[1099]), Ok("1099".into()));
    let silent = |side: &mut Side, part: &Part| side.open(ALICE, ALICE, part).is_none();
    assert!(silent(&mut bob, &parts[1099]), "it was received, and its sender is not to hear otherwise");
    assert_eq!(bob.hear(ALICE, &parts[1099 - 1023]), Ok("76".into()), "the oldest that is known of");
    for n in [0, 1, 1099 - 1024] {
        assert_eq!(refused(&mut bob, ALICE, &parts[n]), (Reason::Duplicate, 488), "nobody knows any more");
    }
    // after a restart the same
    let mut bob = bob.again(PresharedAead::new(&KEY));
    assert!(silent(&mut bob, &parts[1099]));
    assert_eq!(bob.hear(ALICE, &parts[1098]), Ok("1098".into()));
    // another installation counts by itself
    assert_eq!(bob.hear(ALICE, &side(ALICE).say(BOB, "a new phone")), Ok("a new phone".into()));
}
/// Whoever has the key sees the numbers of the others.
#[test]
fn nobody_uses_up_the_numbers_of_another() {
    let (mut alice, mut bob) = (side(ALICE), side(BOB));
    let first = alice.say(BOB, "first").body;
    let payload = Payload { msg: &first[21..], aad: &first[..9] };
    let opened = Aes256Gcm::new(&KEY.into()).decrypt(&Nonce::try_from(&first[9..21]).unwrap(), payload).unwrap();
    let mut read = Reader::new(&opened);
    let (_, _, sender) = (read.str(), read.str(), read.u64().unwrap());
    for number in [1, 2, u64::MAX] {
        assert_eq!(bob.hear(CAROL, &message(&inner(CAROL, BOB, sender, number))), Ok("by hand".into()));
    }
    assert_eq!(bob.hear(ALICE, &part(TYPE, first)), Ok("first".into()));
    assert_eq!(bob.hear(ALICE, &alice.say(BOB, "second")), Ok("second".into()));
}
#[test]
fn what_was_moved_is_refused() {
    let (mut alice, mut bob) = (side(ALICE), side(BOB));
    let to_bob = alice.say(BOB, "for bob");
    assert_eq!(refused(&mut bob, CAROL, &to_bob), (Reason::EnvelopeMismatch, 400), "under another's name");
    assert_eq!(refused(&mut side(CAROL), ALICE, &to_bob), (Reason::EnvelopeMismatch, 400), "at another's");
    let in_room = |side: &mut Side, part: &Part| side.open(ROOM, ALICE, part).unwrap().map(drop).map_err(|why| why.reason);
    assert_eq!(in_room(&mut bob, &to_bob), Err(Reason::EnvelopeMismatch), "in a room");
    let note = alice.say(ALICE, "to myself");
    assert_eq!(refused(&mut bob, ALICE, &note).0, Reason::EnvelopeMismatch, "a note to oneself");
    assert_eq!(bob.hear(ALICE, &to_bob), Ok("for bob".into()), "where it belongs");
    // a room's is for all in it
    let to_room = alice.say(ROOM, "for all");
    assert_eq!(in_room(&mut bob, &to_room), Ok(()));
    assert_eq!(in_room(&mut side(CAROL), &to_room), Ok(()));
    assert_eq!(refused(&mut bob, ALICE, &to_room).0, Reason::EnvelopeMismatch, "between two");
}
#[test]
fn ones_own_comes_back_to_nobody() {
    let (mut alice, mut phone) = (side(ALICE), side(ALICE));
    let to_bob = alice.say(BOB, "hello");
    assert!(alice.open(BOB, ALICE, &to_bob).is_none(), "a room sends it back: nothing to show, nothing to say");
    assert_eq!(refused(&mut alice, BOB, &to_bob).0, Reason::EnvelopeMismatch, "as if Bob had written it");
    // one's other devices show it
    assert!(phone.open(BOB, ALICE, &to_bob).unwrap().is_ok());
    assert_eq!(phone.open(CAROL, ALICE, &to_bob).unwrap().unwrap_err().reason, Reason::EnvelopeMismatch, "in another chat");
    assert!(phone.open(BOB, ALICE, &to_bob).is_none(), "once");
}
#[test]
fn without_addresses_only_replays_and_reflections_are_seen() {
    let without = |me| Side::new(me, PresharedAead::new(&KEY).without_addresses());
    let (mut alice, mut bob) = (without(ALICE), without(BOB));
    let to_bob = alice.say("tel:+1", "hello");
    assert_eq!(bob.hear("sip:+1@gateway.example", &to_bob), Ok("hello".into()));
    assert!(bob.open(ALICE, ALICE, &to_bob).is_none(), "once");
    assert_eq!(refused(&mut alice, BOB, &to_bob).0, Reason::EnvelopeMismatch);
    // one that looks at them understands one that does not
    assert_eq!(side(BOB).hear(ALICE, &alice.say(BOB, "again")), Ok("again".into()));
}
#[test]
fn base64_is_understood_by_both() {
    let (mut alice, mut bob) = (Side::new(ALICE, PresharedAead::new(&KEY).base64()), side(BOB));
    let sent = alice.say(BOB, "hello");
    assert_eq!(sent.content_type.0, "application/vnd.subrosa.aead-base64");
    assert_eq!(BASE64_STANDARD.decode(&sent.body).unwrap()[..9], head());
    let on_the_way = Part { content_type: ContentType(format!("{} ; a=b", sent.content_type.0.to_uppercase()).into()), ..sent };
    assert_eq!(bob.hear(ALICE, &on_the_way), Ok("hello".into()));
    assert_eq!(alice.hear(BOB, &bob.say(ALICE, "back")), Ok("back".into()));
    assert_eq!(refused(&mut bob, ALICE, &part("application/vnd.subrosa.aead-base64", "*")), (Reason::Malformed, 400));
}
/// NIST SP 800-38D §8.3.
#[test]
fn a_key_is_worn_out_after_two_to_the_32() {
    let row = |count: u64| {
        let mut out = Writer::versioned(1);
        out.raw(&head()[1..]).u64(5).varint(count);
        Batch::for_tests(vec![(Key::for_tests("preshared", "sending", None, None), Some(out.into_bytes()))])
    };
    let mut alice = side(ALICE);
    alice.store.commit(&row((1 << 32) - 1)).unwrap();
    alice.say(BOB, "the last one");
    assert_eq!(alice.seal(BOB, Plaintext::text("one more")), Err(Reason::Engine.into()));
    // a new key counts anew, and for the others it is a new sender
    let mut alice = alice.again(PresharedAead::new(&[8; 32]));
    assert_eq!(Side::new(BOB, PresharedAead::new(&[8; 32])).hear(ALICE, &alice.say(BOB, "anew")), Ok("anew".into()));
}
#[test]
fn a_damaged_record_closes() {
    let damaged = || Batch::for_tests(vec![(Key::for_tests("preshared", "sending", None, None), Some(vec![1, 2]))]);
    let (mut alice, mut bob) = (side(ALICE), side(BOB));
    alice.store.commit(&damaged()).unwrap();
    assert_eq!(alice.seal(BOB, Plaintext::text("hello")), Err(Reason::Engine.into()));
    assert_eq!(refused(&mut alice, BOB, &bob.say(ALICE, "hello")), (Reason::Engine, 500));
}
#[test]
fn nothing_secret_is_shown() {
    let shown = format!("{:?}", PresharedAead::new(&KEY));
    assert_eq!(shown, format!("PresharedAead({:02x?})", &head()[1..]));
}
