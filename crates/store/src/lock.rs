//! One process at a time. The system's lock on a file beside the database: gone with the process, however it ends.
//! The file stays; in it is the id of the process that has it, or had it last.
use crate::error::OpenError;
use crate::key::private;
use std::fs::{File, TryLockError};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

/// Held as long as it lives.
pub(crate) struct Lock(File);
impl Lock {
    /// For the database at `path`.
    pub(crate) fn acquire(path: &Path) -> Result<Self, OpenError> {
        let io = |e| OpenError::io(path.into(), e);
        let mut file = private().read(true).write(true).create(true).truncate(false).open(beside(path, ".lock")).map_err(io)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut text = String::new();
                let read = (&file).take(20).read_to_string(&mut text); // the last holder's, for a moment: a hint, no more
                return Err(OpenError::InUse { path: path.into(), pid: read.ok().and_then(|_| text.trim().parse().ok()) });
            }
            Err(TryLockError::Error(e)) => return Err(io(e)),
        }
        file.set_len(0).and_then(|()| writeln!(file, "{}", std::process::id())).map_err(io)?;
        Ok(Lock(file))
    }
}
impl Drop for Lock {
    fn drop(&mut self) {
        let _ = self.0.set_len(0).and_then(|()| self.0.unlock()); // closing the file unlocks it too
    }
}
/// `data/store.db` and `-wal` → `data/store.db-wal`
pub(crate) fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    name.into()
}
