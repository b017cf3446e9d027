//! Stored sessions of every version ever written are read and go on. The fixtures are of a conversation in both
//! profiles, stored in each of its states; `SUBROSA_WRITE_FIXTURES=1` writes those of the version in the source.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::arithmetic_side_effects, missing_docs)]
mod common;
use common::*;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use subrosa_ratchet::*;

#[derive(Serialize, Deserialize)]
struct Fixture {
    /// What the session is.
    state: String,
    session: String,
    /// A message for it, unread, and its text; the session of the other, to read an answer.
    message: String,
    text: String,
    other: String,
    archived: usize,
    skipped: usize,
    unacknowledged: bool,
}
fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
fn unhex(text: &str) -> Vec<u8> {
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
}
fn path(version: u8, profile: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("tests/fixtures/session-v{version}-{profile}.json"))
}
fn make<P: Profile>() -> Vec<Fixture> {
    let (alice, bob) = (Device::new(), Device::new());
    let mut all = Vec::new();
    let mut add = |state: &str, session: &Session<P>, other: &mut Session<P>| {
        let message = inner::<P>(&seal(other, state.as_bytes()).1);
        all.push(Fixture {
            state: state.to_owned(),
            session: hex(&session.to_bytes()),
            message: hex(&message),
            text: state.to_owned(),
            other: hex(&other.to_bytes()),
            archived: session.archived(),
            skipped: session.skipped(),
            unacknowledged: session.is_unacknowledged(),
        });
    };
    let mut one = alice.initiate::<P>(&bob);
    let first = seal(&mut one, b"hello").1;
    let mut two = bob.accept::<P>(&first).unwrap().session;
    add("initiated, no answer yet", &one.clone(), &mut two);
    add("accepted, nothing sent yet", &two.clone(), &mut one);
    one.decrypt(&seal(&mut two, b"answer").1).unwrap();
    two.decrypt(&seal(&mut one, b"turn").1).unwrap();
    let late: Vec<_> = (0..3).map(|_| seal(&mut one, b"late").1).collect();
    two.decrypt(&seal(&mut one, b"not late").1).unwrap();
    two.decrypt(&late[1]).unwrap();
    one.decrypt(&seal(&mut two, b"turn").1).unwrap();
    two.decrypt(&seal(&mut one, b"turn").1).unwrap();
    add("turns, two keys skipped, a replaced chain", &two.clone(), &mut one);
    let mut anew = alice.initiate::<P>(&bob);
    two.supersede(bob.accept::<P>(&seal(&mut anew, b"anew").1).unwrap().session);
    add("superseded, one state archived", &two.clone(), &mut anew);
    all
}
const VERSIONS: [u8; 2] = [1, 2];

fn check<P: Profile>(profile: &str) {
    if std::env::var_os("SUBROSA_WRITE_FIXTURES").is_some() {
        let [.., now] = VERSIONS;
        std::fs::write(path(now, profile), serde_json::to_string_pretty(&make::<P>()).unwrap() + "\n").unwrap();
    }
    VERSIONS.into_iter().for_each(|version| check_version::<P>(version, profile));
}
fn check_version<P: Profile>(version: u8, profile: &str) {
    let text = std::fs::read_to_string(path(version, profile)).unwrap();
    let fixtures: Vec<Fixture> = serde_json::from_str(&text).unwrap();
    assert_eq!(fixtures.len(), 4);
    for fixture in fixtures {
        assert_eq!(unhex(&fixture.session)[1], version);
        let mut session = Session::<P>::from_bytes(&unhex(&fixture.session)).unwrap();
        let seen = (session.archived(), session.skipped(), session.is_unacknowledged());
        assert_eq!(seen, (fixture.archived, fixture.skipped, fixture.unacknowledged), "{}", fixture.state);
        assert_eq!(*session.decrypt(&unhex(&fixture.message)).unwrap(), fixture.text.as_bytes());
        let answer = inner::<P>(&seal(&mut session, b"answer").1);
        let mut other = Session::<P>::from_bytes(&unhex(&fixture.other)).unwrap();
        assert_eq!(*other.decrypt(&answer).unwrap(), b"answer", "{}", fixture.state);
    }
}
#[test]
fn legacy() {
    check::<Legacy>("legacy");
}
#[test]
fn omemo_2() {
    check::<Omemo2>("omemo2");
}
