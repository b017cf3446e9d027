//! Subrosa with itself over a real Prosody, through what happens in a life: new devices, absence, cut lines, a server
//! that restarts, TLS, and a login that is refused.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::path::Path;
use std::process::Output;

use subrosa_interop::scenario::{deliver, ten_each_way};
use subrosa_interop::{Friends, Party, PeerError, Prosody, Proxy, Subrosa, goes_on};

const ACCOUNTS: [(&str, &str); 2] = [("alice", "pw-alice"), ("bob", "pw-bob")];
const ALICE: &str = "alice@localhost";
const BOB: &str = "bob@localhost";

/// A server, and a place for data directories.
struct Scene {
    server: Prosody,
    data: tempfile::TempDir,
}

impl Scene {
    fn set() -> Option<Self> {
        goes_on("subrosa", false, Subrosa::missing().or_else(Prosody::missing)).then(|| Self {
            server: Prosody::start(&ACCOUNTS, Friends::All).unwrap(),
            data: tempfile::Builder::new().prefix("subrosa-life-").tempdir().unwrap(),
        })
    }

    fn enter(&self, user: &str, device: &str) -> Result<Subrosa, PeerError> {
        Subrosa::start(&self.server, user, &format!("pw-{user}"), &self.data.path().join(device))
    }
}

fn well(outcome: Result<(), PeerError>, people: &mut [&mut Subrosa]) {
    outcome.unwrap_or_else(|error| panic!("{error}"));
    for person in people {
        assert_eq!(person.complaints(), [""; 0], "{}", person.address());
    }
}

/// Sent, or stored and on its way at the next connection.
fn sent_or_queued(person: &mut Subrosa, id: u64) -> Result<(), PeerError> {
    match person.sent(id) {
        Err(PeerError::Refused { what, .. }) if what.contains("send.queued") => Ok(()),
        other => other.map(drop),
    }
}

#[test]
fn a_second_own_device_gets_nothing_until_it_is_approved() {
    let Some(scene) = Scene::set() else { return };
    let mut laptop = scene.enter("alice", "laptop").unwrap();
    let mut bob = scene.enter("bob", "bob").unwrap();
    deliver(&mut laptop, &mut bob, "before").unwrap();
    let mut phone = scene.enter("alice", "phone").unwrap();
    let outcome = (|| {
        laptop.hear_of(ALICE, phone.device)?;
        let sent = laptop.send_reporting(BOB, "not for the phone")?;
        bob.read("not for the phone")?;
        assert_eq!(phone.could_not_read()?, "not-for-this-device");
        let to_phone = sent.devices.iter().find(|one| one.device == phone.device).unwrap();
        assert_eq!((to_phone.result.as_str(), to_phone.protocol.as_deref()), ("left-out", None), "{sent:?}");
        assert!(to_phone.reason.is_some());
        let known = laptop.devices(ALICE)?;
        let known = known.iter().find(|one| one.device == phone.device).unwrap();
        assert_eq!((known.trust.as_str(), known.fingerprint.as_deref()), ("undecided", Some(phone.fingerprint.as_str())));

        laptop.trust(ALICE, phone.device, &phone.fingerprint.clone(), "trusted")?;
        let sent = laptop.send_reporting(BOB, "for all")?;
        assert!(sent.devices.iter().all(|one| one.result == "sent"), "{sent:?}");
        bob.read("for all")?;
        assert_eq!(phone.read("for all")?.from, ALICE);
        // The phone joined an account that had the laptop already, so it trusts it; bob trusts both blindly.
        let sent = phone.send_reporting(BOB, "from the phone")?;
        assert_eq!(sent.devices.len(), 2, "{sent:?}");
        bob.read("from the phone")?;
        laptop.read("from the phone")?;
        bob.send(ALICE, "to both")?;
        laptop.read("to both")?;
        phone.read("to both").map(drop)
    })();
    well(outcome, &mut [&mut laptop, &mut phone, &mut bob]);
}

#[test]
fn what_is_written_to_somebody_absent_waits() {
    let Some(scene) = Scene::set() else { return };
    let mut alice = scene.enter("alice", "alice").unwrap();
    let mut bob = scene.enter("bob", "bob").unwrap();
    deliver(&mut bob, &mut alice, "hello").unwrap();
    bob.kill();
    let outcome = (|| {
        for number in 0..5 {
            alice.send(BOB, &format!("while away {number}"))?;
        }
        bob.revive()?;
        for number in 0..5 {
            bob.read(&format!("while away {number}"))?;
        }
        ten_each_way(&mut alice, &mut bob, "back")
    })();
    well(outcome, &mut [&mut alice, &mut bob]);
}

