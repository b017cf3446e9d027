//! What a body is for, before its engine has seen it and after.
use crate::{BodyError, Composing, Cpim, Imdn, Offer, Wanted};
use subrosa_engine::{ContentType, Kind, Plaintext};

/// Without parameters, in lower case.
fn essence(content_type: &ContentType) -> String {
    content_type.0.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}
fn is(essence: &str, known: &ContentType) -> bool {
    essence == known.0
}
/// As far as can be seen from outside. What an engine has encrypted is a text until it is decrypted.
pub(super) fn kind(content_type: &ContentType, body: &[u8]) -> Kind {
    let essence = essence(content_type);
    if is(&essence, &Cpim::CONTENT_TYPE)
        && let Ok(envelope) = Cpim::read(body)
        && !is(&self::essence(&envelope.plain.content_type), &Cpim::CONTENT_TYPE)
    {
        return kind(&envelope.plain.content_type, &[]);
    }
    match essence {
        e if is(&e, &Composing::CONTENT_TYPE) => Kind::Typing,
        e if is(&e, &Imdn::CONTENT_TYPE) => Kind::Receipt,
        e if is(&e, &Offer::CONTENT_TYPE) => Kind::FileOffer,
        _ => Kind::Text,
    }
}
/// Whether the agent itself makes something of it.
pub(super) fn is_own(content_type: &ContentType) -> bool {
    let essence = essence(content_type);
    [Cpim::CONTENT_TYPE, Composing::CONTENT_TYPE, Imdn::CONTENT_TYPE, Offer::CONTENT_TYPE].iter().any(|own| is(&essence, own))
}

/// What a decrypted body says.
#[derive(Debug)]
pub(super) enum Opened {
    Words(Plaintext),
    Offer(Box<Offer>),
    Typing(Composing),
    Receipt(Imdn),
}
/// A body out of its envelope, if it has one.
pub(super) struct Content {
    pub opened: Opened,
    /// What receipts name it by, if not the Call-ID.
    pub id: Option<String>,
    /// Which receipts its sender asks for. `None`: says nothing of them.
    pub wanted: Option<Wanted>,
}
pub(super) fn open(plain: &Plaintext) -> Result<Content, BodyError> {
    let (inner, id, wanted);
    let plain = if is(&essence(&plain.content_type), &Cpim::CONTENT_TYPE) {
        let envelope = Cpim::read(plain.bytes())?;
        (id, wanted) = (envelope.message_id, Some(envelope.wanted));
        inner = envelope.plain;
        &inner
    } else {
        (id, wanted) = (None, None);
        plain
    };
    let opened = match essence(&plain.content_type) {
        e if is(&e, &Composing::CONTENT_TYPE) => Opened::Typing(Composing::read(plain.bytes())?),
        e if is(&e, &Imdn::CONTENT_TYPE) => Opened::Receipt(Imdn::read(plain.bytes())?),
        e if is(&e, &Offer::CONTENT_TYPE) => Opened::Offer(Box::new(Offer::read(plain.bytes())?)),
        _ => Opened::Words(plain.clone()),
    };
    Ok(Content { opened, id, wanted })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::time::Duration;

    fn enveloped(plain: Plaintext) -> Plaintext {
        Cpim { from: "sip:a@x".into(), to: "sip:b@x".into(), message_id: Some("m1".into()), wanted: Wanted::ALL, notification: false, plain }.write()
    }

    #[test]
    fn kinds_are_seen_in_and_out_of_an_envelope() {
        let offer = "application/vnd.gsma.rcs-ft-http+xml; charset=utf-8";
        for (content_type, expected) in [
            ("text/plain", Kind::Text),
            ("Application/IM-isComposing+xml", Kind::Typing),
            ("message/imdn+xml;charset=utf-8", Kind::Receipt),
            (offer, Kind::FileOffer),
            ("application/cipher.vnd.gsma.rcs-ft-http+xml", Kind::Text),
            ("cipher/xor", Kind::Text),
            ("message/cpim", Kind::Text),
        ] {
            let content_type = ContentType(content_type.into());
            assert_eq!(kind(&content_type, b""), expected, "{content_type:?}");
            let envelope = enveloped(Plaintext::new(content_type.clone(), "x"));
            assert_eq!(kind(&envelope.content_type, envelope.bytes()), expected, "{content_type:?} in an envelope");
        }
    }

    #[test]
    fn bodies_are_opened() {
        let notice = Composing::active(Duration::from_secs(60)).write();
        assert!(matches!(open(&notice).unwrap().opened, Opened::Typing(Composing { active: true, .. })));
        let content = open(&enveloped(Plaintext::text("hello"))).unwrap();
        assert!(matches!(content.opened, Opened::Words(plain) if plain.bytes() == b"hello"));
        assert_eq!((content.id.as_deref(), content.wanted), (Some("m1"), Some(Wanted::ALL)));
        assert!(open(&Plaintext::new(Imdn::CONTENT_TYPE, "<x/>")).is_err());
        assert!(open(&Plaintext::new(Cpim::CONTENT_TYPE, "x")).is_err());
    }
}
