//! What this client is and can, and its answers to whoever asks: service discovery (XEP-0030), entity capabilities (XEP-0115),
//! ping (XEP-0199), software version (XEP-0092). Everything else that is asked gets `service-unavailable` (RFC 6120 §8.2.3).
use crate::ns;
use crate::xml::build;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use minidom::Element;
use sasl::common::scram::{ScramProvider as _, Sha1};
use std::collections::BTreeSet;
use subrosa_engine::Address;

/// An identity of XEP-0030: category, type and name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entity {
    category: String,
    kind: String,
    name: String,
    version: String,
    /// Where it comes from, a URI (XEP-0115 §4: `node`).
    uri: String,
    features: BTreeSet<String>,
}
impl Entity {
    /// A client of the registry's type (`"console"`, `"pc"`, `"web"`, `"bot"`), with what every host of this crate can.
    pub fn client(kind: &str, name: &str, version: &str, uri: &str) -> Self {
        let features = [ns::CAPS, ns::CARBONS, ns::CHAT_STATES, ns::DISCO_INFO, ns::DISCO_ITEMS, ns::PING, ns::VERSION].map(String::from);
        let [category, kind, name, version, uri] = ["client", kind, name, version, uri].map(String::from);
        Entity { category, kind, name, version, uri, features: features.into() }
    }
    /// It can this too.
    pub fn with_feature(mut self, feature: &str) -> Self {
        self.features.insert(feature.into());
        self
    }
    /// It reads and writes all of [`crate::content`], and names messages so that others may be about them (XEP-0359).
    pub fn with_content(self) -> Self {
        let features = [ns::CORRECT, ns::FALLBACK, ns::HINTS, ns::MARKERS, ns::REACTIONS, ns::RECEIPTS, ns::REPLY, ns::RETRACT, ns::SID];
        features.into_iter().fold(self, Self::with_feature)
    }
    /// It enters rooms (XEP-0045) and takes invitations into them from those who are in (XEP-0249).
    pub fn with_rooms(self) -> Self {
        self.with_feature(ns::MUC).with_feature(ns::CONFERENCE)
    }
    /// It says what its messages are encrypted with, and reads that of others (XEP-0380).
    pub fn with_encryption(self) -> Self {
        self.with_feature(ns::EME)
    }
    /// It wants to be told what contacts publish on this node (XEP-0163 §4).
    pub fn with_notify(self, node: &str) -> Self {
        self.with_feature(&format!("{node}+notify"))
    }
    /// The nodes of [`Entity::with_notify`].
    pub fn notified(&self) -> impl Iterator<Item = &str> {
        self.features.iter().filter_map(|feature| feature.strip_suffix("+notify"))
    }
    /// The verification string of XEP-0115 §5.1, SHA-1, in base64. Servers check it before they push publications.
    pub fn verification(&self) -> String {
        let mut s = format!("{}/{}//{}<", self.category, self.kind, self.name);
        for feature in &self.features {
            s.push_str(feature);
            s.push('<');
        }
        BASE64.encode(Sha1::hash(s.as_bytes()))
    }
    /// For presence.
    pub fn caps(&self) -> Element {
        build("c", ns::CAPS).attr("hash", "sha-1").attr("node", self.uri.as_str()).attr("ver", self.verification()).end()
    }
    /// The answer to a received `<iq>` of type `get` or `set`. `None`: it is none, or can't be answered. A push of the contact list
    /// (RFC 6121 §2.1.6) or of the block list (XEP-0191) counts from the account `me` only.
    pub fn answer(&self, iq: &Element, me: &Address) -> Option<Element> {
        let get = match iq.attr("type") {
            Some("get") => true,
            Some("set") => false,
            _ => return None,
        };
        let id = iq.attr("id")?;
        let from = iq.attr("from");
        let result =
            |payload: Option<Element>| build("iq", ns::CLIENT).attr("type", "result").attr("id", id).maybe("to", from).children(payload).end();
        let error = |kind: &str, condition: &str| {
            let error = build("error", ns::CLIENT).attr("type", kind).child(build(condition, ns::STANZAS));
            build("iq", ns::CLIENT).attr("type", "error").attr("id", id).maybe("to", from).child(error).end()
        };
        let Some(query) = iq.children().next() else { return Some(error("modify", "bad-request")) };
        let own = !get && from.is_none_or(|from| from == me.as_str());
        let node = query.attr("node");
        let ours = node
            .is_none_or(|node| node.strip_prefix(self.uri.as_str()).and_then(|n| n.strip_prefix('#')).is_some_and(|ver| ver == self.verification()));
        Some(match query.name() {
            "ping" if get && query.has_ns(ns::PING) => result(None),
            "query" if get && query.has_ns(ns::DISCO_INFO) && ours => result(Some(self.info(node))),
            "query" if get && query.has_ns(ns::DISCO_INFO) => error("cancel", "item-not-found"),
            "query" if get && query.has_ns(ns::DISCO_ITEMS) => result(Some(build("query", ns::DISCO_ITEMS).maybe("node", node).end())),
            "query" if get && query.has_ns(ns::VERSION) => {
                let (name, version) = (build("name", ns::VERSION).text(&self.name), build("version", ns::VERSION).text(&self.version));
                result(Some(build("query", ns::VERSION).child(name).child(version).end()))
            }
            "query" if own && query.has_ns(ns::ROSTER) => result(None),
            "block" | "unblock" if own && query.has_ns(ns::BLOCKING) => result(None),
            _ => error("cancel", "service-unavailable"),
        })
    }
    fn info(&self, node: Option<&str>) -> Element {
        let identity = build("identity", ns::DISCO_INFO).attr("category", self.category.as_str());
        let identity = identity.attr("type", self.kind.as_str()).attr("name", self.name.as_str());
        let features = self.features.iter().map(|f| build("feature", ns::DISCO_INFO).attr("var", f.as_str()).end());
        build("query", ns::DISCO_INFO).maybe("node", node).child(identity).children(features).end()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use super::*;
    use crate::xml::parse_run;

    #[test]
    fn the_verification_string_is_that_of_the_specification() {
        let mut entity = Entity::client("pc", "Exodus 0.9.1", "", "http://code.google.com/p/exodus");
        entity.features = [ns::CAPS, ns::DISCO_INFO, ns::DISCO_ITEMS, "http://jabber.org/protocol/muc"].map(String::from).into();
        assert_eq!(entity.verification(), "QgayPKawpkPSDYmwT/WM94uAlu0="); // XEP-0115 §5.2
    }

    fn ask(xml: &str) -> Option<Element> {
        let entity = Entity::client("console", "Subrosa", "1", "https://example.org/subrosa").with_notify("urn:n");
        entity.answer(&parse_run(xml.as_bytes()).unwrap()[0], &"a@x".into())
    }
    fn condition(xml: &str) -> String {
        let answer = ask(xml).unwrap();
        let error = answer.get_child("error", ns::CLIENT).unwrap();
        crate::mapping::condition(error).unwrap().into()
    }

    #[test]
    fn questions_are_answered() {
        let pong = ask("<iq type='get' id='1' from='x'><ping xmlns='urn:xmpp:ping'/></iq>").unwrap();
        assert_eq!((pong.attr("type"), pong.attr("to"), pong.attr("id")), (Some("result"), Some("x"), Some("1")));
        let entity = Entity::client("console", "Subrosa", "1", "https://example.org/subrosa").with_notify("urn:n");
        let node = format!("https://example.org/subrosa#{}", entity.verification());
        for node in [String::new(), format!("node='{node}'")] {
            let info =
                ask(&format!("<iq type='get' id='1' from='b@x/r'><query xmlns='http://jabber.org/protocol/disco#info' {node}/></iq>")).unwrap();
            let query = info.get_child("query", ns::DISCO_INFO).unwrap();
            assert!(query.children().any(|f| f.attr("var") == Some("urn:n+notify")));
        }
        assert_eq!(condition("<iq type='get' id='1'><query xmlns='http://jabber.org/protocol/disco#info' node='other'/></iq>"), "item-not-found");
        assert_eq!(condition("<iq type='get' id='1'><unknown xmlns='urn:u'/></iq>"), "service-unavailable");
        assert_eq!(condition("<iq type='get' id='1'/>"), "bad-request");
        assert!(ask("<iq type='result' id='1'/>").is_none());
        assert!(ask("<iq type='get'><ping xmlns='urn:xmpp:ping'/></iq>").is_none());
    }

    #[test]
    fn the_contact_list_changes_by_the_own_server_only() {
        let push = |from: &str| format!("<iq type='set' id='1' {from}><query xmlns='jabber:iq:roster'><item jid='e@x'/></query></iq>");
        assert_eq!(ask(&push("")).unwrap().attr("type"), Some("result"));
        assert_eq!(ask(&push("from='a@x'")).unwrap().attr("type"), Some("result"));
        assert_eq!(condition(&push("from='eve@x'")), "service-unavailable");
        let push = |from: &str| format!("<iq type='set' id='1' {from}><unblock xmlns='urn:xmpp:blocking'/></iq>");
        assert_eq!(ask(&push("")).unwrap().attr("type"), Some("result"));
        assert_eq!(condition(&push("from='eve@x'")), "service-unavailable");
    }

    #[test]
    fn what_it_can_is_announced() {
        let entity = Entity::client("console", "Subrosa", "1", "urn:u").with_content().with_rooms().with_encryption();
        for feature in [
            "urn:xmpp:receipts",
            "urn:xmpp:chat-markers:0",
            "urn:xmpp:message-correct:0",
            "urn:xmpp:message-retract:1",
            "urn:xmpp:reactions:0",
            "urn:xmpp:reply:0",
            "urn:xmpp:fallback:0",
            "urn:xmpp:sid:0",
            "http://jabber.org/protocol/chatstates",
            "http://jabber.org/protocol/muc",
            "jabber:x:conference",
            "urn:xmpp:eme:0",
        ] {
            assert!(entity.features.contains(feature), "{feature}");
        }
    }
}
