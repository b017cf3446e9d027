//! What happens to browsers, gateways and databases: nothing is lost, doubled, or in clear.

#![allow(clippy::unwrap_used, clippy::panic)]

use subrosa_browser_tests::{MARK, Messenger, Stage};
use subrosa_interop::scenario::deliver;
use subrosa_interop::{GatewayOptions, Party, Postgres, Subrosa, goes_on};

struct Talk {
    alice: Messenger,
    bob: Subrosa,
    stage: Stage,
    _data: tempfile::TempDir,
}

fn talk(stage: Option<Stage>) -> Option<Talk> {
    let stage = stage?;
    if let Some(missing) = Subrosa::missing() {
        eprintln!("skipped: {missing}");
        return None;
    }
    let data = tempfile::tempdir().unwrap();
    let mut bob = stage.terminal_of("bob", &data);
    let mut alice = stage.browser_of("alice");
    deliver(&mut alice, &mut bob, &format!("{MARK}: hello")).unwrap();
    deliver(&mut bob, &mut alice, &format!("{MARK}: hi")).unwrap();
    Some(Talk { alice, bob, stage, _data: data })
}

impl Talk {
    /// What alice's page shows, all of it: own texts and those of bob.
    fn texts(&self) -> [Vec<String>; 2] {
        let all = self.alice.all_messages().unwrap();
        [true, false].map(|own| all.iter().filter(|message| message.own == own).filter_map(|message| message.text.clone()).collect())
    }
    /// Both wrote these after the greeting; everything arrived, once.
    fn all_once(&mut self, alices: &[String], bobs: &[String]) {
        for text in alices {
            self.bob.read(text).unwrap();
        }
        // not by what is in sight: the first ones may be above it by now
        let all_there = || Ok(bobs.iter().all(|text| self.texts()[1].contains(text)).then_some(()));
        self.alice.tab.wait_until("all that bob wrote", all_there).unwrap();
        if let Some(last) = alices.last() {
            self.alice.own(last, &["sent", "delivered"]).unwrap();
        }
        let [own, theirs] = self.texts();
        let expected = |first: &str, texts: &[String]| [&[format!("{MARK}: {first}")], texts].concat();
        assert_eq!(own, expected("hello", alices));
        let (mut theirs, mut expected) = (theirs, expected("hi", bobs));
        theirs.sort(); // those that came while another way was open may stand in another order
        expected.sort();
        assert_eq!(theirs, expected);
        assert_eq!(self.bob.complaints(), [""; 0]);
        self.stage.nobody_knows();
    }
}

fn numbered(who: &str, count: usize) -> Vec<String> {
    (0..count).map(|n| format!("{MARK}: {who} {n}")).collect()
}

#[test]
fn a_reload_shows_the_history_of_this_browser_also_without_a_gateway() {
    let Some(mut talk) = talk(Stage::set()) else { return };
    let before = talk.texts();
    talk.stage.wire.down(true);
    talk.alice.page().link("no-gateway").unwrap();
    talk.alice.tab.reload().unwrap();
    talk.alice.open_chat("bob@localhost").unwrap();
    talk.alice.message("the history", |message| !message.own).unwrap();
    assert_eq!(talk.texts(), before);
    // what is written now waits, over another reload too
    talk.alice.write(&format!("{MARK}: without a gateway")).unwrap();
    talk.alice.own(&format!("{MARK}: without a gateway"), &["sending", "waiting"]).unwrap();
    talk.alice.tab.reload().unwrap();
    talk.stage.wire.down(false);
    talk.alice.online().unwrap();
    talk.alice.open_chat("bob@localhost").unwrap();
    talk.all_once(&[format!("{MARK}: without a gateway")], &[]);
}

#[test]
fn a_gateway_that_is_killed_loses_and_doubles_nothing() {
    let Some(mut talk) = talk(Stage::set()) else { return };
    let (alices, bobs) = (numbered("alice", 12), numbered("bob", 12));
    for (n, (one, other)) in alices.iter().zip(&bobs).enumerate() {
        talk.alice.write(one).unwrap();
        talk.bob.send_later("alice@localhost", other).unwrap();
        if n % 4 == 1 {
            talk.stage.gateway.kill9();
            talk.stage.gateway.restart().unwrap();
        }
    }
    talk.all_once(&alices, &bobs);
}

