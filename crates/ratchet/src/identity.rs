//! Identity keys and XEdDSA: one pair serves both profiles, its fingerprint is the same in both.
//!
//! Signatures: we negate the private scalar where needed, so that our Ed25519 form has sign bit 0. Then our signatures
//! hold under libsignal's old convention (sign bit of the key in the top bit of the signature), under XEdDSA's (always
//! 0) and as plain Ed25519. Others' are verified by the rule of the profile they come in. An identity that was made elsewhere keeps
//! the Ed25519 form under which others know it: with sign bit 1 its legacy signatures carry that bit, as libsignal's old ones do.
use crate::curve;
use crate::secret::Secret;
use crate::{KeyError, Profile, PublicKey, SignatureError, StoredError, WireKey};
use curve25519_dalek::edwards::EdwardsPoint;
use curve25519_dalek::montgomery::MontgomeryPoint;
use curve25519_dalek::scalar::{Scalar, clamp_integer};
use ed25519_dalek::Verifier;
use ed25519_dalek::VerifyingKey;
use rand_core::CryptoRng;
use sha2::{Digest, Sha512};
use zeroize::{Zeroize, Zeroizing};

/// An Ed25519 signature (XEdDSA): 64 bytes.
pub type Signature = [u8; 64];

const SIGN: u8 = 0x80;

/// A public identity key, in both forms: Montgomery u (fingerprint, legacy) and Ed25519 (OMEMO 2).
///
/// Two are equal if their fingerprints are; the comparison takes constant time.
#[derive(Clone, Copy, Debug)]
pub struct IdentityKey {
    pub(crate) u: [u8; 32],
    pub(crate) ed: [u8; 32],
}
impl IdentityKey {
    /// From the wire form of the profile: `0x05` and u in legacy (32 bytes of u are accepted), Ed25519 in OMEMO 2.
    pub fn parse<P: Profile>(bytes: &[u8]) -> Result<Self, KeyError> {
        Self::parse_point::<P>(bytes).map(|(key, _)| key)
    }
    pub(crate) fn parse_point<P: Profile>(bytes: &[u8]) -> Result<(Self, EdwardsPoint), KeyError> {
        let bytes = WireKey::parse::<P>(bytes)?;
        let (u, ed, point);
        if P::LIBSIGNAL {
            if bytes.last().is_none_or(|top| top & SIGN != 0) || !curve::is_canonical(&bytes) {
                return Err(KeyError::NotOnCurve);
            }
            if curve::is_low_order(&bytes) {
                return Err(KeyError::LowOrder);
            }
            u = bytes;
            point = MontgomeryPoint(u).to_edwards(0).ok_or(KeyError::NotOnCurve)?;
            ed = point.compress().0;
        } else {
            ed = bytes;
            point = curve::decompress(&ed).ok_or(KeyError::NotOnCurve)?;
            u = point.to_montgomery().0;
            if curve::is_low_order(&u) {
                return Err(KeyError::LowOrder);
            }
        }
        Ok((IdentityKey { u, ed }, point))
    }
    /// The wire form of the profile.
    pub fn to_wire<P: Profile>(&self) -> WireKey {
        WireKey::new::<P>(self.bare::<P>())
    }
    /// The wire form without its type byte.
    pub(crate) fn bare<P: Profile>(&self) -> &[u8; 32] {
        if P::LIBSIGNAL { &self.u } else { &self.ed }
    }
    /// What people compare, the same in both profiles: the 32 bytes of u (XEP-0384 §8).
    pub fn fingerprint(&self) -> [u8; 32] {
        self.u
    }
    /// What OMEMO 2 writes: the 32 bytes of Ed25519. Of a key that was read in legacy, the one of two with sign bit 0.
    pub fn ed25519(&self) -> &[u8; 32] {
        &self.ed
    }
    /// Verifies a signature over `message` by the Ed25519 form (OMEMO 2: signed prekeys, labels), or by u with
    /// either sign bit (legacy).
    pub fn verify<P: Profile>(&self, message: &[u8], signature: &[u8]) -> Result<(), SignatureError> {
        let point = curve::decompress(&self.ed).ok_or(SignatureError)?;
        self.verify_point::<P>(point, message, signature)
    }
    /// `point`: the decompressed `ed`.
    pub(crate) fn verify_point<P: Profile>(&self, point: EdwardsPoint, message: &[u8], signature: &[u8]) -> Result<(), SignatureError> {
        let mut signature: Signature = signature.try_into().map_err(|_| SignatureError)?;
        let mut point = point;
        if P::LIBSIGNAL {
            let [.., ours] = self.ed;
            let [.., top] = &mut signature;
            if (ours ^ *top) & SIGN != 0 {
                point = std::ops::Neg::neg(point);
            }
            *top &= !SIGN;
        }
        let signature = ed25519_dalek::Signature::from_bytes(&signature);
        VerifyingKey::from(point).verify(message, &signature).map_err(|_| SignatureError)
    }
}
impl PartialEq for IdentityKey {
    fn eq(&self, other: &Self) -> bool {
        subtle::ConstantTimeEq::ct_eq(self.u.as_slice(), other.u.as_slice()).into()
    }
}
impl Eq for IdentityKey {}

