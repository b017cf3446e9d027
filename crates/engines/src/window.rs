//! Which of a sender's numbered messages were received, in bounded memory: the newest number, and a bit for each of the last 1024.
use subrosa_engine::Record;
use subrosa_engine::codec::{Reader, Writer};

const WORDS: usize = 16;
/// How far behind the newest a message may be.
const LENGTH: u64 = 1024;

/// Bit `number % 1024` stands for the message of that number.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Window {
    newest: u64,
    seen: [u64; WORDS],
}
/// What a window knows of a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Seen {
    /// It is there from now on, and was not.
    Never,
    /// It was there.
    Before,
    /// It is so old that nobody knows.
    Perhaps,
}
impl Window {
    pub fn insert(&mut self, number: u64) -> Seen {
        if number > self.newest {
            let passed = number.saturating_sub(self.newest).min(LENGTH);
            for at in (0..passed).map(|back| number.saturating_sub(back)) {
                if let Some((word, bit)) = self.place(at) {
                    *word &= !bit;
                }
            }
            self.newest = number;
        } else if self.newest.saturating_sub(number) >= LENGTH {
            return Seen::Perhaps;
        }
        let Some((word, bit)) = self.place(number) else { return Seen::Perhaps };
        let seen = if *word & bit == 0 { Seen::Never } else { Seen::Before };
        *word |= bit;
        seen
    }
    fn place(&mut self, number: u64) -> Option<(&mut u64, u64)> {
        let word = usize::try_from((number % LENGTH) / 64).ok()?;
        Some((self.seen.get_mut(word)?, 1 << (number % 64)))
    }
}
impl Record for Window {
    fn encode(&self) -> Vec<u8> {
        let mut out = Writer::with_capacity(144);
        out.u8(1).varint(self.newest);
        for word in &self.seen {
            out.u64(*word);
        }
        out.into_bytes()
    }
    fn decode(bytes: &[u8]) -> Option<Self> {
        let mut input = Reader::versioned(bytes, 1)?;
        let mut window = Window { newest: input.varint()?, ..Window::default() };
        for word in &mut window.seen {
            *word = input.u64()?;
        }
        input.end().map(|()| window)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::arithmetic_side_effects)]
    use super::*;
    use proptest::prelude::*;
    use std::collections::HashSet;

    proptest! {
        /// As a set that forgets nothing, but for what is too old.
        #[test]
        fn knows_what_it_saw(steps in prop::collection::vec((prop_oneof![0u64..5, 0u64..1200, 0u64..100_000], any::<bool>()), 0..300)) {
            let (mut window, mut all, mut newest) = (Window::default(), HashSet::new(), 0u64);
            for (far, ahead) in steps {
                let number = if ahead { newest + far } else { newest.saturating_sub(far) };
                let expected = match newest.saturating_sub(number) {
                    LENGTH.. => Seen::Perhaps,
                    _ if all.insert(number) => Seen::Never,
                    _ => Seen::Before,
                };
                prop_assert_eq!(window.insert(number), expected, "{} after {}", number, newest);
                newest = newest.max(number);
                window = Window::decode(&window.encode()).unwrap();
            }
        }
    }
    #[test]
    fn the_ends_of_the_numbers() {
        let mut window = Window::default();
        assert_eq!([window.insert(0), window.insert(0)], [Seen::Never, Seen::Before]);
        assert_eq!([window.insert(u64::MAX), window.insert(u64::MAX)], [Seen::Never, Seen::Before]);
        assert_eq!([window.insert(u64::MAX - LENGTH), window.insert(u64::MAX - LENGTH + 1)], [Seen::Perhaps, Seen::Never]);
    }
    #[test]
    fn a_damaged_row_is_seen() {
        let row = Window::default().encode();
        assert!((0..row.len()).all(|cut| Window::decode(row.get(..cut).unwrap()).is_none()));
        assert!(Window::decode(&[row.as_slice(), &[0]].concat()).is_none());
    }
}
