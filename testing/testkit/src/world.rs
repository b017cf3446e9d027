//! Clients, a server and the network between them, in one thread and from one seed: the same seed, the same run.
//!
//! What the network does is what XMPP over TCP does. From a client to the server nothing is lost or reordered
//! while the stream stands; a stream that breaks loses a tail, and the client sends what was not acknowledged
//! again. From the server to a client [`Faults`] decide. Who is offline finds messages when they come back.
use crate::client::{Client, Sent, Stanza};
use crate::server::{FakeServer, Push};
use crate::{Crash, Happening, Seeded, Snapshot, What};
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use subrosa_engine::{
    Address, ChatId, Context, Engine, Event, Halt, Headers, Input, Installed, Item, Keep, Kind, Machine, MemoryStore, MessageId, Node, OutputId,
    Plaintext, Recipients, Request, RequestError, RequestId, Store, Time,
};

/// Names a client of a [`World`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ClientId(pub(crate) usize);

/// How bad the way from the server to a client is. Chances are in thousandths.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Faults {
    /// A message never arrives, at one session of one recipient.
    pub lose: u32,
    /// A message arrives twice.
    pub duplicate: u32,
    /// Messages take up to this many milliseconds longer.
    pub delay: u64,
    /// Messages may overtake each other (give a delay too).
    pub reorder: bool,
    /// A request gets no answer; after a while the transport says [`RequestError::Unreachable`].
    pub unanswered: u32,
    /// A client leaves what came in lying, to take it in one step with what comes next.
    pub batch: u32,
    /// A client's commit goes wrong, in one of the ways of [`Crash::ALL`].
    pub crash: u32,
}

enum Packet {
    /// At the server.
    Stanza {
        client: usize,
        stream: u64,
        output: OutputId,
        stanza: Stanza,
    },
    Request {
        client: usize,
        stream: u64,
        id: RequestId,
        request: Request,
    },
    /// At a client.
    Message {
        client: usize,
        input: Input,
    },
    Answer {
        client: usize,
        stream: u64,
        id: RequestId,
        answer: Result<Vec<Item>, RequestError>,
    },
    Acknowledged {
        client: usize,
        stream: u64,
        output: OutputId,
    },
    Push {
        client: usize,
        stream: u64,
        push: Push,
    },
}

impl Packet {
    /// Whose stream it is on.
    fn client(&self) -> usize {
        match self {
            Packet::Stanza { client, .. } | Packet::Request { client, .. } | Packet::Message { client, .. } => *client,
            Packet::Answer { client, .. } | Packet::Acknowledged { client, .. } | Packet::Push { client, .. } => *client,
        }
    }
}

/// Everybody.
pub struct World<H, S: Store = MemoryStore> {
    /// The server: nodes to look at, to damage, to refuse.
    pub server: FakeServer,
    /// What the network does from here on.
    pub faults: Faults,
    /// Stores answer after so many polls; 0: at once.
    pub late: usize,
    clients: Vec<Client<H, S>>,
    /// What was sent to a client while it was away.
    spool: BTreeMap<usize, Vec<Input>>,
    flight: BTreeMap<(u64, u64), Packet>,
    /// The latest arrival on each way, where order is kept: client and direction.
    order: BTreeMap<(usize, bool), u64>,
    /// Every stanza that reached the server, in order.
    stanzas: Vec<Stanza>,
    /// Who is in which room.
    rooms: BTreeMap<Address, BTreeSet<Address>>,
    /// What the server keeps of all that was said, with when; `None`: nothing.
    archive: Option<Vec<(Time, Rc<Stanza>)>>,
    /// Of old messages in rooms the archive does not say who wrote them.
    anonymous: bool,
    /// `Some`: somebody watches.
    happenings: Option<Vec<Happening>>,
    interest: Box<dyn Fn(&str) -> bool>,
    rng: Seeded,
    now: u64,
    sequence: u64,
    /// Client, commit and crash, for the client that is going to join.
    plan: Option<(usize, usize, Crash)>,
}

