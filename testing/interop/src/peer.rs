//! Other people's clients, each driven by a small program in `peers/` over the line protocol of `peers/bot.py`.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use crate::lines::{Lines, PeerError};
use crate::party::{Party, Read};
use crate::process::find_program;
use crate::server::Server;

/// Whose client it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Kind {
    /// python-omemo by slixmpp-omemo, `urn:xmpp:omemo:2` only.
    PythonOmemo2,
    /// The same library, the legacy version only.
    PythonOmemoLegacy,
    /// The same library with both versions on one device.
    PythonOmemoBoth,
    /// omemo-dr, Gajim's library: legacy.
    OmemoDr,
    /// Gajim without a screen: legacy.
    Gajim,
    /// Profanity in a terminal of its own: legacy.
    Profanity,
    /// Dino on a screen of its own, in a network namespace: legacy. Wants root, and a server with TLS.
    Dino,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 7] =
        [Self::PythonOmemo2, Self::PythonOmemoLegacy, Self::PythonOmemoBoth, Self::OmemoDr, Self::Gajim, Self::Profanity, Self::Dino];

    /// A program with a screen: it runs when it is asked for, and wants to know its contacts and rooms before it starts.
    pub fn has_a_screen(self) -> bool {
        matches!(self, Self::Gajim | Self::Profanity | Self::Dino)
    }

    /// The name on the command line of `cargo xtask interop`.
    pub fn name(self) -> &'static str {
        match self {
            Self::PythonOmemo2 => "python-omemo-2",
            Self::PythonOmemoLegacy => "python-omemo-legacy",
            Self::PythonOmemoBoth => "python-omemo-both",
            Self::OmemoDr => "omemo-dr",
            Self::Gajim => "gajim",
            Self::Profanity => "profanity",
            Self::Dino => "dino",
        }
    }

    /// What is missing to run it here, if anything is.
    pub fn missing(self) -> Option<String> {
        let program = |name: &str, packages: &str| {
            find_program(name).is_none().then(|| format!("{name} is not installed (Debian packages {packages}; `cargo xtask interop` installs them)"))
        };
        let python = || {
            let python = venv().join("bin/python");
            (!python.exists()).then(|| format!("{} is not there (`cargo xtask test` makes it)", python.display()))
        };
        match self {
            Self::Gajim => ["gajim", "Xvfb", "dbus-daemon"].into_iter().find_map(|name| program(name, GAJIM_PACKAGES)),
            Self::Dino if !is_root() => Some("Dino's own network needs root".to_owned()),
            Self::Dino => {
                ["dino-im", "Xvfb", "dbus-daemon", "gdbus", "xdotool"].into_iter().find_map(|name| program(name, DINO_PACKAGES)).or_else(python)
            }
            Self::Profanity => ["profanity", "tmux"].into_iter().find_map(|name| program(name, "profanity tmux")).or_else(python),
            _ => python(),
        }
    }

    fn command(self) -> Command {
        let (interpreter, script, arguments): (PathBuf, &str, &[&str]) = match self {
            Self::PythonOmemo2 => (venv().join("bin/python"), "omemo_bot.py", &["--versions", "omemo:2"]),
            Self::PythonOmemoLegacy => (venv().join("bin/python"), "omemo_bot.py", &["--versions", "legacy"]),
            Self::PythonOmemoBoth => (venv().join("bin/python"), "omemo_bot.py", &["--versions", "both"]),
            Self::OmemoDr => (venv().join("bin/python"), "dr_bot.py", &[]),
            // The system's Python: Gajim itself and its D-Bus module belong to that one.
            Self::Gajim => ("/usr/bin/python3".into(), "gajim_driver.py", &[]),
            Self::Profanity => (venv().join("bin/python"), "profanity_driver.py", &[]),
            Self::Dino => ("/usr/bin/python3".into(), "dino_driver.py", &[]),
        };
        let mut command = Command::new(interpreter);
        command.arg(peers_dir().join(script)).args(arguments);
        command
    }
}

/// The Debian packages that Gajim and its driver need.
pub const GAJIM_PACKAGES: &str = "gajim gajim-omemo xvfb dbus-daemon python3-dbus python3-gi";
/// The Debian packages that Dino and its driver need.
pub const DINO_PACKAGES: &str = "dino-im xvfb dbus-daemon libglib2.0-bin xdotool iproute2";

fn is_root() -> bool {
    Command::new("id").arg("-u").output().is_ok_and(|out| out.stdout.trim_ascii() == b"0")
}

/// The private Python environment of the peers, unless `SUBROSA_INTEROP_VENV` names another.
pub fn venv() -> PathBuf {
    std::env::var_os("SUBROSA_INTEROP_VENV").map_or_else(|| workspace().join("target/interop/venv"), PathBuf::from)
}

/// Where the drivers and the list of Python packages are.
pub fn peers_dir() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("peers")
}

pub(crate) fn workspace() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap_or(Path::new("."))
}

