//! Stream management (XEP-0198) as a state: what was sent and is not acknowledged, what came and is not stored. Sans-IO.
//!
//! Invariants: a stanza leaves the queue only when the server has it; `h` never covers a stanza that the host has not stored; after a
//! resumption what the server sends again, and we have, is not handed out twice.
use minidom::Element;
use std::collections::VecDeque;
use subrosa_engine::OutputId;

/// What a resumption needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Resume {
    pub id: String,
    pub h: u32,
}
/// A stanza of ours.
#[derive(Debug)]
pub(super) struct Sent {
    pub token: Option<OutputId>,
    /// It is worth sending on another stream.
    pub lasts: bool,
    pub stanza: Element,
}
impl Sent {
    /// Of an output: it is told when the server has it.
    pub(super) fn output(token: OutputId, stanza: Element) -> Self {
        Sent { token: Some(token), lasts: true, stanza }
    }
    /// It may be sent again.
    pub(super) fn lasting(stanza: Element) -> Self {
        Sent { token: None, lasts: true, stanza }
    }
    /// For this stream only.
    pub(super) fn passing(stanza: Element) -> Self {
        Sent { token: None, lasts: false, stanza }
    }
}
#[derive(Debug, Default)]
pub(super) struct Management {
    /// The server counts.
    pub managed: bool,
    id: Option<String>,
    /// Ours: sent on this stream (and the streams it resumes), and of those acknowledged.
    sent: u64,
    acknowledged: u64,
    queue: VecDeque<Sent>,
    /// Theirs: all that came while this process lives; where the present stream began; those that the host has not stored.
    received: u64,
    base: u64,
    held: VecDeque<u64>,
    /// They come again and we have them.
    skip: u64,
}
impl Management {
    /// For the next connection. From here on what came and is not covered by `h` comes again.
    pub(super) fn resume(&self) -> Option<Resume> {
        self.id.as_ref().map(|id| Resume { id: id.clone(), h: self.h() })
    }
    /// Stored up to here, as the server counts: modulo 2^32 (§4).
    pub(super) fn h(&self) -> u32 {
        wrap(self.stored().saturating_sub(self.base))
    }
    fn stored(&self) -> u64 {
        self.held.front().map_or(self.received, |first| first.saturating_sub(1))
    }
    /// The same stream goes on; `asked`: the `h` that we resumed with. What is left in the queue is to be sent again.
    pub(super) fn resumed(&mut self, asked: u32, h: u32) -> Option<Vec<OutputId>> {
        let ours = wrap(self.received.saturating_sub(self.base));
        self.skip = ours.wrapping_sub(asked).into();
        self.acknowledge(h)
    }
    /// Another stream; what is returned was not acknowledged on the old one.
    pub(super) fn begin(&mut self, managed: Option<Option<String>>) -> Vec<Sent> {
        self.managed = managed.is_some();
        self.id = managed.flatten();
        self.sent = 0;
        self.acknowledged = 0;
        self.base = self.received;
        self.held.clear();
        self.skip = 0;
        std::mem::take(&mut self.queue).into()
    }
    /// It can't be resumed.
    pub(super) fn forget(&mut self) {
        self.id = None;
    }
    /// The stanza is being written: whether it arrived, the server will say.
    pub(super) fn sent(&mut self, stanza: Sent) {
        self.sent = self.sent.saturating_add(1);
        self.queue.push_back(stanza);
    }
    /// The one that is being written.
    pub(super) fn last(&self) -> Option<&Element> {
        self.queue.back().map(|sent| &sent.stanza)
    }
    /// It was not written at all.
    pub(super) fn unsent(&mut self) -> Option<Sent> {
        self.sent = self.sent.saturating_sub(1);
        self.queue.pop_back()
    }
    pub(super) fn unacknowledged(&self) -> impl Iterator<Item = &Element> {
        self.queue.iter().map(|sent| &sent.stanza)
    }
    /// How many the server is not known to have.
    pub(super) fn open(&self) -> usize {
        self.queue.len()
    }
    /// Something is in the queue that somebody waits for.
    pub(super) fn is_awaited(&self) -> bool {
        self.queue.iter().any(|sent| sent.lasts)
    }
    /// How many were sent: what an answer to a ping that is sent now will acknowledge.
    pub(super) fn count(&self) -> u32 {
        wrap(self.sent)
    }
    /// The server has this many. `None`: more than were sent (§4: the stream is broken).
    pub(super) fn acknowledge(&mut self, h: u32) -> Option<Vec<OutputId>> {
        let new: u64 = h.wrapping_sub(wrap(self.acknowledged)).into();
        if usize::try_from(new).ok()? > self.queue.len() {
            return None;
        }
        self.acknowledged = self.acknowledged.saturating_add(new);
        let new = usize::try_from(new).ok()?;
        Some(self.queue.drain(..new).filter_map(|sent| sent.token).collect())
    }
    /// A stanza came. `None`: we have it. Its number names it to [`Management::stored_to`].
    pub(super) fn came(&mut self) -> Option<u64> {
        if self.skip > 0 {
            self.skip = self.skip.saturating_sub(1);
            return None;
        }
        self.received = self.received.saturating_add(1);
        Some(self.received)
    }
    /// The host has to store it.
    pub(super) fn hold(&mut self, number: u64) {
        self.held.push_back(number);
    }
    /// The host has stored all up to this one. Whether `h` grew.
    pub(super) fn stored_to(&mut self, number: u64) -> bool {
        let before = self.held.len();
        while self.held.front().is_some_and(|first| *first <= number) {
            self.held.pop_front();
        }
        self.held.len() != before
    }
}
fn wrap(n: u64) -> u32 {
    u32::try_from(n & u64::from(u32::MAX)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::arithmetic_side_effects)]
    use super::*;

    fn stanza(token: u64) -> Sent {
        let stanza = Element::bare("message", "jabber:client");
        if token == 0 { Sent::passing(stanza) } else { Sent::output(OutputId(token), stanza) }
    }
    fn ids(list: &[u64]) -> Vec<OutputId> {
        list.iter().map(|n| OutputId(*n)).collect()
    }

    #[test]
    fn acknowledgements_release_in_order_and_never_too_many() {
        let mut sm = Management::default();
        sm.begin(Some(Some("id".into())));
        for t in [1, 0, 2] {
            sm.sent(stanza(t));
        }
        assert_eq!(sm.acknowledge(2), Some(ids(&[1])));
        assert_eq!(sm.acknowledge(2), Some(vec![]));
        assert_eq!(sm.acknowledge(4), None);
        assert_eq!(sm.acknowledge(1), None);
        assert!(sm.is_awaited());
        assert_eq!(sm.acknowledge(3), Some(ids(&[2])));
        assert!(!sm.is_awaited());
        sm.sent(Sent::lasting(Element::bare("presence", "jabber:client")));
        assert!(sm.is_awaited());
        assert_eq!(sm.acknowledge(4), Some(vec![]));
        assert!(!sm.is_awaited());
    }

    #[test]
    fn counts_wrap_at_32_bits() {
        let mut sm = Management { sent: u64::from(u32::MAX), acknowledged: u64::from(u32::MAX), ..Management::default() };
        sm.sent(stanza(7));
        assert_eq!(sm.acknowledge(0), Some(ids(&[7])));
    }

    #[test]
    fn only_what_is_stored_is_acknowledged() {
        let mut sm = Management::default();
        sm.begin(Some(None));
        for hold in [false, true, false, true] {
            let n = sm.came().unwrap();
            if hold {
                sm.hold(n);
            }
        }
        assert_eq!(sm.h(), 1);
        assert!(sm.stored_to(2));
        assert_eq!(sm.h(), 3);
        assert!(!sm.stored_to(3));
        assert!(sm.stored_to(4));
        assert_eq!(sm.h(), 4);
    }

    #[test]
    fn what_comes_again_is_not_handed_out_twice() {
        let mut sm = Management::default();
        sm.begin(Some(Some("id".into())));
        (0..5).for_each(|_| {
            let n = sm.came().unwrap();
            sm.hold(n);
        });
        sm.stored_to(2);
        let resume = sm.resume().unwrap();
        assert_eq!(resume.h, 2);
        assert!(sm.stored_to(4)); // meanwhile
        sm.resumed(resume.h, 0).unwrap();
        assert_eq!((sm.came(), sm.came(), sm.came()), (None, None, None)); // 3, 4, 5
        assert_eq!(sm.came(), Some(6));
        sm.stored_to(5);
        assert_eq!(sm.h(), 6);
    }

    #[test]
    fn another_stream_gives_back_what_was_not_acknowledged() {
        let mut sm = Management::default();
        sm.begin(Some(Some("id".into())));
        sm.came();
        for t in [1, 2] {
            sm.sent(stanza(t));
        }
        sm.acknowledge(1).unwrap();
        let left: Vec<_> = sm.begin(None).into_iter().filter_map(|s| s.token).collect();
        assert_eq!((left, sm.h(), sm.resume()), (ids(&[2]), 0, None));
    }
}
