//! Registering with a small registrar on a socket: challenges, passwords, refreshes, what it answers when it will not.
#![cfg(feature = "connection")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::arithmetic_side_effects, clippy::indexing_slicing, missing_docs, dead_code)]
mod common;

use common::*;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use subrosa_sip::*;
use tokio::net::{TcpListener, UdpSocket};
use zeroize::Zeroizing;

/// One request as the registrar sees it.
#[derive(Clone, Debug)]
struct Seen {
    text: String,
}
impl Seen {
    fn field(&self, name: &str) -> Option<&str> {
        self.text.lines().find_map(|line| line.split_once(": ").filter(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim()))
    }
    /// An answer with these lines beside those that every answer has.
    fn answer(&self, status: &str, fields: &str) -> String {
        let same: String = ["Via", "From", "To", "Call-ID", "CSeq"].iter().map(|name| format!("{name}: {}\r\n", self.field(name).unwrap())).collect();
        format!("SIP/2.0 {status}\r\n{same}{fields}Content-Length: 0\r\n\r\n")
    }
    /// A value within `Authorization`, without quotes.
    fn proof(&self, name: &str) -> Option<String> {
        let all = self.field("Authorization").or(self.field("Proxy-Authorization"))?.strip_prefix("Digest ")?;
        all.split(", ").find_map(|part| part.split_once('=').filter(|(n, _)| *n == name).map(|(_, v)| v.trim_matches('"').to_owned()))
    }
}
type Script = dyn Fn(usize, &Seen) -> String + Send + Sync;
/// Says by number what it says; everything it saw.
struct Registrar {
    address: SocketAddr,
    seen: Arc<Mutex<Vec<Seen>>>,
}
impl Registrar {
    async fn tcp(script: impl Fn(usize, &Seen) -> String + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind(loopback()).await.unwrap();
        let (address, seen) = (listener.local_addr().unwrap(), Arc::new(Mutex::new(Vec::new())));
        let (all, script): (_, Arc<Script>) = (seen.clone(), Arc::new(script));
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let (all, script) = (all.clone(), script.clone());
                tokio::spawn(async move {
                    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
                    let (mut heard, mut buffer) = (String::new(), [0; 4096]);
                    while let Ok(n @ 1..) = stream.read(&mut buffer).await {
                        heard.push_str(&String::from_utf8_lossy(&buffer[..n]));
                        while let Some(end) = heard.find("\r\n\r\n") {
                            let text: String = heard.drain(..end + 4).collect();
                            if text.trim().is_empty() {
                                continue;
                            }
                            let request = Seen { text };
                            let number = {
                                let mut all = all.lock().unwrap();
                                all.push(request.clone());
                                all.len() - 1
                            };
                            let answer = script(number, &request);
                            stream.write_all(answer.trim_end_matches("hang up").as_bytes()).await.unwrap();
                            if answer.ends_with("hang up") {
                                return;
                            }
                        }
                    }
                });
            }
        });
        Registrar { address, seen }
    }
    async fn udp(script: impl Fn(usize, &Seen) -> String + Send + Sync + 'static) -> Self {
        let socket = UdpSocket::bind(loopback()).await.unwrap();
        let (address, seen) = (socket.local_addr().unwrap(), Arc::new(Mutex::new(Vec::new())));
        let all = seen.clone();
        tokio::spawn(async move {
            let mut buffer = [0; 65_535];
            while let Ok((n, from)) = socket.recv_from(&mut buffer).await {
                let request = Seen { text: String::from_utf8_lossy(&buffer[..n]).into_owned() };
                let number = {
                    let mut all: std::sync::MutexGuard<'_, Vec<Seen>> = all.lock().unwrap();
                    all.push(request.clone());
                    all.len() - 1
                };
                let answer = script(number, &request);
                if !answer.is_empty() {
                    socket.send_to(answer.as_bytes(), from).await.unwrap();
                }
            }
        });
        Registrar { address, seen }
    }
    fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }
    fn account(&self, way: &str, password: Option<&str>) -> Config {
        let mut config = config(ALICE, &certificate());
        config.register = true;
        config.registrar = Some(format!("sip:{};transport={way}", self.address));
        config.password = password.map(|p| Zeroizing::new(p.to_owned()));
        config.timeouts.retry = Duration::from_millis(100);
        config.timeouts.answer = Duration::from_secs(2);
        config
    }
}
fn md5(text: &str) -> String {
    use md5::{Digest as _, Md5};
    Md5::digest(text).iter().map(|b| format!("{b:02x}")).collect()
}
fn sha256(text: &str) -> String {
    use sha2::{Digest as _, Sha256};
    Sha256::digest(text).iter().map(|b| format!("{b:02x}")).collect()
}
/// Whether the proof is the one for this password, by the formula of RFC 7616 §3.4.
fn proves(request: &Seen, password: &str, hash: fn(&str) -> String) -> bool {
    let Some(get) = request.proof("response").map(|_| |name: &str| request.proof(name).unwrap_or_default()) else { return false };
    let method = request.text.split(' ').next().unwrap();
    let secret = hash(&format!("{}:{}:{password}", get("username"), get("realm")));
    let asked = hash(&format!("{method}:{}", get("uri")));
    let expected = match get("qop").as_str() {
        "" => hash(&format!("{secret}:{}:{asked}", get("nonce"))),
        qop => hash(&format!("{secret}:{}:{}:{}:{qop}:{asked}", get("nonce"), get("nc"), get("cnonce"))),
    };
    get("response") == expected && request.text.contains(&format!(" {} SIP/2.0", get("uri")))
}
const CHALLENGE: &str = "WWW-Authenticate: Digest realm=\"sip.test\", nonce=\"abc\", algorithm=MD5, qop=\"auth,auth-int\", opaque=\"o\"\r\n";
fn registered(seconds: u32, request: &Seen) -> String {
    let contact = request.field("Contact").unwrap_or("*").to_owned();
    request.answer("200 OK", &format!("Contact: <sip:other@elsewhere>;expires=9999, {contact};expires={seconds}\r\n"))
}

