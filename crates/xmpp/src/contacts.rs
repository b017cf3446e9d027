//! The contact list (RFC 6121 §2) and who may see whose presence (§3), as stanzas.
//!
//! Owns which stanzas ask for a change, which answer belongs to one and what it says. Keeps no list, the host does; of the list
//! it remembers only the groups, because to rename a contact is to write it anew (§2.3.1) and whoever left them out would delete them.
//!
//! Invariants: the list comes from the account's own server only; changes wait for the list; names and numbers are bounded.
use crate::mapping::condition;
use crate::xml::{self, build};
use crate::{bare, ns};
use jid::BareJid;
use minidom::Element;
use std::collections::{HashMap, HashSet, VecDeque};
use std::str::FromStr as _;
use std::sync::Arc;
use subrosa_engine::Address;

/// Contacts of one list; those after them are left out.
const MAX_CONTACTS: usize = 20_000;
/// Characters of a name; the rest is cut.
const MAX_NAME: usize = 256;
/// Groups of one contact, and different groups of all, that are remembered.
const MAX_GROUPS: usize = 64;
const MAX_GROUP_NAMES: usize = 4096;
/// Bytes of a group's name.
const MAX_GROUP: usize = 256;
/// Changes that wait for the list, and changes whose answer may still come.
const MAX_OPEN: usize = 256;

/// Who sees whose presence (RFC 6121 §2.1.2.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Subscription {
    /// Nobody.
    None,
    /// We see theirs.
    To,
    /// They see ours.
    From,
    /// Both.
    Both,
    /// The contact is no longer on the list.
    Remove,
}
/// One entry of the contact list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contact {
    /// Who: a bare address.
    pub address: Address,
    /// What the account calls them, at most 256 characters; may be empty.
    pub name: String,
    /// Who sees whose presence.
    pub subscription: Subscription,
    /// We asked to see theirs, and they have not answered.
    pub asking: bool,
}
/// What may be done to the list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ContactChange {
    /// Onto the list, or by another name, and asked to show their presence.
    Add {
        /// Who.
        address: Address,
        /// What to call them; may be empty.
        name: String,
    },
    /// They may see our presence, and are asked for theirs. The server puts whom it does not have onto the list (§3.1.2).
    Accept(Address),
    /// They may not see our presence.
    Decline(Address),
    /// Off the list, and nobody sees anybody.
    Remove(Address),
}
impl ContactChange {
    /// Whom it is about.
    pub fn address(&self) -> &Address {
        match self {
            ContactChange::Add { address, .. }
            | ContactChange::Accept(address)
            | ContactChange::Decline(address)
            | ContactChange::Remove(address) => address,
        }
    }
}

/// What is new about contacts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ContactNews {
    /// All of the list.
    List(Vec<Contact>),
    /// A change did not work.
    Refused {
        /// Whom it was about.
        address: Address,
        /// The condition of RFC 6120 §8.3.3: `"item-not-found"`.
        condition: String,
    },
}
/// What a step leads to.
#[derive(Debug, Default)]
pub struct ContactTurn {
    /// To be sent, on the next stream again if this one ends before.
    pub send: Vec<Element>,
    /// For the host.
    pub news: Option<ContactNews>,
}

