//! The engines without protection: the bytes that their models in C put on the wire.
use crate::{ALICE, BOB, Side, part, receive};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use subrosa_engine::*;
use subrosa_engines::{Base64, Base64Later, Xor, completions};

const OFFER: &str = "application/vnd.gsma.rcs-ft-http+xml";

fn plain(content_type: &'static str, bytes: impl Into<Vec<u8>>) -> Plaintext {
    Plaintext::new(ContentType(content_type.into()), bytes)
}

/// What a C program with the sample of Linphone's documentation makes of its message.
#[test]
fn xor_is_the_sample() {
    let raw = *b"\x11\x19\x11\x45\x10\x3f\x04\x43\x10\x09\x15\x78\x0d\x1e\x2a";
    let (mut alice, mut bob) = (Side::new(ALICE, Xor::new()), Side::new(BOB, Xor::hex()));
    assert_eq!(alice.say(BOB, "Bla bla bla bla"), part("cipher/xor", raw));
    assert_eq!(bob.say(ALICE, "Bla bla bla bla"), part("cipher/xor-hex", "11191145103f0443100915780d1e2a"));
    // whoever writes in one form reads both
    assert_eq!(bob.hear(ALICE, &part("cipher/xor", raw)), Ok("Bla bla bla bla".into()));
    assert_eq!(alice.hear(BOB, &part("cipher/xor-hex", "11191145103F0443100915780D1E2A")), Ok("Bla bla bla bla".into()));
    // where Liblinphone would put the plaintext on the wire
    assert_eq!(alice.say(BOB, "Super"), part("cipher/xor", [0; 5]));
    assert_eq!(bob.hear(ALICE, &part("cipher/xor", [0; 5])), Ok("Super".into()));
}
#[test]
fn what_is_no_text_says_what_it_is() {
    let (mut alice, mut bob) = (Side::new(ALICE, Xor::hex()), Side::new(BOB, Xor::new()));
    let html = alice.seal(BOB, plain("text/html", "<p>")).unwrap();
    assert_eq!(html.content_type.0, "cipher/xor-hex;inner=\"text/html\"");
    assert_eq!(bob.open(ALICE, ALICE, &html).unwrap().unwrap().content_type.0, "text/html");
    let offer = alice.seal(BOB, plain(OFFER, "<file/>")).unwrap();
    assert_eq!(offer.content_type.0, "cipher/xor-hex-file");
    assert_eq!(bob.open(ALICE, ALICE, &offer).unwrap().unwrap().content_type.0, OFFER);
    let injected = plain("text/html\r\nX-Evil: 1", "<p>");
    assert_eq!(alice.seal(BOB, injected), Err(Reason::ContentType.into()));
}
#[test]
fn nothing_and_nonsense_are_refused() {
    for mut side in [Side::new(ALICE, Xor::new()), Side::new(ALICE, Base64)] {
        assert_eq!(side.seal(BOB, plain("text/plain", "")), Err(Reason::Engine.into()), "nothing to encode");
        for bad in
            [part("cipher/xor", ""), part("cipher/xor-hex", "0"), part("cipher/xor-hex", "zz"), part("cipher/b64", ""), part("cipher/b64", "****")]
        {
            let reason = side.open(BOB, BOB, &bad).unwrap().unwrap_err().reason;
            assert!(matches!(reason, Reason::Malformed | Reason::NotEncrypted), "{bad:?}: {reason:?}");
        }
    }
}
/// RFC 4648 §10, and the message of Liblinphone's own test.
#[test]
fn base64_is_the_one_of_the_rfc() {
    let mut side = Side::new(ALICE, Base64);
    for (text, encoded) in [("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foobar", "Zm9vYmFy"), ("Bla bla bla bla", "QmxhIGJsYSBibGEgYmxh")] {
        assert_eq!(side.say(BOB, text), part("cipher/b64", encoded));
        assert_eq!(side.hear(BOB, &part("cipher/b64", format!("{encoded}\r\n"))), Ok(text.into()));
    }
}
#[test]
fn base64_later_is_the_same_from_another_thread() {
    let (engine, completions) = Base64Later::new().unwrap();
    let (mut side, rung) = (Side::new(ALICE, engine), Arc::new(AtomicUsize::new(0)));
    let bell = rung.clone();
    completions.on_ready(move || {
        bell.fetch_add(1, Ordering::SeqCst);
    });
    let finish = |side: &mut Side| {
        let (token, completion) = completions.wait(Duration::from_secs(60)).unwrap();
        side.step(Input::Complete(token, completion))
    };
    let send = Input::Send {
        id: "out".into(),
        chat: ChatId(BOB.into()),
        to: Recipients::People(vec![BOB.into()]),
        kind: Kind::Text,
        plain: Plaintext::text("foobar"),
        headers: Headers::default(),
    };
    assert!(matches!(side.step(send).as_slice(), [Output::Event(Event::Waiting { .. })]));
    assert_eq!(crate::sealed(finish(&mut side)), Ok(part("cipher/b64", "Zm9vYmFy")));
    assert!(side.step(receive(BOB, BOB, &part("cipher/b64", "Zm9v"))).is_empty());
    assert_eq!(crate::opened(finish(&mut side)).unwrap().unwrap().bytes(), b"foo");
    assert!(side.step(receive(BOB, BOB, &part("cipher/b64", "*"))).is_empty());
    assert_eq!(crate::opened(finish(&mut side)).unwrap().unwrap_err(), Reason::Malformed.into());
    assert_eq!(side.open(BOB, BOB, &part("cipher/other", "Zm9v")).unwrap().unwrap_err(), Reason::NotEncrypted.into());
    assert_eq!(completions.drain().count(), 0);
    // the thread rings after it has sent, so it may still be about to; when it has ended it has rung
    drop((side, finish));
    assert!(completions.wait(Duration::from_secs(60)).is_none(), "the thread ends with its engine");
    assert_eq!(rung.load(Ordering::SeqCst), 3);
}
#[test]
fn who_completes_need_not_outlive_whom_it_is_for() {
    let (completer, completions) = completions();
    let other = completer.clone();
    other.complete(Token(1), Completion::Rejected(Reason::Expired.into()));
    drop((completer, other));
    assert!(matches!(completions.drain().collect::<Vec<_>>().as_slice(), [Input::Complete(Token(1), _)]));
    assert!(completions.wait(Duration::from_secs(60)).is_none());
    let (completer, completions) = subrosa_engines::completions();
    drop(completions);
    completer.complete(Token(1), Completion::Rejected(Reason::Expired.into()));
}