impl<H, S: Store> World<H, S> {
    /// Empty, with a network that works.
    pub fn new(seed: u64) -> Self {
        World {
            server: FakeServer::default(),
            faults: Faults::default(),
            late: 0,
            clients: Vec::new(),
            spool: BTreeMap::new(),
            flight: BTreeMap::new(),
            order: BTreeMap::new(),
            stanzas: Vec::new(),
            rooms: BTreeMap::new(),
            archive: None,
            anonymous: false,
            happenings: None,
            interest: Box::new(|_| true),
            rng: Seeded::new(seed),
            now: 1_700_000_000_000,
            sequence: 0,
            plan: None,
        }
    }
    /// Which nodes clients announce interest in (`+notify`); all, unless said otherwise.
    pub fn notify(&mut self, interest: impl Fn(&str) -> bool + 'static) {
        self.interest = Box::new(interest);
    }
    /// A device joins, with its store, and goes online. `install` runs again at every restart.
    pub fn join_with(&mut self, account: &str, store: S, install: impl Fn(&mut Machine) -> H + 'static) -> ClientId {
        let rng = self.rng.fork();
        self.clients.push(Client::new(account.into(), store, rng, Box::new(install)));
        if let (Some(archive), Some(client)) = (&self.archive, self.clients.last_mut()) {
            client.archive_read = archive.len(); // nothing in it is for a device that was not there
        }
        if let (Some(_), Some(client)) = (&self.happenings, self.clients.last_mut()) {
            client.watch();
        }
        let id = ClientId(self.clients.len() - 1);
        if let Some((_, commit, crash)) = self.plan.filter(|(client, ..)| *client == id.0) {
            self.clients[id.0].store().plan(commit, crash);
        }
        self.connect(id);
        id
    }
    /// All of them, in the order in which they joined.
    pub fn clients(&self) -> impl Iterator<Item = ClientId> + use<H, S> {
        (0..self.clients.len()).map(ClientId)
    }
    /// One client.
    pub fn client(&self, who: ClientId) -> &Client<H, S> {
        &self.clients[who.0]
    }
    /// One client, to plan crashes.
    pub fn client_mut(&mut self, who: ClientId) -> &mut Client<H, S> {
        &mut self.clients[who.0]
    }
    /// Every stanza that reached the server, in order; to replay or to damage with [`Self::inject`].
    pub fn stanzas(&self) -> &[Stanza] {
        &self.stanzas
    }
    /// Collects what happens from here on, for [`Self::take_happenings`]; [`Self::stanzas`] and the server remember nothing more.
    pub fn watch(&mut self) {
        self.happenings = Some(Vec::new());
        self.server.remembers = false;
        self.clients.iter_mut().for_each(Client::watch);
    }
    /// What happened since the last time, in order.
    pub fn take_happenings(&mut self) -> Vec<Happening> {
        self.happenings.as_mut().map(std::mem::take).unwrap_or_default()
    }
    fn note(&mut self, client: usize, what: impl FnOnce() -> What) {
        if let Some(happenings) = &mut self.happenings {
            happenings.push(Happening { at: Time(self.now), client: ClientId(client), what: what() });
        }
    }
    fn collect(&mut self, client: usize) {
        for what in self.clients[client].take_notes() {
            self.note(client, || what);
        }
    }
    /// Who is in a room: what is sent to its address goes to the sessions of all of them, the sending one included. Members
    /// may write, others get nothing and are not let in.
    pub fn set_room(&mut self, room: &str, members: impl IntoIterator<Item = Address>) {
        let (room, members): (Address, BTreeSet<Address>) = (room.into(), members.into_iter().collect());
        let before = self.rooms.insert(room.clone(), members).unwrap_or_default();
        for who in self.clients() {
            let me = self.clients[who.0].me();
            if self.clients[who.0].online && (before.contains(me) || self.members(&room).any(|member| member == me)) {
                let input = self.room(who, &room);
                self.feed(who, input);
            }
        }
    }
    /// What a host says of a room to a client.
    fn room(&self, who: ClientId, room: &Address) -> Input {
        let members: Vec<Address> = self.members(room).cloned().collect();
        Input::Room(ChatId(room.clone()), members.contains(self.clients[who.0].me()).then_some(members))
    }
    /// From here on the server keeps what is said; `anonymous`: of what was said in rooms it does not say by whom.
    pub fn keep_archive(&mut self, anonymous: bool) {
        (self.archive, self.anonymous) = (Some(Vec::new()), anonymous);
    }
    /// A client reads the archive from where it was to its end: what it sent itself and what came by other ways included.
    pub fn catch_up(&mut self, who: ClientId) {
        let Some(archive) = &self.archive else { return };
        let (client, end) = (&self.clients[who.0], archive.len());
        let me = client.me().clone();
        let old: Vec<_> = archive.iter().skip(client.archive_read).cloned().collect();
        self.feed(who, Input::CatchUp { running: true });
        for (sent, stanza) in old {
            let room = self.rooms.get(&stanza.chat.0).filter(|_| matches!(stanza.to, Recipients::People(_) | Recipients::Room));
            let in_room = room.is_some();
            let concerns = match (&stanza.to, room) {
                (_, Some(members)) => members.contains(&me),
                (Recipients::People(people), None) => stanza.from == me || people.contains(&me),
                (Recipients::Device(device), None) => stanza.from == me || device.owner == me,
                (Recipients::Room, None) => false,
            };
            if concerns {
                let hidden = in_room && self.anonymous;
                self.note(who.0, || What::Routed { id: stanza.id.clone(), part: stanza.part, from: stanza.from.clone(), copies: 1 });
                let input = receive(&stanza, &me, in_room, hidden, sent);
                self.feed(who, input);
            }
        }
        self.feed(who, Input::CatchUp { running: false });
        self.clients[who.0].archive_read = end;
    }
    /// Who is in a room.
    pub fn members(&self, room: &Address) -> impl Iterator<Item = &Address> {
        self.rooms.get(room).into_iter().flatten()
    }
    /// Whether anything is on its way to or from a client, or waits there.
    pub fn is_busy(&self, who: ClientId) -> bool {
        !self.clients[who.0].queue.is_empty() || self.flight.values().any(|packet| packet.client() == who.0)
    }
    /// The clock.
    pub fn now(&self) -> Time {
        Time(self.now)
    }
    /// The world's own randomness, for scenarios.
    pub fn rng(&mut self) -> &mut Seeded {
        &mut self.rng
    }

