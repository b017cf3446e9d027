//! Rows as they travel: into backups, to devices of one's own. One binary form for both, of which every part is bounded; what
//! came in it goes the ways that everything else goes.
use crate::add::InChat;
use crate::error::HistoryError;
use crate::fold::{FOLD, Fold, FoldKind};
use crate::marks::Position;
use crate::open::History;
use crate::row::{Kind, MODERATED, Place, RETRACTED, Row, device_of, trust_code};
use subrosa_engine::codec::{Reader, Writer};
use subrosa_engine::{Address, Device, DeviceId, Fingerprint, Time, Trust};

/// The longest words; a stanza has no more.
const TEXT: usize = 256 * 1024;
/// The longest address (RFC 7622: three parts of 1023 bytes), id, name.
const NAME: usize = 3071;

/// What a person decided about a key: the application's, carried as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// The device.
    pub device: Device,
    /// Its identity key.
    pub key: Fingerprint,
    /// What that is worth.
    pub trust: Trust,
}
/// One row of one's own history.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Item {
    /// `true`: it is of a version that did not say what is unread.
    Message(Named, Box<Row>, bool),
    Fold(Named, Fold),
    /// How far another has read.
    Displayed(Named, Position),
    /// How far was read here.
    Read(Named, i64),
    Trust(Decision),
}
/// A chat by its name.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Named {
    pub address: String,
    pub room: bool,
}

