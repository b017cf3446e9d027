//! Challenges and their answers (RFC 7616; RFC 3261 §22, RFC 8760): MD5 because servers still ask for it, and SHA-256, with
//! `qop=auth` or none. Of SIP and of HTTP alike: method and URI are text.
use crate::address::quoted_string;
use md5::Md5;
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

/// One `WWW-Authenticate` or `Proxy-Authenticate`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Challenge {
    pub(crate) realm: String,
    nonce: String,
    opaque: Option<String>,
    is_sha256: bool,
    qop: bool,
    /// The password was right, the nonce too old.
    pub(crate) stale: bool,
}
/// A name and a password.
#[derive(Clone)]
pub(crate) struct Credentials {
    pub(crate) name: String,
    pub(crate) password: Zeroizing<String>,
}

impl Challenge {
    /// The first of several that can be answered (RFC 7616 §3.7, RFC 8760 §2.4), else why none can.
    pub(crate) fn choose<'a>(values: impl Iterator<Item = &'a str>) -> Result<Self, String> {
        let mut why = "it sent no challenge".to_owned();
        for value in values {
            match Challenge::parse(value) {
                Ok(challenge) => return Ok(challenge),
                Err(e) => why = e,
            }
        }
        Err(why)
    }
    fn parse(value: &str) -> Result<Self, String> {
        let (scheme, rest) = value.trim().split_once([' ', '\t']).ok_or("the challenge is empty")?;
        if !scheme.eq_ignore_ascii_case("digest") {
            return Err(format!("only Digest is known, not {:?}", scheme.chars().take(40).collect::<String>()));
        }
        // what is in it goes back into a header
        let params = params(rest).filter(|_| !rest.contains(char::is_control)).ok_or("the challenge is not well-formed")?;
        let get = |name: &str| params.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| value.clone());
        let is_sha256 = match get("algorithm") {
            None => false,
            Some(name) if name.eq_ignore_ascii_case("MD5") => false,
            Some(name) if name.eq_ignore_ascii_case("SHA-256") => true,
            Some(name) => return Err(format!("only MD5 and SHA-256 are known, not {:?}", name.chars().take(40).collect::<String>())),
        };
        let qop = match get("qop") {
            None => false,
            Some(list) if list.split(',').any(|qop| qop.trim().eq_ignore_ascii_case("auth")) => true,
            Some(_) => return Err("only qop=auth is known".into()),
        };
        let (realm, nonce) = (get("realm").ok_or("the challenge has no realm")?, get("nonce").ok_or("the challenge has no nonce")?);
        let stale = get("stale").is_some_and(|stale| stale.eq_ignore_ascii_case("true"));
        Ok(Challenge { realm, nonce, opaque: get("opaque"), is_sha256, qop, stale })
    }
    /// The value of `Authorization` or `Proxy-Authorization`. `cnonce`: random, letters and digits. `times`: that this nonce is answered
    /// with that, from 1.
    pub(crate) fn answer(&self, credentials: &Credentials, method: &str, uri: &str, cnonce: &str, times: u32) -> String {
        let Challenge { realm, nonce, opaque, is_sha256, qop, stale: _ } = self;
        let hash = |text: &str| if *is_sha256 { hex(&Sha256::digest(text)) } else { hex(&Md5::digest(text)) };
        let secret = Zeroizing::new(hash(&Zeroizing::new(format!("{}:{realm}:{}", credentials.name, *credentials.password))));
        let request = hash(&format!("{method}:{uri}"));
        let middle = if *qop { format!("{nonce}:{times:08x}:{cnonce}:auth") } else { nonce.clone() };
        let response = hash(&Zeroizing::new(format!("{}:{middle}:{request}", *secret)));
        let name = credentials.name.replace('\\', "\\\\").replace('"', "\\\"");
        let algorithm = if *is_sha256 { "SHA-256" } else { "MD5" };
        let mut value = format!(
            "Digest username=\"{name}\", realm=\"{realm}\", nonce=\"{nonce}\", uri=\"{uri}\", response=\"{response}\", algorithm={algorithm}"
        );
        if let Some(opaque) = opaque {
            value.push_str(&format!(", opaque=\"{opaque}\""));
        }
        if *qop {
            value.push_str(&format!(", qop=auth, nc={times:08x}, cnonce=\"{cnonce}\""));
        }
        value
    }
}
/// `name=token` and `name="quoted"`, with commas between. Quoted values stay as they are written: they go back so.
fn params(text: &str) -> Option<Vec<(String, String)>> {
    let (mut out, mut rest) = (Vec::new(), text.trim());
    while !rest.is_empty() {
        let (name, after) = rest.split_once('=')?;
        let after = after.trim_start();
        let value = match after.strip_prefix('"') {
            Some(quoted) => {
                let (value, after) = quoted_string(quoted)?;
                rest = after.trim_start();
                value
            }
            None => {
                let (value, after) = after.split_at_checked(after.find(',').unwrap_or(after.len()))?;
                rest = after;
                value.trim()
            }
        };
        out.push((name.trim().to_owned(), value.to_owned()));
        rest = match rest.strip_prefix(',') {
            Some(more) => more.trim_start(),
            None if rest.is_empty() => rest,
            None => return None,
        };
    }
    Some(out)
}
fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}
/// Sixteen random bytes as hexadecimal digits.
pub(crate) fn random() -> Result<String, getrandom::Error> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes)?;
    Ok(hex(&bytes))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    fn credentials(name: &str, password: &str) -> Credentials {
        Credentials { name: name.into(), password: Zeroizing::new(password.into()) }
    }

    #[test]
    fn the_examples_of_the_rfcs() {
        // RFC 7616 §3.9.1
        let fields = "realm=\"http-auth@example.org\", qop=\"auth, auth-int\", nonce=\"7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v\", opaque=\"FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS\"";
        let cnonce = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ";
        for (algorithm, response) in
            [("MD5", "8ca523f5e9506fed4657c9700eebdbec"), ("SHA-256", "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1")]
        {
            let challenge = Challenge::choose([format!("Digest algorithm={algorithm}, {fields}").as_str()].into_iter()).unwrap();
            let value = challenge.answer(&credentials("Mufasa", "Circle of Life"), "GET", "/dir/index.html", cnonce, 1);
            assert!(value.contains(&format!("response=\"{response}\"")), "{value}");
            assert!(value.contains("opaque=\"FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS\"") && value.contains("qop=auth, nc=00000001"), "{value}");
        }
        // RFC 2069 §2.4, as its erratum 749 corrects it
        let old = "Digest realm=\"testrealm@host.com\", nonce=\"dcd98b7102dd2f0e8b11d0f600bfb0c093\", opaque=\"5ccc069c403ebaf9f0171e9517f40e41\"";
        let value = Challenge::choose([old].into_iter()).unwrap().answer(&credentials("Mufasa", "CircleOfLife"), "GET", "/dir/index.html", cnonce, 1);
        assert!(value.contains("response=\"1949323746fe6a43ef61f9606e7febea\"") && !value.contains("cnonce"), "{value}");
    }

    #[test]
    fn the_first_that_is_known_is_answered() {
        let sha512 = "Digest realm=\"a\", nonce=\"1\", algorithm=SHA-512-256";
        let md5 = "Digest realm=\"b, \\\"c\", nonce=\"2\", stale=TRUE";
        let chosen = Challenge::choose([sha512, "Basic realm=\"x\"", md5].into_iter()).unwrap();
        assert_eq!((chosen.realm.as_str(), chosen.nonce.as_str(), chosen.stale), ("b, \\\"c", "2", true));
        assert!(Challenge::choose([sha512].into_iter()).unwrap_err().contains("SHA-512-256"));
        for bad in [
            "",
            "Digest",
            "Digest x",
            "Digest realm=\"a",
            "Digest realm=\"a\"",
            "Digest realm=\"a\", nonce=\"1\" x",
            "Digest realm=\"a\r\nb\", nonce=\"1\"",
            "Digest realm=a, nonce=b, qop=auth-int",
        ] {
            assert!(Challenge::choose([bad].into_iter()).is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn nothing_panics_and_nothing_adds_a_header(text in "(Digest realm=\"x\", )?[ -~\u{e9}\r\n]{0,80}") {
            if let Ok(challenge) = Challenge::choose([text.as_str()].into_iter()) {
                prop_assert!(!challenge.answer(&credentials("a\"b", "c"), "POST", "/", "d", 1).contains(char::is_control));
            }
        }
    }
}
