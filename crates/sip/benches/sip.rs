//! Messages between two endpoints of ours in one process, each answered 200: `cargo bench -p subrosa-sip --features connection
//! --bench sip -- [--json]`.
//!
//! `tcp`, `tls`, `udp`: messages a second, 64 under way at once, of 100 bytes. `agents`: the same with a machine, its rows and an
//! engine that copies on each side, over TCP, to 64 people. `alone`: the time of one message when nothing else is under way, TCP.
//! Both sides share the cores of the machine: between two machines it is more.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, clippy::arithmetic_side_effects)]

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};
use subrosa_engine::*;
use subrosa_sip::agent::{Agent, AgentEvent, Settings};
use subrosa_sip::*;
use tokio::sync::Semaphore;

const UNDER_WAY: usize = 64;
const ROUNDS: usize = 5;
/// Messages a second, over TCP.
const PROMISED: &str = "5000";

fn loopback() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 0))
}
/// Somebody who listens by all ways, and the certificate for that.
fn config(account: &str) -> (Config, Vec<u8>) {
    let made = rcgen::generate_simple_self_signed(vec!["127.0.0.1".into()]).unwrap();
    let mut config = Config::new(account).unwrap();
    let certificate = made.cert.pem().into_bytes();
    config.listen = vec![
        Listen::Udp(loopback()),
        Listen::Tcp(loopback()),
        Listen::tls(loopback(), certificate.clone(), made.signing_key.serialize_pem().into_bytes()),
    ];
    (config, certificate)
}
fn towards(bob: &Connection, way: Way, certificate: &[u8]) -> Config {
    let (mut alice, _) = config("sip:alice@sip.test");
    alice.roots = Roots::Pem(certificate.to_vec());
    alice.proxy = Some(format!("sip:{};transport={}", bob.listens(way).unwrap(), format!("{way:?}").to_lowercase()));
    alice
}
fn message(i: usize) -> SipMessage {
    SipMessage::new(format!("{i}").as_str().into(), "sip:alice@sip.test".into(), "sip:bob@sip.test".into(), ContentType::TEXT, [b'x'; 100])
}

/// Messages a second, and the time of one alone.
async fn connections(way: Way, messages: usize) -> (f64, Duration) {
    let (bob, certificate) = config("sip:bob@sip.test");
    let bob = Arc::new(Connection::start(bob).await.unwrap());
    let alice = Arc::new(Connection::start(towards(&bob, way, &certificate)).await.unwrap());
    let taking = bob.clone();
    tokio::spawn(async move {
        while let Some(happening) = taking.next().await {
            if let Happening::Arrived(arrived) = happening {
                arrived.answer.answer(Answer::Accept);
            }
        }
    });
    alice.send(message(0)).await;
    let mut alone = Vec::new();
    for i in 0..200 {
        let began = Instant::now();
        assert_eq!(alice.send(message(i)).await.code(), 200);
        alone.push(began.elapsed());
    }
    alone.sort();
    let places = Arc::new(Semaphore::new(UNDER_WAY));
    let began = Instant::now();
    for i in 0..messages {
        let (place, alice) = (places.clone().acquire_owned().await.unwrap(), alice.clone());
        tokio::spawn(async move {
            assert_eq!(alice.send(message(i)).await, Delivery::Delivered(200));
            drop(place);
        });
    }
    let _all = places.acquire_many(UNDER_WAY as u32).await.unwrap();
    (messages as f64 / began.elapsed().as_secs_f64(), alone[alone.len() / 2])
}

struct Copy;
impl Engine for Copy {
    fn name(&self) -> &'static str {
        "copy"
    }
    fn outgoing(&self, _: &mut Context<'_>, message: &Outgoing<'_>) -> Hook<Encrypted> {
        Ok(Outcome::Done(Encrypted::new(ContentType("cipher/copy".into()), message.plain.bytes().to_vec())?))
    }
    fn incoming(&self, _: &mut Context<'_>, message: &Incoming<'_>) -> Hook<Decrypted> {
        Ok(Outcome::Done(Decrypted::new(Plaintext::new(ContentType::TEXT, message.body))))
    }
}
fn agent(connection: Connection, me: &str) -> Agent<Connection> {
    let mut machine = Machine::new(bare(me).unwrap());
    let engine = machine.install(Copy);
    machine.route(move |_| Some(engine.id()));
    let mut settings = Settings::default();
    settings.receipts = false;
    Agent::start(machine, MemoryStore::default(), connection, settings).unwrap()
}
async fn agents(messages: usize) -> f64 {
    let (bob, certificate) = config("sip:bob@sip.test");
    let bob = Connection::start(bob).await.unwrap();
    let alice = agent(Connection::start(towards(&bob, Way::Tcp, &certificate)).await.unwrap(), "sip:alice@sip.test");
    let bob = agent(bob, "sip:bob@sip.test");
    let people: Vec<_> = (0..UNDER_WAY).map(|i| bare(&format!("sip:bob{i}@sip.test")).unwrap()).collect();
    let taking = tokio::spawn(async move {
        let mut taken = 0;
        while taken < messages {
            taken += usize::from(matches!(bob.next().await.expect("closed"), AgentEvent::Message { .. }));
        }
        bob
    });
    let began = Instant::now();
    let (mut sent, mut delivered) = (0, 0);
    while delivered < messages {
        while sent < messages && sent < delivered + 2 * UNDER_WAY {
            alice
                .handle()
                .text(&people[sent % people.len()], "hello, a hundred bytes long or so, as messages are, and a few more words to get there");
            sent += 1;
        }
        match alice.next().await.expect("closed") {
            AgentEvent::Delivered { .. } => delivered += 1,
            AgentEvent::InProgress { .. } => {}
            other => panic!("{other:?}"),
        }
    }
    let rate = messages as f64 / began.elapsed().as_secs_f64();
    let bob = taking.await.unwrap();
    bob.close().await;
    alice.close().await;
    rate
}
fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn main() {
    let json = std::env::args().any(|arg| arg == "--json");
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let mut lines = Vec::new();
    for (name, way, messages) in [("tcp", Way::Tcp, 20_000), ("tls", Way::Tls, 20_000), ("udp", Way::Udp, 10_000)] {
        let runs: Vec<_> = (0..ROUNDS).map(|_| runtime.block_on(connections(way, messages))).collect();
        lines.push((name, median(runs.iter().map(|(rate, _)| *rate).collect()), "/s"));
        if way == Way::Tcp {
            lines.push(("alone", median(runs.iter().map(|(_, alone)| alone.as_secs_f64() * 1e6).collect()), "µs"));
        }
    }
    lines.push(("agents", median((0..ROUNDS).map(|_| runtime.block_on(agents(10_000))).collect()), "/s"));
    for (name, value, unit) in lines {
        let least = if matches!(name, "tcp" | "agents") { PROMISED } else { "null" };
        match json {
            true => println!(r#"{{"name":"sip/{name}","value":{value:.0},"unit":"{unit}","floor":null,"ratio":null,"least":{least}}}"#),
            false => println!("{name:8} {value:10.0} {unit}"),
        }
    }
}
