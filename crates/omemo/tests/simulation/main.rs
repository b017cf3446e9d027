//! People, devices, a bad network, crashes and a server that forgets: [`subrosa_testkit::simulation`] over OMEMO. Every run comes from
//! a seed. [`mutants`] are engines, stores and hosts that do one thing wrong each; the simulation has to find every one.
//!
//! `cargo xtask soak` plays as many as one likes, and any one again.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, clippy::arithmetic_side_effects)]
mod mutants;
mod soak;
mod subject;

use subject::{Honest, Simulated};
use subrosa_testkit::Faults;
use subrosa_testkit::simulation::{Plan, Tally, run, shrink};

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
#[test]
fn whatever_the_seed() {
    let mut all = Tally::default();
    for seed in 100..110 {
        all.add(&play(Plan::of(seed, 100)));
    }
    println!("{all}");
    assert!(all.shown > 1_000, "{all}");
}

/// A store that was put back to an older copy is noticed where anything shows it, and from then on no key is used twice. What is not to
/// be seen: that keys were used of which nothing came back.
#[test]
fn a_store_that_was_put_back_is_noticed() {
    let mut all = Tally::default();
    for seed in 9..21 {
        all.add(&play(Plan { roll_back: 30, archive: seed % 2 == 0, ..Plan::calm(seed, 120) }));
    }
    println!("{all}");
    assert!(all.rolled_back > 10 && all.noticed * 2 > all.rolled_back, "{all}");
}
/// Archives that say who wrote, or of rooms do not; devices that come and go, and have all by two ways.
#[test]
fn what_is_in_archives_is_read_once() {
    let faults = Faults { lose: 100, duplicate: 50, delay: 200, reorder: true, crash: 20, ..Faults::default() };
    let mut all = Tally::default();
    for seed in 40..48 {
        let anonymous = seed % 2 == 0;
        all.add(&play(Plan { people: 4, rooms: 2, faults, archive: true, anonymous, absence: 60, ..Plan::calm(seed, 120) }));
    }
    println!("{all}");
    assert!(all.shown > 1_500 && all.reread > 0, "{all}");
}
