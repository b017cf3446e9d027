//! What is shown: chats, pages, single messages. A page is as large as it was asked for; nothing reads a whole chat.
use crate::add::InChat;
use crate::entry::{Body, SentBy, State};
use crate::error::HistoryError;
use crate::fold::{Fold, FoldKind};
use crate::marks::Position;
use crate::open::History;
use crate::row::{COLUMNS, MODERATED, Place, RETRACTED, Row, device_of, trust_of};
use rusqlite::OptionalExtension;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use subrosa_engine::{Address, ChatId, DeviceId, MessageId, Time, Trust};

/// Of a page.
const MOST: usize = 1000;
/// Unread messages are counted so far.
const UNREAD: u32 = 1000;

/// A message as it is shown now.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Message {
    /// Where it stands.
    pub place: Place,
    /// Its conversation.
    pub chat: ChatId,
    /// Who wrote it; the chat's own address where nobody in a room is known by that key.
    pub from: Address,
    /// What they were called in the room.
    pub nick: Option<String>,
    /// Its author's id. Empty: none.
    pub id: MessageId,
    /// The archive's.
    pub stanza_id: Option<String>,
    /// When it was sent.
    pub time: Time,
    /// The device that wrote it, and what its key was worth then; of what is shown, first words or last ones, the one that is worth less.
    pub by: Option<SentBy>,
    /// It was not encrypted.
    pub in_clear: bool,
    /// Of one's own: how far it is.
    pub state: Option<State>,
    /// What it says now. A correction that stands for itself names a message that is not here, or not of its author, or that its device may
    /// not change.
    pub body: Body,
    /// When it was last corrected ([`History::forms`]).
    pub edited: Option<Time>,
    /// It was taken back, or somebody says so.
    pub retraction: Option<Retraction>,
    /// The latest of each person.
    pub reactions: Vec<Reaction>,
    /// Of one's own: who has it, and since when.
    pub delivered: Vec<Mark>,
    /// Of one's own: who has read it, and since when at the latest.
    pub displayed: Vec<Mark>,
    /// What it answers or corrects was said in clear, beside what was encrypted: the server could have made that up. Such a correction
    /// stands for itself.
    pub beside: bool,
    /// It came since its chat was read, wherever it stands.
    pub unread: bool,
    /// A device of one's own told this, or the words that are shown; it was not verified here.
    pub told_by: Option<DeviceId>,
}
/// Who took a message back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Retraction {
    /// Its author, or a moderator of the room.
    pub by: Address,
    /// When.
    pub time: Time,
    /// What it did.
    pub gone: Gone,
}
/// What a retraction did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Gone {
    /// The words are gone for good.
    Retracted,
    /// The room took them away, and says why; they are not shown.
    Moderated(String),
    /// Nothing: it came in clear and the message was encrypted, or from a device that is worth less than the one that wrote it, or another
    /// device of one's own tells so. The sender may have meant it, or somebody made it up.
    Claimed,
}
/// What a person thinks of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reaction {
    /// Who.
    pub from: Address,
    /// Not empty.
    pub emojis: Vec<String>,
    /// When.
    pub time: Time,
    /// It was not encrypted: the server could have made it up.
    pub in_clear: bool,
    /// What the key that said so was worth then, where it names a device.
    pub trust: Option<Trust>,
}
/// Somebody has a message, or has read it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mark {
    /// Who.
    pub from: Address,
    /// Since when.
    pub time: Time,
    /// A device that is trusted said so, encrypted. Else anybody could have made it up.
    pub sure: bool,
}
/// A conversation.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Chat {
    /// Its name.
    pub chat: ChatId,
    /// Whether it is a room.
    pub room: bool,
    /// Up to where it was read here.
    pub read: Place,
    /// Messages of others that came since they were read; 1000: that many or more.
    pub unread: u32,
    /// The last message.
    pub last: Message,
}
/// Which part of a chat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum At {
    /// The last messages.
    Newest,
    /// The last ones before this place.
    Before(Place),
    /// The first ones after this place.
    After(Place),
    /// As many before this place as from it on: where a search led, where reading stopped.
    Around(Place),
}
/// A part of a chat.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Page {
    /// In their order.
    pub messages: Vec<Message>,
    /// There are earlier ones.
    pub earlier: bool,
    /// There are later ones.
    pub later: bool,
}

