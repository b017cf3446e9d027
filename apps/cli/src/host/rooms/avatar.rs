//! Pictures of rooms (XEP-0486), as callers have them: base64 of a file that they name the type of. What is in it is never looked at.
use super::super::drive::Drive;
use super::super::link::RoomAsk;
use super::super::sends::Waiter;
use super::book::What;
use crate::failure::Failure;
use crate::rpc::Call;
use crate::rpc::types::{RoomAvatar, RoomPicture};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use subrosa_xmpp::avatar::{MAX_PICTURE, Picture};

impl Drive {
    /// Shows it, sets it, or takes it away.
    pub(in super::super) fn room_avatar(&mut self, wanted: RoomAvatar, waiter: Waiter) {
        let picture = match (&wanted.data, &wanted.kind, wanted.remove) {
            (None, None, remove) => Ok(remove.then_some(None)),
            (Some(data), Some(kind), false) => read(data, kind).map(|picture| Some(Some(picture))),
            _ => Err(Failure::usage("a picture has `data` and `type`; to take it away say `remove` alone")),
        };
        let picture = match picture {
            Ok(picture) => picture,
            Err(failure) => return drop(waiter.send(Err(failure))),
        };
        let again = || Call::RoomAvatar(wanted.clone());
        let Some((room, waiter)) = self.enters_first(&wanted.room, again, waiter) else { return };
        let (ask, what) = match picture {
            None => (RoomAsk::Avatar { room: room.clone() }, What::Avatar),
            Some(picture) => (RoomAsk::SetAvatar { room: room.clone(), picture }, What::AvatarSet),
        };
        self.link.room(ask);
        self.wait(room, what, waiter);
    }
}
fn read(data: &str, kind: &str) -> Result<Picture, Failure> {
    let bytes = STANDARD.decode(data).map_err(|_| Failure::usage("`data` is no base64"))?;
    let limit = MAX_PICTURE / 1024;
    let why = format!("a room's picture has 1 byte to {limit} KiB and a type of images, like image/png; make it smaller, or name its type");
    Picture::new(kind, bytes).ok_or_else(|| Failure::usage(why))
}
/// The answer.
pub(super) fn shown(picture: Option<&Picture>) -> RoomPicture {
    RoomPicture {
        kind: picture.map(|picture| picture.kind().to_owned()),
        data: picture.map(|picture| STANDARD.encode(picture.bytes())),
        id: picture.map(Picture::id),
    }
}
