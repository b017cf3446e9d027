//! What every store must do. The checks are asynchronous functions over a [`Place`]; a store that answers at
//! once is wrapped in [`crate::Ready`]. [`crate::store_conformance`] makes a test of each.
use crate::late::abandon_after;
use crate::{Seeded, toy};
use subrosa_engine::{
    Address, AsyncStore, Batch, ChatId, ContentType, DeviceId, Event, Headers, Input, Key, Kind, Machine, MessageId, Output, Plaintext, Recipients,
    Time,
};

/// Where a suite finds the store that it judges: an empty place, new for each check.
pub trait Place {
    /// The store, answering late or at once.
    type Store: AsyncStore;
    /// Opens it. Called again after the first was dropped, it must find what was there.
    #[allow(async_fn_in_trait)] // as in `AsyncStore`
    async fn open(&mut self) -> Result<Self::Store, String>;
    /// `false`: a store in memory, gone when dropped.
    fn is_persistent(&self) -> bool {
        true
    }
    /// `true`: a second [`Self::open`] beside the first must be refused.
    fn is_exclusive(&self) -> bool {
        false
    }
    /// Lets commits of new rows fail from now on, or no more. `false`: can't be arranged.
    fn break_commits(&mut self, _store: &mut Self::Store, _broken: bool) -> bool {
        false
    }
}

/// A key that no engine would choose.
pub fn key(kind: &'static str, owner: Option<&str>, device: Option<DeviceId>) -> Key {
    Key::for_tests("conformance", kind, owner.map(Address::from), device)
}
fn numbered(n: u32) -> Key {
    key("row", Some("bob@example.org"), Some(n.into()))
}
async fn open<P: Place>(place: &mut P) -> P::Store {
    place.open().await.unwrap_or_else(|e| panic!("the store does not open: {e}"))
}
async fn put<S: AsyncStore>(store: &mut S, writes: &[(Key, Option<&[u8]>)]) -> Result<(), S::Error> {
    let writes = writes.iter().map(|(key, value)| (key.clone(), value.map(<[u8]>::to_vec)));
    store.commit(&Batch::for_tests(writes.collect())).await
}
async fn load<S: AsyncStore>(store: &mut S, keys: &[Key]) -> Vec<Option<Vec<u8>>> {
    let rows = store.load(keys).await.unwrap_or_else(|e| panic!("load failed: {e}"));
    assert_eq!(rows.len(), keys.len(), "one answer for each key");
    rows
}
fn some(bytes: &[u8]) -> Option<Vec<u8>> {
    Some(bytes.to_vec())
}
macro_rules! ok {
    ($result:expr) => {
        $result.unwrap_or_else(|e| panic!("commit failed: {e}"))
    };
}

