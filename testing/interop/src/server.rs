//! What every server of the tests has: where it listens, whom it knows, what it kept.
//!
//! Owns the private directory of a run, free ports, certificates and the reading of what the server stored;
//! the programs themselves are started by [`crate::Prosody`] and [`crate::Ejabberd`].

use std::fs;
use std::io;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::process::Guarded;

/// Who is in whose contact list, with presence both ways.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Friends {
    /// Everybody has everybody.
    All,
    /// Nobody has anybody.
    None,
}

/// Why a server could not be started.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The program is not installed.
    #[error("{program} is not installed (Debian package `{package}`)")]
    Missing {
        /// The program that was looked for.
        program: &'static str,
        /// The package that brings it.
        package: &'static str,
    },
    /// The directory, a certificate or the configuration could not be made.
    #[error("could not prepare the server's directory: {0}")]
    Prepare(#[from] io::Error),
    /// It was started and did not come up.
    #[error("{program} {what}; its log:\n{log}")]
    Start {
        /// The program that was started.
        program: &'static str,
        /// What it did instead of coming up.
        what: String,
        /// The end of its log.
        log: String,
    },
}

/// A running server. Stops when dropped; its directory goes with it unless the test is failing.
#[derive(Debug)]
pub struct Server {
    /// Where it listens: always the loopback address.
    pub host: String,
    /// Client connections, clear text or STARTTLS.
    pub port: u16,
    /// Client connections, TLS from the first byte.
    pub tls_port: u16,
    /// Its configuration, data, certificates and logs.
    pub dir: PathBuf,
    /// The domain of its accounts.
    pub domain: String,
    // Declared before `home`: a process is ended before its directory is removed.
    pub(crate) process: Option<Guarded>,
    pub(crate) home: Home,
}

/// The directory of a run: temporary, or the caller's own.
#[derive(Debug)]
pub(crate) enum Home {
    Temporary(Option<tempfile::TempDir>),
    Given,
}

impl Server {
    pub(crate) fn prepare(home: Option<&Path>) -> io::Result<Self> {
        let (dir, home) = match home {
            Some(dir) => {
                fs::create_dir_all(dir)?;
                (fs::canonicalize(dir)?, Home::Given)
            }
            None => {
                let dir = tempfile::Builder::new().prefix("subrosa-").tempdir()?;
                (fs::canonicalize(dir.path())?, Home::Temporary(Some(dir)))
            }
        };
        for part in ["certs", "data", "log", "modules"] {
            fs::create_dir_all(dir.join(part))?;
        }
        make_certificates(&dir.join("certs"))?;
        let [port, tls_port] = free_ports()?;
        let (host, domain) = ("127.0.0.1".to_owned(), "localhost".to_owned());
        Ok(Self { host, port, tls_port, dir, domain, process: None, home })
    }

    /// The certificate authority that signed the server's certificate for `localhost`, in PEM.
    pub fn ca_file(&self) -> PathBuf {
        self.dir.join("certs/ca.crt")
    }

    /// The time that it has computed since it was started.
    pub fn cpu(&self) -> Option<Duration> {
        self.process.as_ref()?.cpu()
    }

    /// The address of an account here.
    pub fn address(&self, user: &str) -> String {
        format!("{user}@{}", self.domain)
    }

    /// Every stanza the server got from a client or sent to one, in order.
    pub fn stanzas(&self) -> Vec<Seen> {
        let log = fs::read(self.dir.join("stanzas.log")).unwrap_or_default();
        String::from_utf8_lossy(&log).lines().filter_map(Seen::parse).collect()
    }

    /// Whether `text` stands anywhere in what the server stored, logged or saw.
    pub fn has_seen(&self, text: &str) -> bool {
        !text.is_empty() && has_text(&self.dir, text.as_bytes())
    }

