//! What is sent: from a browser to the archive and the account's other browsers, to the server, and how far it got.
use super::handful::{Handful, LOOSE, RECEIPT};
use super::{ReplyTo, Send};
use crate::db::archive::{self, Stanza, Waiting, progress, state};
use crate::db::since::{kind, kind_number};
use subrosa_engine::{Address, ChatId, Coded as _, ContentType, Headers, MessageId, Output, OutputId, Part, Recipients, Time, Wire};
use subrosa_web_api::http::BrowserId;
use subrosa_web_api::socket::{Event, FromGateway, Message, Progress};
use subrosa_web_api::{Failure, Kind, Seq};
use subrosa_xmpp::{Bounce, StanzaError, receipts};

/// Bytes that may wait for the XMPP server.
const WAITING_BYTES: u64 = 32 * 1024 * 1024;

/// The id on the stanza.
fn wire_id(message: &str, part: u16) -> String {
    if part == 0 { message.to_owned() } else { format!("{message}.{part}") }
}
fn engine_kind(kind: Kind) -> subrosa_engine::Kind {
    match kind {
        Kind::Text => subrosa_engine::Kind::Text,
        Kind::Typing => subrosa_engine::Kind::Typing,
        Kind::Receipt => subrosa_engine::Kind::Receipt,
        Kind::Other => subrosa_engine::Kind::Other,
    }
}
fn transmit(message: &str, part: u16, chat: &str, to: &str, what: Kind, body: Vec<u8>, made: u64) -> Output {
    Output::Transmit {
        id: MessageId::from(message),
        part,
        chat: ChatId(Address::from(chat)),
        to: Recipients::People(vec![Address::from(to)]),
        kind: engine_kind(what),
        wire: Wire::Encrypted(Part { content_type: ContentType::STANZA, body }),
        headers: Headers::default(),
        made: Time(made),
    }
}
/// What waits, for the connection. Its number is its place in the archive: the same after a restart.
pub(super) fn output(waiting: Waiting) -> (OutputId, Output) {
    let Waiting { seq, message, part, chat, recipient, kind: number, body, sent } = waiting;
    (OutputId(seq), transmit(&message, part, &chat, &recipient, kind(number), body, sent))
}
/// The receipt for the stanza at this place.
pub(super) fn receipt(seq: u64, to: &str, wire: &str) -> Option<(OutputId, Output)> {
    let body = receipts::receipt(wire).ok()?;
    Some((OutputId(RECEIPT | seq), transmit(&format!("receipt-{seq}"), 0, to, to, Kind::Receipt, body, 0)))
}

