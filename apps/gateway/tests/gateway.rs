//! The gateway as a process, over a real Prosody.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, clippy::arithmetic_side_effects)]
mod common;
use common::{Browser, http, origin, text, try_login};
use subrosa_interop::{Friends, Gateway, GatewayOptions, Prosody};
use subrosa_web_api::http::{CLOSE_ABUSE, CLOSE_REPLACED, CLOSE_RESTART, CLOSE_REVOKED, CLOSE_VERSION, SITE, WHOAMI};
use subrosa_web_api::socket::{Body, Event, FromGateway, Node, Payload, Progress, Request, Session, Standing, ToGateway};
use subrosa_web_api::{Kind, Seq, VERSION};
use tokio_tungstenite::tungstenite;

fn prosody(friends: Friends) -> Prosody {
    Prosody::start(&[("alice", "pw-a"), ("bob", "pw-b")], friends).unwrap()
}
const ALICE: &str = "alice@localhost";
const BOB: &str = "bob@localhost";

#[tokio::test]
async fn logins_are_checked_by_the_server_and_say_what_is_wrong() {
    let server = prosody(Friends::All);
    let options = GatewayOptions { extra: "domains = ['localhost']\n".into(), ..Default::default() };
    let gateway = Gateway::start_with(&server, options).unwrap();
    let code = async |jid: &str, password: &str| {
        let response = try_login(&gateway.url, jid, password).await;
        (response.status, response.failure().code)
    };
    assert_eq!(code(ALICE, "wrong").await, (401, "login.refused".into()));
    assert_eq!(code("nobody@localhost", "pw").await, (401, "login.refused".into()));
    assert_eq!(code("alice@example.org", "pw").await, (403, "login.domain-not-allowed".into()));
    assert_eq!(code("no address", "pw").await, (400, "login.address".into()));
    let mut alice = Browser::online(&gateway, "Alice@LocalHost", "pw-a").await;
    assert_eq!(alice.jid, ALICE);
    // beside a session that is there
    assert_eq!(code(ALICE, "wrong").await, (401, "login.refused".into()));
    let whoami = async |cookie: &str| http(&gateway.url, "GET", WHOAMI, &[("Cookie", cookie)], b"").await.status;
    assert_eq!((whoami(&alice.cookie).await, whoami("subrosa=x").await), (200, 401));
    assert_eq!(alice.logout().await.status, 204);
    assert_eq!(alice.until_closed().await, CLOSE_REVOKED);
    assert_eq!(whoami(&alice.cookie).await, 401);
    assert!(!gateway.log().contains("alice") && !gateway.log().contains("pw-a"), "{}", gateway.log());
    assert!(!gateway.has_kept("pw-a"));
}

#[tokio::test]
async fn too_many_logins_are_stopped() {
    let server = prosody(Friends::All);
    let options = GatewayOptions { extra: "[limits]\nlogins_per_minute = 3\n".into(), ..Default::default() };
    let gateway = Gateway::start_with(&server, options).unwrap();
    let mut codes = Vec::new();
    for _ in 0..4 {
        codes.push(try_login(&gateway.url, ALICE, "wrong").await.status);
    }
    assert_eq!(codes, [401, 401, 401, 429]);
}