    /// What the server kept in the message archive of `user`, as its files have it; empty where it has none
    /// that can be read.
    pub fn archive(&self, user: &str) -> String {
        let mut found = String::new();
        let Ok(stores) = fs::read_dir(self.dir.join("data/localhost")) else { return found };
        for store in stores.flatten().filter(|store| store.file_name().to_string_lossy().starts_with("archive")) {
            let Ok(files) = fs::read_dir(store.path()) else { continue };
            for file in files.flatten() {
                let name = file.file_name();
                if name.to_string_lossy().split('.').next() == Some(user) {
                    found.push_str(&String::from_utf8_lossy(&fs::read(file.path()).unwrap_or_default()));
                }
            }
        }
        found
    }

    /// Stops the server, as dropping does, but keeps its directory.
    pub fn stop(&mut self) {
        self.process = None;
    }

    pub(crate) fn failure(&self, program: &'static str, what: &str) -> StartError {
        let mut log = String::new();
        for file in fs::read_dir(self.dir.join("log")).into_iter().flatten().flatten() {
            let text = fs::read(file.path()).unwrap_or_default();
            let text = String::from_utf8_lossy(&text);
            let lines: Vec<&str> = text.lines().collect();
            log.push_str(&lines[lines.len().saturating_sub(20)..].join("\n"));
            log.push('\n');
        }
        StartError::Start { program, what: what.to_owned(), log }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.process = None;
        if let Home::Temporary(dir) = &mut self.home
            && std::thread::panicking()
            && let Some(dir) = dir.take()
        {
            eprintln!("the server's directory is kept: {}", dir.keep().display());
        }
    }
}

/// One stanza as the server saw it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// True if a client sent it to the server, false if the server sent it to a client.
    pub received: bool,
    /// The full address of that client, `-` before it has one.
    pub client: String,
    /// The stanza.
    pub xml: String,
}

impl Seen {
    fn parse(line: &str) -> Option<Self> {
        let mut parts = line.splitn(3, '\t');
        let received = parts.next()? == "in";
        Some(Self { received, client: parts.next()?.to_owned(), xml: parts.next()?.to_owned() })
    }
}

/// Whether these bytes stand in a file below this directory.
pub(crate) fn has_text(dir: &Path, text: &[u8]) -> bool {
    let Ok(entries) = fs::read_dir(dir) else { return false };
    entries.flatten().any(|entry| {
        let path = entry.path();
        if path.is_dir() { has_text(&path, text) } else { fs::read(&path).is_ok_and(|bytes| bytes.windows(text.len()).any(|part| part == text)) }
    })
}

/// Two different ports that were free a moment ago.
pub(crate) fn free_ports() -> io::Result<[u16; 2]> {
    let one = TcpListener::bind(("127.0.0.1", 0))?;
    let two = TcpListener::bind(("127.0.0.1", 0))?;
    Ok([one.local_addr()?.port(), two.local_addr()?.port()])
}

/// An authority of our own and a certificate for `localhost` that it signed (a client rightly refuses an
/// authority's certificate as the server's own).
fn make_certificates(dir: &Path) -> io::Result<()> {
    if dir.join("localhost.crt").is_file() {
        return Ok(());
    }
    let key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "30"];
    let openssl = |args: &[&str]| -> io::Result<()> {
        let out = Command::new("openssl").current_dir(dir).args(["req", "-x509"]).args(key).args(args).output()?;
        if out.status.success() { Ok(()) } else { Err(io::Error::other(format!("openssl: {}", String::from_utf8_lossy(&out.stderr)))) }
    };
    openssl(&["-subj", "/CN=Subrosa tests", "-keyout", "ca.key", "-out", "ca.crt"])?;
    let names = "subjectAltName=DNS:localhost,DNS:*.localhost,IP:127.0.0.1";
    openssl(&[
        "-subj",
        "/CN=localhost",
        "-CA",
        "ca.crt",
        "-CAkey",
        "ca.key",
        "-addext",
        names,
        "-addext",
        "basicConstraints=critical,CA:FALSE",
        "-keyout",
        "localhost.key",
        "-out",
        "localhost.crt",
    ])?;
    let both = [fs::read(dir.join("localhost.crt"))?, fs::read(dir.join("localhost.key"))?].concat();
    fs::write(dir.join("localhost.pem"), both)
}