impl Handful<'_> {
    /// A browser sends a stanza. The same one again is accepted again, at its place; one that failed is sent again.
    pub(super) async fn send(&mut self, to: &ReplyTo, browser: BrowserId, send: &Send) -> sqlx::Result<()> {
        let reject = |code: &str, sentence: String| FromGateway::Rejected { id: send.id.clone(), part: send.part, why: Failure::new(code, sentence) };
        // it may have waited in the browser; a clock that is ahead counts as ours
        let sent = if send.made == 0 { self.now } else { send.made.min(self.now) };
        let made = transmit(&send.id, send.part, &send.chat, &send.to, send.kind, send.body.clone(), sent);
        if let Output::Transmit { id, part, chat, to: recipients, kind, wire, .. } = &made
            && let Err(why) = self.mapping.transmit(id, *part, chat, recipients, *kind, wire)
        {
            self.effects.replies.push((to.clone(), reject(why.code(), format!("It can't be sent: {why}."))));
            return Ok(());
        }
        let accepted = |seq, at| FromGateway::Accepted { id: send.id.clone(), part: send.part, seq: Seq(seq), at };
        if send.kind == Kind::Typing {
            self.effects.replies.push((to.clone(), accepted(self.head(), self.now)));
            self.effects.loose.push(made);
            return Ok(());
        }
        let (account, now, seq) = (self.account, self.now, self.next());
        let wire = wire_id(&send.id, send.part);
        let stanza = Stanza {
            wire: &wire,
            message: Some(&send.id),
            part: send.part,
            chat: &send.chat,
            sender: self.me,
            recipient: &send.to,
            sent,
            kind: kind_number(send.kind),
            browser: Some(crate::db::to_sql(browser)),
            state: Some(state::WAITS),
            receipt: archive::receipt::NONE,
            body: &send.body,
        };
        let known = archive::same(self.tx().await?, account, &stanza).await?;
        if let Some((seq, at, known)) = known
            && known != state::FAILED
        {
            self.effects.replies.push((to.clone(), accepted(seq, at)));
            if known == state::WAITS {
                self.effects.put.push((OutputId(seq), made)); // which has it already, all but after a commit whose answer was lost
            }
            return Ok(());
        }
        let size = u64::try_from(send.body.len()).unwrap_or(u64::MAX);
        if self.waiting.stanzas >= self.app.config.limits.waiting || self.waiting.bytes.saturating_add(size) > WAITING_BYTES {
            let sentence = "Too much waits for the XMPP server already. Try again when it can be reached.";
            self.effects.replies.push((to.clone(), reject("send.full", sentence.into())));
            return Ok(());
        }
        match known {
            Some((old, ..)) => archive::again(self.tx().await?, account, old, seq, sent, now).await?,
            None => drop(archive::insert(self.tx().await?, account, seq, now, &stanza).await?),
        }
        if archive::progress(self.tx().await?, account, &send.id).await? == progress::FAILED {
            archive::drop_failed(self.tx().await?, account, &send.id).await?;
            archive::reset_progress(self.tx().await?, account, &send.id).await?;
        }
        let message = |own: bool, body: &[u8]| {
            let (chat, from) = (send.chat.clone(), self.me.to_owned());
            Event::Message(Message { id: wire.clone(), chat, from, sent, kind: send.kind, own, body: body.to_vec() })
        };
        let (others, own) = (message(false, &send.body), message(true, &[]));
        self.event(others, Some((browser, own)));
        self.effects.put.push((OutputId(seq), made));
        self.effects.replies.push((to.clone(), accepted(seq, now)));
        self.waiting.stanzas = self.waiting.stanzas.saturating_add(1);
        self.waiting.bytes = self.waiting.bytes.saturating_add(size);
        self.stored = self.stored.saturating_add(super::receive::weight(&send.body));
        self.app.metrics.sent.add(1);
        Ok(())
    }
    /// The server has it.
    pub(super) async fn acknowledged(&mut self, id: u64) -> sqlx::Result<()> {
        let account = self.account;
        if id & LOOSE != 0 {
            self.effects.loose_over = self.effects.loose_over.saturating_add(1);
            return Ok(());
        }
        if id & RECEIPT != 0 {
            return archive::receipt_sent(self.tx().await?, account, id & !RECEIPT).await;
        }
        let Some(own) = self.over(id, state::SENT).await? else { return Ok(()) };
        if archive::unsent(self.tx().await?, account, &own.message).await? == 0 {
            self.further(&own, progress::SENT, None).await?;
        }
        Ok(())
    }
    /// It can never be sent like this.
    pub(super) async fn unsendable(&mut self, id: u64, why: &StanzaError) -> sqlx::Result<()> {
        if id & (LOOSE | RECEIPT) != 0 {
            return self.acknowledged(id).await;
        }
        let Some(own) = self.over(id, state::FAILED).await? else { return Ok(()) };
        self.further(&own, progress::FAILED, Some(Failure::new(why.code(), format!("It can't be sent: {why}.")))).await
    }
    /// It came back. Only from whom it was for: anybody may claim it.
    pub(super) async fn bounced(&mut self, bounce: &Bounce) -> sqlx::Result<()> {
        let account = self.account;
        let own = archive::own_by_wire(self.tx().await?, account, bounce.id.as_str()).await?;
        let Some(own) = own.filter(|own| own.recipient == bounce.from.as_str()) else { return Ok(()) };
        self.over(own.seq, state::FAILED).await?;
        let sentence = format!("It came back from {} ({}): it did not arrive.", bounce.from, bounce.condition);
        self.further(&own, progress::FAILED, Some(Failure::new("send.bounced", sentence))).await
    }
    /// A device of the contact has it.
    pub(super) async fn delivered(&mut self, from: &str, wire: &str) -> sqlx::Result<()> {
        let account = self.account;
        let own = archive::own_by_wire(self.tx().await?, account, wire).await?;
        match own.filter(|own| own.chat == from) {
            Some(own) => self.further(&own, progress::DELIVERED, None).await,
            None => Ok(()),
        }
    }
    /// It does not wait any more. `None`: that was known. What came back stays failed, though the server had it.
    async fn over(&mut self, seq: u64, to: i64) -> sqlx::Result<Option<archive::Own>> {
        let account = self.account;
        let own = archive::own_by_seq(self.tx().await?, account, seq).await?;
        let Some(own) = own.filter(|own| own.state == state::WAITS || (own.state == state::SENT && to == state::FAILED)) else {
            return Ok(None);
        };
        archive::set_state(self.tx().await?, account, seq, to).await?;
        if own.state == state::WAITS {
            self.waiting.stanzas = self.waiting.stanzas.saturating_sub(1);
            self.waiting.bytes = self.waiting.bytes.saturating_sub(own.size);
        }
        Ok(Some(own))
    }
    /// A message is as far as this, unless it is further. Of what is not shown nothing is told.
    async fn further(&mut self, own: &archive::Own, to: i64, why: Option<Failure>) -> sqlx::Result<()> {
        let (account, now, seq) = (self.account, self.now, self.next());
        let before = archive::progress(self.tx().await?, account, &own.message).await?;
        let goes_on = match to {
            progress::SENT => before == 0,
            progress::FAILED => matches!(before, 0 | progress::SENT),
            _ => before != progress::DELIVERED,
        };
        if !goes_on || own.kind != kind_number(Kind::Text) {
            return Ok(());
        }
        archive::set_progress(self.tx().await?, account, &own.message, to, why.as_ref(), now, seq).await?;
        let progress = match (to, why) {
            (progress::SENT, _) => Progress::Sent,
            (progress::DELIVERED, _) => Progress::Delivered,
            (_, why) => Progress::Failed(why.unwrap_or_else(|| Failure::new("send.failed", "It did not arrive."))),
        };
        self.event(Event::Progress { id: own.message.clone(), progress }, None);
        Ok(())
    }
    /// A browser decrypted it: its sender is told, once, if he asked and is a contact.
    pub(super) async fn owe_receipt(&mut self, from: &str, wire: &str) -> sqlx::Result<()> {
        let account = self.account;
        if !self.is_listed(from).await? {
            return Ok(());
        }
        if let Some(seq) = archive::owe_receipt(self.tx().await?, account, from, wire).await? {
            self.effects.put.extend(receipt(seq, from, wire));
        }
        Ok(())
    }
}
