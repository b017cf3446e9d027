//! The configuration: a TOML file, and flags that stand above it. A key that is not known is an error that names it.
use crate::http::origin;
use serde::Deserialize;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;
use subrosa_xmpp::{Roots, Security};

/// What can't be configured so.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The file can't be read.
    #[error("{} can't be read: {why}", .path.display())]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// What the system said.
        why: std::io::Error,
    },
    /// The file is not TOML, or has a key or value that does not belong.
    #[error("{}: {why}", .path.display())]
    Toml {
        /// Which.
        path: PathBuf,
        /// What the parser said: line, key, what is expected.
        why: String,
    },
    /// A value that can't be.
    #[error("{key}: {why}")]
    Value {
        /// The key.
        key: &'static str,
        /// What is wrong and what to write.
        why: String,
    },
}

/// All there is to configure. `docs/operate.md` describes every key.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct Config {
    /// Where HTTP is served.
    pub listen: SocketAddr,
    /// Where metrics are served; `None`: at `listen`, to this machine only.
    pub metrics_listen: Option<SocketAddr>,
    /// Under which path all of it lies, as browsers see it.
    pub base_path: String,
    /// As browsers see the gateway: `https://chat.example.org`. Empty: whatever they say in `Host`.
    pub public_origin: Origins,
    /// Other origins of the same site that serve the page.
    pub page_origins: Vec<String>,
    /// The gateway's URL for a page that lies elsewhere.
    pub api_url: Option<String>,
    /// Where the database lies, if it is SQLite.
    pub data_dir: PathBuf,
    /// `sqlite:FILE` or `postgres://…`.
    pub database: Option<String>,
    /// XMPP domains whose accounts may enter; empty: all.
    pub domains: Vec<String>,
    /// How long an XMPP session stays without a browser.
    pub keep_session: Span,
    /// How long stanzas are kept.
    pub archive_days: u32,
    /// Proxies whose word about a browser's address counts.
    pub trusted_proxies: Vec<Net>,
    /// Plain HTTP on a loopback address: cookies without `Secure`.
    pub insecure_loopback: bool,
    /// Serve the page from this directory.
    pub web: Option<PathBuf>,
    /// `error`, `warn`, `info`, `debug`, `trace`.
    pub log: Level,
    /// Addresses of accounts may stand in the log.
    pub log_addresses: bool,
    /// The XMPP side.
    pub xmpp: Xmpp,
    /// What nobody may exceed.
    pub limits: Limits,
}
impl Default for Config {
    fn default() -> Self {
        Config {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 8090)),
            metrics_listen: None,
            base_path: "/".into(),
            public_origin: Origins::default(),
            page_origins: Vec::new(),
            api_url: None,
            data_dir: "subrosa-data".into(),
            database: None,
            domains: Vec::new(),
            keep_session: Span(Duration::from_secs(24 * 3600)),
            archive_days: 30,
            trusted_proxies: Vec::new(),
            insecure_loopback: false,
            web: None,
            log: Level::Info,
            log_addresses: false,
            xmpp: Xmpp::default(),
            limits: Limits::default(),
        }
    }
}

/// How XMPP servers are reached.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct Xmpp {
    /// `HOST:PORT` instead of what the domain names in DNS.
    pub host: Option<String>,
    /// How the way is protected.
    pub security: Way,
    /// Certificates in PEM that count instead of the system's.
    pub ca: Option<PathBuf>,
}
/// How the way to the XMPP server is protected.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Way {
    /// TLS, at once or by STARTTLS.
    #[default]
    Tls,
    /// TLS at once, to `host`.
    DirectTls,
    /// None, to this machine only.
    ClearLoopback,
}
/// How much the log says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs, reason = "the names say it")]
#[non_exhaustive]
pub enum Level {
    Error,
    Warn,
    Info,
    Debug,
    Trace,
}

