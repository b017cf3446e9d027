//! One message is one row by whatever ways it comes; corrections, retractions, reactions and marks count from whom they should.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::arithmetic_side_effects)]
mod common;
use common::*;
use subrosa_engine::{Content, Reason, Time, Trust};
use subrosa_history::{Added, At, Body, Entry, Gone, History, Mark, Place, SentBy, State};

fn correction(of_id: &str, words: &str) -> Content {
    Content::Correction { of: of(of_id), text: words.into() }
}
fn retraction(of_id: &str) -> Content {
    Content::Retraction { of: of(of_id) }
}
fn reaction(of_id: &str, emojis: &[&str]) -> Content {
    Content::Reaction { of: of(of_id), emojis: emojis.iter().map(|e| (*e).to_owned()).collect() }
}

#[test]
fn by_three_ways_one_row() {
    let (_directory, mut history) = opened();
    let live = from_bob("m1", text("hello"), 1);
    let place = place(history.add(&live).unwrap());
    let carbon = Entry { time: at(2), ..live.clone() };
    assert_eq!(history.add(&carbon).unwrap(), Added::Known(place));
    let archived = live.clone().archived(Some("a1".into()));
    assert_eq!(history.add(&archived).unwrap(), Added::Known(place));
    assert_eq!(all(&history, &bob()).len(), 1);
    assert_eq!(history.get(place).unwrap().unwrap().stanza_id.as_deref(), Some("a1"));
    // an archive copy that has lost its author's id
    let nameless = Entry { id: of(""), time: at(3), ..archived };
    assert_eq!(history.add(&nameless).unwrap(), Added::Known(place));
}

#[test]
fn nothing_is_dropped_because_something_else_is_there() {
    let (_directory, mut history) = opened();
    history.add(&to_bob("m1", text("mine"), 1)).unwrap();
    // another's id; an id used twice by its author; by the archive's word two messages with the same words; without any id
    assert!(matches!(history.add(&from_bob("m1", text("mine"), 2)).unwrap(), Added::New(_)));
    assert!(matches!(history.add(&from_bob("m1", text("other"), 3)).unwrap(), Added::New(_)));
    assert!(matches!(history.add(&from_bob("m2", text("ok"), 4).archived(Some("a".into()))).unwrap(), Added::New(_)));
    assert!(matches!(history.add(&from_bob("m2", text("ok"), 5).archived(Some("b".into()))).unwrap(), Added::New(_)));
    assert!(matches!(history.add(&from_bob("", text("ok"), 6)).unwrap(), Added::New(_)));
    assert!(matches!(history.add(&from_bob("", text("ok"), 7)).unwrap(), Added::New(_)));
    assert!(matches!(history.add(&from_bob("", text("ok"), 7)).unwrap(), Added::Known(_)));
    // the same words in clear are not the same message
    assert!(matches!(history.add(&Entry { in_clear: true, ..from_bob("m2", text("ok"), 4) }).unwrap(), Added::New(_)));
    // an archive that gives one id twice
    assert!(matches!(history.add(&from_bob("m9", text("nine"), 9).archived(Some("a".into()))).unwrap(), Added::New(_)));
    assert!(matches!(history.add(&from_bob("m2", text("not ok"), 10).archived(Some("a".into()))).unwrap(), Added::New(_)));
    assert_eq!(all(&history, &bob()).len(), 10);
    // and nobody knows who is who among those without an address
    for nick in ["dora", "emil"] {
        let entry = Entry { nick: Some(nick.into()), stanza_id: None, ..said(&room(), "x", text("hi"), 1) };
        assert!(matches!(history.add(&entry).unwrap(), Added::New(_)));
    }
}

