//! Automatic trust management (XEP-0450): what a person decides about a key on one device, their other verified devices and those of
//! their contacts learn from there.
//!
//! Owns who may say what about whose keys, and the order of what was said. A device here is *authenticated* when its key is
//! [`Trust::Verified`]; no less counts. [`tell`] writes the messages.
//!
//! Invariants: only a person's decision is ever told, never one that came in a message, so that nothing goes round; of two statements
//! about one key the later counts, and of two at one time the one that distrusts; what a person refused, on this device or on
//! another of theirs, no contact can allow.
mod receive;
mod tell;

pub(crate) use receive::received;
pub(crate) use tell::{online, ready, resumed, session, shown};

use crate::records::{self, Statement, Verdict};
use subrosa_engine::*;
use subrosa_ratchet::{IdentityKey, Omemo2};

/// A person decided here about a key.
pub(crate) fn decided(cx: &mut Context<'_>, device: &Device, key: &Fingerprint, trust: Trust) -> Result<(), Halt> {
    let before = cx.records.get(records::verdicts(&device.owner))?.and_then(|v| v.about(key)).filter(|v| v.met).map(|v| v.trust);
    note(cx, &device.owner, Verdict { key: *key, device: None, trust, time: cx.now, by: None, met: true })?;
    match trust {
        Trust::Verified => authenticated(cx, device.clone(), *key)?,
        Trust::Untrusted => cx.records.remove(records::kept(device)),
        Trust::Trusted | Trust::Undecided => {}
    }
    // what was decided before has been told before
    if before != Some(trust) && matches!(trust, Trust::Verified | Trust::Untrusted) && cx.settings().trust_messages {
        tell::decision(cx, device, key, trust)?;
    }
    Ok(())
}
/// The same through the library's own hands, as a scanned link is: what [`Input::SetTrust`] does.
pub(crate) fn decide(cx: &mut Context<'_>, device: &Device, key: &Fingerprint, trust: Trust) -> Result<(), Halt> {
    set(cx, device, key, trust, None)?;
    decided(cx, device, key, trust)
}
/// A device shows a key: if somebody decided about it before, that holds from here on. Before it is asked whether the device may
/// have messages.
pub(crate) fn met(cx: &mut Context<'_>, device: &Device, key: &Fingerprint) -> Result<(), Halt> {
    let Some(number) = records::number(device) else { return Ok(()) };
    let Some(verdict) = cx.records.get(records::verdicts(&device.owner))?.and_then(|v| v.awaiting(key, number)).cloned() else { return Ok(()) };
    let by = if verdict.by.is_some() { Decider::Message } else { Decider::Person };
    match cx.learn(device, key, Origin::Decided(verdict.trust, by))? {
        Standing::Known(trust) if trust == verdict.trust => {}
        _ => set(cx, device, key, verdict.trust, verdict.by.as_ref())?,
    }
    if verdict.by.is_none() {
        return decided(cx, device, key, verdict.trust);
    }
    note(cx, &device.owner, Verdict { met: true, ..verdict })?;
    if verdict.trust == Trust::Verified { authenticated(cx, device.clone(), *key) } else { Ok(()) }
}
/// What a person decided about a key that no device has shown yet.
pub(crate) fn await_key(cx: &mut Context<'_>, owner: &Address, key: Fingerprint, device: Option<u32>, trust: Trust) -> Result<(), Halt> {
    let time = cx.now;
    note(cx, owner, Verdict { key, device, trust, time, by: None, met: false })
}
fn note(cx: &mut Context<'_>, owner: &Address, verdict: Verdict) -> Result<(), Halt> {
    if let Some(verdicts) = cx.records.edit(records::verdicts(owner))? {
        verdicts.note(owner, verdict);
        return Ok(());
    }
    let mut verdicts = records::Verdicts::default();
    verdicts.note(owner, verdict);
    cx.records.put(records::verdicts(owner), verdicts);
    Ok(())
}
/// A device is verified from here on: what it said before counts now, and so does what those said whom it vouched for.
fn authenticated(cx: &mut Context<'_>, device: Device, key: Fingerprint) -> Result<(), Halt> {
    let mut open = vec![(device, key)];
    while let Some((device, key)) = open.pop() {
        let Some(kept) = cx.records.get(records::kept(&device))?.cloned() else { continue };
        cx.records.remove(records::kept(&device)); // each once: this ends
        if kept.sender == key {
            for statement in &kept.statements {
                open.extend(apply(cx, &device, statement)?);
            }
        }
    }
    Ok(())
}
/// Whether a device may decide about keys of this person: one's own about everybody's, a contact's about those of its owner.
fn may_decide(cx: &Context<'_>, sender: &Device, owner: &Address) -> bool {
    sender.owner == *cx.me || sender.owner == *owner
}
/// Does what a verified device says. Gives the devices that are verified by it and were not before.
fn apply(cx: &mut Context<'_>, by: &Device, statement: &Statement) -> Result<Vec<(Device, Fingerprint)>, Halt> {
    let Statement { owner, key, trust, time } = statement;
    let Some(key) = fingerprint(key).filter(|_| may_decide(cx, by, owner)) else { return Ok(Vec::new()) };
    if *owner == *cx.me && cx.records.get(records::account())?.is_some_and(|a| a.identity.public().fingerprint() == key.0) {
        return Ok(Vec::new()); // this device knows what it is
    }
    let me = cx.me.clone();
    let said = cx.records.get(records::verdicts(owner))?.and_then(|v| v.about(&key));
    // by a person, here or elsewhere
    let said = said.map(|v| (v.time, v.trust, v.by.as_ref().is_none_or(|by| by.owner == me)));
    if said.is_some_and(|(at, was, _)| at > *time || (at == *time && (*trust || was == Trust::Untrusted))) {
        return Ok(Vec::new());
    }
    let worth = if *trust { Trust::Verified } else { Trust::Untrusted };
    // with keys that a device had or showed, and those that no device has shown
    let mut known: Vec<Identity> = cx.identities(owner)?.into_iter().filter(|i| i.key == key).collect();
    let refused_there = said.is_some_and(|(_, was, by_person)| by_person && was == Trust::Untrusted);
    let refused = |i: &Identity| i.trust == Trust::Untrusted && i.by == Decider::Person;
    if *trust && by.owner != *cx.me && (refused_there || known.iter().any(refused)) {
        return Ok(Vec::new());
    }
    known.retain(|i| i.current);
    note(cx, owner, Verdict { key, device: None, trust: worth, time: *time, by: Some(by.clone()), met: !known.is_empty() })?;
    let mut verified = Vec::new();
    for identity in known.into_iter().filter(|i| i.trust != worth) {
        set(cx, &identity.device, &key, worth, Some(by))?;
        if *trust {
            verified.push((identity.device, key));
        } else {
            cx.records.remove(records::kept(&identity.device));
        }
    }
    Ok(verified)
}
/// Writes it down and tells the application, unless it comes from a person here, who knows.
fn set(cx: &mut Context<'_>, device: &Device, key: &Fingerprint, trust: Trust, by: Option<&Device>) -> Result<(), Halt> {
    cx.decide(device, key, trust, if by.is_some() { Decider::Message } else { Decider::Person })?;
    if let Some(by) = by {
        cx.network.emit(Event::TrustChanged { device: device.clone(), key: *key, trust, by: by.clone() });
    }
    crate::engine::trust_changed(cx, device, key, trust)
}
/// What people compare, of a key as messages carry it. `None`: it is no key.
pub(crate) fn fingerprint(ed: &[u8; 32]) -> Option<Fingerprint> {
    IdentityKey::parse::<Omemo2>(ed).ok().map(|key| Fingerprint(key.fingerprint()))
}
