//! Registering and staying so (RFC 3261 §10.2): refreshed before it ends, tried again after the network failed, given up where a
//! person has to look, taken back at the end.
use super::error::RegisterError;
use super::outbound::{Answered, Ask, Unanswered, ask, expires};
use super::target::NextHop;
use super::{Happening, Registration, Shared};
use crate::address::{bare_uri, host_of, is_secure, user_of};
use rsipstack::sip::{self, Header, HeadersExt as _, Method};
use rsipstack::transaction::random_text;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::time::{sleep, timeout};

/// A day: a registrar that promises more is asked again all the same.
const LONGEST: u64 = 86_400;
/// How long taking it back may hold up the end.
const GOODBYE: Duration = Duration::from_secs(3);

/// Until it fails for good, or `end` says so; then, or when `end` is dropped, it is taken back.
pub(super) async fn stay(shared: Arc<Shared>, mut end: oneshot::Receiver<oneshot::Sender<()>>) {
    let account = shared.config.account().as_str().to_owned();
    let tell = |registration| drop(shared.happenings.send(Happening::Registration(registration)));
    let mut seconds = shared.config.expires.as_secs().max(1);
    let mut pause = shared.config.timeouts.retry;
    let mut registered = false;
    // the next hop is the registrar's, unless everything goes by a proxy
    let registrar = shared.config.registrar.clone().unwrap_or_else(|| {
        let scheme = if is_secure(&account) { "sips" } else { "sip" };
        format!("{scheme}:{}", place_of(&account))
    });
    let next = shared.config.proxy.is_none().then(|| NextHop::parse(&registrar).ok()).flatten();
    let mut request = Ask {
        method: Method::Register,
        uri: bare_uri(&registrar).to_owned(),
        next,
        from: account.clone(),
        from_tag: random_text(10),
        to: account.clone(),
        call_id: format!("{}@{}", random_text(22), host_of(&account)),
        cseq: 0,
        contact: true,
        fields: Vec::new(),
        body: Vec::new(),
    };
    let told = loop {
        if !registered {
            tell(Registration::Registering);
        }
        request.fields = vec![Header::Expires(sip::Expires::new(seconds.to_string()))];
        let turn = tokio::select! {
            biased;
            told = &mut end => break told.ok(),
            turn = ask(&shared, &mut request) => turn,
        };
        let (wait, flow) = match outcome(&shared, turn, &account) {
            Turn::Registered(given, answered) => {
                if let Some(challenge) = answered.challenge {
                    *shared.realm.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = challenge.realm;
                }
                let given = given.map_or(seconds, |given| given.clamp(1, LONGEST));
                registered = true;
                tell(Registration::Registered { expires: Duration::from_secs(given) });
                // early enough for a second attempt
                (Duration::from_secs(given).mul_f32(0.8).max(Duration::from_millis(500)), Some(answered.flow))
            }
            Turn::Longer(least) if least > seconds => {
                seconds = least;
                continue;
            }
            Turn::Longer(_) => return tell(Registration::Failed(RegisterError::Refused { code: 423, phrase: "Interval Too Brief".into() })),
            Turn::Failed(why) if why.is_fatal() => return tell(Registration::Failed(why)),
            Turn::Failed(why) => {
                let wait = pause;
                pause = pause.saturating_mul(2).min(shared.config.timeouts.retry_at_most);
                registered = false;
                tell(Registration::Offline { why, retry: wait });
                (wait, None)
            }
        };
        // others can't reach us by a stream that is gone
        let lost = async {
            match &flow {
                Some(flow) => flow.closed.cancelled().await,
                None => std::future::pending().await,
            }
        };
        let is_lost = async {
            tokio::select! {
                () = sleep(wait) => false,
                () = lost => {
                    sleep(pause).await;
                    true
                }
            }
        };
        tokio::select! {
            told = &mut end => break told.ok(),
            // a registrar that hangs up each time is not asked ten times a second
            is_lost = is_lost => match (is_lost, &flow) {
                (true, _) => pause = pause.saturating_mul(2).min(shared.config.timeouts.retry_at_most),
                (false, Some(_)) => pause = shared.config.timeouts.retry,
                (false, None) => {}
            },
        }
    };
    if registered && !shared.token.is_cancelled() {
        request.fields = vec![Header::Expires(sip::Expires::new("0"))];
        let _ = timeout(GOODBYE, ask(&shared, &mut request)).await;
        tell(Registration::Unregistered);
    }
    drop(told);
}
enum Turn {
    Registered(Option<u64>, Box<Answered>),
    Longer(u64),
    Failed(RegisterError),
}
fn outcome(shared: &Shared, answered: Result<Answered, Unanswered>, account: &str) -> Turn {
    let answered = match answered {
        Ok(answered) => answered,
        Err(Unanswered { cause, .. }) => return Turn::Failed(RegisterError::Unreachable { cause }),
    };
    let response = &answered.response;
    let code = response.status_code.code();
    match code {
        200..=299 => {
            let contact = format!("sip:{}@", user_of(account));
            Turn::Registered(expires(response, &contact), Box::new(answered))
        }
        401 | 407 => Turn::Failed(match (&answered.challenge, &answered.unanswerable) {
            (_, Some(why)) => RegisterError::Challenge(why.clone()),
            (Some(challenge), None) => RegisterError::Password { realm: challenge.realm.clone() },
            (None, None) if shared.config.password.is_none() => RegisterError::NoPassword { realm: realm(response) },
            (None, None) => RegisterError::Challenge("no challenge was sent".into()),
        }),
        // RFC 3261 §10.3: a day is the most that is sensible
        423 => match response.min_expires_header().and_then(|least| least.value().trim().parse::<u64>().ok()).filter(|least| *least <= LONGEST) {
            Some(least) => Turn::Longer(least),
            None => Turn::Longer(0),
        },
        403 if answered.challenge.is_some() => {
            Turn::Failed(RegisterError::Password { realm: answered.challenge.map(|c| c.realm).unwrap_or_default() })
        }
        _ => {
            let phrase = response.wire_reason.clone().unwrap_or_else(|| response.status_code.text().into());
            Turn::Failed(RegisterError::Refused { code, phrase })
        }
    }
}
fn realm(response: &sip::Response) -> String {
    let values = response.headers.iter().filter_map(|h| match h {
        Header::WwwAuthenticate(value) => Some(value.value()),
        Header::ProxyAuthenticate(value) => Some(value.value()),
        _ => None,
    });
    crate::digest::Challenge::choose(values).map(|challenge| challenge.realm).unwrap_or_default()
}
/// Host and port of an address.
fn place_of(address: &str) -> &str {
    address.rsplit_once('@').map_or(address, |(_, place)| place)
}
