//! The wire forms against prost, which knows nothing of ours: what we write it reads, what it writes we read, and on
//! garbage we never accept what it refuses.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::arithmetic_side_effects, missing_docs)]
mod common;
use common::*;
use proptest::prelude::*;
use prost::Message as _;
use subrosa_ratchet::*;

#[derive(Clone, PartialEq, prost::Message)]
struct LegacyMessage {
    #[prost(bytes = "vec", optional, tag = "1")]
    ratchet: Option<Vec<u8>>,
    #[prost(uint32, optional, tag = "2")]
    counter: Option<u32>,
    #[prost(uint32, optional, tag = "3")]
    previous: Option<u32>,
    #[prost(bytes = "vec", optional, tag = "4")]
    ciphertext: Option<Vec<u8>>,
}
#[derive(Clone, PartialEq, prost::Message)]
struct LegacyExchange {
    #[prost(uint32, optional, tag = "5")]
    registration: Option<u32>,
    #[prost(uint32, optional, tag = "1")]
    pre_key: Option<u32>,
    #[prost(uint32, optional, tag = "6")]
    signed: Option<u32>,
    #[prost(bytes = "vec", optional, tag = "2")]
    ephemeral: Option<Vec<u8>>,
    #[prost(bytes = "vec", optional, tag = "3")]
    identity: Option<Vec<u8>>,
    #[prost(bytes = "vec", optional, tag = "4")]
    message: Option<Vec<u8>>,
}
#[derive(Clone, PartialEq, prost::Message)]
struct OmemoMessage {
    #[prost(uint32, required, tag = "1")]
    n: u32,
    #[prost(uint32, required, tag = "2")]
    pn: u32,
    #[prost(bytes = "vec", required, tag = "3")]
    dh_pub: Vec<u8>,
    #[prost(bytes = "vec", optional, tag = "4")]
    ciphertext: Option<Vec<u8>>,
}
#[derive(Clone, PartialEq, prost::Message)]
struct Authenticated {
    #[prost(bytes = "vec", required, tag = "1")]
    mac: Vec<u8>,
    #[prost(bytes = "vec", required, tag = "2")]
    message: Vec<u8>,
}
#[derive(Clone, PartialEq, prost::Message)]
struct OmemoExchange {
    #[prost(uint32, required, tag = "1")]
    pk_id: u32,
    #[prost(uint32, required, tag = "2")]
    spk_id: u32,
    #[prost(bytes = "vec", required, tag = "3")]
    ik: Vec<u8>,
    #[prost(bytes = "vec", required, tag = "4")]
    ek: Vec<u8>,
    #[prost(message, required, tag = "5")]
    message: Authenticated,
}

