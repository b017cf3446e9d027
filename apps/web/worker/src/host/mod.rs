//! One account in this browser: the machine, its store, and what the pages are told. Sans-IO but for the store: frames and calls in,
//! [`Out`]s out, the time passed in.
//!
//! | | |
//! |---|---|
//! | `calls` | what a page asks |
//! | `archive` | what the gateway says |
//! | `outcome` | what the machine lets out |
//! | `messages` | messages and chats: what is shown, and its rows |
//!
//! Invariants: the place in the archive, the machine's step and the application's rows are one transaction; a page is told, and the gateway is
//! sent, only what is stored; a step that can't be stored is kept and tried again, nobody is told that it is done.
mod archive;
mod calls;
mod convert;
mod messages;
mod outcome;
#[cfg(test)]
mod tests;

#[cfg(target_arch = "wasm32")]
pub use convert::failure;

use crate::rows::{self, Account, BANNERS, CHATS, ChatRow, Cursor, Row as _};
use crate::shelf::{At, Rows, Shelf};
use rand_core::CryptoRng;
use std::collections::HashMap;
use subrosa_engine::{Address, ClearTextQuestion, CommitError, Context, Engine, Halt, Input, Installed, Machine, OutputId, Outputs, Reply, Time};
use subrosa_omemo::Omemo;
use subrosa_web_api::page::{Answer, Banner, Link, Me, Told};
use subrosa_web_api::socket::{Request, ToGateway};
use subrosa_web_api::{Failure, Jid, MessageId, Seq};

/// Inputs that are worth a step of their own: a caller with more takes a step between.
pub const TOGETHER: usize = 256;
/// How long a call waits for the server's answers before it tells what is known.
const PATIENCE: u64 = 8_000;

/// A page's call: where its answer goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Caller {
    /// Which page.
    pub port: u32,
    /// Its number for the call.
    pub n: u32,
}
/// What has to happen outside.
#[derive(Debug)]
pub enum Out {
    /// Answer a page.
    Reply(Caller, Result<Answer, Failure>),
    /// Tell all pages.
    Tell(Told),
    /// To the gateway, if it is there; what has to arrive is sent again at the next [`Host::welcome`].
    Gateway(ToGateway),
    /// The device is off the account (or can't be told): log out, erase everything, answer.
    Erase(Caller),
}

/// What goes into a step. Survives a commit that fails.
enum Fact {
    Input(Input),
    /// Whose device lists are asked for anew.
    Refresh(Address),
    /// The device leaves the account.
    Leave,
}

/// A stanza of ours that the archive does not have.
struct Leaving {
    id: MessageId,
    part: u16,
    frame: ToGateway,
}
/// Who waits for answers of the server.
struct Settling {
    caller: Caller,
    wanted: Wanted,
    until: Time,
}
/// For what.
enum Wanted {
    /// Somebody's devices.
    Devices(Address),
    /// This device leaves; `anyway`: although the server does not confirm it.
    Leave { anyway: bool },
}

/// How far the way out is open.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Way {
    NoGateway(Option<Failure>),
    /// The gateway is there.
    Gateway(Option<Failure>),
    Server,
    LoggedOut(Failure),
    WrongVersion,
}

/// The host.
pub struct Host<S: Shelf, R> {
    account: Account,
    me: Me,
    machine: Machine,
    omemo: Installed<Omemo>,
    rng: R,
    rows: Rows<S>,
    facts: Vec<Fact>,
    /// Told when what was written before is stored.
    after: Vec<Out>,
    out: Vec<Out>,
    /// The last event that was taken; `None`: this device is new.
    cursor: Option<Seq>,
    chats: HashMap<Jid, ChatRow>,
    /// In the order of their numbers.
    banners: Vec<Banner>,
    /// In the order of release.
    leaving: Vec<(OutputId, Leaving)>,
    /// Questions to the server that are open.
    asked: HashMap<u64, Request>,
    settling: Vec<Settling>,
    /// Of messages that a person may send in clear; their event is owed until he has decided.
    questions: HashMap<MessageId, (OutputId, ClearTextQuestion)>,
    /// Those that a person has allowed, before the question came (again).
    allowed: Vec<MessageId>,
    last_pending: u64,
    way: Way,
    published: bool,
    catching_up: bool,
    /// A new device: what the gateway has of contacts and read positions comes first, older than where the archive begins for it.
    begins: Option<Seq>,
    /// What the gateway's clock is ahead of ours, in milliseconds.
    ahead: i64,
    now: Time,
    trouble: Option<Failure>,
    store_failed: bool,
}

