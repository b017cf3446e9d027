//! The shelf in IndexedDB.
use crate::shelf::{At, Shelf};
use subrosa_wasm::{At as Place, IndexedDbStore, StoreError};

fn place(at: &At) -> Place<'_> {
    match at {
        At::Number(n) => Place::Number(*n),
        At::Name(name) => Place::Name(name),
    }
}
impl Shelf for IndexedDbStore {
    fn stage(&mut self, list: &str, at: &At, value: Option<Vec<u8>>) {
        self.stage(list, place(at), value);
    }
    async fn flush(&mut self) -> Result<(), StoreError> {
        self.flush().await
    }
    async fn item(&mut self, list: &str, at: &At) -> Result<Option<Vec<u8>>, StoreError> {
        self.item(list, place(at)).await
    }
    async fn newest(&mut self, list: &str, before: Option<u64>, count: u32) -> Result<Vec<(u64, Vec<u8>)>, StoreError> {
        self.newest(list, before, count).await
    }
    async fn all(&mut self, list: &str) -> Result<Vec<Vec<u8>>, StoreError> {
        self.all(list).await
    }
}
