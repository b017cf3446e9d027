//! The envelope of a backup: header, key, chunks. Knows nothing of what is inside.
use super::BackupError;
use aes_gcm::aead::{AeadInOut, KeyInit};
use aes_gcm::{Aes256Gcm, Nonce, Tag};
use argon2::{Algorithm, Argon2, Block, Params, Version};
use hkdf::Hkdf;
use rand_core::CryptoRng;
use sha2::Sha256;
use std::io::{self, ErrorKind, Read, Write};
use std::path::Path;
use zeroize::{Zeroize, Zeroizing};

pub(super) const MAGIC: &[u8; 15] = b"SUBROSA BACKUP\n";
/// 1 did not say whose word each row is; it is read.
pub(super) const VERSION: u8 = 2;
pub(super) const HEADER: usize = 15 + 1 + 12 + 16 + 16;
/// Behind the last chunk: it only tells a file that was cut from one that was changed.
pub(super) const END: &[u8; 12] = b"SUBROSA END\n";
const CHUNK: usize = 64 * 1024;
const TAG: usize = 16;

/// What Argon2id costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cost {
    /// KiB.
    memory: u32,
    passes: u32,
    lanes: u32,
}
impl Cost {
    /// The second recommended option of RFC 9106 §4.
    pub const OURS: Cost = Cost { memory: 64 * 1024, passes: 3, lanes: 4 };
    /// For tests: as cheap for whoever guesses the passphrase.
    #[doc(hidden)]
    pub const CHEAP: Cost = Cost { memory: 64, passes: 1, lanes: 1 };
    /// More is not read: 256 MiB, and some ten times our time.
    const MOST: Cost = Cost { memory: 256 * 1024, passes: 8, lanes: 16 };
}
/// Key and header of one file.
#[derive(Clone)]
pub(super) struct Seal {
    cipher: Aes256Gcm,
    header: [u8; HEADER],
}

