//! Joining an account with a new device, and staying published (XEP-0384 §5.3.2, §6).
//!
//! Both own lists first, so that the id is free and nobody is thrown out; then the bundle, then the list with ours added;
//! both versions. The same walk repairs what the server or another client damages. Owns no timer: what has to wait
//! is done at the next wake-up.
//!
//! Invariants: a list is never written before it was read; ours stands on no list without its bundle; repairs wait longer each time.
use crate::directory::{bundle_node, edit_people, list_node};
use crate::leave;
use crate::memory;
use crate::random;
use crate::records::{self, Account, Connection, Label, People, PreKeyPool, Publication, Seen, Stage};
use crate::wire::device_list::ListedDevice;
use crate::wire::{MAX_ID, Version, bundle, device_list};
use std::time::Duration;
use subrosa_engine::*;

/// How long a signed prekey is used (XEP-0384 §4.2: a week to a month).
pub(crate) const ROTATION: Duration = Duration::from_secs(14 * 24 * 60 * 60);

/// How long behind a new stream used prekeys are kept: what waited at the server comes then, and several may have taken the same
/// prekey (XEP-0384 §6). A host that reads archives says itself how long that takes.
const ARRIVALS: Duration = Duration::from_secs(60);

/// Repairs of a list in a row that a person should know of: once or twice in a day is a client that started at the same time.
const DELISTED: u8 = 3;

/// What a bundle of an own device was fetched for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Adoption {
    /// It was there when we joined.
    Trust,
    /// It came later: a person decides.
    Show,
}

