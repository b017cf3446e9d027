//! Whom the server keeps away (XEP-0191), as stanzas.
//!
//! Owns which stanza asks for a change, which answer belongs to one, and what is told about changes of other devices. Keeps no list, the host
//! does. Invariants: the list comes from the account's own server only; nothing but [`BlockChange::UnblockAll`] unblocks everybody, which on
//! the wire is to unblock nobody by name.
use crate::mapping::condition;
use crate::ns;
use crate::xml::build;
use jid::Jid;
use minidom::Element;
use std::collections::VecDeque;
use subrosa_engine::Address;

/// Entries of a list; those after them are left out.
const MAX_ENTRIES: usize = 20_000;
/// Changes that wait for the list, and changes whose answer may still come.
const MAX_OPEN: usize = 256;

/// What may be done about somebody. An address is bare, a domain (and all that is there), or one with a resource (and no other of it).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BlockChange {
    /// Nothing from there gets to us, and we seem to be offline.
    Block(Address),
    /// As before.
    Unblock(Address),
    /// Nobody is blocked any more.
    UnblockAll,
}
/// What is new about who is blocked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BlockNews {
    /// All who are.
    List(Vec<Address>),
    /// The server has no such list, or does not give it.
    Unavailable,
    /// These are now too.
    Blocked(Vec<Address>),
    /// These are not any more.
    Unblocked(Vec<Address>),
    /// Nobody is any more.
    UnblockedAll,
    /// A change did not work.
    Refused {
        /// Which.
        change: BlockChange,
        /// The condition of RFC 6120 §8.3.3: `"not-allowed"`.
        condition: String,
    },
}
/// What a step leads to.
#[derive(Debug, Default)]
pub struct BlockTurn {
    /// To be sent.
    pub send: Vec<Element>,
    /// For the host.
    pub news: Vec<BlockNews>,
}

