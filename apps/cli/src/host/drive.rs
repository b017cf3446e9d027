//! The machine's thread: takes what waits, makes one step of it, commits, and only then lets anything out.
//!
//! Everything that changes the store is a [`Fact`]; facts survive a commit that fails and are tried again, all but what
//! a caller is told has failed. An incoming stanza is acknowledged to the server, and an answer given to a caller,
//! after the commit that holds it.
use super::hub::Hub;
use super::ledger::{Ledger, Login, Seen, Sent, Stage};
use super::link::{self, Link, Mark};
use super::notes;
use super::sends::{Sends, Waiter};
use crate::config::TrustPolicy;
use crate::failure::{Failure, FaultName};
use crate::rpc::server::Subscriber;
use crate::rpc::types::{Connection, DeviceResult, Notification, SendText, State};
use crate::rpc::{Call, types};
use getrandom::SysRng;
use rand_core::UnwrapErr;
use serde_json::json;
use std::collections::HashSet;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use subrosa_engine::{
    Address, ChatId, Context, Device, Engine, Event, Fingerprint, Halt, Input, Installed, Kind, Machine, MessageId, Output, OutputId, Outputs,
    Plaintext, Recipients, RequestId, Time, Trust,
};
use subrosa_omemo::Omemo;
use subrosa_store::SqliteStore;
use tokio::sync::{mpsc, oneshot};

/// Jobs taken into one step at most.
const TOGETHER: usize = 256;
/// The pause after a commit that failed.
const STORE_PAUSE: Duration = Duration::from_secs(1);

/// What the machine's thread is asked to do.
pub enum Job {
    /// Answer this.
    Call(Call, Waiter),
    /// Tell this one from now on.
    Subscribe(Subscriber),
    /// A notification was shown.
    Shown(u64),
    /// From the connection.
    Link(link::Said),
    /// Store how to log in.
    Remember(Login, Waiter),
    /// Answer when the device is published and nothing is asked of the server any more.
    Settled(Waiter),
    /// Withdraw the device; answer when the server has taken it.
    Leave(Waiter),
    /// As `Stop`, and the store erases itself.
    Erase(Waiter),
    /// End in good order; the answer comes when all is stored.
    Stop(oneshot::Sender<()>),
}

/// What goes into a step.
enum Fact {
    Input(Input),
    /// The server may forget incoming stanzas up to here, once this step is stored.
    Handled(Mark),
    Pin(String),
    Accept(SendText, String),
    Decide(Device, Fingerprint, Trust, Waiter),
    Leaving(String, Vec<DeviceResult>),
    Acknowledged(String),
    Failed(String),
    Seen(Seen),
    Login(Login, Waiter),
    /// The device leaves the account.
    Leave,
    /// Whose devices?
    Refresh(Address),
}

/// One account's machine and what belongs to it.
pub struct Drive {
    account: String,
    me: Address,
    machine: Machine,
    store: SqliteStore,
    ledger: Installed<Ledger>,
    omemo: Installed<Omemo>,
    policy: TrustPolicy,
    rng: UnwrapErr<SysRng>,
    facts: Vec<Fact>,
    sends: Sends,
    hub: Hub,
    waiting: Vec<Subscriber>,
    /// Asked of the server and not answered.
    asked: HashSet<RequestId>,
    settling: Vec<Settling>,
    pin: Option<String>,
    link: Link,
    state: State,
    /// Since this process began.
    was_online: bool,
    store_failed: bool,
}

impl Drive {
    /// Takes up what earlier processes left.
    pub fn new(
        account: &str,
        mut machine: Machine,
        store: SqliteStore,
        omemo: Installed<Omemo>,
        policy: TrustPolicy,
        link: Link,
    ) -> Result<Self, Failure> {
        let ledger = machine.install(Ledger);
        let me = machine.me().clone();
        let mut drive = Drive {
            account: account.into(),
            me,
            machine,
            store,
            ledger,
            omemo,
            policy,
            rng: UnwrapErr(SysRng),
            facts: Vec::new(),
            sends: Sends::default(),
            hub: Hub::default(),
            waiting: Vec::new(),
            asked: HashSet::new(),
            settling: Vec::new(),
            pin: None,
            link,
            state: State::Offline,
            was_online: false,
            store_failed: false,
        };
        drive.take_up()?;
        Ok(drive)
    }

