//! What a gateway costs that runs by itself, beside a real Prosody and over SQLite on disk:
//!
//! - `idle_account`: its memory for an account that is logged in, has an XMPP session over TLS and one socket: 1,000 of them;
//! - `browser_to_browser`: from a frame on one socket of an account to the event on another one, with all those accounts there;
//! - `copies`: accounts that have two browsers each write to each other as fast as they are let: messages a second until all are in the
//!   archive and in the senders' other browsers;
//! - `messages_a_core`: the same until all are, by way of XMPP, in the recipients' archive and both their browsers, for each second that the
//!   gateway computes; `messages_prosody`: for each second of the clock, which is up to Prosody.
//!
//! `cargo bench -p subrosa-gateway --bench gateway [-- --json]`
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::arithmetic_side_effects, clippy::panic, missing_docs)]
#[path = "../tests/common/mod.rs"]
mod common;

use common::Browser;
use futures_util::stream::{self, SplitSink, SplitStream};
use futures_util::{SinkExt as _, StreamExt as _};
use std::time::{Duration, Instant};
use subrosa_interop::{Friends, Gateway, GatewayOptions, Prosody};
use subrosa_web_api::socket::{Body, Event, FromGateway, ToGateway};
use subrosa_web_api::{Kind, decode, encode};
use tokio_tungstenite::tungstenite::Message;

const ACCOUNTS: usize = 1000;
/// Logins at once.
const AT_ONCE: usize = 16;
const ROUNDS: usize = 1000;
/// Accounts that write, and how much each.
const WRITERS: usize = 50;
const EACH: usize = 200;

