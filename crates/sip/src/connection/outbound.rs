//! One request from here: the way it goes, its transaction, its challenges (RFC 3261 §8.1, §17.1.2, §18.1, §22).
use super::Shared;
use super::config::Way;
use super::flow::{self, Flow};
use super::target::NextHop;
use crate::address::{bare_uri, host_of, is_secure, user_of};
use crate::digest::{Challenge, Credentials};
use rsipstack::sip::{self, Header, HeadersExt as _, Method, Request, Response, SipMessage as Message, Version};
use rsipstack::transaction::key::{TransactionKey, TransactionRole};
use rsipstack::transaction::{Transaction, random_text};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, timeout};

/// The most bytes of a request in a datagram, where the path's MTU is not known (RFC 3261 §18.1.1).
const LARGEST_DATAGRAM: usize = 1300;
/// Challenges that say no more than that the nonce was too old are answered so often.
const STALE: u32 = 2;
/// So many on the way may ask for a proof.
const ASKERS: usize = 2;

/// What is asked.
#[derive(Clone)]
pub(super) struct Ask {
    pub method: Method,
    /// The Request-URI.
    pub uri: String,
    /// Where it goes, if not to [`super::Config::proxy`] or the Request-URI.
    pub next: Option<NextHop>,
    pub from: String,
    pub from_tag: String,
    pub to: String,
    pub call_id: String,
    /// The number before that of the first attempt; afterwards that of the last.
    pub cseq: u32,
    /// Ask to be reached where the request comes from: with a Contact field.
    pub contact: bool,
    pub fields: Vec<Header>,
    pub body: Vec<u8>,
}
/// Somebody answered.
pub(super) struct Answered {
    pub response: Response,
    /// By what it went.
    pub flow: Flow,
    /// The challenge that was answered, if one was.
    pub challenge: Option<Challenge>,
    /// Why the challenge in `response` was not answered.
    pub unanswerable: Option<String>,
}
/// Nobody did: the code of RFC 3261 §8.1.3.1 and a sentence.
#[derive(Debug)]
pub(super) struct Unanswered {
    pub status: u16,
    pub cause: String,
}
impl Unanswered {
    fn unreachable(cause: impl Into<String>) -> Self {
        Unanswered { status: 503, cause: cause.into() }
    }
}

