//! The floor: the same bare primitives, used the ordinary way (dalek 5 and RustCrypto with their `zeroize` features).
//! No session, serialisation, store, parsing or random numbers. Each function is a row of the table
//! "Floors per operation" in the performance reference (§2), column "rc with zeroize features".
use aes::Aes256;
use cbc::cipher::{BlockModeDecrypt, BlockModeEncrypt, KeyIvInit, block_padding::Pkcs7};
use curve25519_dalek::montgomery::MontgomeryPoint;
use ed25519_dalek::{Signature, Signer, SigningKey, Verifier, VerifyingKey};
use hkdf::Hkdf;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use std::hint::black_box;

pub const PLAIN: usize = 32;
/// Associated data and message of 156 bytes, as in `c1_enc`.
const AUTHENTICATED: [u8; 156] = [7; 156];

fn hmac(key: &[u8], data: &[u8]) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
    mac.update(data);
    mac.finalize().into_bytes().into()
}
fn hkdf64(salt: &[u8; 32], material: &[u8]) -> [u8; 64] {
    let mut okm = [0; 64];
    Hkdf::<Sha256>::new(Some(salt), material).expand(b"OMEMO Root Chain", &mut okm).unwrap();
    okm
}
fn keys(seed: &[u8; 32]) -> [u8; 80] {
    let mut okm = [0; 80];
    Hkdf::<Sha256>::new(Some(&[0; 32]), seed).expand(b"OMEMO Message Key Material", &mut okm).unwrap();
    okm
}
fn step(chain: &mut [u8; 32]) -> [u8; 32] {
    let seed = hmac(chain, &[1]);
    *chain = hmac(chain, &[2]);
    seed
}

pub struct Floor {
    chain: [u8; 32],
    secret: [u8; 32],
    point: MontgomeryPoint,
    signing: SigningKey,
    verifying: VerifyingKey,
    signature: Signature,
    ciphertext: [u8; 48],
}
impl Floor {
    pub fn new() -> Self {
        let signing = SigningKey::from_bytes(&[3; 32]);
        let signature = signing.sign(&[9; 33]);
        let verifying = signing.verifying_key();
        let point = MontgomeryPoint::mul_base_clamped([5; 32]);
        let mut floor = Floor { chain: [1; 32], secret: [2; 32], point, signing, verifying, signature, ciphertext: [0; 48] };
        floor.ciphertext = floor.seal(&[4; 32]);
        floor
    }
    fn seal(&self, seed: &[u8; 32]) -> [u8; 48] {
        let keys = keys(seed);
        let mut buffer = [0; 48];
        buffer[..PLAIN].copy_from_slice(&[6; PLAIN]);
        let cipher = cbc::Encryptor::<Aes256>::new_from_slices(&keys[..32], &keys[64..]).unwrap();
        cipher.encrypt_padded::<Pkcs7>(&mut buffer, PLAIN).unwrap();
        black_box(hmac(&keys[32..64], &AUTHENTICATED));
        buffer
    }
    fn open(&self, seed: &[u8; 32]) {
        let keys = keys(seed);
        black_box(hmac(&keys[32..64], &AUTHENTICATED));
        let mut buffer = self.ciphertext;
        let cipher = cbc::Decryptor::<Aes256>::new_from_slices(&keys[..32], &keys[64..]).unwrap();
        // the seed is another one: the padding is as it is
        let _ = black_box(cipher.decrypt_padded::<Pkcs7>(&mut buffer));
    }
    fn variable(&self, count: usize) {
        for _ in 0..count {
            black_box(black_box(self.point).mul_clamped(black_box(self.secret)));
        }
    }
    fn fixed(&self, count: usize) {
        for _ in 0..count {
            black_box(MontgomeryPoint::mul_base_clamped(black_box(self.secret)));
        }
    }
    fn agree(&self, count: usize) {
        for _ in 0..count {
            black_box(hkdf64(&self.chain, black_box(&[8; 32])));
        }
    }
    /// `a_keygen`: 102 fixed-base + 1 sign.
    pub fn keys_102(&mut self) {
        self.fixed(102);
        black_box(self.signing.sign(black_box(&[9; 33])));
    }
    /// `b1_init`: 1 verify + 2 fixed + 5 variable + 2 HKDF-64 + encrypt. The verifying key is decompressed, as it comes
    /// in a bundle.
    pub fn session_init(&mut self) {
        let key = VerifyingKey::from_bytes(black_box(self.verifying.as_bytes())).unwrap();
        key.verify(black_box(&[9; 33]), &self.signature).unwrap();
        self.fixed(2);
        self.variable(5);
        self.agree(2);
        self.encrypt();
    }
    /// `b2_recv`: 5 variable + 2 HKDF-64 + decrypt, the sending half-step deferred.
    pub fn session_receive(&mut self) {
        self.variable(5);
        self.agree(2);
        self.decrypt();
    }
    /// `c1_enc`: 2 HMAC + HKDF-80 + AES-256-CBC 48 B + HMAC 156 B.
    pub fn encrypt(&mut self) {
        let seed = step(&mut self.chain);
        black_box(self.seal(&seed));
    }
    /// `c2_dec`: the same.
    pub fn decrypt(&mut self) {
        let seed = step(&mut self.chain);
        self.open(&seed);
    }
    /// `d_pingpong`: 2 variable + 1 fixed + 2 HKDF-64 + encrypt + decrypt.
    pub fn ping_pong(&mut self) {
        self.variable(2);
        self.fixed(1);
        self.agree(2);
        self.encrypt();
        self.decrypt();
    }
    /// `e1_skip1000`: 1000 × 2 HMAC + decrypt.
    pub fn skip_1000(&mut self) {
        for _ in 0..1000 {
            black_box(step(&mut self.chain));
        }
        self.decrypt();
    }
    /// `e2`: HKDF-80 + HMAC + AES-256-CBC of one late message, its seed at hand.
    pub fn late_message(&mut self) {
        self.open(black_box(&[4; 32]));
    }
    /// `f1000`: 1000 × `c1_enc`.
    pub fn fanout_1000(&mut self) {
        for _ in 0..1000 {
            self.encrypt();
        }
    }
}
