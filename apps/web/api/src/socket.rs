//! Worker and gateway, over one WebSocket for each browser. Binary frames, one value each.
//!
//! The gateway numbers what happens to the account ([`Seq`]); a browser says with [`ToGateway::Hello`] up to where it has it (stored in
//! the same transaction as what came of it) and gets the rest in order, each number at most once on a socket. Numbers may be left
//! out. What has no number is true now and not repeated.
//!
//! Everything that asks for something may be sent again after a cut: the gateway knows by id what it has done.
use crate::http::{Browser, BrowserId};
use crate::{Failure, Jid, Kind, MessageId, Millis, Seq};
use serde::{Deserialize, Serialize};

/// From the browser.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ToGateway {
    /// The first frame. `since`: the last event that is stored; `None`: a new device, which gets all contacts and read positions, and
    /// messages from now on (it could read no earlier ones).
    Hello {
        /// What is stored.
        since: Option<Seq>,
    },
    /// Send this; answered by [`FromGateway::Accepted`] or [`FromGateway::Rejected`].
    Send {
        /// The message's.
        id: MessageId,
        /// Which of its bodies, from 0.
        part: u16,
        /// To whom.
        to: Jid,
        /// The conversation. Where `to` is the own account (key transport between own devices) the same.
        chat: Jid,
        /// What it is for.
        kind: Kind,
        /// The body.
        body: Body,
        /// When it was made, in milliseconds since 1970: it may have waited here for days.
        made: u64,
    },
    /// For [`FromGateway::Answer`]. Asked again after a cut.
    Request {
        /// This browser's number for it.
        id: u64,
        /// What.
        what: Request,
    },
    /// Everything in the chat up to here was read.
    Read {
        /// Which chat.
        chat: Jid,
        /// The last message read.
        up_to: Seq,
    },
    /// A message was decrypted here: tell its sender, if he asked and is a contact, once for the account (XEP-0184).
    Received {
        /// From whom.
        from: Jid,
        /// Its id.
        id: MessageId,
    },
    /// Change the contact list; the change comes back as [`Event::Contact`].
    Contact(ContactChange),
    /// Which browsers there are; answered by [`FromGateway::Browsers`].
    Browsers,
    /// That browser's cookie is void from now on. Answered by [`FromGateway::Browsers`].
    Revoke(BrowserId),
    /// Try to reach the XMPP server now.
    ConnectNow,
}

/// What the stanza carries besides its address.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Body {
    /// A run of XML elements that an engine made. Opaque to the gateway.
    Encrypted(#[serde(with = "bytes")] Vec<u8>),
    /// Words in clear: a person chose so for this chat.
    Clear(String),
}
/// Never the words.
impl std::fmt::Debug for Body {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Body::Encrypted(xml) => write!(f, "Encrypted({} bytes)", xml.len()),
            Body::Clear(text) => write!(f, "Clear({} bytes)", text.len()),
        }
    }
}

/// A request of the engine: see `subrosa_engine::Request`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Request {
    /// One item, or all of a node.
    Fetch(Node),
    /// Publish an item, readable by all.
    Publish {
        /// Where.
        node: Node,
        /// The node keeps many items.
        many: bool,
        /// One XML element.
        #[serde(with = "bytes")]
        payload: Vec<u8>,
    },
    /// One item, or the whole node.
    Delete(Node),
}
/// See `subrosa_engine::Node`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Node {
    /// Under whose address.
    pub owner: Jid,
    /// The node.
    pub name: String,
    /// The item within it.
    pub item: Option<String>,
}
/// See `subrosa_engine::Item`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Item {
    /// Its name within the node.
    pub id: Option<String>,
    /// One XML element.
    #[serde(with = "bytes")]
    pub payload: Vec<u8>,
}
/// See `subrosa_engine::RequestError`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum RequestError {
    /// There is no such thing.
    NotFound,
    /// The server does not let us.
    Forbidden,
    /// No answer in time.
    Unreachable,
    /// Too much, too often: a try later may do.
    Refused,
    /// Not what the protocol says.
    Malformed,
}

/// Changes of the contact list (RFC 6121).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ContactChange {
    /// Add, or rename, and ask to see their presence.
    Add {
        /// Whom.
        jid: Jid,
        /// What to call them here; empty: their address.
        name: String,
    },
    /// Yes to a request of theirs; they are added and asked in return.
    Accept(Jid),
    /// No to a request of theirs.
    Decline(Jid),
    /// Off the list, both ways.
    Remove(Jid),
}

