//! The messages of the open chat that are loaded, in their order, with the heights of their rows. What is told of others is not kept: it
//! comes when it is asked for.
use crate::heights::Heights;
use std::collections::HashMap;
use subrosa_web_api::page::{Message, Position};
use subrosa_web_api::{Jid, MessageId, Millis};

/// The height of a row that was not drawn yet.
const ESTIMATE: f64 = 64.0;

/// See the module.
#[derive(Debug, Default)]
pub struct Log {
    chat: Jid,
    /// Sorted by position, then id.
    messages: Vec<Message>,
    places: HashMap<MessageId, usize>,
    more: bool,
    /// Rows, one a message.
    pub heights: Heights,
    /// How far all that was there was moved down by older rows, since somebody set this to 0.
    pub shift: f64,
    /// Some are asked for.
    pub loading: bool,
    /// Told since the newest were asked for.
    told: Option<Vec<Message>>,
}

fn key(message: &Message) -> (Position, &str) {
    (message.position, &message.id)
}

impl Log {
    /// A chat that was opened; its messages are on their way.
    pub fn of(chat: Jid) -> Self {
        let mut log = Log { chat, ..Log::default() };
        log.asking();
        log
    }
    /// Whose.
    pub fn chat(&self) -> &str {
        &self.chat
    }
    /// Its newest messages are asked for: what is told from now on may be newer than the answer.
    pub fn asking(&mut self) {
        (self.loading, self.told) = (true, Some(Vec::new()));
    }
    /// Its newest messages came. They are the truth about their part; older ones that are loaded stay if nothing is missing between.
    pub fn newest(&mut self, messages: Vec<Message>, more: bool) {
        self.loading = false;
        let first = messages.first().map(|m| m.position);
        let known: HashMap<MessageId, f64> = self.messages.iter().enumerate().map(|(i, m)| (m.id.clone(), self.heights.height(i))).collect();
        let told = self.told.take().unwrap_or_default();
        let mut kept = std::mem::take(&mut self.messages);
        kept.retain(|m| !told.iter().any(|new| new.id == m.id));
        if first.is_some() && kept.last().map(|m| m.position) >= first {
            kept.retain(|m| Some(m.position) < first && !messages.iter().any(|new| new.id == m.id));
        } else {
            (kept, self.more) = (Vec::new(), more);
        }
        kept.extend(messages);
        self.messages = kept;
        self.index();
        self.heights = Heights::new(self.messages.len(), ESTIMATE);
        self.shift = 0.0;
        for (i, message) in self.messages.iter().enumerate() {
            if let Some(height) = known.get(&message.id) {
                self.heights.set(i, *height);
            }
        }
        for message in told {
            self.put(message);
        }
    }
    /// Older ones came.
    pub fn older(&mut self, mut messages: Vec<Message>, more: bool) {
        (self.more, self.loading) = (more, false);
        messages.retain(|m| m.chat == self.chat && !self.places.contains_key(&m.id));
        self.heights.insert(0, messages.len(), ESTIMATE);
        self.shift += ESTIMATE * messages.len() as f64;
        self.messages.splice(0..0, messages);
        self.index();
    }
    /// A message is new or changed. `true`: it came to the end.
    pub fn put(&mut self, message: Message) -> bool {
        if message.chat != self.chat {
            return false;
        }
        if let Some(told) = &mut self.told {
            told.retain(|m| m.id != message.id);
            told.push(message.clone());
        }
        let mut height = ESTIMATE;
        if let Some(at) = self.places.get(&message.id).copied() {
            if let Some(old) = self.messages.get_mut(at)
                && old.position == message.position
            {
                *old = message;
                return false;
            }
            self.messages.remove(at);
            height = self.heights.remove(at).unwrap_or(ESTIMATE);
            self.index();
        } else if self.more && self.messages.first().is_some_and(|first| key(&message) < key(first)) {
            return false; // it will come with its neighbours
        }
        let at = self.messages.partition_point(|other| key(other) < key(&message));
        let last = at == self.messages.len();
        self.heights.insert(at, 1, height);
        if last {
            self.places.insert(message.id.clone(), at);
            self.messages.push(message);
        } else {
            self.messages.insert(at, message);
            self.index();
        }
        last
    }
    /// A failed one was discarded.
    pub fn discard(&mut self, chat: &str, id: &str) {
        if chat != self.chat {
            return;
        }
        if let Some(told) = &mut self.told {
            told.retain(|m| m.id != id);
        }
        if let Some(at) = self.places.get(id).copied().filter(|at| *at < self.messages.len()) {
            self.messages.remove(at);
            self.heights.remove(at);
            self.index();
        }
    }
    /// One.
    pub fn get(&self, id: &str) -> Option<&Message> {
        self.messages.get(self.place(id)?)
    }
    /// Its row.
    pub fn place(&self, id: &str) -> Option<usize> {
        self.places.get(id).copied()
    }
    /// In a row.
    pub fn at(&self, row: usize) -> Option<&Message> {
        self.messages.get(row)
    }
    /// How many are loaded.
    pub fn len(&self) -> usize {
        self.messages.len()
    }
    /// None are loaded.
    pub fn is_empty(&self) -> bool {
        self.messages.is_empty()
    }
    /// The row before is of another day. Of the first one that is known only when there are no older ones.
    pub fn begins_day(&self, row: usize, day: impl Fn(Millis) -> i64) -> bool {
        let Some(message) = self.at(row) else { return false };
        row.checked_sub(1).and_then(|before| self.at(before)).map_or(!self.more, |before| day(before.at) != day(message.at))
    }
    /// Before which to ask for older ones; `None`: there are none, or they are on their way.
    pub fn ask_before(&self) -> Option<Position> {
        (self.more && !self.loading).then(|| self.messages.first().map(|m| m.position)).flatten()
    }

