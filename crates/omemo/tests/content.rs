//! What is said besides words: it goes inside of the envelope, older devices get what they can read, and nobody is promised more.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, clippy::arithmetic_side_effects)]
mod common;
#[path = "quirks/puppet.rs"]
mod puppet;
use common::*;
use puppet::*;
use subrosa_engine::*;
use subrosa_omemo::wire::sce;
use subrosa_ratchet::{Legacy, Omemo2};
use subrosa_testkit::{ClientId, Stanza};

const REPLY: &str = "<body xmlns='jabber:client'>&gt; What is it?&#xa;A nightingale.</body><reply xmlns='urn:xmpp:reply:0' id='q1' to='bob@example.org'></reply>\
                     <fallback xmlns='urn:xmpp:fallback:0' for='urn:xmpp:reply:0'><body end='14' start='0'></body></fallback>";
const CORRECTION: &str = "<body xmlns='jabber:client'>A lark.</body><replace xmlns='urn:xmpp:message-correct:0' id='m1'></replace>";
const REACTION: &str = "<reactions xmlns='urn:xmpp:reactions:0' id='q1'><reaction>\u{1f426}</reaction></reactions>";
const RETRACTION: &str = "<retract xmlns='urn:xmpp:message-retract:1' id='m1'></retract>";
const RETRACTION_SAID: &str = "<retract xmlns='urn:xmpp:message-retract:1' id='m1'></retract>\
     <fallback xmlns='urn:xmpp:fallback:0' for='urn:xmpp:message-retract:1'></fallback><body xmlns='jabber:client'>I took a message back.</body>";
const DELIVERED: &str = "<received xmlns='urn:xmpp:receipts' id='q1'></received>";
const DISPLAYED: &str = "<displayed xmlns='urn:xmpp:chat-markers:0' id='q1'></displayed>";
const COMPOSING: &str = "<composing xmlns='http://jabber.org/protocol/chatstates'></composing>";
const OWN: &str = "<move xmlns='urn:example:chess'>e4</move>";
const CALL: &str = "<propose xmlns='urn:xmpp:jingle-message:0' id='c1'></propose>";

/// All of it, as it is sent and as it turns out to be.
const ALL: [(Kind, &str, Kind); 10] = [
    (Kind::Text, REPLY, Kind::Text),
    (Kind::Text, CORRECTION, Kind::Text),
    (Kind::Other, REACTION, Kind::Other),
    (Kind::Other, RETRACTION, Kind::Other),
    (Kind::Other, RETRACTION_SAID, Kind::Other),
    (Kind::Receipt, DELIVERED, Kind::Receipt),
    (Kind::Receipt, DISPLAYED, Kind::Receipt),
    (Kind::Typing, COMPOSING, Kind::Typing),
    (Kind::Other, OWN, Kind::Other),
    (Kind::Call, CALL, Kind::Call),
];

fn say(world: &mut World, from: ClientId, to: &str, kind: Kind, xml: &str) -> MessageId {
    let id = MessageId(format!("say{}-{}", world.now().0, xml.len()).into());
    let to: Address = to.into();
    let plain = Plaintext::new(ContentType::STANZA, xml);
    world.feed(
        from,
        Input::Send { id: id.clone(), chat: ChatId(to.clone()), to: Recipients::People(vec![to]), kind, plain, headers: Headers::default() },
    );
    world.run();
    id
}
fn unsaid(world: &World, who: ClientId, message: &MessageId) -> Option<Vec<Omission>> {
    world.client(who).events().iter().find_map(|e| match e {
        Event::Sent { id, unsaid, .. } if id == message => Some(unsaid.clone()),
        _ => None,
    })
}
fn envelope(content: &str) -> Vec<u8> {
    format!("<envelope xmlns='urn:xmpp:sce:1'><content>{content}</content><rpad/></envelope>").into_bytes()
}
fn of<'w>(world: &'w World, id: &MessageId) -> Vec<&'w Stanza> {
    world.stanzas().iter().filter(|s| s.id == *id).collect()
}
fn xml(stanza: &Stanza) -> &str {
    std::str::from_utf8(&stanza.body).unwrap()
}
/// Two who have talked, so that there is a session.
fn friends(seed: u64) -> (World, ClientId, ClientId) {
    let (mut world, alice, bob) = two(seed);
    world.send(alice, BOB, "hello");
    world.send(bob, ALICE, "hello yourself");
    world.run();
    (world, alice, bob)
}

