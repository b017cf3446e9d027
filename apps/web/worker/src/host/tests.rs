//! Hosts of several browsers, a server in memory, and a gateway in a few lines between them: what a browser does when things go wrong.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, clippy::arithmetic_side_effects)]
use super::*;
use crate::shelf::tests::MemoryShelf;
use std::collections::BTreeMap;
use std::collections::VecDeque;
use subrosa_engine::{Address, Item as EngineItem, Keep, Node as EngineNode, Request as EngineRequest};
use subrosa_testkit::{FakeServer, Push, Seeded, block_on};
use subrosa_web_api::page::{BannerKind, Call, Content, Device, Message, Protection, State, Trust};
use subrosa_web_api::socket::{self, Body, Event, FromGateway, Item, Payload, Progress, RequestError, Session};
use subrosa_web_api::{Kind, Millis};

const START: Millis = 1_795_000_000_000;
const ALICE: &str = "alice@x.org";
const BOB: &str = "bob@x.org";

/// One browser.
struct Browser {
    jid: &'static str,
    host: Option<Host<MemoryShelf, Seeded>>,
    shelf: MemoryShelf,
    online: bool,
    told: Vec<Told>,
    replies: Vec<(u32, Result<Answer, Failure>)>,
    n: u32,
}
/// An event of an account, and which browser caused it.
type Logged = (Event, Option<usize>);
/// What the gateway has of a body it took: whose, its place.
type Accepted = BTreeMap<(usize, String, u16), (Seq, Millis)>;

