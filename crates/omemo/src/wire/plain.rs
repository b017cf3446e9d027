//! XML without anything unusual in it, taken apart in one look: most of what arrives, at a tenth of what the parser takes.
//!
//! Decides nothing about what is XML: whatever is not surely well-formed and meant one way only (prefixes, references, sections, carriage
//! returns, brackets in text, names beyond ASCII, a tag that is not closed) is left to the parser, which says what is wrong with it.
//! Invariant: what is read here is read by the parser to the same tokens.

/// The most elements within each other; deeper ones are the parser's.
const DEEP: usize = 64;
/// The longest tag; the parser bounds names and values.
const LONG: usize = 4096;

/// A tag, or the text between two.
#[derive(Clone, Copy, Debug)]
pub(super) enum Piece<'a> {
    Open(Open<'a>),
    Text(&'a str),
    Close,
}
#[derive(Clone, Copy, Debug)]
pub(super) struct Open<'a> {
    pub name: &'a str,
    pub namespace: &'a str,
    /// Of [`Plain::attributes`].
    first: usize,
    number: usize,
}
/// A run of elements, in pieces.
#[derive(Debug)]
pub(super) struct Plain<'a> {
    pieces: Vec<Piece<'a>>,
    attributes: Vec<(&'a str, &'a str)>,
    at: usize,
}

impl<'a> Plain<'a> {
    /// `namespace`: that of elements that name none. `None`: the parser has to look.
    pub fn read(namespace: &'a str, xml: &'a [u8]) -> Option<Self> {
        let mut scan = Scan { rest: std::str::from_utf8(xml).ok()?, open: Vec::new() };
        let mut plain = Plain { pieces: Vec::with_capacity(64), attributes: Vec::with_capacity(32), at: 0 };
        while !scan.rest.is_empty() {
            if let Some(text) = scan.text()? {
                plain.pieces.push(Piece::Text(text));
            } else if let Some(rest) = scan.rest.strip_prefix("</") {
                let (name, _) = scan.open.pop()?;
                scan.rest = rest.strip_prefix(name)?.strip_prefix('>')?;
                plain.pieces.push(Piece::Close);
            } else {
                scan.tag(namespace, &mut plain)?;
            }
        }
        scan.open.is_empty().then_some(plain)
    }
    /// The next piece, and on.
    pub fn next(&mut self) -> Option<Piece<'a>> {
        let piece = self.pieces.get(self.at).copied();
        self.at = self.at.saturating_add(1);
        piece
    }
    /// The text of the open element, where there is nothing else in it; then it is consumed.
    pub fn only_text(&mut self) -> Option<&'a str> {
        let (text, length) = match self.pieces.get(self.at..)? {
            [Piece::Text(text), Piece::Close, ..] => (*text, 2),
            [Piece::Close, ..] => ("", 1),
            _ => return None,
        };
        self.at = self.at.saturating_add(length);
        Some(text)
    }
    pub fn attributes(&self, open: &Open<'a>) -> &[(&'a str, &'a str)] {
        self.attributes.get(open.first..open.first.saturating_add(open.number)).unwrap_or_default()
    }
}

