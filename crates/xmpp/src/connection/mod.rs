//! A connection that stays: it logs in, keeps what is to be sent until the server has it, resumes or comes back after every
//! cut, and maps stanzas on the way.
//!
//! ```no_run
//! use subrosa_engine::{Input, Output, OutputId};
//! use subrosa_xmpp::{Config, Connection, Entity, Happening, State};
//!
//! # async fn host(mut step: impl FnMut(Vec<Input>) -> Vec<(OutputId, Output)>) -> Result<(), Box<dyn std::error::Error>> {
//! let me = Entity::client("console", "Example", "1.0", "https://example.org").with_notify("urn:xmpp:omemo:2:devices");
//! let mut config = Config::new("alice@example.org", "secret", me)?;
//! config.pin = None; // what `Happening::Pinned` gave before
//! let (handle, mut happenings) = Connection::start(config);
//!
//! for (id, output) in step(vec![]) {
//!     handle.put(id, output); // what an earlier process owed
//! }
//! while let Some(happening) = happenings.recv().await {
//!     let (inputs, mark) = match happening {
//!         Happening::Received { inputs, mark, .. } => (inputs, Some(mark)),
//!         Happening::Input(input) => (vec![input], None),
//!         Happening::Acknowledged(id) => (vec![Input::Done(id)], None),
//!         Happening::Pinned(pin) => { /* store pin.to_string() */ continue }
//!         Happening::State(State::Failed(why)) => return Err(why.into()),
//!         _ => continue,
//!     };
//!     let outputs = step(inputs); // feeds and commits
//!     if let Some(mark) = mark {
//!         handle.handled(mark); // only now may the server forget it
//!     }
//!     for (id, output) in outputs {
//!         handle.put(id, output);
//!     }
//! }
//! # Ok(())
//! # }
//! ```
//!
//! # What is kept
//! [`Handle::put`] takes an `Output::Transmit` for good: it is sent, on a new stream sent again, until [`Happening::Acknowledged`]. A copy
//! that crosses a cut has the same id and the same bytes, and the recipient's engine drops it as a duplicate. An
//! `Output::Request` is asked on the present stream; on a new one ([`State::Online`] without `resumed`) the machine gives all that are
//! open again, so those are dropped here. Typing notices are dropped while offline.
//!
//! Incoming stanzas are acknowledged to the server (XEP-0198 §4) up to the last [`Handle::handled`]: what the process had not
//! stored when it died, the server delivers again. Give a stable [`Config::resource`], so that it does so at once. Prosody 0.12 does
//! so only if no other device of the account is online; beside another one it sends them back to their senders as
//! `recipient-unavailable`, because resumption (XEP-0198 §5) is within one process here.
//!
//! A server without XEP-0198 acknowledges nothing; there, the answer to a ping that was sent after the stanza counts as the
//! acknowledgement, because a server handles a stream's stanzas in order (RFC 6120 §10.1).
//!
//! # What is left out
//! A stanza over 256 KiB, too deep, or not well-formed is left out as it arrives and told ([`Happening::LeftOut`]). To the server it counts as handled:
//! whatever a contact writes, the stream goes on, and no stanza comes again for ever. The contact list may have 4 MiB; over that,
//! [`Happening::Contacts`] is not told.
//!
//! # Logs
//! No stanza and no byte of the stream is logged.
mod check;
mod error;
mod frame;
#[doc(hidden)]
pub mod fuzz;
mod management;
mod net;
mod pin;
mod scan;
mod scram;
mod stream;
mod task;

pub use error::{ConfigError, ConnectError};
pub use pin::{Binding, Mechanism, Pin, PinError};

use crate::archive::{ArchiveError, Finished, Query};
use crate::bookmarks::{Bookmark, BookmarkNews};
use crate::positions::{Position, PositionNews};
use crate::rooms::{RoomNews, RoomTurn, Rooms};
use crate::xml::StanzaError;
use crate::{Abilities, BlockChange, BlockNews, Bounce, Contact, ContactChange, EngineElementError, Entity, Ids, bare};
use std::time::Duration;
use subrosa_engine::{Address, Input, Output, OutputId, Time};
use tokio::sync::mpsc;
use zeroize::Zeroizing;

/// Happenings that wait for the host; then nothing more is read from the server.
const BACKLOG: usize = 256;

/// How the way to the server is protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Security {
    /// TLS: at once where the domain names such a port (XEP-0368), else by STARTTLS. Never without.
    #[default]
    Tls,
    /// TLS at once, to [`Config::host`].
    DirectTls,
    /// None. To this machine only (`127.0.0.0/8`, `::1`); anything else is [`ConnectError::NotLoopback`].
    ClearLoopback,
}
/// Whose signature under the server's certificate counts.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Roots {
    /// Those that the system trusts.
    #[default]
    System,
    /// These and no others: certificates in PEM.
    Pem(Vec<u8>),
}