/// Everything.
struct Net {
    server: FakeServer,
    browsers: Vec<Browser>,
    log: BTreeMap<&'static str, Vec<Logged>>,
    accepted: Accepted,
    /// How far each browser's socket is in its account's log.
    sent: Vec<usize>,
    frames: Vec<VecDeque<ToGateway>>,
    /// Every body that was accepted, to prove what was in it.
    bodies: Vec<Body>,
    now: Millis,
    seed: u64,
    /// Changes what a browser is told, as a hostile gateway would.
    twist: Option<Box<dyn FnMut(FromGateway) -> Option<FromGateway>>>,
}
impl Net {
    fn new() -> Self {
        Net {
            server: FakeServer::default(),
            browsers: Vec::new(),
            log: BTreeMap::new(),
            accepted: BTreeMap::new(),
            sent: Vec::new(),
            frames: Vec::new(),
            bodies: Vec::new(),
            now: START,
            seed: 1,
            twist: None,
        }
    }
    /// A browser signs in.
    fn join(&mut self, jid: &'static str) -> usize {
        let who = self.browsers.len();
        let shelf = MemoryShelf::default();
        self.browsers.push(Browser { jid, host: None, shelf, online: false, told: Vec::new(), replies: Vec::new(), n: 0 });
        self.sent.push(0);
        self.frames.push(VecDeque::new());
        self.log.entry(jid).or_default();
        self.boot(who, true);
        self.connect(who);
        self.run();
        who
    }
    /// The worker starts, over what is stored.
    fn boot(&mut self, who: usize, new: bool) {
        self.seed += 1;
        let browser = &mut self.browsers[who];
        let account = new.then(|| Account { jid: browser.jid.into(), browser: who as u64, has_passphrase: false });
        let host = block_on(Host::start(browser.shelf.again(), account, Seeded::new(self.seed), Time(self.now)));
        browser.host = Some(host.unwrap_or_else(|e| panic!("{e:?}")));
        browser.online = false;
        self.frames[who].clear();
    }
    fn connect(&mut self, who: usize) {
        self.browsers[who].online = true;
        let hello = self.host(who).hello();
        self.frames[who].push_back(hello);
    }
    fn disconnect(&mut self, who: usize) {
        self.browsers[who].online = false;
        self.frames[who].clear();
        self.host(who).no_gateway(Some(Failure::new("gone", "Gone.")));
    }
    fn host(&mut self, who: usize) -> &mut Host<MemoryShelf, Seeded> {
        self.browsers[who].host.as_mut().unwrap()
    }
    fn give(&mut self, who: usize, frame: FromGateway) {
        let frame = match &mut self.twist {
            Some(twist) => twist(frame),
            None => Some(frame),
        };
        if let Some(frame) = frame {
            let now = Time(self.now);
            block_on(self.host(who).frame(frame, now)).unwrap();
        }
    }
    fn log(&mut self, jid: &'static str, event: Event, by: Option<usize>) -> Seq {
        let log = self.log.entry(jid).or_default();
        log.push((event, by));
        Seq(log.len() as u64)
    }
    fn account(&self, jid: &str) -> Option<&'static str> {
        self.log.keys().copied().find(|known| *known == jid)
    }

    /// Until nothing happens any more.
    fn run(&mut self) {
        for _ in 0..200 {
            let mut busy = false;
            self.now += 10;
            for who in 0..self.browsers.len() {
                if self.browsers[who].host.is_none() {
                    continue;
                }
                let now = Time(self.now);
                block_on(self.host(who).step(now)).unwrap();
                for out in self.host(who).take_out() {
                    busy = true;
                    let browser = &mut self.browsers[who];
                    match out {
                        Out::Reply(caller, result) => browser.replies.push((caller.n, result)),
                        Out::Tell(told) => browser.told.push(told),
                        Out::Gateway(frame) if browser.online => self.frames[who].push_back(frame),
                        Out::Gateway(_) => {}
                        Out::Erase(caller) => browser.replies.push((caller.n, Ok(Answer::Done))),
                    }
                }
                while let Some(frame) = self.frames[who].pop_front() {
                    busy = true;
                    self.serve(who, frame);
                }
                while self.browsers[who].online && self.sent[who] < self.log[self.browsers[who].jid].len() {
                    busy = true;
                    let at = self.sent[who];
                    self.sent[who] += 1;
                    let (mut event, by) = self.log[self.browsers[who].jid][at].clone();
                    if let Event::Message(message) = &mut event
                        && by == Some(who)
                    {
                        message.own = true;
                        message.body.clear();
                    }
                    self.give(who, FromGateway::Event { seq: Seq(at as u64 + 1), event });
                }
            }
            if !busy {
                return;
            }
        }
        panic!("it does not come to rest");
    }
    /// What the gateway does with a frame.
    fn serve(&mut self, who: usize, frame: ToGateway) {
        let jid = self.browsers[who].jid;
        match frame {
            ToGateway::Hello { since } => {
                let head = Seq(self.log[jid].len() as u64);
                self.sent[who] = since.map_or(head.0, |s| s.0) as usize;
                self.give(who, FromGateway::Welcome { jid: jid.into(), browser: who as u64, head, now: self.now });
                self.give(who, FromGateway::Session(Session::Online { resumed: false }));
                if since.is_none() {
                    // a new device gets the contacts, and no messages of before
                    let contacts = self.log[jid].iter().enumerate().filter(|(_, (event, _))| matches!(event, Event::Contact(_)));
                    let contacts: Vec<_> =
                        contacts.map(|(at, (event, _))| FromGateway::Event { seq: Seq(at as u64 + 1), event: event.clone() }).collect();
                    contacts.into_iter().for_each(|frame| self.give(who, frame));
                }
                while self.sent[who] < head.0 as usize {
                    let at = self.sent[who];
                    self.sent[who] += 1;
                    let (mut event, by) = self.log[jid][at].clone();
                    if let Event::Message(message) = &mut event {
                        message.own = by == Some(who);
                    }
                    self.give(who, FromGateway::Event { seq: Seq(at as u64 + 1), event });
                }
                self.give(who, FromGateway::CaughtUp);
            }
            ToGateway::Send { id, part, to, chat, kind, body, .. } => {
                if let Some((seq, at)) = self.accepted.get(&(who, id.clone(), part)).copied() {
                    return self.give(who, FromGateway::Accepted { id, part, seq, at });
                }
                self.bodies.push(body.clone());
                let xml = match &body {
                    Body::Encrypted(xml) => xml.clone(),
                    Body::Clear(text) => format!("<body xmlns='jabber:client'>{text}</body>").into_bytes(),
                };
                let stanza = if part == 0 { id.clone() } else { format!("{id}.{part}") };
                let message = |chat: &str| socket::Message {
                    id: stanza.clone(),
                    chat: chat.into(),
                    from: jid.into(),
                    sent: self.now,
                    kind,
                    own: false,
                    body: xml.clone(),
                };
                let (ours, theirs) = (message(&chat), message(jid));
                let seq = self.log(jid, Event::Message(ours), Some(who));
                let at = self.now;
                self.accepted.insert((who, id.clone(), part), (seq, at));
                self.give(who, FromGateway::Accepted { id: id.clone(), part, seq, at });
                if let Some(to) = self.account(&to)
                    && to != jid
                {
                    self.log(to, Event::Message(theirs), None);
                }
                self.log(jid, Event::Progress { id, progress: Progress::Sent }, None);
            }
            ToGateway::Request { id, what } => {
                let node = |n: socket::Node| EngineNode { owner: n.owner.as_str().into(), name: n.name, item: n.item };
                let request = match what {
                    socket::Request::Fetch(n) => EngineRequest::Fetch(node(n)),
                    socket::Request::Publish { node: n, many, payload } => {
                        EngineRequest::Publish { node: node(n), keep: if many { Keep::Many } else { Keep::One }, payload }
                    }
                    socket::Request::Delete(n) => EngineRequest::Delete(node(n)),
                };
                let (answer, push) = self.server.answer(&Address::from(jid), &request);
                let items = |items: Vec<EngineItem>| items.into_iter().map(|EngineItem { id, payload }| Item { id, payload }).collect();
                let answer = answer.map(items).map_err(|e| match e {
                    subrosa_engine::RequestError::NotFound => RequestError::NotFound,
                    _ => RequestError::Forbidden,
                });
                self.give(who, FromGateway::Answer { id, answer });
                if let Some(Push { node, payload }) = push {
                    let node = socket::Node { owner: node.owner.to_string(), name: node.name, item: node.item };
                    if node.name.contains("devicelist") || node.name.ends_with("devices") {
                        for account in self.log.keys().copied().collect::<Vec<_>>() {
                            self.log(account, Event::Published { node: node.clone(), payload: payload.clone().map(Payload) }, None);
                        }
                    }
                }
            }
            ToGateway::Read { chat, up_to } => drop(self.log(jid, Event::Read { chat, up_to }, None)),
            ToGateway::Received { from, id } => {
                if let Some(account) = self.account(&from) {
                    let id = id.split('.').next().unwrap_or_default().to_owned();
                    self.log(account, Event::Progress { id, progress: Progress::Delivered }, None);
                }
            }
            _ => {}
        }
    }
    fn call(&mut self, who: usize, call: Call) -> Result<Answer, Failure> {
        self.browsers[who].n += 1;
        let n = self.browsers[who].n;
        block_on(self.host(who).call(Caller { port: 1, n }, call)).unwrap();
        self.run();
        let replies = &mut self.browsers[who].replies;
        let at = replies.iter().position(|(number, _)| *number == n).expect("answered");
        replies.remove(at).1
    }
    fn send(&mut self, who: usize, to: &str, id: &str, text: &str) -> Result<Answer, Failure> {
        self.call(who, Call::Send { id: id.into(), chat: to.into(), text: text.into() })
    }
    fn history(&mut self, who: usize, chat: &str) -> Vec<Message> {
        match self.call(who, Call::Open { chat: chat.into(), count: 100 }) {
            Ok(Answer::History { messages, .. }) => messages,
            other => panic!("{other:?}"),
        }
    }
    fn texts(&mut self, who: usize, chat: &str) -> Vec<String> {
        self.history(who, chat)
            .into_iter()
            .map(|m| match m.content {
                Content::Text(text) => text,
                Content::Undecryptable(why) => format!("!{}", why.code),
            })
            .collect()
    }
    fn devices(&mut self, who: usize, jid: &str) -> Vec<Device> {
        match self.call(who, Call::Devices { jid: jid.into() }) {
            Ok(Answer::Devices(devices)) => devices,
            other => panic!("{other:?}"),
        }
    }
    fn saw(&self, text: &str) -> bool {
        let has = |bytes: &[u8]| bytes.windows(text.len()).any(|part| part == text.as_bytes());
        self.bodies.iter().any(|body| match body {
            Body::Encrypted(xml) => has(xml),
            Body::Clear(clear) => has(clear.as_bytes()),
        })
    }
}

