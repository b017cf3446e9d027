//! What the agent tells, in the words of the RPC.
use super::Phone;
use crate::failure::{Failure, FaultName};
use crate::host::notes;
use crate::rpc::types::{Fate, FileSeen, HowFar, Message, MessageState, Notification, Receipt, SendResult, State, TypingSeen, Undecryptable};
use serde_json::json;
use subrosa_engine::{Address, MessageId, Plaintext, Reason, Refusal};
use subrosa_sip::agent::{AgentEvent, TransferState};
use subrosa_sip::{NotDelivered, Offer, Registration};

impl Phone {
    /// Tells it. The number, where it has to be shown before anything else is told.
    pub(super) fn happened(&self, event: AgentEvent) -> Option<u64> {
        match event {
            AgentEvent::Registration(registration) => self.registration(registration),
            AgentEvent::Message { id, from, plain, in_clear, at, .. } => self.message(&id, &from, &plain, in_clear, at.0),
            AgentEvent::FileOffered { id, from, offer, in_clear } => self.offered(&id, &from, offer, in_clear),
            AgentEvent::Typing { from, composing } => {
                let note = TypingSeen { account: self.account.clone(), from: from.to_string(), chat: None, composing: composing.active };
                self.tell(Notification::Typing(note))
            }
            AgentEvent::Receipt { from, receipt } => {
                let fate = match receipt.fate {
                    subrosa_sip::Fate::Delivered => Fate::Delivered,
                    subrosa_sip::Fate::Displayed => Fate::Displayed,
                    subrosa_sip::Fate::Failed { .. } => Fate::Failed,
                    subrosa_sip::Fate::Underway | subrosa_sip::Fate::Untold => return None, // that it left is known
                };
                self.tell(Notification::Receipt(Receipt {
                    account: self.account.clone(),
                    from: from.to_string(),
                    id: receipt.message_id,
                    words: None,
                    fate,
                    unsure: false,
                }))
            }
            AgentEvent::NotReceived { why, .. } if why.reason == Reason::Duplicate => None,
            AgentEvent::NotReceived { id, from, why } => self.unreadable(&id, &from, why.reason, Some(why.status.code())),
            AgentEvent::InProgress { id, .. } | AgentEvent::Waiting { id } => self.on_its_way(&id),
            AgentEvent::Delivered { id, code } => self.over(&id, HowFar::Delivered, Some(code), Ok(())),
            AgentEvent::NotDelivered { id, why } => self.not_delivered(&id, &why),
            AgentEvent::NotSent { id, why, .. } => self.not_sent(&id, &why),
            AgentEvent::Transfer { id, state } => self.transfer(&id, state),
            AgentEvent::StoreFailed { cause } => {
                let sentence =
                    format!("what was received or sent can't be stored ({cause}); it is tried again each second, and nothing of it has left");
                self.line.send_modify(|(_, why)| *why = Some(Failure::new("store.failed", FaultName::Store, sentence)));
                self.tell(self.connection())
            }
            _ => None, // devices: engines that have them are not on SIP
        }
    }
    fn registration(&self, registration: Registration) -> Option<u64> {
        let (state, why) = match registration {
            Registration::Registered { .. } => (State::Online, None),
            Registration::Offline { why, .. } => (State::Connecting, Some(Failure::coded(&why))),
            Registration::Failed(why) => (State::Refused, Some(Failure::coded(&why))),
            Registration::Unregistered => (State::Offline, None),
            _ if self.line.borrow().0 == State::Online => return None, // a refresh
            _ => (State::Connecting, None),
        };
        let changed = self.line.send_if_modified(|line| {
            let changed = *line != (state, why.clone());
            *line = (state, why.clone());
            changed
        });
        if changed { self.tell(self.connection()) } else { None }
    }
    fn protocol(&self, in_clear: bool) -> Option<String> {
        (!in_clear).then(|| self.engine.clone())
    }
    fn message(&self, id: &MessageId, from: &Address, plain: &Plaintext, in_clear: bool, time: u64) -> Option<u64> {
        let text = std::str::from_utf8(plain.bytes()).ok().filter(|_| plain.content_type.is_text());
        let Some(text) = text else { return self.unreadable(id, from, Reason::Unsupported, None) };
        self.tell(Notification::Message(Message {
            account: self.account.clone(),
            seq: 0,
            again: false,
            id: id.to_string(),
            from: from.to_string(),
            chat: from.to_string(),
            device: None,
            protocol: self.protocol(in_clear),
            trust: None,
            text: text.to_owned(),
            time,
            corrects: None,
            answers: None,
            beside: false,
            nick: None,
        }))
    }
    fn unreadable(&self, id: &MessageId, from: &Address, reason: Reason, status: Option<u16>) -> Option<u64> {
        self.tell(Notification::Undecryptable(Undecryptable {
            account: self.account.clone(),
            seq: 0,
            again: false,
            id: id.to_string(),
            from: from.to_string(),
            device: None,
            reason: reason.code().into(),
            status,
        }))
    }
    fn offered(&self, id: &MessageId, from: &Address, offer: Offer, in_clear: bool) -> Option<u64> {
        let seen = FileSeen {
            account: self.account.clone(),
            seq: 0,
            again: false,
            id: id.to_string(),
            from: from.to_string(),
            name: offer.file.name.clone(),
            content_type: offer.file.content_type.clone(),
            size: offer.file.size,
            protocol: self.protocol(in_clear),
            time: crate::host::drive::now().0,
            path: None,
            reason: None,
        };
        let Some(directory) = &self.downloads else { return self.tell(Notification::File(seen)) };
        if in_clear {
            let reason = "it lies on the server without encryption, which is not allowed here; ask for it to be sent through the engine".into();
            return self.tell(Notification::File(FileSeen { reason: Some(reason), ..seen }));
        }
        let mut desk = self.desk();
        let download = self.handle.download(from, offer, directory);
        desk.fetching.insert(download, seen);
        None
    }
    fn transfer(&self, id: &MessageId, state: TransferState) -> Option<u64> {
        match state {
            TransferState::Uploading => self.on_its_way(id),
            TransferState::Downloaded(path) => {
                let seen = self.desk().fetching.remove(id)?;
                self.tell(Notification::File(FileSeen { path: Some(path), ..seen }))
            }
            TransferState::Failed(why) => {
                let fetching = self.desk().fetching.remove(id);
                if let Some(seen) = fetching {
                    return self.tell(Notification::File(FileSeen { reason: Some(crate::failure::chain(&why)), ..seen }));
                }
                let failure = Failure::new("send.file", FaultName::Caller, format!("the file was not sent: {}", crate::failure::chain(&why)));
                self.over(id, HowFar::NotDelivered, None, Err(failure))
            }
            _ => None,
        }
    }