    /// The first step: what is owed comes out again.
    fn take_up(&mut self) -> Result<(), Failure> {
        let mut step = self.machine.begin(now(), &mut self.rng);
        let seen = step.call(self.ledger, |_, cx| Ledger::seen(cx));
        step.feed(Input::Tick);
        let mut outputs = step.commit(&mut self.store).map_err(|e| Failure::coded(&e.source))?;
        let seen = outputs.reply(&seen).ok_or_else(engine_failed)?;
        let owed = outputs.iter().filter(|(_, output)| output.is_owed());
        self.hub = Hub::new(seen, owed.clone().map(|(id, _)| id.0).max().unwrap_or_default());
        let leaving: HashSet<String> = owed
            .filter_map(|(_, output)| match output {
                Output::Transmit { id, .. } => Some(id.to_string()),
                _ => None,
            })
            .collect();
        for id in leaving {
            if let Some(sent) = self.sent(&id)? {
                self.sends.accept(&id, &sent.to);
                self.sends.encrypted(&id, sent.devices);
            }
        }
        self.take(outputs);
        if self.hub.seen() != seen {
            self.facts.push(Fact::Seen(self.hub.seen()));
        }
        Ok(())
    }

    /// Runs until it is told to stop, or nobody is left who could tell.
    pub async fn run(mut self, mut jobs: mpsc::UnboundedReceiver<Job>) {
        let mut batch = Vec::new();
        loop {
            let idle = self.facts.is_empty() && self.waiting.is_empty();
            tokio::select! {
                count = jobs.recv_many(&mut batch, TOGETHER) => if count == 0 { return },
                () = pause(self.machine.wake_at()), if idle => self.facts.push(Fact::Input(Input::Tick)),
                () = tokio::time::sleep(STORE_PAUSE), if self.store_failed => {}
                () = std::future::ready(()), if !idle && !self.store_failed => {}
            }
            let mut end = None;
            for job in batch.drain(..) {
                match job {
                    Job::Call(call, waiter) => self.call(call, waiter),
                    Job::Subscribe(subscriber) => self.waiting.push(subscriber),
                    Job::Shown(seq) => self.facts.extend(self.hub.shown(seq).map(|id| Fact::Input(Input::Done(id)))),
                    Job::Link(said) => self.said(said),
                    Job::Remember(login, waiter) => self.facts.push(Fact::Login(login, waiter)),
                    Job::Settled(waiter) => self.settling.push(Settling::Joined(waiter)),
                    Job::Leave(waiter) => {
                        self.facts.push(Fact::Leave);
                        self.settling.push(Settling::Left(waiter));
                    }
                    Job::Stop(_) | Job::Erase(_) => end = Some(job),
                }
            }
            if let Some(end) = end {
                return self.end(end);
            }
            if !self.waiting.is_empty() && !self.hub.seen().showing {
                self.facts.push(Fact::Seen(self.hub.showing()));
            }
            self.commit();
            if self.hub.seen().showing {
                for subscriber in self.waiting.drain(..) {
                    let note = Connection { account: self.account.clone(), state: self.state, reason: None };
                    let _ = subscriber.send(Notification::Connection(note));
                    self.hub.subscribe(subscriber);
                }
            }
            self.settle();
        }
    }
    fn end(mut self, how: Job) {
        self.hub.close();
        self.facts.push(Fact::Seen(self.hub.at_end()));
        self.commit();
        match how {
            Job::Erase(waiter) => {
                let erased = self.store.erase().map_err(|e| Failure::coded(&e));
                let _ = waiter.send(erased.map(|()| json!({})));
            }
            Job::Stop(done) => {
                drop(self.store);
                let _ = done.send(());
            }
            _ => {}
        }
    }
    /// Answers who waited for the server's answers, when there are none to wait for.
    fn settle(&mut self) {
        if self.settling.is_empty() || !self.facts.is_empty() || !self.asked.is_empty() || self.state != State::Online {
            return;
        }
        for settling in std::mem::take(&mut self.settling) {
            let (waiter, answer) = match settling {
                Settling::Left(waiter) => (waiter, Ok(json!({}))),
                Settling::Devices(owner, waiter) => (waiter, self.listed(&owner)),
                Settling::Joined(waiter) => match self.look(self.omemo, |omemo, cx| omemo.is_published(cx)) {
                    Ok(false) => {
                        self.settling.push(Settling::Joined(waiter));
                        continue;
                    }
                    other => (waiter, other.map(|_| json!({}))),
                },
            };
            let _ = waiter.send(answer);
        }
    }

