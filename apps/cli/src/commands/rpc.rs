//! `subrosa rpc`: docs/rpc.md over standard input and output.
use super::interrupted;
use crate::engine::Choice;
use crate::failure::{Failure, FaultName};
use crate::home::Home;
use crate::rpc::server::{Backend, serve};
use crate::session::Accounts;
use std::sync::Arc;
use tokio::io::BufReader;

pub async fn run(home: &Home, account: Option<&str>, engine: Choice) -> Result<(), Failure> {
    let accounts = Arc::new(Accounts::open(home, account, true, Some(&engine)).await?);
    let end = over_stdio(accounts.clone()).await;
    accounts.stop().await;
    end
}

/// Until the end of input, or an interruption.
pub async fn over_stdio(backend: Arc<dyn Backend>) -> Result<(), Failure> {
    tokio::select! {
        served = serve(BufReader::new(tokio::io::stdin()), tokio::io::stdout(), backend, true) => {
            served.map_err(|e| Failure::new("input", FaultName::Caller, format!("standard input can't be read: {e}")))
        }
        () = interrupted() => Ok(()),
    }
}
