use super::*;

fn asked(outputs: &Outputs) -> Vec<RequestId> {
    outputs.iter().filter_map(|(_, o)| if let Output::Request(id, _) = o { Some(*id) } else { None }).collect()
}

#[test]
fn a_message_waits_for_its_keys_and_leaves() {
    let ((mut machine, _), mut store) = (machine(), MemoryStore::default());
    let outputs = step(&mut machine, &mut store, vec![say("1", "bob@x", "hello")]);
    let list = asked(&outputs);
    assert_eq!(words(outputs), ["waiting 1", "fetch list bob@x"]);
    let outputs = step(&mut machine, &mut store, vec![Input::Answer(list[0], ids(&[7, 8]))]);
    let bundles = asked(&outputs);
    assert_eq!(words(outputs), ["fetch bundle bob@x 7", "fetch bundle bob@x 8"]);
    assert!(words(step(&mut machine, &mut store, vec![Input::Answer(bundles[1], Err(RequestError::NotFound))])).is_empty());
    let last = step(&mut machine, &mut store, vec![Input::Answer(bundles[0], Ok(Vec::new()))]);
    let Output::Event(Event::Sent { report, .. }) = &last.list.last().unwrap().1 else { panic!() };
    assert_eq!(report[1].result, Err(Exclusion::NoBundle));
    assert_eq!(words(last), ["new bob@x/7 trusted", "transmit 1/0 7:1,hello", "sent 1 1"]);
    // an answer to what nobody asks is nothing
    assert!(step(&mut machine, &mut store, vec![Input::Answer(bundles[0], Ok(Vec::new()))]).is_empty());
}

#[test]
fn messages_of_a_chat_leave_in_order_and_other_chats_go_on() {
    let ((mut machine, _), mut store) = (machine(), MemoryStore::default());
    settle(&mut machine, &mut store, vec![say("0", "carol@x", "hello")], &[3]);
    let sends = vec![say("1", "bob@x", "one"), say("2", "bob@x", "skip"), say("3", "bob@x", "three"), say("4", "carol@x", "four")];
    let outputs = step(&mut machine, &mut store, sends);
    let first = asked(&outputs)[0];
    assert_eq!(words(outputs), ["waiting 1", "waiting 2", "waiting 3", "transmit 4/0 3:2,four", "sent 4 1", "fetch list bob@x"]);
    let bundle = asked(&step(&mut machine, &mut store, vec![Input::Answer(first, ids(&[7]))]))[0];
    let outputs = words(step(&mut machine, &mut store, vec![Input::Answer(bundle, Ok(Vec::new()))]));
    assert_eq!(
        outputs,
        ["new bob@x/7 trusted", "transmit 1/0 7:1,one", "sent 1 1", "not-sent 2 not-encrypted", "transmit 3/0 7:2,three", "sent 3 1"]
    );
}

#[test]
fn a_thousand_that_wait_behind_one_do_not_overflow() {
    let ((mut machine, _), mut store) = (machine(), MemoryStore::default());
    let sends = (0..3000).map(|n| say(&n.to_string(), "bob@x", "x")).collect();
    let out = settle(&mut machine, &mut store, sends, &[7]);
    assert_eq!(out.iter().filter(|w| w.starts_with("transmit")).count(), 3000);
}

#[test]
fn typing_is_never_kept() {
    let ((mut machine, _), mut store) = (machine(), MemoryStore::default());
    let typing = |id: &str| Input::Send {
        id: id.into(),
        chat: ChatId("bob@x".into()),
        to: Recipients::People(vec!["bob@x".into()]),
        kind: Kind::Typing,
        plain: Plaintext::text("composing"),
        headers: Headers::default(),
    };
    assert_eq!(settle(&mut machine, &mut store, vec![typing("1")], &[7]), ["not-sent 1 expired"]);
    assert_eq!(settle(&mut machine, &mut store, vec![say("2", "bob@x", "x")], &[7])[0], "waiting 2");
    assert_eq!(settle(&mut machine, &mut store, vec![typing("3")], &[7]), ["transmit 3/0 7:2,composing", "sent 3 1"]);
    let out = words(step(&mut self::machine().0, &mut store, Vec::new()));
    assert!(out.iter().all(|w| !w.contains(" 3") && !w.contains(" 1 ")), "{out:?}");
}