/// One account's block list. Sans-IO: stanzas in, stanzas out.
#[derive(Debug)]
pub struct Blocking {
    me: Address,
    salt: String,
    next: u64,
    asked: Option<String>,
    /// The list came: changes may be sent.
    known: bool,
    waiting: VecDeque<BlockChange>,
    open: VecDeque<(String, BlockChange)>,
}
impl Blocking {
    /// For this account. `salt`: any random text; makes ids that nobody can guess.
    pub fn new(me: Address, salt: &str) -> Self {
        Blocking { me, salt: salt.into(), next: 0, asked: None, known: false, waiting: VecDeque::new(), open: VecDeque::new() }
    }
    /// The question for the list, on a new stream. Without it a server pushes no changes (§3.3). Changes that were not answered come again.
    pub fn ask(&mut self) -> Element {
        let open = std::mem::take(&mut self.open).into_iter().map(|(_, change)| change);
        self.waiting = open.chain(std::mem::take(&mut self.waiting)).collect();
        self.known = false;
        let id = self.id();
        self.asked = Some(id.clone());
        build("iq", ns::CLIENT).attr("type", "get").attr("id", id).child(build("blocklist", ns::BLOCKING)).end()
    }
    /// A change. It waits for the list; what comes of it is pushed.
    pub fn change(&mut self, change: BlockChange) -> BlockTurn {
        let address = match &change {
            BlockChange::Block(address) | BlockChange::Unblock(address) => Some(address),
            BlockChange::UnblockAll => None,
        };
        if let Some(condition) = address.and_then(|address| self.unfit(address)) {
            return BlockTurn::told(BlockNews::refused(change, condition));
        }
        if self.open.len().saturating_add(self.waiting.len()) >= MAX_OPEN {
            return BlockTurn::told(BlockNews::refused(change, "resource-constraint"));
        }
        self.waiting.push_back(change);
        BlockTurn { send: self.go_on(), news: Vec::new() }
    }
    fn go_on(&mut self) -> Vec<Element> {
        if !self.known {
            return Vec::new();
        }
        std::mem::take(&mut self.waiting).into_iter().map(|change| self.stanza(change)).collect()
    }
    fn stanza(&mut self, change: BlockChange) -> Element {
        let (name, address) = match &change {
            BlockChange::Block(address) => ("block", Some(address)),
            BlockChange::Unblock(address) => ("unblock", Some(address)),
            BlockChange::UnblockAll => ("unblock", None),
        };
        let item = address.map(|address| build("item", ns::BLOCKING).attr("jid", address.as_str()).end());
        let payload = build(name, ns::BLOCKING).children(item);
        let id = self.id();
        self.open.push_back((id.clone(), change));
        build("iq", ns::CLIENT).attr("type", "set").attr("id", id).child(payload).end()
    }
    /// Whoever blocks the own account or server hears nothing more.
    fn unfit(&self, address: &Address) -> Option<&'static str> {
        let Ok(jid) = Jid::new(address.as_str()) else { return Some("jid-malformed") };
        let server = self.me.as_str().split_once('@').map(|(_, domain)| domain);
        let own = jid.to_bare().as_str() == self.me.as_str() || Some(jid.to_bare().as_str()) == server;
        own.then_some("not-allowed")
    }
    /// A received `<iq>` of type `result` or `error`. `None`: it answers nothing of ours.
    pub fn answered(&mut self, iq: &Element) -> Option<BlockTurn> {
        if !self.is_from_server(iq) {
            return None;
        }
        let id = iq.attr("id")?;
        let result = iq.attr("type") == Some("result");
        if self.asked.take_if(|asked| asked == id).is_some() {
            let list = iq.get_child("blocklist", ns::BLOCKING).filter(|_| result);
            let Some(list) = list else {
                let waiting = std::mem::take(&mut self.waiting).into_iter();
                let refused = waiting.map(|change| BlockNews::refused(change, "feature-not-implemented"));
                return Some(BlockTurn { send: Vec::new(), news: std::iter::once(BlockNews::Unavailable).chain(refused).collect() });
            };
            self.known = true;
            return Some(BlockTurn { send: self.go_on(), news: vec![BlockNews::List(addresses(list))] });
        }
        let at = self.open.iter().position(|(open, _)| open == id)?;
        let (_, change) = self.open.remove(at)?;
        let why = iq.get_child("error", ns::CLIENT).and_then(condition).unwrap_or("undefined-condition");
        Some(if result { BlockTurn::default() } else { BlockTurn::told(BlockNews::refused(change, why)) })
    }
    /// The answer was over its limit. `None`: it answers nothing of ours.
    pub fn too_large(&mut self, iq: &Element) -> Option<BlockTurn> {
        self.answered(&build("iq", ns::CLIENT).maybe("id", iq.attr("id")).maybe("from", iq.attr("from")).end())
    }
    /// A received `<iq>` of type `set`. `None`: it is no change, or not from the account's server. The answer is [`crate::Entity::answer`]'s.
    pub fn pushed(&self, iq: &Element) -> Option<BlockNews> {
        let own = iq.attr("from").is_none_or(|from| from == self.me.as_str());
        let change = iq.children().next().filter(|c| own && c.has_ns(ns::BLOCKING) && iq.attr("type") == Some("set"))?;
        match change.name() {
            "block" => Some(BlockNews::Blocked(addresses(change))),
            "unblock" if change.children().next().is_none() => Some(BlockNews::UnblockedAll),
            "unblock" => Some(BlockNews::Unblocked(addresses(change))),
            _ => None,
        }
    }

    fn id(&mut self) -> String {
        self.next = self.next.saturating_add(1);
        format!("blocking-{}-{}", self.salt, self.next)
    }
    /// The account's server answers without a name, or under the account's, or its own.
    fn is_from_server(&self, iq: &Element) -> bool {
        let me = self.me.as_str();
        iq.attr("from").is_none_or(|from| from == me || me.split_once('@').is_some_and(|(_, domain)| domain == from))
    }
}
impl BlockTurn {
    fn told(news: BlockNews) -> Self {
        BlockTurn { send: Vec::new(), news: vec![news] }
    }
}
impl BlockNews {
    fn refused(change: BlockChange, condition: &str) -> Self {
        BlockNews::Refused { change, condition: condition.chars().take(64).collect() }
    }
}
/// A resource stays: one that is blocked by it blocks no other.
fn addresses(list: &Element) -> Vec<Address> {
    let items = list.children().filter(|c| c.is("item", ns::BLOCKING)).filter_map(|item| Jid::new(item.attr("jid")?).ok());
    items.take(MAX_ENTRIES).map(|jid| Address::from(jid.as_str())).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]
    use super::*;
    use crate::xml::{parse_run, to_bytes};

    fn stanza(xml: &str) -> Element {
        parse_run(xml.as_bytes()).unwrap().remove(0)
    }
    fn blocking() -> Blocking {
        Blocking::new("juliet@capulet.com".into(), "salt")
    }
    fn asks(turn: &BlockTurn) -> (String, String) {
        let [iq] = turn.send.as_slice() else { panic!("{turn:?}") };
        let text = String::from_utf8(to_bytes(iq.children().next().unwrap()).unwrap()).unwrap();
        (iq.attr("id").unwrap().to_owned(), text.replace('"', "'"))
    }
    fn named(names: &[&str]) -> Vec<Address> {
        names.iter().map(|name| Address::from(*name)).collect()
    }

    #[test]
    fn the_list_is_read_from_the_own_server_only() {
        let mut blocking = blocking();
        let iq = blocking.ask();
        let id = iq.attr("id").unwrap();
        assert!(iq.attr("to").is_none());
        let list = |from: &str| {
            stanza(&format!(
                "<iq type='result' id='{id}' {from}><blocklist xmlns='urn:xmpp:blocking'><item jid='Romeo@montague.net'/><item jid='a@b@c'/><item/>\
                 <item jid='shakespeare.lit'/><item jid='iago@x/r'/></blocklist></iq>"
            ))
        };
        assert!(blocking.answered(&list("from='eve@capulet.com'")).is_none());
        let news = blocking.answered(&list("")).unwrap().news;
        assert_eq!(news, [BlockNews::List(named(&["romeo@montague.net", "shakespeare.lit", "iago@x/r"]))]);
        assert!(blocking.answered(&list("")).is_none());
        let id = blocking.ask().attr("id").unwrap().to_owned();
        let news = blocking.answered(&stanza(&format!("<iq type='error' id='{id}'/>"))).unwrap().news;
        assert_eq!(news, [BlockNews::Unavailable]);
    }

    #[test]
    fn changes_wait_for_the_list_and_come_again_on_a_new_stream() {
        let mut blocking = super::tests::blocking();
        let change = BlockChange::Block("romeo@montague.net".into());
        assert!(blocking.change(change.clone()).send.is_empty());
        let list = |blocking: &mut Blocking, inner: &str| {
            let id = blocking.ask().attr("id").unwrap().to_owned();
            blocking.answered(&stanza(&format!("<iq type='result' id='{id}'>{inner}</iq>"))).unwrap()
        };
        let empty = "<blocklist xmlns='urn:xmpp:blocking'/>";
        let (old, _) = asks(&list(&mut blocking, empty));
        let (new, _) = asks(&list(&mut blocking, empty));
        let result = |id: &str| stanza(&format!("<iq type='result' id='{id}'/>"));
        assert!(blocking.answered(&result(&old)).is_none() && blocking.answered(&result(&new)).is_some());
        // no list, no changes
        blocking.ask();
        blocking.change(change.clone());
        let turn = list(&mut blocking, "");
        assert_eq!(turn.news, [BlockNews::Unavailable, BlockNews::refused(change, "feature-not-implemented")]);
        let id = blocking.ask().attr("id").unwrap().to_owned();
        assert_eq!(blocking.too_large(&result(&id)).unwrap().news, [BlockNews::Unavailable]);
    }

    #[test]
    fn changes_are_asked_for_by_name() {
        let mut blocking = blocking();
        blocking.known = true;
        let (id, text) = asks(&blocking.change(BlockChange::Block("romeo@montague.net".into())));
        assert_eq!(text, "<block xmlns='urn:xmpp:blocking'><item jid='romeo@montague.net'/></block>");
        assert!(blocking.answered(&stanza(&format!("<iq type='result' id='{id}'/>"))).unwrap().news.is_empty());
        let (id, text) = asks(&blocking.change(BlockChange::Unblock("romeo@montague.net".into())));
        assert_eq!(text, "<unblock xmlns='urn:xmpp:blocking'><item jid='romeo@montague.net'/></unblock>");
        let error = "<error type='cancel'><item-not-found xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>";
        let news = blocking.answered(&stanza(&format!("<iq type='error' id='{id}'>{error}</iq>"))).unwrap().news;
        let change = BlockChange::Unblock("romeo@montague.net".into());
        assert_eq!(news, [BlockNews::refused(change, "item-not-found")]);
        assert_eq!(asks(&blocking.change(BlockChange::UnblockAll)).1, "<unblock xmlns='urn:xmpp:blocking'/>");
        for (bad, why) in [
            ("", "jid-malformed"),
            ("a@b@c", "jid-malformed"),
            ("juliet@capulet.com", "not-allowed"),
            ("juliet@capulet.com/r", "not-allowed"),
            ("capulet.com", "not-allowed"),
        ] {
            for change in [BlockChange::Block(bad.into()), BlockChange::Unblock(bad.into())] {
                let turn = blocking.change(change.clone());
                assert!(turn.send.is_empty() && turn.news == [BlockNews::refused(change, why)], "{bad}");
            }
        }
    }

    #[test]
    fn changes_of_other_devices_are_told_by_the_own_server_only() {
        let blocking = blocking();
        let push = |from: &str, change: &str| blocking.pushed(&stanza(&format!("<iq type='set' id='p' {from}>{change}</iq>")));
        let romeo = "<block xmlns='urn:xmpp:blocking'><item jid='romeo@montague.net'/></block>";
        assert_eq!(push("", romeo), Some(BlockNews::Blocked(named(&["romeo@montague.net"]))));
        assert_eq!(push("from='juliet@capulet.com'", romeo), push("", romeo));
        assert_eq!(
            push("", &romeo.replace("<block ", "<unblock ").replace("</block", "</unblock")),
            Some(BlockNews::Unblocked(named(&["romeo@montague.net"])))
        );
        assert_eq!(push("", "<unblock xmlns='urn:xmpp:blocking'/>"), Some(BlockNews::UnblockedAll));
        // entries that are none unblock nobody
        assert_eq!(push("", "<unblock xmlns='urn:xmpp:blocking'><item/></unblock>"), Some(BlockNews::Unblocked(vec![])));
        assert_eq!(push("from='eve@x'", romeo), None);
        assert_eq!(push("from='juliet@capulet.com/r'", romeo), None);
        assert_eq!(push("", "<block xmlns='urn:other'/>"), None);
        assert_eq!(blocking.pushed(&stanza(&format!("<iq type='result' id='p'>{romeo}</iq>"))), None);
    }
}
