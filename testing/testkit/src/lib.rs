//! What tests of a messenger need that is not the messenger: seeded randomness ([`Seeded`]), people with devices and
//! a server between them in one thread ([`World`]), processes that die at a chosen commit ([`Crash`],
//! [`crash_everywhere`]), the suites that every store and every engine must pass, and a [`simulation`] of all of it at once with a judge.
//!
//! ```
//! use subrosa_testkit::{World, toy};
//!
//! let mut world = World::new(7);
//! let install = |machine: &mut subrosa_engine::Machine| {
//!     let engine = machine.install(toy::Xor(42));
//!     machine.route(move |_chat| Some(engine.id()));
//!     engine
//! };
//! let alice = world.join("alice@example.org", install);
//! let bob = world.join("bob@example.org", install);
//! world.send(alice, "bob@example.org", "hello");
//! world.run();
//! assert_eq!(world.client(bob).texts(), [("alice@example.org".into(), "hello".into())]);
//! assert!(!world.server.saw(b"hello"));
//! ```
mod client;
pub mod conformance;
mod crash;
mod late;
mod seeded;
mod server;
pub mod simulation;
pub mod toy;
mod watch;
mod world;

pub use client::{Client, Snapshot, Stanza, Upload};
pub use crash::{Crash, CrashError, CrashStore};
pub use late::{LateEvent, LateStore, Ready, abandon_after, block_on};
pub use seeded::Seeded;
pub use server::{Access, FakeServer, PepNode, Push, Quirks};
pub use watch::{Happening, Made, Taken, What};
pub use world::{ClientId, Faults, World, crash_everywhere, was_sent};
