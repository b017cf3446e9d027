//! One client of the RPC: its requests are begun in the order of its lines, answered as they are done, and
//! notifications are told as shown once they are written out. The same over standard input and over a socket.
use super::lines::{self, Line};
use super::types::{Notification, Subscribe};
use super::{Call, Id, RpcError, answer, error, notification, parse, too_long};
use crate::failure::Failure;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncBufRead, AsyncWrite, AsyncWriteExt};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};

/// Requests of one client that are not answered yet; it is not read further until some are.
const IN_FLIGHT: usize = 256;
/// How long a client that has closed its end may take to read the rest.
const FAREWELL: Duration = Duration::from_secs(2);

/// The answer to a call, when it is there. A dropped sender means: the answering side is gone.
pub type Reply = oneshot::Receiver<Result<Value, Failure>>;
/// Where notifications go. A closed channel is a subscriber that left.
pub type Subscriber = mpsc::UnboundedSender<Notification>;

/// Who answers: a host in this process, another process, or several of them.
pub trait Backend: Send + Sync + 'static {
    /// Takes a call. What has to stay in order (messages to one person) is in order when this returns.
    fn begin(&self, call: Call) -> Reply;
    /// Notifications from now on, first those that nobody has seen. `None`: of all accounts.
    fn subscribe(&self, account: Option<&str>, subscriber: Subscriber) -> Result<(), Failure>;
    /// A person or a program has it: it need not come again.
    fn shown(&self, account: &str, seq: u64);
    /// It was given out and not shown: it waits on, and comes unflagged.
    fn passed(&self, account: &str, seq: u64);
}

/// Something to write.
enum Out {
    Answer(Vec<u8>, OwnedSemaphorePermit),
    Note(Box<Notification>),
    Confirm,
    /// Write what came before, then end.
    End,
}

/// Serves one client until it closes its end and all it asked is answered. `subscribed`: notifications come without
/// being asked for.
pub async fn serve(
    mut reader: impl AsyncBufRead + Unpin,
    writer: impl AsyncWrite + Unpin + Send + 'static,
    backend: Arc<dyn Backend>,
    subscribed: bool,
) -> std::io::Result<()> {
    let (out, queue) = mpsc::unbounded_channel();
    let mut writing = tokio::spawn(write(writer, queue, backend.clone()));
    let mut client = Client { backend, out: out.clone(), permits: Arc::new(Semaphore::new(IN_FLIGHT)), subscribed: Vec::new() };
    if subscribed && let Err(failure) = client.subscribe(&Subscribe::default()) {
        tracing::warn!(code = %failure.code, "no notifications");
    }
    let mut buffer = Vec::new();
    let read = loop {
        // the permit comes first: a client that does not read its answers is not read either
        let Ok(permit) = client.permits.clone().acquire_owned().await else { break Ok(()) };
        match lines::next(&mut reader, &mut buffer).await {
            Ok(Line::Whole) if buffer.iter().all(u8::is_ascii_whitespace) => {}
            Ok(Line::Whole) => client.line(&buffer, permit),
            Ok(Line::TooLong) => client.refuse(&Id::Null, &too_long(), permit),
            Ok(Line::End) => break Ok(()),
            Err(e) => break Err(e),
        }
        if out.is_closed() {
            break Ok(()); // nobody reads the answers
        }
    };
    let all = u32::try_from(IN_FLIGHT).unwrap_or(u32::MAX);
    tokio::select! {
        _ = client.permits.acquire_many(all) => {}
        () = out.closed() => {}
    }
    // what is being written counts as shown once it is out
    let _ = out.send(Out::End);
    if tokio::time::timeout(FAREWELL, &mut writing).await.is_err() {
        writing.abort();
    }
    read
}

struct Client {
    backend: Arc<dyn Backend>,
    out: mpsc::UnboundedSender<Out>,
    permits: Arc<Semaphore>,
    /// To what it subscribed already; `None`: to all accounts.
    subscribed: Vec<Option<String>>,
}
impl Client {
    fn line(&mut self, line: &[u8], permit: OwnedSemaphorePermit) {
        let (id, call) = match parse(line) {
            Ok(parsed) => parsed,
            Err(no) => return self.refuse(&no.0, &no.1, permit),
        };
        tracing::debug!(?call, "rpc");
        let reply = match call {
            Call::Subscribe(wanted) => ready(self.subscribe(&wanted).map(|()| json!({}))),
            Call::Shown(shown) => {
                let account = shown.account.as_deref().unwrap_or_default();
                if shown.passed {
                    self.backend.passed(account, shown.seq);
                } else {
                    self.backend.shown(account, shown.seq);
                }
                ready(Ok(json!({})))
            }
            call => self.backend.begin(call),
        };
        let out = self.out.clone();
        tokio::spawn(async move {
            let result = reply.await.unwrap_or_else(|_| Err(closed()));
            if let Some(id) = id {
                let _ = out.send(Out::Answer(answer(&id, &result), permit));
            }
        });
    }
    fn refuse(&self, id: &Id, why: &RpcError, permit: OwnedSemaphorePermit) {
        let _ = self.out.send(Out::Answer(error(id, why), permit));
    }
    fn subscribe(&mut self, wanted: &Subscribe) -> Result<(), Failure> {
        if wanted.confirm {
            let _ = self.out.send(Out::Confirm);
        }
        if self.subscribed.iter().any(|known| known.is_none() || *known == wanted.account) {
            return Ok(()); // once is enough
        }
        let (subscriber, mut notes) = mpsc::unbounded_channel();
        self.backend.subscribe(wanted.account.as_deref(), subscriber)?;
        self.subscribed.push(wanted.account.clone());
        let out = self.out.clone();
        tokio::spawn(async move {
            loop {
                tokio::select! {
                    note = notes.recv() => {
                        let Some(note) = note else { return };
                        let _ = out.send(Out::Note(Box::new(note)));
                    }
                    () = out.closed() => return,
                }
            }
        });
        Ok(())
    }
}

/// Writes what waits, flushes once, and only then tells what was shown.
async fn write(mut writer: impl AsyncWrite + Unpin, mut queue: mpsc::UnboundedReceiver<Out>, backend: Arc<dyn Backend>) {
    let (mut confirm, mut ended) = (false, false);
    while let Some(first) = queue.recv().await {
        let (mut shown, mut permits) = (Vec::new(), Vec::new());
        let mut next = Some(first);
        while let Some(out) = next {
            let line = match out {
                Out::Answer(line, permit) => {
                    permits.push(permit);
                    line
                }
                Out::Note(note) => {
                    let line = notification(&note);
                    shown.extend(note.seq().map(|seq| (note.account().to_owned(), seq)));
                    line
                }
                Out::Confirm => {
                    confirm = true;
                    Vec::new()
                }
                Out::End => {
                    ended = true;
                    break;
                }
            };
            if writer.write_all(&line).await.is_err() {
                return;
            }
            next = queue.try_recv().ok();
        }
        if writer.flush().await.is_err() {
            return;
        }
        if !confirm {
            shown.iter().for_each(|(account, seq)| backend.shown(account, *seq));
        }
        if ended {
            return;
        }
    }
}

/// An answer that is there already.
pub fn ready(result: Result<Value, Failure>) -> Reply {
    let (answer, reply) = oneshot::channel();
    let _ = answer.send(result);
    reply
}
/// The answering side went away before it answered.
pub fn closed() -> Failure {
    Failure::new(CLOSED, crate::failure::FaultName::Store, "the process that has the account ended before it answered; try again")
}
/// Its code.
pub const CLOSED: &str = "socket.closed";
