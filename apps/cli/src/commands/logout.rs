//! `subrosa logout`: withdraws the device, erases the keys. What was received and not read is gone too.
use super::{confirmed, print};
use crate::failure::Failure;
use crate::home::Home;
use crate::rpc::Call;
use crate::rpc::types::Logout;
use crate::session::Accounts;

pub async fn run(home: &Home, account: Option<&str>, yes: bool, offline: bool) -> Result<(), Failure> {
    let dir = home.account(account)?;
    let what = "and erases its keys; messages not read yet can't be read any more";
    let question = format!("This withdraws the device from {} {what}. Go on?", dir.jid);
    if !yes && !confirmed(&question, "say --yes if the keys shall be erased")? {
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
    print(&format!("{} is logged out; its keys on this device are erased\n", dir.jid))
}
