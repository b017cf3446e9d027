//! Where one message ends and the next begins on a stream (RFC 3261 §18.3), in bounded memory whatever comes.
//!
//! rsipstack's own framing closes a stream over a body of more than 64 KiB, and adds a Content-Length near 2⁶⁴ to the length of the head.
use super::config::Limits;
use super::head::Head;
use bytes::{Buf, BytesMut};

/// So much of a body that is too large is read and thrown away, so that its sender hears 413 and the stream goes on.
const SKIPPED: u64 = 64 << 20;

#[derive(Debug)]
pub(super) enum Frame {
    /// A double line break: answered with one (RFC 5626 §3.5.1).
    Ping,
    Message(Head, Vec<u8>),
    /// It can only be answered so; what follows on the stream is sound.
    Refused(Head, u16, &'static str),
    /// It can be answered so, if at all, and nothing after it can be read.
    Last(Option<Head>, u16, &'static str),
}
#[derive(Debug)]
enum Phase {
    Head,
    Body(Box<Head>, usize),
    Skip(u64),
    Over,
}
#[derive(Debug)]
pub(super) struct Framer {
    limits: Limits,
    phase: Phase,
    /// No head ends before this.
    searched: usize,
}
impl Framer {
    pub fn new(limits: &Limits) -> Self {
        Framer { limits: limits.clone(), phase: Phase::Head, searched: 0 }
    }
    /// Whether a message has begun and not ended. Line breaks begin none.
    pub fn is_within(&self, buffer: &BytesMut) -> bool {
        !matches!(self.phase, Phase::Head) || buffer.iter().any(|b| !matches!(b, b'\r' | b'\n'))
    }
    /// The next frame that is complete in `buffer`; takes its bytes.
    pub fn next(&mut self, buffer: &mut BytesMut) -> Option<Frame> {
        loop {
            match std::mem::replace(&mut self.phase, Phase::Over) {
                Phase::Over => {
                    buffer.clear();
                    return None;
                }
                Phase::Skip(left) => {
                    let now = left.min(u64::try_from(buffer.len()).unwrap_or(u64::MAX));
                    buffer.advance(usize::try_from(now).unwrap_or(buffer.len()));
                    let left = left.saturating_sub(now);
                    self.phase = if left > 0 { Phase::Skip(left) } else { Phase::Head };
                    if left > 0 {
                        return None;
                    }
                }
                Phase::Body(head, length) => {
                    if buffer.len() < length {
                        self.phase = Phase::Body(head, length);
                        return None;
                    }
                    self.phase = Phase::Head;
                    let body = buffer.split_to(length).to_vec();
                    return Some(match head.fault {
                        Some((code, why)) => Frame::Refused(*head, code, why),
                        None => Frame::Message(*head, body),
                    });
                }
                Phase::Head => {
                    self.phase = Phase::Head;
                    if buffer.starts_with(b"\r\n\r\n") {
                        buffer.advance(4);
                        return Some(Frame::Ping);
                    }
                    // a lone line break: the answer to a ping, or padding before a message (§7.5)
                    if buffer.starts_with(b"\r\n") && buffer.get(2).is_some_and(|b| *b != b'\r') {
                        buffer.advance(2);
                        continue;
                    }
                    let from = self.searched.min(buffer.len());
                    let found = buffer.get(from..).and_then(|rest| rest.windows(4).position(|four| four == b"\r\n\r\n"));
                    let Some(end) = found.and_then(|at| at.checked_add(from)).filter(|end| *end <= self.limits.head) else {
                        self.searched = buffer.len().saturating_sub(3);
                        if buffer.len() > self.limits.head {
                            return self.last(None, 400, "the header is too long");
                        }
                        return None;
                    };
                    self.searched = 0;
                    let head = buffer.split_to(end);
                    buffer.advance(4);
                    let Ok(head) = Head::parse(&head) else { return self.last(None, 400, "not SIP") };
                    match head.content_length() {
                        Err(why) => return self.last(Some(head), 400, why),
                        Ok(None) => return self.last(Some(head), 400, "a message on a stream must have Content-Length"),
                        Ok(Some(length)) => match usize::try_from(length).ok().filter(|length| *length <= self.limits.body) {
                            Some(length) => self.phase = Phase::Body(Box::new(head), length),
                            None if length <= SKIPPED => {
                                self.phase = Phase::Skip(length);
                                return Some(Frame::Refused(head, 413, "the body is larger than is taken"));
                            }
                            None => return self.last(Some(head), 413, "the body is larger than is taken"),
                        },
                    }
                }
            }
        }
    }
    fn last(&mut self, head: Option<Head>, code: u16, why: &'static str) -> Option<Frame> {
        self.phase = Phase::Over;
        Some(Frame::Last(head, code, why))
    }
}

/// A datagram: one message (RFC 3261 §18.3). `None`: nothing that could be answered.
pub(super) fn datagram(bytes: &[u8], limits: &Limits) -> Option<Frame> {
    let bytes = bytes.trim_ascii_start();
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n")?;
    let (head, body) = bytes.split_at_checked(end)?;
    let body = body.get(4..).unwrap_or_default();
    let head = Head::parse(head).ok()?;
    if let Some((code, why)) = head.fault {
        return Some(Frame::Refused(head, code, why));
    }
    let length = match head.content_length() {
        Err(why) => return Some(Frame::Refused(head, 400, why)),
        Ok(None) => body.len(),
        Ok(Some(length)) => match usize::try_from(length).ok().filter(|length| *length <= body.len()) {
            Some(length) => length,
            None => return Some(Frame::Refused(head, 400, "the datagram is shorter than Content-Length says")),
        },
    };
    if length > limits.body || end > limits.head {
        return Some(Frame::Refused(head, 413, "the message is larger than is taken"));
    }
    Some(Frame::Message(head, body.get(..length).unwrap_or_default().to_vec()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic, clippy::arithmetic_side_effects)]
    use super::*;
    use proptest::prelude::*;

    fn message(fields: &str, body: &[u8]) -> Vec<u8> {
        let head = format!(
            "MESSAGE sip:b@x SIP/2.0\r\nVia: SIP/2.0/TCP h;branch=z9hG4bK1\r\nFrom: <sip:a@x>;tag=1\r\nTo: <sip:b@x>\r\nCall-ID: 1\r\nCSeq: 1 MESSAGE\r\n{fields}\r\n"
        );
        [head.as_bytes(), body].concat()
    }
    fn limits() -> Limits {
        Limits { body: 1000, head: 600, ..Limits::default() }
    }
    /// Everything at once, or in pieces of `step`.
    fn frames(bytes: &[u8], step: usize) -> Vec<String> {
        let (mut framer, mut buffer, mut out) = (Framer::new(&limits()), BytesMut::new(), Vec::new());
        for piece in bytes.chunks(step.max(1)) {
            buffer.extend_from_slice(piece);
            while let Some(frame) = framer.next(&mut buffer) {
                out.push(match frame {
                    Frame::Ping => "ping".into(),
                    Frame::Message(_, body) => format!("{body:?}"),
                    Frame::Refused(_, code, _) => format!("refused {code}"),
                    Frame::Last(head, code, _) => format!("last {code} {}", head.is_some()),
                });
            }
            assert!(buffer.len() <= limits().body.max(limits().head) + step);
        }
        out
    }

    #[test]
    fn messages_pings_and_padding_are_told_apart_in_pieces_of_any_size() {
        let whole = [
            b"\r\n\r\n".to_vec(),
            message("Content-Length: 3\r\n", b"\0\r\n"),
            b"\r\n".to_vec(),
            message("l: 0\r\nContent-Length: 0\r\n", b""),
            message("Content-Length: 5000\r\n", &[b'x'; 5000]),
            message("bad line\r\nContent-Length: 2\r\n", b"ab"),
            message("Content-Length: 1\r\n", b"z"),
        ]
        .concat();
        for step in [1, 2, 3, 7, 64, 100_000] {
            assert_eq!(frames(&whole, step), ["ping", "[0, 13, 10]", "[]", "refused 413", "refused 400", "[122]"], "{step}");
        }
    }

    #[test]
    fn what_leaves_the_end_unknown_is_the_last() {
        for (fields, code) in [
            ("", 400),
            ("Content-Length: 18446744073709551615\r\n", 413),
            ("Content-Length: 99999999999999999999999999\r\n", 400),
            ("Content-Length: -5\r\n", 400),
            ("Content-Length: 3\r\nContent-Length: 4\r\n", 400),
        ] {
            let bytes = [message(fields, b"abc"), message("Content-Length: 0\r\n", b"")].concat();
            assert_eq!(frames(&bytes, 50), [format!("last {code} true")], "{fields}");
        }
        assert_eq!(frames(&[b'a'; 5000], 10), ["last 400 false"]);
        assert_eq!(frames(b"GET / HTTP/1.1\r\n\r\n", 10), ["last 400 false"]);
        assert_eq!(frames(&message(&format!("X: {}\r\nContent-Length: 0\r\n", "y".repeat(600)), b""), 1000), ["last 400 false"]);
    }

    #[test]
    fn a_datagram_may_leave_its_length_out_but_not_lie() {
        let body = |bytes: &[u8]| match datagram(bytes, &limits()) {
            Some(Frame::Message(_, body)) => format!("{body:?}"),
            Some(Frame::Refused(_, code, _)) => code.to_string(),
            None => "none".into(),
            other => panic!("{other:?}"),
        };
        assert_eq!(body(&message("", b"\0a")), "[0, 97]");
        assert_eq!(body(&message("l: 1\r\n", b"\0a")), "[0]");
        assert_eq!(body(&message("l: 3\r\n", b"\0a")), "400");
        assert_eq!(body(&message("", &[1; 1001])), "413");
        assert_eq!(body(b"\r\n"), "none");
        assert_eq!(body(b"\0\0\0\0"), "none");
    }

    proptest! {
        #[test]
        fn pieces_make_no_difference(parts in proptest::collection::vec(prop_oneof![
            proptest::collection::vec(any::<u8>(), 0..40),
            Just(message("Content-Length: 3\r\n", b"abc")),
            Just(b"\r\n\r\n".to_vec()),
            Just(message("", b"")),
        ], 0..6), step in 1usize..50) {
            let whole = parts.concat();
            prop_assert_eq!(frames(&whole, step), frames(&whole, 100_000));
            let _ = datagram(&whole, &limits());
        }
    }
}
