//! What wants to be shown, and who shows it. A notification is kept (the machine owes it) until one subscriber says it
//! was shown; one that may have been shown before comes flagged, so that nobody takes it for a new one.
use super::ledger::Seen;
use crate::rpc::server::Subscriber;
use crate::rpc::types::Notification;
use std::collections::BTreeMap;
use subrosa_engine::OutputId;

/// Unseen notifications and subscribers of one account.
#[derive(Default)]
pub struct Hub {
    unseen: BTreeMap<u64, Unseen>,
    subscribers: Vec<Subscriber>,
    seen: Seen,
}
struct Unseen {
    note: Notification,
    /// An earlier process may have shown it.
    before: bool,
    /// Subscribers of this process that were given it and did not pass it over.
    given: usize,
}
impl Unseen {
    fn may_be_shown(&self) -> bool {
        self.before || self.given > 0
    }
    /// As it is given to somebody who comes now.
    fn note(&self) -> Notification {
        let mut note = self.note.clone();
        if self.may_be_shown() {
            note.set_again();
        }
        note
    }
}

impl Hub {
    /// With what earlier processes left. `last`: the newest output that was owed when this one began.
    pub fn new(seen: Seen, last: u64) -> Self {
        let up_to = if seen.showing { last.max(seen.up_to) } else { seen.up_to };
        Hub { seen: Seen { up_to, showing: false }, ..Hub::default() }
    }
    /// What has to be on disk before the first subscriber is given anything.
    pub fn seen(&self) -> Seen {
        self.seen
    }
    /// From here on notifications are given out.
    pub fn showing(&self) -> Seen {
        Seen { showing: true, ..self.seen }
    }
    /// Marks that [`Self::showing`] is on disk.
    pub fn set_seen(&mut self, seen: Seen) {
        self.seen = seen;
    }
    /// What stays on disk when this process ends in good order.
    pub fn at_end(&self) -> Seen {
        let handed = self.unseen.iter().filter(|(_, unseen)| unseen.may_be_shown()).map(|(seq, _)| *seq).max();
        Seen { up_to: handed.unwrap_or_default(), showing: false }
    }
    /// It is to be shown.
    pub fn owes(&self, id: OutputId) -> bool {
        self.unseen.contains_key(&id.0)
    }
    /// How many nobody has seen.
    pub fn unseen(&self) -> usize {
        self.unseen.len()
    }
    /// A further subscriber; it gets all that is unseen, in order. Only after [`Self::showing`] is on disk.
    pub fn subscribe(&mut self, subscriber: Subscriber) {
        for unseen in self.unseen.values_mut() {
            if subscriber.send(unseen.note()).is_err() {
                return;
            }
            unseen.given = unseen.given.saturating_add(1);
        }
        self.subscribers.push(subscriber);
    }
    /// The machine owes this one.
    pub fn owe(&mut self, id: OutputId, note: Notification) {
        if self.owes(id) {
            return; // released again: after a commit that failed
        }
        let mut unseen = Unseen { note, before: id.0 <= self.seen.up_to, given: 0 };
        self.tell(&unseen.note());
        unseen.given = self.subscribers.len();
        self.unseen.insert(id.0, unseen);
    }
    /// Nobody owes this one: who is there hears it.
    pub fn tell(&mut self, note: &Notification) {
        self.subscribers.retain(|s| s.send(note.clone()).is_ok());
    }
    /// Somebody showed it; what to tell the machine, once.
    pub fn shown(&mut self, seq: u64) -> Option<OutputId> {
        self.unseen.remove(&seq).map(|_| OutputId(seq))
    }
    /// A subscriber was given it and did not show it.
    pub fn passed(&mut self, seq: u64) {
        if let Some(unseen) = self.unseen.get_mut(&seq) {
            unseen.given = unseen.given.saturating_sub(1);
        }
    }
    /// Somebody listens.
    pub fn is_heard(&self) -> bool {
        !self.subscribers.is_empty()
    }
    /// The process ends: subscribers see the end of their channel.
    pub fn close(&mut self) {
        self.subscribers.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rpc::types::DeviceSeen;
    use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

    fn note(seq: u64) -> Notification {
        Notification::DeviceNew(DeviceSeen {
            account: "a@x".into(),
            seq,
            again: false,
            jid: "b@x".into(),
            device: crate::rpc::types::DeviceNumber::Number(1),
            fingerprint: String::new(),
            trust: crate::args::Level::Trusted,
        })
    }
    fn got(from: &mut UnboundedReceiver<Notification>) -> Vec<(u64, bool)> {
        let mut all = Vec::new();
        while let Ok(Notification::DeviceNew(d)) = from.try_recv() {
            all.push((d.seq, d.again));
        }
        all
    }
    fn owe(hub: &mut Hub, seqs: &[u64]) {
        seqs.iter().for_each(|seq| hub.owe(OutputId(*seq), note(*seq)));
    }

    #[test]
    fn what_nobody_saw_waits_and_is_not_flagged() {
        let mut hub = Hub::default();
        owe(&mut hub, &[1, 2]);
        let (s, mut first) = unbounded_channel();
        hub.subscribe(s);
        owe(&mut hub, &[3]);
        assert_eq!(got(&mut first), [(1, false), (2, false), (3, false)]);
        assert_eq!(hub.shown(2), Some(OutputId(2)));
        assert_eq!(hub.shown(2), None);
        drop(first);
        let (s, mut second) = unbounded_channel();
        hub.subscribe(s);
        assert_eq!(got(&mut second), [(1, true), (3, true)]); // the first one may have shown them
    }

    #[test]
    fn after_a_kill_all_that_was_owed_is_flagged_and_nothing_later() {
        let mut hub = Hub::new(Seen { up_to: 0, showing: true }, 5);
        owe(&mut hub, &[4, 5, 6]);
        let (s, mut all) = unbounded_channel();
        hub.subscribe(s);
        assert_eq!(got(&mut all), [(4, true), (5, true), (6, false)]);
    }

    #[test]
    fn after_an_end_in_order_only_what_was_given_out_is_flagged() {
        let mut hub = Hub::default();
        let (s, quiet) = unbounded_channel();
        hub.subscribe(s);
        owe(&mut hub, &[1, 2]);
        drop(quiet);
        hub.shown(1);
        owe(&mut hub, &[3]);
        assert_eq!(hub.at_end(), Seen { up_to: 2, showing: false });
        let mut next = Hub::new(hub.at_end(), 3);
        owe(&mut next, &[2, 3]);
        let (s, mut all) = unbounded_channel();
        next.subscribe(s);
        assert_eq!(got(&mut all), [(2, true), (3, false)]);
    }

    #[test]
    fn what_was_passed_over_is_not_flagged() {
        let mut hub = Hub::default();
        let (s, mut one) = unbounded_channel();
        hub.subscribe(s);
        owe(&mut hub, &[1, 2]);
        assert_eq!(got(&mut one), [(1, false), (2, false)]);
        hub.passed(1);
        hub.passed(1); // once is enough
        hub.shown(2);
        assert_eq!(hub.at_end(), Seen { up_to: 0, showing: false });
        let (s, mut two) = unbounded_channel();
        hub.subscribe(s);
        assert_eq!(got(&mut two), [(1, false)]);
        // that one may have shown it
        assert_eq!(hub.at_end(), Seen { up_to: 1, showing: false });
        // what an earlier process may have shown stays flagged
        let mut next = Hub::new(hub.at_end(), 1);
        owe(&mut next, &[1]);
        next.passed(1);
        assert_eq!(next.at_end(), Seen { up_to: 1, showing: false });
    }

    #[test]
    fn released_twice_is_told_once() {
        let mut hub = Hub::default();
        let (s, mut all) = unbounded_channel();
        hub.subscribe(s);
        owe(&mut hub, &[1, 1]);
        assert_eq!(got(&mut all), [(1, false)]);
    }
}