/// Answers come in the order of the keys, one for each, a key asked twice is answered twice.
pub async fn answers_in_order<P: Place>(place: &mut P) {
    let mut store = open(place).await;
    let [a, b, c] = [1, 2, 3].map(numbered);
    ok!(put(&mut store, &[(a.clone(), Some(b"A")), (b.clone(), Some(b"B")), (c.clone(), Some(b"C"))]).await);
    let rows = load(&mut store, &[c, numbered(9), a.clone(), b, a]).await;
    assert_eq!(rows, [some(b"C"), None, some(b"A"), some(b"B"), some(b"A")]);
}
/// A new store has nothing, and nothing is asked for without harm.
pub async fn is_empty_at_first<P: Place>(place: &mut P) {
    let mut store = open(place).await;
    assert_eq!(load(&mut store, &[]).await, []);
    assert_eq!(load(&mut store, &[numbered(1), numbered(2)]).await, [None, None]);
}
/// A row is put, replaced, deleted, and put again; deleting what is not there is no error.
pub async fn puts_replaces_and_deletes<P: Place>(place: &mut P) {
    let mut store = open(place).await;
    let (a, b) = (numbered(1), numbered(2));
    ok!(put(&mut store, &[(a.clone(), Some(b"one")), (b.clone(), Some(b"stays"))]).await);
    ok!(put(&mut store, &[(a.clone(), Some(b"a longer second value"))]).await);
    assert_eq!(load(&mut store, std::slice::from_ref(&a)).await, [some(b"a longer second value")]);
    ok!(put(&mut store, &[(a.clone(), None), (numbered(3), None)]).await);
    assert_eq!(load(&mut store, &[a.clone(), b.clone()]).await, [None, some(b"stays")]);
    ok!(put(&mut store, &[(a.clone(), Some(b"3")), (b.clone(), None)]).await);
    assert_eq!(load(&mut store, &[a, b]).await, [some(b"3"), None]);
}
/// Values are bytes: empty (which is not missing), every byte, 1 MiB.
pub async fn keeps_every_value<P: Place>(place: &mut P) {
    let mut store = open(place).await;
    let every: Vec<u8> = (0..=255).collect();
    let mebibyte: Vec<u8> = (0..1_048_576u32).map(|n| (n % 251) as u8).collect();
    let values: [&[u8]; 6] = [b"", b"\0", b"\xff\xfe", "ros\u{e9} 🌹".as_bytes(), &every, &mebibyte];
    let rows: Vec<_> = (0..).zip(values).map(|(n, value)| (numbered(n), Some(value))).collect();
    ok!(put(&mut store, &rows).await);
    let keys: Vec<Key> = rows.iter().map(|row| row.0.clone()).collect();
    let found = load(&mut store, &keys).await;
    for (value, found) in values.iter().zip(found) {
        assert!(found.as_deref() == Some(value), "a value of {} bytes came back changed", value.len());
    }
    ok!(put(&mut store, &[(numbered(5), Some(b""))]).await);
    assert_eq!(load(&mut store, &[numbered(5)]).await, [some(b"")], "shrunk from 1 MiB to nothing, and still there");
}
/// 10,000 rows in one batch, asked for in one load, in another order, with missing ones between.
pub async fn takes_many_keys<P: Place>(place: &mut P) {
    let mut store = open(place).await;
    let value = |n: u32| n.to_be_bytes().repeat(20);
    let writes = (0..10_000).map(|n| (numbered(n * 2), Some(value(n * 2))));
    ok!(store.commit(&Batch::for_tests(writes.collect())).await);
    let wanted: Vec<u32> = (0..20_000u32).map(|n| n.wrapping_mul(7919) % 20_000).collect();
    let keys: Vec<Key> = wanted.iter().map(|n| numbered(*n)).collect();
    for (n, row) in wanted.into_iter().zip(load(&mut store, &keys).await) {
        assert_eq!(row, (n % 2 == 0).then(|| value(n)), "row {n}");
    }
}
/// Keys that look alike when joined, cut, escaped, folded or compared as text name different rows.
pub async fn tells_keys_apart<P: Place>(place: &mut P) {
    let mut store = open(place).await;
    let name = |s: &str| Some(DeviceId::Name(s.into()));
    let long = "x".repeat(4000);
    let mut keys = vec![
        Key::for_tests("a", "bc", None, None),
        Key::for_tests("ab", "c", None, None),
        Key::for_tests("abc", "", None, None),
        Key::for_tests("a/b", "c", None, None),
        Key::for_tests("a", "b/c", None, None),
        Key::for_tests("a", "b", Some("c".into()), None),
        Key::for_tests("A", "b", Some("c".into()), None),
        key("k", None, None),
        key("k", Some(""), None),
        key("k", Some(""), name("")),
        key("k", None, Some(42.into())),
        key("k", None, Some(43.into())),
        key("k", Some("a/b"), None),
        key("k", Some("a"), name("b")),
        key("k", Some("a%2Fb"), None),
        key("k", Some("a%252Fb"), None),
        key("k", Some("a\\/b"), None),
        key("k", Some("a"), Some(42.into())),
        key("k", Some("a"), name("42")),
        key("k", Some("a/42"), None),
        key("k", Some("a"), Some(0.into())),
        key("k", Some("a"), Some(u32::MAX.into())),
        key("k", Some("a"), name("0")),
        key("k", Some("a\0"), None),
        key("k", Some("a\0b"), None),
        key("k", Some("\0"), None),
        key("k", Some("a "), None),
        key("k", Some(" a"), None),
        key("k", Some("A"), None),
        key("k", Some("\u{e9}"), None),
        key("k", Some("e\u{301}"), None),
        key("k", Some("\u{c9}"), None),
        key("k", Some("ß"), None),
        key("k", Some("ss"), None),
        key("k", Some("🌹"), None),
        key("k", Some("*"), None),
        key("k", Some("_"), None),
        key("k", Some("'; DROP TABLE records; --"), None),
        key("k", Some(&long), None),
    ];
    keys.push(key("k", Some(&format!("{long}x")), None));
    // all at once, and each shows its own
    let writes = keys.iter().enumerate().map(|(n, key)| (key.clone(), Some(n.to_string().into_bytes())));
    ok!(store.commit(&Batch::for_tests(writes.collect())).await);
    for (n, row) in load(&mut store, &keys).await.into_iter().enumerate() {
        assert_eq!(row, Some(n.to_string().into_bytes()), "{:?} was taken for another", keys[n]);
    }
    // deleting one leaves the others
    for n in 0..keys.len() {
        ok!(put(&mut store, &[(keys[n].clone(), None)]).await);
        let left = load(&mut store, &keys).await.iter().filter(|row| row.is_some()).count();
        assert_eq!(left, keys.len() - n - 1, "deleting {:?}", keys[n]);
    }
}
/// What was committed is there after the store was closed and opened again, what was deleted is not.
pub async fn survives_reopening<P: Place>(place: &mut P) {
    let mut store = open(place).await;
    ok!(put(&mut store, &[(numbered(1), Some(b"one")), (numbered(2), Some(b""))]).await);
    ok!(put(&mut store, &[(numbered(1), Some(b"two")), (numbered(3), Some(b"three"))]).await);
    ok!(put(&mut store, &[(numbered(3), None)]).await);
    if place.is_persistent() {
        drop(store);
        store = open(place).await;
    }
    assert_eq!(load(&mut store, &[1, 2, 3].map(numbered)).await, [some(b"two"), some(b""), None]);
}
/// A commit that fails changes nothing, now or after reopening, and the next one works.
pub async fn a_failed_commit_changes_nothing<P: Place>(place: &mut P) {
    let mut store = open(place).await;
    ok!(put(&mut store, &[(numbered(1), Some(b"before")), (numbered(2), Some(b"there"))]).await);
    if !place.break_commits(&mut store, true) {
        return;
    }
    let mut writes = vec![(numbered(1), some(b"after")), (numbered(2), None)];
    writes.extend((100..400).map(|n| (numbered(n), Some(vec![7; 4096]))));
    let keys: Vec<Key> = writes.iter().map(|w| w.0.clone()).collect();
    let batch = Batch::for_tests(writes);
    assert!(store.commit(&batch).await.is_err(), "the place said that commits fail now");
    let unchanged = |rows: Vec<Option<Vec<u8>>>| {
        assert_eq!(rows[..2], [some(b"before"), some(b"there")]);
        assert!(rows[2..].iter().all(Option::is_none), "half a batch is there");
    };
    unchanged(load(&mut store, &keys).await);
    place.break_commits(&mut store, false);
    if place.is_persistent() {
        drop(store);
        store = open(place).await;
        unchanged(load(&mut store, &keys).await);
    }
    ok!(store.commit(&batch).await);
    assert_eq!(load(&mut store, &keys).await[..2], [some(b"after"), None]);
}
/// A commit whose future is dropped half-way happened as a whole or not at all, and the store works on.
pub async fn an_abandoned_commit_is_whole_or_not<P: Place>(place: &mut P) {
    let mut store = open(place).await;
    ok!(put(&mut store, &[(numbered(1), Some(b"0")), (numbered(2), Some(b"0"))]).await);
    for polls in 0..12 {
        let value = (polls + 1).to_string().into_bytes();
        let batch = Batch::for_tests([1, 2].map(|n| (numbered(n), Some(value.clone()))).into());
        let _ = abandon_after(polls, store.commit(&batch));
        let _ = abandon_after(polls, store.load(&[numbered(1)]));
        let rows = load(&mut store, &[numbered(1), numbered(2)]).await;
        assert_eq!(rows[0], rows[1], "half a batch is there after {polls} polls");
        ok!(put(&mut store, &[(numbered(3), Some(&value))]).await);
        assert_eq!(load(&mut store, &[numbered(3)]).await, [Some(value)]);
    }
}
/// Where only one handle may exist, a second is refused while the first lives, and the first works on.
pub async fn refuses_a_second_handle<P: Place>(place: &mut P) {
    let mut store = open(place).await;
    ok!(put(&mut store, &[(numbered(1), Some(b"mine"))]).await);
    if !place.is_exclusive() {
        return;
    }
    assert!(place.open().await.is_err(), "two handles at once");
    ok!(put(&mut store, &[(numbered(2), Some(b"mine too"))]).await);
    drop(store);
    let mut store = open(place).await;
    assert_eq!(load(&mut store, &[1, 2].map(numbered)).await, [some(b"mine"), some(b"mine too")]);
}
/// A machine keeps its engine's records in it, over restarts and over steps that were abandoned.
pub async fn a_machine_lives_in_it<P: Place>(place: &mut P) {
    let machine = || {
        let mut machine = Machine::new("alice@example.org".into());
        let engine = machine.install(toy::Counter);
        machine.route(move |_| Some(engine.id()));
        (machine, engine)
    };
    let mut rng = Seeded::new(1);
    let mut store = open(place).await;
    let (mut alice, mut engine) = machine();
    let mut counted = 0;
    for round in 0..20 {
        if round == 10 && place.is_persistent() {
            drop(store);
            store = open(place).await;
            (alice, engine) = machine();
        }
        let mut step = alice.begin(Time(round), &mut rng);
        step.feed(send(round));
        let finished = if round % 3 == 1 {
            abandon_after(round as usize, step.commit_async(&mut store)).is_some()
        } else {
            let outputs = step.commit_async(&mut store).await.unwrap_or_else(|e| panic!("{e}: {}", e.source));
            let sent = outputs.into_iter().filter(|(_, o)| matches!(o, Output::Event(Event::Sent { .. }))).count();
            assert_eq!(sent, 1, "round {round}");
            true
        };
        let mut step = alice.begin(Time(round), &mut rng);
        let reply = step.call(engine, |e, cx| e.count(cx));
        let mut outputs = step.commit_async(&mut store).await.unwrap_or_else(|e| panic!("{e}: {}", e.source));
        let released = |(_, o): &_| matches!(o, Output::Transmit { id, .. } if id.as_str() == format!("m{round}"));
        let released = outputs.iter().any(released);
        let now = outputs.reply(&reply).unwrap_or_else(|| panic!("the engine failed in round {round}"));
        // abandoned, it is on disk or it is not: what is stored leaves, what leaves is stored
        assert_eq!(now, counted + u64::from(finished || released), "round {round}");
        counted = now;
    }
}
fn send(n: u64) -> Input {
    let bob = Address::from("bob@example.org");
    let (chat, to) = (ChatId(bob.clone()), Recipients::People(vec![bob]));
    Input::Send {
        id: MessageId(format!("m{n}").into()),
        chat,
        to,
        kind: Kind::Text,
        plain: Plaintext::new(ContentType::TEXT, "hi"),
        headers: Headers::default(),
    }
}

