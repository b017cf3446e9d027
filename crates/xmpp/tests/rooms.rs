//! Rooms on real servers: who is in them, whose a message is, and what happens when somebody, or the server, goes; and their bookmarks.
#![cfg(feature = "connection")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::arithmetic_side_effects, clippy::indexing_slicing, missing_docs)]
mod common;
#[path = "common/person.rs"]
mod person;

use minidom::Element;
use person::{Came, Person, now};
use subrosa_engine::{Address, Input};
use subrosa_interop::{Ejabberd, Friends, Prosody, Server, goes_on};
use subrosa_xmpp::Rooms;
use subrosa_xmpp::avatar::Picture;
use subrosa_xmpp::bookmarks::{Bookmark, BookmarkNews, BookmarkTurn, Bookmarks};
use subrosa_xmpp::rooms::{Affiliation, Left, Presence, RoomConfig, RoomError, RoomNews, RoomTurn, RoomWarning, Task, Unencryptable};

const ACCOUNTS: [(&str, &str); 3] = [("alice", "pw-alice"), ("bob", "pw-bob"), ("carol", "pw-carol")];
const ALICE: &str = "alice@localhost";
const BOB: &str = "bob@localhost";
const CAROL: &str = "carol@localhost";

fn prosody() -> Option<Prosody> {
    goes_on("prosody", false, Prosody::missing()).then(|| Prosody::start(&ACCOUNTS, Friends::All).unwrap())
}
fn ejabberd() -> Option<Ejabberd> {
    goes_on("ejabberd", false, Ejabberd::missing()).then(|| Ejabberd::start(&ACCOUNTS, Friends::All).unwrap())
}
fn room(name: &str) -> Address {
    format!("{name}@rooms.localhost").as_str().into()
}
fn joined(news: &RoomNews) -> Option<(String, bool)> {
    match news {
        RoomNews::Joined { nick, created, .. } => Some((nick.clone(), *created)),
        _ => None,
    }
}
fn left(news: &RoomNews) -> Option<Left> {
    match news {
        RoomNews::Left { why, .. } => Some(why.clone()),
        _ => None,
    }
}
fn failed(news: &RoomNews) -> Option<(Task, RoomError)> {
    match news {
        RoomNews::Failed { task, why, .. } => Some((*task, why.clone())),
        _ => None,
    }
}
fn closed(came: &Came) -> Option<()> {
    matches!(came, Came::Input(Input::Room(_, None), _)).then_some(())
}
/// Alice has made a room and is alone in it.
fn made(server: &Server, name: &str) -> (Person, Address) {
    let (mut alice, room) = (Person::online(server, "alice"), room(name));
    let config = RoomConfig { name: "Coven".into(), description: "For witches".into() };
    alice.act(|rooms| rooms.create(&room, "Alice", config, now()));
    assert_eq!(alice.news("room", joined), ("Alice".into(), true));
    alice.members(&[ALICE]);
    (alice, room)
}
/// And Bob was invited and came.
fn two(server: &Server, name: &str) -> (Person, Person, Address) {
    let ((mut alice, room), mut bob) = (made(server, name), Person::online(server, "bob"));
    alice.act(|rooms| rooms.invite(&room, &BOB.into(), "Come", now()));
    alice.members(&[ALICE, BOB]); // he is not there yet
    alice.pump();
    let invitation = bob.news("invitation", |news| match news {
        RoomNews::Invited(invitation) => Some(invitation.clone()),
        _ => None,
    });
    assert_eq!((&invitation.room, invitation.by.as_ref().map(Address::as_str), invitation.reason.as_str()), (&room, Some(ALICE), "Come"));
    bob.act(|rooms| rooms.join(&invitation.room, "Bob", None, None, now()));
    bob.news("room", joined);
    bob.members(&[ALICE, BOB]);
    (alice, bob, room)
}

