//! Both sides start at once. Every peer that is out there is played on the other side: what it keeps, what it throws
//! away and where it sends. Whatever the order on the wire, every message is read, and the sides settle.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::arithmetic_side_effects, clippy::panic)]
mod common;
use common::*;
use proptest::prelude::*;
use std::collections::VecDeque;
use subrosa_ratchet::*;

/// How a client keeps its sessions with one device.
trait Policy<P: Profile> {
    fn start(session: Session<P>) -> Self;
    fn send(&mut self) -> &mut Session<P>;
    /// A message that is not in a new exchange.
    fn read(&mut self, exchange: Option<&KeyExchange<'_, P>>, message: &[u8]) -> Result<Vec<u8>, DecryptError>;
    fn knows(&self, exchange: &KeyExchange<'_, P>) -> bool;
    fn accepted(&mut self, session: Session<P>);
}
/// Ours.
impl<P: Profile> Policy<P> for Session<P> {
    fn start(session: Session<P>) -> Self {
        session
    }
    fn send(&mut self) -> &mut Session<P> {
        self
    }
    fn read(&mut self, _: Option<&KeyExchange<'_, P>>, message: &[u8]) -> Result<Vec<u8>, DecryptError> {
        // as a client that is restarted between any two messages
        *self = Session::from_bytes(&self.to_bytes()).unwrap();
        self.decrypt(message).map(|plain| plain.to_vec())
    }
    fn knows(&self, exchange: &KeyExchange<'_, P>) -> bool {
        Session::knows(self, exchange)
    }
    fn accepted(&mut self, session: Session<P>) {
        self.supersede(session);
    }
}
/// python-omemo: one session, replaced by every new exchange.
struct Python<P>(Session<P>);
impl<P: Profile> Policy<P> for Python<P> {
    fn start(session: Session<P>) -> Self {
        Python(session)
    }
    fn send(&mut self) -> &mut Session<P> {
        &mut self.0
    }
    fn read(&mut self, _: Option<&KeyExchange<'_, P>>, message: &[u8]) -> Result<Vec<u8>, DecryptError> {
        self.0.decrypt(message).map(|plain| plain.to_vec())
    }
    fn knows(&self, exchange: &KeyExchange<'_, P>) -> bool {
        self.0.knows(exchange)
    }
    fn accepted(&mut self, session: Session<P>) {
        self.0 = session;
    }
}
/// libsignal and its descendants (Conversations, Dino, Gajim, Profanity, Converse): replaced states are kept, and the
/// one that read last sends.
struct Libsignal<P>(Vec<Session<P>>);
impl<P: Profile> Policy<P> for Libsignal<P> {
    fn start(session: Session<P>) -> Self {
        Libsignal(vec![session])
    }
    fn send(&mut self) -> &mut Session<P> {
        &mut self.0[0]
    }
    fn read(&mut self, _: Option<&KeyExchange<'_, P>>, message: &[u8]) -> Result<Vec<u8>, DecryptError> {
        let mut failure = DecryptError::NotAuthentic;
        for at in 0..self.0.len() {
            match self.0[at].decrypt(message) {
                Ok(plain) => {
                    let session = self.0.remove(at);
                    self.0.insert(0, session);
                    return Ok(plain.to_vec());
                }
                Err(error) if at == 0 => failure = error,
                Err(_) => (),
            }
        }
        Err(failure)
    }
    fn knows(&self, exchange: &KeyExchange<'_, P>) -> bool {
        self.0.iter().any(|session| session.knows(exchange))
    }
    fn accepted(&mut self, session: Session<P>) {
        self.0.insert(0, session);
    }
}

struct Side<S> {
    device: Device,
    policy: S,
    inbox: VecDeque<Vec<u8>>,
    read: Vec<u32>,
}
fn receive<P: Profile, S: Policy<P>>(side: &mut Side<S>) -> Result<(), String> {
    let Some(message) = side.inbox.pop_front() else { return Ok(()) };
    let plain = match MessageKind::sniff::<P>(&message).unwrap() {
        MessageKind::Message => side.policy.read(None, &message).map_err(|error| error.to_string())?,
        MessageKind::KeyExchange => {
            let exchange = KeyExchange::<P>::parse(&message).unwrap();
            if side.policy.knows(&exchange) {
                side.policy.read(Some(&exchange), exchange.message()).map_err(|error| error.to_string())?
            } else {
                let accepted = side.device.accept::<P>(&message).map_err(|error| error.to_string())?;
                side.policy.accepted(accepted.session);
                accepted.plaintext.to_vec()
            }
        }
    };
    side.read.push(u32::from_be_bytes(plain.try_into().unwrap()));
    Ok(())
}
fn send<P: Profile, S: Policy<P>, T>(from: &mut Side<S>, to: &mut Side<T>, number: u32) -> MessageKind {
    let (kind, message) = seal(from.policy.send(), &number.to_be_bytes());
    to.inbox.push_back(message);
    kind
}
fn sides<P: Profile, S: Policy<P>, T: Policy<P>>() -> (Side<S>, Side<T>) {
    let (alice, bob) = (Device::new(), Device::new());
    let (one, two) = (alice.initiate::<P>(&bob), bob.initiate::<P>(&alice));
    let side = |device| (device, VecDeque::new(), Vec::new());
    let ((device, inbox, read), (other, box_two, read_two)) = (side(alice), side(bob));
    (Side { device, policy: S::start(one), inbox, read }, Side { device: other, policy: T::start(two), inbox: box_two, read: read_two })
}
/// Both have sent before either has read; then messages and deliveries in the given order, ten more each way at most
/// before all arrives; then `turns` in conversation.
fn crossing<P: Profile, S: Policy<P>, T: Policy<P>>(order: &[u8], turns: usize) -> Result<(Side<S>, Side<T>, usize), String> {
    let (mut one, mut two) = sides::<P, S, T>();
    let (mut sent_one, mut sent_two) = (0, 0);
    send::<P, _, _>(&mut one, &mut two, sent_one);
    send::<P, _, _>(&mut two, &mut one, sent_two);
    for event in order {
        match event {
            0 if sent_one < 10 => {
                sent_one += 1;
                send::<P, _, _>(&mut one, &mut two, sent_one);
            }
            1 if sent_two < 10 => {
                sent_two += 1;
                send::<P, _, _>(&mut two, &mut one, sent_two);
            }
            2 => receive::<P, _>(&mut one).map_err(|error| format!("first side: {error}"))?,
            _ => receive::<P, _>(&mut two).map_err(|error| format!("second side: {error}"))?,
        }
    }
    let mut exchanges = 0;
    for turn in 0..turns {
        while !one.inbox.is_empty() || !two.inbox.is_empty() {
            receive::<P, _>(&mut one).map_err(|error| format!("first side, turn {turn}: {error}"))?;
            receive::<P, _>(&mut two).map_err(|error| format!("second side, turn {turn}: {error}"))?;
        }
        sent_one += 1;
        exchanges += usize::from(send::<P, _, _>(&mut one, &mut two, sent_one) == MessageKind::KeyExchange);
        if turn % 3 != 0 {
            receive::<P, _>(&mut two).map_err(|error| format!("second side, turn {turn}: {error}"))?;
        }
        sent_two += 1;
        exchanges += usize::from(send::<P, _, _>(&mut two, &mut one, sent_two) == MessageKind::KeyExchange);
    }
    while !one.inbox.is_empty() || !two.inbox.is_empty() {
        receive::<P, _>(&mut one)?;
        receive::<P, _>(&mut two)?;
    }
    assert_eq!(one.read, (0..=sent_two).collect::<Vec<_>>());
    assert_eq!(two.read, (0..=sent_one).collect::<Vec<_>>());
    Ok((one, two, exchanges))
}
fn settled<P: Profile, S: Policy<P>, T: Policy<P>>(order: &[u8]) {
    let (mut one, mut two, exchanges) = crossing::<P, S, T>(order, 60).unwrap_or_else(|error| panic!("{order:?}: {error}"));
    assert_eq!(one.policy.send().ephemeral(), two.policy.send().ephemeral(), "one session for both: {order:?}");
    assert!(!one.policy.send().is_unacknowledged() && !two.policy.send().is_unacknowledged());
    assert!(exchanges <= 60, "{exchanges} exchanges");
}
macro_rules! against {
    ($($name:ident;)*) => { $(mod $name {
        use super::*;
        type P2 = Omemo2;
        #[test] fn in_step() {
            settled::<Legacy, Session<Legacy>, super::peers::$name<Legacy>>(&[]);
            settled::<P2, Session<P2>, super::peers::$name<P2>>(&[]);
        }
        #[test] fn ten_each_before_any_arrives() {
            let order = [[0, 1]; 10].concat();
            settled::<Legacy, Session<Legacy>, super::peers::$name<Legacy>>(&order);
            settled::<P2, Session<P2>, super::peers::$name<P2>>(&order);
        }
        /// Ours are stuck on the way while the other's arrive one by one, and the other way round.
        #[test] fn one_direction_stuck() {
            for stuck in [[0, 1, 2], [0, 1, 3]] {
                let order = [stuck; 10].concat();
                settled::<Legacy, Session<Legacy>, super::peers::$name<Legacy>>(&order);
                settled::<P2, Session<P2>, super::peers::$name<P2>>(&order);
            }
        }
        proptest! {
            #![proptest_config(ProptestConfig::with_cases(24))]
            #[test] fn any_order(order in prop::collection::vec(0u8..4, 0..60)) {
                settled::<P2, Session<P2>, super::peers::$name<P2>>(&order);
                settled::<Legacy, Session<Legacy>, super::peers::$name<Legacy>>(&order);
            }
        }
    })* };
}
#[allow(non_camel_case_types)]
mod peers {
    pub type ourselves<P> = super::Session<P>;
    pub type python_omemo<P> = super::Python<P>;
    pub type libsignal<P> = super::Libsignal<P>;
}
against! { ourselves; python_omemo; libsignal; }

