//! A session with one device, of either version: the one place where the two meet.
use crate::wire::Version;
use rand_core::CryptoRng;
use subrosa_engine::codec::Reader;
use subrosa_engine::{Fingerprint, MessageId, Record, Time};
use subrosa_ratchet::{EncryptError, IdentityKey, Legacy, MessageKind, Omemo2, Profile, Session, Trace};

/// A ratchet of either version.
#[derive(Clone)]
pub(crate) enum Ratchet {
    Legacy(Session<Legacy>),
    Omemo2(Session<Omemo2>),
}
/// All sessions with one device.
#[derive(Clone)]
pub(crate) struct SessionRecord {
    /// What we send on. `None`: what was stored is damaged.
    pub current: Option<Ratchet>,
    /// Of the other version, to read what still comes.
    pub other: Option<Box<Ratchet>>,
    /// When it was last heard of; 0: never.
    pub heard: Time,
    /// Of which memory they are: those of an earlier one only decrypt.
    pub epoch: u32,
    /// Of a device that speaks both versions: what was read last.
    pub last: Option<Part>,
}
/// A message with words that was read: a device that speaks both versions may send another of it, for devices of the other version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Part {
    pub version: Version,
    /// A digest of its id.
    pub id: u64,
}
impl Part {
    pub fn of(version: Version, id: &MessageId) -> Self {
        // FNV-1a: stored, so it never changes
        let id = id.as_str().bytes().fold(0xcbf2_9ce4_8422_2325, |h: u64, b| (h ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3));
        Part { version, id }
    }
    fn read(input: &mut Reader<'_>) -> Option<Option<Self>> {
        let version = match input.u8()? {
            0 => return Some(None),
            1 => Version::Omemo2,
            _ => Version::Legacy,
        };
        Some(Some(Part { version, id: input.u64()? }))
    }
    /// What it takes to store one.
    const STORED: usize = 8;
}
/// The profile of a version, with the way from and to the enum.
pub(crate) trait Spoken: Profile {
    const VERSION: Version;
    fn wrap(session: Session<Self>) -> Ratchet;
    fn of(ratchet: &mut Ratchet) -> Option<&mut Session<Self>>;
}
impl Spoken for Legacy {
    const VERSION: Version = Version::Legacy;
    fn wrap(session: Session<Self>) -> Ratchet {
        Ratchet::Legacy(session)
    }
    fn of(ratchet: &mut Ratchet) -> Option<&mut Session<Self>> {
        if let Ratchet::Legacy(s) = ratchet { Some(s) } else { None }
    }
}
impl Spoken for Omemo2 {
    const VERSION: Version = Version::Omemo2;
    fn wrap(session: Session<Self>) -> Ratchet {
        Ratchet::Omemo2(session)
    }
    fn of(ratchet: &mut Ratchet) -> Option<&mut Session<Self>> {
        if let Ratchet::Omemo2(s) = ratchet { Some(s) } else { None }
    }
}

