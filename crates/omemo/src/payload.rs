//! The ciphers under a message: legacy AES-128-GCM (XEP-0384 0.3.0 §4.4) and OMEMO 2's AES-256-CBC with HMAC (§4.4).
//!
//! Owns the way from a plaintext to ciphertext and *key material*, the few bytes that go through the ratchet to every device,
//! and back. Knows no XML and no session.
use rand_core::CryptoRng;
use zeroize::Zeroizing;

/// Why a payload is not readable. The same words for every wrong key, tag or padding: a peer learns nothing more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PayloadError {
    /// The key material has a length that its version does not have.
    #[error("key material of {0} bytes")]
    KeyLength(usize),
    /// The initialisation vector is empty or missing.
    #[error("the initialisation vector is missing")]
    NoIv,
    /// The payload was not made with this key, or was changed.
    #[error("the payload does not belong to its key")]
    Forged,
}

/// A legacy payload, and what goes through the ratchet for it.
pub struct LegacyPayload {
    /// The nonce, in clear.
    pub iv: [u8; 12],
    /// Without the tag.
    pub ciphertext: Vec<u8>,
    /// Key ‖ tag.
    pub key_material: Zeroizing<[u8; 32]>,
}

/// An OMEMO 2 payload, and what goes through the ratchet for it.
pub struct Omemo2Payload {
    /// AES-256-CBC, padded.
    pub ciphertext: Vec<u8>,
    /// Key ‖ truncated HMAC.
    pub key_material: Zeroizing<[u8; 48]>,
}

/// What goes through the ratchet in an OMEMO 2 message without payload (XEP-0384 §4.4).
pub const OMEMO2_EMPTY: [u8; 32] = [0; 32];

/// Encrypts the text of a legacy message.
#[must_use]
pub fn encrypt_legacy(plain: &[u8], rng: &mut dyn CryptoRng) -> LegacyPayload {
    let _ = (plain, rng);
    LegacyPayload { iv: [0; 12], ciphertext: Vec::new(), key_material: Zeroizing::new([0; 32]) }
}
/// A legacy key transport: an IV, and the 16 bytes that go through the ratchet.
#[must_use]
pub fn legacy_key_transport(rng: &mut dyn CryptoRng) -> ([u8; 12], Zeroizing<[u8; 16]>) {
    let _ = rng;
    ([0; 12], Zeroizing::new([0; 16]))
}
/// Decrypts a legacy payload. The tag stands in the key material (32 bytes), or at the end of the payload (16).
pub fn decrypt_legacy(key_material: &[u8], iv: &[u8], payload: &[u8]) -> Result<Zeroizing<Vec<u8>>, PayloadError> {
    let _ = (key_material, iv, payload);
    Err(PayloadError::Forged)
}
/// Encrypts an OMEMO 2 payload, which is an envelope of [`crate::wire::sce`].
#[must_use]
pub fn encrypt_omemo2(plain: &[u8], rng: &mut dyn CryptoRng) -> Omemo2Payload {
    let _ = (plain, rng);
    Omemo2Payload { ciphertext: Vec::new(), key_material: Zeroizing::new([0; 48]) }
}
/// Decrypts an OMEMO 2 payload.
pub fn decrypt_omemo2(key_material: &[u8], payload: &[u8]) -> Result<Zeroizing<Vec<u8>>, PayloadError> {
    let _ = (key_material, payload);
    Err(PayloadError::Forged)
}
