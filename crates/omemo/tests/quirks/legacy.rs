//! `eu.siacs.conversations.axolotl` as it is spoken.
use crate::common::*;
use crate::puppet::*;
use aes_gcm::aead::AeadInOut as _;
use aes_gcm::aead::consts::U16;
use aes_gcm::{AesGcm, KeyInit as _, aes::Aes128};
use subrosa_engine::*;
use subrosa_omemo::wire::device_list::ListedDevice;
use subrosa_omemo::wire::{Version, bundle};
use subrosa_ratchet::{IdentityKeyPair, KeyPair, Legacy};
use subrosa_testkit::ClientId;

const NS: &str = "eu.siacs.conversations.axolotl";

/// Nothing was shown, and nothing is wrong.
fn silent(world: &World, alice: ClientId) {
    assert_eq!((texts(world, alice), unread(world, alice)), (vec![], vec![]));
}

#[test]
fn quirk_dino_writes_bundles_to_item_1() {
    let (mut world, alice, mut dino) = alone::<Legacy>(1);
    let bundle = dino.bundle();
    dino.publish_bundle(&mut world, &bundle, "1");
    dino.publish_list(&mut world, &[ListedDevice::new(dino.id)]);
    world.send(alice, BOB, "hello");
    world.run();
    assert_eq!(dino.hear(&world)[0].text(), "hello");
}
/// It reads no `<encrypted>` without `<iv>`; and what has 32 bytes or a body beside it is a bubble on its screen.
#[test]
fn quirk_dino_wants_an_iv_and_16_bytes_in_a_key_transport() {
    let (mut world, _, mut dino) = meet::<Legacy>(2);
    dino.initiate(&world);
    dino.say(&mut world, "hello");
    let answer = dino.hear(&world).pop().unwrap();
    assert_eq!((answer.plain, answer.material.len(), answer.found.iv.map(|iv| iv.len())), (None, 16, Some(12)));
    let xml = String::from_utf8(answer.stanza.body).unwrap();
    assert!(!xml.contains("<body") && !xml.contains("<encryption"), "{xml}");
}
#[test]
fn quirk_dino_does_not_answer_a_key_exchange() {
    let (mut world, alice, mut dino) = meet::<Legacy>(3);
    for n in 0..5 {
        world.send(alice, BOB, &n.to_string());
        world.run();
    }
    let heard = dino.hear(&world);
    assert!(heard.iter().all(|h| h.kex), "until something was read of it");
    assert_eq!(heard.iter().map(Heard::text).collect::<Vec<_>>(), ["0", "1", "2", "3", "4"]);
    dino.say(&mut world, "five");
    world.send(alice, BOB, "six");
    world.run();
    let last = dino.hear(&world).pop().unwrap();
    assert_eq!((last.kex, last.text()), (false, "six".into()));
    assert_eq!(texts(&world, alice), ["five"]);
}
/// Its calls come without `<store/>`; other programs leave away the EME and the fallback.
#[test]
fn quirk_dino_leaves_hints_away() {
    let (mut world, alice, mut dino) = talking::<Legacy>(4);
    let element = dino.sealed_element(b"alone");
    dino.send(&mut world, &element);
    let element = dino.sealed_element(b"with everything");
    let all = format!(
        "<body>I sent you an OMEMO encrypted message</body>{element}<encryption xmlns='urn:xmpp:eme:0' name='OMEMO' namespace='{NS}'/>\
         <store xmlns='urn:xmpp:hints'/><request xmlns='urn:xmpp:receipts'/><markable xmlns='urn:xmpp:chat-markers:0'/>"
    );
    dino.send(&mut world, &all);
    assert_eq!(texts(&world, alice)[2..], ["alone", "with everything"]);
}
#[test]
fn quirk_conversations_answers_with_a_key_transport() {
    let (mut world, alice, mut conversations) = meet::<Legacy>(5);
    world.send(alice, BOB, "hello");
    world.run();
    assert!(conversations.hear(&world)[0].kex);
    conversations.say_nothing(&mut world, 16);
    silent(&world, alice);
    world.send(alice, BOB, "and now");
    world.run();
    let heard = conversations.hear(&world);
    assert_eq!(heard.len(), 1, "an answer is not answered");
    assert!(!heard[0].kex);
}
#[test]
fn quirk_conversations_sent_ivs_of_16_bytes() {
    let (mut world, alice, mut conversations) = talking::<Legacy>(6);
    let (key, iv, mut text) = ([7; 16], [9; 16], b"of long ago".to_vec());
    let tag = AesGcm::<Aes128, U16>::new(&key.into()).encrypt_inout_detached(&iv.into(), b"", text.as_mut_slice().into()).unwrap();
    let (_, data) = conversations.key(&[key.as_slice(), &tag].concat());
    let xml = format!(
        "<encrypted xmlns='{NS}'><header sid='{}'><key rid='{}'>{}</key><iv>{}</iv></header><payload>{}</payload></encrypted>",
        conversations.id,
        conversations.alice.id,
        base64(&data),
        base64(&iv),
        base64(&text)
    );
    conversations.send(&mut world, &xml);
    assert_eq!(texts(&world, alice).last().unwrap(), "of long ago");
}
/// Once in a connection, when something of ours does not open there: from then on it has that session only.
#[test]
fn quirk_conversations_heals_with_a_session_of_its_own() {
    let (mut world, alice, mut conversations) = talking::<Legacy>(7);
    conversations.session = None;
    conversations.initiate(&world);
    conversations.say_nothing(&mut world, 16);
    let answer = conversations.hear(&world).pop().unwrap();
    assert_eq!((answer.plain, answer.kex), (None, false), "by the new session, so that it knows");
    world.send(alice, BOB, "healed");
    world.run();
    assert_eq!(conversations.hear(&world)[0].text(), "healed");
    conversations.say(&mut world, "yes");
    assert_eq!(texts(&world, alice), ["hello", "fine", "yes"]);
    assert_eq!(unread(&world, alice), []);
}
/// It returns where `<payload>` is missing, so our answer is nothing to it, and it repeats its exchange until there are words.
#[test]
fn quirk_profanity_ignores_key_transports() {
    let (mut world, alice, mut profanity) = meet::<Legacy>(8);
    let id = number(&profanity.alice);
    let before = published(&world, ALICE, id, Version::Legacy).unwrap().prekeys;
    profanity.initiate(&world);
    for n in 0..10 {
        profanity.say(&mut world, &n.to_string());
    }
    assert_eq!(texts(&world, alice), (0..10).map(|n| n.to_string()).collect::<Vec<_>>());
    assert_eq!(unread(&world, alice), []);
    let after = published(&world, ALICE, id, Version::Legacy).unwrap().prekeys;
    assert_eq!(before.iter().filter(|key| !after.contains(key)).count(), 1, "one exchange, one prekey");
    let answers = profanity.hear(&world);
    assert_eq!(answers.len(), 1, "and one answer");
    profanity.say(&mut world, "no repetition after that");
    assert_eq!(profanity.hear(&world).len(), 0);
}
#[test]
fn quirk_profanity_wants_32_bytes_for_a_text() {
    let (mut world, alice, mut profanity) = meet::<Legacy>(9);
    world.send(alice, BOB, "hello");
    world.run();
    let heard = profanity.hear(&world).pop().unwrap();
    assert_eq!((heard.material.len(), heard.found.payload.unwrap().len()), (32, "hello".len()), "the tag is in the key");
}
#[test]
fn quirk_profanity_gives_a_prekey_id_again() {
    let (mut world, alice, mut profanity) = alone::<Legacy>(10);
    profanity.one_time.truncate(1);
    profanity.publish(&mut world);
    world.send(alice, BOB, "hello");
    world.run();
    profanity.hear(&world);
    let again = KeyPair::generate(&mut profanity.rng);
    profanity.one_time = vec![(1, again)];
    let bundle = profanity.bundle();
    profanity.publish_bundle(&mut world, &bundle, "current");
    let (engine, to) = (*world.client(alice).handle(), Device::of(&BOB.into(), profanity.id));
    world.call(alice, engine, move |o, cx| o.replace_session(cx, &to)).unwrap().unwrap();
    world.run();
    world.send(alice, BOB, "with the new key");
    world.run();
    profanity.session = None;
    assert_eq!(profanity.hear(&world).pop().unwrap().text(), "with the new key");
}
/// A kex or a bundle's key with the number 0 is refused there, so we publish none and take another where there is one.
#[test]
fn quirk_gajim_refuses_prekey_0() {
    for seed in 0..8 {
        let (mut world, alice, mut other) = alone::<Legacy>(seed);
        let ours = published(&world, ALICE, number(&other.alice), Version::Legacy).unwrap();
        assert!(ours.signed_prekey_id != 0 && ours.prekeys.iter().all(|(id, _)| *id != 0));
        other.one_time = (0..).zip(KeyPair::generate_many(3, &mut other.rng)).collect();
        other.publish(&mut world);
        other.one_time.remove(0);
        world.send(alice, BOB, "hello");
        world.run();
        assert_eq!(other.hear(&world)[0].text(), "hello", "{seed}");
    }
}
#[test]
fn quirk_gajim_sends_a_key_transport_before_any_word() {
    let (mut world, alice, mut gajim) = meet::<Legacy>(11);
    gajim.initiate(&world);
    gajim.say_nothing(&mut world, 16);
    silent(&world, alice);
    world.send(alice, BOB, "hello");
    world.run();
    let heard = gajim.hear(&world);
    assert_eq!((heard.len(), heard[0].plain.is_none()), (2, true), "the answer, and the words in the session that there is");
    assert_eq!((heard[1].kex, heard[1].text()), (false, "hello".into()));
}
/// Its library still takes the tag at the end of the payload, and so do we.
#[test]
fn quirk_gajim_reads_the_tag_behind_the_payload() {
    let (mut world, alice, mut other) = talking::<Legacy>(12);
    let sealed = other.seal(b"as it once was");
    let (key, tag) = sealed.material.split_at(16);
    let (_, data) = other.key(key);
    let element = other.element(false, &data, &sealed.iv, Some(&[sealed.payload.as_slice(), tag].concat()));
    other.send(&mut world, &element);
    assert_eq!(texts(&world, alice).last().unwrap(), "as it once was");
}
#[test]
fn quirk_converse_counts_prekeys_and_signed_prekeys_from_0() {
    let (mut world, alice, mut converse) = alone::<Legacy>(13);
    converse.one_time = vec![(0, KeyPair::generate(&mut converse.rng))];
    converse.signed[0].0 = 0;
    converse.publish(&mut world);
    world.send(alice, BOB, "hello");
    world.run();
    assert_eq!(converse.hear(&world)[0].text(), "hello");
    converse.say(&mut world, "from nought");
    assert_eq!(texts(&world, alice), ["from nought"]);
}
/// Its ids have 14 bits, and 0 is one of them.
#[test]
fn quirk_converse_is_device_0() {
    let (mut world, alice, mut converse) = alone::<Legacy>(14);
    converse.id = 0;
    converse.publish(&mut world);
    converse.initiate(&world);
    converse.say(&mut world, "hello");
    world.send(alice, BOB, "hello nought");
    world.run();
    assert_eq!(converse.hear(&world).pop().unwrap().text(), "hello nought");
    assert_eq!(texts(&world, alice), ["hello"]);
}
/// And so small that people have the same: a legacy key says for which device it is, not for whose.
#[test]
fn quirk_converse_has_the_id_of_another_persons_device() {
    let (mut world, alice, mut converse) = talking::<Legacy>(15);
    for ours_first in [true, false] {
        let sealed = converse.seal(b"for one of us");
        let (_, ours) = converse.key(&sealed.material);
        // the one for the other person: a message of a session that we are not in, and an exchange with prekeys that we do not have
        let mut stranger = Puppet::<Legacy>::new(99, converse.alice.clone());
        let mut third = Puppet::<Legacy>::new(98, converse.alice.clone());
        let bundle = third.bundle();
        stranger.initiate_with(&bundle);
        let (_, exchange) = stranger.key(&[1; 32]);
        third.session = None;
        let mut message = ours.clone();
        let middle = message.len() / 2;
        message[middle] ^= 1;
        let rid = converse.alice.id.clone();
        let key = |data: &[u8], prekey: &str| format!("<key rid='{rid}'{prekey}>{}</key>", base64(data));
        let mut keys = [key(&exchange, " prekey='true'"), key(&message, ""), key(&ours, "")];
        if ours_first {
            keys.reverse();
        }
        let xml = format!(
            "<encrypted xmlns='{NS}'><header sid='{}'>{}<iv>{}</iv></header><payload>{}</payload></encrypted>",
            converse.id,
            keys.concat(),
            base64(&sealed.iv),
            base64(&sealed.payload)
        );
        converse.send(&mut world, &xml);
        assert_eq!((texts(&world, alice).last().unwrap().as_str(), unread(&world, alice)), ("for one of us", vec![]), "{ours_first}");
    }
}
/// As 0.3.0 has it, and as nobody else does.
#[test]
fn quirk_converse_sends_32_bytes_in_a_key_transport() {
    let (mut world, alice, mut converse) = meet::<Legacy>(16);
    world.send(alice, BOB, "hello");
    world.run();
    converse.hear(&world);
    converse.say_nothing(&mut world, 32);
    silent(&world, alice);
}
#[test]
fn quirk_oldmemo_writes_prekey_1() {
    let (mut world, alice, mut old) = meet::<Legacy>(17);
    old.initiate(&world);
    let element = old.sealed_element(b"hello");
    assert!(element.contains("prekey='true'"));
    old.send(&mut world, &element.replace("prekey='true'", "prekey='1'"));
    assert_eq!(texts(&world, alice), ["hello"]);
}
/// It decrypts nothing of a device whose list and bundle it can't fetch: both are there before the first message leaves.
#[test]
fn quirk_slixmpp_asks_for_the_senders_bundle() {
    let (mut world, alice, mut slixmpp) = meet::<Legacy>(18);
    world.send(alice, BOB, "hello");
    world.run();
    let sid = slixmpp.hear(&world)[0].found.sid;
    assert_eq!(listed(&world, ALICE, Version::Legacy), [sid]);
    assert!(published(&world, ALICE, sid, Version::Legacy).is_some());
}
/// The sign of the Ed25519 form in the top bit of the signature; the fingerprint has none.
#[test]
fn quirk_libsignal_hides_a_sign_in_the_signature() {
    let mut signs = [false; 2];
    for seed in 0..8u8 {
        let signing = ed25519_dalek::SigningKey::from_bytes(&[seed; 32]);
        let ed = signing.verifying_key().to_bytes();
        let (mut world, alice, mut old) = alone::<Legacy>(u64::from(seed));
        old.identity = IdentityKeyPair::from_private(&signing.to_scalar_bytes());
        let mut bundle = old.bundle();
        assert_eq!(bundle.identity_key, signing.verifying_key().to_montgomery().0);
        let signed = [[5].as_slice(), &bundle.signed_prekey].concat();
        bundle.signature = ed25519_dalek::Signer::sign(&signing, &signed).to_bytes();
        bundle.signature[63] |= ed[31] & 0x80;
        old.publish_bundle(&mut world, &bundle, "current");
        old.publish_list(&mut world, &[ListedDevice::new(old.id)]);
        world.send(alice, BOB, "hello");
        world.run();
        assert_eq!(old.hear(&world)[0].text(), "hello", "{seed}");
        signs[usize::from(ed[31] >> 7)] = true;
    }
    assert_eq!(signs, [true; 2]);
}
/// Some write public keys without libsignal's type byte.
#[test]
fn quirk_keys_without_their_type() {
    let (mut world, alice, mut other) = alone::<Legacy>(19);
    let bundle = other.bundle();
    let mut xml = String::from_utf8(bundle::write(&bundle)).unwrap();
    for key in [&bundle.identity_key, &bundle.signed_prekey].into_iter().chain(bundle.prekeys.iter().map(|(_, key)| key)) {
        xml = xml.replace(&base64(&[[5].as_slice(), key].concat()), &base64(key));
    }
    world.publish_as(BOB, &Version::Legacy.bundle_node(other.id), Some("current"), Keep::One, xml.as_bytes());
    other.publish_list(&mut world, &[ListedDevice::new(other.id)]);
    world.send(alice, BOB, "hello");
    world.run();
    assert_eq!(other.hear(&world)[0].text(), "hello");
}
