//! Files on their way, each in a task of its own that can be ended.
use super::{AgentEvent, Command, Handle, TransferFailure, TransferState};
use crate::Offer;
use crate::transfer::Transfers;
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use subrosa_engine::{Address, FileCipher, FileInfo, FileKey, Headers, Kind, MessageId};
use tokio::sync::Semaphore;
use tokio::task::AbortHandle;

/// Downloads that run at once; others wait. What peers offer must not use up sockets and disk.
const AT_ONCE: usize = 8;

pub(super) struct Files {
    transfers: Transfers,
    server: Option<String>,
    handle: Handle,
    /// Files that wait for their engine: where they are, and whom they are for.
    offered: HashMap<MessageId, (Address, PathBuf)>,
    running: HashMap<MessageId, AbortHandle>,
    places: Arc<Semaphore>,
}
impl Files {
    pub fn new(transfers: Transfers, server: Option<String>, handle: Handle) -> Self {
        Files { transfers, server, handle, offered: HashMap::new(), running: HashMap::new(), places: Arc::new(Semaphore::new(AT_ONCE)) }
    }
    fn tell(&self, id: MessageId, state: TransferState) {
        self.handle.give(Command::Tell(Box::new(AgentEvent::Transfer { id, state })));
    }
    /// The engine will be asked. `false`: there is no server to bring it to.
    pub fn offer(&mut self, id: &MessageId, to: Address, path: PathBuf) -> bool {
        if self.server.is_none() {
            self.tell(id.clone(), TransferState::Failed(TransferFailure::NoServer));
            return false;
        }
        self.offered.insert(id.clone(), (to, path));
        true
    }
    /// The engine said no.
    pub fn not_sent(&mut self, id: &MessageId) {
        self.offered.remove(id);
    }
    /// The engine said how.
    pub fn upload(&mut self, id: MessageId, file: FileInfo, encryption: Option<(FileKey, Box<dyn FileCipher>)>) {
        let Some((to, path)) = self.offered.remove(&id) else { return };
        let Some(server) = self.server.clone() else { return };
        let (transfers, handle) = (self.transfers.clone(), self.handle.clone());
        self.tell(id.clone(), TransferState::Uploading);
        self.run(id.clone(), async move {
            let uploaded = transfers.send_file(&server, &path, file, encryption).await;
            let offer = uploaded.map_err(TransferFailure::from)?;
            handle.send_as(id, Kind::FileOffer, &to, offer.write(), Headers::default());
            Ok(TransferState::Uploaded)
        });
    }
    pub fn download(&mut self, id: MessageId, offer: Offer, cipher: Option<Box<dyn FileCipher>>, directory: PathBuf) {
        let (transfers, places) = (self.transfers.clone(), self.places.clone());
        self.tell(id.clone(), TransferState::Downloading);
        self.run(id, async move {
            let _place = places.acquire().await;
            Ok(TransferState::Downloaded(transfers.receive_file(&offer, cipher, &directory).await?))
        });
    }
    fn run(&mut self, id: MessageId, work: impl Future<Output = Result<TransferState, TransferFailure>> + Send + 'static) {
        let handle = self.handle.clone();
        let ended = id.clone();
        let task = self.handle.runtime.spawn(async move {
            let state = work.await.unwrap_or_else(TransferState::Failed);
            handle.give(Command::Tell(Box::new(AgentEvent::Transfer { id: ended.clone(), state })));
            handle.give(Command::Ended(ended));
        });
        self.running.insert(id, task.abort_handle());
    }
    pub fn ended(&mut self, id: &MessageId) {
        self.running.remove(id);
    }
    pub fn cancel(&mut self, id: &MessageId) {
        let waiting = self.offered.remove(id).is_some();
        let running = self.running.remove(id).inspect(AbortHandle::abort).is_some();
        if waiting || running {
            self.tell(id.clone(), TransferState::Failed(TransferFailure::Cancelled));
        }
    }
    pub fn fail(&self, id: MessageId, why: TransferFailure) {
        self.tell(id, TransferState::Failed(why));
    }
}
impl Drop for Files {
    fn drop(&mut self) {
        self.running.values().for_each(AbortHandle::abort);
    }
}
