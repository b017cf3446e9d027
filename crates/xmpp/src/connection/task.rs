//! The connection's task: attempts, pauses, and between them one stream that is read and written by turns.
//!
//! Invariants: a transmitted stanza is here, in `waiting` or in the queue of [`Management`], until it is acknowledged; commands are
//! taken at any time, so that a host that is slow to take happenings never blocks on its commands.
mod arrivals;
mod parts;

use super::frame::Arrived;
use super::management::{Management, Resume, Sent};
use super::net::{self, Target};
use super::pin::Pin;
use super::stream::{Session, SessionKind, Stream, negotiate};
use super::{Command, Config, ConnectError, ContactChange, Happening, Mark, State};
use crate::contacts::{ContactNews, ContactTurn, Contacts};
use crate::mapping::Mapping;
use crate::requests::{Requests, Turn};
use crate::xml::{Frame, build};
use crate::{Contact, Subscription, late, ns};
use minidom::Element;
use parts::Parts;
use rustls::ClientConfig;
use std::collections::{HashMap, HashSet, VecDeque};
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use subrosa_engine::{Address, Input, Kind, Output, OutputId, Time};
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout};

/// Happenings kept here while the channel is full; then nothing more is read.
const BACKLOG: usize = 64;
/// Stanzas of changed contacts that wait to be written; then no further change is taken.
const MAX_CHANGES: usize = 512;
/// How long one write may take.
const WRITE: Duration = Duration::from_secs(30);
/// So many bytes are written together.
const WRITE_AT: usize = 64 * 1024;
/// How long the server has for its farewell.
const FAREWELL: Duration = Duration::from_secs(3);
/// A stream that lasted so long was a good one: after it the pauses begin anew.
const GOOD: Duration = Duration::from_secs(10);
/// The pause before an acknowledgement that said nothing new is asked for again.
const AGAIN: Duration = Duration::from_secs(1);
/// Begins the ids of pings.
const PING: &str = "alive";

pub(super) async fn run(config: Config, inbox: mpsc::UnboundedReceiver<Command>, happenings: mpsc::Sender<Happening>) {
    let salt = format!("{:016x}", net::random());
    let nodes: Vec<String> = config.entity.notified().map(str::to_owned).collect();
    let mapping = Mapping::new(config.account.clone(), nodes, &salt);
    let mapping = if config.engines { mapping.with_engines() } else { mapping };
    let mapping = if config.rooms { mapping.with_rooms() } else { mapping };
    let parts = Parts::new(&config.account, &salt);
    let requests = Requests::new(config.account.clone(), &salt);
    let contacts = Contacts::new(config.account.clone(), &salt);
    let pin = config.pin;
    let task = Task {
        config: Arc::new(config),
        tls: None,
        pin,
        mapping,
        requests,
        contacts,
        parts,
        watchers: HashSet::new(),
        management: Management::default(),
        waiting: VecDeque::new(),
        tokens: HashSet::new(),
        pings: HashMap::new(),
        pinged: 0,
        asked: false,
        again: None,
        behind: false,
        online_before: false,
        online: false,
        outbox: VecDeque::new(),
        inbox,
        happenings,
    };
    task.run().await;
}

/// What a command leads to.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Flow {
    On,
    Now,
    Close,
}
/// Why a stream ended.
enum End {
    Closed,
    Broken(ConnectError),
}

struct Task {
    config: Arc<Config>,
    tls: Option<Arc<ClientConfig>>,
    pin: Option<Pin>,
    mapping: Mapping,
    requests: Requests,
    contacts: Contacts,
    parts: Parts,
    /// Contacts who see our presence: an error tells them nothing new.
    watchers: HashSet<Address>,
    management: Management,
    /// To be written, in this order.
    waiting: VecDeque<Sent>,
    /// Outputs that are here.
    tokens: HashSet<OutputId>,
    /// Pings on their way: what their answers acknowledge, on a server without management.
    pings: HashMap<String, u32>,
    pinged: u64,
    /// An acknowledgement was asked for and has not come.
    asked: bool,
    /// It came, and said nothing new: then one is asked for again.
    again: Option<Instant>,
    /// The server knows of fewer stored stanzas than there are.
    behind: bool,
    online_before: bool,
    online: bool,
    outbox: VecDeque<Happening>,
    inbox: mpsc::UnboundedReceiver<Command>,
    happenings: mpsc::Sender<Happening>,
}

