use crate::ciphers::*;
use crate::{content, info, send};
use proptest::prelude::*;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use subrosa_engine::{Coded, Fault, FileCipher, Status};
use subrosa_files::{AesGcm, CipherError, FileName, Layout, SendError, Sending};

const WINDOW: usize = 1 << 20;

fn flipped(plain: &[u8]) -> Vec<u8> {
    let mut wire = Vec::new();
    flip(0, plain, &mut wire);
    wire
}
/// Whatever it takes at once, what leaves is the same.
fn honest(which: usize, size: usize) -> Box<dyn FileCipher> {
    match which {
        0 => whole(),
        1 => multiples(size),
        2 => at_most(1),
        3 => at_most(1000),
        4 => only_together(7777, size),
        _ => Box::new(Hoarder::default()),
    }
}
proptest! {
    #[test]
    fn whatever_a_cipher_takes_at_once_all_of_the_file_leaves_in_order(
        which in 0_usize..6, size in 0_usize..20_000, lens in prop::collection::vec(prop_oneof![0_usize..50, 0_usize..30_000], 0..20),
    ) {
        let plain = content(size);
        let (file, wire) = send(Some(honest(which, size)), &plain, &lens).unwrap();
        prop_assert!(wire == flipped(&plain));
        prop_assert_eq!(file, info(size));
    }
}

#[test]
fn a_file_without_a_cipher_leaves_as_it_is() {
    let plain = content(100_000);
    assert_eq!(send(None, &plain, &[0, 7, 70_000]).unwrap(), (info(100_000), plain));
}

#[test]
fn the_rest_comes_again_at_its_offset_together_with_what_follows() {
    let mut seen = Vec::new();
    let (sender, offers) = std::sync::mpsc::channel();
    let cipher = with(move |offset, input, output| {
        sender.send((offset, input.len())).unwrap();
        let taken = if offset + input.len() as u64 >= 50_001 { input.len() } else { input.len() / 16 * 16 };
        flip(offset, &input[..taken], output);
        Ok(taken)
    });
    // the pieces that Liblinphone offers
    let (_, wire) = send(Some(cipher), &content(50_001), &[16_137, 16_306, 16_306]).unwrap();
    seen.extend(offers);
    assert_eq!(seen, [(0, 16_137), (16_128, 16_315), (32_432, 16_317), (48_736, 1265)]);
    assert_eq!(wire, flipped(&content(50_001)));
}

#[test]
fn pieces_larger_than_the_window_and_a_slow_taker_are_no_trouble() {
    let size = 5 * WINDOW / 2;
    for cipher in [whole(), multiples(size), at_most(WINDOW / 3), at_most(4097)] {
        let (_, wire) = send(Some(cipher), &content(size), &[2 * WINDOW + 5]).unwrap();
        assert!(wire == flipped(&content(size)));
    }
}

fn cause(error: SendError) -> CipherError {
    let SendError::Cipher(cause) = error else { panic!("{error:?}") };
    cause
}
#[test]
fn one_that_takes_nothing_is_an_error_after_a_full_window_not_a_hang() {
    let calls = Arc::new(AtomicU64::new(0));
    let plain = content(3 * WINDOW);
    let error = cause(send(Some(never(calls.clone())), &plain, &[64 * 1024; 40]).unwrap_err());
    assert_eq!(error, CipherError::Stalled { offered: WINDOW });
    assert_eq!(calls.load(Ordering::Relaxed), 16);
    // and in one piece
    assert_eq!(cause(send(Some(never(calls)), &plain, &[]).unwrap_err()), error);
}
#[test]
fn one_that_leaves_the_last_bytes_is_an_error() {
    let never_last = with(|offset, input, output| {
        let taken = input.len() / 16 * 16;
        flip(offset, &input[..taken], output);
        Ok(taken)
    });
    assert_eq!(cause(send(Some(never_last), &content(1003), &[500]).unwrap_err()), CipherError::LeftOver { left: 11 });
}
#[test]
fn one_that_takes_more_than_it_was_offered_is_an_error_not_an_overrun() {
    for by in [1, 15, usize::MAX] {
        let error = cause(send(Some(greedy(by)), &content(100), &[60]).unwrap_err());
        assert_eq!(error, CipherError::Overrun { offered: 60, taken: 60_usize.saturating_add(by) });
    }
    // of an empty file nothing is offered
    send(Some(greedy(1)), &[], &[]).unwrap();
}
#[test]
fn one_that_panics_ends_its_transfer_and_nothing_else() {
    for cipher in [Panics::Chunk, Panics::Finish] {
        assert_eq!(cause(send(Some(Box::new(cipher)), &content(100), &[]).unwrap_err()), CipherError::Panicked);
    }
    // in its destructor, in the final call and in a transfer that was given up
    assert_eq!(cause(send(Some(Box::new(DropPanics::default())), &content(100), &[]).unwrap_err()), CipherError::Panicked);
    let dropped = Arc::new(AtomicU64::new(0));
    drop(Sending::new(info(100), Some(Box::new(DropPanics(dropped.clone())))).chunk(&content(50), &mut Vec::new()).unwrap());
    assert_eq!(dropped.load(Ordering::Relaxed), 1);
}

