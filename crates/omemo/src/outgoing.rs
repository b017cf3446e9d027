//! One message to many devices. Reads as XEP-0384 §5.5 "sending a message" does.
//!
//! Owns which device gets the message in which version, and that nobody gets it whom [`Context::admit`] did not admit.
//! A device that can't be served is left out with a reason; a contact of whom nobody can be served gets nothing at all,
//! and neither do our own devices.
use crate::directory::{bundle_node, refresh};
use crate::join;
use crate::payload;
use crate::records::{self, Ratchet};
use crate::wire::encrypted::Builder;
use crate::wire::{Version, sce};
use subrosa_engine::*;
use subrosa_ratchet::MessageKind;
use zeroize::Zeroizing;

pub(crate) fn encrypt(cx: &mut Context<'_>, message: &Outgoing<'_>) -> Hook<Encrypted> {
    if !matches!(message.kind, Kind::Text | Kind::FileOffer | Kind::Call | Kind::Other) {
        return Ok(Outcome::Skipped); // not in clear either: that is the chat's policy
    }
    let Some(text) = Some(message.plain).filter(|p| p.content_type == ContentType::TEXT).and_then(|p| std::str::from_utf8(p.bytes()).ok()) else {
        return Ok(Outcome::Rejected(Reason::Unsupported.into()));
    };
    // ourselves first: who can't be answered does not write
    if !join::is_published(cx)? {
        let settled = join::advance(cx)?;
        if let Some(pending) = cx.network.until_answered().filter(|_| !settled) {
            return Ok(Outcome::Pending(pending));
        }
    }
    let Some(us) = cx.records.get(records::account())?.filter(|a| !a.leaving).map(|a| a.device) else {
        return Ok(Outcome::Rejected(Reason::ServerRefused.into()));
    };
    if !join::is_published(cx)? {
        return Ok(Outcome::Rejected(Reason::ServerRefused.into()));
    }
    // the device lists of everybody, ours too
    let (people, only) = match message.to {
        Recipients::People(people) => (people.clone(), None),
        Recipients::Device(device) => (vec![device.owner.clone()], records::number(device)),
        Recipients::Room => return Ok(Outcome::Rejected(Reason::NotInRoom.into())), // the house names the people
    };
    let contacts = people.iter().filter(|p| **p != *cx.me).count();
    let mut owners = people;
    if only.is_none() && !owners.contains(cx.me) {
        owners.push(cx.me.clone());
    }
    cx.records.warm(owners.iter().map(records::people))?;
    owners.iter().try_for_each(|owner| refresh(cx, owner))?;
    if let Some(pending) = cx.network.until_answered() {
        return Ok(Outcome::Pending(pending));
    }
    let mut targets = Vec::new();
    for owner in &owners {
        let own = *owner == *cx.me;
        let Some(list) = cx.records.get(records::people(owner))? else { continue };
        for entry in list.listed().filter(|e| only.is_none_or(|id| e.id == id) && !(own && e.id == us)) {
            let versions = Version::ALL.map(|v| entry.in_list(v).then_some(v));
            targets.push(Target { device: Device::of(owner, entry.id), id: entry.id, versions, contact: !own });
        }
    }
    let wanted = if contacts > 0 { targets.iter().any(|t| t.contact) } else { !targets.is_empty() };
    if !wanted {
        // only lists that were read say that there is nobody: an error of the server says nothing
        let mut all_read = true;
        for owner in owners.iter().filter(|owner| contacts == 0 || **owner != *cx.me) {
            let people = cx.records.get(records::people(owner))?;
            all_read &= Version::ALL.into_iter().all(|v| people.and_then(|p| p.seen(v)).is_some_and(|s| s.answered));
        }
        return Ok(Outcome::Rejected(if all_read { Reason::NoEncryption } else { Reason::DeviceListUnavailable }.into()));
    }
    // a session with every one of them
    let plans = plan_all(cx, &targets)?;
    for (target, plan) in targets.iter().zip(&plans) {
        if let Plan::Fetch(version) = plan {
            cx.network.ask(Request::Fetch(bundle_node(&target.device.owner, target.id, *version)));
        }
    }
    if let Some(pending) = cx.network.until_answered() {
        return Ok(Outcome::Pending(pending));
    }
    // the message key, once for each device that may have it
    let sealed = cx.attempt(|cx| {
        let mut bodies = Bodies::new(text, message.chat, us, targets.len());
        let mut served = false;
        for (target, plan) in targets.iter().zip(plans) {
            let result = match plan {
                Plan::Leave(why) => Err((why, None)),
                Plan::Fetch(version) => Err((Exclusion::BundleUnavailable, Some(version))),
                Plan::Speak(version, key) => match cx.admit(&target.device, &key)? {
                    Admission::Admitted(admitted) => {
                        bodies.add_key(cx, &admitted, target.id, version)?.map_err(|why| (why, Some(version))).map(|()| version)
                    }
                    Admission::Excluded(why) => Err((why, Some(version))),
                },
            };
            served |= result.is_ok() && (target.contact || contacts == 0);
            bodies.report(target.device.clone(), result);
        }
        if !served {
            return Ok(Err(Unsent::Nobody(bodies.report)));
        }
        let encrypted = bodies.finish()?;
        Ok(if encrypted.parts().iter().any(|part| part.body.len() > MAX_BODY) { Err(Unsent::TooLarge) } else { Ok(encrypted) })
    })?;
    Ok(match sealed {
        Ok(encrypted) => Outcome::Done(encrypted),
        Err(Unsent::Nobody(report)) => Outcome::Done(nobody(report)?),
        Err(Unsent::TooLarge) => Outcome::Rejected(Reason::TooLarge.into()),
    })
}

