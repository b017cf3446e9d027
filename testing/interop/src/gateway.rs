//! Our own gateway as a process: a configuration in a fresh directory, a port of its own, its log.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::process::{Guarded, wait_until};
use crate::server::{Home, Server, StartError, has_text};

/// The built `subrosa-gateway`: `SUBROSA_GATEWAY`, or the one in the directory that this very program was built into.
pub fn gateway_program() -> Option<PathBuf> {
    let beside = || {
        let own = std::env::current_exe().ok()?;
        own.ancestors().skip(1).take(2).map(|dir| dir.join("subrosa-gateway")).find(|program| program.is_file())
    };
    std::env::var_os("SUBROSA_GATEWAY").map(PathBuf::from).or_else(beside)
}

/// The built page and worker: `SUBROSA_WEB_DIST`, or what `cargo xtask web` makes.
pub fn web_dist() -> Option<PathBuf> {
    let is_there = |dir: &PathBuf| dir.join("index.html").is_file();
    if let Some(dir) = std::env::var_os("SUBROSA_WEB_DIST").map(PathBuf::from) {
        return Some(dir).filter(is_there);
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2)?;
    ["target/web/dist", "target/web/dev"].map(|dir| root.join(dir)).into_iter().find(is_there)
}

/// How a gateway is to be.
#[derive(Clone, Debug, Default)]
pub struct GatewayOptions {
    /// A URL; `None`: SQLite in its directory.
    pub database: Option<String>,
    /// The program; `None`: what [`gateway_program`] finds.
    pub program: Option<PathBuf>,
    /// The page's files; `None`: what [`web_dist`] finds, or those inside the binary.
    pub web: Option<PathBuf>,
    /// Clear-text XMPP over this port of the loopback, as that of a [`crate::Proxy`]; `None`: TLS to the server's own.
    pub clear_port: Option<u16>,
    /// A port of the loopback; `None`: any that is free.
    pub port: Option<u16>,
    /// More of the configuration, in TOML; tables last.
    pub extra: String,
}

/// A running `subrosa-gateway` for the accounts of one server. Stops when dropped; its directory goes with it unless the test is failing.
#[derive(Debug)]
pub struct Gateway {
    /// Where the page is, ending in `/`; the same after a restart.
    pub url: String,
    /// Its configuration, data and log.
    pub dir: PathBuf,
    options: GatewayOptions,
    xmpp: String,
    listen: String,
    process: Option<Guarded>,
    home: Home,
}

impl Gateway {
    /// Starts one with SQLite.
    ///
    /// # Errors
    /// [`StartError`] when it is not built or does not come up; the log's end is in it.
    pub fn start(server: &Server) -> Result<Self, StartError> {
        Self::start_with(server, GatewayOptions::default())
    }

    /// Starts one.
    ///
    /// # Errors
    /// As [`Gateway::start`].
    pub fn start_with(server: &Server, options: GatewayOptions) -> Result<Self, StartError> {
        let dir = tempfile::Builder::new().prefix("subrosa-gateway-").tempdir()?;
        let (path, home) = (fs::canonicalize(dir.path())?, Home::Temporary(Some(dir)));
        fs::create_dir_all(path.join("log"))?;
        let xmpp = match options.clear_port {
            Some(port) => format!("host = \"127.0.0.1:{port}\"\nsecurity = \"clear-loopback\"\n"),
            None => format!("host = \"{}:{}\"\nca = {:?}\n", server.host, server.port, server.ca_file()),
        };
        let listen = format!("127.0.0.1:{}", options.port.unwrap_or_default());
        let mut gateway = Self { url: String::new(), dir: path, options, xmpp, listen, process: None, home };
        gateway.run()?;
        Ok(gateway)
    }

    /// What is missing to run it here, if anything is.
    pub fn missing() -> Option<String> {
        gateway_program().is_none().then(|| "`subrosa-gateway` is not built (`cargo build -p subrosa-gateway`; `cargo xtask test` does)".to_owned())
    }

    /// Ends it in good order. Whether it did so within ten seconds.
    pub fn stop(&mut self) -> bool {
        self.process.take().is_none_or(|mut process| process.end("TERM", Duration::from_secs(10)))
    }