    /// Gives a client an input; [`Self::run`] lets it act.
    pub fn feed(&mut self, who: ClientId, input: Input) {
        self.clients[who.0].queue.push_back(input);
    }
    /// A user writes to somebody. The id is the one in all events about the message.
    pub fn send(&mut self, from: ClientId, to: &str, text: &str) -> MessageId {
        let to: Address = to.into();
        self.send_to(from, ChatId(to.clone()), vec![to], text)
    }
    /// The same to several people in one conversation.
    pub fn send_to(&mut self, from: ClientId, chat: ChatId, people: Vec<Address>, text: &str) -> MessageId {
        self.sequence += 1;
        let id = MessageId(format!("m{}", self.sequence).into());
        let to = Recipients::People(people);
        self.feed(from, Input::Send { id: id.clone(), chat, to, kind: Kind::Text, plain: Plaintext::text(text), headers: Headers::default() });
        id
    }
    /// The same to all who are in a room, as the sending client knows it.
    pub fn send_in(&mut self, from: ClientId, room: &Address, text: &str) -> MessageId {
        self.sequence += 1;
        let id = MessageId(format!("m{}", self.sequence).into());
        let (chat, plain) = (ChatId(room.clone()), Plaintext::text(text));
        self.feed(from, Input::Send { id: id.clone(), chat, to: Recipients::Room, kind: Kind::Text, plain, headers: Headers::default() });
        id
    }
    /// Calls an engine's own method in a step of its own; what it sends is under way afterwards.
    /// `None`: it failed, or the client crashed.
    pub fn call<E: Engine, T: Send + 'static>(
        &mut self,
        who: ClientId,
        engine: Installed<E>,
        f: impl FnMut(&E, &mut Context<'_>) -> Result<T, Halt> + Send,
    ) -> Option<T> {
        let before = self.clients[who.0].restarts();
        let (sent, reply) = self.clients[who.0].call(Time(self.now), engine, f);
        self.collect(who.0);
        self.dispatch(who.0, sent);
        self.revive(who.0, before);
        reply
    }

