//! Raw sockets that say what they should not: the endpoint answers what can be answered, and goes on.
#![cfg(feature = "connection")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::arithmetic_side_effects, clippy::indexing_slicing, missing_docs, dead_code)]
mod common;

use common::*;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;
use subrosa_engine::Status;

use subrosa_sip::*;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpStream, UdpSocket};

/// Answers everything 200, as long as it is there.
async fn bob(change: impl FnOnce(&mut Config)) -> Arc<Connection> {
    let mut config = config(BOB, &certificate());
    change(&mut config);
    let bob = Arc::new(Connection::start(config).await.unwrap());
    let taking = bob.clone();
    tokio::spawn(async move {
        while let Some(happening) = taking.next().await {
            if let Happening::Arrived(arrived) = happening {
                arrived.answer.answer(Answer::Accept);
            }
        }
    });
    bob
}
/// One good message by each way, with 200 for each.
async fn is_well(bob: &Connection) {
    let tls = certificate();
    for way in [Way::Udp, Way::Tcp, Way::Tls] {
        let mut alice = config(ALICE, &tls);
        alice.roots = Roots::NoVerification;
        alice.proxy = Some(uri(way, bob));
        let alice = Connection::start(alice).await.unwrap();
        assert_eq!(alice.send(message("well", "hello")).await, Delivery::Delivered(200), "{way:?}");
    }
}
async fn tcp(bob: &Connection) -> TcpStream {
    TcpStream::connect(bob.listens(Way::Tcp).unwrap()).await.unwrap()
}
fn whole(answer: &str) -> bool {
    answer.contains("\r\n\r\n")
}

#[tokio::test]
async fn what_can_be_answered_is_answered() {
    let bob = bob(|_| {}).await;
    let good = String::from_utf8(raw("TCP", "b1", "Content-Length: 5\r\n", "hello")).unwrap();
    let with = |from: &str, to: &str| good.replacen(from, to, 1);
    let cases: Vec<(String, u16, &str)> = vec![
        (good.clone(), 200, "CSeq: 1 MESSAGE"),
        (with("MESSAGE sip", "INVITE sip").replacen("1 MESSAGE", "1 INVITE", 1), 405, "Allow: MESSAGE, OPTIONS"),
        (with("MESSAGE sip", "FROBNICATE sip").replacen("1 MESSAGE", "1 FROBNICATE", 1), 405, "Allow: MESSAGE, OPTIONS"),
        (with("MESSAGE sip", "message sip").replacen("1 MESSAGE", "1 message", 1), 405, "Allow"),
        (with("MESSAGE sip", "OPTIONS sip").replacen("1 MESSAGE", "1 OPTIONS", 1), 200, "Allow: MESSAGE, OPTIONS"),
        (with("MESSAGE sip", "REGISTER sip").replacen("1 MESSAGE", "1 REGISTER", 1), 405, "Allow"),
        (with("SIP/2.0\r\n", "SIP/3.0\r\n"), 505, "Warning"),
        (with("From: <sip:eve@sip.test>;tag=1", "From: <sip:eve@sip.test>"), 400, "Warning"),
        (with("From: <sip:eve@sip.test>;tag=1", "From: nonsense;tag=1"), 400, "Warning"),
        (with("From: <sip:eve@sip.test>;tag=1\r\n", "From: <sip:eve@sip.test>;tag=1\r\nFrom: <sip:mal@sip.test>;tag=1\r\n"), 400, "Warning"),
        (with("CSeq: 1 MESSAGE", "CSeq: 1 INVITE"), 400, "Warning"),
        (with("CSeq: 1 MESSAGE", "CSeq: x"), 400, "Warning"),
        (with("Max-Forwards: 70\r\n", "Max-Forwards: 70\r\nno colon here\r\n"), 400, "Warning"),
        (with("Content-Type: text/plain\r\n", ""), 400, "Content-Type"),
        (with("Content-Type: text/plain\r\n", "Content-Type: text/plain\r\nContent-Encoding: gzip\r\n"), 415, "Accept-Encoding: identity, deflate"),
        (with("Content-Type: text/plain\r\n", "Content-Type: text/plain\r\nContent-Encoding: deflate\r\n"), 400, "not encoded as it says"),
        (with("Content-Type: text/plain\r\n", "Content-Type: text/plain\r\nRequire: 100rel\r\n"), 420, "Unsupported: 100rel"),
        (with("branch=z9hG4bKb1", "branch=z9hG4bKb1;transport=pigeon"), 400, "CSeq: 1 MESSAGE"),
        (with("To: <sip:bob@sip.test>", "To: sip:127.0.0.1"), 200, "To: sip:127.0.0.1;tag="),
        (with("Content-Length: 5\r\n", "X: \u{0}\r\nContent-Length: 5\r\n"), 400, "Warning"),
        (with("Content-Length: 5\r\n", ""), 400, "Content-Length"),
        (with("Content-Length: 5\r\n", "Content-Length: 18446744073709551615\r\n"), 413, "Warning"),
        (with("Content-Length: 5\r\n", "Content-Length: 5\r\nl: 6\r\n"), 400, "Content-Length"),
    ];
    for (number, (text, code, contains)) in cases.into_iter().enumerate() {
        let text = text.replace("b1", &format!("b{number}"));
        let answer = talk(&mut tcp(&bob).await, text.as_bytes(), whole).await;
        assert_eq!(code_of(&answer), Some(code), "{number}: {text}\n{answer}");
        assert!(answer.contains(contains) && answer.contains(&format!("Call-ID: b{number}")), "{number}: {answer}");
    }
    is_well(&bob).await;
}

