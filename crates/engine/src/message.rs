//! Messages before and after an engine. Plaintext and ciphertext are different types, so that the
//! one can't stand where the other belongs (Liblinphone falls back to the plaintext when an engine
//! leaves an empty body; here there is nothing to fall back to).
use crate::{Address, ChatId, Device, Exclusion, Fingerprint, MessageId, Omission, Time, Trust};
use std::borrow::Cow;
use zeroize::Zeroizing;

/// A MIME type. `STANZA` = the body is a run of XML elements that an XMPP stanza carries as they are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContentType(pub std::borrow::Cow<'static, str>);
impl ContentType {
    /// `text/plain`
    pub const TEXT: Self = ContentType(std::borrow::Cow::Borrowed("text/plain"));
    /// A run of XML elements: all payload children of an XMPP `<message>` but the transport's own.
    pub const STANZA: Self = ContentType(std::borrow::Cow::Borrowed("application/vnd.subrosa.stanza+xml"));
    /// `text/` and anything, in either case (RFC 2045 §5.1).
    pub fn is_text(&self) -> bool {
        self.0.trim_start().get(..5).is_some_and(|media| media.eq_ignore_ascii_case("text/"))
    }
}

/// What a message is for. Typing notices and receipts pass the hooks too.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Kind {
    /// Words to be read.
    Text,
    /// Somebody is writing. Worth nothing later: never kept.
    Typing,
    /// Delivered, read.
    Receipt,
    /// A file was uploaded: where it is and its key.
    FileOffer,
    /// Signalling of a call.
    Call,
    /// Key transport, heartbeats, whatever is not shown.
    Other,
}

/// Words to keep: wiped on drop, `Debug` tells the length only.
#[derive(Clone)]
pub struct Plaintext {
    /// What the bytes are.
    pub content_type: ContentType,
    bytes: Zeroizing<Vec<u8>>,
}

/// What an engine made of a [`Plaintext`]. Never empty.
#[derive(Clone, Debug)]
pub struct Encrypted {
    parts: Vec<Part>,
    report: Vec<DeviceReport>,
    left_out: Vec<Address>,
    unsaid: Vec<Omission>,
}

/// One body that travels by itself: a message to devices of both OMEMO versions has two, each in a stanza of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// What the body is.
    pub content_type: ContentType,
    /// Never empty.
    pub body: Vec<u8>,
}

/// An engine said it was done and left nothing.
#[derive(Debug, thiserror::Error)]
#[error("the engine left an empty body")]
pub struct EmptyBody;

/// What an engine made of an incoming body.
#[derive(Clone, Debug)]
pub struct Decrypted {
    /// With the content type it had before the sender's engine.
    pub plain: Plaintext,
    /// Which device wrote it, where the engine knows devices.
    pub sender: Option<Sender>,
    /// What it turned out to be for. `None`: what the transport took it for.
    pub kind: Option<Kind>,
}

/// The device a message came from, the key that proved it, and what that key is worth.
#[derive(Clone, Debug)]
pub struct Sender {
    /// Which device.
    pub device: Device,
    /// The identity key that proved it.
    pub key: Fingerprint,
    /// What that key is worth to us.
    pub trust: Trust,
    /// The version it spoke, in the engine's words: `"omemo:2"`.
    pub protocol: Cow<'static, str>,
}

/// A [`Decrypted`] that came through a [`crate::Machine`]. Only the machine makes one: it is evidence.
#[derive(Debug)]
pub struct Received {
    pub(crate) kind: Kind,
    pub(crate) from: Address,
    pub(crate) sent: Time,
    pub(crate) decrypted: Decrypted,
    pub(crate) in_clear: bool,
}

/// What goes on the network. Transports read it; only the machine can make the clear one,
/// and it does so only under [`crate::Policy::Optional`] (`non_exhaustive` on a variant = no outside constructor).
#[derive(Debug)]
pub enum Wire {
    /// One body that an engine made.
    Encrypted(Part),
    /// A choice that a person made for this chat.
    #[non_exhaustive]
    Clear {
        /// As it was given.
        plain: Plaintext,
    },
}

/// One line of the answer to "who got it, who not and why".
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceReport {
    /// Which device.
    pub device: Device,
    /// The version spoken to it, in the engine's words: `"omemo:2"`. Empty where none was chosen.
    pub protocol: Cow<'static, str>,
    /// `Ok`: it can read the message.
    pub result: Result<(), Exclusion>,
}

/// Whom a message is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Recipients {
    /// All devices of these people, and the sender's others.
    People(Vec<Address>),
    /// Exactly one device: call fingerprints, heartbeats, key transport.
    Device(Device),
    /// Everybody in the room that the chat is, as [`Input::Room`] names them when the message is encrypted.
    Room,
}

/// A chat of many: who is in it, and what a person chose for it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Room {
    /// Members, admins and owners, whether they are there or not. Sorted, each once.
    pub members: Vec<Address>,
    /// Those who have no device that can read a message are left out, as a person chose; else it is not sent.
    pub leave_out: bool,
}

