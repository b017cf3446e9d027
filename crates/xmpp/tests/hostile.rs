//! Whatever comes: no panic, nothing from whom it may not come, every question answered at most once.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, clippy::arithmetic_side_effects, missing_docs)]
use proptest::prelude::*;
use subrosa_engine::{Address, ChatId, ContentType, Input, Kind, Node, Part, Plaintext, Recipients, Request, RequestId, Time, Wire};
use subrosa_xmpp::archive::Query;
use subrosa_xmpp::{Archive, Blocking, ContactChange, Contacts, Entity, Mapping, Positions, Requests, bare, content, receipts};

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
        "reply",
        "fallback",
        "replace",
        "retract",
        "reactions",
        "reaction",
        "displayed",
        "opt-out",
        "reason",
        "composing",
        "result",
        "fin",
        "set",
        "first",
        "last",
        "stanza-id",
        "origin-id",
        "blocklist",
        "block",
        "unblock",
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
        "urn:xmpp:mam:2",
        "http://jabber.org/protocol/rsm",
        "urn:xmpp:sid:0",
        "urn:xmpp:reply:0",
        "urn:xmpp:fallback:0",
        "urn:xmpp:message-correct:0",
        "urn:xmpp:message-retract:1",
        "urn:xmpp:reactions:0",
        "urn:xmpp:receipts",
        "urn:xmpp:chat-markers:0",
        "http://jabber.org/protocol/chatstates",
        "urn:xmpp:omemo:2",
        "urn:xmpp:mds:displayed:0",
        "urn:xmpp:blocking",
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
        "archive-salt-1",
        "positions-salt-1",
        "blocking-salt-1",
        "urn:xmpp:reply:0",
        "urn:xmpp:mds:displayed:0",
        "1",
        "4",
        "2023-11-14T22:13:20Z",
        "99999999999999999999",
        "488",
        "cipher/xor",
        "🦀",
    ]);
    let key = prop::sample::select(vec![
        "from", "to", "id", "type", "node", "stamp", "h", "status", "kind", "by", "jid", "for", "start", "end", "queryid", "complete", "xml:lang",
    ]);
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

/// A result of the page that is open, and around and in it whatever comes.
fn result() -> impl Strategy<Value = minidom::Element> {
    let tag = |key: &'static str, values: Vec<&'static str>| {
        prop::sample::select(values).prop_map(move |value| if value == "-" { String::new() } else { format!(" {key}='{value}'") })
    };
    let outer = tag("from", vec!["-", "-", ME, "eve@x.org", "alice@x.org/here", "x.org"]);
    let named = (tag("queryid", vec!["archive-salt-1", "archive-salt-1", "other", "-"]), tag("id", vec!["1", "2", "0", "-"]));
    let around = prop::collection::vec(element(), 0..2);
    let inner = (attributes(), prop::collection::vec(element(), 0..4), prop::collection::vec(element(), 0..2));
    (outer, named, around, inner).prop_map(|(from, (query, id), around, (attributes, children, beside))| {
        let message = format!("<message xmlns='jabber:client'{attributes}>{}</message>", children.concat());
        let forwarded = format!("<forwarded xmlns='urn:xmpp:forward:0'>{}{message}</forwarded>", beside.concat());
        format!("<message xmlns='jabber:client'{from}>{}<result xmlns='urn:xmpp:mam:2'{query}{id}>{forwarded}</result></message>", around.concat())
            .parse()
            .unwrap()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]
    #[test]
    fn nothing_comes_out_of_an_archive_that_was_not_asked_for(results in prop::collection::vec(result(), 1..6), other in stanza()) {
        let mut archive = Archive::of_account(ME.into(), "salt");
        archive.ask(Query::after("0"), Time(1));
        let mut ids = Vec::new();
        for message in results.iter().chain([&other]) {
            let (before, found) = (archive.refused(), archive.result(message, Time(1)));
            prop_assert!(found.is_none() || before == archive.refused());
            let Some(archived) = found else { continue };
            let result = message.get_child("result", "urn:xmpp:mam:2").unwrap();
            prop_assert!(message.attr("from").is_none_or(|from| from == ME) && result.attr("queryid") == Some("archive-salt-1"));
            prop_assert!(archived.at.id != "0" && !ids.contains(&archived.at.id));
            ids.push(archived.at.id.clone());
            let mapped = Mapping::new(ME.into(), [], "s").archived(&archived, Time(1));
            prop_assert!(mapped.ids.archive.as_ref() == Some(&archived.at));
            for input in mapped.inputs {
                let Input::Receive { from, chat, .. } = input else { return Err(TestCaseError::fail("no message")) };
                // of the account's own conversations: from it to the chat, or from the chat to it
                let to = bare(archived.stanza.attr("to").unwrap_or(ME)).unwrap();
                let of_account = (from.as_str() == ME && chat.0 == to) || (chat.0 == from && to.as_str() == ME);
                prop_assert!(of_account);
            }
        }
        if archive.finished(&other).is_some() {
            prop_assert!(other.attr("id") == Some("archive-salt-1") && !archive.is_open() && archive.finished(&other).is_none());
        }
    }

    #[test]
    fn whatever_a_message_has_in_it_its_words_are_its_body(run in prop::collection::vec(element(), 0..6), body in prop::option::of("[a-c >\\n]{0,12}")) {
        let run = run.concat() + &body.map(|body| format!("<body>{}</body>", body.replace('>', "&gt;"))).unwrap_or_default();
        let plain = Plaintext::new(ContentType::STANZA, run.as_str());
        content::asks(&plain);
        if let Some(content) = content::read(&plain).unwrap() {
            let children: minidom::Element = format!("<r xmlns='jabber:client'>{run}</r>").parse().unwrap();
            let fits = |body: &str, shown: &str| body.strip_suffix(shown).is_some_and(|rest| rest.is_empty() || rest.ends_with('\n'));
            let bodies: Vec<_> = children.children().filter(|c| c.is("body", "jabber:client")).map(minidom::Element::text).collect();
            prop_assert!(content.text().is_none_or(|shown| bodies.iter().any(|body| fits(body, shown))), "{}", run);
            prop_assert!(content.of().is_none_or(|of| !of.as_str().is_empty()));
            // what is read can be said again
            prop_assert!(content::write(&content).is_ok());
        }
    }

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

        let (mut positions, mut blocking) = (Positions::new(ME.into(), "salt"), Blocking::new(ME.into(), "salt"));
        positions.online(true);
        blocking.ask();
        prop_assert!(own || (positions.answered(&stanza).is_none() && blocking.answered(&stanza).is_none() && blocking.pushed(&stanza).is_none()));
        prop_assert!(positions.answered(&stanza).is_none() || positions.answered(&stanza).is_none());
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
