//! The suite that every engine must pass, over all of ours.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, clippy::arithmetic_side_effects)]
use std::time::Duration;
use subrosa_engine::*;
use subrosa_engines::{Base64, Base64Later, Closures, PresharedAead, Xor, by_name};
use subrosa_testkit::conformance::engine::{Promises, Subject};
use subrosa_testkit::engine_conformance;

/// Of an engine that does not check what it gets.
const OPEN: Promises = Promises { authentic: false, no_replay: false, needs_keys: false, any_content: true, empty: false, files: false };
const SEALED: Promises = Promises { authentic: true, no_replay: true, empty: true, files: true, ..OPEN };

engine_conformance!(xor, Xor::new, Promises { files: true, ..OPEN });
engine_conformance!(xor_hex, Xor::hex, Promises { files: true, ..OPEN });
engine_conformance!(base64, || Base64, OPEN);
engine_conformance!(base64_later, later, OPEN);
engine_conformance!(preshared, || PresharedAead::new(&[7; 32]), SEALED);
engine_conformance!(preshared_base64, || PresharedAead::new(&[7; 32]).base64().without_addresses(), SEALED);
engine_conformance!(closures, closures, Promises { files: true, ..OPEN });
engine_conformance!(boxed, || by_name("xor-hex").unwrap().engine, Promises { files: true, ..OPEN });

fn later() -> Subject {
    let (engine, completions) = Base64Later::new().unwrap();
    Subject::completed_by(engine, move || completions.wait(Duration::from_secs(60)).expect("the thread finishes what it was given"))
}

/// All of another engine, as functions.
fn closures() -> Closures {
    let xor = || Xor::new().key(*b"of our own");
    Closures::new("closures")
        .wants(move |kind| xor().wants(kind))
        .outgoing(move |cx, message| xor().outgoing(cx, message))
        .incoming(move |cx, message| xor().incoming(cx, message))
        .file_key(move |cx, message, file| xor().file_key(cx, message, file))
        .upload(move |file, key| xor().upload(file, key))
        .download(move |file, key| xor().download(file, key))
        .notice(move |cx, notice| xor().notice(cx, notice))
}
