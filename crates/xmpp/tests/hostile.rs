//! Whatever comes: no panic, nothing from whom it may not come, every question answered at most once.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, clippy::arithmetic_side_effects, missing_docs)]
use proptest::prelude::*;
use subrosa_engine::{Address, ChatId, ContentType, Input, Kind, Node, Part, Recipients, Request, RequestId, Time, Wire};
use subrosa_xmpp::{ContactChange, Contacts, Entity, Mapping, Requests, bare, receipts};

const ME: &str = "alice@x.org";

fn name() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        "message",
        "iq",
        "presence",
        "event",
        "items",
        "item",
        "retract",
        "purge",
        "delete",
        "sent",
        "received",
        "forwarded",
        "delay",
        "body",
        "error",
        "encrypted",
        "engine",
        "refused",
        "pubsub",
        "query",
        "ping",
        "private",
        "text",
        "x",
    ])
}
fn namespace() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        "jabber:client",
        "urn:xmpp:carbons:2",
        "urn:xmpp:forward:0",
        "urn:xmpp:delay",
        "http://jabber.org/protocol/pubsub#event",
        "http://jabber.org/protocol/pubsub",
        "jabber:iq:roster",
        "http://jabber.org/protocol/disco#info",
        "urn:xmpp:ping",
        "urn:ietf:params:xml:ns:xmpp-stanzas",
        "urn:subrosa:engine:0",
        "urn:e",
    ])
}
fn attributes() -> impl Strategy<Value = String> {
    let value = prop::sample::select(vec![
        ME,
        "alice@x.org/here",
        "alice@x.org/other",
        "bob@x.org",
        "bob@x.org/b",
        "x.org",
        "@",
        "",
        "urn:n",
        "chat",
        "error",
        "groupchat",
        "get",
        "set",
        "result",
        "salt-1",
        "2023-11-14T22:13:20Z",
        "99999999999999999999",
        "488",
        "cipher/xor",
        "🦀",
    ]);
    let key = prop::sample::select(vec!["from", "to", "id", "type", "node", "stamp", "h", "status", "kind"]);
    prop::collection::btree_map(key, value, 0..5).prop_map(|map| map.into_iter().map(|(k, v)| format!(" {k}='{v}'")).collect())
}
fn element() -> impl Strategy<Value = String> {
    let leaf = (name(), namespace(), attributes(), "[a-zA-Z= ]{0,8}").prop_map(|(n, ns, a, text)| format!("<{n} xmlns='{ns}'{a}>{text}</{n}>"));
    leaf.prop_recursive(6, 40, 4, |inner| {
        (name(), namespace(), attributes(), prop::collection::vec(inner, 0..4))
            .prop_map(|(n, ns, a, inner)| format!("<{n} xmlns='{ns}'{a}>{}</{n}>", inner.concat()))
    })
}
fn stanza() -> impl Strategy<Value = minidom::Element> {
    let kind = prop::sample::select(vec!["message", "iq", "presence"]);
    (kind, attributes(), prop::collection::vec(element(), 0..4))
        .prop_map(|(kind, a, inner)| format!("<{kind} xmlns='jabber:client'{a}>{}</{kind}>", inner.concat()).parse().unwrap())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]
    #[test]
    fn nothing_that_comes_does_harm(stanza in stanza()) {
        let mapping = || {
            let mut mapping = Mapping::new(ME.into(), ["urn:n".to_owned()], "s");
            mapping.bound("alice@x.org/here");
            mapping
        };
        let from = bare(stanza.attr("from").unwrap_or(ME));
        let (plain, opened) = (mapping().message(&stanza, Time(1)), mapping().with_engines().message(&stanza, Time(1)));
        prop_assert!(plain.unreadable.is_none() && (opened.unreadable.is_none() || opened.inputs.is_empty()));
        for input in plain.inputs.into_iter().chain(opened.inputs) {
            match input {
                // the server vouches for the outer address only; copies are the account's own
                Input::Receive { from: sender, id, .. } => {
                    prop_assert!(Ok(&sender) == from.as_ref() || from == Ok(ME.into()));
                    prop_assert!(!id.as_str().is_empty() && id.as_str().len() <= 256);
                }
                Input::Published(node, _) => prop_assert!(Ok(&node.owner) == from.as_ref() && node.name == "urn:n"),
                other => prop_assert!(false, "{other:?}"),
            }
        }
        let entity = Entity::client("bot", "n", "v", "urn:u");
        let answer = entity.answer(&stanza, &ME.into());
        prop_assert_eq!(answer.is_some(), matches!(stanza.attr("type"), Some("get" | "set")) && stanza.attr("id").is_some());

        let mut requests = Requests::new(ME.into(), "salt");
        let node = Node { owner: Address::from("bob@x.org"), name: "urn:n".into(), item: None };
        requests.ask(RequestId(1), Request::Fetch(node), Time(1));
        if requests.answered(&stanza, Time(1)).is_some() {
            prop_assert_eq!(stanza.attr("from"), Some("bob@x.org"));
            prop_assert!(requests.answered(&stanza, Time(1)).is_none());
        }

        let mut contacts = Contacts::new(ME.into(), "salt");
        contacts.ask();
        contacts.change(ContactChange::Remove("bob@x.org".into()));
        let own = [None, Some(ME), Some("x.org")].contains(&stanza.attr("from"));
        prop_assert!(own || (contacts.answered(&stanza).is_none() && contacts.pushed(&stanza).is_none() && contacts.too_large(&stanza).is_none()));
        let _ = contacts.bounced(&stanza);
    }

    #[test]
    fn whatever_an_engine_gives_is_a_stanza_or_an_error(body in prop::collection::vec(any::<u8>(), 0..200), text in any::<String>()) {
        let mapping = Mapping::new(ME.into(), [], "s");
        let (chat, to) = (ChatId("bob@x.org".into()), Recipients::People(vec!["bob@x.org".into()]));
        for body in [body, text.clone().into_bytes()] {
            let _ = (receipts::receipt_request(&body), receipts::received(&body));
            for content_type in [ContentType::STANZA, ContentType::TEXT] {
                let wire = Wire::Encrypted(Part { content_type, body: body.clone() });
                if let Ok(stanza) = mapping.transmit(&"id".into(), 0, &chat, &to, Kind::Text, &wire) {
                    let mut out = Vec::new();
                    stanza.write_to(&mut out).unwrap();
                    let again: minidom::Element = String::from_utf8(out).unwrap().parse().unwrap();
                    prop_assert_eq!(again.attr("to"), Some("bob@x.org"));
                }
            }
        }
        let _ = (bare(&text), mapping.transmit(&text.as_str().into(), 0, &chat, &to, Kind::Text, &Wire::Encrypted(Part { content_type: ContentType::TEXT, body: b"x".to_vec() })));
        let wire = Wire::Encrypted(Part { content_type: ContentType(text.into()), body: b"x".to_vec() });
        let _ = mapping.transmit(&"id".into(), 0, &chat, &to, Kind::Text, &wire);
    }
}
