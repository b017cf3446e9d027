//! A real Linphone core as a process: `peers/linphone/phone.c`, compiled here against the liblinphone of this machine.
//!
//! Owns its commands and what it says, as types. Nothing of liblinphone is linked into any program of ours.

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use serde_json::Value;

use crate::file_server::FileServer;
use crate::lines::{Lines, PeerError};
use crate::peer::workspace;
use crate::process::find_program;

/// The Debian packages that bring the library and what compiles against it.
pub const LINPHONE_PACKAGES: &str = "liblinphone-dev linphone-common gcc libc6-dev pkg-config";

/// What may be its engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Build {
    /// Samples in C, over liblinphone alone.
    Bare,
    /// Those, and a Subrosa machine by `examples/linphone`.
    Adapter,
}

impl Build {
    /// Its parts, from the root of the workspace; C files are compiled.
    fn sources(self) -> &'static [&'static str] {
        match self {
            Self::Bare => {
                &["testing/interop/peers/linphone/phone.h", "testing/interop/peers/linphone/phone.c", "testing/interop/peers/linphone/engines.c"]
            }
            Self::Adapter => &[
                "bindings/c/include/subrosa.h",
                "examples/linphone/subrosa_linphone.h",
                "examples/linphone/private.h",
                "examples/linphone/messages.c",
                "examples/linphone/files.c",
                "testing/interop/peers/linphone/phone.h",
                "testing/interop/peers/linphone/port.h",
                "testing/interop/peers/linphone/phone.c",
                "testing/interop/peers/linphone/engines.c",
                "testing/interop/peers/linphone/ported.c",
                "testing/interop/peers/linphone/adapter.c",
            ],
        }
    }
}

/// How its SIP goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// Datagrams.
    Udp,
    /// A stream in clear.
    Tcp,
}

impl Transport {
    fn name(self) -> &'static str {
        match self {
            Self::Udp => "udp",
            Self::Tcp => "tcp",
        }
    }
}

/// A running phone; killed when dropped.
#[derive(Debug)]
pub struct Linphone {
    lines: Lines,
    name: String,
    /// Where its SIP listens on the loopback.
    pub port: u16,
    /// Declared after the process, so removed after its end.
    home: tempfile::TempDir,
}

impl Drop for Linphone {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.home.disable_cleanup(true);
            eprintln!("{} leaves its log in {}", self.lines.name(), self.home.path().display());
        }
    }
}

/// A message as it came, or as it was given to the application.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// For [`Linphone::download`].
    pub number: u64,
    /// The user part of the sender's address.
    pub from: String,
    /// A MIME type.
    pub content_type: String,
    /// The body: a C string, so without NUL.
    pub text: Vec<u8>,
    /// Whether the phone says that an engine has had it.
    pub secured: bool,
}

/// A file that was offered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    /// For [`Linphone::download`].
    pub number: u64,
    /// The user part of the sender's address.
    pub from: String,
    /// As its sender named it.
    pub name: Vec<u8>,
    /// A MIME type.
    pub content_type: String,
    /// Bytes.
    pub size: u64,
    /// The length of its key in bytes; 0: in clear.
    pub key: u64,
    /// Whether the phone says that an engine has had the offer.
    pub secured: bool,
}

/// How far a sent message, or a file, has come (`LinphoneChatMessageState`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct State {
    /// As Liblinphone names it, as `Delivered`.
    pub name: String,
    /// The SIP status that the application can read then; 0: none.
    pub code: u64,
}

/// A call of one of the engine's functions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hook {
    /// `outgoing`, `incoming`, `upload` or `download`.
    pub name: String,
    /// The content type before the call; `end` at the last call of a file with a tag.
    pub content_type: String,
    /// Where in the file, in bytes.
    pub offset: u64,
    /// How many bytes it took.
    pub size: u64,
    /// What it returned.
    pub code: i64,
}

impl Linphone {
    /// What is missing to run it here, if anything is.
    pub fn missing() -> Option<String> {
        let installed = |name| find_program(name).is_some();
        let there = installed("cc")
            && installed("pkg-config")
            && Command::new("pkg-config").args(["--exists", "linphone"]).status().is_ok_and(|status| status.success());
        (!there)
            .then(|| format!("liblinphone can't be compiled against here (Debian packages {LINPHONE_PACKAGES}; `cargo xtask test` installs them)"))
    }

    /// Starts `sip:<name>@sip.test` on a free port and waits until it listens. It can send after [`Linphone::route`].
    ///
    /// # Errors
    /// [`PeerError::Missing`] where liblinphone is not installed, otherwise what went wrong.
    pub fn start(name: &str, transport: Transport, files: &FileServer) -> Result<Self, PeerError> {
        Self::start_build(Build::Bare, name, transport, files)
    }

