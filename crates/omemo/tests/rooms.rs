//! Rooms: everybody who is in one gets the message or is named, and where the server does not say who wrote, the key does.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, clippy::arithmetic_side_effects)]
mod common;
#[path = "quirks/puppet.rs"]
mod puppet;
use common::*;
use puppet::*;
use subrosa_engine::*;
use subrosa_omemo::wire::device_list::{self, ListedDevice};
use subrosa_omemo::wire::encrypted::Builder;
use subrosa_omemo::wire::{Version, encrypted};
use subrosa_ratchet::{Legacy, Omemo2};
use subrosa_testkit::ClientId;

const CAROL: &str = "carol@example.org";
const MALLORY: &str = "mallory@example.org";
const ROOM: &str = "room@conference.example.org";

/// The room is these people, as its server and everybody knows.
fn room(world: &mut World, members: &[&str]) {
    world.set_room(ROOM, members.iter().map(|m| Address::from(*m)));
    for client in world.clients() {
        tell(world, client, members);
    }
}
fn tell(world: &mut World, who: ClientId, members: &[&str]) {
    let members = members.iter().map(|m| Address::from(*m)).collect();
    world.feed(who, Input::Room(ChatId(ROOM.into()), Some(members)));
    world.run();
}
fn say(world: &mut World, from: ClientId, plain: Plaintext, kind: Kind) -> MessageId {
    let id = MessageId(format!("r{}-{}", world.now().0, world.stanzas().len()).into());
    let (chat, to, headers) = (ChatId(ROOM.into()), Recipients::Room, Headers::default());
    world.feed(from, Input::Send { id: id.clone(), chat, to, kind, plain, headers });
    world.run();
    id
}
fn words(world: &mut World, from: ClientId, text: &str) -> MessageId {
    say(world, from, Plaintext::text(text), Kind::Text)
}
fn leave_out(world: &mut World, who: ClientId, leave_out: bool) {
    world.feed(who, Input::LeaveOut(ChatId(ROOM.into()), leave_out));
    world.run();
}
/// Whom a message that was not sent names, and why it was not.
fn named(world: &World, who: ClientId, message: &MessageId) -> Option<(Reason, Vec<String>)> {
    world.client(who).events().iter().find_map(|e| match e {
        Event::NotSent { id, why, .. } if id == message => Some((why.reason, why.people.iter().map(|p| p.as_str().to_owned()).collect())),
        _ => None,
    })
}
fn sent(world: &World, who: ClientId, message: &MessageId) -> Option<(Vec<String>, Vec<Omission>)> {
    world.client(who).events().iter().find_map(|e| match e {
        Event::Sent { id, left_out, unsaid, .. } if id == message => Some((left_out.iter().map(|p| p.as_str().to_owned()).collect(), unsaid.clone())),
        _ => None,
    })
}
/// A stanza of the room arrives, and nobody says whose it is.
fn unnamed(world: &mut World, who: ClientId, body: Vec<u8>) {
    let now = world.now();
    let id = MessageId(format!("u{}-{}", now.0, world.client(who).events().len()).into());
    let (chat, from, headers) = (ChatId(ROOM.into()), ROOM.into(), Headers::default());
    let (kind, content_type) = (Kind::Text, ContentType::STANZA);
    world.feed(who, Input::Receive { id, chat, from, sent: now, kind, content_type, body, headers, answer_by: None });
    world.run();
}
/// What one of them writes to the room, as it travels.
fn written<P: Speaks>(by: &mut Puppet<P>, text: &str, from: Option<&str>, to: Option<&str>) -> Vec<u8> {
    let plain = match P::VERSION {
        Version::Legacy => text.as_bytes().to_vec(),
        Version::Omemo2 => {
            let affix = |name: &str, jid: Option<&str>| jid.map(|jid| format!("<{name} jid='{jid}'/>")).unwrap_or_default();
            let (from, to) = (affix("from", from), affix("to", to));
            format!("<envelope xmlns='urn:xmpp:sce:1'><content><body xmlns='jabber:client'>{text}</body></content><rpad/>{from}{to}</envelope>")
                .into_bytes()
        }
    };
    by.sealed_element(&plain).into_bytes()
}
fn authors(world: &World, who: ClientId) -> Vec<String> {
    shown(world, who).iter().map(|m| m.from().as_str().to_owned()).collect()
}
fn trusts(world: &mut World, who: ClientId, other: ClientId) {
    let (theirs, shown_key) = (device(world, other), key(world, other));
    world.feed(who, Input::SetTrust(theirs, shown_key, Trust::Verified));
}

