//! The one loop: what pages, socket and clock say goes through here, one step at a time.
//!
//! Owns where the engine is (no account, locked, ready, broken) and when the socket is tried again. What an account's frames and calls
//! mean is [`crate::host`]'s.
use super::ports::Ports;
use super::socket::{Said, Socket};
use super::{Job, Jobs, http, sys};
use crate::host::{Caller, Host, Out, failure};
use crate::rows::Account;
use futures_channel::mpsc;
use futures_util::StreamExt as _;
use getrandom::SysRng;
use rand_core::UnwrapErr;
use subrosa_engine::Time;
use subrosa_wasm::{Database, IndexedDbStore, State, StoreError};
use subrosa_web_api::http::{CLOSE_RESTART, CLOSE_REVOKED, CLOSE_VERSION};
use subrosa_web_api::page::{Answer, Call, FromWorker, Phase, ToWorker, Told};
use subrosa_web_api::socket::{FromGateway, ToGateway};
use subrosa_web_api::{Failure, VERSION};
use wasm_bindgen_futures::spawn_local;

/// The database of this origin.
const DATABASE: &str = "subrosa";
/// The first pause before the gateway is tried again, in milliseconds; doubled up to [`PAUSE_AT_MOST`].
const PAUSE: u64 = 500;
const PAUSE_AT_MOST: u64 = 30_000;
/// What concerns one call only is shown so long, in milliseconds.
const FLEETING: u64 = 15_000;

type Ready = Host<IndexedDbStore, UnwrapErr<SysRng>>;

/// How a login went.
pub struct LoggedIn {
    caller: Caller,
    result: Result<subrosa_web_api::http::LoggedIn, Failure>,
    /// Where it was.
    api: Option<String>,
    passphrase: Option<String>,
}

/// Where the engine is.
enum Stage {
    Loading,
    SignedOut,
    SigningIn,
    Locked,
    Ready(Box<Ready>),
    Broken(Failure),
}

pub struct Front {
    jobs: Jobs,
    ports: Ports,
    stage: Stage,
    /// Where the page lies.
    page: Option<String>,
    /// Where the gateway is.
    api: Option<String>,
    socket: Option<Socket>,
    /// Of the newest socket: what older ones say is not heard.
    number: u32,
    failures: u32,
    /// When the gateway is tried again.
    again: Option<Time>,
    /// The newest timer.
    timer: u32,
    /// Callers that wait for the list of browsers.
    browsers: Vec<Caller>,
    fleeting: Option<Time>,
}

impl Front {
    pub fn new(jobs: Jobs, ports: Ports) -> Self {
        Front {
            jobs,
            ports,
            stage: Stage::Loading,
            page: None,
            api: None,
            socket: None,
            number: 0,
            failures: 0,
            again: None,
            timer: 0,
            browsers: Vec::new(),
            fleeting: None,
        }
    }
    pub async fn run(mut self, mut inbox: mpsc::UnboundedReceiver<Job>) {
        self.load().await;
        while let Some(job) = inbox.next().await {
            self.job(job).await;
            while !self.is_laden() {
                let Ok(job) = inbox.try_recv() else { break };
                self.job(job).await;
            }
            self.step().await;
            self.set_timer();
        }
    }
    fn is_laden(&self) -> bool {
        matches!(&self.stage, Stage::Ready(host) if host.is_laden())
    }

    /// Looks what there is.
    async fn load(&mut self) {
        let state = match Database::open(DATABASE).await {
            Ok(database) => database.state().await.map(|state| (database, state)),
            Err(e) => Err(e),
        };
        match state {
            Ok((_, State::Empty)) => self.enter(Stage::SignedOut),
            Ok((_, State::Sealed)) => self.enter(Stage::Locked),
            Ok((database, _)) => match database.unlock(None).await {
                Ok(store) => self.begin(store, None).await,
                Err(e) => self.broken(&e),
            },
            Err(e) => self.broken(&e),
        }
    }
    /// With an open store.
    async fn begin(&mut self, store: IndexedDbStore, new: Option<Account>) {
        match Host::start(store, new, UnwrapErr(SysRng), sys::now()).await {
            Ok(host) => {
                self.enter(Stage::Ready(Box::new(host)));
                self.connect();
            }
            Err(failure) => self.enter(Stage::Broken(failure)),
        }
    }
    fn broken(&mut self, error: &StoreError) {
        self.socket = None;
        self.enter(Stage::Broken(failure(error)));
    }
    fn enter(&mut self, stage: Stage) {
        self.stage = stage;
        self.told().into_iter().for_each(|told| self.ports.post_all(&FromWorker::Told(told)));
    }
    /// All that a page needs to know to begin.
    fn told(&self) -> Vec<Told> {
        let phase = match &self.stage {
            Stage::Loading | Stage::SigningIn => Phase::Loading,
            Stage::SignedOut => Phase::SignedOut,
            Stage::Locked => Phase::Locked { jid: String::new() },
            Stage::Ready(host) => Phase::Ready(host.me().clone()),
            Stage::Broken(failure) => Phase::Broken(failure.clone()),
        };
        let mut told = vec![Told::Phase(phase)];
        if let Stage::Ready(host) = &self.stage {
            told.append(&mut host.snapshot());
        }
        told
    }

