//! Small XML bodies as trees, within bounds, and text made fit to stand in one.
//!
//! Knows elements, attributes and text; no meaning of any. Invariant: no tree is deeper than [`MAX_DEPTH`], because dropping
//! one recurses. No document types, no entities but XML's own five: rxml has none.
use crate::BodyError;
use rxml::error::EndOrError;
use rxml::{AttrMap, Event, Namespace, Parse as _, Parser};
use zeroize::Zeroizing;

/// The largest body that is read, in bytes: 64 KiB.
pub const MAX_BODY: usize = 64 * 1024;
const MAX_DEPTH: usize = 16;
const MAX_ELEMENTS: usize = 512;

/// What a body of ours begins with.
pub(crate) const DECLARATION: &str = r#"<?xml version="1.0" encoding="UTF-8"?>"#;

/// An element. Its text may hold a key, and is wiped.
pub(crate) struct Node {
    namespace: Namespace<'static>,
    name: String,
    attributes: AttrMap,
    text: Zeroizing<String>,
    children: Vec<Node>,
}

impl Node {
    /// The one element that `xml` has to be.
    pub(crate) fn read(xml: &[u8], root: &'static str) -> Result<Node, BodyError> {
        if xml.len() > MAX_BODY {
            return Err(BodyError::TooLarge(xml.len()));
        }
        let mut rest = undeclared(xml)?;
        let mut parser = Parser::new();
        let (mut open, mut whole, mut elements) = (Vec::<Node>::new(), None, 0usize);
        loop {
            match parser.parse(&mut rest, true) {
                Ok(None) => break,
                Ok(Some(Event::StartElement(_, (namespace, name), attributes))) => {
                    elements = elements.saturating_add(1);
                    if open.len() >= MAX_DEPTH || elements > MAX_ELEMENTS {
                        return Err(BodyError::TooDeep);
                    }
                    open.push(Node { namespace, name: name.to_string(), attributes, text: Zeroizing::default(), children: Vec::new() });
                }
                Ok(Some(Event::Text(_, text))) => {
                    let text = Zeroizing::new(text);
                    if let Some(node) = open.last_mut() {
                        // rxml hands out long text in pieces; what grows leaves nothing behind
                        let mut joined = Zeroizing::new(String::with_capacity(node.text.len().saturating_add(text.len())));
                        joined.push_str(&node.text);
                        joined.push_str(&text);
                        node.text = joined;
                    }
                }
                Ok(Some(Event::EndElement(_))) => {
                    let node = open.pop().ok_or(BodyError::NotXml)?;
                    match open.last_mut() {
                        Some(parent) => parent.children.push(node),
                        None => whole = Some(node),
                    }
                }
                Ok(Some(Event::XmlDeclaration(..))) | Err(EndOrError::NeedMoreData | EndOrError::Error(_)) => return Err(BodyError::NotXml),
            }
        }
        whole.ok_or(BodyError::NotXml)?.expect(root)
    }
    fn expect(self, root: &'static str) -> Result<Node, BodyError> {
        if self.name == root { Ok(self) } else { Err(BodyError::WrongRoot(root)) }
    }
    /// Fails unless the element is in this namespace.
    pub(crate) fn within(self, namespace: &str, root: &'static str) -> Result<Node, BodyError> {
        if self.namespace == namespace { Ok(self) } else { Err(BodyError::WrongRoot(root)) }
    }
    pub(crate) fn children<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Node> {
        self.children.iter().filter(move |child| child.name == name)
    }
    /// The child that may stand once: a body that can be read in two ways is read in none.
    pub(crate) fn child(&self, name: &'static str) -> Result<Option<&Node>, BodyError> {
        let mut found = self.children(name);
        let first = found.next();
        if found.next().is_some() { Err(BodyError::Repeated(name)) } else { Ok(first) }
    }
    /// The child that has to stand once.
    pub(crate) fn needed(&self, name: &'static str) -> Result<&Node, BodyError> {
        self.child(name)?.ok_or(BodyError::Missing(name))
    }
    pub(crate) fn first(&self) -> Option<&Node> {
        self.children.first()
    }
    pub(crate) fn name(&self) -> &str {
        &self.name
    }
    /// Without the white space around it.
    pub(crate) fn text(&self) -> &str {
        self.text.trim_matches([' ', '\t', '\r', '\n'])
    }
    /// An attribute without a namespace.
    pub(crate) fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.get(Namespace::none(), name).map(String::as_str)
    }
}

