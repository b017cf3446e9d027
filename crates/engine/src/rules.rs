//! The rules no engine may break: what becomes of an outcome, who waits for what and how long, in which order messages leave,
//! when clear text may pass. Knows no engine and no row format.
//!
//! Invariants: [`Step::settle_out`] is the only place where a message becomes a [`Wire`]; every message that came in through an
//! [`Input`] ends in exactly one of `Transmit`, `NotSent`, `Message`, `NotReceived`, silence that its engine asked for or about what was
//! told before, or waits with a deadline.
use crate::error::Why;
use crate::hooks::Wait;
use crate::house::{AnswerBy, EngineName, Message, Parked};
use crate::rooms::resolve;
use crate::step::Job;
use crate::*;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

/// How often one message may ask for something more. A round trip each: device lists, bundles, and room for repairs.
const ROUNDS: u8 = 32;

/// A message on its way through its engine: new, or one that waited.
pub(crate) struct Passing {
    /// Where it waits, if it did.
    parked: Option<(u64, Time, u8)>,
    engine: EngineName,
    /// The very one.
    began: Option<usize>,
    /// A typing notice or a receipt that its engine does not want.
    aside: bool,
    /// It waited for answers.
    asked: bool,
    message: Arc<Message>,
}

impl Step<'_> {
    pub(crate) fn run(&mut self, job: &mut Job<'_>) -> Result<(), Halt> {
        let before = self.outputs.len();
        self.machine.house.learned.clear();
        self.work(job)?;
        self.learned(before)
    }
    fn work(&mut self, job: &mut Job<'_>) -> Result<(), Halt> {
        match job {
            Job::Call(engine, reply, f) => {
                let result = self.with(*engine, |e, cx| f(e, cx)).transpose()?;
                if let Some(slot) = self.replies.get_mut(*reply) {
                    *slot = result;
                }
            }
            Job::Input(input) => self.input(input)?,
            Job::Engines => self.engines_changed()?,
        }
        while let Some(device) = self.machine.house.take_decided() {
            self.trust_changed(&device)?;
        }
        Ok(())
    }
    fn input(&mut self, input: &Input) -> Result<(), Halt> {
        match input {
            Input::Send { id, chat, to, kind, plain, headers } => {
                let (kind, headers) = (*kind, headers.clone());
                let new = self.begins(chat, Message::Out { id: id.clone(), chat: chat.clone(), to: to.clone(), kind, plain: plain.clone(), headers });
                if kind != Kind::Typing && self.machine.house.first_of(chat).is_some() {
                    self.park(new, Wait::Turn);
                    return Ok(());
                }
                self.pass(new)
            }
            Input::OfferFile { id, chat, to, file } => {
                let message = Message::File { id: id.clone(), chat: chat.clone(), to: to.clone(), file: file.clone() };
                self.pass(self.begins(chat, message))
            }
            Input::Receive { id, chat, from, sent, kind, content_type, body, headers, answer_by } => {
                let message = Message::In {
                    id: id.clone(),
                    chat: chat.clone(),
                    from: from.clone(),
                    sent: *sent,
                    kind: *kind,
                    content_type: content_type.clone(),
                    body: body.clone(),
                    headers: headers.clone(),
                    answer_by: AnswerBy(*answer_by),
                };
                let new = self.begins(chat, message);
                // its sender gave up, or was told so: what is shown now they would not know of
                if answer_by.is_some_and(|by| by < self.now) { self.expire(new) } else { self.pass(new) }
            }
            Input::Answer(id, answer) => self.answer(*id, answer),
            Input::Complete(token, completion) => self.complete(*token, completion),
            Input::SetPolicy(chat, policy) => {
                let clear = matches!(policy, Policy::Optional(choice) if choice.chat() == chat);
                if clear {
                    self.rows().put(policy_of(chat), ClearAllowed);
                } else {
                    self.rows().remove(policy_of(chat));
                }
                Ok(())
            }
            Input::SetTrust(device, key, trust) => {
                let now = self.now;
                self.rows().decide(device, key, *trust, Decider::Person, now)?;
                self.tell_all(&Notice::TrustChanged(device.clone(), *key, *trust))?;
                self.trust_changed(device)
            }
            Input::Room(chat, members) => {
                if self.set_room(chat, members.as_deref())? {
                    self.members_changed(chat)?;
                }
                // what waited to be told that
                let first = self.machine.house.first_of(chat).filter(|id| self.machine.house.parked(*id).is_some_and(|p| p.wait == Wait::Turn));
                self.resume(first, None)
            }
            Input::RoomUnknown(chat) => self.forget_stream(chat),
            Input::LeaveOut(chat, leave_out) => self.set_leave_out(chat, *leave_out),
            Input::Published(node, payload) => self.tell_all(&Notice::Published(node.clone(), payload.clone())),
            Input::Online { resumed } => {
                if !resumed {
                    self.machine.house.disconnected();
                    self.new_stream()?;
                }
                self.tell_all(&Notice::Online { resumed: *resumed })?;
                let freed = self.machine.house.freed();
                self.resume(freed, None)?;
                if *resumed { Ok(()) } else { self.connected() }
            }
            Input::CatchUp { running } => self.tell_all(&Notice::CatchUp { running: *running }),
            Input::Done(id) => {
                self.machine.house.done(*id);
                Ok(())
            }
            Input::Tick => self.tick(),
        }
    }

    fn answer(&mut self, id: RequestId, answer: &Result<Vec<Item>, RequestError>) -> Result<(), Halt> {
        let Some(asked) = self.machine.house.answered(id) else { return Ok(()) };
        let notice = Notice::Answer(id, asked.request.clone(), answer.clone());
        self.tell(&asked.engine, &notice)?;
        let ready = self.machine.house.ready(id);
        self.resume(ready, None)
    }
    fn complete(&mut self, token: Token, completion: &Completion) -> Result<(), Halt> {
        let Some(id) = self.machine.house.by_token(token) else { return Ok(()) };
        self.resume([id], Some(completion))
    }
    fn tick(&mut self) -> Result<(), Halt> {
        self.resume(self.machine.house.expired(self.now), None)?;
        for engine in self.machine.house.ring(self.now) {
            self.tell(&engine, &Notice::Wake)?;
        }
        Ok(())
    }
    /// Messages that waited go on: by their hook, or as somebody completed them. Then those behind them in their chats.
    fn resume(&mut self, ids: impl IntoIterator<Item = u64>, completed: Option<&Completion>) -> Result<(), Halt> {
        let mut chats = Vec::new();
        for id in ids {
            let Some(parked) = self.machine.house.parked(id) else { continue };
            if let Message::Out { chat, .. } = &*parked.message {
                chats.push(chat.clone());
            }
            self.go_on(id, &parked, completed)?;
        }
        let mut chats = sorted(chats);
        chats.dedup();
        for chat in chats {
            while let Some(id) = self.machine.house.first_of(&chat) {
                match self.machine.house.parked(id) {
                    Some(parked) if parked.wait == Wait::Turn => self.go_on(id, &parked, None)?,
                    _ => break,
                }
                if self.machine.house.first_of(&chat) == Some(id) {
                    break; // it waits for its room
                }
            }
        }
        Ok(())
    }
    fn go_on(&mut self, id: u64, parked: &Parked, completed: Option<&Completion>) -> Result<(), Halt> {
        let passing = Passing::waited(id, parked);
        match completed {
            _ if parked.deadline <= self.now => self.expire(passing),
            Some(completion) => self.end(passing, completion),
            None => self.pass(passing),
        }
    }
    /// Too late, whatever came of it meanwhile. Whose answer is held is told 480.
    fn expire(&mut self, passing: Passing) -> Result<(), Halt> {
        let held = answer_by(&passing.message).is_some();
        let why = if held { Reason::Expired.with(Status::UNAVAILABLE) } else { Reason::Expired.into() };
        self.end(passing, &Completion::Rejected(why))
    }
    fn end(&mut self, passing: Passing, completion: &Completion) -> Result<(), Halt> {
        match (&*passing.message, completion) {
            (Message::Out { .. }, Completion::Encrypted(body)) => self.settle_out(passing, Ok(Outcome::Done(body.clone()))),
            (Message::In { .. }, Completion::Decrypted(decrypted)) => self.settle_in(passing, Ok(Outcome::Done(decrypted.clone()))),
            (Message::Out { .. }, completion) => self.settle_out(passing, Ok(Outcome::Rejected(why_not(completion)))),
            (Message::In { .. }, completion) => self.settle_in(passing, Ok(Outcome::Rejected(why_not(completion)))),
            (Message::File { .. }, completion) => self.settle_file(passing, Ok(Outcome::Rejected(why_not(completion)))),
        }
    }
    /// Through the hook and on.
    pub(crate) fn pass(&mut self, mut passing: Passing) -> Result<(), Halt> {
        let engine = passing.began.or_else(|| self.machine.in_office(&passing.engine)).unwrap_or(usize::MAX);
        let message = passing.message.clone();
        let unwanted = self.is_unwanted(engine, &mut passing);
        match &*message {
            Message::Out { .. } if unwanted => self.settle_out(passing, Ok(Outcome::Skipped)),
            Message::In { .. } if unwanted => self.settle_in(passing, Ok(Outcome::Skipped)),
            Message::File { .. } if unwanted => self.settle_file(passing, Ok(Outcome::Skipped)),
            Message::Out { id, chat, to, kind, plain, headers } => {
                let room = if *to == Recipients::Room { self.room_now(chat)? } else { None };
                if room == Some(None) && *kind != Kind::Typing {
                    self.park(passing, Wait::Turn);
                    return Ok(());
                }
                let room = room.flatten();
                let Some(to) = resolve(to, room.as_ref()) else { return self.settle_out(passing, Ok(Outcome::Rejected(Reason::NotInRoom.into()))) };
                let view = Outgoing { id, chat, to: &to, kind: *kind, plain, headers, room: room.as_ref() };
                let outcome = self.with(engine, |e, cx| e.outgoing(cx, &view)).unwrap_or_else(|| nobody(&passing));
                let outcome = self.with_policy(chat, outcome);
                self.settle_out(passing, outcome)
            }
            Message::In { id, chat, from, sent, kind, content_type, body, headers, .. } => {
                let room = self.room(chat)?;
                let view = Incoming { id, chat, from, sent: *sent, kind: *kind, content_type, body, headers, room: room.as_ref() };
                let outcome = self.with(engine, |e, cx| e.incoming(cx, &view)).unwrap_or_else(|| nobody(&passing));
                let outcome = self.with_policy(chat, outcome);
                self.settle_in(passing, outcome)
            }
            Message::File { id, chat, to, file } => {
                let room = if *to == Recipients::Room { self.room(chat)? } else { None };
                let Some(to) = resolve(to, room.as_ref()) else { return self.settle_file(passing, Ok(Outcome::Rejected(Reason::NotInRoom.into()))) };
                let (plain, headers) = (Plaintext::text(""), Headers::default());
                let view = Outgoing { id, chat, to: &to, kind: Kind::FileOffer, plain: &plain, headers: &headers, room: room.as_ref() };
                let hook = |e: &dyn Engine, cx: &mut Context<'_>| {
                    Ok(match e.file_key(cx, &view, file)? {
                        Outcome::Done(key) => match e.upload(file, &key) {
                            Ok(cipher) => Outcome::Done((key, cipher)),
                            Err(status) => Outcome::Rejected(status.into()),
                        },
                        Outcome::Skipped => Outcome::Skipped,
                        Outcome::Silent => Outcome::Silent,
                        Outcome::Pending(wait) => Outcome::Pending(wait),
                        Outcome::Rejected(why) => Outcome::Rejected(why),
                    })
                };
                let outcome = self.with(engine, hook).unwrap_or_else(|| nobody(&passing));
                self.settle_file(passing, outcome)
            }
        }
    }

    /// The only place where a message becomes a [`Wire`].
    fn settle_out(&mut self, passing: Passing, outcome: Hook<Encrypted>) -> Result<(), Halt> {
        let message = passing.message.clone();
        let Message::Out { id, chat, to, kind, headers, .. } = &*message else { return Ok(()) };
        let kind = *kind;
        let not = |why: Refusal, report, ask| Output::Event(Event::NotSent { id: id.clone(), kind, why, report, ask });
        let output = match self.failed(outcome)? {
            // what a person decides about words is no word about notices
            Ok(Outcome::Rejected(why)) if why.reason == Reason::NoEncryption || (why.reason == Reason::OptedOut && !is_notice(kind)) => {
                self.in_clear(&message, why, false)?
            }
            Err(why) | Ok(Outcome::Rejected(why)) => not(why, Vec::new(), None),
            Ok(Outcome::Silent) => not(Reason::Engine.into(), Vec::new(), None),
            Ok(Outcome::Pending(Pending(wait))) if kind != Kind::Typing && passing.may_wait() => {
                self.park(passing, wait);
                return Ok(());
            }
            Ok(Outcome::Pending(_)) => not(passing.weary().into(), Vec::new(), None),
            Ok(Outcome::Done(mut body)) if !self.is_readable(to, body.report()) => not(Reason::NoDevice.into(), body.take_report(), None),
            Ok(Outcome::Done(mut body)) => {
                self.withdraw_clear(chat)?;
                let (report, (left_out, unsaid), made) = (body.take_report(), body.take_left_out(), self.now);
                for (part, body) in (0..).zip(body.into_parts()) {
                    let (id, chat, to, headers) = (id.clone(), chat.clone(), to.clone(), headers.clone());
                    self.outputs.push(Output::Transmit { id, part, chat, to, kind, wire: Wire::Encrypted(body), headers, made });
                }
                Output::Event(Event::Sent { id: id.clone(), kind, report, left_out, unsaid })
            }
            Ok(Outcome::Skipped) => self.in_clear(&message, Reason::NotEncrypted.into(), passing.aside)?,
        };
        self.outputs.push(output);
        self.leave(passing);
        Ok(())
    }
    /// Nobody encrypts it: in clear where a person chose so for this chat or it passes the engine by, else it is not sent and a person
    /// is asked.
    fn in_clear(&mut self, message: &Message, why: Refusal, aside: bool) -> Result<Output, Halt> {
        let Message::Out { id, chat, to, kind, plain, headers } = message else { return Err(std::io::Error::other("not a message to send").into()) };
        let (id, kind, report) = (id.clone(), *kind, Vec::new());
        if !aside && !self.is_clear_allowed(chat)? {
            let ask = Some(ClearTextQuestion::about(chat));
            return Ok(Output::Event(Event::NotSent { id, kind, why, report, ask }));
        }
        let (wire, headers) = (Wire::Clear { plain: plain.clone() }, headers.clone());
        self.outputs.push(Output::Transmit { id: id.clone(), part: 0, chat: chat.clone(), to: to.clone(), kind, wire, headers, made: self.now });
        Ok(Output::Event(Event::Sent { id, kind, report, left_out: Vec::new(), unsaid: Vec::new() }))
    }
    fn settle_in(&mut self, passing: Passing, outcome: Hook<Decrypted>) -> Result<(), Halt> {
        let message = passing.message.clone();
        let Message::In { id, chat, from, sent, kind, content_type, body, answer_by, .. } = &*message else { return Ok(()) };
        let shown = |decrypted: Decrypted, in_clear| {
            let kind = decrypted.kind.unwrap_or(*kind);
            // where the transport names the room only, the sender is whoever the engine found
            let found = decrypted.sender.as_ref().filter(|_| *from == chat.0).map(|s| s.device.owner.clone());
            let message = Received { kind, from: found.unwrap_or_else(|| from.clone()), sent: *sent, decrypted, in_clear };
            Output::Event(Event::Message { id: id.clone(), chat: chat.clone(), message })
        };
        let why = match self.failed(outcome)? {
            Ok(Outcome::Done(decrypted)) if (self.machine.shows)(&decrypted.plain.content_type) => {
                self.withdraw_clear(chat)?;
                // engines with devices never make the same body twice
                if *kind != Kind::Typing && decrypted.sender.is_some() {
                    self.reads(&message)?;
                }
                self.outputs.push(shown(decrypted, false));
                None
            }
            Ok(Outcome::Done(_)) => Some(Reason::ContentType.into()),
            Ok(Outcome::Silent) => None,
            Ok(Outcome::Pending(Pending(wait))) if passing.may_wait() => {
                self.park(passing, wait);
                return Ok(());
            }
            Ok(Outcome::Pending(_)) => Some(passing.weary().into()),
            Ok(Outcome::Skipped) if passing.aside || self.is_clear_allowed(chat)? => {
                let plain = Plaintext::new(content_type.clone(), body.as_slice());
                if passing.aside || (self.machine.shows)(content_type) {
                    self.outputs.push(shown(Decrypted::new(plain), true));
                    None
                } else {
                    Some(Reason::ContentType.into())
                }
            }
            Ok(Outcome::Skipped) => (!is_notice(*kind)).then(|| Reason::NotEncrypted.into()),
            Err(why) | Ok(Outcome::Rejected(why)) => Some(why),
        };
        if let Some(why) = why {
            let is_news = self.fails(&message, &passing.engine, &why, passing.asked)?;
            let (id, chat, from, device) = (id.clone(), chat.clone(), from.clone(), why.device.clone());
            if is_news || answer_by.0.is_some() {
                self.outputs.push(Output::Refuse { id: id.clone(), chat: chat.clone(), from: from.clone(), status: why.status });
            }
            if is_news {
                self.outputs.push(Output::Event(Event::NotReceived { id, chat, from, device, why }));
            }
        } else if answer_by.0.is_some() {
            self.outputs.push(Output::Accept { id: id.clone(), chat: chat.clone(), from: from.clone() });
        }
        self.leave(passing);
        Ok(())
    }
    fn settle_file(&mut self, passing: Passing, outcome: Hook<(FileKey, Box<dyn FileCipher>)>) -> Result<(), Halt> {
        let message = passing.message.clone();
        let Message::File { id, chat, file, .. } = &*message else { return Ok(()) };
        let upload = |encryption| Output::Upload { id: id.clone(), file: file.clone(), encryption };
        let mut ask = None;
        let why: Refusal = match self.failed(outcome)? {
            Ok(Outcome::Done(encryption)) => {
                self.withdraw_clear(chat)?;
                self.outputs.push(upload(Some(encryption)));
                self.leave(passing);
                return Ok(());
            }
            Ok(Outcome::Skipped) if self.is_clear_allowed(chat)? => {
                self.outputs.push(upload(None));
                self.leave(passing);
                return Ok(());
            }
            Ok(Outcome::Pending(Pending(wait))) if passing.may_wait() => {
                self.park(passing, wait);
                return Ok(());
            }
            Ok(Outcome::Pending(_)) => passing.weary().into(),
            Ok(Outcome::Skipped) => {
                ask = Some(ClearTextQuestion::about(chat));
                Reason::NotEncrypted.into()
            }
            Ok(Outcome::Silent) => Reason::Engine.into(),
            Err(why) | Ok(Outcome::Rejected(why)) => why,
        };
        self.outputs.push(Output::Event(Event::NotSent { id: id.clone(), kind: Kind::FileOffer, why, report: Vec::new(), ask }));
        self.leave(passing);
        Ok(())
    }

    /// A failed hook closes; a cold record goes on up to the step.
    fn failed<T>(&self, outcome: Hook<T>) -> Result<Result<Outcome<T>, Refusal>, Halt> {
        match outcome {
            Ok(outcome) => Ok(Ok(outcome)),
            Err(Halt(Why::Failed(error))) => {
                tracing::warn!(%error, "an engine failed on a message; nothing was sent or shown");
                Ok(Err(Reason::Engine.into()))
            }
            Err(cold) => Err(cold),
        }
    }
    fn park(&mut self, passing: Passing, wait: Wait) {
        let Passing { parked, engine, began, message, .. } = passing;
        let (id, deadline, rounds) = parked.unwrap_or_else(|| {
            if let Message::Out { id, .. } | Message::File { id, .. } = &*message {
                self.outputs.push(Output::Event(Event::Waiting { id: id.clone() }));
            }
            let patience = self.now.after(self.machine.settings.patience);
            (self.machine.house.fresh(), answer_by(&message).map_or(patience, |time| time.min(patience)), 0)
        });
        let rounds = rounds.saturating_add(u8::from(wait != Wait::Turn));
        self.machine.house.park(id, Parked { engine, wait, deadline, rounds, began, message });
    }
    fn leave(&mut self, passing: Passing) {
        if let Some((id, ..)) = passing.parked {
            self.machine.house.unpark(id);
        }
    }
    /// An engine with devices says who can read it: one of the people it is for must be among them.
    fn is_readable(&self, to: &Recipients, report: &[DeviceReport]) -> bool {
        let people: &[Address] = if let Recipients::People(people) = to { people } else { &[] };
        let counts = |line: &DeviceReport| {
            line.result.is_ok() && (line.device.owner != self.machine.me || people.is_empty() || people.contains(&self.machine.me))
        };
        report.is_empty() || report.iter().any(counts)
    }
    fn is_clear_allowed(&mut self, chat: &ChatId) -> Result<bool, Halt> {
        self.rows().is_clear_allowed(chat)
    }
    /// What a hook waits for, and beside it the row that is looked at behind the hook, which must not run again for that.
    fn with_policy<T>(&mut self, chat: &ChatId, outcome: Hook<T>) -> Hook<T> {
        match (outcome, self.rows().warm([policy_of(chat)])) {
            (Err(Halt(Why::Cold(mut keys))), Err(Halt(Why::Cold(policy)))) => {
                keys.extend(policy);
                Err(Halt::cold(keys))
            }
            (outcome, _) => outcome,
        }
    }
    /// This chat can be encrypted in, so that a person who allowed clear text did not know that: else whoever makes its keys disappear,
    /// a server with an empty list, reads what is written next.
    fn withdraw_clear(&mut self, chat: &ChatId) -> Result<(), Halt> {
        if self.is_clear_allowed(chat)? {
            self.rows().remove(policy_of(chat));
        }
        Ok(())
    }

    pub(crate) fn begins(&self, chat: &ChatId, message: impl Into<Arc<Message>>) -> Passing {
        let engine = self.machine.engine_of(chat).unwrap_or_default();
        let began = self.machine.in_office(engine);
        Passing { parked: None, engine: engine.into(), began, aside: false, asked: false, message: message.into() }
    }
    /// Whether a message does not come through this engine's hooks. What that means is its kind's.
    fn is_unwanted(&self, engine: usize, passing: &mut Passing) -> bool {
        let (kind, words) = match &*passing.message {
            Message::Out { kind, plain, .. } => (*kind, plain.content_type.is_text()),
            Message::In { kind, content_type, .. } => (*kind, content_type.is_text()),
            Message::File { .. } => (Kind::FileOffer, false),
        };
        let engine = self.machine.engines.get(engine).and_then(|seat| seat.engine.as_deref());
        // an engine that panics wants everything: its hook decides, and closes
        let unwanted = engine.is_some_and(|e| !catch_unwind(AssertUnwindSafe(|| e.wants(kind))).unwrap_or(true));
        passing.aside = unwanted && !words && is_notice(kind);
        unwanted
    }
    /// A notice that its engine fails on is lost, not the step.
    fn tell(&mut self, engine: &EngineName, notice: &Notice) -> Result<(), Halt> {
        // while nobody of that name is in office, one that leaves still hears what it asked
        let leaving = || self.machine.engines.iter().rposition(|seat| seat.engine.is_some() && seat.name == engine);
        let at = self.machine.in_office(engine).or_else(leaving).unwrap_or(usize::MAX);
        match self.with(at, |e, cx| e.notice(cx, notice)) {
            Some(Err(Halt(Why::Failed(error)))) => {
                tracing::warn!(%error, "an engine failed on a notice");
                Ok(())
            }
            Some(result) => result,
            None => Ok(()),
        }
    }
    fn tell_all(&mut self, notice: &Notice) -> Result<(), Halt> {
        let engines: Vec<EngineName> = self.machine.engines.iter().filter(|seat| !seat.retired).map(|seat| seat.name.into()).collect();
        engines.iter().try_for_each(|engine| self.tell(engine, notice))
    }
}

