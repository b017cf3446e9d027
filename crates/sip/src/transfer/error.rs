//! Why a transfer failed: what it was doing, what happened, and who can do what about it.
use crate::BodyError;
use std::fmt;
use std::time::Duration;
use subrosa_engine::{Coded, Fault};
use subrosa_files::{ReceiveError, SendError, SpoolError};

/// What a transfer was doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Asking the server whether it takes a file.
    Opening,
    /// Giving it the file, or waiting for where it lies.
    Uploading,
    /// Fetching it.
    Downloading,
    /// Checking and keeping what was fetched.
    Saving,
}
impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Stage::Opening => "asking the file server",
            Stage::Uploading => "uploading the file",
            Stage::Downloading => "downloading the file",
            Stage::Saving => "saving the file",
        })
    }
}

/// A transfer that failed. Nothing was offered to anybody; nothing is left in the directory.
#[derive(Debug, thiserror::Error)]
#[error("{stage}: {cause}")]
pub struct TransferError {
    /// What it was doing.
    pub stage: Stage,
    /// What happened.
    #[source]
    pub cause: Cause,
}

/// What ended a transfer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Cause {
    /// Not an address of the web.
    #[error("{0:?} is not an http or https address without user and password: correct it")]
    Url(String),
    /// There are none, or they can't be read.
    #[error("the certificates that are trusted can't be used: {0}")]
    Roots(String),
    /// No connection.
    #[error("{host} can't be reached ({cause}): check the address and the network, then try again")]
    Unreachable {
        /// Whose.
        host: String,
        /// What the system said.
        cause: String,
    },
    /// It ended, or is no HTTP.
    #[error("the connection to {host} broke ({cause}): try again; if it stays so, tell the operator of the server")]
    Broken {
        /// Whose.
        host: String,
        /// What was seen.
        cause: String,
    },
    /// Nothing moved.
    #[error("the server did nothing for {} ms: try again later, or allow more time", .0.as_millis())]
    Idle(Duration),
    /// It moved, too slowly.
    #[error("the transfer was not done within {} ms: try again on a better network, or allow more time", .0.as_millis())]
    TooSlow(Duration),
    /// The server points elsewhere. Not followed: who reads this decides whether that is a server of theirs.
    #[error("the server points to {0}, which is not followed: if that is the right server, use its address")]
    Redirected(String),
    /// It wants a name and password, or does not take them.
    #[error("the server wants a user name and a password, or refuses those it got: set them for its host")]
    Unauthorized,
    /// It said no.
    #[error("the server answered {code}{}", hint(*.code))]
    Status {
        /// The HTTP status.
        code: u16,
    },
    /// It compressed what must not be compressed.
    #[error("the server sent the file encoded as {0:?}, which was not asked for: tell its operator")]
    Encoded(String),
    /// Its answer to an upload can't be read.
    #[error("the server's answer to the upload can't be understood: {0}; tell its operator")]
    Answer(#[from] BodyError),
    /// It says that the file lies with somebody else.
    #[error("the server says that the file lies at {0}, another host: allow that host if it belongs to the server")]
    OtherHost(String),
    /// What was offered lies on this machine or in a network that is not public.
    #[error("the file is said to lie at {0}, which is on this machine or in a network that is not public: allow that host if it is a file server")]
    Inside(String),
    /// It is reached by https, and says that the file is to be had by http.
    #[error("the server was reached by https, and gives the file out by http only: tell its operator")]
    Downgrade,
    /// What it has or gives is not as long as the file.
    #[error("the server speaks of {said} bytes where {expected} are right: the file was cut or changed on its way; send it again")]
    Size {
        /// Bytes.
        said: u64,
        /// Bytes.
        expected: u64,
    },
    /// More than is accepted.
    #[error("the file has {size} bytes, more than the {limit} that are allowed: raise the limit or ask for a smaller one")]
    TooLarge {
        /// Bytes.
        size: u64,
        /// Bytes.
        limit: u64,
    },
    /// The cipher's output is longer or shorter than the file.
    #[error("the encryption engine changes the length of files ({expected} bytes were announced): choose the chunked body for it")]
    Length {
        /// Bytes.
        expected: u64,
    },
    /// The file to be sent can't be opened.
    #[error("the file can't be opened ({0}): choose another")]
    Open(#[source] std::io::Error),
    /// The file or its cipher.
    #[error(transparent)]
    Send(#[from] SendError),
    /// The file or its cipher.
    #[error(transparent)]
    Receive(#[from] ReceiveError),
    /// It can't be kept.
    #[error(transparent)]
    Spool(#[from] SpoolError),
    /// This program.
    #[error("this program failed ({0}): report it")]
    Bug(String),
}
/// What the codes mean with these servers.
fn hint(code: u16) -> &'static str {
    match code {
        400 | 413 => ": the file is probably too large for it; send a smaller one",
        403 => ": it does not let this account do that; ask its operator",
        404 | 410 => ": the file is not there, or not any more; ask for it to be sent again",
        405 | 501 => ": it is no file server; correct its address",
        411 => ": it wants to know the length beforehand; choose the body of known length",
        500.. => ": it has a problem; try again later",
        _ => ", which is no answer to this; tell its operator",
    }
}
impl Cause {
    pub(super) fn during(self, stage: Stage) -> TransferError {
        TransferError { stage, cause: self }
    }
}
impl Coded for TransferError {
    fn code(&self) -> &'static str {
        match &self.cause {
            Cause::Url(_) => "transfer.url",
            Cause::Roots(_) => "transfer.roots",
            Cause::Unreachable { .. } => "transfer.unreachable",
            Cause::Broken { .. } => "transfer.broken",
            Cause::Idle(_) => "transfer.idle",
            Cause::TooSlow(_) => "transfer.too-slow",
            Cause::Redirected(_) => "transfer.redirected",
            Cause::Unauthorized => "transfer.unauthorized",
            Cause::Status { .. } => "transfer.status",
            Cause::Encoded(_) => "transfer.encoded",
            Cause::Answer(_) => "transfer.answer",
            Cause::OtherHost(_) => "transfer.other-host",
            Cause::Inside(_) => "transfer.inside",
            Cause::Downgrade => "transfer.downgrade",
            Cause::Size { .. } => "transfer.size",
            Cause::TooLarge { .. } => "transfer.too-large",
            Cause::Length { .. } => "transfer.length",
            Cause::Open(_) => "transfer.open",
            Cause::Send(e) => e.code(),
            Cause::Receive(e) => e.code(),
            Cause::Spool(e) => e.code(),
            Cause::Bug(_) => "transfer.bug",
        }
    }
    fn fault(&self) -> Fault {
        match &self.cause {
            Cause::Url(_) | Cause::Roots(_) | Cause::Unauthorized | Cause::TooLarge { .. } | Cause::Length { .. } => Fault::Caller,
            Cause::Open(_) => Fault::Store,
            Cause::Send(e) => e.fault(),
            Cause::Receive(e) => e.fault(),
            Cause::Spool(e) => e.fault(),
            Cause::Bug(_) => Fault::Bug,
            _ => Fault::Network,
        }
    }
}