struct Scan<'a> {
    rest: &'a str,
    /// Names and namespaces.
    open: Vec<(&'a str, &'a str)>,
}
impl<'a> Scan<'a> {
    /// What stands before the next tag, or the end.
    fn text(&mut self) -> Option<Option<&'a str>> {
        let length = self.rest.find('<').unwrap_or(self.rest.len());
        let (text, rest) = self.rest.split_at_checked(length)?;
        // without an early end: many at a time. 0xEF begins what is no character in XML, among others
        let is_text = |byte: u8| (byte >= b' ') & (byte != 0x7F) | (byte == b'\n') | (byte == b'\t');
        let is_plain = |byte: u8| is_text(byte) & (byte != b'&') & (byte != b'>') & (byte != b']') & (byte != 0xEF);
        if !text.bytes().fold(true, |all, byte| all & is_plain(byte)) {
            return None;
        }
        self.rest = rest;
        Some((!text.is_empty()).then_some(text))
    }
    /// An opening, or empty-element, tag.
    fn tag(&mut self, outer: &'a str, plain: &mut Plain<'a>) -> Option<()> {
        let before = self.rest.len();
        self.rest = self.rest.strip_prefix('<')?;
        let name = self.name()?;
        let first = plain.attributes.len();
        let mut namespace = self.open.last().map_or(outer, |(_, namespace)| namespace);
        let mut declared = false;
        let empty = loop {
            // before its attributes are compared with each other, however many there are
            if before.saturating_sub(self.rest.len()) > LONG {
                return None;
            }
            let spaced = self.rest.starts_with(' ');
            self.rest = self.rest.trim_start_matches(' ');
            if let Some(rest) = self.rest.strip_prefix('>') {
                self.rest = rest;
                break false;
            }
            if let Some(rest) = self.rest.strip_prefix("/>") {
                self.rest = rest;
                break true;
            }
            let declares = self.rest.strip_prefix("xmlns=");
            let attribute = if let Some(rest) = declares { (self.rest = rest, "xmlns").1 } else { self.named()? };
            let value = self.value()?;
            if !spaced {
                return None;
            }
            if declares.is_some() {
                // what XML itself is made of may not be declared
                if std::mem::replace(&mut declared, true) || value.contains("w3.org") {
                    return None;
                }
                namespace = value;
            } else {
                if plain.attributes.get(first..)?.iter().any(|(there, _)| *there == attribute) {
                    return None;
                }
                plain.attributes.push((attribute, value));
            }
        };
        if before.saturating_sub(self.rest.len()) > LONG || self.open.len() >= DEEP {
            return None;
        }
        let number = plain.attributes.len().saturating_sub(first);
        plain.pieces.push(Piece::Open(Open { name, namespace, first, number }));
        if empty {
            plain.pieces.push(Piece::Close);
        } else {
            self.open.push((name, namespace));
        }
        Some(())
    }
    fn name(&mut self) -> Option<&'a str> {
        let is_name = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
        let length = self.rest.bytes().position(|byte| !is_name(byte))?;
        let (name, rest) = self.rest.split_at_checked(length)?;
        let begins = |byte: u8| byte.is_ascii_alphabetic() || byte == b'_';
        if !name.bytes().next().is_some_and(begins) || name.get(..3).is_some_and(|start| start.eq_ignore_ascii_case("xml")) {
            return None;
        }
        self.rest = rest;
        Some(name)
    }
    /// The name of an attribute, with what follows it.
    fn named(&mut self) -> Option<&'a str> {
        let name = self.name()?;
        self.rest = self.rest.strip_prefix('=')?;
        Some(name)
    }
    fn value(&mut self) -> Option<&'a str> {
        let quote = self.rest.bytes().next().filter(|byte| matches!(byte, b'\'' | b'"'))?;
        let rest = self.rest.get(1..)?;
        let (value, rest) = rest.split_at_checked(rest.bytes().position(|byte| byte == quote)?)?;
        self.rest = rest.get(1..)?;
        value.bytes().all(|byte| matches!(byte, b' '..=b'~') && !matches!(byte, b'&' | b'<' | b'>')).then_some(value)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::arithmetic_side_effects)]
    use super::super::read::{Reader, Token};
    use subrosa_testkit::Seeded;

    const SEEDS: [&str; 6] = [
        "<encrypted xmlns='urn:xmpp:omemo:2'><header sid='27183'><keys jid='juliet@capulet.lit'><key rid='31415' kex='true'>CiEFxxx=</key></keys></header><payload>AAAA</payload></encrypted><store xmlns='urn:xmpp:hints'/>",
        "<envelope xmlns=\"urn:xmpp:sce:1\"><content><body xmlns=\"jabber:client\">Hello, grüße  \u{1F600}\n</body></content><time stamp='2020-01-25T06:05:00Z'/><rpad>aaa</rpad><from jid='a@b'/></envelope>",
        "text<a b='1' c=\"2\"><d/>x<d /></a>more<e xmlns='' xml:lang='en'/>",
        "<x:a xmlns:x='urn:x' x:b='1'>&amp;&#65;<![CDATA[<]]></x:a>",
        "<a xmlns='urn:a'><b xmlns='urn:b'><c/></b><c>]]</c></a>",
        "<a><b></b></a ><!-- c --><?p i?>",
    ];
    /// All tokens, texts beside each other as one; `None`: it is refused.
    fn tokens(mut reader: Reader<'_>) -> Option<Vec<String>> {
        let mut all: Vec<String> = Vec::new();
        let mut texts = false;
        while let Some(token) = reader.next().ok()? {
            let (text, line) = match token {
                Token::Start(element) => {
                    let attributes: Vec<_> = element.attributes.iter().map(|((ns, name), value)| format!("{ns}|{name}={value}")).collect();
                    (false, format!("<{}|{} {attributes:?}", &*element.namespace, element.name))
                }
                Token::End => (false, ">".to_owned()),
                Token::Text(text) => (true, (*text).clone()),
            };
            match all.last_mut().filter(|_| text && texts) {
                Some(last) => last.push_str(&line),
                None => all.push(line),
            }
            texts = text;
        }
        Some(all)
    }
    #[test]
    fn what_is_plain_is_what_the_parser_reads() {
        const BITS: [&str; 26] = [
            "<",
            ">",
            "/",
            "'",
            "\"",
            "=",
            " ",
            "&",
            "&lt;",
            "]",
            "]]>",
            "\r",
            "\n",
            "\t",
            "<a>",
            "</a>",
            "<b/>",
            "xmlns",
            "xmlns=''",
            ":",
            "\u{FFFF}",
            "\u{FFFD}",
            "\u{85}",
            "\u{7F}",
            "\0",
            "http://www.w3.org/2000/xmlns/",
        ];
        let (mut rng, mut plain) = (Seeded::new(1), 0);
        for round in 0..60_000 {
            let mut xml = SEEDS[round % SEEDS.len()].as_bytes().to_vec();
            for _ in 0..rng.below(4) {
                let at = rng.below(xml.len() as u64 + 1) as usize;
                let end = at + (rng.below(3) as usize).min(xml.len() - at);
                let bit = BITS[rng.below(BITS.len() as u64) as usize];
                xml.splice(at..end, bit.bytes());
            }
            let namespace = ["", "jabber:client"][round % 2];
            let Some(reader) = Reader::plainly(namespace, &xml) else { continue };
            plain += 1;
            let parsed = tokens(Reader::parsing(namespace, &xml).unwrap());
            assert_eq!(tokens(reader), parsed, "{}", String::from_utf8_lossy(&xml));
            assert!(parsed.is_some());
        }
        assert!(plain > 5000, "{plain} of them");
    }
    #[test]
    fn what_peers_write_is_plain() {
        assert!(SEEDS[..2].iter().all(|xml| Reader::plainly("", xml.as_bytes()).is_some()));
    }
}
