#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]
use super::*;
use crate::xml::{MAX_STANZA, StanzaError};
use subrosa_engine::{Part, Recipients, Wire};

const NOW: Time = Time(1_700_000_000_000);
fn mapping() -> Mapping {
    let mut mapping = Mapping::new("alice@x.org".into(), ["urn:n".to_owned()], "s");
    mapping.bound("alice@x.org/here");
    mapping
}
fn stanza(xml: &str) -> Element {
    xml::parse_run(xml.as_bytes()).unwrap().remove(0)
}
fn one(xml: &str) -> Option<(String, String, String, u64, Kind, String)> {
    let mut mapped = mapping().message(&stanza(xml), NOW);
    assert!(mapped.inputs.len() <= 1 && mapped.bounce.is_none());
    let Some(Input::Receive { id, chat, from, sent, kind, body, .. }) = mapped.inputs.pop() else { return None };
    Some((id.to_string(), chat.0.to_string(), from.to_string(), sent.0, kind, String::from_utf8(body).unwrap()))
}

#[test]
fn a_message_is_its_payload_without_the_transports_own() {
    let got = one("<message from='Bob@x.org/a' to='alice@x.org/here' id='7' type='chat'><body>hi</body>\
        <delay xmlns='urn:xmpp:delay' from='x.org' stamp='2023-11-14T22:13:20.5Z'/><stanza-id xmlns='urn:xmpp:sid:0' id='1' by='alice@x.org'/>\
        <origin-id xmlns='urn:xmpp:sid:0' id='7'/><encrypted xmlns='urn:e'><k/></encrypted></message>")
    .unwrap();
    // a second copy that waited at the server has another stamp, and is the same
    let body = got.5.replace('"', "'");
    assert_eq!(body, "<body xmlns='jabber:client'>hi</body><encrypted xmlns='urn:e'><k/></encrypted>");
    let (id, bob) = ("7".to_owned(), "bob@x.org".to_owned());
    assert_eq!((got.0, got.1, got.2, got.3, got.4), (id, bob.clone(), bob, 1_700_000_000_500, Kind::Text));
}
/// A stamp of their own, or without a name, is there to be compared with what is encrypted.
#[test]
fn who_writes_does_not_date_their_message() {
    let waited = "<message from='bob@x.org/a' to='alice@x.org/here' id='7' type='chat'><body>hi</body><delay xmlns='urn:xmpp:delay' stamp='2023-11-14T22:13:20Z'/></message>";
    assert!(one(waited).unwrap().5.contains("2023-11-14T22:13:20Z"));
    let from = |stamps: &str| {
        one(&format!("<message from='eve@x.org/a' to='alice@x.org/here' id='7' type='chat'><body>hi</body>{stamps}</message>")).unwrap().3
    };
    let delay = |from: &str, year: &str| format!("<delay xmlns='urn:xmpp:delay' {from} stamp='{year}-01-01T00:00:00Z'/>");
    for by in ["from='eve@x.org'", "from='eve@x.org/alice@x.org'", "from='y.org'", "from='x.org.evil.lit'", "from=''", ""] {
        assert_eq!(from(&delay(by, "2001")), NOW.0, "{by}");
    }
    // ours kept it, and says so after whoever wrote its name first
    assert_eq!(from(&delay("from='x.org'", "2001")), 978_307_200_000);
    assert_eq!(from(&delay("from='alice@x.org'", "2001")), 978_307_200_000);
    assert_eq!(from(&[delay("from='x.org'", "1999"), delay("from='x.org'", "2001"), delay("", "1998")].concat()), 978_307_200_000);
}

