//! Key exchanges (prekey messages): X3DH's public part and the first message in it.
use crate::{IdentityKey, MessageError, PreKeyId, Profile, PublicKey, SignedPreKeyId};
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
    /// By the bytes alone: the attribute beside them is wrong with some peers. `None`: neither.
    pub fn sniff<P: Profile>(_bytes: &[u8]) -> Option<Self> {
        todo!()
    }
}
/// A parsed key exchange. Nothing in it is authentic before [`crate::Session::accept`] or
/// [`crate::Session::decrypt`] read the message in it.
#[derive(Clone, Debug)]
pub struct KeyExchange<'a, P> {
    identity: IdentityKey,
    ephemeral: PublicKey,
    pre_key: Option<PreKeyId>,
    signed_pre_key: SignedPreKeyId,
    message: &'a [u8],
    _profile: PhantomData<P>,
}
impl<'a, P: Profile> KeyExchange<'a, P> {
    /// Reads the wire form.
    pub fn parse(_bytes: &'a [u8]) -> Result<Self, MessageError> {
        todo!()
    }
    /// The key of the sender, to be checked before the message is shown.
    pub fn identity(&self) -> &IdentityKey {
        &self.identity
    }
    /// The initiator's ephemeral key: the same for all repetitions of one exchange.
    pub fn ephemeral(&self) -> &PublicKey {
        &self.ephemeral
    }
    /// Which of our one-time prekeys it used.
    pub fn pre_key(&self) -> Option<PreKeyId> {
        self.pre_key
    }
    /// Which of our signed prekeys it used.
    pub fn signed_pre_key(&self) -> SignedPreKeyId {
        self.signed_pre_key
    }
    /// The message in it, for [`crate::Session::decrypt`] when the exchange is known already.
    pub fn message(&self) -> &'a [u8] {
        self.message
    }
}
