//! Calls that were not answered yet, over the death of a worker. Owns what becomes of each in each [`Phase`]; knows no worker.
use crate::words;
use std::collections::BTreeMap;
use subrosa_web_api::Failure;
use subrosa_web_api::page::{Answer, Call, Phase};

/// What becomes of a call.
#[derive(Debug, PartialEq)]
enum Fate {
    Send,
    Hold,
    /// The phase says how it went: the worker died between doing it and saying so.
    Settled(Result<Answer, Failure>),
}

fn fate(call: &Call, phase: &Phase) -> Fate {
    use Call::{LogIn, SignIn, SignOut, Unlock};
    match (phase, call) {
        (Phase::SignedOut, SignIn { .. }) | (Phase::Locked { .. }, Unlock { .. } | SignOut { .. }) | (Phase::Broken(_), SignOut { .. }) => Fate::Send,
        (Phase::SignedOut, SignOut { .. }) | (Phase::Locked { .. } | Phase::Ready(_), SignIn { .. }) | (Phase::Ready(_), Unlock { .. }) => {
            Fate::Settled(Ok(Answer::Done))
        }
        (Phase::SignedOut, _) => Fate::Settled(Err(words::signed_out())),
        (Phase::Ready(_), _) | (Phase::Broken(_), LogIn { .. }) => Fate::Send,
        (Phase::Loading | Phase::Locked { .. } | Phase::Broken(_), _) => Fate::Hold,
    }
}

/// Given to so many workers that died of it or beside it, a call is given up.
const WORKERS: u8 = 3;

struct Pending<D> {
    call: Call,
    done: D,
    sent: bool,
    workers: u8,
}

/// See the module. `D`: what to do with the answer.
pub struct Calls<D> {
    next: u32,
    pending: BTreeMap<u32, Pending<D>>,
    phase: Phase,
}

/// What to do now, in this order.
pub struct Due<D> {
    /// To the worker.
    pub send: Vec<(u32, Call)>,
    /// Answered by the phase.
    pub settled: Vec<(D, Result<Answer, Failure>)>,
}

impl<D> Default for Calls<D> {
    fn default() -> Self {
        Calls { next: 1, pending: BTreeMap::new(), phase: Phase::Loading }
    }
}

impl<D> Calls<D> {
    /// A new one.
    pub fn add(&mut self, call: Call, done: D) -> Due<D> {
        let n = self.next;
        self.next = self.next.wrapping_add(1);
        self.pending.insert(n, Pending { call, done, sent: false, workers: 0 });
        self.due()
    }
    /// The worker told its phase.
    pub fn phase(&mut self, phase: Phase) -> Due<D> {
        self.phase = phase;
        self.due()
    }
    /// There is a new worker, which has heard nothing.
    pub fn restart(&mut self) {
        self.phase = Phase::Loading;
        for pending in self.pending.values_mut() {
            pending.sent = false;
        }
    }
    /// The answer came; `None`: nobody waits for it.
    pub fn answered(&mut self, n: u32) -> Option<D> {
        self.pending.remove(&n).map(|pending| pending.done)
    }

    fn due(&mut self) -> Due<D> {
        let mut due = Due { send: Vec::new(), settled: Vec::new() };
        let waiting: Vec<u32> = self.pending.iter().filter(|(_, p)| !p.sent).map(|(n, _)| *n).collect();
        for n in waiting {
            let Some(pending) = self.pending.get_mut(&n) else { continue };
            match fate(&pending.call, &self.phase) {
                Fate::Hold => {}
                Fate::Send if pending.workers >= WORKERS => {
                    due.settled.extend(self.pending.remove(&n).map(|pending| (pending.done, Err(words::gave_up()))));
                }
                Fate::Send => {
                    pending.sent = true;
                    pending.workers = pending.workers.saturating_add(1);
                    due.send.push((n, pending.call.clone()));
                }
                Fate::Settled(result) => due.settled.extend(self.pending.remove(&n).map(|pending| (pending.done, result))),
            }
        }
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use subrosa_web_api::page::Me;

    fn ready() -> Phase {
        Phase::Ready(Me { jid: "a@x".into(), device: 1, fingerprint: String::new(), has_passphrase: false })
    }
    fn send(id: &str) -> Call {
        Call::Send { id: id.into(), chat: "b@x".into(), text: "t".into() }
    }
    fn numbers<D>(due: &Due<D>) -> Vec<u32> {
        due.send.iter().map(|(n, _)| *n).collect()
    }

    #[test]
    fn unanswered_calls_are_repeated_in_order_to_the_next_worker() {
        let mut calls = Calls::default();
        assert!(numbers(&calls.add(send("one"), "one")).is_empty(), "nothing is said before the phase is known");
        assert_eq!(numbers(&calls.phase(ready())), [1]);
        assert_eq!(numbers(&calls.add(send("two"), "two")), [2]);
        assert_eq!(numbers(&calls.add(Call::Browsers, "three")), [3]);
        assert_eq!(calls.answered(2), Some("two"));
        calls.restart();
        assert!(numbers(&calls.phase(Phase::Locked { jid: "a@x".into() })).is_empty());
        assert_eq!(numbers(&calls.add(Call::Unlock { passphrase: "p".into() }, "unlock")), [4]);
        assert_eq!(numbers(&calls.phase(ready())), [1, 3]);
        assert_eq!(calls.answered(1), Some("one"));
        assert_eq!(calls.answered(1), None);
    }
    #[test]
    fn a_call_that_kills_every_worker_is_given_up() {
        let mut calls = Calls::default();
        calls.add(send("deadly"), "deadly");
        for _ in 0..WORKERS {
            assert_eq!(numbers(&calls.phase(ready())), [1]);
            calls.restart();
        }
        let due = calls.phase(ready());
        assert!(due.send.is_empty());
        assert_eq!(due.settled, [("deadly", Err(words::gave_up()))]);
        assert!(calls.phase(ready()).settled.is_empty());
    }
    #[test]
    fn what_the_phase_answers_is_not_asked_again() {
        let mut calls = Calls::default();
        calls.phase(Phase::SignedOut);
        calls.add(Call::SignIn { jid: "a@x".into(), password: "p".into(), passphrase: None }, "in");
        calls.restart();
        let due = calls.phase(ready());
        assert!(due.send.is_empty());
        assert_eq!(due.settled, [("in", Ok(Answer::Done))]);
        calls.add(Call::SignOut { even_offline: false }, "out");
        calls.add(send("late"), "late");
        calls.restart();
        let settled = calls.phase(Phase::SignedOut).settled;
        assert_eq!(settled.first(), Some(&("out", Ok(Answer::Done))));
        assert!(matches!(settled.get(1), Some(("late", Err(_)))));
    }
}
