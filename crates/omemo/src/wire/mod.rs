//! OMEMO as XML, in both namespaces (XEP-0384 §5, XEP-0420): what arrives is read into plain types, what leaves is written
//! straight into bytes.
//!
//! Owns the names, the shapes and the limits. Knows no keys' meaning, no trust, no session: a [`bundle::Bundle`] that was read
//! is 32-byte strings that nobody has checked. Tolerant in reading where peers are known to differ, and schema-strict in
//! writing, because peers validate. Everything that arrives may be hostile: input is bounded in size, depth and number, and every refusal
//! is a [`WireError`] that names its cause.
pub mod bundle;
pub mod content;
mod copy;
mod date;
pub mod device_list;
pub mod encrypted;
mod error;
mod plain;
mod read;
pub mod sce;
pub mod trust_message;
mod version;
mod write;

pub use error::WireError;
pub use version::{NodeKind, Version};

/// The longest input that is read.
pub const MAX_BYTES: usize = 256 * 1024;
/// The deepest nesting that is read.
pub const MAX_DEPTH: usize = 32;
/// The highest device or key id (XEP-0384 §5.1, §5.3.2). 0 is accepted from peers, never given out.
pub const MAX_ID: u32 = 0x7fff_ffff;

/// Of elements of our own, which nobody else knows, nor has to: that a message travels in another version too, as a stanza of its own
/// (`also`), and when something was decided that is told later (`decided`).
const OURS: &str = "urn:subrosa:omemo:0";

/// The namespace of a message and of its own children.
const CLIENT: &str = "jabber:client";

/// A device or key id as peers write it.
pub(crate) fn id(element: &'static str, text: &str) -> Result<u32, WireError> {
    let text = text.trim_matches([' ', '\t', '\r', '\n']);
    if text.is_empty() || !text.bytes().all(|b| b.is_ascii_digit()) {
        return Err(WireError::BadId(element));
    }
    text.parse().ok().filter(|id| *id <= MAX_ID).ok_or(WireError::IdOutOfRange(element))
}