#[tokio::test]
async fn challenged_by_md5_and_sha256_over_udp_and_tcp() {
    for way in ["udp", "tcp"] {
        for (algorithm, hash) in [("MD5", md5 as fn(&str) -> String), ("SHA-256", sha256)] {
            let script = move |_: usize, request: &Seen| match proves(request, "s3cret", hash) {
                true => registered(100, request),
                false => request.answer("401 Unauthorized", &CHALLENGE.replace("MD5", algorithm)),
            };
            let registrar = if way == "udp" { Registrar::udp(script).await } else { Registrar::tcp(script).await };
            let alice = Connection::start(registrar.account(way, Some("s3cret"))).await.unwrap();
            assert_eq!(registration(&alice).await, Registration::Registering);
            assert_eq!(registration(&alice).await, Registration::Registered { expires: Duration::from_secs(100) }, "{way} {algorithm}");
            alice.close().await;
            assert_eq!(registration(&alice).await, Registration::Unregistered);
            let seen = registrar.seen();
            assert_eq!(seen.len(), 4, "{way}: asked, proved, taken back, proved");
            assert_eq!(seen.last().unwrap().field("Expires"), Some("0"));
            let ids: std::collections::HashSet<_> = seen.iter().map(|s| s.field("Call-ID").unwrap().to_owned()).collect();
            let numbers: Vec<_> = seen.iter().map(|s| s.field("CSeq").unwrap().to_owned()).collect();
            assert_eq!((ids.len(), numbers.join(",")), (1, "1 REGISTER,2 REGISTER,3 REGISTER,4 REGISTER".into()));
            assert!(seen[0].text.starts_with("REGISTER sip:") && seen[0].field("To").unwrap().contains(ALICE));
            let contact = seen[0].field("Contact").unwrap();
            assert!(contact.starts_with("<sip:alice@127.0.0.1:") && contact.contains(";transport=tcp") == (way == "tcp"), "{contact}");
        }
    }
}

#[tokio::test]
async fn a_wrong_password_is_an_error_and_is_tried_once() {
    let registrar = Registrar::tcp(|_, request| match proves(request, "right", md5) {
        true => registered(100, request),
        false => request.answer("401 Unauthorized", CHALLENGE),
    })
    .await;
    let alice = Connection::start(registrar.account("tcp", Some("wrong"))).await.unwrap();
    registration(&alice).await;
    let Registration::Failed(why) = registration(&alice).await else { panic!() };
    assert_eq!(why, RegisterError::Password { realm: "sip.test".into() });
    assert!(why.to_string().contains("password"));
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(registrar.seen().len(), 2);
    // without one there is nothing to try
    let nobody = Connection::start(registrar.account("tcp", None)).await.unwrap();
    registration(&nobody).await;
    assert_eq!(registration(&nobody).await, Registration::Failed(RegisterError::NoPassword { realm: "sip.test".into() }));
}

