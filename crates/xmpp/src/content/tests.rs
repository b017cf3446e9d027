#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, clippy::arithmetic_side_effects)]
use super::*;
use proptest::prelude::*;
use subrosa_engine::{ContentType, MessageId, Plaintext};

fn of(run: &str) -> Option<Content> {
    read(&Plaintext::new(ContentType::STANZA, run)).unwrap()
}
fn written(content: &Content) -> String {
    String::from_utf8(write(content).unwrap()).unwrap().replace('"', "'")
}
fn text(text: &str) -> Option<Content> {
    Some(Content::Text(text.into()))
}
fn reply(id: &str, author: Option<&str>, text: &str) -> Option<Content> {
    Some(Content::Reply { of: id.into(), author: author.map(Into::into), text: text.into(), quote: String::new() })
}
fn reaction(id: &str, emojis: &[&str]) -> Option<Content> {
    Some(Content::Reaction { of: id.into(), emojis: emojis.iter().map(|e| (*e).to_owned()).collect() })
}

#[test]
fn the_specifications_examples_are_read() {
    let fallback = |end: u32| format!("<fallback xmlns='urn:xmpp:fallback:0' for='urn:xmpp:reply:0'><body start='0' end='{end}'/></fallback>");
    for (run, content) in [
        // XEP-0461
        ("<body>Great idea!</body><reply to='anna@example.com/tablet' id='message-id1' xmlns='urn:xmpp:reply:0'/>".to_owned(), reply("message-id1", Some("anna@example.com"), "Great idea!")),
        (format!("<body>&gt; Anna wrote:\n&gt; We should bake a cake\nGreat idea!</body><reply to='anna@example.com/laptop' id='message-id1' xmlns='urn:xmpp:reply:0'/>{}", fallback(38)), reply("message-id1", Some("anna@example.com"), "Great idea!")),
        // XEP-0428
        (format!("<body>&gt; Anna wrote:\n&gt; Hi, how are you?\nGreat</body><reply to='anna@example.com' id='message-id1' xmlns='urn:xmpp:reply:0'/>{}", fallback(33)), reply("message-id1", Some("anna@example.com"), "Great")),
        // XEP-0444
        ("<reactions id='744f6e18-a57a-11e9-a656-4889e7820c76' xmlns='urn:xmpp:reactions:0'><reaction>\u{1f44b}</reaction><reaction>\u{1f422}</reaction></reactions><store xmlns='urn:xmpp:hints'/>".into(), reaction("744f6e18-a57a-11e9-a656-4889e7820c76", &["\u{1f44b}", "\u{1f422}"])),
        ("<reactions id='744f6e18' xmlns='urn:xmpp:reactions:0'/><store xmlns='urn:xmpp:hints'/>".into(), reaction("744f6e18", &[])),
        // XEP-0308
        ("<body>But soft, what light through yonder window breaks?</body><replace id='bad1' xmlns='urn:xmpp:message-correct:0'/>".into(), Some(Content::Correction { of: "bad1".into(), text: "But soft, what light through yonder window breaks?".into() })),
        // XEP-0424, and as its version 0.3 had it
        ("<retract id='wrong-recipient-1' xmlns='urn:xmpp:message-retract:1'/><fallback xmlns='urn:xmpp:fallback:0' for='urn:xmpp:message-retract:1'/><body>/me retracted a previous message, but it's unsupported by your client.</body><store xmlns='urn:xmpp:hints'/>".into(), Some(Content::Retraction { of: "wrong-recipient-1".into() })),
        ("<apply-to id='origin-id-1' xmlns='urn:xmpp:fasten:0'><retract xmlns='urn:xmpp:message-retract:0'/></apply-to><fallback xmlns='urn:xmpp:fallback:0'/><body>This person attempted to retract a previous message.</body>".into(), Some(Content::Retraction { of: "origin-id-1".into() })),
        // XEP-0184, XEP-0333
        ("<received xmlns='urn:xmpp:receipts' id='richard2-4.1.247'/>".into(), Some(Content::Delivered { of: "richard2-4.1.247".into() })),
        ("<thread>Act IV, Scene I</thread><displayed xmlns='urn:xmpp:chat-markers:0' id='39K7ZYIp'/>".into(), Some(Content::Displayed { of: "39K7ZYIp".into() })),
        ("<received xmlns='urn:xmpp:chat-markers:0' id='1'/>".into(), Some(Content::Delivered { of: "1".into() })),
        ("<acknowledged xmlns='urn:xmpp:chat-markers:0' id='1'/>".into(), Some(Content::Displayed { of: "1".into() })),
        // XEP-0085
        ("<composing xmlns='http://jabber.org/protocol/chatstates'/>".into(), Some(Content::Typing(Typing::Composing))),
        ("<body>Who's there?</body><active xmlns='http://jabber.org/protocol/chatstates'/>".into(), text("Who's there?")),
        // XEP-0384
        ("<opt-out xmlns='urn:xmpp:omemo:2'>\n<reason>\n Sorry, but for compliance reasons I need a record.\n</reason></opt-out>".into(), Some(Content::OptOut { reason: "Sorry, but for compliance reasons I need a record.".into() })),
    ] {
        assert_eq!(of(&run), content, "{run}");
    }
}

