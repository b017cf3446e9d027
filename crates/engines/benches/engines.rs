//! What a hook costs over calling the cipher directly: a message of 100 bytes through the machine, beside the same bytes through the
//! cipher alone: `cargo bench -p subrosa-engines --bench engines [-- --json]`.
//!
//! Measured by hand, not by criterion, as the house is (see the bench of `subrosa-omemo`): both sides take turns within a round (who
//! begins changes), and what counts is a low decile of the times of each. A round is [`STEPS`] steps with [`MESSAGES`] messages each, as a busy host feeds them: from the
//! input that is fed to the outputs that are released, with the rows of what is owed made for the store, and what was owed before
//! acknowledged. `single_…` is one message a step. `chunk_64k` is a chunk of a file through the cipher that an engine made.
#![allow(missing_docs, clippy::unwrap_used, clippy::indexing_slicing, clippy::arithmetic_side_effects)]
use aes_gcm::aead::{AeadInOut, KeyInit};
use aes_gcm::{Aes256Gcm, aead::inout::InOutBuf};
use getrandom::{SysRng, rand_core::UnwrapErr};
use std::hint::black_box;
use std::time::Instant;
use subrosa_engine::*;
use subrosa_engines::{PresharedAead, XOR_SAMPLE_KEY, Xor};
use subrosa_files::gcm::Encryptor;

const ROUNDS: usize = 601;
const STEPS: usize = 20;
const MESSAGES: usize = 64;
const TEXT: [u8; 100] = [b'a'; 100];
const BOB: &str = "sip:bob@example.org";

/// Takes the batch and throws it away: what a disk costs is measured with the store.
struct Null;
impl Store for Null {
    type Error = std::convert::Infallible;
    fn load(&mut self, keys: &[Key]) -> Result<Vec<Option<Vec<u8>>>, Self::Error> {
        Ok(vec![None; keys.len()])
    }
    fn commit(&mut self, batch: &Batch) -> Result<(), Self::Error> {
        black_box(batch);
        Ok(())
    }
}

struct Host {
    machine: Machine,
    done: Vec<OutputId>,
    ids: Vec<MessageId>,
}
impl Host {
    fn new(engine: impl Engine) -> Self {
        let mut machine = Machine::new("sip:alice@example.org".into());
        let engine = machine.install(engine);
        machine.route(move |_| Some(engine.id()));
        let ids = (0..MESSAGES).map(|n| MessageId(format!("message-{n}").into())).collect();
        Host { machine, done: Vec::new(), ids }
    }
    /// A step with these; nanoseconds for each, the making of the inputs aside.
    fn step(&mut self, inputs: Vec<Input>) -> f64 {
        let (mut rng, messages) = (UnwrapErr(SysRng), inputs.len());
        let start = Instant::now();
        let mut step = self.machine.begin(Time(0), &mut rng);
        self.done.drain(..).for_each(|id| step.feed(Input::Done(id)));
        inputs.into_iter().for_each(|input| step.feed(input));
        let outputs = step.commit(&mut Null).unwrap();
        let time = start.elapsed().as_nanos() as f64 / messages as f64;
        self.done.extend(outputs.iter().filter(|(_, output)| output.is_owed()).map(|(id, _)| *id));
        assert!(self.done.len() >= messages);
        time
    }
    fn sends(&self, messages: usize) -> Vec<Input> {
        let send = |id: &MessageId| Input::Send {
            id: id.clone(),
            chat: ChatId(BOB.into()),
            to: Recipients::People(vec![BOB.into()]),
            kind: Kind::Text,
            plain: Plaintext::new(ContentType::TEXT, TEXT),
            headers: Headers::default(),
        };
        self.ids[..messages].iter().map(send).collect()
    }
    fn receives(&self, messages: usize) -> Vec<Input> {
        let receive = |id: &MessageId| Input::Receive {
            id: id.clone(),
            chat: ChatId(BOB.into()),
            from: BOB.into(),
            sent: Time(0),
            kind: Kind::Text,
            content_type: ContentType("cipher/xor".into()),
            body: TEXT.to_vec(),
            headers: Headers::default(),
            answer_by: None,
        };
        self.ids[..messages].iter().map(receive).collect()
    }
}

fn xor(bytes: &[u8]) -> Vec<u8> {
    bytes.iter().zip(XOR_SAMPLE_KEY.iter().cycle()).map(|(b, k)| b ^ k).collect()
}
fn undisturbed(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 10]
}

