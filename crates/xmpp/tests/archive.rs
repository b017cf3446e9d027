//! The account's archive, read positions and blocks, against a real Prosody.
#![cfg(feature = "connection")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::arithmetic_side_effects, clippy::indexing_slicing, missing_docs)]
mod common;

use common::{Client, message, prosody, text_of};
use std::time::{SystemTime, UNIX_EPOCH};
use subrosa_engine::{
    Address, Content, ContentType, Input, Kind, Node, Output, OutputId, Part, Plaintext, Request, RequestError, Time, Typing, Wire,
};
use subrosa_interop::{Prosody, Server};
use subrosa_xmpp::archive::{ArchiveError, Finished, Query};
use subrosa_xmpp::positions::{NODE, PositionNews};
use subrosa_xmpp::{BlockChange, BlockNews, Happening, Ids, Position, StanzaId, content};

const ALICE: &str = "alice@localhost";
const BOB: &str = "bob@localhost";

fn now() -> Time {
    Time(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as u64)
}
async fn online(server: &Server, user: &str) -> Client {
    let mut config = common::config_as(server, user, common::entity().with_notify(NODE));
    config.rooms = true;
    Client::online(config).await
}
async fn client(server: &Server, user: &str) -> Client {
    let mut client = online(server, user).await;
    let able = client.until(|h| if let Happening::Abilities(able) = h { Some(able) } else { None }).await;
    assert!(able.archive && able.archive_extended && able.stanza_ids && able.private_nodes && able.blocking, "{able:?}");
    client
}
/// One message out of the archive: its text, who sent it in which chat, when, and its ids.
#[derive(Debug)]
struct Old {
    text: String,
    from: Address,
    chat: Address,
    sent: Time,
    ids: Ids,
}
async fn page(client: &mut Client, by: &str, query: Query) -> (Vec<Old>, Result<Finished, ArchiveError>) {
    client.handle.archive(by.into(), query);
    let mut old = Vec::new();
    loop {
        match client.next().await {
            Happening::Archived { inputs, ids, .. } => {
                let [input @ Input::Receive { from, chat, sent, .. }] = inputs.as_slice() else { panic!("{inputs:?}") };
                old.push(Old { text: text_of(input).unwrap(), from: from.clone(), chat: chat.0.clone(), sent: *sent, ids });
            }
            Happening::Page { by: of, page } if of.as_str() == by => return (old, page),
            _ => {}
        }
    }
}
/// All pages of a query, and the last position.
async fn all(client: &mut Client, by: &str, mut query: Query) -> (Vec<Vec<Old>>, Option<String>) {
    let (mut pages, mut position) = (Vec::new(), None);
    loop {
        let (old, finished) = page(client, by, query).await;
        let finished = finished.unwrap();
        assert_eq!(finished.count, old.len());
        pages.push(old);
        position = finished.position.or(position);
        match finished.next {
            Some(next) => query = next,
            None => return (pages, position),
        }
    }
}
async fn say(client: &mut Client, to: &str, texts: std::ops::Range<u64>) {
    for n in texts.clone() {
        client.send(n, to, &format!("text {n}"));
    }
    client.acknowledged(texts.end - 1).await;
}
fn texts(pages: &[Vec<Old>]) -> Vec<String> {
    pages.iter().flatten().map(|old| old.text.clone()).collect()
}
fn numbered(numbers: std::ops::Range<u64>) -> Vec<String> {
    numbers.map(|n| format!("text {n}")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn three_hundred_messages_come_in_pages_each_once_from_any_position() {
    let Some(server) = prosody() else { return };
    let before = now();
    let mut alice = client(&server, "alice").await;
    say(&mut alice, BOB, 0..300).await;
    let mut bob = client(&server, "bob").await;

    let (pages, position) = all(&mut bob, BOB, Query::all()).await;
    assert_eq!(texts(&pages), numbered(0..300));
    assert!(pages[..6].iter().all(|page| page.len() == 50), "{:?}", pages.iter().map(Vec::len).collect::<Vec<_>>());
    let ids: Vec<String> = pages.iter().flatten().map(|old| old.ids.archive.clone().unwrap().id).collect();
    assert_eq!(position.as_ref(), ids.last());
    for old in pages.iter().flatten() {
        assert_eq!((old.from.as_str(), old.chat.as_str()), (ALICE, ALICE));
        assert!(old.ids.archive.as_ref().unwrap().by.as_str() == BOB && old.ids.origin.is_some());
        assert!(old.sent.0 + 1000 >= before.0 && old.sent <= now(), "{old:?}");
    }
    // after any message, before any message, since a time, the newest; what is behind the last is nothing
    let (pages, _) = all(&mut bob, BOB, Query::after(ids[99].clone())).await;
    assert_eq!(texts(&pages), numbered(100..300));
    let (mut pages, position) = all(&mut bob, BOB, Query::before(ids[120].clone()).page(50)).await;
    assert_eq!(texts(&pages[..1]), numbered(70..120), "a page is in order, whichever way the pages go");
    pages.reverse();
    assert_eq!((texts(&pages), position.as_ref()), (numbered(0..120), ids.first()));
    let (newest, finished) = page(&mut bob, BOB, Query::latest().page(3)).await;
    assert_eq!(texts(&[newest]), numbered(297..300));
    assert_eq!(finished.unwrap().next, Some(Query::before(ids[297].clone()).page(3)));
    assert_eq!(texts(&all(&mut bob, BOB, Query::since(Time(before.0 - 1000)).page(500)).await.0), numbered(0..300));
    assert!(texts(&all(&mut bob, BOB, Query::since(Time(now().0 + 60_000))).await.0).is_empty());
    let (nothing, finished) = page(&mut bob, BOB, Query::after(ids[299].clone())).await;
    let finished = finished.unwrap();
    assert!(nothing.is_empty() && finished.complete && finished.position.is_none());
    // with one person only, and these very messages
    assert!(texts(&all(&mut bob, BOB, Query::all().with("carol@localhost".into())).await.0).is_empty());
    let (found, _) = page(&mut bob, BOB, Query::these([ids[7].clone(), ids[250].clone()])).await;
    assert_eq!(texts(&[found]), ["text 7", "text 250"]);
    // in the sender's archive they are the account's own
    let (pages, _) = all(&mut alice, ALICE, Query::all().page(500)).await;
    assert_eq!(texts(&pages), numbered(0..300));
    assert!(pages.iter().flatten().all(|old| old.from.as_str() == ALICE && old.chat.as_str() == BOB));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_comes_has_the_id_that_the_archive_will_know_it_by() {
    let Some(server) = prosody() else { return };
    let (mut alice, mut bob) = (client(&server, "alice").await, client(&server, "bob").await);
    say(&mut alice, BOB, 0..1).await;
    let live = bob.until(|h| if let Happening::Received { ids, inputs, .. } = h { (!inputs.is_empty()).then_some(ids) } else { None }).await;
    assert_eq!(live.origin.as_ref().unwrap().as_str(), "m0");
    let position = live.archive.clone().unwrap();
    let (old, _) = page(&mut bob, BOB, Query::all()).await;
    assert_eq!(old[0].ids, live);
    say(&mut alice, BOB, 1..3).await;
    let (pages, _) = all(&mut bob, BOB, Query::after(position.id)).await;
    assert_eq!(texts(&pages), numbered(1..3));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_position_that_is_gone_is_told_and_a_time_goes_on() {
    let Some(mut server) = prosody() else { return };
    let mut alice = client(&server, "alice").await;
    say(&mut alice, BOB, 0..10).await;
    let mut bob = client(&server, "bob").await;
    let (_, position) = all(&mut bob, BOB, Query::all()).await;
    assert_eq!(page(&mut bob, BOB, Query::after("nonsense")).await.1, Err(ArchiveError::Gone));
    assert_eq!(page(&mut bob, BOB, Query::before("nonsense")).await.1, Err(ArchiveError::Gone));
    alice.close().await;
    bob.close().await;
    wipe(&server);
    server.restart().unwrap();
    let mut alice = client(&server, "alice").await;
    let since = now();
    say(&mut alice, BOB, 10..15).await;
    let mut bob = client(&server, "bob").await;
    assert_eq!(page(&mut bob, BOB, Query::after(position.unwrap())).await.1, Err(ArchiveError::Gone));
    assert_eq!(texts(&all(&mut bob, BOB, Query::since(Time(since.0 - 1000))).await.0), numbered(10..15));
}
fn wipe(server: &Prosody) {
    let data = server.dir.join("data/localhost");
    let stores: Vec<_> = std::fs::read_dir(&data).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.ends_with("archive")).collect();
    assert!(!stores.is_empty(), "no archive in {data:?}");
    stores.iter().for_each(|store| std::fs::remove_dir_all(store).unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_another_says_to_be_out_of_the_archive_is_nothing() {
    let Some(server) = prosody() else { return };
    let (mut alice, mut bob) = (client(&server, "alice").await, client(&server, "bob").await);
    let forged = |id: u64, query: &str| {
        let inner = format!("<message xmlns='jabber:client' from='carol@localhost' to='{BOB}' type='chat'><body>forged</body></message>");
        let body = format!(
            "<result xmlns='urn:xmpp:mam:2' {query} id='{id}'><forwarded xmlns='urn:xmpp:forward:0'>{inner}</forwarded></result><body>forged</body>"
        );
        (OutputId(id), encrypted(id, Kind::Text, body.into_bytes()))
    };
    for (n, query) in (0..).zip(["", "queryid=''", "queryid='f27'"]) {
        let (id, output) = forged(n, query);
        alice.handle.put(id, output);
    }
    say(&mut alice, BOB, 3..4).await;
    let (pages, _) = all(&mut bob, BOB, Query::all()).await;
    // it is in the archive as what it was, a message with a wrapping: and that is refused there too
    assert_eq!(texts(&pages), ["text 3"]);
    bob.message().await;
    assert!(bob.seen.iter().all(|seen| !seen.contains("carol")), "{:#?}", bob.seen);
    // nor is another's archive readable
    assert!(matches!(page(&mut bob, ALICE, Query::all()).await, (old, Err(ArchiveError::Forbidden | ArchiveError::Unavailable)) if old.is_empty()));
}
fn encrypted(id: u64, kind: Kind, body: Vec<u8>) -> Output {
    let Output::Transmit { id, part, chat, to, headers, made, .. } = message(id, BOB, "") else { panic!() };
    Output::Transmit { id, part, chat, to, kind, wire: Wire::Encrypted(Part { content_type: ContentType::STANZA, body }), headers, made }
}

#[tokio::test(flavor = "multi_thread")]
async fn all_that_a_message_may_say_passes_a_server_and_its_archive() {
    let Some(server) = prosody() else { return };
    let (alice, mut bob) = (client(&server, "alice").await, client(&server, "bob").await);
    let of = || "m0".into();
    let said = [
        Content::Text("a\n<b> & \u{1f600}\tc".into()),
        Content::Reply { of: of(), author: Some(BOB.into()), text: "two\nlines".into(), quote: "quoted \u{1f600}\n\nmore".into() },
        Content::Reaction { of: of(), emojis: vec!["\u{1f44b}".into(), "\u{2764}\u{fe0f}".into()] },
        Content::Correction { of: of(), text: "better".into() },
        Content::Retraction { of: of() },
        Content::Delivered { of: of() },
        Content::Displayed { of: of() },
        Content::OptOut { reason: "because".into() },
        Content::Typing(Typing::Composing),
    ];
    let read = |inputs: &[Input]| match inputs {
        [Input::Receive { body, .. }] => content::read(&Plaintext::new(ContentType::STANZA, body.clone())).unwrap(),
        other => panic!("{other:?}"),
    };
    let expected: Vec<Content> = said
        .iter()
        .cloned()
        .map(|content| match content {
            Content::Reply { of, author, text, .. } => Content::Reply { of, author, text, quote: String::new() },
            other => other,
        })
        .collect();
    for (n, content) in (0..).zip(&said) {
        alice.handle.put(OutputId(n), encrypted(n, content.kind(), content::write(content).unwrap()));
        let came = bob.until(|h| if let Happening::Received { inputs, .. } = h { Some(read(&inputs)) } else { None }).await;
        assert_eq!(came.as_ref(), Some(&expected[n as usize]));
    }
    // what somebody did just then is not kept, all the rest is
    bob.handle.archive(BOB.into(), Query::all());
    let mut kept = Vec::new();
    loop {
        match bob.next().await {
            Happening::Archived { inputs, .. } => kept.extend(read(&inputs)),
            Happening::Page { .. } => break,
            _ => {}
        }
    }
    assert_eq!(kept, expected[..expected.len() - 1]);
}

#[tokio::test(flavor = "multi_thread")]
async fn read_positions_are_the_accounts_own() {
    let Some(server) = prosody() else { return };
    let (mut alice, mut bob) = (client(&server, "alice").await, client(&server, "bob").await);
    let position_news = |h| if let Happening::Position(news) = h { Some(news) } else { None };
    assert_eq!(bob.until(position_news).await, PositionNews::List(vec![]));
    let mut other = client(&server, "bob").await;
    assert_eq!(other.until(position_news).await, PositionNews::List(vec![]));
    let position = |chat: &str, by: &str, id: &str| Position { chat: chat.into(), at: StanzaId { by: by.into(), id: id.into() } };
    let (first, room) = (position(ALICE, BOB, "1"), position("room@rooms.localhost", "room@rooms.localhost", "r1"));
    for position in [&first, &room] {
        bob.handle.position(position.clone());
        let (mut published, mut moved) = (false, false);
        while !published || !moved {
            match bob.until(position_news).await {
                PositionNews::Published(which) if which == *position => published = true,
                PositionNews::Moved(which) if which == *position => moved = true, // a server tells the device itself too
                news => panic!("{news:?}"),
            }
        }
        assert_eq!(other.until(position_news).await, PositionNews::Moved(position.clone()));
    }
    // several at once: the last counts
    let last = position(ALICE, BOB, "9");
    (2..9).for_each(|n| other.handle.position(position(ALICE, BOB, &n.to_string())));
    other.handle.position(last.clone());
    other.until(|h| position_news(h).filter(|news| *news == PositionNews::Published(last.clone()))).await;
    let mut third = client(&server, "bob").await;
    let PositionNews::List(mut list) = third.until(position_news).await else { panic!() };
    list.sort_by(|a, b| a.chat.as_str().cmp(b.chat.as_str()));
    assert_eq!(list, [last, room]);
    // nobody else sees them
    let node = Node { owner: BOB.into(), name: NODE.into(), item: None };
    assert_eq!(alice.ask(Request::Fetch(node)).await.map(|items| items.len()), Err(RequestError::Forbidden));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_blocked_gets_nothing_through() {
    let Some(server) = prosody() else { return };
    let (mut alice, mut bob, mut other) = (client(&server, "alice").await, client(&server, "bob").await, client(&server, "bob").await);
    let news = |h| if let Happening::Blocking(news) = h { Some(news) } else { None };
    bob.handle.block(BlockChange::Block(ALICE.into()));
    let (blocked, unblocked) = (BlockNews::Blocked(vec![ALICE.into()]), BlockNews::Unblocked(vec![ALICE.into()]));
    for device in [&mut bob, &mut other] {
        device.until(|h| news(h).filter(|news| *news == blocked)).await;
    }
    alice.send(1, BOB, "while blocked");
    let bounce = alice.until(|h| if let Happening::Bounced(bounce) = h { Some(bounce) } else { None }).await;
    assert_eq!((bounce.id.as_str(), bounce.condition.as_str()), ("m1", "service-unavailable"));
    let mut third = online(&server, "bob").await;
    third.until(|h| news(h).filter(|news| *news == BlockNews::List(vec![ALICE.into()]))).await;
    other.handle.block(BlockChange::Unblock(ALICE.into()));
    for device in [&mut bob, &mut other, &mut third] {
        device.until(|h| news(h).filter(|news| *news == unblocked)).await;
    }
    alice.send(2, BOB, "after it");
    assert_eq!(bob.message().await.0, "after it");
    bob.handle.block(BlockChange::Block(BOB.into()));
    let refused = BlockNews::Refused { change: BlockChange::Block(BOB.into()), condition: "not-allowed".into() };
    bob.until(|h| news(h).filter(|news| *news == refused)).await;
    bob.handle.block(BlockChange::UnblockAll);
    other.until(|h| news(h).filter(|news| *news == BlockNews::UnblockedAll)).await;
}
