//! What comes: which messages rsipstack gets to see, who is asked for an answer, and that the answer goes out as it is given.
//!
//! Only MESSAGE and answers reach rsipstack; the rest is answered here, without state. Of a transaction on a stream nothing is kept
//! after its answer (RFC 3261 §17.2.2: Timer J is 0), which rsipstack would keep for 32 s.
use super::Shared;
use super::flow::Flow;
use super::frame::Frame;
use super::head::{Head, Start};
use super::{Happening, NAME};
use crate::address::uri_in;
use crate::message::{Answer, AnswerHandle, Arrived, SipMessage, is_reserved};
use crate::{BodyError, bare, inflated};
use futures_util::FutureExt as _;
use rsipstack::sip::headers::make_header;
use rsipstack::sip::{self, Header, HeadersExt as _, Method, Request, Response, StatusCode, Version};
use rsipstack::transaction::Transaction;
use rsipstack::transport::SipConnection;
use std::net::SocketAddr;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use subrosa_engine::{ContentType, Headers, MessageId, Status};
use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot};
use tokio::time::{Instant, timeout};

const ALLOW: (&str, &str) = ("Allow", "MESSAGE, OPTIONS");

/// What is to be done about a frame by whoever read it.
pub(super) enum Turn {
    /// Nothing, or it is being done.
    Done,
    /// To write on the same stream, or to send in a datagram to this address.
    Answer(Vec<u8>, SocketAddr),
}

