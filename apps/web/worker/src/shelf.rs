//! What the host needs of its store beyond the machine's rows: the application's own, stored in the same transaction.
use std::collections::HashMap;
use subrosa_engine::{AsyncStore, Coded, sorted};

/// The place of a row in its list.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum At {
    /// Ordered; below 2^53.
    Number(u64),
    /// Named.
    Name(String),
}

/// A store with lists beside the machine's rows.
#[allow(async_fn_in_trait)] // as in `AsyncStore`
pub trait Shelf: AsyncStore<Error: Coded> {
    /// Goes with the next commit, put or deleted. Staged again after a commit that failed it replaces itself.
    fn stage(&mut self, list: &str, at: &At, value: Option<Vec<u8>>);
    /// Commits what is staged.
    async fn flush(&mut self) -> Result<(), Self::Error>;
    /// A row, as the disk has it.
    async fn item(&mut self, list: &str, at: &At) -> Result<Option<Vec<u8>>, Self::Error>;
    /// Numbered rows before a number, the last `count` of them, the oldest first; as the disk has them.
    async fn newest(&mut self, list: &str, before: Option<u64>, count: u32) -> Result<Vec<(u64, Vec<u8>)>, Self::Error>;
    /// All rows of a list, in no order that means anything.
    async fn all(&mut self, list: &str) -> Result<Vec<Vec<u8>>, Self::Error>;
}

/// A shelf and what is not yet on it: reads see what was written, the disk sees it with the next commit or not at all.
pub struct Rows<S> {
    /// The store below.
    pub store: S,
    changes: HashMap<(String, At), Option<Vec<u8>>>,
}
impl<S: Shelf> Rows<S> {
    /// Over this store.
    pub fn new(store: S) -> Self {
        Rows { store, changes: HashMap::new() }
    }
    /// Something waits for a commit.
    pub fn is_changed(&self) -> bool {
        !self.changes.is_empty()
    }
    /// Puts or deletes.
    pub fn set(&mut self, list: &str, at: At, value: Option<Vec<u8>>) {
        self.changes.insert((list.to_owned(), at), value);
    }
    /// A row.
    pub async fn get(&mut self, list: &str, at: At) -> Result<Option<Vec<u8>>, S::Error> {
        let key = (list.to_owned(), at);
        match self.changes.get(&key) {
            Some(value) => Ok(value.clone()),
            None => self.store.item(list, &key.1).await,
        }
    }
    /// Numbered rows before a number, the last `count` of them, the oldest first. What waits for a commit counts.
    pub async fn newest(&mut self, list: &str, before: Option<u64>, count: u32) -> Result<Vec<(u64, Vec<u8>)>, S::Error> {
        let waiting: Vec<(u64, Option<Vec<u8>>)> = (self.changes.iter())
            .filter_map(|((name, at), value)| match at {
                At::Number(n) if name == list && before.is_none_or(|before| *n < before) => Some((*n, value.clone())),
                _ => None,
            })
            .collect();
        let more = u32::try_from(waiting.len()).unwrap_or(u32::MAX); // those may be deleted
        let mut rows = self.store.newest(list, before, count.saturating_add(more)).await?;
        if !waiting.is_empty() {
            rows.retain(|(n, _)| waiting.iter().all(|(changed, _)| changed != n));
            rows.extend(waiting.into_iter().filter_map(|(n, value)| Some((n, value?))));
            rows = sorted(rows);
        }
        let surplus = rows.len().saturating_sub(usize::try_from(count).unwrap_or(usize::MAX));
        Ok(rows.into_iter().skip(surplus).collect())
    }
    /// Hands the changes to the store, for its next commit.
    pub fn stage(&mut self) {
        for ((list, at), value) in &self.changes {
            self.store.stage(list, at, value.clone());
        }
    }
    /// They are on disk.
    pub fn committed(&mut self) {
        self.changes.clear();
    }
}

#[cfg(test)]
pub mod tests {
    //! A shelf in memory, and what [`Rows`] adds to one.
    #![allow(clippy::unwrap_used, clippy::arithmetic_side_effects)]
    use super::*;
    use std::cell::RefCell;
    use std::collections::BTreeMap;
    use std::rc::Rc;
    use subrosa_engine::{Batch, Fault, Key, MemoryStore, Store};

