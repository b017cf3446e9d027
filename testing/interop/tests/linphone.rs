//! Linphone's phones among themselves: known good, and with their traps, before they are asked about us.

#![allow(clippy::unwrap_used, clippy::panic)]

use subrosa_interop::{FileServer, Linphone, PeerError, Tap, Transport, goes_on};

/// A receipt may overtake the answer.
const ARRIVED: &[&str] = &["Delivered", "DeliveredToUser"];
const TEXT: &str = "Bla bla bla bla";

/// Two phones whose engines are made of these words, and the lines between them where SIP goes over TCP.
struct Pair {
    marie: Linphone,
    pauline: Linphone,
    files: FileServer,
    /// From Marie to Pauline.
    tap: Tap,
}

impl Pair {
    fn start(marie: &str, pauline: &str) -> Option<Self> {
        if !goes_on("liblinphone", false, Linphone::missing()) {
            return None;
        }
        let files = FileServer::start().unwrap();
        let made = (|| {
            let (mut one, mut other) = Linphone::pair(Transport::Tcp, &files)?;
            let tap = Tap::before(other.port).unwrap();
            one.route(tap.port)?;
            one.engine(marie)?;
            other.engine(pauline)?;
            Ok::<_, PeerError>((one, other, tap))
        })();
        let (marie, pauline, tap) = made.unwrap_or_else(|error| panic!("{error}"));
        Some(Self { marie, pauline, files, tap })
    }
}

fn good<T>(result: Result<T, PeerError>) -> T {
    result.unwrap_or_else(|error| panic!("{error}"))
}

/// Marie writes, Pauline reads, and Marie hears so.
fn delivers(engine: &str, text: &str) -> Option<()> {
    let mut pair = Pair::start(engine, engine)?;
    let number = good(pair.marie.send("pauline", text));
    let read = good(pair.pauline.read());
    assert_eq!((read.from.as_str(), read.content_type.as_str(), String::from_utf8_lossy(&read.text).as_ref()), ("marie", "text/plain", text));
    assert!(read.secured);
    good(pair.marie.until(number, &["DeliveredToUser"]));
    assert!(!pair.tap.carried(text.as_bytes()), "the text stands on the wire");
    assert_eq!(pair.tap.answers(), [200]);
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

fn pattern(size: usize) -> Vec<u8> {
    (0..size).map(|at| u8::try_from((at * 31 + (at >> 8)) % 256).unwrap()).collect()
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

#[test]
fn files() {
    for size in [0, 1, 16, 50_001, 20_000_000] {
        carries("text=b64 files=xor", size, false);
        carries("text=b64 files=aes shrink", size, false);
    }
    carries("text=b64 files=xor", 50_001, true);
}
