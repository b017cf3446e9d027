//! Off the account's lists: this device, which leaves for good, or another own one (XEP-0384 §5.3.2, §6).
//!
//! Invariant: what was not read on this stream is not written, so that nobody who came meanwhile is thrown out.
use crate::directory::{bundle_node, edit_people, list_node};
use crate::join::ask_list_of;
use crate::records::{self, Publication, Stage};
use crate::wire::Version;
use subrosa_engine::*;

/// Takes this device off the account: both lists, both bundles. Nothing is published from here on.
pub(crate) fn leave(cx: &mut Context<'_>) -> Result<(), Halt> {
    let Some(account) = cx.records.edit(records::account())? else { return Ok(()) };
    account.leaving = true;
    cx.network.wake_at(cx.now); // for lists that were refused
    for version in Version::ALL {
        cx.records.put(records::publication(version), Publication { list: Stage::Refused, ..Publication::default() });
    }
    go(cx)
}
/// Off those lists that were read on this stream; the others are asked for, and left when they are there.
pub(crate) fn go(cx: &mut Context<'_>) -> Result<(), Halt> {
    let me = cx.me.clone();
    let Some(device) = cx.records.get(records::account())?.map(|a| a.device) else { return Ok(()) };
    for version in Version::ALL {
        let Some(mut p) = cx.records.get(records::publication(version))?.cloned() else { continue };
        let before = p.clone();
        match off(cx, version, device)? {
            Off::Unread => {
                // one that was refused is asked for again at a wake-up
                if cx.records.get(records::people(&me))?.is_none_or(|people| people.seen(version).is_none()) {
                    cx.network.ask(Request::Fetch(list_node(&me, version)));
                }
            }
            read => {
                // an empty list too: who is offline now is told of what a node holds later, never that it was deleted
                if let Off::Asked(id) = read {
                    p.list = Stage::Asked(id);
                }
                if p.bundle == Stage::Due {
                    p.bundle = Stage::Refused;
                    cx.network.ask(Request::Delete(bundle_node(&me, device, version)));
                }
            }
        }
        if p != before {
            cx.records.put(records::publication(version), p);
        }
    }
    Ok(())
}
/// What became of taking a device off one of our lists.
enum Off {
    /// The list was not read on this stream, and what was not read is not written.
    Unread,
    /// It was not on it.
    Was,
    /// The server is asked.
    Asked(RequestId),
}
fn off(cx: &mut Context<'_>, version: Version, device: u32) -> Result<Off, Halt> {
    let me = cx.me.clone();
    let list = edit_people(cx, &me, |p| {
        let Some(seen) = p.seen(version).filter(|seen| seen.answered) else { return Err(Off::Unread) };
        let mut list = p.list(version);
        let listed = list.len();
        list.retain(|d| d.id != device);
        if list.len() == listed {
            return Err(Off::Was);
        }
        p.learn(version, list.clone(), seen);
        Ok(list)
    })?;
    Ok(match list {
        Ok(list) => Off::Asked(ask_list_of(cx, version, &list)),
        Err(off) => off,
    })
}
/// Takes another own device off: the lists that it is on, its bundles. `false`: the lists have not been read on this stream, and what
/// was not read is not written.
pub(crate) fn remove(cx: &mut Context<'_>, device: u32) -> Result<bool, Halt> {
    let me = cx.me.clone();
    let people = cx.records.get(records::people(&me))?;
    if !Version::ALL.into_iter().any(|v| people.and_then(|p| p.seen(v)).is_some_and(|s| s.answered)) {
        return Ok(false);
    }
    for version in Version::ALL {
        off(cx, version, device)?;
        cx.network.ask(Request::Delete(bundle_node(&me, device, version)));
    }
    Ok(true)
}