/// The secret one. `Debug` is redacted.
#[derive(Clone, Debug)]
pub struct IdentityKeyPair {
    /// The private key of X25519.
    pub(crate) secret: Secret,
    /// The Ed25519 form of `secret` has sign bit 1: we sign with its negative.
    negative: bool,
    public: IdentityKey,
}
impl IdentityKeyPair {
    /// Version of the stored form.
    const VERSION: u8 = 1;

    /// A new identity.
    pub fn generate(rng: &mut dyn CryptoRng) -> Self {
        let mut secret = Secret([0; 32]);
        rng.fill_bytes(&mut secret.0);
        Self::from_private(&secret.0)
    }
    /// Of a Curve25519 private key made elsewhere.
    pub fn from_private(private: &[u8; 32]) -> Self {
        let secret = Secret(clamp_integer(*private));
        let mut point = curve::mul_base_clamped(secret.0);
        let (u, mut ed) = (point.to_montgomery().0, point.compress().0);
        point.zeroize();
        let [.., top] = &mut ed;
        let negative = *top & SIGN != 0;
        *top &= !SIGN;
        IdentityKeyPair { secret, negative, public: IdentityKey { u, ed } }
    }
    /// Of a Curve25519 private key that others know by the Ed25519 form of the same scalar, whatever its sign bit.
    pub fn from_private_as_is(private: &[u8; 32]) -> Self {
        let secret = Secret(clamp_integer(*private));
        let mut point = curve::mul_base_clamped(secret.0);
        let (u, ed) = (point.to_montgomery().0, point.compress().0);
        point.zeroize();
        IdentityKeyPair { secret, negative: false, public: IdentityKey { u, ed } }
    }
    /// Of an Ed25519 seed (RFC 8032 §5.1.5).
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        let mut hash = Zeroizing::new([0; 64]);
        Sha512::new().chain_update(seed).finalize_into((&mut *hash).into());
        let private = Zeroizing::new(hash.first_chunk().copied().unwrap_or_default());
        Self::from_private_as_is(&private)
    }
    /// The public half.
    pub fn public(&self) -> &IdentityKey {
        &self.public
    }
    /// XEdDSA: holds under both of libsignal's conventions and as plain Ed25519. Takes 64 random bytes.
    pub fn sign(&self, message: &[u8], rng: &mut dyn CryptoRng) -> Signature {
        let mut private = Scalar::from_bytes_mod_order(self.secret.0);
        let mut opposite = std::ops::Neg::neg(private);
        subtle::ConditionallySelectable::conditional_assign(&mut private, &opposite, u8::from(self.negative).into());
        opposite.zeroize();

        let mut random = Zeroizing::new([0; 64]);
        rng.fill_bytes(random.as_mut_slice());
        // as libsignal hashes it: not reduced unless negated
        let mut scalar = Secret(private.to_bytes());
        subtle::ConditionallySelectable::conditional_assign(&mut scalar.0, &self.secret.0, u8::from(!self.negative).into());
        let mut domain = [0xff; 32];
        domain[0] = 0xfe;
        let hash = Sha512::new().chain_update(domain).chain_update(scalar.0).chain_update(message).chain_update(*random);
        let mut nonce = Scalar::from_bytes_mod_order_wide(&hash.finalize().into());
        let commitment = curve::mul_base(&nonce).compress().0;
        let hash = Sha512::new().chain_update(commitment).chain_update(self.public.ed).chain_update(message);
        let challenge = Scalar::from_bytes_mod_order_wide(&hash.finalize().into());
        let response = add_mul(&nonce, &challenge, &private);
        private.zeroize();
        nonce.zeroize();
        let mut signature = [0; 64];
        let (first, second) = signature.split_at_mut(32);
        first.copy_from_slice(&commitment);
        second.copy_from_slice(response.as_bytes());
        signature
    }
    /// Signs a signed prekey, as the profile writes it: 33 bytes in legacy, 32 in OMEMO 2.
    pub fn sign_pre_key<P: Profile>(&self, key: &PublicKey, rng: &mut dyn CryptoRng) -> Signature {
        let mut signature = self.sign(&key.to_wire::<P>(), rng);
        if P::LIBSIGNAL {
            let ([.., ours], [.., top]) = (&self.public.ed, &mut signature);
            *top |= ours & SIGN;
        }
        signature
    }
    /// The stored form, versioned.
    pub fn to_bytes(&self) -> Zeroizing<Vec<u8>> {
        let head = [Self::VERSION, self.negative.into()];
        Zeroizing::new([&head, self.secret.0.as_slice(), &self.public.u, &self.public.ed].concat())
    }
    /// What [`IdentityKeyPair::to_bytes`] gave.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, StoredError> {
        let (&version, rest) = bytes.split_first().ok_or(StoredError::Damaged)?;
        if version != Self::VERSION {
            return Err(StoredError::Version(version));
        }
        let (&negative, rest) = rest.split_first().ok_or(StoredError::Damaged)?;
        let (secret, rest) = rest.split_first_chunk().ok_or(StoredError::Damaged)?;
        let (u, rest) = rest.split_first_chunk().ok_or(StoredError::Damaged)?;
        let ed = rest.try_into().map_err(|_| StoredError::Damaged)?;
        if negative > 1 || curve::is_low_order(u) {
            return Err(StoredError::Damaged);
        }
        Ok(IdentityKeyPair { secret: Secret(*secret), negative: negative == 1, public: IdentityKey { u: *u, ed } })
    }
}
/// `a + b * c` modulo the group's order: no arithmetic that could overflow.
#[expect(clippy::arithmetic_side_effects)]
fn add_mul(a: &Scalar, b: &Scalar, c: &Scalar) -> Scalar {
    a + b * c
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use super::*;
    use crate::{Legacy, Omemo2};
    use getrandom::{SysRng, rand_core::UnwrapErr};

    fn rng() -> UnwrapErr<SysRng> {
        UnwrapErr(SysRng)
    }

    #[test]
    fn signatures_hold_under_all_conventions() {
        let mut signs = [0; 2];
        for _ in 0..16 {
            let us = IdentityKeyPair::generate(&mut rng());
            signs[usize::from(us.negative)] += 1;
            let mut signature = us.sign(b"prekey", &mut rng());
            assert_eq!((signature[63] & SIGN, us.public.ed[31] & SIGN), (0, 0));
            us.public.verify::<Legacy>(b"prekey", &signature).unwrap();
            us.public.verify::<Omemo2>(b"prekey", &signature).unwrap();
            // as plain Ed25519, by the other crate alone
            let plain = VerifyingKey::from_bytes(&us.public.ed).unwrap();
            plain.verify_strict(b"prekey", &ed25519_dalek::Signature::from_bytes(&signature)).unwrap();
            assert_eq!(us.public.verify::<Legacy>(b"preKey", &signature), Err(SignatureError));
            assert_eq!(us.public.verify::<Legacy>(b"prekey", &signature[1..]), Err(SignatureError));
            signature[63] |= SIGN;
            assert_eq!(us.public.verify::<Legacy>(b"prekey", &signature), Err(SignatureError));
        }
        assert!(signs[0] > 0 && signs[1] > 0, "both signs were tried: {signs:?}");
    }
    /// Made elsewhere, it is the same to others: in both forms of its key, and by its signatures in both profiles.
    #[test]
    fn made_elsewhere() {
        let mut tried = [false; 2];
        for seed in 0..16u8 {
            let theirs = ed25519_dalek::SigningKey::from_bytes(&[seed; 32]);
            let us = IdentityKeyPair::from_seed(&[seed; 32]);
            assert_eq!((us.public.ed, us.public.u), (theirs.verifying_key().to_bytes(), theirs.verifying_key().to_montgomery().0));
            let private = clamp_integer(theirs.to_scalar_bytes());
            assert_eq!(IdentityKeyPair::from_private_as_is(&private).public.ed, us.public.ed);
            assert_eq!(IdentityKeyPair::from_private(&private).public, us.public, "one fingerprint, whatever the sign");
            let key = crate::KeyPair::generate(&mut rng());
            let (two, legacy) = (us.sign_pre_key::<Omemo2>(key.public(), &mut rng()), us.sign_pre_key::<Legacy>(key.public(), &mut rng()));
            theirs.verifying_key().verify_strict(&key.public().to_wire::<Omemo2>(), &ed25519_dalek::Signature::from_bytes(&two)).unwrap();
            // whoever knows u only takes the sign bit from the signature
            IdentityKey::parse::<Legacy>(&us.public.u).unwrap().verify::<Legacy>(&key.public().to_wire::<Legacy>(), &legacy).unwrap();
            let again = IdentityKeyPair::from_bytes(&us.to_bytes()).unwrap();
            again.public.verify::<Omemo2>(b"m", &again.sign(b"m", &mut rng())).unwrap();
            tried[usize::from(us.public.ed[31] >> 7)] = true;
        }
        assert_eq!(tried, [true; 2]);
    }
    /// libsignal's old convention: signed with the scalar as it is, the sign bit of its public key carried along.
    #[test]
    fn sign_bit_in_the_signature() {
        let mut tried = [false; 2];
        for seed in 0..16u8 {
            let signing = ed25519_dalek::SigningKey::from_bytes(&[seed; 32]);
            let ed = signing.verifying_key().to_bytes();
            let u = signing.verifying_key().to_montgomery().0;
            let mut signature = ed25519_dalek::Signer::sign(&signing, b"m").to_bytes();
            let theirs = IdentityKey::parse::<Omemo2>(&ed).unwrap();
            theirs.verify::<Omemo2>(b"m", &signature).unwrap();
            signature[63] |= ed[31] & SIGN;
            IdentityKey::parse::<Legacy>(&u).unwrap().verify::<Legacy>(b"m", &signature).unwrap();
            theirs.verify::<Legacy>(b"m", &signature).unwrap();
            assert_eq!(theirs, IdentityKey::parse::<Legacy>(&u).unwrap(), "one fingerprint in both profiles");
            tried[usize::from(ed[31] >> 7)] = true;
        }
        assert_eq!(tried, [true; 2]);
    }
    #[test]
    fn stored_form() {
        let us = IdentityKeyPair::generate(&mut rng());
        let bytes = us.to_bytes();
        let again = IdentityKeyPair::from_bytes(&bytes).unwrap();
        assert_eq!((again.secret.0, again.negative, again.public.ed), (us.secret.0, us.negative, us.public.ed));
        assert_eq!(again.public, us.public);
        for length in 0..bytes.len() {
            assert!(IdentityKeyPair::from_bytes(&bytes[..length]).is_err());
        }
        assert!(IdentityKeyPair::from_bytes(&[bytes.as_slice(), &[0]].concat()).is_err());
        assert_eq!(IdentityKeyPair::from_bytes(&[2; 98]).err(), Some(StoredError::Version(2)));
    }
    #[test]
    fn unfit_keys() {
        let twist = (2u8..).map(|n| [n; 32]).find(|u| MontgomeryPoint(*u).to_edwards(0).is_none()).unwrap();
        for (u, error) in [(twist, KeyError::NotOnCurve), ([0xff; 32], KeyError::NotOnCurve), ([0; 32], KeyError::LowOrder)] {
            assert_eq!(IdentityKey::parse::<Legacy>(&u), Err(error));
        }
        let mut identity = [0; 32];
        identity[0] = 1;
        assert_eq!(IdentityKey::parse::<Omemo2>(&identity), Err(KeyError::LowOrder));
        assert_eq!(IdentityKey::parse::<Omemo2>(&[1; 31]), Err(KeyError::Length(31)));
        let off = (2u8..).map(|n| [n; 32]).find(|y| curve::decompress(y).is_none()).unwrap();
        assert_eq!(IdentityKey::parse::<Omemo2>(&off), Err(KeyError::NotOnCurve));
    }
}
