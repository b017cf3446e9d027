//! A server, data directories, and the built program in them.
#![allow(dead_code, clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
mod raw;

#[allow(unused_imports)]
pub use raw::Raw;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Output, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};
use subrosa_interop::{Friends, Prosody, Server};

pub const PATIENCE: Duration = Duration::from_secs(60);

/// `None`, said on standard error: Prosody is not installed.
pub fn server() -> Option<Prosody> {
    if !Prosody::installed() {
        eprintln!("skipped: Prosody is not installed (Debian package `prosody`)");
        return None;
    }
    Some(Prosody::start(&[("alice", "pw-alice"), ("bob", "pw-bob"), ("carol", "pw-carol")], Friends::All).unwrap())
}

/// A data directory.
pub struct Place(pub tempfile::TempDir);
impl Place {
    pub fn new() -> Self {
        Place(tempfile::Builder::new().prefix("sr-").tempdir().unwrap())
    }
    pub fn path(&self) -> &Path {
        self.0.path()
    }
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_subrosa"));
        command.arg("--data").arg(self.path()).args(args).stdin(Stdio::null());
        for name in ["SUBROSA_PASSWORD", "SUBROSA_STORE_KEY", "SUBROSA_LOG", "SUBROSA_DATA"] {
            command.env_remove(name);
        }
        command
    }
    pub fn run(&self, args: &[&str]) -> Output {
        self.command(args).output().unwrap()
    }
    /// Its standard output; fails unless it succeeds.
    pub fn ok(&self, args: &[&str]) -> String {
        let out = self.run(args);
        assert!(out.status.success(), "{args:?}: {}{}", text(&out.stdout), text(&out.stderr));
        text(&out.stdout)
    }
    /// What it said on standard error; fails unless it ends with this code.
    pub fn fails(&self, code: i32, args: &[&str]) -> String {
        failed(self.run(args), code, args)
    }
    pub fn login(&self, server: &Server, user: &str) -> String {
        let out = self.login_command(server, user).env("SUBROSA_PASSWORD", format!("pw-{user}")).output().unwrap();
        assert!(out.status.success(), "login of {user}: {}", text(&out.stderr));
        text(&out.stdout)
    }
    pub fn login_command(&self, server: &Server, user: &str) -> Command {
        self.command(&["login", &server.address(user), "--host", &format!("127.0.0.1:{}", server.port), "--plain-loopback"])
    }
    pub fn rpc(&self) -> Rpc {
        Rpc::start(self.command(&["rpc"]))
    }
    /// With an engine that is not OMEMO.
    pub fn rpc_with(&self, engine: &str) -> Rpc {
        Rpc::start(self.command(&["rpc", "--engine", engine]))
    }
}

pub fn failed(out: Output, code: i32, what: &[&str]) -> String {
    let err = text(&out.stderr);
    assert_eq!(out.status.code(), Some(code), "{what:?}: {err}");
    // one sentence, on one line, beginning with who speaks
    assert!(err.starts_with("subrosa: ") && err.trim_end().lines().count() == 1, "{err}");
    err
}
pub fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A running `subrosa rpc`.
pub struct Rpc {
    child: Child,
    input: Option<ChildStdin>,
    lines: Receiver<Value>,
    kept: Vec<Value>,
    next: u64,
    log: Option<std::thread::JoinHandle<String>>,
}
impl Rpc {
    pub fn start(mut command: Command) -> Self {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let (line, lines) = channel();
        let out = BufReader::new(child.stdout.take().unwrap());
        std::thread::spawn(move || {
            out.lines().map_while(Result::ok).all(|l| line.send(serde_json::from_str(&l).unwrap_or_else(|e| panic!("{e}: {l}"))).is_ok())
        });
        let mut err = child.stderr.take().unwrap();
        let log = std::thread::spawn(move || {
            let mut all = Vec::new();
            let _ = err.read_to_end(&mut all);
            text(&all)
        });
        let input = child.stdin.take();
        Rpc { child, input, lines, kept: Vec::new(), next: 0, log: Some(log) }
    }
    pub fn say(&mut self, line: &[u8]) {
        let input = self.input.as_mut().unwrap();
        input.write_all(line).and_then(|()| input.write_all(b"\n")).unwrap();
    }
    /// The first line, old or new, that fits.
    pub fn wait(&mut self, what: &str, mut fits: impl FnMut(&Value) -> bool) -> Value {
        if let Some(at) = self.kept.iter().position(&mut fits) {
            return self.kept.remove(at);
        }
        let until = Instant::now() + PATIENCE;
        loop {
            match self.lines.recv_timeout(until.saturating_duration_since(Instant::now())) {
                Ok(line) if fits(&line) => return line,
                Ok(line) => self.kept.push(line),
                Err(_) => panic!("no {what}; what came: {:?}", self.kept),
            }
        }
    }
    pub fn begin(&mut self, method: &str, params: Value) -> u64 {
        self.next += 1;
        let request = json!({"jsonrpc": "2.0", "id": self.next, "method": method, "params": params});
        self.say(request.to_string().as_bytes());
        self.next
    }
    pub fn answer(&mut self, id: u64) -> Value {
        self.wait("answer", |line| line["id"] == id)
    }
    pub fn call(&mut self, method: &str, params: Value) -> Value {
        let id = self.begin(method, params);
        let answer = self.answer(id);
        assert!(answer.get("error").is_none(), "{method}: {answer}");
        answer["result"].clone()
    }
    pub fn error(&mut self, method: &str, params: Value) -> Value {
        let id = self.begin(method, params);
        let answer = self.answer(id);
        assert!(answer.get("error").is_some(), "{method}: {answer}");
        answer["error"].clone()
    }
    pub fn note(&mut self, method: &str) -> Value {
        self.wait(method, |line| line["method"] == method)["params"].clone()
    }
    pub fn message(&mut self, said: &str) -> Value {
        self.wait(said, |line| line["method"] == "message" && line["params"]["text"] == said)["params"].clone()
    }
    pub fn online(&mut self) {
        self.wait("connection", |line| line["method"] == "connection" && line["params"]["state"] == "online");
    }
    /// Everything that came and was not asked for.
    pub fn left(&mut self) -> Vec<Value> {
        self.kept.extend(self.lines.try_iter());
        std::mem::take(&mut self.kept)
    }
    pub fn pid(&self) -> u32 {
        self.child.id()
    }
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
    /// Ends it in good order; its log.
    pub fn end(mut self) -> String {
        drop(self.input.take());
        let until = Instant::now() + PATIENCE;
        let status = loop {
            match self.child.try_wait().unwrap() {
                Some(status) => break status,
                None if Instant::now() > until => panic!("it does not end"),
                None => std::thread::sleep(Duration::from_millis(10)),
            }
        };
        assert!(status.success(), "{status:?}");
        self.log.take().unwrap().join().unwrap()
    }
}
impl Drop for Rpc {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
