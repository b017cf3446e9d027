//! Our own device: identity, signed prekeys, one-time prekeys, and how far they are published.
use crate::wire::bundle::Bundle;
use crate::wire::{MAX_ID, Version};
use rand_core::CryptoRng;
use subrosa_engine::codec::{Reader, Writer};
use subrosa_engine::{Record, RequestId, Time};
use subrosa_ratchet::{IdentityKeyPair, KeyPair, Legacy, Omemo2, PreKeyId, PreKeys, Signature, SignedPreKeyId};

/// One-time prekeys in a bundle (XEP-0384 §4.2: "around 100").
pub(crate) const POOL: usize = 100;
/// Used prekeys kept while old messages are being read.
const MAX_USED: usize = 400;

/// A signed prekey serves both versions; each signs it in its own form.
#[derive(Clone)]
pub(crate) struct SignedPreKey {
    pub id: u32,
    pub pair: KeyPair,
    pub signatures: [Signature; 2],
    pub made: Time,
}
/// This device.
#[derive(Clone)]
pub(crate) struct Account {
    pub identity: IdentityKeyPair,
    /// 1…2³¹−1, not taken by another device of the account when it was drawn.
    pub device: u32,
    pub signed: SignedPreKey,
    /// Kept one rotation period for messages that are late (XEP-0384 §4.2).
    pub previous: Option<SignedPreKey>,
    /// Other devices that stood on the account when we joined and whose keys we have not seen yet: trusted on joining.
    pub adopt: Vec<u32>,
    /// Other devices that came later and whose keys we have not seen yet: shown, so that a person can approve them.
    pub show: Vec<u32>,
    /// `logout`: nothing is published any more.
    pub leaving: bool,
}
impl SignedPreKey {
    pub fn generate(identity: &IdentityKeyPair, id: u32, now: Time, rng: &mut dyn CryptoRng) -> Self {
        let pair = KeyPair::generate(rng);
        let signatures = [identity.sign_pre_key::<Omemo2>(pair.public(), rng), identity.sign_pre_key::<Legacy>(pair.public(), rng)];
        SignedPreKey { id, pair, signatures, made: now }
    }
    fn write(&self, out: &mut Writer) {
        let [omemo2, legacy] = &self.signatures;
        out.u32(self.id).raw(self.pair.to_bytes().as_slice()).raw(omemo2).raw(legacy).u64(self.made.0);
    }
    fn read(input: &mut Reader<'_>) -> Option<Self> {
        Some(SignedPreKey {
            id: input.u32()?,
            pair: KeyPair::from_bytes(input.raw(KeyPair::STORED)?).ok()?,
            signatures: [input.array()?, input.array()?],
            made: Time(input.u64()?),
        })
    }
}
impl Account {
    /// A new identity under this device id.
    pub fn generate(device: u32, adopt: Vec<u32>, now: Time, rng: &mut dyn CryptoRng) -> Self {
        let identity = IdentityKeyPair::generate(rng);
        let number = some_id(rng);
        Account { adopt, ..Account::of(identity, device, number, now, rng) }
    }
    /// Of an identity, with a new signed prekey of this number.
    pub fn of(identity: IdentityKeyPair, device: u32, number: u32, now: Time, rng: &mut dyn CryptoRng) -> Self {
        let signed = SignedPreKey::generate(&identity, number, now, rng);
        Account { identity, device, signed, previous: None, adopt: Vec::new(), show: Vec::new(), leaving: false }
    }
    /// A new signed prekey in the place of the current one.
    pub fn rotate(&mut self, now: Time, rng: &mut dyn CryptoRng) {
        self.rotate_above(None, now, rng);
    }
    /// The same with a number above one that was published and is not known here.
    pub fn rotate_above(&mut self, published: Option<u32>, now: Time, rng: &mut dyn CryptoRng) {
        let last = published.filter(|id| later(*id, self.signed.id)).unwrap_or(self.signed.id);
        let new = SignedPreKey::generate(&self.identity, next_id(last), now, rng);
        self.previous = Some(std::mem::replace(&mut self.signed, new));
    }
    /// The signed prekey of this number, current or previous.
    pub fn signed_pre_key(&self, id: u32) -> Option<&KeyPair> {
        [Some(&self.signed), self.previous.as_ref()].into_iter().flatten().find(|k| k.id == id).map(|k| &k.pair)
    }
    /// As it is published in one version.
    pub fn identity_key(&self, version: Version) -> [u8; 32] {
        let identity = match version {
            Version::Omemo2 => self.identity.public().to_wire::<Omemo2>(),
            Version::Legacy => self.identity.public().to_wire::<Legacy>(),
        };
        identity.last_chunk().copied().unwrap_or_default()
    }
    /// What is published in one version.
    pub fn bundle(&self, version: Version, pool: &PreKeyPool) -> Bundle {
        let [omemo2, legacy] = self.signed.signatures;
        let signature = match version {
            Version::Omemo2 => omemo2,
            Version::Legacy => legacy,
        };
        Bundle {
            version,
            identity_key: self.identity_key(version),
            signed_prekey_id: self.signed.id,
            signed_prekey: *self.signed.pair.public().as_bytes(),
            signature,
            prekeys: pool.keys.iter().map(|(id, pair)| (*id, *pair.public().as_bytes())).collect(),
        }
    }
}
impl Record for Account {
    fn encode(&self) -> Vec<u8> {
        let mut out = Writer::versioned(1);
        out.bytes(&self.identity.to_bytes()).u32(self.device);
        self.signed.write(&mut out);
        out.option(self.previous.as_ref(), |out, p| p.write(out));
        for ids in [&self.adopt, &self.show] {
            out.len(ids.len());
            for id in ids {
                out.u32(*id);
            }
        }
        out.bool(self.leaving);
        out.into_bytes()
    }
    fn decode(bytes: &[u8]) -> Option<Self> {
        let input = &mut Reader::versioned(bytes, 1)?;
        let account = Account {
            identity: IdentityKeyPair::from_bytes(input.bytes()?).ok()?,
            device: input.u32()?,
            signed: SignedPreKey::read(input)?,
            previous: input.option(SignedPreKey::read)?,
            adopt: read_ids(input)?,
            show: read_ids(input)?,
            leaving: input.bool()?,
        };
        input.end().map(|()| account)
    }
}

