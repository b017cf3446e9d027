//! What a page asks. Every call may come twice, from a page that lost its worker: the second time changes nothing.
use super::{Caller, Fact, Host, Out, PATIENCE, Settling, Wanted, Way, convert};
use crate::shelf::Shelf;
use rand_core::CryptoRng;
use std::time::Duration;
use subrosa_engine::{Address, ChatId, Device, Headers, Input, Kind, MessageId, Plaintext, Policy, Recipients};
use subrosa_web_api::page::{Answer, Banner, BannerKind, Call, Content, Lock, Message, Position, Protection, State, Trust};
use subrosa_web_api::socket::{ContactChange, ToGateway};
use subrosa_web_api::{Failure, MAX_TEXT, Seq};

/// The longest id that a page may give.
const MAX_ID: usize = 64;
/// The longest name of a contact, in bytes.
const MAX_NAME: usize = 256;

impl<S: Shelf, R: CryptoRng + Send> Host<S, R> {
    /// A call that concerns the account. Its answer comes with a later [`Out`].
    ///
    /// # Errors
    /// The store's.
    pub async fn call(&mut self, caller: Caller, call: Call) -> Result<(), S::Error> {
        let result = match call {
            Call::Open { chat, count } => self.history(&chat, None, count).await?,
            Call::History { chat, before, count } => self.history(&chat, Some(before), count).await?,
            Call::Send { id, chat, text } => self.send(id, chat, text).await?,
            Call::Retry { id } => self.retry(&id).await?,
            Call::Discard { id } => self.discard(&id).await?,
            Call::AllowClear { id } => self.allow_clear(&id).await?,
            Call::RequireEncryption { chat } => self.require_encryption(&chat),
            Call::Devices { jid } => return self.devices(caller, &jid).await,
            Call::SetTrust { jid, device, fingerprint, trust } => return self.set_trust(caller, &jid, device, &fingerprint, trust).await,
            Call::Dismiss { banner } => {
                self.dismiss(|b| b.id == banner);
                Ok(Answer::Done)
            }
            Call::Read { chat } => self.read_all(&chat).await?,
            Call::AddContact { jid, name } => self.add_contact(&jid, name),
            Call::AcceptContact { jid } => self.contact_change(ContactChange::Accept(jid)),
            Call::DeclineContact { jid } => self.contact_change(ContactChange::Decline(jid)),
            Call::RemoveContact { jid } => self.contact_change(ContactChange::Remove(jid)),
            Call::SignOut { even_offline } => return self.sign_out(caller, even_offline),
            // the front's
            Call::SignIn { .. } | Call::LogIn { .. } | Call::Unlock { .. } | Call::Browsers | Call::Revoke { .. } | Call::ConnectNow => {
                Err(Failure::new("call.phase", "This can't be done now. Reload the page."))
            }
        };
        self.after.push(Out::Reply(caller, result));
        Ok(())
    }

    async fn history(&mut self, chat: &str, before: Option<Position>, count: u32) -> Result<Result<Answer, Failure>, S::Error> {
        let (messages, more) = self.page(chat, before, count).await?;
        Ok(Ok(Answer::History { messages, more }))
    }
    async fn send(&mut self, id: String, chat: String, text: String) -> Result<Result<Answer, Failure>, S::Error> {
        if let Err(failure) = check(&id, &text) {
            return Ok(Err(failure));
        }
        if self.own(&id).await?.is_some() {
            return Ok(Ok(Answer::Done)); // asked again
        }
        self.feed(&id, &chat, &text);
        self.say(id, chat, text).await?;
        Ok(Ok(Answer::Done))
    }
    fn feed(&mut self, id: &str, chat: &str, text: &str) {
        let to = Address::from(chat);
        self.facts.push(Fact::Input(Input::Send {
            id: MessageId::from(id),
            chat: ChatId(to.clone()),
            to: Recipients::People(vec![to]),
            kind: Kind::Text,
            plain: Plaintext::text(text),
            headers: Headers::default(),
        }));
    }
    async fn retry(&mut self, id: &str) -> Result<Result<Answer, Failure>, S::Error> {
        if let Some((output, _)) = self.questions.remove(id) {
            self.done(output);
        }
        self.send_again(id).await?;
        Ok(Ok(Answer::Done))
    }
    /// One that failed begins anew. What never left keeps its id; what came back gets a new one, because the archive has the old.
    pub(super) async fn send_again(&mut self, id: &str) -> Result<(), S::Error> {
        let Some(message) = self.own(id).await? else { return Ok(()) };
        let (Content::Text(text), State::Failed { .. }) = (message.content.clone(), &message.state) else { return Ok(()) };
        if message.position.0 >= crate::rows::PENDING {
            self.feed(id, &message.chat, &text);
            self.keep(Message { state: State::Sending, protection: Protection::None, ..message });
        } else {
            let mut random = [0; 12];
            self.rng.fill_bytes(&mut random);
            let id = format!("again-{}", convert::hex(&random));
            self.forget(&message);
            self.feed(&id, &message.chat, &text);
            self.say(id, message.chat, text).await?;
        }
        Ok(())
    }
    async fn discard(&mut self, id: &str) -> Result<Result<Answer, Failure>, S::Error> {
        if let Some((output, _)) = self.questions.remove(id) {
            self.done(output);
        }
        if let Some(message) = self.own(id).await?
            && matches!(message.state, State::Failed { .. })
        {
            self.forget(&message);
        }
        Ok(Ok(Answer::Done))
    }
    async fn allow_clear(&mut self, id: &str) -> Result<Result<Answer, Failure>, S::Error> {
        let message = self.own(id).await?;
        if !message.as_ref().is_some_and(|m| matches!(m.state, State::Failed { may_clear: true, .. })) {
            // asked again, by a page that lost its worker or by another tab
            let is_allowed = message.and_then(|m| self.chats.get(&m.chat)).is_some_and(|row| row.chat.lock == Lock::ClearAllowed);
            let why = || Failure::new("clear.not-asked", "Clear text is not what this message waits for. Try to send it again.");
            return Ok(if is_allowed { Ok(Answer::Done) } else { Err(why()) });
        }
        if self.questions.contains_key(id) {
            self.allow(id).await?;
        } else {
            // the question is put again by sending again
            self.allowed.push(id.to_owned());
            self.send_again(id).await?;
        }
        Ok(Ok(Answer::Done))
    }
    fn require_encryption(&mut self, chat: &str) -> Result<Answer, Failure> {
        self.chat(chat).chat.lock = Lock::Encrypted;
        self.keep_chat(chat);
        self.allowed.clear(); // whoever waits for the question is asked again
        self.facts.push(Fact::Input(Input::SetPolicy(ChatId(chat.into()), Policy::Mandatory)));
        Ok(Answer::Done)
    }