/// As an engine hands it on: what was encrypted, and within an element of its own what stood in clear beside it.
#[test]
fn what_stands_in_clear_beside_the_words_hides_none_of_them() {
    let body = "<body>&gt; What is it?\nA nightingale.</body>";
    let words = "> What is it?\nA nightingale.";
    let all =
        |beside: &str| said(&Plaintext::new(ContentType::STANZA, format!("{body}<beside xmlns='urn:subrosa:omemo:0'>{beside}</beside>"))).unwrap();
    let reply_to = "<reply xmlns='urn:xmpp:reply:0' id='1' to='anna@example.com'/><fallback xmlns='urn:xmpp:fallback:0' for='urn:xmpp:reply:0'><body start='0' end='14'/></fallback>";
    let replace = "<replace xmlns='urn:xmpp:message-correct:0' id='1'/>";
    let retract = "<retract xmlns='urn:xmpp:message-retract:1' id='1'/><fallback xmlns='urn:xmpp:fallback:0' for='urn:xmpp:message-retract:1'/>";
    let claim = Some(Content::Retraction { of: "1".into() });
    for (beside, expected) in [
        (reply_to, Said { content: reply("1", Some("anna@example.com"), words), beside: true, claim: None }),
        (replace, Said { content: Some(Content::Correction { of: "1".into(), text: words.into() }), beside: true, claim: None }),
        (retract, Said { content: text(words), beside: false, claim: claim.clone() }),
        (&format!("{retract}{replace}{reply_to}"), Said { content: text(words), beside: false, claim }),
        // notices and reactions there are nothing at all
        (
            "<reactions xmlns='urn:xmpp:reactions:0' id='1'/><displayed xmlns='urn:xmpp:chat-markers:0' id='1'/><opt-out xmlns='urn:xmpp:omemo:2'/>",
            Said { content: text(words), ..Said::default() },
        ),
    ] {
        assert_eq!(all(beside), expected, "{beside}");
        assert_eq!(of(&format!("{body}<beside xmlns='urn:subrosa:omemo:0'>{beside}</beside>")), text(words));
    }
    // what was encrypted says itself what it is
    let inside = |own: &str| {
        said(&Plaintext::new(ContentType::STANZA, format!("<body>x</body>{own}<beside xmlns='urn:subrosa:omemo:0'>{replace}{retract}</beside>")))
            .unwrap()
    };
    let own = Some(Content::Correction { of: "2".into(), text: "x".into() });
    assert_eq!(inside("<replace xmlns='urn:xmpp:message-correct:0' id='2'/>"), Said { content: own, ..Said::default() });
    let plain =
        Plaintext::new(ContentType::STANZA, "<body>x</body><beside xmlns='urn:subrosa:omemo:0'><request xmlns='urn:xmpp:receipts'/></beside>");
    assert!(asks(&plain).receipt && !asks(&plain).displayed);
    assert_eq!(said(&Plaintext::text("x")).unwrap(), Said { content: text("x"), ..Said::default() });
}