/// A running client of somebody else's, logged in.
#[derive(Debug)]
pub struct Peer {
    lines: Lines,
    address: String,
    /// Its device id.
    pub device: u32,
    /// The fingerprint it shows for itself: 64 hex digits of the Curve25519 key, where it can say it.
    pub fingerprint: Option<String>,
    /// Declared after the process, so removed after its end.
    home: Option<tempfile::TempDir>,
}

impl Peer {
    /// Starts it and waits until it is logged in and its keys are published.
    ///
    /// # Errors
    /// [`PeerError::Missing`] where its program is not installed, otherwise what it said.
    pub fn start(kind: Kind, server: &Server, user: &str, password: &str) -> Result<Self, PeerError> {
        Self::start_towards(kind, server, user, password, &[])
    }

    /// The same, with the contacts it will write to: Gajim and Profanity want to know them before.
    ///
    /// # Errors
    /// As [`Peer::start`].
    pub fn start_towards(kind: Kind, server: &Server, user: &str, password: &str, contacts: &[&str]) -> Result<Self, PeerError> {
        Self::start_in(kind, server, user, password, contacts, &[])
    }

    /// The same, with the rooms it will be in, which exist: programs with a screen have them in their bookmarks. [`Peer::join`] them.
    ///
    /// # Errors
    /// As [`Peer::start`].
    pub fn start_in(kind: Kind, server: &Server, user: &str, password: &str, contacts: &[&str], rooms: &[&str]) -> Result<Self, PeerError> {
        let name = format!("{} ({user})", kind.name());
        if let Some(what) = kind.missing() {
            return Err(PeerError::Missing { peer: name, what });
        }
        let address = server.address(user);
        let mut command = kind.command();
        command.args(["--jid", &address, "--host", &server.host, "--port", &server.port.to_string()]);
        command.env("SUBROSA_PEER_PASSWORD", password).env("PYTHONDONTWRITEBYTECODE", "1");
        let mut home = None;
        if kind.has_a_screen() {
            // Not below the server's directory: what a client keeps is not what the server has seen.
            home = tempfile::Builder::new()
                .prefix("subrosa-peer-")
                .tempdir()
                .map(Some)
                .map_err(|source| PeerError::Process { peer: name.clone(), source })?;
            command.arg("--dir").args(home.as_ref().map(tempfile::TempDir::path));
            command.args(contacts.iter().flat_map(|contact| ["--contact", contact]));
            if kind != Kind::Profanity {
                command.args(rooms.iter().flat_map(|room| ["--room", room]));
                rooms.iter().try_for_each(|room| bookmark(&name, server, user, password, room))?;
            }
        }
        if kind == Kind::Dino {
            command.arg("--ca").arg(server.dir.join("certs/ca.crt"));
        }
        let mut lines = Lines::start(&name, &mut command)?;
        let ready = lines.wait("its login", |line| (line.get("ready").or(line.get("fatal")).is_some()).then(|| line.clone()))?;
        if let Some(what) = ready["fatal"].as_str() {
            return Err(PeerError::Refused { peer: name, what: what.to_owned() });
        }
        let device = number(&ready["device"]).unwrap_or_default();
        let fingerprint = ready["fingerprint"].as_str().map(str::to_owned);
        Ok(Self { lines, address, device, fingerprint, home })
    }

    /// Who it is in error messages.
    pub fn name(&self) -> &str {
        self.lines.name()
    }

    /// Joins a room, under its user's name. What it sends to the room from here on it encrypts to all members.
    ///
    /// # Errors
    /// [`PeerError`] with its own reason.
    pub fn join(&mut self, room: &str) -> Result<(), PeerError> {
        let nick = self.address.split('@').next().unwrap_or_default();
        self.lines.say(&json!({"do": "join", "room": room, "nick": nick}))?;
        let joined = |line: &Value| match line["failed"].as_str().or(line["fatal"].as_str()) {
            Some(reason) => Some(Some(reason.to_owned())),
            None => (line["joined"] == room).then_some(None),
        };
        match self.lines.wait(&format!("joining {room}"), joined)? {
            Some(what) => Err(PeerError::Refused { peer: self.lines.name().to_owned(), what }),
            None => Ok(()),
        }
    }

    /// The devices it knows for `address`, by id, after looking again.
    ///
    /// # Errors
    /// [`PeerError`] when it is gone or silent.
    pub fn devices(&mut self, address: &str) -> Result<Vec<u32>, PeerError> {
        self.lines.say(&json!({"do": "devices", "jid": address}))?;
        self.lines.wait("a list of devices", |line| {
            let devices = line.get("devices")?.as_array()?;
            (line["jid"] == address).then(|| devices.iter().filter_map(|device| number(&device["id"])).collect())
        })
    }

