//! One ratchet: root chain, sending and receiving chain. Double Ratchet §3 with XEP-0384's parameters.
//!
//! Opening a message only computes; what it would change is a [`Change`], applied when the message was authentic.
//! The new ratchet key after a turn is made by the first message sent, not by the one received.
//! Replaced receiving chains stay for a while: libsignal says one message fewer of a chain than there were, and the
//! last one may be late.
use crate::curve::{self, Point};
use crate::kdf::{self, MessageKeys};
use crate::secret::Secret;
use crate::session::{HEARTBEAT, MAX_SKIP};
use crate::skipped::{Skipped, Slot};
use crate::wire::{ExchangeHeader, Header, Message, write};
use crate::{DecryptError, EncryptError, IdentityKey, KeyError, KeyName, KeyPair, MessageError, PreKeyId, Profile, PublicKey, SignedPreKeyId};
use aes::{Aes256Dec, Aes256Enc};
use cbc::cipher::{Array, BlockModeDecrypt, BlockModeEncrypt, KeyIvInit};
use rand_core::CryptoRng;
use zeroize::Zeroizing;

/// Replaced receiving chains a state keeps.
pub(crate) const MAX_PAST: usize = 4;

#[derive(Clone)]
pub(crate) struct Chain {
    pub(crate) key: Secret,
    /// The counter of the next message.
    pub(crate) counter: u32,
}
#[derive(Clone)]
pub(crate) struct Receiving {
    pub(crate) theirs: PublicKey,
    pub(crate) chain: Chain,
}
#[derive(Clone)]
pub(crate) enum Sending {
    /// Under our ratchet key `public`.
    Chain { chain: Chain, public: PublicKey },
    /// The first message makes a new ratchet key and steps against this one.
    Due { theirs: PublicKey },
}
/// How the state came to be.
#[derive(Clone)]
pub(crate) struct Origin {
    pub(crate) ephemeral: [u8; 32],
    pub(crate) initiated: bool,
    /// We initiated and read no answer.
    pub(crate) pending: Option<Pending>,
}
#[derive(Clone, Copy)]
pub(crate) struct Pending {
    pub(crate) pre_key: Option<PreKeyId>,
    pub(crate) signed_pre_key: SignedPreKeyId,
}
#[derive(Clone)]
pub(crate) struct State {
    pub(crate) root: Secret,
    /// Our ratchet key: of the sending chain, or the one before it while that is due.
    pub(crate) ratchet: Secret,
    pub(crate) sending: Sending,
    pub(crate) receiving: Option<Receiving>,
    /// Messages sent under the ratchet key before.
    pub(crate) previous: u32,
    pub(crate) origin: Origin,
    /// Oldest first.
    pub(crate) past: Vec<Receiving>,
    pub(crate) skipped: Skipped,
    pub(crate) heartbeat_sent: bool,
    /// It never encrypts again.
    pub(crate) closed: bool,
}

/// What a message that left under our identity says about our memory ([`crate::Session::trace`]).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trace {
    /// It was made here, as far as can be told.
    Past,
    /// It was made with a key that this session has yet to use: this memory is older than what was done with it.
    Ahead,
}

/// The identity keys that every MAC is over.
pub(crate) struct Identities<'a> {
    pub(crate) ours: &'a [u8; 32],
    pub(crate) theirs: &'a IdentityKey,
}
/// Type bytes and two keys, or two keys.
struct AssociatedData {
    bytes: [u8; 66],
    length: usize,
}
impl AssociatedData {
    fn new<P: Profile>(identities: &Identities<'_>, initiated: bool, we_send: bool) -> Self {
        let (ours, theirs) = (identities.ours, identities.theirs.bare::<P>());
        let keys = if P::first_is_ours(initiated, we_send) { [ours, theirs] } else { [theirs, ours] };
        let mut bytes = [crate::keys::TYPE; 66];
        let (each, length) = if P::LIBSIGNAL { (33, 66) } else { (32, 64) };
        for (place, key) in bytes.chunks_exact_mut(each).zip(keys) {
            if let Some(place) = place.last_chunk_mut::<32>() {
                *place = *key;
            }
        }
        AssociatedData { bytes, length }
    }
    fn as_slice(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }
}

