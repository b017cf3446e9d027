//! A stream from nothing to logged in and bound or resumed: RFC 6120 §4–§7, XEP-0198 §3, §5, XEP-0440.
//!
//! Invariants: nothing of the account leaves before TLS (or a loopback address, where that was asked for); the mechanism is chosen
//! once and never weakened after a failure; nothing weaker than the pin is used.
use super::error::ConnectError;
use super::frame::{Arrived, FrameError, Framed, Patience};
use super::management::Resume;
use super::net::{self, Bindings, Io, Target, Way};
use super::pin::{Binding, Mechanism, Pin};
use super::scram::{Gs2, Scram, ScramError};
use super::{Config, Security};
use crate::ns;
use crate::xml::{Frame, build};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use minidom::Element;
use rustls::ClientConfig;
use std::sync::Arc;
use tokio::io::{AsyncRead, AsyncWrite};
use zeroize::Zeroizing;

pub(super) type Stream = Framed<Box<dyn Io>>;

/// Logged in.
pub(super) struct Session {
    pub stream: Stream,
    /// The way that was used.
    pub pin: Pin,
    pub kind: SessionKind,
}
pub(super) enum SessionKind {
    /// XEP-0198: the server counts from here.
    Resumed {
        /// What we said that we have.
        asked: u32,
        /// What it has.
        h: u32,
    },
    New {
        full: String,
        /// The server manages the stream; the id to resume with, where it allows that.
        managed: Option<Option<String>>,
        /// What the server had of the stream before, where it told.
        h: Option<u32>,
    },
}

impl From<FrameError> for ConnectError {
    fn from(e: FrameError) -> Self {
        match e {
            FrameError::Io(e) => ConnectError::lost(e),
            FrameError::Xml(why) => ConnectError::protocol(why),
        }
    }
}
/// The next element. Stream errors and the end of the stream are errors.
async fn read<I: AsyncRead + AsyncWrite + Unpin>(stream: &mut Framed<I>) -> Result<Element, ConnectError> {
    loop {
        match stream.next().await? {
            Arrived::Frame(Frame::Element(element)) if element.is("error", ns::STREAM) => return Err(stream_error(&element)),
            Arrived::Frame(Frame::Element(element)) => return Ok(element),
            Arrived::Frame(Frame::TooLarge(_) | Frame::Malformed(_)) => {
                return Err(ConnectError::protocol("an element before the login that is too large or not well-formed"));
            }
            Arrived::Head | Arrived::Silence => {}
            Arrived::End => return Err(ConnectError::lost("the server closed the stream")),
        }
    }
}
/// RFC 6120 §4.9.
pub(super) fn stream_error(error: &Element) -> ConnectError {
    match error.children().find(|c| c.has_ns(ns::STREAMS) && c.name() != "text").map(Element::name) {
        Some("conflict") => ConnectError::Replaced,
        condition => ConnectError::Stream { condition: condition.unwrap_or("undefined-condition").into() },
    }
}
async fn write<I: AsyncRead + AsyncWrite + Unpin>(stream: &mut Framed<I>, element: &Element) -> Result<(), ConnectError> {
    stream.put(element).map_err(|_| ConnectError::protocol("an element of ours is not well-formed"))?;
    Ok(stream.flush().await?)
}
/// A stream's beginning, up to what the server offers.
async fn begin<I: AsyncRead + AsyncWrite + Unpin>(stream: &mut Framed<I>, domain: &str) -> Result<Element, ConnectError> {
    stream.begin(domain);
    stream.flush().await?;
    let features = read(stream).await?;
    if features.is("features", ns::STREAM) { Ok(features) } else { Err(ConnectError::protocol("no stream features")) }
}

/// Everything up to a [`Session`], by one server.
pub(super) async fn negotiate(
    config: &Config,
    pin: Option<Pin>,
    tls: &Arc<ClientConfig>,
    target: &Target,
    resume: Option<Resume>,
) -> Result<Session, ConnectError> {
    let account = config.account.as_str();
    let (user, domain) = account.split_once('@').ok_or_else(|| ConnectError::protocol("no account"))?;
    let ascii = idna::domain_to_ascii(domain).unwrap_or_else(|_| domain.into());
    let tcp = net::connect(target, &ascii).await?;
    let patience = Patience { quiet: config.keepalive, dead: config.response_timeout };
    let (io, bindings) = match target.way {
        Way::Clear => (Box::new(tcp) as Box<dyn Io>, Bindings::default()),
        Way::DirectTls => net::protect(tcp, tls, &ascii).await?,
        Way::StartTls => {
            let mut stream = Framed::new(tcp, patience);
            if !begin(&mut stream, domain).await?.has_child("starttls", ns::TLS) {
                return Err(ConnectError::NoTls { domain: domain.into() });
            }
            write(&mut stream, &build("starttls", ns::TLS).end()).await?;
            if !read(&mut stream).await?.is("proceed", ns::TLS) {
                return Err(ConnectError::NoTls { domain: domain.into() });
            }
            net::protect(stream.into_inner()?, tls, &ascii).await?
        }
    };
    let mut stream = Framed::new(io, patience);
    let offered = begin(&mut stream, domain).await?;
    let pin = login(&mut stream, &offered, user, config, pin, &bindings).await?;
    let offered = begin(&mut stream, domain).await?;
    let kind = bind(&mut stream, &offered, config, resume).await?;
    Ok(Session { stream, pin, kind })
}

