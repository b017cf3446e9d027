//! Why there is no connection, in sentences for a person.
use super::pin::Pin;
use subrosa_engine::{Coded, Fault};

/// What a [`super::Config`] can't be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The account is no address with a local part.
    #[error(transparent)]
    Address(#[from] crate::AddressError),
    /// The password has characters that are not allowed in one (RFC 4013).
    #[error("the password has characters that are not allowed in one")]
    Password,
}
impl Coded for ConfigError {
    fn code(&self) -> &'static str {
        match self {
            ConfigError::Address(_) => "config.address",
            ConfigError::Password => "config.password",
        }
    }
    fn fault(&self) -> Fault {
        Fault::Caller
    }
}

/// Why there is no connection.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// Nobody answers there.
    #[error("the server of {domain} can't be reached ({cause}); check the network and the address")]
    Unreachable {
        /// The account's domain.
        domain: String,
        /// What the system said.
        cause: String,
    },
    /// No root certificates to check the server's with.
    #[error("the root certificates can't be read ({cause}); they must be in PEM")]
    Roots {
        /// What is wrong with them.
        cause: String,
    },
    /// The certificate is not for this domain, expired, or signed by nobody we trust.
    #[error("the certificate of {domain} can't be trusted ({cause}); somebody may be listening, so nothing was sent")]
    Certificate {
        /// The account's domain.
        domain: String,
        /// What is wrong with it.
        cause: String,
    },
    /// TLS failed for another reason.
    #[error("no encrypted connection to {domain} ({cause}); ask the server's operator")]
    Tls {
        /// The account's domain.
        domain: String,
        /// What happened.
        cause: String,
    },
    /// The server offers no TLS.
    #[error("the server of {domain} offers no encryption (TLS), so nothing was sent; ask its operator")]
    NoTls {
        /// The account's domain.
        domain: String,
    },
    /// Clear text was asked for, and the address is not this machine.
    #[error("clear text is allowed to this machine only (127.0.0.1, ::1), and {host} is not; nothing was sent")]
    NotLoopback {
        /// Where it should have gone.
        host: String,
    },
    /// The server does not take the password.
    #[error("the server does not accept the password of {account}; check both and log in again")]
    Password {
        /// The account.
        account: String,
    },
    /// The account may not log in.
    #[error("the server does not let {account} log in ({condition}); ask its operator")]
    Account {
        /// The account.
        account: String,
        /// The server's word for it.
        condition: String,
    },
    /// The server refused for now.
    #[error("the server can't log anybody in at the moment ({condition}); it will be tried again")]
    Later {
        /// The server's word for it.
        condition: String,
    },
    /// Only weaker ways of logging in than before.
    #[error(
        "the server offers only weaker ways of logging in than before (at best {}, before {before}); somebody may be listening, so the password was not sent",
        .offered.map_or("none that is known".to_owned(), |pin| pin.to_string())
    )]
    Weaker {
        /// What this account used before.
        before: Pin,
        /// The best of what is offered now.
        offered: Option<Pin>,
    },
    /// No way of logging in that we know and may use.
    #[error("the server offers no way of logging in that is safe to use here; ask its operator for SCRAM-SHA-256")]
    NoMechanism,
    /// It could not prove that it knows the password: it is not the server of this account.
    #[error("the server could not prove that it knows this account; somebody may be pretending to be it")]
    Impostor,
    /// The two ends do not see the same TLS connection.
    #[error("somebody stands between here and the server (the channel binding does not match); the password was not sent")]
    ChannelBinding,
    /// Another connection took our place: the same resource was bound again.
    #[error("another program logged in with the same resource; end it, or use another resource")]
    Replaced,
    /// The server ended the stream.
    #[error("the server ended the connection ({condition})")]
    Stream {
        /// The condition of RFC 6120 §4.9.3.
        condition: String,
    },
    /// The connection broke.
    #[error("the connection was lost ({cause})")]
    Lost {
        /// What the system said.
        cause: String,
    },
    /// What came is not XMPP as we know it.
    #[error("the server does not speak XMPP as it should ({cause}); ask its operator")]
    Protocol {
        /// What was wrong.
        cause: String,
    },
}
impl Coded for ConnectError {
    fn code(&self) -> &'static str {
        match self {
            ConnectError::Unreachable { .. } => "connect.unreachable",
            ConnectError::Roots { .. } => "connect.roots",
            ConnectError::Certificate { .. } => "connect.certificate",
            ConnectError::Tls { .. } => "connect.tls",
            ConnectError::NoTls { .. } => "connect.no-tls",
            ConnectError::NotLoopback { .. } => "connect.clear-text",
            ConnectError::Password { .. } => "login.password",
            ConnectError::Account { .. } => "login.account",
            ConnectError::Later { .. } => "login.later",
            ConnectError::Weaker { .. } => "login.weaker",
            ConnectError::NoMechanism => "login.mechanism",
            ConnectError::Impostor => "login.impostor",
            ConnectError::ChannelBinding => "login.channel-binding",
            ConnectError::Replaced => "connect.replaced",
            ConnectError::Stream { .. } => "connect.stream",
            ConnectError::Lost { .. } => "connect.lost",
            ConnectError::Protocol { .. } => "connect.protocol",
        }
    }
    fn fault(&self) -> Fault {
        match self {
            ConnectError::Password { .. } | ConnectError::NotLoopback { .. } | ConnectError::Roots { .. } => Fault::Caller,
            _ => Fault::Network,
        }
    }
}
impl ConnectError {
    /// Trying again by itself can't help, or would do harm: a person has to look. `before`: this connection was online before,
    /// so that a certificate that is suddenly wrong is rather the hotel's than ours.
    pub(crate) fn is_fatal(&self, before: bool) -> bool {
        match self {
            ConnectError::Certificate { .. } | ConnectError::NoTls { .. } => !before,
            ConnectError::NotLoopback { .. }
            | ConnectError::Roots { .. }
            | ConnectError::Password { .. }
            | ConnectError::Account { .. }
            | ConnectError::Weaker { .. }
            | ConnectError::NoMechanism
            | ConnectError::Impostor
            | ConnectError::ChannelBinding
            | ConnectError::Replaced => true,
            _ => false,
        }
    }
    pub(crate) fn protocol(cause: impl Into<String>) -> Self {
        ConnectError::Protocol { cause: cause.into() }
    }
    pub(crate) fn lost(cause: impl std::fmt::Display) -> Self {
        ConnectError::Lost { cause: cause.to_string() }
    }
}