#[test]
fn a_refusal_is_told_with_its_status_and_what_was_appended_is_gone() {
    let mut wire = b"multipart head".to_vec();
    let sending = Sending::new(info(50_001), Some(refuses_at(30_000, Status::new(488))));
    let sending = sending.chunk(&content(20_000), &mut wire).unwrap();
    let before = wire.clone();
    let error = sending.chunk(&content(20_000), &mut wire).unwrap_err();
    assert_eq!(wire, before);
    assert_eq!((error.code(), error.fault()), ("file.refused", Fault::Caller));
    assert_eq!(cause(error), CipherError::Refused(Status::NOT_ACCEPTABLE));

    let mut wire = Vec::new();
    let sending = Sending::new(info(3), Some(Box::new(Denies(Status::new(603))))).chunk(b"abc", &mut wire).unwrap();
    assert_eq!(cause(sending.finish(&mut wire).unwrap_err()), CipherError::Refused(Status::new(603)));
    assert_eq!(wire.len(), 3);
}
#[test]
fn one_that_removes_what_was_there_is_an_error() {
    let mut wire = b"head".to_vec();
    let error = Sending::new(info(3), Some(takes_back())).chunk(b"abc", &mut wire).unwrap_err();
    assert_eq!(cause(error), CipherError::TookBack);
}

#[test]
fn a_file_that_is_not_as_long_as_it_said_is_not_sent() {
    let mut wire = Vec::new();
    let error = Sending::new(info(10), Some(whole())).chunk(&content(11), &mut wire).unwrap_err();
    assert!(matches!(error, SendError::Longer { declared: 10 }) && wire.is_empty());
    let error = Sending::new(info(10), Some(whole())).chunk(&content(9), &mut wire).unwrap().finish(&mut wire).unwrap_err();
    assert!(matches!(error, SendError::Shorter { declared: 10, read: 9 }));
    assert_eq!(error.to_string(), "the file ended after 9 of its 10 bytes: it was changed while it was sent; send it again");
}

#[test]
fn the_tag_is_this_transfers_only() {
    let key = Layout::AES256.generate(&mut getrandom::rand_core::UnwrapErr(getrandom::SysRng));
    let stale = subrosa_engine::FileInfo { tag: Some([1; 16]), ..info(0) };
    assert_eq!(Sending::new(stale.clone(), Some(whole())).finish(&mut Vec::new()).unwrap().tag, None);
    let tag = Sending::new(stale, Some(Box::new(AesGcm::upload(&key, Layout::AES256).unwrap()))).finish(&mut Vec::new()).unwrap().tag;
    assert!(tag.is_some_and(|tag| tag != [1; 16]));
}

#[test]
fn transfers_go_to_other_threads_and_show_no_secret() {
    fn is_send<T: Send>() {}
    is_send::<Sending>();
    is_send::<subrosa_files::Receiving<subrosa_files::DiskSpool>>();
    is_send::<subrosa_files::Encrypting<std::fs::File>>();
    let sending = Sending::new(info(9), Some(multiples(900))).chunk(b"secret!!!", &mut Vec::new()).unwrap();
    let shown = format!("{sending:?} {:?}", FileName::from_peer("x"));
    assert!(shown.contains("waiting: 9") && !shown.contains("secret") && !shown.contains("115"), "{shown}");
}
