//! Two people and their devices: what is sent, told, flagged, kept over the end of a process, and what waits for a decision.
use super::*;

#[tokio::test]
async fn two_people_talk_and_see_who_got_it() {
    let (_dir, home) = place();
    let server = Arc::new(Server::default());
    let mut alice = Client::begin(&server, &home.prepare("alice@x").expect("room")).await;
    let mut bob = Client::begin(&server, &home.prepare("bob@x").expect("room")).await;
    let result = alice.send("bob@x", "hello", "m1").await.expect("sends");
    assert_eq!((result.id.as_str(), result.devices.len()), ("m1", 1));
    assert_eq!(result.devices[0].jid, "bob@x");
    assert_eq!(result.devices[0].result, types::SendOutcome::Sent);
    let m = bob.message().await;
    assert_eq!((m.id.as_str(), m.from.as_str(), m.text.as_str(), m.again), ("m1", "alice@x", "hello", false));
    assert_eq!(m.trust, Some(Level::Trusted));
    bob.send("alice@x", "hello yourself", "m2").await.expect("sends");
    assert_eq!(alice.message().await.text, "hello yourself");
    assert!(server.handled.load(Ordering::Relaxed) > 0);
    assert_eq!(alice.status().await.queued, 0);
}

#[tokio::test]
async fn a_message_not_confirmed_comes_again_flagged_and_a_confirmed_one_does_not() {
    let (_dir, home) = place();
    let server = Arc::new(Server::default());
    let alice = Client::begin(&server, &home.prepare("alice@x").expect("room")).await;
    let mut bob = Client::begin(&server, &home.prepare("bob@x").expect("room")).await;
    for n in 1..=2 {
        alice.send("bob@x", &format!("number {n}"), &format!("m{n}")).await.expect("sends");
    }
    let first = bob.message().await;
    let _ = bob.jobs.send(Job::Shown(first.seq));
    assert_eq!(bob.message().await.id, "m2");
    bob.status().await; // behind the confirmation in the queue, so that one is stored
    let account = bob.killed().await;
    let mut bob = Client::begin(&server, &account).await;
    let again = bob.message().await;
    assert_eq!((again.id.as_str(), again.again), ("m2", true));
    alice.send("bob@x", "number 3", "m3").await.expect("sends");
    let new = bob.message().await;
    assert_eq!((new.id.as_str(), new.again), ("m3", false));
}

#[tokio::test]
async fn what_came_while_nobody_listened_is_not_flagged() {
    let (_dir, home) = place();
    let server = Arc::new(Server::default());
    let alice = Client::begin(&server, &home.prepare("alice@x").expect("room")).await;
    let bob = home.prepare("bob@x").expect("room");
    let quiet = Client::start(&server, &bob, TrustPolicy::Btbv).await;
    quiet.link.connect();
    quiet.ask(Job::Settled).await.expect("settles");
    alice.send("bob@x", "for later", "m1").await.expect("sends");
    while quiet.status().await.unread < 2 {
        tokio::time::sleep(Duration::from_millis(5)).await; // the device and the message
    }
    let bob = quiet.killed().await;
    let mut bob = Client::begin(&server, &bob).await;
    let m = bob.message().await;
    assert_eq!((m.text.as_str(), m.again), ("for later", false));
}

#[tokio::test]
async fn a_message_sent_twice_under_one_id_leaves_once() {
    let (_dir, home) = place();
    let server = Arc::new(Server::default());
    let alice = Client::begin(&server, &home.prepare("alice@x").expect("room")).await;
    let mut bob = Client::begin(&server, &home.prepare("bob@x").expect("room")).await;
    let first = alice.send("bob@x", "once", "m1").await.expect("sends");
    assert_eq!(alice.send("bob@x", "once", "m1").await.expect("the same"), first);
    assert_eq!(alice.send("carol@x", "once", "m1").await.expect_err("another").code, "send.id-used");
    let account = alice.killed().await;
    let alice = Client::begin(&server, &account).await;
    assert_eq!(alice.send("bob@x", "once", "m1").await.expect("the same"), first);
    alice.send("bob@x", "two", "m2").await.expect("sends");
    let ids = [bob.message().await.id, bob.message().await.id];
    assert_eq!(ids, ["m1", "m2"]);
}