#[test]
fn copies_come_from_the_own_bare_address_only() {
    let inner = |from: &str, to: &str| format!("<message xmlns='jabber:client' from='{from}' to='{to}' id='i' type='chat'><body>x</body></message>");
    let copy = |by: &str, kind: &str, inner: &str| {
        format!(
            "<message from='{by}'><{kind} xmlns='urn:xmpp:carbons:2'><forwarded xmlns='urn:xmpp:forward:0'>\
             <delay xmlns='urn:xmpp:delay' stamp='2023-11-14T22:13:20Z'/>{inner}</forwarded></{kind}></message>"
        )
    };
    let sent = inner("alice@x.org/other", "bob@x.org");
    let received = inner("bob@x.org/b", "alice@x.org/other");
    let got = one(&copy("alice@x.org", "sent", &sent)).unwrap();
    assert_eq!((got.1.as_str(), got.2.as_str(), got.3), ("bob@x.org", "alice@x.org", 1_700_000_000_000));
    let got = one(&copy("alice@x.org", "received", &received)).unwrap();
    assert_eq!((got.1.as_str(), got.2.as_str()), ("bob@x.org", "bob@x.org"));
    // forged: by others, by a resource of ours, about others, the wrong way round, our own echo, nested
    assert!(one(&copy("eve@x.org", "sent", &sent)).is_none());
    assert!(one(&copy("eve@x.org/alice@x.org", "sent", &sent)).is_none());
    assert!(one(&copy("alice@x.org/other", "sent", &sent)).is_none());
    assert!(one(&copy("alice@x.org", "sent", &received)).is_none());
    assert!(one(&copy("alice@x.org", "received", &inner("bob@x.org", "carol@x.org"))).is_none());
    assert!(one(&copy("alice@x.org", "sent", &inner("alice@x.org/here", "bob@x.org"))).is_none());
    assert!(one(&copy("alice@x.org", "sent", &copy("alice@x.org", "sent", &sent))).is_none());
}

#[test]
fn what_the_account_writes_to_itself_comes_once() {
    let mut mapping = mapping();
    let note = |id: &str, from: &str| {
        format!("<message xmlns='jabber:client' from='{from}' to='alice@x.org' id='{id}' type='chat'><body>x</body></message>")
    };
    let copy = |kind: &str, inner: &str| {
        format!(
            "<message from='alice@x.org'><{kind} xmlns='urn:xmpp:carbons:2'><forwarded xmlns='urn:xmpp:forward:0'>{inner}</forwarded></{kind}></message>"
        )
    };
    let mut count = |xml: &str| mapping.message(&stanza(xml), NOW).inputs.len();
    let other = note("1", "alice@x.org/other");
    assert_eq!([count(&other), count(&copy("sent", &other)), count(&copy("received", &other))], [1, 0, 0]);
    let other = note("2", "alice@x.org/other");
    assert_eq!([count(&copy("sent", &other)), count(&other)], [1, 0]);
    let here = note("3", "alice@x.org/here");
    assert_eq!([count(&here), count(&copy("sent", &here)), count(&copy("received", &here))], [0, 0, 0]);
    // others' ids are their own
    let bob = "<message from='bob@x.org/b' id='1' type='chat'><body>x</body></message>";
    assert_eq!([count(bob), count(bob)], [1, 1]);
}

#[test]
fn kinds_are_told_apart() {
    let of = |xml: &str| one(&format!("<message from='bob@x.org/b' id='1'>{xml}</message>")).map(|m| m.4);
    let state = "<composing xmlns='http://jabber.org/protocol/chatstates'/>";
    let store = "<no-store xmlns='urn:xmpp:hints'/>";
    assert_eq!(of(&format!("{state}{store}")), Some(Kind::Typing));
    assert_eq!(of(&format!("<received xmlns='urn:xmpp:receipts' id='1'/>{store}")), Some(Kind::Receipt));
    assert_eq!(of("<displayed xmlns='urn:xmpp:chat-markers:0' id='1'/>"), Some(Kind::Receipt));
    assert_eq!(of(&format!("{state}<body>x</body><request xmlns='urn:xmpp:receipts'/>")), Some(Kind::Text));
    assert_eq!(of("<encrypted xmlns='any'/>"), Some(Kind::Text));
    assert_eq!(of("<propose xmlns='urn:xmpp:jingle-message:0'/>"), Some(Kind::Other));
    assert_eq!(of(""), None);
    assert_eq!(of(store), None);
    assert_eq!(of("<received xmlns='urn:xmpp:carbons:2'/>"), None);
}

#[test]
fn rooms_headlines_and_nonsense_are_left() {
    for kind in ["groupchat", "headline", "nonsense"] {
        assert!(one(&format!("<message from='bob@x.org' type='{kind}'><body>x</body></message>")).is_none());
    }
    assert!(one("<message from='a@b@c'><body>x</body></message>").is_none());
    assert!(one("<message from='alice@x.org/here'><body>our echo</body></message>").is_none());
}

