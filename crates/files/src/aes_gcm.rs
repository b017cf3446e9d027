//! AES-GCM as the cipher of a transfer: a key and an IV of its own for every file, the tag in its info.
//!
//! No associated data and the tag beside the file, as Liblinphone does it.
use crate::gcm::{Decryptor, Encryptor, GcmError, TAG_LEN};
use rand_core::CryptoRng;
use subrosa_engine::{FileCipher, FileInfo, FileKey, Status};
use zeroize::{Zeroize, Zeroizing};

/// How many bytes of a [`FileKey`] are AES key and how many IV: `key ‖ iv`, nothing between, before or after.
///
/// The lengths can't be told from the sum (16 ‖ 16 is as long as 24 ‖ 8), so both sides must know them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    key: usize,
    iv: usize,
}
impl Layout {
    /// 32 ‖ 12: AES-256 with the IV that GCM is made for. What to take where nothing else is given.
    pub const AES256: Layout = Layout { key: 32, iv: 12 };
    /// 24 ‖ 8: AES-192 with 8 bytes of IV, in the `file-key` of Liblinphone's file transfer.
    pub const LINPHONE: Layout = Layout { key: 24, iv: 8 };

    /// `key`: 16, 24 or 32 bytes. `iv`: at least 1 byte.
    ///
    /// # Errors
    /// [`GcmError::KeyLength`], [`GcmError::NoIv`]
    pub const fn new(key: usize, iv: usize) -> Result<Self, GcmError> {
        match (key, iv) {
            (_, 0) => Err(GcmError::NoIv),
            (16 | 24 | 32, _) => Ok(Layout { key, iv }),
            _ => Err(GcmError::KeyLength(key)),
        }
    }
    /// A new key and a new IV. For one file: a second one under the same key would open both.
    #[must_use]
    pub fn generate(self, rng: &mut dyn CryptoRng) -> FileKey {
        let mut bytes = Zeroizing::new(vec![0; self.key.saturating_add(self.iv)]);
        rng.fill_bytes(&mut bytes);
        FileKey(bytes)
    }
    fn split(self, key: &FileKey) -> Result<(&[u8], &[u8]), GcmError> {
        let (aes, iv) = key.0.split_at_checked(self.key).ok_or(GcmError::KeyLength(key.0.len()))?;
        match iv.len() {
            0 => Err(GcmError::NoIv),
            len if len == self.iv => Ok((aes, iv)),
            len => Err(GcmError::IvLength { expected: self.iv, found: len }),
        }
    }
}

/// The transfer of one file under AES-GCM. As many bytes on the wire as in the file, which the tag is not part of.
///
/// An upload puts the tag into [`FileInfo::tag`]; a download demands it there. What an upload was refused for is a [`Status`]: 413
/// beyond [`gcm::MAX_LEN`](crate::gcm::MAX_LEN), 400 where the tag is missing, 488 where it does not match.
#[derive(Debug)]
pub struct AesGcm {
    way: Way,
    /// Bytes so far, for [`Status::INTERNAL`] to whoever leaves some out.
    offset: u64,
}
#[derive(Debug)]
enum Way {
    Up(Encryptor),
    Down(Decryptor),
}
impl AesGcm {
    /// Encrypts. Twice under one key only if it is the same file.
    ///
    /// # Errors
    /// A key that is not of this layout.
    pub fn upload(key: &FileKey, layout: Layout) -> Result<Self, GcmError> {
        let (key, iv) = layout.split(key)?;
        Ok(AesGcm { way: Way::Up(Encryptor::new(key, iv, &[])?), offset: 0 })
    }
    /// Decrypts.
    ///
    /// # Errors
    /// A key that is not of this layout.
    pub fn download(key: &FileKey, layout: Layout) -> Result<Self, GcmError> {
        let (key, iv) = layout.split(key)?;
        Ok(AesGcm { way: Way::Down(Decryptor::new(key, iv, &[])?), offset: 0 })
    }
}
impl FileCipher for AesGcm {
    fn chunk(&mut self, offset: u64, input: &[u8], output: &mut Vec<u8>) -> Result<usize, Status> {
        if offset != self.offset {
            return Err(Status::INTERNAL);
        }
        let start = output.len();
        output.extend_from_slice(input);
        let (_, new) = output.split_at_mut(start);
        let done = match &mut self.way {
            Way::Up(encryptor) => encryptor.update(new),
            Way::Down(decryptor) => decryptor.update(new),
        };
        if let Err(error) = done {
            new.zeroize();
            output.truncate(start);
            return Err(error.into());
        }
        self.offset = self.offset.saturating_add(u64::try_from(input.len()).unwrap_or(u64::MAX));
        Ok(input.len())
    }
    fn finish(self: Box<Self>, file: &mut FileInfo, _: &mut Vec<u8>) -> Result<(), Status> {
        match self.way {
            Way::Up(encryptor) => file.tag = Some(encryptor.finish()),
            Way::Down(decryptor) => {
                let tag: [u8; TAG_LEN] = file.tag.ok_or(Status::BAD_REQUEST)?;
                decryptor.finish(&tag)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::gcm::{MAX_LEN, tests::after};

    #[test]
    fn what_is_refused_is_not_in_the_output() {
        let mut cipher = AesGcm { way: Way::Up(after(MAX_LEN - 1)), offset: 0 };
        let mut output = b"before".to_vec();
        assert_eq!(cipher.chunk(0, b"secret", &mut output), Err(Status::TOO_LARGE));
        assert_eq!(output, b"before", "plaintext is in what goes on the wire");
        assert_eq!(cipher.chunk(0, b"s", &mut output), Ok(1));
        assert_eq!(output.len(), 7);
    }
}
