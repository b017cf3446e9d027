//! Records at rest: a [`Store`](subrosa_engine::Store) over SQLite, sealed by SQLCipher. One step of the machine is one transaction;
//! one process at a time has the database; old databases are brought up to date when they are opened.
//!
//! ```
//! # let directory = tempfile::tempdir().unwrap();
//! # let data = directory.path();
//! use subrosa_engine::{Input, Machine, Time};
//! use subrosa_store::{SqliteStore, StoreKey};
//! # let mut rng = subrosa_testkit::Seeded::new(1); // the operating system's, outside tests
//!
//! let key = StoreKey::load_or_create(&data.join("store.key"), &mut rng).unwrap();
//! let mut store = SqliteStore::open(data.join("store.db"), &key).unwrap();
//!
//! let mut machine = Machine::new("alice@example.org".into());
//! let mut step = machine.begin(Time(0), &mut rng);
//! step.feed(Input::Online { resumed: false });
//! let outputs = step.commit(&mut store).unwrap(); // on disk from here on
//! # drop(outputs);
//!
//! let second = SqliteStore::open(data.join("store.db"), &key).unwrap_err();
//! assert!(second.to_string().ends_with(&format!("is in use by process {}: stop that one first", std::process::id())));
//! ```
mod error;
mod key;
mod lock;
mod schema;
mod sqlite;

pub use error::{Cause, OpenError, StoreError};
pub use key::{KeyFileError, StoreKey};
pub use sqlite::SqliteStore;
