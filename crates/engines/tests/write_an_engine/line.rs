//! The engine of `docs/write-an-engine.md`, word for word.
use aes_gcm::aead::{Aead, KeyInit};
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

/// One for each message of both sides: a bit for who writes, and the number of the message.
fn nonce(from: &Address, to: &Address, number: u64) -> [u8; 12] {
    let mut nonce = [0; 12];
    nonce[0] = (from < to).into();
    nonce[4..].copy_from_slice(&number.to_be_bytes());
    nonce
}

impl Engine for Line {
    fn name(&self) -> &'static str {
        "line"
    }
    fn outgoing(&self, cx: &mut Context<'_>, message: &Outgoing<'_>) -> Hook<Encrypted> {
        if message.plain.content_type != ContentType::TEXT {
            return Ok(Outcome::Rejected(Reason::ContentType.into()));
        }
        let number = count(cx, "sent")?.checked_add(1).ok_or(WornOut)?;
        let nonce = nonce(cx.me, &message.chat.0, number);
        let sealed = self.0.encrypt(&Nonce::from(nonce), message.plain.bytes())?;
        cx.records.put(RowOf::single("sent"), Count(number));
        Ok(Outcome::Done(Encrypted::new(ContentType("application/vnd.example.line".into()), [&nonce[..], &sealed].concat())?))
    }
    fn incoming(&self, cx: &mut Context<'_>, message: &Incoming<'_>) -> Hook<Decrypted> {
        if message.content_type.0 != "application/vnd.example.line" {
            return Ok(Outcome::Skipped);
        }
        let no = |reason: Reason| Ok(Outcome::Rejected(reason.into()));
        let Some((shown, sealed)) = message.body.split_first_chunk::<12>() else { return no(Reason::Malformed) };
        let Ok(text) = self.0.decrypt(&Nonce::from(*shown), sealed) else { return no(Reason::Damaged) };
        let number = u64::from_be_bytes(*shown.last_chunk().unwrap_or(&[0; 8]));
        if *shown != nonce(message.from, cx.me, number) {
            return no(Reason::EnvelopeMismatch); // our own, sent back to us
        }
        if number <= count(cx, "received")? {
            return no(Reason::Duplicate);
        }
        cx.records.put(RowOf::single("received"), Count(number));
        Ok(Outcome::Done(Decrypted { plain: Plaintext::new(ContentType::TEXT, text), sender: None }))
    }
}

#[derive(Debug, thiserror::Error)]
#[error("the key has encrypted all the messages that it can")]
struct WornOut;
