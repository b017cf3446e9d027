//! What goes in and what comes out: all that a host or a transport needs to know.
use crate::*;
use std::any::Any;
use std::collections::HashSet;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

/// Milliseconds since 1970, given by the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time(pub u64);
impl Time {
    /// So much later; the end of time at the latest.
    pub fn after(self, duration: Duration) -> Time {
        Time(self.0.saturating_add(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)))
    }
}
/// The application's or the transport's id of a message; echoed in everything about it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MessageId(pub Arc<str>);
impl MessageId {
    /// As the application or the transport wrote it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}
impl From<&str> for MessageId {
    fn from(s: &str) -> Self {
        MessageId(s.into())
    }
}
impl std::fmt::Display for MessageId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}
/// Ties an answer to its question. The same over restarts, never used for another question.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId(pub u64);

/// Names an output until the host is done with it. The same over restarts, never used for another output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OutputId(pub u64);

/// Something published under an owner: a PEP node and item, a key server's entry.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Node {
    /// Under whose address.
    pub owner: Address,
    /// The node: `urn:xmpp:omemo:2:bundles`.
    pub name: String,
    /// The item within it.
    pub item: Option<String>,
}
/// How many items a published node keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
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
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Request {
    /// `Node::item`: only that one; `None`: all that the node has.
    Fetch(Node),
    /// Readable by anybody (access model `open`); the transport reconfigures a node that is not.
    Publish {
        /// Where, and under which item id.
        node: Node,
        /// How many items the node keeps.
        keep: Keep,
        /// One XML element, or what a key server takes.
        payload: Vec<u8>,
    },
    /// One item, or the whole node.
    Delete(Node),
    /// LIME: one exchange with a named service (a key server).
    Exchange {
        /// Its name.
        service: String,
        /// What it is told.
        body: Vec<u8>,
    },
}

/// What the host says to the machine. Plain data, `Send`: any thread may queue it.
#[derive(Debug)]
#[non_exhaustive]
pub enum Input {
    /// Answered by [`Output::Transmit`] and [`Event::Sent`], or by [`Event::NotSent`]; by [`Event::Waiting`] first, where keys are missing.
    /// Messages of one chat leave in the order they were given.
    Send {
        /// Echoed in everything about it. On XMPP: the stanza id.
        id: MessageId,
        /// The conversation: decides which engine, and whether clear text may pass.
        chat: ChatId,
        /// Whom it is for.
        to: Recipients,
        /// What it is for. [`Kind::Typing`] is never kept: it leaves at once or not at all.
        kind: Kind,
        /// The words.
        plain: Plaintext,
        /// What goes beside the body, in clear, where the transport has such a thing.
        headers: Headers,
    },
    /// Answered by [`Output::Upload`] or [`Event::NotSent`]; the message that offers the file comes after the upload.
    OfferFile {
        /// Echoed in everything about it.
        id: MessageId,
        /// The conversation.
        chat: ChatId,
        /// Whom it is for.
        to: Recipients,
        /// What is offered.
        file: FileInfo,
    },
    /// A message came.
    Receive {
        /// The sender's id of it, echoed in everything about it.
        id: MessageId,
        /// The conversation: the peer's address, also for what our other devices sent.
        chat: ChatId,
        /// Who sent it, as the server vouches: equal to the account's own address for what its other devices sent (carbons). In a room
        /// the sender's own address, not the one in the room; equal to the chat's where nobody says who sent it: then the engine tells by
        /// the key, or refuses.
        from: Address,
        /// The server's clock: a delay or archive stamp, else now.
        sent: Time,
        /// What it is for. Typing notices and receipts that the engine skips are dropped without a word.
        kind: Kind,
        /// What the body is.
        content_type: ContentType,
        /// Everything that may matter to an engine.
        body: Vec<u8>,
        /// What came beside the body, in clear.
        headers: Headers,
        /// The transport holds its answer until then: exactly one [`Output::Accept`] or [`Output::Refuse`] comes. What is still pending
        /// at that time, or is fed later, is refused with 480 and never shown. `None`: it needs no answer, and the message waits as long as others.
        answer_by: Option<Time>,
    },
    /// To an [`Output::Request`]. An empty list: there is nothing, or the publication was accepted. A host that is offline
    /// does not answer: the request comes again with the next [`Input::Online`].
    Answer(RequestId, Result<Vec<Item>, RequestError>),
    /// Ends a message that an engine left with somebody; after the message's deadline as one that came too late.
    Complete(Token, Completion),
    /// The server pushed what somebody published; `None`: it was retracted, or the node was deleted.
    Published(Node, Option<Vec<u8>>),
    /// Connected. After a new stream all requests that are not answered come again.
    Online {
        /// The same stream as before: nothing was missed.
        resumed: bool,
    },
    /// Archived messages are being read (`true`), or it ended (`false`).
    CatchUp {
        /// `false`: it ended.
        running: bool,
    },
    /// A person decided about a key of a device. For a key that the device did not have, anything from [`Trust::Trusted`] up
    /// accepts it as the device's new key; anything below remembers the refusal.
    SetTrust(Device, Fingerprint, Trust),
    /// What the chat does when its engine skips a message.
    SetPolicy(ChatId, Policy),
    /// The chat is a room, and these are in it: members, admins, owners, whether they are there or not. Each time that changes, and once
    /// on each new stream, behind [`Input::Online`]: until then messages wait, because who is in it may have changed meanwhile. It holds
    /// for those too. `None`: it is no room any more, or one where encryption is not possible: nothing leaves.
    Room(ChatId, Option<Vec<Address>>),
    /// This account is out of the room and means to come in again, on the same stream: who is in it may change unseen. As on a new
    /// stream, messages wait until [`Input::Room`] says it anew, and what a person chose for the room stays.
    RoomUnknown(ChatId),
    /// A person chose for this room: those who have no device that can read are left out (`true`), or stop the message (`false`, as at first).
    LeaveOut(ChatId, bool),
    /// The host needs this output no more: acknowledged by the server, stored in the history. Until then it
    /// is part of the stored state and comes again after a restart: a crash between commit and release loses nothing.
    /// For outputs that are not owed it does nothing.
    Done(OutputId),
    /// The time of [`Machine::wake_at`] has come: deadlines end, engines that set an alarm are called.
    Tick,
}

