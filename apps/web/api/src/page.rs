//! Page and worker. A page is one tab; the worker is one for all tabs of a browser and outlives none of them for certain: a page that
//! loses it says [`ToWorker::Hello`] to the next one and repeats the calls that were not answered.
use crate::http::Browser;
use crate::{Failure, Jid, MessageId, Millis};
use serde::{Deserialize, Serialize};

/// From a page.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ToWorker {
    /// The first frame: answered by [`FromWorker::Told`] [`Told::Phase`] and all that follows from it; the page begins anew with it.
    Hello {
        /// [`crate::VERSION`].
        version: u32,
        /// Where the page lies, ending in `/`: `"https://chat.example.org/"`.
        site: String,
    },
    /// Do this; answered once by [`FromWorker::Reply`] with the same number.
    Call {
        /// The page's number for it.
        n: u32,
        /// What.
        call: Call,
    },
    /// A sign of life, answered by [`FromWorker::Alive`]: a worker that does not answer is replaced.
    Ping,
}

/// What a page can ask.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Call {
    /// Enter an account on this browser: makes a device. In [`Phase::SignedOut`] only. → [`Answer::Done`]
    SignIn {
        /// A bare address.
        jid: String,
        /// Of the XMPP account.
        password: String,
        /// Locks the keys of this browser; asked for at every start. `None`: they open by themselves.
        passphrase: Option<String>,
    },
    /// Log in again under the account that is here, when the gateway does not know the cookie any more. → [`Answer::Done`]
    LogIn {
        /// Of the XMPP account.
        password: String,
    },
    /// Open the keys. In [`Phase::Locked`] only. → [`Answer::Done`]
    Unlock {
        /// The passphrase.
        passphrase: String,
    },
    /// Leave: unpublish the device, log out, erase all that this browser has. → [`Answer::Done`]
    SignOut {
        /// Erase although the server can't be told (it stays on the device list then).
        even_offline: bool,
    },
    /// The newest messages of a chat, and from now on it is open in this tab. → [`Answer::History`]
    Open {
        /// Which.
        chat: Jid,
        /// How many messages at most.
        count: u32,
    },
    /// Older messages. → [`Answer::History`]
    History {
        /// Which chat.
        chat: Jid,
        /// Those before this one.
        before: Position,
        /// How many at most.
        count: u32,
    },
    /// Send words. → [`Answer::Done`] when they are stored; the rest by [`Told::Message`]. The same call, encrypted or clear.
    Send {
        /// A new random id: 1 to 64 characters of `[a-z0-9-]`.
        id: MessageId,
        /// To whom.
        chat: Jid,
        /// 1 to [`crate::MAX_TEXT`] bytes.
        text: String,
    },
    /// Try a failed one again. → [`Answer::Done`]
    Retry {
        /// Which.
        id: MessageId,
    },
    /// Delete a failed one. → [`Answer::Done`]
    Discard {
        /// Which.
        id: MessageId,
    },
    /// A person confirmed: this chat may go in clear from now on. Only after a message of it failed with [`State::Failed`]
    /// `may_clear`; sends that message. → [`Answer::Done`]
    AllowClear {
        /// The failed message.
        id: MessageId,
    },
    /// This chat is encrypted or nothing again. → [`Answer::Done`]
    RequireEncryption {
        /// Which.
        chat: Jid,
    },
    /// The devices of somebody, fetched anew; of oneself with the own address. → [`Answer::Devices`]
    Devices {
        /// Whose.
        jid: Jid,
    },
    /// A person decided about a device's key. → [`Answer::Devices`]
    SetTrust {
        /// Whose device.
        jid: Jid,
        /// Its id.
        device: u32,
        /// 64 hex digits: exactly the key the person saw.
        fingerprint: String,
        /// What it is worth.
        trust: Trust,
    },
    /// A banner was read. → [`Answer::Done`]
    Dismiss {
        /// Which.
        banner: u64,
    },
    /// All of a chat was read. → [`Answer::Done`]
    Read {
        /// Which.
        chat: Jid,
    },
    /// → [`Answer::Done`]; the change comes by [`Told::Chat`].
    AddContact {
        /// Whom: checked and normalised.
        jid: String,
        /// What to call them.
        name: String,
    },
    /// Yes to a request. → [`Answer::Done`]
    AcceptContact {
        /// Whose.
        jid: Jid,
    },
    /// No to a request. → [`Answer::Done`]
    DeclineContact {
        /// Whose.
        jid: Jid,
    },
    /// Off the list; the history stays. → [`Answer::Done`]
    RemoveContact {
        /// Whom.
        jid: Jid,
    },
    /// → [`Answer::Browsers`]
    Browsers,
    /// → [`Answer::Browsers`]
    Revoke {
        /// Which.
        browser: u64,
    },
    /// Try to reach the gateway and the server now. → [`Answer::Done`]
    ConnectNow,
}
/// Its name only: calls carry words and passwords.
impl std::fmt::Debug for Call {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Call::SignIn { .. } => "SignIn",
            Call::LogIn { .. } => "LogIn",
            Call::Unlock { .. } => "Unlock",
            Call::SignOut { .. } => "SignOut",
            Call::Open { .. } => "Open",
            Call::History { .. } => "History",
            Call::Send { .. } => "Send",
            Call::Retry { .. } => "Retry",
            Call::Discard { .. } => "Discard",
            Call::AllowClear { .. } => "AllowClear",
            Call::RequireEncryption { .. } => "RequireEncryption",
            Call::Devices { .. } => "Devices",
            Call::SetTrust { .. } => "SetTrust",
            Call::Dismiss { .. } => "Dismiss",
            Call::Read { .. } => "Read",
            Call::AddContact { .. } => "AddContact",
            Call::AcceptContact { .. } => "AcceptContact",
            Call::DeclineContact { .. } => "DeclineContact",
            Call::RemoveContact { .. } => "RemoveContact",
            Call::Browsers => "Browsers",
            Call::Revoke { .. } => "Revoke",
            Call::ConnectNow => "ConnectNow",
        })
    }
}

