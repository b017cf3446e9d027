//! Our own client as a process: `subrosa login`, then `subrosa rpc` (docs/rpc.md).

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};

use crate::lines::{Lines, PeerError};
use crate::party::{Party, Read};
use crate::peer::number;
use crate::server::Server;

/// The built `subrosa`: `SUBROSA_BIN`, or the one in the directory that this very program was built into.
pub fn subrosa_program() -> Option<PathBuf> {
    let beside = || {
        let own = std::env::current_exe().ok()?;
        own.ancestors().skip(1).take(2).map(|dir| dir.join("subrosa")).find(|program| program.is_file())
    };
    std::env::var_os("SUBROSA_BIN").map(PathBuf::from).or_else(beside)
}

/// One account of ours on one device: a data directory and, while it runs, `subrosa rpc` on it.
#[derive(Debug)]
pub struct Subrosa {
    lines: Lines,
    address: String,
    data: PathBuf,
    asked: u64,
    shown: HashSet<String>,
    /// Its device id.
    pub device: u32,
    /// The fingerprint of its key, 64 hex digits.
    pub fingerprint: String,
}

/// Who got a message and who not.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Sent {
    /// The message's.
    pub id: String,
    /// Every device that was considered.
    pub devices: Vec<Delivery>,
}

/// What became of a message for one device.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Delivery {
    /// Whose device.
    pub jid: String,
    /// Its number.
    pub device: u32,
    /// `omemo:2` or `omemo:1`; none where it was left out.
    pub protocol: Option<String>,
    /// `sent` or `left-out`.
    pub result: String,
    /// Why it was left out.
    pub reason: Option<String>,
}

/// A device as ours knows it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Device {
    /// Whose.
    pub jid: String,
    /// Its number.
    pub device: u32,
    /// 64 hex digits, once its key was seen.
    pub fingerprint: Option<String>,
    /// `verified`, `trusted`, `untrusted` or `undecided`.
    pub trust: String,
}

impl Subrosa {
    /// What is missing to run it here, if anything is.
    pub fn missing() -> Option<String> {
        subrosa_program().is_none().then(|| "`subrosa` is not built (`cargo build -p subrosa-cli`; `cargo xtask test` does)".to_owned())
    }

    /// `subrosa` on this data directory, to be given a command.
    ///
    /// # Errors
    /// [`PeerError::Missing`] where it is not built.
    pub fn command(data: &Path) -> Result<Command, PeerError> {
        command("subrosa", data)
    }

    /// Logs in, in clear text over the loopback, and starts the RPC. An existing `data` directory is used on.
    ///
    /// # Errors
    /// [`PeerError::Missing`] where `subrosa` is not built, otherwise what it said.
    pub fn start(server: &Server, user: &str, password: &str, data: &Path) -> Result<Self, PeerError> {
        Self::start_at(server, server.port, user, password, data)
    }

    /// The same over another port, as that of a [`crate::Proxy`].
    ///
    /// # Errors
    /// As [`Subrosa::start`].
    pub fn start_at(server: &Server, port: u16, user: &str, password: &str, data: &Path) -> Result<Self, PeerError> {
        let address = server.address(user);
        let name = format!("subrosa ({user})");
        if !data.join("accounts").join(&address).is_dir() {
            let mut login = command(&name, data)?;
            login.args(["login", &address, "--plain-loopback", "--host", &format!("{}:{port}", server.host)]);
            let out = login.env("SUBROSA_PASSWORD", password).output();
            let out = out.map_err(|source| PeerError::Process { peer: name.clone(), source })?;
            if !out.status.success() {
                return Err(PeerError::Refused { peer: name, what: String::from_utf8_lossy(&out.stderr).trim().to_owned() });
            }
        }
        Self::run(name, address, data)
    }

    fn run(name: String, address: String, data: &Path) -> Result<Self, PeerError> {
        let lines = Lines::start(&name, command(&name, data)?.arg("rpc"))?;
        let (data, fingerprint) = (data.to_owned(), String::new());
        let mut client = Self { lines, address, data, asked: 0, shown: HashSet::new(), device: 0, fingerprint };
        client.wait_online()?;
        Ok(client)
    }

    fn wait_online(&mut self) -> Result<(), PeerError> {
        loop {
            let status = self.call("status", json!({}))?;
            let account = &status["accounts"][0];
            if account["connection"] == "online" && account["fingerprint"].is_string() {
                self.device = number(&account["device"]).unwrap_or_default();
                self.fingerprint = account["fingerprint"].as_str().unwrap_or_default().to_owned();
                return Ok(());
            }
            self.lines.wait("its connection", |line| (line["method"] == "connection").then_some(()))?;
        }
    }

    /// Begins a request of docs/rpc.md; its id, which its answer will have.
    ///
    /// # Errors
    /// When the process is gone.
    pub fn ask(&mut self, method: &str, params: Value) -> Result<u64, PeerError> {
        self.asked += 1;
        self.lines.say(&json!({"jsonrpc": "2.0", "id": self.asked, "method": method, "params": params}))?;
        Ok(self.asked)
    }

    fn answer(&mut self, id: u64, what: &str) -> Result<Value, PeerError> {
        let answer = self.lines.wait(&format!("the answer to {what}"), |line| (line["id"] == id).then(|| line.clone()))?;
        match answer.get("error") {
            Some(error) => Err(PeerError::Refused { peer: self.lines.name().to_owned(), what: error.to_string() }),
            None => Ok(answer["result"].clone()),
        }
    }

    /// A request of docs/rpc.md and its result.
    ///
    /// # Errors
    /// [`PeerError::Refused`] with the error object.
    pub fn call(&mut self, method: &str, params: Value) -> Result<Value, PeerError> {
        let id = self.ask(method, params)?;
        self.answer(id, method)
    }

