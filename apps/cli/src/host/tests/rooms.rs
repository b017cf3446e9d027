//! What becomes of a room, of its bookmark and of what is known of it when somebody else decides.
use super::hostile::{ROOM, eventually};
use super::*;
use crate::rpc::types::{Lock, RoomJoin, RoomLeave, RoomLeft};
use subrosa_xmpp::bookmarks::BookmarkNews;
use subrosa_xmpp::rooms::{About, Affiliation, Invitation, Left, RoomError, RoomNews, Task};
use subrosa_xmpp::{Contact, Subscription};

fn mark(autojoin: bool) -> Bookmark {
    Bookmark { room: ROOM.into(), name: "our garden".into(), nick: Some("me".into()), password: Some("pw".into()), autojoin }
}
fn left(why: Left, still: Affiliation) -> RoomNews {
    RoomNews::Left { room: ROOM.into(), why, reason: "be quiet".into(), still: Some(still) }
}
impl Client {
    /// In the room, with a bookmark that another client made.
    async fn settled_in(&self) {
        self.say(Said::Bookmarks(BookmarkNews::List(vec![mark(true)])));
        self.news(RoomNews::About(ROOM.into(), About { name: "Garden".into(), ..About::default() }));
        self.joined();
        self.members(&["alice@x", "bob@x", "carol@x"]);
        self.status().await;
    }
    fn members(&self, all: &[&str]) {
        let members: Vec<Address> = all.iter().map(|who| Address::from(*who)).collect();
        let inputs = vec![Input::Room(ChatId(ROOM.into()), Some(members.clone()))];
        let news = vec![RoomNews::Members { room: ROOM.into(), members, warnings: Vec::new() }];
        self.say(Said::Came(Box::new(Came { inputs, news, ..Came::default() })));
    }
    async fn leave(&self, resign: bool) -> RoomLeft {
        let leave = RoomLeave { room: ROOM.into(), destroy: false, resign, account: None };
        serde_json::from_value(self.call(Call::RoomLeave(leave)).await.expect("left")).expect("an answer")
    }
    /// Asked, and answered later.
    fn asked(&self, call: Call) -> oneshot::Receiver<Result<Value, Failure>> {
        let (waiter, answer) = oneshot::channel();
        let _ = self.jobs.send(Job::Call(call, waiter));
        answer
    }
}
impl Server {
    async fn bookmarked(&self, count: usize) -> Vec<Result<Bookmark, Address>> {
        eventually(|| {
            let all = self.bookmarks.lock().expect("unpoisoned");
            (all.len() >= count).then(|| all.clone())
        })
        .await
    }
    /// With which the room is entered.
    fn asked_password(&self) -> Option<Option<String>> {
        let asked = self.rooms.lock().expect("unpoisoned");
        asked.iter().find_map(|ask| if let RoomAsk::Join { password, .. } = ask { Some(password.clone()) } else { None })
    }
    fn asks(&self, fits: impl Fn(&RoomAsk) -> bool) -> usize {
        self.rooms.lock().expect("unpoisoned").iter().filter(|ask| fits(ask)).count()
    }
}

/// XEP-0045 §8.2: who is kicked may come again.
#[tokio::test]
async fn a_kick_keeps_the_room_and_its_bookmark() {
    let (_dir, home) = place();
    let server = Arc::new(Server::default());
    let alice = Client::begin(&server, &home.prepare("alice@x").expect("room")).await;
    alice.settled_in().await;
    let kicked = vec![left(Left::Kicked, Affiliation::Member)];
    let gone = vec![Input::Room(ChatId(ROOM.into()), None)];
    alice.say(Said::Came(Box::new(Came { inputs: gone, news: kicked, ..Came::default() })));
    let info = &alice.infos().await[0];
    assert!(!info.joined && info.lock == Lock::Impossible && info.why.as_deref().is_some_and(|why| why.contains("be quiet")), "{info:?}");
    let failure = alice.send(ROOM, "let me in", "m1").await.expect_err("is not sent");
    assert!(failure.code == "room.not-joined" && failure.sentence.contains("put out"), "{failure:?}");
    let of = types::OfRoom { room: ROOM.into(), account: None };
    assert_eq!(alice.call(Call::RoomMembers(of)).await.expect_err("not in it").code, "room.not-joined");
    // in again when a person says so
    let joins = server.asks(|ask| matches!(ask, RoomAsk::Join { .. }));
    let call = alice.asked(Call::RoomJoin(RoomJoin { room: ROOM.into(), nick: None, account: None }));
    eventually(|| (server.asks(|ask| matches!(ask, RoomAsk::Join { .. })) > joins).then_some(())).await;
    alice.joined();
    alice.members(&["alice@x", "bob@x"]);
    assert_eq!(call.await.expect("answered").expect("joined")["members"], 2);
    // and with the next stream
    alice.news(left(Left::Kicked, Affiliation::Member));
    alice.status().await;
    let account = alice.killed().await;
    let joins = server.asks(|ask| matches!(ask, RoomAsk::Join { .. }));
    let alice = Client::begin(&server, &account).await;
    eventually(|| (server.asks(|ask| matches!(ask, RoomAsk::Join { .. })) > joins).then_some(())).await;
    assert_eq!(server.bookmarked(0).await, [], "nobody touched it");
    // who does not want to come again takes it away, and is told what remains
    alice.joined();
    alice.news(left(Left::Kicked, Affiliation::Member));
    assert!(alice.leave(false).await.member);
    assert_eq!(server.bookmarked(1).await, [Err(ROOM.into())]);
    assert_eq!(alice.rooms().await, [""; 0]);
}