#[test]
fn who_wrote_it_and_what_their_key_was_worth() {
    let (_directory, mut history) = opened();
    let by = SentBy { device: 42.into(), trust: Trust::Verified };
    let place = place(history.add(&Entry { by: Some(by.clone()), ..from_bob("m1", text("hello"), 1) }).unwrap());
    let message = history.get(place).unwrap().unwrap();
    assert_eq!((message.by, message.in_clear, message.state, message.time), (Some(by), false, None, at(1)));
    // nothing is placed later than now
    let late = Entry { time: Time(u64::MAX), arrived: at(5), ..from_bob("m2", text("from the future"), 1) };
    let place = common::place(history.add(&late).unwrap());
    assert_eq!(place.time(), at(5));
}

#[test]
fn corrections_count_from_the_author() {
    let (_directory, mut history) = opened();
    let first = place(history.add(&from_bob("m1", text("helo"), 1)).unwrap());
    history.add(&to_bob("o1", text("mine"), 2)).unwrap();
    assert_eq!(history.add(&from_bob("m2", correction("m1", "hello"), 3)).unwrap(), Added::Changed(vec![first]));
    // of an earlier correction, as some clients name it
    assert_eq!(history.add(&from_bob("m3", correction("m2", "hello!"), 4)).unwrap(), Added::Changed(vec![first]));
    assert_eq!(history.add(&from_bob("m2", correction("m1", "hello"), 3)).unwrap(), Added::Known(Place::at(at(3))));
    assert_eq!(texts(&history, &bob()), ["hello!", "mine"]);
    let message = history.get(first).unwrap().unwrap();
    assert_eq!(message.edited, Some(at(4)));
    assert_eq!(history.forms(first).unwrap(), [(at(1), "helo".into()), (at(3), "hello".into()), (at(4), "hello!".into())]);
    // of what I said: it stands for itself, and nothing else changes
    assert_eq!(history.add(&from_bob("m4", correction("o1", "I owe Bob 100"), 5)).unwrap(), Added::Waits);
    assert_eq!(texts(&history, &bob()), ["hello!", "mine", "I owe Bob 100"]);
    // in clear over what was encrypted
    assert_eq!(history.add(&Entry { in_clear: true, ..from_bob("m5", correction("m1", "forged"), 6) }).unwrap(), Added::Waits);
    assert_eq!(history.get(first).unwrap().unwrap().text(), Some("hello!"));
}

#[test]
fn in_a_room_only_a_real_address_counts() {
    let (_directory, mut history) = opened();
    let first = place(history.add(&said(&bob(), "m1", text("bob's"), 1)).unwrap());
    assert_eq!(history.add(&said(&carol(), "m2", correction("sm1", "carol's"), 2)).unwrap(), Added::Waits);
    assert_eq!(history.add(&said(&bob(), "m3", correction("sm1", "bob's own"), 3)).unwrap(), Added::Changed(vec![first]));
    assert_eq!(history.get(first).unwrap().unwrap().text(), Some("bob's own"));
    // whom nobody knows can't take anything back, not even what somebody of the same name said
    let nobody = place(history.add(&said(&room(), "m4", text("who?"), 4)).unwrap());
    assert_eq!(history.add(&said(&room(), "m5", correction("sm4", "me"), 5)).unwrap(), Added::Waits);
    history.add(&said(&room(), "m6", retraction("sm4"), 6)).unwrap();
    history.add(&said(&room(), "m7", reaction("sm4", &["👍"]), 7)).unwrap();
    let message = history.get(nobody).unwrap().unwrap();
    assert_eq!((message.text(), message.retraction.clone(), message.reactions.len()), (Some("who?"), None, 0));
    // reactions name messages by the room's id: one by the author's could be anybody's
    history.add(&said(&carol(), "sm1", text("an id that is another's stanza-id"), 8)).unwrap();
    history.add(&said(&carol(), "m8", reaction("sm1", &["👍"]), 9)).unwrap();
    assert_eq!(history.get(first).unwrap().unwrap().reactions.len(), 1);
    assert_eq!(all(&history, &room()).iter().filter(|m| !m.reactions.is_empty()).count(), 2, "carol's own, by her own id, too");
}

