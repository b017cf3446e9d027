//! The compact binary form of records: what every row on disk is written with. Knows no record.
//!
//! Numbers are LEB128 varints unless their size is fixed, lengths come before what they measure. A reader never
//! panics and never allocates more than it was given. A record starts with its version: [`Writer::versioned`],
//! [`Reader::versioned`].
//!
//! ```
//! use subrosa_engine::codec::{Reader, Writer};
//! let mut out = Writer::versioned(1);
//! out.varint(300).str("bob").raw(&[7; 32]);
//! let bytes = out.into_bytes();
//!
//! let mut input = Reader::versioned(&bytes, 1).unwrap();
//! assert_eq!((input.varint(), input.str()), (Some(300), Some("bob")));
//! assert_eq!(input.array::<32>(), Some([7; 32]));
//! assert_eq!(input.end(), Some(()));
//! ```

/// Overwrites bytes before they are freed. Ten times as fast on a row as [`zeroize::Zeroize`], which writes byte by byte.
pub fn wipe(bytes: &mut [u8]) {
    bytes.fill(0);
    zeroize::optimization_barrier(bytes); // the zeros are looked at: they must be written
}

/// Writes one record. Leaves no copy behind when it grows or is dropped.
#[derive(Default)]
pub struct Writer(Vec<u8>);
impl Drop for Writer {
    fn drop(&mut self) {
        wipe(&mut self.0);
    }
}

impl Writer {
    /// Nothing yet.
    pub fn new() -> Self {
        Writer(Vec::new())
    }
    /// Nothing yet, with room for `bytes`.
    pub fn with_capacity(bytes: usize) -> Self {
        Writer(Vec::with_capacity(bytes))
    }
    /// Starts with the version of the form.
    pub fn versioned(version: u8) -> Self {
        let mut out = Writer::with_capacity(64);
        out.u8(version);
        out
    }
    /// One byte.
    pub fn u8(&mut self, n: u8) -> &mut Self {
        self.room(1).push(n);
        self
    }
    /// One byte, 0 or 1.
    pub fn bool(&mut self, b: bool) -> &mut Self {
        self.u8(b.into())
    }
    /// Four bytes, the low one first.
    pub fn u32(&mut self, n: u32) -> &mut Self {
        self.raw(&n.to_le_bytes())
    }
    /// Eight bytes, the low one first.
    pub fn u64(&mut self, n: u64) -> &mut Self {
        self.raw(&n.to_le_bytes())
    }
    /// One to ten bytes.
    pub fn varint(&mut self, mut n: u64) -> &mut Self {
        let out = self.room(10);
        while n > 0x7f {
            out.push((n & 0x7f) as u8 | 0x80);
            n >>= 7;
        }
        out.push(n as u8);
        self
    }
    /// A length, as a varint.
    pub fn len(&mut self, n: usize) -> &mut Self {
        self.varint(n as u64)
    }
    /// A length and as many bytes.
    pub fn bytes(&mut self, bytes: &[u8]) -> &mut Self {
        self.len(bytes.len()).raw(bytes)
    }
    /// A length and as many bytes of UTF-8.
    pub fn str(&mut self, s: &str) -> &mut Self {
        self.bytes(s.as_bytes())
    }
    /// Bytes whose number the reader knows.
    pub fn raw(&mut self, bytes: &[u8]) -> &mut Self {
        self.room(bytes.len()).extend_from_slice(bytes);
        self
    }
    /// A flag, and the value if there is one.
    pub fn option<T>(&mut self, value: Option<T>, write: impl FnOnce(&mut Self, T)) -> &mut Self {
        self.bool(value.is_some());
        if let Some(value) = value {
            write(self, value);
        }
        self
    }
    /// What was written.
    pub fn into_bytes(mut self) -> Vec<u8> {
        std::mem::take(&mut self.0)
    }
    /// Grows by a move of its own: `Vec` would free the old bytes as they are.
    fn room(&mut self, more: usize) -> &mut Vec<u8> {
        let need = self.0.len().saturating_add(more);
        if need > self.0.capacity() {
            let mut bigger = Vec::with_capacity(need.max(self.0.capacity().saturating_mul(2)));
            bigger.extend_from_slice(&self.0);
            wipe(&mut self.0);
            self.0 = bigger;
        }
        &mut self.0
    }
}