#[test]
fn everything_goes_inside_and_comes_out_as_what_it_is() {
    let (mut world, alice, bob) = friends(1);
    for (kind, content, turns_out) in ALL {
        let id = say(&mut world, alice, BOB, kind, content);
        assert_eq!(last(&world, bob), (turns_out, content.replace("&#xa;", "\n")), "{content}");
        assert_eq!(unsaid(&world, alice, &id), Some(vec![]), "{content}");
        assert_eq!(of(&world, &id).len(), 1);
    }
    for secret in [
        "nightingale",
        "urn:xmpp:reply",
        "message-correct",
        "reactions",
        "message-retract",
        "urn:xmpp:receipts",
        "chat-markers",
        "chatstates",
        "chess",
    ] {
        assert!(!world.server.saw(secret.as_bytes()), "{secret}");
    }
    assert_eq!((unread(&world, alice), unread(&world, bob)), (vec![], vec![]));
}
/// XEP-0334: words are kept for who is away, notices of typing by nobody.
#[test]
fn hints_are_of_the_kind() {
    let (mut world, alice, _) = friends(2);
    for (kind, content, _) in ALL {
        let id = say(&mut world, alice, BOB, kind, content);
        let stanza = xml(of(&world, &id)[0]).to_owned();
        let (keep, forget) = ("<store xmlns='urn:xmpp:hints'/>", "<no-store xmlns='urn:xmpp:hints'/>");
        assert_eq!((stanza.contains(keep), stanza.contains(forget)), (kind != Kind::Typing, kind == Kind::Typing), "{content}");
        assert!(stanza.contains("<encryption xmlns='urn:xmpp:eme:0'") && !stanza.contains("<body"));
    }
}
/// Elements without a namespace are a message's own; declarations around them are carried along.
#[test]
fn content_is_written_anew() {
    let (mut world, alice, bob) = friends(3);
    say(&mut world, alice, BOB, Kind::Text, "\n<body>hi</body> <g:move xmlns:g='urn:example:chess' g:piece='k'>e4<g:x/></g:move>");
    let written = "<body xmlns='jabber:client'>hi</body><move xmlns='urn:example:chess' xmlns:a0='urn:example:chess' a0:piece='k'>e4<x></x></move>";
    assert_eq!(last(&world, bob), (Kind::Text, written.into()));
    // words alone are words
    say(&mut world, alice, BOB, Kind::Text, "<body>just words</body>");
    assert_eq!(shown(&world, bob).last().unwrap().plaintext().content_type, ContentType::TEXT);
    assert_eq!(last(&world, bob), (Kind::Text, "just words".into()));
}
/// XEP-0420 §9: what servers act on is not hidden from them, and what is no XML is nothing.
#[test]
fn what_has_no_place_in_an_envelope_is_not_sent() {
    let (mut world, alice, bob) = friends(4);
    let before = (world.stanzas().len(), shown(&world, bob).len());
    for (content, why) in [
        ("<body>x</body><no-copy xmlns='urn:xmpp:hints'/>", Reason::Malformed),
        ("<stanza-id xmlns='urn:xmpp:sid:0' id='1' by='bob@example.org'/>", Reason::Malformed),
        ("<addresses xmlns='http://jabber.org/protocol/address'/>", Reason::Malformed),
        ("<encryption xmlns='urn:xmpp:eme:0' namespace='urn:xmpp:omemo:2'/>", Reason::Malformed),
        ("<delay xmlns='urn:xmpp:delay' stamp='2002-09-10T23:08:25Z'/>", Reason::Malformed),
        ("<x xmlns='http://jabber.org/protocol/muc#user'/>", Reason::Malformed),
        ("<envelope xmlns='urn:xmpp:sce:1'><content/></envelope>", Reason::Malformed),
        ("<encrypted xmlns='urn:xmpp:omemo:2'/>", Reason::Malformed),
        ("<body>", Reason::Malformed),
        ("words", Reason::Malformed),
        ("", Reason::Malformed),
        (&format!("<body>{}</body>", "x".repeat(300_000)), Reason::TooLarge),
    ] {
        let id = say(&mut world, alice, BOB, Kind::Text, content);
        assert_eq!(not_sent(&world, alice, &id), Some(why), "{}", &content[..content.len().min(80)]);
    }
    assert_eq!((world.stanzas().len(), shown(&world, bob).len()), before);
    // its sender's own id may come along (XEP-0420 0.3.0)
    say(&mut world, alice, BOB, Kind::Text, "<body>x</body><origin-id xmlns='urn:xmpp:sid:0' id='1'/>");
    assert_eq!(unread(&world, bob), []);
    assert!(last(&world, bob).1.contains("origin-id"));
}

