//! What a server remembers and answers: published nodes and who may see them. It routes nothing by itself
//! (that is [`crate::World`]) and knows no protocol: payloads are bytes.
//!
//! It behaves as Prosody 0.12 does; [`Quirks`] are what other servers do instead.
use std::collections::BTreeMap;
use subrosa_engine::{Address, Item, Keep, Node, Request, RequestError};

/// Who may read a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Anybody.
    Open,
    /// Those who see the owner's presence; what a server gives a node that was published without options.
    Presence,
    /// Nobody but the owner.
    Nobody,
}

/// A published node. Public fields: a test damages it as it likes.
#[derive(Clone, Debug)]
pub struct PepNode {
    /// Oldest first.
    pub items: Vec<Item>,
    /// Who may read it.
    pub access: Access,
    /// How many items it keeps.
    pub keep: Keep,
}

/// Where servers differ.
#[derive(Clone, Copy, Debug)]
pub struct Quirks {
    /// Keeps one item a node whatever was asked (ejabberd 23.01).
    pub one_item: bool,
    /// The most items a node keeps, oldest thrown out first.
    pub max_items: usize,
    /// A missing item of an existing node is `NotFound` and not an empty answer.
    pub missing_item_is_error: bool,
}
impl Default for Quirks {
    fn default() -> Self {
        Quirks { one_item: false, max_items: 256, missing_item_is_error: false }
    }
}

/// Something the server tells whoever is interested in the node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Push {
    /// Which node and item.
    pub node: Node,
    /// `None`: gone.
    pub payload: Option<Vec<u8>>,
}

type Service = Box<dyn FnMut(&str, &[u8]) -> Option<Vec<u8>>>;
type Rule = Box<dyn FnMut(&Address, &Request) -> Option<RequestError>>;

/// A PEP server of many accounts.
pub struct FakeServer {
    nodes: BTreeMap<(Address, String), PepNode>,
    strangers: Vec<(Address, Address)>,
    rule: Option<Rule>,
    service: Option<Service>,
    seen: Vec<Vec<u8>>,
    requests: Vec<(Address, Request)>,
    /// What [`Self::saw`] and [`Self::requests`] tell; a long run switches it off.
    pub(crate) remembers: bool,
    /// Where it differs from the default.
    pub quirks: Quirks,
}
impl Default for FakeServer {
    fn default() -> Self {
        FakeServer {
            nodes: BTreeMap::new(),
            strangers: Vec::new(),
            rule: None,
            service: None,
            seen: Vec::new(),
            requests: Vec::new(),
            remembers: true,
            quirks: Quirks::default(),
        }
    }
}

impl FakeServer {
    /// A node as it stands.
    pub fn node(&self, owner: &Address, name: &str) -> Option<&PepNode> {
        self.nodes.get(&(owner.clone(), name.into()))
    }
    /// A node to damage behind everybody's back: nobody is told. `None`: there is none.
    pub fn node_mut(&mut self, owner: &Address, name: &str) -> Option<&mut PepNode> {
        self.nodes.get_mut(&(owner.clone(), name.into()))
    }
    /// Takes a node away without a word, as a server does that lost its disk.
    pub fn lose_node(&mut self, owner: &Address, name: &str) {
        self.nodes.remove(&(owner.clone(), name.into()));
    }
    /// The names of an owner's nodes.
    pub fn nodes_of<'a>(&'a self, owner: &'a Address) -> impl Iterator<Item = &'a str> {
        self.nodes.keys().filter(move |(o, _)| o == owner).map(|(_, name)| name.as_str())
    }
    /// From now on these two don't see each other's presence: no pushes, no `Access::Presence`.
    pub fn make_strangers(&mut self, a: &Address, b: &Address) {
        self.strangers.push((a.clone(), b.clone()));
    }
    /// Do they see each other's presence? One account always sees itself.
    pub fn are_friends(&self, a: &Address, b: &Address) -> bool {
        !self.strangers.iter().any(|(x, y)| (x, y) == (a, b) || (x, y) == (b, a))
    }
    /// Answers with this error wherever the rule gives one. The last rule given holds.
    pub fn refuse(&mut self, rule: impl FnMut(&Address, &Request) -> Option<RequestError> + 'static) {
        self.rule = Some(Box::new(rule));
    }
    /// Back to answering everything.
    pub fn refuse_nothing(&mut self) {
        self.rule = None;
    }
    /// What answers [`Request::Exchange`]: service name and body in, answer out.
    pub fn serve(&mut self, service: impl FnMut(&str, &[u8]) -> Option<Vec<u8>> + 'static) {
        self.service = Some(Box::new(service));
    }
    /// Whether these bytes were in any payload or message body that passed: to prove that no plaintext was.
    pub fn saw(&self, needle: &[u8]) -> bool {
        !needle.is_empty() && self.seen.iter().any(|bytes| bytes.windows(needle.len()).any(|w| w == needle))
    }
    /// Every request that reached the server, in order, with who asked.
    pub fn requests(&self) -> &[(Address, Request)] {
        &self.requests
    }
    pub(crate) fn see(&mut self, bytes: &[u8]) {
        if self.remembers {
            self.seen.push(bytes.to_vec());
        }
    }

