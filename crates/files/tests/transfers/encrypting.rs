use crate::ciphers::*;
use crate::{content, info};
use proptest::prelude::*;
use std::io::{self, ErrorKind, Read};
use subrosa_engine::{Coded, FileInfo};
use subrosa_files::{AesGcm, CipherError, Encrypting, Layout, SendError, Sent};

/// Gives so much at once, interrupts in between, and fails in the end if told to.
struct Source {
    bytes: Vec<u8>,
    at: usize,
    most: usize,
    interrupted: bool,
    fails: Option<ErrorKind>,
}
impl Source {
    fn new(bytes: Vec<u8>, most: usize) -> Self {
        Source { bytes, at: 0, most, interrupted: false, fails: None }
    }
}
impl Read for Source {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.interrupted = !self.interrupted;
        if self.interrupted {
            return Err(ErrorKind::Interrupted.into());
        }
        let left = &self.bytes[self.at..];
        let read = left.len().min(into.len()).min(self.most);
        if read == 0
            && let Some(kind) = self.fails
        {
            return Err(kind.into());
        }
        into[..read].copy_from_slice(&left[..read]);
        self.at += read;
        Ok(read)
    }
}
/// With a buffer of so many bytes.
fn read_all(body: &mut impl Read, buffer: usize) -> io::Result<Vec<u8>> {
    let (mut all, mut buffer) = (Vec::new(), vec![0; buffer]);
    loop {
        match body.read(&mut buffer)? {
            0 => return Ok(all),
            read => all.extend_from_slice(&buffer[..read]),
        }
    }
}
fn result(sent: &Sent) -> Result<FileInfo, SendError> {
    sent.take().expect("it ended")
}

proptest! {
    #[test]
    fn the_reader_gives_what_the_transfer_gives(
        which in 0_usize..5, size in prop_oneof![Just(0_usize), Just(65_536), 0_usize..200_000], most in 1_usize..100_000, buffer in 1_usize..100_000,
    ) {
        let plain = content(size);
        let cipher = match which {
            0 => whole(),
            1 => multiples(size),
            2 => at_most(777),
            3 => only_together(100_000, size),
            _ => Box::new(Hoarder::default()),
        };
        let mut body = Encrypting::new(Source::new(plain.clone(), most), info(size), Some(cipher));
        let sent = body.sent();
        let wire = read_all(&mut body, buffer).unwrap();
        let mut expected = Vec::new();
        flip(0, &plain, &mut expected);
        prop_assert!(wire == expected);
        prop_assert_eq!(result(&sent).unwrap(), info(size));
        prop_assert_eq!(body.read(&mut [0; 9]).unwrap(), 0);
        drop(body);
        prop_assert!(sent.take().is_none());
    }
}

#[test]
fn the_tag_is_told_after_the_end_and_not_before() {
    let key = Layout::AES256.generate(&mut getrandom::rand_core::UnwrapErr(getrandom::SysRng));
    let cipher = || Some(Box::new(AesGcm::upload(&key, Layout::AES256).unwrap()) as _);
    let mut body = Encrypting::new(&[7; 100_000][..], info(100_000), cipher());
    let sent = body.sent();
    assert_eq!(body.read(&mut []).unwrap(), 0);
    body.read_exact(&mut vec![0; 100_000]).unwrap();
    assert!(sent.take().is_none());
    assert_eq!(body.read(&mut [0]).unwrap(), 0);
    let mut wire = Vec::new();
    let expected = subrosa_files::Sending::new(info(100_000), cipher()).chunk(&[7; 100_000], &mut wire).unwrap().finish(&mut wire).unwrap();
    assert_eq!(result(&sent).unwrap(), expected);
}

#[test]
fn an_error_is_never_the_end_of_the_file() {
    let failing = Source { fails: Some(ErrorKind::PermissionDenied), ..Source::new(content(10), 4) };
    let mut body = Encrypting::new(failing, info(20), Some(whole()));
    let sent = body.sent();
    for _ in 0..2 {
        let error = read_all(&mut body, 5).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::PermissionDenied);
        assert_eq!(error.to_string(), "the file can't be read any more (permission denied): check the disk and send it again");
    }
    assert_eq!(result(&sent).unwrap_err().code(), "file.read");
    drop(body);
    assert!(sent.take().is_none());

    for (size, cipher) in [(9, whole()), (11, whole()), (10, Box::new(Panics::Finish) as _), (10, greedy(1))] {
        let mut body = Encrypting::new(Source::new(content(10), 100), info(size), Some(cipher));
        let sent = body.sent();
        let said = read_all(&mut body, 100).unwrap_err().to_string();
        assert_eq!(result(&sent).unwrap_err().to_string(), said);
        assert_eq!(body.read(&mut [0]).unwrap_err().to_string(), said);
    }
}
#[test]
fn one_that_takes_nothing_for_ever_ends_with_an_error() {
    let mut body = Encrypting::new(io::repeat(1), info(usize::MAX), Some(never(Default::default())));
    let sent = body.sent();
    assert!(body.read(&mut [0; 10]).is_err());
    assert!(matches!(result(&sent), Err(SendError::Cipher(CipherError::Stalled { offered: 1_048_576 }))));
}
#[test]
fn whoever_stops_reading_has_given_it_up() {
    let mut body = Encrypting::new(io::repeat(1).take(100_000), info(100_000), None);
    let sent = body.sent();
    body.read_exact(&mut [0; 10]).unwrap();
    assert!(sent.take().is_none());
    drop(body);
    assert!(matches!(result(&sent), Err(SendError::Abandoned)));
}
#[test]
fn a_source_that_panics_is_not_taken_for_an_end() {
    struct Panicking;
    impl Read for Panicking {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            panic!("read")
        }
    }
    let mut body = Encrypting::new(Panicking, info(0), None);
    let sent = body.sent();
    assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| body.read(&mut [0; 10]))).is_err());
    assert!(body.read(&mut [0; 10]).is_err());
    drop(body);
    assert!(matches!(result(&sent), Err(SendError::Abandoned)));
}