#[tokio::test]
async fn what_one_browser_sends_appears_in_the_others_without_xmpp() {
    let server = prosody(Friends::All);
    let gateway = Gateway::start(&server).unwrap();
    let mut one = Browser::online(&gateway, ALICE, "pw-a").await;
    let mut two = Browser::online(&gateway, ALICE, "pw-a").await;
    let mut bob = Browser::online(&gateway, BOB, "pw-b").await;
    one.send(&Browser::encrypted("m1", BOB, "canary-1")).await;
    let seq = one.accepted("m1").await;
    let (at_two, message) = two.message("m1").await;
    assert_eq!((at_two, message.from.as_str(), message.chat.as_str(), message.own), (seq, ALICE, BOB, false));
    assert!(text(&message).contains("canary-1"));
    let (_, own) = one.message("m1").await;
    assert!(own.own && own.body.is_empty());
    let (_, at_bob) = bob.message("m1").await;
    assert_eq!((at_bob.from.as_str(), at_bob.kind), (ALICE, Kind::Text));
    // once to the server, and nothing of it came back to alice
    let seen = server.stanzas();
    assert_eq!(seen.iter().filter(|s| s.received && s.xml.contains("canary-1")).count(), 1);
    assert_eq!(seen.iter().filter(|s| !s.received && s.client.starts_with(ALICE) && s.xml.contains("canary-1")).count(), 0);
    // the server has it; then a device of bob's has it, said once
    let progress = |frame: &FromGateway| match frame {
        FromGateway::Event { event: Event::Progress { id, progress }, .. } if id == "m1" => Some(progress.clone()),
        _ => None,
    };
    assert_eq!(two.until(progress).await, Progress::Sent);
    for _ in 0..2 {
        bob.send(&ToGateway::Received { from: ALICE.into(), id: "m1".into() }).await;
    }
    assert_eq!(two.until(progress).await, Progress::Delivered);
    // the same once more is the same
    one.send(&Browser::encrypted("m1", BOB, "canary-1")).await;
    assert_eq!(one.accepted("m1").await, seq);
    one.send(&Browser::encrypted("m2", BOB, "canary-2")).await;
    two.message("m2").await;
    bob.message("m2").await;
    let seen = server.stanzas();
    assert_eq!(seen.iter().filter(|s| s.received && s.xml.contains("canary-1")).count(), 1);
    assert_eq!(seen.iter().filter(|s| s.received && s.xml.contains("<received")).count(), 1);
    assert_eq!(two.log.iter().filter(|f| matches!(f, FromGateway::Event { event: Event::Message(m), .. } if m.id == "m1")).count(), 1);
}

#[tokio::test]
async fn a_browser_resumes_where_it_was() {
    let server = prosody(Friends::All);
    let gateway = Gateway::start(&server).unwrap();
    let mut one = Browser::online(&gateway, ALICE, "pw-a").await;
    let mut two = Browser::online(&gateway, ALICE, "pw-a").await;
    two.close();
    for n in 0..700 {
        one.send(&Browser::encrypted(&format!("m{n}"), BOB, &format!("c{n}"))).await;
        if n % 50 == 49 {
            one.accepted(&format!("m{n}")).await;
        }
    }
    one.send(&ToGateway::Read { chat: BOB.into(), up_to: Seq(1 << 40) }).await;
    one.until(|f| matches!(f, FromGateway::Event { event: Event::Read { .. }, .. }).then_some(())).await;
    one.until(|f| matches!(f, FromGateway::Event { event: Event::Progress { id, .. }, .. } if id == "m699").then_some(())).await;
    two.connect().await;
    let mut seqs = Vec::new();
    let mut ids = Vec::new();
    for frame in &two.log {
        if let FromGateway::Event { seq, event } = frame {
            seqs.push(*seq);
            if let Event::Message(message) = event {
                ids.push(message.id.clone());
            }
        }
    }
    assert!(seqs.is_sorted_by(|a, b| a < b));
    assert_eq!(ids, (0..700).map(|n| format!("m{n}")).collect::<Vec<_>>());
    // a new device begins at the end, with contacts and read positions
    let mut new = Browser::online(&gateway, ALICE, "pw-a").await;
    assert!(new.log.iter().any(|f| matches!(f, FromGateway::Event { event: Event::Read { .. }, .. })));
    assert!(
        new.log.iter().any(|f| matches!(f, FromGateway::Event { event: Event::Contact(c), .. } if c.jid == BOB && c.standing == Standing::Mutual))
    );
    assert!(!new.log.iter().any(|f| matches!(f, FromGateway::Event { event: Event::Message(_), .. })));
    // one that knows more than the database, which was put back: numbers go on above
    new.close();
    new.since = Some(Seq(100_000));
    new.connect().await;
    new.send(&Browser::encrypted("after", BOB, "c")).await;
    assert!(new.accepted("after").await > Seq(100_000));
}

