//! `<encrypted>` and the elements that stand beside it in a message (XEP-0384 §5.5, XEP-0380, XEP-0334).
use super::{Version, WireError};

/// What the children of a `<message>` hold for us.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Message {
    /// The encrypted element. Where a message has one of each version: the one with a key for us, OMEMO 2 before legacy.
    pub encrypted: Option<Encrypted>,
    /// The namespace that Explicit Message Encryption names: how to say what it is that we cannot read.
    pub encryption: Option<String>,
    /// The `<body>` in clear: a fallback text beside an encrypted element, never the message.
    pub body: Option<String>,
}

/// `<encrypted>`, as far as it concerns one device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Encrypted {
    /// Which OMEMO.
    pub version: Version,
    /// The sender's device.
    pub sid: u32,
    /// The message keys addressed to us. Several where devices of different accounts share our id (legacy): try each.
    pub keys: Vec<Key>,
    /// How many keys there are for others.
    pub others: usize,
    /// Of any length. Legacy only, and there whenever there is a payload.
    pub iv: Option<Vec<u8>>,
    /// `None`: key transport, or an empty message.
    pub payload: Option<Vec<u8>>,
}

/// One `<key>`: a message of the double ratchet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    /// It starts a session. In OMEMO 2 what the bytes say counts more than the attribute, which some peers forget.
    pub kex: bool,
    /// The serialised ratchet message.
    pub data: Vec<u8>,
}

/// Reads the children of a `<message>`, serialised one after the other, on behalf of the device `device` of `jid` (bare).
/// Keys of others are counted, not decoded.
pub fn parse(children: &[u8], jid: &str, device: u32) -> Result<Message, WireError> {
    let _ = (children, jid, device);
    Err(WireError::NotXml)
}

/// Writes `<encrypted>` key by key, straight into the bytes that are sent.
#[derive(Debug)]
pub struct Builder {
    version: Version,
    out: Vec<u8>,
}

impl Builder {
    /// A legacy element from the device `sid`. It has an IV even without a payload: peers insist.
    /// `devices` is how many keys are to be expected.
    #[must_use]
    pub fn legacy(sid: u32, iv: &[u8; 12], devices: usize) -> Self {
        let _ = (sid, iv, devices);
        Builder { version: Version::Legacy, out: Vec::new() }
    }
    /// An OMEMO 2 element from the device `sid`. `devices` is how many keys are to be expected.
    #[must_use]
    pub fn omemo2(sid: u32, devices: usize) -> Self {
        let _ = (sid, devices);
        Builder { version: Version::Omemo2, out: Vec::new() }
    }
    /// Which OMEMO.
    #[must_use]
    pub fn version(&self) -> Version {
        self.version
    }
    /// The keys that follow are for devices of `jid` (bare). Call once for each person, before their keys; legacy ignores it.
    pub fn recipient(&mut self, jid: &str) {
        let _ = jid;
    }
    /// Adds a ratchet message for the device `rid`; `kex` if it starts a session.
    pub fn key(&mut self, rid: u32, kex: bool, message: &[u8]) {
        let _ = (rid, kex, message);
    }
    /// How many keys were added. An element without any is against the schema: don't send it.
    #[must_use]
    pub fn keys(&self) -> usize {
        0
    }
    /// The element by itself.
    #[must_use]
    pub fn element(self, payload: Option<&[u8]>) -> Vec<u8> {
        let _ = payload;
        self.out
    }
    /// The children of a `<message>`: the element, a hint to store it, and beside a payload what tells others what it is.
    #[must_use]
    pub fn message(self, payload: Option<&[u8]>) -> Vec<u8> {
        let _ = payload;
        self.out
    }
}