impl Task {
    async fn run(mut self) {
        let mut failures = 0u32;
        loop {
            self.tell(Happening::State(State::Connecting));
            let attempt = attempt(self.config.clone(), self.pin, self.tls.clone(), self.management.resume());
            let result = match self.meanwhile(attempt, false).await {
                Ok(result) => result,
                Err(Flow::Now | Flow::On) => return, // the host is gone
                Err(Flow::Close) => return self.finish(State::Closed).await,
            };
            let was_online = result.is_ok();
            let why = match result {
                Ok((session, tls)) => {
                    self.tls = Some(tls);
                    let began = Instant::now();
                    let end = self.serve(session).await;
                    self.online = false;
                    if began.elapsed() >= GOOD {
                        failures = 0;
                    }
                    match end {
                        End::Closed => return self.finish(State::Closed).await,
                        End::Broken(why) => why,
                    }
                }
                Err(why) => why,
            };
            tracing::info!(%why, "not connected");
            if why.is_fatal(self.online_before) {
                return self.finish(State::Failed(why)).await;
            }
            // a line that was cut is mostly there again; whoever is cut again at once waits
            let retry = if was_online && failures == 0 { Duration::ZERO } else { pause(&self.config, failures) };
            failures = failures.saturating_add(1);
            self.tell(Happening::State(State::Offline { why, retry }));
            match self.meanwhile(tokio::time::sleep(retry), true).await {
                Ok(()) | Err(Flow::Now) => {}
                Err(Flow::On) => return,
                Err(Flow::Close) => return self.finish(State::Closed).await,
            }
        }
    }
    /// Takes commands and hands out happenings until `other` is over. `Err`: it was not waited for; `Flow::On`: the host is gone.
    async fn meanwhile<T>(&mut self, other: impl Future<Output = T>, hurry: bool) -> Result<T, Flow> {
        let mut other = pin!(other);
        let happenings = self.happenings.clone();
        loop {
            let waits = !self.outbox.is_empty();
            tokio::select! {
                result = &mut other => return Ok(result),
                command = self.inbox.recv() => match self.command(command) {
                    Flow::Close => return Err(Flow::Close),
                    Flow::Now if hurry => return Err(Flow::Now),
                    Flow::Now | Flow::On => {}
                },
                permit = happenings.reserve(), if waits => match (permit, self.outbox.pop_front()) {
                    (Ok(permit), Some(happening)) => permit.send(happening),
                    (Ok(_), None) => {}
                    (Err(_), _) => return Err(Flow::On),
                },
            }
        }
    }
    async fn finish(mut self, state: State) {
        self.tell(Happening::State(state));
        for happening in self.outbox.drain(..) {
            if self.happenings.send(happening).await.is_err() {
                return;
            }
        }
    }
    fn tell(&mut self, happening: Happening) {
        self.outbox.push_back(happening);
    }

