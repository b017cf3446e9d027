//! What we write we read again, whatever it is; and whatever arrives, nothing panics.
use aes_gcm::aead::AeadInOut as _;
use aes_gcm::aead::consts::{U12, U16};
use aes_gcm::{AesGcm, KeyInit as _, aes::Aes128};
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use subrosa_engine::Time;
use subrosa_omemo::payload::{self, PayloadError};
use subrosa_omemo::wire::bundle::Bundle;
use subrosa_omemo::wire::content::Content;
use subrosa_omemo::wire::device_list::ListedDevice;
use subrosa_omemo::wire::encrypted::Builder;
use subrosa_omemo::wire::{MAX_BYTES, MAX_ID, NodeKind, Version, WireError, bundle, device_list, encrypted, sce};
use subrosa_testkit::Seeded;

/// The characters of XML, all of them.
fn xml_text() -> impl Strategy<Value = String> {
    vec(any::<char>().prop_filter("XML", |c| !matches!(c, '\0'..='\u{8}' | '\u{b}' | '\u{c}' | '\u{e}'..='\u{1f}' | '\u{fffe}' | '\u{ffff}')), 0..40)
        .prop_map(|chars| chars.into_iter().collect())
}
fn any_version() -> impl Strategy<Value = Version> {
    prop_oneof![Just(Version::Legacy), Just(Version::Omemo2)]
}
fn any_bundle() -> impl Strategy<Value = Bundle> {
    (any_version(), any::<[u8; 32]>(), 0..=MAX_ID, any::<[u8; 32]>(), any::<[u8; 64]>(), btree_map(0..=MAX_ID, any::<[u8; 32]>(), 0..20)).prop_map(
        |(version, identity_key, signed_prekey_id, signed_prekey, signature, prekeys)| Bundle {
            version,
            identity_key,
            signed_prekey_id,
            signed_prekey,
            signature,
            prekeys: prekeys.into_iter().collect(),
        },
    )
}
/// Every reader there is.
fn read_as_anything(bytes: &[u8]) {
    for version in Version::ALL {
        drop(device_list::parse(version, bytes));
        drop(bundle::parse(version, bytes));
    }
    drop(encrypted::parse(bytes, "juliet@capulet.example", 1));
    drop(sce::parse(bytes));
    drop(sce::body(bytes));
    drop(sce::content(bytes));
    drop(Content::of(zeroize::Zeroizing::new(bytes.to_vec())));
}

