//! What happens in a world, for somebody who judges it: every committed step with what it took and made, every stanza with
//! what became of it on its way. Collected only after [`crate::World::watch`].
use crate::{ClientId, Crash, Stanza};
use std::rc::Rc;
use subrosa_engine::{
    Address, ChatId, Device, DeviceReport, Event, Fingerprint, Input, MessageId, Node, Output, Outputs, Reason, Request, Sender, Time, Trust,
    Warning, Wire,
};

/// Something that happened.
#[derive(Clone, Debug)]
pub struct Happening {
    /// When, by the world's clock.
    pub at: Time,
    /// At which client, or on the way to or from it.
    pub client: ClientId,
    /// What.
    pub what: What,
}

/// What happened.
#[derive(Clone, Debug)]
pub enum What {
    /// A step was stored. What it made exists from here on, whatever becomes of the process.
    Committed {
        /// What it was fed.
        taken: Vec<Taken>,
        /// What it released for the first time, in its order.
        made: Vec<Made>,
    },
    /// A commit went wrong, or the process died after it.
    Tripped(Crash),
    /// The process started anew over its store.
    Restarted,
    /// The server has this stanza of the client. Comes again when the client could not know.
    Reached(MessageId, u16),
    /// The server sent a stanza on to the client, or kept it for when it comes.
    Routed {
        /// The stanza's.
        id: MessageId,
        /// The stanza's.
        part: u16,
        /// Who wrote it.
        from: Address,
        /// How many copies travel; 0: the network lost it.
        copies: u32,
    },
    /// A room refused a stanza of the client: it is no member.
    Bounced(MessageId, u16),
}

/// An input, as far as a judge needs it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Taken {
    /// A person wrote.
    Send(MessageId),
    /// A message came.
    Receive(MessageId),
    /// A person decided.
    Trust(Device, Fingerprint, Trust),
    /// A stream began.
    Online,
    /// Catching up began or ended.
    CatchUp(bool),
    /// Who is in a room; nobody: it is none.
    Room(ChatId, Vec<Address>),
    /// Anything else.
    Other,
}
impl From<&Input> for Taken {
    fn from(input: &Input) -> Self {
        match input {
            Input::Send { id, .. } => Taken::Send(id.clone()),
            Input::Receive { id, .. } => Taken::Receive(id.clone()),
            Input::SetTrust(device, key, trust) => Taken::Trust(device.clone(), *key, *trust),
            Input::Online { resumed: false } => Taken::Online,
            Input::CatchUp { running } => Taken::CatchUp(*running),
            Input::Room(chat, members) => Taken::Room(chat.clone(), members.clone().unwrap_or_default()),
            _ => Taken::Other,
        }
    }
}

/// An output, as far as a judge needs it.
#[derive(Clone, Debug)]
pub enum Made {
    /// To travel.
    Stanza(Rc<Stanza>),
    /// To be published.
    Publish(Node, Vec<u8>),
    /// Told: it was sent, and who can read it.
    Sent(MessageId, Vec<DeviceReport>),
    /// Told: it was not.
    NotSent(MessageId, Reason),
    /// Told: a new device.
    DeviceNew(Device, Fingerprint, Trust),
    /// Told: a device shows another key.
    KeyChanged(Device, Fingerprint),
    /// Told: a message, and who wrote it.
    Message(MessageId, Option<Sender>),
    /// Told: a message that can't be read, and why.
    NotReceived(MessageId, Reason),
    /// Told: something that a person should know.
    Warning(Warning),
}
impl Made {
    fn of(me: &Address, output: &Output) -> Option<Self> {
        Some(match output {
            Output::Transmit { .. } => Made::Stanza(Rc::new(Stanza::of(me, output)?)),
            Output::Request(_, Request::Publish { node, payload, .. }) => Made::Publish(node.clone(), payload.clone()),
            Output::Event(Event::Sent { id, report, .. }) => Made::Sent(id.clone(), report.clone()),
            Output::Event(Event::NotSent { id, why, .. }) => Made::NotSent(id.clone(), why.reason),
            Output::Event(Event::DeviceNew { device, key, trust }) => Made::DeviceNew(device.clone(), *key, *trust),
            Output::Event(Event::KeyChanged { device, shown, .. }) => Made::KeyChanged(device.clone(), *shown),
            Output::Event(Event::Message { id, message, .. }) => Made::Message(id.clone(), message.sender().cloned()),
            Output::Event(Event::NotReceived { id, why, .. }) => Made::NotReceived(id.clone(), why.reason),
            Output::Event(Event::Warning { warning, .. }) => Made::Warning(*warning),
            _ => return None,
        })
    }
    /// What is new in the outputs of a step.
    pub(crate) fn all(me: &Address, outputs: &Outputs) -> Vec<Self> {
        outputs.iter().filter(|(id, _)| !outputs.is_again(*id)).filter_map(|(_, output)| Made::of(me, output)).collect()
    }
}
impl Stanza {
    /// What a transport makes of an output; `None`: it is none that travels.
    pub(crate) fn of(me: &Address, output: &Output) -> Option<Self> {
        let Output::Transmit { id, part, chat, to, kind, wire, made, .. } = output else { return None };
        let (content_type, body, in_clear) = match wire {
            Wire::Encrypted(part) => (part.content_type.clone(), part.body.clone(), false),
            Wire::Clear { plain, .. } => (plain.content_type.clone(), plain.bytes().to_vec(), true),
        };
        let (id, chat, to) = (id.clone(), chat.clone(), to.clone());
        Some(Stanza { id, part: *part, from: me.clone(), chat, to, kind: *kind, content_type, body, in_clear, made: *made })
    }
}