    /// Sends, and tells who got it.
    ///
    /// # Errors
    /// As [`Subrosa::call`].
    pub fn send_reporting(&mut self, to: &str, text: &str) -> Result<Sent, PeerError> {
        let id = self.send_later(to, text)?;
        self.sent(id)
    }

    /// Begins to send; [`Subrosa::sent`] waits for it.
    ///
    /// # Errors
    /// When the process is gone.
    pub fn send_later(&mut self, to: &str, text: &str) -> Result<u64, PeerError> {
        self.ask("send", json!({"to": to, "text": text}))
    }

    /// Waits until the server has acknowledged what [`Subrosa::send_later`] began.
    ///
    /// # Errors
    /// As [`Subrosa::call`].
    pub fn sent(&mut self, id: u64) -> Result<Sent, PeerError> {
        let result = self.answer(id, "send")?;
        self.understand(result)
    }

    /// The devices of `address` that it knows; its own account's for its own address.
    ///
    /// # Errors
    /// As [`Subrosa::call`].
    pub fn devices(&mut self, address: &str) -> Result<Vec<Device>, PeerError> {
        let mut result = self.call("devices", json!({"jid": address}))?;
        self.understand(result["devices"].take())
    }

    /// Decides about the key of a device.
    ///
    /// # Errors
    /// As [`Subrosa::call`].
    pub fn trust(&mut self, address: &str, device: u32, fingerprint: &str, level: &str) -> Result<(), PeerError> {
        let params = json!({"jid": address, "device": device, "fingerprint": fingerprint, "level": level});
        self.call("trust", params).map(drop)
    }

    /// Waits for news of a device of `address` with this number.
    ///
    /// # Errors
    /// [`PeerError::Silent`] when none come.
    pub fn hear_of(&mut self, address: &str, device: u32) -> Result<(), PeerError> {
        self.lines.wait(&format!("device_new for {device}"), |line| {
            let params = &line["params"];
            (line["method"] == "device_new" && params["jid"] == address && params["device"] == device).then_some(())
        })
    }

    /// Waits for word of a message that it can't read; the reason.
    ///
    /// # Errors
    /// [`PeerError::Silent`] when none comes.
    pub fn could_not_read(&mut self) -> Result<String, PeerError> {
        self.lines.wait("word of a message that can't be read", |line| {
            (line["method"] == "undecryptable").then(|| line["params"]["reason"].as_str().unwrap_or_default().to_owned())
        })
    }

    /// Everything it said that nobody waited for yet, as lines of docs/rpc.md.
    pub fn said(&mut self) -> Vec<Value> {
        self.lines.take(|line| Some(line.clone()))
    }

    /// Ends the process at once, as `kill -9` does; what it had said can still be read. The data directory stays.
    pub fn kill(&mut self) {
        self.lines.kill();
        self.lines.hear_out();
    }

    /// Starts it again after [`Subrosa::kill`] and does not wait for its connection.
    ///
    /// # Errors
    /// [`PeerError`] when it can't be started.
    pub fn revive(&mut self) -> Result<(), PeerError> {
        let name = self.lines.name().to_owned();
        self.lines.replace(command(&name, &self.data)?.arg("rpc"))
    }

    /// Ends it in good order and starts it again on the same data.
    ///
    /// # Errors
    /// As [`Subrosa::start`].
    pub fn restart(mut self) -> Result<Self, PeerError> {
        self.lines.finish(Duration::from_secs(10));
        let mut new = Self::run(self.lines.name().to_owned(), self.address.clone(), &self.data)?;
        new.shown = std::mem::take(&mut self.shown);
        Ok(new)
    }

    fn understand<T: serde::de::DeserializeOwned>(&self, result: Value) -> Result<T, PeerError> {
        let shown = result.to_string();
        serde_json::from_value(result).map_err(|error| PeerError::Refused { peer: self.lines.name().to_owned(), what: format!("{shown}: {error}") })
    }
}

fn command(name: &str, data: &Path) -> Result<Command, PeerError> {
    if let Some(what) = Subrosa::missing() {
        return Err(PeerError::Missing { peer: name.to_owned(), what });
    }
    let mut command = Command::new(subrosa_program().unwrap_or_default());
    command.arg("--data").arg(data);
    Ok(command)
}

impl Party for Subrosa {
    fn address(&self) -> &str {
        &self.address
    }

    fn send(&mut self, to: &str, text: &str) -> Result<(), PeerError> {
        self.send_reporting(to, text).map(drop)
    }

    fn read(&mut self, text: &str) -> Result<Read, PeerError> {
        let (id, read) = self.lines.wait(&format!("{text:?}"), |line| {
            let params = &line["params"];
            (line["method"] == "message" && params["text"] == text).then(|| {
                let read = Read {
                    from: params["from"].as_str().unwrap_or_default().to_owned(),
                    device: number(&params["device"]),
                    protocol: params["protocol"].as_str().map(str::to_owned),
                };
                (params["id"].as_str().unwrap_or_default().to_owned(), read)
            })
        })?;
        self.shown.insert(id);
        Ok(read)
    }

    fn complaints(&mut self) -> Vec<String> {
        let shown = &self.shown;
        self.lines.take(|line| {
            let (method, params) = (line["method"].as_str().unwrap_or_default(), &line["params"]);
            // With `again` it says itself that the message may have been shown before (docs/rpc.md).
            let twice = method == "message" && params["again"] != true && shown.contains(params["id"].as_str().unwrap_or_default());
            (twice || ["undecryptable", "key_changed", "not_sent"].contains(&method)).then(|| line.to_string())
        })
    }
}