#[tokio::test]
async fn a_room_that_is_not_for_us_any_more_keeps_its_bookmark_and_is_not_entered() {
    let failed = |why| RoomNews::Failed { room: ROOM.into(), task: Task::Join, who: None, why, again: None };
    let ways = [
        (left(Left::Banned, Affiliation::None), "banned", true),
        (left(Left::Removed, Affiliation::None), "no member", true),
        (failed(RoomError::Banned), "banned", true),
        // found out with the next connection; what the others have is theirs
        (failed(RoomError::MembersOnly), "members", false),
        (failed(RoomError::Password), "password", false),
    ];
    for (news, why, for_all) in ways {
        let (_dir, home) = place();
        let server = Arc::new(Server::default());
        let alice = Client::begin(&server, &home.prepare("alice@x").expect("room")).await;
        alice.settled_in().await;
        alice.news(news);
        let is_out = async |client: &Client| {
            let info = &client.infos().await[0];
            assert!(!info.joined && info.lock == Lock::Impossible && info.why.as_deref().is_some_and(|said| said.contains(why)), "{info:?}");
            let failure = client.send(ROOM, "hello?", "m1").await.expect_err("is not sent");
            assert!(failure.code == "room.not-joined" && failure.sentence.contains(why), "{failure:?}");
            assert!(failure.sentence.contains(&format!("`subrosa room leave {ROOM}`")), "{failure:?}");
        };
        is_out(&alice).await;
        // as another client wrote it
        assert_eq!(server.bookmarked(usize::from(for_all)).await, if for_all { vec![Ok(mark(false))] } else { Vec::new() });
        if for_all {
            alice.say(Said::Bookmarks(BookmarkNews::Set(mark(false))));
            is_out(&alice).await;
        }
        // the next connection does not try, and says nothing again
        let account = alice.killed().await;
        let joins = server.asks(|ask| matches!(ask, RoomAsk::Join { .. }));
        let alice = Client::begin(&server, &account).await;
        alice.say(Said::Bookmarks(BookmarkNews::List(vec![mark(!for_all)])));
        is_out(&alice).await;
        assert_eq!(server.asks(|ask| matches!(ask, RoomAsk::Join { .. })), joins);
        assert!(!alice.leave(false).await.member);
        assert_eq!(alice.rooms().await, [""; 0]);
    }
}

/// Whoever lets the account in again says it to another device of it, or to a person.
#[tokio::test]
async fn a_room_that_lets_us_in_again_is_entered() {
    let (_dir, home) = place();
    let server = Arc::new(Server::default());
    let alice = Client::begin(&server, &home.prepare("alice@x").expect("room")).await;
    alice.settled_in().await;
    let joins = || server.asks(|ask| matches!(ask, RoomAsk::Join { .. }));
    for by_a_person in [false, true] {
        alice.news(left(Left::Removed, Affiliation::None));
        alice.status().await;
        let before = joins();
        let call = by_a_person.then(|| alice.asked(Call::RoomJoin(RoomJoin { room: ROOM.into(), nick: None, account: None })));
        if !by_a_person {
            alice.say(Said::Bookmarks(BookmarkNews::Set(mark(true))));
        }
        eventually(|| (joins() > before).then_some(())).await;
        alice.joined();
        alice.members(&["alice@x", "bob@x"]);
        let info = &alice.infos().await[0];
        assert!(info.joined && info.lock == Lock::Omemo, "{info:?}");
        drop(call);
    }
}

