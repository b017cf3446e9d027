//! What goes in and what comes out: all that a host or a transport needs to know.
use crate::*;
use std::any::Any;
use std::marker::PhantomData;
use std::sync::Arc;

/// Milliseconds since 1970, given by the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Time(pub u64);
/// The application's or the transport's id of a message; echoed in everything about it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MessageId(pub Arc<str>);
/// Ties an answer to its question.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RequestId(pub u64);

/// Names an output until the host is done with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct OutputId(pub u64);

/// Something published under an owner: a PEP node and item, a key server's entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    pub owner: Address,
    pub name: String,
    pub item: Option<String>,
}
/// How many items a published node keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    /// The latest only.
    One,
    /// As many as the server allows (`max_items=max`): a node that all devices of a person share.
    Many,
}
/// One published thing, as fetched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// Its name within the node.
    pub id: Option<String>,
    /// One XML element, or what a key server answered.
    pub payload: Vec<u8>,
}
/// What an engine wants from the network. Opaque bytes: shapes are the engine's, routing the transport's.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Request {
    /// `Node::item`: only that one; `None`: all that the node has.
    Fetch(Node),
    /// Readable by anybody (access model `open`); the transport reconfigures a node that is not.
    Publish { node: Node, keep: Keep, payload: Vec<u8> },
    /// One item, or the whole node.
    Delete(Node),
    /// LIME: one exchange with a named service (a key server).
    Exchange { service: String, body: Vec<u8> },
}

/// What the host says to the machine. Plain data, `Send`: any thread may queue it.
#[derive(Debug)]
#[non_exhaustive]
pub enum Input {
    Send {
        id: MessageId,
        chat: ChatId,
        to: Recipients,
        kind: Kind,
        plain: Plaintext,
    },
    /// Answered by [`Output::Upload`] or [`Event::NotSent`]; the message that offers the file comes after the upload.
    OfferFile {
        id: MessageId,
        chat: ChatId,
        to: Recipients,
        file: FileInfo,
    },
    Receive {
        id: MessageId,
        chat: ChatId,
        from: Address,
        /// The server's clock: a delay or archive stamp, else now.
        sent: Time,
        kind: Kind,
        content_type: ContentType,
        body: Vec<u8>,
    },
    /// An empty list: there is nothing, or the publication was accepted.
    Answer(RequestId, Result<Vec<Item>, RequestError>),
    Complete(Token, Completion),
    /// The server pushed what somebody published; `None`: it was retracted, or the node was deleted.
    Published(Node, Option<Vec<u8>>),
    Online {
        resumed: bool,
    },
    SetTrust(Device, Fingerprint, Trust),
    SetPolicy(ChatId, Policy),
    /// The host needs this output no more: acknowledged by the server, stored in the history. Until then it
    /// is part of the stored state and comes again after a restart: a crash between commit and release loses nothing.
    Done(OutputId),
    Tick,
}

/// How a pending message ends.
#[derive(Debug)]
pub enum Completion {
    Encrypted(Encrypted),
    Decrypted(Decrypted),
    Rejected(Refusal),
}

/// What the machine wants done, and only after its step was stored.
pub enum Output {
    Transmit {
        id: MessageId,
        to: Recipients,
        kind: Kind,
        wire: Wire,
    },
    /// The answer to a held incoming message: the code on the wire is the code of the engine.
    Refuse {
        id: MessageId,
        status: Status,
    },
    Request(RequestId, Request),
    /// Yours from here on: on any thread, with the engine it began with.
    Upload {
        id: MessageId,
        file: FileInfo,
        key: FileKey,
        cipher: Box<dyn FileCipher>,
    },
    Event(Event),
}

/// For the application.
#[non_exhaustive]
pub enum Event {
    Message {
        id: MessageId,
        chat: ChatId,
        message: Received,
    },
    Sent {
        id: MessageId,
        report: Vec<DeviceReport>,
    },
    /// Kept until keys arrive or its deadline passes.
    Waiting {
        id: MessageId,
    },
    /// With a question only where clear text is what a yes would mean.
    NotSent {
        id: MessageId,
        why: Refusal,
        report: Vec<DeviceReport>,
        ask: Option<ClearTextQuestion>,
    },
    NotReceived {
        id: MessageId,
        chat: ChatId,
        from: Address,
        /// The device that the message names, where the engine could tell.
        device: Option<Device>,
        why: Refusal,
    },
    /// A device that was not known before, and what the trust policy made of it.
    DeviceNew {
        device: Device,
        key: Fingerprint,
        trust: Trust,
    },
    /// A known device showed another key: refused until a person decides.
    KeyChanged {
        device: Device,
        known: Fingerprint,
        shown: Fingerprint,
    },
}

/// Only [`Step::commit`] and [`Step::commit_async`] make these: what is in here may leave.
///
/// ```compile_fail,E0599
/// # use subrosa_engine::*;
/// # fn f(machine: &mut Machine, rng: &mut (dyn rand_core::CryptoRng + Send)) {
/// let mut step = machine.begin(Time(0), rng);
/// step.feed(Input::Tick);
/// for output in step.outputs() {}         // no such thing: a step has no outputs
/// # }
/// ```
/// ```compile_fail,E0499
/// # use subrosa_engine::*;
/// # fn f(machine: &mut Machine, rng: &mut (dyn rand_core::CryptoRng + Send), rng2: &mut (dyn rand_core::CryptoRng + Send)) {
/// let one = machine.begin(Time(0), rng);
/// let two = machine.begin(Time(0), rng2); // one step at a time
/// one.commit(&mut MemoryStore::default()).ok();
/// # }
/// ```
#[must_use]
pub struct Outputs(pub(crate) Vec<(OutputId, Output)>, pub(crate) Vec<Option<Box<dyn Any + Send>>>);
/// What a [`Step::call`] returned; read after the commit, like everything else.
pub struct Reply<T>(pub(crate) usize, pub(crate) PhantomData<fn() -> T>);
impl Outputs {
    /// `None`: the call failed closed (logged), or was read before.
    pub fn reply<T: 'static>(&mut self, reply: &Reply<T>) -> Option<T> {
        self.1.get_mut(reply.0)?.take()?.downcast().ok().map(|b| *b)
    }
}
impl IntoIterator for Outputs {
    type Item = (OutputId, Output);
    type IntoIter = std::vec::IntoIter<(OutputId, Output)>;
    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}
