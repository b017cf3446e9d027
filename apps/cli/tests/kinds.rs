//! Between two people over a real Prosody: what is said about a message, how far it got, what was missed, a device that is new, a
//! history that goes elsewhere.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
mod support;

use serde_json::{Value, json};
use std::time::{Duration, Instant};
use subrosa_interop::Prosody;
use support::{PATIENCE, Place, Rpc, server};

fn online(server: &Prosody, user: &str) -> (Place, Rpc) {
    let place = Place::new();
    place.login(server, user);
    let mut rpc = place.rpc();
    rpc.online();
    (place, rpc)
}
fn entry(rpc: &mut Rpc, what: &str, fits: impl Fn(&Value) -> bool) -> Value {
    rpc.wait(what, |line| line["method"] == "entry" && fits(&line["params"]["entry"]))["params"]["entry"].clone()
}
fn texts(rpc: &mut Rpc, chat: &str) -> Vec<String> {
    let page = rpc.call("history", json!({"chat": chat, "limit": 500}));
    page["messages"].as_array().unwrap().iter().filter_map(|m| m["text"].as_str().map(str::to_owned)).collect()
}
fn until(what: &str, mut fits: impl FnMut() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !fits() {
        assert!(Instant::now() < end, "{what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// A new device of the account's own.
fn own_new(rpc: &mut Rpc) -> Value {
    let is_it = |line: &Value| line["method"] == "device_new" && line["params"]["jid"] == line["params"]["account"];
    rpc.wait("a new device", is_it)["params"]["device"].clone()
}
/// As soon as its key is known.
fn approve(rpc: &mut Rpc, device: &Value) {
    until("the key of that device does not come", || {
        let id = rpc.begin("approve", json!({"device": device}));
        rpc.answer(id).get("error").is_none()
    });
}

#[test]
fn what_is_said_about_a_message_is_seen_by_the_other_and_nobody_else() {
    let Some(server) = server() else { return };
    let ((_a, mut alice), (_b, mut bob)) = (online(&server, "alice"), online(&server, "bob"));
    alice.call("send", json!({"to": "bob@localhost", "text": "the dor is open", "id": "d1"}));
    let heard = entry(&mut bob, "the words", |e| e["text"] == "the dor is open");
    assert_eq!((heard["id"].as_str(), heard["outgoing"].as_bool(), heard["encrypted"].as_bool()), (Some("d1"), Some(false), Some(true)));
    // it arrived, then it was read; both are said by the other's program, encrypted
    assert_eq!(alice.note("receipt")["fate"], "delivered");
    entry(&mut alice, "that it arrived", |e| e["id"] == "d1" && e["state"] == "delivered");
    let unread = |rpc: &mut Rpc| rpc.call("chats", json!({}))["chats"][0]["unread"].as_u64().unwrap();
    assert_eq!(unread(&mut bob), 1);
    bob.call("mark_read", json!({"from": "alice@localhost", "id": "d1"}));
    alice.wait("that it was read", |line| line["method"] == "receipt" && line["params"]["fate"] == "displayed");
    entry(&mut alice, "that it was read", |e| e["id"] == "d1" && e["state"] == "displayed");
    until("it stays unread", || unread(&mut bob) == 0);
    bob.call("typing", json!({"to": "alice@localhost", "composing": true}));
    assert_eq!(alice.note("typing")["composing"], true);
    bob.call("reply", json!({"chat": "alice@localhost", "of": heard["place"], "text": "which one?"}));
    let answer = alice.message("which one?");
    assert_eq!(answer["answers"], "d1");
    bob.call("react", json!({"chat": "alice@localhost", "of": "d1", "emojis": ["👍", "🌱"]}));
    entry(&mut alice, "the reactions", |e| e["id"] == "d1" && e["reactions"].as_array().is_some_and(|r| r.len() == 2));
    bob.call("react", json!({"chat": "alice@localhost", "of": "d1", "emojis": []}));
    entry(&mut alice, "that they are gone", |e| e["id"] == "d1" && e.get("reactions").is_none());
    alice.call("edit", json!({"chat": "bob@localhost", "of": "d1", "text": "the door is open"}));
    assert_eq!(bob.message("the door is open")["corrects"], "d1");
    entry(&mut bob, "the better words", |e| e["id"] == "d1" && e["text"] == "the door is open" && e["edited"] == true);
    assert_eq!(texts(&mut bob, "alice@localhost"), ["the door is open", "which one?"]);
    alice.call("retract", json!({"chat": "bob@localhost", "of": "d1"}));
    entry(&mut bob, "that it is gone", |e| e["id"] == "d1" && e["retracted"] == "alice@localhost" && e.get("text").is_none());
    // and the server read none of it
    for word in ["dor is open", "door is open", "which one", "👍", "🌱", "chat-markers:0' id", "<composing"] {
        assert!(!server.has_seen(word), "{word} in clear");
    }
}

/// By its number alone a device is let in and nobody is told; by its key it is verified, and whoever verified this one learns it
/// (XEP-0450 §4).
#[test]
fn an_own_device_that_was_compared_is_verified_for_contacts_too() {
    let Some(server) = server() else { return };
    let ((_a, mut alice), (_b, mut bob)) = (online(&server, "alice"), online(&server, "bob"));
    let own = |rpc: &mut Rpc| rpc.call("status", json!({}))["accounts"][0].clone();
    let verify = |of: &Value, at: &mut Rpc| {
        at.call("verify", json!({"jid": of["account"], "device": of["device"], "fingerprint": of["fingerprint"]}));
    };
    alice.call("send", json!({"to": "bob@localhost", "text": "hello"}));
    bob.message("hello");
    bob.call("send", json!({"to": "alice@localhost", "text": "and back"}));
    alice.message("and back");
    let (first, bobs) = (own(&mut alice), own(&mut bob));
    verify(&first, &mut bob);
    verify(&bobs, &mut alice);
    let (_a2, mut other) = online(&server, "alice");
    let second = own(&mut other);
    let trust = |at: &mut Rpc| {
        let all = at.call("devices", json!({"jid": "alice@localhost"}));
        all["devices"].as_array().unwrap().iter().find(|d| d["device"] == second["device"]).map(|d| d["trust"].clone())
    };
    own_new(&mut alice);
    approve(&mut alice, &second["device"]);
    assert_eq!(trust(&mut alice), Some("trusted".into()));
    until("bob does not see it", || trust(&mut bob) == Some("undecided".into()));
    let for_second = |at: &mut Rpc| {
        let sent = at.call("send", json!({"to": "alice@localhost", "text": "to all that are verified"}));
        sent["devices"].as_array().unwrap().iter().find(|d| d["device"] == second["device"]).unwrap()["result"].clone()
    };
    assert_eq!(for_second(&mut bob), "left-out");
    let wrong = alice.error("approve", json!({"device": second["device"], "fingerprint": first["fingerprint"]}));
    assert_eq!(wrong["data"]["code"], "trust.key");
    assert_eq!((trust(&mut alice), trust(&mut bob)), (Some("trusted".into()), Some("undecided".into())));
    alice.call("approve", json!({"device": second["device"], "fingerprint": second["fingerprint"]}));
    assert_eq!(trust(&mut alice), Some("verified".into()));
    until("bob is not told", || trust(&mut bob) == Some("verified".into()));
    assert_eq!(for_second(&mut bob), "sent");
}

/// What a process that was killed had not stored, its server sends back to the senders where another device of the account is online; the
/// archive has it all the same.
#[test]
fn killed_beside_another_device_nothing_is_lost() {
    let Some(server) = server() else { return };
    let ((_a, mut alice), (b, mut bob), (_b2, mut other)) = (online(&server, "alice"), online(&server, "bob"), online(&server, "bob"));
    // the first device lets the second one read
    let new = own_new(&mut bob);
    approve(&mut bob, &new);
    let first = bob.call("status", json!({}))["accounts"][0]["device"].clone();
    approve(&mut other, &first);
    alice.call("send", json!({"to": "bob@localhost", "text": "to both"}));
    bob.message("to both");
    other.message("to both");
    bob.kill();
    for n in 0..20 {
        alice.call("send", json!({"to": "bob@localhost", "text": format!("meanwhile {n}")}));
    }
    other.message("meanwhile 19");
    other.call("send", json!({"to": "alice@localhost", "text": "from my other device"}));
    let mut bob = b.rpc();
    for n in 0..20 {
        bob.message(&format!("meanwhile {n}"));
    }
    bob.message("from my other device");
    let mut expected: Vec<String> = (0..20).map(|n| format!("meanwhile {n}")).collect();
    expected.insert(0, "to both".into());
    expected.push("from my other device".into());
    assert_eq!(texts(&mut bob, "alice@localhost"), expected);
    assert_eq!(texts(&mut other, "alice@localhost"), expected);
}

#[test]
fn a_history_goes_to_a_new_device_and_into_a_file() {
    let Some(server) = server() else { return };
    let ((_a, mut alice), (b, mut bob)) = (online(&server, "alice"), online(&server, "bob"));
    for n in 0..30 {
        alice.call("send", json!({"to": "bob@localhost", "text": format!("long ago {n}")}));
    }
    bob.message("long ago 29");
    let expected: Vec<String> = (0..30).map(|n| format!("long ago {n}")).collect();
    until("it is not all there", || texts(&mut bob, "alice@localhost") == expected);
    let (_b2, mut other) = online(&server, "bob");
    let new = own_new(&mut bob);
    let old = bob.call("status", json!({}))["accounts"][0]["device"].clone();
    // what the archive has of before can't be read there
    assert!(texts(&mut other, "alice@localhost").is_empty());
    approve(&mut other, &old);
    bob.call("approve", json!({"device": new, "history": true}));
    let offer = other.note("history_progress");
    assert_eq!((offer["device"].clone(), offer["outgoing"].as_bool(), offer["done"].as_u64()), (old.clone(), Some(false), Some(0)));
    other.call("approve", json!({"device": old, "history": true}));
    until("the history does not come", || texts(&mut other, "alice@localhost") == expected);
    // sealed, and into an empty place
    let file = b.path().join("history.sealed");
    let sealed = json!({"path": file, "passphrase": "correct horse battery"});
    assert!(bob.call("backup", sealed.clone())["messages"].as_u64().unwrap() >= 30);
    let bytes = std::fs::read(&file).unwrap();
    assert!(!bytes.windows(8).any(|part| part == b"long ago"));
    assert!(bob.error("backup", sealed.clone())["message"].as_str().unwrap().contains("is there already"));
    let weak = bob.error("backup", json!({"path": file, "passphrase": "short", "replace": true}));
    assert_eq!(weak["data"]["code"].as_str().map(|code| code.starts_with("backup.")), Some(true), "{weak}");
    bob.call("erase", json!({"chat": "alice@localhost"}));
    assert!(texts(&mut bob, "alice@localhost").is_empty());
    assert!(bob.call("restore", sealed)["messages"].as_u64().unwrap() >= 30);
    assert_eq!(texts(&mut bob, "alice@localhost"), expected);
    assert!(bob.error("restore", json!({"path": file, "passphrase": "incorrect horse battery"}))["data"]["code"].is_string());
}

#[test]
fn who_is_blocked_is_kept_away() {
    let Some(server) = server() else { return };
    let ((_a, mut alice), (_b, mut bob)) = (online(&server, "alice"), online(&server, "bob"));
    alice.call("block", json!({"jid": "bob@localhost"}));
    assert_eq!(alice.call("blocked", json!({}))["blocked"], json!(["bob@localhost"]));
    bob.begin("send", json!({"to": "alice@localhost", "text": "do you hear me?", "timeout": 2}));
    alice.call("unblock", json!({"jid": "bob@localhost"}));
    assert_eq!(alice.call("blocked", json!({}))["blocked"], json!([]));
    bob.call("send", json!({"to": "alice@localhost", "text": "and now?"}));
    alice.message("and now?");
}

#[test]
fn an_account_in_trouble_does_not_stop_another() {
    let Some(server) = server() else { return };
    let place = Place::new();
    place.login(&server, "alice");
    place.login(&server, "bob");
    std::fs::write(place.path().join("accounts/bob@localhost/key"), "not a key").unwrap();
    let mut rpc = place.rpc();
    let trouble = rpc.wait("the trouble", |line| line["method"] == "connection" && line["params"]["account"] == "bob@localhost");
    assert!(trouble["params"]["code"].as_str().unwrap().starts_with("store."), "{trouble}");
    assert_eq!(rpc.call("chats", json!({"account": "alice@localhost"}))["chats"], json!([]));
    let status = rpc.call("status", json!({}));
    assert_eq!(status["accounts"].as_array().unwrap().len(), 1);
    assert!(rpc.error("devices", json!({"account": "bob@localhost"}))["data"]["code"].as_str().unwrap().starts_with("store."));
}
