//! An application's engine in a stanza: what it made, in one element of our namespace; what it refuses, in a stanza error.
//!
//! Owns the shape of the two. Knows no engine: a content type and bytes in, the same out. RFC 6120 §8.3; XEP-0380 says to others
//! what the element is, XEP-0334 whether a server keeps it.
//!
//! ```xml
//! <engine xmlns='urn:subrosa:engine:0' type='cipher/xor'>MBYU…</engine>
//! <refused xmlns='urn:subrosa:engine:0' status='488' reason='Not Acceptable Here'/>     in an <error/>
//! ```
use crate::ns;
use crate::xml::{StanzaError, build};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use minidom::Element;
use subrosa_engine::{ContentType, Kind, Status};

/// The longest content type, in bytes.
const MAX_TYPE: usize = 255;
/// What the engine's message is for, where it is not words to be read: they have no mark.
const KINDS: [(Kind, &str); 5] =
    [(Kind::Typing, "typing"), (Kind::Receipt, "receipt"), (Kind::FileOffer, "file"), (Kind::Call, "call"), (Kind::Other, "other")];

/// Why an element of an application's engine is not taken: nothing of its stanza is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum EngineElementError {
    /// No `type`, or none that is a content type.
    #[error("the engine's element has no content type like cipher/xor")]
    Type,
    /// It is not base64, or is more than text.
    #[error("what is in the engine's element is no base64")]
    Base64,
    /// There is nothing in it.
    #[error("the engine's element is empty")]
    Empty,
    /// There are several of it: which one counts nobody can say.
    #[error("the message has several elements of an engine")]
    Several,
}

/// What an engine made, as it came.
pub(crate) struct Made {
    pub kind: Kind,
    pub content_type: ContentType,
    pub body: Vec<u8>,
}

/// The children of a `<message>` for what an engine made: where there are words or a file to be missed, with a text for programs
/// that have no such engine.
pub(crate) fn write(kind: Kind, content_type: &ContentType, body: &[u8]) -> Result<Vec<Element>, StanzaError> {
    let name = &*content_type.0;
    if !is_content_type(name) || is_stanza(name) {
        return Err(StanzaError::ContentType);
    }
    let mark = KINDS.iter().find(|(known, _)| *known == kind).map(|(_, mark)| *mark);
    let mut run = vec![build("engine", ns::ENGINE).attr("type", name).maybe("kind", mark).text(&BASE64.encode(body)).end()];
    if matches!(kind, Kind::Text | Kind::FileOffer) {
        run.push(build("encryption", ns::EME).attr("namespace", ns::ENGINE).attr("name", name).end());
        let fallback = format!("This message went through an encryption engine ({name}) that this program does not have.");
        run.push(build("body", ns::CLIENT).text(&fallback).end());
    }
    let kept = if kind == Kind::Typing { "no-store" } else { "store" };
    run.push(build(kept, ns::HINTS).end());
    Ok(run)
}

/// What an engine made in this stanza; `None`: none did.
pub(crate) fn read(stanza: &Element) -> Option<Result<Made, EngineElementError>> {
    let mut all = stanza.children().filter(|c| c.is("engine", ns::ENGINE));
    let element = all.next()?;
    Some(if all.next().is_some() { Err(EngineElementError::Several) } else { made(element) })
}
fn made(element: &Element) -> Result<Made, EngineElementError> {
    // a run of XML elements stands in the stanza itself, where it is seen who wrote what
    let name = element.attr("type").filter(|name| is_content_type(name) && !is_stanza(name)).ok_or(EngineElementError::Type)?;
    if element.children().next().is_some() {
        return Err(EngineElementError::Base64);
    }
    let text: String = element.texts().flat_map(str::chars).filter(|c| !c.is_ascii_whitespace()).collect();
    let body = BASE64.decode(text).map_err(|_| EngineElementError::Base64)?;
    if body.is_empty() {
        return Err(EngineElementError::Empty);
    }
    let kind = element.attr("kind").map_or(Kind::Text, |mark| KINDS.iter().find(|(_, known)| *known == mark).map_or(Kind::Other, |(kind, _)| *kind));
    Ok(Made { kind, content_type: ContentType(name.to_owned().into()), body })
}
/// In any case and with any parameters: an engine that compares as RFC 2045 §5.1 does must not take it for a stanza.
fn is_stanza(name: &str) -> bool {
    name.split(';').next().is_some_and(|media| media.trim_end().eq_ignore_ascii_case(&ContentType::STANZA.0))
}
/// RFC 2045 §5.1: `type/subtype`, parameters after it in printable characters.
fn is_content_type(text: &str) -> bool {
    let token = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_graphic() && !b"()<>@,;:\\\"/[]?=".contains(&b));
    let (media, parameters) = text.split_once(';').unwrap_or((text, ""));
    text.len() <= MAX_TYPE
        && media.trim_end_matches(' ').split_once('/').is_some_and(|(kind, sub)| token(kind) && token(sub))
        && parameters.bytes().all(|b| b.is_ascii_graphic() || b == b' ')
}

