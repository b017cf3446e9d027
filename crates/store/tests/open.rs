//! Opening: what is refused, with which words; old databases; the key file; the end of a device.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::arithmetic_side_effects, clippy::panic)]
use rusqlite::Connection;
use std::path::{Path, PathBuf};
use subrosa_engine::{Batch, Coded, DeviceId, Fault, Key, Store};
use subrosa_store::{KeyFileError, OpenError, SqliteStore, StoreError, StoreKey};
use subrosa_testkit::Seeded;
use tempfile::TempDir;
use zeroize::Zeroizing;

fn key(seed: u64) -> StoreKey {
    StoreKey::generate(&mut Seeded::new(seed))
}
fn row(n: u32) -> Key {
    Key::for_tests("omemo", "session", Some("bob@example.org".into()), Some(DeviceId::Number(n)))
}
fn put(store: &mut SqliteStore, n: u32, value: &[u8]) -> Result<(), StoreError> {
    store.commit(&Batch::for_tests(vec![(row(n), Some(value.to_vec()))]))
}
fn place() -> (TempDir, PathBuf) {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("store.db");
    (directory, path)
}
fn made(path: &Path) {
    let mut store = SqliteStore::open(path, &key(1)).unwrap();
    for n in 0..200 {
        put(&mut store, n, b"a record that nobody may read, a record that nobody may read").unwrap();
    }
}
fn refused(path: &Path, with: &StoreKey) -> OpenError {
    let before = std::fs::read(path).ok();
    let error = SqliteStore::open(path, with).unwrap_err();
    assert_eq!(std::fs::read(path).ok(), before, "refused, and changed all the same: {error}");
    assert_eq!(error.fault(), Fault::Store);
    error
}

#[test]
fn a_wrong_key() {
    let (_directory, path) = place();
    made(&path);
    let error = refused(&path, &key(2));
    assert_eq!(error.code(), "store.wrong-key");
    assert!(error.to_string().contains("give it the key that it was made with"), "{error}");
    SqliteStore::open(&path, &key(1)).unwrap().check().unwrap();
}

#[test]
fn something_else() {
    let (directory, path) = place();
    for (n, bytes) in [b"hello".to_vec(), vec![7; 5000], b"SQLite format 3\0".repeat(256)].into_iter().enumerate() {
        let path = directory.path().join(n.to_string());
        std::fs::write(&path, bytes).unwrap();
        assert_eq!(refused(&path, &key(1)).code(), "store.not-a-database");
    }
    Connection::open(&path).unwrap().execute_batch("CREATE TABLE others (x)").unwrap();
    let error = refused(&path, &key(1));
    assert!(matches!(error, OpenError::NotADatabase { .. }) && error.to_string().contains("choose another place"), "{error}");
    // sealed with our key by another program
    let path = directory.path().join("other.db");
    drop(SqliteStore::open(&path, &key(1)).unwrap());
    let other = unsealed(&path);
    other.execute_batch("PRAGMA application_id = 7").unwrap();
    drop(other);
    assert_eq!(refused(&path, &key(1)).code(), "store.not-a-database");
    // a directory
    assert_eq!(SqliteStore::open(directory.path(), &key(1)).unwrap_err().code(), "store.not-a-database");
}
/// As SQLCipher opens it with the raw key and the salt that the file begins with.
fn unsealed(path: &Path) -> Connection {
    let hex = |bytes: &[u8]| bytes.iter().map(|b| format!("{b:02x}")).collect::<String>();
    let salt = hex(&std::fs::read(path).unwrap()[..16]);
    let db = Connection::open(path).unwrap();
    db.execute_batch(&format!("PRAGMA key = \"x'{}{salt}'\"", hex(key(1).as_bytes()))).unwrap();
    db
}

#[test]
fn damage() {
    let (_directory, path) = place();
    made(&path);
    let whole = std::fs::read(&path).unwrap();
    assert!(whole.len() > 3 * 4096);
    // the first page: seen at once
    let mut bytes = whole.clone();
    bytes[1000] ^= 1;
    std::fs::write(&path, &bytes).unwrap();
    let error = refused(&path, &key(1));
    assert!(matches!(error, OpenError::Damaged { .. }) && error.to_string().contains("restore a backup"), "{error}");
    // cut short
    std::fs::write(&path, &whole[..100]).unwrap();
    assert_eq!(refused(&path, &key(1)).code(), "store.damaged");
    // a page further on: seen when it is read, and by the check
    let mut bytes = whole.clone();
    let last = bytes.len() - 2000;
    bytes[last] ^= 1;
    std::fs::write(&path, &bytes).unwrap();
    let mut store = SqliteStore::open(&path, &key(1)).unwrap();
    assert!(matches!(store.check(), Err(StoreError::Damaged(_))));
    let all: Vec<Key> = (0..200).map(row).collect();
    assert_eq!(store.load(&all).unwrap_err().code(), "store.damaged");
    drop(store);
    std::fs::write(&path, &whole).unwrap();
    SqliteStore::open(&path, &key(1)).unwrap().check().unwrap();
}

