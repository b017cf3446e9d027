//! A received `<message>` to what the machine is told, and back.
//!
//! Owns routing: who a message is from, whose conversation it belongs to, when it was sent, which children are the
//! transport's own. Knows no encryption: payloads are opaque elements. RFC 6121 §5, XEP-0280, XEP-0203, XEP-0060 §7.1.2, XEP-0163.
//!
//! Invariants: a carbon copy counts only from the account's own bare address; a publication only from a bare address, and only
//! on the nodes that were asked for; what bounced is never a message; what this very session sent never comes back.
use crate::engines::{self, EngineElementError, Made, Refused};
use crate::{ns, stamp, xml};
use jid::{BareJid, Jid};
use minidom::Element;
use std::collections::{HashSet, VecDeque};
use std::str::FromStr as _;
use std::sync::Arc;
use subrosa_engine::{Address, ChatId, ContentType, Headers, Input, Kind, MessageId, Node, Recipients, Status, Time, Wire};
use xml::{MAX_STANZA, StanzaError, build};

/// The longest id of a message that is kept as it is, in bytes.
pub(crate) const MAX_ID: usize = 256;
/// Senders' full addresses that are remembered, for the errors that may go back to them.
const REMEMBERED: usize = 64;

/// Not an XMPP address, or not the kind that is needed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not an XMPP address like alice@example.org")]
pub struct AddressError(pub String);

/// A bare address, normalised (RFC 7622); a resource is cut off.
///
/// # Errors
/// [`AddressError`] when it is no address.
///
/// ```
/// # use subrosa_xmpp::bare;
/// assert_eq!(bare("Alice@Example.ORG/phone").unwrap().as_str(), "alice@example.org");
/// assert!(bare("a@b@c").is_err());
/// ```
pub fn bare(text: &str) -> Result<Address, AddressError> {
    Jid::new(text).map(|jid| address(&jid.into_bare())).map_err(|_| AddressError(text.into()))
}
fn address(jid: &BareJid) -> Address {
    Address::from(jid.as_str())
}

/// A message of ours that came back: the server or the recipient did not take it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bounce {
    /// Its stanza id, as [`Mapping::transmit`] gave it: the message's id, and the part's number after a dot where it has several.
    pub id: MessageId,
    /// Who sent it back.
    pub from: Address,
    /// The condition of RFC 6120 §8.3.3: `"service-unavailable"`.
    pub condition: String,
    /// The other side's engine refused it, and says with which code.
    pub refused: Option<Refused>,
}
/// A message with an engine's element that can't be taken. Nothing of it is for the machine, and nothing of it is shown.
#[derive(Clone, Debug, PartialEq)]
pub struct Unreadable {
    /// Who sent it; the account itself for what its other devices sent.
    pub from: Address,
    /// Why.
    pub why: EngineElementError,
    /// What tells its sender so, for contacts only (see [`Mapping::refuse`]). `None`: nobody waits for it.
    pub answer: Option<Element>,
}
/// What a received message means.
#[derive(Debug, Default)]
pub struct Mapped {
    /// For the machine, in this order.
    pub inputs: Vec<Input>,
    /// A message of ours came back.
    pub bounce: Option<Bounce>,
    /// It is for an engine, and malformed.
    pub unreadable: Option<Unreadable>,
}

/// One account's messages. Sans-IO: the time is passed in.
#[derive(Debug)]
pub struct Mapping {
    me: Address,
    full: Option<String>,
    nodes: HashSet<String>,
    salt: String,
    engines: bool,
    unnamed: u64,
    senders: VecDeque<(MessageId, Jid)>,
    /// What the account wrote to itself, and we have.
    notes: VecDeque<MessageId>,
}

impl Mapping {
    /// For this account. `nodes`: those whose publications are wanted. `salt`: makes the ids of messages that came without one
    /// unique to this run, any random text.
    pub fn new(me: Address, nodes: impl IntoIterator<Item = String>, salt: &str) -> Self {
        Mapping {
            me,
            full: None,
            nodes: nodes.into_iter().collect(),
            salt: salt.into(),
            engines: false,
            unnamed: 0,
            senders: VecDeque::new(),
            notes: VecDeque::new(),
        }
    }
    /// Opens the elements of applications' engines: the machine is given their content type and bytes instead of the stanza around
    /// them. Without it they are elements like any other, which is right where OMEMO is the only engine.
    pub fn with_engines(self) -> Self {
        Mapping { engines: true, ..self }
    }
    /// The full address that the server gave us: what comes from there is our own echo.
    pub fn bound(&mut self, full: &str) {
        self.full = Some(full.into());
    }

