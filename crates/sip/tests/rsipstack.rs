//! What rsipstack does that `connection` works around, pinned: when one of these fails, it was mended there, and the work-around that
//! its comment names can go.
#![cfg(feature = "connection")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, missing_docs)]

use rsipstack::EndpointBuilder;
use rsipstack::platform::CancellationToken;
use rsipstack::sip::headers::auth::Algorithm;
use rsipstack::sip::prelude::HeadersExt as _;
use rsipstack::sip::typed::WwwAuthenticate;
use rsipstack::sip::{Request, SipMessage, StatusCode, Uri};
use rsipstack::transport::udp::UdpConnection;
use rsipstack::transport::{SipConnection, TcpListenerConnection, TransportLayer};
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

const HEAD: &str =
    "MESSAGE sip:b@x SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\r\nFrom: <sip:a@x>;tag=1\r\nTo: <sip:b@x>\r\nCall-ID: 1\r\nCSeq: 1 MESSAGE\r\n";

/// `head`: reads heads itself.
#[test]
fn a_header_ends_where_a_line_is_not_utf8() {
    let bytes = [HEAD.as_bytes(), b"X: \xff\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nhi"].concat();
    let request = Request::try_from(&bytes[..]).unwrap();
    assert!(request.header_value("Content-Type").is_none() && request.body.is_empty());
}
/// `head`: answers 405 itself.
#[test]
fn an_unknown_method_is_no_message() {
    assert!(SipMessage::try_from(format!("{HEAD}\r\n").replace("MESSAGE", "FROBNICATE").as_str()).is_err());
}
/// `frame`: cuts bodies itself.
#[test]
fn a_datagram_without_length_has_no_body() {
    let request = Request::try_from(format!("{HEAD}Content-Type: text/plain\r\n\r\nhello").as_str()).unwrap();
    assert!(request.body.is_empty());
}
/// `connection::verbatim`.
#[test]
fn an_escape_in_a_uri_is_escaped_again() {
    assert_eq!(Uri::try_from("sip:a%2Fb@x").unwrap().to_string(), "sip:a%252Fb@x");
}
/// `crate::digest`.
#[test]
fn sha_256_and_lists_of_qop_are_not_read() {
    assert!(Algorithm::try_from("SHA-256").is_err());
    assert_eq!(Algorithm::Sha256.to_string(), "SHA256");
    assert!(WwwAuthenticate::parse("Digest realm=\"a\", nonce=\"b\", qop=\"auth,auth-int\"").is_err());
}

/// rsipstack with its own sockets; answers every request 200.
async fn endpoint(transport: SipConnection) -> (SocketAddr, CancellationToken) {
    let token = CancellationToken::new();
    let address = transport.get_addr().get_socketaddr().unwrap();
    let layer = TransportLayer::new(token.clone());
    layer.add_transport(transport);
    let endpoint = EndpointBuilder::new().with_transport_layer(layer).with_cancel_token(token.clone()).build();
    let mut incoming = endpoint.incoming_transactions().unwrap();
    let inner = endpoint.inner.clone();
    tokio::spawn(async move { inner.serve().await });
    tokio::spawn(async move {
        let _endpoint = endpoint;
        while let Some(mut transaction) = incoming.recv().await {
            transaction.reply(StatusCode::OK).await.unwrap();
        }
    });
    (address, token)
}
async fn tcp_endpoint() -> (SocketAddr, CancellationToken) {
    // it tells no port that it was given
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    endpoint(TcpListenerConnection::new(free, None).await.unwrap().into()).await
}
/// What it answers to this over TCP; nothing where it closes the stream, or leaves it open and says nothing.
async fn answer(bytes: &[u8]) -> String {
    let (address, token) = tcp_endpoint().await;
    let mut stream = loop {
        match tokio::net::TcpStream::connect(address).await {
            Ok(stream) => break stream,
            Err(_) => tokio::task::yield_now().await,
        }
    };
    let _ = stream.write_all(bytes).await;
    let mut buffer = [0; 4096];
    let read = tokio::time::timeout(Duration::from_secs(2), stream.read(&mut buffer)).await;
    token.cancel();
    String::from_utf8_lossy(&buffer[..read.map_or(0, |read| read.unwrap_or(0))]).into_owned()
}
/// `frame`: its own framing.
#[tokio::test]
async fn a_stream_ends_with_a_body_over_64_kib_and_with_a_length_near_the_end_of_numbers() {
    let message =
        |length: &str, body: usize| format!("{HEAD}Content-Length: {length}\r\n\r\n{}", "x".repeat(body)).replace("/UDP", "/TCP").into_bytes();
    assert!(answer(&message("60000", 60_000)).await.starts_with("SIP/2.0 200"));
    assert_eq!(answer(&message("200000", 200_000)).await, "");
    // an addition that overflows: where that is checked a panic, and the stream stays open for ever
    if cfg!(debug_assertions) {
        assert_eq!(answer(&message("18446744073709551615", 10)).await, "");
    }
}
/// `flow`: its own socket.
#[tokio::test]
async fn a_datagram_is_cut_at_8_kib() {
    let udp = UdpConnection::create_connection("127.0.0.1:0".parse().unwrap(), None, None).await.unwrap();
    let (address, token) = endpoint(udp.into()).await;
    let socket = tokio::net::UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let sent = format!("{HEAD}Content-Type: text/plain\r\nX: {}\r\nContent-Length: 0\r\n\r\n", "y".repeat(9000));
    let small = sent.replace(&"y".repeat(9000), "y");
    let mut buffer = [0; 4096];
    let heard = async {
        loop {
            socket.send_to(sent.replace("Call-ID: 1", "Call-ID: large").as_bytes(), address).await.unwrap();
            socket.send_to(small.as_bytes(), address).await.unwrap();
            if let Ok(Ok(n)) = tokio::time::timeout(Duration::from_millis(100), socket.recv(&mut buffer)).await {
                break String::from_utf8_lossy(&buffer[..n]).into_owned();
            }
        }
    };
    let heard = tokio::time::timeout(Duration::from_secs(20), heard).await.expect("no answer");
    assert!(heard.contains("Call-ID: 1\r\n"), "the larger one was answered: {heard}");
    token.cancel();
}