/// Bounds of what a browser, a contact or a server can make grow.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct Limits {
    /// Accounts that are logged in.
    pub accounts: u64,
    /// Browsers of one account.
    pub browsers: u64,
    /// Sockets of one account.
    pub sockets: usize,
    /// Connections to the HTTP port.
    pub connections: usize,
    /// Stanzas in one account's archive.
    pub archive_rows: u64,
    /// Bytes of them.
    pub archive_bytes: u64,
    /// Contacts of one account, those included that are gone.
    pub contacts: u64,
    /// Logins a minute from one address, and for one account.
    pub logins_per_minute: u32,
    /// Frames a second from one socket.
    pub frames_per_second: u32,
    /// Frames at once from one socket.
    pub frames_burst: u32,
    /// Requests of one socket that are not answered.
    pub requests: usize,
    /// Stanzas of one account that wait for the XMPP server.
    pub waiting: usize,
}
impl Default for Limits {
    fn default() -> Self {
        Limits {
            accounts: 10_000,
            browsers: 32,
            sockets: 16,
            connections: 20_000,
            archive_rows: 50_000,
            archive_bytes: 1 << 30,
            contacts: 20_000,
            logins_per_minute: 20,
            frames_per_second: 200,
            frames_burst: 2_000,
            requests: 64,
            waiting: 2_000,
        }
    }
}

/// One origin or several.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(from = "OneOrMany")]
pub struct Origins(pub Vec<String>);
#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMany {
    One(String),
    Many(Vec<String>),
}
impl From<OneOrMany> for Origins {
    fn from(origins: OneOrMany) -> Self {
        match origins {
            OneOrMany::One(one) => Origins(vec![one]),
            OneOrMany::Many(many) => Origins(many),
        }
    }
}

/// A time span: `"90s"`, `"30m"`, `"24h"`, `"7d"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Span(pub Duration);
impl std::str::FromStr for Span {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("{text:?} is no time span; write it like \"90s\", \"30m\", \"24h\" or \"7d\"");
        let (number, unit) = text.trim().split_at_checked(text.trim().len().saturating_sub(1)).ok_or_else(wrong)?;
        let unit: u64 = match unit {
            "s" => 1,
            "m" => 60,
            "h" => 3600,
            "d" => 86_400,
            _ => return Err(wrong()),
        };
        let number: u64 = number.parse().map_err(|_| wrong())?;
        Ok(Span(Duration::from_secs(number.checked_mul(unit).ok_or_else(wrong)?)))
    }
}
impl TryFrom<String> for Span {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

/// An address or a network: `"127.0.0.1"`, `"10.0.0.0/8"`, `"fd00::/8"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Net {
    address: IpAddr,
    bits: u8,
}
impl Net {
    /// Whether the address lies in it.
    pub fn contains(&self, address: IpAddr) -> bool {
        let same = |a: &[u8], b: &[u8]| {
            let bit = |bytes: &[u8], n: u8| bytes.get(usize::from(n >> 3)).is_some_and(|byte| byte & (0x80u8 >> (n & 7)) != 0);
            (0..self.bits).all(|n| bit(a, n) == bit(b, n))
        };
        match (self.address, address.to_canonical()) {
            (IpAddr::V4(a), IpAddr::V4(b)) => same(&a.octets(), &b.octets()),
            (IpAddr::V6(a), IpAddr::V6(b)) => same(&a.octets(), &b.octets()),
            _ => false,
        }
    }
}
impl TryFrom<String> for Net {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        let wrong = || format!("{text:?} is no address or network; write it like \"127.0.0.1\" or \"10.0.0.0/8\"");
        let (address, bits) = text.split_once('/').map_or((text.as_str(), None), |(a, b)| (a, Some(b)));
        let address: IpAddr = address.parse().map_err(|_| wrong())?;
        let most = if address.is_ipv4() { 32 } else { 128 };
        let bits = bits.map_or(Ok(most), str::parse).map_err(|_| wrong())?;
        if bits > most { Err(wrong()) } else { Ok(Net { address, bits }) }
    }
}

