//! OMEMO (XEP-0384) in both namespaces, as one [`subrosa_engine::Engine`] among others. Knows no store and no transport.
//!
//! ```
//! use subrosa_engine::Machine;
//! use subrosa_omemo::Omemo;
//! use subrosa_testkit::World; // a server and the network, in memory
//!
//! let install = |machine: &mut Machine| {
//!     let omemo = machine.install(Omemo::default());
//!     machine.route(move |_chat| Some(omemo.id()));
//!     omemo
//! };
//! let mut world = World::new(7);
//! let alice = world.join("alice@example.org", install);
//! let bob = world.join("bob@example.org", install);
//! world.run(); // both publish their keys
//!
//! world.send(alice, "bob@example.org", "hello");
//! world.run();
//! assert_eq!(world.client(bob).texts(), [("alice@example.org".into(), "hello".into())]);
//! assert!(!world.server.saw(b"hello"));
//! ```
//!
//! What happens in it, module by module:
//!
//! | | |
//! |---|---|
//! | `join` | a device joins the account and stays published: its bundle, then its place on the list |
//! | `memory` | whether the store was put back from a copy: then no key of it is used again |
//! | `heal` | lost sessions are set up again, within limits |
//! | `directory` | who has which devices: lists and bundles, learned from pushes and answers |
//! | `outgoing` | one message to all devices that may read it, omemo:2 where a device has it |
//! | `incoming` | one message from one device, and what it asks for in return |
//! | `opt_out` | who will not be sent encrypted messages any more, until a person says how to go on |
//! | `atm` | what a person decides about keys travels between verified devices |
//! | `handle` | what a client can ask beyond messages: [`Omemo::devices`], [`Omemo::replace_session`] … |
//! | [`uri`], `verify` | keys as links and QR codes, and what follows when one is read |
//! | `own` | what a person does with their own devices: names, takes off |
//! | `import` | an identity that another program had |
//! | `records` | all that is remembered |
//! | [`wire`], [`payload`] | XML in both namespaces, and the ciphers of what is in a message |
//!
//! The double ratchet is [`subrosa_ratchet`]'s; who may get a key is decided by [`subrosa_engine::Context::admit`]; requests, retries
//! and what is owed after a crash are the machine's.
mod atm;
mod directory;
mod engine;
mod handle;
mod heal;
mod import;
mod incoming;
mod join;
mod leave;
mod memory;
mod opt_out;
mod outgoing;
mod own;
pub mod payload;
mod random;
mod records;
pub mod uri;
mod verify;
pub mod wire;

pub use engine::Omemo;
pub use handle::{DeviceInfo, ReplaceError};
pub use import::{ImportError, Imported, ImportedKey, ImportedPreKey, public_key};
pub use own::{LabelError, RemoveError};
pub use verify::{Checked, KeyCheck};
