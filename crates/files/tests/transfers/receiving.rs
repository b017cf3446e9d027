use crate::ciphers::*;
use crate::{content, info, receive, send};
use proptest::prelude::*;
use std::io::{self, ErrorKind, Write};
use subrosa_engine::{Coded, Fault, FileCipher, FileInfo, FileKey, Status};
use subrosa_files::gcm::GcmError;
use subrosa_files::{AesGcm, CipherError, DiskSpool, Existing, FileName, Layout, ReceiveError, Receiving, Spool, SpoolError};

fn rng() -> getrandom::rand_core::UnwrapErr<getrandom::SysRng> {
    getrandom::rand_core::UnwrapErr(getrandom::SysRng)
}
fn up(key: &FileKey, layout: Layout) -> Option<Box<dyn FileCipher>> {
    Some(Box::new(AesGcm::upload(key, layout).unwrap()))
}
fn down(key: &FileKey, layout: Layout) -> Option<Box<dyn FileCipher>> {
    Some(Box::new(AesGcm::download(key, layout).unwrap()))
}
fn cause(error: ReceiveError) -> CipherError {
    let ReceiveError::Cipher(cause) = error else { panic!("{error:?}") };
    cause
}
fn lens() -> impl Strategy<Value = Vec<usize>> {
    prop::collection::vec(prop_oneof![0_usize..50, 0_usize..30_000], 0..12)
}

proptest! {
    #[test]
    fn a_file_arrives_as_it_was_in_any_chunking_of_both_sides(
        size in prop_oneof![Just(0_usize), Just(1), Just(16), Just(50_001), 0_usize..20_000],
        layout in prop::sample::select(vec![Layout::AES256, Layout::LINPHONE, Layout::new(16, 16).unwrap()]), out in lens(), back in lens(),
    ) {
        let (plain, key) = (content(size), layout.generate(&mut rng()));
        let (file, wire) = send(up(&key, layout), &plain, &out).unwrap();
        prop_assert_eq!(wire.len(), size);
        prop_assert!(file.tag.is_some());
        prop_assert!(size < 16 || wire != plain);
        prop_assert!(receive(file, down(&key, layout), Vec::new(), &wire, &back).unwrap() == plain);
    }

    #[test]
    fn one_changed_bit_leaves_no_file(size in 1_usize..10_000, at in any::<prop::sample::Index>(), back in lens()) {
        let (plain, key) = (content(size), Layout::AES256.generate(&mut rng()));
        let (mut file, mut wire) = send(up(&key, Layout::AES256), &plain, &[]).unwrap();
        let bit = at.index((size + 16) * 8);
        let tag = file.tag.as_mut().unwrap();
        *wire.iter_mut().chain(tag).nth(bit / 8).unwrap() ^= 1 << (bit % 8);
        let directory = tempfile::tempdir().unwrap();
        let error = receive(file, down(&key, Layout::AES256), DiskSpool::new(directory.path()).unwrap(), &wire, &back).unwrap_err();
        prop_assert_eq!((error.code(), error.fault()), ("file.refused", Fault::Peer));
        prop_assert_eq!(cause(error), CipherError::Refused(Status::NOT_ACCEPTABLE));
        prop_assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);
    }

    #[test]
    fn whatever_a_cipher_takes_at_once_all_of_the_file_arrives(which in 0_usize..5, size in 0_usize..20_000, back in lens()) {
        let plain = content(size);
        let mut wire = Vec::new();
        flip(0, &plain, &mut wire);
        let cipher: Box<dyn FileCipher> = match which {
            0 => whole(),
            1 => multiples(size),
            2 => at_most(1),
            3 => only_together(7777, size),
            _ => Box::new(Hoarder::default()),
        };
        prop_assert!(receive(info(size), Some(cipher), Vec::new(), &wire, &back).unwrap() == plain);
    }
}

#[test]
fn a_large_file_arrives() {
    let (plain, key) = (content(3_000_000), Layout::LINPHONE.generate(&mut rng()));
    let (file, wire) = send(up(&key, Layout::LINPHONE), &plain, &[3, 1_500_000]).unwrap();
    assert!(receive(file, down(&key, Layout::LINPHONE), Vec::new(), &wire, &[16_000; 500]).unwrap() == plain);
}
#[test]
fn two_files_under_way_at_once_are_not_confused() {
    let keys = [0, 1].map(|_| Layout::AES256.generate(&mut rng()));
    let plains = [content(1000), content(999)];
    let [one, two] = [0, 1].map(|n: usize| send(up(&keys[n], Layout::AES256), &plains[n], &[]).unwrap());
    assert_ne!(one.0.tag, two.0.tag);
    let mut first = Receiving::new(one.0, down(&keys[0], Layout::AES256), Vec::new());
    let mut second = Receiving::new(two.0, down(&keys[1], Layout::AES256), Vec::new());
    for (a, b) in one.1.chunks(100).zip(two.1.chunks(100)) {
        first = first.chunk(a).unwrap();
        second = second.chunk(b).unwrap();
    }
    assert_eq!([first.finish().unwrap().save().unwrap(), second.finish().unwrap().save().unwrap()], plains);
}

