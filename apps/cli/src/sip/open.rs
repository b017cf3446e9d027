//! From the command line to an account at work.
use super::{Phone, Purpose, Settings};
use crate::args;
use crate::commands::password;
use crate::engine::Choice;
use crate::failure::{Failure, FaultName};
use crate::home::Home;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use subrosa_engine::{Address, Batch, Key, Machine, MemoryStore, Store};
use subrosa_engines::Completions;
use subrosa_files::DiskSpool;
use subrosa_sip::agent::{self, Agent};
use subrosa_sip::{Config, Connection, Listen, Roots, Way};
use subrosa_store::SqliteStore;
use tokio::sync::oneshot;

/// A person's address: `sip:bob@example.org`, or without `sip:`. One with parameters is refused: they would be dropped unseen.
pub fn address(text: &str) -> Result<Address, Failure> {
    if text.rsplit_once('@').is_some_and(|(_, place)| place.contains([';', '?'])) {
        return Err(Failure::usage(format!("{text:?} has parameters; write the address alone, and how to reach it as --transport or --proxy")));
    }
    subrosa_sip::bare(text).map_err(|e| Failure::usage(e.to_string()))
}

/// Opens the account and begins to listen.
pub async fn start(home: &Home, line: &args::Line, purpose: Purpose) -> Result<Arc<Phone>, Failure> {
    let from = line.from.as_deref().ok_or_else(|| Failure::usage("say whose messages these are with --from, e.g. --from sip:alice@example.org"))?;
    let me = address(from)?;
    let choice = engine(line.engine.as_deref())?;
    let config = config(line, from, purpose)?;
    let registers = config.register;
    let mut machine = Machine::new(me.clone());
    let Some((chosen, completions)) = choice.install(&mut machine)? else { return Err(Failure::bug("an engine that is none")) };
    machine.route(move |_| Some(chosen));
    let settings = settings(home, line, purpose)?;
    let engine = choice.other().unwrap_or_default();
    let downloads = line.download_dir.as_deref().map(directory).transpose()?;
    if line.memory || purpose == Purpose::Once {
        let (agent, closed) = open(config, machine, MemoryStore::default(), settings, completions).await?;
        return Ok(Phone::new(agent, engine, Settings { purpose, registers, downloads, lock: None, closed }));
    }
    let dir = home.prepare_sip(me.as_str())?;
    let Some(lock) = dir.lock()? else {
        let who = dir.holder().map_or_else(|| "another process".into(), |pid| format!("process {pid}"));
        let sentence = format!("{who} uses {me} here; end it, or say --memory to keep nothing (and another port, if you named one)");
        return Err(Failure::new("data.in-use", FaultName::Store, sentence));
    };
    let store = SqliteStore::open(dir.store(), &dir.store_key(true)?).map_err(|e| Failure::coded(&e))?;
    let (agent, closed) = open(config, machine, store, settings, completions).await?;
    Ok(Phone::new(agent, engine, Settings { purpose, registers, downloads, lock: Some(lock), closed }))
}

