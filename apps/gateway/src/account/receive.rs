//! What comes: stanzas to the archive, publications, read positions.
use super::handful::Handful;
use crate::db::archive::{self, Stanza};
use crate::db::lists;
use crate::db::since::kind_number;
use subrosa_engine::{Input, Kind};
use subrosa_web_api::socket::{Event, Message, Node, Payload};
use subrosa_web_api::{Jid, Seq};
use subrosa_xmpp::{MAX_STANZA, receipts};

/// The longest published element that is kept.
const MAX_PUBLICATION: usize = 64 * 1024;
/// The longest names of published things.
const MAX_NAME: usize = 1024;

/// Of a stanza, in stanzas: a large one brings the next look at the archive nearer.
pub(super) fn weight(body: &[u8]) -> u64 {
    u64::try_from(body.len() / 16_384).unwrap_or_default().saturating_add(1)
}

impl Handful<'_> {
    /// Something for the engines.
    pub(super) async fn received(&mut self, input: &Input) -> sqlx::Result<()> {
        match input {
            Input::Receive { id, chat, from, sent, kind, body, .. } => {
                let [wire, chat, from] = [id.as_str(), chat.0.as_str(), from.as_str()];
                let kind = match kind {
                    Kind::Typing => return Ok(()), // never kept
                    // outside the envelope: the transport's own
                    Kind::Receipt => return self.receipt(from, body).await,
                    Kind::Text => subrosa_web_api::Kind::Text,
                    _ => subrosa_web_api::Kind::Other,
                };
                // written out with all its namespaces it may be longer than it came
                if body.len() > MAX_STANZA {
                    self.app.metrics.left_out.add(1);
                    return Ok(());
                }
                let (account, now, seq, own) = (self.account, self.now, self.next(), from == self.me);
                // what we sent and got back, with all its browsers having it
                if own && archive::own_by_wire(self.tx().await?, account, wire).await?.is_some() {
                    return Ok(());
                }
                let asks = !own && receipts::receipt_request(body);
                let stanza = Stanza {
                    wire,
                    message: None,
                    part: 0,
                    chat,
                    sender: from,
                    recipient: if own { chat } else { self.me },
                    sent: sent.0.min(now), // no contact can write from the future
                    kind: kind_number(kind),
                    browser: None,
                    state: None,
                    receipt: if asks { archive::receipt::ASKED } else { archive::receipt::NONE },
                    body,
                };
                if !archive::insert(self.tx().await?, account, seq, now, &stanza).await? {
                    return Ok(()); // it came again
                }
                let [id, chat, from] = [wire, chat, from].map(Jid::from);
                self.event(Event::Message(Message { id, chat, from, sent: stanza.sent, kind, own: false, body: body.clone() }), None);
                self.stored = self.stored.saturating_add(weight(body));
                self.app.metrics.received.add(1);
                Ok(())
            }
            Input::Published(node, payload) => self.published(node, payload.as_deref()).await,
            _ => Ok(()),
        }
    }
    async fn receipt(&mut self, from: &str, body: &[u8]) -> sqlx::Result<()> {
        match receipts::received(body) {
            Some(wire) if from != self.me => self.delivered(from, &wire).await,
            _ => Ok(()),
        }
    }
    async fn published(&mut self, node: &subrosa_engine::Node, payload: Option<&[u8]>) -> sqlx::Result<()> {
        let (account, seq) = (self.account, self.next());
        let item = node.item.as_deref().unwrap_or_default();
        if payload.is_some_and(|payload| payload.len() > MAX_PUBLICATION) || item.len() > MAX_NAME || node.name.len() > MAX_NAME {
            self.app.metrics.left_out.add(1);
            return Ok(());
        }
        if lists::set_publication(self.tx().await?, account, [node.owner.as_str(), &node.name, item], payload, seq).await? {
            let node = Node { owner: node.owner.as_str().to_owned(), name: node.name.clone(), item: node.item.clone() };
            self.event(Event::Published { node, payload: payload.map(|bytes| Payload(bytes.to_vec())) }, None);
            self.stored = self.stored.saturating_add(1);
        }
        Ok(())
    }
    /// A chat was read up to here.
    pub(super) async fn read(&mut self, chat: &str, up_to: u64) -> sqlx::Result<()> {
        let (account, seq, up_to) = (self.account, self.next(), up_to.min(self.head()));
        if lists::set_read(self.tx().await?, account, chat, up_to, seq).await? {
            self.event(Event::Read { chat: chat.to_owned(), up_to: Seq(up_to) }, None);
            self.stored = self.stored.saturating_add(1);
        }
        Ok(())
    }
}
