//! The wire form of messages and key exchanges: a protobuf codec for exactly these. XEP-0384 §4, libsignal's
//! `WhisperTextProtocol`.
//!
//! Reading copies nothing and is strict: a known field twice or of another type, a number over 32 bits, a group, a
//! truncated field are errors; unknown fields are skipped. Writing goes field by field, ascending, into one buffer of
//! known size.
use crate::{IdentityKey, KeyName, MessageError, PreKeyId, Profile, PublicKey, SignedPreKeyId};
use curve25519_dalek::edwards::EdwardsPoint;

/// Current and lowest version in libsignal's version byte: its own version 3.
const VERSION: u8 = 0x33;

/// Field numbers of a key exchange.
#[derive(Clone, Copy, Debug)]
pub struct ExchangeFields {
    pub(crate) pre_key: u32,
    pub(crate) signed_pre_key: u32,
    pub(crate) identity: u32,
    pub(crate) ephemeral: u32,
    pub(crate) message: u32,
}

/// A field's content.
#[derive(Clone, Copy)]
pub(crate) enum Value<'a> {
    Number(u64),
    Bytes(&'a [u8]),
    Fixed,
}
impl<'a> Value<'a> {
    fn number(self) -> Result<u32, MessageError> {
        match self {
            Value::Number(number) => number.try_into().map_err(|_| MessageError::Malformed),
            _ => Err(MessageError::Malformed),
        }
    }
    fn bytes(self) -> Result<&'a [u8], MessageError> {
        match self {
            Value::Bytes(bytes) => Ok(bytes),
            _ => Err(MessageError::Malformed),
        }
    }
}
/// What is left to read of a protobuf message.
pub(crate) struct Fields<'a>(pub(crate) &'a [u8]);
impl<'a> Fields<'a> {
    fn varint(&mut self) -> Result<u64, MessageError> {
        let mut number = 0u64;
        for shift in (0..64).step_by(7) {
            let (byte, rest) = self.0.split_first().ok_or(MessageError::Truncated)?;
            self.0 = rest;
            let bits = u64::from(byte & 0x7f);
            if shift == 63 && bits > 1 {
                return Err(MessageError::Malformed);
            }
            number |= bits << shift;
            if byte & 0x80 == 0 {
                return Ok(number);
            }
        }
        Err(MessageError::Malformed)
    }
    fn take(&mut self, count: u64) -> Result<&'a [u8], MessageError> {
        let count = usize::try_from(count).map_err(|_| MessageError::Truncated)?;
        let (bytes, rest) = self.0.split_at_checked(count).ok_or(MessageError::Truncated)?;
        self.0 = rest;
        Ok(bytes)
    }
    /// The next field, `None` at the end.
    pub(crate) fn next(&mut self) -> Result<Option<(u32, Value<'a>)>, MessageError> {
        if self.0.is_empty() {
            return Ok(None);
        }
        let key = u32::try_from(self.varint()?).map_err(|_| MessageError::Malformed)?;
        let value = match key & 7 {
            0 => Value::Number(self.varint()?),
            1 => self.take(8).map(|_| Value::Fixed)?,
            2 => {
                let length = self.varint()?;
                Value::Bytes(self.take(length)?)
            }
            5 => self.take(4).map(|_| Value::Fixed)?,
            _ => return Err(MessageError::Malformed),
        };
        match key >> 3 {
            0 => Err(MessageError::Malformed),
            field => Ok(Some((field, value))),
        }
    }
}
fn once<T>(slot: &mut Option<T>, value: T) -> Result<(), MessageError> {
    match slot.replace(value) {
        None => Ok(()),
        Some(_) => Err(MessageError::Malformed),
    }
}
fn unversioned<P: Profile>(bytes: &[u8]) -> Result<&[u8], MessageError> {
    if !P::LIBSIGNAL {
        return Ok(bytes);
    }
    match bytes.split_first() {
        None => Err(MessageError::Truncated),
        Some((version, rest)) if version >> 4 == VERSION >> 4 => Ok(rest),
        Some((version, _)) => Err(MessageError::Version(*version)),
    }
}

