//! SIP under the engine: MESSAGE and what travels in it, and behind the feature `connection` the sockets that carry it.
//!
//! Nothing in here knows a key or an encryption: bodies are opaque.
mod address;
#[cfg(feature = "connection")]
pub mod agent;
mod body;
mod composing;
#[cfg(feature = "connection")]
pub mod connection;
mod cpim;
#[cfg(feature = "connection")]
mod digest;
mod imdn;
mod inflate;
mod message;
mod offer;
#[cfg(feature = "connection")]
pub mod transfer;
mod xml;

pub use address::{AddressError, bare};
pub use body::BodyError;
pub use composing::Composing;
#[cfg(feature = "connection")]
pub use connection::{
    Config, ConfigError, Connection, Happening, Limits, Listen, RegisterError, Registration, Roots, StartError, Timeouts, Transport, Way,
};
pub use cpim::{Cpim, Wanted};
pub use imdn::{Fate, Imdn};
pub use inflate::inflated;
pub use message::{Answer, AnswerHandle, Arrived, Delivery, NotDelivered, SipMessage, Unsendable};
pub use offer::Offer;
pub use subrosa_engine::ContentType;
pub use xml::MAX_BODY;
