//! What stands in OMEMO's XML, its payloads and its links.
use crate::text;
use subrosa_engine::Time;
use subrosa_omemo::payload::{check_empty, decrypt_legacy, decrypt_omemo2, encrypt_legacy, encrypt_omemo2};
use subrosa_omemo::wire::content::Content;
use subrosa_omemo::wire::encrypted::{Builder, MAX_OWN_KEYS, MAX_SENT_KEYS};
use subrosa_omemo::wire::trust_message::Found;
use subrosa_omemo::wire::{MAX_BYTES, Version, bundle as bundles, device_list as lists, encrypted as messages, sce, trust_message as trust};
use subrosa_testkit::Seeded;

const US: &str = "juliet@capulet.lit";

pub fn encrypted(bytes: &[u8]) {
    for device in [31415, 27183, 0] {
        let Ok(message) = messages::parse(bytes, US, device) else { continue };
        let Some(found) = message.encrypted else { continue };
        assert!(found.keys.len() <= MAX_OWN_KEYS && found.sent.len() <= MAX_SENT_KEYS);
        // as we would write it, it is read the same
        let mut builder = match (found.version, found.iv.as_deref().and_then(|iv| iv.try_into().ok())) {
            (Version::Legacy, Some(iv)) => Builder::legacy(found.sid, iv, 1),
            (Version::Legacy, None) => continue,
            (Version::Omemo2, _) => Builder::omemo2(found.sid, 1),
        };
        builder.recipient(US);
        found.keys.iter().for_each(|key| builder.key(device, key.kex, &key.data));
        let again = messages::parse(&builder.message(found.payload.as_deref()), US, device).unwrap().encrypted.unwrap();
        assert_eq!((again.sid, &again.keys, &again.payload), (found.sid, &found.keys, &found.payload));
    }
}
pub fn device_list(bytes: &[u8]) {
    for version in Version::ALL {
        if let Ok(list) = lists::parse(version, bytes) {
            let written = lists::write(version, &list);
            if written.len() <= MAX_BYTES {
                let again = lists::parse(version, &written).unwrap();
                // a signature without its label is not written
                let ids = |list: &[lists::ListedDevice]| list.iter().map(|device| (device.id, device.label.clone())).collect::<Vec<_>>();
                assert_eq!(ids(&again), ids(&list));
            }
        }
    }
}
pub fn bundle(bytes: &[u8]) {
    for version in Version::ALL {
        if let Ok(bundle) = bundles::parse(version, bytes) {
            let written = bundles::write(&bundle);
            assert!(written.len() > MAX_BYTES || bundles::parse(version, &written).unwrap() == bundle);
        }
    }
}
pub fn envelope(bytes: &[u8]) {
    let _ = sce::content(bytes);
    let Ok(envelope) = sce::parse(bytes) else { return };
    let (from, to) = (envelope.from.clone().unwrap_or_default(), envelope.to.clone());
    let time = envelope.time.unwrap_or(Time(0));
    let written = sce::write(&sce::Outgoing { content: &envelope.content, from: &from, to: to.as_deref(), time }, &mut Seeded::new(1));
    if written.len() <= MAX_BYTES {
        let again = sce::parse(&written).unwrap();
        assert_eq!((&*again.content, again.to), (&*envelope.content, to));
        assert_eq!(again.from.unwrap(), from);
    }
    let body = sce::body(&envelope.content).unwrap();
    let content = Content::of(envelope.content).unwrap();
    assert_eq!(content.body.as_deref(), body.as_deref());
}
pub fn trust_message(bytes: &[u8]) {
    if let Ok(Found::Message(owners)) = trust::find(bytes) {
        assert_eq!(trust::find(&trust::write(&owners)).unwrap(), Found::Message(owners));
    }
}
pub fn uri(bytes: &[u8]) {
    use subrosa_omemo::uri::{parse, write};
    let Ok(link) = parse(&text(bytes)) else { return };
    assert!(!link.keys.is_empty());
    link.keys.iter().for_each(|key| drop(key.forms().collect::<Vec<_>>()));
    let keys: Vec<_> = link.keys.iter().filter_map(|key| Some((key.device?, subrosa_engine::Fingerprint(key.value)))).collect();
    if keys.len() == link.keys.len() && link.keys.iter().all(|key| key.trust && !key.ed25519) {
        let again = parse(&write(&link.owner, keys.iter().map(|(device, key)| (*device, key)))).unwrap();
        assert_eq!((again.owner, again.keys), (link.owner, link.keys));
    }
}
/// `length of the key material, key material, payload`.
pub fn payload(bytes: &[u8]) {
    let Some((length, rest)) = bytes.split_first() else { return };
    let (material, payload) = rest.split_at(usize::from(*length).min(rest.len()));
    let _ = decrypt_omemo2(material, payload);
    let (iv, legacy) = payload.split_at(payload.len().min(12));
    let _ = decrypt_legacy(material, iv, legacy);
    Version::ALL.into_iter().for_each(|version| {
        let _ = check_empty(version, material);
    });
}
pub fn payloads() -> Vec<Vec<u8>> {
    let mut rng = Seeded::new(1);
    let (new, old) = (encrypt_omemo2(b"hello", &mut rng), encrypt_legacy(b"hello", &mut rng));
    let of = |material: &[u8], rest: &[u8]| [&[u8::try_from(material.len()).unwrap()], material, rest].concat();
    let new = of(new.key_material.as_slice(), &new.ciphertext);
    let old = of(old.key_material.as_slice(), &[old.iv.as_slice(), &old.ciphertext].concat());
    payload(&new);
    vec![new, old]
}
