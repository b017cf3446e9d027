//! What servers, rooms and people do that should not be done, and what is left of it here.
use super::*;
use crate::rpc::types::{Entry, GetHistory, Messages, RoomInfo, Rooms, Way};
use subrosa_engine::{ContentType, Event, Kind, Machine, Plaintext, Time};
use subrosa_omemo::Omemo;
use subrosa_xmpp::archive::{ArchiveError, Finished};
use subrosa_xmpp::bookmarks::BookmarkNews;
use subrosa_xmpp::rooms::{About, RoomError, RoomNews, RoomWarning, Task};
use subrosa_xmpp::{Ids, StanzaId};

pub(super) const ROOM: &str = "room@rooms.x";

impl Client {
    pub(super) fn say(&self, said: Said) {
        let _ = self.jobs.send(Job::Link(said));
    }
    pub(super) fn news(&self, news: RoomNews) {
        self.say(Said::Came(Box::new(Came { news: vec![news], ..Came::default() })));
    }
    pub(super) fn joined(&self) {
        self.news(RoomNews::Joined { room: ROOM.into(), nick: "me".into(), created: false });
    }
    /// In clear, so that it is shown as one that can't be taken.
    fn archived(&self, chat: &str, from: &str, id: &str, place: &str, sent: Time) {
        let input = Input::Receive {
            id: id.into(),
            chat: ChatId(chat.into()),
            from: from.into(),
            sent,
            kind: Kind::Text,
            content_type: ContentType::STANZA,
            body: format!("<body xmlns='jabber:client'>{from} {id}</body>").into_bytes(),
            headers: Headers::default(),
            answer_by: None,
        };
        let by = if chat == ROOM { chat } else { self.account.jid.as_str() };
        let ids = Ids { archive: Some(StanzaId { by: by.into(), id: place.into() }), ..Ids::default() };
        self.say(Said::Came(Box::new(Came { inputs: vec![input], ids, archived: true, ..Came::default() })));
    }
    async fn history(&self, chat: &str) -> Vec<Entry> {
        self.status().await; // what came before was fed
        let wanted = GetHistory { chat: chat.into(), before: None, after: None, around: None, limit: Some(500), account: None };
        let value = self.call(Call::History(wanted)).await.expect("a history");
        serde_json::from_value::<Messages>(value).expect("entries").messages
    }
    pub(super) async fn infos(&self) -> Vec<RoomInfo> {
        let value = self.call(Call::Rooms(Default::default())).await.expect("rooms");
        serde_json::from_value::<Rooms>(value).expect("rooms").rooms
    }
    pub(super) async fn rooms(&self) -> Vec<String> {
        self.infos().await.into_iter().map(|room| room.room).collect()
    }
}
pub(super) async fn eventually<T>(what: impl Fn() -> Option<T>) -> T {
    let until = tokio::time::Instant::now() + PATIENCE;
    loop {
        if let Some(it) = what() {
            return it;
        }
        assert!(tokio::time::Instant::now() < until, "in time");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

#[tokio::test]
async fn ids_that_two_authors_share_stay_apart() {
    let (_dir, home) = place();
    let server = Arc::new(Server::default());
    let alice = Client::begin(&server, &home.prepare("alice@x").expect("room")).await;
    alice.joined();
    alice.status().await;
    // Mallory gives her messages the ids of Bob's; who catches up has both at once
    for n in 0..50 {
        let id = format!("m{n}");
        alice.archived(ROOM, "bob@x", &id, &format!("bob-{n}"), super::super::drive::now());
        alice.archived(ROOM, "mallory@x", &id, &format!("mallory-{n}"), super::super::drive::now());
    }
    let entries = alice.history(ROOM).await;
    assert_eq!(entries.len(), 100);
    for entry in entries {
        let named = entry.stanza_id.expect("the room's id");
        assert_eq!(named.split('-').next(), entry.from.split('@').next(), "{named} is not by {}", entry.from);
    }
}

#[tokio::test]
async fn what_came_back_is_not_told_as_sent() {
    let (_dir, home) = place();
    let server = Arc::new(Server::default());
    let alice = Client::begin(&server, &home.prepare("alice@x").expect("room")).await;
    let _bob = Client::begin(&server, &home.prepare("bob@x").expect("room")).await;
    *server.bounces.lock().expect("unpoisoned") = true;
    let failure = alice.send("bob@x", "hello", "m1").await.expect_err("it came back");
    assert_eq!(failure.code, "send.bounced");
    let entries = alice.history("bob@x").await;
    assert_eq!((entries.len(), entries[0].state), (1, Some(Way::Failed)));
    assert_eq!(alice.status().await.queued, 0);
    // nobody else can say so
    *server.bounces.lock().expect("unpoisoned") = false;
    *server.silent.lock().expect("unpoisoned") = true;
    let send = SendText { to: "bob@x".into(), text: "hi".into(), id: Some("m2".into()), timeout: None, account: None };
    let (waiter, mut answer) = oneshot::channel();
    let _ = alice.jobs.send(Job::Call(Call::Send(send), waiter));
    let bounce = |from: &str, id: &str| Bounce { id: id.into(), from: from.into(), condition: "gone".into(), refused: None };
    alice.status().await;
    alice.say(Said::Bounced(bounce("eve@x", "m2")));
    assert_eq!(alice.history("bob@x").await[1].state, Some(Way::Queued));
    assert!(answer.try_recv().is_err());
    // a part of it is a part of it
    alice.say(Said::Bounced(bounce("bob@x", "m2.1")));
    assert_eq!(alice.history("bob@x").await[1].state, Some(Way::Failed));
    assert_eq!(answer.await.expect("answered").expect_err("came back").code, "send.bounced");
}

#[tokio::test]
async fn what_the_server_has_is_told_as_sent_whoever_dies() {
    let (_dir, home) = place();
    let server = Arc::new(Server::default());
    let alice = Client::begin(&server, &home.prepare("alice@x").expect("room")).await;
    let mut bob = Client::begin(&server, &home.prepare("bob@x").expect("room")).await;
    alice.send("bob@x", "before", "m0").await.expect("sends");
    let _ = alice.jobs.send(Job::HistoryFull(true));
    let send = SendText { to: "bob@x".into(), text: "hello".into(), id: Some("m1".into()), timeout: None, account: None };
    let (waiter, _answer) = oneshot::channel();
    let _ = alice.jobs.send(Job::Call(Call::Send(send), waiter));
    while bob.message().await.id != "m1" {}
    alice.status().await; // behind the acknowledgement
    let account = alice.killed().await;
    let alice = Client::begin(&server, &account).await;
    let until = tokio::time::Instant::now() + PATIENCE;
    loop {
        let state = alice.history("bob@x").await.last().and_then(|entry| entry.state);
        if state == Some(Way::Sent) {
            break;
        }
        assert!(tokio::time::Instant::now() < until, "{state:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn the_server_keeps_what_the_history_has_not() {
    let (_dir, home) = place();
    let server = Arc::new(Server::default());
    let alice = Client::begin(&server, &home.prepare("alice@x").expect("room")).await;
    alice.joined();
    alice.status().await;
    let _ = alice.jobs.send(Job::HistoryFull(true));
    let (room, room_id, reason) = (ROOM.into(), "s1".into(), String::new());
    let news = vec![RoomNews::Moderated { room, room_id, nick: None, reason }];
    let mark = Some(Mark::Test(1_000_000));
    alice.say(Said::Came(Box::new(Came { news, mark, ..Came::default() })));
    alice.status().await;
    alice.status().await; // the step before this one is over
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert!(server.handled.load(Ordering::Relaxed) < 1_000_000);
    let _ = alice.jobs.send(Job::HistoryFull(false));
    eventually(|| (server.handled.load(Ordering::Relaxed) == 1_000_000).then_some(())).await;
}

#[tokio::test]
async fn what_a_room_sends_back_is_told() {
    let (_dir, home) = place();
    let server = Arc::new(Server::default());
    let mut alice = Client::begin(&server, &home.prepare("alice@x").expect("room")).await;
    alice.status().await; // from here on she listens
    alice.joined();
    alice.news(RoomNews::Bounced(Bounce { id: "m1".into(), from: ROOM.into(), condition: "forbidden".into(), refused: None }));
    loop {
        match alice.next().await {
            Notification::Bounced(bounced) => break assert_eq!((bounced.from.as_str(), bounced.condition.as_str()), (ROOM, "forbidden")),
            Notification::Room(_) => {}
            _ => panic!("something else"),
        }
    }
    // who writes to us alone is heard of, and we ourselves are not
    alice.news(RoomNews::Private { room: ROOM.into(), nick: "me".into() });
    alice.news(RoomNews::Private { room: ROOM.into(), nick: "bob".into() });
    let Notification::LeftOut(left) = alice.next().await else { panic!("something else") };
    assert_eq!(left.from.as_deref(), Some("room@rooms.x/bob"));
}

#[tokio::test]
async fn nothing_of_who_writes_is_owed() {
    let (_dir, home) = place();
    let server = Arc::new(Server::default());
    let alice = Client::begin(&server, &home.prepare("alice@x").expect("room")).await;
    let mut bob = Client::begin(&server, &home.prepare("bob@x").expect("room")).await;
    let writes = "<composing xmlns='http://jabber.org/protocol/chatstates'/><more xmlns='urn:more'/>";
    alice.say(Said::Input(Input::Send {
        id: "t1".into(),
        chat: ChatId("bob@x".into()),
        to: Recipients::People(vec!["bob@x".into()]),
        kind: Kind::Other,
        plain: Plaintext::new(ContentType::STANZA, writes),
        headers: Headers::default(),
    }));
    loop {
        match bob.next().await {
            Notification::Typing(typing) => break assert_eq!(typing.from, "alice@x"),
            Notification::DeviceNew(d) => drop(bob.jobs.send(Job::Shown(d.seq))),
            _ => panic!("something else"),
        }
    }
    bob.status().await;
    let account = bob.stopped().await;
    let mut store = subrosa_store::SqliteStore::open(account.store(), &account.store_key(false).expect("the key")).expect("opens");
    let mut machine = Machine::new("bob@x".into());
    machine.install(Omemo::default());
    let mut rng = rand_core::UnwrapErr(getrandom::SysRng);
    let mut step = machine.begin(super::super::drive::now(), &mut rng);
    step.feed(Input::Tick);
    let outputs = step.commit(&mut store).expect("commits");
    let owed: Vec<_> = outputs.iter().filter(|(_, output)| matches!(output, Output::Event(Event::Message { .. })) && output.is_owed()).collect();
    assert!(owed.is_empty(), "{owed:?}");
}

#[tokio::test]
async fn a_room_is_entered_again_from_where_it_was_left() {
    let (_dir, home) = place();
    let server = Arc::new(Server::default());
    let alice = Client::begin(&server, &home.prepare("alice@x").expect("room")).await;
    alice.joined();
    let sent = Time(super::super::drive::now().0 - 60_000);
    alice.archived(ROOM, "bob@x", "m1", "s1", sent);
    assert_eq!(alice.history(ROOM).await.len(), 1);
    let account = alice.killed().await;
    let _alice = Client::begin(&server, &account).await;
    let after = eventually(|| {
        let asked = server.rooms.lock().expect("unpoisoned");
        asked.iter().find_map(|ask| if let RoomAsk::Join { after, .. } = ask { Some(*after) } else { None })
    });
    assert_eq!(after.await, Some(sent));
}

#[tokio::test]
async fn what_was_chosen_for_a_room_holds_and_is_said() {
    let (_dir, home) = place();
    let server = Arc::new(Server::default());
    let alice = Client::begin(&server, &home.prepare("alice@x").expect("room")).await;
    let members = |client: &Client, warnings: Vec<RoomWarning>| {
        let (room, members): (Address, Vec<Address>) = (ROOM.into(), vec!["alice@x".into(), "bob@x".into(), "carol@x".into()]);
        let inputs = vec![Input::Room(ChatId(room.clone()), Some(members.clone()))];
        let news = vec![RoomNews::Members { room, members, warnings }];
        client.say(Said::Came(Box::new(Came { inputs, news, ..Came::default() })));
    };
    alice.joined();
    members(&alice, vec![RoomWarning::NotMembersOnly]);
    let leave_out = types::RoomLeaveOut { room: ROOM.into(), leave_out: true, account: None };
    alice.call(Call::RoomLeaveOut(leave_out)).await.expect("chosen");
    let open = &alice.infos().await[0];
    assert!(open.leave_out && open.lock == types::Lock::Omemo);
    assert!(open.why.as_deref().is_some_and(|why| why.contains("anybody may enter")), "{:?}", open.why);
    members(&alice, Vec::new());
    assert_eq!(alice.infos().await[0].why, None);
    let account = alice.killed().await;
    let alice = Client::begin(&server, &account).await;
    let _carol = Client::begin(&server, &home.prepare("carol@x").expect("room")).await;
    assert!(alice.infos().await[0].leave_out);
    // the machine forgets it where nothing can be encrypted for a while
    let room = ChatId(ROOM.into());
    alice.say(Said::Came(Box::new(Came { inputs: vec![Input::Room(room, None)], ..Came::default() })));
    alice.joined();
    members(&alice, Vec::new());
    let result = alice.send(ROOM, "hello", "m1").await.expect("sends, though bob has no device");
    assert_eq!(result.left_out, ["bob@x"]);
}

#[tokio::test]
async fn a_server_that_lost_the_bookmarks_takes_nobody_out_of_their_rooms() {
    let (_dir, home) = place();
    let server = Arc::new(Server::default());
    let alice = Client::begin(&server, &home.prepare("alice@x").expect("room")).await;
    let mark = |room: &str| Bookmark { room: room.into(), name: String::new(), nick: Some("me".into()), password: None, autojoin: true };
    let all = [mark(ROOM), mark("other@rooms.x"), mark("third@rooms.x")];
    let listed = |some: &[Bookmark]| alice.say(Said::Bookmarks(BookmarkNews::List(some.to_vec())));
    let left = || {
        let asked = server.rooms.lock().expect("unpoisoned");
        asked.iter().filter_map(|ask| if let RoomAsk::Leave { room } = ask { Some(room.to_string()) } else { None }).collect::<Vec<_>>()
    };
    listed(&all);
    alice.status().await;
    listed(&[]);
    assert_eq!(alice.rooms().await.len(), 3);
    assert_eq!(left(), [""; 0]);
    // what is left elsewhere is left here
    listed(&all[..2]);
    alice.status().await;
    eventually(|| (!left().is_empty()).then_some(())).await;
    assert_eq!(left(), ["third@rooms.x"]);
}

#[tokio::test]
async fn a_room_that_was_never_entered_is_none() {
    let (_dir, home) = place();
    let server = Arc::new(Server::default());
    let alice = Client::begin(&server, &home.prepare("alice@x").expect("room")).await;
    let room: Address = ROOM.into();
    alice.news(RoomNews::About(room.clone(), About { archive: true, ..About::default() }));
    alice.news(RoomNews::Failed { room, task: Task::Join, who: None, why: RoomError::Password, again: None });
    assert_eq!(alice.rooms().await, [""; 0]);
    alice.joined();
    assert_eq!(alice.rooms().await, [ROOM]);
}

#[tokio::test]
async fn an_archive_that_can_not_be_read_is_told_as_that() {
    let (_dir, home) = place();
    let server = Arc::new(Server::default());
    let mut alice = Client::begin(&server, &home.prepare("alice@x").expect("room")).await;
    alice.status().await; // from here on she listens
    let mut abilities = subrosa_xmpp::Abilities::default();
    abilities.archive = true;
    alice.say(Said::Abilities(abilities));
    alice.say(Said::Page("alice@x".into(), Err(subrosa_xmpp::archive::ArchiveError::Malformed)));
    loop {
        if let Notification::CatchUp(note) = tokio::time::timeout(PATIENCE, alice.notes.recv()).await.expect("in time").expect("told")
            && !note.running
        {
            assert_eq!((note.failed[0].archive.as_str(), note.failed[0].code.as_str()), ("alice@x", "archive.malformed"));
            break;
        }
    }
}

#[tokio::test]
async fn an_archive_without_an_end_is_not_read_for_ever() {
    let (_dir, home) = place();
    let server = Arc::new(Server::default());
    let mut alice = Client::begin(&server, &home.prepare("alice@x").expect("room")).await;
    alice.status().await; // from here on she listens
    let mut abilities = subrosa_xmpp::Abilities::default();
    abilities.archive = true;
    alice.say(Said::Abilities(abilities));
    let mut pages = 0;
    // until they say that it is over
    loop {
        match tokio::time::timeout(PATIENCE, alice.notes.recv()).await.expect("in time").expect("told") {
            Notification::CatchUp(note) if note.running || pages == 0 => {}
            Notification::CatchUp(note) => {
                assert_eq!(note.failed.iter().map(|f| f.code.as_str()).collect::<Vec<_>>(), ["archive.endless"]);
                break;
            }
            _ => {}
        }
        if server.queries.lock().expect("unpoisoned").len() > pages {
            pages += 1;
            assert!(pages < 1000, "it goes on and on");
        }
        let (position, next) = (Some(format!("p{pages}")), Some(Query::after(format!("p{pages}"))));
        alice.say(Said::Page("alice@x".into(), Ok(Finished { complete: false, position, count: 0, total: None, next })));
    }
}

#[tokio::test]
async fn an_archive_without_the_position_is_read_from_its_time_and_not_for_ever() {
    let (_dir, home) = place();
    let server = Arc::new(Server::default());
    let alice = Client::begin(&server, &home.prepare("alice@x").expect("room")).await;
    let mut abilities = subrosa_xmpp::Abilities::default();
    abilities.archive = true;
    alice.say(Said::Abilities(abilities));
    let queries = |n: usize| {
        let server = server.clone();
        async move { eventually(|| server.queries.lock().expect("unpoisoned").get(n).cloned()).await }
    };
    queries(0).await;
    // a month ago; the archive is cleaned up since
    let long_ago = Time(super::super::drive::now().0 - 30 * 86_400_000);
    alice.archived("bob@x", "bob@x", "m1", "old", long_ago);
    let page = |next| Finished { complete: false, position: Some("old".into()), count: 1, total: None, next };
    alice.say(Said::Page("alice@x".into(), Ok(page(Some(Query::after("old"))))));
    assert_eq!(queries(1).await, Query::after("old"));
    for _ in 0..5 {
        alice.say(Said::Page("alice@x".into(), Err(ArchiveError::Gone)));
        alice.status().await;
    }
    let since = queries(2).await;
    let text = format!("{since:?}");
    let from: u64 = text.split("Since(Time(").nth(1).and_then(|rest| rest.split(')').next()).and_then(|n| n.parse().ok()).expect("since a time");
    assert!(from <= long_ago.0, "{} days after", (from - long_ago.0) / 86_400_000);
    alice.status().await;
    assert_eq!(server.queries.lock().expect("unpoisoned").len(), 3);
}
