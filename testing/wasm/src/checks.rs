//! What this store promises beyond what every store must.
use crate::{open, raw};
use subrosa_engine::{AsyncStore, Batch, Coded, DeviceId, Key};
use subrosa_wasm::{At, Database, IndexedDbStore, State, StoreError};
use wasm_bindgen::prelude::*;

const CANARY: &str = "canary-of-plaintext-8b1d";
const OWNER: &str = "canary-of-an-address@example.org";

fn numbered(n: u32) -> Key {
    Key::for_tests("own", "kind-canary-row", None, Some(n.into()))
}
fn device(n: u32) -> Key {
    Key::for_tests("own", "kind-canary-row", Some(OWNER.into()), Some(DeviceId::Number(n)))
}
async fn put(store: &mut IndexedDbStore, writes: &[(Key, Option<&[u8]>)]) -> Result<(), StoreError> {
    let writes = writes.iter().map(|(key, value)| (key.clone(), value.map(<[u8]>::to_vec)));
    store.commit(&Batch::for_tests(writes.collect())).await
}
async fn get(store: &mut IndexedDbStore, key: Key) -> Option<Vec<u8>> {
    store.load(&[key]).await.unwrap().pop().unwrap()
}
async fn unlock(name: &str, passphrase: Option<&str>) -> Result<IndexedDbStore, StoreError> {
    Database::open(name).await.unwrap().unlock(passphrase).await
}
async fn state(name: &str) -> Result<State, StoreError> {
    Database::open(name).await.unwrap().state().await
}
fn code<T>(result: Result<T, StoreError>) -> &'static str {
    result.err().map_or("ok", |e| e.code())
}

