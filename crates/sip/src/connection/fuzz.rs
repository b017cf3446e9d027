//! The way in for the fuzz targets. Nothing else uses it.
use super::config::Limits;
use super::frame::{Frame, Framer};
use crate::digest::{Challenge, Credentials};
use bytes::BytesMut;

/// What a stream holds that arrives in two pieces, until nothing is read any more.
pub fn frames(one: &[u8], two: &[u8]) -> Vec<String> {
    let (mut framer, mut buffer, mut told) = (Framer::new(&Limits::default()), BytesMut::new(), Vec::new());
    for piece in [one, two] {
        buffer.extend_from_slice(piece);
        while let Some(frame) = framer.next(&mut buffer) {
            let last = matches!(frame, Frame::Last(..));
            told.push(format!("{frame:?}"));
            if last {
                return told;
            }
        }
    }
    told
}
/// The header that answers a challenge. `None`: it can't be answered.
pub fn digest(challenge: &str) -> Option<String> {
    let credentials = Credentials { name: "alice".into(), password: String::from("secret").into() };
    let challenge = Challenge::choose(std::iter::once(challenge)).ok()?;
    Some(challenge.answer(&credentials, "REGISTER", "sip:example.org", "0123456789abcdef", 1))
}
