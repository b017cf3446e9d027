//! What was said about keys: by people here, by other devices, about keys that no device has shown yet; what a device said before it
//! was verified; what is still to be told to others.
use subrosa_engine::codec::{Reader, Writer};
use subrosa_engine::{Address, Device, Fingerprint, Record, Time, Trust};

/// Verdicts kept for one owner.
const MAX_VERDICTS: usize = 256;
/// What one unverified device said, at most.
pub(crate) const MAX_KEPT: usize = 256;
/// Devices that wait to be told, and statements for all of them.
const MAX_DUE: usize = 1_000;
/// Decisions that wait until the key is known in the form that messages carry.
const MAX_SUBJECTS: usize = 128;

/// The last word about one key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Verdict {
    pub key: Fingerprint,
    /// Only if this device shows it.
    pub device: Option<u32>,
    pub trust: Trust,
    /// When it was decided, by the clock of who decided, never later than it came.
    pub time: Time,
    /// The number of the device that said so, and whose it is. `None`: a person, here.
    pub by: Option<Device>,
    /// The key was there. Else it is to be.
    pub met: bool,
}
/// The last words about the keys of one owner.
#[derive(Clone, Debug, Default)]
pub(crate) struct Verdicts(pub Vec<Verdict>);
impl Verdicts {
    pub fn about(&self, key: &Fingerprint) -> Option<&Verdict> {
        self.0.iter().rfind(|v| v.key == *key)
    }
    /// What awaits this key on this device.
    pub fn awaiting(&self, key: &Fingerprint, device: u32) -> Option<&Verdict> {
        self.0.iter().rfind(|v| !v.met && v.key == *key && v.device.is_none_or(|d| d == device))
    }
    /// One about the same key goes. Where there are too many: what the owner's devices said themselves, so that a flood of theirs takes
    /// nothing away that was decided here, then what other devices of ours said; of these, what has done its work first, the oldest.
    pub fn note(&mut self, owner: &Address, verdict: Verdict) {
        self.0.retain(|v| v.key != verdict.key);
        self.0.push(verdict);
        if self.0.len() > MAX_VERDICTS {
            let worth = |v: &Verdict| v.by.as_ref().map_or(2u8, |by| u8::from(by.owner != *owner));
            let least = self.0.iter().enumerate().min_by_key(|(_, v)| (worth(v), !v.met)).map_or(0, |(at, _)| at);
            self.0.remove(least);
        }
    }
}
impl Record for Verdicts {
    fn encode(&self) -> Vec<u8> {
        let mut out = Writer::versioned(1);
        out.len(self.0.len());
        for v in &self.0 {
            out.raw(&v.key.0).option(v.device, |out, d| {
                out.u32(d);
            });
            out.u8(v.trust as u8).u64(v.time.0).bool(v.met).option(v.by.as_ref(), write_device);
        }
        out.into_bytes()
    }
    fn decode(bytes: &[u8]) -> Option<Self> {
        let input = &mut Reader::versioned(bytes, 1)?;
        let mut all = Vec::with_capacity(input.len()?);
        for _ in 0..all.capacity() {
            let (key, device) = (Fingerprint(input.array()?), input.option(|i| i.u32())?);
            let (trust, time, met) = (read_trust(input)?, Time(input.u64()?), input.bool()?);
            all.push(Verdict { key, device, trust, time, met, by: input.option(read_device)? });
        }
        input.end().map(|()| Verdicts(all))
    }
}

