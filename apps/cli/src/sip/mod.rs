//! One account on SIP in this process: [`subrosa_sip::Agent`] in the words of the RPC.
//!
//! What wants to be shown is taken from the agent one by one: the next comes when the one before was shown. What was not, the agent
//! still owes, and the next process shows it.
mod open;
mod tell;

pub use open::{address, start};

use crate::failure::{Failure, FaultName};
use crate::home::Lock;
use crate::host::{TEXT_LIMIT, new_id};
use crate::rpc::Call;
use crate::rpc::server::{Backend, Reply, Subscriber, closed, ready};
use crate::rpc::types::{Connection as Line, FileSeen, Notification, SendFile, SendText, SipAccount, SipStatus, State, Version};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use subrosa_engine::{Address, ChatId, Headers, Input, Kind, MessageId, Plaintext, Recipients};
use subrosa_sip::agent::{Agent, Handle};
use subrosa_sip::{Connection, Way};
use tokio::sync::{oneshot, watch};

/// How long a message waits for its answer, unless told otherwise: longer than the transport does.
const PATIENCE: Duration = Duration::from_secs(60);

type Waiter = oneshot::Sender<Result<Value, Failure>>;

/// An account on SIP.
pub struct Phone {
    account: String,
    engine: String,
    handle: Handle,
    listens: Vec<String>,
    downloads: Option<PathBuf>,
    desk: Mutex<Desk>,
    /// The newest notification that was shown.
    shown: watch::Sender<u64>,
    /// Somebody is there to be shown something, or nobody ever will be.
    seen_by: watch::Sender<bool>,
    stopping: watch::Sender<bool>,
    stopped: watch::Sender<bool>,
    line: watch::Sender<(State, Option<Failure>)>,
    /// Nobody may come in before the store is closed.
    lock: Mutex<Option<Lock>>,
}
/// What a phone is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// One message leaves; what comes meanwhile is answered 480, so that its sender tries again. Nothing is kept.
    Once,
    /// Somebody is there to be shown what comes.
    Stay,
}
/// The rest of what it is made of.
struct Settings {
    purpose: Purpose,
    registers: bool,
    downloads: Option<PathBuf>,
    lock: Option<Lock>,
    /// Resolves when the agent's thread has let the store go.
    closed: oneshot::Receiver<()>,
}
/// What is under way.
#[derive(Default)]
struct Desk {
    subscribers: Vec<Subscriber>,
    open: HashMap<MessageId, Open>,
    /// Files that are being fetched, by the ids of the downloads.
    fetching: HashMap<MessageId, FileSeen>,
    told: u64,
}
/// A message of ours that is not over.
struct Open {
    to: String,
    waiter: Waiter,
    /// It was told that it is on its way.
    told: bool,
}

