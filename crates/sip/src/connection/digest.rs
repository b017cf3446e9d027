//! Challenges and their answers (RFC 3261 §22, RFC 8760): MD5 and SHA-256, with `qop=auth` or none.
//!
//! rsipstack computes the hash. Its reader of challenges knows neither `SHA-256` (it wants `SHA256`) nor a list of qop, and its
//! writer gives `qop` in quotes; so those are here.
use rsipstack::sip::headers::auth::{Algorithm, AuthQop};
use rsipstack::sip::{DigestGenerator, Method, Uri};
use zeroize::Zeroizing;

/// One `WWW-Authenticate` or `Proxy-Authenticate`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Challenge {
    pub realm: String,
    nonce: String,
    opaque: Option<String>,
    algorithm: &'static str,
    is_sha256: bool,
    qop: bool,
    /// The password was right, the nonce too old.
    pub stale: bool,
}
/// A name and a password.
#[derive(Clone)]
pub(super) struct Credentials {
    pub name: String,
    pub password: Zeroizing<String>,
}

impl Challenge {
    /// The first of several that can be answered (RFC 8760 §2.4), else why none can.
    pub fn choose<'a>(values: impl Iterator<Item = &'a str>) -> Result<Self, String> {
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
        let params = params(rest).ok_or("the challenge is not well-formed")?;
        let get = |name: &str| params.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| value.clone());
        let (algorithm, is_sha256) = match get("algorithm") {
            None => ("MD5", false),
            Some(name) if name.eq_ignore_ascii_case("MD5") => ("MD5", false),
            Some(name) if name.eq_ignore_ascii_case("SHA-256") => ("SHA-256", true),
            Some(name) => return Err(format!("only MD5 and SHA-256 are known, not {:?}", name.chars().take(40).collect::<String>())),
        };
        let qop = match get("qop") {
            None => false,
            Some(list) if list.split(',').any(|qop| qop.trim().eq_ignore_ascii_case("auth")) => true,
            Some(_) => return Err("only qop=auth is known".into()),
        };
        Ok(Challenge {
            realm: get("realm").ok_or("the challenge has no realm")?,
            nonce: get("nonce").ok_or("the challenge has no nonce")?,
            opaque: get("opaque"),
            algorithm,
            is_sha256,
            qop,
            stale: get("stale").is_some_and(|stale| stale.eq_ignore_ascii_case("true")),
        })
    }
    /// The value of `Authorization` or `Proxy-Authorization`. `cnonce`: random, letters and digits.
    pub fn answer(&self, credentials: &Credentials, method: Method, uri: &Uri, cnonce: String) -> String {
        let Challenge { realm, nonce, algorithm, .. } = self;
        let qop = self.qop.then(|| AuthQop::Auth { cnonce: cnonce.clone(), nc: 1 });
        let response = Zeroizing::new(
            DigestGenerator {
                username: &credentials.name,
                password: &credentials.password,
                nonce,
                uri,
                realm,
                method: &method,
                qop: qop.as_ref(),
                algorithm: if self.is_sha256 { Algorithm::Sha256 } else { Algorithm::Md5 },
            }
            .compute(),
        );
        let name = credentials.name.replace('\\', "\\\\").replace('"', "\\\"");
        let mut value = format!(
            "Digest username=\"{name}\", realm=\"{realm}\", nonce=\"{nonce}\", uri=\"{uri}\", response=\"{}\", algorithm={algorithm}",
            response.as_str()
        );
        if let Some(opaque) = &self.opaque {
            value.push_str(&format!(", opaque=\"{opaque}\""));
        }
        if qop.is_some() {
            value.push_str(&format!(", qop=auth, nc=00000001, cnonce=\"{cnonce}\""));
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
                let mut escaped = false;
                let end = quoted.bytes().position(|b| {
                    let ends = b == b'"' && !escaped;
                    escaped = b == b'\\' && !escaped;
                    ends
                })?;
                let (value, after) = quoted.split_at_checked(end)?;
                rest = after.get(1..)?.trim_start();
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    fn credentials(name: &str, password: &str) -> Credentials {
        Credentials { name: name.into(), password: Zeroizing::new(password.into()) }
    }
    fn uri(rest: &str) -> Uri {
        Uri { scheme: Some(rsipstack::sip::Scheme::Sip), host_with_port: Domain(rest.into()).into(), ..Uri::default() }
    }
    use rsipstack::sip::Domain;

    /// Computed with Python's hashlib by the formula of RFC 2617 §3.2.2 and RFC 7616 §3.4.1.
    #[test]
    fn known_answers() {
        for (algorithm, qop, response) in [
            ("", "", "467fa76ab1eb20edd29e4cb3acc00579"),
            (", algorithm=MD5", ", qop=\"auth,auth-int\"", "d82b831658aa9f22201ecb3991f64fd1"),
            (", algorithm=SHA-256", ", qop=\"auth\"", "a61890431b75c80d178b1f62e241c5ff8837258d7427f6da283d98dbca3e4bbf"),
        ] {
            let challenge = format!("Digest realm=\"sip.test\", nonce=\"n0nce\", opaque=\"o\"{algorithm}{qop}");
            let challenge = Challenge::choose([challenge.as_str()].into_iter()).unwrap();
            let value = challenge.answer(&credentials("alice", "s3cret"), Method::Register, &uri("sip.test"), "0a4f113b".into());
            assert!(value.contains(&format!("response=\"{response}\"")), "{value}");
            assert!(value.contains("uri=\"sip:sip.test\"") && value.contains("opaque=\"o\""), "{value}");
            assert_eq!(value.contains("qop=auth, nc=00000001, cnonce=\"0a4f113b\""), !qop.is_empty(), "{value}");
        }
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
            "Digest realm=a, nonce=b, qop=auth-int",
        ] {
            assert!(Challenge::choose([bad].into_iter()).is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn nothing_panics(text in "(Digest )?[ -~\u{e9}]{0,80}") {
            let _ = Challenge::choose([text.as_str()].into_iter());
        }
    }
}
