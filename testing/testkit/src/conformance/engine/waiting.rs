//! Messages that are finished later, and engines that are taken away while they are at work.
use super::Promises;
use super::files::{drive, file};
use super::pair::{ALICE, BOB, Make, Pair, TOO_LONG, install, plain};
use subrosa_engine::{ChatId, Completion, Decrypted, Event, Headers, Input, MessageId, Reason, Status, Time, Token};

fn copy(completion: &Completion) -> Completion {
    match completion {
        Completion::Encrypted(done) => Completion::Encrypted(done.clone()),
        Completion::Decrypted(done) => Completion::Decrypted(done.clone()),
        Completion::Rejected(why) => Completion::Rejected(why.clone()),
    }
}
impl Pair {
    /// Alice says it; what her engine makes of it is not fed yet.
    fn begin(&mut self, text: &str) -> (MessageId, Token, Completion) {
        let id = self.world.send(self.alice, BOB, text);
        self.world.run();
        let mut open = self.world.client(self.alice).handle().open.take();
        assert_eq!(open.len(), 1, "{text}: one is left pending");
        let (token, completion) = open.remove(0);
        (id, token, completion)
    }
    /// Bob's transport holds its answer to it for ten seconds; what his engine makes of it is not fed yet.
    fn hold(&mut self, text: &str) -> (MessageId, Token, Completion) {
        let stanza = self.withheld(text);
        let now = self.world.now();
        let input = Input::Receive {
            id: stanza.id.clone(),
            chat: ChatId(ALICE.into()),
            from: stanza.from,
            sent: now,
            kind: stanza.kind,
            content_type: stanza.content_type,
            body: stanza.body,
            headers: Headers::default(),
            answer_by: Some(Time(now.0 + 10_000)),
        };
        self.world.feed(self.bob, input);
        self.world.run();
        let mut open = self.world.client(self.bob).handle().open.take();
        assert_eq!(open.len(), 1, "{text}: one is left pending");
        let (token, completion) = open.remove(0);
        (stanza.id, token, completion)
    }
    fn complete(&mut self, who: crate::ClientId, token: Token, completion: Completion) {
        self.world.feed(who, Input::Complete(token, completion));
        self.settle();
    }
    /// What Bob's transport answered to it: `Ok` or a code, exactly once.
    fn answer(&self, id: &MessageId) -> Option<Result<(), Status>> {
        let client = self.world.client(self.bob);
        let accepted = client.accepted().iter().filter(|i| *i == id).map(|_| Ok(()));
        let answers: Vec<_> = accepted.chain(client.refused().iter().filter(|(i, _)| i == id).map(|(_, status)| Err(*status))).collect();
        assert!(answers.len() <= 1, "answered twice: {answers:?}");
        answers.first().copied()
    }
}