#[tokio::test]
async fn killed_with_messages_in_flight_nothing_is_lost_or_doubled() {
    let server = prosody(Friends::All);
    let mut gateway = Gateway::start(&server).unwrap();
    let mut alice = Browser::online(&gateway, ALICE, "pw-a").await;
    let mut bob = Browser::online(&gateway, BOB, "pw-b").await;
    const COUNT: usize = 200;
    for round in 0..2 {
        for n in 0..COUNT / 2 {
            alice.send(&Browser::encrypted(&format!("m{}", round * COUNT / 2 + n), BOB, "c")).await;
        }
        alice.accepted(&format!("m{}", round * COUNT / 2 + 20)).await;
        gateway.kill9();
        gateway.restart().unwrap();
        alice.connect().await;
        bob.connect().await;
        // what was not accepted is sent again, as a worker does, and some of what was
        for n in 0..COUNT / 2 {
            alice.send(&Browser::encrypted(&format!("m{}", round * COUNT / 2 + n), BOB, "c")).await;
        }
        alice.accepted(&format!("m{}", round * COUNT / 2 + COUNT / 2 - 1)).await;
    }
    bob.send(&ToGateway::Read { chat: ALICE.into(), up_to: Seq(1) }).await;
    alice.send(&Browser::encrypted("last", BOB, "c")).await;
    bob.message("last").await;
    // what both archives have, read from the beginning
    for (browser, own) in [(&mut alice, true), (&mut bob, false)] {
        browser.close();
        browser.since = Some(Seq(0));
        browser.connect().await;
        let mut ids: Vec<_> = browser
            .log
            .iter()
            .filter_map(|f| match f {
                FromGateway::Event { event: Event::Message(m), .. } => Some(m.id.clone()),
                _ => None,
            })
            .collect();
        ids.sort();
        let mut want: Vec<_> = (0..COUNT).map(|n| format!("m{n}")).chain(["last".to_owned()]).collect();
        want.sort();
        assert_eq!(ids, want, "own: {own}");
    }
}

#[tokio::test]
async fn strangers_floods_and_old_pages_are_kept_out() {
    let server = prosody(Friends::All);
    let options = GatewayOptions { extra: "[limits]\nframes_burst = 50\nframes_per_second = 5\n".into(), ..Default::default() };
    let gateway = Gateway::start_with(&server, options).unwrap();
    let mut alice = Browser::online(&gateway, ALICE, "pw-a").await;
    assert_eq!(alice.open("http://evil.example", VERSION).await, Err(403));
    let here = origin(&gateway.url);
    alice.open(&here, VERSION + 1).await.unwrap();
    assert_eq!(alice.until_closed().await, CLOSE_VERSION);
    let cookie = std::mem::replace(&mut alice.cookie, "subrosa=none".into());
    alice.open(&here, VERSION).await.unwrap();
    assert_eq!(alice.until_closed().await, CLOSE_REVOKED);
    alice.cookie = cookie;
    let login = subrosa_web_api::http::Login { version: VERSION, jid: ALICE.into(), password: "pw-a".into(), label: String::new() };
    let foreign = [("Origin", "http://evil.example"), ("Content-Type", "application/octet-stream")];
    assert_eq!(http(&gateway.url, "POST", "api/v1/login", &foreign, &subrosa_web_api::encode(&login)).await.status, 403);
    assert_eq!(http(&gateway.url, "POST", "api/v1/login", &[("Origin", &here)], &subrosa_web_api::encode(&login)).await.status, 400);

    for message in [
        tungstenite::Message::binary(vec![0xff; 10]),
        tungstenite::Message::text("x"),
        tungstenite::Message::binary(vec![0; subrosa_web_api::MAX_FRAME + 1]),
    ] {
        alice.connect().await;
        alice.raw(message).await;
        let code = alice.until_closed().await;
        assert!(code == CLOSE_ABUSE || code == 0, "{code}"); // what is too large may end the connection before its reason is read
    }
    alice.connect().await;
    for _ in 0..100 {
        alice.send(&ToGateway::Browsers).await;
    }
    assert_eq!(alice.until_closed().await, CLOSE_ABUSE);
    // two sockets of one browser
    alice.connect().await;
    let first = alice.ws.take();
    alice.connect().await;
    let second = std::mem::replace(&mut alice.ws, first);
    assert_eq!(alice.until_closed().await, CLOSE_REPLACED);
    alice.ws = second;
    alice.send(&ToGateway::Browsers).await;
    alice.until(|f| matches!(f, FromGateway::Browsers(list) if list.len() == 1 && list[0].this && list[0].connected).then_some(())).await;
}

