//! More that the application must not forget, beside [`super::ledger`]: what it is about to say until the history has it, how far
//! each archive was read, the rooms it is in and the invitations that nobody answered. Rows of the same transactions.
use super::ledger::Ledger;
use subrosa_engine::codec::{Reader, Writer};
use subrosa_engine::{Address, Context, Halt, Record, RowOf, Time};

const FORM: u8 = 1;
/// Of rooms. Version 1 had neither names nor numbers of members, version 2 only those that were entered.
const ROOMS: u8 = 3;

/// A message of ours that was accepted, and that the history may not have yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Draft {
    /// Its conversation.
    pub chat: String,
    /// Whether that is a room.
    pub room: bool,
    /// When it was accepted.
    pub time: Time,
    /// What it says, as a run of elements.
    pub run: Vec<u8>,
}
/// A room that is entered again with each connection.
#[derive(Clone, PartialEq, Eq)]
pub struct KeptRoom {
    /// Its address.
    pub room: String,
    /// What we are called in it.
    pub nick: String,
    /// What it takes to enter.
    pub password: Option<String>,
    /// The account's bookmarks had it: where they have it no more, it was left on another device.
    pub bookmarked: bool,
    /// Members without keys are left out, as was chosen; for show.
    pub leave_out: bool,
    /// What it is called; may be empty.
    pub name: String,
    /// How many members it had when that was last known; 0: it was not, or nothing could be encrypted.
    pub members: u64,
    /// It was entered at some time.
    pub entered: bool,
    /// Why it does not let us in any more; nobody tries until a person does.
    pub shut: Option<String>,
}
/// Passwords stay out of logs.
impl std::fmt::Debug for KeptRoom {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "KeptRoom({} as {})", self.room, self.nick)
    }
}
/// Somebody invited us, and nobody answered.
#[derive(Clone, PartialEq, Eq)]
pub struct KeptInvitation {
    /// To which room.
    pub room: String,
    /// Who.
    pub from: String,
    /// It came from them directly, not through the room.
    pub direct: bool,
    /// In their words.
    pub reason: String,
    /// What it takes to enter.
    pub password: Option<String>,
}
/// Passwords stay out of logs.
impl std::fmt::Debug for KeptInvitation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "KeptInvitation({} by {})", self.room, self.from)
    }
}
/// Up to where an archive was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reached {
    /// The message, as the archive calls it.
    pub id: String,
    /// When that came there: archives forget old ones.
    pub at: Option<Time>,
}
/// All rooms and invitations.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeptRooms {
    /// By address.
    pub rooms: Vec<KeptRoom>,
    /// Those that were left; the oldest first.
    pub left: Vec<String>,
    /// The oldest first.
    pub invitations: Vec<KeptInvitation>,
}

impl Ledger {
    /// What is about to be said under this id.
    pub fn draft(cx: &mut Context<'_>, id: &str) -> Result<Option<Draft>, Halt> {
        Ok(cx.records.get(draft(id))?.cloned())
    }
    /// Remembers it.
    pub fn set_draft(cx: &mut Context<'_>, id: &str, value: Draft) -> Result<(), Halt> {
        cx.records.put(draft(id), value);
        Ok(())
    }
    /// The history has it.
    pub fn drop_draft(cx: &mut Context<'_>, id: &str) -> Result<(), Halt> {
        cx.records.remove(draft(id));
        Ok(())
    }
    /// The last message of this archive that was taken over.
    pub fn position(cx: &mut Context<'_>, by: &Address) -> Result<Option<Reached>, Halt> {
        Ok(cx.records.get(position(by))?.cloned())
    }
    /// Everything up to this message of the archive is in the history.
    pub fn set_position(cx: &mut Context<'_>, by: &Address, reached: Reached) -> Result<(), Halt> {
        cx.records.put(position(by), reached);
        Ok(())
    }
    /// Rooms and invitations.
    pub fn rooms(cx: &mut Context<'_>) -> Result<KeptRooms, Halt> {
        Ok(cx.records.get(RowOf::<KeptRooms>::single("rooms"))?.cloned().unwrap_or_default())
    }
    /// Remembers them.
    pub fn set_rooms(cx: &mut Context<'_>, rooms: KeptRooms) -> Result<(), Halt> {
        cx.records.put(RowOf::single("rooms"), rooms);
        Ok(())
    }
}
fn draft(id: &str) -> RowOf<Draft> {
    RowOf::person("draft", &Address::from(id))
}
fn position(by: &Address) -> RowOf<Reached> {
    RowOf::person("position", by)
}

