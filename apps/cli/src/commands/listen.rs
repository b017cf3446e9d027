//! `subrosa listen`: shows what comes, until interrupted.
use super::{interrupted, print};
use crate::engine::Choice;
use crate::failure::{Failure, FaultName};
use crate::home::Home;
use crate::rpc::server::Backend;
use crate::rpc::types::{Connection, Notification, State};
use crate::session::Accounts;
use crate::show;
use tokio::sync::mpsc;

pub async fn run(home: &Home, account: Option<&str>, engine: Choice) -> Result<(), Failure> {
    let accounts = Accounts::open(home, account, true, Some(&engine)).await?;
    let (subscriber, mut notes) = mpsc::unbounded_channel();
    accounts.subscribe(None, subscriber)?;
    let end = loop {
        tokio::select! {
            () = interrupted() => break Ok(()),
            note = notes.recv() => {
                let Some(note) = note else { break Err(accounts.ended().await) };
                if let Some(failure) = refused(&note).filter(|_| !accounts.are_several()) {
                    break Err(failure);
                }
                if is_quiet(&note) {
                    continue;
                }
                if let Err(failure) = print(&format!("{}\n", show::note(&note, accounts.are_several()))) {
                    break Err(failure); // not shown: it stays unread
                }
                if let Some(seq) = note.seq() {
                    accounts.shown(note.account(), seq);
                }
            }
        }
    };
    accounts.stop().await;
    end
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
/// Not connected yet: what is to be expected at the start.
pub fn is_quiet(note: &Notification) -> bool {
    matches!(note, Notification::Connection(Connection { state: State::Offline, reason: None, .. }))
}
