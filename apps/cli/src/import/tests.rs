//! Files as the other programs wrote them, for identities that nobody uses; and files that are none.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]
use super::*;
use subrosa_engine::{Address, Device, Machine, MemoryStore, Time};
use subrosa_omemo::wire::Version;
use subrosa_omemo::{ImportedKey, Omemo};

const PROFANITY: &[u8] = include_bytes!("fixtures/profanity-identity.txt");
const PYTHON: &[u8] = include_bytes!("fixtures/python-omemo.json");

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}
/// What others would see of it.
fn taken_over(imported: &Imported) -> (Device, String) {
    let me: Address = "alice@example.org".into();
    let (mut machine, mut store) = (Machine::new(me), MemoryStore::default());
    let omemo = machine.install(Omemo::default());
    let mut rng = getrandom::rand_core::UnwrapErr(getrandom::SysRng);
    let mut step = machine.begin(Time(1_800_000_000_000), &mut rng);
    let done = step.call(omemo, |o, cx| Ok(o.import(cx, imported)?.map_err(|e| e.to_string())));
    let seen = step.call(omemo, |o, cx| Ok((o.own_device(cx)?, o.fingerprint(cx)?)));
    let mut outputs = step.commit(&mut store).unwrap();
    assert_eq!(outputs.reply(&done), Some(Ok(())));
    let (device, fingerprint) = outputs.reply(&seen).unwrap();
    (device.unwrap(), hex(&fingerprint.unwrap().0))
}

#[test]
fn a_store_of_profanity() {
    let read = read(Source::Profanity, PROFANITY).unwrap();
    assert!(matches!(read.identity, ImportedKey::Legacy(_)));
    assert_eq!(read.prekeys.iter().map(|k| (k.version, k.id)).collect::<Vec<_>>(), [2798452, 2798453, 2798454].map(|id| (Version::Legacy, id)));
    assert_eq!(read.signed.iter().map(|k| (k.version, k.id)).collect::<Vec<_>>(), [(Version::Legacy, 1)]);
    let (device, fingerprint) = taken_over(&read);
    assert_eq!(
        (device.id.to_string().as_str(), fingerprint.as_str()),
        ("515014653", "c6619c7011 24c865a313cee8909d622decd7959c16abdca38263598fe492ee57".replace(' ', "").as_str())
    );
}
#[test]
fn a_store_of_python_omemo() {
    let read = read(Source::PythonOmemo, PYTHON).unwrap();
    assert!(matches!(read.identity, ImportedKey::Seed(_)));
    assert_eq!(read.label.as_deref(), Some("Laptop"));
    let mut prekeys: Vec<_> = read.prekeys.iter().map(|k| (k.version.protocol(), k.id)).collect();
    prekeys.sort_unstable();
    assert_eq!(prekeys, [("omemo:1", 1), ("omemo:1", 2), ("omemo:2", 1), ("omemo:2", 2)]);
    assert_eq!(read.signed.len(), 2);
    let (device, fingerprint) = taken_over(&read);
    assert_eq!((device.id.to_string().as_str(), fingerprint.as_str()), ("42", "f08baf0006b84d7abfee1c34cf6f214ff0381a49a784e55c1469f6718b1e0434"));
}
#[test]
fn names_are_found_again() {
    assert_eq!(Source::ALL.map(Source::name), ["profanity", "python-omemo"]);
}

fn changed(file: &[u8], from: &str, to: &str) -> Vec<u8> {
    let text = std::str::from_utf8(file).unwrap();
    assert!(text.contains(from), "{from}");
    text.replace(from, to).into_bytes()
}
#[test]
fn files_of_profanity_that_are_none() {
    let bad = |file: &[u8]| read(Source::Profanity, file).unwrap_err();
    assert_eq!(bad(b""), ReadError::Missing("identity key"));
    assert!(matches!(bad(b"\xff"), ReadError::Form { .. }));
    assert_eq!(bad(b"# nothing\n\nwords"), ReadError::Form { program: "Profanity", why: "neither a group nor a value", line: 3 });
    assert!(matches!(bad(b"[identity"), ReadError::Form { line: 1, .. }));
    assert_eq!(bad(&changed(PROFANITY, "device_id=515014653", "")), ReadError::Missing("device id"));
    assert_eq!(bad(&changed(PROFANITY, "device_id=515014653", "device_id=x")), ReadError::Damaged("the device id"));
    assert!(matches!(bad(&changed(PROFANITY, "registration_id", "device_id")), ReadError::Form { .. }));
    assert_eq!(bad(&changed(PROFANITY, "identity_key_private=YE", "identity_key_private=")), ReadError::Damaged("the identity key"));
    assert_eq!(bad(&changed(PROFANITY, "2798452=", "2798400=")), ReadError::Damaged("a prekey"), "another number than in it");
    assert_eq!(bad(&changed(PROFANITY, "2798452=CPT", "2798452=CP!")), ReadError::Damaged("a prekey"));
    assert_eq!(bad(&changed(PROFANITY, "\n1=CAES", "\n1=CAE")), ReadError::Damaged("a signed prekey"));
    // a key that is not that of the public one beside it
    let mixed = read(Source::Profanity, &changed(PROFANITY, "YE3Z3Yxmva1L", "YE3Z3Yxmva1M")).unwrap();
    let own = subrosa_omemo::public_key(match &mixed.identity {
        ImportedKey::Seed(k) | ImportedKey::Scalar(k) | ImportedKey::Legacy(k) => k,
    });
    assert_ne!(mixed.fingerprint.unwrap().0, own, "Omemo::import refuses it");
}
#[test]
fn files_of_python_omemo_that_are_none() {
    let bad = |file: &[u8]| read(Source::PythonOmemo, file).unwrap_err();
    assert!(matches!(bad(b""), ReadError::Form { .. }));
    assert!(matches!(bad(b"[]"), ReadError::Form { .. }));
    assert_eq!(bad(b"{}"), ReadError::Missing("device id"));
    assert_eq!(bad(&changed(PYTHON, "\"/ikp/key\"", "\"/ikp/other\"")), ReadError::Missing("identity key"));
    assert_eq!(bad(&changed(PYTHON, "\"/ikp/is_seed\": true", "\"/ikp/is_seed\": 3")), ReadError::Damaged("the identity key"));
    assert_eq!(bad(&changed(PYTHON, "\"/own_device_id\": 42", "\"/own_device_id\": -1")), ReadError::Damaged("the device id"));
    assert_eq!(bad(&changed(PYTHON, "\"priv\"", "\"secret\"")), ReadError::Damaged("a signed prekey"));
    assert_eq!(bad(&changed(PYTHON, "\"pre_keys\"", "\"keys\"")), ReadError::Damaged("the prekeys"));
    assert_eq!(bad(&changed(PYTHON, "\"priv\": \"", "\"priv\": \"€")), ReadError::Damaged("a signed prekey"));
    assert_eq!(bad(&vec![b' '; MAX_FILE + 1]), ReadError::TooLarge(MAX_FILE + 1));
}
/// Cut anywhere, with any byte another one: read or refused, never worse, and always with a sentence.
#[test]
fn damage_of_every_kind() {
    for (source, file) in [(Source::Profanity, PROFANITY), (Source::PythonOmemo, PYTHON)] {
        for at in 0..file.len() {
            let mut other = file.to_vec();
            other[at] ^= 0x15;
            for bytes in [&file[..at], &other] {
                if let Err(error) = read(source, bytes) {
                    assert!(error.to_string().len() > 40 && error.code().starts_with("import."));
                }
            }
        }
    }
}