impl Passing {
    fn waited(id: u64, parked: &Parked) -> Self {
        let (engine, message) = (parked.engine.clone(), parked.message.clone());
        let asked = matches!(parked.wait, Wait::Answers(_));
        Passing { parked: Some((id, parked.deadline, parked.rounds)), engine, began: parked.began, aside: false, asked, message }
    }
    fn may_wait(&self) -> bool {
        self.parked.is_none_or(|(.., rounds)| rounds < ROUNDS)
    }
    /// Why a message is not left waiting: it went around too often, or it is worth nothing later.
    fn weary(&self) -> Reason {
        if self.parked.is_some() { Reason::Engine } else { Reason::Expired }
    }
}
/// No such engine. A chat without one skips; one that is no longer installed can't be replaced by clear text.
fn nobody<T>(passing: &Passing) -> Hook<T> {
    Ok(if passing.engine.is_empty() { Outcome::Skipped } else { Outcome::Rejected(Reason::Engine.into()) })
}
/// Whether it says something about messages and is none that a person wrote.
fn is_notice(kind: Kind) -> bool {
    matches!(kind, Kind::Typing | Kind::Receipt)
}
/// Until when a transport holds its answer to it.
fn answer_by(message: &Message) -> Option<Time> {
    if let Message::In { answer_by, .. } = message { answer_by.0 } else { None }
}
fn why_not(completion: &Completion) -> Refusal {
    if let Completion::Rejected(why) = completion { why.clone() } else { Reason::Engine.into() }
}

/// A person allowed clear text in this chat: the row is there.
#[derive(Clone)]
pub(crate) struct ClearAllowed;
impl Record for ClearAllowed {
    fn encode(&self) -> Vec<u8> {
        vec![1]
    }
    fn decode(bytes: &[u8]) -> Option<Self> {
        (bytes == [1]).then_some(ClearAllowed)
    }
}
pub(crate) fn policy_of(chat: &ChatId) -> RowOf<ClearAllowed> {
    RowOf::person("policy", &chat.0)
}
impl Records<'_> {
    /// A person allowed clear text in this chat.
    pub(crate) fn is_clear_allowed(&mut self, chat: &ChatId) -> Result<bool, Halt> {
        match self.get(policy_of(chat)) {
            Ok(row) => Ok(row.is_some()),
            Err(Halt(Why::Failed(_))) => Ok(false), // damaged: nobody allowed anything
            Err(cold) => Err(cold),
        }
    }
}
