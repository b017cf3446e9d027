//! What is not kept: erased chats, what became too old.
use crate::error::HistoryError;
use crate::open::History;
use crate::row::Place;
use subrosa_engine::{ChatId, Time};

/// Rows that are erased between two looks at the clock of the caller.
const STEP: i64 = 2000;

impl History {
    /// Erases all that is known of a chat, in one transaction: words, reactions, marks, the name. On disk it is overwritten.
    ///
    /// # Errors
    /// Nothing was erased.
    pub fn erase_chat(&mut self, chat: &ChatId) -> Result<(), HistoryError> {
        self.transaction(|history| {
            let Some(chat) = history.chat(&chat.0)? else { return Ok(()) };
            while history.erase_some("chat = ?1", (chat.id, STEP))? {}
            history.db.execute("DELETE FROM folds WHERE chat = ?1", [chat.id])?;
            history.db.execute("DELETE FROM displayed WHERE chat = ?1", [chat.id])?;
            history.db.execute("DELETE FROM chats WHERE id = ?1", [chat.id])?;
            Ok::<(), HistoryError>(())
        })?;
        Ok(self.db.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)")?)
    }
    /// Erases what was sent before this time, in all chats, some of it: call it until it says `false`. What was said about those messages
    /// goes with them, and what waits for messages of that time.
    ///
    /// # Errors
    /// Nothing of this part was erased.
    pub fn erase_before(&mut self, time: Time) -> Result<bool, HistoryError> {
        self.transaction(|history| {
            let more = history.erase_some("n < ?1", (Place::at(time).n(), STEP))?;
            if !more {
                let millis = Place::at(time).time().0;
                history.db.execute("DELETE FROM folds WHERE time < ?1 AND waits", [i64::try_from(millis).unwrap_or(i64::MAX)])?;
            }
            Ok(more)
        })
    }
    /// Whether there was anything.
    fn erase_some(&self, filter: &str, with: (i64, i64)) -> Result<bool, HistoryError> {
        let rows = self.rows(&format!("{filter} LIMIT ?2"), with)?;
        for row in &rows {
            self.remove(row)?;
            let mut folds = self.db.prepare_cached("DELETE FROM folds WHERE chat = ?1 AND refers IN (?2, ?3)")?;
            folds.execute((row.chat, &row.id, &row.stanza))?;
            self.db.prepare_cached("DELETE FROM messages WHERE target = ?1")?.execute([row.n])?;
        }
        Ok(!rows.is_empty())
    }
}
