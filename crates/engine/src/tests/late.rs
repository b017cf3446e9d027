//! What comes too late, what comes for another, and what would pass as something that it is not.
use super::*;
use std::any::Any;

/// Leaves "later" with somebody, marks the rest with its second name. Text only, and yet a key for files.
struct Mark(&'static str, &'static str);
impl Engine for Mark {
    fn name(&self) -> &'static str {
        self.0
    }
    fn wants(&self, kind: Kind) -> bool {
        kind == Kind::Text
    }
    fn outgoing(&self, cx: &mut Context<'_>, message: &Outgoing<'_>) -> Hook<Encrypted> {
        match message.plain.bytes() {
            b"later" => Ok(Outcome::Pending(cx.network.until_completed().0)),
            b"policy" => {
                cx.records.put(RowOf::person("policy", &message.chat.0), Number(1));
                Ok(Outcome::Skipped)
            }
            text => Ok(Outcome::Done(Encrypted::new(ContentType::TEXT, [self.1.as_bytes(), text].concat())?)),
        }
    }
    fn incoming(&self, cx: &mut Context<'_>, message: &Incoming<'_>) -> Hook<Decrypted> {
        match message.body {
            b"later" => Ok(Outcome::Pending(cx.network.until_completed().0)),
            body => Ok(Outcome::Done(Decrypted::new(Plaintext::new(ContentType::TEXT, body)))),
        }
    }
    fn file_key(&self, _: &mut Context<'_>, _: &Outgoing<'_>, _: &FileInfo) -> Hook<FileKey> {
        Ok(Outcome::Done(FileKey(vec![1].into())))
    }
}
fn mark(name: &'static str) -> Machine {
    let mut machine = Machine::new("me@x".into());
    let id = machine.install(Mark(name, "old:")).id();
    machine.route(move |_| Some(id));
    machine
}
fn held(id: &str, text: &str, by: u64) -> Input {
    let Input::Receive { id, chat, from, sent, kind, content_type, body, headers, .. } = receive(id, "bob@x", Kind::Text, text) else {
        unreachable!()
    };
    Input::Receive { id, chat, from, sent, kind, content_type, body, headers, answer_by: Some(Time(by)) }
}
fn encrypted(text: &str) -> Completion {
    Completion::Encrypted(Encrypted::new(ContentType::TEXT, text.into()).unwrap())
}
fn decrypted(text: &str) -> Completion {
    Completion::Decrypted(Decrypted::new(Plaintext::text(text)))
}
fn allow(chat: &str) -> Input {
    let chat = ChatId(chat.into());
    let choice = ClearTextQuestion::about(&chat).confirmed_by_user();
    Input::SetPolicy(chat, Policy::Optional(choice))
}

/// A disk that can be full.
#[derive(Default)]
struct Disk(MemoryStore, bool);
impl Store for Disk {
    type Error = std::io::Error;
    fn load(&mut self, keys: &[Key]) -> Result<Vec<Option<Vec<u8>>>, Self::Error> {
        Ok(self.0.load(keys).unwrap())
    }
    fn commit(&mut self, batch: &Batch) -> Result<(), Self::Error> {
        if self.1 {
            return Err(std::io::ErrorKind::StorageFull.into());
        }
        self.0.commit(batch).unwrap();
        Ok(())
    }
}
fn fails(machine: &mut Machine, disk: &mut Disk, input: Input) {
    disk.1 = true;
    let mut rng = Counting(7);
    let mut step = machine.begin(Time(0), &mut rng);
    step.feed(input);
    assert!(step.commit(disk).is_err());
    disk.1 = false;
}

#[test]
fn who_completes_what_was_never_stored_completes_nothing_else() {
    let (mut machine, mut disk) = (mark("mark"), Disk::default());
    step(&mut machine, &mut disk, Vec::new()).len();
    // a thread has its words, and the commit failed
    fails(&mut machine, &mut disk, say("1", "bob@x", "later"));
    let token = machine.house.tokens_for_tests()[0];
    // at another time the counting rng counts from another number
    assert_eq!(words(step_at(100, &mut machine, &mut disk, vec![say("2", "carol@x", "later")])), ["waiting 2"]);
    assert_eq!(words(step_at(101, &mut machine, &mut disk, vec![Input::Complete(token, encrypted("for bob"))])), [""; 0]);
    // nor in a process that begins after one that died there
    let (mut machine, mut disk) = (mark("mark"), Disk::default());
    step(&mut machine, &mut disk, Vec::new()).len();
    fails(&mut machine, &mut disk, say("1", "bob@x", "later"));
    let token = machine.house.tokens_for_tests()[0];
    let mut machine = mark("mark");
    assert_eq!(words(step_at(100, &mut machine, &mut disk, vec![say("2", "carol@x", "later")])), ["waiting 2"]);
    assert_eq!(words(step_at(101, &mut machine, &mut disk, vec![Input::Complete(token, encrypted("for bob"))])), [""; 0]);
}

