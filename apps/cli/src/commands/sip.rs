//! `subrosa sip`: messages and files over SIP, through an engine.
use super::{chat, listen, print, read, rpc, send};
use crate::args::{Sip, SipCommand};
use crate::failure::Failure;
use crate::home::Home;
use crate::rpc::Call;
use crate::rpc::server::{Backend, closed};
use crate::rpc::types::{SendFile, SendResult, SendText};
use crate::show;
use crate::sip::{Purpose, address, start};
use std::sync::Arc;

pub async fn run(home: &Home, sip: Sip) -> Result<(), Failure> {
    let Sip { line, command } = sip;
    let purpose = match command {
        SipCommand::Send { .. } | SipCommand::SendFile { .. } => Purpose::Once,
        _ => Purpose::Stay,
    };
    let command = prepared(command)?;
    let phone = start(home, &line, purpose).await?;
    let end = match command {
        Prepared::Once(call) => once(&phone, call).await,
        Prepared::Listen => listen::show_all(&phone, phone.ended(), false).await,
        Prepared::Chat(with) => chat::talk(&phone, phone.ended(), &with, chat::Shows::All).await,
        Prepared::Rpc => rpc::over_stdio(Arc::new(phone.clone())).await,
    };
    phone.stop().await;
    end
}

/// What was asked for, checked before anything is opened.
enum Prepared {
    Once(Call),
    Listen,
    Chat(String),
    Rpc,
}
fn prepared(command: SipCommand) -> Result<Prepared, Failure> {
    Ok(match command {
        SipCommand::Send { to, text, timeout } => {
            let (to, text) = (address(&to)?.to_string(), send::text(&text)?);
            Prepared::Once(Call::Send(SendText { to, text, id: None, timeout, account: None }))
        }
        SipCommand::SendFile { to, file: path, content_type, timeout } => {
            // before it is opened: that of a pipe waits for its other end
            let found = std::fs::metadata(&path).map_err(|e| Failure::io("reading", &path, &e))?;
            if !found.is_file() {
                return Err(Failure::usage(format!("{} is not a file; choose another", path.display())));
            }
            std::fs::File::open(&path).map_err(|e| Failure::io("reading", &path, &e))?;
            Prepared::Once(Call::SendFile(SendFile { to: address(&to)?.to_string(), path, content_type, timeout, account: None }))
        }
        SipCommand::Listen => Prepared::Listen,
        SipCommand::Chat { with } => Prepared::Chat(address(&with)?.to_string()),
        SipCommand::Rpc => Prepared::Rpc,
    })
}

async fn once(phone: &Arc<crate::sip::Phone>, call: Call) -> Result<(), Failure> {
    phone.ready().await?;
    let answer = phone.begin(call).await.unwrap_or_else(|_| Err(closed()))?;
    let result: SendResult = read(answer)?;
    let engine = result.engine.as_deref().unwrap_or_default();
    let code = result.status.map_or(String::new(), |status| format!(" ({status})"));
    print(&format!("message {}\n  {}\n  delivered{code}\n", show::clean(&result.id), show::engine(engine)))
}
