//! A history travels to a new device whole, whatever is lost on the way and whoever is restarted; nothing hostile gets in.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::arithmetic_side_effects, clippy::panic)]
mod common;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use common::*;
use proptest::prelude::*;
use std::io::Write as _;
use std::path::Path;
use subrosa_engine::codec::Writer;
use subrosa_engine::{Coded as _, Content, ContentType, Device, DeviceId, Fingerprint, Plaintext, Reason, Trust};
use subrosa_history::transfer::{Handled, Happened, OwnDevice, TransferError};
use subrosa_history::{At, Body, Decision, Entry, Gone, History, Message, SentBy, State};

const OLD: u32 = 1;
const NEW: u32 = 2;
fn device(id: u32) -> OwnDevice {
    OwnDevice::approved(&me(), &Device::of(&me(), id), Trust::Trusted).unwrap()
}
fn decisions() -> Vec<Decision> {
    (0..30).map(|n| Decision { device: Device::of(&bob(), n), key: Fingerprint([n as u8; 32]), trust: Trust::ALL[n as usize % 4] }).collect()
}
fn filled(path: &Path, messages: u64) -> History {
    let mut history = History::open(path, &KEY, &me()).unwrap();
    let filled = history.transaction(|history| {
        for n in 0..messages {
            let by = Some(SentBy { device: 7.into(), trust: Trust::Verified });
            history.add(&Entry { by, ..from_bob(&format!("m{n}"), text(&format!("words number {n} {}", "x".repeat(n as usize % 300))), n / 3) })?;
        }
        history.add(&from_bob("c1", Content::Correction { of: of("m1"), text: "corrected".into() }, 900))?;
        history.add(&from_bob("t1", Content::Retraction { of: of("m2") }, 901))?;
        history.add(&to_bob("o1", text("mine"), 902))?;
        history.add(&Entry { state: State::Failed(Reason::NoDevice), ..to_bob("o2", text("not sent"), 902) })?;
        history.add(&from_bob("d1", Content::Delivered { of: of("o1") }, 903))?;
        history.add(&from_bob("d2", Content::Displayed { of: of("o1") }, 903))?;
        history.add(&to_bob("d3", Content::Displayed { of: of("m3") }, 903))?;
        history.add(&from_bob("r1", Content::Reaction { of: of("o1"), emojis: vec!["👍".into()] }, 904))?;
        history.add(&Entry::unreadable(&chat(&bob()), &bob(), &of("u1"), Reason::Untrusted, at(905)))?;
        for (n, person) in [bob(), carol(), room()].iter().enumerate() {
            history.add(&said(person, &format!("g{n}"), text("in the room"), 910 + n as u64))?;
        }
        history.add(&said(&me(), "r2", Content::Reaction { of: of("sg0"), emojis: vec!["🎉".into(), "👍".into()] }, 920))?;
        history.moderate(&chat(&room()), "sg1", &bob(), "spam", at(921))?;
        Ok::<(), subrosa_history::HistoryError>(())
    });
    filled.unwrap();
    history
}
fn view(history: &History) -> (Vec<Message>, Vec<u32>, usize) {
    let mut messages = Vec::new();
    for who in [bob(), room()] {
        let mut at = At::Newest;
        loop {
            let page = history.page(&chat(&who), at, 1000).unwrap();
            let Some(first) = page.messages.first() else { break };
            at = At::Before(first.place);
            messages.extend(page.messages);
        }
    }
    (messages, history.chats().unwrap().iter().map(|chat| chat.unread).collect(), found(history, "words").len())
}
fn untold((mut messages, unread, found): (Vec<Message>, Vec<u32>, usize)) -> (Vec<Message>, Vec<u32>, usize) {
    for message in &mut messages {
        assert_eq!(message.told_by.take(), Some(DeviceId::Number(OLD)), "{message:?}");
    }
    (messages, unread, found)
}