    async fn job(&mut self, job: Job) {
        match job {
            Job::Page(port, Some(ToWorker::Hello { version, site })) => self.hello(port, version, site),
            Job::Page(port, Some(ToWorker::Ping)) => self.ports.post(port, &FromWorker::Alive),
            Job::Page(port, Some(ToWorker::Call { n, call })) => self.call(Caller { port, n }, call).await,
            Job::Page(port, None) => self.ports.post(port, &FromWorker::WrongVersion),
            Job::Socket(number, said) if number == self.number => self.said(said).await,
            Job::Socket(..) => {}
            Job::LoggedIn(logged_in) => self.logged_in(*logged_in).await,
            Job::Site(site) => self.found(site),
            Job::Lost => {
                let why = "This browser has lost what it stored: its keys and its history. Sign in again; it becomes a new device of the account.";
                self.ports.post_all(&FromWorker::Told(Told::Trouble(Some(Failure::new("storage.lost", why)))));
            }
            Job::Timer(timer) if timer == self.timer => {
                if self.again.is_some_and(|at| at <= sys::now()) {
                    self.connect();
                }
                if self.fleeting.is_some_and(|at| at <= sys::now())
                    && let Stage::Ready(host) = &self.stage
                {
                    self.fleeting = None;
                    host.snapshot().into_iter().filter(|t| matches!(t, Told::Trouble(_))).for_each(|t| self.ports.post_all(&FromWorker::Told(t)));
                }
            }
            Job::Timer(_) => {}
        }
    }
    fn hello(&mut self, port: u32, version: u32, site: String) {
        if version != VERSION {
            return self.ports.post(port, &FromWorker::WrongVersion);
        }
        self.ports.greet(port);
        self.told().into_iter().for_each(|told| self.ports.post(port, &FromWorker::Told(told)));
        if self.page.is_none() {
            self.page = Some(site);
            self.connect();
        }
    }

