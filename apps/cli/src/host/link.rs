//! The connection of one account, as the machine's thread sees it.
use super::drive::Job;
use super::ledger::Login;
use crate::config::Account;
use crate::failure::Failure;
use crate::rpc::types::State;
use subrosa_engine::{Input, Output, OutputId};
use tokio::sync::mpsc;

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

/// The way to the connection.
pub struct Link;
impl Link {
    /// To be sent, now or when there is a connection.
    pub fn put(&self, _id: OutputId, _output: Output) {}
    /// Stored up to here.
    pub fn handled(&self, _mark: Mark) {}
    /// A connection is wanted.
    pub fn connect(&self) {}
}
/// What the host does with the connection.
pub struct Control;
impl Control {
    /// Connects, if that was not wanted before.
    pub fn connect(&self) {}
    /// Closes it in good order.
    pub async fn stop(&self) {}
}
/// Not started yet.
pub struct Task;
impl Task {
    /// Starts it.
    pub fn spawn(self, _account: Account, _login: Login) -> Result<(), Failure> {
        Ok(())
    }
}
/// The three ends of a connection that is not there yet.
pub fn prepare(_jid: &str, _jobs: mpsc::UnboundedSender<Job>) -> (Control, Link, Task) {
    (Control, Link, Task)
}
