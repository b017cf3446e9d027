//! One message to many devices. Reads as XEP-0384 §5.5 "sending a message" does.
//!
//! Owns which device gets the message in which version, and that nobody gets it whom [`Context::admit`] did not admit.
//! A device that can't be served is left out with a reason; where no contact's can be, nothing leaves, to our own devices neither.
//! In a room each member counts by themselves: they are named, and a person chose whether the message leaves without them.
use crate::directory::{bundle_node, refresh, refresh_but_slow};
use crate::join;
use crate::memory;
use crate::opt_out;
use crate::payload;
use crate::records::{self, Flag, Ratchet};
use crate::wire::content::Content;
use crate::wire::encrypted::Builder;
use crate::wire::{Version, WireError, sce};
use subrosa_engine::*;
use subrosa_ratchet::MessageKind;
use zeroize::Zeroizing;

pub(crate) fn encrypt(cx: &mut Context<'_>, message: &Outgoing<'_>) -> Hook<Encrypted> {
    // worth little: nobody is told that it did not leave
    let quiet = matches!(message.kind, Kind::Typing | Kind::Receipt);
    // worth nothing later: no session is set up for it. A receipt is a message like any other to who has no key for it
    let at_once = message.kind == Kind::Typing;
    if quiet && message.plain.content_type != ContentType::STANZA {
        return Ok(Outcome::Skipped); // not in clear either: that is the chat's policy
    }
    let content = match content(message.plain) {
        Ok(content) => content,
        Err(reason) => return Ok(Outcome::Rejected(reason.into())),
    };
    if content.opt_out.is_some() && message.room.is_some() {
        return Ok(Outcome::Rejected(Reason::Unsupported.into())); // XEP-0384 §5.7: from one account to another
    }
    if content.opt_out.is_none() && opt_out::stands(cx, message.chat)? {
        return Ok(Outcome::Rejected(Reason::OptedOut.into()));
    }
    // ourselves first: who can't be answered does not write
    if !at_once && !join::is_ready(cx)? {
        let settled = join::advance(cx)?;
        if let Some(pending) = cx.network.until_answered().filter(|_| !settled) {
            return Ok(Outcome::Pending(pending));
        }
    }
    let ready = join::is_ready(cx)?;
    let Some(us) = cx.records.get(records::account())?.filter(|a| ready && !a.leaving).map(|a| a.device) else {
        return Ok(if quiet { Outcome::Skipped } else { Outcome::Rejected(Reason::ServerRefused.into()) });
    };
    let (people, only) = match message.to {
        Recipients::People(people) => (people.as_slice(), None),
        Recipients::Device(device) => (std::slice::from_ref(&device.owner), records::number(device)),
        Recipients::Room => return Ok(Outcome::Rejected(Reason::NotInRoom.into())), // the house names the people
    };
    // the device lists of everybody, ours too
    let contacts = people.iter().filter(|p| **p != *cx.me).count();
    let mut owners = people.to_vec();
    if at_once {
        owners.retain(|owner| owner != cx.me); // we know ourselves
    } else if only.is_none() && !owners.contains(cx.me) {
        owners.push(cx.me.clone());
    }
    cx.records.warm(owners.iter().map(records::people))?;
    // what a member's server did not answer last time is asked behind the message, which does not wait for it again and again
    let mut later = Vec::new();
    if !at_once {
        for owner in &owners {
            if message.room.is_some() && *owner != *cx.me {
                later.extend(refresh_but_slow(cx, owner)?);
            } else {
                refresh(cx, owner)?;
            }
        }
        if let Some(pending) = cx.network.until_answered() {
            return Ok(Outcome::Pending(pending));
        }
    }
    let (targets, deaf) = find(cx, &owners, |own, id| only.is_none_or(|only| only == id) && !(own && id == us), &content)?;
    let deaf: Vec<Address> = deaf.into_iter().filter(|owner| contacts == 0 || *owner != *cx.me).collect();
    if !targets.iter().any(|t| t.contact || contacts == 0) {
        return Ok(match message.room {
            _ if quiet => Outcome::Skipped,
            _ if !deaf.is_empty() => Outcome::Rejected(Reason::Unsupported.into()),
            Some(_) if contacts == 0 => Outcome::Rejected(Reason::NoDevice.into()), // alone, and with this device only
            Some(_) => Outcome::Rejected(Refusal::from(Reason::MembersWithoutKeys).about(people.iter().filter(|p| **p != *cx.me).cloned().collect())),
            None => Outcome::Rejected(nobody_listed(cx, &owners, contacts)?.into()),
        });
    }
    // a session with every one of them
    let epoch = memory::epoch(cx)?;
    let mut plans = if at_once { standing(cx, &targets, epoch)? } else { plan_all(cx, &targets, epoch)? };
    if message.room.is_some() {
        trim(&targets, &mut plans);
    }
    for range in groups(&targets) {
        let slow = message.room.is_some_and(|room| waits_for_none(room, targets.get(range.clone()), plans.get(range.clone())));
        for (target, plan) in targets.iter().zip(&plans).skip(range.start).take(range.len()) {
            match plan {
                Plan::Retry(_, false) if slow => {}
                Plan::Retry(version, true) if slow => later.push(bundle_node(&target.device.owner, target.id, *version)),
                Plan::Fetch(version) | Plan::Retry(version, _) => {
                    cx.network.ask(Request::Fetch(bundle_node(&target.device.owner, target.id, *version)));
                }
                Plan::Speak(..) | Plan::Leave(_) | Plan::Pass => {}
            }
        }
    }
    if let Some(pending) = cx.network.until_answered() {
        return Ok(Outcome::Pending(pending));
    }
    for node in later {
        cx.network.ask(Request::Fetch(node));
    }
    // the message key, once for each device that may have it
    let mut most = usize::MAX;
    let sealed = loop {
        let sealed = cx.attempt(|cx| {
            let mut bodies = Bodies::new(&content, message, us, epoch, targets.len());
            // grouped as the targets are, each once
            let mut served: Vec<&Address> = Vec::new();
            let mut older = false;
            let (mut owner, mut theirs) = (None, 0usize);
            for (target, plan) in targets.iter().zip(&plans) {
                theirs = if owner.replace(&target.device.owner) == Some(&target.device.owner) { theirs } else { 0 };
                theirs = theirs.saturating_add(usize::from(matches!(plan, Plan::Speak(..))));
                let result = match *plan {
                    Plan::Pass => continue,
                    _ if theirs > most => Err((Exclusion::TooManyDevices, None)),
                    Plan::Leave(why) => Err((why, None)),
                    Plan::Fetch(version) | Plan::Retry(version, _) => Err((Exclusion::BundleUnavailable, Some(version))),
                    Plan::Speak(version, key) => match cx.admit(&target.device, &key)? {
                        Admission::Admitted(admitted) => {
                            bodies.add_key(cx, &admitted, target.id, version)?.map_err(|why| (why, Some(version))).map(|()| version)
                        }
                        Admission::Excluded(why) => Err((why, Some(version))),
                    },
                };
                if let (Ok(version), true) = (&result, target.contact || contacts == 0) {
                    older |= *version == Version::Legacy;
                    if served.last() != Some(&&target.device.owner) {
                        served.push(&target.device.owner);
                    }
                }
                bodies.report(target.device.clone(), result);
            }
            let missing = match message.room {
                Some(_) if !quiet => without_keys(people, &served, |p| *p == *cx.me || deaf.contains(p)),
                _ => Vec::new(),
            };
            if !missing.is_empty() && (served.is_empty() || message.room.is_some_and(|room| !room.leave_out)) {
                return Ok(Err(Unsent::Members(missing)));
            }
            if served.is_empty() {
                return Ok(Err(Unsent::Nobody(bodies.report)));
            }
            let unsaid = content.unsaid.filter(|_| older || !deaf.is_empty());
            let encrypted = bodies.finish()?.leaving_out(missing).without_saying(unsaid.into_iter().collect());
            Ok(if encrypted.parts().iter().any(|part| part.body.len() > MAX_BODY) { Err(Unsent::TooLarge) } else { Ok(encrypted) })
        })?;
        match sealed {
            // one member with many devices stops no room
            Err(Unsent::TooLarge) if message.room.is_some() && most > FEW => most = most.min(largest(&targets)) / 2,
            sealed => break sealed,
        }
    };
    Ok(match sealed {
        Ok(encrypted) => Outcome::Done(encrypted),
        Err(Unsent::Nobody(_)) if quiet => Outcome::Skipped,
        Err(Unsent::Nobody(report)) => Outcome::Done(nobody(report)?),
        Err(Unsent::Members(people)) => Outcome::Rejected(Refusal::from(Reason::MembersWithoutKeys).about(people)),
        Err(Unsent::TooLarge) => Outcome::Rejected(Reason::TooLarge.into()),
    })
}

