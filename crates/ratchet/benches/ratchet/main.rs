//! The ratchet beside its floor: `cargo bench -p subrosa-ratchet --bench ratchet -- [--json]`.
//!
//! Measured by hand, not by criterion: what counts are ratios, and on a shared machine two measurements minutes apart
//! differ by more than the margins. So floor and ratchet take turns within a round (who begins changes), a round gives
//! one ratio, and the table shows the median of the ratios and of the times. Preparation (new sessions, messages to
//! read) is outside the clock.
#![allow(missing_docs, clippy::unwrap_used, clippy::indexing_slicing, clippy::arithmetic_side_effects)]
mod floor;

use floor::{Floor, PLAIN};
use getrandom::{SysRng, rand_core::UnwrapErr};
use std::collections::HashMap;
use std::hint::black_box;
use std::time::{Duration, Instant};
use subrosa_ratchet::*;

const ROUNDS: usize = 31;
type P = Omemo2;

/// Random numbers at no cost, for both sides of the comparison: the floor has none.
struct Cheap(u64);
impl rand_core::TryRng for Cheap {
    type Error = core::convert::Infallible;
    fn try_next_u32(&mut self) -> Result<u32, Self::Error> {
        self.try_next_u64().map(|number| number as u32)
    }
    fn try_next_u64(&mut self) -> Result<u64, Self::Error> {
        self.0 = self.0.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        Ok(self.0 ^ self.0 >> 29)
    }
    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Self::Error> {
        for chunk in bytes.chunks_mut(8) {
            let number = self.try_next_u64()?.to_le_bytes();
            chunk.copy_from_slice(&number[..chunk.len()]);
        }
        Ok(())
    }
}
impl rand_core::TryCryptoRng for Cheap {}

struct Device {
    identity: IdentityKeyPair,
    signed: KeyPair,
    one_time: HashMap<u32, KeyPair>,
}
impl PreKeys for Device {
    fn pre_key(&self, id: PreKeyId) -> Option<KeyPair> {
        self.one_time.get(&id.0).cloned()
    }
    fn signed_pre_key(&self, _: SignedPreKeyId) -> Option<KeyPair> {
        Some(self.signed.clone())
    }
}
struct Wire {
    identity: Vec<u8>,
    signed: Vec<u8>,
    signature: Signature,
    one_time: Vec<u8>,
}
impl Wire {
    fn bundle(&self) -> VerifiedBundle<P> {
        UnverifiedBundle::new(&self.identity, (SignedPreKeyId(1), &self.signed), &self.signature, Some((PreKeyId(1), &self.one_time)))
            .and_then(UnverifiedBundle::verify)
            .unwrap()
    }
}
impl Device {
    fn new() -> Self {
        let mut rng = UnwrapErr(SysRng);
        let one_time = (1..).zip(KeyPair::generate_many(2, &mut rng)).collect();
        Device { identity: IdentityKeyPair::generate(&mut rng), signed: KeyPair::generate(&mut rng), one_time }
    }
    fn wire(&self) -> Wire {
        Wire {
            identity: self.identity.public().to_wire::<P>().to_vec(),
            signed: self.signed.public().to_wire::<P>().to_vec(),
            signature: self.identity.sign_pre_key::<P>(self.signed.public(), &mut UnwrapErr(SysRng)),
            one_time: self.one_time[&1].public().to_wire::<P>().to_vec(),
        }
    }
}
fn seal(session: &mut Session<P>) -> Vec<u8> {
    let mut out = Vec::new();
    session.encrypt(&[6; PLAIN], &mut Cheap(1), &mut out).unwrap();
    out
}
fn pair() -> (Session<P>, Session<P>) {
    let (alice, bob) = (Device::new(), Device::new());
    let mut one = Session::initiate(&alice.identity, bob.wire().bundle(), &mut UnwrapErr(SysRng)).unwrap();
    let first = seal(&mut one);
    let mut two = Session::accept(&bob.identity, &bob, &KeyExchange::parse(&first).unwrap()).unwrap().session;
    one.decrypt(&seal(&mut two)).unwrap();
    two.decrypt(&seal(&mut one)).unwrap();
    (one, two)
}

