//! The devices of a person, as their lists said last, and why there is no session with one.
use super::slot;
use crate::wire::Version;
use crate::wire::device_list::ListedDevice;
use std::time::Duration;
use subrosa_engine::codec::{Reader, Writer};
use subrosa_engine::{Exclusion, Fingerprint, Record, Time, sorted_by_key};

/// Devices kept after they left their owner's lists, to be shown.
const MAX_GONE: usize = 64;

/// Seconds.
const MINUTE: u64 = 60;

/// What we know of one version's list of a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    /// When it came, or when the server last said no.
    pub at: Time,
    /// The server pushed it, so it will push the next one too.
    pub pushed: bool,
    /// The last question was answered: else this is older than `at`.
    pub answered: bool,
}
/// One device, merged from both lists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub id: u32,
    listed: [bool; 2],
    /// As its owner calls it, and the signature of that. Not verified.
    pub label: Option<Box<(String, String)>>,
}
/// The devices of a person. Sorted by id.
#[derive(Clone, Debug, Default)]
pub(crate) struct People {
    seen: [Option<Seen>; 2],
    pub devices: Vec<Entry>,
}
impl Entry {
    pub fn in_list(&self, version: Version) -> bool {
        self.listed.get(slot(version)).copied().unwrap_or_default()
    }
    pub fn is_listed(&self) -> bool {
        self.listed != [false, false]
    }
    /// The version to speak: omemo:2 where the device has it, never both.
    pub fn version(&self) -> Option<Version> {
        Version::ALL.into_iter().find(|v| self.in_list(*v))
    }
    fn set(&mut self, version: Version, listed: bool) {
        if let Some(flag) = self.listed.get_mut(slot(version)) {
            *flag = listed;
        }
    }
}
impl People {
    pub fn seen(&self, version: Version) -> Option<Seen> {
        self.seen.get(slot(version)).copied().flatten()
    }
    pub fn see(&mut self, version: Version, seen: Seen) {
        if let Some(place) = self.seen.get_mut(slot(version)) {
            *place = Some(seen);
        }
    }
    /// Both lists may have changed unseen.
    pub fn unsee(&mut self) {
        self.seen = [None; 2];
    }
    pub fn find(&self, id: u32) -> Option<&Entry> {
        self.devices.binary_search_by_key(&id, |e| e.id).ok().and_then(|at| self.devices.get(at))
    }
    pub fn listed(&self) -> impl Iterator<Item = &Entry> {
        self.devices.iter().filter(|e| e.is_listed())
    }
    /// The list of one version as it should be written.
    pub fn list(&self, version: Version) -> Vec<ListedDevice> {
        let entry = |e: &Entry| {
            let (label, labelsig) = e.label.as_deref().cloned().unzip();
            ListedDevice { id: e.id, label, labelsig }
        };
        self.devices.iter().filter(|e| e.in_list(version)).map(entry).collect()
    }
    /// Takes over a list. Gives the ids that were in no list before.
    pub fn learn(&mut self, version: Version, list: Vec<ListedDevice>, seen: Seen) -> Vec<u32> {
        self.see(version, seen);
        let before: Vec<bool> = self.devices.iter().map(Entry::is_listed).collect();
        self.devices.iter_mut().for_each(|e| e.set(version, false));
        let known = self.devices.len();
        let mut new = Vec::new();
        for ListedDevice { id, label, labelsig } in list {
            let label = label.zip(labelsig).map(Box::new);
            let at = self.devices.get(..known).and_then(|sorted| sorted.binary_search_by_key(&id, |e| e.id).ok());
            if let Some((entry, was)) = at.and_then(|at| Some((self.devices.get_mut(at)?, *before.get(at)?))) {
                if !was {
                    new.push(id);
                }
                entry.set(version, true);
                if version == Version::Omemo2 {
                    entry.label = label;
                }
            } else {
                let mut entry = Entry { id, listed: [false; 2], label };
                entry.set(version, true);
                self.devices.push(entry);
                new.push(id);
            }
        }
        self.devices = sorted_by_key(std::mem::take(&mut self.devices), |e| e.id);
        self.devices.dedup_by_key(|e| e.id);
        let mut surplus = self.devices.iter().filter(|e| !e.is_listed()).count().saturating_sub(MAX_GONE);
        self.devices.retain(|e| {
            let drop = surplus > 0 && !e.is_listed();
            surplus = surplus.saturating_sub(drop.into());
            !drop
        });
        new
    }
}
impl Record for People {
    fn encode(&self) -> Vec<u8> {
        let mut out = Writer::with_capacity(self.devices.len().saturating_mul(6).saturating_add(32));
        out.u8(1);
        for seen in self.seen {
            out.option(seen, |out, s| {
                out.u64(s.at.0).bool(s.pushed).bool(s.answered);
            });
        }
        out.len(self.devices.len());
        for Entry { id, listed: [omemo2, legacy], label } in &self.devices {
            out.varint((*id).into()).u8(u8::from(*omemo2) | u8::from(*legacy) << 1 | u8::from(label.is_some()) << 2);
            if let Some((label, signature)) = label.as_deref() {
                out.str(label).str(signature);
            }
        }
        out.into_bytes()
    }
    fn decode(bytes: &[u8]) -> Option<Self> {
        let input = &mut Reader::versioned(bytes, 1)?;
        let mut seen = || input.option(|i| Some(Seen { at: Time(i.u64()?), pushed: i.bool()?, answered: i.bool()? }));
        let seen = [seen()?, seen()?];
        let mut devices = Vec::with_capacity(input.len()?);
        for _ in 0..devices.capacity() {
            let (id, flags) = (input.varint32()?, input.u8()?);
            let label = if flags & 4 != 0 { Some(Box::new((input.str()?.to_owned(), input.str()?.to_owned()))) } else { None };
            devices.push(Entry { id, listed: [flags & 1 != 0, flags & 2 != 0], label });
        }
        input.end().map(|()| People { seen, devices })
    }
}

