//! `cargo xtask test`: every check there is, cheapest first.

use std::time::Instant;

use crate::checks;
use crate::disk;
use crate::install::{Need, ensure};
use crate::interop::REQUIRED;
use crate::run::{Failure, cargo, loud, quiet, root};
use crate::web::{self, Flavour};

/// What a browser loads.
const WASM: [&str; 4] = ["subrosa-wasm", "subrosa-wasm-tests", "subrosa-web-page", "subrosa-web-worker"];

/// What a run leaves in `target/`, in GB: measured in a clean clone, and some.
const SIZE: u64 = 10;

pub fn test() -> Result<(), Failure> {
    let start = Instant::now();
    disk::room_for(SIZE)?;
    ensure(&[
        Need::OpenSsl,
        Need::Prosody,
        Need::Postgres,
        Need::Browser,
        Need::Components,
        Need::Wasm,
        Need::Python,
        Need::Linphone,
        Need::Sipp,
        Need::Valgrind,
    ])?;
    quiet("formatting", &mut cargo(&["fmt", "--all", "--check"]))?;
    checks::all()?;
    loud("clippy", &mut cargo(&["clippy", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings"]))?;
    let mut wasm = cargo(&["clippy", "--locked", "--target", "wasm32-unknown-unknown"]);
    wasm.args(WASM.iter().flat_map(|package| ["-p", *package])).args(["--", "-D", "warnings"]);
    loud("clippy, for WebAssembly", wasm.env("CARGO_TARGET_DIR", root().join("target/wasm")))?;
    let dist = web::web(Flavour::Release)?;
    let module = web::tests(Flavour::Dev)?;
    quiet("building subrosa and its gateway", &mut cargo(&["build", "--locked", "-p", "subrosa-cli", "-p", "subrosa-gateway"]))?;
    // Other people's clients are part of the tests of the workspace: here python-omemo has to be there.
    let mut tests = cargo(&["test", "--workspace", "--locked", "--no-fail-fast"]);
    tests.env(REQUIRED, "prosody postgres browser python-omemo-2 python-omemo-legacy omemo-dr liblinphone sipp c valgrind");
    tests.env("SUBROSA_WEB_DIST", &dist).env("SUBROSA_WEB_TESTS", module);
    tests.env("SUBROSA_PYTHON", subrosa_interop::venv().join("bin/python")); // and in process, for the crates' own tests
    loud("tests", &mut tests)?;
    let mut again = cargo(&["test", "--locked", "--no-fail-fast", "-p", "subrosa-browser-tests"]);
    again.env(REQUIRED, "browser").env("SUBROSA_WEB_DIST", dist).env("SUBROSA_BROWSER_NO_SHARED_WORKER", "1");
    loud("tests in browsers that have no SharedWorker", &mut again)?;
    println!("\nAll checks passed in {} s.", start.elapsed().as_secs());
    Ok(())
}
