//! Engines that need no devices, each for what it is good for:
//!
//! | | protects | to |
//! |---|---|---|
//! | [`Xor`] | no | try the hooks against a Linphone with the sample of its documentation |
//! | [`Base64`], [`Base64Later`] | no | do the same with Liblinphone's test engines, at once and on another thread |
//! | [`PresharedAead`] | AES-256-GCM | talk among people who gave each other a key |
//! | [`Closures`] | as you do | write an engine in three lines |
//!
//! [`by_name`] makes one from a word. Devices, key exchange and forward secrecy are in `subrosa-omemo`. How to write one with memory of
//! its own is in `docs/write-an-engine.md`; `subrosa-testkit` has the suite that all of these pass.
mod base64;
mod by_name;
mod closures;
mod completions;
mod cover;
mod hex;
mod preshared;
mod window;
mod xor;

pub use base64::{Base64, Base64Later};
pub use by_name::{NAMES, NameError, Named, by_name};
pub use closures::Closures;
pub use completions::{Completer, Completions, completions};
pub use preshared::{KeyError, PresharedAead};
pub use xor::{XOR_SAMPLE_KEY, Xor};

#[cfg(doctest)]
#[doc = include_str!("../../../docs/write-an-engine.md")]
mod the_page {}
