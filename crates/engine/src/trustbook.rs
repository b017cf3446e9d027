//! What [`crate::trust`] remembers: the keys of an owner's devices, spread over rows by device id, so that one more device of five
//! thousand rewrites a small row. Knows no rule.
use crate::codec::{Reader, Writer};
use crate::wire::Stored;
use crate::{Address, Decider, Device, DeviceId, Fingerprint, Identity, Record, RowOf, Time, Trust};

/// Rows an owner's devices are spread over.
const ROWS: u32 = 64;
/// Earlier and refused keys kept for a device; the oldest go first.
const REMEMBERED: usize = 16;

/// One device and its keys.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Known {
    id: DeviceId,
    pub key: Fingerprint,
    pub trust: Trust,
    by: Decider,
    first_seen: Time,
    /// Keys it had, and keys that it showed and that were refused.
    others: Vec<Other>,
}
/// A key that a device has not now.
type Other = (Fingerprint, Trust, Decider, Time);
impl Known {
    pub fn new(id: DeviceId, key: Fingerprint, trust: Trust, by: Decider, first_seen: Time) -> Self {
        Known { id, key, trust, by, first_seen, others: Vec::new() }
    }
    /// Whether the person has been told about this other key.
    pub fn refused(&self, key: &Fingerprint) -> bool {
        self.others.iter().any(|(k, ..)| k == key)
    }
    fn remember(&mut self, other: Other) {
        self.others.retain(|(k, ..)| *k != other.0);
        if self.others.len() >= REMEMBERED {
            // what somebody decided goes last: anybody can show keys
            let shown = self.others.iter().position(|(_, _, by, _)| *by == Decider::Policy);
            self.others.remove(shown.unwrap_or(0));
        }
        self.others.push(other);
    }
}

/// The devices that share a row, by id.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Book(Vec<Known>);
impl Book {
    pub fn find(&self, id: &DeviceId) -> Option<&Known> {
        self.0.get(self.0.binary_search_by(|k| k.id.cmp(id)).ok()?)
    }
    fn find_mut(&mut self, id: &DeviceId) -> Option<&mut Known> {
        let at = self.0.binary_search_by(|k| k.id.cmp(id)).ok()?;
        self.0.get_mut(at)
    }
    pub fn insert(&mut self, known: Known) {
        if let Err(at) = self.0.binary_search_by(|k| k.id.cmp(&known.id)) {
            self.0.insert(at, known);
        }
    }
    /// Another key than the known one was shown.
    pub fn refuse(&mut self, id: &DeviceId, key: Fingerprint, now: Time) {
        if let Some(known) = self.find_mut(id) {
            known.remember((key, Trust::Undecided, Decider::Policy, now));
        }
    }
    /// Forgets it, unless somebody decided about one of its keys. Whether it did.
    pub fn forget(&mut self, id: &DeviceId) -> bool {
        let Ok(at) = self.0.binary_search_by(|k| k.id.cmp(id)) else { return false };
        let decided = |by: &Decider| *by != Decider::Policy;
        if self.0.get(at).is_none_or(|known| decided(&known.by) || known.others.iter().any(|(_, _, by, _)| decided(by))) {
            return false;
        }
        self.0.remove(at);
        true
    }
    /// Somebody decided.
    pub fn decide(&mut self, id: &DeviceId, key: Fingerprint, trust: Trust, by: Decider, now: Time) {
        let Some(known) = self.find_mut(id) else { return self.insert(Known::new(id.clone(), key, trust, by, now)) };
        let seen = known.others.iter().find(|(k, ..)| *k == key).map_or(now, |(.., seen)| *seen);
        if known.key == key {
            (known.trust, known.by) = (trust, by);
        } else if trust.is_trusted() {
            let old = (known.key, known.trust, known.by, known.first_seen);
            known.others.retain(|(k, ..)| *k != key);
            (known.key, known.trust, known.by, known.first_seen) = (key, trust, by, seen);
            known.remember(old);
        } else {
            known.remember((key, trust, by, seen));
        }
    }
    pub fn identities(&self, owner: &Address) -> impl Iterator<Item = Identity> {
        self.0.iter().flat_map(move |known| {
            let line = move |((key, trust, by, first_seen), current)| Identity {
                device: Device::of(owner, known.id.clone()),
                key,
                trust,
                by,
                first_seen,
                current,
            };
            let others = known.others.iter().map(|other| (*other, false));
            std::iter::once(((known.key, known.trust, known.by, known.first_seen), true)).chain(others).map(line)
        })
    }
}
impl Record for Book {
    fn encode(&self) -> Vec<u8> {
        let mut out = Writer::versioned(1);
        out.len(self.0.len());
        let key = |out: &mut Writer, (key, trust, by, seen): Other| {
            key.write(out);
            out.u8(worth(trust, by));
            seen.write(out);
        };
        for known in &self.0 {
            known.id.write(&mut out);
            key(&mut out, (known.key, known.trust, known.by, known.first_seen));
            out.len(known.others.len());
            known.others.iter().for_each(|other| key(&mut out, *other));
        }
        out.into_bytes()
    }
    fn decode(bytes: &[u8]) -> Option<Self> {
        let mut input = Reader::versioned(bytes, 1)?;
        let key = |input: &mut Reader<'_>| -> Option<Other> {
            let key = Fingerprint::read(input)?;
            let (trust, by) = of_worth(input.u8()?)?;
            Some((key, trust, by, Time::read(input)?))
        };
        let mut book = Book::default();
        for _ in 0..input.len()? {
            let id: DeviceId = Stored::read(&mut input)?;
            let (current, trust, by, first_seen) = key(&mut input)?;
            let others = (0..input.len()?).map(|_| key(&mut input)).collect::<Option<_>>()?;
            book.0.push(Known { key: current, others, ..Known::new(id, current, trust, by, first_seen) });
        }
        input.end()?;
        book.0.is_sorted_by(|a, b| a.id < b.id).then_some(book)
    }
}
/// Trust and decider in one byte. Rows that are older than deciders have none: then only a person can have said so.
fn worth(trust: Trust, by: Decider) -> u8 {
    let by = match by {
        Decider::Policy => 4,
        Decider::Person => 8,
        Decider::Message => 12,
    };
    trust as u8 | by
}
fn of_worth(byte: u8) -> Option<(Trust, Decider)> {
    let trust = Trust::ALL.into_iter().find(|t| *t as u8 == byte & 3)?;
    let by = match byte & !3 {
        0 if matches!(trust, Trust::Untrusted | Trust::Verified) => Decider::Person,
        0 | 4 => Decider::Policy,
        8 => Decider::Person,
        12 => Decider::Message,
        _ => return None,
    };
    Some((trust, by))
}

