//! What the account's server can (XEP-0030): whether the ids of its archive count, and where rooms can be made.
//!
//! Owns which questions are asked and when they are over. Believes the account's own server only, and of the services that it names no
//! more than what kind they are.
use crate::mapping::is_address;
use crate::xml::build;
use crate::{bare, ns};
use minidom::Element;
use std::collections::HashMap;
use std::time::Duration;
use subrosa_engine::{Address, Time};

/// Services of a server that are asked what they are.
const MAX_SERVICES: usize = 64;
/// How long all of it may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// What the account's server can.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Abilities {
    /// The account has an archive (XEP-0313).
    pub archive: bool,
    /// The archive knows ids in queries ([`crate::archive::EXTENDED`]).
    pub archive_extended: bool,
    /// The ids that the account's archive gives to messages count (XEP-0359).
    pub stanza_ids: bool,
    /// What is published for the own devices stays among them ([`crate::positions::PUBLISH_OPTIONS`]).
    pub private_nodes: bool,
    /// It blocks for us (XEP-0191).
    pub blocking: bool,
    /// Its service of rooms (XEP-0045), where it has one.
    pub rooms: Option<Address>,
}

#[derive(Clone, Debug)]
enum Asked {
    Account,
    Server,
    Services,
    Service(Address),
}
/// The questions of one stream. Sans-IO: stanzas in, stanzas out, the time passed in.
#[derive(Debug)]
pub struct Discovery {
    me: Address,
    server: Address,
    salt: String,
    next: u64,
    open: HashMap<String, Asked>,
    found: Abilities,
    deadline: Option<Time>,
}
impl Discovery {
    /// For this account. `salt`: any random text; makes ids that nobody can guess.
    pub fn new(me: Address, salt: &str) -> Self {
        let server = Address::from(me.as_str().rsplit_once('@').map_or(me.as_str(), |(_, domain)| domain));
        Discovery { me, server, salt: salt.into(), next: 0, open: HashMap::new(), found: Abilities::default(), deadline: None }
    }
    /// On a new stream: what is asked. What was asked before is forgotten.
    pub fn begin(&mut self, now: Time) -> Vec<Element> {
        self.open.clear();
        self.found = Abilities::default();
        self.deadline = Some(now.after(PATIENCE));
        let (me, server) = (self.me.clone(), self.server.clone());
        vec![self.ask(Asked::Account, &me), self.ask(Asked::Server, &server), self.ask(Asked::Services, &server)]
    }
    /// A received `<iq>` of type `result` or `error`. `None`: it answers nothing of this. Else what is asked next, and with the last
    /// answer what was found.
    pub fn answered(&mut self, iq: &Element) -> Option<(Vec<Element>, Option<Abilities>)> {
        let id = iq.attr("id")?;
        let whom = match self.open.get(id)? {
            Asked::Account => &self.me,
            Asked::Server | Asked::Services => &self.server,
            Asked::Service(service) => service,
        };
        // the account's server may leave the account's name out (RFC 6120 §8.1.2.1)
        if !iq.attr("from").map_or(*whom == self.me, |from| is_address(from, whom)) {
            return None;
        }
        let asked = self.open.remove(id)?;
        let query = iq.children().next().filter(|_| iq.attr("type") == Some("result"));
        let mut send = Vec::new();
        match (asked, query) {
            (Asked::Account, Some(query)) => {
                self.found.archive = has(query, ns::MAM);
                self.found.archive_extended = has(query, crate::archive::EXTENDED);
                self.found.stanza_ids = has(query, ns::SID);
                self.found.private_nodes = has(query, crate::positions::PUBLISH_OPTIONS);
            }
            (Asked::Server, Some(query)) => self.found.blocking = has(query, ns::BLOCKING),
            (Asked::Services, Some(query)) => {
                let named = query.children().filter(|c| c.is("item", ns::DISCO_ITEMS) && c.attr("node").is_none());
                let services: Vec<Address> = named.filter_map(|item| bare(item.attr("jid")?).ok()).take(MAX_SERVICES).collect();
                send.extend(services.into_iter().map(|service| self.ask(Asked::Service(service.clone()), &service)));
            }
            (Asked::Service(service), Some(query)) => {
                let is_rooms = query.children().any(|c| c.is("identity", ns::DISCO_INFO) && c.attr("category") == Some("conference"));
                if is_rooms && has(query, ns::MUC) && self.found.rooms.is_none() {
                    self.found.rooms = Some(service);
                }
            }
            (_, None) => {}
        }
        Some((send, self.over()))
    }
    /// The time of [`Discovery::wake_at`] has come: what was found until now has to do.
    pub fn expire(&mut self, now: Time) -> Option<Abilities> {
        if self.deadline.is_none_or(|deadline| deadline > now) {
            return None;
        }
        self.open.clear();
        self.over()
    }
    /// When [`Discovery::expire`] has something to do.
    pub fn wake_at(&self) -> Option<Time> {
        self.deadline
    }
    fn over(&mut self) -> Option<Abilities> {
        if !self.open.is_empty() {
            return None;
        }
        self.deadline.take().map(|_| self.found.clone())
    }
    fn ask(&mut self, asked: Asked, whom: &Address) -> Element {
        self.next = self.next.saturating_add(1);
        let id = format!("discovery-{}-{}", self.salt, self.next);
        let what = if matches!(asked, Asked::Services) { ns::DISCO_ITEMS } else { ns::DISCO_INFO };
        self.open.insert(id.clone(), asked);
        build("iq", ns::CLIENT).attr("type", "get").attr("id", id).attr("to", whom.as_str()).child(build("query", what)).end()
    }
}
fn has(query: &Element, feature: &str) -> bool {
    query.children().any(|c| c.is("feature", ns::DISCO_INFO) && c.attr("var") == Some(feature))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use super::*;
    use crate::xml::parse_run;

    const NOW: Time = Time(1_000);

    fn answer(discovery: &mut Discovery, asked: &Element, from: &str, payload: &str) -> Option<(Vec<Element>, Option<Abilities>)> {
        let iq = format!("<iq xmlns='jabber:client' type='result' id='{}' from='{from}'>{payload}</iq>", asked.attr("id").unwrap());
        discovery.answered(&parse_run(iq.as_bytes()).unwrap()[0])
    }
    fn info(features: &[&str], category: &str) -> String {
        let features: String = features.iter().map(|f| format!("<feature var='{f}'/>")).collect();
        format!("<query xmlns='{}'><identity category='{category}' type='x'/>{features}</query>", ns::DISCO_INFO)
    }

    #[test]
    fn what_the_server_can_is_found_step_by_step() {
        let mut discovery = Discovery::new("alice@x.org".into(), "s");
        let asked = discovery.begin(NOW);
        assert!(answer(&mut discovery, &asked[0], "alice@x.org", &info(&[ns::MAM, ns::SID], "account")).unwrap().1.is_none());
        assert!(answer(&mut discovery, &asked[1], "x.org", &info(&[ns::BLOCKING], "server")).unwrap().1.is_none());
        let items = format!("<query xmlns='{}'><item jid='rooms.x.org'/><item jid='files.x.org'/><item/></query>", ns::DISCO_ITEMS);
        let (services, none) = answer(&mut discovery, &asked[2], "x.org", &items).unwrap();
        assert!(services.len() == 2 && none.is_none());
        assert!(answer(&mut discovery, &services[1], "files.x.org", &info(&[], "store")).unwrap().1.is_none());
        let (_, found) = answer(&mut discovery, &services[0], "rooms.x.org", &info(&[ns::MUC], "conference")).unwrap();
        let want = Abilities { archive: true, stanza_ids: true, blocking: true, rooms: Some("rooms.x.org".into()), ..Abilities::default() };
        assert_eq!(found, Some(want));
        assert_eq!(discovery.wake_at(), None);
    }

    #[test]
    fn others_answer_for_nobody() {
        let mut discovery = Discovery::new("alice@x.org".into(), "s");
        let asked = discovery.begin(NOW);
        assert!(answer(&mut discovery, &asked[0], "eve@y.org", &info(&[ns::SID], "account")).is_none());
        assert!(answer(&mut discovery, &asked[1], "alice@x.org", &info(&[ns::BLOCKING], "server")).is_none());
        assert_eq!(discovery.expire(NOW), None);
        assert_eq!(discovery.expire(NOW.after(PATIENCE)), Some(Abilities::default()));
        assert_eq!(discovery.expire(NOW.after(PATIENCE)), None);
    }
}
