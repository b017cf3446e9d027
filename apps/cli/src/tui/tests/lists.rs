//! Dialogs: devices, members, search, notices, accounts, help.
use super::*;

fn with_devices() -> Desk {
    let mut fake = Fake::with(3);
    fake.devices.insert("bob@x".into(), vec![device("bob@x", 7, Level::Trusted), device("bob@x", 8, Level::Undecided)]);
    fake.devices.insert(ME.into(), vec![device(ME, 1, Level::Verified), device(ME, 2, Level::Undecided)]);
    let mut desk = Desk::new(fake);
    desk.keys("<Enter><C-t>");
    desk
}

#[test]
fn devices_are_shown_and_decided_about() {
    let mut desk = with_devices();
    desk.sees("Devices of bob@x");
    desk.sees("8bd1c1f0 a3e59788 42b0c5c3 d1f7e290 6a5b4c3d 2e1f0099 88776655 44332211");
    desk.sees("8  undecided  omemo:2");
    desk.keys("v");
    desk.sees("Is it the same, group by group?");
    desk.keys("y");
    assert_eq!(desk.called("verify"), json!({"jid": "bob@x", "device": 7, "fingerprint": KEY, "account": ME}));
    desk.sees("verified: bob, device 7");
    desk.keys("jt");
    assert_eq!(desk.called("trust"), json!({"jid": "bob@x", "device": 8, "fingerprint": KEY, "level": "trusted", "account": ME}));
    desk.keys("u");
    assert_eq!(desk.called("trust")["level"], "untrusted");
    desk.keys("s");
    assert_eq!(desk.called("replace_session"), json!({"jid": "bob@x", "device": 8, "account": ME}));
    desk.keys("a");
    desk.sees("only own devices are approved");
    desk.keys("lxmpp:bob@x?omemo-sid-7=aa<Enter>");
    assert_eq!(desk.called("verify")["uri"], "xmpp:bob@x?omemo-sid-7=aa");
    desk.keys("by");
    assert_eq!(desk.called("block"), json!({"jid": "bob@x", "account": ME}));
    // one's own
    desk.keys("o");
    desk.sees("Your own devices");
    desk.sees("new: awaits approval");
    desk.keys("D");
    desk.sees("that is this device itself");
    desk.keys("jA");
    desk.sees("gets the history");
    desk.keys("y");
    assert_eq!(desk.called("approve"), json!({"device": 2, "fingerprint": KEY, "history": true, "account": ME}));
    desk.keys("Dy");
    assert_eq!(desk.called("remove_device"), json!({"device": 2, "account": ME}));
    desk.keys("c");
    let link: String = desk.rows().iter().filter_map(|row| row.split("██  ").nth(1)?.strip_suffix('│')).map(str::trim).collect();
    assert_eq!(link, format!("xmpp:alice@x?omemo-sid-1={KEY}"));
    desk.keys("<Esc>o");
    desk.sees("Devices of bob@x");
}

#[test]
fn the_code_is_whole_on_a_small_screen() {
    let mut desk = with_devices();
    desk.keys("oc");
    let shown = desk.rows();
    let modules = shown.iter().filter(|row| row.contains('█') || row.contains('▀') || row.contains('▄')).count();
    assert!(modules >= 18, "{}", desk.text());
}

#[test]
fn a_search_finds_and_goes_there() {
    let mut desk = Desk::with_bob(5000);
    desk.keys("<C-f>massage");
    desk.sees("nothing found");
    desk.keys("<C-u>17");
    assert_eq!(desk.called("search")["query"], "17");
    desk.sees("message 1799");
    desk.keys("<C-u>1234<Enter>");
    desk.sees("message 1234");
    desk.sees("message 1230");
    desk.sees("message 1238");
    assert_eq!(desk.screen.page().unwrap().selected, Some(1234));
    // and back to the end
    desk.keys("G");
    desk.sees("message 5000");
    // an older answer does not overwrite a newer one
    desk.keys("<C-f>");
    let first = desk.held("1");
    let second = desk.held("2");
    desk.fake.calls.clear();
    let answer = |n| Ok(json!(Messages { messages: vec![entry("bob@x", n, "bob@x", &format!("found {n}"))], more: false }));
    desk.event(Event::Answer(second[0].0.clone(), answer(2)));
    desk.event(Event::Answer(first[0].0.clone(), answer(1)));
    desk.sees("found 2");
}

#[test]
fn a_chat_and_a_room_are_begun() {
    let mut desk = Desk::new(Fake::default());
    desk.sees("no chats yet");
    desk.keys("nnowhere<Enter>");
    desk.sees("that is no address");
    desk.keys("nbob@x<Enter>hi<Enter>");
    assert_eq!(desk.called("send")["to"], "bob@x");
    desk.keys("<Tab>NTea<Enter>");
    assert_eq!(desk.called("room_create"), json!({"name": "Tea", "account": ME}));
    desk.sees("#Tea");
    desk.fake.members = vec![
        Member { jid: ME.into(), affiliation: "owner".into(), nick: Some("alice".into()), here: true },
        Member { jid: "bob@x".into(), affiliation: "member".into(), nick: None, here: false },
    ];
    desk.keys("<A-m>");
    desk.sees("alice@x (you)");
    desk.sees("away  bob@x  member");
    desk.keys("Icarol@y<Enter>");
    assert_eq!(desk.called("room_invite"), json!({"room": "tea@rooms.x", "jid": "carol@y", "account": ME}));
    desk.keys("x");
    assert_eq!(desk.called("room_leave_out")["leave_out"], true);
    desk.keys("jDy");
    assert_eq!(desk.called("room_remove"), json!({"room": "tea@rooms.x", "jid": "bob@x", "account": ME}));
    desk.keys("Ly");
    assert_eq!(desk.called("room_leave"), json!({"room": "tea@rooms.x", "account": ME}));
    desk.sees_not("#Tea");
    desk.keys("Jtea@rooms.x<Enter>");
    assert_eq!(desk.called("room_join"), json!({"room": "tea@rooms.x", "account": ME}));
}

