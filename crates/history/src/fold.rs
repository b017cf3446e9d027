//! What messages do to others: corrections, retractions, reactions, marks. Everything about a message is looked at together
//! ([`History::settle`]) whenever a part of it comes, so that the order of arrival does not matter.
use crate::add::InChat;
use crate::entry::{Body, Entry};
use crate::error::HistoryError;
use crate::open::History;
use crate::row::{Kind, MODERATED, Place, RETRACTED, Row, Word, trust_code};
use rusqlite::OptionalExtension;
use subrosa_engine::{Address, ChatId, Content, Time};

/// Of what one author said about messages that are not here, so many wait; the oldest goes first.
const WAITING: i64 = 256;
/// Longer reactions are cut.
const EMOJIS: usize = 32;
const EMOJI: usize = 128;
/// Corrections of corrections are followed so far.
const CHAIN: usize = 256;
/// Corrections that stand for themselves, by what they name and their author.
const CORRECTIONS: &str = "chat = ?1 AND refers = ?2 AND author = ?3 AND kind = 2 AND target IS NULL LIMIT 256";
/// Whether anything was said about a message of this id or `stanza-id`, by whomever: of nearly all that come there was not.
const SPOKEN_OF: &str =
    "SELECT EXISTS (SELECT 1 FROM folds WHERE chat = ?1 AND refers = ?2) OR EXISTS (SELECT 1 FROM folds WHERE chat = ?1 AND refers = ?3)
    OR EXISTS (SELECT 1 FROM messages WHERE chat = ?1 AND refers = ?2 AND kind = 2 AND target IS NULL)
    OR EXISTS (SELECT 1 FROM messages WHERE chat = ?1 AND refers = ?3 AND kind = 2 AND target IS NULL)";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FoldKind {
    Reaction = 0,
    Retraction = 1,
    Delivered = 2,
    Displayed = 3,
    Moderation = 4,
}
impl FoldKind {
    pub const ALL: [FoldKind; 5] = [FoldKind::Reaction, FoldKind::Retraction, FoldKind::Delivered, FoldKind::Displayed, FoldKind::Moderation];
}
/// What somebody said about a message. One of each kind from each author: the latest reaction, the first of the others.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Fold {
    pub of: String,
    pub kind: FoldKind,
    pub author: String,
    pub time: Time,
    /// Emojis, each ended by NUL; of a moderation its reason.
    pub data: String,
    pub in_clear: bool,
    pub told: Option<String>,
    pub trust: Option<i64>,
}
/// What became of it.
pub(crate) enum Folding {
    /// It changed these.
    Applied(Vec<Place>),
    /// Its message is not here.
    Waits,
    /// Nothing to do.
    Idle,
}

