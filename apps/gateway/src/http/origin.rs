//! Who may ask: the origin that a browser names with a request, and where the gateway is reached.
use crate::config::Config;
use axum::http::{HeaderMap, header};

/// An origin in the form that browsers send: lower case, without a default port. `None`: it is none.
pub fn normal(text: &str) -> Option<String> {
    let text = text.trim().trim_end_matches('/').to_ascii_lowercase();
    let (scheme, rest) = text.split_once("://")?;
    let default = match scheme {
        "https" => "443",
        "http" => "80",
        _ => return None,
    };
    let (host, port) = match rest.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, Some(port)),
        _ => (rest, None),
    };
    let fits = !host.is_empty() && host.chars().all(|c| c.is_ascii_alphanumeric() || "-._[]:".contains(c));
    if !fits || port.is_some_and(|port| port.parse::<u16>().is_err()) {
        return None;
    }
    match port.filter(|port| *port != default) {
        Some(port) => Some(format!("{scheme}://{host}:{port}")),
        None => Some(format!("{scheme}://{host}")),
    }
}

/// What a request's `Origin` is to the gateway.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum From {
    /// The gateway itself.
    Here,
    /// A page that may use it from another origin of the site.
    Page(String),
    /// Somebody else, or nobody said.
    Foreign,
}
/// See [`From`].
pub fn of(config: &Config, headers: &HeaderMap) -> From {
    let Some(origin) = headers.get(header::ORIGIN).and_then(|value| value.to_str().ok()).and_then(normal) else { return From::Foreign };
    if config.page_origins.contains(&origin) {
        return From::Page(origin);
    }
    let here = if config.public_origin.0.is_empty() {
        let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
        let scheme = origin.split_once("://").map_or("", |(scheme, _)| scheme);
        normal(&format!("{scheme}://{host}")).is_some_and(|here| here == origin)
    } else {
        config.public_origin.0.contains(&origin)
    };
    if here { From::Here } else { From::Foreign }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn headers(origin: &str, host: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(header::ORIGIN, origin.parse().unwrap());
        headers.insert(header::HOST, host.parse().unwrap());
        headers
    }

    #[test]
    fn only_the_configured_origins_may_ask() {
        let mut config = Config::default();
        assert_eq!(of(&config, &headers("http://127.0.0.1:8090", "127.0.0.1:8090")), From::Here);
        assert_eq!(of(&config, &headers("https://chat.example.org", "chat.example.org:443")), From::Here);
        for bad in ["http://127.0.0.1:8091", "null", "http://evil.example", "file://", "http://127.0.0.1:8090.evil.example"] {
            assert_eq!(of(&config, &headers(bad, "127.0.0.1:8090")), From::Foreign, "{bad}");
        }
        assert_eq!(of(&config, &HeaderMap::new()), From::Foreign);
        config.public_origin.0.push("https://chat.example.org".into());
        config.page_origins.push("https://www.example.org".into());
        assert_eq!(of(&config, &headers("https://chat.example.org", "10.0.0.1")), From::Here);
        assert_eq!(of(&config, &headers("https://www.example.org", "chat.example.org")), From::Page("https://www.example.org".into()));
        assert_eq!(of(&config, &headers("http://127.0.0.1:8090", "127.0.0.1:8090")), From::Foreign);
    }

    #[test]
    fn origins_have_one_form() {
        assert_eq!(normal("HTTP://Example.org:80/").as_deref(), Some("http://example.org"));
        assert_eq!(normal("http://[::1]:8090").as_deref(), Some("http://[::1]:8090"));
        assert_eq!(normal("http://[::1]").as_deref(), Some("http://[::1]"));
        for bad in ["example.org", "http://", "http://a b", "http://a:99999", "ftp://a", "http://a/b", "http://a@b"] {
            assert_eq!(normal(bad), None, "{bad}");
        }
    }
}