impl Record for Draft {
    fn encode(&self) -> Vec<u8> {
        let mut out = Writer::versioned(FORM);
        out.str(&self.chat).bool(self.room).u64(self.time.0).bytes(&self.run);
        out.into_bytes()
    }
    fn decode(bytes: &[u8]) -> Option<Self> {
        let mut input = Reader::versioned(bytes, FORM)?;
        let draft = Draft { chat: input.str()?.to_owned(), room: input.bool()?, time: Time(input.u64()?), run: input.bytes()?.to_vec() };
        input.end()?;
        Some(draft)
    }
}
impl Record for Reached {
    fn encode(&self) -> Vec<u8> {
        let mut out = Writer::versioned(FORM);
        out.str(&self.id).option(self.at, |out, at| {
            out.u64(at.0);
        });
        out.into_bytes()
    }
    fn decode(bytes: &[u8]) -> Option<Self> {
        let mut input = Reader::versioned(bytes, FORM)?;
        let reached = Reached { id: input.str()?.to_owned(), at: input.option(|input| input.u64().map(Time))? };
        input.end()?;
        Some(reached)
    }
}
impl Record for KeptRooms {
    fn encode(&self) -> Vec<u8> {
        let text = |out: &mut Writer, text: &str| {
            out.str(text);
        };
        let mut out = Writer::versioned(ROOMS);
        out.len(self.rooms.len());
        for room in &self.rooms {
            out.str(&room.room).str(&room.nick).option(room.password.as_deref(), text).bool(room.bookmarked).bool(room.leave_out);
            out.str(&room.name).varint(room.members).bool(room.entered).option(room.shut.as_deref(), text);
        }
        out.len(self.left.len());
        for room in &self.left {
            out.str(room);
        }
        out.len(self.invitations.len());
        for invited in &self.invitations {
            out.str(&invited.room).str(&invited.from).bool(invited.direct).str(&invited.reason).option(invited.password.as_deref(), text);
        }
        out.into_bytes()
    }
    fn decode(bytes: &[u8]) -> Option<Self> {
        let form = bytes.first().copied().filter(|form| (FORM..=ROOMS).contains(form))?;
        let input = &mut Reader::versioned(bytes, form)?;
        let text = |input: &mut Reader<'_>| input.option(|input| input.str().map(str::to_owned));
        let mut all = KeptRooms::default();
        for _ in 0..input.len()? {
            let (room, nick) = (input.str()?.to_owned(), input.str()?.to_owned());
            let (password, bookmarked, leave_out) = (text(input)?, input.bool()?, input.bool()?);
            let (name, members) = if form == FORM { (String::new(), 0) } else { (input.str()?.to_owned(), input.varint()?) };
            let (entered, shut) = if form < ROOMS { (true, None) } else { (input.bool()?, text(input)?) };
            all.rooms.push(KeptRoom { room, nick, password, bookmarked, leave_out, name, members, entered, shut });
        }
        for _ in 0..if form < ROOMS { 0 } else { input.len()? } {
            all.left.push(input.str()?.to_owned());
        }
        for _ in 0..input.len()? {
            all.invitations.push(KeptInvitation {
                room: input.str()?.to_owned(),
                from: input.str()?.to_owned(),
                direct: input.bool()?,
                reason: input.str()?.to_owned(),
                password: text(input)?,
            });
        }
        input.end()?;
        Some(all)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_survive_their_bytes() {
        let draft = Draft { chat: "bob@x".into(), room: true, time: Time(7), run: b"<body>hi</body>".to_vec() };
        assert_eq!(Draft::decode(&draft.encode()), Some(draft));
        let rooms = KeptRooms {
            rooms: vec![KeptRoom {
                room: "r@y".into(),
                nick: "alice".into(),
                password: Some("hunter2".into()),
                bookmarked: true,
                leave_out: true,
                name: "Garden".into(),
                members: 300,
                entered: true,
                shut: Some("banned".into()),
            }],
            left: vec!["old@y".into()],
            invitations: vec![KeptInvitation { room: "s@y".into(), from: "bob@x".into(), direct: true, reason: "come".into(), password: None }],
        };
        assert_eq!(KeptRooms::decode(&rooms.encode()).as_ref(), Some(&rooms));
        assert!(!format!("{rooms:?}").contains("hunter2"));
        let before = b"\x01\x01\x03r@y\x05alice\x01\x07hunter2\x01\x01\x00";
        let old = KeptRooms::decode(before).expect("of an earlier version");
        let expected = KeptRoom { name: String::new(), members: 0, shut: None, ..rooms.rooms[0].clone() };
        assert_eq!(old.rooms, std::slice::from_ref(&expected));
        let before = b"\x02\x01\x03r@y\x05alice\x01\x07hunter2\x01\x01\x06Garden\x07\x00";
        let old = KeptRooms::decode(before).expect("of an earlier version");
        assert_eq!(old.rooms, [KeptRoom { name: "Garden".into(), members: 7, ..expected }]);
        assert!(KeptRooms::decode(b"\x01\x09").is_none() && Draft::decode(b"\x02").is_none());
        for at in [None, Some(Time(7))] {
            let reached = Reached { id: "a".into(), at };
            assert_eq!(Reached::decode(&reached.encode()), Some(reached));
        }
    }
}