proptest! {
    #[test]
    fn device_lists(version in any_version(), devices in btree_map(0..=MAX_ID, (proptest::option::of(xml_text()), xml_text()), 0..20)) {
        let devices: Vec<_> = devices.into_iter().map(|(id, (label, labelsig))| {
            let label = label.filter(|_| version == Version::Omemo2);
            ListedDevice { id, labelsig: label.is_some().then_some(labelsig), label }
        }).collect();
        prop_assert_eq!(device_list::parse(version, &device_list::write(version, &devices)), Ok(devices));
    }

    #[test]
    fn bundles(bundle in any_bundle()) {
        let xml = bundle::write(&bundle);
        prop_assert_eq!(bundle::parse(bundle.version, &xml), Ok(bundle));
    }

    #[test]
    fn messages(
        version in any_version(), sid in 0..=MAX_ID, iv: [u8; 12], payload in proptest::option::of(vec(any::<u8>(), 0..300)),
        people in btree_map(xml_text(), btree_map(0..=MAX_ID, (any::<bool>(), vec(any::<u8>(), 1..200)), 0..4), 1..4),
    ) {
        let mut builder = match version {
            Version::Legacy => Builder::legacy(sid, &iv, 3),
            Version::Omemo2 => Builder::omemo2(sid, 3),
        };
        for (jid, keys) in &people {
            builder.recipient(jid);
            for (rid, (kex, data)) in keys {
                builder.key(*rid, *kex, data);
            }
        }
        let all: usize = people.values().map(|keys| keys.len()).sum();
        prop_assert_eq!(builder.keys(), all);
        let sent = builder.message(payload.as_deref());
        for (jid, keys) in &people {
            for (rid, (kex, data)) in keys {
                let read = encrypted::parse(&sent, jid, *rid).unwrap();
                prop_assert_eq!(read.encryption.as_deref(), payload.as_ref().map(|_| version.namespace()));
                prop_assert_eq!(read.body.is_some(), payload.is_some() && version == Version::Legacy);
                let read = read.encrypted.unwrap();
                prop_assert_eq!((read.version, read.sid, &read.payload), (version, sid, &payload));
                prop_assert_eq!(read.iv, (version == Version::Legacy).then(|| iv.to_vec()));
                prop_assert_eq!(read.others + read.keys.len(), all);
                let kex = match (version, data[0]) {
                    (Version::Omemo2, 0x08) => true,
                    (Version::Omemo2, 0x0a) => false,
                    _ => *kex,
                };
                let found = read.keys.iter().any(|k| k.kex == kex && k.data == *data);
                prop_assert!(found);
            }
        }
    }

    #[test]
    fn envelopes(text in xml_text(), from in xml_text(), to in proptest::option::of(xml_text()), time in 0..253_402_300_799_999u64, seed: u64) {
        let content = sce::text(&text);
        let time = Time(time);
        let sent = sce::write(&sce::Outgoing { content: &content, from: &from, to: to.as_deref(), time }, &mut Seeded::new(seed));
        let read = sce::parse(&sent).unwrap();
        prop_assert!(read.padded);
        prop_assert_eq!((read.from, read.to, read.time), (Some(from), to, Some(time)));
        let body = sce::body(&read.content).unwrap().unwrap();
        prop_assert_eq!(body.as_str(), text);
    }

    /// What XML cannot hold does not break the stanza.
    #[test]
    fn any_text_can_be_sent(text in any::<String>()) {
        let read = sce::body(&sce::text(&text)).unwrap().unwrap();
        prop_assert_eq!(read.chars().count(), text.chars().count());
        for (read, written) in read.chars().zip(text.chars()) {
            let replaced = read == '\u{fffd}';
            prop_assert!(replaced || read == written);
        }
    }

    #[test]
    fn payloads(plain in vec(any::<u8>(), 0..600), seed: u64) {
        let mut rng = Seeded::new(seed);
        let legacy = payload::encrypt_legacy(&plain, &mut rng);
        prop_assert_eq!(legacy.ciphertext.len(), plain.len());
        let tag_in_payload = [&legacy.ciphertext, &legacy.key_material[16..]].concat();
        let read = payload::decrypt_legacy(&*legacy.key_material, &legacy.iv, &legacy.ciphertext).unwrap();
        prop_assert_eq!(read.as_slice(), &plain);
        let read = payload::decrypt_legacy(&legacy.key_material[..16], &legacy.iv, &tag_in_payload).unwrap();
        prop_assert_eq!(read.as_slice(), &plain);
        let omemo2 = payload::encrypt_omemo2(&plain, &mut rng);
        let read = payload::decrypt_omemo2(&*omemo2.key_material, &omemo2.ciphertext).unwrap();
        prop_assert_eq!(read.as_slice(), &plain);
    }

    /// GCM as `aes-gcm` has it, for each IV length that is read.
    #[test]
    fn gcm_is_gcm(key: [u8; 16], iv: [u8; 16], plain in vec(any::<u8>(), 0..100)) {
        macro_rules! same {
            ($($len:ty, $n:literal);*) => {$({
                let mut sealed = plain.clone();
                let iv = &iv[..$n];
                let tag = AesGcm::<Aes128, $len>::new(&key.into()).encrypt_inout_detached(iv.try_into().unwrap(), b"", sealed.as_mut_slice().into()).unwrap();
                let read = payload::decrypt_legacy(&[key.as_slice(), &tag].concat(), iv, &sealed).unwrap();
                prop_assert_eq!(read.as_slice(), &plain);
            })*};
        }
        same!(U12, 12; U16, 16);
    }

    #[test]
    fn any_payload(material in vec(any::<u8>(), 0..64), iv in vec(any::<u8>(), 0..40), payload in vec(any::<u8>(), 0..64)) {
        prop_assert!(payload::decrypt_legacy(&material, &iv, &payload).is_err());
        prop_assert!(payload::decrypt_omemo2(&material, &payload).is_err());
    }

    #[test]
    fn any_bytes(bytes in vec(any::<u8>(), 0..300), text in ".{0,200}", tags in "[<>/='\"&;a-c :xmlns?!\\[\\]-]{0,100}") {
        read_as_anything(&bytes);
        read_as_anything(text.as_bytes());
        read_as_anything(tags.as_bytes());
    }

    /// Cut off anywhere, a document is none; changed anywhere, it does not panic.
    #[test]
    fn damaged(bundle in any_bundle(), at: proptest::sample::Index, byte: u8) {
        let xml = bundle::write(&bundle);
        let at = at.index(xml.len());
        let cut = bundle::parse(bundle.version, &xml[..at]);
        prop_assert_eq!(cut, Err(if at == 0 { WireError::MissingElement("bundle") } else { WireError::NotXml }));
        let mut changed = xml;
        changed[at] = byte;
        read_as_anything(&changed);
    }

    #[test]
    fn nodes(id in 0..=MAX_ID, any in ".{0,60}") {
        prop_assert_eq!(Version::of_node(&Version::Legacy.bundle_node(id)), Some(NodeKind::Bundle { version: Version::Legacy, device: Some(id) }));
        let _ = Version::of_node(&any);
    }
}