    /// Opens the socket, or finds out where.
    fn connect(&mut self) {
        self.again = None;
        let Some(page) = &self.page else { return }; // no page has said hello
        let Some(api) = &self.api else {
            let (jobs, page) = (self.jobs.clone(), page.clone());
            return spawn_local(async move {
                let _ = jobs.unbounded_send(Job::Site(http::site(&page).await));
            });
        };
        if let Stage::Ready(_) = &self.stage {
            self.number = self.number.wrapping_add(1);
            self.socket = Socket::open(api, self.number, &self.jobs);
            if self.socket.is_none() {
                self.no_gateway(Failure::new("gateway.strange", "The address of the gateway is none. Ask its operator."));
            }
        }
    }
    fn found(&mut self, site: Result<String, Failure>) {
        match site {
            Ok(api) => {
                self.api = Some(api.clone());
                self.connect();
                if matches!(self.stage, Stage::SignedOut) {
                    let jobs = self.jobs.clone();
                    spawn_local(async move {
                        if http::is_known(&api).await {
                            let _ = jobs.unbounded_send(Job::Lost);
                        }
                    });
                }
            }
            Err(why) => self.no_gateway(why),
        }
    }
    /// It is tried again after a pause.
    fn no_gateway(&mut self, why: Failure) {
        self.socket = None;
        for caller in self.browsers.drain(..) {
            self.ports.post(caller.port, &FromWorker::Reply { n: caller.n, result: Err(why.clone()) });
        }
        let most = PAUSE.saturating_mul(1 << self.failures.min(10)).min(PAUSE_AT_MOST);
        self.failures = self.failures.saturating_add(1);
        // between half of it and all of it
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss, clippy::arithmetic_side_effects)]
        let pause = most / 2 + (sys::jitter() * (most / 2) as f64) as u64;
        self.again = Some(sys::now().after(std::time::Duration::from_millis(pause)));
        if let Stage::Ready(host) = &mut self.stage {
            host.no_gateway(Some(why));
        }
    }
    async fn said(&mut self, said: Said) {
        let Stage::Ready(host) = &mut self.stage else { return };
        match said {
            Said::Open => {
                if let Some(socket) = &self.socket {
                    socket.send(&host.hello());
                }
            }
            Said::Frame(None) => {
                host.wrong_version();
                self.socket = None;
            }
            Said::Frame(Some(frame)) => {
                self.failures = 0;
                match *frame {
                    // the cookie is of another account: nothing of one may get into the other
                    FromGateway::Welcome { jid, .. } if jid != host.me().jid.as_str() => {
                        self.number = self.number.wrapping_add(1); // what came behind it is not heard
                        self.socket = None;
                        host.logged_out(Failure::new(
                            "gateway.another-account",
                            "The gateway knows this browser under another account. Give the password of this account again; keys and history are still here.",
                        ));
                    }
                    FromGateway::Browsers(list) => {
                        for caller in self.browsers.drain(..) {
                            self.ports.post(caller.port, &FromWorker::Reply { n: caller.n, result: Ok(Answer::Browsers(list.clone())) });
                        }
                    }
                    FromGateway::Failed(why) => {
                        self.fleeting = Some(sys::now().after(std::time::Duration::from_millis(FLEETING)));
                        self.ports.post_all(&FromWorker::Told(Told::Trouble(Some(why))));
                    }
                    frame => {
                        if let Err(e) = host.frame(frame, sys::now()).await {
                            self.broken(&e);
                        }
                    }
                }
            }
            Said::Closed(CLOSE_REVOKED) => {
                self.socket = None;
                host.logged_out(Failure::new(
                    "gateway.logged-out",
                    "The gateway does not know this browser any more. Give the password of the account again; keys and history are still here.",
                ));
            }
            Said::Closed(CLOSE_VERSION) => {
                self.socket = None;
                host.wrong_version();
            }
            Said::Closed(code) => {
                let why = match code {
                    CLOSE_RESTART => "The gateway is being restarted. It is tried again by itself.",
                    _ => "The gateway can't be reached. Check the network; it is tried again by itself.",
                };
                self.no_gateway(Failure::new("gateway.unreachable", why));
            }
        }
    }

    async fn call(&mut self, caller: Caller, call: Call) {
        let result = match (&mut self.stage, call) {
            (Stage::SignedOut, Call::SignIn { jid, password, passphrase }) => {
                self.stage = Stage::SigningIn;
                return self.log_in(caller, jid, password, passphrase.filter(|p| !p.is_empty()));
            }
            (Stage::Ready(host), Call::LogIn { password }) => {
                let jid = host.account().jid.clone();
                return self.log_in(caller, jid, password, None);
            }
            (Stage::Locked, Call::Unlock { passphrase }) => self.unlock(&passphrase).await,
            (Stage::Ready(_), Call::Browsers) => return self.ask_browsers(caller, &ToGateway::Browsers),
            (Stage::Ready(_), Call::Revoke { browser }) => return self.ask_browsers(caller, &ToGateway::Revoke(browser)),
            (_, Call::ConnectNow) => {
                self.connect_now();
                Ok(Answer::Done)
            }
            // whoever can't go on, or forgot the passphrase, can only begin anew
            (Stage::Locked | Stage::Broken(_), Call::SignOut { even_offline: true }) => return self.erase(&[caller]).await,
            (Stage::Locked, Call::SignOut { .. }) => Err(Failure::new(
                "signout.locked",
                "While the keys are locked this device can't be taken off the account; nothing was erased. Unlock it first, or erase anyway.",
            )),
            (Stage::Ready(host), call) => match host.call(caller, call).await {
                Ok(()) => return,
                Err(e) => return self.broken(&e),
            },
            _ => Err(Failure::new("call.phase", "This can't be done now.")),
        };
        self.reply(caller, result);
    }
    fn reply(&self, caller: Caller, result: Result<Answer, Failure>) {
        self.ports.post(caller.port, &FromWorker::Reply { n: caller.n, result });
    }
    fn connect_now(&mut self) {
        self.failures = 0;
        match &self.socket {
            Some(socket) => socket.send(&ToGateway::ConnectNow),
            None => self.connect(),
        }
    }
    fn ask_browsers(&mut self, caller: Caller, ask: &ToGateway) {
        match &self.socket {
            Some(socket) => {
                socket.send(ask);
                self.browsers.push(caller);
            }
            None => self.reply(caller, Err(Failure::new("gateway.unreachable", "The gateway can't be reached. Try again when it can."))),
        }
    }
    fn log_in(&self, caller: Caller, jid: String, password: String, passphrase: Option<String>) {
        let (jobs, api, page) = (self.jobs.clone(), self.api.clone(), self.page.clone().unwrap_or_default());
        spawn_local(async move {
            let api = match api {
                Some(api) => Ok(api),
                None => http::site(&page).await,
            };
            let result = match &api {
                Ok(api) => http::login(api, jid.trim(), &password).await,
                Err(why) => Err(why.clone()),
            };
            let _ = jobs.unbounded_send(Job::LoggedIn(Box::new(LoggedIn { caller, result, api: api.ok(), passphrase })));
        });
    }
    async fn logged_in(&mut self, logged_in: LoggedIn) {
        let LoggedIn { caller, result, api, passphrase } = logged_in;
        self.api = api.or(self.api.take());
        let signs_in = matches!(self.stage, Stage::SigningIn);
        let account = match result {
            Ok(account) => account,
            Err(why) => {
                if signs_in {
                    self.enter(Stage::SignedOut);
                }
                return self.reply(caller, Err(why));
            }
        };
        if signs_in {
            let made = match Database::open(DATABASE).await {
                Ok(database) => database.create(passphrase.as_deref()).await,
                Err(e) => Err(e),
            };
            match made {
                Ok(store) => {
                    let account = Account { jid: account.jid, browser: account.browser, has_passphrase: passphrase.is_some() };
                    self.reply(caller, Ok(Answer::Done));
                    self.begin(store, Some(account)).await;
                }
                Err(e) => {
                    if let Some(api) = &self.api {
                        http::logout(api).await;
                    }
                    self.enter(Stage::SignedOut);
                    self.reply(caller, Err(failure(&e)));
                }
            }
            return;
        }
        self.reply(caller, Ok(Answer::Done));
        self.failures = 0;
        self.connect();
    }
    async fn unlock(&mut self, passphrase: &str) -> Result<Answer, Failure> {
        let opened = match Database::open(DATABASE).await {
            Ok(database) => database.unlock(Some(passphrase)).await,
            Err(e) => Err(e),
        };
        match opened {
            Ok(store) => {
                self.begin(store, None).await;
                Ok(Answer::Done)
            }
            Err(e) => Err(failure(&e)),
        }
    }
    /// Logs out, and erases everything.
    async fn erase(&mut self, callers: &[Caller]) {
        self.socket = None;
        self.again = None;
        self.stage = Stage::Loading; // the store is closed with its host
        if let Some(api) = &self.api {
            http::logout(api).await;
        }
        match Database::erase(DATABASE).await {
            Ok(()) => {
                callers.iter().for_each(|caller| self.reply(*caller, Ok(Answer::Done)));
                self.enter(Stage::SignedOut);
            }
            Err(e) => {
                callers.iter().for_each(|caller| self.reply(*caller, Err(failure(&e))));
                self.broken(&e);
            }
        }
    }

    /// Stores what there is, and lets out what follows.
    async fn step(&mut self) {
        let mut leavers = Vec::new(); // of several tabs, perhaps
        if let Stage::Ready(host) = &mut self.stage {
            let stepped = host.step(sys::now()).await;
            for out in host.take_out() {
                match out {
                    Out::Reply(caller, result) => self.ports.post(caller.port, &FromWorker::Reply { n: caller.n, result }),
                    Out::Tell(told) => self.ports.post_all(&FromWorker::Told(told)),
                    Out::Gateway(frame) => {
                        if let Some(socket) = &self.socket {
                            socket.send(&frame);
                        }
                    }
                    Out::Erase(caller) => leavers.push(caller),
                }
            }
            if let Err(e) = stepped {
                self.broken(&e);
            }
        }
        if !leavers.is_empty() {
            self.erase(&leavers).await;
        }
    }
    fn set_timer(&mut self) {
        let host = if let Stage::Ready(host) = &self.stage { host.wake_at() } else { None };
        let Some(at) = host.into_iter().chain(self.again).chain(self.fleeting).min() else { return };
        self.timer = self.timer.wrapping_add(1);
        let (jobs, timer) = (self.jobs.clone(), self.timer);
        sys::after(at.0.saturating_sub(sys::now().0).max(1), move || {
            let _ = jobs.unbounded_send(Job::Timer(timer));
        });
    }
}
