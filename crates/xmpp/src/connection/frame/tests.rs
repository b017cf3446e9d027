//! Whatever a server sends, in whatever pieces.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::arithmetic_side_effects, clippy::panic)]
use super::*;
use crate::xml::MAX_DEPTH;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

const HEAD: &str = "<?xml version='1.0'?>\n<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' id='1'>";
const AFTER: &str = "<message from='c@d'><body>small</body></message>";
const PATIENCE: Patience = Patience { quiet: Duration::from_secs(3600), dead: Duration::from_secs(3600) };

/// Reads `text` in reads of `size` bytes: everything that arrives as text, until the first error.
async fn read(text: &str, size: usize) -> Vec<String> {
    let (mut server, client) = tokio::io::duplex(size);
    let text = text.to_owned();
    let writer = tokio::spawn(async move {
        let _ = server.write_all(text.as_bytes()).await;
    });
    let mut framed = Framed::new(client, PATIENCE);
    let mut found = Vec::new();
    loop {
        let tag = |why: &str, tag: &Element| format!("{why} {} {:?} {:?}", tag.name(), tag.attr("from"), tag.attr("id"));
        match framed.next().await {
            Ok(Arrived::Head) => found.push("head".into()),
            Ok(Arrived::Frame(Frame::Element(element))) => found.push(String::from(&element)),
            Ok(Arrived::Frame(Frame::TooLarge(outer))) => found.push(tag("large", &outer)),
            Ok(Arrived::Frame(Frame::Malformed(outer))) => found.push(tag("malformed", &outer)),
            Ok(Arrived::Silence) => panic!(),
            Ok(Arrived::End) => found.push("end".into()),
            Err(FrameError::Io(_)) => break,
            Err(FrameError::Xml(why)) => {
                found.push(format!("xml {why}"));
                break;
            }
        }
    }
    drop(framed);
    writer.await.unwrap();
    found
}