/// One account's list. Sans-IO: stanzas in, stanzas out.
#[derive(Debug)]
pub struct Contacts {
    me: Address,
    salt: String,
    next: u64,
    /// The id of the question for the list, while it is open.
    asked: Option<String>,
    /// The list came, or can't come: changes may be sent.
    known: bool,
    waiting: VecDeque<ContactChange>,
    open: VecDeque<(String, Address)>,
    groups: HashMap<Address, Box<[Arc<str>]>>,
    group_names: HashSet<Arc<str>>,
}
impl Contacts {
    /// For this account. `salt`: any random text; makes ids that nobody can guess.
    pub fn new(me: Address, salt: &str) -> Self {
        Contacts {
            me,
            salt: salt.into(),
            next: 0,
            asked: None,
            known: false,
            waiting: VecDeque::new(),
            open: VecDeque::new(),
            groups: HashMap::new(),
            group_names: HashSet::new(),
        }
    }
    /// The question for the list, on a new stream. Without it a server pushes no changes and no requests (§2.2).
    pub fn ask(&mut self) -> Element {
        let id = self.id();
        self.known = false;
        self.asked = Some(id.clone());
        build("iq", ns::CLIENT).attr("type", "get").attr("id", id).child(build("query", ns::ROSTER)).end()
    }
    /// The id of the question that is open: its answer may be larger than a stanza.
    pub fn asked(&self) -> Option<&str> {
        self.asked.as_deref()
    }
    /// A change. It waits for the list.
    pub fn change(&mut self, change: ContactChange) -> ContactTurn {
        let address = change.address();
        let condition = match &change {
            _ if BareJid::from_str(address.as_str()).is_err() => "jid-malformed",
            _ if *address == self.me => "not-allowed",
            ContactChange::Add { name, .. } if xml::check_text(name).is_err() => "not-acceptable",
            _ if self.known => return ContactTurn { send: self.stanzas(change), news: None },
            _ if self.waiting.len() >= MAX_OPEN => "resource-constraint",
            _ => {
                self.waiting.push_back(change);
                return ContactTurn::default();
            }
        };
        ContactTurn::refused(address.clone(), condition)
    }
    /// A received `<iq>` of type `result` or `error`. `None`: it answers nothing of ours.
    pub fn answered(&mut self, iq: &Element) -> Option<ContactTurn> {
        if !self.is_from_server(iq) {
            return None;
        }
        let id = iq.attr("id")?;
        let result = iq.attr("type") == Some("result");
        if self.asked.as_deref() == Some(id) {
            let query = iq.get_child("query", ns::ROSTER).filter(|_| result);
            let news = query.map(|query| ContactNews::List(self.list(query)));
            return Some(ContactTurn { send: self.go_on(), news });
        }
        let address = self.close(id, |_| true)?;
        Some(if result { ContactTurn::default() } else { ContactTurn::refused(address, condition_of(iq)) })
    }
    /// The answer was over its limit. `None`: it answers nothing of ours.
    pub fn too_large(&mut self, iq: &Element) -> Option<ContactTurn> {
        let ours = iq.attr("id").is_some_and(|id| self.asked.as_deref() == Some(id)) && self.is_from_server(iq);
        ours.then(|| ContactTurn { send: self.go_on(), news: None })
    }
    /// A received `<presence>` of type `error`: a request that did not get there.
    pub fn bounced(&mut self, presence: &Element) -> Option<ContactTurn> {
        let (id, from) = (presence.attr("id")?, bare(presence.attr("from")?).ok()?);
        let address = self.close(id, |address| *address == from)?;
        Some(ContactTurn::refused(address, condition_of(presence)))
    }
    /// A roster push (§2.1.6). `None`: it is none, or not from the account's server. The answer is [`crate::Entity::answer`]'s.
    pub fn pushed(&mut self, iq: &Element) -> Option<Contact> {
        let own = iq.attr("from").is_none_or(|from| from == self.me.as_str());
        let query = iq.get_child("query", ns::ROSTER).filter(|_| own && iq.attr("type") == Some("set"))?;
        let item = query.get_child("item", ns::ROSTER)?;
        let contact = contact(item)?;
        self.remember(&contact, item);
        Some(contact)
    }

