//! The stored form of sessions: fixed-size fields, little-endian, nothing that can be had from the rest. Version 2.
//!
//! ```text
//! session  profile tag, version 2, ours 32, theirs u 32, theirs Ed25519 32, unanswered u32,
//!          elsewhere u8 (bit 7 sent, bit 6 crossed, rest turns), archived u8, states: current, archived newest first
//! state    flags u8, root 32, ratchet 32, ephemeral 32, previous u32,
//!          PENDING: signed prekey id u32, PRE_KEY: prekey id u32, SENDING: public 32 + chain, RECEIVING: theirs 32 + chain,
//!          past u8 of (theirs 32 + chain), skipped u16 of (ratchet 32, turns u16, u16 of (counter u32, seed 32))
//! chain    key 32, counter u32
//! ```
//! Version 1 had no turns of skipped keys. Reading is strict: another profile, another version, a byte too few or too many, a key of low order, a number out of
//! its limits are errors.
use crate::secret::Secret;
use crate::session::{Elsewhere, MAX_ARCHIVED, MAX_SKIP, MAX_TURNS};
use crate::skipped::Skipped;
use crate::state::{Chain, MAX_PAST, Origin, Pending, Receiving, Sending, State};
use crate::{IdentityKey, PreKeyId, Profile, PublicKey, Session, SignedPreKeyId, StoredError};
use std::marker::PhantomData;
use zeroize::Zeroizing;

const VERSION: u8 = 2;

const INITIATED: u8 = 1;
const PENDING: u8 = 2;
const PRE_KEY: u8 = 4;
const SENDING: u8 = 8;
const RECEIVING: u8 = 16;
const HEARTBEAT_SENT: u8 = 32;
const CLOSED: u8 = 64;

const SENT: u8 = 0x80;
const CROSSED: u8 = 0x40;
const TURNS: u8 = 0x3f;

const SESSION: usize = 2 + 3 * 32 + 4 + 2;
const STATE: usize = 1 + 3 * 32 + 4 + 8 + 2 * 68 + 3;

