//! The machine's thread: takes what waits, makes one step of it, commits, and only then lets anything out.
//!
//! Everything that changes the store is a [`Fact`]; facts survive a commit that fails and are tried again, all but what
//! a caller is told has failed. An answer is given to a caller after the commit that holds it; an incoming stanza is
//! acknowledged to the server when the history has what came of it, too.
use super::blocked::Blocked;
use super::catch_up::Reading;
use super::chats::Chats;
use super::clear::Questions;
use super::contacts::Contacts;
use super::hub::Hub;
use super::ledger::{Ledger, Login};
use super::link::{self, Link};
use super::rooms::RoomBook;
use super::safekeeping::Beside;
use super::sends::{Sends, Waiter};
use super::step::Fact;
use crate::config::TrustPolicy;
use crate::engine::Choice;
use crate::failure::Failure;
use crate::rpc::Call;
use crate::rpc::server::Subscriber;
use crate::rpc::types::{Connection, Notification, ReplaceSession, State};
use getrandom::SysRng;
use rand_core::UnwrapErr;
use serde_json::json;
use std::collections::HashSet;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use subrosa_engine::{Address, Context, Engine, Halt, Input, Installed, Machine, MessageId, Output, OutputId, Outputs, RequestId, Time, Wire};
use subrosa_engines::Completions;
use subrosa_history::History;
use subrosa_omemo::{Imported, Omemo};
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
    /// The engine has finished something on a thread of its own.
    Completed,
    /// A notification was given to somebody who did not show it.
    Passed(u64),
    /// From the connection.
    Link(link::Said),
    /// Store how to log in.
    Remember(Login, Waiter),
    /// Take over an identity that another program had.
    Import(Box<Imported>, Waiter),
    /// Answer when the device is published and nothing is asked of the server any more.
    Settled(Waiter),
    /// What a thread beside this one needs of it.
    Beside(super::safekeeping::Work),
    /// Withdraw the device; answer when the server has taken it.
    Leave(Waiter),
    /// As `Stop`, and the store erases itself.
    Erase(Waiter),
    /// End in good order; the answer comes when all is stored.
    Stop(oneshot::Sender<()>),
    /// As if the disk had room for so many pages; 0: enough.
    #[cfg(test)]
    Room(u32),
    /// As if the history's disk were full, or not any more.
    #[cfg(test)]
    HistoryFull(bool),
}

/// One account's machine and what belongs to it.
pub struct Drive {
    pub(super) account: String,
    pub(super) me: Address,
    pub(super) machine: Machine,
    /// Closed before the store: whoever finds that free finds the history free.
    pub(super) chats: Chats,
    pub(super) store: SqliteStore,
    pub(super) ledger: Installed<Ledger>,
    pub(super) omemo: Installed<Omemo>,
    pub(super) policy: TrustPolicy,
    pub(super) engine: Choice,
    /// What the engine finishes by itself.
    completions: Option<Completions>,
    pub(super) rng: UnwrapErr<SysRng>,
    pub(super) facts: Vec<Fact>,
    pub(super) sends: Sends,
    pub(super) hub: Hub,
    pub(super) contacts: Contacts,
    pub(super) blocked: Blocked,
    pub(super) rooms: RoomBook,
    pub(super) reading: Reading,
    pub(super) beside: Beside,
    pub(super) questions: Questions,
    /// Of an archive that was never read, so many days.
    pub(super) first_days: u64,
    /// When this device began.
    pub(super) born: Time,
    /// The last output that an earlier process left.
    pub(super) left: OutputId,
    pub(super) waiting: Vec<Subscriber>,
    /// Asked of the server and not answered.
    pub(super) asked: HashSet<RequestId>,
    pub(super) settling: Vec<Settling>,
    pub(super) pin: Option<String>,
    pub(super) link: Link,
    pub(super) state: State,
    /// What kept it from being online, until it is.
    pub(super) trouble: Option<Failure>,
    /// Since this process began.
    pub(super) was_online: bool,
    pub(super) store_failed: bool,
}