impl Fold {
    /// `None`: the entry is a row of its own.
    pub fn of(entry: &Entry, told: Option<&str>) -> Option<Fold> {
        let Body::Said(content) = &entry.body else { return None };
        let mut data = String::new();
        let kind = match content {
            Content::Reaction { emojis, .. } => {
                let fine = |emoji: &&String| !emoji.is_empty() && emoji.len() <= EMOJI && !emoji.contains('\0');
                for emoji in emojis.iter().filter(fine).take(EMOJIS) {
                    data.extend([emoji, "\0"]);
                }
                FoldKind::Reaction
            }
            Content::Retraction { .. } => FoldKind::Retraction,
            Content::Delivered { .. } => FoldKind::Delivered,
            Content::Displayed { .. } => FoldKind::Displayed,
            _ => return None,
        };
        let time = Time(Place::at(entry.time.min(entry.arrived)).time().0);
        let author = entry.from.as_str().to_owned();
        let told = told.map(str::to_owned);
        // nothing is said beside it: of what stood there all is in clear
        let in_clear = entry.in_clear || entry.beside;
        let trust = entry.by.as_ref().map(|by| trust_code(by.trust));
        Some(Fold { of: content.of()?.as_str().to_owned(), kind, author, time, data, in_clear, told, trust })
    }
    pub fn read(row: &rusqlite::Row<'_>) -> rusqlite::Result<Fold> {
        let kind: i64 = row.get(1)?;
        Ok(Fold {
            of: row.get(0)?,
            kind: FoldKind::ALL.into_iter().find(|k| *k as i64 == kind).ok_or(rusqlite::Error::IntegralValueOutOfRange(1, kind))?,
            author: row.get(2)?,
            time: Place::at(Time(u64::try_from(row.get::<_, i64>(3)?).unwrap_or(0))).time(),
            data: row.get(4)?,
            in_clear: row.get(5)?,
            told: row.get(6)?,
            trust: row.get(7)?,
        })
    }
    pub fn word(&self, me: &str) -> Word {
        Word::of(self.author == me, self.in_clear, self.trust, self.told.is_some())
    }
    /// Whether it stands instead of what the same author said of the same.
    fn is_instead_of(&self, old: &Fold, me: &str) -> bool {
        let (new, known) = (self.word(me), old.word(me));
        if new != known {
            return new > known;
        }
        match self.kind {
            FoldKind::Reaction => self.time > old.time || self.time == old.time && self.data != old.data,
            _ => self.time < old.time,
        }
    }
    pub fn millis(&self) -> i64 {
        i64::try_from(self.time.0).unwrap_or(i64::MAX)
    }
    /// Whether it is about this row: rooms name messages by the room's id, others by the author's; and who may say it.
    pub fn is_about(&self, chat: &InChat, row: &Row, me: &str) -> bool {
        let by_stanza = row.stanza.as_deref() == Some(&self.of);
        let by_id = row.id == self.of && !row.id.is_empty();
        let (by_author, own) = (row.author == self.author && !chat.is_nobody(&row.author), row.author == me);
        match self.kind {
            FoldKind::Moderation => by_stanza,
            // a correction goes with its message, also where that is not here
            FoldKind::Retraction if row.kind == Kind::Correction && !row.loose => by_author && row.refers.as_deref() == Some(&self.of),
            FoldKind::Retraction => by_author && (by_id || by_stanza),
            FoldKind::Reaction if chat.room => by_stanza || by_author && by_id,
            FoldKind::Reaction => by_id,
            FoldKind::Delivered => own && self.author != me && (by_id || by_stanza),
            FoldKind::Displayed if self.author == me => by_stanza || by_id && !own && !chat.room,
            FoldKind::Displayed => own && by_id || chat.room && by_stanza,
        }
    }
}
/// In the order of [`Fold::read`].
pub(crate) const FOLD: &str = "refers, kind, author, time, data, in_clear, told, trust";

impl History {
    /// The room took a message away (XEP-0425), whoever wrote it: the transport checked that it is the room that says so. `by`: who did
    /// it. Its words are not shown and not found any more.
    ///
    /// # Errors
    /// Nothing was stored.
    pub fn moderate(&mut self, chat: &ChatId, stanza_id: &str, by: &Address, reason: &str, time: Time) -> Result<Option<Place>, HistoryError> {
        self.transaction(|history| {
            let chat = history.chat_for(&chat.0, true, false)?;
            if !chat.room {
                return Ok(None);
            }
            let fold = Fold {
                of: stanza_id.to_owned(),
                kind: FoldKind::Moderation,
                author: by.as_str().to_owned(),
                time: Place::at(time).time(),
                data: reason.to_owned(),
                in_clear: true,
                told: None,
                trust: None,
            };
            Ok(match history.fold(&chat, &fold)? {
                Folding::Applied(places) => places.first().copied(),
                _ => None,
            })
        })
    }