#[test]
fn what_fails_stays_closed() {
    let ((mut machine, toy), mut store) = (machine(), MemoryStore::default());
    settle(&mut machine, &mut store, vec![say("0", "bob@x", "hello")], &[7]);
    for (text, reason) in [("skip", "not-encrypted"), ("silent", "engine"), ("panic", "engine"), ("fail", "engine"), ("empty", "engine")] {
        assert_eq!(settle(&mut machine, &mut store, vec![say("1", "bob@x", text)], &[7]), [format!("not-sent 1 {reason}")], "{text}");
    }
    for (text, status, reason) in
        [("panic", 500, "engine"), ("fail", 500, "engine"), ("clear", 488, "not-encrypted"), ("reject", 488, "too-far-ahead")]
    {
        let out = settle(&mut machine, &mut store, vec![receive("1", "bob@x", Kind::Text, text)], &[]);
        assert_eq!(out, [format!("refuse 1 {status}"), format!("not-received 1 {reason}")], "{text}");
    }
    let mut rng = Counting(0);
    let mut step = machine.begin(Time(0), &mut rng);
    let rows = step.call(toy, |_, cx| {
        Ok((cx.records.get::<Number>(RowOf::single("kept"))?.cloned(), cx.records.get::<Number>(RowOf::single("undone"))?.cloned()))
    });
    let mut outputs = step.commit(&mut store).unwrap();
    assert_eq!(outputs.reply(&rows), Some((Some(Number(1)), None)), "a refusal keeps what its hook did, a failure undoes it");
    assert!(outputs.is_empty());
    // no engine at all
    let mut bare = Machine::new("alice@x".into());
    assert_eq!(settle(&mut bare, &mut MemoryStore::default(), vec![say("1", "bob@x", "hi")], &[]), ["not-sent 1 not-encrypted"]);
}

#[test]
fn an_empty_list_is_no_clear_text() {
    let ((mut machine, _), mut store) = (machine(), MemoryStore::default());
    let out = settle(&mut machine, &mut store, vec![say("1", "bob@x", "secret")], &[]);
    assert_eq!(out, ["waiting 1", "not-sent 1 device-list-unavailable"]);
}

#[test]
fn clear_text_is_a_choice_for_one_chat() {
    let ((mut machine, _), mut store) = (machine(), MemoryStore::default());
    let outputs = step(&mut machine, &mut store, vec![say("1", "bob@x", "skip")]);
    let Some((_, Output::Event(Event::NotSent { ask: Some(ask), .. }))) = outputs.into_iter().next() else { panic!() };
    assert_eq!(ask.chat(), &ChatId("bob@x".into()));
    // it comes again after a restart, and is the same question
    let (mut machine, _) = self::machine();
    let outputs = step(&mut machine, &mut store, Vec::new());
    let Some((_, Output::Event(Event::NotSent { ask: Some(ask), .. }))) = outputs.into_iter().next() else { panic!() };
    let choice = ask.confirmed_by_user();
    step(&mut machine, &mut store, vec![Input::SetPolicy(ChatId("bob@x".into()), Policy::Optional(choice))]).len();
    let out = words(step(&mut machine, &mut store, vec![say("2", "bob@x", "skip"), say("3", "carol@x", "skip")]));
    assert_eq!(out, ["clear 2 skip", "sent 2 0", "not-sent 3 not-encrypted"]);
    let outputs = step(&mut machine, &mut store, vec![receive("4", "bob@x", Kind::Text, "clear"), receive("5", "carol@x", Kind::Text, "clear")]);
    let Output::Event(Event::Message { message, .. }) = &outputs.list[0].1 else { panic!() };
    assert!(message.in_clear() && message.sender().is_none());
    assert_eq!(words(outputs), ["message 4 clear (clear)", "refuse 5 488", "not-received 5 not-encrypted"]);
    step(&mut machine, &mut store, vec![Input::SetPolicy(ChatId("bob@x".into()), Policy::Mandatory)]).len();
    assert_eq!(words(step(&mut machine, &mut store, vec![say("6", "bob@x", "skip")])), ["not-sent 6 not-encrypted"]);
}

