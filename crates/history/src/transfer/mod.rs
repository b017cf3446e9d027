//! A history on its way to another device of one's own, inside encrypted messages to exactly that device. Sans-IO: what is
//! given back is sent by the application as a [`Plaintext`](subrosa_engine::Plaintext) to `Recipients::Device`, what comes in one is given to
//! [`History::take_transfer`]. Everything that must outlive the process is stored in the same commit as what it says.
//!
//! ```text
//! old device                               new device
//! offer_transfer ──── offer ─────────────► Offered: a person is asked
//!                ◄─── request 1 ────────── accept_transfer
//!                ──── batch 1 ───────────► one commit
//!                ◄─── request 2 ──────────                    acknowledges batch 1
//!                     …
//!                ──── batch n, last ─────►
//!                ◄─── done ───────────────
//! ```
//! Each side may end it ([`History::cancel_transfer`]) and take it up again after a restart or a lost message
//! ([`History::resume_transfer`]): the old device repeats its offer, the new one its request; a batch that comes twice is taken once. The
//! old device remembers next to nothing: a request says from where on.
//!
//! A batch has at most 64 KiB, but for a single message that is larger; what would be over 160 KiB is left out and counted. Trust
//! decisions come first, then how far was read, then messages, the newest first, then what was said about them.
//!
//! # What the application must check
//! [`OwnDevice`] is made only from a trusted device of the account's own. Beyond that: **offer** only to a device that a person has just approved
//! for this, and **accept** only when a person said yes to the device that offers. Trust decisions that were told
//! ([`History::told_decisions`]) are another device's word: apply those of devices whose own key a person has verified, show the rest.
//!
//! Rows that came so are marked ([`crate::Message::told_by`]): the other device says that it verified them, nobody here did. They never
//! replace what was verified here, and are replaced by it. Who may correct or retract is decided here again.
mod element;
mod giving;
mod taking;

use crate::error::HistoryError;
use crate::item::Decision;
use crate::open::History;
use crate::row::{device_of, device_text, trust_code};
use element::{Said, Words};
use rusqlite::OptionalExtension;
use subrosa_engine::{Address, Coded, Device, DeviceId, Fault, Fingerprint, Plaintext, Received, Time, Trust};

/// Decisions that are carried; more are not taken.
const DECISIONS: usize = 10_000;

/// A trusted device of the account's own: the right to give it the history, and to be told one by it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnDevice(DeviceId);
impl OwnDevice {
    /// `None`: it is another's, or it is not trusted. `trust`: what the machine says now.
    pub fn approved(me: &Address, device: &Device, trust: Trust) -> Option<Self> {
        (device.owner == *me && trust.is_trusted()).then(|| OwnDevice(device.id.clone()))
    }
    /// The one that sent this. `None` also for what came in clear.
    pub fn that_sent(me: &Address, message: &Received) -> Option<Self> {
        let sender = message.sender().filter(|_| !message.in_clear() && message.from() == me)?;
        OwnDevice::approved(me, &sender.device, sender.trust)
    }
    /// Which.
    pub fn id(&self) -> &DeviceId {
        &self.0
    }
}

/// What a message of a transfer made happen here.
#[derive(Debug)]
#[non_exhaustive]
pub struct Handled {
    /// To be sent to the same device.
    pub reply: Option<Plaintext>,
    /// What there is to tell.
    pub happened: Happened,
}
/// What there is to tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Happened {
    /// Nothing.
    Nothing,
    /// The device offers its history: ask a person, then [`History::accept_transfer`] or [`History::cancel_transfer`].
    Offered {
        /// Rows, about.
        total: u64,
    },
    /// So far it is.
    Progress {
        /// Rows that the new device has.
        done: u64,
        /// Of so many, about.
        total: u64,
    },
    /// All of it is there.
    Finished {
        /// Rows that the new device has.
        done: u64,
        /// Messages that were too large to travel; they are on the old device.
        left_out: u64,
    },
    /// The other device ended it. What came is kept.
    Cancelled,
}
/// One that is not over.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Transfer {
    /// The other device.
    pub with: DeviceId,
    /// Whether it goes there.
    pub giving: bool,
    /// Whether a person on the new device said yes.
    pub accepted: bool,
    /// Rows that the new device has.
    pub done: u64,
    /// Of so many, about.
    pub total: u64,
}

