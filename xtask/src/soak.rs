//! `cargo xtask soak`: the simulation of people, devices, faults and crashes, for as long as one likes. What it does and what it judges
//! is in `subrosa_testkit::simulation`; this builds it quick and says how long.

use std::hash::{BuildHasher, RandomState};

use crate::run::{Failure, cargo, loud};

/// `seed`: of the first run, a random one where none is given; those behind it have the next ones.
pub fn soak(messages: u64, seed: Option<u64>, minutes: Option<u64>) -> Result<(), Failure> {
    let seed = seed.unwrap_or_else(|| RandomState::new().hash_one(std::process::id()) >> 24);
    let messages = if minutes.is_some() { u64::MAX } else { messages };
    let mut command = cargo(&["test", "--locked", "--release", "-p", "subrosa-omemo", "--test", "simulation"]);
    command.args(["--", "soak::soak", "--exact", "--ignored", "--nocapture"]);
    command.env("SUBROSA_SOAK_SEED", seed.to_string()).env("SUBROSA_SOAK_MESSAGES", messages.to_string());
    if let Some(minutes) = minutes {
        command.env("SUBROSA_SOAK_MINUTES", minutes.to_string());
    }
    loud(&format!("soaking from seed {seed}"), &mut command)
}
