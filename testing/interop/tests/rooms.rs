//! A room of ours with other people's clients in it, over real servers: each reads us and is read by us, with each alone and with all of
//! them in one room. The room is made by us: members-only, non-anonymous.

#![allow(clippy::unwrap_used, clippy::panic)]

use serde_json::json;
use subrosa_interop::{Ejabberd, Friends, Kind, Party, Peer, PeerError, Prosody, Server, Subrosa, goes_on};

const ROOM: &str = "house@rooms.localhost";
/// Ours, and one account for each kind of client.
const ACCOUNTS: [(&str, &str); 8] = [
    ("alice", "pw-alice"),
    ("bob", "pw-bob"),
    ("carol", "pw-carol"),
    ("dave", "pw-dave"),
    ("erin", "pw-erin"),
    ("frank", "pw-frank"),
    ("grace", "pw-grace"),
    ("heidi", "pw-heidi"),
];

/// Ours, and who came into its room.
struct House {
    ours: Subrosa,
    theirs: Vec<(Kind, Peer)>,
    _data: tempfile::TempDir,
}

/// Ours makes the room, and the others come into it.
fn room(server: &Server, kinds: &[Kind]) -> Result<House, PeerError> {
    let data = tempfile::Builder::new().prefix("subrosa-data-").tempdir().unwrap();
    let mut ours = Subrosa::start(server, "alice", "pw-alice", data.path())?;
    ours.call("room_create", json!({"room": ROOM, "name": "House", "nick": "alice"}))?;
    let mut theirs = Vec::new();
    for (kind, (user, password)) in kinds.iter().zip(&ACCOUNTS[1..]) {
        ours.call("room_invite", json!({"room": ROOM, "jid": server.address(user)}))?;
        let mut peer = Peer::start_in(*kind, server, user, password, &["alice@localhost"], &[ROOM])?;
        peer.join(ROOM)?;
        theirs.push((*kind, peer));
    }
    Ok(House { ours, theirs, _data: data })
}

/// A client that speaks one version sends nothing to a room with somebody who speaks the other only: that is its own rule.
fn can_write(kind: Kind, kinds: &[Kind]) -> bool {
    let speaks = |kind: Kind| match kind {
        Kind::PythonOmemo2 => [true, false],
        Kind::PythonOmemoBoth => [true, true],
        _ => [false, true],
    };
    let [two, legacy] = speaks(kind);
    kinds.iter().all(|other| two && speaks(*other)[0] || legacy && speaks(*other)[1])
}

fn talk(server: &Server, kinds: &[Kind]) -> Result<(), PeerError> {
    let House { mut ours, mut theirs, _data } = room(server, kinds)?;
    for round in 0..2 {
        let text = format!("under the rose: to all, {round}");
        ours.send(ROOM, &text)?;
        for (_, peer) in &mut theirs {
            assert_eq!(peer.read(&text)?.from, ours.address());
        }
        for (at, (kind, peer)) in theirs.iter_mut().enumerate() {
            if !can_write(*kind, kinds) {
                continue;
            }
            let text = format!("under the rose: from {at}, {round}");
            peer.send(ROOM, &text)?;
            let read = ours.read(&text)?;
            assert_eq!((read.from.as_str(), read.device), (peer.address(), Some(peer.device)), "{}", kind.name());
        }
    }
    for (kind, peer) in &mut theirs {
        assert_eq!(peer.complaints(), [""; 0], "{} could not read something", kind.name());
    }
    // a device of slixmpp that speaks both versions sends two stanzas without saying that they are one: the second has no key for us
    let two_parts = |said: &String| theirs.iter().any(|(kind, peer)| *kind == Kind::PythonOmemoBoth && said.contains(peer.address()));
    let complaints: Vec<String> = ours.complaints().into_iter().filter(|said| !(said.contains("not-for-this-device") && two_parts(said))).collect();
    assert_eq!(complaints, [""; 0], "ours could not read something");
    assert!(!server.has_seen("under the rose"), "the server has seen a text in clear");
    Ok(())
}

fn alone_with(kind: Kind) {
    let missing = kind.missing().or_else(Subrosa::missing).or_else(Prosody::missing);
    if goes_on(kind.name(), kind.has_a_screen(), missing) {
        let server = Prosody::start(&ACCOUNTS, Friends::All).unwrap();
        talk(&server, &[kind]).unwrap_or_else(|error| panic!("{error}"));
    }
}

macro_rules! alone {
    ($($name:ident $kind:ident),+) => {$(
        #[test]
        fn $name() {
            alone_with(Kind::$kind);
        }
    )+};
}
alone!(
    python_omemo_2 PythonOmemo2, python_omemo_legacy PythonOmemoLegacy, python_omemo_both PythonOmemoBoth, omemo_dr OmemoDr, gajim Gajim,
    profanity Profanity, dino Dino
);

/// One of ours with one of each, as far as they are here.
fn all_of(server: &Server) {
    let kinds: Vec<Kind> = Kind::ALL.into_iter().filter(|kind| kind.missing().is_none()).collect();
    // where everything is there, that is really everybody
    let everybody = std::env::var("SUBROSA_INTEROP_REQUIRED").unwrap_or_default().contains("one-of-each");
    assert!(!everybody || kinds.len() == Kind::ALL.len(), "not all are here: {kinds:?}");
    talk(server, &kinds).unwrap_or_else(|error| panic!("{error}"));
}

#[test]
fn one_of_each() {
    if goes_on("one-of-each", true, Subrosa::missing().or_else(Prosody::missing)) {
        all_of(&Prosody::start(&ACCOUNTS, Friends::All).unwrap());
    }
}

/// Without Dino, which has its own network in front of a Prosody.
#[test]
fn several_over_ejabberd() {
    let kinds = Kind::ALL.into_iter().filter(|kind| *kind != Kind::Dino).collect::<Vec<_>>();
    let missing = kinds.iter().find_map(|kind| kind.missing());
    if goes_on("ejabberd", true, missing.or_else(Subrosa::missing).or_else(Ejabberd::missing)) {
        let server = Ejabberd::start(&ACCOUNTS, Friends::All).unwrap();
        talk(&server, &kinds).unwrap_or_else(|error| panic!("{error}"));
    }
}
