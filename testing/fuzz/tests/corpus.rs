//! Every target reads its corpus, and mutations of it that are the same in every run.
#![allow(missing_docs, clippy::unwrap_used)]
use std::panic::catch_unwind;
use subrosa_fuzz::{TARGETS, Target, mutated};
use subrosa_testkit::Seeded;

/// Runs one, and says what it was should it fail.
fn run(target: &Target, input: &[u8]) {
    if catch_unwind(|| (target.run)(input)).is_err() {
        panic!("{}: {} {input:?}", target.name, String::from_utf8_lossy(input));
    }
}
fn share(of: usize) {
    for target in TARGETS.iter().skip(of).step_by(SHARES) {
        let (seeds, mut rng) = (target.seeds(), Seeded::new(6));
        assert!(!seeds.is_empty(), "{} has no corpus", target.name);
        seeds.iter().for_each(|seed| run(target, seed));
        for round in 0..target.rounds {
            let other = &seeds[usize::try_from(rng.below(seeds.len() as u64)).unwrap()];
            run(target, &mutated(&seeds[round % seeds.len()], other, &mut rng));
        }
    }
}
const SHARES: usize = 4;

#[test]
fn the_first_quarter_is_read() {
    share(0);
}
#[test]
fn the_second_quarter_is_read() {
    share(1);
}
#[test]
fn the_third_quarter_is_read() {
    share(2);
}
#[test]
fn the_fourth_quarter_is_read() {
    share(3);
}
#[test]
fn every_target_is_one_of_cargo_fuzz() {
    let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fuzz");
    let manifest = std::fs::read_to_string(format!("{directory}/Cargo.toml")).unwrap();
    for target in &TARGETS {
        let file = std::fs::read_to_string(format!("{directory}/fuzz_targets/{}.rs", target.name)).unwrap();
        let run = format!("subrosa_fuzz::run(\"{}\", bytes)", target.name);
        assert!(file.contains(&run) && manifest.contains(&format!("name = \"{}\"\n", target.name)), "{}", target.name);
    }
    assert_eq!(std::fs::read_dir(format!("{directory}/fuzz_targets")).unwrap().count(), TARGETS.len());
}
#[test]
fn every_directory_of_the_corpus_has_its_target() {
    for entry in std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/corpus")).unwrap() {
        let name = entry.unwrap().file_name();
        assert!(TARGETS.iter().any(|target| *target.name == *name), "{}", name.display());
    }
}