/// The one body, or all that stands behind whole marked lines: nothing in between.
#[test]
fn marks_hide_whole_quoted_lines_and_no_more() {
    let body = "> \u{1f600} was sagst du?\nnicht das\nnein";
    let with = |marks: &str| of(&format!("<body>{body}</body><reply id='1' xmlns='urn:xmpp:reply:0'/>{marks}"));
    let mark = |of: &str, inner: &str| format!("<fallback xmlns='urn:xmpp:fallback:0' {of}>{inner}</fallback>");
    let region = |start: &str, end: &str| mark("for='urn:xmpp:reply:0'", &format!("<body start='{start}' end='{end}'/>"));
    let line = body.chars().position(|c| c == '\n').unwrap();
    let (at, after) = (line.to_string(), (line + 1).to_string());
    let rest = reply("1", None, "nicht das\nnein");
    assert_eq!(with(&region("0", &after)), rest);
    assert_eq!(with(&region("0", &at)), rest, "the mark may end before the line does");
    assert_eq!(with(&mark("", &format!("<body end='{after}'/>"))), rest);
    // in two, in any order, one in the other
    for two in [["0", "4", "4", &after], ["3", &after, "0", "5"], ["0", &after, "1", "2"]] {
        let inner = format!("<body start='{}' end='{}'/><body start='{}' end='{}'/><subject/>", two[0], two[1], two[2], two[3]);
        assert_eq!(with(&mark("for='urn:xmpp:reply:0'", &inner)), rest, "{inner}");
    }
    // in the middle of a line, elsewhere, outside, backwards, nonsense, everything, of something else
    let whole = reply("1", None, body);
    let long = body.chars().count().to_string();
    for (start, end) in [
        ("0", "5"),
        ("1", &after),
        (&after, &long),
        ("0", "999999"),
        ("5", "0"),
        ("-1", "3"),
        ("0", "18446744073709551616"),
        ("x", ""),
        ("0", &long),
        ("0", "0"),
    ] {
        assert_eq!(with(&region(start, end)), whole, "{start} to {end}");
    }
    for marks in [
        mark("for='urn:xmpp:reply:0'", ""),
        mark("", ""),
        mark("for='urn:xmpp:reply:0'", "<body/>"),
        mark("for='urn:other'", &format!("<body start='0' end='{after}'/>")),
        mark("", "<subject start='0' end='3'/>"),
    ] {
        assert_eq!(with(&marks), whole, "{marks}");
    }
    // only an answer has a quotation
    assert_eq!(of(&format!("<body>{body}</body>{}", region("0", &after))), text(body));
    assert_eq!(
        of(&format!("<body>a\nb</body><body xml:lang='de'>c\nd</body><reply id='1' xmlns='urn:xmpp:reply:0'/>{}", region("0", "2"))),
        reply("1", None, "a\nb")
    );
}

#[test]
fn what_names_no_message_is_the_words_in_it() {
    let long = "x".repeat(257);
    for id in ["".to_owned(), "id=''".into(), format!("id='{long}'")] {
        assert_eq!(of(&format!("<body>a\nb</body><replace {id} xmlns='urn:xmpp:message-correct:0'/>")), text("a\nb"));
        let fallback = "<fallback xmlns='urn:xmpp:fallback:0'><body start='0' end='2'/></fallback>";
        assert_eq!(of(&format!("<body>a\nb</body><reply {id} xmlns='urn:xmpp:reply:0'/>{fallback}")), text("a\nb"));
        assert_eq!(of(&format!("<reactions {id} xmlns='urn:xmpp:reactions:0'><reaction>\u{1f44b}</reaction></reactions>")), None);
        assert_eq!(of(&format!("<retract {id} xmlns='urn:xmpp:message-retract:1'/><body>b</body>")), text("b"));
        assert_eq!(of(&format!("<displayed {id} xmlns='urn:xmpp:chat-markers:0'/>")), None);
    }
    // which of several nobody can say
    let twice = |one: &str| of(&format!("<body>w</body>{}{}", one, one.replace("'1'", "'2'")));
    assert_eq!(twice("<replace id='1' xmlns='urn:xmpp:message-correct:0'/>"), text("w"));
    assert_eq!(twice("<reply id='1' xmlns='urn:xmpp:reply:0'/>"), text("w"));
    assert_eq!(twice("<retract id='1' xmlns='urn:xmpp:message-retract:1'/>"), text("w"));
    assert_eq!(twice("<reactions id='1' xmlns='urn:xmpp:reactions:0'/>"), text("w"));
    // inside others, in other namespaces
    assert_eq!(of("<body>w<body>x</body></body><x xmlns='urn:x'><replace id='1' xmlns='urn:xmpp:message-correct:0'/></x><reply id='1'/>"), text("w"));
    assert_eq!(of("<forwarded xmlns='urn:xmpp:forward:0'><message xmlns='jabber:client'><body>x</body></message></forwarded>"), None);
    assert_eq!(of(""), None);
    assert_eq!(of("<body/>"), text(""));
    assert_eq!(of("<subject>x</subject><body xmlns='urn:other'>x</body>"), None);
}