/// What is used, and what is said about channel binding.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Choice {
    pub pin: Pin,
    pub gs2: Gs2,
}
/// The strongest that both can. Binding needs a type that the server lists (XEP-0440): ejabberd and Prosody 0.12 offer `-PLUS` for
/// `tls-unique` too, which TLS 1.3 does not have, and a wrong guess looks like a wrong password.
pub(super) fn choose(features: &Element, bindings: &Bindings, clear: bool, pin: Option<Pin>) -> Result<Choice, ConnectError> {
    let names: Vec<String> =
        features.get_child("mechanisms", ns::SASL).into_iter().flat_map(Element::children).map(|m| m.text().trim().to_owned()).collect();
    let listed = |kind: &str| {
        let list = features.get_child("sasl-channel-binding", ns::SASL_BINDINGS);
        list.is_some_and(|list| list.children().any(|c| c.name() == "channel-binding" && c.attr("type") == Some(kind)))
    };
    let data = |binding| match binding {
        Binding::Exporter => bindings.exporter.clone(),
        Binding::EndPoint => bindings.end_point.clone(),
    };
    let binding = Binding::ALL.into_iter().filter(|b| listed(b.name())).find_map(|binding| Some((binding, data(binding)?)));
    let offered = |m: Mechanism| names.iter().any(|name| name == m.name());
    let possible = |m: &Mechanism| offered(*m) && (!m.is_bound() || binding.is_some());
    let best = Mechanism::ALL.into_iter().find(|m| possible(m)).map(|m| Pin::new(m, binding.as_ref().map(|(binding, _)| *binding)));
    if let Some(before) = pin
        && !best.is_some_and(|best| best.covers(before))
    {
        return Err(ConnectError::Weaker { before, offered: best });
    }
    let best = best.ok_or(ConnectError::NoMechanism)?;
    let gs2 = match binding {
        Some((binding, data)) if best.mechanism().is_bound() => Gs2::Used { binding, data },
        // RFC 5802 §6: `y` only if the server offers no -PLUS at all
        _ if clear || Mechanism::ALL.into_iter().any(|m| m.is_bound() && offered(m)) => Gs2::No,
        _ => Gs2::Unoffered,
    };
    Ok(Choice { pin: best, gs2 })
}

