//! Search finds what is shown, and takes whatever is typed as words.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::arithmetic_side_effects)]
mod common;
use common::*;
use proptest::prelude::*;
use subrosa_engine::Content;

#[test]
fn words_of_any_script_and_their_beginnings() {
    let (_directory, mut history) = opened();
    let lines =
        ["Das Café in der Straße", "caf\u{65}\u{301} noir", "ПРИВЕТ мир", "नमस्ते दुनिया", "שלום עולם", "a\"b* NEAR(x)", "x AND y OR z", "東京は晴れ"];
    for (n, line) in (0..).zip(lines) {
        history.add(&from_bob(&format!("m{n}"), text(line), n)).unwrap();
    }
    assert_eq!(found(&history, "CAFE"), [lines[1], lines[0]], "the newest first");
    assert_eq!(found(&history, "café straße"), [lines[0]]);
    assert_eq!(found(&history, "прив"), [lines[2]]);
    assert_eq!(found(&history, "नमस्"), [lines[3]]);
    assert_eq!(found(&history, "עול"), [lines[4]]);
    assert_eq!(found(&history, "東京"), [lines[7]]);
    assert_eq!(found(&history, "a\"b*"), [lines[5]]);
    assert_eq!(found(&history, "near("), [lines[5]]);
    assert_eq!(found(&history, "AND"), [lines[6]], "a word, not an operator");
    assert_eq!(found(&history, "-x"), [lines[6], lines[5]]);
    for nothing in ["", "   ", "\"", "* *", "c1", "{chat}", "chat:c1", "chat : c1", "' OR 1=1 --"] {
        assert_eq!(found(&history, nothing).len(), 0, "{nothing}");
    }
    assert_eq!(history.search("cafe", Some(&chat(&carol())), 10).unwrap().len(), 0);
    assert_eq!(history.search("cafe", None, 1).unwrap().len(), 1);
}

#[test]
fn any_part_of_what_has_no_spaces_and_any_emoji() {
    let (_directory, mut history) = opened();
    let lines = [
        "東京は晴れ",
        "ﾄｳｷｮｳ・タワー、カ\u{3099}",
        "오늘학교에 갑니다",
        "สวัสดีครับ น้ำ",
        "ភាសាខ្មែរ",
        "𠮷野家と\u{31350}\u{2ebf0}",
        "done👍🏽!",
        "1️⃣ first, 🇩🇪🇫🇷",
        "‼ © ™ 🫩 ☃️",
        "version2東京版",
        "👨‍👩‍👧 family",
    ];
    for (n, line) in (0..).zip(lines) {
        history.add(&from_bob(&format!("m{n}"), text(line), n)).unwrap();
    }
    for line in &lines[..7] {
        // every part of every run
        let chars: Vec<char> = line.chars().collect();
        for (from, to) in (0..chars.len()).flat_map(|from| (from + 1..=chars.len()).map(move |to| (from, to))) {
            let part: String = chars[from..to].iter().collect();
            let words = part.is_ascii() || line.is_ascii() || part.chars().all(|c| !c.is_alphanumeric()) || part.starts_with(char::is_whitespace);
            if words || line.starts_with("done") && (1..4).contains(&from) {
                continue;
            }
            assert!(found(&history, &part).contains(&(*line).to_owned()), "{part} in {line}");
        }
    }
    for (typed, line) in [
        ("👍", 6),
        ("👍🏽", 6),
        ("🏽", 6),
        ("don", 6),
        ("1️⃣", 7),
        ("🇫🇷", 7),
        ("‼", 8),
        ("‼️", 8),
        ("©", 8),
        ("🫩", 8),
        ("☃", 8),
        ("𠮷", 5),
        ("2東京", 9),
        ("version2東", 9),
        ("VERSION", 9),
        ("👩", 10),
        ("👨‍👩‍👧", 10),
    ] {
        let expected = if typed == "2東京" { vec![] } else { vec![lines[line]] };
        assert_eq!(found(&history, typed), expected, "{typed}");
    }
    assert_eq!(found(&history, "東京 版"), [lines[9]]);
    assert_eq!(found(&history, "京 東"), [lines[9], lines[0]]);
    for nothing in ["東は", "京晴", "晴れた", "👎", "👍🏾", "野家吉", "ersion"] {
        assert_eq!(found(&history, nothing).len(), 0, "{nothing}");
    }
    history.add(&from_bob("gone", Content::Retraction { of: of("m0") }, 90)).unwrap();
    assert_eq!(found(&history, "京"), [lines[9]]);
    history.check().unwrap();
}

#[test]
fn only_what_is_shown_now() {
    let (_directory, mut history) = opened();
    history.add(&from_bob("m1", text("first"), 1)).unwrap();
    history.add(&from_bob("m2", Content::Correction { of: of("m1"), text: "second".into() }, 2)).unwrap();
    assert_eq!((found(&history, "first").len(), found(&history, "second").len()), (0, 1));
    history.add(&from_bob("m3", Content::Correction { of: of("m1"), text: "third".into() }, 3)).unwrap();
    assert_eq!((found(&history, "second").len(), found(&history, "third").len()), (0, 1));
    history.add(&said(&bob(), "m1", text("third in the room"), 4)).unwrap();
    assert_eq!(history.search("third", Some(&chat(&room())), 10).unwrap().len(), 1);
    history.add(&from_bob("m4", Content::Retraction { of: of("m1") }, 5)).unwrap();
    assert_eq!(found(&history, "third"), ["third in the room"]);
    history.check().unwrap();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]
    #[test]
    fn whatever_is_typed(lines in proptest::collection::vec(any::<String>(), 1..8), typed in proptest::collection::vec("\\PC{0,12}|[\"*():^{}+\\-a-c東👍 ]{0,12}|.{0,8}", 24)) {
        let (_directory, mut history) = opened();
        for (n, line) in (0..).zip(&lines) {
            history.add(&from_bob(&format!("m{n}"), text(line), n)).unwrap();
        }
        for typed in &typed {
            history.search(typed, None, 10).unwrap();
            history.search(typed, Some(&chat(&bob())), 10).unwrap();
        }
        history.check().unwrap();
    }
}
