//! From a payload to words: its cipher, and the envelope in it (XEP-0420). Knows no session.
use super::is_bare;
use crate::payload;
use crate::wire::content::{Beside, Content};
use crate::wire::encrypted::Encrypted;
use crate::wire::{MAX_BYTES, Version, sce};
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
/// Reads the envelope, and compares what it claims with the stanza around it (XEP-0420 §4) and with the sender that the key named. `written`:
/// since when it waited, as the stanza says in clear.
pub(super) fn unfold(me: &Address, message: &Incoming<'_>, written: Option<Time>, from: &Address, plain: &[u8]) -> Result<sce::Envelope, Reason> {
    let envelope = sce::parse(plain).map_err(|_| Reason::Malformed)?;
    // what others write to us alone names us; in a room, and on our other devices, it names the conversation
    let to = if message.chat.0 == *from && from != me { me } else { &message.chat.0 };
    let names = |claimed: &Option<String>, real: &Address| claimed.as_ref().is_none_or(|jid| is_bare(jid, real));
    let times = std::iter::once(message.sent).chain(written);
    let apart = envelope.time.and_then(|claimed| times.map(|time| claimed.0.abs_diff(time.0)).min()).unwrap_or(0);
    // without a recipient a server could turn a message to a room into one to us alone, or back (XEP-0384 §5.5.1)
    let unaddressed = envelope.to.is_none() && message.chat.0 != *from && (from != me || message.room.is_some());
    if unaddressed || !names(&envelope.from, from) || !names(&envelope.to, to) || Duration::from_millis(apart) > CLOCKS {
        return Err(Reason::EnvelopeMismatch);
    }
    Ok(envelope)
}

/// What is handed on.
pub(super) struct Said {
    pub plain: Plaintext,
    pub kind: Option<Kind>,
    /// There are words.
    pub words: bool,
    pub opt_out: Option<String>,
}
impl Said {
    /// Words alone are what the transport took them for, but no notice; everything else is what is in it.
    fn of(content: Content, seen: Kind) -> Self {
        let Content { run, kind, body, plain, opt_out, .. } = content;
        let words = body.is_some();
        match body {
            Some(body) if plain => Said { plain: Plaintext::text(&body), kind: words_alone(seen), words, opt_out },
            _ => Said { plain: Plaintext::new(ContentType::STANZA, run.to_vec()), kind: Some(kind.unwrap_or(Kind::Other)), words, opt_out },
        }
    }
}
fn words_alone(seen: Kind) -> Option<Kind> {
    matches!(seen, Kind::Typing | Kind::Receipt).then_some(Kind::Text)
}
/// A legacy payload: words. What stands in clear beside it goes with them as that ([`Beside::marked`]).
pub(super) fn legacy(text: &[u8], beside: &Beside, seen: Kind) -> Said {
    if let (false, Ok(body)) = (beside.is_empty(), std::str::from_utf8(text)) {
        let mut run = sce::text(body);
        run.extend_from_slice(&beside.marked());
        if let (true, Ok(content)) = (run.len() <= MAX_BYTES, Content::of(run)) {
            return Said::of(content, seen);
        }
    }
    Said { plain: Plaintext::new(ContentType::TEXT, text), kind: words_alone(seen), words: true, opt_out: None }
}
/// What an envelope holds. `None`: nothing. Of what stands beside it in clear only that words are a correction goes with it, because Converse
/// writes it there, and as said in clear.
pub(super) fn content(envelope: sce::Envelope, beside: &Beside, seen: Kind) -> Result<Option<Said>, Reason> {
    if envelope.content.is_empty() {
        return Ok(None);
    }
    let mut content = Content::of(envelope.content).map_err(|_| Reason::Malformed)?;
    if content.body.is_some() && !content.replaces {
        let correction = beside.only("replace").marked();
        content.plain &= correction.is_empty();
        content.run.extend_from_slice(&correction);
    }
    Ok(Some(Said::of(content, seen)))
}