    fn command(&mut self, command: Option<Command>) -> Flow {
        match command {
            None | Some(Command::Close) => return Flow::Close,
            Some(Command::ConnectNow) => return Flow::Now,
            Some(Command::Handled(Mark(number))) => self.behind |= self.management.stored_to(number),
            Some(Command::Put(id, output)) => self.put(id, *output),
            Some(Command::Contact(change)) => self.contact(*change),
            Some(Command::Rooms(act)) => self.rooms(act),
            Some(Command::Archive(by, query)) => self.archive(by, query),
            Some(Command::Position(position)) => self.position(*position),
            Some(Command::Bookmark(change)) => self.bookmark(change),
            Some(Command::Block(change)) => self.block(change),
        }
        Flow::On
    }
    fn put(&mut self, id: OutputId, output: Output) {
        let stanza = match output {
            Output::Transmit { kind: Kind::Typing, .. } if !self.online => return, // worth nothing later
            Output::Transmit { id, part, chat, to, kind, wire, made, .. } => {
                self.mapping.transmit(&id, part, &chat, &to, kind, &wire).map(|stanza| Some(late(stanza, made, now())))
            }
            Output::Refuse { id, from, status, .. } => Ok(self.mapping.refuse(&id, &from, status).filter(|_| self.watchers.contains(&from))),
            Output::Request(request, what) => {
                let turn = self.requests.ask(request, what, now());
                return self.turn(turn);
            }
            _ => return,
        };
        match stanza {
            Ok(Some(stanza)) => self.put_message(id, stanza),
            Ok(None) => self.tell(Happening::Acknowledged(id)),
            Err(why) => self.tell(Happening::Unsendable(id, why)),
        }
    }
    fn turn(&mut self, turn: Turn) {
        self.waiting.extend(turn.send.into_iter().map(Sent::passing));
        if let Some((id, answer)) = turn.answer {
            self.tell(Happening::Input(Input::Answer(id, answer)));
        }
    }
    fn contact(&mut self, change: ContactChange) {
        if self.waiting.iter().filter(|sent| sent.lasts && sent.token.is_none()).count() >= MAX_CHANGES {
            let address = change.address().clone();
            return self.tell(Happening::ContactRefused { address, condition: "resource-constraint".into() });
        }
        let turn = self.contacts.change(change);
        self.contact_turn(turn);
    }
    fn contact_turn(&mut self, turn: ContactTurn) {
        self.waiting.extend(turn.send.into_iter().map(Sent::lasting));
        match turn.news {
            Some(ContactNews::List(contacts)) => {
                self.watchers.clear();
                contacts.iter().for_each(|contact| self.watched(contact));
                self.tell(Happening::Contacts(contacts));
            }
            Some(ContactNews::Refused { address, condition }) => self.tell(Happening::ContactRefused { address, condition }),
            None => {}
        }
    }
    fn watched(&mut self, contact: &Contact) {
        if matches!(contact.subscription, Subscription::From | Subscription::Both) {
            self.watchers.insert(contact.address.clone());
        } else {
            self.watchers.remove(&contact.address);
        }
    }
    fn acknowledged(&mut self, tokens: Vec<OutputId>) {
        for token in tokens {
            self.tokens.remove(&token);
            self.tell(Happening::Acknowledged(token));
        }
    }

