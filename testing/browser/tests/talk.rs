//! People with browsers, and people with other programs, over a real gateway and Prosody.

#![allow(clippy::unwrap_used, clippy::panic)]

use subrosa_browser_tests::MARK;
use subrosa_browser_tests::Stage;
use subrosa_interop::scenario::{both_at_once, deliver, ten_each_way};
use subrosa_interop::{Kind, Party, Peer, Subrosa};

#[test]
fn two_browsers_of_one_account_and_one_of_another_read_each_other() {
    let Some(stage) = Stage::set() else { return };
    let mut first = stage.browser_of("alice");
    let mut second = stage.browser_of("alice");
    // the one that was there first says that the new one may read
    first.approve().unwrap();
    let mut bob = stage.browser_of("bob");
    deliver(&mut first, &mut bob, &format!("{MARK}: from the first")).unwrap();
    // her other browser shows it as hers
    second.open_chat("bob@localhost").unwrap();
    second.own(&format!("{MARK}: from the first"), &["here", "sent", "delivered"]).unwrap();
    deliver(&mut second, &mut bob, &format!("{MARK}: from the second")).unwrap();
    first.own(&format!("{MARK}: from the second"), &["here", "sent", "delivered"]).unwrap();
    bob.send("alice@localhost", &format!("{MARK}: to both")).unwrap();
    for alice in [&mut first, &mut second] {
        let read = alice.read(&format!("{MARK}: to both")).unwrap();
        assert_eq!(read.from, "bob@localhost");
    }
    for messenger in [&mut first, &mut second, &mut bob] {
        assert_eq!(messenger.complaints(), [""; 0]);
    }
    stage.nobody_knows();
}

/// Bob has another program.
fn with(bob: &mut dyn Party, stage: &Stage) {
    let mut alice = stage.browser_of("alice");
    deliver(&mut alice, bob, &format!("{MARK}: first <&> ü 🌹")).unwrap();
    deliver(bob, &mut alice, &format!("{MARK}: answer <b>&amp;</b>")).unwrap();
    ten_each_way(&mut alice, bob, MARK).unwrap();
    assert_eq!(bob.complaints(), [""; 0]);
    assert_eq!(alice.complaints(), [""; 0]);
    stage.nobody_knows();
}

#[test]
fn a_browser_and_the_terminal() {
    let Some(stage) = Stage::set() else { return };
    if let Some(missing) = Subrosa::missing() {
        return eprintln!("skipped: {missing}");
    }
    let data = tempfile::tempdir().unwrap();
    let mut bob = stage.terminal_of("bob", &data);
    with(&mut bob, &stage);
}

fn a_browser_and(kind: Kind) {
    // Gajim takes its time: `cargo xtask interop gajim`
    if subrosa_interop::goes_on(kind.name(), kind == Kind::Gajim, kind.missing())
        && let Some(stage) = Stage::set()
    {
        with(&mut Peer::start_towards(kind, &stage.server, "bob", "pw-bob", &["alice@localhost"]).unwrap(), &stage);
    }
}

#[test]
fn a_browser_and_gajim() {
    a_browser_and(Kind::Gajim);
}

#[test]
fn a_browser_and_python_omemo_2() {
    a_browser_and(Kind::PythonOmemo2);
}

#[test]
fn a_browser_and_python_omemo_legacy() {
    a_browser_and(Kind::PythonOmemoLegacy);
}

#[test]
fn two_browsers_write_at_once() {
    let Some(stage) = Stage::set() else { return };
    let (mut alice, mut bob) = (stage.browser_of("alice"), stage.browser_of("bob"));
    both_at_once(&mut alice, &mut bob, MARK).unwrap();
    ten_each_way(&mut alice, &mut bob, MARK).unwrap();
    assert_eq!((alice.complaints(), bob.complaints()), (vec![], vec![]));
    stage.nobody_knows();
}
