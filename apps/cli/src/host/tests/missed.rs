//! What was missed: an archive that is a table, and processes that die while they read it.
use super::*;
use std::collections::BTreeSet;
use subrosa_engine::{Address, Kind, Part, Time};
use subrosa_xmpp::archive::{Finished, Query};
use subrosa_xmpp::{Abilities, Ids, StanzaId};

/// Messages of one page, so that there are many.
const PAGE: usize = 3;

/// A message, as the archives of both have it.
#[derive(Clone)]
pub(super) struct Kept {
    from: String,
    to: String,
    id: MessageId,
    kind: Kind,
    part: Part,
    sent: Time,
}
pub(super) fn ids(owner: &str, place: Option<usize>) -> Ids {
    let archive = place.map(|place| StanzaId { by: owner.into(), id: name(place) });
    Ids { archive, ..Ids::default() }
}
fn name(place: usize) -> String {
    format!("a{place}")
}
impl Server {
    pub(super) fn tell_abilities(&self, jobs: &mpsc::UnboundedSender<Job>) {
        if self.archive.lock().expect("unpoisoned").is_some() {
            let mut found = Abilities::default();
            (found.archive, found.stanza_ids) = (true, true);
            let _ = jobs.send(Job::Link(Said::Abilities(found)));
        }
    }
    /// Its place in the archives.
    pub(super) fn keep(&self, from: &str, to: &str, id: &MessageId, kind: Kind, part: &Part) -> Option<usize> {
        let mut archive = self.archive.lock().expect("unpoisoned");
        let kept = archive.as_mut()?;
        let sent = super::super::drive::now();
        kept.push(Kept { from: from.into(), to: to.into(), id: id.clone(), kind, part: part.clone(), sent });
        Some(kept.len() - 1)
    }
    pub(super) fn page(&self, owner: &str, by: &Address, query: &Query, jobs: &mpsc::UnboundedSender<Job>) {
        let archive = self.archive.lock().expect("unpoisoned");
        let Some(all) = archive.as_ref().filter(|_| !*self.busy.lock().expect("unpoisoned")) else { return }; // who asks is answered by the test
        assert_eq!(by.as_str(), owner);
        let start = (0..all.len()).find(|n| *query == Query::after(name(*n)).page(250)).map_or(0, |n| n + 1);
        let mine = |kept: &&(usize, &Kept)| kept.1.from == owner || kept.1.to == owner;
        let rest: Vec<_> = all.iter().enumerate().skip(start).collect();
        let page: Vec<_> = rest.iter().filter(mine).take(PAGE).collect();
        for (place, kept) in page.iter().copied() {
            let input = Input::Receive {
                id: kept.id.clone(),
                chat: ChatId(if kept.from == owner { kept.to.as_str().into() } else { kept.from.as_str().into() }),
                from: kept.from.as_str().into(),
                // whole seconds, as servers tell them
                sent: Time(kept.sent.0 / 1000 * 1000),
                kind: kept.kind,
                content_type: kept.part.content_type.clone(),
                body: kept.part.body.clone(),
                headers: Headers::default(),
                answer_by: None,
            };
            let came = Came { inputs: vec![input], ids: ids(owner, Some(*place)), archived: true, ..Came::default() };
            let _ = jobs.send(Job::Link(Said::Came(Box::new(came))));
        }
        let position = page.last().map(|(place, _)| name(*place));
        let complete = rest.iter().filter(mine).count() <= PAGE;
        let next = position.clone().filter(|_| !complete).map(|id| Query::after(id).page(250));
        let page = Finished { complete, position, count: page.len(), total: None, next };
        let _ = jobs.send(Job::Link(Said::Page(by.clone(), Ok(page))));
    }
}
impl Client {
    async fn texts(&self, chat: &str) -> Vec<String> {
        let wanted = types::GetHistory { chat: chat.into(), limit: Some(500), ..types::GetHistory::default() };
        let page: types::Messages = serde_json::from_value(self.call(Call::History(wanted)).await.expect("a page")).expect("messages");
        page.messages.into_iter().filter_map(|m| m.text).collect()
    }
    /// Waits until that many different messages were told.
    async fn told(&mut self, many: usize, seen: &mut BTreeSet<String>) {
        while seen.len() < many {
            match self.next().await {
                Notification::Message(m) => drop(seen.insert(m.text)),
                Notification::DeviceNew(_) => {}
                _ => panic!("something else than a message"),
            }
        }
    }
}
fn archiving() -> Arc<Server> {
    let server = Server::default();
    *server.archive.lock().expect("unpoisoned") = Some(Vec::new());
    Arc::new(server)
}
fn said(n: usize) -> Vec<String> {
    (0..n).map(|n| format!("missed {n:02}")).collect()
}