/// Reads one record. `None` from any method: it is damaged, or of another version.
#[derive(Clone)]
pub struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    /// From the start.
    pub fn new(bytes: &'a [u8]) -> Self {
        Reader(bytes)
    }
    /// Behind the version, which must be this one.
    pub fn versioned(bytes: &'a [u8], version: u8) -> Option<Self> {
        let mut input = Reader(bytes);
        (input.u8()? == version).then_some(input)
    }
    /// One byte.
    pub fn u8(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }
    /// One byte, 0 or 1.
    pub fn bool(&mut self) -> Option<bool> {
        match self.u8()? {
            0 => Some(false),
            1 => Some(true),
            _ => None,
        }
    }
    /// Four bytes, the low one first.
    pub fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_le_bytes)
    }
    /// Eight bytes, the low one first.
    pub fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_le_bytes)
    }
    /// One to ten bytes; what does not fit into 64 bits is damaged.
    pub fn varint(&mut self) -> Option<u64> {
        let mut n = 0u64;
        for shift in (0..64).step_by(7) {
            let byte = self.u8()?;
            let bits = u64::from(byte & 0x7f);
            let shifted = bits.checked_shl(shift)?;
            if shifted.checked_shr(shift)? != bits {
                return None;
            }
            n |= shifted;
            if byte & 0x80 == 0 {
                return Some(n);
            }
        }
        None
    }
    /// A varint that fits into 32 bits.
    pub fn varint32(&mut self) -> Option<u32> {
        self.varint()?.try_into().ok()
    }
    /// A number of things that follow, each at least one byte: more than there are bytes is damaged, so that
    /// the number may size an allocation.
    pub fn len(&mut self) -> Option<usize> {
        let n = usize::try_from(self.varint()?).ok()?;
        (n <= self.0.len()).then_some(n)
    }
    /// A length and as many bytes.
    pub fn bytes(&mut self) -> Option<&'a [u8]> {
        let n = self.len()?;
        self.raw(n)
    }
    /// A length and as many bytes of UTF-8.
    pub fn str(&mut self) -> Option<&'a str> {
        std::str::from_utf8(self.bytes()?).ok()
    }
    /// That many bytes.
    pub fn raw(&mut self, n: usize) -> Option<&'a [u8]> {
        let (bytes, rest) = self.0.split_at_checked(n)?;
        self.0 = rest;
        Some(bytes)
    }
    /// As many bytes as the array has.
    pub fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (bytes, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*bytes)
    }
    /// A flag, and the value if there is one. Outer `None`: damaged.
    pub fn option<T>(&mut self, read: impl FnOnce(&mut Self) -> Option<T>) -> Option<Option<T>> {
        if self.bool()? { read(self).map(Some) } else { Some(None) }
    }
    /// All that is left to read.
    pub fn rest(&self) -> &'a [u8] {
        self.0
    }
    /// Nothing left to read.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
    /// Nothing may be left.
    pub fn end(&self) -> Option<()> {
        self.is_empty().then_some(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn reads_what_was_written(n: u64, m: u32, s: String, b: Vec<u8>, o: Option<u64>) {
            let mut out = Writer::new();
            out.varint(n).u32(m).u64(n).str(&s).bytes(&b).bool(true).option(o, |w, v| { w.varint(v); });
            let bytes = out.into_bytes();
            let mut r = Reader::new(&bytes);
            prop_assert_eq!(r.varint(), Some(n));
            prop_assert_eq!(r.u32(), Some(m));
            prop_assert_eq!(r.u64(), Some(n));
            prop_assert_eq!(r.str(), Some(s.as_str()));
            prop_assert_eq!(r.bytes(), Some(b.as_slice()));
            prop_assert_eq!(r.bool(), Some(true));
            prop_assert_eq!(r.option(|r| r.varint()), Some(o));
            prop_assert_eq!(r.end(), Some(()));
            // any prefix is damaged somewhere, never a panic
            for cut in 0..bytes.len() {
                let mut r = Reader::new(bytes.get(..cut).unwrap());
                let all = (|| Some((r.varint()?, r.u32()?, r.u64()?, r.str()?.len(), r.bytes()?.len(), r.bool()?, r.option(|r| r.varint())?)))();
                prop_assert!(all.is_none());
            }
        }
    }

    #[test]
    fn a_number_too_long_is_damaged() {
        assert_eq!(Reader::new(&[0xff; 10]).varint(), None);
        assert_eq!(Reader::new(&[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1]).varint(), Some(u64::MAX));
        assert_eq!(Reader::new(&[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2]).varint(), None);
        assert_eq!(Reader::new(&[200, 1, 0]).len(), None, "more things than bytes");
        assert_eq!(Reader::versioned(&[2, 0], 1).map(|_| ()), None);
    }
}
