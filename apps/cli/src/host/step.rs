//! One step: what goes into it, what may be done when it is stored, what is tried again when it is not.
use super::drive::{Drive, now};
use super::ledger::{Ledger, Login, Seen};
use super::link::Mark;
use super::sends::Waiter;
use crate::failure::Failure;
use crate::rpc::types::{DeviceResult, SendText};
use serde_json::json;
use subrosa_engine::{Address, ChatId, Device, Fingerprint, Headers, Input, Kind, MessageId, Plaintext, Recipients, Trust};

/// What goes into a step.
pub enum Fact {
    Input(Input),
    /// The server may forget incoming stanzas up to here, once this step is stored.
    Handled(Mark),
    Pin(String),
    Accept(SendText, String),
    Decide(Device, Fingerprint, Trust, Waiter),
    Leaving(String, Vec<DeviceResult>),
    Acknowledged(String),
    Failed(String),
    Seen(Seen),
    Login(Login, Waiter),
    /// The device leaves the account.
    Leave,
    /// Whose devices?
    Refresh(Address),
}

/// What a fact leaves behind while its step is committed.
enum Kept {
    Input,
    Accept(String),
    Decide(Waiter),
    Told(Waiter),
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
                Fact::Accept(send, id) => {
                    let (row, to) = (id.clone(), send.to.clone());
                    step.call(ledger, move |_, cx| Ledger::accept(cx, &row, &to));
                    step.feed(message(&send, &id));
                    Kept::Accept(id)
                }
                Fact::Decide(device, key, trust, waiter) => {
                    step.feed(Input::SetTrust(device, key, trust));
                    Kept::Decide(waiter)
                }
                Fact::Leaving(id, devices) => {
                    let (row, list) = (id.clone(), devices.clone());
                    step.call(ledger, move |_, cx| Ledger::leaving(cx, &row, &list));
                    Kept::Fact(Fact::Leaving(id, devices))
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
                kept.into_iter().for_each(|kept| self.stored(kept));
                self.take(outputs);
            }
            Err(e) => {
                let failure = Failure::coded(&e.source);
                self.not_stored(kept, e.inputs, &failure);
            }
        }
    }
    /// What may be done because it is on disk.
    fn stored(&mut self, kept: Kept) {
        match kept {
            Kept::Fact(Fact::Handled(mark)) => self.link.handled(mark),
            Kept::Decide(waiter) | Kept::Told(waiter) => drop(waiter.send(Ok(json!({})))),
            Kept::Fact(Fact::Acknowledged(id)) => self.sends.complete(&id, self.engine.other()),
            Kept::Fact(Fact::Seen(seen)) => self.hub.set_seen(seen),
            Kept::Input | Kept::Accept(_) | Kept::Fact(_) => {}
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
                Kept::Accept(id) => {
                    inputs.next();
                    self.sends.refused(&id, failure);
                }
                Kept::Told(waiter) => drop(waiter.send(Err(failure.clone()))),
                Kept::Decide(waiter) => {
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

fn message(send: &SendText, id: &str) -> Input {
    let to = Address::from(send.to.as_str());
    Input::Send {
        id: MessageId::from(id),
        chat: ChatId(to.clone()),
        to: Recipients::People(vec![to]),
        kind: Kind::Text,
        plain: Plaintext::text(&send.text),
        headers: Headers::default(),
    }
}