/// For engines that finish messages later: in time, twice, too late, never, with a refusal, with nonsense, and by a process that died.
pub fn waits_until_completed(make: Make, _: Promises) {
    if make().next.is_none() {
        return;
    }
    for late in [0, 2] {
        outgoing(&mut Pair::with_stores(13, make, late));
        incoming(&mut Pair::with_stores(14, make, late));
    }
}
fn outgoing(pair: &mut Pair) {
    let (alice, bob) = (pair.alice, pair.bob);
    pair.talks("before");
    let stanzas = pair.world.stanzas().len();
    let (id, token, done) = pair.begin("one");
    let behind = pair.world.send(alice, BOB, "two");
    pair.world.run();
    assert!(pair.world.client(alice).events().iter().any(|e| matches!(e, Event::Waiting { id: i } if *i == id)));
    assert_eq!(pair.world.stanzas().len(), stanzas, "it left before it was finished");
    pair.complete(alice, token, copy(&done));
    assert!(pair.was_sent(alice, &id) && pair.was_sent(alice, &behind));
    let texts = pair.texts(bob);
    assert!(texts.ends_with(&["one".into(), "two".into()]), "out of order: {texts:?}");
    // twice
    let before = (pair.world.stanzas().len(), pair.world.client(alice).events().len());
    pair.complete(alice, token, done);
    assert_eq!((pair.world.stanzas().len(), pair.world.client(alice).events().len()), before, "completed twice, and something happened");
    // refused, and by what is for the other direction
    let nonsense = Completion::Decrypted(Decrypted::new(plain("text/plain", b"nonsense")));
    for (wrong, reason) in [(Completion::Rejected(Reason::Untrusted.with(Status::new(603))), Reason::Untrusted), (nonsense, Reason::Engine)] {
        let stanzas = pair.world.stanzas().len();
        let (id, token, done) = pair.begin("not this");
        pair.complete(alice, token, wrong);
        pair.complete(alice, token, done);
        assert_eq!(pair.not_sent(alice, &id).map(|why| why.reason), Some(reason));
        assert_eq!(pair.world.stanzas().len(), stanzas, "refused, and it left");
    }
    // too late, in this process and after it
    for dies in [false, true] {
        let stanzas = pair.world.stanzas().len();
        let (id, token, done) = pair.begin("too late");
        if dies {
            pair.world.crash(alice);
        }
        pair.world.run_for(TOO_LONG);
        pair.complete(alice, token, done);
        assert_eq!(pair.not_sent(alice, &id), Some(&Reason::Expired.into()));
        assert_eq!(pair.world.stanzas().len(), stanzas, "too late, and it left");
    }
    pair.talks("after");
}
fn incoming(pair: &mut Pair) {
    let bob = pair.bob;
    pair.talks("before");
    let (id, token, done) = pair.hold("in time");
    assert_eq!(pair.answer(&id), None, "answered before it was finished");
    pair.complete(bob, token, copy(&done));
    assert_eq!(pair.answer(&id), Some(Ok(())));
    assert_eq!(pair.texts(bob).last().map(String::as_str), Some("in time"));
    let shown = pair.texts(bob).len();
    pair.complete(bob, token, done);
    assert_eq!(pair.answer(&id), Some(Ok(())));
    let (id, token, done) = pair.hold("refused");
    pair.complete(bob, token, Completion::Rejected(Reason::Untrusted.with(Status::new(603))));
    pair.complete(bob, token, done);
    assert_eq!(pair.answer(&id), Some(Err(Status::new(603))));
    for dies in [false, true] {
        let (id, token, done) = pair.hold("too late");
        if dies {
            pair.world.crash(bob);
        }
        pair.world.run_for(10_001);
        pair.complete(bob, token, done);
        assert_eq!(pair.answer(&id), Some(Err(Status::UNAVAILABLE)));
    }
    assert_eq!(pair.texts(bob).len(), shown, "refused or too late, and shown");
    pair.talks("after");
}

/// An engine that is removed ends what it began, and nothing stands in for it; one of the same name takes over.
pub fn ends_what_began_with_it(make: Make, promises: Promises) {
    let mut pair = Pair::new(15, make);
    pair.talks("before");
    let (alice, bob) = (pair.alice, pair.bob);
    let pending = pair.is_later().then(|| pair.begin("begun"));
    let upload = promises.files.then(|| pair.offer("begun", &file("a.bin", b"begun"))).flatten();
    for who in [alice, bob] {
        let engine = pair.world.client(who).handle().engine.id();
        pair.world.client_mut(who).machine_mut().remove(engine);
    }
    if let Some((id, token, done)) = pending {
        // it arrives at somebody who has the engine no more
        pair.complete(alice, token, done);
        assert!(pair.was_sent(alice, &id), "what began was not finished");
    }
    if let Some((mut file, _, cipher)) = upload {
        drive(cipher, b"begun", &mut file, pair.world.rng(), 3).expect("the transfer goes on");
    }
    let (stanzas, shown) = (pair.world.stanzas().len(), pair.texts(bob).len());
    let id = pair.say(alice, BOB, "never out");
    assert_eq!(pair.not_sent(alice, &id).map(|why| why.reason), Some(Reason::Engine));
    assert_eq!((pair.world.stanzas().len(), pair.texts(bob).len()), (stanzas, shown), "something took the place of an engine that was removed");
    pair.hid("never out");
    for who in [alice, bob] {
        let switch = pair.switch.clone();
        let new = install(pair.world.client_mut(who).machine_mut(), make, &switch);
        *pair.world.client_mut(who).handle_mut() = new;
    }
    pair.settle();
    pair.talks("after");
    // what is replaced while a message is under way ends it
    if pair.is_later() {
        let (id, token, done) = pair.begin("replaced meanwhile");
        let (old, switch) = (pair.world.client(alice).handle().open.clone(), pair.switch.clone());
        let new = install(pair.world.client_mut(alice).machine_mut(), make, &switch);
        *pair.world.client_mut(alice).handle_mut() = new;
        pair.complete(alice, token, done);
        drop(old);
        assert!(pair.was_sent(alice, &id));
        assert_eq!(pair.texts(bob).last().map(String::as_str), Some("replaced meanwhile"));
    }
}
