//! The ciphers under a message: legacy AES-128-GCM (XEP-0384 0.3.0 §4.5) and OMEMO 2's AES-256-CBC with HMAC (§4.4).
//!
//! Owns the way from a plaintext to ciphertext and *key material*, the few bytes that go through the ratchet to every device,
//! and back. Knows no XML and no session.
use crate::wire::Version;
use aes::cipher::{BlockCipherEncrypt, BlockModeDecrypt, BlockModeEncrypt, InnerIvInit, KeyInit, KeyIvInit, StreamCipher, block_padding::Pkcs7};
use aes::{Aes128, Aes256, Block};
use ctr::Ctr32BE;
use ghash::{GHash, universal_hash::UniversalHash};
use hkdf::Hkdf;
use hmac::{Hmac, Mac};
use rand_core::CryptoRng;
use sha2::Sha256;
use subtle::ConstantTimeEq;
use zeroize::{Zeroize, Zeroizing};

const TAG: usize = 16;

/// Why a payload is not readable. The same words for every wrong key, tag or padding: a peer learns nothing more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PayloadError {
    /// The key material has a length that its version does not have.
    #[error("key material of {0} bytes")]
    KeyLength(usize),
    /// The initialisation vector has neither the 12 bytes that are written now nor the 16 of earlier programs. Others would only help
    /// whoever has the key to find another text with the same tag: GCM does not commit to one.
    #[error("an initialisation vector of {0} bytes, instead of 12 or 16")]
    IvLength(usize),
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

/// What goes through the ratchet in an OMEMO 2 message without payload (XEP-0384 §5.5.3).
pub const OMEMO2_EMPTY: [u8; 32] = [0; 32];

impl std::fmt::Debug for LegacyPayload {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LegacyPayload").field("ciphertext", &format_args!("{} bytes", self.ciphertext.len())).finish_non_exhaustive()
    }
}
impl std::fmt::Debug for Omemo2Payload {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Omemo2Payload").field("ciphertext", &format_args!("{} bytes", self.ciphertext.len())).finish_non_exhaustive()
    }
}

/// Encrypts the text of a legacy message under a new key.
#[must_use]
pub fn encrypt_legacy(plain: &[u8], rng: &mut dyn CryptoRng) -> LegacyPayload {
    let (iv, key) = legacy_key_transport(rng);
    let mut ciphertext = plain.to_vec();
    let tag = Gcm::new(&key, &iv).encrypt(&mut ciphertext);
    let mut key_material = Zeroizing::new([0; 32]);
    for (to, from) in key_material.iter_mut().zip(key.iter().chain(&tag)) {
        *to = *from;
    }
    LegacyPayload { iv, ciphertext, key_material }
}

/// A legacy key transport: an IV, and the 16 bytes that go through the ratchet. Nothing is encrypted under them.
#[must_use]
pub fn legacy_key_transport(rng: &mut dyn CryptoRng) -> ([u8; 12], Zeroizing<[u8; 16]>) {
    let (mut iv, mut key) = ([0; 12], Zeroizing::new([0; 16]));
    rng.fill_bytes(&mut iv);
    rng.fill_bytes(&mut *key);
    (iv, key)
}

/// Decrypts a legacy payload. The tag stands in the key material (32 bytes), or at the end of the payload (16).
///
/// # Errors
/// [`PayloadError`]
pub fn decrypt_legacy(key_material: &[u8], iv: &[u8], payload: &[u8]) -> Result<Zeroizing<Vec<u8>>, PayloadError> {
    if !matches!(iv.len(), 12 | 16) {
        return Err(PayloadError::IvLength(iv.len()));
    }
    let (key, tag) = key_material.split_first_chunk().ok_or(PayloadError::KeyLength(key_material.len()))?;
    let (ciphertext, tag) = match tag.len() {
        TAG => (payload, tag),
        0 => payload.split_last_chunk::<TAG>().map(|(ciphertext, tag)| (ciphertext, tag.as_slice())).ok_or(PayloadError::Forged)?,
        _ => return Err(PayloadError::KeyLength(key_material.len())),
    };
    Gcm::new(key, iv).decrypt(ciphertext, tag)
}

/// Whether this is what goes through the ratchet when a message has no payload: legacy 16 bytes, from some peers 32;
/// OMEMO 2 32 bytes (XEP-0384 §5.5.3: zeros, which nobody needs to check).
///
/// # Errors
/// [`PayloadError::KeyLength`]
pub fn check_empty(version: Version, key_material: &[u8]) -> Result<(), PayloadError> {
    match (version, key_material.len()) {
        (Version::Legacy, 16 | 32) | (Version::Omemo2, 32) => Ok(()),
        (_, len) => Err(PayloadError::KeyLength(len)),
    }
}

/// AES-128-GCM without associated data, with an IV of 12 bytes or another length (NIST SP 800-38D §7), which `aes-gcm` fixes by type.
struct Gcm {
    hash: GHash,
    stream: Ctr32BE<Aes128>,
    mask: Block,
}

