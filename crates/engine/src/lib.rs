//! The vocabulary and the house rules. Knows no protocol, no transport, no clock.
//!
//! Two names to remember: an [`Engine`] turns one message into another (six hooks and a notice);
//! the [`Machine`] drives engines for one account and holds the rules that no engine may break.
//!
//! ```text
//! Input ─► Machine::begin ─► Step ─► commit(store) ─► Outputs        a failed or dropped Step never happened
//!                             │▲ missing()/supply()                  Outputs exist only after the commit
//!                             ▼│
//!                      Engine hooks over a Context (records, requests, trust, time, rng)
//! ```
mod address;
pub mod codec;
mod consent;
mod context;
mod error;
mod file;
mod hooks;
mod house;
mod io;
mod machine;
mod message;
mod reason;
mod records;
mod settings;
mod step;
mod store;
mod trust;
mod trustbook;
mod wire;

pub use address::{Address, ChatId, Device, DeviceId};
pub use consent::{ClearTextChoice, ClearTextQuestion, Policy};
pub use context::{Context, Network};
pub use error::{Coded, CommitError, Fault, Halt, RequestError};
pub use file::{FileCipher, FileInfo, FileKey};
pub use hooks::{Engine, Hook, Notice, Outcome, Pending, Status, Token};
pub use io::{Completion, Event, Input, Item, Keep, MessageId, Node, Output, OutputId, Outputs, Reply, Request, RequestId, Time};
pub use machine::{EngineId, Installed, Machine};
pub use message::{
    ContentType, Decrypted, DeviceReport, EmptyBody, Encrypted, Incoming, Kind, Outgoing, Part, Plaintext, Received, Recipients, Sender, Wire,
};
pub use reason::{Exclusion, Reason, Refusal};
pub use records::{Record, Records};
pub use settings::{Settings, TrustPolicy};
pub use step::Step;
pub use store::{AsyncStore, Batch, Key, MemoryStore, RowOf, Store, Write};
pub use trust::{Admission, Admitted, Fingerprint, Identity, Origin, Standing, Trust, VerifiedIdentity};
