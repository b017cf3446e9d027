//! AES-GCM against the vectors of its specification and against RustCrypto's one-shot implementation, in any chunking.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::arithmetic_side_effects, clippy::panic)]
use aes_gcm::aead::consts::{U1, U8, U12, U13, U16, U32};
use aes_gcm::aead::{Aead, KeyInit, Payload};
use aes_gcm::aes::{Aes128, Aes192, Aes256};
use proptest::prelude::*;
use subrosa_engine::{Coded, Status};
use subrosa_files::gcm::{Decryptor, Encryptor, GcmError};

fn hex(text: &str) -> Vec<u8> {
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
}
fn pieces<'a>(mut data: &'a mut [u8], cuts: &[usize]) -> Vec<&'a mut [u8]> {
    let mut pieces = Vec::new();
    for cut in cuts {
        let (piece, rest) = data.split_at_mut((*cut).min(data.len()));
        pieces.push(piece);
        data = rest;
    }
    pieces.push(data);
    pieces
}
fn encrypt(key: &[u8], iv: &[u8], associated: &[u8], plain: &[u8], cuts: &[usize]) -> (Vec<u8>, [u8; 16]) {
    let mut data = plain.to_vec();
    let mut encryptor = Encryptor::new(key, iv, associated).unwrap();
    pieces(&mut data, cuts).into_iter().for_each(|piece| encryptor.update(piece).unwrap());
    (data, encryptor.finish())
}
fn decrypt(key: &[u8], iv: &[u8], associated: &[u8], ciphertext: &[u8], tag: &[u8; 16], cuts: &[usize]) -> Result<Vec<u8>, GcmError> {
    let mut data = ciphertext.to_vec();
    let mut decryptor = Decryptor::new(key, iv, associated)?;
    pieces(&mut data, cuts).into_iter().try_for_each(|piece| decryptor.update(piece))?;
    decryptor.finish(tag)?;
    Ok(data)
}

/// Shorter keys are its beginning.
const KEY: &str = "feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308";
const PLAIN: &str = "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39";
const ASSOCIATED: &str = "feedfacedeadbeeffeedfacedeadbeefabaddad2";
const IV_12: &str = "cafebabefacedbaddecaf888";
const IV_8: &str = "cafebabefacedbad";
const IV_60: &str = "9313225df88406e555909c5aff5269aa6a7a9538534f7da1e4c303d2a318a728c3c0c95156809539fcf0e2429a6b525416aedbf5a0de6a57a637b39b";

/// McGrew and Viega, "The Galois/Counter Mode of Operation", appendix B: case, bytes of the key, IV, ciphertext, tag.
const CASES: [(u8, usize, &str, &str, &str); 9] = [
    (
        4,
        16,
        IV_12,
        "42831ec2217774244b7221b784d0d49ce3aa212f2c02a4e035c17e2329aca12e21d514b25466931c7d8f6a5aac84aa051ba30b396a0aac973d58e091",
        "5bc94fbc3221a5db94fae95ae7121a47",
    ),
    (
        5,
        16,
        IV_8,
        "61353b4c2806934a777ff51fa22a4755699b2a714fcdc6f83766e5f97b6c742373806900e49f24b22b097544d4896b424989b5e1ebac0f07c23f4598",
        "3612d2e79e3b0785561be14aaca2fccb",
    ),
    (
        6,
        16,
        IV_60,
        "8ce24998625615b603a033aca13fb894be9112a5c3a211a8ba262a3cca7e2ca701e4a9a4fba43c90ccdcb281d48c7c6fd62875d2aca417034c34aee5",
        "619cc5aefffe0bfa462af43c1699d050",
    ),
    (
        10,
        24,
        IV_12,
        "3980ca0b3c00e841eb06fac4872a2757859e1ceaa6efd984628593b40ca1e19c7d773d00c144c525ac619d18c84a3f4718e2448b2fe324d9ccda2710",
        "2519498e80f1478f37ba55bd6d27618c",
    ),
    (
        11,
        24,
        IV_8,
        "0f10f599ae14a154ed24b36e25324db8c566632ef2bbb34f8347280fc4507057fddc29df9a471f75c66541d4d4dad1c9e93a19a58e8b473fa0f062f7",
        "65dcc57fcf623a24094fcca40d3533f8",
    ),
    (
        12,
        24,
        IV_60,
        "d27e88681ce3243c4830165a8fdcf9ff1de9a1d8e6b447ef6ef7b79828666e4581e79012af34ddd9e2f037589b292db3e67c036745fa22e7e9b7373b",
        "dcf566ff291c25bbb8568fc3d376a6d9",
    ),
    (
        16,
        32,
        IV_12,
        "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662",
        "76fc6ece0f4e1768cddf8853bb2d551b",
    ),
    (
        17,
        32,
        IV_8,
        "c3762df1ca787d32ae47c13bf19844cbaf1ae14d0b976afac52ff7d79bba9de0feb582d33934a4f0954cc2363bc73f7862ac430e64abe499f47c9b1f",
        "3a337dbf46a792c45e454913fe2ea8f2",
    ),
    (
        18,
        32,
        IV_60,
        "5a8def2f0c9e53f1f75d7853659e2a20eeb2b22aafde6419a058ab4f6f746bf40fc0c3b780f244452da3ebf1c5d82cdea2418997200ef82e44ae7e3f",
        "a44a8266ee1c8eb0c8b5d4cf5ae9f19a",
    ),
];

