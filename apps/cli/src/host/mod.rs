//! One account in this process: the machine's thread, the connection, the socket for other processes.
//!
//! ```text
//! rpc / socket / commands ──Call──► drive (thread: machine + store) ──put──► link (task: connection)
//!                         ◄─Notification─      ▲                              │
//!                                              └────────────Said──────────────┘
//! ```
mod blocked;
mod calls;
mod catch_up;
mod chats;
mod clear;
mod contacts;
pub mod drive;
mod entries;
mod events;
mod hears;
pub mod hub;
mod keys;
pub mod ledger;
pub mod link;
mod look;
mod memory;
pub mod notes;
pub mod open;
mod rooms;
mod safekeeping;
mod says;
pub mod sends;
pub mod step;
#[cfg(test)]
mod tests;

use crate::config::{Account, Settings};
use crate::engine::Choice;
use crate::failure::{Failure, FaultName};
use crate::home::{AccountDir, Lock};
use crate::rpc::Call;
use crate::rpc::server::{Backend, Reply, Subscriber, ready};
use crate::rpc::types::{Status, Version};
use crate::socket::{self, Listening};
use drive::Job;
use ledger::Login;
use link::Link;
use serde_json::json;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{mpsc, oneshot, watch};

/// The longest text taken: with base64 and a second version of OMEMO its stanzas stay below what servers take.
pub const TEXT_LIMIT: usize = 128 * 1024;
/// How long `logout` waits for the server.
const FAREWELL: Duration = Duration::from_secs(20);

/// One account, open in this process.
pub struct Host {
    dir: AccountDir,
    jobs: mpsc::UnboundedSender<Job>,
    link: Link,
    timeout: Duration,
    /// In the order in which they are let go: nobody may come in before the lock is free.
    held: Mutex<(Option<Listening>, Option<Lock>)>,
    gone: watch::Sender<bool>,
}

impl Host {
    /// Opens the store and starts the thread. `login`: with this password, else with the stored one.
    pub async fn start(
        dir: AccountDir,
        lock: Lock,
        account: Account,
        settings: &Settings,
        engine: Choice,
        login: Option<Login>,
    ) -> Result<Arc<Self>, Failure> {
        let (jobs, inbox) = mpsc::unbounded_channel();
        let key = dir.store_key(login.is_some())?;
        let (link, asks) = Link::new();
        let opened = open::Open {
            dir: dir.clone(),
            key,
            policy: settings.trust.policy,
            first_days: settings.history.first_days,
            engine: engine.clone(),
            link: link.clone(),
            bell: jobs.downgrade(),
        };
        let (opened, thread) = open::spawn(opened, inbox);
        open::keep(thread);
        let stored = opened.await.map_err(|_| Failure::bug("the machine's thread ended before it began"))??;
        let Some(login) = login.or(stored) else {
            let sentence = format!("the store of {0} has no password; run `subrosa login {0}` again", dir.jid);
            return Err(Failure::new("account.none", FaultName::Caller, sentence));
        };
        link::spawn(asks, jobs.clone(), &account, &login, &engine)?;
        let host = Arc::new(Host {
            dir,
            jobs,
            link,
            timeout: Duration::from_secs(settings.send.timeout),
            held: Mutex::new((None, Some(lock))),
            gone: watch::channel(false).0,
        });
        let listening = socket::listen(&host.dir, Arc::new(host.clone()))?;
        host.held.lock().unwrap_or_else(PoisonError::into_inner).0 = Some(listening);
        Ok(host)
    }
    /// Resolves when the account is closed here.
    pub fn gone(&self) -> watch::Receiver<bool> {
        self.gone.subscribe()
    }
    /// Connects if it was not wanted before.
    pub fn connect(&self) {
        self.link.connect();
    }
    /// Stores a login that the server took.
    pub async fn remember(&self, login: Login) -> Result<(), Failure> {
        self.ask(|waiter| Job::Remember(login, waiter)).await
    }
    /// Takes over an identity that another program had; before the first connection.
    pub async fn import(&self, imported: subrosa_omemo::Imported) -> Result<(), Failure> {
        self.ask(|waiter| Job::Import(Box::new(imported), waiter)).await
    }
    /// Connected, the device is published, nothing is asked of the server any more.
    pub async fn settled(&self) -> Result<(), Failure> {
        self.connect();
        self.ask(Job::Settled).await
    }
    /// Stores what has to be stored and lets the account go.
    pub async fn stop(&self) {
        let listening = self.held.lock().unwrap_or_else(PoisonError::into_inner).0.take();
        drop(listening);
        self.link.stop().await;
        let (done, stored) = oneshot::channel();
        if self.jobs.send(Job::Stop(done)).is_ok() {
            let _ = stored.await;
        }
        drop(self.held.lock().unwrap_or_else(PoisonError::into_inner).1.take());
        self.gone.send_replace(true);
    }
    async fn ask(&self, job: impl FnOnce(sends::Waiter) -> Job) -> Result<(), Failure> {
        let (waiter, reply) = oneshot::channel();
        let _ = self.jobs.send(job(waiter));
        reply.await.unwrap_or_else(|_| Err(crate::rpc::server::closed())).map(drop)
    }
    async fn logout(self: Arc<Self>, offline: bool) -> Result<serde_json::Value, Failure> {
        if !offline {
            self.connect();
            let told = tokio::time::timeout(FAREWELL, self.ask(Job::Leave)).await;
            let failure = match told {
                Ok(Ok(())) => None,
                Ok(Err(failure)) => Some(failure.sentence),
                Err(_) => Some("the server did not answer in time".into()),
            };
            if let Some(cause) = failure {
                let sentence = format!("{cause}; the keys are kept. Try again, or erase them without telling the server with --offline");
                return Err(Failure::new("connect.logout", FaultName::Network, sentence));
            }
        }
        self.link.stop().await;
        let erased = self.ask(Job::Erase).await.and_then(|()| self.dir.erase());
        // a copy of the handle ends the rest when the answer is out; the lock is held until then
        let host = self.clone();
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_millis(200)).await;
            host.stop().await;
        });
        erased.map(|()| json!({}))
    }
    /// A message: answered when the server has it, or when the time for that is over.
    fn begin_send(&self, mut call: Call) -> Reply {
        if let Err(failure) = check(&mut call) {
            return ready(Err(failure));
        }
        let Some(said) = call.says() else { return ready(Err(Failure::bug("this call says nothing"))) };
        let (id, timeout) = (said.id.get_or_insert_with(new_id).clone(), said.timeout.map_or(self.timeout, Duration::from_secs));
        let (waiter, answer) = oneshot::channel();
        let (timed, reply) = oneshot::channel();
        let _ = self.jobs.send(Job::Call(call, waiter));
        self.connect();
        tokio::spawn(async move {
            match tokio::time::timeout(timeout, answer).await {
                Ok(Ok(result)) => drop(timed.send(result)),
                Ok(Err(_)) => {} // the thread ended: the caller sees a closed channel
                Err(_) => drop(timed.send(Err(Failure::queued(&id, timeout.as_secs())))),
            }
        });
        reply
    }
    fn job(&self, job: impl FnOnce(sends::Waiter) -> Job) -> Reply {
        let (waiter, reply) = oneshot::channel();
        let _ = self.jobs.send(job(waiter));
        reply
    }
}

