//! A file to an encrypted stream and back.
//!
//! ```
//! use subrosa_engine::{FileInfo, FileCipher};
//! use subrosa_files::{AesGcm, DiskSpool, Layout, Receiving, Sending};
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let mut rng = getrandom::rand_core::UnwrapErr(getrandom::SysRng);
//! # let directory = tempfile::tempdir()?;
//! # let directory = directory.path();
//! let file = FileInfo { name: "../notes.txt".into(), content_type: "text/plain".into(), size: 5, tag: None };
//! let key = Layout::AES256.generate(&mut rng);
//!
//! let mut wire = Vec::new();
//! let sending = Sending::new(file, Some(Box::new(AesGcm::upload(&key, Layout::AES256)?)));
//! let file = sending.chunk(b"he", &mut wire)?.chunk(b"llo", &mut wire)?.finish(&mut wire)?; // the tag is in it
//!
//! let receiving = Receiving::new(file, Some(Box::new(AesGcm::download(&key, Layout::AES256)?)), DiskSpool::new(directory)?);
//! let saved = receiving.chunk(&wire)?.finish()?.save()?; // the name exists from here on
//! assert_eq!(saved, directory.join("notes.txt"));
//! assert_eq!(std::fs::read(saved)?, b"hello");
//! # Ok(())
//! # }
//! ```
//!
//! [`Sending`] and [`Receiving`] drive any [`FileCipher`](subrosa_engine::FileCipher), which an engine made for this one transfer, and
//! hold it to its contract: one that takes more than it was offered, takes nothing for ever, refuses or panics ends its transfer at
//! once, with an error that says so. Both are given back by every call that succeeds and by none that fails, so that a failed transfer
//! can't be continued. [`Encrypting`] is [`Sending`] as a reader. [`AesGcm`] is the cipher for who has none of their own, [`gcm`] what
//! is in it.
//!
//! The crate knows no network, no message and no clock.
mod aes_gcm;
mod drive;
mod encrypting;
mod error;
pub mod gcm;
mod name;
mod receiving;
mod sending;
mod spool;

pub use aes_gcm::{AesGcm, Layout};
pub use encrypting::{Encrypting, Sent};
pub use error::{CipherError, ReceiveError, SendError, SpoolError};
pub use name::{FileName, NameError};
pub use receiving::{Receiving, Unsaved, VerifiedFile};
pub use sending::Sending;
pub use spool::{DiskSpool, Existing, Spool};
