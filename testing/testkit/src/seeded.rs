//! Randomness that is the same in every run. For tests only: whoever knows the seed knows everything.
use chacha20::ChaCha20Rng;
use rand_core::{Rng, SeedableRng, TryCryptoRng, TryRng};
use std::convert::Infallible;

/// A deterministic generator (ChaCha20 over the seed). It satisfies `CryptoRng` so that engines take it;
/// nothing outside tests may.
pub struct Seeded(ChaCha20Rng);

impl Seeded {
    /// The same seed, the same bytes.
    pub fn new(seed: u64) -> Self {
        let mut key = [0; 32];
        key[..8].copy_from_slice(&seed.to_le_bytes());
        Seeded(ChaCha20Rng::from_seed(key))
    }
    /// A generator of its own for a part of a test, so that what one part draws does not shift another.
    pub fn fork(&mut self) -> Self {
        Seeded::new(self.next_u64())
    }
    /// A number in `0..end`; 0 when `end` is 0.
    pub fn below(&mut self, end: u64) -> u64 {
        self.next_u64().checked_rem(end).unwrap_or(0)
    }
    /// Yes in so many of a thousand cases.
    pub fn permille(&mut self, chance: u32) -> bool {
        chance > 0 && self.below(1000) < u64::from(chance)
    }
}
impl TryRng for Seeded {
    type Error = Infallible;
    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        self.0.try_next_u32()
    }
    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        self.0.try_next_u64()
    }
    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        self.0.try_fill_bytes(bytes)
    }
}
impl TryCryptoRng for Seeded {}
