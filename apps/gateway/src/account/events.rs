//! The newest events of an account, in memory, for the sockets that are up to date; SQL stands behind.
//!
//! Invariant: all events after `floor` are here. A socket that is further behind reads from SQL until it is not.
use axum::body::Bytes;
use std::collections::VecDeque;
use subrosa_web_api::http::BrowserId;
use subrosa_web_api::socket::{Event, FromGateway};
use subrosa_web_api::{Seq, encode};

/// Events that are kept.
const EVENTS: usize = 256;
/// Bytes that are kept.
const BYTES: usize = 1024 * 1024;

/// An event as it goes on the sockets.
#[derive(Clone, Debug)]
pub struct Entry {
    pub seq: u64,
    /// For everybody but the sender.
    frame: Bytes,
    /// For the browser that sent it.
    own: Option<(BrowserId, Bytes)>,
}
impl Entry {
    /// `own`: what the browser that caused it gets instead.
    pub fn new(seq: u64, event: Event, own: Option<(BrowserId, Event)>) -> Self {
        Entry { seq, frame: frame(seq, event), own: own.map(|(browser, event)| (browser, frame(seq, event))) }
    }
    fn for_browser(&self, browser: BrowserId) -> Bytes {
        match &self.own {
            Some((owner, frame)) if *owner == browser => frame.clone(),
            _ => self.frame.clone(),
        }
    }
    fn size(&self) -> usize {
        self.frame.len().saturating_add(self.own.as_ref().map_or(0, |(_, frame)| frame.len())).saturating_add(64)
    }
}
/// An event as a frame.
pub fn frame(seq: u64, event: Event) -> Bytes {
    encode(&FromGateway::Event { seq: Seq(seq), event }).into()
}

/// See the module.
#[derive(Debug, Default)]
pub struct Ring {
    floor: u64,
    entries: VecDeque<Entry>,
    bytes: usize,
}
impl Ring {
    /// Nothing up to here is in memory.
    pub fn restart(&mut self, floor: u64) {
        *self = Ring { floor, ..Ring::default() };
    }
    pub fn push(&mut self, entry: Entry) {
        self.bytes = self.bytes.saturating_add(entry.size());
        self.entries.push_back(entry);
        while self.entries.len() > EVENTS || self.bytes > BYTES {
            let Some(oldest) = self.entries.pop_front() else { return };
            self.bytes = self.bytes.saturating_sub(oldest.size());
            self.floor = oldest.seq;
        }
    }
    /// What this browser gets after `since`, at most so many. `None`: it is to be read from SQL.
    pub fn after(&self, since: u64, browser: BrowserId, most: usize) -> Option<Vec<(u64, Bytes)>> {
        if since < self.floor {
            return None;
        }
        let first = self.entries.partition_point(|entry| entry.seq <= since);
        Some(self.entries.iter().skip(first).take(most).map(|entry| (entry.seq, entry.for_browser(browser))).collect())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]
    use super::*;
    use subrosa_web_api::socket::Message;
    use subrosa_web_api::{Kind, decode};

    fn message(body: usize) -> Event {
        let [id, chat, from] = ["m", "b@x", "a@x"].map(String::from);
        Event::Message(Message { id, chat, from, sent: 0, kind: Kind::Text, own: body == 0, body: vec![7; body] })
    }
    fn seqs(ring: &Ring, since: u64) -> Option<Vec<u64>> {
        ring.after(since, 1, 1000).map(|list| list.into_iter().map(|(seq, _)| seq).collect())
    }

    #[test]
    fn it_is_whole_after_its_floor_and_bounded() {
        let mut ring = Ring::default();
        ring.restart(10);
        for seq in [11, 15, 16] {
            ring.push(Entry::new(seq, message(1), None));
        }
        assert_eq!((seqs(&ring, 9), seqs(&ring, 10)), (None, Some(vec![11, 15, 16])));
        assert_eq!((seqs(&ring, 12), seqs(&ring, 16)), (Some(vec![15, 16]), Some(vec![])));
        for seq in 17..1000 {
            ring.push(Entry::new(seq, message(1), None));
        }
        assert_eq!((ring.entries.len(), seqs(&ring, 500), ring.floor), (EVENTS, None, 999 - EVENTS as u64));
        for seq in 1000..1020 {
            ring.push(Entry::new(seq, message(200_000), None));
        }
        assert!(ring.bytes <= BYTES && ring.entries.len() <= 5);
    }

    #[test]
    fn the_sender_gets_its_own_without_the_body() {
        let mut ring = Ring::default();
        ring.push(Entry::new(1, message(100), Some((7, message(0)))));
        let own = |browser| {
            let frame = ring.after(0, browser, 1).unwrap().remove(0).1;
            let Some(FromGateway::Event { event: Event::Message(message), .. }) = decode(&frame) else { panic!() };
            (message.own, message.body.len())
        };
        assert_eq!((own(7), own(8)), ((true, 0), (false, 100)));
    }
}
