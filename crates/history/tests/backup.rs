//! A backup gives back what went in, to its owner only, and only whole; old ones stay readable.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::arithmetic_side_effects)]
mod common;
use common::*;
use proptest::prelude::*;
use std::path::{Path, PathBuf};
use subrosa_engine::{Coded as _, Content, Device, Fingerprint, Reason, Time, Trust};
use subrosa_history::backup::{BackedUp, BackupError, Cost, Opened, Position, Section, Wanted, Writing};
use subrosa_history::{Decision, Entry, Gone, History, Message, Place, SentBy, State};
use zeroize::Zeroizing;

const PASSPHRASE: &str = "correct horse battery staple";
const HEADER: usize = 60;

fn sections() -> Vec<Section> {
    vec![
        Section::IdentityKey { engine: "omemo".into(), key: Zeroizing::new([3; 32]) },
        Section::Setting { name: "label".into(), value: "Laptop ✨".into() },
    ]
}
fn decisions() -> Vec<Decision> {
    vec![
        Decision { device: Device::of(&bob(), 5), key: Fingerprint([1; 32]), trust: Trust::Verified },
        Decision {
            device: Device { owner: bob(), id: subrosa_engine::DeviceId::Name("gruu".into()) },
            key: Fingerprint([2; 32]),
            trust: Trust::Untrusted,
        },
    ]
}
fn filled(path: &Path, messages: u64) -> History {
    let mut history = History::open(path, &KEY, &me()).unwrap();
    let filled = history.transaction(|history| {
        for n in 0..messages {
            history.add(&from_bob(&format!("m{n}"), text(&format!("words {n}")), n))?;
        }
        history.add(&Entry { by: Some(SentBy { device: 7.into(), trust: Trust::Verified }), ..from_bob("v", text("verified"), 1) })?;
        history.add(&from_bob("c1", Content::Correction { of: of("m0"), text: "corrected".into() }, 900))?;
        history.add(&from_bob("t1", Content::Retraction { of: of("m1") }, 901))?;
        history.add(&Entry { state: State::Failed(Reason::NoDevice), ..to_bob("o1", text("not sent"), 902) })?;
        history.add(&to_bob("d1", Content::Displayed { of: of("m2") }, 903))?;
        history.add(&from_bob("r1", Content::Reaction { of: of("o1"), emojis: vec!["👍".into()] }, 904))?;
        history.add(&said(&carol(), "g1", text("in the room"), 905))?;
        history.moderate(&chat(&room()), "sg1", &bob(), "spam", at(906))?;
        Ok::<(), subrosa_history::HistoryError>(())
    });
    filled.unwrap();
    history
}
fn view(history: &History) -> (Vec<Message>, Vec<Message>, Vec<u32>) {
    (all(history, &bob()), all(history, &room()), history.chats().unwrap().iter().map(|chat| chat.unread).collect())
}
fn wanted<'a>(sections: &'a [Section], decisions: &'a [Decision]) -> Wanted<'a> {
    Wanted { passphrase: PASSPHRASE, sections, decisions, cost: Cost::CHEAP }
}
/// Nothing but the history.
fn back_up(history: &History, path: &Path, passphrase: &str, sections: &[Section], seed: u8) -> Result<BackedUp, BackupError> {
    history.back_up(path, &Wanted { passphrase, ..wanted(sections, &[]) }, at(0), &mut rng(seed))
}
fn backed_up(directory: &Path, messages: u64) -> (History, PathBuf) {
    let (history, path) = (filled(&directory.join("history.db"), messages), directory.join("backup"));
    history.back_up(&path, &wanted(&sections(), &decisions()), at(0), &mut rng(1)).unwrap();
    (history, path)
}
fn refused(path: &Path, passphrase: &str) -> BackupError {
    Opened::open(path, passphrase).unwrap_err()
}

