//! Hostile and odd input, kept: `corpus/KIND.OUTCOME.WHAT.xml` read as KIND ends in OUTCOME; read as anything else it ends in some way too.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]
use minidom::Element;
use std::time::{SystemTime, UNIX_EPOCH};
use subrosa_engine::{Address, Content, ContentType, Input, Node, Plaintext, Time};
use subrosa_xmpp::archive::Query;
use subrosa_xmpp::{Archive, Blocking, Mapping, Positions, content, positions};

const ME: &str = "juliet@capulet.lit";

fn now() -> Time {
    Time(u64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis()).unwrap())
}
fn stanza(input: &[u8]) -> Option<Element> {
    let text = std::str::from_utf8(input).ok()?;
    let end = text.find([' ', '/', '>']).filter(|_| text.starts_with('<'))?;
    format!("{} xmlns='jabber:client'{}", &text[..end], &text[end..]).parse().ok()
}
/// The open page starts after the message `0`, and its name is what the first one of this salt has.
fn open() -> Archive {
    let mut archive = Archive::of_account(ME.into(), "salt");
    assert_eq!(archive.ask(Query::after("0"), now()).attr("id"), Some("archive-salt-1"));
    archive
}
fn read(kind: &str, input: &[u8]) -> String {
    match kind {
        "content" => {
            let plain = Plaintext::new(ContentType::STANZA, input);
            content::asks(&plain);
            match content::read(&plain) {
                Ok(Some(content)) => format!("{content:?}").split('(').next().unwrap().to_owned(),
                Ok(None) => "none".into(),
                Err(why) => format!("{why:?}"),
            }
        }
        "archive" => {
            let mut archive = open();
            let Some(archived) = stanza(input).map(|message| archive.result(&message, now())) else { return "ignored".into() };
            if let Some(archived) = archived {
                let mapped = Mapping::new(ME.into(), [], "s").archived(&archived, now());
                assert!(mapped.inputs.iter().all(|input| matches!(input, Input::Receive { chat, .. } if chat.0.as_str() == "romeo@montague.lit")));
                return "taken".into();
            }
            if archive.refused() > 0 { "refused".into() } else { "ignored".into() }
        }
        "page" => match stanza(input).and_then(|iq| open().finished(&iq)) {
            None => "ignored".into(),
            Some(Ok(finished)) => if finished.complete { "complete" } else { "more" }.into(),
            Some(Err(why)) => format!("{why:?}"),
        },
        _ => {
            let node = Node { owner: Address::from(ME), name: positions::NODE.into(), item: Some("romeo@montague.lit".into()) };
            let mut positions = Positions::new(ME.into(), "salt");
            drop(positions.pushed(&node, Some(input)));
            positions.online(true);
            let mut blocking = Blocking::new(ME.into(), "salt");
            blocking.ask();
            if let Some(iq) = stanza(input) {
                drop((positions.answered(&iq), blocking.answered(&iq), blocking.pushed(&iq)));
            }
            String::new()
        }
    }
}

#[test]
fn every_input_ends_as_its_name_says() {
    let mut number = 0;
    for entry in std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/corpus")).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        let input = std::fs::read(entry.path()).unwrap();
        let [kind, expected, ..] = name.split('.').collect::<Vec<_>>()[..] else { panic!("not named as it should be: {name}") };
        assert_eq!(read(kind, &input), expected, "{name}");
        ["content", "archive", "page", "other"].into_iter().for_each(|kind| drop(read(kind, &input)));
        number += 1;
    }
    assert!(number > 100, "{number}");
}

/// What is shown is a body of the message, or the end of one behind a whole line.
#[test]
fn no_input_makes_other_words() {
    for entry in std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/corpus")).unwrap() {
        let input = std::fs::read(entry.unwrap().path()).unwrap();
        let Ok(Some(content)) = content::read(&Plaintext::new(ContentType::STANZA, input.clone())) else { continue };
        let (Some(shown), Ok(text)) = (Content::text(&content), std::str::from_utf8(&input)) else { continue };
        let run: Element = format!("<r xmlns='jabber:client'>{text}</r>").parse().unwrap();
        let fits = |body: String| body.strip_suffix(shown).is_some_and(|rest| rest.is_empty() || rest.ends_with('\n'));
        assert!(run.children().filter(|c| c.is("body", "jabber:client")).any(|body| fits(body.text())), "{text}");
    }
}
