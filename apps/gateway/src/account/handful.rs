//! A handful of things, stored together: what it changes in one transaction, and what it leads to once that is stored.
//!
//! Invariant: nothing leaves by itself; [`Effects`] are let out by the task, after [`Handful::store`]. Trying again changes nothing that
//! was changed. The steps themselves are in `outbox`, `receive` and `roster`.
use super::events::Entry;
use super::{Account, Command, ReplyTo};
use crate::app::{App, now};
use crate::db::{self, Write};
use sqlx::AnyConnection;
use subrosa_engine::{Address, Input, Item, Output, OutputId, RequestError, RequestId};
use subrosa_web_api::Failure;
use subrosa_web_api::socket::{Event, FromGateway, Request};
use subrosa_xmpp::{Happening, Mapping, Mark, State};

/// Marks the output of a receipt; the rest is the place of the stanza that it is for.
pub(super) const RECEIPT: u64 = 1 << 62;
/// Marks the output of what is not stored.
pub(super) const LOOSE: u64 = 1 << 63;

/// One thing to do.
pub(super) enum Work {
    Happened(Happening),
    Asked(Command),
}
/// How much waits for the XMPP server.
#[derive(Clone, Copy, Default)]
pub(super) struct Waiting {
    pub stanzas: usize,
    pub bytes: u64,
}

/// What a handful leads to, once it is stored.
#[derive(Default)]
pub(super) struct Effects {
    pub put: Vec<(OutputId, Output)>,
    pub loose: Vec<Output>,
    /// So many of what is not stored are over.
    pub loose_over: usize,
    pub entries: Vec<Entry>,
    pub replies: Vec<(ReplyTo, FromGateway)>,
    pub requests: Vec<(ReplyTo, u64, Request)>,
    pub answers: Vec<(RequestId, Result<Vec<Item>, RequestError>)>,
    pub changes: Vec<(Option<ReplyTo>, subrosa_xmpp::ContactChange)>,
    pub refused_changes: Vec<(Address, Failure)>,
    pub states: Vec<State>,
    pub mark: Option<Mark>,
    pub connect_now: bool,
}
/// A handful in the making.
pub(super) struct Handful<'a> {
    tx: Option<Write>,
    pub app: &'a App,
    pub account: i64,
    pub me: &'a str,
    pub mapping: &'a Mapping,
    pub now: u64,
    base: u64,
    head: u64,
    pub waiting: Waiting,
    pub stored: u64,
    pub effects: Effects,
}
/// Why it could not be stored.
pub(super) enum HandfulError {
    Sql(sqlx::Error),
    /// The counter is not where it was.
    Moved,
}
impl From<sqlx::Error> for HandfulError {
    fn from(e: sqlx::Error) -> Self {
        HandfulError::Sql(e)
    }
}

/// What goes on from one handful to the next.
pub(super) struct Counts {
    pub head: u64,
    pub waiting: Waiting,
    pub stored: u64,
}

impl<'a> Handful<'a> {
    pub fn new(app: &'a App, account: &'a Account, mapping: &'a Mapping, counts: Counts) -> Self {
        let Counts { head, waiting, stored } = counts;
        let (id, me) = (account.id, account.jid.as_str());
        Handful { tx: None, app, account: id, me, mapping, now: now(), base: head, head, waiting, stored, effects: Effects::default() }
    }
    /// Commits; moves the counter, if nobody else did.
    pub async fn store(self) -> Result<(Effects, Counts), HandfulError> {
        let Handful { tx, account, base, head, waiting, stored, effects, .. } = self;
        if let Some(mut tx) = tx {
            if head != base && !db::account::advance(&mut tx, account, base, head).await? {
                return Err(HandfulError::Moved);
            }
            tx.commit().await?;
        }
        Ok((effects, Counts { head, waiting, stored }))
    }
    /// The transaction; begins it.
    pub async fn tx(&mut self) -> sqlx::Result<&mut AnyConnection> {
        let tx = match self.tx.take() {
            Some(tx) => tx,
            None => self.app.db.begin().await?,
        };
        Ok(self.tx.insert(tx))
    }
    /// The next number; taken with [`Handful::event`].
    pub fn next(&self) -> u64 {
        self.head.saturating_add(1)
    }
    /// Something happened at [`Handful::next`].
    pub fn event(&mut self, event: Event, own: Option<(u64, Event)>) {
        self.head = self.next();
        self.effects.entries.push(Entry::new(self.head, event, own));
    }
    /// The newest number.
    pub fn head(&self) -> u64 {
        self.head
    }
    pub async fn step(&mut self, work: &Work) -> sqlx::Result<()> {
        match work {
            Work::Happened(happening) => self.happened(happening).await,
            Work::Asked(command) => match command {
                Command::Send { to, browser, send } => self.send(to, *browser, send).await,
                Command::Request { to, id, what } => {
                    self.effects.requests.push((to.clone(), *id, what.clone()));
                    Ok(())
                }
                Command::Read { chat, up_to } => self.read(chat, *up_to).await,
                Command::Received { from, id } => self.owe_receipt(from, id).await,
                Command::Contact { to, change } => self.change(to, change).await,
                Command::ConnectNow => {
                    self.effects.connect_now = true;
                    Ok(())
                }
                Command::Raise(to) => {
                    if *to > self.head {
                        self.tx().await?;
                        self.head = *to;
                    }
                    Ok(())
                }
            },
        }
    }
    async fn happened(&mut self, happening: &Happening) -> sqlx::Result<()> {
        match happening {
            Happening::Received { inputs, mark, .. } => {
                for input in inputs {
                    self.received(input).await?;
                }
                self.effects.mark = Some(self.effects.mark.map_or(*mark, |before| before.max(*mark)));
            }
            Happening::Input(Input::Answer(id, answer)) => self.effects.answers.push((*id, answer.clone())),
            Happening::Acknowledged(OutputId(id)) => self.acknowledged(*id).await?,
            Happening::Unsendable(OutputId(id), why) => self.unsendable(*id, why).await?,
            Happening::Bounced(bounce) => self.bounced(bounce).await?,
            Happening::Contacts(list) => self.contacts(list).await?,
            Happening::Contact(contact) => self.contact(contact).await?,
            Happening::ContactRefused { address, condition } => {
                let sentence = format!("{address} could not be changed on the contact list ({condition}). Check the address and try again.");
                self.effects.refused_changes.push((address.clone(), Failure::new("contact.refused", sentence)));
            }
            Happening::Subscription(who) => self.asked_by(who).await?,
            Happening::Pinned(pin) => {
                let (account, pin) = (self.account, pin.to_string());
                db::account::set_pin(self.tx().await?, account, &pin).await?;
            }
            Happening::State(state) => self.effects.states.push(state.clone()),
            Happening::LeftOut { .. } => self.app.metrics.left_out.add(1),
            _ => {}
        }
        Ok(())
    }
}