/// What is said, as it goes into an envelope.
fn content(plain: &Plaintext) -> Result<Content, Reason> {
    if plain.content_type == ContentType::TEXT {
        return std::str::from_utf8(plain.bytes()).map(Content::text).map_err(|_| Reason::Unsupported);
    }
    if plain.content_type != ContentType::STANZA {
        return Err(Reason::Unsupported);
    }
    let content = sce::content(plain.bytes()).and_then(Content::of).map_err(|error| match error {
        WireError::TooLarge(_) => Reason::TooLarge,
        _ => Reason::Malformed,
    })?;
    if content.run.is_empty() { Err(Reason::Malformed) } else { Ok(content) }
}
/// The devices that may get a message, those of one owner together; and whose devices have no form for it.
fn find(
    cx: &mut Context<'_>,
    owners: &[Address],
    wanted: impl Fn(bool, u32) -> bool,
    content: &Content,
) -> Result<(Vec<Target>, Vec<Address>), Halt> {
    // without words there is nothing that older devices could be told
    let speaks = |version: Version| version == Version::Omemo2 || content.body.is_some();
    let (mut targets, mut deaf) = (Vec::new(), Vec::new());
    for owner in owners {
        let own = *owner == *cx.me;
        let Some(list) = cx.records.get(records::people(owner))? else { continue };
        let mut none_fits = false;
        for entry in list.listed().filter(|e| wanted(own, e.id)) {
            let versions = Version::ALL.map(|v| (entry.in_list(v) && speaks(v)).then_some(v));
            if versions == [None, None] {
                none_fits = true;
            } else {
                targets.push(Target { device: Device::of(owner, entry.id), id: entry.id, versions, contact: !own });
            }
        }
        if none_fits {
            deaf.push(owner.clone());
        }
    }
    Ok((targets, deaf))
}
/// Those of whom no device was served. `people` are sorted where they are members of a room, and so are those who were.
fn without_keys(people: &[Address], served: &[&Address], excused: impl Fn(&Address) -> bool) -> Vec<Address> {
    people.iter().filter(|p| !excused(p) && served.binary_search(p).is_err()).cloned().collect()
}
/// Nobody has a device. Only lists that were read say so: an error of the server says nothing.
fn nobody_listed(cx: &mut Context<'_>, owners: &[Address], contacts: usize) -> Result<Reason, Halt> {
    let mut all_read = true;
    for owner in owners.iter().filter(|owner| contacts == 0 || **owner != *cx.me) {
        let people = cx.records.get(records::people(owner))?;
        all_read &= Version::ALL.into_iter().all(|v| people.and_then(|p| p.seen(v)).is_some_and(|s| s.answered));
    }
    Ok(if all_read { Reason::NoEncryption } else { Reason::DeviceListUnavailable })
}

