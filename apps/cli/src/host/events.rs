//! What the machine tells: into the history first, then to whoever listens, then back as done.
use super::chats::{After, Deed, Owed};
use super::drive::{Drive, now};
use super::ledger;
use super::notes;
use super::step::Fact;
use crate::failure::{Failure, FaultName};
use crate::rpc::types::{ChatChanged, EntryChanged, Fate, Notification, Receipt, TypingSeen};
use std::collections::{BTreeSet, HashSet};
use subrosa_engine::{ChatId, Content, Event, Input, Kind, MessageId, Omission, OutputId, Reason, Received, Trust, Typing};
use subrosa_history::{Entry, State};
use subrosa_xmpp::{Bounce, content};

/// Characters of [`first_words`].
const WORDS: usize = 40;

impl Drive {
    /// `in_clear`: messages that leave so.
    pub(super) fn event(&mut self, id: OutputId, event: Event, in_clear: &HashSet<MessageId>) {
        // what it is, never what it says
        match &event {
            Event::Message { chat, .. } => tracing::debug!(output = id.0, chat = %chat.0, "a message came"),
            Event::NotReceived { chat, why, .. } => {
                tracing::debug!(output = id.0, chat = %chat.0, reason = why.reason.code(), "a message can't be read")
            }
            Event::Sent { id: message, report, .. } => tracing::debug!(output = id.0, %message, devices = report.len(), "a message leaves"),
            Event::Waiting { id: message } => tracing::debug!(%message, "a message waits for keys"),
            Event::NotSent { id: message, why, .. } => {
                tracing::debug!(output = id.0, %message, reason = why.reason.code(), "a message does not leave")
            }
            _ => tracing::debug!(output = id.0, "there is news"),
        }
        match event {
            Event::Waiting { .. } => {}
            // nothing is remembered of notices, and nobody waits for them
            Event::Sent { kind: Kind::Typing | Kind::Receipt, .. } | Event::NotSent { kind: Kind::Typing | Kind::Receipt, .. } => {
                self.chats.after(After::Done(id));
            }
            Event::Sent { id: message, report, left_out, unsaid, .. } => {
                let in_clear = in_clear.contains(&message);
                let report = ledger::Report {
                    in_clear,
                    devices: ledger::results(&report),
                    left_out: left_out.iter().map(ToString::to_string).collect(),
                    unsaid: unsaid.into_iter().map(|what| Omission::code(what).to_owned()).collect(),
                };
                self.reopen(message.as_str());
                self.sends.encrypted(message.as_str(), report.clone());
                self.facts.push(Fact::Leaving(message.to_string(), report));
                self.settled(message.as_str(), State::Queued, in_clear);
                self.chats.after(After::Fact(Fact::Drafted(message.to_string())));
                self.chats.after(After::Done(id));
            }
            // what this program says by itself, to a device of the account's own
            Event::NotSent { id: message, kind: Kind::Other, why, .. } if !self.is_asked_for(message.as_str()) => {
                tracing::warn!(%message, reason = why.reason.code(), "something to another device of this account was not sent");
                self.chats.after(After::Done(id));
            }
            Event::NotSent { id: message, why, report, ask, .. } => {
                if ask.is_some_and(|question| self.asked_for_clear(id, question)) {
                    return; // an earlier process told it
                }
                self.facts.push(Fact::Failed(message.to_string()));
                self.settled(message.as_str(), State::Failed(why.reason), false);
                self.chats.after(After::Fact(Fact::Drafted(message.to_string())));
                let devices = ledger::results(&report);
                let to = self.sends.recipient(message.as_str()).map(str::to_owned);
                let mut failure = notes::not_sent_failure(message.as_str(), to.as_deref(), &why, &devices);
                if why.reason == Reason::NoEncryption && to.as_deref() == Some(self.account.as_str()) {
                    failure.sentence = "nothing was sent: this account has no other device that could read it; log in on one first".into();
                }
                // the server said so only now, or its refusal to give their keys came first
                if let Some(blocked) = to.as_deref().and_then(|to| self.blocked_oneself(&to.into())) {
                    failure = Failure { details: failure.details, ..blocked };
                }
                if let Some(room) = to.filter(|to| self.rooms.is_alone(&to.as_str().into())) {
                    failure.sentence = format!(
                        "nothing was sent: nobody but you is in {room}; invite somebody first (`room_invite`, `subrosa room invite {room} JID`)"
                    );
                }
                let heard = self.sends.refused(message.as_str(), &failure);
                self.chats.after(if heard {
                    After::Done(id)
                } else {
                    After::Owe(id, notes::not_sent(&self.account, id, message.as_str(), &why, devices))
                });
            }
            Event::Message { id: message, chat, message: received } => self.message(id, message, chat, received),
            Event::NotReceived { why, .. } if why.reason == Reason::Duplicate => self.chats.after(After::Done(id)),
            event => {
                if let Event::NotReceived { id: message, chat, from, device, why } = &event {
                    let known = self.chats.known(chat, from, message);
                    let archived = known.as_ref().is_some_and(|known| known.archived);
                    let sent = known.map_or_else(now, |known| known.sent);
                    // what an archive has of before: nobody could have encrypted it to this device
                    if why.reason == Reason::NotForThisDevice && archived && sent < self.born {
                        return self.chats.after(After::Done(id));
                    }
                    let entry = Entry::unreadable(chat, from, message, why.reason, sent);
                    let entry = Entry { arrived: now(), ..entry };
                    // of these the machine tells each copy
                    if device.is_none() && (why.reason == Reason::NotEncrypted || self.engine.other().is_some()) {
                        self.add_copy(entry, id);
                    } else {
                        self.add(entry, None);
                    }
                }
                // it may have taken back that clear text was allowed
                if let Event::Warning { chat: Some(chat), .. } = &event {
                    self.chats.touch(chat.clone());
                }
                let note = notes::of(&self.account, id, event, self.engine.other());
                self.chats.after(note.map_or(After::Done(id), |note| After::Owe(id, note)));
            }
        }
    }
    /// Somebody said something, to us or, on another device of ours, to somebody.
    fn message(&mut self, output: OutputId, id: MessageId, chat: ChatId, received: Received) {
        if self.is_transferred(output, &received) {
            return;
        }
        let said = content::said(received.plaintext()).unwrap_or_default();
        let own = *received.from() == self.me;
        let Some(what) = said.content.clone() else {
            let entry = Entry::unreadable(&chat, received.from(), &id, Reason::Unsupported, received.sent());
            if received.kind() == Kind::Text {
                self.add(entry, None);
            }
            let note = notes::of(&self.account, output, Event::Message { id, chat, message: received }, self.engine.other());
            return self.chats.after(note.map_or(After::Done(output), |note| After::Owe(output, note)));
        };
        if let Content::Typing(state) = what {
            let room = self.chats.is_room(&chat).then(|| chat.0.to_string());
            let (account, from, composing) = (self.account.clone(), received.from().to_string(), state == Typing::Composing);
            if !own {
                self.hub.tell(&Notification::Typing(TypingSeen { account, from, chat: room, composing }));
            }
            // owed where more stands beside it
            return self.chats.after(After::Done(output));
        }
        if let Content::Delivered { of } | Content::Displayed { of } = &what
            && !own
        {
            let fate = if matches!(what, Content::Delivered { .. }) { Fate::Delivered } else { Fate::Displayed };
            let unsure = received.in_clear() || received.sender().is_some_and(|sender| matches!(sender.trust, Trust::Untrusted | Trust::Undecided));
            let words = self.chats.history.find(&chat, of).ok().flatten().and_then(|message| message.text().map(first_words));
            let receipt = Receipt { account: self.account.clone(), from: received.from().to_string(), id: of.to_string(), words, fate, unsure };
            self.chats.after(After::Tell(Notification::Receipt(receipt)));
        }
        // a receipt says that somebody is here: for contacts only, and never in clear
        let asked =
            what.text().is_some() && !own && !received.in_clear() && !self.chats.is_room(&chat) && content::asks(received.plaintext()).receipt;
        let receipt = asked.then(|| Owed { to: received.from().clone(), of: id.clone() });
        let of_it = |content| Entry {
            beside: said.beside || said.claim.as_ref() == Some(&content),
            ..Entry::received(&chat, &id, &received, content, now())
        };
        let (entry, claim) = (of_it(what.clone()), said.claim.clone().map(of_it));
        if received.sender().is_none() {
            self.add_copy(entry, output);
        } else {
            self.add(entry, receipt);
        }
        // in clear beside the words that are one: what is said of another message, for show
        if let Some(claim) = claim {
            self.add(claim, None);
        }
        let note = match what {
            Content::Text(_) | Content::Reply { .. } | Content::Correction { .. } => {
                let nick = self.chats.known(&chat, received.from(), &id).and_then(|known| known.nick);
                let mut note = notes::message(&self.account, output, id, chat, &received, &what, self.engine.other());
                if let Notification::Message(message) = &mut note {
                    (message.beside, message.nick) = (said.beside, nick);
                }
                Some(note)
            }
            _ => None,
        };
        self.chats.after(note.map_or(After::Done(output), |note| After::Owe(output, note)));
    }
    fn add(&mut self, entry: Entry, receipt: Option<Owed>) {
        let entry = self.placed(entry);
        self.chats.deed(Deed::Add(Box::new(entry), receipt));
    }
    /// It may be here already: live, out of an archive, sent again. What an earlier process left was not told by it for certain.
    fn add_copy(&mut self, entry: Entry, output: OutputId) {
        let entry = self.placed(entry);
        let deed = if output > self.left { Deed::Copy(Box::new(entry), output) } else { Deed::Add(Box::new(entry), None) };
        self.chats.deed(deed);
    }
    fn placed(&self, entry: Entry) -> Entry {
        let known = self.chats.known(&entry.chat, &entry.from, &entry.id);
        let (stanza_id, nick) = known.map_or((None, None), |known| (known.stanza_id, known.nick));
        let entry = entry.archived(stanza_id);
        if self.chats.is_room(&entry.chat) { entry.in_room(nick) } else { entry }
    }
    /// A message came back, or a part of one: it did not arrive. Whoever waits for it hears so, whatever is acknowledged of it later.
    pub(super) fn bounced(&mut self, bounce: Bounce) {
        let id = super::hears::names(bounce.id.as_str()).find(|id| self.is_asked_for(id)).unwrap_or(bounce.id.as_str()).to_owned();
        // what the other side's engine refuses is told beside the answer, with its code
        if bounce.refused.is_none() && self.sends.recipient(&id) == Some(bounce.from.as_str()) {
            let sentence = format!("message {id} came back from {} ({}); it did not arrive", bounce.from, bounce.condition);
            self.sends.refused(&id, &Failure::new("send.bounced", FaultName::Peer, sentence));
            self.chats.after(After::Fact(Fact::Failed(id.clone())));
        }
        let chat = ChatId(bounce.from.clone());
        let why = if self.chats.is_room(&chat) { Reason::NotInRoom } else { Reason::ServerRefused };
        self.chats.deed(Deed::State { chat, id: MessageId::from(id.as_str()), state: State::Failed(why) });
        self.hub.tell(&notes::bounced(&self.account, bounce));
    }
    /// A message that an earlier process accepted and that leaves only now.
    fn reopen(&mut self, id: &str) {
        if self.sends.recipient(id).is_none()
            && let Ok(Some(sent)) = self.sent(id)
        {
            self.sends.accept(id, &sent.to);
        }
    }
    /// Somebody asked for this message, now or in an earlier process.
    fn is_asked_for(&mut self, id: &str) -> bool {
        self.sends.recipient(id).is_some() || !matches!(self.sent(id), Ok(None))
    }
    /// A message can't leave as it is.
    pub(super) fn not_sendable(&mut self, id: &str) {
        if let Some(to) = self.sends.recipient(id) {
            let chat = ChatId(to.into());
            self.chats.deed(Deed::State { chat, id: MessageId::from(id), state: State::Failed(Reason::TooLarge) });
        }
    }
    /// The server has all of a message.
    pub(super) fn arrived(&mut self, id: &str) {
        if let Some(to) = self.sends.recipient(id) {
            let chat = ChatId(to.into());
            self.chats.deed(Deed::State { chat, id: MessageId::from(id), state: State::Sent });
        }
    }