/// To Bob's old device: the words in the payload, references in clear beside them, as his client looks for them there.
#[test]
fn older_devices_get_words_and_references() {
    let (mut world, alice, mut bob) = talking::<Legacy>(5);
    let beside = |content: &str| content.split_once("</body>").unwrap().1.to_owned();
    let thread = "<body>x</body><thread xmlns='jabber:client' parent='p'>t</thread><request xmlns='urn:xmpp:receipts'></request><markable xmlns='urn:xmpp:chat-markers:0'></markable>";
    for (content, words, siblings) in [
        (REPLY, "> What is it?\nA nightingale.", beside(REPLY)),
        (CORRECTION, "A lark.", beside(CORRECTION)),
        (thread, "x", beside(thread)),
        (RETRACTION_SAID, "I took a message back.", RETRACTION_SAID.split_once("<body").unwrap().0.to_owned()),
    ] {
        let id = say(&mut world, alice, BOB, Kind::Text, content);
        let heard = bob.hear(&world).pop().unwrap();
        assert_eq!(heard.text(), words);
        assert!(xml(&heard.stanza).ends_with(&format!("</body>{siblings}")), "{}", xml(&heard.stanza));
        assert_eq!(unsaid(&world, alice, &id), Some(vec![]), "{content}");
    }
    assert!(!world.server.saw(b"nightingale") && !world.server.saw(b"lark"));
}
/// Nothing that carries words or a notice goes in clear, whatever an application wraps it into.
#[test]
fn only_listed_elements_and_attributes_go_in_clear() {
    let (mut world, alice, mut bob) = talking::<Legacy>(6);
    let content = "<body>words</body><reply xmlns='urn:xmpp:reply:0' id='q1' author='secret1'><quoted>secret2</quoted>secret3</reply>\
                   <fallback xmlns='urn:xmpp:fallback:0' for='urn:example:secret4'><body start='0' end='1'/></fallback>\
                   <fallback xmlns='urn:xmpp:fallback:0' for='urn:xmpp:reply:0'><body start='0' end='1' x='secret5'/><body start='secret6'/><subject>secret7</subject></fallback>\
                   <replace xmlns='urn:xmpp:message-correct:0' id='m1' xmlns:s='urn:secret8' s:x='secret9'/><subject>secret10</subject>\
                   <x xmlns='jabber:x:oob'><url>secret11</url></x><active xmlns='http://jabber.org/protocol/chatstates'/>\
                   <received xmlns='urn:xmpp:receipts' id='secret12'/><reactions xmlns='urn:xmpp:reactions:0' id='secret13'/>";
    let id = say(&mut world, alice, BOB, Kind::Text, content);
    assert_eq!(bob.hear(&world).pop().unwrap().text(), "words");
    assert_eq!(unsaid(&world, alice, &id), Some(vec![Omission::Reaction]));
    assert!(!world.server.saw(b"secret") && !world.server.saw(b"chatstates") && world.server.saw(b"message-correct"));
    // the rest is told too
    for (rest, omission) in [(OWN, vec![Omission::Other]), (DISPLAYED, vec![Omission::Receipt]), (COMPOSING, vec![])] {
        let id = say(&mut world, alice, BOB, Kind::Text, &format!("<body>words</body>{rest}"));
        assert_eq!((unsaid(&world, alice, &id), bob.hear(&world).pop().unwrap().text()), (Some(omission), "words".into()));
    }
}
/// Where nobody could be told anything, nothing leaves, and a person knows.
#[test]
fn to_older_devices_only_there_is_nothing_to_send_without_words() {
    let (mut world, alice, mut bob) = talking::<Legacy>(7);
    let before = world.stanzas().len();
    for (kind, content, _) in ALL {
        if content.contains("</body>") {
            continue;
        }
        let id = say(&mut world, alice, BOB, kind, content);
        // notices are the chat's policy to decide on, the rest is refused
        let why = if matches!(kind, Kind::Typing | Kind::Receipt) { Reason::NotEncrypted } else { Reason::Unsupported };
        assert_eq!(not_sent(&world, alice, &id), Some(why), "{content}");
    }
    assert_eq!(world.stanzas().len(), before);
    assert!(bob.hear(&world).is_empty());
}
/// One device of each version: the newer gets all, the sender is told what the older does not.
#[test]
fn what_older_devices_do_not_get_is_told() {
    let (mut world, alice, bob) = friends(8);
    world.notify(|_| true);
    let mut old = Puppet::<Legacy>::new(8, device(&mut world, alice));
    let mut new = subrosa_omemo::wire::device_list::parse(
        subrosa_omemo::wire::Version::Legacy,
        &world.server.node(&BOB.into(), "eu.siacs.conversations.axolotl.devicelist").unwrap().items[0].payload,
    )
    .unwrap();
    new.push(subrosa_omemo::wire::device_list::ListedDevice::new(old.id));
    let bundle = old.bundle();
    old.publish_bundle(&mut world, &bundle, "current");
    old.publish_list(&mut world, &new);
    world.send(alice, BOB, "to both");
    world.run();
    assert_eq!(old.hear(&world).pop().unwrap().text(), "to both");
    let told = |omission: Option<Omission>| Some(omission.into_iter().collect::<Vec<_>>());
    for (kind, content, omission) in [
        (Kind::Text, REPLY, None),
        (Kind::Other, REACTION, Some(Omission::Reaction)),
        (Kind::Other, RETRACTION, Some(Omission::Retraction)),
        (Kind::Other, RETRACTION_SAID, None),
        (Kind::Receipt, DELIVERED, Some(Omission::Receipt)),
        (Kind::Typing, COMPOSING, Some(Omission::Typing)),
        (Kind::Other, OWN, Some(Omission::Other)),
    ] {
        let id = say(&mut world, alice, BOB, kind, content);
        assert_eq!(unsaid(&world, alice, &id), told(omission), "{content}");
        assert_eq!(shown(&world, bob).last().unwrap().kind(), kind, "{content}");
        assert_eq!(old.hear(&world).len(), usize::from(omission.is_none()), "{content}");
        assert_eq!(of(&world, &id).len(), 1 + usize::from(omission.is_none()));
    }
}
/// Typing notices wait for nothing and set nothing up. Receipts go to all devices: to who has no key for one it is a message that left
/// them out.
#[test]
fn typing_goes_to_whom_there_is_a_session_with_and_receipts_to_all() {
    let (mut world, alice, bob) = two(9);
    let asked = world.server.requests().len();
    let id = say(&mut world, alice, BOB, Kind::Typing, COMPOSING);
    assert_eq!(not_sent(&world, alice, &id), Some(Reason::NotEncrypted));
    assert_eq!((world.server.requests().len(), world.stanzas().len()), (asked, 0));
    world.send(alice, BOB, "hello");
    world.run();
    // a second device of Bob's, of which nobody has heard
    let other = world.join(BOB, omemo);
    world.run();
    let stanzas = world.stanzas().len();
    let id = say(&mut world, alice, BOB, Kind::Typing, COMPOSING);
    assert_eq!(report(&world, alice, &id).len(), 1);
    assert_eq!((last(&world, bob), shown(&world, other).len()), ((Kind::Typing, COMPOSING.into()), 0));
    assert_eq!(world.stanzas().len(), stanzas + 1);
    assert_eq!(unread(&world, other), [], "who is told nothing misses nothing");
    say(&mut world, alice, BOB, Kind::Receipt, DISPLAYED);
    assert_eq!((last(&world, bob).0, last(&world, other).0), (Kind::Receipt, Kind::Receipt));
    assert_eq!(unread(&world, other), []);
}
/// A device that is not trusted gets no notices either.
#[test]
fn notices_need_trust_too() {
    let (mut world, alice, bob) = friends(10);
    let (theirs, shown_key) = (device(&mut world, bob), key(&mut world, bob));
    world.feed(alice, Input::SetTrust(theirs, shown_key, Trust::Untrusted));
    let id = say(&mut world, alice, BOB, Kind::Typing, COMPOSING);
    assert_eq!((not_sent(&world, alice, &id), last(&world, bob).1), (Some(Reason::NotEncrypted), "hello".into()));
}
/// What one does on one device, one's others know too; but not that one is typing.
#[test]
fn own_other_devices_learn_of_it() {
    let (mut world, alice, bob) = friends(11);
    let phone = world.join(ALICE, omemo);
    world.run();
    let (theirs, shown_key) = (device(&mut world, phone), key(&mut world, phone));
    world.feed(alice, Input::SetTrust(theirs, shown_key, Trust::Verified));
    world.send(alice, BOB, "hello from here");
    world.run();
    for (kind, content) in [(Kind::Other, REACTION), (Kind::Receipt, DISPLAYED), (Kind::Typing, COMPOSING)] {
        let before = (shown(&world, phone).len(), unread(&world, phone).len());
        say(&mut world, alice, BOB, kind, content);
        assert_eq!(last(&world, bob), (kind, content.into()));
        let (news, refused) = (shown(&world, phone).len() - before.0, unread(&world, phone).len() - before.1);
        assert_eq!((news, refused), if kind == Kind::Typing { (0, 0) } else { (1, 0) }, "{content}");
    }
}