/// The outgoing hook's view: read it, give back an [`Encrypted`]. It is from [`crate::Context::me`].
#[derive(Debug)]
pub struct Outgoing<'a> {
    /// The application's.
    pub id: &'a MessageId,
    /// The conversation.
    pub chat: &'a ChatId,
    /// Whom it is for. Never [`Recipients::Room`]: those who are in it are named.
    pub to: &'a Recipients,
    /// What it is for.
    pub kind: Kind,
    /// The words.
    pub plain: &'a Plaintext,
    /// What goes beside the body, in clear.
    pub headers: &'a Headers,
    /// The room that the chat is.
    pub room: Option<&'a Room>,
}

/// The incoming hook's view: read it, give back a [`Decrypted`]. It is for [`crate::Context::me`].
#[derive(Debug)]
pub struct Incoming<'a> {
    /// The sender's.
    pub id: &'a MessageId,
    /// The conversation.
    pub chat: &'a ChatId,
    /// Equal to the account's own address for what its other devices sent (carbons); in a room, equal to the chat's where nobody says who
    /// sent it.
    pub from: &'a Address,
    /// When it was sent, by the server's clock: a delay or archive stamp, else now.
    pub sent: Time,
    /// What it is for, as the transport sees it.
    pub kind: Kind,
    /// What the body is.
    pub content_type: &'a ContentType,
    /// Everything that may matter to an engine.
    pub body: &'a [u8],
    /// What came beside the body, in clear: anybody on the way may have changed it.
    pub headers: &'a Headers,
    /// The room that the chat is.
    pub room: Option<&'a Room>,
}

/// What a transport carries beside the body and **in clear**: SIP header fields of an application's own. XMPP has none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Headers(pub Vec<(String, String)>);
impl Headers {
    /// The first of this name, whatever its case.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }
    /// With one more.
    pub fn with(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.0.push((name.into(), value.into()));
        self
    }
}

impl Plaintext {
    /// Any bytes, NULs and nothing included.
    pub fn new(content_type: ContentType, bytes: impl Into<Vec<u8>>) -> Self {
        Plaintext { content_type, bytes: Zeroizing::new(bytes.into()) }
    }
    /// `text/plain`
    pub fn text(s: &str) -> Self {
        Plaintext::new(ContentType::TEXT, s)
    }
    /// The bytes themselves.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}
impl std::fmt::Debug for Plaintext {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Plaintext({} bytes)", self.bytes.len())
    }
}
impl Encrypted {
    /// Fails on an empty body: fail closed.
    pub fn new(content_type: ContentType, body: Vec<u8>) -> Result<Self, EmptyBody> {
        Encrypted { parts: Vec::new(), report: Vec::new(), left_out: Vec::new(), unsaid: Vec::new() }.and(content_type, body)
    }
    /// Another body of the same message, to travel by itself. Fails on an empty one.
    pub fn and(mut self, content_type: ContentType, body: Vec<u8>) -> Result<Self, EmptyBody> {
        if body.is_empty() {
            return Err(EmptyBody);
        }
        self.parts.push(Part { content_type, body });
        Ok(self)
    }
    /// With the device-by-device report; engines without devices leave it out.
    pub fn with_report(self, report: Vec<DeviceReport>) -> Self {
        Encrypted { report, ..self }
    }
    /// People of the room who have no device that can read it; a person chose to leave them out.
    pub fn leaving_out(self, left_out: Vec<Address>) -> Self {
        Encrypted { left_out, ..self }
    }
    /// What some of the devices do not get of it.
    pub fn without_saying(self, unsaid: Vec<Omission>) -> Self {
        Encrypted { unsaid, ..self }
    }
    /// At least one.
    pub fn parts(&self) -> &[Part] {
        &self.parts
    }
    /// Device by device.
    pub fn report(&self) -> &[DeviceReport] {
        &self.report
    }
    pub(crate) fn into_parts(self) -> Vec<Part> {
        self.parts
    }
    pub(crate) fn take_report(&mut self) -> Vec<DeviceReport> {
        std::mem::take(&mut self.report)
    }
    pub(crate) fn take_left_out(&mut self) -> (Vec<Address>, Vec<Omission>) {
        (std::mem::take(&mut self.left_out), std::mem::take(&mut self.unsaid))
    }
}
impl Decrypted {
    /// By an engine that knows no devices.
    pub fn new(plain: Plaintext) -> Self {
        Decrypted { plain, sender: None, kind: None }
    }
    /// Which device wrote it.
    pub fn by(self, sender: Sender) -> Self {
        Decrypted { sender: Some(sender), ..self }
    }
    /// What it turned out to be for.
    pub fn of_kind(self, kind: Kind) -> Self {
        Decrypted { kind: Some(kind), ..self }
    }
}
impl Received {
    /// What it is for.
    pub fn kind(&self) -> Kind {
        self.kind
    }
    /// The words.
    pub fn plaintext(&self) -> &Plaintext {
        &self.decrypted.plain
    }
    /// Who sent it, as the server vouches, or in a room whose server does not, as the key proves; one's own address for what one's other
    /// devices sent.
    pub fn from(&self) -> &Address {
        &self.from
    }
    /// When, by the server's clock.
    pub fn sent(&self) -> Time {
        self.sent
    }
    /// `None`: in clear, or by an engine without devices.
    pub fn sender(&self) -> Option<&Sender> {
        self.decrypted.sender.as_ref()
    }
    /// It was not encrypted: show it so.
    pub fn in_clear(&self) -> bool {
        self.in_clear
    }
}
