//! What a conversation is: two people's, or a room.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod common;

use common::{all, bob, carol, from_bob, me, opened, room, text, to_bob};
use subrosa_engine::Reason;
use subrosa_history::{Entry, State};

fn is_room(history: &subrosa_history::History) -> bool {
    history.chats().unwrap()[0].room
}

#[test]
fn a_conversation_of_two_becomes_no_room_and_a_room_no_conversation_of_two() {
    let (_directory, mut history) = opened();
    history.add(&from_bob("m1", text("hi"), 1)).unwrap();
    history.add(&Entry::new(&bob(), &carol(), "m2", text("so say I"), common::at(2)).in_room(None)).unwrap();
    assert!(!is_room(&history));
    assert_eq!(all(&history, &bob()).len(), 2, "what came is there");
    let (_directory, mut history) = opened();
    history.add(&common::said(&bob(), "m1", text("hi"), 1)).unwrap();
    history.add(&Entry::new(&room(), &carol(), "m2", text("so say I"), common::at(2))).unwrap();
    assert!(is_room(&history) && all(&history, &room()).len() == 2);
}

#[test]
fn who_wrote_to_a_room_before_going_in_finds_it_to_be_one() {
    let (_directory, mut history) = opened();
    let early = Entry { state: State::Failed(Reason::NoEncryption), ..Entry::new(&room(), &me(), "m1", text("hello?"), common::at(1)) };
    history.add(&early).unwrap();
    history.add(&Entry::unreadable(&common::chat(&room()), &room(), &"m2".into(), Reason::NotEncrypted, common::at(2))).unwrap();
    // nobody's address but a room's has what a third one says
    history.add(&Entry::new(&room(), &carol(), "m4", text("hello"), common::at(2))).unwrap();
    assert!(!is_room(&history));
    history.add(&common::said(&bob(), "m3", text("hi"), 3)).unwrap();
    assert!(is_room(&history));
    // one that left was said
    let (_directory, mut history) = opened();
    history.add(&Entry { state: State::Sent, ..to_bob("m1", text("hi"), 1) }).unwrap();
    history.add(&Entry::new(&bob(), &bob(), "m2", text("hi"), common::at(2)).in_room(None)).unwrap();
    assert!(!is_room(&history));
}
