//! Entering and leaving: a password that the XMPP server takes becomes a cookie.
use super::{answer, cookies, limits, refuse};
use crate::account::{Account, Credentials, failure};
use crate::app::{App, now};
use crate::db::{self, to_sql};
use crate::lock;
use crate::seal::{Token, random_id};
use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, Response, StatusCode, header};
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use subrosa_web_api::http::{LoggedIn, Login};
use subrosa_web_api::{Failure, VERSION, decode};
use subrosa_xmpp::{ConnectError, Connection};
use tokio::time::{sleep, timeout};
use zeroize::Zeroizing;

/// The longest body of a login, in bytes.
pub const MAX_LOGIN: usize = 8 * 1024;
/// How long the XMPP server has.
const PATIENCE: Duration = Duration::from_secs(30);
/// The pause before an old password that the server takes is asked about again.
const DOUBTS: Duration = Duration::from_secs(60);
/// The longest label of a browser.
const MAX_LABEL: usize = 80;

type Refusal = (StatusCode, Failure);
fn no(status: StatusCode, code: &str, sentence: impl Into<String>) -> Refusal {
    (status, Failure::new(code, sentence))
}
fn broken() -> Refusal {
    no(StatusCode::SERVICE_UNAVAILABLE, "login.database", "The gateway can't reach its database. Try again in a minute.")
}

