//! Linphone's library over SIP: its phones among themselves, and with us in every pairing.

#![allow(clippy::unwrap_used, clippy::panic)]

mod among_themselves;
mod guards;
mod ours;
mod pairings;
mod phone;

use subrosa_interop::{Build, FileServer, Linphone, PeerError, Tap, Transport, goes_on};

/// A receipt may overtake the answer.
const ARRIVED: &[&str] = &["Delivered", "DeliveredToUser"];
const TEXT: &str = "Bla bla bla bla";

/// Two phones whose engines are made of these words, and the lines between them where SIP goes over TCP.
struct Pair {
    marie: Linphone,
    pauline: Linphone,
    files: FileServer,
    /// From Marie to Pauline.
    tap: Tap,
}

impl Pair {
    fn start(marie: &str, pauline: &str) -> Option<Self> {
        Self::start_build(Build::Bare, marie, pauline)
    }

    fn start_build(build: Build, marie: &str, pauline: &str) -> Option<Self> {
        if !goes_on("liblinphone", false, Linphone::missing()) {
            return None;
        }
        let files = FileServer::start().unwrap();
        let made = (|| {
            let start = |name| Linphone::start_build(build, name, Transport::Tcp, &files);
            let (mut one, mut other) = (start("marie")?, start("pauline")?);
            other.route(one.port)?;
            let tap = Tap::open().unwrap();
            tap.lead_to(other.port);
            one.route(tap.port)?;
            one.engine(marie)?;
            other.engine(pauline)?;
            Ok::<_, PeerError>((one, other, tap))
        })();
        let (marie, pauline, tap) = made.unwrap_or_else(|error| panic!("{error}"));
        Some(Self { marie, pauline, files, tap })
    }
}

fn good<T>(result: Result<T, PeerError>) -> T {
    result.unwrap_or_else(|error| panic!("{error}"))
}

/// Bytes in which no part of a file is like another.
fn pattern(size: usize) -> Vec<u8> {
    (0..size).map(|at| u8::try_from((at * 31 + (at >> 8)) % 256).unwrap()).collect()
}
