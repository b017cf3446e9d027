//! The store: the machine's rows and the application's, in one database of one origin.
use crate::cipher::{Cipher, Provider};
use crate::error::StoreError;
use crate::idb::{Db, ITEMS, META, ROWS, Write, bytes};
use crate::names::{Name, Names, Place, slot};
use crate::pages::{Cache, Page};
use crate::vault;
use js_sys::Uint8Array;
use std::collections::HashMap;
use subrosa_engine::{AsyncStore, Batch, Key};
use wasm_bindgen::JsValue;
use zeroize::Zeroizing;

const VAULT: &str = "vault";
const NAMES: &str = "names";
const EPOCH: &str = "epoch";
/// How often a handle tries to be the newest while others do the same.
const CLAIMS: usize = 8;

/// What is there before unlocking.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Nothing: [`Database::create`].
    Empty,
    /// A device: [`Database::unlock`] wants no passphrase.
    Open,
    /// A device under a passphrase.
    Sealed,
}

/// One database of one origin, not unlocked: nothing in it can be read, names of rows included.
///
/// Closes itself when it is erased elsewhere: what comes after that says [`StoreError::Gone`].
pub struct Database {
    db: Db,
    provider: Provider,
}
impl Database {
    /// Opens it, and makes it where there is none: empty.
    pub async fn open(name: &str) -> Result<Database, StoreError> {
        let provider = Provider::get()?;
        Ok(Database { db: Db::open(name).await?, provider })
    }
    /// Whether there is a device, and whether it wants a passphrase. [`StoreError::Damaged`]: there are rows, but nothing that
    /// could open them.
    pub async fn state(&self) -> Result<State, StoreError> {
        match vault::wants_passphrase(&self.meta(VAULT).await?) {
            Some(true) => Ok(State::Sealed),
            Some(false) => Ok(State::Open),
            None if self.db.count(ROWS).await? > 0.0 || self.db.count(ITEMS).await? > 0.0 => Err(StoreError::damaged("the vault is gone")),
            None => Ok(State::Empty),
        }
    }
    /// Makes the key that all rows are sealed with. [`StoreError::Exists`]: there is one, which may be another window's of just now.
    pub async fn create(self, passphrase: Option<&str>) -> Result<IndexedDbStore, StoreError> {
        if self.state().await? != State::Empty {
            return Err(StoreError::Exists);
        }
        let made = vault::make(&self.provider, passphrase).await?;
        let cipher = Cipher::new(self.provider.clone(), made.key);
        let name_key = Zeroizing::new(self.provider.random(32)?.to_vec());
        let sealed = cipher.seal(&[(NAMES.as_bytes(), &name_key)]).await?.into_iter().next();
        let writes = [
            (META, VAULT.into(), Some(made.record)),
            (META, NAMES.into(), Some(sealed.map_or(JsValue::UNDEFINED, Into::into))),
            (META, EPOCH.into(), Some(1.into())),
        ];
        match self.db.write(VAULT, |found| found.is_undefined(), &writes)?.ended().await? {
            true => IndexedDbStore::new(self, cipher, &name_key, 1.0),
            false => Err(StoreError::Exists),
        }
    }
    /// Opens what was created before, and takes it over: every earlier handle is told [`StoreError::Fenced`] at its next commit.
    /// [`StoreError::WrongPassphrase`]: nothing was changed, open it again to try another. Takes a quarter of a second where there is one;
    /// where there is none a given one is not looked at.
    pub async fn unlock(self, passphrase: Option<&str>) -> Result<IndexedDbStore, StoreError> {
        if self.state().await? == State::Empty {
            return Err(StoreError::Empty);
        }
        let key = vault::open(&self.provider, &self.meta(VAULT).await?, passphrase).await?;
        let cipher = Cipher::new(self.provider.clone(), key);
        let name_key = cipher.unseal(&[(NAMES, self.meta(NAMES).await?)]).await?.pop().unwrap_or_default();
        for _ in 0..CLAIMS {
            let last = self.meta(EPOCH).await?.as_f64().ok_or_else(|| StoreError::damaged("the epoch is gone"))?;
            let next = last + 1.0;
            let writes = [(META, EPOCH.into(), Some(next.into()))];
            if self.db.write(EPOCH, move |found| found.as_f64() == Some(last), &writes)?.ended().await? {
                return IndexedDbStore::new(self, cipher, &name_key, next);
            }
        }
        Err(StoreError::Fenced)
    }
    /// Deletes the database with everything in it. Handles of it close themselves; one that does not, because its window is frozen, is
    /// waited for a few seconds: [`StoreError::Busy`].
    pub async fn erase(name: &str) -> Result<(), StoreError> {
        Db::erase(name).await
    }
    async fn meta(&self, key: &str) -> Result<JsValue, StoreError> {
        Ok(self.db.get(META, &[key.into()]).await?.pop().unwrap_or(JsValue::UNDEFINED))
    }
}