#[test]
fn retractions_leave_nothing_behind() {
    let (_directory, mut history) = opened();
    let first = place(history.add(&from_bob("m1", text("secret"), 1)).unwrap());
    history.add(&from_bob("m2", correction("m1", "still secret"), 2)).unwrap();
    history.add(&to_bob("r", reaction("m1", &["😮"]), 3)).unwrap();
    // another's, and one in clear
    assert_eq!(history.add(&to_bob("o1", retraction("m1"), 3)).unwrap(), Added::Waits);
    history.add(&Entry { in_clear: true, ..from_bob("m3", retraction("m1"), 3) }).unwrap();
    let message = history.get(first).unwrap().unwrap();
    assert_eq!((message.text(), message.retraction.clone().unwrap().gone), (Some("still secret"), Gone::Claimed));
    assert_eq!(history.add(&from_bob("m4", retraction("m1"), 4)).unwrap(), Added::Changed(vec![first]));
    let message = history.get(first).unwrap().unwrap();
    assert_eq!(message.body, Body::Retracted);
    let retraction = message.retraction.unwrap();
    assert_eq!((retraction.by, retraction.time, retraction.gone), (bob(), at(4), Gone::Retracted));
    assert_eq!((message.reactions.len(), history.forms(first).unwrap().len(), found(&history, "secret").len()), (0, 0, 0));
    // the archive still has the words
    assert_eq!(history.add(&from_bob("m1", text("secret"), 1).archived(Some("a1".into()))).unwrap(), Added::Known(first));
    history.add(&from_bob("m5", correction("m1", "secret again"), 5)).unwrap();
    assert_eq!(history.get(first).unwrap().unwrap().body, Body::Retracted);
    assert_eq!(found(&history, "secret").len(), 0);
    history.check().unwrap();
}

#[test]
fn the_room_takes_messages_away() {
    let (_directory, mut history) = opened();
    // before the message came
    assert_eq!(history.moderate(&chat(&room()), "sm1", &carol(), "spam", at(9)).unwrap(), None);
    history.add(&said(&carol(), "m0", text("hello"), 0)).unwrap();
    assert_eq!(history.moderate(&chat(&room()), "sm1", &carol(), "spam", at(9)).unwrap(), None);
    assert_eq!(history.add(&said(&bob(), "m1", text("buy"), 1)).unwrap(), Added::Changed(vec![Place::at(at(1))]));
    let message = all(&history, &room()).pop().unwrap();
    assert_eq!((message.body, message.retraction.unwrap().gone), (Body::Retracted, Gone::Moderated("spam".into())));
    assert_eq!(found(&history, "buy").len(), 0);
    // a chat of two has nobody who could
    history.add(&from_bob("m1", text("mine"), 1).archived(Some("sm1".into()))).unwrap();
    assert_eq!(history.moderate(&chat(&bob()), "sm1", &bob(), "", at(2)).unwrap(), None);
    assert_eq!(texts(&history, &bob()), ["mine"]);
}

#[test]
fn reactions_are_the_latest_of_each() {
    let (_directory, mut history) = opened();
    let first = place(history.add(&said(&bob(), "m1", text("lunch?"), 1)).unwrap());
    history.add(&said(&carol(), "r1", reaction("sm1", &["👍"]), 5)).unwrap();
    history.add(&said(&me(), "r2", reaction("sm1", &["🍕", "👍"]), 6)).unwrap();
    history.add(&said(&carol(), "r0", reaction("sm1", &["👎"]), 4)).unwrap();
    let reactions = history.get(first).unwrap().unwrap().reactions;
    assert_eq!(reactions.iter().map(|r| (r.from.clone(), r.emojis.join(""))).collect::<Vec<_>>(), [(carol(), "👍".into()), (me(), "🍕👍".into())]);
    // in clear it takes nothing back that was encrypted
    history.add(&Entry { in_clear: true, ..said(&carol(), "r3", reaction("sm1", &[]), 7) }).unwrap();
    assert_eq!(history.get(first).unwrap().unwrap().reactions.len(), 2);
    history.add(&said(&carol(), "r4", reaction("sm1", &[]), 8)).unwrap();
    assert_eq!(history.get(first).unwrap().unwrap().reactions.len(), 1);
}

