//! Trust messages (XEP-0434 `urn:xmpp:tm:1`) as automatic trust management uses them (XEP-0450 `urn:xmpp:atm:1`): whose keys are
//! authentic and whose are not, named by the Ed25519 identity keys of OMEMO 2.
//!
//! Owns names, shape and limits. Knows nothing of who may say what.
use super::content::MAX_VALUE;
use super::read::{Element, Reader, once};
use super::{OURS, WireError, date, write};
use subrosa_engine::Time;

const NAMESPACE: &str = "urn:xmpp:tm:1";
const USAGE: &str = "urn:xmpp:atm:1";
/// The encryption whose keys are meant: OMEMO 2.
pub const ENCRYPTION: &str = "urn:xmpp:omemo:2";
/// The most keys in a message that is read.
pub const MAX_KEYS: usize = 2_000;

/// What is said about the keys of one person.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeyOwner {
    /// The owner's address as the sender wrote it.
    pub jid: String,
    /// Keys that are authentic: Ed25519.
    pub trust: Vec<[u8; 32]>,
    /// Keys that are not, or not any more: Ed25519.
    pub distrust: Vec<[u8; 32]>,
    /// When that was decided, where it was before the message was written, whose time an envelope has (XEP-0420 §4). An element of our
    /// own, that others pass over.
    pub decided: Option<Time>,
}
/// What a content has of trust messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// None.
    Nothing,
    /// One of another protocol, or about keys of another encryption: nothing to do, and nothing to show.
    Foreign,
    /// One for us. At least one owner, at least one key each.
    Message(Vec<KeyOwner>),
}

/// Looks for a trust message among the children of `<content>`.
///
/// # Errors
/// [`WireError`]: not XML, two of them, something missing, a key or an address of a length that none has, a time that is none, or more
/// than [`MAX_KEYS`].
pub fn find(content: &[u8]) -> Result<Found, WireError> {
    let mut reader = Reader::new(content)?;
    let mut found = Found::Nothing;
    while let Some(element) = reader.child()? {
        if !element.is(NAMESPACE, "trust-message") {
            reader.skip()?;
        } else if found == Found::Nothing {
            found = message(&mut reader, &element)?;
        } else {
            return Err(WireError::RepeatedElement("trust-message"));
        }
    }
    reader.next()?;
    Ok(found)
}
fn message(reader: &mut Reader<'_>, element: &Element) -> Result<Found, WireError> {
    let said = |attribute| element.attribute(attribute).ok_or(WireError::MissingAttribute { element: "trust-message", attribute });
    if said("usage")? != USAGE || said("encryption")? != ENCRYPTION {
        reader.skip()?;
        return Ok(Found::Foreign);
    }
    let (mut owners, mut keys) = (Vec::new(), 0usize);
    while let Some(child) = reader.child()? {
        if !child.is(NAMESPACE, "key-owner") {
            reader.skip()?;
            continue;
        }
        let jid = child.attribute("jid").ok_or(WireError::MissingAttribute { element: "key-owner", attribute: "jid" })?;
        // it is kept with each key
        if jid.len() > MAX_VALUE {
            return Err(WireError::TooLarge(jid.len()));
        }
        let mut owner = KeyOwner { jid: jid.to_owned(), ..KeyOwner::default() };
        while let Some(child) = reader.child()? {
            if child.is(OURS, "decided") {
                let stamp = child.attribute("stamp").ok_or(WireError::MissingAttribute { element: "decided", attribute: "stamp" })?;
                once(&mut owner.decided, date::parse(stamp)?, "decided")?;
                reader.skip()?;
                continue;
            }
            let (list, name) = if child.is(NAMESPACE, "trust") {
                (&mut owner.trust, "trust")
            } else if child.is(NAMESPACE, "distrust") {
                (&mut owner.distrust, "distrust")
            } else {
                reader.skip()?;
                continue;
            };
            let key = reader.base64(name)?;
            list.push(key.as_slice().try_into().map_err(|_| WireError::WrongKeyLength { what: name, len: key.len() })?);
            keys = keys.saturating_add(1);
            if keys > MAX_KEYS {
                return Err(WireError::TooMany { what: "trust", limit: MAX_KEYS });
            }
        }
        if owner.trust.is_empty() && owner.distrust.is_empty() {
            return Err(WireError::MissingElement("trust"));
        }
        owners.push(owner);
    }
    if owners.is_empty() { Err(WireError::MissingElement("key-owner")) } else { Ok(Found::Message(owners)) }
}

/// Writes one, as the content of an envelope. Owners without keys are left out.
#[must_use]
pub fn write(owners: &[KeyOwner]) -> Vec<u8> {
    let mut out = Vec::with_capacity(256);
    out.extend_from_slice(b"<trust-message xmlns='urn:xmpp:tm:1' usage='urn:xmpp:atm:1' encryption='urn:xmpp:omemo:2'>");
    for owner in owners.iter().filter(|o| !(o.trust.is_empty() && o.distrust.is_empty())) {
        out.extend_from_slice(b"<key-owner jid='");
        write::attribute(&mut out, &owner.jid);
        out.extend_from_slice(b"'>");
        for (tag, keys) in [("trust>", &owner.trust), ("distrust>", &owner.distrust)] {
            for key in keys {
                out.push(b'<');
                out.extend_from_slice(tag.as_bytes());
                write::base64(&mut out, key);
                out.extend_from_slice(b"</");
                out.extend_from_slice(tag.as_bytes());
            }
        }
        if let Some(time) = owner.decided {
            out.extend_from_slice(b"<decided xmlns='");
            out.extend_from_slice(OURS.as_bytes());
            out.extend_from_slice(b"' stamp='");
            date::write(&mut out, time);
            out.extend_from_slice(b"'/>");
        }
        out.extend_from_slice(b"</key-owner>");
    }
    out.extend_from_slice(b"</trust-message>");
    out
}
