//! Delivery receipts (XEP-0184) and words in clear, as runs of elements: what a host reads in `Input::Receive`, and puts into an
//! `Output::Transmit` of `ContentType::STANZA`.
//!
//! Looks at the outermost elements of a run only and builds no tree. Says nothing about who may be told that a message arrived.
use crate::xml::{self, MAX_STANZA, StanzaError, build};
use crate::{mapping::MAX_ID, ns};
use rxml::{AttrMap, Event, Parse as _, QName};

/// The feature to say in [`crate::Entity::with_feature`].
pub const RECEIPTS: &str = ns::RECEIPTS;
/// Asks for a receipt; goes beside a body (§5.1).
pub const REQUEST: &[u8] = b"<request xmlns='urn:xmpp:receipts'/>";

/// Whether a received body asks for a receipt.
pub fn receipt_request(body: &[u8]) -> bool {
    find(body, |name, _| (name.1 == *"request").then_some(())).is_some()
}
/// The id of the message that a received body is the receipt for.
pub fn received(body: &[u8]) -> Option<String> {
    find(body, |name, attributes| {
        let id = attributes.iter().find(|((namespace, key), _)| namespace.is_empty() && **key == *"id").map(|(_, id)| id)?;
        (name.1 == *"received" && !id.is_empty() && id.len() <= MAX_ID).then(|| id.clone())
    })
}
/// The body of a receipt: that message arrived. The server keeps it for who is offline (XEP-0334).
///
/// # Errors
/// [`StanzaError::Characters`]: no message has such an id.
pub fn receipt(id: &str) -> Result<Vec<u8>, StanzaError> {
    let mut run = xml::to_bytes(&build("received", ns::RECEIPTS).attr("id", id).end())?;
    xml::write(&build("store", ns::HINTS).end(), &mut run)?;
    Ok(run)
}
/// The body of a message of words in clear.
///
/// # Errors
/// [`StanzaError`]: characters that XML cannot hold, or too many of them.
pub fn text_run(text: &str) -> Result<Vec<u8>, StanzaError> {
    xml::check_text(text)?;
    let run = xml::to_bytes(&build("body", ns::CLIENT).text(text).end())?;
    if run.len() > MAX_STANZA { Err(StanzaError::TooLarge) } else { Ok(run) }
}

/// The first that `pick` takes of the outermost elements of receipts. A run is written by [`crate::Mapping`], so that
/// the namespace stands in it as it is; what is not well-formed ends the search.
fn find<T>(body: &[u8], mut pick: impl FnMut(&QName, &AttrMap) -> Option<T>) -> Option<T> {
    let text = std::str::from_utf8(body).ok().filter(|text| text.len() <= MAX_STANZA && text.contains(ns::RECEIPTS))?;
    let mut parser = xml::parser();
    let mut depth = 0usize;
    for chunk in ["<r>", text, "</r>"] {
        let mut rest = chunk.as_bytes();
        while let Ok(Some(event)) = parser.parse(&mut rest, false) {
            match event {
                Event::StartElement(_, name, attributes) => {
                    if depth == 1
                        && name.0 == *ns::RECEIPTS
                        && let Some(found) = pick(&name, &attributes)
                    {
                        return Some(found);
                    }
                    depth = depth.saturating_add(1);
                }
                Event::EndElement(_) => depth = depth.saturating_sub(1),
                Event::Text(..) | Event::XmlDeclaration(..) => {}
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use super::*;
    use crate::xml::parse_run;

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
