//! A pull reader over a run of sibling elements, with the limits that hold for all that arrives.
//!
//! Knows elements, attributes and text; no schema. Invariant: whoever is handed an element by [`Reader::child`] consumes it
//! to its end with `child`, `text` or `skip`, or comes back to a known place with [`Reader::leave`].
use super::plain::{Open, Piece, Plain};
use super::{CLIENT, MAX_BYTES, MAX_DEPTH, WireError};
use base64::Engine as _;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use rxml::error::EndOrError;
use rxml::{AttrMap, Event, Namespace, NcName, Parse as _, Parser};
use zeroize::Zeroizing;

const BASE64: GeneralPurpose =
    GeneralPurpose::new(&base64::alphabet::STANDARD, GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent));

/// An element's opening.
pub(super) struct Element {
    pub(super) namespace: Namespace<'static>,
    pub(super) name: NcName,
    pub(super) attributes: AttrMap,
}

impl Element {
    pub(super) fn is(&self, namespace: &str, name: &str) -> bool {
        self.name == name && self.namespace == namespace
    }
    /// An attribute without a namespace.
    pub(super) fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.get(Namespace::none(), name).map(String::as_str)
    }
    /// An attribute that holds an id.
    pub(super) fn id(&self, element: &'static str, attribute: &'static str) -> Result<u32, WireError> {
        super::id(element, self.attribute(attribute).ok_or(WireError::MissingAttribute { element, attribute })?)
    }
    /// Whether an `xs:boolean` attribute is there and true.
    pub(super) fn flag(&self, name: &str) -> bool {
        self.attribute(name).is_some_and(|v| matches!(v.trim(), "true" | "1"))
    }
}

pub(super) enum Token {
    Start(Element),
    End,
    Text(Zeroizing<String>),
}

