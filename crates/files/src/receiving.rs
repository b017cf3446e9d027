//! A file comes in: nothing of it has a name before its tag was checked.
use crate::drive::Drive;
use crate::{Existing, FileName, ReceiveError, Spool, SpoolError};
use subrosa_engine::{Coded, Fault, FileCipher, FileInfo};
use zeroize::Zeroizing;

/// A download under way.
///
/// Every call that succeeds gives it back; one that failed has ended it, and the spool is gone with all that was in it.
///
/// ```compile_fail,E0599
/// # use subrosa_files::{Receiving, DiskSpool};
/// fn early(transfer: Receiving<DiskSpool>) {
///     transfer.save(); // there is no such thing before `finish`
/// }
/// ```
/// ```
/// # use subrosa_files::{Receiving, ReceiveError, DiskSpool};
/// fn in_time(transfer: Receiving<DiskSpool>) -> Result<(), ReceiveError> {
///     transfer.finish()?.save();
///     Ok(())
/// }
/// ```
#[must_use = "a file is received only when its final call said so"]
pub struct Receiving<S> {
    drive: Drive,
    file: FileInfo,
    spool: S,
    plain: Zeroizing<Vec<u8>>,
    /// Bytes of plaintext.
    written: u64,
    /// Bytes on the wire.
    received: u64,
    /// Bytes on the wire.
    limit: u64,
}
impl<S> std::fmt::Debug for Receiving<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Receiving").field("received", &self.received).field("written", &self.written).finish_non_exhaustive()
    }
}
impl<S: Spool> Receiving<S> {
    /// `file`: as its sender described it; more than its size ends the transfer, less of it is no file. `cipher`: what an engine made for
    /// it; none only where clear text was allowed.
    ///
    /// Twice the size and 64 KiB are taken from the wire, enough for hexadecimal digits: see [`wire_limit`](Self::wire_limit).
    pub fn new(file: FileInfo, cipher: Option<Box<dyn FileCipher>>, spool: S) -> Self {
        let limit = file.size.saturating_mul(2).saturating_add(64 * 1024);
        Receiving { drive: Drive::new(cipher), file, spool, plain: Zeroizing::default(), written: 0, received: 0, limit }
    }
    /// For a cipher that makes more of a file, or never more than so many bytes.
    pub fn wire_limit(self, bytes: u64) -> Self {
        Receiving { limit: bytes, ..self }
    }
    /// The next bytes from the wire, in any chunking.
    ///
    /// # Errors
    /// What the cipher did, [`ReceiveError::Longer`], [`ReceiveError::WireTooLong`], or what the spool said.
    pub fn chunk(mut self, wire: &[u8]) -> Result<Self, ReceiveError> {
        self.received = self.received.saturating_add(u64::try_from(wire.len()).unwrap_or(u64::MAX));
        if self.received > self.limit {
            return Err(ReceiveError::WireTooLong { limit: self.limit });
        }
        self.drive.push(wire, &mut self.plain)?;
        self.keep()?;
        Ok(self)
    }
    /// The final call: the cipher checks what it has to check.
    ///
    /// # Errors
    /// What the cipher did, [`ReceiveError::Shorter`], [`ReceiveError::Longer`], or what the spool said.
    pub fn finish(mut self) -> Result<VerifiedFile<S>, ReceiveError> {
        self.drive.end(&mut self.plain)?;
        let declared = self.file.size;
        let drive = std::mem::replace(&mut self.drive, Drive::new(None));
        drive.finish(&mut self.file, &mut self.plain)?;
        self.file.size = declared;
        self.keep()?;
        if self.written < declared {
            return Err(ReceiveError::Shorter { declared, received: self.written });
        }
        Ok(VerifiedFile { spool: self.spool, info: self.file })
    }
    /// Bytes of the file so far, for whoever shows progress.
    #[must_use]
    pub fn written(&self) -> u64 {
        self.written
    }
    /// The file as its sender described it.
    #[must_use]
    pub fn file(&self) -> &FileInfo {
        &self.file
    }

    fn keep(&mut self) -> Result<(), ReceiveError> {
        let written = self.written.saturating_add(u64::try_from(self.plain.len()).unwrap_or(u64::MAX));
        if written > self.file.size {
            return Err(ReceiveError::Longer { declared: self.file.size });
        }
        self.spool.write_all(&self.plain).map_err(SpoolError::from)?;
        self.written = written;
        self.plain.clear();
        Ok(())
    }
}

/// Whole, and its cipher agreed. The only type with a way to the bytes.
#[must_use = "a file that is not saved is gone"]
pub struct VerifiedFile<S> {
    spool: S,
    info: FileInfo,
}
/// It was not saved. The file is still there, for another name.
pub struct Unsaved<S> {
    /// What was to be saved.
    pub file: VerifiedFile<S>,
    /// Why it was not.
    pub error: SpoolError,
}
impl<S: Spool> VerifiedFile<S> {
    /// As the sender described it. Its name is not one to trust.
    #[must_use]
    pub fn info(&self) -> &FileInfo {
        &self.info
    }
    /// Under the sender's name, made safe, beside what has that name already.
    ///
    /// # Errors
    /// Gives the file back.
    pub fn save(self) -> Result<S::Published, Unsaved<S>> {
        let name = FileName::from_peer(&self.info.name);
        self.save_as(&name, Existing::Keep)
    }
    /// Under a name of one's own choice.
    ///
    /// # Errors
    /// Gives the file back.
    pub fn save_as(self, name: &FileName, existing: Existing) -> Result<S::Published, Unsaved<S>> {
        let VerifiedFile { spool, info } = self;
        spool.publish(name, existing).map_err(|(spool, error)| Unsaved { file: VerifiedFile { spool, info }, error })
    }
}
impl<S> std::fmt::Debug for VerifiedFile<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("VerifiedFile").field("size", &self.info.size).finish_non_exhaustive()
    }
}
impl<S> std::fmt::Debug for Unsaved<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Unsaved").field("file", &self.file).field("error", &self.error).finish()
    }
}
impl<S> std::fmt::Display for Unsaved<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.error.fmt(f)
    }
}
impl<S> std::error::Error for Unsaved<S> {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.error.source()
    }
}
impl<S> Coded for Unsaved<S> {
    fn code(&self) -> &'static str {
        self.error.code()
    }
    fn fault(&self) -> Fault {
        self.error.fault()
    }
}