/// An invitation's password is the room's: also after a restart, and for the account's other devices.
#[tokio::test]
async fn a_rooms_password_is_kept() {
    let (_dir, home) = place();
    let server = Arc::new(Server::default());
    let alice = Client::begin(&server, &home.prepare("alice@x").expect("room")).await;
    alice.news(RoomNews::Invited(invitation("bob@x", ROOM, true, Some("pw"))));
    alice.status().await;
    let _call = alice.asked(Call::RoomJoin(RoomJoin { room: ROOM.into(), nick: None, account: None }));
    alice.joined();
    alice.status().await;
    let bookmarks = server.bookmarked(1).await;
    assert!(matches!(&bookmarks[..], [Ok(mark)] if mark.password.as_deref() == Some("pw")), "{bookmarks:?}");
    let account = alice.killed().await;
    server.rooms.lock().expect("unpoisoned").clear();
    let alice = Client::begin(&server, &account).await;
    assert_eq!(eventually(|| server.asked_password()).await.as_deref(), Some("pw"));
    // what somebody says that it takes changes nothing of a room that is entered without that
    alice.news(RoomNews::Invited(invitation("mallory@evil", ROOM, true, Some("wrong"))));
    alice.joined();
    alice.status().await;
    let account = alice.killed().await;
    server.rooms.lock().expect("unpoisoned").clear();
    let alice = Client::begin(&server, &account).await;
    assert_eq!(eventually(|| server.asked_password()).await.as_deref(), Some("pw"));
    drop(alice);
}

/// What was said there before may come out of the engine later, and is nobody's conversation.
#[tokio::test]
async fn a_room_that_was_left_stays_one() {
    let (_dir, home) = place();
    let server = Arc::new(Server::default());
    let alice = Client::begin(&server, &home.prepare("alice@x").expect("room")).await;
    alice.settled_in().await;
    alice.news(left(Left::Asked, Affiliation::Member));
    alice.status().await;
    let account = alice.killed().await;
    let alice = Client::begin(&server, &account).await;
    assert_eq!(alice.rooms().await, [""; 0]);
    assert_eq!(alice.send(ROOM, "hello?", "m1").await.expect_err("not in it").code, "room.not-joined");
    let joins = || server.asks(|ask| matches!(ask, RoomAsk::Join { .. }));
    let before = joins();
    let _call = alice.asked(Call::RoomJoin(RoomJoin { room: ROOM.into(), nick: None, account: None }));
    eventually(|| (joins() > before).then_some(())).await;
}

fn invitation(by: &str, room: &str, direct: bool, password: Option<&str>) -> Invitation {
    Invitation { room: room.into(), by: Some(by.into()), direct, reason: String::new(), password: password.map(str::to_owned) }
}

#[tokio::test]
async fn strangers_push_no_invitation_out() {
    let (_dir, home) = place();
    let server = Arc::new(Server::default());
    let alice = Client::begin(&server, &home.prepare("alice@x").expect("room")).await;
    let contact = Contact { address: "bob@x".into(), name: String::new(), subscription: Subscription::Both, asking: false };
    alice.say(Said::Contact(contact));
    let invite = |by: &str, room: &str, direct: bool, password| alice.news(RoomNews::Invited(invitation(by, room, direct, password)));
    let all = async || {
        let value = alice.call(Call::Rooms(Default::default())).await.expect("rooms");
        serde_json::from_value::<types::Rooms>(value).expect("rooms").invitations
    };
    invite("bob@x", "chess@rooms.x", true, None);
    invite("carol@y", "garden@rooms.x", true, Some("right"));
    // a later one for the same room changes neither who invites nor what it takes
    invite("mallory@evil", "garden@rooms.x", true, Some("wrong"));
    invite("mallory@evil", "chess@rooms.x", true, None);
    invite("bob@x", "garden@rooms.x", false, Some("wrong"));
    for n in 0..300 {
        invite(&format!("m{n}@evil{}", n % 12), &format!("r{n}@evil"), true, None);
        // that the room says somebody invites is its own word
        invite("bob@x", &format!("s{n}@evil"), false, None);
    }
    let kept = all().await;
    assert_eq!(kept.len(), 100);
    let of = |room: &str| kept.iter().find(|i| i.room == room).map(|i| i.from.as_str());
    assert_eq!(of("chess@rooms.x"), Some("bob@x"));
    assert!(kept.iter().filter(|i| i.by_room).count() <= 20);
    assert!(kept.iter().all(|i| i.by_room == i.room.starts_with('s')));
    // a contact goes before a stranger
    invite("mallory@fresh", "tea@rooms.x", true, None);
    assert!(all().await.iter().any(|i| i.room == "tea@rooms.x"));
    invite("bob@x", "tea@rooms.x", true, Some("theirs"));
    assert!(all().await.iter().any(|i| i.room == "tea@rooms.x" && i.from == "bob@x"));
    let _call = alice.asked(Call::RoomJoin(RoomJoin { room: "tea@rooms.x".into(), nick: None, account: None }));
    alice.status().await;
    let right = |ask: &RoomAsk| matches!(ask, RoomAsk::Join { password, .. } if password.as_deref() == Some("theirs"));
    eventually(|| (server.asks(right) == 1).then_some(())).await;
}