#[test]
fn words_beside_something_else_are_not_lost() {
    let reactions = "<reactions id='1' xmlns='urn:xmpp:reactions:0'><reaction>\u{1f44b}</reaction></reactions>";
    assert_eq!(of(&format!("{reactions}<body>I pay you</body>")), text("I pay you"));
    let all = "<fallback xmlns='urn:xmpp:fallback:0' for='urn:xmpp:reactions:0'/>";
    assert_eq!(of(&format!("{reactions}{all}<body>\u{1f44b}</body>")), reaction("1", &["\u{1f44b}"]));
    assert_eq!(of("<received xmlns='urn:xmpp:receipts' id='1'/><body>w</body>"), text("w"));
    assert_eq!(
        of("<displayed xmlns='urn:xmpp:chat-markers:0' id='1'/><received xmlns='urn:xmpp:receipts' id='1'/>"),
        Some(Content::Displayed { of: "1".into() })
    );
    assert_eq!(
        of("<opt-out xmlns='urn:xmpp:omemo:2'/><body>our lawyers say so</body>"),
        Some(Content::OptOut { reason: "our lawyers say so".into() })
    );
    // a corrected answer is still one without its quotation
    let corrected = "<body>&gt; q\nnew</body><reply id='1' xmlns='urn:xmpp:reply:0'/><replace id='2' xmlns='urn:xmpp:message-correct:0'/>\
        <fallback xmlns='urn:xmpp:fallback:0' for='urn:xmpp:reply:0'><body start='0' end='4'/></fallback>";
    assert_eq!(of(corrected), Some(Content::Correction { of: "2".into(), text: "new".into() }));
}

#[test]
fn a_moderators_retraction_is_no_authors() {
    let moderated = "<retract id='1' xmlns='urn:xmpp:message-retract:1'><moderated by='r@x/n' xmlns='urn:xmpp:message-moderate:1'/></retract>";
    assert_eq!(of(moderated), None);
    let older = "<apply-to id='1' xmlns='urn:xmpp:fasten:0'><moderated by='r@x/n' xmlns='urn:xmpp:message-moderate:0'><retract xmlns='urn:xmpp:message-retract:0'/></moderated></apply-to>";
    assert_eq!(of(older), None);
}

#[test]
fn of_several_bodies_the_one_without_a_language_counts() {
    assert_eq!(of("<body xml:lang='de'>eins</body><body>one</body><body xml:lang='fr'>un</body>"), text("one"));
    assert_eq!(of("<body xml:lang='de'>eins</body><body xml:lang='fr'>un</body>"), text("eins"));
    assert_eq!(of("<body>one</body><body>two</body>"), text("one"));
}

#[test]
fn reactions_are_emojis_each_once_and_not_without_end() {
    let many = |emojis: &[String]| {
        let inner: String = emojis.iter().map(|e| format!("<reaction>{e}</reaction>")).collect();
        match of(&format!("<reactions id='1' xmlns='urn:xmpp:reactions:0'>{inner}</reactions>")) {
            Some(Content::Reaction { emojis, .. }) => emojis,
            other => panic!("{other:?}"),
        }
    };
    let emojis = [
        "\u{1f44b}",
        " \u{1f422}\n",
        "\u{1f44b}",
        "yes",
        "1",
        "",
        "I agree",
        "\u{f6}",
        "\u{2764}\u{fe0f}",
        "\u{1f9d1}\u{1f3fb}\u{200d}\u{2764}\u{fe0f}\u{200d}\u{1f48b}\u{200d}\u{1f9d1}\u{1f3ff}",
        "1\u{fe0f}\u{20e3}",
        "\u{1f1e9}\u{1f1ea}",
        "\u{1f170}\u{fe0f}",
    ]
    .map(str::to_owned);
    assert_eq!(many(&emojis).len(), 7);
    assert_eq!(many(&[format!("\u{1f44b}{}", "\u{200d}\u{1f44b}".repeat(10))]), [] as [String; 0]);
    let hundred: Vec<_> = (0..100u32).map(|n| char::from_u32(0x1f400 + n).unwrap().to_string()).collect();
    assert_eq!(many(&hundred).len(), 32);
    let write_of = |emojis: &[String]| write(&Content::Reaction { of: "1".into(), emojis: emojis.to_vec() });
    assert!(write_of(&hundred[..32]).is_ok());
    for bad in [&hundred[..], &["yes".to_owned()], &["".to_owned()]] {
        assert_eq!(write_of(bad), Err(StanzaError::Reaction));
    }
    let twice = [hundred[0].clone(), hundred[0].clone()];
    assert_eq!(written(&Content::Reaction { of: "1".into(), emojis: twice.to_vec() }).matches("<reaction>").count(), 1);
}