impl Phone {
    fn new(agent: Agent<Connection>, engine: &str, settings: Settings) -> Arc<Self> {
        let Settings { purpose, registers, downloads, lock, closed } = settings;
        let listens = [(Way::Udp, "udp"), (Way::Tcp, "tcp"), (Way::Tls, "tls")];
        let listens = listens.iter().filter_map(|(way, name)| Some(format!("{name} {}", agent.transport().listens(*way)?))).collect();
        let state = if registers { State::Connecting } else { State::Online };
        let phone = Arc::new(Phone {
            account: agent.handle().me().to_string(),
            engine: engine.into(),
            handle: agent.handle().clone(),
            listens,
            downloads,
            desk: Mutex::default(),
            shown: watch::channel(0).0,
            seen_by: watch::channel(purpose == Purpose::Once).0,
            stopping: watch::channel(false).0,
            stopped: watch::channel(false).0,
            line: watch::channel((state, None)).0,
            lock: Mutex::new(lock),
        });
        tokio::spawn(phone.clone().run(agent, closed));
        phone
    }
    fn desk(&self) -> MutexGuard<'_, Desk> {
        self.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }
    /// Until it is told to stop, or the agent ends.
    async fn run(self: Arc<Self>, agent: Agent<Connection>, closed: oneshot::Receiver<()>) {
        let mut last = 0;
        let (mut stopping, mut shown, mut seen_by) = (self.stopping.subscribe(), self.shown.subscribe(), self.seen_by.subscribe());
        loop {
            let next = async {
                let _ = seen_by.wait_for(|somebody| *somebody).await;
                agent.next().await
            };
            let event = tokio::select! {
                _ = stopping.wait_for(|stopping| *stopping) => break,
                event = next => event,
            };
            let Some(event) = event else { break };
            let Some(seq) = self.happened(event) else { continue };
            last = seq;
            tokio::select! {
                _ = stopping.wait_for(|stopping| *stopping) => break,
                _ = shown.wait_for(|shown| *shown >= seq) => {}
            }
        }
        if *self.shown.borrow() >= last {
            agent.taken();
        }
        agent.close().await;
        let _ = closed.await;
        let mut desk = self.desk();
        desk.subscribers.clear();
        desk.open.clear();
        drop(desk);
        drop(self.lock.lock().unwrap_or_else(PoisonError::into_inner).take());
        self.stopped.send_replace(true);
    }
    /// Lets the account go, in order.
    pub async fn stop(&self) {
        self.stopping.send_replace(true);
        let _ = self.stopped.subscribe().wait_for(|stopped| *stopped).await;
    }
    /// Resolves when it has ended by itself.
    pub async fn ended(&self) -> Failure {
        let _ = self.stopped.subscribe().wait_for(|stopped| *stopped).await;
        Failure::bug("the SIP account was closed; start it again, with -v to see why")
    }
    /// Resolves when messages can leave: registered, where it is to be.
    pub async fn ready(&self) -> Result<(), Failure> {
        let mut line = self.line.subscribe();
        let settled = line.wait_for(|(state, why)| *state == State::Online || why.is_some()).await;
        match settled.map(|line| line.clone()) {
            Ok((State::Online, _)) => Ok(()),
            Ok((_, Some(why))) => Err(why),
            _ => Err(closed()),
        }
    }

    /// To who is there, with the next number where it wants to be shown.
    fn tell(&self, mut note: Notification) -> Option<u64> {
        let mut desk = self.desk();
        let seq = note.counted().map(|(seq, _)| {
            desk.told += 1;
            *seq = desk.told;
            desk.told
        });
        desk.subscribers.retain(|subscriber| subscriber.send(note.clone()).is_ok());
        seq
    }
    fn connection(&self) -> Notification {
        let (state, why) = self.line.borrow().clone();
        let (reason, code) = why.map(|why| (why.sentence, why.code)).unzip();
        Notification::Connection(Line { account: self.account.clone(), state, reason, code })
    }

    fn send(&self, send: SendText) -> Result<Reply, Failure> {
        let to = address(&send.to)?;
        if send.text.is_empty() {
            return Err(Failure::usage("the message is empty; nothing was sent"));
        }
        if send.text.len() > TEXT_LIMIT {
            return Err(Failure::usage(format!("the message is longer than {} KiB; send it in parts, or as a file", TEXT_LIMIT / 1024)));
        }
        let id = send.id.unwrap_or_else(new_id);
        if id.is_empty() || id.len() > 256 || !id.bytes().all(|b| b.is_ascii_graphic()) {
            return Err(Failure::usage("over SIP an id has 1 to 256 characters of ASCII and no spaces: it goes out as the Call-ID"));
        }
        let id = MessageId::from(id.as_str());
        let mut desk = self.desk();
        if desk.open.contains_key(&id) {
            return Err(Failure::new("send.id-used", FaultName::Caller, format!("the message {id} is still under way; choose another id")));
        }
        let reply = desk.expect(&id, &to, Some(send.timeout.map_or(PATIENCE, Duration::from_secs)));
        let (chat, recipients, plain) = (ChatId(to.clone()), Recipients::People(vec![to]), Plaintext::text(&send.text));
        self.handle.feed(Input::Send { id, chat, to: recipients, kind: Kind::Text, plain, headers: Headers::default() });
        Ok(reply)
    }
    fn send_file(&self, send: &SendFile) -> Result<Reply, Failure> {
        let to = address(&send.to)?;
        // under the lock: what becomes of it is not told before it is known here
        let mut desk = self.desk();
        let id = self.handle.send_file(&to, &send.path, send.content_type.as_deref().unwrap_or("application/octet-stream"));
        Ok(desk.expect(&id, &to, send.timeout.map(Duration::from_secs)))
    }
    fn status(&self) -> Value {
        let account = SipAccount {
            account: self.account.clone(),
            engine: self.engine.clone(),
            connection: self.line.borrow().0,
            listens: self.listens.clone(),
            queued: self.desk().open.len(),
        };
        json!(SipStatus { version: Version::own(), accounts: vec![account] })
    }
    fn called(&self, call: Call) -> Result<Reply, Failure> {
        if let Some(account) = call.account()
            && address(account)?.as_str() != self.account
        {
            return Err(Failure::new("account.none", FaultName::Caller, format!("this program was started for {}, not for {account}", self.account)));
        }
        let done = Ok(ready(Ok(json!({}))));
        match call {
            Call::Version(_) => Ok(ready(Ok(json!(Version::own())))),
            Call::Status(_) => Ok(ready(Ok(self.status()))),
            Call::Send(send) => self.send(send),
            Call::SendFile(send) => self.send_file(&send),
            Call::Typing(typing) => {
                self.handle.composing(&address(&typing.to)?, typing.composing);
                done
            }
            Call::MarkRead(read) => {
                self.handle.displayed(&address(&read.from)?, &MessageId::from(read.id.as_str()));
                done
            }
            Call::Subscribe(_) | Call::Shown(_) => Err(Failure::bug("this call is answered elsewhere")),
            _ => Err(Failure::new("method.xmpp", FaultName::Caller, "devices, their keys and logins are OMEMO's, on XMPP only; use `subrosa rpc`")),
        }
    }
}