    /// The same, with more engines.
    ///
    /// # Errors
    /// As [`Linphone::start`].
    pub fn start_build(build: Build, name: &str, transport: Transport, files: &FileServer) -> Result<Self, PeerError> {
        let peer = format!("linphone ({name})");
        if let Some(what) = Self::missing() {
            return Err(PeerError::Missing { peer, what });
        }
        let program = program(build).map_err(|what| PeerError::Refused { peer: peer.clone(), what })?;
        let home = tempfile::Builder::new().prefix("subrosa-linphone-").tempdir();
        let home = home.map_err(|source| PeerError::Process { peer: peer.clone(), source })?;
        let mut lines = Lines::start(&peer, Command::new(program).args([name, transport.name()]).arg(home.path()).arg(&files.url))?;
        let port = lines.wait("its port", |line| (line["event"] == "ready").then(|| number(line, "port")))?;
        Ok(Self { lines, name: name.to_owned(), port: u16::try_from(port).unwrap_or(0), home })
    }

    /// Two of them that reach each other, `marie` and `pauline`.
    ///
    /// # Errors
    /// As [`Linphone::start`].
    pub fn pair(transport: Transport, files: &FileServer) -> Result<(Self, Self), PeerError> {
        let (mut one, mut other) = (Self::start("marie", transport, files)?, Self::start("pauline", transport, files)?);
        one.route(other.port)?;
        other.route(one.port)?;
        Ok((one, other))
    }

    /// The user part of its address.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Where it keeps what it keeps: its log and its database, and a place for files.
    pub fn dir(&self) -> &Path {
        self.home.path()
    }

    /// Sends everything to this port of the loopback from now on.
    ///
    /// # Errors
    /// [`PeerError`] when it is gone.
    pub fn route(&mut self, port: u16) -> Result<(), PeerError> {
        self.obey(&format!("route 127.0.0.1:{port}"))
    }

    /// Sets the engine that these words describe: the head of `peers/linphone/engines.c` has them.
    ///
    /// # Errors
    /// [`PeerError::Refused`] for a word that it does not know.
    pub fn engine(&mut self, words: &str) -> Result<(), PeerError> {
        self.obey(&format!("engine {words}"))
    }

    /// Begins to send; the message's number, for [`Linphone::until`].
    ///
    /// # Errors
    /// [`PeerError`] when it is gone.
    pub fn send(&mut self, to: &str, text: &str) -> Result<u64, PeerError> {
        self.begin(&format!("send {to} {}", hex(text.as_bytes())))
    }

    /// The same with another content type than `text/plain`.
    ///
    /// # Errors
    /// As [`Linphone::send`].
    pub fn send_as(&mut self, to: &str, content_type: &str, text: &str) -> Result<u64, PeerError> {
        self.begin(&format!("send-as {to} {content_type} {}", hex(text.as_bytes())))
    }

    /// Begins to send a file, by its path or from memory.
    ///
    /// # Errors
    /// As [`Linphone::send`].
    pub fn send_file(&mut self, to: &str, name: &str, bytes: &[u8], from_memory: bool) -> Result<u64, PeerError> {
        let path = self.written(name, bytes)?;
        let way = if from_memory { "memory" } else { "file" };
        self.begin(&format!("{way} {to} {name} {}", path.display()))
    }

    /// The same file two times in one message.
    ///
    /// # Errors
    /// As [`Linphone::send`].
    pub fn send_twice(&mut self, to: &str, name: &str, bytes: &[u8]) -> Result<u64, PeerError> {
        let path = self.written(name, bytes)?;
        self.begin(&format!("twice {to} {name} {}", path.display()))
    }

    /// Switches LIME off once more, as an application may at any time.
    ///
    /// # Errors
    /// As [`Linphone::send`].
    pub fn switch_lime_off(&mut self) -> Result<(), PeerError> {
        self.lines.say(&"lime")
    }

    /// Begins to download a file that was offered, to this path.
    ///
    /// # Errors
    /// [`PeerError::Refused`] when that message brings none.
    pub fn download(&mut self, offer: &Offer, path: &Path) -> Result<(), PeerError> {
        self.obey(&format!("download {} {}", offer.number, path.display()))
    }

    /// Says that its user is typing.
    ///
    /// # Errors
    /// [`PeerError`] when it is gone.
    pub fn typing(&mut self, to: &str) -> Result<(), PeerError> {
        self.lines.say(&format!("typing {to}"))
    }

    /// Marks all from there as read.
    ///
    /// # Errors
    /// [`PeerError`] when it is gone.
    pub fn mark_read(&mut self, from: &str) -> Result<(), PeerError> {
        self.lines.say(&format!("read {from}"))
    }

