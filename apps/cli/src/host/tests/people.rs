//! Nobody makes a room of a person.
use super::hostile::{ROOM, eventually};
use super::*;
use crate::rpc::types::{RoomCreate, RoomEvent, RoomJoin};
use subrosa_xmpp::bookmarks::BookmarkNews;
use subrosa_xmpp::rooms::{Invitation, RoomError, RoomNews, Task};
use subrosa_xmpp::{Contact, Subscription};

fn mark(room: &str) -> Bookmark {
    Bookmark { room: room.into(), name: String::new(), nick: Some("me".into()), password: None, autojoin: true }
}
impl Client {
    /// As a server would that plays a room of this name, with one member more.
    fn let_in(&self, room: &str) {
        self.news(RoomNews::Joined { room: room.into(), nick: "me".into(), created: false });
        let members: Vec<Address> = vec!["alice@x".into(), "bob@x".into(), "mallory@x".into()];
        let inputs = vec![Input::Room(ChatId(room.into()), Some(members.clone()))];
        let news = vec![RoomNews::Members { room: room.into(), members, warnings: Vec::new() }];
        self.say(Said::Came(Box::new(Came { inputs, news, ..Came::default() })));
    }
    async fn refusal(&mut self) -> String {
        loop {
            match self.next().await {
                Notification::Room(note) if note.event == RoomEvent::Refused => break note.reason.expect("a reason"),
                _ => {}
            }
        }
    }
}
impl Server {
    fn entered(&self, room: &str) -> bool {
        self.rooms.lock().expect("unpoisoned").iter().any(|ask| matches!(ask, RoomAsk::Join { room: to, .. } if to.as_str() == room))
    }
}

#[tokio::test]
async fn a_server_makes_no_room_of_a_person() {
    let (_dir, home) = place();
    let server = Arc::new(Server::default());
    let mut alice = Client::begin(&server, &home.prepare("alice@x").expect("room")).await;
    let mut bob = Client::begin(&server, &home.prepare("bob@x").expect("room")).await;
    let _mallory = Client::begin(&server, &home.prepare("mallory@x").expect("room")).await;
    let first = alice.send("bob@x", "hi", "m1").await.expect("sends");
    let types::DeviceNumber::Number(device) = first.devices[0].device else { panic!("a number") };
    let trust = SetTrust { jid: "bob@x".into(), device, fingerprint: None, level: Level::Verified, account: None };
    alice.call(Call::Trust(trust)).await.expect("verified");
    bob.message().await;
    for round in 0..3 {
        match round {
            0 => alice.say(Said::Bookmarks(BookmarkNews::Set(mark("bob@x")))),
            1 => alice.say(Said::Bookmarks(BookmarkNews::List(vec![mark("bob@x")]))),
            _ => {}
        }
        alice.let_in("bob@x");
        let why = alice.refusal().await;
        assert!(why.contains("bob@x is a person whose keys are known") && why.contains("no room"), "{why}");
        let id = format!("s{round}");
        let sent = alice.send("bob@x", "for the verified bob", &id).await.expect("sends").devices;
        assert!(sent.iter().all(|device| device.jid == "bob@x") && sent.len() == 1, "{sent:?}");
        assert_eq!(bob.message().await.id, id);
    }
    assert_eq!(alice.rooms().await, [""; 0]);
    assert!(!server.entered("bob@x"));
    // nor after the next start
    let account = alice.stopped().await;
    let alice = Client::begin(&server, &account).await;
    alice.say(Said::Bookmarks(BookmarkNews::List(vec![mark("bob@x")])));
    alice.let_in("bob@x");
    let sent = alice.send("bob@x", "again", "m9").await.expect("sends").devices;
    assert!(sent.iter().all(|device| device.jid == "bob@x"), "{sent:?}");
    // and out it goes where the server let it in
    let left = || {
        let asked = server.rooms.lock().expect("unpoisoned");
        asked.iter().any(|ask| matches!(ask, RoomAsk::Leave { room } if room.as_str() == "bob@x")).then_some(())
    };
    eventually(left).await;
}

#[tokio::test]
async fn a_bookmark_of_a_persons_address_ends_no_conversation() {
    let (_dir, home) = place();
    let server = Arc::new(Server::default());
    let alice = Client::begin(&server, &home.prepare("alice@x").expect("room")).await;
    let bob = Client::begin(&server, &home.prepare("bob@x").expect("room")).await;
    alice.send("bob@x", "hi", "m1").await.expect("sends");
    alice.say(Said::Bookmarks(BookmarkNews::Set(mark("bob@x"))));
    alice.news(RoomNews::Failed { room: "bob@x".into(), task: Task::Join, who: None, why: RoomError::NoSuchRoom, again: None });
    bob.send("alice@x", "are you there?", "b1").await.expect("sends");
    alice.send("bob@x", "hello", "m2").await.expect("sends");
    let account = alice.stopped().await;
    let alice = Client::begin(&server, &account).await;
    alice.send("bob@x", "hello", "m3").await.expect("sends");
}

#[tokio::test]
async fn nobody_is_invited_into_a_person_and_nobody_enters_one() {
    let (_dir, home) = place();
    let server = Arc::new(Server::default());
    let mut alice = Client::begin(&server, &home.prepare("alice@x").expect("room")).await;
    let _bob = Client::begin(&server, &home.prepare("bob@x").expect("room")).await;
    alice.send("bob@x", "hi", "m1").await.expect("sends");
    alice.say(Said::Contact(Contact { address: "carol@x".into(), name: String::new(), subscription: Subscription::Both, asking: false }));
    for person in ["bob@x", "carol@x", "alice@x"] {
        let (room, by) = (person.into(), Some("mallory@x".into()));
        alice.news(RoomNews::Invited(Invitation { room, by, direct: true, reason: String::new(), password: None }));
        assert!(alice.refusal().await.contains(person));
        let join = RoomJoin { room: person.into(), nick: None, account: None };
        let failure = alice.call(Call::RoomJoin(join)).await.expect_err("a person");
        assert!(failure.code == "room.person" && failure.sentence.contains("no room"), "{failure:?}");
        let create = RoomCreate { name: None, room: Some(person.into()), nick: None, account: None };
        assert_eq!(alice.call(Call::RoomCreate(create)).await.expect_err("a person").code, "room.person");
        assert!(!server.entered(person));
    }
    let listed = alice.call(Call::Rooms(Default::default())).await.expect("rooms");
    assert_eq!(listed["invitations"], serde_json::json!([]));
}

/// Who wrote to a room before going in has not made a person of it.
#[tokio::test]
async fn a_message_that_did_not_leave_is_no_conversation() {
    let (_dir, home) = place();
    let server = Arc::new(Server::default());
    let alice = Client::begin(&server, &home.prepare("alice@x").expect("room")).await;
    let bob = Client::begin(&server, &home.prepare("bob@x").expect("room")).await;
    alice.send(ROOM, "too early", "m1").await.expect_err("nobody is there");
    alice.say(Said::Bookmarks(BookmarkNews::Set(mark(ROOM))));
    // what is said before the room let us in waits for that
    let send = SendText { to: ROOM.into(), text: "hello".into(), id: Some("m2".into()), timeout: None, account: None };
    let (waiter, answer) = oneshot::channel();
    let _ = alice.jobs.send(Job::Call(Call::Send(send), waiter));
    alice.let_in(ROOM);
    let value = tokio::time::timeout(PATIENCE, answer).await.expect("in time").expect("answered");
    // mallory has no device: the engine names her, so that it was for the room
    assert_eq!(value.expect_err("a member without keys").code, "send.members-without-keys");
    drop(bob);
}