    async fn devices(&mut self, caller: Caller, jid: &str) -> Result<(), S::Error> {
        let owner = Address::from(jid);
        if self.way != Way::Server {
            self.answer_devices(caller, &owner).await;
            return Ok(());
        }
        self.facts.push(Fact::Refresh(owner.clone()));
        self.settling.push(Settling { caller, wanted: Wanted::Devices(owner), until: self.now.after(Duration::from_millis(PATIENCE)) });
        Ok(())
    }
    async fn set_trust(&mut self, caller: Caller, jid: &str, device: u32, fingerprint: &str, trust: Trust) -> Result<(), S::Error> {
        let Some(key) = convert::fingerprint(fingerprint) else {
            self.out.push(Out::Reply(caller, Err(Failure::new("trust.fingerprint", "The fingerprint is not 64 hex digits; nothing was changed."))));
            return Ok(());
        };
        let owner = Address::from(jid);
        self.facts.push(Fact::Input(Input::SetTrust(Device::of(&owner, device), key, convert::trust_back(trust))));
        let decided = |b: &Banner| b.jid == jid && b.device == device && (b.fingerprint == fingerprint || b.kind != BannerKind::KeyChanged);
        self.dismiss(decided);
        // answered at the end of the step that holds it
        self.settling.push(Settling { caller, wanted: Wanted::Devices(owner), until: self.now.after(Duration::from_millis(PATIENCE)) });
        Ok(())
    }
    async fn read_all(&mut self, chat: &str) -> Result<Result<Answer, Failure>, S::Error> {
        let newest = self.newest(chat).await?;
        if self.chats.get(chat).is_some_and(|row| row.read < newest) {
            self.read(chat, newest).await?;
            self.after.push(Out::Gateway(ToGateway::Read { chat: chat.to_owned(), up_to: Seq(newest.0) }));
        }
        Ok(Ok(Answer::Done))
    }
    fn add_contact(&mut self, jid: &str, name: String) -> Result<Answer, Failure> {
        let jid = jid.trim().trim_start_matches("xmpp:");
        let parts = jid.split_once('@').filter(|(local, domain)| !local.is_empty() && !domain.is_empty() && !domain.contains(['@', '/', ' ']));
        if parts.is_none() || jid.len() > 1024 || jid.chars().any(|c| c.is_whitespace() || c.is_control()) {
            return Err(Failure::new("contact.address", "This is not an address like alice@example.org."));
        }
        if name.len() > MAX_NAME {
            return Err(Failure::new("contact.name", "The name is longer than 256 bytes; take a shorter one."));
        }
        self.contact_change(ContactChange::Add { jid: jid.to_lowercase(), name })
    }
    /// The list is the server's: nothing is changed here before it says so.
    fn contact_change(&mut self, change: ContactChange) -> Result<Answer, Failure> {
        if self.way != Way::Server {
            return Err(Failure::new("contact.offline", "The server can't be reached now, so that nothing was changed. Try again when it can."));
        }
        self.out.push(Out::Gateway(ToGateway::Contact(change)));
        Ok(Answer::Done)
    }
    fn sign_out(&mut self, caller: Caller, even_offline: bool) -> Result<(), S::Error> {
        if self.way == Way::Server {
            self.facts.push(Fact::Leave);
            self.settling.push(Settling {
                caller,
                wanted: Wanted::Leave { anyway: even_offline },
                until: self.now.after(Duration::from_millis(PATIENCE)),
            });
        } else if even_offline {
            self.out.push(Out::Erase(caller));
        } else {
            let why = "The server can't be reached, so that it can't take this device off the account; nothing was erased. Try again later, or erase anyway.";
            self.out.push(Out::Reply(caller, Err(Failure::new("signout.offline", why))));
        }
        Ok(())
    }
}

fn check(id: &str, text: &str) -> Result<(), Failure> {
    if id.is_empty() || id.len() > MAX_ID || !id.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-') {
        return Err(Failure::new("send.id", "The id of the message is not 1 to 64 characters of a-z, 0-9 and '-'; nothing was sent."));
    }
    if text.trim().is_empty() {
        return Err(Failure::new("send.empty", "The message is empty; nothing was sent."));
    }
    if text.len() > MAX_TEXT {
        let sentence = format!("The message is longer than {} KiB; send it in parts.", MAX_TEXT / 1024);
        return Err(Failure::new("send.too-long", sentence));
    }
    // XML has no place for these: the server would end the stream
    if text.chars().any(|c| (c.is_control() && !matches!(c, '\n' | '\t' | '\r')) || matches!(c, '\u{fffe}' | '\u{ffff}')) {
        return Err(Failure::new("send.characters", "The message has control characters, which XMPP can't carry; take them out."));
    }
    Ok(())
}