/// Why a message of a transfer, or a call, came to nothing. Nothing was changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TransferError {
    /// There is no such transfer with that device, or nobody said yes to it.
    #[error("no history is being transferred with that device: offer it again from the old device, and accept it on the new one")]
    Unknown,
    /// It is of another account.
    #[error("that device sent the history of another account; nothing was taken from it")]
    OtherAccount,
    /// It is not what it should be.
    #[error("that device sent a damaged part of its history ({0}); nothing was taken from it. Cancel, update both devices, and offer it again")]
    Malformed(&'static str),
    /// It is larger than it may be, also when unpacked.
    #[error("that device sent a part of its history that is too large; nothing was taken from it. Cancel, update both devices, and offer it again")]
    TooLarge,
    /// A newer form.
    #[error("that device sends its history in a newer form: update Subrosa here, and offer it again")]
    Newer,
    /// A part that was not asked for.
    #[error("that device sent part {found} of its history where part {expected} was asked for; nothing was taken from it")]
    WrongNumber {
        /// What was asked for.
        expected: u32,
        /// What came.
        found: u32,
    },
    /// The disk.
    #[error(transparent)]
    Store(#[from] HistoryError),
}
impl From<rusqlite::Error> for TransferError {
    fn from(e: rusqlite::Error) -> Self {
        TransferError::Store(e.into())
    }
}
impl Coded for TransferError {
    fn code(&self) -> &'static str {
        match self {
            TransferError::Unknown => "transfer.unknown",
            TransferError::OtherAccount => "transfer.other-account",
            TransferError::Malformed(_) => "transfer.malformed",
            TransferError::TooLarge => "transfer.too-large",
            TransferError::Newer => "transfer.newer",
            TransferError::WrongNumber { .. } => "transfer.wrong-number",
            TransferError::Store(e) => e.code(),
        }
    }
    fn fault(&self) -> Fault {
        match self {
            TransferError::Unknown => Fault::Caller,
            TransferError::Store(e) => e.fault(),
            _ => Fault::Peer,
        }
    }
}

/// How far it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Offered = 0,
    Accepted = 1,
    /// On the new device: remembered, so that the old one can be told again.
    Finished = 2,
}
/// A row of `transfers`.
#[derive(Clone, Debug)]
struct Course {
    with: DeviceId,
    giving: bool,
    id: i64,
    stage: Stage,
    number: u32,
    cursor: Vec<u8>,
    done: u64,
    total: u64,
    left_out: u64,
}

impl History {
    /// Whether this is a part of a transfer; then it is none of the conversation's.
    pub fn is_transfer(plain: &Plaintext) -> bool {
        element::text_of(plain).is_some()
    }
    /// Takes a part of a transfer. `None`: it is none.
    ///
    /// # Errors
    /// Nothing was changed; the transfer is where it was.
    pub fn take_transfer(&mut self, from: &OwnDevice, plain: &Plaintext, now: Time) -> Result<Option<Handled>, TransferError> {
        let Some(text) = element::text_of(plain) else { return Ok(None) };
        let words = Words::read(&text)?;
        if words.account != self.me().as_str() {
            return Err(TransferError::OtherAccount);
        }
        let (id, from) = (words.id, from.id());
        self.transaction(|history| match words.said {
            Said::Offer { total } => history.offered(from, id, total),
            Said::Request { number, cursor } => history.requested(from, id, number, cursor),
            Said::Batch(batch) => history.taken(from, id, batch, now),
            Said::Done { done, left_out } => history.finished(from, id, done, left_out),
            Said::Cancel => history.cancelled(from, id),
        })
        .map(Some)
    }
    /// Ends what there is with this device, both ways; what came is kept. What is given back tells the other.
    ///
    /// # Errors
    /// Nothing was changed.
    pub fn cancel_transfer(&mut self, with: &OwnDevice) -> Result<Vec<Plaintext>, TransferError> {
        self.transaction(|history| {
            let courses = [history.course(with.id(), true)?, history.course(with.id(), false)?];
            let mut told = Vec::new();
            for course in courses.into_iter().flatten().filter(|course| course.stage != Stage::Finished) {
                history.forget(&course)?;
                told.push(history.say(course.id, Said::Cancel)?);
            }
            Ok(told)
        })
    }
    /// After a start, a reconnection or a long silence: what to send again.
    ///
    /// # Errors
    /// What the disk says.
    pub fn resume_transfer(&self, with: &OwnDevice) -> Result<Vec<Plaintext>, TransferError> {
        let mut again = Vec::new();
        if let Some(course) = self.course(with.id(), true)? {
            again.push(self.say(course.id, Said::Offer { total: course.total })?);
        }
        if let Some(course) = self.course(with.id(), false)?.filter(|course| course.stage == Stage::Accepted) {
            again.push(self.ask_for_next(&course)?);
        }
        Ok(again)
    }
    /// All that are not over.
    ///
    /// # Errors
    /// What the disk says.
    pub fn transfers(&self) -> Result<Vec<Transfer>, HistoryError> {
        let courses = self.courses("1 LIMIT 1000", ())?.into_iter().filter(|course| course.stage != Stage::Finished);
        let shown = |c: Course| Transfer { with: c.with, giving: c.giving, accepted: c.stage == Stage::Accepted, done: c.done, total: c.total };
        Ok(courses.map(shown).collect())
    }