fn a_room_is_made_filled_and_emptied(server: &Server) {
    let (mut alice, mut bob, room) = two(server, "coven");
    let about = alice.rooms.about(&room).unwrap().clone();
    assert!(about.non_anonymous && about.members_only && about.persistent && about.archive && about.stanza_ids, "{about:?}");
    assert_eq!(about.name, "Coven");
    // invited by two ways, told once
    let invitations = bob.seen.iter().filter(|came| matches!(came, Came::News(RoomNews::Invited(_)))).count();
    assert_eq!(invitations, 1);

    // who never came is a member
    alice.act(|rooms| rooms.affiliate(&room, &CAROL.into(), Affiliation::Member, "", now()));
    alice.members(&[ALICE, BOB, CAROL]);
    bob.members(&[ALICE, BOB, CAROL]);

    let id = alice.say(&room, "hello");
    let (from, text, place) = bob.message();
    assert_eq!((from.as_str(), text.as_str()), (ALICE, "hello"));
    assert!(place.is_some());
    let reflected = alice.news("reflection", |news| match news {
        RoomNews::Reflected { id, room_id, .. } => Some((id.to_string(), room_id.clone())),
        _ => None,
    });
    assert_eq!(reflected, (id, place), "everybody knows it by the same id");
    bob.say(&room, "hi");
    assert_eq!(alice.message().0, BOB);

    // a message that names somebody else's address changes nothing
    bob.put(&format!(
        "<message to='{room}' type='groupchat' id='f'><body>forged</body><occupant-id xmlns='urn:xmpp:occupant-id:0' id='x'/>\
         <x xmlns='http://jabber.org/protocol/muc#user'><item jid='{ALICE}/x' affiliation='owner'/></x>\
         <stanza-id xmlns='urn:xmpp:sid:0' id='forged' by='{room}'/></message>"
    ));
    let (from, text, place) = alice.message();
    assert_eq!((from.as_str(), text.as_str()), (BOB, "forged"));
    assert_ne!(place.as_deref(), Some("forged"));

    // Bob leaves, and Carol takes his name: what he wrote stays his
    bob.act(|rooms| rooms.leave(&room, now()));
    assert_eq!(bob.news("goodbye", left), Left::Asked);
    let mut carol = Person::online(server, "carol");
    carol.act(|rooms| rooms.join(&room, "Bob", None, None, now()));
    assert_eq!(carol.news("room", joined).0, "Bob");
    carol.members(&[ALICE, BOB, CAROL]);
    carol.archive(&room);
    let archived: Vec<(String, String)> = (0..3).map(|_| carol.message()).map(|(from, text, _)| (from, text)).collect();
    let expected = [(ALICE, "hello"), (BOB, "hi")].map(|(who, text)| (who.to_owned(), text.to_owned()));
    assert_eq!(archived[..2], expected);
    // where the archive lets two say who it was (Prosody 0.12), nobody does
    assert!([BOB, room.as_str()].contains(&archived[2].0.as_str()), "{archived:?}");

    alice.act(|rooms| rooms.affiliate(&room, &CAROL.into(), Affiliation::None, "", now()));
    assert_eq!(carol.news("removal", left), Left::Removed);
    assert!(carol.seen.iter().any(|came| closed(came).is_some()), "nothing leaves any more");
    alice.members(&[ALICE, BOB]);
    carol.act(|rooms| rooms.join(&room, "Carol", None, None, now()));
    assert_eq!(carol.news("refusal", failed), (Task::Join, RoomError::MembersOnly));

    alice.act(|rooms| rooms.destroy(&room, "over", now()));
    assert!(matches!(alice.news("end", left), Left::Destroyed { .. }));
    assert!(!alice.rooms.contains(&room));
}
fn kicks_bans_names_and_what_is_not_there(server: &Server) {
    let (mut alice, mut bob, room) = two(server, "moot");
    // somebody who is in two rooms by one name, and a name that is taken
    let mut carol = Person::online(server, "carol");
    alice.act(|rooms| rooms.invite(&room, &CAROL.into(), "", now()));
    alice.members(&[ALICE, BOB, CAROL]);
    alice.pump();
    carol.act(|rooms| rooms.join(&room, "Alice", None, None, now()));
    assert_eq!(carol.news("room", joined).0, "Alice_");
    carol.act(|rooms| rooms.rename(&room, "Bob"));
    assert_eq!(carol.news("refusal", failed), (Task::Rename, RoomError::NickTaken));
    carol.act(|rooms| rooms.rename(&room, "Crone"));
    carol.news("name", |news| matches!(news, RoomNews::Nick { nick, .. } if nick == "Crone").then_some(()));
    let renamed = bob.news("name", |news| match news {
        RoomNews::Presence(_, Presence::Renamed { was, to }) => Some((was.who.clone(), to.clone())),
        _ => None,
    });
    assert_eq!(renamed, (Some(CAROL.into()), "Crone".into()));

    let kick = "<item nick='Bob' role='none'><reason>Shoo</reason></item>";
    alice.put(&format!("<iq type='set' id='k' to='{room}'><query xmlns='http://jabber.org/protocol/muc#admin'>{kick}</query></iq>"));
    assert_eq!(bob.news("kick", left), Left::Kicked);
    alice.act(|rooms| rooms.affiliate(&room, &BOB.into(), Affiliation::Outcast, "", now()));
    alice.members(&[ALICE, CAROL]);
    carol.members(&[ALICE, CAROL]);
    bob.act(|rooms| rooms.join(&room, "Bob", None, None, now()));
    let (_, why) = bob.news("ban", failed);
    assert!(matches!(why, RoomError::Banned | RoomError::MembersOnly), "{why:?}"); // Prosody looks at members first

    // who is no owner
    carol.act(|rooms| rooms.affiliate(&room, &BOB.into(), Affiliation::Member, "", now()));
    assert_eq!(carol.news("refusal", failed), (Task::Affiliate, RoomError::NotAllowed));
    carol.act(|rooms| rooms.destroy(&room, "", now()));
    assert_eq!(carol.news("refusal", failed), (Task::Destroy, RoomError::NotAllowed));

    // there is one, there is none
    alice.act(|rooms| rooms.leave(&room, now()));
    assert_eq!(alice.news("goodbye", left), Left::Asked);
    alice.act(|rooms| rooms.create(&room, "Alice", RoomConfig::default(), now()));
    assert_eq!(alice.news("refusal", failed), (Task::Create, RoomError::Exists));
    for nowhere in ["nowhere@rooms.localhost", "nowhere@elsewhere.localhost"] {
        alice.act(|rooms| rooms.join(&nowhere.into(), "Alice", None, None, now()));
        let (task, why) = alice.news("refusal", failed);
        assert!(task == Task::Join && matches!(why, RoomError::NoSuchRoom | RoomError::Unreachable | RoomError::NotAllowed), "{why:?}");
        assert_eq!(alice.rooms.contains(&nowhere.into()), why == RoomError::Unreachable, "only what may come back is tried again");
    }

    // to one in the room alone
    alice.act(|rooms| rooms.join(&room, "Alice", None, None, now()));
    alice.news("room", joined);
    carol.put(&format!("<message to='{room}/Alice' type='chat' id='p'><body>psst</body><x xmlns='http://jabber.org/protocol/muc#user'/></message>"));
    alice.news("private", |news| matches!(news, RoomNews::Private { nick, .. } if nick == "Crone").then_some(()));
    carol.say(&room, "to all");
    assert_eq!(alice.message().1, "to all");
}
/// Nothing was heard for so long that the room is asked whether we are in it.
fn after_silence(rooms: &mut Rooms) -> RoomTurn {
    rooms.tick(rooms.wake_at().expect("a room"))
}
fn a_room_that_forgot_us_is_entered_again(server: &Server) {
    let (mut alice, mut bob, room) = two(server, "sleepers");
    alice.act(after_silence);
    bob.say(&room, "1");
    assert_eq!(alice.message().1, "1");
    let goes_unknown = |alice: &mut Person| {
        alice.put(&format!("<presence to='{room}/Alice' type='unavailable'/>"));
        let is_farewell = |stanza: &Element| stanza.attr("type") == Some("unavailable") && stanza.attr("from").unwrap().ends_with("/Alice");
        while !is_farewell(&alice.stanza().expect("no farewell")) {}
    };
    goes_unknown(&mut alice);
    bob.say(&room, "missed");
    bob.news("reflection", |news| matches!(news, RoomNews::Reflected { .. }).then_some(()));
    bob.news("reflection", |news| matches!(news, RoomNews::Reflected { .. }).then_some(()));
    assert!(alice.rooms.is_joined(&room));
    alice.act(after_silence);
    assert_eq!(alice.news("loss", left), Left::Lost);
    alice.news("room", joined);
    alice.archive(&room);
    let texts: Vec<String> = (0..2).map(|_| alice.message().1).collect();
    assert_eq!(texts, ["1", "missed"]);

    // a message from outside tells it too
    goes_unknown(&mut alice);
    let id = alice.say(&room, "lost");
    alice.news("bounce", |news| matches!(news, RoomNews::Bounced(bounce) if bounce.id.as_str() == id).then_some(()));
    assert_eq!(alice.news("loss", left), Left::Lost);
    alice.news("room", joined);
}
/// Alice alone owns the room; Bob leaves it and remains a member. Whether the server then lets him give that up.
fn a_membership_outlives_a_goodbye(server: &Server) -> bool {
    let (mut alice, mut bob, room) = two(server, "clingers");
    alice.act(|rooms| rooms.resign(&room, now()));
    assert_eq!(alice.news("refusal", failed), (Task::Resign, RoomError::LastOwner));
    assert!(alice.rooms.is_joined(&room));
    bob.act(|rooms| rooms.leave(&room, now()));
    let still = bob.news("goodbye", |news| match news {
        RoomNews::Left { why: Left::Asked, still, .. } => Some(*still),
        _ => None,
    });
    assert_eq!(still, Some(Affiliation::Member));
    bob.act(|rooms| rooms.resign(&room, now()));
    let outcome = bob.news("an answer", |news| match news {
        RoomNews::Left { why: Left::Asked, still: Some(Affiliation::None), .. } => Some(None),
        RoomNews::Failed { task: Task::Resign, why, .. } => Some(Some(why.clone())),
        _ => None,
    });
    let given_up = outcome.is_none();
    assert!(given_up || outcome == Some(RoomError::NotAllowed), "{outcome:?}");
    if given_up {
        alice.members(&[ALICE]);
        // and by somebody who is there
        alice.act(|rooms| rooms.invite(&room, &CAROL.into(), "", now()));
        alice.members(&[ALICE, CAROL]);
        let mut carol = Person::online(server, "carol");
        carol.act(|rooms| rooms.join(&room, "Carol", None, None, now()));
        carol.members(&[ALICE, CAROL]);
        carol.act(|rooms| rooms.resign(&room, now()));
        assert_eq!(carol.news("goodbye", left), Left::Asked);
        assert!(!carol.rooms.contains(&room));
        alice.members(&[ALICE]);
    }
    given_up
}
fn rooms_that_hide_who_is_there(server: &Server) {
    let (mut alice, room) = (Person::online(server, "alice"), room("masks"));
    let configure = |alice: &mut Person, whois: &str, members_only: &str| {
        let field = |name: &str, value: &str| format!("<field var='muc#roomconfig_{name}'><value>{value}</value></field>");
        let kind = "<field var='FORM_TYPE'><value>http://jabber.org/protocol/muc#roomconfig</value></field>";
        let fields = [kind.to_owned(), field("whois", whois), field("membersonly", members_only)].concat();
        alice.put(&format!(
            "<iq type='set' id='c' to='{room}'><query xmlns='http://jabber.org/protocol/muc#owner'>\
             <x xmlns='jabber:x:data' type='submit'>{fields}</x></query></iq>"
        ));
    };
    let masked = |news: &RoomNews| match news {
        RoomNews::NotEncryptable { why, .. } => Some(*why),
        _ => None,
    };
    alice.act(|rooms| rooms.create(&room, "Alice", RoomConfig::default(), now()));
    alice.members(&[ALICE]);
    configure(&mut alice, "moderators", "0");
    assert_eq!(alice.news("mask", masked), Unencryptable::Anonymous);
    let mut bob = Person::online(server, "bob");
    bob.act(|rooms| rooms.join(&room, "Bob", None, None, now()));
    assert_eq!(bob.news("mask", masked), Unencryptable::Anonymous);
    assert!(bob.seen.iter().any(|came| closed(came).is_some()));
    // open, and everybody sees who is there: but who comes next reads from then on
    configure(&mut alice, "anyone", "0");
    let warnings = |news: &RoomNews| match news {
        RoomNews::Members { members, warnings, .. } if members.len() == 2 => Some(warnings.clone()),
        _ => None,
    };
    assert_eq!(alice.news("members", warnings), [RoomWarning::NotMembersOnly]);
    let warned = bob.news("members", warnings);
    assert!(warned.contains(&RoomWarning::NotMembersOnly), "{warned:?}");
    // closed again: Bob is no member, and is put out
    configure(&mut alice, "anyone", "1");
    assert_eq!(bob.news("removal", left), Left::Removed);
    alice.members(&[ALICE]);
}
fn bookmarks_are_kept_and_stay_among_the_own_devices(server: &Server) {
    /// Asks until nothing is open. What was told.
    fn settle(person: &mut Person, bookmarks: &mut Bookmarks, mut turn: BookmarkTurn) -> Vec<BookmarkNews> {
        let mut news = Vec::new();
        while !turn.send.is_empty() {
            let mut next = BookmarkTurn::default();
            for question in turn.send.drain(..) {
                person.send(&question);
                let answered = loop {
                    let stanza = person.stanza().expect("no answer");
                    if let Some(answered) = Some(&stanza).filter(|stanza| stanza.name() == "iq").and_then(|iq| bookmarks.answered(iq)) {
                        break answered;
                    }
                };
                next.send.extend(answered.send);
                news.extend(answered.news);
            }
            turn = next;
        }
        news.extend(turn.news);
        news
    }
    let mut alice = Person::online(server, "alice");
    let mut bookmarks = Bookmarks::new(ALICE.into(), "salt");
    let bookmark = |name: &str| Bookmark { room: room(name), name: name.into(), nick: Some("Alice".into()), password: None, autojoin: true };
    let turn = bookmarks.online(true);
    assert_eq!(settle(&mut alice, &mut bookmarks, turn), [BookmarkNews::List(vec![])]);
    for name in ["one", "two", "three"] {
        let turn = bookmarks.set(bookmark(name));
        assert_eq!(settle(&mut alice, &mut bookmarks, turn), []);
    }
    let turn = bookmarks.set(Bookmark { autojoin: false, ..bookmark("two") });
    assert_eq!(settle(&mut alice, &mut bookmarks, turn), []);
    let turn = bookmarks.remove(&room("three"));
    assert_eq!(settle(&mut alice, &mut bookmarks, turn), []);
    // another device, later
    let (mut other, mut bookmarks) = (Person::online(server, "alice"), Bookmarks::new(ALICE.into(), "other"));
    let turn = bookmarks.online(true);
    let news = settle(&mut other, &mut bookmarks, turn);
    let [BookmarkNews::List(list)] = news.as_slice() else { panic!("{news:?}") };
    let mut list = list.clone();
    list.sort_by_key(|bookmark| bookmark.name.clone());
    assert_eq!(list, [bookmark("one"), Bookmark { autojoin: false, ..bookmark("two") }]);
    // a contact may not look
    let mut bob = Person::online(server, "bob");
    bob.put(&format!(
        "<iq type='get' id='look' to='{ALICE}'><pubsub xmlns='http://jabber.org/protocol/pubsub'><items node='urn:xmpp:bookmarks:1'/></pubsub></iq>"
    ));
    let answer = loop {
        let stanza = bob.stanza().expect("no answer");
        if stanza.attr("id") == Some("look") {
            break stanza;
        }
    };
    assert_eq!(answer.attr("type"), Some("error"));
}