#[test]
fn all_of_it_arrives() {
    let directory = tempfile::tempdir().unwrap();
    let mut old = filled(&directory.path().join("old"), 2500);
    let mut new = History::open(directory.path().join("new"), &[9; 32], &me()).unwrap();
    let offer = old.offer_transfer(&device(NEW), &decisions(), &mut rng(1)).unwrap();
    assert!(History::is_transfer(&offer) && !History::is_transfer(&Plaintext::text("hello")));
    let Happened::Offered { total } = take(&mut new, OLD, &offer).happened else { panic!() };
    assert!(total > 2500);
    let mut request = Some(new.accept_transfer(&device(OLD)).unwrap());
    let (mut batches, mut reached) = (0, 0);
    while let Some(plain) = request {
        let Handled { reply, .. } = take(&mut old, NEW, &plain);
        let Some(batch) = reply else { break };
        assert!(batch.bytes().len() <= 64 * 1024, "{}", batch.bytes().len());
        batches += 1;
        let handled = take(&mut new, OLD, &batch);
        match handled.happened {
            Happened::Progress { done, .. } => {
                assert!(done > reached);
                reached = done;
            }
            Happened::Finished { done, left_out } => assert_eq!((done, left_out), (total, 0)),
            other => panic!("{other:?}"),
        }
        request = handled.reply;
    }
    assert!(batches > 5, "{batches}");
    assert_eq!(view(&old), untold(view(&new)));
    assert_eq!((old.transfers().unwrap().len(), new.transfers().unwrap().len()), (0, 0));
    let mut told = new.told_decisions(&device(OLD)).unwrap();
    told.sort_by_key(|d| d.key.0);
    assert_eq!(told, decisions());
    new.forget_told_decisions(&device(OLD)).unwrap();
    assert_eq!(new.told_decisions(&device(OLD)).unwrap(), []);
    new.check().unwrap();
    // what comes to the new device itself is better than what it was told
    let message = found_one(&new, "number 2499");
    assert!(message.told_by.is_some());
    let live = Entry { by: None, ..from_bob("m2499", text(message.text().unwrap()), 2499 / 3) };
    new.add(&live).unwrap();
    let message = found_one(&new, "number 2499");
    assert_eq!((message.told_by, message.by), (None, None));
}
fn found_one(history: &History, words: &str) -> Message {
    history.search(words, None, 1).unwrap().pop().unwrap()
}
fn take(history: &mut History, from: u32, plain: &Plaintext) -> Handled {
    history.take_transfer(&device(from), plain, at(5000)).unwrap().unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]
    /// Messages are lost, doubled, and come late; either side is restarted at any time.
    #[test]
    fn whatever_happens_on_the_way(faults in proptest::collection::vec(0u8..8, 40..80)) {
        let directory = tempfile::tempdir().unwrap();
        let (old_path, new_path) = (directory.path().join("old"), directory.path().join("new"));
        let mut old = filled(&old_path, 700);
        let mut new = History::open(&new_path, &[9; 32], &me()).unwrap();
        let offer = old.offer_transfer(&device(NEW), &decisions(), &mut rng(1)).unwrap();
        take(&mut new, OLD, &offer);
        // on the way, to the new device (true) or to the old one
        let mut way: Vec<(bool, Plaintext)> = vec![(false, new.accept_transfer(&device(OLD)).unwrap())];
        let mut faults = faults.into_iter();
        for _ in 0..10_000 {
            let fault = faults.next().unwrap_or(7);
            if way.is_empty() {
                way.extend(old.resume_transfer(&device(NEW)).unwrap().into_iter().map(|plain| (true, plain)));
                way.extend(new.resume_transfer(&device(OLD)).unwrap().into_iter().map(|plain| (false, plain)));
                if old.transfers().unwrap().is_empty() {
                    break;
                }
            }
            let at_hand = if fault == 0 { way.len() - 1 } else { 0 };
            let (to_new, plain) = way.remove(at_hand);
            match fault {
                1 => continue,
                2 => way.push((to_new, plain.clone())),
                3 => {
                    drop(old);
                    old = History::open(&old_path, &KEY, &me()).unwrap();
                }
                4 => {
                    drop(new);
                    new = History::open(&new_path, &[9; 32], &me()).unwrap();
                }
                _ => {}
            }
            let (history, from) = if to_new { (&mut new, OLD) } else { (&mut old, NEW) };
            match history.take_transfer(&device(from), &plain, at(5000)) {
                Ok(handled) => way.extend(handled.and_then(|handled| handled.reply).map(|reply| (!to_new, reply))),
                // the old device is done, and something comes late
                Err(TransferError::Unknown) if !to_new => {}
                Err(e) => return Err(TestCaseError::fail(e.to_string())),
            }
        }
        prop_assert_eq!(old.transfers().unwrap().len() + new.transfers().unwrap().len(), 0);
        prop_assert_eq!(view(&old), untold(view(&new)));
    }
}