impl<P: Profile> Session<P> {
    /// The stored form: versioned, compact; starts with [`Profile::TAG`].
    pub fn to_bytes(&self) -> Zeroizing<Vec<u8>> {
        // enough, so that no half-written copy is left behind
        let mut out = Zeroizing::new(Vec::with_capacity(self.stored_size()));
        self.write(&mut out);
        out
    }
    /// How many bytes [`Session::write`] writes at most.
    pub fn stored_size(&self) -> usize {
        let lists = |state: &State| state.past.len().saturating_mul(68).saturating_add(state.skipped.len().saturating_mul(72));
        self.states().fold(SESSION, |size, state| size.saturating_add(STATE).saturating_add(lists(state)))
    }
    /// Appends what [`Session::to_bytes`] gives, for a larger record that is wiped as a whole. Give it room for
    /// [`Session::stored_size`] more bytes before: a vector that has to grow leaves a copy behind.
    pub fn write(&self, out: &mut Vec<u8>) {
        let Elsewhere { turns, sent, crossed } = self.elsewhere;
        out.extend_from_slice(&[P::TAG, VERSION]);
        out.extend_from_slice(&self.ours);
        out.extend_from_slice(&self.theirs.u);
        out.extend_from_slice(&self.theirs.ed);
        out.extend_from_slice(&self.unanswered.to_le_bytes());
        out.push(turns.min(TURNS) | flag(sent, SENT) | flag(crossed, CROSSED));
        out.push((self.archived.len() & 0xff) as u8);
        self.states().for_each(|state| write_state(state, out));
    }
    /// What [`Session::to_bytes`] gave, of this version or an earlier one.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, StoredError> {
        let mut reader = Reader(bytes, VERSION);
        if reader.byte()? != P::TAG {
            return Err(StoredError::Profile);
        }
        match reader.byte()? {
            version @ 1..=VERSION => reader.1 = version,
            version => return Err(StoredError::Version(version)),
        }
        let (ours, u, ed) = (reader.array()?, reader.array()?, reader.array()?);
        let unanswered = reader.number()?;
        let elsewhere = reader.byte()?;
        let count = usize::from(reader.byte()?);
        if count > MAX_ARCHIVED || crate::curve::is_low_order(&u) {
            return Err(StoredError::Damaged);
        }
        let current = reader.state()?;
        let mut archived = Vec::with_capacity(count);
        for _ in 0..count {
            archived.push(reader.state()?);
        }
        if !reader.0.is_empty() {
            return Err(StoredError::Damaged);
        }
        Ok(Session {
            ours,
            theirs: IdentityKey { u, ed },
            current,
            archived,
            unanswered,
            elsewhere: Elsewhere { turns: elsewhere & TURNS, sent: elsewhere & SENT != 0, crossed: elsewhere & CROSSED != 0 },
            _profile: PhantomData,
        })
    }
}
fn flag(set: bool, bit: u8) -> u8 {
    if set { bit } else { 0 }
}
fn write_state(state: &State, out: &mut Vec<u8>) {
    let pending = state.origin.pending;
    let sending = matches!(state.sending, Sending::Chain { .. });
    out.push(
        flag(state.origin.initiated, INITIATED)
            | flag(pending.is_some(), PENDING)
            | flag(pending.is_some_and(|pending| pending.pre_key.is_some()), PRE_KEY)
            | flag(sending, SENDING)
            | flag(state.receiving.is_some(), RECEIVING)
            | flag(state.heartbeat_sent, HEARTBEAT_SENT)
            | flag(state.closed, CLOSED),
    );
    out.extend_from_slice(&state.root.0);
    out.extend_from_slice(&state.ratchet.0);
    out.extend_from_slice(&state.origin.ephemeral);
    out.extend_from_slice(&state.previous.to_le_bytes());
    if let Some(Pending { pre_key, signed_pre_key }) = pending {
        out.extend_from_slice(&signed_pre_key.0.to_le_bytes());
        if let Some(id) = pre_key {
            out.extend_from_slice(&id.0.to_le_bytes());
        }
    }
    if let Sending::Chain { chain, public } = &state.sending {
        write_chain(public, chain, out);
    }
    if let Some(receiving) = &state.receiving {
        write_chain(&receiving.theirs, &receiving.chain, out);
    }
    out.push((state.past.len() & 0xff) as u8);
    for receiving in &state.past {
        write_chain(&receiving.theirs, &receiving.chain, out);
    }
    let chains = state.skipped.chains();
    out.extend_from_slice(&count(chains.len()).to_le_bytes());
    for (ratchet, turns, length, seeds) in chains {
        out.extend_from_slice(ratchet);
        out.extend_from_slice(&turns.to_le_bytes());
        out.extend_from_slice(&count(length).to_le_bytes());
        for (counter, seed) in seeds {
            out.extend_from_slice(&counter.to_le_bytes());
            out.extend_from_slice(&seed.0);
        }
    }
}
fn write_chain(key: &PublicKey, chain: &Chain, out: &mut Vec<u8>) {
    out.extend_from_slice(key.as_bytes());
    out.extend_from_slice(&chain.key.0);
    out.extend_from_slice(&chain.counter.to_le_bytes());
}
/// At most [`MAX_SKIP`].
fn count(length: usize) -> u16 {
    length.try_into().unwrap_or(u16::MAX)
}

