//! The database: how it is opened, its form, its transactions. One commit is on disk when it returns (write-ahead log,
//! `synchronous=FULL`); SQLite's own lock keeps a second program out.
use crate::error::{HistoryError, OpenError};
use crate::search::pair_runs;
use hkdf::Hkdf;
use rusqlite::{Connection, ErrorCode, OpenFlags, OptionalExtension, TransactionBehavior};
use sha2::Sha256;
use std::fmt::Write as _;
use std::fs::OpenOptions;
use std::io::{ErrorKind, Read};
use std::path::Path;
use subrosa_engine::Address;
use zeroize::Zeroizing;

const PAGE: u64 = 4096;
/// In the header of every history: "SubH".
const APPLICATION_ID: i64 = 0x5375_6248;
/// Number n brings a database of form n to form n+1. One that was released never changes.
const MIGRATIONS: [fn(&Connection) -> rusqlite::Result<()>; 3] = [
    |db| db.execute_batch(include_str!("../migrations/0001_history.sql")),
    pair_runs,
    |db| db.execute_batch(include_str!("../migrations/0003_trust.sql")),
];
/// Statements that are kept ready: all there are.
const STATEMENTS: usize = 96;

/// What was said, for one account.
///
/// Used on a thread of its own, as `subrosa-store` is: SQLCipher takes its memory down at exit.
pub struct History {
    pub(crate) db: Connection,
    me: Address,
    within: Within,
}
/// Whether a transaction is open.
#[derive(Clone, Copy, PartialEq)]
enum Within {
    Nothing,
    Transaction,
    /// Something in it failed: it will not be stored.
    Failed,
}

impl History {
    /// Opens the history of `me`, or makes it where there is none (its directory must exist), and brings an old one up to
    /// date. Beside it comes `…-wal`. `key`: 32 random bytes; the key of the records may be given, what seals here is derived from it.
    ///
    /// # Errors
    /// See [`OpenError`]; a history that did not open is as it was.
    pub fn open(path: impl AsRef<Path>, key: &[u8; 32], me: &Address) -> Result<Self, OpenError> {
        let path = path.as_ref();
        let failed = |source| OpenError::Failed { path: path.into(), source };
        let sqlite = |e: rusqlite::Error| match e.sqlite_error_code() {
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => OpenError::InUse { path: path.into() },
            _ => failed(e.into()),
        };
        let key = Sealing::from(key);
        check_file(path, &key.salt())?;
        let mut db = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX).map_err(sqlite)?;
        db.busy_timeout(std::time::Duration::ZERO).map_err(sqlite)?;
        db.set_prepared_statement_cache_capacity(STATEMENTS);
        // without a cause: SQLite's errors quote the statement
        db.execute_batch("PRAGMA cipher_log_level = NONE").map_err(sqlite)?;
        db.execute_batch(&key.pragma()).map_err(|_| OpenError::WrongKey { path: path.into() })?;
        db.execute_batch("PRAGMA locking_mode = EXCLUSIVE; PRAGMA temp_store = MEMORY; PRAGMA trusted_schema = OFF; PRAGMA cache_size = -16384")
            .map_err(sqlite)?;
        let known = u32::try_from(MIGRATIONS.len()).unwrap_or(u32::MAX);
        let found = match form(&db).map_err(sqlite)? {
            Some(found) if found <= known => found,
            Some(found) => return Err(OpenError::Newer { path: path.into(), found, known }),
            None => return Err(OpenError::NotAHistory { path: path.into() }),
        };
        db.execute_batch("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA fullfsync = ON; PRAGMA secure_delete = ON").map_err(sqlite)?;
        migrate(&mut db, found, known, me).map_err(sqlite)?;
        let owner: String = db.query_row("SELECT value FROM settings WHERE name = 'account'", [], |row| row.get(0)).map_err(sqlite)?;
        if owner != me.as_str() {
            return Err(OpenError::OtherAccount { path: path.into(), found: owner });
        }
        Ok(History { db, me: me.clone(), within: Within::Nothing })
    }
    /// Whose history it is.
    pub fn me(&self) -> &Address {
        &self.me
    }

    /// All that `work` does is one commit, or nothing of it happens: when it fails, and when any call in it failed. Within
    /// another transaction it is a part of that one.
    ///
    /// # Errors
    /// What `work` says; [`HistoryError::Undone`] where it went on after a failure.
    pub fn transaction<T, E: From<HistoryError>>(&mut self, work: impl FnOnce(&mut Self) -> Result<T, E>) -> Result<T, E> {
        if self.within != Within::Nothing {
            let done = work(self);
            if done.is_err() {
                self.within = Within::Failed;
            }
            return done;
        }
        self.db.execute_batch("BEGIN IMMEDIATE").map_err(HistoryError::from)?;
        self.within = Within::Transaction;
        let open = Open(self);
        let value = work(open.0)?;
        if open.0.within == Within::Failed {
            return Err(HistoryError::Undone.into());
        }
        open.0.db.execute_batch("COMMIT").map_err(HistoryError::from)?;
        Ok(value)
    }
    /// Reads the whole file and checks every page, the order of the rows, and the index of words. Takes its time on a large one.
    ///
    /// # Errors
    /// [`HistoryError::Damaged`]; what the disk says.
    pub fn check(&self) -> Result<(), HistoryError> {
        let page = self.db.prepare("PRAGMA cipher_integrity_check")?.query_row([], |row| row.get::<_, String>(0)).optional()?;
        let rows: String = self.db.query_row("PRAGMA integrity_check", [], |row| row.get(0))?;
        if page.is_some() || rows != "ok" {
            return Err(HistoryError::damaged("a page or a row is not as it was written"));
        }
        self.db.execute_batch("INSERT INTO words (words) VALUES ('integrity-check')")?;
        Ok(())
    }
}
impl std::fmt::Debug for History {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "History({})", self.me)
    }
}

