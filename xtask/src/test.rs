//! `cargo xtask test`: every check there is, cheapest first.

use std::time::Instant;

use crate::checks;
use crate::install::{Need, ensure};
use crate::interop::REQUIRED;
use crate::run::{Failure, cargo, loud, quiet};

/// The core that a browser will load.
const WASM: [&str; 3] = ["subrosa-ratchet", "subrosa-engine", "subrosa-omemo"];

pub fn test() -> Result<(), Failure> {
    let start = Instant::now();
    ensure(&[Need::OpenSsl, Need::Prosody, Need::Components, Need::Wasm, Need::Python])?;
    quiet("formatting", &mut cargo(&["fmt", "--all", "--check"]))?;
    checks::all()?;
    loud("clippy", &mut cargo(&["clippy", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings"]))?;
    let wasm = ["check", "--locked", "--target", "wasm32-unknown-unknown"];
    let packages = WASM.iter().flat_map(|package| ["-p", *package]);
    loud("the core for WebAssembly", cargo(&wasm).args(packages))?;
    quiet("building subrosa", &mut cargo(&["build", "--locked", "-p", "subrosa-cli"]))?;
    // Other people's clients are part of the tests of the workspace: here python-omemo has to be there.
    let mut tests = cargo(&["test", "--workspace", "--locked", "--no-fail-fast"]);
    tests.env(REQUIRED, "prosody python-omemo-2 python-omemo-legacy omemo-dr");
    tests.env("SUBROSA_PYTHON", subrosa_interop::venv().join("bin/python")); // and in process, for the crates' own tests
    loud("tests", &mut tests)?;
    println!("\nAll checks passed in {} s.", start.elapsed().as_secs());
    Ok(())
}
