//! Profanity's `identity.txt`: a key file of GLib. `[identity]` has the device and the identity key, `[prekeys]` and `[signed_prekeys]`
//! have libsignal's records by number, all in base64. Legacy only.
use super::{ReadError, private, public};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use subrosa_engine::Fingerprint;
use subrosa_omemo::wire::Version;
use subrosa_omemo::{Imported, ImportedKey, ImportedPreKey};
use zeroize::Zeroizing;

const PROGRAM: &str = "Profanity";

pub fn read(file: &[u8]) -> Result<Imported, ReadError> {
    let form = |why, line| ReadError::Form { program: PROGRAM, why, line };
    let text = std::str::from_utf8(file).map_err(|_| form("it is no text", 0))?;
    let (mut device, mut secret, mut shown) = (None, None, None);
    let (mut prekeys, mut signed) = (Vec::new(), Vec::new());
    let mut group = "";
    for (number, line) in text.lines().enumerate() {
        let (number, line) = (number.saturating_add(1), line.trim());
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if let Some(name) = line.strip_prefix('[') {
            group = name.strip_suffix(']').ok_or_else(|| form("a group that does not end", number))?;
            continue;
        }
        let (key, value) = line.split_once('=').ok_or_else(|| form("neither a group nor a value", number))?;
        let (key, value) = (key.trim(), value.trim());
        let bytes = |what| STANDARD.decode(value).map(Zeroizing::new).map_err(|_| ReadError::Damaged(what));
        match (group, key) {
            ("identity", "device_id") => once(&mut device, value.parse::<u32>().map_err(|_| ReadError::Damaged("the device id"))?, number)?,
            ("identity", "identity_key_private") => {
                let what = "the identity key";
                once(&mut secret, private(&bytes(what)?, what)?, number)?;
            }
            ("identity", "identity_key_public") => {
                let what = "the public identity key";
                once(&mut shown, public(&bytes(what)?, what)?, number)?;
            }
            ("prekeys", id) => prekeys.push(record(id, &bytes("a prekey")?, "a prekey")?),
            ("signed_prekeys", id) => signed.push(record(id, &bytes("a signed prekey")?, "a signed prekey")?),
            _ => {}
        }
    }
    Ok(Imported {
        identity: ImportedKey::Legacy(secret.ok_or(ReadError::Missing("identity key"))?),
        fingerprint: shown.map(Fingerprint),
        device: device.ok_or(ReadError::Missing("device id"))?,
        label: None,
        signed,
        prekeys,
    })
}
fn once<T>(place: &mut Option<T>, value: T, line: usize) -> Result<(), ReadError> {
    if place.replace(value).is_some() { Err(ReadError::Form { program: PROGRAM, why: "a value that stands twice", line }) } else { Ok(()) }
}
/// libsignal's record of a prekey: protobuf, 1 the number, 2 the public key, 3 the private one; of a signed one more follows.
fn record(id: &str, bytes: &[u8], what: &'static str) -> Result<ImportedPreKey, ReadError> {
    let damaged = || ReadError::Damaged(what);
    let (mut number, mut known, mut secret) = (None, None, None);
    let mut rest = bytes;
    while !rest.is_empty() {
        let tag = varint(&mut rest).ok_or_else(damaged)?;
        match (tag >> 3, tag & 7) {
            (field, 0) => {
                let value = varint(&mut rest).ok_or_else(damaged)?;
                if field == 1 {
                    number = Some(value);
                }
            }
            (_, 1) => rest = rest.get(8..).ok_or_else(damaged)?,
            (field, 2) => {
                let length = varint(&mut rest).and_then(|n| usize::try_from(n).ok()).ok_or_else(damaged)?;
                let (value, behind) = rest.split_at_checked(length).ok_or_else(damaged)?;
                rest = behind;
                match field {
                    2 => known = Some(public(value, what)?),
                    3 => secret = Some(private(value, what)?),
                    _ => {}
                }
            }
            (_, 5) => rest = rest.get(4..).ok_or_else(damaged)?,
            _ => return Err(damaged()),
        }
    }
    let secret = secret.ok_or_else(damaged)?;
    // libsignal numbers them as the file does; where they differ it would look them up by the file's
    let id: u32 = id.parse().map_err(|_| damaged())?;
    let right = number.is_none_or(|n| n == u64::from(id)) && known.is_none_or(|k| k == subrosa_omemo::public_key(&secret));
    if right { Ok(ImportedPreKey { version: Version::Legacy, id, private: secret }) } else { Err(damaged()) }
}
fn varint(rest: &mut &[u8]) -> Option<u64> {
    let mut value = 0u64;
    for shift in (0..64).step_by(7) {
        let (byte, behind) = rest.split_first()?;
        *rest = behind;
        value |= u64::from(byte & 0x7f).checked_shl(shift)?;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}