#[test]
fn messages_without_a_usable_id_get_one() {
    let mut mapping = mapping();
    let mut id = |xml: &str| match mapping.message(&stanza(xml), NOW).inputs.pop() {
        Some(Input::Receive { id, .. }) => id,
        other => panic!("{other:?}"),
    };
    let (a, b) = (id("<message from='b@x'><body>1</body></message>"), id("<message from='b@x' id=''><body>1</body></message>"));
    let long = id(&format!("<message from='b@x' id='{}'><body>1</body></message>", "x".repeat(MAX_ID + 1)));
    assert!(a != b && b != long && long.as_str().len() < MAX_ID);
}

#[test]
fn publications_of_wanted_nodes_from_bare_addresses() {
    let event = |from: &str, inner: &str| {
        let xml = format!(
            "<message from='{from}' type='headline'><event xmlns='http://jabber.org/protocol/pubsub#event'>{inner}</event><body>no</body></message>"
        );
        let inputs = mapping().message(&stanza(&xml), NOW).inputs;
        inputs
            .into_iter()
            .map(|input| match input {
                Input::Published(node, payload) => {
                    (node.owner.to_string(), node.item, payload.map(|p| String::from_utf8(p).unwrap().contains("urn:p")))
                }
                other => panic!("{other:?}"),
            })
            .collect::<Vec<_>>()
    };
    let items = "<items node='urn:n'><item id='current'><list xmlns='urn:p'/></item><retract id='old'/><item id='empty'/></items>";
    let bob = |item: Option<&str>, payload| ("bob@x.org".to_owned(), item.map(str::to_owned), payload);
    assert_eq!(event("bob@x.org", items), [bob(Some("current"), Some(true)), bob(Some("old"), None)]);
    assert_eq!(event("bob@x.org", "<purge node='urn:n'/><delete node='urn:n'/>"), [bob(None, None), bob(None, None)]);
    assert!(event("bob@x.org/b", items).is_empty());
    assert!(event("bob@x.org", &items.replace("urn:n", "urn:other")).is_empty());
}

#[test]
fn what_bounced_is_told_and_is_no_message() {
    let xml = "<message from='bob@x.org' id='m1' type='error'><body>mine</body><error type='cancel'>\
        <text xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'>no</text><service-unavailable xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></message>";
    let mapped = mapping().message(&stanza(xml), NOW);
    assert!(mapped.inputs.is_empty());
    assert_eq!(mapped.bounce, Some(Bounce { id: "m1".into(), from: "bob@x.org".into(), condition: "service-unavailable".into(), refused: None }));
}

#[test]
fn a_stanza_is_the_same_whenever_it_is_asked_for() {
    let part = |content_type, body: &[u8]| Wire::Encrypted(Part { content_type, body: body.to_vec() });
    let to = Recipients::People(vec!["bob@x.org".into()]);
    let chat = ChatId("bob@x.org".into());
    let wire = part(ContentType::STANZA, b"<e xmlns='urn:e'>x</e><body>fallback</body>");
    let write = |part| xml::to_bytes(&mapping().transmit(&"m".into(), part, &chat, &to, Kind::Text, &wire).unwrap()).unwrap();
    assert_eq!(write(0), write(0));
    let element = stanza(std::str::from_utf8(&write(1)).unwrap());
    assert_eq!((element.attr("to"), element.attr("id"), element.attr("type")), (Some("bob@x.org"), Some("m.1"), Some("chat")));
    let names: Vec<_> = element.children().map(|c| (c.name(), c.ns())).collect();
    assert_eq!(names, [("e", "urn:e".into()), ("body", ns::CLIENT.into()), ("origin-id", ns::SID.into())]);

    let error = |wire: &Wire| mapping().transmit(&"m".into(), 0, &chat, &to, Kind::Text, wire).unwrap_err();
    assert_eq!(error(&part(ContentType::STANZA, b"<e>")), StanzaError::NotXml);
    assert_eq!(error(&part(ContentType("image".into()), b"x")), StanzaError::ContentType);
    assert_eq!(error(&part(ContentType::TEXT, &vec![b'x'; MAX_STANZA])), StanzaError::TooLarge);
    assert_eq!(error(&part(ContentType::TEXT, &vec![b'x'; MAX_STANZA / 4 * 3])), StanzaError::TooLarge);
}