    fn id(&mut self) -> String {
        self.next = self.next.saturating_add(1);
        format!("contacts-{}-{}", self.salt, self.next)
    }
    /// The account's server answers without a name, or under the account's, or its own.
    fn is_from_server(&self, iq: &Element) -> bool {
        let me = self.me.as_str();
        iq.attr("from").is_none_or(|from| from == me || me.split_once('@').is_some_and(|(_, domain)| domain == from))
    }
    fn go_on(&mut self) -> Vec<Element> {
        self.asked = None;
        self.known = true;
        std::mem::take(&mut self.waiting).into_iter().flat_map(|change| self.stanzas(change)).collect()
    }
    fn list(&mut self, query: &Element) -> Vec<Contact> {
        self.groups.clear();
        self.group_names.clear();
        let mut seen = HashSet::new();
        let items = query.children().filter(|c| c.is("item", ns::ROSTER)).filter_map(|item| Some((contact(item)?, item)));
        let known = items.filter(|(contact, _)| contact.subscription != Subscription::Remove && seen.insert(contact.address.clone()));
        known
            .take(MAX_CONTACTS)
            .map(|(contact, item)| {
                self.remember(&contact, item);
                contact
            })
            .collect()
    }
    fn remember(&mut self, contact: &Contact, item: &Element) {
        let mut groups = Vec::new();
        if contact.subscription != Subscription::Remove {
            let names = item.children().filter(|c| c.is("group", ns::ROSTER)).map(Element::text);
            for name in names.filter(|name| !name.is_empty() && name.len() <= MAX_GROUP).take(MAX_GROUPS) {
                groups.extend(self.group(&name));
            }
        }
        if groups.is_empty() {
            self.groups.remove(&contact.address);
        } else if self.groups.len() < MAX_CONTACTS || self.groups.contains_key(&contact.address) {
            self.groups.insert(contact.address.clone(), groups.into());
        }
    }
    fn group(&mut self, name: &str) -> Option<Arc<str>> {
        if let Some(known) = self.group_names.get(name) {
            return Some(known.clone());
        }
        let name: Arc<str> = name.into();
        let fits = self.group_names.len() < MAX_GROUP_NAMES;
        (fits && self.group_names.insert(name.clone())).then_some(name)
    }
    fn stanzas(&mut self, change: ContactChange) -> Vec<Element> {
        match change {
            ContactChange::Add { address, name } => {
                let groups =
                    self.groups.get(&address).into_iter().flatten().map(|group| build("group", ns::ROSTER).text(group).end()).collect::<Vec<_>>();
                let name = cut(&name);
                let item = build("item", ns::ROSTER).attr("jid", address.as_str()).maybe("name", Some(name.as_str()).filter(|name| !name.is_empty()));
                vec![self.set(address.clone(), item.children(groups).end()), self.presence("subscribe", address)]
            }
            ContactChange::Accept(address) => vec![self.presence("subscribed", address.clone()), self.presence("subscribe", address)],
            ContactChange::Decline(address) => vec![self.presence("unsubscribed", address)],
            ContactChange::Remove(address) => {
                let item = build("item", ns::ROSTER).attr("jid", address.as_str()).attr("subscription", "remove").end();
                vec![self.set(address, item)]
            }
        }
    }
    fn set(&mut self, address: Address, item: Element) -> Element {
        let id = self.open(address);
        build("iq", ns::CLIENT).attr("type", "set").attr("id", id).child(build("query", ns::ROSTER).child(item)).end()
    }
    fn presence(&mut self, kind: &str, address: Address) -> Element {
        let to = address.as_str().to_owned();
        build("presence", ns::CLIENT).attr("type", kind).attr("to", to).attr("id", self.open(address)).end()
    }
    fn open(&mut self, address: Address) -> String {
        if self.open.len() >= MAX_OPEN {
            self.open.pop_front(); // presence is answered only when it fails
        }
        let id = self.id();
        self.open.push_back((id.clone(), address));
        id
    }
    fn close(&mut self, id: &str, fits: impl Fn(&Address) -> bool) -> Option<Address> {
        let at = self.open.iter().position(|(open, address)| open == id && fits(address))?;
        self.open.remove(at).map(|(_, address)| address)
    }
}
impl ContactTurn {
    fn refused(address: Address, condition: impl Into<String>) -> Self {
        ContactTurn { send: Vec::new(), news: Some(ContactNews::Refused { address, condition: condition.into() }) }
    }
}

