//! A device of somebody else's program, led by hand: it does what a test says, in the form that the test says. It speaks one version,
//! with the ratchet and nothing else of ours in between.
#![allow(dead_code, clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, clippy::arithmetic_side_effects)]
use crate::common::{ALICE, BOB, World, device, number, omemo, published};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use subrosa_engine::*;
use subrosa_omemo::payload;
use subrosa_omemo::wire::bundle::Bundle;
use subrosa_omemo::wire::device_list::ListedDevice;
use subrosa_omemo::wire::encrypted::{self, Builder, Encrypted};
use subrosa_omemo::wire::{Version, bundle, device_list, sce};
use subrosa_ratchet::*;
use subrosa_testkit::{ClientId, Seeded, Stanza};

/// A ratchet's profile and the XML around it.
pub trait Speaks: Profile {
    const VERSION: Version;
}
impl Speaks for Legacy {
    const VERSION: Version = Version::Legacy;
}
impl Speaks for Omemo2 {
    const VERSION: Version = Version::Omemo2;
}

/// One device, Bob's where nobody says otherwise.
pub struct Puppet<P: Speaks> {
    pub owner: &'static str,
    pub id: u32,
    pub identity: IdentityKeyPair,
    pub signed: Vec<(u32, KeyPair)>,
    pub one_time: Vec<(u32, KeyPair)>,
    pub session: Option<Session<P>>,
    pub rng: Seeded,
    /// The device of Alice's that it writes to.
    pub alice: Device,
    heard: usize,
    said: usize,
}
/// What came from Alice for it, opened.
pub struct Heard {
    /// `kex` or `prekey`, as it was written.
    pub kex: bool,
    /// What went through the ratchet.
    pub material: Vec<u8>,
    /// The payload, decrypted.
    pub plain: Option<Vec<u8>>,
    pub found: Encrypted,
    pub stanza: Stanza,
}
impl Heard {
    pub fn text(&self) -> String {
        let plain = self.plain.as_deref().expect("a message with words");
        match self.found.version {
            Version::Legacy => String::from_utf8(plain.to_vec()).unwrap(),
            Version::Omemo2 => sce::body(&sce::parse(plain).unwrap().content).unwrap().unwrap().as_str().to_owned(),
        }
    }
}
/// A payload and what opens it, not yet in XML.
pub struct Sealed {
    pub material: Vec<u8>,
    pub iv: [u8; 12],
    pub payload: Vec<u8>,
}

impl<P: Speaks> PreKeys for Puppet<P> {
    fn pre_key(&self, id: PreKeyId) -> Option<KeyPair> {
        self.one_time.iter().find(|(n, _)| *n == id.0).map(|(_, pair)| pair.clone())
    }
    fn signed_pre_key(&self, id: SignedPreKeyId) -> Option<KeyPair> {
        self.signed.iter().rev().find(|(n, _)| *n == id.0).map(|(_, pair)| pair.clone())
    }
}

/// Alice, who is ours, and the puppet, who published nothing yet.
pub fn alone<P: Speaks>(seed: u64) -> (World, ClientId, Puppet<P>) {
    let mut world = World::new(seed);
    let alice = world.join(ALICE, omemo);
    world.run();
    let puppet = Puppet::new(seed, device(&mut world, alice));
    (world, alice, puppet)
}
/// Both published.
pub fn meet<P: Speaks>(seed: u64) -> (World, ClientId, Puppet<P>) {
    let (mut world, alice, mut puppet) = alone(seed);
    puppet.publish(&mut world);
    (world, alice, puppet)
}
/// Both published, and past the key exchange, which was the puppet's.
pub fn talking<P: Speaks>(seed: u64) -> (World, ClientId, Puppet<P>) {
    let (mut world, alice, mut puppet) = meet(seed);
    puppet.initiate(&world);
    puppet.say(&mut world, "hello");
    world.send(alice, BOB, "hello yourself");
    world.run();
    assert_eq!(puppet.hear(&world).last().expect("an answer").text(), "hello yourself");
    puppet.say(&mut world, "fine");
    assert_eq!(crate::common::texts(&world, alice), ["hello", "fine"]);
    (world, alice, puppet)
}