#[test]
fn names() {
    for version in Version::ALL {
        assert_eq!(Version::from_namespace(version.namespace()), Some(version));
        assert_eq!(Version::of_node(version.device_list_node()), Some(NodeKind::DeviceList(version)));
    }
    assert_eq!(Version::of_node("urn:xmpp:omemo:2:bundles"), Some(NodeKind::Bundle { version: Version::Omemo2, device: None }));
    assert_eq!(Version::of_node("eu.siacs.conversations.axolotl.bundles:2147483648"), None);
    assert_eq!(Version::of_node("urn:xmpp:omemo:1:devices"), None);
    assert_eq!((Version::Legacy.bundle_item(5), Version::Omemo2.bundle_item(5)), ("current".into(), "5".into()));
}

/// Schema-shaped to the byte: peers validate.
#[test]
fn messages_to_the_byte() {
    let mut legacy = Builder::legacy(1, &[0; 12], 2);
    legacy.recipient("juliet@capulet.example");
    legacy.key(20, true, b"\x33a");
    legacy.key(MAX_ID, false, b"\x33b");
    assert_eq!(
        String::from_utf8(legacy.message(Some(b"xyz"))).unwrap(),
        "<encrypted xmlns='eu.siacs.conversations.axolotl'><header sid='1'><key rid='20' prekey='true'>M2E=</key><key rid='2147483647'>M2I=</key>\
         <iv>AAAAAAAAAAAAAAAA</iv></header><payload>eHl6</payload></encrypted>\
         <encryption xmlns='urn:xmpp:eme:0' namespace='eu.siacs.conversations.axolotl'/><store xmlns='urn:xmpp:hints'/>\
         <body xmlns='jabber:client'>This message is encrypted with OMEMO, and this client cannot read it.</body>"
    );
    let mut omemo2 = Builder::omemo2(1, 2);
    omemo2.recipient("nobody@capulet.example");
    omemo2.recipient("juliet@capulet.example");
    omemo2.key(20, true, b"\x08a");
    omemo2.recipient("o'romeo@montague.example");
    omemo2.key(0, false, b"\x0ab");
    omemo2.recipient("nobody@montague.example");
    let header = "<encrypted xmlns='urn:xmpp:omemo:2'><header sid='1'><keys jid='juliet@capulet.example'><key rid='20' kex='true'>CGE=</key></keys>\
                  <keys jid='o&apos;romeo@montague.example'><key rid='0'>CmI=</key></keys></header>";
    assert_eq!(
        String::from_utf8(omemo2.message(Some(b"xyz"))).unwrap(),
        format!(
            "{header}<payload>eHl6</payload></encrypted><encryption xmlns='urn:xmpp:eme:0' namespace='urn:xmpp:omemo:2'/><store xmlns='urn:xmpp:hints'/>"
        )
    );
    // no payload: nothing that anybody would show
    let empty = String::from_utf8(Builder::legacy(1, &[0; 12], 0).message(None)).unwrap();
    assert!(empty.ends_with("<iv>AAAAAAAAAAAAAAAA</iv></header></encrypted><store xmlns='urn:xmpp:hints'/>"), "{empty}");
}

