//! `kill -9` at any moment, of a real process against a real server: no acknowledged message is lost, none is shown
//! twice, no message key is used twice.
//!
//! Both ends are ours, and either is killed, at random moments, the start included. `cargo xtask interop kill` kills
//! 200 times; an ordinary test run does it a few times.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use subrosa_interop::{Friends, Prosody, Subrosa, goes_on};

const ACCOUNTS: [(&str, &str); 2] = [("alice", "pw-alice"), ("bob", "pw-bob")];

/// How often is killed when nobody asked for more.
const A_FEW: u64 = 6;
const ASKED_FOR: u64 = 200;

#[test]
fn nothing_acknowledged_is_lost_shown_twice_or_encrypted_twice() {
    if !goes_on("kill", false, Subrosa::missing().or_else(Prosody::missing)) {
        return;
    }
    let asked = std::env::var("SUBROSA_INTEROP_REQUIRED").unwrap_or_default();
    let kills = if asked.split_whitespace().any(|name| name == "kill") { ASKED_FOR } else { A_FEW };
    let seed: Option<u64> = std::env::var("SUBROSA_KILL_SEED").ok().and_then(|seed| seed.parse().ok());
    let seed = seed.unwrap_or_else(|| SystemTime::now().duration_since(UNIX_EPOCH).unwrap().subsec_nanos().into());
    eprintln!("again with the same moments: SUBROSA_KILL_SEED={seed}");
    let server = Prosody::start(&ACCOUNTS, Friends::All).unwrap();
    let data = tempfile::Builder::new().prefix("subrosa-kill-").tempdir().unwrap();
    let mut random = Random(seed | 1);
    let start = |user: &str| Subrosa::start(&server, user, &format!("pw-{user}"), &data.path().join(user)).unwrap_or_else(|error| panic!("{error}"));
    let mut ends = [End::new(start("alice"), "alice"), End::new(start("bob"), "bob")];

    for round in 0..kills {
        for (side, end) in ends.iter_mut().enumerate() {
            let to = ["bob@localhost", "alice@localhost"][side];
            for number in 0..random.below(4) {
                end.write(to, &format!("{}-{round}-{number}", end.name));
            }
        }
        std::thread::sleep(Duration::from_millis(random.below(250)));
        for end in &mut ends {
            end.listen();
        }
        let victim = &mut ends[usize::try_from(random.below(2)).unwrap()];
        victim.client.kill();
        victim.listen();
        victim.client.revive().unwrap();
        victim.ask_again();
    }

    // Now everything must come to its end.
    let limit = Instant::now() + Duration::from_secs(120);
    let wanted: Vec<BTreeSet<String>> = ends.iter().map(|end| end.written.keys().cloned().collect()).collect();
    loop {
        ends.iter_mut().for_each(End::listen);
        let arrived = |end: usize| wanted[1 - end].iter().all(|id| ends[end].shown.contains_key(id));
        let acknowledged = |end: usize| wanted[end].iter().all(|id| ends[end].acknowledged.contains(id));
        if (0..2).all(|end| arrived(end) && acknowledged(end)) {
            break;
        }
        assert!(Instant::now() < limit, "after {kills} kills: {}", missing(&ends, &wanted));
        std::thread::sleep(Duration::from_millis(50));
    }
    for end in &ends {
        assert_eq!(end.wrong, [""; 0], "{}", end.name);
        assert!(wanted.iter().all(|ids| !ids.is_empty()));
    }
    let used = keys_used(&server.stanzas());
    assert!(used >= wanted[0].len() + wanted[1].len(), "{used} keys for all messages");
    eprintln!("{kills} kills, {} messages, {used} message keys", wanted[0].len() + wanted[1].len());
}

fn missing(ends: &[End; 2], wanted: &[BTreeSet<String>]) -> String {
    let of = |end: usize| {
        let lost: Vec<_> = wanted[1 - end].iter().filter(|id| !ends[end].shown.contains_key(*id)).collect();
        let open: Vec<_> = wanted[end].iter().filter(|id| !ends[end].acknowledged.contains(*id)).collect();
        let last = ends[end].last.iter().map(Value::to_string).collect::<Vec<_>>().join("\n  ");
        format!("{} was not shown {lost:?}; its {open:?} are not acknowledged; it said last:\n  {last}\n", ends[end].name)
    };
    of(0) + &of(1)
}

/// One of the two, with what it was told and what it told.
struct End {
    client: Subrosa,
    name: &'static str,
    /// By message id: to whom.
    written: BTreeMap<String, String>,
    /// Requests on their way: the message ids.
    asked: BTreeMap<u64, String>,
    acknowledged: BTreeSet<String>,
    /// How often each message was shown.
    shown: BTreeMap<String, u32>,
    wrong: Vec<String>,
    last: Vec<Value>,
}

impl End {
    fn new(client: Subrosa, name: &'static str) -> Self {
        let (written, asked, acknowledged) = Default::default();
        Self { client, name, written, asked, acknowledged, shown: BTreeMap::new(), wrong: Vec::new(), last: Vec::new() }
    }

    fn write(&mut self, to: &str, id: &str) {
        self.written.insert(id.to_owned(), to.to_owned());
        self.ask(to, id);
    }

    /// The text is the id: what is read is compared with what was written.
    fn ask(&mut self, to: &str, id: &str) {
        let request = self.client.ask("send", json!({"to": to, "text": id, "id": id, "timeout": 60})).unwrap();
        self.asked.insert(request, id.to_owned());
    }

    /// After a crash a program asks again for what it got no answer to.
    fn ask_again(&mut self) {
        self.asked.clear();
        let open: Vec<_> = self.written.iter().filter(|(id, _)| !self.acknowledged.contains(*id)).map(|(id, to)| (id.clone(), to.clone())).collect();
        open.iter().for_each(|(id, to)| self.ask(to, id));
    }

