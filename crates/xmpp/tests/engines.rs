//! An application's engine over a real Prosody: what it made, what it refuses, and who is told.
#![cfg(feature = "connection")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::arithmetic_side_effects, clippy::indexing_slicing, missing_docs)]
mod common;

use common::{Client, config, prosody, strangers};
use subrosa_engine::{ChatId, ContentType, Headers, Input, Kind, MessageId, Output, OutputId, Part, Recipients, Status, Time, Wire};
use subrosa_interop::Server;
use subrosa_xmpp::{EngineElementError, Happening, LeftOut};

const ALICE: &str = "alice@localhost";
const BOB: &str = "bob@localhost";

async fn client(server: &Server, user: &str) -> Client {
    let mut config = config(server, user);
    config.engines = true;
    Client::online(config).await
}
fn made(id: u64, kind: Kind, body: &[u8]) -> (OutputId, Output) {
    let wire = Wire::Encrypted(Part { content_type: ContentType("cipher/xor".into()), body: body.to_vec() });
    let (chat, to) = (ChatId(BOB.into()), Recipients::People(vec![BOB.into()]));
    (OutputId(id), Output::Transmit { id: id.to_string().as_str().into(), part: 0, chat, to, kind, wire, headers: Headers::default(), made: Time(0) })
}
async fn received(client: &mut Client) -> (MessageId, Kind, ContentType, Vec<u8>) {
    client
        .until(|h| match h {
            Happening::Received { inputs, .. } => inputs.into_iter().find_map(|input| match input {
                Input::Receive { id, kind, content_type, body, .. } => Some((id, kind, content_type, body)),
                _ => None,
            }),
            _ => None,
        })
        .await
}
fn refuse(client: &Client, output: u64, id: &MessageId, code: u16) {
    let (chat, from) = (ChatId(ALICE.into()), ALICE.into());
    client.handle.put(OutputId(output), Output::Refuse { id: id.clone(), chat, from, status: Status::new(code) });
}

#[tokio::test(flavor = "multi_thread")]
async fn bytes_arrive_and_every_code_goes_back() {
    let Some(server) = prosody() else { return };
    let (mut alice, mut bob) = (client(&server, "alice").await, client(&server, "bob").await);
    for (n, code) in (1..).zip([400, 403, 404, 415, 480, 486, 488, 500, 503, 600, 603, 699]) {
        let kind = if n % 2 == 0 { Kind::Text } else { Kind::Other };
        let (id, output) = made(n, kind, &[0, 255, u8::try_from(n).unwrap()]);
        alice.handle.put(id, output);
        let (id, came, content_type, body) = received(&mut bob).await;
        assert_eq!((came, &*content_type.0, body), (kind, "cipher/xor", vec![0, 255, u8::try_from(n).unwrap()]));
        refuse(&bob, n, &id, code);
        let bounce = alice.until(|h| if let Happening::Bounced(bounce) = h { Some(bounce) } else { None }).await;
        assert_eq!((bounce.id, bounce.from.as_str(), bounce.refused.unwrap().status.code()), (id, BOB, code));
    }
    alice.close().await;
    bob.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_not_see_us_is_not_told_that_we_are_here() {
    let Some(server) = strangers() else { return };
    let (mut alice, mut bob) = (client(&server, "alice").await, client(&server, "bob").await);
    let (id, output) = made(1, Kind::Text, b"x");
    alice.handle.put(id, output);
    let (id, ..) = received(&mut bob).await;
    refuse(&bob, 1, &id, 488);
    bob.acknowledged(1).await;
    alice.handle.put(OutputId(2), common::message(2, ALICE, "a note to myself, so that what came before it is here"));
    alice.acknowledged(2).await;
    bob.send(3, ALICE, "after it");
    received(&mut alice).await;
    assert!(alice.seen.iter().all(|seen| !seen.starts_with("Bounced")), "{:?}", alice.seen);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_no_engine_can_have_made_is_answered_and_left_out() {
    let Some(server) = prosody() else { return };
    let (mut alice, mut bob) = (client(&server, "alice").await, client(&server, "bob").await);
    let element = "<engine xmlns='urn:subrosa:engine:0' type='cipher/xor'>no base64!</engine><body>look at me</body>";
    let wire = Wire::Encrypted(Part { content_type: ContentType::STANZA, body: element.into() });
    let (_, Output::Transmit { id, part, chat, to, kind, headers, made: then, .. }) = made(1, Kind::Text, b"x") else { panic!() };
    alice.handle.put(OutputId(1), Output::Transmit { id, part, chat, to, kind, wire, headers, made: then });
    let why = bob.until(|h| if let Happening::LeftOut { why, .. } = h { Some(why) } else { None }).await;
    assert_eq!(why, LeftOut::Engine(EngineElementError::Base64));
    let bounce = alice.until(|h| if let Happening::Bounced(bounce) = h { Some(bounce) } else { None }).await;
    assert_eq!((bounce.id.as_str(), bounce.refused.unwrap().status.code()), ("1", 400));
    let (id, output) = made(2, Kind::Text, b"next");
    alice.handle.put(id, output);
    assert_eq!(received(&mut bob).await.3, b"next");
    assert!(bob.seen.iter().all(|seen| !seen.contains("look at me")));
}
