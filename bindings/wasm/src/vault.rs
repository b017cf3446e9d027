//! The data key: where it comes from, and what of it lies in the database. It never is in our memory; the passphrase and what
//! is derived from it are, and are wiped.
//!
//! Without a passphrase the browser makes a key that can't be exported and keeps it as such: copying the files of the browser's
//! profile is needed to take it away. With one, the key is wrapped under Argon2id of the passphrase: before it is given, nothing
//! here opens anything.
use crate::cipher::{NONCE, Provider, join, parameters, split};
use crate::error::StoreError;
use crate::js::{self, CryptoKey, field};
use argon2::{Algorithm, Argon2, Params, Version};
use js_sys::{Array, JsString, Number, Uint8Array};
use std::ops::RangeInclusive;
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;
use zeroize::Zeroizing;

/// The form of the record. A new one reads the old ones.
const FORM: u32 = 1;
const SALT: u32 = 16;

/// What makes guessing dear: the cost of one guess.
#[derive(Clone, Copy)]
struct Cost {
    kibibytes: u32,
    passes: u32,
    lanes: u32,
}
/// 32 MiB three times: about a quarter of a second in a browser, and more memory than OWASP's least.
const COST: Cost = Cost { kibibytes: 32 * 1024, passes: 3, lanes: 1 };
/// What is taken from a record that somebody may have changed.
const KIBIBYTES: RangeInclusive<u32> = 8 * 1024..=256 * 1024;
const PASSES: RangeInclusive<u32> = 1..=10;
const LANES: RangeInclusive<u32> = 1..=4;
const SALTS: RangeInclusive<u32> = 16..=64;

/// A vault that was just made: what opens the rows, and what to store.
pub struct Made {
    pub key: CryptoKey,
    pub record: JsValue,
}

/// Whether it wants a passphrase. Not there at all: `None`.
pub fn wants_passphrase(record: &JsValue) -> Option<bool> {
    (!record.is_undefined()).then(|| field(record, "key").is_undefined())
}
/// A new data key.
pub async fn make(provider: &Provider, passphrase: Option<&str>) -> Result<Made, StoreError> {
    let key = key(provider.subtle.generate_key(&aes(), passphrase.is_some(), &data_usages())?).await?;
    match passphrase {
        None => Ok(Made { record: js::object(&[("form", &FORM.into()), ("key", &key)]).into(), key }),
        Some(passphrase) => wrap(provider, &key, passphrase).await,
    }
}
/// The data key of a record.
pub async fn open(provider: &Provider, record: &JsValue, passphrase: Option<&str>) -> Result<CryptoKey, StoreError> {
    check_form(record)?;
    match field(record, "key").dyn_into::<CryptoKey>() {
        Ok(key) => Ok(key),
        Err(_) => unwrap(provider, record, passphrase.ok_or(StoreError::WrongPassphrase)?, false).await,
    }
}
/// The same data key under another passphrase. `WrongPassphrase` also where there never was one: a key that can't be exported
/// can't be wrapped.
pub async fn rewrap(provider: &Provider, record: &JsValue, old: &str, new: &str) -> Result<JsValue, StoreError> {
    check_form(record)?;
    if wants_passphrase(record) != Some(true) {
        return Err(StoreError::WrongPassphrase);
    }
    let key = unwrap(provider, record, old, true).await?;
    Ok(wrap(provider, &key, new).await?.record)
}

