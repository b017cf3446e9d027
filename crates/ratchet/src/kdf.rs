//! Key derivation: HKDF-SHA256 (RFC 5869) and the chain's HMAC (RFC 2104). Knows no labels: profiles pass them.
use crate::secret::Secret;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use std::sync::LazyLock;

type HmacSha256 = Hmac<Sha256>;

/// HMAC under 32 zero bytes: the start of every HKDF without salt, two compressions that are always the same.
static ZERO_SALT: LazyLock<HmacSha256> = LazyLock::new(|| keyed(&[0; 32]));

fn keyed(key: &[u8; 32]) -> HmacSha256 {
    // the constructor for keys of any length returns a `Result`; this one takes a whole block
    let mut block = [0; 64];
    if let Some(head) = block.first_chunk_mut() {
        *head = *key;
    }
    let keyed = HmacSha256::new((&block).into());
    block = [0; 64];
    zeroize::optimization_barrier(&block);
    keyed
}
fn finish(mac: HmacSha256) -> Secret {
    Secret(mac.finalize().into_bytes().into())
}
/// HMAC-SHA256 of the parts, one after the other.
pub(crate) fn hmac(key: &[u8; 32], parts: [&[u8]; 2]) -> Secret {
    let mut mac = keyed(key);
    parts.iter().for_each(|part| mac.update(part));
    finish(mac)
}
fn expand<const BLOCKS: usize>(pseudorandom: &Secret, info: &[u8]) -> [Secret; BLOCKS] {
    let keyed = keyed(&pseudorandom.0);
    let mut blocks = [(); BLOCKS].map(|()| Secret([0; 32]));
    let mut previous: Option<&Secret> = None;
    for (block, number) in blocks.iter_mut().zip(1u8..) {
        let mut mac = keyed.clone();
        if let Some(previous) = previous {
            mac.update(&previous.0);
        }
        mac.update(info);
        mac.update(&[number]);
        *block = finish(mac);
        previous = Some(block);
    }
    blocks
}
fn extract_unsalted(material: &[u8]) -> Secret {
    let mut mac = ZERO_SALT.clone();
    mac.update(material);
    finish(mac)
}
/// The root key of X3DH: the first 32 bytes of HKDF without salt.
pub(crate) fn agreement(material: &[u8], info: &[u8]) -> Secret {
    let [root] = expand(&extract_unsalted(material), info);
    root
}
/// A step of the root chain: the next root key, and a chain key.
pub(crate) fn root_step(root: &Secret, shared: &Secret, info: &[u8]) -> [Secret; 2] {
    expand(&hmac(&root.0, [&shared.0, &[]]), info)
}
/// A step of a sending or receiving chain: the message's seed, and the next chain key.
pub(crate) fn chain_step(chain: &Secret) -> [Secret; 2] {
    let mut message = keyed(&chain.0);
    let mut next = message.clone();
    message.update(&[1]);
    next.update(&[2]);
    [finish(message), finish(next)]
}
/// What one message is encrypted with.
pub(crate) struct MessageKeys {
    pub(crate) cipher: Secret,
    pub(crate) mac: Secret,
    pub(crate) iv: [u8; 16],
}
/// The keys of a message from its seed: 80 bytes of HKDF without salt.
pub(crate) fn message_keys(seed: &Secret, info: &[u8]) -> MessageKeys {
    let [cipher, mac, last] = expand(&extract_unsalted(&seed.0), info);
    let [iv, _] = bytes_of_half(&last);
    MessageKeys { cipher, mac, iv }
}
fn bytes_of_half(secret: &Secret) -> [[u8; 16]; 2] {
    let mut halves = [[0; 16]; 2];
    for (half, bytes) in halves.iter_mut().zip(secret.0.as_chunks::<16>().0) {
        *half = *bytes;
    }
    halves
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::arithmetic_side_effects)]
    use super::*;
    use proptest::prelude::*;

    /// RFC 5869, test case 3: no salt, no info.
    #[test]
    fn rfc_5869_case_3() {
        let [first, second] = expand::<2>(&extract_unsalted(&[0x0b; 22]), &[]);
        let okm = [first.0, second.0].concat();
        let text: String = okm.iter().take(42).map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(text, "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8");
    }
    /// RFC 4231, test case 1 has a key of 20 bytes: the same block when padded with zeros.
    #[test]
    fn rfc_4231_case_1() {
        let mut key = [0; 32];
        key[..20].fill(0x0b);
        let tag: String = hmac(&key, [b"Hi ", b"There"]).0.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(tag, "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
    }
    proptest! {
        #[test]
        fn same_as_the_hkdf_crate(seed: [u8; 32], root: [u8; 32], material in proptest::collection::vec(any::<u8>(), 0..200), info in proptest::collection::vec(any::<u8>(), 0..80)) {
            let mut okm = [0; 80];
            hkdf::Hkdf::<Sha256>::new(None, &seed).expand(&info, &mut okm).unwrap();
            let keys = message_keys(&Secret(seed), &info);
            prop_assert_eq!([keys.cipher.0.as_slice(), &keys.mac.0, &keys.iv].concat(), okm);
            let mut okm = [0; 32];
            hkdf::Hkdf::<Sha256>::new(Some(&[0; 32]), &material).expand(&info, &mut okm).unwrap();
            prop_assert_eq!(agreement(&material, &info).0, okm);
            let mut okm = [0; 64];
            hkdf::Hkdf::<Sha256>::new(Some(&root), &seed).expand(&info, &mut okm).unwrap();
            let [next, chain] = root_step(&Secret(root), &Secret(seed), &info);
            prop_assert_eq!([next.0, chain.0].concat(), okm);
        }
    }
}