#[tokio::test]
async fn browsers_are_listed_and_revoked_and_the_last_one_takes_all_with_it() {
    let server = prosody(Friends::All);
    let mut gateway = Gateway::start(&server).unwrap();
    let mut one = Browser::online(&gateway, ALICE, "pw-a").await;
    let mut two = Browser::online(&gateway, ALICE, "pw-a").await;
    one.until(|f| matches!(f, FromGateway::Browsers(list) if list.len() == 2).then_some(())).await;
    two.send(&Browser::encrypted("m1", BOB, "canary-ciphertext")).await;
    one.message("m1").await;
    one.send(&ToGateway::Revoke(two.id)).await;
    assert_eq!(two.until_closed().await, CLOSE_REVOKED);
    one.until(|f| matches!(f, FromGateway::Browsers(list) if list.len() == 1).then_some(())).await;
    assert!(gateway.stop());
    assert_eq!(one.until_closed().await, CLOSE_RESTART);
    gateway.restart().unwrap();
    // after a restart the session comes back by the cookie alone
    one.connect().await;
    one.until_online().await;
    assert!(gateway.has_kept("canary-ciphertext"));
    one.logout().await;
    assert_eq!(one.until_closed().await, CLOSE_REVOKED);
    let mut again = Browser::online(&gateway, ALICE, "pw-a").await;
    again.close();
    again.since = Some(Seq(0));
    again.connect().await;
    assert!(!again.log.iter().any(|f| matches!(f, FromGateway::Event { event: Event::Message(_), .. })));
}

#[tokio::test]
async fn requests_are_answered_and_publications_are_events() {
    let server = prosody(Friends::All);
    let gateway = Gateway::start(&server).unwrap();
    let mut alice = Browser::online(&gateway, ALICE, "pw-a").await;
    let mut bob = Browser::online(&gateway, BOB, "pw-b").await;
    let node = |owner: &str, item: Option<&str>| Node { owner: owner.into(), name: "urn:xmpp:omemo:2:devices".into(), item: item.map(String::from) };
    let answer = async |browser: &mut Browser, id: u64, what: Request| {
        browser.send(&ToGateway::Request { id, what }).await;
        browser
            .until(|f| match f {
                FromGateway::Answer { id: of, answer } if *of == id => Some(answer.clone()),
                _ => None,
            })
            .await
    };
    let missing = answer(&mut bob, 7, Request::Fetch(node(ALICE, None))).await;
    assert!(missing == Err(subrosa_web_api::socket::RequestError::NotFound) || missing == Ok(vec![]), "{missing:?}");
    let list = b"<devices xmlns='urn:xmpp:omemo:2'><device id='77'/></devices>".to_vec();
    let publish = Request::Publish { node: node(ALICE, Some("current")), many: false, payload: list };
    assert_eq!(answer(&mut alice, 1, publish).await, Ok(vec![]));
    let pushed = bob.until(|f| match f {
        FromGateway::Event { event: Event::Published { node, payload: Some(Payload(payload)) }, .. } if node.owner == ALICE => Some(payload.clone()),
        _ => None,
    });
    assert!(String::from_utf8(pushed.await).unwrap().contains("77"));
    let fetched = answer(&mut bob, 8, Request::Fetch(node(ALICE, None))).await.unwrap();
    assert_eq!((fetched.len(), fetched[0].id.as_deref()), (1, Some("current")));
    let bad = Request::Fetch(node("@", None));
    assert_eq!(answer(&mut bob, 9, bad).await, Err(subrosa_web_api::socket::RequestError::Malformed));
}

