//! The way back from another thread: what an engine left pending ends when the host feeds what was completed.
use std::sync::mpsc;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use subrosa_engine::{Completion, Input, Token};

type Bell = Box<dyn Fn() + Send>;
type Shared = Arc<Mutex<Option<Bell>>>;

/// Two ends: one for whoever finishes the work, on any thread, one for the host.
pub fn completions() -> (Completer, Completions) {
    let ((sender, receiver), bell) = (mpsc::channel(), Shared::default());
    (Completer { sender, bell: bell.clone() }, Completions { receiver, bell })
}

/// For whoever finishes the work.
#[derive(Clone)]
pub struct Completer {
    sender: mpsc::Sender<(Token, Completion)>,
    bell: Shared,
}
impl Completer {
    /// This one is finished. Whether its message still waits the machine knows: too late, or twice, does nothing.
    pub fn complete(&self, token: Token, completion: Completion) {
        let _ = self.sender.send((token, completion)); // a host that is gone waits for nothing
        if let Some(bell) = &*self.bell.lock().unwrap_or_else(PoisonError::into_inner) {
            bell();
        }
    }
}

/// For the host: everything in here goes into the next step, as [`Input::Complete`].
pub struct Completions {
    receiver: mpsc::Receiver<(Token, Completion)>,
    bell: Shared,
}
impl Completions {
    /// What is finished now, in the order in which it was.
    pub fn drain(&self) -> impl Iterator<Item = Input> + use<'_> {
        self.receiver.try_iter().map(|(token, completion)| Input::Complete(token, completion))
    }
    /// The next one, waiting so long for it. `None`: there was none in that time, or nobody is left who could finish any.
    pub fn wait(&self, at_most: Duration) -> Option<(Token, Completion)> {
        self.receiver.recv_timeout(at_most).ok()
    }
    /// Is called after each one, on the thread that finished it: to wake the host's loop. It must not block.
    pub fn on_ready(&self, bell: impl Fn() + Send + 'static) {
        *self.bell.lock().unwrap_or_else(PoisonError::into_inner) = Some(Box::new(bell));
    }
}
