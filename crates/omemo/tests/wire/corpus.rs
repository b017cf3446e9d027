//! Hostile and odd input, kept: `corpus/KIND.VERSION.OUTCOME.WHAT.xml` read as KIND ends in OUTCOME, which is `ok` or the name of
//! a `WireError`; read as anything else it ends in some way too.
use crate::version;
use subrosa_engine::Time;
use subrosa_omemo::wire::content::Content;
use subrosa_omemo::wire::device_list::ListedDevice;
use subrosa_omemo::wire::encrypted::Key;
use subrosa_omemo::wire::{MAX_ID, Version, WireError, bundle, device_list, encrypted, sce};

const JULIET: &str = "juliet@capulet.example";

fn read(kind: &str, version: Version, input: &[u8]) -> Result<(), WireError> {
    match kind {
        "device_list" => device_list::parse(version, input).map(drop),
        "bundle" => bundle::parse(version, input).map(drop),
        "encrypted" => encrypted::parse(input, JULIET, 1).map(drop),
        "envelope" => sce::parse(input).map(drop),
        "content" => sce::content(input).and_then(Content::of).map(drop),
        _ => panic!("no kind: {kind}"),
    }
}

fn file(name: &str) -> Vec<u8> {
    std::fs::read(format!("{}/tests/corpus/{name}.xml", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

#[test]
fn every_input_ends_as_its_name_says() {
    let mut number = 0;
    for entry in std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/corpus")).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        let input = std::fs::read(entry.path()).unwrap();
        let [kind, of, expected, ..] = name.split('.').collect::<Vec<_>>()[..] else { panic!("not named as it should be: {name}") };
        let outcome = match read(kind, version(of), &input) {
            Ok(()) => "ok".to_owned(),
            Err(error) => {
                assert!(!error.to_string().is_empty());
                format!("{error:?}").split(|c: char| !c.is_alphanumeric()).next().unwrap().to_owned()
            }
        };
        assert_eq!(outcome, expected, "{name}");
        for kind in ["device_list", "bundle", "encrypted", "envelope", "content"] {
            for version in Version::ALL {
                drop(read(kind, version, &input));
            }
        }
        number += 1;
    }
    assert!(number > 150, "{number}");
}

#[test]
fn bad_entries_do_not_hide_good_ones() {
    for version in ["legacy", "omemo2"] {
        let read = device_list::parse(crate::version(version), &file(&format!("device_list.{version}.ok.bad-ids"))).unwrap();
        assert_eq!(read, [0, MAX_ID, 7].map(ListedDevice::new));
    }
}

#[test]
fn keys_without_their_type_are_the_same_keys() {
    let [plain, without] =
        ["plain", "keys-without-type"].map(|what| bundle::parse(Version::Legacy, &file(&format!("bundle.legacy.ok.{what}"))).unwrap());
    assert_eq!(plain.identity_key, without.identity_key);
    assert_eq!(plain.prekeys[0], without.prekeys[0]);
}

#[test]
fn the_sender_is_told_apart_by_what_is_wrong() {
    let error = |name: &str| bundle::parse(Version::Omemo2, &file(name)).unwrap_err();
    assert_eq!(error("bundle.omemo2.WrongKeyLength.ik-31"), WireError::WrongKeyLength { what: "ik", len: 31 });
    assert_eq!(error("bundle.omemo2.WrongKeyLength.spks-63").to_string(), "<spks> has 63 bytes");
    assert_eq!(error("bundle.omemo2.DuplicateId.prekey").to_string(), "the id 1 stands twice in <pk>");
    assert_eq!(error("bundle.omemo2.IdOutOfRange.prekey-2-31").to_string(), "the id of <pk> is above 2147483647");
    assert_eq!(error("bundle.omemo2.MissingAttribute.spk-id").to_string(), "the attribute id of <spk> is missing");
}

fn message(children: &str) -> encrypted::Message {
    encrypted::parse(children.as_bytes(), JULIET, 1).unwrap()
}
fn key(kex: bool, data: &[u8]) -> Key {
    Key { kex, data: data.to_vec() }
}

/// Devices of different accounts may have one id, and one peer writes `prekey="1"`.
#[test]
fn several_legacy_keys() {
    let found = message(
        "<encrypted xmlns='eu.siacs.conversations.axolotl'><header sid='5'><key rid='1' prekey='1'>MwA=</key><key rid='2' prekey='true'>!</key>\
         <key rid='1' prekey='false'>MwE=</key><key prekey='true' rid='01'>MwI=</key><key rid='1' prekey='yes'>MwM=</key><iv>AA==</iv></header></encrypted>",
    );
    let found = found.encrypted.unwrap();
    assert_eq!(found.keys, [key(true, &[0x33, 0]), key(false, &[0x33, 1]), key(true, &[0x33, 2]), key(false, &[0x33, 3])]);
    assert_eq!((found.others, found.iv, found.payload), (1, Some(vec![0]), None));
}

/// What the bytes are counts, not what they are called.
#[test]
fn mislabelled_key_exchanges() {
    let found = message(
        "<encrypted xmlns='urn:xmpp:omemo:2'><header sid='5'><keys jid='romeo@montague.example'><key rid='1'>CAA=</key></keys>\
         <keys jid='Juliet@capulet.example'><key rid='1'>CAE=</key><key rid='1' kex='true'>CgE=</key><key rid='1' kex='1'>AAE=</key></keys></header></encrypted>",
    );
    let found = found.encrypted.unwrap();
    assert_eq!(found.keys, [key(true, &[8, 1]), key(false, &[10, 1]), key(true, &[0, 1])]);
    assert_eq!(found.others, 1);
}

#[test]
fn siblings() {
    let legacy =
        |rid: u32| format!("<encrypted xmlns='eu.siacs.conversations.axolotl'><header sid='5'><key rid='{rid}'>MwA=</key></header></encrypted>");
    let omemo2 = |rid: u32| {
        format!("<encrypted xmlns='urn:xmpp:omemo:2'><header sid='6'><keys jid='{JULIET}'><key rid='{rid}'>CgE=</key></keys></header></encrypted>")
    };
    // where both are, the one for us; where both are for us, the newer
    for (children, sid) in [
        (legacy(1) + &omemo2(1), 6),
        (omemo2(1) + &legacy(1), 6),
        (legacy(1) + &omemo2(2), 5),
        (omemo2(2) + &legacy(1), 5),
        (omemo2(2) + &legacy(2), 6),
        (legacy(1), 5),
    ] {
        assert_eq!(message(&children).encrypted.unwrap().sid, sid, "{children}");
    }
    let all = message(
        "<body xmlns='jabber:client'>one &amp; <b>two</b><![CDATA[<3]]></body>\n<body xmlns='jabber:client' xml:lang='de'>zwei</body>\
         <encryption xmlns='urn:xmpp:eme:0' namespace='urn:xmpp:openpgp:0' name='x'/><encrypted xmlns='urn:xmpp:esfs:0'/><a xmlns='b'><encrypted/></a>",
    );
    assert_eq!((all.encrypted, all.body.as_deref(), all.encryption.as_deref()), (None, Some("one & <3"), Some("urn:xmpp:openpgp:0")));
}

#[test]
fn envelopes() {
    let read = sce::parse(
        "<e:envelope xmlns:e='urn:xmpp:sce:1' xmlns:r='urn:xmpp:reply:0' xmlns='jabber:client'><e:content>\n<body>1 &lt; 2\u{1f339}</body>\
         <r:reply to='a&apos;b' xmlns:q='urn:q' q:x='1' xml:lang='de'><r:in/><out/></r:reply><store xmlns='urn:xmpp:hints'/>\
         <stanza-id xmlns='urn:xmpp:sid:0' id='1' by='x'/><origin-id xmlns='urn:xmpp:sid:0' id='2'/><encryption xmlns='urn:xmpp:eme:0'/>\
         <addresses xmlns='http://jabber.org/protocol/address'/></e:content><e:time stamp='1970-01-01T02:00:01+02:00'/>\
         <e:from jid='a@b'/></e:envelope>"
            .as_bytes(),
    )
    .unwrap();
    assert_eq!((read.from.as_deref(), read.to, read.time, read.padded), (Some("a@b"), None, Some(Time(1000)), false));
    // declarations around the content are carried along; what may not come encrypted is gone
    assert_eq!(
        std::str::from_utf8(&read.content).unwrap(),
        "<body xmlns='jabber:client'>1 &lt; 2\u{1f339}</body><reply xmlns='urn:xmpp:reply:0' to='a&apos;b' xml:lang='de' xmlns:a0='urn:q' a0:x='1'><in></in>\
         <out xmlns='jabber:client'></out></reply><origin-id xmlns='urn:xmpp:sid:0' id='2'></origin-id>"
    );
    assert_eq!(sce::body(&read.content).unwrap().unwrap().as_str(), "1 < 2\u{1f339}");
    // a body is a body only in its namespace
    assert_eq!(sce::body(b"<body xmlns='urn:xmpp:sce:1'>x</body><x><body xmlns='jabber:client'>y</body></x>"), Ok(None));
    assert_eq!(sce::body(b"<body"), Err(WireError::NotXml));
}
