//! Our XML against the schemas of XEP-0384 (0.9.1 §"XML Schema", and 0.3.0's) and XEP-0420, written down here as tables: whatever we
//! write keeps to them, nothing more and nothing else; and what has the shape of the specifications' examples is read.
//!
//! No other implementation of omemo:2 with envelopes is to be had as a package, so this stands for one. python-omemo checks the parts
//! that it has, with its own schemas, in tests/wire/python.rs.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, clippy::arithmetic_side_effects)]
mod common;
#[path = "quirks/puppet.rs"]
mod puppet;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use common::*;
use puppet::*;
use rxml::{Event as Xml, Parse as _};
use std::collections::BTreeMap;
use subrosa_engine::{ChatId, ContentType, Headers, Input, Keep, Kind, Plaintext, Recipients, Request, Time};
use subrosa_omemo::wire::device_list::ListedDevice;
use subrosa_omemo::wire::encrypted::Builder;
use subrosa_omemo::wire::{NodeKind, Version, bundle, device_list, encrypted, sce};
use subrosa_ratchet::{Legacy, Omemo2};
use subrosa_testkit::Seeded;

/// An element as it stands.
#[derive(Debug, Default)]
struct Element {
    namespace: String,
    name: String,
    attributes: BTreeMap<String, String>,
    children: Vec<Element>,
    text: String,
}
/// The elements of a run.
fn read(xml: &[u8]) -> Vec<Element> {
    let mut parser = rxml::Parser::new();
    let mut open = vec![Element::default()];
    for chunk in [b"<r>".as_slice(), xml, b"</r>"] {
        let mut rest = chunk;
        while let Ok(Some(event)) = parser.parse(&mut rest, false) {
            match event {
                Xml::StartElement(_, (namespace, name), attributes) => {
                    let attributes = attributes.iter().map(|((namespace, name), value)| {
                        assert!(namespace.is_none(), "no attribute of theirs has a namespace");
                        (name.to_string(), value.clone())
                    });
                    let (namespace, name) = (namespace.as_str().to_owned(), name.to_string());
                    open.push(Element { namespace, name, attributes: attributes.collect(), ..Element::default() });
                }
                Xml::EndElement(_) => {
                    let done = open.pop().unwrap();
                    open.last_mut().expect("well-formed").children.push(done);
                }
                Xml::Text(_, text) => open.last_mut().unwrap().text += &text,
                Xml::XmlDeclaration(..) => panic!("no declaration in a stream"),
            }
        }
    }
    let [run] = <[Element; 1]>::try_from(std::mem::take(&mut open[0].children)).expect("well-formed");
    assert_eq!(open.len(), 1, "well-formed");
    run.children
}
fn one(xml: &[u8]) -> Element {
    let [element] = <[Element; 1]>::try_from(read(xml)).expect("one element");
    element
}

