//! What the server does that it should not: forget, go back, swap, damage, refuse, keep quiet.
use super::{Outcome, Play, Subject};
use crate::simulation::Plan;
use crate::{Seeded, Stanza};
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use subrosa_engine::{Address, Keep, MessageId, Node, Request, RequestError};

/// What is wrong with it just now; shared with the rule that it asks.
pub(super) struct Mood {
    rng: RefCell<Seeded>,
    /// Requests that it refuses, in thousandths.
    refuses: Cell<u32>,
    /// It tells nobody of publications.
    quiet: Cell<bool>,
    old: bool,
}
impl Mood {
    pub fn new(plan: &Plan) -> Self {
        Mood { rng: RefCell::new(Seeded::new(plan.seed ^ 0xbad)), refuses: Cell::new(0), quiet: Cell::new(false), old: plan.old }
    }
    pub fn mend(&self) {
        self.refuses.set(0);
        self.quiet.set(false);
    }
    fn refusal(&self) -> Option<RequestError> {
        let mut rng = self.rng.borrow_mut();
        if !rng.permille(self.refuses.get()) {
            return None;
        }
        const ERRORS: [RequestError; 4] = [RequestError::Forbidden, RequestError::NotFound, RequestError::Refused, RequestError::Unreachable];
        Some(ERRORS[rng.below(4) as usize])
    }
}