/// The padding makes short words alike and differs from one time to the next.
#[test]
fn padding() {
    let mut rng = Seeded::new(1);
    let mut length = |text: &str| {
        let content = sce::text(text);
        let time = Time(0);
        let sent = sce::write(&sce::Outgoing { content: &content, from: "juliet@capulet.example", to: None, time }, &mut rng);
        let sent = std::str::from_utf8(&sent).unwrap();
        sent.split("<rpad>").nth(1).unwrap().split("</rpad>").next().unwrap().len() + content.len()
    };
    let lengths: std::collections::BTreeSet<usize> = (0..200).map(|i| length(if i % 2 == 0 { "no" } else { "yes, at once" })).collect();
    assert!(*lengths.first().unwrap() >= 256 && *lengths.last().unwrap() <= 456, "{lengths:?}");
    assert!(lengths.len() > 50, "{lengths:?}");
}

#[test]
fn keys_and_words_stay_out_of_debug() {
    let mut rng = Seeded::new(1);
    let legacy = payload::encrypt_legacy(b"0123456789", &mut rng);
    let omemo2 = payload::encrypt_omemo2(b"0123456789", &mut rng);
    assert_eq!(format!("{legacy:?}"), "LegacyPayload { ciphertext: 10 bytes, .. }");
    assert_eq!(format!("{omemo2:?}"), "Omemo2Payload { ciphertext: 16 bytes, .. }");
    let content = sce::text("secret");
    let outgoing = sce::Outgoing { content: &content, from: "a", to: None, time: Time(0) };
    let read = sce::parse(&sce::write(&outgoing, &mut rng)).unwrap();
    assert_eq!(format!("{outgoing:?}{read:?}"), "Outgoing { content: 41 bytes, .. }Envelope { content: 41 bytes, .. }");
}

#[test]
fn keys_are_new_every_time() {
    let mut rng = Seeded::new(1);
    let (a, b) = (payload::encrypt_legacy(b"same", &mut rng), payload::encrypt_legacy(b"same", &mut rng));
    assert!(a.iv != b.iv && a.key_material[..16] != b.key_material[..16]);
    let (a, b) = (payload::encrypt_omemo2(b"same", &mut rng), payload::encrypt_omemo2(b"same", &mut rng));
    assert!(a.key_material[..32] != b.key_material[..32]);
    let (a, b) = (payload::legacy_key_transport(&mut rng), payload::legacy_key_transport(&mut rng));
    assert!(a.0 != b.0 && a.1 != b.1);
}

#[test]
fn messages_without_payload() {
    use Version::{Legacy, Omemo2};
    for (version, len, good) in
        [(Legacy, 16, true), (Legacy, 32, true), (Legacy, 48, false), (Omemo2, 32, true), (Omemo2, 48, false), (Omemo2, 16, false)]
    {
        let expected = if good { Ok(()) } else { Err(PayloadError::KeyLength(len)) };
        assert_eq!(payload::check_empty(version, &vec![0; len]), expected);
    }
    assert_eq!(payload::check_empty(Omemo2, &payload::OMEMO2_EMPTY), Ok(()));
}

