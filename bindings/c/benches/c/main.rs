//! What the border costs: `cargo bench -p subrosa-c --bench c -- [--json]`.
//!
//! `c/hook`: what an engine by a table adds to a message over the same engine in Rust, in the same machine. `c/machine`: a message
//! through a machine that C drives, with an engine of C, beside the same in Rust. The three take turns; what counts is the lowest decile
//! of the times of each.
#![allow(missing_docs, clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, clippy::arithmetic_side_effects)]
#[path = "../../tests/common/mod.rs"]
mod common;

use common::{Link, Program, here};
use getrandom::SysRng;
use getrandom::rand_core::UnwrapErr;
use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};
use std::time::Instant;
use subrosa_engine::*;
use subrosa_engines::Xor;

const ROUNDS: usize = 100;
const MESSAGES: u32 = 1000;
/// What a hook may add to a message, in nanoseconds.
const LIMIT: f64 = 1500.0;

/// The same as `messages.c` does.
fn in_rust(machine: &mut Machine, store: &mut MemoryStore, body: &[u8]) -> f64 {
    let mut rng = UnwrapErr(SysRng);
    let mut waiting = Vec::new();
    let began = Instant::now();
    for _ in 0..MESSAGES {
        let mut step = machine.begin(Time(1_700_000_000_000), &mut rng);
        waiting.drain(..).for_each(|input| step.feed(input));
        let bob = Address::from("bob@example.org");
        let (chat, to) = (ChatId(bob.clone()), Recipients::People(vec![bob]));
        let plain = Plaintext::new(ContentType::TEXT, body);
        step.feed(Input::Send { id: "1".into(), chat, to, kind: Kind::Text, plain, headers: Headers::default() });
        let mut left = 0;
        for (id, output) in step.commit(store).unwrap() {
            if let Output::Transmit { wire: Wire::Encrypted(part), .. } = &output {
                left = part.body.len();
            }
            waiting.push(Input::Done(id));
        }
        assert_eq!(left, body.len());
    }
    began.elapsed().as_secs_f64() * 1e9 / f64::from(MESSAGES)
}

fn main() {
    let json = std::env::args().any(|argument| argument == "--json");
    let Some(program) = Program::compile(&[here().join("benches/c/messages.c")], Link::Shared, &["-O2"]) else { return };
    let mut child = Command::new(program.path()).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let (mut ask, mut answers) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
    let mut in_c = |engine: &str| -> f64 {
        writeln!(ask, "{engine} {MESSAGES}").unwrap();
        let mut line = String::new();
        answers.read_line(&mut line).unwrap();
        line.trim().parse().unwrap()
    };
    let mut machine = Machine::new("alice@example.org".into());
    let xor = machine.install(Xor::new());
    machine.route(move |_| Some(xor.id()));
    let (mut store, body) = (MemoryStore::default(), [b'a'; 100]);
    let mut times: [Vec<f64>; 3] = Default::default();
    for _ in 0..ROUNDS {
        times[0].push(in_rust(&mut machine, &mut store, &body));
        times[1].push(in_c("ours"));
        times[2].push(in_c("table"));
    }
    drop(ask);
    assert!(child.wait().unwrap().success());
    let [rust, ours, table] = times.map(|mut times| {
        times.sort_by(f64::total_cmp);
        times[ROUNDS / 10]
    });
    let hook = table - ours;
    if json {
        println!("{}", serde_json::json!({ "name": "c/hook", "value": hook, "unit": "ns", "floor": null, "ratio": null, "limit": LIMIT }));
        println!("{}", serde_json::json!({ "name": "c/machine", "value": table, "unit": "ns", "floor": rust, "ratio": table / rust }));
    } else {
        println!("c/hook: {hook:.0} ns a message over a hook in Rust (at most {LIMIT:.0})");
        println!("c/machine: {table:.0} ns a message from C, {rust:.0} ns from Rust");
    }
}
