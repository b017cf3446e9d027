//! `subrosa logout`: withdraws the device, erases the keys and the history. What was received and not read is gone too.
use super::{confirmed, print};
use crate::failure::Failure;
use crate::home::Home;
use crate::rpc::Call;
use crate::rpc::types::Logout;
use crate::session::Accounts;

pub async fn run(home: &Home, account: Option<&str>, yes: bool, offline: bool) -> Result<(), Failure> {
    let dir = home.account(account)?;
    if !yes && !confirmed(&question(&dir.jid), "say --yes if the keys and the history shall be erased")? {
        return print("nothing was done\n");
    }
    let opened = Accounts::open(home, Some(&dir.jid), false, None).await;
    match opened {
        Ok(accounts) => {
            let answer = accounts.call(Call::Logout(Logout { offline, account: None })).await;
            accounts.stop().await;
            answer?;
        }
        // a store that can't be opened can still be thrown away
        Err(failure) if offline && failure.code.starts_with("store.") => match dir.lock()? {
            Some(_lock) => dir.erase()?,
            None => return Err(Failure::in_use(dir.path(), dir.holder())),
        },
        Err(failure) => return Err(failure),
    }
    print(&format!("{} is logged out; its keys and its history on this device are erased\n", dir.jid))
}
fn question(jid: &str) -> String {
    let what = "and erases its keys and the whole history here; messages not read yet can't be read any more";
    format!("This withdraws the device from {jid} {what}. `subrosa backup FILE` keeps the history. Go on?")
}

#[cfg(test)]
mod tests {
    #[test]
    fn who_logs_out_is_told_that_the_history_goes_too() {
        let asked = super::question("alice@x");
        assert!(["alice@x", "whole history", "`subrosa backup FILE`"].iter().all(|word| asked.contains(word)), "{asked}");
    }
}