/// A new stream: everything may have happened meanwhile.
pub(crate) fn online(cx: &mut Context<'_>) -> Result<(), Halt> {
    let me = cx.me.clone();
    cx.records.put(records::connection(), Connection { since: cx.now, catching_up: false });
    // what we know of our own lists is of the stream before, and a list is never written before it was read: what was asked
    // then would throw out who came since
    if cx.records.get(records::people(&me))?.is_some() {
        edit_people(cx, &me, People::unsee)?;
    }
    let compared = memory::is_compared(cx)?;
    for version in Version::ALL {
        cx.network.ask(Request::Fetch(list_node(&me, version)));
        let Some(device) = cx.records.get(records::account())?.map(|a| a.device) else { continue };
        if let Some(publication) = cx.records.edit(records::publication(version))? {
            let list = renewed(&mut publication.list, true);
            // a bundle that an earlier process owed would hide what shows that this memory is old
            let bundle = renewed(&mut publication.bundle, !compared);
            publication.dirty &= bundle.is_none();
            let done = publication.bundle == Stage::Done;
            [list, bundle].into_iter().flatten().for_each(|asked| cx.network.withdraw(asked));
            if done {
                cx.network.ask(Request::Fetch(bundle_node(&me, device, version)));
            }
        }
    }
    rotate(cx)?;
    forget_used(cx)?;
    advance(cx).map(drop)
}
/// What a new stream makes of a stage: what was refused is tried again, and what is under way is, where it shall be, given up, and said.
fn renewed(stage: &mut Stage, give_up: bool) -> Option<RequestId> {
    let under_way = if let Stage::Asked(id) = *stage { Some(id).filter(|_| give_up) } else { None };
    if under_way.is_some() || *stage == Stage::Refused {
        *stage = Stage::Due;
    }
    under_way
}
/// Does what is next on the way to being published. `true`: nothing is left to do, or it has to wait for a time.
pub(crate) fn advance(cx: &mut Context<'_>) -> Result<bool, Halt> {
    let me = cx.me.clone();
    let people = cx.records.get(records::people(&me))?;
    let seen = Version::ALL.map(|v| people.and_then(|p| p.seen(v)));
    let mut settled = memory::compare(cx)?;
    for (version, seen) in Version::ALL.into_iter().zip(seen) {
        if seen.is_none() {
            cx.network.ask(Request::Fetch(list_node(&me, version)));
            settled = false;
        }
    }
    if !settled || seen.iter().flatten().all(|s| !s.answered) {
        return Ok(settled);
    }
    if cx.records.get(records::account())?.is_none() {
        create(cx)?;
    }
    adopt_imported(cx)?;
    if cx.records.get(records::account())?.is_none_or(|a| a.leaving) {
        leave::go(cx)?;
        return Ok(true);
    }
    for version in Version::ALL {
        settled &= publish(cx, version)?;
    }
    Ok(settled)
}
/// A free id, an identity and its keys. The devices already there are trusted on joining.
fn create(cx: &mut Context<'_>) -> Result<(), Halt> {
    let me = cx.me.clone();
    let others: Vec<u32> = cx.records.get(records::people(&me))?.map(|p| p.listed().map(|e| e.id).collect()).unwrap_or_default();
    let device = loop {
        let id = random::below(cx.rng, MAX_ID).saturating_add(1);
        if !others.contains(&id) {
            break id;
        }
    };
    cx.records.put(records::account(), Account::generate(device, others.clone(), cx.now, cx.rng));
    memory::begins(cx)?;
    for version in Version::ALL {
        cx.records.put(records::pool(version), PreKeyPool::generate(cx.rng));
        cx.records.put(records::publication(version), Publication::default());
    }
    cx.network.wake_at(cx.now.after(ROTATION));
    ask_bundles(cx, &others)
}
/// With an identity that was taken over nothing says which of the devices that are there a person trusted, or did not: all of them
/// await approval.
fn adopt_imported(cx: &mut Context<'_>) -> Result<(), Halt> {
    let me = cx.me.clone();
    if !is_imported(cx)? {
        return Ok(());
    }
    let others: Vec<u32> = cx.records.get(records::people(&me))?.map(|p| p.listed().map(|e| e.id).collect()).unwrap_or_default();
    if let Some(imported) = cx.records.edit(records::imported())? {
        imported.joining = false;
    }
    if let Some(account) = cx.records.edit(records::account())? {
        account.show = others.iter().copied().filter(|id| *id != account.device).collect();
        let show = account.show.clone();
        ask_bundles(cx, &show)?;
    }
    Ok(())
}
/// An identity was taken over, and the lists of its account have not been read since.
fn is_imported(cx: &mut Context<'_>) -> Result<bool, Halt> {
    Ok(cx.records.get(records::imported())?.is_some_and(|i| i.joining))
}
fn ask_bundles(cx: &mut Context<'_>, own: &[u32]) -> Result<(), Halt> {
    let me = cx.me.clone();
    for id in own {
        let Some(version) = cx.records.get(records::people(&me))?.and_then(|p| p.find(*id)).and_then(|e| e.version()) else { continue };
        cx.network.ask(Request::Fetch(bundle_node(&me, *id, version)));
    }
    Ok(())
}
/// One version, one step further.
fn publish(cx: &mut Context<'_>, version: Version) -> Result<bool, Halt> {
    let me = cx.me.clone();
    let Some(device) = cx.records.get(records::account())?.map(|a| a.device) else { return Ok(true) };
    let mut p = cx.records.get(records::publication(version))?.cloned().unwrap_or_default();
    let people = cx.records.get(records::people(&me))?;
    let readable = people.and_then(|p| p.seen(version)).is_some_and(|s| s.answered);
    let entry = people.and_then(|p| p.find(device)).filter(|e| e.in_list(version));
    let listed = entry.is_some();
    let shown = entry.and_then(|e| e.label.as_deref()).cloned();
    let right = listed && (version != Version::Omemo2 || cx.records.get(records::label())?.is_none_or(|l| l.is(shown.as_ref())));
    let before = p.clone();
    let may = cx.now >= p.not_before;
    match p.bundle {
        Stage::Due if p.tries == 0 || may => p.bundle = Stage::Asked(ask_bundle(cx, version, device)?),
        Stage::Refused if may => p.bundle = Stage::Asked(ask_bundle(cx, version, device)?),
        // asked again, so that whoever waits can wait for the answer; the house sends it once
        Stage::Asked(_) if p.list != Stage::Done => p.bundle = Stage::Asked(ask_bundle(cx, version, device)?),
        Stage::Due | Stage::Refused => cx.network.wake_at(p.not_before),
        Stage::Asked(_) | Stage::Done => {}
    }
    if p.bundle == Stage::Done || (p.list == Stage::Done && !right) {
        match p.list {
            _ if right => p.list = Stage::Done,
            _ if !readable => p.list = Stage::Refused, // never write what could not be read
            Stage::Asked(_) => p.list = Stage::Asked(ask_list(cx, version, device)?),
            Stage::Due if p.tries == 0 || may => p.list = Stage::Asked(ask_list(cx, version, device)?),
            Stage::Refused if may => p.list = Stage::Asked(ask_list(cx, version, device)?),
            // somebody took us off, or our name
            Stage::Done if may => {
                p.back_off(cx.now);
                if p.tries == DELISTED {
                    cx.network.emit(Event::Warning { warning: Warning::Delisted, chat: None, device: None });
                }
                p.list = Stage::Asked(ask_list(cx, version, device)?);
            }
            Stage::Done | Stage::Due | Stage::Refused => cx.network.wake_at(p.not_before),
        }
    }
    let settled = p.settled() || (!may && p.tries > 0);
    if p != before {
        cx.records.put(records::publication(version), p);
    }
    Ok(settled)
}
fn ask_bundle(cx: &mut Context<'_>, version: Version, device: u32) -> Result<RequestId, Halt> {
    if cx.records.get(records::pool(version))?.is_some_and(|pool| !pool.is_full())
        && let Some(pool) = cx.records.edit(records::pool(version))?
    {
        pool.refill(cx.rng);
    }
    let payload = ours(cx, version)?.map(|b| bundle::write(&b)).unwrap_or_default();
    let node = Node { owner: cx.me.clone(), name: version.bundle_node(device).into(), item: Some(version.bundle_item(device).into()) };
    let keep = match version {
        Version::Omemo2 => Keep::Many, // all devices share the node
        Version::Legacy => Keep::One,
    };
    Ok(cx.network.ask(Request::Publish { node, keep, payload }))
}
fn ours(cx: &mut Context<'_>, version: Version) -> Result<Option<bundle::Bundle>, Halt> {
    let Some(account) = cx.records.get(records::account())?.cloned() else { return Ok(None) };
    Ok(cx.records.get(records::pool(version))?.map(|pool| account.bundle(version, pool)))
}
fn ask_list(cx: &mut Context<'_>, version: Version, device: u32) -> Result<RequestId, Halt> {
    let me = cx.me.clone();
    let list = cx.records.get(records::people(&me))?.map(|p| p.list(version)).unwrap_or_default();
    let label = cx.records.get(records::label())?.cloned();
    Ok(ask_list_of(cx, version, &with_ours(list, device, label.as_ref())))
}
/// A list with this device on it, under the name that it has.
fn with_ours(mut list: Vec<ListedDevice>, device: u32, label: Option<&Label>) -> Vec<ListedDevice> {
    if !list.iter().any(|d| d.id == device) {
        list.push(ListedDevice::new(device));
    }
    if let (Some(ours), Some(label)) = (list.iter_mut().find(|d| d.id == device), label) {
        (ours.label, ours.labelsig) = label.attributes();
    }
    list
}
pub(crate) fn ask_list_of(cx: &mut Context<'_>, version: Version, list: &[ListedDevice]) -> RequestId {
    let node = Node { item: Some(Version::DEVICE_LIST_ITEM.into()), ..list_node(&cx.me.clone(), version) };
    cx.network.ask(Request::Publish { node, keep: Keep::One, payload: device_list::write(version, list) })
}

