//! Subrosa against other people's software.
//!
//! Servers and clients of other projects, each a process of its own, driven from our tests. A server is private
//! to its test: a fresh directory, the loopback address, free ports, gone with the value. A client is driven over
//! a protocol of JSON lines by a small program in `peers/`. What a pair of clients must be able to do is written
//! once, in [`scenario`]s over [`Party`].
//!
//! ```no_run
//! use subrosa_interop::{Friends, Kind, Peer, Prosody, scenario};
//!
//! let server = Prosody::start(&[("alice", "pw-alice"), ("bob", "pw-bob")], Friends::All)?;
//! let mut alice = Peer::start(Kind::PythonOmemo2, &server, "alice", "pw-alice")?;
//! let mut bob = Peer::start(Kind::PythonOmemoBoth, &server, "bob", "pw-bob")?;
//! scenario::deliver(&mut alice, &mut bob, "under the rose")?;
//! assert!(!server.has_seen("under the rose"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod ejabberd;
mod file_server;
mod gate;
mod gateway;
mod lines;
mod linphone;
mod party;
mod peer;
mod postgres;
mod process;
mod prosody;
mod proxy;
mod server;
mod subrosa;
mod subrosa_sip;
mod tap;
mod wire;

pub use ejabberd::Ejabberd;
pub use file_server::{FileServer, Upload};
pub use gate::goes_on;
pub use gateway::{Gateway, GatewayOptions, gateway_program, web_dist};
pub use lines::PeerError;
pub use linphone::{Build, Hook, LINPHONE_PACKAGES, Linphone, Message, Offer, State, Transport, linphone_chat};
pub use party::{Party, Read};
pub use peer::{DINO_PACKAGES, GAJIM_PACKAGES, Kind, Peer, peers_dir, venv};
pub use postgres::Postgres;
pub use process::{Guarded, find_program, wait_until};
pub use prosody::Prosody;
pub use proxy::Proxy;
pub use server::{Friends, Seen, Server, StartError};
pub use subrosa::{Delivery, Device, Sent, Subrosa, subrosa_program};
pub use subrosa_sip::{Outcome, SentFile, SipOptions, SubrosaSip, Words};
pub use tap::Tap;
pub use wire::Wire;

/// What a pair of clients must be able to do.
pub mod scenario {
    pub use crate::party::{both_at_once, deliver, first_by, ten_each_way};
}