#[tokio::test]
async fn whoever_dies_while_reading_what_was_missed_reads_on_and_shows_all_once() {
    let (_dir, home) = place();
    let server = archiving();
    let alice = Client::begin(&server, &home.prepare("alice@x").expect("room")).await;
    let mut bob = Client::begin(&server, &home.prepare("bob@x").expect("room")).await;
    alice.send("bob@x", "before", "m").await.expect("sends");
    assert_eq!(bob.message().await.text, "before");
    let mut place = bob.stopped().await;
    for (n, text) in said(20).iter().enumerate() {
        alice.send("bob@x", text, &format!("m{n}")).await.expect("sends");
    }
    let mut seen = BTreeSet::from(["before".to_owned()]);
    // it dies again and again, each time a little later
    for after in [1, 2, 5, 9, 14, 21] {
        let mut bob = Client::start(&server, &place, TrustPolicy::Btbv).await;
        bob.listen();
        bob.link.connect();
        bob.told(after, &mut seen).await;
        place = bob.killed().await;
    }
    let bob = Client::begin(&server, &place).await;
    let expected: Vec<String> = std::iter::once("before".to_owned()).chain(said(20)).collect();
    assert_eq!(bob.texts("alice@x").await, expected);
    assert_eq!(seen.into_iter().collect::<Vec<_>>(), expected);
}

#[tokio::test]
async fn what_comes_live_while_the_rest_is_read_stands_there_once() {
    let (_dir, home) = place();
    let server = archiving();
    let mut alice = Client::begin(&server, &home.prepare("alice@x").expect("room")).await;
    let bob = Client::begin(&server, &home.prepare("bob@x").expect("room")).await;
    let place = bob.stopped().await;
    for (n, text) in said(9).iter().enumerate() {
        alice.send("bob@x", text, &format!("m{n}")).await.expect("sends");
    }
    let mut bob = Client::start(&server, &place, TrustPolicy::Btbv).await;
    bob.listen();
    bob.link.connect();
    for n in 0..5 {
        alice.send("bob@x", &format!("now {n}"), &format!("n{n}")).await.expect("sends");
    }
    bob.send("alice@x", "and from here", "own").await.expect("sends");
    let mut seen = BTreeSet::new();
    bob.told(14, &mut seen).await;
    alice.message().await;
    // once more from the beginning of what is not stored yet: nothing is new
    let place = bob.stopped().await;
    let mut bob = Client::begin(&server, &place).await;
    alice.send("bob@x", "the last", "last").await.expect("sends");
    bob.told(1, &mut BTreeSet::new()).await;
    let mut all = bob.texts("alice@x").await;
    assert_eq!(all.pop().as_deref(), Some("the last"));
    let mut expected: Vec<String> = said(9).into_iter().chain((0..5).map(|n| format!("now {n}"))).chain(["and from here".into()]).collect();
    all.sort();
    expected.sort();
    assert_eq!(all, expected);
}

#[tokio::test]
async fn without_room_for_the_history_nothing_is_told_and_nothing_lost() {
    let (_dir, home) = place();
    let server = archiving();
    let alice = Client::begin(&server, &home.prepare("alice@x").expect("room")).await;
    let bob = Client::begin(&server, &home.prepare("bob@x").expect("room")).await;
    let place = bob.stopped().await;
    // a directory where the history's file should be: it can't be opened, and says so
    let history = place.history();
    std::fs::rename(&history, history.with_extension("away")).expect("renames");
    std::fs::create_dir(&history).expect("makes");
    let (jobs, inbox) = mpsc::unbounded_channel();
    let (link, _asks) = Link::new();
    let key = place.store_key(false).expect("the key");
    let (engine, bell) = (Default::default(), jobs.downgrade());
    let what = open::Open { dir: place.clone(), key, policy: TrustPolicy::Btbv, first_days: 7, engine, link, bell };
    let (opened, thread) = open::spawn(what, inbox);
    assert_eq!(opened.await.expect("an answer").expect_err("no history").code, "history.not-a-history");
    thread.join().expect("ends");
    std::fs::remove_dir(&history).expect("removes");
    std::fs::rename(history.with_extension("away"), &history).expect("renames");
    alice.send("bob@x", "all the same", "m").await.expect("sends");
    let mut bob = Client::begin(&server, &place).await;
    assert_eq!(bob.message().await.text, "all the same");
    alice.status().await;
}

