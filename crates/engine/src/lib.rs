//! Pluggable end-to-end encryption: an application installs an [`Engine`] at run time, and every message goes through it.
//!
//! ```
//! use subrosa_engine::*;
//!
//! /// Protects from nobody: see `examples/xor.rs` and the `omemo` crate.
//! struct Rot13;
//! fn rot13(bytes: &[u8]) -> Vec<u8> {
//!     let turn = |b: u8, a: u8| (b - a + 13) % 26 + a;
//!     bytes.iter().map(|b| if b.is_ascii_lowercase() { turn(*b, b'a') } else { *b }).collect()
//! }
//! impl Engine for Rot13 {
//!     fn name(&self) -> &'static str {
//!         "rot13"
//!     }
//!     fn outgoing(&self, _: &mut Context<'_>, message: &Outgoing<'_>) -> Hook<Encrypted> {
//!         Ok(Outcome::Done(Encrypted::new(ContentType::TEXT, rot13(message.plain.bytes()))?))
//!     }
//!     fn incoming(&self, _: &mut Context<'_>, message: &Incoming<'_>) -> Hook<Decrypted> {
//!         Ok(Outcome::Done(Decrypted::new(Plaintext::new(ContentType::TEXT, rot13(message.body)))))
//!     }
//! }
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let mut machine = Machine::new("alice@example.org".into());
//! let rot13 = machine.install(Rot13);
//! machine.route(move |_chat| Some(rot13.id()));
//! let (mut store, mut rng) = (MemoryStore::default(), getrandom::rand_core::UnwrapErr(getrandom::SysRng));
//!
//! let mut step = machine.begin(Time(1_700_000_000_000), &mut rng);
//! step.feed(Input::Send {
//!     id: "1".into(),
//!     chat: ChatId("bob@example.org".into()),
//!     to: Recipients::People(vec!["bob@example.org".into()]),
//!     kind: Kind::Text,
//!     plain: Plaintext::text("hello"),
//!     headers: Headers::default(),
//! });
//! let mut outputs = step.commit(&mut store)?.into_iter(); // stored: now it may leave
//! let Some((id, Output::Transmit { wire: Wire::Encrypted(part), .. })) = outputs.next() else { panic!() };
//! assert_eq!(part.body, b"uryyb");
//!
//! let mut step = machine.begin(Time(1_700_000_000_500), &mut rng);
//! step.feed(Input::Done(id)); // the server has it: it does not come again after a restart
//! step.commit(&mut store)?;
//! # Ok(())
//! # }
//! ```
//!
//! Two names to remember: an [`Engine`] turns one message into another (six hooks and a notice);
//! the [`Machine`] drives engines for one account and holds the rules that no engine may break. The crate knows no protocol, no
//! transport, no clock.
//!
//! ```text
//! Input ─► Machine::begin ─► Step ─► commit(store) ─► Outputs        a failed or dropped Step never happened
//!                             │▲ missing rows                        Outputs exist only after the commit
//!                             ▼│
//!                      Engine hooks over a Context (records, requests, trust, time, rng)
//! ```
//!
//! # What a host does
//! 1. Begins a step, feeds all inputs that wait, commits it to a [`Store`]. After the start: a step, even an empty one, whose outputs are
//!    first those that an earlier process owed ([`Outputs::take_again`]).
//! 2. Does what the [`Outputs`] say. What is owed ([`Output::is_owed`]) it acknowledges with [`Input::Done`] when nothing can lose it any
//!    more: a stanza when the server has it, a message when the history has it. An [`OutputId`] is the same over restarts, so whoever
//!    stores it with the result does nothing twice. `Done` rides on the next commit.
//! 3. Answers [`Output::Request`]s with [`Input::Answer`]; while offline it does not answer, they come again with [`Input::Online`].
//! 4. Feeds [`Input::Tick`] at [`Machine::wake_at`].
mod address;
pub mod codec;
mod consent;
mod content;
mod context;
mod error;
mod file;
mod hooks;
mod house;
mod io;
mod machine;
mod message;
mod order;
mod reason;
mod records;
mod rooms;
mod rules;
mod settings;
mod step;
mod store;
#[cfg(test)]
mod tests;
mod trust;
mod trustbook;
mod wire;

pub use address::{Address, ChatId, Device, DeviceId};
pub use consent::{ClearTextChoice, ClearTextQuestion, Policy};
pub use content::{Content, Typing};
pub use context::{Context, Network};
pub use error::{Coded, CommitError, Fault, Halt, RequestError};
pub use file::{FileCipher, FileInfo, FileKey};
pub use hooks::{Engine, Hook, Notice, Outcome, Pending, Status, Token};
pub use io::{Completion, Event, Input, Item, Keep, MessageId, Node, Output, OutputId, Outputs, Reply, Request, RequestId, Time};
pub use machine::{EngineId, Installed, Machine};
pub use message::{
    ContentType, Decrypted, DeviceReport, EmptyBody, Encrypted, Headers, Incoming, Kind, Outgoing, Part, Plaintext, Received, Recipients, Room,
    Sender, Wire,
};
pub use order::{sorted, sorted_by_key};
pub use reason::{Exclusion, Omission, Reason, Refusal, Warning};
pub use records::{Record, Records};
pub use settings::{Settings, TrustPolicy};
pub use step::Step;
pub use store::{AsyncStore, Batch, Key, MemoryStore, RowOf, Store, Write};
pub use trust::{Admission, Admitted, Decider, Fingerprint, Identity, Origin, Standing, Trust, VerifiedIdentity};
