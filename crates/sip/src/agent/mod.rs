//! One SIP account with its engines: what an application uses. A [`Machine`], a [`Store`] and a [`Transport`], and what Liblinphone
//! has besides words: typing notices, receipts, files.
//!
//! ```no_run
//! use subrosa_engine::{Machine, MemoryStore};
//! use subrosa_sip::agent::{Agent, AgentEvent, Settings};
//! use subrosa_sip::{Config, Connection, bare};
//!
//! # async fn f(engine: impl subrosa_engine::Engine) -> Result<(), Box<dyn std::error::Error>> {
//! let mut config = Config::new("sip:alice@example.org")?;
//! config.proxy = Some("sip:127.0.0.1:5070;transport=tcp".into());
//! let mut machine = Machine::new(config.account().clone());
//! let engine = machine.install(engine);
//! machine.route(move |_chat| Some(engine.id()));
//!
//! let agent = Agent::start(machine, MemoryStore::default(), Connection::start(config).await?, Settings::default())?;
//! let bob = bare("sip:bob@example.org")?;
//! let id = agent.handle().text(&bob, "hello");
//! while let Some(event) = agent.next().await {
//!     match event {
//!         AgentEvent::Delivered { id: which, .. } if which == id => println!("it is there"),
//!         AgentEvent::NotDelivered { id: which, why } if which == id => println!("{why}"),
//!         AgentEvent::Message { from, plain, .. } => println!("{from}: {}", String::from_utf8_lossy(plain.bytes())),
//!         _ => {}
//!     }
//! }
//! # Ok(())
//! # }
//! ```
//!
//! # Threads
//! Hooks run on a thread of the agent's own, one step at a time: an engine may take its time, and be one in C. What waits is fed
//! together and stored together. A [`Handle`] can be used from any thread.
//!
//! # Answers
//! What comes is fed with a deadline ([`Settings::hold`]); until the machine has an outcome, the sender waits. Accepted is 200, refused
//! the very code of the engine, too late 480; the answer leaves after the step is stored, so that nothing that was accepted is lost.
//!
//! # What is owed
//! An event counts as taken when the next one is asked for, or by [`Agent::taken`]; until then it comes again after a restart. A message
//! that was not answered when the process died is sent again after a restart, under the same Call-ID. One that comes again so, with
//! the same words, is answered as it was and told once, as far as this process remembers it.
mod bodies;
mod event;
mod handle;
mod held;
mod lanes;
mod transfers;
mod work;

pub use event::{AgentEvent, TransferFailure, TransferState};
pub use handle::Handle;

use crate::Offer;
use crate::connection::Transport;
use crate::transfer::{self, TransferError};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError, mpsc as thread};
use std::time::Duration;
use subrosa_engine::{Address, Coded, ContentType, Fault, FileInfo, Input, Machine, MessageId, OutputId, Store, Time};
use tokio::sync::{mpsc, oneshot};

/// What an application may choose.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Settings {
    /// How long a sender waits for an outcome that is pending; then it is 480 and nothing is shown. 10 s; at most nine tenths of what
    /// the transport holds ([`crate::Timeouts::hold`]).
    pub hold: Duration,
    /// Which content types the application shows; others are refused 415. Replaces [`Machine::shows`]. `text/*`.
    pub shows: fn(&ContentType) -> bool,
    /// Tell the sender of a message that it was received, without being asked to. `true`.
    pub receipts: bool,
    /// Where files are uploaded: a URL as Liblinphone has it. `None`: none are.
    pub file_server: Option<String>,
    /// The limits of transfers. The file server's own host counts among [`transfer::Settings::other_hosts`].
    pub transfers: transfer::Settings,
    /// Messages to one person that are under way at once; the others wait, in their order (RFC 3428 §8 allows one). 1.
    pub under_way: usize,
    /// Events that wait for the application; messages that come beyond are answered 480. 10,000.
    pub untaken: usize,
    /// Bytes in the messages among them; from here on messages are answered 480. 64 MiB.
    pub untaken_bytes: usize,
}
impl Default for Settings {
    fn default() -> Self {
        Settings {
            hold: Duration::from_secs(10),
            shows: ContentType::is_text,
            receipts: true,
            file_server: None,
            transfers: transfer::Settings::default(),
            under_way: 1,
            untaken: 10_000,
            untaken_bytes: 64 << 20,
        }
    }
}