    /// Until nothing is under way and nobody has anything left to do. Time passes only as messages travel.
    ///
    /// # Panics
    /// When the clients never come to rest.
    pub fn run(&mut self) {
        self.advance(None);
    }
    /// As [`Self::run`], and lets so many milliseconds pass, with everything that clients want to be woken for.
    pub fn run_for(&mut self, milliseconds: u64) {
        let end = self.now.saturating_add(milliseconds);
        self.advance(Some(end));
        self.now = self.now.max(end);
    }
    fn advance(&mut self, end: Option<u64>) {
        for turns in 0.. {
            assert!(turns < 200_000, "the clients never come to rest");
            if !self.once(end) {
                break;
            }
        }
    }
    /// One thing that happens until then: a client's step, or something that arrives. `false`: there is none, and it is then.
    pub fn step(&mut self, end: Time) -> bool {
        let more = self.once(Some(end.0));
        if !more {
            self.now = self.now.max(end.0);
        }
        more
    }
    /// The same without letting time pass but for what travels. `false`: everybody is at rest.
    pub fn settle(&mut self) -> bool {
        self.once(None)
    }
    fn once(&mut self, end: Option<u64>) -> bool {
        if self.act() {
            return true;
        }
        let packet = self.flight.keys().next().map(|(due, _)| *due);
        let wakes = self.clients.iter().enumerate().filter(|(_, c)| c.online).filter_map(|(i, c)| Some((c.wake_at()?.0, i)));
        let wake = wakes.min().filter(|(at, _)| *at <= end.unwrap_or(self.now));
        match (packet, wake) {
            (due, Some((at, client))) if due.is_none_or(|due| at < due) => {
                self.now = self.now.max(at);
                self.clients[client].queue.push_back(Input::Tick);
            }
            (Some(due), _) if end.is_none_or(|end| due <= end) => {
                self.now = self.now.max(due);
                if let Some((_, packet)) = self.flight.pop_first() {
                    self.arrive(packet);
                }
            }
            _ => return false,
        }
        true
    }
    /// One step of the first client that has something to do.
    fn act(&mut self) -> bool {
        let idle = self.flight.is_empty();
        for i in 0..self.clients.len() {
            if self.clients[i].queue.is_empty() || (!idle && self.rng.permille(self.faults.batch)) {
                continue;
            }
            let most = if self.faults.batch > 0 { usize::MAX } else { 1 };
            if self.rng.permille(self.faults.crash) {
                let crash = Crash::ALL[self.rng.below(Crash::ALL.len() as u64) as usize];
                let store = self.clients[i].store();
                let next = store.commits();
                store.plan(next, crash);
            }
            let before = self.clients[i].restarts();
            let sent = self.clients[i].turn(Time(self.now), most, self.late);
            self.collect(i);
            self.dispatch(i, sent);
            self.revive(i, before);
            return true;
        }
        false
    }
    /// A process that died connects again, as the new one it is.
    fn revive(&mut self, client: usize, restarts_before: usize) {
        if self.clients[client].restarts() != restarts_before {
            self.cut(client);
            self.connect(ClientId(client));
        }
    }

    /// The process of a client dies now and starts again over its store.
    pub fn crash(&mut self, who: ClientId) {
        self.clients[who.0].restart(Vec::new());
        self.collect(who.0);
        self.cut(who.0);
        self.connect(who);
    }
    /// A client loses its connection; the process lives.
    pub fn disconnect(&mut self, who: ClientId) {
        self.clients[who.0].online = false;
        self.cut(who.0);
    }
    /// It comes back.
    pub fn connect(&mut self, who: ClientId) {
        let sent = self.clients[who.0].connect();
        let me = self.clients[who.0].me().clone();
        for push in self.server.last_items(&me) {
            self.push_to(who.0, push);
        }
        for room in self.rooms.keys().cloned().collect::<Vec<_>>() {
            let input = self.room(who, &room);
            self.feed(who, input);
        }
        for input in self.spool.remove(&who.0).unwrap_or_default() {
            self.post(who.0, false, Packet::Message { client: who.0, input });
        }
        self.dispatch(who.0, sent);
    }
    /// Another client of the owner, or a rogue server, publishes something.
    pub fn publish_as(&mut self, owner: &str, name: &str, item: Option<&str>, keep: Keep, payload: &[u8]) {
        let node = Node { owner: owner.into(), name: name.into(), item: item.map(Into::into) };
        let push = self.server.publish(&node, keep, payload.to_vec());
        self.push_all(&push);
    }
    /// A stanza from outside: replayed, forged, damaged.
    pub fn inject(&mut self, stanza: Stanza) {
        self.route(None, &stanza);
    }

