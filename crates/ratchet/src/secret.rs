//! Thirty-two secret bytes: erased when dropped, never shown, compared in constant time.
use std::fmt;
use zeroize::{Zeroize, ZeroizeOnDrop};

/// A private key, a shared secret, a root or chain key.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub(crate) struct Secret(pub(crate) [u8; 32]);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}
impl Secret {
    /// True with negligible probability for a key that was really derived.
    pub(crate) fn is_zero(&self) -> bool {
        subtle::ConstantTimeEq::ct_eq(self.0.as_slice(), [0; 32].as_slice()).into()
    }
}