impl Message {
    /// The words.
    pub fn text(&self) -> Option<&str> {
        match &self.body {
            Body::Said(content) => content.text(),
            _ => None,
        }
    }
}
impl History {
    /// All conversations that have messages, the one with the latest first.
    ///
    /// # Errors
    /// What the disk says.
    pub fn chats(&self) -> Result<Vec<Chat>, HistoryError> {
        let mut find = self.db.prepare_cached(
            "SELECT id, address, room, read, (SELECT n FROM messages WHERE chat = chats.id AND target IS NULL ORDER BY n DESC LIMIT 1) AS last
             FROM chats ORDER BY last DESC",
        )?;
        let chat = |row: &rusqlite::Row<'_>| {
            Ok((InChat { id: row.get(0)?, address: row.get(1)?, room: row.get(2)? }, row.get::<_, i64>(3)?, row.get::<_, Option<i64>>(4)?))
        };
        let found: Vec<_> = find.query_map([], chat)?.collect::<Result<_, _>>()?;
        let mut chats = Vec::with_capacity(found.len());
        for (chat, read, last) in found {
            let Some(last) = last.map(|last| self.row(last)).transpose()?.flatten() else { continue };
            chats.push(Chat {
                chat: ChatId(chat.address.as_str().into()),
                room: chat.room,
                read: Place::from_n(read),
                unread: self.unread(chat.id)?,
                last: self.show(&chat, last, &self.positions(chat.id)?)?,
            });
        }
        Ok(chats)
    }
    fn unread(&self, chat: i64) -> Result<u32, HistoryError> {
        let unread = "SELECT 1 FROM messages INDEXED BY unread WHERE chat = ?1 AND unread AND target IS NULL AND gone IS NULL LIMIT ?2";
        let mut count = self.db.prepare_cached(&format!("SELECT count(*) FROM ({unread})"))?;
        Ok(count.query_row((chat, UNREAD), |row| row.get(0))?)
    }
    /// A part of a chat, at most 1000 messages. A chat that is not known is empty.
    ///
    /// # Errors
    /// What the disk says.
    pub fn page(&self, chat: &ChatId, at: At, limit: usize) -> Result<Page, HistoryError> {
        let Some(chat) = self.chat(&chat.0)? else { return Ok(Page::default()) };
        let limit = limit.min(MOST);
        let half = limit / 2;
        let (before, after) = match at {
            At::Newest => (Some((i64::MAX, limit)), None),
            At::Before(place) => (Some((place.n(), limit)), None),
            At::After(place) => (None, Some((place.n().saturating_add(1), limit))),
            At::Around(place) => (Some((place.n(), half)), Some((place.n(), limit.saturating_sub(half)))),
        };
        let (mut rows, mut earlier) = self.part(&chat, before, "n < ?2", "DESC")?;
        rows.reverse();
        let (rest, mut later) = self.part(&chat, after, "n >= ?2", "ASC")?;
        rows.extend(rest);
        match at {
            At::Newest | At::Around(_) => {}
            At::Before(place) => later = self.any(&chat, "n >= ?2", place)?,
            At::After(place) => earlier = self.any(&chat, "n <= ?2", place)?,
        }
        let positions = self.positions(chat.id)?;
        let messages = rows.into_iter().map(|row| self.show(&chat, row, &positions)).collect::<Result<_, _>>()?;
        Ok(Page { messages, earlier, later })
    }
    /// So many rows from there on in one direction, and whether there are more.
    fn part(&self, chat: &InChat, from: Option<(i64, usize)>, filter: &str, order: &str) -> Result<(Vec<Row>, bool), HistoryError> {
        let Some((from, limit)) = from else { return Ok((Vec::new(), false)) };
        let more = i64::try_from(limit).unwrap_or(i64::MAX).saturating_add(1);
        let mut rows = self.rows(&format!("chat = ?1 AND target IS NULL AND {filter} ORDER BY n {order} LIMIT ?3"), (chat.id, from, more))?;
        let there_are = rows.len() > limit;
        rows.truncate(limit);
        Ok((rows, there_are))
    }
    fn any(&self, chat: &InChat, filter: &str, place: Place) -> Result<bool, HistoryError> {
        let sql = format!("SELECT 1 FROM messages WHERE chat = ?1 AND target IS NULL AND {filter} LIMIT 1");
        Ok(self.db.prepare_cached(&sql)?.exists((chat.id, place.n()))?)
    }
    /// The message at this place; a correction that was applied is not one.
    ///
    /// # Errors
    /// What the disk says.
    pub fn get(&self, place: Place) -> Result<Option<Message>, HistoryError> {
        let row = self.row(place.n())?.filter(|row| row.target.is_none());
        Ok(self.shown(row.into_iter().collect())?.pop())
    }
    /// The message that others name so, as answers and reactions do: in a room by the room's id, elsewhere by the author's.
    ///
    /// # Errors
    /// What the disk says.
    pub fn find(&self, chat: &ChatId, of: &MessageId) -> Result<Option<Message>, HistoryError> {
        let Some(chat) = self.chat(&chat.0)? else { return Ok(None) };
        let name = if chat.room { "stanza" } else { "id" };
        let sql = format!("SELECT {COLUMNS} FROM messages WHERE chat = ?1 AND {name} = ?2 AND ?2 <> '' AND target IS NULL ORDER BY n LIMIT 1");
        let row = self.db.prepare_cached(&sql)?.query_row((chat.id, of.as_str()), Row::read).optional()?;
        Ok(self.shown(row.into_iter().collect())?.pop())
    }
    /// What a message said, from first to last, with the time of each form. Retracted: nothing. At most 1000.
    ///
    /// # Errors
    /// What the disk says.
    pub fn forms(&self, place: Place) -> Result<Vec<(Time, String)>, HistoryError> {
        if self.row(place.n())?.is_none_or(|row| row.gone.is_some()) {
            return Ok(Vec::new());
        }
        let mut find = self.db.prepare_cached("SELECT n, text FROM messages WHERE n = ?1 UNION ALL SELECT n, text FROM (SELECT n, text FROM messages WHERE target = ?1 AND gone IS NULL ORDER BY n LIMIT 999)")?;
        let form = |row: &rusqlite::Row<'_>| Ok((Place::from_n(row.get(0)?).time(), row.get(1)?));
        Ok(find.query_map([place.n()], form)?.collect::<Result<_, _>>()?)
    }

    /// Rows of any chats as they are shown.
    pub(crate) fn shown(&self, rows: Vec<Row>) -> Result<Vec<Message>, HistoryError> {
        let mut chats = HashMap::new();
        let mut messages = Vec::with_capacity(rows.len());
        for row in rows {
            let (chat, positions) = match chats.entry(row.chat) {
                Entry::Occupied(known) => known.into_mut(),
                Entry::Vacant(new) => new.insert((self.chat_of(row.chat)?, self.positions(row.chat)?)),
            };
            messages.push(self.show(chat, row, positions)?);
        }
        Ok(messages)
    }
    pub(crate) fn chat_of(&self, id: i64) -> Result<InChat, HistoryError> {
        let mut find = self.db.prepare_cached("SELECT address, room FROM chats WHERE id = ?1")?;
        Ok(find.query_row([id], |row| Ok(InChat { id, address: row.get(0)?, room: row.get(1)? }))?)
    }
    fn show(&self, chat: &InChat, row: Row, positions: &[Position]) -> Result<Message, HistoryError> {
        let me = self.me().as_str();
        let own = row.author == me;
        let folds: Vec<Fold> = self.folds(chat.id, &row)?.into_iter().filter(|fold| fold.is_about(chat, &row, me)).collect();
        let whose = |fold: &Fold| Mark { from: fold.author.as_str().into(), time: fold.time, sure: fold.word(me).is_sure() };
        let of = |kind| folds.iter().filter(move |fold| fold.kind == kind);
        let form = if row.corrected.is_some() { self.last_form(&row)? } else { None };
        let told = form.as_ref().and_then(|form| form.told.clone()).or_else(|| row.told.clone());
        let by = match &form {
            Some(form) if form.word(me) < row.word(me) => form.by(),
            _ => row.by(),
        };
        // of each the sure one, where there is one
        let mut displayed: Vec<Mark> = Vec::new();
        for Position { who, time, sure, .. } in positions.iter().filter(|position| own && position.n >= row.n) {
            if displayed.iter().all(|known| known.from != *who) {
                displayed.push(Mark { from: who.clone(), time: *time, sure: *sure });
            }
        }
        Ok(Message {
            place: Place::from_n(row.n),
            chat: ChatId(chat.address.as_str().into()),
            from: row.author.as_str().into(),
            id: row.id.as_str().into(),
            time: Place::from_n(row.n).time(),
            by,
            in_clear: row.in_clear,
            state: row.state(),
            body: row.body(),
            edited: form.map(|form| Place::from_n(form.n).time()),
            retraction: retraction(&row, &folds),
            reactions: if row.gone.is_some() { Vec::new() } else { of(FoldKind::Reaction).filter_map(reaction).collect() },
            delivered: of(FoldKind::Delivered).map(whose).collect(),
            displayed,
            beside: row.loose,
            unread: row.unread,
            told_by: told.as_deref().and_then(device_of),
            nick: row.nick,
            stanza_id: row.stanza,
        })
    }
    fn last_form(&self, row: &Row) -> Result<Option<Row>, HistoryError> {
        Ok(self.rows("target = ?1 AND gone IS NULL ORDER BY n DESC LIMIT 1", [row.n])?.pop())
    }
}

fn reaction(fold: &Fold) -> Option<Reaction> {
    let emojis: Vec<String> = fold.data.split_terminator('\0').map(str::to_owned).collect();
    let shown = !emojis.is_empty();
    shown.then(|| Reaction { from: fold.author.as_str().into(), emojis, time: fold.time, in_clear: fold.in_clear, trust: trust_of(fold.trust) })
}
fn retraction(row: &Row, folds: &[Fold]) -> Option<Retraction> {
    let said = |kind| folds.iter().find(move |fold| fold.kind == kind);
    let (fold, gone) = match row.gone {
        Some(MODERATED) => said(FoldKind::Moderation).map(|fold| (fold, Gone::Moderated(fold.data.clone())))?,
        Some(RETRACTED) => match said(FoldKind::Retraction) {
            Some(fold) => (fold, Gone::Retracted),
            // it was told so, without who said it: only its author can
            None => return Some(Retraction { by: row.author.as_str().into(), time: Place::from_n(row.n).time(), gone: Gone::Retracted }),
        },
        _ => said(FoldKind::Retraction).map(|fold| (fold, Gone::Claimed))?,
    };
    Some(Retraction { by: fold.author.as_str().into(), time: fold.time, gone })
}