    fn dispatch(&mut self, client: usize, sent: Vec<Sent>) {
        if !self.clients[client].online {
            return; // it goes out with the next connection
        }
        let stream = self.clients[client].stream;
        for sent in sent {
            let packet = match sent {
                Sent::Stanza(output, stanza) => Packet::Stanza { client, stream, output, stanza },
                Sent::Request(id, request) => Packet::Request { client, stream, id, request },
            };
            self.post(client, true, packet);
        }
    }
    /// Puts a packet on the way of one client, up to the server or down from it.
    fn post(&mut self, client: usize, up: bool, packet: Packet) {
        let late = self.rng.below(self.faults.delay.saturating_add(1));
        let mut due = self.now + 1 + late;
        let free = self.faults.reorder && matches!(packet, Packet::Message { .. });
        if !free {
            let last = self.order.entry((client, up)).or_default();
            due = due.max(*last);
            *last = due;
        }
        self.sequence += 1;
        self.flight.insert((due, self.sequence), packet);
    }
    /// A stream breaks: of what was going up a tail is lost, what was going down waits or is lost.
    fn cut(&mut self, broken: usize) {
        let mut up =
            self.flight.values().filter(|p| matches!(p, Packet::Stanza { client, .. } | Packet::Request { client, .. } if *client == broken)).count();
        up = usize::try_from(self.rng.below(up as u64 + 1)).unwrap_or(0);
        let flight = std::mem::take(&mut self.flight);
        for (due, packet) in flight {
            let of = packet.client();
            match packet {
                packet if of != broken => drop(self.flight.insert(due, packet)),
                packet @ (Packet::Stanza { .. } | Packet::Request { .. }) if up > 0 => {
                    up -= 1;
                    self.flight.insert(due, packet);
                }
                Packet::Message { input, .. } => self.spool.entry(broken).or_default().push(input),
                _ => {}
            }
        }
    }
    fn arrive(&mut self, packet: Packet) {
        match packet {
            Packet::Stanza { client, stream, output, stanza } => {
                self.note(client, || What::Reached(stanza.id.clone(), stanza.part));
                self.route(Some(client), &stanza);
                if self.happenings.is_none() {
                    self.stanzas.push(stanza);
                }
                self.post(client, false, Packet::Acknowledged { client, stream, output });
            }
            Packet::Request { client, stream, id, request } => {
                if self.rng.permille(self.faults.unanswered) {
                    let answer = Err(RequestError::Unreachable);
                    self.sequence += 1;
                    self.flight.insert((self.now + 30_000, self.sequence), Packet::Answer { client, stream, id, answer });
                    return;
                }
                let from = self.clients[client].me().clone();
                let (answer, push) = self.server.answer(&from, &request);
                self.post(client, false, Packet::Answer { client, stream, id, answer });
                push.iter().for_each(|push| self.push_all(push));
            }
            Packet::Message { client, input } if self.clients[client].online => self.clients[client].queue.push_back(input),
            Packet::Message { client, input } => self.spool.entry(client).or_default().push(input),
            Packet::Answer { client, stream, id, answer } if self.clients[client].stream == stream => self.clients[client].answered(id, answer),
            Packet::Acknowledged { client, stream, output } if self.clients[client].stream == stream => self.clients[client].acknowledged(output),
            Packet::Push { client, stream, push } if self.clients[client].stream == stream => {
                self.clients[client].queue.push_back(Input::Published(push.node, push.payload));
            }
            _ => {}
        }
    }
    /// To every session of the recipients, and a carbon to every other one of the sender; in a room to everybody's.
    fn route(&mut self, from: Option<usize>, stanza: &Stanza) {
        self.server.see(&stanza.body);
        let room = self.rooms.get(&stanza.chat.0).filter(|_| matches!(stanza.to, Recipients::People(_) | Recipients::Room));
        let in_room = room.is_some();
        let people: Vec<Address> = match (room, &stanza.to) {
            (Some(members), _) => members.iter().cloned().collect(),
            (None, Recipients::People(people)) => people.clone(),
            (None, Recipients::Device(device)) => vec![device.owner.clone()],
            (None, Recipients::Room) => Vec::new(),
        };
        if in_room && !people.contains(&stanza.from) {
            if let Some(client) = from {
                self.note(client, || What::Bounced(stanza.id.clone(), stanza.part));
            }
            return;
        }
        if let Some(archive) = &mut self.archive {
            archive.push((Time(self.now), Rc::new(stanza.clone())));
        }
        for i in 0..self.clients.len() {
            let me = self.clients[i].me().clone();
            let own = me == stanza.from;
            if (Some(i) == from && !in_room) || !(own || people.contains(&me)) {
                continue; // a note to oneself goes to one's other devices
            }
            let lost = self.rng.permille(self.faults.lose);
            let copies = if lost { 0 } else { 1 + u32::from(self.rng.permille(self.faults.duplicate)) };
            self.note(i, || What::Routed { id: stanza.id.clone(), part: stanza.part, from: stanza.from.clone(), copies });
            for _ in 0..copies {
                let input = receive(stanza, &me, in_room, false, Time(self.now));
                if self.clients[i].online {
                    self.post(i, false, Packet::Message { client: i, input });
                } else {
                    self.spool.entry(i).or_default().push(input);
                }
            }
        }
    }
    fn push_all(&mut self, push: &Push) {
        for i in 0..self.clients.len() {
            let me = self.clients[i].me().clone();
            if self.server.may_be_told(&me, push) {
                self.push_to(i, push.clone());
            }
        }
    }
    fn push_to(&mut self, client: usize, push: Push) {
        if self.clients[client].online && (self.interest)(&push.node.name) {
            let stream = self.clients[client].stream;
            self.post(client, false, Packet::Push { client, stream, push });
        }
    }
}

