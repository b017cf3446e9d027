//! The commands for rooms, the history, keys and files, each a process of its own over a real Prosody.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
mod support;

use serde_json::json;
use std::process::Command;
use support::{Place, server, text};

/// With a passphrase in the environment.
fn sealed(place: &Place, args: &[&str], passphrase: &str) -> std::process::Output {
    let mut command: Command = place.command(args);
    command.env("SUBROSA_PASSPHRASE", passphrase).output().unwrap()
}

#[test]
fn a_room_by_commands_alone() {
    let Some(server) = server() else { return };
    let (alice, bob) = (Place::new(), Place::new());
    alice.login(&server, "alice");
    bob.login(&server, "bob");
    let made = alice.ok(&["room", "create", "--name", "Garden"]);
    let room = made.split_whitespace().find(|word| word.contains("@rooms.")).unwrap().trim_end_matches(';').to_owned();
    assert!(alice.ok(&["room", "invite", &room, "bob@localhost", "--reason", "come"]).contains("bob@localhost is a member"));
    assert!(bob.ok(&["room", "join", &room]).contains("in it"));
    let members = alice.ok(&["room", "members", &room]);
    assert!(members.contains("owner  alice@localhost") && members.contains("member  bob@localhost  away"), "{members}");
    let sent = alice.ok(&["send", &room, "hello all"]);
    assert!(sent.contains("bob@localhost device") && sent.contains("sent (omemo:2)"), "{sent}");
    let mut reading = bob.rpc();
    assert_eq!(reading.message("hello all")["chat"], room.as_str());
    // handed over to the process that runs
    let said = bob.ok(&["history", &room]);
    assert!(said.contains("alice@localhost (device ") && said.contains(", trusted): hello all"), "{said}");
    let place = said.split_whitespace().find(|word| word.starts_with('#')).unwrap().to_owned();
    // with # and without, which a shell would take for a comment
    bob.ok(&["reply", &room, place.trim_start_matches('#'), "hello you"]);
    bob.ok(&["react", &room, &place, "\u{1f331}"]);
    let said = bob.ok(&["history", "--search", "hel"]);
    assert!(
        said.contains(&format!("you to {room}: hello you")) && said.contains("answers \u{201c}hello all\u{201d}") && said.contains('\u{1f331}'),
        "{said}"
    );
    reading.end();
    // somebody who has enough (`| head`): nothing is said of it
    let mut cut = bob.command(&["history", &room]);
    let (unread, out) = std::io::pipe().unwrap();
    drop(unread);
    let cut = cut.stdout(out).output().unwrap();
    assert_eq!((cut.status.code(), text(&cut.stderr).as_str()), (Some(141), ""));
    let again = bob.ok(&["history", &room]);
    assert!(again.contains("hello you"), "it is there without a connection: {again}");
    assert!(bob.fails(1, &["retract", &room, "no-such-id"]).contains("no such message"));
    assert!(bob.ok(&["room", "leave", &room]).contains("left"));
    assert!(bob.fails(1, &["send", &room, "still here?"]).contains("room join"));
    assert!(alice.fails(2, &["history"]).contains("--search"));
    assert!(alice.fails(2, &["room", "join", "rooms.localhost"]).contains("alice@example.org"));
}

#[test]
fn keys_and_files_by_commands_alone() {
    let Some(server) = server() else { return };
    let (alice, bob) = (Place::new(), Place::new());
    alice.login(&server, "alice");
    bob.login(&server, "bob");
    alice.ok(&["send", "bob@localhost", "hello"]);
    // what bob's screen shows, scanned
    let link = bob.ok(&["fingerprint"]).lines().last().unwrap().to_owned();
    assert!(alice.ok(&["verify", &link]).contains("is verified now"));
    assert!(alice.ok(&["devices", "bob@localhost"]).contains("verified"));
    let end = link.chars().last().unwrap();
    let forged = format!("{}{}", link.trim_end_matches(end), if end == '0' { '1' } else { '0' });
    let alarm = alice.run(&["verify", &forged]);
    assert!(!alarm.status.success(), "{}", text(&alarm.stdout));
    let file = alice.path().join("history.sealed");
    let file = file.to_str().unwrap();
    let short = sealed(&alice, &["backup", file], "short");
    assert!(!short.status.success() && !std::path::Path::new(file).exists());
    assert!(sealed(&alice, &["backup", file], "correct horse battery").status.success());
    let restored = sealed(&alice, &["restore", file], "correct horse battery");
    assert!(text(&restored.stdout).contains("new here: 0 messages"), "{}", text(&restored.stdout));
    assert!(!sealed(&alice, &["restore", file], "a wrong horse battery").status.success());
    assert!(alice.ok(&["sessions", "stale"]).contains("heard of lately"));
    let device = alice.ok(&["status"]).split("device ").nth(1).unwrap().split(',').next().unwrap().to_owned();
    assert!(alice.fails(1, &["sessions", "remove", &device]).contains("log out"));
    // to the same server, in the same way
    let again = alice.command(&["login", "alice@localhost"]).env("SUBROSA_PASSWORD", "pw-alice").output().unwrap();
    assert!(again.status.success() && text(&again.stdout).contains(&device), "{}", text(&again.stderr));
    alice.ok(&["block", "carol@localhost"]);
    assert!(alice.ok(&["block"]).contains("carol@localhost"));
    alice.ok(&["unblock", "carol@localhost"]);
    assert!(!alice.ok(&["block"]).contains("carol@localhost"));
}

#[test]
fn an_identity_of_profanity_goes_on_here() {
    let Some(server) = server() else { return };
    let place = Place::new();
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/src/import/fixtures/profanity-identity.txt");
    let import = |file: &str| {
        let host = format!("127.0.0.1:{}", server.port);
        let args = ["import", "alice@localhost", "--host", &host, "--plain-loopback", "--from", "profanity", file];
        place.command(&args).env("SUBROSA_PASSWORD", "pw-alice").output().unwrap()
    };
    let wrong = import("/nowhere/identity.txt");
    assert_eq!(wrong.status.code(), Some(7));
    let done = import(file);
    assert!(done.status.success(), "{}", text(&done.stderr));
    assert!(text(&done.stdout).contains("goes on here"));
    let again = import(file);
    assert!(!again.status.success() && text(&again.stderr).contains("logged in here already"));
    let mut rpc = place.rpc();
    rpc.online();
    let status = rpc.call("status", json!({}));
    let kept = std::fs::read_to_string(file).unwrap();
    let id = kept.lines().find_map(|line| line.strip_prefix("device_id=")).unwrap();
    assert_eq!(status["accounts"][0]["device"].to_string(), id);
}