#[tokio::test]
async fn killed_before_the_acknowledgement_it_leaves_again_and_is_answered() {
    let (_dir, home) = place();
    let server = Arc::new(Server::default());
    let alice = Client::begin(&server, &home.prepare("alice@x").expect("room")).await;
    let mut bob = Client::begin(&server, &home.prepare("bob@x").expect("room")).await;
    *server.silent.lock().expect("unpoisoned") = true;
    let send = SendText { to: "bob@x".into(), text: "hi".into(), id: Some("m1".into()), timeout: None, account: None };
    let (waiter, mut answer) = oneshot::channel();
    let _ = alice.jobs.send(Job::Call(Call::Send(send), waiter));
    assert_eq!(bob.message().await.id, "m1");
    assert!(answer.try_recv().is_err());
    assert_eq!(alice.status().await.queued, 1);
    let account = alice.killed().await;
    *server.silent.lock().expect("unpoisoned") = false;
    let alice = Client::start(&server, &account, TrustPolicy::Btbv).await;
    assert_eq!(alice.status().await.queued, 1);
    let answer = alice.send("bob@x", "hi", "m1");
    alice.link.connect();
    assert_eq!(answer.await.expect("sends").devices.len(), 1);
    assert_eq!(alice.status().await.queued, 0);
    alice.send("bob@x", "next", "m2").await.expect("sends");
    assert_eq!(bob.message().await.id, "m2"); // the copy of m1 was dropped as a duplicate
}

#[tokio::test]
async fn a_second_device_waits_for_approval() {
    let (_dir, home) = place();
    let (_other, elsewhere) = place();
    let server = Arc::new(Server::default());
    let mut one = Client::begin(&server, &home.prepare("alice@x").expect("room")).await;
    let mut two = Client::begin(&server, &elsewhere.prepare("alice@x").expect("room")).await;
    let mut bob = Client::begin(&server, &home.prepare("bob@x").expect("room")).await;
    let new = loop {
        // the first device meets the second one at the latest when it writes
        one.send("bob@x", "before", &super::super::new_id()).await.expect("sends");
        match one.next().await {
            Notification::DeviceNew(d) if d.jid == "alice@x" => break d,
            _ => {}
        }
    };
    assert_eq!(new.trust, Level::Undecided);
    let number = two.status().await.device.expect("a number");
    assert_eq!(new.device, types::DeviceNumber::Number(number));
    let result = one.send("bob@x", "not yet", "m1").await.expect("sends");
    let own = result.devices.iter().find(|d| d.jid == "alice@x").expect("considered");
    assert_eq!(own.reason.as_deref(), Some("awaits-approval"));
    let trust = SetTrust { jid: "alice@x".into(), device: number, fingerprint: Some(new.fingerprint), level: Level::Verified, account: None };
    one.call(Call::Trust(trust)).await.expect("decides");
    one.send("bob@x", "now", "m2").await.expect("sends");
    loop {
        match two.next().await {
            Notification::Message(m) => {
                assert_eq!((m.text.as_str(), m.from.as_str(), m.chat.as_str()), ("now", "alice@x", "bob@x"));
                break;
            }
            Notification::Undecryptable(u) => assert_eq!(u.reason, "not-for-this-device"),
            _ => {}
        }
    }
    let bad = SetTrust { jid: "alice@x".into(), device: number, fingerprint: Some("00".repeat(32)), level: Level::Verified, account: None };
    assert_eq!(one.call(Call::Trust(bad)).await.expect_err("not its key").code, "trust.key");
    let _ = bob.message().await;
}

#[tokio::test]
async fn a_person_without_devices_gets_nothing_and_the_sender_is_told() {
    let (_dir, home) = place();
    let server = Arc::new(Server::default());
    let alice = Client::begin(&server, &home.prepare("alice@x").expect("room")).await;
    let failure = alice.send("nobody@x", "hello?", "m1").await.expect_err("nobody");
    assert!(failure.code.starts_with("send."), "{failure:?}");
    assert_eq!(failure.exit(), 10);
    // the id is free again: when they have a device, it is sent
    let mut nobody = Client::begin(&server, &home.prepare("nobody@x").expect("room")).await;
    alice.send("nobody@x", "hello?", "m1").await.expect("sends");
    assert_eq!(nobody.message().await.text, "hello?");
}

#[tokio::test]
async fn devices_of_a_stranger_are_asked_for() {
    let (_dir, home) = place();
    let server = Arc::new(Server::default());
    let bob = Client::begin(&server, &home.prepare("bob@x").expect("room")).await;
    let alice = Client::begin(&server, &home.prepare("alice@x").expect("room")).await;
    let value = alice.call(Call::Devices(Devices { jid: Some("bob@x".into()), account: None })).await.expect("devices");
    let list: types::DeviceList = serde_json::from_value(value).expect("a list");
    assert_eq!(list.devices.len(), 1);
    assert_eq!(list.devices[0].device, types::DeviceNumber::Number(bob.status().await.device.expect("a number")));
    let own = alice.call(Call::Devices(Devices::default())).await.expect("devices");
    let own: types::DeviceList = serde_json::from_value(own).expect("a list");
    assert!(own.devices.len() == 1 && own.devices[0].own);
}

