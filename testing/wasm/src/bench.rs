//! What the core costs in a browser: the ratchet beside the same bare primitives, and a message to 100 devices with its commit.
//!
//! As in the benches of the crates, floor and ours take turns within a round; a low decile of the rounds counts, because what they are
//! compared with was measured on a quiet machine. Milliseconds: a browser's clock goes in steps of a tenth, so a round is many operations.
mod fanout;
#[allow(dead_code)]
#[path = "../../../crates/ratchet/benches/ratchet/floor.rs"]
mod floor;

use floor::{Floor, PLAIN};
use std::hint::black_box;
use subrosa_ratchet::*;
use subrosa_testkit::Seeded;
use wasm_bindgen::prelude::*;

const ROUNDS: usize = 31;
type P = Omemo2;

/// The browser's clock.
fn now() -> f64 {
    crate::raw::now()
}
fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
fn undisturbed(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 10]
}
/// Milliseconds of one operation and of its floor.
fn compare<T>(batch: u32, mut floor: impl FnMut(), mut prepare: impl FnMut(u32) -> T, mut ours: impl FnMut(&mut T, u32)) -> [f64; 2] {
    let (mut times, mut floors) = (Vec::new(), Vec::new());
    for round in 0..ROUNDS + 2 {
        let mut prepared = prepare(batch);
        let start = now();
        (0..batch).for_each(|_| floor());
        let middle = now();
        (0..batch).for_each(|number| ours(&mut prepared, number));
        let end = now();
        // the first two warm up: the browser compiles again what is used much
        if round >= 2 {
            floors.push((middle - start) / f64::from(batch));
            times.push((end - middle) / f64::from(batch));
        }
    }
    [undisturbed(&mut times), undisturbed(&mut floors)]
}

/// Somebody with a bundle.
pub struct Device {
    pub identity: IdentityKeyPair,
    pub signed: KeyPair,
    pub one_time: KeyPair,
}
impl PreKeys for Device {
    fn pre_key(&self, _: PreKeyId) -> Option<KeyPair> {
        Some(self.one_time.clone())
    }
    fn signed_pre_key(&self, _: SignedPreKeyId) -> Option<KeyPair> {
        Some(self.signed.clone())
    }
}
impl Device {
    pub fn new(rng: &mut Seeded) -> Self {
        Device { identity: IdentityKeyPair::generate(rng), signed: KeyPair::generate(rng), one_time: KeyPair::generate(rng) }
    }
    fn bundle(&self, signature: &Signature) -> VerifiedBundle<P> {
        let [identity, signed, one_time] =
            [self.identity.public().to_wire::<P>(), self.signed.public().to_wire::<P>(), self.one_time.public().to_wire::<P>()];
        let bundle = UnverifiedBundle::new(&identity, (SignedPreKeyId(1), &signed), signature, Some((PreKeyId(1), &one_time)));
        bundle.and_then(UnverifiedBundle::verify).unwrap()
    }
}
fn seal(session: &mut Session<P>, rng: &mut Seeded) -> Vec<u8> {
    let mut out = Vec::new();
    session.encrypt(&[6; PLAIN], rng, &mut out).unwrap();
    out
}

/// Milliseconds of `encrypt`, `decrypt`, `session_init`, `session_receive`, each followed by its floor.
#[wasm_bindgen]
pub async fn ratchet() -> Vec<f64> {
    let (mut floor, mut rng) = (Floor::new(), Seeded::new(1));
    let (alice, bob) = (Device::new(&mut rng), Device::new(&mut rng));
    let signature = bob.identity.sign_pre_key::<P>(bob.signed.public(), &mut rng);
    let pair = |rng: &mut Seeded| {
        let mut one = Session::initiate(&alice.identity, bob.bundle(&signature), rng).unwrap();
        let first = seal(&mut one, rng);
        let mut two = Session::accept(&bob.identity, &bob, &KeyExchange::parse(&first).unwrap()).unwrap().session;
        one.decrypt(&seal(&mut two, rng)).unwrap();
        two.decrypt(&seal(&mut one, rng)).unwrap();
        (one, two)
    };
    let mut lines = Vec::new();
    let (mut one, _) = pair(&mut rng);
    let mut out = Vec::with_capacity(300);
    lines.extend(compare(
        1000,
        || floor.encrypt(),
        |_| (),
        |(), _| {
            out.clear();
            one.encrypt(black_box(&[6; PLAIN]), &mut rng, &mut out).unwrap();
            black_box(&out);
        },
    ));
    let (mut sender, mut reader) = pair(&mut rng);
    lines.extend(compare(
        1000,
        || floor.decrypt(),
        |batch| (0..batch).map(|_| seal(&mut sender, &mut rng)).collect::<Vec<_>>(),
        |messages, number| drop(black_box(reader.decrypt(&messages[number as usize]).unwrap())),
    ));
    let mut rng = Seeded::new(2);
    lines.extend(compare(
        20,
        || floor.session_init(),
        |_| (),
        |(), _| {
            out.clear();
            let mut session = Session::initiate(&alice.identity, bob.bundle(&signature), &mut rng).unwrap();
            session.encrypt(&[6; PLAIN], &mut rng, &mut out).unwrap();
            black_box(&out);
        },
    ));
    let exchange = seal(&mut Session::initiate(&alice.identity, bob.bundle(&signature), &mut rng).unwrap(), &mut rng);
    lines.extend(compare(
        20,
        || floor.session_receive(),
        |_| (),
        |(), _| {
            let exchange = KeyExchange::<P>::parse(black_box(&exchange)).unwrap();
            drop(black_box(Session::accept(&bob.identity, &bob, &exchange).unwrap()));
        },
    ));
    lines
}
/// Milliseconds of a message to 100 devices: with the commit, without, and of the commit's slowest twentieth.
#[wasm_bindgen]
pub async fn message_to_100(database: String) -> Vec<f64> {
    fanout::measure(&database).await
}
/// Milliseconds until the last 100 of 10,000 messages are there, unsealed.
#[wasm_bindgen]
pub async fn last_100_of_10_000(database: String) -> Vec<f64> {
    use subrosa_wasm::At;
    let mut store = crate::open(&database).await.unwrap();
    for n in 0..10_000 {
        store.stage("chat", At::Number(n), Some(vec![7; 300]));
    }
    store.flush().await.unwrap();
    let mut times = Vec::new();
    for _ in 0..ROUNDS {
        let start = now();
        assert_eq!(store.newest("chat", None, 100).await.unwrap().len(), 100);
        times.push(now() - start);
    }
    vec![median(&mut times)]
}
