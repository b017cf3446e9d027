//! The machine's requests as IQ exchanges, several steps long where a server needs it.
//!
//! Owns which stanza asks, which answer belongs to it, and what follows. Knows no payload. XEP-0060 §6.5, §7.2, §8.4; how
//! something is published: [`publishing`]. Invariant: every request is answered exactly once.
use crate::publishing::{self, Access, Next, Publication, Server, failure};
use crate::xml::{self, build};
use crate::{ns, xml::StanzaError};
use minidom::Element;
use std::collections::{BTreeMap, HashMap};
use std::time::Duration;
use subrosa_engine::{Address, Item, Node, Request, RequestError, RequestId, Time};

/// How long a server has for one step.
const PATIENCE: Duration = Duration::from_secs(60);

/// What a step leads to.
#[derive(Debug, Default)]
pub struct Turn {
    /// To be sent.
    pub send: Vec<Element>,
    /// For the machine.
    pub answer: Option<(RequestId, Result<Vec<Item>, RequestError>)>,
}

/// The open requests of one stream. Sans-IO: stanzas in, stanzas out, the time passed in.
#[derive(Debug)]
pub struct Requests {
    me: Address,
    salt: String,
    next: u64,
    open: HashMap<String, Open>,
    ids: HashMap<RequestId, String>,
    deadlines: BTreeMap<(Time, u64), String>,
    server: Server,
}
#[derive(Debug)]
struct Open {
    request: RequestId,
    to: Option<Address>,
    number: u64,
    deadline: Time,
    step: Step,
}
#[derive(Debug)]
enum Step {
    Fetch(Node),
    Delete,
    Publish(publishing::Step),
}

impl Requests {
    /// For this account. `salt`: any random text; makes ids that nobody can guess.
    pub fn new(me: Address, salt: &str) -> Self {
        Requests { me, salt: salt.into(), next: 0, open: HashMap::new(), ids: HashMap::new(), deadlines: BTreeMap::new(), server: Server::default() }
    }
    /// Asks. A request that is open already is not asked again.
    pub fn ask(&mut self, id: RequestId, request: Request, now: Time) -> Turn {
        if self.ids.contains_key(&id) {
            return Turn::default();
        }
        match request {
            Request::Fetch(node) => self.send(id, Step::Fetch(node), now),
            Request::Delete(node) => {
                let stanza = delete(&node);
                let to = self.other(&node.owner);
                self.ask_with(id, to, Step::Delete, "set", stanza, now)
            }
            Request::Publish { node, keep, payload } => match one_element(&payload) {
                Ok(payload) => {
                    let step = self.server.begin(Publication::new(node, keep, Access::Open, payload));
                    self.send(id, Step::Publish(step), now)
                }
                Err(_) => Turn::answer(id, Err(RequestError::Malformed)),
            },
            // LIME's key servers speak HTTPS
            _ => Turn::answer(id, Err(RequestError::NotFound)),
        }
    }
    /// A received `<iq>` of type `result` or `error`. `None`: it answers nothing of ours.
    pub fn answered(&mut self, iq: &Element, now: Time) -> Option<Turn> {
        let open = self.take(iq)?;
        let answer = match iq.attr("type") {
            Some("result") => Ok(iq),
            _ => Err(iq.get_child("error", ns::CLIENT)),
        };
        Some(self.go_on(open.request, open.step, answer, now))
    }
    /// The answer was over the limit for stanzas. `None`: it answers nothing of ours.
    pub fn too_large(&mut self, iq: &Element) -> Option<Turn> {
        let open = self.take(iq)?;
        Some(Turn::answer(open.request, Err(RequestError::Refused)))
    }
    /// Those whose time is over.
    pub fn expire(&mut self, now: Time) -> Vec<Turn> {
        let mut turns = Vec::new();
        while let Some(entry) = self.deadlines.first_entry().filter(|e| e.key().0 <= now) {
            let id = entry.get().clone();
            turns.extend(self.close(&id).map(|open| Turn::answer(open.request, Err(RequestError::Unreachable))));
        }
        turns
    }
    /// When [`Requests::expire`] has something to do.
    pub fn wake_at(&self) -> Option<Time> {
        self.deadlines.first_key_value().map(|((time, _), _)| *time)
    }
    /// The same stream after a cut: the server's time begins anew.
    pub fn resumed(&mut self, now: Time) {
        self.deadlines.clear();
        for (id, open) in &mut self.open {
            open.deadline = now.after(PATIENCE);
            self.deadlines.insert((open.deadline, open.number), id.clone());
        }
    }
    /// A new stream: what was open is never answered; the machine asks again.
    pub fn clear(&mut self) {
        self.open.clear();
        self.ids.clear();
        self.deadlines.clear();
        self.server = Server::default();
    }
    /// How many are open.
    pub fn len(&self) -> usize {
        self.open.len()
    }
    /// None is open.
    pub fn is_empty(&self) -> bool {
        self.open.is_empty()
    }

