//! One step: what goes into it, what may be done when it is stored, what is tried again when it is not.
use super::chats::{After, Deed};
use super::drive::{Drive, now};
use super::ledger::{Ledger, Login, Report, Seen};
use super::link::Mark;
use super::memory::{self, Draft, KeptRooms};
use super::says::Outbound;
use super::sends::Waiter;
use crate::failure::Failure;
use serde_json::{Value, json};
use subrosa_engine::{Address, ChatId, Device, Fingerprint, Input, MessageId, OutputId, Policy, Trust};

/// What goes into a step.
pub enum Fact {
    Input(Input),
    /// The server may forget incoming stanzas up to here, once this step is stored, and the history has what came of it.
    Handled(Mark),
    Pin(String),
    Accept(Box<Outbound>, Draft),
    /// With what is answered when it is stored.
    Decide(Device, Fingerprint, Trust, Result<Value, Failure>, Waiter),
    Leaving(String, Report),
    /// The history has what was said under this id.
    Drafted(String),
    /// A message came, and its archive calls it so.
    Came(ChatId, Address, MessageId, String),
    /// Everything of this archive up to this message was fed.
    Reached(Address, memory::Reached),
    /// And is in the history.
    Position(Address, memory::Reached),
    /// Rooms and invitations.
    Rooms(KeptRooms),
    Acknowledged(String),
    Failed(String),
    Seen(Seen),
    Login(Login, Waiter),
    /// The device leaves the account.
    Leave,
    /// Whose devices?
    Refresh(Address),
    /// Whoever sent it knows that this output asks about clear text.
    Asked(ChatId, OutputId),
    /// A person decided about clear text; with all conversations where it is allowed then.
    Consent(ChatId, Policy, Vec<String>, Waiter),
}

/// What a fact leaves behind while its step is committed.
enum Kept {
    Input,
    Accept(Box<Outbound>, Draft),
    Decide(Result<Value, Failure>, Waiter),
    Told(Waiter),
    Consent(ChatId, Waiter),
    Fact(Fact),
}

