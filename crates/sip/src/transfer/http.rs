//! Requests that end: every wait has a limit, no redirect leaves its origin, no answer is longer than expected.
use super::inside::{Inside, Outside};
use super::{Cause, Settings};
use crate::connection::tls;
use crate::digest::{self, Challenge};
use reqwest::header::{CONTENT_LENGTH, LOCATION, WWW_AUTHENTICATE};
use reqwest::{Client, ClientBuilder, Method, RequestBuilder, Response, StatusCode, Url, redirect};
use std::error::Error;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// All that a server learns of the program.
const USER_AGENT: &str = "subrosa";
/// How often one request is pointed elsewhere within its origin.
const REDIRECTS: usize = 5;

/// One for the server that the user named, one for what others point to.
pub(super) fn clients(settings: &Settings, outside: Arc<Outside>) -> Result<[Client; 2], Cause> {
    let tls = tls::client(&settings.roots).map_err(Cause::Roots)?;
    let build = |builder: ClientBuilder| builder.build().map_err(|e| Cause::Bug(chain(&e)));
    Ok([build(client(settings, tls.clone()))?, build(client(settings, tls).dns_resolver(outside))?])
}
fn client(settings: &Settings, tls: rustls::ClientConfig) -> ClientBuilder {
    Client::builder()
        .tls_backend_preconfigured(tls)
        .user_agent(USER_AGENT)
        .no_proxy()
        .referer(false)
        .redirect(redirect::Policy::none())
        .connect_timeout(settings.connect)
        // a connection that is kept may be closed while the file begins to go out on it, and a file is not sent twice
        .pool_max_idle_per_host(0)
}

pub(super) fn parse(url: &str) -> Result<Url, Cause> {
    let wrong = || Cause::Url(url.chars().take(200).collect());
    if !crate::offer::is_http(url) {
        return Err(wrong());
    }
    Url::parse(url).ok().filter(Url::has_host).ok_or_else(wrong)
}
pub(super) fn host(url: &Url) -> &str {
    url.host_str().unwrap_or_default()
}

/// When something last moved.
#[derive(Clone)]
pub(super) struct Alive(Arc<Mutex<Instant>>);
impl Alive {
    pub(super) fn now() -> Self {
        Alive(Arc::new(Mutex::new(Instant::now())))
    }
    pub(super) fn moved(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }
    fn until(&self, idle: Duration) -> Instant {
        let last = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        last.checked_add(idle).unwrap_or(last)
    }
    /// Waits as long as something moves.
    pub(super) async fn watch<T>(&self, idle: Duration, work: impl Future<Output = T>) -> Result<T, Cause> {
        let mut work = std::pin::pin!(work);
        loop {
            tokio::select! {
                biased;
                done = &mut work => return Ok(done),
                () = tokio::time::sleep_until(self.until(idle)) => {
                    if self.until(idle) <= Instant::now() {
                        return Err(Cause::Idle(idle));
                    }
                }
            }
        }
    }
}

