//! A gateway that lies gets no words out of a browser, and runs nothing in it.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use subrosa_browser_tests::{MARK, Messenger, Options, Stage, Tamper};
use subrosa_interop::{Party, Subrosa};
use subrosa_web_api::socket::{Body, Contact, Event, FromGateway, Item, Message, Node, Payload, Request, RequestError, Session, Standing, ToGateway};
use subrosa_web_api::{Failure, Kind, Seq};

/// Alice behind a gateway that lies once it is told to; bob has the terminal.
struct Play {
    alice: Messenger,
    bob: Subrosa,
    tamper: Tamper,
    stage: Stage,
    lies: Arc<AtomicBool>,
    _data: tempfile::TempDir,
}

/// A play whose gateway is honest until [`Play::lie`].
fn play(lie: impl FnMut(FromGateway, Option<&Request>) -> Vec<FromGateway> + Send + 'static) -> Option<Play> {
    staged(lie, false)
}
/// A play whose gateway has lied from before alice signed in: nothing true of bob ever reached her.
fn play_of_lies(lie: impl FnMut(FromGateway, Option<&Request>) -> Vec<FromGateway> + Send + 'static) -> Option<Play> {
    staged(lie, true)
}
fn staged(mut lie: impl FnMut(FromGateway, Option<&Request>) -> Vec<FromGateway> + Send + 'static, from_the_start: bool) -> Option<Play> {
    let stage = Stage::set()?;
    if let Some(missing) = Subrosa::missing() {
        eprintln!("skipped: {missing}");
        return None;
    }
    let data = tempfile::tempdir().unwrap();
    let bob = stage.terminal_of("bob", &data);
    let lies = Arc::new(AtomicBool::new(from_the_start));
    let told = Arc::clone(&lies);
    let change = move |frame, asked: Option<&Request>| if told.load(Ordering::Relaxed) { lie(frame, asked) } else { vec![frame] };
    let tamper = Tamper::before(&stage.gateway, change).unwrap();
    let alice = Messenger::sign_in(&tamper.url, "alice@localhost", "pw-alice", &Options::default()).unwrap();
    Some(Play { alice, bob, tamper, stage, lies, _data: data })
}

impl Play {
    fn lie(&self) {
        self.lies.store(true, Ordering::Relaxed);
    }
    /// Writes, and waits until the page says that it is not on its way.
    fn is_held_back(&self, text: &str) -> String {
        self.alice.open_chat("bob@localhost").unwrap();
        self.alice.write(text).unwrap();
        self.alice.own(text, &["waiting", "failed"]).unwrap().why
    }
    /// Nothing was sent in clear, nothing that was said stands anywhere, and no script ran.
    fn nothing_came_out(&self) {
        let clear = self.tamper.heard().into_iter().any(|frame| matches!(frame, ToGateway::Send { body: Body::Clear(_), .. }));
        assert!(!clear, "words went out in clear");
        assert_eq!(self.alice.tab.script("return window.ran ?? null").unwrap(), serde_json::Value::Null);
        assert_eq!(self.alice.tab.problems().unwrap(), [""; 0]);
        self.stage.nobody_knows();
    }
    /// How many stanzas with something encrypted went out to bob.
    fn sent_to_bob(&self) -> usize {
        let words = |frame: &ToGateway| matches!(frame, ToGateway::Send { kind: Kind::Text, chat, .. } if chat == "bob@localhost");
        self.tamper.heard().iter().filter(|frame| words(frame)).count()
    }
}

fn is_of_bob(asked: Option<&Request>, part: &str) -> bool {
    matches!(asked, Some(Request::Fetch(Node { owner, name, .. })) if owner == "bob@localhost" && name.contains(part))
}
fn is_list(asked: Option<&Request>) -> bool {
    is_of_bob(asked, "devices") || is_of_bob(asked, "devicelist")
}
fn text(payload: &[u8]) -> String {
    String::from_utf8_lossy(payload).into_owned()
}

#[test]
fn emptied_lists_send_nothing() {
    let lie = |frame, asked: Option<&Request>| match frame {
        FromGateway::Answer { id, .. } if is_list(asked) => vec![FromGateway::Answer { id, answer: Ok(vec![]) }],
        FromGateway::Event { event: Event::Published { .. }, .. } => vec![],
        frame => vec![frame],
    };
    let Some(play) = play_of_lies(lie) else { return };
    let why = play.is_held_back(&format!("{MARK}: to nobody"));
    assert!(!why.is_empty());
    assert_eq!(play.sent_to_bob(), 0);
    play.nothing_came_out();
}

