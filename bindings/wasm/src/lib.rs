//! Records at rest in a browser: an [`AsyncStore`](subrosa_engine::AsyncStore) over IndexedDB, sealed by WebCrypto. One step of the
//! machine is one transaction, and what the application wants to keep goes with it. Works in a page, a worker and a shared worker.
//!
//! ```ignore
//! let database = Database::open("subrosa/alice@example.org").await?;
//! let mut store = match database.state().await? {
//!     State::Empty => database.create(None).await?,
//!     State::Open => database.unlock(None).await?,
//!     State::Sealed => database.unlock(Some(&passphrase)).await?,
//! };
//! store.stage("chat/bob@example.org", At::Number(1), Some(words)); // with the next commit, or with `flush`
//! let outputs = step.commit_async(&mut store).await?;              // on disk from here on
//! ```
//!
//! # What lies in the database
//! | object store | key | value |
//! |---|---|---|
//! | `meta` | `vault` | the data key: a `CryptoKey` that can't be exported, or wrapped under a passphrase |
//! | | `names` | the key of the names, sealed under the data key: also tells a right key from a wrong one |
//! | | `epoch` | a number, one greater each time the database is unlocked |
//! | `rows` | HMAC-SHA-256 of a name, 16 bytes | the machine's records, sealed |
//! | `items` | the same of a list's name, then a number or a name | the application's rows, sealed |
//!
//! Sealed is AES-256-GCM: 12 bytes of nonce, never used twice, then the ciphertext; the key of the row is authenticated with it, so
//! that a row put in another's place is noticed. Who can write to the disk can still bring back an older value of a row, see how
//! many rows there are and how long they are, and with a data key that is not under a passphrase run code that uses it.
//!
//! # Order
//! Read, run, seal, *then* open the transaction: a transaction ends by itself when something foreign is awaited while it is open, and
//! what was put before that would be half a step. So what writes takes bytes that are sealed and is not async. It reads the
//! epoch in the same transaction: who was frozen while another took over changes nothing when it wakes up.
#![cfg_attr(test, allow(clippy::arithmetic_side_effects, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used))]
#![cfg_attr(not(target_arch = "wasm32"), allow(dead_code, reason = "what only the browser uses"))]
#[cfg(target_arch = "wasm32")]
mod cipher;
#[cfg(target_arch = "wasm32")]
mod error;
#[cfg(target_arch = "wasm32")]
mod idb;
#[cfg(target_arch = "wasm32")]
mod js;
#[cfg(any(target_arch = "wasm32", test))]
mod names;
#[cfg(any(target_arch = "wasm32", test))]
mod pages;
#[cfg(target_arch = "wasm32")]
mod store;
#[cfg(target_arch = "wasm32")]
mod vault;

#[cfg(target_arch = "wasm32")]
pub use error::{Cause, StoreError};
#[cfg(target_arch = "wasm32")]
pub use store::{At, Database, IndexedDbStore, State};
