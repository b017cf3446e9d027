//! Subrosa with each peer, over a real server: both directions, the first message by either side, both at once,
//! ten messages each way mixed, ours out of order.

#![allow(clippy::unwrap_used, clippy::panic)]

use subrosa_interop::scenario::{both_at_once, deliver, first_by, ten_each_way};
use subrosa_interop::{Ejabberd, Friends, Kind, Party, Peer, PeerError, Prosody, Proxy, Server, Subrosa, goes_on};

const ACCOUNTS: [(&str, &str); 2] = [("alice", "pw-alice"), ("bob", "pw-bob")];

/// A pair on a fresh server: alice is ours, bob is theirs.
struct Pair {
    ours: Subrosa,
    theirs: Peer,
    proxy: Proxy,
    _data: tempfile::TempDir,
}

impl Pair {
    fn on(server: &Server, kind: Kind) -> Result<Self, PeerError> {
        let data = tempfile::Builder::new().prefix("subrosa-data-").tempdir().unwrap();
        let proxy = Proxy::before(server).unwrap();
        let ours = Subrosa::start_at(server, proxy.port, "alice", "pw-alice", data.path())?;
        let theirs = Peer::start_towards(kind, server, "bob", "pw-bob", &["alice@localhost"])?;
        Ok(Self { ours, theirs, proxy, _data: data })
    }

    fn ours_first(&mut self) -> Result<(), PeerError> {
        let read = deliver(&mut self.ours, &mut self.theirs, "under the rose: ours first")?;
        assert_eq!(read.from, self.ours.address());
        let read = deliver(&mut self.theirs, &mut self.ours, "under the rose: answer")?;
        assert_eq!((read.from.as_str(), read.device), (self.theirs.address(), Some(self.theirs.device)));
        first_by(&mut self.ours, &mut self.theirs, "under the rose: again")
    }

    fn theirs_first(&mut self) -> Result<(), PeerError> {
        first_by(&mut self.theirs, &mut self.ours, "under the rose: theirs first")?;
        first_by(&mut self.theirs, &mut self.ours, "under the rose: again")
    }

    fn both_at_once(&mut self) -> Result<(), PeerError> {
        both_at_once(&mut self.ours, &mut self.theirs, "under the rose: at once")?;
        ten_each_way(&mut self.ours, &mut self.theirs, "under the rose: after")
    }

    fn mixed(&mut self) -> Result<(), PeerError> {
        ten_each_way(&mut self.ours, &mut self.theirs, "under the rose: ours begins")?;
        ten_each_way(&mut self.theirs, &mut self.ours, "under the rose: theirs begins")
    }

    /// The stanzas are real and so is their receiver; the network between gives them another order. First with
    /// messages that start the session, then within it.
    fn out_of_order(&mut self) -> Result<(), PeerError> {
        let orders: [[usize; 5]; 2] = [[4, 0, 3, 1, 2], [1, 4, 2, 3, 0]];
        for (round, order) in orders.into_iter().enumerate() {
            self.proxy.hold();
            let text = |number: usize| format!("under the rose: round {round} number {number}");
            let sent: Vec<u64> = (0..5).map(|number| self.ours.send_later(self.theirs.address(), &text(number))).collect::<Result<_, _>>()?;
            assert_eq!(self.proxy.wait_for(5).unwrap(), 5);
            let arrange = |held: &mut Vec<Vec<u8>>| *held = order.iter().map(|&place| held[place].clone()).collect();
            self.proxy.release(arrange).unwrap();
            for number in order {
                self.theirs.read(&text(number))?;
            }
            for id in sent {
                self.ours.sent(id)?;
            }
            deliver(&mut self.theirs, &mut self.ours, &format!("under the rose: round {round} read"))?;
        }
        Ok(())
    }
}

/// Runs one scenario with one peer on a Prosody of their own. Peers with a screen or terminal take their time, so they run when they are
/// asked for: `cargo xtask interop`.
fn with(kind: Kind, scenario: fn(&mut Pair) -> Result<(), PeerError>) {
    let missing = kind.missing().or_else(Subrosa::missing).or_else(Prosody::missing);
    if goes_on(kind.name(), kind.has_a_screen(), missing) {
        let server = Prosody::start(&ACCOUNTS, Friends::All).unwrap();
        run(kind, &server, scenario);
        assert!(server.stanzas().iter().any(|seen| seen.received && seen.xml.contains("<encrypted")));
    }
}

fn run(kind: Kind, server: &Server, scenario: fn(&mut Pair) -> Result<(), PeerError>) {
    let mut pair = Pair::on(server, kind).unwrap_or_else(|error| panic!("{error}"));
    scenario(&mut pair).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(pair.theirs.complaints(), [""; 0], "{} could not read something of ours", kind.name());
    assert_eq!(pair.ours.complaints(), [""; 0], "ours could not read something of {}", kind.name());
    // Every text of the scenarios says it.
    assert!(!server.has_seen("under the rose"), "the server has seen a text in clear");
}

macro_rules! suite {
    ($($name:ident $kind:ident),+) => {$(
        mod $name {
            use super::{Kind, Pair, with};

            #[test]
            fn the_first_message_is_ours() {
                with(Kind::$kind, Pair::ours_first);
            }

            #[test]
            fn the_first_message_is_theirs() {
                with(Kind::$kind, Pair::theirs_first);
            }

            #[test]
            fn both_write_at_once() {
                with(Kind::$kind, Pair::both_at_once);
            }

            #[test]
            fn ten_each_way_mixed() {
                with(Kind::$kind, Pair::mixed);
            }

            #[test]
            fn ours_arrive_out_of_order() {
                with(Kind::$kind, Pair::out_of_order);
            }
        }
    )+};
}

suite!(python_omemo_2 PythonOmemo2, python_omemo_legacy PythonOmemoLegacy, python_omemo_both PythonOmemoBoth, omemo_dr OmemoDr, gajim Gajim, profanity Profanity, dino Dino);

mod ejabberd {
    use super::*;

    fn over_ejabberd(kind: Kind, scenario: fn(&mut Pair) -> Result<(), PeerError>) {
        let missing = kind.missing().or_else(Subrosa::missing).or_else(Ejabberd::missing);
        if goes_on("ejabberd", true, missing) {
            let server = Ejabberd::start(&ACCOUNTS, Friends::All).unwrap();
            run(kind, &server, scenario);
        }
    }

    /// The first message by either side, both at once, ten each way.
    fn all(kind: Kind) {
        for begins in [Pair::ours_first, Pair::theirs_first, Pair::both_at_once] {
            over_ejabberd(kind, begins);
        }
        over_ejabberd(kind, Pair::mixed);
    }

    #[test]
    fn python_omemo_2() {
        all(Kind::PythonOmemo2);
    }

    #[test]
    fn python_omemo_legacy() {
        all(Kind::PythonOmemoLegacy);
    }

    #[test]
    fn python_omemo_both() {
        all(Kind::PythonOmemoBoth);
    }

    #[test]
    fn omemo_dr() {
        all(Kind::OmemoDr);
    }

    #[test]
    fn gajim() {
        all(Kind::Gajim);
    }

    #[test]
    fn profanity() {
        all(Kind::Profanity);
    }
}
