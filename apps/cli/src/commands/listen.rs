//! `subrosa listen`: shows what comes, until interrupted.
use super::{interrupted, print};
use crate::failure::Failure;
use crate::home::Home;
use crate::rpc::server::Backend;
use crate::session::Accounts;
use crate::show;
use tokio::sync::mpsc;

pub async fn run(home: &Home, account: Option<&str>) -> Result<(), Failure> {
    let accounts = Accounts::open(home, account, true).await?;
    let (subscriber, mut notes) = mpsc::unbounded_channel();
    accounts.subscribe(None, subscriber)?;
    let end = loop {
        tokio::select! {
            () = interrupted() => break Ok(()),
            note = notes.recv() => {
                let Some(note) = note else { break Err(accounts.ended().await) };
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
