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
//! An event counts as taken when the next one is asked for; until then it comes again after a restart. A message that was not
//! answered when the process died is sent again after a restart, under the same Call-ID.
mod bodies;
mod lanes;
mod transfers;
mod work;

use crate::connection::{Registration, Transport};
use crate::message::NotDelivered;
use crate::transfer::{self, TransferError};
use crate::{Composing, Imdn, Offer};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, mpsc as thread};
use std::time::Duration;
use subrosa_engine::{
    Address, ChatId, ClearTextQuestion, Coded, Completion, ContentType, Device, DeviceReport, Fault, FileInfo, Fingerprint, Headers, Input, Kind,
    Machine, MessageId, OutputId, Plaintext, Policy, Recipients, Refusal, Sender, Status, Store, Time, Token, Trust,
};
use tokio::sync::{mpsc, oneshot};

/// What an application may choose.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Settings {
    /// How long a sender waits for an outcome that is pending; then it is 480 and nothing is shown. 10 s; less than the transport
    /// holds ([`crate::Timeouts::hold`]).
    pub hold: Duration,
    /// Which content types the application shows; others are refused 415. Replaces [`Machine::shows`]. `text/*`.
    pub shows: fn(&ContentType) -> bool,
    /// Tell the sender of a message that it was received, without being asked to. `true`.
    pub receipts: bool,
    /// Where files are uploaded: a URL as Liblinphone has it. `None`: none are.
    pub file_server: Option<String>,
    /// The limits of transfers.
    pub transfers: transfer::Settings,
    /// Messages to one person that are under way at once; the others wait, in their order (RFC 3428 §8 allows one). 1.
    pub under_way: usize,
    /// Events that wait for the application; messages that come beyond are answered 480. 10,000.
    pub untaken: usize,
}
impl Default for Settings {
    fn default() -> Self {
        Settings {
            hold: Duration::from_secs(10),
            shows: |content_type| content_type.0.starts_with("text/"),
            receipts: true,
            file_server: None,
            transfers: transfer::Settings::default(),
            under_way: 1,
            untaken: 10_000,
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

/// What an agent tells its application.
#[derive(Debug)]
#[non_exhaustive]
pub enum AgentEvent {
    /// The registration changed.
    Registration(Registration),
    /// A message came, was decrypted, and its sender was told so.
    Message {
        /// The sender's id of it: what a receipt names.
        id: MessageId,
        /// Who wrote it.
        from: Address,
        /// What it says; any type that the machine shows.
        plain: Plaintext,
        /// It was not encrypted: show it so.
        in_clear: bool,
        /// The device that wrote it, where the engine knows devices.
        sender: Option<Sender>,
        /// When it came.
        at: Time,
    },
    /// Somebody offers a file: [`Handle::download`] fetches it.
    FileOffered {
        /// The sender's id of the offer.
        id: MessageId,
        /// Who offers.
        from: Address,
        /// What; with its key.
        offer: Offer,
        /// The offer was not encrypted, and so the key was everybody's.
        in_clear: bool,
    },
    /// Somebody began to write, or stopped.
    Typing {
        /// Who.
        from: Address,
        /// What, and for how long that holds.
        composing: Composing,
    },
    /// What became of a message of ours at the other side.
    Receipt {
        /// Who says so.
        from: Address,
        /// Which, and what.
        receipt: Imdn,
    },
    /// A message that can't be shown; its sender was told.
    NotReceived {
        /// The sender's id of it.
        id: MessageId,
        /// Who sent it.
        from: Address,
        /// Why, and the code that the sender was told.
        why: Refusal,
    },
    /// The engine is done with a message; it is being sent.
    InProgress {
        /// Which.
        id: MessageId,
        /// Device by device; empty for engines without devices.
        report: Vec<DeviceReport>,
    },
    /// The engine needs more time for a message.
    Waiting {
        /// Which.
        id: MessageId,
    },
    /// The recipient, or a server on the way that keeps it, took it.
    Delivered {
        /// Which.
        id: MessageId,
        /// The code: 200, 202.
        code: u16,
    },
    /// It left, and was not taken.
    NotDelivered {
        /// Which.
        id: MessageId,
        /// The code and the reason.
        why: NotDelivered,
    },
    /// Nothing of it left.
    NotSent {
        /// Which.
        id: MessageId,
        /// Why.
        why: Refusal,
        /// For a person: send it in clear? A yes goes to [`Handle::set_policy`], and the message is sent again by the application.
        ask: Option<ClearTextQuestion>,
    },
    /// A transfer of a file changed.
    Transfer {
        /// Of the offer, as [`Handle::send_file`] gave it, or of the download, as [`Handle::download`] did.
        id: MessageId,
        /// How it is now.
        state: TransferState,
    },
    /// A device that was not known before.
    DeviceNew {
        /// Which.
        device: Device,
        /// Its identity key.
        key: Fingerprint,
        /// What it is worth for now.
        trust: Trust,
    },
    /// A known device showed another key.
    KeyChanged {
        /// Which.
        device: Device,
        /// The key it had.
        known: Fingerprint,
        /// The key it shows now.
        shown: Fingerprint,
    },
    /// The store failed: what was being done is tried again each second, and nothing of it has left.
    StoreFailed {
        /// What it said.
        cause: String,
    },
}
/// How a transfer is.
#[derive(Debug)]
#[non_exhaustive]
pub enum TransferState {
    /// The file is being uploaded. The message that offers it comes after that.
    Uploading,
    /// It lies on the server; the offer is being sent.
    Uploaded,
    /// It is being fetched.
    Downloading,
    /// It was fetched, its cipher agreed, and it has this name.
    Downloaded(PathBuf),
    /// It ended. Nothing is offered; nothing is left on the disk.
    Failed(TransferFailure),
}
/// Why a transfer ended.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TransferFailure {
    /// The file can't be read.
    #[error("the file {path} can't be read: {source}")]
    File {
        /// Which.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// No file server.
    #[error("no file server is set; files can't be sent")]
    NoServer,
    /// The engine has no cipher for it.
    #[error("the engine refuses the file ({})", .0.code())]
    Engine(Status),
    /// The offer is of a file in clear, and this chat allows only what is encrypted; or the other way round.
    #[error("the file is not encrypted, and this chat allows only encrypted ones")]
    NotEncrypted,
    /// On the way.
    #[error(transparent)]
    Transfer(#[from] TransferError),
    /// It was cancelled.
    #[error("cancelled")]
    Cancelled,
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

/// The way to an agent. Cheap to clone; any thread. When the agent is gone it does nothing.
#[derive(Clone)]
pub struct Handle {
    me: Address,
    runtime: tokio::runtime::Handle,
    commands: thread::Sender<Command>,
}
impl Handle {
    fn give(&self, command: Command) {
        let _ = self.commands.send(command);
    }
    /// Sends `text/plain`. Gives the id under which its states are told.
    pub fn text(&self, to: &Address, text: &str) -> MessageId {
        self.send(to, Plaintext::text(text), Headers::default())
    }
    /// Sends a body of any type. `headers` go beside it, in clear.
    pub fn send(&self, to: &Address, plain: Plaintext, headers: Headers) -> MessageId {
        let id = new_id();
        let kind = bodies::kind(&plain.content_type, plain.bytes());
        self.send_as(id.clone(), kind, to, plain, headers);
        id
    }
    fn send_as(&self, id: MessageId, kind: Kind, to: &Address, plain: Plaintext, headers: Headers) {
        let recipients = Recipients::People(vec![to.clone()]);
        self.feed(Input::Send { id, chat: ChatId(to.clone()), to: recipients, kind, plain, headers });
    }
    /// Tells somebody that one is writing to them, or stopped. Again every minute while it lasts.
    pub fn composing(&self, to: &Address, active: bool) {
        let notice = if active { Composing::active(Duration::from_secs(60)) } else { Composing::idle() };
        self.send_as(new_id(), Kind::Typing, to, notice.write(), Headers::default());
    }
    /// Tells the sender that a message was shown.
    pub fn displayed(&self, to: &Address, message: &MessageId) {
        self.receipt(to, &Imdn::displayed(message.as_str()), now());
    }
    /// Sends any receipt for a message that came at `at`.
    pub fn receipt(&self, to: &Address, receipt: &Imdn, at: Time) {
        self.send_as(new_id(), Kind::Receipt, to, receipt.write(at), Headers::default());
    }
    /// Uploads a file and offers it, under the name that it has. Gives the id of the offer.
    pub fn send_file(&self, to: &Address, path: &Path, content_type: &str) -> MessageId {
        let (id, handle) = (new_id(), self.clone());
        let (to, path, content_type) = (to.clone(), path.to_owned(), content_type.to_owned());
        let opened = id.clone();
        self.runtime.spawn(async move {
            let id = opened;
            match tokio::fs::metadata(&path).await {
                Ok(found) => {
                    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
                    let file = FileInfo { name, content_type, size: found.len(), tag: None };
                    handle.give(Command::Offer { id, to, path, file });
                }
                Err(source) => {
                    let state = TransferState::Failed(TransferFailure::File { path, source });
                    handle.give(Command::Tell(Box::new(AgentEvent::Transfer { id, state })));
                }
            }
        });
        id
    }
    /// Fetches a file that `from` offered, into `directory`, by the chat's engine. Gives the id of the download.
    pub fn download(&self, from: &Address, offer: Offer, directory: &Path) -> MessageId {
        let id = new_id();
        self.give(Command::Download { id: id.clone(), from: from.clone(), offer: Box::new(offer), directory: directory.to_owned() });
        id
    }
    /// Ends a transfer. One that ended does not mind.
    pub fn cancel(&self, transfer: &MessageId) {
        self.give(Command::Cancel(transfer.clone()));
    }
    /// Ends a message that an engine left pending.
    pub fn complete(&self, token: Token, completion: Completion) {
        self.feed(Input::Complete(token, completion));
    }
    /// Decides whether messages of a chat may go in clear.
    pub fn set_policy(&self, with: &Address, policy: Policy) {
        self.feed(Input::SetPolicy(ChatId(with.clone()), policy));
    }
    /// Changes the machine between two steps: installs and removes engines, routes.
    pub fn change(&self, change: impl FnOnce(&mut Machine) + Send + 'static) {
        self.give(Command::Change(Box::new(change)));
    }
    /// Asks `source` for inputs before every step from now on. With [`Handle::wake`] as the bell, engines that finish messages on
    /// threads of their own are attended.
    pub fn attend(&self, source: impl FnMut() -> Vec<Input> + Send + 'static) {
        self.give(Command::Source(Box::new(source)));
    }
    /// Takes a step soon.
    pub fn wake(&self) {
        self.give(Command::Wake);
    }
    /// Feeds any input.
    pub fn feed(&self, input: Input) {
        self.give(Command::Input(Box::new(input)));
    }
    /// Whose agent it is.
    pub fn me(&self) -> &Address {
        &self.me
    }
}
impl std::fmt::Debug for Handle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Handle({})", self.me)
    }
}
/// An id that nobody else has: 128 random bits.
fn new_id() -> MessageId {
    let half = || getrandom::u64().unwrap_or_default();
    MessageId::from(format!("{:016x}{:016x}", half(), half()).as_str())
}
fn now() -> Time {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    Time(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

/// One account at work.
pub struct Agent<T: Transport> {
    handle: Handle,
    transport: Arc<T>,
    events: tokio::sync::Mutex<mpsc::UnboundedReceiver<Told>>,
    untaken: Arc<AtomicUsize>,
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
        let transfers = transfer::Transfers::new(settings.transfers.clone())?;
        let (commands, inbox) = thread::channel();
        let (events, outbox) = mpsc::unbounded_channel();
        let (transport, untaken) = (Arc::new(transport), Arc::new(AtomicUsize::new(0)));
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
        self.untaken.fetch_sub(1, Ordering::Relaxed);
        self.take(id);
        Some(event)
    }
    /// Remembers what is told now, and says of what was told before that it is taken.
    fn take(&self, told: Option<OutputId>) {
        let before = std::mem::replace(&mut *self.taken.lock().unwrap_or_else(PoisonError::into_inner), told);
        if let Some(before) = before {
            self.handle.feed(Input::Done(before));
        }
    }
    /// Ends in order: the thread, then the registration, then the transport. Who waits for an answer is told 480; what is under way
    /// and not answered stays owed.
    pub async fn close(&self) {
        self.take(None);
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
