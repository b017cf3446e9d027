//! What a hook may touch. The richness OMEMO needs is here, so that [`crate::Engine`] stays small.
//!
//! The parts are public fields, so that a record can be borrowed while the rng is used:
//! `cx.records.edit(session(device))?` and `cx.rng` at once.
use crate::hooks::Wait;
use crate::house::House;
use crate::*;
use rand_core::CryptoRng;
use std::any::Any;

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
    pub(crate) application: &'a (dyn Any + Send),
}

impl Context<'_> {
    /// What the application left with [`Machine::set_application`]: the way back to its core. `None`: nothing, or something else.
    pub fn application<T: Any>(&self) -> Option<&T> {
        self.application.downcast_ref()
    }
    /// What the account chose.
    pub fn settings(&self) -> &Settings {
        self.settings
    }
    /// Takes back that a person allowed clear text in this chat, so that one is asked again: something came that they did not know of
    /// when they chose (XEP-0384 §5.7). The other direction is a person's only.
    pub fn withdraw_clear(&mut self, chat: &ChatId) {
        self.house().remove(crate::rules::policy_of(chat));
    }
    /// Whether a person allowed clear text in this chat, and nothing has withdrawn it since: what an application shows beside the chat.
    pub fn is_clear_allowed(&mut self, chat: &ChatId) -> Result<bool, Halt> {
        self.house().is_clear_allowed(chat)
    }
    /// A savepoint: what `f` changed is undone when it says no, and the hook goes on (one bad device never
    /// stops the message to the others). Two results, so that `?` can't swallow the wrong one:
    /// outside, "the step can't go on" (a cold record); inside, the operation's own answer.
    pub fn attempt<T, E>(&mut self, f: impl FnOnce(&mut Self) -> Result<Result<T, E>, Halt>) -> Result<Result<T, E>, Halt> {
        let (outputs, asked, house) = (self.network.outputs.len(), self.network.asked.len(), self.network.house.savepoint());
        let savepoint = self.records.cache.savepoint();
        let result = f(self);
        let keep = matches!(result, Ok(Ok(_)));
        self.records.cache.restore(savepoint, keep);
        if !keep {
            self.network.outputs.truncate(outputs);
            self.network.asked.truncate(asked);
            self.network.house.undo_to(house);
        }
        result
    }
}

/// What an engine can say by itself.
pub struct Network<'a> {
    pub(crate) engine: &'static str,
    pub(crate) house: &'a mut House,
    pub(crate) outputs: &'a mut Vec<Output>,
    pub(crate) now: Time,
    pub(crate) asked: Vec<RequestId>,
}
impl Network<'_> {
    /// Asks for something (once: the same question again gets the same id); the answer comes as
    /// [`Notice::Answer`]. Repeated until answered, over restarts too. No more than [`Settings::in_flight`] fetches are out at once.
    pub fn ask(&mut self, request: Request) -> RequestId {
        let id = self.house.ask(self.engine, request);
        self.asked.push(id);
        id
    }
    /// Takes back what this engine asked and what was not answered: it is not sent again, and an answer that still comes is dropped.
    /// Whoever waited for it alone goes on with the next answer or connection.
    pub fn withdraw(&mut self, id: RequestId) {
        self.house.withdraw(self.engine, id);
    }
    /// Waits for all that this call asked (`None`: nothing); then the hook runs again on the same message.
    pub fn until_answered(&mut self) -> Option<Pending> {
        let mut asked = crate::sorted(std::mem::take(&mut self.asked));
        asked.dedup();
        (!asked.is_empty()).then_some(Pending(Wait::Answers(asked)))
    }
    /// Waits for [`Input::Complete`] with this token: threads, people, other processes.
    pub fn until_completed(&mut self) -> (Pending, Token) {
        let token = self.house.token();
        (Pending(Wait::Completion(token)), token)
    }
    /// A message of the engine's own: heartbeat, key transport. Owed like any other.
    pub fn transmit(&mut self, to: Recipients, kind: Kind, encrypted: Encrypted) -> MessageId {
        let number = self.house.fresh();
        let id = MessageId(format!("{:016x}-{number:x}", self.house.seed).into());
        let chat = ChatId(match &to {
            Recipients::Device(device) => device.owner.clone(),
            Recipients::People(people) => people.first().cloned().unwrap_or_else(|| "".into()),
            Recipients::Room => "".into(), // engines write to people: there is no chat that this could name
        });
        for (part, body) in (0..).zip(encrypted.into_parts()) {
            let (id, chat, to) = (id.clone(), chat.clone(), to.clone());
            let (headers, made) = (Headers::default(), self.now);
            self.outputs.push(Output::Transmit { id, part, chat, to, kind, wire: Wire::Encrypted(body), headers, made });
        }
        id
    }
    /// Tells the application.
    pub fn emit(&mut self, event: Event) {
        self.outputs.push(Output::Event(event));
    }
    /// More is known about somebody, their devices for example: messages of which nobody could say who in a room wrote them
    /// ([`Reason::UnknownMember`]) come again, where this person is a member.
    pub fn learned(&mut self, person: &Address) {
        self.house.learned.push(person.clone());
    }
    /// A number that is drawn when a process begins: what was found under the same number was found by this one, over this store as it is
    /// and not over an older copy.
    pub fn process(&self) -> u64 {
        self.house.process
    }
    /// Be called with [`Notice::Wake`] then, over restarts too (signed prekey rotation). The earliest counts, and it is for once.
    pub fn wake_at(&mut self, time: Time) {
        self.house.alarm(self.engine, time);
    }
}
