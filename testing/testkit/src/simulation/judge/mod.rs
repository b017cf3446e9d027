//! Who looks at every step and knows what must hold. Owns a model of who trusts whom, of every key that was used, and of what became
//! of every message; takes nothing of it from the engine's records.
mod keys;
mod letters;
mod trust;

use crate::simulation::{Plan, Published, Subject};
use crate::{ClientId, Happening, Made, Taken, What};
pub(crate) use keys::Bundles;
use keys::Keys;
use letters::Letter;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use subrosa_engine::{Address, Device, Fingerprint, MessageId, Time, Trust, Warning};
use trust::Allowed;
pub(crate) use trust::Book;

/// What must hold; the sentences are in the table of [`crate::simulation`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rule {
    /// No message key is used for two things.
    OneKeyOnce,
    /// Spent prekeys are spent.
    PreKeysOnce,
    /// Only who is trusted gets a key.
    OnlyTheAdmitted,
    /// Nobody is trusted by accident.
    TrustByTheRules,
    /// Nothing readable travels.
    NoClearText,
    /// The report says who can read.
    TrueReport,
    /// Sent or not sent, once, in order.
    OneOutcome,
    /// What was committed is performed.
    NothingOwedIsLost,
    /// Shown, or told why not.
    ReadOrTold,
    /// Shown once.
    ShownOnce,
    /// Shown as written.
    AsItWasWritten,
    /// All is well in the end.
    Heals,
    /// Nobody chatters for ever.
    ComesToRest,
    /// A store that was put back is noticed.
    NoticesOldMemory,
    /// What could be read later is read then.
    ReadLater,
    /// Nothing is told twice.
    ToldOnce,
}
impl Rule {
    pub(crate) fn broken(self, what: impl Into<String>) -> Broken {
        Broken { rule: self, what: what.into(), message: None, clients: Vec::new() }
    }
}

/// A rule was broken.
#[derive(Clone, Debug)]
pub(crate) struct Broken {
    pub rule: Rule,
    pub what: String,
    /// Which message it is about.
    pub message: Option<MessageId>,
    /// Who has to do with it.
    pub clients: Vec<ClientId>,
}
impl Broken {
    pub fn about(self, message: &MessageId) -> Self {
        Broken { message: Some(message.clone()), ..self }
    }
    pub fn by(mut self, client: ClientId) -> Self {
        self.clients.push(client);
        self
    }
}
pub(super) type Verdict = Result<(), Broken>;

/// What is in every text, so that it is found where it should not be.
pub(crate) const MARK: &str = "sub rosa: ";

/// One device, as the judge knows it.
pub(crate) struct Seat {
    pub account: Address,
    pub manual: bool,
    /// Once it has published its keys, and when that was, in happenings.
    pub identity: Option<(Device, Fingerprint)>,
    born: u64,
    pub book: Book,
    /// It was taken off its account.
    pub gone: bool,
    /// Its store was put back: what it forgot is no fault of the engine.
    pub rolled_back: bool,
    /// It has noticed: from here on it knows that its keys were used.
    noticed: bool,
    /// Its own bundle, as the server has it, shows that it was put back: nothing may be encrypted before it noticed.
    shows: bool,
    /// Who is in which room, as its host said last.
    rooms: BTreeMap<Address, Vec<Address>>,
    /// What its person said and no step has taken yet.
    decisions: VecDeque<(Device, Fingerprint, Trust)>,
    online: Time,
    catching_up: bool,
    /// Committed, not performed yet: to be shown, to be told, to leave.
    show: BTreeSet<MessageId>,
    tell: BTreeSet<MessageId>,
    leave: BTreeSet<(MessageId, u16)>,
    /// How many of its events were looked at.
    seen: usize,
    /// The last letter that left, by conversation.
    order: BTreeMap<Address, u64>,
}

#[derive(Default)]
pub(crate) struct Judge {
    /// Nothing happens that makes messages unreadable: see [`Plan::is_readable`].
    readable: bool,
    /// The server is honest and answers: see [`Plan::is_honest`].
    honest: bool,
    pub seats: Vec<Seat>,
    letters: BTreeMap<MessageId, Letter>,
    /// Letters not done with, so that a rest looks at those only.
    open: BTreeSet<MessageId>,
    keys: Keys,
    by_device: BTreeMap<Device, ClientId>,
    clock: u64,
    /// What was published, for a server that wants to go back.
    pub published: VecDeque<(subrosa_engine::Node, Vec<u8>)>,
    /// What travelled.
    pub travelled: VecDeque<std::rc::Rc<crate::Stanza>>,
    /// By the reason's code.
    pub told: BTreeMap<&'static str, u64>,
    pub shown: u64,
    pub lost: u64,
    /// Stores that were put back, and whose devices noticed.
    pub noticed: u64,
    /// Messages told as unreadable, and shown later.
    pub reread: u64,
}

impl Judge {
    pub fn new(plan: &Plan) -> Self {
        Judge { readable: plan.is_readable(), honest: plan.is_honest(), ..Judge::default() }
    }
    /// A device joins.
    pub fn joins(&mut self, account: &Address, manual: bool) {
        self.seats.push(Seat {
            account: account.clone(),
            manual,
            identity: None,
            born: u64::MAX,
            book: Book::default(),
            gone: false,
            rolled_back: false,
            noticed: false,
            shows: false,
            rooms: BTreeMap::new(),
            decisions: VecDeque::new(),
            online: Time(0),
            catching_up: false,
            show: BTreeSet::new(),
            tell: BTreeSet::new(),
            leave: BTreeSet::new(),
            seen: 0,
            order: BTreeMap::new(),
        });
    }
    /// A person decides about a key; it counts from the step on that takes it.
    pub fn decided(&mut self, client: ClientId, device: &Device, key: Fingerprint, trust: Trust) {
        self.seats[client.0].decisions.push_back((device.clone(), key, trust));
    }
    /// How many messages people wrote.
    pub fn letters(&self) -> usize {
        self.letters.len()
    }
    /// Whose device it really is.
    pub fn client_of(&self, device: &Device) -> Option<ClientId> {
        self.by_device.get(device).copied()
    }

