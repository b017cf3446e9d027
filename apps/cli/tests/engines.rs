//! `--engine` over a real Prosody: what OMEMO is not, is said to be so, on both sides and on the wire.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
mod support;
use serde_json::json;
use std::io::{BufRead, BufReader, Write};
use std::process::Stdio;
use support::{Place, Rpc, server};

/// Two accounts, logged in.
fn pair() -> Option<(subrosa_interop::Prosody, Place, Place)> {
    let server = server()?;
    let (alice, bob) = (Place::new(), Place::new());
    alice.login(&server, "alice");
    bob.login(&server, "bob");
    Some((server, alice, bob))
}
fn there_and_back(alice: &mut Rpc, bob: &mut Rpc, engine: &str) {
    let text = format!("Bla bla bla bla, by {engine} \u{1f339}");
    let result = alice.call("send", json!({"to": "bob@localhost", "text": text}));
    assert_eq!((result["engine"].as_str(), result["devices"].as_array().map(Vec::len)), (Some(engine), Some(0)), "{result}");
    let got = bob.message(&text);
    assert_eq!((got["protocol"].as_str(), got["trust"].is_null(), got["device"].is_null()), (Some(engine), true, true), "{got}");
    bob.call("send", json!({"to": "alice@localhost", "text": "and back"}));
    alice.message("and back");
}

#[test]
fn messages_pass_through_the_engine_that_is_named() {
    let Some((server, alice, bob)) = pair() else { return };
    for engine in ["xor", "xor-hex", "base64", "base64-async"] {
        let (mut a, mut b) = (alice.rpc_with(engine), bob.rpc_with(engine));
        a.online();
        b.online();
        there_and_back(&mut a, &mut b, engine);
        assert_eq!(a.call("status", json!({}))["accounts"][0]["engine"], engine);
        a.end();
        b.end();
    }
    // the wire says what it was, and programs without the engine show a text
    for seen in ["urn:subrosa:engine:0", "cipher/xor", "cipher/b64", "that this program does not have", "urn:xmpp:eme:0"] {
        assert!(server.has_seen(seen), "{seen}");
    }
    assert!(!server.has_seen("Bla bla"));
}

#[test]
fn a_key_that_both_have_in_a_file() {
    let Some((server, alice, bob)) = pair() else { return };
    let key = alice.path().join("shared");
    std::fs::write(&key, "5a".repeat(32)).unwrap();
    let engine = format!("preshared:@{}", key.display());
    let (mut a, mut b) = (alice.rpc_with(&engine), bob.rpc_with(&engine));
    a.online();
    b.online();
    there_and_back(&mut a, &mut b, &engine);
    assert!(!server.has_seen("Bla bla"));
}

/// Live, out of the archive, by the server's own store, after a kill: these engines know no copy from another, the history does.
#[test]
fn what_comes_several_ways_is_told_once() {
    let Some((_server, alice, bob)) = pair() else { return };
    let key = alice.path().join("shared");
    std::fs::write(&key, "5a".repeat(32)).unwrap();
    let engine = format!("preshared:@{}", key.display());
    let mut a = alice.rpc_with(&engine);
    a.online();
    let (mut expected, mut told) = (Vec::new(), Vec::new());
    for round in 0..5 {
        let mut text = |n: usize| {
            expected.push(format!("{round}: {n}"));
            expected.last().unwrap().clone()
        };
        for n in 0..4 {
            a.call("send", json!({"to": "bob@localhost", "text": text(n)}));
        }
        let mut b = bob.rpc_with(&engine);
        for n in 4..8 {
            a.call("send", json!({"to": "bob@localhost", "text": text(n)}));
        }
        while expected.iter().any(|text| !told.contains(text)) {
            let came = b.wait("a message", |line| line["method"] == "message")["params"].clone();
            // flagged: an earlier process may have shown it
            let text = came["text"].as_str().unwrap().to_owned();
            assert!(came["again"] == true || !told.contains(&text), "{text} twice");
            told.push(text);
        }
        // what is told later than that of this round is seen in the next one
        if round % 2 == 0 { b.kill() } else { drop(b.end()) }
    }
}

#[test]
fn a_refusal_comes_back_with_its_code() {
    let Some((_server, alice, bob)) = pair() else { return };
    let (mut a, mut b) = (alice.rpc_with("xor"), bob.rpc_with("base64"));
    a.online();
    b.online();
    a.call("send", json!({"to": "bob@localhost", "text": "who reads this?", "id": "r1"}));
    let refused = b.note("undecryptable");
    assert_eq!((refused["id"].as_str(), refused["reason"].as_str()), (Some("r1"), Some("not-encrypted")), "{refused}");
    let told = a.note("bounced");
    assert_eq!((told["id"].as_str(), told["from"].as_str(), told["status"].as_u64()), (Some("r1"), Some("bob@localhost"), Some(488)), "{told}");
    assert_eq!((told["condition"].as_str(), told["reason"].as_str()), (Some("not-acceptable"), Some("Not Acceptable Here")), "{told}");
    // OMEMO answers nothing, and shows nothing
    b.end();
    let mut b = bob.rpc();
    b.online();
    a.call("send", json!({"to": "bob@localhost", "text": "nor this", "id": "r2"}));
    assert_eq!(b.note("undecryptable")["reason"], "unsupported");
    b.call("send", json!({"to": "alice@localhost", "text": "sent after it"}));
    assert_eq!(a.note("undecryptable")["from"], "bob@localhost");
    assert!(a.left().iter().all(|line| line["method"] != "bounced"));
}

#[test]
fn commands_say_that_it_protects_from_nobody() {
    let Some((_server, alice, bob)) = pair() else { return };
    let mut listening = bob.command(&["listen", "--engine", "xor"]).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(listening.stdout.take().unwrap()).lines().map_while(Result::ok);
    lines.find(|line| line.contains("online")).expect("online");
    assert!(alice.ok(&["send", "bob@localhost", "in one line", "--engine", "xor"]).contains("xor: no protection"));
    let line = lines.find(|line| line.ends_with(": in one line")).expect("the message");
    assert!(line.contains("(xor: no protection)"), "{line}");
    let mut chat = alice.command(&["chat", "bob@localhost", "--engine", "xor"]).stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
    writeln!(chat.stdin.take().unwrap(), "a line of a chat").unwrap();
    lines.find(|line| line.ends_with("(xor: no protection): a line of a chat")).expect("the line");
    assert!(chat.wait().unwrap().success());
    assert!(bob.ok(&["status"]).contains("messages go through xor: no protection"));
    // never by another engine than was asked for
    let err = bob.fails(8, &["send", "alice@localhost", "secret"]);
    assert!(err.contains("runs the engine xor, not omemo"), "{err}");
    bob.fails(8, &["send", "alice@localhost", "secret", "--engine", "base64"]);
    bob.ok(&["send", "alice@localhost", "not secret", "--engine", "xor"]);
    let _ = listening.kill();
    let _ = listening.wait();
}

#[test]
fn an_engine_that_there_is_not() {
    let place = Place::new();
    for (engine, word) in [("rot13", "xor-hex"), ("xor:key", "xor"), ("preshared:00", "preshared:@FILE"), ("preshared:@/nowhere/key", "/nowhere/key")]
    {
        let err = place.fails(2, &["send", "bob@x.org", "hi", "--engine", engine]);
        assert!(err.contains(word), "{err}");
    }
}
