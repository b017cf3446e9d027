//! The stores of other programs, read: an identity that is to go on here. Pure functions from bytes to [`Imported`]; what is wrong with
//! a file is said in a sentence, and nothing of a file that is wrong is used.
mod profanity;
mod python_omemo;

use subrosa_engine::{Coded, Fault};
use subrosa_omemo::Imported;
use zeroize::Zeroizing;

/// The largest file that is read.
pub const MAX_FILE: usize = 64 * 1024 * 1024;

/// Whose store it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// Profanity: `identity.txt` below `$XDG_DATA_HOME/profanity/omemo/ACCOUNT/`.
    Profanity,
    /// python-omemo, as one JSON object: what its storage has, by name.
    PythonOmemo,
}
impl Source {
    /// All of them.
    #[cfg(test)]
    pub const ALL: [Source; 2] = [Source::Profanity, Source::PythonOmemo];

    /// As it is written on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Source::Profanity => "profanity",
            Source::PythonOmemo => "python-omemo",
        }
    }
}

/// Why a file is not used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// Larger than [`MAX_FILE`].
    #[error("the file has {0} bytes, far more than such a store has; check that it is the right one")]
    TooLarge(usize),
    /// Not of the form that the program writes.
    #[error("this is not what {program} writes ({why}{}); check that it is the right file", place(*line))]
    Form {
        /// Whose form was expected.
        program: &'static str,
        /// What is wrong.
        why: &'static str,
        /// Where, from 1; 0: nowhere in particular.
        line: usize,
    },
    /// Something that has to be there is not.
    #[error("the file has no {0}; start the other program once so that it makes its keys, and check that it is the right file")]
    Missing(&'static str),
    /// Something is there and is not what it has to be.
    #[error("{0} in the file is damaged; restore it from a copy that the other program can still read")]
    Damaged(&'static str),
}
fn place(line: usize) -> String {
    if line == 0 { String::new() } else { format!(", line {line}") }
}
impl Coded for ReadError {
    fn code(&self) -> &'static str {
        match self {
            ReadError::TooLarge(_) => "import.too-large",
            ReadError::Form { .. } => "import.form",
            ReadError::Missing(_) => "import.missing",
            ReadError::Damaged(_) => "import.damaged",
        }
    }
    fn fault(&self) -> Fault {
        Fault::Caller
    }
}

/// Reads a store. What it gives goes to [`subrosa_omemo::Omemo::import`], which looks at it again.
///
/// # Errors
/// [`ReadError`]: nothing of it is to be used.
pub fn read(source: Source, file: &[u8]) -> Result<Imported, ReadError> {
    if file.len() > MAX_FILE {
        return Err(ReadError::TooLarge(file.len()));
    }
    match source {
        Source::Profanity => profanity::read(file),
        Source::PythonOmemo => python_omemo::read(file),
    }
}

/// A private key of the right length.
fn private(bytes: &[u8], what: &'static str) -> Result<Zeroizing<[u8; 32]>, ReadError> {
    bytes.try_into().map(Zeroizing::new).map_err(|_| ReadError::Damaged(what))
}
/// A Curve25519 key, with libsignal's type byte or without.
fn public(bytes: &[u8], what: &'static str) -> Result<[u8; 32], ReadError> {
    let bare = if let [5, bare @ ..] = bytes
        && bare.len() == 32
    {
        bare
    } else {
        bytes
    };
    bare.try_into().map_err(|_| ReadError::Damaged(what))
}

#[cfg(test)]
mod tests;
