//! The gateway in bad weather: a database that is away, a browser that does not read, a session without browsers.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, clippy::arithmetic_side_effects)]
mod common;
use common::{Browser, LIMIT, http, text};
use subrosa_engine::{ChatId, ContentType, Input, Output, OutputId, Part, Recipients, Wire};
use subrosa_interop::{Friends, Gateway, GatewayOptions, Postgres, Prosody};
use subrosa_web_api::socket::{Body, Event, FromGateway, Progress, Session, ToGateway};
use subrosa_web_api::{Kind, Seq};
use subrosa_xmpp::{Config, Connection, Entity, Handle, Happening, Security, State};
use tokio::sync::mpsc::Receiver;
use tokio::time::timeout;

const ALICE: &str = "alice@localhost";
const BOB: &str = "bob@localhost";

/// An XMPP client without a gateway.
struct Raw {
    handle: Handle,
    happenings: Receiver<Happening>,
    sent: u64,
}
impl Raw {
    async fn online(server: &Prosody, jid: &str, password: &str) -> Self {
        let mut config = Config::new(jid, password, Entity::client("bot", "Test", "1", "urn:test")).unwrap();
        config.host = Some(("127.0.0.1".into(), server.port));
        config.security = Security::ClearLoopback;
        let (handle, happenings) = Connection::start(config);
        let mut raw = Raw { handle, happenings, sent: 0 };
        raw.until(|h| matches!(h, Happening::State(State::Online { .. })).then_some(())).await;
        raw
    }
    async fn until<T>(&mut self, mut pick: impl FnMut(&Happening) -> Option<T>) -> T {
        loop {
            let happening = timeout(LIMIT, self.happenings.recv()).await.expect("nothing happened").unwrap();
            if let Some(found) = pick(&happening) {
                return found;
            }
            if let Happening::Received { mark, .. } = happening {
                self.handle.handled(mark);
            }
        }
    }
    fn send(&mut self, id: &str, to: &str, run: &str) {
        self.sent += 1;
        let (chat, to) = (ChatId(to.into()), Recipients::People(vec![to.into()]));
        let wire = Wire::Encrypted(Part { content_type: ContentType::STANZA, body: run.into() });
        self.handle.put(
            OutputId(self.sent),
            Output::Transmit {
                id: id.into(),
                part: 0,
                chat,
                to,
                kind: subrosa_engine::Kind::Text,
                wire,
                headers: Default::default(),
                made: subrosa_engine::Time(0),
            },
        );
    }
    async fn receives(&mut self, word: &str) -> String {
        self.until(|h| match h {
            Happening::Received { inputs, .. } => inputs.iter().find_map(|input| match input {
                Input::Receive { body, .. } => Some(String::from_utf8_lossy(body).into_owned()).filter(|body| body.contains(word)),
                _ => None,
            }),
            _ => None,
        })
        .await
    }
}
fn prosody() -> Prosody {
    Prosody::start(&[("alice", "pw-a"), ("bob", "pw-b")], Friends::All).unwrap()
}
fn count(browser: &Browser, id: &str) -> usize {
    browser.log.iter().filter(|f| matches!(f, FromGateway::Event { event: Event::Message(m), .. } if m.id == id)).count()
}

