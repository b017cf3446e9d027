//! People, devices, a bad network, crashes and a server that forgets: [`subrosa_testkit::simulation`] over OMEMO. Every run comes from
//! a seed. [`mutants`] are engines, stores and hosts that do one thing wrong each; the simulation has to find every one.
//!
//! `cargo xtask soak` plays as many as one likes, and any one again.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, clippy::arithmetic_side_effects)]
mod mutants;
mod soak;
mod subject;

use std::collections::BTreeSet;
use subject::{Honest, Simulated};
use subrosa_testkit::Faults;
use subrosa_testkit::simulation::{Plan, Rule, Tally, run, shrink};

fn play(plan: Plan) -> Tally {
    match run(Simulated::<Honest>::default(), plan) {
        Ok(tally) => tally,
        Err(failure) => {
            let whole = failure.to_string();
            panic!("{whole}\nthe least that still fails:\n{}", shrink(Simulated::<Honest>::default, failure));
        }
    }
}

#[test]
fn when_nothing_goes_wrong_everybody_reads_everything_at_once() {
    let tally = play(Plan { people: 3, devices: 3, rooms: 2, ..Plan::calm(1, 400) });
    println!("{tally}");
    assert!(tally.shown > 1_000, "{tally}");
    assert_eq!((tally.lost, tally.crashes, tally.rounds), (0, 0, 1), "{tally}");
}
#[test]
fn the_same_seed_is_the_same_run() {
    let plan = |seed| Plan { people: 3, devices: 2, ..Plan::of(seed, 60) };
    let once = play(plan(5));
    assert_eq!(once, play(plan(5)));
    assert_ne!(once.fingerprint, play(plan(6)).fingerprint);
}
#[test]
fn crashes_and_a_bad_line_lose_and_repeat_nothing() {
    let faults = Faults { lose: 80, duplicate: 100, delay: 300, reorder: true, unanswered: 50, batch: 200, crash: 60 };
    let mut all = Tally::default();
    for seed in 0..8 {
        all.add(&play(Plan { people: 3, devices: 2, faults, ..Plan::calm(seed, 200) }));
    }
    println!("{all}");
    assert!(all.crashes > 100 && all.lost > 100 && all.shown > 2_000, "{all}");
}
/// All kinds of trouble but stores that are put back.
#[test]
fn whatever_the_seed() {
    let mut all = Tally::default();
    for seed in 100..110 {
        all.add(&play(Plan::of(seed, 100)));
    }
    println!("{all}");
    assert!(all.shown > 1_000, "{all}");
}

/// Nothing notices yet that a store was put back to an older copy, so the fault is in no other plan. What it costs until then: message
/// keys are used twice; what is sent with such a key its readers take for a repetition, without a word; and sessions stay broken, told
/// as damaged by both sides, until a person replaces them.
#[test]
fn a_store_that_was_put_back_is_not_noticed_yet() {
    let (mut broken, mut all) = (BTreeSet::new(), Tally::default());
    for (forgiving, seed) in [false, true].into_iter().flat_map(|forgiving| (9..15).map(move |seed| (forgiving, seed))) {
        match run(Simulated::<Honest>::default(), Plan { roll_back: 30, forgiving, ..Plan::calm(seed, 120) }) {
            Ok(tally) => all.add(&tally),
            Err(failure) => drop(broken.insert(failure.rule())),
        }
    }
    println!("{broken:?}\n{all}");
    assert_eq!(broken, BTreeSet::from([Rule::OneKeyOnce, Rule::ReadOrTold]), "if fewer: it is noticed, and the fault belongs into Plan::of");
    assert!(all.replaced > 0 && all.unread.contains_key("damaged"), "{all}");
}