/// Decoded and encoded again by prost, the bytes are the same: ascending fields, shortest numbers, nothing unknown.
#[test]
fn what_we_write() {
    for length in [0, 1, 15, 16, 32, 48, 200, 20_000] {
        for sent in [0, 1, 127, 128, 300] {
            let plain = vec![7; length];
            let (alice, bob) = (Device::new(), Device::new());
            let mut session = alice.initiate::<Legacy>(&bob);
            (0..sent).for_each(|_| _ = seal(&mut session, b""));
            let bytes = seal(&mut session, &plain).1;
            let exchange = LegacyExchange::decode(&bytes[1..]).unwrap();
            assert_eq!((bytes[0], exchange.encode_to_vec().as_slice()), (0x33, &bytes[1..]));
            assert_eq!((exchange.pre_key, exchange.signed, exchange.registration), (Some(1), Some(1), None));
            assert_eq!(exchange.identity.unwrap(), &*alice.identity.public().to_wire::<Legacy>());
            let message = exchange.message.unwrap();
            let (body, mac) = message[1..].split_at(message.len() - 9);
            let inner = LegacyMessage::decode(body).unwrap();
            assert_eq!((message[0], inner.encode_to_vec().as_slice(), mac.len()), (0x33, body, 8));
            assert_eq!((inner.counter, inner.previous, inner.ciphertext.unwrap().len()), (Some(sent), Some(0), length / 16 * 16 + 16));

            let mut session = alice.initiate::<Omemo2>(&bob);
            (0..sent).for_each(|_| _ = seal(&mut session, b""));
            let bytes = seal(&mut session, &plain).1;
            let exchange = OmemoExchange::decode(bytes.as_slice()).unwrap();
            assert_eq!(exchange.encode_to_vec(), bytes);
            assert_eq!((exchange.pk_id, exchange.spk_id, exchange.message.mac.len()), (1, 1, 16));
            assert_eq!(exchange.ik, &*alice.identity.public().to_wire::<Omemo2>());
            let inner = OmemoMessage::decode(exchange.message.message.as_slice()).unwrap();
            assert_eq!(inner.encode_to_vec(), exchange.message.message);
            assert_eq!((inner.n, inner.pn, inner.dh_pub.len()), (sent, 0, 32));
        }
    }
}
fn numbers() -> impl Strategy<Value = u32> {
    prop_oneof![Just(0), Just(127), Just(128), Just(u32::MAX), any::<u32>()]
}
proptest! {
    #[test]
    fn what_others_write(pre_key in prop::option::of(numbers()), signed in numbers(), registration in prop::option::of(numbers()), message in prop::collection::vec(any::<u8>(), 0..300)) {
        let device = Device::new();
        let key = device.signed[&1].public();
        let exchange = LegacyExchange {
            registration,
            pre_key,
            signed: Some(signed),
            ephemeral: Some(key.to_wire::<Legacy>().to_vec()),
            identity: Some(device.identity.public().to_wire::<Legacy>().to_vec()),
            message: Some(message.clone()),
        };
        let mut bytes = vec![0x33];
        exchange.encode(&mut bytes).unwrap();
        prop_assert_eq!(MessageKind::sniff::<Legacy>(&bytes), Some(MessageKind::KeyExchange));
        let parsed = KeyExchange::<Legacy>::parse(&bytes).unwrap();
        prop_assert_eq!(parsed.identity(), device.identity.public());
        prop_assert_eq!((parsed.pre_key(), parsed.signed_pre_key()), (pre_key.map(PreKeyId), SignedPreKeyId(signed)));
        prop_assert_eq!((parsed.ephemeral(), parsed.message()), (key, message.as_slice()));

        let inner = Authenticated { mac: vec![1; 16], message };
        let exchange = OmemoExchange {
            pk_id: pre_key.unwrap_or(5),
            spk_id: signed,
            ik: device.identity.public().to_wire::<Omemo2>().to_vec(),
            ek: key.as_bytes().to_vec(),
            message: inner.clone(),
        };
        let bytes = exchange.encode_to_vec();
        prop_assert_eq!(MessageKind::sniff::<Omemo2>(&bytes), Some(MessageKind::KeyExchange));
        prop_assert_eq!(MessageKind::sniff::<Omemo2>(&inner.encode_to_vec()), Some(MessageKind::Message));
        let parsed = KeyExchange::<Omemo2>::parse(&bytes).unwrap();
        prop_assert_eq!((parsed.pre_key(), parsed.signed_pre_key()), (Some(PreKeyId(exchange.pk_id)), SignedPreKeyId(signed)));
        prop_assert_eq!(parsed.message(), inner.encode_to_vec());
    }
    /// Of exchanges damaged at will, we accept none that prost refuses, and read the same from the others.
    #[test]
    fn damaged(edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0u8..3), 1..4)) {
        let (alice, bob) = (Device::new(), Device::new());
        let mut bytes = seal(&mut alice.initiate::<Omemo2>(&bob), b"text").1;
        for (at, byte, how) in edits {
            let at = at.index(bytes.len());
            match how {
                0 => bytes[at] = byte,
                1 => bytes.insert(at, byte),
                _ => _ = bytes.remove(at),
            }
        }
        if let Ok(ours) = KeyExchange::<Omemo2>::parse(&bytes) {
            // the inner message is opaque to us here, prost looks into it
            if let Ok(theirs) = OmemoExchange::decode(bytes.as_slice()) {
                prop_assert_eq!(ours.pre_key().map_or(0, |id| id.0), theirs.pk_id);
                prop_assert_eq!(ours.signed_pre_key().0, theirs.spk_id);
                prop_assert_eq!(&*ours.identity().to_wire::<Omemo2>(), theirs.ik);
                prop_assert_eq!(ours.ephemeral().as_bytes().as_slice(), theirs.ek);
                prop_assert_eq!(Authenticated::decode(ours.message()).unwrap(), theirs.message);
            } else {
                prop_assert!(Authenticated::decode(ours.message()).is_err());
            }
        }
    }
}
/// Field by field: each error names its cause.
#[test]
fn errors_name_the_cause() {
    let (mut one, _) = pair::<Omemo2>();
    let key = Device::new().signed[&1].public().as_bytes().to_vec();
    let fine = OmemoMessage { n: 0, pn: 0, dh_pub: key, ciphertext: Some(vec![0; 16]) };
    let mut read = |message: &OmemoMessage, mac: usize| {
        let bytes = Authenticated { mac: vec![0; mac], message: message.encode_to_vec() }.encode_to_vec();
        one.decrypt(&bytes).unwrap_err()
    };
    let malformed = DecryptError::Message(MessageError::Malformed);
    assert_eq!(read(&fine, 16), DecryptError::NotAuthentic);
    assert_eq!(read(&fine, 15), malformed);
    assert_eq!(read(&OmemoMessage { ciphertext: None, ..fine.clone() }, 16), DecryptError::Message(MessageError::Missing("ciphertext")));
    assert_eq!(read(&OmemoMessage { ciphertext: Some(vec![]), ..fine.clone() }, 16), malformed);
    assert_eq!(read(&OmemoMessage { ciphertext: Some(vec![0; 17]), ..fine.clone() }, 16), malformed);
    assert_eq!(read(&OmemoMessage { n: u32::MAX, ..fine.clone() }, 16), DecryptError::Message(MessageError::Counter));
    assert!(matches!(read(&OmemoMessage { n: u32::MAX - 1, ..fine.clone() }, 16), DecryptError::TooFarAhead(_) | DecryptError::NotAuthentic));

    let bad = |error| DecryptError::Message(MessageError::BadKey(KeyName::Ratchet, error));
    assert_eq!(read(&OmemoMessage { dh_pub: vec![0; 32], ..fine.clone() }, 16), bad(KeyError::LowOrder));
    assert_eq!(read(&OmemoMessage { dh_pub: vec![9; 31], ..fine.clone() }, 16), bad(KeyError::Length(31)));
    assert_eq!(one.decrypt(&[]).unwrap_err(), DecryptError::Message(MessageError::Missing("message")));
    // a field twice, a group, a number of 33 bits, field 0
    for bytes in [[0x1a, 0, 0x1a, 0].as_slice(), &[0x0b], &[0x08, 0x80, 0x80, 0x80, 0x80, 0x10], &[0x02, 0]] {
        assert_eq!(KeyExchange::<Omemo2>::parse(bytes).unwrap_err(), MessageError::Malformed, "{bytes:02x?}");
    }
    let (mut one, _) = pair::<Legacy>();
    assert_eq!(one.decrypt(&[0x33; 7]).unwrap_err(), DecryptError::Message(MessageError::Truncated));
    assert_eq!(one.decrypt(&[0x23; 40]).unwrap_err(), DecryptError::Message(MessageError::Version(0x23)));
    assert_eq!(KeyExchange::<Legacy>::parse(&[]).unwrap_err(), MessageError::Truncated);
    assert_eq!(KeyExchange::<Legacy>::parse(&[0x33]).unwrap_err(), MessageError::Missing("message"));
}
