//! What a message says, element by element: what it is for, which words are in it, and what of it devices get that know no envelopes.
//!
//! Owns the few namespaces that decide this; every other one is an application's own, carried and not understood. What stands in clear
//! beside a legacy payload is written anew from a closed list (reply, correction, retraction, fallback ranges, requests, thread), because
//! older clients read it there: references and ranges, never words. It is read from the same list, and handed on within an element of its
//! own ([`Beside::marked`]): anybody on the way can have written it.
use super::read::{Element, Reader};
use super::{CLIENT, OURS, WireError, sce, write};
use subrosa_engine::{Kind, Omission};
use zeroize::Zeroizing;

const REPLY: &str = "urn:xmpp:reply:0";
const RETRACT: &str = "urn:xmpp:message-retract:1";
const FALLBACK: &str = "urn:xmpp:fallback:0";
const RECEIPTS: &str = "urn:xmpp:receipts";
const MARKERS: &str = "urn:xmpp:chat-markers:0";
/// The longest address, id or thread in clear, in bytes: no address is longer (RFC 7622).
pub(super) const MAX_VALUE: usize = 3071;
/// The most ranges of one fallback.
const MAX_RANGES: usize = 8;
/// The longest reason of an opt-out that is kept, in characters.
const MAX_REASON: usize = 2000;

/// A run of elements, each with its namespace, and what it is.
#[derive(Clone, Default)]
pub struct Content {
    /// The elements.
    pub run: Zeroizing<Vec<u8>>,
    /// What the message is for. `None`: nothing in it is known here.
    pub kind: Option<Kind>,
    /// The words.
    pub body: Option<Zeroizing<String>>,
    /// There is nothing but words.
    pub plain: bool,
    /// What stands beside the words in clear for those who know no envelopes.
    pub beside: Beside,
    /// What those are not told. Without a body that is all of it.
    pub unsaid: Option<Omission>,
    /// It is a correction.
    pub replaces: bool,
    /// The sender will not encrypt any more (XEP-0384 §5.7), for this reason, which may be empty.
    pub opt_out: Option<String>,
}
/// Words stay out of logs.
impl std::fmt::Debug for Content {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Content").field("kind", &self.kind).field("bytes", &self.run.len()).finish_non_exhaustive()
    }
}

impl Content {
    /// Words and nothing else. Characters that XML cannot hold become U+FFFD, but for devices that get them without XML.
    #[must_use]
    pub fn text(body: &str) -> Self {
        Content { run: sce::text(body), kind: Some(Kind::Text), body: Some(Zeroizing::new(body.to_owned())), plain: true, ..Content::default() }
    }
    /// What a run of elements is, each with its namespace, as [`sce::content`] writes it and [`sce::parse`] gives it.
    ///
    /// # Errors
    /// [`WireError`]: not XML.
    pub fn of(run: Zeroizing<Vec<u8>>) -> Result<Self, WireError> {
        let mut found = Found::default();
        let mut reader = Reader::new(&run)?;
        while let Some(element) = reader.child()? {
            found.element(&element, &mut reader)?;
        }
        reader.next()?;
        Ok(found.content(run))
    }
}

/// Elements being looked through.
#[derive(Default)]
struct Found {
    number: usize,
    body: Option<Zeroizing<String>>,
    beside: Beside,
    opt_out: Option<String>,
    reacts: bool,
    receipt: bool,
    typing: bool,
    call: bool,
    file: bool,
    unknown: bool,
}
impl Found {
    /// The element is open; it is consumed.
    fn element(&mut self, element: &Element, reader: &mut Reader<'_>) -> Result<(), WireError> {
        self.number = self.number.saturating_add(1);
        if self.beside.take(element, reader)? {
            return Ok(());
        }
        match (element.namespace.as_str(), element.name.as_str()) {
            (CLIENT, "body") if self.body.is_none() => {
                self.body = Some(reader.text()?);
                return Ok(());
            }
            ("urn:xmpp:omemo:2", "opt-out") if self.opt_out.is_none() => {
                self.opt_out = Some(reason(reader)?);
                return Ok(());
            }
            ("urn:xmpp:reactions:0", "reactions") => self.reacts = true,
            (RECEIPTS, "received") | (MARKERS, "received" | "displayed" | "acknowledged") => self.receipt = true,
            ("http://jabber.org/protocol/chatstates", _) => self.typing = true,
            ("urn:xmpp:jingle-message:0", _) => self.call = true,
            ("urn:xmpp:sfs:0", _) => self.file = true,
            // the same words in another language, a fallback for what is not told, the sender's own id: nothing is missed
            (CLIENT, "body") | (FALLBACK, _) | ("urn:xmpp:sid:0", _) => {}
            _ => self.unknown = true,
        }
        reader.skip()
    }
    fn content(self, run: Zeroizing<Vec<u8>>) -> Content {
        let (retracts, replaces) = (self.beside.has("retract"), self.beside.has("replace"));
        let kind = if retracts || self.reacts || self.opt_out.is_some() {
            Some(Kind::Other)
        } else if self.call {
            Some(Kind::Call)
        } else if self.file {
            Some(Kind::FileOffer)
        } else if self.body.is_some() {
            Some(Kind::Text)
        } else if self.receipt {
            Some(Kind::Receipt)
        } else {
            (self.typing && !self.unknown).then_some(Kind::Typing)
        };
        let words = self.body.is_some();
        let unsaid = if self.reacts {
            Some(Omission::Reaction)
        } else if self.receipt {
            Some(Omission::Receipt)
        } else if self.unknown || self.call || self.file || self.opt_out.is_some() {
            Some(Omission::Other)
        } else if words {
            None // that somebody who writes is there goes without saying
        } else if retracts {
            Some(Omission::Retraction)
        } else {
            Some(if self.typing { Omission::Typing } else { Omission::Other })
        };
        let plain = words && self.number == 1;
        Content { run, kind, body: self.body, plain, beside: self.beside, unsaid, replaces, opt_out: self.opt_out }
    }
}
/// `<opt-out>` is open; it is consumed.
fn reason(reader: &mut Reader<'_>) -> Result<String, WireError> {
    let mut reason = String::new();
    while let Some(element) = reader.child()? {
        if reason.is_empty() && element.is("urn:xmpp:omemo:2", "reason") {
            reason = reader.text()?.trim().chars().take(MAX_REASON).collect();
        } else {
            reader.skip()?;
        }
    }
    Ok(reason)
}

