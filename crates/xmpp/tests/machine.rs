//! Two machines with an application's engine, and stanzas between them: what passes, what is refused, what passes it by.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, missing_docs)]
use getrandom::rand_core::UnwrapErr;
use minidom::Element;
use subrosa_engine::*;
use subrosa_xmpp::{Bounce, Mapping, StanzaError};

/// Turns bytes around. Says no to what begins with "no", by a code of its own.
struct Reverse;
const TYPE: ContentType = ContentType(std::borrow::Cow::Borrowed("cipher/reverse"));
impl Engine for Reverse {
    fn name(&self) -> &'static str {
        "reverse"
    }
    fn outgoing(&self, _: &mut Context<'_>, message: &Outgoing<'_>) -> Hook<Encrypted> {
        Ok(Outcome::Done(Encrypted::new(TYPE, message.plain.bytes().iter().rev().copied().collect())?))
    }
    fn incoming(&self, _: &mut Context<'_>, message: &Incoming<'_>) -> Hook<Decrypted> {
        if *message.content_type != TYPE {
            return Ok(Outcome::Skipped);
        }
        let plain: Vec<u8> = message.body.iter().rev().copied().collect();
        if plain.starts_with(b"no") {
            return Ok(Outcome::Rejected(Status::new(603).into()));
        }
        Ok(Outcome::Done(Decrypted::new(Plaintext::new(ContentType::TEXT, plain))))
    }
}

struct Side {
    me: &'static str,
    machine: Machine,
    store: MemoryStore,
    mapping: Mapping,
}
/// What came of a stanza: words, the kind of a notice, a code.
#[derive(Debug, PartialEq)]
enum Came {
    Words(String),
    Notice(Kind, String),
    Refused(u16),
}
impl Side {
    fn new(me: &'static str) -> Self {
        let mut machine = Machine::new(me.into());
        let engine = machine.install(Reverse);
        machine.route(move |_| Some(engine.id()));
        let mut mapping = Mapping::new(me.into(), [], "s").with_engines();
        mapping.bound(&format!("{me}/here"));
        Side { me, machine, store: MemoryStore::default(), mapping }
    }
    fn step(&mut self, inputs: Vec<Input>) -> Vec<Output> {
        let mut rng = UnwrapErr(getrandom::SysRng);
        let mut step = self.machine.begin(Time(1_700_000_000_000), &mut rng);
        inputs.into_iter().for_each(|input| step.feed(input));
        step.commit(&mut self.store).unwrap().into_iter().map(|(_, output)| output).collect()
    }
    /// The stanzas of one message, as the server hands them over.
    fn send(&mut self, to: &str, kind: Kind, plain: Plaintext) -> Vec<Element> {
        let (chat, recipients) = (ChatId(to.into()), Recipients::People(vec![to.into()]));
        let send = Input::Send { id: "1".into(), chat, to: recipients, kind, plain, headers: Headers::default() };
        let outputs = self.step(vec![send]);
        let transmits = outputs.into_iter().filter_map(|output| match output {
            Output::Transmit { id, part, chat, to, kind, wire, .. } => Some(self.mapping.transmit(&id, part, &chat, &to, kind, &wire).unwrap()),
            _ => None,
        });
        transmits.map(|stanza| from(self.me, stanza)).collect()
    }
    /// What came of it, and the errors that go back.
    fn receive(&mut self, stanza: &Element) -> (Vec<Came>, Vec<Element>, Option<Bounce>) {
        let mapped = self.mapping.message(stanza, Time(1_700_000_000_000));
        let (mut came, mut back) = (Vec::new(), Vec::new());
        for output in self.step(mapped.inputs) {
            match output {
                Output::Event(Event::Message { message, .. }) => {
                    let text = String::from_utf8(message.plaintext().bytes().to_vec()).unwrap();
                    came.push(if message.kind() == Kind::Text { Came::Words(text) } else { Came::Notice(message.kind(), text) });
                }
                Output::Event(Event::NotReceived { why, .. }) => came.push(Came::Refused(why.status.code())),
                Output::Refuse { id, from: sender, status, .. } => {
                    back.extend(self.mapping.refuse(&id, &sender, status).map(|error| from(self.me, error)));
                }
                _ => {}
            }
        }
        (came, back, mapped.bounce)
    }
}
fn from(me: &str, stanza: Element) -> Element {
    let mut out = Vec::new();
    stanza.write_to(&mut out).unwrap();
    let text = String::from_utf8(out).unwrap();
    text.replacen("<message ", &format!("<message from='{me}/here' "), 1).parse().unwrap()
}
fn has(stanza: &Element, name: &str, namespace: &str) -> bool {
    stanza.children().any(|child| child.is(name, namespace))
}
const ALICE: &str = "alice@x.org";
const BOB: &str = "bob@x.org";