    /// What waits for the history goes in, then what follows from it.
    pub(super) fn keep(&mut self) {
        if !self.chats.is_waiting() {
            return;
        }
        let outcome = match self.chats.keep() {
            Ok(outcome) => outcome,
            Err(failure) => {
                if !self.store_failed {
                    tracing::error!(code = %failure.code, "{failure}");
                    self.report(Some(&failure));
                }
                self.store_failed = true;
                return;
            }
        };
        self.tell_changes(outcome.changed, outcome.chats);
        for after in outcome.after {
            match after {
                After::Done(id) => {
                    let done = self.done(id);
                    self.facts.push(done);
                }
                After::Owe(id, _) if outcome.copies.contains(&id) && !self.hub.owes(id) => self.facts.push(Fact::Input(Input::Done(id))),
                After::Owe(id, note) => self.hub.owe(id, note),
                After::Tell(note) => self.hub.tell(&note),
                After::Handled(mark) => self.link.handled(mark),
                After::Fact(fact) => self.facts.push(fact),
            }
        }
        for owed in outcome.receipts.into_iter().filter(|owed| self.contacts.see_us(&owed.to)).collect::<Vec<_>>() {
            if let Err(failure) = self.notice(&owed.to, Content::Delivered { of: owed.of }) {
                tracing::debug!(code = %failure.code, "a receipt can't be sent");
            }
        }
    }
    /// Screens are told; there may be none.
    pub(super) fn tell_changes(&mut self, changed: BTreeSet<i64>, chats: BTreeSet<ChatId>) {
        if !self.hub.is_heard() {
            return;
        }
        for place in changed {
            let Ok(Some(message)) = self.chats.history.get(super::chats::place_of(place)) else { continue };
            if let Ok(entry) = self.chats.entry(message, &self.me) {
                self.hub.tell(&Notification::Entry(EntryChanged { account: self.account.clone(), entry }));
            }
        }
        if !chats.is_empty() {
            for chat in self.conversations().unwrap_or_default() {
                if chats.contains(&ChatId(chat.chat.as_str().into())) {
                    self.hub.tell(&Notification::Chat(ChatChanged { account: self.account.clone(), chat }));
                }
            }
        }
    }
}
/// Enough of a message to know it by.
fn first_words(text: &str) -> String {
    let line = text.lines().find(|line| !line.trim().is_empty()).unwrap_or_default().trim();
    let words: String = line.chars().take(WORDS).collect();
    if words.len() < text.trim().len() { format!("{}\u{2026}", words.trim_end()) } else { words }
}
