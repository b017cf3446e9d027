//! Whose word counts: what a device may do to what another one wrote, what was said in clear.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::arithmetic_side_effects, clippy::panic)]
mod common;
use common::*;
use subrosa_engine::{Content, Trust};
use subrosa_history::{Entry, Gone, History, SentBy};

const ORDER: [Trust; 4] = [Trust::Untrusted, Trust::Undecided, Trust::Trusted, Trust::Verified];

fn by(device: u32, trust: Trust, entry: Entry) -> Entry {
    Entry { by: Some(SentBy { device: device.into(), trust }), ..entry }
}
fn correction(id: &str, words: &str) -> Content {
    Content::Correction { of: of(id), text: words.into() }
}
fn retraction(id: &str) -> Content {
    Content::Retraction { of: of(id) }
}
fn shown(history: &History) -> Vec<(String, Trust)> {
    let shown = all(history, &bob()).into_iter().map(|m| (m.text().unwrap_or("-").to_owned(), m.by.unwrap().trust));
    shown.collect()
}
/// In this order, and in the other one.
fn both_ways(entries: &[Entry], check: impl Fn(&mut History)) {
    for late in [false, true] {
        let (_directory, mut history) = opened();
        let mut entries = entries.to_vec();
        if late {
            entries.reverse();
        }
        entries.iter().for_each(|entry| drop(history.add(entry).unwrap()));
        check(&mut history);
    }
}

