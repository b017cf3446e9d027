//! AES-GCM as a stream (NIST SP 800-38D): any chunking, any length of IV, in place, in constant memory.
//!
//! Owns the mode, over the block cipher and the hash of RustCrypto. Knows no file and no key layout.
//!
//! A decrypted chunk is not yet authentic: it must not be used before [`Decryptor::finish`] agreed. An IV must never be used twice
//! with the same key.
use aes::cipher::{BlockCipherEncrypt, BlockSizeUser, InnerIvInit, KeyInit, StreamCipher, consts::U16};
use aes::{Aes128Enc, Aes192Enc, Aes256Enc, Block};
use ctr::Ctr32BE;
use ghash::{GHash, universal_hash::UniversalHash};
use subrosa_engine::{Coded, Fault, Status};
use subtle::ConstantTimeEq;
use zeroize::Zeroize;

/// Bytes of a tag.
pub const TAG_LEN: usize = 16;
/// The most bytes that one key and IV may encrypt: 2³⁶ − 32 (NIST SP 800-38D §5.2.1.1).
pub const MAX_LEN: u64 = (1 << 36) - 32;

const BLOCK: usize = 16;
/// Bytes that are encrypted and hashed before the next ones are looked at: they stay in the second cache between the two, and smaller pieces
/// would cost a call more than they save.
const PIECE: usize = 64 * 1024;

/// Why AES-GCM did not start, go on or agree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum GcmError {
    /// AES has keys of 16, 24 and 32 bytes.
    #[error("an AES key has 16, 24 or 32 bytes, not {0}: check what the key is made of")]
    KeyLength(usize),
    /// NIST SP 800-38D §5.2.1.1 asks for one bit at least.
    #[error("the initialisation vector is empty: give at least one byte, best 12")]
    NoIv,
    /// The key of a file does not have the IV that its layout says.
    #[error("the IV of the file's key has {found} bytes and should have {expected}: check which layout the sender uses")]
    IvLength {
        /// As the layout says.
        expected: usize,
        /// As it is.
        found: usize,
    },
    /// [`MAX_LEN`] is passed; nothing of the chunk was touched.
    #[error("AES-GCM encrypts at most {MAX_LEN} bytes under one key: send the file in parts")]
    TooLong,
    /// Another key, another IV, other associated data, or changed bytes. Nothing of it may be used.
    #[error("the tag does not match: the bytes were changed on the way, or belong to another key")]
    Forged,
}
impl Coded for GcmError {
    fn code(&self) -> &'static str {
        match self {
            GcmError::KeyLength(_) => "gcm.key-length",
            GcmError::NoIv => "gcm.no-iv",
            GcmError::IvLength { .. } => "gcm.iv-length",
            GcmError::TooLong => "gcm.too-long",
            GcmError::Forged => "gcm.forged",
        }
    }
    fn fault(&self) -> Fault {
        match self {
            GcmError::Forged => Fault::Peer,
            GcmError::KeyLength(_) | GcmError::NoIv | GcmError::IvLength { .. } | GcmError::TooLong => Fault::Caller,
        }
    }
}
/// What an engine answers when its AES-GCM failed.
impl From<GcmError> for Status {
    fn from(error: GcmError) -> Self {
        match error {
            GcmError::KeyLength(_) | GcmError::NoIv | GcmError::IvLength { .. } => Status::BAD_REQUEST,
            GcmError::TooLong => Status::TOO_LARGE,
            GcmError::Forged => Status::NOT_ACCEPTABLE,
        }
    }
}

/// Plaintext to ciphertext.
///
/// ```
/// use subrosa_files::gcm::{Decryptor, Encryptor};
/// # fn main() -> Result<(), subrosa_files::gcm::GcmError> {
/// let (key, iv) = ([7; 32], [1; 12]);
/// let mut text = *b"any chunking";
/// let mut encryptor = Encryptor::new(&key, &iv, b"")?;
/// let (first, second) = text.split_at_mut(5);
/// encryptor.update(first)?;
/// encryptor.update(second)?;
/// let tag = encryptor.finish();
///
/// let mut decryptor = Decryptor::new(&key, &iv, b"")?;
/// decryptor.update(&mut text)?;
/// decryptor.finish(&tag)?; // only now it is what was sent
/// assert_eq!(&text, b"any chunking");
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Encryptor(Gcm);
impl Encryptor {
    /// `key`: 16, 24 or 32 bytes. `iv`: 12 bytes, or any other number from 1. `associated`: what the tag covers besides, may be empty.
    ///
    /// # Errors
    /// [`GcmError::KeyLength`], [`GcmError::NoIv`]
    pub fn new(key: &[u8], iv: &[u8], associated: &[u8]) -> Result<Self, GcmError> {
        Gcm::new(key, iv, associated).map(Encryptor)
    }
    /// Encrypts the next bytes where they are.
    ///
    /// # Errors
    /// [`GcmError::TooLong`]
    pub fn update(&mut self, data: &mut [u8]) -> Result<(), GcmError> {
        self.0.update(data, |gcm, piece| {
            gcm.stream.apply(piece)?;
            gcm.absorb(piece);
            Ok(())
        })
    }
    /// The tag of all that was encrypted.
    #[must_use]
    pub fn finish(self) -> [u8; TAG_LEN] {
        self.0.tag()
    }
}

