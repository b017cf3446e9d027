//! SIP addresses as the engine has them: an address of record, without name, parameters and tag (RFC 3261 §10, §19.1.4).
use subrosa_engine::Address;

/// The longest address that is taken, in bytes.
const MAX_ADDRESS: usize = 512;

/// Not a SIP address, or not the kind that is needed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a SIP address like sip:alice@example.org")]
pub struct AddressError(pub String);

/// The address of record in `text`, normalised: scheme and host in lower case, escapes of letters and digits resolved. A display
/// name, angle brackets, parameters and headers are cut off; a port stays. What has no scheme is taken as `sip:`.
///
/// # Errors
/// [`AddressError`] when it is no address of a person.
///
/// ```
/// # use subrosa_sip::bare;
/// assert_eq!(bare("\"Alice\" <SIP:%61lice@Example.ORG;transport=tcp>;tag=1").unwrap().as_str(), "sip:alice@example.org");
/// assert_eq!(bare("bob@127.0.0.1:5070").unwrap().as_str(), "sip:bob@127.0.0.1:5070");
/// assert!(bare("sip:a b@x").is_err());
/// ```
pub fn bare(text: &str) -> Result<Address, AddressError> {
    normalised(text).map(|whole| Address::from(whole.as_str())).ok_or_else(|| AddressError(text.chars().take(MAX_ADDRESS).collect()))
}