const MADE: &str = "<engine xmlns='urn:subrosa:engine:0' type='cipher/xor'>AQI=</engine>";
fn came(mapping: &mut Mapping, payload: &str) -> Mapped {
    mapping.message(&stanza(&format!("<message from='bob@x.org/b' id='1' type='chat'>{payload}</message>")), NOW)
}

#[test]
fn what_an_engine_made_travels_in_one_element() {
    let to = Recipients::People(vec!["alice@x.org".into()]);
    let wire = Wire::Encrypted(Part { content_type: ContentType("cipher/xor".into()), body: vec![0, 1, 255] });
    let sent = Mapping::new("bob@x.org".into(), [], "s").transmit(&"1".into(), 0, &ChatId("alice@x.org".into()), &to, Kind::Typing, &wire);
    let mut sent = sent.unwrap();
    xml::set(&mut sent, "from", "bob@x.org/b");
    let mut mapped = mapping().with_engines().message(&sent, NOW);
    let Some(Input::Receive { kind, content_type, body, .. }) = mapped.inputs.pop() else { panic!("{mapped:?}") };
    assert_eq!((kind, &*content_type.0, body.as_slice()), (Kind::Typing, "cipher/xor", &[0, 1, 255][..]));
    // the fallback is nothing to an engine
    let mut mapped = came(&mut mapping().with_engines(), &format!("<body>no</body>{MADE}<active xmlns='http://jabber.org/protocol/chatstates'/>"));
    assert!(matches!(mapped.inputs.pop(), Some(Input::Receive { kind: Kind::Text, body, .. }) if body == [1, 2]));
}

#[test]
fn without_engines_an_element_of_theirs_is_one_like_any_other() {
    let mut mapped = came(&mut mapping(), MADE);
    let Some(Input::Receive { content_type, body, .. }) = mapped.inputs.pop() else { panic!("{mapped:?}") };
    assert!(content_type == ContentType::STANZA && body.starts_with(b"<engine"));
    assert!(came(&mut mapping(), "<engine xmlns='urn:subrosa:engine:0'/><body>x</body>").unreadable.is_none());
}

#[test]
fn what_an_engine_can_not_have_made_is_refused_and_not_shown() {
    let mut mapping = mapping().with_engines();
    let mapped = came(&mut mapping, &format!("<body>look at me</body>{MADE}{MADE}"));
    assert!(mapped.inputs.is_empty());
    let unreadable = mapped.unreadable.unwrap();
    assert_eq!((unreadable.from.as_str(), unreadable.why), ("bob@x.org", EngineElementError::Several));
    let answer = unreadable.answer.unwrap();
    assert_eq!((answer.attr("to"), answer.attr("id"), answer.attr("type")), (Some("bob@x.org/b"), Some("1"), Some("error")));
    assert_eq!(condition(answer.get_child("error", ns::CLIENT).unwrap()), Some("bad-request"));
    // other devices of the account, and copies, are not answered
    let xml = format!("<message from='alice@x.org/other' id='1'>{MADE}{MADE}</message>");
    assert!(mapping.message(&stanza(&xml), NOW).unreadable.unwrap().answer.is_none());
    let inner = xml.replace("<message ", "<message xmlns='jabber:client' to='bob@x.org' ");
    let copy = format!(
        "<message from='alice@x.org'><sent xmlns='urn:xmpp:carbons:2'><forwarded xmlns='urn:xmpp:forward:0'>{inner}</forwarded></sent></message>"
    );
    assert!(mapping.message(&stanza(&copy), NOW).unreadable.unwrap().answer.is_none());
}