    /// Looks at one happening.
    pub fn see<X: Subject>(&mut self, subject: &X, happening: &Happening) -> Verdict {
        self.clock += 1;
        let client = happening.client;
        match &happening.what {
            What::Committed { taken, made } => {
                let verdict = self.step(subject, client, happening.at, taken, made);
                verdict.map_err(|broken| broken.by(client))?;
            }
            What::Reached(id, part) | What::Bounced(id, part) => self.left(client, id, *part),
            What::Routed { id, part, copies, .. } => self.routed(client, id, *part, *copies),
            What::Tripped(_) | What::Restarted => {}
        }
        Ok(())
    }
    /// A committed step: what was fed and what came of it.
    fn step<X: Subject>(&mut self, subject: &X, client: ClientId, at: Time, taken: &[Taken], made: &[Made]) -> Verdict {
        let seat = &mut self.seats[client.0];
        let mut allowed = Allowed::default();
        for taken in taken {
            match taken {
                Taken::Trust(..) => {
                    // what the person said, whatever the host made of it
                    if let Some((device, key, trust)) = seat.decisions.pop_front() {
                        allowed.decide(&mut seat.book, &device, key, trust);
                    }
                }
                Taken::Online => seat.online = at,
                Taken::CatchUp(running) => seat.catching_up = *running,
                Taken::Room(chat, members) => {
                    let before = seat.rooms.insert(chat.0.clone(), members.clone()).unwrap_or_default();
                    allowed.in_room(&chat.0, before);
                }
                Taken::Send(_) | Taken::Receive(_) | Taken::Other => {}
            }
        }
        for made in made {
            match made {
                Made::DeviceNew(device, key, trust) => self.met(client, &allowed, device, *key, *trust)?,
                Made::KeyChanged(..) => {}
                Made::Publish(node, payload) => {
                    if let Some(Published::Bundle { device, key, prekeys }) = subject.published(node, payload) {
                        let device = Device::of(&self.seats[client.0].account, device);
                        self.publishes(client, &device, key);
                        if !self.seats[client.0].rolled_back || self.seats[client.0].noticed {
                            self.keys.publish(client, &node.name, &prekeys)?;
                        }
                    }
                    self.published.push_back((node.clone(), payload.clone()));
                }
                Made::Stanza(stanza) => {
                    self.travels(subject, client, stanza, &allowed)?;
                    self.travelled.push_back(stanza.clone());
                }
                Made::Sent(id, report) => self.sent(client, id, report)?,
                Made::NotSent(id, reason) => self.not_sent(client, id, *reason)?,
                Made::Message(id, sender) => self.reads(client, id, sender.as_ref(), &allowed, at)?,
                Made::NotReceived(id, reason) => self.tells(client, id, *reason)?,
                Made::Warning(Warning::RolledBack) => self.notices(client)?,
                Made::Warning(_) => {}
            }
        }
        Ok(())
    }
    fn publishes(&mut self, client: ClientId, device: &Device, key: Fingerprint) {
        let clock = self.clock;
        let seat = &mut self.seats[client.0];
        if seat.identity.as_ref().is_none_or(|(had, _)| had != device) {
            seat.identity = Some((device.clone(), key));
            seat.born = clock;
            self.by_device.insert(device.clone(), client);
        }
    }
    /// What it has published by now.
    pub fn bundles(&self, client: ClientId) -> Bundles {
        self.keys.of(client)
    }
    /// A device says that its store was put back.
    fn notices(&mut self, client: ClientId) -> Verdict {
        let seat = &mut self.seats[client.0];
        if !seat.rolled_back || seat.noticed {
            return Err(Rule::NoticesOldMemory.broken("it says that its memory is old, which it is not"));
        }
        (seat.noticed, seat.shows) = (true, false);
        self.noticed += 1;
        Ok(())
    }
    /// What persons decided in the meantime, and what a client forgot when its store was put back.
    pub fn rolled_back(&mut self, client: ClientId, book: Book, identity: Option<(Device, Fingerprint)>, published: &Bundles) {
        let shows = identity.is_some() && self.keys.is_newer(client, published);
        let seat = &mut self.seats[client.0];
        seat.rolled_back = true;
        (seat.noticed, seat.shows) = (false, shows && self.honest);
        seat.book = book;
        if identity.is_none() {
            seat.born = u64::MAX; // it will make another
        }
        seat.identity = identity;
        seat.show.clear();
        seat.tell.clear();
        seat.leave.clear();
        seat.order.clear();
        self.keys.forget(client);
        // what it showed and told went with its history
        self.letters.values_mut().for_each(|letter| letter.forget(client));
    }
}

impl Seat {
    /// Which of its devices it trusts by what it knows now.
    pub fn trust(&self, device: &Device, key: &Fingerprint) -> Option<Trust> {
        self.book.get(device).filter(|(had, _)| had == key).map(|(_, trust)| trust)
    }
}
