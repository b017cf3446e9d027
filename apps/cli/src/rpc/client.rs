//! The other end of a socket: a process that has the account already, asked over the same lines.
use super::lines::{self, Line};
use super::server::{Backend, Reply, Subscriber};
use super::types::{Notification, Shown, Subscribe};
use super::{Call, RpcError, request};
use crate::failure::Failure;
use serde::Deserialize;
use serde_json::Value;
use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::io::{AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::{mpsc, oneshot, watch};

/// A connection to the process that has the account.
pub struct Remote {
    state: Arc<Mutex<State>>,
    lines: mpsc::UnboundedSender<Vec<u8>>,
    gone: watch::Receiver<bool>,
}
#[derive(Default)]
struct State {
    last: u64,
    open: HashMap<u64, oneshot::Sender<Result<Value, Failure>>>,
    subscribers: Vec<Subscriber>,
    closed: bool,
}

impl Remote {
    /// `Err`: nobody answers there.
    pub async fn connect(socket: &Path) -> std::io::Result<Self> {
        let (read, write) = UnixStream::connect(socket).await?.into_split();
        let (lines, queue) = mpsc::unbounded_channel();
        let state = Arc::default();
        let (end, gone) = watch::channel(false);
        tokio::spawn(writing(write, queue));
        let reader = reading(read, Arc::clone(&state));
        tokio::spawn(async move {
            reader.await;
            let _ = end.send(true);
        });
        Ok(Remote { state, lines, gone })
    }
    /// Resolves when the other process is gone.
    pub fn gone(&self) -> watch::Receiver<bool> {
        self.gone.clone()
    }
    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Backend for Remote {
    fn begin(&self, call: Call) -> Reply {
        let (answer, reply) = oneshot::channel();
        let mut state = self.state();
        if !state.closed {
            state.last += 1;
            let id = state.last;
            state.open.insert(id, answer);
            // under the lock: lines leave in the order of their numbers
            let _ = self.lines.send(request(id, &call));
        }
        reply
    }
    fn subscribe(&self, _account: Option<&str>, subscriber: Subscriber) -> Result<(), Failure> {
        self.state().subscribers.push(subscriber);
        drop(self.begin(Call::Subscribe(Subscribe { confirm: true, account: None })));
        Ok(())
    }
    fn shown(&self, account: &str, seq: u64) {
        drop(self.begin(Call::Shown(Shown { seq, passed: false, account: Some(account.to_owned()) })));
    }
    fn passed(&self, account: &str, seq: u64) {
        drop(self.begin(Call::Shown(Shown { seq, passed: true, account: Some(account.to_owned()) })));
    }
}

async fn writing(mut socket: OwnedWriteHalf, mut queue: mpsc::UnboundedReceiver<Vec<u8>>) {
    while let Some(line) = queue.recv().await {
        if socket.write_all(&line).await.is_err() {
            return;
        }
    }
}

async fn reading(socket: OwnedReadHalf, state: Arc<Mutex<State>>) {
    let mut reader = BufReader::new(socket);
    let mut buffer = Vec::new();
    while let Ok(line @ (Line::Whole | Line::TooLong)) = lines::next(&mut reader, &mut buffer).await {
        match line {
            Line::Whole => took(&buffer, &state),
            // nobody knows whose answer it was: no call waits for ever
            _ => state.lock().unwrap_or_else(PoisonError::into_inner).open.clear(),
        }
    }
    let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
    state.closed = true;
    state.open.clear();
    state.subscribers.clear();
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Incoming {
    Result { id: u64, result: Value },
    Error { id: u64, error: RpcError },
    Note(Box<Notification>),
}

fn took(line: &[u8], state: &Mutex<State>) {
    let incoming = serde_json::from_slice(line);
    let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
    let (id, result) = match incoming {
        Ok(Incoming::Result { id, result }) => (id, Ok(result)),
        Ok(Incoming::Error { id, error }) => (id, Err(error.into())),
        Ok(Incoming::Note(note)) => return state.subscribers.retain(|s| s.send((*note).clone()).is_ok()),
        // a newer process may say more than this one knows
        Err(e) => return tracing::debug!(error = %e.classify_name(), "a line of the other process was not understood"),
    };
    if let Some(answer) = state.open.remove(&id) {
        let _ = answer.send(result);
    }
}

/// The class of a JSON error; its text may quote the line.
trait ClassifyName {
    fn classify_name(&self) -> &'static str;
}
impl ClassifyName for serde_json::Error {
    fn classify_name(&self) -> &'static str {
        match self.classify() {
            serde_json::error::Category::Io => "io",
            serde_json::error::Category::Syntax => "syntax",
            serde_json::error::Category::Data => "data",
            serde_json::error::Category::Eof => "eof",
        }
    }
}
