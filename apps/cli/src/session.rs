//! The accounts a command works with, each opened here or asked for over the socket of the process that has it.
//!
//! When that process ends, the account is opened again, here or elsewhere, subscribers stay, and what was asked
//! and not answered is asked again: everything that is asked may be asked twice (a message goes by its id).
use crate::config::Settings;
use crate::engine::Choice;
use crate::failure::Failure;
use crate::home::{AccountDir, Home};
use crate::host::{Host, new_id};
use crate::rpc::Call;
use crate::rpc::client::Remote;
use crate::rpc::server::{Backend, CLOSED, Reply, Subscriber, closed, ready};
use crate::rpc::types::{Connection, Nothing, Notification, State as ConnectionState, Status, Version};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{oneshot, watch};
use tokio::time::{Instant, sleep, timeout};

/// How long a process that has the account may be silent.
const SILENCE: Duration = Duration::from_secs(3);
/// How long one that is just starting or ending is waited for.
const PATIENCE: Duration = Duration::from_secs(10);
/// How often a call is begun again when the process that had it ended.
const TRIES: usize = 4;

/// The accounts of one command.
pub struct Accounts {
    slots: Vec<Arc<Slot>>,
    /// Those that could not be opened, and why: the others go on without them.
    failed: Vec<(String, Failure)>,
}

struct Slot {
    dir: AccountDir,
    settings: Settings,
    /// `None`: whatever it is, what is asked has nothing to do with it.
    engine: Option<Choice>,
    state: Mutex<State>,
    /// Grows with each opening; an error when there will be none.
    opened: watch::Sender<Result<u64, Failure>>,
}
struct State {
    current: Option<Current>,
    subscribers: Vec<Subscriber>,
    stopping: bool,
}
#[derive(Clone)]
enum Current {
    Local(Arc<Host>),
    Remote(Arc<Remote>),
}
impl Current {
    fn backend(&self) -> &dyn Backend {
        match self {
            Current::Local(host) => host,
            Current::Remote(remote) => &**remote,
        }
    }
    fn gone(&self) -> watch::Receiver<bool> {
        match self {
            Current::Local(host) => host.gone(),
            Current::Remote(remote) => remote.gone(),
        }
    }
}

impl Accounts {
    /// Opens them: the one named, or all (`all`), or the only one. `engine`: what messages must go through, here or in the process
    /// that has an account; `None` where none are sent or shown.
    pub async fn open(home: &Home, named: Option<&str>, all: bool, engine: Option<&Choice>) -> Result<Self, Failure> {
        let settings = home.settings()?;
        let dirs = if all && named.is_none() { home.accounts()? } else { vec![home.account(named)?] };
        if dirs.is_empty() {
            return Err(Failure::not_logged_in(None));
        }
        let mut accounts = Accounts { slots: Vec::new(), failed: Vec::new() };
        for dir in dirs {
            let jid = dir.jid.clone();
            match Slot::open(dir, settings.clone(), engine.cloned()).await {
                Ok(slot) => accounts.slots.push(slot),
                Err(failure) => accounts.failed.push((jid, failure)),
            }
        }
        match accounts.failed.first() {
            Some((_, failure)) if accounts.slots.is_empty() => Err(failure.clone()),
            _ => {
                for (account, failure) in &accounts.failed {
                    tracing::error!(%account, code = %failure.code, "{failure}");
                }
                Ok(accounts)
            }
        }
    }
    /// Several of them.
    pub fn are_several(&self) -> bool {
        self.slots.len().saturating_add(self.failed.len()) > 1
    }
    /// Asks and waits.
    pub async fn call(&self, call: Call) -> Result<Value, Failure> {
        self.begin(call).await.unwrap_or_else(|_| Err(closed()))
    }
    /// Resolves when no account can be opened again: logged out, or their directories are in trouble. The first reason.
    pub async fn ended(&self) -> Failure {
        let mut waits = tokio::task::JoinSet::new();
        for slot in &self.slots {
            let mut opened = slot.opened.subscribe();
            waits.spawn(async move { opened.wait_for(Result::is_err).await.map_or_else(|_| closed(), |r| r.clone().err().unwrap_or_else(closed)) });
        }
        waits.join_all().await.into_iter().next().unwrap_or_else(closed)
    }
    /// Lets all of them go.
    pub async fn stop(&self) {
        for slot in &self.slots {
            let current = {
                let mut state = slot.lock();
                state.stopping = true;
                state.subscribers.clear();
                state.current.take()
            };
            if let Some(Current::Local(host)) = current {
                host.stop().await;
            }
        }
    }
    fn slot(&self, account: Option<&str>) -> Result<&Arc<Slot>, Failure> {
        let failed = || self.failed.iter().map(|(jid, _)| jid);
        let names = || self.slots.iter().map(|slot| &slot.dir.jid).chain(failed()).cloned().collect::<Vec<_>>();
        match (account.filter(|a| !a.is_empty()), self.slots.as_slice()) {
            (Some(name), _) => {
                let jid = crate::home::bare(name)?;
                let why = || self.failed.iter().find(|(failed, _)| *failed == jid).map(|(_, failure)| failure.clone());
                let slot = self.slots.iter().find(|slot| slot.dir.jid == jid);
                slot.ok_or_else(|| why().unwrap_or_else(|| Failure::not_logged_in(Some(&jid))))
            }
            (None, [only]) if self.failed.is_empty() => Ok(only),
            (None, []) => Err(Failure::not_logged_in(None)),
            (None, _) => Err(Failure::several_accounts(&names())),
        }
    }
}