    /// One step of all facts.
    fn commit(&mut self) {
        if self.facts.is_empty() {
            return;
        }
        let ledger = self.ledger;
        let mut step = self.machine.begin(now(), &mut self.rng);
        let mut kept = Vec::with_capacity(self.facts.len());
        for fact in self.facts.drain(..) {
            kept.push(match fact {
                Fact::Input(input) => {
                    step.feed(input);
                    Kept::Input
                }
                Fact::Handled(mark) => Kept::Fact(Fact::Handled(mark)),
                Fact::Pin(pin) => {
                    let stored = pin.clone();
                    step.call(ledger, move |_, cx| Ledger::set_pin(cx, &stored));
                    Kept::Fact(Fact::Pin(pin))
                }
                Fact::Accept(send, id) => {
                    let (row, to) = (id.clone(), send.to.clone());
                    step.call(ledger, move |_, cx| Ledger::accept(cx, &row, &to));
                    step.feed(message(&send, &id));
                    Kept::Accept(id)
                }
                Fact::Decide(device, key, trust, waiter) => {
                    step.feed(Input::SetTrust(device, key, trust));
                    Kept::Decide(waiter)
                }
                Fact::Leaving(id, devices) => {
                    let (row, list) = (id.clone(), devices.clone());
                    step.call(ledger, move |_, cx| Ledger::leaving(cx, &row, &list));
                    Kept::Fact(Fact::Leaving(id, devices))
                }
                Fact::Acknowledged(id) => {
                    let row = id.clone();
                    step.call(ledger, move |_, cx| Ledger::acknowledged(cx, &row));
                    Kept::Fact(Fact::Acknowledged(id))
                }
                Fact::Failed(id) => {
                    let row = id.clone();
                    step.call(ledger, move |_, cx| Ledger::failed(cx, &row));
                    Kept::Fact(Fact::Failed(id))
                }
                Fact::Login(mut login, waiter) => {
                    login.pin = login.pin.or_else(|| self.pin.clone());
                    step.call(ledger, move |_, cx| Ledger::set_login(cx, &login));
                    Kept::Told(waiter)
                }
                Fact::Leave => {
                    step.call(self.omemo, |omemo, cx| omemo.unpublish(cx));
                    Kept::Fact(Fact::Leave)
                }
                Fact::Refresh(owner) => {
                    let whose = owner.clone();
                    step.call(self.omemo, move |omemo, cx| omemo.refresh_devices(cx, &whose));
                    Kept::Fact(Fact::Refresh(owner))
                }
                Fact::Seen(seen) => {
                    step.call(ledger, move |_, cx| Ledger::set_seen(cx, seen));
                    Kept::Fact(Fact::Seen(seen))
                }
            });
        }
        match step.commit(&mut self.store) {
            Ok(outputs) => {
                self.store_failed = false;
                tracing::trace!(facts = kept.len(), outputs = outputs.len(), "stored a step");
                kept.into_iter().for_each(|kept| self.stored(kept));
                self.take(outputs);
            }
            Err(e) => {
                let failure = Failure::coded(&e.source);
                self.not_stored(kept, e.inputs, &failure);
            }
        }
    }
    /// What may be done because it is on disk.
    fn stored(&mut self, kept: Kept) {
        match kept {
            Kept::Fact(Fact::Handled(mark)) => self.link.handled(mark),
            Kept::Decide(waiter) | Kept::Told(waiter) => drop(waiter.send(Ok(json!({})))),
            Kept::Fact(Fact::Acknowledged(id)) => self.sends.complete(&id),
            Kept::Fact(Fact::Seen(seen)) => self.hub.set_seen(seen),
            Kept::Input | Kept::Accept(_) | Kept::Fact(_) => {}
        }
    }
    /// Callers are told; the rest is tried again, in its order.
    fn not_stored(&mut self, kept: Vec<Kept>, inputs: Vec<Input>, failure: &Failure) {
        if !self.store_failed {
            tracing::error!(code = %failure.code, "{failure}");
            self.report(Some(failure.sentence.clone()));
        }
        self.store_failed = true;
        let mut inputs = inputs.into_iter();
        let mut again = Vec::with_capacity(kept.len());
        for kept in kept {
            match kept {
                Kept::Input => again.extend(inputs.next().map(Fact::Input)),
                Kept::Accept(id) => {
                    inputs.next();
                    self.sends.refused(&id, failure);
                }
                Kept::Told(waiter) => drop(waiter.send(Err(failure.clone()))),
                Kept::Decide(waiter) => {
                    inputs.next();
                    let _ = waiter.send(Err(failure.clone()));
                }
                Kept::Fact(fact) => again.push(fact),
            }
        }
        again.append(&mut self.facts);
        self.facts = again;
    }

