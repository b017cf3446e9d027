//! `urn:xmpp:omemo:2` as it is spoken.
use crate::common::*;
use crate::puppet::*;
use subrosa_engine::*;
use subrosa_omemo::wire::Version;
use subrosa_omemo::wire::device_list::{self, ListedDevice};
use subrosa_ratchet::Omemo2;

const NS: &str = "urn:xmpp:omemo:2";

/// An envelope as somebody else writes it.
fn envelope(content: &str, affixes: &str) -> Vec<u8> {
    format!("<envelope xmlns='urn:xmpp:sce:1'><content>{content}</content>{affixes}</envelope>").into_bytes()
}
fn body(text: &str) -> String {
    format!("<body xmlns='jabber:client'>{text}</body>")
}

/// The bytes are an exchange; the attribute is there the first time only.
#[test]
fn quirk_qxmpp_forgets_kex_when_it_repeats() {
    let (mut world, alice, mut qxmpp) = meet::<Omemo2>(1);
    qxmpp.initiate(&world);
    qxmpp.say(&mut world, "one");
    let plain = qxmpp.plain(&world, "two");
    let element = qxmpp.sealed_element(&plain);
    assert!(element.contains(" kex='true'"));
    qxmpp.send(&mut world, &element.replace(" kex='true'", ""));
    assert_eq!((texts(&world, alice), unread(&world, alice)), (vec!["one".into(), "two".into()], vec![]));
}
/// It stops encrypting after so many stanzas to which nothing came back. Who only reads answers at the 53rd.
#[test]
fn quirk_qxmpp_stops_after_106_without_an_answer() {
    let (mut world, alice, mut qxmpp) = talking::<Omemo2>(2);
    let mut unanswered = 0;
    for n in 0..200 {
        qxmpp.say(&mut world, &n.to_string());
        unanswered = if qxmpp.hear(&world).is_empty() { unanswered + 1 } else { 0 };
        assert!(unanswered < 106, "{n}");
    }
    assert_eq!(texts(&world, alice).len(), 202);
}
/// A heartbeat for every message from the 53rd on, until the ratchet turns: each is silent, and none is answered.
#[test]
fn quirk_twomemo_beats_for_every_message_from_53_on() {
    let (mut world, alice, mut twomemo) = talking::<Omemo2>(3);
    let (shown, mut empty) = (texts(&world, alice).len(), 0);
    for n in 0..70 {
        world.send(alice, BOB, &n.to_string());
        if n % 8 == 7 {
            world.run();
        }
    }
    world.run();
    for (n, heard) in twomemo.hear(&world).iter().enumerate() {
        empty += usize::from(heard.plain.is_none());
        if n >= 53 {
            twomemo.say_nothing(&mut world, 32);
        }
    }
    empty += twomemo.hear(&world).len();
    assert_eq!((texts(&world, alice).len(), unread(&world, alice), empty), (shown, vec![], 0));
}
#[test]
fn quirk_twomemo_empty_messages_are_32_zeros() {
    let (mut world, alice, mut twomemo) = meet::<Omemo2>(4);
    twomemo.initiate(&world);
    twomemo.say_nothing(&mut world, 32);
    let answer = twomemo.hear(&world).pop().unwrap();
    assert_eq!((answer.material, answer.plain), (vec![0; 32], None));
    assert_eq!((texts(&world, alice), unread(&world, alice)), (vec![], vec![]));
}
/// No `time`, little padding, `from` or not.
#[test]
fn quirk_converse_envelopes() {
    let (mut world, alice, mut converse) = talking::<Omemo2>(5);
    for (text, affixes) in [
        ("one", "<rpad>x</rpad><from jid='bob@example.org'/>".to_owned()),
        ("two", format!("<rpad>{}</rpad>", "z".repeat(100))),
        ("three", "<from jid='bob@example.org'/><rpad/><to jid='alice@example.org'/>".to_owned()),
        ("four", String::new()),
    ] {
        let element = converse.sealed_element(&envelope(&body(text), &affixes));
        converse.send(&mut world, &element);
        assert_eq!(texts(&world, alice).last().unwrap(), text);
    }
    assert_eq!(unread(&world, alice), []);
}
/// XEP-0420 §7 forbids it; it is not the message.
#[test]
fn quirk_converse_sends_a_fallback_body() {
    let (mut world, alice, mut converse) = talking::<Omemo2>(6);
    let plain = converse.plain(&world, "the message");
    let element = converse.sealed_element(&plain);
    let fallback = "This is an OMEMO encrypted message which your client doesn't seem to support.";
    converse.send(
        &mut world,
        &format!(
            "{}{element}<store xmlns='urn:xmpp:hints'/><encryption xmlns='urn:xmpp:eme:0' namespace='{NS}'/>",
            body(fallback).replace('\'', "\"")
        ),
    );
    assert_eq!((texts(&world, alice).last().unwrap().as_str(), unread(&world, alice)), ("the message", vec![]));
    // and where it is not for us, it is not shown in its place
    let shown = texts(&world, alice).len();
    let element = element.replace(&format!("rid='{}'", converse.alice.id), "rid='1'");
    converse.send(&mut world, &format!("{}{element}", body(fallback)));
    assert_eq!((texts(&world, alice).len(), unread(&world, alice)), (shown, vec![Reason::NotForThisDevice]));
}
/// One message to all devices of the chat, whoever of them it is for.
#[test]
fn quirk_converse_beats_to_all_devices_of_a_chat() {
    let (mut world, alice, mut converse) = talking::<Omemo2>(7);
    let (_, data) = converse.key(&[0; 32]);
    let key = |rid: &str, data: &[u8]| format!("<key rid='{rid}'>{}</key>", base64(data));
    let ours = key(&converse.alice.id.to_string(), &data);
    let others = key("1", b"\x0a\x01x");
    for (in_ours, in_theirs) in [(format!("{others}{ours}"), others.clone()), (others.clone(), others.clone())] {
        let xml = format!(
            "<encrypted xmlns='{NS}'><header sid='{}'><keys jid='{ALICE}'>{in_ours}</keys><keys jid='{BOB}'>{in_theirs}</keys></header></encrypted>",
            converse.id
        );
        converse.send(&mut world, &xml);
    }
    assert_eq!((texts(&world, alice).len(), unread(&world, alice)), (2, vec![]));
}
/// It writes the list without the labels of others. That is theirs to repair, not ours to fight about.
#[test]
fn quirk_converse_drops_labels() {
    let (mut world, alice, _) = alone::<Omemo2>(8);
    let ours = number(&device(&mut world, alice));
    let writes = |world: &World| {
        let list = |r: &Request| matches!(r, Request::Publish { node, .. } if node.name == Version::Omemo2.device_list_node());
        world.server.requests().iter().filter(|(_, r)| list(r)).count()
    };
    let before = writes(&world);
    let labelled = ListedDevice { id: 77, label: Some("Telefon".into()), labelsig: Some("AAAA".into()) };
    for list in [[ListedDevice::new(ours), labelled], [ListedDevice::new(ours), ListedDevice::new(77)]] {
        let xml = device_list::write(Version::Omemo2, &list);
        world.publish_as(ALICE, Version::Omemo2.device_list_node(), Some("current"), Keep::One, &xml);
        world.run_for(60_000);
    }
    assert_eq!(writes(&world), before);
}
/// What it shows as a fingerprint is another form of the key: ours is the one that the specification and everybody else shows.
#[test]
fn quirk_converse_shows_the_ed25519_key() {
    let (mut world, alice, converse) = talking::<Omemo2>(9);
    let shown = devices(&mut world, alice, BOB)[0].key.unwrap();
    let ed25519: [u8; 32] = *converse.identity.public().to_wire::<Omemo2>().last_chunk().unwrap();
    assert_eq!(shown.0, converse.identity.public().fingerprint());
    assert_ne!(shown.0, ed25519);
    let (as_edwards, as_montgomery) = (curve25519_dalek::edwards::CompressedEdwardsY(ed25519), curve25519_dalek::MontgomeryPoint(shown.0));
    assert_eq!(as_edwards.decompress().unwrap().to_montgomery(), as_montgomery, "one key in two forms");
}
/// The words are read. That they replace others is nothing that counts outside of the envelope, until the exception is made for it.
#[test]
fn quirk_converse_replaces_in_clear() {
    let (mut world, alice, mut converse) = talking::<Omemo2>(10);
    let plain = converse.plain(&world, "better words");
    let element = converse.sealed_element(&plain);
    converse.send(&mut world, &format!("{element}<replace xmlns='urn:xmpp:message-correct:0' id='puppet1'/>"));
    assert_eq!(texts(&world, alice), ["hello", "fine", "better words"]);
}
/// It encrypts bare words: not an envelope, so not a message (XEP-0420 §10).
#[test]
fn quirk_slixmpp_has_no_envelope() {
    let (mut world, alice, mut slixmpp) = talking::<Omemo2>(11);
    for (n, plain) in
        ["bare words", "<body xmlns='jabber:client'>a body</body>", "<envelope xmlns='urn:xmpp:sce:0'><content/></envelope>"].iter().enumerate()
    {
        let element = slixmpp.sealed_element(plain.as_bytes());
        slixmpp.send(&mut world, &element);
        assert_eq!((texts(&world, alice).len(), unread(&world, alice)), (2, vec![Reason::Malformed; n + 1]));
    }
}
/// Addresses in envelopes are bare (XEP-0420 §4); the examples with IQs have them full.
#[test]
fn quirk_examples_name_full_addresses() {
    let (mut world, alice, mut other) = talking::<Omemo2>(12);
    for (from, to, fits) in [
        ("bob@example.org/phone", "alice@example.org/balcony", true),
        ("Bob@Example.org", "ALICE@example.org", true),
        ("bob@example.org.evil", "alice@example.org", false),
        ("mallory@example.org/bob@example.org", "alice@example.org", false),
        ("bob@example.org", "carol@example.org", false),
        ("", "alice@example.org", false),
    ] {
        let (shown, refused) = (texts(&world, alice).len(), unread(&world, alice).len());
        let element = other.sealed_element(&envelope(&body("hi"), &format!("<rpad/><from jid='{from}'/><to jid='{to}'/>")));
        other.send(&mut world, &element);
        assert_eq!(texts(&world, alice).len() - shown, usize::from(fits), "{from} {to}");
        assert_eq!(unread(&world, alice)[refused..], vec![Reason::EnvelopeMismatch; usize::from(!fits)], "{from} {to}");
    }
}
/// Ids from 0 are not Converse's legacy alone.
#[test]
fn quirk_converse_counts_from_0_in_both_versions() {
    let (mut world, alice, mut converse) = alone::<Omemo2>(13);
    converse.id = 0;
    converse.signed[0].0 = 0;
    converse.one_time.truncate(1);
    converse.one_time[0].0 = 0;
    converse.publish(&mut world);
    world.send(alice, BOB, "hello");
    world.run();
    assert_eq!(converse.hear(&world)[0].text(), "hello");
    converse.say(&mut world, "from nought");
    assert_eq!(texts(&world, alice), ["from nought"]);
}
