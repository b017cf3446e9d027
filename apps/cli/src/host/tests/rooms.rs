//! What becomes of a room, of its bookmark and of what is known of it when somebody else decides.
use super::hostile::{ROOM, eventually};
use super::*;
use crate::rpc::types::{Lock, RoomJoin, RoomLeave, RoomLeft};
use subrosa_xmpp::bookmarks::BookmarkNews;
use subrosa_xmpp::rooms::{About, Affiliation, Left, RoomError, RoomNews, Task};

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
    let banned = RoomNews::Failed { room: ROOM.into(), task: Task::Join, who: None, why: RoomError::Banned, again: None };
    for news in [left(Left::Banned, Affiliation::None), left(Left::Removed, Affiliation::None), banned] {
        let (_dir, home) = place();
        let server = Arc::new(Server::default());
        let alice = Client::begin(&server, &home.prepare("alice@x").expect("room")).await;
        alice.settled_in().await;
        alice.news(news);
        // as another client wrote it
        assert_eq!(server.bookmarked(1).await, [Ok(mark(false))]);
        assert_eq!(alice.rooms().await, [""; 0]);
        alice.say(Said::Bookmarks(BookmarkNews::Set(mark(false))));
        assert_eq!(alice.rooms().await, [""; 0]);
    }
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