#[test]
fn two_browsers_of_one_account_and_a_contact_read_everything() {
    let mut net = Net::new();
    let (first, second) = (net.join(ALICE), net.join(ALICE));
    // the first was there before: it approves the second, which trusts it
    let new = net.devices(first, ALICE).into_iter().find(|d| !d.this_device).expect("listed");
    assert_eq!(new.trust, Trust::Undecided);
    assert!(net.browsers[first].told.iter().any(|t| matches!(t, Told::Banners(b) if b.len() == 1)));
    net.call(first, Call::SetTrust { jid: ALICE.into(), device: new.id, fingerprint: new.fingerprint, trust: Trust::Trusted }).unwrap();
    assert!(net.host(first).banners.is_empty());
    let bob = net.join(BOB);
    net.send(first, BOB, "a-1", "hello from the first").unwrap();
    net.send(bob, ALICE, "b-1", "hello from bob").unwrap();
    net.send(second, BOB, "a-2", "hello from the second").unwrap();
    let all = ["hello from the first", "hello from bob", "hello from the second"];
    for (who, chat) in [(first, BOB), (second, BOB), (bob, ALICE)] {
        assert_eq!(net.texts(who, chat), all, "browser {who}");
    }
    assert!(all.iter().all(|text| !net.saw(text)));
    let states: Vec<State> = net.history(first, BOB).into_iter().map(|m| m.state).collect();
    assert_eq!(states, [State::Delivered, State::Here, State::Here]);
    assert_eq!(net.host(bob).chats[ALICE].chat.unread, 2);
    net.call(bob, Call::Read { chat: ALICE.into() }).unwrap();
    assert_eq!(net.host(bob).chats[ALICE].chat.unread, 0);
}