/// What a message says, and what reading it changes.
pub(crate) struct Opened {
    pub(crate) plaintext: Zeroizing<Vec<u8>>,
    change: Change,
}
impl Opened {
    /// Whether it is the first that is read under a ratchet key of the other.
    pub(crate) fn is_turn(&self) -> bool {
        matches!(self.change, Change::Ratchet(_))
    }
}
enum Change {
    Skipped(Slot),
    Chain { past: Option<usize>, advanced: Advanced },
    Ratchet(Turn),
}
/// A chain after a message, and the seeds before it.
struct Advanced {
    chain: Chain,
    first: u32,
    seeds: Vec<Secret>,
}
/// A turn of the ratchet: the other's new key.
struct Turn {
    root: Secret,
    theirs: PublicKey,
    advanced: Advanced,
    /// What is still missing of the chain before.
    replaced: Option<Advanced>,
}
impl Chain {
    /// The seed of message `counter`, and the chain behind it.
    fn advance(&self, counter: u32) -> Result<(Secret, Advanced), DecryptError> {
        let gap = counter.saturating_sub(self.counter);
        if gap > MAX_SKIP {
            return Err(DecryptError::TooFarAhead(gap));
        }
        let mut advanced = self.skip(gap);
        let [seed, key] = kdf::chain_step(&advanced.chain.key);
        // never the last number: the codec refuses it
        advanced.chain = Chain { key, counter: counter.saturating_add(1) };
        Ok((seed, advanced))
    }
    fn skip(&self, count: u32) -> Advanced {
        let mut seeds = Vec::with_capacity(count as usize);
        let mut chain = self.clone();
        for _ in 0..count {
            let [seed, key] = kdf::chain_step(&chain.key);
            seeds.push(seed);
            chain.key = key;
        }
        chain.counter = self.counter.saturating_add(count);
        Advanced { chain, first: self.counter, seeds }
    }
}

