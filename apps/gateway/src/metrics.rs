//! Numbers for Prometheus. Nothing in them names an account.
use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};

/// One number.
#[derive(Debug, Default)]
pub struct Number(AtomicU64);
impl Number {
    pub fn add(&self, n: u64) {
        self.0.fetch_add(n, Ordering::Relaxed);
    }
    pub fn sub(&self, n: u64) {
        self.0.fetch_sub(n, Ordering::Relaxed);
    }
    fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// All of them.
#[derive(Debug, Default)]
pub struct Metrics {
    pub accounts: Number,
    pub sockets: Number,
    pub logins: Number,
    pub logins_refused: Number,
    pub logins_limited: Number,
    pub sent: Number,
    pub received: Number,
    pub left_out: Number,
    pub frames: Number,
    pub abuse: Number,
    pub database_errors: Number,
}
impl Metrics {
    /// In the text format of Prometheus.
    pub fn text(&self) -> String {
        let list: [(&str, &str, &str, &Number); 11] = [
            ("accounts", "gauge", "Accounts with a session.", &self.accounts),
            ("sockets", "gauge", "Browsers that are connected.", &self.sockets),
            ("logins_total", "counter", "Logins that worked.", &self.logins),
            ("logins_refused_total", "counter", "Logins that were refused.", &self.logins_refused),
            ("logins_limited_total", "counter", "Logins that came too often.", &self.logins_limited),
            ("stanzas_sent_total", "counter", "Stanzas taken from browsers.", &self.sent),
            ("stanzas_received_total", "counter", "Stanzas taken from XMPP servers.", &self.received),
            ("stanzas_left_out_total", "counter", "Stanzas that were too large or no XML.", &self.left_out),
            ("frames_total", "counter", "Frames that browsers sent.", &self.frames),
            ("sockets_closed_for_abuse_total", "counter", "Sockets that sent what is no frame, or too much.", &self.abuse),
            ("database_errors_total", "counter", "Transactions that failed and were tried again.", &self.database_errors),
        ];
        let mut text = String::new();
        for (name, kind, help, number) in list {
            let _ = write!(text, "# HELP subrosa_{name} {help}\n# TYPE subrosa_{name} {kind}\nsubrosa_{name} {}\n", number.get());
        }
        text
    }
}
