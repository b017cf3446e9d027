//! A memory that was put back: what shows it, and that nothing is encrypted with it from then on.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::arithmetic_side_effects)]
mod common;
use common::*;
use proptest::prelude::*;
use subrosa_ratchet::*;

fn again<P: Profile>(session: &Session<P>) -> Session<P> {
    Session::from_bytes(&session.to_bytes()).unwrap()
}
fn traces<P: Profile>() {
    let (mut alice, mut bob) = pair::<P>();
    let past = seal(&mut alice, b"one").1;
    let copy = again(&alice);
    let future = [seal(&mut alice, b"two").1, seal(&mut alice, b"three").1];
    assert_eq!(copy.trace(&past), Some(Trace::Past));
    assert!(future.iter().all(|sent| copy.trace(sent) == Some(Trace::Ahead) && alice.trace(sent) == Some(Trace::Past)));
    // anybody on the way knows the ratchet key: without the chain's own keys it is no proof
    let mut forged = future[1].clone();
    let at = forged.len() - P::MAC - 1;
    forged[at] ^= 1;
    assert_eq!(copy.trace(&forged), None);
    assert_eq!(copy.trace(b"nonsense"), None);
    // what the other sends is nobody's trace, and neither is what another session sent
    assert_eq!(copy.trace(&seal(&mut bob, b"hi").1), None);
    assert_eq!(pair::<P>().0.trace(&future[0]), None);
    // in an exchange that was not answered yet
    let other = Device::new();
    let mut first = Device::new().initiate::<P>(&other);
    let copy = again(&first);
    assert_eq!(copy.trace(&seal(&mut first, b"first").1), Some(Trace::Ahead));
}
fn closed<P: Profile>() {
    let (alice, bob) = (Device::new(), Device::new());
    let mut one = alice.initiate::<P>(&bob);
    let mut two = bob.accept::<P>(&seal(&mut one, b"hello").1).unwrap().session;
    one.decrypt(&seal(&mut two, b"hello yourself").1).unwrap();
    let on_its_way = seal(&mut two, b"still on its way").1;
    seal(&mut one, b"a chain of its own");
    one.close();
    let mut one = again(&one);
    let refused = |session: &mut Session<P>| session.encrypt(b"no", &mut rng(), &mut Vec::new()).err();
    assert_eq!((refused(&mut one), one.is_closed(), one.heartbeat_due()), (Some(EncryptError::Closed), true, false));
    assert_eq!(*one.decrypt(&on_its_way).unwrap(), b"still on its way");
    // a turn of the other opens nothing
    let turned = seal(&mut two, b"turned").1;
    assert_eq!(*one.decrypt(&turned).unwrap(), b"turned");
    assert_eq!(refused(&mut one), Some(EncryptError::Closed));
    // a new session takes its place, and what the other says in the old one is read for ever without the old one's return
    one.supersede(alice.initiate::<P>(&bob));
    assert!(!one.is_closed());
    for n in 0..4 * PATIENCE {
        seal(&mut one, b"in the new one");
        assert_eq!(*one.decrypt(&seal(&mut two, &[n]).1).unwrap(), [n]);
        assert!(!one.is_closed());
    }
    // an exchange of the other that crosses is taken at once: ours goes nowhere
    let mut waiting = alice.initiate::<P>(&bob);
    seal(&mut waiting, b"never answered");
    waiting.close();
    let mut theirs = bob.initiate::<P>(&alice);
    waiting.supersede(alice.accept::<P>(&seal(&mut theirs, b"crossed").1).unwrap().session);
    assert!(!waiting.is_closed());
}

#[test]
fn what_was_sent_later_shows_that_a_memory_is_old() {
    traces::<Omemo2>();
    traces::<Legacy>();
}
#[test]
fn a_closed_session_reads_and_never_encrypts_again() {
    closed::<Omemo2>();
    closed::<Legacy>();
}

proptest! {
    /// Wherever the copy was taken: what was sent before is past, the next thing sent on the same chain is ahead, and nothing else is.
    #[test]
    fn wherever_the_copy_was_taken(talk in prop::collection::vec(any::<bool>(), 1..40), cut in 0usize..40) {
        let (mut alice, mut bob) = pair::<Omemo2>();
        let (mut sent, mut copy) = (Vec::new(), None);
        for (n, ours) in talk.iter().enumerate() {
            if n == cut.min(talk.len() - 1) {
                copy = Some((sent.len(), again(&alice)));
            }
            if *ours {
                sent.push(seal(&mut alice, b"to bob").1);
                bob.decrypt(sent.last().unwrap()).unwrap();
            } else {
                alice.decrypt(&seal(&mut bob, b"to alice").1).unwrap();
            }
        }
        let (before, copy) = copy.unwrap();
        for (n, message) in sent.iter().enumerate() {
            let trace = copy.trace(message);
            let never = if n < before { Trace::Ahead } else { Trace::Past };
            prop_assert!(trace != Some(never));
            prop_assert!(alice.trace(message) != Some(Trace::Ahead));
        }
    }
}
