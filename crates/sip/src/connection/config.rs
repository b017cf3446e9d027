//! What a connection is told: who, by which way, and how much anybody else may cost.
use super::error::ConfigError;
use crate::{AddressError, bare};
use std::net::SocketAddr;
use std::time::Duration;
use subrosa_engine::Address;
use zeroize::Zeroizing;

/// How messages travel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Way {
    /// Datagrams: up to 1300 bytes (RFC 3261 §18.1.1).
    Udp,
    /// A stream in clear.
    Tcp,
    /// A stream over TLS.
    Tls,
}
impl Way {
    /// As Via and URIs name it.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Way::Udp => "UDP",
            Way::Tcp => "TCP",
            Way::Tls => "TLS",
        }
    }
    /// The default port (RFC 3261 §19.1.2).
    pub(super) const fn port(self) -> u16 {
        match self {
            Way::Tls => 5061,
            _ => 5060,
        }
    }
}

/// Where to listen. Port 0: any that is free.
#[derive(Clone)]
#[non_exhaustive]
pub enum Listen {
    /// For datagrams. Messages over UDP leave from here too.
    Udp(SocketAddr),
    /// For streams.
    Tcp(SocketAddr),
    /// For streams over TLS.
    Tls {
        /// Where.
        address: SocketAddr,
        /// The certificate and those above it, in PEM.
        certificate: Vec<u8>,
        /// The key of the certificate, in PEM (PKCS #8, PKCS #1 or SEC 1).
        key: Zeroizing<Vec<u8>>,
    },
}
impl Listen {
    /// For streams over TLS, with a certificate and its key in PEM.
    pub fn tls(address: SocketAddr, certificate: Vec<u8>, key: Vec<u8>) -> Self {
        Listen::Tls { address, certificate, key: Zeroizing::new(key) }
    }
}
impl std::fmt::Debug for Listen {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Listen::Udp(address) => write!(f, "Udp({address})"),
            Listen::Tcp(address) => write!(f, "Tcp({address})"),
            Listen::Tls { address, .. } => write!(f, "Tls({address})"),
        }
    }
}

/// Whose signature under a server's certificate counts.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Roots {
    /// Those that the system trusts.
    #[default]
    System,
    /// These and no others: certificates in PEM.
    Pem(Vec<u8>),
    /// Anybody's. Whoever is on the way can read and change everything: for tests only.
    NoVerification,
}

/// How much others may cost. Every one of them is what a stranger could otherwise make grow.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// The largest body that is taken, in bytes; more is answered 413. 256 KiB.
    pub body: usize,
    /// The largest head (start line and header fields), in bytes. A stream that sends a larger one is closed. 16 KiB.
    pub head: usize,
    /// Messages that wait for their answer; more are answered 503. 4096.
    pub held: usize,
    /// Bytes in the bodies of these; a message with which they were more is answered 503. 32 MiB.
    pub held_bytes: usize,
    /// Answers over UDP that are kept for 32 s, to be given again; those beyond are not kept. 20,000.
    pub kept_answers: usize,
    /// Streams that others opened; more are closed at once. 256.
    pub connections: usize,
    /// Of these from one IP address: one stranger alone must not take all. 64.
    pub connections_each: usize,
    /// Messages that wait for one stream to take them; whoever sends the next waits. 256.
    pub queued: usize,
}
impl Default for Limits {
    fn default() -> Self {
        Limits {
            body: 256 * 1024,
            head: 16 * 1024,
            held: 4096,
            held_bytes: 32 << 20,
            kept_answers: 20_000,
            connections: 256,
            connections_each: 64,
            queued: 256,
        }
    }
}