#[tokio::test]
async fn a_stream_survives_what_is_framed_and_ends_with_what_is_not() {
    let bob = bob(|_| {}).await;
    let mut stream = tcp(&bob).await;
    let mut many = Vec::new();
    for i in 0..50 {
        many.extend(raw("TCP", &format!("ok{i}"), "Content-Length: 5\r\n", "he\0lo"));
        many.extend(
            String::from_utf8(raw("TCP", &format!("bad{i}"), "Content-Length: 5\r\n", "hello"))
                .unwrap()
                .replacen("CSeq: 1", "CSeq: x", 1)
                .into_bytes(),
        );
        many.extend(b"\r\n\r\n");
        many.extend(raw("TCP", &format!("big{i}"), "Content-Length: 300000\r\n", &"x".repeat(300_000)));
    }
    let answers = talk(&mut stream, &many, |heard| heard.matches("SIP/2.0 ").count() >= 150).await;
    let count = |code: &str| answers.matches(&format!("SIP/2.0 {code} ")).count();
    assert_eq!((count("200"), count("400"), count("413")), (50, 50, 50));
    for last in ["GET / HTTP/1.1\r\nHost: x\r\n\r\n".to_owned(), "\0".repeat(20_000), format!("MESSAGE sip:x SIP/2.0\r\nX: {}", "y".repeat(20_000))] {
        let mut stream = tcp(&bob).await;
        talk(&mut stream, last.as_bytes(), |_| false).await; // until the end
    }
    is_well(&bob).await;
}