impl<X: Subject> Play<X> {
    /// The rules that the server keeps asking.
    pub(super) fn set_mood(&mut self) {
        let (lists, mood) = (self.mood.clone(), self.mood.clone());
        self.world.notify(move |node| X::is_list(node) && !lists.quiet.get() && !(lists.old && X::is_modern(node)));
        self.world.server.refuse(move |_, request| match request {
            Request::Fetch(node) | Request::Delete(node) | Request::Publish { node, .. } if mood.old && X::is_modern(&node.name) => {
                Some(RequestError::Forbidden)
            }
            _ => mood.refusal(),
        });
    }
    /// It loses something, goes back to something older, refuses, or keeps quiet.
    pub(super) fn forget(&mut self) -> Outcome {
        let kind = self.rng.below(6);
        match kind {
            0 => {
                if let Some((owner, name)) = self.some_node() {
                    self.say(format!("the server loses {name} of {owner}"));
                    self.world.server.lose_node(&owner, &name);
                }
            }
            1 if !self.archive.is_empty() => {
                let (node, payload) = self.archive[self.rng.below(self.archive.len() as u64) as usize].clone();
                self.say(format!("the server goes back to an older {} {} of {}", node.name, node.item.as_deref().unwrap_or_default(), node.owner));
                self.put(&node, payload);
            }
            2 => {
                // another client of the account, or the server, takes a device off
                let person = self.person();
                let lists: Vec<String> = self.world.server.nodes_of(&person).filter(|name| X::is_list(name)).map(str::to_owned).collect();
                for name in lists {
                    let node = Node { owner: person.clone(), name: name.clone(), item: None };
                    let payload = self.world.server.node(&person, &name).and_then(|n| n.items.last()).map(|i| i.payload.clone());
                    let Some(crate::simulation::Published::List(mut ids)) = payload.and_then(|p| self.subject.published(&node, &p)) else { continue };
                    if ids.is_empty() || self.rng.permille(300) {
                        continue;
                    }
                    let gone = ids.remove(self.rng.below(ids.len() as u64) as usize);
                    if let Some(payload) = self.subject.list(&name, &ids) {
                        self.say(format!("somebody takes {gone:?} off {name} of {person}"));
                        self.world.publish_as(person.as_str(), &name, Some("current"), Keep::One, &payload);
                    }
                }
            }
            3 | 4 => {
                let refuses = if self.mood.refuses.get() > 0 { 0 } else { 1 + self.rng.below(400) as u32 };
                self.say(format!("the server refuses {refuses} in 1000"));
                self.mood.refuses.set(refuses);
            }
            _ => {
                let quiet = !self.mood.quiet.get();
                self.say(format!("the server is quiet: {quiet}"));
                self.mood.quiet.set(quiet);
            }
        }
        Ok(())
    }
    /// It swaps or damages something, at rest or on its way.
    pub(super) fn attack(&mut self) -> Outcome {
        match self.rng.below(5) {
            0 => {
                let (one, two) = (self.some_node(), self.some_node());
                let Some((one, two)) = one.zip(two).filter(|(one, two)| X::is_list(&one.1) == X::is_list(&two.1)) else { return Ok(()) };
                let last = |play: &Self, (owner, name): &(Address, String)| play.world.server.node(owner, name)?.items.last().cloned();
                if let (Some(a), Some(b)) = (last(self, &one), last(self, &two)) {
                    self.say(format!("the server swaps {} of {} and {} of {}", one.1, one.0, two.1, two.0));
                    for ((owner, name), payload) in [(&one, b.payload), (&two, a.payload)] {
                        if let Some(item) = self.world.server.node_mut(owner, name).and_then(|node| node.items.last_mut()) {
                            item.payload = payload;
                        }
                    }
                }
            }
            1 => {
                let Some((owner, name)) = self.some_node() else { return Ok(()) };
                let at = self.rng.below(10_000) as usize;
                if let Some(item) = self.world.server.node_mut(&owner, &name).and_then(|node| node.items.last_mut()) {
                    damage(&mut item.payload, at);
                    self.say(format!("the server damages {name} of {owner}"));
                }
            }
            2 | 3 => {
                if let Some(stanza) = self.some_stanza() {
                    let mut changed = (*stanza).clone();
                    let at = self.rng.below(100_000) as usize;
                    damage(&mut changed.body, at);
                    self.deliver(changed, "damaged");
                }
            }
            _ => {
                // where what is inside names nobody, a first message can be made anybody's: the older version's weakness
                let stanza = self.some_stanza().filter(|stanza| self.subject.read(stanza).is_ok_and(|carried| carried.bound));
                if let Some(stanza) = stanza {
                    let (other, room) = (self.person(), self.some_room());
                    let mut moved = (*stanza).clone();
                    match room.filter(|_| self.rng.permille(500)) {
                        Some(room) => moved.chat = subrosa_engine::ChatId(room),
                        None => moved.from = other,
                    }
                    self.deliver(moved, "moved");
                }
            }
        }
        Ok(())
    }
    /// It sends something again.
    pub(super) fn replay(&mut self) -> Outcome {
        if let Some(stanza) = self.some_stanza() {
            let id = stanza.id.clone();
            self.trace.deed(self.world.now(), None, Some(&id), "the server sends it again".into());
            self.world.inject((*stanza).clone());
        }
        Ok(())
    }
    fn deliver(&mut self, stanza: Stanza, how: &str) {
        let id: &MessageId = &stanza.id;
        self.judge.tampered(id);
        self.trace.deed(self.world.now(), None, Some(id), format!("the server sends it again, {how}"));
        self.world.inject(stanza);
    }
    fn put(&mut self, node: &Node, payload: Vec<u8>) {
        let item = node.item.clone().unwrap_or_else(|| "current".into());
        if let Some(found) = self.world.server.node_mut(&node.owner, &node.name)
            && let Some(found) = found.items.iter_mut().find(|i| i.id.as_deref() == Some(&item))
        {
            found.payload = payload;
        }
    }
    fn some_node(&mut self) -> Option<(Address, String)> {
        let owner = self.person();
        let names: Vec<String> = self.world.server.nodes_of(&owner).map(str::to_owned).collect();
        let name = names.get(self.rng.below(names.len() as u64) as usize)?.clone();
        Some((owner, name))
    }
    fn some_stanza(&mut self) -> Option<Rc<Stanza>> {
        self.recent.get(self.rng.below(self.recent.len() as u64) as usize).cloned()
    }
    fn say(&mut self, what: String) {
        self.trace.deed(self.world.now(), None, None, what);
    }
}
fn damage(bytes: &mut [u8], at: usize) {
    if let Some(at) = at.checked_rem(bytes.len()) {
        bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
    }
}