impl Backend for Arc<Host> {
    fn begin(&self, mut call: Call) -> Reply {
        if call.says().is_some() {
            return self.begin_send(call);
        }
        match call {
            Call::Version(_) => ready(Ok(json!(Version::own()))),
            Call::Logout(logout) => {
                let host = self.clone();
                let (waiter, reply) = oneshot::channel();
                tokio::spawn(async move { waiter.send(host.logout(logout.offline).await) });
                reply
            }
            Call::Status(scope) => {
                let answer = self.job(|waiter| Job::Call(Call::Status(scope), waiter));
                let (waiter, reply) = oneshot::channel();
                tokio::spawn(async move {
                    let Ok(answer) = answer.await else { return };
                    let whole = |account| {
                        notes::value(&Status {
                            version: Version::own(),
                            accounts: vec![serde_json::from_value(account).map_err(|e| Failure::bug(e.to_string()))?],
                        })
                    };
                    let _ = waiter.send(answer.and_then(whole));
                });
                reply
            }
            call if is_local(&call) => self.job(|waiter| Job::Call(call, waiter)),
            call => {
                let answer = self.job(|waiter| Job::Call(call, waiter));
                let (waiter, reply) = oneshot::channel();
                let timeout = self.timeout;
                tokio::spawn(async move {
                    match tokio::time::timeout(timeout, answer).await {
                        Ok(Ok(result)) => drop(waiter.send(result)),
                        Ok(Err(_)) => {}
                        Err(_) => drop(waiter.send(Err(Failure::no_answer(timeout.as_secs())))),
                    }
                });
                reply
            }
        }
    }
    fn subscribe(&self, _account: Option<&str>, subscriber: Subscriber) -> Result<(), Failure> {
        let _ = self.jobs.send(Job::Subscribe(subscriber));
        self.connect();
        Ok(())
    }
    fn shown(&self, _account: &str, seq: u64) {
        let _ = self.jobs.send(Job::Shown(seq));
    }
    fn passed(&self, _account: &str, seq: u64) {
        let _ = self.jobs.send(Job::Passed(seq));
    }
}

/// Ids of our own: 64 random bits.
pub fn new_id() -> String {
    let mut bytes = [0; 8];
    // without randomness the machine can't run either; the clock keeps ids apart until it says so
    if getrandom::fill(&mut bytes).is_err() {
        bytes = drive::now().0.to_be_bytes();
    }
    crate::home::hex(&bytes)
}

/// Nobody else is asked: it takes as long as it takes, with a large history or while one is being written to the disk.
fn is_local(call: &Call) -> bool {
    use Call::*;
    matches!(
        call,
        Backup(_)
            | Restore(_)
            | Search(_)
            | History(_)
            | Chats(_)
            | Erase(_)
            | MarkRead(_)
            | Typing(_)
            | Rooms(_)
            | RoomLeaveOut(_)
            | Trust(_)
            | StaleDevices(_)
            | GoOn(_)
    )
}
fn check(call: &mut Call) -> Result<(), Failure> {
    let Some(send) = call.says() else { return Ok(()) };
    let text = send.text.unwrap_or("-");
    if text.is_empty() {
        return Err(Failure::usage("the message is empty; nothing was sent"));
    }
    if text.len() > TEXT_LIMIT {
        return Err(Failure::usage(format!("the message is longer than {} KiB; send it in parts", TEXT_LIMIT / 1024)));
    }
    // XML has no place for these: the server would end the connection
    if text.chars().any(|c| (c.is_control() && !matches!(c, '\n' | '\t' | '\r')) || matches!(c, '\u{fffe}' | '\u{ffff}')) {
        return Err(Failure::usage("the message has control characters, which XMPP can't carry; take them out"));
    }
    match send.id {
        Some(id) if id.is_empty() || id.len() > 256 || id.chars().any(char::is_control) => {
            Err(Failure::usage("an id has 1 to 256 bytes and no control characters"))
        }
        _ => Ok(()),
    }
}
