//! How a message gets in: which row it is, whether it is there already, what it changes.
use crate::entry::{Body, Entry, State};
use crate::error::HistoryError;
use crate::fold::{Fold, Folding};
use crate::open::History;
use crate::row::{Kind, Place, RETRACTED, Row};
use rusqlite::OptionalExtension;
use subrosa_engine::{Address, ChatId, Content, MessageId, Reason, Time};

/// What became of an [`Entry`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Added {
    /// A new message.
    New(Place),
    /// It was there. What it added, its `stanza-id` for one, was taken.
    Known(Place),
    /// It stands where one stood that could not be read.
    Read(Place),
    /// It changed these.
    Changed(Vec<Place>),
    /// It is about a message that is not here: kept until that comes. A correction is shown as a message of its own until then.
    Waits,
    /// Nothing to keep: what somebody does just now, what was received before, a receipt for a message that is not one's own.
    Nothing,
}

/// A chat as the table has it.
#[derive(Clone, Debug)]
pub(crate) struct InChat {
    pub id: i64,
    pub address: String,
    pub room: bool,
}
impl InChat {
    /// Somebody in a room whose real address nobody knows.
    pub fn is_nobody(&self, author: &str) -> bool {
        self.room && author == self.address
    }
}

impl History {
    /// Takes a message. As often and by as many ways as it comes it is there once.
    ///
    /// # Errors
    /// Nothing was stored.
    pub fn add(&mut self, entry: &Entry) -> Result<Added, HistoryError> {
        self.transaction(|history| history.enter(entry, None))
    }
    /// The archive's id of a message, learned later: of one's own from the room's or the server's echo. What waited for it is
    /// applied. `None`: there is no such message of this author, or it has another one.
    ///
    /// # Errors
    /// Nothing was stored.
    pub fn confirm(&mut self, chat: &ChatId, from: &Address, id: &MessageId, stanza_id: &str) -> Result<Option<Place>, HistoryError> {
        self.transaction(|history| {
            let Some(chat) = history.chat(&chat.0)? else { return Ok(None) };
            let rows = history.rows("chat = ?1 AND id = ?2 AND author = ?3 LIMIT 64", (chat.id, id.as_str(), from.as_str()))?;
            if let Some(row) = rows.iter().find(|row| row.stanza.as_deref() == Some(stanza_id)) {
                return Ok(Some(Place::from_n(row.n)));
            }
            let Some(mut row) = rows.into_iter().find(|row| row.stanza.is_none()) else { return Ok(None) };
            if !history.name(&mut row, stanza_id)? {
                return Ok(None);
            }
            history.settle_new(&chat, &row)?;
            Ok(Some(Place::from_n(row.n)))
        })
    }
    /// How far a message of one's own is. `false`: there is none.
    ///
    /// # Errors
    /// Nothing was stored.
    pub fn set_state(&mut self, chat: &ChatId, id: &MessageId, state: State) -> Result<bool, HistoryError> {
        self.transaction(|history| {
            let Some(chat) = history.chat(&chat.0)? else { return Ok(false) };
            let (code, reason) = match state {
                State::Queued => (0, None),
                State::Sent => (1, None),
                State::Failed(why) => (2, Some(why.code())),
            };
            let mut set = history.db.prepare_cached(
                "UPDATE messages SET state = ?4, reason = ?5 WHERE chat = ?1 AND id = ?2 AND author = ?3 AND state IS NOT NULL AND kind <> 4",
            )?;
            Ok(set.execute((chat.id, id.as_str(), history.me().as_str(), code, reason))? > 0)
        })
    }