macro_rules! both {
    ($ratchet:expr, $s:ident => $body:expr) => {
        match $ratchet {
            Ratchet::Legacy($s) => $body,
            Ratchet::Omemo2($s) => $body,
        }
    };
}
impl Ratchet {
    pub fn version(&self) -> Version {
        match self {
            Ratchet::Legacy(_) => Version::Legacy,
            Ratchet::Omemo2(_) => Version::Omemo2,
        }
    }
    pub fn identity(&self) -> &IdentityKey {
        both!(self, s => s.peer())
    }
    pub fn fingerprint(&self) -> Fingerprint {
        Fingerprint(self.identity().fingerprint())
    }
    /// Whether it only decrypts.
    pub fn is_closed(&self) -> bool {
        both!(self, s => s.is_closed())
    }
    fn close(&mut self) {
        both!(self, s => s.close());
    }
    /// What a message of ours that came back says about this memory.
    pub fn trace(&self, sent: &[u8]) -> Option<Trace> {
        both!(self, s => s.trace(sent))
    }
    pub fn encrypt(&mut self, plain: &[u8], rng: &mut dyn CryptoRng, out: &mut Vec<u8>) -> Result<MessageKind, EncryptError> {
        both!(self, s => s.encrypt(plain, rng, out))
    }
    fn read(bytes: &[u8]) -> Option<Self> {
        match *bytes.first()? {
            Legacy::TAG => Session::from_bytes(bytes).ok().map(Ratchet::Legacy),
            Omemo2::TAG => Session::from_bytes(bytes).ok().map(Ratchet::Omemo2),
            _ => None,
        }
    }
}
impl SessionRecord {
    pub fn new(ratchet: Ratchet, epoch: u32) -> Self {
        SessionRecord { current: Some(ratchet), other: None, heard: Time(0), epoch, last: None }
    }
    /// What is sent on; `None`: there is nothing that may be, though what comes is read.
    pub fn speaks(&self, epoch: u32) -> Option<&Ratchet> {
        self.current.as_ref().filter(|r| self.epoch == epoch && !r.is_closed())
    }
    /// The one of this version, if it may be sent on.
    pub fn sends(&self, version: Version, epoch: u32) -> Option<&Ratchet> {
        self.in_version(version).filter(|r| self.epoch == epoch && !r.is_closed())
    }
    /// The same, to send on it.
    pub fn sender(&mut self, version: Version, epoch: u32) -> Option<&mut Ratchet> {
        let is = |r: &&mut Ratchet| r.version() == version && !r.is_closed();
        if self.epoch != epoch {
            return None;
        }
        self.current.as_mut().filter(is).or_else(|| self.other.as_deref_mut().filter(is))
    }
    /// Those of an earlier memory never send again.
    fn enter(&mut self, epoch: u32) {
        if self.epoch != epoch {
            self.current.iter_mut().chain(self.other.as_deref_mut()).for_each(Ratchet::close);
            self.epoch = epoch;
        }
    }
    /// The session of a version that is sent on, or would be.
    pub fn of<P: Spoken>(&mut self) -> Option<&mut Session<P>> {
        self.current.as_mut().and_then(P::of).or_else(|| self.other.as_deref_mut().and_then(P::of))
    }
    pub fn in_version(&self, version: Version) -> Option<&Ratchet> {
        [self.current.as_ref(), self.other.as_deref()].into_iter().flatten().find(|r| r.version() == version)
    }
    /// Takes in a new session and sends in its version from here. One of the other version is kept beside it, to decrypt.
    pub fn replace<P: Spoken>(&mut self, new: Session<P>, epoch: u32) {
        self.receive(new, epoch);
        self.speak(P::VERSION);
    }
    /// Takes in a session that the other side started, without a change of the version that is spoken. Which of two of one
    /// version sends is the ratchet's to say ([`Session::supersede`]).
    pub fn receive<P: Spoken>(&mut self, new: Session<P>, epoch: u32) {
        self.enter(epoch);
        match self.of::<P>() {
            Some(old) => old.supersede(new),
            None => match &mut self.current {
                Some(_) => self.other = Some(Box::new(P::wrap(new))),
                empty => *empty = Some(P::wrap(new)),
            },
        }
    }
    /// Sends in this version from here, if there is a session of it.
    pub fn speak(&mut self, version: Version) {
        if let Some(other) = self.other.as_deref_mut().filter(|r| r.version() == version) {
            match &mut self.current {
                Some(current) => std::mem::swap(current, other),
                None => self.current = self.other.take().map(|r| *r),
            }
        }
    }
}
/// Version 3: `3, heard u64, epoch u32, last u8 (0: none; else its version, id u64), length u32, current session, other session`,
/// either of them empty. Version 2 had no last, version 1 no epoch either.
impl Record for SessionRecord {
    fn encode(&self) -> Vec<u8> {
        let size = |ratchet: &Ratchet| both!(ratchet, s => s.stored_size());
        let (current, other) = (self.current.as_ref(), self.other.as_deref());
        // room for all of it: growing would leave a copy of the keys behind
        let all = current.map_or(0, size).saturating_add(other.map_or(0, size)).saturating_add(HEAD).saturating_add(Part::STORED);
        let mut out = Vec::with_capacity(all);
        out.push(3);
        out.extend_from_slice(&self.heard.0.to_le_bytes());
        out.extend_from_slice(&self.epoch.to_le_bytes());
        match self.last {
            None => out.push(0),
            Some(Part { version, id }) => {
                out.push(if version == Version::Omemo2 { 1 } else { 2 });
                out.extend_from_slice(&id.to_le_bytes());
            }
        }
        let place = out.len();
        out.extend_from_slice(&[0; LENGTH]);
        let start = out.len();
        if let Some(ratchet) = current {
            both!(ratchet, s => s.write(&mut out));
        }
        let length = u32::try_from(out.len().saturating_sub(start)).unwrap_or(u32::MAX);
        if let Some(place) = out.get_mut(place..start) {
            place.copy_from_slice(&length.to_le_bytes());
        }
        if let Some(ratchet) = other {
            both!(ratchet, s => s.write(&mut out));
        }
        out
    }
    /// A session that is damaged is left out: then there is none, and a new one is started.
    fn decode(bytes: &[u8]) -> Option<Self> {
        let mut input = Reader::new(bytes);
        let version = input.u8().filter(|version| (1..=3).contains(version))?;
        let heard = Time(input.u64().unwrap_or_default());
        let epoch = if version >= 2 { input.u32().unwrap_or_default() } else { 0 };
        let last = if version >= 3 { Part::read(&mut input).unwrap_or_default() } else { None };
        let length = input.u32().and_then(|n| usize::try_from(n).ok()).unwrap_or_default();
        let (current, other) = input.rest().split_at_checked(length).unwrap_or_default();
        Some(SessionRecord { current: Ratchet::read(current), other: Ratchet::read(other).map(Box::new), heard, epoch, last })
    }
}
/// What the length of the current session takes, and what is before that session where there is no last.
const LENGTH: usize = 4;
const HEAD: usize = 18;