async fn login(
    stream: &mut Stream,
    features: &Element,
    user: &str,
    config: &Config,
    pin: Option<Pin>,
    bindings: &Bindings,
) -> Result<Pin, ConnectError> {
    let choice = choose(features, bindings, config.security == Security::ClearLoopback, pin)?;
    let mechanism = choice.pin.mechanism();
    let mut nonce = [0; 24];
    getrandom::fill(&mut nonce).map_err(|e| ConnectError::protocol(e.to_string()))?;
    let scram = (mechanism != Mechanism::Plain).then(|| Scram::new(mechanism, choice.gs2, user, BASE64.encode(nonce)));
    let first = match &scram {
        Some(scram) => Zeroizing::new(scram.first()),
        None => Zeroizing::new(format!("\0{user}\0{}", config.password.as_str()).into_bytes()),
    };
    let encoded = Zeroizing::new(BASE64.encode(&first));
    stream.put_secret(Zeroizing::new(format!("<auth xmlns='{}' mechanism='{}'>{}</auth>", ns::SASL, mechanism.name(), *encoded)).as_bytes());
    stream.flush().await?;
    let mut scram = scram;
    let mut verified = mechanism == Mechanism::Plain;
    let mut rounds = 0u8;
    loop {
        let element = read(stream).await?;
        let data = || BASE64.decode(element.text().trim()).map_err(|_| ConnectError::protocol("no base64 in the login"));
        match (element.name(), &mut scram) {
            _ if !element.has_ns(ns::SASL) => return Err(ConnectError::protocol("something else amid the login")),
            ("challenge", Some(state)) if rounds == 0 => {
                let (challenge, password) = (data()?, config.password.clone());
                let mut moved = std::mem::replace(state, Scram::new(mechanism, Gs2::No, "", String::new()));
                // half a second of work at a server that asks for much
                let worked = tokio::task::spawn_blocking(move || {
                    let answer = moved.answer(&challenge, &password);
                    (moved, answer)
                });
                let (moved, answer) = worked.await.map_err(ConnectError::lost)?;
                *state = moved;
                let answer = match answer {
                    Ok(answer) => answer,
                    Err(error) => {
                        let _ = write(stream, &build("abort", ns::SASL).end()).await;
                        return Err(of_scram(error, config));
                    }
                };
                write(stream, &build("response", ns::SASL).text(&BASE64.encode(answer)).end()).await?;
            }
            // some servers send their last word as a challenge
            ("challenge", Some(state)) if rounds == 1 => {
                state.verify(&data()?).map_err(|e| of_scram(e, config))?;
                verified = true;
                write(stream, &build("response", ns::SASL).end()).await?;
            }
            ("success", Some(state)) if !verified => {
                state.verify(&data()?).map_err(|e| of_scram(e, config))?;
                return Ok(choice.pin);
            }
            ("success", _) => return Ok(choice.pin),
            ("failure", _) => return Err(refused(&element, config)),
            _ => return Err(ConnectError::protocol("something else amid the login")),
        }
        rounds = rounds.saturating_add(1);
    }
}
fn of_scram(error: ScramError, config: &Config) -> ConnectError {
    match error {
        ScramError::Binding => ConnectError::ChannelBinding,
        ScramError::Signature => ConnectError::Impostor,
        ScramError::Refused => ConnectError::Password { account: config.account.to_string() },
        ScramError::Iterations => ConnectError::protocol("it asks for too few or too many iterations of the password"),
        ScramError::Malformed => ConnectError::protocol("no SCRAM in the login"),
    }
}
/// RFC 6120 §6.5.
fn refused(failure: &Element, config: &Config) -> ConnectError {
    let condition = failure.children().map(Element::name).find(|name| *name != "text").unwrap_or("not-authorized").to_owned();
    let account = config.account.to_string();
    match condition.as_str() {
        "not-authorized" => ConnectError::Password { account },
        "account-disabled" | "credentials-expired" | "invalid-authzid" => ConnectError::Account { account, condition },
        "encryption-required" | "invalid-mechanism" | "mechanism-too-weak" => ConnectError::NoMechanism,
        _ => ConnectError::Later { condition },
    }
}

