//! Files: the same bytes at the other end whatever the chunks were, and an error where they are not.
use super::Promises;
use super::pair::{ALICE, BOB, Make, Pair};
use crate::Seeded;
use subrosa_engine::{ChatId, Event, FileCipher, FileInfo, FileKey, Input, MessageId, Reason, Recipients, Status};

const SIZES: [usize; 5] = [0, 1, 16, 50_001, 1 << 20];

pub(super) fn file(name: &str, bytes: &[u8]) -> FileInfo {
    FileInfo { name: name.into(), content_type: "application/octet-stream".into(), size: bytes.len() as u64, tag: None }
}
fn content(size: usize, seed: u64) -> Vec<u8> {
    let mut rng = Seeded::new(seed);
    (0..size).map(|_| rng.below(256) as u8).collect()
}
/// All of a file through a cipher, in chunks of up to `most` bytes; what the cipher does not take is offered again, with more.
pub(super) fn drive(mut cipher: Box<dyn FileCipher>, bytes: &[u8], file: &mut FileInfo, rng: &mut Seeded, most: usize) -> Result<Vec<u8>, Status> {
    let (mut at, mut out, mut offer) = (0, Vec::new(), 0);
    while at < bytes.len() {
        offer = offer.max(1 + rng.below(most as u64) as usize).min(bytes.len() - at);
        let took = cipher.chunk(at as u64, &bytes[at..at + offer], &mut out)?;
        assert!(took <= offer, "it took {took} bytes of {offer}");
        assert!(took > 0 || offer < bytes.len() - at, "it takes nothing of all that is left");
        offer = if took == 0 { offer * 2 } else { 0 };
        at += took;
    }
    cipher.finish(file, &mut out)?;
    Ok(out)
}

impl Pair {
    /// Alice offers a file to Bob. `None`: her engine encrypts none, and it did not go out.
    pub(super) fn offer(&mut self, id: &str, file: &FileInfo) -> Option<(FileInfo, FileKey, Box<dyn FileCipher>)> {
        let input = Input::OfferFile { id: id.into(), chat: ChatId(BOB.into()), to: Recipients::People(vec![BOB.into()]), file: file.clone() };
        self.world.feed(self.alice, input);
        self.settle();
        let mut uploads = self.world.client_mut(self.alice).take_uploads();
        let (upload, file, encryption) = uploads.pop()?;
        assert!(uploads.is_empty() && upload.as_str() == id);
        let (key, cipher) = encryption.expect("nobody allowed clear text");
        Some((file, key, cipher))
    }
    fn download(&self, file: &FileInfo, key: &FileKey) -> Result<Box<dyn FileCipher>, Status> {
        self.world.client(self.bob).machine().download(&ChatId(ALICE.into()), file, key)
    }
    /// There and back. What came is compared by the caller.
    fn fetch(&mut self, file: &FileInfo, key: &FileKey, wire: &[u8], most: usize) -> Result<Vec<u8>, Status> {
        let mut file = file.clone();
        let cipher = self.download(&file, key)?;
        drive(cipher, wire, &mut file, self.world.rng(), most)
    }
}

/// A file of any size, in chunks of any size, is the same at the other end. Engines that encrypt none let none out.
pub fn encrypts_files(make: Make, promises: Promises) {
    let mut pair = Pair::new(16, make);
    pair.talks("before");
    if !promises.files {
        assert!(pair.offer("a file", &file("a.bin", b"a")).is_none());
        let id = MessageId("a file".into());
        assert_eq!(pair.not_sent(pair.alice, &id).map(|why| why.reason), Some(Reason::NotEncrypted), "a file was not sent, and nobody was told");
        return;
    }
    for size in SIZES {
        let (bytes, mut wires) = (content(size, 1), Vec::new());
        for most in [1, 17, 16_384, 1 << 20].into_iter().filter(|most| size / most < 10_000) {
            let (mut info, key, cipher) = pair.offer("a file", &file("a.bin", &bytes)).expect("it encrypts files");
            let wire = drive(cipher, &bytes, &mut info, pair.world.rng(), most).expect("encrypts");
            assert!(size < 16 || wire != bytes, "{size} bytes left in clear");
            for other in [1, 16, 4096, 1 << 20].into_iter().filter(|other| wire.len() / other < 10_000) {
                assert_eq!(pair.fetch(&info, &key, &wire, other).expect("decrypts"), bytes, "{size} bytes, chunks of {most} and {other}");
            }
            wires.push(wire);
        }
        assert!(size < 16 || wires.iter().enumerate().all(|(n, wire)| !wires[..n].contains(wire)), "two files have one key");
    }
}

