//! SIP MESSAGE to inputs and outputs, and a connection that carries them.
mod address;
mod body;
mod composing;
mod cpim;
mod imdn;
mod inflate;
mod offer;
mod xml;

pub use address::{AddressError, bare};
pub use body::BodyError;
pub use composing::Composing;
pub use cpim::{Cpim, Wanted};
pub use imdn::{Fate, Imdn};
pub use inflate::inflated;
pub use offer::Offer;
pub use xml::MAX_BODY;
