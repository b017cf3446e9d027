//! Our own client on SIP as a process: `subrosa sip rpc` (docs/rpc.md), on the loopback.

use std::path::PathBuf;

use serde_json::{Value, json};

use crate::file_server::FileServer;
use crate::lines::{Lines, PeerError};
use crate::linphone::Transport;
use crate::subrosa::Subrosa;

/// `sip:<name>@sip.test` as a process; killed when dropped.
#[derive(Debug)]
pub struct SubrosaSip {
    lines: Lines,
    asked: u64,
    /// Where its SIP listens on the loopback.
    pub port: u16,
    /// Declared after the process, so removed after its end.
    home: tempfile::TempDir,
}

/// How one is started.
#[derive(Clone, Copy, Debug)]
pub struct SipOptions<'a> {
    /// How its SIP goes.
    pub transport: Transport,
    /// As `--engine` takes it.
    pub engine: &'a str,
    /// The port that everything is sent to: a peer's, or a proxy's.
    pub peer: u16,
    /// The port it listens on; 0: any that is free.
    pub port: u16,
    /// Where files are given to.
    pub files: Option<&'a FileServer>,
}

/// What became of a message that was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The code that was answered; 0: none, nothing left.
    pub status: u16,
    /// `None`: it was delivered. Else the stable code of the error: `send.refused`.
    pub error: Option<String>,
    /// The error's sentence.
    pub sentence: String,
}

/// A message as it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Words {
    /// For [`SubrosaSip::mark_read`].
    pub id: String,
    /// The sender's address.
    pub from: String,
    /// The engine; `None`: it came in clear.
    pub engine: Option<String>,
}

/// A file as it was offered, and fetched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SentFile {
    /// As its sender calls it.
    pub name: String,
    /// A MIME type.
    pub content_type: String,
    /// Bytes.
    pub size: u64,
    /// The engine; `None`: the offer came in clear.
    pub engine: Option<String>,
    /// Where it lies now, or why it could not be fetched.
    pub fetched: Result<PathBuf, String>,
}

impl SubrosaSip {
    /// What is missing to run it here, if anything is.
    pub fn missing() -> Option<String> {
        Subrosa::missing()
    }

    /// Starts `sip:<name>@sip.test` and waits until it listens. Files that come are fetched.
    ///
    /// # Errors
    /// [`PeerError::Missing`] where `subrosa` is not built, otherwise what it said.
    pub fn start(name: &str, options: SipOptions<'_>) -> Result<Self, PeerError> {
        let peer = format!("subrosa sip ({name})");
        let failed = |source| PeerError::Process { peer: peer.clone(), source };
        let home = tempfile::Builder::new().prefix("subrosa-sip-").tempdir().map_err(failed)?;
        let downloads = home.path().join("downloads");
        std::fs::create_dir(&downloads).map_err(failed)?;
        let way = if options.transport == Transport::Udp { "udp" } else { "tcp" };
        let address = format!("sip:{name}@sip.test");
        let mut command = Subrosa::command(&home.path().join("data"))?;
        command.args(["sip", "rpc", "--from", &address, "--engine", options.engine, "--transport", way]);
        command.args(["--listen", &format!("127.0.0.1:{}", options.port), "--proxy", &format!("sip:127.0.0.1:{};transport={way}", options.peer)]);
        command.arg("--download-dir").arg(&downloads);
        if let Some(files) = options.files {
            command.args(["--file-server", &files.url]);
        }
        let mut phone = Self { lines: Lines::start(&peer, &mut command)?, asked: 0, port: 0, home };
        let status = phone.call("status", json!({}))?;
        let listens = status["accounts"][0]["listens"][0].as_str().and_then(|place| place.rsplit_once(':')?.1.parse().ok());
        phone.port = listens.ok_or_else(|| PeerError::Refused { peer, what: format!("it listens nowhere: {status}") })?;
        Ok(phone)
    }

    fn ask(&mut self, method: &str, params: Value) -> Result<u64, PeerError> {
        self.asked += 1;
        self.lines.say(&json!({"jsonrpc": "2.0", "id": self.asked, "method": method, "params": params}))?;
        Ok(self.asked)
    }

    fn answer(&mut self, id: u64, what: &str) -> Result<Result<Value, Value>, PeerError> {
        self.lines.wait(&format!("the answer to {what}"), |line| {
            (line["id"] == id).then(|| line.get("error").map_or_else(|| Ok(line["result"].clone()), |error| Err(error.clone())))
        })
    }

    fn call(&mut self, method: &str, params: Value) -> Result<Value, PeerError> {
        let id = self.ask(method, params)?;
        let answer = self.answer(id, method)?;
        answer.map_err(|error| PeerError::Refused { peer: self.lines.name().to_owned(), what: error.to_string() })
    }

