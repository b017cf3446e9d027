//! Where a request goes next: a URI to addresses (RFC 3263 §4, without NAPTR). rsipstack resolves; names with a port are the
//! system's, so that `/etc/hosts` counts.
use super::config::Way;
use super::error::ConfigError;
use crate::address::{host_of, is_secure, uri_in};
use rsipstack::resolver::SipResolver;
use rsipstack::sip::{Domain, Transport};
use std::net::{IpAddr, SocketAddr};

/// The host, port and way that a URI names.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct NextHop {
    /// Without brackets: what a certificate must be for.
    pub host: String,
    pub port: Option<u16>,
    /// `None`: not told. `sips:` is TLS.
    pub way: Option<Way>,
}
impl NextHop {
    pub fn parse(text: &str) -> Result<Self, ConfigError> {
        let wrong = || ConfigError::Uri(text.chars().take(200).collect());
        // parameters of an addr-spec are the URI's here, not a header field's
        let uri = if text.contains('<') { uri_in(text).ok_or_else(wrong)? } else { text.trim() };
        let (scheme, rest) = uri.split_once(':').ok_or_else(wrong)?;
        let secure = is_secure(uri);
        if !secure && !scheme.eq_ignore_ascii_case("sip") || uri.contains(|c: char| c.is_whitespace() || c.is_control() || "<>\"".contains(c)) {
            return Err(wrong());
        }
        // a user may have a ';' and a '?' in their name
        let rest = rest.split_once('@').map_or(rest, |(_, rest)| rest);
        let rest = rest.split_once('?').map_or(rest, |(rest, _)| rest);
        let mut params = rest.split(';');
        let place = params.next().unwrap_or_default();
        // the same rules as for addresses
        crate::bare(&format!("sip:x@{place}")).map_err(|_| wrong())?;
        let mut way = None;
        for param in params {
            if let Some((name, value)) = param.split_once('=')
                && name.eq_ignore_ascii_case("transport")
            {
                way = Some(match value.to_ascii_lowercase().as_str() {
                    "udp" => Way::Udp,
                    "tcp" => Way::Tcp,
                    "tls" => Way::Tls,
                    _ => return Err(wrong()),
                });
            }
        }
        if secure && way == Some(Way::Udp) {
            return Err(wrong());
        }
        let port = place.rsplit_once(':').filter(|(_, port)| !port.contains(']')).and_then(|(_, port)| port.parse().ok());
        Ok(NextHop { host: host_of(&format!("x@{place}")).to_ascii_lowercase(), port, way: if secure { Some(Way::Tls) } else { way } })
    }
    /// Where to try, in this order. `resolver`: made when it is first needed, it reads the system's configuration.
    pub async fn resolve(&self, resolver: &tokio::sync::OnceCell<SipResolver>) -> Result<Vec<(Way, SocketAddr)>, String> {
        let way = self.way.unwrap_or(Way::Udp);
        if let Ok(ip) = self.host.parse::<IpAddr>() {
            return Ok(vec![(way, SocketAddr::new(ip, self.port.unwrap_or(way.port())))]);
        }
        let none = |why: String| format!("the name {:?} has no address: {why}", self.host);
        if let Some(port) = self.port {
            let found = tokio::net::lookup_host((self.host.as_str(), port)).await.map_err(|e| none(e.to_string()))?;
            return Ok(found.map(|address| (way, address)).collect());
        }
        let resolver = resolver.get_or_init(|| async { SipResolver::new() }).await;
        let transport = self.way.map(|way| match way {
            Way::Udp => Transport::Udp,
            Way::Tcp => Transport::Tcp,
            Way::Tls => Transport::Tls,
        });
        let found = resolver.lookup(&Domain(self.host.clone()), None, transport, self.way == Some(Way::Tls)).await.map_err(none)?;
        let way_of = |transport| match transport {
            Transport::Udp => Some(Way::Udp),
            Transport::Tcp => Some(Way::Tcp),
            Transport::Tls => Some(Way::Tls),
            _ => None,
        };
        Ok(found.into_iter().filter_map(|target| Some((way_of(target.transport)?, target.addr))).collect())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn uris_name_host_port_and_way() {
        let hop = |text: &str| NextHop::parse(text).map(|hop| (hop.host, hop.port, hop.way));
        assert_eq!(hop("sip:127.0.0.1:5070;transport=tcp"), Ok(("127.0.0.1".into(), Some(5070), Some(Way::Tcp))));
        assert_eq!(hop("<sip:Proxy.Example.org;lr;transport=TLS>"), Ok(("proxy.example.org".into(), None, Some(Way::Tls))));
        assert_eq!(hop("sips:bob@[::1]:5061"), Ok(("::1".into(), Some(5061), Some(Way::Tls))));
        assert_eq!(hop("sip:bob@[::1]"), Ok(("::1".into(), None, None)));
        assert_eq!(hop("sip:b;o?b@Example.org:7;transport=tcp?x=y"), Ok(("example.org".into(), Some(7), Some(Way::Tcp))));
        for bad in ["", "proxy", "tel:1", "sip:", "sip:a b", "sip:x;transport=carrier-pigeon", "sip:x:70000", "sips:x;transport=udp", "sip:x\r\nY: z"]
        {
            assert!(NextHop::parse(bad).is_err(), "{bad:?}");
        }
    }

    #[tokio::test]
    async fn numbers_need_no_resolver() {
        let to = |text: &str| {
            let hop = NextHop::parse(text).unwrap();
            async move { hop.resolve(&tokio::sync::OnceCell::new()).await.unwrap() }
        };
        assert_eq!(to("sip:127.0.0.1").await, [(Way::Udp, "127.0.0.1:5060".parse().unwrap())]);
        assert_eq!(to("sips:a@[::1]").await, [(Way::Tls, "[::1]:5061".parse().unwrap())]);
        assert!(to("sip:localhost:5090;transport=tcp").await.contains(&(Way::Tcp, "127.0.0.1:5090".parse().unwrap())));
    }
}
