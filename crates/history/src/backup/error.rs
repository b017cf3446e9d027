//! Why there is no backup, or none to restore.
use super::PASSPHRASE;
use crate::error::HistoryError;
use std::path::PathBuf;
use subrosa_engine::{Coded, Fault};

/// Why a backup was not made, opened or restored.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BackupError {
    /// Too short, or too much the same.
    #[error("the passphrase is too weak: take at least {PASSPHRASE} characters, five or six words that do not belong together")]
    WeakPassphrase,
    /// A section that is larger than it may be.
    #[error("{0} is too large for a backup: settings have at most 4 KiB, and there are at most 1000 of them")]
    SectionTooLarge(String),
    /// The passphrase is another.
    #[error("the passphrase does not open {}: type the one that it was made with (or its first bytes were changed)", path.display())]
    WrongPassphrase {
        /// The backup.
        path: PathBuf,
    },
    /// The file is something else.
    #[error("{} is not a backup of Subrosa: choose another file", path.display())]
    NotABackup {
        /// The file.
        path: PathBuf,
    },
    /// Its end is missing.
    #[error("{} was cut short, nothing was restored: copy it again from where it was made", path.display())]
    Truncated {
        /// The backup.
        path: PathBuf,
    },
    /// It is not as it was written.
    #[error("{} was changed after it was made, or the disk damaged it; nothing was restored: take another copy", path.display())]
    Changed {
        /// The backup.
        path: PathBuf,
    },
    /// A newer Subrosa made it.
    #[error("{} was made by a newer Subrosa (form {found}, this one knows {known}): update Subrosa", path.display())]
    Newer {
        /// The backup.
        path: PathBuf,
        /// Its version.
        found: u8,
        /// The newest that this program knows.
        known: u8,
    },
    /// It asks for more memory or time than any backup of ours.
    #[error("{} asks for more memory or time than a backup may (256 MiB); nothing was tried: it was not made by Subrosa, or it was changed", path.display())]
    TooExpensive {
        /// The backup.
        path: PathBuf,
    },
    /// It is of another account.
    #[error("the backup is of {found}: restore it for that account")]
    OtherAccount {
        /// Whose it is.
        found: String,
    },
    /// The file can't be read or written.
    #[error("can't use {}: {source}", path.display())]
    Io {
        /// The backup.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// There is not enough memory for Argon2id.
    #[error("there is not enough memory to seal or open a backup (64 MiB): close other programs and try again")]
    NoMemory,
    /// The history itself.
    #[error(transparent)]
    Store(#[from] HistoryError),
}
impl Coded for BackupError {
    fn code(&self) -> &'static str {
        match self {
            BackupError::WeakPassphrase => "backup.weak-passphrase",
            BackupError::SectionTooLarge(_) => "backup.section-too-large",
            BackupError::WrongPassphrase { .. } => "backup.wrong-passphrase",
            BackupError::NotABackup { .. } => "backup.not-a-backup",
            BackupError::Truncated { .. } => "backup.truncated",
            BackupError::Changed { .. } => "backup.changed",
            BackupError::Newer { .. } => "backup.newer",
            BackupError::TooExpensive { .. } => "backup.too-expensive",
            BackupError::OtherAccount { .. } => "backup.other-account",
            BackupError::Io { .. } => "backup.io",
            BackupError::NoMemory => "backup.no-memory",
            BackupError::Store(e) => e.code(),
        }
    }
    fn fault(&self) -> Fault {
        match self {
            BackupError::WeakPassphrase | BackupError::SectionTooLarge(_) | BackupError::WrongPassphrase { .. } => Fault::Caller,
            BackupError::NotABackup { .. } | BackupError::OtherAccount { .. } | BackupError::Newer { .. } => Fault::Caller,
            _ => Fault::Store,
        }
    }
}
