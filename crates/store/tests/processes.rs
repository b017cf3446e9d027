//! What only real processes show: a second one is refused, a killed one loses nothing that it reported, one without
//! the right to write says so. The test program starts itself again as the other process.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::arithmetic_side_effects, clippy::panic)]
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use subrosa_engine::{Batch, Key, Store};
use subrosa_store::{OpenError, SqliteStore, StoreKey};
use subrosa_testkit::Seeded;
use tempfile::TempDir;

const ROLE: &str = "SUBROSA_TEST_ROLE";
const PLACE: &str = "SUBROSA_TEST_PLACE";
const ROWS: u32 = 40;

fn key() -> StoreKey {
    StoreKey::generate(&mut Seeded::new(1))
}
fn row(n: u32) -> Key {
    Key::for_tests("test", "row", None, Some(n.into()))
}
fn other(program: &mut Command, role: &str, place: &Path) -> (Child, BufReader<ChildStdout>) {
    let test = ["--exact", "the_other_process", "--nocapture", "--test-threads=1"];
    let mut child = program.args(test).env(ROLE, role).env(PLACE, place).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap());
    (child, lines)
}
fn me() -> Command {
    Command::new(std::env::current_exe().unwrap())
}
/// The next thing that the other process reports; what the test harness prints is not that.
fn report(lines: &mut BufReader<ChildStdout>) -> Option<String> {
    loop {
        let mut line = String::new();
        if lines.read_line(&mut line).unwrap() == 0 {
            return None;
        }
        if let Some((_, said)) = line.trim_end().split_once("REPORT ") {
            return Some(said.into());
        }
    }
}
fn say(what: &str) {
    let mut out = std::io::stdout().lock();
    writeln!(out, "REPORT {what}").and_then(|()| out.flush()).unwrap_or_default();
}

/// Not a test by itself: nothing, unless it was started as the other process.
#[test]
fn the_other_process() {
    let (Ok(role), Ok(place)) = (std::env::var(ROLE), std::env::var(PLACE)) else { return };
    let path = PathBuf::from(place);
    match role.as_str() {
        "write" => {
            let mut store = SqliteStore::open(&path, &key()).unwrap();
            let last = store.load(&[row(0)]).unwrap()[0].clone().map_or(0, |v| number(&v));
            for batch in last + 1.. {
                // the same rows in every batch, each with its number, and one row of its own
                let value = |size: usize| Some([&batch.to_be_bytes()[..], &vec![batch as u8; size]].concat());
                let mut writes: Vec<_> = (0..ROWS).map(|n| (row(n), value(300 + (batch as usize * 31) % 3000))).collect();
                writes.push((row(ROWS + batch), value(8)));
                store.commit(&Batch::for_tests(writes)).unwrap();
                say(&batch.to_string());
            }
        }
        "hold" => {
            let _store = SqliteStore::open(&path, &key()).unwrap();
            say("open");
            std::io::stdin().read_line(&mut String::new()).unwrap();
        }
        "try" => say(&SqliteStore::open(&path, &key()).map_or_else(|e| e.to_string(), |_| "open".into())),
        _ => panic!("no such role"),
    }
}
fn number(value: &[u8]) -> u32 {
    u32::from_be_bytes(value[..4].try_into().unwrap())
}

#[test]
fn a_second_process_is_refused_by_name() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("store.db");
    let (mut child, mut lines) = other(me().stdin(Stdio::piped()), "hold", &path);
    assert_eq!(report(&mut lines).as_deref(), Some("open"));
    let error = SqliteStore::open(&path, &key()).unwrap_err();
    assert!(matches!(error, OpenError::InUse { pid: Some(pid), .. } if pid == child.id()), "{error}");
    assert!(error.to_string().contains(&format!("process {}", child.id())), "{error}");
    child.kill().unwrap();
    child.wait().unwrap();
    let store = SqliteStore::open(&path, &key()).expect("the lock died with its process");
    let (mut child, mut lines) = other(&mut me(), "try", &path);
    let said = report(&mut lines).unwrap();
    assert!(said.contains(&format!("in use by process {}", std::process::id())), "{said}");
    child.wait().unwrap();
    drop(store);
}

/// Twenty times: a process commits numbered batches and reports each; it is killed at a random moment. Every batch that
/// it reported is there, and the last one is there as a whole or not at all.
#[test]
fn a_killed_process_loses_nothing_it_reported() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("store.db");
    let mut rng = Seeded::new(std::process::id().into());
    let mut kept = 0;
    for round in 0..20 {
        let (mut child, mut lines) = other(&mut me(), "write", &path);
        let mut reported = kept;
        for _ in 0..1 + rng.below(40) {
            reported = report(&mut lines).expect("it writes until it is killed").parse().unwrap();
        }
        std::thread::sleep(std::time::Duration::from_micros(rng.below(3000)));
        child.kill().unwrap();
        while let Some(last) = report(&mut lines) {
            reported = last.parse().unwrap();
        }
        child.wait().unwrap();

        let mut store = SqliteStore::open(&path, &key()).unwrap();
        let shared = store.load(&(0..ROWS).map(row).collect::<Vec<_>>()).unwrap();
        let found: Vec<u32> = shared.iter().map(|v| number(v.as_ref().unwrap())).collect();
        assert!(found.iter().all(|n| *n == found[0]), "round {round}: half of a batch is there: {found:?}");
        assert!(found[0] >= reported, "round {round}: batch {reported} was reported, {} is the last there", found[0]);
        let own = store.load(&(1..=found[0] + 1).map(|n| row(ROWS + n)).collect::<Vec<_>>()).unwrap();
        let missing: Vec<_> = (1..).zip(&own).filter(|(_, v)| v.is_none()).map(|(n, _)| n).collect::<Vec<u32>>();
        assert_eq!(missing, [found[0] + 1], "round {round}");
        store.check().unwrap();
        kept = found[0];
    }
    assert!(kept > 20, "it hardly wrote");
}

#[test]
fn a_place_that_cannot_be_written() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("data/store.db");
    std::fs::create_dir(directory.path().join("data")).unwrap();
    drop(SqliteStore::open(&path, &key()).unwrap());
    let allow = |path: &Path, mode| std::fs::set_permissions(path, PermissionsExt::from_mode(mode)).unwrap();
    allow(directory.path(), 0o755);
    allow(&directory.path().join("data"), 0o555);
    // root may write everywhere: be somebody else
    let program = directory.path().join("program");
    std::fs::copy(std::env::current_exe().unwrap(), &program).unwrap();
    let is_root = Command::new("id").arg("-u").output().unwrap().stdout == b"0\n";
    let command = || match is_root {
        true => {
            let mut command = Command::new("setpriv");
            command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]).arg(&program);
            command
        }
        false => Command::new(&program),
    };
    let mut said = Vec::new();
    for place in [directory.path().join("data/new.db"), path.clone()] {
        if !is_root && place == path {
            allow(&path, 0o400);
        }
        let (mut child, mut lines) = other(&mut command(), "try", &place);
        said.push(report(&mut lines).expect("it starts"));
        child.wait().unwrap();
    }
    allow(&directory.path().join("data"), 0o755);
    for said in said {
        assert!(said.contains("can't be written: give yourself the right to write there"), "{said}");
    }
}
