//! A device with its keys, for the tests of this crate.
#![allow(dead_code, clippy::unwrap_used, clippy::indexing_slicing, clippy::arithmetic_side_effects)]
use getrandom::SysRng;
use getrandom::rand_core::UnwrapErr;
use std::cell::RefCell;
use std::collections::HashMap;
use subrosa_ratchet::*;

pub fn rng() -> UnwrapErr<SysRng> {
    UnwrapErr(SysRng)
}

pub struct Device {
    pub identity: IdentityKeyPair,
    pub signed: HashMap<u32, KeyPair>,
    pub one_time: RefCell<HashMap<u32, KeyPair>>,
}
impl PreKeys for Device {
    fn pre_key(&self, id: PreKeyId) -> Option<KeyPair> {
        self.one_time.borrow().get(&id.0).cloned()
    }
    fn signed_pre_key(&self, id: SignedPreKeyId) -> Option<KeyPair> {
        self.signed.get(&id.0).cloned()
    }
}
impl Device {
    pub fn new() -> Self {
        Device {
            identity: IdentityKeyPair::generate(&mut rng()),
            signed: HashMap::from([(1, KeyPair::generate(&mut rng()))]),
            one_time: RefCell::new((1..).zip(KeyPair::generate_many(20, &mut rng())).collect()),
        }
    }
    /// The bundle somebody gets, with a one-time prekey that is still there.
    pub fn bundle<P: Profile>(&self) -> VerifiedBundle<P> {
        let one_time = self.one_time.borrow();
        let id = *one_time.keys().min().unwrap();
        self.bundle_with::<P>(Some(id)).verify().unwrap()
    }
    pub fn bundle_with<P: Profile>(&self, one_time: Option<u32>) -> UnverifiedBundle<P> {
        let signed = self.signed[&1].public();
        let signature = self.identity.sign_pre_key::<P>(signed, &mut rng());
        let key = one_time.map(|id| (PreKeyId(id), self.one_time.borrow()[&id].public().to_wire::<P>()));
        UnverifiedBundle::new(
            &self.identity.public().to_wire::<P>(),
            (SignedPreKeyId(1), &signed.to_wire::<P>()),
            &signature,
            key.as_ref().map(|(id, key)| (*id, &**key)),
        )
        .unwrap()
    }
    pub fn initiate<P: Profile>(&self, other: &Device) -> Session<P> {
        Session::initiate(&self.identity, other.bundle(), &mut rng()).unwrap()
    }
    pub fn accept<P: Profile>(&self, bytes: &[u8]) -> Result<Accepted<P>, AcceptError> {
        let exchange = KeyExchange::parse(bytes).map_err(DecryptError::from)?;
        let accepted = Session::accept(&self.identity, self, &exchange)?;
        if let Some(used) = accepted.used {
            self.one_time.borrow_mut().remove(&used.0);
        }
        Ok(accepted)
    }
}
pub fn seal<P: Profile>(session: &mut Session<P>, text: &[u8]) -> (MessageKind, Vec<u8>) {
    let mut out = Vec::new();
    let kind = session.encrypt(text, &mut rng(), &mut out).unwrap();
    assert_eq!(MessageKind::sniff::<P>(&out), Some(kind));
    (kind, out)
}
/// The plain message of what was sent, out of its key exchange if it is in one.
pub fn inner<P: Profile>(bytes: &[u8]) -> Vec<u8> {
    match MessageKind::sniff::<P>(bytes) {
        Some(MessageKind::KeyExchange) => KeyExchange::<P>::parse(bytes).unwrap().message().to_vec(),
        _ => bytes.to_vec(),
    }
}
/// Two sessions, both past the handshake.
pub fn pair<P: Profile>() -> (Session<P>, Session<P>) {
    let (alice, bob) = (Device::new(), Device::new());
    let mut one = alice.initiate::<P>(&bob);
    let mut two = bob.accept::<P>(&seal(&mut one, b"hello").1).unwrap().session;
    one.decrypt(&seal(&mut two, b"hello yourself").1).unwrap();
    (one, two)
}
