//! Thirty-two secret bytes: erased when dropped, never shown, compared in constant time.
use std::fmt;
use zeroize::{Zeroize, ZeroizeOnDrop};

/// A private key, a shared secret, a root or chain key.
#[derive(Clone)]
pub(crate) struct Secret(pub(crate) [u8; 32]);

/// Whole words and a barrier behind them, where the crate's own way for arrays is byte by byte: a message makes and
/// drops some twenty of these.
impl Zeroize for Secret {
    fn zeroize(&mut self) {
        self.0 = [0; 32];
        zeroize::optimization_barrier(&self.0);
    }
}
impl Drop for Secret {
    fn drop(&mut self) {
        self.zeroize();
    }
}
impl ZeroizeOnDrop for Secret {}

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
