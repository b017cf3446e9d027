//! Long runs: `cargo xtask soak` sets how long, and says what came of it.
use crate::subject::{Honest, Simulated};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use subrosa_testkit::simulation::{Failure, Plan, Tally, run, shrink};

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}
/// Runs one after the other, a core each, by rising seeds, until there were so many messages, or the time is over.
#[test]
#[ignore = "as long as one likes: cargo xtask soak"]
fn soak() {
    let seed = number("SUBROSA_SOAK_SEED").unwrap_or(1);
    let messages = number("SUBROSA_SOAK_MESSAGES").unwrap_or(1);
    let end = number("SUBROSA_SOAK_MINUTES").map(|minutes| Instant::now() + Duration::from_secs(60 * minutes));
    let jobs = if messages > 1 { std::thread::available_parallelism().map_or(1, usize::from) } else { 1 };
    let (next, start) = (AtomicU64::new(seed), Instant::now());
    let (sum, failed) = (Mutex::new(Tally::default()), Mutex::new(None::<Box<Failure>>));
    let said = Mutex::new(Instant::now());
    let play = || {
        while failed.lock().unwrap().is_none() && sum.lock().unwrap().messages < messages && end.is_none_or(|end| Instant::now() < end) {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            match run(Simulated::<Honest>::default(), Plan::any(seed)) {
                Ok(tally) => sum.lock().unwrap().add(&tally),
                Err(failure) => drop(failed.lock().unwrap().get_or_insert(failure)),
            }
            let mut said = said.lock().unwrap();
            if said.elapsed() > Duration::from_secs(10) {
                *said = Instant::now();
                let sum = sum.lock().unwrap();
                let speed = sum.messages as f64 / start.elapsed().as_secs_f64();
                println!("{:>9} messages, {} runs up to seed {seed}, {speed:.0} messages a second", sum.messages, sum.runs);
            }
        }
    };
    std::thread::scope(|scope| (0..jobs).for_each(|_| drop(scope.spawn(play))));
    let (sum, seconds) = (sum.into_inner().unwrap(), start.elapsed().as_secs_f64());
    println!("\nseeds {seed} to {}\n{sum}", next.into_inner() - 1);
    println!("{seconds:.0} s, {:.0} messages and {:.0} message keys a second", sum.messages as f64 / seconds, sum.keys as f64 / seconds);
    if let Some(failure) = failed.into_inner().unwrap() {
        let (seed, whole) = (failure.plan().seed, failure.to_string());
        println!("\n{whole}\nlooking for the least that still fails …");
        let least = shrink(Simulated::<Honest>::default, failure);
        panic!("{least}\nagain: cargo xtask soak --messages 1 --seed {seed}");
    }
}