impl Drive {
    /// One step of all facts.
    pub(super) fn commit(&mut self) {
        if self.facts.is_empty() {
            return;
        }
        let ledger = self.ledger;
        let mut step = self.machine.begin(now(), &mut self.rng);
        let mut kept = Vec::with_capacity(self.facts.len());
        for fact in self.facts.drain(..) {
            kept.push(match fact {
                Fact::Input(input) => {
                    step.feed(input);
                    Kept::Input
                }
                Fact::Handled(mark) => Kept::Fact(Fact::Handled(mark)),
                Fact::Pin(pin) => {
                    let stored = pin.clone();
                    step.call(ledger, move |_, cx| Ledger::set_pin(cx, &stored));
                    Kept::Fact(Fact::Pin(pin))
                }
                Fact::Accept(outbound, draft) => {
                    let (row, to, said) = (outbound.id.clone(), outbound.to.clone(), draft.clone());
                    step.call(ledger, move |_, cx| {
                        Ledger::accept(cx, &row, &to)?;
                        Ledger::set_draft(cx, &row, said.clone())
                    });
                    step.feed(outbound.input());
                    Kept::Accept(outbound, draft)
                }
                Fact::Decide(device, key, trust, answer, waiter) => {
                    step.feed(Input::SetTrust(device, key, trust));
                    Kept::Decide(answer, waiter)
                }
                Fact::Leaving(id, report) => {
                    let (row, known) = (id.clone(), report.clone());
                    step.call(ledger, move |_, cx| Ledger::leaving(cx, &row, &known));
                    Kept::Fact(Fact::Leaving(id, report))
                }
                Fact::Drafted(id) => {
                    let row = id.clone();
                    step.call(ledger, move |_, cx| Ledger::drop_draft(cx, &row));
                    Kept::Fact(Fact::Drafted(id))
                }
                fact @ (Fact::Came(..) | Fact::Reached(..)) => Kept::Fact(fact),
                Fact::Position(by, reached) => {
                    let (of, position) = (by.clone(), reached.clone());
                    step.call(ledger, move |_, cx| Ledger::set_position(cx, &of, position.clone()));
                    Kept::Fact(Fact::Position(by, reached))
                }
                Fact::Rooms(rooms) => {
                    let kept = rooms.clone();
                    step.call(ledger, move |_, cx| Ledger::set_rooms(cx, kept.clone()));
                    Kept::Fact(Fact::Rooms(rooms))
                }
                Fact::Acknowledged(id) => {
                    let row = id.clone();
                    step.call(ledger, move |_, cx| Ledger::acknowledged(cx, &row));
                    Kept::Fact(Fact::Acknowledged(id))
                }
                Fact::Failed(id) => {
                    let row = id.clone();
                    step.call(ledger, move |_, cx| Ledger::failed(cx, &row));
                    Kept::Fact(Fact::Failed(id))
                }
                Fact::Login(mut login, waiter) => {
                    login.pin = login.pin.or_else(|| self.pin.clone());
                    step.call(ledger, move |_, cx| Ledger::set_login(cx, &login));
                    Kept::Told(waiter)
                }
                Fact::Leave => {
                    step.call(self.omemo, |omemo, cx| omemo.unpublish(cx));
                    Kept::Fact(Fact::Leave)
                }
                Fact::Refresh(owner) => {
                    let whose = owner.clone();
                    step.call(self.omemo, move |omemo, cx| omemo.refresh_devices(cx, &whose));
                    Kept::Fact(Fact::Refresh(owner))
                }
                Fact::Asked(chat, output) => {
                    let row = chat.clone();
                    step.call(ledger, move |_, cx| Ledger::set_asked(cx, &row, output.0));
                    Kept::Fact(Fact::Asked(chat, output))
                }
                Fact::Consent(chat, policy, allowed, waiter) => {
                    step.call(ledger, move |_, cx| Ledger::set_allowed(cx, allowed.clone()));
                    step.feed(Input::SetPolicy(chat.clone(), policy));
                    Kept::Consent(chat, waiter)
                }
                Fact::Seen(seen) => {
                    step.call(ledger, move |_, cx| Ledger::set_seen(cx, seen));
                    Kept::Fact(Fact::Seen(seen))
                }
            });
        }
        match step.commit(&mut self.store) {
            Ok(outputs) => {
                self.store_failed = false;
                tracing::trace!(facts = kept.len(), outputs = outputs.len(), "stored a step");
                let then: Vec<_> = kept.into_iter().filter_map(|kept| self.stored(kept)).collect();
                self.take(outputs);
                then.into_iter().for_each(|fact| self.fed(fact));
            }
            Err(e) => {
                let failure = Failure::coded(&e.source);
                self.not_stored(kept, e.inputs, &failure);
            }
        }
    }
    /// What may be done because it is on disk. `Some`: once the step's outputs were taken.
    fn stored(&mut self, kept: Kept) -> Option<Fact> {
        match kept {
            Kept::Decide(answer, waiter) => drop(waiter.send(answer)),
            Kept::Told(waiter) => drop(waiter.send(Ok(json!({})))),
            Kept::Consent(chat, waiter) => {
                let _ = waiter.send(Ok(json!({})));
                self.chats.touch(chat);
            }
            Kept::Fact(Fact::Asked(chat, output)) => self.told(&chat, output),
            Kept::Fact(Fact::Acknowledged(id)) => self.sends.complete(&id, self.engine.other()),
            Kept::Fact(Fact::Seen(seen)) => self.hub.set_seen(seen),
            Kept::Accept(outbound, draft) => self.accepted(&outbound, &draft),
            Kept::Fact(Fact::Position(by, _)) => self.positioned(&by),
            Kept::Fact(fact @ (Fact::Came(..) | Fact::Reached(..) | Fact::Handled(_))) => return Some(fact),
            Kept::Input | Kept::Fact(_) => {}
        }
        None
    }
    /// What came in this step is on its way into the history.
    fn fed(&mut self, fact: Fact) {
        match fact {
            // one that its engine had before brings its archive's id all the same
            Fact::Came(chat, from, id, stanza_id) => self.chats.deed(Deed::Confirm { chat, from, id, stanza_id }),
            // what rooms say stands in the history only
            Fact::Handled(mark) => self.chats.after(After::Handled(mark)),
            Fact::Reached(by, reached) => self.chats.after(After::Fact(Fact::Position(by, reached))),
            _ => {}
        }
    }
    /// Callers are told; the rest is tried again, in its order.
    fn not_stored(&mut self, kept: Vec<Kept>, inputs: Vec<Input>, failure: &Failure) {
        if !self.store_failed {
            tracing::error!(code = %failure.code, "{failure}");
            self.report(Some(failure));
        }
        self.store_failed = true;
        let mut inputs = inputs.into_iter();
        let mut again = Vec::with_capacity(kept.len());
        for kept in kept {
            match kept {
                Kept::Input => again.extend(inputs.next().map(Fact::Input)),
                Kept::Accept(outbound, _) => {
                    inputs.next();
                    self.sends.refused(&outbound.id, failure);
                }
                Kept::Told(waiter) => drop(waiter.send(Err(failure.clone()))),
                Kept::Consent(chat, waiter) => {
                    inputs.next();
                    self.questions.doubt(chat);
                    let _ = waiter.send(Err(failure.clone()));
                }
                Kept::Decide(_, waiter) => {
                    inputs.next();
                    let _ = waiter.send(Err(failure.clone()));
                }
                Kept::Fact(fact) => again.push(fact),
            }
        }
        again.append(&mut self.facts);
        self.facts = again;
    }
}