/// The largest body that is sent: servers close the stream on a stanza over 256 KiB, and around this one comes the message.
const MAX_BODY: usize = crate::wire::MAX_BYTES - 4096;

/// So many devices of each member get a message to a room, or it is too large for everybody.
const FEW: usize = 8;

/// How many devices the owner has who has most.
fn largest(targets: &[Target]) -> usize {
    targets.chunk_by(|a, b| a.device.owner == b.device.owner).map(<[Target]>::len).max().unwrap_or(0)
}
/// What a key takes in a message, about: so many devices are worth asking for their keys.
const KEY: usize = 256;

/// Of those members of a room who have more devices than there is room for, those with a session come before those that would have to be
/// asked for, and the rest is not asked for.
fn trim(targets: &[Target], plans: &mut [Plan]) {
    let (mut most, sizes) = (largest(targets), || groups(targets).map(|range| range.len()));
    while most > FEW && sizes().map(|size| size.min(most)).fold(0, usize::saturating_add) > MAX_BODY / KEY {
        most /= 2;
    }
    for range in groups(targets) {
        let Some(theirs) = plans.get_mut(range) else { continue };
        let is_open = |plan: &Plan| matches!(plan, Plan::Fetch(_) | Plan::Retry(..));
        let known = theirs.iter().filter(|plan| !is_open(plan)).count(); // what was asked for in vain too, or all are, one part after the other
        theirs
            .iter_mut()
            .filter(|plan| is_open(plan))
            .skip(most.saturating_sub(known))
            .for_each(|plan| *plan = Plan::Leave(Exclusion::TooManyDevices));
    }
}
/// Of each owner where their devices are.
fn groups(targets: &[Target]) -> impl Iterator<Item = std::ops::Range<usize>> {
    targets.chunk_by(|a, b| a.device.owner == b.device.owner).scan(0usize, |start, chunk| {
        let range = *start..start.saturating_add(chunk.len());
        *start = range.end;
        Some(range)
    })
}
/// Whether a message to a room does not wait for what a member's server did not hand out last time: another of their devices gets it, or it
/// goes without them too. Our own server answers us.
fn waits_for_none(room: &Room, targets: Option<&[Target]>, plans: Option<&[Plan]>) -> bool {
    let gets = || plans.is_some_and(|plans| plans.iter().any(|plan| matches!(plan, Plan::Speak(..))));
    targets.and_then(<[Target]>::first).is_some_and(|target| target.contact) && (room.leave_out || gets())
}
/// Nothing leaves, and the report says why: the house sends nothing that no device can read.
fn nobody(report: Vec<DeviceReport>) -> Result<Encrypted, EmptyBody> {
    let report = report.into_iter().filter(|line| line.result.is_err()).collect();
    Ok(Encrypted::new(ContentType::STANZA, vec![0])?.with_report(report))
}