#[test]
fn a_refusal_is_told_to_the_sender_with_its_code() {
    let mut bob = Mapping::new("bob@x.org".into(), [], "s").with_engines();
    bob.message(&stanza(&format!("<message from='alice@x.org/here' id='1'>{MADE}</message>")), NOW);
    let mut error = bob.refuse(&"1".into(), &"alice@x.org".into(), Status::new(603)).unwrap();
    xml::set(&mut error, "from", "bob@x.org/b");
    let bounce = mapping().message(&error, NOW).bounce.unwrap();
    assert_eq!((bounce.id.as_str(), bounce.from.as_str(), bounce.condition.as_str()), ("1", "bob@x.org", "recipient-unavailable"));
    assert_eq!(bounce.refused, Some(Refused { status: Status::new(603), reason: "Decline".into() }));
}

#[test]
fn refusals_go_to_the_sender_once_and_not_to_copies() {
    let mut mapping = mapping();
    mapping.message(&stanza("<message from='bob@x.org/b' id='1'><body>x</body></message>"), NOW);
    mapping.message(&stanza("<message from='alice@x.org/other' id='2'><body>x</body></message>"), NOW);
    assert!(mapping.refuse(&"1".into(), &"eve@x.org".into(), Status::FORBIDDEN).is_none());
    let error = mapping.refuse(&"1".into(), &"bob@x.org".into(), Status::FORBIDDEN).unwrap();
    assert_eq!((error.attr("to"), error.attr("type"), error.attr("id")), (Some("bob@x.org/b"), Some("error"), Some("1")));
    assert!(mapping.refuse(&"1".into(), &"bob@x.org".into(), Status::FORBIDDEN).is_none());
    assert!(mapping.refuse(&"2".into(), &"alice@x.org".into(), Status::FORBIDDEN).is_none());
}

fn archived(inner: &str, stamp: Option<Time>) -> Archived {
    let xml = format!("<message xmlns='jabber:client' {inner}</message>");
    Archived { at: StanzaId { by: "alice@x.org".into(), id: "a1".into() }, stanza: stanza(&xml), stamp }
}

#[test]
fn what_the_archive_has_is_told_as_if_it_came_now() {
    let at = Some(Time(5));
    let one = |inner: &str| {
        let mapped = mapping().archived(&archived(inner, at), NOW);
        assert_eq!(mapped.ids.archive.unwrap().id, "a1");
        match mapped.inputs.as_slice() {
            [] => None,
            [Input::Receive { id, chat, from, sent, kind: Kind::Text, .. }] => Some((id.to_string(), chat.0.to_string(), from.to_string(), sent.0)),
            other => panic!("{other:?}"),
        }
    };
    let is = |id: &str, chat: &str, from: &str| Some((id.into(), chat.into(), from.into(), 5));
    let body = "<body>x</body><delay xmlns='urn:xmpp:delay' stamp='1999-01-01T00:00:00Z'/>";
    assert_eq!(one(&format!("from='bob@x.org/b' to='alice@x.org/here' id='1'>{body}")), is("1", "bob@x.org", "bob@x.org"));
    assert_eq!(one(&format!("from='bob@x.org/b' id='1' type='normal'>{body}")), is("1", "bob@x.org", "bob@x.org"));
    assert_eq!(one(&format!("from='alice@x.org/other' to='bob@x.org/b' id='1'>{body}")), is("1", "bob@x.org", "alice@x.org"));
    // of this very session too: that it is known its id tells
    assert_eq!(one(&format!("from='alice@x.org/here' to='bob@x.org' id='1' type='chat'>{body}")), is("1", "bob@x.org", "alice@x.org"));
    assert_eq!(one(&format!("from='alice@x.org/here' to='alice@x.org' id='1'>{body}")), is("1", "alice@x.org", "alice@x.org"));
    // others' conversations, rooms, errors, wrapped ones, no addresses
    for bad in [
        "from='bob@x.org/b' to='carol@x.org' id='1'><body>x</body>",
        "from='bob@x.org' type='groupchat' to='alice@x.org'><body>x</body>",
        "from='bob@x.org' type='error' to='alice@x.org'><body>x</body>",
        "from='a@b@c' to='alice@x.org'><body>x</body>",
        "from='bob@x.org' to='a@b@c'><body>x</body>",
        "from='alice@x.org'><sent xmlns='urn:xmpp:carbons:2'/><body>x</body>",
        "from='alice@x.org'><result xmlns='urn:xmpp:mam:2'/><body>x</body>",
        "from='bob@x.org'><event xmlns='http://jabber.org/protocol/pubsub#event'/><body>x</body>",
        "from='bob@x.org'>",
    ] {
        assert_eq!(one(bad), None, "{bad}");
    }
    let mut of_room = archived("from='bob@x.org' to='alice@x.org'><body>x</body>", at);
    of_room.at.by = "room@x.org".into();
    assert!(mapping().archived(&of_room, NOW).inputs.is_empty());
    // what waited with its sender says since when, in the archive too
    let waited = "from='bob@x.org'><body>x</body><delay xmlns='urn:xmpp:delay' stamp='2023-11-14T22:13:20Z'/>";
    let late = mapping().archived(&archived(waited, Some(Time(1_700_000_000_000 + 200 * 3_600_000))), NOW);
    let [Input::Receive { sent, body, .. }] = late.inputs.as_slice() else { panic!() };
    assert_eq!(sent.0, 1_700_000_000_000 + 200 * 3_600_000);
    assert!(String::from_utf8(body.clone()).unwrap().contains("2023-11-14T22:13:20Z"));
    // without the archive's own stamp that of our server counts, then the present
    for (delay, sent) in [("<delay xmlns='urn:xmpp:delay' from='x.org' stamp='2023-11-14T22:13:20Z'/>", 1_700_000_000_000), ("", NOW.0)] {
        let mapped = mapping().archived(&archived(&format!("from='bob@x.org'><body>x</body>{delay}"), None), NOW);
        assert!(matches!(mapped.inputs.as_slice(), [Input::Receive { sent: at, .. }] if at.0 == sent));
    }
    // what no engine can have made is told as it is when it comes
    let mapped = mapping().with_engines().archived(&archived(&format!("from='bob@x.org' id='1'>{MADE}{MADE}"), at), NOW);
    assert!(mapped.inputs.is_empty() && mapped.unreadable.unwrap().answer.is_none());
}

