//! The servers come up, are fresh, and go away.

#![allow(clippy::unwrap_used)]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use subrosa_interop::{Ejabberd, Friends, Gateway, Postgres, Prosody, goes_on};

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
    let mut client = Command::new("openssl")
        .args(["s_client", "-verify_return_error", "-verify_hostname", "localhost", "-CAfile"])
        .arg(server.ca_file())
        .args(["-connect", &format!("127.0.0.1:{}", server.tls_port)])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    drop(client.stdin.take());
    let start = Instant::now();
    let out = client.wait_with_output().unwrap();
    let text = String::from_utf8_lossy(&out.stdout);
    assert!(text.contains("Verify return code: 0 (ok)"), "after {:?}: {text}", start.elapsed());
}

/// A test process that is killed runs no destructors; its server goes all the same.
#[test]
fn a_server_does_not_outlive_a_killed_parent() {
    if !goes_on("prosody", false, Prosody::missing()) {
        return;
    }
    let mut parent = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "the_parent_that_is_killed", "--nocapture"])
        .env("SUBROSA_PARENT", "yes")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(parent.stdout.take().unwrap()).lines().map_while(Result::ok);
    let place = lines.find_map(|line| line.split_once("listens: ").map(|(_, place)| place.to_owned())).unwrap();
    let (port, dir) = place.split_once(' ').unwrap();
    let port: u16 = port.parse().unwrap();
    assert!(TcpStream::connect(("127.0.0.1", port)).is_ok());
    parent.kill().unwrap();
    parent.wait().unwrap();
    let until = Instant::now() + Duration::from_secs(20);
    while TcpStream::connect(("127.0.0.1", port)).is_ok() {
        assert!(Instant::now() < until, "still listening");
        std::thread::sleep(Duration::from_millis(20));
    }
    std::fs::remove_dir_all(dir).unwrap();
}

/// Run by the test above as a process of its own; does nothing otherwise.
#[test]
fn the_parent_that_is_killed() {
    if std::env::var_os("SUBROSA_PARENT").is_some() {
        let server = Prosody::start(&ACCOUNTS, Friends::None).unwrap();
        println!("listens: {} {}", server.port, server.dir.display());
        std::thread::sleep(Duration::from_secs(60));
    }
}

#[test]
fn postgres_keeps_its_data_over_a_stop_and_goes() {
    if !goes_on("postgres", false, Postgres::missing()) {
        return;
    }
    let mut server = Postgres::start().unwrap();
    let url = server.create("other").unwrap();
    let ask = |sql: &str| Command::new("psql").args(["-tAc", sql]).arg(&url).output().unwrap();
    assert!(ask("create table t (n int); insert into t values (7)").status.success());
    server.stop();
    assert!(!ask("select n from t").status.success());
    server.resume().unwrap();
    assert_eq!(ask("select n from t").stdout, b"7\n");
    assert!(server.dump("other").unwrap().contains("CREATE TABLE public.t"));
    server.hang(true);
    let mut asking = Command::new("psql").args(["-tAc", "select n from t"]).arg(&url).stdout(Stdio::piped()).spawn().unwrap();
    std::thread::sleep(Duration::from_millis(300));
    assert!(asking.try_wait().unwrap().is_none(), "it answers");
    server.hang(false);
    assert_eq!(asking.wait_with_output().unwrap().stdout, b"7\n");
    drop(server);
    assert!(!ask("select n from t").status.success());
}

/// What the gateway answers to a question over HTTP.
fn get(gateway: &Gateway, path: &str) -> String {
    let mut stream = TcpStream::connect(gateway.address()).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", gateway.address()).unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    text
}

#[test]
fn the_gateway_comes_back_where_it_was() {
    let missing = Prosody::missing().or_else(Gateway::missing);
    if !goes_on("gateway", false, missing) {
        return;
    }
    let server = Prosody::start(&ACCOUNTS, Friends::None).unwrap();
    let mut gateway = Gateway::start(&server).unwrap();
    assert!(get(&gateway, "/healthz").starts_with("HTTP/1.1 200"));
    assert!(gateway.memory().unwrap() > 1_000_000 && gateway.database().is_file());
    assert!(gateway.has_in_memory("gateway.toml").unwrap() && !gateway.has_in_memory(&format!("{}-never", "said")).unwrap());
    let url = gateway.url.clone();
    gateway.kill9();
    assert!(TcpStream::connect(gateway.address()).is_err());
    gateway.restart().unwrap();
    assert_eq!(gateway.url, url);
    assert!(get(&gateway, "/healthz").starts_with("HTTP/1.1 200"));
    assert!(gateway.stop(), "it did not end by itself:\n{}", gateway.log());
    let dir = gateway.dir.clone();
    drop(gateway);
    assert!(!dir.exists());
}
