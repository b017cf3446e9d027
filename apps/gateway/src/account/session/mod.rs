//! The account's task: takes what the XMPP server says and what sockets ask, by the handful, stores what has to be stored in one
//! transaction, and only then lets anything out: stanzas, events, answers, and the word to the server that it may forget.
//!
//! Invariants: nothing leaves a handful that was not committed; while the database is away nothing is taken from the server or from
//! sockets, so that what waits is bounded; a handful that is tried again changes nothing that it had changed.
mod link;

use super::handful::{Counts, Effects, Handful, HandfulError, LOOSE, Waiting, Work};
use super::{Account, Command, ReplyTo};
use crate::app::App;
use crate::db;
use crate::lock;
use link::Link;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use subrosa_engine::{Address, Item, Output, OutputId, RequestError, RequestId};
use subrosa_web_api::socket::{self, FromGateway, Request, Session};
use subrosa_web_api::{MAX_FRAME, encode};
use subrosa_xmpp::Mapping;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep, sleep_until};

/// What is stored together at most.
const HANDFUL: usize = 64;
/// The pause after the database failed.
const DB_PAUSE: Duration = Duration::from_secs(1);
/// How often something is tried that the database refuses: somebody else may have been in the way.
const TRIES: u32 = 3;
/// How long one handful may take; then the database is taken as away.
const DB_LIMIT: Duration = Duration::from_secs(30);
/// The pause after a connection ended that does not come back by itself, and yet may.
const LINK_PAUSE: Duration = Duration::from_secs(60);
/// Stanzas between two looks at how large the archive is.
const PRUNE_EVERY: u64 = 500;
/// What is not stored, as that somebody is writing, and on its way; more of it is dropped.
const MOST_LOOSE: usize = 16;
/// So many sockets' fill of open requests an account may have: those of sockets that are gone count too.
const SOCKETS_REQUESTS: usize = 4;
/// Who asks sooner than this to try again now waits like everybody else.
const HURRY: Duration = Duration::from_secs(2);
/// Refused changes of the contact list whose askers are remembered.
const ASKERS: usize = 64;

