//! `subrosa backup`, `subrosa restore`: the history in one sealed file.
use super::{ask, password, print};
use crate::failure::Failure;
use crate::home::Home;
use crate::rpc::Call;
use crate::rpc::types::{Kept, Sealed};
use crate::show::messages;
use std::path::{Path, PathBuf};

pub async fn back_up(home: &Home, account: Option<&str>, file: &Path, replace: bool, passphrase: Option<PathBuf>) -> Result<(), Failure> {
    let sealed = Sealed { replace, ..sealed(file, passphrase.as_deref(), true)? };
    let done: Kept = ask(home, account, false, Call::Backup(sealed)).await?;
    print(&format!("{} holds {}; without its passphrase nobody opens it, not even you\n", file.display(), messages(done.messages)))
}
pub async fn restore(home: &Home, account: Option<&str>, file: &Path, passphrase: Option<PathBuf>) -> Result<(), Failure> {
    let sealed = sealed(file, passphrase.as_deref(), false)?;
    let done: Kept = ask(home, account, false, Call::Restore(sealed)).await?;
    print(&format!("new here: {}\n", messages(done.messages)))
}
fn sealed(file: &Path, passphrase: Option<&Path>, new: bool) -> Result<Sealed, Failure> {
    let path = std::path::absolute(file).map_err(|e| Failure::io("finding", file, &e))?;
    Ok(Sealed { path, passphrase: password::passphrase(passphrase, new)?.to_string(), replace: false, account: None })
}
