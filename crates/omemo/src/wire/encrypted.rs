//! `<encrypted>` and the elements that stand beside it in a message (XEP-0384 §5.5, XEP-0380, XEP-0334).
use super::content::Beside;
use super::read::{Element, Reader, once};
use super::{CLIENT, MAX_ID, OURS, Version, WireError, date, write};
use subrosa_engine::Time;

/// The most keys with our id that are kept (and later tried); those behind them are taken for others'. Legacy ids are not qualified by
/// an address: so many accounts would have to take ours to hide the good one.
pub const MAX_OWN_KEYS: usize = 32;

/// The most keys of our own to others that are kept.
pub const MAX_SENT_KEYS: usize = 64;

/// What people see whose client cannot read the message. Only legacy: OMEMO 2 forbids it (XEP-0420 §7).
const FALLBACK: &str = "This message is encrypted with OMEMO, and this client cannot read it.";

/// What the children of a `<message>` hold for us.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Message {
    /// The encrypted element. Where a message has one of each version: the one with a key for us, OMEMO 2 before legacy.
    pub encrypted: Option<Encrypted>,
    /// The namespace that Explicit Message Encryption names: how to say what it is that we cannot read.
    pub encryption: Option<String>,
    /// The `<body>` in clear: a fallback text beside an encrypted element, never the message.
    pub body: Option<String>,
    /// There is an envelope in clear (XEP-0420), which belongs inside of the encryption only.
    pub envelope: bool,
    /// It says that the same message came in another version too ([`Builder::also`]).
    pub also: bool,
    /// Nobody is to keep it (XEP-0334): it says that somebody is writing, or the like.
    pub transient: bool,
    /// What stands in clear beside it that may belong to it.
    pub beside: Beside,
    /// Since when it waited (XEP-0203), by the earliest of those who say so: anybody on the way, the sender among them.
    pub said: Option<Time>,
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
    /// Those, where `sid` is the device that reads: what it sent itself. At most [`MAX_SENT_KEYS`].
    pub sent: Vec<SentKey>,
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

/// A `<key>` of our own to another device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SentKey {
    /// Whose device; legacy does not say.
    pub jid: Option<String>,
    /// Which.
    pub rid: u32,
    /// The serialised ratchet message.
    pub data: Vec<u8>,
}

/// Whom a message is read for.
#[derive(Clone, Copy)]
struct Reading<'a> {
    jid: &'a str,
    device: u32,
}

/// Reads the children of a `<message>`, serialised one after the other, on behalf of the device `device` of `jid` (bare).
/// Keys of others are counted, not decoded. A message without `<encrypted>` is not an error.
///
/// # Errors
/// [`WireError`]: not XML, beyond the limits, or every `<encrypted>` in it is malformed.
pub fn parse(children: &[u8], jid: &str, device: u32) -> Result<Message, WireError> {
    let mut reader = Reader::children(children)?;
    let own = Reading { jid, device };
    let mut message = Message::default();
    let mut malformed = None;
    while let Some(element) = reader.child()? {
        let outside = reader.depth().saturating_sub(1);
        match (element.name.as_str(), element.namespace.as_str()) {
            ("encrypted", namespace) => {
                if let Some(version) = Version::from_namespace(namespace) {
                    match own.encrypted(version, &mut reader) {
                        Ok(found) => {
                            if message.encrypted.as_ref().is_none_or(|present| worth(&found) > worth(present)) {
                                message.encrypted = Some(found);
                            }
                        }
                        Err(fatal @ (WireError::NotXml | WireError::TooDeep)) => return Err(fatal),
                        Err(error) => malformed = malformed.or(Some(error)),
                    }
                }
            }
            ("also", OURS) => message.also = true,
            ("delay", "urn:xmpp:delay") => {
                let stamp = element.attribute("stamp").and_then(|stamp| date::parse(stamp.trim()).ok());
                message.said = message.said.into_iter().chain(stamp).min();
            }
            ("no-store", "urn:xmpp:hints") => message.transient = true,
            ("encryption", "urn:xmpp:eme:0") if message.encryption.is_none() => {
                message.encryption = element.attribute("namespace").map(str::to_owned);
            }
            ("envelope", super::sce::SCE) => message.envelope = true,
            ("body", CLIENT) if message.body.is_none() => message.body = Some(std::mem::take(&mut *reader.text()?)),
            _ => drop(message.beside.take(&element, &mut reader)?),
        }
        reader.leave(outside)?;
    }
    reader.next()?;
    match (&message.encrypted, malformed) {
        (None, Some(error)) => Err(error),
        _ => Ok(message),
    }
}