/// A message, taken apart. Not authentic before its MAC was compared.
pub(crate) struct Message<'a> {
    pub(crate) ratchet: PublicKey,
    pub(crate) counter: u32,
    /// Messages sent under the ratchet key before, as the sender says (libsignal: one fewer).
    pub(crate) previous: u32,
    /// Whole blocks, at least one.
    pub(crate) ciphertext: &'a [u8],
    /// What the MAC is over, behind the associated data.
    pub(crate) authenticated: &'a [u8],
    pub(crate) mac: &'a [u8],
}
impl<'a> Message<'a> {
    pub(crate) fn parse<P: Profile>(bytes: &'a [u8]) -> Result<Self, MessageError> {
        let (authenticated, mac) = if P::LIBSIGNAL {
            let at = bytes.len().checked_sub(P::MAC).ok_or(MessageError::Truncated)?;
            bytes.split_at_checked(at).ok_or(MessageError::Truncated)?
        } else {
            let (mut mac, mut message) = (None, None);
            let mut fields = Fields(bytes);
            while let Some((number, value)) = fields.next()? {
                match number {
                    1 => once(&mut mac, value.bytes()?)?,
                    2 => once(&mut message, value.bytes()?)?,
                    _ => (),
                }
            }
            (message.ok_or(MessageError::Missing("message"))?, mac.ok_or(MessageError::Missing("MAC"))?)
        };
        if mac.len() != P::MAC {
            return Err(MessageError::Malformed);
        }
        let (mut ratchet, mut counter, mut previous, mut ciphertext) = (None, None, None, None);
        let mut fields = Fields(unversioned::<P>(authenticated)?);
        while let Some((number, value)) = fields.next()? {
            match (number, P::LIBSIGNAL) {
                (1, true) | (3, false) => once(&mut ratchet, value.bytes()?)?,
                (2, true) | (1, false) => once(&mut counter, value.number()?)?,
                (3, true) | (2, false) => once(&mut previous, value.number()?)?,
                (4, _) => once(&mut ciphertext, value.bytes()?)?,
                _ => (),
            }
        }
        let counter = counter.ok_or(MessageError::Missing("counter"))?;
        if counter == u32::MAX {
            return Err(MessageError::Counter);
        }
        let ciphertext = ciphertext.ok_or(MessageError::Missing("ciphertext"))?;
        if ciphertext.is_empty() || !ciphertext.len().is_multiple_of(16) {
            return Err(MessageError::Malformed);
        }
        let ratchet = ratchet.ok_or(MessageError::Missing("ratchet key"))?;
        Ok(Message {
            ratchet: PublicKey::parse::<P>(ratchet).map_err(|error| MessageError::BadKey(KeyName::Ratchet, error))?,
            counter,
            // libsignal's protobuf has it optional
            previous: previous.or(P::LIBSIGNAL.then_some(0)).ok_or(MessageError::Missing("previous counter"))?,
            ciphertext,
            authenticated,
            mac,
        })
    }
}
/// A key exchange, taken apart.
#[derive(Clone)]
pub(crate) struct Exchange<'a> {
    pub(crate) identity: (IdentityKey, EdwardsPoint),
    pub(crate) ephemeral: PublicKey,
    pub(crate) pre_key: Option<PreKeyId>,
    pub(crate) signed_pre_key: SignedPreKeyId,
    pub(crate) message: &'a [u8],
}
impl<'a> Exchange<'a> {
    pub(crate) fn parse<P: Profile>(bytes: &'a [u8]) -> Result<Self, MessageError> {
        let (mut pre_key, mut signed, mut identity, mut ephemeral, mut message) = (None, None, None, None, None);
        let mut fields = Fields(unversioned::<P>(bytes)?);
        while let Some((number, value)) = fields.next()? {
            match number {
                n if n == P::EXCHANGE.pre_key => once(&mut pre_key, value.number()?)?,
                n if n == P::EXCHANGE.signed_pre_key => once(&mut signed, value.number()?)?,
                n if n == P::EXCHANGE.identity => once(&mut identity, value.bytes()?)?,
                n if n == P::EXCHANGE.ephemeral => once(&mut ephemeral, value.bytes()?)?,
                n if n == P::EXCHANGE.message => once(&mut message, value.bytes()?)?,
                _ => (),
            }
        }
        let message = message.ok_or(MessageError::Missing("message"))?;
        let signed = signed.ok_or(MessageError::Missing("signed prekey id"))?;
        let identity = identity.ok_or(MessageError::Missing("identity key"))?;
        let ephemeral = ephemeral.ok_or(MessageError::Missing("ephemeral key"))?;
        Ok(Exchange {
            identity: IdentityKey::parse_point::<P>(identity).map_err(|error| MessageError::BadKey(KeyName::Identity, error))?,
            ephemeral: PublicKey::parse::<P>(ephemeral).map_err(|error| MessageError::BadKey(KeyName::Ephemeral, error))?,
            pre_key: pre_key.map(PreKeyId),
            signed_pre_key: SignedPreKeyId(signed),
            message,
        })
    }
}

/// What stands before the ciphertext.
pub(crate) struct Header<'a> {
    pub(crate) ratchet: &'a PublicKey,
    pub(crate) counter: u32,
    pub(crate) previous: u32,
}
/// What stands around the first messages.
pub(crate) struct ExchangeHeader<'a> {
    pub(crate) identity: &'a [u8; 32],
    pub(crate) ephemeral: &'a [u8; 32],
    pub(crate) pre_key: Option<PreKeyId>,
    pub(crate) signed_pre_key: SignedPreKeyId,
}
/// Where in the buffer the parts of a message came to lie.
pub(crate) struct Layout {
    pub(crate) authenticated: usize,
    pub(crate) ciphertext: usize,
    pub(crate) mac: usize,
}

