//! A toy engine with devices, sessions, requests and every outcome; and a host that keeps count.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::arithmetic_side_effects)]
mod crash;
mod failed;
mod hooks;
mod late;
mod rooms;
mod rows;
mod rules;
mod trust;

use crate::codec::{Reader, Writer};
use crate::*;
use rand_core::{TryCryptoRng, TryRng};
use std::convert::Infallible;

/// Counts: no test here hangs on what the bytes are.
pub(crate) struct Counting(pub u64);
impl TryRng for Counting {
    type Error = Infallible;
    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        self.try_next_u64().map(|n| n as u32)
    }
    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        self.0 += 1;
        Ok(self.0)
    }
    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        bytes.fill(self.try_next_u64()? as u8);
        Ok(())
    }
}
impl TryCryptoRng for Counting {}

/// One number in a row: a counter, a flag.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Number(pub u64);
impl Record for Number {
    fn encode(&self) -> Vec<u8> {
        let mut out = Writer::versioned(1);
        out.varint(self.0);
        out.into_bytes()
    }
    fn decode(bytes: &[u8]) -> Option<Self> {
        let mut input = Reader::versioned(bytes, 1)?;
        let n = Number(input.varint()?);
        input.end().map(|()| n)
    }
}
/// A device list.
#[derive(Clone)]
pub(crate) struct List(pub Vec<u32>);
impl Record for List {
    fn encode(&self) -> Vec<u8> {
        self.0.iter().flat_map(|n| n.to_le_bytes()).collect()
    }
    fn decode(bytes: &[u8]) -> Option<Self> {
        let (ids, rest) = bytes.as_chunks::<4>();
        rest.is_empty().then(|| List(ids.iter().map(|n| u32::from_le_bytes(*n)).collect()))
    }
}

