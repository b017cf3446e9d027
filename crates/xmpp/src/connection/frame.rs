//! An XML stream over any byte stream, both ways (RFC 6120 §4): elements are bounded while they arrive.
//!
//! Owns the parser and both buffers. Knows no stanza's meaning. A read that is dropped loses nothing.
//!
//! Invariants: an element over a limit, or not well-formed, is left out and told as a [`Frame`] with its outer tag, and the stream
//! goes on: what a contact writes never ends it. A stream that could never be read again would be resumed, and the server
//! would send the same again, for ever. Memory: one element of [`MAX_STANZA`] bytes, whatever arrives, and once where it was asked
//! for an answer of [`Limits::ANSWER`]. Nothing is logged.
#[cfg(test)]
mod tests;

use super::scan::{Edge, Scan};
use crate::ns;
use crate::xml::{self, Frame, FrameBuilder, Limits, MAX_STANZA, StanzaError};
use minidom::Element;
use rxml::error::EndOrError;
use rxml::{AttrMap, Event, Parse as _, Parser, QName};
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, timeout_at};
use zeroize::{Zeroize as _, Zeroizing};

/// An element that is left out may have so many bytes: no server carries more, so it would never end.
const MAX_LEFT_OUT: usize = 16 * 1024 * 1024;
/// The stream's opening tag.
const MAX_HEAD: usize = 16 * 1024;
/// Bytes read at once.
const READ: usize = 16 * 1024;
/// Bytes of the buffer of what is written that stay reserved.
const KEPT: usize = 512;
/// The start of an element that is kept to know its name, should its tag never end.
const NAME: usize = 16;

/// What arrived.
#[derive(Debug)]
pub(super) enum Arrived {
    Frame(Frame),
    /// The stream's head.
    Head,
    /// Nothing, for as long as [`Patience::quiet`].
    Silence,
    /// The stream's end tag.
    End,
}
/// Why nothing arrives any more.
#[derive(Debug)]
pub(super) enum FrameError {
    Io(io::Error),
    /// Not a stream of RFC 6120.
    Xml(&'static str),
}
impl From<io::Error> for FrameError {
    fn from(e: io::Error) -> Self {
        FrameError::Io(e)
    }
}
/// How long nothing may arrive.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patience {
    /// Then it is told.
    pub quiet: Duration,
    /// And after so long again the stream is over.
    pub dead: Duration,
}

/// A stream in both directions.
pub(super) struct Framed<Io> {
    io: Io,
    input: Vec<u8>,
    /// Of `input`, looked at.
    taken: usize,
    output: Zeroizing<Vec<u8>>,
    /// Of `output`, written.
    written: usize,
    unflushed: bool,
    secret: bool,
    reader: Reader,
    patience: Patience,
    heard: Instant,
    warned: bool,
}
impl<Io: AsyncRead + AsyncWrite + Unpin> Framed<Io> {
    pub(super) fn new(io: Io, patience: Patience) -> Self {
        Framed {
            io,
            input: Vec::new(),
            taken: 0,
            output: Zeroizing::default(),
            written: 0,
            unflushed: false,
            secret: false,
            reader: Reader::new(),
            patience,
            heard: Instant::now(),
            warned: false,
        }
    }
    /// Begins a stream, or begins it anew (§4.3.3).
    pub(super) fn begin(&mut self, domain: &str) {
        self.reader = Reader::new();
        let domain = domain.replace('&', "&amp;").replace('<', "&lt;").replace('\'', "&apos;");
        let (client, streams) = (ns::CLIENT, ns::STREAM);
        let head = format!("<?xml version='1.0'?><stream:stream xmlns='{client}' xmlns:stream='{streams}' to='{domain}' version='1.0'>");
        self.output.extend_from_slice(head.as_bytes());
    }
    /// The answer with this id may be large, once. Nobody but who was asked can know the id.
    pub(super) fn expect(&mut self, id: Option<&str>) {
        self.reader.expected = id.map(str::to_owned);
    }
    /// Puts an element out; [`Framed::flush`] writes it.
    ///
    /// # Errors
    /// [`StanzaError::Characters`]: nothing was put.
    pub(super) fn put(&mut self, element: &Element) -> Result<(), StanzaError> {
        let before = self.output.len();
        let put = xml::write(element, &mut self.output);
        if put.is_err() {
            self.output.truncate(before);
        }
        put
    }
    /// Puts bytes out of which no copy stays here once they are written.
    pub(super) fn put_secret(&mut self, bytes: &[u8]) {
        // growing in place would leave a copy behind
        let mut larger = Zeroizing::new(Vec::with_capacity(self.output.len().saturating_add(bytes.len())));
        larger.extend_from_slice(&self.output);
        larger.extend_from_slice(bytes);
        self.output = larger;
        self.secret = true;
    }
    /// Bytes that wait to be written.
    pub(super) fn pending(&self) -> usize {
        self.output.len().saturating_sub(self.written)
    }
    /// Writes all that waits.
    pub(super) async fn flush(&mut self) -> Result<(), FrameError> {
        poll_fn(|cx| self.poll_write(cx)).await
    }
    /// The byte stream, for TLS to be put over it. Bytes that came too early would be read as if TLS protected them: refused.
    pub(super) fn into_inner(self) -> Result<Io, FrameError> {
        if self.taken < self.input.len() { Err(FrameError::Xml("bytes in clear after STARTTLS")) } else { Ok(self.io) }
    }
    /// The next that arrives. May be dropped and called again.
    pub(super) async fn next(&mut self) -> Result<Arrived, FrameError> {
        let wait = if self.warned { self.patience.dead } else { self.patience.quiet };
        let end = self.heard.checked_add(wait).unwrap_or(self.heard);
        match timeout_at(end, poll_fn(|cx| self.poll_next(cx))).await {
            Ok(arrived) => arrived,
            Err(_) if self.warned => Err(FrameError::Io(io::Error::new(io::ErrorKind::TimedOut, "the server is silent"))),
            Err(_) => {
                self.warned = true;
                self.heard = Instant::now();
                Ok(Arrived::Silence)
            }
        }
    }
    /// Says that nothing more is sent.
    pub(super) async fn close(&mut self) -> Result<(), FrameError> {
        self.output.extend_from_slice(b"</stream:stream>");
        self.flush().await
    }
    /// Ends the byte stream.
    pub(super) async fn shutdown(&mut self) {
        let _ = poll_fn(|cx| Pin::new(&mut self.io).poll_shutdown(cx)).await;
    }