impl<S: Shelf, R: CryptoRng + Send> Host<S, R> {
    /// Takes up what is in the store. `new`: an account to write into it first.
    ///
    /// # Errors
    /// A [`Failure`] to show: the store can't be read.
    pub async fn start(store: S, new: Option<Account>, rng: R, clock: Time) -> Result<Self, Failure> {
        let mut rows = Rows::new(store);
        let read = |e: S::Error| convert::failure(&e);
        if let Some(account) = &new {
            rows.set(rows::APP, At::Name(rows::ACCOUNT.into()), Some(account.to_row()));
            rows.stage();
            rows.store.flush().await.map_err(read)?;
            rows.committed();
        }
        let damaged = || Failure::new("store.damaged", "What this browser stored is damaged. Sign out, which erases it, and sign in again.");
        let account = rows.get(rows::APP, At::Name(rows::ACCOUNT.into())).await.map_err(read)?;
        let account = account.as_deref().and_then(Account::from_row).ok_or_else(damaged)?;
        let cursor = match rows.get(rows::APP, At::Name(rows::CURSOR.into())).await.map_err(read)? {
            Some(row) => Some(Cursor::from_row(&row).ok_or_else(damaged)?.0),
            None => None,
        };
        let chats = rows.store.all(CHATS).await.map_err(read)?;
        let chats = chats.iter().filter_map(|row| ChatRow::from_row(row)).map(|row| (row.chat.jid.clone(), row)).collect();
        let banners = rows.store.all(BANNERS).await.map_err(read)?;
        let banners = banners.iter().filter_map(|row| Banner::from_row(row)).collect();
        let banners = subrosa_engine::sorted_by_key(banners, |banner: &Banner| banner.id);
        let mut machine = Machine::new(Address::from(account.jid.as_str()));
        let omemo = machine.install(Omemo::default());
        machine.route(move |_chat| Some(omemo.id()));
        let me = Me { jid: account.jid.clone(), device: 0, fingerprint: String::new(), has_passphrase: account.has_passphrase };
        let mut host = Host {
            account,
            me,
            machine,
            omemo,
            rng,
            rows,
            facts: vec![Fact::Input(Input::Tick)], // the first step: what is owed comes out again
            after: Vec::new(),
            out: Vec::new(),
            cursor,
            chats,
            banners,
            leaving: Vec::new(),
            asked: HashMap::new(),
            settling: Vec::new(),
            questions: HashMap::new(),
            allowed: Vec::new(),
            last_pending: rows::PENDING,
            way: Way::NoGateway(None),
            published: false,
            catching_up: false,
            begins: None,
            ahead: 0,
            now: clock,
            trouble: None,
            store_failed: false,
        };
        host.step(clock).await.map_err(|e| convert::failure(&e))?;
        host.look_at_me().await;
        host.out.clear(); // no page has said hello yet
        Ok(host)
    }
    /// The account.
    pub fn account(&self) -> &Account {
        &self.account
    }
    /// What a page that has just come needs to know.
    pub fn snapshot(&self) -> Vec<Told> {
        vec![
            Told::Link(self.link()),
            Told::Chats(self.chats.values().map(|row| row.chat.clone()).collect()),
            Told::Banners(self.banners.clone()),
            Told::Trouble(self.trouble.clone()),
        ]
    }
    /// This device.
    pub fn me(&self) -> &Me {
        &self.me
    }
    /// So much waits that a step should be taken before more is given.
    pub fn is_laden(&self) -> bool {
        self.facts.len() >= TOGETHER
    }
    /// What has to happen outside, in this order. Empty again after it.
    pub fn take_out(&mut self) -> Vec<Out> {
        std::mem::take(&mut self.out)
    }
    /// When [`Host::step`] has something to do by itself.
    pub fn wake_at(&self) -> Option<Time> {
        let settling = self.settling.iter().map(|s| s.until);
        let retry = self.store_failed.then(|| self.now.after(std::time::Duration::from_secs(2)));
        let at = self.machine.wake_at().into_iter().chain(settling).chain(retry).min()?;
        Some(Time(at.0.saturating_add_signed(self.ahead.saturating_neg())))
    }