impl Item {
    pub fn write(&self, out: &mut Writer) {
        let named = |out: &mut Writer, tag, chat: &Named| {
            out.u8(tag).str(&chat.address).bool(chat.room);
        };
        let text = |out: &mut Writer, text: &Option<String>| {
            out.option(text.as_deref(), |out, text| {
                out.str(text);
            });
        };
        match self {
            Item::Message(chat, row, _) => {
                named(out, 7, chat);
                out.u64(row.n.unsigned_abs()).u8(row.kind as u8).u64(row.digest.cast_unsigned()).str(&row.author).str(&row.id).str(&row.text);
                for value in [&row.nick, &row.stanza, &row.refers, &row.refers_author, &row.reason, &row.device, &row.told] {
                    text(out, value);
                }
                let small = |n: Option<i64>| n.and_then(|n| u8::try_from(n).ok());
                for value in [small(row.state), small(row.trust), small(row.gone)] {
                    out.option(value, |out, value| {
                        out.u8(value);
                    });
                }
                out.bool(row.in_clear).bool(row.loose).bool(row.unread);
            }
            Item::Fold(chat, fold) => {
                named(out, 6, chat);
                out.str(&fold.of).u8(fold.kind as u8).str(&fold.author).u64(fold.time.0).str(&fold.data).bool(fold.in_clear);
                text(out, &fold.told);
                out.option(fold.trust.and_then(|trust| u8::try_from(trust).ok()), |out, trust| {
                    out.u8(trust);
                });
            }
            Item::Displayed(chat, Position { who, n, time, sure }) => {
                named(out, 8, chat);
                out.str(who.as_str()).u64(n.unsigned_abs()).u64(time.0).bool(*sure);
            }
            Item::Read(chat, n) => {
                named(out, 4, chat);
                out.u64(n.unsigned_abs());
            }
            Item::Trust(decision) => {
                out.u8(5).str(decision.device.owner.as_str());
                match &decision.device.id {
                    DeviceId::Number(n) => out.u8(0).u32(*n),
                    DeviceId::Name(name) => out.u8(1).str(name),
                };
                out.raw(&decision.key.0).u8(trust_code(decision.trust) as u8);
            }
        }
    }
    /// `None`: it is damaged, or larger than anything that a history takes.
    pub fn read(input: &mut Reader<'_>) -> Option<Item> {
        let tag = input.u8()?;
        if tag == 5 {
            return Some(Item::Trust(decision(input)?));
        }
        let chat = Named { address: name(input)?, room: input.bool()? };
        if chat.address.is_empty() {
            return None;
        }
        Some(match tag {
            // 1, 2, 3: of a version that did not keep whose word each is, and what is unread
            1 | 7 => {
                let mut row = message(input)?;
                if tag == 7 {
                    (row.loose, row.unread) = (input.bool()?, input.bool()?);
                }
                Item::Message(chat, Box::new(row), tag == 1)
            }
            2 | 6 => {
                let (of, kind, author, time) = (name(input)?, input.u8()?, name(input)?, time(input)?);
                let kind = FoldKind::ALL.into_iter().find(|k| *k as u8 == kind)?;
                let data = input.str().filter(|data| data.len() <= 2 * NAME)?.to_owned();
                let (in_clear, told) = (input.bool()?, device(input)?);
                let trust = if tag == 6 { input.option(|input| input.u8().filter(|n| *n <= 3))?.map(i64::from) } else { None };
                Item::Fold(chat, Fold { of, kind, author, time, data, in_clear, told, trust })
            }
            3 | 8 => {
                let (who, n, time) = (name(input)?, place(input)?, time(input)?);
                Item::Displayed(chat, Position { who: who.as_str().into(), n, time, sure: tag == 8 && input.bool()? })
            }
            4 => Item::Read(chat, place(input)?),
            _ => return None,
        })
    }
}
fn message(input: &mut Reader<'_>) -> Option<Row> {
    let (n, kind, digest) = (place(input)?, input.u8()?, input.u64()?.cast_signed());
    let kind = Kind::ALL.into_iter().find(|k| *k as u8 == kind)?;
    let (author, id) = (name(input)?, name(input)?);
    let text = input.str().filter(|text| text.len() <= TEXT)?.to_owned();
    let [nick, stanza, refers, refers_author, reason] = [optional(input)?, optional(input)?, optional(input)?, optional(input)?, optional(input)?];
    let [device, told] = [device(input)?, device(input)?];
    let mut small = |most: u8| input.option(|input| input.u8().filter(|n| *n <= most)).map(|n| n.map(i64::from));
    let [state, trust, gone] = [small(2)?, small(3)?, small(2)?];
    if author.is_empty() || gone == Some(0) || (kind == Kind::Correction) && refers.is_none() || stanza.as_deref() == Some("") {
        return None;
    }
    let in_clear = input.bool()?;
    let chat = 0;
    let (corrected, target) = (None, None);
    Some(Row {
        n,
        chat,
        author,
        nick,
        id,
        stanza,
        digest,
        kind,
        text,
        corrected,
        refers,
        refers_author,
        reason,
        state,
        device,
        trust,
        in_clear,
        told,
        gone,
        target,
        loose: false,
        unread: false,
    })
}
fn decision(input: &mut Reader<'_>) -> Option<Decision> {
    let owner = name(input)?;
    let id = match input.u8()? {
        0 => DeviceId::Number(input.u32()?),
        1 => DeviceId::Name(name(input)?.into()),
        _ => return None,
    };
    let (key, trust) = (Fingerprint(input.array()?), input.u8()?);
    let trust = Trust::ALL.into_iter().find(|t| trust_code(*t) == i64::from(trust))?;
    Some(Decision { device: Device { owner: owner.as_str().into(), id }, key, trust })
}
fn name(input: &mut Reader<'_>) -> Option<String> {
    input.str().filter(|text| text.len() <= NAME).map(str::to_owned)
}
fn optional(input: &mut Reader<'_>) -> Option<Option<String>> {
    input.option(name)
}
fn device(input: &mut Reader<'_>) -> Option<Option<String>> {
    input.option(|input| name(input).filter(|text| device_of(text).is_some()))
}
fn place(input: &mut Reader<'_>) -> Option<i64> {
    let n = input.u64()?;
    (n <= Place::end_of(Time(u64::MAX)).0).then(|| Place(n).n())
}
fn time(input: &mut Reader<'_>) -> Option<Time> {
    input.u64().map(|millis| Place::at(Time(millis)).time())
}

