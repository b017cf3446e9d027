//! Who sent a message of a room whose server does not say: the member whose key it is.
//!
//! Invariants: only members, and ourselves, are thought of; a session that is there proves its owner by decrypting, an exchange only if its
//! identity key is the one that the member's device is known by; a hostile message costs a bounded number of tries.
use super::{Read, Unread, read};
use crate::directory::refresh;
use crate::records;
use crate::wire::Version;
use crate::wire::encrypted::{Encrypted, Key};
use std::cmp::Reverse;
use subrosa_engine::*;
use subrosa_ratchet::{KeyExchange, Legacy, MessageKind, Omemo2, Profile};

/// The most ratchet messages that are tried for one stanza.
const TRIES: usize = 16;

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
pub(super) fn read_any(cx: &mut Context<'_>, room: &Room, senders: Vec<Device>, found: &Encrypted) -> Result<Option<(Device, Read)>, Halt> {
    // a device of nobody: our lists may be old
    if senders.is_empty() {
        room.members.iter().try_for_each(|member| refresh(cx, member))?;
    }
    let (mut left, mut unread) = (TRIES, None);
    for device in senders {
        let (mut keys, exchanges) = theirs(cx, &device, found)?;
        keys.truncate(left);
        left = left.saturating_sub(keys.len());
        if keys.is_empty() {
            continue;
        }
        match read(cx, &device, found, &keys)? {
            Err(Unread::Duplicate) => return Ok(Some((device, Err(Unread::Duplicate)))),
            Err(why) if exchanges && unread.is_none() => unread = Some((device, Err(why))),
            Err(_) => {}
            read => return Ok(Some((device, read))),
        }
    }
    Ok(unread)
}
/// Those of the keys that may be this device's, and whether one is an exchange.
fn theirs(cx: &mut Context<'_>, device: &Device, found: &Encrypted) -> Result<(Vec<Key>, bool), Halt> {
    match found.version {
        Version::Omemo2 => theirs_of::<Omemo2>(cx, device, found),
        Version::Legacy => theirs_of::<Legacy>(cx, device, found),
    }
}
fn theirs_of<P: Profile>(cx: &mut Context<'_>, device: &Device, found: &Encrypted) -> Result<(Vec<Key>, bool), Halt> {
    let session = cx.records.get(records::session(device))?.is_some();
    let (mut keys, mut exchanges) = (Vec::new(), false);
    let mut known = None;
    for key in &found.keys {
        let is_theirs = match MessageKind::sniff::<P>(&key.data) {
            Some(MessageKind::Message) => session,
            Some(MessageKind::KeyExchange) => {
                let shown = KeyExchange::<P>::parse(&key.data).ok().map(|exchange| Fingerprint(exchange.identity().fingerprint()));
                if known.is_none() {
                    known = Some(key_of(cx, device)?);
                }
                shown.is_some() && known == Some(shown)
            }
            None => false,
        };
        if is_theirs {
            exchanges |= MessageKind::sniff::<P>(&key.data) == Some(MessageKind::KeyExchange);
            keys.push(key.clone());
        }
    }
    Ok((keys, exchanges))
}
/// The identity key that a device is known by.
fn key_of(cx: &mut Context<'_>, device: &Device) -> Result<Option<Fingerprint>, Halt> {
    let identities = cx.identities(&device.owner)?;
    Ok(identities.into_iter().find(|known| known.current && known.device == *device).map(|known| known.key))
}
