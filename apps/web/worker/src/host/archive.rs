//! What the gateway says: events of the archive, answers, how the way out is.
//!
//! Invariant: an event's place is stored in the step that holds what came of it; one that is stored is not taken again. The gateway is
//! not trusted with more than it can do anyway: hold back, and say who and when.
use super::{Fact, Host, Out, Way, messages};
use crate::rows::{APP, CURSOR, Cursor, PENDING, Row as _};
use crate::shelf::{At, Shelf};
use rand_core::CryptoRng;
use subrosa_engine::{ChatId, ContentType, Headers, Input, MessageId, RequestId, Time};
use subrosa_web_api::page::{Position, State, Told};
use subrosa_web_api::socket::{Contact, Event, FromGateway, Message, Payload, Progress, Session, Standing, ToGateway};
use subrosa_web_api::{Failure, Seq};

/// A clock that is wrong by more is told.
const CLOCKS: u64 = 60 * 60 * 1000;
/// No clock is later: places are made of the time, and places that ran out would be given twice.
const LATEST: u64 = 1 << 46;

impl<S: Shelf, R: CryptoRng + Send> Host<S, R> {
    /// The first frame on a new socket.
    pub fn hello(&self) -> ToGateway {
        ToGateway::Hello { since: self.cursor }
    }
    /// The socket is gone, or can't be opened. `None`: no reason yet.
    pub fn no_gateway(&mut self, why: Option<Failure>) {
        self.set_way(Way::NoGateway(why));
    }
    /// The gateway does not know this browser any more.
    pub fn logged_out(&mut self, why: Failure) {
        self.set_way(Way::LoggedOut(why));
    }
    /// The gateway speaks another version.
    pub fn wrong_version(&mut self) {
        self.set_way(Way::WrongVersion);
    }
    fn set_way(&mut self, way: Way) {
        if way != Way::Server {
            self.asked.clear(); // the machine asks again with the next stream
        }
        if way != self.way {
            self.way = way;
            self.tell_link();
        }
    }

    /// One frame. `clock`: this browser's.
    ///
    /// # Errors
    /// The store's.
    pub async fn frame(&mut self, frame: FromGateway, clock: Time) -> Result<(), S::Error> {
        match frame {
            // there stands what the archive does not have
            FromGateway::Event { seq, .. } | FromGateway::Accepted { seq, .. } if seq.0 >= PENDING => {}
            FromGateway::Welcome { head, now, .. } => self.welcome(head.min(Seq(PENDING - 1)), now.min(LATEST), clock),
            FromGateway::Event { seq, event } if self.begins.is_some() => {
                self.begins = self.begins.max(Some(seq));
                self.event(seq, event).await?;
            }
            FromGateway::Event { seq, event } if Some(seq) > self.cursor => {
                self.event(seq, event).await?;
                self.set_cursor(seq);
            }
            FromGateway::Event { .. } => {}
            FromGateway::CaughtUp => self.caught_up(),
            FromGateway::Accepted { id, part, seq, at } => self.accepted(&id, part, seq, at).await?,
            FromGateway::Rejected { id, part, why } => {
                self.left(&id, part);
                self.change(&id, |message| message.state = messages::failed(why, false)).await?;
            }
            FromGateway::Answer { id, answer } => {
                if self.asked.remove(&id).is_some() {
                    self.facts.push(Fact::Input(Input::Answer(RequestId(id), super::convert::answer(answer))));
                }
            }
            FromGateway::Session(session) => self.session(session),
            FromGateway::Browsers(_) | FromGateway::Failed(_) => {} // the pages' business
        }
        Ok(())
    }
    fn welcome(&mut self, head: Seq, now: u64, clock: Time) {
        self.ahead = i64::try_from(now).unwrap_or_default().saturating_sub(i64::try_from(clock.0).unwrap_or_default());
        self.now = Time(now);
        if self.ahead.unsigned_abs() > CLOCKS {
            let hours = self.ahead.unsigned_abs().div_ceil(CLOCKS);
            let why = format!("The clock of this device is wrong by about {hours} hours; the gateway's is used. Set it right.");
            self.set_trouble(Some(Failure::new("clock.wrong", why)));
        } else if self.trouble.as_ref().is_some_and(|t| t.code == "clock.wrong") {
            self.set_trouble(None);
        }
        self.begins = None;
        if self.cursor.is_none() {
            self.begins = Some(head);
        } else if Some(head) < self.cursor {
            // an archive that is shorter than it was (restored from a backup) does not keep us waiting for ever
            self.set_cursor(head);
        } else if Some(head) > self.cursor {
            self.catching_up = true;
            self.facts.push(Fact::Input(Input::CatchUp { running: true }));
        }
        self.set_way(Way::Gateway(None));
        for (_, leaving) in &self.leaving {
            self.out.push(Out::Gateway(leaving.frame.clone()));
        }
        let unread = self.chats.values().filter(|row| row.read_told < row.read);
        let told: Vec<ToGateway> = unread.map(|row| ToGateway::Read { chat: row.chat.jid.clone(), up_to: Seq(row.read.0) }).collect();
        self.out.extend(told.into_iter().map(Out::Gateway));
    }
    fn set_cursor(&mut self, seq: Seq) {
        self.cursor = Some(seq);
        self.rows.set(APP, At::Name(CURSOR.into()), Some(Cursor(seq).to_row()));
    }
    fn caught_up(&mut self) {
        if let Some(seq) = self.begins.take() {
            self.set_cursor(seq);
        }
        if std::mem::take(&mut self.catching_up) {
            self.facts.push(Fact::Input(Input::CatchUp { running: false }));
        }
    }
    fn session(&mut self, session: Session) {
        match session {
            Session::Online { resumed } => {
                let resumed = resumed && self.way == Way::Server;
                self.set_way(Way::Server);
                self.facts.push(Fact::Input(Input::Online { resumed }));
                self.published = false; // looked at again
            }
            Session::Connecting => self.set_way(Way::Gateway(None)),
            Session::Offline(why) => self.set_way(Way::Gateway(Some(why))),
            Session::Refused(why) => self.set_way(Way::LoggedOut(why)),
        }
    }
    async fn accepted(&mut self, id: &str, part: u16, seq: Seq, at: u64) -> Result<(), S::Error> {
        self.left(id, part);
        if part == 0 { self.archived(id, seq, at).await } else { Ok(()) }
    }
    /// A stanza of ours is the gateway's.
    fn left(&mut self, id: &str, part: u16) {
        if let Some(at) = self.leaving.iter().position(|(_, leaving)| leaving.id == id && leaving.part == part) {
            let (output, _) = self.leaving.remove(at);
            self.facts.push(Fact::Input(Input::Done(output)));
        }
    }

