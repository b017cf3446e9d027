//! What other programs do that no specification says, or otherwise than it says: each has a test that names the program, and
//! docs/omemo-rules.md lists them all. The programs themselves are asked in testing/interop; here one of their habits at a time is
//! played by [`puppet::Puppet`].
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, clippy::arithmetic_side_effects)]
#[path = "../common/mod.rs"]
mod common;
mod legacy;
mod omemo2;
mod puppet;