    /// Keeps what was said about a message, and applies it where that is here.
    pub(crate) fn fold(&mut self, chat: &InChat, fold: &Fold) -> Result<Folding, HistoryError> {
        let me = self.me().as_str().to_owned();
        // a receipt of one's own says nothing here; nobody knows whose reaction or mark it is that has no address
        if fold.of.is_empty() || fold.kind == FoldKind::Delivered && fold.author == me {
            return Ok(Folding::Idle);
        }
        if chat.is_nobody(&fold.author) && fold.kind != FoldKind::Moderation {
            return Ok(Folding::Idle);
        }
        // others' messages of that id are none of its business, however many they made
        let named = "(chat = ?1 AND id = ?2 OR chat = ?1 AND stanza = ?2) AND (stanza = ?2 OR author IN (?3, ?4) OR NOT ?5) LIMIT 64";
        let mut rows = self.rows(named, (chat.id, &fold.of, &fold.author, &me, chat.room))?;
        if fold.kind == FoldKind::Retraction {
            rows.extend(self.rows(CORRECTIONS, (chat.id, &fold.of, &fold.author))?);
        }
        let about: Vec<&Row> = rows.iter().filter(|row| fold.is_about(chat, row, &me)).collect();
        let waits = about.is_empty();
        if waits {
            self.make_room(chat, fold)?;
        }
        let changed = self.keep_fold(chat.id, fold, waits, &me)?;
        if waits {
            return Ok(Folding::Waits);
        }
        if !changed {
            return Ok(Folding::Idle);
        }
        let mut places = Vec::with_capacity(about.len());
        for row in about {
            self.settle(chat, row.n, false)?;
            if let Some(target) = row.target {
                self.settle(chat, target, true)?;
            }
            places.push(Place::from_n(row.target.unwrap_or(row.n)));
        }
        Ok(Folding::Applied(places))
    }
    /// Stores it, unless its author said something there that counts for more; whether it did.
    fn keep_fold(&self, chat: i64, fold: &Fold, waits: bool, me: &str) -> Result<bool, HistoryError> {
        let mut put = self.db.prepare_cached(&format!(
            "INSERT INTO folds (chat, {FOLD}, waits) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10) ON CONFLICT (chat, refers, kind, author) DO NOTHING"
        ))?;
        let (kind, millis) = (fold.kind as i64, fold.millis());
        let with = rusqlite::params![chat, fold.of, kind, fold.author, millis, fold.data, fold.in_clear, fold.told, fold.trust, waits];
        if put.execute(with)? > 0 {
            return Ok(true);
        }
        let named = "chat = ?1 AND refers = ?2 AND kind = ?3 AND author = ?4";
        let mut find = self.db.prepare_cached(&format!("SELECT {FOLD} FROM folds WHERE {named}"))?;
        let known = find.query_row((chat, &fold.of, kind, &fold.author), Fold::read)?;
        if !fold.is_instead_of(&known, me) {
            return Ok(false);
        }
        let mut set =
            self.db.prepare_cached(&format!("UPDATE folds SET time = ?5, data = ?6, in_clear = ?7, told = ?8, trust = ?9 WHERE {named}"))?;
        set.execute(rusqlite::params![chat, fold.of, kind, fold.author, millis, fold.data, fold.in_clear, fold.told, fold.trust])?;
        Ok(true)
    }
    /// Before one more waits.
    fn make_room(&self, chat: &InChat, fold: &Fold) -> Result<(), HistoryError> {
        let count = "SELECT count(*) FROM folds INDEXED BY waiting WHERE chat = ?1 AND author = ?2 AND waits";
        let waiting: i64 = self.db.prepare_cached(count)?.query_row((chat.id, &fold.author), |row| row.get(0))?;
        if waiting >= WAITING {
            let oldest = "SELECT refers, kind FROM folds INDEXED BY waiting WHERE chat = ?1 AND author = ?2 AND waits ORDER BY time LIMIT 1";
            let (of, kind): (String, i64) =
                self.db.prepare_cached(oldest)?.query_row((chat.id, &fold.author), |row| Ok((row.get(0)?, row.get(1)?)))?;
            self.drop_fold(chat.id, &of, kind, &fold.author)?;
        }
        Ok(())
    }
    fn drop_fold(&self, chat: i64, of: &str, kind: i64, author: &str) -> Result<(), HistoryError> {
        let mut delete = self.db.prepare_cached("DELETE FROM folds WHERE chat = ?1 AND refers = ?2 AND kind = ?3 AND author = ?4")?;
        delete.execute((chat, of, kind, author))?;
        Ok(())
    }

