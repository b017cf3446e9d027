//! How far was read: here, and by others.
use crate::add::InChat;
use crate::error::HistoryError;
use crate::fold::Fold;
use crate::open::History;
use crate::row::Place;
use subrosa_engine::{Address, ChatId, Time};

impl History {
    /// Everything up to this place was read here. It never goes back. (What one's other devices say comes by [`History::add`], as
    /// [`subrosa_engine::Content::Displayed`] by oneself.)
    ///
    /// # Errors
    /// Nothing was stored.
    pub fn read_up_to(&mut self, chat: &ChatId, place: Place) -> Result<(), HistoryError> {
        self.transaction(|history| match history.chat(&chat.0)? {
            Some(chat) => history.set_read(chat.id, place.n()),
            None => Ok(()),
        })
    }
    pub(crate) fn set_read(&self, chat: i64, n: i64) -> Result<(), HistoryError> {
        self.db.prepare_cached("UPDATE chats SET read = max(read, ?2) WHERE id = ?1")?.execute((chat, n))?;
        Ok(())
    }
    /// Its author has read up to this row.
    pub(crate) fn displayed(&self, chat: &InChat, fold: &Fold, n: i64) -> Result<(), HistoryError> {
        if fold.author == self.me().as_str() {
            return self.set_read(chat.id, n);
        }
        self.set_displayed(chat, &fold.author, n, fold.time)
    }
    pub(crate) fn set_displayed(&self, chat: &InChat, author: &str, n: i64, time: Time) -> Result<(), HistoryError> {
        let mut set = self.db.prepare_cached(
            "INSERT INTO displayed (chat, author, n, time) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT (chat, author) DO UPDATE SET n = excluded.n, time = excluded.time WHERE excluded.n > n OR excluded.n = n AND excluded.time < time",
        )?;
        set.execute((chat.id, author, n, i64::try_from(time.0).unwrap_or(i64::MAX)))?;
        Ok(())
    }
    /// Who else has read how far, and when they said so.
    pub(crate) fn positions(&self, chat: i64) -> Result<Vec<(Address, i64, Time)>, HistoryError> {
        let mut find = self.db.prepare_cached("SELECT author, n, time FROM displayed WHERE chat = ?1 LIMIT 10000")?;
        let position = |row: &rusqlite::Row<'_>| {
            let (author, time): (String, i64) = (row.get(0)?, row.get(2)?);
            Ok((Address::from(author.as_str()), row.get(1)?, Time(u64::try_from(time).unwrap_or(0))))
        };
        let positions = find.query_map([chat], position)?.collect::<Result<_, _>>()?;
        Ok(positions)
    }
}