/// Asks, and answers challenges for which there is a password.
pub(super) async fn ask(shared: &Arc<Shared>, ask: &mut Ask) -> Result<Answered, Unanswered> {
    let limit = shared.config.timeouts.answer;
    match timeout(limit, challenged(shared, ask)).await {
        Ok(result) => result,
        Err(_) => Err(Unanswered { status: 408, cause: format!("no answer within {} s", limit.as_secs_f32()) }),
    }
}
async fn challenged(shared: &Arc<Shared>, ask: &mut Ask) -> Result<Answered, Unanswered> {
    // of a proxy and of a registrar behind it (RFC 3261 §22.3); with each, how often it was answered
    let mut asked: Vec<(u16, Challenge, u32)> = Vec::new();
    let mut stale = 0u32;
    loop {
        ask.cseq = ask.cseq.saturating_add(1);
        let credentials = credentials(shared);
        let proofs = asked.iter_mut().zip(credentials.iter().cycle()).map(|((code, challenge, times), credentials)| {
            *times = times.saturating_add(1);
            let value = challenge.answer(credentials, &ask.method.to_string(), &ask.uri, &random_text(16), *times);
            match code {
                401 => Header::Authorization(sip::Authorization::new(value)),
                _ => Header::ProxyAuthorization(sip::ProxyAuthorization::new(value)),
            }
        });
        let proofs = proofs.collect::<Vec<_>>();
        let (response, flow) = sent(shared, ask, &proofs).await?;
        let last = asked.last().map(|(_, challenge, _)| challenge.clone());
        let give = |unanswerable| Answered { response: response.clone(), flow: flow.clone(), challenge: last.clone(), unanswerable };
        let code = response.status_code.code();
        if !matches!(code, 401 | 407) {
            return Ok(give(None));
        }
        let challenges = response.headers.iter().filter_map(|h| match h {
            Header::WwwAuthenticate(value) if code == 401 => Some(value.value()),
            Header::ProxyAuthenticate(value) if code == 407 => Some(value.value()),
            _ => None,
        });
        let challenge = match Challenge::choose(challenges) {
            Ok(challenge) => challenge,
            Err(why) => return Ok(give(Some(why))),
        };
        if credentials.is_none() {
            return Ok(give(None));
        }
        if !may_answer(shared, ask.method, code, &challenge.realm) {
            return Ok(give(Some(format!("the realm {:?} is not that of the account", challenge.realm))));
        }
        if let Some(before) = asked.iter().position(|(by, known, _)| *by == code && known.realm == challenge.realm) {
            stale = stale.saturating_add(1);
            if !challenge.stale || stale > STALE {
                return Ok(give(None)); // it was answered, and not accepted
            }
            asked.remove(before);
        } else if asked.len() >= ASKERS {
            return Ok(give(Some("everybody on the way asks for one".into())));
        }
        asked.push((code, challenge, 0));
    }
}
fn credentials(shared: &Shared) -> Option<Credentials> {
    let config = &shared.config;
    let name = config.auth_name.clone().unwrap_or_else(|| user_of(config.account().as_str()).to_owned());
    Some(Credentials { name, password: config.password.clone()? })
}
/// A hash of the password is for those who may know it, not for whoever a message was sent to.
fn may_answer(shared: &Shared, method: Method, code: u16, realm: &str) -> bool {
    let config = &shared.config;
    let registrar = || *shared.realm.lock().unwrap_or_else(std::sync::PoisonError::into_inner) == realm;
    match &config.realm {
        Some(only) => only == realm,
        None => method == Method::Register || realm == host_of(config.account().as_str()) || code == 407 && config.proxy.is_some() || registrar(),
    }
}

