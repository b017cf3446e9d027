//! What goes wrong is told in one sentence, with an exit code of its own, and leaves things as they were.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
mod support;
use serde_json::json;
use std::fs::OpenOptions;
use support::{Place, failed, server};

#[test]
fn without_an_account_every_command_says_so() {
    let place = Place::new();
    for args in [&["send", "bob@x.org", "hi"][..], &["listen"], &["rpc"], &["status"], &["fingerprint"], &["devices"], &["logout", "--yes"]] {
        assert!(place.fails(3, args).contains("subrosa login"));
    }
    assert!(place.fails(3, &["--account", "eve@x.org", "status"]).contains("eve@x.org"));
}

#[test]
fn arguments_that_do_not_fit() {
    let place = Place::new();
    assert_eq!(place.run(&["fly"]).status.code(), Some(2));
    assert_eq!(place.run(&["trust", "bob@x.org", "5", "best"]).status.code(), Some(2));
    place.fails(2, &["login", "no address"]);
    place.fails(2, &["login", "alice@x.org/phone"]);
    let err = place.fails(2, &["login", "alice@x.org"]);
    assert!(err.contains("--password-file"), "{err}");
    let missing = place.fails(7, &["login", "alice@x.org", "--password-file", "/nowhere/pw"]);
    assert!(missing.contains("/nowhere/pw"));
}

#[test]
fn an_unreachable_server() {
    let place = Place::new();
    // a port that was free a moment ago
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let mut login = place.command(&["login", "alice@localhost", "--plain-loopback", "--host", &format!("127.0.0.1:{port}")]);
    let err = failed(login.env("SUBROSA_PASSWORD", "x").output().unwrap(), 5, &["login"]);
    assert!(err.contains("can't be reached"), "{err}");
    assert!(!place.path().join("accounts/alice@localhost").exists());
    // clear text goes to a loopback address only
    let mut login = place.command(&["login", "alice@localhost", "--plain-loopback", "--host", "192.0.2.1:5222"]);
    let out = login.env("SUBROSA_PASSWORD", "x").output().unwrap();
    assert!(matches!(out.status.code(), Some(2 | 5)), "{out:?}");
}

#[test]
fn a_wrong_password_is_told_at_once_and_leaves_nothing() {
    let Some(server) = server() else { return };
    let place = Place::new();
    let wrong = place.login_command(&server, "alice").env("SUBROSA_PASSWORD", "wrong-password").output().unwrap();
    let err = failed(wrong, 4, &["login"]);
    assert!(err.contains("password") && !err.contains("wrong-password"), "{err}");
    assert!(!place.path().join("accounts/alice@localhost").exists());
    place.login(&server, "alice");
    // a wrong one later leaves the account as it was
    let wrong = place.login_command(&server, "alice").env("SUBROSA_PASSWORD", "wrong-password").output().unwrap();
    failed(wrong, 4, &["login"]);
    place.rpc().online();
}

#[test]
fn a_certificate_that_is_not_trusted() {
    let Some(server) = server() else { return };
    let place = Place::new();
    let mut login = place.command(&["login", "alice@localhost", "--host", &format!("127.0.0.1:{}", server.port)]);
    let err = failed(login.env("SUBROSA_PASSWORD", "pw-alice").output().unwrap(), 6, &["login"]);
    assert!(err.contains("certificate") && err.contains("--ca"), "{err}");
}

#[test]
fn a_directory_in_use_by_a_process_that_does_not_answer() {
    let Some(server) = server() else { return };
    let place = Place::new();
    place.login(&server, "alice");
    let lock = OpenOptions::new().read(true).write(true).open(place.path().join("accounts/alice@localhost/lock")).unwrap();
    lock.lock().unwrap();
    let err = place.fails(8, &["status"]);
    assert!(err.contains("does not answer"), "{err}");
    drop(lock);
    place.ok(&["status"]);
}

#[test]
fn a_wrong_or_missing_store_key() {
    let Some(server) = server() else { return };
    let place = Place::new();
    place.login(&server, "alice");
    let out = place.command(&["status"]).env("SUBROSA_STORE_KEY", "00".repeat(32)).output().unwrap();
    assert!(failed(out, 7, &["status"]).contains("key"));
    let out = place.command(&["status"]).env("SUBROSA_STORE_KEY", "short").output().unwrap();
    assert!(failed(out, 7, &["status"]).contains("64 hexadecimal"));
    std::fs::rename(place.path().join("accounts/alice@localhost/key"), place.path().join("moved")).unwrap();
    assert!(place.fails(7, &["status"]).contains("missing"));
    // a store that nobody can open can be thrown away
    place.ok(&["logout", "--yes", "--offline"]);
    assert!(!place.path().join("accounts/alice@localhost").exists());
}