#[tokio::test]
async fn in_a_room_of_ones_own_one_is_told_to_invite() {
    let (_dir, home) = place();
    let server = Arc::new(Server::default());
    let alice = Client::begin(&server, &home.prepare("alice@x").expect("room")).await;
    alice.joined();
    alice.members(&["alice@x"]);
    let failure = alice.send(ROOM, "anybody?", "m1").await.expect_err("nobody");
    assert!(failure.sentence.contains("nobody but you is in") && failure.sentence.contains("room invite"), "{failure:?}");
}

#[tokio::test]
async fn a_bookmark_that_another_device_changed_is_left_as_it_is() {
    for change in [BookmarkNews::Set(mark(false)), BookmarkNews::List(vec![mark(false)]), BookmarkNews::Removed(ROOM.into())] {
        let (_dir, home) = place();
        let server = Arc::new(Server::default());
        let alice = Client::begin(&server, &home.prepare("alice@x").expect("room")).await;
        alice.settled_in().await;
        alice.say(Said::Bookmarks(change));
        eventually(|| (server.asks(|ask| matches!(ask, RoomAsk::Leave { .. })) == 1).then_some(())).await;
        alice.news(left(Left::Asked, Affiliation::Member));
        assert_eq!(alice.rooms().await, [""; 0]);
        assert_eq!(server.bookmarked(0).await, []);
    }
}

#[tokio::test]
async fn what_a_room_is_called_and_how_many_it_has_is_known_without_it() {
    let (_dir, home) = place();
    let server = Arc::new(Server::default());
    let alice = Client::begin(&server, &home.prepare("alice@x").expect("room")).await;
    alice.settled_in().await;
    let account = alice.killed().await;
    let alice = Client::begin(&server, &account).await;
    let info = &alice.infos().await[0];
    assert_eq!((info.name.as_deref(), info.members, info.joined), (Some("Garden"), 3, false));
    let chats = alice.call(Call::Chats(Default::default())).await.expect("chats");
    assert_eq!((&chats["chats"][0]["name"], &chats["chats"][0]["chat"]), (&"Garden".into(), &ROOM.into()));
    // another name, while it is entered again
    alice.news(RoomNews::About(ROOM.into(), About { name: "Orchard".into(), ..About::default() }));
    alice.joined();
    assert_eq!(alice.infos().await[0].name.as_deref(), Some("Orchard"));
}

/// Nothing is sent for those who were in it before: the engine holds it until the room says who is in it now.
#[tokio::test]
async fn what_is_said_while_the_room_is_lost_waits_for_its_members() {
    let (_dir, home) = place();
    let server = Arc::new(Server::default());
    let alice = Client::begin(&server, &home.prepare("alice@x").expect("room")).await;
    let _bob = Client::begin(&server, &home.prepare("bob@x").expect("room")).await;
    let _carol = Client::begin(&server, &home.prepare("carol@x").expect("room")).await;
    alice.settled_in().await;
    let devices = |result: SendResult| result.devices.into_iter().map(|device| device.jid).collect::<Vec<_>>();
    assert_eq!(devices(alice.send(ROOM, "all", "m1").await.expect("sent")), ["bob@x", "carol@x"]);
    let news = vec![left(Left::Lost, Affiliation::Member)];
    alice.say(Said::Came(Box::new(Came { inputs: vec![Input::RoomUnknown(ChatId(ROOM.into()))], news, ..Came::default() })));
    let send = SendText { to: ROOM.into(), text: "without carol".into(), id: Some("m2".into()), timeout: None, account: None };
    let sent = alice.asked(Call::Send(send));
    alice.joined();
    alice.status().await;
    alice.members(&["alice@x", "bob@x"]);
    let value = sent.await.expect("answered").expect("sent");
    assert_eq!(devices(serde_json::from_value(value).expect("a result")), ["bob@x"]);
}