#[test]
fn only_devices_of_ones_own_that_are_trusted() {
    assert!(OwnDevice::approved(&me(), &Device::of(&bob(), 1), Trust::Verified).is_none());
    for trust in [Trust::Undecided, Trust::Untrusted] {
        assert!(OwnDevice::approved(&me(), &Device::of(&me(), 1), trust).is_none());
    }
}

#[test]
fn what_was_not_asked_for_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let mut old = filled(&directory.path().join("old"), 50);
    let mut new = History::open(directory.path().join("new"), &[9; 32], &me()).unwrap();
    let refused = |history: &mut History, from: u32, plain: &Plaintext| history.take_transfer(&device(from), plain, at(5000)).unwrap_err().code();
    assert!(matches!(new.accept_transfer(&device(OLD)), Err(TransferError::Unknown)));
    let offer = old.offer_transfer(&device(NEW), &[], &mut rng(1)).unwrap();
    take(&mut new, OLD, &offer);
    let request = new.accept_transfer(&device(OLD)).unwrap();
    // another device of one's own asks for what was not offered to it
    assert_eq!(refused(&mut old, 3, &request), "transfer.unknown");
    let batch = take(&mut old, NEW, &request).reply.unwrap();
    assert_eq!(refused(&mut new, 3, &batch), "transfer.unknown");
    // nobody said yes
    let mut other = History::open(directory.path().join("other"), &[9; 32], &me()).unwrap();
    take(&mut other, OLD, &offer);
    assert_eq!(refused(&mut other, OLD, &batch), "transfer.unknown");
    // another account's
    let mut another = History::open(directory.path().join("another"), &[9; 32], &bob()).unwrap();
    assert_eq!(refused(&mut another, OLD, &offer), "transfer.other-account");
    // cancelled: nothing more is taken, by either
    for told in new.cancel_transfer(&device(OLD)).unwrap() {
        assert_eq!(take(&mut old, NEW, &told).happened, Happened::Cancelled);
    }
    assert_eq!((refused(&mut new, OLD, &batch), refused(&mut old, NEW, &request)), ("transfer.unknown", "transfer.unknown"));
    assert_eq!(view(&new).0.len(), 0);
}

/// One element with these bytes.
fn element(bytes: &[u8]) -> Plaintext {
    let mut packed = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::best());
    packed.write_all(bytes).unwrap();
    let text = STANDARD.encode(packed.finish().unwrap());
    Plaintext::new(ContentType::STANZA, format!("<history xmlns=\"urn:subrosa:history:0\">{text}</history>"))
}
/// A transfer that was accepted, its id, and what one of its batches begins with.
fn accepted(directory: &Path) -> (History, impl Fn(u32, &[&[u8]]) -> Plaintext + use<>) {
    let mut new = History::open(directory.join("new"), &[9; 32], &me()).unwrap();
    let mut offer = Writer::versioned(1);
    offer.u64(77).str(me().as_str()).u8(1).u64(10);
    take(&mut new, OLD, &element(&offer.into_bytes()));
    new.accept_transfer(&device(OLD)).unwrap();
    let batch = |number: u32, items: &[&[u8]]| {
        let mut out = Writer::versioned(1);
        out.u64(77).str(me().as_str()).u8(3).u32(number).bytes(b"cursor").bool(false).u64(0).len(items.len());
        items.iter().for_each(|item| {
            out.raw(item);
        });
        element(&out.into_bytes())
    };
    (new, batch)
}
fn row(chat: &str, room: bool, author: &str, id: &str, kind: u8, words: &str, refers: Option<&str>) -> Vec<u8> {
    let mut out = Writer::new();
    out.u8(1).str(chat).bool(room).u64(at(10).0 << 20).u8(kind).u64(0).str(author).str(id).str(words);
    for value in [None, None, refers, None, None, None, None] {
        out.option(value, |out, value| {
            out.str(value);
        });
    }
    out.bool(false).bool(false).bool(false).bool(false);
    out.into_bytes()
}

