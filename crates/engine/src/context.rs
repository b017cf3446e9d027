//! What a hook may touch. The richness OMEMO needs is here, so that [`crate::Engine`] stays small.
//!
//! The parts are public fields, so that a record can be borrowed while the rng is used:
//! `cx.records.edit(session(device))?` and `cx.rng` at once.
use crate::hooks::Wait;
use crate::house::House;
use crate::*;
use rand_core::CryptoRng;
use std::sync::Arc;

/// The hands of a hook, for the length of one call. Everything done through it is stored and released
/// together, or not at all.
pub struct Context<'a> {
    /// The account's own address.
    pub me: &'a Address,
    /// The one clock there is.
    pub now: Time,
    /// The one source of randomness there is.
    pub rng: &'a mut dyn CryptoRng,
    /// The engine's memory.
    pub records: Records<'a>,
    /// The engine's voice.
    pub network: Network<'a>,
    pub(crate) settings: &'a Settings,
}

impl Context<'_> {
    /// A savepoint: what `f` changed is undone when it says no, and the hook goes on (one bad device never
    /// stops the message to the others). Two results, so that `?` can't swallow the wrong one:
    /// outside, "the step can't go on" (a cold record); inside, the operation's own answer.
    pub fn attempt<T, E>(&mut self, f: impl FnOnce(&mut Self) -> Result<Result<T, E>, Halt>) -> Result<Result<T, E>, Halt> {
        let undo = (self.network.outputs.len(), self.network.house.clone());
        let savepoint = self.records.cache.savepoint();
        let result = f(self);
        let keep = matches!(result, Ok(Ok(_)));
        self.records.cache.restore(savepoint, keep);
        if !keep {
            self.network.outputs.truncate(undo.0);
            *self.network.house = undo.1;
        }
        result
    }
}

/// What an engine can say by itself.
pub struct Network<'a> {
    pub(crate) engine: usize,
    pub(crate) house: &'a mut Arc<House>,
    pub(crate) outputs: &'a mut Vec<Output>,
    pub(crate) asked: Vec<RequestId>,
}
impl Network<'_> {
    /// Asks for something (once: the same question again gets the same id); the answer comes as
    /// [`Notice::Answer`]. Repeated until answered, over restarts too.
    pub fn ask(&mut self, request: Request) -> RequestId {
        let open = self.house.asked.iter().find(|(_, (engine, r))| *engine == self.engine && *r == request).map(|(id, _)| *id);
        let id = open.unwrap_or_else(|| {
            let id = RequestId(self.fresh());
            Arc::make_mut(self.house).asked.insert(id, (self.engine, request.clone()));
            self.outputs.push(Output::Request(id, request));
            id
        });
        self.asked.push(id);
        id
    }
    /// Waits for all that this call asked (`None`: nothing); then the hook runs again on the same message.
    pub fn until_answered(&mut self) -> Option<Pending> {
        let asked = std::mem::take(&mut self.asked);
        (!asked.is_empty()).then_some(Pending(Wait::Answers(asked)))
    }
    /// Waits for [`Input::Complete`] with this token: threads, people, other processes.
    pub fn until_completed(&mut self) -> (Pending, Token) {
        let token = Token(self.fresh());
        (Pending(Wait::Completion(token)), token)
    }
    /// A message of the engine's own: heartbeat, key transport.
    pub fn transmit(&mut self, to: Recipients, kind: Kind, encrypted: Encrypted) {
        let id = MessageId(format!("own-{}", self.fresh()).into());
        let chat = ChatId(match &to {
            Recipients::Device(device) => device.owner.clone(),
            Recipients::People(people) => people.first().cloned().unwrap_or_else(|| "".into()),
        });
        for (n, part) in encrypted.into_parts().into_iter().enumerate() {
            self.outputs.push(Output::Transmit {
                id: id.clone(),
                part: n as u16,
                chat: chat.clone(),
                to: to.clone(),
                kind,
                wire: Wire::Encrypted(part),
            });
        }
    }
    /// Tells the application.
    pub fn emit(&mut self, event: Event) {
        self.outputs.push(Output::Event(event));
    }
    /// Be called with [`Notice::Wake`] then (signed prekey rotation).
    pub fn wake_at(&mut self, time: Time) {
        let wake = self.house.wake.map_or(time, |w| w.min(time));
        Arc::make_mut(self.house).wake = Some(wake);
    }
    fn fresh(&mut self) -> u64 {
        Arc::make_mut(self.house).fresh()
    }
}
