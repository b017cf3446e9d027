//! A file on its way, driven by C: bytes in, bytes out, a final call. Holds the engine to its contract.
#![allow(unsafe_code)] // exports
use crate::content::Content;
use crate::error::{AbiError, CError, Failure, call, get};
use crate::handle::{Handle, give, live, release, share};
use crate::text::{array, put};
use std::ffi::c_int;
use std::sync::{Arc, Mutex, MutexGuard, TryLockError};
use subrosa_engine::codec::wipe;
use subrosa_engine::{Fault, FileCipher, FileInfo, Status};
use zeroize::Zeroizing;

/// What runs over one file. One thread at a time uses it; it needs no machine.
pub struct Cipher(Mutex<Run>);
struct Run {
    /// None: it ended, well or not.
    cipher: Option<Box<dyn FileCipher>>,
    file: FileInfo,
    offset: u64,
    /// Offered last and not taken.
    left: usize,
    out: Zeroizing<Vec<u8>>,
}
impl Handle for Cipher {
    const NAME: &'static str = "subrosa_cipher";
}
impl Cipher {
    pub(crate) fn give(cipher: Box<dyn FileCipher>, file: FileInfo) -> *mut Self {
        let run = Run { cipher: Some(cipher), file, offset: 0, left: 0, out: Zeroizing::default() };
        give(Arc::new(Cipher(Mutex::new(run))))
    }
    /// A hook that comes back to the cipher that called it is refused, not left waiting for itself.
    fn run(&self) -> Result<MutexGuard<'_, Run>, AbiError> {
        match self.0.try_lock() {
            Ok(run) => Ok(run),
            Err(TryLockError::Poisoned(poisoned)) => Ok(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) => Err(AbiError::InUse(Self::NAME)),
        }
    }
}
pub(crate) fn refused(status: Status) -> Failure {
    let sentence = format!("the engine refused the file with {}: it was changed on the way, or the key is another's", status.code());
    Failure::refused("file.refused", sentence, Fault::Peer, status)
}
impl Run {
    /// Nothing can follow: what an engine left of its output is not worth more than what it said.
    fn end<T>(&mut self, why: Failure) -> Result<T, Failure> {
        self.cipher = None;
        self.forget();
        Err(why)
    }
    /// What came out before: plaintext, where it is a download.
    fn forget(&mut self) {
        wipe(&mut self.out);
        self.out.clear();
    }
    fn chunk(&mut self, input: &[u8]) -> Result<usize, Failure> {
        self.forget();
        self.out.reserve(input.len().saturating_add(64)); // one that grows leaves a copy behind
        let Some(cipher) = &mut self.cipher else { return Err(AbiError::Ended.into()) };
        if input.is_empty() {
            return Ok(0);
        }
        match cipher.chunk(self.offset, input, &mut self.out) {
            Ok(taken) if taken > input.len() => {
                let sentence = format!("the engine took {taken} bytes where {} were offered: a bug in the engine", input.len());
                self.end(Failure::refused("file.overrun", sentence, Fault::Bug, Status::INTERNAL))
            }
            Ok(taken) => {
                self.offset = self.offset.saturating_add(u64::try_from(taken).unwrap_or(u64::MAX));
                self.left = input.len().saturating_sub(taken);
                Ok(taken)
            }
            Err(status) => self.end(refused(status)),
        }
    }
    fn finish(&mut self) -> Result<Option<[u8; 16]>, Failure> {
        self.forget();
        let Some(cipher) = self.cipher.take() else { return Err(AbiError::Ended.into()) };
        if self.left > 0 {
            let sentence = format!("{} bytes were offered and not taken: offer them again before the final call", self.left);
            return self.end(Failure::refused("file.left-over", sentence, Fault::Caller, Status::INTERNAL));
        }
        match cipher.finish(&mut self.file, &mut self.out) {
            Ok(()) => Ok(self.file.tag),
            Err(status) => self.end(refused(status)),
        }
    }
}

/// Offers the next bytes of the file. `taken`: becomes how many the engine took; offer the rest again, with more behind it, at the start
/// of the next call. `out` and `out_size`: become what they turned into, owned by the cipher until its next call, which may be nothing yet,
/// or more than went in.
///
/// When it fails the transfer has ended: nothing of the file counts. (But for `c.in-use`: the engine came back to the cipher from its own
/// hook, which is refused and ends nothing.)
#[unsafe(no_mangle)]
pub unsafe extern "C" fn subrosa_cipher_chunk(
    cipher: *mut Cipher,
    bytes: *const u8,
    size: usize,
    taken: *mut usize,
    out: *mut *const u8,
    out_size: *mut usize,
    error: *mut *mut CError,
) -> c_int {
    unsafe { nothing(out, out_size) };
    unsafe { put(taken, 0) };
    call(error, || {
        let (held, bytes) = unsafe { (share(cipher)?, array(bytes, size, "bytes")?) }; // a hook may free it
        if taken.is_null() {
            return Err(AbiError::Null("taken").into());
        }
        let mut run = held.run()?;
        let now = run.chunk(bytes)?;
        unsafe { live(cipher) }?; // else nobody owns what came out
        unsafe {
            put(taken, now);
            show(&run.out, out, out_size);
        }
        Ok(())
    })
}
/// The final call: the last bytes of the file, and its tag. An upload sets the tag in `file`, which was got with
/// `subrosa_output_get_file`; for a download give NULL: the tag that the file came with was checked. A download is the file that was sent
/// only when this is 0: give it its name then, not earlier.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn subrosa_cipher_finish(
    cipher: *mut Cipher,
    file: *mut Content,
    out: *mut *const u8,
    out_size: *mut usize,
    error: *mut *mut CError,
) -> c_int {
    unsafe { nothing(out, out_size) };
    call(error, || {
        let held = unsafe { share(cipher) }?;
        let file = if file.is_null() { None } else { Some(unsafe { share(file) }?) };
        let mut run = held.run()?;
        let tag = run.finish()?;
        unsafe { live(cipher) }?;
        if let Some(file) = file {
            file.set_tag(tag);
        }
        unsafe { show(&run.out, out, out_size) };
        Ok(())
    })
}
/// Gives a cipher back, at any time: before its final call this ends the transfer. NULL is fine.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn subrosa_cipher_free(cipher: *mut Cipher) {
    if !cipher.is_null() {
        get((), || unsafe { release(cipher) });
    }
}

unsafe fn nothing(out: *mut *const u8, out_size: *mut usize) {
    unsafe {
        put(out, std::ptr::null());
        put(out_size, 0);
    }
}
unsafe fn show(bytes: &[u8], out: *mut *const u8, out_size: *mut usize) {
    unsafe {
        put(out, bytes.as_ptr());
        put(out_size, bytes.len());
    }
}