/// The largest body that is sent: servers close the stream on a stanza over 256 KiB, and around this one comes the message.
const MAX_BODY: usize = crate::wire::MAX_BYTES - 4096;

/// Nothing leaves, and the report says why: the house sends nothing that no device can read.
fn nobody(report: Vec<DeviceReport>) -> Result<Encrypted, EmptyBody> {
    let report = report.into_iter().filter(|line| line.result.is_err()).collect();
    Ok(Encrypted::new(ContentType::STANZA, vec![0])?.with_report(report))
}

/// Why nothing leaves; no session has moved.
enum Unsent {
    Nobody(Vec<DeviceReport>),
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
    Leave(Exclusion),
}
/// Nearly always all have a session, so that one look at each is enough; what is missing is loaded at once.
fn plan_all(cx: &mut Context<'_>, targets: &[Target]) -> Result<Vec<Plan>, Halt> {
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
        let ratchet = session.and_then(|s| s.current.as_ref()).filter(|r| Some(r.version()) == target.wanted());
        plans.push(ratchet.map_or(Plan::Leave(Exclusion::NotListed), |r| Plan::Speak(r.version(), r.fingerprint())));
        if ratchet.is_none() {
            open.push(at);
        }
    }
    let unspoken = || open.iter().filter_map(|at| targets.get(*at));
    cx.records.warm(unspoken().flat_map(|t| t.versions.into_iter().flatten().map(|v| records::absent(&t.device, v))))?;
    for at in open {
        if let (Some(target), Some(place)) = (targets.get(at), plans.get_mut(at)) {
            *place = plan(cx, target)?;
        }
    }
    Ok(plans)
}
/// A device without a session in the version that it is to be spoken to.
fn plan(cx: &mut Context<'_>, target: &Target) -> Result<Plan, Halt> {
    let session = cx.records.get(records::session(&target.device))?;
    let wanted = target.wanted();
    if let Some(version) = wanted
        && session.is_some_and(|s| s.other.as_ref().is_some_and(|r| r.version() == version))
        && let Some(record) = cx.records.edit(records::session(&target.device))?
    {
        record.speak(version);
        if let Some(ratchet) = &record.current {
            return Ok(Plan::Speak(version, ratchet.fingerprint()));
        }
    }
    let mut why = Exclusion::NotListed;
    for version in target.versions.into_iter().flatten() {
        let Some(absent) = cx.records.get(records::absent(&target.device, version))?.cloned() else {
            // an older version than wanted, and the wanted one is out of reach: what there is will do
            let session = cx.records.get(records::session(&target.device))?;
            let there = session.and_then(|s| s.current.as_ref()).filter(|r| r.version() == version);
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
            None if absent.is_stale(cx.now) => return Ok(Plan::Fetch(version)),
            None => absent.why,
        };
    }
    Ok(Plan::Leave(why))
}

/// The bodies being written, one for each version that is needed.
struct Bodies<'m> {
    text: &'m str,
    chat: &'m ChatId,
    us: u32,
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
    fn new(text: &'m str, chat: &'m ChatId, us: u32, devices: usize) -> Self {
        let report = Vec::with_capacity(devices);
        Bodies { text, chat, us, devices, omemo2: None, legacy: None, report, scratch: Vec::with_capacity(256) }
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
        let (devices, us) = (self.devices, self.us);
        let body = match version {
            Version::Omemo2 => {
                let (chat, text) = (self.chat, self.text);
                self.omemo2.get_or_insert_with(|| Body::omemo2(cx, chat, text, us, devices))
            }
            Version::Legacy => {
                let text = self.text;
                self.legacy.get_or_insert_with(|| Body::legacy(cx, text, us, devices))
            }
        };
        let Some(ratchet) = cx.records.edit(records::session(to.device()))?.and_then(|s| s.ratchet(version)) else {
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
    fn omemo2(cx: &mut Context<'_>, chat: &ChatId, text: &str, us: u32, devices: usize) -> Self {
        let content = sce::text(text);
        let envelope = sce::Outgoing { content: &content, from: cx.me.as_str(), to: Some(chat.0.as_str()), time: cx.now };
        let payload = payload::encrypt_omemo2(&sce::write(&envelope, cx.rng), cx.rng);
        let material = Material::Omemo2(payload.key_material);
        Body { builder: Builder::omemo2(us, devices), payload: payload.ciphertext, material, owner: None }
    }
    fn legacy(cx: &mut Context<'_>, text: &str, us: u32, devices: usize) -> Self {
        let payload = payload::encrypt_legacy(text.as_bytes(), cx.rng);
        let material = Material::Legacy(payload.key_material);
        Body { builder: Builder::legacy(us, &payload.iv, devices), payload: payload.ciphertext, material, owner: None }
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
    let Some(ratchet) = cx.records.edit(records::session(device))?.and_then(|s| s.ratchet(version)) else { return Ok(()) };
    let mut message = Vec::with_capacity(256);
    let Ok(kind) = Ratchet::encrypt(ratchet, &material, cx.rng, &mut message) else { return Ok(()) };
    builder.recipient(device.owner.as_str());
    builder.key(id, kind == MessageKind::KeyExchange, &message);
    let encrypted = Encrypted::new(ContentType::STANZA, builder.message(None))?;
    cx.network.transmit(Recipients::Device(device.clone()), Kind::Other, encrypted);
    Ok(())
}