#[test]
fn a_key_of_another_layout_is_refused_with_words() {
    let key = Layout::AES256.generate(&mut rng());
    assert_eq!(key.0.len(), 44);
    assert_ne!(*key.0, *Layout::AES256.generate(&mut rng()).0);
    assert_eq!(AesGcm::upload(&key, Layout::LINPHONE).unwrap_err(), GcmError::IvLength { expected: 8, found: 20 });
    assert_eq!(AesGcm::download(&FileKey(vec![0; 32].into()), Layout::AES256).unwrap_err(), GcmError::NoIv);
    assert_eq!(AesGcm::download(&FileKey(vec![0; 3].into()), Layout::AES256).unwrap_err(), GcmError::KeyLength(3));
    assert_eq!(Layout::new(32, 0), Err(GcmError::NoIv));
    assert_eq!(Layout::new(20, 12), Err(GcmError::KeyLength(20)));
    assert_eq!(Layout::new(24, 8), Ok(Layout::LINPHONE));
}
#[test]
fn a_missing_tag_and_a_missing_chunk_are_refused() {
    let key = Layout::AES256.generate(&mut rng());
    let (file, wire) = send(up(&key, Layout::AES256), &content(40), &[]).unwrap();
    let untagged = FileInfo { tag: None, ..file };
    let error = receive(untagged, down(&key, Layout::AES256), Vec::new(), &wire, &[]).unwrap_err();
    assert_eq!(cause(error), CipherError::Refused(Status::BAD_REQUEST));
    let mut cipher = AesGcm::download(&key, Layout::AES256).unwrap();
    assert_eq!(cipher.chunk(16, &wire[16..], &mut Vec::new()), Err(Status::INTERNAL));
}

#[test]
fn more_or_less_than_the_size_is_no_file() {
    let mut wire = Vec::new();
    flip(0, &content(100), &mut wire);
    let longer = Receiving::new(info(99), Some(whole()), Vec::new()).chunk(&wire[..99]).unwrap().chunk(&wire[99..]).unwrap_err();
    assert!(matches!(longer, ReceiveError::Longer { declared: 99 }), "{longer:?}");
    let shorter = receive(info(101), Some(whole()), Vec::new(), &wire, &[]).unwrap_err();
    assert!(matches!(shorter, ReceiveError::Shorter { declared: 101, received: 100 }), "{shorter:?}");
    // the bytes of the final call count too
    let hoarded = receive(info(99), Some(Box::new(Hoarder::default())), Vec::new(), &wire, &[]).unwrap_err();
    assert!(matches!(hoarded, ReceiveError::Longer { declared: 99 }), "{hoarded:?}");
}
#[test]
fn a_server_that_never_stops_is_stopped() {
    let swallow = || with(|_, input, _| Ok(input.len()));
    let mut receiving = Receiving::new(info(1000), Some(swallow()), Vec::new());
    let mut received = 0;
    let error = loop {
        received += 1000;
        match receiving.chunk(&[0; 1000]) {
            Ok(more) => receiving = more,
            Err(error) => break error,
        }
    };
    assert!(matches!(error, ReceiveError::WireTooLong { limit: 67_536 }), "{error:?}");
    assert!(received < 70_000);
    let error = Receiving::new(info(1000), Some(swallow()), Vec::new()).wire_limit(10).chunk(&[0; 11]).unwrap_err();
    assert_eq!((error.code(), error.fault()), ("file.wire-too-long", Fault::Peer));
}
#[test]
fn digits_fit_into_the_limit() {
    let (file, wire) = send(Some(to_hex()), &content(300_000), &[]).unwrap();
    assert!(receive(file, Some(from_hex()), Vec::new(), &wire, &[5; 9]).unwrap() == content(300_000));
}

