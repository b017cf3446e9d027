//! What a person decides about conversations, sessions and devices, each by a command of its own: a process that connects, does it and
//! ends. Over a real Prosody.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
mod support;

use serde_json::json;
use std::time::{Duration, Instant};
use subrosa_interop::Prosody;
use support::{PATIENCE, Place, Raw, server};

fn two(server: &Prosody, first: &str, second: &str) -> (Place, Place) {
    let (a, b) = (Place::new(), Place::new());
    a.login(server, first);
    b.login(server, second);
    (a, b)
}
fn until(what: &str, mut fits: impl FnMut() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !fits() {
        assert!(Instant::now() < end, "{what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}
/// This device's number.
fn number(place: &Place) -> String {
    place.ok(&["status"]).split("device ").nth(1).unwrap().split(',').next().unwrap().to_owned()
}
/// The line that `devices` has for it.
fn line(place: &Place, device: &str) -> Option<String> {
    place.ok(&["devices"]).lines().find(|line| line.trim_start().starts_with(device)).map(str::to_owned)
}

#[test]
fn who_opted_out_is_sent_nothing_until_somebody_goes_on() {
    let Some(server) = server() else { return };
    let (alice, bob) = two(&server, "alice", "bob");
    bob.ok(&["send", "alice@localhost", "hello"]);
    let said = alice.ok(&["opt-out", "bob@localhost", "--reason", "an old telephone"]);
    assert!(said.contains("bob@localhost was told"), "{said}");
    let mut reading = bob.rpc();
    let warned = reading.wait("the wish", |line| line["method"] == "warning" && line["params"]["code"] == "opt-out");
    assert_eq!(warned["params"]["chat"], "alice@localhost");
    // handed over to the process that runs: the same words, the same code
    let err = bob.fails(10, &["send", "alice@localhost", "do you hear me?"]);
    assert!(err.contains("subrosa go-on alice@localhost"), "{err}");
    reading.end();
    let err = bob.fails(10, &["send", "alice@localhost", "or me?"]);
    assert!(err.contains("subrosa go-on alice@localhost"), "{err}");
    bob.ok(&["go-on", "alice@localhost"]);
    bob.ok(&["send", "alice@localhost", "encrypted all the same"]);
    let mut reading = alice.rpc();
    let heard = reading.message("encrypted all the same");
    assert_eq!(heard["protocol"], "omemo:2");
    for word in ["old telephone", "hear me", "all the same"] {
        assert!(!server.has_seen(word), "{word} in clear");
    }
}

/// The machine asks once, with a message that nobody can encrypt; a later process answers; nothing else does.
#[test]
fn clear_text_is_allowed_by_a_person_seen_and_taken_back() {
    let Some(server) = server() else { return };
    let alice = Place::new();
    alice.login(&server, "alice");
    let mut carol = Raw::login(&server, "carol");
    let lock = |place: &Place| place.rpc().call("chats", json!({}))["chats"][0].clone();
    // before anything was refused there is nothing to allow
    let err = alice.fails(1, &["allow-clear", "carol@localhost", "--yes"]);
    assert!(err.contains("send a message first"), "{err}");
    let err = alice.fails(10, &["send", "carol@localhost", "first words"]);
    assert!(err.contains("subrosa allow-clear carol@localhost"), "{err}");
    assert_eq!(lock(&alice)["lock"], "omemo");
    // what comes in clear is not shown either
    carol.message("alice@localhost", "c1", "refused words");
    let mut reading = alice.rpc();
    assert_eq!(reading.note("undecryptable")["reason"], "not-encrypted");
    reading.end();
    // nobody can be asked here, and nobody answered
    assert!(alice.fails(2, &["allow-clear", "carol@localhost"]).contains("--yes"));
    alice.fails(10, &["send", "carol@localhost", "first words"]);
    let said = alice.ok(&["allow-clear", "carol@localhost", "--yes"]);
    assert!(said.contains("UNENCRYPTED") && said.contains("--off"), "{said}");
    let said = alice.ok(&["send", "carol@localhost", "second words", "--id", "s2"]);
    assert!(said.contains("sent UNENCRYPTED") && said.contains("servers"), "{said}");
    carol.hears("<body>second words</body>");
    carol.message("alice@localhost", "c2", "an answer in clear");
    let mut reading = alice.rpc();
    assert!(reading.message("an answer in clear")["protocol"].is_null());
    // the same id is the same answer; of the others nobody was asked
    assert_eq!(reading.call("send", json!({"to": "carol@localhost", "text": "second words", "id": "s2"}))["in_clear"], true);
    let refused = reading.error("send", json!({"to": "bob@localhost", "text": "first words"}));
    assert_eq!(refused["data"]["code"], "send.no-encryption");
    let chats = reading.call("chats", json!({}));
    let locks: Vec<_> = chats["chats"].as_array().unwrap().iter().map(|c| (c["chat"].as_str().unwrap(), c["lock"].as_str().unwrap())).collect();
    assert_eq!(locks, [("bob@localhost", "omemo"), ("carol@localhost", "clear")], "{chats}");
    let all = reading.call("history", json!({"chat": "carol@localhost"}));
    let of = |text: &str| all["messages"].as_array().unwrap().iter().rfind(|m| m["text"] == text).unwrap()["encrypted"].clone();
    assert_eq!((of("second words"), of("an answer in clear")), (false.into(), false.into()));
    assert_eq!(all["messages"].as_array().unwrap().iter().filter(|m| m["text"] == "second words").count(), 1, "{all}");
    reading.end();
    assert!(alice.ok(&["allow-clear", "carol@localhost", "--off"]).contains("or not sent"));
    assert_eq!(lock(&alice)["lock"], "omemo");
    alice.fails(10, &["send", "carol@localhost", "first words"]);
    carol.message("alice@localhost", "c3", "refused again");
    let mut reading = alice.rpc();
    reading.wait("the refusal", |line| line["method"] == "undecryptable" && line["params"]["id"] == "c3");
    assert!(!server.has_seen("first words"));
}

/// Whoever allowed clear text did not know that the contact would opt out, and is asked again.
#[test]
fn an_opt_out_takes_back_that_clear_text_is_allowed() {
    let Some(server) = server() else { return };
    let (alice, bob) = two(&server, "alice", "bob");
    let opted_out = |n: usize| {
        alice.ok(&["opt-out", "bob@localhost"]);
        let mut reading = bob.rpc();
        for _ in 0..n {
            reading.wait("the wish", |line| line["method"] == "warning" && line["params"]["code"] == "opt-out");
        }
        assert_eq!(reading.call("chats", json!({}))["chats"][0]["lock"], "omemo");
        reading.end();
        let err = bob.fails(10, &["send", "alice@localhost", "not in clear"]);
        assert!(err.contains("subrosa go-on alice@localhost") && err.contains("subrosa allow-clear alice@localhost"), "{err}");
    };
    bob.ok(&["send", "alice@localhost", "hello"]);
    opted_out(1);
    bob.ok(&["allow-clear", "alice@localhost", "--yes"]);
    assert!(bob.ok(&["send", "alice@localhost", "openly"]).contains("UNENCRYPTED"));
    // encrypted where it can be, although clear text is allowed
    bob.ok(&["go-on", "alice@localhost"]);
    assert!(bob.ok(&["send", "alice@localhost", "not in clear"]).contains("sent (omemo:2)"));
    opted_out(1);
    assert!(server.has_seen("openly") && !server.has_seen("not in clear"));
}

#[test]
fn an_opt_out_that_finds_no_server_waits() {
    let Some(mut server) = server() else { return };
    let (alice, bob) = two(&server, "alice", "bob");
    alice.ok(&["send", "bob@localhost", "hello"]);
    server.stop();
    let err = alice.fails(9, &["opt-out", "bob@localhost"]);
    assert!(err.contains("next connection"), "{err}");
    server.restart().unwrap();
    alice.rpc().online();
    let mut reading = bob.rpc();
    reading.message("hello");
    let mut writing = alice.rpc();
    writing.online();
    reading.wait("the wish", |line| line["method"] == "warning" && line["params"]["code"] == "opt-out");
}

/// What was said to be undone does not happen later.
#[test]
fn a_logout_that_finds_no_server_changes_nothing() {
    let Some(mut server) = server() else { return };
    let (alice, bob) = two(&server, "alice", "bob");
    let device = number(&alice);
    server.stop();
    let err = alice.fails(5, &["logout", "--yes"]);
    assert!(err.contains("keys are kept") && err.contains("--offline"), "{err}");
    alice.fails(5, &["sessions", "replace", "bob@localhost", "7"]);
    alice.fails(5, &["sessions", "remove", "7"]);
    server.restart().unwrap();
    assert!(alice.ok(&["send", "bob@localhost", "still here"]).contains("sent (omemo:2)"));
    let said = bob.ok(&["send", "alice@localhost", "good"]);
    assert!(said.contains(&format!("device {device}: sent")), "{said}");
    assert!(alice.ok(&["logout", "--yes"]).contains("logged out"));
}

#[test]
fn a_session_is_set_up_anew() {
    let Some(server) = server() else { return };
    let (alice, bob) = two(&server, "alice", "bob");
    alice.ok(&["send", "bob@localhost", "before"]);
    let mut reading = bob.rpc();
    reading.message("before");
    reading.call("send", json!({"to": "alice@localhost", "text": "and back"}));
    reading.end();
    let device = number(&bob);
    let sent = |server: &Prosody| server.stanzas().iter().filter(|s| s.xml.contains("to='bob@localhost'") && s.xml.contains("kex=")).count();
    let before = sent(&server);
    let said = alice.ok(&["sessions", "replace", "bob@localhost", &device]);
    assert!(said.contains("new session"), "{said}");
    // it is there when the command ends: bob needs no message for it
    until("no key exchange leaves", || sent(&server) > before);
    let mut reading = bob.rpc();
    reading.online();
    alice.ok(&["send", "bob@localhost", "after"]);
    assert_eq!(reading.message("after")["trust"], "trusted");
    reading.call("send", json!({"to": "alice@localhost", "text": "and back again"}));
    assert_eq!(alice.rpc().message("and back again")["protocol"], "omemo:2");
    // what is no session
    assert!(alice.fails(1, &["sessions", "replace", "bob@localhost", "7"]).contains("no device list"));
    assert!(alice.fails(1, &["sessions", "replace", "alice@localhost", &number(&alice)]).contains("is this one"));
    alice.fails(2, &["sessions", "replace", "bob", "7"]);
}

#[test]
fn a_device_that_is_gone_is_taken_off() {
    let Some(server) = server() else { return };
    let (alice, lost) = two(&server, "alice", "alice");
    let bob = Place::new();
    bob.login(&server, "bob");
    let device = number(&lost);
    assert!(alice.fails(1, &["approve", &number(&alice)]).contains("is this one"));
    // it is heard of with a connection, its key with it
    until("the new device is not heard of", || {
        alice.ok(&["send", "bob@localhost", "to all"]);
        alice.run(&["approve", &device]).status.success()
    });
    assert!(line(&alice, &device).unwrap().contains("trusted"));
    let said = bob.ok(&["send", "alice@localhost", "to both"]);
    assert!(said.contains(&format!("device {device}: sent")), "{said}");
    let said = alice.ok(&["sessions", "remove", &device]);
    assert!(said.contains("off the list"), "{said}");
    assert!(line(&alice, &device).is_none_or(|line| line.contains("not in use")));
    // the server has it so: whoever asks now does not see it, and it stays so over connections
    let carol = Place::new();
    carol.login(&server, "carol");
    let said = carol.ok(&["send", "alice@localhost", "who is there?"]);
    assert!(said.contains("sent (omemo:2)") && !said.contains(&device), "{said}");
    alice.ok(&["send", "bob@localhost", "later"]);
    assert!(line(&alice, &device).is_none_or(|line| line.contains("not in use")));
    assert!(alice.fails(1, &["sessions", "remove", &device]).contains("on no list"));
}

#[test]
fn an_identity_of_python_omemo_goes_on_here() {
    let Some(server) = server() else { return };
    let (place, bob) = (Place::new(), Place::new());
    bob.login(&server, "bob");
    let import = |from: &str, file: &str| {
        let host = format!("127.0.0.1:{}", server.port);
        let file = format!("{}/src/import/fixtures/{file}", env!("CARGO_MANIFEST_DIR"));
        let args = ["import", "alice@localhost", "--host", &host, "--plain-loopback", "--from", from, &file];
        place.command(&args).env("SUBROSA_PASSWORD", "pw-alice").output().unwrap()
    };
    let wrong = support::failed(import("python-omemo", "profanity-identity.txt"), 1, &["import"]);
    assert!(wrong.contains("not what python-omemo writes") && !wrong.contains("line 0"), "{wrong}");
    assert!(!place.path().join("accounts/alice@localhost").exists());
    let done = import("python-omemo", "python-omemo.json");
    assert!(done.status.success(), "{}", support::text(&done.stderr));
    assert_eq!(number(&place), "42");
    place.ok(&["send", "bob@localhost", "the same keys"]);
    let mut reading = bob.rpc();
    assert_eq!(reading.message("the same keys")["device"], 42);
    assert!(bob.ok(&["devices", "alice@localhost"]).contains("f08baf00"));
}

/// Questions that can't be asked are not answered by themselves, and what is told of rooms is so.
#[test]
fn what_cannot_be_undone_is_asked_for() {
    let Some(server) = server() else { return };
    let (alice, bob) = two(&server, "alice", "bob");
    let made = alice.ok(&["room", "create", "--name", "Garden"]);
    let room = made.split_whitespace().find(|word| word.contains("@rooms.")).unwrap().trim_end_matches(';').to_owned();
    let listed = alice.ok(&["room", "list"]);
    assert!(listed.contains("not connected") && !listed.contains("0 members"), "{listed}");
    alice.ok(&["room", "invite", &room, "bob@localhost"]);
    alice.ok(&["room", "invite", &room, "carol@localhost"]);
    // carol has no keys: named, and not as somebody whom a person chose to leave out
    let refused = alice.run(&["send", &room, "to all"]);
    let (out, err) = (support::text(&refused.stdout), support::text(&refused.stderr));
    assert!(refused.status.code() == Some(10) && err.contains("carol@localhost") && !out.contains("as you chose"), "{out}{err}");
    let mut reading = bob.rpc();
    reading.note("invitation");
    reading.end();
    let err = bob.fails(1, &["send", &room, "am I in?"]);
    assert!(err.contains("room join"), "{err}");
    assert!(bob.ok(&["room", "join", &room]).contains("in it; encrypted to 3 members"));
    assert!(alice.fails(2, &["room", "remove", &room, "alice@localhost"]).contains("room leave"));
    assert!(alice.fails(2, &["room", "leave", &room, "--destroy"]).contains("--yes"));
    bob.ok(&["room", "leave", &room]);
    let again = bob.fails(1, &["room", "leave", &room]);
    assert!(again.contains("room list") && !again.contains("join it first"), "{again}");
    assert!(alice.ok(&["room", "leave", &room, "--destroy", "--yes"]).contains("ended"));
    assert_eq!(alice.ok(&["room", "list"]), "no rooms\n");
    // a file of another's is not written over
    let file = alice.path().join("letter.txt");
    std::fs::write(&file, "mine").unwrap();
    let path = file.to_str().unwrap();
    let backup = |args: &[&str]| alice.command(args).env("SUBROSA_PASSPHRASE", "correct horse battery").output().unwrap();
    assert!(support::failed(backup(&["backup", path]), 2, &["backup"]).contains("--replace"));
    assert_eq!(std::fs::read(&file).unwrap(), b"mine");
    assert!(backup(&["backup", path, "--replace"]).status.success());
    assert_ne!(std::fs::read(&file).unwrap(), b"mine");
    assert_eq!(alice.ok(&["block"]), "nobody is blocked\n");
}
