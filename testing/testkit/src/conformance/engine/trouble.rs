//! What must not happen: errors, hostile bodies, replays, crashes.
use super::pair::{ALICE, BOB, Make, Pair, TOO_LONG, Two, join, settle};
use super::subject::Switch;
use super::{Misbehaviour, Promises};
use crate::{ClientId, Stanza, crash_everywhere};
use subrosa_engine::{ContentType, Event, Reason, RequestError, Status};

/// A hook that fails, panics or skips lets nothing out and shows nothing; one that failed leaves no trace in the engine's state.
pub fn fails_closed(make: Make, _: Promises) {
    for how in [Misbehaviour::Fails, Misbehaviour::Panics, Misbehaviour::Skips] {
        let (why, undone) = if how == Misbehaviour::Skips { (Reason::NotEncrypted, false) } else { (Reason::Engine, true) };
        let mut pair = Pair::new(2, make);
        pair.talks("before");
        let stanzas = pair.world.stanzas().len();
        pair.misbehaving(how, |pair| {
            let id = pair.say(pair.alice, BOB, "never out");
            assert_eq!(pair.not_sent(pair.alice, &id), Some(&why.into()), "{how:?}: the user was not told");
        });
        pair.hid("never out");
        assert_eq!(pair.world.stanzas().len(), stanzas, "{how:?}: something left");
        pair.talks("between");
        // the same on the way in: nothing is shown, and what was undone there can be received once more
        let (stanza, shown) = (pair.withheld("not shown yet"), pair.texts(pair.bob).len());
        pair.misbehaving(how, |pair| pair.inject(stanza.clone()));
        assert_eq!(pair.texts(pair.bob).len(), shown, "{how:?}: shown by an engine that failed");
        assert_eq!(pair.unread(pair.bob).last(), Some(&why.into()), "{how:?}: the user was not told");
        if undone {
            pair.inject(stanza);
            assert_eq!(pair.texts(pair.bob).last().map(String::as_str), Some("not shown yet"), "{how:?}: it left a trace");
        }
        pair.talks("after");
    }
}
/// The code that a hook refuses with is what the user is told and what goes on the wire; what is no code is 500.
pub fn refuses_with_the_very_code(make: Make, _: Promises) {
    let mut pair = Pair::new(9, make);
    pair.talks("before");
    for code in [300, 400, 403, 404, 408, 415, 480, 486, 488, 500, 503, 600, 603, 699, 0, 1, 200, 299, 700, 65_535] {
        let status = Status::new(code);
        assert_eq!(status.code(), if (300..=699).contains(&code) { code } else { 500 });
        let (stanza, stanzas) = (pair.withheld("refused"), pair.world.stanzas().len());
        pair.misbehaving(Misbehaviour::Refuses(code), |pair| {
            let id = pair.say(pair.alice, BOB, "refused here");
            assert_eq!(pair.not_sent(pair.alice, &id).map(|why| why.status), Some(status));
            assert_eq!(pair.world.stanzas().len(), stanzas, "{code}: something left");
            pair.inject(stanza);
        });
        assert_eq!(pair.world.client(pair.bob).refused().last().map(|(_, status)| *status), Some(status), "{code}");
        pair.talks(&format!("after {code}"));
    }
}
/// Whatever the server answers, nothing goes out in clear.
pub fn an_error_is_no_choice_of_clear_text(make: Make, promises: Promises) {
    for error in [RequestError::NotFound, RequestError::Forbidden, RequestError::Unreachable] {
        let mut pair = Pair::new(3, make);
        pair.world.server.refuse(move |_, _| Some(error));
        let id = pair.say(pair.alice, "carol@example.org", "not in clear");
        pair.world.run_for(3_600_000);
        pair.hid("not in clear");
        if promises.needs_keys {
            assert!(!pair.was_sent(pair.alice, &id), "{error:?}: sent to nobody");
        }
    }
}
/// Empty, cut, garbled and foreign bodies: no panic, and the conversation goes on as if nothing had been.
pub fn survives_hostile_bodies(make: Make, promises: Promises) {
    let mut pair = Pair::new(4, make);
    pair.talks("before");
    pair.say(pair.alice, BOB, "a true message");
    let real = pair.last();
    let (shown, unread) = (pair.texts(pair.bob).len(), pair.unread(pair.bob).len());
    let mut bodies: Vec<Vec<u8>> = vec![Vec::new(), vec![0], b"<".into(), b"<a/>".into(), b"</a>".into(), vec![0xff; 300], b"<a>".repeat(2000)];
    let rng = pair.world.rng();
    for _ in 0..200 {
        let mut body = real.body.clone();
        match rng.below(3) {
            0 => body.truncate(usize::try_from(rng.below(body.len() as u64)).unwrap_or(0)),
            1 => {
                let at = usize::try_from(rng.below(body.len() as u64)).unwrap_or(0);
                body[at] ^= 1 << rng.below(8);
            }
            _ => {
                let at = usize::try_from(rng.below(body.len() as u64)).unwrap_or(0);
                body.insert(at, rng.below(256) as u8);
            }
        }
        bodies.push(body);
    }
    for body in bodies {
        pair.inject(Stanza { body, ..real.clone() });
    }
    let after = pair.texts(pair.bob);
    if promises.authentic {
        assert!(after[shown..].iter().all(|text| text == "a true message"), "a changed message was shown: {:?}", &after[shown..]);
    }
    if promises.authentic && promises.no_replay {
        assert_eq!(after.len(), shown, "a message that was shown is shown again");
    }
    pair.refuses_for_reasons(pair.bob, unread);
    pair.talks("after");
}
/// A message with a bit changed, cut or with more to it is refused, wherever that is; and the true one can still be read.
pub fn refuses_what_was_changed(make: Make, promises: Promises) {
    if !promises.authentic {
        return;
    }
    let mut pair = Pair::new(10, make);
    pair.talks("before");
    let (real, shown, unread) = (pair.withheld("the true one"), pair.texts(pair.bob).len(), pair.unread(pair.bob).len());
    let step = (real.body.len() / 300).max(1);
    let mut changed: Vec<Vec<u8>> = (0..real.body.len()).step_by(step).map(|at| real.body[..at].to_vec()).collect();
    for at in (0..real.body.len()).step_by(step) {
        let mut body = real.body.clone();
        body[at] ^= 1 << (at % 8);
        changed.push(body);
    }
    changed.push([real.body.as_slice(), b"\0"].concat());
    changed.push(real.body.repeat(2));
    for body in changed {
        pair.inject(Stanza { body, ..real.clone() });
    }
    // a change that means nothing (white space, a word to another device) may pass: what is shown is what was written
    assert!(pair.texts(pair.bob)[shown..].iter().all(|text| text == "the true one"), "{:?}", &pair.texts(pair.bob)[shown..]);
    assert!(pair.unread(pair.bob).len() > unread, "nothing was refused");
    pair.refuses_for_reasons(pair.bob, unread);
    pair.inject(real);
    assert_eq!(pair.texts(pair.bob).last().map(String::as_str), Some("the true one"), "what was changed took the true one along");
    pair.talks("after");
}
/// What comes under a content type that is not the engine's, or in clear, is never shown as if it had been encrypted.
pub fn shows_nothing_foreign(make: Make, _: Promises) {
    let mut pair = Pair::new(11, make);
    pair.talks("before");
    let (real, shown) = (pair.withheld("under its own type"), pair.texts(pair.bob).len());
    for content_type in ["", ";", "text/plain", "application/x-unknown", "cipher/unknown", "\u{0}", "multipart/mixed; boundary=\"a\""] {
        for body in [real.body.clone(), b"in clear".to_vec(), Vec::new()] {
            let unread = pair.unread(pair.bob).len();
            pair.inject(Stanza { content_type: ContentType(content_type.into()), body, ..real.clone() });
            assert_eq!(pair.texts(pair.bob).len(), shown, "{content_type:?} was shown");
            assert_eq!(pair.unread(pair.bob).len(), unread + 1, "{content_type:?} vanished");
        }
    }
    pair.talks("after");
}
/// The same stanza again, at once and later.
pub fn shows_a_message_once(make: Make, promises: Promises) {
    let mut pair = Pair::new(5, make);
    pair.talks("before");
    pair.world.faults.duplicate = 1000;
    (0..5).for_each(|n| drop(pair.say(pair.alice, BOB, &format!("twice {n}"))));
    pair.world.faults.duplicate = 0;
    for stanza in pair.world.stanzas().to_vec() {
        pair.inject(stanza);
    }
    if promises.no_replay {
        let texts = pair.texts(pair.bob);
        for n in 0..5 {
            assert_eq!(texts.iter().filter(|t| **t == format!("twice {n}")).count(), 1, "message {n}");
        }
    }
    pair.talks("after");
}
/// A new process over the same store goes on where the old one was.
pub fn survives_restarts(make: Make, _: Promises) {
    for late in [0, 2] {
        let mut pair = Pair::with_stores(6, make, late);
        for round in ["one", "two", "three"] {
            pair.talks(round);
            pair.world.crash(pair.alice);
            pair.settle();
            pair.talks(&format!("{round}, alice anew"));
            pair.world.crash(pair.bob);
            pair.settle();
        }
    }
}
/// Whatever process dies at whichever commit, a message is shown, once; or, where it was left to somebody who died with the process,
/// its user is told that it was not sent or not received.
pub fn survives_a_crash_at_every_commit(make: Make, promises: Promises) {
    let later = make().next.is_some();
    let scenario = |world: &mut Two| {
        let (alice, bob) = join(world, make, &Switch::default());
        for n in 0..2 {
            world.send(alice, BOB, &format!("a{n}"));
            settle(world);
            world.send(bob, ALICE, &format!("b{n}"));
            settle(world);
        }
        world.run_for(TOO_LONG);
        settle(world);
    };
    let told = |world: &Two, who: ClientId| {
        let events = world.client(who).events();
        (
            events.iter().filter(|e| matches!(e, Event::NotSent { .. })).count(),
            events.iter().filter(|e| matches!(e, Event::NotReceived { .. })).count(),
        )
    };
    let runs = crash_everywhere(12, scenario, |world, crash| {
        let both: Vec<ClientId> = world.clients().collect();
        let [alice, bob] = both[..] else { panic!("there are two") };
        for (from, to, expected) in [(alice, bob, ["a0", "a1"]), (bob, alice, ["b0", "b1"])] {
            let shown: Vec<String> = world.client(to).texts().into_iter().map(|(_, text)| text).collect();
            assert!(shown.iter().all(|text| expected.contains(&text.as_str())), "{crash:?}: {shown:?}");
            let times = |text: &str| shown.iter().filter(|t| *t == text).count();
            if promises.no_replay {
                assert!(expected.iter().all(|text| times(text) <= 1), "{crash:?}: shown twice: {shown:?}");
            }
            let lost = expected.iter().filter(|text| times(text) == 0).count();
            let excused = if later { told(world, from).0 + told(world, to).1 } else { 0 };
            assert!(lost <= excused, "{crash:?}: {lost} of {expected:?} lost, and {excused} times somebody was told");
        }
    });
    assert!(runs > 20, "{runs}");
}
