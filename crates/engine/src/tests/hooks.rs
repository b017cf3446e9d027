//! What every engine may rely on, and no engine may break.
use super::*;

/// XOR as an application would write it: text and file offers only.
struct Plain(&'static str);
impl Engine for Plain {
    fn name(&self) -> &'static str {
        "plain"
    }
    fn outgoing(&self, cx: &mut Context<'_>, message: &Outgoing<'_>) -> Hook<Encrypted> {
        match message.plain.bytes() {
            b"later" => Ok(Outcome::Pending(cx.network.until_completed().0)),
            text => Ok(Outcome::Done(Encrypted::new(ContentType::TEXT, [self.0.as_bytes(), text].concat())?)),
        }
    }
    fn incoming(&self, cx: &mut Context<'_>, message: &Incoming<'_>) -> Hook<Decrypted> {
        let plain = |content_type| Ok(Outcome::Done(Decrypted::new(Plaintext::new(content_type, message.body))));
        match message.body {
            b"later" => Ok(Outcome::Pending(cx.network.until_completed().0)),
            b"not restored" => plain(ContentType("cipher/xor".into())),
            b"silent" => Ok(Outcome::Silent),
            b"no" => Ok(Outcome::Rejected(Status::new(603).into())),
            b"core" => {
                let core = cx.application::<String>().cloned().unwrap_or_default();
                let header = message.headers.get("x-a").unwrap_or_default();
                Ok(Outcome::Done(Decrypted::new(Plaintext::text(&format!("{core} {header}")))))
            }
            _ => plain(ContentType::TEXT),
        }
    }
}
fn plain_machine(engine: Plain) -> (Machine, EngineId) {
    let mut machine = Machine::new("me@x".into());
    let id = machine.install(engine).id();
    machine.route(move |_| Some(id));
    (machine, id)
}
fn of_kind(input: Input, k: Kind) -> Input {
    match input {
        Input::Send { id, chat, to, plain, headers, .. } => Input::Send { id, chat, to, kind: k, plain, headers },
        other => other,
    }
}
fn as_transports_write(mut input: Input) -> Input {
    match &mut input {
        Input::Send { plain, .. } => plain.content_type = ContentType::STANZA,
        Input::Receive { content_type, .. } => *content_type = ContentType::STANZA,
        _ => {}
    }
    input
}
fn held(id: &str, text: &str, by: u64) -> Input {
    let Input::Receive { id, chat, from, sent, kind, content_type, body, .. } = receive(id, "bob@x", Kind::Text, text) else { unreachable!() };
    let headers = Headers::default().with("X-A", "beside");
    Input::Receive { id, chat, from, sent, kind, content_type, body, headers, answer_by: Some(Time(by)) }
}

#[test]
fn what_an_engine_does_not_want_passes_it_by_or_is_skipped() {
    let ((mut machine, _), mut store) = (plain_machine(Plain("1:")), MemoryStore::default());
    for kind in [Kind::Typing, Kind::Receipt] {
        let out = words(step(&mut machine, &mut store, vec![as_transports_write(of_kind(say("1", "bob@x", "writing"), kind))]));
        assert_eq!(out, ["clear 1 writing", "sent 1 0"]);
        let out = words(step(&mut machine, &mut store, vec![as_transports_write(receive("2", "bob@x", kind, "writes"))]));
        assert_eq!(out, ["message 2 writes (clear)"]);
    }
    // anything else is not sent and not shown in clear because an engine does not care for it
    let out = words(step(&mut machine, &mut store, vec![of_kind(say("3", "bob@x", "call"), Kind::Call)]));
    assert_eq!(out, ["not-sent 3 not-encrypted"]);
    let out = words(step(&mut machine, &mut store, vec![receive("4", "bob@x", Kind::Call, "call")]));
    assert_eq!(out, ["refuse 4 488", "not-received 4 not-encrypted"]);
}

#[test]
fn a_held_answer_is_given_exactly_once() {
    let ((mut machine, _), mut store) = (plain_machine(Plain("1:")), MemoryStore::default());
    machine.set_application(String::from("the core"));
    let mut at = |time, inputs| words(step_at(time, &mut machine, &mut store, inputs));
    assert_eq!(at(0, vec![held("1", "hello", 10)]), ["message 1 hello", "accept 1"]);
    assert_eq!(at(0, vec![held("2", "silent", 10)]), ["accept 2"]);
    assert_eq!(at(0, vec![held("3", "no", 10)]), ["refuse 3 603", "not-received 3 engine"]);
    assert_eq!(at(0, vec![held("4", "core", 10)]), ["message 4 the core beside", "accept 4"]);
    assert_eq!(at(0, vec![held("5", "not restored", 10)]), ["refuse 5 415", "not-received 5 content-type"]);
    // too late is 480, and what completes it afterwards shows nothing
    assert_eq!(at(1, vec![held("6", "later", 10)]), [""; 0]);
    assert_eq!(machine.wake_at(), Some(Time(10)));
    let token = machine.house.tokens_for_tests()[0];
    let mut at = |time, inputs| words(step_at(time, &mut machine, &mut store, inputs));
    assert_eq!(at(10, vec![Input::Tick]), ["refuse 6 480", "not-received 6 expired"]);
    let done = || Completion::Decrypted(Decrypted::new(Plaintext::text("late")));
    assert_eq!(at(11, vec![Input::Complete(token, done())]), [""; 0]);
    // in time it is shown, and its type is looked at too
    at(20, vec![held("7", "later", 30)]);
    let token = machine.house.tokens_for_tests()[0];
    assert_eq!(words(step_at(25, &mut machine, &mut store, vec![Input::Complete(token, done())])), ["message 7 late", "accept 7"]);
    step_at(40, &mut machine, &mut store, vec![held("8", "later", 50)]).iter().for_each(drop);
    let token = machine.house.tokens_for_tests()[0];
    let wrong = Completion::Decrypted(Decrypted::new(Plaintext::new(ContentType("cipher/xor".into()), *b"x")));
    assert_eq!(words(step_at(45, &mut machine, &mut store, vec![Input::Complete(token, wrong)])), ["refuse 8 415", "not-received 8 content-type"]);
}