#[test]
fn marks_are_never_in_the_name_of_others() {
    let (_directory, mut history) = opened();
    for n in 1..=3 {
        history.add(&to_bob(&format!("o{n}"), text("mine"), n)).unwrap();
    }
    history.add(&from_bob("m1", text("bob's"), 4)).unwrap();
    history.add(&from_bob("d1", Content::Delivered { of: of("o3") }, 5)).unwrap();
    history.add(&from_bob("d2", Content::Displayed { of: of("o2") }, 6)).unwrap();
    // of his own message, and of one that is not there
    history.add(&from_bob("d3", Content::Displayed { of: of("m1") }, 7)).unwrap();
    history.add(&from_bob("d4", Content::Delivered { of: of("m1") }, 7)).unwrap();
    let seen: Vec<_> = all(&history, &bob()).iter().map(|m| (m.delivered.clone(), m.displayed.clone())).collect();
    let mark = |time| Mark { from: bob(), time, sure: false }; // of no device that is known
    let read = vec![mark(at(6))];
    assert_eq!(seen, [(vec![], read.clone()), (vec![], read), (vec![mark(at(5))], vec![]), (vec![], vec![])]);
    // told twice, the later one first
    history.add(&from_bob("d6", Content::Displayed { of: of("o3") }, 9)).unwrap();
    history.add(&from_bob("d7", Content::Displayed { of: of("o3") }, 8)).unwrap();
    assert_eq!(all(&history, &bob())[2].displayed, [mark(at(8))]);
    assert_eq!(history.chats().unwrap()[0].unread, 1, "what he read is not what I read");
    // my other device read it
    history.add(&to_bob("d5", Content::Displayed { of: of("m1") }, 8)).unwrap();
    assert_eq!(history.chats().unwrap()[0].unread, 0);
    // it never goes back
    history.read_up_to(&chat(&bob()), Place::at(at(0))).unwrap();
    assert_eq!(history.chats().unwrap()[0].unread, 0);
}

#[test]
fn what_could_not_be_read_is_replaced_in_its_place() {
    let (_directory, mut history) = opened();
    let dark = Entry::unreadable(&chat(&bob()), &bob(), &of("m1"), Reason::Untrusted, at(1));
    let place = place(history.add(&dark).unwrap());
    history.add(&from_bob("m2", text("later"), 2)).unwrap();
    let changed = Entry { body: Body::Unreadable(Reason::KeyChanged), ..dark.clone() };
    assert_eq!(history.add(&changed).unwrap(), Added::Known(place));
    assert_eq!(all(&history, &bob())[0].body, Body::Unreadable(Reason::KeyChanged));
    assert_eq!(history.add(&Entry { time: at(9), arrived: at(9), ..from_bob("m1", text("hello"), 1) }).unwrap(), Added::Read(place));
    assert_eq!(texts(&history, &bob()), ["hello", "later"]);
    assert_eq!(history.add(&dark).unwrap(), Added::Known(place), "the archive's copy can't be read twice");
    assert_eq!(texts(&history, &bob()), ["hello", "later"]);
    assert_eq!(found(&history, "hello"), ["hello"]);

    // a reaction was no message of its own
    history.add(&Entry::unreadable(&chat(&bob()), &bob(), &of("m3"), Reason::Untrusted, at(3))).unwrap();
    assert_eq!(all(&history, &bob()).len(), 3);
    assert_eq!(history.add(&from_bob("m3", reaction("m1", &["👍"]), 3)).unwrap(), Added::Changed(vec![place]));
    assert_eq!(all(&history, &bob()).len(), 2);

    // in a room nobody said whose it is, until the key told
    let nobody = Entry { body: Body::Unreadable(Reason::Untrusted), ..said(&room(), "m4", text(""), 4) };
    let place = common::place(history.add(&nobody).unwrap());
    assert_eq!(history.add(&said(&carol(), "m4", text("it was me"), 4)).unwrap(), Added::Read(place));
    assert_eq!(history.get(place).unwrap().unwrap().from, carol());
}