#[tokio::test]
async fn elements_come_whole_wherever_the_reads_fall() {
    let text = format!("{HEAD} <iq id='1'><q xmlns='x' a='&lt;'/>a&amp;b<![CDATA[<c>]]></iq>\n<r xmlns='urn:xmpp:sm:3'/></stream:stream>");
    for size in [1, 2, 3, 7, 64, 4096] {
        let found = read(&text, size).await;
        assert_eq!(found.len(), 4, "{found:?}");
        assert_eq!(found[1], "<iq xmlns='jabber:client' id='1'><q xmlns='x' a='&lt;'/>a&amp;b&lt;c&gt;</iq>");
        assert_eq!((found[0].as_str(), found[3].as_str()), ("head", "end"));
    }
}
#[tokio::test]
async fn what_is_too_large_is_left_out_and_the_stream_goes_on() {
    let long = "x".repeat(MAX_STANZA);
    let open = "<message from='a@b/c' id='7'>";
    let known = "large message Some(\"a@b/c\") Some(\"7\")";
    let deep = |n: usize| format!("{open}{}{}</message>", "<a>".repeat(n), "</a>".repeat(n));
    let attributes: String = (0..40_000).map(|n| format!(" a{n}='{n}'")).collect();
    for (bad, told) in [
        (format!("{open}<body>{long}</body></message>"), known),
        (format!("{open}<body>{}</body></message>", long.repeat(8)), known),
        (format!("{open}<a b='{long}'/></message>"), known),
        (format!("{open}<a{attributes}/></message>"), known),
        (format!("{open}{}</message>", "<a/>".repeat(MAX_STANZA / 4)), known),
        (format!("{open}{}</message>", "<a/>".repeat(20_000)), known),
        (deep(MAX_DEPTH), known),
        (deep(30_000), known),
        (deep(100_000), known),
        // what is inside of one that is too deep is not parsed
        (deep(MAX_DEPTH).replacen("</a>", "&a;</a>", 1), known),
        // a tag that is never read to its end
        (format!("<message from='a@b/c' id='{long}'/>"), "large message None None"),
        (format!("<iq id='{long}'/>"), "large iq None None"),
        (format!("<iqs id='{long}'/>"), "large unknown None None"),
    ] {
        let found = read(&format!("{HEAD}{bad}{AFTER}"), 4096).await;
        assert_eq!(found.len(), 3, "{:.80}: {:?}", bad, found.len());
        assert_eq!(found[1], told, "{bad:.80}");
        assert!(found[2].contains("small"), "{bad:.80}");
    }
    let around = "<message><body></body></message>".len();
    for (over, told) in [(0, "<message"), (1, "large message")] {
        let text = format!("<message><body>{}</body></message>", "x".repeat(MAX_STANZA - around + over));
        assert!(read(&format!("{HEAD}{text}"), 4096).await[1].starts_with(told));
    }
    assert!(read(&format!("{HEAD}{}", deep(MAX_DEPTH - 1)), 4096).await[1].starts_with("<message"));
    assert!(read(&format!("{HEAD}<message a='{}'/>", "x".repeat(MAX_STANZA - 100)), 4096).await[1].starts_with("<message"));
}
#[tokio::test]
async fn what_is_not_well_formed_is_left_out_and_the_stream_goes_on() {
    let known = "malformed message Some(\"a@b\") Some(\"7\")";
    for (bad, told) in [
        ("<message from='a@b' id='7'>&a;</message>", known),
        ("<message from='a@b' id='7'>&#0;</message>", known),
        ("<message from='a@b' id='7'>\u{1}</message>", known),
        ("<message from='a@b' id='7'>\u{ffff}</message>", known),
        ("<message from='a@b' id='7'><x:a/></message>", known),
        ("<message from='a@b' id='7'><a b='1' b='2'/></message>", known),
        ("<message from='a@b' id='7'></iq>", known),
        ("<message from='a@b' id='7'><a></b></message>", known),
        ("<message from='a@b' id='7'>]]></message>", known),
        ("<message from='a@b' id='7' from='c@d'/>", "malformed message None None"),
        ("<x:message/>", "malformed unknown None None"),
        ("<iq id=1/>", "malformed iq None None"),
    ] {
        for size in [1, 4096] {
            let found = read(&format!("{HEAD}{bad}{AFTER}"), size).await;
            assert_eq!(found.len(), 3, "{bad}: {found:?}");
            assert_eq!(found[1], told, "{bad}");
            assert!(found[2].contains("small"), "{bad}");
        }
    }
}
#[tokio::test]
async fn what_is_no_stream_is_over() {
    for bad in [
        format!("<message>{}", "x".repeat(MAX_LEFT_OUT + 100_000)),
        "<!DOCTYPE x [<!ENTITY a 'aaaa'>]><message>&a;</message>".into(),
        "<message><!DOCTYPE x></message>".into(),
        "<message><!-- --></message>".into(),
        "<message><?x y?></message>".into(),
        "text".into(),
    ] {
        let found = read(&format!("{HEAD}{bad}"), 65536).await;
        assert!(found.last().unwrap().starts_with("xml "), "{bad:.60}");
        assert_eq!(found.len(), 2, "{bad:.60}");
    }
    let doctype = "<?xml version='1.0'?><!DOCTYPE s [<!ENTITY a 'aaaa'>]>";
    let endless = format!("<stream:stream a='{}", "x".repeat(MAX_HEAD));
    for bad in [doctype, &endless, "<html>", "<html/>", "<stream:stream>", "SSH-2.0-OpenSSH\r\n"] {
        let found = read(bad, 64).await;
        assert!(found.len() == 1 && found[0].starts_with("xml "), "{bad:.60}: {found:?}");
    }
}
#[tokio::test]
async fn memory_is_bounded_whatever_arrives() {
    let mut reader = Reader::new();
    let mut feed = |text: &str| {
        let mut rest = text.as_bytes();
        while !rest.is_empty() {
            let (used, _) = reader.read(rest).unwrap();
            rest = &rest[used..];
        }
        (reader.head.len(), reader.begin.len(), reader.builder.is_some(), reader.left_out.is_some())
    };
    feed(HEAD);
    feed("<message>");
    for _ in 0..100 {
        let (head, begin, ..) = feed(&"<a b='c'>text".repeat(1000));
        assert!(head < MAX_HEAD && begin <= NAME);
    }
    assert_eq!(feed("<a"), (HEAD.len(), NAME, true, true));
}
#[tokio::test]
async fn one_answer_may_be_large() {
    let item = "<item jid='somebody@example.org' subscription='both'><group>Friends</group></item>";
    let answer = |id: &str, n: usize| format!("<iq type='result' id='{id}'><query xmlns='jabber:iq:roster'>{}</query></iq>", item.repeat(n));
    let seen = |text: String| {
        let mut reader = Reader::new();
        reader.expected = Some("list".into());
        let mut seen = Vec::new();
        for chunk in [HEAD.as_bytes()].into_iter().chain(text.as_bytes().chunks(READ)) {
            let mut rest = chunk;
            while !rest.is_empty() {
                let (used, arrived) = reader.read(rest).unwrap();
                rest = &rest[used..];
                match arrived {
                    Some(Arrived::Frame(Frame::Element(e))) => seen.push(e.children().next().map_or(0, |query| query.children().count())),
                    Some(Arrived::Frame(Frame::TooLarge(_))) => seen.push(usize::MAX),
                    _ => {}
                }
            }
        }
        seen
    };
    assert_eq!(seen(answer("list", 20_000) + AFTER), [20_000, 0]);
    assert_eq!(seen(answer("list", 30_000) + AFTER), [usize::MAX, 0]);
    assert_eq!(seen(answer("list", 60_000) + AFTER), [usize::MAX, 0]);
    assert_eq!(seen(answer("other", 10_000) + AFTER), [usize::MAX, 0]);
    assert_eq!(seen(answer("list", 10_000) + &answer("list", 10_000) + AFTER), [10_000, usize::MAX, 0]);
    assert_eq!(seen(answer("list", 10_000).replace("result", "get") + AFTER), [usize::MAX, 0]);
}
#[tokio::test]
async fn what_cannot_be_written_leaves_nothing_behind() {
    let (mut server, client) = tokio::io::duplex(4096);
    let mut framed = Framed::new(client, PATIENCE);
    framed.put(&xml::build("a", "x").end()).unwrap();
    assert_eq!(framed.put(&xml::build("b", "x").text("\u{1}").end()), Err(StanzaError::Characters));
    framed.put(&xml::build("c", "x").end()).unwrap();
    framed.put_secret(b"<secret/>");
    framed.flush().await.unwrap();
    assert_eq!(framed.pending(), 0);
    let mut buffer = vec![0; 4096];
    let count = server.read(&mut buffer).await.unwrap();
    assert_eq!(&buffer[..count], b"<a xmlns='x'/><c xmlns='x'/><secret/>");
}
#[tokio::test(start_paused = true)]
async fn silence_is_told_once_and_then_it_is_over() {
    let (mut server, client) = tokio::io::duplex(4096);
    let mut framed = Framed::new(client, Patience { quiet: Duration::from_secs(60), dead: Duration::from_secs(20) });
    server.write_all(HEAD.as_bytes()).await.unwrap();
    assert!(matches!(framed.next().await, Ok(Arrived::Head)));
    assert!(matches!(framed.next().await, Ok(Arrived::Silence)));
    server.write_all(AFTER.as_bytes()).await.unwrap();
    assert!(matches!(framed.next().await, Ok(Arrived::Frame(_))));
    assert!(matches!(framed.next().await, Ok(Arrived::Silence)));
    assert!(matches!(framed.next().await, Err(FrameError::Io(e)) if e.kind() == io::ErrorKind::TimedOut));
}

