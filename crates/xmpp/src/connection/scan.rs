//! Where the elements of a stream begin and end (RFC 6120 §4.2, §11), found in its bytes before anything is built of them.
//!
//! Knows tags, quotes and CDATA; no names and no namespaces. Invariants: what XMPP forbids in a stream (comments, processing
//! instructions, document types) is an error at its second byte; memory and time per byte are constant.

/// What ends with the bytes that were looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Edge {
    /// The stream's opening tag.
    Head,
    /// An element of the stream.
    Element,
    /// White space between elements.
    Space,
    /// The stream's closing tag.
    Close,
}
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Text,
    /// After `<`.
    Open,
    /// In `<?xml … ?>`, which only a stream's beginning may have.
    Declaration {
        question: bool,
    },
    /// In an opening tag; `slash`: the last byte was one.
    Tag {
        slash: bool,
    },
    /// In an attribute's value.
    Value {
        quote: u8,
    },
    Closing,
    /// So many bytes of `![CDATA[` were seen.
    Bang(usize),
    /// In CDATA, after so many `]`.
    Data {
        brackets: u8,
    },
    Over,
}
const CDATA: &[u8] = b"![CDATA[";

#[derive(Debug)]
pub(super) struct Scan {
    state: State,
    depth: usize,
    /// Nothing was seen yet.
    fresh: bool,
}
impl Scan {
    pub(super) fn new() -> Self {
        Scan { state: State::Text, depth: 0, fresh: true }
    }
    /// Looks at `bytes` up to the next edge: how many bytes, and what ends there. `None`: it goes on after them.
    pub(super) fn next(&mut self, bytes: &[u8]) -> Result<(usize, Option<Edge>), &'static str> {
        if self.state == State::Text && self.depth == 1 {
            let space = bytes.iter().take_while(|b| matches!(b, b' ' | b'\t' | b'\r' | b'\n')).count();
            if space > 0 {
                return Ok((space, Some(Edge::Space)));
            }
        }
        for (at, byte) in bytes.iter().enumerate() {
            if let Some(edge) = self.byte(*byte)? {
                return Ok((at.saturating_add(1), Some(edge)));
            }
        }
        Ok((bytes.len(), None))
    }
    fn byte(&mut self, byte: u8) -> Result<Option<Edge>, &'static str> {
        let fresh = self.fresh;
        self.fresh = false;
        self.state = match (self.state, byte) {
            (State::Text, b'<') => {
                self.fresh = fresh;
                State::Open
            }
            (State::Text, b' ' | b'\t' | b'\r' | b'\n') if self.depth == 0 => State::Text,
            (State::Text, _) if self.depth < 2 => return Err("text outside of an element"),
            (State::Text, _) => State::Text,
            (State::Open, b'/') if self.depth > 0 => State::Closing,
            (State::Open, b'?') if fresh => State::Declaration { question: false },
            (State::Open, b'!') if self.depth > 1 => State::Bang(1),
            (State::Open, b'!' | b'?') => return Err("a comment, a processing instruction or a document type"),
            (State::Open, b'/' | b'<' | b'>' | b'\'' | b'"') => return Err("a tag without a name"),
            (State::Open, _) => State::Tag { slash: false },
            (State::Declaration { question: true }, b'>') => State::Text,
            (State::Declaration { .. }, _) => State::Declaration { question: byte == b'?' },
            (State::Tag { .. }, b'<') => return Err("a tag in a tag"),
            (State::Tag { .. }, b'\'' | b'"') => State::Value { quote: byte },
            (State::Tag { slash }, b'>') => {
                self.state = State::Text;
                return self.opened(slash);
            }
            (State::Tag { .. }, _) => State::Tag { slash: byte == b'/' },
            (State::Value { .. }, b'<') => return Err("a tag in an attribute"),
            (State::Value { quote }, _) if byte == quote => State::Tag { slash: false },
            (State::Value { quote }, _) => State::Value { quote },
            (State::Closing, b'>') => {
                self.state = State::Text;
                return Ok(self.closed());
            }
            (State::Closing, b'<') => return Err("a tag in a tag"),
            (State::Closing, _) => State::Closing,
            (State::Bang(seen), _) if CDATA.get(seen) != Some(&byte) => return Err("a comment or a document type"),
            (State::Bang(seen), _) if seen.saturating_add(1) == CDATA.len() => State::Data { brackets: 0 },
            (State::Bang(seen), _) => State::Bang(seen.saturating_add(1)),
            (State::Data { brackets: 2.. }, b'>') => State::Text,
            (State::Data { brackets }, b']') => State::Data { brackets: brackets.saturating_add(1) },
            (State::Data { .. }, _) => State::Data { brackets: 0 },
            (State::Over, _) => State::Over,
        };
        Ok(None)
    }
    fn opened(&mut self, empty: bool) -> Result<Option<Edge>, &'static str> {
        match (self.depth, empty) {
            (0, true) => Err("a stream without a content"),
            (0, false) => {
                self.depth = 1;
                Ok(Some(Edge::Head))
            }
            (1, true) => Ok(Some(Edge::Element)),
            (_, true) => Ok(None),
            (_, false) => {
                self.depth = self.depth.saturating_add(1);
                Ok(None)
            }
        }
    }
    fn closed(&mut self) -> Option<Edge> {
        self.depth = self.depth.saturating_sub(1);
        match self.depth {
            0 => {
                self.state = State::Over;
                Some(Edge::Close)
            }
            1 => Some(Edge::Element),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::arithmetic_side_effects)]
    use super::*;

    /// What ends, and the text that it ends.
    fn edges(text: &str, size: usize) -> Result<Vec<(Edge, String)>, &'static str> {
        let mut scan = Scan::new();
        let mut found: Vec<(Edge, String)> = Vec::new();
        let mut open = String::new();
        for chunk in text.as_bytes().chunks(size) {
            let mut rest = chunk;
            while !rest.is_empty() {
                let (used, edge) = scan.next(rest)?;
                open.push_str(std::str::from_utf8(&rest[..used]).unwrap());
                rest = &rest[used..];
                if let Some(edge) = edge {
                    let text = std::mem::take(&mut open);
                    match found.last_mut() {
                        Some((Edge::Space, before)) if edge == Edge::Space => before.push_str(&text),
                        _ => found.push((edge, text)),
                    }
                }
            }
        }
        Ok(found)
    }

    #[test]
    fn elements_are_found_wherever_the_reads_fall() {
        let parts = [
            (Edge::Head, "<?xml version='1.0'?><s:s a='>' b=\"'\">"),
            (Edge::Element, "<a/>"),
            (Edge::Element, "<b x='/>' y=\"/b>\"><c/>t<c>></c></b>"),
            (Edge::Space, " \n"),
            (Edge::Element, "<b><![CDATA[</b>]]]></b>"),
            (Edge::Element, "<b/ >"),
        ];
        let whole: String = parts.iter().map(|(_, text)| *text).collect();
        for size in [1, 2, 3, 1000] {
            let found = edges(&whole, size).unwrap();
            // `<b/ >` is no empty tag: the parser says so, here it stays open
            let expected: Vec<_> = parts[..5].iter().map(|(edge, text)| (*edge, (*text).to_owned())).collect();
            assert_eq!(found, expected);
        }
        assert_eq!(edges("<s></s> more <x>", 1).unwrap(), [(Edge::Head, "<s>".to_owned()), (Edge::Close, "</s>".to_owned())]);
    }

    #[test]
    fn what_has_no_place_in_a_stream_is_an_error() {
        for bad in
            ["<!DOCTYPE x>", "<s/>", "</s>", "x", "<s><!-- -->", "<s><a><!-- -->", "<s><?x?>", "<s><a><?x?>", "<s><!DOCTYPE a>", "<s><a><!ENTITY>"]
        {
            assert!(edges(bad, 1).is_err(), "{bad}");
        }
        for bad in ["<s>x", "<s><a b='<'/>", "<s><a <b/>", "<s></a <", "<s><>", "<?xml?><?xml?>", "<s><![CDATA[", "SSH-2.0\r\n", "HTTP/1.1 400"] {
            assert!(edges(bad, 1).is_err(), "{bad}");
        }
    }
}
