//! The connection of one account, as the machine's thread sees it.
use super::drive::Job;
use super::ledger::Login;
use crate::config::Account;
use crate::failure::Failure;
use crate::rpc::types::State;
use subrosa_engine::{Input, Output, OutputId};
use tokio::sync::{mpsc, oneshot};

/// Up to where incoming stanzas are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark(pub u64);

/// What the connection says.
pub enum Said {
    /// For the machine.
    Input(Input),
    /// For the machine; the server is told that we have it once it is stored.
    Received(Input, Mark),
    /// The server has this stanza.
    Acknowledged(OutputId),
    /// The connection changed; with a failure where it went wrong.
    State(State, Option<Failure>),
}

/// What the connection is asked.
pub enum Ask {
    /// To be sent, now or when there is a connection.
    Put(OutputId, Output),
    /// Incoming stanzas are stored up to here.
    Handled(Mark),
    /// A connection is wanted.
    Connect,
    /// Close it in good order, and say when that is done.
    Stop(oneshot::Sender<()>),
}

/// The way to the connection.
#[derive(Clone)]
pub struct Link(mpsc::UnboundedSender<Ask>);
impl Link {
    /// Its two ends.
    pub fn new() -> (Self, mpsc::UnboundedReceiver<Ask>) {
        let (to, asks) = mpsc::unbounded_channel();
        (Link(to), asks)
    }
    /// To be sent, now or when there is a connection.
    pub fn put(&self, id: OutputId, output: Output) {
        let _ = self.0.send(Ask::Put(id, output));
    }
    /// Stored up to here.
    pub fn handled(&self, mark: Mark) {
        let _ = self.0.send(Ask::Handled(mark));
    }
    /// Connects, if that was not wanted before.
    pub fn connect(&self) {
        let _ = self.0.send(Ask::Connect);
    }
    /// Closes it in good order.
    pub async fn stop(&self) {
        let (done, stopped) = oneshot::channel();
        if self.0.send(Ask::Stop(done)).is_ok() {
            let _ = stopped.await;
        }
    }
}

/// Starts the connection's task.
pub fn spawn(_asks: mpsc::UnboundedReceiver<Ask>, _jobs: mpsc::UnboundedSender<Job>, _account: Account, _login: Login) -> Result<(), Failure> {
    Ok(())
}