#[test]
fn what_can_be_shown_is_the_applications_to_say() {
    let ((mut machine, _), mut store) = (plain_machine(Plain("1:")), MemoryStore::default());
    machine.shows(|content_type| content_type.0 == "cipher/xor");
    assert_eq!(words(step(&mut machine, &mut store, vec![receive("1", "bob@x", Kind::Text, "not restored")])), ["message 1 not restored"]);
    assert_eq!(words(step(&mut machine, &mut store, vec![receive("2", "bob@x", Kind::Text, "hello")]))[0], "refuse 2 415");
}

#[test]
fn what_began_with_an_engine_ends_with_it() {
    let ((mut machine, _), mut store) = (plain_machine(Plain("old:")), MemoryStore::default());
    step(&mut machine, &mut store, vec![say("1", "bob@x", "later"), say("2", "bob@x", "behind it")]).iter().for_each(drop);
    let new = machine.install(Plain("new:"));
    // another chat has the new one at once, though the rule still names the old
    assert_eq!(words(step(&mut machine, &mut store, vec![say("3", "carol@x", "hello")])), ["transmit 3/0 new:hello", "sent 3 0"]);
    let (token, done) = (machine.house.tokens_for_tests()[0], Encrypted::new(ContentType::TEXT, b"one".to_vec()).unwrap());
    let out = words(step(&mut machine, &mut store, vec![Input::Complete(token, Completion::Encrypted(done))]));
    assert_eq!(out, ["transmit 1/0 one", "sent 1 0", "transmit 2/0 old:behind it", "sent 2 0"]);
    assert!(machine.engines[0].engine.is_some());
    step(&mut machine, &mut store, vec![]).iter().for_each(drop);
    assert!(machine.engines[0].engine.is_none(), "nothing needs it any more");
    // removed: nothing leaves and nothing is shown in clear, even where a person chose clear text for the chat
    machine.remove(new.id());
    let chat = ChatId("bob@x".into());
    let choice = ClearTextQuestion::about(&chat).confirmed_by_user();
    let allow = Input::SetPolicy(chat, Policy::Optional(choice));
    let out = words(step(&mut machine, &mut store, vec![allow, say("4", "bob@x", "hello"), receive("5", "bob@x", Kind::Text, "hi")]));
    assert_eq!(out, ["not-sent 4 engine", "refuse 5 500", "not-received 5 engine"]);
}

#[test]
fn a_file_goes_in_clear_only_where_a_person_chose_so() {
    let ((mut machine, _), mut store) = (plain_machine(Plain("1:")), MemoryStore::default());
    let chat = ChatId("bob@x".into());
    let offer = |id: &str| {
        let file = FileInfo { name: "a".into(), content_type: "text/plain".into(), size: 1, tag: None };
        Input::OfferFile { id: id.into(), chat: chat.clone(), to: Recipients::People(vec!["bob@x".into()]), file }
    };
    let mut outputs = step(&mut machine, &mut store, vec![offer("1")]).into_iter();
    let Some((_, Output::Event(Event::NotSent { ask: Some(question), .. }))) = outputs.next() else { panic!("a question") };
    let allow = Input::SetPolicy(chat.clone(), Policy::Optional(question.confirmed_by_user()));
    assert_eq!(words(step(&mut machine, &mut store, vec![allow, offer("2")])), ["upload 2 clear"]);
    let file = FileInfo { name: "a".into(), content_type: "text/plain".into(), size: 1, tag: None };
    assert_eq!(machine.download(&chat, &file, &FileKey(vec![1].into())).unwrap_err(), Status::INTERNAL);
}

#[test]
fn rows_from_before_headers_are_read() {
    use crate::codec::{Reader, Writer};
    use crate::house::{AnswerBy, Message};
    use crate::wire::Stored;
    let message = |headers, by| Message::In {
        id: "1".into(),
        chat: ChatId("bob@x".into()),
        from: "bob@x".into(),
        sent: Time(1),
        kind: Kind::Text,
        content_type: ContentType::TEXT,
        body: b"hello".to_vec(),
        headers,
        answer_by: AnswerBy(by),
    };
    let row = |message: Message| {
        let mut out = Writer::new();
        message.write(&mut out);
        out.into_bytes()
    };
    let read = |bytes: &[u8]| Message::read(&mut Reader::versioned(&[&[1], bytes].concat(), 1).unwrap());
    let (old, headers) = (row(message(Headers::default(), None)), Headers::default().with("X-A", "b"));
    // no headers are one byte, no deadline another
    let Some(Message::In { body, headers: none, answer_by: AnswerBy(None), .. }) = read(&old[..old.len() - 2]) else { panic!("it is read") };
    assert_eq!((body.as_slice(), none), (&b"hello"[..], Headers::default()));
    let Some(Message::In { headers: read, answer_by, .. }) = read(&row(message(headers.clone(), Some(Time(9))))) else { panic!("it is read") };
    assert_eq!((read, answer_by), (headers, AnswerBy(Some(Time(9)))));
}
