//! Rules of XEP-0384 and XEP-0420 that no other test here is about. docs/omemo-rules.md lists them all, with the tests of all.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, clippy::arithmetic_side_effects)]
mod common;
#[path = "quirks/puppet.rs"]
mod puppet;
use common::*;
use puppet::*;
use std::collections::HashSet;
use subrosa_engine::*;
use subrosa_omemo::wire::Version;
use subrosa_omemo::wire::device_list::ListedDevice;
use subrosa_ratchet::{KeyPair, Legacy, Omemo2};
use subrosa_testkit::ClientId;

const DAY: u64 = 24 * 60 * 60_000;

/// What Alice asked of Bob's nodes.
fn asked(world: &World, of: &str) -> usize {
    let fetch = |r: &Request| matches!(r, Request::Fetch(node) if node.owner.as_str() == BOB && node.name.contains(of));
    world.server.requests().iter().filter(|(from, r)| from.as_str() == ALICE && fetch(r)).count()
}
fn bundles(version: Version) -> &'static str {
    if version == Version::Omemo2 { "urn:xmpp:omemo:2:bundles" } else { "axolotl.bundles" }
}
fn envelope(content: &str, affixes: &str) -> Vec<u8> {
    format!("<envelope xmlns='urn:xmpp:sce:1'><content>{content}</content>{affixes}</envelope>").into_bytes()
}
const HI: &str = "<body xmlns='jabber:client'>hi</body>";