    /// Does all that waits, as one step or several. `clock`: this browser's.
    ///
    /// # Errors
    /// The store's, where it is worth nothing to go on: the host must be given up. A store that is only full is not: everything is kept
    /// and tried again.
    pub async fn step(&mut self, clock: Time) -> Result<(), S::Error> {
        self.now = Time(clock.0.saturating_add_signed(self.ahead));
        if self.machine.wake_at().is_some_and(|at| at <= self.now) {
            self.facts.push(Fact::Input(Input::Tick));
        }
        loop {
            while !self.facts.is_empty() || self.rows.is_changed() || !self.after.is_empty() {
                if !self.commit().await? {
                    return Ok(());
                }
            }
            self.settle().await;
            if matches!(self.way, Way::Server) && !self.published {
                self.look_at_me().await;
            }
            if self.facts.is_empty() {
                return Ok(());
            }
        }
    }
    /// One commit and no more: what a test lets happen before the worker dies.
    #[cfg(test)]
    async fn commit_once(&mut self, clock: Time) {
        self.now = clock;
        if !self.facts.is_empty() || self.rows.is_changed() || !self.after.is_empty() {
            let _ = self.commit().await;
        }
    }
    /// One step. `false`: it could not be stored, and everything is kept.
    async fn commit(&mut self) -> Result<bool, S::Error> {
        // all of it: the place in the archive that is stored with it stands behind the last
        let facts = std::mem::take(&mut self.facts);
        self.rows.stage();
        let mut step = self.machine.begin(self.now, &mut self.rng);
        let mut kept = Vec::with_capacity(facts.len());
        for fact in facts {
            match fact {
                Fact::Input(input) => {
                    step.feed(input);
                    kept.push(None);
                }
                Fact::Refresh(owner) => {
                    let whose = owner.clone();
                    step.call(self.omemo, move |omemo, cx| omemo.refresh_devices(cx, &whose));
                    kept.push(Some(Fact::Refresh(owner)));
                }
                Fact::Leave => {
                    step.call(self.omemo, |omemo, cx| omemo.unpublish(cx));
                    kept.push(Some(Fact::Leave));
                }
            }
        }
        match step.commit_async(&mut self.rows.store).await {
            Ok(outputs) => {
                // a batch that is empty is not given to the store: then what is staged still has to be
                let flushed = self.rows.store.flush().await;
                let stored = match flushed {
                    Ok(()) => {
                        self.rows.committed();
                        if std::mem::take(&mut self.store_failed) {
                            self.set_trouble(None);
                        }
                        self.out.append(&mut self.after);
                        true
                    }
                    Err(why) => {
                        self.not_stored(why)?;
                        false
                    }
                };
                self.take(outputs).await?;
                Ok(stored)
            }
            Err(CommitError { source, inputs, .. }) => {
                let mut inputs = inputs.into_iter();
                let again = kept.into_iter().filter_map(|fact| fact.or_else(|| inputs.next().map(Fact::Input)));
                self.facts.splice(..0, again.collect::<Vec<_>>());
                self.not_stored(source)?;
                Ok(false)
            }
        }
    }
    /// Everything is kept and tried again, unless going on could only harm.
    fn not_stored(&mut self, why: S::Error) -> Result<(), S::Error> {
        if is_final(&why) {
            return Err(why);
        }
        self.store_failed = true;
        self.set_trouble(Some(convert::failure(&why)));
        Ok(())
    }

