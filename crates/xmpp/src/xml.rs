//! XML within bounds: elements built while they are read, a run of elements to a tree and back.
//!
//! Owns the limits of a stanza. Knows no meaning of any element. Invariant: no tree is deeper than [`MAX_DEPTH`], because
//! reading, writing and dropping one recurse; an element over a limit is read to its end and thrown away, so that the stream
//! it came by goes on.
use minidom::{Element, Node};
use rxml::error::EndOrError;
use rxml::writer::{Encoder, Item, SimpleNamespaces};
use rxml::{AttrMap, Event, Namespace, NcName, Parse as _, QName, WithOptions as _};
use xso::minidom_compat::ElementFromEvents;
use xso::{Context, FromEventsBuilder as _};

/// The largest stanza taken or sent, in bytes: 256 KiB.
pub const MAX_STANZA: usize = 256 * 1024;
/// The deepest nesting.
pub(crate) const MAX_DEPTH: usize = 64;
/// What an element costs at least: its brackets.
const ELEMENT_COST: usize = 5;
/// The most elements in one stanza: a tree takes some fifty times the bytes of an empty element.
const MAX_ELEMENTS: usize = 20_000;

/// What one element may have besides its depth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Limits {
    pub bytes: usize,
    elements: usize,
}
impl Limits {
    /// Any stanza.
    pub(crate) const STANZA: Self = Limits { bytes: MAX_STANZA, elements: MAX_ELEMENTS };
    /// One answer that was asked for, whose size is the account's own: its list of contacts.
    #[cfg(feature = "connection")]
    pub(crate) const ANSWER: Self = Limits { bytes: 4 * 1024 * 1024, elements: 50_000 };
}

/// Why a run of elements can't be put on the stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StanzaError {
    /// Over 256 KiB, or nested too deeply. Send it in parts.
    #[error("the stanza is larger than 256 KiB or nested too deeply; send it in parts")]
    TooLarge,
    /// Not a run of XML elements.
    #[error("the message is not well-formed XML")]
    NotXml,
    /// Text with characters that XML cannot hold.
    #[error("the text has characters that XML cannot hold; take them out")]
    Characters,
    /// A content type that no stanza has a place for.
    #[error("messages of this content type cannot be sent over XMPP")]
    ContentType,
    /// A typing notice or a receipt in clear, and more in it than these have.
    #[error("what goes in clear as a notice has more in it than a notice; send the rest as a message")]
    Notice,
    /// It is about a message whose id is empty or over 256 bytes.
    #[error("the message is about another one that has no usable id; it cannot be answered or changed")]
    Id,
    /// A reaction that is no emoji, or more than 32.
    #[error("a reaction is one emoji, and a message has at most 32 of one person")]
    Reaction,
    /// The recipient is no XMPP address.
    #[error("the recipient is not an XMPP address")]
    Address,
}
impl subrosa_engine::Coded for StanzaError {
    fn code(&self) -> &'static str {
        match self {
            StanzaError::TooLarge => "stanza.too-large",
            StanzaError::NotXml => "stanza.not-xml",
            StanzaError::Characters => "stanza.characters",
            StanzaError::ContentType => "stanza.content-type",
            StanzaError::Notice => "stanza.notice",
            StanzaError::Id => "stanza.id",
            StanzaError::Reaction => "stanza.reaction",
            StanzaError::Address => "stanza.address",
        }
    }
    fn fault(&self) -> subrosa_engine::Fault {
        subrosa_engine::Fault::Caller
    }
}