/// Why nothing leaves; no session has moved.
enum Unsent {
    Nobody(Vec<DeviceReport>),
    /// Of these members of a room nobody can read it.
    Members(Vec<Address>),
    TooLarge,
}
/// A device on the lists.
struct Target {
    device: Device,
    id: u32,
    /// Those it is listed in, the preferred one first.
    versions: [Option<Version>; 2],
    contact: bool,
}
impl Target {
    fn wanted(&self) -> Option<Version> {
        self.versions.into_iter().flatten().next()
    }
}
/// What becomes of it.
enum Plan {
    Speak(Version, Fingerprint),
    Fetch(Version),
    /// The server did not hand it out last time; whether it is asked again for a message that goes without it.
    Retry(Version, bool),
    Leave(Exclusion),
    /// It has no session, and the message is not worth one.
    Pass,
}
/// Only those that have a session.
fn standing(cx: &mut Context<'_>, targets: &[Target], epoch: u32) -> Result<Vec<Plan>, Halt> {
    cx.records.warm(targets.iter().map(|t| records::session(&t.device)))?;
    let mut plans = Vec::with_capacity(targets.len());
    for target in targets {
        let session = cx.records.get(records::session(&target.device))?;
        let ratchet = session.zip(target.wanted()).and_then(|(s, version)| s.sends(version, epoch));
        plans.push(ratchet.map_or(Plan::Pass, |r| Plan::Speak(r.version(), r.fingerprint())));
    }
    Ok(plans)
}
/// Nearly always all have a session, so that one look at each is enough; what is missing is loaded at once.
fn plan_all(cx: &mut Context<'_>, targets: &[Target], epoch: u32) -> Result<Vec<Plan>, Halt> {
    let mut plans = Vec::with_capacity(targets.len());
    let mut open = Vec::new();
    for (at, target) in targets.iter().enumerate() {
        let session = match cx.records.get(records::session(&target.device)) {
            Ok(session) => session,
            Err(halt) => {
                cx.records.warm(targets.iter().map(|t| records::session(&t.device)))?;
                return Err(halt);
            }
        };
        let ratchet = session.and_then(|s| s.speaks(epoch)).filter(|r| Some(r.version()) == target.wanted());
        plans.push(ratchet.map_or(Plan::Leave(Exclusion::NotListed), |r| Plan::Speak(r.version(), r.fingerprint())));
        if ratchet.is_none() {
            open.push(at);
        }
    }
    let unspoken = || open.iter().filter_map(|at| targets.get(*at));
    cx.records.warm(unspoken().flat_map(|t| t.versions.into_iter().flatten().map(|v| records::absent(&t.device, v))))?;
    for at in open {
        if let (Some(target), Some(place)) = (targets.get(at), plans.get_mut(at)) {
            *place = plan(cx, target, epoch)?;
        }
    }
    Ok(plans)
}
/// A device without a session in the version that it is to be spoken to.
fn plan(cx: &mut Context<'_>, target: &Target, epoch: u32) -> Result<Plan, Halt> {
    let session = cx.records.get(records::session(&target.device))?;
    let wanted = target.wanted();
    if let Some(version) = wanted
        && session.is_some_and(|s| s.sends(version, epoch).is_some())
        && let Some(record) = cx.records.edit(records::session(&target.device))?
    {
        record.speak(version);
        if let Some(ratchet) = &record.current {
            return Ok(Plan::Speak(version, ratchet.fingerprint()));
        }
    }
    let speaks = cx.records.get(records::session(&target.device))?.is_some_and(|s| s.speaks(epoch).is_some());
    let mut why = Exclusion::NotListed;
    for version in target.versions.into_iter().flatten() {
        let Some(absent) = cx.records.get(records::absent(&target.device, version))?.cloned() else {
            // an older version than wanted, and the wanted one is out of reach: what there is will do
            let session = cx.records.get(records::session(&target.device))?;
            let there = session.and_then(|s| s.speaks(epoch)).filter(|r| r.version() == version);
            return Ok(there.map_or(Plan::Fetch(version), |r| Plan::Speak(version, r.fingerprint())));
        };
        why = match absent.key {
            // it was trust that was missing: ask again, and fetch when somebody decided
            Some(key) => match cx.admit(&target.device, &key)? {
                Admission::Admitted(_) => return Ok(Plan::Fetch(version)),
                Admission::Excluded(why) if !absent.is_stale(cx.now) => return Ok(Plan::Leave(why)),
                Admission::Excluded(Exclusion::IdentityKeyChanged) => return Ok(Plan::Fetch(version)),
                Admission::Excluded(why) => return Ok(Plan::Leave(why)),
            },
            // one that is spoken to in another version is not left out for that
            None if absent.is_stale(cx.now) && absent.why == Exclusion::BundleUnavailable && !speaks => {
                return Ok(Plan::Retry(version, absent.is_due(cx.now)));
            }
            None if absent.is_stale(cx.now) => return Ok(Plan::Fetch(version)),
            None => absent.why,
        };
    }
    Ok(Plan::Leave(why))
}

