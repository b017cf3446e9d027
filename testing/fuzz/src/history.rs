//! What another device of one's own sends, and backups.
use crate::now;
use std::cell::RefCell;
use std::sync::OnceLock;
use subrosa_engine::{Address, Content, ContentType, Device, DeviceId, Plaintext, Time, Trust};
use subrosa_history::backup::{BackupError, Cost, Opened, Wanted};
use subrosa_history::transfer::OwnDevice;
use subrosa_history::{Entry, History};
use subrosa_testkit::Seeded;
use tempfile::TempDir;

const ME: &str = "juliet@capulet.lit";
const PASSPHRASE: &str = "correct horse battery staple";

fn fresh() -> (TempDir, History) {
    let directory = tempfile::tempdir().unwrap();
    let history = History::open(directory.path().join("history.db"), &[7; 32], &ME.into()).unwrap();
    (directory, history)
}
fn device(n: u32) -> OwnDevice {
    OwnDevice::approved(&ME.into(), &Device { owner: ME.into(), id: DeviceId::Number(n) }, Trust::Verified).unwrap()
}
fn filled(now: Time) -> (TempDir, History) {
    let (directory, mut history) = fresh();
    let romeo = Address::from("romeo@montague.lit");
    for n in 0..40 {
        let entry = Entry::new(&romeo, &romeo, &format!("m{n}"), Content::Text(format!("message {n}")), Time(now.0 - 1000 + n));
        history.add(&entry).unwrap();
    }
    (directory, history)
}
/// As they were said from the one to the other.
pub fn batches() -> Vec<Vec<u8>> {
    let ((_one, mut old), (_two, mut new)) = (filled(now()), fresh());
    let (to_new, to_old) = (device(2), device(1));
    let mut said = vec![old.offer_transfer(&to_new, &[], &mut Seeded::new(1)).unwrap()];
    new.take_transfer(&to_old, &said[0], now()).unwrap();
    let mut next = Some(new.accept_transfer(&to_old).unwrap());
    let mut turn = 0;
    while let Some(plain) = next.take().filter(|_| turn < 20) {
        let (history, from) = if turn % 2 == 0 { (&mut old, &to_new) } else { (&mut new, &to_old) };
        next = history.take_transfer(from, &plain, now()).unwrap().and_then(|handled| handled.reply);
        said.push(plain);
        turn += 1;
    }
    said.iter().map(|plain| plain.bytes().to_vec()).collect()
}
thread_local! {
    static TAKING: RefCell<Option<(TempDir, History, usize)>> = const { RefCell::new(None) };
}
pub fn transfer(bytes: &[u8]) {
    TAKING.with_borrow_mut(|taking| {
        let (directory, mut history, number) = taking.take().unwrap_or_else(|| {
            let ((directory, mut history), from) = (fresh(), device(1));
            let offer = filled(now()).1.offer_transfer(&device(2), &[], &mut Seeded::new(1)).unwrap();
            history.take_transfer(&from, &offer, now()).unwrap();
            history.accept_transfer(&from).unwrap();
            (directory, history, 0)
        });
        for content_type in [ContentType::TEXT, ContentType::STANZA] {
            let plain = Plaintext::new(content_type, bytes);
            if let Ok(Some(handled)) = history.take_transfer(&device(1), &plain, now()) {
                assert!(handled.reply.is_none_or(|reply| History::is_transfer(&reply)));
            }
        }
        history.check().unwrap();
        *taking = (number < 200).then_some((directory, history, number + 1));
    });
}

/// The same in every process: what one of them wrote as a seed is what another one sealed.
fn sealed() -> &'static [u8] {
    static SEALED: OnceLock<Vec<u8>> = OnceLock::new();
    SEALED.get_or_init(|| {
        let then = Time(1_700_000_000_000);
        let (directory, history) = filled(then);
        let path = directory.path().join("backup");
        let wanted = Wanted { passphrase: PASSPHRASE, sections: &[], decisions: &[], cost: Cost::CHEAP };
        history.back_up(&path, &wanted, then, &mut Seeded::new(1)).unwrap();
        std::fs::read(path).unwrap()
    })
}
pub fn backups() -> Vec<Vec<u8>> {
    vec![sealed().to_vec()]
}
pub fn backup(bytes: &[u8]) {
    // what guessing costs is in the clear and believed up to 256 MiB: here it is the one that it was
    let sealed = sealed();
    let cost = 16..28;
    let mut bytes = bytes.to_vec();
    if let (Some(there), Some(cheap)) = (bytes.get_mut(cost.clone()), sealed.get(cost)) {
        there.copy_from_slice(cheap);
    }
    let (directory, mut history) = fresh();
    let path = directory.path().join("backup");
    std::fs::write(&path, &bytes).unwrap();
    let before = history.chats().unwrap().len();
    let restored = Opened::open(&path, PASSPHRASE).and_then(|mut opened| opened.restore_into(&mut history, now(), |_| {}));
    match restored {
        Ok(_) => assert_eq!(bytes, sealed, "only what was sealed is restored"),
        Err(BackupError::Io { source, .. }) => panic!("{source}"),
        Err(_) => assert_eq!(history.chats().unwrap().len(), before, "nothing of a damaged backup is kept"),
    }
}