impl Seal {
    /// A new one, with a salt that was never used.
    pub fn new(passphrase: &str, cost: Cost, rng: &mut dyn CryptoRng) -> Result<Self, BackupError> {
        let mut salt = [0; 16];
        rng.fill_bytes(&mut salt);
        let (cipher, check) = derive(passphrase, cost, &salt)?;
        let numbers = [cost.memory, cost.passes, cost.lanes].map(u32::to_le_bytes);
        let mut header = [0; HEADER];
        let parts = [MAGIC.as_slice(), &[VERSION], numbers.as_flattened(), &salt, &check].concat();
        header.iter_mut().zip(parts).for_each(|(byte, part)| *byte = part);
        Ok(Seal { cipher, header })
    }
    /// Reads the header and derives the key.
    pub fn of(file: &mut impl Read, passphrase: &str, path: &Path) -> Result<Seal, BackupError> {
        let of = || path.to_path_buf();
        let mut header = [0; HEADER];
        let (known, rest) = header.split_at_mut(MAGIC.len().saturating_add(1));
        let short = |e: io::Error| match e.kind() {
            ErrorKind::UnexpectedEof => None,
            _ => Some(BackupError::Io { path: of(), source: e }),
        };
        file.read_exact(known).map_err(|e| short(e).unwrap_or(BackupError::NotABackup { path: of() }))?;
        let version = known.strip_prefix(MAGIC).and_then(|rest| rest.first().copied()).ok_or(BackupError::NotABackup { path: of() })?;
        match version {
            0 => return Err(BackupError::NotABackup { path: of() }),
            1..=VERSION => {}
            found => return Err(BackupError::Newer { path: of(), found, known: VERSION }),
        }
        file.read_exact(rest).map_err(|e| short(e).unwrap_or(BackupError::Truncated { path: of() }))?;
        let damaged = || BackupError::Changed { path: of() };
        let (numbers, rest) = rest.split_first_chunk::<12>().ok_or_else(damaged)?;
        let (salt, check) = rest.split_first_chunk::<16>().ok_or_else(damaged)?;
        let [memory, passes, lanes] = *numbers.as_chunks::<4>().0 else { return Err(damaged()) };
        let [memory, passes, lanes] = [memory, passes, lanes].map(u32::from_le_bytes);
        let cost = Cost { memory, passes, lanes };
        // first: Argon2's own check multiplies
        if memory > Cost::MOST.memory || passes > Cost::MOST.passes || lanes > Cost::MOST.lanes {
            return Err(BackupError::TooExpensive { path: of() });
        }
        if Params::new(memory, passes, lanes, Some(32)).is_err() {
            return Err(damaged());
        }
        let (cipher, expected) = derive(passphrase, cost, salt)?;
        // nothing secret: whoever has the file can compare it as well
        if *check != expected {
            return Err(BackupError::WrongPassphrase { path: of() });
        }
        Ok(Seal { cipher, header })
    }
    fn nonce(number: u32, last: bool) -> [u8; 12] {
        let [a, b, c, d] = number.to_be_bytes();
        [0, 0, 0, 0, 0, 0, 0, a, b, c, d, last.into()]
    }
    /// Seals the chunk in place; its tag comes behind.
    fn seal(&self, number: u32, last: bool, chunk: &mut [u8]) -> io::Result<[u8; TAG]> {
        let nonce = Nonce::from(Self::nonce(number, last));
        let tag = self.cipher.encrypt_inout_detached(&nonce, &self.header, chunk.into()).map_err(|_| io::Error::other("a chunk is too long"))?;
        Ok(tag.into())
    }
    fn open(&self, number: u32, last: bool, chunk: &mut [u8], tag: &[u8; TAG]) -> bool {
        let nonce = Nonce::from(Self::nonce(number, last));
        self.cipher.decrypt_inout_detached(&nonce, &self.header, chunk.into(), &Tag::from(*tag)).is_ok()
    }
}
/// The key, and what tells a wrong passphrase from a changed file.
fn derive(passphrase: &str, cost: Cost, salt: &[u8; 16]) -> Result<(Aes256Gcm, [u8; 16]), BackupError> {
    let params = Params::new(cost.memory, cost.passes, cost.lanes, Some(32)).map_err(|_| BackupError::NoMemory)?;
    let mut memory = Vec::new();
    memory.try_reserve_exact(params.block_count()).map_err(|_| BackupError::NoMemory)?;
    memory.resize(params.block_count(), Block::default());
    let mut stretched = Zeroizing::new([0; 32]);
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    let done = argon2.hash_password_into_with_memory(passphrase.as_bytes(), salt, &mut *stretched, &mut memory);
    memory.iter_mut().for_each(|block| block.as_mut().zeroize());
    done.map_err(|_| BackupError::NoMemory)?;
    let mut all = Zeroizing::new([0; 48]);
    // 48 bytes are far below what HKDF gives
    Hkdf::<Sha256>::new(None, &*stretched).expand(b"subrosa backup 1", &mut *all).unwrap_or_default();
    let (key, check) = all.split_first_chunk::<32>().ok_or(BackupError::NoMemory)?;
    Ok((Aes256Gcm::new(&(*key).into()), check.first_chunk().copied().unwrap_or_default()))
}
/// Takes bytes, writes sealed chunks.
pub(super) struct Sealer<W: Write> {
    to: W,
    seal: Seal,
    number: u32,
    chunk: Zeroizing<Vec<u8>>,
}
impl<W: Write> Sealer<W> {
    pub fn new(to: W, seal: Seal) -> Self {
        Sealer { to, seal, number: 0, chunk: Zeroizing::new(Vec::with_capacity(CHUNK)) }
    }
    fn emit(&mut self, last: bool) -> io::Result<()> {
        let tag = self.seal.seal(self.number, last, &mut self.chunk)?;
        self.number = self.number.checked_add(1).ok_or_else(|| io::Error::other("a backup has at most 256 TiB"))?;
        self.to.write_all(&self.chunk)?;
        self.to.write_all(&tag)?;
        self.chunk.clear();
        Ok(())
    }
    /// What the file begins with.
    pub fn write_header(&mut self) -> io::Result<()> {
        self.to.write_all(&self.seal.header)
    }
    /// Writes the last chunk; nothing may come behind it.
    pub fn finish(&mut self) -> io::Result<&mut W> {
        self.emit(true)?;
        Ok(&mut self.to)
    }
}
impl<W: Write> Write for Sealer<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.chunk.len() == CHUNK {
            self.emit(false)?; // only now: the last is emitted by `finish`
        }
        let room = CHUNK.saturating_sub(self.chunk.len()).min(bytes.len());
        self.chunk.extend_from_slice(bytes.get(..room).unwrap_or_default());
        Ok(room)
    }
    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

