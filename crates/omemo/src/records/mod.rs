//! What OMEMO remembers, one row each: all state there is, so that nothing can be ahead of the disk.
//!
//! Owns names, shapes and stored forms of the rows. Knows no rule about when they change.
mod account;
mod chats;
mod devices;
mod imported;
mod memory;
mod session;
#[cfg(test)]
mod tests;
mod verdicts;

pub(crate) use account::{Account, Connection, Label, Ours, PreKeyPool, Publication, Stage, later, next_id};
pub(crate) use chats::OptOut;
pub(crate) use devices::{Absent, Flag, Heal, People, Seen};
pub(crate) use imported::Imported;
pub(crate) use memory::{Heals, Memory, Peers};
pub(crate) use session::{Part, Ratchet, SessionRecord, Spoken};
pub(crate) use verdicts::{Kept, Outbox, Statement, Subject, Verdict, Verdicts};

use crate::wire::Version;
use subrosa_engine::{Address, ChatId, Device, DeviceId, RowOf};

/// This device: identity, id, signed prekeys. No row: the account has not joined.
pub(crate) fn account() -> RowOf<Account> {
    RowOf::single("account")
}
/// What came along with an identity that was taken over.
pub(crate) fn imported() -> RowOf<Imported> {
    RowOf::single("imported")
}
/// The one-time prekeys of one version.
pub(crate) fn pool(version: Version) -> RowOf<PreKeyPool> {
    RowOf::single(match version {
        Version::Omemo2 => "prekeys-2",
        Version::Legacy => "prekeys-1",
    })
}
/// How far this device is published in one version.
pub(crate) fn publication(version: Version) -> RowOf<Publication> {
    RowOf::single(match version {
        Version::Omemo2 => "publication-2",
        Version::Legacy => "publication-1",
    })
}
/// How old this memory is.
pub(crate) fn memory() -> RowOf<Memory> {
    RowOf::single("memory")
}
/// A share of the people with whose devices there are or were sessions.
pub(crate) fn peers(share: u8) -> RowOf<Peers> {
    RowOf::numbered("peers", share.into())
}
/// How many lost sessions were set up again of late.
pub(crate) fn heals() -> RowOf<Heals> {
    RowOf::single("heals")
}
/// What this device is called.
pub(crate) fn label() -> RowOf<Label> {
    RowOf::single("label")
}
/// The stream to the server.
pub(crate) fn connection() -> RowOf<Connection> {
    RowOf::single("connection")
}
/// The devices of a person, of both versions.
pub(crate) fn people(owner: &Address) -> RowOf<People> {
    RowOf::person("devices", owner)
}
/// The session with a device, whatever its version.
pub(crate) fn session(device: &Device) -> RowOf<SessionRecord> {
    RowOf::device("session", device)
}
/// Why there is no session in this version.
pub(crate) fn absent(device: &Device, version: Version) -> RowOf<Absent> {
    RowOf::device(
        match version {
            Version::Omemo2 => "absent-2",
            Version::Legacy => "absent-1",
        },
        device,
    )
}
/// That of its bundle the identity key only is wanted: somebody else says that it wrote.
pub(crate) fn key_wanted(device: &Device) -> RowOf<Flag> {
    RowOf::device("key-wanted", device)
}
/// That a person was told that a device is spoken to in an older version than before.
pub(crate) fn downgraded(device: &Device) -> RowOf<Flag> {
    RowOf::device("downgraded", device)
}
/// When a lost session with a device was last set up again.
pub(crate) fn heal(device: &Device) -> RowOf<Heal> {
    RowOf::device("heal", device)
}
/// The last words about a person's keys.
pub(crate) fn verdicts(owner: &Address) -> RowOf<Verdicts> {
    RowOf::person("verdicts", owner)
}
/// What a device said about keys before it was verified.
pub(crate) fn kept(device: &Device) -> RowOf<Kept> {
    RowOf::device("trust-kept", device)
}
/// Decisions that others are still to be told.
pub(crate) fn outbox() -> RowOf<Outbox> {
    RowOf::single("trust-outbox")
}
/// That the other side of a chat will not encrypt any more.
pub(crate) fn opt_out(chat: &ChatId) -> RowOf<OptOut> {
    RowOf::person("opt-out", &chat.0)
}
/// The number of a device; OMEMO has no named ones.
pub(crate) fn number(device: &Device) -> Option<u32> {
    match device.id {
        DeviceId::Number(n) => Some(n),
        DeviceId::Name(_) => None,
    }
}
/// Index of what is kept for each version.
pub(crate) const fn slot(version: Version) -> usize {
    match version {
        Version::Omemo2 => 0,
        Version::Legacy => 1,
    }
}
