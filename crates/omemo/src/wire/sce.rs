//! Stanza Content Encryption: the envelope inside an OMEMO 2 payload (XEP-0420 0.5.0).
use super::WireError;
use rand_core::CryptoRng;
use subrosa_engine::Time;
use zeroize::Zeroizing;

/// The affix elements that we write, and the content.
#[derive(Clone, Copy)]
pub struct Outgoing<'a> {
    /// A run of elements, serialised, each with its namespace.
    pub content: &'a [u8],
    /// Our bare address.
    pub from: &'a str,
    /// The bare address of the chat. A must in groups.
    pub to: Option<&'a str>,
    /// When it is sent.
    pub time: Time,
}

/// An envelope that was read. What it claims is not compared with anything yet (XEP-0420 §5).
#[derive(Clone)]
pub struct Envelope {
    /// A run of elements, serialised, each with its namespace. Elements that must not come encrypted (hints, stanza ids,
    /// Explicit Message Encryption) are not among them.
    pub content: Zeroizing<Vec<u8>>,
    /// The sender's address as the sender wrote it.
    pub from: Option<String>,
    /// The recipient's address as the sender wrote it.
    pub to: Option<String>,
    /// When the sender says it was sent.
    pub time: Option<Time>,
    /// There is an `<rpad>`.
    pub padded: bool,
}

/// Writes an envelope with random padding.
#[must_use]
pub fn write(envelope: &Outgoing<'_>, rng: &mut dyn CryptoRng) -> Zeroizing<Vec<u8>> {
    let _ = (envelope, rng);
    Zeroizing::default()
}

/// Reads an envelope.
pub fn parse(xml: &[u8]) -> Result<Envelope, WireError> {
    let _ = xml;
    Err(WireError::NotXml)
}

/// A text message as content: `<body xmlns='jabber:client'>`. Characters that XML cannot hold become U+FFFD.
#[must_use]
pub fn text(body: &str) -> Zeroizing<Vec<u8>> {
    let _ = body;
    Zeroizing::default()
}

/// The text of a content, if it has a body.
pub fn body(content: &[u8]) -> Result<Option<Zeroizing<String>>, WireError> {
    let _ = content;
    Err(WireError::NotXml)
}
