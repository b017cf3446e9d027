//! What a message says, for those at its two ends: applications write it, transports have a form for it. Engines carry it as bytes;
//! the machine never looks.
use crate::{Address, MessageId};

/// The content of one message.
///
/// Messages that are about another name it by `of`: by the id that its conversation knows it by. In a room that is the one which the room
/// gave it (XEP-0359, `stanza-id`), elsewhere the one its author gave it.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Content {
    /// Words.
    Text(String),
    /// Words in answer to a message (XEP-0461).
    Reply {
        /// The message that is answered.
        of: MessageId,
        /// Who wrote that.
        author: Option<Address>,
        /// The answer, without what it quotes.
        text: String,
        /// What older clients are shown before the answer. Empty: nothing. Not given back by whoever reads it.
        quote: String,
    },
    /// All reactions of the sender to a message, each an emoji; none takes them back (XEP-0444).
    Reaction {
        /// The message.
        of: MessageId,
        /// Each once, in the sender's order.
        emojis: Vec<String>,
    },
    /// New words for a message of the sender's own (XEP-0308).
    Correction {
        /// The first form of the message.
        of: MessageId,
        /// What it says now.
        text: String,
    },
    /// The sender takes a message of their own back (XEP-0424).
    Retraction {
        /// The message.
        of: MessageId,
    },
    /// It has arrived (XEP-0184).
    Delivered {
        /// The message.
        of: MessageId,
    },
    /// It was read, and all before it (XEP-0333).
    Displayed {
        /// The message.
        of: MessageId,
    },
    /// What its sender does (XEP-0085).
    Typing(Typing),
    /// The sender will not encrypt any more, and says why (XEP-0384 §5.7). Nothing is to be sent until a person said how to go on.
    OptOut {
        /// In the sender's words; may be empty.
        reason: String,
    },
}
/// What the other side does (XEP-0085 §3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub enum Typing {
    Active,
    Composing,
    Paused,
    Inactive,
    Gone,
}
impl Content {
    /// The message it is about.
    pub fn of(&self) -> Option<&MessageId> {
        match self {
            Content::Reply { of, .. }
            | Content::Reaction { of, .. }
            | Content::Correction { of, .. }
            | Content::Retraction { of }
            | Content::Delivered { of }
            | Content::Displayed { of } => Some(of),
            Content::Text(_) | Content::Typing(_) | Content::OptOut { .. } => None,
        }
    }
    /// Words to be read, if it has any.
    pub fn text(&self) -> Option<&str> {
        match self {
            Content::Text(text) | Content::Reply { text, .. } | Content::Correction { text, .. } => Some(text),
            _ => None,
        }
    }
    /// What kind of message carries it.
    pub fn kind(&self) -> crate::Kind {
        match self {
            Content::Text(_) | Content::Reply { .. } | Content::Correction { .. } => crate::Kind::Text,
            Content::Delivered { .. } | Content::Displayed { .. } => crate::Kind::Receipt,
            Content::Typing(_) => crate::Kind::Typing,
            Content::Reaction { .. } | Content::Retraction { .. } | Content::OptOut { .. } => crate::Kind::Other,
        }
    }
}
/// Words stay out of logs.
impl std::fmt::Debug for Content {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let name = match self {
            Content::Text(_) => "Text",
            Content::Reply { .. } => "Reply",
            Content::Reaction { .. } => "Reaction",
            Content::Correction { .. } => "Correction",
            Content::Retraction { .. } => "Retraction",
            Content::Delivered { .. } => "Delivered",
            Content::Displayed { .. } => "Displayed",
            Content::Typing(_) => "Typing",
            Content::OptOut { .. } => "OptOut",
        };
        match self.of() {
            Some(of) => write!(f, "{name}({of})"),
            None => f.write_str(name),
        }
    }
}
