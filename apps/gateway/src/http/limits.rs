//! How often: buckets that fill with time, and the address that a browser comes from.
use crate::config::Config;
use crate::lock;
use axum::http::HeaderMap;
use std::collections::HashMap;
use std::hash::Hash;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::Mutex;
use std::time::Instant;

/// Buckets that are remembered.
const MOST: usize = 50_000;

/// So many at once, and so many a second after that.
#[derive(Clone, Copy, Debug)]
pub struct Bucket {
    left: f64,
    at: Instant,
}
impl Bucket {
    pub fn full(burst: f64, now: Instant) -> Self {
        Bucket { left: burst, at: now }
    }
    /// Takes one, if there is one.
    pub fn take(&mut self, burst: f64, per_second: f64, now: Instant) -> bool {
        let passed = now.saturating_duration_since(self.at).as_secs_f64();
        self.left = passed.mul_add(per_second, self.left).min(burst);
        self.at = now;
        let some = self.left >= 1.0;
        if some {
            self.left -= 1.0;
        }
        some
    }
}

/// Buckets by name; those that are full again are forgotten.
struct Buckets<K>(HashMap<K, Bucket>);
impl<K: Eq + Hash> Buckets<K> {
    fn take(&mut self, key: K, burst: f64, per_second: f64, now: Instant) -> bool {
        if self.0.len() >= MOST && !self.0.contains_key(&key) {
            self.0.retain(|_, bucket| now.saturating_duration_since(bucket.at).as_secs_f64().mul_add(per_second, bucket.left) < burst);
            if self.0.len() >= MOST {
                return false; // an attack from everywhere: those that are known go on
            }
        }
        self.0.entry(key).or_insert_with(|| Bucket::full(burst, now)).take(burst, per_second, now)
    }
}

/// Logins by address and by account.
pub struct Logins {
    per_minute: f64,
    by_address: Mutex<Buckets<IpAddr>>,
    by_account: Mutex<Buckets<String>>,
}
impl Logins {
    pub fn new(per_minute: u32) -> Self {
        Logins {
            per_minute: f64::from(per_minute.max(1)),
            by_address: Mutex::new(Buckets(HashMap::new())),
            by_account: Mutex::new(Buckets(HashMap::new())),
        }
    }
    /// One more from this address.
    pub fn at_address(&self, address: IpAddr) -> bool {
        lock(&self.by_address).take(network(address), self.per_minute, self.per_minute / 60.0, Instant::now())
    }
    /// One more for this account.
    pub fn for_account(&self, jid: &str) -> bool {
        lock(&self.by_account).take(jid.to_owned(), self.per_minute, self.per_minute / 60.0, Instant::now())
    }
}
/// Who has one IPv6 address has 2^64 of them.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & (u128::MAX << 64))),
        v4 => v4,
    }
}

/// Where a request comes from: the peer, or what a trusted proxy says in `X-Forwarded-For`. Not `Forwarded`: proxies that write the one
/// pass the other on as a browser sent it.
pub fn client(config: &Config, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
    let trusted = |address: IpAddr| config.trusted_proxies.iter().any(|net| net.contains(address));
    let peer = peer.to_canonical();
    if !trusted(peer) {
        return peer;
    }
    let values = headers.get_all("x-forwarded-for").iter().filter_map(|value| value.to_str().ok());
    let hops: Vec<IpAddr> = values.flat_map(|value| value.split(',')).filter_map(hop).collect();
    // the last that is no proxy of ours: what stands before it anybody can write
    hops.into_iter().rev().find(|hop| !trusted(*hop)).unwrap_or(peer)
}
fn hop(text: &str) -> Option<IpAddr> {
    let text = text.trim();
    let bare = match text.strip_prefix('[') {
        Some(rest) => rest.split(']').next()?,
        None if text.matches(':').count() == 1 => text.split(':').next()?,
        None => text,
    };
    bare.parse::<IpAddr>().ok().map(|address| address.to_canonical())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::arithmetic_side_effects)]
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_bucket_fills_with_time() {
        let start = Instant::now();
        let mut bucket = Bucket::full(2.0, start);
        let mut at = |ms| bucket.take(2.0, 1.0, start + Duration::from_millis(ms));
        assert_eq!([0, 0, 0, 500, 1000, 1001, 9000, 9000, 9000].map(&mut at), [true, true, false, false, true, false, true, true, false]);
    }

    #[test]
    fn buckets_are_bounded() {
        let mut buckets = Buckets(HashMap::new());
        let start = Instant::now();
        for n in 0..MOST {
            assert!(buckets.take(n, 2.0, 1.0, start));
        }
        assert!(!buckets.take(MOST, 2.0, 1.0, start));
        assert!(buckets.take(MOST, 2.0, 1.0, start + Duration::from_secs(3)));
        assert_eq!(buckets.0.len(), 1);
    }

    #[test]
    fn only_a_proxy_of_ours_is_believed() {
        let config: Config = toml::from_str("trusted_proxies = ['127.0.0.1', '10.0.0.0/8']").unwrap();
        let from = |peer: &str, name: &'static str, value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(name, value.parse().unwrap());
            client(&config, peer.parse().unwrap(), &headers).to_string()
        };
        assert_eq!(from("192.0.2.1", "x-forwarded-for", "198.51.100.7"), "192.0.2.1");
        assert_eq!(from("127.0.0.1", "x-forwarded-for", "1.2.3.4, 198.51.100.7, 10.1.1.1"), "198.51.100.7");
        assert_eq!(from("127.0.0.1", "x-forwarded-for", "1.2.3.4, [2001:db8::1]:99"), "2001:db8::1");
        assert_eq!(from("127.0.0.1", "forwarded", "for=198.51.100.7"), "127.0.0.1");
        assert_eq!(from("127.0.0.1", "x-forwarded-for", "unknown"), "127.0.0.1");
        assert_eq!(network("2001:db8::1".parse().unwrap()).to_string(), "2001:db8::");
    }
}