pub(super) struct Reader<'a> {
    source: Source<'a>,
    depth: usize,
    /// That of the element before, which has most often that of the next.
    namespace: Namespace<'static>,
}
enum Source<'a> {
    Plain(Plain<'a>),
    /// With the input between the tags of a root of ours, because siblings have none.
    Parsed(Box<Parser>, [&'a [u8]; 3]),
}

impl<'a> Reader<'a> {
    pub(super) fn new(xml: &'a [u8]) -> Result<Self, WireError> {
        Self::within("", xml)
    }
    /// The children of a message: those that name no namespace have its.
    pub(super) fn children(xml: &'a [u8]) -> Result<Self, WireError> {
        Self::within(CLIENT, xml)
    }
    fn within(namespace: &'static str, xml: &'a [u8]) -> Result<Self, WireError> {
        if xml.len() > MAX_BYTES {
            return Err(WireError::TooLarge(xml.len()));
        }
        Self::plainly(namespace, xml).map_or_else(|| Self::parsing(namespace, xml), Ok)
    }
    pub(super) fn plainly(namespace: &'static str, xml: &'a [u8]) -> Option<Self> {
        Plain::read(namespace, xml).map(|plain| Reader { source: Source::Plain(plain), depth: 1, namespace: Namespace::NONE })
    }
    pub(super) fn parsing(namespace: &'static str, xml: &'a [u8]) -> Result<Self, WireError> {
        let root: &[u8] = if namespace == CLIENT { b"<r xmlns='jabber:client'>" } else { b"<r>" };
        let source = Source::Parsed(Box::new(Parser::new()), [root, xml, b"</r>"]);
        let mut reader = Reader { source, depth: 0, namespace: Namespace::NONE };
        match reader.next()? {
            Some(Token::Start(_)) => Ok(reader),
            _ => Err(WireError::NotXml),
        }
    }
    /// How many elements are open. 1 outside of all siblings.
    pub(super) fn depth(&self) -> usize {
        self.depth
    }
    /// The next token; `None` when all siblings have been read.
    pub(super) fn next(&mut self) -> Result<Option<Token>, WireError> {
        let token = match &mut self.source {
            Source::Plain(plain) => match plain.next() {
                Some(Piece::Open(open)) => {
                    if *self.namespace != *open.namespace {
                        self.namespace = Namespace::from(open.namespace.to_owned());
                    }
                    Some(Token::Start(element(self.namespace.clone(), &open, plain)?))
                }
                Some(Piece::Text(text)) => Some(Token::Text(Zeroizing::new(text.to_owned()))),
                Some(Piece::Close) => Some(Token::End),
                // the root of ours
                None => (self.depth > 0).then_some(Token::End),
            },
            Source::Parsed(parser, chunks) => match event(parser, chunks)? {
                None => None,
                Some(Event::StartElement(_, (namespace, name), attributes)) => Some(Token::Start(Element { namespace, name, attributes })),
                Some(Event::EndElement(_)) => Some(Token::End),
                Some(Event::Text(_, text)) => Some(Token::Text(Zeroizing::new(text))),
                Some(Event::XmlDeclaration(..)) => return Err(WireError::NotXml),
            },
        };
        match &token {
            Some(Token::Start(_)) => self.opened()?,
            Some(Token::End) => self.depth = self.depth.saturating_sub(1),
            _ => {}
        }
        Ok(token)
    }
    fn opened(&mut self) -> Result<(), WireError> {
        self.depth = self.depth.saturating_add(1);
        // the root of ours is not counted
        if self.depth > MAX_DEPTH.saturating_add(1) { Err(WireError::TooDeep) } else { Ok(()) }
    }
    /// The next child of the open element, or `None` at its end, which is consumed.
    pub(super) fn child(&mut self) -> Result<Option<Element>, WireError> {
        loop {
            match self.next()? {
                Some(Token::Start(element)) => return Ok(Some(element)),
                Some(Token::Text(_)) => {}
                Some(Token::End) | None => return Ok(None),
            }
        }
    }
    /// Consumes the open element.
    pub(super) fn skip(&mut self) -> Result<(), WireError> {
        self.leave(self.depth.saturating_sub(1))
    }
    /// Consumes elements until `depth` are open.
    pub(super) fn leave(&mut self, depth: usize) -> Result<(), WireError> {
        while self.depth > depth {
            match &mut self.source {
                Source::Plain(plain) => match plain.next() {
                    Some(Piece::Open(_)) => self.opened()?,
                    Some(Piece::Text(_)) => {}
                    Some(Piece::Close) | None => self.depth = self.depth.saturating_sub(1),
                },
                Source::Parsed(..) => drop(self.next()?),
            }
        }
        Ok(())
    }
    /// The text of the open element, which is consumed; that of its children is not part of it.
    pub(super) fn text(&mut self) -> Result<Zeroizing<String>, WireError> {
        let mut whole = Zeroizing::new(String::new());
        loop {
            match self.next()? {
                Some(Token::Text(part)) if whole.is_empty() => whole = part,
                Some(Token::Text(part)) => whole.push_str(&part),
                Some(Token::Start(_)) => self.skip()?,
                Some(Token::End) | None => return Ok(whole),
            }
        }
    }
    /// The bytes in the open element, which is consumed.
    pub(super) fn base64(&mut self, element: &'static str) -> Result<Vec<u8>, WireError> {
        if let Source::Plain(plain) = &mut self.source
            && let Some(text) = plain.only_text()
        {
            self.depth = self.depth.saturating_sub(1);
            return match BASE64.decode(text) {
                Err(_) if text.bytes().any(|b| b.is_ascii_whitespace()) => decode(Zeroizing::new(text.to_owned()), element),
                decoded => decoded.map_err(|_| WireError::BadBase64(element)),
            };
        }
        decode(self.text()?, element)
    }
    /// The one element that the input has to be, opened; [`Reader::finish`] afterwards.
    pub(super) fn root(&mut self, namespace: &str, name: &'static str) -> Result<Element, WireError> {
        let element = self.child()?.ok_or(WireError::MissingElement(name))?;
        if element.name != name {
            return Err(WireError::WrongElement(name));
        }
        if element.namespace != namespace {
            return Err(WireError::WrongNamespace(name));
        }
        Ok(element)
    }
    /// Nothing follows the element read as root.
    pub(super) fn finish(&mut self, name: &'static str) -> Result<(), WireError> {
        match self.child()? {
            Some(_) => Err(WireError::RepeatedElement(name)),
            None => self.next().map(drop),
        }
    }
}

fn element(namespace: Namespace<'static>, open: &Open<'_>, plain: &Plain<'_>) -> Result<Element, WireError> {
    let name = |name: &str| NcName::try_from(name).map_err(|_| WireError::NotXml);
    let mut attributes = AttrMap::new();
    for (attribute, value) in plain.attributes(open) {
        attributes.insert(Namespace::NONE, name(attribute)?, (*value).to_owned());
    }
    Ok(Element { namespace, name: name(open.name)?, attributes })
}
fn event(parser: &mut Parser, [open, inner, close]: &mut [&[u8]; 3]) -> Result<Option<Event>, WireError> {
    for chunk in [open, inner] {
        match parser.parse(chunk, false) {
            Ok(Some(event)) => return Ok(Some(event)),
            Err(EndOrError::NeedMoreData) => {}
            Ok(None) | Err(EndOrError::Error(_)) => return Err(WireError::NotXml),
        }
    }
    parser.parse(close, true).map_err(|_| WireError::NotXml)
}
fn decode(mut text: Zeroizing<String>, element: &'static str) -> Result<Vec<u8>, WireError> {
    text.retain(|c| !c.is_ascii_whitespace());
    BASE64.decode(text.as_bytes()).map_err(|_| WireError::BadBase64(element))
}

/// Keeps what may stand once.
pub(super) fn once<T>(place: &mut Option<T>, value: T, name: &'static str) -> Result<(), WireError> {
    if place.replace(value).is_some() { Err(WireError::RepeatedElement(name)) } else { Ok(()) }
}