/// What a call gives.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Answer {
    /// It is done and stored.
    Done,
    /// Messages of a chat, the oldest first.
    History {
        /// At most as many as were asked for.
        messages: Vec<Message>,
        /// There are older ones.
        more: bool,
    },
    /// Devices, listed ones first.
    Devices(Vec<Device>),
    /// The account's browsers.
    Browsers(Vec<Browser>),
}

/// From the worker.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum FromWorker {
    /// To a [`ToWorker::Call`].
    Reply {
        /// The page's number.
        n: u32,
        /// How it went.
        result: Result<Answer, Failure>,
    },
    /// Something is new.
    Told(Told),
    /// To [`ToWorker::Ping`].
    Alive,
    /// The worker is of another version: reload.
    WrongVersion,
}

/// What is true now. Each replaces what was told before under the same key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Told {
    /// Where the engine is. In [`Phase::Ready`] a [`Told::Link`] and one [`Told::Chats`] follow.
    Phase(Phase),
    /// How far the way out is open.
    Link(Link),
    /// All chats.
    Chats(Vec<Chat>),
    /// One chat is new or changed. Key: `jid`.
    Chat(Chat),
    /// A message is new or changed (its text never changes). Key: `id` within `chat`; its [`Position`] may change.
    Message(Message),
    /// A failed message was discarded.
    Discarded {
        /// Its chat.
        chat: Jid,
        /// Which.
        id: MessageId,
    },
    /// All banners that nobody dismissed.
    Banners(Vec<Banner>),
    /// Something is wrong with this browser: storage full, storage lost, clock wrong. Stays until it is `None`.
    Trouble(Option<Failure>),
}

/// Where the engine is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Phase {
    /// It starts.
    Loading,
    /// No account on this browser.
    SignedOut,
    /// There is one, and its keys wait for the passphrase.
    Locked {
        /// The account.
        jid: Jid,
    },
    /// It can decrypt and show, even without the gateway.
    Ready(Me),
    /// It can't go on: the reason says what to do. Reload, or sign out.
    Broken(Failure),
}
/// This device.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Me {
    /// The account.
    pub jid: Jid,
    /// Its OMEMO device id; 0 until it joined.
    pub device: u32,
    /// 64 hex digits; empty until it joined.
    pub fingerprint: String,
    /// A passphrase locks the keys.
    pub has_passphrase: bool,
}

/// The way out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Link {
    /// To gateway and XMPP server, and the keys are published.
    Online,
    /// On its way.
    Connecting,
    /// The gateway can't be reached. Messages wait.
    NoGateway(Failure),
    /// The gateway is there, the XMPP server is not. Messages wait.
    NoServer(Failure),
    /// The gateway does not know this browser any more: [`Call::LogIn`].
    LoggedOut(Failure),
    /// The gateway is of another version: reload.
    WrongVersion,
}

