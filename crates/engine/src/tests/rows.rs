//! Keys, records, the journal, eviction, the stored forms.
use super::*;
use crate::records::Cache;
use crate::wire::Stored;
use proptest::prelude::*;
use std::collections::BTreeMap;

fn part() -> impl Strategy<Value = String> {
    prop::collection::vec(prop::sample::select(vec!["a", "/", "%", "#", "=", "2F", "%2F", "42", "é", ""]), 0..4).prop_map(|v| v.concat())
}
fn key() -> impl Strategy<Value = Key> {
    let space = prop::sample::select(vec!["house", "omemo", "a/b", "a"]);
    let kind = prop::sample::select(vec!["state", "b", "b/c", "session", "#1"]);
    (space, kind, part(), part(), 0u64..50, 0..5).prop_map(|(space, kind, owner, name, n, which)| {
        let owner = Address::from(owner.as_str());
        match which {
            0 => RowOf::<Number>::single(kind),
            1 => RowOf::person(kind, &owner),
            2 => RowOf::device(kind, &Device::of(&owner, n as u32)),
            3 => RowOf::device(kind, &Device { owner, id: DeviceId::Name(name.as_str().into()) }),
            _ => RowOf::numbered(kind, n),
        }
        .within(space)
    })
}

/// Reads a key's text back; what can be read back is unique.
fn parse(text: &str) -> Vec<String> {
    let unescape = |part: &str| {
        let mut out = String::new();
        let mut chars = part.chars();
        while let Some(c) = chars.next() {
            if c == '%' {
                let code: String = chars.by_ref().take(2).collect();
                out.push(char::from(u8::from_str_radix(&code, 16).unwrap()));
            } else {
                out.push(c);
            }
        }
        out
    };
    text.split('/').map(|part| format!("{}{}", if part.starts_with(['#', '=']) { "!" } else { "" }, unescape(part))).collect()
}
fn parts(key: &Key) -> Vec<String> {
    let mut all = vec![key.space().to_string(), key.kind().to_string()];
    all.extend(key.owner().map(|o| o.to_string()));
    all.extend(key.device().map(|d| match d {
        DeviceId::Number(n) => n.to_string(),
        DeviceId::Name(n) => format!("!={n}"),
    }));
    all.extend(key.number().map(|n| format!("!#{n}")));
    all
}
proptest! {
    #[test]
    fn a_key_is_read_back_from_its_text(key in key()) {
        prop_assert_eq!(parse(&key.to_string()), parts(&key));
    }
    #[test]
    fn different_keys_have_different_texts(a in key(), b in key()) {
        let bytes = |key: &Key| { let mut out = Vec::new(); key.write_to(&mut out); out };
        prop_assert_eq!(a == b, a.to_string() == b.to_string());
        prop_assert_eq!(a == b, bytes(&a) == bytes(&b));
    }

    /// The cache against a map: nested savepoints, kept and undone, over several steps.
    #[test]
    fn the_journal_undoes_exactly(ops in prop::collection::vec((0u8..7, 0u64..4, 0u64..100), 1..80)) {
        let mut cache = Cache::default();
        let mut disk: BTreeMap<u64, u64> = BTreeMap::new();
        cache.begin(usize::MAX);
        let mut now = disk.clone();
        let mut stack = vec![(cache.savepoint(), now.clone())];
        let row = |n| RowOf::<Number>::numbered("n", n);
        for (op, n, value) in ops {
            let mut records = Records { space: "t", cache: &mut cache };
            // load what is cold, as a step does
            if op < 4 && records.get(row(n)).is_err() {
                cache.supply(row(n).within("t"), disk.get(&n).map(|v| Number(*v).encode()));
                records = Records { space: "t", cache: &mut cache };
            }
            match op {
                0 => prop_assert_eq!(records.get(row(n)).ok().flatten().map(|v| v.0), now.get(&n).copied()),
                1 | 2 => {
                    if let Some(v) = records.edit(row(n)).ok().flatten() {
                        v.0 = value;
                        now.insert(n, value);
                    } else {
                        prop_assert!(!now.contains_key(&n));
                    }
                }
                3 => { records.remove(row(n)); now.remove(&n); }
                4 => { records.put(row(n), Number(value)); now.insert(n, value); } // cold or not
                5 => stack.push((cache.savepoint(), now.clone())),
                _ if stack.len() > 1 => {
                    let (savepoint, before) = stack.pop().unwrap();
                    let keep = value % 2 == 0;
                    cache.restore(savepoint, keep);
                    if !keep { now = before; }
                }
                _ => { // the end of a step: committed, or dropped
                    let (savepoint, before) = stack.pop().unwrap();
                    if value % 3 == 0 {
                        cache.restore(savepoint, false);
                        now = before;
                    } else {
                        cache.restore(savepoint, true);
                        let mut seen = std::collections::BTreeSet::new();
                        for (key, bytes) in cache.seal() {
                            prop_assert!(seen.insert(key.clone()), "each key once");
                            let n = key.number().unwrap();
                            match bytes {
                                Some(b) => drop(disk.insert(n, Number::decode(&b).unwrap().0)),
                                None => drop(disk.remove(&n)),
                            }
                        }
                        cache.committed();
                    }
                    prop_assert_eq!(&disk, &now);
                    cache.begin(if value % 5 == 0 { 0 } else { usize::MAX });
                    stack.push((cache.savepoint(), now.clone()));
                }
            }
        }
    }

    /// What is damaged is not read, and does not panic.
    #[test]
    fn damaged_rows_are_no_panic(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
        use crate::codec::Reader;
        use crate::wire::{Stored, read_output};
        drop(read_output(&mut Reader::new(&bytes)));
        drop(crate::house::Message::read(&mut Reader::new(&bytes)));
        drop(Request::read(&mut Reader::new(&bytes)));
        drop(Vec::<DeviceReport>::read(&mut Reader::new(&bytes)));
    }
}