#[tokio::test]
async fn contacts_ask_and_are_answered() {
    use subrosa_web_api::socket::ContactChange as Change;
    let server = prosody(Friends::None);
    let gateway = Gateway::start(&server).unwrap();
    let mut alice = Browser::online(&gateway, ALICE, "pw-a").await;
    let mut bob = Browser::online(&gateway, BOB, "pw-b").await;
    let standing = async |browser: &mut Browser, jid: &str, standing: Standing| {
        browser
            .until(|f| matches!(f, FromGateway::Event { event: Event::Contact(c), .. } if c.jid == jid && c.standing == standing).then_some(()))
            .await;
    };
    alice.send(&ToGateway::Contact(Change::Add { jid: BOB.into(), name: "Bob".into() })).await;
    standing(&mut alice, BOB, Standing::Asked).await;
    standing(&mut bob, ALICE, Standing::Asks).await;
    bob.send(&ToGateway::Contact(Change::Accept(ALICE.into()))).await;
    standing(&mut alice, BOB, Standing::Mutual).await;
    standing(&mut bob, ALICE, Standing::Mutual).await;
    alice.send(&ToGateway::Contact(Change::Remove(BOB.into()))).await;
    standing(&mut alice, BOB, Standing::Gone).await;
    bob.send(&ToGateway::Contact(Change::Add { jid: BOB.into(), name: String::new() })).await;
    bob.until(|f| matches!(f, FromGateway::Failed(why) if why.code == "contact.self").then_some(())).await;
}

#[tokio::test]
async fn what_comes_back_failed_and_can_be_sent_again() {
    let server = prosody(Friends::All);
    let gateway = Gateway::start(&server).unwrap();
    let mut alice = Browser::online(&gateway, ALICE, "pw-a").await;
    let failed = |frame: &FromGateway| match frame {
        FromGateway::Event { event: Event::Progress { id, progress: Progress::Failed(why) }, .. } if id == "m1" => Some(why.code.clone()),
        _ => None,
    };
    let nobody = "nobody@localhost";
    let clear = |id: &str| ToGateway::Send {
        id: id.into(),
        part: 0,
        to: nobody.into(),
        chat: nobody.into(),
        kind: Kind::Text,
        body: Body::Clear("<hi>".into()),
        made: 0,
    };
    alice.send(&clear("m1")).await;
    let first = alice.accepted("m1").await;
    assert_eq!(alice.until(failed).await, "send.bounced");
    alice.send(&clear("m1")).await;
    assert!(alice.accepted("m1").await > first);
    assert_eq!(alice.until(failed).await, "send.bounced");
    for body in [Body::Encrypted(b"<no".to_vec()), Body::Encrypted(b"</message><iq/>".to_vec()), Body::Clear("\u{1}".into())] {
        alice.send(&ToGateway::Send { id: "bad".into(), part: 0, to: BOB.into(), chat: BOB.into(), kind: Kind::Text, body, made: 0 }).await;
        alice.until(|f| matches!(f, FromGateway::Rejected { id, .. } if id == "bad").then_some(())).await;
    }
}

