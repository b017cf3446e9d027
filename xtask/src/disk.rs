//! Whether what is built will fit: a full disk ends a build halfway, with an error of the linker that says nothing of it.

use std::path::Path;
use std::process::Command;

use crate::run::{Failure, root, target};

const GB: u64 = 1_000_000_000;

/// Makes sure that `target/` may grow to so many GB. What it takes already counts; where `df` doesn't say what is free, nothing is held up.
///
/// # Errors
/// Too little is free.
pub fn room_for(gigabytes: u64) -> Result<(), Failure> {
    let home = target();
    let near = if home.is_dir() { home.as_path() } else { root() };
    let Some(free) = kilobytes("df", &["-Pk"], near, 1, 3) else { return Ok(()) };
    let taken = if home.is_dir() { kilobytes("du", &["-sk"], near, 0, 0).unwrap_or_default() } else { 0 };
    let missing = (gigabytes * GB).saturating_sub(taken * 1024);
    if free * 1024 >= missing {
        return Ok(());
    }
    Err(format!(
        "{} takes up to {gigabytes} GB, of which {:.1} are there; {:.1} GB are free on that disk. Free some, or set CARGO_TARGET_DIR to a place with more.",
        home.display(),
        as_gb(taken),
        as_gb(free)
    )
    .into())
}

fn as_gb(kilobytes: u64) -> f64 {
    (kilobytes * 1024) as f64 / GB as f64
}

/// The number in a line and a column of what a program says of a place.
fn kilobytes(program: &str, args: &[&str], place: &Path, line: usize, column: usize) -> Option<u64> {
    let out = Command::new(program).args(args).arg(place).output().ok()?;
    String::from_utf8_lossy(&out.stdout).lines().nth(line)?.split_whitespace().nth(column)?.parse().ok()
}