/// Why an agent did not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AgentError {
    /// An engine that can't work over SIP.
    #[error(transparent)]
    Engine(#[from] NotOnSip),
    /// Transfers can't be.
    #[error(transparent)]
    Transfers(#[from] TransferError),
    /// The system makes no thread.
    #[error("the system makes no thread: {0}")]
    Thread(#[from] std::io::Error),
    /// Not within a tokio runtime.
    #[error("an agent has to be started within a tokio runtime")]
    Runtime,
}
impl Coded for AgentError {
    fn code(&self) -> &'static str {
        match self {
            AgentError::Engine(_) => "sip.engine",
            AgentError::Transfers(e) => e.code(),
            AgentError::Thread(_) => "sip.thread",
            AgentError::Runtime => "sip.runtime",
        }
    }
    fn fault(&self) -> Fault {
        match self {
            AgentError::Transfers(e) => e.fault(),
            AgentError::Thread(_) => Fault::Bug,
            _ => Fault::Caller,
        }
    }
}
/// The engine can't work over SIP.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0} runs on XMPP only: SIP has no place where devices publish their keys. Choose another engine for this account")]
pub struct NotOnSip(pub String);
/// Whether an engine of this name can work over SIP.
///
/// # Errors
/// [`NotOnSip`], with a sentence for a person.
pub fn runs_on_sip(engine: &str) -> Result<(), NotOnSip> {
    match engine.eq_ignore_ascii_case("omemo") || engine.to_ascii_lowercase().starts_with("omemo:") {
        true => Err(NotOnSip("OMEMO".into())),
        false => Ok(()),
    }
}

/// To the agent's thread.
enum Command {
    Input(Box<Input>),
    Arrived(Box<crate::Arrived>),
    /// What became of a message that left.
    Gone(Box<lanes::Gone>),
    Change(Box<dyn FnOnce(&mut Machine) + Send>),
    Source(Box<dyn FnMut() -> Vec<Input> + Send>),
    Offer {
        id: MessageId,
        to: Address,
        path: PathBuf,
        file: FileInfo,
    },
    Download {
        id: MessageId,
        from: Address,
        offer: Box<Offer>,
        directory: PathBuf,
    },
    Ended(MessageId),
    Cancel(MessageId),
    Tell(Box<AgentEvent>),
    Wake,
    /// Dropped when the thread has ended.
    Stop(Option<oneshot::Sender<()>>),
}
type Told = (Option<OutputId>, AgentEvent);

fn now() -> Time {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    Time(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

/// One account at work.
pub struct Agent<T: Transport> {
    handle: Handle,
    transport: Arc<T>,
    events: tokio::sync::Mutex<mpsc::UnboundedReceiver<Told>>,
    untaken: Arc<event::Untaken>,
    taken: Mutex<Option<OutputId>>,
}
impl<T: Transport> Agent<T> {
    /// Starts the agent's thread; what an earlier process owed is sent and told first. The machine has its engines and its rule.
    ///
    /// # Errors
    /// [`AgentError`]: an engine that can't work over SIP, and what the system refuses.
    pub fn start<S: Store + Send + 'static>(mut machine: Machine, store: S, transport: T, settings: Settings) -> Result<Self, AgentError> {
        for engine in machine.engines() {
            runs_on_sip(engine)?;
        }
        let shows = settings.shows;
        machine.shows(move |content_type| bodies::is_own(content_type) || shows(content_type));
        let runtime = tokio::runtime::Handle::try_current().map_err(|_| AgentError::Runtime)?;
        let mut limits = settings.transfers.clone();
        limits.other_hosts.extend(settings.file_server.as_deref().and_then(transfer::host_of));
        let transfers = transfer::Transfers::new(limits)?;
        let (commands, inbox) = thread::channel();
        let (events, outbox) = mpsc::unbounded_channel();
        let (transport, untaken) = (Arc::new(transport), Arc::new(event::Untaken::default()));
        let handle = Handle { me: machine.me().clone(), runtime: runtime.clone(), commands };
        let work = work::Work::new(machine, store, transport.clone(), settings, transfers, handle.clone(), events, untaken.clone());
        std::thread::Builder::new().name("subrosa-sip".into()).spawn(move || work.run(&inbox))?;
        runtime.spawn(work::listen(transport.clone(), handle.clone()));
        handle.wake();
        Ok(Agent { handle, transport, events: tokio::sync::Mutex::new(outbox), untaken, taken: Mutex::new(None) })
    }
    /// The way to it, for any thread.
    pub fn handle(&self) -> &Handle {
        &self.handle
    }
    /// What carries it.
    pub fn transport(&self) -> &T {
        &self.transport
    }
    /// The next event; the one before is taken by that. `None`: it is closed.
    pub async fn next(&self) -> Option<AgentEvent> {
        self.take(None);
        let (id, event) = self.events.lock().await.recv().await?;
        self.untaken.take(&event);
        self.take(id);
        Some(event)
    }
    /// What was told last is taken: it does not come again after a restart. For who asks for no next event.
    pub fn taken(&self) {
        self.take(None);
    }
    /// Remembers what is told now, and says of what was told before that it is taken.
    fn take(&self, told: Option<OutputId>) {
        let before = std::mem::replace(&mut *self.taken.lock().unwrap_or_else(PoisonError::into_inner), told);
        if let Some(before) = before {
            self.handle.feed(Input::Done(before));
        }
    }
    /// Ends in order: the thread, then the registration, then the transport. Who waits for an answer is told 480; what is under way
    /// and not answered stays owed, and so does what was told last and not [taken](Self::taken).
    pub async fn close(&self) {
        let (alive, ended) = oneshot::channel();
        self.handle.give(Command::Stop(Some(alive)));
        let _ = ended.await;
        self.transport.close().await;
    }
}
impl<T: Transport> Drop for Agent<T> {
    fn drop(&mut self) {
        self.handle.give(Command::Stop(None));
        let transport = self.transport.clone();
        self.handle.runtime.spawn(async move { transport.close().await });
    }
}
impl<T: Transport> std::fmt::Debug for Agent<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Agent({})", self.handle.me)
    }
}