/// A simple type.
#[derive(Clone, Copy)]
enum Type {
    /// A number from 1 to 2³¹−1: what the text says, narrower than the schema's `unsignedInt`.
    Id,
    Boolean,
    Base64,
    String,
}
impl Type {
    fn allows(self, text: &str) -> bool {
        match self {
            Type::Id => text.parse::<u32>().is_ok_and(|id| (1..=0x7fff_ffff).contains(&id) && id.to_string() == text),
            Type::Boolean => matches!(text, "true" | "false" | "1" | "0"),
            Type::Base64 => STANDARD.decode(text).is_ok(),
            Type::String => true,
        }
    }
}
#[derive(Clone, Copy)]
enum Content {
    Nothing,
    Text(Type),
    /// Name, at least, at most, in this order (`xs:sequence`).
    Sequence(&'static [(&'static str, usize, usize)]),
    /// The same in any order (`xs:all`).
    All(&'static [(&'static str, usize, usize)]),
    /// Elements of other namespaces.
    Any,
}
use Content::{All, Any, Nothing, Sequence, Text};
const MANY: usize = usize::MAX;
/// Name; attributes, with whether they must be there; content.
type Row = (&'static str, &'static [(&'static str, Type, bool)], Content);
struct Schema {
    namespace: &'static str,
    rows: &'static [Row],
}
/// XEP-0384 0.9.1.
const OMEMO_2: Schema = Schema {
    namespace: "urn:xmpp:omemo:2",
    rows: &[
        ("encrypted", &[], All(&[("header", 1, 1), ("payload", 0, 1)])),
        ("payload", &[], Text(Type::Base64)),
        ("header", &[("sid", Type::Id, true)], Sequence(&[("keys", 1, MANY)])),
        ("keys", &[("jid", Type::String, true)], Sequence(&[("key", 1, MANY)])),
        ("key", &[("rid", Type::Id, true), ("kex", Type::Boolean, false)], Text(Type::Base64)),
        ("devices", &[], Sequence(&[("device", 0, MANY)])),
        ("device", &[("id", Type::Id, true), ("label", Type::String, false), ("labelsig", Type::Base64, false)], Nothing),
        ("bundle", &[], All(&[("spk", 1, 1), ("spks", 1, 1), ("ik", 1, 1), ("prekeys", 1, 1)])),
        ("spk", &[("id", Type::Id, true)], Text(Type::Base64)),
        ("spks", &[], Text(Type::Base64)),
        ("ik", &[], Text(Type::Base64)),
        ("prekeys", &[], Sequence(&[("pk", 1, MANY)])),
        ("pk", &[("id", Type::Id, true)], Text(Type::Base64)),
    ],
};
/// XEP-0384 0.3.0, whose schema is no XSD by its letter; and a list may be empty, as python-omemo's schema has it.
const LEGACY: Schema = Schema {
    namespace: "eu.siacs.conversations.axolotl",
    rows: &[
        ("encrypted", &[], Sequence(&[("header", 1, 1), ("payload", 0, 1)])),
        ("payload", &[], Text(Type::Base64)),
        ("header", &[("sid", Type::Id, true)], Sequence(&[("key", 1, MANY), ("iv", 1, 1)])),
        ("key", &[("rid", Type::Id, true), ("prekey", Type::Boolean, false)], Text(Type::Base64)),
        ("iv", &[], Text(Type::Base64)),
        ("list", &[], Sequence(&[("device", 0, MANY)])),
        ("device", &[("id", Type::Id, true)], Nothing),
        ("bundle", &[], Sequence(&[("signedPreKeyPublic", 1, 1), ("signedPreKeySignature", 1, 1), ("identityKey", 1, 1), ("prekeys", 1, 1)])),
        ("signedPreKeyPublic", &[("signedPreKeyId", Type::Id, true)], Text(Type::Base64)),
        ("signedPreKeySignature", &[], Text(Type::Base64)),
        ("identityKey", &[], Text(Type::Base64)),
        ("prekeys", &[], Sequence(&[("preKeyPublic", 1, MANY)])),
        ("preKeyPublic", &[("preKeyId", Type::Id, true)], Text(Type::Base64)),
    ],
};
/// XEP-0420 0.5.0.
const SCE: Schema = Schema {
    namespace: "urn:xmpp:sce:1",
    rows: &[
        ("envelope", &[], All(&[("content", 1, 1), ("rpad", 0, 1), ("time", 0, 1), ("to", 0, 1), ("from", 0, 1)])),
        ("content", &[], Any),
        ("rpad", &[], Text(Type::String)),
        ("time", &[("stamp", Type::String, true)], Nothing),
        ("to", &[("jid", Type::String, true)], Nothing),
        ("from", &[("jid", Type::String, true)], Nothing),
    ],
};
/// What may stand beside `<encrypted>`: XEP-0380, without `name` for what it lists (§4), XEP-0334, and the fallback of legacy.
const EME: Schema = Schema { namespace: "urn:xmpp:eme:0", rows: &[("encryption", &[("namespace", Type::String, true)], Nothing)] };
const HINTS: Schema = Schema { namespace: "urn:xmpp:hints", rows: &[("store", &[], Nothing)] };
const CLIENT: Schema = Schema { namespace: "jabber:client", rows: &[("body", &[], Text(Type::String))] };

fn of(version: Version) -> &'static Schema {
    if version == Version::Omemo2 { &OMEMO_2 } else { &LEGACY }
}
/// Whether an element keeps to it; else where it does not.
fn check(schema: &Schema, element: &Element) -> Result<(), String> {
    let wrong = |what: &str| Err(format!("<{}>: {what}", element.name));
    if element.namespace != schema.namespace {
        return wrong(&format!("in {}", element.namespace));
    }
    let Some((_, attributes, content)) = schema.rows.iter().find(|row| row.0 == element.name) else { return wrong("unknown") };
    for (name, value) in &element.attributes {
        match attributes.iter().find(|a| a.0 == name) {
            None => return wrong(&format!("attribute {name}")),
            Some((_, of, _)) if !of.allows(value) => return wrong(&format!("{name}='{value}'")),
            Some(_) => {}
        }
    }
    if let Some(missing) = attributes.iter().find(|a| a.2 && !element.attributes.contains_key(a.0)) {
        return wrong(&format!("no {}", missing.0));
    }
    let names: Vec<&str> = element.children.iter().map(|c| c.name.as_str()).collect();
    let counted = |allowed: &[(&str, usize, usize)]| {
        allowed.iter().all(|(name, least, most)| (*least..=*most).contains(&names.iter().filter(|n| *n == name).count()))
            && names.iter().all(|name| allowed.iter().any(|a| a.0 == *name))
    };
    let place = |allowed: &[(&str, usize, usize)], name: &str| allowed.iter().position(|a| a.0 == name);
    let fits = match content {
        Any => return if element.text.is_empty() { Ok(()) } else { wrong("text") },
        Nothing => names.is_empty() && element.text.is_empty(),
        Text(of) => names.is_empty() && of.allows(&element.text),
        All(allowed) => counted(allowed) && element.text.is_empty(),
        Sequence(allowed) => counted(allowed) && element.text.is_empty() && names.is_sorted_by_key(|name| place(allowed, name)),
    };
    if fits { element.children.iter().try_for_each(|child| check(schema, child)) } else { wrong(&format!("content {names:?}")) }
}
fn keeps_to(schema: &Schema, xml: &[u8]) {
    if let Err(why) = check(schema, &one(xml)) {
        panic!("{why}\n{}", String::from_utf8_lossy(xml));
    }
}
/// The children of a `<message>` of ours.
fn check_message(body: &[u8]) -> Version {
    let run = read(body);
    let ours: Vec<&Element> = run.iter().filter(|e| e.name == "encrypted").collect();
    let [ours] = ours[..] else { panic!("one <encrypted>, because some refuse two: {}", String::from_utf8_lossy(body)) };
    let version = Version::from_namespace(&ours.namespace).unwrap();
    check(of(version), ours).unwrap();
    let payload = ours.children.iter().any(|c| c.name == "payload");
    let mut beside: Vec<&str> = Vec::new();
    for element in run.iter().filter(|e| e.name != "encrypted") {
        let schema = [EME, HINTS, CLIENT].into_iter().find(|s| s.namespace == element.namespace).expect("one of those three");
        check(&schema, element).unwrap();
        beside.push(&element.name);
        if element.name == "encryption" {
            assert_eq!(element.attributes["namespace"], version.namespace());
        }
    }
    // XEP-0420 §7: EME and a hint; the fallback is legacy's, and beside words only
    let expected: &[&str] = match (version, payload) {
        (_, false) => &["store"],
        (Version::Omemo2, true) => &["encryption", "store"],
        (Version::Legacy, true) => &["encryption", "store", "body"],
    };
    assert_eq!(beside, expected);
    version
}

/// Two people in each version, with several devices, empty messages and heartbeats; joining, rotating, leaving: all that reaches the
/// server keeps to the schemas.
#[test]
fn all_that_leaves_keeps_to_the_schema() {
    let (mut stanzas, mut published) = ([0; 2], [0; 2]);
    for old in [false, true] {
        let mut world = World::new(1);
        if old {
            legacy_only(&mut world);
        }
        let phone = world.join(ALICE, omemo);
        world.run();
        let laptop = world.join(ALICE, omemo);
        let bob = world.join("o'bob@example.org", omemo);
        world.run();
        for n in 0..60 {
            world.send(laptop, "o'bob@example.org", &format!("<{n}> & 'so' \"on\" \u{1f339}"));
        }
        world.run();
        world.send(bob, ALICE, "");
        world.send(phone, "o'bob@example.org", "x");
        world.run_for(15 * 24 * 60 * 60_000);
        let engine = *world.client(laptop).handle();
        world.call(laptop, engine, |o, cx| o.unpublish(cx)).unwrap();
        world.run();
        for stanza in world.stanzas() {
            stanzas[usize::from(check_message(&stanza.body) == Version::Legacy)] += 1;
        }
        for (_, request) in world.server.requests() {
            let Request::Publish { node, keep, payload } = request else { continue };
            let Some(NodeKind::DeviceList(version) | NodeKind::Bundle { version, .. }) = Version::of_node(&node.name) else { panic!("{node:?}") };
            keeps_to(of(version), payload);
            // XEP-0384 §5.3.1, §5.3.2: items are named, and the bundles of omemo:2 are many on one node
            let is_list = node.name == version.device_list_node();
            let item = node.item.as_deref().expect("a named item");
            assert_eq!(item == "current", is_list || version == Version::Legacy);
            assert_eq!(*keep, if !is_list && version == Version::Omemo2 { Keep::Many } else { Keep::One });
            published[usize::from(version == Version::Legacy)] += 1;
        }
    }
    assert!(stanzas.iter().all(|n| *n > 60) && published.iter().all(|n| *n >= 12), "{stanzas:?} {published:?}");
}
/// The envelope inside of what leaves: schema, order of nothing, one body in its own namespace, a time of XEP-0082, bare addresses.
#[test]
fn our_envelope_keeps_to_the_schema() {
    let (mut world, alice, mut bob) = meet::<Omemo2>(2);
    for text in ["", "x", "<&>'\" \n\t\u{1f339}", &"long ".repeat(1000)] {
        world.send(alice, BOB, text);
        world.run();
        let plain = bob.hear(&world).pop().unwrap().plain.unwrap();
        keeps_to(&SCE, &plain);
        let envelope = one(&plain);
        let child = |name: &str| envelope.children.iter().find(|c| c.name == name).unwrap();
        let [body] = child("content").children.as_slice() else { panic!("{envelope:?}") };
        check(&CLIENT, body).unwrap();
        assert_eq!((body.text.as_str(), child("from").attributes["jid"].as_str(), child("to").attributes["jid"].as_str()), (text, ALICE, BOB));
        let stamp = &child("time").attributes["stamp"];
        assert!(stamp.starts_with("2023-11-14T") && stamp.ends_with('Z'), "{stamp}");
        // padded to a least size, and then by 0 to 200 more
        let (size, pad) = (xml_size(&plain, "content"), child("rpad").text.chars().count());
        assert!((256..=456).contains(&(size + pad)) || (size > 256 && pad <= 200), "{size} + {pad}");
    }
    // whatever else is said: elements, each in its own namespace, and around them the same; in the stanza nothing more than before
    for (kind, content) in [
        (Kind::Text, "<body>x</body><reply xmlns='urn:xmpp:reply:0' id='1'/><request xmlns='urn:xmpp:receipts'/>"),
        (Kind::Other, "<reactions xmlns='urn:xmpp:reactions:0' id='1'><reaction>!</reaction></reactions>"),
        (Kind::Receipt, "<displayed xmlns='urn:xmpp:chat-markers:0' id='1'/>"),
        (Kind::Other, "<move xmlns='urn:example:chess'>e4</move>"),
    ] {
        let (to, plain) = (Recipients::People(vec![BOB.into()]), Plaintext::new(ContentType::STANZA, content));
        world.feed(alice, Input::Send { id: content.into(), chat: ChatId(BOB.into()), to, kind, plain, headers: Headers::default() });
        world.run();
        let heard = bob.hear(&world).pop().unwrap();
        check_message(&heard.stanza.body);
        let plain = heard.plain.unwrap();
        keeps_to(&SCE, &plain);
        let envelope = one(&plain);
        let inside = &envelope.children.iter().find(|c| c.name == "content").unwrap().children;
        assert!(!inside.is_empty() && inside.iter().all(|e| e.namespace != SCE.namespace), "{inside:?}");
    }
}
fn xml_size(xml: &[u8], element: &str) -> usize {
    let xml = std::str::from_utf8(xml).unwrap();
    let inside = xml.split_once(&format!("<{element}>")).unwrap().1.split_once(&format!("</{element}>")).unwrap().0;
    inside.len()
}
/// Lists with signed labels, of others too, stay what they were.
#[test]
fn our_lists_keep_to_the_schema() {
    let labelled = ListedDevice { id: 7, label: Some("<Telefon> & 'so'".into()), labelsig: Some(base64(&[7; 64])) };
    for version in Version::ALL {
        for list in [vec![], vec![ListedDevice::new(1), labelled.clone(), ListedDevice::new(0x7fff_ffff)]] {
            keeps_to(of(version), &device_list::write(version, &list));
        }
    }
    // a signature never stands without its label, a label never in legacy
    let unlabelled = ListedDevice { label: None, ..labelled };
    assert!(!String::from_utf8(device_list::write(Version::Omemo2, &[unlabelled])).unwrap().contains("labelsig"));
}
/// The check itself: what is wrong in one place is found.
#[test]
fn the_check_finds_what_is_wrong() {
    let mut builder = Builder::omemo2(1, 1);
    builder.recipient(ALICE);
    builder.key(2, true, b"\x08a");
    let good = String::from_utf8(builder.element(Some(b"xyz"))).unwrap();
    check(&OMEMO_2, &one(good.as_bytes())).unwrap();
    for (from, to) in [
        ("sid='1'", "sid='0'"),
        ("sid='1'", "sid='2147483648'"),
        ("sid='1'", ""),
        ("sid='1'", "sid='1' x='y'"),
        (" jid='alice@example.org'", ""),
        ("kex='true'", "prekey='true'"),
        ("kex='true'", "kex='yes'"),
        ("<payload>eHl6", "<payload>eHl!"),
        ("<payload>", "<payload xmlns='urn:other'>"),
        ("</header>", "</header><iv/>"),
        ("</header>", "</header>text"),
        ("</encrypted>", "<payload/></encrypted>"),
        ("<key rid='2' kex='true'>CGE=</key>", ""),
    ] {
        let bad = good.replace(from, to);
        assert!(bad != good && check(&OMEMO_2, &one(bad.as_bytes())).is_err(), "{bad}");
    }
    let legacy = "<encrypted xmlns='eu.siacs.conversations.axolotl'><header sid='1'><iv/><key rid='2'/></header></encrypted>";
    assert!(check(&LEGACY, &one(legacy.as_bytes())).is_err(), "the order");
    let envelope = "<envelope xmlns='urn:xmpp:sce:1'><rpad/><content/></envelope>";
    check(&SCE, &one(envelope.as_bytes())).unwrap();
    for (from, to) in
        [("<content/>", ""), ("<rpad/>", "<rpad/><rpad/>"), ("<rpad/>", "<from/>"), ("<rpad/>", "<hash/>"), ("<content/>", "<content>x</content>")]
    {
        assert!(check(&SCE, &one(envelope.replace(from, to).as_bytes())).is_err(), "{to}");
    }
}

/// The shapes of XEP-0384's examples: indented, commented nowhere, base64 over lines.
#[test]
fn examples_of_omemo_2_are_read() {
    let list =
        "<devices xmlns='urn:xmpp:omemo:2'>\n  <device id='12345' />\n  <device id='4223' label='Gajim on &amp; off' labelsig='AAAA' />\n</devices>";
    let read = device_list::parse(Version::Omemo2, list.as_bytes()).unwrap();
    let labelled = ListedDevice { id: 4223, label: Some("Gajim on & off".into()), labelsig: Some("AAAA".into()) };
    assert_eq!(read, [ListedDevice::new(12345), labelled]);
    assert_eq!(device_list::parse(Version::Omemo2, b"<devices xmlns='urn:xmpp:omemo:2'/>"), Ok(vec![]), "empty since 0.9.0");

    let key = |n: u8| base64(&[n; 32]);
    let xml = format!(
        "<bundle xmlns='urn:xmpp:omemo:2'>\n <spk id='1'>{}</spk>\n <spks>{}</spks>\n <ik>\n{}\n</ik>\n <prekeys>\n  <pk id='1'>{}</pk>\n  <pk id='100'>{}</pk>\n </prekeys>\n</bundle>",
        key(1),
        base64(&[2; 64]),
        key(3),
        key(4),
        key(5)
    );
    let read = bundle::parse(Version::Omemo2, xml.as_bytes()).unwrap();
    assert_eq!((read.signed_prekey_id, read.signed_prekey, read.signature, read.identity_key), (1, [1; 32], [2; 64], [3; 32]));
    assert_eq!(read.prekeys, [(1, [4; 32]), (100, [5; 32])]);

    let xml = format!(
        "<encrypted xmlns='urn:xmpp:omemo:2'>\n <header sid='27183'>\n  <keys jid='juliet@capulet.example'>\n   <key rid='31415'>{}</key>\n  </keys>\n\
         <keys jid='romeo@montague.example'>\n <key rid='1337'>{}</key>\n <key kex='true' rid='12321'>{}</key>\n </keys>\n </header>\n\
         <payload>\n      AAEC\n      AwQF\n  </payload>\n</encrypted>\n<store xmlns='urn:xmpp:hints'/>",
        base64(b"\x0aone"),
        base64(b"\x0atwo"),
        base64(b"\x08three")
    );
    for (jid, rid, kex, data) in [
        ("juliet@capulet.example", 31415, false, b"\x0aone".as_slice()),
        ("romeo@montague.example", 1337, false, b"\x0atwo"),
        ("romeo@montague.example", 12321, true, b"\x08three"),
    ] {
        let read = encrypted::parse(xml.as_bytes(), jid, rid).unwrap().encrypted.unwrap();
        assert_eq!((read.sid, read.others, read.payload), (27183, 2, Some(vec![0, 1, 2, 3, 4, 5])));
        assert_eq!((read.keys[0].kex, read.keys[0].data.as_slice()), (kex, data));
    }
    // a key of our number for another person is not ours
    assert!(encrypted::parse(xml.as_bytes(), "juliet@capulet.example", 1337).unwrap().encrypted.unwrap().keys.is_empty());
    // an empty message: a header only
    let empty = xml.split("<payload>").next().unwrap().to_owned() + "</encrypted>";
    let read = encrypted::parse(empty.as_bytes(), "juliet@capulet.example", 31415).unwrap().encrypted.unwrap();
    assert_eq!((read.payload, read.keys.len()), (None, 1));
}
/// The shapes of 0.3.0's examples.
#[test]
fn examples_of_legacy_are_read() {
    let list = "<list xmlns='eu.siacs.conversations.axolotl'>\n <device id='12345' />\n <device id='4223' />\n</list>";
    assert_eq!(device_list::parse(Version::Legacy, list.as_bytes()).unwrap(), [12345, 4223].map(ListedDevice::new));
    let typed = |n: u8| base64(&[[5].as_slice(), &[n; 32]].concat());
    let xml = format!(
        "<bundle xmlns='eu.siacs.conversations.axolotl'>\n <signedPreKeyPublic signedPreKeyId='1'>\n {}\n </signedPreKeyPublic>\n\
         <signedPreKeySignature>\n {}\n </signedPreKeySignature>\n <identityKey>\n {}\n </identityKey>\n <prekeys>\n\
         <preKeyPublic preKeyId='1'>\n {}\n </preKeyPublic>\n <preKeyPublic preKeyId='2'>{}</preKeyPublic>\n </prekeys>\n</bundle>",
        typed(1),
        base64(&[2; 64]),
        typed(3),
        typed(4),
        typed(5)
    );
    let read = bundle::parse(Version::Legacy, xml.as_bytes()).unwrap();
    assert_eq!((read.signed_prekey_id, read.signed_prekey, read.identity_key), (1, [1; 32], [3; 32]));
    assert_eq!(read.prekeys, [(1, [4; 32]), (2, [5; 32])]);
    for payload in ["<payload>AAEC</payload>", ""] {
        let xml = format!(
            "<encrypted xmlns='eu.siacs.conversations.axolotl'>\n <header sid='27183'>\n <key rid='31415'>MwA=</key>\n\
             <key prekey=\"true\" rid='12321'>MwE=</key>\n <iv>AAAAAAAAAAAAAAAA</iv>\n </header>\n {payload}\n</encrypted>\n<store xmlns='urn:xmpp:hints'/>"
        );
        for (rid, kex, data) in [(31415, false, [0x33, 0]), (12321, true, [0x33, 1])] {
            let read = encrypted::parse(xml.as_bytes(), "anybody", rid).unwrap().encrypted.unwrap();
            assert_eq!((read.sid, read.iv, read.payload.is_some()), (27183, Some(vec![0; 12]), !payload.is_empty()));
            assert_eq!((read.keys[0].kex, read.keys[0].data.as_slice()), (kex, data.as_slice()));
        }
    }
}
/// The shapes of XEP-0420's examples, and the opt-out of XEP-0384 §5.7.
#[test]
fn examples_of_envelopes_are_read() {
    let read = |xml: &str| sce::parse(xml.as_bytes()).unwrap();
    let text = |content: &[u8]| String::from_utf8(content.to_vec()).unwrap();
    let envelope = read(
        "<envelope xmlns='urn:xmpp:sce:1'>\n <content>\n <body xmlns='jabber:client'>\n Hello World!\n </body>\n </content>\n\
         <rpad>C1DHN9HK-9A25tSmwK4hU!Jji9%GKYK^syIlHJT9TnI4</rpad>\n <from jid='romeo@montague.example'/>\n</envelope>",
    );
    assert_eq!((envelope.from.as_deref(), envelope.to, envelope.time, envelope.padded), (Some("romeo@montague.example"), None, None, true));
    assert_eq!(sce::body(&envelope.content).unwrap().unwrap().trim(), "Hello World!");
    let two = read(
        "<envelope xmlns='urn:xmpp:sce:1'><content><body xmlns='jabber:client'>[...]</body>\
         <x xmlns='jabber:x:oob'><url>https://example.org/page#part</url></x></content></envelope>",
    );
    let kept = "<body xmlns='jabber:client'>[...]</body><x xmlns='jabber:x:oob'><url>https://example.org/page#part</url></x>";
    assert_eq!((text(&two.content).as_str(), two.padded), (kept, false));
    let affixes = read(
        "<envelope xmlns='urn:xmpp:sce:1'><content/><time stamp='2004-01-25T06:05:00+01:00'/><to jid='mission@control.example'/>\
         <from jid='opportunity@mars.example'/></envelope>",
    );
    assert_eq!(affixes.time, Some(Time(1_075_007_100_000)), "an offset, not Z only");
    assert_eq!((affixes.to.as_deref(), affixes.from.as_deref()), (Some("mission@control.example"), Some("opportunity@mars.example")));
    let iq = read(
        "<envelope xmlns='urn:xmpp:sce:1'><content><data xmlns='urn:xmpp:bob' cid='sha1+8f35@bob.xmpp.org' max-age='86400' type='image/png'>\n iVBORw0K\n</data>\
         </content><from jid='doctor@shakespeare.example/pda'/><to jid='lady@shakespeare.example/castle'/></envelope>",
    );
    assert!(text(&iq.content).starts_with("<data xmlns='urn:xmpp:bob' ") && iq.from.as_deref() == Some("doctor@shakespeare.example/pda"));
    let opt_out = read(
        "<envelope xmlns='urn:xmpp:sce:1'><content><opt-out xmlns='urn:xmpp:omemo:2'><reason>A record is wanted.</reason></opt-out></content></envelope>",
    );
    assert_eq!(text(&opt_out.content), "<opt-out xmlns='urn:xmpp:omemo:2'><reason>A record is wanted.</reason></opt-out>");
    // what we write is read by ourselves too, in the end
    let ours = sce::write(&sce::Outgoing { content: &opt_out.content, from: "a@b", to: None, time: Time(0) }, &mut Seeded::new(1));
    keeps_to(&SCE, &ours);
    assert_eq!(*read(std::str::from_utf8(&ours).unwrap()).content, *opt_out.content);
}
/// Bytes inside: bare 32-byte keys and an Ed25519 identity in omemo:2 (§4.2, §5.3.2), typed Montgomery keys in legacy; one
/// fingerprint; a signature over what each version writes.
#[test]
fn keys_in_bundles_have_the_form_of_their_version() {
    let (mut world, alice, bob) = meet::<Legacy>(3);
    let fingerprint = key(&mut world, alice).0;
    let id = number(&bob.alice);
    for version in Version::ALL {
        let node = world.server.node(&ALICE.into(), &version.bundle_node(id)).unwrap();
        let root = one(&node.items[0].payload);
        let names = if version == Version::Omemo2 { ["spk", "spks", "ik"] } else { ["signedPreKeyPublic", "signedPreKeySignature", "identityKey"] };
        let [signed, signature, identity] = names.map(|name| STANDARD.decode(&root.children.iter().find(|c| c.name == name).unwrap().text).unwrap());
        let (first, length) = if version == Version::Omemo2 { (None, 32) } else { (Some(5), 33) };
        for key in root
            .children
            .iter()
            .find(|c| c.name == "prekeys")
            .unwrap()
            .children
            .iter()
            .map(|c| STANDARD.decode(&c.text).unwrap())
            .chain([signed.clone(), identity.clone()])
        {
            assert_eq!(key.len(), length);
            assert!(first.is_none_or(|first| key[0] == first));
        }
        let ed25519 = match version {
            Version::Omemo2 => curve25519_dalek::edwards::CompressedEdwardsY(identity.clone().try_into().unwrap()).decompress().unwrap(),
            Version::Legacy => curve25519_dalek::MontgomeryPoint(identity[1..].try_into().unwrap()).to_edwards(0).unwrap(),
        };
        assert_eq!(ed25519.to_montgomery().0, fingerprint);
        let verifying = ed25519_dalek::VerifyingKey::from(ed25519);
        let signature = ed25519_dalek::Signature::from_bytes(&signature.try_into().unwrap());
        verifying.verify_strict(&signed, &signature).expect("over 32 bytes, over 33");
    }
}