impl Drive {
    /// Takes up what earlier processes left.
    pub fn new(
        account: &str,
        (mut machine, omemo): (Machine, Installed<Omemo>),
        (store, history): (SqliteStore, History),
        (policy, first_days): (TrustPolicy, u64),
        (engine, completions): (Choice, Option<Completions>),
        link: Link,
        beside: Beside,
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
            engine,
            completions,
            rng: UnwrapErr(SysRng),
            facts: Vec::new(),
            sends: Sends::default(),
            hub: Hub::default(),
            chats: Chats::new(history)?,
            contacts: Contacts::default(),
            blocked: Blocked::default(),
            rooms: RoomBook::default(),
            reading: Reading::default(),
            beside,
            questions: Questions::default(),
            first_days,
            born: Time(0),
            left: OutputId(0),
            waiting: Vec::new(),
            asked: HashSet::new(),
            settling: Vec::new(),
            pin: None,
            link,
            state: State::Offline,
            trouble: None,
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
        let rooms = step.call(self.ledger, |_, cx| Ledger::rooms(cx));
        let born = step.call(self.ledger, |_, cx| Ledger::born(cx));
        let allowed = step.call(self.ledger, |_, cx| Ledger::allowed(cx));
        step.feed(Input::Tick);
        let mut outputs = step.commit(&mut self.store).map_err(|e| Failure::coded(&e.source))?;
        let seen = outputs.reply(&seen).ok_or_else(engine_failed)?;
        self.rooms = RoomBook::new(outputs.reply(&rooms).ok_or_else(engine_failed)?);
        // the clock may have been ahead then
        self.born = outputs.reply(&born).ok_or_else(engine_failed)?.min(now());
        self.questions = Questions::new(outputs.reply(&allowed).ok_or_else(engine_failed)?);
        let owed = outputs.iter().filter(|(_, output)| output.is_owed());
        self.left = owed.clone().map(|(id, _)| *id).max().unwrap_or(OutputId(0));
        self.hub = Hub::new(seen, self.left.0);
        self.take_up_rooms();
        let leaving: HashSet<String> = owed
            .filter_map(|(_, output)| match output {
                Output::Transmit { id, .. } => Some(id.to_string()),
                _ => None,
            })
            .collect();
        for id in leaving {
            if let Some(sent) = self.sent(&id)? {
                self.sends.accept(&id, &sent.to);
                self.sends.encrypted(&id, sent.report);
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
            let idle = self.facts.is_empty() && self.waiting.is_empty() && !self.chats.is_waiting();
            tokio::select! {
                count = jobs.recv_many(&mut batch, TOGETHER) => if count == 0 { return },
                () = pause(self.machine.wake_at()), if idle => self.facts.push(Fact::Input(Input::Tick)),
                () = pause(self.reading.wake_at()), if idle => self.go_on_reading(),
                () = tokio::time::sleep(STORE_PAUSE), if self.store_failed => {}
                () = std::future::ready(()), if !idle && !self.store_failed => {}
            }
            let mut end = None;
            for job in batch.drain(..) {
                match job {
                    Job::Call(call, waiter) => self.call(call, waiter),
                    Job::Subscribe(subscriber) => self.waiting.push(subscriber),
                    Job::Completed => self.facts.extend(self.completions.iter().flat_map(Completions::drain).map(Fact::Input)),
                    Job::Shown(seq) => {
                        let shown = self.hub.shown(seq).map(|id| self.done(id));
                        self.facts.extend(shown);
                    }
                    Job::Passed(seq) => self.hub.passed(seq),
                    Job::Link(said) => self.said(said),
                    Job::Remember(login, waiter) => self.facts.push(Fact::Login(login, waiter)),
                    Job::Import(imported, waiter) => self.import(*imported, waiter),
                    Job::Settled(waiter) => self.settling.push(Settling::Joined(waiter)),
                    Job::Beside(work) => work(&mut self),
                    Job::Leave(waiter) => self.settling.push(Settling::Leave(waiter)),
                    #[cfg(test)]
                    Job::Room(pages) => self.store.limit_pages(pages).expect("limits"),
                    #[cfg(test)]
                    Job::HistoryFull(full) => self.chats.full = full,
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
            self.keep();
            if self.hub.seen().showing {
                for subscriber in std::mem::take(&mut self.waiting) {
                    let _ = subscriber.send(self.connection(self.trouble.as_ref()));
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
        self.keep();
        self.commit(); // what the history has need not come again
        match how {
            Job::Erase(waiter) => {
                drop(self.chats); // its file goes with the directory
                let erased = self.store.erase().map_err(|e| Failure::coded(&e));
                let _ = waiter.send(erased.map(|()| json!({})));
            }
            Job::Stop(done) => {
                drop((self.chats, self.store));
                let _ = done.send(());
            }
            _ => {}
        }
    }
    /// Answers who waited for the server's answers, when there are none to wait for.
    pub(super) fn settle(&mut self) {
        if self.settling.is_empty() || !self.facts.is_empty() || !self.asked.is_empty() || self.state != State::Online {
            return;
        }
        for settling in std::mem::take(&mut self.settling) {
            // who was told that nobody answered does not want it any more
            if settling.is_over() {
                continue;
            }
            let (waiter, answer) = match settling {
                // not before: a device that began to leave never comes back
                Settling::Leave(waiter) => {
                    self.facts.push(Fact::Leave);
                    self.settling.push(Settling::Left(waiter));
                    continue;
                }
                Settling::Left(waiter) => (waiter, Ok(json!({}))),
                Settling::Devices(owner, waiter) => (waiter, self.listed(&owner)),
                Settling::Replace(wanted, waiter) => match self.replace_now(&wanted) {
                    Ok(()) => {
                        self.when_answered(waiter);
                        continue;
                    }
                    Err(failure) => (waiter, Err(failure)),
                },
                Settling::Remove(device, waiter) => {
                    self.remove_now(device, waiter);
                    continue;
                }
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
    /// What was asked of the server just now is waited for, if anything was.
    pub(super) fn when_answered(&mut self, waiter: Waiter) {
        if self.facts.is_empty() && self.asked.is_empty() {
            let _ = waiter.send(Ok(json!({})));
        } else {
            self.settling.push(Settling::Left(waiter));
        }
    }

    /// What a step let out.
    pub(super) fn take(&mut self, outputs: Outputs) {
        let leaves_in_clear = |output: &Output| match output {
            Output::Transmit { id, wire: Wire::Clear { .. }, .. } => Some(id.clone()),
            _ => None,
        };
        let in_clear: HashSet<MessageId> = outputs.iter().filter_map(|(_, output)| leaves_in_clear(output)).collect();
        // events first: what a message's report says is known before its stanzas are counted
        let (events, rest): (Vec<_>, Vec<_>) = outputs.into_iter().partition(|(_, output)| matches!(output, Output::Event(_)));
        for (id, output) in events.into_iter().chain(rest) {
            match output {
                Output::Event(event) => self.event(id, event, &in_clear),
                // what an engine says to its other side; OMEMO says nothing: to other clients an error is a lost message
                Output::Refuse { .. } if self.engine.other().is_some() => self.link.put(id, output),
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
    pub(super) fn report(&mut self, failure: Option<&Failure>) {
        let note = self.connection(failure);
        self.hub.tell(&note);
    }
    fn connection(&self, failure: Option<&Failure>) -> Notification {
        let (reason, code) = (failure.map(|f| f.sentence.clone()), failure.map(|f| f.code.clone()));
        Notification::Connection(Connection { account: self.account.clone(), state: self.state, reason, code })
    }

    /// Reads something: a step that changes nothing, so that nothing is committed.
    pub(super) fn look<E: Engine, T: Send + 'static>(
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
pub enum Settling {
    Joined(Waiter),
    Left(Waiter),
    Devices(Address, Waiter),
    /// Then this device leaves.
    Leave(Waiter),
    /// Then the session is set up anew.
    Replace(ReplaceSession, Waiter),
    /// Then this device of the account's own is taken off.
    Remove(u32, Waiter),
}
impl Settling {
    /// Nobody waits any more.
    fn is_over(&self) -> bool {
        match self {
            Settling::Joined(waiter) | Settling::Left(waiter) | Settling::Leave(waiter) => waiter.is_closed(),
            Settling::Devices(_, waiter) | Settling::Replace(_, waiter) | Settling::Remove(_, waiter) => waiter.is_closed(),
        }
    }
    /// Who waits.
    pub fn waiter(self) -> Waiter {
        match self {
            Settling::Joined(waiter) | Settling::Left(waiter) | Settling::Leave(waiter) => waiter,
            Settling::Devices(_, waiter) | Settling::Replace(_, waiter) | Settling::Remove(_, waiter) => waiter,
        }
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