#[test]
fn hostile_batches() {
    let directory = tempfile::tempdir().unwrap();
    let (mut new, batch) = accepted(directory.path());
    new.add(&from_bob("m1", text("bob's own words"), 1)).unwrap();
    new.add(&to_bob("o1", text("my own words"), 2)).unwrap();
    let before = view(&new);
    let refused = |history: &mut History, plain: &Plaintext| history.take_transfer(&device(OLD), plain, at(5000)).unwrap_err();
    let fine = row("bob@example.org", false, "bob@example.org", "m9", 0, "told", None);
    // wrong numbers, too many rows, rows cut short, unknown kinds, nothing at all
    assert!(matches!(refused(&mut new, &batch(2, &[&fine])), TransferError::WrongNumber { expected: 1, found: 2 }));
    assert_eq!(take(&mut new, OLD, &batch(0, &[&fine])).happened, Happened::Nothing);
    let many: Vec<&[u8]> = (0..2001).map(|_| fine.as_slice()).collect();
    assert_eq!(refused(&mut new, &batch(1, &many)).code(), "transfer.malformed");
    for cut in 0..fine.len() {
        assert_eq!(refused(&mut new, &batch(1, &[&fine[..cut]])).code(), "transfer.malformed");
    }
    assert_eq!(refused(&mut new, &batch(1, &[&[9; 40]])).code(), "transfer.malformed");
    assert_eq!(refused(&mut new, &batch(1, &[])).code(), "transfer.malformed");
    // a bomb; something too large; no Base64, no zlib; a newer form
    assert_eq!(refused(&mut new, &element(&vec![1; 64 << 20])).code(), "transfer.too-large");
    let raw = |text: &str| Plaintext::new(ContentType::STANZA, format!("<history xmlns='urn:subrosa:history:0'>{text}</history>"));
    assert_eq!(refused(&mut new, &raw(&"A".repeat(300_000))).code(), "transfer.too-large");
    assert_eq!(refused(&mut new, &raw("?")).code(), "transfer.malformed");
    assert_eq!(refused(&mut new, &raw("AAAA")).code(), "transfer.malformed");
    assert_eq!(refused(&mut new, &element(&[3, 0, 0])).code(), "transfer.newer");
    for none in ["", "<history/>", "<history xmlns='urn:subrosa:history:1'>AAAA</history>", "hello<history xmlns='urn:subrosa:history:0'/>", "<"] {
        assert!(new.take_transfer(&device(OLD), &Plaintext::new(ContentType::STANZA, none), at(5000)).unwrap().is_none(), "{none}");
    }
    assert_eq!(view(&new), before, "nothing of all that was taken");

    // what changes others' messages, or replaces what was verified here, or is by somebody who is not in the chat
    let forged = [
        row("bob@example.org", false, "bob@example.org", "m1", 0, "bob's own words", None),
        row("bob@example.org", false, "bob@example.org", "c1", 2, "I owe Bob 100", Some("o1")),
        row("bob@example.org", false, "mallory@example.org", "x", 0, "hello", None),
        row("bob@example.org", false, "bob@example.org", "m1", 0, "other words under that id", None),
    ];
    let retraction = |author: &str| {
        let mut out = Writer::new();
        out.u8(2).str("bob@example.org").bool(false).str("o1").u8(1).str(author).u64(at(20).0).str("").bool(false).bool(false);
        out.into_bytes()
    };
    let mut far = Writer::new();
    far.u8(4).str("bob@example.org").bool(false).u64((1 << 62) - 1);
    let (retraction, far) = (retraction("bob@example.org"), far.into_bytes());
    let mut items: Vec<&[u8]> = forged.iter().map(Vec::as_slice).collect();
    items.extend([retraction.as_slice(), &far]);
    take(&mut new, OLD, &batch(1, &items));
    let messages = all(&new, &bob());
    let own: Vec<_> = messages.iter().filter(|m| m.told_by.is_none()).map(|m| (m.text().unwrap(), m.retraction.clone())).collect();
    assert_eq!(own, [("bob's own words", None), ("my own words", None)]);
    let told: Vec<_> = messages.iter().filter(|m| m.told_by.is_some()).map(|m| m.text().unwrap()).collect();
    assert_eq!(told, ["other words under that id", "I owe Bob 100"]);
    assert!(messages.iter().all(|m| m.from != "mallory@example.org".into()));
    assert!(messages.iter().any(|m| matches!(&m.body, Body::Said(Content::Correction { .. }))), "it stands for itself");
    // read up to the end of time: no further than now
    new.add(&Entry { time: at(6000), arrived: at(6000), ..from_bob("late", text("unread"), 1) }).unwrap();
    assert_eq!(new.chats().unwrap()[0].unread, 1);
    assert!(all(&new, &bob()).iter().all(|m| m.retraction.as_ref().is_none_or(|r| r.gone != Gone::Retracted)));
}