/// What a transport makes of a stanza for one of those whom it reaches; `hidden`: it does not know who wrote it.
fn receive(stanza: &Stanza, me: &Address, in_room: bool, hidden: bool, sent: Time) -> Input {
    let chat = if stanza.from == *me || in_room { stanza.chat.clone() } else { ChatId(stanza.from.clone()) };
    Input::Receive {
        id: stanza.id.clone(),
        from: if hidden { chat.0.clone() } else { stanza.from.clone() },
        chat,
        sent: if sent.0.saturating_sub(stanza.made.0) < 60_000 { sent } else { stanza.made },
        kind: stanza.kind,
        content_type: stanza.content_type.clone(),
        body: stanza.body.clone(),
        headers: Headers::default(),
        answer_by: None,
    }
}

impl<H, S: Store + Clone> World<H, S> {
    /// A client's disk is put back to an older copy; the process starts anew over it.
    pub fn roll_back(&mut self, who: ClientId, to: &Snapshot<S>) {
        self.clients[who.0].roll_back(to);
        self.crash(who);
    }
}
impl<H> World<H, MemoryStore> {
    /// A device joins with a store in memory, which outlives its crashes.
    pub fn join(&mut self, account: &str, install: impl Fn(&mut Machine) -> H + 'static) -> ClientId {
        self.join_with(account, MemoryStore::default(), install)
    }
}

/// Runs a scenario once undisturbed, then again for every commit of every client and every way to die there
/// ([`Crash::ALL`]); `check` judges each run. The scenario gets an empty world of this seed and must do the same
/// in every run.
///
/// Returns how many runs that were.
pub fn crash_everywhere<H, S: Store>(
    seed: u64,
    scenario: impl Fn(&mut World<H, S>),
    mut check: impl FnMut(&World<H, S>, Option<(ClientId, usize, Crash)>),
) -> usize {
    let mut world = World::new(seed);
    scenario(&mut world);
    check(&world, None);
    let commits: Vec<usize> = world.clients.iter_mut().map(|c| c.store().commits()).collect();
    let mut runs = 1;
    for (client, commits) in commits.into_iter().enumerate() {
        for commit in 0..commits {
            for crash in Crash::ALL {
                let mut world = World::new(seed);
                world.plan = Some((client, commit, crash));
                scenario(&mut world);
                check(&world, Some((ClientId(client), commit, crash)));
                runs += 1;
            }
        }
    }
    runs
}

/// Was this message reported as sent?
pub fn was_sent(events: &[Event], message: &MessageId) -> bool {
    events.iter().any(|e| matches!(e, Event::Sent { id, .. } if id == message))
}
