//! A model of what one device's person and policy made of keys, written anew from the rules: the engine's own book is what is judged.
use super::{Judge, Rule, Verdict};
use crate::ClientId;
use std::collections::BTreeMap;
use subrosa_engine::{Address, Device, Fingerprint, Trust};

/// Which key every device has, and what it is worth.
#[derive(Clone, Default)]
pub(crate) struct Book(BTreeMap<Device, (Fingerprint, Trust)>);
impl Book {
    pub fn get(&self, device: &Device) -> Option<(Fingerprint, Trust)> {
        self.0.get(device).copied()
    }
    pub fn iter(&self) -> impl Iterator<Item = (&Device, Fingerprint, Trust)> {
        self.0.iter().map(|(device, (key, trust))| (device, *key, *trust))
    }
    pub fn len(&self) -> usize {
        self.0.len()
    }
    /// A person's word: for another key than the device has it counts only if it is a yes.
    pub fn decide(&mut self, device: &Device, key: Fingerprint, trust: Trust) {
        match self.0.get_mut(device) {
            Some((had, known)) if *had == key => *known = trust,
            Some(known) if trust.is_trusted() => *known = (key, trust),
            Some(_) => {}
            None => drop(self.0.insert(device.clone(), (key, trust))),
        }
    }
    fn has_verified(&self, device: &Device) -> bool {
        self.0.iter().any(|(other, (_, trust))| other.owner == device.owner && *trust == Trust::Verified)
    }
}

/// What was trusted at any moment of a step beside what is at its end: the order of inputs and outputs within it can't be told from
/// outside.
#[derive(Default)]
pub(super) struct Allowed(Vec<(Device, Fingerprint, Trust)>, Vec<(Address, Vec<Address>)>);
impl Allowed {
    /// Who was in a room before.
    pub fn in_room(&mut self, room: &Address, members: Vec<Address>) {
        self.1.push((room.clone(), members));
    }
    pub fn members<'a>(&'a self, room: &'a Address) -> impl Iterator<Item = &'a Address> {
        self.1.iter().filter(move |(other, _)| other == room).flat_map(|(_, members)| members)
    }
    /// A person decides within the step.
    pub fn decide(&mut self, book: &mut Book, device: &Device, key: Fingerprint, trust: Trust) {
        self.also(book, device);
        book.decide(device, key, trust);
        self.also(book, device);
    }
    fn also(&mut self, book: &Book, device: &Device) {
        self.0.extend(book.get(device).map(|(key, trust)| (device.clone(), key, trust)));
    }
    fn all<'a>(&'a self, book: &Book, device: &'a Device) -> impl Iterator<Item = (Fingerprint, Trust)> + 'a {
        let during = self.0.iter().filter(move |(other, ..)| other == device).map(|(_, key, trust)| (*key, *trust));
        book.get(device).into_iter().chain(during)
    }
    /// The keys of a device to which something may have been encrypted.
    pub fn keys(&self, book: &Book, device: &Device) -> Vec<Fingerprint> {
        self.all(book, device).filter(|(_, trust)| trust.is_trusted()).map(|(key, _)| key).collect()
    }
    /// Whether a key was worth that.
    pub fn had(&self, book: &Book, device: &Device, key: &Fingerprint, trust: Trust) -> bool {
        self.all(book, device).any(|(k, t)| k == *key && t == trust)
    }
    fn concerns(&self, owner: &Address) -> bool {
        self.0.iter().any(|(device, ..)| device.owner == *owner)
    }
}

impl Judge {
    /// A device was met: what the engine made of it may not be more than the rules give.
    pub(super) fn met(&mut self, client: ClientId, allowed: &Allowed, device: &Device, key: Fingerprint, trust: Trust) -> Verdict {
        // what it was itself, before its store was put back, was there when it was made anew
        let real = self.client_of(device).filter(|other| *other != client).map(|other| self.seats[other.0].born);
        let seat = &mut self.seats[client.0];
        if seat.book.get(device).is_some() {
            return Ok(()); // a person decided in the same step, or this was told before a crash
        }
        let most = if device.owner == seat.account {
            // those that were there when this one was made; whoever is not real the server made up
            if real.is_some_and(|born| born >= seat.born) { Trust::Undecided } else { Trust::Trusted }
        } else if seat.manual || (seat.book.has_verified(device) && !allowed.concerns(&device.owner)) {
            Trust::Undecided
        } else {
            Trust::Trusted
        };
        seat.book.decide(device, key, trust);
        if trust > most {
            return Err(Rule::TrustByTheRules.broken(format!("{device} counts as {} though nobody decided about it", trust.code())));
        }
        Ok(())
    }
}