#[test]
fn contents_are_written_as_the_specifications_have_them() {
    let answer = |quote: &str, text: &str| {
        written(&Content::Reply { of: "i".into(), author: Some("anna@example.com".into()), text: text.into(), quote: quote.into() })
    };
    let run = answer("Anna wrote:\nWe should bake a cake", "Great idea!");
    assert!(run.contains(">&gt; Anna wrote:\n&gt; We should bake a cake\nGreat idea!</body>"), "{run}");
    assert!(run.contains("<reply xmlns='urn:xmpp:reply:0' id='i' to='anna@example.com'/>") || run.contains("to='anna@example.com' id='i'"), "{run}");
    assert!(run.contains("for='urn:xmpp:reply:0'") && run.contains("start='0'") && run.contains("end='38'"), "{run}");
    assert!(!answer("", "x").contains("fallback") && !answer("quoted", " \n").contains("fallback"));
    let retraction = written(&Content::Retraction { of: "i".into() });
    assert!(retraction.contains("urn:xmpp:message-retract:1") && retraction.contains("<fallback") && retraction.contains("<body"));
    assert!(written(&Content::OptOut { reason: " ".into() }).ends_with("<opt-out xmlns='urn:xmpp:omemo:2'/>"));
}

#[test]
fn words_may_ask_to_be_answered_and_nothing_else_may() {
    let both = Ask { receipt: true, displayed: true };
    let asked = |content: &Content, ask| asks(&Plaintext::new(ContentType::STANZA, write_asking(content, ask).unwrap()));
    let words = Content::Text("hi".into());
    for ask in [both, Ask { receipt: true, displayed: false }, Ask { receipt: false, displayed: true }, Ask::default()] {
        assert_eq!(asked(&words, ask), ask);
    }
    assert_eq!(asked(&Content::Delivered { of: "1".into() }, both), Ask::default());
    assert_eq!(asked(&Content::Typing(Typing::Active), both), Ask::default());
    assert_eq!(asks(&Plaintext::text("<request xmlns='urn:xmpp:receipts'/>")), Ask::default());
    assert_eq!(asks(&Plaintext::new(ContentType::STANZA, "<request")), Ask::default());
}

/// However its lines end, the mark of a quotation ends where its last line does.
#[test]
fn lines_end_as_xml_has_it() {
    for (quote, text) in [("one\r\ntwo", "a\r\nb"), ("one\r\ntwo\r\n", "a\nb"), ("one\rtwo", "a\rb")] {
        let content = Content::Reply { of: "1".into(), author: None, text: text.into(), quote: quote.into() };
        let Some(Content::Reply { text: read, .. }) = of(&written(&content)) else { panic!("{content:?}") };
        assert_eq!(read.replace('\r', "\n").replace("\n\n", "\n"), "a\nb", "{quote:?}");
    }
}

#[test]
fn what_can_not_be_said_is_an_error() {
    let long = "x".repeat(257);
    for id in ["", long.as_str()] {
        assert_eq!(write(&Content::Delivered { of: id.into() }), Err(StanzaError::Id));
    }
    assert_eq!(write(&Content::Text("\u{1}".into())), Err(StanzaError::Characters));
    assert_eq!(write(&Content::Retraction { of: "\u{0}".into() }), Err(StanzaError::Characters));
    assert_eq!(write(&Content::Text("x".repeat(MAX_STANZA))), Err(StanzaError::TooLarge));
}