/// One attempt, by the first way that opens.
async fn sent(shared: &Arc<Shared>, ask: &Ask, proofs: &[Header]) -> Result<(Response, Flow), Unanswered> {
    let wrong = |e: super::ConfigError| Unanswered { status: 400, cause: e.to_string() };
    let mut next = match (&ask.next, &shared.config.proxy) {
        (Some(next), _) => next.clone(),
        (None, Some(proxy)) => NextHop::parse(proxy).map_err(wrong)?,
        (None, None) => NextHop::parse(&ask.uri).map_err(wrong)?,
    };
    let secure = is_secure(&ask.uri);
    next.way = next.way.or(if secure { Some(Way::Tls) } else { shared.config.way });
    // RFC 3261 §26.2.2
    if secure && next.way != Some(Way::Tls) {
        return Err(Unanswered::unreachable(format!("a sips address is reached by TLS only, and the way to {:?} is another", next.host)));
    }
    let resolved = timeout(shared.config.timeouts.connect, next.resolve(&shared.resolver)).await;
    let targets = resolved.unwrap_or_else(|_| Err(format!("the name {:?} was not resolved in time", next.host))).map_err(Unanswered::unreachable)?;
    let mut why = format!("the name {:?} has no address", next.host);
    for (way, address) in targets {
        match attempt(shared, ask, proofs, way, address, &next.host).await {
            Ok(done) => return Ok(done),
            Err(cause) => why = cause,
        }
    }
    Err(Unanswered::unreachable(why))
}
async fn attempt(shared: &Arc<Shared>, ask: &Ask, proofs: &[Header], way: Way, address: SocketAddr, host: &str) -> Result<(Response, Flow), String> {
    let mut large = 0;
    if way == Way::Udp {
        let flow = datagram_flow(shared, address).await?;
        let request = request(shared, ask, proofs, &flow, address);
        large = request.to_bytes().len();
        if large <= LARGEST_DATAGRAM {
            let response = transact(shared, &flow, request, Some(shared.config.timeouts.resend)).await?;
            return Ok((response, flow));
        }
    }
    let way = if way == Way::Udp { Way::Tcp } else { way };
    let too_large = |cause: String| match large {
        0 => cause,
        _ => format!("the message has {large} bytes, and more than {LARGEST_DATAGRAM} can't go by UDP; by TCP: {cause}"),
    };
    loop {
        let (flow, fresh) = stream_flow(shared, way, address, host).await.map_err(too_large)?;
        let request = request(shared, ask, proofs, &flow, address);
        match transact(shared, &flow, request, None).await {
            Ok(response) => return Ok((response, flow)),
            // the other side closed a stream that was idle, while the request was on its way
            Err(_) if !fresh => {}
            Err(cause) => return Err(too_large(cause)),
        }
    }
}
/// With a branch of its own: what was sent before, on a stream that broke, waits for its answer there.
fn request(shared: &Shared, ask: &Ask, proofs: &[Header], flow: &Flow, peer: SocketAddr) -> Request {
    let (sent_by, branch) = (shared.sent_by(flow, peer), random_text(20));
    let mut headers = Vec::with_capacity(ask.fields.len().saturating_add(12));
    headers.push(Header::Via(sip::Via::new(format!("SIP/2.0/{} {sent_by};rport;branch=z9hG4bK{branch}", flow.way.name()))));
    headers.push(Header::MaxForwards(sip::MaxForwards::new("70")));
    headers.push(Header::From(sip::From::new(format!("<{}>;tag={}", ask.from, ask.from_tag))));
    headers.push(Header::To(sip::To::new(format!("<{}>", ask.to))));
    headers.push(Header::CallId(sip::CallId::new(ask.call_id.as_str())));
    headers.push(Header::CSeq(sip::CSeq::new(format!("{} {}", ask.cseq, ask.method))));
    if let Some(proxy) = &shared.config.proxy
        && ask.next.is_none()
    {
        let uri = bare_uri(proxy);
        let lr = if uri.split(';').any(|param| param.eq_ignore_ascii_case("lr")) { "" } else { ";lr" };
        headers.push(Header::Route(sip::Route::new(format!("<{uri}{lr}>"))));
    }
    if ask.contact {
        let way = match flow.way {
            Way::Udp => "",
            Way::Tcp => ";transport=tcp",
            Way::Tls => ";transport=tls",
        };
        headers.push(Header::Contact(sip::Contact::new(format!("<sip:{}@{sent_by}{way}>", user_of(&ask.from)))));
    }
    headers.extend_from_slice(proofs);
    headers.push(Header::UserAgent(sip::UserAgent::new(shared.config.user_agent.as_str())));
    headers.extend(ask.fields.iter().cloned());
    headers.push(Header::ContentLength(sip::ContentLength::new(ask.body.len().to_string())));
    Request { method: ask.method, uri: super::verbatim(&ask.uri), version: Version::V2, headers: headers.into(), body: ask.body.clone() }
}

/// One transaction. `resend`: T1, over datagrams: rsipstack sees a channel, which loses nothing, so sending again is done here.
async fn transact(shared: &Shared, flow: &Flow, request: Request, resend: Option<Duration>) -> Result<Response, String> {
    let key = TransactionKey::from_request(&request, TransactionRole::Client).map_err(|e| e.to_string())?;
    let mut unanswered = Unheard { flow, since: Instant::now(), patience: shared.config.timeouts.answer.mul_f32(0.5) };
    let again = resend.map(|first| (first, request.clone()));
    let mut transaction = Transaction::new_client(key, request, shared.endpoint.clone(), Some(flow.connection.clone()));
    let answered = async {
        transaction.send().await.map_err(|e| e.to_string())?;
        while let Some(message) = transaction.receive().await {
            if let Message::Response(response) = message
                && response.status_code.code() >= 200
            {
                return Ok(response);
            }
        }
        Err("the stack ended the transaction".to_owned())
    };
    let resending = async {
        let Some((mut pause, request)) = again else { return std::future::pending().await };
        loop {
            tokio::time::sleep(pause).await;
            let _ = flow.connection.send(request.clone().into(), None).await;
            pause = pause.saturating_mul(2).min(shared.endpoint.option.t2);
        }
    };
    tokio::select! {
        biased;
        response = answered => {
            unanswered.patience = Duration::MAX;
            response
        }
        () = flow.closed.cancelled() => Err("the connection was closed before the answer".into()),
        () = resending => Err("unreachable".into()),
    }
}

