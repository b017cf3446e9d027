//! Another program's identity goes on as ours: its store is read, its contacts see the same device with the same fingerprint.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

#[path = "../../../apps/cli/src/import/mod.rs"]
mod import;

use import::Source;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use std::time::SystemTime;
use subrosa_engine::{Machine, Time};
use subrosa_interop::scenario::{deliver, ten_each_way};
use subrosa_interop::{Friends, Kind, Party, Peer, PeerError, Prosody, Server, Subrosa, goes_on};
use subrosa_omemo::Omemo;
use subrosa_store::{SqliteStore, StoreKey};

const ACCOUNTS: [(&str, &str); 2] = [("alice", "pw-alice"), ("bob", "pw-bob")];

/// Puts the identity into the store of an account that has not logged in yet.
fn take_over(data: &Path, address: &str, source: Source, file: &[u8]) {
    let dir = data.join("accounts").join(address);
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&dir).unwrap();
    let mut rng = getrandom::rand_core::UnwrapErr(getrandom::SysRng);
    let key = StoreKey::load_or_create(&dir.join("key"), &mut rng).unwrap();
    let mut store = SqliteStore::open(dir.join("store.db"), &key).unwrap();
    let mut machine = Machine::new(address.into());
    let omemo = machine.install(Omemo::default());
    let imported = import::read(source, file).unwrap_or_else(|error| panic!("{error}"));
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_millis();
    let mut step = machine.begin(Time(u64::try_from(now).unwrap()), &mut rng);
    let done = step.call(omemo, |o, cx| Ok(o.import(cx, &imported)?.map_err(|e| e.to_string())));
    let mut outputs = step.commit(&mut store).unwrap();
    assert_eq!(outputs.reply(&done), Some(Ok(())));
}
fn log_in(server: &Server, data: &Path) -> Result<Subrosa, PeerError> {
    let host = format!("{}:{}", server.host, server.port);
    let mut login = Subrosa::command(data)?;
    login.args(["login", "alice@localhost", "--plain-loopback", "--host", &host]).env("SUBROSA_PASSWORD", "pw-alice");
    let out = login.output().unwrap();
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    Subrosa::start(server, "alice", "pw-alice", data)
}

fn changes_over(old: Kind, contact: Kind, source: Source) {
    let missing = || old.missing().or_else(|| contact.missing()).or_else(Prosody::missing).or_else(Subrosa::missing);
    if !goes_on(old.name(), old.has_a_screen(), missing()) {
        return;
    }
    let server = Prosody::start(&ACCOUNTS, Friends::All).unwrap();
    let good = (|| {
        let mut bob = Peer::start(contact, &server, "bob", "pw-bob")?;
        let mut alice = Peer::start_towards(old, &server, "alice", "pw-alice", &["bob@localhost"])?;
        deliver(&mut alice, &mut bob, "before: from the old program")?;
        deliver(&mut bob, &mut alice, "before: to the old program")?;
        let before = bob.device_keys("alice@localhost")?;
        let (device, store) = (alice.device, alice.store()?);
        drop(alice);

        let data = tempfile::Builder::new().prefix("subrosa-data-").tempdir().unwrap();
        take_over(data.path(), "alice@localhost", source, &store);
        let mut alice = log_in(&server, data.path())?;
        assert_eq!(alice.device, device);
        assert_eq!(before, [(device, alice.fingerprint.clone())], "the contact knew this very key");
        let read = deliver(&mut alice, &mut bob, "after: from the new one")?;
        assert_eq!((read.from.as_str(), read.device), ("alice@localhost", Some(device)));
        deliver(&mut bob, &mut alice, "after: to the new one")?;
        // what the old program had not acknowledged comes again, in a session that stayed with it: told, not lost in silence
        let told = alice.complaints();
        assert!(told.len() <= 2 && told.iter().all(|line| line.contains("no-session")), "{told:?}");
        ten_each_way(&mut alice, &mut bob, "after")?;
        assert_eq!(bob.device_keys("alice@localhost")?, before, "no other device, no other fingerprint");
        assert_eq!((alice.complaints(), bob.complaints()), (vec![], vec![]));
        Ok::<_, PeerError>(())
    })();
    good.unwrap_or_else(|error| panic!("{error}"));
}

#[test]
fn python_omemo_2() {
    changes_over(Kind::PythonOmemo2, Kind::PythonOmemo2, Source::PythonOmemo);
}
#[test]
fn python_omemo_both() {
    changes_over(Kind::PythonOmemoBoth, Kind::PythonOmemoBoth, Source::PythonOmemo);
}
#[test]
fn python_omemo_legacy() {
    changes_over(Kind::PythonOmemoLegacy, Kind::OmemoDr, Source::PythonOmemo);
}
#[test]
fn profanity() {
    changes_over(Kind::Profanity, Kind::PythonOmemoLegacy, Source::Profanity);
}