    /// Waits for the next message.
    ///
    /// # Errors
    /// [`PeerError::Silent`] with all it said instead.
    pub fn read(&mut self) -> Result<Message, PeerError> {
        self.lines.wait("a message", |line| {
            (line["event"] == "message").then(|| Message {
                number: number(line, "message"),
                from: string(line, "from"),
                content_type: string(line, "type"),
                text: unhex(&line["text"]),
                secured: line["secured"] == true,
            })
        })
    }

    /// Waits for the next file.
    ///
    /// # Errors
    /// As [`Linphone::read`].
    pub fn offer(&mut self) -> Result<Offer, PeerError> {
        self.lines.wait("a file", |line| {
            (line["event"] == "offer").then(|| Offer {
                number: number(line, "message"),
                from: string(line, "from"),
                name: unhex(&line["name"]),
                content_type: string(line, "type"),
                size: number(line, "size"),
                key: number(line, "key"),
                secured: line["secured"] == true,
            })
        })
    }

    /// Waits until a message is in one of these states.
    ///
    /// # Errors
    /// As [`Linphone::read`].
    pub fn until(&mut self, message: u64, states: &[&str]) -> Result<State, PeerError> {
        self.lines.wait(&format!("message {message} to be {}", states.join(" or ")), |line| {
            let is = line["event"] == "state" && line["message"] == message && states.contains(&string(line, "state").trim_end());
            is.then(|| State { name: string(line, "state").trim_end().to_owned(), code: number(line, "code") })
        })
    }

    /// Whether a message has left: it was said to be in progress.
    pub fn has_left(&mut self, message: u64) -> bool {
        !self.lines.take(|line| (line["event"] == "state" && line["message"] == message && line["state"] == "InProgress").then_some(())).is_empty()
    }

    /// Waits until it says that a message can't be decrypted; its content type.
    ///
    /// # Errors
    /// As [`Linphone::read`].
    pub fn undecryptable(&mut self) -> Result<String, PeerError> {
        self.lines.wait("word of a message that can't be read", |line| (line["event"] == "undecryptable").then(|| string(line, "type")))
    }

    /// Waits until the adapter says that a message did not leave; the code.
    ///
    /// # Errors
    /// As [`Linphone::read`].
    pub fn not_sent(&mut self) -> Result<u64, PeerError> {
        self.lines.wait("word of a message that is not sent", |line| (line["event"] == "not-sent").then(|| number(line, "code")))
    }

    /// Waits until the adapter says that something was not shown; the code.
    ///
    /// # Errors
    /// As [`Linphone::read`].
    pub fn not_received(&mut self) -> Result<u64, PeerError> {
        self.lines.wait("word of a message that is not shown", |line| (line["event"] == "not-received").then(|| number(line, "code")))
    }

    /// Waits until somebody types.
    ///
    /// # Errors
    /// As [`Linphone::read`].
    pub fn composing(&mut self) -> Result<(), PeerError> {
        self.lines.wait("a typing notice", |line| (line["event"] == "composing" && line["active"] == true).then_some(()))
    }

    /// Waits for a call of the engine's function of this name with this content type.
    ///
    /// # Errors
    /// As [`Linphone::read`].
    pub fn hook(&mut self, name: &str, content_type: &str) -> Result<Hook, PeerError> {
        self.lines.wait(&format!("a call of {name} with {content_type}"), |line| {
            as_hook(line).filter(|hook| hook.name == name && hook.content_type == content_type)
        })
    }

    /// The calls of the engine's functions until now that nobody asked for.
    pub fn hooks(&mut self) -> Vec<Hook> {
        self.lines.take(as_hook)
    }

    /// What it showed until now that nobody asked for: messages and files.
    pub fn shown(&mut self) -> Vec<Value> {
        self.lines.take(|line| (line["event"] == "message" || line["event"] == "offer").then(|| line.clone()))
    }

    fn written(&self, name: &str, bytes: &[u8]) -> Result<PathBuf, PeerError> {
        let path = self.dir().join(format!("sent-{name}"));
        std::fs::write(&path, bytes).map_err(|source| PeerError::Process { peer: self.lines.name().to_owned(), source })?;
        Ok(path)
    }

    fn obey(&mut self, command: &str) -> Result<(), PeerError> {
        self.answer(command, |line| (line["event"] == "done").then_some(()))
    }

    fn begin(&mut self, command: &str) -> Result<u64, PeerError> {
        self.answer(command, |line| (line["event"] == "sending").then(|| number(line, "message")))
    }

    fn answer<T>(&mut self, command: &str, pick: impl Fn(&Value) -> Option<T>) -> Result<T, PeerError> {
        self.lines.say(&command)?;
        let answer = self.lines.wait(command, |line| match line["event"] == "failed" {
            true => Some(Err(string(line, "what"))),
            false => pick(line).map(Ok),
        })?;
        answer.map_err(|what| PeerError::Refused { peer: self.lines.name().to_owned(), what })
    }
}

