//! The chat list: who is where in it, and who is found. Requests first, then by the last word, then by name. Made for 10,000 of them.
use std::cmp::{Ordering, Reverse};
use std::collections::HashMap;
use subrosa_web_api::Jid;
use subrosa_web_api::page::Chat;
use subrosa_web_api::socket::Standing;

/// See the module.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Chats {
    by_jid: HashMap<Jid, Chat>,
    /// Sorted by [`compare`].
    order: Vec<Jid>,
}

/// What to call somebody.
pub fn name(chat: &Chat) -> &str {
    if chat.name.trim().is_empty() { &chat.jid } else { &chat.name }
}

fn compare(a: &Chat, b: &Chat) -> Ordering {
    let key = |c: &Chat| (Reverse(c.standing == Standing::Asks), Reverse(c.last_at));
    key(a).cmp(&key(b)).then_with(|| name(a).to_lowercase().cmp(&name(b).to_lowercase())).then_with(|| a.jid.cmp(&b.jid))
}

impl Chats {
    /// All of them, anew.
    pub fn all(chats: Vec<Chat>) -> Self {
        let by_jid: HashMap<Jid, Chat> = chats.into_iter().map(|chat| (chat.jid.clone(), chat)).collect();
        let mut sorted: Vec<&Chat> = by_jid.values().collect();
        sorted.sort_by_cached_key(|c| (c.standing != Standing::Asks, Reverse(c.last_at), name(c).to_lowercase(), c.jid.clone()));
        let order = sorted.into_iter().map(|c| c.jid.clone()).collect();
        Chats { by_jid, order }
    }
    /// One that is new or changed.
    pub fn put(&mut self, chat: Chat) {
        if let Some(old) = self.by_jid.get(&chat.jid) {
            if compare(old, &chat) == Ordering::Equal {
                self.by_jid.insert(chat.jid.clone(), chat);
                return;
            }
            let at = self.place(old);
            if self.order.get(at) == Some(&chat.jid) {
                self.order.remove(at);
            } else {
                self.order.retain(|jid| *jid != chat.jid);
            }
        }
        let at = self.place(&chat);
        self.order.insert(at, chat.jid.clone());
        self.by_jid.insert(chat.jid.clone(), chat);
    }
    /// One.
    pub fn get(&self, jid: &str) -> Option<&Chat> {
        self.by_jid.get(jid)
    }
    /// The one at a place of the whole list.
    pub fn at(&self, place: usize) -> Option<&Chat> {
        self.by_jid.get(self.order.get(place)?)
    }
    /// Unread messages of all.
    pub fn unread(&self) -> u32 {
        self.by_jid.values().fold(0, |sum, chat| sum.saturating_add(chat.unread))
    }
    /// The places of those whose name or address holds these words; all for none. Who left the list and never said a word is not shown.
    pub fn find(&self, words: &str) -> Vec<usize> {
        let words = words.trim().to_lowercase();
        let shown = |chat: &Chat| {
            (chat.standing != Standing::Gone || chat.last_at > 0)
                && (words.is_empty() || chat.jid.contains(&words) || chat.name.to_lowercase().contains(&words))
        };
        self.order.iter().enumerate().filter(|(_, jid)| self.by_jid.get(*jid).is_some_and(shown)).map(|(place, _)| place).collect()
    }

    fn place(&self, chat: &Chat) -> usize {
        self.order.partition_point(|jid| self.by_jid.get(jid).is_some_and(|other| compare(other, chat) == Ordering::Less))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use subrosa_web_api::page::Lock;

    fn chat(jid: &str, last_at: u64) -> Chat {
        let (jid, name, last_text) = (jid.into(), String::new(), String::new());
        Chat { jid, name, standing: Standing::Mutual, unread: 0, last_at, last_text, lock: Lock::Encrypted }
    }
    fn order(chats: &Chats) -> Vec<&str> {
        chats.find("").into_iter().filter_map(|i| chats.at(i)).map(|c| c.jid.as_str()).collect()
    }

    #[test]
    fn requests_then_last_words_then_names() {
        let mut chats = Chats::all(vec![chat("c@x", 5), chat("B@x", 0), chat("a@x", 0), Chat { standing: Standing::Asks, ..chat("z@x", 0) }]);
        assert_eq!(order(&chats), ["z@x", "c@x", "a@x", "B@x"]);
        chats.put(Chat { unread: 2, ..chat("a@x", 9) });
        assert_eq!(order(&chats), ["z@x", "a@x", "c@x", "B@x"]);
        chats.put(chat("z@x", 0));
        chats.put(chat("new@x", 0));
        assert_eq!(order(&chats), ["a@x", "c@x", "B@x", "new@x", "z@x"]);
        assert_eq!(chats.unread(), 2);
    }
    #[test]
    fn the_order_after_changes_is_that_of_a_new_list() {
        let mut chats = Chats::default();
        let mut seed = 1_u64;
        for _ in 0..500 {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            chats.put(chat(&format!("{}@x", (seed >> 33) % 40), (seed >> 40) % 9));
        }
        assert_eq!(order(&chats), order(&Chats::all(chats.by_jid.values().cloned().collect())));
    }
    #[test]
    fn found_by_name_and_address() {
        let mut chats = Chats::all(vec![Chat { name: "Ärzte".into(), ..chat("doc@x", 1) }, chat("bob@y", 2)]);
        assert_eq!(chats.find(" ärz ").len(), 1);
        assert_eq!(chats.find("@y").len(), 1);
        assert_eq!(chats.find("nobody").len(), 0);
        chats.put(Chat { standing: Standing::Gone, ..chat("bob@y", 0) });
        assert_eq!(chats.find("bob").len(), 0);
    }
}