    /// Reads something: a step that changes nothing. `None`: the engine failed.
    async fn look<E: Engine, T: Send + 'static>(
        &mut self,
        engine: Installed<E>,
        f: impl FnMut(&E, &mut Context<'_>) -> Result<T, Halt> + Send,
    ) -> Result<Option<T>, S::Error> {
        let mut step = self.machine.begin(self.now, &mut self.rng);
        let reply: Reply<T> = step.call(engine, f);
        let mut outputs: Outputs = step.commit_async(&mut self.rows.store).await.map_err(|e| e.source)?;
        let value = outputs.reply(&reply);
        self.take(outputs).await?;
        Ok(value)
    }
    /// Which device this is, and whether others find it.
    async fn look_at_me(&mut self) {
        let look = |omemo: &Omemo, cx: &mut Context<'_>| Ok((omemo.own_device(cx)?, omemo.fingerprint(cx)?, omemo.is_published(cx)?));
        let Ok(Some((device, key, published))) = self.look(self.omemo, look).await else { return };
        let (device, fingerprint) = (device.map_or(0, |d| convert::number(&d.id)), key.map(|k| convert::hex(&k.0)).unwrap_or_default());
        if (self.me.device, &self.me.fingerprint) != (device, &fingerprint) {
            (self.me.device, self.me.fingerprint) = (device, fingerprint);
            self.out.push(Out::Tell(Told::Phase(subrosa_web_api::page::Phase::Ready(self.me.clone()))));
            self.out.extend(self.snapshot().into_iter().map(Out::Tell));
        }
        if published != self.published {
            self.published = published;
            self.tell_link();
        }
    }
    /// Answers those who waited for the server, when it has answered or their time is over.
    async fn settle(&mut self) {
        if self.settling.is_empty() || !self.facts.is_empty() {
            return;
        }
        let is_open = |owner: &str| self.asked.values().any(|what| matches!(what, Request::Fetch(node) if node.owner == owner));
        let (due, wait): (Vec<Settling>, Vec<Settling>) = std::mem::take(&mut self.settling).into_iter().partition(|settling| {
            let is_over = settling.until <= self.now || self.way != Way::Server;
            match &settling.wanted {
                Wanted::Devices(owner) => is_over || !is_open(owner.as_str()),
                Wanted::Leave { .. } => is_over || self.asked.is_empty(),
            }
        });
        self.settling = wait;
        // a way that was cut has no questions either, and no answers
        let has_left = self.way == Way::Server && self.asked.is_empty();
        for Settling { caller, wanted, .. } in due {
            match wanted {
                Wanted::Devices(owner) => self.answer_devices(caller, &owner).await,
                Wanted::Leave { anyway } if anyway || has_left => self.out.push(Out::Erase(caller)),
                Wanted::Leave { .. } => {
                    let why = "The server did not confirm that this device is off the account; nothing was erased. Try again, or erase anyway.";
                    self.out.push(Out::Reply(caller, Err(Failure::new("signout.no-answer", why))));
                }
            }
        }
    }
    async fn answer_devices(&mut self, caller: Caller, owner: &Address) {
        let whose = owner.clone();
        let result = match self.look(self.omemo, move |omemo, cx| omemo.devices(cx, &whose)).await {
            Ok(Some(devices)) => Ok(Answer::Devices(devices.iter().map(convert::device).collect())),
            Ok(None) => Err(Failure::new("engine", "The encryption engine failed; nothing was changed. Reload the page.")),
            Err(e) => Err(convert::failure(&e)),
        };
        self.out.push(Out::Reply(caller, result));
    }

    fn link(&self) -> Link {
        match &self.way {
            Way::NoGateway(None) | Way::Gateway(None) => Link::Connecting,
            Way::NoGateway(Some(why)) => Link::NoGateway(why.clone()),
            Way::Gateway(Some(why)) => Link::NoServer(why.clone()),
            Way::Server if self.published => Link::Online,
            Way::Server => Link::Connecting,
            Way::LoggedOut(why) => Link::LoggedOut(why.clone()),
            Way::WrongVersion => Link::WrongVersion,
        }
    }
    fn tell_link(&mut self) {
        self.out.push(Out::Tell(Told::Link(self.link())));
    }
    fn set_trouble(&mut self, trouble: Option<Failure>) {
        if trouble != self.trouble {
            self.trouble = trouble;
            self.out.push(Out::Tell(Told::Trouble(self.trouble.clone())));
        }
    }
}

/// Another worker has the store, or it is gone: going on could only harm.
fn is_final(error: &dyn subrosa_engine::Coded) -> bool {
    matches!(error.code(), "store.fenced" | "store.gone" | "store.damaged")
}