    /// What a step let out.
    fn take(&mut self, outputs: Outputs) {
        // events first: what a message's report says is known before its stanzas are counted
        let (events, rest): (Vec<_>, Vec<_>) = outputs.into_iter().partition(|(_, output)| matches!(output, Output::Event(_)));
        for (id, output) in events.into_iter().chain(rest) {
            match output {
                Output::Event(event) => self.event(id, event),
                // an error sent back would tell strangers that somebody is there, and bridges that nobody is
                Output::Refuse { .. } => self.facts.push(Fact::Input(Input::Done(id))),
                Output::Transmit { id: ref message, .. } => {
                    if self.sends.transmit(id, message.as_str()) {
                        self.link.put(id, output);
                    }
                }
                Output::Request(request, _) => {
                    self.asked.insert(request);
                    self.link.put(id, output);
                }
                _ => tracing::debug!("an output that this program has no use for"),
            }
        }
    }
    fn event(&mut self, id: OutputId, event: Event) {
        // what it is, never what it says
        match &event {
            Event::Message { chat, .. } => tracing::debug!(output = id.0, chat = %chat.0, "a message came"),
            Event::NotReceived { chat, why, .. } => {
                tracing::debug!(output = id.0, chat = %chat.0, reason = why.reason.code(), "a message can't be read")
            }
            Event::Sent { id: message, report, .. } => tracing::debug!(output = id.0, %message, devices = report.len(), "a message leaves"),
            Event::Waiting { id: message } => tracing::debug!(%message, "a message waits for keys"),
            Event::NotSent { id: message, why, .. } => {
                tracing::debug!(output = id.0, %message, reason = why.reason.code(), "a message does not leave")
            }
            _ => tracing::debug!(output = id.0, "a device has news"),
        }
        let owed = match event {
            Event::Waiting { .. } => return,
            Event::Sent { id: message, report, .. } => {
                let devices = super::ledger::results(&report);
                self.reopen(message.as_str());
                self.sends.encrypted(message.as_str(), devices.clone());
                self.facts.push(Fact::Leaving(message.to_string(), devices));
                None
            }
            Event::NotSent { id: message, why, report, .. } => {
                self.facts.push(Fact::Failed(message.to_string()));
                let devices = super::ledger::results(&report);
                let to = self.sends.recipient(message.as_str()).map(str::to_owned);
                let failure = notes::not_sent_failure(message.as_str(), to.as_deref(), &why, &devices);
                let heard = self.sends.refused(message.as_str(), &failure);
                (!heard).then(|| notes::not_sent(&self.account, id, message.as_str(), &why, devices))
            }
            event => notes::of(&self.account, id, event),
        };
        match owed {
            Some(note) => self.hub.owe(id, note),
            None => self.facts.push(Fact::Input(Input::Done(id))),
        }
    }

    /// A message that an earlier process accepted and that leaves only now.
    fn reopen(&mut self, id: &str) {
        if self.sends.recipient(id).is_none()
            && let Ok(Some(sent)) = self.sent(id)
        {
            self.sends.accept(id, &sent.to);
        }
    }

