//! What other languages switch over: it never changes once released.
use std::io::{Error, ErrorKind};
use subrosa_engine::{Coded, Fault, Status};
use subrosa_files::gcm::GcmError;
use subrosa_files::{CipherError, NameError, ReceiveError, SendError, SpoolError};

#[test]
fn every_error_has_its_code_its_fault_and_a_sentence_with_a_remedy() {
    let io = || Error::from(ErrorKind::Other);
    let ciphers = [
        (CipherError::Refused(Status::FORBIDDEN), "file.refused"),
        (CipherError::Overrun { offered: 1, taken: 2 }, "file.overrun"),
        (CipherError::Stalled { offered: 1 }, "file.stalled"),
        (CipherError::LeftOver { left: 1 }, "file.left-over"),
        (CipherError::TookBack, "file.took-back"),
        (CipherError::Panicked, "file.panicked"),
    ];
    let mut all: Vec<(Box<dyn Coded>, &str, Fault)> = Vec::new();
    for (cause, code) in ciphers {
        let refused = matches!(cause, CipherError::Refused(_));
        all.push((Box::new(SendError::Cipher(cause)), code, if refused { Fault::Caller } else { Fault::Bug }));
        all.push((Box::new(ReceiveError::Cipher(cause)), code, if refused { Fault::Peer } else { Fault::Bug }));
    }
    let others: [(Box<dyn Coded>, &str, Fault); 21] = [
        (Box::new(SendError::Longer { declared: 1 }), "file.longer", Fault::Caller),
        (Box::new(SendError::Shorter { declared: 1, read: 0 }), "file.shorter", Fault::Caller),
        (Box::new(SendError::Read(io())), "file.read", Fault::Store),
        (Box::new(SendError::Abandoned), "file.abandoned", Fault::Network),
        (Box::new(ReceiveError::Longer { declared: 1 }), "file.longer", Fault::Peer),
        (Box::new(ReceiveError::Shorter { declared: 1, received: 0 }), "file.shorter", Fault::Network),
        (Box::new(ReceiveError::WireTooLong { limit: 1 }), "file.wire-too-long", Fault::Peer),
        (Box::new(ReceiveError::Spool(SpoolError::Full(io()))), "file.disk-full", Fault::Store),
        (Box::new(SpoolError::Full(io())), "file.disk-full", Fault::Store),
        (Box::new(SpoolError::ReadOnly(io())), "file.read-only", Fault::Store),
        (Box::new(SpoolError::NoDirectory(io())), "file.no-directory", Fault::Store),
        (Box::new(SpoolError::Exists { name: "x".into() }), "file.exists", Fault::Caller),
        (Box::new(SpoolError::Other(io())), "file.disk", Fault::Store),
        (Box::new(NameError::Empty), "file.name-empty", Fault::Caller),
        (Box::new(NameError::Path), "file.name-path", Fault::Caller),
        (Box::new(NameError::TooLong), "file.name-too-long", Fault::Caller),
        (Box::new(GcmError::KeyLength(1)), "gcm.key-length", Fault::Caller),
        (Box::new(GcmError::NoIv), "gcm.no-iv", Fault::Caller),
        (Box::new(GcmError::IvLength { expected: 1, found: 2 }), "gcm.iv-length", Fault::Caller),
        (Box::new(GcmError::TooLong), "gcm.too-long", Fault::Caller),
        (Box::new(GcmError::Forged), "gcm.forged", Fault::Peer),
    ];
    all.extend(others);
    for (error, code, fault) in all {
        assert_eq!((error.code(), error.fault()), (code, fault), "{error}");
        let sentence = error.to_string();
        assert!(sentence.contains([':', ';']) || code == "gcm.forged", "{sentence}");
    }
}