#[test]
fn what_is_read_in_one_browser_is_read_in_the_other() {
    let mut net = Net::new();
    let (first, second, bob) = (net.join(ALICE), net.join(ALICE), net.join(BOB));
    net.send(bob, ALICE, "b-1", "one").unwrap();
    net.send(bob, ALICE, "b-2", "two").unwrap();
    assert_eq!((net.host(first).chats[BOB].chat.unread, net.host(second).chats[BOB].chat.unread), (2, 2));
    net.disconnect(first);
    net.call(first, Call::Read { chat: BOB.into() }).unwrap();
    assert_eq!(net.host(second).chats[BOB].chat.unread, 2);
    net.connect(first); // what could not be told is told now
    net.run();
    assert_eq!(net.host(second).chats[BOB].chat.unread, 0);
}

#[test]
fn a_worker_that_dies_anywhere_loses_and_doubles_nothing() {
    for dies_after in 0..24 {
        let mut net = Net::new();
        let (alice, bob) = (net.join(ALICE), net.join(BOB));
        net.send(alice, BOB, "a-0", "before").unwrap();
        // the worker is gone after so many commits: what was handed over since is lost with it
        let disk = net.browsers[alice].shelf.disk.clone();
        let limit = disk.borrow().commits + dies_after;
        net.send(bob, ALICE, "b-1", "from bob").ok();
        net.browsers[alice].n += 1;
        let n = net.browsers[alice].n;
        block_on(net.host(alice).call(Caller { port: 1, n }, Call::Send { id: "a-1".into(), chat: BOB.into(), text: "under the rose".into() }))
            .unwrap();
        for _ in 0..30 {
            if disk.borrow().commits >= limit {
                break;
            }
            net.now += 10;
            let now = Time(net.now);
            block_on(net.host(alice).commit_once(now));
        }
        net.boot(alice, false);
        net.connect(alice);
        net.run();
        net.send(alice, BOB, "a-1", "under the rose").unwrap(); // the page asks again
        net.send(alice, BOB, "a-2", "after").unwrap();
        assert_eq!(net.texts(alice, BOB), ["before", "from bob", "under the rose", "after"], "after {dies_after} commits");
        assert_eq!(net.texts(bob, ALICE), ["before", "from bob", "under the rose", "after"], "after {dies_after} commits");
        assert!(!net.saw("under the rose"));
    }
}