#[tokio::test]
async fn a_database_that_is_away_loses_nothing() {
    if let Some(missing) = Postgres::missing() {
        return eprintln!("left out: {missing}");
    }
    let server = prosody();
    let mut postgres = Postgres::start().unwrap();
    let options = GatewayOptions { database: Some(postgres.url()), ..Default::default() };
    let gateway = Gateway::start_with(&server, options).unwrap();
    let mut alice = Browser::online(&gateway, ALICE, "pw-a").await;
    let mut bob = Raw::online(&server, BOB, "pw-b").await;
    postgres.stop();
    alice.send(&Browser::encrypted("out", BOB, "words-out")).await;
    bob.send("in", ALICE, "<encrypted xmlns='urn:e'>words-in</encrypted>");
    bob.until(|h| matches!(h, Happening::Acknowledged(OutputId(1))).then_some(())).await;
    assert_eq!(http(&gateway.url, "GET", "healthz", &[], b"").await.status, 503);
    assert!(!server.has_seen("words-out"), "what is not stored has not left");
    postgres.resume().unwrap();
    alice.accepted("out").await;
    alice.message("in").await;
    assert!(bob.receives("words-out").await.contains("urn:xmpp:receipts"));
    alice.close();
    alice.since = Some(Seq(0));
    alice.connect().await;
    assert_eq!((count(&alice, "in"), count(&alice, "out")), (1, 1));
    assert!(!postgres.dump("postgres").unwrap().contains("pw-a"));
}

#[tokio::test]
async fn who_does_not_read_holds_up_nobody() {
    let server = prosody();
    let gateway = Gateway::start(&server).unwrap();
    let mut reader = Browser::online(&gateway, ALICE, "pw-a").await;
    let mut idle = Browser::online(&gateway, ALICE, "pw-a").await;
    let words = "x".repeat(100_000);
    for n in 0..200 {
        reader.send(&Browser::encrypted(&format!("m{n}"), BOB, &words)).await;
        reader.accepted(&format!("m{n}")).await;
    }
    let memory = gateway.memory().unwrap();
    assert!(memory < 200 << 20, "{memory}");
    // it gets all of it, in order, when it reads
    for n in 0..200 {
        let (_, message) = idle.message(&format!("m{n}")).await;
        assert!(message.body.len() > 100_000);
    }
    assert!(idle.log.iter().filter_map(|f| if let FromGateway::Event { seq, .. } = f { Some(*seq) } else { None }).is_sorted_by(|a, b| a < b));
}

#[tokio::test]
async fn other_clients_of_the_account_are_heard() {
    let server = prosody();
    let gateway = Gateway::start(&server).unwrap();
    let mut alice = Browser::online(&gateway, ALICE, "pw-a").await;
    let mut bob = Raw::online(&server, BOB, "pw-b").await;
    let mut phone = Raw::online(&server, ALICE, "pw-a").await;
    phone.send("p1", BOB, "<encrypted xmlns='urn:e'>by phone</encrypted>");
    let (_, message) = alice.message("p1").await;
    assert_eq!((message.from.as_str(), message.chat.as_str(), message.own, text(&message).contains("by phone")), (ALICE, BOB, false, true));
    // what the browser sends reaches the phone, and does not come back
    alice.send(&Browser::encrypted("w1", BOB, "by web")).await;
    phone.receives("by web").await;
    let body = bob.receives("by web").await;
    assert!(body.contains("receipts"));
    // a receipt by the contact, one by somebody else
    phone.send("r0", ALICE, "<received xmlns='urn:xmpp:receipts' id='w1'/>");
    bob.send("r1", ALICE, "<received xmlns='urn:xmpp:receipts' id='w1'/>");
    alice
        .until(|f| matches!(f, FromGateway::Event { event: Event::Progress { id, progress: Progress::Delivered }, .. } if id == "w1").then_some(()))
        .await;
    // notes to oneself reach the other devices once
    alice
        .send(&ToGateway::Send {
            id: "k1".into(),
            part: 0,
            to: ALICE.into(),
            chat: ALICE.into(),
            kind: Kind::Other,
            body: Body::Encrypted(b"<k xmlns='urn:k'>own</k>".to_vec()),
            made: 0,
        })
        .await;
    phone.receives("own").await;
    bob.send("end", ALICE, "<encrypted xmlns='urn:e'/>");
    alice.message("end").await;
    assert_eq!((count(&alice, "w1"), count(&alice, "k1"), count(&alice, "p1")), (1, 1, 1));
    // strange stanzas are data, and ids may be missing or the same
    for (id, run) in [("s1", "<body>&lt;script&gt;</body>"), ("s1", "<body>other</body>"), ("s1", "<body>other</body>"), ("", "<body>none</body>")] {
        bob.send(id, ALICE, run);
    }
    bob.send("end2", ALICE, "<body>end</body>");
    alice.message("end2").await;
    assert_eq!(count(&alice, "s1"), 2);
    assert!(alice.log.iter().any(|f| matches!(f, FromGateway::Event { event: Event::Message(m), .. } if m.id.starts_with("unnamed-"))));
}