struct Line {
    name: &'static str,
    value: f64,
    floor: f64,
    limit: Option<f64>,
}
/// Nanoseconds a message that `ours` takes more than the cipher.
fn added(name: &'static str, limit: Option<f64>, mut cipher: impl FnMut(), mut ours: impl FnMut() -> f64) -> Line {
    let (mut times, mut floors) = (Vec::new(), Vec::new());
    let mut floor = || {
        let start = Instant::now();
        (0..STEPS * MESSAGES).for_each(|_| cipher());
        start.elapsed().as_nanos() as f64 / (STEPS * MESSAGES) as f64
    };
    let mut hook = || (0..STEPS).map(|_| ours()).sum::<f64>() / STEPS as f64;
    for round in 0..ROUNDS + 2 {
        let (floor, ours) = if round % 2 == 0 {
            let floor = floor();
            (floor, hook())
        } else {
            let ours = hook();
            (floor(), ours)
        };
        // the first two warm up
        if round >= 2 {
            times.push(ours);
            floors.push(floor);
        }
    }
    let (time, floor) = (undisturbed(&mut times), undisturbed(&mut floors));
    Line { name, value: time - floor, floor, limit }
}
/// Nanoseconds of a chunk through the cipher of a transfer, and through the stream that is in it.
fn chunk() -> (f64, f64) {
    let file = FileInfo { name: "f".into(), content_type: "text/plain".into(), size: u64::MAX, tag: None };
    let (engine, key) = (PresharedAead::new(&[7; 32]), FileKey(vec![7; 44].into()));
    let (mut cipher, mut stream) = (engine.upload(&file, &key).unwrap(), Encryptor::new(&[7; 32], &[7; 12], &[]).unwrap());
    let (input, mut output, mut other, mut offset) = (vec![1; 65_536], Vec::with_capacity(65_536), Vec::with_capacity(65_536), 0);
    let (mut times, mut floors) = (Vec::new(), Vec::new());
    let clock = |f: &mut dyn FnMut()| {
        let start = Instant::now();
        (0..20).for_each(|_| f());
        start.elapsed().as_nanos() as f64 / 20.0
    };
    for round in 0..301 {
        let mut floor = || {
            other.clear();
            other.extend_from_slice(&input);
            stream.update(black_box(&mut other)).unwrap();
        };
        let mut ours = || {
            output.clear();
            offset += cipher.chunk(offset, &input, black_box(&mut output)).unwrap() as u64;
        };
        let (floor, ours) = if round % 2 == 0 {
            let floor = clock(&mut floor);
            (floor, clock(&mut ours))
        } else {
            let ours = clock(&mut ours);
            (clock(&mut floor), ours)
        };
        times.push(ours);
        floors.push(floor);
    }
    (undisturbed(&mut times), undisturbed(&mut floors))
}

fn main() {
    let json = std::env::args().any(|argument| argument == "--json");
    let (mut sender, mut receiver, mut sealer) = (Host::new(Xor::new()), Host::new(Xor::new()), Host::new(PresharedAead::new(&[7; 32])));
    let (aes, mut rng) = (Aes256Gcm::new(&[7; 32].into()), UnwrapErr(SysRng));
    let one_xor = || drop(black_box(xor(black_box(&TEXT))));
    let one_aes = || {
        let (mut nonce, mut text) = ([0; 12], TEXT.to_vec());
        getrandom::rand_core::Rng::fill_bytes(&mut rng, &mut nonce);
        black_box(aes.encrypt_inout_detached(&nonce.into(), &[], InOutBuf::from(text.as_mut_slice())).unwrap());
    };
    let lines = [
        added("hook_outgoing", Some(1000.0), one_xor, || sender.step(sender.sends(MESSAGES))),
        added("hook_incoming", Some(1000.0), one_xor, || receiver.step(receiver.receives(MESSAGES))),
        added("hook_outgoing_aead", None, one_aes, || sealer.step(sealer.sends(MESSAGES))),
        added("single_outgoing", None, one_xor, || sender.step(sender.sends(1))),
        added("single_incoming", None, one_xor, || receiver.step(receiver.receives(1))),
    ];
    let (chunk, floor) = chunk();
    let ratio = chunk / floor;
    if json {
        for Line { name, value, limit, .. } in &lines {
            let limit = limit.map_or("null".into(), |limit| limit.to_string());
            println!(r#"{{"name":"engines/{name}","value":{value:.0},"unit":"ns","floor":null,"ratio":null,"limit":{limit}}}"#);
        }
        println!(r#"{{"name":"engines/chunk_64k","value":{chunk:.0},"unit":"ns","floor":{floor:.0},"ratio":{ratio:.3},"limit":1.02}}"#);
        return;
    }
    println!("{:<24}{:>12}{:>14}{:>10}", "", "added", "the cipher", "at most");
    for Line { name, value, floor, limit } in &lines {
        let verdict = if limit.is_some_and(|limit| *value > limit) { "  missed" } else { "" };
        let limit = limit.map_or(String::new(), |limit| format!("{limit:.0} ns"));
        println!("{name:<24}{value:>9.0} ns{floor:>11.0} ns{limit:>10}{verdict}");
    }
    println!("{:<24}{:>9.0} ns of {chunk:.0} ns: {ratio:.3}, at most 1.02", "chunk_64k", chunk - floor);
}
