//! Delivery receipts (XEP-0184) and words in clear on runs of elements, for hosts that look at nothing else of a message: what they read in
//! `Input::Receive`, and put into an `Output::Transmit` of `ContentType::STANZA`. All that a message may say is in [`crate::content`].
//!
//! Looks at the outermost elements of a run only. Says nothing about who may be told that a message arrived.
use crate::xml::{StanzaError, parse_run};
use crate::{content, mapping::MAX_ID, ns};
use minidom::Element;
use subrosa_engine::{Content, MessageId};

/// The feature to say in [`crate::Entity::with_feature`].
pub const RECEIPTS: &str = ns::RECEIPTS;
/// Asks for a receipt; goes beside a body (§5.1).
pub const REQUEST: &[u8] = b"<request xmlns='urn:xmpp:receipts'/>";

/// Whether a received body asks for a receipt.
pub fn receipt_request(body: &[u8]) -> bool {
    is_asked_in(&run(body))
}
/// The id of the message that a received body is the receipt for.
pub fn received(body: &[u8]) -> Option<String> {
    received_in(&run(body)).map(|id| id.to_string())
}
/// The body of a receipt: that message arrived.
///
/// # Errors
/// [`StanzaError`]: no message has such an id.
pub fn receipt(id: &str) -> Result<Vec<u8>, StanzaError> {
    content::write(&Content::Delivered { of: id.into() })
}
/// The body of a message of words in clear.
///
/// # Errors
/// [`StanzaError`]: characters that XML cannot hold, or too many of them.
pub fn text_run(text: &str) -> Result<Vec<u8>, StanzaError> {
    content::write(&Content::Text(text.into()))
}

pub(crate) fn is_asked_in(run: &[Element]) -> bool {
    run.iter().any(|e| e.is("request", ns::RECEIPTS))
}
pub(crate) fn received_in(run: &[Element]) -> Option<MessageId> {
    let ids = run.iter().filter(|e| e.is("received", ns::RECEIPTS)).filter_map(|e| e.attr("id"));
    ids.filter(|id| !id.is_empty() && id.len() <= MAX_ID).map(MessageId::from).next()
}
/// Most messages have nothing to do with it, and are not parsed. A run is written by [`crate::Mapping`], so that the namespace stands in it
/// as it is. What is not well-formed has nothing.
fn run(body: &[u8]) -> Vec<Element> {
    let concerned = std::str::from_utf8(body).is_ok_and(|text| text.contains(ns::RECEIPTS));
    if concerned { parse_run(body).unwrap_or_default() } else { Vec::new() }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use super::*;
    use crate::xml::MAX_STANZA;

    #[test]
    fn receipts_are_found_outermost_only() {
        for (body, asks, id) in [
            ("<body>x</body><request xmlns='urn:xmpp:receipts'/>", true, None),
            ("<request xmlns='urn:xmpp:receipts'/><encrypted xmlns='urn:e'>x</encrypted>", true, None),
            ("<received xmlns='urn:xmpp:receipts' id='a&amp;b'/><store xmlns='urn:xmpp:hints'/>", false, Some("a&b")),
            ("<received xmlns='urn:xmpp:receipts'/><received xmlns='urn:xmpp:receipts' id='2'/>", false, Some("2")),
            ("<received xmlns='urn:xmpp:receipts' id=''/>", false, None),
            ("<body>urn:xmpp:receipts</body><request xmlns='urn:other'/>", false, None),
            ("<f xmlns='urn:f'><request xmlns='urn:xmpp:receipts'/><received xmlns='urn:xmpp:receipts' id='1'/></f>", false, None),
            ("<x:request xmlns:x='urn:xmpp:receipts'/>", true, None),
            ("</r><request xmlns='urn:xmpp:receipts'/>", false, None),
            ("<a><request xmlns='urn:xmpp:receipts'/>", false, None),
            ("<request xmlns='urn:xmpp:receipts'", false, None),
            ("", false, None),
        ] {
            assert_eq!((receipt_request(body.as_bytes()), received(body.as_bytes()).as_deref()), (asks, id), "{body}");
        }
        assert_eq!(received(format!("<received xmlns='urn:xmpp:receipts' id='{}'/>", "x".repeat(257)).as_bytes()), None);
        let long = format!("<body>{}</body>", "x".repeat(MAX_STANZA));
        assert!(!receipt_request(format!("<request xmlns='urn:xmpp:receipts'/>{long}").as_bytes()));
        assert!(!receipt_request(b"\xff<request xmlns='urn:xmpp:receipts'/>"));
    }

    #[test]
    fn what_is_built_is_what_is_found() {
        assert!(receipt_request(REQUEST) && received(REQUEST).is_none());
        for id in ["1", "<&'\"> ü", "\u{1f600}"] {
            let run = receipt(id).unwrap();
            assert_eq!((received(&run).as_deref(), receipt_request(&run)), (Some(id), false));
            assert!(parse_run(&run).is_ok());
        }
        assert_eq!(receipt("\u{1}"), Err(StanzaError::Characters));
    }

    #[test]
    fn words_are_one_body_whatever_they_look_like() {
        for text in ["hi", "", "<b>&amp;</b>]]>", "a\nb\tü\u{1f600}", "</body><encrypted/>"] {
            let run = parse_run(&text_run(text).unwrap()).unwrap();
            let [body] = run.as_slice() else { panic!("{run:?}") };
            assert!(body.is("body", ns::CLIENT) && body.text() == text && body.children().next().is_none(), "{body:?}");
        }
        assert_eq!(text_run("\u{0}"), Err(StanzaError::Characters));
        assert_eq!(text_run(&"x".repeat(MAX_STANZA)), Err(StanzaError::TooLarge));
    }
}
