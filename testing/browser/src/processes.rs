//! Which process of a browser is which, as the system tells it: the driver names none.

use std::collections::HashSet;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

/// The browser's own process: the lock in its profile ends in it.
pub(crate) fn browser(profile: &Path) -> Option<u32> {
    let lock = fs::read_link(profile.join("SingletonLock")).ok()?;
    lock.to_string_lossy().rsplit('-').next()?.parse().ok()
}

/// The processes that show pages.
pub(crate) fn renderers(browser: u32) -> Vec<u32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let all: Vec<(u32, u32)> =
        entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).filter_map(|pid| Some((pid, parent(pid)?))).collect();
    let mut family = HashSet::from([browser]);
    loop {
        let before = family.len();
        family.extend(all.iter().filter(|(_, parent)| family.contains(parent)).map(|(pid, _)| *pid).collect::<Vec<_>>());
        if family.len() == before {
            break;
        }
    }
    let shows = |pid: &u32| fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|line| String::from_utf8_lossy(&line).contains("--type=renderer"));
    family.into_iter().filter(shows).collect()
}

/// Processor time used so far, in the system's ticks.
pub(crate) fn ticks(pid: u32) -> u64 {
    let number = |place: usize| stat(pid).and_then(|fields| fields.get(place)?.parse::<u64>().ok()).unwrap_or_default();
    number(11) + number(12)
}

/// Memory in bytes.
pub(crate) fn memory(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.trim().strip_suffix(" kB")?.parse::<u64>().ok()).unwrap_or_default() * 1024
}

pub(crate) fn kill(pid: u32) {
    let _ = Command::new("kill").args(["-KILL", &pid.to_string()]).stderr(Stdio::null()).status();
}

pub(crate) fn is_there(pid: u32) -> bool {
    // One that has ended and that nobody asked about stays as a zombie.
    stat(pid).is_some_and(|fields| fields.first().is_some_and(|state| state != "Z" && state != "X"))
}

fn parent(pid: u32) -> Option<u32> {
    stat(pid)?.get(1)?.parse().ok()
}

/// The fields after the program's name, which may have spaces in it.
fn stat(pid: u32) -> Option<Vec<String>> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, rest) = text.rsplit_once(')')?;
    Some(rest.split_whitespace().map(str::to_owned).collect())
}