fn normalised(text: &str) -> Option<String> {
    let uri = uri_in(text)?;
    let (scheme, rest) = match uri.split_once(':') {
        Some((scheme, rest)) if scheme.eq_ignore_ascii_case("sip") || scheme.eq_ignore_ascii_case("sips") => (scheme.to_ascii_lowercase(), rest),
        _ => ("sip".to_owned(), uri),
    };
    let (user, host) = rest.split_once('@')?;
    let user = user.split_once(':').map_or(user, |(user, _)| user);
    let host = host.split([';', '?']).next()?.to_ascii_lowercase();
    if user.is_empty() || uri.len() > MAX_ADDRESS || !user.bytes().all(is_user) || !is_host(&host) {
        return None;
    }
    Some(format!("{scheme}:{}@{host}", unescaped(user)?))
}
/// What is within a quoted string (RFC 3261 §25.1) whose first quote is gone, as it is written, and what comes behind it.
pub(crate) fn quoted_string(text: &str) -> Option<(&str, &str)> {
    let mut escaped = false;
    let end = text.bytes().position(|b| {
        let ends = b == b'"' && !escaped;
        escaped = b == b'\\' && !escaped;
        ends
    })?;
    let (within, rest) = text.split_at_checked(end)?;
    Some((within, rest.get(1..)?))
}
/// The URI of a name-addr or addr-spec (RFC 3261 §25.1), as it stands.
pub(crate) fn uri_in(text: &str) -> Option<&str> {
    let text = text.trim();
    // a display name may have a '<' within its quotes
    let after_name = match text.strip_prefix('"') {
        Some(quoted) => quoted_string(quoted)?.1,
        None => text,
    };
    match after_name.split_once('<') {
        Some((_, rest)) => rest.split_once('>').map(|(uri, _)| uri.trim()),
        // a ';' before the '@' is the user's, who may have one in their name (§25.1); one behind it begins parameters of the field (§20)
        None if after_name.len() == text.len() => {
            let host = text.find('@').unwrap_or(0);
            let end = text.get(host..)?.find(';').map_or(text.len(), |at| host.saturating_add(at));
            Some(text.get(..end)?.trim())
        }
        None => None,
    }
}
/// Without brackets and what is around it: what a Request-URI is. Parameters stay.
#[cfg(feature = "connection")]
pub(crate) fn bare_uri(uri: &str) -> &str {
    uri_in(uri).filter(|_| uri.contains('<')).unwrap_or(uri).trim()
}
/// The host of an address, without its port.
#[cfg(feature = "connection")]
pub(crate) fn host_of(address: &str) -> &str {
    let host = address.rsplit_once('@').map_or(address, |(_, host)| host);
    match host.strip_prefix('[').and_then(|v6| v6.split_once(']')) {
        Some((v6, _)) => v6,
        None => host.split(':').next().unwrap_or(host),
    }
}
/// `sips:`: not to be sent in clear.
#[cfg(feature = "connection")]
pub(crate) fn is_secure(address: &str) -> bool {
    address.split_once(':').is_some_and(|(scheme, _)| scheme.eq_ignore_ascii_case("sips"))
}
/// The user part of an address.
#[cfg(feature = "connection")]
pub(crate) fn user_of(address: &str) -> &str {
    let user = address.split_once('@').map_or("", |(user, _)| user);
    user.split_once(':').map_or(user, |(_, user)| user)
}
/// RFC 3261 §25.1: unreserved, user-unreserved, and escapes.
fn is_user(b: u8) -> bool {
    b.is_ascii_alphanumeric() || b"-_.!~*'()&=+$,;?/%#".contains(&b)
}
fn is_host(host: &str) -> bool {
    let (name, port) = match host.strip_prefix('[') {
        Some(v6) => match v6.split_once(']') {
            Some((v6, rest)) => (v6.parse::<std::net::Ipv6Addr>().is_ok(), rest.strip_prefix(':').or_else(|| rest.is_empty().then_some("1"))),
            None => return false,
        },
        None => {
            let (name, port) = host.split_once(':').unwrap_or((host, "1"));
            (!name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'.' || b == b'_'), Some(port))
        }
    };
    name && port.is_some_and(|port| port.parse::<u16>().is_ok_and(|port| port > 0))
}
/// `%61` is `a` (RFC 3261 §19.1.4); what must be escaped stays so, in capitals.
fn unescaped(user: &str) -> Option<String> {
    let mut parts = user.split('%');
    let mut out = parts.next()?.to_owned();
    for part in parts {
        let (digits, rest) = part.split_at_checked(2)?;
        let byte = u8::from_str_radix(digits, 16).ok().filter(|_| digits.bytes().all(|b| b.is_ascii_hexdigit()))?;
        if byte.is_ascii_alphanumeric() || b"-_.!~*'()".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push('%');
            out.push_str(&digits.to_ascii_uppercase());
        }
        out.push_str(rest);
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn one_person_has_one_address() {
        for same in [
            "sip:alice@example.org",
            "alice@example.org",
            "SIP:alice@EXAMPLE.org",
            "<sip:alice@example.org>",
            "sip:alice@example.org;tag=1",
            "<sip:alice@example.org;transport=tcp?x=y>;tag=1",
            "Alice <sip:alice@example.org>",
            "\"A \\\" <sip:eve@x>\" <sip:alice@example.org>",
            "sip:alice:secret@example.org",
            "sip:%61l%69ce@example.org",
        ] {
            assert_eq!(bare(same).unwrap().as_str(), "sip:alice@example.org", "{same}");
        }
        // a user's own ';' is not its escape (§19.1.4), and what is made of an address is the same address
        for same in ["<sip:al;ice?,@Example.org;tag=2>;tag=1", "sip:al;ice?,@example.org;tag=1", "sip:al;ice?,@example.org"] {
            assert_eq!(bare(same).unwrap().as_str(), "sip:al;ice?,@example.org", "{same}");
        }
        assert_eq!(bare("sip:al%3bice@example.org").unwrap().as_str(), "sip:al%3Bice@example.org");
        assert_eq!(bare("sips:bob@[::1]:5061").unwrap().as_str(), "sips:bob@[::1]:5061");
        assert_eq!(bare("sip:a%2fb@x").unwrap().as_str(), "sip:a%2Fb@x");
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for bad in [
            "",
            "sip:",
            "example.org",
            "sip:example.org",
            "sip:@x",
            "sip:a@",
            "sip:a b@x",
            "sip:a@x y",
            "sip:a@x:0",
            "sip:x;tag=a",
            "sip:x;a=\"b@c\"",
            "sip:a@x:99999",
            "sip:a@[::1",
            "<sip:a@x",
            "sip:a\r\nX: y@x",
            "sip:a%4@x",
            "sip:a%zz@x",
            "sip:a%+1@x",
            "tel:+49123",
            "\"open <sip:a@x>",
        ] {
            assert!(bare(bad).is_err(), "{bad:?}");
        }
        assert!(bare(&format!("sip:{}@x", "a".repeat(600))).is_err());
    }

    #[test]
    #[cfg(feature = "connection")]
    fn parts_are_found() {
        assert_eq!((user_of("sip:alice@[::1]:5"), host_of("sip:alice@[::1]:5")), ("alice", "::1"));
        assert_eq!((user_of("sip:bob@x.org:5070"), host_of("sip:bob@x.org:5070")), ("bob", "x.org"));
    }
}