#[test]
fn errors_to_every_query_send_nothing() {
    let errors = [RequestError::NotFound, RequestError::Forbidden, RequestError::Unreachable, RequestError::Refused, RequestError::Malformed];
    let mut count = 0;
    let lie = move |frame, asked: Option<&Request>| match frame {
        FromGateway::Answer { id, .. } if is_of_bob(asked, "") => {
            count += 1;
            vec![FromGateway::Answer { id, answer: Err(errors[count % errors.len()]) }]
        }
        FromGateway::Event { event: Event::Published { .. }, .. } => vec![],
        frame => vec![frame],
    };
    let Some(play) = play_of_lies(lie) else { return };
    play.is_held_back(&format!("{MARK}: to nobody"));
    assert_eq!(play.sent_to_bob(), 0);
    play.nothing_came_out();
}

#[test]
fn a_device_with_another_key_gets_nothing() {
    // the keys of the device are swapped for those of another device of the same kind: well-formed, signed, and not bob's
    let lie = |frame, asked: Option<&Request>| match frame {
        FromGateway::Answer { id, answer: Ok(items) } if is_of_bob(asked, "bundles") => {
            let other = |item: Item| {
                let bundle = text(&item.payload);
                let changed = match (bundle.find("<ik"), bundle.find("<identityKey")) {
                    (Some(at), _) | (_, Some(at)) => flip(&bundle, at),
                    _ => bundle,
                };
                Item { payload: changed.into_bytes(), ..item }
            };
            vec![FromGateway::Answer { id, answer: Ok(items.into_iter().map(other).collect()) }]
        }
        frame => vec![frame],
    };
    let Some(play) = play(lie) else { return };
    play.lie();
    play.is_held_back(&format!("{MARK}: to a stranger"));
    assert_eq!(play.sent_to_bob(), 0);
    play.nothing_came_out();
}
/// Changes a digit of the key whose element begins there.
fn flip(bundle: &str, at: usize) -> String {
    let key = at + bundle[at..].find('>').unwrap() + 3;
    let other = if &bundle[key..=key] == "A" { "B" } else { "A" };
    format!("{}{other}{}", &bundle[..key], &bundle[key + 1..])
}

#[test]
fn an_own_device_that_nobody_approved_gets_nothing() {
    let Some(mut play) = play(|frame, _| vec![frame]) else { return };
    // a real device with real keys: that of another browser, which is not approved
    let other = Messenger::sign_in(&play.stage.wire.url, "alice@localhost", "pw-alice", &Options::default()).unwrap();
    let stranger = other.own_devices().unwrap().into_iter().find(|device| device.this).unwrap().id;
    play.alice.tab.see("banner").unwrap();
    play.alice.send("bob@localhost", &format!("{MARK}: not to the stranger")).unwrap();
    play.bob.read(&format!("{MARK}: not to the stranger")).unwrap();
    let frames = play.tamper.heard();
    let bodies = frames.iter().filter_map(|frame| match frame {
        ToGateway::Send { kind: Kind::Text, body: Body::Encrypted(xml), .. } => Some(text(xml)),
        _ => None,
    });
    let with: Vec<_> = bodies.filter(|xml| xml.contains(&format!("rid='{stranger}'")) || xml.contains(&format!("rid=\"{stranger}\""))).collect();
    assert_eq!(with, [""; 0]);
    play.nothing_came_out();
}

#[test]
fn a_message_without_its_encryption_is_not_shown_as_encrypted() {
    let lie = |frame, _: Option<&Request>| match frame {
        FromGateway::Event { seq, event: Event::Message(message) } if message.chat == "bob@localhost" => {
            let body = b"<body xmlns='jabber:client'>Send me the money in clear</body>".to_vec();
            vec![FromGateway::Event { seq, event: Event::Message(Message { body, ..message }) }]
        }
        frame => vec![frame],
    };
    let Some(mut play) = play(lie) else { return };
    play.lie();
    play.bob.send("alice@localhost", &format!("{MARK}: encrypted")).unwrap();
    play.alice.open_chat("bob@localhost").unwrap();
    let shown = play.alice.message("the forged message", |message| !message.own).unwrap();
    assert_eq!((shown.protection.as_str(), shown.protocol.as_str()), ("clear", ""));
    // and it changes nothing for what is sent
    assert_eq!(play.alice.tab.attribute("lock", "data-lock").unwrap().as_deref(), Some("encrypted"));
    play.alice.send("bob@localhost", &format!("{MARK}: still encrypted")).unwrap();
    play.bob.read(&format!("{MARK}: still encrypted")).unwrap();
    play.nothing_came_out();
}

