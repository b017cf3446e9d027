//! The suite for engines, run over the two toys; and proof that it can fail.
use subrosa_testkit::conformance::engine::{Promises, shows_a_message_once, survives_hostile_bodies};
use subrosa_testkit::{engine_conformance, toy};

engine_conformance!(xor, || toy::Xor(42), Promises { empty: true, ..Promises::default() });
engine_conformance!(numbered, || toy::Numbered, Promises { no_replay: true, needs_keys: true, empty: true, ..Promises::default() });

#[test]
#[should_panic(expected = "message 0")]
fn an_engine_that_shows_replays_is_found() {
    shows_a_message_once(|| toy::Xor(42).into(), Promises { no_replay: true, ..Promises::default() });
}
#[test]
#[should_panic(expected = "a changed message was shown")]
fn an_engine_without_authentication_is_found() {
    survives_hostile_bodies(|| toy::Xor(42).into(), Promises { authentic: true, ..Promises::default() });
}