#[test]
fn texts_of_keys() {
    let bob = Address::from("bob@x/y");
    assert_eq!(RowOf::<Number>::single("state").within("house").to_string(), "house/state");
    assert_eq!(RowOf::<Number>::device("session", &Device::of(&bob, 42)).within("omemo").to_string(), "omemo/session/bob@x%2Fy/42");
    assert_eq!(RowOf::<Number>::numbered("prekey", 7).within("omemo").to_string(), "omemo/prekey/#7");
}

#[test]
fn the_longest_unused_are_forgotten_and_come_back() {
    let ((mut machine, _), mut store) = (machine(), MemoryStore::default());
    machine.configure(Settings::default().cached_records(64));
    let devices: Vec<u32> = (1..=40).collect();
    for chat in ["bob@x", "carol@x", "dave@x"] {
        assert!(settle(&mut machine, &mut store, vec![say("1", chat, "x")], &devices).contains(&"sent 1 40".into()), "more than fits, in one step");
    }
    step(&mut machine, &mut store, Vec::new()).len();
    assert!(machine.cache.len() <= 64);
    for chat in ["bob@x", "carol@x", "dave@x"] {
        let out = words(step(&mut machine, &mut store, vec![say("2", chat, "x")]));
        assert!(out[0].starts_with("transmit 2/0 1:2,2:2,3:2,"), "{out:?}");
    }
}

#[test]
fn a_damaged_record_closes_the_message_and_nothing_else() {
    let ((mut machine, _), mut store) = (machine(), MemoryStore::default());
    settle(&mut machine, &mut store, vec![say("1", "bob@x", "x"), say("2", "carol@x", "x")], &[7]);
    let key = session(&Device::of(&"bob@x".into(), 7)).within("toy");
    store.commit(&Batch::for_tests(vec![(key, Some(vec![9, 9]))])).unwrap();
    let (mut machine, _) = self::machine();
    let out = words(step(&mut machine, &mut store, vec![say("3", "bob@x", "x"), say("4", "carol@x", "x")]));
    assert_eq!(out[out.len() - 3..], ["not-sent 3 engine", "transmit 4/0 7:2,x", "sent 4 1"]);
}

#[test]
fn one_answer_of_five_thousand_writes_little() {
    let ((mut machine, _), mut store) = (machine(), MemoryStore::default());
    step(&mut machine, &mut store, vec![say("1", "bob@x", "x")]).len();
    let devices: Vec<u32> = (1..=5000).collect();
    let list = RequestId(machine.house.asked_for_tests()[0]);
    step(&mut machine, &mut store, vec![Input::Answer(list, ids(&devices))]).len();
    assert_eq!(machine.house.live(), 5001);
    struct Small(MemoryStore);
    impl Store for Small {
        type Error = std::convert::Infallible;
        fn load(&mut self, keys: &[Key]) -> Result<Vec<Option<Vec<u8>>>, Self::Error> {
            self.0.load(keys)
        }
        fn commit(&mut self, batch: &Batch) -> Result<(), Self::Error> {
            let bytes: usize = batch.writes().iter().map(|(k, v)| k.to_string().len() + v.as_ref().map_or(0, Vec::len)).sum();
            assert!(bytes < 400, "{bytes} bytes");
            self.0.commit(batch)
        }
    }
    let mut store = Small(store);
    for id in machine.house.asked_for_tests().into_iter().take(300) {
        assert_eq!(step(&mut machine, &mut store, vec![Input::Answer(RequestId(id), Ok(Vec::new()))]).len(), 1);
    }
    // and all of it is there after a restart
    let (mut machine, _) = self::machine();
    step(&mut machine, &mut store, Vec::new()).len();
    assert_eq!(machine.house.live(), 4701);
}

