//! Why a transfer ended before its end: one enum per operation, and what a cipher can do wrong in both.
use std::io::{Error, ErrorKind};
use subrosa_engine::{Coded, Fault, Status};

/// What the cipher of a transfer did, or said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CipherError {
    /// It said no: the key, the tag or the bytes are not what they should be, or it has its own reasons.
    #[error("the encryption engine refused the file with {}: it was changed on the way, or the key is another's; send it again", .0.code())]
    Refused(Status),
    /// It says that it took more bytes than there were.
    #[error("the encryption engine took {taken} bytes where {offered} were offered: a bug in the engine, tell its author")]
    Overrun {
        /// Bytes.
        offered: usize,
        /// Bytes.
        taken: usize,
    },
    /// It takes nothing, however much it is offered.
    #[error("the encryption engine took nothing of {offered} bytes: a bug in the engine, tell its author")]
    Stalled {
        /// Bytes.
        offered: usize,
    },
    /// It did not take the last bytes, after which nothing comes.
    #[error("the encryption engine left the last {left} bytes of the file: it does not take its size, or has a bug")]
    LeftOver {
        /// Bytes.
        left: usize,
    },
    /// It took away from the output instead of adding to it.
    #[error("the encryption engine removed bytes that it had given before: a bug in the engine, tell its author")]
    TookBack,
    /// It panicked.
    #[error("the encryption engine panicked: a bug in the engine, tell its author")]
    Panicked,
}
impl CipherError {
    fn code(self) -> &'static str {
        match self {
            CipherError::Refused(_) => "file.refused",
            CipherError::Overrun { .. } => "file.overrun",
            CipherError::Stalled { .. } => "file.stalled",
            CipherError::LeftOver { .. } => "file.left-over",
            CipherError::TookBack => "file.took-back",
            CipherError::Panicked => "file.panicked",
        }
    }
    /// `refused`: whose fault it is when the cipher says no.
    fn fault(self, refused: Fault) -> Fault {
        if let CipherError::Refused(_) = self { refused } else { Fault::Bug }
    }
}

/// Why a file was not sent. Nothing of it counts, whatever has left already.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SendError {
    /// The cipher.
    #[error(transparent)]
    Cipher(#[from] CipherError),
    /// There is more of it than was said.
    #[error("the file is longer than the {declared} bytes that it had: it was changed while it was sent; send it again")]
    Longer {
        /// Bytes.
        declared: u64,
    },
    /// There is less of it than was said.
    #[error("the file ended after {read} of its {declared} bytes: it was changed while it was sent; send it again")]
    Shorter {
        /// Bytes.
        declared: u64,
        /// Bytes.
        read: u64,
    },
    /// It can't be read.
    #[error("the file can't be read any more ({0}): check the disk and send it again")]
    Read(#[source] Error),
    /// Whoever took its bytes stopped before the end.
    #[error("the transfer was given up before the end of the file: check the connection and send it again")]
    Abandoned,
}
impl Coded for SendError {
    fn code(&self) -> &'static str {
        match self {
            SendError::Cipher(e) => e.code(),
            SendError::Longer { .. } => "file.longer",
            SendError::Shorter { .. } => "file.shorter",
            SendError::Read(_) => "file.read",
            SendError::Abandoned => "file.abandoned",
        }
    }
    fn fault(&self) -> Fault {
        match self {
            SendError::Cipher(e) => e.fault(Fault::Caller),
            SendError::Longer { .. } | SendError::Shorter { .. } => Fault::Caller,
            SendError::Read(_) => Fault::Store,
            SendError::Abandoned => Fault::Network,
        }
    }
}

/// Why a file was not received. Nothing of it is left.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReceiveError {
    /// The cipher.
    #[error(transparent)]
    Cipher(#[from] CipherError),
    /// There is more of it than was said.
    #[error("the file is longer than the {declared} bytes that its sender named: ask them to send it again")]
    Longer {
        /// Bytes.
        declared: u64,
    },
    /// There is less of it than was said.
    #[error("the file ended after {received} of its {declared} bytes: check the connection and receive it again")]
    Shorter {
        /// Bytes.
        declared: u64,
        /// Bytes.
        received: u64,
    },
    /// More bytes came than a file of its size can need.
    #[error("the server sent more than {limit} bytes, which is more than the file can need: ask the sender to send it again")]
    WireTooLong {
        /// Bytes.
        limit: u64,
    },
    /// It can't be kept.
    #[error(transparent)]
    Spool(#[from] SpoolError),
}
impl Coded for ReceiveError {
    fn code(&self) -> &'static str {
        match self {
            ReceiveError::Cipher(e) => e.code(),
            ReceiveError::Longer { .. } => "file.longer",
            ReceiveError::Shorter { .. } => "file.shorter",
            ReceiveError::WireTooLong { .. } => "file.wire-too-long",
            ReceiveError::Spool(e) => e.code(),
        }
    }
    fn fault(&self) -> Fault {
        match self {
            ReceiveError::Cipher(e) => e.fault(Fault::Peer),
            ReceiveError::Longer { .. } | ReceiveError::WireTooLong { .. } => Fault::Peer,
            ReceiveError::Shorter { .. } => Fault::Network,
            ReceiveError::Spool(e) => e.fault(),
        }
    }
}

/// Why a file can't be kept.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SpoolError {
    /// No room.
    #[error("the disk is full, nothing was kept: free some space and receive the file again")]
    Full(#[source] Error),
    /// No right.
    #[error("the directory can't be written: give yourself the right to write there, or choose another")]
    ReadOnly(#[source] Error),
    /// No directory.
    #[error("the directory does not exist: make it, or choose another")]
    NoDirectory(#[source] Error),
    /// The name is taken.
    #[error("{name} exists: choose another name, or allow that it is replaced")]
    Exists {
        /// The name.
        name: String,
    },
    /// Anything else.
    #[error("the file can't be kept ({0}): check the disk and receive it again")]
    Other(#[source] Error),
}
impl Coded for SpoolError {
    fn code(&self) -> &'static str {
        match self {
            SpoolError::Full(_) => "file.disk-full",
            SpoolError::ReadOnly(_) => "file.read-only",
            SpoolError::NoDirectory(_) => "file.no-directory",
            SpoolError::Exists { .. } => "file.exists",
            SpoolError::Other(_) => "file.disk",
        }
    }
    fn fault(&self) -> Fault {
        if let SpoolError::Exists { .. } = self { Fault::Caller } else { Fault::Store }
    }
}
impl From<Error> for SpoolError {
    fn from(e: Error) -> Self {
        match e.kind() {
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded => SpoolError::Full(e),
            ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => SpoolError::ReadOnly(e),
            ErrorKind::NotFound | ErrorKind::NotADirectory => SpoolError::NoDirectory(e),
            _ => SpoolError::Other(e),
        }
    }
}
