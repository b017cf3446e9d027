//! One MESSAGE (RFC 3428) and its answer, as values. Knows no wire: how they travel is `connection`'s.
use std::fmt;
use std::time::Instant;
use subrosa_engine::{Address, ContentType, Headers, MessageId, Status};

/// Header fields that are the transport's own: an application can't set them, and does not see them.
const RESERVED: &[&str] = &[
    "via",
    "v",
    "from",
    "f",
    "to",
    "t",
    "call-id",
    "i",
    "cseq",
    "max-forwards",
    "contact",
    "m",
    "route",
    "record-route",
    "content-length",
    "l",
    "content-type",
    "c",
    "content-encoding",
    "e",
    "authorization",
    "proxy-authorization",
    "require",
    "proxy-require",
    "user-agent",
    "allow",
    "supported",
    "k",
    "expires",
];

/// One message, outgoing or incoming.
#[derive(Clone, PartialEq, Eq)]
pub struct SipMessage {
    /// The Call-ID: names the message to both sides.
    pub id: MessageId,
    /// Who wrote it, as the From field says.
    pub from: Address,
    /// Whom it is for, as the To field says.
    pub to: Address,
    /// The Content-Type, with its parameters, as it was written.
    pub content_type: ContentType,
    /// Further header fields, the transport's own excepted, in their order.
    pub headers: Headers,
    /// Any bytes.
    pub body: Vec<u8>,
}
/// Tells the length of the body, not the words.
impl fmt::Debug for SipMessage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let SipMessage { id, from, to, content_type, body, .. } = self;
        write!(f, "SipMessage({id}, {from} to {to}, {}, {} bytes)", content_type.0, body.len())
    }
}
impl SipMessage {
    /// A message from `from` to `to`, without further headers.
    pub fn new(id: MessageId, from: Address, to: Address, content_type: ContentType, body: impl Into<Vec<u8>>) -> Self {
        SipMessage { id, from, to, content_type, headers: Headers::default(), body: body.into() }
    }
    /// Whether it can be put on the wire as it is: no line break where a header field would end, no field that is the transport's.
    ///
    /// # Errors
    /// [`Unsendable`]: what is wrong with it.
    pub fn check(&self) -> Result<(), Unsendable> {
        let id = self.id.as_str();
        if id.is_empty() || id.len() > 256 || !id.bytes().all(|b| b.is_ascii_graphic()) {
            return Err(Unsendable::Id);
        }
        for address in [&self.from, &self.to] {
            if crate::bare(address.as_str()).is_err() {
                return Err(Unsendable::Address(crate::AddressError(address.as_str().into())));
            }
        }
        let (kind, _) = self.content_type.0.split_once(';').unwrap_or((&self.content_type.0, ""));
        if !kind.split_once('/').is_some_and(|(kind, sub)| is_token(kind.trim()) && is_token(sub.trim())) || !is_value(&self.content_type.0) {
            return Err(Unsendable::ContentType);
        }
        match self.headers.0.iter().find(|(name, value)| !is_token(name) || !is_value(value) || is_reserved(name)) {
            Some((name, _)) => Err(Unsendable::Header(name.clone())),
            None => Ok(()),
        }
    }
}

/// Why a message can't be put on the wire at all.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Unsendable {
    /// An id that is no Call-ID.
    #[error("the message's id is empty, longer than 256 bytes, or has spaces in it; it goes out as the Call-ID")]
    Id,
    /// An address that is none.
    #[error(transparent)]
    Address(#[from] crate::AddressError),
    /// A content type that is none.
    #[error("the content type is not like text/plain")]
    ContentType,
    /// A header field that can't be, or that belongs to the transport.
    #[error("the header field {0:?} can't be set: it has characters that are not allowed in one, or belongs to the transport")]
    Header(String),
}

