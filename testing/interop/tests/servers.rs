//! The servers come up, are fresh, and go away.

#![allow(clippy::unwrap_used)]

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use subrosa_interop::{Ejabberd, Friends, Prosody, goes_on};

const ACCOUNTS: [(&str, &str); 2] = [("alice", "pw-alice"), ("bob", "pw-bob")];

/// What the server at this port answers to the opening of a stream.
fn greeting(port: u16) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    let open = "<?xml version='1.0'?><stream:stream xmlns='jabber:client' to='localhost' version='1.0' \
                xmlns:stream='http://etherx.jabber.org/streams'>";
    stream.write_all(open.as_bytes()).unwrap();
    let mut text = String::new();
    while !text.contains("</stream:features>") {
        let mut part = [0; 4096];
        let length = stream.read(&mut part).unwrap();
        assert!(length > 0, "the stream ended: {text}");
        text.push_str(&String::from_utf8_lossy(&part[..length]));
    }
    text
}

#[test]
fn prosody_offers_starttls_and_logins_and_goes() {
    if !goes_on("prosody", false, Prosody::missing()) {
        return;
    }
    let mut server = Prosody::start(&ACCOUNTS, Friends::All).unwrap();
    let features = greeting(server.port);
    assert!(features.contains("urn:ietf:params:xml:ns:xmpp-tls"), "{features}");
    assert!(features.contains("SCRAM-SHA-1"), "{features}");
    server.restart().unwrap();
    assert!(greeting(server.port).contains("stream:features"));
    let (port, dir) = (server.port, server.dir.clone());
    drop(server);
    assert!(TcpStream::connect(("127.0.0.1", port)).is_err(), "still listening");
    assert!(!dir.exists());
}

#[test]
fn ejabberd_offers_starttls_and_logins_and_goes() {
    if !goes_on("ejabberd", false, Ejabberd::missing()) {
        return;
    }
    let server = Ejabberd::start(&ACCOUNTS, Friends::All).unwrap();
    let features = greeting(server.port);
    assert!(features.contains("urn:ietf:params:xml:ns:xmpp-tls"), "{features}");
    assert!(features.contains("SCRAM-SHA-256"), "{features}");
    let (port, dir) = (server.port, server.dir.clone());
    drop(server);
    assert!(TcpStream::connect(("127.0.0.1", port)).is_err(), "still listening");
    assert!(!dir.exists());
}

#[test]
fn two_prosodies_do_not_meet() {
    if !goes_on("prosody", false, Prosody::missing()) {
        return;
    }
    let one = Prosody::start(&ACCOUNTS, Friends::None).unwrap();
    let two = Prosody::start(&ACCOUNTS, Friends::None).unwrap();
    assert_ne!(one.port, two.port);
    assert_ne!(one.dir, two.dir);
}

#[test]
fn the_servers_certificate_is_signed_by_its_authority() {
    if !goes_on("prosody", false, Prosody::missing()) {
        return;
    }
    let server = Prosody::start(&ACCOUNTS, Friends::None).unwrap();
    let mut client = std::process::Command::new("openssl")
        .args(["s_client", "-verify_return_error", "-verify_hostname", "localhost", "-CAfile"])
        .arg(server.ca_file())
        .args(["-connect", &format!("127.0.0.1:{}", server.tls_port)])
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    drop(client.stdin.take());
    let start = Instant::now();
    let out = client.wait_with_output().unwrap();
    let text = String::from_utf8_lossy(&out.stdout);
    assert!(text.contains("Verify return code: 0 (ok)"), "after {:?}: {text}", start.elapsed());
}
