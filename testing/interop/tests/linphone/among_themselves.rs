//! Linphone's phones with each other: known good, and known for their traps, before they are asked about us.

use crate::{ARRIVED, Pair, TEXT, good, pattern};

/// Marie writes, Pauline reads, and Marie hears so.
fn delivers(engine: &str, text: &str) -> Option<()> {
    let mut pair = Pair::start(engine, engine)?;
    let number = good(pair.marie.send("pauline", text));
    let read = good(pair.pauline.read());
    assert_eq!((read.from.as_str(), read.content_type.as_str(), String::from_utf8_lossy(&read.text).as_ref()), ("marie", "text/plain", text));
    assert!(read.secured);
    good(pair.marie.until(number, &["DeliveredToUser"]));
    assert!(!pair.tap.carried(text.as_bytes()), "the text stands on the wire");
    assert_eq!(pair.tap.wait_for_answers(1), [200]);
    Some(())
}

#[test]
fn xor() {
    delivers("text=xor", TEXT);
}

#[test]
fn base64() {
    delivers("text=b64", TEXT);
}

#[test]
fn base64_later() {
    delivers("text=b64 async", TEXT);
}

#[test]
fn hex_of_any_text() {
    delivers("text=hex", "Super: where XOR gives NUL. ü 🌹 \u{7f}");
}

#[test]
fn skipped() {
    let Some(mut pair) = Pair::start("text=skip", "text=skip") else { return };
    let number = good(pair.marie.send("pauline", TEXT));
    let read = good(pair.pauline.read());
    assert_eq!((read.text.as_slice(), read.secured), (TEXT.as_bytes(), false));
    good(pair.marie.until(number, ARRIVED));
    assert!(pair.tap.carried(TEXT.as_bytes()));
}

#[test]
fn typing_and_receipts() {
    let Some(mut pair) = Pair::start("text=xor", "text=xor") else { return };
    good(pair.marie.typing("pauline"));
    good(pair.pauline.composing());
    let number = good(pair.marie.send("pauline", TEXT));
    good(pair.pauline.read());
    good(pair.pauline.mark_read("marie"));
    good(pair.marie.until(number, &["Displayed"]));
}

fn carries(engine: &str, size: usize, from_memory: bool) {
    let Some(mut pair) = Pair::start(engine, engine) else { return };
    let sent = pattern(size);
    let number = good(pair.marie.send_file("pauline", "rose.jpg", &sent, from_memory));
    let offer = good(pair.pauline.offer());
    assert_eq!((offer.name.as_slice(), offer.size, offer.secured), (b"rose.jpg".as_slice(), size as u64, true));
    let path = pair.pauline.dir().join("got");
    good(pair.pauline.download(&offer, &path));
    good(pair.pauline.until(offer.number, &["FileTransferDone"]));
    assert!(std::fs::read(&path).unwrap() == sent, "the file has changed on its way");
    good(pair.marie.until(number, ARRIVED));
    let stored = pair.files.uploads().pop().unwrap();
    assert!(size < 16 || stored.bytes != sent);
    assert!(!stored.headers.contains("rose"), "{}", stored.headers);
}

/// An empty one is not asked of them: liblinphone 5.1.65 announces more bytes than it sends, and waits.
#[test]
fn files() {
    for size in [1, 16, 50_001, 20_000_000] {
        carries("text=b64 files=xor", size, false);
        carries("text=b64 files=aes shrink", size, false);
    }
    carries("text=b64 files=xor", 50_001, true);
}

/// What an engine refuses with, and what stands on the wire then; all that is in no table of theirs is 400.
#[test]
fn refusals() {
    let Some(mut pair) = Pair::start("text=b64", "text=b64") else { return };
    let kept = [301, 400, 403, 404, 410, 415, 480, 481, 484, 486, 488, 489, 501, 502, 503, 504, 600, 603];
    let lost = [500, 302, 402, 406, 408, 412, 413, 505, 606, 699, 2];
    let docs = include_str!("../../../../docs/linphone.md");
    let list = |codes: &[u16]| codes.iter().map(u16::to_string).collect::<Vec<_>>().join(", ");
    assert!(
        docs.contains(&format!("| {} | the same |", list(&kept))) && docs.contains(&format!("| {} | **400** |", list(&lost))),
        "the table in docs/linphone.md"
    );
    let all = kept.map(|code| (code, code)).into_iter().chain(lost.map(|code| (code, 400)));
    for (count, (code, on_the_wire)) in all.enumerate() {
        good(pair.pauline.engine(&format!("text=b64 in={code}")));
        let number = good(pair.marie.send("pauline", TEXT));
        let state = good(pair.marie.until(number, &["NotDelivered", "Delivered"]));
        // The sender's application can't learn the code: it is told when the transaction is gone.
        assert_eq!((state.name.as_str(), state.code), ("NotDelivered", 0), "{code}");
        assert_eq!(good(pair.pauline.undecryptable()), "cipher/b64");
        assert_eq!(pair.tap.wait_for_answers(count + 1).last(), Some(&on_the_wire), "{code}");
    }
    assert_eq!(pair.pauline.shown(), Vec::<serde_json::Value>::new());
}

