//! XMPP under the engine: stanzas to [`Input`]s, [`Output`]s to stanzas, and behind the feature `connection` a tokio connection
//! that carries them.
//!
//! ```
//! use subrosa_engine::{ChatId, Input, Recipients, Time};
//! use subrosa_xmpp::{Mapping, bare};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let mut mapping = Mapping::new(bare("alice@example.org")?, [], "any random text");
//! let stanza = "<message xmlns='jabber:client' from='bob@example.org/phone' id='1' type='chat'><body>hello</body></message>".parse()?;
//! let mapped = mapping.message(&stanza, Time(1_700_000_000_000));
//! let [Input::Receive { from, body, .. }] = mapped.inputs.as_slice() else { panic!() };
//! assert_eq!(from.as_str(), "bob@example.org");
//! assert!(String::from_utf8_lossy(body).ends_with(">hello</body>"));
//! # Ok(())
//! # }
//! ```
//!
//! [`Mapping`] does messages, [`content`] what they say, [`Archive`] those that were missed, [`Rooms`] those of many, [`Requests`] the
//! machine's requests, [`Contacts`] the contact list, [`Positions`] how far was read, [`Blocking`] who is kept away, [`Entity`] what
//! others may ask of us: no sockets, no clock.
//! `Connection` puts them on a stream. Nothing in here knows a key, a protocol of encryption, or a trust decision: payloads are
//! opaque elements and opaque nodes. What an application's engine makes travels in one element of our namespace
//! ([`Mapping::with_engines`]), and what it refuses as an error with its code ([`Refused`]).
//!
//! [`Input`]: subrosa_engine::Input
//! [`Output`]: subrosa_engine::Output
pub mod archive;
pub mod avatar;
mod blocking;
pub mod bookmarks;
#[cfg(feature = "connection")]
pub mod connection;
mod contacts;
pub mod content;
mod discovery;
mod engines;
mod entity;
mod mapping;
mod ns;
pub mod positions;
mod publishing;
pub mod receipts;
mod requests;
pub mod rooms;
mod stamp;
mod xml;

pub use archive::{Archive, Archived};
pub use blocking::{BlockChange, BlockNews, BlockTurn, Blocking};
#[cfg(feature = "connection")]
pub use connection::{Config, ConfigError, ConnectError, Connection, Handle, Happening, LeftOut, Mark, Pin, Roots, Security, State};
pub use contacts::{Contact, ContactChange, ContactNews, ContactTurn, Contacts, Subscription};
pub use discovery::{Abilities, Discovery};
pub use engines::{EngineElementError, Refused};
pub use entity::Entity;
pub use mapping::{AddressError, Bounce, Ids, Mapped, Mapping, StanzaId, Unreadable, bare};
pub use positions::{Position, Positions};
pub use requests::{Requests, Turn};
pub use rooms::Rooms;
pub use stamp::late;
pub use xml::{MAX_STANZA, StanzaError};
