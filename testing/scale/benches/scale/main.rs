//! What is promised of OMEMO with many devices, many messages and many sessions: `cargo bench -p subrosa-scale --bench scale [-- room catch_up start --json]`.
//!
//! - `room_200`: a message to a room of fifty people with four devices each is one transaction, beside the floor of its encryptions and of a
//!   transaction with the same rows in another store of the same kind.
//! - `catch_up_10000`: archived messages of several senders, half of them in a room, in steps of a few hundred, those of the step before
//!   done in the next; a second, and the most memory that the process had.
//! - `start_10000`: a store with that many sessions, until a message to one of the devices is out.
//!
//! What has to do with memory runs in a process of its own, which reads from disk what it is fed with. What counts are low deciles: see the
//! bench of `subrosa-omemo`.
#![allow(missing_docs, clippy::unwrap_used)]

#[allow(dead_code)]
#[path = "../../../../crates/ratchet/benches/ratchet/floor.rs"]
mod floor;

mod catch_up;
mod disk;
mod room;
mod start;

use std::path::Path;
use std::process::Command;

/// A line of the table.
enum Line {
    /// Nanoseconds, and of the floor.
    Ratio(&'static str, f64, f64),
    AtMost(&'static str, f64, &'static str, f64),
    AtLeast(&'static str, f64, &'static str, f64),
}
type Measure = fn() -> Vec<Line>;
/// Of [`Line::Ratio`].
const RATIO: f64 = 1.6;

impl Line {
    fn print(&self, json: bool) {
        match (self, json) {
            (Line::Ratio(name, value, floor), true) => {
                let ratio = value / floor;
                println!(r#"{{"name":"scale/{name}","value":{value:.0},"unit":"ns","floor":{floor:.0},"ratio":{ratio:.3},"limit":{RATIO}}}"#);
            }
            (Line::Ratio(name, value, floor), false) => {
                println!("{name:<24}{:>10.1} µs  floor {:.1} µs, ratio {:.2}, at most {RATIO}", value / 1e3, floor / 1e3, value / floor);
            }
            (Line::AtMost(name, value, unit, limit), true) => {
                println!(r#"{{"name":"scale/{name}","value":{value:.1},"unit":"{unit}","floor":null,"ratio":null,"limit":{limit}}}"#);
            }
            (Line::AtLeast(name, value, unit, least), true) => {
                println!(r#"{{"name":"scale/{name}","value":{value:.0},"unit":"{unit}","floor":null,"ratio":null,"least":{least}}}"#);
            }
            (Line::AtMost(name, value, unit, limit), false) => println!("{name:<24}{value:>10.1} {unit}, at most {limit}"),
            (Line::AtLeast(name, value, unit, least), false) => println!("{name:<24}{value:>10.0} {unit}, at least {least}"),
        }
    }
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let directory = |at: usize| Path::new(&arguments[at + 1]);
    if let Some(at) = arguments.iter().position(|argument| argument == catch_up::CHILD) {
        return catch_up::child(directory(at));
    }
    if let Some(at) = arguments.iter().position(|argument| argument == start::CHILD) {
        return start::child(directory(at));
    }
    let json = arguments.iter().any(|argument| argument == "--json");
    let measures: [(&str, Measure); 3] = [("room", room::measure), ("catch_up", catch_up::measure), ("start", start::measure)];
    let named = |name: &str| arguments.iter().any(|argument| argument == name);
    let all = !measures.iter().any(|(name, _)| named(name));
    for (_, measure) in measures.iter().filter(|(name, _)| all || named(name)) {
        measure().iter().for_each(|line| line.print(json));
    }
}

/// Two numbers that a process of its own prints.
fn apart(what: &str, directory: &Path) -> (f64, f64) {
    let output = Command::new(std::env::current_exe().unwrap()).arg(what).arg(directory).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    let mut numbers = text.split_whitespace().map(|number| number.parse().unwrap());
    (numbers.next().unwrap(), numbers.next().unwrap())
}
/// The most memory this process has had, in MiB.
fn peak() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).and_then(|line| line.split_whitespace().next()?.parse::<f64>().ok());
    peak.unwrap_or(0.0) / 1024.0
}
fn undisturbed(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 10]
}
