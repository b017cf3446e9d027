//! `cargo xtask demo`: Subrosa at work over a real server, in browsers ([`web`]) or in terminals ([`terminal`]).

mod terminal;
mod web;

use std::fs;
use std::io::{BufRead, IsTerminal};
use std::path::{Path, PathBuf};

use crate::run::{Failure, Progress, root, target};

const ACCOUNTS: [(&str, &str); 4] = [("alice", "pw-alice"), ("bob", "pw-bob"), ("carol", "pw-carol"), ("dave", "pw-dave")];

/// The longest path of a directory in which a data directory can still have its socket.
const SHORT_ENOUGH: usize = 60;

/// In browsers, or in terminals.
pub fn demo(in_terminal: bool, keep: bool) -> Result<(), Failure> {
    if in_terminal { terminal::demo(keep) } else { web::demo(keep) }
}

/// An empty directory below `target/`, or a temporary one where that has too long a path for a Unix socket.
fn fresh_directory(name: &str) -> Result<PathBuf, Failure> {
    let below_target = target().join(name);
    let dir = if below_target.as_os_str().len() > SHORT_ENOUGH {
        std::env::temp_dir().join(format!("subrosa-{name}-{}", std::process::id()))
    } else {
        below_target
    };
    if dir.exists() {
        fs::remove_dir_all(&dir)?;
    }
    fs::create_dir_all(&dir)?;
    Ok(dir)
}

fn during<T, E: Into<Failure>>(what: &str, work: impl FnOnce() -> Result<T, E>) -> Result<T, Failure> {
    let progress = Progress::start(what);
    let outcome = work();
    if outcome.is_ok() {
        progress.done()
    } else {
        progress.failed()
    }
    outcome.map_err(Into::into)
}

/// Below the directory the user is in, the path from there.
fn short(path: &Path) -> String {
    let here = std::env::current_dir().unwrap_or_else(|_| root().to_owned());
    path.strip_prefix(here).unwrap_or(path).display().to_string()
}

/// Until the person has seen enough, or what feeds us ends. `keep`: where nobody can press anything, until the process is ended.
fn until_enter(keep: bool) {
    println!("\nPress Enter to end it all.");
    if keep && !std::io::stdin().is_terminal() {
        loop {
            std::thread::park();
        }
    }
    let _ = std::io::stdin().lock().read_line(&mut String::new());
}