#[test]
fn how_far_a_message_of_ones_own_is() {
    let (_directory, mut history) = opened();
    let place = place(history.add(&Entry { state: State::Queued, ..to_bob("o1", text("mine"), 1) }).unwrap());
    let state = |history: &History| history.get(place).unwrap().unwrap().state.unwrap();
    assert_eq!(state(&history), State::Queued);
    assert!(history.set_state(&chat(&bob()), &of("o1"), State::Failed(Reason::NoDevice)).unwrap());
    assert_eq!(state(&history), State::Failed(Reason::NoDevice));
    assert!(history.set_state(&chat(&bob()), &of("o1"), State::Queued).unwrap());
    // the archive has it: it was sent
    history.add(&to_bob("o1", text("mine"), 1).archived(Some("a1".into()))).unwrap();
    assert_eq!(state(&history), State::Sent);
    history.add(&from_bob("m1", text("bob's"), 2)).unwrap();
    assert!(!history.set_state(&chat(&bob()), &of("m1"), State::Sent).unwrap(), "it is not one's own");
}

#[test]
fn the_archives_id_comes_later() {
    let (_directory, mut history) = opened();
    let mine = said(&me(), "o1", text("mine"), 1).archived(None);
    let place = place(history.add(&mine).unwrap());
    // somebody was quicker than the room's echo
    assert_eq!(history.add(&said(&bob(), "r1", reaction("so1", &["👍"]), 2)).unwrap(), Added::Waits);
    assert_eq!(history.confirm(&chat(&room()), &bob(), &of("o1"), "so1").unwrap(), None);
    assert_eq!(history.confirm(&chat(&room()), &me(), &of("o1"), "so1").unwrap(), Some(place));
    assert_eq!(history.confirm(&chat(&room()), &me(), &of("o1"), "so1").unwrap(), Some(place));
    let message = history.get(place).unwrap().unwrap();
    assert_eq!((message.stanza_id.as_deref(), message.reactions.len()), (Some("so1"), 1));
    assert_eq!(history.find(&chat(&room()), &of("so1")).unwrap().map(|m| m.place), Some(place));
}

#[test]
fn what_waits_is_bounded_for_each() {
    let (_directory, mut history) = opened();
    history.add(&said(&carol(), "r", reaction("sm0", &["👍"]), 0)).unwrap();
    for n in 0..400 {
        history.add(&said(&bob(), &format!("r{n}"), reaction(&format!("sm{n}"), &["👍"]), n)).unwrap();
    }
    for n in 0..400 {
        history.add(&said(&me(), &format!("m{n}"), text("here"), 1000 + n)).unwrap();
    }
    let page = history.page(&chat(&room()), At::Newest, 1000).unwrap().messages;
    let by = |who| page.iter().filter(|m| m.reactions.iter().any(|r| r.from == who)).count();
    assert_eq!((by(bob()), by(carol())), (256, 1));
    assert_eq!(page[399].reactions.len(), 1, "the newest are kept");
}

#[test]
fn a_chat_is_erased() {
    let (_directory, mut history) = opened();
    history.add(&from_bob("m1", text("secret"), 1)).unwrap();
    history.add(&from_bob("m2", correction("m1", "secret words"), 2)).unwrap();
    history.add(&from_bob("r1", reaction("m9", &["👍"]), 3)).unwrap();
    history.add(&said(&bob(), "m1", text("stays secret"), 1)).unwrap();
    history.erase_chat(&chat(&bob())).unwrap();
    assert_eq!((all(&history, &bob()).len(), history.chats().unwrap().len()), (0, 1));
    assert_eq!(found(&history, "secret"), ["stays secret"]);
    // and comes back as if nothing had been
    history.add(&from_bob("m9", text("new"), 9)).unwrap();
    assert_eq!(all(&history, &bob())[0].reactions.len(), 0);
    while history.erase_before(at(5)).unwrap() {}
    assert_eq!((all(&history, &bob()).len(), all(&history, &room()).len()), (1, 0));
    history.check().unwrap();
}