impl Config {
    /// From a file.
    ///
    /// # Errors
    /// [`ConfigError`]: it can't be read, or has what does not belong.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(path).map_err(|why| ConfigError::Unreadable { path: path.into(), why })?;
        toml::from_str(&text).map_err(|why| ConfigError::Toml { path: path.into(), why: why.to_string().trim_end().into() })
    }
    /// Checks what belongs together, and brings paths and origins into the form that is compared.
    ///
    /// # Errors
    /// [`ConfigError::Value`]
    pub fn checked(mut self) -> Result<Self, ConfigError> {
        let value = |key, why: String| ConfigError::Value { key, why };
        let path = self.base_path.trim_matches('/');
        if !path.split('/').all(|part| part.chars().all(|c| c.is_ascii_alphanumeric() || "-._~".contains(c)) && part != "." && part != "..") {
            return Err(value("base_path", format!("{:?} is no path like \"/chat/\"", self.base_path)));
        }
        self.base_path = if path.is_empty() { "/".into() } else { format!("/{path}/") };
        for (key, origins) in [("public_origin", &mut self.public_origin.0), ("page_origins", &mut self.page_origins)] {
            for text in origins {
                *text = origin::normal(text).ok_or_else(|| value(key, format!("{text:?} is no origin like \"https://chat.example.org\"")))?;
            }
        }
        if let Some(url) = &mut self.api_url {
            let fits = url.split_once("://").is_some_and(|(scheme, rest)| {
                matches!(scheme, "https" | "http") && origin::normal(&format!("{scheme}://{}", rest.split('/').next().unwrap_or_default())).is_some()
            });
            if !fits || url.contains(['?', '#', '"', ' ', ';', ',']) {
                return Err(value("api_url", format!("{url:?} is no URL like \"https://api.example.org/\"")));
            }
            if !url.ends_with('/') {
                url.push('/');
            }
        }
        if self.insecure_loopback && !self.listen.ip().is_loopback() {
            return Err(value("insecure_loopback", format!("{} is not this machine only; cookies would go over the network in clear", self.listen)));
        }
        for domain in &mut self.domains {
            let Ok(normal) = subrosa_xmpp::bare(domain) else { return Err(value("domains", format!("{domain:?} is no domain"))) };
            *domain = normal.as_str().to_owned();
        }
        if let Some(host) = &self.xmpp.host {
            host_and_port(host).ok_or_else(|| value("xmpp.host", format!("{host:?} is no HOST:PORT")))?;
        } else if self.xmpp.security == Way::DirectTls {
            return Err(value("xmpp.security", "direct-tls needs xmpp.host".into()));
        }
        if self.archive_days == 0 {
            return Err(value("archive_days", "at least 1".into()));
        }
        Ok(self)
    }
    /// The database's URL; makes the data directory for one of SQLite, readable by nobody else.
    pub(crate) fn database_url(&self) -> Result<String, ConfigError> {
        let path = match &self.database {
            Some(url) if url.starts_with("postgres://") || url.starts_with("postgresql://") => return Ok(url.clone()),
            Some(url) => match url.strip_prefix("sqlite:") {
                Some(path) => PathBuf::from(path.strip_prefix("//").unwrap_or(path)),
                None => return Err(ConfigError::Value { key: "database", why: "it begins with \"sqlite:\" or \"postgres://\"".into() }),
            },
            None => self.data_dir.join("gateway.sqlite"),
        };
        private_file(&path).map_err(|why| ConfigError::Unreadable { path: path.clone(), why })?;
        let mut url = String::from("sqlite://");
        for byte in path.to_string_lossy().bytes() {
            match byte {
                b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'.' | b'-' | b'_' => url.push(char::from(byte)),
                _ => url.push_str(&format!("%{byte:02X}")),
            }
        }
        Ok(url)
    }
    /// Host and port of the XMPP server, where they are given.
    pub(crate) fn xmpp_host(&self) -> Option<(String, u16)> {
        self.xmpp.host.as_deref().and_then(host_and_port)
    }
    pub(crate) fn security(&self) -> Security {
        match self.xmpp.security {
            Way::Tls => Security::Tls,
            Way::DirectTls => Security::DirectTls,
            Way::ClearLoopback => Security::ClearLoopback,
        }
    }
    pub(crate) fn roots(&self) -> Result<Roots, ConfigError> {
        let Some(path) = &self.xmpp.ca else { return Ok(Roots::System) };
        std::fs::read(path).map(Roots::Pem).map_err(|why| ConfigError::Unreadable { path: path.clone(), why })
    }
    /// Whether an account's domain may enter.
    pub(crate) fn allows(&self, domain: &str) -> bool {
        self.domains.is_empty() || self.domains.iter().any(|allowed| allowed == domain)
    }
}