struct Line {
    name: &'static str,
    value: f64,
    floor: f64,
    ratio: f64,
    limit: f64,
}
fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
/// `batch` operations a round each. `prepare` makes what one round of ours needs.
fn compare<T>(
    name: &'static str,
    limit: f64,
    batch: u32,
    mut floor: impl FnMut(),
    mut prepare: impl FnMut(u32) -> T,
    mut ours: impl FnMut(&mut T, u32),
) -> Line {
    let (mut times, mut floors, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..ROUNDS + 2 {
        let mut prepared = prepare(batch);
        let mut run_floor = || {
            let start = Instant::now();
            (0..batch).for_each(|_| floor());
            start.elapsed()
        };
        let mut run_ours = || {
            let start = Instant::now();
            (0..batch).for_each(|number| ours(&mut prepared, number));
            start.elapsed()
        };
        let (floor, ours) = if round % 2 == 0 {
            let floor = run_floor();
            (floor, run_ours())
        } else {
            let ours = run_ours();
            (run_floor(), ours)
        };
        // the first two warm up
        if round >= 2 {
            let nanoseconds = |time: Duration| time.as_nanos() as f64 / f64::from(batch);
            times.push(nanoseconds(ours));
            floors.push(nanoseconds(floor));
            ratios.push(ours.as_nanos() as f64 / floor.as_nanos() as f64);
        }
    }
    Line { name, value: median(&mut times), floor: median(&mut floors), ratio: median(&mut ratios), limit }
}

fn main() {
    let json = std::env::args().any(|argument| argument == "--json");
    let mut floor = Floor::new();
    let mut lines = Vec::new();
    let mut rng = Cheap(7);

    let (mut one, two) = pair();
    lines.push(compare(
        "encrypt",
        1.15,
        500,
        || floor.encrypt(),
        |_| Vec::with_capacity(300),
        |out, _| {
            out.clear();
            one.encrypt(black_box(&[6; PLAIN]), &mut rng, out).unwrap();
            black_box(&out);
        },
    ));
    let mut stored = one.to_bytes();
    lines.push(compare(
        "encrypt_bytes",
        1.6,
        500,
        || floor.encrypt(),
        |_| Vec::with_capacity(300),
        |out, _| {
            out.clear();
            let mut session = Session::<P>::from_bytes(black_box(&stored)).unwrap();
            session.encrypt(black_box(&[6; PLAIN]), &mut rng, out).unwrap();
            stored = session.to_bytes();
            black_box(&out);
        },
    ));
    let (mut sender, mut reader) = pair();
    lines.push(compare(
        "decrypt",
        1.2,
        500,
        || floor.decrypt(),
        |batch| (0..batch).map(|_| seal(&mut sender)).collect(),
        |messages: &mut Vec<Vec<u8>>, number| {
            black_box(reader.decrypt(&messages[number as usize]).unwrap());
        },
    ));
    let (alice, bob) = (Device::new(), Device::new());
    let wire = bob.wire();
    lines.push(compare(
        "session_init",
        1.05,
        4,
        || floor.session_init(),
        |_| Vec::with_capacity(300),
        |out, _| {
            out.clear();
            let mut session = Session::initiate(&alice.identity, wire.bundle(), &mut rng).unwrap();
            session.encrypt(&[6; PLAIN], &mut rng, out).unwrap();
            black_box(&out);
        },
    ));
    let exchange = seal(&mut Session::initiate(&alice.identity, wire.bundle(), &mut UnwrapErr(SysRng)).unwrap());
    lines.push(compare(
        "session_receive",
        1.1,
        4,
        || floor.session_receive(),
        |_| (),
        |(), _| {
            let exchange = KeyExchange::<P>::parse(black_box(&exchange)).unwrap();
            let _ = black_box(Session::accept(&bob.identity, &bob, &exchange).unwrap());
        },
    ));
    let (mut left, mut right) = pair();
    let mut out = Vec::with_capacity(300);
    // one message a turn: each side reads under a new key and answers under a new one
    lines.push(compare(
        "ping_pong",
        1.05,
        8,
        || floor.ping_pong(),
        |_| (),
        |(), _| {
            out.clear();
            left.encrypt(&[6; PLAIN], &mut rng, &mut out).unwrap();
            black_box(right.decrypt(&out).unwrap());
            std::mem::swap(&mut left, &mut right);
        },
    ));
    lines.push(compare(
        "keys_102",
        0.85,
        1,
        || floor.keys_102(),
        |_| (),
        |(), _| {
            let identity = IdentityKeyPair::generate(&mut rng);
            let signed = KeyPair::generate(&mut rng);
            black_box(identity.sign_pre_key::<P>(signed.public(), &mut rng));
            black_box(KeyPair::generate_many(100, &mut rng));
        },
    ));
    let (mut ahead, behind) = pair();
    let late: Vec<Vec<u8>> = (0..1000).map(|_| seal(&mut ahead)).collect();
    let newest = seal(&mut ahead);
    lines.push(compare(
        "skip_1000",
        1.3,
        1,
        || floor.skip_1000(),
        |_| behind.clone(),
        |session, _| {
            black_box(session.decrypt(&newest).unwrap());
        },
    ));
    let mut full = behind.clone();
    full.decrypt(&newest).unwrap();
    lines.push(compare(
        "late_message",
        2.0,
        100,
        || floor.late_message(),
        |_| full.clone(),
        |session, number| {
            // from all over the table
            black_box(session.decrypt(&late[(number as usize * 619) % 1000]).unwrap());
        },
    ));
    let mut devices: Vec<Session<P>> = (0..1000).map(|_| two.clone()).collect();
    let mut buffers: Vec<Vec<u8>> = (0..1000).map(|_| Vec::with_capacity(300)).collect();
    for device in &mut devices {
        seal(device);
    }
    lines.push(compare(
        "fanout_1000",
        1.2,
        1,
        || floor.fanout_1000(),
        |_| (),
        |(), _| {
            for (device, out) in devices.iter_mut().zip(&mut buffers) {
                out.clear();
                device.encrypt(black_box(&[6; PLAIN]), &mut rng, out).unwrap();
            }
            black_box(&buffers);
        },
    ));

    let fresh = Session::<P>::initiate(&alice.identity, wire.bundle(), &mut rng).unwrap();
    let accepted = Session::accept(&bob.identity, &bob, &KeyExchange::<P>::parse(&exchange).unwrap()).unwrap().session;
    let sizes = [
        ("session_stored_initiator", fresh.to_bytes().len(), Some(300)),
        ("session_stored_acceptor", accepted.to_bytes().len(), Some(300)),
        ("session_stored_established", one.to_bytes().len(), None),
        ("session_stored_1000_skipped", full.to_bytes().len(), None),
        ("session_memory", size_of::<Session<P>>(), Some(600)),
    ];
    if json {
        for Line { name, value, floor, ratio, .. } in &lines {
            println!(r#"{{"name":"ratchet/{name}","value":{value:.0},"unit":"ns","floor":{floor:.0},"ratio":{ratio:.3}}}"#);
        }
        for (name, bytes, limit) in sizes {
            let limit = limit.map_or("null".to_owned(), |limit: usize| limit.to_string());
            println!(r#"{{"name":"ratchet/{name}","value":{bytes},"unit":"B","floor":null,"ratio":null,"limit":{limit}}}"#);
        }
        return;
    }
    println!("{:<28}{:>12}{:>12}{:>8}{:>8}", "", "ours", "floor", "ratio", "at most");
    for Line { name, value, floor, ratio, limit } in &lines {
        let verdict = if ratio > limit { "  missed" } else { "" };
        println!("{name:<28}{:>12}{:>12}{ratio:>8.2}{limit:>8.2}{verdict}", time(*value), time(*floor));
    }
    for (name, bytes, limit) in sizes {
        println!("{name:<28}{:>10} B{:>20}{}", bytes, "", limit.map_or(String::new(), |limit| format!("{limit:>6} B")));
    }
}
fn time(nanoseconds: f64) -> String {
    if nanoseconds < 10_000.0 { format!("{nanoseconds:.0} ns") } else { format!("{:.1} µs", nanoseconds / 1000.0) }
}