    /// After a row came or got its `stanza-id`: looks at everything said about it. A correction goes behind its message, where that is here.
    pub(crate) fn settle_new(&mut self, chat: &InChat, row: &Row) -> Result<Folding, HistoryError> {
        if row.target.is_none() && row.kind != Kind::Correction {
            let spoken_of: bool = self.db.prepare_cached(SPOKEN_OF)?.query_row((chat.id, &row.id, &row.stanza), |row| row.get(0))?;
            if !spoken_of {
                return Ok(Folding::Idle);
            }
        }
        let target = match (row.target, &row.refers) {
            (Some(target), _) => self.row(target)?,
            (None, Some(of)) if row.kind == Kind::Correction => self.corrected_by(chat, row, of)?,
            _ => None,
        };
        if let Some(target) = target {
            self.put_behind(row, &target)?;
            self.settle(chat, row.n, false)?;
            self.absorb(chat, &target, names(row))?;
            self.settle(chat, target.n, true)?;
            return Ok(Folding::Applied(vec![Place::from_n(target.n)]));
        }
        let corrected = self.absorb(chat, row, names(row))?;
        let changed = self.settle_row(chat, row.clone(), corrected)?;
        Ok(match row.kind {
            Kind::Correction => Folding::Waits,
            _ if changed => Folding::Applied(vec![Place::from_n(row.n)]),
            _ => Folding::Idle,
        })
    }
    /// The message that a correction is of, also where it names an earlier correction of it.
    fn corrected_by(&self, chat: &InChat, correction: &Row, of: &str) -> Result<Option<Row>, HistoryError> {
        for row in self.rows("(chat = ?1 AND id = ?2 OR chat = ?1 AND stanza = ?2) AND author = ?3 LIMIT 64", (chat.id, of, &correction.author))? {
            let first = match row.target {
                Some(target) => self.row(target)?,
                None => Some(row),
            };
            if let Some(first) = first.filter(|first| first.n != correction.n && self.may_correct(chat, first, correction)) {
                return Ok(Some(first));
            }
        }
        Ok(None)
    }
    /// By its author, of a device that is worth no less than the message's; and nothing that was said in clear over what was encrypted.
    fn may_correct(&self, chat: &InChat, row: &Row, correction: &Row) -> bool {
        let words = matches!(row.kind, Kind::Text | Kind::Reply | Kind::Correction);
        let by_author = row.author == correction.author && !chat.is_nobody(&row.author);
        let me = self.me().as_str();
        words && by_author && (!correction.loose || row.in_clear) && correction.word(me).may_change(row.word(me))
    }
    /// Corrections that name one of `names` and stood for themselves stand behind this message from now on; whether there were any.
    fn absorb(&mut self, chat: &InChat, row: &Row, mut names: Vec<String>) -> Result<bool, HistoryError> {
        let (mut any, mut followed) = (false, 0usize);
        while let Some(name) = names.pop().filter(|_| followed < CHAIN) {
            followed = followed.saturating_add(1);
            for correction in self.rows(CORRECTIONS, (chat.id, &name, &row.author))? {
                if correction.n != row.n && self.may_correct(chat, row, &correction) {
                    self.put_behind(&correction, row)?;
                    names.extend(self::names(&correction));
                    any = true;
                }
            }
        }
        Ok(any)
    }
    fn put_behind(&self, correction: &Row, row: &Row) -> Result<(), HistoryError> {
        self.unindex(correction)?;
        // and what was behind it
        self.db.prepare_cached("UPDATE messages SET target = ?2 WHERE n = ?1 OR target = ?1")?.execute((correction.n, row.n))?;
        Ok(())
    }
    /// Applies everything that is known about the message; whether there was anything. `corrected`: corrections came.
    fn settle(&mut self, chat: &InChat, n: i64, corrected: bool) -> Result<bool, HistoryError> {
        let Some(before) = self.row(n)? else { return Ok(false) };
        self.settle_row(chat, before, corrected)
    }
    /// The same, of a row as it is.
    fn settle_row(&mut self, chat: &InChat, before: Row, corrected: bool) -> Result<bool, HistoryError> {
        let n = before.n;
        let me = self.me().as_str().to_owned();
        let mut row = before.clone();
        let folds: Vec<Fold> = self.folds(chat.id, &row)?.into_iter().filter(|fold| fold.is_about(chat, &before, &me)).collect();
        for fold in &folds {
            match fold.kind {
                FoldKind::Retraction if fold.word(&me).may_change(before.word(&me)) => row.gone = Some(RETRACTED),
                FoldKind::Moderation if row.gone.is_none() && (fold.told.is_none() || row.told.is_some()) => row.gone = Some(MODERATED),
                FoldKind::Displayed => self.displayed(chat, fold, row.n)?,
                _ => {}
            }
        }
        self.no_longer_waiting(chat.id, &folds)?;
        if corrected {
            let latest = "SELECT text FROM messages WHERE target = ?1 AND gone IS NULL ORDER BY n DESC LIMIT 1";
            row.corrected = self.db.prepare_cached(latest)?.query_row([n], |row| row.get(0)).optional()?;
        }
        if row.gone == Some(RETRACTED) {
            // nothing of it is kept: that is what was asked for
            row.text.clear();
            row.corrected = None;
            self.db.prepare_cached("UPDATE messages SET text = '' WHERE target = ?1 AND text <> ''")?.execute([n])?;
        }
        if row != before {
            self.unindex(&before)?;
            let mut set = self.db.prepare_cached("UPDATE messages SET text = ?2, corrected = ?3, gone = ?4 WHERE n = ?1")?;
            set.execute((n, &row.text, &row.corrected, row.gone))?;
            self.index(&row)?;
        }
        Ok(corrected || !folds.is_empty())
    }
    /// All that was said under one of its names, by whomever.
    pub(crate) fn folds(&self, chat: i64, row: &Row) -> Result<Vec<Fold>, HistoryError> {
        let mut find = self.db.prepare_cached(&format!(
            "SELECT {FOLD} FROM folds WHERE chat = ?1 AND refers = ?2
             UNION ALL SELECT {FOLD} FROM folds WHERE chat = ?1 AND refers = ?3 AND ?3 <> ?2 LIMIT 10000"
        ))?;
        let folds = find.query_map((chat, &row.id, &row.stanza), Fold::read)?;
        let mut folds: Vec<Fold> = folds.collect::<Result<_, _>>()?;
        folds.sort_by_key(|fold| fold.time.0);
        Ok(folds)
    }
    fn no_longer_waiting(&self, chat: i64, folds: &[Fold]) -> Result<(), HistoryError> {
        for fold in folds {
            if fold.kind == FoldKind::Displayed {
                self.drop_fold(chat, &fold.of, fold.kind as i64, &fold.author)?; // it is a position now
                continue;
            }
            let mut set =
                self.db.prepare_cached("UPDATE folds SET waits = 0 WHERE chat = ?1 AND refers = ?2 AND kind = ?3 AND author = ?4 AND waits")?;
            set.execute((chat, &fold.of, fold.kind as i64, &fold.author))?;
        }
        Ok(())
    }
}

fn names(row: &Row) -> Vec<String> {
    [Some(row.id.clone()), row.stanza.clone()].into_iter().flatten().filter(|id| !id.is_empty()).collect()
}
#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::Entry;

    #[test]
    fn of_what_was_retracted_no_word_is_on_disk() {
        let directory = tempfile::tempdir().unwrap();
        let (me, bob) = ("alice@example.org".into(), "bob@example.org".into());
        let mut history = History::open(directory.path().join("history.db"), &[7; 32], &me).unwrap();
        let say = |id: &str, content, time| Entry::new(&bob, &bob, id, content, Time(time));
        let correction = |text: &str| Content::Correction { of: "m1".into(), text: text.into() };
        history.add(&say("m1", Content::Text("secret".into()), 1)).unwrap();
        history.add(&say("m2", correction("secret too"), 2)).unwrap();
        history.add(&say("m3", Content::Retraction { of: "m1".into() }, 3)).unwrap();
        history.add(&say("m4", correction("secret as well"), 4)).unwrap();
        let left = "SELECT count(*) FROM messages WHERE text LIKE '%secret%' OR corrected LIKE '%secret%'";
        assert_eq!(history.db.query_row(left, [], |row| row.get::<_, i64>(0)).unwrap(), 0);
    }
}