/// Two files in one message, their chunks mixed: each has its own key, cipher and tag.
pub fn keeps_files_apart(make: Make, promises: Promises) {
    if !promises.files {
        return;
    }
    let mut pair = Pair::new(17, make);
    pair.talks("before");
    let contents = [content(50_001, 2), content(40_000, 3)];
    let mut transfers: Vec<_> = contents
        .iter()
        .map(|bytes| pair.offer("two files", &file("same.bin", bytes)).map(|o| (o, Vec::new(), 0)).expect("it encrypts files"))
        .collect();
    loop {
        let mut moved = false;
        for (((_, _, cipher), out, at), bytes) in transfers.iter_mut().zip(&contents) {
            let end = (*at + 9000).min(bytes.len());
            if *at < end {
                *at += cipher.chunk(*at as u64, &bytes[*at..end], out).expect("encrypts");
                moved = true;
            }
        }
        if !moved {
            break;
        }
    }
    let mut sent = Vec::new();
    for ((mut info, key, cipher), mut wire, _) in transfers {
        cipher.finish(&mut info, &mut wire).expect("ends");
        sent.push((info, key, wire));
    }
    assert_ne!(*sent[0].1.0, *sent[1].1.0, "two files have one key");
    for ((info, key, wire), bytes) in sent.iter().zip(&contents) {
        assert_eq!(pair.fetch(info, key, wire, 10_000).expect("decrypts"), *bytes);
    }
    if promises.authentic {
        let wrong_key = pair.fetch(&sent[0].0, &sent[1].1, &sent[0].2, 10_000);
        let wrong_tag = pair.fetch(&sent[1].0, &sent[0].1, &sent[0].2, 10_000);
        assert!(wrong_key.is_err() && wrong_tag.is_err(), "one file passed for the other");
    }
}

/// A file that was changed on its way ends in an error, at the last at its end.
pub fn refuses_changed_files(make: Make, promises: Promises) {
    if !(promises.files && promises.authentic) {
        return;
    }
    let mut pair = Pair::new(18, make);
    pair.talks("before");
    for size in [0, 1, 50_001] {
        let bytes = content(size, 4);
        let (mut info, key, cipher) = pair.offer("a file", &file("a.bin", &bytes)).expect("it encrypts files");
        let wire = drive(cipher, &bytes, &mut info, pair.world.rng(), 5000).expect("encrypts");
        let mut refused = |what: &str, info: &FileInfo, key: &FileKey, wire: &[u8]| {
            let status = pair.fetch(info, key, wire, 7000).expect_err(what);
            assert_ne!(status, Status::INTERNAL, "{what}: the engine failed where it should refuse");
        };
        refused("longer", &info, &key, &[wire.as_slice(), b"\0"].concat());
        if !wire.is_empty() {
            refused("nothing of it", &info, &key, b"");
            refused("shorter", &info, &key, &wire[..wire.len() - 1]);
            for at in [0, wire.len() / 2, wire.len() - 1] {
                let mut wire = wire.clone();
                wire[at] ^= 1;
                refused("a changed bit", &info, &key, &wire);
            }
        }
        for at in 0..key.0.len() {
            let mut key = key.clone();
            key.0[at] ^= 1;
            refused("another key", &info, &key, &wire);
        }
        if let Some(tag) = info.tag {
            let mut other = tag;
            other[15] ^= 0x80;
            refused("another tag", &FileInfo { tag: Some(other), ..info.clone() }, &key, &wire);
            refused("no tag", &FileInfo { tag: None, ..info.clone() }, &key, &wire);
        }
    }
}

/// Keys as a stranger may send them: refused with a code, or good for nothing; no panic.
pub fn survives_hostile_file_keys(make: Make, promises: Promises) {
    if !promises.files {
        return;
    }
    let mut pair = Pair::new(19, make);
    for length in [0, 1, 12, 16, 31, 32, 33, 44, 300] {
        let (key, info) = (FileKey(vec![0xff; length].into()), FileInfo { size: u64::MAX, tag: Some([0; 16]), ..file("../../a\0", b"") });
        match pair.fetch(&info, &key, b"whatever it is", 5) {
            Err(status) => assert_ne!(status, Status::INTERNAL, "a key of {length} bytes: the engine failed where it should refuse"),
            Ok(_) => assert!(!promises.authentic, "a key of {length} bytes: nonsense was accepted"),
        }
    }
    pair.talks("after");
    assert!(!pair.world.client(pair.bob).events().iter().any(|e| matches!(e, Event::NotReceived { .. })));
}
