//! The project's own commands: `cargo xtask demo`, `test`, `bench`, `interop`, `soak`, `web`.
//!
//! What a command needs and the machine lacks is installed after saying so: [`install`]. Everything that takes
//! over a second shows that it goes on: [`run`].

mod bench;
mod checks;
mod demo;
mod disk;
mod install;
mod interop;
mod products;
mod run;
mod soak;
mod test;
mod web;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// The project's own commands.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Start the web messenger on a server of its own and say how to use it; Enter ends it
    Demo {
        /// Show a conversation in the terminal instead, with other people's clients and what the server sees
        #[arg(long)]
        terminal: bool,
        /// Stay although there is no terminal to press Enter in; with --terminal: leave the server running and say how to chat by hand
        #[arg(long)]
        keep: bool,
    },
    /// Run every check: style, architecture, licences, WebAssembly, tests, python-omemo
    Test,
    /// Measure, each operation beside the same bare primitives
    Bench {
        /// One JSON object a line instead of the table
        #[arg(long)]
        json: bool,
        /// The web messenger in Chromium: sizes, the core, the browser store
        #[arg(long)]
        web: bool,
    },
    /// Build the web messenger's server as one binary with the page inside
    Gateway,
    /// Build what C programs use: the header, the library, and what pkg-config says of them, into target/c
    C,
    /// Take the pictures of the README anew
    Screenshots,
    /// Talk to other people's software; all of it unless named
    Interop {
        /// Which
        #[arg(value_enum)]
        peers: Vec<interop::Suite>,
    },
    /// Simulate people, devices, a bad network and crashes, a million messages long
    Soak {
        /// How many messages
        #[arg(long, default_value_t = 1_000_000)]
        messages: u64,
        /// Of the first run; a random one otherwise
        #[arg(long)]
        seed: Option<u64>,
        /// So long instead of so many messages
        #[arg(long, conflicts_with = "messages")]
        minutes: Option<u64>,
    },
    /// Build what a browser loads into target/web/dist, gzipped, with its sizes checked
    Web {
        /// Quick and large, into target/web/dev
        #[arg(long)]
        dev: bool,
        /// The module of the tests and benches that run in a browser instead, into target/web/tests or, not quick, target/web/bench
        #[arg(long, hide = true)]
        tests: bool,
    },
}

fn main() -> ExitCode {
    let outcome = match Args::parse().command {
        Command::Demo { terminal, keep } => demo::demo(terminal, keep),
        Command::Test => test::test(),
        Command::Bench { json, web } => bench::bench(json, web),
        Command::Gateway => products::gateway(),
        Command::C => products::c(),
        Command::Screenshots => products::screenshots(),
        Command::Interop { peers } => interop::interop(&peers),
        Command::Soak { messages, seed, minutes } => soak::soak(messages, seed, minutes),
        Command::Web { dev, tests } => {
            let flavour = if dev { web::Flavour::Dev } else { web::Flavour::Release };
            if tests { web::tests(flavour) } else { web::web(flavour) }.map(drop)
        }
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("\nerror: {error}");
            ExitCode::FAILURE
        }
    }
}