pub async fn a_passphrase_opens_and_a_wrong_one_does_not(name: &str) {
    let mut store = Database::open(name).await.unwrap().create(Some("correct h\u{f6}rse")).await.unwrap();
    put(&mut store, &[(numbered(1), Some(CANARY.as_bytes())), (device(1), Some(CANARY.as_bytes()))]).await.unwrap();
    drop(store);
    assert_eq!(state(name).await.unwrap(), State::Sealed);
    for wrong in [None, Some(""), Some("correct horse"), Some("correct h\u{f6}rse ")] {
        assert_eq!(code(unlock(name, wrong).await), "store.wrong-passphrase", "{wrong:?}");
    }
    // no key lies there that opens anything, names of rows included
    let dump = raw::dump(name).await;
    assert!(!contains(&dump, "CryptoKey"), "a key in a sealed database");
    clean(&dump);
    // the same words as another keyboard sends them
    let mut store = unlock(name, Some("correct ho\u{308}rse")).await.unwrap();
    assert_eq!(get(&mut store, numbered(1)).await.as_deref(), Some(CANARY.as_bytes()));
    assert_eq!(get(&mut store, device(1)).await.as_deref(), Some(CANARY.as_bytes()));
    assert_eq!(code(store.change_passphrase("wrong", "new").await), "store.wrong-passphrase");
    store.change_passphrase("correct h\u{f6}rse", "new").await.unwrap();
    put(&mut store, &[(numbered(2), Some(b"after"))]).await.unwrap();
    drop(store);
    assert_eq!(code(unlock(name, Some("correct h\u{f6}rse")).await), "store.wrong-passphrase");
    let mut store = unlock(name, Some("new")).await.unwrap();
    assert_eq!(get(&mut store, numbered(1)).await.as_deref(), Some(CANARY.as_bytes()));
    assert_eq!(get(&mut store, numbered(2)).await.as_deref(), Some(&b"after"[..]));
}
pub async fn states_are_told_apart(name: &str) {
    assert_eq!(state(name).await.unwrap(), State::Empty);
    assert_eq!(code(unlock(name, None).await), "store.empty");
    let (first, second) = (Database::open(name).await.unwrap(), Database::open(name).await.unwrap());
    drop(first.create(None).await.unwrap());
    assert_eq!(code(second.create(None).await), "store.exists");
    assert_eq!(state(name).await.unwrap(), State::Open);
    assert_eq!(code(unlock(name, None).await), "ok");
    let mut store = unlock(name, Some("never looked at")).await.unwrap();
    assert_eq!(code(store.change_passphrase("never", "new").await), "store.wrong-passphrase");
}
pub async fn a_second_opener_fences_the_first(name: &str) {
    let mut first = open(name).await.unwrap();
    put(&mut first, &[(device(1), Some(b"first")), (numbered(1), Some(b"first"))]).await.unwrap();
    first.stage("list", At::Number(1), Some(b"staged".into()));
    let mut second = open(name).await.unwrap();
    assert_eq!(code(put(&mut first, &[(device(1), Some(b"frozen")), (device(2), Some(b"frozen")), (numbered(1), None)]).await), "store.fenced");
    assert_eq!(code(first.flush().await), "store.fenced");
    assert_eq!(code(first.change_passphrase("", "").await), "store.wrong-passphrase");
    assert_eq!(get(&mut second, device(1)).await.as_deref(), Some(&b"first"[..]));
    assert_eq!(get(&mut second, device(2)).await, None);
    assert_eq!(get(&mut second, numbered(1)).await.as_deref(), Some(&b"first"[..]));
    assert_eq!(second.item("list", At::Number(1)).await.unwrap(), None);
    put(&mut second, &[(device(1), Some(b"second"))]).await.unwrap();
    assert_eq!(get(&mut second, device(1)).await.as_deref(), Some(&b"second"[..]));
}
pub async fn nothing_is_stored_in_clear(name: &str) {
    let mut store = open(name).await.unwrap();
    let long = CANARY.repeat(1000);
    put(&mut store, &[(device(1), Some(CANARY.as_bytes())), (numbered(1), Some(long.as_bytes()))]).await.unwrap();
    store.stage(OWNER, At::Number(7), Some(CANARY.into()));
    store.stage(OWNER, At::Name(CANARY), Some(CANARY.into()));
    store.flush().await.unwrap();
    let dump = raw::dump(name).await;
    assert!(dump.len() > long.len(), "the dump is not a dump");
    assert!(contains(&dump, "CryptoKey false"), "the data key can be exported");
    clean(&dump);
    // the same bytes again are other bytes on the disk
    put(&mut store, &[(numbered(1), Some(long.as_bytes()))]).await.unwrap();
    assert_ne!(raw::dump(name).await, dump);
}
fn contains(dump: &[u8], words: &str) -> bool {
    dump.windows(words.len()).any(|window| window == words.as_bytes())
}
fn clean(dump: &[u8]) {
    for words in [CANARY, "canary", "example.org", "kind-canary-row"] {
        assert!(!contains(dump, words), "{words} is in the database");
    }
}
pub async fn rows_in_another_place_are_damaged(name: &str) {
    let mut store = open(name).await.unwrap();
    put(&mut store, &[(device(1), Some(b"one")), (device(2), Some(b"two"))]).await.unwrap();
    store.stage("list", At::Number(1), Some(b"one".into()));
    store.stage("list", At::Number(2), Some(b"two".into()));
    store.flush().await.unwrap();
    drop(store);
    assert_eq!(raw::count(name, "rows").await, 2);
    raw::swap(name, "rows").await;
    raw::swap(name, "items").await;
    let mut store = open(name).await.unwrap();
    assert_eq!(code(store.load(&[device(1)]).await), "store.damaged");
    assert_eq!(code(put(&mut store, &[(device(1), Some(b"over it"))]).await), "store.damaged");
    assert_eq!(code(store.item("list", At::Number(1)).await), "store.damaged");
    assert_eq!(code(store.newest("list", None, 9).await), "store.damaged");
    assert_eq!(code(store.all("list").await), "store.damaged");
}
pub async fn missing_parts_are_damaged(name: &str) {
    let fresh = async || {
        let mut store = open(name).await.unwrap();
        put(&mut store, &[(device(1), Some(b"one"))]).await.unwrap();
    };
    for part in ["vault", "names", "epoch"] {
        fresh().await;
        raw::lose(name, part).await;
        let opened = if part == "vault" { state(name).await.map(drop) } else { unlock(name, None).await.map(drop) };
        assert_eq!(code(opened), "store.damaged", "{part}");
        Database::erase(name).await.unwrap();
    }
    fresh().await;
    raw::swap(name, "meta").await;
    assert_eq!(code(unlock(name, None).await), "store.damaged");
}
pub async fn an_erased_database_is_gone(name: &str) {
    let mut store = open(name).await.unwrap();
    put(&mut store, &[(device(1), Some(b"one"))]).await.unwrap();
    Database::erase(name).await.unwrap();
    assert_eq!(code(store.load(&[device(2)]).await), "store.gone");
    assert_eq!(code(put(&mut store, &[(device(1), Some(b"two"))]).await), "store.gone");
    assert_eq!(code(store.newest("list", None, 1).await), "store.gone");
    assert_eq!(state(name).await.unwrap(), State::Empty);
    Database::erase("never was there").await.unwrap();
}
pub async fn lists_are_kept_in_order(name: &str) {
    let mut store = open(name).await.unwrap();
    let word = |n: u64| n.to_string().into_bytes();
    let numbers = [0, 1, 2, 255, 256, 65_536, 1 << 53, u64::MAX - 1, u64::MAX];
    for n in numbers {
        store.stage("chat", At::Number(n), Some(word(n)));
    }
    store.stage("chat", At::Name("draft"), Some(b"draft".into()));
    store.stage("cha", At::Number(3), Some(b"another list".into()));
    store.stage("chat2", At::Number(3), Some(b"another list".into()));
    store.flush().await.unwrap();
    let all: Vec<_> = numbers.iter().map(|n| (*n, word(*n))).collect();
    assert_eq!(store.newest("chat", None, 100).await.unwrap(), all);
    assert_eq!(store.newest("chat", None, 9).await.unwrap(), all);
    assert_eq!(store.newest("chat", None, 3).await.unwrap(), all[6..]);
    assert_eq!(store.newest("chat", None, 1).await.unwrap(), all[8..]);
    assert_eq!(store.newest("chat", None, 0).await.unwrap(), []);
    assert_eq!(store.newest("chat", Some(256), 2).await.unwrap(), all[2..4]);
    assert_eq!(store.newest("chat", Some(257), 2).await.unwrap(), all[3..5]);
    assert_eq!(store.newest("chat", Some(0), 2).await.unwrap(), []);
    assert_eq!(store.newest("nothing", None, 2).await.unwrap(), []);
    let mut every: Vec<_> = all.iter().map(|(_, word)| word.clone()).collect();
    every.push(b"draft".into());
    assert_eq!(store.all("chat").await.unwrap(), every);
    assert_eq!(store.all("nothing").await.unwrap(), [[0u8; 0]; 0]);
    assert_eq!(store.item("chat", At::Name("draft")).await.unwrap().as_deref(), Some(&b"draft"[..]));
    assert_eq!(store.item("chat", At::Name("draf")).await.unwrap(), None);
    assert_eq!(store.item("chat", At::Number(256)).await.unwrap(), Some(word(256)));
    store.stage("chat", At::Number(1), None);
    store.stage("chat", At::Number(2), Some(b"replaced".into()));
    store.stage("chat", At::Number(2), Some(b"".into()));
    store.flush().await.unwrap();
    drop(store);
    let mut store = open(name).await.unwrap();
    assert_eq!(store.newest("chat", Some(256), 9).await.unwrap(), [(0, word(0)), (2, vec![]), (255, word(255))]);
}
pub async fn staged_rows_go_with_the_commit_or_stay(name: &str) {
    let mut store = open(name).await.unwrap();
    for n in 0..200 {
        store.stage("chat", At::Number(n), Some(b"words".into()));
    }
    raw::break_puts(true);
    assert_eq!(code(put(&mut store, &[(device(1), Some(b"one"))]).await), "store.full");
    assert_eq!(code(store.flush().await), "store.full");
    raw::break_puts(false);
    assert_eq!(get(&mut store, device(1)).await, None);
    assert_eq!(store.all("chat").await.unwrap().len(), 0);
    put(&mut store, &[(device(1), Some(b"one"))]).await.unwrap();
    assert_eq!(store.all("chat").await.unwrap().len(), 200);
    assert_eq!(raw::count(name, "rows").await, 1);
    // it went: the next commit does not carry it again
    store.stage("chat", At::Number(0), None);
    store.unstage();
    store.flush().await.unwrap();
    assert_eq!(store.all("chat").await.unwrap().len(), 200);
    put(&mut store, &[(device(1), None)]).await.unwrap();
    assert_eq!(raw::count(name, "rows").await, 0, "an empty page stays on the disk");
}
pub async fn a_full_disk_is_said(name: &str) {
    let mut store = open(name).await.unwrap();
    raw::break_puts(true);
    let rows: Vec<_> = (0..200).map(|n| (numbered(n), Some(&b"x"[..]))).collect();
    let error = put(&mut store, &rows).await.unwrap_err();
    raw::break_puts(false);
    assert_eq!((error.code(), error.fault()), ("store.full", subrosa_engine::Fault::Store));
    assert_eq!(error.to_string(), "the browser has no room left for this site, nothing was stored: free some space and try again");
    put(&mut store, &rows).await.unwrap();
}