    /// The same for what was told by another device.
    pub(crate) fn enter(&mut self, entry: &Entry, told: Option<&str>) -> Result<Added, HistoryError> {
        if matches!(entry.body, Body::Said(Content::Typing(_)) | Body::Unreadable(Reason::Duplicate)) {
            return Ok(Added::Nothing);
        }
        let chat = self.chat_for(&entry.chat.0, entry.room, told.is_none())?;
        match Fold::of(entry, told) {
            Some(fold) => {
                self.take_unreadable(&chat, entry)?;
                Ok(match self.fold(&chat, &fold)? {
                    Folding::Applied(places) => Added::Changed(places),
                    Folding::Waits => Added::Waits,
                    Folding::Idle => Added::Nothing,
                })
            }
            None => match Row::of(entry, chat.id, entry.from == *self.me(), told) {
                Some(row) => self.place_row(&chat, row, entry.time.min(entry.arrived)),
                None => Ok(Added::Nothing),
            },
        }
    }
    /// Puts the row where it belongs: where it stood already, or at the first free place of its time.
    pub(crate) fn place_row(&mut self, chat: &InChat, mut row: Row, time: Time) -> Result<Added, HistoryError> {
        let (known, taken) = self.same(chat, &row, time)?;
        if let Some(known) = known {
            return self.merge(chat, known, row);
        }
        if taken {
            row.stanza = None; // another message has it: the archive contradicts itself
        }
        if Place::from_n(row.n).time() != Place::at(time).time() {
            row.n = Place::at(time).n();
        }
        if !self.insert(&row)? {
            row.n = self.free_place(time)?;
            self.insert(&row)?;
        }
        self.index(&row)?;
        Ok(match self.settle_new(chat, &row)? {
            Folding::Applied(places) => Added::Changed(places),
            Folding::Waits => Added::Waits,
            Folding::Idle => Added::New(Place::from_n(row.n)),
        })
    }
    /// The row that this message is already, and whether a row has its `stanza-id`.
    fn same(&self, chat: &InChat, new: &Row, time: Time) -> Result<(Option<Row>, bool), HistoryError> {
        let fits = |row: &Row| is_same(chat, row, new);
        let archived = "chat = ?1 AND stanza = ?2";
        let said = "chat = ?1 AND id = ?3 AND digest = ?4";
        let named = match (new.id.is_empty(), new.kind == Kind::Unreadable) {
            (false, false) => {
                let unreadable = "chat = ?1 AND id = ?3 AND digest = 0";
                self.rows_by_each(&[archived, said, unreadable], (chat.id, &new.stanza, &new.id, new.digest))?
            }
            (false, true) => self.rows_by_each(&[archived, "chat = ?1 AND id = ?3"], (chat.id, &new.stanza, &new.id))?,
            (true, _) => {
                let (first, last) = (Place::at(time).n(), Place::end_of(time).n());
                let then = format!("{said} AND n BETWEEN ?5 AND ?6");
                self.rows_by_each(&[archived, &then], (chat.id, &new.stanza, "", new.digest, first, last))?
            }
        };
        let taken = new.stanza.is_some() && named.iter().any(|row| row.stanza == new.stanza);
        Ok((named.into_iter().find(fits), taken))
    }
    fn merge(&mut self, chat: &InChat, mut known: Row, new: Row) -> Result<Added, HistoryError> {
        let place = Place::from_n(known.n);
        let stanza = new.stanza.clone().filter(|_| known.stanza.is_none());
        let read = known.kind == Kind::Unreadable && new.kind != Kind::Unreadable;
        let mut back = false;
        if read {
            let row = Row { n: known.n, stanza: known.stanza.clone(), unread: new.unread || known.unread, ..new };
            self.remove(&known)?;
            self.insert(&row)?;
            self.index(&row)?;
            known = row;
        } else if new.told.is_none() {
            // here with its evidence: better than what was told; nothing that was proved is overwritten
            let proof = known.told.is_some();
            if proof {
                (known.told, known.device, known.trust, known.in_clear, known.loose) = (None, new.device, new.trust, new.in_clear, new.loose);
                if new.kind == known.kind {
                    known.reason = new.reason.clone();
                }
                // what took it back was perhaps told as well: that is looked at again
                back = known.gone == Some(RETRACTED) && new.gone.is_none();
                if back {
                    (known.gone, known.text) = (None, new.text.clone());
                    self.index(&known)?;
                }
            } else if known.kind == Kind::Unreadable {
                known.reason = new.reason.clone();
            }
            // of one's own it is known only when it leaves
            known.in_clear |= new.in_clear && new.state.is_some();
            if new.state == Some(1) && known.kind != Kind::Unreadable {
                (known.state, known.reason) = (known.state.map(|_| 1), None);
            }
            let mut set = self.db.prepare_cached(
                "UPDATE messages SET told = ?2, device = ?3, trust = ?4, in_clear = ?5, reason = ?6, state = ?7, nick = coalesce(nick, ?8), loose = ?9, text = ?10, gone = ?11
                 WHERE n = ?1",
            )?;
            let Row { n, told, device, trust, in_clear, reason, state, loose, text, gone, .. } = &known;
            set.execute(rusqlite::params![n, told, device, trust, in_clear, reason, state, new.nick, loose, text, gone])?;
        }
        if let Some(stanza) = &stanza {
            self.name(&mut known, stanza)?;
        }
        if !read && !back && stanza.is_none() {
            return Ok(Added::Known(place));
        }
        Ok(match self.settle_new(chat, &known)? {
            Folding::Applied(places) if read || back => Added::Changed(places),
            _ if back => Added::Changed(vec![place]),
            _ if read => Added::Read(place),
            _ => Added::Known(place),
        })
    }
    /// Gives the row this `stanza-id`, unless another has it.
    fn name(&self, row: &mut Row, stanza: &str) -> Result<bool, HistoryError> {
        if self.is_taken(row.chat, stanza)? {
            return Ok(false);
        }
        self.db.prepare_cached("UPDATE messages SET stanza = ?2 WHERE n = ?1")?.execute((row.n, stanza))?;
        row.stanza = Some(stanza.to_owned());
        Ok(true)
    }
    fn is_taken(&self, chat: i64, stanza: &str) -> Result<bool, HistoryError> {
        Ok(self.db.prepare_cached("SELECT 1 FROM messages WHERE chat = ?1 AND stanza = ?2")?.exists((chat, stanza))?)
    }
    /// What turns out to be about another message was no message of its own.
    fn take_unreadable(&mut self, chat: &InChat, entry: &Entry) -> Result<(), HistoryError> {
        let own = entry.from == *self.me();
        let as_unreadable = Entry { body: Body::Unreadable(Reason::Engine), ..entry.clone() };
        let Some(row) = Row::of(&as_unreadable, chat.id, own, None) else { return Ok(()) };
        match self.same(chat, &row, entry.time.min(entry.arrived))?.0 {
            Some(known) if known.kind == Kind::Unreadable => self.remove(&known),
            _ => Ok(()),
        }
    }
    /// Takes a row out, its words with it.
    pub(crate) fn remove(&self, row: &Row) -> Result<(), HistoryError> {
        self.unindex(row)?;
        self.db.prepare_cached("DELETE FROM messages WHERE n = ?1")?.execute([row.n])?;
        Ok(())
    }