/// A transaction that is open; undone when it was not committed, after a panic too.
struct Open<'a>(&'a mut History);
impl Drop for Open<'_> {
    fn drop(&mut self) {
        self.0.within = Within::Nothing;
        if !self.0.db.is_autocommit() {
            let _ = self.0.db.execute_batch("ROLLBACK"); // the error that is told is the first one
        }
    }
}

/// Key and salt of the file, derived: no page of another database under the same key can stand here.
struct Sealing(Zeroizing<[u8; 48]>);
impl From<&[u8; 32]> for Sealing {
    fn from(key: &[u8; 32]) -> Self {
        let mut all = Zeroizing::new([0; 48]);
        // 48 bytes are far below what HKDF gives
        Hkdf::<Sha256>::new(None, key).expand(b"subrosa history 1", &mut *all).unwrap_or_default();
        Sealing(all)
    }
}
impl Sealing {
    /// The first bytes of the file: they tell a wrong key from damage.
    fn salt(&self) -> [u8; 16] {
        self.0.last_chunk().copied().unwrap_or_default()
    }
    /// SQLCipher's raw key: 32 bytes of key and 16 of salt, no derivation.
    fn pragma(&self) -> Zeroizing<String> {
        let mut text = Zeroizing::new(String::with_capacity(120)); // never grows: no copy is left behind
        text.push_str("PRAGMA key = \"x'");
        self.0.iter().for_each(|b| write!(text, "{b:02x}").unwrap_or_default());
        text.push_str("'\"");
        text
    }
}
/// Options for a file that only its owner can read, if it is made.
pub(crate) fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}
/// Makes a new name durable.
pub(crate) fn sync_directory(of: &Path) -> std::io::Result<()> {
    let directory = of.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if cfg!(unix) { std::fs::File::open(directory)?.sync_all() } else { Ok(()) }
}
/// Makes the file where there is none, and looks at how an existing one begins: SQLCipher says the same about a wrong key,
/// damage, and a file that is something else.
fn check_file(path: &Path, salt: &[u8; 16]) -> Result<(), OpenError> {
    let io = |e: std::io::Error| match e.kind() {
        ErrorKind::NotFound => OpenError::NoDirectory { path: path.into() },
        ErrorKind::IsADirectory => OpenError::NotAHistory { path: path.into() },
        _ => OpenError::Failed { path: path.into(), source: e.into() },
    };
    let file = private().read(true).write(true).create(true).truncate(false).open(path).map_err(io)?;
    let size = file.metadata().map_err(io)?.len();
    let mut start = Vec::with_capacity(16);
    (&file).take(16).read_to_end(&mut start).map_err(io)?;
    match start {
        start if start.is_empty() || start == salt && size >= PAGE => Ok(()),
        start if start == salt => Err(OpenError::Failed { path: path.into(), source: HistoryError::damaged("it is cut short") }),
        start if size.is_multiple_of(PAGE) && !start.starts_with(b"SQLite format 3") => Err(OpenError::WrongKey { path: path.into() }),
        _ => Err(OpenError::NotAHistory { path: path.into() }),
    }
}
/// Its version, 0 for one that was just made; `None`: another program's. Reads the header, so damage shows here first.
fn form(db: &Connection) -> rusqlite::Result<Option<u32>> {
    let tables: u32 = db.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    let id: i64 = db.pragma_query_value(None, "application_id", |row| row.get(0))?;
    let version: u32 = db.pragma_query_value(None, "user_version", |row| row.get(0))?;
    Ok(match (id, version) {
        (0, 0) if tables == 0 => Some(0),
        (APPLICATION_ID, 1..) => Some(version),
        _ => None,
    })
}
/// In one transaction: a crash leaves the old form.
fn migrate(db: &mut Connection, from: u32, to: u32, me: &Address) -> rusqlite::Result<()> {
    if from == to {
        return Ok(());
    }
    let step = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
    for migration in MIGRATIONS.iter().skip(usize::try_from(from).unwrap_or(usize::MAX)) {
        migration(&step)?;
    }
    if from == 0 {
        step.execute("INSERT INTO settings (name, value) VALUES ('account', ?1)", [me.as_str()])?;
    }
    step.pragma_update(None, "application_id", APPLICATION_ID)?;
    step.pragma_update(None, "user_version", to)?;
    step.commit()
}
