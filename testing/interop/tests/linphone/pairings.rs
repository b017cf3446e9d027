//! We and Linphone, in every pairing: the same is asked of each, and what differs is said.
//!
//! | | sender | recipient |
//! |---|---|---|
//! | a | ours | ours |
//! | b | ours | a Linphone with an engine in C |
//! | c | a Linphone with an engine in C | ours |
//! | d | a Linphone with a Subrosa machine | the same |
//! | e, f | | the machine in a Linphone, and ours |

use subrosa_interop::{FileServer, Linphone, Tap, goes_on};

use crate::phone::{Engine, Fate, Phone, Side, Text};
use crate::{TEXT, pattern};

const PAIRINGS: [(Side, Side); 6] = [
    (Side::Ours, Side::Ours),
    (Side::Ours, Side::Sample),
    (Side::Sample, Side::Ours),
    (Side::Adapter, Side::Adapter),
    (Side::Ours, Side::Adapter),
    (Side::Adapter, Side::Ours),
];

/// Without those that have only a sample.
const WITH_MACHINES: [(Side, Side); 4] = [PAIRINGS[0], PAIRINGS[3], PAIRINGS[4], PAIRINGS[5]];

/// Marie sends, Pauline receives.
struct Pairing {
    marie: Phone,
    pauline: Phone,
    files: FileServer,
    to_pauline: Tap,
    to_marie: Tap,
}

impl Pairing {
    fn start((marie, pauline): (Side, Side), engine: Engine, other: Engine) -> Self {
        let (to_pauline, to_marie, files) = (Tap::open().unwrap(), Tap::open().unwrap(), FileServer::start().unwrap());
        let marie = Phone::start(marie, "marie", &to_pauline, &files, engine);
        let pauline = Phone::start(pauline, "pauline", &to_marie, &files, other);
        to_pauline.lead_to(pauline.port());
        to_marie.lead_to(marie.port());
        Self { marie, pauline, files, to_pauline, to_marie }
    }

    fn carried(&self, what: &[u8]) -> bool {
        self.to_pauline.carried(what) || self.to_marie.carried(what)
    }
}

fn each(pairings: &[(Side, Side)], engine: Engine, other: Engine, what: impl Fn((Side, Side), Pairing) + Sync) {
    if !goes_on("liblinphone", false, Linphone::missing()) {
        return;
    }
    std::thread::scope(|scope| {
        for sides in pairings {
            let what = &what;
            let name = format!("{sides:?}");
            let run = move || what(*sides, Pairing::start(*sides, engine, other));
            std::thread::Builder::new().name(name).spawn_scoped(scope, run).unwrap();
        }
    });
}

fn passes(pairings: &[(Side, Side)], engine: Engine, text: &str) {
    each(pairings, engine, engine, |sides, mut pair| {
        assert_eq!(pair.marie.send("pauline", text), Fate::Delivered, "{sides:?}");
        let shown = pair.pauline.read();
        assert_eq!(
            (shown.content_type.as_str(), String::from_utf8(shown.text).unwrap().as_str(), shown.encrypted),
            ("text/plain", text, true),
            "{sides:?}"
        );
        assert!(!pair.carried(text.as_bytes()), "{sides:?}: the text stands on the wire");
        assert_eq!(pair.to_pauline.wait_for_answers(1).first(), Some(&200), "{sides:?}");
    });
}

#[test]
fn the_sample() {
    passes(&PAIRINGS, Engine::new(Text::Xor), TEXT);
}

/// Where XOR gives NUL: as bytes between ours and between machines, which wrap them; as hex where a body is a C string.
#[test]
fn any_text() {
    let text = "Super \u{0}\u{1}: abp ü 🌹 \u{7f}";
    passes(&PAIRINGS[..1], Engine::new(Text::Xor), text);
    let text = "Super: abp ü 🌹 \u{7f}";
    passes(&PAIRINGS[3..4], Engine::new(Text::Xor), text);
    passes(&PAIRINGS, Engine::new(Text::XorHex), text);
}

#[test]
fn base64() {
    passes(&PAIRINGS, Engine::new(Text::Base64), TEXT);
}

#[test]
fn base64_later() {
    passes(&PAIRINGS, Engine { later: true, ..Engine::new(Text::Base64) }, TEXT);
}

/// What is skipped leaves only where a person said so, but for an engine in C, which nobody asks.
#[test]
fn skipped() {
    let skip = Engine::new(Text::Skip);
    each(&PAIRINGS, skip, skip, |(sender, recipient), mut pair| {
        if sender != Side::Sample {
            assert_eq!(pair.marie.send("pauline", TEXT), Fate::Kept(488));
            assert!(!pair.carried(TEXT.as_bytes()));
            if sender == Side::Ours {
                pair.marie.allow_clear("pauline");
            }
        }
        if recipient != Side::Sample {
            let told = pair.marie.send("pauline", TEXT);
            assert_eq!(told, Fate::Refused(if sender == Side::Ours { 488 } else { 0 }), "{sender:?} {recipient:?}");
            assert_eq!(pair.to_pauline.wait_for_answers(1), [488]);
            pair.pauline.allow_clear("marie");
        }
        assert_eq!(pair.marie.send("pauline", TEXT), Fate::Delivered);
        let shown = pair.pauline.read();
        assert_eq!((shown.text.as_slice(), shown.encrypted), (TEXT.as_bytes(), false));
    });
}

const CODES: [u16; 11] = [400, 403, 404, 415, 480, 486, 488, 500, 503, 600, 603];

