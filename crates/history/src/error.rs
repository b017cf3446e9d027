//! Why a history does not open, and why it fails later: each a sentence that says what happened and what to do.
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
    #[error("{0}")]
    Row(&'static str),
}

/// Why a history did not open. Nothing was changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// Another process, or another handle of this one, has it.
    #[error("{} is in use by another program: stop that one first", path.display())]
    InUse {
        /// The database.
        path: PathBuf,
    },
    /// The key does not belong to the database.
    #[error("the key does not open {}: give it the key that it was made with", path.display())]
    WrongKey {
        /// The database.
        path: PathBuf,
    },
    /// It is another account's.
    #[error("{} is the history of {found}: give that account, or choose another place", path.display())]
    OtherAccount {
        /// The database.
        path: PathBuf,
        /// Whose it is.
        found: String,
    },
    /// The file is something else.
    #[error("{} is not a history of Subrosa: choose another place, or move that file away", path.display())]
    NotAHistory {
        /// The file.
        path: PathBuf,
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
    /// Its directory does not exist.
    #[error("there is no directory for {}: make it first", path.display())]
    NoDirectory {
        /// The database.
        path: PathBuf,
    },
    /// The disk or the database failed.
    #[error("can't open {}: {source}", path.display())]
    Failed {
        /// The database.
        path: PathBuf,
        /// Why.
        source: HistoryError,
    },
}
impl Coded for OpenError {
    fn code(&self) -> &'static str {
        match self {
            OpenError::InUse { .. } => "history.in-use",
            OpenError::WrongKey { .. } => "history.wrong-key",
            OpenError::OtherAccount { .. } => "history.other-account",
            OpenError::NotAHistory { .. } => "history.not-a-history",
            OpenError::Newer { .. } => "history.newer",
            OpenError::NoDirectory { .. } => "history.no-directory",
            OpenError::Failed { source, .. } => source.code(),
        }
    }
    fn fault(&self) -> Fault {
        Fault::Store
    }
}

/// Why a call failed. It changed nothing; neither did the transaction around it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HistoryError {
    /// No room.
    #[error("the disk is full, nothing was stored: free some space and try again")]
    Full(#[source] Cause),
    /// It became read-only.
    #[error("the history can't be written, nothing was stored: give yourself the right to write there")]
    ReadOnly(#[source] Cause),
    /// It does not read as it was written.
    #[error("the history is damaged: keep a copy, then restore a backup or begin a new one")]
    Damaged(#[source] Cause),
    /// The disk failed.
    #[error("the disk failed ({0}), nothing was stored: try again, and check the disk")]
    Io(#[source] Cause),
    /// An earlier call of the same transaction failed.
    #[error("an earlier part of the same transaction failed, nothing of it was stored: try all of it again")]
    Undone,
    /// Anything else.
    #[error("the history failed, nothing was stored: {0}")]
    Other(#[source] Cause),
}
impl HistoryError {
    pub(crate) fn damaged(how: &'static str) -> Self {
        HistoryError::Damaged(Cause(Inner::Row(how)))
    }
}
impl Coded for HistoryError {
    fn code(&self) -> &'static str {
        match self {
            HistoryError::Full(_) => "history.full",
            HistoryError::ReadOnly(_) => "history.read-only",
            HistoryError::Damaged(_) => "history.damaged",
            HistoryError::Io(_) => "history.io",
            HistoryError::Undone => "history.undone",
            HistoryError::Other(_) => "history.failed",
        }
    }
    fn fault(&self) -> Fault {
        Fault::Store
    }
}
impl From<rusqlite::Error> for HistoryError {
    fn from(e: rusqlite::Error) -> Self {
        let code = e.sqlite_error_code();
        let cause = Cause(Inner::Sqlite(e));
        match code {
            Some(ErrorCode::DiskFull) => HistoryError::Full(cause),
            Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => HistoryError::ReadOnly(cause),
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => HistoryError::Damaged(cause),
            Some(ErrorCode::SystemIoFailure | ErrorCode::CannotOpen) => HistoryError::Io(cause),
            _ => HistoryError::Other(cause),
        }
    }
}
impl From<std::io::Error> for HistoryError {
    fn from(e: std::io::Error) -> Self {
        use std::io::ErrorKind as K;
        let kind = e.kind();
        let cause = Cause(Inner::Io(e));
        match kind {
            K::PermissionDenied | K::ReadOnlyFilesystem => HistoryError::ReadOnly(cause),
            K::StorageFull | K::QuotaExceeded => HistoryError::Full(cause),
            _ => HistoryError::Io(cause),
        }
    }
}