    /// One stream, from the login to its end.
    async fn serve(&mut self, session: Session) -> End {
        let Session { mut stream, pin, kind } = session;
        let happenings = self.happenings.clone();
        if self.pin.replace(pin) != Some(pin) {
            self.tell(Happening::Pinned(pin));
        }
        self.asked = false;
        self.again = None;
        if let Err(why) = self.enter(&mut stream, kind).await {
            return End::Broken(why);
        }
        self.online = true;
        self.online_before = true;
        loop {
            if let Err(why) = self.flush(&mut stream).await {
                return End::Broken(why);
            }
            let waits = !self.outbox.is_empty();
            let wake =
                self.requests.wake_at().into_iter().chain(self.parts.wake_at()).min().map(|at| Duration::from_millis(at.0.saturating_sub(now().0)));
            tokio::select! {
                arrived = stream.next(), if self.outbox.len() < BACKLOG => {
                    if let Err(why) = self.arrived(&mut stream, arrived).await {
                        return End::Broken(why);
                    }
                }
                command = self.inbox.recv() => if self.command(command) == Flow::Close {
                    self.goodbye(&mut stream).await;
                    return End::Closed;
                },
                permit = happenings.reserve(), if waits => match (permit, self.outbox.pop_front()) {
                    (Ok(permit), Some(happening)) => permit.send(happening),
                    (Ok(_), None) => {}
                    (Err(_), _) => return End::Closed,
                },
                () = tokio::time::sleep_until(self.again.unwrap_or_else(Instant::now)), if self.again.is_some() => self.again = None,
                () = tokio::time::sleep(wake.unwrap_or_default()), if wake.is_some() => {
                    for turn in self.requests.expire(now()) {
                        self.turn(turn);
                    }
                    self.parts_late();
                }
            }
        }
    }
    async fn enter(&mut self, stream: &mut Stream, kind: SessionKind) -> Result<(), ConnectError> {
        match kind {
            SessionKind::Resumed { asked, h } => {
                let Some(tokens) = self.management.resumed(asked, h) else {
                    self.management.forget();
                    return Err(ConnectError::protocol("it acknowledges stanzas that were not sent"));
                };
                self.acknowledged(tokens);
                for stanza in self.management.unacknowledged() {
                    put(stream, stanza).await?;
                }
                self.requests.resumed(now());
                self.parts_online(true, &mut VecDeque::new());
                stream.expect(self.contacts.asked());
                self.tell(Happening::State(State::Online { resumed: true }));
                self.tell(Happening::Input(Input::Online { resumed: true }));
            }
            SessionKind::New { full, managed, h } => {
                // what the old stream's server had of it, where it tells
                let tokens = h.and_then(|h| self.management.acknowledge(h)).unwrap_or_default();
                self.acknowledged(tokens);
                let before = self.management.begin(managed);
                let mut waiting: VecDeque<Sent> = before.into_iter().chain(self.waiting.drain(..)).filter(|sent| sent.lasts).collect();
                self.mapping.bound(&full);
                self.requests.clear();
                self.pings.clear();
                let first = [
                    build("iq", ns::CLIENT).attr("type", "set").attr("id", "carbons").child(build("enable", ns::CARBONS)).end(),
                    self.contacts.ask(),
                    build("presence", ns::CLIENT).child(self.config.entity.caps()).end(),
                ];
                stream.expect(self.contacts.asked());
                self.waiting.extend(first.map(Sent::passing));
                self.parts_online(false, &mut waiting);
                self.waiting.append(&mut waiting);
                self.tell(Happening::State(State::Online { resumed: false }));
                self.tell(Happening::Input(Input::Online { resumed: false }));
            }
        }
        Ok(())
    }
    /// Writes what waits, and asks for acknowledgements.
    async fn flush(&mut self, stream: &mut Stream) -> Result<(), ConnectError> {
        while let Some(sent) = self.waiting.pop_front() {
            self.management.sent(sent);
            let Some(stanza) = self.management.last() else { return Ok(()) };
            if let Err(why) = stream.put(stanza)
                && let Some(Sent { token: Some(token), .. }) = self.management.unsent()
            {
                self.tokens.remove(&token);
                self.tell(Happening::Unsendable(token, why));
            }
            if stream.pending() > WRITE_AT {
                flush(stream).await?;
            }
        }
        if self.behind && self.management.managed {
            self.behind = false;
            put(stream, &build("a", ns::SM).attr("h", self.management.h().to_string()).end()).await?;
        }
        if !self.asked && self.again.is_none() && self.management.is_awaited() {
            self.ask(stream).await?;
        }
        flush(stream).await
    }
    /// For an acknowledgement, or a sign of life.
    async fn ask(&mut self, stream: &mut Stream) -> Result<(), ConnectError> {
        self.asked = true;
        if self.management.managed {
            return put(stream, &build("r", ns::SM).end()).await;
        }
        self.pinged = self.pinged.saturating_add(1);
        let id = format!("{PING}-{}", self.pinged);
        let ping = build("iq", ns::CLIENT).attr("type", "get").attr("id", id.as_str()).child(build("ping", ns::PING)).end();
        put(stream, &ping).await?;
        self.management.sent(Sent::passing(ping));
        self.pings.insert(id, self.management.count());
        Ok(())
    }
    /// Everything that can be acknowledged is, then the stream is closed; what the server still has to say is heard.
    async fn goodbye(&mut self, stream: &mut Stream) {
        let all = async {
            self.flush(stream).await?;
            if self.management.managed {
                put(stream, &build("a", ns::SM).attr("h", self.management.h().to_string()).end()).await?;
            }
            put(stream, &build("presence", ns::CLIENT).attr("type", "unavailable").end()).await?;
            stream.close().await?;
            loop {
                let element = match stream.next().await {
                    Ok(Arrived::Frame(Frame::Element(element))) => element,
                    Ok(Arrived::End) | Err(_) => break,
                    Ok(_) => continue,
                };
                if element.is("a", ns::SM)
                    && let Some(h) = element.attr("h").and_then(|h| h.parse().ok())
                {
                    let tokens = self.management.acknowledge(h).unwrap_or_default();
                    self.acknowledged(tokens);
                }
            }
            stream.shutdown().await;
            Ok::<(), ConnectError>(())
        };
        let _ = timeout(FAREWELL, all).await;
    }
}

