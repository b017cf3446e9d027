//! The store itself. One batch is one transaction, on disk when `commit` returns (write-ahead log, `synchronous=FULL`).
//! It knows no protocol and never looks into a row.
//!
//! Invariants: the connection is closed before the lock is given back; no transaction outlives a call.
use crate::error::{OpenError, StoreError};
use crate::key::{StoreKey, private, sync_directory};
use crate::lock::{Lock, beside};
use crate::schema::{self, Form};
use rusqlite::{Connection, OpenFlags, OptionalExtension, TransactionBehavior};
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};
use subrosa_engine::{Batch, Key, Store};

const PAGE: u64 = 4096;

/// A SQLite database, every page of it encrypted and authenticated (SQLCipher 4: AES-256-CBC, HMAC-SHA-512).
///
/// Used on a thread of its own: join that thread before the process ends. SQLCipher and OpenSSL take their memory down at exit, and a
/// thread that is still leaving would use what is gone.
pub struct SqliteStore {
    db: Connection,
    path: PathBuf,
    /// The binary form of the key at hand, used again and again.
    name: Vec<u8>,
    _lock: Lock,
}

impl SqliteStore {
    /// Opens the database, or makes it where there is none (its directory must exist), and brings an old one up to date.
    /// Beside it come `….lock` and `…-wal`.
    ///
    /// # Errors
    /// See [`OpenError`]; a database that did not open is as it was.
    pub fn open(path: impl AsRef<Path>, key: &StoreKey) -> Result<Self, OpenError> {
        Self::open_as(path.as_ref(), key, schema::known())
    }
    /// As an earlier Subrosa would have: to make the old databases that tests open.
    #[doc(hidden)]
    pub fn open_as(path: &Path, key: &StoreKey, version: u32) -> Result<Self, OpenError> {
        let lock = Lock::acquire(path)?;
        check_file(path, key)?;
        let sqlite = |e| OpenError::sqlite(path.into(), e);
        let mut db = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX).map_err(sqlite)?;
        // without a cause: SQLite's errors quote the statement
        db.execute_batch("PRAGMA cipher_log_level = NONE").map_err(sqlite)?;
        db.execute_batch(&key.pragma()).map_err(|_| OpenError::WrongKey { path: path.into() })?;
        // the lock makes us alone here, so no memory need be shared with others
        db.execute_batch("PRAGMA locking_mode = EXCLUSIVE; PRAGMA temp_store = MEMORY; PRAGMA trusted_schema = OFF").map_err(sqlite)?;
        let found = match schema::form(&db).map_err(sqlite)? {
            Form::New => 0,
            Form::Version(found) if found <= version => found,
            Form::Version(found) => return Err(OpenError::Newer { path: path.into(), found, known: version }),
            Form::Foreign => return Err(OpenError::NotADatabase { path: path.into() }),
        };
        db.execute_batch("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA fullfsync = ON; PRAGMA secure_delete = ON").map_err(sqlite)?;
        schema::migrate(&mut db, found, version).map_err(sqlite)?;
        Ok(SqliteStore { db, path: path.into(), name: Vec::with_capacity(128), _lock: lock })
    }

    /// A small thing that the application itself keeps beside the records.
    pub fn setting(&self, name: &str) -> Result<Option<Vec<u8>>, StoreError> {
        let mut find = self.db.prepare_cached("SELECT value FROM settings WHERE name = ?1")?;
        Ok(find.query_row([name], |row| row.get(0)).optional()?)
    }
    /// Sets it, on disk when this returns; `None` takes it away.
    pub fn set_setting(&mut self, name: &str, value: Option<&[u8]>) -> Result<(), StoreError> {
        match value {
            Some(value) => self.db.prepare_cached("INSERT OR REPLACE INTO settings (name, value) VALUES (?1, ?2)")?.execute((name, value))?,
            None => self.db.prepare_cached("DELETE FROM settings WHERE name = ?1")?.execute([name])?,
        };
        Ok(())
    }
    /// Reads the whole database and checks every page and the order of the rows. Takes its time on a large one.
    pub fn check(&self) -> Result<(), StoreError> {
        let mut pages = self.db.prepare("PRAGMA cipher_integrity_check")?;
        let mut rows = self.db.prepare("PRAGMA integrity_check")?;
        let damage = match pages.query_row([], |row| row.get::<_, String>(0)).optional()? {
            None => Some(rows.query_row([], |row| row.get::<_, String>(0))?).filter(|verdict| verdict != "ok"),
            found => found,
        };
        match damage {
            None => Ok(()),
            Some(damage) => Err(StoreError::damaged(damage)),
        }
    }
    /// The end of a device: overwrites all rows, then removes the database and its log (the empty `.lock` stays). Erase the
    /// key too ([`StoreKey::erase_file`]), after this: without it what a disk keeps of removed files can't be read.
    pub fn erase(self) -> Result<(), StoreError> {
        let SqliteStore { db, path, _lock: lock, .. } = self;
        // a damaged database refuses; its files go all the same
        let _ = db.execute_batch("DELETE FROM records; DELETE FROM settings; PRAGMA wal_checkpoint(TRUNCATE)");
        drop(db);
        remove(&path)?;
        drop(lock);
        Ok(())
    }
    /// The same for a database that does not open any more.
    ///
    /// # Errors
    /// [`OpenError::InUse`]; what the system says when a file can't be removed.
    pub fn erase_unopened(path: impl AsRef<Path>) -> Result<(), OpenError> {
        let path = path.as_ref();
        let lock = Lock::acquire(path)?;
        remove(path).map_err(|e| OpenError::io(path.into(), e))?;
        drop(lock);
        Ok(())
    }
    /// As if the disk had room for so many pages of 4 KiB only; 0: as much as there is.
    #[doc(hidden)]
    pub fn limit_pages(&mut self, pages: u32) -> Result<(), StoreError> {
        let pages = if pages == 0 { 1_073_741_823 } else { pages };
        Ok(self.db.pragma_update(None, "max_page_count", pages)?)
    }
}