    async fn event(&mut self, seq: Seq, event: Event) -> Result<(), S::Error> {
        match event {
            Event::Message(message) if message.own => {} // `Accepted` says the same
            Event::Message(message) => self.receive(seq, message),
            Event::Progress { id, progress } => {
                let state = match progress {
                    Progress::Sent => State::Sent,
                    Progress::Delivered => State::Delivered,
                    Progress::Failed(why) => messages::failed(why, false),
                };
                self.change(&id, |message| {
                    if messages::rank(&state) > messages::rank(&message.state) {
                        message.state = state;
                    }
                })
                .await?;
            }
            Event::Contact(contact) => self.contact(contact),
            Event::Published { node, payload } => {
                let node = super::convert::node_back(node);
                self.facts.push(Fact::Input(Input::Published(node, payload.map(|Payload(bytes)| bytes))));
            }
            Event::Read { chat, up_to } => {
                let up_to = Position(up_to.min(seq).0); // nobody has read what is yet to come
                self.read(&chat, up_to).await?;
                if let Some(row) = self.chats.get_mut(&chat).filter(|row| row.read_told < up_to) {
                    row.read_told = up_to;
                    self.keep_chat(&chat);
                }
            }
        }
        Ok(())
    }
    fn receive(&mut self, seq: Seq, message: Message) {
        if message.kind == subrosa_web_api::Kind::Typing {
            return;
        }
        // what is shown stands under whoever's key opened it, and no one else's
        let chat = if message.from == self.me.jid { &message.chat } else { &message.from };
        self.facts.push(Fact::Input(Input::Receive {
            id: name(seq, &message.id),
            chat: ChatId(chat.as_str().into()),
            from: message.from.as_str().into(),
            sent: Time(message.sent),
            kind: super::convert::kind(message.kind),
            content_type: ContentType::STANZA,
            body: message.body,
            headers: Headers::default(),
            answer_by: None,
        }));
    }
    fn contact(&mut self, contact: Contact) {
        let Contact { jid, name, standing } = contact;
        if standing == Standing::Gone && self.chats.get(&jid).is_none_or(|row| row.chat.last_at == 0) {
            if self.chats.remove(&jid).is_some() {
                self.rows.set(crate::rows::CHATS, At::Name(jid.clone()), None);
            }
            self.after.push(Out::Tell(Told::Chat(messages::new_chat(&jid))));
            return;
        }
        let row = self.chat(&jid);
        (row.chat.name, row.chat.standing) = (name, standing);
        self.keep_chat(&jid);
    }
}

/// What the engine knows a received message by: its place and its stanza's id, so that what comes out after a crash still has both.
fn name(seq: Seq, id: &str) -> MessageId {
    MessageId::from(format!("{}|{id}", seq.0).as_str())
}
/// Back again.
pub(super) fn unname(id: &MessageId) -> Option<(Seq, &str)> {
    let (seq, id) = id.as_str().split_once('|')?;
    Some((Seq(seq.parse().ok()?), id))
}