/// Our own list was learned; `new`: devices that were on none of ours before.
pub(crate) fn own_list(cx: &mut Context<'_>, new: Vec<u32>) -> Result<(), Halt> {
    if is_imported(cx)? {
        return advance(cx).map(drop);
    }
    if let Some(account) = cx.records.edit(records::account())? {
        let new: Vec<u32> = new.into_iter().filter(|id| *id != account.device && !account.adopt.contains(id)).collect();
        account.show.extend_from_slice(&new);
        account.show = sorted(std::mem::take(&mut account.show));
        account.show.dedup();
        ask_bundles(cx, &new)?;
        // a key is told of when it is met; one that was met before and was taken off is back, and a person is to decide again
        let me = cx.me.clone();
        let is_back = |i: &Identity| i.current && i.trust == Trust::Undecided && records::number(&i.device).is_some_and(|id| new.contains(&id));
        for Identity { device, key, trust, .. } in cx.identities(&me)?.into_iter().filter(is_back) {
            cx.network.emit(Event::DeviceNew { device, key, trust });
        }
    }
    advance(cx).map(drop)
}
/// Our own list could not be fetched.
pub(crate) fn own_list_failed(cx: &mut Context<'_>, owner: &Address, version: Version) -> Result<(), Halt> {
    if *owner != *cx.me {
        return Ok(());
    }
    let mut p = cx.records.get(records::publication(version))?.cloned().unwrap_or_default();
    p.back_off(cx.now);
    cx.network.wake_at(p.not_before);
    cx.records.put(records::publication(version), p);
    advance(cx).map(drop)
}
/// The bundle of a device came: whether it is one of ours that we only wanted to see.
pub(crate) fn seen_bundle(cx: &mut Context<'_>, device: &Device, id: u32) -> Result<Option<Adoption>, Halt> {
    if device.owner != *cx.me {
        return Ok(None);
    }
    let Some((adopt, show)) = cx.records.get(records::account())?.map(|a| (a.adopt.contains(&id), a.show.contains(&id))) else { return Ok(None) };
    if !adopt && !show {
        return Ok(None);
    }
    if let Some(account) = cx.records.edit(records::account())? {
        account.adopt.retain(|n| *n != id);
        account.show.retain(|n| *n != id);
    }
    Ok(Some(if adopt { Adoption::Trust } else { Adoption::Show }))
}
/// What the server has of our own bundle.
pub(crate) fn own_bundle(cx: &mut Context<'_>, version: Version, answer: Result<Vec<Item>, RequestError>) -> Result<(), Halt> {
    let item = match answer {
        Ok(items) => items.into_iter().next_back(),
        Err(RequestError::NotFound) => None,
        Err(error) => {
            memory::unanswered(cx, version, &error)?;
            return advance(cx).map(drop);
        }
    };
    let there = item.as_ref().and_then(|item| bundle::parse(version, &item.payload).ok());
    let known = ours(cx, version)?;
    let is_old = memory::compared(cx, version, there.as_ref())?;
    rotate(cx)?;
    let same = known.zip(there).is_some_and(|(mut ours, mut there)| {
        ours.prekeys = sorted(ours.prekeys);
        there.prekeys = sorted(there.prekeys);
        ours == there
    });
    if same {
        return advance(cx).map(drop);
    }
    let was_ours = cx.records.get(records::publication(version))?.is_some_and(|p| p.bundle == Stage::Done && !p.dirty);
    if item.is_some() && was_ours && !is_old {
        cx.network.emit(Event::Warning { warning: Warning::BundleRepaired, chat: None, device: None });
    }
    bundle_changed(cx, version)
}
/// Our bundle is no longer what is published: a prekey was used, the signed one rotated, somebody damaged it.
pub(crate) fn bundle_changed(cx: &mut Context<'_>, version: Version) -> Result<(), Halt> {
    if let Some(p) = cx.records.edit(records::publication(version))? {
        match p.bundle {
            Stage::Asked(_) => p.dirty = true,
            Stage::Done | Stage::Due | Stage::Refused => p.bundle = Stage::Due,
        }
    }
    advance(cx).map(drop)
}
/// The server's answer to a publication of ours.
pub(crate) fn published(cx: &mut Context<'_>, id: RequestId, node: &Node, ok: bool) -> Result<(), Halt> {
    let now = cx.now;
    for version in Version::ALL {
        let Some(mut p) = cx.records.get(records::publication(version))?.cloned() else { continue };
        let stage = |p: &mut Publication| {
            if !ok {
                p.back_off(now);
            }
            if ok { Stage::Done } else { Stage::Refused }
        };
        if p.bundle == Stage::Asked(id) {
            p.bundle = stage(&mut p);
            if std::mem::take(&mut p.dirty) {
                p.bundle = Stage::Due;
            }
        } else if p.list == Stage::Asked(id) {
            p.list = stage(&mut p);
            if ok && let Some(device) = cx.records.get(records::account())?.filter(|a| !a.leaving).map(|a| a.device) {
                let owner = node.owner.clone();
                let label = cx.records.get(records::label())?.cloned();
                edit_people(cx, &owner, |people| {
                    let list = with_ours(people.list(version), device, label.as_ref());
                    let pushed = people.seen(version).is_some_and(|s| s.pushed);
                    people.learn(version, list, Seen { at: now, pushed, answered: true })
                })?;
            }
        } else {
            continue;
        }
        cx.records.put(records::publication(version), p);
    }
    advance(cx).map(drop)
}
/// The time set came.
pub(crate) fn wake(cx: &mut Context<'_>) -> Result<(), Halt> {
    let me = cx.me.clone();
    rotate(cx)?;
    forget_used(cx)?;
    memory::tell(cx)?;
    if cx.records.get(records::account())?.is_none() && cx.records.get(records::connection())?.is_none() {
        return Ok(()); // nobody is waiting for us
    }
    for version in Version::ALL {
        let unread = cx.records.get(records::people(&me))?.and_then(|p| p.seen(version)).is_none_or(|s| !s.answered);
        match cx.records.get(records::publication(version))?.map(|p| p.not_before) {
            _ if !unread => {}
            Some(not_before) if cx.now < not_before => cx.network.wake_at(not_before), // the other version's time came
            _ => drop(cx.network.ask(Request::Fetch(list_node(&me, version)))),
        }
    }
    advance(cx).map(drop)
}
/// A new signed prekey when the old one has served its time; what it replaces is kept one period.
fn rotate(cx: &mut Context<'_>) -> Result<(), Halt> {
    let Some(due) = cx.records.get(records::account())?.filter(|a| !a.leaving).map(|a| a.signed.made.after(ROTATION)) else { return Ok(()) };
    if !memory::is_compared(cx)? {
        return Ok(()); // what was made here before may be what is made now
    }
    if cx.now < due {
        cx.network.wake_at(due);
        return Ok(());
    }
    if let Some(account) = cx.records.edit(records::account())? {
        account.rotate(cx.now, cx.rng);
    }
    if cx.records.get(records::imported())?.is_some_and(|i| !i.joining && i.until <= cx.now) {
        cx.records.remove(records::imported());
    }
    cx.network.wake_at(cx.now.after(ROTATION));
    Version::ALL.into_iter().try_for_each(|v| bundle_changed(cx, v))
}
/// Whether messages that waited may still come, and until when if nobody says that they are read.
fn arrivals(cx: &mut Context<'_>) -> Result<(bool, Time), Halt> {
    let now = cx.now;
    let Some(c) = cx.records.get(records::connection())? else { return Ok((false, now)) };
    let end = c.since.after(ARRIVALS);
    Ok((c.catching_up || (c.since <= now && now < end), end))
}
pub(crate) fn may_come_late(cx: &mut Context<'_>) -> Result<bool, Halt> {
    arrivals(cx).map(|(late, _)| late)
}
/// Kept prekeys go for good when nothing late can come: now, or at a wake-up.
pub(crate) fn forget_used(cx: &mut Context<'_>) -> Result<(), Halt> {
    let (late, end) = arrivals(cx)?;
    for version in Version::ALL {
        if cx.records.get(records::pool(version))?.is_none_or(|p| p.used.is_empty()) {
            continue;
        }
        if !late {
            clear_used(cx, version)?;
        } else if cx.now < end {
            cx.network.wake_at(end);
        }
    }
    Ok(())
}
fn clear_used(cx: &mut Context<'_>, version: Version) -> Result<(), Halt> {
    if cx.records.get(records::pool(version))?.is_some_and(|p| !p.used.is_empty())
        && let Some(pool) = cx.records.edit(records::pool(version))?
    {
        pool.used.clear();
    }
    Ok(())
}
/// Old messages are being read, or that ended: then kept prekeys go for good.
pub(crate) fn catch_up(cx: &mut Context<'_>, running: bool) -> Result<(), Halt> {
    let since = cx.records.get(records::connection())?.map_or(cx.now, |c| c.since);
    cx.records.put(records::connection(), Connection { since, catching_up: running });
    if running { Ok(()) } else { Version::ALL.into_iter().try_for_each(|v| clear_used(cx, v)) }
}
/// The name of this device changed: the list is written anew, now, because a person wants it.
pub(crate) fn renamed(cx: &mut Context<'_>) -> Result<(), Halt> {
    if let Some(p) = cx.records.edit(records::publication(Version::Omemo2))? {
        (p.list, p.tries, p.not_before) = (Stage::Due, 0, Time(0));
    }
    advance(cx).map(drop)
}
/// Whether we may write: others can find us, and this memory is not older than what was done with it, as far as can be told.
pub(crate) fn is_ready(cx: &mut Context<'_>) -> Result<bool, Halt> {
    Ok(is_published(cx)? && memory::is_compared(cx)?)
}
/// Whether others can find us in at least one version.
pub(crate) fn is_published(cx: &mut Context<'_>) -> Result<bool, Halt> {
    if cx.records.get(records::account())?.is_none_or(|account| account.leaving) {
        return Ok(false);
    }
    for version in Version::ALL {
        if cx.records.get(records::publication(version))?.is_some_and(Publication::published) {
            return Ok(true);
        }
    }
    Ok(false)
}