/// From the gateway.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum FromGateway {
    /// The answer to `Hello`. Events after `since` follow, then [`FromGateway::CaughtUp`].
    Welcome {
        /// The account.
        jid: Jid,
        /// This browser.
        browser: BrowserId,
        /// The newest event there is.
        head: Seq,
        /// The gateway's clock.
        now: Millis,
    },
    /// Something happened to the account.
    Event {
        /// Its place.
        seq: Seq,
        /// What.
        event: Event,
    },
    /// All that was there when the socket opened has been sent.
    CaughtUp,
    /// The archive has this body of ours: it is the gateway's from now on, over crashes of either side.
    Accepted {
        /// The message's.
        id: MessageId,
        /// Which body.
        part: u16,
        /// Its place: the message's place in the chat is that of its part 0.
        seq: Seq,
        /// When, by the gateway's clock.
        at: Millis,
    },
    /// It can never be sent like this. Nothing of it was stored.
    Rejected {
        /// The message's.
        id: MessageId,
        /// Which body.
        part: u16,
        /// Why.
        why: Failure,
    },
    /// To a [`ToGateway::Request`]. While the XMPP session is away there is none: ask again when it is back.
    Answer {
        /// This browser's number.
        id: u64,
        /// An empty list: nothing there, or done.
        answer: Result<Vec<Item>, RequestError>,
    },
    /// How the XMPP session is: after `Welcome`, and whenever it changes.
    Session(Session),
    /// To [`ToGateway::Browsers`] and [`ToGateway::Revoke`], and when one comes or goes for good.
    Browsers(Vec<Browser>),
    /// Something asked for did not work, and no other frame says so.
    Failed(Failure),
}

/// The XMPP session of the account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Session {
    /// On its way.
    Connecting,
    /// There. `resumed`: nothing was missed since it was last there, and open requests are still answered; otherwise ask again.
    Online {
        /// The same stream.
        resumed: bool,
    },
    /// Away; tried again by itself.
    Offline(Failure),
    /// Refused: the password was changed, the account is gone. Log in again.
    Refused(Failure),
}

/// What happens to an account, in order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Event {
    /// A message came, or another browser of the account sent one.
    Message(Message),
    /// A message of ours got further.
    Progress {
        /// Its id, without the part.
        id: MessageId,
        /// How far.
        progress: Progress,
    },
    /// A contact, as it is now.
    Contact(Contact),
    /// Somebody published something that engines want to know (device lists).
    Published {
        /// Where.
        node: Node,
        /// `None`: retracted, or the node is gone.
        payload: Option<Payload>,
    },
    /// The chat was read up to here in some browser of the account.
    Read {
        /// Which chat.
        chat: Jid,
        /// The last message read.
        up_to: Seq,
    },
}
/// One XML element.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Payload(#[serde(with = "bytes")] pub Vec<u8>);

/// A stanza in the archive.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// The sender's; with the part's number after a dot where it has one (as XMPP carries it).
    pub id: MessageId,
    /// The conversation: the peer.
    pub chat: Jid,
    /// Who sent it; the account itself for what its other devices sent.
    pub from: Jid,
    /// When, by the server's clock.
    pub sent: Millis,
    /// What it is for.
    pub kind: Kind,
    /// This very browser sent it: the body is left out.
    pub own: bool,
    /// All payload children of the stanza as XML, `<body/>` too.
    #[serde(with = "bytes")]
    pub body: Vec<u8>,
}

/// How far a message of ours is. Later ones replace earlier ones.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Progress {
    /// The XMPP server has all of it.
    Sent,
    /// A device of the contact said that it has it.
    Delivered,
    /// It came back, or can't be sent.
    Failed(Failure),
}

/// One contact.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Contact {
    /// Who.
    pub jid: Jid,
    /// What the account calls them; may be empty.
    pub name: String,
    /// How it is with them.
    pub standing: Standing,
}
/// How it is with a contact.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Standing {
    /// On the list; both see each other.
    Mutual,
    /// On the list; we asked and they have not answered.
    Asked,
    /// On the list, otherwise.
    Listed,
    /// Not on the list, and asks to be.
    Asks,
    /// No longer on the list, and asks for nothing.
    Gone,
}

/// Bytes as bytes: without this postcard is right but slow, element by element.
mod bytes {
    use serde::de::{Error, Visitor};
    use serde::{Deserializer, Serializer};

    pub fn serialize<S: Serializer>(bytes: &[u8], s: S) -> Result<S::Ok, S::Error> {
        s.serialize_bytes(bytes)
    }
    pub fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Vec<u8>, D::Error> {
        struct Bytes;
        impl<'de> Visitor<'de> for Bytes {
            type Value = Vec<u8>;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("bytes")
            }
            fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<Vec<u8>, E> {
                Ok(bytes.to_vec())
            }
            fn visit_byte_buf<E: Error>(self, bytes: Vec<u8>) -> Result<Vec<u8>, E> {
                Ok(bytes)
            }
        }
        d.deserialize_byte_buf(Bytes)
    }
}