impl Desk {
    /// Somebody waits for what becomes of this one.
    fn expect(&mut self, id: &MessageId, to: &Address, timeout: Option<Duration>) -> Reply {
        let (waiter, answer) = oneshot::channel();
        self.open.insert(id.clone(), Open { to: to.to_string(), waiter, told: false });
        let Some(timeout) = timeout else { return answer };
        let (timed, reply) = oneshot::channel();
        let id = id.clone();
        tokio::spawn(async move {
            match tokio::time::timeout(timeout, answer).await {
                Ok(Ok(answer)) => drop(timed.send(answer)),
                Ok(Err(_)) => {} // the caller sees a closed channel
                Err(_) => {
                    let sentence =
                        format!("message {id} was not answered within {} s; what becomes of it is still told (`state`)", timeout.as_secs());
                    let _ = timed.send(Err(Failure::new("send.queued", FaultName::Network, sentence)));
                }
            }
        });
        reply
    }
}

impl Backend for Arc<Phone> {
    fn begin(&self, call: Call) -> Reply {
        self.called(call).unwrap_or_else(|failure| ready(Err(failure)))
    }
    fn subscribe(&self, _account: Option<&str>, subscriber: Subscriber) -> Result<(), Failure> {
        let _ = subscriber.send(self.connection());
        self.desk().subscribers.push(subscriber);
        self.seen_by.send_replace(true);
        Ok(())
    }
    fn shown(&self, _account: &str, seq: u64) {
        self.shown.send_if_modified(|shown| {
            let newer = seq > *shown;
            *shown = seq.max(*shown);
            newer
        });
    }
    // nothing is given out behind one that was not shown, and no process flags what an earlier one gave out
    fn passed(&self, _account: &str, _seq: u64) {}
}