/// Which of two elements is read.
fn worth(encrypted: &Encrypted) -> (bool, bool) {
    (!encrypted.keys.is_empty(), encrypted.version == Version::Omemo2)
}

impl Reading<'_> {
    /// The element is open; on success it is consumed.
    fn encrypted(self, version: Version, reader: &mut Reader<'_>) -> Result<Encrypted, WireError> {
        let ns = version.namespace();
        let (mut header, mut payload) = (None, None);
        while let Some(element) = reader.child()? {
            if element.is(ns, "header") {
                let sid = element.id("header", "sid")?;
                let mut into = Header { ours: sid == self.device, ..Header::default() };
                self.header(version, reader, &mut into)?;
                once(&mut header, (sid, into), "header")?;
            } else if element.is(ns, "payload") {
                once(&mut payload, reader.base64("payload")?, "payload")?;
            } else {
                reader.skip()?;
            }
        }
        let (sid, header) = header.ok_or(WireError::MissingElement("header"))?;
        if let (true, Some(error)) = (header.keys.is_empty(), header.bad_key) {
            return Err(error);
        }
        if version == Version::Legacy && payload.is_some() && header.iv.is_none() {
            return Err(WireError::MissingElement("iv"));
        }
        Ok(Encrypted { version, sid, keys: header.keys, others: header.others, sent: header.sent, iv: header.iv, payload })
    }
    /// `<header>` or `<keys>` is open; on success it is consumed.
    fn header(self, version: Version, reader: &mut Reader<'_>, into: &mut Header) -> Result<(), WireError> {
        let ns = version.namespace();
        while let Some(element) = reader.child()? {
            match (version, element.name.as_str()) {
                _ if element.namespace != ns => reader.skip()?,
                (Version::Legacy, "key") => self.key(version, None, &element, reader, into)?,
                (Version::Legacy, "iv") => once(&mut into.iv, reader.base64("iv")?, "iv")?,
                (Version::Omemo2, "keys") => {
                    let jid = element.attribute("jid").ok_or(WireError::MissingAttribute { element: "keys", attribute: "jid" })?;
                    let (ours, jid) = (jid.eq_ignore_ascii_case(self.jid), jid.to_owned());
                    while let Some(element) = reader.child()? {
                        if !element.is(ns, "key") {
                            reader.skip()?;
                        } else if ours || into.ours {
                            self.key(version, Some((&jid, ours)), &element, reader, into)?;
                        } else {
                            into.others = into.others.saturating_add(1);
                            reader.skip()?;
                        }
                    }
                }
                _ => reader.skip()?,
            }
        }
        Ok(())
    }
    /// `<key>` is open; it is consumed.
    fn key(
        self,
        version: Version,
        owner: Option<(&str, bool)>,
        element: &Element,
        reader: &mut Reader<'_>,
        into: &mut Header,
    ) -> Result<(), WireError> {
        let rid = element.id("key", "rid");
        if rid != Ok(self.device) || owner.is_some_and(|(_, ours)| !ours) || into.keys.len() >= MAX_OWN_KEYS {
            into.others = into.others.saturating_add(1);
            let (Ok(rid), true) = (rid, into.ours && into.sent.len() < MAX_SENT_KEYS) else { return reader.skip() };
            match reader.base64("key") {
                Ok(data) => into.sent.push(SentKey { jid: owner.map(|(jid, _)| jid.to_owned()), rid, data }),
                Err(WireError::BadBase64(_)) => {} // of no use to anybody
                Err(fatal) => return Err(fatal),
            }
            return Ok(());
        }
        match reader.base64("key") {
            Ok(data) => {
                let kex = match (version, data.first()) {
                    (Version::Legacy, _) => element.flag("prekey"),
                    // the first field of a key exchange is a number, of a message bytes
                    (Version::Omemo2, Some(0x08)) => true,
                    (Version::Omemo2, Some(0x0a)) => false,
                    (Version::Omemo2, _) => element.flag("kex"),
                };
                into.keys.push(Key { kex, data });
            }
            // another key may be the good one
            Err(error @ WireError::BadBase64(_)) => into.bad_key = Some(error),
            Err(fatal) => return Err(fatal),
        }
        Ok(())
    }
}