/// One thing that a device said: this key of this person is authentic, or is not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Statement {
    pub owner: Address,
    /// Ed25519.
    pub key: [u8; 32],
    pub trust: bool,
    pub time: Time,
}
impl Statement {
    fn write(&self, out: &mut Writer) {
        out.str(self.owner.as_str()).raw(&self.key).bool(self.trust).u64(self.time.0);
    }
    fn read(input: &mut Reader<'_>) -> Option<Self> {
        Some(Statement { owner: input.str()?.into(), key: input.array()?, trust: input.bool()?, time: Time(input.u64()?) })
    }
    fn is_about(&self, other: &Self) -> bool {
        self.owner == other.owner && self.key == other.key
    }
}
/// What a device said before it was verified.
#[derive(Clone, Debug)]
pub(crate) struct Kept {
    /// The key under which it said so.
    pub sender: Fingerprint,
    pub statements: Vec<Statement>,
}
impl Kept {
    /// The later of two about one key counts; beyond the bound the oldest goes.
    pub fn add(&mut self, new: Statement) {
        if self.statements.iter().any(|s| s.is_about(&new) && s.time > new.time) {
            return;
        }
        self.statements.retain(|s| !s.is_about(&new));
        if self.statements.len() >= MAX_KEPT {
            self.statements.remove(0);
        }
        self.statements.push(new);
    }
}
impl Record for Kept {
    fn encode(&self) -> Vec<u8> {
        let mut out = Writer::versioned(1);
        out.raw(&self.sender.0).len(self.statements.len());
        self.statements.iter().for_each(|s| s.write(&mut out));
        out.into_bytes()
    }
    fn decode(bytes: &[u8]) -> Option<Self> {
        let input = &mut Reader::versioned(bytes, 1)?;
        let sender = Fingerprint(input.array()?);
        let statements = (0..input.len()?).map(|_| Statement::read(input)).collect::<Option<_>>()?;
        input.end().map(|()| Kept { sender, statements })
    }
}

/// A decision of a person here that others are to learn of, as soon as its key is known in the form that messages carry.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Subject {
    pub device: Device,
    pub key: Fingerprint,
    pub trust: Trust,
    pub time: Time,
}
/// What is still to be told.
#[derive(Clone, Debug, Default)]
pub(crate) struct Outbox {
    pub subjects: Vec<Subject>,
    /// To devices with which there is no session yet.
    pub due: Vec<(Device, Statement)>,
}
impl Outbox {
    pub fn await_key(&mut self, subject: Subject) {
        self.subjects.retain(|s| s.device != subject.device || s.key != subject.key);
        if self.subjects.len() >= MAX_SUBJECTS {
            self.subjects.remove(0);
        }
        self.subjects.push(subject);
    }
    pub fn await_session(&mut self, to: &Device, statement: Statement) {
        self.due.retain(|(device, s)| device != to || !s.is_about(&statement));
        if self.due.len() >= MAX_DUE {
            self.due.remove(0);
        }
        self.due.push((to.clone(), statement));
    }
}
impl Record for Outbox {
    fn encode(&self) -> Vec<u8> {
        let mut out = Writer::versioned(1);
        out.len(self.subjects.len());
        for s in &self.subjects {
            write_device(&mut out, &s.device);
            out.raw(&s.key.0).u8(s.trust as u8).u64(s.time.0);
        }
        out.len(self.due.len());
        for (to, statement) in &self.due {
            write_device(&mut out, to);
            statement.write(&mut out);
        }
        out.into_bytes()
    }
    fn decode(bytes: &[u8]) -> Option<Self> {
        let input = &mut Reader::versioned(bytes, 1)?;
        let subject = |input: &mut Reader<'_>| {
            let (device, key) = (read_device(input)?, Fingerprint(input.array()?));
            Some(Subject { device, key, trust: read_trust(input)?, time: Time(input.u64()?) })
        };
        let subjects = (0..input.len()?).map(|_| subject(input)).collect::<Option<_>>()?;
        let due = (0..input.len()?).map(|_| Some((read_device(input)?, Statement::read(input)?))).collect::<Option<_>>()?;
        input.end().map(|()| Outbox { subjects, due })
    }
}

