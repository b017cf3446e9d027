//! The data directory: where accounts, keys and sockets are, who may read them, who uses them now.
//!
//! ```text
//! DIR/                        0700
//!   settings.toml             the user's, optional
//!   accounts/alice@x.org/     0700
//!     account.toml            how to reach the server; no secrets
//!     key                     0600, opens the store (unless SUBROSA_STORE_KEY holds it)
//!     store.db                sealed: keys and sessions
//!     history.db              sealed: what was said
//!     lock                    held by the one process that has the store open; its pid is in it
//!     socket                  0600, where that process answers
//! ```
use crate::config::{self, Account, Settings};
use crate::failure::{Failure, FaultName};
use getrandom::{SysRng, rand_core::UnwrapErr};
use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io::{Seek, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use subrosa_store::{KeyFileError, StoreKey};
use zeroize::Zeroizing;

/// The longest path a Unix socket can have, with a byte to spare.
const SOCKET_PATH: usize = 106;
/// Where the store key can be given instead of a file: 64 hexadecimal digits.
pub const KEY_VARIABLE: &str = "SUBROSA_STORE_KEY";

/// The data directory.
#[derive(Debug, Clone)]
pub struct Home(PathBuf);

/// One account's part of it.
#[derive(Debug, Clone)]
pub struct AccountDir {
    dir: PathBuf,
    /// Whose.
    pub jid: String,
}

/// Held by the process that has the account's store open; freed with it, however it ends.
#[derive(Debug)]
pub struct Lock(#[allow(dead_code, reason = "open = held")] File);

impl Home {
    /// `--data`, else `$XDG_DATA_HOME/subrosa`, else `~/.local/share/subrosa`.
    pub fn locate(given: Option<PathBuf>) -> Result<Self, Failure> {
        let absolute = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|p| p.is_absolute());
        let found = given.or_else(|| {
            let base = absolute("XDG_DATA_HOME").or_else(|| Some(absolute("HOME")?.join(".local/share")))?;
            Some(base.join("subrosa"))
        });
        let dir = found.ok_or_else(|| Failure::usage("neither XDG_DATA_HOME nor HOME is set; say with --data DIR where accounts are kept"))?;
        std::path::absolute(&dir).map(Home).map_err(|e| Failure::io("finding", &dir, &e))
    }
    /// The user's settings.
    pub fn settings(&self) -> Result<Settings, Failure> {
        Settings::read(&self.0.join("settings.toml"))
    }
    /// Who is logged in, sorted.
    pub fn accounts(&self) -> Result<Vec<AccountDir>, Failure> {
        let all = self.0.join("accounts");
        let entries = match std::fs::read_dir(&all) {
            Ok(entries) => entries,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(e) => return Err(Failure::io("reading", &all, &e)),
        };
        let mut found = Vec::new();
        for dir in entries.filter_map(|e| e.ok().map(|e| e.path())) {
            if let Some(account) = config::read::<Account>(&dir.join("account.toml"))? {
                found.push(AccountDir { dir, jid: account.jid });
            }
        }
        found.sort_by(|a, b| a.jid.cmp(&b.jid));
        Ok(found)
    }
    /// The account meant: the named one, or the only one.
    pub fn account(&self, named: Option<&str>) -> Result<AccountDir, Failure> {
        let mut all = self.accounts()?;
        if let Some(name) = named {
            let jid = bare(name)?;
            return all.into_iter().find(|a| a.jid == jid).ok_or_else(|| Failure::not_logged_in(Some(&jid)));
        }
        match (all.pop(), all.is_empty()) {
            (None, _) => Err(Failure::not_logged_in(None)),
            (Some(only), true) => Ok(only),
            (Some(last), false) => {
                let names: Vec<_> = all.iter().chain([&last]).map(|a| a.jid.clone()).collect();
                Err(Failure::several_accounts(&names))
            }
        }
    }
    /// Room for one account (an address as [`bare`] gives it); nothing is in it yet.
    pub fn prepare(&self, jid: &str) -> Result<AccountDir, Failure> {
        self.room("accounts", jid)
    }
    /// The same for an account on SIP: apart from those that are logged in.
    pub fn prepare_sip(&self, address: &str) -> Result<AccountDir, Failure> {
        self.room("sip", address)
    }
    fn room(&self, kind: &str, jid: &str) -> Result<AccountDir, Failure> {
        let dir = self.0.join(kind).join(file_name(jid));
        DirBuilder::new().recursive(true).mode(0o700).create(&dir).map_err(|e| Failure::io("creating", &dir, &e))?;
        std::fs::set_permissions(&dir, std::fs::Permissions::from_mode(0o700)).map_err(|e| Failure::io("protecting", &dir, &e))?;
        Ok(AccountDir { dir, jid: jid.into() })
    }
}

impl AccountDir {
    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.dir
    }
    /// The database.
    pub fn store(&self) -> PathBuf {
        self.dir.join("store.db")
    }
    /// What was said.
    pub fn history(&self) -> PathBuf {
        self.dir.join("history.db")
    }
    /// How to reach the server.
    pub fn config(&self) -> Result<Account, Failure> {
        config::read(&self.dir.join("account.toml"))?.ok_or_else(|| Failure::not_logged_in(Some(&self.jid)))
    }
    /// From here on the account counts as logged in. Written beside and renamed: whole or not at all.
    pub fn write_config(&self, account: &Account) -> Result<(), Failure> {
        let path = self.dir.join("account.toml");
        let text = toml::to_string(account).map_err(|e| Failure::bug(format!("account.toml can't be written: {e}")))?;
        replace(&path, text.as_bytes()).map_err(|e| Failure::io("writing", &path, &e))
    }
    /// Takes the account for this process; `None`: another has it.
    pub fn lock(&self) -> Result<Option<Lock>, Failure> {
        let path = self.dir.join("lock");
        let io = |e: std::io::Error| Failure::io("opening", &path, &e);
        let open = OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(&path);
        let mut file = open.map_err(io)?;
        match file.try_lock() {
            Ok(()) => {
                let pid = std::process::id().to_string();
                let written = file.set_len(0).and_then(|()| file.rewind()).and_then(|()| file.write_all(pid.as_bytes()));
                // the number is for messages only: a full disk must not make the lock fail
                if let Err(e) = written {
                    tracing::debug!(error = %e, "the pid could not be written into the lock");
                }
                Ok(Some(Lock(file)))
            }
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(e)) => Err(io(e)),
        }
    }
    /// The process that took the lock last, for messages to a person.
    pub fn holder(&self) -> Option<u32> {
        std::fs::read_to_string(self.dir.join("lock")).ok()?.trim().parse().ok()
    }
    /// The key of the store, from the environment or the key file. `create`: makes one where there is none.
    pub fn store_key(&self, create: bool) -> Result<StoreKey, Failure> {
        if let Ok(given) = std::env::var(KEY_VARIABLE).map(Zeroizing::new) {
            let sentence = || Failure::new("store.key", FaultName::Caller, format!("{KEY_VARIABLE} must be 64 hexadecimal digits; correct it"));
            return from_hex(given.trim()).map(StoreKey::from_bytes).ok_or_else(sentence);
        }
        let path = self.key_file();
        let key = if create { StoreKey::load_or_create(&path, &mut UnwrapErr(SysRng)) } else { StoreKey::load(&path) };
        key.map_err(|e| match &e {
            KeyFileError::Io { source, .. } if source.kind() == std::io::ErrorKind::NotFound => {
                let sentence = format!(
                    "the key file {} is missing, so the store can't be opened; put it back, or log out with --offline and in again",
                    path.display()
                );
                Failure::new("store.key-missing", FaultName::Store, sentence)
            }
            _ => Failure::coded(&e),
        })
    }
    fn key_file(&self) -> PathBuf {
        self.dir.join("key")
    }
    /// Where the process that has the lock answers. In the account's directory, or, where that path is too long
    /// for a socket, in `XDG_RUNTIME_DIR`.
    pub fn socket(&self) -> Result<PathBuf, Failure> {
        let near = self.dir.join("socket");
        if near.as_os_str().len() <= SOCKET_PATH {
            return Ok(near);
        }
        let runtime = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from).filter(|p| p.is_absolute());
        let far = runtime.map(|dir| dir.join(format!("subrosa-{:016x}.sock", fnv(self.dir.as_os_str().as_bytes()))));
        far.filter(|p| p.as_os_str().len() <= SOCKET_PATH).ok_or_else(|| {
            let path = near.display();
            Failure::new("data.path", FaultName::Caller, format!("{path} is too long for a socket; choose a shorter --data, or set XDG_RUNTIME_DIR"))
        })
    }
    /// The user who owns the directory: the only one who may talk to the socket.
    pub fn owner(&self) -> Result<u32, Failure> {
        self.dir.metadata().map(|m| m.uid()).map_err(|e| Failure::io("reading", &self.dir, &e))
    }
    /// Erases what is left after the store erased itself. The key goes first: without it a disk's remains can't be opened.
    pub fn erase(&self) -> Result<(), Failure> {
        match StoreKey::erase_file(&self.key_file()) {
            Err(KeyFileError::Io { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => {}
            other => other.map_err(|e| Failure::coded(&e))?,
        }
        if let Ok(far) = self.socket() {
            let _ = std::fs::remove_file(far);
        }
        std::fs::remove_dir_all(&self.dir).map_err(|e| Failure::io("erasing", &self.dir, &e))
    }
}

/// The bare, normalised form of an address; a resource is refused (it would be dropped unseen).
pub fn bare(jid: &str) -> Result<String, Failure> {
    let wrong = |why: &str| Failure::usage(format!("{jid:?} is no address of an account ({why}); write it like alice@example.org"));
    let parsed = jid::Jid::new(jid).map_err(|e| wrong(&e.to_string()))?;
    if parsed.resource().is_some() {
        return Err(wrong("it has a resource"));
    }
    parsed.node().map(|_| parsed.to_string()).ok_or_else(|| wrong("the part before @ is missing"))
}

/// A file name for an address: unchanged where it is plain, else with `%XX` for each other byte.
fn file_name(jid: &str) -> String {
    let mut name = String::with_capacity(jid.len());
    for (i, byte) in jid.bytes().enumerate() {
        match byte {
            b'a'..=b'z' | b'0'..=b'9' | b'@' | b'-' | b'_' => name.push(byte.into()),
            b'.' if i > 0 => name.push('.'),
            _ => name.push_str(&format!("%{byte:02X}")),
        }
    }
    name
}

/// Whole or not at all, and only for its owner.
fn replace(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let new = path.with_extension("new");
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&new)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    std::fs::rename(&new, path)?;
    path.parent().map_or(Ok(()), |dir| File::open(dir)?.sync_all())
}

