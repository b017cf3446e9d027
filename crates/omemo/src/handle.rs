//! What a client of OMEMO can do beyond messages: `step.call(omemo, |o, cx| o.devices(cx, &bob))`.
use crate::Omemo;
use crate::directory::list_node;
use crate::heal;
use crate::records;
use crate::wire::Version;
use crate::{join, leave};
use subrosa_engine::*;
use subrosa_ratchet::Omemo2;

/// One device of a person, for a person to look at.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct DeviceInfo {
    /// Which.
    pub device: Device,
    /// Its identity key, in the form people compare. `None`: not seen yet.
    pub key: Option<Fingerprint>,
    /// What the key is worth; [`Trust::Undecided`] without one.
    pub trust: Trust,
    /// The versions it is listed in, the one that is spoken first: `["omemo:2"]`.
    pub versions: Vec<&'static str>,
    /// It is on its owner's list. Messages go to these only.
    pub listed: bool,
    /// It is one of this account.
    pub own: bool,
    /// It is this one.
    pub this_device: bool,
    /// There is a session with it.
    pub has_session: bool,
    /// When something of it was last decrypted.
    pub last_heard: Option<Time>,
    /// Who said what the key is worth.
    pub by: Decider,
    /// When its key was met.
    pub first_seen: Option<Time>,
    /// What its owner calls it, if its identity key signed that (XEP-0384 §5.3.1).
    pub label: Option<String>,
}

/// What may go wrong when a session is replaced by hand.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReplaceError {
    /// It is on none of its owner's lists.
    #[error("{0} is on no device list: its owner must switch encryption on there first")]
    NotListed(Device),
}
impl Coded for ReplaceError {
    fn code(&self) -> &'static str {
        match self {
            ReplaceError::NotListed(_) => "omemo.replace.not-listed",
        }
    }
    fn fault(&self) -> Fault {
        Fault::Caller
    }
}

impl Omemo {
    /// The devices of a person as they are known now, listed ones first. Call [`Omemo::refresh_devices`] before, and wait for
    /// its answers, where it may be out of date.
    pub fn devices(&self, cx: &mut Context<'_>, owner: &Address) -> Result<Vec<DeviceInfo>, Halt> {
        let own = *owner == *cx.me;
        let us = if own { cx.records.get(records::account())?.map(|a| (a.device, *a.identity.public())) } else { None };
        let identities = cx.identities(owner)?;
        let entries = cx.records.get(records::people(owner))?.map(|p| p.devices.clone()).unwrap_or_default();
        let mut ids: Vec<u32> = entries.iter().map(|e| e.id).chain(identities.iter().filter_map(|i| records::number(&i.device))).collect();
        ids.extend(us.map(|(id, _)| id));
        let mut ids = sorted(ids);
        ids.dedup();
        cx.records.warm(ids.iter().map(|id| records::session(&Device::of(owner, *id))))?;
        let mut all = Vec::with_capacity(ids.len());
        for id in ids {
            let device = Device::of(owner, id);
            let entry = entries.iter().find(|e| e.id == id);
            let known = identities.iter().find(|i| i.current && i.device == device);
            let this = us.filter(|(n, _)| *n == id).map(|(_, key)| key);
            let session = cx.records.get(records::session(&device))?;
            let ratchet = session.and_then(|s| s.current.as_ref());
            let identity = this.or(ratchet.map(|r| *r.identity()));
            let signed = |(label, signature): &(String, String)| {
                let signature = base64::Engine::decode(&base64::engine::general_purpose::STANDARD, signature).ok()?;
                identity?.verify::<Omemo2>(label.as_bytes(), &signature).is_ok().then(|| label.clone())
            };
            all.push(DeviceInfo {
                key: this.map(|key| Fingerprint(key.fingerprint())).or(known.map(|k| k.key)),
                trust: if this.is_some() { Trust::Verified } else { known.map_or(Trust::Undecided, |k| k.trust) },
                versions: Version::ALL.into_iter().filter(|v| entry.is_some_and(|e| e.in_list(*v))).map(Version::protocol).collect(),
                listed: entry.is_some_and(|e| e.is_listed()),
                own,
                this_device: this.is_some(),
                has_session: ratchet.is_some(),
                by: if this.is_some() { Decider::Person } else { known.map_or(Decider::Policy, |k| k.by) },
                first_seen: known.map(|k| k.first_seen),
                last_heard: session.map(|s| s.heard).filter(|t| t.0 > 0),
                label: entry.and_then(|e| e.label.as_deref()).and_then(signed),
                device,
            });
        }
        let (listed, gone): (Vec<_>, Vec<_>) = all.into_iter().partition(|d: &DeviceInfo| d.listed);
        Ok(listed.into_iter().chain(gone).collect())
    }
    /// Asks for the lists of a person anew; what they say is in [`Omemo::devices`] once the answers are in.
    pub fn refresh_devices(&self, cx: &mut Context<'_>, owner: &Address) -> Result<(), Halt> {
        for version in Version::ALL {
            cx.network.ask(Request::Fetch(list_node(owner, version)));
        }
        Ok(())
    }
    /// This device; `None` until it has joined.
    pub fn own_device(&self, cx: &mut Context<'_>) -> Result<Option<Device>, Halt> {
        let me = cx.me.clone();
        Ok(cx.records.get(records::account())?.map(|a| Device::of(&me, a.device)))
    }
    /// The identity key of this device, as people compare it (XEP-0384 §8: the Curve25519 form, the same in both versions).
    pub fn fingerprint(&self, cx: &mut Context<'_>) -> Result<Option<Fingerprint>, Halt> {
        Ok(cx.records.get(records::account())?.map(|a| Fingerprint(a.identity.public().fingerprint())))
    }
    /// Whether others find this device: its bundle and its place on the list are published in at least one version.
    pub fn is_published(&self, cx: &mut Context<'_>) -> Result<bool, Halt> {
        join::is_published(cx)
    }
    /// Takes this device off the account (XEP-0384 §6): its place on both lists, its bundles. It is done when the server has answered;
    /// then its store may be erased.
    pub fn unpublish(&self, cx: &mut Context<'_>) -> Result<(), Halt> {
        leave::leave(cx)
    }
    /// Starts a new session with a device in the place of a broken one (XEP-0384 §6). When its bundle is there, an empty message says so;
    /// what is still on its way for the old one can be read.
    pub fn replace_session(&self, cx: &mut Context<'_>, device: &Device) -> Result<Result<(), ReplaceError>, Halt> {
        let entry = match records::number(device) {
            Some(id) => cx.records.get(records::people(&device.owner))?.and_then(|p| p.find(id)).and_then(|e| Some((id, e.version()?))),
            None => None,
        };
        let Some((id, version)) = entry else { return Ok(Err(ReplaceError::NotListed(device.clone()))) };
        heal::ask(cx, device, id, version);
        Ok(Ok(()))
    }
}
