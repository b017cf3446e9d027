//! Histories that earlier forms wrote open with all that is in them.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::arithmetic_side_effects)]
mod common;
use common::*;
use std::path::{Path, PathBuf};
use subrosa_engine::{Content, Device, Fingerprint, Reason, Time, Trust};
use subrosa_history::transfer::OwnDevice;
use subrosa_history::{Decision, Entry, Gone, History, SentBy, State};

/// What the fixture says, in its order.
const LINES: [&str; 8] =
    ["東京は晴れ", "今日は東京へ行きます", "สวัสดีครับ", "저는 학교에 갑니다", "well done 👍🏽", "Das Café", "plain words", "I ❤️ it 👨‍👩‍👧"];

fn fixture(form: u32) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/fixtures/history-{form}.db"))
}
fn filled(path: &Path) -> History {
    let mut history = History::open(path, &KEY, &me()).unwrap();
    let filled = history.transaction::<_, subrosa_history::HistoryError>(|history| {
        for (n, line) in (0..).zip(LINES) {
            history.add(&from_bob(&format!("m{n}"), text(line), n))?;
        }
        history.add(&Entry { by: Some(SentBy { device: 7.into(), trust: Trust::Verified }), ..from_bob("v", text("verified"), 20) })?;
        history.add(&from_bob("c1", Content::Correction { of: of("m6"), text: "大阪です".into() }, 21))?;
        history.add(&from_bob("g", text("京都"), 22))?;
        history.add(&from_bob("t1", Content::Retraction { of: of("g") }, 23))?;
        history.add(&Entry { state: State::Failed(Reason::NoDevice), ..to_bob("o1", text("not sent"), 24) })?;
        history.add(&from_bob("r1", Content::Reaction { of: of("o1"), emojis: vec!["👍".into()] }, 25))?;
        history.add(&from_bob("w1", Content::Reaction { of: of("later"), emojis: vec!["🎉".into()] }, 26))?;
        history.add(&Entry::unreadable(&chat(&bob()), &bob(), &of("u1"), Reason::Engine, at(27)))?;
        history.add(&said(&carol(), "g1", text("奈良"), 28))?;
        history.moderate(&chat(&room()), "sg1", &bob(), "spam", at(29))?;
        history.add(&said(&bob(), "g2", text("神戸の夜"), 30))?;
        Ok(())
    });
    filled.unwrap();
    let device = OwnDevice::approved(&me(), &Device::of(&me(), 9), Trust::Trusted).unwrap();
    let decision = Decision { device: Device::of(&bob(), 5), key: Fingerprint([1; 32]), trust: Trust::Verified };
    history.offer_transfer(&device, &[decision], &mut rng(1)).unwrap();
    history
}

/// Writes the one of this program's form, for the next to read.
#[test]
#[ignore = "writes a file that is committed"]
fn make_the_fixture() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("history.db");
    drop(filled(&path));
    std::fs::copy(&path, fixture(3)).unwrap();
}

/// Made by `make_the_fixture` of the Subrosa of that form.
#[test]
fn the_first_form() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("history.db");
    std::fs::copy(fixture(1), &path).unwrap();
    for _ in 0..2 {
        let history = History::open(&path, &KEY, &me()).unwrap();
        history.check().unwrap();
        let shown = [&LINES[..6], &["大阪です", LINES[7], "verified", "-", "not sent", "-"]].concat();
        assert_eq!(texts(&history, &bob()), shown);
        let messages = all(&history, &bob());
        assert!(messages[6].edited.is_some());
        assert_eq!(messages[8].by, Some(SentBy { device: 7.into(), trust: Trust::Verified }));
        assert_eq!(messages[9].retraction.as_ref().unwrap().gone, Gone::Retracted);
        assert_eq!((messages[10].state, &messages[10].reactions[0].emojis), (Some(State::Failed(Reason::NoDevice)), &vec!["👍".to_owned()]));
        assert_eq!(messages[11].body, subrosa_history::Body::Unreadable(Reason::Engine));
        // nothing of it was read: all that is there but one's own and what is gone
        assert_eq!(messages.iter().filter(|message| message.unread).count(), 11);
        assert_eq!(history.chats().unwrap().into_iter().find(|chat| !chat.room).unwrap().unread, 10);
        assert_eq!(all(&history, &room())[0].retraction.as_ref().unwrap().gone, Gone::Moderated("spam".into()));
        assert_eq!(history.transfers().unwrap().len(), 1);
        for (words, lines) in [
            ("京", vec![LINES[1], LINES[0]]),
            ("東京", vec![LINES[1], LINES[0]]),
            ("阪で", vec!["大阪です"]),
            ("戸の", vec!["神戸の夜"]),
            ("교에", vec![LINES[3]]),
            ("ดีค", vec![LINES[2]]),
            ("👍", vec![LINES[4]]),
            ("❤", vec![LINES[7]]),
            ("👩", vec![LINES[7]]),
            ("cafe", vec![LINES[5]]),
            ("wel", vec![LINES[4]]),
            ("奈良", vec![]),
            ("plain", vec![]),
        ] {
            assert_eq!(found(&history, words), lines, "{words}");
        }
    }
    // and what waited in it goes on waiting
    let mut history = History::open(&path, &KEY, &me()).unwrap();
    let sent = all(&history, &bob())[0].time;
    history.add(&Entry { arrived: at(9000), ..Entry::new(&bob(), &bob(), "later", text("京の話"), Time(sent.0 + 60_000)) }).unwrap();
    assert_eq!(all(&history, &bob()).last().unwrap().reactions[0].emojis, ["🎉"]);
    history.add(&Entry::new(&bob(), &bob(), "gone", Content::Retraction { of: of("m0") }, Time(sent.0 + 61_000))).unwrap();
    assert_eq!(found(&history, "京"), ["京の話", LINES[1]], "what was put in anew is taken out");
    history.check().unwrap();
}
