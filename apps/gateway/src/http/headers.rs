//! What every response says to a browser, an error too: a worker obeys the policy of its own script.
use super::origin;
use crate::config::Config;
use axum::http::{HeaderMap, HeaderName, HeaderValue, header};

/// Made once.
pub struct Always(Vec<(HeaderName, HeaderValue)>);
impl Always {
    pub fn new(config: &Config) -> Self {
        // browsers that do not count wss under 'self'
        let mut connect = String::from("'self'");
        let others = config.api_url.iter().filter_map(|url| origin::normal(&url.splitn(4, '/').take(3).collect::<Vec<_>>().join("/")));
        for origin in others.chain(config.public_origin.0.iter().cloned()) {
            connect.push_str(&format!(" {origin} {}", origin.replacen("http", "ws", 1)));
        }
        let policy = format!(
            "default-src 'self'; img-src 'self' data: blob:; script-src 'self' 'wasm-unsafe-eval'; connect-src {connect}; \
             require-trusted-types-for 'script'; trusted-types engine-worker; base-uri 'none'; object-src 'none'; frame-ancestors 'none'; \
             form-action 'none'"
        );
        let mut list = vec![
            (header::X_CONTENT_TYPE_OPTIONS, "nosniff".to_owned()),
            (header::REFERRER_POLICY, "no-referrer".to_owned()),
            (header::X_FRAME_OPTIONS, "DENY".to_owned()),
            (HeaderName::from_static("cross-origin-opener-policy"), "same-origin".to_owned()),
            (HeaderName::from_static("cross-origin-resource-policy"), "same-site".to_owned()),
            (
                HeaderName::from_static("permissions-policy"),
                "camera=(), display-capture=(), geolocation=(), microphone=(), payment=(), usb=(), serial=()".to_owned(),
            ),
            (header::CONTENT_SECURITY_POLICY, policy),
        ];
        if !config.public_origin.0.is_empty() && config.public_origin.0.iter().all(|origin| origin.starts_with("https://")) {
            list.push((header::STRICT_TRANSPORT_SECURITY, "max-age=31536000".to_owned()));
        }
        Always(list.into_iter().filter_map(|(name, value)| Some((name, HeaderValue::from_str(&value).ok()?))).collect())
    }
    pub fn onto(&self, headers: &mut HeaderMap) {
        for (name, value) in &self.0 {
            headers.insert(name, value.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_policy_names_where_a_page_may_connect() {
        let of = |toml: &str| {
            let mut headers = HeaderMap::new();
            Always::new(&toml::from_str::<Config>(toml).unwrap().checked().unwrap()).onto(&mut headers);
            headers
        };
        let plain = of("");
        let policy = plain.get("content-security-policy").unwrap().to_str().unwrap().to_owned();
        assert!(policy.contains("connect-src 'self';") && !policy.contains("unsafe-inline") && !policy.contains(" 'unsafe-eval'"));
        assert!(!plain.contains_key("strict-transport-security"));
        let split = of("public_origin = 'https://api.example.org'\napi_url = 'https://api.example.org/x'");
        let policy = split.get("content-security-policy").unwrap().to_str().unwrap();
        assert!(policy.contains("connect-src 'self' https://api.example.org wss://api.example.org "), "{policy}");
        assert!(split.contains_key("strict-transport-security"));
    }
}