#[tokio::test]
async fn a_changed_password_ends_the_session_and_its_cookies() {
    let mut server = prosody(Friends::All);
    let gateway = Gateway::start(&server).unwrap();
    let mut alice = Browser::online(&gateway, ALICE, "pw-a").await;
    server.stop();
    alice.until(|f| matches!(f, FromGateway::Session(Session::Offline(_))).then_some(())).await;
    std::fs::write(server.dir.join("data/localhost/accounts/alice.dat"), "return {\n\t[\"password\"] = \"new\";\n};\n").unwrap();
    server.restart().unwrap();
    alice.send(&ToGateway::ConnectNow).await;
    alice.until(|f| matches!(f, FromGateway::Session(Session::Refused(why)) if why.code == "login.password").then_some(())).await;
    assert_eq!(alice.until_closed().await, CLOSE_REVOKED);
    alice.open(&origin(&gateway.url), VERSION).await.unwrap();
    assert_eq!(alice.until_closed().await, CLOSE_REVOKED);
    Browser::online(&gateway, ALICE, "new").await;
}

#[tokio::test]
async fn the_page_and_what_operators_ask_for() {
    let server = prosody(Friends::All);
    let web = tempfile::tempdir().unwrap();
    std::fs::write(web.path().join("index.html"), "<p>page").unwrap();
    std::fs::write(web.path().join("app.js"), "1").unwrap();
    std::fs::write(web.path().join("app.js.gz"), "packed").unwrap();
    let options = GatewayOptions {
        web: Some(web.path().into()),
        extra: "base_path = 'chat'\npage_origins = ['http://pages.example']\n".into(),
        ..Default::default()
    };
    let gateway = Gateway::start_with(&server, options).unwrap();
    assert!(gateway.url.ends_with("/chat/"));
    let get = async |path: &str, headers: &[(&str, &str)]| http(&gateway.url, "GET", path, headers, b"").await;
    let page = get("", &[]).await;
    assert_eq!((page.status, page.body.as_slice(), page.header("content-type")), (200, &b"<p>page"[..], Some("text/html; charset=utf-8")));
    let policy = page.header("content-security-policy").unwrap();
    assert!(policy.contains("require-trusted-types-for 'script'; trusted-types engine-worker;"), "{policy}");
    assert_eq!(page.header("x-content-type-options"), Some("nosniff"));
    let tag = page.header("etag").unwrap().to_owned();
    assert_eq!(get("", &[("If-None-Match", &tag)]).await.status, 304);
    let packed = get("app.js", &[("Accept-Encoding", "br, gzip")]).await;
    assert_eq!((packed.header("content-encoding"), packed.body.as_slice()), (Some("gzip"), &b"packed"[..]));
    assert_eq!(get("app.js", &[]).await.body, b"1");
    for bad in ["../gateway.toml", "%2e%2e/x", "/etc/passwd", "none.js"] {
        let response = get(bad, &[]).await;
        assert!(response.status == 404 && response.header("content-security-policy").is_some(), "{bad}");
    }
    let site: serde_json::Value = serde_json::from_slice(&get(SITE, &[]).await.body).unwrap();
    assert_eq!(site, serde_json::json!({ "api": "./", "version": VERSION }));
    let health = get("healthz", &[]).await;
    assert!(health.status == 200 && String::from_utf8(health.body).unwrap().contains("\"ok\""));
    let metrics = get("metrics", &[]).await;
    assert!(String::from_utf8(metrics.body).unwrap().contains("\nsubrosa_sockets 0\n"));
    assert_eq!(get("metrics", &[("X-Forwarded-For", "1.2.3.4")]).await.status, 403);
    let preflight = http(&gateway.url, "OPTIONS", "api/v1/login", &[("Origin", "http://pages.example")], b"").await;
    assert_eq!((preflight.status, preflight.header("access-control-allow-origin")), (204, Some("http://pages.example")));
    assert_eq!(
        http(&gateway.url, "OPTIONS", "api/v1/login", &[("Origin", "http://evil.example")], b"").await.header("access-control-allow-origin"),
        None
    );
}
