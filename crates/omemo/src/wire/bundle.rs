//! Bundles: what a device publishes so that others can start a session with it (XEP-0384 §5.3.2; 0.3.0 §4.3).
use super::{Version, WireError};

/// The most one-time prekeys that are read.
pub const MAX_PREKEYS: usize = 1_000;

/// A bundle as it stands on the network: nothing in it is verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bundle {
    /// Of which version.
    pub version: Version,
    /// Legacy: the Montgomery u coordinate, without the type byte 5. OMEMO 2: the Ed25519 key.
    pub identity_key: [u8; 32],
    /// The id of the signed prekey.
    pub signed_prekey_id: u32,
    /// The signed prekey (X25519), without the type byte that the legacy signature covers.
    pub signed_prekey: [u8; 32],
    /// The signature as it stands: in legacy bundles bit 7 of the last byte may be the sign of the identity key.
    pub signature: [u8; 64],
    /// One-time prekeys: id and X25519 key. Ids differ from each other. May be empty.
    pub prekeys: Vec<(u32, [u8; 32])>,
}

/// Reads `<bundle>`.
pub fn parse(version: Version, xml: &[u8]) -> Result<Bundle, WireError> {
    let _ = (version, xml);
    Err(WireError::NotXml)
}

/// Writes `<bundle>`.
#[must_use]
pub fn write(bundle: &Bundle) -> Vec<u8> {
    let _ = bundle;
    Vec::new()
}