    /// Why it fails: it was told to.
    #[derive(Debug, thiserror::Error)]
    #[error("the store is full")]
    pub struct Full;
    impl Coded for Full {
        fn code(&self) -> &'static str {
            "store.full"
        }
        fn fault(&self) -> Fault {
            Fault::Store
        }
    }

    /// What is on the "disk".
    #[derive(Clone, Default)]
    pub struct Disk {
        pub rows: MemoryStore,
        pub lists: BTreeMap<(String, At), Vec<u8>>,
        pub full: bool,
        pub commits: usize,
    }
    /// Survives its host: the disk is shared.
    #[derive(Clone, Default)]
    pub struct MemoryShelf {
        pub disk: Rc<RefCell<Disk>>,
        staged: BTreeMap<(String, At), Option<Vec<u8>>>,
    }
    impl MemoryShelf {
        /// The same disk, nothing staged.
        pub fn again(&self) -> Self {
            MemoryShelf { disk: self.disk.clone(), staged: BTreeMap::new() }
        }
        fn write(&mut self, batch: Option<&Batch>) -> Result<(), Full> {
            let mut disk = self.disk.borrow_mut();
            if disk.full {
                return Err(Full);
            }
            disk.commits += 1;
            if let Some(batch) = batch {
                disk.rows.commit(batch).unwrap_or_else(|never| match never {});
            }
            for (key, value) in std::mem::take(&mut self.staged) {
                match value {
                    Some(value) => drop(disk.lists.insert(key, value)),
                    None => drop(disk.lists.remove(&key)),
                }
            }
            Ok(())
        }
    }
    impl AsyncStore for MemoryShelf {
        type Error = Full;
        async fn load(&mut self, keys: &[Key]) -> Result<Vec<Option<Vec<u8>>>, Full> {
            Ok(self.disk.borrow_mut().rows.load(keys).unwrap_or_else(|never| match never {}))
        }
        async fn commit(&mut self, batch: &Batch) -> Result<(), Full> {
            self.write(Some(batch))
        }
    }
    impl Shelf for MemoryShelf {
        fn stage(&mut self, list: &str, at: &At, value: Option<Vec<u8>>) {
            self.staged.insert((list.to_owned(), at.clone()), value);
        }
        async fn flush(&mut self) -> Result<(), Full> {
            self.write(None)
        }
        async fn item(&mut self, list: &str, at: &At) -> Result<Option<Vec<u8>>, Full> {
            Ok(self.disk.borrow().lists.get(&(list.to_owned(), at.clone())).cloned())
        }
        async fn newest(&mut self, list: &str, before: Option<u64>, count: u32) -> Result<Vec<(u64, Vec<u8>)>, Full> {
            let disk = self.disk.borrow();
            let numbered = disk.lists.iter().filter_map(|((name, at), value)| match at {
                At::Number(n) if name == list && before.is_none_or(|before| *n < before) => Some((*n, value.clone())),
                _ => None,
            });
            let all: Vec<_> = numbered.collect();
            Ok(all.iter().skip(all.len().saturating_sub(count as usize)).cloned().collect())
        }
        async fn all(&mut self, list: &str) -> Result<Vec<Vec<u8>>, Full> {
            Ok(self.disk.borrow().lists.iter().filter(|((name, _), _)| name == list).map(|(_, value)| value.clone()).collect())
        }
    }

    #[test]
    fn what_is_written_is_read_before_it_is_stored() {
        subrosa_testkit::block_on(async {
            let mut rows = Rows::new(MemoryShelf::default());
            for n in 1..=5 {
                rows.set("chat", At::Number(n), Some(vec![n as u8]));
            }
            rows.stage();
            rows.store.flush().await.unwrap();
            rows.committed();
            rows.set("chat", At::Number(4), None);
            rows.set("chat", At::Number(6), Some(vec![6]));
            rows.set("other", At::Number(7), Some(vec![7]));
            let numbers = |rows: Vec<(u64, Vec<u8>)>| rows.into_iter().map(|(n, _)| n).collect::<Vec<_>>();
            assert_eq!(numbers(rows.newest("chat", None, 3).await.unwrap()), [3, 5, 6]);
            assert_eq!(numbers(rows.newest("chat", Some(5), 2).await.unwrap()), [2, 3]);
            assert_eq!(rows.get("chat", At::Number(4)).await.unwrap(), None);
            assert_eq!(rows.get("chat", At::Number(6)).await.unwrap(), Some(vec![6]));
        });
    }
}
