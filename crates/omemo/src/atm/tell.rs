//! A person's decision goes to those whom it concerns (XEP-0450 §4), over OMEMO 2 only and to verified devices only.
//!
//! Who is told what:
//!
//! | decided about | authentic | not authentic |
//! |---|---|---|
//! | a contact's device | own verified devices: its key; itself: the keys of own verified devices | own verified devices: its key |
//! | an own device | all other verified devices, own and of contacts: its key; itself: all verified keys | all other verified devices: its key |
//!
//! A device without a session is told when there is one, one whose owner opted out when that is over; a key is named when its Ed25519
//! form has been seen. What is told later than it was decided says when that was: an envelope has the time of its message only.
use super::fingerprint;
use crate::directory::bundle_node;
use crate::memory;
use crate::opt_out;
use crate::payload;
use crate::records::{self, Outbox, Ratchet, Statement, Subject};
use crate::wire::encrypted::Builder;
use crate::wire::trust_message::{self, KeyOwner};
use crate::wire::{Version, sce};
use subrosa_engine::*;
use subrosa_ratchet::{IdentityKey, MessageKind};

/// Statements in one message: far below what a stanza may be.
const MOST: usize = 500;
/// Bundles that are asked for at once, on a new stream, for devices that are still to be told.
const ASKED: usize = 64;

/// A person decided: tells it now, or as soon as the key is known as messages carry it.
pub(super) fn decision(cx: &mut Context<'_>, device: &Device, key: &Fingerprint, trust: Trust) -> Result<(), Halt> {
    let subject = Subject { device: device.clone(), key: *key, trust, time: cx.now };
    match ed25519(cx, device, key)? {
        Some(ed) => tell(cx, &subject, ed),
        None => {
            if ask_bundle(cx, device)? {
                edit(cx, |outbox| outbox.await_key(subject))?;
            }
            Ok(())
        }
    }
}
/// A device showed its identity key in OMEMO 2: what waited for that is told.
pub(crate) fn shown(cx: &mut Context<'_>, device: &Device, identity: &IdentityKey) -> Result<(), Halt> {
    let key = Fingerprint(identity.fingerprint());
    let is = |s: &Subject| s.device == *device && s.key == key;
    let Some(subject) = cx.records.get(records::outbox())?.and_then(|o| o.subjects.iter().find(|s| is(s)).cloned()) else { return Ok(()) };
    edit(cx, |outbox| outbox.subjects.retain(|s| !is(s)))?;
    tell(cx, &subject, *identity.ed25519())
}
/// There may be a session with a device in OMEMO 2 that was not there before.
pub(crate) fn session(cx: &mut Context<'_>, device: &Device) -> Result<(), Halt> {
    if cx.records.get(records::outbox())?.is_none() {
        return Ok(());
    }
    let epoch = memory::sending(cx)?;
    let ratchet = cx.records.get(records::session(device))?.and_then(|s| s.sends(Version::Omemo2, epoch));
    let Some(identity) = ratchet.map(|r| *r.identity()) else { return Ok(()) };
    shown(cx, device, &identity)?;
    sendable(cx, device)
}
/// Sessions may be used again from here on: what waited for that goes out.
pub(crate) fn ready(cx: &mut Context<'_>) -> Result<(), Halt> {
    if !memory::is_compared(cx)? {
        return Ok(());
    }
    waiting(cx)?.iter().try_for_each(|device| session(cx, device))
}
/// Nothing stops encrypted messages to this person any more: what waited for that goes out.
pub(crate) fn resumed(cx: &mut Context<'_>, owner: &Address) -> Result<(), Halt> {
    waiting(cx)?.iter().filter(|device| device.owner == *owner).try_for_each(|device| session(cx, device))
}
/// The devices that wait to be told, or for whose key others do.
fn waiting(cx: &mut Context<'_>) -> Result<Vec<Device>, Halt> {
    let Some(outbox) = cx.records.get(records::outbox())? else { return Ok(Vec::new()) };
    let subjects = outbox.subjects.iter().map(|s| s.device.clone());
    let mut all = sorted(subjects.chain(outbox.due.iter().map(|(to, _)| to.clone())).collect());
    all.dedup();
    Ok(all)
}
/// What a device is to be told goes out.
fn sendable(cx: &mut Context<'_>, device: &Device) -> Result<(), Halt> {
    if cx.records.get(records::outbox())?.is_none_or(|o| o.due.iter().all(|(to, _)| to != device)) {
        return Ok(());
    }
    let mut due = Vec::new();
    edit(cx, |outbox| due = outbox.due.extract_if(.., |(to, _)| to == device).map(|(_, statement)| statement).collect())?;
    deliver(cx, vec![(device.clone(), due)])
}
/// A new stream: what could not be had may be there now.
pub(crate) fn online(cx: &mut Context<'_>) -> Result<(), Halt> {
    let open = waiting(cx)?;
    for device in open.into_iter().take(ASKED) {
        ask_bundle(cx, &device)?;
    }
    Ok(())
}
fn edit(cx: &mut Context<'_>, f: impl FnOnce(&mut Outbox)) -> Result<(), Halt> {
    let mut outbox = cx.records.get(records::outbox())?.cloned().unwrap_or_default();
    f(&mut outbox);
    if outbox.subjects.is_empty() && outbox.due.is_empty() {
        cx.records.remove(records::outbox());
    } else {
        cx.records.put(records::outbox(), outbox);
    }
    Ok(())
}
/// Whether a device is listed in OMEMO 2: trust messages are for no others.
fn is_listed(cx: &mut Context<'_>, device: &Device) -> Result<bool, Halt> {
    let Some(id) = records::number(device) else { return Ok(false) };
    Ok(cx.records.get(records::people(&device.owner))?.and_then(|p| p.find(id)).is_some_and(|e| e.in_list(Version::Omemo2)))
}
/// `false`: nobody hands it out.
fn ask_bundle(cx: &mut Context<'_>, device: &Device) -> Result<bool, Halt> {
    let listed = is_listed(cx, device)?;
    if let (true, Some(id)) = (listed, records::number(device)) {
        cx.network.ask(Request::Fetch(bundle_node(&device.owner, id, Version::Omemo2)));
    }
    Ok(listed)
}
/// A key as messages carry it, if a session in OMEMO 2 has shown it.
fn ed25519(cx: &mut Context<'_>, device: &Device, key: &Fingerprint) -> Result<Option<[u8; 32]>, Halt> {
    let ratchet = cx.records.get(records::session(device))?.and_then(|s| s.in_version(Version::Omemo2));
    Ok(ratchet.map(Ratchet::identity).filter(|i| i.fingerprint() == key.0).map(|i| *i.ed25519()))
}

