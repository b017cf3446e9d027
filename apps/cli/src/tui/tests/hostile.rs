//! What others write can't drive the terminal, can't pass for something else, and breaks no layout.
use super::*;

const BAD: &str = "\x1b]0;owned\x07\x1b[2J\x1b[31m\u{9b}1m\r\u{202e}evil\u{2066}\n\x7fend";

fn harmless(text: &str) {
    assert!(!text.chars().any(|c| c != '\n' && (c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'))), "{text:?}");
}

#[test]
fn no_field_of_anything_reaches_the_terminal_as_it_is() {
    let mut fake = Fake::default();
    let mut one = entry("bob@x", 1, "bob@x", BAD);
    one.id = BAD.into();
    one.reply = Some(Answered { of: BAD.into(), place: None, from: Some(format!("{BAD}@x")), text: Some(BAD.into()) });
    one.reactions = vec![Reacted { emoji: BAD.into(), from: vec![format!("{BAD}@x")], unsure: Vec::new() }];
    one.device = Some(DeviceNumber::Name(BAD.into()));
    let mut two = entry("bob@x", 2, ME, "x");
    (two.state, two.reason) = (Some(Way::Failed), Some(BAD.into()));
    let mut three = entry("bob@x", 3, &format!("{BAD}@y"), "x");
    three.retracted = Some(format!("{BAD}@z"));
    fake.entries.insert("bob@x".into(), vec![one.clone(), two, three]);
    let mut room = chat("t@rooms.x", Some(one.clone()), 9);
    room.name = Some(BAD.into());
    room.why = Some(BAD.into());
    room.lock = Lock::Impossible;
    fake.chats = vec![chat("bob@x", Some(one), 1), room, chat(&format!("{BAD}@q"), None, 0)];
    let mut bad = device("bob@x", 7, Level::Trusted);
    (bad.label, bad.protocols, bad.fingerprint) = (Some(BAD.into()), vec![BAD.into()], Some(BAD.into()));
    let mut named = device("bob@x", 7, Level::Trusted);
    named.device = DeviceNumber::Name(BAD.into());
    fake.devices.insert("bob@x".into(), vec![bad, named]);
    fake.members = vec![Member { jid: format!("{BAD}@x"), affiliation: BAD.into(), nick: Some(BAD.into()), here: true }];
    let mut desk = Desk::new(fake);
    harmless(&desk.text());
    let keys = [
        "<Enter>",
        "<Tab>k",
        "<Enter>",
        "<Esc>r",
        "<C-t>",
        "v",
        "n<Esc>",
        "<C-f>",
        "evil",
        "<Esc>",
        "<A-Down>",
        "<A-m>",
        "D",
        "n<Esc>",
        "<A-Down>",
        "<A-n>",
        "<Esc>/trust ",
        "<Enter>",
    ];
    let note = |n: Notification| n;
    let notes = [
        note(Notification::Connection(Connection { account: ME.into(), state: State::Refused, reason: Some(BAD.into()), code: None })),
        Notification::Invitation(Invitation {
            account: ME.into(),
            room: format!("{BAD}@x"),
            from: format!("{BAD}@x"),
            by_room: true,
            reason: Some(BAD.into()),
        }),
        Notification::Warning(Warned {
            account: ME.into(),
            seq: 1,
            again: false,
            code: BAD.into(),
            chat: Some(BAD.into()),
            device: None,
            sentence: BAD.into(),
        }),
        Notification::Typing(TypingSeen { account: ME.into(), from: format!("{BAD}@x"), chat: Some("bob@x".into()), composing: true }),
        Notification::LeftOut(LeftOut { account: ME.into(), from: Some(BAD.into()), reason: BAD.into() }),
        Notification::Bounced(Bounced { account: ME.into(), id: BAD.into(), from: BAD.into(), condition: BAD.into(), status: None, reason: None }),
        Notification::Room(RoomNews {
            account: ME.into(),
            room: "t@rooms.x".into(),
            event: RoomEvent::Removed,
            jid: Some(BAD.into()),
            reason: Some(BAD.into()),
        }),
    ];
    notes.into_iter().for_each(|note| desk.note(note));
    for keys in keys {
        desk.keys(keys);
        harmless(&desk.text());
    }
    desk.event(Event::Paste(BAD.into()));
    harmless(&desk.text());
}

#[test]
fn nobody_looks_like_somebody_else() {
    let mut desk = Desk::with_bob(1);
    desk.entry(entry("bob@x", 2, "bob@y", "from another domain"));
    desk.sees("bob@y: from another");
    desk.entry(entry("bob@x", 3, "you@x", "not you"));
    desk.sees("you@x: not you");
    // rows that another message fakes are indented as its own
    desk.entry(entry("bob@x", 4, "bob@x", "hi\n14:09   you: I agree"));
    assert!(desk.rows().iter().any(|row| row.ends_with("│        14:09   you: I agree")), "{}", desk.text());
}

#[test]
fn wide_and_right_to_left_signs_stay_in_their_columns() {
    let mut desk = Desk::with_bob(1);
    for (n, text) in [
        "日本語のとても長いメッセージです。折り返して表示されるはずです。絵文字も",
        "👨‍👩‍👧‍👦🏴󠁧󠁢󠁳󠁣󠁴󠁿👍🏽❤️ family",
        "שלום עולם",
        "e\u{301}\u{301}\u{301}",
        "\u{301}\u{301}",
        "ｆｕｌｌ",
    ]
    .into_iter()
    .enumerate()
    {
        desk.entry(entry("bob@x", 2 + i64::try_from(n).unwrap(), "bob@x", text));
    }
    for width in [24, 30, 40, 69, 70, 71, 80, 133] {
        for height in [8, 10, 24, 50] {
            desk.resize(width, height);
            for (y, row) in desk.rows().iter().enumerate() {
                assert!(crate::tui::text::width(row) <= usize::from(width), "{width}x{height}, {y}: {row:?}");
            }
        }
    }
    desk.resize(80, 24);
    desk.sees("日本語の");
    desk.sees("👨‍👩‍👧‍👦");
    desk.sees("שלום עולם");
    // the cursor of the composer is behind what is wide
    desk.keys("日本<Enter>");
    assert_eq!(desk.called("send")["text"], "日本");
}

#[test]
fn any_size_is_survived_in_any_state() {
    let mut desk = Desk::with_bob(300);
    for keys in [
        "",
        "<PgUp>",
        "<Tab>",
        "k",
        "<Enter>",
        "<Esc>",
        "<C-f>message",
        "<Esc>",
        "<C-t>",
        "c",
        "<Esc><Esc>",
        "<F1>",
        "<Esc>",
        "n",
        "<Esc>",
        "<Tab><Tab>",
        "long text that is written here<A-Enter>and here<A-Enter>x<A-Enter>y<A-Enter>z<A-Enter>0<A-Enter>1",
    ] {
        desk.keys(keys);
        for width in [0, 1, 5, 23, 24, 26, 27, 40, 70, 200] {
            for height in [0, 1, 3, 7, 8, 9, 24, 100] {
                desk.resize(width, height);
                desk.text();
            }
        }
        desk.resize(80, 24);
    }
}

#[test]
fn a_terminal_that_was_resized_since_is_survived() {
    let desk = Desk::with_bob(300);
    for (width, height) in [(1, 1), (79, 24), (80, 23), (81, 25), (300, 2)] {
        let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
        terminal.draw(|frame| draw(frame, &desk.screen, desk.theme)).unwrap();
    }
}

/// The groups of a fingerprint: in their own colours where the terminal has them, in the list and where they are compared.
#[test]
fn a_fingerprint_has_its_colours() {
    use ratatui::style::Color;
    let mut fake = Fake::with(3);
    fake.devices.insert("bob@x".into(), vec![device("bob@x", 7, Level::Trusted)]);
    let mut desk = Desk::new(fake);
    desk.keys("<Enter><C-t>");
    for keys in ["", "v"] {
        desk.keys(keys);
        for (depth, [r, g, b]) in [(Depth::None, [0; 3]), (Depth::Direct, crate::colour::of(&KEY[..8]))] {
            desk.theme.depth = depth;
            let mut terminal = Terminal::new(TestBackend::new(80, 24)).unwrap();
            terminal.draw(|frame| draw(frame, &desk.screen, desk.theme)).unwrap();
            let coloured = terminal.backend().buffer().content().iter().any(|cell| cell.fg == Color::Rgb(r, g, b));
            assert_eq!(coloured, depth == Depth::Direct, "{keys:?}");
        }
    }
}

#[test]
fn without_colours_everything_is_told_all_the_same() {
    let mut desk = Desk::with_bob(3);
    desk.theme.colours = false;
    desk.keys("<Tab>");
    let mut terminal = Terminal::new(TestBackend::new(80, 24)).unwrap();
    terminal.draw(|frame| draw(frame, &desk.screen, desk.theme)).unwrap();
    let buffer = terminal.backend().buffer();
    assert!(buffer.content().iter().all(|cell| cell.fg == ratatui::style::Color::Reset && cell.bg == ratatui::style::Color::Reset));
    assert!(buffer.content().iter().any(|cell| cell.modifier.contains(ratatui::style::Modifier::REVERSED)), "the chosen message is seen");
    // with them no background is painted: dark and light terminals keep theirs
    desk.theme.colours = true;
    terminal.draw(|frame| draw(frame, &desk.screen, desk.theme)).unwrap();
    let buffer = terminal.backend().buffer();
    assert!(buffer.content().iter().all(|cell| cell.bg == ratatui::style::Color::Reset));
    assert!(
        !buffer
            .content()
            .iter()
            .any(|cell| matches!(cell.fg, ratatui::style::Color::White | ratatui::style::Color::Black | ratatui::style::Color::Yellow))
    );
}