/// How to reach and enter an account.
#[derive(Clone)]
#[non_exhaustive]
pub struct Config {
    account: Address,
    password: Zeroizing<String>,
    entity: Entity,
    /// The strongest way of logging in that this account has shown; nothing weaker is used again.
    pub pin: Option<Pin>,
    /// Host and port instead of what the domain names in DNS. The certificate is checked for the domain all the same.
    pub host: Option<(String, u16)>,
    /// How the way is protected.
    pub security: Security,
    /// Whose certificates count.
    pub roots: Roots,
    /// The resource to ask for; `None`: the server's choice. A stable one, used by no other program, lets the server hand over at
    /// once what a process that died had not stored.
    pub resource: Option<String>,
    /// Messages of applications' engines are opened: the machine is given their content type and bytes. `false`: they are stanzas like
    /// any other, which is right where OMEMO is the only engine.
    pub engines: bool,
    /// Rooms are entered, kept and left ([`Handle::rooms`]), and the server is asked what it can ([`Happening::Abilities`]), who is
    /// blocked and how far was read. A message to a room that nobody has joined waits until [`Rooms::complete`], and is bounced then. `false`:
    /// what comes of rooms are messages like any other.
    pub rooms: bool,
    /// How long one attempt to connect and log in may take.
    pub connect_timeout: Duration,
    /// After so long without a word from the server it is asked for one.
    pub keepalive: Duration,
    /// After so long without an answer the connection is given up.
    pub response_timeout: Duration,
    /// The first pause after a failed attempt; doubles, with jitter, up to [`Config::retry_at_most`]. A stream that was lost is
    /// tried again at once.
    pub retry: Duration,
    /// The longest pause.
    pub retry_at_most: Duration,
}
impl Config {
    /// An account with what the network names for it. A resource in `account` is taken as [`Config::resource`].
    ///
    /// # Errors
    /// [`ConfigError`]: no address with a local part, or a password that can't be one.
    pub fn new(account: &str, password: &str, entity: Entity) -> Result<Self, ConfigError> {
        let address = bare(account)?;
        if !address.as_str().contains('@') {
            return Err(crate::AddressError(account.into()).into());
        }
        let resource = jid::Jid::new(account).ok().and_then(|jid| jid.resource().map(|r| r.as_str().to_owned()));
        let password = Zeroizing::new(stringprep::saslprep(password).map_err(|_| ConfigError::Password)?.into_owned());
        Ok(Config {
            account: address,
            password,
            entity,
            pin: None,
            host: None,
            security: Security::Tls,
            roots: Roots::System,
            resource,
            engines: false,
            rooms: false,
            connect_timeout: Duration::from_secs(30),
            keepalive: Duration::from_secs(60),
            response_timeout: Duration::from_secs(20),
            retry: Duration::from_secs(1),
            retry_at_most: Duration::from_secs(60),
        })
    }
    /// The account, bare and normalised.
    pub fn account(&self) -> &Address {
        &self.account
    }
}
impl std::fmt::Debug for Config {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Config").field("account", &self.account).field("host", &self.host).field("security", &self.security).finish_non_exhaustive()
    }
}

/// Names a received stanza to [`Handle::handled`]. Grows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Mark(pub(crate) u64);

/// How the connection is.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum State {
    /// An attempt began.
    Connecting,
    /// Logged in.
    Online {
        /// The same stream as before: nothing was missed (XEP-0198 §5).
        resumed: bool,
    },
    /// Not connected; it is tried again by itself.
    Offline {
        /// Why.
        why: ConnectError,
        /// When the next attempt begins, from now. [`Handle::connect_now`] does not wait so long.
        retry: Duration,
    },
    /// Not connected, and it is not tried again: a person has to look. The last happening.
    Failed(ConnectError),
    /// Closed by [`Handle::close`]. The last happening.
    Closed,
}

/// Why a stanza that came was left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum LeftOut {
    /// Over 256 KiB, nested deeper than 64, or of more than 20,000 elements.
    #[error("it is larger than 256 KiB or nested too deeply")]
    TooLarge,
    /// Not well-formed XML, or with what XMPP forbids (RFC 6120 §11.1).
    #[error("it is not well-formed XML")]
    Malformed,
    /// For an engine, and not as engines write. A contact was told.
    #[error("{0}")]
    Engine(EngineElementError),
}

