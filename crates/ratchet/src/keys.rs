//! Curve25519 key pairs: one-time and signed prekeys, ephemeral and ratchet keys.
use crate::curve::{self, Point};
use crate::secret::Secret;
use crate::{KeyError, Profile, StoredError};
use rand_core::CryptoRng;
use zeroize::{Zeroize, Zeroizing};

/// libsignal's type byte of a Curve25519 key.
pub(crate) const TYPE: u8 = 0x05;

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
impl WireKey {
    pub(crate) fn new<P: Profile>(key: &[u8; 32]) -> Self {
        let mut bytes = [TYPE; 33];
        if let Some(untyped) = bytes.last_chunk_mut::<32>() {
            *untyped = *key;
        }
        WireKey { bytes, typed: P::LIBSIGNAL }
    }
    /// The 32 bytes of a key on the wire.
    pub(crate) fn parse<P: Profile>(bytes: &[u8]) -> Result<[u8; 32], KeyError> {
        match (bytes, bytes.len(), P::LIBSIGNAL) {
            ([TYPE, key @ ..], 33, true) => key.try_into().map_err(|_| KeyError::Length(bytes.len())),
            ([unknown, ..], 33, true) => Err(KeyError::Type(*unknown)),
            _ => bytes.try_into().map_err(|_| KeyError::Length(bytes.len())),
        }
    }
}
impl std::ops::Deref for WireKey {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        let [_, untyped @ ..] = &self.bytes;
        if self.typed { &self.bytes } else { untyped }
    }
}
/// A Curve25519 public key, checked to be of use: not of low order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PublicKey([u8; 32]);
impl PublicKey {
    /// From the wire form of the profile: 33 bytes in legacy (32 are accepted), 32 in OMEMO 2.
    pub fn parse<P: Profile>(bytes: &[u8]) -> Result<Self, KeyError> {
        PublicKey::from_bytes(WireKey::parse::<P>(bytes)?)
    }
    pub(crate) fn from_bytes(u: [u8; 32]) -> Result<Self, KeyError> {
        if curve::is_low_order(&u) { Err(KeyError::LowOrder) } else { Ok(PublicKey(u)) }
    }
    /// The wire form of the profile.
    pub fn to_wire<P: Profile>(&self) -> WireKey {
        WireKey::new::<P>(&self.0)
    }
    /// The 32 bytes of the Montgomery u coordinate.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
    pub(crate) fn point(&self) -> Point {
        Point::new(&self.0)
    }
}
/// A Curve25519 key pair. The public key is kept beside the secret and never computed again. `Debug` is redacted.
#[derive(Clone, Debug)]
pub struct KeyPair {
    pub(crate) secret: Secret,
    pub(crate) public: PublicKey,
}
impl KeyPair {
    /// Bytes of the stored form.
    pub const STORED: usize = 64;

    /// One new pair.
    pub fn generate(rng: &mut dyn CryptoRng) -> Self {
        let mut secret = Secret([0; 32]);
        rng.fill_bytes(&mut secret.0);
        let public = PublicKey(curve::mul_base_clamped(secret.0).to_montgomery().0);
        KeyPair { secret, public }
    }
    /// Many new pairs, a fifth cheaper each than one by one.
    pub fn generate_many(count: usize, rng: &mut dyn CryptoRng) -> Vec<Self> {
        let mut pairs = Vec::with_capacity(count);
        let mut points = Vec::with_capacity(count);
        for _ in 0..count {
            let mut secret = Secret([0; 32]);
            rng.fill_bytes(&mut secret.0);
            points.push(curve::mul_base_clamped(secret.0));
            pairs.push(KeyPair { secret, public: PublicKey([0; 32]) });
        }
        for (pair, public) in pairs.iter_mut().zip(curve::montgomery(&points)) {
            pair.public.0 = public.0;
        }
        // in projective form a point tells about its scalar
        points.zeroize();
        pairs
    }
    /// Of a private key made elsewhere.
    pub fn from_private(secret: [u8; 32]) -> Self {
        let public = PublicKey(curve::mul_base_clamped(secret).to_montgomery().0);
        KeyPair { secret: Secret(secret), public }
    }
    /// The public half.
    pub fn public(&self) -> &PublicKey {
        &self.public
    }
    /// Secret, then public key.
    pub fn to_bytes(&self) -> Zeroizing<[u8; Self::STORED]> {
        let mut bytes = Zeroizing::new([0; Self::STORED]);
        let (secret, public) = bytes.split_at_mut(32);
        secret.copy_from_slice(&self.secret.0);
        public.copy_from_slice(&self.public.0);
        bytes
    }
    /// What [`KeyPair::to_bytes`] gave.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, StoredError> {
        let (secret, public) = bytes.split_first_chunk().ok_or(StoredError::Damaged)?;
        let public = public.try_into().map_err(|_| StoredError::Damaged)?;
        let public = PublicKey::from_bytes(public).map_err(|_| StoredError::Damaged)?;
        Ok(KeyPair { secret: Secret(*secret), public })
    }
}
/// Where our own prekeys are looked up: by closure or record, the ratchet does not care.
pub trait PreKeys {
    /// A one-time prekey of ours, if we still have it.
    fn pre_key(&self, id: PreKeyId) -> Option<KeyPair>;
    /// A signed prekey of ours, the current or the previous one.
    fn signed_pre_key(&self, id: SignedPreKeyId) -> Option<KeyPair>;
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::{Legacy, Omemo2};
    use getrandom::{SysRng, rand_core::UnwrapErr};

    #[test]
    fn wire_forms() {
        let pair = KeyPair::generate(&mut UnwrapErr(SysRng));
        let key = pair.public();
        assert_eq!(key.to_wire::<Omemo2>().len(), 32);
        assert_eq!(key.to_wire::<Legacy>().first(), Some(&5));
        assert_eq!(&PublicKey::parse::<Legacy>(&key.to_wire::<Legacy>()).unwrap(), key);
        assert_eq!(&PublicKey::parse::<Legacy>(&key.to_wire::<Omemo2>()).unwrap(), key);
        assert_eq!(PublicKey::parse::<Omemo2>(&key.to_wire::<Legacy>()), Err(KeyError::Length(33)));
        let mut other = key.to_wire::<Legacy>().to_vec();
        other.splice(..1, [6]);
        assert_eq!(PublicKey::parse::<Legacy>(&other), Err(KeyError::Type(6)));
        assert_eq!(PublicKey::parse::<Legacy>(&[]), Err(KeyError::Length(0)));
        assert_eq!(PublicKey::parse::<Omemo2>(&[0; 32]), Err(KeyError::LowOrder));
    }
    #[test]
    fn many_are_as_one() {
        for pair in KeyPair::generate_many(5, &mut UnwrapErr(SysRng)) {
            assert_eq!(KeyPair::from_private(pair.secret.0).public, pair.public);
            let stored = KeyPair::from_bytes(pair.to_bytes().as_slice()).unwrap();
            assert_eq!((stored.secret.0, stored.public), (pair.secret.0, pair.public));
        }
        assert!(KeyPair::from_bytes(&[1; 63]).is_err() && KeyPair::from_bytes(&[1; 65]).is_err());
        assert!(KeyPair::from_bytes(&[0; 64]).is_err());
    }
}
