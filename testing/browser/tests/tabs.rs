//! One browser, one device, however many tabs.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::collections::HashSet;

use subrosa_browser_tests::{MARK, Messenger, Options, Page, Stage};
use subrosa_interop::scenario::deliver;
use subrosa_interop::{Party, Subrosa};

/// A browser of alice's, and bob in the terminal.
fn pair(stage: &Stage, data: &tempfile::TempDir, options: &Options) -> Option<(Messenger, Subrosa)> {
    if let Some(missing) = Subrosa::missing() {
        eprintln!("skipped: {missing}");
        return None;
    }
    Some((stage.browser_with("alice", options), stage.terminal_of("bob", data)))
}

/// Every text once, in its order, and nothing that can't be read.
fn each_once(page: &Page, own: bool, texts: &[String]) {
    let all = page.all_messages().unwrap();
    let odd: Vec<_> = all.iter().filter(|message| message.unreadable.is_some() || message.state == "failed").collect();
    assert!(odd.is_empty(), "{odd:?}");
    let seen: Vec<_> = all.iter().filter(|message| message.own == own).filter_map(|message| message.text.clone()).collect();
    assert_eq!(seen, texts);
    assert_eq!(all.iter().map(|message| &message.id).collect::<HashSet<_>>().len(), all.len());
}

fn two_hundred(options: &Options) {
    let (Some(stage), data) = (Stage::set(), tempfile::tempdir().unwrap()) else { return };
    let Some((mut alice, mut bob)) = pair(&stage, &data, options) else { return };
    let other = alice.another_tab().unwrap();
    deliver(&mut bob, &mut alice, &format!("{MARK}: first")).unwrap();
    other.open_chat("bob@localhost").unwrap();
    let mut texts = vec![format!("{MARK}: first")];
    texts.extend((0..200).map(|n| format!("{MARK}: {n}")));
    let sent: Vec<u64> = texts[1..].iter().map(|text| bob.send_later("alice@localhost", text).unwrap()).collect();
    for id in sent {
        bob.sent(id).unwrap();
    }
    for page in [alice.page(), &other] {
        page.message("the last message", |message| message.text.as_deref() == texts.last().map(String::as_str)).unwrap();
        each_once(page, false, &texts);
    }
    // both tabs write, by turns; both show all of it
    let answers: Vec<String> = (0..10).map(|n| format!("{MARK}: answer {n}")).collect();
    for (n, text) in answers.iter().enumerate() {
        [alice.page(), &other][n % 2].write(text).unwrap();
        bob.read(text).unwrap();
    }
    for page in [alice.page(), &other] {
        page.own(&answers[9], &["sent", "delivered"]).unwrap();
        each_once(page, true, &answers);
        assert_eq!(page.tab.problems().unwrap(), [""; 0]);
    }
    let devices = bob.devices("alice@localhost").unwrap();
    assert_eq!(devices.len(), 1, "{devices:?}");
    assert_eq!((bob.complaints(), alice.complaints()), (vec![], vec![]));
    stage.nobody_knows();
}

#[test]
fn two_tabs_and_two_hundred_messages() {
    two_hundred(&Options::default());
}

#[test]
fn two_tabs_and_two_hundred_messages_without_shared_workers() {
    two_hundred(&Options { without_shared_worker: true, ..Options::default() });
}

fn handed_over(options: &Options) {
    let (Some(stage), data) = (Stage::set(), tempfile::tempdir().unwrap()) else { return };
    let Some((mut alice, mut bob)) = pair(&stage, &data, options) else { return };
    deliver(&mut bob, &mut alice, &format!("{MARK}: to the first tab")).unwrap();
    let device = alice.own_devices().unwrap().into_iter().find(|device| device.this).unwrap();
    // the tab that was there first goes
    let second = alice.another_tab().unwrap();
    alice.page().tab.clone().close().unwrap();
    second.open_chat("bob@localhost").unwrap();
    bob.send("alice@localhost", &format!("{MARK}: to the second tab")).unwrap();
    second.message("the message", |message| message.text.as_deref() == Some("under the rose: to the second tab")).unwrap();
    // and the one that is left crashes
    let third = alice.another_tab().unwrap();
    alice.browser.kill_renderer(&second.tab).unwrap();
    second.tab.close().unwrap();
    let third = if third.tab.script("return 1").is_ok() { third } else { alice.another_tab().unwrap() };
    third.online().unwrap();
    third.open_chat("bob@localhost").unwrap();
    third.write(&format!("{MARK}: from the third")).unwrap();
    bob.read(&format!("{MARK}: from the third")).unwrap();
    let now = third.own_devices().unwrap();
    assert_eq!(now.iter().find(|device| device.this), Some(&device));
    assert_eq!(now.len(), 1);
    assert_eq!(bob.complaints(), [""; 0]);
    stage.nobody_knows();
}

#[test]
fn the_engine_is_handed_over_when_its_tab_goes() {
    handed_over(&Options::default());
}

#[test]
fn the_engine_is_handed_over_when_its_tab_goes_without_shared_workers() {
    handed_over(&Options { without_shared_worker: true, ..Options::default() });
}
