//! Subrosa against other people's software.
//!
//! Servers and clients of other projects, each a process of its own, driven from our tests. A server is private
//! to its test: a fresh directory, the loopback address, free ports, gone with the value.
//!
//! ```no_run
//! use subrosa_interop::{Friends, Prosody};
//!
//! let server = Prosody::start(&[("alice", "pw-alice"), ("bob", "pw-bob")], Friends::All)?;
//! println!("{}:{}", server.host, server.port);
//! // … two clients talk …
//! assert!(!server.has_seen("the plain text"));
//! # Ok::<(), subrosa_interop::StartError>(())
//! ```

mod process;
mod prosody;
mod server;

pub use process::find_program;
pub use prosody::Prosody;
pub use server::{Friends, Seen, Server, StartError};
