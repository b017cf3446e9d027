//! Words: an index over what is shown, kept with every change of it. FTS5; words in either case, with or without accents (é finds e),
//! by how they begin; what has no spaces between words, Korean, and emojis by any part ([`crate::words`]).
use crate::error::HistoryError;
use crate::open::History;
use crate::read::Message;
use crate::row::{Kind, Row};
use crate::words::{indexed, phrase};
use rusqlite::Connection;
use std::borrow::Cow;
use subrosa_engine::ChatId;

/// More are not looked for.
const WORDS: usize = 16;

impl History {
    /// Messages in which every one of these words begins a word (a single letter is one), the newest first: in one chat, or in all. Emojis,
    /// and words of Chinese, Japanese, Korean, Thai and their like, may stand anywhere. Corrected ones by what they say now, retracted ones
    /// not. Whatever stands in `text` is words.
    ///
    /// # Errors
    /// What the disk says.
    pub fn search(&self, text: &str, chat: Option<&ChatId>, limit: usize) -> Result<Vec<Message>, HistoryError> {
        let words: Vec<String> = text.split(|c: char| c.is_whitespace() || c == '\0').filter_map(phrase).take(WORDS).collect();
        if words.is_empty() {
            return Ok(Vec::new());
        }
        let words = words.join(" AND ");
        let query = match chat {
            None => format!("{{text}} : ({words})"),
            Some(chat) => match self.chat(&chat.0)? {
                None => return Ok(Vec::new()),
                Some(chat) => format!("{{chat}} : \"{}\" AND {{text}} : ({words})", token(chat.id)),
            },
        };
        let mut find = self.db.prepare_cached("SELECT rowid FROM words WHERE words MATCH ?1 ORDER BY rowid DESC LIMIT ?2")?;
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let places: Vec<i64> = find.query_map((query, limit), |row| row.get(0))?.collect::<Result<_, _>>()?;
        let mut rows = Vec::with_capacity(places.len());
        for n in places {
            rows.extend(self.row(n)?);
        }
        self.shown(rows)
    }
    pub(crate) fn index(&self, row: &Row) -> Result<(), HistoryError> {
        if let Some(words) = row.words() {
            self.db.prepare_cached(INDEX)?.execute((row.n, token(row.chat), indexed(words)))?;
        }
        Ok(())
    }
    /// `row` as it was indexed.
    pub(crate) fn unindex(&self, row: &Row) -> Result<(), HistoryError> {
        if let Some(words) = row.words() {
            self.db.prepare_cached(UNINDEX)?.execute((row.n, token(row.chat), indexed(words)))?;
        }
        Ok(())
    }
}

const INDEX: &str = "INSERT INTO words (rowid, chat, text) VALUES (?1, ?2, ?3)";
const UNINDEX: &str = "INSERT INTO words (words, rowid, chat, text) VALUES ('delete', ?1, ?2, ?3)";

/// To the second form, in which runs are pairs: what has any is taken out of the index and put in again.
pub(crate) fn pair_runs(db: &Connection) -> rusqlite::Result<()> {
    let mut all = db.prepare(&format!(
        "SELECT n, chat, coalesce(corrected, text) FROM messages WHERE target IS NULL AND gone IS NULL AND kind <> {}",
        Kind::Unreadable as i64
    ))?;
    let (mut unindex, mut index) = (db.prepare(UNINDEX)?, db.prepare(INDEX)?);
    let mut rows = all.query([])?;
    while let Some(row) = rows.next()? {
        let (n, chat, words): (i64, i64, String) = (row.get(0)?, row.get(1)?, row.get(2)?);
        if let Cow::Owned(pairs) = indexed(&words) {
            unindex.execute((n, token(chat), &words))?;
            index.execute((n, token(chat), pairs))?;
        }
    }
    Ok(())
}

/// The word that stands for a chat.
fn token(chat: i64) -> String {
    format!("c{chat}")
}