#[test]
fn nobody_to_encrypt_to_asks_and_an_error_does_not() {
    let ((mut machine, _), mut store) = (machine(), MemoryStore::default());
    let chat = ChatId("bob@x".into());
    let outputs = step(&mut machine, &mut store, vec![say("1", "bob@x", "unknown"), say("2", "bob@x", "nobody")]);
    let asks: Vec<_> = outputs
        .into_iter()
        .filter_map(
            |(_, output)| {
                if let Output::Event(Event::NotSent { id, why, ask, .. }) = output { Some((id.to_string(), why.reason, ask)) } else { None }
            },
        )
        .collect();
    let [(_, Reason::DeviceListUnavailable, None), (_, Reason::NoEncryption, Some(_))] = asks.as_slice() else { panic!("{asks:?}") };
    let choice = ClearTextQuestion::about(&chat).confirmed_by_user();
    let out = words(step(
        &mut machine,
        &mut store,
        vec![Input::SetPolicy(chat, Policy::Optional(choice)), say("3", "bob@x", "unknown"), say("4", "bob@x", "nobody")],
    ));
    assert_eq!(out, ["not-sent 3 device-list-unavailable", "clear 4 nobody", "sent 4 0"]);
}

#[test]
fn a_choice_for_one_chat_is_none_for_another() {
    let ((mut machine, _), mut store) = (machine(), MemoryStore::default());
    let choice = ClearTextQuestion::about(&ChatId("bob@x".into())).confirmed_by_user();
    let set = Input::SetPolicy(ChatId("carol@x".into()), Policy::Optional(choice));
    assert_eq!(words(step(&mut machine, &mut store, vec![set, say("1", "carol@x", "skip")])), ["not-sent 1 not-encrypted"]);
}

#[test]
fn receipts_and_typing_that_an_engine_skips_are_dropped() {
    let ((mut machine, _), mut store) = (machine(), MemoryStore::default());
    let inputs = vec![receive("1", "bob@x", Kind::Typing, "composing"), receive("2", "bob@x", Kind::Receipt, "received")];
    assert!(step(&mut machine, &mut store, inputs).is_empty());
    // silence is kept: the reply of a key transport leaves, nothing is shown
    let out = words(step(&mut machine, &mut store, vec![receive("3", "bob@x", Kind::Text, "transport")]));
    assert!(out.len() == 1 && out[0].ends_with("/0 reply"), "{out:?}");
}

#[test]
fn deadlines_end_what_waits() {
    let ((mut machine, _), mut store) = (machine(), MemoryStore::default());
    machine.configure(Settings::default().patience(std::time::Duration::from_secs(60)));
    let inputs = vec![say("1", "bob@x", "one"), say("2", "bob@x", "skip"), receive("3", "bob@x", Kind::Text, "hold")];
    let outputs = step_at(1_000, &mut machine, &mut store, inputs);
    assert_eq!(words(outputs), ["waiting 1", "waiting 2", "fetch list bob@x"]);
    assert_eq!(machine.wake_at(), Some(Time(61_000)));
    assert!(step_at(60_999, &mut machine, &mut store, vec![Input::Tick]).is_empty());
    let (mut machine, _) = self::machine(); // a restart keeps the deadline
    let outputs = words(step_at(61_000, &mut machine, &mut store, vec![Input::Tick]));
    assert_eq!(outputs, ["not-sent 1 expired", "not-sent 2 expired", "refuse 3 408", "not-received 3 expired", "fetch list bob@x"]);
    assert_eq!(machine.wake_at(), None);
}

