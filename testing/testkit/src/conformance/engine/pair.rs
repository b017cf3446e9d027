//! Two people with the engine under test, and what every check asks about them.
use super::subject::{Misbehaviour, Open, Subject, Switch, Switched};
use crate::{ClientId, Stanza, World, was_sent};
use subrosa_engine::{
    ChatId, ContentType, Event, Headers, Input, Installed, Kind, Machine, MemoryStore, MessageId, Plaintext, Reason, Received, Recipients, Refusal,
};

pub(super) const ALICE: &str = "alice@example.org";
pub(super) const BOB: &str = "bob@example.org";
/// Longer than a message waits for anything.
pub(super) const TOO_LONG: u64 = 25 * 60 * 60 * 1000;

pub(super) type Make = fn() -> Subject;

/// What a client knows of its engine.
pub(super) struct Handle {
    pub engine: Installed<Switched>,
    pub open: Open,
}
pub(super) type Two = World<Handle, MemoryStore>;

pub(super) struct Pair {
    pub world: Two,
    pub switch: Switch,
    pub alice: ClientId,
    pub bob: ClientId,
}

/// What a machine is told about the engine.
pub(super) fn install(machine: &mut Machine, make: Make, switch: &Switch) -> Handle {
    let (engine, open) = Switched::new(make(), switch.clone());
    let engine = machine.install(engine);
    machine.route(move |_| Some(engine.id()));
    machine.shows(|_| true);
    Handle { engine, open }
}
/// Both join.
pub(super) fn join(world: &mut Two, make: Make, switch: &Switch) -> (ClientId, ClientId) {
    let mut join = |account| {
        let switch = switch.clone();
        world.join(account, move |machine: &mut Machine| install(machine, make, &switch))
    };
    let two = (join(ALICE), join(BOB));
    settle(world);
    two
}
/// Until nobody has anything left to do, completions included.
pub(super) fn settle(world: &mut Two) {
    loop {
        world.run();
        let clients: Vec<ClientId> = world.clients().collect();
        let mut fed = false;
        for who in clients {
            for (token, completion) in world.client(who).handle().open.take() {
                world.feed(who, Input::Complete(token, completion));
                fed = true;
            }
        }
        if !fed {
            return;
        }
    }
}
/// What was shown, in order.
pub(super) fn received(world: &Two, who: ClientId) -> Vec<&Received> {
    world.client(who).events().iter().filter_map(|e| if let Event::Message { message, .. } = e { Some(message) } else { None }).collect()
}

impl Pair {
    pub fn new(seed: u64, make: Make) -> Self {
        Self::with_stores(seed, make, 0)
    }
    /// With stores that answer after so many polls.
    pub fn with_stores(seed: u64, make: Make, late: usize) -> Self {
        let (mut world, switch) = (World::new(seed), Switch::default());
        world.late = late;
        let (alice, bob) = join(&mut world, make, &switch);
        Pair { world, switch, alice, bob }
    }
    pub fn settle(&mut self) {
        settle(&mut self.world);
    }
    pub fn is_later(&self) -> bool {
        self.world.client(self.alice).handle().open.is_later()
    }
    pub fn texts(&self, who: ClientId) -> Vec<String> {
        self.world.client(who).texts().into_iter().map(|(_, text)| text).collect()
    }
    /// A text, and all that follows from it.
    pub fn say(&mut self, from: ClientId, to: &str, text: &str) -> MessageId {
        let id = self.world.send(from, to, text);
        self.settle();
        id
    }
    /// Anything from Alice to Bob, and all that follows from it.
    pub fn send(&mut self, id: &str, kind: Kind, plain: Plaintext) {
        let bob = BOB.into();
        let (chat, to) = (ChatId(BOB.into()), Recipients::People(vec![bob]));
        self.world.feed(self.alice, Input::Send { id: id.into(), chat, to, kind, plain, headers: Headers::default() });
        self.settle();
    }
    /// A message there and one back, both shown, neither seen by the server.
    pub fn talks(&mut self, round: &str) {
        let (there, back) = (format!("there {round}"), format!("back {round}"));
        self.say(self.alice, BOB, &there);
        self.say(self.bob, ALICE, &back);
        assert_eq!(self.texts(self.bob).last(), Some(&there), "{round}");
        assert_eq!(self.texts(self.alice).last(), Some(&back), "{round}");
        self.hid(&there);
        self.hid(&back);
    }
    pub fn hid(&self, text: &str) {
        assert!(!self.world.server.saw(text.as_bytes()), "the server read {text:?}");
        assert!(self.world.stanzas().iter().all(|s| !s.in_clear), "a message left in clear");
        assert!(self.world.stanzas().iter().all(|s| !s.body.is_empty()), "a message left empty");
        for who in [self.alice, self.bob] {
            assert!(received(&self.world, who).iter().all(|m| !m.in_clear()), "a message was shown as one in clear");
        }
    }
    /// What Alice said, as it left, and did not arrive.
    pub fn withheld(&mut self, text: &str) -> Stanza {
        self.world.faults.lose = 1000;
        self.say(self.alice, BOB, text);
        self.world.faults.lose = 0;
        self.last()
    }
    pub fn last(&self) -> Stanza {
        self.world.stanzas().last().cloned().expect("something was sent")
    }
    /// From outside, to whom it is for.
    pub fn inject(&mut self, stanza: Stanza) {
        self.world.inject(stanza);
        self.settle();
    }
    /// The hooks misbehave for as long as this takes.
    pub fn misbehaving(&mut self, how: Misbehaviour, f: impl FnOnce(&mut Self)) {
        self.switch.set(how);
        f(self);
        self.switch.set(Misbehaviour::None);
    }
    pub fn was_sent(&self, who: ClientId, id: &MessageId) -> bool {
        was_sent(self.world.client(who).events(), id)
    }
    /// Why it was not sent, if the user was told so.
    pub fn not_sent(&self, who: ClientId, id: &MessageId) -> Option<&Refusal> {
        let why = |e: &'_ Event| matches!(e, Event::NotSent { id: i, .. } if i == id);
        self.world.client(who).events().iter().find(|e| why(e)).and_then(|e| if let Event::NotSent { why, .. } = e { Some(why) } else { None })
    }
    /// Why messages were not shown, in order.
    pub fn unread(&self, who: ClientId) -> Vec<Refusal> {
        let why = |e: &Event| if let Event::NotReceived { why, .. } = e { Some(why.clone()) } else { None };
        self.world.client(who).events().iter().filter_map(why).collect()
    }
    /// A refusal for a reason; an engine that fails has none.
    pub fn refuses_for_reasons(&self, who: ClientId, before: usize) {
        for why in self.unread(who).into_iter().skip(before) {
            assert_ne!(why.reason, Reason::Engine, "the engine failed where it should refuse");
        }
    }
}
pub(super) fn plain(content_type: &'static str, bytes: &[u8]) -> Plaintext {
    Plaintext::new(ContentType(content_type.into()), bytes)
}
