//! Elements that were read, written anew: each with its namespace, because it may have leant on declarations around it.
use super::read::{Element, Reader, Token};
use super::{MAX_BYTES, WireError, write};

const XML: &str = "http://www.w3.org/XML/1998/namespace";

/// Copies the open element, which is consumed.
pub(super) fn copy(reader: &mut Reader<'_>, element: &Element, out: &mut Vec<u8>) -> Result<(), WireError> {
    let mut open = vec![start(element, None, out)?];
    while let Some((name, namespace)) = open.last() {
        match reader.next()?.ok_or(WireError::NotXml)? {
            Token::Start(child) => {
                let child = start(&child, Some(namespace), out)?;
                open.push(child);
            }
            Token::Text(text) => write::text(out, &text),
            Token::End => {
                out.extend_from_slice(b"</");
                out.extend_from_slice(name.as_bytes());
                out.push(b'>');
                open.pop();
            }
        }
    }
    Ok(())
}

/// Writes an opening tag inside an element of the namespace `outer`. Gives the name and namespace. A declaration can be long
/// and used often, so what is written is bounded too.
fn start(element: &Element, outer: Option<&str>, out: &mut Vec<u8>) -> Result<(String, String), WireError> {
    out.push(b'<');
    out.extend_from_slice(element.name.as_bytes());
    if outer != Some(element.namespace.as_str()) {
        out.extend_from_slice(b" xmlns='");
        write::attribute(out, &element.namespace);
        out.push(b'\'');
    }
    let mut prefixes = 0u32;
    for ((namespace, name), value) in element.attributes.iter() {
        out.push(b' ');
        if *namespace == XML {
            out.extend_from_slice(b"xml:");
        } else if namespace.is_some() {
            // a prefix for each, declared where it is used
            out.extend_from_slice(b"xmlns:a");
            write::number(out, prefixes);
            out.extend_from_slice(b"='");
            write::attribute(out, namespace);
            out.extend_from_slice(b"' a");
            write::number(out, prefixes);
            out.push(b':');
            prefixes = prefixes.saturating_add(1);
        }
        out.extend_from_slice(name.as_bytes());
        out.extend_from_slice(b"='");
        write::attribute(out, value);
        out.push(b'\'');
        bounded(out)?;
    }
    out.push(b'>');
    bounded(out)?;
    Ok((element.name.as_str().to_owned(), element.namespace.as_str().to_owned()))
}

fn bounded(out: &[u8]) -> Result<(), WireError> {
    if out.len() > MAX_BYTES { Err(WireError::TooLarge(out.len())) } else { Ok(()) }
}
