//! Chats of many: who is in which room, and what a person chose for it. Owns one row for each room; knows no transport.
use crate::codec::{Reader, Writer};
use crate::error::Why;
use crate::*;
use std::borrow::Cow;

impl Step<'_> {
    /// The room that this chat is. One that is damaged has nobody in it: nothing leaves, what comes waits, until it is told anew who is.
    pub(crate) fn room(&mut self, chat: &ChatId) -> Result<Option<Room>, Halt> {
        match self.rows().get(row(chat)) {
            Ok(room) => Ok(room.cloned()),
            Err(Halt(Why::Failed(error))) => {
                tracing::error!(%error, "who is in a room is lost until its server says so again");
                Ok(Some(Room::default()))
            }
            Err(cold) => Err(cold),
        }
    }
    /// Whether that says anything new.
    pub(crate) fn set_room(&mut self, chat: &ChatId, members: Option<&[Address]>) -> Result<bool, Halt> {
        let Some(members) = members else {
            self.rows().remove(row(chat));
            return Ok(true);
        };
        let mut members = sorted(members.to_vec());
        members.dedup();
        let before = self.room(chat)?;
        let leave_out = before.as_ref().is_some_and(|room| room.leave_out);
        let new = before.is_none_or(|room| room.members != members);
        if new {
            self.rows().put(row(chat), Room { members, leave_out });
        }
        Ok(new)
    }
    pub(crate) fn set_leave_out(&mut self, chat: &ChatId, leave_out: bool) -> Result<(), Halt> {
        if let Some(room) = self.room(chat)?.filter(|room| room.leave_out != leave_out) {
            self.rows().put(row(chat), Room { leave_out, ..room });
        }
        Ok(())
    }
}
/// Whom a message is for, by name. `None`: for a room that we don't know, or in which nobody is.
pub(crate) fn resolve<'r>(to: &'r Recipients, room: Option<&Room>) -> Option<Cow<'r, Recipients>> {
    match to {
        Recipients::Room => room.filter(|room| !room.members.is_empty()).map(|room| Cow::Owned(Recipients::People(room.members.clone()))),
        to => Some(Cow::Borrowed(to)),
    }
}
fn row(chat: &ChatId) -> RowOf<Room> {
    RowOf::person("room", &chat.0)
}
impl Record for Room {
    fn encode(&self) -> Vec<u8> {
        let mut out = Writer::versioned(1);
        out.bool(self.leave_out).len(self.members.len());
        self.members.iter().for_each(|member| {
            out.str(member.as_str());
        });
        out.into_bytes()
    }
    fn decode(bytes: &[u8]) -> Option<Self> {
        let input = &mut Reader::versioned(bytes, 1)?;
        let leave_out = input.bool()?;
        let members = (0..input.len()?).map(|_| input.str().map(Address::from)).collect::<Option<_>>()?;
        input.end().map(|()| Room { members, leave_out })
    }
}