/// What the connection tells its host.
#[derive(Debug)]
#[non_exhaustive]
pub enum Happening {
    /// It changed.
    State(State),
    /// For the machine; when the step is stored, say [`Handle::handled`].
    Received {
        /// In this order.
        inputs: Vec<Input>,
        /// Which ids the message has that is in `inputs`, or was reflected by its room.
        ids: Ids,
        /// What it says of rooms.
        news: Vec<RoomNews>,
        /// Names the stanza.
        mark: Mark,
    },
    /// For the machine: an answer, [`Input::Online`].
    Input(Input),
    /// Rooms have news, or something for the machine.
    Rooms {
        /// In this order.
        news: Vec<RoomNews>,
        /// For the machine, in this order.
        inputs: Vec<Input>,
    },
    /// A message out of an archive that was asked for ([`Handle::archive`]). The page it is in can be asked for again: nothing is to be
    /// acknowledged.
    Archived {
        /// For the machine, as if it came now.
        inputs: Vec<Input>,
        /// Its ids.
        ids: Ids,
        /// What it says of its room.
        news: Vec<RoomNews>,
    },
    /// The page that was asked for is over, all its messages were told. None comes on a new stream for what was asked on the one before.
    Page {
        /// Whose archive.
        by: Address,
        /// How it went, and what to ask for next.
        page: Result<Finished, ArchiveError>,
    },
    /// Up to where the account has read its chats: all once on every new stream, with [`Config::rooms`], then each that moves, where the
    /// [`Entity`] wants to be told of [`crate::positions::NODE`].
    Position(PositionNews),
    /// Who is blocked: all once on every new stream, with [`Config::rooms`], then each change.
    Blocking(BlockNews),
    /// Which rooms the account is in: all once on every new stream, then changes of any device (of others' only with
    /// [`Entity::with_notify`] of [`crate::bookmarks::NODE`]). With [`Config::rooms`].
    Bookmarks(BookmarkNews),
    /// What the server can: once on every new stream, with [`Config::rooms`].
    Abilities(Abilities),
    /// The server has the stanza of this output, or nothing is to be sent for it: `Input::Done`.
    Acknowledged(OutputId),
    /// It can never be sent: `Input::Done`, and tell the person.
    Unsendable(OutputId, StanzaError),
    /// A stanza came that can't be taken. Nothing is to be done; a person may want to know.
    LeftOut {
        /// `message`, `presence` or `iq`.
        stanza: &'static str,
        /// Who sent it, where that could be read.
        from: Option<Address>,
        /// Why.
        why: LeftOut,
    },
    /// A message of ours came back.
    Bounced(Bounce),
    /// Somebody asks to see our presence (RFC 6121 §3.1). Nothing was answered. Asked again on every new stream, until
    /// [`ContactChange::Accept`] or [`ContactChange::Decline`].
    Subscription(Address),
    /// The contact list, whole: once on every new stream.
    Contacts(Vec<Contact>),
    /// One contact is new, changed or gone.
    Contact(Contact),
    /// A [`Handle::contact`] did not work.
    ContactRefused {
        /// Whom it was about.
        address: Address,
        /// The condition of RFC 6120 §8.3.3: `"remote-server-not-found"`; `"resource-constraint"` also for too many at once.
        condition: String,
    },
    /// A stronger way of logging in than [`Config::pin`]: store it.
    Pinned(Pin),
}

/// Commands to the connection's task.
enum Command {
    Put(OutputId, Box<Output>),
    Handled(Mark),
    Contact(Box<ContactChange>),
    Rooms(RoomAct),
    Archive(Address, Query),
    Position(Box<Position>),
    Block(BlockChange),
    Bookmark(Result<Bookmark, Address>),
    ConnectNow,
    Close,
}

/// What is to be done about rooms.
type Act = dyn FnOnce(&mut Rooms, Time) -> RoomTurn + Send;
struct RoomAct(Box<Act>);

