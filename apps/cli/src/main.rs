//! `subrosa`: OMEMO in a terminal and over JSON-RPC.
//!
//! Combines the crates below it: sockets, clock, randomness, files and screens live here; cryptographic decisions don't.
#![cfg_attr(test, allow(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used))]
mod args;
mod colour;
mod commands;
mod config;
mod engine;
mod failure;
mod home;
mod host;
mod import;
mod logs;
mod rpc;
mod session;
mod show;
mod sip;
mod socket;
mod tui;

use clap::Parser;
use failure::Failure;
use std::io::IsTerminal;
use std::process::ExitCode;
use std::time::Duration;

fn main() -> ExitCode {
    let args = args::Args::parse();
    match run(args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            if failure.code == failure::UNREAD {
                return ExitCode::from(failure.exit());
            }
            eprintln!("subrosa: {failure}");
            ExitCode::from(failure.exit())
        }
    }
}

fn run(args: args::Args) -> Result<(), Failure> {
    // they would be written over the messages
    if !matches!(args.command, args::Command::Tui) || !std::io::stderr().is_terminal() {
        logs::begin(args.verbose)?;
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let runtime = runtime.map_err(|e| Failure::bug(format!("the program can't start its threads: {e}")))?;
    let end = runtime.block_on(commands::run(args));
    runtime.shutdown_timeout(Duration::ZERO); // a thread may still wait for standard input
    host::open::joined();
    end
}
