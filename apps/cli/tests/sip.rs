//! Two of ours over SIP on the loopback, as a user has them: commands, a running process, the RPC.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
mod support;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use subrosa_interop::FileServer;
use support::{Place, Rpc};

const ALICE: &str = "sip:alice@sip.test";
const BOB: &str = "sip:bob@sip.test";

/// `subrosa sip` in a directory of its own.
fn sip(place: &Place, from: &str, engine: &str, args: &[&str]) -> Command {
    place.command(&[&["sip", "--from", from, "--engine", engine, "--listen", "127.0.0.1:0"], args].concat())
}
/// One that answers on standard input and output; where it listens by TCP, as a proxy's URI.
fn rpc(place: &Place, from: &str, engine: &str, args: &[&str]) -> (Rpc, String) {
    let mut rpc = Rpc::start(sip(place, from, engine, &[&["rpc"], args].concat()));
    rpc.online();
    let status = rpc.call("status", json!({}));
    let listens = status["accounts"][0]["listens"].as_array().unwrap().clone();
    let tcp = listens.iter().find_map(|place| place.as_str()?.strip_prefix("tcp ")).expect("it listens by TCP").to_owned();
    (rpc, format!("sip:{tcp};transport=tcp"))
}
/// Alice reaches Bob, and he her: by a port that was free a moment ago.
fn pair(engine: &str, args: &[&str]) -> (Place, Rpc, Place, Rpc) {
    let (alice, bob) = (Place::new(), Place::new());
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let (b, to_bob) = rpc(&bob, BOB, engine, &[&["--proxy", &format!("sip:127.0.0.1:{port};transport=tcp")], args].concat());
    let mut command = sip(&alice, ALICE, engine, &[&["rpc", "--proxy", &to_bob], args].concat());
    command.args(["--transport", "tcp", "--listen", &format!("127.0.0.1:{port}")]);
    let mut a = Rpc::start(command);
    a.online();
    (alice, a, bob, b)
}
fn states(rpc: &mut Rpc, id: &str, last: &str) -> Vec<Value> {
    let mut all = Vec::new();
    loop {
        let state = rpc.wait(last, |line| line["method"] == "state" && line["params"]["id"] == id)["params"].clone();
        all.push(state["state"].clone());
        if state["state"] == last {
            return all;
        }
    }
}

#[test]
fn messages_there_and_back_through_each_engine() {
    for engine in ["xor", "xor-hex", "base64", "base64-async"] {
        let (_a, mut alice, _b, mut bob) = pair(engine, &[]);
        let text = format!("Bla bla bla bla, by {engine} \u{1f339}");
        let result = alice.call("send", json!({"to": "bob@sip.test", "text": text, "id": "m1"}));
        assert_eq!((result["id"].as_str(), result["status"].as_u64(), result["engine"].as_str()), (Some("m1"), Some(200), Some(engine)), "{result}");
        assert_eq!(states(&mut alice, "m1", "delivered"), ["in-progress", "delivered"]);
        let got = bob.message(&text);
        assert_eq!((got["from"].as_str(), got["chat"].as_str(), got["protocol"].as_str()), (Some(ALICE), Some(ALICE), Some(engine)), "{got}");
        bob.call("send", json!({"to": ALICE, "text": "and back"}));
        alice.message("and back");
    }
}

#[test]
fn a_key_that_both_have_in_a_file() {
    let place = Place::new();
    let key = place.path().join("shared");
    std::fs::write(&key, "5a".repeat(32)).unwrap();
    let engine = format!("preshared:@{}", key.display());
    let (_a, mut alice, _b, mut bob) = pair(&engine, &[]);
    alice.call("send", json!({"to": BOB, "text": "between us"}));
    assert_eq!(bob.message("between us")["protocol"], engine);
}

#[test]
fn typing_notices_and_receipts_pass() {
    let (_a, mut alice, _b, mut bob) = pair("xor", &[]);
    alice.call("typing", json!({"to": BOB, "composing": true}));
    let typing = bob.note("typing");
    assert_eq!((typing["from"].as_str(), typing["composing"].as_bool()), (Some(ALICE), Some(true)));
    alice.call("send", json!({"to": BOB, "text": "did you read this?", "id": "m1"}));
    bob.message("did you read this?");
    let receipt = alice.note("receipt");
    assert_eq!((receipt["id"].as_str(), receipt["fate"].as_str(), receipt["from"].as_str()), (Some("m1"), Some("delivered"), Some(BOB)));
    bob.call("mark_read", json!({"from": ALICE, "id": "m1"}));
    assert_eq!(alice.note("receipt")["fate"], "displayed");
    alice.call("typing", json!({"to": BOB, "composing": false}));
    assert_eq!(bob.note("typing")["composing"], false);
}