/// A sender that is refused with 401 looks for a password and waits; one with 200 was not refused.
#[test]
fn codes_that_refuse_nothing() {
    let Some(mut pair) = Pair::start("text=b64", "text=b64 in=200") else { return };
    let number = good(pair.marie.send("pauline", TEXT));
    good(pair.pauline.undecryptable());
    good(pair.marie.until(number, ARRIVED));
    good(pair.pauline.engine("text=b64 in=401"));
    let number = good(pair.marie.send("pauline", TEXT));
    good(pair.pauline.undecryptable());
    good(pair.marie.until(number, &["InProgress"]));
    assert_eq!(pair.tap.wait_for_answers(2), [200, 401]);
}

/// Their sample to the letter encrypts receipts too, and takes them for texts: each is answered by a receipt, without end.
#[test]
fn the_sample_answers_receipts_with_receipts() {
    let Some(mut pair) = Pair::start("text=xor-sample", "text=xor-sample") else { return };
    good(pair.marie.send("pauline", TEXT));
    assert_eq!(good(pair.pauline.read()).text, TEXT.as_bytes());
    for _ in 0..5 {
        // The XML up to where XOR makes a NUL of it.
        assert_eq!(good(pair.marie.read()).text, b"<?xml ve");
        assert_eq!(good(pair.pauline.read()).text, b"<?xml ve");
    }
}

/// A body that an engine leaves empty is replaced by the text in clear, and the sender is told that it was encrypted.
#[test]
fn an_empty_body_goes_in_clear() {
    for (engine, text) in [("text=empty", TEXT), ("text=xor", "Super")] {
        let Some(mut pair) = Pair::start(engine, "text=skip") else { return };
        let number = good(pair.marie.send("pauline", text));
        good(pair.marie.until(number, ARRIVED));
        assert!(pair.tap.carried(text.as_bytes()));
        assert_eq!(good(pair.marie.hook("outgoing", "text/plain")).code, 0);
    }
}

/// Where XOR gives NUL the body ends.
#[test]
fn a_body_is_cut_at_nul() {
    let Some(mut pair) = Pair::start("text=xor", "text=xor") else { return };
    good(pair.marie.send("pauline", "abp and the rest"));
    assert_eq!(good(pair.pauline.read()).text, b"ab");
}

/// From a path: the upload stops, and its sender waits for ever. From memory: all of it goes to the server in clear.
#[test]
fn a_refused_upload() {
    let Some(mut pair) = Pair::start("text=b64 files=xor up=488", "text=b64 files=xor") else { return };
    let sent = pattern(50_001);
    let number = good(pair.marie.send_file("pauline", "rose.jpg", &sent, false));
    good(pair.marie.until(number, &["FileTransferInProgress"]));
    while !pair.marie.hooks().iter().any(|hook| hook.name == "upload" && hook.code == 488) {
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    assert_eq!(pair.files.uploads(), []);

    let number = good(pair.marie.send_file("pauline", "rose.jpg", &sent, true));
    good(pair.marie.until(number, ARRIVED));
    assert!(pair.files.uploads().pop().unwrap().bytes == sent);
}

/// What was refused, or was not what it had been, stays on the disk.
#[test]
fn a_refused_download() {
    for (engine, changed) in [("text=b64 files=xor down=488", false), ("text=b64 files=aes shrink", true)] {
        let Some(mut pair) = Pair::start("text=b64 files=aes shrink", engine) else { return };
        if changed {
            pair.files.tamper();
        }
        good(pair.marie.send_file("pauline", "rose.jpg", &pattern(50_001), false));
        let offer = good(pair.pauline.offer());
        let path = pair.pauline.dir().join("got");
        good(pair.pauline.download(&offer, &path));
        good(pair.pauline.until(offer.number, &["FileTransferError"]));
        assert!(path.exists());
    }
}
