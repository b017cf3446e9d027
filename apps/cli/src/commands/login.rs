//! `subrosa login`: checks the password at once, makes and publishes the device, says who it is.
use super::{password, print, read};
use crate::args;
use crate::config::Account;
use crate::failure::{Failure, FaultName};
use crate::home::{AccountDir, Home, bare};
use crate::host::ledger::Login;
use crate::host::{Host, link, new_id};
use crate::import::{self, Source};
use crate::rpc::Call;
use crate::rpc::server::{Backend, closed};
use crate::rpc::types::Status;
use std::path::Path;
use std::sync::Arc;
use subrosa_omemo::Imported;
use zeroize::Zeroizing;

/// With the identity that another program has in this file.
pub async fn import(home: &Home, args: args::Login, from: Source, file: &Path) -> Result<(), Failure> {
    let bytes = Zeroizing::new(std::fs::read(file).map_err(|e| Failure::io("reading", file, &e))?);
    let imported = import::read(from, &bytes).map_err(|e| Failure::coded(&e))?;
    run(home, args, Some(imported)).await?;
    print(&format!(
        "The identity of {} goes on here. Do not use it there any more: two programs on one identity take messages away from each other.\n",
        from.name()
    ))
}
/// `imported`: instead of a new identity.
pub async fn run(home: &Home, args: args::Login, imported: Option<Imported>) -> Result<(), Failure> {
    let jid = bare(&args.jid)?;
    let settings = home.settings()?;
    let password = password::asked(&jid, args.password_file.as_deref())?;
    let ca = args.ca.map(|ca| std::path::absolute(&ca).map_err(|e| Failure::io("finding", &ca, &e))).transpose()?;
    if let Some(host) = &args.host {
        link::host(host)?;
    }
    let dir = home.prepare(&jid)?;
    let before = dir.config().ok();
    let fresh = before.is_none();
    if imported.is_some() && !fresh {
        let sentence = format!("{jid} is logged in here already, with an identity of its own; log out first, or import into another --data");
        return Err(Failure::new("import.logged-in", FaultName::Caller, sentence));
    }
    let account = reached(before, Account { jid: jid.clone(), host: args.host, ca, resource: None, plain_loopback: args.plain_loopback });
    let Some(lock) = dir.lock()? else {
        let who = dir.holder().map_or_else(|| "another process".into(), |pid| format!("process {pid}"));
        return Err(Failure::new("data.in-use", FaultName::Store, format!("{who} uses {jid} here; end it, then log in")));
    };
    let login = Login { password, pin: None };
    let host = match Host::start(dir.clone(), lock, account.clone(), &settings, Default::default(), Some(login.clone())).await {
        Ok(host) => host,
        Err(failure) => return Err(undo(&dir, fresh, failure)),
    };
    let taken = match imported {
        Some(imported) => host.import(imported).await,
        None => Ok(()),
    };
    let done = match taken {
        Ok(()) => finish(&host, &dir, &account, login).await,
        Err(failure) => Err(failure),
    };
    host.stop().await;
    match done {
        Ok(text) => print(&text),
        Err(failure) => Err(undo(&dir, fresh, failure)),
    }
}

/// As at the login before, unless something else is said now.
fn reached(before: Option<Account>, now: Account) -> Account {
    let (same, before) = (now.host.is_none(), before.as_ref());
    Account {
        ca: now.ca.or_else(|| before?.ca.clone()),
        resource: before.and_then(|account| account.resource.clone()).or_else(|| Some(format!("subrosa-{}", new_id()))),
        // goes with the address that it was said for
        plain_loopback: now.plain_loopback || (same && before.is_some_and(|account| account.plain_loopback)),
        host: now.host.or_else(|| before?.host.clone()),
        jid: now.jid,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_login_goes_where_the_one_before_went() {
        let now = || Account { jid: "a@x".into(), host: None, ca: None, resource: None, plain_loopback: false };
        let first = reached(None, Account { host: Some("127.0.0.1:5222".into()), ca: Some("/ca.pem".into()), plain_loopback: true, ..now() });
        assert!(first.resource.is_some());
        assert_eq!(reached(Some(first.clone()), now()), first);
        let other = reached(Some(first.clone()), Account { host: Some("xmpp.x:5222".into()), ..now() });
        assert_eq!((other.host.as_deref(), other.plain_loopback, other.ca), (Some("xmpp.x:5222"), false, first.ca));
        assert_eq!(other.resource, first.resource);
    }
}