/// Commits half-megabytes until it fails: its code, and how many went.
#[wasm_bindgen]
pub async fn fill(name: String, most: u32) -> Vec<JsValue> {
    let mut store = open(&name).await.unwrap();
    for n in 0..most {
        let value = vec![n as u8; 250_000];
        // each time two rows that belong together, and a count that says so
        let result =
            put(&mut store, &[(numbered(2 * n), Some(&value)), (numbered(2 * n + 1), Some(&value)), (device(0), Some(&n.to_be_bytes()))]).await;
        if let Err(e) = result {
            return vec![e.code().into(), n.into()];
        }
    }
    vec!["ok".into(), most.into()]
}
/// How many of those commits are there; panics where one is there in part.
#[wasm_bindgen]
pub async fn filled(name: String) -> u32 {
    let mut store = open(&name).await.unwrap();
    let last = get(&mut store, device(0)).await.map_or(0, |last| u32::from_be_bytes(last.try_into().unwrap()) + 1);
    for n in 0..last + 3 {
        let rows = store.load(&[numbered(2 * n), numbered(2 * n + 1)]).await.unwrap();
        let there = n < last;
        assert!(rows.iter().all(|row| row.as_ref().map(|row| row == &vec![n as u8; 250_000]) == there.then_some(true)), "commit {n} of {last}");
    }
    last
}
/// Commits the same 400 rows, pages and items again and again, each time with a new value, until somebody kills us.
#[wasm_bindgen]
pub async fn rounds(name: String, first: u32) {
    let mut store = open(&name).await.unwrap();
    for round in first.. {
        let value = round.to_be_bytes().repeat(100);
        let writes = (0..200).flat_map(|n| [(numbered(n), Some(value.clone())), (device(n), Some(value.clone()))]);
        (0..200).for_each(|n| store.stage("chat", At::Number(n), Some(value.clone())));
        let batch = Batch::for_tests(writes.collect());
        store.commit(&batch).await.unwrap();
        raw::told(round);
    }
}
/// The round that all of those rows are of; panics when they are not of one.
#[wasm_bindgen]
pub async fn whole(name: String) -> u32 {
    let mut store = open(&name).await.unwrap();
    let keys: Vec<Key> = (0..200).flat_map(|n| [numbered(n), device(n)]).collect();
    let rows = store.load(&keys).await.unwrap();
    let items = store.all("chat").await.unwrap();
    let Some(first) = rows[0].clone() else {
        assert!(rows.iter().all(Option::is_none) && items.is_empty(), "some rows are there, some are not");
        return 0;
    };
    assert_eq!(items.len(), 200);
    assert!(rows.iter().flatten().chain(&items).all(|row| *row == first) && rows.iter().all(Option::is_some), "rows of two rounds");
    u32::from_be_bytes([first[0], first[1], first[2], first[3]])
}
