//! Which rooms the account is in (XEP-0402), on a node that only its own devices may read. Older bookmarks are the server's to convert.
//!
//! Owns which stanza changes a bookmark and what one says. Keeps no list, the host does; of it, it remembers only what other
//! clients put into a bookmark (`extensions`), because to change one is to write it anew and whoever left that out would delete it.
//! Invariants: bookmarks come from the account itself only; changes wait for the list; nothing is published on a server that would
//! show it to others.
use crate::mapping::is_address;
use crate::publishing::{Access, Next, Publication, Server, Step, failure};
use crate::xml::{self, build, parse_run};
use crate::{ns, requests};
use jid::BareJid;
use minidom::Element;
use std::collections::{HashMap, VecDeque};
use subrosa_engine::{Address, Keep, Node, RequestError};

/// The node. What is pushed comes as `Input::Published` with [`crate::Entity::with_notify`] of it.
pub const NODE: &str = ns::BOOKMARKS;
/// Bookmarks of one list; those after them are left out.
const MAX_BOOKMARKS: usize = 2000;
/// Changes that wait or are on their way.
const MAX_OPEN: usize = 256;
/// Characters of a name; bytes of a nick and of a password.
const MAX_NAME: usize = 256;
const MAX_TEXT: usize = 1024;
/// Bytes of what other clients put into one bookmark.
const MAX_EXTENSIONS: usize = 16 * 1024;

/// A room that the account is in, or was.
#[derive(Clone, PartialEq, Eq)]
pub struct Bookmark {
    /// Which.
    pub room: Address,
    /// What the account calls it, at most 256 characters; may be empty.
    pub name: String,
    /// The account's name in it.
    pub nick: Option<String>,
    /// What it takes to enter.
    pub password: Option<String>,
    /// All devices of the account enter it, and leave it when this becomes `false` (§4).
    pub autojoin: bool,
}
/// Passwords stay out of logs.
impl std::fmt::Debug for Bookmark {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Bookmark").field("room", &self.room).field("nick", &self.nick).field("autojoin", &self.autojoin).finish_non_exhaustive()
    }
}
/// What is new about bookmarks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BookmarkNews {
    /// All that the account has: once on every new stream.
    List(Vec<Bookmark>),
    /// One is new or changed, by another device or this one.
    Set(Bookmark),
    /// One is gone: its room is left (§4).
    Removed(Address),
    /// The list did not come (no room), or a change could not be made.
    Failed(Option<Address>, RequestError),
}
/// What a step leads to.
#[derive(Debug, Default)]
pub struct BookmarkTurn {
    /// To be sent.
    pub send: Vec<Element>,
    /// For the host.
    pub news: Vec<BookmarkNews>,
}
/// Whether the list is there.
#[derive(Clone, Debug, PartialEq, Eq)]
enum List {
    /// There is no stream.
    Offline,
    Asked(String),
    Known,
    /// It can't be changed.
    Closed(RequestError),
}
#[derive(Debug)]
enum Change {
    Set(Bookmark),
    Remove(Address),
}
/// A change on its way: `None`: it is taken away.
#[derive(Debug)]
struct Open {
    room: Address,
    step: Option<Step>,
}