const BESIDE: &str = "<beside xmlns='urn:subrosa:omemo:0'>";

/// The words are the payload's, whatever stands beside it; references in clear come with them, as that.
#[test]
fn legacy_words_come_with_what_stands_beside_them() {
    let (mut world, alice, mut bob) = talking::<Legacy>(12);
    let beside = REPLY.split_once("</body>").unwrap().1;
    let element = bob.sealed_element("> What is it?\nA nightingale.".as_bytes());
    let more = "<body xmlns='jabber:client'>not the words</body><thread xmlns='jabber:client'>t</thread><x xmlns='jabber:x:oob'><url>of the server</url></x>\
                <reactions xmlns='urn:xmpp:reactions:0' id='1'><reaction>!</reaction></reactions><received xmlns='urn:xmpp:receipts' id='1'/>\
                <displayed xmlns='urn:xmpp:chat-markers:0' id='1'/><opt-out xmlns='urn:xmpp:omemo:2'/><composing xmlns='http://jabber.org/protocol/chatstates'/>";
    bob.send(&mut world, &format!("{element}{beside}{more}"));
    let (words, references) = REPLY.split_once("</body>").unwrap();
    let expected = format!("{}</body>{BESIDE}{references}<thread xmlns='jabber:client'>t</thread></beside>", words.replace("&#xa;", "\n"));
    assert_eq!(last(&world, alice), (Kind::Text, expected));
    // nothing beside it: words
    bob.say(&mut world, "alone");
    assert_eq!(shown(&world, alice).last().unwrap().plaintext().content_type, ContentType::TEXT);
    // twice the same, and more than fits: once, and not at all
    let element = bob.sealed_element(b"x");
    let long = format!("<thread xmlns='jabber:client'>{}</thread>", "t".repeat(4000));
    let retract = |id: &str| format!("<retract xmlns='urn:xmpp:message-retract:1' id='{id}'/>");
    bob.send(&mut world, &format!("{element}{}{}{long}", retract("1"), retract("2")));
    assert_eq!(
        last(&world, alice).1,
        format!("<body xmlns='jabber:client'>x</body>{BESIDE}<retract xmlns='urn:xmpp:message-retract:1' id='1'></retract></beside>")
    );
}
/// A notice in clear beside a payload makes no notice of it: whoever is on the way could make a message vanish.
#[test]
fn words_are_no_notice_whatever_stands_beside_them() {
    let (mut world, alice, mut bob) = talking::<Omemo2>(13);
    for (seen, content, kind) in [
        (Kind::Receipt, "<body xmlns='jabber:client'>words</body>", Kind::Text),
        (Kind::Typing, "<body xmlns='jabber:client'>words</body>", Kind::Text),
        (Kind::Typing, OWN, Kind::Other),
        (Kind::Text, DISPLAYED, Kind::Receipt),
        (Kind::Text, COMPOSING, Kind::Typing),
        // what an application adds is not lost with the notice beside it
        (Kind::Text, &format!("{COMPOSING}{OWN}"), Kind::Other),
        (Kind::Other, REACTION, Kind::Other),
    ] {
        let element = bob.sealed_element(&envelope(content));
        let (id, body, now) = (MessageId(format!("d{}", world.now().0).into()), element.into_bytes(), world.now());
        let (content_type, headers, chat) = (ContentType::STANZA, Headers::default(), ChatId(BOB.into()));
        world.feed(alice, Input::Receive { id, chat, from: BOB.into(), sent: now, kind: seen, content_type, body, headers, answer_by: None });
        world.run();
        assert_eq!(shown(&world, alice).last().unwrap().kind(), kind, "{content}");
    }
}
/// XEP-0420 §10: what is sensitive counts inside only; but that words are a correction Converse says outside.
#[test]
fn beside_an_envelope_only_a_correction_counts() {
    let (mut world, alice, mut bob) = talking::<Omemo2>(14);
    let clear = "<replace xmlns='urn:xmpp:message-correct:0' id='outside'/><retract xmlns='urn:xmpp:message-retract:1' id='1'/><reply xmlns='urn:xmpp:reply:0' id='1'/>\
                 <reactions xmlns='urn:xmpp:reactions:0' id='1'/><thread>t</thread>";
    let outside = format!("{BESIDE}<replace xmlns='urn:xmpp:message-correct:0' id='outside'></replace></beside>");
    for (content, expected) in [
        ("<body xmlns='jabber:client'>x</body>", format!("<body xmlns='jabber:client'>x</body>{outside}")),
        // it says itself what it corrects
        (CORRECTION, CORRECTION.to_owned()),
        // no words, no correction
        (REACTION, REACTION.to_owned()),
    ] {
        let element = bob.sealed_element(&envelope(content));
        bob.send(&mut world, &format!("{element}{clear}"));
        assert_eq!(last(&world, alice).1, expected);
    }
}

