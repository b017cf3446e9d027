//! Two people over a real Prosody, as a user has them: commands, a running process, the RPC.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
mod support;
use serde_json::json;
use std::io::{BufRead, BufReader, Write};
use std::process::Stdio;
use support::{Place, Rpc, server, text};

#[test]
fn both_directions_and_the_server_reads_nothing() {
    let Some(server) = server() else { return };
    let (alice, bob) = (Place::new(), Place::new());
    let said = alice.login(&server, "alice");
    assert!(said.contains("alice@localhost is logged in") && said.contains("fingerprint"), "{said}");
    bob.login(&server, "bob");
    let mut listening = bob.rpc();
    listening.online();
    let report = alice.ok(&["send", "bob@localhost", "the owls are not what they seem", "--id", "m1"]);
    assert!(report.contains("message m1") && report.contains("bob@localhost device") && report.contains("sent (omemo:2)"), "{report}");
    let got = listening.message("the owls are not what they seem");
    assert_eq!((got["id"].as_str(), got["from"].as_str(), got["trust"].as_str()), (Some("m1"), Some("alice@localhost"), Some("trusted")));
    assert!(got.get("again").is_none() && got["time"].as_u64().unwrap() > 1_700_000_000_000);
    // the same id again: the same answer, and nothing more arrives
    assert_eq!(alice.ok(&["send", "bob@localhost", "the owls are not what they seem", "--id", "m1"]), report);
    let result = listening.call("send", json!({"to": "alice@localhost", "text": "they are owls, alice"}));
    assert_eq!(result["devices"][0]["result"], "sent");
    let mut reading = alice.rpc();
    assert_eq!(reading.message("they are owls, alice")["from"], "bob@localhost");
    reading.call("send", json!({"to": "bob@localhost", "text": "so they say"}));
    listening.message("so they say");
    assert!(listening.left().iter().all(|line| line["method"] != "message" && line["method"] != "undecryptable"));
    reading.end();
    listening.end();
    for secret in ["the owls", "they are owls", "so they say"] {
        assert!(!server.has_seen(secret), "the server saw {secret:?}");
    }
}

#[test]
fn over_tls_with_a_given_authority() {
    let Some(server) = server() else { return };
    let (alice, bob) = (Place::new(), Place::new());
    bob.login(&server, "bob");
    let ca = server.ca_file();
    let host = format!("127.0.0.1:{}", server.port);
    let secret = alice.path().join("pw");
    std::fs::write(&secret, "pw-alice\n").unwrap();
    let args = ["login", "alice@localhost", "--host", &host, "--ca", ca.to_str().unwrap(), "--password-file", secret.to_str().unwrap()];
    alice.ok(&args);
    assert!(alice.ok(&["send", "bob@localhost", "over tls"]).contains("sent ("));
    let mut reading = bob.rpc();
    reading.message("over tls");
}

#[test]
fn a_running_process_is_asked() {
    let Some(server) = server() else { return };
    let (alice, bob) = (Place::new(), Place::new());
    alice.login(&server, "alice");
    bob.login(&server, "bob");
    let mut listen = alice.command(&["listen"]).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(listen.stdout.take().unwrap()).lines().map_while(Result::ok);
    lines.find(|line| line.contains("* online")).expect("online");
    // all of these find the account taken, and ask who has it
    assert!(alice.ok(&["status"]).contains("alice@localhost: online"));
    assert!(alice.ok(&["send", "bob@localhost", "handed over"]).contains("sent ("));
    assert!(alice.ok(&["devices", "bob@localhost"]).contains("trusted"));
    assert!(alice.ok(&["fingerprint"]).contains("xmpp:alice@localhost?omemo-sid-"));
    let mut reading = bob.rpc();
    reading.message("handed over");
    // and the one that has it still shows what comes
    reading.call("send", json!({"to": "alice@localhost", "text": "seen where it is shown"}));
    let shown = lines.find(|line| line.contains("seen where it is shown")).expect("shown");
    assert!(shown.contains("bob@localhost (device ") && shown.contains("trusted)"), "{shown}");
    // a second listener takes over when the first one ends
    let second = alice.rpc_that_waits();
    let mut second = second;
    let status = std::process::Command::new("kill").args(["-TERM", &listen.id().to_string()]).status().unwrap();
    assert!(status.success() && listen.wait().unwrap().success());
    reading.call("send", json!({"to": "alice@localhost", "text": "after the change"}));
    second.message("after the change");
    assert_eq!(second.call("status", json!({}))["accounts"][0]["connection"], "online");
}
impl Place {
    /// `rpc` beside a process that has the account: it is up when it has answered.
    fn rpc_that_waits(&self) -> Rpc {
        let mut rpc = self.rpc();
        rpc.call("status", json!({}));
        rpc
    }
}

