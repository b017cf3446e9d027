//! Conversations of python-omemo and omemo-dr, recorded with their private keys by `vectors/generate.py`: we play each
//! side. libxeddsa's signatures with the random part given.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::arithmetic_side_effects, clippy::panic, missing_docs)]
use serde::Deserialize;
use std::convert::Infallible;
use subrosa_ratchet::*;

#[derive(Clone, Deserialize)]
#[serde(try_from = "String")]
struct Hex(Vec<u8>);
impl TryFrom<String> for Hex {
    type Error = std::num::ParseIntError;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16)).collect::<Result<_, _>>().map(Hex)
    }
}
impl Hex {
    fn key(&self) -> [u8; 32] {
        self.0.clone().try_into().unwrap()
    }
}
#[derive(Deserialize)]
struct Key {
    id: u32,
    private: Hex,
    public: Hex,
    signature: Option<Hex>,
}
#[derive(Deserialize)]
struct Device {
    private: Hex,
    identity: Hex,
    fingerprint: Hex,
    signed_pre_key: Key,
    pre_keys: Vec<Key>,
}
#[derive(Deserialize)]
struct Event {
    send: Option<String>,
    plain: Option<Hex>,
    exchange: Option<bool>,
    bytes: Option<Hex>,
    ratchet: Option<Hex>,
    ephemeral: Option<Hex>,
    pre_key: Option<u32>,
    receive: Option<String>,
    message: Option<usize>,
}
#[derive(Deserialize)]
struct Conversation {
    profile: String,
    written_alike: bool,
    alice: Device,
    bob: Device,
    events: Vec<Event>,
}
impl PreKeys for Device {
    fn pre_key(&self, id: PreKeyId) -> Option<KeyPair> {
        self.pre_keys.iter().find(|key| key.id == id.0).map(|key| KeyPair::from_private(key.private.key()))
    }
    fn signed_pre_key(&self, id: SignedPreKeyId) -> Option<KeyPair> {
        (self.signed_pre_key.id == id.0).then(|| KeyPair::from_private(self.signed_pre_key.private.key()))
    }
}
/// Gives what was recorded; panics when asked for more.
struct Recorded(Vec<u8>);
impl rand_core::TryRng for Recorded {
    type Error = Infallible;
    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        panic!("only whole keys are drawn")
    }
    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        panic!("only whole keys are drawn")
    }
    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        bytes.copy_from_slice(&self.0.drain(..bytes.len()).collect::<Vec<_>>());
        Ok(())
    }
}
impl rand_core::TryCryptoRng for Recorded {}

