//! The head of a SIP message as it came: start line and header fields (RFC 3261 §7), strict where lenience would lose something.
//!
//! rsipstack's parser does not see a message before this one has. By itself it knows 14 methods and drops all others unanswered,
//! ends the header at the first line that is not UTF-8 (what follows is lost, the body with it), and takes a datagram without
//! Content-Length for one without body. Answers that need no transaction are written here too.
use super::config::Way;
use crate::message::is_token;
use std::fmt::Write as _;
use std::net::{IpAddr, SocketAddr};

/// More header fields than any message has.
const MAX_FIELDS: usize = 256;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Start {
    Request { method: String, uri: String },
    Response { code: u16, phrase: String },
}
/// The code that a message can only be answered with, and why.
type Fault = (u16, &'static str);
/// A head, and what is wrong with it.
#[derive(Clone, Debug)]
pub(super) struct Head {
    pub start: Start,
    /// Names as they were written, values unfolded.
    pub fields: Vec<(String, String)>,
    /// `Some`: it can only be answered with this.
    pub fault: Option<Fault>,
}

/// Not the head of a SIP message: there is nobody to answer.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct NotSip;

impl Head {
    /// `bytes`: up to the empty line, without it.
    pub fn parse(bytes: &[u8]) -> Result<Head, NotSip> {
        let text = String::from_utf8_lossy(bytes);
        let mut fault = None;
        if matches!(text, std::borrow::Cow::Owned(_)) {
            fault = Some((400, "header fields must be UTF-8"));
        }
        let mut lines = text.split("\r\n");
        let (start, wrong) = start_line(lines.next().ok_or(NotSip)?)?;
        fault = fault.or(wrong);
        let mut fields: Vec<(String, String)> = Vec::with_capacity(12);
        for line in lines {
            if line.contains(|c: char| c.is_control() && c != '\t') {
                fault = fault.or(Some((400, "control character in a header field")));
                continue;
            }
            if line.starts_with([' ', '\t']) {
                match fields.last_mut() {
                    Some((_, value)) => {
                        value.push(' ');
                        value.push_str(line.trim());
                    }
                    None => fault = fault.or(Some((400, "folded line before any header field"))),
                }
                continue;
            }
            match line.split_once(':').map(|(name, value)| (name.trim_end(), value.trim())) {
                Some((name, value)) if is_token(name) && fields.len() < MAX_FIELDS => fields.push((name.into(), value.into())),
                _ => fault = fault.or(Some((400, "line that is no header field"))),
            }
        }
        let mut head = Head { start, fields, fault };
        head.fault = head.fault.or_else(|| head.missing());
        Ok(head)
    }
    /// What every message must have, and once only (RFC 3261 §8.1.1).
    fn missing(&self) -> Option<Fault> {
        if self.get("via", "v").is_none() {
            return Some((400, "Via is missing"));
        }
        let once = |name, short, why| (self.all(name, short).count() != 1).then_some((400, why));
        once("from", "f", "From must be there once")
            .or_else(|| once("to", "t", "To must be there once"))
            .or_else(|| once("call-id", "i", "Call-ID must be there once"))
            .or_else(|| once("cseq", "cseq", "CSeq must be there once"))
            .or_else(|| match (&self.start, self.cseq()) {
                (_, None) => Some((400, "CSeq is not a number and a method")),
                (Start::Request { method, .. }, Some((_, of))) if of != method => Some((400, "CSeq names another method")),
                _ => None,
            })
    }
    pub fn all<'a>(&'a self, name: &'a str, short: &'a str) -> impl Iterator<Item = &'a str> {
        self.fields.iter().filter(move |(n, _)| n.eq_ignore_ascii_case(name) || n.eq_ignore_ascii_case(short)).map(|(_, value)| value.as_str())
    }
    /// The first; `short`: its compact form (RFC 3261 §7.3.3), or the name again.
    pub fn get(&self, name: &str, short: &str) -> Option<&str> {
        self.fields.iter().find(|(n, _)| n.eq_ignore_ascii_case(name) || n.eq_ignore_ascii_case(short)).map(|(_, value)| value.as_str())
    }
    pub fn cseq(&self) -> Option<(u32, &str)> {
        let (number, method) = self.get("cseq", "cseq")?.split_once([' ', '\t'])?;
        Some((number.parse().ok().filter(|n| *n < 1 << 31)?, method.trim()))
    }
    /// The length of the body (RFC 3261 §20.14). `Ok(None)`: not told.
    pub fn content_length(&self) -> Result<Option<u64>, &'static str> {
        let mut length = None;
        for value in self.all("content-length", "l") {
            let number = (!value.is_empty() && value.bytes().all(|b| b.is_ascii_digit())).then(|| value.parse::<u64>().ok()).flatten();
            let number = number.ok_or("Content-Length is no number")?;
            if length.is_some_and(|known| known != number) {
                return Err("two Content-Lengths that differ");
            }
            length = Some(number);
        }
        Ok(length)
    }
    /// Notes where the message came from (RFC 3261 §18.2.1, RFC 3581 §4). Gives the address that an answer in a datagram goes to.
    pub fn came_from(&mut self, peer: SocketAddr) -> Option<SocketAddr> {
        let via = self.fields.iter_mut().find(|(n, _)| n.eq_ignore_ascii_case("via") || n.eq_ignore_ascii_case("v"))?;
        let (marked, reply) = marked_via(&via.1, peer)?;
        via.1 = marked;
        Some(reply)
    }
    /// An answer that needs no transaction. `None`: the message says too little to be answered, or is an answer itself, or an ACK.
    pub fn answer(&self, code: u16, phrase: &str, fields: &[(&str, &str)]) -> Option<Vec<u8>> {
        match &self.start {
            Start::Request { method, .. } if method != "ACK" => {}
            _ => return None,
        }
        let mut out = format!("SIP/2.0 {code} {phrase}\r\n");
        self.get("via", "v")?;
        self.all("via", "v").for_each(|via| line(&mut out, "Via", via));
        line(&mut out, "From", self.get("from", "f")?);
        let to = self.get("to", "t")?;
        match to.contains(";tag=") {
            true => line(&mut out, "To", to),
            // the same for the same request, as RFC 3261 §8.2.7 wants of a server without state
            false => line(&mut out, "To", &format!("{to};tag=s{:016x}", fingerprint(&[self.get("call-id", "i")?, self.get("via", "v")?]))),
        }
        line(&mut out, "Call-ID", self.get("call-id", "i")?);
        line(&mut out, "CSeq", self.get("cseq", "cseq")?);
        fields.iter().for_each(|(name, value)| line(&mut out, name, value));
        out.push_str("Content-Length: 0\r\n\r\n");
        Some(out.into_bytes())
    }
}
fn line(out: &mut String, name: &str, value: &str) {
    let _ = write!(out, "{name}: {value}\r\n");
}
/// FNV-1a: no secret, only the same again.
fn fingerprint(parts: &[&str]) -> u64 {
    let bytes = parts.iter().flat_map(|part| part.bytes());
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, b| (hash ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3))
}

