//! `subrosa listen`: shows what comes, until interrupted.
use super::{interrupted, print};
use crate::engine::Choice;
use crate::failure::{Failure, FaultName};
use crate::home::Home;
use crate::rpc::server::Backend;
use crate::rpc::types::{Connection, Notification, RoomEvent, RoomNews, State};
use crate::session::Accounts;
use crate::show;
use tokio::sync::mpsc;

pub async fn run(home: &Home, account: Option<&str>, engine: Choice) -> Result<(), Failure> {
    let accounts = Accounts::open(home, account, true, Some(&engine)).await?;
    let end = show_all(&accounts, accounts.ended(), accounts.are_several()).await;
    accounts.stop().await;
    end
}

/// Shows what comes, whoever carries it. `ended`: why it is over, once nothing more comes. `several`: of several accounts.
pub async fn show_all(backend: &dyn Backend, ended: impl Future<Output = Failure>, several: bool) -> Result<(), Failure> {
    let (subscriber, mut notes) = mpsc::unbounded_channel();
    backend.subscribe(None, subscriber)?;
    loop {
        tokio::select! {
            () = interrupted() => break Ok(()),
            note = notes.recv() => {
                let Some(note) = note else { break Err(ended.await) };
                if let Some(failure) = refused(&note).filter(|_| !several) {
                    break Err(failure);
                }
                if is_quiet(&note) {
                    continue;
                }
                if let Err(failure) = print(&format!("{}\n", show::note(&note, several))) {
                    break Err(failure); // not shown: it stays unread
                }
                if let Some(seq) = note.seq() {
                    backend.shown(note.account(), seq);
                }
            }
        }
    }
}

/// The server will not have us, and nobody tries again: there is nothing to wait for.
pub fn refused(note: &Notification) -> Option<Failure> {
    match note {
        Notification::Connection(Connection { state: State::Refused, reason: Some(reason), code, .. }) => {
            Some(Failure::new(code.as_deref().unwrap_or("connect.refused"), FaultName::Network, reason.clone()))
        }
        _ => None,
    }
}
/// What a person need not be told: not connected yet, as is to be expected at the start; what is said otherwise.
pub fn is_quiet(note: &Notification) -> bool {
    match note {
        Notification::Connection(connection) => connection.state == State::Offline && connection.reason.is_none(),
        Notification::State(state) => state.to.is_some(), // a message of this process: its answer says it
        // who is in it is told by itself
        Notification::Room(RoomNews { event: RoomEvent::Changed, reason: None, .. }) => true,
        // for screens
        Notification::Entry(_) | Notification::Chat(_) | Notification::CatchUp(_) => true,
        _ => false,
    }
}