    /// Answers one request and says what has to be pushed.
    pub fn answer(&mut self, from: &Address, request: &Request) -> (Result<Vec<Item>, RequestError>, Option<Push>) {
        if self.remembers {
            self.requests.push((from.clone(), request.clone()));
        }
        if let Some(error) = self.rule.as_mut().and_then(|rule| rule(from, request)) {
            return (Err(error), None);
        }
        match request {
            Request::Fetch(node) => (self.fetch(from, node), None),
            Request::Publish { node, .. } | Request::Delete(node) if node.owner != *from => (Err(RequestError::Forbidden), None),
            Request::Publish { node, keep, payload } => (Ok(Vec::new()), Some(self.publish(node, *keep, payload.clone()))),
            Request::Delete(node) => match self.delete(node) {
                Some(push) => (Ok(Vec::new()), Some(push)),
                None => (Err(RequestError::NotFound), None),
            },
            Request::Exchange { service, body } => {
                self.see(body);
                let answer = self.service.as_mut().and_then(|serve| serve(service, body));
                (answer.map(|payload| vec![Item { id: None, payload }]).ok_or(RequestError::NotFound), None)
            }
            _ => (Err(RequestError::NotFound), None),
        }
    }
    fn fetch(&self, from: &Address, node: &Node) -> Result<Vec<Item>, RequestError> {
        let found = self.node(&node.owner, &node.name).ok_or(RequestError::NotFound)?;
        if !self.may_read(from, &node.owner, found) {
            return Err(RequestError::Forbidden);
        }
        let items: Vec<Item> = found.items.iter().filter(|i| node.item.is_none() || i.id == node.item).cloned().collect();
        if items.is_empty() && node.item.is_some() && self.quirks.missing_item_is_error {
            return Err(RequestError::NotFound);
        }
        Ok(items)
    }
    fn may_read(&self, who: &Address, owner: &Address, node: &PepNode) -> bool {
        who == owner
            || match node.access {
                Access::Open => true,
                Access::Presence => self.are_friends(who, owner),
                Access::Nobody => false,
            }
    }
    /// Publishes whatever the access of the publisher: what another client of the owner, or a rogue server, does.
    pub fn publish(&mut self, node: &Node, keep: Keep, payload: Vec<u8>) -> Push {
        self.see(&payload);
        let id = Some(node.item.clone().unwrap_or_else(|| "current".into()));
        let most = if self.quirks.one_item || keep == Keep::One { 1 } else { self.quirks.max_items };
        let place = self.nodes.entry((node.owner.clone(), node.name.clone()));
        let entry = place.or_insert_with(|| PepNode { items: Vec::new(), access: Access::Open, keep });
        (entry.access, entry.keep) = (Access::Open, keep);
        entry.items.retain(|i| i.id != id);
        entry.items.push(Item { id: id.clone(), payload: payload.clone() });
        let surplus = entry.items.len().saturating_sub(most);
        entry.items.drain(..surplus);
        Push { node: Node { item: id, ..node.clone() }, payload: Some(payload) }
    }
    fn delete(&mut self, node: &Node) -> Option<Push> {
        let key = (node.owner.clone(), node.name.clone());
        match &node.item {
            None => drop(self.nodes.remove(&key)?),
            Some(id) => {
                let items = &mut self.nodes.get_mut(&key)?.items;
                items.remove(items.iter().position(|i| i.id.as_ref() == Some(id))?);
            }
        }
        Some(Push { node: node.clone(), payload: None })
    }
    /// What somebody who comes online is told: the last item of every node they may read, their own included.
    pub fn last_items(&self, who: &Address) -> Vec<Push> {
        let readable = self.nodes.iter().filter(|((owner, _), node)| self.are_friends(who, owner) && self.may_read(who, owner, node));
        let last = |((owner, name), node): (&(Address, String), &PepNode)| {
            let item = node.items.last()?;
            Some(Push { node: Node { owner: owner.clone(), name: name.clone(), item: item.id.clone() }, payload: Some(item.payload.clone()) })
        };
        readable.filter_map(last).collect()
    }
    pub(crate) fn may_be_told(&self, who: &Address, push: &Push) -> bool {
        let node = self.node(&push.node.owner, &push.node.name);
        self.are_friends(who, &push.node.owner) && node.is_none_or(|n| self.may_read(who, &push.node.owner, n))
    }
}