impl State {
    /// The initiator's first state. `root` is of X3DH, `shared` of the new ratchet key and the signed prekey.
    pub(crate) fn initiate<P: Profile>(root: &Secret, shared: &Secret, ratchet: KeyPair, origin: Origin) -> Self {
        let [root, chain] = kdf::root_step(root, shared, P::ROOT_INFO);
        let KeyPair { secret, public } = ratchet;
        State {
            root,
            ratchet: secret,
            sending: Sending::Chain { chain: Chain { key: chain, counter: 0 }, public },
            receiving: None,
            previous: 0,
            origin,
            past: Vec::new(),
            skipped: Skipped::default(),
            heartbeat_sent: false,
            closed: false,
        }
    }
    /// The acceptor's first state, by the first message. `root` is of X3DH, `shared` of the signed prekey and the
    /// message's ratchet key.
    pub(crate) fn accept<P: Profile>(
        root: &Secret,
        shared: &Secret,
        signed: KeyPair,
        ephemeral: [u8; 32],
        message: &Message<'_>,
        identities: &Identities<'_>,
    ) -> Result<(Self, Zeroizing<Vec<u8>>), DecryptError> {
        let (plaintext, turn) = Turn::open::<P>(root, shared, message, &AssociatedData::new::<P>(identities, false, false))?;
        let Turn { root, theirs, advanced, .. } = turn;
        let mut skipped = Skipped::default();
        skipped.insert(theirs.as_bytes(), advanced.first, &advanced.seeds);
        let state = State {
            root,
            ratchet: signed.secret,
            sending: Sending::Due { theirs },
            receiving: Some(Receiving { theirs, chain: advanced.chain }),
            previous: 0,
            origin: Origin { ephemeral, initiated: false, pending: None },
            past: Vec::new(),
            skipped,
            heartbeat_sent: false,
            closed: false,
        };
        Ok((state, plaintext))
    }
    /// Whether this state alone can read messages under this ratchet key.
    pub(crate) fn knows(&self, theirs: &PublicKey) -> bool {
        self.receiving.iter().chain(&self.past).any(|receiving| receiving.theirs == *theirs) || self.skipped.knows(theirs.as_bytes())
    }
    pub(crate) fn open<P: Profile>(&self, message: &Message<'_>, identities: &Identities<'_>) -> Result<Opened, DecryptError> {
        let ad = AssociatedData::new::<P>(identities, self.origin.initiated, false);
        let current = self.receiving.as_ref().filter(|receiving| receiving.theirs == message.ratchet).map(|receiving| (None, receiving));
        let chain = current.or_else(|| {
            let at = self.past.iter().position(|receiving| receiving.theirs == message.ratchet)?;
            Some((Some(at), self.past.get(at)?))
        });
        match chain {
            Some((past, receiving)) if message.counter >= receiving.chain.counter => {
                let (seed, advanced) = receiving.chain.advance(message.counter)?;
                let plaintext = open::<P>(&seed, message, &ad)?;
                Ok(Opened { plaintext, change: Change::Chain { past, advanced } })
            }
            chain if chain.is_some() || self.skipped.knows(message.ratchet.as_bytes()) => {
                let (slot, seed) = self.skipped.find(message.ratchet.as_bytes(), message.counter).ok_or(DecryptError::Duplicate)?;
                Ok(Opened { plaintext: open::<P>(seed, message, &ad)?, change: Change::Skipped(slot) })
            }
            _ => {
                // until we have sent under a new key of ours, the other cannot have turned
                if matches!(self.sending, Sending::Due { .. }) {
                    return Err(DecryptError::NotAuthentic);
                }
                let [shared] = curve::dh([(&self.ratchet, &message.ratchet.point())]);
                let (plaintext, mut turn) = Turn::open::<P>(&self.root, &shared, message, &ad)?;
                turn.replaced = self.receiving.as_ref().map(|receiving| {
                    let missing = message.previous.saturating_sub(receiving.chain.counter);
                    // a chain too far behind is kept as it is
                    receiving.chain.skip(if missing > MAX_SKIP { 0 } else { missing })
                });
                Ok(Opened { plaintext, change: Change::Ratchet(turn) })
            }
        }
    }
    /// Makes the state that of after the message.
    pub(crate) fn apply(&mut self, opened: Opened) -> Zeroizing<Vec<u8>> {
        match opened.change {
            Change::Skipped(slot) => self.skipped.remove(slot),
            Change::Chain { past, advanced } => {
                let receiving = match past {
                    None => self.receiving.as_mut(),
                    Some(at) => self.past.get_mut(at),
                };
                if let Some(receiving) = receiving {
                    self.skipped.insert(receiving.theirs.as_bytes(), advanced.first, &advanced.seeds);
                    receiving.chain = advanced.chain;
                }
            }
            Change::Ratchet(turn) => {
                if let (Some(mut receiving), Some(replaced)) = (self.receiving.take(), turn.replaced) {
                    self.skipped.insert(receiving.theirs.as_bytes(), replaced.first, &replaced.seeds);
                    receiving.chain = replaced.chain;
                    if self.past.len() >= MAX_PAST {
                        self.past.remove(0);
                    }
                    self.past.push(receiving);
                }
                self.skipped.insert(turn.theirs.as_bytes(), turn.advanced.first, &turn.advanced.seeds);
                self.root = turn.root;
                self.receiving = Some(Receiving { theirs: turn.theirs, chain: turn.advanced.chain });
                if let Sending::Chain { chain, .. } = &self.sending {
                    self.previous = chain.counter;
                }
                self.sending = Sending::Due { theirs: turn.theirs };
                self.heartbeat_sent = false;
            }
        }
        self.origin.pending = None;
        opened.plaintext
    }
    /// Appends a message; whether it was in a key exchange.
    pub(crate) fn seal<P: Profile>(
        &mut self,
        plain: &[u8],
        identities: &Identities<'_>,
        rng: &mut dyn CryptoRng,
        out: &mut Vec<u8>,
    ) -> Result<bool, EncryptError> {
        if self.closed {
            return Err(EncryptError::Closed);
        }
        if let Sending::Due { theirs } = self.sending {
            let KeyPair { secret, public } = KeyPair::generate(rng);
            let [shared] = curve::dh([(&secret, &theirs.point())]);
            let [root, key] = kdf::root_step(&self.root, &shared, P::ROOT_INFO);
            self.root = root;
            self.ratchet = secret;
            self.sending = Sending::Chain { chain: Chain { key, counter: 0 }, public };
        }
        let Sending::Chain { chain, public } = &mut self.sending else { return Err(EncryptError::Exhausted) };
        let counter = chain.counter;
        let next = counter.checked_add(1).ok_or(EncryptError::Exhausted)?;
        let [seed, key] = kdf::chain_step(&chain.key);
        let exchange = self.origin.pending.map(|pending| ExchangeHeader {
            identity: identities.ours,
            ephemeral: &self.origin.ephemeral,
            pre_key: pending.pre_key,
            signed_pre_key: pending.signed_pre_key,
        });
        let in_exchange = exchange.is_some();
        let ad = AssociatedData::new::<P>(identities, self.origin.initiated, true);
        seal::<P>(&seed, plain, exchange, &Header { ratchet: public, counter, previous: self.previous }, &ad, out);
        *chain = Chain { key, counter: next };
        if self.past_heartbeat() {
            self.heartbeat_sent = true;
        }
        Ok(in_exchange)
    }
    /// A message of [`HEARTBEAT`] or more was read under the current ratchet key.
    fn past_heartbeat(&self) -> bool {
        self.receiving.as_ref().is_some_and(|receiving| receiving.chain.counter > HEARTBEAT)
    }
    pub(crate) fn heartbeat_due(&self) -> bool {
        self.past_heartbeat() && !self.heartbeat_sent && !self.closed
    }
    /// What a message under our own ratchet key says about this state. `None`: it is not under its key, or is not authentic.
    pub(crate) fn trace<P: Profile>(&self, message: &Message<'_>, identities: &Identities<'_>) -> Option<Trace> {
        let Sending::Chain { chain, public } = &self.sending else { return None };
        if *public != message.ratchet {
            return None;
        }
        if message.counter < chain.counter || self.closed {
            return Some(Trace::Past);
        }
        let (seed, _) = chain.advance(message.counter).ok()?;
        let ad = AssociatedData::new::<P>(identities, self.origin.initiated, true);
        open::<P>(&seed, message, &ad).ok().map(|_| Trace::Ahead)
    }
}
impl Turn {
    fn open<P: Profile>(
        root: &Secret,
        shared: &Secret,
        message: &Message<'_>,
        ad: &AssociatedData,
    ) -> Result<(Zeroizing<Vec<u8>>, Self), DecryptError> {
        if shared.is_zero() {
            return Err(MessageError::BadKey(KeyName::Ratchet, KeyError::LowOrder).into());
        }
        let [root, key] = kdf::root_step(root, shared, P::ROOT_INFO);
        let (seed, advanced) = Chain { key, counter: 0 }.advance(message.counter)?;
        let plaintext = open::<P>(&seed, message, ad)?;
        Ok((plaintext, Turn { root, theirs: message.ratchet, advanced, replaced: None }))
    }
}

