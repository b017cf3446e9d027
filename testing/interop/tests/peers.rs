//! The peers among themselves: known good before they are asked about us.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::time::{Duration, Instant};

use subrosa_interop::scenario::{both_at_once, deliver, first_by, ten_each_way};
use subrosa_interop::{Ejabberd, Friends, Kind, Party, Peer, Prosody, Server, goes_on};

const ACCOUNTS: [(&str, &str); 2] = [("alice", "pw-alice"), ("bob", "pw-bob")];

/// Runs the two on a fresh Prosody.
fn pair(one: Kind, other: Kind) {
    if !goes_on(one.name(), one.has_a_screen(), one.missing().or_else(|| other.missing()).or_else(Prosody::missing)) {
        return;
    }
    let server = Prosody::start(&ACCOUNTS, Friends::All).unwrap();
    talk(one, other, &server);
    // The positive control of "the server reads nothing": it does see the stanzas, and not the words.
    assert!(server.stanzas().iter().any(|seen| seen.received && seen.xml.contains("<encrypted")));
    assert!(server.has_seen("pw-bob"));
    assert!(!server.has_seen("under the rose"));
}

fn talk(one: Kind, other: Kind, server: &Server) {
    let mut bob = Peer::start(other, server, "bob", "pw-bob").unwrap_or_else(|error| panic!("{error}"));
    let alice = Peer::start_towards(one, server, "alice", "pw-alice", &["bob@localhost"]);
    let mut alice = alice.unwrap_or_else(|error| panic!("{error}"));
    let good = (|| {
        let read = deliver(&mut alice, &mut bob, "under the rose")?;
        assert_eq!((read.from.as_str(), read.device), (alice.address(), Some(alice.device)));
        first_by(&mut bob, &mut alice, "back")?;
        ten_each_way(&mut alice, &mut bob, "ten")?;
        if !one.has_a_screen() {
            assert_eq!(alice.devices("bob@localhost")?, [bob.device]);
        }
        Ok::<_, subrosa_interop::PeerError>(())
    })();
    good.unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(alice.complaints(), [""; 0]);
    assert_eq!(bob.complaints(), [""; 0]);
}

#[test]
fn python_omemo_2_with_itself() {
    pair(Kind::PythonOmemo2, Kind::PythonOmemo2);
}

#[test]
fn python_omemo_legacy_with_both() {
    pair(Kind::PythonOmemoLegacy, Kind::PythonOmemoBoth);
}

#[test]
fn omemo_dr_with_python_omemo() {
    pair(Kind::OmemoDr, Kind::PythonOmemoLegacy);
}

/// Two of a library that keeps archived states survive it; python-omemo on both sides would not, and says so.
#[test]
fn omemo_dr_at_once() {
    if !goes_on("omemo-dr", false, Kind::OmemoDr.missing().or_else(Prosody::missing)) {
        return;
    }
    let server = Prosody::start(&ACCOUNTS, Friends::All).unwrap();
    let mut alice = Peer::start(Kind::OmemoDr, &server, "alice", "pw-alice").unwrap();
    let mut bob = Peer::start(Kind::OmemoDr, &server, "bob", "pw-bob").unwrap();
    let good = both_at_once(&mut alice, &mut bob, "at once").and_then(|()| ten_each_way(&mut alice, &mut bob, "after"));
    good.unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(alice.complaints(), [""; 0]);
    assert_eq!(bob.complaints(), [""; 0]);
}

#[test]
fn python_omemo_at_once_loses_its_session() {
    if !goes_on("python-omemo-2", false, Kind::PythonOmemo2.missing().or_else(Prosody::missing)) {
        return;
    }
    let server = Prosody::start(&ACCOUNTS, Friends::All).unwrap();
    let mut alice = Peer::start(Kind::PythonOmemo2, &server, "alice", "pw-alice").unwrap();
    let mut bob = Peer::start(Kind::PythonOmemo2, &server, "bob", "pw-bob").unwrap();
    both_at_once(&mut alice, &mut bob, "at once").unwrap_or_else(|error| panic!("{error}"));
    // Each has replaced its own session by the other's, so that they are in different ones.
    alice.send("bob@localhost", "lost").unwrap();
    bob.send("alice@localhost", "lost too").unwrap();
    let complaint = |peer: &mut Peer| {
        let until = Instant::now() + Duration::from_secs(20);
        while Instant::now() < until {
            if let Some(complaint) = peer.complaints().pop() {
                return complaint;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        panic!("{} read everything", peer.name())
    };
    assert!(complaint(&mut alice).contains("undecryptable"));
    assert!(complaint(&mut bob).contains("undecryptable"));
}

#[test]
fn gajim_with_omemo_dr() {
    pair(Kind::Gajim, Kind::OmemoDr);
}

#[test]
fn dino_with_python_omemo() {
    pair(Kind::Dino, Kind::PythonOmemoLegacy);
}

#[test]
fn profanity_with_python_omemo() {
    pair(Kind::Profanity, Kind::PythonOmemoLegacy);
}

#[test]
fn python_omemo_over_ejabberd() {
    let (one, other) = (Kind::PythonOmemoBoth, Kind::PythonOmemo2);
    if !goes_on("ejabberd", false, one.missing().or_else(Ejabberd::missing)) {
        return;
    }
    let server = Ejabberd::start(&ACCOUNTS, Friends::All).unwrap();
    talk(one, other, &server);
    talk_legacy(&server);
}

/// On the same accounts: the legacy clients find each other beside the others' devices.
fn talk_legacy(server: &Server) {
    let mut alice = Peer::start(Kind::OmemoDr, server, "alice", "pw-alice").unwrap();
    let mut bob = Peer::start(Kind::PythonOmemoLegacy, server, "bob", "pw-bob").unwrap();
    first_by(&mut alice, &mut bob, "legacy").unwrap_or_else(|error| panic!("{error}"));
}