/// Reads sealed chunks, gives their bytes. An error that is not the disk's is [`Broken`].
pub(super) struct Unsealer<R: Read> {
    from: R,
    seal: Seal,
    number: u32,
    /// The sealed chunk that comes next, and one byte of what is behind it.
    next: Vec<u8>,
    chunk: Zeroizing<Vec<u8>>,
    at: usize,
    last: bool,
}
/// Why a chunk does not open.
#[derive(Clone, Copy, Debug, thiserror::Error)]
pub(super) enum Broken {
    #[error("cut short")]
    Truncated,
    #[error("changed")]
    Changed,
}
impl<R: Read> Unsealer<R> {
    pub fn new(from: R, seal: Seal) -> Self {
        Unsealer { from, seal, number: 0, next: Vec::new(), chunk: Zeroizing::default(), at: 0, last: false }
    }
    fn advance(&mut self) -> io::Result<()> {
        let sealed = CHUNK + TAG;
        let more = sealed.saturating_add(1).saturating_sub(self.next.len());
        (&mut self.from).take(more as u64).read_to_end(&mut self.next)?;
        let behind = self.next.get(sealed).copied();
        self.next.truncate(sealed);
        self.last = behind.is_none();
        let broken = |why: Broken| io::Error::new(ErrorKind::InvalidData, why);
        let (chunk, tag) = self.next.split_last_chunk_mut::<TAG>().ok_or_else(|| broken(Broken::Truncated))?;
        let mut copy = Zeroizing::new(chunk.to_vec());
        if !self.seal.open(self.number, self.last, &mut copy, tag) {
            // whole, but in truth another came behind it
            let cut = self.last && self.seal.open(self.number, false, chunk, tag);
            return Err(broken(if cut { Broken::Truncated } else { Broken::Changed }));
        }
        self.chunk = copy;
        self.at = 0;
        self.number = self.number.checked_add(1).ok_or_else(|| broken(Broken::Changed))?;
        self.next.clear();
        self.next.extend(behind);
        Ok(())
    }
}
impl<R: Read> Read for Unsealer<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        while self.at == self.chunk.len() {
            if self.last {
                return Ok(0);
            }
            self.advance()?;
        }
        let rest = self.chunk.get(self.at..).unwrap_or_default();
        let n = rest.len().min(into.len());
        into.iter_mut().zip(rest).for_each(|(to, from)| *to = *from);
        self.at = self.at.saturating_add(n);
        Ok(n)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use super::*;

    /// What is inside has no order of its own here: only the envelope can tell.
    #[test]
    fn every_chunk_has_its_place() {
        let mut rng: chacha20::ChaCha20Rng = rand_core::SeedableRng::from_seed([1; 32]);
        let seal = Seal::new("correct horse battery staple", Cost::CHEAP, &mut rng).unwrap();
        let mut sealer = Sealer::new(Vec::new(), seal.clone());
        sealer.write_all(&vec![7; 3 * CHUNK]).unwrap();
        let sealed = sealer.finish().unwrap().clone();
        let parts: Vec<&[u8]> = sealed.chunks(CHUNK + TAG).collect();
        assert!(parts.len() == 3 && parts[0] != parts[1] && parts[1] != parts[2], "no nonce twice");
        let opened = |parts: &[&[u8]]| {
            let mut bytes = Vec::new();
            Unsealer::new(&*parts.concat(), seal.clone()).read_to_end(&mut bytes).map(|_| bytes)
        };
        assert_eq!(opened(&parts).unwrap(), vec![7; 3 * CHUNK]);
        for wrong in [&[1, 0, 2][..], &[0, 0, 2], &[0, 1], &[0, 2], &[2], &[0, 1, 2, 2], &[]] {
            let parts: Vec<&[u8]> = wrong.iter().map(|n| parts[*n]).collect();
            assert_eq!(opened(&parts).unwrap_err().kind(), ErrorKind::InvalidData, "{wrong:?}");
        }
    }
}