/// Makes an empty file and its directory, for this user only; what is there stays.
fn private_file(path: &Path) -> std::io::Result<()> {
    let mut dir = std::fs::DirBuilder::new();
    let mut file = std::fs::OpenOptions::new();
    #[cfg(unix)]
    {
        use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
        dir.mode(0o700);
        file.mode(0o600);
    }
    if let Some(parent) = path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        dir.recursive(true).create(parent)?;
    }
    file.create(true).append(true).open(path).map(drop)
}
fn host_and_port(text: &str) -> Option<(String, u16)> {
    let (host, port) = text.rsplit_once(':')?;
    let host = host.strip_prefix('[').and_then(|h| h.strip_suffix(']')).unwrap_or(host);
    let port = port.parse().ok().filter(|port| *port != 0)?;
    (!host.is_empty()).then(|| (host.to_owned(), port))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn toml(text: &str) -> Result<Config, String> {
        toml::from_str::<Config>(text).map_err(|e| e.to_string())?.checked().map_err(|e| e.to_string())
    }

    #[test]
    fn keys_that_are_not_known_are_named() {
        assert!(toml("listn = '127.0.0.1:1'").unwrap_err().contains("listn"));
        assert!(toml("[limits]\nacounts = 1").unwrap_err().contains("acounts"));
        assert!(toml("keep_session = '1 day'").unwrap_err().contains("1 day"));
    }

    #[test]
    fn paths_and_origins_have_one_form() {
        let config = toml("base_path = 'chat'\npublic_origin = 'HTTPS://Chat.Example.org:443/'\nkeep_session = '90m'").unwrap();
        assert_eq!((config.base_path.as_str(), config.keep_session.0.as_secs()), ("/chat/", 5400));
        assert_eq!(config.public_origin.0, ["https://chat.example.org"]);
        for bad in ["base_path = '/a b/'", "base_path = '/../'", "public_origin = 'chat.example.org'", "page_origins = ['https://x/y']"] {
            assert!(toml(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn cookies_without_secure_stay_on_this_machine() {
        assert!(toml("insecure_loopback = true\nlisten = '0.0.0.0:80'").unwrap_err().contains("insecure_loopback"));
        assert!(toml("insecure_loopback = true").is_ok());
    }

    #[test]
    fn networks_hold_their_addresses() {
        let net = |text: &str| Net::try_from(text.to_owned());
        let holds = |text: &str, address: &str| net(text).unwrap().contains(address.parse().unwrap());
        assert!(holds("10.0.0.0/8", "10.255.1.2") && !holds("10.0.0.0/8", "11.0.0.0"));
        assert!(holds("127.0.0.1", "::ffff:127.0.0.1") && !holds("127.0.0.1", "127.0.0.2"));
        assert!(holds("fd00::/9", "fd7f::1") && !holds("fd00::/9", "fd80::1"));
        assert!(net("10.0.0.0/33").is_err() && net("example.org").is_err());
    }
}
