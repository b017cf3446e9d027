//! What we write is what python-omemo's schema-validating parsers read (`vectors/check.py`).
//!
//! Runs where `SUBROSA_PYTHON` names a Python that has them.
use crate::vectors::{all, bytes, id, of};
use crate::{hex, word};
use serde_json::{Value, json};
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use subrosa_omemo::payload;
use subrosa_omemo::wire::bundle::Bundle;
use subrosa_omemo::wire::device_list::ListedDevice;
use subrosa_omemo::wire::encrypted::Builder;
use subrosa_omemo::wire::{MAX_ID, Version, bundle, device_list};
use subrosa_testkit::Seeded;

struct Python {
    process: Child,
    to: ChildStdin,
    from: BufReader<ChildStdout>,
}
impl Python {
    fn start() -> Option<Self> {
        let Some(python) = std::env::var_os("SUBROSA_PYTHON") else {
            eprintln!("skipped: SUBROSA_PYTHON is not set");
            return None;
        };
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/vectors/check.py");
        let mut process = Command::new(python).arg(script).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let (to, from) = (process.stdin.take().unwrap(), BufReader::new(process.stdout.take().unwrap()));
        Some(Python { process, to, from })
    }
    fn ask(&mut self, question: &Value) -> Value {
        writeln!(self.to, "{question}").unwrap();
        let mut line = String::new();
        self.from.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap()
    }
    fn reads(&mut self, kind: &str, version: Version, xml: &[u8]) -> Value {
        self.ask(&json!({ "kind": kind, "version": word(version), "xml": std::str::from_utf8(xml).unwrap() }))
    }
}
impl Drop for Python {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

/// The first element of a run.
fn first(run: &[u8]) -> &[u8] {
    let end = b"</encrypted>";
    let at = run.windows(end.len()).position(|w| w == end).unwrap();
    &run[..at + end.len()]
}

#[test]
fn device_lists() {
    let Some(mut python) = Python::start() else { return };
    let label = "<a> & 'b' \"c\"\n\t🌱";
    let signature = "q80=".to_owned();
    let labelled = ListedDevice { id: 7, label: Some(label.to_owned()), labelsig: Some(signature) };
    let devices = [ListedDevice::new(1), labelled, ListedDevice::new(MAX_ID)];
    let legacy = python.reads("device_list", Version::Legacy, &device_list::write(Version::Legacy, &devices));
    assert_eq!(legacy, json!([[1, null, null], [7, null, null], [MAX_ID, null, null]]));
    let omemo2 = python.reads("device_list", Version::Omemo2, &device_list::write(Version::Omemo2, &devices));
    assert_eq!(omemo2, json!([[1, null, null], [7, label, "abcd"], [MAX_ID, null, null]]));
    for version in Version::ALL {
        assert_eq!(python.reads("device_list", version, &device_list::write(version, &[])), json!([]));
    }
}

#[test]
fn bundles() {
    let Some(mut python) = Python::start() else { return };
    for vector in all()["bundles"].as_array().unwrap() {
        let key = |name: &str| bytes(&vector[name]);
        let ours = Bundle {
            version: of(vector),
            identity_key: key("identity_key").try_into().unwrap(),
            signed_prekey_id: id(&vector["signed_prekey_id"]),
            signed_prekey: key("signed_prekey").try_into().unwrap(),
            signature: key("signature").try_into().unwrap(),
            prekeys: vector["prekeys"].as_array().unwrap().iter().map(|p| (id(&p[0]), bytes(&p[1]).try_into().unwrap())).collect(),
        };
        let read = python.reads("bundle", of(vector), &bundle::write(&ours));
        for (name, value) in read.as_object().unwrap() {
            assert_eq!(value, &vector[name]);
        }
        assert_eq!(read.as_object().unwrap().len(), 5, "{read}");
    }
}

#[test]
fn encrypted() {
    let Some(mut python) = Python::start() else { return };
    for vector in all()["messages"].as_array().unwrap() {
        let keys = vector["keys"].as_array().unwrap();
        let sid = id(&vector["sid"]);
        let mut ours = match of(vector) {
            Version::Legacy => Builder::legacy(sid, &bytes(&vector["iv"]).try_into().unwrap(), keys.len()),
            Version::Omemo2 => Builder::omemo2(sid, keys.len()),
        };
        for jid in ["nobody@capulet.example", "juliet@capulet.example", "romeo@montague.example", "o'nobody@montague.example"] {
            ours.recipient(jid);
            for key in keys.iter().filter(|k| k[0] == *jid) {
                ours.key(id(&key[1]), key[2].as_bool().unwrap(), &bytes(&key[3]));
            }
        }
        assert_eq!(ours.keys(), keys.len());
        let payload = vector["payload"].as_str().map(crate::unhex);
        let sent = ours.message(payload.as_deref());
        let read = python.reads("encrypted", of(vector), first(&sent));
        assert_eq!((&read["sid"], &read["payload"]), (&vector["sid"], &vector["payload"]), "{read}");
        assert_eq!(read["iv"], if payload.is_some() { vector["iv"].clone() } else { Value::Null });
        // python drops the key exchange around a message, and legacy addresses are its own invention
        let mut expected: Vec<_> = keys.iter().map(|k| (id(&k[1]), k[2].as_bool().unwrap())).collect();
        let mut found: Vec<_> = read["keys"].as_array().unwrap().iter().map(|k| (id(&k[1]), k[2].as_bool().unwrap())).collect();
        expected.sort_unstable();
        found.sort_unstable();
        assert_eq!(found, expected);
    }
}

#[test]
fn payloads() {
    let Some(mut python) = Python::start() else { return };
    let mut rng = Seeded::new(3);
    // an empty ciphertext is no message to python-omemo
    for plain in [b"x".as_slice(), b"O Romeo", &[b'x'; 1000]] {
        let ours = payload::encrypt_legacy(plain, &mut rng);
        let question = json!({ "kind": "payload", "version": "legacy", "payload": {
            "key_material": hex(&*ours.key_material), "iv": hex(&ours.iv), "payload": hex(&ours.ciphertext) } });
        assert_eq!(python.ask(&question), json!(hex(plain)));
        let ours = payload::encrypt_omemo2(plain, &mut rng);
        let question = json!({ "kind": "payload", "version": "omemo2", "payload": {
            "key_material": hex(&*ours.key_material), "payload": hex(&ours.ciphertext) } });
        assert_eq!(python.ask(&question), json!(hex(plain)));
    }
}
