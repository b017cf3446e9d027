//! Bundles: what a device publishes so that others can start a session with it (XEP-0384 §5.3.2; 0.3.0 §4.3).
use super::read::{Element, Reader, once};
use super::{Version, WireError, write};
use std::collections::HashSet;

/// The most one-time prekeys that are read.
pub const MAX_PREKEYS: usize = 1_000;

/// The type byte that libsignal puts before a Curve25519 key.
const CURVE: u8 = 5;

/// A bundle as it stands on the network: nothing in it is verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bundle {
    /// Of which version.
    pub version: Version,
    /// Legacy: the Montgomery u coordinate, without the type byte 5. OMEMO 2: the Ed25519 key.
    pub identity_key: [u8; 32],
    /// The id of the signed prekey.
    pub signed_prekey_id: u32,
    /// The signed prekey (X25519), without the type byte that the legacy signature covers.
    pub signed_prekey: [u8; 32],
    /// The signature as it stands: in legacy bundles bit 7 of the last byte may be the sign of the identity key.
    pub signature: [u8; 64],
    /// One-time prekeys: id and X25519 key. Ids differ from each other. May be empty.
    pub prekeys: Vec<(u32, [u8; 32])>,
}

/// The words of a version.
struct Names {
    signed_prekey: &'static str,
    signed_prekey_id: &'static str,
    signature: &'static str,
    identity_key: &'static str,
    prekey: &'static str,
    prekey_id: &'static str,
}

const fn names(version: Version) -> Names {
    match version {
        Version::Legacy => Names {
            signed_prekey: "signedPreKeyPublic",
            signed_prekey_id: "signedPreKeyId",
            signature: "signedPreKeySignature",
            identity_key: "identityKey",
            prekey: "preKeyPublic",
            prekey_id: "preKeyId",
        },
        Version::Omemo2 => {
            Names { signed_prekey: "spk", signed_prekey_id: "id", signature: "spks", identity_key: "ik", prekey: "pk", prekey_id: "id" }
        }
    }
}

/// Reads `<bundle>`. Elements that the schema does not know are passed over.
///
/// # Errors
/// [`WireError`]: not XML, not a bundle of this version, something missing, twice, or of the wrong length.
pub fn parse(version: Version, xml: &[u8]) -> Result<Bundle, WireError> {
    let names = names(version);
    let mut reader = Reader::new(xml)?;
    reader.root(version.namespace(), "bundle")?;
    let (mut identity_key, mut signed_prekey, mut signature, mut prekeys) = (None, None, None, None);
    while let Some(element) = reader.child()? {
        let name = element.name.as_str();
        if name == names.signed_prekey {
            ours(version, &element, names.signed_prekey)?;
            let id = element.id(names.signed_prekey, names.signed_prekey_id)?;
            once(&mut signed_prekey, (id, key(version, &mut reader, names.signed_prekey)?), names.signed_prekey)?;
        } else if name == names.signature {
            ours(version, &element, names.signature)?;
            let bytes = reader.base64(names.signature)?;
            let bytes = bytes.as_slice().try_into().map_err(|_| WireError::WrongKeyLength { what: names.signature, len: bytes.len() })?;
            once(&mut signature, bytes, names.signature)?;
        } else if name == names.identity_key {
            ours(version, &element, names.identity_key)?;
            once(&mut identity_key, key(version, &mut reader, names.identity_key)?, names.identity_key)?;
        } else if name == "prekeys" {
            ours(version, &element, "prekeys")?;
            once(&mut prekeys, read_prekeys(version, &mut reader, &names)?, "prekeys")?;
        } else {
            reader.skip()?;
        }
    }
    reader.finish("bundle")?;
    let (signed_prekey_id, signed_prekey) = signed_prekey.ok_or(WireError::MissingElement(names.signed_prekey))?;
    Ok(Bundle {
        version,
        identity_key: identity_key.ok_or(WireError::MissingElement(names.identity_key))?,
        signed_prekey_id,
        signed_prekey,
        signature: signature.ok_or(WireError::MissingElement(names.signature))?,
        prekeys: prekeys.ok_or(WireError::MissingElement("prekeys"))?,
    })
}

