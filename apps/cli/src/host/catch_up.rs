//! What was missed while nobody was connected: the archives of the account and its rooms, page by page, each from where it was read last.
//!
//! Owns which archives are read, and when the next page is asked for: once the one before is in the history and its position is stored.
//! So whoever dies in between asks for that page again, and what comes twice is known by its ids.
use super::drive::{Drive, now};
use super::ledger::Ledger;
use super::memory::Reached;
use super::step::Fact;
use crate::failure::Failure;
use crate::rpc::types::{CatchUp, Notification, Unread};
use std::collections::{HashMap, HashSet};
use std::time::Duration;
use subrosa_engine::{Address, ChatId, Coded, Input, Time};
use subrosa_history::At;
use subrosa_xmpp::archive::{ArchiveError, Finished, Query};

/// Results of one page: one step's worth.
const PAGE: u16 = 250;
/// Pages of one archive on one stream: a million messages. What has more, or no end, is read on with the next.
const PAGES: usize = if cfg!(test) { 100 } else { 4000 };
/// In milliseconds.
const DAY: u64 = 86_400_000;
/// The pause before an archive that is busy is asked again.
const PAUSE: Duration = Duration::from_secs(20);

/// The archives that are read, of one stream.
#[derive(Default)]
pub struct Reading {
    open: HashMap<Address, Open>,
    /// Read to the end on this stream: what comes now follows without a gap.
    whole: HashSet<Address>,
    /// The engines were told.
    running: bool,
    /// Messages so far.
    done: u64,
    /// When the last message of each conversation was sent.
    last: HashMap<ChatId, Time>,
    /// When the last message of each archive came there.
    at: HashMap<Address, Time>,
    /// Those that had forgotten where they were left.
    afresh: HashSet<Address>,
    /// Pages so far.
    pages: HashMap<Address, usize>,
    /// What could not be read.
    failed: Vec<Unread>,
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
    /// A message came to this archive then.
    pub fn came(&mut self, by: &Address, at: Time) {
        self.at.insert(by.clone(), at);
    }
    /// The message of this id is the last one.
    pub fn reached(&self, by: &Address, id: String) -> Reached {
        Reached { id, at: self.at.get(by).copied() }
    }
}

impl Drive {
    /// A new stream: nothing that was asked will be answered. What is left to be read is read on it: the engines keep what they may need
    /// for that until it ends, or there turns out to be no archive ([`Drive::nothing_to_read`]).
    pub(super) fn forget_reading(&mut self) {
        let running = self.reading.running;
        self.reading = Reading { running, ..Reading::default() };
    }
    /// The account has no archive. An earlier process may have been reading one.
    pub(super) fn nothing_to_read(&mut self) {
        self.reading.running |= self.reading.open.is_empty();
        self.read_to_the_end();
    }
    /// This archive is read from where it was left.
    pub(super) fn read_archive(&mut self, by: &Address) {
        let query = match self.start_of(by) {
            Ok(query) => query,
            Err(failure) => {
                tracing::error!(code = %failure.code, "an archive can't be read");
                return self.unread(by, &failure.code, failure.sentence);
            }
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
        let Some(Reached { id, at }) = known else { return Ok(self.last_days(None)) };
        Ok(if self.reading.afresh.contains(by) { self.last_days(at) } else { Query::after(id).page(PAGE) })
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
                let reached = self.reading.reached(&by, position);
                self.facts.push(Fact::Reached(by, reached));
            }
            Ok(Finished { position: None, .. }) => self.read(&by),
            // once: what follows a time never is
            Err(ArchiveError::Gone) if self.reading.afresh.insert(by.clone()) => {
                tracing::info!(archive = %by, "the archive no longer has where it was left; reading from that time");
                self.read_archive(&by);
            }
            Err(ArchiveError::Busy) => drop(self.reading.open.insert(by, Open::Paused(now().after(PAUSE)))),
            Err(ArchiveError::Unavailable) => {
                self.reading.open.remove(&by);
                self.read_to_the_end();
            }
            Err(why) => self.unread(&by, why.code(), why.to_string()),
        }
        self.tell_reading();
    }
    /// What came in the last days, and since then: with a day for clocks that differ.
    fn last_days(&self, since: Option<Time>) -> Query {
        let first = now().0.saturating_sub(self.first_days.saturating_mul(DAY));
        Query::since(Time(since.map_or(first, |since| since.0.saturating_sub(DAY).min(first)))).page(PAGE)
    }
    /// A position is stored.
    pub(super) fn positioned(&mut self, by: &Address) {
        let Some(Open::Storing(next)) = self.reading.open.get_mut(by) else { return };
        let pages = self.reading.pages.entry(by.clone()).or_default();
        *pages = pages.saturating_add(1);
        match next.take() {
            Some(_) if *pages >= PAGES => {
                let read = format!("{PAGES} pages were read, and there are more");
                self.unread(by, "archive.endless", read);
            }
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
    /// Not all of it, on this stream.
    fn unread(&mut self, by: &Address, code: &str, reason: String) {
        tracing::warn!(archive = %by, code, "what was missed can't be read");
        self.reading.open.remove(by);
        self.reading.failed.push(Unread { archive: by.to_string(), code: code.into(), reason });
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
        let note =
            CatchUp { account: self.account.clone(), running: self.reading.running, done: self.reading.done, failed: self.reading.failed.clone() };
        self.hub.tell(&Notification::CatchUp(note));
    }
}