#[test]
fn logging_out_withdraws_the_device_and_erases_its_keys() {
    let Some(server) = server() else { return };
    let (alice, bob) = (Place::new(), Place::new());
    let said = alice.login(&server, "alice");
    let number: u32 = said.split("device ").nth(1).unwrap().split(',').next().unwrap().parse().unwrap();
    bob.login(&server, "bob");
    bob.ok(&["send", "alice@localhost", "hello"]);
    assert!(alice.fails(2, &["logout"]).contains("--yes"));
    let mut running = alice.rpc(); // handed over to it
    running.online();
    assert!(alice.ok(&["logout", "--yes"]).contains("logged out"));
    assert!(!alice.path().join("accounts/alice@localhost").exists());
    alice.fails(3, &["status"]);
    // bob hears of it when the server tells him
    let mut other = bob.rpc();
    let until = std::time::Instant::now() + support::PATIENCE;
    loop {
        let known = other.call("devices", json!({"jid": "alice@localhost"}));
        let listed = known["devices"].as_array().unwrap().iter().any(|d| d["device"] == number && d["active"] == true);
        if !listed {
            break;
        }
        assert!(std::time::Instant::now() < until, "still listed: {known}");
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    let error = other.error("send", json!({"to": "alice@localhost", "text": "anybody there?"}));
    assert!(
        error["data"]["code"].as_str().unwrap().starts_with("send.") && error["message"].as_str().unwrap().contains("alice@localhost"),
        "{error}"
    );
    other.end();
    let err = bob.fails(10, &["send", "alice@localhost", "anybody there?"]);
    assert!(err.contains("alice@localhost"), "{err}");
    // offline: the server is not asked
    bob.ok(&["logout", "--yes", "--offline"]);
    bob.fails(3, &["status"]);
}

#[test]
fn bad_lines_are_answered_and_the_process_goes_on() {
    let Some(server) = server() else { return };
    let place = Place::new();
    place.login(&server, "alice");
    let mut rpc = place.rpc();
    for (line, code) in
        [(&b"garbage"[..], -32700), (b"[1,2]", -32600), (b"{\"jsonrpc\":\"2.0\",\"id\":null,\"method\":\"fly\"}", -32601), (b"\xff\xfe\xfd", -32700)]
    {
        rpc.say(line);
        let answer = rpc.wait("error", |l| l["id"].is_null() && l.get("error").is_some());
        assert_eq!(answer["error"]["code"], code, "{answer}");
    }
    let mut long = br#"{"jsonrpc":"2.0","id":1,"method":"send","params":{"to":"bob@localhost","text":""#.to_vec();
    long.resize(3 << 20, b'x');
    long.extend_from_slice(b"\"}}");
    rpc.say(&long);
    let answer = rpc.wait("error", |l| l["id"].is_null() && l.get("error").is_some());
    assert_eq!(answer["error"]["data"]["code"], "rpc.request");
    for (params, code) in [
        (json!({"to": "no address", "text": "hi"}), "request.invalid"),
        (json!({"to": "bob@localhost", "text": ""}), "request.invalid"),
        (json!({"to": "bob@localhost", "text": "a\u{0}b"}), "request.invalid"),
        (json!({"to": "bob@localhost", "text": "x".repeat(200 * 1024)}), "request.invalid"),
        (json!({"to": "bob@localhost", "text": "hi", "id": ""}), "request.invalid"),
        (json!({"to": "bob@localhost", "text": "hi", "account": "eve@localhost"}), "account.none"),
        (json!({"to": "bob@localhost"}), "rpc.params"),
    ] {
        assert_eq!(rpc.error("send", params.clone())["data"]["code"], code, "{params}");
    }
    let trust = json!({"jid": "bob@localhost", "device": 5, "fingerprint": "zz", "level": "verified"});
    assert_eq!(rpc.error("trust", trust)["data"]["code"], "request.invalid");
    let trust = json!({"jid": "bob@localhost", "device": 5, "level": "verified"});
    assert_eq!(rpc.error("trust", trust)["data"]["code"], "trust.device");
    rpc.say(b"");
    let version = rpc.call("version", json!({}));
    assert_eq!(version["rpc"], 3);
    rpc.end();
}

#[test]
fn a_password_that_was_changed_ends_what_waits() {
    let Some(server) = server() else { return };
    let place = Place::new();
    place.login(&server, "alice");
    std::fs::write(server.dir.join("data/localhost/accounts/alice.dat"), "return {\n\t[\"password\"] = \"another\";\n};\n").unwrap();
    assert!(place.fails(4, &["listen"]).contains("password"));
    let err = place.fails(9, &["send", "bob@localhost", "stays", "--id", "s1"]);
    assert!(err.contains("password") && err.contains("s1"), "{err}");
    // the new one is told, device and keys stay
    let device = |text: &str| text.lines().find(|l| l.contains("device ")).map(str::to_owned);
    let before = place.ok(&["status"]);
    let login = place.login_command(&server, "alice").env("SUBROSA_PASSWORD", "another").output().unwrap();
    assert!(login.status.success(), "{}", support::text(&login.stderr));
    assert_eq!(device(&place.ok(&["status"])), device(&before));
}
