//! How far the account has read (XEP-0490), on a node that only its own devices may read.
//!
//! Owns which stanza publishes a position and what one says. Keeps no positions and does not know which is further: they move forwards
//! only (§5.1), and that the host sees by its messages. Invariants: positions come from the account itself only, each by an archive that
//! may name messages of its chat; nothing is published on a server that would show it to others.
use crate::mapping::{StanzaId, is_address, stanza_id};
use crate::publishing::{Access, Next, Publication, Server, Step, failure};
use crate::xml::{build, parse_run};
use crate::{ns, requests};
use jid::BareJid;
use minidom::Element;
use std::collections::HashMap;
use subrosa_engine::{Address, Keep, Node, RequestError};

/// The node. What is pushed comes as `Input::Published` with [`crate::Entity::with_notify`] of it.
pub const NODE: &str = ns::MDS;
/// What the account's server announces that takes options with what is published. One that does not would show it to everybody (§7).
pub const PUBLISH_OPTIONS: &str = "http://jabber.org/protocol/pubsub#publish-options";
/// Chats of one answer; those after them are left out.
const MAX_CHATS: usize = 20_000;
/// Positions that are on their way.
const MAX_OPEN: usize = 1024;

/// Up to where a chat was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Position {
    /// Which chat: the other's bare address, or the room's.
    pub chat: Address,
    /// The last message that was read, as the archive names it: the account's, in a room the room's.
    pub at: StanzaId,
}
/// What is new about positions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PositionNews {
    /// All that the account has: where nothing was ever read, none.
    List(Vec<Position>),
    /// The other devices have it.
    Published(Position),
    /// Another device has read up to there, or this one has.
    Moved(Position),
    /// They do not have it: the list did not come (no position), or one could not be published.
    Failed(Option<Position>, RequestError),
}
/// What a step leads to.
#[derive(Debug, Default)]
pub struct PositionTurn {
    /// To be sent.
    pub send: Vec<Element>,
    /// For the host.
    pub news: Vec<PositionNews>,
}
/// One account's positions. Sans-IO: stanzas in, stanzas out.
#[derive(Debug)]
pub struct Positions {
    me: Address,
    salt: String,
    next: u64,
    /// Whether what is published stays among the own devices; `None`: that is not known, as there is no stream.
    private: Option<bool>,
    asked: Option<String>,
    open: HashMap<String, (Position, Step)>,
    /// The newest of each chat that can't be sent yet.
    waiting: HashMap<Address, Position>,
    server: Server,
}
impl Positions {
    /// For this account. `salt`: any random text; makes ids that nobody can guess.
    pub fn new(me: Address, salt: &str) -> Self {
        Positions {
            me,
            salt: salt.into(),
            next: 0,
            private: None,
            asked: None,
            open: HashMap::new(),
            waiting: HashMap::new(),
            server: Server::default(),
        }
    }
    /// On a new stream, once it is known whether its server announces [`PUBLISH_OPTIONS`]: asks for all of them, and publishes what waits.
    pub fn online(&mut self, private: bool) -> PositionTurn {
        self.offline();
        self.private = Some(private);
        let id = self.id();
        self.asked = Some(id.clone());
        let mut turn = PositionTurn::default();
        turn.send.push(build("iq", ns::CLIENT).attr("type", "get").attr("id", id).child(requests::fetch(&self.node(None))).end());
        for position in std::mem::take(&mut self.waiting).into_values() {
            let PositionTurn { send, news } = self.publish(position);
            turn.send.extend(send);
            turn.news.extend(news);
        }
        turn
    }
    /// The stream ended: what was not answered waits for the next one.
    pub fn offline(&mut self) {
        self.private = None;
        self.asked = None;
        self.server = Server::default();
        for (_, (position, _)) in self.open.drain() {
            self.waiting.entry(position.chat.clone()).or_insert(position);
        }
    }
    /// Publishes one. While there is no stream, or an older one of its chat is on its way, it waits, and of several that wait the last
    /// counts.
    pub fn publish(&mut self, position: Position) -> PositionTurn {
        if BareJid::new(position.chat.as_str()).is_err() || !self.is_named(&position) {
            return PositionTurn::failed(position, RequestError::Malformed);
        }
        let waits = self.private.is_none() || self.open.values().any(|(open, _)| open.chat == position.chat);
        let full = self.open.len().max(self.waiting.len()) >= MAX_OPEN;
        match self.private {
            Some(false) => PositionTurn::failed(position, RequestError::Refused),
            _ if full && !self.waiting.contains_key(&position.chat) => PositionTurn::failed(position, RequestError::Refused),
            _ if waits => {
                self.waiting.insert(position.chat.clone(), position);
                PositionTurn::default()
            }
            _ => {
                let node = self.node(Some(position.chat.to_string()));
                let step = self.server.begin(Publication::new(node, Keep::Many, Access::Own, write(&position)));
                PositionTurn { send: vec![self.step(position, step)], news: Vec::new() }
            }
        }
    }
    /// A received `<iq>` of type `result` or `error`. `None`: it answers nothing of ours.
    pub fn answered(&mut self, iq: &Element) -> Option<PositionTurn> {
        if !iq.attr("from").is_none_or(|from| is_address(from, &self.me)) {
            return None;
        }
        let id = iq.attr("id")?;
        let result = if iq.attr("type") == Some("result") { Ok(()) } else { Err(iq.get_child("error", ns::CLIENT)) };
        if self.asked.take_if(|asked| asked == id).is_some() {
            let items = iq.get_child("pubsub", ns::PUBSUB).and_then(|p| p.get_child("items", ns::PUBSUB)).filter(|i| i.attr("node") == Some(NODE));
            let news = match (result.map_err(failure), items) {
                (Ok(()), Some(items)) => PositionNews::List(self.list(items)),
                (Err(RequestError::NotFound), _) => PositionNews::List(Vec::new()),
                (Ok(()), None) => PositionNews::Failed(None, RequestError::Malformed),
                (Err(why), _) => PositionNews::Failed(None, why),
            };
            return Some(PositionTurn { send: Vec::new(), news: vec![news] });
        }
        let (position, step) = self.open.remove(id)?;
        let over = match self.server.answered(step, result) {
            Next::Ask(step) => return Some(PositionTurn { send: vec![self.step(position, step)], news: Vec::new() }),
            Next::Over(over) => over,
        };
        let mut turn = self.waiting.remove(&position.chat).map(|next| self.publish(next)).unwrap_or_default();
        turn.news.push(match over {
            Ok(()) => PositionNews::Published(position),
            Err(why) => PositionNews::Failed(Some(position), why),
        });
        Some(turn)
    }
    /// The answer was over its limit. `None`: it answers nothing of ours.
    pub fn too_large(&mut self, iq: &Element) -> Option<PositionTurn> {
        self.answered(&build("iq", ns::CLIENT).attr("type", "result").maybe("id", iq.attr("id")).maybe("from", iq.attr("from")).end())
    }
    /// What `Input::Published` tells. `None`: it is no position of the account.
    pub fn pushed(&self, node: &Node, payload: Option<&[u8]>) -> Option<Position> {
        let run = Some(node).filter(|node| node.owner == self.me && node.name == NODE).and_then(|_| parse_run(payload?).ok())?;
        let [displayed] = run.as_slice() else { return None };
        self.read(node.item.as_deref()?, displayed)
    }