#[test]
fn a_database_that_is_away_for_a_while_loses_and_doubles_nothing() {
    if !goes_on("postgres", false, Postgres::missing()) {
        return;
    }
    let mut database = Postgres::start().unwrap();
    let options = GatewayOptions { database: Some(database.url()), ..GatewayOptions::default() };
    let Some(mut talk) = talk(Stage::set_with(options)) else { return };
    let (alices, bobs) = (numbered("alice", 6), numbered("bob", 6));
    for (n, (one, other)) in alices.iter().zip(&bobs).enumerate() {
        if n == 2 {
            database.stop();
        }
        talk.alice.write(one).unwrap();
        talk.bob.send_later("alice@localhost", other).unwrap();
    }
    std::thread::sleep(std::time::Duration::from_secs(3));
    database.resume().unwrap();
    talk.all_once(&alices, &bobs);
    assert!(!database.dump("postgres").unwrap().contains(MARK));
}

#[test]
fn a_renderer_that_is_killed_while_it_writes_loses_and_doubles_nothing() {
    let Some(mut talk) = talk(Stage::set()) else { return };
    let (alices, bobs) = (numbered("alice", 9), numbered("bob", 9));
    for (n, (one, other)) in alices.iter().zip(&bobs).enumerate() {
        talk.alice.open_chat("bob@localhost").unwrap();
        talk.alice.write(one).unwrap();
        // stored, which is all that the page promised
        talk.alice.own(one, &["sending", "waiting", "sent", "delivered"]).unwrap();
        talk.bob.send_later("alice@localhost", other).unwrap();
        match n {
            2 | 5 => talk.alice.crash_tab().unwrap(),
            7 => talk.alice.crash().unwrap(),
            _ => {}
        }
    }
    talk.alice.back_online("pw-alice").unwrap();
    talk.alice.open_chat("bob@localhost").unwrap();
    talk.all_once(&alices, &bobs);
}

#[test]
fn who_signs_out_leaves_nothing_and_is_on_no_list() {
    let Some(mut talk) = talk(Stage::set()) else { return };
    assert_eq!(talk.bob.devices("alice@localhost").unwrap().len(), 1);
    talk.alice.sign_out().unwrap();
    let left = "return [(await indexedDB.databases()).length, Object.keys(localStorage).length, document.cookie]";
    assert_eq!(talk.alice.tab.script_async(left).unwrap().to_string(), "[0,0,\"\"]");
    talk.alice.enter("alice@localhost", "pw-alice", Some("a long passphrase")).unwrap();
    // another device, and nothing of what the other one had
    assert_eq!(talk.texts_if_any(), 0);
    deliver(&mut talk.bob, &mut talk.alice, &format!("{MARK}: to the new one")).unwrap();
    // the passphrase is asked for after every end of the browser
    talk.alice.crash().unwrap();
    talk.alice.tab.see("unlock-passphrase").unwrap();
    assert!(talk.alice.unlock("another passphrase").is_err());
    talk.alice.unlock("a long passphrase").unwrap();
    talk.alice.open_chat("bob@localhost").unwrap();
    talk.alice.message("the history", |message| message.text.as_deref() == Some("under the rose: to the new one")).unwrap();
    talk.stage.nobody_knows();
    // what lies on the disk is sealed
    talk.alice.browser.close();
    for secret in [MARK, "pw-alice", "a long passphrase"] {
        assert!(!talk.alice.browser.has_kept(secret), "{secret:?} stands on the browser's disk");
    }
    assert!(talk.alice.browser.has_kept("alice@localhost") || talk.alice.browser.has_kept("127.0.0.1"), "nothing was looked at");
}

#[test]
fn what_is_being_typed_is_in_no_file_of_the_browser() {
    let Some(stage) = Stage::set() else { return };
    let mut alice = stage.browser_of("alice");
    alice.open_chat("bob@localhost").unwrap();
    alice.tab.type_into("draft", &format!("{MARK}: not sent yet")).unwrap();
    // browsers write down every now and then what brings their windows back
    std::thread::sleep(std::time::Duration::from_secs(15));
    alice.browser.close();
    assert!(!alice.browser.has_kept(MARK), "a draft stands on the browser's disk");
}

impl Talk {
    fn texts_if_any(&self) -> usize {
        self.alice.open_chat("bob@localhost").unwrap();
        self.alice.messages().unwrap().len()
    }
}
