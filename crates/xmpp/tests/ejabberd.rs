//! Against a real ejabberd 23: it keeps one item a node, knows two publish-options, and checks the hash of capabilities.
#![cfg(feature = "connection")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::arithmetic_side_effects, clippy::indexing_slicing, missing_docs, dead_code)]
mod common;

use common::{Client, NODE, config};
use subrosa_engine::{Address, Input, Keep, Node, Request, RequestError};
use subrosa_interop::{Ejabberd, Friends};
use subrosa_xmpp::Happening;

const ALICE: &str = "alice@localhost";
const BOB: &str = "bob@localhost";

fn node(item: Option<&str>) -> Node {
    Node { owner: Address::from(ALICE), name: NODE.into(), item: item.map(str::to_owned) }
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_publications_and_many_items() {
    if !Ejabberd::installed() {
        eprintln!("skipped: ejabberd is not installed (Debian package `ejabberd`)");
        return;
    }
    let server = Ejabberd::start(&[("alice", "pw-alice"), ("bob", "pw-bob")], Friends::All).unwrap();
    let mut bob = Client::online(config(&server, "bob")).await;
    let mut alice = Client::online(config(&server, "alice")).await;
    alice.send(1, BOB, "hello");
    alice.acknowledged(1).await;
    assert_eq!(bob.message().await.0, "hello");

    assert_eq!(bob.ask(Request::Fetch(node(None))).await, Err(RequestError::NotFound));
    for item in ["1", "2", "3"] {
        let payload = format!("<list xmlns='urn:example:p' n='{item}'/>").into_bytes();
        assert_eq!(alice.ask(Request::Publish { node: node(Some(item)), keep: Keep::Many, payload }).await, Ok(vec![]));
    }
    assert_eq!(bob.ask(Request::Fetch(node(None))).await.unwrap().len(), 3);
    // pushed: the capabilities were believed
    if !bob.seen.iter().any(|h| h.contains("Published")) {
        bob.until(|h| matches!(h, Happening::Received { inputs, .. } if matches!(inputs.as_slice(), [Input::Published(..)])).then_some(())).await;
    }
    // another device of the account, later: nothing is lost
    let mut other = Client::online(config(&server, "alice")).await;
    let payload = b"<list xmlns='urn:example:p' n='4'/>".to_vec();
    assert_eq!(other.ask(Request::Publish { node: node(Some("4")), keep: Keep::Many, payload }).await, Ok(vec![]));
    assert_eq!(bob.ask(Request::Fetch(node(None))).await.unwrap().len(), 4);
    for client in [alice, bob, other] {
        client.close().await;
    }
}
