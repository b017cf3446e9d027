//! A history opens for its owner only, once at a time, and is after a crash what it was after its last commit.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::arithmetic_side_effects, clippy::panic)]
mod common;
use common::*;
use std::path::Path;
use std::process::{Command, Stdio};
use subrosa_engine::{Coded as _, Content};
use subrosa_history::{Added, At, Entry, History, HistoryError, OpenError, Page, Place};

#[test]
fn what_does_not_open_stays_as_it_was() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("history.db");
    let mut history = History::open(&path, &KEY, &me()).unwrap();
    history.add(&from_bob("m1", text("nobody else may read this"), 1)).unwrap();
    let error = History::open(&path, &KEY, &me()).unwrap_err();
    assert!(matches!(error, OpenError::InUse { .. }) && error.to_string().contains("stop that one first"), "{error}");
    drop(history);
    let bytes = std::fs::read(&path).unwrap();
    assert!(!bytes.windows(6).any(|w| w == b"nobody" || w == b"SQLite"));
    let refused = |path: &Path, key: &[u8; 32], me| {
        let before = std::fs::read(path).unwrap();
        let error = History::open(path, key, &me).unwrap_err();
        assert_eq!(std::fs::read(path).unwrap(), before, "{error}");
        error.code()
    };
    assert_eq!(refused(&path, &[8; 32], me()), "history.wrong-key");
    assert_eq!(refused(&path, &KEY, bob()), "history.other-account");
    for (n, bytes) in [b"hello".to_vec(), vec![7; 5000], b"SQLite format 3\0".repeat(256)].into_iter().enumerate() {
        let path = directory.path().join(n.to_string());
        std::fs::write(&path, bytes).unwrap();
        assert_eq!(refused(&path, &KEY, me()), "history.not-a-history");
    }
    assert_eq!(History::open(directory.path().join("no/history.db"), &KEY, &me()).unwrap_err().code(), "history.no-directory");
    std::fs::write(directory.path().join("cut"), &bytes[..100]).unwrap();
    assert_eq!(refused(&directory.path().join("cut"), &KEY, me()), "history.damaged");
    // a page in the middle
    let mut damaged = bytes.clone();
    damaged[5 * 4096 + 100] ^= 1;
    let place = directory.path().join("damaged");
    std::fs::write(&place, damaged).unwrap();
    let code = History::open(&place, &KEY, &me()).map(|history| history.check().unwrap_err().code()).unwrap_or_else(|e| e.code());
    assert_eq!(code, "history.damaged");
    assert_eq!(texts(&History::open(&path, &KEY, &me()).unwrap(), &bob()), ["nobody else may read this"]);
}

#[test]
fn a_transaction_is_all_or_nothing() {
    let (_directory, mut history) = opened();
    #[derive(Debug)]
    enum No {
        Mine,
        Theirs,
    }
    impl From<HistoryError> for No {
        fn from(_: HistoryError) -> Self {
            No::Theirs
        }
    }
    let refused = history.transaction(|history| {
        history.add(&from_bob("m1", text("one"), 1))?;
        history.add(&from_bob("m2", text("two"), 2))?;
        Err::<(), _>(No::Mine)
    });
    assert!(matches!(refused, Err(No::Mine)));
    assert_eq!((all(&history, &bob()).len(), found(&history, "one").len()), (0, 0));
    // a part that failed takes the rest with it, also where nobody looked
    let refused = history.transaction::<_, HistoryError>(|history| {
        history.add(&from_bob("m1", text("one"), 1))?;
        let part = history.transaction(|history| {
            history.add(&from_bob("m2", text("two"), 2))?;
            Err::<(), _>(No::Mine)
        });
        assert!(part.is_err());
        Ok(())
    });
    assert!(matches!(refused, Err(HistoryError::Undone)));
    // and one that panicked
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        history.transaction::<(), HistoryError>(|history| {
            history.add(&from_bob("m1", text("one"), 1))?;
            std::panic::panic_any("stop")
        })
    }));
    assert!(panicked.is_err());
    history.add(&from_bob("m3", text("three"), 3)).unwrap();
    assert_eq!(texts(&history, &bob()), ["three"]);
    history.check().unwrap();
}

