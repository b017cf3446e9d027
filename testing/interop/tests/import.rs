//! Another program's identity goes on as ours: its store is read, its contacts see the same device with the same fingerprint.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use std::path::Path;
use subrosa_interop::scenario::{deliver, ten_each_way};
use subrosa_interop::{Friends, Kind, Party, Peer, PeerError, Prosody, Server, Subrosa, goes_on};

const ACCOUNTS: [(&str, &str); 2] = [("alice", "pw-alice"), ("bob", "pw-bob")];

/// Logs in with the identity, and starts.
fn go_on(server: &Server, data: &Path, from: &str, store: &[u8]) -> Result<Subrosa, PeerError> {
    let (host, file) = (format!("{}:{}", server.host, server.port), data.join("old"));
    std::fs::write(&file, store).unwrap();
    let mut import = Subrosa::command(data)?;
    import.args(["import", "--from", from, "alice@localhost", "--plain-loopback", "--host", &host]).arg(file).env("SUBROSA_PASSWORD", "pw-alice");
    let out = import.output().unwrap();
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    Subrosa::start(server, "alice", "pw-alice", data)
}

fn changes_over(old: Kind, contact: Kind, from: &str) {
    let missing = || old.missing().or_else(|| contact.missing()).or_else(Prosody::missing).or_else(Subrosa::missing);
    if !goes_on(old.name(), old.has_a_screen(), missing()) {
        return;
    }
    let server = Prosody::start(&ACCOUNTS, Friends::All).unwrap();
    let good = (|| {
        let mut bob = Peer::start(contact, &server, "bob", "pw-bob")?;
        let mut alice = Peer::start_towards(old, &server, "alice", "pw-alice", &["bob@localhost"])?;
        deliver(&mut alice, &mut bob, "before: from the old program")?;
        deliver(&mut bob, &mut alice, "before: to the old program")?;
        let before = bob.device_keys("alice@localhost")?;
        let (device, store) = (alice.device, alice.store()?);
        drop(alice);

        let data = tempfile::Builder::new().prefix("subrosa-data-").tempdir().unwrap();
        let mut alice = go_on(&server, data.path(), from, &store)?;
        assert_eq!(alice.device, device);
        assert_eq!(before, [(device, alice.fingerprint.clone())], "the contact knew this very key");
        let read = deliver(&mut alice, &mut bob, "after: from the new one")?;
        assert_eq!((read.from.as_str(), read.device), ("alice@localhost", Some(device)));
        deliver(&mut bob, &mut alice, "after: to the new one")?;
        // what the old program had not acknowledged comes again, in a session that stayed with it: told, not lost in silence
        let told = alice.complaints();
        assert!(told.len() <= 2 && told.iter().all(|line| line.contains("no-session")), "{told:?}");
        ten_each_way(&mut alice, &mut bob, "after")?;
        assert_eq!(bob.device_keys("alice@localhost")?, before, "no other device, no other fingerprint");
        // the contact has read every text; what the command's process sent and did not see acknowledged the next one sent again, the same
        // bytes, and that it can't read twice
        assert_eq!(alice.complaints(), [""; 0]);
        Ok::<_, PeerError>(())
    })();
    good.unwrap_or_else(|error| panic!("{error}"));
}

#[test]
fn python_omemo_2() {
    changes_over(Kind::PythonOmemo2, Kind::PythonOmemo2, "python-omemo");
}
#[test]
fn python_omemo_both() {
    changes_over(Kind::PythonOmemoBoth, Kind::PythonOmemoBoth, "python-omemo");
}
#[test]
fn python_omemo_legacy() {
    changes_over(Kind::PythonOmemoLegacy, Kind::OmemoDr, "python-omemo");
}
#[test]
fn profanity() {
    changes_over(Kind::Profanity, Kind::PythonOmemoLegacy, "profanity");
}