/// `<header>`, being read.
#[derive(Default)]
struct Header {
    /// It is what the reading device sent.
    ours: bool,
    sent: Vec<SentKey>,
    keys: Vec<Key>,
    bad_key: Option<WireError>,
    others: usize,
    iv: Option<Vec<u8>>,
}

/// Writes `<encrypted>` key by key, straight into the bytes that are sent.
///
/// ```
/// use subrosa_omemo::wire::encrypted::{Builder, parse};
/// let mut message = Builder::omemo2(1, 2);
/// message.recipient("juliet@example.org");
/// message.key(2, false, b"\x0a...");
/// let sent = message.message(Some(b"ciphertext"));
/// let read = parse(&sent, "juliet@example.org", 2)?.encrypted.expect("there");
/// assert_eq!((read.sid, read.keys.len()), (1, 1));
/// # Ok::<(), subrosa_omemo::wire::WireError>(())
/// ```
#[derive(Debug)]
pub struct Builder {
    version: Version,
    out: Vec<u8>,
    keys: usize,
    /// Legacy only; stands behind the keys, as everybody writes it.
    iv: Option<[u8; 12]>,
    /// Where the `<keys>` begins that has no `<key>` yet.
    recipient: Recipient,
    also: bool,
    transient: bool,
    beside: Vec<u8>,
}

#[derive(Clone, Copy, Debug)]
enum Recipient {
    Nobody,
    WithoutKey(usize),
    WithKeys,
}

/// About what a key takes: a message of some 100 bytes, a key exchange of some 180.
const BYTES_PER_KEY: usize = 240;