#[test]
fn a_correction_counts_from_a_device_that_is_worth_no_less() {
    for (first, then) in ORDER.into_iter().flat_map(|first| ORDER.map(|then| (first, then))) {
        let entries = [by(7, first, from_bob("m1", text("first"), 1)), by(8, then, from_bob("m2", correction("m1", "then"), 2))];
        both_ways(&entries, |history| {
            let two = vec![("first".to_owned(), first), ("then".to_owned(), then)];
            // what is shown is by the weaker of the two
            let expected = if then >= first { vec![("then".to_owned(), first)] } else { two };
            assert_eq!(shown(history), expected, "{first:?} {then:?}");
        });
    }
}
#[test]
fn a_retraction_counts_from_a_device_that_is_worth_no_less() {
    for (first, then) in ORDER.into_iter().flat_map(|first| ORDER.map(|then| (first, then))) {
        let entries = [by(7, first, from_bob("m1", text("evidence"), 1)), by(8, then, from_bob("m2", retraction("m1"), 2))];
        both_ways(&entries, |history| {
            let message = &all(history, &bob())[0];
            let (words, gone) = if then >= first { ("-", Gone::Retracted) } else { ("evidence", Gone::Claimed) };
            assert_eq!((message.text().unwrap_or("-"), &message.retraction.as_ref().unwrap().gone), (words, &gone), "{first:?} {then:?}");
            assert_eq!(found(history, "evidence").len(), usize::from(gone == Gone::Claimed));
            // that it was claimed does not keep the others' word out
            history.add(&by(7, Trust::Verified, from_bob("m3", retraction("m1"), 3))).unwrap();
            assert_eq!(texts(history, &bob()), ["-"]);
        });
    }
}
#[test]
fn a_device_of_ones_own_that_is_not_approved_changes_nothing_here() {
    let (_directory, mut history) = opened();
    history.add(&to_bob("o1", text("my words"), 1)).unwrap();
    history.add(&by(666, Trust::Undecided, to_bob("o2", retraction("o1"), 2))).unwrap();
    history.add(&by(666, Trust::Undecided, to_bob("o3", correction("o1", "theirs"), 3))).unwrap();
    assert_eq!(texts(&history, &bob()), ["my words", "theirs"]);
    assert_eq!(all(&history, &bob())[0].retraction.as_ref().unwrap().gone, Gone::Claimed);
    // this device may
    history.add(&to_bob("o4", correction("o1", "better"), 4)).unwrap();
    assert_eq!(texts(&history, &bob()), ["better", "theirs"]);
    history.add(&to_bob("o5", retraction("o1"), 5)).unwrap();
    assert_eq!(texts(&history, &bob())[0], "-");
}
#[test]
fn a_correction_of_a_correction_is_compared_with_the_message() {
    let entries = [
        by(7, Trust::Verified, from_bob("m1", text("one"), 1)),
        by(7, Trust::Verified, from_bob("m2", correction("m1", "two"), 2)),
        by(8, Trust::Undecided, from_bob("m3", correction("m2", "three"), 3)),
    ];
    both_ways(&entries, |history| {
        assert_eq!(shown(history), [("two".to_owned(), Trust::Verified), ("three".to_owned(), Trust::Undecided)]);
    });
}
#[test]
fn a_reaction_stays_against_a_device_that_is_worth_less() {
    let (_directory, mut history) = opened();
    let reaction = |emojis: &[&str]| Content::Reaction { of: of("o1"), emojis: emojis.iter().map(|e| (*e).to_owned()).collect() };
    history.add(&to_bob("o1", text("words"), 1)).unwrap();
    history.add(&by(8, Trust::Undecided, from_bob("r0", reaction(&["👎"]), 2))).unwrap();
    let shown = |history: &History| all(history, &bob())[0].reactions.iter().map(|r| (r.emojis.concat(), r.trust)).collect::<Vec<_>>();
    assert_eq!(shown(&history), [("👎".to_owned(), Some(Trust::Undecided))], "shown, with its mark");
    history.add(&by(7, Trust::Verified, from_bob("r1", reaction(&["👍"]), 3))).unwrap();
    history.add(&by(8, Trust::Undecided, from_bob("r2", reaction(&[]), 4))).unwrap();
    history.add(&by(8, Trust::Undecided, from_bob("r3", reaction(&["👎"]), 5))).unwrap();
    assert_eq!(shown(&history), [("👍".to_owned(), Some(Trust::Verified))]);
}
#[test]
fn what_a_device_that_is_not_trusted_has_read_is_not_sure() {
    let (_directory, mut history) = opened();
    history.add(&to_bob("o1", text("words"), 1)).unwrap();
    history.add(&to_bob("o2", text("more"), 2)).unwrap();
    let displayed = |id: &str| Content::Displayed { of: of(id) };
    let sure = |history: &History, n: usize| all(history, &bob())[n].displayed.iter().map(|mark| mark.sure).collect::<Vec<_>>();
    history.add(&by(8, Trust::Undecided, from_bob("d1", displayed("o2"), 3))).unwrap();
    history.add(&Entry { in_clear: true, ..from_bob("d2", displayed("o2"), 4) }).unwrap();
    assert_eq!((sure(&history, 0), sure(&history, 1)), (vec![false], vec![false]));
    history.add(&by(7, Trust::Trusted, from_bob("d3", displayed("o1"), 5))).unwrap();
    assert_eq!((sure(&history, 0), sure(&history, 1)), (vec![true], vec![false]));
    history.add(&Entry { in_clear: true, ..from_bob("d4", Content::Delivered { of: of("o1") }, 6) }).unwrap();
    assert!(!all(&history, &bob())[0].delivered[0].sure);
}
#[test]
fn a_device_of_ones_own_that_is_not_approved_has_read_nothing_here() {
    let (_directory, mut history) = opened();
    history.add(&from_bob("m1", text("words"), 1)).unwrap();
    let displayed = Content::Displayed { of: of("m1") };
    history.add(&by(666, Trust::Undecided, to_bob("d1", displayed.clone(), 2))).unwrap();
    assert_eq!(history.chats().unwrap()[0].unread, 1);
    history.add(&by(9, Trust::Trusted, to_bob("d2", displayed, 3))).unwrap();
    assert_eq!(history.chats().unwrap()[0].unread, 0);
}

/// Legacy messages with references that the server could have put there.
#[test]
fn what_stood_in_clear_beside_a_message_changes_no_other() {
    let beside = |id: &str, content, seconds| Entry { beside: true, ..by(7, Trust::Verified, from_bob(id, content, seconds)) };
    let entries = [
        by(7, Trust::Verified, from_bob("m1", text("not for sale"), 1)),
        beside("m2", correction("m1", "sold if he asks again"), 2),
        beside("m3", retraction("m1"), 3),
    ];
    both_ways(&entries, |history| {
        assert_eq!(texts(history, &bob()), ["not for sale", "sold if he asks again"]);
        let messages = all(history, &bob());
        assert_eq!(messages[0].retraction.as_ref().unwrap().gone, Gone::Claimed);
        assert!(messages[1].beside && !messages[1].in_clear && messages[0].edited.is_none());
        assert_eq!(history.chats().unwrap()[0].unread, 2);
        // its author takes the first one back: that the second one corrects it nobody knows
        history.add(&by(7, Trust::Verified, from_bob("m4", retraction("m1"), 4))).unwrap();
        assert_eq!(texts(history, &bob()), ["-", "sold if he asks again"]);
        history.add(&by(7, Trust::Verified, from_bob("m5", retraction("m2"), 5))).unwrap();
        assert_eq!(texts(history, &bob()), ["-", "-"]);
    });
}