#[test]
fn a_held_message_ends_as_somebody_says() {
    let ((mut machine, _), mut store) = (machine(), MemoryStore::default());
    assert!(step(&mut machine, &mut store, vec![receive("1", "bob@x", Kind::Text, "hold"), receive("2", "bob@x", Kind::Text, "hold")]).is_empty());
    assert_eq!(words(step(&mut machine, &mut store, vec![say("3", "bob@x", "somebody")])), ["waiting 3"]);
    let tokens = machine.house.tokens_for_tests();
    let (mut machine, _) = self::machine();
    let done = |token: Token, text: &str| Input::Complete(token, Completion::Decrypted(Decrypted::new(Plaintext::text(text))));
    let inputs = vec![
        done(tokens[0], "late"),
        done(tokens[0], "twice"),
        Input::Complete(tokens[1], Completion::Rejected(Reason::Damaged.into())),
        done(tokens[2], "the wrong way round"),
    ];
    let out = words(step(&mut machine, &mut store, inputs));
    assert_eq!(out, ["message 1 late", "refuse 2 488", "not-received 2 damaged", "not-sent 3 engine"]);
}

#[test]
fn no_more_fetches_out_than_allowed_and_all_again_on_a_new_connection() {
    let ((mut machine, _), mut store) = (machine(), MemoryStore::default());
    let list = asked(&step(&mut machine, &mut store, vec![say("1", "bob@x", "x")]))[0];
    let devices: Vec<u32> = (1..=100).collect();
    let first = asked(&step(&mut machine, &mut store, vec![Input::Answer(list, ids(&devices))]));
    assert_eq!(first.len(), 16);
    let next = asked(&step(&mut machine, &mut store, vec![Input::Answer(first[0], Ok(Vec::new()))]));
    assert_eq!(next.len(), 1);
    assert!(asked(&step(&mut machine, &mut store, vec![Input::Online { resumed: true }])).is_empty());
    let outputs = step(&mut machine, &mut store, vec![Input::Online { resumed: false }]);
    let again = asked(&outputs);
    assert_eq!(again, [&first[1..], &next].concat());
    assert!(outputs.iter().all(|(id, _)| outputs.is_again(*id)));
    // a restart too; the same question is asked once
    let (mut machine, _) = self::machine();
    assert_eq!(asked(&step(&mut machine, &mut store, vec![say("2", "carol@x", "x"), say("3", "bob@x", "x")])), again);
    let mut open: Vec<_> = again;
    let mut out = Vec::new();
    while let Some(id) = open.pop() {
        let outputs = step(&mut machine, &mut store, vec![Input::Answer(id, Ok(Vec::new()))]);
        open.extend(asked(&outputs));
        out.extend(words(outputs).into_iter().filter(|w| w.starts_with("sent")));
    }
    assert_eq!(out, ["sent 1 100", "sent 3 100"]);
}

#[test]
fn a_message_that_always_wants_more_ends() {
    let ((mut machine, _), mut store) = (machine(), MemoryStore::default());
    let out = settle(&mut machine, &mut store, vec![say("1", "bob@x", "forever")], &[7]);
    assert_eq!(out, ["waiting 1", "not-sent 1 engine"]);
}

#[test]
fn nobody_of_those_it_is_for_can_read_it() {
    let ((mut machine, _), mut store) = (machine(), MemoryStore::default());
    let no = Input::SetTrust(Device::of(&"bob@x".into(), 7), key_of(7), Trust::Untrusted);
    let mut all = settle(&mut machine, &mut store, vec![no, say("1", "bob@x", "x")], &[7]);
    assert_eq!(all.pop().unwrap(), "not-sent 1 no-device");
    assert!(all.iter().all(|w| !w.starts_with("transmit")), "{all:?}");
}