/// Lower case.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}
/// 64 digits; `None`: anything else.
pub fn from_hex(text: &str) -> Option<Zeroizing<[u8; 32]>> {
    let mut bytes = Zeroizing::new([0; 32]);
    if text.len() != 64 || !text.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    for (byte, digits) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
    }
    Some(bytes)
}
/// FNV-1a: a name that stays the same, nothing more.
fn fnv(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn home() -> (tempfile::TempDir, Home) {
        let dir = tempfile::tempdir().expect("a directory");
        let home = Home(dir.path().join("data"));
        (dir, home)
    }
    fn mode(path: &Path) -> u32 {
        path.metadata().expect("there").permissions().mode() & 0o777
    }

    #[test]
    fn only_the_owner_may_look() {
        let (_dir, home) = home();
        let account = home.prepare("alice@x.org").expect("prepares");
        let key = account.store_key(true).expect("a key");
        assert_eq!(account.store_key(false).expect("the same key").as_bytes(), key.as_bytes());
        assert_eq!([mode(&home.0), mode(account.path()), mode(&account.path().join("key"))], [0o700, 0o700, 0o600]);
        let _lock = account.lock().expect("locks").expect("free");
        assert_eq!(mode(&account.path().join("lock")), 0o600);
    }

    #[test]
    fn one_process_at_a_time() {
        let (_dir, home) = home();
        let account = home.prepare("alice@x.org").expect("prepares");
        let lock = account.lock().expect("locks").expect("free");
        assert!(account.lock().expect("no error").is_none());
        assert_eq!(account.holder(), Some(std::process::id()));
        drop(lock);
        assert!(account.lock().expect("locks").is_some());
    }

    #[test]
    fn an_account_counts_once_its_file_is_written() {
        let (_dir, home) = home();
        assert_eq!(home.account(None).expect_err("nobody").code, "account.none");
        for jid in ["bob@x.org", "alice@x.org"] {
            let account = home.prepare(jid).expect("prepares");
            assert_eq!(home.account(Some(jid)).expect_err("not yet").code, "account.none");
            account.write_config(&Account { jid: jid.into(), host: None, ca: None, resource: None, plain_loopback: false }).expect("writes");
            assert_eq!(home.account(Some(jid)).expect("there").jid, jid);
        }
        assert_eq!(home.account(None).expect_err("which?").code, "account.several");
        home.account(Some("bob@x.org")).expect("bob").erase().expect("erases");
        assert_eq!(home.account(None).expect("the only one").jid, "alice@x.org");
    }

    #[test]
    fn addresses_cannot_leave_the_directory() {
        assert_eq!(file_name("../../etc"), "%2E.%2F..%2Fetc");
        assert_eq!(file_name("ü@x.org"), "%C3%BC@x.org");
        assert_eq!(bare("Alice@Example.ORG").expect("normal"), "alice@example.org");
        for bad in ["example.org", "a@x.org/phone", "a b@x", ""] {
            assert_eq!(bare(bad).expect_err(bad).code, "request.invalid");
        }
    }

    #[test]
    fn a_missing_or_damaged_key_is_told() {
        let (_dir, home) = home();
        let account = home.prepare("alice@x.org").expect("prepares");
        assert!(account.store_key(false).expect_err("missing").sentence.contains("missing"));
        std::fs::write(account.path().join("key"), "zz").expect("writes");
        std::fs::set_permissions(account.key_file(), std::fs::Permissions::from_mode(0o600)).expect("protects");
        assert_eq!(account.store_key(false).expect_err("damaged").code, "store.key-damaged");
        assert_eq!(from_hex(&hex(&[0xA5; 32])).expect("a key")[..], [0xA5; 32]);
    }

    #[test]
    fn a_long_path_is_told() {
        let account = AccountDir { dir: PathBuf::from(format!("/{}", "d".repeat(120))), jid: String::new() };
        if std::env::var_os("XDG_RUNTIME_DIR").is_none() {
            assert_eq!(account.socket().expect_err("too long").code, "data.path");
        }
    }
}
