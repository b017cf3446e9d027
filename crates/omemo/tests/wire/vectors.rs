//! What python-omemo put on the wire (`vectors/make.py`) means the same to us.
use crate::{unhex, version};
use serde_json::Value;
use subrosa_omemo::payload::{PayloadError, decrypt_legacy, decrypt_omemo2};
use subrosa_omemo::wire::{Version, bundle, device_list, encrypted};

pub(crate) fn all() -> Value {
    serde_json::from_str(include_str!("../vectors/vectors.json")).unwrap()
}
pub(crate) fn of(value: &Value) -> Version {
    version(value["version"].as_str().unwrap())
}
pub(crate) fn bytes(value: &Value) -> Vec<u8> {
    unhex(value.as_str().unwrap())
}
pub(crate) fn id(value: &Value) -> u32 {
    value.as_u64().unwrap().try_into().unwrap()
}
fn xml(value: &Value) -> &[u8] {
    value["xml"].as_str().unwrap().as_bytes()
}

#[test]
fn device_lists() {
    for vector in all()["device_lists"].as_array().unwrap() {
        let devices = device_list::parse(of(vector), xml(vector)).unwrap();
        let read: Vec<Value> = devices.iter().map(|d| serde_json::json!([d.id, d.label, d.labelsig])).collect();
        assert_eq!(Value::Array(read), vector["devices"]);
    }
}

#[test]
fn bundles() {
    for vector in all()["bundles"].as_array().unwrap() {
        let mut read = bundle::parse(of(vector), xml(vector)).unwrap();
        read.prekeys.sort_unstable();
        assert_eq!(read.version, of(vector));
        assert_eq!(read.identity_key.as_slice(), bytes(&vector["identity_key"]));
        assert_eq!(read.signed_prekey_id, id(&vector["signed_prekey_id"]));
        assert_eq!(read.signed_prekey.as_slice(), bytes(&vector["signed_prekey"]));
        assert_eq!(read.signature.as_slice(), bytes(&vector["signature"]));
        let prekeys: Vec<_> = vector["prekeys"].as_array().unwrap().iter().map(|p| (id(&p[0]), bytes(&p[1]))).collect();
        assert_eq!(read.prekeys.iter().map(|(id, key)| (*id, key.to_vec())).collect::<Vec<_>>(), prekeys);
    }
}

#[test]
fn messages() {
    for vector in all()["messages"].as_array().unwrap() {
        let keys = vector["keys"].as_array().unwrap();
        for own in keys {
            let (jid, device) = (own[0].as_str().unwrap(), id(&own[1]));
            let read = encrypted::parse(xml(vector), jid, device).unwrap().encrypted.unwrap();
            assert_eq!((read.version, read.sid), (of(vector), id(&vector["sid"])));
            assert_eq!(read.iv, vector["iv"].as_str().map(unhex));
            assert_eq!(read.payload, vector["payload"].as_str().map(unhex));
            // legacy keys carry no address
            let ours = |k: &&Value| id(&k[1]) == device && (of(vector) == Version::Legacy || k[0] == *jid);
            let mut expected: Vec<_> = keys.iter().filter(ours).map(|k| (k[2].as_bool().unwrap(), bytes(&k[3]))).collect();
            let mut found: Vec<_> = read.keys.into_iter().map(|k| (k.kex, k.data)).collect();
            expected.sort();
            found.sort();
            assert_eq!(read.others + found.len(), keys.len());
            assert_eq!(found, expected);
        }
        let stranger = encrypted::parse(xml(vector), "tybalt@capulet.example", 99).unwrap().encrypted.unwrap();
        assert_eq!((stranger.keys.len(), stranger.others), (0, keys.len()));
    }
}

#[test]
fn payloads() {
    for vector in all()["payloads"].as_array().unwrap() {
        let (material, payload) = (bytes(&vector["key_material"]), bytes(&vector["payload"]));
        let iv = vector["iv"].as_str().map(unhex).unwrap_or_default();
        let decrypt = |material: &[u8], iv: &[u8], payload: &[u8]| match of(vector) {
            Version::Legacy => decrypt_legacy(material, iv, payload),
            Version::Omemo2 => decrypt_omemo2(material, payload),
        };
        if of(vector) == Version::Legacy && !matches!(iv.len(), 12 | 16) {
            // right, and of a length that nobody writes
            assert_eq!(decrypt(&material, &iv, &payload).unwrap_err(), PayloadError::IvLength(iv.len()));
            continue;
        }
        assert_eq!(decrypt(&material, &iv, &payload).unwrap().as_slice(), bytes(&vector["plain"]));
        // one bit of anything, and nothing comes out
        for (what, len) in [material.len(), iv.len(), payload.len()].into_iter().enumerate() {
            for at in 0..len.min(64) {
                let mut parts = [material.clone(), iv.clone(), payload.clone()];
                parts[what][at] ^= 1 << (at % 8);
                let [material, iv, payload] = parts;
                assert_eq!(decrypt(&material, &iv, &payload).unwrap_err(), PayloadError::Forged);
            }
        }
        for len in (0..material.len()).filter(|l| *l != 16 || of(vector) == Version::Omemo2) {
            assert_eq!(decrypt(&material[..len], &iv, &payload).unwrap_err(), PayloadError::KeyLength(len));
        }
        if of(vector) == Version::Legacy {
            assert_eq!(decrypt(&material, &[], &payload).unwrap_err(), PayloadError::IvLength(0));
        }
    }
}
