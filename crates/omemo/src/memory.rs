//! Whether this memory is older than what was done with it: a store that was put back from a copy. Then its next keys were used, and
//! nothing may be encrypted with them again.
//!
//! Two things show it. What is published for this device, signed by its identity key, has keys that are not made yet: looked at in every
//! process, before anything is encrypted or published. And a message of ours comes back, by a room or an archive, that was made with a
//! message key which a session has yet to use. Then, once: a new epoch, in which no session of before sends; new keys in the bundles,
//! with numbers above those published; an empty message to the devices that had sessions, some at a time, so that they learn.
//!
//! Not to be seen: what was lost used no prekey, and no message of it comes back; or its messages come back under ratchet keys that are
//! not known here; or the server hides what is published.
use crate::directory::{bundle_node, pick};
use crate::heal;
use crate::join;
use crate::records::{self, Memory, Peers, later, slot};
use crate::wire::Version;
use crate::wire::bundle::Bundle;
use crate::wire::encrypted::Encrypted;
use std::time::Duration;
use subrosa_engine::*;
use subrosa_ratchet::{Legacy, Omemo2, Trace};

/// How often the server may leave the question for an own bundle unanswered before nothing can be compared.
const TRIES: u8 = 3;
/// Shares that people with sessions are kept in.
const SHARES: u8 = 64;
/// Devices that are told at a time, and what is between two times.
const AT_A_TIME: usize = 20;
const BETWEEN: Duration = Duration::from_secs(10);
/// Own messages that came back name at most so many sessions that are looked at.
const LOOKS: usize = 64;

