//! An upload as a reader, for the body of an HTTP request: it is read from the file, through the cipher, as the network takes it.
use crate::{SendError, Sending};
use std::io::{self, ErrorKind, Read};
use std::sync::{Arc, Mutex, PoisonError};
use subrosa_engine::{FileCipher, FileInfo};
use zeroize::Zeroizing;

/// Bytes that are read at once.
const CHUNK: usize = 64 * 1024;

/// What goes on the wire for a file. Holds 64 KiB of the file, and what the cipher makes of them.
///
/// Who reads it may take it for good (HTTP clients do): [`sent`](Self::sent) gives what tells the end.
#[derive(Debug)]
pub struct Encrypting<R> {
    source: R,
    state: State,
    plain: Zeroizing<Vec<u8>>,
    wire: Vec<u8>,
    /// Bytes of `wire` that were read.
    given: usize,
    sent: Sent,
}
#[derive(Debug)]
enum State {
    Running(Sending),
    /// The source is being read; it stays so only if that panicked.
    Reading,
    Ended,
    /// Said again to whoever asks again: an end would be taken for the end of the file.
    Failed(ErrorKind, String),
}
/// How an upload ended, from any thread.
#[derive(Clone, Debug, Default)]
pub struct Sent(Arc<Mutex<Option<Result<FileInfo, SendError>>>>);

impl Sent {
    /// Nothing while it runs. Then, once, the info with the tag, or why there is none.
    #[must_use]
    pub fn take(&self) -> Option<Result<FileInfo, SendError>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
    fn put(&self, result: Result<FileInfo, SendError>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(result);
    }
}

impl<R: Read> Encrypting<R> {
    /// As [`Sending::new`], over where the file is read from.
    pub fn new(source: R, file: FileInfo, cipher: Option<Box<dyn FileCipher>>) -> Self {
        Encrypting {
            source,
            state: State::Running(Sending::new(file, cipher)),
            plain: Zeroizing::new(vec![0; CHUNK]),
            wire: Vec::new(),
            given: 0,
            sent: Sent::default(),
        }
    }
    /// How it will have ended. Before it did, dropping the reader is [`SendError::Abandoned`].
    #[must_use]
    pub fn sent(&self) -> Sent {
        self.sent.clone()
    }

    /// Reads on until there are bytes for the wire, or the end. The bytes so far were given.
    fn refill(&mut self, sending: Sending) -> Result<State, SendError> {
        let mut sending = sending;
        self.wire.clear();
        self.given = 0;
        while self.wire.is_empty() {
            let read = loop {
                match self.source.read(&mut self.plain) {
                    Err(e) if e.kind() == ErrorKind::Interrupted => {}
                    read => break read.map_err(SendError::Read)?,
                }
            };
            if read == 0 {
                let file = sending.finish(&mut self.wire)?;
                self.sent.put(Ok(file));
                return Ok(State::Ended);
            }
            sending = sending.chunk(self.plain.get(..read).unwrap_or(&self.plain), &mut self.wire)?;
        }
        Ok(State::Running(sending))
    }
}
impl<R: Read> Read for Encrypting<R> {
    /// A [`SendError`] becomes an [`io::Error`] with its sentence here; [`Sent::take`] has it as it is.
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if into.is_empty() {
            return Ok(0);
        }
        if self.given >= self.wire.len() {
            self.state = match std::mem::replace(&mut self.state, State::Reading) {
                State::Running(sending) => self.refill(sending).unwrap_or_else(|error| {
                    let kind = if let SendError::Read(e) = &error { e.kind() } else { ErrorKind::Other };
                    let failed = State::Failed(kind, error.to_string());
                    self.sent.put(Err(error));
                    failed
                }),
                ended => ended,
            };
            match &self.state {
                State::Failed(kind, sentence) => return Err(io::Error::new(*kind, sentence.clone())),
                State::Reading => return Err(io::Error::other(SendError::Abandoned)),
                State::Running(_) | State::Ended => {}
            }
        }
        let waiting = self.wire.get(self.given..).unwrap_or_default();
        let read = waiting.len().min(into.len());
        for (to, from) in into.iter_mut().zip(waiting) {
            *to = *from;
        }
        self.given = self.given.saturating_add(read);
        Ok(read)
    }
}
impl<R> Drop for Encrypting<R> {
    fn drop(&mut self) {
        if let State::Running(_) | State::Reading = self.state {
            self.sent.put(Err(SendError::Abandoned));
        }
    }
}
