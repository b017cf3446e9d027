//! Two small TOML files: `settings.toml` is the user's, for all accounts; `account.toml` says how to reach one
//! server and is written by `login`. Neither holds a secret.
use crate::failure::{Failure, FaultName};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// `settings.toml`; every part may be left out.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// `[trust]`
    pub trust: TrustSettings,
    /// `[send]`
    pub send: SendSettings,
    /// `[history]`
    pub history: HistorySettings,
    /// `[sip]`
    pub sip: SipSettings,
}
/// `[trust]`
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TrustSettings {
    /// What becomes of a contact's new key.
    pub policy: TrustPolicy,
}
/// What becomes of a contact's new key.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TrustPolicy {
    /// Blind trust before verification: accepted until one of the person's keys is verified, then asked.
    #[default]
    Btbv,
    /// Nothing is accepted without a decision.
    Manual,
}
/// `[send]`
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SendSettings {
    /// Seconds to wait for the server's acknowledgement.
    pub timeout: u64,
}
impl Default for SendSettings {
    fn default() -> Self {
        SendSettings { timeout: 30 }
    }
}

/// `[history]`
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct HistorySettings {
    /// Of an archive that was never read here, so many days.
    pub first_days: u64,
}
impl Default for HistorySettings {
    fn default() -> Self {
        HistorySettings { first_days: 7 }
    }
}

/// `[sip]`
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SipSettings {
    /// Seconds that the sender of a message waits while an engine works on it; then it is told 480 and nothing is shown.
    pub hold: u64,
}
impl Default for SipSettings {
    fn default() -> Self {
        SipSettings { hold: 10 }
    }
}

/// `account.toml`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// Bare, normalised.
    pub jid: String,
    /// `HOST:PORT` instead of what the domain names.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// A PEM file: these roots and no others.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ca: Option<PathBuf>,
    /// What this device calls itself to the server; the same each time, so that the server hands over at once what a
    /// process that was killed had not stored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource: Option<String>,
    /// No TLS; loopback only.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub plain_loopback: bool,
}

impl Settings {
    /// From the file, which may be absent.
    pub fn read(path: &Path) -> Result<Self, Failure> {
        read(path).map(Option::unwrap_or_default)
    }
}

/// A TOML file; `None`: there is none.
pub fn read<T: for<'a> Deserialize<'a>>(path: &Path) -> Result<Option<T>, Failure> {
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(Failure::io("reading", path, &e)),
    };
    let bad = |e: toml::de::Error| {
        let cause = e.message().to_owned();
        Failure::new("data.settings", FaultName::Caller, format!("{} can't be read: {cause}; correct or remove it", path.display()))
    };
    toml::from_str(&text).map(Some).map_err(bad)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_have_defaults_and_refuse_misspellings() {
        let parse = |s: &str| toml::from_str::<Settings>(s);
        assert_eq!(parse("").expect("empty"), Settings::default());
        assert_eq!(parse("[trust]\npolicy = \"manual\"").expect("manual").trust.policy, TrustPolicy::Manual);
        assert!(parse("[trust]\npolcy = \"manual\"").is_err());
        assert!(parse("[trust]\npolicy = \"none\"").is_err());
    }

    #[test]
    fn an_account_survives_its_file() {
        let account = Account { jid: "a@x".into(), host: Some("127.0.0.1:5222".into()), ca: None, resource: None, plain_loopback: true };
        let text = toml::to_string(&account).expect("writes");
        assert_eq!(toml::from_str::<Account>(&text).expect("reads"), account);
    }
}