#[test]
fn the_vectors_of_the_specification_at_every_cut() {
    let (plain, associated) = (hex(PLAIN), hex(ASSOCIATED));
    for (case, key_len, iv, ciphertext, tag) in CASES {
        let key = &hex(KEY)[..key_len];
        let (iv, ciphertext, tag) = (hex(iv), hex(ciphertext), <[u8; 16]>::try_from(hex(tag)).unwrap());
        for cut in 0..=plain.len() {
            assert_eq!(encrypt(key, &iv, &associated, &plain, &[cut]), (ciphertext.clone(), tag), "case {case}, cut {cut}");
            assert_eq!(decrypt(key, &iv, &associated, &ciphertext, &tag, &[cut]).as_ref(), Ok(&plain), "case {case}, cut {cut}");
        }
    }
}

#[test]
fn nothing_at_all_has_a_tag_too() {
    // cases 1 and 13: an empty text under a key and an IV of zeros
    for (key, tag) in [(16, "58e2fccefa7e3061367f1d57a4e7455a"), (24, "cd33b28ac773f74ba00ed1f312572435"), (32, "530f8afbc74536b9a963b4f1c4cb738b")] {
        assert_eq!(encrypt(&vec![0; key], &[0; 12], &[], &[], &[]).1.to_vec(), hex(tag));
    }
}