fn condition_of(stanza: &Element) -> String {
    let condition = stanza.get_child("error", ns::CLIENT).and_then(condition).unwrap_or("undefined-condition");
    condition.chars().take(64).collect()
}
/// `None`: no address.
fn contact(item: &Element) -> Option<Contact> {
    let subscription = match item.attr("subscription") {
        Some("to") => Subscription::To,
        Some("from") => Subscription::From,
        Some("both") => Subscription::Both,
        Some("remove") => Subscription::Remove,
        _ => Subscription::None,
    };
    let address = bare(item.attr("jid")?).ok()?;
    Some(Contact { address, name: cut(item.attr("name").unwrap_or_default()), subscription, asking: item.attr("ask") == Some("subscribe") })
}
fn cut(name: &str) -> String {
    name.chars().take(MAX_NAME).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, clippy::arithmetic_side_effects)]
    use super::*;
    use crate::xml::{parse_run, to_bytes};

    fn stanza(xml: &str) -> Element {
        parse_run(xml.as_bytes()).unwrap().remove(0)
    }
    fn texts(turn: &ContactTurn) -> Vec<String> {
        turn.send.iter().map(|e| String::from_utf8(to_bytes(e).unwrap()).unwrap().replace('"', "'")).collect()
    }
    fn with_list(items: &str) -> (Contacts, Vec<Contact>) {
        let mut contacts = Contacts::new("a@x".into(), "salt");
        let id = contacts.ask().attr("id").unwrap().to_owned();
        let turn = contacts.answered(&answer(&id, "", items)).unwrap();
        let Some(ContactNews::List(list)) = turn.news else { panic!("{turn:?}") };
        (contacts, list)
    }
    fn answer(id: &str, from: &str, items: &str) -> Element {
        stanza(&format!("<iq type='result' id='{id}' {from}><query xmlns='jabber:iq:roster'>{items}</query></iq>"))
    }
    fn add(address: &str, name: &str) -> ContactChange {
        ContactChange::Add { address: address.into(), name: name.into() }
    }
    fn refusal(turn: ContactTurn) -> (String, String) {
        assert!(turn.send.is_empty());
        match turn.news {
            Some(ContactNews::Refused { address, condition }) => (address.to_string(), condition),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_list_is_read_within_bounds() {
        let long = "é".repeat(300);
        let (_, list) = with_list(&format!(
            "<item jid='Bob@X/phone' name='Bob' subscription='both'/><item jid='c@x' ask='subscribe' subscription='nonsense'/>\
             <item jid='d@x' subscription='to' name='{long}'/><item jid='e@x' subscription='from'/><item jid='a@b@c'/><item/><other jid='f@x'/>\
             <item jid='bob@x' name='again'/><item jid='g@x' subscription='remove'/>"
        ));
        let seen: Vec<_> = list.iter().map(|c| (c.address.as_str(), c.subscription, c.asking, c.name.chars().count())).collect();
        let expected = [
            ("bob@x", Subscription::Both, false, 3),
            ("c@x", Subscription::None, true, 0),
            ("d@x", Subscription::To, false, 256),
            ("e@x", Subscription::From, false, 0),
        ];
        assert_eq!(seen, expected);
        let many: String = (0..MAX_CONTACTS / 2 - 1).map(|n| format!("<item jid='c{n}@x'/>")).collect();
        assert_eq!(with_list(&many[..]).1.len(), MAX_CONTACTS / 2 - 1);
    }

    #[test]
    fn the_list_comes_from_the_own_server_only() {
        for (from, counts) in
            [("", true), ("from='a@x'", true), ("from='x'", true), ("from='a@x/r'", false), ("from='eve@x'", false), ("from='y'", false)]
        {
            let mut contacts = Contacts::new("a@x".into(), "salt");
            let id = contacts.ask().attr("id").unwrap().to_owned();
            assert_eq!(contacts.answered(&answer(&id, from, "<item jid='b@x'/>")).is_some(), counts, "{from}");
            assert_eq!(contacts.asked().is_none(), counts);
            assert!(contacts.answered(&answer("other", from, "<item jid='b@x'/>")).is_none());
            let push = format!("<iq type='set' id='1' {from}><query xmlns='jabber:iq:roster'><item jid='b@x' subscription='to'/></query></iq>");
            assert_eq!(contacts.pushed(&stanza(&push)).is_some(), counts && from != "from='x'", "{from}");
        }
    }

    #[test]
    fn changes_wait_for_the_list_and_are_stanzas_then() {
        let mut contacts = Contacts::new("a@x".into(), "salt");
        assert!(contacts.change(add("b@x", "B & C")).send.is_empty());
        let id = contacts.ask().attr("id").unwrap().to_owned();
        assert!(contacts.change(ContactChange::Accept("c@x".into())).send.is_empty());
        let sent = texts(&contacts.answered(&answer(&id, "", "")).unwrap());
        let expected = [
            ("jid='b@x' name='B &amp; C'", "type='set'"),
            ("type='subscribe'", "to='b@x'"),
            ("type='subscribed'", "to='c@x'"),
            ("type='subscribe'", "to='c@x'"),
        ];
        assert_eq!(sent.len(), expected.len());
        for (sent, (one, other)) in sent.iter().zip(expected) {
            assert!(sent.contains(one) && sent.contains(other), "{sent}");
        }
        let sent = texts(&contacts.change(ContactChange::Decline("d@x".into())));
        assert!(sent.len() == 1 && sent[0].contains("type='unsubscribed'"), "{sent:?}");
        let sent = texts(&contacts.change(ContactChange::Remove("d@x".into())));
        assert!(sent.len() == 1 && sent[0].contains("jid='d@x' subscription='remove'"), "{sent:?}");
        // without the list too
        let mut contacts = Contacts::new("a@x".into(), "salt");
        let id = contacts.ask().attr("id").unwrap().to_owned();
        contacts.change(ContactChange::Decline("d@x".into()));
        assert_eq!(contacts.too_large(&stanza(&format!("<iq type='result' id='{id}'/>"))).unwrap().send.len(), 1);
    }

    #[test]
    fn a_new_name_leaves_the_groups() {
        let (mut contacts, _) = with_list("<item jid='b@x'><group>Work</group><group>R&amp;D</group></item><item jid='c@x'/>");
        let sent = texts(&contacts.change(add("b@x", "B")));
        assert!(sent[0].contains("<group>Work</group><group>R&amp;D</group>"), "{sent:?}");
        assert!(!texts(&contacts.change(add("c@x", "C")))[0].contains("group"));
        let push = |item: &str| stanza(&format!("<iq type='set' id='1'><query xmlns='jabber:iq:roster'>{item}</query></iq>"));
        contacts.pushed(&push("<item jid='c@x'><group>Work</group></item>")).unwrap();
        assert!(texts(&contacts.change(add("c@x", "C")))[0].contains("<group>Work</group>"));
        assert_eq!(contacts.pushed(&push("<item jid='c@x' subscription='remove'/>")).unwrap().subscription, Subscription::Remove);
        assert!(!texts(&contacts.change(add("c@x", "C")))[0].contains("group"));
    }

    #[test]
    fn refusals_are_told_with_whom_they_are_about() {
        let (mut contacts, _) = with_list("");
        assert_eq!(refusal(contacts.change(add("a@b@c", ""))), ("a@b@c".into(), "jid-malformed".into()));
        assert_eq!(refusal(contacts.change(add("a@x", ""))), ("a@x".into(), "not-allowed".into()));
        assert_eq!(refusal(contacts.change(add("b@x", "\u{1}"))), ("b@x".into(), "not-acceptable".into()));
        let turn = contacts.change(add("b@x", ""));
        let [set, presence] = [0, 1].map(|n| turn.send[n].attr("id").unwrap().to_owned());
        let error = |name: &str, id: &str, from: &str| {
            stanza(&format!(
                "<{name} type='error' id='{id}' from='{from}'><error type='cancel'><item-not-found xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></{name}>"
            ))
        };
        assert!(contacts.answered(&error("iq", &set, "eve@x")).is_none());
        assert_eq!(refusal(contacts.answered(&error("iq", &set, "a@x")).unwrap()), ("b@x".into(), "item-not-found".into()));
        assert!(contacts.answered(&error("iq", &set, "a@x")).is_none());
        assert!(contacts.bounced(&error("presence", &presence, "eve@x")).is_none());
        assert_eq!(refusal(contacts.bounced(&error("presence", &presence, "b@x")).unwrap()), ("b@x".into(), "item-not-found".into()));
        let mut offline = Contacts::new("a@x".into(), "salt");
        (0..MAX_OPEN).for_each(|n| assert!(offline.change(add(&format!("c{n}@x"), "")).news.is_none()));
        assert_eq!(refusal(offline.change(add("b@x", ""))).1, "resource-constraint");
    }
}