/// Without the XML declaration: Liblinphone's says `standalone="no"`, which rxml refuses, and there are no external markup
/// declarations that this could be about.
fn undeclared(xml: &[u8]) -> Result<&[u8], BodyError> {
    let text = std::str::from_utf8(xml).map_err(|_| BodyError::NotXml)?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text).trim_start_matches([' ', '\t', '\r', '\n']);
    let rest = match text.strip_prefix("<?xml").and_then(|rest| rest.split_once("?>")) {
        Some((_, rest)) => rest.trim_start_matches([' ', '\t', '\r', '\n']),
        None => text,
    };
    Ok(rest.as_bytes())
}

/// `text` as it may stand between tags and in attributes with quotes of either kind. What XML cannot hold becomes U+FFFD.
pub(crate) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            '\t' | '\n' | '\r' => {
                out.push_str("&#");
                out.push_str(&u32::from(c).to_string());
                out.push(';');
            }
            '\0'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    fn read(xml: &str) -> Result<Node, BodyError> {
        Node::read(xml.as_bytes(), "r")
    }

    #[test]
    fn trees_are_read() {
        let node =
            read("\u{feff}<?xml version=\"1.0\" encoding=\"UTF-8\" standalone=\"no\" ?>\r\n<r a='1'> x <b/>y<c>&lt;z</c><c/></r>\r\n").unwrap();
        assert_eq!((node.attribute("a"), node.text(), node.children("c").count()), (Some("1"), "x y", 2));
        assert_eq!(node.needed("b").unwrap().text(), "");
        assert_eq!(node.child("c").map(|_| ()), Err(BodyError::Repeated("c")));
        assert_eq!(node.needed("d").map(|_| ()), Err(BodyError::Missing("d")));
        assert!(read("<r xmlns='a'/>").unwrap().within("b", "r").is_err());
    }

    #[test]
    fn what_is_no_such_xml_is_refused() {
        for bad in [
            "",
            " ",
            "<",
            "<r>",
            "<r/><r/>",
            "<r/>x",
            "x<r/>",
            "<r></s>",
            "<r a='1' a='2'/>",
            "<r>&foo;</r>",
            "<!DOCTYPE r><r/>",
            "<!DOCTYPE r [<!ENTITY x \"y\">]><r>&x;</r>",
            "<?xml version='1.0'?><?xml version='1.0'?><r/>",
            "<r>\u{1}</r>",
            "<p:r/>",
        ] {
            assert_eq!(read(bad).map(|_| ()), Err(BodyError::NotXml), "{bad}");
        }
        assert_eq!(Node::read(b"<r>\xff</r>", "r").map(|_| ()), Err(BodyError::NotXml));
        assert_eq!(read("<s/>").map(|_| ()), Err(BodyError::WrongRoot("r")));
    }

    #[test]
    fn limits_hold() {
        let deep = |n: usize| format!("{}{}", "<r>".repeat(n), "</r>".repeat(n));
        assert!(read(&deep(MAX_DEPTH)).is_ok());
        assert_eq!(read(&deep(MAX_DEPTH + 1)).map(|_| ()), Err(BodyError::TooDeep));
        assert_eq!(read(&format!("<r>{}</r>", "<a/>".repeat(MAX_ELEMENTS))).map(|_| ()), Err(BodyError::TooDeep));
        assert_eq!(read(&" ".repeat(MAX_BODY + 1)).map(|_| ()), Err(BodyError::TooLarge(MAX_BODY + 1)));
        let long = "x".repeat(MAX_BODY - 7);
        assert_eq!(read(&format!("<r>{long}</r>")).unwrap().text(), long);
    }

    proptest! {
        #[test]
        fn whatever_is_escaped_comes_back(text in "[\\x00-\\x7f\\PC]{0,40}") {
            let node = read(&format!("<r a=\"{0}\" b='{0}'>.{0}.</r>", escaped(&text))).unwrap();
            let kept: String = text.chars().map(|c| match c {
                '\t' | '\n' | '\r' => c,
                '\0'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => '\u{fffd}',
                c => c,
            }).collect();
            prop_assert_eq!(node.attribute("a"), Some(kept.as_str()));
            prop_assert_eq!(node.attribute("b"), Some(kept.as_str()));
            prop_assert_eq!(node.text(), format!(".{kept}."));
        }
        #[test]
        fn anything(bytes in proptest::collection::vec(any::<u8>(), 0..200), text in "[<>r/a='\"&; !?\\[\\]-]{0,60}") {
            let _ = (Node::read(&bytes, "r"), read(&text));
        }
    }
}