/// Fetches a list, then a bundle for each device; a message has `id:counter,` for each device and the text.
#[derive(Default)]
pub(crate) struct Toy;
pub(crate) fn key_of(device: u32) -> Fingerprint {
    let mut key = [0; 32];
    key[..4].copy_from_slice(&device.to_le_bytes());
    Fingerprint(key)
}
pub(crate) fn session(device: &Device) -> RowOf<Number> {
    RowOf::device("session", device)
}
fn list(owner: &Address) -> RowOf<List> {
    RowOf::person("list", owner)
}
pub(crate) fn list_node(owner: &Address) -> Node {
    Node { owner: owner.clone(), name: "list".into(), item: None }
}
impl Engine for Toy {
    fn name(&self) -> &'static str {
        "toy"
    }
    fn wants(&self, _: Kind) -> bool {
        true
    }
    fn outgoing(&self, cx: &mut Context<'_>, message: &Outgoing<'_>) -> Hook<Encrypted> {
        match message.plain.bytes() {
            b"skip" => return Ok(Outcome::Skipped),
            b"nobody" => return Ok(Outcome::Rejected(Reason::NoEncryption.into())),
            b"unknown" => return Ok(Outcome::Rejected(Reason::DeviceListUnavailable.into())),
            b"silent" => return Ok(Outcome::Silent),
            b"panic" => panic!("a bug in the engine"),
            b"fail" => return Err(std::io::Error::other("no").into()),
            b"empty" => drop(Encrypted::new(ContentType::TEXT, Vec::new())?),
            b"forever" => {
                cx.network.ask(Request::Fetch(Node { owner: message.chat.0.clone(), name: "nothing".into(), item: None }));
            }
            b"somebody" => return Ok(Outcome::Pending(cx.network.until_completed().0)),
            _ => {}
        }
        let people = match message.to {
            Recipients::People(people) => people.clone(),
            Recipients::Device(device) => vec![device.owner.clone()],
            Recipients::Room => panic!("hooks see people"),
        };
        let mut devices = Vec::new();
        for owner in &people {
            match cx.records.get(list(owner))? {
                Some(list) => devices.extend(list.0.iter().map(|id| Device::of(owner, *id))),
                None => drop(cx.network.ask(Request::Fetch(list_node(owner)))),
            }
        }
        cx.records.warm(devices.iter().map(session))?;
        for device in &devices {
            if cx.records.get(session(device))?.is_none() {
                let item = Some(device.id.to_string());
                cx.network.ask(Request::Fetch(Node { owner: device.owner.clone(), name: "bundle".into(), item }));
            }
        }
        if let Some(pending) = cx.network.until_answered() {
            return Ok(Outcome::Pending(pending));
        }
        if devices.is_empty() {
            return Ok(Outcome::Rejected(Reason::DeviceListUnavailable.into()));
        }
        let (mut body, mut report) = (String::new(), Vec::new());
        for device in &devices {
            let DeviceId::Number(id) = device.id else { unreachable!() };
            let result = match cx.records.get(session(device))?.map(|n| n.0) {
                Some(0) | None => Err(Exclusion::NoBundle),
                Some(_) => match cx.admit(device, &key_of(id))? {
                    Admission::Excluded(why) => Err(why),
                    Admission::Admitted(admitted) => {
                        let counter = cx.records.edit(session(admitted.device()))?.unwrap();
                        body += &format!("{id}:{},", counter.0);
                        counter.0 += 1;
                        Ok(())
                    }
                },
            };
            report.push(DeviceReport { device: device.clone(), protocol: "toy:1".into(), result });
        }
        let mut encrypted = Encrypted::new(ContentType::TEXT, [body.as_bytes(), message.plain.bytes()].concat())?;
        if message.plain.bytes() == b"two" {
            encrypted = encrypted.and(ContentType::STANZA, b"<two/>".to_vec())?;
        }
        Ok(Outcome::Done(encrypted.with_report(report)))
    }
    fn incoming(&self, cx: &mut Context<'_>, message: &Incoming<'_>) -> Hook<Decrypted> {
        let text = std::str::from_utf8(message.body)?;
        let (what, rest) = text.split_once(' ').unwrap_or((text, ""));
        let device = Device::of(message.from, 7u32);
        match what {
            "seen" => {
                // `seen 5`: a message with counter 5
                let (row, n) = (RowOf::<Number>::person("seen", message.from), rest.parse()?);
                if cx.records.get(row.clone())?.is_some_and(|last| last.0 >= n) {
                    return Ok(Outcome::Silent);
                }
                cx.records.put(row, Number(n));
                let sender = match cx.sender(&device, &key_of(7), "toy:1")? {
                    Ok(sender) => sender,
                    Err(why) => return Ok(Outcome::Rejected(why)),
                };
                Ok(Outcome::Done(Decrypted::new(Plaintext::text(rest)).by(sender)))
            }
            "changed" => Ok(match cx.sender(&device, &key_of(rest.parse()?), "toy:1")? {
                Ok(sender) => Outcome::Done(Decrypted::new(Plaintext::text("ok")).by(sender)),
                Err(why) => Outcome::Rejected(why),
            }),
            "transport" => {
                cx.network.transmit(Recipients::Device(device), Kind::Other, Encrypted::new(ContentType::TEXT, b"reply".to_vec())?);
                Ok(Outcome::Silent)
            }
            "hold" => Ok(Outcome::Pending(cx.network.until_completed().0)),
            "reject" => {
                cx.records.put(RowOf::single("kept"), Number(1));
                Ok(Outcome::Rejected(Refusal::from(Reason::TooFarAhead).by(device)))
            }
            "fail" => {
                cx.records.put(RowOf::single("undone"), Number(1));
                cx.network.transmit(Recipients::Device(device), Kind::Other, Encrypted::new(ContentType::TEXT, b"never".to_vec())?);
                cx.network.ask(Request::Delete(list_node(message.from)));
                Err(std::io::Error::other("no").into())
            }
            "panic" => panic!("a bug in the engine"),
            _ => Ok(Outcome::Skipped),
        }
    }
    fn notice(&self, cx: &mut Context<'_>, notice: &Notice) -> Result<(), Halt> {
        match notice {
            Notice::Answer(_, Request::Fetch(Node { owner, name, item: None }), answer) if name == "list" => {
                let ids = answer.iter().flatten().flat_map(|item| item.payload.as_chunks::<4>().0).map(|n| u32::from_le_bytes(*n));
                cx.records.put(list(owner), List(ids.collect()));
            }
            Notice::Answer(_, Request::Fetch(Node { owner, item: Some(item), .. }), answer) => {
                let device = Device::of(owner, item.parse::<u32>()?);
                cx.records.put(session(&device), Number(answer.is_ok().into()));
            }
            Notice::Wake => {
                cx.records.put(RowOf::single("woken"), Number(cx.now.0));
            }
            _ => {}
        }
        Ok(())
    }
}