/// What is known about an owner as a whole: so that only rows that exist are looked for, and all of them at once.
#[derive(Clone, Default)]
pub(crate) struct Head {
    /// A bit for each row that exists.
    rows: u64,
    /// How many devices have a verified key.
    pub verified: u64,
}
impl Head {
    pub fn has(&self, row: u32) -> bool {
        self.rows >> row & 1 == 1
    }
    pub fn add(&mut self, row: u32) {
        self.rows |= 1 << row;
    }
    /// Those that exist.
    pub fn books(&self, owner: &Address) -> impl Iterator<Item = RowOf<Book>> {
        (0..ROWS).filter(|row| self.has(*row)).map(|row| book(owner, row))
    }
}
impl Record for Head {
    fn encode(&self) -> Vec<u8> {
        let mut out = Writer::versioned(1);
        out.u64(self.rows).varint(self.verified);
        out.into_bytes()
    }
    fn decode(bytes: &[u8]) -> Option<Self> {
        let mut input = Reader::versioned(bytes, 1)?;
        let head = Head { rows: input.u64()?, verified: input.varint()? };
        input.end().map(|()| head)
    }
}
/// Everybody of whom a device is verified, sorted.
#[derive(Clone, Default)]
pub(crate) struct Owners(pub Vec<Address>);
impl Owners {
    pub fn has(&self, owner: &Address) -> bool {
        self.0.binary_search(owner).is_ok()
    }
    pub fn set(&mut self, owner: &Address, verified: bool) {
        match (self.0.binary_search(owner), verified) {
            (Err(at), true) => self.0.insert(at, owner.clone()),
            (Ok(at), false) => drop(self.0.remove(at)),
            _ => {}
        }
    }
}
impl Record for Owners {
    fn encode(&self) -> Vec<u8> {
        let mut out = Writer::versioned(1);
        self.0.write(&mut out);
        out.into_bytes()
    }
    fn decode(bytes: &[u8]) -> Option<Self> {
        let mut input = Reader::versioned(bytes, 1)?;
        let owners = Owners(Stored::read(&mut input)?);
        input.end().map(|()| owners)
    }
}
pub(crate) fn owners() -> RowOf<Owners> {
    RowOf::single("verified-owners")
}
pub(crate) fn head_of(owner: &Address) -> RowOf<Head> {
    RowOf::person("trust", owner)
}
/// Where a device is: stored, so it never changes.
pub(crate) fn row_of(id: &DeviceId) -> u32 {
    let spread = match id {
        DeviceId::Number(n) => *n,
        DeviceId::Name(name) => name.bytes().fold(0x811c_9dc5, |h: u32, b| (h ^ u32::from(b)).wrapping_mul(0x0100_0193)), // FNV-1a
    };
    spread & (ROWS - 1)
}
pub(crate) fn book(owner: &Address, row: u32) -> RowOf<Book> {
    RowOf::device("trust", &Device::of(owner, row))
}
