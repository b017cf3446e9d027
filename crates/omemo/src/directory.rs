//! Who has which devices: lists and bundles of everybody, ours included (XEP-0384 §5.2, §5.3).
//!
//! Owns the questions to the server and what is learned from its answers. Knows nothing about messages.
//! A list is used as it was pushed or last fetched, and asked for again after a while: without a presence subscription
//! nobody pushes (XEP-0384 §5.2). An error never empties a list that is known.
use crate::atm;
use crate::join;
use crate::memory;
use crate::random;
use crate::records::{self, Absent, People, Seen, SessionRecord, Spoken};
use crate::wire::bundle::{self, Bundle};
use crate::wire::{Version, device_list};
use subrosa_engine::*;
use subrosa_ratchet::{BundleError, Legacy, Omemo2, PreKeyId, Session, SignedPreKeyId, UnverifiedBundle, VerifiedBundle};

const MINUTE: u64 = 60_000;
const HOUR: u64 = 60 * MINUTE;

/// The device list of a person.
pub(crate) fn list_node(owner: &Address, version: Version) -> Node {
    Node { owner: owner.clone(), name: version.device_list_node().into(), item: None }
}
/// The bundle of a device, to fetch it: of legacy nodes any item is read, because peers name it differently.
pub(crate) fn bundle_node(owner: &Address, id: u32, version: Version) -> Node {
    let item = match version {
        Version::Omemo2 => Some(version.bundle_item(id).into_owned()),
        Version::Legacy => None,
    };
    Node { owner: owner.clone(), name: version.bundle_node(id).into_owned(), item }
}
/// The one that counts of what a node has: the last.
fn latest(items: Vec<Item>, wanted: Option<&str>) -> Option<Vec<u8>> {
    let mut items = items.into_iter().filter(|i| wanted.is_none() || i.id.is_none() || i.id.as_deref() == wanted);
    items.next_back().map(|i| i.payload)
}