/// The way to a [`Connection`]'s task. Cheap to clone; any thread. When all are dropped the connection closes.
#[derive(Clone, Debug)]
pub struct Handle {
    commands: mpsc::UnboundedSender<Command>,
}
impl Handle {
    /// Takes an output of the machine: `Transmit`, `Refuse`, `Request`. Never blocks: how much waits here is what the machine owes
    /// and has in flight. The same id again, while it is here, is ignored. Others than these three are ignored.
    ///
    /// A `Refuse` becomes an error to contacts who see our presence; to others it would say that somebody is here, so that nothing is
    /// sent, as where nobody waits for an answer (copies, what came before a restart). Both are acknowledged.
    pub fn put(&self, id: OutputId, output: Output) {
        let _ = self.commands.send(Command::Put(id, Box::new(output)));
    }
    /// Everything up to this mark is stored: the server may forget it.
    pub fn handled(&self, mark: Mark) {
        let _ = self.commands.send(Command::Handled(mark));
    }
    /// Changes the contact list, on this stream or the next one. What comes of it is told as [`Happening::Contact`], what does not
    /// work as [`Happening::ContactRefused`]. Kept in memory only: a change is lost with the process.
    pub fn contact(&self, change: ContactChange) {
        let _ = self.commands.send(Command::Contact(Box::new(change)));
    }
    /// Does something about rooms, on this stream: `handle.rooms(move |rooms, now| rooms.join(&room, "alice", None, None, now))`. What comes of
    /// it is told as news. Rooms that were entered are entered again on every new stream; everything else that is not answered
    /// when a stream ends is lost with it. Only with [`Config::rooms`].
    pub fn rooms(&self, act: impl FnOnce(&mut Rooms, Time) -> RoomTurn + Send + 'static) {
        let _ = self.commands.send(Command::Rooms(RoomAct(Box::new(act))));
    }
    /// Asks an archive for a page: that of the account, by its address, or a room's. [`Happening::Archived`] for each of its messages, then
    /// [`Happening::Page`]. One page of an archive at a time: a further question gives the one before up.
    pub fn archive(&self, by: Address, query: Query) {
        let _ = self.commands.send(Command::Archive(by, query));
    }
    /// Tells the account's other devices up to where a chat was read, on this stream or the next one; what comes of it is
    /// [`Happening::Position`]. Kept in memory only. Only with [`Config::rooms`].
    pub fn position(&self, position: Position) {
        let _ = self.commands.send(Command::Position(Box::new(position)));
    }
    /// Changes who is blocked, on this stream or the next one; what comes of it is [`Happening::Blocking`]. Kept in memory only. Only with
    /// [`Config::rooms`].
    pub fn block(&self, change: BlockChange) {
        let _ = self.commands.send(Command::Block(change));
    }
    /// The account is in this room, on all its devices, on this stream or the next one; what comes of it is [`Happening::Bookmarks`]. `Err`: in
    /// that room no more. Kept in memory only. Only with [`Config::rooms`].
    pub fn bookmark(&self, change: Result<Bookmark, Address>) {
        let _ = self.commands.send(Command::Bookmark(change));
    }
    /// Tries now rather than when the pause is over.
    pub fn connect_now(&self) {
        let _ = self.commands.send(Command::ConnectNow);
    }
    /// Says goodbye to the server and ends; [`State::Closed`] follows, then the channel ends. What is not acknowledged stays owed.
    pub fn close(&self) {
        let _ = self.commands.send(Command::Close);
    }
}

/// Starts connections.
#[derive(Debug)]
pub struct Connection;
impl Connection {
    /// Connects, in a task of the present tokio runtime (any flavour), and stays so. Read the happenings: when many wait, nothing more is
    /// read from the server.
    pub fn start(config: Config) -> (Handle, mpsc::Receiver<Happening>) {
        let (commands, inbox) = mpsc::unbounded_channel();
        let (happenings, outbox) = mpsc::channel(BACKLOG);
        tokio::spawn(task::run(config, inbox, happenings));
        (Handle { commands }, outbox)
    }
    /// Whether the server takes this password: logs in and leaves at once, with a resource of the server's choice and without presence, so that
    /// nothing that waits for the account comes this way. Says how it logged in.
    ///
    /// # Errors
    /// [`ConnectError`]: not now, or not at all. It is not tried again.
    pub async fn check(config: Config) -> Result<Pin, ConnectError> {
        check::check(config).await
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn config(account: &str, password: &str) -> Result<Config, ConfigError> {
        Config::new(account, password, Entity::client("bot", "n", "v", "urn:u"))
    }

    #[test]
    fn passwords_are_not_shown() {
        let config = config("alice@example.org", "hunter2-secret").unwrap();
        assert!(!format!("{config:?} {config:#?}").contains("hunter2"));
    }

    #[test]
    fn accounts_are_normalised_and_checked() {
        let alice = config("Alice@Example.ORG/phone", "p").unwrap();
        assert_eq!((alice.account().as_str(), alice.resource.as_deref()), ("alice@example.org", Some("phone")));
        for bad in ["", "example.org", "a@b@c", "@x"] {
            assert!(matches!(config(bad, "p"), Err(ConfigError::Address(_))), "{bad}");
        }
        assert_eq!(config("a@x", "\u{7}").err(), Some(ConfigError::Password));
        // RFC 4013 §2: compatibility forms are the same password
        assert_eq!(config("a@x", "\u{2168}").unwrap().password.as_str(), "IX");
    }
}