#[tokio::test]
async fn logging_out_leaves_nothing_on_the_server_or_the_disk() {
    let (_dir, home) = place();
    let server = Arc::new(Server::default());
    let account = home.prepare("alice@x").expect("room");
    let alice = Client::begin(&server, &account).await;
    let login = Login { password: zeroize::Zeroizing::new("pw".into()), pin: None };
    alice.ask(|waiter| Job::Remember(login, waiter)).await.expect("stored");
    let number = alice.status().await.device.expect("a number").to_string();
    let named = |server: &Server| {
        let nodes = server.nodes.lock().expect("unpoisoned");
        nodes.iter().any(|((_, node), items)| {
            items.iter().any(|(id, payload)| *id == number || node.ends_with(&number) || String::from_utf8_lossy(payload).contains(&number))
        })
    };
    assert!(named(&server));
    alice.ask(Job::Leave).await.expect("leaves");
    assert!(!named(&server));
    alice.ask(Job::Erase).await.expect("erases");
    account.erase().expect("erased");
    assert!(!account.path().exists());
}

#[tokio::test]
async fn stopped_in_good_order_it_goes_on_where_it_was() {
    let (_dir, home) = place();
    let server = Arc::new(Server::default());
    let alice = Client::begin(&server, &home.prepare("alice@x").expect("room")).await;
    let bob = Client::begin(&server, &home.prepare("bob@x").expect("room")).await;
    let before = bob.status().await;
    let account = bob.stopped().await;
    let mut bob = Client::begin(&server, &account).await;
    assert_eq!(bob.status().await.fingerprint, before.fingerprint);
    alice.send("bob@x", "still you?", "m1").await.expect("sends");
    assert!(!bob.message().await.again);
}

#[tokio::test]
async fn a_full_disk_loses_nothing_and_says_so() {
    let (_dir, home) = place();
    let server = Arc::new(Server::default());
    let alice = Client::begin(&server, &home.prepare("alice@x").expect("room")).await;
    let mut bob = Client::begin(&server, &home.prepare("bob@x").expect("room")).await;
    alice.send("bob@x", "small", "m0").await.expect("sends");
    bob.message().await;
    bob.status().await;
    // bob's empty answer, so that nothing else is on its way: 0 and 1 are the clients, 2 is the message
    while server.handled.load(Ordering::Relaxed) < 3 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    // the sender's disk: the caller is told, nothing left, and the id is free
    let _ = alice.jobs.send(Job::Room(1));
    let long = "x".repeat(100_000);
    let failure = alice.send("bob@x", &long, "m1").await.expect_err("full");
    assert_eq!((failure.code.as_str(), failure.exit()), ("store.full", 7));
    let _ = alice.jobs.send(Job::Room(0));
    // the receiver's disk: nothing is acknowledged to the server until there is room
    let _ = bob.jobs.send(Job::Room(1));
    let handled = server.handled.load(Ordering::Relaxed);
    alice.send("bob@x", &long, "m1").await.expect("sends");
    loop {
        let note = tokio::time::timeout(PATIENCE, bob.notes.recv()).await.expect("in time").expect("told");
        assert!(!matches!(note, Notification::Message(_)), "shown before it was stored");
        if matches!(&note, Notification::Connection(c) if c.reason.as_ref().is_some_and(|r| r.contains("disk is full"))) {
            break;
        }
    }
    assert_eq!(server.handled.load(Ordering::Relaxed), handled);
    let _ = bob.jobs.send(Job::Room(0));
    let m = bob.message().await;
    assert_eq!((m.id.as_str(), m.text.len(), m.again), ("m1", 100_000, false));
    bob.status().await;
    assert!(server.handled.load(Ordering::Relaxed) > handled);
}

#[tokio::test]
async fn by_the_manual_policy_nobody_gets_a_key_before_a_decision() {
    let (_dir, home) = place();
    let server = Arc::new(Server::default());
    let mut bob = Client::begin(&server, &home.prepare("bob@x").expect("room")).await;
    let mut alice = Client::start(&server, &home.prepare("alice@x").expect("room"), TrustPolicy::Manual).await;
    alice.link.connect();
    alice.ask(Job::Settled).await.expect("settles");
    alice.listen();
    assert_eq!(alice.status().await.policy, TrustPolicy::Manual);
    let failure = alice.send("bob@x", "a secret", "m1").await.expect_err("undecided");
    let details = failure.details.expect("who was considered");
    assert_eq!((failure.code.as_str(), details.devices[0].reason.as_deref()), ("send.nobody", Some("undecided")));
    let Notification::DeviceNew(new) = alice.next().await else { panic!("no device") };
    let types::DeviceNumber::Number(device) = new.device else { panic!("no number") };
    let trust = SetTrust { jid: "bob@x".into(), device, fingerprint: None, level: Level::Trusted, account: None };
    alice.call(Call::Trust(trust)).await.expect("decides");
    alice.send("bob@x", "a secret", "m1").await.expect("sends");
    assert_eq!(bob.message().await.text, "a secret");
}