#[test]
fn a_message_that_is_too_large_is_left_out_and_counted() {
    let directory = tempfile::tempdir().unwrap();
    let mut old = History::open(directory.path().join("old"), &KEY, &me()).unwrap();
    let mut new = History::open(directory.path().join("new"), &[9; 32], &me()).unwrap();
    let noise = |bytes: usize| {
        let mut noise = vec![0; bytes * 3 / 4];
        rand_core::Rng::fill_bytes(&mut rng(3), &mut noise);
        STANDARD.encode(noise)
    };
    old.add(&from_bob("small", text("small"), 1)).unwrap();
    old.add(&from_bob("large", text(&noise(100_000)), 2)).unwrap();
    old.add(&from_bob("huge", text(&noise(250_000)), 3)).unwrap();
    old.add(&from_bob("plain", text(&"x".repeat(250_000)), 4)).unwrap();
    let offer = old.offer_transfer(&device(NEW), &[], &mut rng(1)).unwrap();
    take(&mut new, OLD, &offer);
    let mut plain = new.accept_transfer(&device(OLD)).unwrap();
    loop {
        let batch = take(&mut old, NEW, &plain).reply.unwrap();
        let handled = take(&mut new, OLD, &batch);
        plain = handled.reply.unwrap();
        if let Happened::Finished { left_out, .. } = handled.happened {
            assert_eq!(left_out, 1);
            break;
        }
    }
    assert_eq!(take(&mut old, NEW, &plain).happened, Happened::Finished { done: 4, left_out: 1 });
    assert_eq!(all(&new, &bob()).iter().map(|m| m.id.to_string()).collect::<Vec<_>>(), ["small", "large", "plain"]);
}

proptest! {
    #[test]
    fn anything(bytes: Vec<u8>, text in "\\PC*") {
        let directory = tempfile::tempdir().unwrap();
        let mut history = History::open(directory.path().join("h"), &KEY, &me()).unwrap();
        let _ = history.take_transfer(&device(OLD), &element(&bytes), at(1));
        let mut versioned = vec![1];
        versioned.extend(bytes);
        let _ = history.take_transfer(&device(OLD), &element(&versioned), at(1));
        let _ = history.take_transfer(&device(OLD), &Plaintext::new(ContentType::STANZA, text), at(1));
    }
}

/// In the form of before, which named no trust, and in this one, whatever trust it claims.
#[test]
fn a_retraction_that_another_device_tells_takes_nothing_that_came() {
    for tag in [2, 6] {
        let directory = tempfile::tempdir().unwrap();
        let (mut new, batch) = accepted(directory.path());
        let by = Some(SentBy { device: 7.into(), trust: Trust::Verified });
        new.add(&Entry { by: by.clone(), ..from_bob("m1", text("bob's own words"), 1) }).unwrap();
        let mut out = Writer::new();
        out.u8(tag).str("bob@example.org").bool(false).str("m1").u8(1).str("bob@example.org").u64(at(20).0).str("").bool(false).bool(false);
        if tag == 6 {
            out.bool(true).u8(3);
        }
        take(&mut new, OLD, &batch(1, &[&out.into_bytes()]));
        assert_eq!(texts(&new, &bob()), ["bob's own words"]);
        assert_eq!(all(&new, &bob())[0].retraction.as_ref().unwrap().gone, Gone::Claimed);
        // what bob says himself counts
        new.add(&Entry { by, ..from_bob("m2", Content::Retraction { of: of("m1") }, 30) }).unwrap();
        assert_eq!(texts(&new, &bob()), ["-"]);
    }
}
/// Of what was told as taken back the words come back with the message itself, but for its author's own word.
#[test]
fn what_was_told_as_taken_back_comes_itself() {
    let directory = tempfile::tempdir().unwrap();
    let (mut new, batch) = accepted(directory.path());
    let mut out = Writer::new();
    out.u8(2).str("bob@example.org").bool(false).str("m1").u8(1).str("bob@example.org").u64(at(20).0).str("").bool(false).bool(false);
    let told = row("bob@example.org", false, "bob@example.org", "m1", 0, "evidence", None);
    take(&mut new, OLD, &batch(1, &[&told, &out.into_bytes()]));
    assert_eq!(texts(&new, &bob()), ["-"]);
    new.add(&from_bob("m1", text("evidence"), 10)).unwrap();
    assert_eq!((texts(&new, &bob()), found(&new, "evidence").len()), (vec!["evidence".to_owned()], 1));
    new.check().unwrap();
    new.add(&from_bob("m2", Content::Retraction { of: of("m1") }, 30)).unwrap();
    assert_eq!((texts(&new, &bob()), found(&new, "evidence").len()), (vec!["-".to_owned()], 0));
}