    fn other(&self, owner: &Address) -> Option<Address> {
        (*owner != self.me).then(|| owner.clone())
    }
    /// Answers count from whom was asked only: ids may be guessed, addresses can't be forged.
    fn take(&mut self, iq: &Element) -> Option<Open> {
        let id = iq.attr("id")?;
        let from = iq.attr("from");
        let open = self.open.get(id)?;
        let fits = match (&open.to, from) {
            (Some(to), Some(from)) => is_bare_of(from, to),
            (Some(_), None) => false,
            (None, None) => true,
            // the account's server answers for it under several names
            (None, Some(from)) => {
                crate::bare(from).is_ok_and(|from| from == self.me) || self.me.as_str().split_once('@').is_some_and(|(_, d)| d == from)
            }
        };
        if fits { self.close(id) } else { None }
    }
    fn close(&mut self, id: &str) -> Option<Open> {
        let open = self.open.remove(id)?;
        self.ids.remove(&open.request);
        self.deadlines.remove(&(open.deadline, open.number));
        Some(open)
    }
    fn send(&mut self, request: RequestId, step: Step, now: Time) -> Turn {
        let (to, kind, payload) = match &step {
            Step::Fetch(node) => (self.other(&node.owner), "get", fetch(node)),
            Step::Publish(step) => (self.other(step.owner()), "set", step.payload()),
            Step::Delete => return Turn::answer(request, Err(RequestError::Malformed)), // is asked once, in `ask`
        };
        self.ask_with(request, to, step, kind, payload, now)
    }
    fn ask_with(&mut self, request: RequestId, to: Option<Address>, step: Step, kind: &str, payload: Element, now: Time) -> Turn {
        self.next = self.next.saturating_add(1);
        let (number, deadline) = (self.next, now.after(PATIENCE));
        let id = format!("{}-{number}", self.salt);
        let iq = build("iq", ns::CLIENT).attr("type", kind).attr("id", id.as_str()).maybe("to", to.as_ref().map(Address::as_str)).child(payload);
        self.ids.insert(request, id.clone());
        self.deadlines.insert((deadline, number), id.clone());
        self.open.insert(id, Open { request, to, number, deadline, step });
        Turn { send: vec![iq.end()], answer: None }
    }
    fn go_on(&mut self, id: RequestId, step: Step, answer: Result<&Element, Option<&Element>>, now: Time) -> Turn {
        match (step, answer) {
            (Step::Fetch(node), Ok(iq)) => Turn::answer(id, items(iq, &node)),
            (Step::Fetch(_), Err(error)) => Turn::answer(id, Err(failure(error))),
            (Step::Delete, Ok(_)) => Turn::answer(id, Ok(Vec::new())),
            (Step::Delete, Err(error)) => match failure(error) {
                RequestError::NotFound => Turn::answer(id, Ok(Vec::new())), // gone is what was wanted
                error => Turn::answer(id, Err(error)),
            },
            (Step::Publish(step), answer) => match self.server.answered(step, answer.map(drop)) {
                Next::Ask(step) => self.send(id, Step::Publish(step), now),
                Next::Over(result) => Turn::answer(id, result.map(|()| Vec::new())),
            },
        }
    }
}
impl Turn {
    fn answer(id: RequestId, answer: Result<Vec<Item>, RequestError>) -> Self {
        Turn { send: Vec::new(), answer: Some((id, answer)) }
    }
}