    /// What the connection says.
    fn said(&mut self, said: link::Said) {
        match said {
            link::Said::Input(input) => {
                if let Input::Answer(request, _) = &input {
                    self.asked.remove(request);
                }
                self.facts.push(Fact::Input(input));
            }
            link::Said::Received(inputs, mark) => {
                self.facts.extend(inputs.into_iter().map(Fact::Input));
                self.facts.push(Fact::Handled(mark));
            }
            link::Said::Pinned(pin) => {
                self.pin = Some(pin.clone());
                self.facts.push(Fact::Pin(pin));
            }
            link::Said::Unsendable(output, failure) => {
                if let Some(id) = self.sends.message(output) {
                    self.sends.refused(&id, &failure);
                    self.facts.push(Fact::Failed(id));
                }
                self.facts.push(Fact::Input(Input::Done(output)));
            }
            link::Said::Bounced(id, from, condition) => {
                let note = types::Bounced { account: self.account.clone(), id, from, condition };
                self.hub.tell(&Notification::Bounced(note));
            }
            link::Said::Acknowledged(output) => {
                let over = self.sends.acknowledged(output);
                self.facts.push(Fact::Input(Input::Done(output)));
                self.facts.extend(over.map(Fact::Acknowledged));
            }
            link::Said::State(state, failure) => {
                self.was_online |= state == State::Online;
                // a line that was lost is waited for; one that never was, or that nobody will try again, is not
                if let Some(failure) = failure.as_ref().filter(|_| !self.was_online || state == State::Refused) {
                    self.sends.unreachable(failure);
                    for settling in self.settling.drain(..) {
                        let (Settling::Joined(waiter) | Settling::Left(waiter) | Settling::Devices(_, waiter)) = settling;
                        let _ = waiter.send(Err(failure.clone()));
                    }
                }
                let changed = state != self.state || failure.is_some();
                self.state = state;
                match &failure {
                    Some(failure) => tracing::info!(?state, code = %failure.code, "connection"),
                    None => tracing::info!(?state, "connection"),
                }
                if changed {
                    self.report(failure.map(|f| f.sentence));
                }
            }
        }
    }
    fn report(&mut self, reason: Option<String>) {
        let note = Connection { account: self.account.clone(), state: self.state, reason };
        self.hub.tell(&Notification::Connection(note));
    }