/// Ciphertext to plaintext, which is worth nothing before [`finish`](Self::finish).
#[derive(Debug)]
pub struct Decryptor(Gcm);
impl Decryptor {
    /// As [`Encryptor::new`].
    ///
    /// # Errors
    /// [`GcmError::KeyLength`], [`GcmError::NoIv`]
    pub fn new(key: &[u8], iv: &[u8], associated: &[u8]) -> Result<Self, GcmError> {
        Gcm::new(key, iv, associated).map(Decryptor)
    }
    /// Decrypts the next bytes where they are. They are not authentic yet.
    ///
    /// # Errors
    /// [`GcmError::TooLong`]
    pub fn update(&mut self, data: &mut [u8]) -> Result<(), GcmError> {
        self.0.update(data, |gcm, piece| {
            gcm.absorb(piece);
            gcm.stream.apply(piece)
        })
    }
    /// Whether all that was decrypted is what was encrypted, in constant time.
    ///
    /// # Errors
    /// [`GcmError::Forged`]
    pub fn finish(self, tag: &[u8; TAG_LEN]) -> Result<(), GcmError> {
        if bool::from(self.0.tag().ct_eq(tag)) { Ok(()) } else { Err(GcmError::Forged) }
    }
}

/// Counter mode by length of key.
enum Stream {
    Aes128(Ctr32BE<Aes128Enc>),
    Aes192(Ctr32BE<Aes192Enc>),
    Aes256(Ctr32BE<Aes256Enc>),
}
impl Stream {
    fn apply(&mut self, data: &mut [u8]) -> Result<(), GcmError> {
        match self {
            Stream::Aes128(stream) => stream.try_apply_keystream(data),
            Stream::Aes192(stream) => stream.try_apply_keystream(data),
            Stream::Aes256(stream) => stream.try_apply_keystream(data),
        }
        .map_err(|_| GcmError::TooLong)
    }
}

/// What both directions share. Everything secret in it wipes itself, `mask` by our [`Drop`].
struct Gcm {
    stream: Stream,
    hash: GHash,
    /// The first block of the key stream, which hides the hash.
    mask: Block,
    /// The ciphertext of the block that is not full yet: `len % 16` bytes of it count.
    partial: Block,
    /// Bytes.
    associated: u64,
    /// Bytes so far.
    len: u64,
}
impl Drop for Gcm {
    fn drop(&mut self) {
        self.mask.zeroize();
    }
}
impl std::fmt::Debug for Gcm {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Gcm").field("len", &self.len).finish_non_exhaustive()
    }
}

impl Gcm {
    fn new(key: &[u8], iv: &[u8], associated: &[u8]) -> Result<Self, GcmError> {
        if iv.is_empty() {
            return Err(GcmError::NoIv);
        }
        let (mut stream, mut hash) = match key.len() {
            16 => start(key, iv, Stream::Aes128)?,
            24 => start(key, iv, Stream::Aes192)?,
            _ => start(key, iv, Stream::Aes256)?,
        };
        let mut mask = Block::default();
        stream.apply(&mut mask)?;
        hash.update_padded(associated);
        Ok(Gcm { stream, hash, mask, partial: Block::default(), associated: length(associated), len: 0 })
    }

    /// Goes over `data` in pieces that end where blocks end, so that neither the cipher nor the hash meets a torn block inside.
    fn update(&mut self, data: &mut [u8], each: impl Fn(&mut Self, &mut [u8]) -> Result<(), GcmError>) -> Result<(), GcmError> {
        self.len.checked_add(length(data)).filter(|len| *len <= MAX_LEN).ok_or(GcmError::TooLong)?;
        let to_boundary = BLOCK.saturating_sub(self.filled()) % BLOCK;
        let (head, body) = data.split_at_mut(to_boundary.min(data.len()));
        for piece in std::iter::once(head).chain(body.chunks_mut(PIECE)) {
            each(self, piece)?;
        }
        Ok(())
    }