impl Store for SqliteStore {
    type Error = StoreError;
    fn load(&mut self, keys: &[Key]) -> Result<Vec<Option<Vec<u8>>>, StoreError> {
        // one look at the database for all of them; dropped, that is ended, at return
        let _together = self.db.unchecked_transaction()?;
        let mut find = self.db.prepare_cached("SELECT value FROM records WHERE key = ?1")?;
        let mut rows = Vec::with_capacity(keys.len());
        for key in keys {
            self.name.clear();
            key.write_to(&mut self.name);
            rows.push(find.query_row([&self.name], |row| row.get(0)).optional()?);
        }
        Ok(rows)
    }
    fn commit(&mut self, batch: &Batch) -> Result<(), StoreError> {
        // undone when dropped before `commit`, and when that fails
        let step = self.db.transaction_with_behavior(TransactionBehavior::Immediate)?;
        {
            let mut put =
                step.prepare_cached("INSERT INTO records (key, value) VALUES (?1, ?2) ON CONFLICT (key) DO UPDATE SET value = excluded.value")?;
            let mut delete = step.prepare_cached("DELETE FROM records WHERE key = ?1")?;
            for (key, value) in batch.writes() {
                self.name.clear();
                key.write_to(&mut self.name);
                match value {
                    Some(value) => put.execute((&self.name, value))?,
                    None => delete.execute([&self.name])?,
                };
            }
        }
        Ok(step.commit()?)
    }
}
impl std::fmt::Debug for SqliteStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SqliteStore({})", self.path.display())
    }
}

fn remove(path: &Path) -> std::io::Result<()> {
    for ending in ["", "-wal", "-shm", "-journal"] {
        match std::fs::remove_file(beside(path, ending)) {
            Err(e) if e.kind() != ErrorKind::NotFound => return Err(e),
            _ => {}
        }
    }
    sync_directory(path)
}
/// Makes the file where there is none, and looks at how an existing one begins: SQLCipher says the same about a wrong key,
/// damage, and a file that is something else.
fn check_file(path: &Path, key: &StoreKey) -> Result<(), OpenError> {
    let io = |e| OpenError::io(path.into(), e);
    let file = private().read(true).write(true).create(true).truncate(false).open(path).map_err(io)?;
    let size = file.metadata().map_err(io)?.len();
    let mut start = Vec::with_capacity(16);
    (&file).take(16).read_to_end(&mut start).map_err(io)?;
    let path = path.into();
    match start {
        start if start.is_empty() => Ok(()),
        start if start == key.salt() && size >= PAGE => Ok(()),
        start if start == key.salt() => Err(OpenError::Damaged { path, source: None }),
        start if size.is_multiple_of(PAGE) && !start.starts_with(b"SQLite format 3") => Err(OpenError::WrongKey { path }),
        _ => Err(OpenError::NotADatabase { path }),
    }
}