    fn call(&mut self, call: Call, waiter: Waiter) {
        let answer = match call {
            Call::Send(send) => return self.send(send, waiter),
            Call::Trust(trust) => match self.decide(&trust) {
                Ok((device, key, level)) => return self.facts.push(Fact::Decide(device, key, level, waiter)),
                Err(failure) => Err(failure),
            },
            Call::Status(_) => self.status(),
            Call::Devices(devices) => return self.devices(devices.jid.as_deref(), waiter),
            Call::Logout(_) | Call::Version(_) | Call::Subscribe(_) | Call::Shown(_) => Err(Failure::bug("this call is answered elsewhere")),
        };
        let _ = waiter.send(answer);
    }
    fn send(&mut self, send: SendText, waiter: Waiter) {
        if let Err(failure) = self.try_send(send, waiter) {
            let (waiter, failure) = *failure;
            let _ = waiter.send(Err(failure));
        }
    }
    fn try_send(&mut self, mut send: SendText, waiter: Waiter) -> Result<(), Box<(Waiter, Failure)>> {
        let to = match crate::home::bare(&send.to) {
            Ok(to) => to,
            Err(failure) => return Err(Box::new((waiter, failure))),
        };
        send.to = to;
        let Some(id) = send.id.clone() else {
            return Err(Box::new((waiter, Failure::bug("a message without an id"))));
        };
        let other = |to: &str| {
            let sentence = format!("the id {id} was used for a message to {to} before; choose another");
            Failure::new("send.id-used", FaultName::Caller, sentence)
        };
        if let Some(to) = self.sends.recipient(&id) {
            if to != send.to {
                return Err(Box::new((waiter, other(to))));
            }
            self.sends.wait(&id, None, waiter);
            return Ok(());
        }
        let before = match self.sent(&id) {
            Ok(before) => before,
            Err(failure) => return Err(Box::new((waiter, failure))),
        };
        match before {
            Some(sent) if sent.to != send.to => return Err(Box::new((waiter, other(&sent.to)))),
            Some(sent) => {
                self.sends.accept(&id, &send.to);
                self.sends.wait(&id, Some(sent.devices), waiter);
                if sent.stage != Stage::Accepted {
                    self.sends.complete(&id); // no stanza of it is owed: it would be open
                }
            }
            None => {
                self.sends.accept(&id, &send.to);
                self.sends.wait(&id, None, waiter);
                self.facts.push(Fact::Accept(send, id));
            }
        }
        Ok(())
    }
    fn sent(&mut self, id: &str) -> Result<Option<Sent>, Failure> {
        let id = id.to_owned();
        self.look(self.ledger, move |_, cx| Ledger::sent(cx, &id))
    }
    fn decide(&mut self, wanted: &types::SetTrust) -> Result<(Device, Fingerprint, Trust), Failure> {
        let owner = Address::from(crate::home::bare(&wanted.jid)?.as_str());
        let device = Device::of(&owner, wanted.device);
        let known = self.identities(&owner)?;
        let current = known.iter().find(|i| i.device == device && i.current).map(|i| i.key);
        let key = match &wanted.fingerprint {
            Some(text) => {
                let key = notes::fingerprint(text)?;
                let met = known.iter().any(|i| i.device == device && i.key == key);
                if !met {
                    return Err(Failure::new(
                        "trust.key",
                        FaultName::Caller,
                        format!("device {device} has not shown that key; compare with `subrosa devices {owner}`"),
                    ));
                }
                key
            }
            None => current.ok_or_else(|| {
                let sentence = format!("no key of device {device} is known yet; see `subrosa devices {owner}`");
                Failure::new("trust.device", FaultName::Caller, sentence)
            })?,
        };
        Ok((device, key, notes::trust_of(wanted.level)))
    }
    fn status(&mut self) -> Result<serde_json::Value, Failure> {
        let own = self.look(self.omemo, |omemo, cx| Ok(omemo.own_device(cx)?.zip(omemo.fingerprint(cx)?)))?;
        notes::value(&types::AccountStatus {
            account: self.account.clone(),
            device: own.as_ref().and_then(|(device, _)| super::ledger::number(&device.id)),
            fingerprint: own.map(|(_, key)| crate::home::hex(&key.0)),
            connection: self.state,
            queued: self.sends.len(),
            unread: self.hub.unseen(),
            policy: self.policy,
        })
    }
    /// Of somebody who was never met the server is asked first.
    fn devices(&mut self, jid: Option<&str>, waiter: Waiter) {
        let owner = match jid.map(crate::home::bare).transpose() {
            Ok(jid) => jid.map_or_else(|| self.me.clone(), |jid| Address::from(jid.as_str())),
            Err(failure) => return drop(waiter.send(Err(failure))),
        };
        let known = self.look(self.omemo, |omemo, cx| omemo.devices(cx, &owner).map(|all| !all.is_empty()));
        match known {
            Ok(false) => {
                self.link.connect();
                self.facts.push(Fact::Refresh(owner.clone()));
                self.settling.push(Settling::Devices(owner, waiter));
            }
            Ok(true) => drop(waiter.send(self.listed(&owner))),
            Err(failure) => drop(waiter.send(Err(failure))),
        }
    }
    fn listed(&mut self, owner: &Address) -> Result<serde_json::Value, Failure> {
        let all = self.look(self.omemo, |omemo, cx| omemo.devices(cx, owner))?;
        let mut devices: Vec<_> = all.iter().map(notes::device_info).collect();
        devices.extend(self.identities(owner)?.iter().filter(|i| !i.current).map(notes::former));
        notes::value(&types::DeviceList { devices })
    }
    fn identities(&mut self, owner: &Address) -> Result<Vec<subrosa_engine::Identity>, Failure> {
        self.look(self.omemo, |_, cx| cx.identities(owner))
    }
    /// How to log in, if that is stored.
    pub fn login(&mut self) -> Result<Option<Login>, Failure> {
        self.look(self.ledger, |_, cx| Ledger::login(cx))
    }
    /// Reads something: a step that changes nothing, so that nothing is committed.
    fn look<E: Engine, T: Send + 'static>(
        &mut self,
        engine: Installed<E>,
        f: impl FnMut(&E, &mut Context<'_>) -> Result<T, Halt> + Send,
    ) -> Result<T, Failure> {
        let mut step = self.machine.begin(now(), &mut self.rng);
        let reply = step.call(engine, f);
        let mut outputs = step.commit(&mut self.store).map_err(|e| Failure::coded(&e.source))?;
        let value = outputs.reply(&reply);
        self.take(outputs);
        value.ok_or_else(engine_failed)
    }
}

/// Who waits until the server has answered all.
enum Settling {
    Joined(Waiter),
    Left(Waiter),
    Devices(Address, Waiter),
}

/// What a fact leaves behind while its step is committed.
enum Kept {
    Input,
    Accept(String),
    Decide(Waiter),
    Told(Waiter),
    Fact(Fact),
}

fn message(send: &SendText, id: &str) -> Input {
    let to = Address::from(send.to.as_str());
    Input::Send {
        id: MessageId::from(id),
        chat: ChatId(to.clone()),
        to: Recipients::People(vec![to]),
        kind: Kind::Text,
        plain: Plaintext::text(&send.text),
    }
}
fn engine_failed() -> Failure {
    Failure::bug("the engine failed; run with -v and see the log")
}
/// The clock.
pub fn now() -> Time {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Time(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}
async fn pause(until: Option<Time>) {
    match until {
        Some(time) => tokio::time::sleep(Duration::from_millis(time.0.saturating_sub(now().0))).await,
        None => std::future::pending().await,
    }
}
