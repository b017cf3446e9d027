//! `cargo run --release -p subrosa-fuzz -- [SECONDS [TARGET…]]`: mutations of the corpus for so long each, without any tool; what fails is
//! written beside. `… -- seeds DIRECTORY`: the corpus of each target for cargo-fuzz.
#![allow(clippy::unwrap_used)]

use std::panic::catch_unwind;
use std::path::Path;
use std::time::{Duration, Instant, SystemTime};
use subrosa_fuzz::{TARGETS, Target, mutated};
use subrosa_testkit::Seeded;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [seeds, directory] = arguments.as_slice()
        && seeds == "seeds"
    {
        return TARGETS.iter().for_each(|target| write_seeds(target, &Path::new(directory).join(target.name)));
    }
    let (seconds, names) = arguments.split_first().map_or((10, &[][..]), |(first, names)| (first.parse().expect("seconds"), names));
    let seed = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
    println!("seed {seed}");
    let mut failed = false;
    for target in TARGETS.iter().filter(|target| names.is_empty() || names.iter().any(|name| name == target.name)) {
        let (seeds, mut rng, end) = (target.seeds(), Seeded::new(seed), Instant::now() + Duration::from_secs(seconds));
        let (mut inputs, mut tried) = (seeds.clone(), 0_u64);
        let bad = loop {
            let input = inputs.pop().unwrap_or_else(|| {
                let mut pick = || &seeds[usize::try_from(rng.below(seeds.len() as u64)).unwrap()];
                let (seed, other) = (pick().clone(), pick().clone());
                mutated(&seed, &other, &mut rng)
            });
            tried += 1;
            if catch_unwind(|| (target.run)(&input)).is_err() {
                break Some(input);
            }
            if Instant::now() > end {
                break None;
            }
        };
        match bad {
            None => println!("{}: {tried} inputs", target.name),
            Some(input) => {
                let path = format!("{}-{tried}.bad", target.name);
                std::fs::write(&path, input).unwrap();
                println!("{}: FAILED, see {path}", target.name);
                failed = true;
            }
        }
    }
    std::process::exit(failed.into());
}
fn write_seeds(target: &Target, directory: &Path) {
    std::fs::create_dir_all(directory).unwrap();
    for (number, seed) in target.seeds().iter().enumerate() {
        std::fs::write(directory.join(format!("{number:03}")), seed).unwrap();
    }
}