/// Which row of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum At<'a> {
    /// Ordered. Stands in the database as it is.
    Number(u64),
    /// In no order. Stands in the database as a keyed hash.
    Name(&'a str),
}

/// The store, unlocked.
///
/// Beside the machine's rows it keeps the application's: lists under a name, with rows that are called by a number (a chat) or by a name
/// (a map). They are [staged](Self::stage), and go with the machine's next commit in the same transaction: a message that was decrypted
/// and its words are both on the disk or both not.
pub struct IndexedDbStore {
    database: Database,
    cipher: Cipher,
    names: Names,
    epoch: f64,
    cache: Cache,
    staged: HashMap<Vec<u8>, Option<Zeroizing<Vec<u8>>>>,
}
impl IndexedDbStore {
    fn new(database: Database, cipher: Cipher, name_key: &[u8], epoch: f64) -> Result<Self, StoreError> {
        let name_key = name_key.try_into().map_err(|_| StoreError::damaged("the key of the names"))?;
        Ok(IndexedDbStore { database, cipher, names: Names::new(name_key), epoch, cache: Cache::default(), staged: HashMap::new() })
    }
    /// Puts (`Some`) or deletes a row of a list, with the next commit or [`flush`](Self::flush). Until one succeeds it stays staged; what
    /// is staged for the same row later replaces it. A commit that was abandoned may have stored it already, and it is stored again.
    pub fn stage(&mut self, list: &str, at: At<'_>, value: Option<Vec<u8>>) {
        self.staged.insert(self.item_key(list, at), value.map(Zeroizing::new));
    }
    /// Forgets what is staged and was not committed.
    pub fn unstage(&mut self) {
        self.staged.clear();
    }
    /// Commits what is staged without a step; nothing staged, nothing done. (A step that changed no record does not commit.)
    pub async fn flush(&mut self) -> Result<(), StoreError> {
        self.write(&[]).await
    }
    /// A row of a list. Reads the disk: what is staged is not seen here, nor by the next two.
    pub async fn item(&mut self, list: &str, at: At<'_>) -> Result<Option<Vec<u8>>, StoreError> {
        let key = self.item_key(list, at);
        let found = self.database.db.get(ITEMS, &[bytes(&key)]).await?.pop().filter(|found| !found.is_undefined());
        let Some(found) = found else { return Ok(None) };
        Ok(self.cipher.unseal(&[(key, found)]).await?.pop().map(|mut value| std::mem::take(&mut *value)))
    }
    /// The `count` numbered rows of a list with the greatest numbers, all below `before`; the oldest first.
    pub async fn newest(&mut self, list: &str, before: Option<u64>, count: u32) -> Result<Vec<(u64, Vec<u8>)>, StoreError> {
        let lower = self.item_key(list, At::Number(0));
        let upper = match before {
            Some(before) => self.item_key(list, At::Number(before)),
            None => [self.names.list(list).as_slice(), &[NAMED]].concat(),
        };
        let found = self.database.db.last(ITEMS, &lower, &upper, count).await?;
        let numbers: Vec<u64> = found.iter().map(|(key, _)| number_of(key)).collect();
        Ok(numbers.into_iter().zip(self.open_items(found).await?).collect())
    }
    /// All rows of a list: the numbered ones in order, then the named ones in no order that means anything.
    pub async fn all(&mut self, list: &str) -> Result<Vec<Vec<u8>>, StoreError> {
        let list = self.names.list(list);
        let found = self.database.db.range(ITEMS, &list, &[list.as_slice(), &[END]].concat()).await?;
        self.open_items(found).await
    }
    /// Seals the key under another passphrase. [`StoreError::WrongPassphrase`]: the old one is not right, or the database was made
    /// without one: then only erasing and signing in anew can give it one.
    pub async fn change_passphrase(&mut self, old: &str, new: &str) -> Result<(), StoreError> {
        let record = vault::rewrap(&self.database.provider, &self.database.meta(VAULT).await?, old, new).await?;
        self.guarded(&[(META, VAULT.into(), Some(record))]).await
    }

    fn item_key(&self, list: &str, at: At<'_>) -> Vec<u8> {
        let name = self.names.list(list);
        match at {
            At::Number(number) => [name.as_slice(), &[NUMBERED], &number.to_be_bytes()].concat(),
            At::Name(entry) => [name.as_slice(), &[NAMED], &self.names.entry(list, entry)].concat(),
        }
    }
    async fn open_items(&self, found: Vec<(Uint8Array, JsValue)>) -> Result<Vec<Vec<u8>>, StoreError> {
        let found: Vec<_> = found.into_iter().map(|(key, value)| (key.to_vec(), value)).collect();
        Ok(self.cipher.unseal(&found).await?.into_iter().map(|mut value| std::mem::take(&mut *value)).collect())
    }

