//! From a payload to words: its cipher, and the envelope in it (XEP-0420). Knows no session.
use super::is_bare;
use crate::payload;
use crate::wire::encrypted::Encrypted;
use crate::wire::{Version, sce};
use std::time::Duration;
use subrosa_engine::*;
use zeroize::Zeroizing;

/// How far the time in an envelope and the time of the stanza may be apart: clocks are wrong, zones are mistaken.
const CLOCKS: Duration = Duration::from_secs(24 * 60 * 60);

pub(super) fn decrypt_payload(found: &Encrypted, material: &[u8]) -> Result<Option<Zeroizing<Vec<u8>>>, Reason> {
    let Some(payload) = &found.payload else {
        // key material of the length that belongs to a payload: somebody took it off
        return payload::check_empty(found.version, material).map(|()| None).map_err(|_| Reason::Damaged);
    };
    let plain = match found.version {
        Version::Omemo2 => payload::decrypt_omemo2(material, payload),
        Version::Legacy => payload::decrypt_legacy(material, found.iv.as_deref().unwrap_or_default(), payload),
    };
    plain.map(Some).map_err(|_| Reason::Damaged)
}
/// Reads the envelope, and compares what it claims with the stanza around it (XEP-0420 §4).
pub(super) fn unfold(me: &Address, message: &Incoming<'_>, plain: &[u8]) -> Result<sce::Envelope, Reason> {
    let envelope = sce::parse(plain).map_err(|_| Reason::Malformed)?;
    // what others write to us alone names us; in a room, and on our other devices, it names the conversation
    let to = if message.chat.0 == *message.from && message.from != me { me } else { &message.chat.0 };
    let names = |claimed: &Option<String>, real: &Address| claimed.as_ref().is_none_or(|jid| is_bare(jid, real));
    let apart = envelope.time.map_or(0, |claimed| claimed.0.abs_diff(message.sent.0));
    // without a recipient a server could turn a message to a room into one to us alone, or back (XEP-0384 §5.5.1)
    let unaddressed = envelope.to.is_none() && message.chat.0 != *message.from && message.from != me;
    if unaddressed || !names(&envelope.from, message.from) || !names(&envelope.to, to) || Duration::from_millis(apart) > CLOCKS {
        return Err(Reason::EnvelopeMismatch);
    }
    Ok(envelope)
}
/// What an envelope holds. `None`: nothing.
pub(super) fn content(envelope: &sce::Envelope) -> Result<Option<Plaintext>, Reason> {
    if envelope.content.is_empty() {
        return Ok(None);
    }
    Ok(Some(match sce::body(&envelope.content).map_err(|_| Reason::Malformed)? {
        Some(body) => Plaintext::text(&body),
        None => Plaintext::new(ContentType::STANZA, envelope.content.to_vec()),
    }))
}