    /// Sends, and waits for what becomes of it. `to`: an address, `sip:pauline@sip.test`.
    ///
    /// # Errors
    /// [`PeerError`] when the process is gone.
    pub fn send(&mut self, to: &str, text: &str) -> Result<Outcome, PeerError> {
        let id = self.ask("send", json!({"to": to, "text": text}))?;
        self.outcome(id)
    }

    /// Uploads a file and offers it; [`SubrosaSip::outcome`] waits for what becomes of it.
    ///
    /// # Errors
    /// When the process is gone, or the file can't be written.
    pub fn send_file(&mut self, to: &str, name: &str, content_type: &str, bytes: &[u8]) -> Result<u64, PeerError> {
        let path = self.home.path().join(name);
        std::fs::write(&path, bytes).map_err(|source| PeerError::Process { peer: self.lines.name().to_owned(), source })?;
        self.ask("send_file", json!({"to": to, "path": path, "content_type": content_type}))
    }

    /// What became of a message or file.
    ///
    /// # Errors
    /// [`PeerError::Silent`] when nothing does.
    pub fn outcome(&mut self, id: u64) -> Result<Outcome, PeerError> {
        let status = |value: &Value| value["status"].as_u64().and_then(|code| u16::try_from(code).ok()).unwrap_or_default();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        Ok(match self.answer(id, "send")? {
            Ok(result) => Outcome { status: status(&result), error: None, sentence: String::new() },
            Err(error) => {
                let data = &error["data"];
                Outcome { status: status(&data["details"]), error: Some(text(&data["code"])), sentence: text(&error["message"]) }
            }
        })
    }

    /// Waits until exactly this text was received.
    ///
    /// # Errors
    /// [`PeerError::Silent`] with all it said instead.
    pub fn read(&mut self, text: &str) -> Result<Words, PeerError> {
        self.note("message", &format!("{text:?}"), |params| {
            (params["text"] == text).then(|| Words { id: string(params, "id"), from: string(params, "from"), engine: engine(params) })
        })
    }

    /// Waits until a file was offered, and fetched.
    ///
    /// # Errors
    /// As [`SubrosaSip::read`].
    pub fn file(&mut self) -> Result<SentFile, PeerError> {
        self.note("file", "a file", |params| {
            let fetched = params["path"].as_str().map(PathBuf::from).ok_or_else(|| string(params, "reason"));
            let (name, content_type) = (string(params, "name"), string(params, "content_type"));
            Some(SentFile { name, content_type, size: params["size"].as_u64().unwrap_or_default(), engine: engine(params), fetched })
        })
    }

    /// Waits for word of a message that can't be read: the reason, and the code that its sender was answered.
    ///
    /// # Errors
    /// As [`SubrosaSip::read`].
    pub fn undecryptable(&mut self) -> Result<(String, u16), PeerError> {
        self.note("undecryptable", "word of a message that can't be read", |params| {
            Some((string(params, "reason"), params["status"].as_u64().and_then(|code| u16::try_from(code).ok()).unwrap_or_default()))
        })
    }

    /// Tells somebody that its user is typing, or has stopped.
    ///
    /// # Errors
    /// [`PeerError`] when the process is gone, or says no.
    pub fn typing(&mut self, to: &str, composing: bool) -> Result<(), PeerError> {
        self.call("typing", json!({"to": to, "composing": composing})).map(drop)
    }

    /// Waits until somebody types.
    ///
    /// # Errors
    /// As [`SubrosaSip::read`].
    pub fn composing(&mut self) -> Result<(), PeerError> {
        self.note("typing", "a typing notice", |params| (params["composing"] == true).then_some(()))
    }

    /// Tells the sender that its user has seen a message.
    ///
    /// # Errors
    /// [`PeerError`] when the process is gone, or says no.
    pub fn mark_read(&mut self, words: &Words) -> Result<(), PeerError> {
        self.call("mark_read", json!({"from": words.from, "id": words.id})).map(drop)
    }

    /// Waits until the other side says this of a message of ours: `delivered`, `displayed`.
    ///
    /// # Errors
    /// As [`SubrosaSip::read`].
    pub fn receipt(&mut self, fate: &str) -> Result<String, PeerError> {
        self.note("receipt", &format!("the receipt {fate:?}"), |params| (params["fate"] == fate).then(|| string(params, "id")))
    }

    fn note<T>(&mut self, method: &str, what: &str, mut pick: impl FnMut(&Value) -> Option<T>) -> Result<T, PeerError> {
        self.lines.wait(what, |line| if line["method"] == method { pick(&line["params"]) } else { None })
    }
}

fn string(params: &Value, name: &str) -> String {
    params[name].as_str().unwrap_or_default().to_owned()
}
fn engine(params: &Value) -> Option<String> {
    params["protocol"].as_str().map(str::to_owned)
}
