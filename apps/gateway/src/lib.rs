//! The server of the web messenger. It holds one XMPP session for each account, shared by all its browsers, and an archive of
//! stanzas; what is inside an encrypted one it can't read. It serves the page too.
//!
//! ```text
//! browsers ──[http]──► login: cookie            account::session ──subrosa_xmpp──► XMPP server
//! browsers ──[socket]──► commands ──────────────►     │
//!          ◄──────────── events (ring, SQL) ◄──────── db (SQLite, PostgreSQL)
//! ```
//!
//! [`Gateway::start`] runs one; the binary adds flags and signals. What browsers and gateway say is [`subrosa_web_api`].
#![forbid(unsafe_code)]
mod account;
mod app;
pub mod config;
mod db;
mod http;
mod metrics;
mod seal;
mod socket;

pub use app::{Gateway, StartError};

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Locks; what a thread that panicked left is taken as it is: nothing under these locks is ever half done.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