/// XEP-0384 §5.8: a `<keys>` for each member, offline or not, and for our other devices.
#[test]
fn everybody_in_a_room_reads_it() {
    let (mut world, alice, bob) = two(1);
    let (phone, carol, bobs) = (world.join(ALICE, omemo), world.join(CAROL, omemo), world.join(BOB, omemo));
    world.run();
    trusts(&mut world, alice, phone);
    room(&mut world, &[ALICE, BOB, CAROL]);
    world.disconnect(carol);
    let id = words(&mut world, alice, "hello all");
    world.connect(carol);
    world.run();
    for who in [bob, bobs, carol, phone] {
        assert_eq!((texts(&world, who), authors(&world, who)), (vec!["hello all".into()], vec![ALICE.into()]));
    }
    assert_eq!((texts(&world, alice).len(), unread(&world, alice)), (0, vec![]), "its reflection is silent");
    assert_eq!((sent(&world, alice, &id), report(&world, alice, &id).len()), (Some((vec![], vec![])), 4));
    let stanza = std::str::from_utf8(&world.stanzas().iter().find(|s| s.id == id).unwrap().body).unwrap();
    assert!([ALICE, BOB, CAROL].iter().all(|who| stanza.matches(&format!("<keys jid='{who}'>")).count() == 1));
    // that somebody is writing is no news to their own devices
    let composing = "<composing xmlns='http://jabber.org/protocol/chatstates'></composing>";
    say(&mut world, alice, Plaintext::new(ContentType::STANZA, composing), Kind::Typing);
    assert!(
        [bob, bobs, carol].iter().all(|who| last(&world, *who).0 == Kind::Typing)
            && texts(&world, phone).len() == 1
            && unread(&world, phone).is_empty()
    );
    // and back, in one room with several sessions each
    words(&mut world, carol, "hello yourself");
    assert!([alice, phone, bob, bobs].iter().all(|who| texts(&world, *who).pop().unwrap() == "hello yourself"));
}
/// Who has no keys is named, and nothing of the message leaves before a person chose.
#[test]
fn members_without_keys_are_named_and_a_person_chooses() {
    let (mut world, alice, mut bob) = talking::<Omemo2>(2);
    room(&mut world, &[ALICE, BOB, CAROL, MALLORY]);
    let before = (world.stanzas().len(), bob.hear(&world).len());
    let id = words(&mut world, alice, "hello all");
    assert_eq!(named(&world, alice, &id), Some((Reason::MembersWithoutKeys, vec![CAROL.into(), MALLORY.into()])));
    assert_eq!((world.stanzas().len(), bob.hear(&world).len()), before);
    leave_out(&mut world, alice, true);
    let id = words(&mut world, alice, "hello Bob");
    assert_eq!(sent(&world, alice, &id), Some((vec![CAROL.into(), MALLORY.into()], vec![])));
    let heard = bob.hear(&world);
    assert_eq!((heard.len(), heard[0].text().as_str()), (1, "hello Bob"));
    // each by themselves: one who comes to have keys is left out no more
    world.join(CAROL, omemo);
    world.run();
    let id = words(&mut world, alice, "hello Carol");
    assert_eq!(sent(&world, alice, &id), Some((vec![MALLORY.into()], vec![])));
    // it can be taken back
    leave_out(&mut world, alice, false);
    let id = words(&mut world, alice, "hello all");
    assert_eq!(named(&world, alice, &id), Some((Reason::MembersWithoutKeys, vec![MALLORY.into()])));
    room(&mut world, &[ALICE, BOB, CAROL]);
    let id = words(&mut world, alice, "all of us");
    assert_eq!(sent(&world, alice, &id), Some((vec![], vec![])));
}
/// A message that nobody else could read does not leave, whatever was chosen.
#[test]
fn to_nobody_but_oneself_nothing_is_sent() {
    let mut world = World::new(3);
    let (alice, phone) = (world.join(ALICE, omemo), world.join(ALICE, omemo));
    world.run();
    trusts(&mut world, alice, phone);
    room(&mut world, &[ALICE, CAROL]);
    for leaves_out in [false, true] {
        leave_out(&mut world, alice, leaves_out);
        let id = words(&mut world, alice, "hello?");
        assert_eq!(named(&world, alice, &id), Some((Reason::MembersWithoutKeys, vec![CAROL.into()])));
    }
    assert_eq!(texts(&world, phone), Vec::<String>::new());
}
#[test]
fn alone_in_a_room_ones_other_devices_get_it() {
    let mut world = World::new(4);
    let alice = world.join(ALICE, omemo);
    world.run();
    room(&mut world, &[ALICE]);
    let id = words(&mut world, alice, "a note");
    assert_eq!(named(&world, alice, &id), Some((Reason::NoDevice, vec![])));
    let phone = world.join(ALICE, omemo);
    world.run();
    trusts(&mut world, alice, phone);
    tell(&mut world, phone, &[ALICE]);
    let id = words(&mut world, alice, "a note");
    assert_eq!((sent(&world, alice, &id), texts(&world, phone)), (Some((vec![], vec![])), vec!["a note".into()]));
}
/// A list that the server does not hand out is asked for, and its owner named.
#[test]
fn a_member_whose_list_is_not_handed_out_is_named() {
    let (mut world, alice, bob) = two(5);
    world.join(CAROL, omemo);
    world.notify(|_| false);
    world.run();
    world.server.refuse(|from, request| {
        let hers = matches!(request, Request::Fetch(node) if node.owner.as_str() == CAROL);
        (hers && from.as_str() == ALICE).then_some(RequestError::Forbidden)
    });
    room(&mut world, &[ALICE, BOB, CAROL]);
    let asked = |world: &World| {
        world
            .server
            .requests()
            .iter()
            .filter(|(from, r)| from.as_str() == ALICE && matches!(r, Request::Fetch(n) if n.owner.as_str() == CAROL))
            .count()
    };
    let id = words(&mut world, alice, "hello all");
    assert!(asked(&world) > 0);
    assert_eq!(named(&world, alice, &id), Some((Reason::MembersWithoutKeys, vec![CAROL.into()])));
    leave_out(&mut world, alice, true);
    let id = words(&mut world, alice, "hello Bob");
    assert_eq!((sent(&world, alice, &id), texts(&world, bob)), (Some((vec![CAROL.into()], vec![])), vec!["hello Bob".into()]));
}
/// A device that is not trusted reads nothing, so that its owner has none.
#[test]
fn a_member_whom_nobody_trusts_is_named() {
    let (mut world, alice, bob) = two(6);
    let carol = world.join(CAROL, omemo);
    world.run();
    room(&mut world, &[ALICE, BOB, CAROL]);
    let (hers, shown_key) = (device(&mut world, carol), key(&mut world, carol));
    world.feed(alice, Input::SetTrust(hers, shown_key, Trust::Untrusted));
    let id = words(&mut world, alice, "hello all");
    assert_eq!(named(&world, alice, &id), Some((Reason::MembersWithoutKeys, vec![CAROL.into()])));
    leave_out(&mut world, alice, true);
    words(&mut world, alice, "hello Bob");
    assert_eq!((texts(&world, bob), texts(&world, carol)), (vec!["hello Bob".into()], vec![]));
}
/// Who has an older device only is not without keys: they are not told what there is no form for.
#[test]
fn a_member_with_an_older_device_stops_no_reaction() {
    let (mut world, alice, mut bob) = talking::<Legacy>(7);
    let carol = world.join(CAROL, omemo);
    world.run();
    room(&mut world, &[ALICE, BOB, CAROL]);
    words(&mut world, alice, "hello all");
    assert_eq!(bob.hear(&world).pop().unwrap().text(), "hello all");
    let reaction = "<reactions xmlns='urn:xmpp:reactions:0' id='s1'><reaction>\u{1f426}</reaction></reactions>";
    let id = say(&mut world, alice, Plaintext::new(ContentType::STANZA, reaction), Kind::Other);
    assert_eq!((sent(&world, alice, &id), last(&world, carol)), (Some((vec![], vec![Omission::Reaction])), (Kind::Other, reaction.into())));
    // a receipt in a room stops for nobody
    room(&mut world, &[ALICE, BOB, CAROL, MALLORY]);
    let displayed = "<displayed xmlns='urn:xmpp:chat-markers:0' id='s1'></displayed>";
    let id = say(&mut world, alice, Plaintext::new(ContentType::STANZA, displayed), Kind::Receipt);
    assert_eq!((sent(&world, alice, &id), last(&world, carol)), (Some((vec![], vec![Omission::Receipt])), (Kind::Receipt, displayed.into())));
    assert!(bob.hear(&world).is_empty());
}
/// Affiliations change between writing and sending: whoever is in the room when the message leaves gets it.
#[test]
fn members_are_those_of_the_moment_it_leaves() {
    let (mut world, alice, bob) = two(8);
    let carol = world.join(CAROL, omemo);
    world.run();
    room(&mut world, &[ALICE, BOB]);
    // bundles are to be asked for: the message waits, and Carol comes instead of Bob
    let plain = Plaintext::text("to whoever is here");
    let (chat, headers) = (ChatId(ROOM.into()), Headers::default());
    world.feed(alice, Input::Send { id: "waits".into(), chat, to: Recipients::Room, kind: Kind::Text, plain, headers });
    while !world.client(alice).events().iter().any(|e| matches!(e, Event::Waiting { .. })) {
        assert!(world.settle());
    }
    world.set_room(ROOM, [ALICE.into(), CAROL.into()]);
    world.feed(alice, Input::Room(ChatId(ROOM.into()), Some(vec![ALICE.into(), CAROL.into()])));
    world.run();
    assert_eq!((texts(&world, bob), texts(&world, carol)), (vec![], vec!["to whoever is here".into()]));
    assert!(report(&world, alice, &"waits".into()).iter().all(|line| line.device.owner.as_str() != BOB));
}
/// XEP-0384 §5.7 is between two accounts: a room can't be stopped by one.
#[test]
fn a_room_has_no_opt_out() {
    let (mut world, alice, mut bob) = talking::<Omemo2>(9);
    room(&mut world, &[ALICE, BOB]);
    let opt_out = "<opt-out xmlns='urn:xmpp:omemo:2'/>";
    let id = say(&mut world, alice, Plaintext::new(ContentType::STANZA, opt_out), Kind::Other);
    assert_eq!(named(&world, alice, &id), Some((Reason::Unsupported, vec![])));
    let plain = format!("<envelope xmlns='urn:xmpp:sce:1'><content>{opt_out}</content><rpad/><to jid='{ROOM}'/></envelope>");
    let body = bob.sealed_element(plain.as_bytes()).into_bytes();
    unnamed(&mut world, alice, body);
    assert_eq!(last(&world, alice).0, Kind::Other);
    let id = words(&mut world, alice, "all the same");
    assert_eq!(sent(&world, alice, &id), Some((vec![], vec![])));
}

