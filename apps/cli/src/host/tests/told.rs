//! What people are told, in words that they can do something with.
use super::*;
use crate::config::{Account, Settings};
use crate::host::Host;
use crate::rpc::server::Backend;
use crate::rpc::types::{Devices, Edit, Fate, GetHistory, Of, Retract};
use subrosa_xmpp::{BlockNews, Contact, Subscription};

#[tokio::test]
async fn own_devices_that_were_there_are_no_news_and_a_later_one_is() {
    let ((_dir, home), (_other, elsewhere)) = (place(), place());
    let server = Arc::new(Server::default());
    let mut first = Client::begin(&server, &home.prepare("alice@x").expect("room")).await;
    let second = Client::begin(&server, &elsewhere.prepare("alice@x").expect("room")).await;
    let Notification::DeviceNew(new) = first.next().await else { panic!("a new device") };
    assert_eq!((new.jid.as_str(), new.trust), ("alice@x", Level::Undecided));
    let listed = second.call(Call::Devices(Devices::default())).await.expect("devices");
    let trusted = listed["devices"].as_array().expect("a list").iter().any(|device| device["own"] == false && device["trust"] == "trusted");
    assert!(trusted, "{listed}");
    assert_eq!(second.status().await.unread, 0);
}

#[tokio::test]
async fn who_blocked_somebody_is_told_so() {
    let (_dir, home) = place();
    let server = Arc::new(Server::default());
    let alice = Client::begin(&server, &home.prepare("alice@x").expect("room")).await;
    let _bob = Client::begin(&server, &home.prepare("bob@x").expect("room")).await;
    alice.say(Said::Blocking(BlockNews::List(vec!["bob@x".into()])));
    let failure = alice.send("bob@x", "hello", "m1").await.expect_err("blocked");
    assert_eq!(failure.code, "send.blocked");
    assert!(failure.sentence.contains("you have blocked them") && failure.sentence.contains("subrosa unblock bob@x"), "{failure}");
    alice.say(Said::Blocking(BlockNews::Unblocked(vec!["bob@x".into()])));
    alice.send("bob@x", "hello", "m1").await.expect("sends");
}

/// The list comes after a message that waits for keys, which the server does not give.
#[tokio::test]
async fn whose_keys_are_kept_back_because_they_are_blocked_is_said() {
    let (_dir, home) = place();
    let server = Arc::new(Server::default());
    let alice = Client::start(&server, &home.prepare("alice@x").expect("room"), TrustPolicy::Btbv).await;
    let send = SendText { to: "bob@x".into(), text: "hello".into(), id: Some("m1".into()), timeout: None, account: None };
    let (waiter, answer) = oneshot::channel();
    let _ = alice.jobs.send(Job::Call(Call::Send(send), waiter));
    alice.say(Said::Blocking(BlockNews::List(vec!["bob@x".into()])));
    alice.link.connect();
    let failure = tokio::time::timeout(PATIENCE, answer).await.expect("in time").expect("an answer").expect_err("blocked");
    assert_eq!(failure.code, "send.blocked", "{failure}");
}

#[tokio::test]
async fn what_was_taken_back_is_not_changed() {
    let (_dir, home) = place();
    let server = Arc::new(Server::default());
    let alice = Client::begin(&server, &home.prepare("alice@x").expect("room")).await;
    let _bob = Client::begin(&server, &home.prepare("bob@x").expect("room")).await;
    let edit = |id: &str| {
        let (chat, of, text, id) = ("bob@x".into(), Of::Id("m1".into()), "other words".into(), Some(id.into()));
        Call::Edit(Edit { chat, of, text, id, timeout: None, account: None })
    };
    alice.send("bob@x", "words", "m1").await.expect("sends");
    alice.call(edit("e1")).await.expect("it is there");
    let retract = Retract { chat: "bob@x".into(), of: Of::Id("m1".into()), id: Some("r1".into()), timeout: None, account: None };
    alice.call(Call::Retract(retract)).await.expect("taken back");
    let failure = alice.call(edit("e2")).await.expect_err("nothing is left");
    assert!(failure.sentence.contains("taken back"), "{failure}");
}

#[tokio::test]
async fn a_receipt_names_a_message_by_its_words() {
    let (_dir, home) = place();
    let server = Arc::new(Server::default());
    let mut alice = Client::begin(&server, &home.prepare("alice@x").expect("room")).await;
    let bob = Client::begin(&server, &home.prepare("bob@x").expect("room")).await;
    bob.say(Said::Contact(Contact { address: "alice@x".into(), name: String::new(), subscription: Subscription::Both, asking: false }));
    for (id, text, words) in [("m1", "see you", "see you"), ("m2", "\nfirst line\nsecond", "first line\u{2026}")] {
        alice.send("bob@x", text, id).await.expect("sends");
        let receipt = loop {
            if let Notification::Receipt(receipt) = alice.next().await {
                break receipt;
            }
        };
        assert_eq!((receipt.id.as_str(), receipt.words.as_deref(), receipt.fate), (id, Some(words), Fate::Delivered));
        let line = crate::show::note(&Notification::Receipt(receipt), false);
        assert_eq!(line, format!("* bob@x has \u{201c}{words}\u{201d}"));
    }
}

/// What only this machine does is not given up after the time that a server has.
#[tokio::test]
async fn a_limit_is_for_servers() {
    let (_dir, home) = place();
    let dir = home.prepare("alice@x").expect("room");
    let lock = dir.lock().expect("a lock").expect("free");
    let account = Account { jid: "alice@x".into(), host: Some("127.0.0.1:1".into()), ca: None, resource: None, plain_loopback: true };
    let mut settings = Settings::default();
    settings.send.timeout = 0;
    let host = Host::start(dir, lock, account, &settings, Choice::default(), Some(Default::default())).await.expect("starts");
    let ask = |call| {
        // it has something to do, for longer than the limit
        let _ = host.jobs.send(Job::Beside(Box::new(|_| std::thread::sleep(Duration::from_millis(50)))));
        tokio::time::timeout(PATIENCE, host.begin(call))
    };
    let wanted = GetHistory { chat: "bob@x".into(), ..GetHistory::default() };
    for call in [Call::History(wanted), Call::Chats(Default::default()), Call::Rooms(Default::default()), Call::StaleDevices(Default::default())] {
        ask(call).await.expect("in time").expect("an answer").expect("answered here");
    }
    let devices = Devices { jid: Some("bob@x".into()), account: None };
    assert_eq!(ask(Call::Devices(devices)).await.expect("in time").expect("an answer").expect_err("nobody").code, "connect.no-answer");
    host.stop().await;
}
