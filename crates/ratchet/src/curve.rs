//! Curve25519 in both its forms: X25519, conversion, and what makes a public key unfit. RFC 7748.
//!
//! With AVX2, variable-base multiplication is a quarter cheaper on the Edwards form, where the dalek backend is
//! vectorised, conversion included; results are equal for every point of the curve. Points of the twist, and
//! processors without AVX2, take the Montgomery ladder. Both are constant-time in the secret.
use crate::secret::Secret;
use curve25519_dalek::edwards::{CompressedEdwardsY, EdwardsBasepointTable, EdwardsPoint};
use curve25519_dalek::montgomery::MontgomeryPoint;
use curve25519_dalek::scalar::Scalar;
use curve25519_dalek::traits::BasepointTable as _;
use zeroize::Zeroize;

/// A public key, ready to be multiplied.
pub(crate) struct Point {
    u: [u8; 32],
    edwards: Option<EdwardsPoint>,
}
impl Point {
    pub(crate) fn new(u: &[u8; 32]) -> Self {
        let edwards = if vectorised() { MontgomeryPoint(*u).to_edwards(0) } else { None };
        Point { u: *u, edwards }
    }
    /// Of a key whose Edwards form is at hand.
    pub(crate) fn with_edwards(u: &[u8; 32], edwards: EdwardsPoint) -> Self {
        Point { u: *u, edwards: vectorised().then_some(edwards) }
    }
}

#[cfg(target_arch = "x86_64")]
fn vectorised() -> bool {
    std::arch::is_x86_feature_detected!("avx2")
}
#[cfg(not(target_arch = "x86_64"))]
fn vectorised() -> bool {
    false
}

/// X25519 of each pair. All-zero results are for the caller to refuse.
pub(crate) fn dh<const N: usize>(pairs: [(&Secret, &Point); N]) -> [Secret; N] {
    let mut sharing = [(); N].map(|()| Secret([0; 32]));
    share(&pairs, &mut sharing);
    sharing
}
fn share(pairs: &[(&Secret, &Point)], sharing: &mut [Secret]) {
    if pairs.iter().all(|(_, point)| point.edwards.is_some()) {
        let mut products: Vec<EdwardsPoint> = pairs.iter().filter_map(|(secret, point)| Some(point.edwards?.mul_clamped(secret.0))).collect();
        let mut affine = montgomery(&products);
        for (shared, product) in sharing.iter_mut().zip(&mut affine) {
            shared.0 = product.0;
            product.zeroize();
        }
        products.zeroize();
    } else {
        for (shared, (secret, point)) in sharing.iter_mut().zip(pairs) {
            let mut product = match point.edwards {
                Some(edwards) => edwards.mul_clamped(secret.0).to_montgomery(),
                None => MontgomeryPoint(point.u).mul_clamped(secret.0),
            };
            shared.0 = product.0;
            product.zeroize();
        }
    }
}
/// Multiples of the base point. A browser makes them when it first needs them: what no compression makes smaller, 30 kB, is not loaded.
#[cfg(target_family = "wasm")]
fn base() -> &'static EdwardsBasepointTable {
    static TABLE: std::sync::OnceLock<Box<EdwardsBasepointTable>> = std::sync::OnceLock::new();
    TABLE.get_or_init(|| Box::new(EdwardsBasepointTable::create(&curve25519_dalek::constants::ED25519_BASEPOINT_POINT)))
}
#[cfg(not(target_family = "wasm"))]
fn base() -> &'static EdwardsBasepointTable {
    curve25519_dalek::constants::ED25519_BASEPOINT_TABLE
}
/// The base point times a scalar.
pub(crate) fn mul_base(scalar: &Scalar) -> EdwardsPoint {
    base().mul_base(scalar)
}
/// The base point times a secret, as X25519 clamps it.
pub(crate) fn mul_base_clamped(secret: [u8; 32]) -> EdwardsPoint {
    base().mul_base_clamped(secret)
}
/// One inversion for all.
pub(crate) fn montgomery(points: &[EdwardsPoint]) -> Vec<MontgomeryPoint> {
    match points {
        [point] => vec![point.to_montgomery()],
        points => EdwardsPoint::to_montgomery_batch(points),
    }
}

