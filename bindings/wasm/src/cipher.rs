//! AES-256-GCM by WebCrypto, under a key that never is in our memory. Knows no rows: bytes, and what they are bound to.
use crate::error::StoreError;
use crate::js::{self, Crypto, CryptoKey, Subtle};
use js_sys::{Array, Object, Promise, Uint8Array};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;
use zeroize::Zeroizing;

/// In bytes.
pub const NONCE: u32 = 12;
/// `getRandomValues` gives 64 KiB at a time.
const NONCES: u32 = 4096;

/// The browser's cryptography, here.
#[derive(Clone)]
pub struct Provider {
    crypto: Crypto,
    pub subtle: Subtle,
}
impl Provider {
    pub fn get() -> Result<Provider, StoreError> {
        let crypto = js::scope().crypto();
        let subtle = crypto.as_ref().and_then(Crypto::subtle);
        let (Some(crypto), Some(subtle)) = (crypto, subtle) else {
            return Err(StoreError::failed("this browser has no WebCrypto here: the page has to come over HTTPS"));
        };
        Ok(Provider { crypto, subtle })
    }
    pub fn random(&self, length: u32) -> Result<Uint8Array, StoreError> {
        let array = Uint8Array::new_with_length(length);
        self.crypto.get_random_values(&array)?;
        Ok(array)
    }
}
/// `{name: "AES-GCM", iv, additionalData}`
pub fn parameters(nonce: &Uint8Array, bound_to: &[u8]) -> Object {
    js::object(&[("name", &"AES-GCM".into()), ("iv", nonce), ("additionalData", &Uint8Array::new_from_slice(bound_to))])
}
/// Nonce and ciphertext in one piece.
pub fn join(nonce: &Uint8Array, ciphertext: &JsValue) -> Uint8Array {
    let ciphertext = Uint8Array::new(ciphertext);
    let whole = Uint8Array::new_with_length(NONCE.saturating_add(ciphertext.length()));
    whole.set(nonce, 0);
    whole.set(&ciphertext, NONCE);
    whole
}
/// The two parts; nothing where it is too short to have them.
pub fn split(whole: &JsValue) -> Option<(Uint8Array, Uint8Array)> {
    let whole = whole.dyn_ref::<Uint8Array>().filter(|whole| whole.length() >= NONCE)?;
    Some((whole.subarray(0, NONCE), whole.subarray(NONCE, whole.length())))
}

/// Seals and unseals, many at once: the browser may work on them in parallel.
pub struct Cipher {
    provider: Provider,
    key: CryptoKey,
}
impl Cipher {
    pub fn new(provider: Provider, key: CryptoKey) -> Cipher {
        Cipher { provider, key }
    }
    /// Pairs of what it is bound to and the bytes; answers in order.
    pub async fn seal(&self, items: &[(&[u8], &[u8])]) -> Result<Vec<Uint8Array>, StoreError> {
        let (promises, mut nonces) = (Array::new(), Vec::with_capacity(items.len()));
        for chunk in items.chunks(NONCES as usize) {
            let length = u32::try_from(chunk.len()).unwrap_or(NONCES).saturating_mul(NONCE);
            let random = self.provider.random(length)?;
            for ((bound_to, plain), start) in chunk.iter().zip((0..length).step_by(NONCE as usize)) {
                let nonce = random.subarray(start, start.saturating_add(NONCE));
                let sealed = self.provider.subtle.encrypt(&parameters(&nonce, bound_to), &self.key, plain)?;
                promises.push(&sealed);
                nonces.push(nonce);
            }
        }
        let sealed: Array = JsFuture::from(Promise::all(&promises)).await?.unchecked_into();
        Ok(nonces.iter().zip(sealed.iter()).map(|(nonce, ciphertext)| join(nonce, &ciphertext)).collect())
    }
    /// Pairs of what it is bound to and what was sealed; answers in order. `Damaged`: one of them was not sealed by this key and
    /// bound to that.
    pub async fn unseal<B: AsRef<[u8]>>(&self, items: &[(B, JsValue)]) -> Result<Vec<Zeroizing<Vec<u8>>>, StoreError> {
        let promises = Array::new();
        for (bound_to, sealed) in items {
            let (nonce, ciphertext) = split(sealed).ok_or_else(|| StoreError::damaged("a row is too short"))?;
            let plain = self.provider.subtle.decrypt(&parameters(&nonce, bound_to.as_ref()), &self.key, &ciphertext)?;
            promises.push(&plain);
        }
        let plain: Array = JsFuture::from(Promise::all(&promises)).await.map_err(StoreError::unreadable)?.unchecked_into();
        Ok(plain.iter().map(|buffer| take(&buffer)).collect())
    }
}
/// Copies what was deciphered into our memory and wipes the browser's copy.
fn take(buffer: &JsValue) -> Zeroizing<Vec<u8>> {
    let view = Uint8Array::new(buffer);
    let plain = Zeroizing::new(view.to_vec());
    view.fill(0, 0, view.length());
    plain
}