#[tokio::test]
async fn a_stale_nonce_is_answered_again_but_not_for_ever() {
    let stale = |nonce: usize| format!("WWW-Authenticate: Digest realm=\"sip.test\", nonce=\"n{nonce}\", stale=true\r\n");
    let registrar = Registrar::tcp(move |number, request| match number {
        0 => request.answer("401 Unauthorized", &stale(0).replace(", stale=true", "")),
        1 => request.answer("401 Unauthorized", &stale(1)),
        _ => registered(100, request),
    })
    .await;
    let alice = Connection::start(registrar.account("tcp", Some("x"))).await.unwrap();
    registration(&alice).await;
    assert!(matches!(registration(&alice).await, Registration::Registered { .. }));
    let endless = Registrar::tcp(move |number, request| request.answer("401 Unauthorized", &stale(number))).await;
    let alice = Connection::start(endless.account("tcp", Some("x"))).await.unwrap();
    registration(&alice).await;
    assert!(matches!(registration(&alice).await, Registration::Failed(RegisterError::Password { .. })));
    assert!(endless.seen().len() <= 4, "{}", endless.seen().len());
}

#[tokio::test]
async fn a_proxy_and_the_registrar_behind_it_both_ask() {
    let both = |request: &Seen| {
        let of_proxy = request.text.contains("\r\nProxy-Authorization: Digest username=\"alice\", realm=\"proxy.test\"");
        let of_registrar = request.text.contains("\r\nAuthorization: Digest username=\"alice\", realm=\"sip.test\"");
        match (of_proxy, of_registrar) {
            (false, _) => {
                request.answer("407 Proxy Authentication Required", "Proxy-Authenticate: Digest realm=\"proxy.test\", nonce=\"p\", qop=\"auth\"\r\n")
            }
            (true, false) => request.answer("401 Unauthorized", CHALLENGE),
            (true, true) => registered(100, request),
        }
    };
    let registrar = Registrar::tcp(move |_, request| both(request)).await;
    let alice = Connection::start(registrar.account("tcp", Some("x"))).await.unwrap();
    registration(&alice).await;
    assert!(matches!(registration(&alice).await, Registration::Registered { .. }));
    let seen = registrar.seen();
    assert_eq!(seen.len(), 3);
    // the proxy hears the same nonce twice, and that it is the second time (RFC 7616 §3.4)
    assert!(seen[1].field("Proxy-Authorization").unwrap().contains("nc=00000001"));
    assert!(seen[2].field("Proxy-Authorization").unwrap().contains("nc=00000002") && seen[2].field("Authorization").unwrap().contains("nc=00000001"));
    // one after the other for ever: no
    let endless = Registrar::tcp(|number, request| {
        request.answer("401 Unauthorized", &format!("WWW-Authenticate: Digest realm=\"r{number}\", nonce=\"x\"\r\n"))
    })
    .await;
    let alice = Connection::start(endless.account("tcp", Some("x"))).await.unwrap();
    registration(&alice).await;
    assert!(matches!(registration(&alice).await, Registration::Failed(RegisterError::Challenge(_))));
    assert_eq!(endless.seen().len(), 3);
}

#[tokio::test]
async fn it_is_refreshed_before_it_ends() {
    let registrar = Registrar::tcp(|_, request| registered(1, request)).await;
    let alice = Connection::start(registrar.account("tcp", None)).await.unwrap();
    registration(&alice).await;
    for _ in 0..3 {
        assert_eq!(registration(&alice).await, Registration::Registered { expires: Duration::from_secs(1) });
    }
    assert!(registrar.seen().len() >= 3);
}

#[tokio::test]
async fn who_hangs_up_each_time_is_asked_more_and_more_seldom() {
    let registrar = Registrar::tcp(|_, request| registered(100, request) + "hang up").await;
    let mut config = registrar.account("tcp", None);
    config.timeouts.retry = Duration::from_millis(200);
    let alice = Connection::start(config).await.unwrap();
    for _ in 0..3 {
        while !matches!(registration(&alice).await, Registration::Registered { .. }) {}
    }
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert!((3..=4).contains(&registrar.seen().len()), "{}", registrar.seen().len());
    // and the end does not wait for the next time
    alice.close().await;
}

#[tokio::test]
async fn what_it_answers_when_it_will_not() {
    for (status, fields, expected) in [
        ("403 Forbidden", "", Some(RegisterError::Refused { code: 403, phrase: "Forbidden".into() })),
        ("404 No such user here", "", Some(RegisterError::Refused { code: 404, phrase: "No such user here".into() })),
        ("401 Unauthorized", "WWW-Authenticate: Digest realm=\"x\", nonce=\"y\", algorithm=SHA-512-256\r\n", None),
        ("401 Unauthorized", "WWW-Authenticate: Digest realm=\r\n", None),
        ("401 Unauthorized", "", None),
        ("423 Interval Too Brief", "", None),
        ("423 Interval Too Brief", "Min-Expires: 99999999999\r\n", None),
    ] {
        let registrar = Registrar::tcp(move |_, request| request.answer(status, fields)).await;
        let alice = Connection::start(registrar.account("tcp", Some("x"))).await.unwrap();
        registration(&alice).await;
        let Registration::Failed(why) = registration(&alice).await else { panic!("{status}") };
        assert!(expected.is_none_or(|expected| expected == why), "{status}: {why}");
        assert!(!why.to_string().is_empty());
        tokio::time::sleep(Duration::from_millis(200)).await;
        assert_eq!(registrar.seen().len(), 1, "{status} {fields}");
    }
}