    fn cancelled(&mut self, from: &DeviceId, id: i64) -> Result<Handled, TransferError> {
        let both = [self.course(from, true)?, self.course(from, false)?];
        let mut happened = Happened::Nothing;
        for course in both.into_iter().flatten().filter(|course| course.id == id && course.stage != Stage::Finished) {
            self.forget(&course)?;
            happened = Happened::Cancelled;
        }
        Ok(Handled { reply: None, happened })
    }
    fn say(&self, id: i64, said: Said) -> Result<Plaintext, TransferError> {
        Words { id, account: self.me().as_str().to_owned(), said }.written().ok_or(TransferError::TooLarge)
    }
    fn course(&self, with: &DeviceId, giving: bool) -> Result<Option<Course>, HistoryError> {
        Ok(self.courses("device = ?1 AND giving = ?2", (device_text(with), giving))?.pop())
    }
    fn courses(&self, filter: &str, with: impl rusqlite::Params) -> Result<Vec<Course>, HistoryError> {
        let sql = format!("SELECT device, giving, id, stage, number, cursor, done, total, left_out FROM transfers WHERE {filter}");
        let mut find = self.db.prepare_cached(&sql)?;
        let course = |row: &rusqlite::Row<'_>| {
            let (device, stage): (String, i64) = (row.get(0)?, row.get(3)?);
            let (done, total, left_out): (i64, i64, i64) = (row.get(6)?, row.get(7)?, row.get(8)?);
            let stage = [Stage::Offered, Stage::Accepted, Stage::Finished].into_iter().find(|s| *s as i64 == stage);
            Ok(device_of(&device).zip(stage).map(|(with, stage)| {
                Ok::<_, rusqlite::Error>(Course {
                    with,
                    giving: row.get(1)?,
                    id: row.get(2)?,
                    stage,
                    number: row.get(4)?,
                    cursor: row.get(5)?,
                    done: done.unsigned_abs(),
                    total: total.unsigned_abs(),
                    left_out: left_out.unsigned_abs(),
                })
            }))
        };
        let found: Vec<_> = find.query_map(with, course)?.collect::<Result<_, _>>()?;
        Ok(found.into_iter().flatten().collect::<Result<_, _>>()?)
    }
    fn keep(&self, course: &Course) -> Result<(), HistoryError> {
        let mut put = self.db.prepare_cached(
            "INSERT OR REPLACE INTO transfers (device, giving, id, stage, number, cursor, done, total, left_out)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
        )?;
        let number = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
        put.execute(rusqlite::params![
            device_text(&course.with),
            course.giving,
            course.id,
            course.stage as i64,
            course.number,
            course.cursor,
            number(course.done),
            number(course.total),
            number(course.left_out),
        ])?;
        Ok(())
    }
    /// The course, and what was to be told in it.
    fn forget(&self, course: &Course) -> Result<(), HistoryError> {
        let with = (device_text(&course.with), course.giving);
        self.db.execute("DELETE FROM transfers WHERE device = ?1 AND giving = ?2", (&with.0, with.1))?;
        if course.giving {
            self.db.execute("DELETE FROM decisions WHERE device = ?1 AND giving", [&with.0])?;
        }
        Ok(())
    }
    /// From the `after`th on, at most `limit`.
    fn decisions(&self, with: &DeviceId, giving: bool, after: u32, limit: usize) -> Result<Vec<Decision>, HistoryError> {
        let mut find = self.db.prepare_cached(
            "SELECT owner, id, key, trust FROM decisions WHERE device = ?1 AND giving = ?2 ORDER BY owner, id, key LIMIT ?4 OFFSET ?3",
        )?;
        let decision = |row: &rusqlite::Row<'_>| {
            let (owner, id, trust): (String, String, i64) = (row.get(0)?, row.get(1)?, row.get(3)?);
            let trust = Trust::ALL.into_iter().find(|t| trust_code(*t) == trust);
            let key = row.get(2)?;
            Ok(device_of(&id).zip(trust).map(|(id, trust)| Decision {
                device: Device { owner: owner.as_str().into(), id },
                key: Fingerprint(key),
                trust,
            }))
        };
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let found: Vec<_> = find.query_map((device_text(with), giving, after, limit), decision)?.collect::<Result<_, _>>()?;
        Ok(found.into_iter().flatten().collect())
    }
    fn keep_decision(&self, with: &DeviceId, giving: bool, decision: &Decision) -> Result<(), HistoryError> {
        let mut put =
            self.db.prepare_cached("INSERT OR REPLACE INTO decisions (device, giving, owner, id, key, trust) VALUES (?1, ?2, ?3, ?4, ?5, ?6)")?;
        let device = &decision.device;
        put.execute((device_text(with), giving, device.owner.as_str(), device_text(&device.id), decision.key.0, trust_code(decision.trust)))?;
        Ok(())
    }
    fn count_decisions(&self, with: &DeviceId, giving: bool) -> Result<usize, HistoryError> {
        let sql = "SELECT count(*) FROM decisions WHERE device = ?1 AND giving = ?2";
        let count: Option<i64> = self.db.prepare_cached(sql)?.query_row((device_text(with), giving), |row| row.get(0)).optional()?;
        Ok(count.and_then(|n| usize::try_from(n).ok()).unwrap_or(0))
    }
}