async fn open<S: Store + Send + 'static>(
    config: Config,
    machine: Machine,
    store: S,
    settings: agent::Settings,
    completions: Option<Completions>,
) -> Result<(Agent<Connection>, oneshot::Receiver<()>), Failure> {
    let connection = Connection::start(config).await.map_err(|e| Failure::coded(&e))?;
    let (open, closed) = oneshot::channel();
    let agent = Agent::start(machine, Watched(store, open), connection, settings).map_err(|e| Failure::coded(&e))?;
    if let Some(completions) = completions {
        let handle = agent.handle().clone();
        completions.on_ready(move || handle.wake());
        agent.handle().attend(move || completions.drain().collect());
    }
    Ok((agent, closed))
}
/// Says by its end that the store is closed: the process must not end before (see [`crate::host::open::joined`]).
struct Watched<S>(S, #[allow(dead_code, reason = "dropped = said")] oneshot::Sender<()>);
impl<S: Store> Store for Watched<S> {
    type Error = S::Error;
    fn load(&mut self, keys: &[Key]) -> Result<Vec<Option<Vec<u8>>>, S::Error> {
        self.0.load(keys)
    }
    fn commit(&mut self, batch: &Batch) -> Result<(), S::Error> {
        self.0.commit(batch)
    }
}

/// One that runs here.
fn engine(named: Option<&str>) -> Result<Choice, Failure> {
    agent::runs_on_sip(named.unwrap_or("omemo")).map_err(|e| {
        let sentence = format!("{e}, with --engine: xor-hex, base64 or preshared-base64:@FILE for a Linphone on the other side");
        Failure::new("engine.sip", FaultName::Caller, sentence)
    })?;
    Choice::parse(named)
}
fn settings(home: &Home, line: &args::Line, purpose: Purpose) -> Result<agent::Settings, Failure> {
    let mut settings = agent::Settings::default();
    let hold = home.settings()?.sip.hold;
    if !(1..=25).contains(&hold) {
        return Err(Failure::usage("hold in [sip] of settings.toml is 1 to 25 seconds: senders give up after 32; correct it"));
    }
    settings.hold = Duration::from_secs(hold);
    settings.file_server = line.file_server.clone();
    settings.transfers.roots = roots(line.tls_ca.as_deref())?;
    if purpose == Purpose::Once {
        settings.untaken = 0;
    }
    Ok(settings)
}
fn config(line: &args::Line, from: &str, purpose: Purpose) -> Result<Config, Failure> {
    let mut config = Config::new(from).map_err(|e| Failure::usage(e.to_string()))?;
    config.way = line.transport.map(way);
    config.proxy = line.proxy.clone();
    config.registrar = line.registrar.clone();
    config.register = line.register || line.registrar.is_some();
    config.password = match config.register {
        true => Some(password::asked(config.account().as_str(), line.password_file.as_deref())?),
        false => password::given(line.password_file.as_deref())?,
    };
    config.roots = roots(line.tls_ca.as_deref())?;
    config.listen = match (line.transport, &line.tls_cert, &line.tls_key) {
        (None, None, None) => vec![Listen::Udp(line.listen), Listen::Tcp(line.listen)],
        (Some(args::Way::Udp), ..) => vec![Listen::Udp(line.listen)],
        (Some(args::Way::Tcp), ..) => vec![Listen::Tcp(line.listen)],
        (_, Some(certificate), Some(key)) => vec![Listen::tls(line.listen, read(certificate)?, read(key)?)],
        // messages come by the stream that was opened to proxy or registrar
        _ if config.register || config.proxy.is_some() || purpose == Purpose::Once => Vec::new(),
        _ => return Err(Failure::usage("to be reached by TLS takes --tls-cert and --tls-key, or --proxy, or --registrar")),
    };
    Ok(config)
}
fn way(way: args::Way) -> Way {
    match way {
        args::Way::Udp => Way::Udp,
        args::Way::Tcp => Way::Tcp,
        args::Way::Tls => Way::Tls,
    }
}
fn roots(file: Option<&Path>) -> Result<Roots, Failure> {
    Ok(match file {
        Some(file) => Roots::Pem(read(file)?),
        None => Roots::System,
    })
}
fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    std::fs::read(path).map_err(|e| Failure::io("reading", path, &e))
}
fn directory(path: &Path) -> Result<std::path::PathBuf, Failure> {
    let whole = std::path::absolute(path).map_err(|e| Failure::io("finding", path, &e))?;
    match whole.is_dir() {
        true => {
            if let Err(error) = DiskSpool::sweep(&whole) {
                tracing::warn!(%error, "what a killed process left in the download directory could not be removed");
            }
            Ok(whole)
        }
        false => Err(Failure::usage(format!("{} is no directory; make it, or name another with --download-dir", path.display()))),
    }
}
