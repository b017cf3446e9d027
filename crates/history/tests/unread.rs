//! What is unread: what came since, wherever it stands.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::arithmetic_side_effects)]
mod common;
use common::*;
use subrosa_engine::{Content, Reason};
use subrosa_history::{Added, Entry, History, Place};

fn unread(history: &History) -> u32 {
    history.chats().unwrap()[0].unread
}
fn late(id: &str, seconds: u64) -> Entry {
    Entry { arrived: at(200), ..from_bob(id, text("sent before, came later"), seconds) }
}

#[test]
fn what_came_late_is_unread_until_it_was_seen() {
    let (_directory, mut history) = opened();
    let first = place(history.add(&from_bob("m0", text("first"), 40)).unwrap());
    let second = place(history.add(&from_bob("m2", text("second"), 100)).unwrap());
    history.read_up_to(&chat(&bob()), second).unwrap();
    assert_eq!(unread(&history), 0);
    let place = place(history.add(&late("m1", 50)).unwrap());
    assert!(first < place && place < second);
    assert_eq!((unread(&history), history.get(place).unwrap().unwrap().unread), (1, true));
    assert!(matches!(history.add(&late("m1", 50)).unwrap(), Added::Known(_)));
    // what is on the screen is behind it
    history.read_between(&chat(&bob()), second, second).unwrap();
    assert_eq!(unread(&history), 1);
    history.read_between(&chat(&bob()), first, place).unwrap();
    assert_eq!(unread(&history), 0);
    assert_eq!(history.chats().unwrap()[0].read, second, "it never goes back");
}
/// Every time a program connects it is told again.
#[test]
fn what_another_device_has_read_is_told_again_and_nothing_new() {
    let (_directory, mut history) = opened();
    let read = |n: u64| to_bob(&format!("d{n}"), Content::Displayed { of: of("m2") }, 300 + n);
    history.add(&from_bob("m1", text("one"), 90)).unwrap();
    history.add(&read(1)).unwrap();
    assert_eq!(unread(&history), 1, "its message is not here yet");
    history.add(&from_bob("m2", text("two"), 100)).unwrap();
    assert_eq!(unread(&history), 0);
    history.add(&late("m0", 50)).unwrap();
    history.add(&read(2)).unwrap();
    assert_eq!(unread(&history), 1);
}
#[test]
fn what_could_not_be_read_is_unread_again_when_it_can() {
    let (_directory, mut history) = opened();
    let failed = Entry::unreadable(&chat(&bob()), &bob(), &of("m1"), Reason::NoSession, at(1));
    let place = place(history.add(&failed).unwrap());
    history.read_up_to(&chat(&bob()), place).unwrap();
    assert_eq!(history.add(&from_bob("m1", text("words"), 1)).unwrap(), Added::Read(place));
    assert_eq!(unread(&history), 1);
    history.read_up_to(&chat(&bob()), Place(u64::MAX >> 1)).unwrap();
    assert_eq!(unread(&history), 0);
}
#[test]
fn ones_own_what_corrects_and_what_is_gone_is_not_counted() {
    let (_directory, mut history) = opened();
    history.add(&to_bob("o1", text("mine"), 1)).unwrap();
    assert_eq!(unread(&history), 0);
    history.add(&from_bob("m1", text("one"), 2)).unwrap();
    history.add(&from_bob("m2", Content::Correction { of: of("m1"), text: "two".into() }, 3)).unwrap();
    assert_eq!(unread(&history), 1);
    history.add(&from_bob("m3", Content::Retraction { of: of("m1") }, 4)).unwrap();
    assert_eq!(unread(&history), 0);
}
