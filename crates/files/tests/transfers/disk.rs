use std::fs;
use std::io::Write;
use std::path::Path;
use subrosa_engine::Coded;
use subrosa_files::{DiskSpool, Existing, FileName, Spool, SpoolError};

fn spool(directory: &Path, bytes: &[u8]) -> DiskSpool {
    let mut spool = DiskSpool::new(directory).unwrap();
    spool.write_all(bytes).unwrap();
    spool
}
fn name(name: &str) -> FileName {
    FileName::chosen(name).unwrap()
}
fn names(directory: &Path) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn a_name_that_is_taken_is_kept_and_the_new_file_is_numbered() {
    let directory = tempfile::tempdir().unwrap();
    let directory = directory.path();
    for expected in ["photo.tar.gz", "photo (1).tar.gz", "photo (2).tar.gz"] {
        let path = spool(directory, expected.as_bytes()).publish(&name("photo.tar.gz"), Existing::Keep).unwrap();
        assert_eq!(path, directory.join(expected));
    }
    for path in ["photo.tar.gz", "photo (1).tar.gz", "photo (2).tar.gz"] {
        assert_eq!(fs::read(directory.join(path)).unwrap(), path.as_bytes());
    }
    // a directory and a dangling link have names too
    fs::create_dir(directory.join("a")).unwrap();
    assert_eq!(spool(directory, b"").publish(&name("a"), Existing::Keep).unwrap(), directory.join("a (1)"));
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink(directory.join("nowhere"), directory.join("b.txt")).unwrap();
        assert_eq!(spool(directory, b"").publish(&name("b.txt"), Existing::Keep).unwrap(), directory.join("b (1).txt"));
        assert!(!directory.join("nowhere").exists());
    }
}
#[test]
fn long_names_are_numbered_within_their_length() {
    let directory = tempfile::tempdir().unwrap();
    let long = FileName::from_peer(&format!("{}.jpeg", "é".repeat(200)));
    assert_eq!(long.as_str().len(), 255);
    spool(directory.path(), b"1").publish(&long, Existing::Keep).unwrap();
    let path = spool(directory.path(), b"2").publish(&long, Existing::Keep).unwrap();
    let second = path.file_name().unwrap().to_str().unwrap();
    assert!(second.ends_with("é (1).jpeg") && second.len() <= 255, "{second}");
}
#[test]
fn what_exists_is_replaced_only_where_that_was_asked_for() {
    let directory = tempfile::tempdir().unwrap();
    let directory = directory.path();
    fs::write(directory.join("x"), b"old").unwrap();
    let (back, error) = spool(directory, b"new").publish(&name("x"), Existing::Refuse).unwrap_err();
    assert_eq!(error.to_string(), "x exists: choose another name, or allow that it is replaced");
    assert_eq!(fs::read(directory.join("x")).unwrap(), b"old");
    assert_eq!(names(directory).len(), 2);
    back.publish(&name("x"), Existing::Replace).unwrap();
    assert_eq!(fs::read(directory.join("x")).unwrap(), b"new");
    assert_eq!(names(directory), ["x"]);
    // not a directory, though
    fs::create_dir(directory.join("d")).unwrap();
    let (back, error) = spool(directory, b"new").publish(&name("d"), Existing::Replace).unwrap_err();
    assert_eq!(error.code(), "file.disk");
    drop(back);
    assert_eq!(names(directory), ["d", "x"]);
}
#[test]
fn many_who_publish_the_same_name_at_once_lose_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let directory = directory.path();
    let spools: Vec<_> = (0..32_u8).map(|n| spool(directory, &[n; 1000])).collect();
    let paths: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> =
            spools.into_iter().map(|spool| scope.spawn(move || spool.publish(&name("same.bin"), Existing::Keep).unwrap())).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    for (n, path) in (0_u8..).zip(&paths) {
        assert_eq!(fs::read(path).unwrap(), [n; 1000]);
    }
    assert_eq!(names(directory).len(), 32);
}
#[cfg(unix)]
#[test]
fn only_the_owner_reads_it_before_and_after() {
    use std::os::unix::fs::PermissionsExt;
    let directory = tempfile::tempdir().unwrap();
    let directory = directory.path();
    let mode = |name: &str| fs::metadata(directory.join(name)).unwrap().permissions().mode() & 0o777;
    let spool = spool(directory, b"x");
    let [waiting] = &names(directory)[..] else { panic!() };
    assert!(waiting.starts_with(".subrosa-") && waiting.ends_with(".part"));
    assert_eq!(mode(waiting), 0o600);
    spool.publish(&name("x"), Existing::Refuse).unwrap();
    assert_eq!(mode("x"), 0o600);
}
#[test]
fn what_killed_processes_left_is_swept_and_nothing_else() {
    let directory = tempfile::tempdir().unwrap();
    let directory = directory.path();
    let old = |name: &str| {
        let long_ago = std::time::SystemTime::now() - std::time::Duration::from_secs(3600);
        fs::File::open(directory.join(name)).unwrap().set_modified(long_ago).unwrap();
    };
    let running = spool(directory, b"being written");
    old(&names(directory)[0]);
    fs::create_dir(directory.join(".subrosa-directory.part")).unwrap();
    for (left, is_old) in [(".subrosa-young.part", false), (".subrosa-left.part", true), (".subrosa-kept", true), ("kept.part", true)] {
        fs::write(directory.join(left), b"plaintext").unwrap();
        if is_old {
            old(left);
        }
    }
    let before = names(directory).len();
    assert_eq!(DiskSpool::sweep(directory).unwrap(), 1);
    assert!(!directory.join(".subrosa-left.part").exists() && names(directory).len() == before - 1);
    assert_eq!(running.publish(&name("whole"), Existing::Refuse).unwrap(), directory.join("whole"));
    assert_eq!(DiskSpool::sweep(directory).unwrap(), 0);
    assert!(DiskSpool::sweep(&directory.join("missing")).is_err());
}
#[test]
fn a_directory_that_is_none_is_told_with_words() {
    let directory = tempfile::tempdir().unwrap();
    let missing = DiskSpool::new(directory.path().join("missing")).unwrap_err();
    assert_eq!((missing.code(), missing.to_string().as_str()), ("file.no-directory", "the directory does not exist: make it, or choose another"));
    fs::write(directory.path().join("file"), b"").unwrap();
    assert!(matches!(DiskSpool::new(directory.path().join("file")).unwrap_err(), SpoolError::NoDirectory(_)));
}
#[test]
fn a_directory_that_vanished_meanwhile_is_an_error_and_not_a_panic() {
    let directory = tempfile::tempdir().unwrap();
    let gone = directory.path().join("gone");
    fs::create_dir(&gone).unwrap();
    let spool = spool(&gone, b"x");
    fs::remove_dir_all(&gone).unwrap();
    let (_, error) = spool.publish(&name("x"), Existing::Keep).unwrap_err();
    assert_eq!(error.code(), "file.no-directory");
}