#[tokio::test]
async fn a_session_without_browsers_stays_and_then_goes() {
    let server = prosody();
    let options = GatewayOptions { extra: "keep_session = '3s'\n".into(), ..Default::default() };
    let gateway = Gateway::start_with(&server, options).unwrap();
    let mut alice = Browser::online(&gateway, ALICE, "pw-a").await;
    let mut bob = Raw::online(&server, BOB, "pw-b").await;
    alice.close();
    bob.send("away", ALICE, "<encrypted xmlns='urn:e'>1</encrypted>");
    alice.connect().await;
    alice.message("away").await;
    assert!(alice.log.iter().any(|f| matches!(f, FromGateway::Session(Session::Online { resumed: false }))), "it was there at once");
    alice.close();
    let metrics = async || String::from_utf8(http(&gateway.url, "GET", "metrics", &[], b"").await.body).unwrap();
    timeout(LIMIT, async {
        while !metrics().await.contains("subrosa_accounts 0\n") {
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
    })
    .await
    .unwrap();
    bob.send("later", ALICE, "<encrypted xmlns='urn:e'>2</encrypted>");
    bob.until(|h| matches!(h, Happening::Acknowledged(OutputId(2))).then_some(())).await;
    alice.connect().await; // by the cookie; what the server kept comes
    alice.message("later").await;
}

/// `cargo test -p subrosa-gateway --test rough -- --ignored --nocapture figures`
#[tokio::test]
#[ignore = "says figures, proves nothing"]
async fn figures() {
    use std::time::Instant;
    const IDLE: usize = 1000;
    let names: Vec<String> = (0..IDLE).map(|n| format!("u{n}")).chain(["alice".into(), "bob".into()]).collect();
    let accounts: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "pw")).collect();
    let server = Prosody::start(&accounts, Friends::None).unwrap();
    let extra = "[limits]\nlogins_per_minute = 1000000\nframes_burst = 1000000\n".into();
    let gateway =
        Gateway::start_with(&server, GatewayOptions { clear_port: std::env::var_os("CLEAR").map(|_| server.port), extra, ..Default::default() })
            .unwrap();
    let mut one = Browser::online(&gateway, ALICE, "pw").await;
    let mut two = Browser::online(&gateway, ALICE, "pw").await;
    let mut took = Vec::new();
    for n in 0..500 {
        let start = Instant::now();
        one.send(&Browser::encrypted(&format!("m{n}"), BOB, "words")).await;
        two.message(&format!("m{n}")).await;
        took.push(start.elapsed());
        two.log.clear();
    }
    took.sort();
    println!("browser to browser: median {:?}, 95 % {:?}", took[250], took[475]);
    let start = Instant::now();
    for n in 0..2000 {
        one.send(&Browser::encrypted(&format!("t{n}"), BOB, "words")).await;
        if n % 50 == 49 {
            one.accepted(&format!("t{n}")).await;
        }
    }
    two.message("t1999").await;
    println!("2000 messages of one account through: {:?}", start.elapsed());
    let before = gateway.memory().unwrap();
    let mut idle = Vec::new();
    for name in &names[..IDLE] {
        idle.push(Browser::online(&gateway, &server.address(name), "pw").await);
    }
    tokio::time::sleep(std::time::Duration::from_secs(2)).await;
    println!("an idle account with a browser: {} bytes", (gateway.memory().unwrap() - before) / IDLE as u64);
}
