//! Where a file waits until it is known to be what was sent, and how it gets its name then.
use crate::{FileName, SpoolError};
use std::fs::File;
use std::io::{self, BufWriter, Sink, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tempfile::NamedTempFile;

/// How many names are tried beside those that are taken.
const NAMES: u32 = 10_000;
/// Around the random part of the name that a file has until it gets its own.
const HIDDEN: (&str, &str) = (".subrosa-", ".part");
/// Older than this, a file whose owner lives is locked.
const YOUNG: Duration = Duration::from_secs(60);

/// Takes a file as it comes, and keeps it where nobody takes it for one. Dropped before [`publish`](Self::publish), nothing of it is left.
pub trait Spool: Write + Sized {
    /// What is there afterwards.
    type Published;
    /// Under its final name: all of it at once, on the disk, or not at all.
    ///
    /// # Errors
    /// Gives the spool back, for another name.
    fn publish(self, name: &FileName, existing: Existing) -> Result<Self::Published, (Self, SpoolError)>;
}

/// What becomes of a file that has the name already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Existing {
    /// It stays, the new one is named `name (1).ext`, or the next number that is free.
    Keep,
    /// It stays, the new one gets no name: [`SpoolError::Exists`].
    Refuse,
    /// It is replaced in one step.
    Replace,
}

/// In memory: for small files, and where the name does not matter.
impl Spool for Vec<u8> {
    type Published = Vec<u8>;
    fn publish(self, _: &FileName, _: Existing) -> Result<Vec<u8>, (Self, SpoolError)> {
        Ok(self)
    }
}
/// Kept nowhere: for whoever only wants to know whether it would arrive.
impl Spool for Sink {
    type Published = ();
    fn publish(self, _: &FileName, _: Existing) -> Result<(), (Self, SpoolError)> {
        Ok(())
    }
}

/// A file in the directory where it will be, readable by its owner only (0600, which it stays), hidden by its name and removed when dropped.
/// What a killed process leaves is named `.subrosa-….part`, until somebody [sweeps](Self::sweep).
#[derive(Debug)]
pub struct DiskSpool {
    directory: PathBuf,
    file: BufWriter<NamedTempFile>,
    /// It could not be synced. A second try may succeed although bytes are lost, so there is none.
    torn: bool,
}
impl DiskSpool {
    /// `directory`: where the file will be. A temporary one elsewhere could not get its name in one step.
    ///
    /// # Errors
    /// [`SpoolError::NoDirectory`], [`SpoolError::ReadOnly`], [`SpoolError::Full`], [`SpoolError::Other`]
    pub fn new(directory: impl Into<PathBuf>) -> Result<Self, SpoolError> {
        let directory = std::path::absolute(directory.into())?;
        let file = tempfile::Builder::new().prefix(HIDDEN.0).suffix(HIDDEN.1).tempfile_in(&directory)?;
        // where there are no locks nothing is swept
        let _ = file.as_file().try_lock();
        Ok(DiskSpool { directory, file: BufWriter::with_capacity(64 * 1024, file), torn: false })
    }
    /// Removes what killed processes left in a directory: parts of files, decrypted, that nobody writes to any more. Says how many there were.
    ///
    /// # Errors
    /// The directory can't be read. What can't be removed is left.
    pub fn sweep(directory: &Path) -> io::Result<usize> {
        let mut swept = 0_usize;
        for entry in std::fs::read_dir(directory)?.filter_map(Result::ok) {
            let name = entry.file_name();
            let is_part = name.to_str().is_some_and(|name| name.starts_with(HIDDEN.0) && name.ends_with(HIDDEN.1));
            if is_part && entry.file_type().is_ok_and(|kind| kind.is_file()) && is_left(&entry.path()) && std::fs::remove_file(entry.path()).is_ok() {
                swept = swept.saturating_add(1);
            }
        }
        Ok(swept)
    }
}
impl Write for DiskSpool {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }
    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}
impl Spool for DiskSpool {
    type Published = PathBuf;
    fn publish(mut self, name: &FileName, existing: Existing) -> Result<PathBuf, (Self, SpoolError)> {
        if self.torn {
            return Err((self, io::Error::other("it could not be written before").into()));
        }
        if let Err(e) = self.file.flush().and_then(|()| self.file.get_ref().as_file().sync_all()) {
            return Err((DiskSpool { torn: true, ..self }, e.into()));
        }
        let DiskSpool { directory, file, .. } = self;
        // nothing is in the buffer
        let (mut file, _) = file.into_parts();
        let tries = if existing == Existing::Keep { NAMES } else { 1 };
        let mut error = SpoolError::Exists { name: name.to_string() };
        for number in 0..tries {
            let path = directory.join(name.numbered(number).as_str());
            let named = if existing == Existing::Replace { file.persist(&path) } else { file.persist_noclobber(&path) };
            match named {
                Ok(_) => {
                    sync(&directory);
                    return Ok(path);
                }
                Err(e) => {
                    file = e.file;
                    if e.error.kind() != io::ErrorKind::AlreadyExists {
                        error = e.error.into();
                        break;
                    }
                }
            }
        }
        Err((DiskSpool { directory, file: BufWriter::new(file), torn: false }, error))
    }
}

/// Whether it is nobody's: not locked, and not so young that its owner may be about to lock it.
fn is_left(path: &Path) -> bool {
    let Ok(file) = File::open(path) else { return false };
    let age = file.metadata().and_then(|known| known.modified()).ok().and_then(|written| written.elapsed().ok());
    age.is_some_and(|age| age >= YOUNG) && file.try_lock().is_ok()
}
/// So that the name outlives a crash too. The file has it in any case, and not every system lets a directory be synced: no error.
fn sync(directory: &Path) {
    let _ = File::open(directory).and_then(|directory| directory.sync_all());
}
