//! The strongest way of logging in that an account has shown: never a weaker one again.
use std::str::FromStr;

/// The ways of logging in, the weakest first. `PLAIN` sends the password; SCRAM (RFC 5802, 7677) proves it; `-PLUS` also proves that
/// both ends see the same TLS connection (RFC 5929, 9266).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Mechanism {
    /// RFC 4616.
    Plain,
    /// RFC 5802.
    ScramSha1,
    /// RFC 7677.
    ScramSha256,
    /// RFC 5802, with channel binding.
    ScramSha1Plus,
    /// RFC 7677, with channel binding.
    ScramSha256Plus,
}
impl Mechanism {
    /// All, the strongest first.
    pub(crate) const ALL: [Mechanism; 5] =
        [Mechanism::ScramSha256Plus, Mechanism::ScramSha1Plus, Mechanism::ScramSha256, Mechanism::ScramSha1, Mechanism::Plain];
    /// As on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            Mechanism::Plain => "PLAIN",
            Mechanism::ScramSha1 => "SCRAM-SHA-1",
            Mechanism::ScramSha256 => "SCRAM-SHA-256",
            Mechanism::ScramSha1Plus => "SCRAM-SHA-1-PLUS",
            Mechanism::ScramSha256Plus => "SCRAM-SHA-256-PLUS",
        }
    }
    /// It binds to the TLS connection.
    pub const fn is_bound(self) -> bool {
        matches!(self, Mechanism::ScramSha1Plus | Mechanism::ScramSha256Plus)
    }
}
impl std::fmt::Display for Mechanism {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// What the app stores beside the password and gives back at the next login. Text: [`std::fmt::Display`], [`FromStr`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Pin(pub(crate) Mechanism);
impl Pin {
    /// The strongest way that this account used.
    pub fn mechanism(self) -> Mechanism {
        self.0
    }
}
impl std::fmt::Display for Pin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}
/// Not what a [`Pin`] was written as.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("what is stored about this account's login can't be read")]
pub struct PinError;
impl FromStr for Pin {
    type Err = PinError;
    fn from_str(text: &str) -> Result<Self, PinError> {
        Mechanism::ALL.into_iter().find(|m| m.name() == text).map(Pin).ok_or(PinError)
    }
}