#[test]
fn other_types_are_text_or_unknown() {
    let of = |content_type: ContentType, bytes: &[u8]| read(&Plaintext::new(content_type, bytes));
    assert_eq!(of(ContentType::TEXT, b"<body>hi</body>"), Ok(text("<body>hi</body>")));
    assert_eq!(of(ContentType::TEXT, b"\xff"), Err(StanzaError::Characters));
    assert_eq!(of(ContentType("image/png".into()), b"x"), Ok(None));
    assert_eq!(of(ContentType::STANZA, b"<body>"), Err(StanzaError::NotXml));
}

/// Any text that XML can hold. A carriage return is none: XML reads it as the end of a line.
fn words() -> impl Strategy<Value = String> {
    let c = prop_oneof![8 => any::<char>(), 1 => Just('\n'), 1 => Just('>'), 1 => Just(' ')];
    prop::collection::vec(c, 0..40).prop_map(|cs| cs.into_iter().filter(|c| *c != '\r' && xml::check_text(&c.to_string()).is_ok()).collect())
}
fn id() -> impl Strategy<Value = MessageId> {
    words()
        .prop_map(|id| format!("i{}", id.replace(['\n', '\t'], " ")))
        .prop_filter("short", |id| id.len() <= MAX_ID)
        .prop_map(|id| id.as_str().into())
}
fn any_content() -> impl Strategy<Value = Content> {
    let author = prop::option::of(Just("anna@example.com".into()));
    let emojis = prop::collection::btree_set(prop::sample::select(vec!["\u{1f44b}", "\u{1f422}", "\u{2764}\u{fe0f}", "1\u{fe0f}\u{20e3}"]), 0..4);
    prop_oneof![
        words().prop_map(Content::Text),
        (id(), author, words(), words()).prop_map(|(of, author, text, quote)| Content::Reply { of, author, text, quote }),
        (id(), emojis).prop_map(|(of, emojis)| Content::Reaction { of, emojis: emojis.into_iter().map(str::to_owned).collect() }),
        (id(), words()).prop_map(|(of, text)| Content::Correction { of, text }),
        id().prop_map(|of| Content::Retraction { of }),
        id().prop_map(|of| Content::Delivered { of }),
        id().prop_map(|of| Content::Displayed { of }),
        prop::sample::select(STATES.map(|(state, _)| state).to_vec()).prop_map(Content::Typing),
        words().prop_map(|reason| Content::OptOut { reason: reason.trim().to_owned() }),
    ]
}
proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]
    #[test]
    fn what_is_written_is_what_is_read(content in any_content(), receipt: bool, displayed: bool) {
        let plain = Plaintext::new(ContentType::STANZA, write_asking(&content, Ask { receipt, displayed }).unwrap());
        let expected = match content.clone() {
            Content::Reply { of, author, text, .. } => Content::Reply { of, author, text, quote: String::new() },
            other => other,
        };
        prop_assert_eq!(read(&plain).unwrap(), Some(expected));
        let ask = if content.text().is_some() { Ask { receipt, displayed } } else { Ask::default() };
        prop_assert_eq!(asks(&plain), ask);
    }

    /// Whatever is marked in whatever way: what is shown is the body or its end.
    #[test]
    fn no_mark_changes_a_word(
        body in words(),
        marks in prop::collection::vec((prop::option::of(0usize..50), prop::option::of(0usize..50), prop::sample::select(vec!["", "for='urn:xmpp:reply:0'", "for='urn:x'"])), 0..5),
        more in prop::sample::subsequence(vec!["<reply id='1' xmlns='urn:xmpp:reply:0'/>", "<replace id='1' xmlns='urn:xmpp:message-correct:0'/>", "<active xmlns='http://jabber.org/protocol/chatstates'/>"], 0..=3),
    ) {
        let mut run = String::from_utf8(write(&Content::Text(body.clone())).unwrap()).unwrap();
        for (start, end, namespace) in marks {
            let attribute = |name: &str, at: Option<usize>| at.map(|at| format!("{name}='{at}'")).unwrap_or_default();
            run += &format!("<fallback xmlns='urn:xmpp:fallback:0' {namespace}><body {} {}/></fallback>", attribute("start", start), attribute("end", end));
        }
        let shown = of(&(run + &more.concat()));
        let shown = shown.as_ref().and_then(Content::text);
        prop_assert!(body.is_empty() || shown.is_some_and(|shown| body.ends_with(shown) && !shown.is_empty() && (shown.len() == body.len() || body[..body.len() - shown.len()].ends_with('\n'))), "{shown:?}");
    }
}
