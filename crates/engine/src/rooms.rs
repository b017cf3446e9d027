//! Chats of many: who is in which room, and what a person chose for it. Owns one row for each room; knows no transport.
//!
//! Invariant: what was told of members on an earlier stream, or before we were out of the room, lets nothing leave: who was put out
//! meanwhile would get keys.
use crate::codec::{Reader, Writer};
use crate::error::Why;
use crate::house::Count;
use crate::*;
use std::borrow::Cow;

/// Of what was told, when it holds no more. No stream has this number, nor the one that stands for a damaged one.
const NO_STREAM: u64 = u64::MAX - 1;

impl Step<'_> {
    /// The room that this chat is. One that is damaged has nobody in it: nothing leaves, what comes waits, until it is told anew who is.
    pub(crate) fn room(&mut self, chat: &ChatId) -> Result<Option<Room>, Halt> {
        Ok(self.told(chat)?.map(|told| told.room))
    }
    /// The same to write to: inner `None`, if who is in it was not told since the last stream began.
    pub(crate) fn room_now(&mut self, chat: &ChatId) -> Result<Option<Option<Room>>, Halt> {
        let stream = self.stream()?;
        Ok(self.told(chat)?.map(|told| (told.stream == stream).then_some(told.room)))
    }
    fn told(&mut self, chat: &ChatId) -> Result<Option<Told>, Halt> {
        match self.rows().get(row(chat)) {
            Ok(told) => Ok(told.cloned()),
            Err(Halt(Why::Failed(error))) => {
                tracing::error!(%error, "who is in a room is lost until its server says so again");
                Ok(Some(Told::default()))
            }
            Err(cold) => Err(cold),
        }
    }
    fn stream(&mut self) -> Result<u64, Halt> {
        match self.rows().get(streams()) {
            Ok(stream) => Ok(stream.map_or(0, |stream| stream.0)),
            // no room has this one: all are told anew
            Err(Halt(Why::Failed(_))) => Ok(u64::MAX),
            Err(cold) => Err(cold),
        }
    }
    /// A new stream.
    pub(crate) fn new_stream(&mut self) -> Result<(), Halt> {
        // a damaged number goes on far above any that was
        let stream = self.stream()?.checked_add(1).unwrap_or(1 << 62);
        self.rows().put(streams(), Count(stream));
        Ok(())
    }
    /// What was told of a room holds no more.
    pub(crate) fn forget_stream(&mut self, chat: &ChatId) -> Result<(), Halt> {
        if let Some(mut told) = self.told(chat)?.filter(|told| told.stream != NO_STREAM) {
            told.stream = NO_STREAM;
            self.rows().put(row(chat), told);
        }
        Ok(())
    }
    /// Whether that says anything new of who is in it.
    pub(crate) fn set_room(&mut self, chat: &ChatId, members: Option<&[Address]>) -> Result<bool, Halt> {
        let Some(members) = members else {
            self.rows().remove(row(chat));
            return Ok(true);
        };
        let mut members = sorted(members.to_vec());
        members.dedup();
        let (before, stream) = (self.told(chat)?, self.stream()?);
        let leave_out = before.as_ref().is_some_and(|told| told.room.leave_out);
        let told = Told { room: Room { members, leave_out }, stream };
        let new = before.as_ref().is_none_or(|before| before.room.members != told.room.members);
        if before.as_ref() != Some(&told) {
            self.rows().put(row(chat), told);
        }
        Ok(new)
    }
    pub(crate) fn set_leave_out(&mut self, chat: &ChatId, leave_out: bool) -> Result<(), Halt> {
        if let Some(mut told) = self.told(chat)?.filter(|told| told.room.leave_out != leave_out) {
            told.room.leave_out = leave_out;
            self.rows().put(row(chat), told);
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
fn row(chat: &ChatId) -> RowOf<Told> {
    RowOf::person("room", &chat.0)
}
fn streams() -> RowOf<Count> {
    RowOf::single("stream")
}
/// A room, as it was told on a stream.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Told {
    room: Room,
    stream: u64,
}
/// Version 1 had no stream.
impl Record for Told {
    fn encode(&self) -> Vec<u8> {
        let mut out = Writer::versioned(2);
        out.varint(self.stream).bool(self.room.leave_out).len(self.room.members.len());
        self.room.members.iter().for_each(|member| {
            out.str(member.as_str());
        });
        out.into_bytes()
    }
    fn decode(bytes: &[u8]) -> Option<Self> {
        let old = bytes.first() == Some(&1);
        let input = &mut Reader::versioned(bytes, if old { 1 } else { 2 })?;
        let (stream, leave_out) = (if old { 0 } else { input.varint()? }, input.bool()?);
        let members = (0..input.len()?).map(|_| input.str().map(Address::from)).collect::<Option<_>>()?;
        input.end().map(|()| Told { room: Room { members, leave_out }, stream })
    }
}
#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_come_back_and_old_ones_are_read() {
        let told = Told { room: Room { members: vec!["bob@x".into(), "carol@x".into()], leave_out: true }, stream: 300 };
        assert_eq!(Told::decode(&told.encode()), Some(told.clone()));
        let old = [b"\x01\x01\x02\x05bob@x".as_slice(), b"\x07carol@x"].concat();
        assert_eq!(Told::decode(&old), Some(Told { stream: 0, ..told }));
        assert!(Count::decode(&Count(7).encode()).is_some_and(|stream| stream.0 == 7));
    }
}
