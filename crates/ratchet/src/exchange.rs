//! Key exchanges (prekey messages): X3DH's public part and the first message in it.
use crate::wire::{Exchange, Fields, Value};
use crate::{IdentityKey, MessageError, PreKeyId, Profile, PublicKey, SignedPreKeyId};
use std::fmt;
use std::marker::PhantomData;

/// What the bytes in a `<key>` are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MessageKind {
    /// A key exchange and a message in it: `prekey="true"`, `kex="true"`.
    KeyExchange,
    /// A message of an established session.
    Message,
}
impl MessageKind {
    /// By the first bytes alone: the attribute beside them is wrong with some peers. `None`: neither.
    pub fn sniff<P: Profile>(bytes: &[u8]) -> Option<Self> {
        let bytes = if P::LIBSIGNAL { bytes.get(1..)? } else { bytes };
        // a message of either profile starts with a field 1 of bytes (ratchet key, MAC); a key exchange with
        // numbers or, in legacy without registration and prekey id, with its field 2
        match Fields(bytes).next() {
            Ok(Some((1, Value::Bytes(_)))) => Some(MessageKind::Message),
            Ok(Some((1 | 5 | 6, Value::Number(_)) | (2, Value::Bytes(_)))) => Some(MessageKind::KeyExchange),
            _ => None,
        }
    }
}
/// A parsed key exchange. Nothing in it is authentic before [`crate::Session::accept`] or
/// [`crate::Session::decrypt`] read the message in it.
#[derive(Clone)]
pub struct KeyExchange<'a, P> {
    pub(crate) parsed: Exchange<'a>,
    _profile: PhantomData<P>,
}

impl<'a, P: Profile> KeyExchange<'a, P> {
    /// Reads the wire form.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, MessageError> {
        Ok(KeyExchange { parsed: Exchange::parse::<P>(bytes)?, _profile: PhantomData })
    }
    /// The key of the sender, to be checked before the message is shown.
    pub fn identity(&self) -> &IdentityKey {
        &self.parsed.identity.0
    }
    /// The initiator's ephemeral key: the same for all repetitions of one exchange.
    pub fn ephemeral(&self) -> &PublicKey {
        &self.parsed.ephemeral
    }
    /// Which of our one-time prekeys it used.
    pub fn pre_key(&self) -> Option<PreKeyId> {
        self.parsed.pre_key
    }
    /// Which of our signed prekeys it used.
    pub fn signed_pre_key(&self) -> SignedPreKeyId {
        self.parsed.signed_pre_key
    }
    /// The message in it, for [`crate::Session::decrypt`] when the exchange is known already.
    pub fn message(&self) -> &'a [u8] {
        self.parsed.message
    }
}
impl<P: Profile> fmt::Debug for KeyExchange<'_, P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("KeyExchange");
        shown.field("identity", self.identity()).field("ephemeral", self.ephemeral());
        shown.field("pre_key", &self.pre_key()).field("signed_pre_key", &self.signed_pre_key()).finish_non_exhaustive()
    }
}