fn read_prekeys(version: Version, reader: &mut Reader<'_>, names: &Names) -> Result<Vec<(u32, [u8; 32])>, WireError> {
    let mut prekeys = Vec::with_capacity(100);
    let mut seen = HashSet::with_capacity(100);
    while let Some(element) = reader.child()? {
        if element.name != names.prekey {
            reader.skip()?;
            continue;
        }
        ours(version, &element, names.prekey)?;
        if prekeys.len() >= MAX_PREKEYS {
            return Err(WireError::TooMany { what: names.prekey, limit: MAX_PREKEYS });
        }
        let id = element.id(names.prekey, names.prekey_id)?;
        if !seen.insert(id) {
            return Err(WireError::DuplicateId { what: names.prekey, id });
        }
        prekeys.push((id, key(version, reader, names.prekey)?));
    }
    Ok(prekeys)
}

fn ours(version: Version, element: &Element, name: &'static str) -> Result<(), WireError> {
    if element.namespace == version.namespace() { Ok(()) } else { Err(WireError::WrongNamespace(name)) }
}

/// A public key. Legacy ones have a type byte, which some peers leave away.
fn key(version: Version, reader: &mut Reader<'_>, what: &'static str) -> Result<[u8; 32], WireError> {
    let bytes = reader.base64(what)?;
    let len = bytes.len();
    let raw = match (version, bytes.split_first()) {
        (Version::Legacy, Some((&CURVE, raw))) if len == 33 => raw,
        (Version::Legacy, Some(_)) if len == 33 => return Err(WireError::WrongKeyType(what)),
        _ => bytes.as_slice(),
    };
    raw.try_into().map_err(|_| WireError::WrongKeyLength { what, len })
}

/// Writes `<bundle>`.
#[must_use]
pub fn write(bundle: &Bundle) -> Vec<u8> {
    let names = names(bundle.version);
    let mut out = Vec::with_capacity(bundle.prekeys.len().saturating_mul(100).saturating_add(500));
    out.extend_from_slice(b"<bundle xmlns='");
    out.extend_from_slice(bundle.version.namespace().as_bytes());
    out.extend_from_slice(b"'>");
    write_key(&mut out, bundle.version, names.signed_prekey, Some((names.signed_prekey_id, bundle.signed_prekey_id)), &bundle.signed_prekey);
    out.push(b'<');
    out.extend_from_slice(names.signature.as_bytes());
    out.push(b'>');
    write::base64(&mut out, &bundle.signature);
    close(&mut out, names.signature);
    write_key(&mut out, bundle.version, names.identity_key, None, &bundle.identity_key);
    out.extend_from_slice(b"<prekeys>");
    for (id, key) in &bundle.prekeys {
        write_key(&mut out, bundle.version, names.prekey, Some((names.prekey_id, *id)), key);
    }
    out.extend_from_slice(b"</prekeys></bundle>");
    out
}

fn write_key(out: &mut Vec<u8>, version: Version, name: &str, id: Option<(&str, u32)>, key: &[u8; 32]) {
    out.push(b'<');
    out.extend_from_slice(name.as_bytes());
    if let Some((attribute, id)) = id {
        out.push(b' ');
        out.extend_from_slice(attribute.as_bytes());
        out.extend_from_slice(b"='");
        write::number(out, id);
        out.push(b'\'');
    }
    out.push(b'>');
    match version {
        Version::Legacy => {
            let mut typed = [CURVE; 33];
            for (to, from) in typed.iter_mut().skip(1).zip(key) {
                *to = *from;
            }
            write::base64(out, &typed);
        }
        Version::Omemo2 => write::base64(out, key),
    }
    close(out, name);
}

fn close(out: &mut Vec<u8>, name: &str) {
    out.extend_from_slice(b"</");
    out.extend_from_slice(name.as_bytes());
    out.push(b'>');
}
