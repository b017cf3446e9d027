//! `subrosa login`: checks the password at once, makes and publishes the device, says who it is.
use super::{print, read};
use crate::args;
use crate::config::Account;
use crate::failure::{Failure, FaultName};
use crate::home::{AccountDir, Home, bare};
use crate::host::ledger::Login;
use crate::host::{Host, link, new_id};
use crate::rpc::Call;
use crate::rpc::server::{Backend, closed};
use crate::rpc::types::Status;
use std::io::{BufRead, IsTerminal};
use std::path::Path;
use std::sync::Arc;
use zeroize::Zeroizing;

/// The longest password taken.
const PASSWORD_LIMIT: u64 = 4096;

pub async fn run(home: &Home, args: args::Login) -> Result<(), Failure> {
    let jid = bare(&args.jid)?;
    let settings = home.settings()?;
    let password = password(&jid, args.password_file.as_deref())?;
    let ca = args.ca.map(|ca| std::path::absolute(&ca).map_err(|e| Failure::io("finding", &ca, &e))).transpose()?;
    if let Some(host) = &args.host {
        link::host(host)?;
    }
    let dir = home.prepare(&jid)?;
    let before = dir.config().ok();
    let fresh = before.is_none();
    let resource = before.and_then(|account| account.resource).or_else(|| Some(format!("subrosa-{}", new_id())));
    let account = Account { jid: jid.clone(), host: args.host, ca, resource, plain_loopback: args.plain_loopback };
    let Some(lock) = dir.lock()? else {
        let who = dir.holder().map_or_else(|| "another process".into(), |pid| format!("process {pid}"));
        return Err(Failure::new("data.in-use", FaultName::Store, format!("{who} uses {jid} here; end it, then log in")));
    };
    let login = Login { password, pin: None };
    let host = match Host::start(dir.clone(), lock, account.clone(), &settings, Default::default(), Some(login.clone())).await {
        Ok(host) => host,
        Err(failure) => return Err(undo(&dir, fresh, failure)),
    };
    let done = finish(&host, &dir, &account, login).await;
    host.stop().await;
    match done {
        Ok(text) => print(&text),
        Err(failure) => Err(undo(&dir, fresh, failure)),
    }
}

async fn finish(host: &Arc<Host>, dir: &AccountDir, account: &Account, login: Login) -> Result<String, Failure> {
    host.settled().await?;
    host.remember(login).await?;
    dir.write_config(account)?;
    let status: Status = read(host.begin(Call::Status(Default::default())).await.unwrap_or_else(|_| Err(closed()))?)?;
    let mut text = format!("{} is logged in.\n", account.jid);
    for known in status.accounts {
        if let (Some(device), Some(fingerprint)) = (known.device, known.fingerprint) {
            text.push_str(&format!("This is device {device}, with the fingerprint\n  {}\n", crate::show::groups(&fingerprint)));
        }
    }
    Ok(text)
}

/// A first login that failed leaves nothing behind.
fn undo(dir: &AccountDir, fresh: bool, failure: Failure) -> Failure {
    if fresh && let Err(e) = dir.erase() {
        tracing::warn!(code = %e.code, "a login that failed could not be cleaned up");
    }
    failure
}

fn password(jid: &str, file: Option<&Path>) -> Result<Zeroizing<String>, Failure> {
    let password = match (file, std::env::var("SUBROSA_PASSWORD")) {
        (Some(path), _) => {
            let file = std::fs::File::open(path).map_err(|e| Failure::io("reading", path, &e))?;
            first_line(std::io::BufReader::new(file)).map_err(|e| Failure::io("reading", path, &e))?
        }
        (None, Ok(given)) => Zeroizing::new(given),
        (None, Err(_)) if std::io::stdin().is_terminal() => {
            let asked = rpassword::prompt_password(format!("Password of {jid}: "));
            Zeroizing::new(asked.map_err(|e| Failure::usage(format!("the password can't be read from the terminal: {e}")))?)
        }
        (None, Err(_)) => {
            let sentence = "there is no terminal to ask for the password; give it in a file (--password-file) or in SUBROSA_PASSWORD";
            return Err(Failure::usage(sentence));
        }
    };
    if password.is_empty() {
        return Err(Failure::usage("the password is empty; nothing was done"));
    }
    Ok(password)
}
fn first_line(file: impl BufRead) -> std::io::Result<Zeroizing<String>> {
    let mut line = Zeroizing::new(String::with_capacity(256)); // not moved while it is read: no copies stay behind
    file.take(PASSWORD_LIMIT).read_line(&mut line)?;
    let end = line.trim_end_matches(['\r', '\n']).len();
    line.truncate(end);
    Ok(line)
}