/// What the task wakes up for.
enum Next {
    Work(Work),
    LinkEnded,
    Look,
    Timer,
    Stop,
}
/// Why the task ends.
#[derive(PartialEq, Eq)]
enum End {
    /// Nobody was there for long, or nobody will come.
    Left,
    /// The program ends.
    Stopped,
    /// The password is refused.
    Refused,
}
/// See the module.
pub struct Task {
    app: Arc<App>,
    account: Arc<Account>,
    commands: mpsc::Receiver<Command>,
    link: Option<Link>,
    mapping: Mapping,
    head: u64,
    /// Open requests: whose, and their number there.
    requests: HashMap<RequestId, (ReplyTo, u64)>,
    next_request: u64,
    next_loose: u64,
    /// Loose ones on their way, about.
    loose: usize,
    /// When somebody last asked to try now.
    hurried: Option<Instant>,
    /// Who asked for a change of the contact list last.
    askers: HashMap<Address, ReplyTo>,
    waiting: Waiting,
    stored: u64,
    /// When the link is to be started.
    start_at: Option<Instant>,
    /// Since when nobody is there.
    alone: Option<Instant>,
    /// A request came while there was no stream: browsers are to ask again on the next one, though it may be the same.
    dropped: bool,
    connected: watch::Receiver<usize>,
    leave: watch::Receiver<bool>,
    stop: watch::Receiver<bool>,
}
impl Task {
    pub fn new(app: Arc<App>, account: Arc<Account>, commands: mpsc::Receiver<Command>) -> Self {
        let mapping = Mapping::new(Address::from(account.jid.as_str()), [], "");
        let (connected, leave, stop) = (account.connected.subscribe(), account.leave.subscribe(), app.stop.subscribe());
        Task {
            app,
            account,
            commands,
            link: None,
            mapping,
            head: 0,
            requests: HashMap::new(),
            next_request: 0,
            next_loose: 0,
            loose: 0,
            hurried: None,
            askers: HashMap::new(),
            waiting: Waiting::default(),
            stored: 0,
            start_at: Some(Instant::now()),
            alone: Some(Instant::now()),
            dropped: false,
            connected,
            leave,
            stop,
        }
    }
    pub async fn run(mut self) {
        self.app.metrics.accounts.add(1);
        let end = self.live().await;
        let name = self.account.name();
        match end {
            End::Left => tracing::info!(account = name, "session ends: nobody was there"),
            End::Stopped => {}
            End::Refused => tracing::info!(account = name, "session ends: the server refuses the password"),
        }
        if end != End::Stopped {
            self.app.retire(&self.account, true);
            self.account.ended();
        }
        self.farewell(end).await;
        self.app.metrics.accounts.sub(1);
    }
    async fn live(&mut self) -> End {
        if !self.reload().await {
            return End::Stopped;
        }
        loop {
            if self.link.is_none() && self.start_at.is_some_and(|at| at <= Instant::now()) {
                self.start_at = None;
                if !self.start().await {
                    return End::Stopped;
                }
            }
            match self.next().await {
                Next::Work(first) => {
                    let handful = self.gather(first);
                    if let Some(end) = self.store(handful).await {
                        return end;
                    }
                }
                Next::LinkEnded => {
                    self.link = None;
                    // where it ended by a failure, that has said when
                    self.start_at.get_or_insert_with(|| Instant::now().checked_add(LINK_PAUSE).unwrap_or_else(Instant::now));
                }
                Next::Stop => return End::Stopped,
                Next::Look | Next::Timer => {}
            }
            if *self.account.leave.borrow() {
                return End::Left;
            }
            if self.account.sockets() > 0 {
                self.alone = None;
            } else {
                let alone = *self.alone.get_or_insert_with(|| {
                    lock(&self.account.ring).restart(self.head); // nobody reads it
                    Instant::now()
                });
                if alone.elapsed() >= self.app.config.keep_session.0 && self.app.retire(&self.account, false) {
                    return End::Left;
                }
            }
        }
    }
    async fn next(&mut self) -> Next {
        let timer = match (self.start_at, self.alone.and_then(|at| at.checked_add(self.app.config.keep_session.0))) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
        let link = &mut self.link;
        let happening = async {
            match link {
                Some(link) => link.happenings.recv().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            happening = happening => happening.map_or(Next::LinkEnded, |h| Next::Work(Work::Happened(h))),
            command = self.commands.recv() => command.map_or(Next::Stop, |c| Next::Work(Work::Asked(c))),
            _ = self.connected.changed() => Next::Look,
            _ = self.leave.changed() => Next::Look,
            _ = self.stop.wait_for(|stop| *stop) => Next::Stop,
            () = sleep_until(timer.unwrap_or_else(Instant::now)), if timer.is_some() => Next::Timer,
        }
    }
    /// What else is there already.
    fn gather(&mut self, first: Work) -> Vec<Work> {
        let mut handful = vec![first];
        while handful.len() < HANDFUL {
            let happening = self.link.as_mut().and_then(|link| link.happenings.try_recv().ok()).map(Work::Happened);
            let command = self.commands.try_recv().ok().map(Work::Asked);
            if happening.is_none() && command.is_none() {
                break;
            }
            handful.extend(happening.into_iter().chain(command));
        }
        handful
    }

    /// Stores a handful, for as long as it takes, and lets its effects out.
    async fn store(&mut self, mut handful: Vec<Work>) -> Option<End> {
        let (mut singly, mut tries) = (Vec::new(), 0u32);
        loop {
            let attempt = tokio::time::timeout(DB_LIMIT, self.attempt(&handful)).await;
            let why = match attempt.unwrap_or(Err(HandfulError::Sql(sqlx::Error::PoolTimedOut))) {
                Ok(effects) => {
                    if let Some(end) = self.release(effects).await {
                        return Some(end);
                    }
                    match singly.pop() {
                        Some(work) => (handful, tries) = (vec![work], 0),
                        None => return self.prune().await,
                    }
                    continue;
                }
                Err(HandfulError::Moved) => None,
                Err(HandfulError::Sql(why)) => Some(why),
            };
            self.app.metrics.database_errors.add(1);
            let poison = why.as_ref().is_some_and(is_refused);
            tracing::warn!(account = self.account.name(), why = why.map(|e| e.to_string()), "not stored; tried again");
            tries = tries.saturating_add(1);
            if poison && handful.len() > 1 {
                handful.reverse();
                singly = std::mem::take(&mut handful);
                handful.extend(singly.pop());
                tries = 0;
            } else if poison && tries > TRIES {
                tracing::error!(account = self.account.name(), "something can't be stored at all and is left out");
                match singly.pop() {
                    Some(work) => (handful, tries) = (vec![work], 0),
                    None => return None,
                }
            } else {
                sleep(DB_PAUSE).await;
            }
            if !self.reload().await {
                return Some(End::Stopped);
            }
            self.put_owed().await;
        }
    }
    async fn attempt(&mut self, works: &[Work]) -> Result<(Effects, u64), HandfulError> {
        let counts = Counts { head: self.head, waiting: self.waiting, stored: self.stored };
        let mut handful = Handful::new(&self.app, &self.account, &self.mapping, counts);
        for work in works {
            handful.step(work).await?;
        }
        let (effects, Counts { head, waiting, stored }) = handful.store().await?;
        (self.waiting, self.stored) = (waiting, stored);
        Ok((effects, head))
    }
    async fn release(&mut self, (effects, head): (Effects, u64)) -> Option<End> {
        let Effects { put, loose, loose_over, entries, replies, requests, answers, changes, refused_changes, states, mark, connect_now } = effects;
        let online = matches!(self.account.status.borrow().session, Session::Online { .. });
        self.loose = self.loose.saturating_sub(loose_over);
        if head != self.head {
            self.head = head;
            let mut ring = lock(&self.account.ring);
            if self.account.sockets() == 0 {
                ring.restart(head);
            } else {
                entries.into_iter().for_each(|entry| ring.push(entry));
            }
            drop(ring);
            self.account.head.send_replace(Some(head));
        }
        if let Some(link) = &self.link {
            if let Some(mark) = mark {
                link.handle.handled(mark);
            }
            put.into_iter().for_each(|(id, output)| link.handle.put(id, output));
            for output in loose {
                if !online || self.loose >= MOST_LOOSE {
                    break;
                }
                self.loose = self.loose.saturating_add(1);
                self.next_loose = self.next_loose.wrapping_add(1) & (LOOSE - 1);
                link.handle.put(OutputId(LOOSE | self.next_loose), output);
            }
        }
        for (to, reply) in replies {
            let _ = to.send(reply);
        }
        for (id, answer) in answers {
            self.answer(id, answer);
        }
        let most = self.app.config.limits.requests.saturating_mul(SOCKETS_REQUESTS);
        for (to, id, what) in requests {
            let Some(link) = self.link.as_ref().filter(|_| online) else {
                self.dropped = true;
                continue;
            };
            if self.requests.len() >= most {
                let _ = to.send(FromGateway::Answer { id, answer: Err(socket::RequestError::Refused) });
                continue;
            }
            self.next_request = self.next_request.saturating_add(1);
            let request = RequestId(self.next_request);
            self.requests.insert(request, (to, id));
            link.handle.put(OutputId(request.0), Output::Request(request, engine_request(what)));
        }
        for (asker, change) in changes {
            if let Some(link) = &self.link {
                if let Some(asker) = asker.filter(|_| self.askers.len() < ASKERS || self.askers.contains_key(change.address())) {
                    self.askers.insert(change.address().clone(), asker);
                }
                link.handle.contact(change);
            }
        }
        for (address, failure) in refused_changes {
            if let Some(to) = self.askers.remove(&address) {
                let _ = to.send(FromGateway::Failed(failure));
            }
        }
        if connect_now && self.hurried.is_none_or(|at| at.elapsed() >= HURRY) {
            self.hurried = Some(Instant::now());
            match &self.link {
                Some(link) => link.handle.connect_now(),
                None => self.start_at = Some(Instant::now()),
            }
        }
        for state in states {
            if let Some(end) = self.state(state).await {
                return Some(end);
            }
        }
        None
    }
    fn answer(&mut self, id: RequestId, answer: Result<Vec<Item>, RequestError>) {
        let Some((to, id)) = self.requests.remove(&id) else { return };
        let items = |items: Vec<Item>| items.into_iter().map(|item| socket::Item { id: item.id, payload: item.payload }).collect();
        let answer = answer.map(items).map_err(|e| match e {
            RequestError::NotFound => socket::RequestError::NotFound,
            RequestError::Forbidden => socket::RequestError::Forbidden,
            RequestError::Unreachable => socket::RequestError::Unreachable,
            RequestError::Refused => socket::RequestError::Refused,
            _ => socket::RequestError::Malformed,
        });
        let mut frame = FromGateway::Answer { id, answer };
        if encode(&frame).len() > MAX_FRAME {
            frame = FromGateway::Answer { id, answer: Err(socket::RequestError::Malformed) };
        }
        let _ = to.send(frame);
    }
    /// Where the counter is, for as long as it takes to find out. `false`: the program ends.
    async fn reload(&mut self) -> bool {
        let mut stop = self.app.stop.subscribe();
        loop {
            let read = async {
                let mut c = self.app.db.read().await?;
                db::account::by_id(&mut c, self.account.id).await
            };
            match read.await {
                Ok(Some(row)) => {
                    self.head = row.head;
                    lock(&self.account.ring).restart(row.head);
                    self.account.head.send_replace(Some(row.head));
                    return true;
                }
                Ok(None) => tracing::error!(account = self.account.name(), "the account is no longer in the database"),
                Err(why) => tracing::warn!(account = self.account.name(), %why, "the database does not answer; tried again"),
            }
            tokio::select! {
                () = sleep(DB_PAUSE) => {}
                _ = stop.wait_for(|stop| *stop) => return false,
            }
        }
    }
    /// Now and then: the archive is as large as it may be.
    async fn prune(&mut self) -> Option<End> {
        if self.stored >= PRUNE_EVERY {
            self.stored = 0;
            let done = async {
                let mut tx = self.app.db.begin().await?;
                db::archive::prune_rows(&mut tx, self.account.id, self.app.config.limits.archive_rows, self.app.config.limits.archive_bytes).await?;
                db::lists::prune_reads(&mut tx, self.account.id, self.app.config.limits.contacts).await?;
                db::lists::prune_publications(&mut tx, self.account.id, self.app.config.limits.contacts).await?;
                tx.commit().await
            };
            let _ = done.await; // tried again after the next so many
        }
        None
    }
}

/// The database does not want the row as such (SQLSTATE 22, 23 and 54); not that it can't take one now.
fn is_refused(why: &sqlx::Error) -> bool {
    why.as_database_error().is_some_and(|e| {
        e.is_unique_violation()
            || e.is_check_violation()
            || e.code().is_some_and(|code| code.len() == 5 && ["22", "23", "54"].iter().any(|class| code.starts_with(class)))
    })
}

fn engine_request(request: Request) -> subrosa_engine::Request {
    let node = |node: socket::Node| subrosa_engine::Node { owner: Address::from(node.owner.as_str()), name: node.name, item: node.item };
    match request {
        Request::Fetch(what) => subrosa_engine::Request::Fetch(node(what)),
        Request::Publish { node: what, many, payload } => {
            let keep = if many { subrosa_engine::Keep::Many } else { subrosa_engine::Keep::One };
            subrosa_engine::Request::Publish { node: node(what), keep, payload }
        }
        Request::Delete(what) => subrosa_engine::Request::Delete(node(what)),
    }
}