/// The reason for all this: two that throw their own session away never read each other again.
#[test]
fn python_against_itself_is_lost() {
    assert!(crossing::<Omemo2, Python<Omemo2>, Python<Omemo2>>(&[], 3).is_err());
    assert!(crossing::<Omemo2, Libsignal<Omemo2>, Libsignal<Omemo2>>(&[], 60).is_ok());
}
/// The other starts anew (lost its session, or was told to): where it sends, we send, at once.
#[test]
fn replaced_by_the_other() {
    let (alice, bob) = (Device::new(), Device::new());
    let mut one = alice.initiate::<Omemo2>(&bob);
    let mut two = bob.accept::<Omemo2>(&seal(&mut one, b"1").1).unwrap().session;
    one.decrypt(&seal(&mut two, b"2").1).unwrap();
    let late = seal(&mut one, b"on its way").1;
    let mut anew = bob.initiate::<Omemo2>(&alice);
    one.supersede(alice.accept(&seal(&mut anew, b"3").1).unwrap().session);
    two.supersede(anew);
    assert_eq!(*two.decrypt(&late).unwrap(), b"on its way");
    let (kind, answer) = seal(&mut one, b"4");
    assert_eq!((kind, one.archived(), two.archived()), (MessageKind::Message, 1, 1));
    assert_eq!(*two.decrypt(&answer).unwrap(), b"4");
    assert!(!two.is_unacknowledged());
}
/// A second new exchange while ours is unanswered: the other cannot read ours (its prekey is gone). We follow at once.
#[test]
fn unreadable_exchange_is_given_up() {
    let (alice, bob) = (Device::new(), Device::new());
    let mut one = alice.initiate::<Legacy>(&bob);
    seal(&mut one, b"unreadable");
    for (number, current) in [(1, true), (2, false)] {
        let mut theirs = bob.initiate::<Legacy>(&alice);
        one.supersede(alice.accept(&seal(&mut theirs, b"m").1).unwrap().session);
        assert_eq!(one.is_unacknowledged(), current, "{number}");
    }
}
/// One that never reads our exchange and sends on its own session is followed after a while.
#[test]
fn patience_ends() {
    let (alice, bob) = (Device::new(), Device::new());
    let mut one = alice.initiate::<Omemo2>(&bob);
    let mut theirs = bob.initiate::<Omemo2>(&alice);
    seal(&mut one, b"unreadable");
    one.supersede(alice.accept(&seal(&mut theirs, b"m").1).unwrap().session);
    for _ in 0..PATIENCE * 2 {
        assert!(one.is_unacknowledged());
        seal(&mut one, b"unreadable");
        one.decrypt(&inner::<Omemo2>(&seal(&mut theirs, b"m").1)).unwrap();
        if !one.is_unacknowledged() {
            break;
        }
    }
    assert_eq!(one.ephemeral(), theirs.ephemeral());
    assert_eq!(*theirs.decrypt(&seal(&mut one, b"there").1).unwrap(), b"there");
}
/// At least five replaced states still read; the oldest beyond the limit are dropped.
#[test]
fn archive_is_bounded() {
    let (alice, bob) = (Device::new(), Device::new());
    let mut one: Option<Session<Legacy>> = None;
    let mut olds = Vec::new();
    for _ in 0..10 {
        let mut theirs = bob.initiate::<Legacy>(&alice);
        let new = alice.accept(&seal(&mut theirs, b"m").1).unwrap().session;
        match &mut one {
            None => one = Some(new),
            Some(one) => one.supersede(new),
        }
        olds.push(theirs);
    }
    let mut one = one.unwrap();
    assert_eq!(one.archived(), MAX_ARCHIVED);
    for (age, old) in olds.iter_mut().rev().enumerate() {
        let read = one.decrypt(&inner::<Legacy>(&seal(old, b"late").1));
        assert_eq!(read.is_ok(), age <= MAX_ARCHIVED, "{age}: {read:?}");
    }
    // another identity's states are not mixed in
    let mallory = Device::new();
    let other = mallory.accept::<Legacy>(&seal(&mut bob.initiate::<Legacy>(&mallory), b"m").1).unwrap().session;
    let mut replaced = one.clone();
    replaced.supersede(other);
    assert_eq!(replaced.archived(), 0);
    let other = alice.accept::<Legacy>(&seal(&mut mallory.initiate::<Legacy>(&alice), b"m").1).unwrap().session;
    one.supersede(other);
    assert_eq!((one.archived(), one.peer()), (0, mallory.identity.public()));
}
/// A thousand skipped keys a session: over all its states, those of the current one first.
#[test]
fn skipped_keys_of_archived_states_count() {
    let (alice, bob) = (Device::new(), Device::new());
    let mut session: Option<Session<Omemo2>> = None;
    for total in [600, 1000] {
        let mut theirs = bob.initiate::<Omemo2>(&alice);
        let new = alice.accept(&seal(&mut theirs, b"m").1).unwrap().session;
        let one = match &mut session {
            None => session.insert(new),
            Some(one) => {
                one.supersede(new);
                one
            }
        };
        (0..600).for_each(|_| _ = seal(&mut theirs, b"lost"));
        one.decrypt(&inner::<Omemo2>(&seal(&mut theirs, b"m").1)).unwrap();
        assert_eq!(one.skipped(), total);
        assert_eq!(Session::<Omemo2>::from_bytes(&one.to_bytes()).unwrap().skipped(), total);
    }
}