#[test]
fn a_second_device_is_approved_on_the_first() {
    let Some(server) = server() else { return };
    let (one, two, bob) = (Place::new(), Place::new(), Place::new());
    one.login(&server, "alice");
    bob.login(&server, "bob");
    let mut first = one.rpc();
    first.online();
    two.login(&server, "alice");
    let mut writer = bob.rpc();
    writer.online();
    let new = first.wait("device_new", |l| l["method"] == "device_new" && l["params"]["jid"] == "alice@localhost")["params"].clone();
    assert_eq!(new["trust"], "undecided");
    let result = first.call("send", json!({"to": "bob@localhost", "text": "only bob"}));
    let own = result["devices"].as_array().unwrap().iter().find(|d| d["jid"] == "alice@localhost").expect("considered").clone();
    assert_eq!((own["result"].as_str(), own["reason"].as_str()), (Some("left-out"), Some("awaits-approval")));
    writer.message("only bob");
    // by the command, handed over to the running process
    let number = new["device"].to_string();
    let said = one.ok(&["trust", "alice@localhost", &number, "verified", "--fingerprint", new["fingerprint"].as_str().unwrap()]);
    assert!(said.contains("verified"));
    let mut second = two.rpc();
    second.online();
    first.call("send", json!({"to": "bob@localhost", "text": "bob and my other device"}));
    let copy = second.message("bob and my other device");
    assert_eq!((copy["from"].as_str(), copy["chat"].as_str()), (Some("alice@localhost"), Some("bob@localhost")));
    writer.message("bob and my other device");
    writer.call("send", json!({"to": "alice@localhost", "text": "to both of you"}));
    first.message("to both of you");
    second.message("to both of you");
}

