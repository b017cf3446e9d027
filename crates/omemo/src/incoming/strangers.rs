//! Devices that are met by what they write, and that are on no list of their owner: what they say is read (XEP-0384 §6), and whoever may
//! write for their owner can make up any number of them, without spending a prekey of ours. So a number of them is remembered.
use crate::records;
use crate::wire::Version;
use subrosa_engine::*;

/// So many of one owner. They get no words of ours.
const MOST: usize = 64;

/// A device was met by an exchange. If there are too many on no list, those go that were met first, with their sessions; none about whose
/// keys anybody decided.
pub(super) fn bound(cx: &mut Context<'_>, device: &Device) -> Result<(), Halt> {
    let owner = &device.owner;
    let listed: Vec<u32> = cx.records.get(records::people(owner))?.map(|p| p.listed().map(|e| e.id).collect()).unwrap_or_default();
    let is_listed = |device: &Device| records::number(device).is_some_and(|id| listed.binary_search(&id).is_ok());
    if is_listed(device) {
        return Ok(());
    }
    let strangers = |i: &Identity| i.current && i.by == Decider::Policy && i.device != *device && !is_listed(&i.device);
    let strangers = sorted_by_key(cx.identities(owner)?.into_iter().filter(strangers).collect(), |i: &Identity| i.first_seen);
    let surplus = strangers.len().saturating_add(1).saturating_sub(MOST);
    for Identity { device, .. } in strangers.into_iter().take(surplus) {
        if cx.forget(&device)? {
            cx.records.remove(records::session(&device));
            cx.records.remove(records::heal(&device));
            cx.records.remove(records::kept(&device));
            Version::ALL.into_iter().for_each(|version| cx.records.remove(records::absent(&device, version)));
        }
    }
    Ok(())
}
