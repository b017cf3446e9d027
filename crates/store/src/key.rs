//! The key that seals a database, and the file it may live in. Where that file is, and what guards it, is the
//! application's business.
use crate::lock::beside;
use rand_core::CryptoRng;
use sha2::{Digest, Sha256};
use std::fmt::Write as _;
use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::path::{Path, PathBuf};
use subrosa_engine::{Coded, Fault};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

const HEADER: &str = "subrosa store key 1\n";
/// Header, 64 hexadecimal digits, line end.
const FILE_SIZE: usize = HEADER.len() + 65;

/// 32 random bytes. No password: nothing derives it, nobody types it.
#[derive(Clone)]
pub struct StoreKey(Zeroizing<[u8; 32]>);

/// Why there is no key.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeyFileError {
    /// Others than the owner may read or write it.
    #[error("other users can read the key file {}: take their access away (chmod 600), and think of the keys as seen", path.display())]
    Exposed {
        /// The key file.
        path: PathBuf,
    },
    /// It is something else, or cut short.
    #[error("{} is not a key file of Subrosa, or it is damaged: put the right file back, or log in as a new device", path.display())]
    Damaged {
        /// The key file.
        path: PathBuf,
    },
    /// It can't be read or written.
    #[error("can't use the key file {}: {source}", path.display())]
    Io {
        /// The key file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
}
impl Coded for KeyFileError {
    fn code(&self) -> &'static str {
        match self {
            KeyFileError::Exposed { .. } => "store.key-exposed",
            KeyFileError::Damaged { .. } => "store.key-damaged",
            KeyFileError::Io { .. } => "store.key-io",
        }
    }
    fn fault(&self) -> Fault {
        Fault::Store
    }
}

impl StoreKey {
    /// A new one.
    pub fn generate(rng: &mut dyn CryptoRng) -> Self {
        let mut bytes = Zeroizing::new([0; 32]);
        rng.fill_bytes(&mut *bytes);
        StoreKey(bytes)
    }
    /// One that was kept elsewhere: a keyring, a hardware token. Must be random.
    pub fn from_bytes(bytes: Zeroizing<[u8; 32]>) -> Self {
        StoreKey(bytes)
    }
    /// To keep it elsewhere.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The key in this file; where there is none, a new key in a new file that only its owner can read (0600 on Unix),
    /// on disk when this returns. Of two processes that begin at once one makes the key and both get it.
    pub fn load_or_create(path: &Path, rng: &mut dyn CryptoRng) -> Result<Self, KeyFileError> {
        match Self::load(path) {
            Err(KeyFileError::Io { source, .. }) if source.kind() == ErrorKind::NotFound => {}
            other => return other,
        }
        let key = StoreKey::generate(rng);
        // complete before it has its name: a crash leaves no half key. A link, unlike a rename, never replaces one.
        let half = beside(path, &format!(".{:016x}", rng.next_u64()));
        let written = key.write_new(&half).and_then(|()| match std::fs::hard_link(&half, path) {
            Err(e) if e.kind() == ErrorKind::AlreadyExists => Ok(()),
            // a file system without links: FAT
            Err(e) if matches!(e.kind(), ErrorKind::Unsupported | ErrorKind::PermissionDenied) && !path.exists() => std::fs::rename(&half, path),
            other => other,
        });
        match std::fs::remove_file(&half) {
            Err(e) if written.is_ok() && e.kind() != ErrorKind::NotFound => Err(e),
            _ => written,
        }
        .map_err(|e| io(path, e))?;
        sync_directory(path).map_err(|e| io(path, e))?;
        Self::load(path)
    }
    /// The key in this file.
    pub fn load(path: &Path) -> Result<Self, KeyFileError> {
        let mut file = File::open(path).map_err(|e| io(path, e))?;
        if is_exposed(&file).map_err(|e| io(path, e))? {
            return Err(KeyFileError::Exposed { path: path.into() });
        }
        let mut text = Zeroizing::new([0; FILE_SIZE]);
        let damaged = || KeyFileError::Damaged { path: path.into() };
        file.read_exact(&mut *text).map_err(|e| if e.kind() == ErrorKind::UnexpectedEof { damaged() } else { io(path, e) })?;
        let hex = text.strip_prefix(HEADER.as_bytes()).and_then(|rest| rest.strip_suffix(b"\n")).ok_or_else(damaged)?;
        let mut bytes = Zeroizing::new([0; 32]);
        for (byte, digits) in bytes.iter_mut().zip(hex.as_chunks::<2>().0) {
            let [high, low] = digits.map(|d| char::from(d).to_digit(16).and_then(|n| u8::try_from(n).ok()));
            *byte = high.zip(low).map(|(high, low)| high << 4 | low).ok_or_else(damaged)?;
        }
        Ok(StoreKey(bytes))
    }
    /// Overwrites the file and removes it: what the key sealed is lost. None there is no error.
    pub fn erase_file(path: &Path) -> Result<(), KeyFileError> {
        let overwrite = || {
            let mut file = OpenOptions::new().write(true).open(path)?;
            file.write_all(&[0; FILE_SIZE])?;
            file.sync_all()?;
            std::fs::remove_file(path)?;
            sync_directory(path)
        };
        match overwrite() {
            Err(e) if e.kind() == ErrorKind::NotFound => Ok(()),
            other => other.map_err(|e| io(path, e)),
        }
    }
    fn write_new(&self, path: &Path) -> std::io::Result<()> {
        let text = Zeroizing::new(format!("{HEADER}{}\n", &*hex(&*self.0)));
        let mut file = private().write(true).create_new(true).open(path)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()
    }

