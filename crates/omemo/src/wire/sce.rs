//! Stanza Content Encryption: the envelope inside an OMEMO 2 payload (XEP-0420 0.5.0, XEP-0384 §5.5.1).
//!
//! Owns the affix elements, the padding, and what has no place in an envelope. What the affixes claim is compared with nothing here: only who knows the stanza can.
use super::copy::copy;
use super::read::{Element, Reader, once};
use super::{CLIENT, Version, WireError, date, write};
use rand_core::CryptoRng;
use subrosa_engine::Time;
use zeroize::Zeroizing;

pub(super) const SCE: &str = "urn:xmpp:sce:1";
/// Content is padded up to this, so that short words look alike.
const PADDED_TO: usize = 256;
/// And by up to this many more at random.
const RANDOM_PADDING: u32 = 200;

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

/// An envelope that was read. What it claims is not compared with anything yet (XEP-0420 §4).
#[derive(Clone)]
pub struct Envelope {
    /// A run of elements, serialised, each with its namespace. Elements that must not come encrypted (hints, stanza ids,
    /// Explicit Message Encryption …) are not among them.
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

impl std::fmt::Debug for Outgoing<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Outgoing").field("content", &format_args!("{} bytes", self.content.len())).finish_non_exhaustive()
    }
}
impl std::fmt::Debug for Envelope {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Envelope").field("content", &format_args!("{} bytes", self.content.len())).finish_non_exhaustive()
    }
}

/// Writes an envelope: content, padding up to a fixed size and a random length more, sender, recipient, time.
#[must_use]
pub fn write(envelope: &Outgoing<'_>, rng: &mut dyn CryptoRng) -> Zeroizing<Vec<u8>> {
    let padding = PADDED_TO.saturating_sub(envelope.content.len()).saturating_add(random_below(RANDOM_PADDING.saturating_add(1), rng));
    // never grows, so that no copy of the content stays behind unwiped
    let addresses = envelope.from.len().saturating_add(envelope.to.map_or(0, str::len)).saturating_mul(6);
    let mut out = Zeroizing::new(Vec::with_capacity(envelope.content.len().saturating_add(padding).saturating_add(addresses).saturating_add(256)));
    out.extend_from_slice(b"<envelope xmlns='urn:xmpp:sce:1'><content>");
    out.extend_from_slice(envelope.content);
    out.extend_from_slice(b"</content><rpad>");
    rpad(&mut out, padding, rng);
    out.extend_from_slice(b"</rpad><from jid='");
    write::attribute(&mut out, envelope.from);
    if let Some(to) = envelope.to {
        out.extend_from_slice(b"'/><to jid='");
        write::attribute(&mut out, to);
    }
    out.extend_from_slice(b"'/><time stamp='");
    date::write(&mut out, envelope.time);
    out.extend_from_slice(b"'/></envelope>");
    out
}

/// A number below `n`, each as likely.
fn random_below(n: u32, rng: &mut dyn CryptoRng) -> usize {
    let limit = u32::MAX.checked_rem(n).map_or(0, |rest| u32::MAX.saturating_sub(rest));
    loop {
        let drawn = rng.next_u32();
        if drawn < limit || limit == 0 {
            return drawn.checked_rem(n).and_then(|r| usize::try_from(r).ok()).unwrap_or(0);
        }
    }
}

fn rpad(out: &mut Vec<u8>, len: usize, rng: &mut dyn CryptoRng) {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut random = [0; 64];
    let mut left = len;
    while left > 0 {
        rng.fill_bytes(&mut random);
        let n = left.min(random.len());
        out.extend(random.iter().take(n).filter_map(|b| ALPHABET.get(usize::from(b & 63))));
        left = left.saturating_sub(n);
    }
}