#[test]
fn a_cipher_that_fails_in_any_way_leaves_nothing_on_the_disk() {
    let directory = tempfile::tempdir().unwrap();
    let mut wire = Vec::new();
    flip(0, &content(50_001), &mut wire);
    let ciphers: Vec<(Box<dyn FileCipher>, CipherError)> = vec![
        (refuses_at(30_000, Status::FORBIDDEN), CipherError::Refused(Status::FORBIDDEN)),
        (Box::new(Denies(Status::new(488))), CipherError::Refused(Status::NOT_ACCEPTABLE)),
        (greedy(1), CipherError::Overrun { offered: 10_000, taken: 10_001 }),
        (only_together(60_000, 70_000), CipherError::LeftOver { left: 50_001 }),
        (Box::new(Panics::Chunk), CipherError::Panicked),
        (Box::new(Panics::Finish), CipherError::Panicked),
        (Box::new(DropPanics::default()), CipherError::Panicked),
    ];
    let names =
        || -> Vec<String> { std::fs::read_dir(directory.path()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect() };
    for (cipher, expected) in ciphers {
        let attempt = || -> Result<(), ReceiveError> {
            let mut receiving = Receiving::new(info(50_001), Some(cipher), DiskSpool::new(directory.path()).unwrap());
            for piece in wire.chunks(10_000) {
                receiving = receiving.chunk(piece)?;
                // it waits there, under no name of its own
                assert!(matches!(&names()[..], [name] if name.starts_with(".subrosa-")));
            }
            let _ = receiving.finish()?;
            panic!("{expected:?}")
        };
        assert_eq!(cause(attempt().unwrap_err()), expected);
        assert!(names().is_empty(), "{expected:?}");
    }
}
#[test]
fn a_transfer_that_is_given_up_leaves_nothing_and_no_panic() {
    let directory = tempfile::tempdir().unwrap();
    for cipher in [whole(), Box::new(DropPanics::default())] {
        let receiving = Receiving::new(info(100), Some(cipher), DiskSpool::new(directory.path()).unwrap()).chunk(&[1; 50]).unwrap();
        assert_eq!((receiving.written(), receiving.file().size), (50, 100));
        drop(receiving);
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);
    }
    // nor does one that is whole and never saved
    drop(Receiving::new(info(1), Some(whole()), DiskSpool::new(directory.path()).unwrap()).chunk(&[1]).unwrap().finish().unwrap());
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);
}

/// Has room for so many bytes, and a name that is taken until somebody allows that it is replaced.
struct Tight(usize, ErrorKind);
impl Write for Tight {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let taken = bytes.len().min(self.0);
        self.0 -= taken;
        if taken == 0 && !bytes.is_empty() { Err(self.1.into()) } else { Ok(taken) }
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
impl Spool for Tight {
    type Published = String;
    fn publish(self, name: &FileName, existing: Existing) -> Result<String, (Self, SpoolError)> {
        match existing {
            Existing::Replace => Ok(name.to_string()),
            _ => Err((self, SpoolError::Exists { name: name.to_string() })),
        }
    }
}
#[test]
fn a_full_disk_ends_the_transfer_with_words() {
    let kinds = [
        (ErrorKind::StorageFull, "file.disk-full", "the disk is full, nothing was kept: free some space and receive the file again"),
        (ErrorKind::QuotaExceeded, "file.disk-full", "the disk is full, nothing was kept: free some space and receive the file again"),
        (
            ErrorKind::ReadOnlyFilesystem,
            "file.read-only",
            "the directory can't be written: give yourself the right to write there, or choose another",
        ),
        (ErrorKind::BrokenPipe, "file.disk", "the file can't be kept (broken pipe): check the disk and receive it again"),
    ];
    for (kind, code, sentence) in kinds {
        let receiving = Receiving::new(info(100), Some(whole()), Tight(70, kind)).chunk(&[1; 60]).unwrap();
        let error = receiving.chunk(&[1; 40]).unwrap_err();
        assert_eq!((error.code(), error.fault(), error.to_string().as_str()), (code, Fault::Store, sentence));
    }
}
#[test]
fn what_could_not_be_saved_comes_back_for_another_try() {
    let file = Receiving::new(info(1), None, Tight(1, ErrorKind::Other)).chunk(&[7]).unwrap().finish().unwrap();
    assert_eq!(file.info(), &info(1));
    let unsaved = file.save().unwrap_err();
    assert_eq!((unsaved.code(), unsaved.fault()), ("file.exists", Fault::Caller));
    assert_eq!(unsaved.to_string(), "picture.png exists: choose another name, or allow that it is replaced");
    assert_eq!(unsaved.file.save_as(&FileName::chosen("other.png").unwrap(), Existing::Replace).unwrap(), "other.png");
}