/// How long things may take.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Timeouts {
    /// One request with all that belongs to it: resolving, connecting, challenges, the answer (Timer F of RFC 3261 §17.1.2.2). 32 s.
    pub answer: Duration,
    /// Resolving a name, opening a stream, TLS included. 8 s each.
    pub connect: Duration,
    /// The first pause before a datagram is sent again (T1); it doubles up to 4 s (T2). 500 ms.
    pub resend: Duration,
    /// A message that nobody answered by then is answered 480, whatever its [`crate::AnswerHandle`] does. 30 s.
    pub hold: Duration,
    /// A message must be complete so long after its first byte, and taken by the other side so long after its first byte left. 20 s.
    pub message: Duration,
    /// A stream that carries nothing is closed after so long. 15 min.
    pub idle: Duration,
    /// After so long without a word on a stream that we opened, a line break is sent, so that it stays open (RFC 5626 §4.4.1). 60 s.
    pub keepalive: Duration,
    /// The first pause after a registration that failed for the network's reasons, or whose stream was closed; doubles up to [`Timeouts::retry_at_most`]. 2 s.
    pub retry: Duration,
    /// The longest pause. 2 min.
    pub retry_at_most: Duration,
}
impl Default for Timeouts {
    fn default() -> Self {
        let s = Duration::from_secs;
        Timeouts {
            answer: s(32),
            connect: s(8),
            resend: Duration::from_millis(500),
            hold: s(30),
            message: s(20),
            idle: s(15 * 60),
            keepalive: s(60),
            retry: s(2),
            retry_at_most: s(120),
        }
    }
}

/// One account, and the ways to and from it.
#[derive(Clone)]
#[non_exhaustive]
pub struct Config {
    account: Address,
    /// For challenges (RFC 3261 §22). `None`: a challenge is an answer like any other.
    pub password: Option<Zeroizing<String>>,
    /// The name that challenges are answered with. `None`: the account's user part.
    pub auth_name: Option<String>,
    /// The one realm that gets an answer to its challenge. `None`: that of the registrar, the account's domain, and that of
    /// [`Config::proxy`].
    pub realm: Option<String>,
    /// Register, and stay registered. At first `false`.
    pub register: bool,
    /// Where to register: a URI. `None`: the account's domain.
    pub registrar: Option<String>,
    /// For how long a registration is asked, in whole seconds. It is refreshed before that. 10 min.
    pub expires: Duration,
    /// Everything goes there first: `sip:127.0.0.1:5070;transport=tcp`. `None`: to where the recipient's address points (RFC 3263
    /// without NAPTR).
    pub proxy: Option<String>,
    /// How to reach who does not say: no `transport` in the URI, no SRV records. `None`: by UDP.
    pub way: Option<Way>,
    /// Where to listen. At first UDP and TCP on any free port.
    pub listen: Vec<Listen>,
    /// The address that others are told to use, where it is not the one of the socket. `None`: that of the socket.
    pub public: Option<std::net::IpAddr>,
    /// Whose certificates count, for TLS that we open.
    pub roots: Roots,
    /// The User-Agent field. At first the name and version of this crate.
    pub user_agent: String,
    /// How much others may cost.
    pub limits: Limits,
    /// How long things may take.
    pub timeouts: Timeouts,
}
impl Config {
    /// An account that is reached where it listens, without registration.
    ///
    /// # Errors
    /// [`AddressError`]: `account` is no address.
    pub fn new(account: &str) -> Result<Self, AddressError> {
        Ok(Config {
            account: bare(account)?,
            password: None,
            auth_name: None,
            realm: None,
            register: false,
            registrar: None,
            expires: Duration::from_secs(600),
            proxy: None,
            way: None,
            listen: vec![Listen::Udp(SocketAddr::from(([0; 4], 0))), Listen::Tcp(SocketAddr::from(([0; 4], 0)))],
            public: None,
            roots: Roots::System,
            user_agent: concat!("Subrosa/", env!("CARGO_PKG_VERSION")).into(),
            limits: Limits::default(),
            timeouts: Timeouts::default(),
        })
    }
    /// The account's address, normalised.
    pub fn account(&self) -> &Address {
        &self.account
    }
    /// What can be seen to be wrong before anything is opened.
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        for uri in self.proxy.iter().chain(&self.registrar) {
            super::target::NextHop::parse(uri)?;
        }
        if self.user_agent.is_empty() || self.user_agent.contains(char::is_control) {
            return Err(ConfigError::UserAgent);
        }
        match self.auth_name.as_ref().is_some_and(|name| name.contains(char::is_control)) {
            true => Err(ConfigError::AuthName),
            false => Ok(()),
        }
    }
}
impl std::fmt::Debug for Config {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Config { account, proxy, listen, register, .. } = self;
        f.debug_struct("Config")
            .field("account", account)
            .field("proxy", proxy)
            .field("listen", listen)
            .field("register", register)
            .finish_non_exhaustive()
    }
}
