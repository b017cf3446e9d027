//! The one cookie. Its name says to the browser what it may be: `__Host-` with the path `/`, `__Secure-` under a base path, and plain
//! over HTTP on this machine, where a configuration allows that.
use crate::app::BROWSER_DAYS;
use crate::config::Config;
use crate::seal::Token;
use axum::http::{HeaderMap, HeaderValue, header};

fn name(config: &Config) -> &'static str {
    match (config.insecure_loopback, config.base_path.as_str()) {
        (true, _) => "subrosa",
        (false, "/") => "__Host-subrosa",
        (false, _) => "__Secure-subrosa",
    }
}
/// What the request's cookie holds.
pub fn read(config: &Config, headers: &HeaderMap) -> Option<Token> {
    let name = name(config);
    let mut pairs = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(';'));
    pairs.find_map(|pair| pair.trim().split_once('=').filter(|(key, _)| *key == name).and_then(|(_, value)| Token::parse(value)))
}
/// `Set-Cookie` that gives it, or with `None` takes it away.
pub fn write(config: &Config, token: Option<&Token>) -> Option<HeaderValue> {
    let secure = if config.insecure_loopback { "" } else { "; Secure" };
    let age = if token.is_some() { BROWSER_DAYS.saturating_mul(86_400) } else { 0 };
    let value = token.map(Token::text);
    let value = value.as_ref().map_or("", |text| text.as_str());
    let text = format!("{}={value}; Path={}; HttpOnly; SameSite=Strict; Max-Age={age}{secure}", name(config), config.base_path);
    let mut header = HeaderValue::from_str(&text).ok()?;
    header.set_sensitive(true);
    Some(header)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn its_name_says_what_it_may_be() {
        let mut config = Config::default();
        let token = Token::new().unwrap();
        let text = |config: &Config| write(config, Some(&token)).unwrap().to_str().unwrap().to_owned();
        let value = token.text().to_string();
        assert_eq!(text(&config), format!("__Host-subrosa={value}; Path=/; HttpOnly; SameSite=Strict; Max-Age=2592000; Secure"));
        config.base_path = "/chat/".into();
        assert!(text(&config).starts_with("__Secure-subrosa=") && text(&config).contains("; Path=/chat/;"));
        config.insecure_loopback = true;
        assert!(text(&config).starts_with("subrosa=") && !text(&config).contains("Secure"));
        let mut headers = HeaderMap::new();
        headers.insert(header::COOKIE, format!("a=b; xsubrosa=x; subrosa={value}").parse().unwrap());
        assert_eq!(read(&config, &headers).unwrap().hash(), token.hash());
        config.insecure_loopback = false;
        assert!(read(&config, &headers).is_none());
        assert!(write(&config, None).unwrap().to_str().unwrap().contains("Max-Age=0"));
    }
}
