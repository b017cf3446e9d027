//! python-omemo's storage (2.x), as one JSON object from the names of values to the values, as slixmpp-omemo's example keeps it:
//!
//! | name | value |
//! |---|---|
//! | `/own_device_id` | number |
//! | `/ikp/is_seed`, `/ikp/key` | whether the key is an Ed25519 seed; the key, in base64 for addresses |
//! | `/NAMESPACE/x3dh` | signed prekeys and prekeys, private, a character for each byte |
//! | `/NAMESPACE/signed_pre_key_ids`, `/NAMESPACE/pre_key_ids` | numbers, by the public key in base64 |
//! | `/devices/ACCOUNT/DEVICE/label` | what the device is called |
use super::{MAX_FILE, ReadError, private, public};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use serde_json::{Map, Value};
use subrosa_omemo::wire::Version;
use subrosa_omemo::{Imported, ImportedKey, ImportedPreKey};
use zeroize::Zeroizing;

const PROGRAM: &str = "python-omemo";

pub fn read(file: &[u8]) -> Result<Imported, ReadError> {
    debug_assert!(file.len() <= MAX_FILE);
    let form = |why| ReadError::Form { program: PROGRAM, why, line: 0 };
    let Ok(Value::Object(mut rows)) = serde_json::from_slice::<Value>(file) else { return Err(form("no JSON object")) };
    // some storages keep each value as JSON in a text
    for value in rows.values_mut() {
        if let Some(inner) = value.as_str().filter(|s| s.starts_with(['{', '['])).and_then(|s| serde_json::from_str(s).ok()) {
            *value = inner;
        }
    }
    let device = rows.get("/own_device_id").ok_or(ReadError::Missing("device id"))?;
    let device = device.as_u64().and_then(|id| u32::try_from(id).ok()).ok_or(ReadError::Damaged("the device id"))?;
    let what = "the identity key";
    let secret = rows.get("/ikp/key").ok_or(ReadError::Missing("identity key"))?.as_str().and_then(|key| URL_SAFE.decode(key).ok());
    let secret = private(&Zeroizing::new(secret.ok_or(ReadError::Damaged(what))?), what)?;
    let identity = match rows.get("/ikp/is_seed").and_then(Value::as_bool) {
        Some(true) => ImportedKey::Seed(secret),
        Some(false) => ImportedKey::Scalar(secret),
        None => return Err(ReadError::Damaged(what)),
    };
    let (mut signed, mut prekeys) = (Vec::new(), Vec::new());
    for version in Version::ALL {
        let name = |rest: &str| format!("/{}/{rest}", version.namespace());
        let Some(state) = rows.get(&name("x3dh")) else { continue };
        let state = state.as_object().ok_or(ReadError::Damaged("the prekeys"))?;
        let what = "a signed prekey";
        let ids = numbers(&rows, &name("signed_pre_key_ids"), what)?;
        for pair in ["signed_pre_key", "old_signed_pre_key"].into_iter().filter_map(|n| state.get(n)).filter(|v| !v.is_null()) {
            let key = bytes(pair.get("priv").ok_or(ReadError::Damaged(what))?, what)?;
            signed.extend(numbered(version, &ids, &key, what)?);
        }
        let what = "a prekey";
        let ids = numbers(&rows, &name("pre_key_ids"), what)?;
        for key in state.get("pre_keys").and_then(Value::as_array).ok_or(ReadError::Damaged("the prekeys"))? {
            prekeys.extend(numbered(version, &ids, &bytes(key, what)?, what)?);
        }
    }
    let label = own_label(&rows, device);
    Ok(Imported { identity, fingerprint: None, device, label, signed, prekeys })
}
/// What the device is called. Devices of others may have its number: only where there is one of that number it is known whose it is.
fn own_label(rows: &Map<String, Value>, device: u32) -> Option<String> {
    let end = format!("/{device}/label");
    let mut all = rows.iter().filter(|(name, _)| name.starts_with("/devices/") && name.ends_with(&end)).map(|(_, label)| label);
    let first = all.next()?.as_str()?.to_owned();
    all.next().is_none().then_some(first)
}
/// A character for each byte.
fn bytes(value: &Value, what: &'static str) -> Result<Zeroizing<Vec<u8>>, ReadError> {
    let text = value.as_str().ok_or(ReadError::Damaged(what))?;
    let bytes = text.chars().map(|c| u8::try_from(u32::from(c)));
    bytes.collect::<Result<Vec<u8>, _>>().map(Zeroizing::new).map_err(|_| ReadError::Damaged(what))
}
fn numbers(rows: &Map<String, Value>, name: &str, what: &'static str) -> Result<Vec<([u8; 32], u32)>, ReadError> {
    let Some(all) = rows.get(name) else { return Ok(Vec::new()) };
    let all = all.as_object().ok_or(ReadError::Damaged(what))?;
    let one = |(key, id): (&String, &Value)| {
        let key = STANDARD.decode(key).map_err(|_| ReadError::Damaged(what))?;
        let id = id.as_u64().and_then(|id| u32::try_from(id).ok()).ok_or(ReadError::Damaged(what))?;
        Ok((public(&key, what)?, id))
    };
    all.iter().map(one).collect()
}
/// `None`: it has no number, so that it was never published.
fn numbered(version: Version, ids: &[([u8; 32], u32)], key: &[u8], what: &'static str) -> Result<Option<ImportedPreKey>, ReadError> {
    let private = private(key, what)?;
    let public = subrosa_omemo::public_key(&private);
    Ok(ids.iter().find(|(known, _)| *known == public).map(|(_, id)| ImportedPreKey { version, id: *id, private }))
}