/// `key` can be exported: it lives until this returns, and what goes on is a copy that can't.
async fn wrap(provider: &Provider, key: &CryptoKey, passphrase: &str) -> Result<Made, StoreError> {
    let (salt, nonce) = (provider.random(SALT)?, provider.random(NONCE)?);
    let under = derive(provider, passphrase, &salt, COST).await?;
    let bound = parameters(&nonce, &bound_to(&salt, COST));
    let ciphertext = JsFuture::from(provider.subtle.wrap_key("raw", key, &under, &bound)?).await?;
    let record = js::object(&[
        ("form", &FORM.into()),
        ("salt", &salt),
        ("kibibytes", &COST.kibibytes.into()),
        ("passes", &COST.passes.into()),
        ("lanes", &COST.lanes.into()),
        ("wrapped", &join(&nonce, &ciphertext)),
    ]);
    let record = JsValue::from(record);
    let key = unwrap_under(provider, &record, &under, (&salt, COST), false).await?;
    Ok(Made { key, record })
}
async fn unwrap(provider: &Provider, record: &JsValue, passphrase: &str, extractable: bool) -> Result<CryptoKey, StoreError> {
    let damaged = || StoreError::damaged("the vault's parameters");
    let salt = field(record, "salt").dyn_into::<Uint8Array>().ok().filter(|salt| SALTS.contains(&salt.length())).ok_or_else(damaged)?;
    let cost = Cost {
        kibibytes: number(record, "kibibytes", KIBIBYTES).ok_or_else(damaged)?,
        passes: number(record, "passes", PASSES).ok_or_else(damaged)?,
        lanes: number(record, "lanes", LANES).ok_or_else(damaged)?,
    };
    let under = derive(provider, passphrase, &salt, cost).await?;
    unwrap_under(provider, record, &under, (&salt, cost), extractable).await
}
async fn unwrap_under(
    provider: &Provider,
    record: &JsValue,
    under: &CryptoKey,
    (salt, cost): (&Uint8Array, Cost),
    extractable: bool,
) -> Result<CryptoKey, StoreError> {
    let (nonce, wrapped) = split(&field(record, "wrapped")).ok_or_else(|| StoreError::damaged("the wrapped key"))?;
    let bound = parameters(&nonce, &bound_to(salt, cost));
    let promise = provider.subtle.unwrap_key("raw", &wrapped, under, &bound, "AES-GCM", extractable, &data_usages())?;
    key(promise).await.map_err(|_| StoreError::WrongPassphrase) // whatever else it may be, nobody can tell
}
/// Argon2id. The passphrase in Unicode's composed form: keyboards differ in how they send an umlaut.
async fn derive(provider: &Provider, passphrase: &str, salt: &Uint8Array, cost: Cost) -> Result<CryptoKey, StoreError> {
    let passphrase = Zeroizing::new(String::from(JsString::from(passphrase).normalize("NFKC")));
    let params = Params::new(cost.kibibytes, cost.passes, cost.lanes, Some(32)).map_err(|e| StoreError::failed(&e.to_string()))?;
    let mut out = Zeroizing::new([0; 32]);
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        .hash_password_into(passphrase.as_bytes(), &salt.to_vec(), out.as_mut())
        .map_err(|e| StoreError::failed(&e.to_string()))?;
    let usages = Array::of2(&"wrapKey".into(), &"unwrapKey".into());
    key(provider.subtle.import_key("raw", out.as_ref(), "AES-GCM", false, &usages)?).await
}
/// What the wrapped key is authenticated with.
fn bound_to(salt: &Uint8Array, cost: Cost) -> Vec<u8> {
    let mut bytes = b"subrosa vault 1".to_vec();
    [cost.kibibytes, cost.passes, cost.lanes].iter().for_each(|n| bytes.extend_from_slice(&n.to_be_bytes()));
    bytes.extend_from_slice(&salt.to_vec());
    bytes
}
fn check_form(record: &JsValue) -> Result<(), StoreError> {
    match field(record, "form").as_f64() {
        Some(form) if form == f64::from(FORM) => Ok(()),
        Some(form) if form > f64::from(FORM) => Err(StoreError::Newer),
        _ => Err(StoreError::damaged("the vault's form")),
    }
}
fn number(record: &JsValue, name: &str, allowed: RangeInclusive<u32>) -> Option<u32> {
    let value = field(record, name);
    if !Number::is_integer(&value) {
        return None;
    }
    allowed.into_iter().find(|n| value.as_f64() == Some(f64::from(*n)))
}
fn aes() -> js_sys::Object {
    js::object(&[("name", &"AES-GCM".into()), ("length", &256.into())])
}
fn data_usages() -> Array {
    Array::of2(&"encrypt".into(), &"decrypt".into())
}
async fn key(promise: js_sys::Promise) -> Result<CryptoKey, StoreError> {
    Ok(JsFuture::from(promise).await?.unchecked_into())
}
