//! Writing: straight into one buffer, without `fmt`.
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// A decimal number.
pub(super) fn number(out: &mut Vec<u8>, mut n: u32) {
    let mut digits = [b'0'; 10];
    let mut used = 0usize;
    for digit in digits.iter_mut().rev() {
        *digit = b'0'.saturating_add(u8::try_from(n % 10).unwrap_or(0));
        used = used.saturating_add(1);
        n /= 10;
        if n == 0 {
            break;
        }
    }
    out.extend_from_slice(digits.get(digits.len().saturating_sub(used)..).unwrap_or_default());
}

/// Base64, encoded in place.
pub(super) fn base64(out: &mut Vec<u8>, data: &[u8]) {
    let start = out.len();
    let len = data.len().div_ceil(3).saturating_mul(4);
    out.resize(start.saturating_add(len), b'=');
    let written = out.get_mut(start..).map(|room| STANDARD.encode_slice(data, room));
    debug_assert!(matches!(written, Some(Ok(n)) if n == len));
}

/// Text between tags. What XML cannot hold becomes U+FFFD.
pub(super) fn text(out: &mut Vec<u8>, text: &str) {
    escape(out, text, |c| match c {
        '<' => Some("&lt;"),
        '>' => Some("&gt;"),
        '&' => Some("&amp;"),
        '\r' => Some("&#xd;"),
        _ => None,
    });
}

/// The value of an attribute, between quotes of either kind. What XML cannot hold becomes U+FFFD.
pub(super) fn attribute(out: &mut Vec<u8>, value: &str) {
    escape(out, value, |c| match c {
        '<' => Some("&lt;"),
        '>' => Some("&gt;"),
        '&' => Some("&amp;"),
        '\'' => Some("&apos;"),
        '"' => Some("&quot;"),
        '\r' => Some("&#xd;"),
        '\n' => Some("&#xa;"),
        '\t' => Some("&#x9;"),
        _ => None,
    });
}

fn escape(out: &mut Vec<u8>, text: &str, reference: impl Fn(char) -> Option<&'static str>) {
    out.reserve(text.len());
    let mut rest = text;
    while let Some((at, c, instead)) = rest.char_indices().find_map(|(at, c)| {
        let instead = reference(c).or((!in_xml(c)).then_some("\u{fffd}"))?;
        Some((at, c, instead))
    }) {
        out.extend_from_slice(rest.get(..at).unwrap_or_default().as_bytes());
        out.extend_from_slice(instead.as_bytes());
        rest = rest.get(at.saturating_add(c.len_utf8())..).unwrap_or_default();
    }
    out.extend_from_slice(rest.as_bytes());
}

/// The `Char` of XML 1.0.
pub(super) fn in_xml(c: char) -> bool {
    !matches!(c, '\0'..='\u{8}' | '\u{b}' | '\u{c}' | '\u{e}'..='\u{1f}' | '\u{fffe}' | '\u{ffff}')
}
