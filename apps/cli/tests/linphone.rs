//! `subrosa sip` with a real Linphone, both with an engine, as somebody has it who tries one out.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
use subrosa_interop::{FileServer, Linphone, PeerError, SipOptions, SubrosaSip, Transport, goes_on};

const PAULINE: &str = "sip:pauline@sip.test";

/// Ours with this engine, Linphone's phone with what these words say, and the server for their files.
fn pair(transport: Transport, engine: &str, words: &str) -> Option<(SubrosaSip, Linphone, FileServer)> {
    if !goes_on("liblinphone", false, Linphone::missing().or_else(SubrosaSip::missing)) {
        return None;
    }
    let files = FileServer::start().unwrap();
    let mut phone = good(Linphone::start("pauline", transport, &files));
    good(phone.engine(words));
    let ours = good(SubrosaSip::start("alice", SipOptions { transport, engine, peer: phone.port, port: 0, files: Some(&files) }));
    good(phone.route(ours.port));
    Some((ours, phone, files))
}
fn good<T>(result: Result<T, PeerError>) -> T {
    result.unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn words_typing_notices_and_receipts_both_ways() {
    for (transport, engine, words) in
        [(Transport::Udp, "xor-hex", "text=hex"), (Transport::Tcp, "xor-hex", "text=hex"), (Transport::Tcp, "base64-async", "text=b64 async")]
    {
        let Some((mut ours, mut phone, _files)) = pair(transport, engine, words) else { return };
        let text = "Bla bla bla bla, Super \u{fc} \u{1f339}";
        let outcome = good(ours.send(PAULINE, text));
        assert_eq!((outcome.status, outcome.error), (200, None), "{engine}");
        let shown = good(phone.read());
        assert_eq!((shown.text, shown.from.as_str(), shown.secured), (text.as_bytes().to_vec(), "alice", true), "{engine}");
        good(ours.receipt("delivered"));
        good(phone.mark_read("alice"));
        good(ours.receipt("displayed"));
        good(phone.typing("alice"));
        good(ours.composing());
        let number = good(phone.send("alice", "and back"));
        let words = good(ours.read("and back"));
        assert_eq!((words.from.as_str(), words.engine.as_deref()), (PAULINE, Some(engine)));
        // a receipt may overtake the answer
        good(phone.until(number, &["Delivered", "DeliveredToUser"]));
        good(ours.mark_read(&words));
        good(phone.until(number, &["Displayed"]));
        good(ours.typing(PAULINE, true));
        good(phone.composing());
    }
}

#[test]
fn what_the_phone_refuses_is_told_with_its_code() {
    let Some((mut ours, mut phone, _files)) = pair(Transport::Tcp, "xor-hex", "text=hex in=603") else { return };
    let outcome = good(ours.send(PAULINE, "who reads this?"));
    assert_eq!((outcome.status, outcome.error.as_deref()), (603, Some("send.refused")), "{}", outcome.sentence);
    good(phone.undecryptable());
    // and what ours refuses: it is in another engine's words
    good(phone.engine("text=b64"));
    good(phone.send("alice", "nor this"));
    assert_eq!(good(ours.undecryptable()), ("not-encrypted".into(), 488));
}

#[test]
fn files_both_ways() {
    let Some((mut ours, mut phone, files)) = pair(Transport::Tcp, "xor-hex", "text=hex files=xor") else { return };
    let bytes: Vec<u8> = (0..50_001u32).map(|at| u8::try_from((at * 31 + (at >> 8)) % 256).unwrap()).collect();
    let id = good(ours.send_file(PAULINE, "photo.bin", "image/png", &bytes));
    assert_eq!(good(ours.outcome(id)).status, 200);
    let offer = good(phone.offer());
    assert_eq!((offer.name.as_slice(), offer.size, offer.secured), (&b"photo.bin"[..], 50_001, true));
    let path = phone.dir().join("fetched");
    good(phone.download(&offer, &path));
    good(phone.until(offer.number, &["FileTransferDone"]));
    assert!(std::fs::read(&path).unwrap() == bytes);

    good(phone.send_file("alice", "answer.bin", &bytes, false));
    let file = good(ours.file());
    assert_eq!((file.name.as_str(), file.size, file.engine.as_deref()), ("answer.bin", 50_001, Some("xor-hex")));
    assert!(std::fs::read(file.fetched.unwrap()).unwrap() == bytes);
    assert!(files.uploads().iter().all(|upload| upload.bytes != bytes), "the server has it in clear");
}
