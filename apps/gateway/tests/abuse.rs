//! A browser that has a cookie and means ill: what it keeps after it was signed out, what it makes grow.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, clippy::arithmetic_side_effects)]
mod common;
use common::{Browser, LIMIT, http, origin};
use std::time::Duration;
use subrosa_interop::{Friends, Gateway, GatewayOptions, Prosody, Proxy};
use subrosa_web_api::http::{CLOSE_REVOKED, WHOAMI};
use subrosa_web_api::socket::{Body, FromGateway, Session, ToGateway};
use subrosa_web_api::{Kind, VERSION};
use tokio::time::timeout;

const ALICE: &str = "alice@localhost";
const BOB: &str = "bob@localhost";

fn prosody() -> Prosody {
    Prosody::start(&[("alice", "pw-a"), ("bob", "pw-b")], Friends::All).unwrap()
}
fn patient() -> GatewayOptions {
    GatewayOptions { extra: "[limits]\nlogins_per_minute = 1000\n".into(), ..Default::default() }
}
/// The same browser, with no socket.
fn copy(browser: &Browser) -> Browser {
    let (url, jid, cookie) = (browser.url.clone(), browser.jid.clone(), browser.cookie.clone());
    Browser { url, jid, id: browser.id, cookie, since: None, ws: None, log: Vec::new() }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_browser_that_is_signed_out_while_it_connects_is_out() {
    let server = prosody();
    let gateway = Gateway::start_with(&server, patient()).unwrap();
    let mut owner = Browser::online(&gateway, ALICE, "pw-a").await;
    for round in 0..25 {
        let thief = Browser::login(&gateway, ALICE, "pw-a").await;
        let from = origin(&gateway.url);
        let tries: Vec<_> = (0..6)
            .map(|_| {
                let (mut thief, from) = (copy(&thief), from.clone());
                tokio::spawn(async move {
                    // the last socket of each
                    for _ in 0..20 {
                        thief.open(&from, VERSION).await.unwrap();
                        thief.send(&ToGateway::Hello { since: None }).await;
                    }
                    thief
                })
            })
            .collect();
        tokio::time::sleep(Duration::from_millis(3 + round % 9)).await;
        owner.send(&ToGateway::Revoke(thief.id)).await;
        for one in tries {
            let mut thief = one.await.unwrap();
            let closed = timeout(LIMIT, thief.until_closed()).await;
            assert!(closed.is_ok(), "round {round}: a socket outlives its cookie");
        }
    }
}

#[tokio::test]
async fn a_new_password_signs_out_who_has_the_old_one() {
    let server = prosody();
    let mut gateway = Gateway::start_with(&server, patient()).unwrap();
    let account = server.dir.join("data/localhost/accounts/alice.dat");
    let change = |password: &str| std::fs::write(&account, format!("return {{\n\t[\"password\"] = {password:?};\n}};\n")).unwrap();
    let whoami = async |url: &str, cookie: &str| http(url, "GET", WHOAMI, &[("Cookie", cookie)], b"").await.status;
    // the session goes on over the change: only the login of the owner shows it
    let mut thief = Browser::online(&gateway, ALICE, "pw-a").await;
    change("second");
    let mut owner = Browser::online(&gateway, ALICE, "second").await;
    assert_eq!(thief.until_closed().await, CLOSE_REVOKED);
    assert_eq!((whoami(&gateway.url, &thief.cookie).await, whoami(&gateway.url, &owner.cookie).await), (401, 200));
    // nobody was there at the change: the old cookie shows it
    let mut thief = Browser::login(&gateway, ALICE, "second").await;
    owner.close();
    gateway.stop();
    change("third");
    gateway.restart().unwrap();
    Browser::online(&gateway, ALICE, "third").await;
    thief.open(&origin(&gateway.url), VERSION).await.unwrap();
    thief.send(&ToGateway::Hello { since: None }).await;
    assert_eq!(thief.until_closed().await, CLOSE_REVOKED);
    assert_eq!(whoami(&gateway.url, &thief.cookie).await, 401);
}

#[tokio::test]
async fn what_is_not_stored_does_not_pile_up_before_a_slow_server() {
    let server = prosody();
    let proxy = Proxy::before(&server).unwrap();
    let gateway = Gateway::start_with(&server, GatewayOptions { clear_port: Some(proxy.port), ..Default::default() }).unwrap();
    let mut alice = Browser::online(&gateway, ALICE, "pw-a").await;
    proxy.hold();
    let before = gateway.memory().unwrap();
    let xml = format!("<encrypted xmlns='urn:e'>{}</encrypted>", "x".repeat(200_000));
    for n in 0..600 {
        let (to, chat, body) = (BOB.to_owned(), BOB.to_owned(), Body::Encrypted(xml.clone().into_bytes()));
        alice.send(&ToGateway::Send { id: format!("t{n}"), part: 0, to, chat, kind: Kind::Typing, body, made: 0 }).await;
        alice.accepted(&format!("t{n}")).await;
    }
    let grown = gateway.memory().unwrap().saturating_sub(before);
    assert!(grown < 60 << 20, "{grown}");
    assert!(!alice.log.iter().any(|frame| matches!(frame, FromGateway::Session(Session::Offline(_)))));
}