#[test]
fn a_cut_line_loses_nothing_and_repeats_nothing() {
    let Some(scene) = Scene::set() else { return };
    let proxy = Proxy::before(&scene.server).unwrap();
    let mut alice = Subrosa::start_at(&scene.server, proxy.port, "alice", "pw-alice", &scene.data.path().join("alice")).unwrap();
    let mut bob = scene.enter("bob", "bob").unwrap();
    deliver(&mut alice, &mut bob, "hello").unwrap();
    let outcome = (|| {
        for round in 0..3 {
            let text = |who: &str, number: usize| format!("{who} {round} {number}");
            let sent: Vec<u64> = (0..3).map(|number| alice.send_later(BOB, &text("alice", number))).collect::<Result<_, _>>()?;
            bob.send(ALICE, &text("bob", 0))?;
            std::thread::sleep(std::time::Duration::from_millis(10 * round));
            proxy.cut();
            bob.send(ALICE, &text("bob", 1))?;
            for id in sent {
                sent_or_queued(&mut alice, id)?;
            }
            for number in 0..3 {
                bob.read(&text("alice", number))?;
            }
            for number in 0..2 {
                alice.read(&text("bob", number))?;
            }
        }
        Ok(())
    })();
    well(outcome, &mut [&mut alice, &mut bob]);
}

#[test]
fn a_server_that_restarts_is_found_again() {
    let Some(mut scene) = Scene::set() else { return };
    let mut alice = scene.enter("alice", "alice").unwrap();
    let mut bob = scene.enter("bob", "bob").unwrap();
    deliver(&mut alice, &mut bob, "before").unwrap();
    scene.server.stop();
    let waiting = alice.send_later(BOB, "while it is down").unwrap();
    scene.server.restart().unwrap();
    let outcome = (|| {
        sent_or_queued(&mut alice, waiting)?;
        bob.read("while it is down")?;
        ten_each_way(&mut alice, &mut bob, "after")
    })();
    well(outcome, &mut [&mut alice, &mut bob]);
}

#[test]
fn a_restarted_client_goes_on() {
    let Some(scene) = Scene::set() else { return };
    let mut alice = scene.enter("alice", "alice").unwrap();
    let mut bob = scene.enter("bob", "bob").unwrap();
    let outcome = ten_each_way(&mut alice, &mut bob, "first");
    well(outcome, &mut [&mut alice, &mut bob]);
    let device = alice.device;
    let mut alice = alice.restart().unwrap();
    assert_eq!(alice.device, device);
    let outcome = ten_each_way(&mut alice, &mut bob, "second");
    well(outcome, &mut [&mut alice, &mut bob]);
}

/// `subrosa login` with these arguments.
fn login(data: &Path, arguments: &[&str], password: &str) -> Output {
    let mut command = Subrosa::command(data).unwrap();
    command.args(["login", ALICE]).args(arguments).env("SUBROSA_PASSWORD", password).output().unwrap()
}

fn refused(out: &Output, code: i32) {
    let text = String::from_utf8_lossy(&out.stderr);
    assert_eq!(out.status.code(), Some(code), "{text}");
    assert!(!text.trim().is_empty() && !text.contains("panicked"), "{text}");
}

#[test]
fn tls_is_made_with_a_known_authority_only() {
    let Some(scene) = Scene::set() else { return };
    let place = format!("127.0.0.1:{}", scene.server.port);
    let data = |name: &str| scene.data.path().join(name);
    let ca = scene.server.ca_file();
    let good = login(&data("known"), &["--host", &place, "--ca", ca.to_str().unwrap()], "pw-alice");
    assert!(good.status.success(), "{}", String::from_utf8_lossy(&good.stderr));
    refused(&login(&data("unknown"), &["--host", &place], "pw-alice"), 6);
    // Nothing that failed leaves an account behind that would be connected to without the check.
    let status = Subrosa::command(&data("unknown")).unwrap().arg("status").output().unwrap();
    assert!(!String::from_utf8_lossy(&status.stdout).contains("online"));
}

#[test]
fn a_wrong_password_and_a_silent_port_are_told_at_once() {
    let Some(scene) = Scene::set() else { return };
    let place = format!("127.0.0.1:{}", scene.server.port);
    refused(&login(&scene.data.path().join("wrong"), &["--plain-loopback", "--host", &place], "wrong"), 4);
    let place = format!("127.0.0.1:{}", {
        let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
        listener.local_addr().unwrap().port()
    });
    refused(&login(&scene.data.path().join("silent"), &["--plain-loopback", "--host", &place], "pw-alice"), 5);
}