/// The session that decrypts is its owner's; an exchange is whose identity key it shows.
#[test]
fn who_wrote_is_told_by_the_key() {
    fn check<P: Speaks>(seed: u64) {
        let (mut world, alice, mut bob) = talking::<P>(seed);
        let mut carol = Puppet::<P>::new(seed + 1, bob.alice.clone());
        (carol.owner, carol.id) = (CAROL, 99);
        carol.publish(&mut world);
        room(&mut world, &[ALICE, BOB, CAROL]);
        let before = shown(&world, alice).len();
        let body = written(&mut bob, "by Bob", Some(BOB), Some(ROOM));
        unnamed(&mut world, alice, body.clone());
        assert_eq!((texts(&world, alice).pop().unwrap().as_str(), authors(&world, alice).pop().unwrap().as_str()), ("by Bob", BOB));
        let sender = shown(&world, alice).last().unwrap().sender().cloned().unwrap();
        assert_eq!((sender.device, sender.trust), (Device::of(&BOB.into(), bob.id), Trust::Trusted));
        // the same again, and one that nobody wrote
        unnamed(&mut world, alice, body);
        assert_eq!(unread(&world, alice), []);
        // Carol's key is not known yet
        carol.initiate(&world);
        let first = written(&mut carol, "by whom?", Some(CAROL), Some(ROOM));
        unnamed(&mut world, alice, first.clone());
        assert_eq!((shown(&world, alice).len(), unread(&world, alice)), (before + 1, vec![Reason::UnknownMember]));
        // we write to her and so learn of it; the very same message is hers now
        words(&mut world, alice, "hello both");
        unnamed(&mut world, alice, first);
        assert_eq!((texts(&world, alice).pop().unwrap().as_str(), authors(&world, alice).pop().unwrap().as_str()), ("by whom?", CAROL));
    }
    check::<Omemo2>(10);
    check::<Legacy>(10);
}
/// Two people may have one device id; in both forms the key tells them apart.
#[test]
fn equal_device_ids_of_different_people_are_told_apart() {
    fn check<P: Speaks>(seed: u64) {
        let (mut world, alice, mut bob) = talking::<P>(seed);
        let mut carol = Puppet::<P>::new(seed + 1, bob.alice.clone());
        carol.owner = CAROL;
        assert_eq!(carol.id, bob.id);
        carol.publish(&mut world);
        room(&mut world, &[ALICE, BOB, CAROL]);
        words(&mut world, alice, "hello both");
        bob.hear(&world);
        carol.initiate(&world); // in legacy form she would have to guess which of the keys is hers
        for round in 0..3 {
            for (puppet, owner) in [(&mut bob, BOB), (&mut carol, CAROL)] {
                let body = written(puppet, owner, Some(owner), Some(ROOM));
                unnamed(&mut world, alice, body);
                assert_eq!((texts(&world, alice).pop().unwrap().as_str(), authors(&world, alice).pop().unwrap().as_str()), (owner, owner), "{round}");
            }
        }
        // a new session of the one is no session of the other
        carol.initiate(&world);
        let body = written(&mut carol, "anew", Some(CAROL), Some(ROOM));
        unnamed(&mut world, alice, body);
        assert_eq!(authors(&world, alice).pop().unwrap(), CAROL);
        let body = written(&mut bob, "still me", Some(BOB), Some(ROOM));
        unnamed(&mut world, alice, body);
        assert_eq!((authors(&world, alice).pop().unwrap().as_str(), unread(&world, alice)), (BOB, vec![]));
    }
    check::<Omemo2>(12);
    check::<Legacy>(12);
}
/// A member writes under the number of another's device: with a session of their own, with an exchange, with what the other wrote.
#[test]
fn nobody_writes_in_the_name_of_another() {
    let (mut world, alice, mut bob) = talking::<Omemo2>(14);
    let mut mallory = Puppet::<Omemo2>::new(15, bob.alice.clone());
    (mallory.owner, mallory.id) = (MALLORY, 666);
    mallory.publish(&mut world);
    room(&mut world, &[ALICE, BOB, MALLORY]);
    words(&mut world, alice, "hello both");
    mallory.hear(&world);
    bob.hear(&world);
    let body = written(&mut mallory, "as myself", Some(MALLORY), Some(ROOM));
    unnamed(&mut world, alice, body);
    assert_eq!(authors(&world, alice).pop().unwrap(), MALLORY);
    let shown_before = shown(&world, alice).len();
    // under Bob's number
    mallory.id = bob.id;
    let body = written(&mut mallory, "as Bob", Some(BOB), Some(ROOM));
    unnamed(&mut world, alice, body);
    let old = mallory.session.clone();
    mallory.initiate(&world);
    let body = written(&mut mallory, "as Bob", Some(BOB), Some(ROOM));
    unnamed(&mut world, alice, body);
    assert_eq!((shown(&world, alice).len(), unread(&world, alice)), (shown_before, vec![Reason::UnknownMember; 2]));
    // their own number, and Bob's name in the envelope
    (mallory.id, mallory.session) = (666, old);
    for (from, to) in
        [(Some(BOB), Some(ROOM)), (Some(MALLORY), None), (Some(MALLORY), Some(ALICE)), (Some(MALLORY), Some("other@conference.example.org"))]
    {
        let before = unread(&world, alice).len();
        let body = written(&mut mallory, "x", from, to);
        unnamed(&mut world, alice, body);
        assert_eq!((shown(&world, alice).len(), &unread(&world, alice)[before..]), (shown_before, [Reason::EnvelopeMismatch].as_slice()));
    }
    // nothing of Bob's is the worse for it
    let body = written(&mut bob, "really Bob", Some(BOB), Some(ROOM));
    unnamed(&mut world, alice, body);
    assert_eq!((texts(&world, alice).pop().unwrap().as_str(), authors(&world, alice).pop().unwrap().as_str()), ("really Bob", BOB));
}
/// Whoever publishes another's keys as their own has not written what the other writes.
#[test]
fn a_copy_of_somebodys_keys_makes_nobody_their_author() {
    const AARON: &str = "aaron@example.org";
    fn check<P: Speaks>(seed: u64) {
        let (mut world, alice, mut bob) = alone::<P>(seed);
        room(&mut world, &[AARON, ALICE, BOB]);
        for owner in [AARON, BOB] {
            bob.owner = owner;
            bob.publish(&mut world);
        }
        words(&mut world, alice, "hello both");
        // in an envelope the author names themselves
        bob.initiate(&world);
        let body = written(&mut bob, "by Bob", Some(BOB), Some(ROOM));
        unnamed(&mut world, alice, body);
        let (of, told) = match P::VERSION {
            Version::Omemo2 => (vec![BOB.to_owned()], vec![]),
            Version::Legacy => (vec![], vec![Reason::UnknownMember]),
        };
        assert_eq!((authors(&world, alice), unread(&world, alice)), (of, told.clone()));
        bob.initiate(&world);
        let body = written(&mut bob, "by whom?", None, Some(ROOM));
        unnamed(&mut world, alice, body);
        assert_eq!(unread(&world, alice), [told, vec![Reason::UnknownMember]].concat());
        // whom a person compared keys with, or whose session it is
        let (device, shown_key) = (Device::of(&BOB.into(), bob.id), Fingerprint(bob.identity.public().fingerprint()));
        world.feed(alice, Input::SetTrust(device, shown_key, Trust::Verified));
        bob.initiate(&world);
        for text in ["by Bob himself", "and again"] {
            let body = written(&mut bob, text, None, Some(ROOM));
            unnamed(&mut world, alice, body);
            assert_eq!((texts(&world, alice).pop().unwrap().as_str(), authors(&world, alice).pop().unwrap().as_str()), (text, BOB));
        }
    }
    check::<Omemo2>(30);
    check::<Legacy>(30);
}
/// A number that is on no list makes us ask for the lists of the members; with those the message is read.
#[test]
fn a_number_of_nobody_makes_us_look_whose_it_is() {
    let (mut world, alice, mut bob) = alone::<Omemo2>(21);
    world.notify(|_| false);
    world.server.refuse(|_, request| {
        let list = matches!(request, Request::Fetch(node) if node.owner.as_str() == BOB && node.name.contains("device"));
        list.then_some(RequestError::Unreachable)
    });
    room(&mut world, &[ALICE, BOB]);
    bob.publish(&mut world);
    bob.initiate(&world);
    bob.say(&mut world, "hello");
    bob.hear(&world);
    let body = written(&mut bob, "in the room", Some(BOB), Some(ROOM));
    unnamed(&mut world, alice, body);
    assert_eq!((texts(&world, alice), unread(&world, alice)), (vec!["hello".into()], vec![Reason::UnknownMember]));
    world.server.refuse(|_, _| None);
    world.run_for(2 * 60_000);
    let body = written(&mut bob, "in the room again", Some(BOB), Some(ROOM));
    unnamed(&mut world, alice, body);
    assert_eq!(texts(&world, alice), ["hello", "in the room", "in the room again"], "both come again with the list");
    assert!(authors(&world, alice).iter().all(|author| author == BOB));
}
#[test]
fn who_is_no_member_is_not_thought_of() {
    let (mut world, alice, mut bob) = talking::<Omemo2>(16);
    room(&mut world, &[ALICE, CAROL]);
    let shown_before = shown(&world, alice).len();
    let body = written(&mut bob, "let me in", Some(BOB), Some(ROOM));
    unnamed(&mut world, alice, body.clone());
    assert_eq!((shown(&world, alice).len(), unread(&world, alice)), (shown_before, vec![Reason::UnknownMember]));
    // it was not read, so that it can be once he is known to be one
    room(&mut world, &[ALICE, BOB]);
    unnamed(&mut world, alice, body);
    assert_eq!(texts(&world, alice).pop().unwrap(), "let me in");
}
/// What we wrote comes back without a name; so does what our other device wrote, and that is read.
#[test]
fn reflections_without_a_name() {
    let (mut world, alice, bob) = two(17);
    let phone = world.join(ALICE, omemo);
    world.run();
    trusts(&mut world, alice, phone);
    trusts(&mut world, phone, alice);
    room(&mut world, &[ALICE, BOB]);
    for (from, other) in [(alice, phone), (phone, alice)] {
        let id = words(&mut world, from, "once");
        let body = world.stanzas().iter().find(|s| s.id == id).unwrap().body.clone();
        unnamed(&mut world, from, body.clone());
        assert_eq!(unread(&world, from), []);
        unnamed(&mut world, other, body);
        assert_eq!(unread(&world, other), [], "read before, with a name");
    }
    assert_eq!((texts(&world, alice).len(), texts(&world, phone).len(), texts(&world, bob).len()), (1, 1, 2));
    // without a name the first time, and taken for no member any more
    tell(&mut world, alice, &[BOB]);
    let body = {
        world.disconnect(alice);
        let id = words(&mut world, phone, "from the phone");
        world.stanzas().iter().find(|s| s.id == id).unwrap().body.clone()
    };
    unnamed(&mut world, alice, body);
    world.connect(alice);
    world.run();
    assert_eq!((texts(&world, alice).pop().unwrap().as_str(), authors(&world, alice).pop().unwrap().as_str()), ("from the phone", ALICE));
    assert_eq!((texts(&world, alice).len(), unread(&world, alice)), (2, vec![]));
}
/// A message whose number half of a large room has, with as many keys for us as are read: it names nobody, and all goes on.
#[test]
fn a_hostile_message_costs_a_bounded_number_of_tries() {
    let (mut world, alice, mut bob) = talking::<Omemo2>(18);
    let members: Vec<String> = (0..200).map(|n| format!("member{n}@example.org")).collect();
    let list = device_list::write(Version::Omemo2, &[ListedDevice::new(bob.id)]);
    for member in &members {
        world.publish_as(member, Version::Omemo2.device_list_node(), Some("current"), Keep::One, &list);
    }
    let mut all: Vec<&str> = members.iter().map(String::as_str).collect();
    all.extend([ALICE, BOB]);
    room(&mut world, &all);
    leave_out(&mut world, alice, true);
    words(&mut world, alice, "hello all");
    let (_, good) = bob.key(&[0; 48]);
    let before = shown(&world, alice).len();
    for round in 0..5u8 {
        let mut builder = Builder::omemo2(bob.id, 8);
        builder.recipient(ALICE);
        for n in 0..8 {
            let mut data = good.clone();
            let at = data.len() - 1 - n;
            data[at] ^= 1;
            builder.key(number(&bob.alice), false, &data);
        }
        unnamed(&mut world, alice, builder.element(Some(&[round])));
    }
    assert_eq!((shown(&world, alice).len(), unread(&world, alice)), (before, vec![Reason::UnknownMember; 5]));
    let body = written(&mut bob, "as before", Some(BOB), Some(ROOM));
    unnamed(&mut world, alice, body);
    assert_eq!(authors(&world, alice).pop().unwrap(), BOB);
}
/// More members than are tried have a session with us under one number: those that were heard of last are found, and the others as soon
/// as the server names them.
#[test]
fn of_many_with_one_number_the_last_heard_are_tried() {
    let mut world = World::new(20);
    let alice = world.join(ALICE, omemo);
    world.run();
    let ours = device(&mut world, alice);
    let mut puppets: Vec<Puppet<Omemo2>> = (0..65).map(|n| Puppet::new(n, ours.clone())).collect();
    for (n, puppet) in puppets.iter_mut().enumerate() {
        puppet.owner = format!("p{n:02}@example.org").leak();
    }
    let members: Vec<&str> = puppets.iter().map(|p| p.owner).chain([ALICE]).collect();
    room(&mut world, &members);
    for puppet in &mut puppets {
        puppet.publish(&mut world);
        puppet.initiate(&world);
        puppet.say(&mut world, "hello");
        puppet.hear(&world);
    }
    let shown_before = shown(&world, alice).len();
    let first = written(&mut puppets[0], "first", Some("p00@example.org"), Some(ROOM));
    unnamed(&mut world, alice, first.clone());
    assert_eq!((shown(&world, alice).len(), unread(&world, alice)), (shown_before, vec![Reason::UnknownMember]));
    for at in [1, 64] {
        let owner = puppets[at].owner;
        let body = written(&mut puppets[at], owner, Some(owner), Some(ROOM));
        unnamed(&mut world, alice, body);
        assert_eq!(authors(&world, alice).pop().unwrap(), owner);
    }
    puppets[0].say(&mut world, "it is me");
    unnamed(&mut world, alice, first);
    assert_eq!((texts(&world, alice).pop().unwrap().as_str(), authors(&world, alice).pop().unwrap().as_str()), ("first", "p00@example.org"));
}
/// Nothing of it is for us: it is said, and no device is named that did not write it.
#[test]
fn what_is_not_for_us_names_nobody() {
    let (mut world, alice, mut bob) = talking::<Omemo2>(19);
    room(&mut world, &[ALICE, BOB]);
    let body = String::from_utf8(written(&mut bob, "x", Some(BOB), Some(ROOM))).unwrap();
    let other = body.replace(&format!("rid='{}'", number(&bob.alice)), "rid='1'");
    assert!(encrypted::parse(other.as_bytes(), ALICE, number(&bob.alice)).unwrap().encrypted.unwrap().keys.is_empty());
    unnamed(&mut world, alice, other.into_bytes());
    let refused = world.client(alice).events().iter().find_map(|e| if let Event::NotReceived { why, .. } = e { Some(why.clone()) } else { None });
    let refused = refused.unwrap();
    assert_eq!((refused.reason, refused.device), (Reason::NotForThisDevice, None));
}
/// Without `<to>` a server could move what another own device wrote to one person into a room.
#[test]
fn own_messages_in_a_room_name_it() {
    let mut world = World::new(42);
    let alice = world.join(ALICE, omemo);
    world.run();
    room(&mut world, &[ALICE, BOB]);
    let mut phone = Puppet::<Omemo2>::new(42, device(&mut world, alice));
    phone.owner = ALICE;
    phone.initiate(&world);
    for (n, (to, reads)) in [(None, false), (Some(BOB), false), (Some(ROOM), true)].into_iter().enumerate() {
        let body = written(&mut phone, "from the phone", Some(ALICE), to);
        let (id, chat, sent) = (MessageId(format!("own{n}").into()), ChatId(ROOM.into()), world.now());
        let (kind, content_type, headers) = (Kind::Text, ContentType::STANZA, Headers::default());
        world.feed(alice, Input::Receive { id, chat, from: ALICE.into(), sent, kind, content_type, body, headers, answer_by: None });
        world.run();
        assert_eq!(texts(&world, alice).len(), usize::from(reads), "{to:?}");
    }
    assert_eq!(unread(&world, alice), [Reason::EnvelopeMismatch; 2]);
}