#[test]
fn limits() {
    let list = |n: u32| device_list::write(Version::Legacy, &(0..n).map(|id| ListedDevice::new(MAX_ID - id)).collect::<Vec<_>>());
    assert_eq!(device_list::parse(Version::Legacy, &list(5_000)).unwrap().len(), 5_000);
    assert!(matches!(device_list::parse(Version::Legacy, &list(20_000)), Err(WireError::TooLarge(_))));
    let many = format!("<list xmlns='{}'>{}</list>", Version::Legacy.namespace(), "<device id='1'/>".repeat(10_001));
    assert_eq!(device_list::parse(Version::Legacy, many.as_bytes()), Err(WireError::TooMany { what: "device", limit: 10_000 }));

    let padding = " ".repeat(MAX_BYTES);
    let bundle =
        Bundle { version: Version::Omemo2, identity_key: [1; 32], signed_prekey_id: 1, signed_prekey: [2; 32], signature: [3; 64], prekeys: vec![] };
    let full = [bundle::write(&bundle).as_slice(), padding.as_bytes()].concat();
    assert_eq!(bundle::parse(Version::Omemo2, &full[..MAX_BYTES]), Ok(bundle.clone()));
    assert_eq!(bundle::parse(Version::Omemo2, &full[..=MAX_BYTES]), Err(WireError::TooLarge(MAX_BYTES + 1)));
    let many = Bundle { prekeys: (0..1_001).map(|id| (id, [4; 32])).collect(), ..bundle };
    assert_eq!(bundle::parse(Version::Omemo2, &bundle::write(&many)), Err(WireError::TooMany { what: "pk", limit: 1_000 }));

    let deep = |n: usize| format!("{}{}", "<a>".repeat(n), "</a>".repeat(n));
    assert!(encrypted::parse(deep(32).as_bytes(), "", 1).is_ok());
    assert_eq!(encrypted::parse(deep(33).as_bytes(), "", 1), Err(WireError::TooDeep));
    assert_eq!(encrypted::parse("<a>".repeat(80_000).as_bytes(), "", 1), Err(WireError::TooDeep));

    let mut crowd = Builder::omemo2(1, 2_000);
    crowd.recipient("juliet@capulet.example");
    (1..=2_000).for_each(|rid| crowd.key(rid, false, &[0x0a; 60]));
    let read = encrypted::parse(&crowd.message(None), "juliet@capulet.example", 1_234).unwrap().encrypted.unwrap();
    assert_eq!((read.keys.len(), read.others), (1, 1_999));
}

/// Longer than what the parser hands out at once, with no character at a round place.
#[test]
fn long_texts() {
    let text = format!("x{}", "\u{1f339}\u{e9}".repeat(20_000));
    let content = sce::text(&text);
    let sent = sce::write(&sce::Outgoing { content: &content, from: "a", to: None, time: Time(0) }, &mut Seeded::new(1));
    let read = sce::parse(&sent).unwrap();
    assert!(sce::body(&read.content).unwrap().unwrap().as_str() == text);
}

/// A long declaration, used often, does not become a long message.
#[test]
fn declarations_do_not_multiply() {
    let long = "n".repeat(8_000);
    let elements = format!("<envelope xmlns='urn:xmpp:sce:1' xmlns:a='{long}'><content>{}</content></envelope>", "<a:x/>".repeat(40_000));
    let many = (0..20_000).map(|i| format!("a:b{i}='' ")).collect::<String>();
    let attributes = format!("<envelope xmlns='urn:xmpp:sce:1' xmlns:a='{long}'><content><x {many}/></content></envelope>");
    for xml in [elements, attributes] {
        assert!(matches!(sce::parse(xml.as_bytes()), Err(WireError::TooLarge(size)) if size < MAX_BYTES + 10_000), "{}", xml.len());
    }
}

/// The `Char` of XML 1.0 is kept, nothing else is let out.
#[test]
fn every_odd_character() {
    for c in ('\0'..='\u{ff}').chain('\u{d7f0}'..='\u{e00f}').chain('\u{fff0}'..='\u{1000f}').chain(['\u{10ffff}']) {
        let allowed = matches!(c, '\t' | '\n' | '\r' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..);
        let kept = if allowed { c } else { '\u{fffd}' };
        let text = format!("a{c}b");
        let read = sce::body(&sce::text(&text)).unwrap().unwrap();
        assert_eq!(*read, format!("a{kept}b"), "{c:?}");
        if !allowed {
            assert!(!std::str::from_utf8(&sce::text(&text)).unwrap().contains(c), "{c:?}");
        }
    }
}
