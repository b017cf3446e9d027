//! Messages: shown, written, answered, changed.
use super::*;

#[test]
fn a_chat_on_eighty_by_twenty_four() {
    let mut desk = Desk::with_bob(4);
    desk.sees("message 4");
    let rows = desk.rows();
    let bar = format!("{}│", " ".repeat(26));
    let mut expected = vec!["alice@x  online".to_owned(), "›▪bob                     │bob  bob@x".into(), "  message 4               │".into()];
    expected.extend(vec![bar.clone(); 13]);
    expected.extend(
        [
            "───────────── Friday, 27 November 2026 ──────────────",
            "14:04   bob: message 1",
            "14:05   bob: message 2",
            "14:06   you: message 3  sent",
            "14:07   bob: message 4",
            "─ ▪ encrypted ───────────────────────────────────────",
            "> ",
        ]
        .map(|row| format!("{bar}{row}").trim_end().to_owned()),
    );
    expected.push("Enter send  Tab messages  Alt-↑↓ chats  Ctrl-F search  Ctrl-T keys  F1 help".into());
    assert_eq!(rows, expected, "{}", desk.text());
    desk.keys("<C-f>");
    desk.sees("Search everywhere");
}

#[test]
fn what_is_written_is_sent_and_comes_back_where_it_failed() {
    let mut desk = Desk::with_bob(3);
    desk.keys("hello<A-Enter>there");
    desk.sees("> hello");
    assert_eq!(desk.called("typing"), json!({"to": "bob@x", "composing": true, "account": ME}));
    desk.keys("<Enter>");
    assert_eq!(desk.called("send"), json!({"to": "bob@x", "text": "hello\nthere", "account": ME}));
    desk.sees_not("> hello");
    desk.keys("<Up>");
    desk.sees("> hello");
    desk.keys("<C-u><BS><C-u>");
    // not sent: nothing is lost, and the reason stands below
    desk.fake.fails = Some(("send", failure("connect.x")));
    desk.keys("again<Enter>");
    desk.sees("> again");
    desk.sees("it did not work; try again");
    // queued is not failed
    desk.fake.fails = Some(("send", failure("send.queued")));
    desk.keys("<Enter>");
    desk.sees_not("> again");
}

#[test]
fn what_is_pasted_keeps_its_lines_and_sends_nothing() {
    for end in ["\r", "\n", "\r\n"] {
        let mut desk = Desk::with_bob(1);
        desk.event(Event::Paste(["one", "two", "/quit"].join(end)));
        assert!(desk.text().contains("one") && !desk.text().contains("onetwo"), "{}", desk.text());
        desk.keys("<Enter>");
        assert_eq!(desk.called("send")["text"], "one\ntwo\n/quit");
    }
}

#[test]
fn a_message_is_answered_corrected_and_taken_back() {
    let mut desk = Desk::with_bob(4);
    desk.keys("<Tab>r");
    desk.sees("↪ answers bob: message 4");
    desk.keys("yes<Enter>");
    assert_eq!(desk.called("reply"), json!({"chat": "bob@x", "of": 4, "text": "yes", "account": ME}));
    // not one's own
    desk.keys("<Tab>e");
    desk.sees("that is for messages of one's own");
    desk.keys("ke");
    desk.sees("> message 3");
    desk.keys("!<Enter>");
    assert_eq!(desk.called("edit"), json!({"chat": "bob@x", "of": 3, "text": "message 3!", "account": ME}));
    desk.keys("<Tab>kd");
    desk.sees("Take this message back?");
    desk.keys("n");
    assert_eq!(desk.count("retract"), 0);
    desk.keys("dy");
    assert_eq!(desk.called("retract"), json!({"chat": "bob@x", "of": 3, "account": ME}));
    desk.keys("+1<Enter>");
    assert_eq!(desk.called("react"), json!({"chat": "bob@x", "of": 3, "emojis": ["👍"], "account": ME}));
    desk.keys("+<Enter>");
    assert_eq!(desk.called("react")["emojis"], json!([]));
}