    /// The same with the fingerprints that it shows for them.
    ///
    /// # Errors
    /// As [`Peer::devices`].
    pub fn device_keys(&mut self, address: &str) -> Result<Vec<(u32, String)>, PeerError> {
        self.lines.say(&json!({"do": "devices", "jid": address}))?;
        let key = |device: &Value| Some((number(&device["id"])?, device["fingerprint"].as_str()?.to_owned()));
        self.lines.wait("a list of devices", |line| {
            (line["jid"] == address).then(|| line.get("devices")?.as_array().map(|all| all.iter().filter_map(key).collect())).flatten()
        })
    }

    /// What it keeps, as a file that another program could read: Profanity's `identity.txt`, python-omemo's storage as JSON.
    ///
    /// # Errors
    /// [`PeerError`] when it is gone, or keeps nothing that is known here.
    pub fn store(&mut self) -> Result<Vec<u8>, PeerError> {
        if let Some(home) = &self.home {
            let found = find_file(home.path(), "identity.txt").and_then(|path| std::fs::read(path).ok());
            let what = "it has no identity.txt".to_owned();
            return found.ok_or_else(|| PeerError::Refused { peer: self.lines.name().to_owned(), what });
        }
        self.lines.say(&json!({"do": "store"}))?;
        self.lines.wait("its store", |line| line.get("store").map(|store| store.to_string().into_bytes()))
    }

    /// Answers every message with its own words, until the peer ends.
    pub fn echo(mut self) {
        loop {
            let heard = self.lines.wait("a message", |line| Some((line["from"].as_str()?.to_owned(), line["got"].as_str()?.to_owned())));
            let answered = match heard {
                Ok((from, text)) => self.send(&from, &format!("You said: {text}")),
                Err(error) => Err(error),
            };
            match answered {
                Ok(()) | Err(PeerError::Refused { .. }) => {}
                Err(PeerError::Silent { ended: false, .. }) => {}
                Err(_) => return,
            }
        }
    }

    /// How many messages without text (key transport, empty) it received since the last call.
    pub fn empty_messages(&mut self) -> usize {
        self.lines.take(|line| (line["empty"] == true).then_some(())).len()
    }
}

fn find_file(dir: &Path, name: &str) -> Option<PathBuf> {
    let entries: Vec<PathBuf> = std::fs::read_dir(dir).ok()?.flatten().map(|entry| entry.path()).collect();
    let here = entries.iter().find(|path| path.file_name().is_some_and(|n| n == name)).cloned();
    here.or_else(|| entries.iter().filter(|path| path.is_dir() && !path.is_symlink()).find_map(|dir| find_file(dir, name)))
}

impl Party for Peer {
    fn address(&self) -> &str {
        &self.address
    }

    fn send(&mut self, to: &str, text: &str) -> Result<(), PeerError> {
        self.lines.say(&json!({"do": "send", "to": to, "text": text}))?;
        let failed = self.lines.wait(&format!("its sending of {text:?}"), |line| match line["failed"].as_str() {
            Some(reason) => Some(Some(reason.to_owned())),
            None => (line["sent"] == text).then_some(None),
        })?;
        match failed {
            Some(what) => Err(PeerError::Refused { peer: self.lines.name().to_owned(), what }),
            None => Ok(()),
        }
    }

    fn read(&mut self, text: &str) -> Result<Read, PeerError> {
        self.lines.wait(&format!("{text:?}"), |line| {
            (line["got"] == text).then(|| Read {
                from: line["from"].as_str().unwrap_or_default().to_owned(),
                device: number(&line["device"]),
                protocol: line["protocol"].as_str().map(str::to_owned),
            })
        })
    }

    fn hold(&mut self) -> Result<bool, PeerError> {
        self.lines.say(&json!({"do": "hold"}))?;
        Ok(true)
    }

    fn release(&mut self) -> Result<(), PeerError> {
        self.lines.say(&json!({"do": "release"}))
    }

    fn complaints(&mut self) -> Vec<String> {
        self.lines.take(|line| ["undecryptable", "clear", "bounced"].iter().any(|key| line.get(key).is_some()).then(|| line.to_string()))
    }
}

/// Puts a room into an account's bookmarks.
fn bookmark(name: &str, server: &Server, user: &str, password: &str, room: &str) -> Result<(), PeerError> {
    let mut command = Command::new(venv().join("bin/python"));
    command.arg(peers_dir().join("seed_bookmark.py")).args(["--room", room, "--nick", user, "--jid", &server.address(user)]);
    command.args(["--host", &server.host, "--port", &server.port.to_string()]).env("SUBROSA_PEER_PASSWORD", password);
    let out = command.env("PYTHONDONTWRITEBYTECODE", "1").output();
    let out = out.map_err(|source| PeerError::Process { peer: name.to_owned(), source })?;
    if out.status.success() {
        return Ok(());
    }
    let what = format!("its bookmarks were not written: {}", String::from_utf8_lossy(&out.stderr).trim());
    Err(PeerError::Refused { peer: name.to_owned(), what })
}

pub(crate) fn number(value: &Value) -> Option<u32> {
    value.as_u64().and_then(|number| u32::try_from(number).ok())
}