#[test]
fn there_and_back() {
    let directory = tempfile::tempdir().unwrap();
    let (mut history, path) = backed_up(directory.path(), 600);
    let mut opened = Opened::open(&path, PASSPHRASE).unwrap();
    assert_eq!((opened.account(), opened.created()), (&me(), at(0)));
    assert_eq!((opened.sections(), opened.decisions()), (sections().as_slice(), decisions().as_slice()));
    let mut restored = History::open(directory.path().join("new.db"), &[9; 32], &me()).unwrap();
    let mut told = Vec::new();
    let done = opened.restore_into(&mut restored, at(5000), |rows| told.push(rows)).unwrap();
    assert_eq!((done.rows, told.last()), (opened.rows(), Some(&done.rows)));
    assert_eq!(view(&history), view(&restored));
    assert_eq!(found(&restored, "words").len(), 100);
    restored.check().unwrap();
    // again, and into the history that it is of: nothing is new
    for history in [&mut restored, &mut history] {
        let before = view(history);
        assert_eq!(opened.restore_into(history, at(5000), |_| {}).unwrap().new, 0);
        assert_eq!(view(history), before);
    }
    // into one that knows more
    let mut other = History::open(directory.path().join("other.db"), &[9; 32], &me()).unwrap();
    other.add(&from_bob("c2", Content::Correction { of: of("m0"), text: "corrected again".into() }, 2000)).unwrap();
    opened.restore_into(&mut other, at(5000), |_| {}).unwrap();
    assert_eq!(all(&other, &bob())[0].text(), Some("corrected again"));
    let mut another = History::open(directory.path().join("another.db"), &[9; 32], &bob()).unwrap();
    assert_eq!(opened.restore_into(&mut another, at(5000), |_| {}).unwrap_err().code(), "backup.other-account");
}

/// Files that are not whole yet.
fn halves(directory: &Path) -> usize {
    std::fs::read_dir(directory).unwrap().filter(|e| e.as_ref().unwrap().path().extension().is_some_and(|end| end == "part")).count()
}

#[test]
fn weak_passphrases_are_refused_and_wrong_ones_open_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let (history, path) = backed_up(directory.path(), 3);
    let before = std::fs::read(&path).unwrap();
    for weak in ["", "short", "elevenchars", "aaaaaaaaaaaaaaaa", "abababababababab"] {
        let error = back_up(&history, &path, weak, &[], 2).unwrap_err();
        assert_eq!(error.code(), "backup.weak-passphrase", "{weak}");
    }
    assert!(back_up(&history, &path, "", &[], 2).unwrap_err().to_string().contains("at least 12 characters"));
    assert_eq!(std::fs::read(&path).unwrap(), before, "the old one is as it was");
    let error = refused(&path, "correct horse battery stapler");
    assert!(error.code() == "backup.wrong-passphrase" && error.to_string().contains("type the one"), "{error}");
    let large = Section::Setting { name: "x".into(), value: "y".repeat(5000) };
    assert_eq!(back_up(&history, &path, PASSPHRASE, &[large], 2).unwrap_err().code(), "backup.section-too-large");
    assert_eq!(back_up(&history, &directory.path().join("no/backup"), PASSPHRASE, &[], 2).unwrap_err().code(), "backup.io");
    assert_eq!(halves(directory.path()), 0);
    // nothing of it can be read in the file
    let bytes = std::fs::read(&path).unwrap();
    assert!(!bytes.windows(5).any(|w| w == b"words") && !bytes.windows(5).any(|w| w == b"alice"));
}

