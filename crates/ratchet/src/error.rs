//! What can go wrong, one enum per operation.
use crate::{PreKeyId, SignedPreKeyId};

/// Why bytes are not a public key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// Neither 32 bytes nor, where the profile has a type byte, 33.
    #[error("the key has {0} bytes")]
    Length(usize),
    /// Legacy keys begin with 0x05.
    #[error("the key has the unknown type {0:#04x}")]
    Type(u8),
    /// No point of Curve25519 belongs to these bytes.
    #[error("the key is not on the curve")]
    NotOnCurve,
    /// A key of low order makes every shared secret zero.
    #[error("the key has low order")]
    LowOrder,
}
/// Which key an error is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeyName {
    /// The identity key.
    Identity,
    /// The signed prekey.
    SignedPreKey,
    /// The one-time prekey.
    PreKey,
    /// The initiator's ephemeral key (base key).
    Ephemeral,
    /// The ratchet key of a message.
    Ratchet,
}
impl std::fmt::Display for KeyName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            KeyName::Identity => "identity key",
            KeyName::SignedPreKey => "signed prekey",
            KeyName::PreKey => "one-time prekey",
            KeyName::Ephemeral => "ephemeral key",
            KeyName::Ratchet => "ratchet key",
        })
    }
}
/// A signature that does not verify.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the signature is not valid for this key")]
pub struct SignatureError;

/// Why a bundle is not used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BundleError {
    /// Wrong key, wrong data, or a signature that has not 64 bytes.
    #[error("the signed prekey is not signed by the identity key")]
    Signature,
    /// OMEMO 2 never starts a session without one (XEP-0384 §4.3).
    #[error("the bundle has no one-time prekey")]
    NoPreKey,
    /// One of its keys is none.
    #[error("the {0} of the bundle cannot be used: {1}")]
    BadKey(KeyName, KeyError),
}
/// Why bytes are not a message of the profile.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MessageError {
    /// Ends in the middle of a field, or is empty.
    #[error("the message is truncated")]
    Truncated,
    /// The version byte of a legacy message is not 0x33.
    #[error("the message has the unknown version {0:#04x}")]
    Version(u8),
    /// A field of the wrong type, twice, or out of range.
    #[error("the message is malformed")]
    Malformed,
    /// A field that the protocol requires is missing.
    #[error("the message lacks its {0}")]
    Missing(&'static str),
    /// 2^32 - 1: the last number of a chain, which nobody uses.
    #[error("the message has a counter that no chain reaches")]
    Counter,
    /// Authentic, but its text is not padded as PKCS#7 wants.
    #[error("the message is wrongly padded")]
    Padding,
    /// A key in it is none.
    #[error("the {0} of the message cannot be used: {1}")]
    BadKey(KeyName, KeyError),
}
/// Locally precise; to the peer all of them are one opaque failure. The session is as it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DecryptError {
    /// The bytes are no message.
    #[error(transparent)]
    Message(#[from] MessageError),
    /// Its key was used already: silently dropped by XEP-0384.
    #[error("the message was already read, or is older than the messages that can still be")]
    Duplicate,
    /// More than [`crate::MAX_SKIP`] messages are missing before it.
    #[error("{0} messages are missing before this one, more than can be skipped")]
    TooFarAhead(u32),
    /// Made for another session, or changed on the way.
    #[error("the message is not authentic for this session")]
    NotAuthentic,
}
/// Why a key exchange gave no session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AcceptError {
    /// Used before, or never ours.
    #[error("the key exchange uses the one-time prekey {}, which does not exist (any more)", .0.0)]
    UnknownPreKey(PreKeyId),
    /// Rotated away, or never ours.
    #[error("the key exchange uses the signed prekey {}, which does not exist (any more)", .0.0)]
    UnknownSignedPreKey(SignedPreKeyId),
    /// OMEMO 2 rejects it (XEP-0384 §4.3).
    #[error("the key exchange uses no one-time prekey")]
    MissingPreKey,
    /// A shared secret came out as zero.
    #[error("the {0} of the key exchange cannot be used: {1}")]
    BadKey(KeyName, KeyError),
    /// The message inside does not decrypt.
    #[error("the first message of the session cannot be read: {0}")]
    Decrypt(#[from] DecryptError),
}
/// Why a message could not be encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EncryptError {
    /// 2^32 - 1 messages in a row without an answer.
    #[error("the session has sent as many messages as it can without an answer")]
    Exhausted,
    /// [`crate::Session::close`]
    #[error("the session is closed: its next keys may have been used")]
    Closed,
}
/// Why bytes are not a stored session or key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StoredError {
    /// Another profile's.
    #[error("the stored session is of another protocol")]
    Profile,
    /// Written by a newer program.
    #[error("the stored form {0} is not known to this version")]
    Version(u8),
    /// Truncated, too long, or not consistent.
    #[error("the stored form is damaged")]
    Damaged,
}