#[test]
fn ids_count_from_those_who_announce_that_they_watch_over_them() {
    let sid = |by: &str, id: &str| format!("<stanza-id xmlns='urn:xmpp:sid:0' by='{by}' id='{id}'/>");
    let body = "<body>x</body><origin-id xmlns='urn:xmpp:sid:0' id='o1'/>";
    let message = |attributes: &str, sids: &str| stanza(&format!("<message {attributes}>{body}{sids}</message>"));
    let mut mapping = mapping();
    let bob = "from='bob@x.org/b' id='1'";
    let both = sid("alice@x.org", "s1") + &sid("room@x.org", "r1");
    let ids = mapping.message(&message(bob, &both), NOW).ids;
    assert_eq!((ids.origin.as_ref().map(MessageId::as_str), ids.archive), (Some("o1"), None));

    mapping.believe("alice@x.org".into(), true);
    mapping.believe("room@x.org".into(), true);
    let mut of = |attributes: &str, sids: &str| mapping.message(&message(attributes, sids), NOW).ids.archive.map(|at| (at.by.to_string(), at.id));
    let alice = |id: &str| Some(("alice@x.org".to_owned(), id.to_owned()));
    assert_eq!(of(bob, &both), alice("s1"));
    assert_eq!(of(bob, &sid("Alice@X.org", "s1")), alice("s1"));
    // nobody vouches for them, nobody knows which, or it is none
    for bad in [sid("room@x.org", "r1"), sid("alice@x.org/here", "s1"), sid("alice@x.org", "s1").repeat(2), sid("alice@x.org", ""), sid("", "s1")] {
        assert_eq!(of(bob, &bad), None, "{bad}");
    }
    assert_eq!(of(bob, &sid("alice@x.org", &"x".repeat(2000))), None);
    // in a room it is the room's, and a room vouches for its own
    let in_room = "from='room@x.org/bob' type='groupchat' id='1'";
    assert_eq!(of(in_room, &both), Some(("room@x.org".into(), "r1".into())));
    assert_eq!(of("from='other@x.org/bob' type='groupchat'", &both), None);
    // copies have their own inside
    let inner = format!(
        "<message xmlns='jabber:client' from='alice@x.org/here' to='bob@x.org' id='1' type='chat'>{body}{}</message>",
        sid("alice@x.org", "s2")
    );
    let copy = format!("<sent xmlns='urn:xmpp:carbons:2'><forwarded xmlns='urn:xmpp:forward:0'>{inner}</forwarded></sent>");
    assert_eq!(of("from='alice@x.org'", &copy), alice("s2"));
    assert_eq!(of("from='eve@x.org'", &copy), None);
    mapping.believe("alice@x.org".into(), false);
    assert_eq!(mapping.message(&message(bob, &both), NOW).ids.archive, None);
}