pub(crate) fn machine() -> (Machine, Installed<Toy>) {
    let mut machine = Machine::new("alice@x".into());
    let toy = machine.install(Toy);
    machine.route(move |_| Some(toy.id()));
    (machine, toy)
}
pub(crate) fn say(id: &str, chat: &str, text: &str) -> Input {
    Input::Send {
        id: id.into(),
        chat: ChatId(chat.into()),
        to: Recipients::People(vec![chat.into()]),
        kind: Kind::Text,
        plain: Plaintext::text(text),
        headers: Headers::default(),
    }
}
pub(crate) fn receive(id: &str, from: &str, kind: Kind, text: &str) -> Input {
    let (content_type, body) = (ContentType::TEXT, text.as_bytes().to_vec());
    Input::Receive {
        id: id.into(),
        chat: ChatId(from.into()),
        from: from.into(),
        sent: Time(1),
        kind,
        content_type,
        body,
        headers: Headers::default(),
        answer_by: None,
    }
}
pub(crate) fn ids(devices: &[u32]) -> Result<Vec<Item>, RequestError> {
    Ok(vec![Item { id: None, payload: devices.iter().flat_map(|n| n.to_le_bytes()).collect() }])
}
pub(crate) fn step_at(time: u64, machine: &mut Machine, store: &mut impl Store, inputs: Vec<Input>) -> Outputs {
    let mut rng = Counting(time);
    let mut step = machine.begin(Time(time), &mut rng);
    inputs.into_iter().for_each(|i| step.feed(i));
    let outputs = step.commit(store).map_err(|e| e.to_string()).unwrap();
    machine.house.check();
    outputs
}
pub(crate) fn step(machine: &mut Machine, store: &mut impl Store, inputs: Vec<Input>) -> Outputs {
    step_at(0, machine, store, inputs)
}
/// What an output is, as a word: `transmit 1/0 7:1,hello`.
pub(crate) fn word(output: &Output) -> String {
    match output {
        Output::Transmit { id, part, wire: Wire::Encrypted(body), .. } => {
            format!("transmit {id}/{part} {}", String::from_utf8_lossy(&body.body))
        }
        Output::Transmit { id, wire: Wire::Clear { plain }, .. } => format!("clear {id} {}", String::from_utf8_lossy(plain.bytes())),
        Output::Accept { id, .. } => format!("accept {id}"),
        Output::Upload { id, encryption, .. } => format!("upload {id} {}", encryption.as_ref().map_or("clear", |_| "encrypted")),
        Output::Refuse { id, status, .. } => format!("refuse {id} {}", status.code()),
        Output::Request(_, Request::Fetch(node)) => {
            format!("fetch {} {}{}", node.name, node.owner, node.item.as_deref().map_or(String::new(), |i| format!(" {i}")))
        }
        Output::Event(Event::Message { id, message, .. }) => {
            let clear = if message.in_clear() { " (clear)" } else { "" };
            format!("message {id} {}{clear}", String::from_utf8_lossy(message.plaintext().bytes()))
        }
        Output::Event(Event::Sent { id, report, .. }) => format!("sent {id} {}", report.iter().filter(|r| r.result.is_ok()).count()),
        Output::Event(Event::Waiting { id }) => format!("waiting {id}"),
        Output::Event(Event::NotSent { id, why, .. }) => format!("not-sent {id} {}", why.reason.code()),
        Output::Event(Event::NotReceived { id, why, .. }) => format!("not-received {id} {}", why.reason.code()),
        Output::Event(Event::DeviceNew { device, trust, .. }) => format!("new {device} {}", trust.code()),
        Output::Event(Event::KeyChanged { device, .. }) => format!("changed {device}"),
        other => format!("{other:?}"),
    }
}
pub(crate) fn words(outputs: Outputs) -> Vec<String> {
    outputs.iter().map(|(_, o)| word(o)).collect()
}
/// Answers what is asked, with these devices for everybody, until nothing is asked; everything else that came out.
pub(crate) fn settle(machine: &mut Machine, store: &mut impl Store, mut inputs: Vec<Input>, devices: &[u32]) -> Vec<String> {
    let mut all = Vec::new();
    while !inputs.is_empty() {
        let outputs = step(machine, store, std::mem::take(&mut inputs));
        for (_, output) in outputs {
            match output {
                Output::Request(id, Request::Fetch(Node { item: None, .. })) => inputs.push(Input::Answer(id, ids(devices))),
                Output::Request(id, _) => inputs.push(Input::Answer(id, Ok(Vec::new()))),
                other => all.push(word(&other)),
            }
        }
    }
    all
}