/// Reads an envelope. Unknown affixes are passed over; padding of any length is accepted.
///
/// # Errors
/// [`WireError`]: not XML, not an envelope, without content, or with a time that is none.
pub fn parse(xml: &[u8]) -> Result<Envelope, WireError> {
    let mut reader = Reader::new(xml)?;
    reader.root(SCE, "envelope")?;
    let (mut content, mut from, mut to, mut time, mut padded) = (None, None, None, None, false);
    while let Some(element) = reader.child()? {
        let name = if element.namespace == SCE { element.name.as_str() } else { "" };
        if name == "content" {
            once(&mut content, read_content(&mut reader, xml.len())?, "content")?;
            continue;
        }
        match name {
            "rpad" => padded = true,
            "from" => once(&mut from, attribute(&element, "from", "jid")?, "from")?,
            "to" => once(&mut to, attribute(&element, "to", "jid")?, "to")?,
            "time" => once(&mut time, date::parse(&attribute(&element, "time", "stamp")?)?, "time")?,
            _ => {}
        }
        reader.skip()?;
    }
    reader.finish("envelope")?;
    Ok(Envelope { content: content.ok_or(WireError::MissingElement("content"))?, from, to, time, padded })
}

fn attribute(element: &Element, name: &'static str, attribute: &'static str) -> Result<String, WireError> {
    element.attribute(attribute).map(str::to_owned).ok_or(WireError::MissingAttribute { element: name, attribute })
}

/// The name of an element that counts only outside of the encryption: what servers act on (XEP-0420 §9), what only servers and rooms
/// have to say, and what is itself encryption.
fn belongs_outside(element: &Element) -> Option<&'static str> {
    Some(match (element.namespace.as_str(), element.name.as_str()) {
        ("urn:xmpp:sid:0", "origin-id") => return None,
        ("urn:xmpp:sid:0", _) => "stanza-id",
        ("urn:xmpp:hints", _) => "store",
        ("urn:xmpp:eme:0", _) => "encryption",
        ("http://jabber.org/protocol/address", _) => "addresses",
        ("urn:xmpp:delay" | "jabber:x:delay", _) => "delay",
        ("urn:xmpp:occupant-id:0", _) => "occupant-id",
        ("http://jabber.org/protocol/muc#user", _) => "x",
        ("urn:xmpp:mam:2", _) => "result",
        ("urn:xmpp:carbons:2", _) => "sent",
        (SCE, "envelope") => "envelope",
        (namespace, "encrypted") if Version::from_namespace(namespace).is_some() => "encrypted",
        _ => return None,
    })
}

/// `<content>` is open; it is consumed. What does not belong into it is left out.
fn read_content(reader: &mut Reader<'_>, len: usize) -> Result<Zeroizing<Vec<u8>>, WireError> {
    let mut out = Zeroizing::new(Vec::with_capacity(len));
    while let Some(element) = reader.child()? {
        if belongs_outside(&element).is_some() { reader.skip()? } else { copy(reader, &element, &mut out)? }
    }
    Ok(out)
}

/// The children of a message as the content of an envelope. Those without a namespace are of `jabber:client`.
///
/// # Errors
/// [`WireError`]: not XML, or with an element that has to stand outside ([`WireError::Misplaced`]).
pub fn content(children: &[u8]) -> Result<Zeroizing<Vec<u8>>, WireError> {
    let mut reader = Reader::children(children)?;
    let mut out = Zeroizing::new(Vec::with_capacity(children.len().saturating_add(256)));
    while let Some(element) = reader.child()? {
        match belongs_outside(&element) {
            Some(name) => return Err(WireError::Misplaced(name)),
            None => copy(&mut reader, &element, &mut out)?,
        }
    }
    reader.next()?;
    Ok(out)
}

/// A text message as content: `<body xmlns='jabber:client'>`. Characters that XML cannot hold become U+FFFD.
#[must_use]
pub fn text(body: &str) -> Zeroizing<Vec<u8>> {
    // a reference takes up to six bytes for one
    let references = body.bytes().filter(|b| b"<>&\r".contains(b) || *b < 0x20).count();
    let mut out = Zeroizing::new(Vec::with_capacity(body.len().saturating_add(references.saturating_mul(5)).saturating_add(64)));
    out.extend_from_slice(b"<body xmlns='jabber:client'>");
    write::text(&mut out, body);
    out.extend_from_slice(b"</body>");
    out
}

/// The text of a content, if it has a body.
///
/// # Errors
/// [`WireError`]: not XML.
pub fn body(content: &[u8]) -> Result<Option<Zeroizing<String>>, WireError> {
    let mut reader = Reader::new(content)?;
    let mut body = None;
    while let Some(element) = reader.child()? {
        if body.is_none() && element.is(CLIENT, "body") {
            body = Some(reader.text()?);
        } else {
            reader.skip()?;
        }
    }
    reader.next()?;
    Ok(body)
}