/// Where, then how; every server in turn. Owns what it needs, so that the task can do other things meanwhile.
pub(super) async fn attempt(
    config: Arc<Config>,
    pin: Option<Pin>,
    tls: Option<Arc<ClientConfig>>,
    resume: Option<Resume>,
) -> Result<(Session, Arc<ClientConfig>), ConnectError> {
    let domain = config.account.as_str().split_once('@').map_or("", |(_, domain)| domain).to_owned();
    let ascii = idna::domain_to_ascii(&domain).unwrap_or_else(|_| domain.clone());
    let late = || ConnectError::Unreachable { domain: domain.clone(), cause: "no answer in time".into() };
    let all = async {
        let tls = match tls {
            Some(tls) => tls,
            None => {
                let roots = config.roots.clone();
                let read = tokio::task::spawn_blocking(move || net::shared_tls_config(&roots)).await.map_err(ConnectError::lost)?;
                read.map_err(|cause| ConnectError::Roots { cause })?
            }
        };
        let mut why = ConnectError::Unreachable { domain: domain.clone(), cause: "it says that it has no XMPP server".into() };
        let targets: Vec<Target> = net::targets(&config, &ascii).await;
        for target in targets {
            match negotiate(&config, pin, &tls, &target, resume.clone()).await {
                Ok(session) => return Ok((session, tls)),
                // the next server of the domain may be reached; whoever refuses a login speaks for all of them
                Err(e @ (ConnectError::Unreachable { .. } | ConnectError::Lost { .. } | ConnectError::Tls { .. } | ConnectError::Stream { .. })) => {
                    why = e
                }
                Err(e) => return Err(e),
            }
        }
        Err(why)
    };
    timeout(config.connect_timeout, all).await.unwrap_or_else(|_| Err(late()))
}
/// Doubles with every failure; between half of it and all of it.
fn pause(config: &Config, failures: u32) -> Duration {
    let full = config.retry.saturating_mul(1u32.checked_shl(failures.min(16)).unwrap_or(u32::MAX)).min(config.retry_at_most);
    let half = full.checked_div(2).unwrap_or_default();
    let spread = u64::try_from(half.as_millis()).unwrap_or_default().saturating_add(1);
    half.saturating_add(Duration::from_millis(net::random().checked_rem(spread).unwrap_or_default()))
}
async fn put(stream: &mut Stream, element: &Element) -> Result<(), ConnectError> {
    stream.put(element).map_err(|_| ConnectError::protocol("a stanza of ours is not well-formed"))?;
    if stream.pending() > WRITE_AT { flush(stream).await } else { Ok(()) }
}
async fn flush(stream: &mut Stream) -> Result<(), ConnectError> {
    match timeout(WRITE, stream.flush()).await {
        Ok(result) => Ok(result?),
        Err(_) => Err(ConnectError::lost("the server takes nothing more")),
    }
}
fn now() -> Time {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Time(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}
