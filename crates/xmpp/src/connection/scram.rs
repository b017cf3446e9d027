//! SCRAM (RFC 5802, RFC 7677) as a client, one exchange; sans-IO. Owns the checks that keep a server honest: its nonce extends ours,
//! its iteration count is neither weak nor endless, its signature proves that it knows the password.
use super::pin::{Binding, Mechanism};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use sasl::common::Password;
use sasl::common::scram::{ScramProvider, Sha1, Sha256};
use subtle::ConstantTimeEq as _;
use zeroize::{Zeroize as _, Zeroizing};

/// RFC 5802 §5.1: fewer make guessing cheap for whoever listened.
const ITERATIONS_AT_LEAST: u32 = 4096;
/// More would be work that a server makes us do.
const ITERATIONS_AT_MOST: u32 = 1_000_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ScramError {
    /// Not what RFC 5802 says.
    Malformed,
    /// Its iteration count is out of bounds.
    Iterations,
    /// Its signature is not of this password.
    Signature,
    /// The server says that the bindings differ.
    Binding,
    /// The server says that the proof is wrong.
    Refused,
}
/// What the client says about channel binding (RFC 5802 §6).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Gs2 {
    /// `n`: not possible here.
    No,
    /// `y`: possible here, and the server did not offer it; a server that did offer it then knows that somebody cut it out.
    Unoffered,
    /// `p=`: used.
    Used { binding: Binding, data: Vec<u8> },
}
impl Gs2 {
    fn header(&self) -> String {
        match self {
            Gs2::No => "n,,".into(),
            Gs2::Unoffered => "y,,".into(),
            Gs2::Used { binding, .. } => format!("p={binding},,"),
        }
    }
}
pub(super) struct Scram {
    sha256: bool,
    gs2: Gs2,
    nonce: String,
    first_bare: String,
    signature: Option<Zeroizing<Vec<u8>>>,
}
impl Scram {
    /// `nonce`: fresh, printable, without commas.
    pub(super) fn new(mechanism: Mechanism, gs2: Gs2, user: &str, nonce: String) -> Self {
        let sha256 = matches!(mechanism, Mechanism::ScramSha256 | Mechanism::ScramSha256Plus);
        let user = user.replace('=', "=3D").replace(',', "=2C");
        Scram { sha256, gs2, first_bare: format!("n={user},r={nonce}"), nonce, signature: None }
    }
    /// client-first-message.
    pub(super) fn first(&self) -> Vec<u8> {
        format!("{}{}", self.gs2.header(), self.first_bare).into_bytes()
    }
    /// client-final-message. Slow by design: the password is derived here.
    pub(super) fn answer(&mut self, challenge: &[u8], password: &str) -> Result<Vec<u8>, ScramError> {
        if self.sha256 { self.answer_with::<Sha256>(challenge, password) } else { self.answer_with::<Sha1>(challenge, password) }
    }
    fn answer_with<S: ScramProvider>(&mut self, challenge: &[u8], password: &str) -> Result<Vec<u8>, ScramError> {
        let challenge = std::str::from_utf8(challenge).map_err(|_| ScramError::Malformed)?;
        if let Some(error) = challenge.strip_prefix("e=") {
            return Err(of_server(error));
        }
        let mut fields = challenge.split(',');
        // `m=` first would be an extension that must be understood: RFC 5802 §5.1
        let nonce = fields.next().and_then(|f| f.strip_prefix("r=")).ok_or(ScramError::Malformed)?;
        let salt = fields.next().and_then(|f| f.strip_prefix("s=")).and_then(|s| BASE64.decode(s).ok()).ok_or(ScramError::Malformed)?;
        let iterations: u32 = fields.next().and_then(|f| f.strip_prefix("i=")).and_then(|i| i.parse().ok()).ok_or(ScramError::Malformed)?;
        if nonce.len() <= self.nonce.len() || !nonce.starts_with(&self.nonce) || salt.is_empty() {
            return Err(ScramError::Malformed);
        }
        if !(ITERATIONS_AT_LEAST..=ITERATIONS_AT_MOST).contains(&iterations) {
            return Err(ScramError::Iterations);
        }
        let mut bound = self.gs2.header().into_bytes();
        if let Gs2::Used { data, .. } = &self.gs2 {
            bound.extend(data);
        }
        let without_proof = format!("c={},r={nonce}", BASE64.encode(bound));
        let auth = format!("{},{challenge},{without_proof}", self.first_bare);
        let mut secret = Password::Plain(password.into());
        let salted = S::derive(&secret, &salt, iterations).map(Zeroizing::new);
        if let Password::Plain(text) = &mut secret {
            text.zeroize();
        }
        let salted = salted.map_err(|_| ScramError::Malformed)?;
        let hmac = |data: &[u8], key: &[u8]| S::hmac(data, key).map(Zeroizing::new).map_err(|_| ScramError::Malformed);
        let client_key = hmac(b"Client Key", &salted)?;
        let server_key = hmac(b"Server Key", &salted)?;
        let stored_key = Zeroizing::new(S::hash(&client_key));
        let signature = hmac(auth.as_bytes(), &stored_key)?;
        let proof: Vec<u8> = client_key.iter().zip(signature.iter()).map(|(a, b)| a ^ b).collect();
        self.signature = Some(hmac(auth.as_bytes(), &server_key)?);
        Ok(format!("{without_proof},p={}", BASE64.encode(proof)).into_bytes())
    }
    /// server-final-message. Whoever does not pass this does not know the password.
    pub(super) fn verify(&self, last: &[u8]) -> Result<(), ScramError> {
        let last = std::str::from_utf8(last).map_err(|_| ScramError::Malformed)?;
        if let Some(error) = last.strip_prefix("e=") {
            return Err(of_server(error));
        }
        let shown = last.split(',').next().and_then(|f| f.strip_prefix("v=")).and_then(|v| BASE64.decode(v).ok()).ok_or(ScramError::Malformed)?;
        let own = self.signature.as_ref().ok_or(ScramError::Signature)?;
        if bool::from(shown.as_slice().ct_eq(own)) { Ok(()) } else { Err(ScramError::Signature) }
    }
}
fn of_server(error: &str) -> ScramError {
    match error.split(',').next().unwrap_or_default() {
        "channel-bindings-dont-match" | "server-does-support-channel-binding" | "channel-binding-not-supported" => ScramError::Binding,
        "invalid-proof" | "unknown-user" => ScramError::Refused,
        _ => ScramError::Malformed,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_examples_of_the_specifications() {
        // RFC 5802 §5
        let mut scram = Scram::new(Mechanism::ScramSha1, Gs2::No, "user", "fyko+d2lbbFgONRv9qkxdawL".into());
        assert_eq!(scram.first(), b"n,,n=user,r=fyko+d2lbbFgONRv9qkxdawL");
        let last = scram.answer(b"r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096", "pencil").unwrap();
        assert_eq!(last, b"c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=");
        assert_eq!(scram.verify(b"v=rmF9pqV8S7suAoZWja4dJRkFsKQ="), Ok(()));
        assert_eq!(scram.verify(b"v=rmF9pqV8S7suAoZWja4dJRkFsKR="), Err(ScramError::Malformed)); // no canonical base64
        assert_eq!(scram.verify(b"v=rmF9pqV8S7suAoZWja4dJRkFsKU="), Err(ScramError::Signature));
        // RFC 7677 §3
        let mut scram = Scram::new(Mechanism::ScramSha256, Gs2::No, "user", "rOprNGfwEbeRWgbNEkqO".into());
        let challenge = b"r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";
        let last = scram.answer(challenge, "pencil").unwrap();
        assert_eq!(last, b"c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=");
        assert_eq!(scram.verify(b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="), Ok(()));
    }

    #[test]
    fn dishonest_servers_are_caught() {
        let answer = |challenge: &[u8]| Scram::new(Mechanism::ScramSha256, Gs2::Unoffered, "u", "abc".into()).answer(challenge, "p");
        for bad in [
            &b"r=abcX,s=AAAA"[..],
            b"r=abc,s=AAAA,i=4096",
            b"r=xbcX,s=AAAA,i=4096",
            b"r=abcX,s=,i=4096",
            b"r=abcX,s=!,i=4096",
            b"m=1,r=abcX,s=AAAA,i=4096",
            b"r=abcX,s=AAAA,i=-1",
            b"\xff",
            b"",
        ] {
            assert_eq!(answer(bad), Err(ScramError::Malformed));
        }
        assert_eq!(answer(b"r=abcX,s=AAAA,i=4095"), Err(ScramError::Iterations));
        assert_eq!(answer(b"r=abcX,s=AAAA,i=1000001"), Err(ScramError::Iterations));
        assert_eq!(answer(b"r=abcX,s=AAAA,i=4294967295"), Err(ScramError::Iterations));
        assert_eq!(answer(b"r=abcX,s=AAAA,i=4294967296"), Err(ScramError::Malformed));
        assert_eq!(answer(b"e=channel-bindings-dont-match"), Err(ScramError::Binding));
        let unasked = Scram::new(Mechanism::ScramSha256, Gs2::No, "u", "abc".into());
        assert_eq!(unasked.verify(b"v=AAAA"), Err(ScramError::Signature));
    }

    #[test]
    fn names_are_escaped_and_bindings_announced() {
        let scram = Scram::new(Mechanism::ScramSha256Plus, Gs2::Used { binding: Binding::Exporter, data: vec![1] }, "a=b,c", "n".into());
        assert_eq!(scram.first(), b"p=tls-exporter,,n=a=3Db=2Cc,r=n");
    }
}
