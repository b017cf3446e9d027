//! Against a server that does what the test says.
#![cfg(feature = "connection")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::arithmetic_side_effects, clippy::indexing_slicing, missing_docs, dead_code)]
mod common;
#[path = "common/server.rs"]
mod server;

use common::{Client, entity};
use server::{Authority, Script, Server};
use subrosa_engine::{Address, Node, Request, RequestError};
use subrosa_xmpp::connection::Mechanism;
use subrosa_xmpp::{Config, ConnectError, Happening, Pin, Roots, Security, State};

const BOB: &str = "bob@localhost";

fn config(authority: &Authority, port: u16) -> Config {
    let mut config = Config::new("alice@localhost", "secret", entity()).unwrap();
    config.host = Some(("127.0.0.1".into(), port));
    config.security = Security::DirectTls;
    config.roots = Roots::Pem(authority.pem());
    config
}
async fn pinned(config: Config) -> Mechanism {
    let mut client = Client::start(config);
    let pin = client
        .until(|h| match h {
            Happening::Pinned(pin) => Some(pin),
            Happening::State(State::Failed(why) | State::Offline { why, .. }) => panic!("{why}"),
            _ => None,
        })
        .await;
    client.until_online(false).await;
    client.close().await;
    pin.mechanism()
}

#[tokio::test(flavor = "multi_thread")]
async fn channel_bindings_are_used() {
    let authority = Authority::new();
    let server = Server::start(&authority, Script::default()).await;
    assert_eq!(pinned(config(&authority, server.port)).await, Mechanism::ScramSha256Plus);
    let server = Server::start(&authority, Script { bindings: &["tls-server-end-point"], ..Script::default() }).await;
    assert_eq!(pinned(config(&authority, server.port)).await, Mechanism::ScramSha256Plus);
    let server = Server::start(&authority, Script { mechanisms: &["SCRAM-SHA-1-PLUS", "SCRAM-SHA-1"], ..Script::default() }).await;
    assert_eq!(pinned(config(&authority, server.port)).await, Mechanism::ScramSha1Plus);
    let server = Server::start(&authority, Script { mechanisms: &["PLAIN"], ..Script::default() }).await;
    assert_eq!(pinned(config(&authority, server.port)).await, Mechanism::Plain);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_man_in_the_middle_is_found_and_gets_no_password() {
    let authority = Authority::new();
    for bindings in [&["tls-exporter"], &["tls-server-end-point"]] {
        let server = Server::start(&authority, Script { bindings, ..Script::default() }).await;
        let between = server::man_in_the_middle(&authority, server.port).await;
        assert_eq!(Client::start(config(&authority, between)).failure().await, ConnectError::ChannelBinding);
        assert_eq!((server.heard("<auth"), server.heard("PLAIN")), (1, 0));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_offer_that_was_cut_out_is_noticed() {
    let authority = Authority::new();
    // the server has -PLUS; what the client sees of its offer has not
    let script = Script { mechanisms: &["SCRAM-SHA-256"], ..Script::default() };
    let server = Server::start(&authority, script.clone()).await;
    assert!(matches!(Client::start(config(&authority, server.port)).failure().await, ConnectError::Password { .. }));
    // and who was there before notices it before saying anything
    let server = Server::start(&authority, script).await;
    let mut known = config(&authority, server.port);
    known.pin = Some("SCRAM-SHA-256-PLUS".parse::<Pin>().unwrap());
    let weaker = ConnectError::Weaker { before: Mechanism::ScramSha256Plus, offered: Some(Mechanism::ScramSha256) };
    assert_eq!(Client::start(known).failure().await, weaker);
    assert_eq!(server.heard("<auth"), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_does_not_know_the_password_is_no_server_of_ours() {
    let authority = Authority::new();
    let server = Server::start(&authority, Script { signature: Some(b"made up, of the right length 32!"), ..Script::default() }).await;
    assert_eq!(Client::start(config(&authority, server.port)).failure().await, ConnectError::Impostor);
    let server = Server::start(&authority, Script { iterations: 1, ..Script::default() }).await;
    assert!(matches!(Client::start(config(&authority, server.port)).failure().await, ConnectError::Protocol { .. }));
    assert_eq!(server.heard("<response"), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_said_without_tls() {
    let authority = Authority::new();
    const NONE: &str = "<?xml version='1.0'?><stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' id='s' version='1.0'>\
        <stream:features><mechanisms xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><mechanism>PLAIN</mechanism></mechanisms></stream:features>";
    let with = |port| {
        let mut config = config(&authority, port);
        config.security = Security::Tls;
        config
    };
    assert!(matches!(Client::start(with(server::clear(&[NONE]).await)).failure().await, ConnectError::NoTls { .. }));
    const SOME: &str = "<?xml version='1.0'?><stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' id='s' version='1.0'>\
        <stream:features><starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/></stream:features>";
    const PROCEED: &str = "<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>";
    const INJECTED: &str = "<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/><message><body>before TLS</body></message>";
    let injected = Client::start(with(server::clear(&[SOME, INJECTED]).await)).failure().await;
    assert!(matches!(&injected, ConnectError::Protocol { cause } if cause.contains("STARTTLS")), "{injected}");
    // it says yes and then speaks no TLS
    let never = Client::start(with(server::clear(&[SOME, PROCEED, "no TLS"]).await)).failure().await;
    assert!(matches!(never, ConnectError::Tls { .. } | ConnectError::Lost { .. }), "{never}");
}
#[tokio::test(flavor = "multi_thread")]
async fn without_stream_management_a_ping_acknowledges() {
    let authority = Authority::new();
    let server = Server::start(&authority, Script::default()).await;
    let mut alice = Client::online(config(&authority, server.port)).await;
    for n in 0..3 {
        alice.send(n, BOB, "x");
    }
    for n in 0..3 {
        alice.acknowledged(n).await;
    }
    assert!(server.heard("urn:xmpp:ping") > 0);
    alice.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_too_large_is_refused_and_the_stream_goes_on() {
    let authority = Authority::new();
    let message = |text: &str| format!("<message from='bob@localhost/b' id='1' type='chat'><body>{text}</body></message>");
    let deep = format!("<message from='bob@localhost/b' id='2'>{}{}</message>", "<a xmlns='d'>".repeat(500), "</a>".repeat(500));
    let question = format!("<iq type='get' id='large' from='localhost'><x xmlns='u'>{}</x></iq>", "x".repeat(300 * 1024));
    let then = [message(&"x".repeat(300 * 1024)), deep, question, message("after")].concat();
    let server = Server::start(&authority, Script { then, ..Script::default() }).await;
    let mut alice = Client::online(config(&authority, server.port)).await;
    assert_eq!(alice.message().await.0, "after");
    let huge = Request::Fetch(Node { owner: Address::from(BOB), name: "urn:example:huge".into(), item: None });
    assert_eq!(alice.ask(huge).await, Err(RequestError::Refused));
    assert_eq!(server.heard("policy-violation"), 1);
    alice.handle.put(subrosa_engine::OutputId(1), common::message(1, BOB, &"x".repeat(300 * 1024)));
    alice.until(|h| matches!(h, Happening::Unsendable(..)).then_some(())).await;
    alice.send(2, BOB, "still there");
    alice.acknowledged(2).await;
}