#[tokio::test]
async fn half_a_message_is_not_waited_for_for_ever() {
    let bob = bob(|config| config.timeouts.message = Duration::from_millis(200)).await;
    for half in [&b"MESSAGE sip:b@x SIP/2.0\r\nVia: S"[..], &raw("TCP", "half", "Content-Length: 100\r\n", "x"), b"\r\n\r\nM"] {
        let mut stream = tcp(&bob).await;
        talk(&mut stream, half, |_| false).await;
    }
    // byte by byte, always something new
    let mut stream = tcp(&bob).await;
    let mut closed = false;
    for byte in b"MESSAGE sip:bob@sip.test SIP/2.0\r\nVia: SIP/2.0/TCP x".repeat(10) {
        closed |= stream.write_all(&[byte]).await.is_err();
        if closed {
            break;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert!(closed, "it was waited for as long as something came");
    is_well(&bob).await;
}

#[tokio::test]
async fn who_does_not_read_holds_up_nobody() {
    let bob = bob(|config| config.timeouts.message = Duration::from_millis(500)).await;
    let deaf = tcp(&bob).await;
    let flood = tokio::spawn(async move {
        let (_reader, mut writer) = deaf.into_split();
        for i in 0.. {
            if writer.write_all(&raw("TCP", &format!("f{i}"), "Content-Length: 5\r\n", "hello")).await.is_err() {
                break;
            }
        }
    });
    is_well(&bob).await;
    tokio::time::timeout(PATIENCE, flood).await.expect("the stream was not closed").unwrap();
    is_well(&bob).await;
    assert_eq!(bob.held(), 0);
}

#[tokio::test]
async fn more_connections_than_allowed_are_closed() {
    let limits: [fn(&mut Limits); 2] = [|limits| limits.connections = 3, |limits| limits.connections_each = 3];
    for limit in limits {
        more_than_three_are_closed(bob(|config| limit(&mut config.limits)).await).await;
    }
    // others are not held up by one who has all of his
    let bob = bob(|config| config.limits.connections_each = 2).await;
    let mut open = Vec::new();
    for last in [1, 2, 3] {
        for _ in 0..2 {
            let socket = tokio::net::TcpSocket::new_v4().unwrap();
            socket.bind(format!("127.0.0.{last}:0").parse().unwrap()).unwrap();
            let mut stream = socket.connect(bob.listens(Way::Tcp).unwrap()).await.unwrap();
            talk(&mut stream, b"\r\n\r\n", |heard| heard == "\r\n").await;
            open.push(stream);
        }
    }
}
async fn more_than_three_are_closed(bob: Arc<Connection>) {
    let mut open = Vec::new();
    for _ in 0..3 {
        let mut stream = tcp(&bob).await;
        talk(&mut stream, b"\r\n\r\n", |heard| heard == "\r\n").await;
        open.push(stream);
    }
    let mut one_more = tcp(&bob).await;
    assert_eq!(one_more.read(&mut [0; 10]).await.unwrap_or(0), 0);
    open.clear();
    let again = async {
        loop {
            let mut stream = tcp(&bob).await;
            let _ = stream.write_all(b"\r\n\r\n").await;
            if matches!(stream.read(&mut [0; 10]).await, Ok(2)) {
                break;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, again).await.expect("no room was made");
}

#[tokio::test]
async fn thousands_of_datagrams_of_nothing() {
    let bob = bob(|_| {}).await;
    let socket = UdpSocket::bind(loopback()).await.unwrap();
    socket.connect(bob.listens(Way::Udp).unwrap()).await.unwrap();
    let good = raw("UDP", "g", "Content-Length: 5\r\n", "hello");
    let mut seed = 1u64;
    let mut random = move || {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(seed >> 40).unwrap()
    };
    for i in 0..5000 {
        let mut datagram = good.clone();
        match i % 5 {
            0 => datagram = (0..random() % 1400).map(|_| u8::try_from(random() % 256).unwrap()).collect(),
            1 => datagram.truncate(random() % good.len()),
            2 => (0..1 + random() % 20).for_each(|_| {
                let at = random() % datagram.len();
                datagram[at] = u8::try_from(random() % 256).unwrap();
            }),
            3 => {
                let (from, to) = (random() % good.len(), random() % good.len());
                let piece = good[from.min(to)..from.max(to)].to_vec();
                datagram.splice(random() % good.len()..good.len(), piece);
            }
            _ => datagram = String::from_utf8_lossy(&good).replacen("Content-Length: 5", &format!("Content-Length: {}", random()), 1).into_bytes(),
        }
        socket.send(&datagram).await.ok();
        if i % 50 == 0 {
            tokio::task::yield_now().await;
        }
    }
    is_well(&bob).await;
    // and the largest there is, whole
    let large = raw("UDP", "large", "", &"x".repeat(60_000));
    socket.send(&large).await.unwrap();
    let mut buffer = [0; 65_535];
    let heard = async {
        loop {
            let n = socket.recv(&mut buffer).await.unwrap();
            let answer = String::from_utf8_lossy(&buffer[..n]).into_owned();
            if answer.contains("Call-ID: large") {
                break answer;
            }
        }
    };
    assert_eq!(code_of(&tokio::time::timeout(PATIENCE, heard).await.unwrap()), Some(200));
}

#[tokio::test]
async fn the_same_datagram_again_gets_the_same_answer_and_arrives_once() {
    let bob = Connection::start(config(BOB, &certificate())).await.unwrap();
    let socket = UdpSocket::bind(loopback()).await.unwrap();
    socket.connect(bob.listens(Way::Udp).unwrap()).await.unwrap();
    let request = raw("UDP", "again", "", "hello");
    for _ in 0..5 {
        socket.send(&request).await.unwrap();
    }
    let held = arrived(&bob).await;
    assert!(tokio::time::timeout(Duration::from_millis(200), bob.next()).await.is_err(), "it arrived twice");
    held.answer.answer(Status::new(486).into());
    let mut buffer = [0; 2000];
    let n = socket.recv(&mut buffer).await.unwrap();
    let first = buffer[..n].to_vec();
    assert_eq!(code_of(&String::from_utf8_lossy(&first)), Some(486));
    for _ in 0..3 {
        socket.send(&request).await.unwrap();
        let n = tokio::time::timeout(PATIENCE, socket.recv(&mut buffer)).await.unwrap().unwrap();
        assert_eq!(buffer[..n], first);
    }
    assert!(tokio::time::timeout(Duration::from_millis(200), bob.next()).await.is_err(), "it arrived again");
}

#[tokio::test]
async fn answers_to_nothing_and_answers_that_lie_are_dropped() {
    // a server that answers before, beside and instead of what it was asked
    let listener = tokio::net::TcpListener::bind(loopback()).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut buffer = [0; 4096];
                let n = stream.read(&mut buffer).await.unwrap_or(0);
                let heard = String::from_utf8_lossy(&buffer[..n]).into_owned();
                let field = |name: &str| heard.lines().find(|line| line.starts_with(name)).unwrap_or_default().to_owned();
                let same = ["Via", "From", "To", "Call-ID", "CSeq"].map(|name| field(name) + "\r\n").concat();
                let answer = |status: &str, same: &str| format!("SIP/2.0 {status}\r\n{same}Content-Length: 0\r\n\r\n");
                let lies = [
                    answer("200 OK", &same.replace("branch=z9hG4bK", "branch=z9hG4bKx")),
                    answer("200 OK", &same.replace("1 MESSAGE", "2 MESSAGE")),
                    answer("200 OK", &same.replace("1 MESSAGE", "1 INVITE")),
                    answer("200 OK", &same.replace("Call-ID: ", "Call-ID: x")),
                    answer("200 OK", ""),
                    answer("999 Odd", &same),
                    answer("100 Trying", &same).repeat(1000),
                    answer("199 Odd", &same),
                    answer("499 Whatever This Is", &same),
                    answer("200 OK", &same),
                ];
                let _ = stream.write_all(lies.concat().as_bytes()).await;
                tokio::time::sleep(PATIENCE).await;
            });
        }
    });
    let mut alice = config(ALICE, &certificate());
    alice.proxy = Some(format!("sip:{address};transport=tcp"));
    let alice = Connection::start(alice).await.unwrap();
    let delivery = alice.send(message("lies", "hello")).await;
    // a start line that is none ends the stream; everything before it was dropped
    let Delivery::NotDelivered(why) = delivery else { panic!("{delivery:?}") };
    assert!(why.local && why.status.code() == 503, "{why}");
}

