//! A message as the table has it: columns and codes, and nothing about what they mean together.
use crate::entry::{Body, Entry, SentBy, State};
use crate::error::HistoryError;
use crate::open::History;
use rusqlite::OptionalExtension;
use sha2::{Digest, Sha256};
use subrosa_engine::{Address, Content, DeviceId, MessageId, Reason, Time, Trust};

/// Where a message stands among all: its time, and what tells it from others of the same millisecond. The same for good.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place(pub u64);
/// Below the milliseconds.
const COUNTER: u32 = 20;
/// The year 2248.
const LAST: u64 = (1 << 43) - 1;
impl Place {
    /// The message's time.
    pub fn time(self) -> Time {
        Time(self.0 >> COUNTER)
    }
    /// The first of this time.
    pub fn at(time: Time) -> Self {
        Place(time.0.min(LAST) << COUNTER)
    }
    /// The last of this time.
    pub(crate) fn end_of(time: Time) -> Self {
        Place(Place::at(time).0 | ((1 << COUNTER) - 1))
    }
    pub(crate) fn n(self) -> i64 {
        i64::try_from(self.0).unwrap_or(i64::MAX)
    }
    pub(crate) fn from_n(n: i64) -> Self {
        Place(u64::try_from(n).unwrap_or(0))
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Text = 0,
    Reply = 1,
    Correction = 2, // the schema's index names it
    OptOut = 3,
    Unreadable = 4,
}
impl Kind {
    pub const ALL: [Kind; 5] = [Kind::Text, Kind::Reply, Kind::Correction, Kind::OptOut, Kind::Unreadable];
}
/// `messages.gone`
pub(crate) const RETRACTED: i64 = 1;
pub(crate) const MODERATED: i64 = 2;

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Row {
    pub n: i64,
    pub chat: i64,
    pub author: String,
    pub nick: Option<String>,
    pub id: String,
    pub stanza: Option<String>,
    pub digest: i64,
    pub kind: Kind,
    pub text: String,
    pub corrected: Option<String>,
    pub refers: Option<String>,
    pub refers_author: Option<String>,
    pub reason: Option<String>,
    pub state: Option<i64>,
    pub device: Option<String>,
    pub trust: Option<i64>,
    pub in_clear: bool,
    pub told: Option<String>,
    pub gone: Option<i64>,
    pub target: Option<i64>,
    pub loose: bool,
    pub unread: bool,
}
/// In the order of [`Row::read`].
pub(crate) const COLUMNS: &str = "n, chat, author, nick, id, stanza, digest, kind, text, corrected, refers, refers_author, reason, state, device, trust, in_clear, told, gone, target, loose, unread";

impl Row {
    pub fn read(row: &rusqlite::Row<'_>) -> rusqlite::Result<Row> {
        let kind: i64 = row.get(7)?;
        Ok(Row {
            n: row.get(0)?,
            chat: row.get(1)?,
            author: row.get(2)?,
            nick: row.get(3)?,
            id: row.get(4)?,
            stanza: row.get(5)?,
            digest: row.get(6)?,
            kind: Kind::ALL.into_iter().find(|k| *k as i64 == kind).ok_or(rusqlite::Error::IntegralValueOutOfRange(7, kind))?,
            text: row.get(8)?,
            corrected: row.get(9)?,
            refers: row.get(10)?,
            refers_author: row.get(11)?,
            reason: row.get(12)?,
            state: row.get(13)?,
            device: row.get(14)?,
            trust: row.get(15)?,
            in_clear: row.get(16)?,
            told: row.get(17)?,
            gone: row.get(18)?,
            target: row.get(19)?,
            loose: row.get(20)?,
            unread: row.get(21)?,
        })
    }
    /// What the entry would be; `None`: it is no row of its own.
    pub fn of(entry: &Entry, chat: i64, own: bool, told: Option<&str>) -> Option<Row> {
        let (mut refers, mut refers_author, mut reason) = (None, None, None);
        let (kind, text) = match &entry.body {
            Body::Said(Content::Text(text)) => (Kind::Text, text.as_str()),
            Body::Said(Content::Reply { of, author, text, .. }) => {
                refers = Some(of.as_str().to_owned());
                refers_author = author.as_ref().map(|a| a.as_str().to_owned());
                (Kind::Reply, text.as_str())
            }
            Body::Said(Content::Correction { of, text }) => {
                refers = Some(of.as_str().to_owned());
                (Kind::Correction, text.as_str())
            }
            Body::Said(Content::OptOut { reason }) => (Kind::OptOut, reason.as_str()),
            Body::Said(_) => return None,
            Body::Unreadable(why) => {
                reason = Some(why.code().to_owned());
                (Kind::Unreadable, "")
            }
            Body::Retracted => (Kind::Text, ""),
        };
        let state = own.then(|| match entry.state {
            State::Queued => 0,
            State::Sent => 1,
            State::Failed(why) => {
                reason = Some(why.code().to_owned());
                2
            }
        });
        let mut row = Row {
            n: 0,
            chat,
            author: entry.from.as_str().to_owned(),
            nick: entry.nick.clone(),
            id: entry.id.as_str().to_owned(),
            stanza: entry.stanza_id.clone(),
            digest: 0,
            kind,
            text: text.to_owned(),
            corrected: None,
            refers,
            refers_author,
            reason,
            state,
            device: entry.by.as_ref().map(|by| device_text(&by.device)),
            trust: entry.by.as_ref().map(|by| trust_code(by.trust)),
            in_clear: entry.in_clear,
            told: told.map(str::to_owned),
            gone: (entry.body == Body::Retracted).then_some(RETRACTED),
            target: None,
            loose: entry.beside,
            unread: !own && told.is_none(),
        };
        row.digest = row.says();
        Some(row)
    }
    /// What was said first, in short: with author and id it makes the message. 0 where nothing could be read.
    pub fn says(&self) -> i64 {
        if self.kind == Kind::Unreadable {
            return 0;
        }
        let part = |part: &str| (part.len() as u64).to_le_bytes();
        let refers = self.refers.as_deref().unwrap_or_default();
        let mut all = Sha256::new();
        // of one's own only its way out says that
        all.update([self.kind as u8, (self.in_clear && self.state.is_none()).into()]);
        all.update(part(&self.text));
        all.update(&self.text);
        all.update(refers);
        all.finalize().first_chunk().map_or(0, |eight| i64::from_le_bytes(*eight))
    }
    /// What search finds it by.
    pub fn words(&self) -> Option<&str> {
        let shown = self.target.is_none() && self.gone.is_none() && self.kind != Kind::Unreadable;
        shown.then(|| self.corrected.as_deref().unwrap_or(&self.text)).filter(|text| !text.is_empty())
    }
    /// What there is to show, the latest correction in.
    pub fn body(&self) -> Body {
        if self.gone.is_some() {
            return Body::Retracted;
        }
        let text = || self.corrected.clone().unwrap_or_else(|| self.text.clone());
        let of = || MessageId::from(self.refers.as_deref().unwrap_or_default());
        Body::Said(match self.kind {
            Kind::Text => Content::Text(text()),
            Kind::Reply => Content::Reply { of: of(), author: self.refers_author.as_deref().map(Address::from), text: text(), quote: String::new() },
            Kind::Correction => Content::Correction { of: of(), text: text() },
            Kind::OptOut => Content::OptOut { reason: text() },
            Kind::Unreadable => return Body::Unreadable(self.why()),
        })
    }
    pub fn state(&self) -> Option<State> {
        Some(match self.state? {
            0 => State::Queued,
            1 => State::Sent,
            _ => State::Failed(self.why()),
        })
    }
    fn why(&self) -> Reason {
        // one that a newer Subrosa wrote is told in general words
        self.reason.as_deref().and_then(Reason::from_code).unwrap_or(Reason::Engine)
    }
    /// What may be changed by it, and by what it may be changed.
    pub fn word(&self, me: &str) -> Word {
        Word::of(self.author == me, self.in_clear, self.trust, self.told.is_some())
    }
    pub fn by(&self) -> Option<SentBy> {
        Some(SentBy { device: device_of(self.device.as_deref()?)?, trust: trust_of(self.trust)? })
    }
}

impl History {
    pub(crate) fn row(&self, n: i64) -> Result<Option<Row>, HistoryError> {
        let mut find = self.db.prepare_cached(&format!("SELECT {COLUMNS} FROM messages WHERE n = ?1"))?;
        Ok(find.query_row([n], Row::read).optional()?)
    }
    /// Those for which `filter` holds.
    pub(crate) fn rows(&self, filter: &str, with: impl rusqlite::Params) -> Result<Vec<Row>, HistoryError> {
        self.rows_by(&format!("SELECT {COLUMNS} FROM messages WHERE {filter}"), with)
    }
    fn rows_by(&self, sql: &str, with: impl rusqlite::Params) -> Result<Vec<Row>, HistoryError> {
        let mut find = self.db.prepare_cached(sql)?;
        let rows = find.query_map(with, Row::read)?;
        Ok(rows.collect::<Result<_, _>>()?)
    }
    /// Those that one of the filters finds, one filter after the other. Each seeks by itself: a list behind IN would be a table of its own.
    pub(crate) fn rows_by_each(&self, filters: &[&str], with: impl rusqlite::Params) -> Result<Vec<Row>, HistoryError> {
        let mut sql = String::with_capacity(1024);
        for filter in filters {
            let and = if sql.is_empty() { "" } else { " UNION ALL " };
            sql.extend([and, "SELECT ", COLUMNS, " FROM messages WHERE ", filter]);
        }
        self.rows_by(&(sql + " LIMIT 64"), with)
    }
    /// Stores it under `row.n`, if that is free; what search finds is told apart.
    pub(crate) fn insert(&self, row: &Row) -> Result<bool, HistoryError> {
        let mut put = self.db.prepare_cached(&format!(
            "INSERT INTO messages ({COLUMNS}) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22)
             ON CONFLICT (n) DO NOTHING"
        ))?;
        let stored = put.execute(rusqlite::params![
            row.n,
            row.chat,
            row.author,
            row.nick,
            row.id,
            row.stanza,
            row.digest,
            row.kind as i64,
            row.text,
            row.corrected,
            row.refers,
            row.refers_author,
            row.reason,
            row.state,
            row.device,
            row.trust,
            row.in_clear,
            row.told,
            row.gone,
            row.target,
            row.loose,
            row.unread,
        ])?;
        Ok(stored > 0)
    }
    /// The first free place of this time, behind all of it.
    pub(crate) fn free_place(&self, time: Time) -> Result<i64, HistoryError> {
        let mut last = self.db.prepare_cached("SELECT n FROM messages WHERE n BETWEEN ?1 AND ?2 ORDER BY n DESC LIMIT 1")?;
        let mut time = time;
        loop {
            let (first, end) = (Place::at(time).n(), Place::end_of(time).n());
            match last.query_row([first, end], |row| row.get::<_, i64>(0)).optional()? {
                None => return Ok(first),
                Some(n) if n < end => return Ok(n.saturating_add(1)),
                Some(_) => time = Time(time.0.saturating_add(1)), // a million in one millisecond
            }
            if time.0 > LAST {
                return Err(HistoryError::damaged("there is no place left at the end of time"));
            }
        }
    }
}

/// Whose word something is: what changes a message has to be worth as much as the message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Word {
    encrypted: bool,
    /// It came itself; no other device told it.
    came: bool,
    /// As [`trust_code`].
    worth: i64,
}
impl Word {
    /// What names no device is by this account's own devices as they are, and of others by a key that nobody decided about.
    pub fn of(own: bool, in_clear: bool, trust: Option<i64>, told: bool) -> Word {
        let unknown = trust_code(if own { Trust::Verified } else { Trust::Undecided });
        Word { encrypted: !in_clear, came: !told, worth: if in_clear { 0 } else { trust.unwrap_or(unknown) } }
    }
    pub fn may_change(self, other: Word) -> bool {
        self.encrypted >= other.encrypted && self.came >= other.came && self.worth >= other.worth
    }
    /// Encrypted, by a device whose key is trusted.
    pub fn is_sure(self) -> bool {
        self.encrypted && self.came && self.worth >= trust_code(Trust::Trusted)
    }
}

pub(crate) fn device_text(device: &DeviceId) -> String {
    match device {
        DeviceId::Number(n) => format!("#{n}"),
        DeviceId::Name(name) => format!("@{name}"),
    }
}
pub(crate) fn device_of(text: &str) -> Option<DeviceId> {
    match text.split_at_checked(1)? {
        ("#", n) => n.parse().ok().map(DeviceId::Number),
        ("@", name) => Some(DeviceId::Name(name.into())),
        _ => None,
    }
}
pub(crate) fn trust_of(code: Option<i64>) -> Option<Trust> {
    Trust::ALL.into_iter().find(|trust| Some(trust_code(*trust)) == code)
}
pub(crate) fn trust_code(trust: Trust) -> i64 {
    match trust {
        Trust::Untrusted => 0,
        Trust::Undecided => 1,
        Trust::Trusted => 2,
        Trust::Verified => 3,
    }
}