#[test]
fn what_belongs_to_rooms_is_left_to_whoever_does_rooms() {
    let invitation = "<x xmlns='jabber:x:conference' jid='room@x.org'/>";
    let private = "<body>x</body><x xmlns='http://jabber.org/protocol/muc#user'/>";
    for payload in [invitation, private] {
        let direct = stanza(&format!("<message from='bob@x.org/b' id='1' type='chat'>{payload}</message>"));
        assert_eq!([mapping().message(&direct, NOW).inputs.len(), mapping().with_rooms().message(&direct, NOW).inputs.len()], [1, 0]);
        let old = archived(&format!("from='bob@x.org/b' id='1' type='chat'>{payload}"), None);
        assert_eq!([mapping().archived(&old, NOW).inputs.len(), mapping().with_rooms().archived(&old, NOW).inputs.len()], [1, 0]);
    }
}

#[test]
fn servers_are_told_what_is_worth_keeping() {
    let chat = ChatId("bob@x.org".into());
    let hints = |kind, run: &str, to: Recipients| {
        let wire = Wire::Encrypted(Part { content_type: ContentType::STANZA, body: run.into() });
        let element = mapping().transmit(&"1".into(), 0, &chat, &to, kind, &wire).unwrap();
        element.children().filter(|c| c.has_ns(ns::HINTS)).map(|c| c.name().to_owned()).collect::<Vec<_>>()
    };
    let people = || Recipients::People(vec!["bob@x.org".into()]);
    let (encrypted, store) = ("<encrypted xmlns='urn:e'/>", "<store xmlns='urn:xmpp:hints'/>");
    for kind in [Kind::Text, Kind::Other, Kind::Receipt, Kind::Call] {
        assert_eq!(hints(kind, encrypted, people()), ["store"], "{kind:?}");
        assert_eq!(hints(kind, &format!("{encrypted}{store}"), Recipients::Room), ["store"], "{kind:?}");
        assert_eq!(hints(kind, &format!("{encrypted}<no-store xmlns='urn:xmpp:hints'/>"), people()), ["no-store"], "{kind:?}");
    }
    assert_eq!(hints(Kind::Typing, &format!("{encrypted}{store}"), people()), ["no-store"]);
    assert_eq!(hints(Kind::Typing, encrypted, Recipients::Room), ["no-store"]);
    assert!(hints(Kind::Text, "<body>x</body>", people()).is_empty());
}

#[test]
fn a_room_is_spoken_to_as_a_room() {
    let wire = Wire::Encrypted(Part { content_type: ContentType::STANZA, body: b"<encrypted xmlns='urn:e'/>".to_vec() });
    let stanza = mapping().transmit(&"1".into(), 0, &ChatId("room@x.org".into()), &Recipients::Room, Kind::Text, &wire).unwrap();
    assert_eq!((stanza.attr("type"), stanza.attr("to"), stanza.attr("id")), (Some("groupchat"), Some("room@x.org"), Some("1")));
    assert!(mapping().transmit(&"1".into(), 0, &ChatId("a@b@c".into()), &Recipients::Room, Kind::Text, &wire).is_err());
}
/// All that is known of somebody whose address a room does not tell.
#[test]
fn a_room_tells_what_it_calls_whoever_wrote() {
    let nick = |xml: &str| mapping().ids(&stanza(xml), &"room@rooms.x.org".into()).nick;
    assert_eq!(nick("<message from='room@rooms.x.org/Eve/2' type='groupchat'><body>x</body></message>").as_deref(), Some("Eve/2"));
    assert_eq!(nick("<message from='room@rooms.x.org' type='groupchat'><body>x</body></message>"), None);
    assert_eq!(nick("<message from='bob@x.org/phone' type='chat'><body>x</body></message>"), None);
}
