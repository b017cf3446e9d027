//! What is said, element by element: written anew it is the same, what stands in clear beside it holds nothing that is not listed, and what
//! we write there we read there.
use proptest::collection::vec;
use proptest::prelude::*;
use subrosa_engine::{Kind, Omission, Time};
use subrosa_omemo::wire::content::{Beside, Content};
use subrosa_omemo::wire::encrypted::{self, Builder};
use subrosa_omemo::wire::sce;
use subrosa_testkit::Seeded;

/// In everything that may not be seen.
const SECRET: &str = "s3cret";

/// Name and namespace of what means something here, and of what does not.
const ELEMENTS: [(&str, &str); 18] = [
    ("body", "jabber:client"),
    ("thread", "jabber:client"),
    ("subject", "jabber:client"),
    ("reply", "urn:xmpp:reply:0"),
    ("fallback", "urn:xmpp:fallback:0"),
    ("replace", "urn:xmpp:message-correct:0"),
    ("retract", "urn:xmpp:message-retract:1"),
    ("request", "urn:xmpp:receipts"),
    ("received", "urn:xmpp:receipts"),
    ("markable", "urn:xmpp:chat-markers:0"),
    ("displayed", "urn:xmpp:chat-markers:0"),
    ("reactions", "urn:xmpp:reactions:0"),
    ("composing", "http://jabber.org/protocol/chatstates"),
    ("opt-out", "urn:xmpp:omemo:2"),
    ("propose", "urn:xmpp:jingle-message:0"),
    ("origin-id", "urn:xmpp:sid:0"),
    ("reply", "urn:example:other"),
    ("body", "urn:example:other"),
];
/// What may be seen: ids, addresses, ranges.
const OPEN: [&str; 5] = ["id", "to", "start", "end", "parent"];

fn attribute() -> impl Strategy<Value = String> {
    let listed = (0..OPEN.len(), "[0-9a-z@.]{0,6}").prop_map(|(at, value)| format!(" {}='{value}'", OPEN[at]));
    let purpose = prop_oneof![Just("urn:xmpp:reply:0"), Just("urn:xmpp:message-retract:1"), Just("urn:example:s3cret")];
    let unlisted = "[p-w]{1,3}".prop_map(|name| format!(" {name}='{SECRET}'"));
    prop_oneof![listed, purpose.prop_map(|what| format!(" for='{what}'")), unlisted]
}
fn element() -> impl Strategy<Value = String> {
    let children = prop_oneof![
        Just(SECRET.to_owned()),
        vec(attribute(), 0..3).prop_map(|attributes| format!("<body{}>{SECRET}</body>", once(&attributes))),
        vec(0..ELEMENTS.len(), 0..3)
            .prop_map(|at| at.into_iter().map(|at| format!("<{0} xmlns='{1}'>{SECRET}</{0}>", ELEMENTS[at].0, ELEMENTS[at].1)).collect()),
        Just(String::new()),
    ];
    (0..ELEMENTS.len(), vec(attribute(), 0..4), children).prop_map(|(at, attributes, children)| {
        let (name, namespace) = ELEMENTS[at];
        let children = if name == "thread" { "t1".to_owned() } else { children };
        format!("<{name} xmlns='{namespace}'{}>{children}</{name}>", once(&attributes))
    })
}
/// No attribute twice.
fn once(attributes: &[String]) -> String {
    let name = |attribute: &String| attribute.split('=').next().unwrap_or_default().to_owned();
    let first = |(at, attribute): &(usize, &String)| attributes[..*at].iter().all(|before| name(before) != name(attribute));
    attributes.iter().enumerate().filter(first).map(|(_, attribute)| attribute.as_str()).collect()
}
fn of(xml: &str) -> Content {
    Content::of(sce::content(xml.as_bytes()).unwrap()).unwrap()
}

proptest! {
    #[test]
    fn written_anew_it_is_the_same(elements in vec(element(), 0..8)) {
        let run = sce::content(elements.concat().as_bytes()).unwrap();
        prop_assert_eq!(&*sce::content(&run).unwrap(), &*run);
        let envelope = sce::Outgoing { content: &run, from: "a@b", to: None, time: Time(0) };
        prop_assert_eq!(&*sce::parse(&sce::write(&envelope, &mut Seeded::new(1))).unwrap().content, &*run);
    }
    #[test]
    fn beside_the_words_there_is_nothing_that_is_not_listed(elements in vec(element(), 0..8)) {
        let content = of(&elements.concat());
        let beside = content.beside.run();
        prop_assert!(!String::from_utf8(beside.clone()).unwrap().contains(SECRET));
        prop_assert!(beside.len() < 4096);
        // what stands there is read there, and is the same
        let mut builder = Builder::legacy(1, &[0; 12], 1);
        builder.key(2, false, b"x");
        builder.beside(&content.beside);
        let read = encrypted::parse(&builder.message(Some(b"payload")), "a@b", 2).unwrap();
        prop_assert_eq!(&read.beside, &content.beside);
        prop_assert!(read.encrypted.is_some());
    }
    /// With words, older devices get them; without, nobody is promised anything.
    #[test]
    fn what_is_not_said_is_told(elements in vec(element(), 0..8)) {
        let content = of(&elements.concat());
        prop_assert!(content.body.is_some() || content.unsaid.is_some());
        let has = |name: &str| elements.iter().any(|e| e.starts_with(name));
        prop_assert_eq!(content.body.is_some(), has("<body xmlns='jabber:client'"));
        if has("<reactions") {
            prop_assert_eq!(content.unsaid, Some(Omission::Reaction));
        }
        prop_assert_eq!(content.plain, elements.len() == 1 && content.body.is_some());
        prop_assert_eq!(content.opt_out.is_some(), has("<opt-out"));
        if content.kind == Some(Kind::Typing) || content.kind == Some(Kind::Receipt) {
            prop_assert!(content.body.is_none());
        }
    }
    #[test]
    fn rubbish(bytes: Vec<u8>, cut in any::<proptest::sample::Index>(), elements in vec(element(), 1..4)) {
        drop(sce::content(&bytes));
        drop(Content::of(zeroize::Zeroizing::new(bytes)));
        let xml = elements.concat();
        let cut = cut.index(xml.len());
        drop(sce::content(xml.get(..cut).unwrap_or_default().as_bytes()));
    }
}

#[test]
fn bounds() {
    let content = of(&"<fallback xmlns='urn:xmpp:fallback:0' for='urn:xmpp:reply:0'><body/></fallback>".repeat(50));
    assert_eq!(content.beside.run().windows(9).filter(|w| w == b"<fallback").count(), 1);
    let ranges = of(&format!("<fallback xmlns='urn:xmpp:fallback:0' for='urn:xmpp:reply:0'>{}</fallback>", "<body start='1'/>".repeat(50)));
    assert_eq!(ranges.beside.run().windows(5).filter(|w| w == b"<body").count(), 8);
    assert_eq!(of(&format!("<replace xmlns='urn:xmpp:message-correct:0' id='{}'/>", "i".repeat(3072))).beside, Beside::default());
    let reason = of(&format!("<opt-out xmlns='urn:xmpp:omemo:2'><reason>{}</reason></opt-out>", "\u{fc}".repeat(3000))).opt_out;
    assert_eq!(reason.unwrap().chars().count(), 2000);
}