    /// Brings pages into memory that are not there.
    async fn fetch(&mut self, pages: impl Iterator<Item = Name>) -> Result<(), StoreError> {
        let mut missing: Vec<Name> = pages.filter(|name| self.cache.get(name).is_none()).collect();
        missing = subrosa_engine::sorted(missing);
        missing.dedup();
        let found = self.rows(&missing).await?;
        for (name, page) in missing.into_iter().zip(found) {
            let page = page.map_or(Some(Page::default()), |bytes| Page::decode(&bytes));
            self.cache.put(name, page.ok_or_else(|| StoreError::damaged("a page"))?);
        }
        Ok(())
    }
    /// Records of the disk, in order.
    async fn rows(&self, names: &[Name]) -> Result<Vec<Option<Zeroizing<Vec<u8>>>>, StoreError> {
        let keys: Vec<JsValue> = names.iter().map(|name| bytes(name)).collect();
        let found = self.database.db.get(ROWS, &keys).await?;
        let there: Vec<(Name, JsValue)> = names.iter().copied().zip(found.iter().cloned()).filter(|(_, value)| !value.is_undefined()).collect();
        let mut plain = self.cipher.unseal(&there).await?.into_iter();
        Ok(found.iter().map(|value| if value.is_undefined() { None } else { plain.next() }).collect())
    }
    /// One transaction of what the machine changed and what is staged.
    async fn write(&mut self, changes: &[subrosa_engine::Write]) -> Result<(), StoreError> {
        if changes.is_empty() && self.staged.is_empty() {
            return Ok(());
        }
        let places: Vec<Place> = changes.iter().map(|(key, _)| self.names.place(key)).collect();
        self.fetch(places.iter().filter_map(|place| if let Place::Page(name) = place { Some(*name) } else { None })).await?;
        let (mut pages, mut records) = (HashMap::new(), HashMap::new());
        for ((key, value), place) in changes.iter().zip(places) {
            match (place, key.device()) {
                (Place::Page(name), Some(device)) => {
                    let page = pages.entry(name).or_insert_with(|| self.cache.take(&name).unwrap_or_default());
                    page.set(slot(device), value.as_deref());
                }
                (Place::Row(name) | Place::Page(name), _) => drop(records.insert(name, value.as_deref())),
            }
        }
        let encoded: Vec<_> = pages.iter().map(|(name, page)| (*name, page.encode())).collect();
        records.extend(encoded.iter().map(|(name, page)| (*name, page.as_ref().map(|page| page.as_slice()))));

        let rows = records.iter().map(|(name, value)| (ROWS, name.as_slice(), *value));
        let items = self.staged.iter().map(|(key, value)| (ITEMS, key.as_slice(), value.as_ref().map(|value| value.as_slice())));
        let all: Vec<_> = rows.chain(items).collect();
        let plain: Vec<(&[u8], &[u8])> = all.iter().filter_map(|(_, key, value)| Some((*key, (*value)?))).collect();
        let mut sealed = self.cipher.seal(&plain).await?.into_iter();
        let writes: Vec<Write> =
            all.iter().map(|(store, key, value)| (*store, bytes(key), value.and_then(|_| sealed.next().map(Into::into)))).collect();
        self.guarded(&writes).await?;

        self.staged.clear();
        pages.into_iter().for_each(|(name, page)| self.cache.put(name, page));
        self.cache.trim();
        Ok(())
    }
    /// Writes while no other handle has taken over.
    async fn guarded(&self, writes: &[Write]) -> Result<(), StoreError> {
        let epoch = self.epoch;
        let writing = self.database.db.write(EPOCH, move |found| found.as_f64() == Some(epoch), writes)?;
        if writing.ended().await? { Ok(()) } else { Err(StoreError::Fenced) }
    }
}
impl AsyncStore for IndexedDbStore {
    type Error = StoreError;
    async fn load(&mut self, keys: &[Key]) -> Result<Vec<Option<Vec<u8>>>, StoreError> {
        let places: Vec<Place> = keys.iter().map(|key| self.names.place(key)).collect();
        self.fetch(places.iter().filter_map(|place| if let Place::Page(name) = place { Some(*name) } else { None })).await?;
        let single: Vec<Name> = places.iter().filter_map(|place| if let Place::Row(name) = place { Some(*name) } else { None }).collect();
        let mut single = self.rows(&single).await?.into_iter();
        let answers = keys.iter().zip(&places).map(|(key, place)| match (place, key.device()) {
            (Place::Page(name), Some(device)) => Some(self.cache.get(name)?.get(&slot(device))?.to_vec()),
            _ => single.next().flatten().map(|mut value| std::mem::take(&mut *value)),
        });
        let answers = answers.collect();
        self.cache.trim();
        Ok(answers)
    }
    async fn commit(&mut self, batch: &Batch) -> Result<(), StoreError> {
        self.write(batch.writes()).await
    }
}

/// What stands after a list's name in the key of a row. Stored keys rely on it: it never changes.
const NUMBERED: u8 = 1;
const NAMED: u8 = 2;
const END: u8 = 0xff;

fn number_of(key: &Uint8Array) -> u64 {
    key.to_vec().split_last_chunk().map_or(0, |(_, number)| u64::from_be_bytes(*number))
}