#[test]
fn alarms_ring_once_and_survive() {
    let ((mut machine, toy), mut store) = (machine(), MemoryStore::default());
    let mut rng = Counting(0);
    let mut first = machine.begin(Time(0), &mut rng);
    let _ = first.call(toy, |_, cx| {
        cx.network.wake_at(Time(500));
        cx.network.wake_at(Time(900));
        Ok(())
    });
    first.commit(&mut store).unwrap().len();
    assert_eq!(machine.wake_at(), Some(Time(500)));
    let (mut machine, toy) = self::machine();
    for (time, woken) in [(499, None), (600, Some(600)), (1_000, Some(600))] {
        step_at(time, &mut machine, &mut store, vec![Input::Tick]).len();
        let mut rng = Counting(0);
        let mut step = machine.begin(Time(time), &mut rng);
        let row = step.call(toy, |_, cx| Ok(cx.records.get::<Number>(RowOf::single("woken"))?.map(|n| n.0)));
        assert_eq!(step.commit(&mut store).unwrap().reply(&row), Some(woken));
    }
}

#[test]
fn parts_travel_by_themselves() {
    let ((mut machine, _), mut store) = (machine(), MemoryStore::default());
    let out = settle(&mut machine, &mut store, vec![say("1", "bob@x", "two")], &[7]);
    assert_eq!(out[2..], ["transmit 1/0 7:1,two", "transmit 1/1 <two/>", "sent 1 1"]);
}

#[test]
fn a_handle_of_another_machine_is_an_error() {
    struct Other;
    impl Engine for Other {
        fn name(&self) -> &'static str {
            "other"
        }
        fn outgoing(&self, _: &mut Context<'_>, _: &Outgoing<'_>) -> Hook<Encrypted> {
            Ok(Outcome::Skipped)
        }
        fn incoming(&self, _: &mut Context<'_>, _: &Incoming<'_>) -> Hook<Decrypted> {
            Ok(Outcome::Skipped)
        }
    }
    let (mut elsewhere, (mut machine, _), mut store) = (Machine::new("eve@x".into()), machine(), MemoryStore::default());
    let (wrong_type, out_of_range) = (elsewhere.install(Other), elsewhere.install(Toy));
    let mut rng = Counting(0);
    let mut step = machine.begin(Time(0), &mut rng);
    let (one, two) = (step.call(wrong_type, |_, _| Ok(1)), step.call(out_of_range, |_, _| Ok(1)));
    let mut outputs = step.commit(&mut store).unwrap();
    assert_eq!((outputs.reply(&one), outputs.reply(&two)), (None, None));
}

#[test]
fn a_file_without_an_engine_for_it_is_not_sent() {
    let ((mut machine, _), mut store) = (machine(), MemoryStore::default());
    let file = FileInfo { name: "a".into(), content_type: "text/plain".into(), size: 1, tag: None };
    let offer = Input::OfferFile { id: "1".into(), chat: ChatId("bob@x".into()), to: Recipients::People(Vec::new()), file };
    assert_eq!(words(step(&mut machine, &mut store, vec![offer])), ["not-sent 1 not-encrypted"]);
}

#[test]
fn nothing_secret_is_printed() {
    let ((mut machine, _), mut store) = (machine(), MemoryStore::default());
    step(&mut machine, &mut store, Vec::new()).len();
    let outputs = step(&mut machine, &mut store, vec![receive("1", "bob@x", Kind::Text, "seen 5")]);
    let shown = format!("{:?}", outputs.list);
    assert!(shown.contains("Plaintext(1 bytes)"), "{shown}");
    assert!(!shown.contains("[53]") && !shown.contains("seen"), "{shown}");
    let batch = Batch::for_tests(vec![(Key::single("house", "state"), Some(b"secret".to_vec()))]);
    assert_eq!(format!("{batch:?}"), r#"{"house/state": Some(6)}"#);
    assert_eq!(format!("{:?}", FileKey(b"secret".to_vec().into())), "FileKey(6 bytes)");
}