impl Backend for Accounts {
    fn begin(&self, mut call: Call) -> Reply {
        if let Call::Version(_) = call {
            return ready(Ok(json!(Version::own())));
        }
        if let Call::Status(scope) = &call
            && scope.account.is_none()
        {
            return self.status();
        }
        if let Some(said) = call.says() {
            said.id.get_or_insert_with(new_id); // now: so that it can be asked again
        }
        match self.slot(call.account()) {
            Ok(slot) => slot.begin(call),
            Err(failure) => ready(Err(failure)),
        }
    }
    fn subscribe(&self, account: Option<&str>, subscriber: Subscriber) -> Result<(), Failure> {
        if account.is_some() {
            self.slot(account)?.subscribe(subscriber);
        } else {
            self.slots.iter().for_each(|slot| slot.subscribe(subscriber.clone()));
            for (account, failure) in &self.failed {
                let (reason, code) = (Some(failure.sentence.clone()), Some(failure.code.clone()));
                let _ =
                    subscriber.send(Notification::Connection(Connection { account: account.clone(), state: ConnectionState::Offline, reason, code }));
            }
        }
        Ok(())
    }
    fn shown(&self, account: &str, seq: u64) {
        if let Ok(slot) = self.slot(Some(account))
            && let Some(current) = slot.current()
        {
            current.backend().shown(account, seq);
        }
    }
    fn passed(&self, account: &str, seq: u64) {
        if let Ok(slot) = self.slot(Some(account))
            && let Some(current) = slot.current()
        {
            current.backend().passed(account, seq);
        }
    }
}
impl Accounts {
    /// Of all accounts, as one answer.
    fn status(&self) -> Reply {
        let replies: Vec<_> = self.slots.iter().map(|slot| slot.begin(Call::Status(Default::default()))).collect();
        let (waiter, reply) = oneshot::channel();
        let several = self.are_several();
        tokio::spawn(async move {
            let mut whole = Status { version: Version::own(), accounts: Vec::new() };
            for reply in replies {
                let one = reply.await.unwrap_or_else(|_| Err(closed()));
                match one.and_then(|value| serde_json::from_value::<Status>(value).map_err(|e| Failure::bug(e.to_string()))) {
                    Ok(status) => whole.accounts.extend(status.accounts),
                    // the others go on without it
                    Err(failure) if several => tracing::warn!(code = %failure.code, "an account does not say how it is"),
                    Err(failure) => return drop(waiter.send(Err(failure))),
                }
            }
            let _ = waiter.send(Ok(json!(whole)));
        });
        reply
    }
}