fn read_ids(input: &mut Reader<'_>) -> Option<Vec<u32>> {
    (0..input.len()?).map(|_| input.u32()).collect()
}

/// The one-time prekeys of one version: those in the bundle, and those used that are still kept.
#[derive(Clone)]
pub(crate) struct PreKeyPool {
    pub keys: Vec<(u32, KeyPair)>,
    pub used: Vec<(u32, KeyPair)>,
    next: u32,
}
impl PreKeyPool {
    pub fn generate(rng: &mut dyn CryptoRng) -> Self {
        let mut pool = PreKeyPool { keys: Vec::with_capacity(POOL), used: Vec::new(), next: some_id(rng) };
        pool.refill(rng);
        pool
    }
    /// Of keys that were made elsewhere, by number. 0 is never published, but what is on its way may name it.
    pub fn of(keys: Vec<(u32, KeyPair)>, rng: &mut dyn CryptoRng) -> Self {
        let next = next_id(keys.last().map_or(0, |(id, _)| *id));
        let (used, keys) = keys.into_iter().partition(|(id, _)| *id == 0);
        let mut pool = PreKeyPool { keys, used, next };
        pool.refill(rng);
        pool
    }
    /// Fills up to [`POOL`]; ids grow, so that none comes back soon.
    pub fn refill(&mut self, rng: &mut dyn CryptoRng) {
        for pair in KeyPair::generate_many(POOL.saturating_sub(self.keys.len()), rng) {
            self.keys.push((self.next, pair));
            self.next = next_id(self.next);
        }
    }
    pub fn is_full(&self) -> bool {
        self.keys.len() >= POOL
    }
    pub fn find(&self, id: u32) -> Option<&KeyPair> {
        self.keys.iter().chain(&self.used).find(|(n, _)| *n == id).map(|(_, pair)| pair)
    }
    /// Takes a used one out of the bundle; `keep`: it still opens what is on its way. Another is made when the bundle is published.
    pub fn spend(&mut self, id: u32, keep: bool) {
        if let Some(at) = self.keys.iter().position(|(n, _)| *n == id) {
            let spent = self.keys.remove(at);
            if keep {
                self.keep([spent]);
            }
        }
    }
    fn keep(&mut self, keys: impl IntoIterator<Item = (u32, KeyPair)>) {
        self.used.extend(keys);
        let surplus = self.used.len().saturating_sub(MAX_USED);
        self.used.drain(..surplus);
    }
    /// Takes all out of the bundle, to be made anew with numbers above one that was published and is not known here.
    pub fn renew(&mut self, published: Option<u32>) {
        let keys = std::mem::take(&mut self.keys);
        self.keep(keys);
        self.next = published.filter(|id| self.is_future(*id)).map_or(self.next, next_id);
    }
    /// No prekey of that number was made yet.
    pub fn is_future(&self, id: u32) -> bool {
        id == self.next || later(id, self.next)
    }
}
impl Record for PreKeyPool {
    fn encode(&self) -> Vec<u8> {
        let all = self.keys.len().saturating_add(self.used.len());
        let mut out = Writer::with_capacity(all.saturating_mul(KeyPair::STORED.saturating_add(4)).saturating_add(16));
        out.u8(1).u32(self.next);
        for keys in [&self.keys, &self.used] {
            out.len(keys.len());
            for (id, pair) in keys {
                out.u32(*id).raw(pair.to_bytes().as_slice());
            }
        }
        out.into_bytes()
    }
    fn decode(bytes: &[u8]) -> Option<Self> {
        let input = &mut Reader::versioned(bytes, 1)?;
        let next = input.u32()?;
        let mut keys = || {
            let n = input.len()?;
            (0..n).map(|_| Some((input.u32()?, KeyPair::from_bytes(input.raw(KeyPair::STORED)?).ok()?))).collect::<Option<Vec<_>>>()
        };
        let pool = PreKeyPool { keys: keys()?, used: keys()?, next };
        input.end().map(|()| pool)
    }
}
/// What this device is called, and the signature of that. Empty: it is to have no name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Label {
    pub label: String,
    /// Base64.
    pub signature: String,
}
impl Label {
    /// As they stand on the list.
    pub fn attributes(&self) -> (Option<String>, Option<String>) {
        let named = (!self.label.is_empty()).then(|| (self.label.clone(), self.signature.clone()));
        named.unzip()
    }
    /// Whether this is what stands there.
    pub fn is(&self, shown: Option<&(String, String)>) -> bool {
        shown.map_or(self.label.is_empty(), |(label, signature)| *label == self.label && *signature == self.signature)
    }
}
impl Record for Label {
    fn encode(&self) -> Vec<u8> {
        let mut out = Writer::versioned(1);
        out.str(&self.label).str(&self.signature);
        out.into_bytes()
    }
    fn decode(bytes: &[u8]) -> Option<Self> {
        let input = &mut Reader::versioned(bytes, 1)?;
        let label = Label { label: input.str()?.to_owned(), signature: input.str()?.to_owned() };
        input.end().map(|()| label)
    }
}
/// The few secrets that one key exchange asks for, taken out of their rows.
pub(crate) struct Ours {
    pub one_time: Option<(u32, KeyPair)>,
    pub signed: Option<(u32, KeyPair)>,
}
impl PreKeys for Ours {
    fn pre_key(&self, id: PreKeyId) -> Option<KeyPair> {
        self.one_time.as_ref().filter(|(n, _)| *n == id.0).map(|(_, pair)| pair.clone())
    }
    fn signed_pre_key(&self, id: SignedPreKeyId) -> Option<KeyPair> {
        self.signed.as_ref().filter(|(n, _)| *n == id.0).map(|(_, pair)| pair.clone())
    }
}
/// The stream to the server, as far as it matters here.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Connection {
    /// Since then what is pushed reaches us.
    pub since: Time,
    /// Old messages are being read: used prekeys are kept (XEP-0384 §6).
    pub catching_up: bool,
}
impl Record for Connection {
    fn encode(&self) -> Vec<u8> {
        let mut out = Writer::versioned(1);
        out.u64(self.since.0).bool(self.catching_up);
        out.into_bytes()
    }
    fn decode(bytes: &[u8]) -> Option<Self> {
        let input = &mut Reader::versioned(bytes, 1)?;
        let connection = Connection { since: Time(input.u64()?), catching_up: input.bool()? };
        input.end().map(|()| connection)
    }
}

