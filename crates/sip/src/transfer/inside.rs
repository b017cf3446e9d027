//! Who offers a file chooses what this program asks for: not of this machine, nor of the networks it is in, unless its user named the host.
use reqwest::Url;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// The host is inside.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0} is on this machine or in a network that is not public")]
pub(super) struct Inside(pub String);

/// Resolves names, to public addresses only.
#[derive(Debug)]
pub(super) struct Outside {
    /// Hosts that may be anywhere.
    pub known: Vec<String>,
}
impl Outside {
    fn knows(&self, host: &str) -> bool {
        self.known.iter().any(|known| known.eq_ignore_ascii_case(host))
    }
    /// For hosts that are numbers: nobody is asked to resolve these.
    pub fn check(&self, url: &Url) -> Result<(), Inside> {
        let host = super::http::host(url);
        let number = host.trim_matches(['[', ']']).parse::<IpAddr>();
        match number.is_ok_and(|ip| !is_public(ip)) && !self.knows(host) {
            true => Err(Inside(host.to_owned())),
            false => Ok(()),
        }
    }
}
impl Resolve for Outside {
    fn resolve(&self, name: Name) -> Resolving {
        let (host, known) = (name.as_str().to_owned(), self.knows(name.as_str()));
        Box::pin(async move {
            let found: Vec<SocketAddr> = tokio::net::lookup_host((host.as_str(), 0)).await?.filter(|found| known || is_public(found.ip())).collect();
            match found.is_empty() {
                true => Err(Inside(host).into()),
                false => Ok(Box::new(found.into_iter()) as Addrs),
            }
        })
    }
}

/// Whether it is the address of anybody out there (RFC 6890), and not of this machine, its networks, or nobody.
fn is_public(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => is_public_v4(ip),
        IpAddr::V6(ip) => is_public_v6(ip),
    }
}
fn is_public_v4(ip: Ipv4Addr) -> bool {
    let [a, b, c, _] = ip.octets();
    let inside = ip.is_private() || ip.is_loopback() || ip.is_link_local() || (a, b & 0xc0) == (100, 64);
    let nobody = a == 0 || a >= 224 || (a, b, c) == (192, 0, 0) || (a, b & 0xfe) == (198, 18);
    !inside && !nobody
}
fn is_public_v6(ip: Ipv6Addr) -> bool {
    match ip.segments() {
        // an address of version 4 in other clothes: mapped, compatible, behind a translator (RFC 6052), in a tunnel (RFC 3056)
        [0, 0, 0, 0, 0, 0 | 0xffff, high, low] | [0x64, 0xff9b, 0, 0, 0, 0, high, low] | [0x2002, high, low, ..] => {
            let [a, b] = high.to_be_bytes();
            let [c, d] = low.to_be_bytes();
            is_public_v4(Ipv4Addr::new(a, b, c, d))
        }
        [first, ..] => (0x2000..0x4000).contains(&first),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn numbers_are_told_apart() {
        for inside in [
            "127.0.0.1",
            "127.9.9.9",
            "10.0.0.1",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.1.1",
            "169.254.169.254",
            "100.64.0.1",
            "0.0.0.0",
            "0.1.2.3",
            "224.0.0.1",
            "255.255.255.255",
            "192.0.0.8",
            "198.19.0.1",
            "::",
            "::1",
            "fe80::1",
            "fec0::1",
            "fc00::1",
            "fd12::1",
            "ff02::1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "::7f00:1",
            "64:ff9b::7f00:1",
            "64:ff9b:1::1",
            "2002:7f00:1::",
            "100::1",
        ] {
            assert!(!is_public(inside.parse().unwrap()), "{inside}");
        }
        for outside in [
            "1.1.1.1",
            "172.15.0.1",
            "172.32.0.1",
            "100.63.0.1",
            "100.128.0.1",
            "198.17.0.1",
            "2606:4700::1111",
            "::ffff:1.1.1.1",
            "64:ff9b::101:101",
        ] {
            assert!(is_public(outside.parse().unwrap()), "{outside}");
        }
    }

    #[test]
    fn hosts_are_seen_through_their_writing() {
        let outside = Outside { known: vec!["10.0.0.5".into(), "Files.example.org".into()] };
        for inside in ["http://127.0.0.1/", "http://2130706433/", "http://0x7f.1:80/x", "http://[::1]:8080/", "http://[::ffff:a00:5]/"] {
            assert!(outside.check(&Url::parse(inside).unwrap()).is_err(), "{inside}");
        }
        for good in ["http://10.0.0.5:81/x", "http://1.1.1.1/", "http://[2606:4700::1111]/", "http://localhost/"] {
            assert_eq!(outside.check(&Url::parse(good).unwrap()), Ok(()), "{good}");
        }
        assert!(outside.knows("files.EXAMPLE.org") && !outside.knows("example.org"));
    }

    #[tokio::test]
    async fn names_lead_nowhere_inside() {
        let resolved = |known: &[&str]| {
            let outside = Outside { known: known.iter().map(|host| (*host).to_owned()).collect() };
            async move { outside.resolve("localhost".parse().unwrap()).await.map(Iterator::count) }
        };
        let why = resolved(&[]).await.unwrap_err();
        assert_eq!(why.downcast_ref::<Inside>(), Some(&Inside("localhost".into())));
        assert!(resolved(&["LOCALHOST"]).await.unwrap() > 0);
    }
}