fn as_hook(line: &Value) -> Option<Hook> {
    (line["event"] == "hook").then(|| Hook {
        name: string(line, "hook"),
        content_type: string(line, "type"),
        offset: number(line, "offset"),
        size: number(line, "size"),
        code: line["code"].as_i64().unwrap_or_default(),
    })
}

fn number(line: &Value, key: &str) -> u64 {
    line[key].as_u64().unwrap_or_default()
}

fn string(line: &Value, key: &str) -> String {
    line[key].as_str().unwrap_or_default().to_owned()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(digits: &Value) -> Vec<u8> {
    let digits = digits.as_str().unwrap_or_default();
    digits.as_bytes().chunks(2).filter_map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()).collect()
}

/// The compiled phone.
fn program(build: Build) -> Result<&'static Path, String> {
    static PROGRAMS: [OnceLock<Result<PathBuf, String>>; 2] = [OnceLock::new(), OnceLock::new()];
    let [bare, adapter] = &PROGRAMS;
    let (program, name) = if build == Build::Bare { (bare, "phone") } else { (adapter, "phone-adapter") };
    program.get_or_init(|| compile(name, build.sources(), build == Build::Adapter)).as_deref().map_err(String::clone)
}

/// `examples/linphone` as a program.
///
/// # Errors
/// What the compiler said.
pub fn linphone_chat() -> Result<PathBuf, String> {
    let sources = ["subrosa_linphone.h", "private.h", "messages.c", "files.c", "main.c"].map(|source| format!("examples/linphone/{source}"));
    compile("linphone_chat", &sources.each_ref().map(String::as_str), true)
}

/// Compiles again only when a source has changed, or the library lies elsewhere.
fn compile(name: &str, sources: &[&str], over_subrosa: bool) -> Result<PathBuf, String> {
    let library = if over_subrosa { Some(library()?) } else { None };
    let (root, mut hash) = (workspace(), DefaultHasher::new());
    library.hash(&mut hash); // it is looked for there again
    for source in sources {
        std::fs::read(root.join(source)).map_err(|error| format!("{source}: {error}"))?.hash(&mut hash);
    }
    let target = root.join("target/interop");
    let program = target.join(format!("{name}-{:016x}", hash.finish()));
    if program.is_file() {
        return Ok(program);
    }
    let flags = Command::new("pkg-config").args(["--cflags", "--libs", "linphone"]).output().map_err(|error| format!("pkg-config: {error}"))?;
    let made = target.join(format!("{}-{}", program.display(), std::process::id()));
    std::fs::create_dir_all(&target).map_err(|error| format!("{}: {error}", target.display()))?;
    let mut compiler = Command::new("cc");
    compiler.args(["-std=gnu11", "-Wall", "-Wextra", "-g", "-o"]).arg(&made);
    compiler.args(sources.iter().filter(|source| source.ends_with(".c")).map(|source| root.join(source)));
    if let Some(library) = library {
        compiler.arg("-DADAPTER").arg("-I").arg(root.join("bindings/c/include")).arg("-I").arg(root.join("examples/linphone"));
        compiler.arg("-L").arg(&library).arg("-lsubrosa").arg(format!("-Wl,-rpath,{}", library.display()));
    }
    // Debian's linphone.pc names what the library needs, and not the library.
    compiler.args(String::from_utf8_lossy(&flags.stdout).split_whitespace()).arg("-llinphone");
    let out = compiler.output().map_err(|error| format!("cc: {error}"))?;
    if !out.status.success() {
        return Err(format!("{name} does not compile:\n{}", String::from_utf8_lossy(&out.stderr)));
    }
    // Several tests may be at it: each puts a whole program there.
    std::fs::rename(&made, &program).map_err(|error: io::Error| format!("{}: {error}", program.display()))?;
    Ok(program)
}

/// Where `libsubrosa.so` is, built now beside this very program: no crate of ours links it, so cargo has no reason to.
fn library() -> Result<PathBuf, String> {
    let own = std::env::current_exe().map_err(|error| error.to_string())?;
    let profile = own.ancestors().nth(2).ok_or("this program is not below target/")?.to_owned();
    let name = profile.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(workspace()).args(["build", "--quiet", "--locked", "--package", "subrosa-c", "--lib"]);
    cargo.args(["--profile", if name == "debug" { "dev" } else { &name }]).arg("--target-dir").args(profile.parent());
    let out = cargo.output().map_err(|error| format!("cargo: {error}"))?;
    match out.status.success() {
        true => Ok(profile),
        false => Err(format!("libsubrosa does not build:\n{}", String::from_utf8_lossy(&out.stderr))),
    }
}