#[test]
fn every_state_of_a_message_is_seen() {
    let mut desk = Desk::with_bob(1);
    let mut put = |place, change: &dyn Fn(&mut Entry)| {
        let mut one = entry("bob@x", place, if place % 2 == 0 { ME } else { "bob@x" }, &format!("text {place}"));
        change(&mut one);
        desk.entry(one);
    };
    put(2, &|e| e.state = Some(Way::Queued));
    put(4, &|e| e.state = Some(Way::Displayed));
    put(5, &|e| e.trust = Some(Level::Verified));
    put(6, &|e| (e.state, e.reason) = (Some(Way::Failed), Some("no-device".into())));
    put(7, &|e| (e.text, e.undecryptable) = (None, Some("no-session".into())));
    put(8, &|e| e.edited = true);
    put(9, &|e| (e.text, e.retracted) = (None, Some("bob@x".into())));
    put(11, &|e| e.reply = Some(Answered { of: "m2".into(), place: Some(2), from: Some(ME.into()), text: Some("text 2".into()) }));
    put(13, &|e| e.reactions = vec![Reacted { emoji: "👍".into(), from: vec![ME.into(), "carol@y".into()], unsure: Vec::new() }]);
    put(15, &|e| (e.encrypted, e.trust) = (false, None));
    put(17, &|e| e.trust = Some(Level::Undecided));
    desk.resize(100, 40);
    for what in [
        "you: text 2  queued",
        "you: text 4  read",
        "✓ bob: text 5",
        "failed: No device is left",
        "✗ bob: can't be read. There is no session",
        "text 8  edited · sent",
        "(taken back by bob)",
        "bob ↪ you: text 2",
        "text 11",
        "👍 2 with you",
        "o bob: text 15  in clear",
        "? bob: text 17",
    ] {
        desk.sees(what);
    }
    // details of the undecided one
    desk.keys("<Tab><Enter>");
    desk.sees("device   7 undecided");
    desk.sees("encrypted");
}

#[test]
fn reading_marks_and_only_what_was_seen() {
    let mut fake = Fake::with(30);
    fake.chats[0].unread = 2;
    fake.entries.values_mut().flatten().filter(|e| e.place == 28 || e.place == 29).for_each(|e| e.unread = true);
    let mut desk = Desk::new(fake);
    assert_eq!(desk.count("mark_read"), 0);
    desk.keys("<Enter>");
    assert_eq!(desk.called("mark_read"), json!({"from": "bob@x", "id": "m29", "since": 13, "account": ME}));
    desk.sees("─ new ─");
    // without the attention, or scrolled up, nothing is read
    desk.event(Event::Focus(false));
    desk.entry(entry("bob@x", 31, "bob@x", "unseen"));
    assert_eq!(desk.count("mark_read"), 1);
    desk.event(Event::Focus(true));
    assert_eq!(desk.called("mark_read")["id"], "m31");
    desk.keys("<PgUp>");
    desk.entry(entry("bob@x", 32, "bob@x", "below"));
    desk.sees_not("below                ");
    desk.sees("more below");
    assert_eq!(desk.count("mark_read"), 2);
    desk.keys("<PgDn>");
    assert_eq!(desk.called("mark_read")["id"], "m32");
}

