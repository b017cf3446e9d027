//! Lost sessions are set up again: a new one from the device's bundle, and an empty message that says so (XEP-0384 §6).
//!
//! OMEMO 2 does so for a message without a session only; legacy clients expect it for any message that can't be read. Owns when and how
//! often: whoever writes such messages may be anybody, so that each device and all together have a limit.
use crate::directory::bundle_node;
use crate::records::{self, Heal, Heals};
use crate::wire::Version;
use std::time::Duration;
use subrosa_engine::*;

/// A lost session is set up again this often at most.
const PAUSE: Duration = Duration::from_secs(60 * 60);
/// All lost sessions together, in that time.
pub(crate) const MOST: u32 = 120;

/// A message for a session that we don't have, or of one that is closed here: legacy ones by the rule for those that can't be read.
pub(crate) fn start_over(cx: &mut Context<'_>, device: &Device, version: Version) -> Result<(), Halt> {
    let recent = cx.records.get(records::heal(device))?.is_some_and(|h| cx.now < h.at.after(PAUSE));
    if recent { Ok(()) } else { start(cx, device, version) }
}
/// A legacy message with words that can't be read: once for each connection. OMEMO 2 forbids it (XEP-0384 §6).
pub(crate) fn unreadable(cx: &mut Context<'_>, device: &Device, version: Version) -> Result<(), Halt> {
    if version != Version::Legacy {
        return Ok(());
    }
    let since = cx.records.get(records::connection())?.map_or(Time(0), |c| c.since);
    let recent = cx.records.get(records::heal(device))?.is_some_and(|h| h.at >= since);
    if recent { Ok(()) } else { start(cx, device, version) }
}
fn start(cx: &mut Context<'_>, device: &Device, version: Version) -> Result<(), Halt> {
    let Some(id) = records::number(device) else { return Ok(()) };
    let listed = cx.records.get(records::people(&device.owner))?.and_then(|p| p.find(id)).is_some_and(|e| e.in_list(version));
    if !listed {
        return Ok(());
    }
    let now = cx.now;
    let fresh = Heals { since: now, count: 0 };
    let heals = cx.records.get(records::heals())?.copied().filter(|h| h.since <= now && now < h.since.after(PAUSE)).unwrap_or(fresh);
    if heals.count >= MOST {
        return Ok(());
    }
    cx.records.put(records::heals(), Heals { count: heals.count.saturating_add(1), ..heals });
    ask(cx, device, id, version);
    Ok(())
}
/// Without any limit: a person wants it, or it is known to be broken.
pub(crate) fn ask(cx: &mut Context<'_>, device: &Device, id: u32, version: Version) {
    cx.records.put(records::heal(device), Heal { at: cx.now, due: true });
    cx.network.ask(Request::Fetch(bundle_node(&device.owner, id, version)));
}