/// Resumes, or binds and asks for management.
async fn bind(stream: &mut Stream, features: &Element, config: &Config, resume: Option<Resume>) -> Result<SessionKind, ConnectError> {
    let managed = features.has_child("sm", ns::SM);
    let count = |element: &Element| element.attr("h").and_then(|h| h.parse().ok());
    let mut seen = None;
    if let Some(resume) = resume.filter(|_| managed) {
        write(stream, &build("resume", ns::SM).attr("previd", resume.id.as_str()).attr("h", resume.h.to_string()).end()).await?;
        let answer = read(stream).await?;
        match (answer.name(), count(&answer)) {
            ("resumed", Some(h)) => return Ok(SessionKind::Resumed { asked: resume.h, h }),
            ("failed", h) => seen = h,
            _ => return Err(ConnectError::protocol("no answer to the resumption")),
        }
    }
    let resource = config.resource.as_deref().map(|resource| build("resource", ns::BIND).text(resource).end());
    let request = build("iq", ns::CLIENT).attr("type", "set").attr("id", "bind").child(build("bind", ns::BIND).children(resource));
    write(stream, &request.end()).await?;
    let answer = read(stream).await?;
    let full = answer.get_child("bind", ns::BIND).and_then(|bind| bind.get_child("jid", ns::BIND)).map(|jid| jid.text().trim().to_owned());
    let full = full.filter(|_| answer.attr("type") == Some("result")).ok_or_else(|| ConnectError::protocol("no address was bound"))?;
    if crate::bare(&full).as_ref() != Ok(&config.account) {
        return Err(ConnectError::protocol("the address of another account was bound"));
    }
    if !managed {
        return Ok(SessionKind::New { full, managed: None, h: seen });
    }
    write(stream, &build("enable", ns::SM).attr("resume", "true").end()).await?;
    loop {
        let answer = read(stream).await?;
        match answer.name() {
            _ if !answer.has_ns(ns::SM) => {} // came before the counting began
            "enabled" => {
                let resumable = matches!(answer.attr("resume"), Some("true" | "1"));
                let id = answer.attr("id").filter(|_| resumable).map(str::to_owned);
                return Ok(SessionKind::New { full, managed: Some(id), h: seen });
            }
            "failed" => return Ok(SessionKind::New { full, managed: None, h: seen }),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn offer(mechanisms: &[&str], bindings: &[&str]) -> Element {
        let mechanisms = mechanisms.iter().map(|m| build("mechanism", ns::SASL).text(m).end());
        let features = build("features", ns::STREAM).child(build("mechanisms", ns::SASL).children(mechanisms));
        let list = bindings.iter().map(|b| build("channel-binding", ns::SASL_BINDINGS).attr("type", *b).end());
        if bindings.is_empty() { features.end() } else { features.child(build("sasl-channel-binding", ns::SASL_BINDINGS).children(list)).end() }
    }
    fn pin(text: &str) -> Pin {
        text.parse().unwrap()
    }
    const SCRAMS: [&str; 5] = ["PLAIN", "SCRAM-SHA-1", "SCRAM-SHA-256", "SCRAM-SHA-1-PLUS", "SCRAM-SHA-256-PLUS"];

    #[test]
    fn the_strongest_that_both_can_is_used() {
        let tls = Bindings { exporter: Some(vec![1]), end_point: Some(vec![2]) };
        let choose = |features: &Element| choose(features, &tls, false, None).unwrap();
        let used = choose(&offer(&SCRAMS, &["tls-unique", "tls-server-end-point", "tls-exporter"]));
        assert_eq!(used, Choice { pin: pin("SCRAM-SHA-256-PLUS tls-exporter"), gs2: Gs2::Used { binding: Binding::Exporter, data: vec![1] } });
        let used = choose(&offer(&SCRAMS, &["tls-server-end-point"]));
        assert_eq!(used.gs2, Gs2::Used { binding: Binding::EndPoint, data: vec![2] });
        // a binding that we have not: `n`, because `y` would accuse somebody of cutting -PLUS out
        assert_eq!(choose(&offer(&SCRAMS, &["tls-unique"])), Choice { pin: pin("SCRAM-SHA-256"), gs2: Gs2::No });
        assert_eq!(choose(&offer(&SCRAMS, &[])), Choice { pin: pin("SCRAM-SHA-256"), gs2: Gs2::No });
        assert_eq!(choose(&offer(&["PLAIN", "SCRAM-SHA-1"], &[])), Choice { pin: pin("SCRAM-SHA-1"), gs2: Gs2::Unoffered });
        assert_eq!(choose(&offer(&["PLAIN", "DIGEST-MD5", "ANONYMOUS"], &[])).pin, pin("PLAIN"));
    }

    #[test]
    fn never_weaker_than_before() {
        let tls = Bindings { exporter: Some(vec![1]), end_point: Some(vec![2]) };
        let with = |before: &str, features: &Element| choose(features, &tls, false, Some(pin(before)));
        let weaker = |before: &str, offered: Option<&str>| Err(ConnectError::Weaker { before: pin(before), offered: offered.map(pin) });
        assert_eq!(with("SCRAM-SHA-1", &offer(&["PLAIN"], &[])), weaker("SCRAM-SHA-1", Some("PLAIN")));
        assert_eq!(with("SCRAM-SHA-256-PLUS", &offer(&SCRAMS, &[])), weaker("SCRAM-SHA-256-PLUS", Some("SCRAM-SHA-256")));
        assert_eq!(with("PLAIN", &offer(&["ANONYMOUS"], &[])), weaker("PLAIN", None));
        assert_eq!(with("PLAIN", &offer(&SCRAMS, &[])).unwrap().pin, pin("SCRAM-SHA-256"));
        assert_eq!(choose(&offer(&["EXTERNAL"], &[]), &tls, false, None), Err(ConnectError::NoMechanism));
        let (exporter, end_point) = ("SCRAM-SHA-256-PLUS tls-exporter", "SCRAM-SHA-256-PLUS tls-server-end-point");
        let only_end_point = offer(&SCRAMS, &["tls-server-end-point"]);
        assert_eq!(with(exporter, &only_end_point), weaker(exporter, Some(end_point)));
        assert_eq!(with(end_point, &only_end_point).unwrap().pin, pin(end_point));
        let both = offer(&SCRAMS, &["tls-server-end-point", "tls-exporter"]);
        assert_eq!(with(end_point, &both).unwrap().pin, pin(exporter));
        // TLS 1.2 has no exporter, whatever the server lists
        let tls = Bindings { exporter: None, ..tls };
        assert_eq!(choose(&both, &tls, false, Some(pin(exporter))), weaker(exporter, Some(end_point)));
    }
}
