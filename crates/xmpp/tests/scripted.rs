//! Against a server that does what the test says.
#![cfg(feature = "connection")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::arithmetic_side_effects, clippy::indexing_slicing, missing_docs, dead_code)]
mod common;
#[path = "common/server.rs"]
mod server;

use common::{Client, entity};
use server::{Authority, Script, Server};
use subrosa_engine::{Address, ChatId, Node, Output, OutputId, Recipients, Request, RequestError};
use subrosa_xmpp::{Config, ConnectError, Happening, Pin, Roots, Security, State};

const BOB: &str = "bob@localhost";

fn config(authority: &Authority, port: u16) -> Config {
    let mut config = Config::new("alice@localhost", "secret", entity()).unwrap();
    config.host = Some(("127.0.0.1".into(), port));
    config.security = Security::DirectTls;
    config.roots = Roots::Pem(authority.pem());
    config
}
async fn pinned(config: Config) -> String {
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
    pin.to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn channel_bindings_are_used() {
    let authority = Authority::new();
    for (script, pin) in [
        (Script::default(), "SCRAM-SHA-256-PLUS tls-exporter"),
        (Script { bindings: &["tls-server-end-point"], ..Script::default() }, "SCRAM-SHA-256-PLUS tls-server-end-point"),
        (Script { bindings: &["tls-exporter", "tls-server-end-point"], tls12: true, ..Script::default() }, "SCRAM-SHA-256-PLUS tls-server-end-point"),
        (Script { mechanisms: &["SCRAM-SHA-1-PLUS", "SCRAM-SHA-1"], ..Script::default() }, "SCRAM-SHA-1-PLUS tls-exporter"),
        (Script { mechanisms: &["PLAIN"], ..Script::default() }, "PLAIN"),
    ] {
        let server = Server::start(&authority, script).await;
        assert_eq!(pinned(config(&authority, server.port)).await, pin);
    }
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
    assert_eq!((server.heard(">eSws"), server.heard("<response")), (1, 0)); // `y,,`: refused before any proof
    // what is offered and can't be used is nobody's doing
    let server = Server::start(&authority, Script { bindings: &["tls-unique"], ..Script::default() }).await;
    assert_eq!(pinned(config(&authority, server.port)).await, "SCRAM-SHA-256");
    assert_eq!(server.heard(">biws"), 1); // `n,,`
    // and who was there before notices it before saying anything
    refused(&authority, script, "SCRAM-SHA-256-PLUS tls-server-end-point", Some("SCRAM-SHA-256")).await;
}
/// Who was there with `before` sends nothing at all.
async fn refused(authority: &Authority, script: Script, before: &str, offered: Option<&str>) {
    let pin = |text: &str| text.parse::<Pin>().unwrap();
    let server = Server::start(authority, script).await;
    let mut known = config(authority, server.port);
    known.pin = Some(pin(before));
    assert_eq!(Client::start(known).failure().await, ConnectError::Weaker { before: pin(before), offered: offered.map(pin) });
    assert_eq!(server.heard("<auth"), 0);
}
#[tokio::test(flavor = "multi_thread")]
async fn nothing_weaker_than_before_is_used() {
    let authority = Authority::new();
    let (exporter, end_point) = ("SCRAM-SHA-256-PLUS tls-exporter", "SCRAM-SHA-256-PLUS tls-server-end-point");
    let with = |mechanisms, bindings| Script { mechanisms, bindings, ..Script::default() };
    refused(&authority, with(&["PLAIN"], &[]), "SCRAM-SHA-1", Some("PLAIN")).await;
    refused(&authority, with(&["PLAIN"], &[]), exporter, Some("PLAIN")).await;
    refused(&authority, with(&["PLAIN", "SCRAM-SHA-1"], &[]), "SCRAM-SHA-256", Some("SCRAM-SHA-1")).await;
    refused(&authority, with(&["EXTERNAL"], &[]), "PLAIN", None).await;
    refused(&authority, Script { bindings: &["tls-server-end-point"], ..Script::default() }, exporter, Some(end_point)).await;
    // no exporter in TLS 1.2, whatever is listed
    let older = Script { bindings: &["tls-exporter", "tls-server-end-point"], tls12: true, ..Script::default() };
    refused(&authority, older, exporter, Some(end_point)).await;
    // the same again, and stronger, are taken; a pin without a binding is one of before there were any
    for before in [exporter, end_point, "SCRAM-SHA-256-PLUS", "PLAIN"] {
        let server = Server::start(&authority, Script::default()).await;
        let mut known = config(&authority, server.port);
        known.pin = Some(before.parse().unwrap());
        Client::online(known).await.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_does_not_know_the_password_is_no_server_of_ours() {
    let authority = Authority::new();
    let server = Server::start(&authority, Script { signature: Some(b"made up, of the right length 32!"), ..Script::default() }).await;
    assert_eq!(Client::start(config(&authority, server.port)).failure().await, ConnectError::Impostor);
    for script in [
        Script { iterations: 1, ..Script::default() },
        Script { iterations: 4095, ..Script::default() },
        Script { iterations: 1_000_001, ..Script::default() },
        Script { iterations: u32::MAX, ..Script::default() },
        Script { nonce: Some("foreign"), ..Script::default() },
        Script { nonce: Some(""), ..Script::default() },
    ] {
        let server = Server::start(&authority, script).await;
        assert!(matches!(Client::start(config(&authority, server.port)).failure().await, ConnectError::Protocol { .. }));
        server.hears("<abort").await;
        assert_eq!((server.heard("<auth"), server.heard("<response")), (1, 0));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_certificate_ends_it_before_a_word() {
    let (authority, other) = (Authority::new(), Authority::new());
    let server = Server::start(&authority, Script::default()).await;
    let unknown = Client::start(config(&other, server.port)).failure().await;
    assert!(matches!(&unknown, ConnectError::Certificate { cause, .. } if cause.contains("nobody we trust")), "{unknown}");
    let elsewhere = Server::start(&authority, Script { name: "example.org", ..Script::default() }).await;
    let wrong = Client::start(config(&authority, elsewhere.port)).failure().await;
    assert!(matches!(&wrong, ConnectError::Certificate { cause, .. } if cause.contains("another name")), "{wrong}");
    assert_eq!((server.heard(""), elsewhere.heard("")), (0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_password_is_told_at_once_and_not_tried_again() {
    let authority = Authority::new();
    for mechanisms in [&["SCRAM-SHA-256-PLUS", "PLAIN"][..], &["SCRAM-SHA-256", "PLAIN"], &["PLAIN"]] {
        let server = Server::start(&authority, Script { mechanisms, has_plus: false, ..Script::default() }).await;
        let mut wrong = Config::new("alice@localhost", "wrong", entity()).unwrap();
        wrong.host = Some(("127.0.0.1".into(), server.port));
        wrong.security = Security::DirectTls;
        wrong.roots = Roots::Pem(authority.pem());
        let mut client = Client::start(wrong);
        assert!(matches!(client.next().await, Happening::State(State::Connecting)));
        let told = client.next().await;
        assert!(matches!(&told, Happening::State(State::Failed(ConnectError::Password { .. }))), "{told:?}");
        assert!(client.happenings.recv().await.is_none());
        assert_eq!(server.heard("<auth"), 1);
        assert_eq!(server.heard("mechanism='PLAIN'"), usize::from(mechanisms.len() == 1));
    }
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
    let entity = message("&lol;");
    let then = [message(&"x".repeat(300 * 1024)), deep, entity, question, message("after")].concat();
    let server = Server::start(&authority, Script { then, ..Script::default() }).await;
    let mut alice = Client::online(config(&authority, server.port)).await;
    assert_eq!(alice.message().await.0, "after");
    let told = |why: &str| alice.seen.iter().filter(|seen| seen.starts_with("LeftOut") && seen.contains(why)).count();
    assert_eq!((told("TooLarge"), told("Malformed")), (3, 1));
    let huge = Request::Fetch(Node { owner: Address::from(BOB), name: "urn:example:huge".into(), item: None });
    assert_eq!(alice.ask(huge).await, Err(RequestError::Refused));
    assert_eq!(server.heard("policy-violation"), 1);
    alice.handle.put(subrosa_engine::OutputId(1), common::message(1, BOB, &"x".repeat(300 * 1024)));
    alice.until(|h| matches!(h, Happening::Unsendable(..)).then_some(())).await;
    alice.send(2, BOB, "still there");
    alice.acknowledged(2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn entities_and_comments_end_a_stream_and_expand_to_nothing() {
    let authority = Authority::new();
    for bad in [
        "<!DOCTYPE x [<!ENTITY a 'aaaaaaaaaa'><!ENTITY b '&a;&a;&a;&a;'>]><message><body>&b;</body></message>",
        "<message><!-- x --></message>",
        "text",
    ] {
        let server = Server::start(&authority, Script { then: bad.into(), ..Script::default() }).await;
        let mut alice = Client::online(config(&authority, server.port)).await;
        let why = alice
            .until(|h| match h {
                Happening::State(State::Offline { why, .. }) => Some(why),
                Happening::Received { inputs, .. } => panic!("{inputs:?}"),
                _ => None,
            })
            .await;
        assert!(matches!(why, ConnectError::Protocol { .. }), "{why}");
        alice.close().await;
        server.hears("not-well-formed").await;
    }
}

/// What an earlier process owed to a room that nobody goes into any more waits until that is certain, and not for ever.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_for_a_room_that_nobody_goes_into_comes_back() {
    const ROOM: &str = "left@rooms.localhost";
    let authority = Authority::new();
    let server = Server::start(&authority, Script::default()).await;
    let mut config = config(&authority, server.port);
    config.rooms = true;
    let mut alice = Client::online(config).await;
    let put = |id: u64| match common::message(id, ROOM, "hello") {
        Output::Transmit { id, part, kind, wire, headers, made, .. } => {
            Output::Transmit { id, part, chat: ChatId(ROOM.into()), to: Recipients::Room, kind, wire, headers, made }
        }
        _ => unreachable!(),
    };
    alice.handle.put(OutputId(1), put(1));
    alice.send(2, BOB, "to a person");
    alice.acknowledged(2).await;
    assert!(!alice.seen.iter().any(|seen| seen.starts_with("Bounced")), "a bookmark may have it: {:?}", alice.seen);
    alice.handle.rooms(|rooms, _| rooms.complete());
    for n in [1, 3] {
        let bounce = alice.until(|h| if let Happening::Bounced(bounce) = h { Some(bounce) } else { None }).await;
        assert_eq!((bounce.id.as_str(), bounce.from.as_str(), bounce.condition.as_str()), (format!("m{n}").as_str(), ROOM, "not-acceptable"));
        alice.acknowledged(n).await;
        // and from here on at once
        alice.handle.put(OutputId(3), put(3));
    }
    assert_eq!(server.heard(ROOM), 0);
}

/// Whoever dies before it is stored is told again, or at least not that it was sent.
#[tokio::test(flavor = "multi_thread")]
async fn what_came_back_is_held_until_it_is_stored() {
    let authority = Authority::new();
    let back = "<message type='error' from='bob@localhost' id='m9'><error type='cancel'><gone xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></message>";
    let server = Server::start(&authority, Script { then: back.into(), ..Script::default() }).await;
    let mut alice = Client::online(config(&authority, server.port)).await;
    let bounce = alice.until(|h| if let Happening::Bounced(bounce) = h { Some(bounce) } else { None }).await;
    assert_eq!(bounce.id.as_str(), "m9");
    alice.until(|h| matches!(h, Happening::Received { inputs, .. } if inputs.is_empty()).then_some(())).await;
}
