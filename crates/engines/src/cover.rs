//! What travels under another content type, and how the receiver finds the first one again.
//!
//! The samples of Liblinphone know one type: everything under `cipher/xor` was `text/plain`. So a text goes under the bare type, and
//! whatever is not one says so: the XML that offers a file by the suffix `-file`, all else by the parameter `inner`. Liblinphone hands
//! its callbacks a content type without parameters, so what it must understand has none.
use std::borrow::Cow;
use subrosa_engine::{ContentType, Plaintext, Reason, Refusal};

/// What offers a file on SIP (GSMA RCS, as Liblinphone does it).
pub(crate) const FILE_OFFER: &str = "application/vnd.gsma.rcs-ft-http+xml";
const FILE_SUFFIX: &str = "-file";
/// In every file offer, and in hardly any text.
const FILE_NAMESPACE: &[u8] = b"urn:gsma:params:xml:ns:rcs:rcs:fthttp";

/// The type under which this travels.
///
/// # Errors
/// [`Reason::ContentType`]: a type with characters that no content type has, which could end the line it stands in.
pub(crate) fn cover(base: &str, plain: &Plaintext) -> Result<ContentType, Refusal> {
    let inner = plain.content_type.0.as_ref();
    if !inner.bytes().all(|b| matches!(b, 0x20..=0x7e)) {
        return Err(Reason::ContentType.into());
    }
    Ok(ContentType(Cow::Owned(if inner == FILE_OFFER {
        format!("{base}{FILE_SUFFIX}")
    } else if inner == ContentType::TEXT.0 && !is_offer(plain.bytes()) {
        base.to_owned()
    } else {
        format!("{base};inner=\"{}\"", inner.replace('\\', "\\\\").replace('"', "\\\""))
    })))
}

/// The first type of what came under this one, once it is decrypted. `None`: it is not of that base.
pub(crate) fn uncover(base: &str, content_type: &ContentType) -> Option<Covered> {
    let (essence, parameters) = content_type.0.split_once(';').unwrap_or((&content_type.0, ""));
    let suffix = essence.trim().to_ascii_lowercase();
    let inner = match suffix.strip_prefix(base)? {
        FILE_SUFFIX => Some(FILE_OFFER.to_owned()),
        "" => parameter(parameters, "inner"),
        _ => return None,
    };
    Some(Covered(inner))
}
/// What a cover says is under it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Covered(Option<String>);
impl Covered {
    /// With the type it had. Where the cover says nothing it is a text, or the offer of a file by a sender that covers all alike.
    pub fn plain(self, bytes: Vec<u8>) -> Plaintext {
        let content_type = match self.0 {
            Some(inner) => ContentType(inner.into()),
            None if is_offer(&bytes) => ContentType(FILE_OFFER.into()),
            None => ContentType::TEXT,
        };
        Plaintext::new(content_type, bytes)
    }
}

fn is_offer(bytes: &[u8]) -> bool {
    bytes.trim_ascii_start().starts_with(b"<") && bytes.windows(FILE_NAMESPACE.len()).any(|w| w == FILE_NAMESPACE)
}
/// The value of a parameter (RFC 2045 §5.1), a token or a quoted string.
fn parameter(mut rest: &str, name: &str) -> Option<String> {
    loop {
        let (key, after) = rest.split_once('=')?;
        let (value, after) = value(after.trim_start())?;
        if key.trim_matches([' ', '\t', ';']).eq_ignore_ascii_case(name) {
            return Some(value);
        }
        rest = after;
    }
}
fn value(text: &str) -> Option<(String, &str)> {
    let Some(quoted) = text.strip_prefix('"') else {
        let (token, rest) = text.split_once(';').unwrap_or((text, ""));
        return Some((token.trim().to_owned(), rest));
    };
    let (mut value, mut chars) = (String::new(), quoted.chars());
    loop {
        match chars.next()? {
            '"' => return Some((value, chars.as_str())),
            '\\' => value.push(chars.next()?),
            c => value.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    fn under(content_type: &str) -> Option<String> {
        let covered = uncover("cipher/xor", &ContentType(content_type.to_owned().into()))?;
        Some(covered.plain(b"text".to_vec()).content_type.0.into_owned())
    }
    #[test]
    fn a_cover_says_what_is_under_it() {
        for (cover, inner) in [
            ("cipher/xor", "text/plain"),
            ("Cipher/XOR ; charset=utf-8", "text/plain"),
            ("cipher/xor-file", FILE_OFFER),
            ("cipher/xor-file;inner=text/html", FILE_OFFER),
            ("cipher/xor;a=b;Inner=text/html", "text/html"),
            ("cipher/xor; a=\"x;inner=no\" ; inner = \"text/plain;charset=\\\"a\\\"\"", "text/plain;charset=\"a\""),
            ("cipher/xor;inner", "text/plain"),
            ("cipher/xor;inner=\"unfinished", "text/plain"),
        ] {
            assert_eq!(under(cover).as_deref(), Some(inner), "{cover}");
        }
        for other in ["", ";", "cipher/xo", "cipher/xor2", "cipher/xor-file2", "text/plain;inner=cipher/xor"] {
            assert_eq!(under(other), None, "{other}");
        }
    }
    #[test]
    fn what_liblinphone_must_understand_has_no_parameter() {
        let of = |content_type: &'static str, text: &str| cover("cipher/xor", &Plaintext::new(ContentType(content_type.into()), text)).unwrap().0;
        assert_eq!(of("text/plain", "hello"), "cipher/xor");
        assert_eq!(of(FILE_OFFER, "<file/>"), "cipher/xor-file");
        // a sender that covers all alike
        let offer = format!("<?xml version=\"1.0\"?><file xmlns=\"{}\"/>", String::from_utf8_lossy(FILE_NAMESPACE));
        let plain = uncover("cipher/xor", &ContentType("cipher/xor".into())).unwrap().plain(offer.clone().into());
        assert_eq!(plain.content_type.0, FILE_OFFER);
        // and a text that only looks like it
        assert_eq!(of("text/plain", &offer), "cipher/xor;inner=\"text/plain\"");
        assert_eq!(cover("cipher/xor", &Plaintext::new(ContentType("text/plain\r\nEvil: yes".into()), "")), Err(Reason::ContentType.into()));
    }
    proptest! {
        #[test]
        fn every_type_comes_back(inner in "[ -~]{0,40}", bytes: Vec<u8>) {
            let plain = Plaintext::new(ContentType(inner.clone().into()), bytes.clone());
            let covered = uncover("cipher/b64", &cover("cipher/b64", &plain).unwrap()).unwrap().plain(bytes.clone());
            prop_assert_eq!(covered.content_type.0.as_ref(), inner.as_str());
            prop_assert_eq!(covered.bytes(), bytes);
        }
        #[test]
        fn nothing_panics(content_type: String) {
            uncover("cipher/b64", &ContentType(format!("cipher/b64;{content_type}").into())).unwrap();
        }
    }
}
