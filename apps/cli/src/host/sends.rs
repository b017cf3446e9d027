//! Messages on their way out: which stanzas of each the server has not acknowledged, and who waits for the answer.
//! Memory only; the machine owes the stanzas and the ledger knows the rest.
use super::ledger::Report;
use crate::failure::{Failure, FaultName};
use crate::rpc::types::SendResult;
use serde_json::Value;
use std::collections::{BTreeSet, HashMap};
use subrosa_engine::OutputId;
use tokio::sync::oneshot;

/// Who waits for the answer to a call.
pub type Waiter = oneshot::Sender<Result<Value, Failure>>;

/// All messages that are not over.
#[derive(Default)]
pub struct Sends {
    open: HashMap<String, Open>,
    transmits: HashMap<OutputId, String>,
}
#[derive(Default)]
struct Open {
    to: String,
    report: Option<Report>,
    left: BTreeSet<OutputId>,
    waiters: Vec<Waiter>,
}

impl Sends {
    /// How many.
    #[cfg(test)]
    pub fn len(&self) -> usize {
        self.open.len()
    }
    /// Whom an open message is for.
    pub fn recipient(&self, id: &str) -> Option<&str> {
        self.open.get(id).map(|open| open.to.as_str())
    }
    /// A message was accepted, now or by an earlier process.
    pub fn accept(&mut self, id: &str, to: &str) {
        self.open.entry(id.into()).or_default().to = to.into();
    }
    /// Somebody waits for it. `report`: what is known of it from disk.
    pub fn wait(&mut self, id: &str, report: Option<Report>, waiter: Waiter) {
        let open = self.open.entry(id.into()).or_default();
        open.report = open.report.take().or(report);
        open.waiters.push(waiter);
    }
    /// It was encrypted, for these.
    pub fn encrypted(&mut self, id: &str, report: Report) {
        if let Some(open) = self.open.get_mut(id) {
            open.report = Some(report);
        }
    }
    /// One of its stanzas has to leave. `false`: it is known already.
    pub fn transmit(&mut self, output: OutputId, id: &str) -> bool {
        if let Some(open) = self.open.get_mut(id) {
            open.left.insert(output);
        }
        self.transmits.insert(output, id.into()).is_none()
    }
    /// The server has a stanza; `Some`: it was the last one of this message.
    pub fn acknowledged(&mut self, output: OutputId) -> Option<String> {
        let id = self.transmits.remove(&output)?;
        let open = self.open.get_mut(&id)?;
        open.left.remove(&output);
        open.left.is_empty().then_some(id)
    }
    /// Which message a stanza belongs to.
    pub fn message(&self, output: OutputId) -> Option<String> {
        self.transmits.get(&output).cloned()
    }
    /// It is over: the server has all of it. `engine`: what it went through, where it is not OMEMO.
    pub fn complete(&mut self, id: &str, engine: Option<&str>) {
        let Some(open) = self.open.remove(id) else { return };
        let Report { devices, left_out, unsaid, in_clear } = open.report.unwrap_or_default();
        // an engine with devices was OMEMO, whatever runs now
        let engine = engine.filter(|_| devices.is_empty() && !in_clear).map(str::to_owned);
        let result = SendResult { id: id.into(), devices, engine, in_clear, status: None, left_out, unsaid };
        let value = serde_json::to_value(&result).map_err(|e| Failure::bug(e.to_string()));
        open.waiters.into_iter().for_each(|w| drop(w.send(value.clone())));
    }
    /// It is over: nothing of it left. Whether somebody heard.
    pub fn refused(&mut self, id: &str, failure: &Failure) -> bool {
        let Some(open) = self.open.remove(id) else { return false };
        open.waiters.into_iter().filter_map(|w| w.send(Err(failure.clone())).ok()).count() > 0
    }
    /// There is no way out now: nobody is kept waiting, every message stays.
    pub fn unreachable(&mut self, cause: &Failure) {
        for (id, open) in &mut self.open {
            for waiter in open.waiters.drain(..) {
                let sentence = format!("message {id} is stored and goes out at the next connection, but now {}", cause.sentence);
                let _ = waiter.send(Err(Failure::new("send.queued", FaultName::Network, sentence)));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waiter() -> (Waiter, oneshot::Receiver<Result<Value, Failure>>) {
        oneshot::channel()
    }

    #[test]
    fn a_message_is_over_when_its_last_stanza_is_acknowledged() {
        let mut sends = Sends::default();
        sends.accept("m", "bob@x");
        let (w, mut answer) = waiter();
        sends.wait("m", None, w);
        assert!(sends.transmit(OutputId(1), "m") && sends.transmit(OutputId(2), "m"));
        assert!(!sends.transmit(OutputId(2), "m"));
        sends.encrypted("m", Report::default());
        assert_eq!(sends.acknowledged(OutputId(1)), None);
        assert_eq!(sends.acknowledged(OutputId(1)), None);
        assert!(answer.try_recv().is_err());
        assert_eq!(sends.acknowledged(OutputId(2)).as_deref(), Some("m"));
        sends.complete("m", None);
        assert_eq!(answer.try_recv().expect("answered").expect("well")["id"], "m");
        assert_eq!(sends.len(), 0);
    }

    #[test]
    fn without_a_way_out_nobody_waits_and_nothing_is_lost() {
        let mut sends = Sends::default();
        sends.accept("m", "bob@x");
        let (w, mut answer) = waiter();
        sends.wait("m", None, w);
        sends.transmit(OutputId(1), "m");
        sends.unreachable(&Failure::new("connect.unreachable", FaultName::Network, "x can't be reached"));
        assert_eq!(answer.try_recv().expect("answered").expect_err("not sent").code, "send.queued");
        assert_eq!(sends.acknowledged(OutputId(1)).as_deref(), Some("m"));
    }

    #[test]
    fn a_refusal_says_whether_somebody_heard_it() {
        let mut sends = Sends::default();
        sends.accept("m", "bob@x");
        let (w, answer) = waiter();
        sends.wait("m", None, w);
        drop(answer);
        assert!(!sends.refused("m", &Failure::bug("no")));
        assert!(!sends.refused("unknown", &Failure::bug("no")));
    }
}
