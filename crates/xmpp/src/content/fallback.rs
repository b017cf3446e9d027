//! What in a body is there for programs that know less (XEP-0428), counted in code points (XEP-0426).
//!
//! A mark tells programs like this one what not to show, and so may hide or twist words: only whole lines at the beginning of the one
//! body count as a quotation, and never all of it.
use crate::ns;
use crate::xml::build;
use minidom::Element;

/// Marks that are looked at.
const MAX_MARKS: usize = 16;

/// The quotation before an answer, each line marked as one, and what says so of it. `None`: nothing is quoted.
pub(super) fn quoted(quote: &str) -> Option<(String, Element)> {
    let mut text = String::new();
    for line in quote.lines() {
        text.push_str("> ");
        text.push_str(line);
        text.push('\n');
    }
    let end = text.chars().count().to_string();
    let region = build("body", ns::FALLBACK).attr("start", "0").attr("end", end);
    let mark = build("fallback", ns::FALLBACK).attr("for", ns::REPLY).child(region).end();
    (!text.is_empty()).then_some((text, mark))
}
/// All of the body is for those who do not know this namespace.
pub(super) fn whole(namespace: &str) -> Element {
    build("fallback", ns::FALLBACK).attr("for", namespace).end()
}

/// How many code points from the beginning of a body are marked.
fn marked(run: &[Element], namespace: &str, length: usize) -> usize {
    let fallbacks = run.iter().filter(|e| e.is("fallback", ns::FALLBACK) && e.attr("for").is_none_or(|of| of == namespace));
    let mut regions = Vec::new();
    for fallback in fallbacks.take(MAX_MARKS) {
        if fallback.children().next().is_none() {
            return length;
        }
        regions.extend(fallback.children().filter(|c| c.is("body", ns::FALLBACK)).take(MAX_MARKS).filter_map(|c| region(c, length)));
    }
    regions.sort_unstable();
    regions.into_iter().fold(0, |end, (from, to)| if from <= end { end.max(to) } else { end })
}
/// `None`: there is no such part of it.
fn region(element: &Element, length: usize) -> Option<(usize, usize)> {
    let at = |name: &str, otherwise: usize| element.attr(name).map_or(Some(otherwise), |text| text.parse().ok());
    let (from, to) = (at("start", 0)?, at("end", length)?);
    (from <= to && to <= length).then_some((from, to))
}
/// All of this body is marked.
pub(super) fn is_all(run: &[Element], namespace: &str, body: &str) -> bool {
    let length = body.chars().count();
    marked(run, namespace, length) == length
}
/// A body without the lines that are marked at its beginning.
pub(super) fn without<'a>(run: &[Element], namespace: &str, body: &'a str) -> &'a str {
    let marked = marked(run, namespace, body.chars().count());
    let Some((at, _)) = body.char_indices().nth(marked).filter(|_| marked > 0) else { return body };
    let (quotation, rest) = body.split_at(at);
    // the mark may end before its last line does
    let rest = if quotation.ends_with('\n') { Some(rest) } else { rest.strip_prefix('\n') };
    rest.filter(|rest| !rest.trim().is_empty()).unwrap_or(body)
}