    /// The first bytes of a database sealed with this key: they tell a wrong key from damage. SQLCipher's salt, which need
    /// not be random where the key is; the key can't be found from it.
    pub(crate) fn salt(&self) -> [u8; 16] {
        let digest = Sha256::new().chain_update(b"subrosa store salt 1").chain_update(*self.0).finalize();
        let mut salt = [0; 16];
        salt.iter_mut().zip(digest).for_each(|(s, d)| *s = d);
        salt
    }
    /// SQLCipher's raw key: 32 bytes of key and 16 of salt, no derivation.
    pub(crate) fn pragma(&self) -> Zeroizing<String> {
        Zeroizing::new(format!("PRAGMA key = \"x'{}{}'\"", &*hex(&*self.0), &*hex(&self.salt())))
    }
}
impl PartialEq for StoreKey {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&*other.0).into()
    }
}
impl Eq for StoreKey {}
impl std::fmt::Debug for StoreKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("StoreKey(secret)")
    }
}

fn hex(bytes: &[u8]) -> Zeroizing<String> {
    let mut text = Zeroizing::new(String::with_capacity(bytes.len().saturating_mul(2))); // never grows: no copy is left behind
    bytes.iter().for_each(|b| write!(text, "{b:02x}").unwrap_or_default());
    text
}
fn io(path: &Path, source: std::io::Error) -> KeyFileError {
    KeyFileError::Io { path: path.into(), source }
}
/// Options for a file that only its owner can read, if it is made.
pub(crate) fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}
#[cfg(unix)]
fn is_exposed(file: &File) -> std::io::Result<bool> {
    use std::os::unix::fs::PermissionsExt;
    Ok(file.metadata()?.permissions().mode() & 0o077 != 0)
}
#[cfg(not(unix))]
fn is_exposed(_: &File) -> std::io::Result<bool> {
    Ok(false)
}
/// Makes a new name, or one taken away, durable.
#[cfg(unix)]
pub(crate) fn sync_directory(of: &Path) -> std::io::Result<()> {
    let directory = of.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(directory)?.sync_all()
}
#[cfg(not(unix))]
pub(crate) fn sync_directory(_: &Path) -> std::io::Result<()> {
    Ok(())
}