/// Whether a list is new enough to be used without asking.
fn is_fresh(seen: Option<Seen>, online: Time, now: Time) -> bool {
    let Some(seen) = seen else { return false };
    let keeps = match seen {
        Seen { answered: false, .. } => MINUTE,
        Seen { pushed: true, at, .. } if at >= online => 24 * HOUR,
        _ => HOUR,
    };
    seen.at <= now && now.0 < seen.at.0.saturating_add(keeps)
}
/// Those lists of a person that are not fresh.
fn stale(cx: &mut Context<'_>, owner: &Address) -> Result<Vec<Version>, Halt> {
    let online = cx.records.get(records::connection())?.map_or(Time(0), |c| c.since);
    let people = cx.records.get(records::people(owner))?;
    Ok(Version::ALL.into_iter().filter(|v| !is_fresh(people.and_then(|p| p.seen(*v)), online, cx.now)).collect())
}
/// Asks for those lists of a person that are not fresh.
pub(crate) fn refresh(cx: &mut Context<'_>, owner: &Address) -> Result<(), Halt> {
    for version in stale(cx, owner)? {
        cx.network.ask(Request::Fetch(list_node(owner, version)));
    }
    Ok(())
}
/// The same, but for those that the server did not answer last time, where devices are known: these are given back.
pub(crate) fn refresh_but_slow(cx: &mut Context<'_>, owner: &Address) -> Result<Vec<Node>, Halt> {
    let mut later = Vec::new();
    for version in stale(cx, owner)? {
        let people = cx.records.get(records::people(owner))?;
        let slow = people.is_some_and(|p| p.seen(version).is_some_and(|seen| !seen.answered) && p.listed().next().is_some());
        if slow {
            later.push(list_node(owner, version));
        } else {
            cx.network.ask(Request::Fetch(list_node(owner, version)));
        }
    }
    Ok(later)
}
/// A device wrote that is on no list we know: a push was lost, or never came. Asks at most once a minute, because who writes so
/// may be anybody (XEP-0384 §6).
pub(crate) fn doubt(cx: &mut Context<'_>, owner: &Address) -> Result<(), Halt> {
    let now = cx.now;
    let people = cx.records.get(records::people(owner))?;
    let recent = |seen: Seen| seen.at <= now && now.0 < seen.at.0.saturating_add(MINUTE);
    let open = Version::ALL.map(|v| !people.and_then(|p| p.seen(v)).is_some_and(recent));
    for version in Version::ALL.into_iter().zip(open).filter(|(_, open)| *open).map(|(v, _)| v) {
        cx.network.ask(Request::Fetch(list_node(owner, version)));
    }
    Ok(())
}
/// A list was pushed (`None`: it is gone).
pub(crate) fn list_pushed(cx: &mut Context<'_>, owner: &Address, version: Version, payload: Option<&[u8]>) -> Result<(), Halt> {
    let list = payload.map_or(Ok(Vec::new()), |xml| device_list::parse(version, xml)).ok();
    learn(cx, owner, version, list, true)
}
/// A list was fetched.
pub(crate) fn list_answered(cx: &mut Context<'_>, owner: &Address, version: Version, answer: Result<Vec<Item>, RequestError>) -> Result<(), Halt> {
    let list = match answer {
        Ok(items) => latest(items, None).map_or(Ok(Vec::new()), |xml| device_list::parse(version, &xml)).ok(),
        Err(RequestError::NotFound) => Some(Vec::new()),
        Err(_) => {
            let now = cx.now;
            edit_people(cx, owner, |p| {
                let pushed = p.seen(version).is_some_and(|s| s.pushed);
                p.see(version, Seen { at: now, pushed, answered: false });
            })?;
            return join::own_list_failed(cx, owner, version);
        }
    };
    learn(cx, owner, version, list, false)
}
/// `None`: it is there, and damaged. Then those that we knew stand, but for ourselves: our own list gets repaired.
fn learn(cx: &mut Context<'_>, owner: &Address, version: Version, list: Option<Vec<device_list::ListedDevice>>, pushed: bool) -> Result<(), Halt> {
    let own = *owner == *cx.me;
    let us = if own { cx.records.get(records::account())?.map(|a| a.device) } else { None };
    let seen = Seen { at: cx.now, pushed, answered: list.is_some() || own };
    let new = edit_people(cx, owner, |p| {
        let list = list.unwrap_or_else(|| p.list(version).into_iter().filter(|d| Some(d.id) != us).collect());
        p.learn(version, list, seen)
    })?;
    if !new.is_empty() {
        cx.network.learned(owner);
    }
    if own { join::own_list(cx, new) } else { Ok(()) }
}
/// Changes what is known of a person.
pub(crate) fn edit_people<T>(cx: &mut Context<'_>, owner: &Address, f: impl FnOnce(&mut People) -> T) -> Result<T, Halt> {
    if let Some(people) = cx.records.edit(records::people(owner))? {
        return Ok(f(people));
    }
    let mut people = People::default();
    let value = f(&mut people);
    cx.records.put(records::people(owner), people);
    Ok(value)
}

