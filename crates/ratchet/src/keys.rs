//! Curve25519 key pairs: one-time and signed prekeys, ephemeral and ratchet keys.
use crate::{KeyError, Profile, StoredError};
use rand_core::CryptoRng;
use zeroize::Zeroizing;

/// The number of a one-time prekey. 0 is accepted, but never published.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PreKeyId(pub u32);
/// The number of a signed prekey. 0 is accepted, but never published.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SignedPreKeyId(pub u32);

/// A public key as the profile writes it: `0x05` and 32 bytes in legacy, 32 bytes in OMEMO 2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WireKey {
    bytes: [u8; 33],
    typed: bool,
}
impl std::ops::Deref for WireKey {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        let [_, untyped @ ..] = &self.bytes;
        if self.typed { &self.bytes } else { untyped }
    }
}
/// A Curve25519 public key, checked to be of use: not of low order.
#[derive(Clone, Copy, Debug)]
pub struct PublicKey([u8; 32]);
impl PublicKey {
    /// From the wire form of the profile: 33 bytes in legacy (32 are accepted), 32 in OMEMO 2.
    pub fn parse<P: Profile>(_bytes: &[u8]) -> Result<Self, KeyError> {
        todo!()
    }
    /// The wire form of the profile.
    pub fn to_wire<P: Profile>(&self) -> WireKey {
        todo!()
    }
    /// The 32 bytes of the Montgomery u coordinate.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}
/// A Curve25519 key pair. The public key is kept beside the secret and never computed again. `Debug` is redacted.
#[derive(Clone)]
pub struct KeyPair {
    _secret: Zeroizing<[u8; 32]>,
    public: PublicKey,
}
impl KeyPair {
    /// Bytes of the stored form.
    pub const STORED: usize = 64;
    /// One new pair.
    pub fn generate(_rng: &mut dyn CryptoRng) -> Self {
        todo!()
    }
    /// Many new pairs, a fifth cheaper each than one by one.
    pub fn generate_many(_count: usize, _rng: &mut dyn CryptoRng) -> Vec<Self> {
        todo!()
    }
    /// The public half.
    pub fn public(&self) -> &PublicKey {
        &self.public
    }
    /// Secret, then public key.
    pub fn to_bytes(&self) -> Zeroizing<[u8; Self::STORED]> {
        todo!()
    }
    /// What [`KeyPair::to_bytes`] gave.
    pub fn from_bytes(_bytes: &[u8]) -> Result<Self, StoredError> {
        todo!()
    }
}
/// Where our own prekeys are looked up: by closure or record, the ratchet does not care.
pub trait PreKeys {
    /// A one-time prekey of ours, if we still have it.
    fn pre_key(&self, id: PreKeyId) -> Option<KeyPair>;
    /// A signed prekey of ours, the current or the previous one.
    fn signed_pre_key(&self, id: SignedPreKeyId) -> Option<KeyPair>;
}
