//! The suite for stores, run over the memory store and over stores that answer late; and proof that it can fail.
#![allow(clippy::unwrap_used)]
use subrosa_engine::{AsyncStore, Batch, Key, MemoryStore, Store};
use subrosa_testkit::conformance::store::{self, Place, key};
use subrosa_testkit::{Crash, CrashStore, LateEvent, LateStore, Ready, abandon_after, block_on, store_conformance};

struct Memory;
impl Place for Memory {
    type Store = Ready<MemoryStore>;
    async fn open(&mut self) -> Result<Self::Store, String> {
        Ok(Ready(MemoryStore::default()))
    }
    fn is_persistent(&self) -> bool {
        false
    }
}
store_conformance!(memory, Memory);

/// Late, written when it answers.
struct Late;
impl Place for Late {
    type Store = LateStore<MemoryStore>;
    async fn open(&mut self) -> Result<Self::Store, String> {
        Ok(LateStore::new(MemoryStore::default(), 4))
    }
    fn is_persistent(&self) -> bool {
        false
    }
}
store_conformance!(late, Late);

/// Late, written at once: what is abandoned has happened.
struct LateButWritten;
impl Place for LateButWritten {
    type Store = LateStore<MemoryStore>;
    async fn open(&mut self) -> Result<Self::Store, String> {
        Ok(LateStore::new(MemoryStore::default(), 4).writes_at(1))
    }
    fn is_persistent(&self) -> bool {
        false
    }
}
store_conformance!(late_but_written, LateButWritten);

/// A store that refuses when it is told to.
struct Breaking;
impl Place for Breaking {
    type Store = LateStore<CrashStore<MemoryStore>>;
    async fn open(&mut self) -> Result<Self::Store, String> {
        Ok(LateStore::new(CrashStore::new(MemoryStore::default()), 1))
    }
    fn is_persistent(&self) -> bool {
        false
    }
    fn break_commits(&mut self, store: &mut Self::Store, broken: bool) -> bool {
        let store = store.inner_mut();
        if broken {
            let next = store.commits();
            store.plan(next, Crash::StoreFails);
        }
        true
    }
}
store_conformance!(breaking, Breaking);

#[test]
fn a_late_store_shows_its_order() {
    let mut store = LateStore::new(MemoryStore::default(), 3).writes_at(1);
    let log = store.log();
    let batch = Batch::for_tests(vec![(key("k", None, None), Some(vec![1]))]);
    assert!(abandon_after(1, AsyncStore::commit(&mut store, &batch)).is_none());
    assert_eq!(*log.borrow(), [LateEvent::Commit, LateEvent::Abandoned]);
    assert_eq!(block_on(AsyncStore::load(&mut store, &[key("k", None, None)])).unwrap(), [None]);
    log.borrow_mut().clear();
    assert!(abandon_after(2, AsyncStore::commit(&mut store, &batch)).is_none());
    assert_eq!(*log.borrow(), [LateEvent::Commit, LateEvent::Written, LateEvent::Abandoned]);
    assert_eq!(block_on(AsyncStore::load(&mut store, &[key("k", None, None)])).unwrap(), [Some(vec![1])]);
    log.borrow_mut().clear();
    assert!(abandon_after(4, AsyncStore::commit(&mut store, &batch)).is_some());
    assert_eq!(*log.borrow(), [LateEvent::Commit, LateEvent::Written, LateEvent::Committed]);
}

/// Stores that are wrong, each in one way.
#[derive(Clone, Copy)]
enum Wrong {
    TextKeys,
    EmptyIsMissing,
    HalfABatch,
}
struct WrongStore(Wrong, std::collections::BTreeMap<String, Vec<u8>>, bool);
impl WrongStore {
    fn name(&self, key: &Key) -> String {
        match self.0 {
            Wrong::TextKeys => key.to_string().to_lowercase(),
            _ => format!("{key:?}"),
        }
    }
}
impl Store for WrongStore {
    type Error = std::io::Error;
    fn load(&mut self, keys: &[Key]) -> Result<Vec<Option<Vec<u8>>>, Self::Error> {
        let row = |k: &Key| self.1.get(&self.name(k)).filter(|v| !matches!(self.0, Wrong::EmptyIsMissing) || !v.is_empty()).cloned();
        Ok(keys.iter().map(row).collect())
    }
    fn commit(&mut self, batch: &Batch) -> Result<(), Self::Error> {
        for (n, (key, value)) in batch.writes().iter().enumerate() {
            if self.2 && n > 0 {
                return Err(std::io::Error::other("full"));
            }
            let name = self.name(key);
            match value {
                Some(v) => drop(self.1.insert(name, v.clone())),
                None => drop(self.1.remove(&name)),
            }
        }
        Ok(())
    }
}
impl Place for Wrong {
    type Store = Ready<WrongStore>;
    async fn open(&mut self) -> Result<Self::Store, String> {
        Ok(Ready(WrongStore(*self, Default::default(), false)))
    }
    fn is_persistent(&self) -> bool {
        false
    }
    fn is_exclusive(&self) -> bool {
        true
    }
    fn break_commits(&mut self, store: &mut Self::Store, broken: bool) -> bool {
        store.0.2 = broken;
        true
    }
}
#[test]
#[should_panic(expected = "was taken for another")]
fn colliding_keys_are_found() {
    block_on(store::tells_keys_apart(&mut Wrong::TextKeys));
}
#[test]
#[should_panic(expected = "came back changed")]
fn lost_empty_values_are_found() {
    block_on(store::keeps_every_value(&mut Wrong::EmptyIsMissing));
}
#[test]
#[should_panic(expected = "assertion `left == right` failed")]
fn half_a_batch_is_found() {
    block_on(store::a_failed_commit_changes_nothing(&mut Wrong::HalfABatch));
}
#[test]
#[should_panic(expected = "two handles at once")]
fn a_second_handle_is_found() {
    block_on(store::refuses_a_second_handle(&mut Wrong::HalfABatch));
}