#[test]
fn nothing_is_readable_on_disk() {
    let (directory, path) = place();
    let mut store = SqliteStore::open(&path, &key(1)).unwrap();
    put(&mut store, 1, b"nobody may read this").unwrap();
    store.set_setting("name", Some(b"nor may they read this")).unwrap();
    let files: Vec<PathBuf> = std::fs::read_dir(directory.path()).unwrap().map(|f| f.unwrap().path()).collect();
    assert!(files.len() >= 3, "database, log and lock: {files:?}");
    for file in files {
        let bytes = std::fs::read(&file).unwrap();
        for needle in [&b"may read this"[..], b"they read", b"bob@example.org", b"omemo", b"CREATE TABLE", key(1).as_bytes()] {
            assert!(!bytes.windows(needle.len()).any(|w| w == needle), "{}", file.display());
        }
    }
    assert_eq!(format!("{:?} {store:?}", key(1)), format!("StoreKey(secret) SqliteStore({})", path.display()));
}

#[test]
fn a_full_disk() {
    let (_directory, path) = place();
    let mut store = SqliteStore::open(&path, &key(1)).unwrap();
    put(&mut store, 1, b"before").unwrap();
    store.limit_pages(6).unwrap();
    let error = put(&mut store, 1, &vec![7; 100_000]).unwrap_err();
    assert!(matches!(error, StoreError::Full(_)) && error.to_string().contains("free some space"), "{error}");
    assert_eq!(error.code(), "store.full");
    assert_eq!(store.load(&[row(1)]).unwrap(), [Some(b"before".to_vec())]);
    put(&mut store, 1, b"smaller").unwrap();
    store.limit_pages(0).unwrap();
    put(&mut store, 2, &vec![7; 100_000]).unwrap();
    assert_eq!(store.load(&[row(1)]).unwrap(), [Some(b"smaller".to_vec())]);
}

#[test]
fn no_directory() {
    let (directory, _) = place();
    let error = SqliteStore::open(directory.path().join("missing/store.db"), &key(1)).unwrap_err();
    assert_eq!(error.code(), "store.no-directory");
}

#[test]
fn a_second_handle() {
    let (_directory, path) = place();
    let first = SqliteStore::open(&path, &key(1)).unwrap();
    let error = SqliteStore::open(&path, &key(1)).unwrap_err();
    assert!(matches!(error, OpenError::InUse { pid: Some(pid), .. } if pid == std::process::id()), "{error}");
    assert!(matches!(SqliteStore::erase_unopened(&path), Err(OpenError::InUse { .. })));
    drop(first);
    drop(SqliteStore::open(&path, &key(1)).unwrap());
}

const FIXTURE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/v1.db");
/// `cargo test -p subrosa-store --test open -- --ignored` writes the database that the next test opens. Not again,
/// once it is released.
#[test]
#[ignore = "writes the fixture"]
fn write_v1() {
    let _ = std::fs::remove_file(FIXTURE);
    let mut store = SqliteStore::open_as(Path::new(FIXTURE), &key(1), 1).unwrap();
    (0..50).for_each(|n| put(&mut store, n, format!("value {n}").as_bytes()).unwrap());
    store.commit(&Batch::for_tests(vec![(Key::for_tests("house", "state", None, None), Some(Vec::new()))])).unwrap();
    drop(store);
    std::fs::remove_file(format!("{FIXTURE}.lock")).unwrap();
}
#[test]
fn a_database_of_version_1() {
    let (_directory, path) = place();
    std::fs::copy(FIXTURE, &path).unwrap();
    for _ in 0..2 {
        let mut store = SqliteStore::open(&path, &key(1)).unwrap();
        let mut keys: Vec<Key> = (0..51).map(row).collect();
        keys.push(Key::for_tests("house", "state", None, None));
        let rows = store.load(&keys).unwrap();
        (0..50).for_each(|n| assert_eq!(rows[n], Some(format!("value {n}").into_bytes())));
        assert_eq!(rows[50..], [None, Some(Vec::new())]);
        store.check().unwrap();
        store.set_setting("new in version 2", Some(b"works")).unwrap();
    }
    // and an older program refuses it now, unchanged
    let error = SqliteStore::open_as(&path, &key(1), 1).unwrap_err();
    assert!(matches!(error, OpenError::Newer { found: 2, known: 1, .. }) && error.to_string().ends_with("update Subrosa"), "{error}");
    assert_eq!(SqliteStore::open(&path, &key(1)).unwrap().setting("new in version 2").unwrap(), Some(b"works".to_vec()));
}

