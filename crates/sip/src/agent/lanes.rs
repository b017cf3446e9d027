//! Messages on their way out, in their order for each person (RFC 3428 §8).
use super::{Command, Handle};
use crate::connection::Transport;
use crate::message::{Delivery, SipMessage};
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use subrosa_engine::{ChatId, Kind, MessageId, OutputId};

/// One that waits for its turn.
pub(super) struct Waiting {
    pub output: OutputId,
    pub id: MessageId,
    pub kind: Kind,
    pub message: SipMessage,
}
/// What became of it.
pub(super) struct Gone {
    pub output: OutputId,
    pub chat: ChatId,
    pub id: MessageId,
    pub kind: Kind,
    pub delivery: Delivery,
}
#[derive(Default)]
struct Lane {
    under_way: usize,
    waiting: VecDeque<Waiting>,
}
/// A lane for each person to whom something is under way.
pub(super) struct Lanes<T> {
    lanes: HashMap<ChatId, Lane>,
    under_way: usize,
    /// In all lanes, those that wait and those that are under way.
    load: usize,
    transport: Arc<T>,
    handle: Handle,
}
impl<T: Transport> Lanes<T> {
    pub fn new(transport: Arc<T>, under_way: usize, handle: Handle) -> Self {
        Lanes { lanes: HashMap::new(), under_way: under_way.max(1), load: 0, transport, handle }
    }
    /// How many have not left yet, or were not answered.
    pub fn load(&self) -> usize {
        self.load
    }
    pub fn send(&mut self, chat: ChatId, waiting: Waiting) {
        self.load = self.load.saturating_add(1);
        self.lanes.entry(chat.clone()).or_default().waiting.push_back(waiting);
        self.go_on(chat);
    }
    /// One of this lane is done.
    pub fn gone(&mut self, chat: ChatId) {
        if let Some(lane) = self.lanes.get_mut(&chat) {
            lane.under_way = lane.under_way.saturating_sub(1);
            self.load = self.load.saturating_sub(1);
        }
        self.go_on(chat);
    }
    fn go_on(&mut self, chat: ChatId) {
        let Some(lane) = self.lanes.get_mut(&chat) else { return };
        while lane.under_way < self.under_way
            && let Some(Waiting { output, id, kind, message }) = lane.waiting.pop_front()
        {
            lane.under_way = lane.under_way.saturating_add(1);
            let (transport, handle, chat) = (self.transport.clone(), self.handle.clone(), chat.clone());
            self.handle.runtime.spawn(async move {
                let delivery = transport.send(message).await;
                handle.give(Command::Gone(Box::new(Gone { output, chat, id, kind, delivery })));
            });
        }
        if lane.under_way == 0 {
            self.lanes.remove(&chat);
        }
    }
}
