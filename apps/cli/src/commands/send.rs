//! `subrosa send`: one message; says device by device who can read it.
use super::{print, read};
use crate::engine::Choice;
use crate::failure::{Failure, FaultName};
use crate::home::{Home, bare};
use crate::host::TEXT_LIMIT;
use crate::rpc::Call;
use crate::rpc::types::{SendOutcome, SendResult, SendText};
use crate::session::Accounts;
use crate::show;
use std::io::Read;

pub async fn run(
    home: &Home,
    account: Option<&str>,
    engine: Choice,
    to: String,
    text: &str,
    id: Option<String>,
    timeout: Option<u64>,
) -> Result<(), Failure> {
    let to = bare(&to)?;
    let text = self::text(text)?;
    let accounts = Accounts::open(home, account, false, Some(&engine)).await?;
    let answer = accounts.call(Call::Send(SendText { to: to.clone(), text, id, timeout, account: None })).await;
    accounts.stop().await;
    match answer {
        Ok(answer) => report(&to, &read(answer)?),
        Err(failure) => {
            if let Some(details) = &failure.details {
                // whoever is in the way is named by the sentence
                print(&lines(&SendResult { left_out: Vec::new(), ..(**details).clone() }))?;
            }
            Err(failure)
        }
    }
}

fn report(to: &str, result: &SendResult) -> Result<(), Failure> {
    print(&lines(result))?;
    // a room has no devices of its own
    let room = result.devices.iter().all(|d| d.jid != to);
    let read = result.devices.iter().any(|d| (room || d.jid == to) && d.result == SendOutcome::Sent);
    if read || result.devices.is_empty() {
        return Ok(());
    }
    let sentence = format!("no device of {to} can read it; the lines above say why");
    Err(Failure::new("send.nobody", FaultName::Peer, sentence))
}
pub fn lines(result: &SendResult) -> String {
    let mut text = format!("message {}\n", show::clean(&result.id));
    if let Some(engine) = &result.engine {
        text.push_str(&format!("  {}\n", show::engine(engine)));
    }
    if result.in_clear {
        text.push_str(&format!("  {}\n", show::IN_CLEAR));
    }
    for device in &result.devices {
        text.push_str(&show::result(device));
        text.push('\n');
    }
    for who in &result.left_out {
        text.push_str(&format!("  {}: left out, as you chose for this room\n", show::clean(who)));
    }
    for what in &result.unsaid {
        text.push_str(&format!("  {}\n", subrosa_engine::Omission::from_code(what).map_or(what.as_str(), |what| what.sentence())));
    }
    text
}
/// What stands on the command line, or standard input for `-`.
pub fn text(given: &str) -> Result<String, Failure> {
    if given == "-" { standard_input() } else { Ok(given.to_owned()) }
}
/// Up to the limit of a message and a little more, so that too much is seen as such.
fn standard_input() -> Result<String, Failure> {
    let limit = u64::try_from(TEXT_LIMIT).unwrap_or(u64::MAX).saturating_add(2);
    let mut bytes = Vec::new();
    let read = std::io::stdin().lock().take(limit).read_to_end(&mut bytes);
    read.map_err(|e| Failure::usage(format!("standard input can't be read: {e}")))?;
    let text = String::from_utf8(bytes).map_err(|_| Failure::usage("standard input is no UTF-8 text; nothing was sent"))?;
    Ok(text.strip_suffix('\n').map_or(text.clone(), str::to_owned))
}