fn seal<P: Profile>(seed: &Secret, plain: &[u8], exchange: Option<ExchangeHeader<'_>>, header: &Header<'_>, ad: &AssociatedData, out: &mut Vec<u8>) {
    let keys = kdf::message_keys(seed, P::MESSAGE_INFO);
    // PKCS#7: 1 to 16 bytes
    let whole = plain.len() & !15;
    let length = whole.saturating_add(16);
    let layout = write::<P>(out, exchange, header, length);
    let end = layout.ciphertext.saturating_add(length);
    if let Some(place) = out.get_mut(layout.ciphertext..end) {
        place.fill((length.saturating_sub(plain.len()) & 0xff) as u8);
        if let Some(place) = place.get_mut(..plain.len()) {
            place.copy_from_slice(plain);
        }
        let mut cipher = cbc::Encryptor::<Aes256Enc>::new(&keys.cipher.0.into(), &keys.iv.into());
        cipher.encrypt_blocks(Array::cast_slice_from_core_mut(place.as_chunks_mut::<16>().0));
    }
    let authenticated = out.get(layout.authenticated..end).unwrap_or_default();
    let mac = kdf::hmac(&keys.mac.0, [ad.as_slice(), authenticated]);
    if let Some(place) = out.get_mut(layout.mac..layout.mac.saturating_add(P::MAC)) {
        place.iter_mut().zip(mac.0).for_each(|(place, byte)| *place = byte);
    }
}
fn open<P: Profile>(seed: &Secret, message: &Message<'_>, ad: &AssociatedData) -> Result<Zeroizing<Vec<u8>>, DecryptError> {
    let MessageKeys { cipher, mac, iv } = kdf::message_keys(seed, P::MESSAGE_INFO);
    let mac = kdf::hmac(&mac.0, [ad.as_slice(), message.authenticated]);
    let expected = mac.0.get(..P::MAC).unwrap_or_default();
    if !bool::from(subtle::ConstantTimeEq::ct_eq(expected, message.mac)) {
        return Err(DecryptError::NotAuthentic);
    }
    let mut plain = Zeroizing::new(message.ciphertext.to_vec());
    let mut decryptor = cbc::Decryptor::<Aes256Dec>::new(&cipher.0.into(), &iv.into());
    decryptor.decrypt_blocks(Array::cast_slice_from_core_mut(plain.as_chunks_mut::<16>().0));
    // behind the MAC: what is wrong here, the sender did
    let padding = plain.last().copied().unwrap_or_default();
    let length = plain.len().checked_sub(padding.into()).ok_or(MessageError::Padding)?;
    let padded = plain.get(length..).unwrap_or_default();
    if !(1..=16).contains(&padding) || padded.iter().any(|byte| *byte != padding) {
        return Err(MessageError::Padding.into());
    }
    plain.truncate(length);
    Ok(plain)
}

/// X3DH §3.3: DH1…DH4 behind 32 bytes 0xFF. [`KeyName`] of the key whose secret came out as zero otherwise.
pub(crate) fn agreement<P: Profile>(sharings: [&Secret; 3], one_time: Option<&Secret>) -> Secret {
    let mut material = Zeroizing::new([0xff; 160]);
    let places = material.chunks_exact_mut(32).skip(1);
    let mut length = 32usize;
    for (place, shared) in places.zip(sharings.into_iter().chain(one_time)) {
        place.copy_from_slice(&shared.0);
        length = length.saturating_add(32);
    }
    kdf::agreement(material.get(..length).unwrap_or_default(), P::X3DH_INFO)
}
pub(crate) fn point_of(identity: &IdentityKey, edwards: curve25519_dalek::edwards::EdwardsPoint) -> Point {
    Point::with_edwards(&identity.u, edwards)
}