/// One `#[test]` for each check of the suite, in a module of the given name. The second argument makes a new
/// [`Place`](crate::conformance::store::Place).
///
/// ```
/// use subrosa_engine::MemoryStore;
/// use subrosa_testkit::{Ready, conformance::store::Place, store_conformance};
///
/// struct Memory;
/// impl Place for Memory {
///     type Store = Ready<MemoryStore>;
///     async fn open(&mut self) -> Result<Self::Store, String> {
///         Ok(Ready(MemoryStore::default()))
///     }
///     fn is_persistent(&self) -> bool {
///         false
///     }
/// }
/// store_conformance!(memory, Memory);
/// # fn main() {}
/// ```
#[macro_export]
macro_rules! store_conformance {
    ($name:ident, $place:expr) => {
        $crate::store_conformance!(@ $name, $place;
            answers_in_order, is_empty_at_first, puts_replaces_and_deletes, keeps_every_value, takes_many_keys, tells_keys_apart,
            survives_reopening, a_failed_commit_changes_nothing, an_abandoned_commit_is_whole_or_not, refuses_a_second_handle,
            a_machine_lives_in_it);
    };
    (@ $name:ident, $place:expr; $($check:ident),+) => {
        mod $name {
            use super::*;
            $(
                #[test]
                fn $check() {
                    let mut place = $place;
                    $crate::block_on($crate::conformance::store::$check(&mut place));
                }
            )+
        }
    };
}
