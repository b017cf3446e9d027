//! Fair numbers from a passed rng.
use rand_core::CryptoRng;

/// A number in `0..end`, each as likely as the others. 0 if `end` is 0.
pub(crate) fn below(rng: &mut dyn CryptoRng, end: u32) -> u32 {
    // the top of the range that is no multiple of `end` is drawn again, never more than half of it
    let fair = u32::MAX.checked_rem(end).map_or(0, |rest| u32::MAX.saturating_sub(rest));
    loop {
        let n = rng.next_u32();
        if n < fair || end == 0 {
            return n.checked_rem(end).unwrap_or(0);
        }
    }
}