/// The engine's code is the code on the wire, and what the sender is told; but for a Linphone that receives (it makes 400 of 500, the
/// machine in it 503), and a Linphone that sends (its application can't know the code).
#[test]
fn refused() {
    let base = Engine::new(Text::Base64);
    each(&PAIRINGS, base, base, |(sender, recipient), mut pair| {
        for (count, code) in CODES.into_iter().enumerate() {
            pair.pauline.set_engine(Engine { refuses: code, ..base });
            let on_the_wire = match (recipient, code) {
                (Side::Sample, 500) => 400,
                (Side::Adapter, 500) => 503,
                _ => code,
            };
            let told = if sender == Side::Ours { on_the_wire } else { 0 };
            assert_eq!(pair.marie.send("pauline", TEXT), Fate::Refused(told), "{code} {sender:?} {recipient:?}");
            assert_eq!(pair.to_pauline.wait_for_answers(count + 1).last(), Some(&on_the_wire), "{code} {sender:?} {recipient:?}");
            let known = pair.pauline.not_shown();
            assert_eq!(known, (recipient != Side::Sample).then_some(code), "{sender:?} {recipient:?}");
        }
        assert_eq!(pair.pauline.shown(), [""; 0]);
    });
}

/// Nothing leaves of what the sender's engine refuses.
#[test]
fn kept() {
    each(&PAIRINGS, Engine { keeps: 486, ..Engine::new(Text::Base64) }, Engine::new(Text::Base64), |(sender, _), mut pair| {
        let told = if sender == Side::Sample { Fate::Refused(0) } else { Fate::Kept(486) };
        assert_eq!(pair.marie.send("pauline", TEXT), told);
        assert!(pair.to_pauline.answers().is_empty());
        assert!(!pair.carried(TEXT.as_bytes()));
    });
}

#[test]
fn typing_and_receipts() {
    let engine = Engine::new(Text::XorHex);
    each(&PAIRINGS, engine, engine, |_, mut pair| {
        pair.marie.typing("pauline");
        pair.pauline.sees_typing();
        let message = pair.marie.begin("pauline", TEXT);
        assert_eq!(pair.pauline.read().text, TEXT.as_bytes());
        pair.pauline.mark_read("marie");
        pair.marie.sees_read(&message);
    });
}

/// All of them byte by byte, and the server has seen neither bytes nor name. A Linphone does not send an empty one.
#[test]
fn files() {
    let engine = Engine::new(Text::XorHex);
    for size in [0, 1, 16, 50_001, 20_000_000] {
        each(&PAIRINGS, engine, engine, |(sender, recipient), mut pair| {
            if size > 0 || sender == Side::Ours && recipient == Side::Ours {
                carries(&mut pair, size, false);
            }
        });
    }
}

#[test]
fn files_in_pieces_of_16() {
    let shrinks = Engine { shrinks: true, ..Engine::new(Text::XorHex) };
    each(&PAIRINGS, shrinks, shrinks, |(sender, _), mut pair| {
        carries(&mut pair, 50_001, false);
        if sender == Side::Adapter {
            carries(&mut pair, 50_001, true);
        }
    });
}

fn carries(pair: &mut Pairing, size: usize, from_memory: bool) {
    let sent = pattern(size);
    let message = pair.marie.send_file("pauline", "rose.jpg", &sent, from_memory);
    let (name, got) = pair.pauline.fetch().unwrap_or_else(|| panic!("{size} bytes did not arrive"));
    assert!(name == "rose.jpg" && got == sent, "{size} bytes have changed on their way");
    assert_eq!(pair.marie.fate(&message), Fate::Delivered);
    let stored = pair.files.uploads().pop().unwrap();
    assert!(size < 16 || stored.bytes != sent);
    assert!(!stored.headers.contains("rose"), "{}", stored.headers);
}

/// An upload that its engine refuses ends, and nothing of the file is on the server. (A Linphone by itself waits for ever, or sends all
/// in clear: `among_themselves::a_refused_upload`.)
#[test]
fn a_refused_upload() {
    each(&WITH_MACHINES, Engine { upload: 486, ..Engine::new(Text::XorHex) }, Engine::new(Text::XorHex), |(sender, _), mut pair| {
        let sent = pattern(50_001);
        for from_memory in [false, true].into_iter().take(if sender == Side::Adapter { 2 } else { 1 }) {
            let message = pair.marie.send_file("pauline", "rose.jpg", &sent, from_memory);
            assert_eq!(pair.marie.fate(&message), Fate::Kept(486));
        }
        assert!(pair.files.uploads().iter().all(|upload| !upload.bytes.windows(64).any(|part| sent.windows(64).next() == Some(part))));
        assert!(pair.to_pauline.answers().is_empty());
    });
}

/// With a cipher that protects: words, files, and a file that the server has changed, of which nothing is kept.
#[test]
fn with_a_key() {
    let engine = Engine::new(Text::Preshared);
    each(&WITH_MACHINES, engine, engine, |sides, mut pair| {
        assert_eq!(pair.marie.send("pauline", TEXT), Fate::Delivered, "{sides:?}");
        assert_eq!(pair.pauline.read().text, TEXT.as_bytes());
        carries(&mut pair, 50_001, false);
        pair.files.tamper();
        pair.marie.send_file("pauline", "rose.jpg", &pattern(50_001), false);
        assert_eq!(pair.pauline.fetch(), None, "{sides:?}");
        assert!(!pair.pauline.has_a_part(), "{sides:?}");
    });
}

/// What a download has left when it is refused: nothing, but for a Linphone by itself, which keeps what it has written.
#[test]
fn a_refused_download() {
    each(&PAIRINGS, Engine::new(Text::XorHex), Engine { download: 488, ..Engine::new(Text::XorHex) }, |(_, recipient), mut pair| {
        pair.marie.send_file("pauline", "rose.jpg", &pattern(50_001), false);
        assert_eq!(pair.pauline.fetch(), None);
        assert_eq!(pair.pauline.has_a_part(), recipient == Side::Sample);
    });
}