#[test]
#[cfg(unix)]
fn only_its_owner_can_read_the_file() {
    use std::os::unix::fs::PermissionsExt as _;
    let directory = tempfile::tempdir().unwrap();
    let (_history, path) = backed_up(directory.path(), 3);
    assert_eq!(std::fs::metadata(path).unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn cut_changed_reordered_newer() {
    let directory = tempfile::tempdir().unwrap();
    let mut history = filled(&directory.path().join("history.db"), 1);
    let path = directory.path().join("backup");
    // some chunks, of what does not pack
    let mut noise = vec![0; 200_000];
    rand_core::Rng::fill_bytes(&mut rng(3), &mut noise);
    let noise: String = noise.iter().map(|b| char::from(b' ' + b % 90)).collect();
    history.add(&from_bob("large", text(&noise), 10)).unwrap();
    back_up(&history, &path, PASSPHRASE, &[], 1).unwrap();
    let whole = std::fs::read(&path).unwrap();
    let chunk = 64 * 1024 + 16;
    assert!(whole.len() > HEADER + 2 * chunk + 12);
    let code = |bytes: &[u8]| {
        std::fs::write(&path, bytes).unwrap();
        refused(&path, PASSPHRASE).code()
    };
    for cut in [HEADER + 1, HEADER + chunk, HEADER + chunk + 5, whole.len() - 12, whole.len() - 1, HEADER, HEADER - 1, 20] {
        assert_eq!(code(&whole[..cut]), "backup.truncated", "{cut}");
    }
    assert_eq!(code(&whole[..10]), "backup.not-a-backup");
    assert_eq!(code(b""), "backup.not-a-backup");
    assert_eq!(code(&[0; 5000]), "backup.not-a-backup");
    // cut between chunks, with the end put back
    assert_eq!(code(&[&whole[..HEADER + chunk], b"SUBROSA END\n"].concat()), "backup.truncated");
    let (first, second, rest) = (&whole[HEADER..HEADER + chunk], &whole[HEADER + chunk..HEADER + 2 * chunk], &whole[HEADER + 2 * chunk..]);
    let header = &whole[..HEADER];
    assert_eq!(code(&[header, second, first, rest].concat()), "backup.changed");
    assert_eq!(code(&[header, first, first, second, rest].concat()), "backup.changed");
    assert_eq!(code(&[header, first, rest].concat()), "backup.changed");
    assert_eq!(code(&[&whole[..whole.len() - 12], b"more", &whole[whole.len() - 12..]].concat()), "backup.changed");
    // every part of the header, and bits all over
    for at in [13, 15, 16, 20, 24, 30, 50, HEADER, HEADER + 40, HEADER + chunk - 1, HEADER + chunk + 9, whole.len() - 13] {
        let mut changed = whole.clone();
        changed[at] ^= 1;
        let expected = match at {
            13 => "backup.not-a-backup",
            15 => "backup.newer",        // version 3
            20 | 24 => "backup.changed", // no passes, no lanes
            16..60 => "backup.wrong-passphrase",
            _ => "backup.changed",
        };
        assert_eq!(code(&changed), expected, "{at}");
    }
    let with = |at: usize, value: u8| {
        let mut changed = whole.clone();
        changed[at] = value;
        changed
    };
    assert_eq!((code(&with(15, 3)), code(&with(15, 0))), ("backup.newer", "backup.not-a-backup"));
    assert_eq!(code(&with(19, 0x40)), "backup.too-expensive", "a TiB of memory is not tried");
    assert_eq!(code(&with(24, 0)), "backup.changed", "no lanes");
    // 256 MiB, 8 passes and 16 lanes are the most; nothing is reserved or computed for more
    let most = |memory: u32, passes: u32, lanes: u32| {
        let mut changed = whole.clone();
        changed[16..28].copy_from_slice([memory, passes, lanes].map(u32::to_le_bytes).as_flattened());
        code(&changed)
    };
    for (memory, passes, lanes) in
        [(256 * 1024 + 1, 1, 1), (1024 * 1024, 3, 4), (64, 9, 1), (512, 1, 17), (64, 1, u32::MAX), (u32::MAX, u32::MAX, u32::MAX)]
    {
        assert_eq!(most(memory, passes, lanes), "backup.too-expensive", "{memory} {passes} {lanes}");
    }
    assert_eq!(most(512, 8, 16), "backup.wrong-passphrase");
    // another backup under the same passphrase: its chunks are its own
    back_up(&history, &path, PASSPHRASE, &[], 2).unwrap();
    let other = std::fs::read(&path).unwrap();
    assert_eq!(code(&[header, &other[HEADER..]].concat()), "backup.changed");
    std::fs::write(&path, &whole).unwrap();
    Opened::open(&path, PASSPHRASE).unwrap();
}

#[test]
fn while_it_is_made_the_history_goes_on() {
    let directory = tempfile::tempdir().unwrap();
    let (mut history, path) = (filled(&directory.path().join("history.db"), 600), directory.path().join("backup"));
    let before = view(&history);
    let (give, take) = std::sync::mpsc::sync_channel(0);
    let writer = std::thread::spawn({
        let path = path.clone();
        move || {
            let mut writing = Writing::begin(&path, &me(), &wanted(&[], &[]), at(0), &mut rng(1)).unwrap();
            take.into_iter().for_each(|part| writing.write(&part).unwrap());
            writing.finish().unwrap()
        }
    });
    let (mut position, mut n) = (Position::default(), 0);
    while let Some(part) = history.read_part(&mut position).unwrap() {
        give.send(part).unwrap();
        n += 1;
        history.add(&from_bob(&format!("between{n}"), text("meanwhile"), 1000 + n)).unwrap();
    }
    drop(give);
    let made = writer.join().unwrap();
    assert!(n > 3 && made.rows > 600);
    assert_eq!(found(&history, "meanwhile").len() as u64, n);
    let (_directory, mut restored) = opened();
    let mut opened = Opened::open(&path, PASSPHRASE).unwrap();
    let mut parts = opened.parts(&me()).unwrap();
    while let Some(part) = parts.next_part().unwrap() {
        restored.take_part(part, at(5000)).unwrap();
        n += 1;
        restored.add(&from_bob(&format!("between{n}"), text("meanwhile"), 2000 + n)).unwrap();
    }
    let here = |messages: &[Message]| messages.iter().filter(|m| m.text() != Some("meanwhile")).cloned().collect::<Vec<_>>();
    assert_eq!(here(&all(&restored, &bob())), before.0);
    // one that is given up leaves nothing, and what was there
    let whole = std::fs::read(&path).unwrap();
    let mut given_up = Writing::begin(&path, &me(), &wanted(&[], &[]), at(0), &mut rng(2)).unwrap();
    given_up.write(&history.read_part(&mut Position::default()).unwrap().unwrap()).unwrap();
    assert_eq!(halves(directory.path()), 1);
    drop(given_up);
    assert_eq!(halves(directory.path()), 0);
    assert_eq!(std::fs::read(&path).unwrap(), whole);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn no_change_goes_unseen(at: prop::sample::Index, bit in 0u8..8, cut: prop::sample::Index) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("backup");
        let whole = include_bytes!("fixtures/backup-1.subrosa");
        let mut changed = whole.to_vec();
        let at = at.index(whole.len());
        changed[at] ^= 1 << bit;
        // memory is what the header says: as much as a bit makes it
        prop_assume!(!(18..24).contains(&at));
        std::fs::write(&path, &changed).unwrap();
        prop_assert!(Opened::open(&path, PASSPHRASE).is_err());
        std::fs::write(&path, &whole[..cut.index(whole.len())]).unwrap();
        prop_assert!(Opened::open(&path, PASSPHRASE).is_err());
    }
}

/// Made once by `make_the_fixture`: whoever changes the form reads this one still.
#[test]
fn a_backup_of_the_first_form() {
    let directory = tempfile::tempdir().unwrap();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/backup-1.subrosa");
    let mut opened = Opened::open(&path, PASSPHRASE).unwrap();
    assert_eq!((opened.account(), opened.rows()), (&me(), 12));
    assert_eq!((opened.sections(), opened.decisions()), (sections().as_slice(), decisions().as_slice()));
    let mut history = History::open(directory.path().join("history.db"), &KEY, &me()).unwrap();
    opened.restore_into(&mut history, Time(opened.created().0 + 5_000_000), |_| {}).unwrap();
    assert_eq!(texts(&history, &bob()), ["corrected", "-", "verified", "words 2", "not sent"]);
    let messages = all(&history, &bob());
    assert_eq!(messages[1].retraction.as_ref().unwrap().gone, Gone::Retracted);
    assert_eq!(messages[2].by, Some(SentBy { device: 7.into(), trust: Trust::Verified }));
    assert_eq!(messages[4].state, Some(State::Failed(Reason::NoDevice)));
    assert_eq!(messages[4].reactions[0].emojis, ["👍"]);
    assert_eq!(all(&history, &room())[0].retraction.as_ref().unwrap().gone, Gone::Moderated("spam".into()));
    assert_eq!(history.chats().unwrap().iter().map(|chat| chat.unread).sum::<u32>(), 0);
}
#[test]
#[ignore = "writes a file that is committed"]
fn make_the_fixture() {
    let directory = tempfile::tempdir().unwrap();
    let (_history, path) = backed_up(directory.path(), 3);
    std::fs::copy(path, Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/backup-1.subrosa")).unwrap();
}

/// The real cost, once.
#[test]
fn as_it_is_made_for_people() {
    let directory = tempfile::tempdir().unwrap();
    let history = filled(&directory.path().join("history.db"), 3);
    let path = directory.path().join("backup");
    let made = history.back_up(&path, &Wanted { cost: Cost::OURS, ..wanted(&[], &[]) }, at(0), &mut rng(1)).unwrap();
    assert_eq!((made.rows, made.bytes), (12, std::fs::metadata(&path).unwrap().len()));
    let bytes = std::fs::read(&path).unwrap();
    assert_eq!(bytes[16..28], [[0, 0, 1, 0], [3, 0, 0, 0], [4, 0, 0, 0]].concat(), "64 MiB, 3 passes, 4 lanes");
    assert_eq!(Opened::open(&path, PASSPHRASE).unwrap().rows(), 12);
}

#[test]
fn nothing_is_read_before_it_was_written() {
    let directory = tempfile::tempdir().unwrap();
    let (mut history, path) = (filled(&directory.path().join("history.db"), 3), directory.path().join("backup"));
    // as a damaged or hostile file could have it
    history.read_up_to(&chat(&bob()), Place(i64::MAX as u64)).unwrap();
    back_up(&history, &path, PASSPHRASE, &[], 1).unwrap();
    let (_directory, mut other) = opened();
    Opened::open(&path, PASSPHRASE).unwrap().restore_into(&mut other, at(1000), |_| {}).unwrap();
    other.add(&from_bob("later", text("later"), 2000)).unwrap();
    let unread = other.chats().unwrap().into_iter().find(|known| known.chat == chat(&bob())).unwrap().unread;
    assert_eq!(unread, 1);
}

#[cfg(unix)]
#[test]
fn what_lies_in_the_way_stays_as_it_is() {
    use std::os::unix::fs::PermissionsExt as _;
    let directory = tempfile::tempdir().unwrap();
    let (history, path) = (filled(&directory.path().join("history.db"), 3), directory.path().join("backup"));
    let (half, other) = (directory.path().join("backup.part"), directory.path().join("other"));
    std::fs::write(&half, "half").unwrap();
    std::fs::set_permissions(&half, std::fs::Permissions::from_mode(0o666)).unwrap();
    back_up(&history, &path, PASSPHRASE, &[], 1).unwrap();
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(std::fs::read_to_string(&half).unwrap(), "half", "it may be somebody else's");
    std::fs::remove_file(&half).unwrap();
    std::fs::write(&other, "another's").unwrap();
    std::os::unix::fs::symlink(&other, &half).unwrap();
    back_up(&history, &path, PASSPHRASE, &[], 2).unwrap();
    assert_eq!(std::fs::read_to_string(&other).unwrap(), "another's");
    assert!(!std::fs::symlink_metadata(&path).unwrap().is_symlink());
}