/// How a pending message ends.
#[derive(Debug)]
pub enum Completion {
    /// An outgoing one is ready.
    Encrypted(Encrypted),
    /// An incoming one is ready.
    Decrypted(Decrypted),
    /// Either: no.
    Rejected(Refusal),
}

/// What the machine wants done, and only after its step was stored.
///
/// **Owed** ones ([`Output::is_owed`]) are stored with the step and come again after a restart, with the same
/// [`OutputId`] and the same bytes, until the host says [`Input::Done`]. A [`Output::Request`] comes again until it is answered:
/// after a restart and after [`Input::Online`] without resumption. Its `OutputId` has the number of its [`RequestId`].
#[derive(Debug)]
#[non_exhaustive]
pub enum Output {
    /// Put this on the network; `Done` when the server acknowledged it. Owed, typing notices excepted.
    Transmit {
        /// The message's; what engines send by themselves has one too, unique to this installation.
        id: MessageId,
        /// Which of the message's bodies this is, from 0: each travels by itself. `(id, part)` names the stanza.
        part: u16,
        /// The conversation; for what engines send by themselves, that with the recipient.
        chat: ChatId,
        /// Whom it is for.
        to: Recipients,
        /// What it is for.
        kind: Kind,
        /// The body.
        wire: Wire,
        /// What goes beside it, in clear.
        headers: Headers,
        /// When it was made. A transport that sends it much later says so (XEP-0203): recipients compare it with what was encrypted
        /// (XEP-0420 §4). 0: a version before did not keep it.
        made: Time,
    },
    /// The answer to an incoming message that its transport holds: yes. Not owed: a transport that was restarted holds nothing.
    Accept {
        /// The accepted message's.
        id: MessageId,
        /// Its conversation.
        chat: ChatId,
        /// Who sent it.
        from: Address,
    },
    /// The answer to an incoming message: the code on the wire is the code of the engine. Owed. A transport that can't or should
    /// not answer (archive, carbons) says `Done`.
    Refuse {
        /// The refused message's.
        id: MessageId,
        /// Its conversation.
        chat: ChatId,
        /// Who sent it.
        from: Address,
        /// The code.
        status: Status,
    },
    /// Ask this, and answer with [`Input::Answer`]. Comes again until then.
    Request(RequestId, Request),
    /// Yours from here on: on any thread, with the engine it began with. Not owed: after a crash the file is offered again.
    Upload {
        /// The offer's.
        id: MessageId,
        /// What is offered.
        file: FileInfo,
        /// The key for the message that offers the file, and what runs over the file. `None`: it goes in clear, as a person chose
        /// for this chat.
        encryption: Option<(FileKey, Box<dyn FileCipher>)>,
    },
    /// Tell the application. Owed, all but [`Event::Waiting`] and what concerns typing notices.
    Event(Event),
}
impl Output {
    /// Whether it comes again after a restart until [`Input::Done`].
    pub fn is_owed(&self) -> bool {
        match self {
            Output::Transmit { kind, .. } => *kind != Kind::Typing,
            Output::Refuse { .. } => true,
            Output::Request(..) | Output::Upload { .. } | Output::Accept { .. } => false,
            Output::Event(Event::Waiting { .. }) => false,
            Output::Event(Event::NotSent { kind, .. } | Event::Sent { kind, .. }) => *kind != Kind::Typing,
            Output::Event(Event::Message { message, .. }) => message.kind() != Kind::Typing,
            Output::Event(_) => true,
        }
    }
}

