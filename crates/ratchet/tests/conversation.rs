//! Sessions from the first message on: what is written when, loss, reordering, limits, bad input.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::arithmetic_side_effects, clippy::panic)]
mod common;
use common::*;
use proptest::prelude::*;
use subrosa_ratchet::*;

macro_rules! both {
    ($($name:ident)*) => { $(mod $name {
        #[test] fn legacy() { super::$name::<super::Legacy>() }
        #[test] fn omemo_2() { super::$name::<super::Omemo2>() }
    })* };
}
both!(exchange_until_answered skip_limits session_limit late_for_many_turns late_for_too_many_turns duplicates tampering exchange_errors counters_at_the_end heartbeat stored_at_every_step previous_chain_longer_than_said debug_is_redacted bundles);

fn exchange_until_answered<P: Profile>() {
    let (alice, bob) = (Device::new(), Device::new());
    let mut one = alice.initiate::<P>(&bob);
    assert!(one.is_unacknowledged() && one.initiated() && one.receiving().is_none());
    let (kind, first) = seal(&mut one, b"one");
    assert_eq!(kind, MessageKind::KeyExchange);
    let (kind, second) = seal(&mut one, b"two");
    assert_eq!(kind, MessageKind::KeyExchange);
    assert_eq!(one.unanswered(), 2);

    let exchange = KeyExchange::<P>::parse(&first).unwrap();
    assert_eq!(exchange.identity(), alice.identity.public());
    let Accepted { session: mut two, plaintext, used } = bob.accept::<P>(&first).unwrap();
    assert_eq!((plaintext.as_slice(), used), (b"one".as_slice(), exchange.pre_key()));
    assert!(two.knows(&exchange) && !one.knows(&exchange));
    assert_eq!((two.initiated(), two.ephemeral()), (false, one.ephemeral()));
    assert_eq!(two.peer(), alice.identity.public());
    // the repeated exchange: only its message counts, the prekey is gone
    assert_eq!(bob.accept::<P>(&second).err(), Some(AcceptError::UnknownPreKey(used.unwrap())));
    let repeated = KeyExchange::<P>::parse(&second).unwrap();
    assert!(two.knows(&repeated));
    assert_eq!(*two.decrypt(repeated.message()).unwrap(), b"two");
    assert_eq!(two.decrypt(repeated.message()), Err(DecryptError::Duplicate));
    assert_eq!(two.decrypt(exchange.message()), Err(DecryptError::Duplicate));

    let (kind, answer) = seal(&mut two, b"three");
    assert_eq!((kind, two.is_unacknowledged()), (MessageKind::Message, false));
    assert_eq!(*one.decrypt(&answer).unwrap(), b"three");
    assert_eq!((one.unanswered(), one.is_unacknowledged()), (0, false));
    for turn in 0..20u8 {
        let (kind, message) = seal(&mut one, &[turn]);
        assert_eq!(kind, MessageKind::Message);
        assert_eq!(*two.decrypt(&message).unwrap(), [turn]);
        assert_eq!(*one.decrypt(&seal(&mut two, &[turn; 100]).1).unwrap(), [turn; 100]);
    }
}
fn skip_limits<P: Profile>() {
    for (skip, fine) in [(1000, true), (1001, false)] {
        let (mut one, mut two) = pair::<P>();
        let skipped: Vec<_> = (0..skip).map(|_| seal(&mut one, b"late").1).collect();
        let last = seal(&mut one, b"last").1;
        let before = two.to_bytes();
        let read = two.decrypt(&last);
        if fine {
            assert_eq!(*read.unwrap(), b"last");
            assert_eq!(two.skipped(), 1000);
            for late in skipped.iter().rev() {
                assert_eq!(*two.decrypt(late).unwrap(), b"late");
                assert_eq!(two.decrypt(late), Err(DecryptError::Duplicate));
            }
            assert_eq!(two.skipped(), 0);
        } else {
            assert_eq!(read, Err(DecryptError::TooFarAhead(1001)));
            assert_eq!(two.to_bytes(), before);
        }
    }
}
/// The oldest keys go first, over all chains.
fn session_limit<P: Profile>() {
    let (mut one, mut two) = pair::<P>();
    let first: Vec<_> = (0..600).map(|_| seal(&mut one, b"first").1).collect();
    two.decrypt(&seal(&mut one, b"").1).unwrap();
    one.decrypt(&seal(&mut two, b"").1).unwrap();
    let second: Vec<_> = (0..600).map(|_| seal(&mut one, b"second").1).collect();
    two.decrypt(&seal(&mut one, b"").1).unwrap();
    assert_eq!(two.skipped(), 1000);
    for (at, late) in first.iter().enumerate() {
        assert_eq!(two.decrypt(late).is_ok(), at >= 200, "{at}");
    }
    for late in &second {
        assert_eq!(*two.decrypt(late).unwrap(), b"second");
    }
}
/// A key is kept for many turns of the ratchet.
fn late_for_many_turns<P: Profile>() {
    let (mut one, mut two) = pair::<P>();
    let late: Vec<_> = (0..3).map(|_| seal(&mut one, b"late").1).collect();
    two.decrypt(&late[1]).unwrap();
    for _ in 0..10 {
        one.decrypt(&seal(&mut two, b"turn").1).unwrap();
        two.decrypt(&seal(&mut one, b"turn").1).unwrap();
    }
    assert_eq!(two.skipped(), 2);
    assert_eq!(*two.decrypt(&late[2]).unwrap(), b"late");
    assert_eq!(*two.decrypt(&late[0]).unwrap(), b"late");
    assert_eq!(two.skipped(), 0);
}
/// And not for ever: by turns, those before a session was stored among them.
fn late_for_too_many_turns<P: Profile>() {
    let (mut one, mut two) = pair::<P>();
    one.decrypt(&seal(&mut two, b"turn").1).unwrap();
    let late = inner::<P>(&seal(&mut one, b"late").1);
    two.decrypt(&seal(&mut one, b"not late").1).unwrap();
    let turn = |one: &mut Session<P>, two: &mut Session<P>| {
        one.decrypt(&seal(two, b"turn").1).unwrap();
        two.decrypt(&seal(one, b"turn").1).unwrap();
    };
    // as if many more had been before it was stored; the field stands behind the ratchet key of the chain, before a count and a seed
    let aged = |two: &Session<P>, turns: u16| {
        let mut bytes = two.to_bytes().to_vec();
        let at = bytes.len() - (2 + 2 + 4 + 32);
        assert_eq!(bytes[at + 2..at + 8], [1, 0, 0, 0, 0, 0]);
        bytes[at..at + 2].copy_from_slice(&turns.to_le_bytes());
        Session::<P>::from_bytes(&bytes)
    };
    turn(&mut one, &mut two);
    assert_eq!(two.to_bytes()[two.to_bytes().len() - 40..][..2], 1u16.to_le_bytes());
    assert!(aged(&two, MAX_TURNS + 1).is_err());
    for (turns, kept) in [(MAX_TURNS - 1, 1), (MAX_TURNS, 0)] {
        let (mut one, mut two) = (one.clone(), aged(&two, turns).unwrap());
        turn(&mut one, &mut two);
        assert_eq!((two.skipped(), two.decrypt(&late).is_ok()), (kept, kept == 1));
    }
}
fn duplicates<P: Profile>() {
    let (mut one, mut two) = pair::<P>();
    let mut seen = Vec::new();
    for turn in 0..4 {
        let message = seal(&mut one, b"m").1;
        two.decrypt(&message).unwrap();
        seen.push(message);
        one.decrypt(&seal(&mut two, b"").1).unwrap();
        let before = two.to_bytes();
        for old in &seen {
            assert_eq!(two.decrypt(old), Err(DecryptError::Duplicate), "{turn}");
        }
        assert_eq!(two.to_bytes(), before);
    }
}
/// Every bit that matters: nothing reads, nothing changes.
fn tampering<P: Profile>() {
    let (alice, bob) = (Device::new(), Device::new());
    let mut one = alice.initiate::<P>(&bob);
    let exchange = seal(&mut one, b"a secret").1;
    let prekeys = bob.one_time.borrow().clone();
    let mut unauthenticated = 0;
    for at in 0..exchange.len() {
        for bit in [1, 0x80] {
            let mut changed = exchange.clone();
            changed[at] ^= bit;
            // what a protobuf reader passes over (version's lower half, the top bit of a key) may still read
            if let Ok(accepted) = bob.accept::<P>(&changed) {
                assert_eq!(*accepted.plaintext, b"a secret");
                *bob.one_time.borrow_mut() = prekeys.clone();
                unauthenticated += 1;
            }
        }
    }
    assert!(unauthenticated <= 3, "{unauthenticated}");
    let (mut one, mut two) = pair::<P>();
    let messages = [seal(&mut two, b"new ratchet key").1, {
        one.decrypt(&seal(&mut two, b"turn").1).unwrap();
        seal(&mut two, b"same chain").1
    }];
    let before = one.to_bytes();
    for message in &messages {
        for at in 0..message.len() {
            for bit in 0..8 {
                let mut changed = message.clone();
                changed[at] ^= 1 << bit;
                assert!(one.decrypt(&changed).is_err(), "byte {at} bit {bit}");
            }
            assert!(one.decrypt(&message[..at]).is_err());
        }
        assert!(one.decrypt(&[message.as_slice(), &[0]].concat()).is_err());
    }
    assert!(one.to_bytes() == before, "nothing changed");
    for message in messages.iter().rev() {
        one.decrypt(message).unwrap();
    }
}
fn exchange_errors<P: Profile>() {
    let (alice, bob) = (Device::new(), Device::new());
    let mut one = alice.initiate::<P>(&bob);
    let first = seal(&mut one, b"one").1;
    let mut nobody = Device::new();
    assert_eq!(nobody.accept::<P>(&first).err(), Some(AcceptError::Decrypt(DecryptError::NotAuthentic)));
    nobody.signed.clear();
    assert_eq!(nobody.accept::<P>(&first).err(), Some(AcceptError::UnknownSignedPreKey(SignedPreKeyId(1))));
    for length in 0..first.len() {
        assert!(bob.accept::<P>(&first[..length]).is_err(), "{length}");
    }
    assert_eq!(bob.one_time.borrow().len(), 20, "no prekey was used up");
    assert!(bob.accept::<P>(&first).is_ok());
}
fn counters_at_the_end<P: Profile>() {
    let (mut one, mut two) = pair::<P>();
    seal(&mut one, b"");

    let mut bytes = one.to_bytes().to_vec();
    let at = SENDING_COUNTER;
    bytes[at..at + 4].copy_from_slice(&(u32::MAX - 1).to_le_bytes());
    let mut late = Session::<P>::from_bytes(&bytes).unwrap();
    let last = seal(&mut late, b"the last").1;
    let before = late.to_bytes();
    let mut out = Vec::new();
    assert_eq!(late.encrypt(b"one more", &mut rng(), &mut out), Err(EncryptError::Exhausted));
    assert!(out.is_empty() && late.to_bytes() == before);
    assert_eq!(two.decrypt(&last), Err(DecryptError::TooFarAhead(u32::MAX - 1)));
    bytes[at..at + 4].copy_from_slice(&u32::MAX.to_le_bytes());
    assert_eq!(Session::<P>::from_bytes(&bytes).unwrap().encrypt(b"", &mut rng(), &mut out), Err(EncryptError::Exhausted));
}
/// Where the stored form has it: flags at 104, three keys, previous, then sending: public, key, counter.
const SENDING_COUNTER: usize = 104 + 1 + 96 + 4 + 32 + 32;
fn heartbeat<P: Profile>() {
    let (mut one, mut two) = pair::<P>();
    for n in 0..70 {
        assert_eq!(two.heartbeat_due(), n > 53, "{n}");
        two.decrypt(&seal(&mut one, b"m").1).unwrap();
    }
    assert_eq!(two.receiving().unwrap().1, 70);
    seal(&mut two, b"lost heartbeat");
    assert!(!two.heartbeat_due());
    two.decrypt(&seal(&mut one, b"m").1).unwrap();
    assert!(!two.heartbeat_due(), "once for a ratchet key");
    assert!(!Session::<P>::from_bytes(&two.to_bytes()).unwrap().heartbeat_due(), "restarted or not");
    one.decrypt(&seal(&mut two, b"").1).unwrap();
    for _ in 0..54 {
        two.decrypt(&seal(&mut one, b"m").1).unwrap();
    }
    assert!(two.heartbeat_due(), "and again for the next");
}
fn stored_at_every_step<P: Profile>() {
    let again = |session: &mut Session<P>| {
        let bytes = session.to_bytes();
        *session = Session::from_bytes(&bytes).unwrap();
        assert_eq!(session.to_bytes(), bytes);
        for length in (0..bytes.len()).step_by(7) {
            assert!(Session::<P>::from_bytes(&bytes[..length]).is_err());
        }
        assert!(Session::<P>::from_bytes(&[bytes.as_slice(), &[0]].concat()).is_err());
    };
    let (alice, bob) = (Device::new(), Device::new());
    let mut one = alice.initiate::<P>(&bob);
    again(&mut one);
    assert!(one.to_bytes().len() <= 300, "{}", one.to_bytes().len());
    let first = seal(&mut one, b"1").1;
    again(&mut one);
    let mut two = bob.accept::<P>(&first).unwrap().session;
    assert!(two.to_bytes().len() <= 300, "{}", two.to_bytes().len());
    again(&mut two);
    for turn in 0..8u8 {
        let lost = seal(&mut two, b"late").1;
        again(&mut two);
        let message = seal(&mut two, &[turn]).1;
        again(&mut two);
        assert_eq!(*one.decrypt(&message).unwrap(), [turn]);
        again(&mut one);
        let answer = seal(&mut one, b"answer").1;
        again(&mut one);
        two.decrypt(&answer).unwrap();
        again(&mut two);
        if turn % 2 == 0 {
            one.decrypt(&lost).unwrap();
            again(&mut one);
        }
    }
    assert!(size_of::<Session<P>>() <= 600, "{}", size_of::<Session<P>>());
    let mut bytes = one.to_bytes().to_vec();
    bytes[1] = 3;
    assert_eq!(Session::<P>::from_bytes(&bytes).err(), Some(StoredError::Version(3)));
    bytes[0] = 9;
    assert_eq!(Session::<P>::from_bytes(&bytes).err(), Some(StoredError::Profile));
}
/// libsignal says one message fewer of the chain before: the last one, late, is read all the same.
fn previous_chain_longer_than_said<P: Profile>() {
    let (mut one, mut two) = pair::<P>();
    two.decrypt(&seal(&mut one, b"0").1).unwrap();
    let late = seal(&mut one, b"late").1;
    // as if `late` had not been counted: the state that answers is of before it
    let mut bytes = one.to_bytes().to_vec();
    let at = SENDING_COUNTER;
    bytes[at] -= 1;
    let mut one = Session::<P>::from_bytes(&bytes).unwrap();
    one.decrypt(&seal(&mut two, b"turn").1).unwrap();
    two.decrypt(&seal(&mut one, b"after the turn").1).unwrap();
    assert_eq!(two.skipped(), 0);
    assert_eq!(*two.decrypt(&late).unwrap(), b"late");
}
fn debug_is_redacted<P: Profile>() {
    let device = Device::new();
    let bob = Device::new();
    let mut session = device.initiate::<P>(&bob);
    let exchange = seal(&mut session, b"plain text").1;
    let text = format!(
        "{session:?} {:?} {:?} {:?} {:?}",
        device.identity,
        device.signed[&1],
        KeyExchange::<P>::parse(&exchange),
        bob.accept::<P>(&exchange).map(|accepted| accepted.session)
    );
    let secrets =
        [&device.identity.to_bytes()[2..34], &device.signed[&1].to_bytes()[..32], &session.to_bytes()[105..137], &session.to_bytes()[137..169]];
    for secret in secrets {
        for window in secret.windows(4) {
            let list = format!("{window:?}");
            assert!(!text.contains(list.trim_matches(['[', ']'])), "{text}");
            assert!(!text.contains(&window.iter().map(|byte| format!("{byte:02x}")).collect::<String>()));
        }
    }
}
fn bundles<P: Profile>() {
    let bob = Device::new();
    let (identity, signed) = (bob.identity.public().to_wire::<P>(), bob.signed[&1].public().to_wire::<P>());
    let signature = bob.identity.sign_pre_key::<P>(bob.signed[&1].public(), &mut rng());
    let key = bob.one_time.borrow()[&1].public().to_wire::<P>();
    let new = |identity: &[u8], signed: &[u8], signature: &[u8], key: Option<&[u8]>| {
        UnverifiedBundle::<P>::new(identity, (SignedPreKeyId(1), signed), signature, key.map(|key| (PreKeyId(1), key)))
    };
    assert!(new(&identity, &signed, &signature, Some(&key)).unwrap().verify().is_ok());
    let mut forged = signature;
    forged[40] ^= 1;
    assert_eq!(new(&identity, &signed, &forged, Some(&key)).unwrap().verify().err(), Some(BundleError::Signature));
    assert_eq!(new(&identity, &key, &signature, Some(&key)).unwrap().verify().err(), Some(BundleError::Signature));
    assert_eq!(new(&identity, &signed, &signature[1..], Some(&key)).err(), Some(BundleError::Signature));
    let other = Device::new();
    let other = other.identity.public().to_wire::<P>();
    assert_eq!(new(&other, &signed, &signature, Some(&key)).unwrap().verify().err(), Some(BundleError::Signature));
    let none = new(&identity, &signed, &signature, None);
    if P::TAG == Omemo2::TAG {
        assert_eq!(none.err(), Some(BundleError::NoPreKey));
    } else {
        // legacy can do without, on both sides
        let alice = Device::new();
        let mut one = Session::initiate(&alice.identity, none.unwrap().verify().unwrap(), &mut rng()).unwrap();
        let accepted = bob.accept::<P>(&seal(&mut one, b"no one-time prekey").1).unwrap();
        assert_eq!((accepted.plaintext.as_slice(), accepted.used), (b"no one-time prekey".as_slice(), None));
    }
    let low = &[0; 33][..key.len()];
    let mut low = low.to_vec();
    if low.len() == 33 {
        low[0] = 5;
    }
    for (bundle, name) in [
        (new(&low, &signed, &signature, Some(&key)), KeyName::Identity),
        (new(&identity, &low, &signature, Some(&key)), KeyName::SignedPreKey),
        (new(&identity, &signed, &signature, Some(&low)), KeyName::PreKey),
    ] {
        match bundle {
            Err(BundleError::BadKey(which, KeyError::LowOrder | KeyError::NotOnCurve)) => assert_eq!(which, name),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(new(&identity, &signed, &signature, Some(&key[..9])).err(), Some(BundleError::BadKey(KeyName::PreKey, KeyError::Length(9))));
}

#[derive(Clone, Copy, Debug)]
enum Event {
    Send(bool),
    Deliver { to_one: bool, which: prop::sample::Index, copy: bool },
    Lose { to_one: bool, which: prop::sample::Index },
    Store(bool),
}
fn events() -> impl Strategy<Value = Vec<Event>> {
    let event = prop_oneof![
        4 => any::<bool>().prop_map(Event::Send),
        4 => (any::<bool>(), any::<prop::sample::Index>(), prop::bool::weighted(0.2)).prop_map(|(to_one, which, copy)| Event::Deliver { to_one, which, copy }),
        1 => (any::<bool>(), any::<prop::sample::Index>()).prop_map(|(to_one, which)| Event::Lose { to_one, which }),
        1 => any::<bool>().prop_map(Event::Store),
    ];
    prop::collection::vec(event, 1..120)
}
/// Whatever is lost, comes late or twice: what arrives reads once and right, whenever it does.
fn any_order<P: Profile>(events: Vec<Event>) -> Result<(), TestCaseError> {
    let (one, two) = pair::<P>();
    let mut sides = [one, two];
    let mut wires: [Vec<(Vec<u8>, u32, bool)>; 2] = Default::default();
    let mut next = 0u32;
    for event in events {
        match event {
            Event::Send(from) => {
                let message = seal(&mut sides[usize::from(from)], &next.to_be_bytes()).1;
                wires[usize::from(!from)].push((message, next, false));
                next += 1;
            }
            Event::Deliver { to_one, which, copy } => {
                let to = usize::from(!to_one);
                if wires[to].is_empty() {
                    continue;
                }
                let at = which.index(wires[to].len());
                let (message, number, read) = wires[to][at].clone();
                let before = sides[to].to_bytes();
                match sides[to].decrypt(&message) {
                    Ok(plain) => {
                        prop_assert!(!read, "read twice");
                        prop_assert_eq!(&*plain, &number.to_be_bytes());
                    }
                    // late for more turns than replaced chains are kept, it is only not authentic
                    Err(error) => {
                        prop_assert!(read, "{error}");
                        prop_assert!(matches!(error, DecryptError::Duplicate | DecryptError::NotAuthentic));
                        prop_assert!(sides[to].to_bytes() == before);
                    }
                }
                if copy {
                    wires[to][at].2 = true;
                } else {
                    wires[to].swap_remove(at);
                }
            }
            Event::Lose { to_one, which } => {
                let wire = &mut wires[usize::from(!to_one)];
                if !wire.is_empty() {
                    wire.swap_remove(which.index(wire.len()));
                }
            }
            Event::Store(one) => {
                let side = &mut sides[usize::from(one)];
                *side = Session::from_bytes(&side.to_bytes()).unwrap();
            }
        }
    }
    Ok(())
}
proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]
    #[test]
    fn any_order_legacy(events in events()) {
        any_order::<Legacy>(events)?;
    }
    #[test]
    fn any_order_omemo_2(events in events()) {
        any_order::<Omemo2>(events)?;
    }
    #[test]
    fn stored_garbage(mut bytes in prop::collection::vec(any::<u8>(), 0..400), at: prop::sample::Index, byte: u8) {
        let _ = Session::<Legacy>::from_bytes(&bytes);
        bytes.splice(..0, [2, 1]);
        let _ = Session::<Omemo2>::from_bytes(&bytes);
        let (mut one, mut two) = pair::<Omemo2>();
        seal(&mut two, b"");
        one.decrypt(&seal(&mut two, b"").1).unwrap();
        let mut stored = one.to_bytes().to_vec();
        let at = at.index(stored.len());
        stored[at] = byte;
        if let Ok(mut read) = Session::<Omemo2>::from_bytes(&stored) {
            // strict: one form for one session
            let again = read.to_bytes();
            prop_assert!(again.as_slice() == stored || at == 102, "byte {}", at);
            let mut out = Vec::new();
            let _ = read.encrypt(b"m", &mut rng(), &mut out);
            let _ = read.decrypt(&seal(&mut two, b"").1);
        }
    }
    #[test]
    fn message_garbage(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let (mut one, _) = pair::<Legacy>();
        prop_assert!(one.decrypt(&bytes).is_err());
        prop_assert!(KeyExchange::<Omemo2>::parse(&bytes).is_err());
        prop_assert!(KeyExchange::<Legacy>::parse(&bytes).is_err());
    }
}
