//! Against a real Prosody 0.12.
#![cfg(feature = "connection")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::arithmetic_side_effects, clippy::indexing_slicing, missing_docs)]
mod common;

use common::{Client, NODE, clear, config, prosody};
use std::time::Duration;
use subrosa_engine::{Address, Input, Keep, Node, Request, RequestError};
use subrosa_interop::Proxy;
use subrosa_xmpp::{Config, ConnectError, Happening, Pin, Roots, Security};

const ALICE: &str = "alice@localhost";
const BOB: &str = "bob@localhost";

fn node(owner: &str, item: Option<&str>) -> Node {
    Node { owner: Address::from(owner), name: NODE.into(), item: item.map(str::to_owned) }
}
fn publish(item: &str, keep: Keep, payload: &str) -> Request {
    Request::Publish { node: node(ALICE, Some(item)), keep, payload: payload.as_bytes().to_vec() }
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_pass_by_every_way_in() {
    let Some(server) = prosody() else { return };
    let mut direct = config(&server, "bob");
    direct.host = Some((server.host.clone(), server.tls_port));
    direct.security = Security::DirectTls;
    let mut bob = Client::online(direct).await;
    for (i, config) in [config(&server, "alice"), clear(&server, "alice", server.port)].into_iter().enumerate() {
        let i = i as u64;
        let mut alice = Client::online(config).await;
        alice.send(i, BOB, "hello");
        alice.acknowledged(i).await;
        assert_eq!(bob.message().await.0, "hello");
        bob.send(i, ALICE, "hi");
        bob.acknowledged(i).await;
        assert_eq!(alice.message().await.0, "hi");
        alice.close().await;
    }
    bob.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn other_devices_see_copies() {
    let Some(server) = prosody() else { return };
    let mut bob = Client::online(config(&server, "bob")).await;
    let mut one = Client::online(config(&server, "alice")).await;
    let mut two = Client::online(config(&server, "alice")).await;
    tokio::time::sleep(Duration::from_millis(200)).await; // the server has switched the copies on
    one.send(1, BOB, "from one");
    assert_eq!(bob.message().await.0, "from one");
    let (from, chat) = two
        .until(|h| match h {
            Happening::Received { inputs, .. } => inputs.into_iter().find_map(|input| match input {
                Input::Receive { from, chat, .. } => Some((from, chat.0)),
                _ => None,
            }),
            _ => None,
        })
        .await;
    assert_eq!((from.as_str(), chat.as_str()), (ALICE, BOB));
    one.acknowledged(1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_published_is_pushed_fetched_and_taken_back() {
    let Some(server) = prosody() else { return };
    let mut bob = Client::online(config(&server, "bob")).await;
    let mut alice = Client::online(config(&server, "alice")).await;
    assert_eq!(bob.ask(Request::Fetch(node(ALICE, None))).await.map(|items| items.len()), Err(RequestError::NotFound));
    for item in ["1", "2", "3"] {
        let payload = format!("<list xmlns='urn:example:p' n='{item}'/>");
        assert_eq!(alice.ask(publish(item, Keep::Many, &payload)).await, Ok(vec![]));
    }
    let (node_pushed, payload) = bob
        .until(|h| match h {
            Happening::Received { inputs, .. } => inputs.into_iter().find_map(|input| match input {
                Input::Published(node, payload) => Some((node, payload)),
                _ => None,
            }),
            _ => None,
        })
        .await;
    assert_eq!(node_pushed, node(ALICE, Some("1")));
    assert!(String::from_utf8(payload.unwrap()).unwrap().contains("urn:example:p"));
    let items = bob.ask(Request::Fetch(node(ALICE, None))).await.unwrap();
    let mut ids: Vec<_> = items.into_iter().filter_map(|i| i.id).collect();
    ids.sort();
    assert_eq!(ids, ["1", "2", "3"]);
    assert_eq!(bob.ask(Request::Fetch(node(ALICE, Some("2")))).await.unwrap().len(), 1);
    assert!(matches!(bob.ask(Request::Delete(node(ALICE, Some("2")))).await, Err(RequestError::Forbidden)));
    assert_eq!(alice.ask(Request::Delete(node(ALICE, Some("2")))).await, Ok(vec![]));
    assert_eq!(alice.ask(Request::Delete(node(ALICE, Some("2")))).await, Ok(vec![]));
    assert_eq!(bob.ask(Request::Fetch(node(ALICE, None))).await.unwrap().len(), 2);
    assert_eq!(alice.ask(Request::Delete(node(ALICE, None))).await, Ok(vec![]));
    assert_eq!(bob.ask(Request::Fetch(node(ALICE, None))).await, Err(RequestError::NotFound));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_with_other_options_is_repaired() {
    let Some(server) = prosody() else { return };
    let mut alice = Client::online(config(&server, "alice")).await;
    let mut bob = Client::online(config(&server, "bob")).await;
    // a node for one item, then one for many: Prosody says precondition-not-met
    assert_eq!(alice.ask(publish("a", Keep::One, "<x xmlns='urn:x'/>")).await, Ok(vec![]));
    for item in ["b", "c"] {
        assert_eq!(alice.ask(publish(item, Keep::Many, "<x xmlns='urn:x'/>")).await, Ok(vec![]));
    }
    assert!(bob.ask(Request::Fetch(node(ALICE, None))).await.unwrap().len() >= 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn refusals_to_connect_are_told_at_once() {
    let Some(server) = prosody() else { return };
    let with = |password: &str| {
        let mut config = Config::new(ALICE, password, common::entity()).unwrap();
        config.host = Some((server.host.clone(), server.port));
        config.roots = Roots::Pem(std::fs::read(server.ca_file()).unwrap());
        config
    };
    assert_eq!(Client::start(with("wrong")).failure().await, ConnectError::Password { account: ALICE.into() });

    let mut unknown = with("pw-alice");
    let key = rcgen::KeyPair::generate().unwrap();
    unknown.roots = Roots::Pem(rcgen::CertificateParams::new(vec!["other".into()]).unwrap().self_signed(&key).unwrap().pem().into_bytes());
    assert!(matches!(Client::start(unknown).failure().await, ConnectError::Certificate { .. }));

    let mut away = with("pw-alice");
    away.host = Some(("127.0.0.1".into(), 1));
    assert!(matches!(Client::start(away).failure().await, ConnectError::Unreachable { .. }));

    let mut far = with("pw-alice");
    far.security = Security::ClearLoopback;
    far.host = Some(("192.0.2.1".into(), 5222));
    assert_eq!(Client::start(far).failure().await, ConnectError::NotLoopback { host: "192.0.2.1".into() });

    let mut weaker = with("pw-alice");
    weaker.pin = Some("SCRAM-SHA-256-PLUS".parse::<Pin>().unwrap());
    assert!(matches!(Client::start(weaker).failure().await, ConnectError::Weaker { .. }));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cut_is_resumed_and_every_message_arrives_once() {
    let Some(server) = prosody() else { return };
    let proxy = Proxy::before(&server).unwrap();
    let mut alice = Client::online(clear(&server, "alice", proxy.port)).await;
    let mut bob = Client::online(clear(&server, "bob", server.port)).await;
    alice.send(1, BOB, "1");
    alice.acknowledged(1).await;
    for round in 0..3u64 {
        proxy.cut();
        for n in 0..5 {
            alice.send(10 * round + 10 + n, BOB, &format!("a{round}{n}"));
            bob.send(10 * round + 10 + n, ALICE, &format!("b{round}{n}"));
        }
        alice.until_online(true).await;
    }
    let mut got = Vec::new();
    for _ in 0..15 {
        got.push(alice.message().await.0);
    }
    let expected: Vec<String> = (0..3).flat_map(|r| (0..5).map(move |n| format!("b{r}{n}"))).collect();
    assert_eq!(got, expected);
    let mut got = Vec::new();
    for _ in 0..16 {
        got.push(bob.message().await.0);
    }
    assert_eq!(got[1..], (0..3).flat_map(|r| (0..5).map(move |n| format!("a{r}{n}"))).collect::<Vec<_>>());
    // nothing comes after them
    alice.send(99, BOB, "end");
    bob.send(99, ALICE, "end");
    assert_eq!((alice.message().await.0, bob.message().await.0), ("end".into(), "end".into()));
    alice.close().await;
    bob.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_written_and_lost_is_sent_again() {
    let Some(server) = prosody() else { return };
    let proxy = Proxy::before(&server).unwrap();
    let mut alice = Client::online(clear(&server, "alice", proxy.port)).await;
    let mut bob = Client::online(clear(&server, "bob", server.port)).await;
    proxy.hold();
    for n in 0..3 {
        alice.send(n, BOB, &n.to_string());
    }
    proxy.wait_for(3).unwrap();
    proxy.cut(); // what was held is lost
    proxy.release(|_| {}).ok();
    alice.until_online(true).await;
    proxy.release(|_| {}).ok();
    for n in 0..3 {
        alice.acknowledged(n).await;
        assert_eq!(bob.message().await.0, n.to_string());
    }
    alice.send(9, BOB, "end");
    assert_eq!(bob.message().await.0, "end");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_not_stored_comes_again() {
    let Some(server) = prosody() else { return };
    let own = || {
        let mut config = clear(&server, "alice", server.port);
        config.resource = Some("stable".into());
        config
    };
    let bob = Client::online(config(&server, "bob")).await;
    let mut alice = Client::online(own()).await;
    alice.stores = false;
    for n in 0..4 {
        bob.send(n, ALICE, &n.to_string());
    }
    let mut marks = Vec::new();
    for n in 0..4 {
        let (text, mark) = alice.message().await;
        assert_eq!(text, n.to_string());
        marks.push(mark);
    }
    alice.handle.handled(marks[1]);
    tokio::time::sleep(Duration::from_millis(300)).await;
    // the process dies: no farewell
    let Client { handle, happenings, .. } = alice;
    drop(happenings);
    std::mem::forget(handle);
    bob.send(9, ALICE, "wakes the dropped connection");
    tokio::time::sleep(Duration::from_millis(300)).await;
    let mut alice = Client::online(own()).await;
    let mut again = Vec::new();
    for _ in 0..3 {
        again.push(alice.message().await.0);
    }
    assert_eq!(again, ["2", "3", "wakes the dropped connection"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restarted_server_is_found_again() {
    let Some(mut server) = prosody() else { return };
    let mut alice = Client::online(config(&server, "alice")).await;
    server.restart().unwrap();
    alice.send(1, BOB, "late");
    alice.until_online(false).await;
    alice.acknowledged(1).await;
    let states: Vec<_> = alice.seen.iter().filter(|s| s.contains("Offline")).collect();
    assert!(!states.is_empty());
    alice.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_host_may_be_slow() {
    let Some(server) = prosody() else { return };
    let mut bob = Client::online(config(&server, "bob")).await;
    let mut alice = Client::online(config(&server, "alice")).await;
    for n in 0..1000 {
        bob.send(n, ALICE, &n.to_string());
    }
    tokio::time::sleep(Duration::from_millis(500)).await; // alice's host reads nothing
    alice.send(5000, BOB, "still writes");
    assert_eq!(bob.message().await.0, "still writes");
    for n in 0..1000u64 {
        assert_eq!(alice.message().await.0, n.to_string());
    }
}