fn varint_length(number: u32) -> usize {
    match number {
        0..0x80 => 1,
        0x80..0x4000 => 2,
        0x4000..0x20_0000 => 3,
        0x20_0000..0x1000_0000 => 4,
        _ => 5,
    }
}
fn put_varint(out: &mut Vec<u8>, mut number: u32) {
    while number >= 0x80 {
        out.push((number & 0x7f) as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}
fn put_number(out: &mut Vec<u8>, field: u32, number: u32) {
    put_varint(out, field << 3);
    put_varint(out, number);
}
/// The head of a field of `length` bytes.
fn put_length(out: &mut Vec<u8>, field: u32, length: usize) {
    put_varint(out, field << 3 | 2);
    put_varint(out, saturate(length));
}
fn put_key<P: Profile>(out: &mut Vec<u8>, field: u32, key: &[u8; 32]) {
    put_length(out, field, key_length::<P>());
    if P::LIBSIGNAL {
        out.push(crate::keys::TYPE);
    }
    out.extend_from_slice(key);
}
fn key_length<P: Profile>() -> usize {
    if P::LIBSIGNAL { 33 } else { 32 }
}
fn saturate(length: usize) -> u32 {
    length.try_into().unwrap_or(u32::MAX)
}
/// A field of `length` bytes, its head included; all field numbers here are below 16.
fn field_length(length: usize) -> usize {
    length.saturating_add(varint_length(saturate(length))).saturating_add(1)
}
fn number_length(number: u32) -> usize {
    varint_length(number).saturating_add(1)
}
fn sum(lengths: &[usize]) -> usize {
    lengths.iter().fold(0, |total, length| total.saturating_add(*length))
}

/// Writes all of a message but its ciphertext and MAC, for which it leaves zeros; the key exchange around it first if
/// there is one.
pub(crate) fn write<P: Profile>(out: &mut Vec<u8>, exchange: Option<ExchangeHeader<'_>>, header: &Header<'_>, ciphertext: usize) -> Layout {
    let key = field_length(key_length::<P>());
    let body = sum(&[key, number_length(header.counter), number_length(header.previous), field_length(ciphertext)]);
    let message = if P::LIBSIGNAL { sum(&[1, body, P::MAC]) } else { field_length(P::MAC).saturating_add(field_length(body)) };
    if let Some(exchange) = exchange {
        let ids = exchange.pre_key.map_or(0, |id| number_length(id.0)).saturating_add(number_length(exchange.signed_pre_key.0));
        out.reserve_exact(sum(&[1, ids, key, key, field_length(message)]));
        if P::LIBSIGNAL {
            out.push(VERSION);
        }
        let layout = write_exchange::<P>(out, &exchange, |out| {
            put_length(out, P::EXCHANGE.message, message);
            write_message::<P>(out, header, body, ciphertext)
        });
        return layout;
    }
    out.reserve_exact(message);
    write_message::<P>(out, header, body, ciphertext)
}
fn write_exchange<P: Profile>(out: &mut Vec<u8>, exchange: &ExchangeHeader<'_>, message: impl FnOnce(&mut Vec<u8>) -> Layout) -> Layout {
    let fields = P::EXCHANGE;
    if let Some(id) = exchange.pre_key {
        put_number(out, fields.pre_key, id.0);
    }
    if P::LIBSIGNAL {
        put_key::<P>(out, fields.ephemeral, exchange.ephemeral);
        put_key::<P>(out, fields.identity, exchange.identity);
        let layout = message(out);
        put_number(out, fields.signed_pre_key, exchange.signed_pre_key.0);
        layout
    } else {
        put_number(out, fields.signed_pre_key, exchange.signed_pre_key.0);
        put_key::<P>(out, fields.identity, exchange.identity);
        put_key::<P>(out, fields.ephemeral, exchange.ephemeral);
        message(out)
    }
}
fn write_message<P: Profile>(out: &mut Vec<u8>, header: &Header<'_>, body: usize, ciphertext: usize) -> Layout {
    if P::LIBSIGNAL {
        let authenticated = out.len();
        out.push(VERSION);
        put_key::<P>(out, 1, header.ratchet.as_bytes());
        put_number(out, 2, header.counter);
        put_number(out, 3, header.previous);
        put_length(out, 4, ciphertext);
        let at = out.len();
        let mac = at.saturating_add(ciphertext);
        out.resize(mac.saturating_add(P::MAC), 0);
        Layout { authenticated, ciphertext: at, mac }
    } else {
        put_length(out, 1, P::MAC);
        let mac = out.len();
        out.resize(mac.saturating_add(P::MAC), 0);
        put_length(out, 2, body);
        let authenticated = out.len();
        put_number(out, 1, header.counter);
        put_number(out, 2, header.previous);
        put_key::<P>(out, 3, header.ratchet.as_bytes());
        put_length(out, 4, ciphertext);
        let at = out.len();
        out.resize(at.saturating_add(ciphertext), 0);
        Layout { authenticated, ciphertext: at, mac }
    }
}
