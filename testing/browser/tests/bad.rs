//! Bad input and bad weather: a clear message, nothing lost, nothing in clear.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::time::Duration;

use subrosa_browser_tests::{BrowserError, MARK, Messenger, Options, Stage, Tamper};
use subrosa_interop::scenario::deliver;
use subrosa_interop::{Friends, GatewayOptions, Party, Subrosa};
use subrosa_web_api::MAX_TEXT;
use subrosa_web_api::socket::FromGateway;

/// Alice in a browser, bob in the terminal, who have spoken.
fn talk(stage: &Stage, data: &tempfile::TempDir) -> Option<(Messenger, Subrosa)> {
    if let Some(missing) = Subrosa::missing() {
        eprintln!("skipped: {missing}");
        return None;
    }
    let (mut bob, mut alice) = (stage.terminal_of("bob", data), stage.browser_of("alice"));
    deliver(&mut alice, &mut bob, &format!("{MARK}: hello")).unwrap();
    deliver(&mut bob, &mut alice, &format!("{MARK}: hi")).unwrap();
    Some((alice, bob))
}

fn refusal(result: Result<(), BrowserError>) -> String {
    match result {
        Err(BrowserError::Refused(why)) => why,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_login_that_fails_says_why_and_the_next_one_works() {
    let Some(mut stage) = Stage::set() else { return };
    let mut alice = Messenger::start(&stage.wire.url, &Options::default()).unwrap();
    let wrong = refusal(alice.enter("alice@localhost", "not-hers", None));
    assert!(wrong.contains("password"), "{wrong}");
    let none = refusal(alice.enter("not an address", "pw-alice", None));
    assert!(none.contains("address"), "{none}");
    stage.server.stop();
    let away = refusal(alice.enter("alice@localhost", "pw-alice", None));
    assert!(away.ends_with('.') && !away.contains("pw-alice"), "{away}");
    stage.server.restart().unwrap();
    alice.enter("alice@localhost", "pw-alice", None).unwrap();
    stage.nobody_knows();
}

#[test]
fn while_the_xmpp_server_is_away_messages_wait() {
    let (Some(mut stage), data) = (Stage::set(), tempfile::tempdir().unwrap()) else { return };
    let Some((alice, mut bob)) = talk(&stage, &data) else { return };
    stage.server.stop();
    alice.link("no-server").unwrap();
    let texts: Vec<String> = (0..3).map(|n| format!("{MARK}: later {n}")).collect();
    for text in &texts {
        alice.write(text).unwrap();
        alice.own(text, &["sending", "waiting"]).unwrap();
    }
    stage.server.restart().unwrap();
    alice.online().unwrap();
    for text in &texts {
        bob.read(text).unwrap();
        alice.own(text, &["sent", "delivered"]).unwrap();
    }
    assert_eq!(bob.complaints(), [""; 0]);
    stage.nobody_knows();
}

#[test]
fn a_full_disk_is_told_and_loses_nothing() {
    let (Some(stage), data) = (Stage::set(), tempfile::tempdir().unwrap()) else { return };
    let Some((mut alice, mut bob)) = talk(&stage, &data) else { return };
    alice.tab.quota(Some(1)).unwrap();
    // Chromium remembers for half a minute how much was free
    std::thread::sleep(Duration::from_secs(32));
    let sent: Vec<String> = (0..5).map(|n| format!("{MARK}: {n}")).collect();
    for text in &sent {
        bob.send("alice@localhost", text).unwrap();
    }
    alice.tab.see("trouble").unwrap();
    let told = alice.tab.text("trouble").unwrap();
    assert!(told.trim().ends_with('.'), "{told}");
    alice.tab.quota(None).unwrap();
    alice.tab.wait_for("the trouble to be over", "!document.querySelector('[data-testid=trouble]')").unwrap();
    alice.message("the last message", |message| message.text.as_ref() == sent.last()).unwrap();
    let all = alice.all_messages().unwrap();
    let came: Vec<_> = all.into_iter().filter(|message| !message.own).filter_map(|message| message.text).skip(1).collect();
    assert!(came == sent, "{} of {}: {:?}", came.len(), sent.len(), came.iter().map(|text| text.get(..24)).collect::<Vec<_>>());
    deliver(&mut alice, &mut bob, &format!("{MARK}: and on")).unwrap();
    assert_eq!((alice.complaints(), bob.complaints()), (vec![], vec![]));
    stage.nobody_knows();
}

#[test]
fn storage_that_the_browser_took_away_is_told() {
    let (Some(stage), data) = (Stage::set(), tempfile::tempdir().unwrap()) else { return };
    let Some((alice, mut bob)) = talk(&stage, &data) else { return };
    alice.tab.evict().unwrap();
    bob.send("alice@localhost", &format!("{MARK}: into nothing")).unwrap();
    let told = "document.querySelector('[data-testid=broken],[data-testid=trouble],[data-testid=notice],[data-testid=signin-jid]')";
    alice.tab.wait_for("word of it", told).unwrap();
    alice.tab.reload().unwrap();
    alice.tab.wait_for("word of it, or where one signs in", told).unwrap();
    stage.nobody_knows();
}

#[test]
fn long_messages_pass_and_longer_ones_are_not_taken() {
    let (Some(stage), data) = (Stage::set(), tempfile::tempdir().unwrap()) else { return };
    let Some((mut alice, mut bob)) = talk(&stage, &data) else { return };
    let long = format!("{MARK}: {}", "ü".repeat((MAX_TEXT - 100) / 2));
    deliver(&mut alice, &mut bob, &long).unwrap();
    deliver(&mut bob, &mut alice, &format!("{MARK}: {}", "y".repeat(100_000))).unwrap();
    let longer = "z".repeat(1_000_000);
    alice.write(&longer).unwrap();
    let told = alice.tab.text("draft-length").unwrap();
    assert!(!told.is_empty());
    // it is still there, to be cut
    assert_eq!(alice.tab.script("return document.querySelector('[data-testid=draft]').value.length").unwrap(), longer.len());
    alice.tab.paste_into("draft", "").unwrap();
    deliver(&mut alice, &mut bob, &format!("{MARK}: short again")).unwrap();
    assert_eq!((alice.complaints(), bob.complaints()), (vec![], vec![]));
    stage.nobody_knows();
}

#[test]
fn ten_thousand_contacts_are_a_list() {
    let Some(stage) = Stage::set() else { return };
    let many = (0..10_000).map(|n| format!("somebody-{n}@example.org")).chain(["bob@localhost".to_owned()]);
    stage.server.set_contacts("alice", many).unwrap();
    let (mut alice, mut bob) = (stage.browser_of("alice"), stage.browser_of("bob"));
    alice.tab.wait_for("the list", "document.querySelectorAll('[data-testid^=chat-]').length > 5").unwrap();
    let drawn = alice.tab.script("return document.querySelectorAll('[data-testid^=chat-]').length").unwrap();
    assert!(drawn.as_u64().unwrap() < 100, "{drawn}");
    alice.open_chat("somebody-9876@example.org").unwrap();
    deliver(&mut alice, &mut bob, &format!("{MARK}: one of many")).unwrap();
    deliver(&mut bob, &mut alice, &format!("{MARK}: found")).unwrap();
    assert_eq!((alice.complaints(), bob.complaints()), (vec![], vec![]));
    stage.nobody_knows();
}

#[test]
fn a_clock_that_is_wrong_by_a_day_is_told() {
    let Some(stage) = Stage::set() else { return };
    let tomorrow = |frame, _: Option<&_>| match frame {
        FromGateway::Welcome { jid, browser, head, now } => vec![FromGateway::Welcome { jid, browser, head, now: now + 86_400_000 }],
        frame => vec![frame],
    };
    let tamper = Tamper::before(&stage.gateway, tomorrow).unwrap();
    let mut alice = Messenger::sign_in(&tamper.url, "alice@localhost", "pw-alice", &Options::default()).unwrap();
    alice.tab.see("trouble").unwrap();
    assert!(alice.tab.text("trouble").unwrap().contains("clock"));
    let mut bob = stage.browser_of("bob");
    deliver(&mut alice, &mut bob, &format!("{MARK}: all the same")).unwrap();
    deliver(&mut bob, &mut alice, &format!("{MARK}: yes")).unwrap();
    stage.nobody_knows();
}

#[test]
fn a_browser_that_was_revoked_keeps_its_history_and_may_come_back() {
    let (Some(stage), data) = (Stage::set(), tempfile::tempdir().unwrap()) else { return };
    let Some((mut alice, mut bob)) = talk(&stage, &data) else { return };
    let other = stage.browser_of("alice");
    other.tab.click("browsers-open").unwrap();
    other.tab.wait_for("both browsers", "document.querySelectorAll('[data-testid^=browser-]').length === 2").unwrap();
    other.tab.script("document.querySelector('[data-testid=browsers] [data-testid^=revoke-]').click()").unwrap();
    alice.link("logged-out").unwrap();
    alice.message("the history", |message| message.text.as_deref() == Some("under the rose: hi")).unwrap();
    alice.write(&format!("{MARK}: while logged out")).unwrap();
    alice.back_online("pw-alice").unwrap();
    bob.read(&format!("{MARK}: while logged out")).unwrap();
    deliver(&mut bob, &mut alice, &format!("{MARK}: there again")).unwrap();
    assert_eq!((alice.complaints(), bob.complaints()), (vec![], vec![]));
    stage.nobody_knows();
}

#[test]
fn strangers_become_contacts_when_both_say_so() {
    let Some(stage) = Stage::set_among(Friends::None, GatewayOptions::default()) else { return };
    let (mut alice, mut bob, carol) = (stage.browser_of("alice"), stage.browser_of("bob"), stage.browser_of("carol"));
    assert!(!refusal(alice.add_contact("no address at all", "")).is_empty());
    alice.tab.keys("\u{e00c}").unwrap(); // Escape
    for (who, name) in [("bob@localhost", "Bob <b>"), ("carol@localhost", "Carol")] {
        alice.add_contact(who, name).unwrap();
    }
    bob.tab.click("request-accept-alice@localhost").unwrap();
    carol.tab.click("request-decline-alice@localhost").unwrap();
    bob.tab.wait_for("the request to be done", "!document.querySelector('[data-testid^=request-]')").unwrap();
    carol.tab.wait_for("the request to be done", "!document.querySelector('[data-testid^=request-]')").unwrap();
    assert!(alice.tab.text("chat-bob@localhost").unwrap().contains("Bob <b>"));
    deliver(&mut alice, &mut bob, &format!("{MARK}: hello")).unwrap();
    deliver(&mut bob, &mut alice, &format!("{MARK}: hello yourself")).unwrap();
    alice.tab.click("devices-open").unwrap();
    alice.tab.click("remove-contact").unwrap();
    alice.tab.click("remove-confirm").unwrap();
    std::thread::sleep(Duration::from_millis(500));
    // who is not on the list is still read, and shown as that
    deliver(&mut bob, &mut alice, &format!("{MARK}: still there?")).unwrap();
    assert_eq!((alice.complaints(), bob.complaints()), (vec![], vec![]));
    stage.nobody_knows();
}