/// XEP-0384 §5.5.2.
#[test]
fn only_devices_on_the_list_get_a_key() {
    let (mut world, alice, mut bob) = talking::<Omemo2>(1);
    let gone = Device::of(&BOB.into(), bob.id);
    bob.publish_list(&mut world, &[ListedDevice::new(1)]);
    let id = world.send(alice, BOB, "not for it");
    world.run();
    assert!(bob.hear(&world).is_empty());
    assert!(report(&world, alice, &id).iter().all(|line| line.device != gone), "nor is it spoken of");
    // what it writes is still read
    bob.say(&mut world, "still here");
    assert_eq!(texts(&world, alice).last().unwrap(), "still here");
    bob.publish_list(&mut world, &[ListedDevice::new(bob.id)]);
    world.send(alice, BOB, "for it again");
    world.run();
    assert_eq!(bob.hear(&world).last().unwrap().text(), "for it again");
}
/// XEP-0384 §6: a session is built when there is something to say.
#[test]
fn a_new_device_is_not_asked_for_its_keys_before_a_message() {
    let (mut world, alice, _) = meet::<Omemo2>(2);
    world.run_for(DAY);
    assert_eq!(asked(&world, bundles(Version::Omemo2)), 0);
    world.send(alice, BOB, "hello");
    world.run();
    assert_eq!(asked(&world, bundles(Version::Omemo2)), 1);
}
/// XEP-0384 §8: a message that does not decrypt starts nothing. Legacy clients expect that it does: once for each connection.
#[test]
fn no_session_is_started_because_a_message_does_not_decrypt() {
    fn check<P: Speaks>(seed: u64) {
        let heals = usize::from(P::VERSION == Version::Legacy);
        let (mut world, alice, mut bob) = talking::<P>(seed);
        bob.hear(&world);
        let fetched = asked(&world, bundles(P::VERSION));
        for n in 1..=3 {
            let sealed = bob.seal(b"damaged");
            let (_, mut data) = bob.key(&sealed.material);
            let middle = data.len() - 20;
            data[middle] ^= 1;
            let element = bob.element(false, &data, &sealed.iv, Some(&sealed.payload));
            bob.send(&mut world, &element);
            assert_eq!(unread(&world, alice), vec![Reason::Damaged; n]);
        }
        world.run_for(DAY);
        assert_eq!(asked(&world, bundles(P::VERSION)), fetched + heals);
        let heard = bob.hear(&world);
        assert!(heard.len() == heals && heard.iter().all(|heard| heard.kex));
        bob.say(&mut world, "as before");
        assert_eq!(texts(&world, alice).last().unwrap(), "as before");
    }
    check::<Omemo2>(3);
    check::<Legacy>(3);
}
/// XEP-0384 §6: kept prekeys make an answer to each exchange a must.
#[test]
fn each_exchange_of_a_catch_up_is_answered_at_once() {
    fn check<P: Speaks>(seed: u64) {
        let (mut world, alice, mut bob) = meet::<P>(seed);
        world.feed(alice, Input::CatchUp { running: true });
        world.run();
        let bundle = published(&world, ALICE, number(&bob.alice), P::VERSION).unwrap();
        for n in 1..=3 {
            bob.initiate_with(&bundle); // with the same prekey each time
            bob.say(&mut world, &n.to_string());
            let answer = bob.hear(&world);
            assert_eq!((answer.len(), answer[0].plain.is_none(), answer[0].kex), (1, true, false), "{n}");
        }
        assert_eq!((texts(&world, alice).len(), unread(&world, alice)), (3, vec![]));
        world.feed(alice, Input::CatchUp { running: false });
        world.run();
        bob.initiate_with(&bundle);
        bob.say(&mut world, "too late");
        assert_eq!(unread(&world, alice), [Reason::UnknownPreKey]);
    }
    check::<Omemo2>(4);
    check::<Legacy>(4);
}
/// XEP-0384 §6: the list may have changed unseen; but not at every message.
#[test]
fn a_sender_on_no_list_makes_us_ask_for_the_list() {
    let (mut world, alice, mut bob) = talking::<Omemo2>(5);
    let lists = |world: &World| asked(world, Version::Omemo2.device_list_node());
    // a push that gets lost
    world.notify(|_| false);
    world.run_for(10 * 60_000);
    let before = lists(&world);
    bob.say(&mut world, "listed");
    assert_eq!(lists(&world), before);
    let listed = bob.id;
    bob.id = 4712;
    bob.publish_list(&mut world, &[ListedDevice::new(listed), ListedDevice::new(bob.id)]);
    bob.session = None;
    bob.initiate(&world);
    for n in 1..=3 {
        bob.say(&mut world, "new");
        assert_eq!(texts(&world, alice).len(), 3 + n);
    }
    assert_eq!(lists(&world), before + 1);
    assert_eq!(devices(&mut world, alice, BOB).iter().filter(|d| d.listed).count(), 2);
    // one that is on no list at all
    bob.id = 4713;
    for wait in [61_000, 0, 61_000] {
        world.run_for(wait);
        bob.say_nothing(&mut world, 32);
    }
    assert_eq!(lists(&world), before + 3);
}
/// XEP-0384 §5.4.
#[test]
fn the_prekey_is_picked_at_random() {
    let mut picked = HashSet::new();
    for seed in 0..12 {
        let (mut world, alice, mut bob) = meet::<Omemo2>(seed);
        let all = bob.one_time.clone();
        world.send(alice, BOB, "hello");
        world.run();
        // only one of them opens it
        let opens = all.into_iter().find(|one| {
            let mut only = Puppet::<Omemo2>::new(seed, bob.alice.clone());
            only.one_time = vec![one.clone()];
            std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| only.hear(&world))).is_ok()
        });
        picked.insert(opens.unwrap().0);
        assert_eq!(bob.hear(&world)[0].text(), "hello");
    }
    assert!(picked.len() > 5, "{picked:?}");
}
/// XEP-0384 §4.2.
#[test]
fn an_exchange_without_a_prekey_is_refused() {
    let (mut world, alice, mut bob) = meet::<Omemo2>(7);
    bob.initiate(&world);
    let plain = bob.plain(&world, "no prekey");
    let sealed = bob.seal(&plain);
    let (_, data) = bob.key(&sealed.material);
    assert_eq!(data[0], 0x08, "field 1 is the prekey's number");
    let after = 2 + data[1..].iter().position(|byte| byte & 0x80 == 0).unwrap();
    for data in [&data[after..], &[[0x08, 0].as_slice(), &data[after..]].concat()] {
        let element = bob.element(true, data, &sealed.iv, Some(&sealed.payload));
        bob.send(&mut world, &element);
    }
    assert_eq!((texts(&world, alice), unread(&world, alice)), (vec![], vec![Reason::Malformed, Reason::UnknownPreKey]));
    assert!(bob.hear(&world).is_empty() && !devices(&mut world, alice, BOB)[0].has_session);
    let element = bob.element(true, &data, &sealed.iv, Some(&sealed.payload));
    bob.send(&mut world, &element);
    assert_eq!(texts(&world, alice), ["no prekey"], "with its number it was fine");
}
/// XEP-0384 §4.2: the signed prekey of before the rotation serves one period more.
#[test]
fn a_signed_prekey_serves_one_period_after_its_rotation() {
    let (mut world, alice, mut bob) = meet::<Omemo2>(8);
    let old = published(&world, ALICE, number(&bob.alice), Version::Omemo2).unwrap();
    world.run_for(15 * DAY);
    let new = published(&world, ALICE, number(&bob.alice), Version::Omemo2).unwrap();
    assert_ne!(old.signed_prekey, new.signed_prekey);
    bob.initiate_with(&old);
    bob.say(&mut world, "late");
    assert_eq!(texts(&world, alice), ["late"]);
    world.run_for(14 * DAY);
    let mut bundle = old;
    bundle.prekeys.remove(0);
    bob.initiate_with(&bundle);
    bob.say(&mut world, "too late");
    assert_eq!((texts(&world, alice).len(), unread(&world, alice)), (1, vec![Reason::UnknownPreKey]));
}
/// XEP-0384 §4.3: the newest of two exchanges is the session, whichever was there.
#[test]
fn a_new_exchange_replaces_the_session() {
    fn check<P: Speaks>(seed: u64) {
        let (mut world, alice, mut bob) = talking::<P>(seed);
        for round in 0..3 {
            bob.session = None;
            bob.initiate(&world);
            bob.say(&mut world, "anew");
            bob.hear(&world);
            world.send(alice, BOB, "so be it");
            world.run();
            assert_eq!(bob.hear(&world).last().unwrap().text(), "so be it", "{round}");
        }
        assert_eq!(unread(&world, alice), []);
    }
    check::<Omemo2>(9);
    check::<Legacy>(9);
}
/// XEP-0384 §8: what an undecided device writes can be read and is marked; it gets nothing but an empty message.
#[test]
fn an_undecided_device_is_read_and_gets_no_words() {
    let mut world = World::new(10);
    let alice = world.join(ALICE, manual);
    world.run();
    let mut bob = Puppet::<Omemo2>::new(10, device(&mut world, alice));
    bob.publish(&mut world);
    bob.initiate(&world);
    bob.say(&mut world, "who am i?");
    let trust = world.client(alice).events().iter().find_map(|e| match e {
        Event::Message { message, .. } => message.sender().map(|sender| sender.trust),
        _ => None,
    });
    assert_eq!(trust, Some(Trust::Undecided));
    let id = world.send(alice, BOB, "a secret");
    world.run();
    assert_eq!(not_sent(&world, alice, &id), Some(Reason::NoDevice));
    let heard = bob.hear(&world);
    assert_eq!((heard.len(), heard[0].plain.is_none(), heard[0].material.as_slice()), (1, true, [0; 32].as_slice()));
}
/// XEP-0420 §10: one that anybody on the way can have written is none, whatever else was chosen for the chat.
#[test]
fn an_envelope_in_clear_is_refused() {
    let (mut world, alice, mut bob) = meet::<Omemo2>(11);
    let clear = String::from_utf8(envelope(HI, "<rpad/><from jid='bob@example.org'/>")).unwrap();
    for children in [clear.clone(), format!("{HI}{clear}"), format!("{clear}<encryption xmlns='urn:xmpp:eme:0' namespace='urn:xmpp:omemo:2'/>")] {
        let before = unread(&world, alice).len();
        bob.send(&mut world, &children);
        assert_eq!((texts(&world, alice), &unread(&world, alice)[before..]), (vec![], [Reason::Malformed].as_slice()), "{children}");
    }
    // beside what is encrypted it is not seen
    bob.initiate(&world);
    let plain = bob.plain(&world, "the words");
    let element = bob.sealed_element(&plain);
    bob.send(&mut world, &format!("{clear}{element}"));
    assert_eq!((texts(&world, alice), unread(&world, alice).len()), (vec!["the words".into()], 3));
}
/// XEP-0420 §9, §10: sensitive elements count inside only, those for servers outside only.
#[test]
fn elements_count_where_they_belong() {
    let (mut world, alice, mut bob) = talking::<Omemo2>(12);
    let forbidden = "<store xmlns='urn:xmpp:hints'/><no-copy xmlns='urn:xmpp:hints'/><stanza-id xmlns='urn:xmpp:sid:0' id='1' by='alice@example.org'/>\
                     <addresses xmlns='http://jabber.org/protocol/address'><address type='to' jid='eve@example.org'/></addresses>\
                     <encryption xmlns='urn:xmpp:eme:0' namespace='urn:xmpp:omemo:2'/>";
    let content = |world: &World, alice: ClientId| {
        let of = |e: &Event| if let Event::Message { message, .. } = e { Some(message.plaintext().bytes().to_vec()) } else { None };
        String::from_utf8(world.client(alice).events().iter().rev().find_map(of).unwrap()).unwrap()
    };
    let element = bob.sealed_element(&envelope(&format!("{forbidden}<x xmlns='jabber:x:oob'><url>u</url></x>"), "<rpad/>"));
    bob.send(&mut world, &format!("{element}<x xmlns='jabber:x:oob'><url>of the server</url></x>{HI}<subject>its subject</subject>"));
    assert_eq!(content(&world, alice), "<x xmlns='jabber:x:oob'><url>u</url></x>");
    // nothing but those: a message in which nothing is
    let (shown, refused) = (texts(&world, alice), unread(&world, alice));
    let element = bob.sealed_element(&envelope(forbidden, "<rpad/>"));
    bob.send(&mut world, &format!("{element}{HI}"));
    assert_eq!((texts(&world, alice), unread(&world, alice)), (shown, refused));
    // a body of no namespace but the envelope's own is none
    let element = bob.sealed_element(&envelope("<body>not a body</body>", "<rpad/>"));
    bob.send(&mut world, &element);
    assert!(content(&world, alice).contains("urn:xmpp:sce:1"), "handed on as what it is");
}
/// XEP-0420 §4: longer padding than ours, and none, is no reason to refuse; nor are affixes that we do not know.
#[test]
fn padding_of_any_length_is_accepted() {
    let (mut world, alice, mut bob) = talking::<Omemo2>(13);
    for affixes in
        ["".into(), "<rpad/>".into(), format!("<rpad>{}</rpad>", "%^!".repeat(20_000)), "<mood xmlns='urn:new'>fine</mood><rpad>x</rpad>".into()]
    {
        let element = bob.sealed_element(&envelope(HI, &affixes));
        bob.send(&mut world, &element);
        assert_eq!((texts(&world, alice).pop().unwrap(), unread(&world, alice)), ("hi".into(), vec![]));
    }
}
/// XEP-0420 §4: the time in the envelope is compared with the one of the stanza, which a delay or an archive has stamped.
#[test]
fn the_envelopes_time_is_compared_with_the_stanzas() {
    let (mut world, alice, mut bob) = talking::<Omemo2>(14);
    let now = world.now();
    for (claimed, sent, fits) in
        [(now.0, now.0, true), (now.0 - 30 * DAY, now.0 - 30 * DAY, true), (now.0 - 30 * DAY, now.0, false), (now.0, now.0 - 30 * DAY, false)]
    {
        let content = subrosa_omemo::wire::sce::text("hi");
        let plain = subrosa_omemo::wire::sce::Outgoing { content: &content, from: BOB, to: Some(ALICE), time: Time(claimed) };
        let plain = subrosa_omemo::wire::sce::write(&plain, &mut bob.rng).to_vec();
        let body = bob.sealed_element(&plain).into_bytes();
        let (before, refused) = (texts(&world, alice).len(), unread(&world, alice).len());
        receive(&mut world, alice, BOB, Time(sent), body);
        assert_eq!((texts(&world, alice).len() - before, unread(&world, alice).len() - refused), (usize::from(fits), usize::from(!fits)));
    }
    assert!(unread(&world, alice).iter().all(|why| *why == Reason::EnvelopeMismatch));
}
/// What waited with its sender says in clear since when (XEP-0203). That it does is no reason to believe the envelope's: one of both fits.
#[test]
fn the_envelopes_time_is_compared_with_when_it_was_written_too() {
    let (mut world, alice, mut bob) = talking::<Omemo2>(15);
    let now = world.now();
    let content = subrosa_omemo::wire::sce::text("hi");
    let mut plain = |time: u64| {
        let plain = subrosa_omemo::wire::sce::Outgoing { content: &content, from: BOB, to: Some(ALICE), time: Time(time) };
        subrosa_omemo::wire::sce::write(&plain, &mut bob.rng).to_vec()
    };
    let stamp_of = |plain: &[u8]| {
        let text = String::from_utf8_lossy(plain).into_owned();
        text.split_once("<time stamp='").unwrap().1.split_once('\'').unwrap().0.to_owned()
    };
    let (old, older, new) = (plain(now.0 - 51 * DAY / 24), plain(now.0 - 30 * DAY), plain(now.0));
    let [at_old, at_older] = [&old, &older].map(|plain| stamp_of(plain));
    let delay = |stamp: &str| format!("<delay xmlns='urn:xmpp:delay' stamp='{stamp}'/>");
    for (plain, delay, fits) in [
        (&old, delay(&at_old), true),
        (&old, String::new(), false),
        (&older, delay(&at_old), false),
        (&older, delay(&at_older) + &delay(&at_old), true),
        (&old, delay("yesterday"), false),
        (&new, delay(&at_older), true),
    ] {
        let body = format!("{}{delay}", bob.sealed_element(plain)).into_bytes();
        let before = texts(&world, alice).len();
        receive(&mut world, alice, BOB, now, body);
        assert_eq!(texts(&world, alice).len() - before, usize::from(fits), "{delay}");
    }
}
fn receive(world: &mut World, alice: ClientId, chat: &str, sent: Time, body: Vec<u8>) {
    let id = MessageId(format!("direct{}", body.iter().map(|b| u64::from(*b)).sum::<u64>()).into());
    let (chat, from, headers) = (ChatId(chat.into()), BOB.into(), Headers::default());
    let (kind, content_type) = (Kind::Text, ContentType::STANZA);
    world.feed(alice, Input::Receive { id, chat, from, sent, kind, content_type, body, headers, answer_by: None });
    world.run();
}
/// XEP-0384 §5.5.1: what is written to a room is not taken for a message to us alone, nor the other way round.
#[test]
fn a_rooms_envelope_names_the_room() {
    const ROOM: &str = "room@conference.example.org";
    let (mut world, alice, mut bob) = talking::<Omemo2>(15);
    let now = world.now();
    for (chat, to, fits) in [
        (ROOM, Some(ROOM), true),
        (ROOM, Some(ALICE), false),
        (ROOM, Some("other@conference.example.org"), false),
        (ROOM, None, false),
        (BOB, Some(ROOM), false),
        (BOB, Some(ALICE), true),
        (BOB, None, true),
    ] {
        let affixes = to.map(|to| format!("<to jid='{to}'/>")).unwrap_or_default();
        let body = bob.sealed_element(&envelope(HI, &format!("<rpad/><from jid='{BOB}'/>{affixes}"))).into_bytes();
        let (before, refused) = (texts(&world, alice).len(), unread(&world, alice).len());
        receive(&mut world, alice, chat, now, body);
        assert_eq!(texts(&world, alice).len() - before, usize::from(fits), "{chat} {to:?}");
        assert_eq!(unread(&world, alice)[refused..], vec![Reason::EnvelopeMismatch; usize::from(!fits)], "{chat} {to:?}");
    }
}
/// XEP-0384 §5.5.1, XEP-0420 §4: what we write has all affixes, the addresses bare.
#[test]
fn our_envelope_names_sender_recipient_and_time() {
    let (mut world, alice, mut bob) = meet::<Omemo2>(16);
    world.send(alice, BOB, "hello");
    let now = world.now();
    world.run();
    let plain = bob.hear(&world).pop().unwrap().plain.unwrap();
    let read = subrosa_omemo::wire::sce::parse(&plain).unwrap();
    assert_eq!((read.from.as_deref(), read.to.as_deref(), read.padded), (Some(ALICE), Some(BOB), true));
    assert!(read.time.unwrap().0.abs_diff(now.0) < 10_000);
}
/// XEP-0384 §5.1: the id is not one that the account has already.
#[test]
fn a_taken_device_id_is_not_drawn() {
    let mut world = World::new(17);
    let alice = world.join(ALICE, omemo);
    world.run();
    let drawn = number(&device(&mut world, alice));
    // the same randomness on an account that has a device of this number already
    let mut again = World::new(17);
    let list = subrosa_omemo::wire::device_list::write(Version::Legacy, &[ListedDevice::new(drawn)]);
    again.publish_as(ALICE, Version::Legacy.device_list_node(), Some("current"), Keep::One, &list);
    let alice = again.join(ALICE, omemo);
    again.run();
    assert_ne!(number(&device(&mut again, alice)), drawn);
}
/// XEP-0384 §5.3.2, 0.3.0 §4.3: numbers of keys are 1…2³¹−1, and there are always a hundred.
#[test]
fn published_keys_have_numbers_from_1_and_are_enough() {
    let (mut world, _, mut bob) = meet::<Omemo2>(18);
    let id = number(&bob.alice);
    for _ in 0..3 {
        for version in Version::ALL {
            let bundle = published(&world, ALICE, id, version).unwrap();
            let ids: HashSet<u32> = bundle.prekeys.iter().map(|(id, _)| *id).collect();
            assert_eq!((ids.len(), bundle.prekeys.len()), (100, 100));
            assert!(ids.iter().chain([&bundle.signed_prekey_id]).all(|id| (1..=0x7fff_ffff).contains(id)));
        }
        bob.session = None;
        bob.initiate(&world);
        bob.say(&mut world, "one prekey less");
    }
}
/// XEP-0384 §8 and 0.3.0 §7: a prekey serves once, and is not given to two.
#[test]
fn a_used_prekey_opens_no_second_session() {
    fn check<P: Speaks>(seed: u64) {
        let (mut world, alice, mut bob) = meet::<P>(seed);
        world.run_for(DAY); // nothing late can come
        let bundle = published(&world, ALICE, number(&bob.alice), P::VERSION).unwrap();
        bob.initiate_with(&bundle);
        bob.say(&mut world, "one");
        assert!(!published(&world, ALICE, number(&bob.alice), P::VERSION).unwrap().prekeys.contains(&bundle.prekeys[0]));
        bob.initiate_with(&bundle);
        bob.say(&mut world, "two");
        assert_eq!((texts(&world, alice), unread(&world, alice)), (vec!["one".into()], vec![Reason::UnknownPreKey]));
    }
    check::<Omemo2>(19);
    check::<Legacy>(19);
}
/// XEP-0384 §5.3.2: the same number for a signed and a one-time prekey is no clash.
#[test]
fn signed_and_one_time_prekeys_are_counted_apart() {
    let (mut world, alice, mut bob) = alone::<Omemo2>(20);
    bob.one_time = vec![(1, KeyPair::generate(&mut bob.rng))];
    assert_eq!(bob.signed[0].0, 1);
    bob.publish(&mut world);
    world.send(alice, BOB, "hello");
    world.run();
    assert_eq!(bob.hear(&world)[0].text(), "hello");
}
/// XEP-0420 §10: not even where a person allowed clear text for the chat.
#[test]
fn an_envelope_in_clear_is_no_clear_text() {
    let mut machine = Machine::new(ALICE.into());
    omemo(&mut machine);
    let (mut store, mut rng) = (MemoryStore::default(), subrosa_testkit::Seeded::new(21));
    let mut feed = |input: Input| {
        let mut step = machine.begin(Time(1_000), &mut rng);
        step.feed(input);
        step.commit(&mut store).unwrap().into_iter().map(|(_, output)| output).collect::<Vec<_>>()
    };
    let chat = || ChatId(BOB.into());
    // a receipt is encrypted by nobody, so a person is asked
    let (id, to, plain) = ("1".into(), Recipients::People(vec![BOB.into()]), Plaintext::text("x"));
    let asked = feed(Input::Send { id, chat: chat(), to, kind: Kind::Receipt, plain, headers: Headers::default() });
    let question = asked.into_iter().find_map(|output| if let Output::Event(Event::NotSent { ask, .. }) = output { ask } else { None });
    feed(Input::SetPolicy(chat(), Policy::Optional(question.unwrap().confirmed_by_user())));
    let mut receive = |id: &str, body: Vec<u8>| {
        let (headers, kind, content_type) = (Headers::default(), Kind::Text, ContentType::STANZA);
        let input =
            Input::Receive { id: id.into(), chat: chat(), from: BOB.into(), sent: Time(1_000), kind, content_type, body, headers, answer_by: None };
        feed(input).into_iter().find_map(|output| match output {
            Output::Event(Event::Message { message, .. }) => Some(Ok(message.in_clear())),
            Output::Event(Event::NotReceived { why, .. }) => Some(Err(why.reason)),
            _ => None,
        })
    };
    assert_eq!(receive("2", HI.into()), Some(Ok(true)));
    assert_eq!(receive("3", envelope(HI, "<rpad/>")), Some(Err(Reason::Malformed)));
    assert_eq!(receive("4", [HI.as_bytes(), &envelope(HI, "<rpad/>")].concat()), Some(Err(Reason::Malformed)));
}
/// XEP-0384 §5.8.2, §5.8.3: the lists of everybody are asked for, and everybody has a `<keys>` of their own, our other devices too.
#[test]
fn a_message_to_several_has_keys_for_the_devices_of_each() {
    const ROOM: &str = "room@conference.example.org";
    let (mut world, alice, mut bob) = meet::<Omemo2>(22);
    let (other, carol) = (world.join(ALICE, omemo), world.join("carol@example.org", omemo));
    world.run();
    let (phone, hers) = (device(&mut world, other), device(&mut world, carol));
    let shown = key(&mut world, other);
    world.feed(alice, Input::SetTrust(phone.clone(), shown, Trust::Verified));
    let id = world.send_to(alice, ChatId(ROOM.into()), vec![BOB.into(), "carol@example.org".into()], "hello all");
    world.run();
    let heard = bob.hear(&world).pop().unwrap();
    assert_eq!((heard.text().as_str(), heard.found.others), ("hello all", 2));
    assert_eq!(subrosa_omemo::wire::sce::parse(heard.plain.as_deref().unwrap()).unwrap().to.as_deref(), Some(ROOM));
    assert!([&phone, &hers].into_iter().all(|device| carried(&heard.stanza, device).is_some_and(|found| found.keys.len() == 1)));
    assert_eq!(report(&world, alice, &id).iter().filter(|line| line.result.is_ok()).count(), 3);
}
/// XEP-0384 §5.7: an opt-out reaches the application and stops the chat; the sessions stay, and serve when a person wants to go on.
#[test]
fn an_opt_out_is_handed_on_and_no_session_ends() {
    let (mut world, alice, mut bob) = talking::<Omemo2>(23);
    let opt_out = "<opt-out xmlns='urn:xmpp:omemo:2'><reason>A record is wanted.</reason></opt-out>";
    let element = bob.sealed_element(&envelope(opt_out, "<rpad/>"));
    bob.send(&mut world, &element);
    assert_eq!((last(&world, alice), unread(&world, alice)), ((Kind::Other, opt_out.into()), vec![]));
    let id = world.send(alice, BOB, "for your eyes only");
    world.run();
    assert_eq!(not_sent(&world, alice, &id), Some(Reason::OptedOut));
    let engine = *world.client(alice).handle();
    let chat = ChatId(BOB.into());
    assert_eq!(world.call(alice, engine, move |o, cx| o.go_on(cx, &chat)), Some(true));
    world.send(alice, BOB, "still for your eyes only");
    world.run();
    let heard = bob.hear(&world).pop().unwrap();
    assert_eq!((heard.text().as_str(), heard.kex), ("still for your eyes only", false));
    assert!(!world.server.saw(b"eyes only"));
}