#[tokio::test]
async fn tls_ports_are_deaf_to_what_is_no_tls() {
    let bob = bob(|config| config.timeouts.connect = Duration::from_millis(200)).await;
    for noise in [&b"MESSAGE sip:x SIP/2.0\r\n\r\n"[..], &[0; 5000], &[22, 3, 1, 255, 255], b""] {
        let mut stream = TcpStream::connect(bob.listens(Way::Tls).unwrap()).await.unwrap();
        talk(&mut stream, noise, |_| false).await;
    }
    is_well(&bob).await;
}

/// `sipp` as somebody else's endpoint: a scenario of its own, many calls at once.
async fn sipp(bob: &Connection, way: Way, calls: u32, rate: u32, scenario: &str) -> Option<(bool, String)> {
    let missing = Command::new("sipp").arg("-v").stdout(Stdio::null()).stderr(Stdio::null()).status().is_err();
    if !subrosa_interop::goes_on("sipp", false, missing.then(|| "sipp is not installed (Debian package `sip-tester`)".into())) {
        return None;
    }
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("scenario.xml");
    std::fs::write(&file, scenario).unwrap();
    let transport = if way == Way::Udp { "u1" } else { "t1" };
    let mut command = tokio::process::Command::new("sipp");
    command.current_dir(directory.path()).arg(bob.listens(way).unwrap().to_string()).arg("-sf").arg(&file);
    command.args([
        "-t",
        transport,
        "-i",
        "127.0.0.1",
        "-m",
        &calls.to_string(),
        "-r",
        &rate.to_string(),
        "-l",
        "500",
        "-nostdin",
        "-timeout",
        "60s",
        "-timeout_error",
    ]);
    command.stdin(Stdio::null()).kill_on_drop(true);
    let done = command.output().await.unwrap();
    Some((done.status.success(), String::from_utf8_lossy(&done.stdout).into_owned() + &String::from_utf8_lossy(&done.stderr)))
}
const MESSAGE_SCENARIO: &str = r#"<?xml version="1.0"?><scenario name="message">
<send retrans="500"><![CDATA[
METHOD sip:bob@sip.test SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
From: <sip:sipp@sip.test>;tag=[pid]-[call_number]
To: <sip:bob@sip.test>
Call-ID: [call_id]
CSeq: 1 METHOD
Max-Forwards: 70
EXTRA
Content-Type: text/plain
Content-Length: [len]

hello [call_number]
]]></send><recv response="CODE"/></scenario>"#;