/// It stands where it was written: what is on the screen does not read it.
#[test]
fn what_came_late_is_read_where_it_stands() {
    let mut desk = Desk::with_bob(200);
    let late = |place: i64| Entry { text: Some(format!("late {place}")), ..entry("bob@x", place, "bob@x", "") };
    // in the window, above the screen
    desk.entry(late(140));
    desk.entry(entry("bob@x", 201, "bob@x", "now"));
    assert_eq!((desk.called("mark_read")["id"].clone(), desk.count("mark_read")), (json!("m201"), 1));
    assert!(desk.called("mark_read")["since"].as_i64().unwrap() > 140);
    for _ in 0..10 {
        if !desk.text().contains("late 140") {
            desk.keys("<PgUp>");
        }
    }
    desk.sees("late 140");
    assert_eq!((desk.called("mark_read")["id"].clone(), desk.count("mark_read")), (json!("m140"), 2));
    // before the window: nobody would see it
    desk.fake.entries.get_mut("bob@x").unwrap()[19] = Entry { unread: true, ..late(20) };
    desk.entry(late(20));
    desk.entry(late(20));
    assert_eq!(desk.count("mark_read"), 2);
    desk.keys("<A-n>");
    desk.sees("A message of bob from");
    desk.keys("<Enter>");
    desk.sees("late 20");
    assert_eq!((desk.called("mark_read")["id"].clone(), desk.count("mark_read")), (json!("m20"), 3));
}
/// What proves nothing is shown as that.
#[test]
fn what_was_said_in_clear_is_marked() {
    let mut desk = Desk::with_bob(3);
    let put = |desk: &mut Desk, place: i64, change: &dyn Fn(&mut Entry)| {
        let mut entry = entry("bob@x", place, if place == 9 { ME } else { "bob@x" }, &format!("text {place}"));
        change(&mut entry);
        desk.entry(entry);
    };
    put(&mut desk, 4, &|e| (e.corrects, e.beside) = (Some("m1".into()), true));
    put(&mut desk, 5, &|e| e.claimed = Some("bob@x".into()));
    put(&mut desk, 6, &|e| e.reactions = vec![Reacted { emoji: "👍".into(), from: vec!["bob@x".into()], unsure: vec!["bob@x".into()] }]);
    put(&mut desk, 7, &|e| (e.from, e.nick) = ("bob@x".into(), Some("eve\u{202e}".into())));
    put(&mut desk, 9, &|e| (e.state, e.unsure) = (Some(Way::Displayed), true));
    for line in [
        "text 4  corrects another, said in clear",
        "taken back, it is said: not proved",
        "👍 bob (not proved)",
        "bob/eve\u{fffd}: text 7",
        "text 9  read, not proved",
    ] {
        desk.sees(line);
    }
}

#[test]
fn drafts_stay_with_their_chats() {
    let mut fake = Fake::with(3);
    fake.chats.push(chat("carol@x", None, 0));
    let mut desk = Desk::new(fake);
    desk.keys("<Enter>");
    let first = desk.screen.page().unwrap().chat.clone();
    desk.keys("for the first<A-Down>");
    assert_ne!(desk.screen.page().unwrap().chat, first);
    desk.sees_not("for the first");
    desk.keys("second<A-Up>");
    desk.sees("> for the first");
    desk.keys("<C-q>");
    desk.sees("There is text that was not sent");
    assert!(!desk.fake.ended);
    desk.keys("y");
    assert!(desk.fake.ended);
}

#[test]
fn commands_do_what_they_say_and_unknown_ones_stay() {
    let mut desk = Desk::with_bob(1);
    desk.keys("/nonsense<Enter>");
    desk.sees("there is no command /nonsense");
    desk.sees("> /nonsense");
    desk.keys("<C-u>//slash<Enter>");
    assert_eq!(desk.called("send")["text"], "/slash");
    desk.keys("/chat carol@y<Enter>");
    assert_eq!(desk.screen.page().unwrap().chat, "carol@y");
    desk.keys("/backup /tmp/x<Enter>secret<Enter>secreT<Enter>");
    desk.sees("differ");
    desk.keys("/backup /tmp/x<Enter>secret<Enter>");
    desk.sees_not("secret");
    desk.keys("secret<Enter>");
    assert_eq!(desk.called("backup"), json!({"path": "/tmp/x", "passphrase": "secret", "account": ME}));
    desk.sees("messages in the file: 5");
    desk.keys("/erase<Enter>y");
    assert_eq!(desk.called("erase"), json!({"chat": "carol@y", "account": ME}));
}

#[test]
fn members_without_keys_are_named_before_anything_is_sent() {
    let mut fake = Fake::default();
    fake.chats.push(chat("tea@rooms.x", None, 0));
    let mut details = SendResult::default();
    details.left_out.push("carol@y".into());
    let mut desk = Desk::new(fake);
    desk.keys("<Enter>");
    desk.fake.fails = Some(("send", Failure { details: Some(Box::new(details)), ..failure("send.members-without-keys") }));
    desk.keys("hello<Enter>");
    desk.sees("carol@y: no device that could decrypt");
    desk.keys("n");
    desk.sees("> hello");
    desk.fake.fails = Some(("send", failure("send.members-without-keys")));
    desk.keys("<Enter>y");
    assert_eq!(desk.called("room_leave_out"), json!({"room": "tea@rooms.x", "leave_out": true, "account": ME}));
    assert_eq!((desk.count("send"), desk.called("send")["text"].as_str()), (3, Some("hello")));
    desk.sees_not("> hello");
}