    fn listen(&mut self) {
        for line in self.client.said() {
            self.hear(&line);
            self.last.push(line);
            if self.last.len() > 12 {
                self.last.remove(0);
            }
        }
    }

    fn hear(&mut self, line: &Value) {
        let params = &line["params"];
        match line["method"].as_str() {
            Some("message") => {
                let (id, text) = (params["id"].as_str().unwrap(), params["text"].as_str().unwrap());
                let times = self.shown.entry(text.to_owned()).or_default();
                *times += 1;
                // The line may have been written in the moment before the kill: then it comes again and says so.
                if *times > 1 && params["again"] != true {
                    self.wrong.push(format!("shown {times} times: {line}"));
                }
                if id != text {
                    self.wrong.push(format!("another id than was written: {line}"));
                }
            }
            Some("undecryptable" | "key_changed" | "not_sent") => self.wrong.push(line.to_string()),
            Some(_) => {}
            None => {
                let Some(id) = line["id"].as_u64().and_then(|request| self.asked.remove(&request)) else { return };
                if line.get("result").is_some() {
                    self.acknowledged.insert(id);
                } else if line["error"]["data"]["code"] == "send.queued" {
                    let to = self.written[&id].clone();
                    self.ask(&to, &id);
                } else {
                    self.wrong.push(line.to_string());
                }
            }
        }
    }
}

/// How many message keys the stanzas were encrypted with. Fails when two different ciphertexts have the same place
/// in the same chain: they were made with the same key.
fn keys_used(stanzas: &[subrosa_interop::Seen]) -> usize {
    let mut places: BTreeMap<(String, String, Vec<u8>, u64), String> = BTreeMap::new();
    for seen in stanzas.iter().filter(|seen| seen.received && seen.xml.contains("<encrypted")) {
        let sender = seen.client.split('/').next().unwrap_or_default();
        let sid = attribute(&seen.xml, "<header", "sid").unwrap_or_default();
        for key in seen.xml.split("<key ").skip(1) {
            let rid = attribute(key, "", "rid").unwrap_or_default();
            let text = key.split_once('>').unwrap().1.split('<').next().unwrap();
            let (ratchet_key, counter) = place(&decode(text));
            let chain = (format!("{sender}/{sid}"), rid, ratchet_key, counter);
            if let Some(other) = places.insert(chain.clone(), text.to_owned()) {
                assert_eq!(other, text, "two messages with the key of {chain:?}");
            }
        }
    }
    places.len()
}

fn attribute(xml: &str, tag: &str, name: &str) -> Option<String> {
    let (_, rest) = xml.split_once(tag)?;
    let (_, rest) = rest.split_once(&format!("{name}="))?;
    let quote = rest.chars().next()?;
    rest[1..].split_once(quote).map(|(value, _)| value.to_owned())
}

/// Ratchet key and counter of an OMEMO 2 message, below its wrappings: the key exchange (fields 1 to 5, of which 5
/// is the authenticated message) and the authenticated message (1 MAC, 2 message: 1 counter, 3 ratchet key).
fn place(bytes: &[u8]) -> (Vec<u8>, u64) {
    let outer = fields(bytes);
    let authenticated = outer.get(&5).map_or(outer.clone(), |(_, inner)| fields(inner));
    let message = fields(&authenticated[&2].1);
    (message[&3].1.clone(), message.get(&1).map_or(0, |(number, _)| *number))
}

/// The fields of a protobuf message: number to varint or bytes.
fn fields(mut bytes: &[u8]) -> BTreeMap<u64, (u64, Vec<u8>)> {
    let mut found = BTreeMap::new();
    while !bytes.is_empty() {
        let tag = varint(&mut bytes);
        let number = varint(&mut bytes);
        let content = if tag & 7 == 2 {
            let (content, rest) = bytes.split_at(usize::try_from(number).unwrap());
            bytes = rest;
            content.to_vec()
        } else {
            Vec::new()
        };
        found.insert(tag >> 3, (number, content));
    }
    found
}

fn varint(bytes: &mut &[u8]) -> u64 {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (first, rest) = bytes.split_first().unwrap();
        *bytes = rest;
        value |= u64::from(first & 0x7f) << shift;
        if first & 0x80 == 0 {
            break;
        }
    }
    value
}

fn decode(base64: &str) -> Vec<u8> {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let digits = base64.bytes().filter_map(|byte| ALPHABET.iter().position(|digit| *digit == byte));
    let (mut bytes, mut bits, mut count) = (Vec::new(), 0_usize, 0);
    for digit in digits {
        bits = (bits << 6 | digit) & 0xffff;
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push(u8::try_from(bits >> count & 0xff).unwrap());
        }
    }
    bytes
}

/// xorshift64: the same moments for the same seed.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }
}

#[test]
fn two_messages_with_one_key_are_found() {
    let seen = |text: &str, key: &str| subrosa_interop::Seen {
        received: true,
        client: "alice@localhost/x".to_owned(),
        xml: format!(
            "<message><encrypted><header sid='1'><keys jid='b'><key rid='2'>{key}</key></keys></header><payload>{text}</payload></encrypted>"
        ),
    };
    // {1: mac, 2: {1: counter 7, 3: key, 4: ciphertext}}
    let one = seen("a", "CgFtEggIBxoBayIBYQ==");
    let other = seen("b", "CgFtEggIBxoBayIBYg==");
    assert_eq!(place(&decode("CgFtEggIBxoBayIBYQ==")), (b"k".to_vec(), 7));
    assert_eq!(keys_used(&[one.clone(), one.clone()]), 1);
    assert!(std::panic::catch_unwind(|| keys_used(&[one, other])).is_err());
}