/// Why there is no session with a device in one version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Absent {
    pub why: Exclusion,
    pub at: Time,
    /// Its key, where the bundle was good and trust was not.
    pub key: Option<Fingerprint>,
    /// How often in a row the server did not hand it out, before this time.
    pub tries: u8,
}
impl Absent {
    /// Whether the bundle should be asked for again, if a message can't go without it.
    pub fn is_stale(&self, now: Time) -> bool {
        self.is_older(now, if self.why == Exclusion::BundleUnavailable { MINUTE } else { 10 * MINUTE })
    }
    /// Whether it should be where a message goes without: the server did not hand it out, so after a minute, then two, at most an hour.
    pub fn is_due(&self, now: Time) -> bool {
        self.is_older(now, MINUTE.saturating_mul(1 << self.tries.min(6)).min(60 * MINUTE))
    }
    fn is_older(&self, now: Time, seconds: u64) -> bool {
        let keeps = Duration::from_secs(seconds);
        now >= self.at.after(keeps) || now < self.at
    }
}
/// Version 1 had no tries.
impl Record for Absent {
    fn encode(&self) -> Vec<u8> {
        let mut out = Writer::versioned(2);
        out.str(self.why.code()).u64(self.at.0).option(self.key, |out, key| {
            out.raw(&key.0);
        });
        out.u8(self.tries);
        out.into_bytes()
    }
    fn decode(bytes: &[u8]) -> Option<Self> {
        let old = bytes.first() == Some(&1);
        let input = &mut Reader::versioned(bytes, if old { 1 } else { 2 })?;
        let why = Exclusion::from_code(input.str()?)?;
        let (at, key) = (Time(input.u64()?), input.option(|i| i.array().map(Fingerprint))?);
        let absent = Absent { why, at, key, tries: if old { 0 } else { input.u8()? } };
        input.end().map(|()| absent)
    }
}

/// Something is so where the row is there.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Flag;
impl Record for Flag {
    fn encode(&self) -> Vec<u8> {
        vec![1]
    }
    fn decode(bytes: &[u8]) -> Option<Self> {
        (bytes == [1]).then_some(Flag)
    }
}

/// A session that was lost is being set up again.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Heal {
    pub at: Time,
    /// The empty message is still to be sent.
    pub due: bool,
}
impl Record for Heal {
    fn encode(&self) -> Vec<u8> {
        let mut out = Writer::versioned(1);
        out.u64(self.at.0).bool(self.due);
        out.into_bytes()
    }
    fn decode(bytes: &[u8]) -> Option<Self> {
        let input = &mut Reader::versioned(bytes, 1)?;
        let heal = Heal { at: Time(input.u64()?), due: input.bool()? };
        input.end().map(|()| heal)
    }
}
