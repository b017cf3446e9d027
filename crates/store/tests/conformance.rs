//! The suite that every store must pass, over SQLite that answers at once and over SQLite that answers late.
#![allow(clippy::unwrap_used, clippy::expect_used)]
use std::path::PathBuf;
use subrosa_engine::{AsyncStore, Installed, Machine};
use subrosa_store::{SqliteStore, StoreKey};
use subrosa_testkit::conformance::store::Place;
use subrosa_testkit::{ClientId, Faults, LateStore, Ready, Seeded, World, store_conformance, toy};
use tempfile::TempDir;

struct Directory<S> {
    directory: TempDir,
    key: StoreKey,
    wrap: fn(SqliteStore) -> S,
    unwrap: fn(&mut S) -> &mut SqliteStore,
}
impl<S> Directory<S> {
    fn new(wrap: fn(SqliteStore) -> S, unwrap: fn(&mut S) -> &mut SqliteStore) -> Self {
        Directory { directory: TempDir::new().unwrap(), key: StoreKey::generate(&mut Seeded::new(1)), wrap, unwrap }
    }
    fn path(&self) -> PathBuf {
        self.directory.path().join("store.db")
    }
}
impl<S: AsyncStore> Place for Directory<S> {
    type Store = S;
    async fn open(&mut self) -> Result<S, String> {
        SqliteStore::open(self.path(), &self.key).map(self.wrap).map_err(|e| e.to_string())
    }
    fn is_exclusive(&self) -> bool {
        true
    }
    fn break_commits(&mut self, store: &mut S, broken: bool) -> bool {
        (self.unwrap)(store).limit_pages(if broken { 8 } else { 0 }).unwrap(); // a full disk
        true
    }
}
store_conformance!(sqlite, Directory::new(Ready, |s| &mut s.0));
store_conformance!(late, Directory::new(|s| LateStore::new(s, 3), LateStore::inner_mut));
store_conformance!(late_but_written, Directory::new(|s| LateStore::new(s, 3).writes_at(0), LateStore::inner_mut));

/// Machines talk over it as over memory, with a network that is as bad as it gets.
#[test]
fn a_conversation() {
    let directory = TempDir::new().unwrap();
    let key = StoreKey::generate(&mut Seeded::new(1));
    let mut world: World<Installed<toy::Numbered>, SqliteStore> = World::new(3);
    let mut join = |name: &str| -> ClientId {
        let store = SqliteStore::open(directory.path().join(name), &key).unwrap();
        world.join_with(name, store, |machine: &mut Machine| {
            let engine = machine.install(toy::Numbered);
            machine.route(move |_| Some(engine.id()));
            engine
        })
    };
    let (alice, bob) = (join("alice@x"), join("bob@x"));
    world.run();
    world.faults = Faults { duplicate: 200, delay: 50, reorder: true, batch: 400, ..Faults::default() };
    let mut expected: Vec<String> = (0..50).map(|n| format!("message {n}")).collect();
    expected.iter().for_each(|text| drop(world.send(alice, "bob@x", text)));
    world.run();
    let mut shown: Vec<String> = world.client(bob).texts().into_iter().map(|(_, text)| text).collect();
    shown.sort();
    expected.sort();
    assert_eq!(shown, expected);
}
