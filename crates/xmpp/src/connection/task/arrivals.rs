//! What a stream brings: each stanza is counted and goes to the part whose it is; what is no stanza ends the stream, or counts for its
//! management. Writes nothing but what cannot wait for the next turn.
use super::{AGAIN, FAREWELL, Task, now, put};
use crate::connection::frame::{Arrived, FrameError};
use crate::connection::management::Sent;
use crate::connection::stream::{Stream, stream_error};
use crate::connection::{ConnectError, Happening, LeftOut};
use crate::xml::{Frame, build};
use crate::{bare, ns};
use minidom::Element;
use tokio::time::{Instant, timeout};

impl Task {
    pub(super) async fn arrived(&mut self, stream: &mut Stream, arrived: Result<Arrived, FrameError>) -> Result<(), ConnectError> {
        match arrived {
            Ok(Arrived::Frame(Frame::Element(element))) => self.element(stream, &element).await,
            Ok(Arrived::Frame(Frame::TooLarge(tag))) => {
                self.left_out(&tag, LeftOut::TooLarge);
                Ok(())
            }
            Ok(Arrived::Frame(Frame::Malformed(tag))) => {
                self.left_out(&tag, LeftOut::Malformed);
                Ok(())
            }
            Ok(Arrived::Silence) => self.ask(stream).await,
            Ok(Arrived::Head) => Ok(()),
            Ok(Arrived::End) => {
                self.management.forget(); // an orderly end can't be resumed
                Err(ConnectError::lost("the server closed the stream"))
            }
            Err(why) => {
                if matches!(why, FrameError::Xml(_)) {
                    // resumed, the same would come again; RFC 6120 §4.9.3.13
                    self.management.forget();
                    let error = build("error", ns::STREAM).child(build("not-well-formed", ns::STREAMS));
                    let _ = timeout(FAREWELL, async {
                        put(stream, &error.end()).await?;
                        stream.close().await.map_err(ConnectError::from)
                    })
                    .await;
                }
                Err(why.into())
            }
        }
    }
    async fn element(&mut self, stream: &mut Stream, element: &Element) -> Result<(), ConnectError> {
        if element.has_ns(ns::SM) {
            match element.name() {
                "r" => {
                    self.behind = false;
                    put(stream, &build("a", ns::SM).attr("h", self.management.h().to_string()).end()).await?;
                }
                "a" => {
                    let h = element
                        .attr("h")
                        .and_then(|h| h.parse().ok())
                        .ok_or_else(|| ConnectError::protocol("an acknowledgement without a number"))?;
                    self.asked = false;
                    let before = self.management.open();
                    let Some(tokens) = self.management.acknowledge(h) else {
                        self.management.forget();
                        return Err(ConnectError::protocol("it acknowledges stanzas that were not sent"));
                    };
                    self.acknowledged(tokens);
                    // a server that is slow to have what it was sent is not asked without a pause
                    self.again = (before > 0 && before == self.management.open()).then(|| Instant::now().checked_add(AGAIN)).flatten();
                }
                _ => {}
            }
            return Ok(());
        }
        if element.is("error", ns::STREAM) {
            self.management.forget();
            return Err(stream_error(element));
        }
        if !element.has_ns(ns::CLIENT) || !matches!(element.name(), "message" | "presence" | "iq") {
            return Ok(());
        }
        let Some(number) = self.management.came() else { return Ok(()) };
        match element.name() {
            "message" => self.message(element, number),
            "presence" if self.room_presence(element) => {}
            "presence" if element.attr("type") == Some("subscribe") => {
                if let Some(Ok(who)) = element.attr("from").map(bare) {
                    self.tell(Happening::Subscription(who));
                }
            }
            "presence" if element.attr("type") == Some("error") => {
                if let Some(turn) = self.contacts.bounced(element) {
                    self.contact_turn(turn);
                }
            }
            "iq" => self.iq(element),
            _ => {}
        }
        Ok(())
    }
    fn iq(&mut self, iq: &Element) {
        if matches!(iq.attr("type"), Some("result" | "error")) {
            let ours = iq.attr("from").is_none_or(|from| bare(from).is_ok_and(|from| from == self.config.account));
            if ours && let Some(count) = iq.attr("id").and_then(|id| self.pings.remove(id)) {
                self.asked = false;
                if !self.management.managed {
                    let tokens = self.management.acknowledge(count).unwrap_or_default();
                    self.acknowledged(tokens);
                }
            } else if self.parts_answered(iq) {
            } else if let Some(turn) = self.requests.answered(iq, now()) {
                self.turn(turn);
            } else if let Some(turn) = self.contacts.answered(iq) {
                self.contact_turn(turn);
            }
        } else if let Some(answer) = self.config.entity.answer(iq, &self.config.account) {
            if let Some(contact) = self.contacts.pushed(iq) {
                self.watched(&contact);
                self.tell(Happening::Contact(contact));
            }
            self.block_pushed(iq);
            self.waiting.push_back(Sent::passing(answer));
        }
    }
    /// It is counted, an answer of ours fails, a question is answered with an error, the rest is told.
    fn left_out(&mut self, head: &Element, why: LeftOut) {
        let Some(stanza) = ["message", "presence", "iq"].into_iter().find(|name| head.is(*name, ns::CLIENT)) else { return };
        if self.management.came().is_none() {
            return;
        }
        tracing::warn!(stanza, %why, "a stanza was left out");
        let from = head.attr("from").and_then(|from| bare(from).ok());
        self.tell(Happening::LeftOut { stanza, from, why });
        if stanza != "iq" {
            return;
        }
        match (head.attr("type"), head.attr("id")) {
            (Some("get" | "set"), Some(id)) => {
                let error = build("error", ns::CLIENT).attr("type", "modify").child(build("policy-violation", ns::STANZAS));
                let answer = build("iq", ns::CLIENT).attr("type", "error").attr("id", id).maybe("to", head.attr("from")).child(error);
                self.waiting.push_back(Sent::passing(answer.end()));
            }
            _ => {
                if self.parts_too_large(head) {
                } else if let Some(turn) = self.requests.too_large(head) {
                    self.turn(turn);
                } else if let Some(turn) = self.contacts.too_large(head) {
                    self.contact_turn(turn);
                }
            }
        }
    }
}