/// A stream on which nothing came back for so long, neither the answer nor anything else, leads nowhere, whatever the system thinks of
/// it: the next request opens another.
struct Unheard<'a> {
    flow: &'a Flow,
    since: Instant,
    patience: Duration,
}
impl Drop for Unheard<'_> {
    fn drop(&mut self) {
        if self.flow.way != Way::Udp && self.since.elapsed() >= self.patience && self.flow.heard() < self.since {
            self.flow.closed.cancel();
        }
    }
}

async fn datagram_flow(shared: &Shared, peer: SocketAddr) -> Result<Flow, String> {
    let udp = shared.datagrams.iter().find(|udp| udp.local.is_ipv4() == peer.is_ipv4()).ok_or("this account has no UDP; name another transport")?;
    // making one costs a few kilobytes, and there are few who are written to
    let mut flows = shared.to_peers.lock().await;
    if let Some(flow) = flows.get(&peer) {
        return Ok(flow.clone());
    }
    let flow = udp.flow(Some(peer), &shared.token).await.ok_or("the connection is closing")?;
    if flows.len() >= 64 {
        flows.clear();
    }
    flows.insert(peer, flow.clone());
    Ok(flow)
}
/// The open stream there, else a new one (`true`).
async fn stream_flow(shared: &Arc<Shared>, way: Way, peer: SocketAddr, host: &str) -> Result<(Flow, bool), String> {
    let name = if way == Way::Tls { host } else { "" };
    let place = {
        let mut streams = shared.streams.lock().await;
        if streams.len() >= 256 {
            streams.retain(|_, place| place.try_lock().is_ok_and(|flow| flow.as_ref().is_some_and(|flow: &Flow| !flow.closed.is_cancelled())));
        }
        streams.entry((way, peer, name.to_owned())).or_default().clone()
    };
    let mut place = place.lock().await;
    if let Some(flow) = place.as_ref().filter(|flow| !flow.closed.is_cancelled()) {
        return Ok((flow.clone(), false));
    }
    let flow = flow::open(shared, way, peer, host).await?;
    *place = Some(flow.clone());
    Ok((flow, true))
}

impl Shared {
    /// Host and port where answers, and other requests, reach us.
    fn sent_by(&self, flow: &Flow, peer: SocketAddr) -> String {
        let listening = self.listening.iter().find(|(way, address)| *way == flow.way && address.is_ipv4() == peer.is_ipv4());
        let port = listening.map_or(flow.local.port(), |(_, address)| address.port());
        let ip = self.config.public.unwrap_or_else(|| match flow.local.ip() {
            ip if !ip.is_unspecified() => ip,
            _ => towards(peer).unwrap_or(flow.local.ip()),
        });
        SocketAddr::new(ip, port).to_string()
    }
}
/// The address of this machine from which that one is reached. Nothing is sent.
fn towards(peer: SocketAddr) -> Option<IpAddr> {
    let any: SocketAddr = if peer.is_ipv4() { ([0; 4], 0).into() } else { ([0; 16], 0).into() };
    let probe = std::net::UdpSocket::bind(any).ok()?;
    probe.connect(peer).ok()?;
    probe.local_addr().ok().map(|local| local.ip())
}
/// The seconds that a registrar gives: of our Contact, else of all (RFC 3261 §10.2.4).
pub(super) fn expires(response: &Response, contact: &str) -> Option<u64> {
    let ours = response.contact_headers().into_iter().flat_map(|header| header.value().split(',')).find(|value| value.contains(contact));
    let param = ours.and_then(|value| value.split('>').nth(1)?.split(';').find_map(|param| param.trim().strip_prefix("expires=")?.parse().ok()));
    param.or_else(|| response.expires_header().and_then(|value| value.value().trim().parse().ok()))
}