fn tell(cx: &mut Context<'_>, subject: &Subject, ed: [u8; 32]) -> Result<(), Halt> {
    let Subject { device, key, trust, time } = subject;
    let own = device.owner == *cx.me;
    let this = Statement { owner: device.owner.clone(), key: ed, trust: *trust == Trust::Verified, time: *time };
    debug_assert_eq!(fingerprint(&ed), Some(*key));
    let verified: Vec<Identity> = cx.verified_devices()?.into_iter().filter(|i| i.device != *device && (own || i.device.owner == *cx.me)).collect();
    cx.records.warm(verified.iter().map(|i| records::session(&i.device)))?;
    let mut messages: Vec<(Device, Vec<Statement>)> = verified.iter().map(|i| (i.device.clone(), vec![this.clone()])).collect();
    if this.trust {
        cx.records.warm(verified.iter().map(|i| records::verdicts(&i.device.owner)))?;
        let mut keys = Vec::new();
        for identity in &verified {
            if let Some(key) = ed25519(cx, &identity.device, &identity.key)? {
                keys.push(Statement { owner: identity.device.owner.clone(), key, trust: true, time: decided_at(cx, identity)? });
            }
        }
        if !keys.is_empty() {
            messages.push((device.clone(), keys));
        }
    }
    deliver(cx, messages)
}
/// When a key was verified: what was decided elsewhere since counts more. Not known any more: when it was met, and all counts more.
fn decided_at(cx: &mut Context<'_>, identity: &Identity) -> Result<Time, Halt> {
    let verdict = cx.records.get(records::verdicts(&identity.device.owner))?.and_then(|v| v.about(&identity.key));
    Ok(verdict.filter(|v| v.trust == Trust::Verified).map_or(identity.first_seen, |v| v.time))
}
/// To devices of one person in one stanza, where they are told the same. Who has no session yet waits for one. What goes to a contact
/// reaches own devices as carbons: those that are verified can read it, or they would show a message that they can't read.
fn deliver(cx: &mut Context<'_>, messages: Vec<(Device, Vec<Statement>)>) -> Result<(), Halt> {
    let epoch = memory::sending(cx)?;
    let mut stanzas: Vec<(Address, Vec<Statement>, Vec<Admitted>)> = Vec::new();
    cx.records.warm(messages.iter().map(|(to, _)| records::people(&to.owner)))?;
    for (to, statements) in messages {
        if !is_listed(cx, &to)? {
            continue; // XEP-0384 §5.5.2
        }
        if to.owner != *cx.me && opt_out::stands(cx, &ChatId(to.owner.clone()))? {
            edit(cx, |outbox| statements.into_iter().for_each(|s| outbox.await_session(&to, s)))?;
            continue;
        }
        let session = cx.records.get(records::session(&to))?.and_then(|s| s.sends(Version::Omemo2, epoch));
        let Some(key) = session.map(Ratchet::fingerprint) else {
            if ask_bundle(cx, &to)? {
                edit(cx, |outbox| statements.into_iter().for_each(|s| outbox.await_session(&to, s)))?;
            }
            continue;
        };
        // it may have been distrusted meanwhile
        if cx.verified(&to, &key)?.is_none() {
            continue;
        }
        let Admission::Admitted(admitted) = cx.admit(&to, &key)? else { continue };
        match stanzas.iter_mut().find(|(owner, said, _)| *owner == to.owner && *said == statements) {
            Some((.., devices)) => devices.push(admitted),
            None => stanzas.push((to.owner, statements, vec![admitted])),
        }
    }
    let now = cx.now;
    for (owner, statements, mut devices) in stanzas {
        if owner != *cx.me {
            for own in cx.identities(&cx.me.clone())?.into_iter().filter(|i| i.current && i.trust == Trust::Verified) {
                if is_listed(cx, &own.device)?
                    && let Admission::Admitted(admitted) = cx.admit(&own.device, &own.key)?
                {
                    devices.push(admitted);
                }
            }
        }
        for part in statements.chunks(MOST) {
            send(cx, owner.clone(), &devices, &trust_message::write(&by_owner(part, now)))?;
        }
    }
    Ok(())
}
/// What is said of the keys of one person, and was decided at one time, together.
fn by_owner(statements: &[Statement], now: Time) -> Vec<KeyOwner> {
    let mut owners: Vec<KeyOwner> = Vec::new();
    for Statement { owner, key, trust, time } in statements {
        let decided = Some(*time).filter(|time| *time < now);
        if owners.last().is_none_or(|o| o.jid != owner.as_str() || o.decided != decided) {
            owners.push(KeyOwner { jid: owner.as_str().to_owned(), decided, ..KeyOwner::default() });
        }
        if let Some(last) = owners.last_mut() {
            if *trust { &mut last.trust } else { &mut last.distrust }.push(*key);
        }
    }
    owners
}
/// One stanza to one person, with an envelope of OMEMO 2 for these devices, by owner.
fn send(cx: &mut Context<'_>, owner: Address, devices: &[Admitted], content: &[u8]) -> Result<(), Halt> {
    let Some(us) = cx.records.get(records::account())?.map(|a| a.device) else { return Ok(()) };
    let envelope = sce::Outgoing { content, from: cx.me.as_str(), to: Some(owner.as_str()), time: cx.now };
    let payload = payload::encrypt_omemo2(&sce::write(&envelope, cx.rng), cx.rng);
    let mut builder = Builder::omemo2(us, devices.len());
    let mut message = Vec::with_capacity(256);
    let mut last = None;
    let epoch = memory::sending(cx)?;
    for to in devices {
        let Some(id) = records::number(to.device()) else { continue };
        let Some(ratchet) = cx.records.edit(records::session(to.device()))?.and_then(|s| s.sender(Version::Omemo2, epoch)) else { continue };
        message.clear();
        let Ok(kind) = ratchet.encrypt(payload.key_material.as_slice(), cx.rng, &mut message) else { continue };
        if last.replace(&to.device().owner) != Some(&to.device().owner) {
            builder.recipient(to.device().owner.as_str());
        }
        builder.key(id, kind == MessageKind::KeyExchange, &message);
    }
    if builder.keys() > 0 {
        let encrypted = Encrypted::new(ContentType::STANZA, builder.message(Some(&payload.ciphertext)))?;
        cx.network.transmit(Recipients::People(vec![owner]), Kind::Other, encrypted);
    }
    Ok(())
}