fn write_device(out: &mut Writer, device: &Device) {
    out.str(device.owner.as_str()).u32(super::number(device).unwrap_or_default());
}
fn read_device(input: &mut Reader<'_>) -> Option<Device> {
    let owner: Address = input.str()?.into();
    Some(Device::of(&owner, input.u32()?))
}
fn read_trust(input: &mut Reader<'_>) -> Option<Trust> {
    let n = input.u8()?;
    Trust::ALL.into_iter().find(|t| *t as u8 == n)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use super::*;

    fn key(n: usize) -> [u8; 32] {
        let mut key = [0; 32];
        key[..8].copy_from_slice(&n.to_le_bytes());
        key
    }
    fn statement(n: usize, time: u64) -> Statement {
        Statement { owner: "bob@example.org".into(), key: key(n), trust: n.is_multiple_of(2), time: Time(time) }
    }
    /// Written and read again it is the same; cut anywhere it is damaged.
    fn whole<T: Record>(record: &T) {
        let bytes = record.encode();
        assert_eq!(T::decode(&bytes).unwrap().encode(), bytes);
        assert!((0..bytes.len()).all(|end| T::decode(&bytes[..end]).is_none()));
    }

    #[test]
    fn the_later_statement_is_kept_and_not_too_many() {
        let mut kept = Kept { sender: Fingerprint([7; 32]), statements: Vec::new() };
        for n in 0..MAX_KEPT * 2 {
            kept.add(statement(n, 10));
        }
        assert_eq!((kept.statements.len(), kept.statements[0].key), (MAX_KEPT, key(MAX_KEPT)), "the oldest went");
        kept.add(Statement { trust: true, ..statement(MAX_KEPT + 1, 9) });
        assert!(!kept.statements[1].trust, "an earlier one that comes late says nothing");
        kept.add(Statement { trust: true, ..statement(MAX_KEPT + 1, 11) });
        assert_eq!((kept.statements.len(), kept.statements.last().unwrap().trust), (MAX_KEPT, true));
        whole(&kept);
    }
    #[test]
    fn what_waits_for_its_key_stays_longest() {
        let verdict = |n: usize, met| Verdict { key: Fingerprint(key(n)), device: Some(5), trust: Trust::Verified, time: Time(1), by: None, met };
        let bob = Address::from("bob@example.org");
        let mut verdicts = Verdicts::default();
        verdicts.note(&bob, verdict(0, false));
        (1..MAX_VERDICTS * 2).for_each(|n| verdicts.note(&bob, verdict(n, true)));
        assert_eq!(verdicts.0.len(), MAX_VERDICTS);
        assert!(verdicts.awaiting(&Fingerprint(key(0)), 5).is_some() && verdicts.awaiting(&Fingerprint(key(0)), 6).is_none());
        verdicts.note(&bob, Verdict { by: Some(Device::of(&"a@b".into(), 1)), ..verdict(0, true) });
        assert!(verdicts.awaiting(&Fingerprint(key(0)), 5).is_none());
        (0..MAX_VERDICTS * 2).for_each(|n| verdicts.note(&bob, verdict(n, false)));
        assert_eq!(verdicts.0.len(), MAX_VERDICTS);
        whole(&Verdicts(verdicts.0.drain(..4).collect()));
        // what others say takes the place of what they said
        let said = |n: usize, by: &str| Verdict { by: Some(Device::of(&by.into(), 1)), ..verdict(n, false) };
        let mut verdicts = Verdicts::default();
        verdicts.note(&bob, verdict(0, true));
        verdicts.note(&bob, said(1, "alice@example.org"));
        (2..MAX_VERDICTS * 2).for_each(|n| verdicts.note(&bob, said(n, "bob@example.org")));
        let about = |n: usize| verdicts.about(&Fingerprint(key(n))).is_some();
        assert!(verdicts.0.len() == MAX_VERDICTS && about(0) && about(1) && !about(2) && about(MAX_VERDICTS * 2 - 1));
    }
    #[test]
    fn what_is_to_be_told_is_bounded() {
        let (to, mut outbox) = (Device::of(&"bob@example.org".into(), 1), Outbox::default());
        for n in 0..MAX_DUE * 2 {
            outbox.await_session(&to, statement(n, 1));
            outbox.await_key(Subject { device: Device::of(&to.owner, 2), key: Fingerprint(key(n)), trust: Trust::Untrusted, time: Time(1) });
        }
        outbox.await_session(&to, statement(MAX_DUE * 2 - 1, 2));
        assert_eq!((outbox.due.len(), outbox.subjects.len()), (MAX_DUE, MAX_SUBJECTS));
        whole(&Outbox { subjects: outbox.subjects.drain(..3).collect(), due: outbox.due.drain(..3).collect() });
    }
}
