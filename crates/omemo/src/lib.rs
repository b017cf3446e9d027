//! To be written.
pub mod payload;
pub mod wire;