/// Codes, what RFC 3261 §21 calls them, and the error of RFC 6120 §8.3 that says the same, as gateways between the two write it
/// (RFC 7247 §5). One that is not here has the error of its hundred.
const ERRORS: &[(u16, &str, &str, &str)] = &[
    (300, "Multiple Choices", "modify", "redirect"),
    (301, "Moved Permanently", "modify", "redirect"),
    (302, "Moved Temporarily", "modify", "redirect"),
    (400, "Bad Request", "modify", "bad-request"),
    (401, "Unauthorized", "auth", "not-authorized"),
    (403, "Forbidden", "auth", "forbidden"),
    (404, "Not Found", "cancel", "item-not-found"),
    (405, "Method Not Allowed", "cancel", "not-allowed"),
    (406, "Not Acceptable", "modify", "not-acceptable"),
    (407, "Proxy Authentication Required", "auth", "registration-required"),
    (408, "Request Timeout", "wait", "remote-server-timeout"),
    (410, "Gone", "cancel", "gone"),
    (413, "Request Entity Too Large", "modify", "policy-violation"),
    (415, "Unsupported Media Type", "modify", "not-acceptable"),
    (480, "Temporarily Unavailable", "wait", "recipient-unavailable"),
    (484, "Address Incomplete", "modify", "jid-malformed"),
    (486, "Busy Here", "wait", "recipient-unavailable"),
    (488, "Not Acceptable Here", "modify", "not-acceptable"),
    (489, "Bad Event", "cancel", "policy-violation"),
    (500, "Server Internal Error", "wait", "internal-server-error"),
    (501, "Not Implemented", "cancel", "feature-not-implemented"),
    (502, "Bad Gateway", "wait", "remote-server-not-found"),
    (503, "Service Unavailable", "wait", "service-unavailable"),
    (504, "Server Time-out", "wait", "remote-server-timeout"),
    (513, "Message Too Large", "modify", "policy-violation"),
    (600, "Busy Everywhere", "wait", "recipient-unavailable"),
    (603, "Decline", "cancel", "recipient-unavailable"),
    (604, "Does Not Exist Anywhere", "cancel", "item-not-found"),
    (606, "Not Acceptable", "modify", "not-acceptable"),
];

/// The `<error/>` that answers a refused message: a condition that every program knows, and beside it the very code.
pub(crate) fn refusal(status: Status) -> Element {
    let code = status.code();
    let (_, reason, kind, condition) = ERRORS.iter().find(|(known, ..)| *known == code).copied().unwrap_or(match code {
        300..=399 => (code, "Redirection", "modify", "redirect"),
        400..=499 => (code, "Not Accepted", "modify", "not-acceptable"),
        500..=599 => (code, "Server Failure", "wait", "internal-server-error"),
        _ => (code, "Global Failure", "cancel", "recipient-unavailable"),
    });
    let refused = build("refused", ns::ENGINE).attr("status", code.to_string()).attr("reason", reason);
    build("error", ns::CLIENT).attr("type", kind).child(build(condition, ns::STANZAS)).child(refused).end()
}
/// The code and its words in an `<error/>` that another Subrosa wrote.
pub(crate) fn refused(error: &Element) -> Option<Refused> {
    let refused = error.get_child("refused", ns::ENGINE)?;
    let code = refused.attr("status").filter(|text| text.len() == 3)?.parse().ok()?;
    let status = Status::new(code);
    let reason = refused.attr("reason").unwrap_or_default().chars().filter(|c| !c.is_control()).take(128).collect();
    (status.code() == code).then_some(Refused { status, reason })
}