#[test]
fn a_refusal_is_told_with_its_code_to_both() {
    let (alice, bob) = (Place::new(), Place::new());
    let (mut b, to_bob) = rpc(&bob, BOB, "base64", &[]);
    let (mut a, _) = rpc(&alice, ALICE, "xor", &["--proxy", &to_bob]);
    let error = a.error("send", json!({"to": BOB, "text": "who reads this?", "id": "r1"}));
    assert_eq!(
        (error["code"].as_i64(), error["data"]["code"].as_str(), error["data"]["fault"].as_str()),
        (Some(-32002), Some("send.refused"), Some("peer"))
    );
    assert_eq!(error["data"]["details"]["status"], 488, "{error}");
    assert!(error["message"].as_str().unwrap().contains("488 Not Acceptable Here (not-encrypted)"), "{error}");
    let state = a.wait("state", |line| line["method"] == "state" && line["params"]["state"] == "not-delivered")["params"].clone();
    assert_eq!((state["id"].as_str(), state["to"].as_str(), state["status"].as_u64()), (Some("r1"), Some(BOB), Some(488)));
    let refused = b.note("undecryptable");
    assert_eq!((refused["reason"].as_str(), refused["status"].as_u64()), (Some("not-encrypted"), Some(488)));
}

#[test]
fn files_arrive_as_they_were() {
    let files = FileServer::start().unwrap();
    let downloads = Place::new();
    let (a, mut alice, _b, mut bob) = pair("xor", &["--file-server", &files.url, "--download-dir", downloads.path().to_str().unwrap()]);
    for (n, size) in [0usize, 1, 16, 50_001].into_iter().enumerate() {
        let bytes: Vec<u8> = (0..size).map(|i| (i * 7 % 251) as u8).collect();
        let path = a.path().join(format!("file {n}.bin"));
        std::fs::write(&path, &bytes).unwrap();
        let result = alice.call("send_file", json!({"to": BOB, "path": path, "content_type": "image/png"}));
        assert_eq!((result["status"].as_u64(), result["engine"].as_str()), (Some(200), Some("xor")));
        let file = bob.note("file");
        assert_eq!((file["name"].as_str(), file["size"].as_u64()), (Some(format!("file {n}.bin").as_str()), Some(size as u64)), "{file}");
        assert_eq!((file["content_type"].as_str(), file["protocol"].as_str()), (Some("image/png"), Some("xor")), "{file}");
        assert_eq!(std::fs::read(file["path"].as_str().expect("fetched")).unwrap(), bytes);
        if size > 16 {
            assert!(files.uploads().iter().all(|upload| upload.bytes != bytes), "the server has it in clear");
        }
    }
    let missing = alice.error("send_file", json!({"to": BOB, "path": a.path().join("nothing")}));
    assert!(missing["data"]["code"] == "send.file" && missing["message"].as_str().unwrap().contains("nothing"), "{missing}");
    assert_eq!(std::fs::read_dir(downloads.path()).unwrap().count(), 4);
}

#[test]
fn without_a_place_for_files_none_is_sent_or_fetched() {
    let files = FileServer::start().unwrap();
    let (alice, bob) = (Place::new(), Place::new());
    let (mut b, to_bob) = rpc(&bob, BOB, "xor", &[]);
    let path = alice.path().join("x");
    std::fs::write(&path, "x").unwrap();
    let send = |more: &[&str]| {
        sip(&alice, ALICE, "xor", &[&["send-file", BOB, path.to_str().unwrap(), "--proxy", &to_bob], more].concat()).output().unwrap()
    };
    let err = support::failed(send(&[]), 10, &["send-file"]);
    assert!(err.contains("no file server"), "{err}");
    assert!(send(&["--file-server", &files.url]).status.success());
    let file = b.note("file");
    assert!(file["path"].is_null() && file.get("reason").is_none() && file["name"] == "x", "{file}");
}

#[test]
fn commands_say_what_was_answered() {
    let (alice, bob) = (Place::new(), Place::new());
    let (mut b, to_bob) = rpc(&bob, BOB, "xor", &[]);
    let run = |engine: &str, args: &[&str]| sip(&alice, ALICE, engine, &[args, &["--proxy", &to_bob]].concat()).output().unwrap();
    let out = run("xor", &["send", "bob@sip.test", "in one line"]);
    assert!(out.status.success(), "{}", support::text(&out.stderr));
    assert!(support::text(&out.stdout).ends_with("\n  xor: no protection\n  delivered (200)\n"), "{}", support::text(&out.stdout));
    b.message("in one line");
    // where nothing is kept nothing is made
    assert!(!alice.path().join("sip").exists());
    let err = support::failed(run("base64", &["send", BOB, "x"]), 10, &["send"]);
    assert!(err.contains("sip:bob@sip.test refused the message: 488 Not Acceptable Here"), "{err}");
    let nobody = format!("sip:127.0.0.1:{};transport=tcp", TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port());
    let out = sip(&alice, ALICE, "xor", &["send", BOB, "x", "--proxy", &nobody]).output().unwrap();
    let err = support::failed(out, 10, &["send"]);
    assert!(err.contains("was not reached"), "{err}");
}

