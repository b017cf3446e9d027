//! What went wrong, for a person, a script and a shell alike: one sentence (what happened and what to do), a stable
//! code, a fault class, an exit code. Every error that leaves the program is one of these.
use crate::rpc::types::SendResult;
use serde::{Deserialize, Serialize};
use std::path::Path;
use subrosa_engine::{Coded, Fault};

/// An error as the program shows it. Crosses the socket whole: see [`crate::rpc::RpcError`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{sentence}")]
pub struct Failure {
    /// Stable, dotted: `"store.full"`.
    pub code: String,
    /// Who has to act.
    pub fault: FaultName,
    /// What happened and what to do.
    pub sentence: String,
    /// A message that nobody could read: who was considered.
    pub details: Option<Box<SendResult>>,
}

/// [`Fault`] in the words of the RPC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FaultName {
    /// The request was wrong, or something has to be done first.
    Caller,
    /// The other side sent something wrong.
    Peer,
    /// Connection or server.
    Network,
    /// The disk or the key of the store.
    Store,
    /// Subrosa itself.
    Bug,
}

impl From<Fault> for FaultName {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Caller => FaultName::Caller,
            Fault::Peer => FaultName::Peer,
            Fault::Network => FaultName::Network,
            Fault::Store => FaultName::Store,
            Fault::Bug => FaultName::Bug,
        }
    }
}

/// Code of [`Failure::unread`].
pub const UNREAD: &str = "output.unread";

impl Failure {
    /// Any error, in these words.
    pub fn new(code: &str, fault: FaultName, sentence: impl Into<String>) -> Self {
        Failure { code: code.into(), fault, sentence: sentence.into(), details: None }
    }
    /// An error of the crates below.
    pub fn coded(error: &dyn Coded) -> Self {
        Failure::new(error.code(), error.fault().into(), chain(error))
    }
    /// The request cannot be carried out as it stands.
    pub fn usage(sentence: impl Into<String>) -> Self {
        Failure::new("request.invalid", FaultName::Caller, sentence)
    }
    /// A defect of this program.
    pub fn bug(sentence: impl Into<String>) -> Self {
        Failure::new("bug", FaultName::Bug, sentence)
    }
    /// The file system said no.
    pub fn io(doing: &str, path: &Path, error: &std::io::Error) -> Self {
        let what = format!("{doing} {} failed: {error}", path.display());
        match error.kind() {
            std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => Failure::disk_full(path),
            std::io::ErrorKind::PermissionDenied | std::io::ErrorKind::ReadOnlyFilesystem => {
                Failure::new("data.forbidden", FaultName::Store, format!("{what}; check who owns it, or choose another directory with --data"))
            }
            _ => Failure::new("data.io", FaultName::Store, what),
        }
    }
    /// No room for what has to be stored first.
    pub fn disk_full(path: &Path) -> Self {
        Failure::new(
            "store.full",
            FaultName::Store,
            format!("the disk with {} is full, so nothing was stored and nothing was sent; free some space and try again", path.display()),
        )
    }
    /// Nobody is logged in here, or not this account.
    pub fn not_logged_in(who: Option<&str>) -> Self {
        let sentence = match who {
            Some(jid) => format!("{jid} is not logged in here; run `subrosa login {jid}` first"),
            None => "no account is logged in here; run `subrosa login JID` first".into(),
        };
        Failure::new("account.none", FaultName::Caller, sentence)
    }
    /// Which of them?
    pub fn several_accounts(all: &[String]) -> Self {
        Failure::new(
            "account.several",
            FaultName::Caller,
            format!("several accounts are logged in here ({}); say which with --account JID", all.join(", ")),
        )
    }
    /// Someone holds the lock and does not answer the socket.
    pub fn in_use(dir: &Path, pid: Option<u32>) -> Self {
        let who = pid.map_or_else(|| "another process".into(), |pid| format!("another process (pid {pid})"));
        Failure::new(
            "data.in-use",
            FaultName::Store,
            format!("{who} uses {} and does not answer; wait for it or end it, then try again", dir.display()),
        )
    }
    /// Committed, not yet acknowledged.
    pub fn queued(id: &str, seconds: u64) -> Self {
        Failure::new(
            "send.queued",
            FaultName::Network,
            format!(
                "the server has not acknowledged message {id} within {seconds} s; it stays queued and goes out at the next connection (`subrosa listen`)"
            ),
        )
    }
    /// Asked and not answered.
    pub fn no_answer(seconds: u64) -> Self {
        let sentence = format!("the server did not answer within {seconds} s; check the connection with `subrosa status` and try again");
        Failure::new("connect.no-answer", FaultName::Network, sentence)
    }
    /// Who reads standard output has enough (`| head`): nothing is wrong, and nobody is told.
    pub fn unread() -> Self {
        Failure::new(UNREAD, FaultName::Caller, "nobody reads standard output any more")
    }
    /// The exit code of a command that ends with this; the table is in docs/rpc.md.
    pub fn exit(&self) -> u8 {
        match self.code.as_str() {
            "request.invalid" => 2,
            "login.password" => 4,
            "connect.unreachable" => 5,
            "connect.certificate" => 6,
            "data.in-use" | "store.in-use" | "engine.another" => 8,
            "send.queued" => 9,
            UNREAD => 141, // as of a program that SIGPIPE ends
            code if code.starts_with("send.") => 10,
            code if ["config.", "engine.", "preshared.", "sip.config."].iter().any(|kind| code.starts_with(kind)) => 2,
            "sip.register.password" | "sip.register.no-password" => 4,
            "sip.certificate" | "sip.roots" => 6,
            code if code.starts_with("sip.") => 5,
            code if code.starts_with("account.") => 3,
            code if code.starts_with("login.") => 4,
            code if code.starts_with("connect.") => 5,
            code if ["store.", "data.", "history."].iter().any(|kind| code.starts_with(kind)) => 7,
            _ => 1,
        }
    }
}

/// An error with its causes, in one line.
pub fn chain(error: &(impl std::error::Error + ?Sized)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let next = error.to_string();
        if !text.contains(&next) {
            text = format!("{text}: {next}");
        }
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_has_its_exit_code() {
        let of = |code: &str| Failure::new(code, FaultName::Bug, "").exit();
        assert_eq!(
            ["bug", "request.invalid", "account.none", "login.password", "connect.unreachable", "connect.certificate"].map(of),
            [1, 2, 3, 4, 5, 6]
        );
        assert_eq!(["store.full", "store.key", "data.io", "data.in-use", "send.queued", "send.nobody"].map(of), [7, 7, 7, 8, 9, 10]);
        assert_eq!(["engine.unknown", "engine.another", UNREAD].map(of), [2, 8, 141]);
    }

    #[test]
    fn a_full_disk_is_told_from_other_io_errors() {
        let full = Failure::io("writing", Path::new("/x"), &std::io::ErrorKind::StorageFull.into());
        assert_eq!(full.code, "store.full");
        assert_eq!(Failure::io("writing", Path::new("/x"), &std::io::ErrorKind::NotFound.into()).code, "data.io");
    }
}