/// `POST` [`subrosa_web_api::http::LOGIN`].
pub async fn login(app: &Arc<App>, peer: IpAddr, headers: &HeaderMap, body: Bytes) -> Response<Body> {
    match enter(app, peer, headers, body).await {
        Ok((logged_in, token)) => {
            app.metrics.logins.add(1);
            let mut response = answer(StatusCode::OK, &logged_in);
            response.headers_mut().extend(cookies::write(&app.config, Some(&token)).map(|cookie| (header::SET_COOKIE, cookie)));
            response
        }
        Err((status, why)) => {
            let number = if status == StatusCode::TOO_MANY_REQUESTS { &app.metrics.logins_limited } else { &app.metrics.logins_refused };
            number.add(1);
            tracing::info!(code = why.code, "a login did not work");
            refuse(status, why)
        }
    }
}
async fn enter(app: &Arc<App>, peer: IpAddr, headers: &HeaderMap, body: Bytes) -> Result<(LoggedIn, Token), Refusal> {
    let too_often = || no(StatusCode::TOO_MANY_REQUESTS, "login.rate-limited", "Too many logins. Wait a minute and try again.");
    if !app.logins.at_address(limits::client(&app.config, peer, headers)) {
        return Err(too_often());
    }
    let Some(login) = decode::<Login>(&body) else {
        return Err(no(StatusCode::BAD_REQUEST, "login.malformed", "The gateway does not understand this page. Reload it."));
    };
    let Login { version, jid, password, label } = login;
    let password = Zeroizing::new(password);
    if version != VERSION {
        return Err(no(StatusCode::BAD_REQUEST, "login.version", "The page is of another version than the gateway. Reload it."));
    }
    let address = || no(StatusCode::BAD_REQUEST, "login.address", "This is no XMPP address. It looks like alice@example.org.");
    let jid = subrosa_xmpp::bare(jid.trim()).map_err(|_| address())?.as_str().to_owned();
    let (_, domain) = jid.split_once('@').ok_or_else(address)?;
    if !app.config.allows(domain) {
        return Err(no(StatusCode::FORBIDDEN, "login.domain-not-allowed", format!("This gateway is not for accounts of {domain}. Use one that is.")));
    }
    if !app.logins.for_account(&jid) {
        return Err(too_often());
    }
    let known = known(app, &jid).await.map_err(|_| broken())??;
    let config =
        app.xmpp_config(&jid, &password, known.as_ref().and_then(|row| row.pin.as_deref()), None).map_err(|why| (StatusCode::BAD_REQUEST, why))?;
    match timeout(PATIENCE, Connection::check(config)).await {
        Err(_) => {
            return Err(no(
                StatusCode::BAD_GATEWAY,
                "login.timeout",
                format!("The XMPP server of {domain} does not answer in time. Try again later."),
            ));
        }
        Ok(Err(why)) => return Err(of_server(domain, &why)),
        Ok(Ok(_)) => {}
    }
    let label: String = label.chars().filter(|c| !c.is_control()).take(MAX_LABEL).collect();
    let entered = store(app, &jid, &password, label).await.map_err(|_| broken())?;
    let (row, browser, token) = entered.ok_or_else(broken)?;
    let before = app.account(row.id).map(|account| lock(&account.credentials).clone());
    let credentials = Credentials { password, since: browser.since };
    let account = app.session(row.id, &jid, credentials.clone());
    if let Some(before) = before {
        doubt(app, &account, &credentials, before);
    }
    account.browsers_changed();
    tracing::info!(account = app.log_name(&jid, row.id), "a browser logged in");
    Ok((LoggedIn { jid, browser: db::from_sql(browser.id) }, token))
}
/// What the XMPP server says, for a person.
fn of_server(domain: &str, why: &ConnectError) -> Refusal {
    let failure = failure(why);
    match why {
        ConnectError::Stream { condition } if condition == "host-unknown" => {
            no(StatusCode::BAD_GATEWAY, "login.unreachable", format!("The XMPP server has no accounts of {domain}. Check the address."))
        }
        ConnectError::Password { .. } | ConnectError::Account { .. } => (StatusCode::UNAUTHORIZED, Failure::new("login.refused", failure.sentence)),
        ConnectError::Unreachable { .. } | ConnectError::Lost { .. } | ConnectError::Later { .. } | ConnectError::Stream { .. } => {
            (StatusCode::BAD_GATEWAY, Failure::new("login.unreachable", failure.sentence))
        }
        _ => (StatusCode::BAD_GATEWAY, failure),
    }
}
/// The account, if it was here before; whether there is room.
async fn known(app: &App, jid: &str) -> sqlx::Result<Result<Option<db::account::Account>, Refusal>> {
    let mut c = app.db.read().await?;
    let Some(row) = db::account::by_jid(&mut c, jid).await? else {
        let full = db::account::count(&mut c).await? >= app.config.limits.accounts;
        return Ok(if full {
            Err(no(StatusCode::SERVICE_UNAVAILABLE, "login.full", "This gateway has as many accounts as it may. Ask its operator."))
        } else {
            Ok(None)
        });
    };
    if db::browser::count(&mut c, row.id).await? >= app.config.limits.browsers {
        let sentence = "This account is open in as many browsers as it may be. Sign out in one of them first.";
        return Ok(Err(no(StatusCode::SERVICE_UNAVAILABLE, "login.browsers", sentence)));
    }
    Ok(Ok(Some(row)))
}
/// A row for the browser, and for the account if it is new.
async fn store(app: &App, jid: &str, password: &str, label: String) -> sqlx::Result<Option<(db::account::Account, db::browser::Browser, Token)>> {
    let (Some(id), Some(browser), Some(token)) = (random_id(), random_id(), Token::new()) else { return Ok(None) };
    let Some(sealed) = token.seal(jid, password) else { return Ok(None) };
    let now = now();
    let mut tx = app.db.begin().await?;
    let new = db::account::Account { id, jid: jid.to_owned(), resource: format!("web-{:x}", id & 0xffff_ffff), pin: None, head: 0 };
    db::account::create(&mut tx, &new, now).await?;
    let Some(row) = db::account::by_jid(&mut tx, jid).await? else { return Ok(None) };
    let browser = db::browser::Browser { id: browser, account: row.id, sealed, label, since: now, seen: now };
    db::browser::insert(&mut tx, &browser, token.hash()).await?;
    tx.commit().await?;
    Ok(Some((row, browser, token)))
}

