//! Much of everything: nothing that is done per picture grows with it.
use super::*;
use crate::tui::model::LIMIT;

#[test]
fn ten_thousand_messages_are_scrolled_through_in_a_window() {
    let mut desk = Desk::with_bob(10_000);
    desk.resize(80, 90);
    desk.sees("message 10000");
    let mut pages = 0;
    let mut text = desk.text();
    while !text.contains(": message 1\n") {
        desk.keys("<PgUp>");
        let next = desk.text();
        assert_ne!(text, next, "stuck after {pages} pages");
        assert!(desk.screen.page().unwrap().entries.len() <= LIMIT);
        text = next;
        pages += 1;
        assert!(pages < 200);
    }
    // no message was jumped over on the way back
    let mut next = 2;
    for _ in 0..=pages {
        let text = desk.text();
        // of the messages, not of the list beside them
        let number = |row: &str| row.split(": message ").nth(1)?.split(' ').next()?.parse::<i64>().ok();
        for n in text.lines().filter_map(number) {
            assert!(n <= next, "{n} instead of {next}:\n{text}");
            next = next.max(n + 1);
        }
        desk.keys("<PgDn>");
        assert!(desk.screen.page().unwrap().entries.len() <= LIMIT);
    }
    assert_eq!(next, 10_001);
    assert!(desk.screen.page().unwrap().at_end());
    assert!(desk.fake.calls.len() < 400, "{}", desk.fake.calls.len());
}

#[test]
fn what_comes_does_not_move_what_is_read() {
    let mut desk = Desk::with_bob(200);
    desk.keys("<PgUp><PgUp>");
    let before: Vec<_> = desk.rows().into_iter().skip(2).take(18).map(|row| row.chars().skip(27).collect::<String>()).collect();
    for place in 201..=900 {
        desk.entry(entry("bob@x", place, "bob@x", "further"));
    }
    let after: Vec<_> = desk.rows().into_iter().skip(2).take(18).map(|row| row.chars().skip(27).collect::<String>()).collect();
    assert_eq!(before, after);
    assert!(desk.screen.page().unwrap().entries.len() <= LIMIT);
    desk.keys("<Esc>");
    desk.sees("further");
}

#[test]
fn what_comes_is_put_in_its_place_or_loaded_later() {
    let mut desk = Desk::with_bob(1000);
    // late, by its time between others
    let late = entry("bob@x", 998, "bob@x", "late");
    let texts = |desk: &Desk| desk.screen.page().unwrap().entries.iter().rev().take(3).map(|e| e.place).collect::<Vec<_>>();
    desk.screen.accounts[0].page.as_mut().unwrap().entries.retain(|e| e.place != 998);
    desk.entry(late);
    assert_eq!(texts(&desk), [1000, 999, 998]);
    // far from the end: not shown as if it followed
    desk.keys("<C-f>message 100<Enter>");
    desk.sees("message 100");
    let newest = entry("bob@x", 1001, "bob@x", "message 1001");
    desk.fake.entries.get_mut("bob@x").unwrap().push(newest.clone());
    desk.entry(newest);
    for _ in 0..80 {
        desk.keys("<PgDn>");
        let places: Vec<_> = desk.screen.page().unwrap().entries.iter().map(|e| e.place).collect();
        assert!(places.windows(2).all(|two| two[1] == two[0] + 1), "{places:?}");
    }
    desk.sees("message 1001");
}

#[test]
fn five_hundred_chats_are_in_order_and_move() {
    let mut fake = Fake::default();
    for n in 0..500_i64 {
        let jid = format!("user{n:03}@x");
        fake.chats.push(chat(&jid, Some(entry(&jid, n, &jid, &format!("from {n}"))), 0));
    }
    let mut desk = Desk::new(fake);
    desk.sees("user499");
    desk.keys("<End>");
    desk.sees("user000");
    desk.keys("<Enter>");
    assert_eq!(desk.screen.page().unwrap().chat, "user000@x");
    desk.note(Notification::Chat(ChatChanged { account: ME.into(), chat: chat("user250@x", Some(entry("user250@x", 9000, "user250@x", "up")), 1) }));
    assert_eq!(desk.screen.accounts[0].chats[0].chat, "user250@x");
    desk.keys("<A-a>");
    assert_eq!(desk.screen.page().unwrap().chat, "user250@x");
}

#[test]
fn a_message_longer_than_the_screen_is_read_to_its_end() {
    let mut desk = Desk::with_bob(1);
    let words: Vec<_> = (0..2000).map(|n| format!("word{n}")).collect();
    desk.entry(entry("bob@x", 2, "bob@x", &words.join(" ")));
    desk.sees("word1999");
    let mut pages = 0;
    while !desk.text().contains("word0 ") {
        desk.keys("<PgUp>");
        pages += 1;
        assert!(pages < 60, "{}", desk.text());
    }
    for _ in 0..pages {
        desk.keys("<PgDn>");
    }
    desk.sees("word1999");
}