/// Everything that comes passes here.
pub(super) async fn take(shared: &Arc<Shared>, frame: Frame, flow: &Flow, peer: SocketAddr) -> Turn {
    let (mut head, refused, mut body) = match frame {
        Frame::Ping => return Turn::Answer(b"\r\n".to_vec(), peer),
        Frame::Message(head, body) => (head, None, body),
        Frame::Refused(head, code, why) | Frame::Last(Some(head), code, why) => (head, Some((code, why)), Vec::new()),
        Frame::Last(None, ..) => return Turn::Done,
    };
    // an answer says nothing about where it came from
    let reply = if matches!(head.start, Start::Request { .. }) { head.came_from(peer) } else { Some(peer) };
    let Some(reply) = reply else { return Turn::Done };
    let refused = refused.or_else(|| refusal(&head, &body)).or_else(|| unpack(&mut head, &mut body, shared.config.limits.body).err());
    match refused {
        Some((code, why)) => answer(&head, code, why, reply),
        None => match message(head, body) {
            Ok(message) => received(shared, message, flow, peer, reply).await,
            Err(head) => answer(&head, 400, "the header fields are not well-formed", reply),
        },
    }
}
fn answer(head: &Head, code: u16, why: &str, reply: SocketAddr) -> Turn {
    let warning = format!("399 {NAME} \"{why}\"");
    let fields: &[(&str, &str)] = match code {
        200 => &[ALLOW, ("Accept", "*/*")],
        405 => &[ALLOW],
        415 => &[("Accept-Encoding", "identity, deflate")],
        420 => &[("Unsupported", head.get("require", "require").unwrap_or("?"))],
        _ => &[("Warning", &warning)],
    };
    head.answer(code, status(code).text(), fields).map_or(Turn::Done, |bytes| Turn::Answer(bytes, reply))
}
/// What needs no transaction, and OPTIONS: the code and why.
fn refusal(head: &Head, body: &[u8]) -> Option<(u16, &'static str)> {
    let Start::Request { method, .. } = &head.start else { return None };
    match method.as_str() {
        "MESSAGE" => {}
        "OPTIONS" => return Some((200, "")),
        _ => return Some((405, "")),
    }
    if head.get("require", "require").is_some_and(|options| !options.is_empty()) {
        return Some((420, ""));
    }
    if head.get("content-encoding", "e").is_some_and(|encoding| !["identity", "deflate"].iter().any(|known| encoding.eq_ignore_ascii_case(known))) {
        return Some((415, ""));
    }
    if !body.is_empty() && head.get("content-type", "c").is_none() {
        return Some((400, "a body must have a Content-Type"));
    }
    let from = head.get("from", "f")?;
    if bare(from).is_err() || !uri_in(from).and_then(|uri| from.split_once(uri)).is_some_and(|(_, rest)| rest.contains("tag=")) {
        return Some((400, "From is not an address with a tag"));
    }
    None
}
/// A body that travels compressed is unpacked before anybody reads it: Liblinphone compresses its receipts without asking.
fn unpack(head: &mut Head, body: &mut Vec<u8>, limit: usize) -> Result<(), (u16, &'static str)> {
    if matches!(head.start, Start::Request { .. })
        && head.get("content-encoding", "e").is_some_and(|encoding| encoding.eq_ignore_ascii_case("deflate"))
    {
        *body = inflated(body, limit).map_err(|error| match error {
            BodyError::TooLarge(_) => (413, "the body is too large"),
            _ => (400, "the body is not encoded as it says"),
        })?;
        head.fields.retain(|(name, _)| !["content-encoding", "e"].iter().any(|encoding| name.eq_ignore_ascii_case(encoding)));
    }
    Ok(())
}
/// For rsipstack. The Request-URI is kept as it was written: rsipstack escapes an escape again.
fn message(head: Head, body: Vec<u8>) -> Result<sip::SipMessage, Box<Head>> {
    let headers = |fields: Vec<(String, String)>| fields.into_iter().map(|(name, value)| make_header(&name, value)).collect::<Vec<_>>().into();
    match head.start {
        Start::Request { uri, .. } => {
            Ok(Request { method: Method::Message, uri: super::verbatim(&uri), version: Version::V2, headers: headers(head.fields), body }.into())
        }
        Start::Response { code, ref phrase } => match StatusCode::try_from((code, phrase.as_str())) {
            Ok(status_code) => {
                let wire_reason = Some(phrase.clone());
                Ok(Response { status_code, wire_reason, version: Version::V2, headers: headers(head.fields), body }.into())
            }
            Err(_) => Err(Box::new(head)),
        },
    }
}
/// To rsipstack. It is given nothing that its own parser would refuse to read, but what it does with it is not ours: a panic ends
/// with the message that made it.
async fn received(shared: &Arc<Shared>, message: sip::SipMessage, flow: &Flow, peer: SocketAddr, reply: SocketAddr) -> Turn {
    let from = flow.connection.get_addr().clone();
    let copy = match &message {
        // what it takes to say no
        sip::SipMessage::Request(request) => Some(Request { body: Vec::new(), ..request.clone() }),
        sip::SipMessage::Response(_) => None,
    };
    let given = AssertUnwindSafe(shared.endpoint.on_received_message(message, flow.connection.clone(), &from)).catch_unwind().await;
    match given {
        Ok(Ok(())) => Turn::Done,
        Ok(Err(error)) => {
            tracing::debug!(%peer, %error, "a message was not taken");
            match copy {
                Some(request) => {
                    let bytes = shared.endpoint.make_response(&request, StatusCode::BadRequest, None).to_bytes();
                    Turn::Answer(bytes, reply)
                }
                None => Turn::Done,
            }
        }
        Err(_) => {
            tracing::warn!(%peer, "the SIP stack failed over a message");
            Turn::Done
        }
    }
}