fn one_shot(key: &[u8], iv: &[u8], msg: &[u8], aad: &[u8]) -> Vec<u8> {
    macro_rules! by_length {
        ($($key:literal $iv:literal: $aes:ty, $size:ty;)*) => {
            match (key.len(), iv.len()) {
                $(($key, $iv) => aes_gcm::AesGcm::<$aes, $size>::new_from_slice(key).unwrap().encrypt(iv.try_into().unwrap(), Payload { msg, aad }).unwrap(),)*
                other => panic!("{other:?}"),
            }
        };
    }
    by_length! {
        16 12: Aes128, U12; 16 1: Aes128, U1; 16 8: Aes128, U8; 16 13: Aes128, U13; 16 16: Aes128, U16; 16 32: Aes128, U32;
        24 12: Aes192, U12; 24 1: Aes192, U1; 24 8: Aes192, U8; 24 13: Aes192, U13; 24 16: Aes192, U16; 24 32: Aes192, U32;
        32 12: Aes256, U12; 32 1: Aes256, U1; 32 8: Aes256, U8; 32 13: Aes256, U13; 32 16: Aes256, U16; 32 32: Aes256, U32;
    }
}
fn bytes(len: impl Into<proptest::collection::SizeRange>) -> impl Strategy<Value = Vec<u8>> {
    proptest::collection::vec(any::<u8>(), len)
}
prop_compose! {
    fn inputs()(key in prop::sample::select(vec![16_usize, 24, 32]), iv in prop::sample::select(vec![12_usize, 12, 1, 8, 13, 16, 32]))
        (key in bytes(key), iv in bytes(iv), associated in bytes(0..40), plain in bytes(0..5_000),
         cuts in proptest::collection::vec(prop_oneof![0_usize..40, 0_usize..3_000], 0..12)) -> (Vec<u8>, Vec<u8>, Vec<u8>, Vec<u8>, Vec<usize>) {
        (key, iv, associated, plain, cuts)
    }
}
#[test]
fn a_large_text_is_as_any_other() {
    let (key, iv) = ([3; 32], [4; 12]);
    for len in [65_535, 65_536, 65_537, 200_003] {
        let plain: Vec<u8> = (0..len).map(|at| (at * 7) as u8).collect();
        let expected = one_shot(&key, &iv, &plain, &[]);
        for cuts in [&[][..], &[7], &[65_536], &[65_539, 1, 65_536]] {
            let (mut ours, tag) = encrypt(&key, &iv, &[], &plain, cuts);
            assert!(decrypt(&key, &iv, &[], &ours, &tag, cuts).as_ref() == Ok(&plain));
            ours.extend_from_slice(&tag);
            assert!(ours == expected, "{len} {cuts:?}");
        }
    }
}
proptest! {
    #[test]
    fn any_chunking_gives_what_one_call_of_rustcrypto_gives((key, iv, associated, plain, cuts) in inputs()) {
        let (mut ours, tag) = encrypt(&key, &iv, &associated, &plain, &cuts);
        prop_assert_eq!(&decrypt(&key, &iv, &associated, &ours, &tag, &cuts), &Ok(plain.clone()));
        ours.extend_from_slice(&tag);
        prop_assert!(ours == one_shot(&key, &iv, &plain, &associated));
    }

    #[test]
    fn one_bit_changed_anywhere_is_a_forgery((key, iv, associated, plain, cuts) in inputs(), bit in any::<prop::sample::Index>()) {
        let (ciphertext, tag) = encrypt(&key, &iv, &associated, &plain, &cuts);
        let mut all = [key, iv, associated, ciphertext, tag.to_vec()];
        let bit = bit.index(all.iter().map(Vec::len).sum::<usize>() * 8);
        *all.iter_mut().flatten().nth(bit / 8).unwrap() ^= 1 << (bit % 8);
        let [key, iv, associated, ciphertext, tag] = all;
        prop_assert_eq!(decrypt(&key, &iv, &associated, &ciphertext, &tag.try_into().unwrap(), &cuts), Err(GcmError::Forged));
    }

    #[test]
    fn bytes_missing_or_added_are_a_forgery(plain in bytes(1..200), cut in 0_usize..200) {
        let (mut ciphertext, tag) = encrypt(&[1; 32], &[2; 12], &[], &plain, &[]);
        let short = &ciphertext[..cut % plain.len()];
        prop_assert_eq!(decrypt(&[1; 32], &[2; 12], &[], short, &tag, &[]), Err(GcmError::Forged));
        ciphertext.push(0);
        prop_assert_eq!(decrypt(&[1; 32], &[2; 12], &[], &ciphertext, &tag, &[]), Err(GcmError::Forged));
    }
}

#[test]
fn every_bit_of_the_tag_counts() {
    let (ciphertext, tag) = encrypt(&[1; 16], &[2; 8], b"head", b"text", &[]);
    for bit in 0..128 {
        let mut tag = tag;
        tag[bit / 8] ^= 1 << (bit % 8);
        assert_eq!(decrypt(&[1; 16], &[2; 8], b"head", &ciphertext, &tag, &[]), Err(GcmError::Forged));
    }
}

#[test]
fn keys_and_ivs_that_are_none_are_refused_with_words() {
    for len in [0, 1, 15, 17, 23, 25, 31, 33, 64] {
        assert_eq!(Encryptor::new(&vec![0; len], &[0; 12], &[]).unwrap_err(), GcmError::KeyLength(len));
        assert_eq!(Decryptor::new(&vec![0; len], &[0; 12], &[]).unwrap_err(), GcmError::KeyLength(len));
    }
    assert_eq!(Encryptor::new(&[0; 16], &[], &[]).unwrap_err(), GcmError::NoIv);
    assert_eq!(GcmError::KeyLength(7).to_string(), "an AES key has 16, 24 or 32 bytes, not 7: check what the key is made of");
    assert_eq!((GcmError::Forged.code(), Status::from(GcmError::Forged)), ("gcm.forged", Status::NOT_ACCEPTABLE));
}
