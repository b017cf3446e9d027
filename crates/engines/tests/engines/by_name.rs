//! Engines by their names, and what is said to a wrong one.
use crate::{ALICE, BOB, Side, part};
use subrosa_engine::*;
use subrosa_engines::{NAMES, NameError, by_name};

const KEY: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";

#[test]
fn every_name_in_the_list_is_one() {
    for (name, what) in NAMES {
        let named = by_name(&name.replace("KEY", KEY)).unwrap();
        assert_eq!(named.completions.is_some(), *name == "base64-async");
        assert!(!what.is_empty() && name.starts_with(named.engine.name()));
    }
}
#[test]
fn an_engine_in_a_box_is_the_engine() {
    let mut side = Side::new(ALICE, by_name("xor-hex").unwrap().engine);
    assert_eq!(side.say(BOB, "Super"), part("cipher/xor-hex", "0000000000"));
    // a handle to the box reaches what is in it
    let mut machine = Machine::new(ALICE.into());
    let engine = machine.install(by_name("xor").unwrap().engine);
    let mut rng = getrandom::rand_core::UnwrapErr(getrandom::SysRng);
    let mut step = machine.begin(Time(0), &mut rng);
    let reply = step.call(engine, |engine, _| Ok((engine.name(), (&**engine as &dyn std::any::Any).is::<subrosa_engines::Xor>())));
    assert_eq!(step.commit(&mut MemoryStore::default()).unwrap().reply(&reply), Some(("xor", true)));
}
#[test]
fn a_wrong_name_is_told_the_right_ones() {
    for (wrong, code) in [
        ("", "engine.unknown"),
        ("XOR", "engine.unknown"),
        ("rot13:2", "engine.unknown"),
        ("xor:", "engine.parameter"),
        ("xor:key", "engine.parameter"),
        ("preshared", "engine.parameter"),
        ("preshared:", "preshared.form"),
        ("preshared:00", "preshared.form"),
        ("preshared-base64:é", "preshared.form"),
        ("preshared:@", "preshared.file"),
        ("preshared:@/no such place/key", "preshared.file"),
    ] {
        let error = by_name(wrong).map(drop).unwrap_err();
        assert_eq!((error.code(), error.fault()), (code, Fault::Caller), "{wrong}: {error}");
        if let NameError::Unknown(_) | NameError::Parameter(_) = error {
            assert!(NAMES.iter().all(|(name, _)| error.to_string().contains(name)), "{error}");
        }
    }
    let odd = format!("preshared:{}g", &KEY[1..]);
    assert!(!by_name(&odd).map(drop).unwrap_err().to_string().contains(&KEY[1..]), "a key is in an error");
}
#[test]
fn a_key_comes_from_a_file() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("key");
    let name = format!("preshared:@{}", path.display());
    std::fs::write(&path, format!("  {KEY}\r\n")).unwrap();
    let mut from_file = Side::new(ALICE, by_name(&name).unwrap().engine);
    let mut from_word = Side::new(BOB, by_name(&format!("preshared:{}", KEY.to_uppercase())).unwrap().engine);
    assert_eq!(from_word.hear(ALICE, &from_file.say(BOB, "hello")), Ok("hello".into()));
    for (content, code) in [(vec![0xff; 64], "preshared.file"), (vec![b'0'; 1 << 20], "preshared.form"), (Vec::new(), "preshared.form")] {
        std::fs::write(&path, content).unwrap();
        assert_eq!(by_name(&name).map(drop).unwrap_err().code(), code);
    }
}
