//! A received `<message>` to what the machine is told, and back.
//!
//! Owns routing: who a message is from, whose conversation it belongs to, when it was sent, which children are the
//! transport's own. Knows no encryption: payloads are opaque elements. RFC 6121 §5, XEP-0280, XEP-0203, XEP-0060 §7.1.2, XEP-0163.
//!
//! Invariants: a carbon copy counts only from the account's own bare address; a publication only from a bare address, and only
//! on the nodes that were asked for; what bounced is never a message; what this very session sent never comes back.
mod ids;
mod outgoing;

pub use ids::{Ids, StanzaId};
pub(crate) use ids::{is_address, is_archive_id, stanza_id};

use crate::archive::Archived;
use crate::engines::{self, EngineElementError, Made, Refused};
use crate::{ns, stamp, xml};
use jid::{BareJid, Jid};
use minidom::Element;
use std::collections::{HashSet, VecDeque};
use std::sync::Arc;
use subrosa_engine::{Address, ChatId, ContentType, Headers, Input, Kind, MessageId, Node, Status, Time};
use xml::build;

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
    /// Which ids it has. An echo of our own has them too, and no input.
    pub ids: Ids,
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
    rooms: bool,
    /// Whose stanza ids count.
    believed: HashSet<Address>,
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
            rooms: false,
            believed: HashSet::new(),
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
    /// Leaves invitations into rooms and private messages in them to whoever does rooms: to the machine they are nothing. Without it they
    /// are messages like any other.
    pub fn with_rooms(self) -> Self {
        Mapping { rooms: true, ..self }
    }
    /// The full address that the server gave us: what comes from there is our own echo.
    pub fn bound(&mut self, full: &str) {
        self.full = Some(full.into());
    }

    /// A received `<message>`. `now`: for what carries no stamp.
    pub fn message(&mut self, stanza: &Element, now: Time) -> Mapped {
        let mut mapped = Mapped::default();
        let Some(from) = self.sender(stanza) else { return Mapped { ids: self.ids(stanza, &self.me), ..mapped } };
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
            // XEP-0280 §11: from the own bare address only
            Some(copy) if own => {
                mapped.ids = inner(copy).map(|inner| self.ids(inner, &self.me)).unwrap_or_default();
                self.copied(copy, now)
            }
            Some(_) => None,
            None => {
                let room = (stanza.attr("type") == Some("groupchat")).then(|| address(&from.to_bare()));
                mapped.ids = self.ids(stanza, room.as_ref().unwrap_or(&self.me));
                self.direct(stanza, &from, now)
            }
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
        if !is_chat(stanza) || self.is_rooms(stanza) {
            return None;
        }
        let sender = address(&from.to_bare());
        let waits = from.is_full() && from.to_bare().as_str() != self.me.as_str();
        match self.receive(stanza, sender.clone(), ChatId(sender), self.stamped(stanza).unwrap_or(now))? {
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
        let (stanza, forwarded) = (inner(copy)?, copy.get_child("forwarded", ns::FORWARD)?);
        let from = self.sender(stanza)?;
        let at = self.stamped(stanza).or_else(|| stamp::of(forwarded)).unwrap_or(now);
        self.repeated(stanza, &from.into_bare(), copy.name() == "sent", at)
    }
    /// What the account's archive has (XEP-0313), of this or another device, as if it came now. What this very session sent comes too:
    /// whether it is known already, its ids tell. Rooms' archives, and what rooms left in the account's, are not for here.
    pub fn archived(&mut self, archived: &Archived, now: Time) -> Mapped {
        let Archived { at, stanza, stamp } = archived;
        let mut mapped = Mapped { ids: Ids { archive: Some(at.clone()), ..self.ids(stanza, &at.by) }, ..Mapped::default() };
        let from = stanza.attr("from").map_or_else(|| Jid::new(self.me.as_str()), Jid::new).map(Jid::into_bare);
        let Some(from) = from.ok().filter(|_| at.by == self.me) else { return mapped };
        let sent = from.as_str() == self.me.as_str();
        match self.repeated(stanza, &from, sent, stamp.or_else(|| self.stamped(stanza)).unwrap_or(now)) {
            Some(Ok(input)) => mapped.inputs.push(input),
            Some(Err(unreadable)) => mapped.unreadable = Some(unreadable),
            None => {}
        }
        mapped
    }
    /// When it was sent, as our server says.
    fn stamped(&self, stanza: &Element) -> Option<Time> {
        stamp::by(stanza, |from| self.is_our_servers(from))
    }
    fn is_our_servers(&self, stamp: Option<&str>) -> bool {
        let domain = self.me.as_str().split_once('@').map(|(_, domain)| domain);
        stamp.is_some_and(|from| Some(from) == domain || crate::bare(from).is_ok_and(|from| from == self.me))
    }
    /// A message that our server gives again; `sent`: from the account, else to it.
    fn repeated(&mut self, stanza: &Element, from: &BareJid, sent: bool, at: Time) -> Option<Result<Input, Unreadable>> {
        if !is_chat(stanza) || is_nested(stanza) || self.is_rooms(stanza) {
            return None;
        }
        let to = Jid::new(stanza.attr("to").unwrap_or(self.me.as_str())).ok()?.into_bare();
        let (ours, theirs) = if sent { (from, &to) } else { (&to, from) };
        if ours.as_str() != self.me.as_str() {
            return None;
        }
        self.receive(stanza, address(from), ChatId(address(theirs)), at)
    }
    /// XEP-0045 §7.5, §7.8.2; XEP-0249. What somebody says beside an invitation is a message.
    fn is_rooms(&self, stanza: &Element) -> bool {
        let invites = || stanza.has_child("x", ns::CONFERENCE) && crate::rooms::is_invitation_alone(stanza);
        self.rooms && (stanza.has_child("x", ns::MUC_USER) || invites())
    }
    /// A message in a room, whose sender the room names.
    pub(crate) fn said(&mut self, stanza: &Element, room: &Address, from: Address, at: Time) -> Option<Result<Input, Unreadable>> {
        self.receive(stanza, from, ChatId(room.clone()), at)
    }
    fn receive(&mut self, stanza: &Element, from: Address, chat: ChatId, sent: Time) -> Option<Result<Input, Unreadable>> {
        let made = match engines::read(stanza).filter(|_| self.engines) {
            Some(Ok(made)) => made,
            Some(Err(why)) => return Some(Err(Unreadable { from, why, answer: None })),
            None => {
                let mut body = Vec::new();
                // since when it waited is compared with what is encrypted (XEP-0420 §4); what our server and rooms write, each time anew, is
                // in `sent`, and would make two messages of one
                let by_room = |by: &str| crate::bare(by).is_ok_and(|by| by == chat.0 && chat.0 != from);
                let waited = |c: &Element| c.is("delay", ns::DELAY) && !self.is_our_servers(c.attr("from")) && !c.attr("from").is_some_and(by_room);
                for child in stanza.children().filter(|c| !is_ours(c) || waited(c)) {
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
}

/// XEP-0297.
fn inner(copy: &Element) -> Option<&Element> {
    copy.get_child("forwarded", ns::FORWARD)?.get_child("message", ns::CLIENT)
}
/// What stands around messages, in one: who put it there nobody can say.
pub(crate) fn is_nested(stanza: &Element) -> bool {
    let around = |c: &Element| c.has_ns(ns::CARBONS) && c.name() != "private" || c.has_ns(ns::MAM) || c.is("event", ns::PUBSUB_EVENT);
    stanza.children().any(around)
}
fn error(to: &Jid, id: &str, status: Status) -> Element {
    build("message", ns::CLIENT).attr("type", "error").attr("to", to.as_str()).attr("id", id).child(engines::refusal(status)).end()
}
fn is_chat(stanza: &Element) -> bool {
    matches!(stanza.attr("type"), None | Some("chat" | "normal"))
}
pub(crate) fn bounce(stanza: &Element, from: &Jid) -> Option<Bounce> {
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
        || child.has_ns(ns::MAM_TMP)
        || child.has_ns(ns::PUBSUB_EVENT)
        || child.has_ns(ns::MUC_USER)
        || child.has_ns(ns::OCCUPANT_ID)
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

#[cfg(test)]
mod tests;