/// For the application.
#[derive(Debug)]
#[non_exhaustive]
pub enum Event {
    /// A message was received. `Done` when it is in the history.
    Message {
        /// The sender's.
        id: MessageId,
        /// Its conversation.
        chat: ChatId,
        /// The words, who wrote them, and what is known about that.
        message: Received,
    },
    /// All [`Output::Transmit`]s of the message are out, and who can read it. It has left when the server acknowledged them.
    Sent {
        /// The message's.
        id: MessageId,
        /// What it was for.
        kind: Kind,
        /// Device by device; empty for engines without devices.
        report: Vec<DeviceReport>,
        /// People of the room who have no device that can read it.
        left_out: Vec<Address>,
        /// What some devices do not get of it, because their version has no form for it.
        unsaid: Vec<Omission>,
    },
    /// Kept until keys arrive or its deadline passes.
    Waiting {
        /// The message's.
        id: MessageId,
    },
    /// Nothing of it left. With a question only where clear text is what a yes would mean.
    NotSent {
        /// The message's.
        id: MessageId,
        /// What it was for.
        kind: Kind,
        /// Why.
        why: Refusal,
        /// Device by device, where the engine got so far.
        report: Vec<DeviceReport>,
        /// For a person: send it in clear?
        ask: Option<ClearTextQuestion>,
    },
    /// A message that can't be shown.
    NotReceived {
        /// The sender's.
        id: MessageId,
        /// Its conversation.
        chat: ChatId,
        /// Who sent it, as the server says.
        from: Address,
        /// The device that the message names, where the engine could tell.
        device: Option<Device>,
        /// Why.
        why: Refusal,
    },
    /// A device that was not known before, and what the trust policy made of it. Once for each device and key.
    DeviceNew {
        /// Which.
        device: Device,
        /// Its identity key.
        key: Fingerprint,
        /// What it is worth for now.
        trust: Trust,
    },
    /// A known device showed another key: refused until a person decides ([`Input::SetTrust`]). Once for each new key.
    KeyChanged {
        /// Which.
        device: Device,
        /// The key it had.
        known: Fingerprint,
        /// The key it shows now.
        shown: Fingerprint,
    },
    /// What a known key is worth was decided elsewhere: by the person on another device of theirs, or by its owner on another of theirs
    /// (XEP-0450). Once for each decision.
    TrustChanged {
        /// Whose key.
        device: Device,
        /// Its identity key.
        key: Fingerprint,
        /// What it is worth from here on.
        trust: Trust,
        /// The device that said so.
        by: Device,
    },
    /// A person should know. Once each time it happens.
    Warning {
        /// What happened.
        warning: Warning,
        /// In which conversation, where it is one's.
        chat: Option<ChatId>,
        /// Which device it is about, where it is one's.
        device: Option<Device>,
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
pub struct Outputs {
    pub(crate) list: Vec<(OutputId, Output)>,
    pub(crate) again: HashSet<OutputId, foldhash::fast::RandomState>,
    pub(crate) replies: Vec<Option<Box<dyn Any + Send>>>,
}
/// What a [`Step::call`] returned; read after the commit, like everything else.
pub struct Reply<T>(pub(crate) usize, pub(crate) PhantomData<fn() -> T>);
impl Outputs {
    /// `None`: the call failed closed (logged), or was read before.
    pub fn reply<T: 'static>(&mut self, reply: &Reply<T>) -> Option<T> {
        self.replies.get_mut(reply.0)?.take()?.downcast().ok().map(|b| *b)
    }
    /// Whether this output may have been released before: by an earlier process, before a commit that failed or was
    /// abandoned, or (requests) on an earlier connection. What has this id has it for good: a host that still works on it, or
    /// finds it in its history, need not begin again.
    pub fn is_again(&self, id: OutputId) -> bool {
        self.again.contains(&id)
    }
    /// Takes out those that may have been released before, in their old order; what is left is new.
    pub fn take_again(&mut self) -> Vec<(OutputId, Output)> {
        let again = std::mem::take(&mut self.again);
        self.list.extract_if(.., |(id, _)| again.contains(id)).collect()
    }
    /// In the order of release: first those that come again, then the new ones.
    pub fn iter(&self) -> std::slice::Iter<'_, (OutputId, Output)> {
        self.list.iter()
    }
    /// How many.
    pub fn len(&self) -> usize {
        self.list.len()
    }
    /// None.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }
}
impl IntoIterator for Outputs {
    type Item = (OutputId, Output);
    type IntoIter = std::vec::IntoIter<(OutputId, Output)>;
    fn into_iter(self) -> Self::IntoIter {
        self.list.into_iter()
    }
}
impl<'a> IntoIterator for &'a Outputs {
    type Item = &'a (OutputId, Output);
    type IntoIter = std::slice::Iter<'a, (OutputId, Output)>;
    fn into_iter(self) -> Self::IntoIter {
        self.list.iter()
    }
}
