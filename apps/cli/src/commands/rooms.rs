//! `subrosa room …`: rooms and who is in them.
mod picture;

use super::{ask, confirmed, print};
use crate::args::{OnOff, RoomCommand};
use crate::failure::Failure;
use crate::home::Home;
use crate::rpc::Call;
use crate::rpc::types::{
    Lock, Members, OfAccount, OfRoom, RoomAvatar, RoomCreate, RoomInfo, RoomInvite, RoomJoin, RoomLeave, RoomLeaveOut, RoomLeft, RoomPicture,
    RoomRemove, Rooms,
};
use crate::show::clean;
use serde_json::Value;

pub async fn run(home: &Home, account: Option<&str>, command: RoomCommand) -> Result<(), Failure> {
    match command {
        RoomCommand::List => {
            let rooms: Rooms = ask(home, account, false, Call::Rooms(OfAccount::default())).await?;
            let mut text: String = rooms.rooms.iter().map(info).collect();
            for invited in &rooms.invitations {
                let room = clean(&invited.room);
                let from = crate::show::inviter(clean(&invited.from), &room, invited.by_room);
                let why = invited.reason.as_deref().map_or(String::new(), |why| format!(": {}", clean(why)));
                text.push_str(&format!("{from} invites you to {room}{why}; go in with `subrosa room join {room}`\n"));
            }
            print(if text.is_empty() { "no rooms\n" } else { &text })
        }
        RoomCommand::Create { name, room, nick } => {
            let made: RoomInfo = ask(home, account, false, Call::RoomCreate(RoomCreate { name, room, nick, account: None })).await?;
            print(&format!("made the room {0}; bring people in with `subrosa room invite {0} JID`\n", clean(&made.room)))
        }
        RoomCommand::Join { room, nick } => {
            let joined: RoomInfo = ask(home, account, false, Call::RoomJoin(RoomJoin { room, nick, account: None })).await?;
            print(&info(&joined))
        }
        RoomCommand::Leave { room, destroy, resign, yes } => {
            let question = format!("This ends the room {} for everybody, for good. Go on?", clean(&room));
            if destroy && !yes && !confirmed(&question, "say --yes if the room shall end for everybody")? {
                return print("nothing was done\n");
            }
            let name = clean(&room);
            let left: RoomLeft = ask(home, account, false, Call::RoomLeave(RoomLeave { room, destroy, resign, account: None })).await?;
            let still = "; you remain a member: what is written there goes on being encrypted for you. To end that";
            let still =
                if left.member { format!("{still}, give the membership up with `subrosa room leave {name} --resign`") } else { String::new() };
            print(&format!("{} {name}{still}\n", if destroy { "ended" } else { "left" }))
        }
        RoomCommand::Invite { room, jid, reason } => {
            let text = format!("{} is a member of {} now and was told so\n", clean(&jid), clean(&room));
            ask::<Value>(home, account, false, Call::RoomInvite(RoomInvite { room, jid, reason, account: None })).await?;
            print(&text)
        }
        RoomCommand::Remove { room, jid } => {
            let text = format!("{} is no member of {} any more\n", clean(&jid), clean(&room));
            ask::<Value>(home, account, false, Call::RoomRemove(RoomRemove { room, jid, account: None })).await?;
            print(&text)
        }
        RoomCommand::Members { room } => {
            let list: Members = ask(home, account, false, Call::RoomMembers(OfRoom { room, account: None })).await?;
            let line = |m: &crate::rpc::types::Member| {
                let nick = m.nick.as_deref().map_or_else(|| "away".into(), |nick| format!("here as {}", clean(nick)));
                format!("{:>7}  {}  {nick}\n", clean(&m.affiliation), clean(&m.jid))
            };
            print(&list.members.iter().map(line).collect::<String>())
        }
        RoomCommand::Avatar { room, file, save, remove } => {
            let (data, kind) = file.as_deref().map(picture::read).transpose()?.unzip();
            let said = if data.is_some() { Some("its picture was set") } else { remove.then_some("its picture was taken away") };
            let call = RoomAvatar { room: room.clone(), data, kind: kind.map(str::to_owned), remove, account: None };
            let shown: RoomPicture = ask(home, account, false, Call::RoomAvatar(call)).await?;
            let what = said.map_or_else(|| picture::show(&shown, save.as_deref()), |said| Ok(said.to_owned()))?;
            print(&format!("{}: {what}\n", clean(&room)))
        }
        RoomCommand::LeaveOut { room, choice } => {
            let leave_out = choice == OnOff::On;
            let what = if leave_out { "members without keys can't read what is sent" } else { "nothing is sent while a member has no keys" };
            let text = format!("{}: {what} from here on\n", clean(&room));
            ask::<Value>(home, account, false, Call::RoomLeaveOut(RoomLeaveOut { room, leave_out, account: None })).await?;
            print(&text)
        }
    }
}

fn info(room: &RoomInfo) -> String {
    let name = room.name.as_deref().map_or(String::new(), |name| format!("  {}", clean(name)));
    let here = match (room.joined, room.lock) {
        (true, _) => "in it",
        (false, Lock::Impossible) => "not in it",
        (false, _) => "not connected",
    };
    let lock = match room.lock {
        Lock::Omemo => {
            let but = room.why.as_deref().map_or(String::new(), |why| format!("; {}", clean(why)));
            // how many it has is known once it was entered
            let whom = match room.members {
                0 => "who can read is known once it is entered: `subrosa room members` does that".into(),
                1 => "encrypted, nobody but you is a member".into(),
                all => format!("encrypted to {all} members"),
            };
            format!("{whom}{but}")
        }
        Lock::Clear => "not encrypted".into(),
        Lock::Impossible => format!("nothing can be sent: {}", clean(room.why.as_deref().unwrap_or("it can't be encrypted"))),
    };
    format!("{}{name}  {here}; {lock}\n", clean(&room.room))
}
