//! Words: an index over what is shown, kept with every change of it. FTS5; words of any script, in either case, with or without
//! marks (é finds e). What has no spaces between words is found by how it begins.
use crate::error::HistoryError;
use crate::open::History;
use crate::read::Message;
use crate::row::Row;
use subrosa_engine::ChatId;

/// More are not looked for.
const WORDS: usize = 16;
/// Longer ones are cut: nothing is found by them anyhow.
const WORD: usize = 64;

impl History {
    /// Messages in which every one of these words begins a word (a single letter is one), the newest first: in one chat, or in all. Corrected ones by
    /// what they say now, retracted ones not. Whatever stands in `text` is words.
    ///
    /// # Errors
    /// What the disk says.
    pub fn search(&self, text: &str, chat: Option<&ChatId>, limit: usize) -> Result<Vec<Message>, HistoryError> {
        let words: Vec<String> = text.split(|c: char| c.is_whitespace() || c == '\0').filter_map(quoted).take(WORDS).collect();
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
            self.db.prepare_cached("INSERT INTO words (rowid, chat, text) VALUES (?1, ?2, ?3)")?.execute((row.n, token(row.chat), words))?;
        }
        Ok(())
    }
    /// `row` as it was indexed.
    pub(crate) fn unindex(&self, row: &Row) -> Result<(), HistoryError> {
        if let Some(words) = row.words() {
            let mut delete = self.db.prepare_cached("INSERT INTO words (words, rowid, chat, text) VALUES ('delete', ?1, ?2, ?3)")?;
            delete.execute((row.n, token(row.chat), words))?;
        }
        Ok(())
    }
}

/// The word that stands for a chat.
fn token(chat: i64) -> String {
    format!("c{chat}")
}
/// As a string of FTS5, of which nothing is syntax: what is in it is taken apart as messages are.
fn quoted(word: &str) -> Option<String> {
    let end = word.char_indices().nth(WORD).map_or(word.len(), |(at, _)| at);
    let word = word.get(..end).filter(|word| word.chars().any(char::is_alphanumeric))?;
    // everything that begins with one letter is too much to be an answer, and to be looked for
    let begins = if word.len() > 1 { "*" } else { "" };
    Some(format!("\"{}\"{begins}", word.replace('"', "\"\"")))
}