/// Who comes with this cookie.
pub struct Known {
    pub account: db::account::Account,
    pub browser: db::browser::Browser,
    pub token: Token,
}
/// `None`: no cookie, or one that is void.
pub async fn who(app: &App, headers: &HeaderMap) -> sqlx::Result<Option<Known>> {
    let Some(token) = cookies::read(&app.config, headers) else { return Ok(None) };
    let mut c = app.db.read().await?;
    let Some(browser) = db::browser::by_token(&mut c, token.hash()).await? else { return Ok(None) };
    let Some(account) = db::account::by_id(&mut c, browser.account).await? else { return Ok(None) };
    Ok(Some(Known { account, browser, token }))
}
/// `GET` [`subrosa_web_api::http::WHOAMI`].
pub async fn whoami(app: &App, headers: &HeaderMap) -> Response<Body> {
    match who(app, headers).await {
        Ok(Some(known)) => answer(StatusCode::OK, &LoggedIn { jid: known.account.jid, browser: db::from_sql(known.browser.id) }),
        Ok(None) => refuse(StatusCode::UNAUTHORIZED, Failure::new("login.needed", "This browser is not logged in. Log in again.")),
        Err(_) => refuse(broken().0, broken().1),
    }
}
/// `POST` [`subrosa_web_api::http::LOGOUT`].
pub async fn logout(app: &Arc<App>, headers: &HeaderMap) -> Response<Body> {
    match who(app, headers).await {
        Ok(Some(known)) => {
            if void(app, known.account.id, db::from_sql(known.browser.id)).await.is_err() {
                return refuse(broken().0, broken().1);
            }
        }
        Ok(None) => {}
        Err(_) => return refuse(broken().0, broken().1),
    }
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    response.headers_mut().extend(cookies::write(&app.config, None).map(|cookie| (header::SET_COOKIE, cookie)));
    response
}
/// Browsers that logged in with another password than the present one: whether the server still takes it, is asked of it, and if not, those
/// who have it have to log in again. The session would not notice: it logs in with the newest.
pub fn doubt(app: &Arc<App>, account: &Arc<Account>, present: &Credentials, old: Credentials) {
    if present.password == old.password || account.doubting.swap(true, Ordering::Relaxed) {
        return;
    }
    let (app, account) = (app.clone(), account.clone());
    tokio::spawn(async move {
        match is_refused(&app, account.id, &old).await {
            Ok(true) => {}
            Ok(false) => sleep(DOUBTS).await, // an account may have several passwords: then it is not asked at every socket
            Err(why) => tracing::warn!(account = account.name(), %why, "browsers with an old password could not be signed out"),
        }
        account.doubting.store(false, Ordering::Relaxed);
    });
}
async fn is_refused(app: &App, id: i64, old: &Credentials) -> sqlx::Result<bool> {
    let row = db::account::by_id(&mut *app.db.read().await?, id).await?;
    let Some(config) = row.and_then(|row| app.xmpp_config(&row.jid, &old.password, row.pin.as_deref(), None).ok()) else { return Ok(false) };
    let answer = timeout(PATIENCE, Connection::check(config)).await;
    if !matches!(answer, Ok(Err(ConnectError::Password { .. } | ConnectError::Account { .. }))) {
        return Ok(false);
    }
    let left = void_until(app, id, old.since).await?;
    if let Some(session) = app.account(id) {
        session.revoke_others(left.into_iter());
        session.browsers_changed();
    }
    Ok(true)
}
/// The cookies of all that logged in up to this moment are void. Who is left.
pub async fn void_until(app: &App, account: i64, since: u64) -> sqlx::Result<Vec<u64>> {
    let mut tx = app.db.begin().await?;
    db::browser::delete_until(&mut tx, account, since).await?;
    let left = db::browser::of_account(&mut tx, account).await?;
    tx.commit().await?;
    Ok(left.iter().map(|browser| db::from_sql(browser.id)).collect())
}
/// A browser's cookie is void from now on. With the last one the account's session ends and what was kept for its browsers goes.
pub async fn void(app: &Arc<App>, account: i64, browser: u64) -> sqlx::Result<bool> {
    let mut tx = app.db.begin().await?;
    let was = db::browser::delete(&mut tx, account, to_sql(browser)).await?;
    let last = was && db::browser::count(&mut tx, account).await? == 0;
    if last {
        db::account::forget(&mut tx, account).await?;
    }
    tx.commit().await?;
    if let Some(session) = app.account(account).filter(|_| was) {
        session.revoke(browser);
        session.browsers_changed();
        if last {
            session.leave();
        }
    }
    Ok(was)
}