#[tokio::test(flavor = "multi_thread")]
async fn sipp_with_many_messages_and_odd_ones() {
    let bob = bob(|_| {}).await;
    let scenario = |method: &str, extra: &str, code: &str| MESSAGE_SCENARIO.replace("METHOD", method).replace("EXTRA", extra).replace("CODE", code);
    for (way, calls, rate, scenario) in [
        (Way::Tcp, 5000, 2000, scenario("MESSAGE", "X-A: b", "200")),
        (Way::Udp, 2000, 1000, scenario("MESSAGE", "X-A: b", "200")),
        (Way::Tcp, 200, 500, scenario("MESSAGE", "this is no header", "400")),
        (Way::Udp, 200, 500, scenario("SUBSCRIBE", "X-A: b", "405")),
        (Way::Tcp, 200, 500, scenario("OPTIONS", "X-A: b", "200")),
        (Way::Udp, 200, 500, scenario("MESSAGE", "Require: nothing-known", "420")),
        (Way::Tcp, 200, 500, scenario("MESSAGE", "Content-Encoding: gzip", "415")),
    ] {
        let Some((well, said)) = sipp(&bob, way, calls, rate, &scenario).await else { return };
        assert!(well, "{way:?}: {scenario}\n{}", said.chars().rev().take(3000).collect::<String>().chars().rev().collect::<String>());
    }
    is_well(&bob).await;
}
