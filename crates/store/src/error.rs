//! Why a store does not open, and why it fails later: each a sentence that says what happened and what to do.
use rusqlite::ErrorCode;
use std::path::PathBuf;
use subrosa_engine::{Coded, Fault};

/// What SQLite or the system said, for the log.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct Cause(Inner);
#[derive(Debug, thiserror::Error)]
enum Inner {
    #[error(transparent)]
    Sqlite(rusqlite::Error),
    #[error(transparent)]
    Io(std::io::Error),
}

/// Why a store did not open. Nothing was changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// Another process, or another handle of this one, has it.
    #[error("{} is in use by {}: stop that one first", path.display(), pid.map_or("another program".into(), |pid| format!("process {pid}")))]
    InUse {
        /// The database.
        path: PathBuf,
        /// The process that has it, where that can be told.
        pid: Option<u32>,
    },
    /// The key does not belong to the database.
    #[error("the key does not open {}: give it the key that it was made with", path.display())]
    WrongKey {
        /// The database.
        path: PathBuf,
    },
    /// The file is something else.
    #[error("{} is not a database of Subrosa: choose another place, or move that file away", path.display())]
    NotADatabase {
        /// The file.
        path: PathBuf,
    },
    /// The database does not read as it was written.
    #[error("{} is damaged: keep a copy, then restore a backup or log in as a new device", path.display())]
    Damaged {
        /// The database.
        path: PathBuf,
        /// How that was seen.
        source: Option<Cause>,
    },
    /// A newer Subrosa wrote it.
    #[error("{} was written by a newer Subrosa (form {found}, this one knows {known}): update Subrosa", path.display())]
    Newer {
        /// The database.
        path: PathBuf,
        /// Its version.
        found: u32,
        /// The newest that this program knows.
        known: u32,
    },
    /// The file or its directory can't be written.
    #[error("{} can't be written: give yourself the right to write there, or choose another place", path.display())]
    ReadOnly {
        /// The database.
        path: PathBuf,
        /// What the system said.
        source: Cause,
    },
    /// There is no room to open it.
    #[error("the disk is full, {} can't be opened: free some space and try again", path.display())]
    Full {
        /// The database.
        path: PathBuf,
        /// What the system said.
        source: Cause,
    },
    /// Its directory does not exist.
    #[error("there is no directory for {}: make it first", path.display())]
    NoDirectory {
        /// The database.
        path: PathBuf,
    },
    /// Anything else.
    #[error("can't open {}: {source}", path.display())]
    Other {
        /// The database.
        path: PathBuf,
        /// What the system said.
        source: Cause,
    },
}
impl Coded for OpenError {
    fn code(&self) -> &'static str {
        match self {
            OpenError::InUse { .. } => "store.in-use",
            OpenError::WrongKey { .. } => "store.wrong-key",
            OpenError::NotADatabase { .. } => "store.not-a-database",
            OpenError::Damaged { .. } => "store.damaged",
            OpenError::Newer { .. } => "store.newer",
            OpenError::ReadOnly { .. } => "store.read-only",
            OpenError::Full { .. } => "store.full",
            OpenError::NoDirectory { .. } => "store.no-directory",
            OpenError::Other { .. } => "store.open",
        }
    }
    fn fault(&self) -> Fault {
        Fault::Store
    }
}

/// Why a load or a commit failed. A commit that failed changed nothing.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// No room.
    #[error("the disk is full, nothing was stored: free some space and try again")]
    Full(#[source] Cause),
    /// It became read-only.
    #[error("the database can't be written any more, nothing was stored: give yourself the right to write there")]
    ReadOnly(#[source] Cause),
    /// It does not read as it was written.
    #[error("the database is damaged: keep a copy, then restore a backup or log in as a new device")]
    Damaged(#[source] Cause),
    /// The disk failed.
    #[error("the disk failed ({0}), nothing was stored: try again, and check the disk")]
    Io(#[source] Cause),
    /// Anything else.
    #[error("the database failed, nothing was stored: {0}")]
    Other(#[source] Cause),
}
impl Coded for StoreError {
    fn code(&self) -> &'static str {
        match self {
            StoreError::Full(_) => "store.full",
            StoreError::ReadOnly(_) => "store.read-only",
            StoreError::Damaged(_) => "store.damaged",
            StoreError::Io(_) => "store.io",
            StoreError::Other(_) => "store.failed",
        }
    }
    fn fault(&self) -> Fault {
        Fault::Store
    }
}
impl From<rusqlite::Error> for StoreError {
    fn from(e: rusqlite::Error) -> Self {
        let code = e.sqlite_error_code();
        let cause = Cause(Inner::Sqlite(e));
        match code {
            Some(ErrorCode::DiskFull) => StoreError::Full(cause),
            Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => StoreError::ReadOnly(cause),
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => StoreError::Damaged(cause),
            Some(ErrorCode::SystemIoFailure | ErrorCode::CannotOpen) => StoreError::Io(cause),
            _ => StoreError::Other(cause),
        }
    }
}
impl From<std::io::Error> for StoreError {
    fn from(e: std::io::Error) -> Self {
        StoreError::Io(Cause(Inner::Io(e)))
    }
}
impl OpenError {
    pub(crate) fn sqlite(path: PathBuf, e: rusqlite::Error) -> Self {
        match StoreError::from(e) {
            StoreError::Full(source) => OpenError::Full { path, source },
            StoreError::ReadOnly(source) => OpenError::ReadOnly { path, source },
            StoreError::Damaged(source) => OpenError::Damaged { path, source: Some(source) },
            StoreError::Io(source) | StoreError::Other(source) => OpenError::Other { path, source },
        }
    }
    pub(crate) fn io(path: PathBuf, e: std::io::Error) -> Self {
        use std::io::ErrorKind as K;
        let kind = e.kind();
        let source = Cause(Inner::Io(e));
        match kind {
            K::PermissionDenied | K::ReadOnlyFilesystem => OpenError::ReadOnly { path, source },
            K::StorageFull | K::QuotaExceeded => OpenError::Full { path, source },
            K::NotFound => OpenError::NoDirectory { path },
            K::IsADirectory => OpenError::NotADatabase { path },
            _ => OpenError::Other { path, source },
        }
    }
}
impl StoreError {
    pub(crate) fn damaged(how: String) -> Self {
        StoreError::Damaged(Cause(Inner::Io(std::io::Error::other(how))))
    }
}