/// What the other side's engine answered to a message of ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// The very code that the engine gave.
    pub status: Status,
    /// In the other side's words, at most 128 characters; may be empty.
    pub reason: String,
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]
    use super::*;
    use crate::mapping::condition;
    use crate::xml::parse_run;
    use std::collections::HashSet;

    fn message(run: Vec<Element>) -> Element {
        build("message", ns::CLIENT).children(run).end()
    }
    fn from(xml: &str) -> Result<(Kind, String, Vec<u8>), EngineElementError> {
        let run = parse_run(xml.as_bytes()).unwrap();
        read(&message(run)).unwrap().map(|made| (made.kind, made.content_type.0.into_owned(), made.body))
    }

    #[test]
    fn what_an_engine_made_comes_out_as_it_went_in() {
        let every = (0..=255u8).collect::<Vec<_>>();
        for kind in [Kind::Text, Kind::Typing, Kind::Receipt, Kind::FileOffer, Kind::Call, Kind::Other] {
            for body in [&b"\0"[..], b"<body>&", &every] {
                let run = write(kind, &ContentType("cipher/xor".into()), body).unwrap();
                let made = read(&message(run.clone())).unwrap().unwrap();
                assert_eq!((made.kind, &*made.content_type.0, made.body.as_slice()), (kind, "cipher/xor", body));
                let has = |name: &str, ns: &str| run.iter().any(|e| e.is(name, ns));
                let shown = matches!(kind, Kind::Text | Kind::FileOffer);
                assert_eq!([has("body", ns::CLIENT), has("encryption", ns::EME)], [shown, shown]);
                assert_eq!([has("store", ns::HINTS), has("no-store", ns::HINTS)], [kind != Kind::Typing, kind == Kind::Typing]);
            }
        }
    }

    #[test]
    fn others_are_told_what_it_is() {
        let run = write(Kind::Text, &ContentType("cipher/xor".into()), b"\x01\x02").unwrap();
        assert_eq!((run[0].attr("type"), run[0].attr("kind"), run[0].text().as_str()), (Some("cipher/xor"), None, "AQI="));
        assert_eq!((run[1].attr("namespace"), run[1].attr("name")), (Some(ns::ENGINE), Some("cipher/xor")));
        assert!(run[2].text().contains("cipher/xor"));
    }

    #[test]
    fn what_is_malformed_says_why() {
        let of = |attributes: &str, text: &str| from(&format!("<engine xmlns='urn:subrosa:engine:0' {attributes}>{text}</engine>"));
        assert_eq!(of("type='a/b'", " AQ\n I= "), Ok((Kind::Text, "a/b".into(), vec![1, 2])));
        assert_eq!(of("type='a/b; c=\"d e\"' kind='typing'", "AQI="), Ok((Kind::Typing, "a/b; c=\"d e\"".into(), vec![1, 2])));
        assert_eq!(of("type='a/b' kind='of tomorrow'", "AQI=").unwrap().0, Kind::Other);
        let long = format!("type='a/{}'", "b".repeat(MAX_TYPE));
        let stanza = format!("type='{}'", ContentType::STANZA.0);
        let (shouted, with_more) = (stanza.to_uppercase().replace("TYPE", "type"), stanza.replace("+xml", "+xml ; a=b"));
        for bad in
            ["", "type=''", "type='a'", "type='/b'", "type='a/'", "type='a b/c'", "type='a/b/c'", "type='ü/b'", &long, &stanza, &shouted, &with_more]
        {
            assert_eq!(of(bad, "AQI="), Err(EngineElementError::Type), "{bad}");
        }
        for bad in ["AQI", "A", "AQI=x", "é", "AQJ=", "-_8=", "<x/>", "AQ<x/>I="] {
            assert_eq!(of("type='a/b'", bad), Err(EngineElementError::Base64), "{bad}");
        }
        assert_eq!(of("type='a/b'", " \n"), Err(EngineElementError::Empty));
        let one = "<engine xmlns='urn:subrosa:engine:0' type='a/b'>AQI=</engine>";
        assert_eq!(from(&one.repeat(2)), Err(EngineElementError::Several));
        assert!(read(&message(parse_run(b"<engine xmlns='urn:other'/><body>x</body>").unwrap())).is_none());
    }

    #[test]
    fn only_content_types_are_written() {
        for bad in ["", "text", "a/b\n", "a/b;\u{1}", "<a>/b", "Application/vnd.subrosa.stanza+XML;a=b"] {
            let content_type = ContentType(bad.to_owned().into());
            assert_eq!(write(Kind::Text, &content_type, b"x").err(), Some(StanzaError::ContentType), "{bad:?}");
        }
    }

    #[test]
    fn the_code_of_a_refusal_comes_back_whatever_it_is() {
        for code in 300..=699u16 {
            let error = refusal(Status::new(code));
            let back = refused(&error).unwrap();
            assert_eq!(back.status.code(), code);
            assert!(!back.reason.is_empty() && condition(&error).is_some());
            assert!(["auth", "cancel", "modify", "wait"].contains(&error.attr("type").unwrap()));
        }
        let codes: HashSet<_> = ERRORS.iter().map(|(code, ..)| code).collect();
        assert_eq!(codes.len(), ERRORS.len());
    }

    #[test]
    fn conditions_are_those_of_gateways() {
        let of = |code: u16| condition(&refusal(Status::new(code))).unwrap().to_owned();
        let codes = [400, 403, 404, 415, 480, 486, 488, 500, 503, 600, 603];
        let conditions = [
            "bad-request",
            "forbidden",
            "item-not-found",
            "not-acceptable",
            "recipient-unavailable",
            "recipient-unavailable",
            "not-acceptable",
            "internal-server-error",
            "service-unavailable",
            "recipient-unavailable",
            "recipient-unavailable",
        ];
        assert_eq!(codes.map(of), conditions);
    }

    #[test]
    fn a_code_that_is_none_is_not_believed() {
        for bad in ["", "4", "200", "700", "4889", "-48", "abc", "488 "] {
            let refused_element = build("refused", ns::ENGINE).attr("status", bad);
            let error = build("error", ns::CLIENT).child(refused_element).end();
            assert_eq!(refused(&error), None, "{bad:?}");
        }
    }
}
