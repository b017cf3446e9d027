//! Everybody can use it: by keyboard alone, by screen reader, on a phone, in the dark.

#![allow(clippy::unwrap_used, clippy::panic)]

use subrosa_browser_tests::{MARK, Messenger, Options, Stage};
use subrosa_interop::scenario::deliver;
use subrosa_interop::{Party, Subrosa};

/// The driver's codes for keys (WebDriver §17.4.2).
const TAB: &str = "\u{e004}";
const ENTER: &str = "\u{e007}";
const ESCAPE: &str = "\u{e00c}";
const DOWN: &str = "\u{e015}";

/// Nothing is wrong by the rules of axe.
fn fine(page: &Messenger, what: &str) {
    let found = page.tab.axe().unwrap();
    assert!(found.is_empty(), "{what}: {found:#?}");
}

fn every_screen(options: &Options) {
    let Some(stage) = Stage::set() else { return };
    if let Some(missing) = Subrosa::missing() {
        return eprintln!("skipped: {missing}");
    }
    let data = tempfile::tempdir().unwrap();
    let mut bob = stage.terminal_of("bob", &data);
    let mut alice = Messenger::start(&stage.wire.url, options).unwrap();
    fine(&alice, "signing in");
    alice.enter("alice@localhost", "pw-alice", None).unwrap();
    fine(&alice, "the list");
    deliver(&mut alice, &mut bob, &format!("{MARK}: hello")).unwrap();
    deliver(&mut bob, &mut alice, &format!("{MARK}: hi")).unwrap();
    fine(&alice, "a chat");
    alice.tab.click("devices-open").unwrap();
    alice.tab.wait_for("the devices", "document.querySelector('[data-testid=devices] li[data-trust]')").unwrap();
    fine(&alice, "devices");
    alice.close_dialog().unwrap();
    if alice.tab.has("back").unwrap() {
        alice.tab.click("back").unwrap();
    }
    for (open, shown) in
        [("browsers-open", "browsers"), ("about-open", "about"), ("add-contact", "add-contact-dialog"), ("signout", "signout-dialog")]
    {
        alice.tab.click(open).unwrap();
        alice.tab.see(shown).unwrap();
        fine(&alice, shown);
        alice.close_dialog().unwrap();
    }
    stage.wire.down(true);
    alice.link("no-gateway").unwrap();
    fine(&alice, "without a gateway");
    // nothing is wider than the window
    assert_eq!(alice.tab.script("return document.documentElement.scrollWidth <= innerWidth").unwrap(), true);
    assert_eq!(alice.tab.problems().unwrap(), [""; 0]);
}

#[test]
fn every_screen_is_fine_on_a_desktop() {
    every_screen(&Options::default());
}

#[test]
fn every_screen_is_fine_on_a_phone_in_the_dark() {
    every_screen(&Options { size: (500, 800), dark: true, ..Options::default() });
}

#[test]
fn the_keyboard_is_enough() {
    let Some(stage) = Stage::set() else { return };
    if let Some(missing) = Subrosa::missing() {
        return eprintln!("skipped: {missing}");
    }
    let data = tempfile::tempdir().unwrap();
    let mut bob = stage.terminal_of("bob", &data);
    let alice = Messenger::start(&stage.wire.url, &Options::default()).unwrap();
    // the first field has the focus
    alice.tab.wait_for("the focus", "document.activeElement?.id === 'signin-jid'").unwrap();
    alice.tab.keys(format!("alice@localhost{TAB}pw-alice{ENTER}")).unwrap();
    alice.online().unwrap();
    alice.tab.wait_for("bob in the list", "document.querySelector('[data-testid=\"chat-bob@localhost\"]')").unwrap();
    // to the search field, to bob, into his chat
    alice.tab.script("document.activeElement?.blur()").unwrap();
    for _ in 0..30 {
        alice.tab.keys(TAB).unwrap();
        if alice.tab.script("return document.activeElement?.id").unwrap() == "search" {
            break;
        }
    }
    alice.tab.keys(format!("bob{DOWN}")).unwrap();
    alice.tab.wait_for("the focus on bob", "document.activeElement?.dataset.testid === 'chat-bob@localhost'").unwrap();
    alice.tab.keys(ENTER).unwrap();
    alice.tab.wait_for("the focus where one writes", "document.activeElement?.dataset.testid === 'draft'").unwrap();
    alice.tab.keys(format!("{MARK}: by keyboard{ENTER}")).unwrap();
    bob.read(&format!("{MARK}: by keyboard")).unwrap();
    // a dialog takes the focus and gives it back
    for _ in 0..30 {
        alice.tab.keys("\u{e008}\u{e004}\u{e000}").unwrap(); // backwards
        if alice.tab.script("return document.activeElement?.dataset.testid").unwrap() == "devices-open" {
            break;
        }
    }
    alice.tab.keys(ENTER).unwrap();
    alice.tab.see("devices").unwrap();
    assert_eq!(alice.tab.script("return !!document.activeElement?.closest('dialog')").unwrap(), true);
    alice.tab.keys(ESCAPE).unwrap();
    alice
        .tab
        .wait_for("the focus to come back", "document.activeElement?.dataset.testid === 'devices-open' && !document.querySelector('dialog')")
        .unwrap();
    stage.nobody_knows();
}