pub(crate) fn is_reserved(name: &str) -> bool {
    RESERVED.iter().any(|reserved| name.eq_ignore_ascii_case(reserved))
}
/// RFC 3261 §25.1.
pub(crate) fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-.!%*_+`'~".contains(&b))
}
fn is_value(text: &str) -> bool {
    !text.is_empty() && text.trim() == text && !text.contains(|c: char| c.is_control() && c != '\t')
}

/// The answer to a message that came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// 200.
    Accept,
    /// Exactly this code, with its phrase of RFC 3261 §21.
    Refuse {
        /// The code, 300–699.
        status: Status,
        /// Our code for why, which goes along as a Warning field (RFC 3261 §20.43): `"not-encrypted"`.
        reason: Option<&'static str>,
    },
}
impl Answer {
    /// The code on the wire.
    pub fn code(&self) -> u16 {
        match self {
            Answer::Accept => 200,
            Answer::Refuse { status, .. } => status.code(),
        }
    }
}
impl From<Status> for Answer {
    fn from(status: Status) -> Self {
        Answer::Refuse { status, reason: None }
    }
}

/// A message that came, and the one way to answer it.
#[derive(Debug)]
pub struct Arrived {
    /// What came.
    pub message: SipMessage,
    /// The number of its CSeq field: one that comes again with the same Call-ID has the same.
    pub cseq: u32,
    /// Then the transport answers 480 by itself.
    pub until: Instant,
    /// To be kept until it is known.
    pub answer: AnswerHandle,
}

/// Answers one message, from any thread, once. Dropped without an answer it says 480: what nobody took was not shown.
pub struct AnswerHandle(Option<Box<dyn FnOnce(Answer) + Send>>);
impl AnswerHandle {
    /// For transports: what takes the answer. Must not block.
    pub fn new(answer: impl FnOnce(Answer) + Send + 'static) -> Self {
        AnswerHandle(Some(Box::new(answer)))
    }
    /// Answers. When the sender is no longer there, nobody hears it.
    pub fn answer(mut self, answer: Answer) {
        if let Some(give) = self.0.take() {
            give(answer);
        }
    }
}
impl Drop for AnswerHandle {
    fn drop(&mut self) {
        if let Some(give) = self.0.take() {
            give(Status::UNAVAILABLE.into());
        }
    }
}
impl fmt::Debug for AnswerHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AnswerHandle")
    }
}

/// What became of a message that was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// The recipient, or a server on the way that keeps it, took it: the code, 200–299.
    Delivered(u16),
    /// It did not.
    NotDelivered(NotDelivered),
}

/// Why a message was not delivered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotDelivered {
    /// The code that was answered. Where nobody answered, the one of RFC 3261 §8.1.3.1: 408 for no answer in time, 503 for no way to
    /// the server, 400 for what can't be put on the wire.
    pub status: Status,
    /// The phrase that was answered, or what went wrong here, in a sentence.
    pub cause: String,
    /// Our code for why, where the recipient is one of ours.
    pub reason: Option<String>,
    /// `true`: nobody answered, the code is ours.
    pub local: bool,
}
impl fmt::Display for NotDelivered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.local {
            true => f.write_str(&self.cause),
            false => write!(f, "the other side answered {} {}", self.status.code(), self.cause),
        }
    }
}
impl Delivery {
    /// Nobody answered: a code of ours and a sentence.
    pub fn local(status: u16, cause: impl Into<String>) -> Self {
        Delivery::NotDelivered(NotDelivered { status: Status::new(status), cause: cause.into(), reason: None, local: true })
    }
    /// The code, whichever way it went.
    pub fn code(&self) -> u16 {
        match self {
            Delivery::Delivered(code) => *code,
            Delivery::NotDelivered(why) => why.status.code(),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::sync::mpsc;

    fn message() -> SipMessage {
        SipMessage::new("1".into(), "sip:a@x".into(), "sip:b@x".into(), ContentType("text/plain; charset=utf-8".into()), "hello")
    }

    #[test]
    fn nothing_can_be_smuggled_into_the_head() {
        assert_eq!(message().check(), Ok(()));
        let with = |change: fn(&mut SipMessage)| {
            let mut message = message();
            change(&mut message);
            message.check()
        };
        assert_eq!(with(|m| m.headers = Headers::default().with("X-A", "b c; d")), Ok(()));
        assert_eq!(with(|m| m.id = "1\r\nX: y".into()), Err(Unsendable::Id));
        assert_eq!(with(|m| m.id = "".into()), Err(Unsendable::Id));
        assert!(matches!(with(|m| m.to = "sip:b@x\r\nX: y".into()), Err(Unsendable::Address(_))));
        assert_eq!(with(|m| m.content_type = ContentType("text/plain\r\nX: y".into())), Err(Unsendable::ContentType));
        assert_eq!(with(|m| m.content_type = ContentType("text".into())), Err(Unsendable::ContentType));
        for (name, value) in [("X", "a\r\nY: b"), ("X Y", "a"), ("", "a"), ("X", ""), ("Via", "a"), ("f", "a"), ("X", "\0")] {
            let mut message = message();
            message.headers = Headers::default().with(name, value);
            assert_eq!(message.check(), Err(Unsendable::Header(name.into())), "{name}: {value}");
        }
    }

    #[test]
    fn an_answer_is_given_once_and_a_dropped_one_is_480() {
        let (sender, answers) = mpsc::channel();
        let handle = |sender: mpsc::Sender<Answer>| AnswerHandle::new(move |answer| sender.send(answer).unwrap());
        handle(sender.clone()).answer(Answer::Accept);
        drop(handle(sender.clone()));
        drop(sender);
        assert_eq!(answers.iter().map(|a| a.code()).collect::<Vec<_>>(), [200, 480]);
    }

    #[test]
    fn words_are_not_shown() {
        assert!(!format!("{:?}", message()).contains("hello"));
    }
}