    fn on_its_way(&self, id: &MessageId) -> Option<u64> {
        let to = {
            let mut desk = self.desk();
            let open = desk.open.get_mut(id)?;
            if std::mem::replace(&mut open.told, true) {
                return None;
            }
            open.to.clone()
        };
        self.state(id, Some(to), HowFar::InProgress, None, None)
    }
    fn not_delivered(&self, id: &MessageId, why: &NotDelivered) -> Option<u64> {
        let to = self.desk().open.get(id).map_or_else(|| "the other side".to_owned(), |open| open.to.clone());
        let code = why.status.code();
        let failure = match why.local {
            true => Failure::new("send.not-delivered", FaultName::Network, format!("{to} was not reached: {}", why.cause)),
            false => {
                let reason = why.reason.as_deref().and_then(Reason::from_code).map_or(String::new(), |reason| format!(" ({})", reason.code()));
                Failure::new("send.refused", FaultName::Peer, format!("{to} refused the message: {code} {}{reason}", why.cause))
            }
        };
        self.over(id, HowFar::NotDelivered, Some(code), Err(failure))
    }
    fn not_sent(&self, id: &MessageId, why: &Refusal) -> Option<u64> {
        let to = self.desk().open.get(id).map(|open| open.to.clone());
        let failure = notes::not_sent_failure(id.as_str(), to.as_deref(), why, &[]);
        self.over(id, HowFar::NotDelivered, None, Err(failure))
    }
    /// Nothing more becomes of it: its caller is answered, and everybody is told.
    fn over(&self, id: &MessageId, state: HowFar, status: Option<u16>, end: Result<(), Failure>) -> Option<u64> {
        let open = self.desk().open.remove(id);
        let result = SendResult { id: id.to_string(), engine: Some(self.engine.clone()), status, ..SendResult::default() };
        let reason = end.as_ref().err().map(|failure| failure.sentence.clone());
        let to = open.map(|open| {
            let answer = match end {
                Ok(()) => Ok(json!(result)),
                Err(failure) => Err(Failure { details: Some(Box::new(result)), ..failure }),
            };
            let _ = open.waiter.send(answer);
            open.to
        });
        self.state(id, to, state, status, reason)
    }
    fn state(&self, id: &MessageId, to: Option<String>, state: HowFar, status: Option<u16>, reason: Option<String>) -> Option<u64> {
        self.tell(Notification::State(MessageState { account: self.account.clone(), id: id.to_string(), to, state, status, reason }))
    }
}
