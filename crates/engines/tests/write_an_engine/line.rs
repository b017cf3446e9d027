//! The engine of `docs/write-an-engine.md`, word for word.
use aes_gcm::aead::{Aead, KeyInit, Payload};
use aes_gcm::{Aes256Gcm, Nonce};
use subrosa_engine::codec::{Reader, Writer};
use subrosa_engine::*;

pub struct Line(Aes256Gcm);
impl Line {
    pub fn new(key: &[u8; 32]) -> Self {
        Line(Aes256Gcm::new(key.into()))
    }
}

/// How many messages were sent, or the number of the last one received.
#[derive(Clone)]
struct Count(u64);
impl Record for Count {
    fn encode(&self) -> Vec<u8> {
        let mut out = Writer::versioned(1);
        out.u64(self.0);
        out.into_bytes()
    }
    fn decode(bytes: &[u8]) -> Option<Self> {
        let mut input = Reader::versioned(bytes, 1)?;
        let count = Count(input.u64()?);
        input.end().map(|()| count)
    }
}
fn count(cx: &mut Context<'_>, row: &'static str) -> Result<u64, Halt> {
    Ok(cx.records.get(RowOf::<Count>::single(row))?.map_or(0, |count| count.0))
}

/// What the tag covers besides the text: what is sent back, moved or renumbered does not open.
fn around(from: &Address, to: &Address, number: u64) -> Vec<u8> {
    let mut out = Writer::new();
    out.str(from.as_str()).str(to.as_str()).u64(number);
    out.into_bytes()
}
/// Messages of each side under one key, with random nonces (NIST SP 800-38D §8.3).
const MOST: u64 = 1 << 31;

impl Engine for Line {
    fn name(&self) -> &'static str {
        "line"
    }
    fn outgoing(&self, cx: &mut Context<'_>, message: &Outgoing<'_>) -> Hook<Encrypted> {
        if message.plain.content_type != ContentType::TEXT {
            return Ok(Outcome::Rejected(Reason::ContentType.into()));
        }
        let number = Some(count(cx, "sent")?.saturating_add(1)).filter(|n| *n <= MOST).ok_or(WornOut)?;
        let (mut nonce, aad) = ([0; 12], around(cx.me, &message.chat.0, number));
        cx.rng.fill_bytes(&mut nonce);
        let sealed = self.0.encrypt(&Nonce::from(nonce), Payload { msg: message.plain.bytes(), aad: &aad })?;
        cx.records.put(RowOf::single("sent"), Count(number));
        let body = [&nonce[..], &number.to_be_bytes(), &sealed].concat();
        Ok(Outcome::Done(Encrypted::new(ContentType("application/vnd.example.line".into()), body)?))
    }
    fn incoming(&self, cx: &mut Context<'_>, message: &Incoming<'_>) -> Hook<Decrypted> {
        if message.content_type.0 != "application/vnd.example.line" {
            return Ok(Outcome::Skipped);
        }
        let no = |reason: Reason| Ok(Outcome::Rejected(reason.into()));
        let Some((nonce, rest)) = message.body.split_first_chunk::<12>() else { return no(Reason::Malformed) };
        let Some((number, sealed)) = rest.split_first_chunk::<8>() else { return no(Reason::Malformed) };
        let number = u64::from_be_bytes(*number);
        let payload = Payload { msg: sealed, aad: &around(message.from, cx.me, number) };
        let Ok(text) = self.0.decrypt(&Nonce::from(*nonce), payload) else { return no(Reason::Damaged) };
        if number <= count(cx, "received")? {
            return no(Reason::Duplicate);
        }
        cx.records.put(RowOf::single("received"), Count(number));
        Ok(Outcome::Done(Decrypted::new(Plaintext::new(ContentType::TEXT, text))))
    }
}

#[derive(Debug, thiserror::Error)]
#[error("the key has encrypted all the messages that it can")]
struct WornOut;
