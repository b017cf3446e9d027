//! The history on its way elsewhere: into a sealed file, to another device of the account.
use super::*;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// `backup`, `restore`
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sealed {
    /// The file, on the disk of the program.
    pub path: PathBuf,
    /// What it is sealed with.
    pub passphrase: String,
    /// A backup may take the place of a file that is there.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub replace: bool,
    /// Of which account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
}
impl std::fmt::Debug for Sealed {
    /// Without the passphrase.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sealed").field("path", &self.path).finish_non_exhaustive()
    }
}
of_account!(Sealed);

/// The answer to `backup` and `restore`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    /// How many messages are in the file, or came out of it that were not here.
    pub messages: u64,
}
/// `history_progress`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HistoryProgress {
    /// Which account's.
    pub account: String,
    /// The other device; left out: a file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device: Option<DeviceNumber>,
    /// Messages so far.
    pub done: u64,
    /// How many there are, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub of: Option<u64>,
    /// From here to there.
    pub outgoing: bool,
}
told!(HistoryProgress);