fn play<P: Profile>(conversation: &Conversation, who: &str) {
    let (us, them) = if who == "alice" { (&conversation.alice, &conversation.bob) } else { (&conversation.bob, &conversation.alice) };
    let identity = IdentityKeyPair::from_private(&us.private.key());
    assert_eq!(identity.public().fingerprint().as_slice(), us.fingerprint.0);
    let theirs = IdentityKey::parse::<P>(&them.identity.0).unwrap();
    assert_eq!(theirs.fingerprint().as_slice(), them.fingerprint.0);
    let mut session: Option<Session<P>> = None;
    let sent: Vec<&Event> = conversation.events.iter().filter(|event| event.send.is_some()).collect();
    let (mut read, mut written) = (0, 0);
    for event in &conversation.events {
        if event.send.as_deref() == Some(who) {
            let mut rng = Recorded(event.ratchet.as_ref().unwrap().0.clone());
            if session.is_none() {
                let ephemeral = event.ephemeral.as_ref().unwrap();
                let mut keys = Recorded([ephemeral.0.as_slice(), &rng.0].concat());
                let one_time = them.pre_keys.iter().find(|key| Some(key.id) == event.pre_key).unwrap();
                let bundle = UnverifiedBundle::new(
                    &them.identity.0,
                    (SignedPreKeyId(them.signed_pre_key.id), &them.signed_pre_key.public.0),
                    &them.signed_pre_key.signature.as_ref().unwrap().0,
                    Some((PreKeyId(one_time.id), &one_time.public.0)),
                );
                session = Some(Session::initiate(&identity, bundle.unwrap().verify().unwrap(), &mut keys).unwrap());
            }
            let mut out = Vec::new();
            let kind = session.as_mut().unwrap().encrypt(&event.plain.as_ref().unwrap().0, &mut rng, &mut out).unwrap();
            assert_eq!(kind == MessageKind::KeyExchange, event.exchange.unwrap());
            if conversation.written_alike {
                assert_eq!(out, event.bytes.as_ref().unwrap().0);
            }
            written += 1;
        } else if event.receive.as_deref() == Some(who) {
            let message = sent[event.message.unwrap()];
            let bytes = &message.bytes.as_ref().unwrap().0;
            let kind = if message.exchange.unwrap() { MessageKind::KeyExchange } else { MessageKind::Message };
            assert_eq!(MessageKind::sniff::<P>(bytes), Some(kind));
            let plain = match (kind, &mut session) {
                (MessageKind::KeyExchange, Some(session)) => {
                    let exchange = KeyExchange::parse(bytes).unwrap();
                    assert!(session.knows(&exchange));
                    session.decrypt(exchange.message()).unwrap()
                }
                (MessageKind::KeyExchange, None) => {
                    let accepted = Session::accept(&identity, us, &KeyExchange::parse(bytes).unwrap()).unwrap();
                    assert_eq!(accepted.used, Some(PreKeyId(message.pre_key.unwrap())));
                    assert_eq!(accepted.session.peer(), &theirs);
                    session = Some(accepted.session);
                    accepted.plaintext
                }
                (MessageKind::Message, session) => session.as_mut().unwrap().decrypt(bytes).unwrap(),
            };
            assert_eq!(*plain, message.plain.as_ref().unwrap().0);
            read += 1;
        }
    }
    assert!(read >= 5 && written >= 5, "{read} read, {written} written");
}
fn conversation(text: &str) {
    let conversation: Conversation = serde_json::from_str(text).unwrap();
    for who in ["alice", "bob"] {
        match conversation.profile.as_str() {
            "legacy" => play::<Legacy>(&conversation, who),
            "omemo 2" => play::<Omemo2>(&conversation, who),
            other => panic!("{other}"),
        }
    }
}
#[test]
fn oldmemo() {
    conversation(include_str!("vectors/oldmemo.json"));
}
/// Identity keys whose Ed25519 form has sign bit 1: the signature carries it.
#[test]
fn oldmemo_sign_bit() {
    conversation(include_str!("vectors/oldmemo_sign_bit.json"));
}
#[test]
fn twomemo() {
    conversation(include_str!("vectors/twomemo.json"));
}
#[test]
fn omemo_dr() {
    conversation(include_str!("vectors/omemo_dr.json"));
}
/// Ours never have sign bit 1 (so we cannot play these devices), but the keys of others may.
#[test]
fn twomemo_sign_bit() {
    let conversation: Conversation = serde_json::from_str(include_str!("vectors/twomemo_sign_bit.json")).unwrap();
    let device = &conversation.bob;
    assert_eq!(device.identity.0[31] >> 7, 1);
    let one_time = &device.pre_keys[0];
    let bundle = UnverifiedBundle::<Omemo2>::new(
        &device.identity.0,
        (SignedPreKeyId(device.signed_pre_key.id), &device.signed_pre_key.public.0),
        &device.signed_pre_key.signature.as_ref().unwrap().0,
        Some((PreKeyId(one_time.id), &one_time.public.0)),
    );
    let bundle = bundle.unwrap().verify().unwrap();
    assert_eq!(bundle.identity().fingerprint().as_slice(), device.fingerprint.0);
    assert_eq!(&*bundle.identity().to_wire::<Omemo2>(), device.identity.0);
}

#[derive(Deserialize)]
struct Signed {
    private: Hex,
    message: Hex,
    random: Hex,
    signature: Hex,
    curve25519: Hex,
    ed25519: Hex,
}
#[test]
fn libxeddsa() {
    let vectors: Vec<Signed> = serde_json::from_str(include_str!("vectors/xeddsa.json")).unwrap();
    for vector in &vectors {
        let identity = IdentityKeyPair::from_private(&vector.private.key());
        assert_eq!(&*identity.public().to_wire::<Omemo2>(), vector.ed25519.0);
        assert_eq!(identity.public().fingerprint().as_slice(), vector.curve25519.0);
        let signature = identity.sign(&vector.message.0, &mut Recorded(vector.random.0.clone()));
        assert_eq!(signature.as_slice(), vector.signature.0);
        identity.public().verify::<Legacy>(&vector.message.0, &signature).unwrap();
    }
    assert_eq!(vectors.len(), 10);
}
