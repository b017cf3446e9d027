//! How far was read: here, and by others.
use crate::add::InChat;
use crate::error::HistoryError;
use crate::fold::Fold;
use crate::open::History;
use crate::row::Place;
use subrosa_engine::{Address, ChatId, Time};

/// Somebody has read up to a row.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Position {
    pub who: Address,
    pub n: i64,
    pub time: Time,
    pub sure: bool,
}

impl History {
    /// Everything up to this place was read here. It never goes back. (What one's other devices say comes by [`History::add`], as
    /// [`subrosa_engine::Content::Displayed`] by oneself.)
    ///
    /// # Errors
    /// Nothing was stored.
    pub fn read_up_to(&mut self, chat: &ChatId, place: Place) -> Result<(), HistoryError> {
        self.read_between(chat, Place(0), place)
    }
    /// The same, where it is known from where on it was on a screen: what came late and stands before that stays unread.
    ///
    /// # Errors
    /// Nothing was stored.
    pub fn read_between(&mut self, chat: &ChatId, first: Place, last: Place) -> Result<(), HistoryError> {
        self.transaction(|history| {
            let Some(chat) = history.chat(&chat.0)? else { return Ok(()) };
            history.move_read(chat.id, last.n())?;
            history.seen(chat.id, first.n(), last.n())
        })
    }
    /// Another device has read up to there. What stands before the place that was read already may have come since: it is left alone.
    pub(crate) fn set_read(&self, chat: i64, n: i64) -> Result<(), HistoryError> {
        if self.move_read(chat, n)? { self.seen(chat, 0, n) } else { Ok(()) }
    }
    fn move_read(&self, chat: i64, n: i64) -> Result<bool, HistoryError> {
        Ok(self.db.prepare_cached("UPDATE chats SET read = ?2 WHERE id = ?1 AND read < ?2")?.execute((chat, n))? > 0)
    }
    /// Up to where it was read here.
    pub(crate) fn read_of(&self, chat: i64) -> Result<i64, HistoryError> {
        Ok(self.db.prepare_cached("SELECT read FROM chats WHERE id = ?1")?.query_row([chat], |row| row.get(0))?)
    }
    fn seen(&self, chat: i64, first: i64, last: i64) -> Result<(), HistoryError> {
        self.db.prepare_cached("UPDATE messages SET unread = 0 WHERE chat = ?1 AND unread AND n BETWEEN ?2 AND ?3")?.execute((chat, first, last))?;
        Ok(())
    }
    /// Its author has read up to this row.
    pub(crate) fn displayed(&self, chat: &InChat, fold: &Fold, n: i64) -> Result<(), HistoryError> {
        let word = fold.word(self.me().as_str());
        if fold.author == self.me().as_str() {
            // in clear it is what the account's server keeps, which every client of the account writes
            return if fold.in_clear || word.is_sure() { self.set_read(chat.id, n) } else { Ok(()) };
        }
        self.set_displayed(chat, &Position { who: fold.author.as_str().into(), n, time: fold.time, sure: word.is_sure() })
    }
    pub(crate) fn set_displayed(&self, chat: &InChat, position: &Position) -> Result<(), HistoryError> {
        let Position { who, n, time, sure } = position;
        let mut set = self.db.prepare_cached(
            "INSERT INTO displayed (chat, author, sure, n, time) VALUES (?1, ?2, ?3, ?4, ?5)
             ON CONFLICT (chat, author, sure) DO UPDATE SET n = excluded.n, time = excluded.time WHERE excluded.n > n OR excluded.n = n AND excluded.time < time",
        )?;
        set.execute((chat.id, who.as_str(), sure, n, i64::try_from(time.0).unwrap_or(i64::MAX)))?;
        Ok(())
    }
    /// Who else has read how far, and when they said so.
    pub(crate) fn positions(&self, chat: i64) -> Result<Vec<Position>, HistoryError> {
        // of each the sure one first
        let mut find =
            self.db.prepare_cached("SELECT author, n, time, sure FROM displayed WHERE chat = ?1 ORDER BY author, sure DESC LIMIT 10000")?;
        let position = |row: &rusqlite::Row<'_>| {
            let (author, time): (String, i64) = (row.get(0)?, row.get(2)?);
            let time = Time(u64::try_from(time).unwrap_or(0));
            Ok(Position { who: author.as_str().into(), n: row.get(1)?, time, sure: row.get(3)? })
        };
        let positions = find.query_map([chat], position)?.collect::<Result<_, _>>()?;
        Ok(positions)
    }
}