/// What is read off a stream.
#[derive(Debug)]
pub(crate) enum Frame {
    /// One element, whole.
    Element(Element),
    /// One over a limit: its outer tag only.
    TooLarge(#[cfg_attr(not(feature = "connection"), expect(dead_code))] Element),
    /// One that is not well-formed: as much of its outer tag as could be read.
    #[cfg(feature = "connection")]
    Malformed(Element),
}
/// Builds a [`Frame`]; never fails, so that the stream is never left inside an element.
pub(crate) struct FrameBuilder {
    head: Option<Element>,
    inner: Option<ElementFromEvents>,
    limits: Limits,
    depth: usize,
    bytes: usize,
    elements: usize,
}
fn cost(name: &QName, attributes: &AttrMap) -> usize {
    let attributes = attributes.iter().fold(0usize, |n, ((_, key), value)| n.saturating_add(key.len()).saturating_add(value.len()).saturating_add(4));
    name.1.len().saturating_add(attributes).saturating_add(ELEMENT_COST)
}
impl FrameBuilder {
    pub(crate) fn new(name: QName, attributes: AttrMap, limits: Limits) -> Self {
        let bytes = cost(&name, &attributes);
        let mut head = Element::builder(&name.1, name.0.clone());
        for ((namespace, key), value) in attributes.iter().filter(|(_, value)| value.len() <= MAX_STANZA) {
            head = head.attr_ns(namespace.clone(), key.clone(), value.clone());
        }
        FrameBuilder { head: Some(head.build()), inner: Some(ElementFromEvents::new(name, attributes)), limits, depth: 1, bytes, elements: 1 }
    }
    /// What it may have.
    #[cfg(feature = "connection")]
    pub(crate) fn limits(&self) -> Limits {
        self.limits
    }
    /// Nothing more of it needs to be parsed, and should not be: each element costs the parser a look at all that are around it.
    pub(crate) fn is_too_deep(&self) -> bool {
        self.depth > MAX_DEPTH
    }
    /// Keeps the outer tag only.
    #[cfg(feature = "connection")]
    pub(crate) fn give_up(&mut self) {
        self.inner = None;
    }
    /// The outer tag, of an element that is given up.
    #[cfg(feature = "connection")]
    pub(crate) fn into_head(self) -> Option<Element> {
        self.head
    }
    /// The element's next event; the frame with its last.
    pub(crate) fn feed(&mut self, event: Event) -> Option<Frame> {
        match &event {
            Event::StartElement(_, name, attributes) => {
                self.depth = self.depth.saturating_add(1);
                self.elements = self.elements.saturating_add(1);
                self.bytes = self.bytes.saturating_add(cost(name, attributes));
            }
            Event::Text(_, text) => self.bytes = self.bytes.saturating_add(text.len()),
            Event::EndElement(_) => self.depth = self.depth.saturating_sub(1),
            Event::XmlDeclaration(..) => {}
        }
        if self.bytes > self.limits.bytes || self.depth > MAX_DEPTH || self.elements > self.limits.elements {
            self.inner = None;
        }
        let over = self.depth == 0;
        match self.inner.as_mut().map(|inner| inner.feed(event, &Context::empty())) {
            Some(Ok(Some(element))) => return Some(Frame::Element(element)),
            Some(Ok(None)) => {}
            Some(Err(_)) | None => self.inner = None,
        }
        if over { self.head.take().map(Frame::TooLarge) } else { None }
    }
}

/// A parser to whose limits a stanza never comes: rxml's own (8 KiB for an attribute) would end a stream that a contact wrote to.
pub(crate) fn parser() -> rxml::Parser {
    rxml::Parser::with_options(rxml::Options { max_token_length: MAX_STANZA, ..rxml::Options::default() })
}

/// A run of elements, as [`subrosa_engine::ContentType::STANZA`] has it. Those without a namespace get `jabber:client`.
pub(crate) fn parse_run(xml: &[u8]) -> Result<Vec<Element>, StanzaError> {
    if xml.len() > MAX_STANZA {
        return Err(StanzaError::TooLarge);
    }
    let mut chunks: [&[u8]; 3] = [b"<r xmlns='jabber:client'>", xml, b"</r>"];
    let mut parser = parser();
    let mut builder: Option<FrameBuilder> = None;
    loop {
        let event = next(&mut parser, &mut chunks)?.ok_or(StanzaError::NotXml)?;
        let done = match (&mut builder, event) {
            (None, Event::StartElement(_, name, attributes)) => {
                builder = Some(FrameBuilder::new(name, attributes, Limits::STANZA));
                None
            }
            (Some(builder), event) => builder.feed(event),
            (None, _) => None,
        };
        if builder.as_ref().is_some_and(FrameBuilder::is_too_deep) {
            return Err(StanzaError::TooLarge);
        }
        match done {
            None => {}
            Some(Frame::TooLarge(_)) => return Err(StanzaError::TooLarge),
            #[cfg(feature = "connection")]
            Some(Frame::Malformed(_)) => return Err(StanzaError::NotXml),
            Some(Frame::Element(mut root)) => {
                // an end tag of theirs may have closed the root of ours
                if next(&mut parser, &mut chunks)?.is_some() || root.texts().any(|text| !text.trim().is_empty()) {
                    return Err(StanzaError::NotXml);
                }
                return Ok(root.take_contents_as_children().collect());
            }
        }
    }
}
fn next(parser: &mut rxml::Parser, chunks: &mut [&[u8]; 3]) -> Result<Option<Event>, StanzaError> {
    let [open, inner, close] = chunks;
    for chunk in [open, inner] {
        match parser.parse(chunk, false) {
            Ok(Some(event)) => return Ok(Some(event)),
            Err(EndOrError::NeedMoreData) => {}
            Ok(None) | Err(EndOrError::Error(_)) => return Err(StanzaError::NotXml),
        }
    }
    parser.parse(close, true).map_err(|_| StanzaError::NotXml)
}

/// Writes an element so that it stands by itself, with its namespace. On an error a part of it is written.
pub(crate) fn write(element: &Element, out: &mut Vec<u8>) -> Result<(), StanzaError> {
    // not by minidom: that panics at characters that XML cannot hold
    write_with(&mut Encoder::new(), element, out).map_err(|_| StanzaError::Characters)
}
fn write_with(encoder: &mut Encoder<SimpleNamespaces>, element: &Element, out: &mut Vec<u8>) -> Result<(), rxml::Error> {
    encoder.encode(Item::ElementHeadStart(Namespace::from(element.ns()), element.name().try_into()?), out)?;
    for ((namespace, name), value) in element.attrs() {
        encoder.encode(Item::Attribute(namespace.clone(), name, value), out)?;
    }
    if element.nodes().next().is_some() {
        encoder.encode(Item::ElementHeadEnd, out)?;
        for node in element.nodes() {
            match node {
                Node::Element(child) => write_with(encoder, child, out)?,
                Node::Text(text) => encoder.encode(Item::Text(text), out)?,
            }
        }
    }
    encoder.encode(Item::ElementFoot, out)
}
/// As [`write`], to a value of its own.
pub(crate) fn to_bytes(element: &Element) -> Result<Vec<u8>, StanzaError> {
    let mut out = Vec::new();
    write(element, &mut out)?;
    Ok(out)
}
/// Text that XML can hold.
pub(crate) fn check_text(text: &str) -> Result<(), StanzaError> {
    let fits = |c: char| matches!(c, '\t' | '\n' | '\r' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..);
    if text.chars().all(fits) { Ok(()) } else { Err(StanzaError::Characters) }
}

/// Builds elements of ours, whose names are constants. A name that XML cannot hold is left out.
pub(crate) struct Build(Element);
pub(crate) fn build(name: &str, namespace: &str) -> Build {
    Build(Element::bare(name, namespace))
}
impl Build {
    pub(crate) fn attr(mut self, name: &str, value: impl Into<String>) -> Self {
        set(&mut self.0, name, value);
        self
    }
    pub(crate) fn maybe(self, name: &str, value: Option<&str>) -> Self {
        match value {
            Some(value) => self.attr(name, value),
            None => self,
        }
    }
    pub(crate) fn text(mut self, text: &str) -> Self {
        self.0.append_text_node(text);
        self
    }
    pub(crate) fn child(mut self, child: impl Into<Element>) -> Self {
        self.0.append_child(child.into());
        self
    }
    pub(crate) fn children(mut self, children: impl IntoIterator<Item = Element>) -> Self {
        for child in children {
            self.0.append_child(child);
        }
        self
    }
    pub(crate) fn end(self) -> Element {
        self.0
    }
}
impl From<Build> for Element {
    fn from(build: Build) -> Element {
        build.0
    }
}
/// Sets an attribute without a namespace.
pub(crate) fn set(element: &mut Element, name: &str, value: impl Into<String>) {
    if let Ok(name) = NcName::try_from(name) {
        element.set_attr(Namespace::NONE, name, value.into());
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::arithmetic_side_effects)]
    use super::*;

