//! A file goes out: plaintext in, what goes on the wire out.
use crate::drive::Drive;
use crate::{CipherError, SendError};
use subrosa_engine::{FileCipher, FileInfo};
use zeroize::Zeroize;

/// An upload under way.
///
/// Every call that succeeds gives it back; one that failed has ended it and leaves `wire` as it was.
#[derive(Debug)]
#[must_use = "a file is sent only when its final call said so"]
pub struct Sending {
    drive: Drive,
    file: FileInfo,
    read: u64,
}
impl Sending {
    /// `cipher`: what an engine made for this file; none only where clear text was allowed.
    pub fn new(file: FileInfo, cipher: Option<Box<dyn FileCipher>>) -> Self {
        Sending { drive: Drive::new(cipher), file: FileInfo { tag: None, ..file }, read: 0 }
    }
    /// The next bytes of the file, in any chunking; appends to `wire` what they become, which may be nothing yet.
    ///
    /// # Errors
    /// What the cipher did, or [`SendError::Longer`].
    pub fn chunk(mut self, plain: &[u8], wire: &mut Vec<u8>) -> Result<Self, SendError> {
        let read = self.read.saturating_add(u64::try_from(plain.len()).unwrap_or(u64::MAX));
        if read > self.file.size {
            return Err(SendError::Longer { declared: self.file.size });
        }
        self.read = read;
        appending(wire, |wire| self.drive.push(plain, wire))?;
        Ok(self)
    }
    /// The final call; appends the last bytes to `wire`. The info has the tag now.
    ///
    /// # Errors
    /// What the cipher did, or [`SendError::Shorter`].
    pub fn finish(self, wire: &mut Vec<u8>) -> Result<FileInfo, SendError> {
        let Sending { mut drive, mut file, read } = self;
        let declared = file.size;
        if read < declared {
            return Err(SendError::Shorter { declared, read });
        }
        appending(wire, |wire| {
            drive.end(wire)?;
            drive.finish(&mut file, wire)
        })?;
        Ok(FileInfo { size: declared, ..file })
    }
    /// Bytes of the file so far, for whoever shows progress.
    #[must_use]
    pub fn read(&self) -> u64 {
        self.read
    }
    /// The file as it was announced.
    #[must_use]
    pub fn file(&self) -> &FileInfo {
        &self.file
    }
}

/// What a failed call appended must not leave: nobody knows whether it is ciphertext.
fn appending(wire: &mut Vec<u8>, call: impl FnOnce(&mut Vec<u8>) -> Result<(), CipherError>) -> Result<(), CipherError> {
    let before = wire.len();
    call(wire).inspect_err(|_| {
        wire.iter_mut().skip(before).for_each(Zeroize::zeroize);
        wire.truncate(before);
    })
}