    /// A received `<message>`. `now`: for what carries no stamp.
    pub fn message(&mut self, stanza: &Element, now: Time) -> Mapped {
        let mut mapped = Mapped::default();
        let Some(from) = self.sender(stanza) else { return mapped };
        if stanza.attr("type") == Some("error") {
            mapped.bounce = bounce(stanza, &from);
            return mapped;
        }
        let own = from.resource().is_none() && from.as_str() == self.me.as_str();
        if let Some(event) = stanza.get_child("event", ns::PUBSUB_EVENT) {
            if from.resource().is_none() {
                mapped.inputs = self.publications(event, &address(&from.to_bare()));
            }
            return mapped;
        }
        let copy = stanza.children().find(|c| c.has_ns(ns::CARBONS) && matches!(c.name(), "sent" | "received"));
        let input = match copy {
            Some(copy) if own => self.copied(copy, now), // XEP-0280 §11: from the own bare address only
            Some(_) => None,
            None => self.direct(stanza, &from, now),
        };
        match input {
            Some(Ok(input)) if self.is_new(&input) => mapped.inputs.push(input),
            Some(Err(unreadable)) => mapped.unreadable = Some(unreadable),
            _ => {}
        }
        mapped
    }
    /// What a device of ours writes to the account itself comes by two ways: to us, and copied to us (Prosody 0.12). It counts once.
    fn is_new(&mut self, input: &Input) -> bool {
        match input {
            Input::Receive { id, chat, from, .. } if *from == self.me && chat.0 == self.me => {
                if self.notes.contains(id) {
                    return false;
                }
                if self.notes.len() >= REMEMBERED {
                    self.notes.pop_front();
                }
                self.notes.push_back(id.clone());
                true
            }
            _ => true,
        }
    }
    /// `None`: no address, or our own echo. A stanza without `from` is from the account itself (RFC 6120 §8.1.2.1).
    fn sender(&self, stanza: &Element) -> Option<Jid> {
        let from = stanza.attr("from").map_or_else(|| Jid::new(self.me.as_str()), Jid::new).ok()?;
        (Some(from.as_str()) != self.full.as_deref()).then_some(from)
    }
    fn direct(&mut self, stanza: &Element, from: &Jid, now: Time) -> Option<Result<Input, Unreadable>> {
        if !is_chat(stanza) {
            return None;
        }
        let sender = address(&from.to_bare());
        let waits = from.is_full() && from.to_bare().as_str() != self.me.as_str();
        match self.receive(stanza, sender.clone(), ChatId(sender), stamp::of(stanza).unwrap_or(now))? {
            Ok(input) => {
                if let Input::Receive { id, .. } = &input
                    && waits
                {
                    if self.senders.len() >= REMEMBERED {
                        self.senders.pop_front();
                    }
                    self.senders.push_back((id.clone(), from.clone()));
                }
                Some(Ok(input))
            }
            Err(unreadable) => {
                let id = stanza.attr("id").filter(|id| waits && !id.is_empty() && id.len() <= MAX_ID);
                let answer = id.map(|id| error(from, id, Status::BAD_REQUEST));
                Some(Err(Unreadable { answer, ..unreadable }))
            }
        }
    }
    /// XEP-0280 §6, §7: our server copies what other devices of ours sent or received.
    fn copied(&mut self, copy: &Element, now: Time) -> Option<Result<Input, Unreadable>> {
        let forwarded = copy.get_child("forwarded", ns::FORWARD)?;
        let stanza = forwarded.get_child("message", ns::CLIENT)?;
        let nested = stanza.children().any(|c| c.has_ns(ns::CARBONS) && c.name() != "private") || stanza.has_child("event", ns::PUBSUB_EVENT);
        if !is_chat(stanza) || nested {
            return None;
        }
        let from = self.sender(stanza)?.into_bare();
        let to = Jid::new(stanza.attr("to").unwrap_or(self.me.as_str())).ok()?.into_bare();
        let sent = copy.name() == "sent";
        let (ours, theirs) = if sent { (&from, &to) } else { (&to, &from) };
        if ours.as_str() != self.me.as_str() {
            return None;
        }
        let chat = ChatId(address(theirs));
        let at = stamp::of(stanza).or_else(|| stamp::of(forwarded)).unwrap_or(now);
        self.receive(stanza, address(&from), chat, at)
    }
    fn receive(&mut self, stanza: &Element, from: Address, chat: ChatId, sent: Time) -> Option<Result<Input, Unreadable>> {
        let made = match engines::read(stanza).filter(|_| self.engines) {
            Some(Ok(made)) => made,
            Some(Err(why)) => return Some(Err(Unreadable { from, why, answer: None })),
            None => {
                let mut body = Vec::new();
                for child in stanza.children().filter(|c| !is_ours(c)) {
                    xml::write(child, &mut body).ok()?;
                }
                Made { kind: kind(stanza.children())?, content_type: ContentType::STANZA, body }
            }
        };
        let Made { kind, content_type, body } = made;
        let id = self.id_of(stanza);
        Some(Ok(Input::Receive { id, chat, from, sent, kind, content_type, body, headers: Headers::default(), answer_by: None }))
    }
    fn id_of(&mut self, stanza: &Element) -> MessageId {
        match stanza.attr("id") {
            Some(id) if !id.is_empty() && id.len() <= MAX_ID => MessageId::from(id),
            _ => {
                self.unnamed = self.unnamed.saturating_add(1);
                MessageId(Arc::from(format!("unnamed-{}-{}", self.salt, self.unnamed)))
            }
        }
    }
    /// XEP-0060 §7.1.2: who published what.
    fn publications(&self, event: &Element, owner: &Address) -> Vec<Input> {
        let mut inputs = Vec::new();
        for child in event.children().filter(|c| c.has_ns(ns::PUBSUB_EVENT)) {
            let Some(name) = child.attr("node").filter(|node| self.nodes.contains(*node)) else { continue };
            let mut published = |item: Option<&str>, payload| {
                let node = Node { owner: owner.clone(), name: name.into(), item: item.map(str::to_owned) };
                inputs.push(Input::Published(node, payload));
            };
            match child.name() {
                "items" => {
                    for item in child.children().filter(|c| c.has_ns(ns::PUBSUB_EVENT)) {
                        let payload = item.children().next().and_then(|payload| xml::to_bytes(payload).ok());
                        match item.name() {
                            // without a payload it only says that something changed
                            "item" if payload.is_some() => published(item.attr("id"), payload),
                            "retract" => published(item.attr("id"), None),
                            _ => {}
                        }
                    }
                }
                "purge" | "delete" => published(None, None),
                _ => {}
            }
        }
        inputs
    }