/// Where one thing that we publish stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// Not published, or no longer what it should be.
    Due,
    /// On its way.
    Asked(RequestId),
    /// The server has it.
    Done,
    /// The server said no: tried again later.
    Refused,
}
/// How far this device is published in one version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Publication {
    pub bundle: Stage,
    pub list: Stage,
    /// The bundle changed while it was on its way.
    pub dirty: bool,
    /// Not before then: refused publications and repairs wait longer each time, so that two clients never fight.
    pub not_before: Time,
    /// Repairs and refusals in a row.
    pub tries: u8,
}
impl Default for Publication {
    fn default() -> Self {
        Publication { bundle: Stage::Due, list: Stage::Due, dirty: false, not_before: Time(0), tries: 0 }
    }
}
impl Publication {
    /// One more repair or refusal: the next waits a minute, then two, at most an hour; after a quiet day all is forgotten.
    pub fn back_off(&mut self, now: Time) {
        const MINUTE: u64 = 60_000;
        if now.0 > self.not_before.0.saturating_add(24 * 60 * MINUTE) {
            self.tries = 0;
        }
        let wait = MINUTE.saturating_mul(1u64.checked_shl(self.tries.into()).unwrap_or(u64::MAX)).min(60 * MINUTE);
        self.tries = self.tries.saturating_add(1);
        self.not_before = Time(now.0.saturating_add(wait));
    }
    /// Nothing is on its way and nothing can be done now.
    pub fn settled(&self) -> bool {
        !matches!((self.bundle, self.list), (Stage::Due | Stage::Asked(_), _) | (Stage::Done, Stage::Due | Stage::Asked(_)))
    }
    /// Others can find us.
    pub fn published(&self) -> bool {
        self.list == Stage::Done
    }
}
impl Stage {
    fn write(self, out: &mut Writer) {
        match self {
            Stage::Due => out.u8(0),
            Stage::Asked(id) => out.u8(1).u64(id.0),
            Stage::Done => out.u8(2),
            Stage::Refused => out.u8(3),
        };
    }
    fn read(input: &mut Reader<'_>) -> Option<Self> {
        Some(match input.u8()? {
            0 => Stage::Due,
            1 => Stage::Asked(RequestId(input.u64()?)),
            2 => Stage::Done,
            3 => Stage::Refused,
            _ => return None,
        })
    }
}
impl Record for Publication {
    fn encode(&self) -> Vec<u8> {
        let mut out = Writer::versioned(1);
        self.bundle.write(&mut out);
        self.list.write(&mut out);
        out.bool(self.dirty).u64(self.not_before.0).u8(self.tries);
        out.into_bytes()
    }
    fn decode(bytes: &[u8]) -> Option<Self> {
        let input = &mut Reader::versioned(bytes, 1)?;
        let publication = Publication {
            bundle: Stage::read(input)?,
            list: Stage::read(input)?,
            dirty: input.bool()?,
            not_before: Time(input.u64()?),
            tries: input.u8()?,
        };
        input.end().map(|()| publication)
    }
}

/// The number after this one, in 1…2³¹−1.
pub(crate) fn next_id(id: u32) -> u32 {
    if id >= MAX_ID { 1 } else { id.saturating_add(1) }
}
/// Whether a number was given after another one. They go around.
pub(crate) fn later(id: u32, than: u32) -> bool {
    id != than && id.wrapping_sub(than) & MAX_ID < MAX_ID >> 1
}
/// A first number: random, so that a device set up anew under the same id does not repeat the numbers of the old one.
fn some_id(rng: &mut dyn CryptoRng) -> u32 {
    crate::random::below(rng, 1 << 30).saturating_add(1)
}