impl Gcm {
    fn new(key: &[u8; 16], iv: &[u8]) -> Self {
        let cipher = Aes128::new(key.into());
        let mut hash_key = Block::default();
        cipher.encrypt_block(&mut hash_key);
        let hash = GHash::new(&hash_key);
        hash_key.zeroize();
        let mut counter = Block::default();
        if iv.len() == 12 {
            for (to, from) in counter.iter_mut().zip(iv.iter().chain(&[0, 0, 0, 1])) {
                *to = *from;
            }
        } else {
            let mut hash = hash.clone();
            hash.update_padded(iv);
            hash.update(&[lengths(0, iv.len())]);
            counter = hash.finalize();
        }
        let mut stream = Ctr32BE::from_core(ctr::CtrCore::inner_iv_init(cipher, &counter));
        let mut mask = Block::default();
        stream.apply_keystream(&mut mask);
        Gcm { hash, stream, mask }
    }
    fn tag(hash: GHash, mask: &Block, ciphertext: &[u8]) -> Block {
        let mut hash = hash;
        hash.update_padded(ciphertext);
        hash.update(&[lengths(0, ciphertext.len())]);
        let mut tag = hash.finalize();
        for (tag, mask) in tag.iter_mut().zip(mask) {
            *tag ^= mask;
        }
        tag
    }
    fn encrypt(mut self, data: &mut [u8]) -> Block {
        self.stream.apply_keystream(data);
        Self::tag(self.hash, &self.mask, data)
    }
    fn decrypt(mut self, ciphertext: &[u8], tag: &[u8]) -> Result<Zeroizing<Vec<u8>>, PayloadError> {
        if !bool::from(Self::tag(self.hash, &self.mask, ciphertext).as_slice().ct_eq(tag)) {
            return Err(PayloadError::Forged);
        }
        let mut plain = Zeroizing::new(ciphertext.to_vec());
        self.stream.apply_keystream(&mut plain);
        Ok(plain)
    }
}

/// The last block of GHASH: two lengths in bits.
fn lengths(associated: usize, text: usize) -> Block {
    let bits = |len: usize| u64::try_from(len).unwrap_or(u64::MAX).saturating_mul(8);
    Block::from((u128::from(bits(associated)) << 64 | u128::from(bits(text))).to_be_bytes())
}

/// Encrypts an OMEMO 2 payload, which is an envelope of [`crate::wire::sce`], under a new key.
#[must_use]
pub fn encrypt_omemo2(plain: &[u8], rng: &mut dyn CryptoRng) -> Omemo2Payload {
    let mut key_material = Zeroizing::new([0; 48]);
    let (key, tag) = key_material.split_at_mut(32);
    rng.fill_bytes(key);
    let keys = Omemo2Keys::derive(key);
    // one buffer, so that the plaintext is overwritten by its ciphertext
    let mut ciphertext = Vec::with_capacity(plain.len().saturating_add(16));
    ciphertext.extend_from_slice(plain);
    ciphertext.resize(plain.len().saturating_add(16), 0);
    let len = cbc::Encryptor::<Aes256>::new(&keys.cipher.into(), &keys.iv.into())
        .encrypt_padded::<Pkcs7>(&mut ciphertext, plain.len())
        .map_or(0, <[u8]>::len);
    ciphertext.truncate(len);
    tag.copy_from_slice(&keys.tag(&ciphertext));
    Omemo2Payload { ciphertext, key_material }
}

/// Decrypts an OMEMO 2 payload.
///
/// # Errors
/// [`PayloadError`]
pub fn decrypt_omemo2(key_material: &[u8], payload: &[u8]) -> Result<Zeroizing<Vec<u8>>, PayloadError> {
    let (key, tag) = match key_material.split_at_checked(32) {
        Some((key, tag)) if tag.len() == TAG => (key, tag),
        _ => return Err(PayloadError::KeyLength(key_material.len())),
    };
    let keys = Omemo2Keys::derive(key);
    if !bool::from(keys.tag(payload).ct_eq(tag)) {
        return Err(PayloadError::Forged);
    }
    let mut plain = Zeroizing::new(payload.to_vec());
    let len = cbc::Decryptor::<Aes256>::new(&keys.cipher.into(), &keys.iv.into())
        .decrypt_padded::<Pkcs7>(&mut plain)
        .map_err(|_| PayloadError::Forged)?
        .len();
    plain.truncate(len);
    Ok(plain)
}

/// What HKDF makes of the message key (XEP-0384 §4.4).
#[derive(zeroize::ZeroizeOnDrop)]
struct Omemo2Keys {
    cipher: [u8; 32],
    /// Filled with zeros to the block length of SHA-256, as HMAC does with shorter keys.
    mac: [u8; 64],
    iv: [u8; 16],
}

impl Omemo2Keys {
    fn derive(key: &[u8]) -> Self {
        let mut all = Zeroizing::new([0; 80]);
        // 80 bytes are within what HKDF gives
        let expanded = Hkdf::<Sha256>::new(Some(&[0; 32]), key).expand(b"OMEMO Payload", &mut *all);
        debug_assert!(expanded.is_ok());
        let mut keys = Omemo2Keys { cipher: [0; 32], mac: [0; 64], iv: [0; 16] };
        let parts = keys.cipher.iter_mut().chain(keys.mac.iter_mut().take(32)).chain(&mut keys.iv);
        for (to, from) in parts.zip(all.iter()) {
            *to = *from;
        }
        keys
    }
    fn tag(&self, ciphertext: &[u8]) -> [u8; TAG] {
        let mut tag = [0; TAG];
        let mut mac = Hmac::<Sha256>::new((&self.mac).into());
        mac.update(ciphertext);
        for (to, from) in tag.iter_mut().zip(mac.finalize().into_bytes()) {
            *to = from;
        }
        tag
    }
}