    /// The stanza of an `Output::Transmit`: the same bytes whenever it is asked for. Its id is the message's; parts after the
    /// first have their number after a dot. To the one recipient, or to the chat where there are several. What an engine made and is
    /// no run of XML elements goes into one element of our namespace; of what goes in clear only text and such runs have a place, and as
    /// a notice, which passes engines by, nothing but a notice.
    ///
    /// # Errors
    /// [`StanzaError`]: it can never be sent like this.
    pub fn transmit(&self, id: &MessageId, part: u16, chat: &ChatId, to: &Recipients, kind: Kind, wire: &Wire) -> Result<Element, StanzaError> {
        let in_room = *to == Recipients::Room;
        let to = match to {
            Recipients::Device(device) => &device.owner,
            Recipients::Room => &chat.0,
            Recipients::People(people) => match people.as_slice() {
                [one] => one,
                _ => &chat.0,
            },
        };
        let to = BareJid::from_str(to.as_str()).map_err(|_| StanzaError::Address)?;
        let notice = matches!(kind, Kind::Typing | Kind::Receipt);
        let (children, size) = match wire {
            Wire::Encrypted(part) if part.content_type == ContentType::STANZA => (xml::parse_run(&part.body)?, part.body.len()),
            // base64 makes four of three; what is around it has the content type three times
            Wire::Encrypted(part) if part.body.len() > MAX_STANZA => return Err(StanzaError::TooLarge),
            Wire::Encrypted(part) => {
                let size = part.body.len().div_ceil(3).saturating_mul(4).saturating_add(1024);
                (engines::write(kind, &part.content_type, &part.body)?, size)
            }
            Wire::Clear { plain, .. } if plain.content_type == ContentType::STANZA => {
                let run = xml::parse_run(plain.bytes())?;
                if notice && !is_notice(&run, kind) {
                    return Err(StanzaError::Notice);
                }
                (run, plain.bytes().len())
            }
            Wire::Clear { .. } if notice => return Err(StanzaError::Notice),
            Wire::Clear { plain, .. } if plain.content_type == ContentType::TEXT => {
                let text = std::str::from_utf8(plain.bytes()).map_err(|_| StanzaError::Characters)?;
                xml::check_text(text)?;
                (vec![build("body", ns::CLIENT).text(text).end()], text.len())
            }
            Wire::Clear { .. } => return Err(StanzaError::ContentType),
        };
        let id = if part == 0 { id.to_string() } else { format!("{id}.{part}") };
        xml::check_text(&id)?;
        // what goes around the body is far below this
        if size.saturating_add(id.len().saturating_mul(2)).saturating_add(to.as_str().len()).saturating_add(1024) > MAX_STANZA {
            return Err(StanzaError::TooLarge);
        }
        let origin = build("origin-id", ns::SID).attr("id", id.as_str());
        let spoken = if in_room { "groupchat" } else { "chat" };
        Ok(build("message", ns::CLIENT).attr("type", spoken).attr("to", to.as_str()).attr("id", id).children(children).child(origin).end())
    }
    /// The error that answers a refused message (RFC 6120 §8.3), with the code in it. `None`: it came by carbons or from a device of
    /// our own, or its sender is no longer remembered. An error tells the sender that somebody is here: send it to contacts only.
    pub fn refuse(&mut self, id: &MessageId, from: &Address, status: Status) -> Option<Element> {
        let at = self.senders.iter().position(|(known, sender)| known == id && sender.to_bare().as_str() == from.as_str())?;
        let (_, sender) = self.senders.remove(at)?;
        Some(error(&sender, id.as_str(), status))
    }
}