/// The points that make every shared secret zero, by u without its top bit: orders 1, 2, 4, 8 on curve and twist,
/// and the two of them that have a second encoding.
const LOW_ORDER: [[u8; 32]; 7] = {
    const P: [u8; 32] = {
        let mut p = [0xff; 32];
        p[0] = 0xed;
        p[31] = 0x7f;
        p
    };
    let (mut one, mut minus_one, mut p_plus_one) = ([0; 32], P, P);
    one[0] = 1;
    minus_one[0] = 0xec;
    p_plus_one[0] = 0xee;
    [
        [0; 32],
        one,
        [
            0xe0, 0xeb, 0x7a, 0x7c, 0x3b, 0x41, 0xb8, 0xae, 0x16, 0x56, 0xe3, 0xfa, 0xf1, 0x9f, 0xc4, 0x6a, 0xda, 0x09, 0x8d, 0xeb, 0x9c, 0x32, 0xb1,
            0xfd, 0x86, 0x62, 0x05, 0x16, 0x5f, 0x49, 0xb8, 0x00,
        ],
        [
            0x5f, 0x9c, 0x95, 0xbc, 0xa3, 0x50, 0x8c, 0x24, 0xb1, 0xd0, 0xb1, 0x55, 0x9c, 0x83, 0xef, 0x5b, 0x04, 0x44, 0x5c, 0xc4, 0x58, 0x1c, 0x8e,
            0x86, 0xd8, 0x22, 0x4e, 0xdd, 0xd0, 0x9f, 0x11, 0x57,
        ],
        minus_one,
        P,
        p_plus_one,
    ]
};
/// Whether any secret times this point is zero.
pub(crate) fn is_low_order(u: &[u8; 32]) -> bool {
    let mut masked = *u;
    let [.., top] = &mut masked;
    *top &= 0x7f;
    LOW_ORDER.contains(&masked)
}
/// Whether the field element (top bit aside) is written as a number below 2^255 - 19, the only way that is unique.
pub(crate) fn is_canonical(bytes: &[u8; 32]) -> bool {
    let [low, middle @ .., top] = bytes;
    top & 0x7f != 0x7f || *low < 0xed || middle.iter().any(|byte| *byte != 0xff)
}
/// From an Ed25519 public key, `None` off the curve or written otherwise than RFC 8032 does.
pub(crate) fn decompress(ed: &[u8; 32]) -> Option<EdwardsPoint> {
    is_canonical(ed).then(|| CompressedEdwardsY(*ed).decompress()).flatten()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use super::*;
    use proptest::prelude::*;

    fn hex(text: &str) -> [u8; 32] {
        let digits: Vec<u8> = text.chars().map(|digit| digit.to_digit(16).unwrap() as u8).collect();
        let bytes: Vec<u8> = digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect();
        bytes.try_into().unwrap()
    }
    #[test]
    fn rfc_7748_vectors() {
        for (scalar, u, product) in [
            (
                "a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4",
                "e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c",
                "c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552",
            ),
            (
                "4b66e9d4d1b4673c5ad22691957d6af5c11b6421e0ea01d42ca4169e7918ba0d",
                "e5210f12786811d3f4b7959d0538ae2c31dbe7106fc03c3efc4cd549c715a493",
                "95cbde9476e8907d7aade45cb4b873f88b595a68799fa152e6f8f7647aac7957",
            ),
        ] {
            let [shared] = dh([(&Secret(hex(scalar)), &Point::new(&hex(u)))]);
            assert_eq!(shared.0, hex(product));
        }
    }
    proptest! {
        /// Points of curve and twist alike.
        #[test]
        fn edwards_form_and_ladder_agree(scalar: [u8; 32], other: [u8; 32], u: [u8; 32], base: [u8; 32]) {
            let honest = MontgomeryPoint::mul_base_clamped(base);
            for u in [u, honest.0] {
                let point = Point::new(&u);
                let second = Point::new(&honest.0);
                let [one, two] = dh([(&Secret(scalar), &point), (&Secret(other), &second)]);
                prop_assert_eq!(one.0, MontgomeryPoint(u).mul_clamped(scalar).0);
                prop_assert_eq!(two.0, honest.mul_clamped(other).0);
            }
        }
    }
    #[test]
    fn low_order_points_are_known_and_give_zero() {
        for u in LOW_ORDER {
            for top in [0, 0x80] {
                let mut u = u;
                u[31] |= top;
                assert!(is_low_order(&u));
                let [shared] = dh([(&Secret([0x55; 32]), &Point::new(&u))]);
                assert!(shared.is_zero(), "{u:02x?}");
            }
        }
        assert!(!is_low_order(&MontgomeryPoint::mul_base_clamped([7; 32]).0));
    }
    #[test]
    fn canonical_is_below_p() {
        let mut p = [0xff; 32];
        (p[0], p[31]) = (0xed, 0x7f);
        assert!(!is_canonical(&p));
        p[0] = 0xec;
        assert!(is_canonical(&p));
        p[31] = 0xff;
        assert!(is_canonical(&p), "the top bit is not part of the number");
        assert!(!is_canonical(&[0xff; 32]));
        assert!(is_canonical(&[0; 32]));
    }
}
