use super::*;
use crate::house::failed::{KEPT, KEPT_BYTES, READ, TOLD};

/// Reads what is for it, where somebody of that name is in the room.
struct Choosy(&'static str);
impl Engine for Choosy {
    fn name(&self) -> &'static str {
        self.0
    }
    fn outgoing(&self, _: &mut Context<'_>, _: &Outgoing<'_>) -> Hook<Encrypted> {
        Ok(Outcome::Skipped)
    }
    fn incoming(&self, cx: &mut Context<'_>, message: &Incoming<'_>) -> Hook<Decrypted> {
        let text = std::str::from_utf8(message.body)?;
        let (name, words) = text.split_once(' ').unwrap_or((text, ""));
        let member = |room: &Room| room.members.iter().any(|m| m.as_str() == name);
        Ok(match name {
            "wait" => {
                if cx.records.get(RowOf::<Number>::single("answered"))?.is_none() {
                    cx.network.ask(Request::Fetch(list_node(message.from)));
                    return Ok(cx.network.until_answered().map_or(Outcome::Skipped, Outcome::Pending));
                }
                Outcome::Done(Decrypted::new(Plaintext::text(words)))
            }
            "list" if cx.records.get(RowOf::<Number>::single("known"))?.is_some() => Outcome::Done(Decrypted::new(Plaintext::text(words))),
            "met" => {
                let device = Device::of(&Address::from(words), 7u32);
                cx.sender(&device, &key_of(7), "")?.map_or(Outcome::Silent, |_| Outcome::Silent)
            }
            "known" => match cx.identities(&Address::from(words))?.is_empty() {
                true => Outcome::Rejected(Reason::UnknownMember.into()),
                false => Outcome::Done(Decrypted::new(Plaintext::text(words))),
            },
            "once" => {
                let row = RowOf::<Number>::numbered("once", words.parse()?);
                if cx.records.get(row.clone())?.is_some() {
                    return Ok(Outcome::Rejected(Reason::Damaged.into())); // it does not know it any more
                }
                cx.records.put(row, Number(1));
                match cx.sender(&Device::of(message.from, 7u32), &key_of(7), "")? {
                    Ok(sender) => Outcome::Done(Decrypted::new(Plaintext::text(words)).by(sender)),
                    Err(why) => Outcome::Rejected(why),
                }
            }
            "broken" => Outcome::Rejected(Reason::Damaged.into()),
            "panic" => panic!("a bug in the engine"),
            "no" => Outcome::Rejected(Status::new(603).into()),
            "one" | "two" if name != self.0 => Outcome::Rejected(Reason::Unsupported.into()),
            "one" | "two" => Outcome::Done(Decrypted::new(Plaintext::text(words))),
            _ if message.room.is_some_and(member) => Outcome::Done(Decrypted::new(Plaintext::text(words))),
            _ => Outcome::Rejected(Reason::UnknownMember.into()),
        })
    }
    fn notice(&self, cx: &mut Context<'_>, notice: &Notice) -> Result<(), Halt> {
        if let Notice::Published(node, _) = notice {
            cx.records.put(RowOf::single("known"), Number(1));
            cx.network.learned(&node.owner);
        }
        if matches!(notice, Notice::Answer(..)) {
            cx.records.put(RowOf::single("answered"), Number(1));
        }
        Ok(())
    }
}
fn with(engine: &'static str) -> Machine {
    let mut machine = Machine::new("alice@x".into());
    let engine = machine.install(Choosy(engine));
    machine.route(move |_| Some(engine.id()));
    machine
}
fn said(machine: &mut Machine, store: &mut MemoryStore, inputs: Vec<Input>) -> Vec<String> {
    let mut done = Vec::new();
    let outputs = step(machine, store, inputs);
    done.extend(outputs.iter().filter(|(_, o)| o.is_owed()).map(|(id, _)| Input::Done(*id)));
    let words = words(outputs);
    assert!(step(machine, store, done).is_empty());
    words
}
fn words_of_new(mut outputs: Outputs) -> Vec<String> {
    drop(outputs.take_again());
    words(outputs)
}
fn people(room: &str, names: &[&str]) -> Input {
    Input::Room(ChatId(room.into()), Some(names.iter().map(|n| Address::from(*n)).collect()))
}
fn text(id: &str, from: &str, body: &str) -> Input {
    receive(id, from, Kind::Text, body)
}

