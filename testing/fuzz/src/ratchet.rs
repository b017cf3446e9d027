//! Ratchet messages and stored sessions.
use std::sync::OnceLock;
use subrosa_ratchet::{
    IdentityKey, IdentityKeyPair, KeyExchange, KeyPair, Legacy, MessageKind, Omemo2, PreKeyId, PreKeys, Profile, PublicKey, Session, SignedPreKeyId,
    UnverifiedBundle,
};
use subrosa_testkit::Seeded;

struct Bob {
    identity: IdentityKeyPair,
    signed: KeyPair,
    one_time: KeyPair,
}
impl PreKeys for Bob {
    fn pre_key(&self, id: PreKeyId) -> Option<KeyPair> {
        (id.0 == 7).then(|| self.one_time.clone())
    }
    fn signed_pre_key(&self, id: SignedPreKeyId) -> Option<KeyPair> {
        (id.0 == 1).then(|| self.signed.clone())
    }
}
/// Bob, a first message to him, his session that has read it, and the message after it.
struct Made<P: Profile> {
    bob: Bob,
    exchange: Vec<u8>,
    session: Session<P>,
    message: Vec<u8>,
}
impl<P: Profile> Made<P> {
    fn new() -> Self {
        let rng = &mut Seeded::new(1);
        let bob = Bob { identity: IdentityKeyPair::generate(rng), signed: KeyPair::generate(rng), one_time: KeyPair::generate(rng) };
        let signature = bob.identity.sign_pre_key::<P>(bob.signed.public(), rng);
        let (signed, one_time) = (bob.signed.public().to_wire::<P>(), bob.one_time.public().to_wire::<P>());
        let identity = bob.identity.public().to_wire::<P>();
        let bundle = UnverifiedBundle::<P>::new(&identity, (SignedPreKeyId(1), &signed), &signature, Some((PreKeyId(7), &one_time))).unwrap();
        let mut alice = Session::initiate(&IdentityKeyPair::generate(rng), bundle.verify().unwrap(), rng).unwrap();
        let (mut exchange, mut answer, mut message) = (Vec::new(), Vec::new(), Vec::new());
        alice.encrypt(&[1; 32], rng, &mut exchange).unwrap();
        let mut session = Session::accept(&bob.identity, &bob, &KeyExchange::parse(&exchange).unwrap()).unwrap().session;
        session.encrypt(&[2; 32], rng, &mut answer).unwrap();
        alice.decrypt(&answer).unwrap();
        for _ in 0..3 {
            alice.encrypt(&[3; 32], rng, &mut Vec::new()).unwrap();
        }
        alice.encrypt(&[4; 32], rng, &mut message).unwrap();
        Made { bob, exchange, session, message }
    }
    fn wire(&self, bytes: &[u8]) {
        let _ = MessageKind::sniff::<P>(bytes);
        if let Ok(key) = IdentityKey::parse::<P>(bytes) {
            assert_eq!(IdentityKey::parse::<P>(&key.to_wire::<P>()).unwrap().fingerprint(), key.fingerprint());
        }
        if let Ok(key) = PublicKey::parse::<P>(bytes) {
            assert_eq!(PublicKey::parse::<P>(&key.to_wire::<P>()).unwrap().as_bytes(), key.as_bytes());
        }
        let mut session = self.session.clone();
        if let Ok(exchange) = KeyExchange::<P>::parse(bytes) {
            let _ = session.knows(&exchange);
            let _ = Session::accept(&self.bob.identity, &self.bob, &exchange);
        }
        let read = session.decrypt(bytes);
        match &read {
            Err(_) => assert_eq!(*session.to_bytes(), *self.session.to_bytes(), "a message that is refused changes nothing"),
            Ok(_) => assert!(session.decrypt(bytes).is_err(), "a message is read once"),
        }
        // whatever came, what is genuine is read, if that was not it: around what is authentic there is room for more
        let genuine = session.decrypt(&self.message).or(read);
        assert_eq!(genuine.unwrap().as_slice(), [4; 32], "nothing keeps a message from being read but itself");
    }
    fn stored(bytes: &[u8]) {
        if let Ok(session) = Session::<P>::from_bytes(bytes) {
            let written = session.to_bytes();
            assert!(written.len() <= session.stored_size());
            let again = Session::<P>::from_bytes(&written).unwrap();
            assert_eq!(*again.to_bytes(), *written);
            let mut sending = again.clone();
            let _ = sending.encrypt(&[1; 32], &mut Seeded::new(2), &mut Vec::new());
            let _ = sending.decrypt(bytes);
        }
    }
}
fn legacy() -> &'static Made<Legacy> {
    static MADE: OnceLock<Made<Legacy>> = OnceLock::new();
    MADE.get_or_init(Made::new)
}
fn omemo2() -> &'static Made<Omemo2> {
    static MADE: OnceLock<Made<Omemo2>> = OnceLock::new();
    MADE.get_or_init(Made::new)
}

pub fn wire(bytes: &[u8]) {
    legacy().wire(bytes);
    omemo2().wire(bytes);
}
pub fn messages() -> Vec<Vec<u8>> {
    let (old, new) = (legacy(), omemo2());
    vec![old.exchange.clone(), old.message.clone(), new.exchange.clone(), new.message.clone()]
}
pub fn stored(bytes: &[u8]) {
    Made::<Legacy>::stored(bytes);
    Made::<Omemo2>::stored(bytes);
    if let Ok(pair) = IdentityKeyPair::from_bytes(bytes) {
        assert_eq!(*IdentityKeyPair::from_bytes(&pair.to_bytes()).unwrap().to_bytes(), *pair.to_bytes());
    }
    if let Ok(pair) = KeyPair::from_bytes(bytes) {
        assert_eq!(*KeyPair::from_bytes(&*pair.to_bytes()).unwrap().to_bytes(), *pair.to_bytes());
    }
}
pub fn sessions() -> Vec<Vec<u8>> {
    let (mut old, mut new) = (legacy().session.clone(), omemo2().session.clone());
    let mut all = vec![old.to_bytes().to_vec(), new.to_bytes().to_vec()];
    // with skipped keys
    old.decrypt(&legacy().message).unwrap();
    new.decrypt(&omemo2().message).unwrap();
    all.extend([
        old.to_bytes().to_vec(),
        new.to_bytes().to_vec(),
        legacy().bob.identity.to_bytes().to_vec(),
        legacy().bob.signed.to_bytes().to_vec(),
    ]);
    all
}
