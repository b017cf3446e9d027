//! A browser's frame to what it asks, with everything in it checked: lengths, addresses, numbers.
use crate::account::{Command, ReplyTo, Send};
use subrosa_engine::Coded as _;
use subrosa_web_api::http::BrowserId;
use subrosa_web_api::socket::{Body, ContactChange, FromGateway, Node, Request, RequestError, ToGateway};
use subrosa_web_api::{Failure, Jid, Kind, MAX_ID, MAX_TEXT, decode};
use subrosa_xmpp::{MAX_STANZA, receipts};

/// The longest address (RFC 7622): three parts of 1023 bytes.
const MAX_ADDRESS: usize = 3071;
/// The longest name of a contact, in characters.
const MAX_NAME: usize = 256;
/// The longest name of a node or an item.
const MAX_NODE: usize = 1024;
/// Bodies of one message.
const MAX_PARTS: u16 = 64;

/// What a frame asks.
pub enum Asked {
    Command(Command),
    /// Nothing: this is the answer.
    Answer(FromGateway),
    Browsers,
    Revoke(BrowserId),
}

pub fn no_database() -> FromGateway {
    FromGateway::Failed(Failure::new("gateway.database", "The gateway can't reach its database. Try again in a minute."))
}
/// # Errors
/// It is no frame, or one that no page of ours sends.
pub fn read(bytes: &[u8], to: &ReplyTo, browser: BrowserId) -> Result<Asked, &'static str> {
    let frame: ToGateway = decode(bytes).ok_or("a frame that can't be read")?;
    let command = match frame {
        ToGateway::Hello { .. } => return Err("Hello is the first frame only"),
        ToGateway::Send { id, part, to: recipient, chat, kind, body, made } => {
            if id.is_empty() || id.len() > MAX_ID || part >= MAX_PARTS {
                return Err("an id that is empty or too long");
            }
            let reject =
                |code: &str, sentence: &str| Asked::Answer(FromGateway::Rejected { id: id.clone(), part, why: Failure::new(code, sentence) });
            // a part of one message must not look like another message
            if id.rsplit_once('.').is_some_and(|(_, end)| !end.is_empty() && end.bytes().all(|b| b.is_ascii_digit())) {
                return Ok(reject("send.id", "The id ends like the number of a part. Send it with another id."));
            }
            let (Some(recipient), Some(chat)) = (address(&recipient), address(&chat)) else {
                return Ok(reject("send.address", "It is not for an XMPP address. Check the contact."));
            };
            let body = match run(kind, body) {
                Ok(body) => body,
                Err(why) => return Ok(Asked::Answer(FromGateway::Rejected { id, part, why })),
            };
            Command::Send { to: to.clone(), browser, send: Send { id, part, to: recipient, chat, kind, body, made } }
        }
        ToGateway::Request { id, what } => match request(what) {
            Some(what) => Command::Request { to: to.clone(), id, what },
            None => return Ok(Asked::Answer(FromGateway::Answer { id, answer: Err(RequestError::Malformed) })),
        },
        ToGateway::Read { chat, up_to } => Command::Read { chat: address(&chat).ok_or("a chat that is no address")?, up_to: up_to.0 },
        ToGateway::Received { from, id } => {
            if id.len() > MAX_ID || id.chars().any(char::is_control) {
                return Err("an id that can't be one");
            }
            Command::Received { from: address(&from).ok_or("a sender that is no address")?, id }
        }
        ToGateway::Contact(change) => match contact(change) {
            Some(change) => Command::Contact { to: to.clone(), change },
            None => {
                let why = Failure::new("contact.address", "This is no XMPP address. It looks like alice@example.org.");
                return Ok(Asked::Answer(FromGateway::Failed(why)));
            }
        },
        ToGateway::Browsers => return Ok(Asked::Browsers),
        ToGateway::Revoke(browser) => return Ok(Asked::Revoke(browser)),
        ToGateway::ConnectNow => Command::ConnectNow,
    };
    Ok(Asked::Command(command))
}
/// What the stanza carries; words ask for a receipt, outside the envelope.
fn run(kind: Kind, body: Body) -> Result<Vec<u8>, Failure> {
    let mut run = match body {
        Body::Encrypted(xml) if xml.len() > MAX_STANZA => return Err(Failure::new("stanza.too-large", "The message is too long. Send it in parts.")),
        Body::Encrypted(xml) => xml,
        Body::Clear(text) if text.len() > MAX_TEXT => return Err(Failure::new("stanza.too-large", "The message is too long. Send it in parts.")),
        Body::Clear(text) => receipts::text_run(&text).map_err(|why| Failure::new(why.code(), format!("It can't be sent: {why}.")))?,
    };
    if kind == Kind::Text {
        run.extend_from_slice(receipts::REQUEST);
    }
    Ok(run)
}
fn address(text: &str) -> Option<Jid> {
    if text.len() > MAX_ADDRESS {
        return None;
    }
    subrosa_xmpp::bare(text).ok().map(|address| address.as_str().to_owned())
}
fn request(what: Request) -> Option<Request> {
    let node = |node: Node| {
        let Node { owner, name, item } = node;
        let fits = name.len() <= MAX_NODE && item.as_ref().is_none_or(|item| item.len() <= MAX_NODE);
        Some(Node { owner: address(&owner).filter(|_| fits)?, name, item })
    };
    Some(match what {
        Request::Fetch(what) => Request::Fetch(node(what)?),
        Request::Publish { payload, .. } if payload.len() > MAX_STANZA => return None,
        Request::Publish { node: what, many, payload } => Request::Publish { node: node(what)?, many, payload },
        Request::Delete(what) => Request::Delete(node(what)?),
    })
}
fn contact(change: ContactChange) -> Option<ContactChange> {
    Some(match change {
        ContactChange::Add { jid, name } => {
            let name = name.chars().filter(|c| !c.is_control()).take(MAX_NAME).collect();
            ContactChange::Add { jid: address(&jid)?, name }
        }
        ContactChange::Accept(jid) => ContactChange::Accept(address(&jid)?),
        ContactChange::Decline(jid) => ContactChange::Decline(address(&jid)?),
        ContactChange::Remove(jid) => ContactChange::Remove(address(&jid)?),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use super::*;
    use subrosa_web_api::encode;
    use tokio::sync::mpsc::unbounded_channel;

    fn ask(frame: &ToGateway) -> Result<Asked, &'static str> {
        read(&encode(frame), &unbounded_channel().0, 1)
    }
    fn send(id: &str, to: &str, body: Body) -> ToGateway {
        ToGateway::Send { id: id.into(), part: 0, to: to.into(), chat: to.into(), kind: Kind::Text, body, made: 0 }
    }

    #[test]
    fn stanzas_are_checked_and_ask_for_a_receipt() {
        let Ok(Asked::Command(Command::Send { send, .. })) = ask(&send("a", "Bob@Example.org/x", Body::Clear("<&".into()))) else { panic!() };
        let body = String::from_utf8(send.body).unwrap();
        assert_eq!(send.to, "bob@example.org");
        assert!(body.contains("&lt;&amp;") && body.ends_with("<request xmlns='urn:xmpp:receipts'/>"), "{body}");
    }

    #[test]
    fn what_can_never_be_sent_is_rejected_and_what_is_no_frame_ends_the_socket() {
        for (id, to, body) in [
            ("a", "@", Body::Clear("x".into())),
            ("a.1", "b@x", Body::Clear("x".into())),
            ("a", "b@x", Body::Clear("\u{0}".into())),
            ("a", "b@x", Body::Encrypted(vec![b' '; MAX_STANZA + 1])),
            ("a", "b@x", Body::Clear("x".repeat(MAX_TEXT + 1))),
        ] {
            assert!(matches!(ask(&send(id, to, body)), Ok(Asked::Answer(FromGateway::Rejected { .. }))), "{id} {to}");
        }
        assert!(ask(&send("", "b@x", Body::Clear("x".into()))).is_err());
        assert!(ask(&send(&"x".repeat(MAX_ID + 1), "b@x", Body::Clear("x".into()))).is_err());
        assert!(ask(&ToGateway::Hello { since: None }).is_err());
        assert!(ask(&ToGateway::Received { from: "b@x".into(), id: "\0".into() }).is_err());
        assert!(ask(&ToGateway::Read { chat: "b\0@x".into(), up_to: subrosa_web_api::Seq(1) }).is_err());
        for bytes in [&b""[..], b"\xff", b"\x00\x00\x00"] {
            assert!(read(bytes, &unbounded_channel().0, 1).is_err());
        }
    }
}
