//! Long runs, for `cargo xtask soak`.
use crate::subject::{Honest, Simulated};
use subrosa_testkit::simulation::{Plan, run};

#[test]
#[ignore = "replays one seed"]
fn replay() {
    let number = |name: &str, otherwise: u64| std::env::var(name).ok().and_then(|n| n.parse().ok()).unwrap_or(otherwise);
    let (seed, messages) = (number("SUBROSA_SEED", 1), number("SUBROSA_MESSAGES", 100));
    let plan = Plan::of(seed, messages as usize);
    println!("{plan:?}");
    let start = std::time::Instant::now();
    match run(Simulated::<Honest>::default(), plan) {
        Ok(tally) => println!("{tally}\n{:?}", start.elapsed()),
        Err(failure) => panic!("{failure}"),
    }
}
