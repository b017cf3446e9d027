//! People, devices, a bad network, crashes and a server that forgets: [`subrosa_testkit::simulation`] over OMEMO. Every run comes from
//! a seed. [`mutants`] are engines, stores and hosts that do one thing wrong each; the simulation has to find every one.
//!
//! `SUBROSA_SEED=n cargo test -p subrosa-omemo --test simulation -- replay --ignored --nocapture` plays one seed again;
//! `cargo xtask soak` plays as many as one likes.
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
    let tally = play(Plan { people: 4, devices: 3, rooms: 2, ..Plan::calm(1, 150) });
    println!("{tally}");
    assert!(tally.shown > 500, "{tally}");
    assert_eq!((tally.lost, tally.crashes, tally.rounds), (0, 0, 1), "{tally}");
}
#[test]
fn the_same_seed_is_the_same_run() {
    let once = play(Plan::of(5, 60));
    assert_eq!(once, play(Plan::of(5, 60)));
    assert_ne!(once.fingerprint, play(Plan::of(6, 60)).fingerprint);
}
#[test]
fn crashes_and_a_bad_line_lose_and_repeat_nothing() {
    let faults = Faults { lose: 80, duplicate: 100, delay: 300, reorder: true, unanswered: 50, batch: 200, crash: 60 };
    let mut all = Tally::default();
    for seed in 0..6 {
        all.add(&play(Plan { people: 3, devices: 2, faults, ..Plan::calm(seed, 120) }));
    }
    println!("{all}");
    assert!(all.crashes > 100 && all.lost > 100 && all.shown > 1000, "{all}");
}
#[test]
fn whatever_the_seed() {
    let mut all = Tally::default();
    for seed in 100..112 {
        all.add(&play(Plan::of(seed, 100)));
    }
    println!("{all}");
}
