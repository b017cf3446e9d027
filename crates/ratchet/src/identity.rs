//! Identity keys: one pair serves both profiles, its fingerprint is the same in both.
use crate::{KeyError, Profile, PublicKey, SignatureError, StoredError, WireKey};
use rand_core::CryptoRng;
use zeroize::Zeroizing;

/// An Ed25519 signature (XEdDSA): 64 bytes.
pub type Signature = [u8; 64];

/// A public identity key, in both forms: Montgomery u (fingerprint, legacy) and Ed25519 (OMEMO 2).
///
/// Two are equal if their fingerprints are; the comparison takes constant time.
#[derive(Clone, Copy, Debug)]
pub struct IdentityKey {
    u: [u8; 32],
    _ed: [u8; 32],
}
impl IdentityKey {
    /// From the wire form of the profile: `0x05` and u in legacy (32 bytes of u are accepted), Ed25519 in OMEMO 2.
    pub fn parse<P: Profile>(_bytes: &[u8]) -> Result<Self, KeyError> {
        todo!()
    }
    /// The wire form of the profile.
    pub fn to_wire<P: Profile>(&self) -> WireKey {
        todo!()
    }
    /// What people compare, the same in both profiles: the 32 bytes of u (XEP-0384 §8).
    pub fn fingerprint(&self) -> [u8; 32] {
        self.u
    }
    /// Verifies a signature over `message` by the Ed25519 form (labels of OMEMO 2), or by u with
    /// either sign bit (legacy).
    pub fn verify<P: Profile>(&self, _message: &[u8], _signature: &[u8]) -> Result<(), SignatureError> {
        todo!()
    }
}
impl PartialEq for IdentityKey {
    fn eq(&self, other: &Self) -> bool {
        subtle::ConstantTimeEq::ct_eq(self.u.as_slice(), other.u.as_slice()).into()
    }
}
impl Eq for IdentityKey {}

/// The secret one. `Debug` is redacted.
#[derive(Clone)]
pub struct IdentityKeyPair {
    _secret: Zeroizing<[u8; 32]>,
    public: IdentityKey,
}
impl IdentityKeyPair {
    /// A new identity.
    pub fn generate(_rng: &mut dyn CryptoRng) -> Self {
        todo!()
    }
    /// The public half.
    pub fn public(&self) -> &IdentityKey {
        &self.public
    }
    /// Signs so that both libsignal's conventions and plain Ed25519 verify it.
    pub fn sign(&self, _message: &[u8], _rng: &mut dyn CryptoRng) -> Signature {
        todo!()
    }
    /// Signs a signed prekey, as the profile writes it: 33 bytes in legacy, 32 in OMEMO 2.
    pub fn sign_pre_key<P: Profile>(&self, key: &PublicKey, rng: &mut dyn CryptoRng) -> Signature {
        self.sign(&key.to_wire::<P>(), rng)
    }
    /// The stored form, versioned.
    pub fn to_bytes(&self) -> Zeroizing<Vec<u8>> {
        todo!()
    }
    /// What [`IdentityKeyPair::to_bytes`] gave.
    pub fn from_bytes(_bytes: &[u8]) -> Result<Self, StoredError> {
        todo!()
    }
}
