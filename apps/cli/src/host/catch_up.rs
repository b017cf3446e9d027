//! What was missed while nobody was connected: the archives of the account and its rooms, page by page, each from where it was read last.
//!
//! Owns which archives are read, and when the next page is asked for: once the one before is in the history and its position is stored.
//! So whoever dies in between asks for that page again, and what comes twice is known by its ids.
use super::drive::{Drive, now};
use super::ledger::Ledger;
use super::step::Fact;
use crate::failure::Failure;
use crate::rpc::types::{CatchUp, Notification};
use std::collections::HashMap;
use std::time::Duration;
use subrosa_engine::{Address, ChatId, Input, Time};
use subrosa_history::At;
use subrosa_xmpp::archive::{ArchiveError, Finished, Query};

/// Results of one page: one step's worth.
const PAGE: u16 = 250;
/// The pause before an archive that is busy is asked again.
const PAUSE: Duration = Duration::from_secs(20);

/// The archives that are read, of one stream.
#[derive(Default)]
pub struct Reading {
    open: HashMap<Address, Open>,
    /// Read to the end on this stream: what comes now follows without a gap.
    whole: std::collections::HashSet<Address>,
    /// The engines were told.
    running: bool,
    /// Messages so far.
    done: u64,
    /// When the last message of each conversation was sent.
    last: HashMap<ChatId, Time>,
}
#[derive(Debug)]
enum Open {
    /// A page is asked for.
    Asked,
    /// It came, and its position is being stored; then this is asked for. `None`: it was the last.
    Storing(Option<Query>),
    /// Not before then.
    Paused(Time),
}
impl Reading {
    /// When [`Drive::go_on_reading`] has something to do.
    pub fn wake_at(&self) -> Option<Time> {
        self.open.values().filter_map(|open| if let Open::Paused(at) = open { Some(*at) } else { None }).min()
    }
    /// What comes of this archive now follows what was read.
    pub fn follows(&self, by: &Address) -> bool {
        self.whole.contains(by)
    }
}

impl Drive {
    /// A new stream: nothing that was asked will be answered.
    pub(super) fn forget_reading(&mut self) {
        let running = std::mem::take(&mut self.reading).running;
        if running {
            self.facts.push(Fact::Input(Input::CatchUp { running: false }));
        }
    }
    /// This archive is read from where it was left.
    pub(super) fn read_archive(&mut self, by: &Address) {
        let query = match self.start_of(by) {
            Ok(query) => query,
            Err(failure) => return tracing::error!(code = %failure.code, "an archive can't be read"),
        };
        if !self.reading.running {
            self.reading.running = true;
            self.facts.push(Fact::Input(Input::CatchUp { running: true }));
        }
        tracing::debug!(archive = %by, "reading what was missed");
        self.reading.open.insert(by.clone(), Open::Asked);
        self.link.archive(by.clone(), query);
    }
    /// It is no archive of ours any more.
    pub(super) fn leave_archive(&mut self, by: &Address) {
        self.reading.whole.remove(by);
        if self.reading.open.remove(by).is_some() {
            self.read_to_the_end();
        }
    }
    fn start_of(&mut self, by: &Address) -> Result<Query, Failure> {
        let of = by.clone();
        let known = self.look(self.ledger, move |_, cx| Ledger::position(cx, &of))?;
        Ok(match known {
            Some(id) => Query::after(id),
            None => return Ok(self.last_days()),
        }
        .page(PAGE))
    }
    /// A message out of an archive, for the machine. Archives may tell whole seconds: within one, what stands behind another was said later.
    pub(super) fn archived(&mut self, input: Input) -> Input {
        self.reading.done = self.reading.done.saturating_add(1);
        let Input::Receive { id, chat, from, sent, kind, content_type, body, headers, answer_by } = input else { return input };
        let newest = |drive: &Self| drive.chats.history.page(&chat, At::Newest, 1).ok()?.messages.pop().map(|m| m.time);
        let last = self.reading.last.get(&chat).copied().or_else(|| newest(self));
        let second = sent.after(Duration::from_secs(1));
        let sent = last.filter(|last| sent.0.is_multiple_of(1000) && (sent..second).contains(last)).unwrap_or(sent);
        self.reading.last.insert(chat.clone(), last.unwrap_or(sent).max(sent));
        Input::Receive { id, chat, from, sent, kind, content_type, body, headers, answer_by }
    }
    /// A page is over.
    pub(super) fn paged(&mut self, by: Address, page: Result<Finished, ArchiveError>) {
        if !self.reading.open.contains_key(&by) {
            return;
        }
        match page {
            Ok(Finished { position: Some(position), next, .. }) => {
                self.reading.open.insert(by.clone(), Open::Storing(next));
                self.facts.push(Fact::Reached(by, position));
            }
            Ok(Finished { position: None, .. }) => self.read(&by),
            Err(ArchiveError::Gone) => {
                tracing::info!(archive = %by, "the archive no longer has where it was left; reading the last days");
                self.reading.open.insert(by.clone(), Open::Storing(Some(self.last_days())));
                self.facts.push(Fact::Position(by, None));
            }
            Err(ArchiveError::Busy) => drop(self.reading.open.insert(by, Open::Paused(now().after(PAUSE)))),
            Err(why) => {
                tracing::warn!(archive = %by, %why, "what was missed can't be read");
                self.reading.open.remove(&by);
                self.read_to_the_end();
            }
        }
        self.tell_reading();
    }
    fn last_days(&self) -> Query {
        Query::since(Time(now().0.saturating_sub(self.first_days.saturating_mul(86_400_000)))).page(PAGE)
    }
    /// A position is stored.
    pub(super) fn positioned(&mut self, by: &Address) {
        let Some(Open::Storing(next)) = self.reading.open.get_mut(by) else { return };
        match next.take() {
            Some(query) => {
                self.reading.open.insert(by.clone(), Open::Asked);
                self.link.archive(by.clone(), query);
            }
            None => self.read(by),
        }
    }
    /// All of it is there.
    fn read(&mut self, by: &Address) {
        self.reading.open.remove(by);
        self.reading.whole.insert(by.clone());
        self.read_to_the_end();
    }
    fn read_to_the_end(&mut self) {
        if self.reading.running && self.reading.open.is_empty() {
            self.reading.running = false;
            self.facts.push(Fact::Input(Input::CatchUp { running: false }));
            self.tell_reading();
        }
    }
    /// Those that paused.
    pub(super) fn go_on_reading(&mut self) {
        let now = now();
        let ready: Vec<Address> =
            self.reading.open.iter().filter(|(_, open)| matches!(open, Open::Paused(at) if *at <= now)).map(|(by, _)| by.clone()).collect();
        ready.iter().for_each(|by| self.read_archive(by));
    }
    fn tell_reading(&mut self) {
        let note = CatchUp { account: self.account.clone(), running: self.reading.running, done: self.reading.done };
        self.hub.tell(&Notification::CatchUp(note));
    }
}