/// What a bundle is wanted for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum For {
    /// A session.
    Session,
    /// Its identity key only: an own device that is to be shown, one that a room says has written.
    Key,
}
/// A bundle was fetched: a session, if its device may get messages, or why not.
pub(crate) fn bundle_answered(cx: &mut Context<'_>, device: &Device, version: Version, answer: Result<Vec<Item>, RequestError>) -> Result<(), Halt> {
    let Some(id) = records::number(device) else { return Ok(()) };
    let payload = match answer {
        Ok(items) => latest(items, (version == Version::Omemo2).then(|| version.bundle_item(id)).as_deref()).ok_or(Exclusion::NoBundle),
        Err(RequestError::NotFound) => Err(Exclusion::NoBundle),
        Err(_) => Err(Exclusion::BundleUnavailable),
    };
    let read = payload.and_then(|xml| bundle::parse(version, &xml).map_err(|_| Exclusion::BadBundle));
    let key_only = cx.records.get(records::key_wanted(device))?.is_some();
    if key_only {
        cx.records.remove(records::key_wanted(device));
    }
    match (version, read) {
        (Version::Omemo2, Ok(bundle)) => believe::<Omemo2>(cx, device, bundle, key_only),
        (Version::Legacy, Ok(bundle)) => believe::<Legacy>(cx, device, bundle, key_only),
        (_, Err(why)) => {
            // what the server could not hand out now it hands out later: what it is wanted for stands
            if why != Exclusion::BundleUnavailable {
                join::seen_bundle(cx, device, id)?;
            }
            let before = cx.records.get(records::absent(device, version))?.filter(|before| before.why == why).map(|before| before.tries);
            let tries = before.map_or(0, |tries| tries.saturating_add(1));
            cx.records.put(records::absent(device, version), Absent { why, at: cx.now, key: None, tries });
            Ok(())
        }
    }
}
fn leave(cx: &mut Context<'_>, device: &Device, version: Version, why: Exclusion, key: Option<Fingerprint>) {
    cx.records.put(records::absent(device, version), Absent { why, at: cx.now, key, tries: 0 });
}
/// Verifies it, asks whether its device may get messages, and only then starts a session.
fn believe<P: Spoken>(cx: &mut Context<'_>, device: &Device, bundle: Bundle, key_only: bool) -> Result<(), Halt> {
    let Some(id) = records::number(device) else { return Ok(()) };
    let adopted = join::seen_bundle(cx, device, id)?;
    let verified = match pick::<P>(cx, &bundle) {
        Ok(verified) => verified,
        Err(_) => {
            leave(cx, device, P::VERSION, Exclusion::BadBundle, None);
            return Ok(());
        }
    };
    let key = Fingerprint(verified.identity().fingerprint());
    atm::met(cx, device, &key)?;
    if adopted == Some(join::Adoption::Trust) {
        cx.learn(device, &key, Origin::OnJoining)?;
    }
    if P::VERSION == Version::Omemo2 {
        atm::shown(cx, device, verified.identity())?;
    }
    let wanted = if key_only || adopted.is_some() { For::Key } else { For::Session };
    match cx.admit(device, &key)? {
        Admission::Excluded(why) => leave(cx, device, P::VERSION, why, Some(key)),
        Admission::Admitted(_) if wanted == For::Key => {}
        Admission::Admitted(_) => start::<P>(cx, device, verified)?,
    }
    Ok(())
}
fn start<P: Spoken>(cx: &mut Context<'_>, device: &Device, bundle: VerifiedBundle<P>) -> Result<(), Halt> {
    let Some(identity) = cx.records.get(records::account())?.map(|a| a.identity.clone()) else { return Ok(()) };
    let heal = cx.records.get(records::heal(device))?.copied().filter(|h| h.due);
    let epoch = memory::epoch(cx)?;
    let spoken = cx.records.get(records::session(device))?.and_then(|r| r.speaks(epoch)).map(|c| c.version());
    if heal.is_none() && spoken == Some(P::VERSION) {
        return atm::session(cx, device); // asked for twice
    }
    let Ok(session) = Session::initiate(&identity, bundle, cx.rng) else {
        leave(cx, device, P::VERSION, Exclusion::BadBundle, None);
        return Ok(());
    };
    match cx.records.edit(records::session(device))? {
        Some(record) => record.replace(session, epoch),
        None => cx.records.put(records::session(device), SessionRecord::new(P::wrap(session), epoch)),
    }
    memory::met(cx, &device.owner)?;
    cx.records.remove(records::absent(device, P::VERSION));
    if let Some(heal) = heal {
        cx.records.put(records::heal(device), records::Heal { due: false, ..heal });
        crate::outgoing::send_empty(cx, device, P::VERSION)?;
    }
    atm::session(cx, device)
}
/// A one-time prekey at random (XEP-0384 §5.4), 0 only if there is no other, and the signature checked.
pub(crate) fn pick<P: Spoken>(cx: &mut Context<'_>, bundle: &Bundle) -> Result<VerifiedBundle<P>, BundleError> {
    let usable = || bundle.prekeys.iter().filter(|(id, _)| *id != 0);
    let count = u32::try_from(usable().count()).unwrap_or(u32::MAX);
    let at = usize::try_from(random::below(cx.rng, count)).unwrap_or_default();
    let one_time = usable().nth(at).or(bundle.prekeys.first()).map(|(id, key)| (PreKeyId(*id), key.as_slice()));
    let signed = (SignedPreKeyId(bundle.signed_prekey_id), bundle.signed_prekey.as_slice());
    UnverifiedBundle::<P>::new(&bundle.identity_key, signed, &bundle.signature, one_time)?.verify()
}