impl<P: Speaks> Puppet<P> {
    pub fn new(seed: u64, alice: Device) -> Self {
        let mut rng = Seeded::new(seed ^ 0x9e37);
        let identity = IdentityKeyPair::generate(&mut rng);
        let signed = vec![(1, KeyPair::generate(&mut rng))];
        let one_time = (1..).zip(KeyPair::generate_many(20, &mut rng)).collect();
        Puppet { owner: BOB, id: 4711, identity, signed, one_time, session: None, rng, alice, heard: 0, said: 0 }
    }
    /// Its bundle, signed, as it is now.
    pub fn bundle(&mut self) -> Bundle {
        let (id, pair) = self.signed.last().unwrap();
        let (id, public) = (*id, *pair.public());
        Bundle {
            version: P::VERSION,
            identity_key: *self.identity.public().to_wire::<P>().last_chunk().unwrap(),
            signed_prekey_id: id,
            signed_prekey: *public.as_bytes(),
            signature: self.identity.sign_pre_key::<P>(&public, &mut self.rng),
            prekeys: self.one_time.iter().map(|(id, pair)| (*id, *pair.public().as_bytes())).collect(),
        }
    }
    pub fn publish(&mut self, world: &mut World) {
        let bundle = self.bundle();
        self.publish_bundle(world, &bundle, &P::VERSION.bundle_item(self.id));
        self.publish_list(world, &[ListedDevice::new(self.id)]);
    }
    pub fn publish_bundle(&self, world: &mut World, what: &Bundle, item: &str) {
        let keep = if P::VERSION == Version::Omemo2 { Keep::Many } else { Keep::One };
        world.publish_as(self.owner, &P::VERSION.bundle_node(self.id), Some(item), keep, &bundle::write(what));
        world.run();
    }
    pub fn publish_list(&self, world: &mut World, list: &[ListedDevice]) {
        world.publish_as(self.owner, P::VERSION.device_list_node(), Some("current"), Keep::One, &device_list::write(P::VERSION, list));
        world.run();
    }