/// One account's bookmarks. Sans-IO: stanzas in, stanzas out.
#[derive(Debug)]
pub struct Bookmarks {
    me: Address,
    salt: String,
    next: u64,
    list: List,
    waiting: VecDeque<Change>,
    open: HashMap<String, Open>,
    /// What others put into bookmarks; `None`: more than is kept.
    extensions: HashMap<Address, Option<Element>>,
    server: Server,
}
impl Bookmarks {
    /// For this account. `salt`: any random text; makes ids that nobody can guess.
    pub fn new(me: Address, salt: &str) -> Self {
        Bookmarks {
            me,
            salt: salt.into(),
            next: 0,
            list: List::Offline,
            waiting: VecDeque::new(),
            open: HashMap::new(),
            extensions: HashMap::new(),
            server: Server::default(),
        }
    }
    /// On a new stream, once it is known whether its server announces [`crate::positions::PUBLISH_OPTIONS`]: asks for the list.
    pub fn online(&mut self, private: bool) -> BookmarkTurn {
        self.offline();
        if !private {
            return self.close(RequestError::Refused);
        }
        let id = self.id();
        self.list = List::Asked(id.clone());
        BookmarkTurn::send(build("iq", ns::CLIENT).attr("type", "get").attr("id", id).child(requests::fetch(&self.node(None))).end())
    }
    /// The stream ended. Changes that were on their way are lost unless the server had them: the next list tells.
    pub fn offline(&mut self) {
        self.list = List::Offline;
        self.open.clear();
        self.server = Server::default();
    }
    /// Makes or changes one. It waits for the list, also for one on the next stream.
    pub fn set(&mut self, bookmark: Bookmark) -> BookmarkTurn {
        let texts = [Some(&bookmark.name), bookmark.nick.as_ref(), bookmark.password.as_ref()];
        let fits = |text: &String| xml::check_text(text).is_ok() && text.len() <= MAX_TEXT;
        if !is_room(&bookmark.room) || !texts.into_iter().flatten().all(fits) {
            return BookmarkTurn::failed(bookmark.room, RequestError::Malformed);
        }
        self.change(Change::Set(bookmark))
    }
    /// Takes one away.
    pub fn remove(&mut self, room: &Address) -> BookmarkTurn {
        self.change(Change::Remove(room.clone()))
    }
    /// A received `<iq>` of type `result` or `error`. `None`: it answers nothing of ours.
    pub fn answered(&mut self, iq: &Element) -> Option<BookmarkTurn> {
        if !iq.attr("from").is_none_or(|from| is_address(from, &self.me)) {
            return None;
        }
        let id = iq.attr("id")?;
        let result = match iq.attr("type") {
            Some("result") => Ok(()),
            Some("error") => Err(iq.get_child("error", ns::CLIENT)),
            _ => return None,
        };
        if matches!(&self.list, List::Asked(asked) if asked == id) {
            return Some(match result.map_err(failure) {
                Ok(()) => self.listed(iq),
                Err(RequestError::NotFound) => self.listed(iq),
                Err(why) => self.close(why),
            });
        }
        let Open { room, step } = self.open.remove(id)?;
        let over = match step {
            Some(step) => match self.server.answered(step, result) {
                Next::Ask(step) => return Some(BookmarkTurn::send(self.ask(room, Some(step)))),
                Next::Over(over) => over,
            },
            None => match result.map_err(failure) {
                Err(RequestError::NotFound) => Ok(()), // gone is what was wanted
                over => over,
            },
        };
        // what changed is pushed to us, as to the other devices
        Some(over.err().map_or_else(BookmarkTurn::default, |why| BookmarkTurn::failed(room, why)))
    }
    /// The list was over the limit for stanzas. `None`: it answers nothing of ours.
    pub fn too_large(&mut self, iq: &Element) -> Option<BookmarkTurn> {
        let ours = iq.attr("from").is_none_or(|from| is_address(from, &self.me));
        let is_list = matches!(&self.list, List::Asked(asked) if ours && iq.attr("id") == Some(asked));
        is_list.then(|| self.close(RequestError::Refused))
    }
    /// What `Input::Published` tells. `None`: it is no bookmark of the account.
    pub fn pushed(&mut self, node: &Node, payload: Option<&[u8]>) -> Option<BookmarkNews> {
        let room = Some(node).filter(|node| node.owner == self.me && node.name == NODE)?.item.as_deref()?;
        let Some(payload) = payload else {
            let room = Address::from(BareJid::new(room).ok()?.as_str());
            self.extensions.remove(&room);
            return Some(BookmarkNews::Removed(room));
        };
        let run = parse_run(payload).ok()?;
        let [conference] = run.as_slice() else { return None };
        self.read(room, conference).map(BookmarkNews::Set)
    }