    fn index(&mut self) {
        self.places = self.messages.iter().enumerate().map(|(i, m)| (m.id.clone(), i)).collect();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use subrosa_web_api::page::{Content, Protection, State};

    fn message(id: &str, position: u64) -> Message {
        let (id, chat, content) = (id.into(), "bob@x".into(), Content::Text("hi".into()));
        Message { id, chat, position: Position(position), own: true, at: 0, content, state: State::Sending, protection: Protection::None }
    }
    fn ids(log: &Log) -> String {
        for (i, m) in log.messages.iter().enumerate() {
            assert_eq!(log.place(&m.id), Some(i));
        }
        assert_eq!((log.places.len(), log.heights.len()), (log.len(), log.len()));
        log.messages.iter().map(|m| m.id.as_str()).collect()
    }

    #[test]
    fn pages_and_news_keep_their_order() {
        let mut log = Log::of("bob@x".into());
        assert!(log.put(message("g", 30)), "told while the answer is on its way");
        log.newest(vec![message("e", 10), message("f", 20)], true);
        assert_eq!(ids(&log), "efg");
        assert_eq!(log.ask_before(), Some(Position(10)));
        log.loading = true;
        assert_eq!(log.ask_before(), None);
        log.older(vec![message("c", 1), message("d", 5), message("e", 10)], true);
        assert_eq!(ids(&log), "cdefg");
        assert_eq!(log.shift, 2.0 * ESTIMATE);
        log.older(vec![message("b", 0)], false);
        assert_eq!((ids(&log).as_str(), log.ask_before()), ("bcdefg", None));
        assert!(!log.put(Message { chat: "eve@x".into(), ..message("z", 99) }));
        assert_eq!(ids(&log), "bcdefg");
    }
    #[test]
    fn a_message_moves_with_its_height() {
        let mut log = Log::of("bob@x".into());
        log.newest(vec![message("a", 1), message("b", 2)], false);
        log.put(message("own", u64::MAX));
        log.heights.set(2, 200.0);
        log.put(message("c", 4));
        assert_eq!(ids(&log), "abcown");
        log.put(message("own", 3));
        assert_eq!(ids(&log), "abownc");
        assert_eq!(log.heights.before(3), ESTIMATE * 2.0 + 200.0);
        log.put(Message { state: State::Sent, ..message("own", 3) });
        assert_eq!(log.get("own").map(|m| &m.state), Some(&State::Sent));
        log.discard("eve@x", "own");
        log.discard("bob@x", "own");
        log.discard("bob@x", "own");
        assert_eq!(ids(&log), "abc");
    }
    #[test]
    fn asked_anew_the_answer_is_the_truth() {
        let mut log = Log::of("bob@x".into());
        log.newest(vec![message("c", 3), message("d", 4), message("gone", 5)], true);
        log.older(vec![message("a", 1), message("b", 2)], false);
        log.heights.set(1, 200.0);
        log.asking();
        log.put(message("f", 7));
        log.put(message("late", 8));
        log.discard("bob@x", "late");
        log.newest(vec![message("d", 4), message("e", 6)], true);
        assert_eq!(ids(&log), "abcdef");
        assert_eq!((log.heights.before(2), log.ask_before()), (ESTIMATE + 200.0, None), "what was loaded before is still there");
        log.asking();
        log.newest(vec![message("x", 50), message("y", 51)], true);
        assert_eq!(ids(&log), "xy", "there may be others between");
        assert_eq!(log.ask_before(), Some(Position(50)));
        log.asking();
        log.newest(Vec::new(), false);
        assert_eq!((ids(&log).as_str(), log.ask_before()), ("", None));
    }
    #[test]
    fn days_begin_where_they_are_known_to() {
        let at = |id, position, at| Message { at, ..message(id, position) };
        let mut log = Log::of("bob@x".into());
        log.newest(vec![at("b", 2, 20), at("c", 3, 29), at("d", 4, 30)], true);
        let days = |log: &Log| (0..5).map(|row| log.begins_day(row, |at| at as i64 / 10)).collect::<Vec<_>>();
        assert_eq!(days(&log), [false, false, true, false, false]);
        log.older(vec![at("a", 1, 25)], false);
        assert_eq!(days(&log), [true, false, false, true, false]);
    }
    #[test]
    fn what_lies_before_the_loaded_part_waits() {
        let mut log = Log::of("bob@x".into());
        log.newest(vec![message("e", 10)], true);
        assert!(!log.put(message("a", 1)));
        assert_eq!(ids(&log), "e");
        log.older(vec![message("a", 1)], false);
        log.put(message("0", 0));
        assert_eq!(ids(&log), "0ae");
    }
}