#[test]
fn words_go_through_the_engine() {
    let (mut alice, mut bob) = (Side::new(ALICE), Side::new(BOB));
    for text in ["hello", "\u{0}\u{1f339}", "]]></engine><body>&"] {
        let [stanza] = alice.send(BOB, Kind::Text, Plaintext::text(text)).try_into().unwrap();
        assert!(has(&stanza, "engine", "urn:subrosa:engine:0") && has(&stanza, "encryption", "urn:xmpp:eme:0"));
        assert_eq!(bob.receive(&stanza), (vec![Came::Words(text.into())], vec![], None));
    }
}

#[test]
fn a_code_of_the_engine_is_what_the_sender_is_told() {
    let (mut alice, mut bob) = (Side::new(ALICE), Side::new(BOB));
    let [stanza] = alice.send(BOB, Kind::Text, Plaintext::text("no, thanks")).try_into().unwrap();
    let (came, back, _) = bob.receive(&stanza);
    assert_eq!(came, [Came::Refused(603)]);
    let (_, _, bounce) = alice.receive(&back[0]);
    assert_eq!(bounce.unwrap().refused.unwrap().status.code(), 603);
    // in clear: the engine skips it, the chat does not allow it
    let clear = format!("<message xmlns='jabber:client' from='{ALICE}/here' to='{BOB}' id='2' type='chat'><body>hello</body></message>");
    let (came, back, _) = bob.receive(&clear.parse().unwrap());
    assert_eq!((came, back.len()), (vec![Came::Refused(488)], 1));
}

#[test]
fn words_do_not_pass_it_by_as_notices() {
    let (mut alice, mut bob) = (Side::new(ALICE), Side::new(BOB));
    for kind in ["typing", "receipt"] {
        let element = format!("<engine xmlns='urn:subrosa:engine:0' type='text/plain' kind='{kind}'>cGF5IG1l</engine>");
        let stanza = format!("<message xmlns='jabber:client' from='{ALICE}/here' to='{BOB}' id='2' type='chat'>{element}</message>");
        assert_eq!(bob.receive(&stanza.parse().unwrap()), (vec![], vec![], None));
    }
    let clear = |alice: &mut Side, kind, plain| {
        let (chat, to) = (ChatId(BOB.into()), Recipients::People(vec![BOB.into()]));
        let outputs = alice.step(vec![Input::Send { id: "1".into(), chat, to, kind, plain, headers: Headers::default() }]);
        outputs.into_iter().find_map(|output| match output {
            Output::Transmit { id, part, chat, to, kind, wire, .. } => Some(alice.mapping.transmit(&id, part, &chat, &to, kind, &wire)),
            _ => None,
        })
    };
    let composing = "<composing xmlns='http://jabber.org/protocol/chatstates'/>";
    for kind in [Kind::Typing, Kind::Receipt] {
        assert!(clear(&mut alice, kind, Plaintext::text("the words")).is_none());
        // as elements that are more than a notice, or another one
        for more in
            ["<body>the words</body>", "<a xmlns='urn:a'/>", "<forwarded xmlns='urn:xmpp:forward:0'><body>the words</body></forwarded>", "the words"]
        {
            let run = if more.starts_with('<') { format!("{composing}{more}") } else { composing.replace("/>", &format!(">{more}</composing>")) };
            let refused = clear(&mut alice, kind, Plaintext::new(ContentType::STANZA, run.as_str()));
            assert_eq!(refused.unwrap().unwrap_err(), StanzaError::Notice, "{run}");
        }
    }
    let receipt = clear(&mut alice, Kind::Receipt, Plaintext::new(ContentType::STANZA, composing));
    assert_eq!(receipt.unwrap().unwrap_err(), StanzaError::Notice);
}

#[test]
fn notices_that_the_engine_does_not_want_pass_it_by() {
    let (mut alice, mut bob) = (Side::new(ALICE), Side::new(BOB));
    let composing = "<composing xmlns='http://jabber.org/protocol/chatstates'/>";
    let receipt = String::from_utf8(subrosa_xmpp::receipts::receipt("m1").unwrap()).unwrap();
    for (kind, run) in [(Kind::Typing, composing), (Kind::Receipt, receipt.as_str())] {
        let [stanza] = alice.send(BOB, kind, Plaintext::new(ContentType::STANZA, run)).try_into().unwrap();
        assert!(!has(&stanza, "engine", "urn:subrosa:engine:0") && !has(&stanza, "body", "jabber:client"));
        let (came, back, _) = bob.receive(&stanza);
        assert!(
            matches!(came.as_slice(), [Came::Notice(same, run)] if *same == kind && (run.contains("composing") || run.contains("m1"))),
            "{came:?}"
        );
        assert!(back.is_empty());
    }
}