#[test]
fn a_chat_is_line_by_line() {
    let Some(server) = server() else { return };
    let (alice, bob) = (Place::new(), Place::new());
    alice.login(&server, "alice");
    bob.login(&server, "bob");
    let mut reading = bob.rpc();
    reading.online();
    let mut chat = alice.command(&["chat", "bob@localhost"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(chat.stdout.take().unwrap()).lines().map_while(Result::ok);
    let mut input = chat.stdin.take().unwrap();
    writeln!(input, "first line\n\nsecond line").unwrap();
    reading.message("first line");
    reading.message("second line");
    let error = reading.error("send", json!({"to": "alice@localhost", "text": "\u{1b}[2Janswer"}));
    assert_eq!(error["data"]["code"], "request.invalid");
    reading.call("send", json!({"to": "alice@localhost", "text": "answer"}));
    lines.find(|line| line.ends_with(": answer")).expect("the answer");
    drop(input);
    assert!(chat.wait().unwrap().success());
}

#[test]
fn what_cannot_leave_is_queued_and_leaves_later() {
    let Some(mut server) = server() else { return };
    let (alice, bob) = (Place::new(), Place::new());
    alice.login(&server, "alice");
    bob.login(&server, "bob");
    alice.ok(&["send", "bob@localhost", "with the server"]);
    server.stop();
    let err = alice.fails(9, &["send", "bob@localhost", "without the server", "--id", "q1", "--timeout", "10"]);
    assert!(err.contains("q1") && err.contains("next connection"), "{err}");
    assert!(alice.ok(&["status"]).contains("1 waiting to be sent"));
    server.restart().unwrap();
    // asked again under its id, it is waited for, and sent once
    alice.ok(&["send", "bob@localhost", "without the server", "--id", "q1"]);
    let mut reading = bob.rpc();
    reading.message("with the server");
    reading.message("without the server");
    alice.ok(&["send", "bob@localhost", "last"]);
    reading.message("last");
    assert!(reading.left().iter().all(|line| line["method"] != "message"));
}

#[test]
fn the_log_of_a_conversation_holds_no_secret() {
    let Some(server) = server() else { return };
    let (alice, bob) = (Place::new(), Place::new());
    let login = alice.login_command(&server, "alice").arg("-vvv").env("SUBROSA_PASSWORD", "pw-alice").output().unwrap();
    assert!(login.status.success(), "{}", text(&login.stderr));
    bob.login(&server, "bob");
    let mut talking = Rpc::start(alice.command(&["rpc", "-vvv"]));
    let mut reading = Rpc::start({
        let mut command = bob.command(&["rpc"]);
        command.env("SUBROSA_LOG", "trace");
        command
    });
    reading.online();
    talking.online();
    talking.call("send", json!({"to": "bob@localhost", "text": "a secret of some length"}));
    reading.message("a secret of some length");
    reading.call("send", json!({"to": "alice@localhost", "text": "an answer nobody else reads"}));
    talking.message("an answer nobody else reads");
    talking.say(br#"{"jsonrpc":"2.0","id":"x","method":"send","params":{"to":"bob@localhost","text":5,"note":"stray secret"}}"#);
    talking.wait("error", |line| line["id"] == "x");
    let key = std::fs::read_to_string(alice.path().join("accounts/alice@localhost/key")).unwrap();
    let key = key.lines().last().unwrap().to_owned();
    let logs = [text(&login.stderr), talking.end(), reading.end()];
    assert!(logs.iter().all(|log| log.lines().count() > 3), "a log that says nothing proves nothing: {logs:?}");
    for secret in ["a secret of", "an answer nobody", "stray secret", "pw-alice", "pw-bob", &key, "AHB3LWFsaWNl"] {
        assert!(logs.iter().all(|log| !log.contains(secret)), "a log has {secret:?}");
    }
    // and the disk holds neither in the clear, the key file aside
    for entry in std::fs::read_dir(alice.path().join("accounts/alice@localhost")).unwrap().flatten() {
        let bytes = std::fs::read(entry.path()).unwrap_or_default();
        let holds = |secret: &[u8]| bytes.windows(secret.len()).any(|part| part == secret);
        assert!(!holds(b"pw-alice") && !holds(b"an answer nobody"), "{:?}", entry.path());
    }
}

#[test]
fn one_process_serves_several_accounts() {
    let Some(server) = server() else { return };
    let place = Place::new();
    place.login(&server, "alice");
    place.login(&server, "bob");
    assert!(place.fails(3, &["send", "bob@localhost", "from whom?"]).contains("--account"));
    let mut rpc = place.rpc();
    let status = rpc.call("status", json!({}));
    let names: Vec<_> = status["accounts"].as_array().unwrap().iter().map(|a| a["account"].as_str().unwrap().to_owned()).collect();
    assert_eq!(names, ["alice@localhost", "bob@localhost"]);
    assert_eq!(rpc.error("send", json!({"to": "bob@localhost", "text": "x"}))["data"]["code"], "account.several");
    rpc.call("send", json!({"to": "bob@localhost", "text": "within one process", "account": "alice@localhost"}));
    assert_eq!(rpc.message("within one process")["account"], "bob@localhost");
    // handed over, each to its own
    place.ok(&["--account", "bob@localhost", "send", "alice@localhost", "and back"]);
    assert_eq!(rpc.message("and back")["account"], "alice@localhost");
    rpc.end();
}

#[test]
fn what_was_not_confirmed_comes_again() {
    let Some(server) = server() else { return };
    let (alice, bob) = (Place::new(), Place::new());
    alice.login(&server, "alice");
    bob.login(&server, "bob");
    let mut reading = bob.rpc();
    reading.call("subscribe", json!({"confirm": true}));
    alice.ok(&["send", "bob@localhost", "read but not acted on", "--id", "m1"]);
    let first = reading.message("read but not acted on");
    assert!(first.get("again").is_none());
    reading.call("status", json!({}));
    assert!(reading.left().iter().all(|line| line["method"] != "message"), "subscribed twice, told twice");
    reading.kill();
    let mut reading = bob.rpc();
    let again = reading.message("read but not acted on");
    assert_eq!((again["id"].as_str(), again["again"].as_bool()), (Some("m1"), Some(true)));
    reading.end(); // written out without a wish to confirm: that was it
    let mut reading = bob.rpc();
    alice.ok(&["send", "bob@localhost", "the next one"]);
    reading.message("the next one");
    assert!(reading.left().iter().all(|line| line["method"] != "message"));
}