    #[test]
    fn a_run_is_read_and_written_with_its_namespaces() {
        let run = parse_run(b"<body>hi</body><e xmlns='urn:x' a='1'><f>&lt;</f></e>").unwrap();
        assert_eq!(run.len(), 2);
        assert!(run[0].is("body", crate::ns::CLIENT) && run[1].is("e", "urn:x"));
        let mut out = Vec::new();
        run.iter().for_each(|e| write(e, &mut out).unwrap());
        assert_eq!(parse_run(&out).unwrap(), run);
    }

    #[test]
    fn what_is_no_run_of_elements_is_refused() {
        for bad in ["<a>", "</r>", "<a/></r><r>", "text", "<a", "&nope;", "<?xml version='1.0'?><a/>", "<x:a/>"] {
            assert_eq!(parse_run(bad.as_bytes()), Err(StanzaError::NotXml), "{bad}");
        }
        assert_eq!(parse_run(&vec![b' '; MAX_STANZA + 1]), Err(StanzaError::TooLarge));
    }

    #[test]
    fn what_is_too_deep_or_too_many_is_refused() {
        let deep = |n: usize| format!("{}{}", "<a>".repeat(n), "</a>".repeat(n));
        assert!(parse_run(deep(MAX_DEPTH - 1).as_bytes()).is_ok());
        assert_eq!(parse_run(deep(MAX_DEPTH).as_bytes()), Err(StanzaError::TooLarge));
        // and is not read to its end
        assert_eq!(parse_run("<a>".repeat(MAX_DEPTH).as_bytes()), Err(StanzaError::TooLarge));
        assert_eq!(parse_run("<a/>".repeat(MAX_ELEMENTS).as_bytes()), Err(StanzaError::TooLarge));
        assert!(parse_run("<a/>".repeat(MAX_ELEMENTS - 1).as_bytes()).is_ok());
    }

    #[test]
    fn text_that_xml_cannot_hold_is_told() {
        assert_eq!(check_text("hi\n\u{1f600}"), Ok(()));
        assert_eq!(check_text("\u{0}"), Err(StanzaError::Characters));
        assert_eq!(check_text("\u{ffff}"), Err(StanzaError::Characters));
        for bad in [build("a", "x").text("\u{1}"), build("a", "x").attr("b", "\u{0}"), build("a b", "x"), build("", "x")] {
            assert_eq!(to_bytes(&bad.end()), Err(StanzaError::Characters));
        }
    }
}
