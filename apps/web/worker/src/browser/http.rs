//! Entering and leaving, by HTTP: [`subrosa_web_api::http`].
use super::sys;
use js_sys::{JSON, Reflect};
use subrosa_web_api::http::{LOGIN, LOGOUT, LoggedIn, Login, SITE, WHOAMI};
use subrosa_web_api::{Failure, VERSION, decode, encode};
use web_sys::Url;

/// A reference below a base URL.
pub fn resolve(base: &str, reference: &str) -> Option<String> {
    Url::new_with_base(reference, base).ok().map(|url| url.href())
}
fn unreachable() -> Failure {
    Failure::new("gateway.unreachable", "The gateway can't be reached. Check the network; it is tried again by itself.")
}
fn strange() -> Failure {
    Failure::new("gateway.strange", "The gateway's answer can't be read. Reload the page; if that does not help, ask its operator.")
}

/// The gateway's base URL, as the page's place says.
pub async fn site(page: &str) -> Result<String, Failure> {
    let url = resolve(page, SITE).ok_or_else(strange)?;
    let (status, body) = sys::fetch("GET", &url, None).await.ok_or_else(unreachable)?;
    if status != 200 {
        return Err(unreachable());
    }
    let text = String::from_utf8(body).map_err(|_| strange())?;
    let json = JSON::parse(&text).map_err(|_| strange())?;
    let api = Reflect::get(&json, &"api".into()).ok().and_then(|api| api.as_string()).ok_or_else(strange)?;
    resolve(page, &api).ok_or_else(strange)
}
/// Enters an account.
pub async fn login(api: &str, jid: &str, password: &str) -> Result<LoggedIn, Failure> {
    let url = resolve(api, LOGIN).ok_or_else(strange)?;
    let login = Login { version: VERSION, jid: jid.to_owned(), password: password.to_owned(), label: label() };
    match sys::fetch("POST", &url, Some(&encode(&login))).await {
        None => Err(unreachable()),
        Some((200, body)) => decode(&body).ok_or_else(strange),
        Some((_, body)) => Err(decode(&body).unwrap_or_else(strange)),
    }
}
/// Leaves it. What does not arrive does no harm: the cookie can be revoked from another browser.
pub async fn logout(api: &str) {
    if let Some(url) = resolve(api, LOGOUT) {
        sys::fetch("POST", &url, Some(&[])).await;
    }
}
/// Whether the cookie is one that the gateway knows.
pub async fn is_known(api: &str) -> bool {
    match resolve(api, WHOAMI) {
        Some(url) => matches!(sys::fetch("GET", &url, None).await, Some((200, _))),
        None => false,
    }
}

/// What this browser calls itself in the list of browsers.
fn label() -> String {
    let agent = sys::user_agent();
    let find = |names: &[(&str, &'static str)]| names.iter().find(|(mark, _)| agent.contains(mark)).map(|(_, name)| *name);
    // more special ones first: most claim to be several
    let browser = find(&[("Firefox/", "Firefox"), ("Edg/", "Edge"), ("OPR/", "Opera"), ("Chrome/", "Chromium"), ("Safari/", "Safari")]);
    let system =
        find(&[("Android", "Android"), ("iPhone", "iPhone"), ("iPad", "iPad"), ("Windows", "Windows"), ("Mac OS", "macOS"), ("Linux", "Linux")]);
    format!("{} on {}", browser.unwrap_or("A browser"), system.unwrap_or("an unknown system"))
}