/// A line of the table.
struct Row {
    name: &'static str,
    value: f64,
    unit: &'static str,
    /// What it may be at most.
    limit: Option<f64>,
    /// What it has to be at least.
    least: Option<f64>,
    /// For people.
    note: String,
}
impl Row {
    fn print(&self, json: bool) {
        let Row { name, value, unit, limit, least, note } = self;
        if json {
            let number = |n: &Option<f64>| n.map_or("null".into(), |n| n.to_string());
            let (limit, least) = (number(limit), number(least));
            println!(r#"{{"name":"gateway/{name}","value":{value:.2},"unit":"{unit}","floor":null,"ratio":null,"limit":{limit},"least":{least}}}"#);
        } else {
            let bound = limit.map(|n| format!("at most {n}")).or(least.map(|n| format!("at least {n}"))).unwrap_or_default();
            println!("{name:<24} {value:>9.2} {unit:<4} {bound:<15} {note}");
        }
    }
}

fn user(n: usize) -> String {
    format!("u{n}@localhost")
}
/// Looks like a message to one or two devices: base64, 400 to 800 bytes, no two the same.
fn body(n: usize) -> Vec<u8> {
    let mut state = n as u64 + 1;
    let mut text = String::from("<encrypted xmlns='urn:xmpp:omemo:2'><payload>");
    let end = 400 + n * 37 % 390;
    while text.len() < end {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        text.push_str(&format!("{state:016x}"));
    }
    text.push_str("</payload></encrypted>");
    text.into_bytes()
}
fn message(id: String, to: String, n: usize) -> ToGateway {
    ToGateway::Send { id, part: 0, chat: to.clone(), to, kind: Kind::Text, body: Body::Encrypted(body(n)), made: 0 }
}
fn seconds(time: Option<Duration>) -> f64 {
    time.map_or(0.0, |time| time.as_secs_f64())
}

/// Everybody comes: one socket each.
async fn idle(gateway: &Gateway, prosody: &Prosody, rows: &mut Vec<Row>) -> Vec<Browser> {
    let before = gateway.memory().unwrap();
    let start = Instant::now();
    let come = |n| async move { Browser::online(gateway, &user(n), "pw").await };
    let browsers: Vec<Browser> = stream::iter(0..ACCOUNTS).map(come).buffer_unordered(AT_ONCE).collect().await;
    let took = start.elapsed();
    tokio::time::sleep(Duration::from_secs(3)).await;
    let each = (gateway.memory().unwrap() - before) as f64 / 1000.0 / ACCOUNTS as f64;
    let note = format!(
        "{ACCOUNTS} accounts; {:.1} MB before; all there after {:.0} s, of which the gateway computed {:.1} s and Prosody {:.1} s",
        before as f64 / 1e6,
        took.as_secs_f64(),
        seconds(gateway.cpu()),
        seconds(prosody.cpu())
    );
    rows.push(Row { name: "idle_account", value: each, unit: "kB", limit: Some(100.0), least: None, note });
    browsers
}

/// From one browser of an account to another.
async fn copy(gateway: &Gateway, browsers: &mut [Browser], rows: &mut Vec<Row>) {
    let first = &mut browsers[0];
    let to = first.jid.replace('u', "nobody-");
    let mut second = Browser::online(gateway, &first.jid.clone(), "pw").await;
    let mut times = Vec::new();
    for n in 0..ROUNDS + 50 {
        let id = format!("copy-{n}");
        let frame = message(id.clone(), to.clone(), n);
        let start = Instant::now();
        first.send(&frame).await;
        second.message(&id).await;
        times.push(start.elapsed().as_secs_f64() * 1e3);
        first.accepted(&id).await;
    }
    times.drain(..50);
    times.sort_by(f64::total_cmp);
    let [median, p99] = [ROUNDS / 2, ROUNDS * 99 / 100].map(|n| times[n]);
    let note = format!("p99 {p99:.1} ms; stored on disk in between");
    rows.push(Row { name: "browser_to_browser", value: median, unit: "ms", limit: Some(5.0), least: None, note });
    rows.push(Row { name: "browser_to_browser_p99", value: p99, unit: "ms", limit: None, least: None, note: String::new() });
}

type Ws = tokio_tungstenite::WebSocketStream<tokio_tungstenite::MaybeTlsStream<tokio::net::TcpStream>>;

/// Writes all it has to write, as fast as it is taken.
async fn write(mut socket: SplitSink<Ws, Message>, from: usize) {
    for n in 0..EACH {
        let frame = message(format!("load-{from}-{n}"), user((from + 1) % WRITERS), from * EACH + n);
        socket.send(Message::binary(encode(&frame))).await.unwrap();
    }
    std::future::pending::<()>().await; // it stays open
}
/// When it had so many messages of ours, and so many of the contact's.
async fn read(socket: &mut SplitStream<Ws>, me: String) -> (Instant, Instant) {
    let (mut own, mut theirs) = (0, 0);
    let (mut own_at, mut theirs_at) = (Instant::now(), Instant::now());
    while own < EACH || theirs < EACH {
        let Some(Ok(message)) = socket.next().await else { panic!("a socket was closed") };
        let Message::Binary(bytes) = message else { continue };
        match decode(&bytes) {
            Some(FromGateway::Event { event: Event::Message(message), .. }) if message.id.starts_with("load-") => {
                let (count, at) = if message.from == me { (&mut own, &mut own_at) } else { (&mut theirs, &mut theirs_at) };
                *count += 1;
                *at = Instant::now();
            }
            Some(FromGateway::Rejected { why, .. }) => panic!("{why:?}"),
            _ => {}
        }
    }
    (own_at, theirs_at)
}
/// Many accounts with two browsers each.
async fn load(gateway: &Gateway, prosody: &Prosody, browsers: Vec<Browser>, rows: &mut Vec<Row>) {
    let mut readers = Vec::new();
    let mut writers = Vec::new();
    for mut first in browsers.into_iter().filter(|b| b.jid[1..b.jid.len() - 10].parse::<usize>().unwrap() < WRITERS) {
        let mut second = Browser::online(gateway, &first.jid.clone(), "pw").await;
        let (sink, stream) = first.ws.take().unwrap().split();
        let number = first.jid[1..first.jid.len() - 10].parse::<usize>().unwrap();
        let (_, other) = second.ws.take().unwrap().split();
        writers.push((sink, number));
        readers.extend([(stream, first.jid.clone()), (other, second.jid)]);
    }
    let cpu = [seconds(gateway.cpu()), seconds(prosody.cpu())];
    let start = Instant::now();
    let writers: Vec<_> = writers.into_iter().map(|(sink, number)| tokio::spawn(write(sink, number))).collect();
    let readers: Vec<_> = readers.into_iter().map(|(mut stream, me)| tokio::spawn(async move { read(&mut stream, me).await })).collect();
    let (mut copied, mut arrived) = (start, start);
    for reader in readers {
        let (own, theirs) = reader.await.unwrap();
        copied = copied.max(own);
        arrived = arrived.max(theirs);
    }
    writers.iter().for_each(|writer| writer.abort());
    let total = (WRITERS * EACH) as f64;
    let [copied, arrived] = [copied, arrived].map(|at| (at - start).as_secs_f64());
    let spent = [seconds(gateway.cpu()) - cpu[0], seconds(prosody.cpu()) - cpu[1]];
    let note = format!("{WRITERS} accounts × {EACH} messages");
    rows.push(Row { name: "copies", value: total / copied, unit: "/s", limit: None, least: Some(1000.0), note });
    rows.push(Row { name: "messages_a_core", value: total / spent[0], unit: "/s", limit: None, least: Some(1000.0), note: String::new() });
    let note = format!("in {arrived:.1} s the gateway computed {:.1} s, Prosody {:.1} s", spent[0], spent[1]);
    rows.push(Row { name: "messages_prosody", value: total / arrived, unit: "/s", limit: None, least: None, note });
}

fn main() {
    let json = std::env::args().any(|a| a == "--json");
    if let Some(missing) = Prosody::missing() {
        return eprintln!("skipped: {missing}");
    }
    let names: Vec<String> = (0..ACCOUNTS).map(|n| format!("u{n}")).collect();
    let accounts: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "pw")).collect();
    let prosody = Prosody::start(&accounts, Friends::None).unwrap();
    let extra = "[limits]\nlogins_per_minute = 1000000\nframes_per_second = 1000000\nframes_burst = 1000000\n".to_owned();
    let program = Some(env!("CARGO_BIN_EXE_subrosa-gateway").into());
    let gateway = Gateway::start_with(&prosody, GatewayOptions { program, extra, ..GatewayOptions::default() }).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let mut rows = Vec::new();
    runtime.block_on(async {
        let mut browsers = idle(&gateway, &prosody, &mut rows).await;
        copy(&gateway, &mut browsers, &mut rows).await;
        load(&gateway, &prosody, browsers, &mut rows).await;
    });
    rows.iter().for_each(|row| row.print(json));
}
