//! A process that speaks JSON, one object a line, on its standard input and output.
//!
//! Owns the process and what it said that nobody asked for yet; knows no dialect.

use std::io::{self, BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use serde_json::Value;

/// How long a peer may take for what we wait for; generous, as machines are shared.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// What went wrong with a peer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PeerError {
    /// Its program, or what it needs, is not there.
    #[error("{peer} can't run here: {what}")]
    Missing {
        /// The peer.
        peer: String,
        /// What is not there and who installs it.
        what: String,
    },
    /// It could not be started or spoken to.
    #[error("{peer}: {source}")]
    Process {
        /// The peer.
        peer: String,
        /// What the system said.
        source: io::Error,
    },
    /// It answered that it can't.
    #[error("{peer} says: {what}")]
    Refused {
        /// The peer.
        peer: String,
        /// In its own words.
        what: String,
    },
    /// It did not say what was waited for.
    #[error("{peer} {} while we waited for {what}; it said since: {said}", if *ended { "ended" } else { "was silent" })]
    Silent {
        /// The peer.
        peer: String,
        /// Whether its process is gone.
        ended: bool,
        /// What was waited for.
        what: String,
        /// Its lines that nobody asked for.
        said: String,
    },
}

/// A running process of JSON lines; killed when dropped.
#[derive(Debug)]
pub(crate) struct Lines {
    name: String,
    child: Child,
    input: Option<ChildStdin>,
    output: Receiver<Value>,
    /// Said and not yet asked for, in order.
    unread: Vec<Value>,
}

impl Lines {
    pub(crate) fn start(name: &str, command: &mut Command) -> Result<Self, PeerError> {
        let failed = |source| PeerError::Process { peer: name.to_owned(), source };
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().map_err(failed)?;
        let (said, output) = channel();
        if let Some(stdout) = child.stdout.take() {
            std::thread::spawn(move || {
                for line in BufReader::new(stdout).lines() {
                    let Ok(line) = line else { return };
                    let value = serde_json::from_str(&line).unwrap_or(Value::String(line));
                    if said.send(value).is_err() {
                        return;
                    }
                }
            });
        }
        let input = child.stdin.take();
        Ok(Self { name: name.to_owned(), child, input, output, unread: Vec::new() })
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn say(&mut self, line: &impl std::fmt::Display) -> Result<(), PeerError> {
        let written = match &mut self.input {
            Some(input) => writeln!(input, "{line}").and_then(|()| input.flush()),
            None => Err(io::ErrorKind::BrokenPipe.into()),
        };
        written.map_err(|source| PeerError::Process { peer: self.name.clone(), source })
    }

    /// The first line, said before or from now on, for which `pick` gives something. Other lines stay for others.
    pub(crate) fn wait<T>(&mut self, what: &str, mut pick: impl FnMut(&Value) -> Option<T>) -> Result<T, PeerError> {
        let start = Instant::now();
        let mut next = 0;
        loop {
            while let Some(line) = self.unread.get(next) {
                if let Some(picked) = pick(line) {
                    self.unread.remove(next);
                    return Ok(picked);
                }
                next += 1;
            }
            match self.output.recv_timeout(PATIENCE.saturating_sub(start.elapsed())) {
                Ok(line) => self.unread.push(line),
                Err(end) => {
                    let ended = end == RecvTimeoutError::Disconnected;
                    let said = self.unread.iter().map(Value::to_string).collect::<Vec<_>>().join(" ");
                    return Err(PeerError::Silent { peer: self.name.clone(), ended, what: what.to_owned(), said });
                }
            }
        }
    }

    /// All lines said until now that `pick` takes, without waiting.
    pub(crate) fn take<T>(&mut self, mut pick: impl FnMut(&Value) -> Option<T>) -> Vec<T> {
        self.unread.extend(self.output.try_iter());
        let mut picked = Vec::new();
        self.unread.retain(|line| match pick(line) {
            Some(one) => {
                picked.push(one);
                false
            }
            None => true,
        });
        picked
    }

    /// Ends the process at once, as `kill -9` does.
    pub(crate) fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Takes in what an ended process had said before.
    pub(crate) fn hear_out(&mut self) {
        self.unread.extend(self.output.iter());
    }

    /// Runs another process in the place of one that has ended; what that one said stays readable.
    pub(crate) fn replace(&mut self, command: &mut Command) -> Result<(), PeerError> {
        let mut new = Self::start(&self.name, command)?;
        new.unread = std::mem::take(&mut self.unread);
        *self = new;
        Ok(())
    }

    /// Closes its input and waits for it to end by itself, at most `limit`; then it is killed.
    pub(crate) fn finish(&mut self, limit: Duration) {
        self.input = None;
        let start = Instant::now();
        while matches!(self.child.try_wait(), Ok(None)) && start.elapsed() < limit {
            std::thread::sleep(Duration::from_millis(10));
        }
        self.kill();
    }
}

impl Drop for Lines {
    fn drop(&mut self) {
        // Drivers of other programs end those when their input closes.
        self.finish(Duration::from_secs(5));
    }
}
