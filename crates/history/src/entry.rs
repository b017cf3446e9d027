//! What is told to the history: one message, as it was sent or received.
use subrosa_engine::{Address, ChatId, Content, DeviceId, MessageId, Reason, Received, Time, Trust};

/// One message, as it was sent or received; also one that is about another.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Its conversation.
    pub chat: ChatId,
    /// Whether that is a room.
    pub room: bool,
    /// Who wrote it: a real bare address. In a room, the chat's own address where nobody knows whose it is. One's own address:
    /// sent here or on another device of one's own.
    pub from: Address,
    /// What its writer is called in the room, for show.
    pub nick: Option<String>,
    /// Its author's id of it (`origin-id`). Empty: it has none.
    pub id: MessageId,
    /// The archive's id of it, where it is known and the archive may be believed.
    pub stanza_id: Option<String>,
    /// When it was sent, by the server's clock.
    pub time: Time,
    /// Now. Nothing is placed later than that, whatever it says of itself.
    pub arrived: Time,
    /// The device that wrote it, and what its key was worth then. `None`: in clear, or by an engine without devices.
    pub by: Option<SentBy>,
    /// It was not encrypted.
    pub in_clear: bool,
    /// What it does to another message, correct or answer it, was said in clear beside what was encrypted: anybody on the way can have
    /// written that.
    pub beside: bool,
    /// Of one's own: how far it is.
    pub state: State,
    /// What it says.
    pub body: Body,
}
/// The device that wrote a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SentBy {
    /// Which of its owner's.
    pub device: DeviceId,
    /// What its key was worth when the message came.
    pub trust: Trust,
}
/// What there is to show.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Body {
    /// It could be read.
    Said(Content),
    /// It could not.
    Unreadable(Reason),
    /// Its author took it back: there is nothing any more.
    Retracted,
}
/// How far a message of one's own is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It waits: for keys, for the network.
    Queued,
    /// The server has it.
    Sent,
    /// Nothing of it left.
    Failed(Reason),
}

impl Entry {
    /// A message with `content` by `from` in a conversation of two, sent and arrived at `time`, encrypted.
    pub fn new(chat: &Address, from: &Address, id: &str, content: Content, time: Time) -> Self {
        Entry {
            chat: ChatId(chat.clone()),
            room: false,
            from: from.clone(),
            nick: None,
            id: id.into(),
            stanza_id: None,
            time,
            arrived: time,
            by: None,
            in_clear: false,
            beside: false,
            state: State::Sent,
            body: Body::Said(content),
        }
    }
    /// What the machine received, read as `content`.
    pub fn received(chat: &ChatId, id: &MessageId, message: &Received, content: Content, now: Time) -> Self {
        Entry {
            by: message.sender().map(|sender| SentBy { device: sender.device.id.clone(), trust: sender.trust }),
            in_clear: message.in_clear(),
            arrived: now,
            ..Entry::new(&chat.0, message.from(), id.as_str(), content, message.sent())
        }
    }
    /// One that could not be read.
    pub fn unreadable(chat: &ChatId, from: &Address, id: &MessageId, reason: Reason, time: Time) -> Self {
        Entry { body: Body::Unreadable(reason), ..Entry::new(&chat.0, from, id.as_str(), Content::Text(String::new()), time) }
    }
    /// In a room, where its writer is called so.
    pub fn in_room(self, nick: Option<String>) -> Self {
        Entry { room: true, nick, ..self }
    }
    /// With the archive's id of it.
    pub fn archived(self, stanza_id: Option<String>) -> Self {
        Entry { stanza_id, ..self }
    }
}