/// A device is spoken to in legacy: a person is told once, if it was met in omemo:2 before.
fn downgraded(cx: &mut Context<'_>, device: &Device, chat: &ChatId) -> Result<(), Halt> {
    let newer = cx.records.get(records::session(device))?.is_some_and(|s| s.in_version(Version::Omemo2).is_some());
    if newer && cx.records.get(records::downgraded(device))?.is_none() {
        cx.records.put(records::downgraded(device), Flag);
        cx.network.emit(Event::Warning { warning: Warning::Downgraded, chat: Some(chat.clone()), device: Some(device.clone()) });
    }
    Ok(())
}

/// The bodies being written, one for each version that is needed.
struct Bodies<'m> {
    content: &'m Content,
    message: &'m Outgoing<'m>,
    us: u32,
    /// Sessions of this memory send, those of an earlier one don't.
    epoch: u32,
    devices: usize,
    omemo2: Option<Body>,
    legacy: Option<Body>,
    report: Vec<DeviceReport>,
    /// Ratchet messages are written here first.
    scratch: Vec<u8>,
}
struct Body {
    builder: Builder,
    payload: Vec<u8>,
    /// What goes through the ratchet.
    material: Material,
    /// Whose keys are being written.
    owner: Option<Address>,
}
enum Material {
    Omemo2(Zeroizing<[u8; 48]>),
    Legacy(Zeroizing<[u8; 32]>),
}
impl Material {
    fn bytes(&self) -> &[u8] {
        match self {
            Material::Omemo2(bytes) => bytes.as_slice(),
            Material::Legacy(bytes) => bytes.as_slice(),
        }
    }
}
impl<'m> Bodies<'m> {
    fn new(content: &'m Content, message: &'m Outgoing<'m>, us: u32, epoch: u32, devices: usize) -> Self {
        let report = Vec::with_capacity(devices);
        Bodies { content, message, us, epoch, devices, omemo2: None, legacy: None, report, scratch: Vec::with_capacity(256) }
    }
    fn report(&mut self, device: Device, result: Result<Version, (Exclusion, Option<Version>)>) {
        let protocol = match &result {
            Ok(version) | Err((_, Some(version))) => version.protocol(),
            Err((_, None)) => "",
        };
        self.report.push(DeviceReport { device, protocol: protocol.into(), result: result.map(drop).map_err(|(why, _)| why) });
    }
    /// The only function that hands a message key to a session: it wants the right to do so.
    fn add_key(&mut self, cx: &mut Context<'_>, to: &Admitted, id: u32, version: Version) -> Result<Result<(), Exclusion>, Halt> {
        let (content, message, us, devices) = (self.content, self.message, self.us, self.devices);
        let body = match version {
            Version::Omemo2 => self.omemo2.get_or_insert_with(|| Body::omemo2(cx, content, message, us, devices)),
            Version::Legacy => self.legacy.get_or_insert_with(|| Body::legacy(cx, content, us, devices)),
        };
        let epoch = self.epoch;
        let Some(ratchet) = cx.records.edit(records::session(to.device()))?.and_then(|s| s.sender(version, epoch)) else {
            return Ok(Err(Exclusion::BrokenSession));
        };
        self.scratch.clear();
        let Ok(kind) = ratchet.encrypt(body.material.bytes(), cx.rng, &mut self.scratch) else { return Ok(Err(Exclusion::BrokenSession)) };
        let owner = &to.device().owner;
        if body.owner.as_ref() != Some(owner) {
            body.builder.recipient(owner.as_str());
            body.owner = Some(owner.clone());
        }
        body.builder.key(id, kind == MessageKind::KeyExchange, &self.scratch);
        if version == Version::Legacy {
            downgraded(cx, to.device(), message.chat)?;
        }
        Ok(Ok(()))
    }
    fn finish(self) -> Result<Encrypted, EmptyBody> {
        let mut bodies = [self.omemo2, self.legacy].into_iter().flatten().filter(|b| b.builder.keys() > 0);
        let first = bodies.next().map(|b| b.builder.message(Some(&b.payload))).unwrap_or_default();
        let encrypted = Encrypted::new(ContentType::STANZA, first)?;
        let encrypted = bodies.try_fold(encrypted, |e, mut b| {
            b.builder.also();
            e.and(ContentType::STANZA, b.builder.message(Some(&b.payload)))
        })?;
        Ok(encrypted.with_report(self.report))
    }
}
impl Body {
    fn omemo2(cx: &mut Context<'_>, content: &Content, message: &Outgoing<'_>, us: u32, devices: usize) -> Self {
        let to = Some(message.chat.0.as_str());
        let envelope = sce::Outgoing { content: &content.run, from: cx.me.as_str(), to, time: cx.now };
        let payload = payload::encrypt_omemo2(&sce::write(&envelope, cx.rng), cx.rng);
        let material = Material::Omemo2(payload.key_material);
        let mut builder = Builder::omemo2(us, devices);
        if message.kind == Kind::Typing {
            builder.transient();
        }
        Body { builder, payload: payload.ciphertext, material, owner: None }
    }
    /// The words, and in clear beside them what older clients look for there.
    fn legacy(cx: &mut Context<'_>, content: &Content, us: u32, devices: usize) -> Self {
        let words = content.body.as_ref().map(|body| body.as_bytes()).unwrap_or_default();
        let payload = payload::encrypt_legacy(words, cx.rng);
        let material = Material::Legacy(payload.key_material);
        let mut builder = Builder::legacy(us, &payload.iv, devices);
        builder.beside(&content.beside);
        Body { builder, payload: payload.ciphertext, material, owner: None }
    }
}