/// Asks for an answer to every message that rsipstack found to be new.
pub(super) async fn serve(shared: Arc<Shared>, mut incoming: mpsc::UnboundedReceiver<Transaction>) {
    while let Some(transaction) = incoming.recv().await {
        let bytes = u32::try_from(transaction.original.body.len()).unwrap_or(u32::MAX);
        match (shared.held.clone().try_acquire_owned(), shared.held_bytes.clone().try_acquire_many_owned(bytes)) {
            (Ok(one), Ok(bytes)) => drop(tokio::spawn(hold(shared.clone(), transaction, [one, bytes]))),
            _ => {
                let refusal = response(&shared, &transaction, 503, None, &[Header::RetryAfter(sip::RetryAfter::new("5"))]);
                give_up_if_full(&transaction, refusal);
            }
        }
    }
}
/// Without waiting: a peer that does not read its answers is not waited for.
fn give_up_if_full(transaction: &Transaction, response: Response) {
    if let Some(SipConnection::Channel(channel)) = &transaction.connection
        && channel.try_send(response.into()).is_err()
        && channel.get_addr().r#type != Some(sip::Transport::Udp)
        && let Some(token) = channel.cancel_token()
    {
        token.cancel();
    }
}
async fn hold(shared: Arc<Shared>, mut transaction: Transaction, _permits: [OwnedSemaphorePermit; 2]) {
    let message = match read(&mut transaction.original, &shared) {
        Some(message) => message,
        None => return give_up_if_full(&transaction, response(&shared, &transaction, 400, None, &[])),
    };
    let cseq = transaction.original.cseq_header().ok().and_then(|cseq| cseq.seq().ok()).unwrap_or_default();
    let until = Instant::now().checked_add(shared.config.timeouts.hold).unwrap_or_else(Instant::now);
    let (give, mut given) = oneshot::channel();
    let answer = AnswerHandle::new(move |answer| drop(give.send(answer)));
    if shared.happenings.send(Happening::Arrived(Arrived { message, cseq, until: until.into_std(), answer })).is_err() {
        return give_up_if_full(&transaction, response(&shared, &transaction, 480, None, &[]));
    }
    let unavailable = || Answer::from(Status::UNAVAILABLE);
    let waited = tokio::time::sleep_until(until);
    tokio::pin!(waited);
    let answer = loop {
        tokio::select! {
            biased;
            answer = &mut given => break answer.unwrap_or_else(|_| unavailable()),
            // the same request again: absorbed until there is an answer
            again = transaction.receive() => if again.is_none() { return },
            () = &mut waited => break unavailable(),
            () = shared.ending.cancelled() => break unavailable(),
        }
    };
    let (code, reason) = match answer {
        Answer::Accept => (200, None),
        Answer::Refuse { status, reason } => (status.code(), reason),
    };
    let response = response(&shared, &transaction, code, reason, &[]);
    let is_datagram = transaction.connection.as_ref().is_some_and(|c| c.get_addr().r#type == Some(sip::Transport::Udp));
    let limit = shared.config.timeouts.message;
    if is_datagram && shared.endpoint.finished_transactions.len() < shared.config.limits.kept_answers {
        let _ = timeout(limit, transaction.respond(response)).await;
    } else if let Some(connection) = &transaction.connection {
        let _ = timeout(limit, connection.send(response.into(), None)).await;
    }
}
fn response(shared: &Shared, transaction: &Transaction, code: u16, reason: Option<&str>, fields: &[Header]) -> Response {
    let mut response = shared.endpoint.make_response(&transaction.original, status(code), None);
    for header in response.headers.iter_mut() {
        if let Header::To(to) = header
            && !to.value().contains(";tag=")
        {
            *to = sip::To::new(format!("{};tag={}", to.value(), rsipstack::transaction::make_tag()));
        }
    }
    response.headers.extend(fields.to_vec());
    if let Some(reason) = reason {
        response.headers.push(Header::Warning(sip::Warning::new(format!("399 {NAME} \"{reason}\""))));
    }
    response
}
/// The message, taken out of its request.
fn read(request: &mut Request, shared: &Shared) -> Option<SipMessage> {
    let from = bare(request.from_header().ok()?.value()).ok()?;
    // some address a peer by its host alone; it is for this account all the same
    let to = request.to_header().ok().and_then(|to| bare(to.value()).ok()).unwrap_or_else(|| shared.config.account().clone());
    let id = MessageId::from(request.call_id_header().ok()?.value());
    let mut content_type = ContentType::TEXT;
    let mut headers = Headers::default();
    for header in request.headers.iter() {
        match header {
            Header::ContentType(value) => content_type = ContentType(value.value().to_owned().into()),
            other if !is_reserved(other.name()) => headers.0.push((other.name().into(), other.value().into())),
            _ => {}
        }
    }
    Some(SipMessage { id, from, to, content_type, headers, body: std::mem::take(&mut request.body) })
}
/// With the phrase of RFC 3261 §21, where it has one.
fn status(code: u16) -> StatusCode {
    match StatusCode::from(code) {
        StatusCode::Other(code, _) => StatusCode::Other(code, "Refused".into()),
        known => known,
    }
}