impl Slot {
    async fn open(dir: AccountDir, settings: Settings, engine: Option<Choice>) -> Result<Arc<Self>, Failure> {
        let current = open(&dir, &settings, engine.as_ref()).await?;
        let state = State { current: Some(current.clone()), subscribers: Vec::new(), stopping: false };
        let slot = Arc::new(Slot { dir, settings, engine, state: Mutex::new(state), opened: watch::channel(Ok(0)).0 });
        tokio::spawn(slot.clone().keep(current));
        Ok(slot)
    }
    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
    fn current(&self) -> Option<Current> {
        self.lock().current.clone()
    }
    /// Opens it again whenever it was lost.
    async fn keep(self: Arc<Self>, mut current: Current) {
        for generation in 1.. {
            let _ = current.gone().wait_for(|gone| *gone).await;
            if self.lock().stopping {
                return;
            }
            tracing::info!(account = %self.dir.jid, "the process that had the account ended; opening it again");
            match open(&self.dir, &self.settings, self.engine.as_ref()).await {
                Ok(next) => current = next,
                Err(failure) => {
                    let mut state = self.lock();
                    state.current = None;
                    state.subscribers.clear();
                    drop(self.opened.send_replace(Err(failure)));
                    return;
                }
            }
            let stopping = {
                let mut state = self.lock();
                state.subscribers.retain(|s| !s.is_closed());
                for subscriber in &state.subscribers {
                    let _ = current.backend().subscribe(None, subscriber.clone());
                }
                state.current = Some(current.clone());
                state.stopping
            };
            if stopping && let Current::Local(host) = current {
                return host.stop().await;
            }
            drop(self.opened.send_replace(Ok(generation)));
        }
    }
    fn subscribe(&self, subscriber: Subscriber) {
        let mut state = self.lock();
        if let Some(current) = &state.current {
            let _ = current.backend().subscribe(None, subscriber.clone());
        }
        state.subscribers.push(subscriber);
    }
    fn begin(self: &Arc<Self>, call: Call) -> Reply {
        let mut opened = self.opened.subscribe();
        opened.mark_unchanged();
        let Some(current) = self.current() else { return ready(Err(self.failure())) };
        let first = current.backend().begin(call.clone());
        let (waiter, reply) = oneshot::channel();
        let slot = self.clone();
        tokio::spawn(async move {
            let mut answer = first.await;
            for _ in 1..TRIES {
                // one that is just ending may still say that it does
                let ended = answer.as_ref().map_or(true, |said| said.as_ref().is_err_and(|failure| failure.code == CLOSED));
                if !ended || slot.lock().stopping || !matches!(timeout(PATIENCE * 2, opened.changed()).await, Ok(Ok(()))) {
                    break;
                }
                let Some(current) = slot.current() else { return drop(waiter.send(Err(slot.failure()))) };
                answer = current.backend().begin(call.clone()).await;
            }
            let _ = waiter.send(answer.unwrap_or_else(|_| Err(closed())));
        });
        reply
    }
    fn failure(&self) -> Failure {
        self.opened.borrow().clone().err().unwrap_or_else(closed)
    }
}

/// Over the socket of the process that has it, else here.
async fn open(dir: &AccountDir, settings: &Settings, engine: Option<&Choice>) -> Result<Current, Failure> {
    let socket = dir.socket()?;
    let until = Instant::now() + PATIENCE;
    loop {
        if let Ok(remote) = Remote::connect(&socket).await
            && matches!(timeout(SILENCE, remote.begin(Call::Version(Nothing {}))).await, Ok(Ok(Ok(_))))
        {
            let remote = Arc::new(remote);
            if let Some(engine) = engine {
                engine.agree(engine_of(&remote).await?.as_deref())?;
            }
            return Ok(Current::Remote(remote));
        }
        let account = dir.config()?; // logged out meanwhile?
        if let Some(lock) = dir.lock()? {
            return Host::start(dir.clone(), lock, account, settings, engine.cloned().unwrap_or_default(), None).await.map(Current::Local);
        }
        if Instant::now() >= until {
            return Err(Failure::in_use(dir.path(), dir.holder()));
        }
        sleep(Duration::from_millis(30)).await;
    }
}

/// What the other process's messages go through.
async fn engine_of(remote: &Remote) -> Result<Option<String>, Failure> {
    let answer = remote.begin(Call::Status(Default::default())).await.unwrap_or_else(|_| Err(closed()))?;
    let status: Status = serde_json::from_value(answer).map_err(|e| Failure::bug(e.to_string()))?;
    Ok(status.accounts.into_iter().find_map(|account| account.engine))
}
