//! What an account may choose. Everything else is a rule.
use std::time::Duration;

/// Who gets a key before a person decided, among contacts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TrustPolicy {
    /// Blind trust before verification: a new key is trusted unless its owner has a verified one; then it is undecided.
    #[default]
    Btbv,
    /// No key before a decision.
    Manual,
}

/// Of one [`crate::Machine`]: `Settings::default().trust(TrustPolicy::Manual)`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Settings {
    /// What becomes of a contact's new key.
    pub trust: TrustPolicy,
    /// Whether decisions about keys travel between verified devices (XEP-0450), both ways. Yes.
    pub trust_messages: bool,
    /// How long a message waits for keys, being offline included. 24 hours.
    pub patience: Duration,
    /// How many fetches are out at once. 16.
    pub in_flight: usize,
    /// How many records memory keeps between steps; the longest unused go first. 10,000.
    pub cached_records: usize,
}
impl Default for Settings {
    fn default() -> Self {
        Settings {
            trust: TrustPolicy::Btbv,
            trust_messages: true,
            patience: Duration::from_secs(24 * 60 * 60),
            in_flight: 16,
            cached_records: 10_000,
        }
    }
}
impl Settings {
    /// What becomes of a contact's new key.
    pub fn trust(self, trust: TrustPolicy) -> Self {
        Settings { trust, ..self }
    }
    /// Whether decisions about keys travel between verified devices (XEP-0450), both ways.
    pub fn trust_messages(self, trust_messages: bool) -> Self {
        Settings { trust_messages, ..self }
    }
    /// How long a message waits for keys, being offline included.
    pub fn patience(self, patience: Duration) -> Self {
        Settings { patience, ..self }
    }
    /// How many fetches are out at once; at least one.
    pub fn in_flight(self, in_flight: usize) -> Self {
        Settings { in_flight: in_flight.max(1), ..self }
    }
    /// How many records memory keeps between steps.
    pub fn cached_records(self, cached_records: usize) -> Self {
        Settings { cached_records, ..self }
    }
}