/// Without keys only the history knows that a message came before: live, then out of the archive, in this process or the next one.
#[tokio::test]
async fn what_an_engine_without_devices_gives_twice_is_told_once() {
    for name in ["xor", "base64-async"] {
        let engine = || Choice::parse(Some(name)).expect("an engine");
        let (_dir, home) = place();
        let server = archiving();
        let [alice, bob] = ["alice@x", "bob@x"].map(|jid| home.prepare(jid).expect("room"));
        let alice = Client::start_with(&server, &alice, TrustPolicy::Btbv, engine()).await;
        alice.link.connect();
        let mut bob = Client::start_with(&server, &bob, TrustPolicy::Btbv, engine()).await;
        // live, before anything was read: each restart reads the archive from its beginning
        *server.busy.lock().expect("unpoisoned") = true;
        bob.link.connect();
        bob.listen();
        for n in 0..4 {
            alice.send("bob@x", &format!("live {n}"), &format!("m{n}")).await.expect("sends");
        }
        for n in 0..4 {
            let m = bob.message().await;
            assert_eq!((m.text, m.again), (format!("live {n}"), false));
            let _ = bob.jobs.send(Job::Shown(m.seq));
        }
        let bob = bob.stopped().await;
        alice.send("bob@x", "missed", "m4").await.expect("sends");
        // the same words under another id are another message
        alice.send("bob@x", "live 0", "m5").await.expect("sends");
        *server.busy.lock().expect("unpoisoned") = false;
        let mut bob = Client::start_with(&server, &bob, TrustPolicy::Btbv, engine()).await;
        bob.link.connect();
        bob.listen();
        for text in ["missed", "live 0"] {
            assert_eq!(bob.message().await.text, text);
        }
        // not shown: they come again after a kill, flagged
        let bob = bob.killed().await;
        let mut bob = Client::start_with(&server, &bob, TrustPolicy::Btbv, engine()).await;
        bob.link.connect();
        bob.listen();
        alice.send("bob@x", "the last", "m6").await.expect("sends");
        let mut again = Vec::new();
        let last = loop {
            let m = bob.message().await;
            match m.again {
                true => again.push(m.id),
                false => break m.text,
            }
        };
        assert_eq!(last, "the last");
        assert!(again.contains(&"m4".to_owned()) && again.contains(&"m5".to_owned()), "{again:?}");
    }
}

/// Nobody could have encrypted what is older than the device to it; but clocks differ, and what comes live is news.
#[tokio::test]
async fn what_was_not_for_this_device_is_told_where_it_comes_live() {
    let ((_dir, home), (_other, elsewhere)) = (place(), place());
    let server = archiving();
    let alice = Client::begin(&server, &home.prepare("alice@x").expect("room")).await;
    let first = Client::begin(&server, &home.prepare("bob@x").expect("room")).await;
    for id in ["m1", "m2"] {
        alice.send("bob@x", "for the first one", id).await.expect("sends");
    }
    let said = server.archive.lock().expect("unpoisoned").replace(Vec::new()).expect("both");
    let said = |id: &str| said.iter().find(|kept| kept.id.as_str() == id).expect("kept");
    let mut bob = Client::begin(&server, &elsewhere.prepare("bob@x").expect("room")).await;
    let came = |id: &str, Kept { part, sent, .. }: &Kept, archived: bool| {
        let input = Input::Receive {
            id: id.into(),
            chat: ChatId("alice@x".into()),
            from: "alice@x".into(),
            sent: Time(sent.0 - 60_000),
            kind: Kind::Text,
            content_type: part.content_type.clone(),
            body: part.body.clone(),
            headers: Headers::default(),
            answer_by: None,
        };
        Said::Came(Box::new(Came { inputs: vec![input], archived, ..Came::default() }))
    };
    bob.say(came("old", said("m1"), true));
    bob.say(came("live", said("m2"), false));
    let told = loop {
        if let Notification::Undecryptable(told) = bob.next().await {
            break told;
        }
    };
    assert_eq!((told.id.as_str(), told.reason.as_str()), ("live", "not-for-this-device"));
    drop(first);
}