    /// Bytes in `partial`.
    fn filled(&self) -> usize {
        // less than 16
        (self.len % 16) as usize
    }

    /// Hashes the next ciphertext: inside a block, or from the start of one.
    ///
    /// All of it by `update_padded`, of which the compiler makes one loop; what it gets are whole blocks, so that it pads nothing.
    fn absorb(&mut self, ciphertext: &[u8]) {
        let filled = self.filled();
        self.len = self.len.saturating_add(length(ciphertext));
        let whole = if filled == 0 { ciphertext.len().saturating_sub(self.filled()) } else { 0 };
        let (blocks, tail) = ciphertext.split_at(whole);
        self.hash.update_padded(blocks);
        for (to, from) in self.partial.iter_mut().skip(filled).zip(tail) {
            *to = *from;
        }
        if filled > 0 && self.filled() == 0 {
            self.hash.update_padded(&self.partial);
        }
    }

    fn tag(mut self) -> [u8; TAG_LEN] {
        let filled = self.filled();
        self.hash.update_padded(self.partial.get(..filled).unwrap_or_default());
        self.hash.update_padded(&lengths(self.associated, self.len));
        let mut tag: [u8; TAG_LEN] = self.hash.clone().finalize().into();
        for (tag, mask) in tag.iter_mut().zip(&self.mask) {
            *tag ^= mask;
        }
        tag
    }
}

/// The stream at its first block, and the hash with nothing in it (NIST SP 800-38D §7.1, steps 1 and 2).
fn start<C>(key: &[u8], iv: &[u8], stream: fn(Ctr32BE<C>) -> Stream) -> Result<(Stream, GHash), GcmError>
where
    C: KeyInit + BlockCipherEncrypt + BlockSizeUser<BlockSize = U16>,
{
    let cipher = C::new_from_slice(key).map_err(|_| GcmError::KeyLength(key.len()))?;
    let mut hash_key = Block::default();
    cipher.encrypt_block(&mut hash_key);
    let hash = GHash::new(&hash_key);
    hash_key.zeroize();
    let mut first = Block::default();
    if iv.len() == 12 {
        for (to, from) in first.iter_mut().zip(iv.iter().chain(&[0, 0, 0, 1])) {
            *to = *from;
        }
    } else {
        let mut hash = hash.clone();
        hash.update_padded(iv);
        hash.update_padded(&lengths(0, length(iv)));
        first = hash.finalize();
    }
    Ok((stream(Ctr32BE::from_core(ctr::CtrCore::inner_iv_init(cipher, &first))), hash))
}

fn length(bytes: &[u8]) -> u64 {
    u64::try_from(bytes.len()).unwrap_or(u64::MAX)
}
/// The last block of the hash: two lengths in bytes, written in bits.
fn lengths(associated: u64, text: u64) -> Block {
    let bits = |len: u64| u128::from(len.saturating_mul(8));
    Block::from((bits(associated) << 64 | bits(text)).to_be_bytes())
}

#[cfg(test)]
pub(crate) mod tests {
    #![allow(clippy::unwrap_used, clippy::panic, clippy::arithmetic_side_effects)]
    use super::*;
    use aes::cipher::StreamCipherSeek;

    /// As if so much had been encrypted.
    pub(crate) fn after(len: u64) -> Encryptor {
        let mut encryptor = Encryptor::new(&[1; 32], &[2; 12], &[]).unwrap();
        let Stream::Aes256(stream) = &mut encryptor.0.stream else { panic!() };
        stream.seek(len + 16);
        encryptor.0.len = len;
        encryptor
    }

    #[test]
    fn the_last_byte_that_may_be_encrypted_is_and_the_next_is_refused_untouched() {
        let mut encryptor = after(MAX_LEN - 40);
        let mut data = [7; 41];
        assert_eq!(encryptor.update(&mut data), Err(GcmError::TooLong));
        assert_eq!(data, [7; 41]);
        encryptor.update(&mut data[..40]).unwrap();
        assert_ne!(data[..40], [7; 40]);
        assert_eq!(encryptor.update(&mut data[40..]), Err(GcmError::TooLong));
        assert_eq!(data[40], 7);
        encryptor.update(&mut []).unwrap();
        let _ = encryptor.finish();
    }

    #[test]
    fn nothing_secret_is_shown() {
        let encryptor = after(32);
        assert_eq!(format!("{encryptor:?}"), "Encryptor(Gcm { len: 32, .. })");
    }
}