#[test]
fn settings() {
    let (_directory, path) = place();
    let mut store = SqliteStore::open(&path, &key(1)).unwrap();
    assert_eq!(store.setting("a").unwrap(), None);
    store.set_setting("a", Some(b"")).unwrap();
    store.set_setting("b", Some(b"2")).unwrap();
    store.set_setting("b", Some(b"3")).unwrap();
    drop(store);
    let mut store = SqliteStore::open(&path, &key(1)).unwrap();
    assert_eq!((store.setting("a").unwrap(), store.setting("b").unwrap()), (Some(Vec::new()), Some(b"3".to_vec())));
    store.set_setting("b", None).unwrap();
    assert_eq!(store.setting("b").unwrap(), None);
}

#[test]
fn the_end_of_a_device() {
    let (directory, path) = place();
    made(&path);
    let store = SqliteStore::open(&path, &key(1)).unwrap();
    store.erase().unwrap();
    let left = || std::fs::read_dir(directory.path()).unwrap().map(|f| f.unwrap().path());
    assert!(left().eq([directory.path().join("store.db.lock")]), "something is left");
    // one that does not open
    std::fs::write(&path, [7; 4096]).unwrap();
    SqliteStore::erase_unopened(&path).unwrap();
    assert!(left().eq([directory.path().join("store.db.lock")]), "something is left");
    let mut store = SqliteStore::open(&path, &key(3)).unwrap();
    assert_eq!(store.load(&[row(1)]).unwrap(), [None], "a new device may begin there, with a key of its own");
}

#[test]
fn the_key_file() {
    let (directory, _) = place();
    let path = directory.path().join("store.key");
    assert!(matches!(StoreKey::load(&path), Err(KeyFileError::Io { .. })));
    let key = StoreKey::load_or_create(&path, &mut Seeded::new(1)).unwrap();
    assert!(key == StoreKey::load_or_create(&path, &mut Seeded::new(2)).unwrap(), "made once");
    assert!(key == StoreKey::from_bytes(Zeroizing::new(*key.as_bytes())));
    assert!(key != StoreKey::generate(&mut Seeded::new(2)));
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 1, "no half key is left");
    let text = std::fs::read_to_string(&path).unwrap();
    for bad in ["", "x", &text[..text.len() - 1], &text.replace("key 1", "key 2"), &format!("{}g\n", &text[..text.len() - 2])] {
        std::fs::write(&path, bad).unwrap();
        let error = StoreKey::load_or_create(&path, &mut Seeded::new(3)).unwrap_err();
        assert!(matches!(error, KeyFileError::Damaged { .. }), "{bad:?}: {error}");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), bad, "left for a person to look at");
    }
    std::fs::write(&path, &text).unwrap();
    assert!(key == StoreKey::load(&path).unwrap());
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&path), 0o600);
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o640)).unwrap();
        let error = StoreKey::load(&path).unwrap_err();
        assert!(matches!(error, KeyFileError::Exposed { .. }) && error.to_string().contains("chmod 600"), "{error}");
        let database = directory.path().join("store.db");
        drop(SqliteStore::open(&database, &key).unwrap());
        assert_eq!(mode(&database), 0o600);
    }
    StoreKey::erase_file(&path).unwrap();
    assert!(!path.exists());
    // eight at once: one makes it, all get it
    let race = |n| {
        let path = path.clone();
        std::thread::spawn(move || StoreKey::load_or_create(&path, &mut Seeded::new(n)).unwrap())
    };
    let keys: Vec<StoreKey> = (0..8).map(race).collect::<Vec<_>>().into_iter().map(|t| t.join().unwrap()).collect();
    assert!(keys.iter().all(|k| *k == keys[0]));
    StoreKey::erase_file(&path).unwrap();
    StoreKey::erase_file(&path).unwrap();
}