fn is_bare_of(from: &str, address: &Address) -> bool {
    from == address.as_str() || crate::bare(from).is_ok_and(|bare| bare == *address && !from.contains('/'))
}
fn one_element(payload: &[u8]) -> Result<Element, StanzaError> {
    let mut run = xml::parse_run(payload)?;
    match (run.pop(), run.is_empty()) {
        (Some(element), true) => Ok(element),
        _ => Err(StanzaError::NotXml),
    }
}
/// XEP-0060 §6.5.
pub(crate) fn fetch(node: &Node) -> Element {
    let item = node.item.as_deref().map(|item| build("item", ns::PUBSUB).attr("id", item).end());
    build("pubsub", ns::PUBSUB).child(build("items", ns::PUBSUB).attr("node", node.name.as_str()).children(item)).end()
}
/// XEP-0060 §7.2, §8.4.
pub(crate) fn delete(node: &Node) -> Element {
    match &node.item {
        Some(item) => {
            let item = build("item", ns::PUBSUB).attr("id", item.as_str());
            build("pubsub", ns::PUBSUB).child(build("retract", ns::PUBSUB).attr("node", node.name.as_str()).attr("notify", "true").child(item)).end()
        }
        None => build("pubsub", ns::PUBSUB_OWNER).child(build("delete", ns::PUBSUB_OWNER).attr("node", node.name.as_str())).end(),
    }
}
fn items(iq: &Element, node: &Node) -> Result<Vec<Item>, RequestError> {
    let Some(items) = iq.get_child("pubsub", ns::PUBSUB).and_then(|p| p.get_child("items", ns::PUBSUB)) else {
        return Ok(Vec::new()); // an empty answer: there is nothing
    };
    if items.attr("node").is_some_and(|name| name != node.name) {
        return Err(RequestError::Malformed);
    }
    let wanted = |item: &&Element| item.is("item", ns::PUBSUB) && (node.item.is_none() || item.attr("id") == node.item.as_deref());
    let item = |item: &Element| {
        let payload = item.children().next().map(xml::to_bytes).transpose().map_err(|_| RequestError::Malformed)?;
        Ok(Item { id: item.attr("id").map(str::to_owned), payload: payload.unwrap_or_default() })
    };
    items.children().filter(wanted).map(item).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, clippy::arithmetic_side_effects)]
    use super::*;
    use subrosa_engine::Keep;

    const NOW: Time = Time(1000);
    const ME: &str = "alice@x.org";
    fn node(owner: &str, item: Option<&str>) -> Node {
        Node { owner: owner.into(), name: "urn:n".into(), item: item.map(str::to_owned) }
    }
    fn publication(keep: Keep) -> Request {
        Request::Publish { node: node(ME, Some("7")), keep, payload: b"<p xmlns='urn:p'/>".to_vec() }
    }
    /// A conversation: what is expected to be asked, and what is answered.
    struct Talk {
        requests: Requests,
        turn: Turn,
        from: Option<&'static str>,
    }
    impl Talk {
        fn begin(request: Request) -> Self {
            let mut requests = Requests::new(ME.into(), "salt");
            let turn = requests.ask(RequestId(1), request, NOW);
            Talk { requests, turn, from: None }
        }
        fn again(mut self, request: Request) -> Self {
            self.turn = self.requests.ask(RequestId(1), request, NOW);
            self
        }
        /// The words that the stanza has, and those that it has not.
        fn asks(&self, has: &[&str], has_not: &[&str]) -> &Self {
            let [stanza] = self.turn.send.as_slice() else { panic!("{:?}", self.turn) };
            let text = String::from_utf8(xml::to_bytes(stanza).unwrap()).unwrap();
            has.iter().for_each(|word| assert!(text.contains(word), "no {word} in {text}"));
            has_not.iter().for_each(|word| assert!(!text.contains(word), "{word} in {text}"));
            self
        }
        fn told(mut self, kind: &str, inner: &str) -> Self {
            let id = self.turn.send[0].attr("id").unwrap();
            let from = self.from.map(|f| format!("from='{f}'")).unwrap_or_default();
            let iq = format!("<iq type='{kind}' id='{id}' {from}>{inner}</iq>");
            self.turn = self.requests.answered(&xml::parse_run(iq.as_bytes()).unwrap()[0], NOW).unwrap();
            self
        }
        fn result(self) -> Self {
            self.told("result", "")
        }
        fn error(self, condition: &str) -> Self {
            self.told("error", &format!("<error type='cancel'><{condition} xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>"))
        }
        fn precondition(self) -> Self {
            self.told(
                "error",
                "<error type='cancel'><conflict xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/>\
                 <precondition-not-met xmlns='http://jabber.org/protocol/pubsub#errors'/></error>",
            )
        }
        fn ends(self, answer: Result<Vec<Item>, RequestError>) -> Self {
            assert_eq!(self.turn.answer, Some((RequestId(1), answer)));
            assert!(self.turn.send.is_empty() && self.requests.is_empty() && self.requests.wake_at().is_none());
            self
        }
    }
    const ALL: [&str; 3] = ["access_model", "persist_items", "<value>max</value>"];

    #[test]
    fn prosody_takes_all_at_once() {
        let talk = Talk::begin(publication(Keep::Many));
        talk.asks(&ALL, &["configure"]);
        let talk = talk.result().ends(Ok(vec![])).again(publication(Keep::One));
        talk.asks(&["access_model", "id='7'"], &["max_items"]);
        talk.result().ends(Ok(vec![]));
    }

    #[test]
    fn ejabberd_takes_two_options_and_a_form() {
        let talk = Talk::begin(publication(Keep::Many)).error("resource-constraint");
        talk.asks(&["<configure", "<value>max</value>"], &["<publish"]);
        let talk = talk.error("item-not-found"); // there is no node yet
        talk.asks(&["<publish", "access_model"], &["max_items"]);
        let talk = talk.result();
        talk.asks(&["<configure", "<value>max</value>"], &["<publish"]);
        // the next time it is known
        let talk = talk.result().ends(Ok(vec![])).again(publication(Keep::Many));
        talk.asks(&["<publish", "access_model"], &["max_items"]);
        talk.result().ends(Ok(vec![]));
    }

    #[test]
    fn a_node_that_is_there_is_configured_first_so_that_no_item_is_lost() {
        let talk = Talk::begin(publication(Keep::Many)).error("resource-constraint");
        talk.asks(&["<configure"], &[]);
        let talk = talk.result();
        talk.asks(&["<publish"], &["max_items"]);
        talk.result().ends(Ok(vec![]));
    }

    #[test]
    fn old_servers_count() {
        let talk = Talk::begin(publication(Keep::Many)).error("resource-constraint").error("not-acceptable");
        talk.asks(&["<configure", "<value>1000</value>"], &[]);
        let talk = talk.error("not-acceptable");
        talk.asks(&["<configure", "access_model"], &["max_items"]);
        let talk = talk.result();
        talk.asks(&["<publish"], &[]);
        talk.result().ends(Ok(vec![]));
    }

    #[test]
    fn a_node_that_others_may_not_read_is_opened_or_it_is_an_error() {
        let talk = Talk::begin(publication(Keep::One)).precondition();
        talk.asks(&["<configure", "access_model", "open"], &["<publish"]);
        let talk = talk.result();
        talk.asks(&["<publish"], &["publish-options"]);
        talk.result().ends(Ok(vec![]));

        let talk = Talk::begin(publication(Keep::One)).precondition().error("forbidden");
        talk.asks(&["<configure"], &[]);
        talk.error("forbidden").ends(Err(RequestError::Forbidden));
        // and not for ever
        Talk::begin(publication(Keep::One)).precondition().result().precondition().ends(Err(RequestError::Refused));
    }

    #[test]
    fn a_node_that_is_being_made_by_another_is_tried_again() {
        let talk = Talk::begin(publication(Keep::One)).error("item-not-found").error("item-not-found").error("item-not-found");
        talk.asks(&["<publish"], &[]);
        talk.result().ends(Ok(vec![]));
        let talk = (0..4).fold(Talk::begin(publication(Keep::One)), |talk, _| talk.error("item-not-found"));
        talk.ends(Err(RequestError::NotFound));
    }

    #[test]
    fn items_are_fetched() {
        let mut talk = Talk::begin(Request::Fetch(node("bob@x.org", None)));
        talk.asks(&["to='bob@x.org'", "urn:n"], &["<item "]);
        talk.from = Some("bob@x.org");
        let items = "<pubsub xmlns='http://jabber.org/protocol/pubsub'><items node='urn:n'><item id='1'><p xmlns='urn:p'/></item><item id='2'/></items></pubsub>";
        let item = |id: &str, payload: &[u8]| Item { id: Some(id.into()), payload: payload.to_vec() };
        talk.told("result", items).ends(Ok(vec![item("1", b"<p xmlns='urn:p'/>"), item("2", b"")]));

        let mut one = Talk::begin(Request::Fetch(node("bob@x.org", Some("2"))));
        one.asks(&["<item id='2'"], &[]);
        one.from = Some("bob@x.org");
        one.told("result", items).ends(Ok(vec![item("2", b"")]));
        Talk::begin(Request::Fetch(node(ME, None))).told("result", "").ends(Ok(vec![]));
        let other = items.replace("urn:n", "urn:m");
        Talk::begin(Request::Fetch(node(ME, None))).told("result", &other).ends(Err(RequestError::Malformed));
    }

    #[test]
    fn errors_are_told_apart() {
        for (condition, error) in [
            ("item-not-found", RequestError::NotFound),
            ("service-unavailable", RequestError::NotFound),
            ("forbidden", RequestError::Forbidden),
            ("not-authorized", RequestError::Forbidden),
            ("remote-server-timeout", RequestError::Unreachable),
            ("resource-constraint", RequestError::Refused),
            ("internal-server-error", RequestError::Refused),
            ("bad-request", RequestError::Malformed),
        ] {
            Talk::begin(Request::Fetch(node(ME, None))).error(condition).ends(Err(error));
        }
        Talk::begin(Request::Fetch(node(ME, None))).told("error", "").ends(Err(RequestError::Malformed));
    }

    #[test]
    fn what_is_gone_is_deleted() {
        let talk = Talk::begin(Request::Delete(node(ME, Some("7"))));
        talk.asks(&["<retract", "id='7'"], &["<delete"]);
        talk.error("item-not-found").ends(Ok(vec![]));
        let talk = Talk::begin(Request::Delete(node(ME, None)));
        talk.asks(&["<delete", "pubsub#owner"], &["<retract"]);
        talk.error("forbidden").ends(Err(RequestError::Forbidden));
    }

    #[test]
    fn only_who_was_asked_may_answer() {
        let mut requests = Requests::new(ME.into(), "salt");
        let turn = requests.ask(RequestId(1), Request::Fetch(node("bob@x.org", None)), NOW);
        let id = turn.send[0].attr("id").unwrap();
        for from in ["", "from='eve@x.org'", "from='alice@x.org'", "from='bob@x.org/r'", "from='x.org'"] {
            let iq = format!("<iq type='result' id='{id}' {from}/>");
            assert!(requests.answered(&xml::parse_run(iq.as_bytes()).unwrap()[0], NOW).is_none(), "{from}");
        }
        assert!(requests.answered(&xml::parse_run(b"<iq type='result' id='other' from='bob@x.org'/>").unwrap()[0], NOW).is_none());
        assert_eq!(requests.len(), 1);
    }

    #[test]
    fn time_ends_and_begins_anew_after_a_cut() {
        let mut requests = Requests::new(ME.into(), "salt");
        requests.ask(RequestId(1), Request::Fetch(node(ME, None)), NOW);
        assert!(requests.ask(RequestId(1), Request::Fetch(node(ME, None)), NOW).send.is_empty());
        let end = requests.wake_at().unwrap();
        requests.resumed(Time(NOW.0 + 10));
        assert!(requests.expire(end).is_empty());
        let turns = requests.expire(Time(end.0 + 10));
        assert_eq!(turns[0].answer, Some((RequestId(1), Err(RequestError::Unreachable))));
        requests.ask(RequestId(2), Request::Fetch(node(ME, None)), NOW);
        requests.clear();
        assert!(requests.is_empty() && requests.expire(Time(u64::MAX)).is_empty());
    }

    #[test]
    fn what_is_too_large_or_nonsense_is_an_error() {
        let mut requests = Requests::new(ME.into(), "salt");
        let turn = requests.ask(RequestId(1), Request::Fetch(node(ME, None)), NOW);
        let turn = requests.too_large(&turn.send[0]).unwrap();
        assert_eq!(turn.answer, Some((RequestId(1), Err(RequestError::Refused))));
        let two = Request::Publish { node: node(ME, None), keep: Keep::One, payload: b"<a/><b/>".to_vec() };
        assert_eq!(requests.ask(RequestId(2), two, NOW).answer, Some((RequestId(2), Err(RequestError::Malformed))));
        let exchange = Request::Exchange { service: "s".into(), body: vec![] };
        assert_eq!(requests.ask(RequestId(3), exchange, NOW).answer, Some((RequestId(3), Err(RequestError::NotFound))));
    }
}
