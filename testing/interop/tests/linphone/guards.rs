//! What `examples/linphone` does about Liblinphone's traps. Each is shown without it in `among_themselves`, or here.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::process::{Command, Stdio};

use subrosa_interop::{Build, Linphone, goes_on, linphone_chat};

use crate::{ARRIVED, Pair, TEXT, good, pattern};

fn pair(marie: &str, pauline: &str) -> Option<Pair> {
    Pair::start_build(Build::Adapter, marie, pauline)
}

/// A code that Liblinphone would make 400 of, or let the sender wait for ever with, becomes the next one that it keeps.
#[test]
fn codes_that_liblinphone_does_not_keep() {
    let Some(mut pair) = pair("subrosa-c text=hex", "subrosa-c text=hex") else { return };
    let codes = [(401, 403), (407, 403), (408, 480), (412, 400), (302, 488), (500, 503), (505, 503), (606, 603), (699, 603)];
    for (count, (code, on_the_wire)) in codes.into_iter().enumerate() {
        good(pair.pauline.engine(&format!("subrosa-c text=hex in={code}")));
        let number = good(pair.marie.send("pauline", TEXT));
        good(pair.marie.until(number, &["NotDelivered"]));
        assert_eq!(pair.tap.wait_for_answers(count + 1).last(), Some(&on_the_wire), "{code}");
        assert_eq!(good(pair.pauline.not_received()), code);
    }
}

/// A core that was made to wait has answered 200. The sender hears all the same that the message was not shown.
#[test]
fn a_late_refusal_reaches_the_sender() {
    let Some(mut pair) = pair("subrosa-c text=hex", "subrosa-c text=hex async late=486") else { return };
    let number = good(pair.marie.send("pauline", TEXT));
    good(pair.marie.until(number, &["NotDelivered"]));
    assert_eq!(good(pair.pauline.not_received()), 486);
    assert_eq!(pair.tap.wait_for_answers(1), [200]);
    assert!(pair.pauline.shown().is_empty());
}

/// The message of a sender that was made to wait does not stay for ever.
#[test]
fn a_late_refusal_of_the_senders_engine() {
    let Some(mut pair) = pair("subrosa-c text=hex async late=486", "subrosa-c text=hex") else { return };
    let number = good(pair.marie.send("pauline", TEXT));
    good(pair.marie.until(number, &["NotDelivered"]));
    assert_eq!(good(pair.marie.not_sent()), 486);
    assert!(pair.tap.answers().is_empty());
}

/// An engine that sends a message and turns the core from inside of its callback.
#[test]
fn a_message_within_a_message() {
    let Some(mut pair) = pair("subrosa-c text=hex nests", "subrosa-c text=hex") else { return };
    let number = good(pair.marie.send("pauline", TEXT));
    good(pair.marie.until(number, ARRIVED));
    let mut read = [good(pair.pauline.read()), good(pair.pauline.read())].map(|message| message.text);
    read.sort();
    assert_eq!(read, [TEXT.as_bytes(), b"nested"]);
    assert!(!pair.tap.carried(b"nested"));
}

/// Their callbacks say which message a file belongs to, and not which of its files it is.
#[test]
fn two_files_in_one_message() {
    let Some(mut pair) = pair("subrosa xor-hex", "subrosa xor-hex") else { return };
    let sent = pattern(50_001);
    let number = good(pair.marie.send_twice("pauline", "rose.jpg", &sent));
    good(pair.marie.until(number, &["NotDelivered"]));
    assert_eq!(good(pair.marie.not_sent()), 415);
    assert!(pair.files.uploads().iter().all(|upload| upload.bytes.iter().all(|byte| *byte == 0)));
}

/// Switching LIME off takes any engine out of the core, which goes on in clear, and says of its messages that they are not secured.
#[test]
fn lime_is_switched_off_later() {
    for (build, engine) in [(Build::Bare, "text=hex"), (Build::Adapter, "subrosa xor-hex")] {
        let Some(mut pair) = Pair::start_build(build, engine, engine) else { return };
        good(pair.marie.switch_lime_off());
        // A turn of the core: what is obeyed next comes after it.
        std::thread::sleep(std::time::Duration::from_millis(50));
        good(pair.marie.send("pauline", TEXT));
        let read = good(pair.pauline.read());
        assert_eq!((read.text.as_slice(), read.secured), (TEXT.as_bytes(), build == Build::Adapter));
        assert_eq!(pair.tap.carried(TEXT.as_bytes()), build == Build::Bare);
    }
}

/// An engine that is taken away while a file goes through it: nothing of the rest goes in clear, the core lives, and sends nothing.
#[test]
fn an_engine_is_taken_away_in_an_upload() {
    let Some(mut pair) = pair("subrosa xor-hex", "subrosa xor-hex") else { return };
    let mut sent = vec![0; 3_000_000];
    sent.extend(b"the rose is under all of it".repeat(40_000));
    let number = good(pair.marie.send_file("pauline", "rose.jpg", &sent, false));
    good(pair.marie.until(number, &["FileTransferInProgress"]));
    good(pair.marie.engine("off"));
    good(pair.marie.until(number, &["NotDelivered"]));
    assert!(pair.files.uploads().iter().all(|upload| !String::from_utf8_lossy(&upload.bytes).contains("the rose is under all of it")));
    let next = good(pair.marie.send("pauline", TEXT));
    good(pair.marie.until(next, &["NotDelivered"]));
    assert!(!pair.tap.carried(TEXT.as_bytes()));
    typing_still_passes(&mut pair.marie, &mut pair.pauline);
}

fn typing_still_passes(one: &mut Linphone, other: &mut Linphone) {
    good(one.typing(other.name()));
    good(other.composing());
}

/// The program of the example, twice.
#[test]
fn the_example_talks() {
    if !goes_on("liblinphone", false, Linphone::missing()) {
        return;
    }
    let program = linphone_chat().unwrap();
    let ports = [(); 2].map(|()| TcpListener::bind(("127.0.0.1", 0)).unwrap()).map(|listener| listener.local_addr().unwrap().port().to_string());
    let start = |name, own: usize, peer| {
        let mut command = Command::new(&program);
        command.args([name, ports[own].as_str(), peer, ports[1 - own].as_str(), "xor-hex"]);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut said = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
        assert!(said.next().unwrap().starts_with("ready"));
        (child, said)
    };
    let (mut marie, mut to_marie) = start("marie", 0, "pauline");
    let (mut pauline, mut to_pauline) = start("pauline", 1, "marie");
    writeln!(marie.stdin.as_ref().unwrap(), "{TEXT}").unwrap();
    assert_eq!(to_pauline.next().unwrap(), format!("marie: {TEXT}"));
    writeln!(pauline.stdin.as_ref().unwrap(), "and back").unwrap();
    assert_eq!(to_marie.next().unwrap(), "pauline: and back");
    for phone in [&mut marie, &mut pauline] {
        drop(phone.stdin.take());
        assert!(phone.wait().unwrap().success());
    }
}