#[test]
fn nothing_overtakes_what_waits_for_the_gateway() {
    let mut net = Net::new();
    let (alice, bob) = (net.join(ALICE), net.join(BOB));
    net.send(alice, BOB, "a-0", "before").unwrap();
    net.disconnect(alice);
    net.send(alice, BOB, "a-1", "one").unwrap();
    net.browsers[alice].online = true; // the socket is open, its welcome is yet to come
    net.send(alice, BOB, "a-2", "two").unwrap();
    net.connect(alice);
    net.run();
    assert_eq!(net.texts(bob, ALICE), ["before", "one", "two"]);
    assert_eq!(net.texts(alice, BOB), ["before", "one", "two"]);
}

#[test]
fn a_full_store_keeps_everything_and_says_so() {
    let mut net = Net::new();
    let (alice, bob) = (net.join(ALICE), net.join(BOB));
    let disk = net.browsers[alice].shelf.disk.clone();
    disk.borrow_mut().full = true;
    net.browsers[alice].n += 1;
    let n = net.browsers[alice].n;
    block_on(net.host(alice).call(Caller { port: 1, n }, Call::Send { id: "a-1".into(), chat: BOB.into(), text: "kept".into() })).unwrap();
    net.send(bob, ALICE, "b-1", "comes meanwhile").ok();
    assert!(net.browsers[alice].told.iter().any(|t| matches!(t, Told::Trouble(Some(why)) if why.code == "store.full")));
    assert!(!net.browsers[alice].told.iter().any(|t| matches!(t, Told::Message(_))), "nobody is told what is not stored");
    disk.borrow_mut().full = false;
    net.run();
    assert!(matches!(net.browsers[alice].told.iter().rev().find(|t| matches!(t, Told::Trouble(_))), Some(Told::Trouble(None))));
    assert_eq!(net.texts(bob, ALICE), ["comes meanwhile", "kept"]);
    assert_eq!(net.texts(alice, BOB).len(), 2);
}

#[test]
fn a_contact_without_encryption_needs_a_confirmed_choice() {
    let mut net = Net::new();
    let alice = net.join(ALICE);
    net.send(alice, "carol@x.org", "a-1", "in clear?").unwrap();
    let failed = net.history(alice, "carol@x.org");
    let State::Failed { why, may_clear: true } = &failed[0].state else { panic!("{:?}", failed[0].state) };
    assert_eq!(why.code, "no-encryption");
    assert!(!net.saw("in clear?"));
    // not for a message that waits for something else
    assert!(net.call(alice, Call::AllowClear { id: "no-such".into() }).is_err());
    net.boot(alice, false); // the question survives
    net.connect(alice);
    net.run();
    net.call(alice, Call::AllowClear { id: "a-1".into() }).unwrap();
    let sent = net.history(alice, "carol@x.org");
    assert_eq!((sent.len(), &sent[0].protection, &sent[0].state), (1, &Protection::Clear, &State::Sent));
    assert!(net.saw("in clear?"));
    let taken = net.bodies.len();
    net.call(alice, Call::AllowClear { id: "a-1".into() }).expect("another tab says yes as well");
    assert_eq!(net.bodies.len(), taken);
    // what comes in clear is shown as such, as long as it is allowed
    let answers = |net: &mut Net, id: &str| {
        let (body, from) = (b"<body xmlns='jabber:client'>in clear!</body>".to_vec(), "carol@x.org".to_owned());
        let (id, chat, sent) = (id.to_owned(), from.clone(), net.now);
        net.log(ALICE, Event::Message(socket::Message { id, chat, from, sent, kind: Kind::Text, own: false, body }), None);
        net.run();
        let last = net.history(alice, "carol@x.org").pop().unwrap();
        (last.content, last.protection)
    };
    assert_eq!(answers(&mut net, "c-1"), (Content::Text("in clear!".into()), Protection::Clear));
    net.call(alice, Call::RequireEncryption { chat: "carol@x.org".into() }).unwrap();
    assert!(matches!(answers(&mut net, "c-2"), (Content::Undecryptable(why), Protection::Clear) if why.code == "not-encrypted"));
    net.send(alice, "carol@x.org", "a-2", "again secret").unwrap();
    assert!(!net.saw("again secret"));
}