    fn poll_write(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), FrameError>> {
        while let Some(rest) = self.output.get(self.written..).filter(|rest| !rest.is_empty()) {
            let count = ready!(Pin::new(&mut self.io).poll_write(cx, rest))?;
            if count == 0 {
                return Poll::Ready(Err(FrameError::Io(io::ErrorKind::WriteZero.into())));
            }
            self.written = self.written.saturating_add(count);
            self.unflushed = true;
        }
        if self.unflushed {
            ready!(Pin::new(&mut self.io).poll_flush(cx))?;
            self.unflushed = false;
        }
        if std::mem::take(&mut self.secret) {
            self.output.zeroize();
        }
        self.output.clear();
        self.output.shrink_to(KEPT);
        self.written = 0;
        Poll::Ready(Ok(()))
    }
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Result<Arrived, FrameError>> {
        loop {
            if let Some(arrived) = self.read()? {
                return Poll::Ready(Ok(arrived));
            }
            self.input.resize(READ, 0);
            let mut buffer = ReadBuf::new(&mut self.input);
            let read = Pin::new(&mut self.io).poll_read(cx, &mut buffer);
            let count = buffer.filled().len();
            self.input.truncate(count);
            self.taken = 0;
            if read.is_pending() {
                self.input = Vec::new(); // most connections of a server wait most of the time
            }
            ready!(read)?;
            if count == 0 {
                return Poll::Ready(Err(FrameError::Io(io::ErrorKind::UnexpectedEof.into())));
            }
            self.heard = Instant::now();
            self.warned = false;
        }
    }
    fn read(&mut self) -> Result<Option<Arrived>, FrameError> {
        while let Some(rest) = self.input.get(self.taken..).filter(|rest| !rest.is_empty()) {
            let (used, arrived) = self.reader.read(rest)?;
            self.taken = self.taken.saturating_add(used);
            if arrived.is_some() {
                return Ok(arrived);
            }
        }
        Ok(None)
    }
}
/// Why the present element is left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum LeftOut {
    TooLarge,
    Malformed,
}
/// Bytes to frames.
struct Reader {
    scan: Scan,
    parser: Parser,
    /// The stream's opening tag, for a new parser.
    head: Vec<u8>,
    open: bool,
    builder: Option<FrameBuilder>,
    /// The id of the answer that may be large.
    expected: Option<String>,
    done: Option<Frame>,
    /// Of the present element.
    size: usize,
    begin: Vec<u8>,
    left_out: Option<LeftOut>,
}
impl Reader {
    fn new() -> Self {
        Reader {
            scan: Scan::new(),
            parser: xml::parser(),
            head: Vec::new(),
            open: false,
            builder: None,
            expected: None,
            done: None,
            size: 0,
            begin: Vec::with_capacity(NAME),
            left_out: None,
        }
    }
    /// Up to one frame: how many bytes that took.
    fn read(&mut self, bytes: &[u8]) -> Result<(usize, Option<Arrived>), FrameError> {
        let (used, edge) = self.scan.next(bytes).map_err(FrameError::Xml)?;
        let piece = bytes.get(..used).unwrap_or_default();
        if !matches!(edge, Some(Edge::Space | Edge::Close)) {
            self.take(piece)?;
        }
        let arrived = match edge {
            None | Some(Edge::Space) => None,
            Some(Edge::Head) => {
                self.size = 0;
                if !self.open {
                    return Err(FrameError::Xml("it is not an XMPP stream"));
                }
                Some(Arrived::Head)
            }
            Some(Edge::Element) => Some(Arrived::Frame(self.finish())),
            Some(Edge::Close) => Some(Arrived::End),
        };
        Ok((used, arrived))
    }
    fn take(&mut self, mut piece: &[u8]) -> Result<(), FrameError> {
        self.size = self.size.saturating_add(piece.len());
        if !self.open {
            self.head.extend_from_slice(piece);
            if self.size > MAX_HEAD {
                return Err(FrameError::Xml("the stream's head has no end"));
            }
        } else if self.begin.len() < NAME {
            self.begin.extend(piece.iter().take(NAME.saturating_sub(self.begin.len())));
        }
        if self.left_out.is_none() && self.open && self.size > self.builder.as_ref().map_or(MAX_STANZA, |builder| builder.limits().bytes) {
            self.leave_out(LeftOut::TooLarge);
        }
        if self.left_out.is_some() {
            return if self.size > MAX_LEFT_OUT { Err(FrameError::Xml("an element without an end")) } else { Ok(()) };
        }
        loop {
            match self.parser.parse(&mut piece, false) {
                Ok(Some(event)) => {
                    self.event(event)?;
                    if self.builder.as_ref().is_some_and(FrameBuilder::is_too_deep) {
                        self.leave_out(LeftOut::TooLarge);
                        return Ok(());
                    }
                }
                Err(EndOrError::NeedMoreData) => return Ok(()),
                Ok(None) | Err(EndOrError::Error(_)) if !self.open => return Err(FrameError::Xml("the stream's head is not XML")),
                Ok(None) | Err(EndOrError::Error(_)) => {
                    self.leave_out(LeftOut::Malformed);
                    return Ok(());
                }
            }
        }
    }
    fn event(&mut self, event: Event) -> Result<(), FrameError> {
        match (&mut self.builder, event) {
            (None, Event::StartElement(_, (namespace, name), _)) if !self.open => {
                if namespace != *ns::STREAM || name != *"stream" {
                    return Err(FrameError::Xml("it is not an XMPP stream"));
                }
                self.open = true;
            }
            (None, Event::StartElement(_, name, attributes)) => {
                let limits = self.limits(&name, &attributes);
                self.builder = Some(FrameBuilder::new(name, attributes, limits));
            }
            (None, _) => {}
            (Some(builder), event) => {
                if let Some(frame) = builder.feed(event) {
                    self.builder = None;
                    self.done = Some(frame);
                }
            }
        }
        Ok(())
    }
    fn limits(&mut self, name: &QName, attributes: &AttrMap) -> Limits {
        let is = |key: &str, value: &str| attributes.iter().any(|((ns, k), v)| ns.is_empty() && **k == *key && v == value);
        let answers = name.0 == *ns::CLIENT && name.1 == *"iq" && is("type", "result");
        match self.expected.take_if(|id| answers && is("id", id)) {
            Some(_) => Limits::ANSWER,
            None => Limits::STANZA,
        }
    }
    /// What was built of it is let go; its outer tag stays.
    fn leave_out(&mut self, why: LeftOut) {
        self.left_out = Some(why);
        if let Some(builder) = &mut self.builder {
            builder.give_up();
        }
    }
    /// The element ends here.
    fn finish(&mut self) -> Frame {
        self.size = 0;
        let why = match (self.left_out.take(), self.done.take()) {
            (None, Some(frame)) if self.builder.is_none() => {
                self.begin.clear();
                return frame;
            }
            (why, _) => why.unwrap_or(LeftOut::Malformed),
        };
        self.parser = xml::parser();
        let mut head = self.head.as_slice();
        while let Ok(Some(_)) = self.parser.parse(&mut head, false) {}
        let tag = self.builder.take().and_then(FrameBuilder::into_head).unwrap_or_else(|| nameless(&self.begin));
        self.begin.clear();
        match why {
            LeftOut::TooLarge => Frame::TooLarge(tag),
            LeftOut::Malformed => Frame::Malformed(tag),
        }
    }
}
/// The outer tag of an element whose tag could not be read: what kind of stanza it is, so that it is counted.
fn nameless(begin: &[u8]) -> Element {
    let is = |name: &&str| {
        begin.get(1..).and_then(|rest| rest.strip_prefix(name.as_bytes())).is_some_and(|rest| !rest.first().is_some_and(u8::is_ascii_alphanumeric))
    };
    let name = ["message", "presence", "iq"].into_iter().find(is);
    Element::bare(name.unwrap_or("unknown"), if name.is_some() { ns::CLIENT } else { "" })
}