#[test]
fn prosody_bookmarks_are_kept_and_stay_among_the_own_devices() {
    let Some(server) = prosody() else { return };
    bookmarks_are_kept_and_stay_among_the_own_devices(&server);
}
#[test]
fn ejabberd_bookmarks_are_kept_and_stay_among_the_own_devices() {
    let Some(server) = ejabberd() else { return };
    bookmarks_are_kept_and_stay_among_the_own_devices(&server);
}
#[test]
fn prosody_a_room_is_made_filled_and_emptied() {
    let Some(server) = prosody() else { return };
    a_room_is_made_filled_and_emptied(&server);
}
#[test]
fn prosody_kicks_bans_names_and_what_is_not_there() {
    let Some(server) = prosody() else { return };
    kicks_bans_names_and_what_is_not_there(&server);
}
#[test]
fn prosody_a_room_that_forgot_us_is_entered_again() {
    let Some(server) = prosody() else { return };
    a_room_that_forgot_us_is_entered_again(&server);
}
#[test]
fn prosody_a_membership_outlives_a_goodbye() {
    let Some(server) = prosody() else { return };
    assert!(a_membership_outlives_a_goodbye(&server));
}
#[test]
fn ejabberd_a_membership_outlives_a_goodbye() {
    let Some(server) = ejabberd() else { return };
    assert!(!a_membership_outlives_a_goodbye(&server), "ejabberd 23.01 leaves it to admins");
}
#[test]
fn prosody_rooms_that_hide_who_is_there() {
    let Some(server) = prosody() else { return };
    rooms_that_hide_who_is_there(&server);
}
#[test]
fn a_room_outlives_its_server() {
    let Some(mut server) = prosody() else { return };
    let (mut alice, mut bob, room) = two(&server, "phoenix");
    let id = alice.say(&room, "before");
    bob.message();
    alice.act(|rooms| rooms.affiliate(&room, &CAROL.into(), Affiliation::Member, "", now()));
    alice.members(&[ALICE, BOB, CAROL]);
    server.restart().unwrap();
    for person in [&mut alice, &mut bob] {
        person.again(&server);
        person.news("room", joined);
        // nothing is new of them, and nothing leaves before they are known
        person.members(&[ALICE, BOB, CAROL]);
    }
    bob.say(&room, "after");
    assert_eq!(alice.message().1, "after");
    alice.act(|rooms| rooms.affiliate(&room, &CAROL.into(), Affiliation::None, "", now()));
    alice.members(&[ALICE, BOB]);
    bob.members(&[ALICE, BOB]);
    // the reflection that may have been lost with the stream is in the archive
    alice.archive(&room);
    let reflections = alice.seen.iter().filter(|came| matches!(came, Came::News(RoomNews::Reflected { id: of, .. }) if of.as_str() == id));
    assert_eq!(reflections.count(), 1, "once, by whichever way");
}
#[test]
fn ejabberd_a_room_is_made_filled_and_emptied() {
    let Some(server) = ejabberd() else { return };
    a_room_is_made_filled_and_emptied(&server);
}
#[test]
fn ejabberd_kicks_bans_names_and_what_is_not_there() {
    let Some(server) = ejabberd() else { return };
    kicks_bans_names_and_what_is_not_there(&server);
}
#[test]
fn ejabberd_a_room_that_forgot_us_is_entered_again() {
    let Some(server) = ejabberd() else { return };
    a_room_that_forgot_us_is_entered_again(&server);
}
#[test]
fn ejabberd_rooms_that_hide_who_is_there() {
    let Some(server) = ejabberd() else { return };
    rooms_that_hide_who_is_there(&server);
}
#[test]
fn prosody_has_no_pictures_of_rooms() {
    let Some(server) = prosody() else { return };
    let (mut alice, room) = made(&server, "gallery");
    alice.act(|rooms| rooms.avatar(&room, now()));
    assert_eq!(alice.news("refusal", failed), (Task::Avatar, RoomError::NoPictures));
    let picture = Picture::new("image/png", vec![7; 3000]).unwrap();
    alice.act(|rooms| rooms.set_avatar(&room, Some(&picture), now()));
    assert_eq!(alice.news("refusal", failed), (Task::Avatar, RoomError::NoPictures));
}
#[test]
fn ejabberd_a_rooms_picture() {
    let Some(server) = ejabberd() else { return };
    let (mut alice, mut bob, room) = two(&server, "gallery");
    let picture = Picture::new("image/png", vec![7; 3000]).unwrap();
    alice.act(|rooms| rooms.set_avatar(&room, Some(&picture), now()));
    alice.news("an answer", |news| matches!(news, RoomNews::AvatarSet(_)).then_some(()));
    bob.news("picture", |news| matches!(news, RoomNews::About(_, about) if about.avatar.as_deref() == Some(&picture.id())).then_some(()));
    bob.act(|rooms| rooms.avatar(&room, now()));
    let seen = bob.news("picture", |news| match news {
        RoomNews::Avatar(_, picture) => Some(picture.clone()),
        _ => None,
    });
    assert_eq!(seen, Some(picture.clone()));
    bob.act(|rooms| rooms.set_avatar(&room, None, now()));
    assert_eq!(bob.news("refusal", failed), (Task::Avatar, RoomError::NotAllowed));
}