/// What a request without a body came to.
pub(super) enum Opened {
    /// Whatever it says, it is from where the request went in the end.
    Answered(Url, Response),
    /// It wants to know who asks, and would take this.
    Challenged(Url, String),
}
/// Sends a request without a body, and after it where the server points within its origin.
pub(super) async fn open(
    client: &Client,
    settings: &Settings,
    method: &Method,
    mut url: Url,
    authorization: Option<String>,
) -> Result<Opened, Cause> {
    for _ in 0..=REDIRECTS {
        let mut request = client.request(method.clone(), url.clone());
        if *method == Method::POST {
            request = request.header(CONTENT_LENGTH, "0");
        }
        let response = send(request, authorization.as_deref(), &url, settings.idle, &Alive::now()).await?;
        match response.status() {
            StatusCode::UNAUTHORIZED => match answered(settings, method, &url, &response)? {
                Some(answer) if authorization.is_none() => return Ok(Opened::Challenged(url, answer)),
                _ => return Err(Cause::Unauthorized),
            },
            status if status.is_redirection() => url = onward(&url, &response, method)?,
            _ => return Ok(Opened::Answered(url, response)),
        }
    }
    Err(Cause::Redirected(format!("{url}, again and again")))
}
/// One request, watched until its answer begins.
pub(super) async fn send(request: RequestBuilder, authorization: Option<&str>, url: &Url, idle: Duration, alive: &Alive) -> Result<Response, Cause> {
    let request = match authorization {
        Some(value) => request.header(reqwest::header::AUTHORIZATION, value),
        None => request,
    };
    alive.watch(idle, request.send()).await?.map_err(|e| failed(url, &e))
}
pub(super) fn failed(url: &Url, error: &reqwest::Error) -> Cause {
    let (host, cause) = (host(url).to_owned(), chain(error));
    if causes(error).any(|cause| cause.is::<Inside>()) {
        return Cause::Inside(host);
    }
    if error.is_connect() { Cause::Unreachable { host, cause } } else { Cause::Broken { host, cause } }
}
fn causes(error: &reqwest::Error) -> impl Iterator<Item = &(dyn Error + 'static)> {
    std::iter::successors(error.source(), |cause| (*cause).source())
}
/// What an error says, to its root. Never the address: it may be as good as the key.
fn chain(error: &reqwest::Error) -> String {
    let mut words: Vec<String> = Vec::new();
    for cause in causes(error) {
        let sentence = cause.to_string();
        if words.last().is_none_or(|last| !last.contains(&sentence)) {
            words.push(sentence);
        }
    }
    if words.is_empty() { "no reason given".to_owned() } else { words.join(": ") }
}

/// Where the server points, if that is in the origin of the request and the request stays what it is.
fn onward(from: &Url, response: &Response, method: &Method) -> Result<Url, Cause> {
    let location = response.headers().get(LOCATION).and_then(|l| l.to_str().ok());
    let to = location.and_then(|l| from.join(l).ok()).ok_or(Cause::Status { code: response.status().as_u16() })?;
    let stays = *method == Method::GET || matches!(response.status(), StatusCode::TEMPORARY_REDIRECT | StatusCode::PERMANENT_REDIRECT);
    if to.origin() == from.origin() && stays && crate::offer::is_http(to.as_str()) { Ok(to) } else { Err(elsewhere(&to)) }
}
/// Without query and user: they are not for logs.
fn elsewhere(to: &Url) -> Cause {
    Cause::Redirected(format!("{}://{}{}{}", to.scheme(), host(to), to.port().map(|p| format!(":{p}")).unwrap_or_default(), to.path()))
}
/// A redirect where none can be followed.
pub(super) fn pointed(from: &Url, response: &Response) -> Option<Cause> {
    let to = response.headers().get(LOCATION)?.to_str().ok().and_then(|l| from.join(l).ok())?;
    response.status().is_redirection().then(|| elsewhere(&to))
}
/// The answer to a challenge, if there are credentials for that host.
fn answered(settings: &Settings, method: &Method, url: &Url, response: &Response) -> Result<Option<String>, Cause> {
    let Some(credentials) = settings.credentials.as_ref().filter(|c| c.host.eq_ignore_ascii_case(host(url))) else { return Ok(None) };
    let challenges = response.headers().get_all(WWW_AUTHENTICATE).iter().filter_map(|value| value.to_str().ok());
    let path = url.query().map_or_else(|| url.path().to_owned(), |query| format!("{}?{query}", url.path()));
    let cnonce = digest::random().map_err(|e| Cause::Bug(e.to_string()))?;
    Ok(Challenge::choose(challenges).ok().map(|challenge| challenge.answer(&credentials.secret, method.as_str(), &path, &cnonce, 1)))
}
/// A short answer, whole.
pub(super) async fn short(mut response: Response, url: &Url, idle: Duration, limit: usize) -> Result<Vec<u8>, Cause> {
    let mut body = Vec::new();
    while let Some(bytes) = Alive::now().watch(idle, response.chunk()).await?.map_err(|e| failed(url, &e))? {
        if body.len().saturating_add(bytes.len()) > limit {
            return Err(Cause::Answer(crate::BodyError::TooLarge(body.len().saturating_add(bytes.len()))));
        }
        body.extend_from_slice(&bytes);
    }
    Ok(body)
}