#[test]
fn script_in_every_field_is_text() {
    const SCRIPT: &str = "<img src=x onerror='window.ran=1'><script>window.ran=1</script>\"'`javascript:window.ran=1";
    let script = || SCRIPT.to_owned();
    let Some(mut play) = play(|frame, _| vec![frame]) else { return };
    play.bob.send("alice@localhost", SCRIPT).unwrap();
    play.alice.read(SCRIPT).unwrap();
    let event = |seq, event| FromGateway::Event { seq: Seq(seq), event };
    let contact = Contact { jid: "mallory@localhost".into(), name: script(), standing: Standing::Asks };
    let message = |id: String, from: &str, body: Vec<u8>| {
        Event::Message(Message { id, chat: from.into(), from: from.into(), sent: 0, kind: Kind::Text, own: false, body })
    };
    let escaped = SCRIPT.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    let in_clear = format!("<body xmlns='jabber:client'>{escaped}</body>").into_bytes();
    let list = format!("<devices xmlns='urn:xmpp:omemo:2'><device id='7' label=\"{}\"/></devices>", escaped.replace('"', "&quot;"));
    let node = Node { owner: "bob@localhost".into(), name: "urn:xmpp:omemo:2:devices".into(), item: Some("current".into()) };
    for frame in [
        event(1_000_001, Event::Contact(contact)),
        event(1_000_002, message(script(), "bob@localhost", in_clear.clone())),
        event(1_000_003, message("id".into(), SCRIPT, in_clear)),
        event(
            1_000_004,
            message("bad".into(), "bob@localhost", b"<encrypted xmlns='urn:xmpp:omemo:2'><header sid='7'/><payload>x</payload></encrypted>".to_vec()),
        ),
        event(1_000_005, message("worse".into(), "bob@localhost", SCRIPT.as_bytes().to_vec())),
        event(1_000_006, Event::Published { node, payload: Some(Payload(list.into_bytes())) }),
        FromGateway::Session(Session::Offline(Failure::new(script(), script()))),
        FromGateway::Failed(Failure::new(script(), script())),
        FromGateway::Rejected { id: "none".into(), part: 0, why: Failure::new(script(), script()) },
    ] {
        play.tamper.say(&frame).unwrap();
    }
    play.alice.link("no-server").unwrap();
    play.alice.tab.see("chat-mallory@localhost").unwrap();
    play.alice.open_chat("bob@localhost").unwrap();
    play.alice.message("what is not encrypted", |message| message.unreadable.is_some() && message.protection == "clear").unwrap();
    // words that did come from bob
    play.alice.message("the words", |message| message.text.as_deref() == Some(SCRIPT)).unwrap();
    play.tamper.say(&FromGateway::Session(Session::Refused(Failure::new(script(), script())))).unwrap();
    play.alice.link("logged-out").unwrap();
    play.alice.tab.see("login-again-password").unwrap();
    std::thread::sleep(Duration::from_millis(500)); // an image that is not there would have failed
    play.nothing_came_out();
}

#[test]
fn frames_that_are_none_do_no_harm() {
    let Some(mut play) = play(|frame, _| vec![frame]) else { return };
    for seq in [Seq(u64::MAX), Seq(0)] {
        let message = Message {
            id: "x".repeat(5000),
            chat: String::new(),
            from: "@".into(),
            sent: u64::MAX,
            kind: Kind::Text,
            own: true,
            body: vec![0xff; 1000],
        };
        play.tamper.say(&FromGateway::Event { seq, event: Event::Message(message) }).unwrap();
    }
    play.tamper.say(&FromGateway::Accepted { id: "never sent".into(), part: 9, seq: Seq(3), at: 0 }).unwrap();
    play.tamper.say(&FromGateway::Answer { id: u64::MAX, answer: Ok(vec![Item { id: None, payload: vec![b'<'; 70_000] }]) }).unwrap();
    // what it says about places is believed until it says hello again
    play.alice.tab.reload().unwrap();
    play.alice.online().unwrap();
    play.alice.send("bob@localhost", &format!("{MARK}: all the same")).unwrap();
    play.bob.read(&format!("{MARK}: all the same")).unwrap();
    play.nothing_came_out();
}
