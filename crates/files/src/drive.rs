//! One cipher through one transfer, held to its contract. Both directions are the same here: bytes in, bytes out, a final call.
//!
//! Owns what was offered and not yet taken, at most [`WINDOW`] bytes. Knows neither sizes of files nor where bytes go.
use crate::CipherError;
use std::panic::{AssertUnwindSafe, catch_unwind};
use subrosa_engine::{FileCipher, FileInfo, Status};
use zeroize::Zeroizing;

/// The most bytes that are offered at once, and that wait for a cipher which does not take them.
pub(crate) const WINDOW: usize = 1 << 20;

pub(crate) struct Drive {
    /// None: bytes pass as they are.
    cipher: Option<Box<dyn FileCipher>>,
    /// Bytes taken so far.
    offset: u64,
    /// Offered and not taken.
    rest: Zeroizing<Vec<u8>>,
}
impl std::fmt::Debug for Drive {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Drive").field("offset", &self.offset).field("waiting", &self.rest.len()).finish_non_exhaustive()
    }
}
/// A cipher may also panic while it is dropped, in a transfer that was given up.
impl Drop for Drive {
    fn drop(&mut self) {
        let cipher = self.cipher.take();
        let _ = guarded(|| {
            drop(cipher);
            Ok(())
        });
    }
}

impl Drive {
    pub(crate) fn new(cipher: Option<Box<dyn FileCipher>>) -> Self {
        Drive { cipher, offset: 0, rest: Zeroizing::default() }
    }

    /// Offers the next bytes, after those that wait. After an error the cipher must not be called again.
    pub(crate) fn push(&mut self, bytes: &[u8], out: &mut Vec<u8>) -> Result<(), CipherError> {
        bytes.chunks(WINDOW).try_for_each(|window| if self.rest.is_empty() { self.direct(window, out) } else { self.behind(window, out) })
    }

    /// Nothing waits: offered where they are, copied only where they are not taken.
    fn direct(&mut self, window: &[u8], out: &mut Vec<u8>) -> Result<(), CipherError> {
        let taken = self.offer(window, out)?;
        self.rest.extend_from_slice(window.get(taken..).unwrap_or_default());
        Ok(())
    }

    /// What waits is offered together with what follows. As long as there is no room for all of that, what is taken makes some.
    fn behind(&mut self, mut window: &[u8], out: &mut Vec<u8>) -> Result<(), CipherError> {
        while !window.is_empty() {
            let room = WINDOW.saturating_sub(self.rest.len());
            let (now, later) = window.split_at(room.min(window.len()));
            window = later;
            let mut rest = std::mem::take(&mut self.rest);
            rest.extend_from_slice(now);
            let taken = self.offer_while(&rest, out, |taken| !window.is_empty() && taken < WINDOW / 2)?;
            if taken == 0 && rest.len() >= WINDOW {
                return Err(CipherError::Stalled { offered: rest.len() });
            }
            rest.drain(..taken);
            self.rest = rest;
        }
        Ok(())
    }

    /// Nothing follows: what waits must be taken now, in as many calls as the cipher likes.
    pub(crate) fn end(&mut self, out: &mut Vec<u8>) -> Result<(), CipherError> {
        let rest = std::mem::take(&mut self.rest);
        match rest.len().saturating_sub(self.offer_while(&rest, out, |_| true)?) {
            0 => Ok(()),
            left => Err(CipherError::LeftOver { left }),
        }
    }

    /// The final call.
    pub(crate) fn finish(mut self, file: &mut FileInfo, out: &mut Vec<u8>) -> Result<(), CipherError> {
        let Some(cipher) = self.cipher.take() else { return Ok(()) };
        let before = out.len();
        guarded(|| cipher.finish(file, out))?;
        if out.len() < before { Err(CipherError::TookBack) } else { Ok(()) }
    }

    /// Offers `rest` from its start, and what is left of it again while `more` says so and something is taken. Says how much that was.
    fn offer_while(&mut self, rest: &[u8], out: &mut Vec<u8>, more: impl Fn(usize) -> bool) -> Result<usize, CipherError> {
        let mut taken = 0_usize;
        while let Some(left) = rest.get(taken..).filter(|left| !left.is_empty()) {
            let now = self.offer(left, out)?;
            taken = taken.saturating_add(now);
            if now == 0 || !more(taken) {
                break;
            }
        }
        Ok(taken)
    }

    fn offer(&mut self, input: &[u8], out: &mut Vec<u8>) -> Result<usize, CipherError> {
        let taken = match &mut self.cipher {
            None => {
                out.extend_from_slice(input);
                input.len()
            }
            Some(cipher) => {
                let before = out.len();
                let taken = guarded(|| cipher.chunk(self.offset, input, out))?;
                if taken > input.len() {
                    return Err(CipherError::Overrun { offered: input.len(), taken });
                }
                if out.len() < before {
                    return Err(CipherError::TookBack);
                }
                taken
            }
        };
        self.offset = self.offset.saturating_add(u64::try_from(taken).unwrap_or(u64::MAX));
        Ok(taken)
    }
}

fn guarded<T>(call: impl FnOnce() -> Result<T, Status>) -> Result<T, CipherError> {
    catch_unwind(AssertUnwindSafe(call)).map_err(|_| CipherError::Panicked)?.map_err(CipherError::Refused)
}