/// An empty message (OMEMO 2), a key transport (legacy): says that a session stands and moves its ratchet. It carries
/// nothing, so it needs no trust (XEP-0384 §8).
pub(crate) fn send_empty(cx: &mut Context<'_>, device: &Device, version: Version) -> Result<(), Halt> {
    let Some(us) = cx.records.get(records::account())?.map(|a| a.device) else { return Ok(()) };
    let Some(id) = records::number(device) else { return Ok(()) };
    let (mut builder, material): (_, Zeroizing<Vec<u8>>) = match version {
        Version::Omemo2 => (Builder::omemo2(us, 1), Zeroizing::new(payload::OMEMO2_EMPTY.to_vec())),
        Version::Legacy => {
            let (iv, key) = payload::legacy_key_transport(cx.rng);
            (Builder::legacy(us, &iv, 1), Zeroizing::new(key.to_vec()))
        }
    };
    let epoch = memory::epoch(cx)?;
    let Some(ratchet) = cx.records.edit(records::session(device))?.and_then(|s| s.sender(version, epoch)) else { return Ok(()) };
    let mut message = Vec::with_capacity(256);
    let Ok(kind) = Ratchet::encrypt(ratchet, &material, cx.rng, &mut message) else { return Ok(()) };
    builder.recipient(device.owner.as_str());
    builder.key(id, kind == MessageKind::KeyExchange, &message);
    let encrypted = Encrypted::new(ContentType::STANZA, builder.message(None))?;
    cx.network.transmit(Recipients::Device(device.clone()), Kind::Other, encrypted);
    Ok(())
}