#[test]
fn ten_thousand_messages_page_by_page() {
    let (_directory, mut history) = opened();
    let added = history.transaction::<_, HistoryError>(|history| {
        // as an archive is read: the last page first; three in each second, other chats between
        for page in (0..100).rev() {
            for n in page * 100..(page + 1) * 100 {
                history.add(&from_bob(&format!("m{n}"), text(&format!("number {n}")), n / 3))?;
                history.add(&said(&carol(), &format!("g{n}"), text("elsewhere"), n / 3))?;
            }
        }
        Ok(())
    });
    added.unwrap();
    let numbers = |page: &Page| page.messages.iter().map(|m| m.id.as_str()[1..].parse::<u64>().unwrap()).collect::<Vec<_>>();
    let walk = |mut at: At, forward: bool| {
        let mut seen = Vec::new();
        loop {
            let page = history.page(&chat(&bob()), at, 37).unwrap();
            assert!(page.messages.len() <= 37 && page.messages.is_sorted_by_key(|m| m.place));
            seen.extend(if forward { numbers(&page) } else { numbers(&page).into_iter().rev().collect() });
            assert_eq!(if forward { page.later } else { page.earlier }, seen.len() < 10_000);
            let edge = if forward { page.messages.last() } else { page.messages.first() };
            match edge {
                Some(edge) if seen.len() < 10_000 => at = if forward { At::After(edge.place) } else { At::Before(edge.place) },
                _ => return seen,
            }
        }
    };
    let (mut back, mut forth) = (walk(At::Newest, false), walk(At::After(Place(0)), true));
    back.reverse();
    assert_eq!(back, forth);
    forth.sort_unstable();
    assert_eq!(forth, (0..10_000).collect::<Vec<_>>());
    // around what a search found
    let hit = history.search("number 5000", Some(&chat(&bob())), 1).unwrap().pop().unwrap();
    let around = history.page(&chat(&bob()), At::Around(hit.place), 21).unwrap();
    assert_eq!(around.messages[10], hit);
    assert!(around.earlier && around.later && around.messages.len() == 21);
    let chats = history.chats().unwrap();
    assert_eq!(chats.iter().map(|c| c.unread).collect::<Vec<_>>(), [1000, 1000]);
    assert_eq!(history.page(&chat(&bob()), At::Newest, usize::MAX).unwrap().messages.len(), 1000, "a page has an end");
    history.check().unwrap();
}

const PLACE: &str = "SUBROSA_TEST_PLACE";
/// Not a test by itself: nothing, unless it was started as the process that is killed.
#[test]
fn the_other_process() {
    let Ok(place) = std::env::var(PLACE) else { return };
    let mut history = History::open(place, &KEY, &me()).unwrap();
    let start = all(&history, &bob()).len() as u64;
    for n in start.. {
        let added = history.transaction::<_, HistoryError>(|history| {
            history.add(&from_bob(&format!("m{n}"), text("first"), n))?;
            history.add(&from_bob(&format!("c{n}"), Content::Correction { of: of(&format!("m{n}")), text: format!("then {n}") }, n + 1))
        });
        assert!(matches!(added.unwrap(), Added::Changed(_)));
        println!("REPORT {n}");
    }
}
#[test]
fn a_killed_process_loses_nothing_that_was_stored() {
    use std::io::{BufRead as _, BufReader};
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("history.db");
    for round in 0..5 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "the_other_process", "--nocapture", "--test-threads=1"])
            .env(PLACE, &path)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut reported = 0;
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let reports = lines.map_while(Result::ok).filter_map(|line| line.split_once("REPORT ").and_then(|(_, n)| n.trim().parse::<u64>().ok()));
        for n in reports.take(7 + round * 3) {
            reported = n;
        }
        child.kill().unwrap();
        child.wait().unwrap();
        let history = History::open(&path, &KEY, &me()).unwrap();
        let texts = texts(&history, &bob());
        assert!(texts.len() as u64 > reported, "{} {reported}", texts.len());
        assert!(texts.iter().enumerate().all(|(n, text)| *text == format!("then {n}")), "a step is whole or not there");
        history.check().unwrap();
    }
}

#[test]
fn a_message_that_is_told_again_after_a_crash() {
    let (_directory, mut history) = opened();
    // without any id: its time and its words are what it is known by, whenever it is told
    let entry = from_bob("", text("ok"), 1);
    history.add(&entry).unwrap();
    assert!(matches!(history.add(&Entry { arrived: at(500), ..entry }).unwrap(), Added::Known(_)));
}