/// From where on rows are still to be read. Its bytes are nobody else's business.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Cursor {
    part: u8,
    /// What was read last: rows in their order of keys.
    n: i64,
    kind: i64,
    names: [String; 2],
}
impl Cursor {
    pub fn write(&self) -> Vec<u8> {
        let mut out = Writer::versioned(1);
        out.u8(self.part).u64(self.n.cast_unsigned()).u64(self.kind.cast_unsigned()).str(&self.names[0]).str(&self.names[1]);
        out.into_bytes()
    }
    pub fn read(bytes: &[u8]) -> Option<Self> {
        let mut input = Reader::versioned(bytes, 1)?;
        let (part, n, kind) = (input.u8()?, input.u64()?.cast_signed(), input.u64()?.cast_signed());
        let names = [name(&mut input)?, name(&mut input)?];
        input.end()?;
        Some(Cursor { part, n, kind, names })
    }
    fn next_part(&self) -> Self {
        Cursor { part: self.part.saturating_add(1), n: if self.part == 1 { i64::MAX } else { 0 }, ..Cursor::default() }
    }
}

impl History {
    /// The next rows, at most `limit`, and the cursor behind each: how far was read, here and by others, then messages, the newest first,
    /// then what was said about them. `None`: that was all.
    pub(crate) fn items(&self, from: &Cursor, limit: usize) -> Result<Option<Vec<(Item, Cursor)>>, HistoryError> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let mut from = from.clone();
        while from.part < 4 {
            let items = match from.part {
                0 => self.reads(&from, limit)?,
                1 => self.all_displayed(&from, limit)?,
                2 => self.messages(&from, limit)?,
                _ => self.all_folds(&from, limit)?,
            };
            if !items.is_empty() {
                return Ok(Some(items));
            }
            from = from.next_part();
        }
        Ok(None)
    }
    /// Rows that a backup has, about: messages, and what was said about them.
    ///
    /// # Errors
    /// What the disk says.
    pub fn count_items(&self) -> Result<u64, HistoryError> {
        let sql = "SELECT (SELECT count(*) FROM messages) + (SELECT count(*) FROM folds WHERE NOT waits) + (SELECT count(*) FROM chats) + (SELECT count(*) FROM displayed)";
        let count: i64 = self.db.query_row(sql, [], |row| row.get(0))?;
        Ok(count.unsigned_abs())
    }
    fn named(&self, chat: i64) -> Result<Named, HistoryError> {
        self.chat_of(chat).map(|chat| Named { address: chat.address, room: chat.room })
    }
    fn reads(&self, from: &Cursor, limit: i64) -> Result<Vec<(Item, Cursor)>, HistoryError> {
        let mut find = self.db.prepare_cached("SELECT id, address, room, read FROM chats WHERE id > ?1 ORDER BY id LIMIT ?2")?;
        let item = |row: &rusqlite::Row<'_>| {
            let item = Item::Read(Named { address: row.get(1)?, room: row.get(2)? }, row.get(3)?);
            Ok((item, Cursor { part: 0, n: row.get(0)?, ..Cursor::default() }))
        };
        Ok(find.query_map((from.n, limit), item)?.collect::<Result<_, _>>()?)
    }
    fn all_displayed(&self, from: &Cursor, limit: i64) -> Result<Vec<(Item, Cursor)>, HistoryError> {
        let mut find = self.db.prepare_cached(
            "SELECT chat, author, n, time, sure FROM displayed WHERE (chat, author, sure) > (?1, ?2, ?3) ORDER BY chat, author, sure LIMIT ?4",
        )?;
        let position = |row: &rusqlite::Row<'_>| {
            let (author, time): (String, i64) = (row.get(1)?, row.get(3)?);
            let position = Position { who: author.as_str().into(), n: row.get(2)?, time: Time(time.unsigned_abs()), sure: row.get(4)? };
            Ok((row.get(0)?, position))
        };
        let after = (from.n, &from.names[0], from.kind, limit);
        let rows: Vec<(i64, Position)> = find.query_map(after, position)?.collect::<Result<_, _>>()?;
        let item = |(chat, position): (i64, Position)| {
            let cursor = Cursor { part: 1, n: chat, kind: position.sure.into(), names: [position.who.as_str().to_owned(), String::new()] };
            Ok((Item::Displayed(self.named(chat)?, position), cursor))
        };
        rows.into_iter().map(item).collect()
    }
    fn messages(&self, from: &Cursor, limit: i64) -> Result<Vec<(Item, Cursor)>, HistoryError> {
        let item = |row: Row| {
            let cursor = Cursor { part: 2, n: row.n, ..Cursor::default() };
            Ok((Item::Message(self.named(row.chat)?, Box::new(row), false), cursor))
        };
        self.rows("n < ?1 ORDER BY n DESC LIMIT ?2", (from.n, limit))?.into_iter().map(item).collect()
    }
    fn all_folds(&self, from: &Cursor, limit: i64) -> Result<Vec<(Item, Cursor)>, HistoryError> {
        let sql = format!(
            "SELECT {FOLD}, chat FROM folds WHERE (chat, refers, kind, author) > (?1, ?2, ?3, ?4) AND NOT waits ORDER BY chat, refers, kind, author LIMIT ?5"
        );
        let mut find = self.db.prepare_cached(&sql)?;
        let with = (from.n, &from.names[0], from.kind, &from.names[1], limit);
        let folds: Vec<(Fold, i64)> = find.query_map(with, |row| Ok((Fold::read(row)?, row.get(8)?)))?.collect::<Result<_, _>>()?;
        let item = |(fold, chat): (Fold, i64)| {
            let cursor = Cursor { part: 3, n: chat, kind: fold.kind as i64, names: [fold.of.clone(), fold.author.clone()] };
            Ok((Item::Fold(self.named(chat)?, fold), cursor))
        };
        folds.into_iter().map(item).collect()
    }

    /// Merges a row that was told. `told`: the device that tells it; `None`: a backup of one's own, in which every row says itself.
    /// `now`: nothing is placed later. Whether there was anything new; trust is the caller's.
    pub(crate) fn merge_item(&mut self, item: Item, told: Option<&str>, now: Time) -> Result<bool, HistoryError> {
        let last = Place::end_of(now).n();
        let told_by = |own: Option<String>| told.map(str::to_owned).or(own);
        Ok(match item {
            Item::Message(chat, row, old) => {
                let chat = self.chat_named(&chat)?;
                let own = row.author == self.me().as_str();
                if told.is_some() && !own && !chat.room && row.author != chat.address {
                    return Ok(false); // nobody else is in a chat of two
                }
                let time = Place::from_n(row.n).time().min(now);
                let unread = !own && if old { row.n > self.read_of(chat.id)? } else { row.unread };
                let mut row = Row { chat: chat.id, state: row.state.filter(|_| own), told: told_by(row.told.clone()), unread, ..*row };
                if own && row.state.is_none() {
                    row.state = Some(1);
                }
                row.gone = row.gone.filter(|gone| *gone == RETRACTED || *gone == MODERATED && chat.room);
                if row.gone == Some(RETRACTED) {
                    row.text.clear(); // its digest is all that is left
                } else {
                    row.digest = row.says();
                }
                !matches!(self.place_row(&chat, row, time)?, crate::Added::Known(_))
            }
            Item::Fold(chat, fold) => {
                let chat = self.chat_named(&chat)?;
                let fold = Fold { time: fold.time.min(now), told: told_by(fold.told.clone()), ..fold };
                if fold.kind == FoldKind::Moderation && !chat.room {
                    return Ok(false);
                }
                matches!(self.fold(&chat, &fold)?, crate::fold::Folding::Applied(_))
            }
            Item::Displayed(chat, position) => {
                let chat = self.chat_named(&chat)?;
                if position.who != *self.me() && !chat.is_nobody(position.who.as_str()) {
                    let Position { n, time, sure, .. } = position;
                    let position = Position { n: n.min(last), time: time.min(now), sure: sure && told.is_none(), ..position };
                    self.set_displayed(&chat, &position)?;
                }
                false
            }
            Item::Read(chat, n) => {
                let chat = self.chat_named(&chat)?;
                self.set_read(chat.id, n.min(last))?;
                false
            }
            Item::Trust(_) => false,
        })
    }
    fn chat_named(&self, chat: &Named) -> Result<InChat, HistoryError> {
        self.chat_for(&Address::from(chat.address.as_str()), chat.room, false)
    }
}
