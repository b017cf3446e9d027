//! What the three parts of the web messenger say to each other. Types only: no sockets, no keys, no decisions.
//!
//! ```text
//! page (a tab) ──[page]──► worker (one for all tabs: engine, IndexedDB) ──[http], [socket]──► gateway (XMPP session, SQL)
//! ```
//!
//! # One message, whoever reads it
//! The contract between page and gateway is the life of one [`MessageId`], the same call for clear and encrypted chats:
//!
//! 1. The page makes the id ([`page::Call::Send`]). It is the temporary id, the id of the XMPP stanza, and the key by which everything
//!    else names the message.
//! 2. The worker stores the words and echoes them at once: [`page::Told::Message`] with [`page::State::Sending`].
//! 3. The engine encrypts. Each body goes to the gateway as one [`socket::ToGateway::Send`] (`(id, part)`), and again after every cut
//!    until [`socket::FromGateway::Accepted`] says that the archive has it, at which [`Seq`]. The gateway takes the same `(id, part)` once.
//! 4. The gateway hands the same ciphertext to the account's other browsers as a [`socket::Event::Message`] and to the XMPP server;
//!    when the server has it, [`socket::Event::Progress`] says [`socket::Progress::Sent`], when the contact's device has read it,
//!    [`socket::Progress::Delivered`], when it came back, [`socket::Progress::Failed`].
//! 5. What failed is kept and says why; [`page::Call::Retry`] begins again at 3 with a new encryption under the same id.
//!
//! # Encoding
//! [postcard](https://docs.rs/postcard) of the enum, one value a frame: [`encode`], [`decode`]. It does not describe itself, so both
//! sides name [`VERSION`] first (in the path of the socket, and in [`page::ToWorker::Hello`]) and refuse another one politely.
#![forbid(unsafe_code)]
pub mod http;
pub mod page;
pub mod socket;

use serde::{Deserialize, Serialize, de::DeserializeOwned};

/// The version of everything in this crate. Raised with every change of a type: an old page and a new gateway refuse each other.
pub const VERSION: u32 = 1;
/// The largest frame on the socket, in bytes, either way: a stanza of 256 KiB with room around it.
pub const MAX_FRAME: usize = 300 * 1024;
/// The longest text of one message, in bytes: with base64 and a second version of OMEMO its stanzas stay below what servers take.
pub const MAX_TEXT: usize = 128 * 1024;
/// The longest id of a message, in bytes.
pub const MAX_ID: usize = 256;

/// Names a message: its stanza id. Made by whoever sends it, never by the gateway.
pub type MessageId = String;
/// A bare XMPP address.
pub type Jid = String;

/// The place of something in the account's archive: one counter for an account, never reused. SQL's key with the account, and the order
/// of a chat in IndexedDB.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Seq(pub u64);

/// Milliseconds since 1970.
pub type Millis = u64;

/// What a message is for, as far as it shows outside the envelope.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Kind {
    /// Words.
    Text,
    /// Somebody is writing. Never kept.
    Typing,
    /// Delivered, read.
    Receipt,
    /// Key transport, heartbeats: nothing is shown.
    Other,
}

/// Something did not work: for a person, and for a program.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// Stable: `"login.refused"`.
    pub code: String,
    /// What happened and what to do.
    pub sentence: String,
}
impl Failure {
    /// With a stable code and a sentence that ends with a full stop.
    pub fn new(code: impl Into<String>, sentence: impl Into<String>) -> Self {
        Failure { code: code.into(), sentence: sentence.into() }
    }
}

/// A value as bytes.
pub fn encode<T: Serialize>(value: &T) -> Vec<u8> {
    // these types have no map without a length and nothing else that can fail
    postcard::to_allocvec(value).unwrap_or_default()
}
/// A value from bytes; `None`: damaged, of another version, or with something after it.
pub fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Option<T> {
    let (value, rest) = postcard::take_from_bytes(bytes).ok()?;
    rest.is_empty().then_some(value)
}
