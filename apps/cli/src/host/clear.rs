//! Clear text: the machine's questions, which outlive the process that asked, and what a person decided.
//!
//! A question stands with the message that was not sent because nobody can encrypt it; its output stays owed until the question is
//! answered or the next one takes its place. Invariants: nothing but [`Drive::allow_clear`] answers one; what is shown of a conversation is
//! what the machine has, because an engine may take the choice back ([`subrosa_engine::Context::withdraw_clear`]).
use super::drive::Drive;
use super::ledger::Ledger;
use super::sends::Waiter;
use super::step::Fact;
use crate::failure::{Failure, FaultName};
use crate::rpc::types::AllowClear;
use std::collections::{BTreeSet, HashMap};
use subrosa_engine::{Address, ChatId, ClearTextQuestion, Input, OutputId, Policy};

/// Beside the lock of a conversation.
pub const WHY: &str = "you allowed it: what can't be encrypted goes in clear, and what comes in clear is shown";

/// What was asked and not answered, and where clear text was allowed.
#[derive(Default)]
pub struct Questions {
    open: HashMap<ChatId, Question>,
    /// Where it was allowed; the machine may know of something since then.
    allowed: BTreeSet<ChatId>,
}
struct Question {
    output: OutputId,
    question: ClearTextQuestion,
    /// Whoever sent the message knows that it was not sent.
    told: bool,
}

impl Questions {
    /// With what earlier processes left.
    pub fn new(allowed: Vec<String>) -> Self {
        Questions { open: HashMap::new(), allowed: allowed.iter().map(|chat| ChatId(chat.as_str().into())).collect() }
    }
    /// For the ledger.
    pub fn kept(&self) -> Vec<String> {
        self.allowed.iter().map(|chat| chat.0.to_string()).collect()
    }
    /// What was decided is not on disk: the machine is asked.
    pub fn doubt(&mut self, chat: ChatId) {
        self.allowed.insert(chat);
    }
    /// In whose conversation this output asks.
    fn of(&self, output: OutputId) -> Option<&ChatId> {
        self.open.iter().find(|(_, question)| question.output == output).map(|(chat, _)| chat)
    }
}

impl Drive {
    /// Clear text is what a yes would mean. Whether it was told before, by an earlier process.
    pub(super) fn asked_for_clear(&mut self, output: OutputId, question: ClearTextQuestion) -> bool {
        let chat = question.chat().clone();
        let row = chat.clone();
        let told = match self.look(self.ledger, move |_, cx| Ledger::asked(cx, &row)) {
            Ok(asked) => asked == Some(output.0),
            Err(failure) => {
                tracing::error!(code = %failure.code, "what was asked can't be looked up");
                false
            }
        };
        let before = self.questions.open.insert(chat, Question { output, question, told });
        let over = before.filter(|before| before.told && before.output != output);
        self.facts.extend(over.map(|before| Fact::Input(Input::Done(before.output))));
        told
    }
    /// Nothing is to be done about this output any more; one that asks is owed all the same.
    pub(super) fn done(&self, output: OutputId) -> Fact {
        match self.questions.of(output) {
            Some(chat) => Fact::Asked(chat.clone(), output),
            None => Fact::Input(Input::Done(output)),
        }
    }
    /// It is on disk that this was told.
    pub(super) fn told(&mut self, chat: &ChatId, output: OutputId) {
        match self.questions.open.get_mut(chat).filter(|question| question.output == output) {
            Some(question) => question.told = true,
            None => self.facts.push(Fact::Input(Input::Done(output))), // another took its place, or it was answered
        }
    }
    /// A person decided.
    pub(super) fn allow_clear(&mut self, wanted: &AllowClear, waiter: Waiter) {
        let chat = match crate::home::bare(&wanted.chat) {
            Ok(chat) => ChatId(chat.as_str().into()),
            Err(failure) => return drop(waiter.send(Err(failure))),
        };
        let policy = if wanted.off {
            self.questions.allowed.remove(&chat);
            Policy::Mandatory
        } else if let Some(question) = self.questions.open.remove(&chat) {
            self.questions.allowed.insert(chat.clone());
            // what was not told yet is still to be
            self.facts.extend(question.told.then_some(Fact::Input(Input::Done(question.output))));
            Policy::Optional(question.question.confirmed_by_user())
        } else if self.is_clear(&chat.0) {
            return drop(waiter.send(Ok(serde_json::json!({}))));
        } else {
            return drop(waiter.send(Err(unasked(&chat.0))));
        };
        self.facts.push(Fact::Consent(chat, policy, self.questions.kept(), waiter));
    }
    /// Clear text may pass in this conversation.
    pub(super) fn is_clear(&mut self, chat: &Address) -> bool {
        let chat = ChatId(chat.clone());
        // few are: only these are looked up
        self.questions.allowed.contains(&chat) && self.look(self.omemo, move |_, cx| cx.is_clear_allowed(&chat)).unwrap_or(false)
    }
}
fn unasked(chat: &Address) -> Failure {
    let sentence = format!("send a message first: clear text can be allowed after one to {chat} could not be encrypted, and none was");
    Failure::new("clear.unasked", FaultName::Caller, sentence)
}
