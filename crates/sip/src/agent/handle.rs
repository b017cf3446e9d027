//! What an application asks for, from any thread.
use super::{AgentEvent, Command, TransferFailure, TransferState, bodies, now};
use crate::{Composing, Imdn, Offer};
use std::path::Path;
use std::sync::mpsc;
use std::time::Duration;
use subrosa_engine::{Address, ChatId, Completion, FileInfo, Headers, Input, Kind, Machine, MessageId, Plaintext, Policy, Recipients, Time, Token};

/// The way to an agent. Cheap to clone; any thread. When the agent is gone it does nothing.
#[derive(Clone)]
pub struct Handle {
    pub(super) me: Address,
    pub(super) runtime: tokio::runtime::Handle,
    pub(super) commands: mpsc::Sender<Command>,
}
impl Handle {
    pub(super) fn give(&self, command: Command) {
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
    pub(super) fn send_as(&self, id: MessageId, kind: Kind, to: &Address, plain: Plaintext, headers: Headers) {
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
