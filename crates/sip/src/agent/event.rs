//! What an application is told.
use crate::connection::Registration;
use crate::message::NotDelivered;
use crate::transfer::TransferError;
use crate::{Composing, Fate, Imdn, Offer};
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use subrosa_engine::{Address, ClearTextQuestion, Device, DeviceReport, Fingerprint, MessageId, Plaintext, Refusal, Sender, Status, Time, Trust};

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
    /// Somebody offers a file: [`Handle::download`](super::Handle::download) fetches it.
    FileOffered {
        /// The sender's id of the offer.
        id: MessageId,
        /// Who offers.
        from: Address,
        /// What; with its key.
        offer: Offer,
        /// The offer was not encrypted, and so the key was everybody's; or there is no key, and the file lies there in clear.
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
        /// For a person: send it in clear? A yes goes to [`Handle::set_policy`](super::Handle::set_policy), and the message is sent again by the application.
        ask: Option<ClearTextQuestion>,
    },
    /// A transfer of a file changed.
    Transfer {
        /// Of the offer, as [`Handle::send_file`](super::Handle::send_file) gave it, or of the download, as [`Handle::download`](super::Handle::download) did.
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
impl AgentEvent {
    /// What it keeps in memory while it waits to be taken, in bytes: what a stranger can make large.
    pub(super) fn weight(&self) -> usize {
        match self {
            AgentEvent::Message { id, plain, .. } => id.as_str().len().saturating_add(plain.bytes().len()),
            AgentEvent::FileOffered { id, offer, .. } => id.as_str().len().saturating_add(offer.file.content_type.len()),
            AgentEvent::Receipt { receipt: Imdn { fate: Fate::Failed { reason, .. }, .. }, .. } => reason.len(),
            AgentEvent::Typing { composing, .. } => composing.content_type.as_ref().map_or(0, String::len),
            AgentEvent::NotReceived { id, .. } => id.as_str().len(),
            _ => 0,
        }
    }
}
/// What waits for the application.
#[derive(Debug, Default)]
pub(super) struct Untaken {
    events: AtomicUsize,
    bytes: AtomicUsize,
}
impl Untaken {
    pub fn add(&self, event: &AgentEvent) {
        self.events.fetch_add(1, Ordering::Relaxed);
        self.bytes.fetch_add(event.weight(), Ordering::Relaxed);
    }
    pub fn take(&self, event: &AgentEvent) {
        self.events.fetch_sub(1, Ordering::Relaxed);
        self.bytes.fetch_sub(event.weight(), Ordering::Relaxed);
    }
    pub fn is_full(&self, events: usize, bytes: usize) -> bool {
        self.events.load(Ordering::Relaxed) >= events || self.bytes.load(Ordering::Relaxed) >= bytes
    }
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
    #[error("no file server is set, and without one files can't be sent: name one")]
    NoServer,
    /// The engine has no cipher for it.
    #[error("the engine refuses the file ({})", .0.code())]
    Engine(Status),
    /// On the way.
    #[error(transparent)]
    Transfer(#[from] TransferError),
    /// It was cancelled.
    #[error("cancelled")]
    Cancelled,
}