fn frames(text: &str, size: usize) -> Vec<String> {
    let mut reader = Reader::new();
    let mut found = Vec::new();
    for chunk in [HEAD.as_bytes()].into_iter().chain(text.as_bytes().chunks(size)) {
        let mut rest = chunk;
        while !rest.is_empty() {
            match reader.read(rest) {
                Ok((used, arrived)) => {
                    rest = &rest[used..];
                    found.extend(arrived.map(|arrived| format!("{arrived:?}")));
                }
                Err(why) => {
                    found.push(format!("{why:?}"));
                    return found;
                }
            }
        }
    }
    found
}
proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(3000))]
    #[test]
    fn it_is_the_same_however_the_bytes_come(parts in proptest::collection::vec(proptest::sample::select(vec![
        "<message>", "</message>", "<iq a='", "'/>", "'>", "</iq>", "<", ">", "/", "'", "\"", "=", " ", "a", "x:", "<a>", "</a>", "<a/>", "<a xmlns='u' b=\"",
        "\">", "<![CDATA[", "]]>", "]", "&amp;", "&x;", "&#0;", "<!--", "<?", "\u{1}", "\u{e9}", "\u{1f600}", "</stream:stream>",
    ]), 0..40)) {
        let text = parts.concat();
        let whole = frames(&text, usize::MAX);
        for size in [1, 2, 5] {
            proptest::prop_assert_eq!(&whole, &frames(&text, size));
        }
    }
}