    /// Ends it at once, as a crash does.
    pub fn kill9(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.end("KILL", Duration::from_secs(10));
        }
    }

    /// Starts it again, after it was stopped if it runs, with the same data at the same address.
    ///
    /// # Errors
    /// As [`Gateway::start`].
    pub fn restart(&mut self) -> Result<(), StartError> {
        self.stop();
        self.run()
    }

    /// All that it logged, over restarts.
    pub fn log(&self) -> String {
        String::from_utf8_lossy(&fs::read(self.log_file()).unwrap_or_default()).into_owned()
    }

    /// Host and port where it listens.
    pub fn address(&self) -> &str {
        self.url.trim_start_matches("http://").split('/').next().unwrap_or_default()
    }

    /// Its database, where that is SQLite.
    pub fn database(&self) -> PathBuf {
        self.dir.join("data/gateway.sqlite")
    }

    /// Whether `text` stands anywhere in what it stored or logged.
    pub fn has_kept(&self, text: &str) -> bool {
        !text.is_empty() && has_text(&self.dir, text.as_bytes())
    }

    /// Whether `text` stands anywhere in its memory now.
    ///
    /// # Errors
    /// When it does not run, or its memory can't be read.
    pub fn has_in_memory(&self, text: &str) -> io::Result<bool> {
        self.process.as_ref().ok_or(io::ErrorKind::NotFound)?.has_in_memory(text.as_bytes())
    }

    /// The memory that it takes, in bytes, as the system counts it.
    pub fn memory(&self) -> Option<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.process.as_ref()?.pid()?)).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
        line.trim().strip_suffix(" kB")?.parse::<u64>().ok().map(|kilobytes| kilobytes * 1024)
    }

    /// The time that it has computed since it was started.
    pub fn cpu(&self) -> Option<Duration> {
        self.process.as_ref()?.cpu()
    }

    fn log_file(&self) -> PathBuf {
        self.dir.join("log/gateway.log")
    }

    fn config(&self) -> String {
        let mut text = format!("listen = {:?}\ninsecure_loopback = true\ndata_dir = {:?}\n", self.listen, self.dir.join("data"));
        if let Some(url) = &self.options.database {
            text.push_str(&format!("database = {url:?}\n"));
        }
        if let Some(web) = self.options.web.clone().or_else(web_dist) {
            text.push_str(&format!("web = {web:?}\n"));
        }
        format!("{text}{}\n[xmpp]\n{}", self.options.extra, self.xmpp)
    }

    fn run(&mut self) -> Result<(), StartError> {
        let program = self
            .options
            .program
            .clone()
            .or_else(gateway_program)
            .ok_or(StartError::Missing { program: "subrosa-gateway", package: "none: cargo build -p subrosa-gateway" })?;
        let config = self.dir.join("gateway.toml");
        fs::write(&config, self.config())?;
        let (log, before) = (self.log_file(), self.log().len());
        let mut process = Guarded::start(Command::new(program).arg("--config").arg(config), &log)?;
        let mut url = None;
        let up = wait_until(&mut process, Duration::from_secs(30), || {
            url = listening(self.log().get(before..).unwrap_or_default());
            url.is_some()
        });
        match (up, url) {
            (Ok(()), Some(url)) => {
                // The next one is to be found where this one was.
                self.url = url;
                self.listen = self.address().to_owned();
                self.process = Some(process);
                Ok(())
            }
            (up, _) => {
                let what = up.err().unwrap_or("said no address").to_owned();
                Err(StartError::Start { program: "subrosa-gateway", what, log: self.log() })
            }
        }
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        self.stop();
        if let Home::Temporary(dir) = &mut self.home
            && std::thread::panicking()
            && let Some(dir) = dir.take()
        {
            eprintln!("the gateway's directory is kept: {}", dir.keep().display());
        }
    }
}

/// The address in its line, which has a whole line's end.
fn listening(log: &str) -> Option<String> {
    let (_, rest) = log.split_once("listening on ")?;
    let (line, _) = rest.split_once('\n')?;
    let url = line.split_whitespace().next()?.trim_end_matches('.');
    url.starts_with("http://").then(|| if url.ends_with('/') { url.to_owned() } else { format!("{url}/") })
}

#[cfg(test)]
mod tests {
    use super::listening;

    #[test]
    fn the_address_is_read_from_the_log() {
        assert_eq!(listening("x\n2026 INFO listening on http://127.0.0.1:4000/chat/\nmore").as_deref(), Some("http://127.0.0.1:4000/chat/"));
        assert_eq!(listening("listening on http://127.0.0.1:4000\n").as_deref(), Some("http://127.0.0.1:4000/"));
        assert_eq!(listening("listening on http://127.0.0.1:40"), None);
        assert_eq!(listening("nothing yet\n"), None);
    }
}