impl Builder {
    /// A legacy element from the device `sid`. It has an IV even without a payload: peers insist.
    /// `devices` is how many keys are to be expected.
    #[must_use]
    pub fn legacy(sid: u32, iv: &[u8; 12], devices: usize) -> Self {
        Builder { iv: Some(*iv), ..Builder::new(Version::Legacy, sid, devices) }
    }
    /// An OMEMO 2 element from the device `sid`. `devices` is how many keys are to be expected.
    #[must_use]
    pub fn omemo2(sid: u32, devices: usize) -> Self {
        Builder::new(Version::Omemo2, sid, devices)
    }
    fn new(version: Version, sid: u32, devices: usize) -> Self {
        debug_assert!(sid <= MAX_ID);
        let mut out = Vec::with_capacity(devices.saturating_mul(BYTES_PER_KEY).saturating_add(1024));
        out.extend_from_slice(b"<encrypted xmlns='");
        out.extend_from_slice(version.namespace().as_bytes());
        out.extend_from_slice(b"'><header sid='");
        write::number(&mut out, sid);
        out.extend_from_slice(b"'>");
        Builder { version, out, keys: 0, iv: None, recipient: Recipient::Nobody, also: false, transient: false, beside: Vec::new() }
    }
    /// Which OMEMO.
    #[must_use]
    pub fn version(&self) -> Version {
        self.version
    }
    /// The keys that follow are for devices of `jid` (bare). Call once for each person, before their keys; legacy ignores it.
    /// In OMEMO 2 a key before the first call would be against the schema.
    pub fn recipient(&mut self, jid: &str) {
        if self.version == Version::Legacy {
            return;
        }
        self.close_recipient();
        self.recipient = Recipient::WithoutKey(self.out.len());
        self.out.extend_from_slice(b"<keys jid='");
        write::attribute(&mut self.out, jid);
        self.out.extend_from_slice(b"'>");
    }
    fn close_recipient(&mut self) {
        match std::mem::replace(&mut self.recipient, Recipient::Nobody) {
            // the schema wants a key in each
            Recipient::WithoutKey(start) => self.out.truncate(start),
            Recipient::WithKeys => self.out.extend_from_slice(b"</keys>"),
            Recipient::Nobody => {}
        }
    }
    /// Adds a ratchet message for the device `rid`; `kex` if it starts a session.
    pub fn key(&mut self, rid: u32, kex: bool, message: &[u8]) {
        debug_assert!(self.version == Version::Legacy || !matches!(self.recipient, Recipient::Nobody), "a key of nobody");
        if let Recipient::WithoutKey(_) = self.recipient {
            self.recipient = Recipient::WithKeys;
        }
        self.keys = self.keys.saturating_add(1);
        self.out.extend_from_slice(b"<key rid='");
        write::number(&mut self.out, rid);
        self.out.extend_from_slice(match (kex, self.version) {
            (false, _) => b"'>".as_slice(),
            (true, Version::Legacy) => b"' prekey='true'>",
            (true, Version::Omemo2) => b"' kex='true'>",
        });
        write::base64(&mut self.out, message);
        self.out.extend_from_slice(b"</key>");
    }
    /// The same message has left in another version: a device that finds no key of its own here is not left out, if it read that.
    pub fn also(&mut self) {
        self.also = true;
    }
    /// It is worth nothing later: nobody is to keep it (XEP-0334 §4.2).
    pub fn transient(&mut self) {
        self.transient = true;
    }
    /// With this in clear beside the element, for who knows no envelopes.
    pub fn beside(&mut self, beside: &Beside) {
        self.beside = beside.run();
    }
    /// How many keys were added. An element without any is against the schema of OMEMO 2: don't send it.
    #[must_use]
    pub fn keys(&self) -> usize {
        self.keys
    }
    /// The element by itself.
    #[must_use]
    pub fn element(mut self, payload: Option<&[u8]>) -> Vec<u8> {
        self.close_recipient();
        if let Some(iv) = self.iv {
            self.out.extend_from_slice(b"<iv>");
            write::base64(&mut self.out, &iv);
            self.out.extend_from_slice(b"</iv>");
        }
        self.out.extend_from_slice(b"</header>");
        if let Some(payload) = payload {
            self.out.extend_from_slice(b"<payload>");
            write::base64(&mut self.out, payload);
            self.out.extend_from_slice(b"</payload>");
        }
        self.out.extend_from_slice(b"</encrypted>");
        self.out
    }
    /// The children of a `<message>`: the element, a hint to store it or not, and beside a payload what tells others what it is.
    #[must_use]
    pub fn message(mut self, payload: Option<&[u8]>) -> Vec<u8> {
        let (version, also, transient, beside) = (self.version, self.also, self.transient, std::mem::take(&mut self.beside));
        let mut out = self.element(payload);
        if also {
            out.extend_from_slice(b"<also xmlns='");
            out.extend_from_slice(OURS.as_bytes());
            out.extend_from_slice(b"'/>");
        }
        if payload.is_some() {
            out.extend_from_slice(b"<encryption xmlns='urn:xmpp:eme:0' namespace='");
            out.extend_from_slice(version.namespace().as_bytes());
            out.extend_from_slice(b"'/>");
        }
        out.extend_from_slice(if transient { b"<no-store xmlns='urn:xmpp:hints'/>".as_slice() } else { b"<store xmlns='urn:xmpp:hints'/>" });
        if payload.is_some() && version == Version::Legacy {
            out.extend_from_slice(b"<body xmlns='jabber:client'>");
            write::text(&mut out, FALLBACK);
            out.extend_from_slice(b"</body>");
        }
        out.extend_from_slice(&beside);
        out
    }
}