#[test]
fn notices_stay_until_they_are_acknowledged() {
    let mut desk = Desk::with_bob(1);
    let seen = |seq, jid: &str| {
        let (account, device, fingerprint) = (ME.into(), DeviceNumber::Number(9), KEY.into());
        Notification::DeviceNew(DeviceSeen { account, seq, again: false, jid: jid.into(), device, fingerprint, trust: Level::Undecided })
    };
    let message = json!({"method": "message", "params": {
        "account": ME, "seq": 3, "id": "m", "from": "bob@x", "chat": "bob@x", "device": null, "protocol": null, "trust": null, "text": "hi", "time": START,
    }});
    desk.note(seen(4, ME));
    desk.note(seen(4, ME)); // again, from another process
    desk.note(seen(5, "bob@x"));
    desk.note(serde_json::from_value(message).unwrap());
    assert_eq!(desk.fake.shown, [3], "a message is in the history; a notice is not shown yet");
    desk.note(Notification::Invitation(Invitation {
        account: ME.into(),
        room: "tea@rooms.x".into(),
        from: "bob@x".into(),
        by_room: false,
        reason: Some("come".into()),
    }));
    let (code, sentence) = ("opt-out".to_owned(), "The contact asks to stop.".to_owned());
    desk.note(Notification::Warning(Warned { account: ME.into(), seq: 6, again: false, code, chat: Some("bob@x".into()), device: None, sentence }));
    desk.sees("4 notices: Alt-N");
    desk.keys("<A-n>");
    desk.sees("bob invites you to the room tea@rooms.x: come.");
    desk.sees("A new device 9 of your own account.");
    desk.keys("ja");
    assert_eq!(desk.fake.shown, [3, 4]);
    desk.keys("je");
    assert_eq!((desk.called("go_on")["chat"].as_str(), desk.fake.shown.as_slice()), (Some("bob@x"), [3, 4, 6].as_slice()));
    desk.keys("A");
    assert_eq!(desk.fake.shown, [3, 4, 6, 5]);
    desk.keys("gy");
    assert_eq!(desk.called("room_join")["room"], "tea@rooms.x");
    desk.sees_not("notice");
    assert_eq!(desk.screen.page().unwrap().chat, "tea@rooms.x");
}

#[test]
fn help_is_whole_and_can_be_read_to_its_end() {
    let mut desk = Desk::with_bob(1);
    desk.keys("<F1>");
    desk.sees("Ctrl-Q");
    let mut seen = desk.text();
    for _ in 0..40 {
        desk.keys("<PgDn>");
        seen.push_str(&desk.text());
    }
    for (_, names, what) in crate::tui::keys::help() {
        let first: String = what.chars().take(20).collect();
        assert!(seen.contains(&names) && seen.contains(&first), "{names} {what}");
    }
    desk.sees("can't be read");
    let end = desk.text();
    desk.keys("<End><Up>");
    assert_ne!(desk.text(), end);
    desk.keys("q");
    desk.sees("message 1");
}

#[test]
fn accounts_are_switched_and_keep_their_places() {
    let mut desk = Desk::with_bob(1);
    desk.keys("draft");
    // what is told of one that is not known yet is not lost
    let boss = chat("boss@y", Some(entry("boss@y", 1, "boss@y", "well?")), 3);
    desk.fake.elsewhere = vec![boss.clone()];
    let (code, sentence) = ("rolled-back".to_owned(), "The memory of this device is older.".to_owned());
    desk.note(Notification::Warning(Warned { account: "work@y".into(), seq: 6, again: true, code, chat: None, device: None, sentence }));
    desk.sees("1 notice");
    desk.sees("3 unread elsewhere");
    desk.keys("<A-s>j<Enter>");
    desk.sees("work@y  connecting");
    desk.sees("well?");
    desk.keys("<A-s>k<Enter>");
    desk.sees("> draft");
}

#[test]
fn how_it_stands_is_what_was_told_last_though_an_older_answer_comes_later() {
    let mut desk = Desk::with_bob(1);
    let lost = Notification::Connection(Connection { account: ME.into(), state: State::Connecting, reason: Some("gone".into()), code: None });
    desk.note(lost);
    desk.sees_not("online");
    // asked before, when it was online
    let answer = desk.fake.answer(&Call::Status(Scope::default()));
    desk.event(Event::Answer(Tag::Status, answer));
    desk.sees_not("online");
}
#[test]
fn a_connection_that_comes_back_brings_what_was_missed() {
    let mut desk = Desk::with_bob(3);
    let link = |state| Notification::Connection(Connection { account: ME.into(), state, reason: Some("the server is gone".into()), code: None });
    desk.note(link(State::Connecting));
    desk.sees("connecting: the server is gone");
    let missed = entry("bob@x", 4, "bob@x", "missed");
    desk.fake.entries.get_mut("bob@x").unwrap().push(missed);
    desk.note(link(State::Online));
    desk.sees("missed");
    desk.sees("online");
    desk.sees_not("the server is gone");
}