#[test]
fn a_message_of_a_changed_key_is_read_when_the_key_is_accepted() {
    let ((mut machine, _), mut store) = (machine(), MemoryStore::default());
    said(&mut machine, &mut store, vec![text("1", "bob@x", "seen 1")]);
    let refused = ["changed bob@x/7", "refuse 2 403", "not-received 2 key-changed"];
    assert_eq!(said(&mut machine, &mut store, vec![text("2", "bob@x", "changed 9")]), refused);
    // by another way, with another id: told before
    assert!(said(&mut machine, &mut store, vec![text("2b", "bob@x", "changed 9")]).is_empty());
    // another process; another device, and a no to the key, change nothing
    let (mut machine, _) = super::machine();
    let other = Device::of(&"bob@x".into(), 8u32);
    let device = Device::of(&"bob@x".into(), 7u32);
    let decide = |device: &Device, trust| Input::SetTrust(device.clone(), key_of(9), trust);
    assert!(said(&mut machine, &mut store, vec![decide(&other, Trust::Trusted), decide(&device, Trust::Untrusted)]).is_empty());
    assert_eq!(said(&mut machine, &mut store, vec![decide(&device, Trust::Verified)]), ["message 2 ok"]);
    assert!(said(&mut machine, &mut store, vec![decide(&device, Trust::Trusted)]).is_empty(), "it was kept once");
}
#[test]
fn a_message_of_nobody_is_read_when_somebody_is_there() {
    let (mut machine, mut store) = (with("one"), MemoryStore::default());
    let all = vec![people("room@x", &["carol@x"]), text("1", "room@x", "bob@x hello"), text("2", "other@x", "bob@x hi")];
    let told = said(&mut machine, &mut store, all);
    assert_eq!(told, ["refuse 1 488", "not-received 1 unknown-member", "refuse 2 488", "not-received 2 unknown-member"]);
    let other_way = receive("1c", "room@x", Kind::Text, "bob@x hello");
    assert!(said(&mut machine, &mut store, vec![other_way]).is_empty(), "another id");
    let broken = |id: &str, from: &str| {
        let Input::Receive { chat, sent, kind, content_type, body, headers, answer_by, .. } = text("", "room@x", "broken") else { panic!() };
        Input::Receive { id: id.into(), chat, from: from.into(), sent, kind, content_type, body, headers, answer_by }
    };
    assert_eq!(said(&mut machine, &mut store, vec![broken("3", "carol@x")]).len(), 2);
    assert!(said(&mut machine, &mut store, vec![broken("3b", "room@x")]).is_empty(), "an archive that does not say who wrote it");
    for nothing_new in [people("room@x", &["carol@x"]), people("room@x", &["dave@x"])] {
        assert!(said(&mut machine, &mut store, vec![nothing_new]).is_empty());
    }
    let mut machine = with("one");
    assert_eq!(said(&mut machine, &mut store, vec![people("room@x", &["bob@x"])]), ["message 1 hello"]);
    assert!(said(&mut machine, &mut store, vec![people("room@x", &[])]).is_empty());
    assert_eq!(said(&mut machine, &mut store, vec![people("other@x", &["bob@x"])]), ["message 2 hi"]);
}
#[test]
fn a_message_of_nobody_is_read_when_more_is_known_of_a_member() {
    let (mut machine, mut store) = (with("one"), MemoryStore::default());
    let all = vec![people("room@x", &["bob@x"]), text("1", "room@x", "list hello"), text("2", "room@x", "known bob@x")];
    assert_eq!(said(&mut machine, &mut store, all).len(), 4);
    let published = |owner: &str| Input::Published(list_node(&owner.into()), None);
    assert!(said(&mut machine, &mut store, vec![published("carol@x")]).is_empty(), "who is not in the room");
    assert_eq!(said(&mut machine, &mut store, vec![published("bob@x")]), ["message 1 hello"]);
    let met = said(&mut machine, &mut store, vec![text("3", "bob@x", "met bob@x")]);
    assert_eq!(met, ["new bob@x/7 trusted", "message 2 bob@x"]);
}
#[test]
fn what_no_engine_spoke_is_read_by_one_that_does() {
    let (mut machine, mut store) = (with("one"), MemoryStore::default());
    assert_eq!(said(&mut machine, &mut store, vec![text("1", "bob@x", "two hello")]), ["refuse 1 488", "not-received 1 unsupported"]);
    assert!(said(&mut with("one"), &mut store, Vec::new()).is_empty(), "a start alone is no change");
    assert_eq!(said(&mut with("two"), &mut store, Vec::new()), ["message 1 hello"]);
    assert!(said(&mut with("two"), &mut store, Vec::new()).is_empty());
    // a chat without an engine gets one
    let mut bare = Machine::new("alice@x".into());
    assert_eq!(said(&mut bare, &mut store, vec![text("2", "bob@x", "one hi")]), ["refuse 2 488", "not-received 2 not-encrypted"]);
    assert_eq!(said(&mut with("one"), &mut store, Vec::new()), ["message 2 hi"]);
    // one that has a bug, and one that is gone
    let mut machine = with("one");
    assert_eq!(said(&mut machine, &mut store, vec![text("3", "bob@x", "panic")]), ["refuse 3 500", "not-received 3 engine"]);
    let one = machine.install(Choosy("one"));
    machine.route(move |_| Some(one.id()));
    machine.remove(one.id());
    assert_eq!(said(&mut machine, &mut store, vec![text("4", "bob@x", "one there")]), ["refuse 4 500", "not-received 4 engine"]);
    machine.install(Choosy("one"));
    assert_eq!(said(&mut machine, &mut store, Vec::new()), ["message 4 there"]);
}
#[test]
fn what_can_never_be_read_is_told_once_and_not_kept() {
    let (mut machine, mut store) = (with("one"), MemoryStore::default());
    assert_eq!(said(&mut machine, &mut store, vec![text("1", "bob@x", "broken")]), ["refuse 1 488", "not-received 1 damaged"]);
    assert!(said(&mut machine, &mut store, vec![text("1", "bob@x", "broken")]).is_empty());
    assert_eq!(said(&mut machine, &mut store, vec![text("1", "carol@x", "broken")]).len(), 2, "of somebody else");
    assert_eq!(said(&mut machine, &mut store, vec![text("1c", "bob@x", "broken")]).len(), 2, "an engine without devices may make the same twice");
    assert_eq!(said(&mut machine, &mut store, vec![text("2", "bob@x", "no")]), ["refuse 2 603", "not-received 2 engine"]);
    assert!(store.keys_for_tests().all(|key| key.kind() != "failed"));
    // the same words in clear are two messages, if there are two
    let mut bare = Machine::new("alice@x".into());
    for id in ["3", "4"] {
        let told = said(&mut bare, &mut store, vec![text(id, "dave@x", "hello"), text(id, "dave@x", "hello")]);
        assert_eq!(told, [format!("refuse {id} 488"), format!("not-received {id} not-encrypted")]);
    }
}
/// What nobody looked into may be the same words twice: a notice that something is encrypted, in the way of somebody else.
#[test]
fn two_messages_that_nobody_speaks_are_two() {
    let (mut machine, mut store) = (with("one"), MemoryStore::default());
    for id in ["1", "2"] {
        let told = said(&mut machine, &mut store, vec![text(id, "bob@x", "two"), text(id, "bob@x", "two")]);
        assert_eq!(told, [format!("refuse {id} 488"), format!("not-received {id} unsupported")]);
    }
}
#[test]
fn who_holds_the_answer_is_always_answered_and_nothing_is_kept_of_it() {
    let (mut machine, mut store) = (with("one"), MemoryStore::default());
    let held = || {
        let Input::Receive { id, chat, from, sent, kind, content_type, body, headers, .. } = text("1", "bob@x", "two hello") else { panic!() };
        Input::Receive { id, chat, from, sent, kind, content_type, body, headers, answer_by: Some(Time(9)) }
    };
    assert_eq!(said(&mut machine, &mut store, vec![held()]), ["refuse 1 488", "not-received 1 unsupported"]);
    assert_eq!(said(&mut machine, &mut store, vec![held()]), ["refuse 1 488"]);
    assert!(said(&mut with("two"), &mut store, Vec::new()).is_empty(), "its sender was told that it was not shown");
}
#[test]
fn what_was_not_answered_in_time_is_tried_with_the_next_connection() {
    let (mut machine, mut store) = (with("one"), MemoryStore::default());
    said(&mut machine, &mut store, vec![text("1", "bob@x", "wait hello")]);
    let late = step_at(u64::MAX / 2, &mut machine, &mut store, vec![Input::Tick]);
    assert_eq!(words(late), ["refuse 1 408", "not-received 1 expired"]);
    assert!(words(step(&mut machine, &mut store, vec![Input::Online { resumed: true }])).iter().all(|w| !w.contains('1')));
    let outputs = step(&mut machine, &mut store, vec![Input::Online { resumed: false }]);
    let asked = outputs.iter().find_map(|(_, o)| if let Output::Request(id, _) = o { Some(*id) } else { None }).unwrap();
    assert_eq!(words(step(&mut machine, &mut store, vec![Input::Answer(asked, ids(&[]))])), ["message 1 hello"]);
}
#[test]
fn what_is_kept_is_bounded_and_the_oldest_goes_without_a_word() {
    let (mut machine, mut store) = (with("one"), MemoryStore::default());
    let storm = (0..KEPT + 40).map(|n| text(&n.to_string(), "bob@x", &format!("two {n}"))).collect();
    assert_eq!(words(step(&mut machine, &mut store, storm)).len(), 2 * (KEPT + 40));
    let count = |store: &MemoryStore, kind: &str| store.keys_for_tests().filter(|key| key.kind() == kind && key.number().is_some()).count();
    assert_eq!(count(&store, "failed"), KEPT);
    let read: Vec<String> = words(step(&mut with("two"), &mut store, Vec::new())).into_iter().filter(|w| w.starts_with("message")).collect();
    assert_eq!((read.len(), read[0].as_str(), count(&store, "failed")), (KEPT, "message 40 40", 0));
    // by bytes
    let mut machine = with("one");
    let long = |n: u64, bytes: u64| text(&n.to_string(), "bob@x", &format!("two {n:09}{}", "x".repeat(bytes as usize)));
    let large = (0..20).map(|n| long(n, KEPT_BYTES / 8)).chain([long(99, KEPT_BYTES)]).collect();
    step(&mut machine, &mut store, large).len();
    assert_eq!(count(&store, "failed"), 7, "seven fit, one that is larger than all is none");
    // what was told
    let storm = (0..TOLD + 100).map(|n| text("x", "bob@x", &format!("broken {n}"))).collect();
    step(&mut machine, &mut store, storm).len();
    assert_eq!((count(&store, "told"), count(&store, "told-turn")), (TOLD as usize, TOLD as usize));
    assert!(words(step(&mut machine, &mut store, vec![text("x", "bob@x", "broken 2147")])).is_empty());
    assert_eq!(words(step(&mut machine, &mut store, vec![text("x", "bob@x", "broken 3")])).len(), 2, "long ago");
}
#[test]
fn damaged_rows_stop_no_message() {
    let (mut machine, mut store) = (with("one"), MemoryStore::default());
    step(&mut machine, &mut store, vec![text("1", "bob@x", "two hello")]).len();
    let rows: Vec<Key> = store.keys_for_tests().filter(|k| matches!(k.kind(), "failed" | "told" | "told-turn")).cloned().collect();
    assert_eq!(rows.len(), 5);
    for key in rows {
        let mut broken = store.clone();
        broken.commit(&Batch::for_tests(vec![(key.clone(), Some(vec![9, 9]))])).unwrap();
        let read = words(step(&mut with("two"), &mut broken, vec![text("1", "bob@x", "two hello"), text("2", "bob@x", "broken")]));
        assert!(read.contains(&"message 1 hello".to_owned()) && read.contains(&"not-received 2 damaged".to_owned()), "{key}: {read:?}");
    }
}
#[test]
fn what_was_read_is_not_told_as_unreadable_when_it_comes_again() {
    let (mut machine, mut store) = (with("one"), MemoryStore::default());
    let many = READ.0 as usize * READ.1 + READ.1 + 10;
    let once = |n: usize, id: &str| text(id, "bob@x", &format!("once {n}"));
    let all = (0..many).map(|n| once(n, "x")).collect();
    assert_eq!(words(step(&mut machine, &mut store, all)).len(), many + 1, "and a device");
    let (mut machine, rows) = (with("one"), store.keys_for_tests().filter(|key| key.kind() == "read").count());
    assert_eq!(rows, READ.0 as usize + 1);
    for n in [many - 1, many - READ.1, READ.1 + 10] {
        let again = step(&mut machine, &mut store, vec![once(n, "y")]);
        assert_eq!(words_of_new(again), Vec::<String>::new(), "{n}");
    }
    assert_eq!(words_of_new(step(&mut machine, &mut store, vec![once(0, "z")])), ["refuse z 488", "not-received z damaged"], "long ago");
}
/// Somebody writes more than is kept: it is at the cost of their own chat.
#[test]
fn a_flood_in_one_chat_takes_nothing_from_another() {
    let (mut machine, mut store) = (with("one"), MemoryStore::default());
    let mut all: Vec<Input> = (0..3).map(|n| text(&format!("b{n}"), "bob@x", &format!("two b{n}"))).collect();
    all.extend((0..2 * KEPT).map(|n| text(&n.to_string(), "mallory@x", &format!("two m{n}"))));
    step(&mut machine, &mut store, all).len();
    let read = words(step(&mut with("two"), &mut store, Vec::new()));
    assert_eq!(read.iter().filter(|word| word.starts_with("message b")).count(), 3);
    assert_eq!(read.iter().filter(|word| word.starts_with("message")).count(), KEPT);
    assert_eq!(read.last().unwrap(), &format!("message {n} m{n}", n = 2 * KEPT - 1), "of their own the latest");
}
/// All that is stored of a message counts, not its body alone.
#[test]
fn ids_and_headers_count_too() {
    let (mut machine, mut store) = (with("one"), MemoryStore::default());
    let long = "x".repeat(KEPT_BYTES as usize / 8);
    for n in 0..20 {
        let Input::Receive { chat, from, sent, kind, content_type, body, .. } = text("", "bob@x", &format!("two {n}")) else { panic!() };
        let (id, headers) =
            if n % 2 == 0 { (format!("{n}{long}"), Headers::default()) } else { (n.to_string(), Headers::default().with("a", &long)) };
        let id = MessageId(id.as_str().into());
        step(&mut machine, &mut store, vec![Input::Receive { id, chat, from, sent, kind, content_type, body, headers, answer_by: None }]).len();
    }
    assert_eq!(store.keys_for_tests().filter(|key| key.kind() == "failed" && key.number().is_some()).count(), 7);
}