    fn node(&self, item: Option<String>) -> Node {
        Node { owner: self.me.clone(), name: NODE.into(), item }
    }
    fn id(&mut self) -> String {
        self.next = self.next.saturating_add(1);
        format!("positions-{}-{}", self.salt, self.next)
    }
    fn step(&mut self, position: Position, step: Step) -> Element {
        let id = self.id();
        let iq = build("iq", ns::CLIENT).attr("type", "set").attr("id", id.as_str()).child(step.payload()).end();
        self.open.insert(id, (position, step));
        iq
    }
    /// By the account's archive, or by the room that the chat is.
    fn is_named(&self, position: &Position) -> bool {
        position.at.by == self.me || position.at.by == position.chat
    }
    fn list(&self, items: &Element) -> Vec<Position> {
        let items = items.children().filter(|c| c.is("item", ns::PUBSUB));
        items.take(MAX_CHATS).filter_map(|item| self.read(item.attr("id")?, item.children().next()?)).collect()
    }
    fn read(&self, chat: &str, displayed: &Element) -> Option<Position> {
        let chat = Address::from(BareJid::new(chat).ok()?.as_str());
        let alone = displayed.is("displayed", ns::MDS) && displayed.children().filter(|c| c.is("stanza-id", ns::SID)).count() == 1;
        let at = stanza_id(displayed, &self.me).or_else(|| stanza_id(displayed, &chat)).filter(|_| alone)?;
        Some(Position { chat, at })
    }
}
impl PositionTurn {
    fn failed(position: Position, why: RequestError) -> Self {
        PositionTurn { send: Vec::new(), news: vec![PositionNews::Failed(Some(position), why)] }
    }
}
/// §4.1.
fn write(position: &Position) -> Element {
    let id = build("stanza-id", ns::SID).attr("by", position.at.by.as_str()).attr("id", position.at.id.as_str());
    build("displayed", ns::MDS).child(id).end()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]
    use super::*;
    use crate::xml::to_bytes;

    const ME: &str = "juliet@capulet.lit";
    fn stanza(xml: &str) -> Element {
        parse_run(xml.as_bytes()).unwrap().remove(0)
    }
    fn positions() -> Positions {
        let mut positions = Positions::new(ME.into(), "salt");
        positions.online(true);
        positions
    }
    fn position(chat: &str, by: &str, id: &str) -> Position {
        Position { chat: chat.into(), at: StanzaId { by: by.into(), id: id.into() } }
    }
    fn asks(turn: &PositionTurn) -> (String, String) {
        let [iq] = turn.send.as_slice() else { panic!("{turn:?}") };
        (iq.attr("id").unwrap().to_owned(), String::from_utf8(to_bytes(iq).unwrap()).unwrap().replace('"', "'"))
    }
    fn answer(positions: &mut Positions, id: &str, error: Option<&str>) -> PositionTurn {
        let inner = error.map(|e| format!("<error type='cancel'><{e} xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>")).unwrap_or_default();
        let kind = if error.is_some() { "error" } else { "result" };
        positions.answered(&stanza(&format!("<iq type='{kind}' id='{id}'>{inner}</iq>"))).unwrap()
    }

    #[test]
    fn a_position_is_published_for_the_own_devices_only() {
        let mut positions = positions();
        let romeo = position("romeo@montegue.lit", ME, "0f710f2b");
        let (id, text) = asks(&positions.publish(romeo.clone()));
        for part in [
            "<publish node='urn:xmpp:mds:displayed:0'><item id='romeo@montegue.lit'><displayed xmlns='urn:xmpp:mds:displayed:0'>",
            "by='juliet@capulet.lit'",
            "id='0f710f2b'",
            "<field var='pubsub#access_model'><value>whitelist</value>",
            "<field var='pubsub#max_items'><value>max</value>",
            "<field var='pubsub#persist_items'><value>true</value>",
            "<field var='pubsub#send_last_published_item'><value>never</value>",
        ] {
            assert!(text.contains(part), "no {part} in {text}");
        }
        // newer ones wait, and the last counts
        assert!(positions.publish(position("romeo@montegue.lit", ME, "1")).send.is_empty());
        assert!(positions.publish(position("romeo@montegue.lit", ME, "2")).send.is_empty());
        let turn = answer(&mut positions, &id, None);
        assert_eq!(turn.news, [PositionNews::Published(romeo)]);
        let (id, text) = asks(&turn);
        assert!(text.contains("id='2'"));
        assert!(answer(&mut positions, &id, None).send.is_empty());
    }

    #[test]
    fn what_could_not_be_sent_waits_for_the_next_stream() {
        let mut positions = Positions::new(ME.into(), "salt");
        assert!(positions.publish(position("r@x", ME, "1")).send.is_empty());
        let sent = |turn: &PositionTurn| String::from_utf8(to_bytes(&turn.send[1]).unwrap()).unwrap().replace('"', "'");
        let turn = positions.online(true);
        assert!(sent(&turn).contains("id='1'"));
        let old = turn.send[1].attr("id").unwrap().to_owned();
        positions.offline();
        assert!(positions.answered(&stanza(&format!("<iq type='result' id='{old}'/>"))).is_none());
        assert!(sent(&positions.online(true)).contains("id='1'"));
        // a newer one counts
        positions.publish(position("r@x", ME, "2"));
        let turn = positions.online(true);
        assert!(sent(&turn).contains("id='2'") && turn.send.len() == 2);
    }

    #[test]
    fn a_node_that_others_may_read_is_closed_before_anything_is_on_it() {
        let mut positions = positions();
        let (id, _) = asks(&positions.publish(position("r@x", ME, "1")));
        let conflict = stanza(&format!(
            "<iq type='error' id='{id}'><error type='cancel'><conflict xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/>\
             <precondition-not-met xmlns='http://jabber.org/protocol/pubsub#errors'/></error></iq>"
        ));
        let (id, text) = asks(&positions.answered(&conflict).unwrap());
        assert!(text.contains("<configure") && text.contains("<value>whitelist</value>") && !text.contains("<publish "));
        let (_, text) = asks(&answer(&mut positions, &id, None));
        assert!(text.contains("<publish ") && !text.contains("publish-options"));

        // a server with fewer options, and one that does not close it
        let mut positions = super::tests::positions();
        let (id, _) = asks(&positions.publish(position("r@x", ME, "1")));
        let (id, text) = asks(&answer(&mut positions, &id, Some("resource-constraint")));
        assert!(text.contains("<configure"));
        let (_, text) = asks(&answer(&mut positions, &id, Some("item-not-found")));
        assert!(text.contains("<publish ") && text.contains("<value>whitelist</value>") && !text.contains("never"));
        let mut positions = super::tests::positions();
        let (mut id, _) = asks(&positions.publish(position("r@x", ME, "1")));
        let news = loop {
            let turn = answer(&mut positions, &id, Some("forbidden"));
            match turn.news.as_slice() {
                [] => id = asks(&turn).0,
                _ => break turn.news,
            }
        };
        assert_eq!(news, [PositionNews::Failed(Some(position("r@x", ME, "1")), RequestError::Forbidden)]);
    }

    #[test]
    fn nothing_is_published_where_everybody_might_read_it() {
        let mut positions = Positions::new(ME.into(), "salt");
        positions.publish(position("r@x", ME, "1"));
        let turn = positions.online(false);
        assert!(turn.send.len() == 1 && matches!(turn.news.as_slice(), [PositionNews::Failed(Some(_), RequestError::Refused)]));
        let turn = positions.publish(position("r@x", ME, "1"));
        assert!(turn.send.is_empty() && matches!(turn.news.as_slice(), [PositionNews::Failed(Some(_), RequestError::Refused)]));
        // nor what is no position
        for bad in [position("r@x/n", ME, "1"), position("a@b@c", ME, "1"), position("r@x", "eve@x", "1")] {
            let turn = super::tests::positions().publish(bad);
            assert!(turn.send.is_empty() && matches!(turn.news.as_slice(), [PositionNews::Failed(Some(_), RequestError::Malformed)]));
        }
    }

    const ITEM: &str =
        "<displayed xmlns='urn:xmpp:mds:displayed:0'><stanza-id xmlns='urn:xmpp:sid:0' id='ca21' by='juliet@capulet.lit'/></displayed>";

    #[test]
    fn all_are_fetched_from_the_account_only() {
        let mut positions = positions();
        let (id, text) = asks(&positions.online(true));
        assert!(!text.contains(" to=") && text.contains("<items node='urn:xmpp:mds:displayed:0'/>"));
        let room = ITEM.replace("juliet@capulet.lit", "example@conference.shakespeare.lit");
        let item = |id: &str, payload: &str| format!("<item id='{id}'>{payload}</item>");
        let items = [
            item("romeo@montegue.lit", ITEM),
            item("example@conference.shakespeare.lit", &room),
            // another room's word, several, none, no address, nobody's
            item("other@conference.shakespeare.lit", &room),
            item("a@x", &ITEM.replace("</d", "<stanza-id xmlns='urn:xmpp:sid:0' id='2' by='juliet@capulet.lit'/></d")),
            item("b@x", "<displayed xmlns='urn:xmpp:mds:displayed:0'/>"),
            item("c@x", ""),
            item("a@b@c", ITEM),
            item("room@x/nick", ITEM),
            item("d@x", &ITEM.replace("mds:displayed:0", "other")),
            format!("<item>{ITEM}</item>"),
        ];
        let list = |from: &str, node: &str| {
            stanza(&format!(
                "<iq type='result' id='{id}' {from}><pubsub xmlns='http://jabber.org/protocol/pubsub'><items node='{node}'>{}</items></pubsub></iq>",
                items.concat()
            ))
        };
        assert!(positions.answered(&list("from='eve@x'", NODE)).is_none());
        let expected = vec![
            position("romeo@montegue.lit", ME, "ca21"),
            position("example@conference.shakespeare.lit", "example@conference.shakespeare.lit", "ca21"),
        ];
        assert_eq!(positions.answered(&list("from='juliet@capulet.lit'", NODE)).unwrap().news, [PositionNews::List(expected)]);
        for (error, news) in [("item-not-found", PositionNews::List(vec![])), ("forbidden", PositionNews::Failed(None, RequestError::Forbidden))] {
            let (id, _) = asks(&positions.online(true));
            assert_eq!(answer(&mut positions, &id, Some(error)).news, [news]);
        }
        let (id, _) = asks(&positions.online(true));
        let head = stanza(&format!("<iq type='result' id='{id}'/>"));
        assert_eq!(positions.too_large(&head).unwrap().news, [PositionNews::Failed(None, RequestError::Malformed)]);
    }

    #[test]
    fn what_is_pushed_counts_from_the_account_only() {
        let positions = positions();
        let node = |owner: &str, name: &str, item: Option<&str>| Node { owner: owner.into(), name: name.into(), item: item.map(str::to_owned) };
        let pushed = |node: Node, payload: &str| positions.pushed(&node, Some(payload.as_bytes()));
        assert_eq!(pushed(node(ME, NODE, Some("r@x")), ITEM), Some(position("r@x", ME, "ca21")));
        assert_eq!(pushed(node("eve@x", NODE, Some("r@x")), ITEM), None);
        assert_eq!(pushed(node(ME, "urn:other", Some("r@x")), ITEM), None);
        assert_eq!(pushed(node(ME, NODE, None), ITEM), None);
        assert_eq!(pushed(node(ME, NODE, Some("r@x")), &ITEM.repeat(2)), None);
        assert_eq!(pushed(node(ME, NODE, Some("r@x")), "<displayed"), None);
        assert_eq!(positions.pushed(&node(ME, NODE, Some("r@x")), None), None);
    }
}