#[tokio::test]
async fn a_longer_interval_is_taken() {
    let registrar = Registrar::tcp(|_, request| match request.field("Expires").unwrap() {
        "1800" => registered(1800, request),
        _ => request.answer("423 Interval Too Brief", "Min-Expires: 1800\r\n"),
    })
    .await;
    let alice = Connection::start(registrar.account("tcp", None)).await.unwrap();
    registration(&alice).await;
    assert_eq!(registration(&alice).await, Registration::Registering);
    assert_eq!(registration(&alice).await, Registration::Registered { expires: Duration::from_secs(1800) });
}

#[tokio::test]
async fn the_network_comes_back_and_so_does_the_registration() {
    let registrar = Registrar::tcp(|number, request| match number {
        0 => "hang up".into(),
        1 => request.answer("503 Service Unavailable", ""),
        2 => registered(100, request),
        // the stream by which others reach us is gone
        _ => registered(50, request),
    })
    .await;
    let alice = Connection::start(registrar.account("tcp", None)).await.unwrap();
    registration(&alice).await;
    assert!(matches!(registration(&alice).await, Registration::Offline { why: RegisterError::Unreachable { .. }, .. }));
    registration(&alice).await;
    let Registration::Offline { why, .. } = registration(&alice).await else { panic!() };
    assert_eq!(why, RegisterError::Refused { code: 503, phrase: "Service Unavailable".into() });
    registration(&alice).await;
    assert_eq!(registration(&alice).await, Registration::Registered { expires: Duration::from_secs(100) });
    // nobody there at all
    let taken = std::net::TcpListener::bind(loopback()).unwrap();
    let mut config = registrar.account("tcp", None);
    config.registrar = Some(format!("sip:{};transport=tcp", taken.local_addr().unwrap()));
    drop(taken);
    let alice = Connection::start(config).await.unwrap();
    registration(&alice).await;
    assert!(matches!(registration(&alice).await, Registration::Offline { why: RegisterError::Unreachable { .. }, .. }));
    alice.close().await;
}

#[tokio::test]
async fn a_message_is_challenged_too_but_not_by_anybody() {
    let registrar = Registrar::tcp(|_, request| {
        let proxy = request.text.starts_with("MESSAGE");
        match (proxy, proves(request, "s3cret", md5)) {
            (true, true) => request.answer("202 Accepted", ""),
            (true, false) => request.answer("407 Proxy Authentication Required", &CHALLENGE.replace("WWW-", "Proxy-")),
            (false, true) => registered(100, request),
            (false, false) => request.answer("401 Unauthorized", CHALLENGE),
        }
    })
    .await;
    let mut config = registrar.account("tcp", Some("s3cret"));
    config.proxy = Some(format!("sip:{};transport=tcp", registrar.address));
    config.registrar = None;
    let alice = Connection::start(config.clone()).await.unwrap();
    assert_eq!(alice.send(message("1", "")).await, Delivery::Delivered(202));
    let seen = registrar.seen();
    let proved = seen.iter().find(|s| s.text.starts_with("MESSAGE") && s.field("Proxy-Authorization").is_some()).unwrap();
    assert!(proved.field("Route").is_some_and(|route| route.contains(";lr>")) && proved.field("CSeq") == Some("2 MESSAGE"));
    // one realm and no other
    config.register = false;
    config.realm = Some("elsewhere.test".into());
    let before = registrar.seen().len();
    assert_eq!(Connection::start(config.clone()).await.unwrap().send(message("1b", "")).await.code(), 407);
    assert!(registrar.seen()[before..].iter().all(|s| s.field("Proxy-Authorization").is_none()));
    config.realm = None;
    config.password = Some(Zeroizing::new("wrong".into()));
    assert_eq!(Connection::start(config.clone()).await.unwrap().send(message("2", "")).await.code(), 407);

    // whoever gets a message may ask for a proof; they get none
    let stranger =
        Registrar::tcp(|_, request| request.answer("401 Unauthorized", "WWW-Authenticate: Digest realm=\"evil.test\", nonce=\"x\"\r\n")).await;
    config.proxy = Some(format!("sip:{};transport=tcp", stranger.address));
    assert_eq!(Connection::start(config).await.unwrap().send(message("3", "")).await.code(), 401);
    assert!(stranger.seen().iter().all(|s| s.field("Authorization").is_none()));
}
