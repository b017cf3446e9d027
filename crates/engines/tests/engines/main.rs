//! What each engine does beyond the suite: the very bytes, the very refusals.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, clippy::arithmetic_side_effects)]
mod by_name;
mod plain;
mod preshared;

use getrandom::{SysRng, rand_core::UnwrapErr};
use subrosa_engine::*;

pub(crate) const ALICE: &str = "sip:alice@example.org";
pub(crate) const BOB: &str = "sip:bob@example.org";

/// One person with one engine.
pub(crate) struct Side {
    machine: Machine,
    pub(crate) store: MemoryStore,
    done: Vec<OutputId>,
}
impl Side {
    pub(crate) fn new(me: &str, engine: impl Engine) -> Self {
        let mut machine = Machine::new(me.into());
        let engine = machine.install(engine);
        machine.route(move |_| Some(engine.id()));
        machine.shows(|_| true);
        Side { machine, store: MemoryStore::default(), done: Vec::new() }
    }
    pub(crate) fn step(&mut self, input: Input) -> Vec<Output> {
        let mut rng = UnwrapErr(SysRng);
        let mut step = self.machine.begin(Time(0), &mut rng);
        step.feed(input);
        self.done.drain(..).for_each(|id| step.feed(Input::Done(id)));
        let outputs = step.commit(&mut self.store).unwrap();
        self.done.extend(outputs.iter().map(|(id, _)| *id));
        outputs.into_iter().map(|(_, output)| output).collect()
    }
    /// A new process over the same store.
    pub(crate) fn again(mut self, engine: impl Engine) -> Self {
        self.step(Input::Tick);
        let me = self.machine.me().as_str().to_owned();
        Side { store: self.store, ..Side::new(&me, engine) }
    }
    /// What leaves for a chat, or why nothing does.
    pub(crate) fn seal(&mut self, chat: &str, plain: Plaintext) -> Result<Part, Refusal> {
        let (chat, to) = (ChatId(chat.into()), Recipients::People(vec![chat.into()]));
        sealed(self.step(Input::Send { id: "out".into(), chat, to, kind: Kind::Text, plain, headers: Headers::default() }))
    }
    pub(crate) fn say(&mut self, chat: &str, text: &str) -> Part {
        self.seal(chat, Plaintext::text(text)).unwrap()
    }
    /// What is shown of what came, or why nothing is. `None`: silence.
    pub(crate) fn open(&mut self, chat: &str, from: &str, part: &Part) -> Option<Result<Plaintext, Refusal>> {
        opened(self.step(receive(chat, from, part)))
    }
    /// From the other one, in the chat with them.
    pub(crate) fn hear(&mut self, from: &str, part: &Part) -> Result<String, Reason> {
        let plain = self.open(from, from, part).expect("not silent").map_err(|why| why.reason)?;
        assert_eq!(plain.content_type, ContentType::TEXT);
        Ok(String::from_utf8(plain.bytes().to_vec()).unwrap())
    }
}
pub(crate) fn receive(chat: &str, from: &str, part: &Part) -> Input {
    Input::Receive {
        id: "in".into(),
        chat: ChatId(chat.into()),
        from: from.into(),
        sent: Time(0),
        kind: Kind::Text,
        content_type: part.content_type.clone(),
        body: part.body.clone(),
        headers: Headers::default(),
        answer_by: None,
    }
}
pub(crate) fn sealed(outputs: Vec<Output>) -> Result<Part, Refusal> {
    outputs
        .into_iter()
        .find_map(|output| match output {
            Output::Transmit { wire: Wire::Encrypted(part), .. } => Some(Ok(part)),
            Output::Event(Event::NotSent { why, .. }) => Some(Err(why)),
            _ => None,
        })
        .expect("an end")
}
pub(crate) fn opened(outputs: Vec<Output>) -> Option<Result<Plaintext, Refusal>> {
    outputs.into_iter().find_map(|output| match output {
        Output::Event(Event::Message { message, .. }) => Some(Ok(message.plaintext().clone())),
        Output::Event(Event::NotReceived { why, .. }) => Some(Err(why)),
        _ => None,
    })
}
pub(crate) fn part(content_type: &'static str, body: impl Into<Vec<u8>>) -> Part {
    Part { content_type: ContentType(content_type.into()), body: body.into() }
}