fn opt_out(world: &mut World, who: ClientId) -> Option<String> {
    let engine = *world.client(who).handle();
    world.call(who, engine, |o, cx| o.opt_out_reason(cx, &ChatId(BOB.into()))).unwrap()
}
fn warnings(world: &World, who: ClientId) -> Vec<(Warning, Option<ChatId>)> {
    let warning = |e: &Event| if let Event::Warning { warning, chat, .. } = e { Some((*warning, chat.clone())) } else { None };
    world.client(who).events().iter().filter_map(warning).collect()
}
const OPT_OUT: &str = "<opt-out xmlns='urn:xmpp:omemo:2'><reason>A record is wanted.</reason></opt-out>";

/// XEP-0384 §5.7, from both ends.
#[test]
fn an_opt_out_stops_the_chat_until_a_person_says_how_to_go_on() {
    let (mut world, alice, bob) = friends(15);
    // a receipt that nobody encrypts: a person allows clear text
    let plain = Plaintext::text("read");
    let (chat, to, headers) = (ChatId(BOB.into()), Recipients::People(vec![BOB.into()]), Headers::default());
    world.feed(alice, Input::Send { id: "asks".into(), chat, to, kind: Kind::Receipt, plain, headers });
    world.run();
    allow_clear(&mut world, alice);
    say(&mut world, bob, ALICE, Kind::Other, OPT_OUT);
    assert!(!world.server.saw(b"opt-out"));
    assert_eq!(last(&world, alice), (Kind::Other, OPT_OUT.into()));
    assert_eq!(warnings(&world, alice), [(Warning::OptOut, Some(ChatId(BOB.into())))]);
    assert_eq!(opt_out(&mut world, alice).as_deref(), Some("A record is wanted."));
    // a choice of clear text from before is none for now
    let stanzas = world.stanzas().len();
    for content in ["<body>words</body>", REACTION, OWN] {
        let id = say(&mut world, alice, BOB, Kind::Text, content);
        assert_eq!(not_sent(&world, alice, &id), Some(Reason::OptedOut));
    }
    for (kind, content) in [(Kind::Receipt, DISPLAYED), (Kind::Typing, COMPOSING)] {
        let id = say(&mut world, alice, BOB, kind, content);
        assert_eq!(not_sent(&world, alice, &id), Some(Reason::OptedOut));
    }
    assert_eq!(world.stanzas().len(), stanzas);
    // over a restart
    world.crash(alice);
    world.run();
    let id = world.send(alice, BOB, "words");
    world.run();
    assert_eq!(not_sent(&world, alice, &id), Some(Reason::OptedOut));
    // a person chooses clear text
    allow_clear(&mut world, alice);
    let id = world.send(alice, BOB, "for the record");
    world.run();
    assert!(not_sent(&world, alice, &id).is_none() && of(&world, &id)[0].in_clear);
    // what is said about messages is no part of that
    let id = say(&mut world, alice, BOB, Kind::Receipt, DISPLAYED);
    assert_eq!((not_sent(&world, alice, &id), of(&world, &id).len()), (Some(Reason::OptedOut), 0));
    // or to go on encrypted
    let engine = *world.client(alice).handle();
    assert_eq!(world.call(alice, engine, |o, cx| o.go_on(cx, &ChatId(BOB.into()))), Some(true));
    assert_eq!(world.call(alice, engine, |o, cx| o.go_on(cx, &ChatId(BOB.into()))), Some(false));
    world.send(alice, BOB, "between us");
    world.run();
    assert_eq!((texts(&world, bob).pop().unwrap().as_str(), opt_out(&mut world, alice)), ("between us", None));
    assert!(!world.server.saw(b"between us"));
    say(&mut world, alice, BOB, Kind::Receipt, DISPLAYED);
    assert_eq!(last(&world, bob), (Kind::Receipt, DISPLAYED.into()));
}
/// A person says yes to clear text.
fn allow_clear(world: &mut World, who: ClientId) {
    let choice = world.client_mut(who).take_question().expect("a question").confirmed_by_user();
    assert_eq!(choice.chat().0.as_str(), BOB);
    world.feed(who, Input::SetPolicy(ChatId(BOB.into()), Policy::Optional(choice)));
}
/// "At any point any party may revert their decision": by writing encrypted words again, with the device that had said so.
#[test]
fn who_writes_encrypted_again_is_written_to_encrypted_again() {
    let (mut world, alice, bob) = friends(16);
    let tablet = world.join(BOB, omemo);
    world.run();
    world.send(alice, BOB, "to both");
    world.send(tablet, ALICE, "from the tablet");
    world.run();
    say(&mut world, bob, ALICE, Kind::Other, OPT_OUT);
    say(&mut world, bob, ALICE, Kind::Receipt, DISPLAYED);
    world.send(tablet, ALICE, "knows nothing of it");
    world.run();
    assert!(opt_out(&mut world, alice).is_some());
    world.send(bob, ALICE, "forget it");
    world.run();
    assert_eq!(opt_out(&mut world, alice), None);
    let id = world.send(alice, BOB, "good");
    world.run();
    assert_eq!(not_sent(&world, alice, &id), None);
    assert!(!of(&world, &id)[0].in_clear);
}
/// Nobody else stops a chat: not a device that is not trusted, not in clear, not one of our own.
#[test]
fn only_a_trusted_device_of_the_contact_stops_a_chat() {
    let (mut world, alice, mut bob) = talking::<Omemo2>(17);
    let element = bob.sealed_element(&envelope("<body xmlns='jabber:client'>x</body>"));
    bob.send(&mut world, &format!("{element}{OPT_OUT}"));
    bob.send(&mut world, OPT_OUT);
    assert_eq!((opt_out(&mut world, alice), warnings(&world, alice)), (None, vec![]));
    let (theirs, shown_key) = (Device::of(&BOB.into(), bob.id), Fingerprint(bob.identity.public().fingerprint()));
    world.feed(alice, Input::SetTrust(theirs.clone(), shown_key, Trust::Undecided));
    let element = bob.sealed_element(&envelope(OPT_OUT));
    bob.send(&mut world, &element);
    assert_eq!((last(&world, alice).1.as_str(), opt_out(&mut world, alice), warnings(&world, alice)), (OPT_OUT, None, vec![]));
    world.feed(alice, Input::SetTrust(theirs, shown_key, Trust::Trusted));
    let element = bob.sealed_element(&envelope("<opt-out xmlns='urn:xmpp:omemo:2'/>"));
    bob.send(&mut world, &element);
    assert_eq!((opt_out(&mut world, alice).as_deref(), warnings(&world, alice).len()), (Some(""), 1));
    // the same again is the same
    let element = bob.sealed_element(&envelope(OPT_OUT));
    bob.send(&mut world, &element);
    // both sides may say it
    let id = say(&mut world, alice, BOB, Kind::Other, OPT_OUT);
    assert_eq!(not_sent(&world, alice, &id), None);
    let heard = bob.hear(&world).pop().unwrap();
    assert!(String::from_utf8(sce::parse(&heard.plain.unwrap()).unwrap().content.to_vec()).unwrap().contains("<opt-out xmlns='urn:xmpp:omemo:2'>"));
}