#[test]
fn after_a_restart_a_message_loads_in_a_few_rounds() {
    let ((mut machine, _), mut store) = (machine(), MemoryStore::default());
    let devices: Vec<u32> = (1..=500).collect();
    settle(&mut machine, &mut store, vec![say("1", "bob@x", "x")], &devices);
    struct Rounds(MemoryStore, usize);
    impl Store for Rounds {
        type Error = std::convert::Infallible;
        fn load(&mut self, keys: &[Key]) -> Result<Vec<Option<Vec<u8>>>, Self::Error> {
            self.1 += 1;
            let rows = self.0.load(keys)?;
            let absent = rows.iter().filter(|row| row.is_none()).count();
            assert!(absent <= 2, "asks for {absent} rows that were never written"); // those about what could not be read come with the state
            Ok(rows)
        }
        fn commit(&mut self, batch: &Batch) -> Result<(), Self::Error> {
            self.0.commit(batch)
        }
    }
    let mut store = Rounds(store, 0);
    let (mut machine, _) = self::machine();
    let out = words(step(&mut machine, &mut store, vec![say("2", "bob@x", "x")]));
    assert_eq!(out.last().unwrap(), "sent 2 500");
    assert_eq!(store.1, 7, "state, index, items; list, sessions, trust, the owner's trust rows");
}

#[test]
fn the_stored_forms_stay_readable() {
    // rows as version 1 writes them: a change here is a new version, not a new expectation
    use crate::codec::Writer;
    use crate::wire::{Stored, write_output};
    let hex = |bytes: &[u8]| bytes.iter().map(|b| format!("{b:02x}")).collect::<String>();
    let mut out = Writer::new();
    let part = Part { content_type: ContentType::STANZA, body: b"<x/>".to_vec() };
    let device = Device::of(&"b@x".into(), 300);
    let to = Recipients::Device(device.clone());
    write_output(
        &mut out,
        &Output::Transmit {
            id: "i".into(),
            part: 1,
            chat: ChatId("b@x".into()),
            to,
            kind: Kind::Other,
            wire: Wire::Encrypted(part),
            headers: Headers::default(),
            made: Time(0x0102),
        },
    );
    assert_eq!(
        hex(&out.into_bytes()),
        "03820201690103624078010362407800ac020500226170706c69636174696f6e2f766e642e737562726f73612e7374616e7a612b786d6c043c782f3e"
    );
    let mut out = Writer::new();
    vec![
        DeviceReport { device: device.clone(), protocol: "p".into(), result: Ok(()) },
        DeviceReport { device, protocol: "p".into(), result: Err(Exclusion::NoBundle) },
    ]
    .write(&mut out);
    assert_eq!(hex(&out.into_bytes()), "02000362407800ac0201700700ac02096e6f2d62756e646c65");
}

/// Written before it was kept when a message was made.
#[test]
fn messages_of_an_older_version_that_are_to_leave_are_read() {
    let old = "0001690103624078010362407800ac020500226170706c69636174696f6e2f766e642e737562726f73612e7374616e7a612b786d6c043c782f3e";
    let bytes: Vec<u8> = (0..old.len()).step_by(2).map(|at| u8::from_str_radix(&old[at..at + 2], 16).unwrap()).collect();
    let mut input = crate::codec::Reader::new(&bytes);
    let Some(Output::Transmit { id, part: 1, made: Time(0), .. }) = crate::wire::read_output(&mut input) else { panic!() };
    assert!(id.as_str() == "i" && input.end().is_some());
}

/// Written before anybody could be left out of a message and before refusals were about people.
#[test]
fn outputs_of_an_older_version_are_read() {
    use crate::codec::{Reader, Writer};
    use crate::wire::{read_output, write_output};
    let bytes = |event: Event| {
        let mut out = Writer::with_capacity(64);
        write_output(&mut out, &Output::Event(event));
        out.into_bytes()
    };
    let read = |bytes: &[u8]| {
        let mut input = Reader::new(bytes);
        let output = read_output(&mut input)?;
        input.end().map(|()| format!("{output:?}"))
    };
    let sent = |left_out| Event::Sent { id: "1".into(), kind: Kind::Text, report: Vec::new(), left_out, unsaid: vec![] };
    let old = bytes(sent(vec![]));
    assert_eq!(read(&old[..old.len() - 2]), read(&old));
    assert_eq!(read(&old), Some(format!("{:?}", Output::Event(sent(vec![])))));
    assert_eq!(read(&bytes(sent(vec!["bob@x".into()]))), Some(format!("{:?}", Output::Event(sent(vec!["bob@x".into()])))));
    let refused = |people: Vec<Address>| Event::NotSent {
        id: "1".into(),
        kind: Kind::Text,
        why: Refusal::from(Reason::MembersWithoutKeys).about(people),
        report: Vec::new(),
        ask: None,
    };
    for people in [vec![], vec!["bob@x".into()]] {
        assert_eq!(read(&bytes(refused(people.clone()))), Some(format!("{:?}", Output::Event(refused(people)))));
    }
    // as it was written before: status, reason, device, and what stands behind it
    let why = Refusal::from(Reason::Untrusted);
    let mut old = Writer::with_capacity(64);
    old.u8(2).u8(3).str("1").u8(0);
    (why.status.code()).write(&mut old);
    old.str("untrusted").u8(0).len(0).u8(0);
    let output = Output::Event(Event::NotSent { id: "1".into(), kind: Kind::Text, why, report: Vec::new(), ask: None });
    assert_eq!(read(&old.into_bytes()), Some(format!("{output:?}")));
}
