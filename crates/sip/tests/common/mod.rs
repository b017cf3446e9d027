//! Endpoints on loopback, and a peer that says on a socket whatever a test wants it to.
use std::net::SocketAddr;
use std::time::Duration;
use subrosa_engine::MessageId;
use subrosa_sip::*;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use zeroize::Zeroizing;

pub const ALICE: &str = "sip:alice@sip.test";
pub const BOB: &str = "sip:bob@sip.test";
/// Until a test that hangs is a failed one.
pub const PATIENCE: Duration = Duration::from_secs(30);

pub fn loopback() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 0))
}
pub fn certificate() -> (Vec<u8>, Zeroizing<Vec<u8>>) {
    let made = rcgen::generate_simple_self_signed(vec!["127.0.0.1".into(), "localhost".into(), "sip.test".into()]).unwrap();
    (made.cert.pem().into_bytes(), Zeroizing::new(made.signing_key.serialize_pem().into_bytes()))
}
/// Listens by all three ways.
pub fn config(account: &str, tls: &(Vec<u8>, Zeroizing<Vec<u8>>)) -> Config {
    let mut config = Config::new(account).unwrap();
    let tls_listen = Listen::tls(loopback(), tls.0.clone(), tls.1.to_vec());
    config.listen = vec![Listen::Udp(loopback()), Listen::Tcp(loopback()), tls_listen];
    config.roots = Roots::Pem(tls.0.clone());
    config
}
pub fn uri(way: Way, to: &Connection) -> String {
    let name = format!("{way:?}").to_lowercase();
    format!("sip:{};transport={name}", to.listens(way).unwrap())
}
/// Bob, and Alice whose messages all go to him by this way.
pub async fn pair(way: Way, change: impl FnOnce(&mut Config, &mut Config)) -> (Connection, Connection) {
    let tls = certificate();
    let (mut alice, mut bob) = (config(ALICE, &tls), config(BOB, &tls));
    change(&mut alice, &mut bob);
    let bob = Connection::start(bob).await.unwrap();
    alice.proxy = Some(uri(way, &bob));
    (Connection::start(alice).await.unwrap(), bob)
}
pub fn message(id: &str, body: impl Into<Vec<u8>>) -> SipMessage {
    SipMessage::new(MessageId::from(id), ALICE.into(), BOB.into(), ContentType::TEXT, body)
}
pub async fn arrived(connection: &Connection) -> Arrived {
    loop {
        match tokio::time::timeout(PATIENCE, connection.next()).await.expect("nothing arrived").expect("closed") {
            Happening::Arrived(arrived) => return arrived,
            _ => continue,
        }
    }
}
pub async fn registration(connection: &Connection) -> Registration {
    loop {
        match tokio::time::timeout(PATIENCE, connection.next()).await.expect("nothing happened").expect("closed") {
            Happening::Registration(registration) => return registration,
            _ => continue,
        }
    }
}
/// A MESSAGE as it stands on the wire; `fields` end with a line break.
pub fn raw(way: &str, branch: &str, fields: &str, body: &str) -> Vec<u8> {
    format!(
        "MESSAGE sip:bob@sip.test SIP/2.0\r\nVia: SIP/2.0/{way} 127.0.0.1:9;rport;branch=z9hG4bK{branch}\r\nMax-Forwards: 70\r\n\
         From: <sip:eve@sip.test>;tag=1\r\nTo: <sip:bob@sip.test>\r\nCall-ID: {branch}\r\nCSeq: 1 MESSAGE\r\nContent-Type: text/plain\r\n{fields}\r\n{body}"
    )
    .into_bytes()
}
/// Writes, and reads until `enough` or the end.
pub async fn talk(stream: &mut TcpStream, bytes: &[u8], enough: impl Fn(&str) -> bool) -> String {
    let _ = stream.write_all(bytes).await;
    let mut heard = Vec::new();
    let mut buffer = [0; 4096];
    let reading = async {
        while !enough(&String::from_utf8_lossy(&heard)) {
            match stream.read(&mut buffer).await {
                Ok(0) | Err(_) => break,
                Ok(n) => heard.extend_from_slice(&buffer[..n]),
            }
        }
    };
    tokio::time::timeout(PATIENCE, reading).await.expect("no answer");
    String::from_utf8_lossy(&heard).into_owned()
}
pub fn code_of(answer: &str) -> Option<u16> {
    answer.strip_prefix("SIP/2.0 ")?.get(..3)?.parse().ok()
}
