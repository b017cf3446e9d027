//! What durability costs: one transaction of 100 records of 300 bytes, on disk, and 1000 records read back. The floor is
//! the same rows written by bare rusqlite without a cipher, in the same run, on the same disk.
//!
//! `cargo bench -p subrosa-store --bench store [-- --json]`
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::arithmetic_side_effects, missing_docs)]
use rusqlite::{Connection, OptionalExtension, TransactionBehavior};
use std::hint::black_box;
use std::time::Instant;
use subrosa_engine::{Batch, DeviceId, Key, Store};
use subrosa_store::{SqliteStore, StoreKey};
use subrosa_testkit::Seeded;

const ROUNDS: u32 = 60;
const DEVICES: u32 = 1000;
const SIZE: usize = 300;

fn key(device: u32) -> Key {
    Key::for_tests(
        "omemo",
        "session",
        Some(format!("user{}@example.org", device / 5).as_str().into()),
        Some(DeviceId::Number(device.wrapping_mul(2_654_435_761))),
    )
}
fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}
fn timed(into: &mut Vec<f64>, work: impl FnOnce()) {
    let start = Instant::now();
    work();
    into.push(start.elapsed().as_secs_f64() * 1e6);
}

/// The same tables and the same durability, and nothing else.
struct Bare(Connection);
impl Bare {
    fn commit(&mut self, rows: &[(Vec<u8>, Vec<u8>)]) {
        let step = self.0.transaction_with_behavior(TransactionBehavior::Immediate).unwrap();
        {
            let mut put = step
                .prepare_cached("INSERT INTO records (key, value) VALUES (?1, ?2) ON CONFLICT (key) DO UPDATE SET value = excluded.value")
                .unwrap();
            for (key, value) in rows {
                put.execute((key, value)).unwrap();
            }
        }
        step.commit().unwrap();
    }
    fn load(&mut self, keys: &[Vec<u8>]) -> Vec<Option<Vec<u8>>> {
        let _together = self.0.unchecked_transaction().unwrap();
        let mut find = self.0.prepare_cached("SELECT value FROM records WHERE key = ?1").unwrap();
        keys.iter().map(|key| find.query_row([key], |row| row.get(0)).optional().unwrap()).collect()
    }
}

fn main() {
    let json = std::env::args().any(|a| a == "--json");
    let directory = tempfile::tempdir().unwrap();
    let mut store = SqliteStore::open(directory.path().join("store.db"), &StoreKey::generate(&mut Seeded::new(1))).unwrap();
    let bare = Connection::open(directory.path().join("bare.db")).unwrap();
    bare.execute_batch("PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA secure_delete = ON").unwrap();
    bare.execute_batch(include_str!("../migrations/0001_records.sql")).unwrap();
    let mut bare = Bare(bare);

    let rows = |round: u32| (0..100).map(move |n| (key((n * 7 + round * 100) % DEVICES), vec![round as u8; SIZE]));
    let name = |key: &Key| {
        let mut name = Vec::new();
        key.write_to(&mut name);
        name
    };
    let (mut ours, mut floor) = (Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        let batch = Batch::for_tests(rows(round).map(|(key, value)| (key, Some(value))).collect());
        let raw: Vec<_> = rows(round).map(|(key, value)| (name(&key), value)).collect();
        timed(&mut ours, || store.commit(&batch).unwrap());
        timed(&mut floor, || bare.commit(&raw));
    }
    let commit = ("store_commit_100", median(ours), median(floor));

    let all = Batch::for_tests((0..DEVICES).map(|n| (key(n), Some(vec![7; SIZE]))).collect());
    store.commit(&all).unwrap();
    let keys: Vec<Key> = (0..DEVICES).map(|n| key(n * 7 % DEVICES)).collect();
    let names: Vec<Vec<u8>> = keys.iter().map(name).collect();
    bare.commit(&names.iter().map(|name| (name.clone(), vec![7; SIZE])).collect::<Vec<_>>());
    let (mut ours, mut floor) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        timed(&mut ours, || drop(black_box(store.load(&keys).unwrap())));
        timed(&mut floor, || drop(black_box(bare.load(&names))));
    }
    let load = ("store_load_1000", median(ours), median(floor));

    for (name, value, floor) in [commit, load] {
        let ratio = value / floor;
        match json {
            true => println!(r#"{{"name":"{name}","value":{value:.1},"unit":"µs","floor":{floor:.1},"ratio":{ratio:.3}}}"#),
            false => println!("{name:<20} {value:>10.1} µs   floor {floor:>10.1} µs   ratio {ratio:.2}"),
        }
    }
}