#[test]
fn a_hostile_gateway_gets_no_words_and_changes_none() {
    let mut net = Net::new();
    let (alice, bob) = (net.join(ALICE), net.join(BOB));
    net.send(alice, BOB, "a-1", "real").unwrap();
    // a message in clear, the place and the id of ours, another's words in our name
    let at = net.history(alice, BOB)[0].position;
    let forged = |id: &str, from: &str| socket::Message {
        id: id.into(),
        chat: BOB.into(),
        from: from.into(),
        sent: START,
        kind: Kind::Text,
        own: false,
        body: b"<body xmlns='jabber:client'>forged</body>".to_vec(),
    };
    for (seq, from) in [(Seq(at.0), BOB), (Seq(1000), BOB), (Seq(1001), ALICE)] {
        net.give(alice, FromGateway::Event { seq, event: Event::Message(forged("a-1", from)) });
    }
    net.give(alice, FromGateway::Accepted { id: "a-1".into(), part: 0, seq: Seq(1000), at: START });
    net.run();
    assert_eq!(net.texts(alice, BOB), ["real", "!not-encrypted", "!own-in-clear"]);
    // lists are emptied, errors to everything: it waits or fails, never in clear
    for node in ["eu.siacs.conversations.axolotl.devicelist", "urn:xmpp:omemo:2:devices"] {
        let node = socket::Node { owner: BOB.into(), name: node.into(), item: Some("current".into()) };
        net.give(
            alice,
            FromGateway::Event { seq: Seq(2000 + u64::from(node.name.starts_with('u'))), event: Event::Published { node, payload: None } },
        );
    }
    net.twist = Some(Box::new(|frame| match frame {
        FromGateway::Answer { id, .. } => Some(FromGateway::Answer { id, answer: Err(RequestError::Forbidden) }),
        other => Some(other),
    }));
    net.send(alice, BOB, "a-2", "never in clear").unwrap();
    assert!(!net.saw("never in clear"));
    let last = net.history(alice, BOB).into_iter().find(|m| m.id == "a-2").unwrap();
    assert!(matches!(last.state, State::Failed { may_clear: false, .. } | State::Waiting(_) | State::Sending | State::Sent), "{:?}", last.state);
    let _ = bob;
}

#[test]
fn bad_calls_are_refused_in_words() {
    let mut net = Net::new();
    let alice = net.join(ALICE);
    let code = |result: Result<Answer, Failure>| result.expect_err("refused").code;
    assert_eq!(code(net.send(alice, BOB, "UPPER", "x")), "send.id");
    assert_eq!(code(net.send(alice, BOB, "a-1", " \n")), "send.empty");
    assert_eq!(code(net.send(alice, BOB, "a-1", &"x".repeat(1_000_000))), "send.too-long");
    assert_eq!(code(net.send(alice, BOB, "a-1", "a\u{0}b")), "send.characters");
    for bad in ["", "bob", "@x", "bob@", "a b@x", "a@b@c"] {
        assert_eq!(code(net.call(alice, Call::AddContact { jid: bad.into(), name: String::new() })), "contact.address", "{bad:?}");
    }
    let bad = Call::SetTrust { jid: BOB.into(), device: 1, fingerprint: "zz".into(), trust: Trust::Trusted };
    assert_eq!(code(net.call(alice, bad)), "trust.fingerprint");
    net.disconnect(alice);
    assert_eq!(code(net.call(alice, Call::SignOut { even_offline: false })), "signout.offline");
    assert_eq!(net.call(alice, Call::SignOut { even_offline: true }), Ok(Answer::Done));
}
#[test]
fn a_device_that_signs_out_is_off_the_list() {
    let mut net = Net::new();
    let (first, second) = (net.join(ALICE), net.join(ALICE));
    assert_eq!(net.devices(second, ALICE).iter().filter(|d| d.listed).count(), 2);
    assert_eq!(net.call(first, Call::SignOut { even_offline: false }), Ok(Answer::Done));
    assert_eq!(net.devices(second, ALICE).iter().filter(|d| d.listed).count(), 1);
}
#[test]
fn a_wrong_clock_is_told_and_does_no_harm() {
    let mut net = Net::new();
    let (alice, bob) = (net.join(ALICE), net.join(BOB));
    let now = net.now;
    net.give(alice, FromGateway::Welcome { jid: ALICE.into(), browser: 0, head: Seq(0), now: now + 86_400_000 });
    net.give(alice, FromGateway::Session(Session::Online { resumed: false }));
    net.run();
    assert!(net.browsers[alice].told.iter().any(|t| matches!(t, Told::Trouble(Some(why)) if why.code == "clock.wrong")));
    let _ = bob;
}