#[test]
fn a_chat_is_line_by_line() {
    let (alice, bob) = (Place::new(), Place::new());
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let (mut b, to_bob) = rpc(&bob, BOB, "xor", &["--proxy", &format!("sip:127.0.0.1:{port};transport=tcp")]);
    let mut command = sip(&alice, ALICE, "xor", &["chat", "bob@sip.test", "--proxy", &to_bob, "--transport", "tcp"]);
    command.args(["--listen", &format!("127.0.0.1:{port}")]);
    let mut chat: Child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(chat.stdout.take().unwrap()).lines().map_while(Result::ok);
    let mut input = chat.stdin.take().unwrap();
    writeln!(input, "first line\n\nsecond line").unwrap();
    b.message("first line");
    b.message("second line");
    b.call("send", json!({"to": ALICE, "text": "answer"}));
    lines.find(|line| line.ends_with("sip:bob@sip.test (xor: no protection): answer")).expect("the answer");
    drop(input);
    assert!(chat.wait().unwrap().success());
}

#[test]
fn what_was_not_shown_is_shown_by_the_next_process() {
    let (alice, bob) = (Place::new(), Place::new());
    let (mut b, to_bob) = rpc(&bob, BOB, "xor", &[]);
    let (mut a, _) = rpc(&alice, ALICE, "xor", &["--proxy", &to_bob]);
    b.call("subscribe", json!({"confirm": true}));
    for (id, text) in [("m1", "one"), ("m2", "two")] {
        a.call("send", json!({"to": BOB, "text": text, "id": id}));
    }
    let first = b.message("one");
    b.call("shown", json!({"seq": first["seq"]}));
    b.message("two");
    b.kill();
    let (mut b, _) = rpc(&bob, BOB, "xor", &[]);
    assert_eq!(b.message("two")["id"], "m2");
    assert!(b.left().iter().all(|line| line["method"] != "message"));
    b.end();
    let (mut b, _) = rpc(&bob, BOB, "xor", &[]);
    b.call("status", json!({}));
    assert!(b.left().iter().all(|line| line["method"] != "message"), "it was shown");
}

#[test]
fn one_process_has_the_state_of_an_account() {
    let bob = Place::new();
    let (running, _) = rpc(&bob, BOB, "xor", &[]);
    let err = support::failed(sip(&bob, BOB, "xor", &["listen"]).output().unwrap(), 8, &["listen"]);
    assert!(err.contains("--memory"), "{err}");
    let (memory, _) = rpc(&bob, BOB, "xor", &["--memory"]);
    memory.end();
    running.end();
    rpc(&bob, BOB, "xor", &[]).0.end();
}

#[test]
fn what_does_not_fit_is_told() {
    let place = Place::new();
    let fails = |code, args: &[&str]| place.fails(code, &[&["sip"], args].concat());
    assert!(fails(2, &["listen", "--engine", "xor"]).contains("--from"));
    for engine in [&["--engine", "omemo"][..], &[]] {
        let err = fails(2, &[&["send", BOB, "x", "--from", ALICE], engine].concat());
        assert!(err.contains("OMEMO runs on XMPP only") && err.contains("--engine"), "{err}");
    }
    assert!(fails(2, &["send", "not an address", "x", "--from", ALICE, "--engine", "xor"]).contains("sip:alice@example.org"));
    assert!(fails(2, &["listen", "--from", "nobody", "--engine", "xor"]).contains("sip:alice@example.org"));
    assert!(fails(2, &["listen", "--from", ALICE, "--engine", "xor", "--proxy", "http://x"]).contains("is not a SIP URI"));
    assert!(fails(2, &["listen", "--from", ALICE, "--engine", "xor", "--download-dir", "/nowhere"]).contains("/nowhere"));
    assert!(fails(2, &["listen", "--from", ALICE, "--engine", "xor", "--register"]).contains("--password-file"));
    assert!(fails(7, &["send-file", BOB, "/nowhere", "--from", ALICE, "--engine", "xor"]).contains("/nowhere"));
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().to_string();
    let err = fails(5, &["listen", "--from", ALICE, "--engine", "xor", "--transport", "tcp", "--listen", &port, "--memory"]);
    assert!(err.contains("can't listen on") && err.contains("another address or port"), "{err}");
}

#[test]
fn methods_of_the_other_network_say_so() {
    let bob = Place::new();
    let (mut b, _) = rpc(&bob, BOB, "xor", &[]);
    assert_eq!(b.error("devices", json!({}))["data"]["code"], "method.xmpp");
    for (params, code) in [
        (json!({"to": "nobody", "text": "x"}), "request.invalid"),
        (json!({"to": ALICE, "text": ""}), "request.invalid"),
        (json!({"to": ALICE, "text": "x", "id": "two words"}), "request.invalid"),
        (json!({"to": ALICE, "text": "x", "account": "sip:eve@sip.test"}), "account.none"),
        (json!({"to": ALICE}), "rpc.params"),
    ] {
        assert_eq!(b.error("send", params.clone())["data"]["code"], code, "{params}");
    }
    b.say(b"garbage");
    b.wait("error", |line| line["id"].is_null() && line["error"]["code"] == -32700);
    assert_eq!(b.call("version", json!({}))["name"], "subrosa");
    b.end();
}