/// A chat, and its contact. With [`Standing::Gone`](crate::socket::Standing::Gone) and nothing ever said it is to be taken off the list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Chat {
    /// With whom.
    pub jid: Jid,
    /// What the account calls them; may be empty.
    pub name: String,
    /// How it is with them.
    pub standing: crate::socket::Standing,
    /// Messages of theirs nobody has read, in any browser of the account.
    pub unread: u32,
    /// When something was last said; 0: never.
    pub last_at: Millis,
    /// The last words, cut to 100 characters; empty: none that can be shown.
    pub last_text: String,
    /// What happens to words that are sent now.
    pub lock: Lock,
}
/// What happens to words sent in a chat.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Lock {
    /// Encrypted, or not sent.
    Encrypted,
    /// A person allowed clear text here: encrypted where it can be, else in clear.
    ClearAllowed,
}

/// The order of messages in a chat. Opaque, but for its order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Position(pub u64);

/// One message.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// Names it in its chat.
    pub id: MessageId,
    /// Its chat.
    pub chat: Jid,
    /// Its place.
    pub position: Position,
    /// The account itself wrote it, here or elsewhere.
    pub own: bool,
    /// When.
    pub at: Millis,
    /// What it says.
    pub content: Content,
    /// How far it is. [`State::Here`] for what came.
    pub state: State,
    /// How it was protected.
    pub protection: Protection,
}
/// Never the words.
impl std::fmt::Debug for Message {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Message").field("id", &self.id).field("position", &self.position).field("state", &self.state).finish_non_exhaustive()
    }
}
/// What a message says.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Content {
    /// Words. Show them as text, whatever they look like.
    Text(String),
    /// It could not be decrypted. Not tried again by itself.
    Undecryptable(Failure),
}
impl std::fmt::Debug for Content {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Content::Text(text) => write!(f, "Text({} bytes)", text.len()),
            Content::Undecryptable(why) => write!(f, "Undecryptable({})", why.code),
        }
    }
}
/// How far a message is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum State {
    /// It came, or another browser of the account sent it.
    Here,
    /// On its way out of this browser.
    Sending,
    /// It waits: for keys, for the gateway.
    Waiting(Failure),
    /// The XMPP server has it.
    Sent,
    /// A device of the contact has it.
    Delivered,
    /// It did not leave, or came back.
    Failed {
        /// Why, and what to do.
        why: Failure,
        /// [`Call::AllowClear`] is what a person may choose.
        may_clear: bool,
    },
}
/// How a message was or will be protected.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Protection {
    /// Not known yet: it waits.
    None,
    /// By the engine. For what came: by which device, and what its key was worth then.
    Encrypted {
        /// `"omemo:2"`, `"omemo:legacy"`; empty where several.
        protocol: String,
        /// The sending device; 0 for what was sent here.
        device: u32,
        /// What its key was worth.
        trust: Trust,
        /// What was sent here: who can't read it, and why.
        left_out: Vec<LeftOut>,
    },
    /// Not at all. Show it so.
    Clear,
}
/// A device that can't read a message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeftOut {
    /// Whose.
    pub jid: Jid,
    /// Its id.
    pub device: u32,
    /// Why, in a sentence.
    pub why: Failure,
}

/// What a key is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Trust {
    /// A person said no.
    Untrusted,
    /// Nobody said anything.
    Undecided,
    /// Blindly, or by a person without comparing.
    Trusted,
    /// A person compared it.
    Verified,
}
/// One OMEMO device.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Device {
    /// Whose.
    pub jid: Jid,
    /// Its id.
    pub id: u32,
    /// 64 hex digits; empty: its key was not seen yet.
    pub fingerprint: String,
    /// What the key is worth.
    pub trust: Trust,
    /// What its owner calls it; may be empty.
    pub label: String,
    /// It is on its owner's list. Messages go to these only.
    pub listed: bool,
    /// It is this one.
    pub this_device: bool,
    /// When something of it was last decrypted; 0: never.
    pub last_heard: Millis,
    /// The versions it speaks.
    pub versions: Vec<String>,
}

/// Something about keys that a person has to see.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Banner {
    /// For [`Call::Dismiss`].
    pub id: u64,
    /// Whose device.
    pub jid: Jid,
    /// Its id.
    pub device: u32,
    /// The key it shows.
    pub fingerprint: String,
    /// What happened.
    pub kind: BannerKind,
}
/// What happened to a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum BannerKind {
    /// A contact has a new device; it is worth this.
    NewDevice(Trust),
    /// The own account has a new device; it gets nothing until approved.
    NewOwnDevice(Trust),
    /// A known device shows another key: refused until a person decides.
    KeyChanged,
}