#[test]
fn a_new_device_has_the_contacts_of_before_and_nothing_else() {
    let mut net = Net::new();
    let alice = net.join(ALICE);
    let contact = socket::Contact { jid: BOB.into(), name: "Bob".into(), standing: socket::Standing::Mutual };
    net.log(ALICE, Event::Contact(contact), None);
    net.run();
    let other = net.join(ALICE);
    net.run();
    for who in [alice, other] {
        let chats = net.host(who).snapshot().into_iter().find_map(|told| if let Told::Chats(chats) = told { Some(chats) } else { None }).unwrap();
        assert_eq!(chats.iter().map(|chat| (chat.jid.as_str(), chat.name.as_str())).collect::<Vec<_>>(), [(BOB, "Bob")]);
    }
    // and from then on what is new, once
    let contact = socket::Contact { jid: BOB.into(), name: "Robert".into(), standing: socket::Standing::Mutual };
    let seq = net.log(ALICE, Event::Contact(contact), None);
    net.run();
    assert!(net.host(other).hello() == ToGateway::Hello { since: Some(seq) });
}

#[test]
fn a_gateway_can_not_put_words_into_another_chat() {
    let mut net = Net::new();
    let (alice, bob) = (net.join(ALICE), net.join(BOB));
    net.twist = Some(Box::new(|frame| {
        Some(match frame {
            FromGateway::Event { seq, event: Event::Message(message) } if message.from == BOB => {
                FromGateway::Event { seq, event: Event::Message(socket::Message { chat: "carol@x.org".into(), ..message }) }
            }
            other => other,
        })
    }));
    net.send(bob, ALICE, "b-1", "from bob").unwrap();
    assert!(net.texts(alice, "carol@x.org").is_empty());
    assert_eq!(net.texts(alice, BOB), ["from bob"]);
}
#[test]
fn a_gateway_can_not_make_places_collide() {
    let mut net = Net::new();
    let (alice, bob) = (net.join(ALICE), net.join(BOB));
    net.send(alice, BOB, "a-0", "zero").unwrap();
    let far = |net: &mut Net| {
        let welcome = FromGateway::Welcome { jid: ALICE.into(), browser: 0, head: Seq(u64::MAX), now: u64::MAX };
        net.give(alice, welcome);
    };
    net.disconnect(alice);
    far(&mut net);
    net.send(alice, BOB, "a-1", "one").unwrap();
    far(&mut net);
    net.send(alice, BOB, "a-2", "two").unwrap();
    // a place that messages of ours wait at, given to one that came, and to one of ours
    let waits = net.history(alice, BOB)[1].position.0;
    let body = b"<body xmlns='jabber:client'>x</body>".to_vec();
    let (id, chat, from) = ("x".to_owned(), BOB.to_owned(), BOB.to_owned());
    let message = socket::Message { id, chat, from, sent: 0, kind: Kind::Text, own: false, body };
    for place in [waits, waits + 1, u64::MAX] {
        net.give(alice, FromGateway::Event { seq: Seq(place), event: Event::Message(message.clone()) });
        net.give(alice, FromGateway::Accepted { id: "a-1".into(), part: 0, seq: Seq(place), at: 0 });
    }
    net.run();
    assert_eq!(net.texts(alice, BOB), ["zero", "one", "two"]);
    net.connect(alice);
    net.run();
    assert_eq!(net.texts(alice, BOB), ["zero", "one", "two"]);
    assert_eq!(net.texts(bob, ALICE), ["zero", "one", "two"]);
    // nobody has read what is yet to come
    net.log(ALICE, Event::Read { chat: BOB.into(), up_to: Seq(u64::MAX) }, None);
    net.send(bob, ALICE, "b-1", "new").unwrap();
    assert_eq!(net.host(alice).chats[BOB].chat.unread, 1);
}
#[test]
fn a_clock_that_was_turned_back_overwrites_nothing() {
    let mut net = Net::new();
    let alice = net.join(ALICE);
    net.disconnect(alice);
    let then = net.host(alice).now;
    net.send(alice, BOB, "a-1", "one").unwrap();
    net.boot(alice, false);
    net.host(alice).now = then;
    net.send(alice, BOB, "a-2", "two").unwrap();
    assert_eq!(net.texts(alice, BOB), ["one", "two"]);
}
#[test]
fn a_cut_is_no_farewell() {
    let mut net = Net::new();
    let (alice, other) = (net.join(ALICE), net.join(ALICE));
    let leave = |net: &mut Net, even_offline| {
        net.browsers[alice].n += 1;
        let caller = Caller { port: 1, n: net.browsers[alice].n };
        let now = Time(net.now);
        block_on(net.host(alice).call(caller, Call::SignOut { even_offline })).unwrap();
        block_on(net.host(alice).step(now)).unwrap();
        net.host(alice).take_out(); // it does not arrive
        net.disconnect(alice);
        net.run();
        net.browsers[alice].replies.pop().unwrap().1
    };
    assert_eq!(leave(&mut net, false).expect_err("it is still on the list").code, "signout.no-answer");
    assert_eq!(net.devices(other, ALICE).iter().filter(|d| d.listed).count(), 2);
    net.connect(alice);
    net.run();
    assert_eq!(leave(&mut net, true), Ok(Answer::Done), "a person said: erase anyway");
}
#[test]
fn a_yes_before_the_question_counts_until_encryption_is_required_again() {
    let carol = "carol@y.org";
    for required in [false, true] {
        let mut net = Net::new();
        let alice = net.join(ALICE);
        net.send(alice, carol, "a-1", "to carol").unwrap();
        let failed = net.history(alice, carol).remove(0);
        assert!(matches!(failed.state, State::Failed { may_clear: true, .. }), "{:?}", failed.state);
        // the question is put again, and the server asked for devices first
        net.disconnect(alice);
        net.host(alice).questions.clear();
        net.now += 7 * 86_400_000;
        net.call(alice, Call::AllowClear { id: "a-1".into() }).unwrap();
        if required {
            net.call(alice, Call::RequireEncryption { chat: carol.into() }).unwrap();
        }
        net.connect(alice);
        net.run();
        let state = net.history(alice, carol).remove(0).state;
        assert_eq!(net.saw("to carol"), !required);
        assert_eq!(matches!(state, State::Failed { may_clear: true, .. }), required, "{state:?}");
    }
}
#[test]
fn whoever_has_many_devices_buries_nobody_in_banners() {
    let mut net = Net::new();
    let alice = net.join(ALICE);
    let key = subrosa_engine::Fingerprint([7; 32]);
    let device = |who: &str, n: u32| subrosa_engine::Device::of(&Address::from(who), n);
    let host = net.host(alice);
    host.banner(OutputId(1_000), &device(ALICE, 1), &key, BannerKind::NewOwnDevice(Trust::Undecided));
    host.banner(OutputId(1_001), &device(BOB, 2), &key, BannerKind::KeyChanged);
    for n in 0..2_000 {
        host.banner(OutputId(2_000 + u64::from(n)), &device(BOB, n), &key, BannerKind::NewDevice(Trust::Trusted));
    }
    assert_eq!(host.after.len(), 1);
    net.run();
    net.boot(alice, false);
    let ids: Vec<u32> = net.host(alice).banners.iter().map(|banner| banner.device).collect();
    assert_eq!(ids, [1, 2].into_iter().chain(1_984..2_000).collect::<Vec<_>>());
}