/// What is left, and the version that it is in.
struct Reader<'a>(&'a [u8], u8);
impl Reader<'_> {
    fn array<const N: usize>(&mut self) -> Result<[u8; N], StoredError> {
        let (bytes, rest) = self.0.split_first_chunk().ok_or(StoredError::Damaged)?;
        self.0 = rest;
        Ok(*bytes)
    }
    fn byte(&mut self) -> Result<u8, StoredError> {
        self.array().map(|[byte]| byte)
    }
    fn number(&mut self) -> Result<u32, StoredError> {
        self.array().map(u32::from_le_bytes)
    }
    fn count(&mut self) -> Result<u16, StoredError> {
        self.array().map(u16::from_le_bytes)
    }
    fn secret(&mut self) -> Result<Secret, StoredError> {
        let (bytes, rest) = self.0.split_first_chunk().ok_or(StoredError::Damaged)?;
        self.0 = rest;
        Ok(Secret(*bytes))
    }
    fn public(&mut self) -> Result<PublicKey, StoredError> {
        PublicKey::from_bytes(self.array()?).map_err(|_| StoredError::Damaged)
    }
    fn chain(&mut self) -> Result<Chain, StoredError> {
        Ok(Chain { key: self.secret()?, counter: self.number()? })
    }
    fn receiving(&mut self) -> Result<Receiving, StoredError> {
        Ok(Receiving { theirs: self.public()?, chain: self.chain()? })
    }
    fn state(&mut self) -> Result<State, StoredError> {
        let flags = self.byte()?;
        let has = |bit| flags & bit != 0;
        if flags & !(INITIATED | PENDING | PRE_KEY | SENDING | RECEIVING | HEARTBEAT_SENT | CLOSED) != 0 || has(PRE_KEY) && !has(PENDING) {
            return Err(StoredError::Damaged);
        }
        let (root, ratchet, ephemeral, previous) = (self.secret()?, self.secret()?, self.array()?, self.number()?);
        let pending = if has(PENDING) {
            let signed_pre_key = SignedPreKeyId(self.number()?);
            let pre_key = if has(PRE_KEY) { Some(PreKeyId(self.number()?)) } else { None };
            Some(Pending { pre_key, signed_pre_key })
        } else {
            None
        };
        let sending = if has(SENDING) { Some((self.public()?, self.chain()?)) } else { None };
        let receiving = if has(RECEIVING) { Some(self.receiving()?) } else { None };
        let sending = match (sending, &receiving) {
            (Some((public, chain)), _) => Sending::Chain { chain, public },
            (None, Some(receiving)) => Sending::Due { theirs: receiving.theirs },
            (None, None) => return Err(StoredError::Damaged),
        };
        let length = usize::from(self.byte()?);
        if length > MAX_PAST {
            return Err(StoredError::Damaged);
        }
        let mut past = Vec::with_capacity(length);
        for _ in 0..length {
            past.push(self.receiving()?);
        }
        Ok(State {
            root,
            ratchet,
            sending,
            receiving,
            previous,
            origin: Origin { ephemeral, initiated: has(INITIATED), pending },
            past,
            skipped: self.skipped()?,
            heartbeat_sent: has(HEARTBEAT_SENT),
            closed: has(CLOSED),
        })
    }
    fn skipped(&mut self) -> Result<Skipped, StoredError> {
        let mut skipped = Skipped::default();
        let room = self.0.len() / (4 + 32);
        for _ in 0..self.count()? {
            let ratchet = self.array()?;
            let turns = if self.1 >= 2 { self.count()? } else { 0 };
            let length = self.count()?;
            if turns > MAX_TURNS || length == 0 || u32::from(length) > MAX_SKIP || skipped.knows(&ratchet) {
                return Err(StoredError::Damaged);
            }
            let mut seeds = Vec::with_capacity(length.into());
            for _ in 0..length {
                let (counter, seed) = (self.number()?, self.secret()?);
                if seed.is_zero() || seeds.last().is_some_and(|(last, _)| *last >= counter) {
                    return Err(StoredError::Damaged);
                }
                seeds.push((counter, seed));
            }
            skipped.restore(&ratchet, turns, &seeds, room);
            if skipped.len() > MAX_SKIP as usize {
                return Err(StoredError::Damaged);
            }
        }
        Ok(skipped)
    }
}