fn error(to: &Jid, id: &str, status: Status) -> Element {
    build("message", ns::CLIENT).attr("type", "error").attr("to", to.as_str()).attr("id", id).child(engines::refusal(status)).end()
}
fn is_chat(stanza: &Element) -> bool {
    matches!(stanza.attr("type"), None | Some("chat" | "normal"))
}
fn bounce(stanza: &Element, from: &Jid) -> Option<Bounce> {
    let id = stanza.attr("id").filter(|id| id.len() <= MAX_ID)?;
    let error = stanza.get_child("error", ns::CLIENT);
    let condition = error.and_then(condition).unwrap_or("undefined-condition");
    let refused = error.and_then(engines::refused);
    Some(Bounce { id: id.into(), from: address(&from.to_bare()), condition: condition.chars().take(64).collect(), refused })
}
/// The defined condition in an `<error/>` (RFC 6120 §8.3.3).
pub(crate) fn condition(error: &Element) -> Option<&str> {
    error.children().find(|c| c.has_ns(ns::STANZAS) && c.name() != "text").map(Element::name)
}
/// What servers and transports put beside a payload: no engine needs it, and none may trust it.
fn is_ours(child: &Element) -> bool {
    child.has_ns(ns::DELAY)
        || child.has_ns(ns::SID)
        || child.has_ns(ns::CARBONS)
        || child.has_ns(ns::FORWARD)
        || child.has_ns(ns::ADDRESSES)
        || child.has_ns(ns::MAM)
        || child.has_ns(ns::PUBSUB_EVENT)
}
/// `None`: nothing in it.
fn kind<'a>(children: impl Iterator<Item = &'a Element>) -> Option<Kind> {
    let (mut typing, mut receipt, mut text, mut other) = (false, false, false, false);
    for child in children.filter(|c| !is_ours(c)) {
        match child.name() {
            _ if child.has_ns(ns::CHAT_STATES) => typing = true,
            "received" if child.has_ns(ns::RECEIPTS) => receipt = true,
            "received" | "displayed" | "acknowledged" if child.has_ns(ns::MARKERS) => receipt = true,
            _ if child.has_ns(ns::RECEIPTS) || child.has_ns(ns::MARKERS) || child.has_ns(ns::HINTS) => {}
            "thread" if child.has_ns(ns::CLIENT) => {}
            "body" if child.has_ns(ns::CLIENT) => text = true,
            // XEP-0380, and what is encrypted without saying how
            "encryption" if child.has_ns(ns::EME) => text = true,
            "encrypted" => text = true,
            _ => other = true,
        }
    }
    match (text, other, receipt, typing) {
        (true, ..) => Some(Kind::Text),
        (_, true, ..) => Some(Kind::Other),
        (_, _, true, _) => Some(Kind::Receipt),
        (.., true) => Some(Kind::Typing),
        _ => None,
    }
}
/// Whether these elements are a notice of this kind and nothing besides. A thread may be named, as XEP-0085 has it.
fn is_notice(run: &[Element], of: Kind) -> bool {
    let bare = |e: &Element| !is_ours(e) && e.children().next().is_none() && (e.is("thread", ns::CLIENT) || e.text().is_empty());
    run.iter().all(bare) && kind(run.iter()) == Some(of)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]
    use super::*;
    use subrosa_engine::Part;

    const NOW: Time = Time(1_700_000_000_000);
    fn mapping() -> Mapping {
        let mut mapping = Mapping::new("alice@x.org".into(), ["urn:n".to_owned()], "s");
        mapping.bound("alice@x.org/here");
        mapping
    }
    fn stanza(xml: &str) -> Element {
        xml::parse_run(xml.as_bytes()).unwrap().remove(0)
    }
    fn one(xml: &str) -> Option<(String, String, String, u64, Kind, String)> {
        let mut mapped = mapping().message(&stanza(xml), NOW);
        assert!(mapped.inputs.len() <= 1 && mapped.bounce.is_none());
        let Some(Input::Receive { id, chat, from, sent, kind, body, .. }) = mapped.inputs.pop() else { return None };
        Some((id.to_string(), chat.0.to_string(), from.to_string(), sent.0, kind, String::from_utf8(body).unwrap()))
    }

    #[test]
    fn a_message_is_its_payload_without_the_transports_own() {
        let got = one("<message from='Bob@x.org/a' to='alice@x.org/here' id='7' type='chat'><body>hi</body>\
            <delay xmlns='urn:xmpp:delay' stamp='2023-11-14T22:13:20.5Z'/><stanza-id xmlns='urn:xmpp:sid:0' id='1' by='alice@x.org'/>\
            <origin-id xmlns='urn:xmpp:sid:0' id='7'/><encrypted xmlns='urn:e'><k/></encrypted></message>")
        .unwrap();
        let body = "<body xmlns=\"jabber:client\">hi</body><encrypted xmlns=\"urn:e\"><k/></encrypted>";
        let body = body.replace('"', if got.5.contains('\'') { "'" } else { "\"" });
        assert_eq!(got, ("7".into(), "bob@x.org".into(), "bob@x.org".into(), 1_700_000_000_500, Kind::Text, body));
    }

    #[test]
    fn copies_come_from_the_own_bare_address_only() {
        let inner =
            |from: &str, to: &str| format!("<message xmlns='jabber:client' from='{from}' to='{to}' id='i' type='chat'><body>x</body></message>");
        let copy = |by: &str, kind: &str, inner: &str| {
            format!(
                "<message from='{by}'><{kind} xmlns='urn:xmpp:carbons:2'><forwarded xmlns='urn:xmpp:forward:0'>\
                 <delay xmlns='urn:xmpp:delay' stamp='2023-11-14T22:13:20Z'/>{inner}</forwarded></{kind}></message>"
            )
        };
        let sent = inner("alice@x.org/other", "bob@x.org");
        let received = inner("bob@x.org/b", "alice@x.org/other");
        let got = one(&copy("alice@x.org", "sent", &sent)).unwrap();
        assert_eq!((got.1.as_str(), got.2.as_str(), got.3), ("bob@x.org", "alice@x.org", 1_700_000_000_000));
        let got = one(&copy("alice@x.org", "received", &received)).unwrap();
        assert_eq!((got.1.as_str(), got.2.as_str()), ("bob@x.org", "bob@x.org"));
        // forged: by others, by a resource of ours, about others, the wrong way round, our own echo, nested
        assert!(one(&copy("eve@x.org", "sent", &sent)).is_none());
        assert!(one(&copy("eve@x.org/alice@x.org", "sent", &sent)).is_none());
        assert!(one(&copy("alice@x.org/other", "sent", &sent)).is_none());
        assert!(one(&copy("alice@x.org", "sent", &received)).is_none());
        assert!(one(&copy("alice@x.org", "received", &inner("bob@x.org", "carol@x.org"))).is_none());
        assert!(one(&copy("alice@x.org", "sent", &inner("alice@x.org/here", "bob@x.org"))).is_none());
        assert!(one(&copy("alice@x.org", "sent", &copy("alice@x.org", "sent", &sent))).is_none());
    }

    #[test]
    fn what_the_account_writes_to_itself_comes_once() {
        let mut mapping = mapping();
        let note = |id: &str, from: &str| {
            format!("<message xmlns='jabber:client' from='{from}' to='alice@x.org' id='{id}' type='chat'><body>x</body></message>")
        };
        let copy = |kind: &str, inner: &str| {
            format!(
                "<message from='alice@x.org'><{kind} xmlns='urn:xmpp:carbons:2'><forwarded xmlns='urn:xmpp:forward:0'>{inner}</forwarded></{kind}></message>"
            )
        };
        let mut count = |xml: &str| mapping.message(&stanza(xml), NOW).inputs.len();
        let other = note("1", "alice@x.org/other");
        assert_eq!([count(&other), count(&copy("sent", &other)), count(&copy("received", &other))], [1, 0, 0]);
        let other = note("2", "alice@x.org/other");
        assert_eq!([count(&copy("sent", &other)), count(&other)], [1, 0]);
        let here = note("3", "alice@x.org/here");
        assert_eq!([count(&here), count(&copy("sent", &here)), count(&copy("received", &here))], [0, 0, 0]);
        // others' ids are their own
        let bob = "<message from='bob@x.org/b' id='1' type='chat'><body>x</body></message>";
        assert_eq!([count(bob), count(bob)], [1, 1]);
    }

    #[test]
    fn kinds_are_told_apart() {
        let of = |xml: &str| one(&format!("<message from='bob@x.org/b' id='1'>{xml}</message>")).map(|m| m.4);
        let state = "<composing xmlns='http://jabber.org/protocol/chatstates'/>";
        let store = "<no-store xmlns='urn:xmpp:hints'/>";
        assert_eq!(of(&format!("{state}{store}")), Some(Kind::Typing));
        assert_eq!(of(&format!("<received xmlns='urn:xmpp:receipts' id='1'/>{store}")), Some(Kind::Receipt));
        assert_eq!(of("<displayed xmlns='urn:xmpp:chat-markers:0' id='1'/>"), Some(Kind::Receipt));
        assert_eq!(of(&format!("{state}<body>x</body><request xmlns='urn:xmpp:receipts'/>")), Some(Kind::Text));
        assert_eq!(of("<encrypted xmlns='any'/>"), Some(Kind::Text));
        assert_eq!(of("<propose xmlns='urn:xmpp:jingle-message:0'/>"), Some(Kind::Other));
        assert_eq!(of(""), None);
        assert_eq!(of(store), None);
        assert_eq!(of("<received xmlns='urn:xmpp:carbons:2'/>"), None);
    }

    #[test]
    fn rooms_headlines_and_nonsense_are_left() {
        for kind in ["groupchat", "headline", "nonsense"] {
            assert!(one(&format!("<message from='bob@x.org' type='{kind}'><body>x</body></message>")).is_none());
        }
        assert!(one("<message from='a@b@c'><body>x</body></message>").is_none());
        assert!(one("<message from='alice@x.org/here'><body>our echo</body></message>").is_none());
    }

    #[test]
    fn messages_without_a_usable_id_get_one() {
        let mut mapping = mapping();
        let mut id = |xml: &str| match mapping.message(&stanza(xml), NOW).inputs.pop() {
            Some(Input::Receive { id, .. }) => id,
            other => panic!("{other:?}"),
        };
        let (a, b) = (id("<message from='b@x'><body>1</body></message>"), id("<message from='b@x' id=''><body>1</body></message>"));
        let long = id(&format!("<message from='b@x' id='{}'><body>1</body></message>", "x".repeat(MAX_ID + 1)));
        assert!(a != b && b != long && long.as_str().len() < MAX_ID);
    }

    #[test]
    fn publications_of_wanted_nodes_from_bare_addresses() {
        let event = |from: &str, inner: &str| {
            let xml = format!(
                "<message from='{from}' type='headline'><event xmlns='http://jabber.org/protocol/pubsub#event'>{inner}</event><body>no</body></message>"
            );
            let inputs = mapping().message(&stanza(&xml), NOW).inputs;
            inputs
                .into_iter()
                .map(|input| match input {
                    Input::Published(node, payload) => {
                        (node.owner.to_string(), node.item, payload.map(|p| String::from_utf8(p).unwrap().contains("urn:p")))
                    }
                    other => panic!("{other:?}"),
                })
                .collect::<Vec<_>>()
        };
        let items = "<items node='urn:n'><item id='current'><list xmlns='urn:p'/></item><retract id='old'/><item id='empty'/></items>";
        let bob = |item: Option<&str>, payload| ("bob@x.org".to_owned(), item.map(str::to_owned), payload);
        assert_eq!(event("bob@x.org", items), [bob(Some("current"), Some(true)), bob(Some("old"), None)]);
        assert_eq!(event("bob@x.org", "<purge node='urn:n'/><delete node='urn:n'/>"), [bob(None, None), bob(None, None)]);
        assert!(event("bob@x.org/b", items).is_empty());
        assert!(event("bob@x.org", &items.replace("urn:n", "urn:other")).is_empty());
    }

    #[test]
    fn what_bounced_is_told_and_is_no_message() {
        let xml = "<message from='bob@x.org' id='m1' type='error'><body>mine</body><error type='cancel'>\
            <text xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'>no</text><service-unavailable xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></message>";
        let mapped = mapping().message(&stanza(xml), NOW);
        assert!(mapped.inputs.is_empty());
        assert_eq!(mapped.bounce, Some(Bounce { id: "m1".into(), from: "bob@x.org".into(), condition: "service-unavailable".into(), refused: None }));
    }

    #[test]
    fn a_stanza_is_the_same_whenever_it_is_asked_for() {
        let part = |content_type, body: &[u8]| Wire::Encrypted(Part { content_type, body: body.to_vec() });
        let to = Recipients::People(vec!["bob@x.org".into()]);
        let chat = ChatId("bob@x.org".into());
        let wire = part(ContentType::STANZA, b"<e xmlns='urn:e'>x</e><body>fallback</body>");
        let write = |part| xml::to_bytes(&mapping().transmit(&"m".into(), part, &chat, &to, Kind::Text, &wire).unwrap()).unwrap();
        assert_eq!(write(0), write(0));
        let element = stanza(std::str::from_utf8(&write(1)).unwrap());
        assert_eq!((element.attr("to"), element.attr("id"), element.attr("type")), (Some("bob@x.org"), Some("m.1"), Some("chat")));
        let names: Vec<_> = element.children().map(|c| (c.name(), c.ns())).collect();
        assert_eq!(names, [("e", "urn:e".into()), ("body", ns::CLIENT.into()), ("origin-id", ns::SID.into())]);

        let error = |wire: &Wire| mapping().transmit(&"m".into(), 0, &chat, &to, Kind::Text, wire).unwrap_err();
        assert_eq!(error(&part(ContentType::STANZA, b"<e>")), StanzaError::NotXml);
        assert_eq!(error(&part(ContentType("image".into()), b"x")), StanzaError::ContentType);
        assert_eq!(error(&part(ContentType::TEXT, &vec![b'x'; MAX_STANZA])), StanzaError::TooLarge);
        assert_eq!(error(&part(ContentType::TEXT, &vec![b'x'; MAX_STANZA / 4 * 3])), StanzaError::TooLarge);
    }

    const MADE: &str = "<engine xmlns='urn:subrosa:engine:0' type='cipher/xor'>AQI=</engine>";
    fn came(mapping: &mut Mapping, payload: &str) -> Mapped {
        mapping.message(&stanza(&format!("<message from='bob@x.org/b' id='1' type='chat'>{payload}</message>")), NOW)
    }

    #[test]
    fn what_an_engine_made_travels_in_one_element() {
        let to = Recipients::People(vec!["alice@x.org".into()]);
        let wire = Wire::Encrypted(Part { content_type: ContentType("cipher/xor".into()), body: vec![0, 1, 255] });
        let sent = Mapping::new("bob@x.org".into(), [], "s").transmit(&"1".into(), 0, &ChatId("alice@x.org".into()), &to, Kind::Typing, &wire);
        let mut sent = sent.unwrap();
        xml::set(&mut sent, "from", "bob@x.org/b");
        let mut mapped = mapping().with_engines().message(&sent, NOW);
        let Some(Input::Receive { kind, content_type, body, .. }) = mapped.inputs.pop() else { panic!("{mapped:?}") };
        assert_eq!((kind, &*content_type.0, body.as_slice()), (Kind::Typing, "cipher/xor", &[0, 1, 255][..]));
        // the fallback is nothing to an engine
        let mut mapped =
            came(&mut mapping().with_engines(), &format!("<body>no</body>{MADE}<active xmlns='http://jabber.org/protocol/chatstates'/>"));
        assert!(matches!(mapped.inputs.pop(), Some(Input::Receive { kind: Kind::Text, body, .. }) if body == [1, 2]));
    }

    #[test]
    fn without_engines_an_element_of_theirs_is_one_like_any_other() {
        let mut mapped = came(&mut mapping(), MADE);
        let Some(Input::Receive { content_type, body, .. }) = mapped.inputs.pop() else { panic!("{mapped:?}") };
        assert!(content_type == ContentType::STANZA && body.starts_with(b"<engine"));
        assert!(came(&mut mapping(), "<engine xmlns='urn:subrosa:engine:0'/><body>x</body>").unreadable.is_none());
    }

    #[test]
    fn what_an_engine_can_not_have_made_is_refused_and_not_shown() {
        let mut mapping = mapping().with_engines();
        let mapped = came(&mut mapping, &format!("<body>look at me</body>{MADE}{MADE}"));
        assert!(mapped.inputs.is_empty());
        let unreadable = mapped.unreadable.unwrap();
        assert_eq!((unreadable.from.as_str(), unreadable.why), ("bob@x.org", EngineElementError::Several));
        let answer = unreadable.answer.unwrap();
        assert_eq!((answer.attr("to"), answer.attr("id"), answer.attr("type")), (Some("bob@x.org/b"), Some("1"), Some("error")));
        assert_eq!(condition(answer.get_child("error", ns::CLIENT).unwrap()), Some("bad-request"));
        // other devices of the account, and copies, are not answered
        let xml = format!("<message from='alice@x.org/other' id='1'>{MADE}{MADE}</message>");
        assert!(mapping.message(&stanza(&xml), NOW).unreadable.unwrap().answer.is_none());
        let inner = xml.replace("<message ", "<message xmlns='jabber:client' to='bob@x.org' ");
        let copy = format!(
            "<message from='alice@x.org'><sent xmlns='urn:xmpp:carbons:2'><forwarded xmlns='urn:xmpp:forward:0'>{inner}</forwarded></sent></message>"
        );
        assert!(mapping.message(&stanza(&copy), NOW).unreadable.unwrap().answer.is_none());
    }

    #[test]
    fn a_refusal_is_told_to_the_sender_with_its_code() {
        let mut bob = Mapping::new("bob@x.org".into(), [], "s").with_engines();
        bob.message(&stanza(&format!("<message from='alice@x.org/here' id='1'>{MADE}</message>")), NOW);
        let mut error = bob.refuse(&"1".into(), &"alice@x.org".into(), Status::new(603)).unwrap();
        xml::set(&mut error, "from", "bob@x.org/b");
        let bounce = mapping().message(&error, NOW).bounce.unwrap();
        assert_eq!((bounce.id.as_str(), bounce.from.as_str(), bounce.condition.as_str()), ("1", "bob@x.org", "recipient-unavailable"));
        assert_eq!(bounce.refused, Some(Refused { status: Status::new(603), reason: "Decline".into() }));
    }

    #[test]
    fn refusals_go_to_the_sender_once_and_not_to_copies() {
        let mut mapping = mapping();
        mapping.message(&stanza("<message from='bob@x.org/b' id='1'><body>x</body></message>"), NOW);
        mapping.message(&stanza("<message from='alice@x.org/other' id='2'><body>x</body></message>"), NOW);
        assert!(mapping.refuse(&"1".into(), &"eve@x.org".into(), Status::FORBIDDEN).is_none());
        let error = mapping.refuse(&"1".into(), &"bob@x.org".into(), Status::FORBIDDEN).unwrap();
        assert_eq!((error.attr("to"), error.attr("type"), error.attr("id")), (Some("bob@x.org/b"), Some("error"), Some("1")));
        assert!(mapping.refuse(&"1".into(), &"bob@x.org".into(), Status::FORBIDDEN).is_none());
        assert!(mapping.refuse(&"2".into(), &"alice@x.org".into(), Status::FORBIDDEN).is_none());
    }
}