    pub(crate) fn chat(&self, address: &Address) -> Result<Option<InChat>, HistoryError> {
        let mut find = self.db.prepare_cached("SELECT id, room FROM chats WHERE address = ?1")?;
        let chat = |row: &rusqlite::Row<'_>| Ok(InChat { id: row.get(0)?, address: address.as_str().to_owned(), room: row.get(1)? });
        Ok(find.query_row([address.as_str()], chat).optional()?)
    }
    /// Something was said there; of two, by one of them. What did not leave, or could not be read, was said to nobody.
    fn is_spoken_in(&self, chat: &InChat) -> Result<bool, HistoryError> {
        let mut said = self.db.prepare_cached(
            "SELECT 1 FROM messages WHERE chat = ?1 AND coalesce(state, 1) <> 2 AND kind <> 4 AND (?2 OR author IN (?3, ?4)) LIMIT 1",
        )?;
        Ok(said.exists((chat.id, chat.room, &chat.address, self.me().as_str()))?)
    }
    /// This chat, made where there is none. Whether it is a room, only the application says (`known`), and once something was said there,
    /// nobody: else others could be made a room of two people's conversation.
    pub(crate) fn chat_for(&self, address: &Address, room: bool, known: bool) -> Result<InChat, HistoryError> {
        match self.chat(address)? {
            Some(chat) if chat.room == room || !known || self.is_spoken_in(&chat)? => Ok(chat),
            Some(chat) => {
                self.db.prepare_cached("UPDATE chats SET room = ?2 WHERE id = ?1")?.execute((chat.id, room))?;
                Ok(InChat { room, ..chat })
            }
            None => {
                self.db.prepare_cached("INSERT INTO chats (address, room) VALUES (?1, ?2)")?.execute((address.as_str(), room))?;
                Ok(InChat { id: self.db.last_insert_rowid(), address: address.as_str().to_owned(), room })
            }
        }
    }
}

/// Whether two copies are of one message: the same author, ids that do not contradict, words that do not contradict.
fn is_same(chat: &InChat, row: &Row, new: &Row) -> bool {
    let unreadable = row.kind == Kind::Unreadable || new.kind == Kind::Unreadable;
    // what nobody could read may have named nobody
    let unknown = |one: &Row| one.kind == Kind::Unreadable && chat.is_nobody(&one.author);
    let author = unknown(row) || unknown(new) || row.author == new.author && (!chat.is_nobody(&row.author) || row.nick == new.nick);
    let ids = row.id == new.id || row.id.is_empty() || new.id.is_empty();
    let stanzas = row.stanza.is_none() || new.stanza.is_none() || row.stanza == new.stanza;
    author && ids && stanzas && (unreadable || row.digest == new.digest)
}
