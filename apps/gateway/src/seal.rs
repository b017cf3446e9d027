//! The secret in a browser's cookie, and the password that only it opens.
//!
//! The database has the token's SHA-256 and the password under a key that is derived from the token: whoever has the database alone
//! has neither. Knows no cookies and no tables.
use aes_gcm::aead::{Aead as _, Payload};
use aes_gcm::{Aes256Gcm, KeyInit as _, Nonce};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use hkdf::Hkdf;
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

/// Bytes of a token.
const TOKEN: usize = 32;
/// Bytes of a nonce.
const NONCE: usize = 12;

/// What a cookie holds.
pub struct Token(Zeroizing<[u8; TOKEN]>);
impl Token {
    /// A new one. `None`: the system has no randomness.
    pub fn new() -> Option<Self> {
        let mut bytes = Zeroizing::new([0; TOKEN]);
        getrandom::fill(bytes.as_mut_slice()).ok()?;
        Some(Token(bytes))
    }
    /// From a cookie's value.
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = Zeroizing::new(BASE64.decode(text).ok()?);
        Some(Token(Zeroizing::new(bytes.as_slice().try_into().ok()?)))
    }
    /// As a cookie's value.
    pub fn text(&self) -> Zeroizing<String> {
        Zeroizing::new(BASE64.encode(self.0.as_slice()))
    }
    /// As the database has it.
    pub fn hash(&self) -> Vec<u8> {
        Sha256::digest(self.0.as_slice()).to_vec()
    }
    /// Seals a password for this account. `None`: the system has no randomness.
    pub fn seal(&self, jid: &str, password: &str) -> Option<Vec<u8>> {
        let mut nonce = [0; NONCE];
        getrandom::fill(&mut nonce).ok()?;
        let payload = Payload { msg: password.as_bytes(), aad: jid.as_bytes() };
        let sealed = self.cipher()?.encrypt(&Nonce::from(nonce), payload).ok()?;
        Some([nonce.as_slice(), &sealed].concat())
    }
    /// Opens what [`Token::seal`] made with this token for this account.
    pub fn open(&self, jid: &str, sealed: &[u8]) -> Option<Zeroizing<String>> {
        let (nonce, sealed) = sealed.split_first_chunk::<NONCE>()?;
        let payload = Payload { msg: sealed, aad: jid.as_bytes() };
        let bytes = Zeroizing::new(self.cipher()?.decrypt(&Nonce::from(*nonce), payload).ok()?);
        std::str::from_utf8(&bytes).ok().map(|text| Zeroizing::new(text.to_owned()))
    }
    fn cipher(&self) -> Option<Aes256Gcm> {
        let mut key = Zeroizing::new([0; 32]);
        Hkdf::<Sha256>::new(None, self.0.as_slice()).expand(b"subrosa gateway: password of an account", key.as_mut_slice()).ok()?;
        Aes256Gcm::new_from_slice(key.as_slice()).ok()
    }
}
impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Token")
    }
}

/// A random number that fits SQL's BIGINT and JavaScript's numbers. `None`: the system has no randomness.
pub fn random_id() -> Option<i64> {
    let mut bytes = [0; 8];
    getrandom::fill(&mut bytes).ok()?;
    i64::try_from(u64::from_le_bytes(bytes) >> 12).ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::arithmetic_side_effects)]
    use super::*;

    #[test]
    fn only_its_token_opens_a_password() {
        let token = Token::new().unwrap();
        let mut sealed = token.seal("alice@x", "secret").unwrap();
        assert_eq!(Token::parse(&token.text()).unwrap().open("alice@x", &sealed).unwrap().as_str(), "secret");
        assert!(Token::new().unwrap().open("alice@x", &sealed).is_none());
        assert!(token.open("bob@x", &sealed).is_none());
        assert!(!sealed.windows(6).any(|w| w == b"secret"));
        let last = sealed.len() - 1;
        sealed[last] ^= 1;
        assert!(token.open("alice@x", &sealed).is_none());
        assert!(token.open("alice@x", &[]).is_none());
    }

    #[test]
    fn what_is_no_token_is_refused() {
        for bad in ["", "x", "AAAA", &"A".repeat(44), "////"] {
            assert!(Token::parse(bad).is_none(), "{bad}");
        }
        assert!(!format!("{:?}", Token::new().unwrap()).contains(Token::new().unwrap().text().as_str()));
    }
}
