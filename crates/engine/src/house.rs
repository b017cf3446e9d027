//! The rules no engine may break: what becomes of an outcome, who waits for what, when clear text may pass.
use crate::error::Why;
use crate::hooks::Wait;
use crate::step::Job;
use crate::*;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// What the house itself remembers (a record too; the sketch keeps it in memory).
pub(crate) const SPACE: &str = "house";
#[derive(Clone, Default)]
pub(crate) struct House {
    next: u64,
    parked: Vec<Parked>,
    pub asked: BTreeMap<RequestId, (usize, Request)>,
    pub wake: Option<Time>,
    pub owed: BTreeSet<OutputId>,
}
#[derive(Clone)]
struct Parked {
    engine: usize,
    wait: Wait,
    id: MessageId,
    chat: ChatId,
    to: Recipients,
    kind: Kind,
    plain: Plaintext,
}
impl Record for House {
    fn encode(&self) -> Vec<u8> {
        self.next.to_be_bytes().to_vec()
    }
    fn decode(_: &[u8]) -> Option<Self> {
        todo!()
    }
}
impl House {
    pub fn fresh(&mut self) -> u64 {
        self.next = self.next.wrapping_add(1);
        self.next
    }
}

impl Step<'_> {
    pub(crate) fn run(&mut self, job: &mut Job<'_>) -> Result<(), Halt> {
        match job {
            Job::Call(engine, reply, f) => {
                self.replies[*reply] = self.with(*engine, |e, cx| f(e, cx)).transpose()?;
                Ok(())
            }
            Job::Input(Input::Send { id, chat, to, kind, plain }) => {
                let engine = self.engine_of(chat);
                self.send(Parked {
                    engine,
                    wait: Wait::Answers(Vec::new()),
                    id: id.clone(),
                    chat: chat.clone(),
                    to: to.clone(),
                    kind: *kind,
                    plain: plain.clone(),
                })
            }
            Job::Input(Input::OfferFile { id, chat, to, file }) => {
                let engine = self.engine_of(chat);
                let message = Outgoing { id, chat, to, kind: Kind::FileOffer, plain: &Plaintext::text("") };
                let begin = |e: &dyn Engine, cx: &mut Context<'_>| match e.file_key(cx, &message, file)? {
                    Outcome::Done(key) => Ok(e.upload(file, &key).map(|cipher| (key, cipher)).map_err(Refusal::from)),
                    Outcome::Rejected(why) => Ok(Err(why)),
                    Outcome::Skipped => Ok(Err(Reason::NotEncrypted.with(Status::NOT_ACCEPTABLE))), // + Policy::Optional
                    Outcome::Silent => Ok(Err(Reason::Engine.into())),
                    Outcome::Pending(_) => todo!("parks, as send() does"),
                };
                let output = match self.with(engine, begin).unwrap_or(Ok(Err(Status::NOT_ACCEPTABLE.into())))? {
                    Ok((key, cipher)) => Output::Upload { id: id.clone(), file: file.clone(), key, cipher },
                    Err(why) => Output::Event(Event::NotSent { id: id.clone(), kind: Kind::FileOffer, why, report: Vec::new(), ask: None }),
                };
                self.outputs.push(output);
                Ok(())
            }
            Job::Input(Input::Receive { id, chat, from, sent, kind, content_type, body }) => {
                let engine = self.engine_of(chat);
                let message = Incoming { id, chat, from, sent: *sent, kind: *kind, content_type, body };
                let outcome = self.with(engine, |e, cx| e.incoming(cx, &message)).unwrap_or(Ok(Outcome::Skipped));
                match outcome {
                    Ok(Outcome::Done(decrypted)) => {
                        let message = Received { kind: *kind, from: from.clone(), sent: *sent, decrypted, in_clear: false };
                        self.outputs.push(Output::Event(Event::Message { id: id.clone(), chat: chat.clone(), message }));
                    }
                    Ok(Outcome::Rejected(why)) => self.refuse(id, chat, from, why),
                    Ok(Outcome::Skipped) => self.refuse(id, chat, from, Reason::NotEncrypted.with(Status::NOT_ACCEPTABLE)), // + Policy::Optional
                    Ok(Outcome::Silent) => {}
                    Ok(Outcome::Pending(_)) => todo!("hold the answer, as send() parks"),
                    Err(Halt(Why::Failed(_logged))) => self.refuse(id, chat, from, Status::INTERNAL.into()),
                    Err(cold) => return Err(cold),
                }
                Ok(())
            }
            Job::Input(Input::Answer(id, answer)) => {
                let Some((engine, request)) = Arc::make_mut(&mut self.house).asked.remove(id) else { return Ok(()) };
                let notice = Notice::Answer(*id, request, answer.clone());
                self.with(engine, |e, cx| e.notice(cx, &notice)).unwrap_or(Ok(()))?;
                let ready = |p: &mut Parked| match &mut p.wait {
                    Wait::Answers(ids) => {
                        ids.retain(|i| i != id);
                        ids.is_empty()
                    }
                    Wait::Completion(_) | Wait::Turn => false,
                };
                let woken: Vec<Parked> = Arc::make_mut(&mut self.house).parked.extract_if(.., ready).collect();
                woken.into_iter().try_for_each(|p| self.send(p))
            }
            Job::Input(Input::Complete(token, completion)) => {
                let at = self.house.parked.iter().position(|p| p.wait == Wait::Completion(*token));
                let Some(p) = at.map(|i| Arc::make_mut(&mut self.house).parked.remove(i)) else { return Ok(()) };
                let outcome = match completion {
                    Completion::Encrypted(body) => Outcome::Done(body.clone()),
                    Completion::Rejected(why) => Outcome::Rejected(why.clone()),
                    Completion::Decrypted(_) => todo!("a held incoming message"),
                };
                self.sent(p, Ok(outcome))
            }
            Job::Input(Input::SetPolicy(chat, policy)) => {
                let clear = matches!(policy, Policy::Optional(choice) if choice.chat() == chat);
                self.rows().put(policy_of(chat), ClearAllowed(clear));
                Ok(())
            }
            Job::Input(Input::SetTrust(device, key, trust)) => {
                let now = self.now;
                self.rows().decide(device, key, *trust, now)?;
                self.tell(Notice::TrustChanged(device.clone(), *key, *trust))
            }
            Job::Input(Input::Published(resource, body)) => self.tell(Notice::Published(resource.clone(), body.clone())),
            Job::Input(Input::Online { resumed }) => self.tell(Notice::Online { resumed: *resumed }),
            Job::Input(Input::Done(id)) => {
                Arc::make_mut(&mut self.house).owed.remove(id);
                Ok(())
            }
            Job::Input(Input::CatchUp { running }) => self.tell(Notice::CatchUp { running: *running }),
            Job::Input(Input::Tick) => self.tell(Notice::Wake),
        }
    }
    fn engine_of(&self, chat: &ChatId) -> usize {
        (self.machine.rule)(chat).map_or(usize::MAX, |e| e.0)
    }
    fn tell(&mut self, notice: Notice) -> Result<(), Halt> {
        (0..self.machine.engines.len()).try_for_each(|i| self.with(i, |e, cx| e.notice(cx, &notice)).unwrap_or(Ok(())))
    }
    fn send(&mut self, p: Parked) -> Result<(), Halt> {
        let message = Outgoing { id: &p.id, chat: &p.chat, to: &p.to, kind: p.kind, plain: &p.plain };
        let outcome = self.with(p.engine, |e, cx| e.outgoing(cx, &message)).unwrap_or(Ok(Outcome::Skipped));
        self.sent(p, outcome)
    }
    /// The only place where a message becomes a [`Wire`].
    fn sent(&mut self, p: Parked, outcome: Hook<Encrypted>) -> Result<(), Halt> {
        let not = |why, ask| Output::Event(Event::NotSent { id: p.id.clone(), kind: p.kind, why, report: Vec::new(), ask });
        let output = match outcome {
            Err(Halt(Why::Failed(_logged))) => not(Status::INTERNAL.into(), None),
            Err(cold) => return Err(cold),
            Ok(Outcome::Rejected(why)) => not(why, None),
            Ok(Outcome::Silent) => not(Reason::Engine.into(), None),
            Ok(Outcome::Pending(Pending(wait))) => {
                self.outputs.push(Output::Event(Event::Waiting { id: p.id.clone() }));
                Arc::make_mut(&mut self.house).parked.push(Parked { wait, ..p });
                return Ok(());
            }
            Ok(Outcome::Done(body)) if !body.report().is_empty() && body.report().iter().all(|d| d.result.is_err()) => {
                Output::Event(Event::NotSent {
                    id: p.id,
                    kind: p.kind,
                    why: Reason::NoDevice.with(Status::NOT_ACCEPTABLE),
                    report: body.report().to_vec(),
                    ask: None,
                })
            }
            Ok(Outcome::Done(mut body)) => {
                self.outputs.push(Output::Event(Event::Sent { id: p.id.clone(), kind: p.kind, report: body.take_report() }));
                for (n, part) in body.into_parts().into_iter().enumerate() {
                    let (id, chat, to) = (p.id.clone(), p.chat.clone(), p.to.clone());
                    self.outputs.push(Output::Transmit { id, part: n as u16, chat, to, kind: p.kind, wire: Wire::Encrypted(part) });
                }
                return Ok(());
            }
            Ok(Outcome::Skipped) => match self.rows().get(policy_of(&p.chat))?.is_some_and(|c| c.0) {
                true => Output::Transmit { id: p.id, part: 0, chat: p.chat, to: p.to, kind: p.kind, wire: Wire::Clear { plain: p.plain } },
                false => not(Reason::NotEncrypted.with(Status::NOT_ACCEPTABLE), Some(ClearTextQuestion::about(&p.chat))),
            },
        };
        self.outputs.push(output);
        Ok(())
    }
    fn refuse(&mut self, id: &MessageId, chat: &ChatId, from: &Address, why: Refusal) {
        self.outputs.push(Output::Refuse { id: id.clone(), chat: chat.clone(), from: from.clone(), status: why.status });
        let (id, chat, from) = (id.clone(), chat.clone(), from.clone());
        self.outputs.push(Output::Event(Event::NotReceived { id, chat, from, device: None, why }));
    }
}

fn policy_of(chat: &ChatId) -> RowOf<ClearAllowed> {
    RowOf::person("policy", &chat.0)
}
#[derive(Clone)]
struct ClearAllowed(bool);
impl Record for ClearAllowed {
    fn encode(&self) -> Vec<u8> {
        vec![self.0.into()]
    }
    fn decode(bytes: &[u8]) -> Option<Self> {
        Some(ClearAllowed(bytes == [1]))
    }
}