fn start_line(line: &str) -> Result<(Start, Option<Fault>), NotSip> {
    if let Some(rest) = line.strip_prefix("SIP/2.0 ") {
        let (code, phrase) = rest.split_once(' ').unwrap_or((rest, ""));
        let code = code.parse().ok().filter(|code| (100..700).contains(code) && rest.len() >= 3).ok_or(NotSip)?;
        return Ok((Start::Response { code, phrase: phrase.trim().into() }, None));
    }
    let (method, rest) = line.split_once(' ').ok_or(NotSip)?;
    let (uri, version) = rest.rsplit_once(' ').ok_or(NotSip)?;
    if !is_token(method) || !version.get(..4).is_some_and(|v| v.eq_ignore_ascii_case("SIP/")) {
        return Err(NotSip);
    }
    let fault = if !version.eq_ignore_ascii_case("SIP/2.0") {
        Some((505, "only SIP/2.0 is spoken"))
    } else if uri.is_empty() || uri.contains(|c: char| c.is_whitespace() || c.is_control()) {
        Some((400, "the Request-URI is none"))
    } else {
        None
    };
    Ok((Start::Request { method: method.into(), uri: uri.into() }, fault))
}
/// The first of the Via values with `received` and `rport`, and where an answer in a datagram goes.
fn marked_via(value: &str, peer: SocketAddr) -> Option<(String, SocketAddr)> {
    let (first, others) = value.split_once(',').map_or((value, ""), |(first, others)| (first, others));
    let mut params = first.split(';').map(str::trim);
    let mut marked = params.next()?.to_owned();
    let sent_by = marked.rsplit([' ', '\t']).next()?;
    let (host, port) = match sent_by.strip_prefix('[').and_then(|v6| v6.split_once(']')) {
        Some((v6, port)) => (v6, port.strip_prefix(':')),
        None => sent_by.split_once(':').map_or((sent_by, None), |(host, port)| (host, Some(port))),
    };
    let port = match port {
        Some(port) => port.parse().ok()?,
        None if marked.to_ascii_uppercase().contains("/TLS") => Way::Tls.port(),
        None => Way::Udp.port(),
    };
    let elsewhere = host.parse::<IpAddr>().ok() != Some(peer.ip());
    let mut rport = false;
    for param in params {
        let name = param.split('=').next().unwrap_or(param).trim();
        if name.eq_ignore_ascii_case("rport") {
            rport = true;
        } else if !name.eq_ignore_ascii_case("received") && !param.is_empty() {
            marked.push(';');
            marked.push_str(param);
        }
    }
    if elsewhere || rport {
        let _ = write!(marked, ";received={}", peer.ip());
    }
    if rport {
        let _ = write!(marked, ";rport={}", peer.port());
    }
    if !others.is_empty() {
        marked.push(',');
        marked.push_str(others);
    }
    Some((marked, SocketAddr::new(peer.ip(), if rport { peer.port() } else { port })))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    const GOOD: &str = "MESSAGE sip:bob@x SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.1:5070;branch=z9hG4bK1;rport\r\nFrom: <sip:a@x>;tag=1\r\n\
                        To: <sip:bob@x>\r\nCall-ID: c1\r\nCSeq: 1 MESSAGE\r\nContent-Type: text/plain;\r\n charset=utf-8\r\nl: 5";
    fn parsed(text: &str) -> Head {
        Head::parse(text.as_bytes()).unwrap()
    }
    fn peer() -> SocketAddr {
        "192.0.2.7:4444".parse().unwrap()
    }

    #[test]
    fn a_head_is_read_with_folded_lines_and_compact_names() {
        let head = parsed(GOOD);
        assert_eq!(head.fault, None);
        assert_eq!(head.start, Start::Request { method: "MESSAGE".into(), uri: "sip:bob@x".into() });
        assert_eq!(head.get("content-type", "c"), Some("text/plain; charset=utf-8"));
        assert_eq!(head.content_length(), Ok(Some(5)));
        assert_eq!(head.cseq(), Some((1, "MESSAGE")));
    }

    #[test]
    fn what_is_wrong_is_named() {
        let fault = |from: &str, to: &str| {
            assert!(GOOD.contains(from));
            parsed(&GOOD.replacen(from, to, 1)).fault.map(|(code, _)| code)
        };
        assert_eq!(fault("SIP/2.0\r\n", "SIP/3.0\r\n"), Some(505));
        assert_eq!(fault("sip:bob@x SIP", "sip:b ob@x SIP"), Some(400));
        assert_eq!(fault("Via: ", "Vie: "), Some(400));
        assert_eq!(fault("Call-ID: c1", "Call-ID: c1\r\nCall-ID: c2"), Some(400));
        assert_eq!(fault("CSeq: 1 MESSAGE", "CSeq: 1 INVITE"), Some(400));
        assert_eq!(fault("CSeq: 1 MESSAGE", "CSeq: 99999999999 MESSAGE"), Some(400));
        assert_eq!(fault("CSeq: 1 MESSAGE", "CSeq: MESSAGE"), Some(400));
        assert_eq!(fault("Call-ID: c1", "Call-ID: c\u{0}1"), Some(400));
        assert_eq!(fault("Call-ID: c1", "Call-ID: c\n1"), Some(400));
        assert_eq!(fault("Call-ID: c1", "Call-ID: c1\r\nno field"), Some(400));
        assert_eq!(Head::parse(&[GOOD.as_bytes(), b"\r\nX: \xff"].concat()).unwrap().fault.unwrap().0, 400);
        for none in ["", "x", "GET / HTTP/1.1", "SIP/2.0 abc", "SIP/2.0 99 x", "MESSAGE sip:x"] {
            assert_eq!(Head::parse(none.as_bytes()).unwrap_err(), NotSip, "{none}");
        }
        let lengths = |fields: &str| parsed(&GOOD.replace("l: 5", fields)).content_length();
        assert_eq!(lengths("l: 5\r\nContent-Length: 5"), Ok(Some(5)));
        assert!(lengths("l: 5\r\nContent-Length: 6").is_err());
        for bad in ["-1", "+5", "5x", "", "99999999999999999999999"] {
            assert!(lengths(&format!("l: {bad}")).is_err(), "{bad}");
        }
        assert_eq!(lengths("X: 1"), Ok(None));
    }

    #[test]
    fn answers_go_back_to_where_the_request_came_from() {
        let mut head = parsed(GOOD);
        assert_eq!(head.came_from(peer()), Some(peer()));
        assert_eq!(head.get("via", "v"), Some("SIP/2.0/UDP 10.0.0.1:5070;branch=z9hG4bK1;received=192.0.2.7;rport=4444"));
        let mut plain = parsed(&GOOD.replace(";rport", ""));
        assert_eq!(plain.came_from(peer()), Some("192.0.2.7:5070".parse().unwrap()));
        let mut default = parsed(&GOOD.replace(":5070", "").replace(";rport", ", SIP/2.0/UDP p2;branch=z9hG4bK0"));
        assert_eq!(default.came_from(peer()), Some("192.0.2.7:5060".parse().unwrap()));
        assert_eq!(default.get("via", "v"), Some("SIP/2.0/UDP 10.0.0.1;branch=z9hG4bK1;received=192.0.2.7, SIP/2.0/UDP p2;branch=z9hG4bK0"));
        let mut none = parsed(&GOOD.replace("10.0.0.1:5070", "10.0.0.1:port"));
        assert_eq!(none.came_from(peer()), None);

        let answer = String::from_utf8(head.answer(405, "Method Not Allowed", &[("Allow", "MESSAGE")]).unwrap()).unwrap();
        let back = parsed(answer.strip_suffix("\r\n\r\n").unwrap());
        assert_eq!((back.start, back.fault), (Start::Response { code: 405, phrase: "Method Not Allowed".into() }, None));
        assert!(answer.contains("\r\nAllow: MESSAGE\r\n") && answer.contains("\r\nTo: <sip:bob@x>;tag=s"));
        assert_eq!(head.answer(400, "x", &[]), head.answer(400, "x", &[]));
        assert_eq!(parsed(&GOOD.replace("MESSAGE", "ACK")).answer(400, "x", &[]), None);
        assert_eq!(parsed(&GOOD.replace("Via", "X")).answer(400, "x", &[]), None);
    }

    proptest! {
        #[test]
        fn nothing_panics(bytes in proptest::collection::vec(any::<u8>(), 0..300), cut in 0usize..400) {
            let _ = Head::parse(&bytes);
            let mut mixed = GOOD.as_bytes().to_vec();
            let at = cut.min(mixed.len());
            mixed.splice(at.., bytes);
            if let Ok(mut head) = Head::parse(&mixed) {
                head.came_from(peer());
                head.answer(400, "x", &[]);
                let _ = head.content_length();
            }
        }
    }
}