fn memory(cx: &mut Context<'_>) -> Result<Memory, Halt> {
    let process = cx.network.process();
    let memory = cx.records.get(records::memory())?.copied().unwrap_or_default();
    let anew = Memory { process, compared: [false; 2], tries: 0, noticed: false, ..memory };
    Ok(if memory.process == process { memory } else { anew })
}
fn edit(cx: &mut Context<'_>, f: impl FnOnce(&mut Memory)) -> Result<(), Halt> {
    let mut memory = memory(cx)?;
    f(&mut memory);
    cx.records.put(records::memory(), memory);
    Ok(())
}
/// Sessions of an earlier one are closed.
pub(crate) fn epoch(cx: &mut Context<'_>) -> Result<u32, Halt> {
    Ok(cx.records.get(records::memory())?.map_or(0, |m| m.epoch))
}
/// The one whose sessions may send now: before anything was compared those that stand may be old. Sessions made since are new.
pub(crate) fn sending(cx: &mut Context<'_>) -> Result<u32, Halt> {
    Ok(if is_compared(cx)? { epoch(cx)? } else { NONE })
}
/// No session is of it.
const NONE: u32 = u32::MAX;
/// Whether what the server has was compared in this process, or can't be.
pub(crate) fn is_compared(cx: &mut Context<'_>) -> Result<bool, Halt> {
    Ok(memory(cx)?.compared == [true; 2])
}
/// Asks for what is left to compare. `true`: nothing.
pub(crate) fn compare(cx: &mut Context<'_>) -> Result<bool, Halt> {
    let Some(device) = cx.records.get(records::account())?.filter(|a| !a.leaving).map(|a| a.device) else { return Ok(true) };
    let (memory, me) = (memory(cx)?, cx.me.clone());
    for (version, _) in Version::ALL.into_iter().zip(memory.compared).filter(|(_, compared)| !compared) {
        cx.network.ask(Request::Fetch(bundle_node(&me, device, version)));
    }
    Ok(memory.compared == [true; 2])
}
/// A new identity: nothing was done with it.
pub(crate) fn begins(cx: &mut Context<'_>) -> Result<(), Halt> {
    edit(cx, |m| m.compared = [true; 2])
}
/// The server did not say what it has: asked again a few times, then it can't be compared.
pub(crate) fn unanswered(cx: &mut Context<'_>, version: Version, error: &RequestError) -> Result<(), Halt> {
    if memory(cx)?.compared == [true; 2] {
        return Ok(());
    }
    edit(cx, |m| {
        m.tries = m.tries.saturating_add(1);
        if *error != RequestError::Unreachable || m.tries >= TRIES {
            set_compared(m, version);
        }
    })
}
fn set_compared(memory: &mut Memory, version: Version) {
    if let Some(flag) = memory.compared.get_mut(slot(version)) {
        *flag = true;
    }
    if let Some(flag) = memory.explained.get_mut(slot(version)) {
        *flag = false;
    }
}
/// What the server has. Whether this memory is old, which explains what is there.
pub(crate) fn compared(cx: &mut Context<'_>, version: Version, there: Option<&Bundle>) -> Result<bool, Halt> {
    let ahead = match there {
        Some(there) => ahead(cx, version, there)?,
        None => None,
    };
    let explained = memory(cx)?.explained.get(slot(version)).copied().unwrap_or_default();
    edit(cx, |m| set_compared(m, version))?;
    let Some(Ahead { signed, pre_key }) = ahead else { return Ok(explained || memory(cx)?.noticed) };
    if let Some(pool) = cx.records.edit(records::pool(version))? {
        pool.renew(pre_key);
    }
    if !explained {
        notice(cx, signed)?;
    } else if signed.is_some()
        && let Some(account) = cx.records.edit(records::account())?
    {
        account.rotate_above(signed, cx.now, cx.rng);
    }
    Ok(true)
}
/// The highest numbers that are published and not made yet.
struct Ahead {
    signed: Option<u32>,
    pre_key: Option<u32>,
}
fn ahead(cx: &mut Context<'_>, version: Version, there: &Bundle) -> Result<Option<Ahead>, Halt> {
    let genuine = match version {
        Version::Omemo2 => pick::<Omemo2>(cx, there).is_ok(),
        Version::Legacy => pick::<Legacy>(cx, there).is_ok(),
    };
    let Some(pool) = cx.records.get(records::pool(version))? else { return Ok(None) };
    let pre_key = there.prekeys.iter().map(|(id, _)| *id).filter(|id| pool.is_future(*id)).reduce(|a, b| if later(a, b) { a } else { b });
    let Some(account) = cx.records.get(records::account())? else { return Ok(None) };
    if !genuine || account.identity_key(version) != there.identity_key {
        return Ok(None); // damaged, or somebody else's
    }
    let known = [Some(&account.signed), account.previous.as_ref()].into_iter().flatten();
    let made_here = known.into_iter().any(|k| k.id == there.signed_prekey_id && *k.pair.public().as_bytes() == there.signed_prekey);
    let signed = Some(there.signed_prekey_id).filter(|id| !made_here && later(*id, account.signed.id));
    Ok((signed.is_some() || pre_key.is_some()).then_some(Ahead { signed, pre_key }))
}
/// A message of ours came back.
pub(crate) fn reflected(cx: &mut Context<'_>, message: &Incoming<'_>, found: &Encrypted) -> Result<(), Halt> {
    let memory = memory(cx)?;
    if memory.noticed {
        return Ok(());
    }
    let me = cx.me.clone();
    if let (Some(room), false) = (message.room, found.sent.iter().all(|sent| sent.jid.is_some())) {
        cx.records.warm(room.members.iter().map(records::people))?;
    }
    let mut looks = LOOKS;
    for sent in &found.sent {
        // legacy keys don't say whose they are
        let owners: Vec<Address> = match (&sent.jid, message.room) {
            (Some(jid), _) => vec![Address::from(jid.as_str())],
            (None, Some(room)) => room.members.iter().chain([&me]).cloned().collect(),
            (None, None) => vec![message.chat.0.clone(), me.clone()],
        };
        for owner in owners {
            if cx.records.get(records::people(&owner))?.and_then(|p| p.find(sent.rid)).is_none() {
                continue;
            }
            let Some(left) = looks.checked_sub(1) else { return Ok(()) };
            looks = left;
            let session = cx.records.get(records::session(&Device::of(&owner, sent.rid)))?;
            let trace = session.filter(|s| s.epoch == memory.epoch).and_then(|s| s.in_version(found.version)).and_then(|r| r.trace(&sent.data));
            if trace == Some(Trace::Ahead) {
                notice(cx, None)?;
                return Version::ALL.into_iter().try_for_each(|v| join::bundle_changed(cx, v));
            }
        }
    }
    Ok(())
}
/// This memory is old.
fn notice(cx: &mut Context<'_>, signed: Option<u32>) -> Result<(), Halt> {
    if memory(cx)?.noticed {
        return Ok(());
    }
    edit(cx, |m| {
        (m.noticed, m.epoch, m.telling) = (true, m.epoch.saturating_add(1), Some(0));
        m.explained = m.compared.map(|compared| !compared);
    })?;
    if let Some(account) = cx.records.edit(records::account())? {
        account.rotate_above(signed, cx.now, cx.rng);
    }
    cx.network.emit(Event::Warning { warning: Warning::RolledBack, chat: None, device: None });
    tell(cx)
}
/// Sessions start anew with the next of those that had any.
pub(crate) fn tell(cx: &mut Context<'_>) -> Result<(), Halt> {
    let memory = memory(cx)?;
    let Some(mut share) = memory.telling else { return Ok(()) };
    let mut told = 0usize;
    cx.records.warm((share..SHARES).map(records::peers))?;
    while share < SHARES && told < AT_A_TIME {
        let owners = cx.records.get(records::peers(share))?.map(|p| p.0.clone()).unwrap_or_default();
        cx.records.warm(owners.iter().map(records::people))?;
        for owner in owners {
            told = told.saturating_add(tell_devices(cx, &owner, memory.epoch)?);
        }
        share = share.saturating_add(1);
    }
    let telling = (share < SHARES).then_some(share);
    edit(cx, |m| m.telling = telling)?;
    if telling.is_some() {
        cx.network.wake_at(cx.now.after(BETWEEN));
    }
    Ok(())
}
fn tell_devices(cx: &mut Context<'_>, owner: &Address, epoch: u32) -> Result<usize, Halt> {
    let listed: Vec<(u32, Version)> =
        cx.records.get(records::people(owner))?.map(|p| p.listed().filter_map(|e| Some((e.id, e.version()?))).collect()).unwrap_or_default();
    cx.records.warm(listed.iter().map(|(id, _)| records::session(&Device::of(owner, *id))))?;
    let mut told = 0usize;
    for (id, version) in listed {
        let device = Device::of(owner, id);
        if cx.records.get(records::session(&device))?.is_some_and(|s| s.epoch != epoch) {
            heal::ask(cx, &device, id, version);
            told = told.saturating_add(1);
        }
    }
    Ok(told)
}
/// There is a session with a device of somebody.
pub(crate) fn met(cx: &mut Context<'_>, owner: &Address) -> Result<(), Halt> {
    // FNV-1a: stored, so it never changes
    let spread = owner.as_str().bytes().fold(0x811c_9dc5, |h: u32, b| (h ^ u32::from(b)).wrapping_mul(0x0100_0193));
    let share = u8::try_from(spread.checked_rem(SHARES.into()).unwrap_or(0)).unwrap_or(0);
    match cx.records.get(records::peers(share))?.map(|peers| peers.0.contains(owner)) {
        Some(true) => {}
        Some(false) => {
            if let Some(peers) = cx.records.edit(records::peers(share))? {
                peers.0.push(owner.clone());
            }
        }
        None => cx.records.put(records::peers(share), Peers(vec![owner.clone()])),
    }
    Ok(())
}
