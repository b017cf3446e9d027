//! Who sent a message of a room: whoever it names, if the key is theirs, and where its server does not say, the member whose key it is.
//!
//! Invariants: only members, and ourselves, are thought of; a session that is there proves its owner by decrypting, an exchange only if its
//! identity key is the one that the member's device is known by. Anybody can publish another's bundle as their own, so that a key may be
//! known as that of two: then it is whose session has the exchange, else whose key a person compared, else whom the envelope names, else
//! nobody's. A hostile message costs a bounded number of tries.
use super::{Read, Unread, is_bare, read};
use crate::directory::{bundle_node, refresh};
use crate::records::{self, Flag, Spoken};
use crate::wire::encrypted::{Encrypted, Key, MAX_OWN_KEYS};
use crate::wire::{Version, sce};
use std::cmp::Reverse;
use subrosa_engine::*;
use subrosa_ratchet::{KeyExchange, Legacy, MessageKind, Omemo2};

/// The most ratchet messages that are tried for one stanza.
const TRIES: usize = 2 * MAX_OWN_KEYS;

/// The devices with this number that members have, or ourselves; whoever was heard of last comes first.
pub(super) fn senders(cx: &mut Context<'_>, room: &Room, sid: u32) -> Result<Vec<Device>, Halt> {
    let me = cx.me.clone();
    let owners = || room.members.iter().chain((!room.members.contains(&me)).then_some(&me));
    cx.records.warm(owners().map(records::people))?;
    let mut devices = Vec::new();
    for owner in owners() {
        if cx.records.get(records::people(owner))?.and_then(|people| people.find(sid)).is_some() {
            devices.push(Device::of(owner, sid));
        }
    }
    if devices.len() > 1 {
        cx.records.warm(devices.iter().map(records::session))?;
        let mut heard = Vec::with_capacity(devices.len());
        for device in devices {
            let time = cx.records.get(records::session(&device))?.map_or(Time(0), |session| session.heard);
            heard.push((Reverse(time), device));
        }
        devices = sorted_by_key(heard, |(heard, _)| *heard).into_iter().map(|(_, device)| device).collect();
    }
    Ok(devices)
}
/// Reads it as from each of them. `None`: it is nobody's of whom we know. Where an exchange names a member's key and can't be read, its
/// reason is told of them.
pub(super) fn read_any(
    cx: &mut Context<'_>,
    message: &Incoming<'_>,
    room: &Room,
    senders: Vec<Device>,
    found: &Encrypted,
) -> Result<Option<(Device, Read)>, Halt> {
    // a device of nobody: our lists may be old
    if senders.is_empty() {
        room.members.iter().try_for_each(|member| refresh(cx, member))?;
    }
    let mut claims = Vec::with_capacity(senders.len());
    for device in senders {
        let (keys, by) = theirs(cx, &device, found)?;
        claims.push(Claim { device, keys, by });
    }
    let contested = contested(&mut claims);
    let (mut left, mut unread) = (TRIES, None);
    for Claim { device, mut keys, by } in claims {
        keys.truncate(left);
        left = left.saturating_sub(keys.len());
        if keys.is_empty() {
            continue;
        }
        let exchange = by >= By::Key;
        let read = if contested && exchange { read_named(cx, message, &device, found, &keys)? } else { read(cx, message, &device, found, &keys)? };
        match read {
            Err(Unread::Duplicate) => return Ok(Some((device, Err(Unread::Duplicate)))),
            Err(why) if exchange && !contested && unread.is_none() => unread = Some((device, Err(why))),
            Err(_) => {}
            read => return Ok(Some((device, read))),
        }
    }
    Ok(unread)
}
/// Keys of a message that may be this device's.
struct Claim {
    device: Device,
    keys: Vec<Key>,
    by: By,
}
/// What speaks for that, the weakest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum By {
    /// A session, as soon as it decrypts: there is no exchange.
    Session,
    /// The identity key in an exchange.
    Key,
    /// That, and a person compared the key.
    Compared,
    /// The session has come of this exchange.
    Exchange,
}
/// Leaves the strongest of those whose key an exchange shows. Whether they are still more than one.
fn contested(claims: &mut Vec<Claim>) -> bool {
    let Some(best) = claims.iter().map(|claim| claim.by).max().filter(|best| *best >= By::Key) else { return false };
    claims.retain(|claim| claim.by == By::Session || claim.by == best);
    claims.iter().filter(|claim| claim.by == best).count() > 1
}
/// Only if the envelope names its author.
fn read_named(cx: &mut Context<'_>, message: &Incoming<'_>, device: &Device, found: &Encrypted, keys: &[Key]) -> Result<Read, Halt> {
    cx.attempt(|cx| {
        Ok(read(cx, message, device, found, keys)?.and_then(|(opened, plain)| {
            let envelope = plain.as_ref().filter(|_| found.version == Version::Omemo2).and_then(|plain| sce::parse(plain).ok());
            let author = envelope.and_then(|envelope| envelope.from);
            if author.is_some_and(|author| is_bare(&author, &device.owner)) {
                Ok((opened, plain))
            } else {
                Err(Unread::Reason(Reason::UnknownMember))
            }
        }))
    })
}
/// Those of the keys that may be this device's, and by what.
fn theirs(cx: &mut Context<'_>, device: &Device, found: &Encrypted) -> Result<(Vec<Key>, By), Halt> {
    match found.version {
        Version::Omemo2 => theirs_of::<Omemo2>(cx, device, found),
        Version::Legacy => theirs_of::<Legacy>(cx, device, found),
    }
}
fn theirs_of<P: Spoken>(cx: &mut Context<'_>, device: &Device, found: &Encrypted) -> Result<(Vec<Key>, By), Halt> {
    let session = cx.records.get(records::session(device))?.is_some();
    let (mut keys, mut by) = (Vec::new(), By::Session);
    let mut known = None;
    for key in &found.keys {
        let is_theirs = match MessageKind::sniff::<P>(&key.data) {
            Some(MessageKind::Message) => session,
            Some(MessageKind::KeyExchange) => {
                let Ok(exchange) = KeyExchange::<P>::parse(&key.data) else { continue };
                if known.is_none() {
                    known = Some(key_of(cx, device)?);
                }
                let shown = Fingerprint(exchange.identity().fingerprint());
                let worth = known.flatten().filter(|(key, _)| *key == shown).map(|(_, trust)| trust);
                if let Some(worth) = worth {
                    let made = session && cx.records.edit(records::session(device))?.and_then(|s| s.of::<P>()).is_some_and(|s| s.knows(&exchange));
                    by = by.max(if made {
                        By::Exchange
                    } else if worth == Trust::Verified {
                        By::Compared
                    } else {
                        By::Key
                    });
                }
                worth.is_some()
            }
            None => false,
        };
        if is_theirs {
            keys.push(key.clone());
        }
    }
    Ok((keys, by))
}
/// A room names who wrote, and may name anybody. So before a device is met by an exchange there, its owner's server is asked for the key
/// that it has; only where that has none to hand out, the room is believed: what is said is shown, and its key is nobody's choice yet.
pub(super) fn vouched(cx: &mut Context<'_>, device: &Device, found: &Encrypted) -> Result<Option<Pending>, Halt> {
    // by the bytes, as it will be read
    let kind = |key: &Key| match found.version {
        Version::Omemo2 => MessageKind::sniff::<Omemo2>(&key.data),
        Version::Legacy => MessageKind::sniff::<Legacy>(&key.data),
    };
    let meets = found.keys.iter().any(|key| kind(key) == Some(MessageKind::KeyExchange));
    let Some(id) = records::number(device).filter(|_| meets) else { return Ok(None) };
    if key_of(cx, device)?.is_some() {
        return Ok(None);
    }
    // one that is on no list gets no words, whatever its key; where the list was asked for just now, it may be on it
    let listed = cx.records.get(records::people(&device.owner))?.and_then(|people| people.find(id)).and_then(|entry| entry.version());
    if let Some(version) = listed {
        if cx.records.get(records::absent(device, version))?.is_some_and(|absent| !absent.is_stale(cx.now)) {
            return Ok(None);
        }
        cx.records.put(records::key_wanted(device), Flag);
        cx.network.ask(Request::Fetch(bundle_node(&device.owner, id, version)));
    }
    Ok(cx.network.until_answered())
}
/// The identity key that a device is known by, and what it is worth.
fn key_of(cx: &mut Context<'_>, device: &Device) -> Result<Option<(Fingerprint, Trust)>, Halt> {
    let identities = cx.identities(&device.owner)?;
    Ok(identities.into_iter().find(|known| known.current && known.device == *device).map(|known| (known.key, known.trust)))
}
