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

/// What a `-PLUS` login is bound to, the weakest first. The certificate is the same on every connection, and whoever has its key
/// can stand in between; the exporter is of this one connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Binding {
    /// `tls-server-end-point`: the server's certificate (RFC 5929 §4).
    EndPoint,
    /// `tls-exporter`: this TLS 1.3 connection (RFC 9266).
    Exporter,
}
impl Binding {
    /// All, the strongest first.
    pub(crate) const ALL: [Binding; 2] = [Binding::Exporter, Binding::EndPoint];
    /// As on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            Binding::EndPoint => "tls-server-end-point",
            Binding::Exporter => "tls-exporter",
        }
    }
}
impl std::fmt::Display for Binding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// What the app stores beside the password and gives back at the next login: the mechanism, and what it was bound to. Text:
/// [`std::fmt::Display`], [`FromStr`]; a mechanism alone is read as bound to no more than the certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Pin {
    mechanism: Mechanism,
    binding: Option<Binding>,
}
impl Pin {
    /// `binding` counts with a `-PLUS` mechanism only, and is at least the certificate there.
    pub(crate) fn new(mechanism: Mechanism, binding: Option<Binding>) -> Self {
        let binding = mechanism.is_bound().then(|| binding.unwrap_or(Binding::EndPoint));
        Pin { mechanism, binding }
    }
    /// The strongest way that this account used.
    pub fn mechanism(self) -> Mechanism {
        self.mechanism
    }
    /// What it was bound to.
    pub fn binding(self) -> Option<Binding> {
        self.binding
    }
    /// Neither the mechanism nor the binding is weaker than in `other`.
    pub fn covers(self, other: Pin) -> bool {
        self.mechanism >= other.mechanism && self.binding >= other.binding
    }
}
impl std::fmt::Display for Pin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.mechanism.fmt(f)?;
        match self.binding {
            Some(binding) => write!(f, " {binding}"),
            None => Ok(()),
        }
    }
}
/// Not what a [`Pin`] was written as.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("what is stored about this account's login can't be read")]
pub struct PinError;
impl FromStr for Pin {
    type Err = PinError;
    fn from_str(text: &str) -> Result<Self, PinError> {
        let (mechanism, binding) = text.split_once(' ').map_or((text, None), |(mechanism, binding)| (mechanism, Some(binding)));
        let mechanism = Mechanism::ALL.into_iter().find(|m| m.name() == mechanism).ok_or(PinError)?;
        let binding = match binding {
            Some(name) if mechanism.is_bound() => Some(Binding::ALL.into_iter().find(|b| b.name() == name).ok_or(PinError)?),
            Some(_) => return Err(PinError),
            None => None,
        };
        Ok(Pin::new(mechanism, binding))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn pins_survive_their_text_and_are_ordered() {
        for mechanism in Mechanism::ALL {
            for binding in [None, Some(Binding::EndPoint), Some(Binding::Exporter)] {
                let pin = Pin::new(mechanism, binding);
                assert_eq!(pin.to_string().parse(), Ok(pin));
            }
        }
        assert!(Mechanism::ALL.is_sorted_by(|a, b| a > b) && Binding::ALL.is_sorted_by(|a, b| a > b));
        assert_eq!(Pin::new(Mechanism::ScramSha256Plus, Some(Binding::Exporter)).to_string(), "SCRAM-SHA-256-PLUS tls-exporter");
        for bad in ["DIGEST-MD5", "", "SCRAM-SHA-256 tls-exporter", "SCRAM-SHA-256-PLUS tls-unique", "SCRAM-SHA-256-PLUS ", "PLAIN "] {
            assert_eq!(bad.parse::<Pin>(), Err(PinError), "{bad}");
        }
    }
    #[test]
    fn neither_half_may_be_weaker() {
        let pin = |text: &str| text.parse::<Pin>().unwrap();
        let order = ["PLAIN", "SCRAM-SHA-1", "SCRAM-SHA-256", "SCRAM-SHA-256-PLUS tls-server-end-point", "SCRAM-SHA-256-PLUS tls-exporter"];
        for (i, stronger) in order.iter().enumerate() {
            for (j, weaker) in order.iter().enumerate() {
                assert_eq!(pin(stronger).covers(pin(weaker)), i >= j, "{stronger} {weaker}");
            }
        }
        // written before the binding was
        assert!(pin("SCRAM-SHA-256-PLUS tls-server-end-point").covers(pin("SCRAM-SHA-256-PLUS")));
        let (one, other) = (pin("SCRAM-SHA-1-PLUS tls-exporter"), pin("SCRAM-SHA-256-PLUS tls-server-end-point"));
        assert!(!one.covers(other) && !other.covers(one));
    }
}
