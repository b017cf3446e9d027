//! OMEMO (XEP-0384) in both namespaces, as one [`subrosa_engine::Engine`] among others. Knows no store and no transport.
mod directory;
mod engine;
mod handle;
mod incoming;
mod join;
mod outgoing;
pub mod payload;
mod random;
mod records;
pub mod wire;

pub use engine::Omemo;
pub use handle::{DeviceInfo, ReplaceError};