/// What stands in clear beside a legacy payload, from a closed list, each at most once (a fallback: once for what it is for). Anybody on
/// the way can have written it; the words are never among it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Beside(Vec<(&'static str, Vec<u8>)>);

/// Name, namespace, and the attributes that are carried.
const LISTED: [(&str, &str, &[&str]); 7] = [
    ("reply", REPLY, &["id", "to"]),
    ("replace", "urn:xmpp:message-correct:0", &["id"]),
    ("retract", RETRACT, &["id"]),
    ("fallback", FALLBACK, &["for"]),
    ("request", RECEIPTS, &[]),
    ("markable", MARKERS, &[]),
    ("thread", CLIENT, &["parent"]),
];

impl Beside {
    /// Nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
    /// All of it, as a run of elements, each with its namespace.
    #[must_use]
    pub fn run(&self) -> Vec<u8> {
        self.0.iter().flat_map(|(_, xml)| xml.iter().copied()).collect()
    }
    /// All of it as one element, `<beside xmlns='urn:subrosa:omemo:0'>`, for who reads what was encrypted: that this was not. Nothing: nothing.
    #[must_use]
    pub fn marked(&self) -> Vec<u8> {
        if self.is_empty() {
            return Vec::new();
        }
        [format!("<beside xmlns='{OURS}'>").as_bytes(), &self.run(), b"</beside>"].concat()
    }
    /// What of it has this name.
    #[must_use]
    pub fn only(&self, name: &str) -> Self {
        Beside(self.0.iter().filter(|(listed, _)| *listed == name).cloned().collect())
    }
    fn has(&self, name: &str) -> bool {
        self.0.iter().any(|(listed, _)| *listed == name)
    }
    /// Takes the open element in if it is listed; then it is consumed. One that is too long, or there already, is left out.
    pub(super) fn take(&mut self, element: &Element, reader: &mut Reader<'_>) -> Result<bool, WireError> {
        let is = |(name, namespace, _): &&(&str, &str, _)| element.is(namespace, name);
        let Some((name, namespace, attributes)) = LISTED.iter().find(is) else { return Ok(false) };
        let values: Vec<_> = attributes.iter().filter_map(|name| Some((name, element.attribute(name)?))).collect();
        if *name == "fallback" && !values.iter().any(|(_, what)| [REPLY, RETRACT].contains(what)) {
            return Ok(false);
        }
        let mut xml = format!("<{name} xmlns='{namespace}'").into_bytes();
        let mut fits = true;
        for (name, value) in values {
            fits &= value.len() <= MAX_VALUE;
            xml.push(b' ');
            xml.extend_from_slice(name.as_bytes());
            xml.extend_from_slice(b"='");
            write::attribute(&mut xml, value);
            xml.push(b'\'');
        }
        xml.push(b'>');
        match *name {
            "thread" => {
                let text = reader.text()?;
                fits &= text.len() <= MAX_VALUE;
                write::text(&mut xml, &text);
            }
            "fallback" => ranges(reader, &mut xml)?,
            _ => reader.skip()?,
        }
        xml.extend_from_slice(format!("</{name}>").as_bytes());
        let same = |(listed, there): &(&str, Vec<u8>)| listed == name && (*listed != "fallback" || opening(there) == opening(&xml));
        if fits && !self.0.iter().any(same) {
            self.0.push((name, xml));
        }
        Ok(true)
    }
}
fn opening(xml: &[u8]) -> &[u8] {
    xml.split(|byte| *byte == b'>').next().unwrap_or_default()
}
/// `<fallback>` is open; it is consumed. Which characters of the words are one; without any, all of them.
fn ranges(reader: &mut Reader<'_>, xml: &mut Vec<u8>) -> Result<(), WireError> {
    let mut number = 0usize;
    while let Some(element) = reader.child()? {
        if element.is(FALLBACK, "body") && number < MAX_RANGES {
            number = number.saturating_add(1);
            xml.extend_from_slice(b"<body");
            for name in ["end", "start"] {
                if let Some(at) = element.attribute(name).and_then(|at| at.parse::<u32>().ok()) {
                    xml.extend_from_slice(format!(" {name}='{at}'").as_bytes());
                }
            }
            xml.extend_from_slice(b"></body>");
        }
        reader.skip()?;
    }
    Ok(())
}
