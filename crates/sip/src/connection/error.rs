//! Why there is no connection or registration, in sentences for a person.
use super::config::Way;
use std::net::SocketAddr;
use subrosa_engine::{Coded, Fault};

/// What a [`super::Config`] can't be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// A proxy or registrar that is no URI.
    #[error("{0:?} is not a SIP URI like sip:proxy.example.org;transport=tls")]
    Uri(String),
    /// A User-Agent that can't be a header field.
    #[error("the user agent is empty or has characters that are not allowed in a header field")]
    UserAgent,
    /// A name for challenges that can't be in a header field.
    #[error("the user name for challenges has characters that are not allowed in a header field")]
    AuthName,
}

/// Why a connection did not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The configuration can't be.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The address can't be listened on.
    #[error("can't listen on {address} ({}): {source}; choose another address or port", way.name())]
    Listen {
        /// How.
        way: Way,
        /// Where.
        address: SocketAddr,
        /// What the system says.
        source: std::io::Error,
    },
    /// The certificate or key to listen with can't be used.
    #[error("the certificate or key for TLS can't be used: {0}")]
    Certificate(String),
    /// The roots can't be used.
    #[error("the root certificates can't be used: {0}")]
    Roots(String),
}
impl Coded for StartError {
    fn code(&self) -> &'static str {
        match self {
            StartError::Config(ConfigError::Uri(_)) => "sip.config.uri",
            StartError::Config(ConfigError::UserAgent) => "sip.config.user-agent",
            StartError::Config(ConfigError::AuthName) => "sip.config.auth-name",
            StartError::Listen { .. } => "sip.listen",
            StartError::Certificate(_) => "sip.certificate",
            StartError::Roots(_) => "sip.roots",
        }
    }
    fn fault(&self) -> Fault {
        Fault::Caller
    }
}

/// Why there is no registration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RegisterError {
    /// The registrar wants a password and there is none.
    #[error("the registrar asks for a password (realm {realm:?}), and none is set")]
    NoPassword {
        /// Who asks.
        realm: String,
    },
    /// The password is wrong, or the name for it.
    #[error("the registrar does not accept the user name and password (realm {realm:?}); correct them, it is not tried again")]
    Password {
        /// Who refused.
        realm: String,
    },
    /// The challenge can't be answered.
    #[error("the registrar asks for a proof that this program does not know: {0}")]
    Challenge(String),
    /// The registrar said no.
    #[error("the registrar refuses: {code} {phrase}")]
    Refused {
        /// The code.
        code: u16,
        /// Its phrase.
        phrase: String,
    },
    /// There is no way to it now.
    #[error("the registrar can't be reached: {cause}")]
    Unreachable {
        /// Why.
        cause: String,
    },
}
impl RegisterError {
    /// Trying again by itself can't help, or would lock the account: a person has to look.
    pub(super) fn is_fatal(&self) -> bool {
        match self {
            RegisterError::NoPassword { .. } | RegisterError::Password { .. } | RegisterError::Challenge(_) => true,
            // 408, 480, 5xx: it may have another moment
            RegisterError::Refused { code, .. } => !matches!(code, 408 | 480 | 500..=599),
            RegisterError::Unreachable { .. } => false,
        }
    }
}
impl Coded for RegisterError {
    fn code(&self) -> &'static str {
        match self {
            RegisterError::NoPassword { .. } => "sip.register.no-password",
            RegisterError::Password { .. } => "sip.register.password",
            RegisterError::Challenge(_) => "sip.register.challenge",
            RegisterError::Refused { .. } => "sip.register.refused",
            RegisterError::Unreachable { .. } => "sip.register.unreachable",
        }
    }
    fn fault(&self) -> Fault {
        match self {
            RegisterError::NoPassword { .. } | RegisterError::Password { .. } => Fault::Caller,
            _ => Fault::Network,
        }
    }
}
