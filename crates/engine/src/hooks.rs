//! The hooks: what an engine author writes. XOR is ten lines, OMEMO is one of them too.
use crate::*;

/// An encryption engine, installed at run time. Liblinphone's six callbacks, read left to right:
/// outgoing, incoming, (files encrypted? + make key) = [`file_key`](Self::file_key), upload, download.
///
/// Hooks take `&self`: what must be remembered goes into records of the [`Context`], which are stored with
/// the step or not at all. A hook that reads records may be run again from its start, when the
/// machine had to load them first; nothing of the earlier run remains.
///
/// Anything but a clean `Ok` fails closed.
pub trait Engine: std::any::Any + Send {
    /// Names its records. Never shown to a person, never changed once there are any. Not empty and not `house`: an engine that is
    /// called so is not used.
    fn name(&self) -> &'static str;

    /// Whether messages of this kind come through the hooks, both ways. Typing notices and receipts that an engine does not want
    /// pass it by in clear, as the transport writes them; any other message that it does not want is a [`Outcome::Skipped`] one, and so
    /// is a notice whose content type is text: those are words.
    fn wants(&self, kind: Kind) -> bool {
        matches!(kind, Kind::Text | Kind::FileOffer)
    }

    /// A message wants to leave.
    fn outgoing(&self, cx: &mut Context<'_>, message: &Outgoing<'_>) -> Hook<Encrypted>;

    /// A message came in.
    fn incoming(&self, cx: &mut Context<'_>, message: &Incoming<'_>) -> Hook<Decrypted>;

    /// A file goes with this message. `Skipped`: files are not encrypted; `Done`: with this key.
    fn file_key(&self, _cx: &mut Context<'_>, _message: &Outgoing<'_>, _file: &FileInfo) -> Hook<FileKey> {
        Ok(Outcome::Skipped)
    }
    /// The cipher of one upload. It lives as long as the transfer, whatever becomes of the engine.
    fn upload(&self, _file: &FileInfo, _key: &FileKey) -> Result<Box<dyn FileCipher>, Status> {
        Err(Status::INTERNAL)
    }
    /// The cipher of one download.
    fn download(&self, _file: &FileInfo, _key: &FileKey) -> Result<Box<dyn FileCipher>, Status> {
        Err(Status::INTERNAL)
    }

    /// Something happened that is no message: an answer, a publication, a new connection, the time asked for.
    /// Engines without devices leave it.
    fn notice(&self, _cx: &mut Context<'_>, _notice: &Notice) -> Result<(), Halt> {
        Ok(())
    }
}

/// An engine chosen at run time, by its name in a settings file: what it is inside is found behind the box.
impl Engine for Box<dyn Engine> {
    fn name(&self) -> &'static str {
        (**self).name()
    }
    fn wants(&self, kind: Kind) -> bool {
        (**self).wants(kind)
    }
    fn outgoing(&self, cx: &mut Context<'_>, message: &Outgoing<'_>) -> Hook<Encrypted> {
        (**self).outgoing(cx, message)
    }
    fn incoming(&self, cx: &mut Context<'_>, message: &Incoming<'_>) -> Hook<Decrypted> {
        (**self).incoming(cx, message)
    }
    fn file_key(&self, cx: &mut Context<'_>, message: &Outgoing<'_>, file: &FileInfo) -> Hook<FileKey> {
        (**self).file_key(cx, message, file)
    }
    fn upload(&self, file: &FileInfo, key: &FileKey) -> Result<Box<dyn FileCipher>, Status> {
        (**self).upload(file, key)
    }
    fn download(&self, file: &FileInfo, key: &FileKey) -> Result<Box<dyn FileCipher>, Status> {
        (**self).download(file, key)
    }
    fn notice(&self, cx: &mut Context<'_>, notice: &Notice) -> Result<(), Halt> {
        (**self).notice(cx, notice)
    }
}

/// What every message hook returns. `?` works on everything a [`Context`] can refuse and on any error.
pub type Hook<T> = Result<Outcome<T>, Halt>;

/// −1, 0, 1 and 300–699 of Liblinphone, as a type. `Done` carries the result: it can't be forgotten.
#[derive(Debug)]
pub enum Outcome<T> {
    /// Not mine. What follows is the chat's [`Policy`], never the engine's choice.
    Skipped,
    /// Here it is.
    Done(T),
    /// Handled, and there is nothing to show: a key transport, an empty message, a duplicate, one's own reflection.
    /// What the hook did is kept, nobody is told. Incoming only: an outgoing message can't vanish (it is not sent, and says so).
    Silent,
    /// Later. The hook runs again (`until_answered`) or somebody completes it (`until_completed`).
    Pending(Pending),
    /// No: the code goes on the wire, the reason to the person. (`Err` undoes what the hook did, a refusal keeps it.)
    Rejected(Refusal),
}

/// Made by [`Network::until_answered`] or [`Network::until_completed`] only: a wait that nothing ends can't be written.
#[derive(Debug)]
pub struct Pending(pub(crate) Wait);
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Wait {
    Answers(Vec<RequestId>),
    Completion(Token),
    /// For the messages before it in its chat.
    Turn,
}

/// Names a pending message to whoever completes it, from any thread, as [`Input::Complete`]. Of a message that was not stored in the end
/// (the commit failed, the process died) it names nothing, and never another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Token(pub u64);

/// A SIP status 300–699; XMPP maps it to a stanza error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Status(u16);
impl Status {
    /// It is not what it should be.
    pub const BAD_REQUEST: Self = Status(400);
    /// Not from this sender.
    pub const FORBIDDEN: Self = Status(403);
    /// Nobody answered in time.
    pub const TIMEOUT: Self = Status(408);
    /// Longer than is accepted.
    pub const TOO_LARGE: Self = Status(413);
    /// Of a content type that can't be shown.
    pub const UNSUPPORTED_MEDIA: Self = Status(415);
    /// What is needed is not there now.
    pub const UNAVAILABLE: Self = Status(480);
    /// What Liblinphone answers to clear text where encryption is mandatory.
    pub const NOT_ACCEPTABLE: Self = Status(488);
    /// The engine failed.
    pub const INTERNAL: Self = Status(500);
    /// Anything outside 300–699 is [`Self::INTERNAL`].
    pub const fn new(code: u16) -> Self {
        if code >= 300 && code <= 699 { Status(code) } else { Self::INTERNAL }
    }
    /// The number.
    pub const fn code(self) -> u16 {
        self.0
    }
}

/// What an engine is told besides messages.
#[derive(Debug)]
#[non_exhaustive]
pub enum Notice {
    /// To an earlier [`Network::ask`].
    Answer(RequestId, Request, Result<Vec<Item>, RequestError>),
    /// The server pushed what somebody published.
    Published(Node, Option<Vec<u8>>),
    /// Connected; `resumed`: the same stream as before.
    Online {
        /// The same stream as before: nothing was missed.
        resumed: bool,
    },
    /// Archived messages are being read (prekeys are kept until it ends).
    CatchUp {
        /// `false`: it ended.
        running: bool,
    },
    /// A person decided about a device's key.
    TrustChanged(Device, Fingerprint, Trust),
    /// The time set with [`Network::wake_at`].
    Wake,
}