    /// A new session in the place of any other, from Alice's bundle as the server has it.
    pub fn initiate(&mut self, world: &World) {
        let bundle = published(world, ALICE, number(&self.alice), P::VERSION).expect("Alice's bundle");
        self.initiate_with(&bundle);
    }
    pub fn initiate_with(&mut self, bundle: &Bundle) {
        let (id, key) = bundle.prekeys[0];
        let signed = (SignedPreKeyId(bundle.signed_prekey_id), bundle.signed_prekey.as_slice());
        let bundle = UnverifiedBundle::<P>::new(&bundle.identity_key, signed, &bundle.signature, Some((PreKeyId(id), &key)));
        self.session = Some(Session::initiate(&self.identity, bundle.unwrap().verify().unwrap(), &mut self.rng).unwrap());
    }
    /// A ratchet message: what stands in a `<key>`, in bytes.
    pub fn key(&mut self, material: &[u8]) -> (bool, Vec<u8>) {
        let mut out = Vec::new();
        let kind = self.session.as_mut().expect("a session").encrypt(material, &mut self.rng, &mut out).unwrap();
        (kind == MessageKind::KeyExchange, out)
    }
    /// This plaintext as it is, whatever belongs into one.
    pub fn seal(&mut self, plain: &[u8]) -> Sealed {
        match P::VERSION {
            Version::Legacy => {
                let sealed = payload::encrypt_legacy(plain, &mut self.rng);
                Sealed { material: sealed.key_material.to_vec(), iv: sealed.iv, payload: sealed.ciphertext }
            }
            Version::Omemo2 => {
                let sealed = payload::encrypt_omemo2(plain, &mut self.rng);
                Sealed { material: sealed.key_material.to_vec(), iv: [0; 12], payload: sealed.ciphertext }
            }
        }
    }
    /// The plaintext that belongs into a payload: the bare words, or an envelope around them.
    pub fn plain(&mut self, world: &World, text: &str) -> Vec<u8> {
        match P::VERSION {
            Version::Legacy => text.as_bytes().to_vec(),
            Version::Omemo2 => {
                let content = sce::text(text);
                sce::write(&sce::Outgoing { content: &content, from: self.owner, to: Some(ALICE), time: world.now() }, &mut self.rng).to_vec()
            }
        }
    }
    /// The `<encrypted>` for Alice around a ratchet message, as everybody writes it.
    pub fn element(&self, kex: bool, data: &[u8], iv: &[u8; 12], payload: Option<&[u8]>) -> String {
        let mut builder = match P::VERSION {
            Version::Legacy => Builder::legacy(self.id, iv, 1),
            Version::Omemo2 => Builder::omemo2(self.id, 1),
        };
        builder.recipient(ALICE);
        builder.key(number(&self.alice), kex, data);
        String::from_utf8(builder.element(payload)).unwrap()
    }
    /// The `<encrypted>` of a message with this plaintext.
    pub fn sealed_element(&mut self, plain: &[u8]) -> String {
        let sealed = self.seal(plain);
        let (kex, data) = self.key(&sealed.material);
        self.element(kex, &data, &sealed.iv, Some(&sealed.payload))
    }
    /// Children of a message from it to Alice; they arrive.
    pub fn send(&mut self, world: &mut World, children: &str) {
        self.said += 1;
        world.inject(Stanza {
            id: MessageId(format!("puppet{}", self.said).into()),
            part: 0,
            chat: ChatId(ALICE.into()),
            from: self.owner.into(),
            to: Recipients::People(vec![ALICE.into()]),
            kind: Kind::Text,
            content_type: ContentType::STANZA,
            body: children.as_bytes().to_vec(),
            in_clear: false,
            made: world.now(),
        });
        world.run();
    }
    /// A message as everybody writes it.
    pub fn say(&mut self, world: &mut World, text: &str) {
        let plain = self.plain(world, text);
        let element = self.sealed_element(&plain);
        self.send(world, &element);
    }
    /// A message without payload, with so many bytes through the ratchet.
    pub fn say_nothing(&mut self, world: &mut World, bytes: usize) {
        let (kex, data) = self.key(&vec![0; bytes]);
        let element = self.element(kex, &data, &[0; 12], None);
        self.send(world, &element);
    }
    /// All that came for it since the last time.
    pub fn hear(&mut self, world: &World) -> Vec<Heard> {
        let mut all = Vec::new();
        while let Some(stanza) = world.stanzas().get(self.heard) {
            self.heard += 1;
            let found = encrypted::parse(&stanza.body, self.owner, self.id).ok().and_then(|m| m.encrypted);
            let Some(found) = found.filter(|f| stanza.from.as_str() == ALICE && f.version == P::VERSION && !f.keys.is_empty()) else { continue };
            let material = self.open(&found.keys[0].data);
            let plain = found.payload.as_deref().map(|payload| match P::VERSION {
                Version::Legacy => payload::decrypt_legacy(&material, found.iv.as_deref().unwrap(), payload).unwrap().to_vec(),
                Version::Omemo2 => payload::decrypt_omemo2(&material, payload).unwrap().to_vec(),
            });
            all.push(Heard { kex: found.keys[0].kex, material, plain, found, stanza: stanza.clone() });
        }
        all
    }
    fn open(&mut self, data: &[u8]) -> Vec<u8> {
        let message = match MessageKind::sniff::<P>(data) {
            Some(MessageKind::KeyExchange) => {
                let exchange = KeyExchange::<P>::parse(data).unwrap();
                if !self.session.as_ref().is_some_and(|s| s.knows(&exchange)) {
                    let accepted = Session::accept(&self.identity, self, &exchange).expect("an exchange with our keys");
                    self.session = Some(accepted.session);
                    return accepted.plaintext.to_vec();
                }
                exchange.message().to_vec()
            }
            _ => data.to_vec(),
        };
        self.session.as_mut().expect("a session").decrypt(&message).expect("what the puppet can read").to_vec()
    }
}

pub fn base64(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}
