//! An XML stream over any byte stream, both ways (RFC 6120 §4): elements are bounded while they arrive.
//!
//! Owns the parser and both buffers. Knows no stanza's meaning. A read that is dropped loses nothing.
//!
//! Invariants: an element over a limit, or not well-formed, is left out and told as a [`Frame`] with its outer tag, and the stream
//! goes on: what a contact writes never ends it. A stream that could never be read again would be resumed, and the server
//! would send the same again, for ever. Memory: one element of [`MAX_STANZA`] bytes, whatever arrives, and once where it was asked
//! for an answer of [`Limits::ANSWER`]. Nothing is logged.
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
                Ok(Some(event)) => self.event(event)?,
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::arithmetic_side_effects, clippy::panic)]
    use super::*;
    use crate::xml::MAX_DEPTH;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    const HEAD: &str = "<?xml version='1.0'?>\n<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' id='1'>";
    const AFTER: &str = "<message from='c@d'><body>small</body></message>";
    const PATIENCE: Patience = Patience { quiet: Duration::from_secs(3600), dead: Duration::from_secs(3600) };

    /// Reads `text` in reads of `size` bytes: everything that arrives as text, until the first error.
    async fn read(text: &str, size: usize) -> Vec<String> {
        let (mut server, client) = tokio::io::duplex(size);
        let text = text.to_owned();
        let writer = tokio::spawn(async move {
            let _ = server.write_all(text.as_bytes()).await;
        });
        let mut framed = Framed::new(client, PATIENCE);
        let mut found = Vec::new();
        loop {
            let tag = |why: &str, tag: &Element| format!("{why} {} {:?} {:?}", tag.name(), tag.attr("from"), tag.attr("id"));
            match framed.next().await {
                Ok(Arrived::Head) => found.push("head".into()),
                Ok(Arrived::Frame(Frame::Element(element))) => found.push(String::from(&element)),
                Ok(Arrived::Frame(Frame::TooLarge(outer))) => found.push(tag("large", &outer)),
                Ok(Arrived::Frame(Frame::Malformed(outer))) => found.push(tag("malformed", &outer)),
                Ok(Arrived::Silence) => panic!(),
                Ok(Arrived::End) => found.push("end".into()),
                Err(FrameError::Io(_)) => break,
                Err(FrameError::Xml(why)) => {
                    found.push(format!("xml {why}"));
                    break;
                }
            }
        }
        drop(framed);
        writer.await.unwrap();
        found
    }

    #[tokio::test]
    async fn elements_come_whole_wherever_the_reads_fall() {
        let text = format!("{HEAD} <iq id='1'><q xmlns='x' a='&lt;'/>a&amp;b<![CDATA[<c>]]></iq>\n<r xmlns='urn:xmpp:sm:3'/></stream:stream>");
        for size in [1, 2, 3, 7, 64, 4096] {
            let found = read(&text, size).await;
            assert_eq!(found.len(), 4, "{found:?}");
            assert_eq!(found[1], "<iq xmlns='jabber:client' id='1'><q xmlns='x' a='&lt;'/>a&amp;b&lt;c&gt;</iq>");
            assert_eq!((found[0].as_str(), found[3].as_str()), ("head", "end"));
        }
    }
    #[tokio::test]
    async fn what_is_too_large_is_left_out_and_the_stream_goes_on() {
        let long = "x".repeat(MAX_STANZA);
        let open = "<message from='a@b/c' id='7'>";
        let known = "large message Some(\"a@b/c\") Some(\"7\")";
        let deep = |n: usize| format!("{open}{}{}</message>", "<a>".repeat(n), "</a>".repeat(n));
        let attributes: String = (0..40_000).map(|n| format!(" a{n}='{n}'")).collect();
        for (bad, told) in [
            (format!("{open}<body>{long}</body></message>"), known),
            (format!("{open}<body>{}</body></message>", long.repeat(8)), known),
            (format!("{open}<a b='{long}'/></message>"), known),
            (format!("{open}<a{attributes}/></message>"), known),
            (format!("{open}{}</message>", "<a/>".repeat(MAX_STANZA / 4)), known),
            (format!("{open}{}</message>", "<a/>".repeat(20_000)), known),
            (deep(MAX_DEPTH), known),
            (deep(30_000), known),
            (deep(100_000), known),
            // a tag that is never read to its end
            (format!("<message from='a@b/c' id='{long}'/>"), "large message None None"),
            (format!("<iq id='{long}'/>"), "large iq None None"),
            (format!("<iqs id='{long}'/>"), "large unknown None None"),
        ] {
            let found = read(&format!("{HEAD}{bad}{AFTER}"), 4096).await;
            assert_eq!(found.len(), 3, "{:.80}: {:?}", bad, found.len());
            assert_eq!(found[1], told, "{bad:.80}");
            assert!(found[2].contains("small"), "{bad:.80}");
        }
        let around = "<message><body></body></message>".len();
        for (over, told) in [(0, "<message"), (1, "large message")] {
            let text = format!("<message><body>{}</body></message>", "x".repeat(MAX_STANZA - around + over));
            assert!(read(&format!("{HEAD}{text}"), 4096).await[1].starts_with(told));
        }
        assert!(read(&format!("{HEAD}{}", deep(MAX_DEPTH - 1)), 4096).await[1].starts_with("<message"));
        assert!(read(&format!("{HEAD}<message a='{}'/>", "x".repeat(MAX_STANZA - 100)), 4096).await[1].starts_with("<message"));
    }
    #[tokio::test]
    async fn what_is_not_well_formed_is_left_out_and_the_stream_goes_on() {
        let known = "malformed message Some(\"a@b\") Some(\"7\")";
        for (bad, told) in [
            ("<message from='a@b' id='7'>&a;</message>", known),
            ("<message from='a@b' id='7'>&#0;</message>", known),
            ("<message from='a@b' id='7'>\u{1}</message>", known),
            ("<message from='a@b' id='7'>\u{ffff}</message>", known),
            ("<message from='a@b' id='7'><x:a/></message>", known),
            ("<message from='a@b' id='7'><a b='1' b='2'/></message>", known),
            ("<message from='a@b' id='7'></iq>", known),
            ("<message from='a@b' id='7'><a></b></message>", known),
            ("<message from='a@b' id='7'>]]></message>", known),
            ("<message from='a@b' id='7' from='c@d'/>", "malformed message None None"),
            ("<x:message/>", "malformed unknown None None"),
            ("<iq id=1/>", "malformed iq None None"),
        ] {
            for size in [1, 4096] {
                let found = read(&format!("{HEAD}{bad}{AFTER}"), size).await;
                assert_eq!(found.len(), 3, "{bad}: {found:?}");
                assert_eq!(found[1], told, "{bad}");
                assert!(found[2].contains("small"), "{bad}");
            }
        }
    }
    #[tokio::test]
    async fn what_is_no_stream_is_over() {
        for bad in [
            format!("<message>{}", "x".repeat(MAX_LEFT_OUT + 100_000)),
            "<!DOCTYPE x [<!ENTITY a 'aaaa'>]><message>&a;</message>".into(),
            "<message><!DOCTYPE x></message>".into(),
            "<message><!-- --></message>".into(),
            "<message><?x y?></message>".into(),
            "text".into(),
        ] {
            let found = read(&format!("{HEAD}{bad}"), 65536).await;
            assert!(found.last().unwrap().starts_with("xml "), "{bad:.60}");
            assert_eq!(found.len(), 2, "{bad:.60}");
        }
        let doctype = "<?xml version='1.0'?><!DOCTYPE s [<!ENTITY a 'aaaa'>]>";
        let endless = format!("<stream:stream a='{}", "x".repeat(MAX_HEAD));
        for bad in [doctype, &endless, "<html>", "<html/>", "<stream:stream>", "SSH-2.0-OpenSSH\r\n"] {
            let found = read(bad, 64).await;
            assert!(found.len() == 1 && found[0].starts_with("xml "), "{bad:.60}: {found:?}");
        }
    }
    #[tokio::test]
    async fn memory_is_bounded_whatever_arrives() {
        let mut reader = Reader::new();
        let mut feed = |text: &str| {
            let mut rest = text.as_bytes();
            while !rest.is_empty() {
                let (used, _) = reader.read(rest).unwrap();
                rest = &rest[used..];
            }
            (reader.head.len(), reader.begin.len(), reader.builder.is_some(), reader.left_out.is_some())
        };
        feed(HEAD);
        feed("<message>");
        for _ in 0..100 {
            let (head, begin, ..) = feed(&"<a b='c'>text".repeat(1000));
            assert!(head < MAX_HEAD && begin <= NAME);
        }
        assert_eq!(feed("<a"), (HEAD.len(), NAME, true, true));
    }
    #[tokio::test]
    async fn one_answer_may_be_large() {
        let item = "<item jid='somebody@example.org' subscription='both'><group>Friends</group></item>";
        let answer = |id: &str, n: usize| format!("<iq type='result' id='{id}'><query xmlns='jabber:iq:roster'>{}</query></iq>", item.repeat(n));
        let seen = |text: String| {
            let mut reader = Reader::new();
            reader.expected = Some("list".into());
            let mut seen = Vec::new();
            for chunk in [HEAD.as_bytes()].into_iter().chain(text.as_bytes().chunks(READ)) {
                let mut rest = chunk;
                while !rest.is_empty() {
                    let (used, arrived) = reader.read(rest).unwrap();
                    rest = &rest[used..];
                    match arrived {
                        Some(Arrived::Frame(Frame::Element(e))) => seen.push(e.children().next().map_or(0, |query| query.children().count())),
                        Some(Arrived::Frame(Frame::TooLarge(_))) => seen.push(usize::MAX),
                        _ => {}
                    }
                }
            }
            seen
        };
        assert_eq!(seen(answer("list", 20_000) + AFTER), [20_000, 0]);
        assert_eq!(seen(answer("list", 30_000) + AFTER), [usize::MAX, 0]);
        assert_eq!(seen(answer("list", 60_000) + AFTER), [usize::MAX, 0]);
        assert_eq!(seen(answer("other", 10_000) + AFTER), [usize::MAX, 0]);
        assert_eq!(seen(answer("list", 10_000) + &answer("list", 10_000) + AFTER), [10_000, usize::MAX, 0]);
        assert_eq!(seen(answer("list", 10_000).replace("result", "get") + AFTER), [usize::MAX, 0]);
    }
    #[tokio::test]
    async fn what_cannot_be_written_leaves_nothing_behind() {
        let (mut server, client) = tokio::io::duplex(4096);
        let mut framed = Framed::new(client, PATIENCE);
        framed.put(&xml::build("a", "x").end()).unwrap();
        assert_eq!(framed.put(&xml::build("b", "x").text("\u{1}").end()), Err(StanzaError::Characters));
        framed.put(&xml::build("c", "x").end()).unwrap();
        framed.put_secret(b"<secret/>");
        framed.flush().await.unwrap();
        assert_eq!(framed.pending(), 0);
        let mut buffer = vec![0; 4096];
        let count = server.read(&mut buffer).await.unwrap();
        assert_eq!(&buffer[..count], b"<a xmlns='x'/><c xmlns='x'/><secret/>");
    }
    #[tokio::test(start_paused = true)]
    async fn silence_is_told_once_and_then_it_is_over() {
        let (mut server, client) = tokio::io::duplex(4096);
        let mut framed = Framed::new(client, Patience { quiet: Duration::from_secs(60), dead: Duration::from_secs(20) });
        server.write_all(HEAD.as_bytes()).await.unwrap();
        assert!(matches!(framed.next().await, Ok(Arrived::Head)));
        assert!(matches!(framed.next().await, Ok(Arrived::Silence)));
        server.write_all(AFTER.as_bytes()).await.unwrap();
        assert!(matches!(framed.next().await, Ok(Arrived::Frame(_))));
        assert!(matches!(framed.next().await, Ok(Arrived::Silence)));
        assert!(matches!(framed.next().await, Err(FrameError::Io(e)) if e.kind() == io::ErrorKind::TimedOut));
    }

    fn frames(text: &str, size: usize) -> Vec<String> {
        let mut reader = Reader::new();
        let mut found = Vec::new();
        for chunk in [HEAD.as_bytes()].into_iter().chain(text.as_bytes().chunks(size)) {
            let mut rest = chunk;
            while !rest.is_empty() {
                match reader.read(rest) {
                    Ok((used, arrived)) => {
                        rest = &rest[used..];
                        found.extend(arrived.map(|arrived| format!("{arrived:?}")));
                    }
                    Err(why) => {
                        found.push(format!("{why:?}"));
                        return found;
                    }
                }
            }
        }
        found
    }
    proptest::proptest! {
        #![proptest_config(proptest::prelude::ProptestConfig::with_cases(3000))]
        #[test]
        fn it_is_the_same_however_the_bytes_come(parts in proptest::collection::vec(proptest::sample::select(vec![
            "<message>", "</message>", "<iq a='", "'/>", "'>", "</iq>", "<", ">", "/", "'", "\"", "=", " ", "a", "x:", "<a>", "</a>", "<a/>", "<a xmlns='u' b=\"",
            "\">", "<![CDATA[", "]]>", "]", "&amp;", "&x;", "&#0;", "<!--", "<?", "\u{1}", "\u{e9}", "\u{1f600}", "</stream:stream>",
        ]), 0..40)) {
            let text = parts.concat();
            let whole = frames(&text, usize::MAX);
            for size in [1, 2, 5] {
                proptest::prop_assert_eq!(&whole, &frames(&text, size));
            }
        }
    }
}