#[test]
fn after_its_deadline_nothing_is_completed_ticked_or_not() {
    let (mut machine, mut store) = (mark("mark"), MemoryStore::default());
    let shown = ["refuse 1 480", "not-received 1 expired"];
    step_at(0, &mut machine, &mut store, vec![held("1", "later", 10)]).len();
    let token = machine.house.tokens_for_tests()[0];
    assert_eq!(words(step_at(11, &mut machine, &mut store, vec![Input::Complete(token, decrypted("late")), Input::Tick])), shown);
    // fed late: its sender was told so, or gave up
    assert_eq!(words(step_at(12, &mut machine, &mut store, vec![held("1", "hello", 11)])), shown);
    assert_eq!(words(step_at(13, &mut machine, &mut store, vec![held("1", "hello", 13)])), ["message 1 hello", "accept 1"]);
    // one that is sent, and those behind it
    machine.configure(Settings::default().patience(std::time::Duration::from_millis(10)));
    step_at(20, &mut machine, &mut store, vec![say("2", "bob@x", "later")]).len();
    step_at(25, &mut machine, &mut store, vec![say("3", "bob@x", "behind it")]).len();
    let token = machine.house.tokens_for_tests()[0];
    let out = words(step_at(31, &mut machine, &mut store, vec![Input::Complete(token, encrypted("late"))]));
    assert_eq!(out, ["not-sent 2 expired", "transmit 3/0 old:behind it", "sent 3 0"]);
}

#[test]
fn words_do_not_pass_as_a_notice() {
    let (mut machine, mut store) = (mark("mark"), MemoryStore::default());
    for kind in [Kind::Typing, Kind::Receipt] {
        for content_type in ["text/plain", "Text/html; charset=utf-8", " TEXT/plain"] {
            let content_type = ContentType(content_type.into());
            let Input::Send { id, chat, to, headers, .. } = say("1", "bob@x", "") else { unreachable!() };
            let plain = Plaintext::new(content_type.clone(), *b"the words");
            let send = Input::Send { id, chat, to, kind, plain, headers };
            assert_eq!(words(step(&mut machine, &mut store, vec![send])), ["not-sent 1 not-encrypted"], "{kind:?} {content_type:?}");
            let Input::Receive { id, chat, from, sent, body, headers, answer_by, .. } = receive("2", "bob@x", kind, "pay me") else { unreachable!() };
            let receive = Input::Receive { id, chat, from, sent, kind, content_type, body, headers, answer_by };
            assert_eq!(words(step(&mut machine, &mut store, vec![receive])), [""; 0], "{kind:?}");
        }
    }
}

#[test]
fn what_began_with_an_engine_ends_with_it_though_a_commit_failed() {
    let (mut machine, mut disk) = (mark("mark"), Disk::default());
    step(&mut machine, &mut disk, vec![say("1", "bob@x", "later"), say("2", "bob@x", "behind it")]).len();
    let token = machine.house.tokens_for_tests()[0];
    machine.install(Mark("mark", "new:"));
    for _ in 0..2 {
        fails(&mut machine, &mut disk, say("3", "carol@x", "hello"));
    }
    let out = words(step(&mut machine, &mut disk, vec![Input::Complete(token, encrypted("one"))]));
    assert_eq!(out.iter().filter(|word| word.starts_with("transmit")).collect::<Vec<_>>(), ["transmit 1/0 one", "transmit 2/0 old:behind it"]);
    step(&mut machine, &mut disk, Vec::new()).len();
    assert!(machine.engines[0].engine.is_none(), "nothing needs it any more");
}

#[test]
fn a_file_is_not_encrypted_for_an_offer_that_will_not_be() {
    let (mut machine, mut store) = (mark("mark"), MemoryStore::default());
    let file = FileInfo { name: "a".into(), content_type: "text/plain".into(), size: 1, tag: None };
    let offer = Input::OfferFile { id: "1".into(), chat: ChatId("bob@x".into()), to: Recipients::People(Vec::new()), file };
    assert_eq!(words(step(&mut machine, &mut store, vec![offer])), ["not-sent 1 not-encrypted"]);
}

#[test]
fn a_name_that_is_none_has_no_records_and_no_chats() {
    for name in ["", "house"] {
        let (mut machine, mut store) = (mark(name), MemoryStore::default());
        assert_eq!(machine.engines().count(), 0);
        for _ in 0..2 {
            let out = words(step(&mut machine, &mut store, vec![allow("carol@x"), say("1", "bob@x", "policy"), say("2", "carol@x", "hello")]));
            assert_eq!(out, ["not-sent 1 engine", "not-sent 2 engine"], "{name:?}");
        }
    }
}

#[test]
fn a_rule_that_names_no_engine_of_this_machine_lets_nothing_pass() {
    let (mut machine, mut store) = (Machine::new("me@x".into()), MemoryStore::default());
    let id = mark("mark").install(Mark("other", "")).id();
    machine.route(move |_| Some(id));
    let out = words(step(&mut machine, &mut store, vec![allow("bob@x"), say("1", "bob@x", "hello"), receive("2", "bob@x", Kind::Text, "hi")]));
    assert_eq!(out, ["not-sent 1 engine", "refuse 2 500", "not-received 2 engine"]);
}

#[test]
fn an_engine_that_panics_when_it_goes_ends_nothing() {
    struct Sore(Box<dyn Any + Send>);
    impl Drop for Sore {
        fn drop(&mut self) {
            let _ = &self.0;
            std::panic::resume_unwind(Box::new("a bug in the engine"));
        }
    }
    impl Engine for Sore {
        fn name(&self) -> &'static str {
            "sore"
        }
        fn outgoing(&self, _: &mut Context<'_>, _: &Outgoing<'_>) -> Hook<Encrypted> {
            Ok(Outcome::Skipped)
        }
        fn incoming(&self, _: &mut Context<'_>, _: &Incoming<'_>) -> Hook<Decrypted> {
            Ok(Outcome::Skipped)
        }
    }
    let (mut machine, mut store) = (mark("mark"), MemoryStore::default());
    let sore = machine.install(Sore(Box::new(()))).id();
    machine.remove(sore);
    assert_eq!(words(step(&mut machine, &mut store, vec![say("1", "bob@x", "hello")])), ["transmit 1/0 old:hello", "sent 1 0"]);
}