    fn node(&self, item: Option<String>) -> Node {
        Node { owner: self.me.clone(), name: NODE.into(), item }
    }
    fn id(&mut self) -> String {
        self.next = self.next.saturating_add(1);
        format!("bookmarks-{}-{}", self.salt, self.next)
    }
    fn ask(&mut self, room: Address, step: Option<Step>) -> Element {
        let id = self.id();
        let payload = step.as_ref().map_or_else(|| requests::delete(&self.node(Some(room.to_string()))), Step::payload);
        self.open.insert(id.clone(), Open { room, step });
        build("iq", ns::CLIENT).attr("type", "set").attr("id", id).child(payload).end()
    }
    fn change(&mut self, change: Change) -> BookmarkTurn {
        match (&self.list, change) {
            (List::Closed(why), change) => BookmarkTurn::failed(change.into_room(), *why),
            (_, change) if self.open.len().max(self.waiting.len()) >= MAX_OPEN => BookmarkTurn::failed(change.into_room(), RequestError::Refused),
            (List::Known, Change::Remove(room)) => BookmarkTurn::send(self.ask(room, None)),
            (List::Known, Change::Set(bookmark)) => {
                let extensions = match self.extensions.get(&bookmark.room) {
                    Some(None) => return BookmarkTurn::failed(bookmark.room, RequestError::Refused),
                    extensions => extensions.cloned().flatten(),
                };
                let node = self.node(Some(bookmark.room.to_string()));
                let step = self.server.begin(Publication::new(node, Keep::Many, Access::Own, write(&bookmark, extensions)));
                BookmarkTurn::send(self.ask(bookmark.room, Some(step)))
            }
            (List::Offline | List::Asked(_), change) => {
                self.waiting.push_back(change);
                BookmarkTurn::default()
            }
        }
    }
    fn listed(&mut self, iq: &Element) -> BookmarkTurn {
        self.list = List::Known;
        self.extensions.clear();
        let items = iq.get_child("pubsub", ns::PUBSUB).and_then(|p| p.get_child("items", ns::PUBSUB)).filter(|i| i.attr("node") == Some(NODE));
        let items = items.into_iter().flat_map(Element::children).filter(|c| c.is("item", ns::PUBSUB)).take(MAX_BOOKMARKS);
        let list = items.filter_map(|item| self.read(item.attr("id")?, item.children().next()?)).collect();
        let mut turn = BookmarkTurn { send: Vec::new(), news: vec![BookmarkNews::List(list)] };
        for change in std::mem::take(&mut self.waiting) {
            let BookmarkTurn { send, news } = self.change(change);
            turn.send.extend(send);
            turn.news.extend(news);
        }
        turn
    }
    /// It can't be had on this stream.
    fn close(&mut self, why: RequestError) -> BookmarkTurn {
        self.list = List::Closed(why);
        let waited = std::mem::take(&mut self.waiting).into_iter().map(|change| BookmarkNews::Failed(Some(change.into_room()), why));
        BookmarkTurn { send: Vec::new(), news: [BookmarkNews::Failed(None, why)].into_iter().chain(waited).collect() }
    }
    /// §3.
    fn read(&mut self, room: &str, conference: &Element) -> Option<Bookmark> {
        let room = Address::from(BareJid::new(room).ok()?.as_str());
        if !conference.is("conference", ns::BOOKMARKS) || !is_room(&room) {
            return None;
        }
        match conference.get_child("extensions", ns::BOOKMARKS) {
            Some(extensions) if self.extensions.len() < MAX_BOOKMARKS || self.extensions.contains_key(&room) => {
                let fits = xml::to_bytes(extensions).is_ok_and(|bytes| bytes.len() <= MAX_EXTENSIONS);
                self.extensions.insert(room.clone(), fits.then(|| extensions.clone()));
            }
            _ => drop(self.extensions.remove(&room)),
        }
        let text = |name: &str| {
            let text = conference.get_child(name, ns::BOOKMARKS).map(|child| child.text());
            text.filter(|text| !text.is_empty() && text.len() <= MAX_TEXT)
        };
        Some(Bookmark {
            room,
            name: conference.attr("name").unwrap_or_default().chars().take(MAX_NAME).collect(),
            nick: text("nick"),
            password: text("password"),
            autojoin: matches!(conference.attr("autojoin"), Some("true" | "1")),
        })
    }
}
impl Change {
    fn into_room(self) -> Address {
        match self {
            Change::Set(bookmark) => bookmark.room,
            Change::Remove(room) => room,
        }
    }
}
impl BookmarkTurn {
    fn send(stanza: Element) -> Self {
        BookmarkTurn { send: vec![stanza], news: Vec::new() }
    }
    fn failed(room: Address, why: RequestError) -> Self {
        BookmarkTurn { send: Vec::new(), news: vec![BookmarkNews::Failed(Some(room), why)] }
    }
}
fn is_room(address: &Address) -> bool {
    BareJid::new(address.as_str()).is_ok_and(|jid| jid.node().is_some() && jid.as_str() == address.as_str())
}
/// §3.
fn write(bookmark: &Bookmark, extensions: Option<Element>) -> Element {
    let text = |name: &str, text: &Option<String>| text.as_ref().map(|text| build(name, ns::BOOKMARKS).text(text).end());
    let name = Some(bookmark.name.as_str()).filter(|name| !name.is_empty());
    let conference = build("conference", ns::BOOKMARKS).maybe("name", name).attr("autojoin", if bookmark.autojoin { "true" } else { "false" });
    conference.children(text("nick", &bookmark.nick)).children(text("password", &bookmark.password)).children(extensions).end()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]
    use super::*;

    const ME: &str = "juliet@capulet.lit";
    const PLAY: &str = "theplay@conference.shakespeare.lit";
    const ORCHARD: &str = "orchard@conference.shakespeare.lit";
    fn stanza(xml: &str) -> Element {
        parse_run(xml.as_bytes()).unwrap().remove(0)
    }
    fn answer(bookmarks: &mut Bookmarks, question: &Element, kind: &str, payload: &str) -> Option<BookmarkTurn> {
        bookmarks.answered(&stanza(&format!("<iq type='{kind}' id='{}'>{payload}</iq>", question.attr("id").unwrap())))
    }
    fn items(of: &str) -> String {
        format!("<pubsub xmlns='http://jabber.org/protocol/pubsub'><items node='urn:xmpp:bookmarks:1'>{of}</items></pubsub>")
    }
    /// XEP-0402 example 4.
    fn listed() -> (Bookmarks, Vec<BookmarkNews>) {
        let mut bookmarks = Bookmarks::new(ME.into(), "salt");
        let question = bookmarks.online(true).send.remove(0);
        let list = items(&format!(
            "<item id='{PLAY}'><conference xmlns='urn:xmpp:bookmarks:1' name='The Play&apos;s the Thing' autojoin='true'><nick>JC</nick></conference></item>\
             <item id='{ORCHARD}'><conference xmlns='urn:xmpp:bookmarks:1' name='The Orcard' autojoin='1'><nick>JC</nick>\
             <extensions><state xmlns='http://myclient.example/bookmark/state' minimized='true'/></extensions></conference></item>"
        ));
        let turn = answer(&mut bookmarks, &question, "result", &list).unwrap();
        (bookmarks, turn.news)
    }
    fn bookmark(room: &str) -> Bookmark {
        Bookmark { room: room.into(), name: "The Orchard".into(), nick: Some("JC".into()), password: None, autojoin: true }
    }

    #[test]
    fn a_bookmark_is_changed_and_keeps_what_others_put_into_it() {
        let (mut bookmarks, news) = listed();
        let [BookmarkNews::List(list)] = news.as_slice() else { panic!("{news:?}") };
        assert_eq!(list[0], Bookmark { name: "The Play's the Thing".into(), ..bookmark(PLAY) });
        assert_eq!(list[1].name, "The Orcard");
        let turn = bookmarks.set(bookmark(ORCHARD));
        let xml = String::from(&turn.send[0]);
        for part in ["name='The Orchard'", "minimized='true'", "whitelist", "<nick>JC</nick>", "autojoin='true'", "id='orchard@conference"] {
            assert!(xml.contains(part), "no {part} in {xml}");
        }
        assert!(answer(&mut bookmarks, &turn.send[0], "result", "").unwrap().news.is_empty());
        let turn = bookmarks.remove(&ORCHARD.into());
        let xml = String::from(&turn.send[0]);
        assert!(xml.contains("retract") && xml.contains("notify="), "{xml}");
        let gone = "<error type='cancel'><item-not-found xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>";
        assert!(answer(&mut bookmarks, &turn.send[0], "error", gone).unwrap().news.is_empty());
    }

    #[test]
    fn changes_wait_for_the_list() {
        let mut bookmarks = Bookmarks::new(ME.into(), "salt");
        assert!(bookmarks.set(bookmark(PLAY)).send.is_empty());
        let question = bookmarks.online(true).send.remove(0);
        assert!(bookmarks.remove(&ORCHARD.into()).send.is_empty());
        let none = "<error type='cancel'><item-not-found xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>";
        let turn = answer(&mut bookmarks, &question, "error", none).unwrap();
        assert_eq!((turn.send.len(), turn.news.as_slice()), (2, [BookmarkNews::List(vec![])].as_slice()));
    }

    #[test]
    fn nothing_is_published_where_others_would_see_it_or_over_what_is_not_known() {
        let mut bookmarks = Bookmarks::new(ME.into(), "salt");
        bookmarks.set(bookmark(PLAY));
        let turn = bookmarks.online(false);
        assert!(turn.send.is_empty() && turn.news.len() == 2);
        let question = bookmarks.online(true).send.remove(0);
        let refused = "<error type='cancel'><forbidden xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>";
        answer(&mut bookmarks, &question, "error", refused).unwrap();
        assert_eq!(bookmarks.set(bookmark(PLAY)).news, [BookmarkNews::Failed(Some(PLAY.into()), RequestError::Forbidden)]);
        // more than can be kept is not overwritten
        let (mut bookmarks, _) = listed();
        let large =
            format!("<conference xmlns='urn:xmpp:bookmarks:1'><extensions><x xmlns='u'>{}</x></extensions></conference>", "x".repeat(MAX_EXTENSIONS));
        let node = Node { owner: ME.into(), name: NODE.into(), item: Some(PLAY.into()) };
        assert!(bookmarks.pushed(&node, Some(large.as_bytes())).is_some());
        assert!(bookmarks.set(bookmark(PLAY)).send.is_empty());
        for bad in ["", "conference.shakespeare.lit", "Play@conference.shakespeare.lit"] {
            assert!(matches!(bookmarks.set(bookmark(bad)).news.as_slice(), [BookmarkNews::Failed(_, RequestError::Malformed)]), "{bad}");
        }
    }

    #[test]
    fn bookmarks_come_from_the_account_only() {
        let (mut bookmarks, _) = listed();
        let payload = b"<conference xmlns='urn:xmpp:bookmarks:1' autojoin='1'/>";
        let mut node = Node { owner: ME.into(), name: NODE.into(), item: Some(PLAY.into()) };
        let set = bookmarks.pushed(&node, Some(payload));
        assert!(matches!(set, Some(BookmarkNews::Set(Bookmark { autojoin: true, .. }))));
        assert_eq!(bookmarks.pushed(&node, None), Some(BookmarkNews::Removed(PLAY.into())));
        assert_eq!(bookmarks.pushed(&node, Some(b"<x/>")), None);
        node.owner = "eve@x".into();
        assert_eq!(bookmarks.pushed(&node, Some(payload)), None);
        let question = bookmarks.online(true).send.remove(0);
        let forged = stanza(&format!("<iq type='result' id='{}' from='eve@x'>{}</iq>", question.attr("id").unwrap(), items("")));
        assert!(bookmarks.answered(&forged).is_none());
        assert!(!format!("{:?}", Bookmark { password: Some("hunter2".into()), ..bookmark(PLAY) }).contains("hunter2"));
    }
}
