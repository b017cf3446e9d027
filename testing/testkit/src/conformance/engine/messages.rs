//! What arrives.
use super::Promises;
use super::pair::{BOB, Make, Pair, plain, received};
use subrosa_engine::{Kind, MessageId, Reason};

/// Messages of any length arrive as they were, both ways, over stores that answer at once and late.
pub fn carries_messages(make: Make, _: Promises) {
    for late in [0, 2] {
        let mut pair = Pair::with_stores(1, make, late);
        pair.talks("first");
        for length in [1, 15, 16, 17, 255, 256, 4096, 100_000] {
            let text = "rose ".repeat(length / 5 + 1)[..length].to_owned();
            pair.say(pair.alice, BOB, &text);
            assert_eq!(pair.texts(pair.bob).last(), Some(&text), "{length} bytes");
        }
        pair.talks("last");
    }
}

/// Any text, NULs, no text, bytes that are no text, under each content type and of each kind that the engine wants: what it promises
/// arrives as it was, the rest does too, or with U+FFFD for control characters, or is refused to its sender.
pub fn carries_what_it_promises(make: Make, promises: Promises) {
    let all: Vec<u8> = (0..=255).cycle().take(1000).collect();
    let ipsum = "Grüße, 世界 🌹 \u{202e}\u{feff}\u{200d} <a href=\"&amp;\">]]>\r\n\t ".repeat(40);
    let contents: [&[u8]; 9] =
        [b"", b"\0", b"abp\0and the rest\0", b"Super", b"SuperSecretXorKey", ipsum.as_bytes(), &[0; 100_000], &all, b"<?xml version='1.0'?><a/>"];
    let types = ["text/plain", "text/plain; charset=\"utf-8\"", "application/vnd.gsma.rcs-ft-http+xml", "application/octet-stream", "image/svg+xml"];
    let mut pair = Pair::new(7, make);
    pair.talks("before");
    let engine = make().engine;
    for kind in [Kind::Text, Kind::FileOffer, Kind::Call, Kind::Other].into_iter().filter(|kind| engine.wants(*kind)) {
        for (n, content) in contents.iter().enumerate() {
            for content_type in types {
                let case = format!("{kind:?}, content {n}, {content_type}");
                let (shown, stanzas, id) = (received(&pair.world, pair.bob).len(), pair.world.stanzas().len(), MessageId(case.as_str().into()));
                pair.send(&case, kind, plain(content_type, content));
                let ordinary = content_type == "text/plain" && std::str::from_utf8(content).is_ok_and(|t| t.chars().all(|c| c >= ' '));
                let promised = (promises.any_content || ordinary) && (promises.empty || !content.is_empty());
                let shown = &received(&pair.world, pair.bob)[shown..];
                if pair.was_sent(pair.alice, &id) {
                    assert_eq!(shown.len(), 1, "{case}: it is shown once");
                    let legible = String::from_utf8_lossy(content).replace(char::is_control, "\u{fffd}");
                    let bytes = shown[0].plaintext().bytes();
                    assert!(bytes == *content || !promised && bytes == legible.as_bytes(), "{case}: another content");
                    assert_eq!(shown[0].plaintext().content_type.0, content_type, "{case}: the content type was not restored");
                    assert_eq!(shown[0].kind(), kind, "{case}");
                } else {
                    assert!(!promised, "{case}: {:?}", pair.not_sent(pair.alice, &id));
                    assert!(pair.not_sent(pair.alice, &id).is_some(), "{case}: nobody was told");
                    assert_eq!((shown.len(), pair.world.stanzas().len()), (0, stanzas), "{case}: not sent, and yet something left");
                }
            }
        }
    }
    pair.hid(&ipsum);
    pair.talks("after");
}

/// Typing notices and receipts that it does not want pass it by, as long as they are no words; anything else that it does not want is
/// not sent.
pub fn leaves_notices_and_what_it_does_not_want_alone(make: Make, _: Promises) {
    let (mut pair, engine) = (Pair::new(8, make), make().engine);
    for kind in [Kind::Typing, Kind::Receipt, Kind::Text, Kind::FileOffer, Kind::Call, Kind::Other].into_iter().filter(|kind| !engine.wants(*kind)) {
        for content_type in ["application/im-iscomposing+xml", "text/plain"] {
            let (id, shown) = (MessageId(format!("{kind:?} {content_type}").as_str().into()), received(&pair.world, pair.bob).len());
            pair.send(id.as_str(), kind, plain(content_type, b"aside"));
            let shown = &received(&pair.world, pair.bob)[shown..];
            if matches!(kind, Kind::Typing | Kind::Receipt) && content_type != "text/plain" {
                assert!(shown.len() == 1 && shown[0].in_clear() && shown[0].kind() == kind, "{id} does not pass");
            } else {
                assert!(shown.is_empty(), "{id} was shown");
                assert_eq!(pair.not_sent(pair.alice, &id).map(|why| why.reason), Some(Reason::NotEncrypted), "{id}");
            }
        }
    }
}
