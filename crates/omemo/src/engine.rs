//! The hooks: who does what.
use crate::wire::{NodeKind, Version};
use crate::{atm, directory, incoming, join, outgoing, records};
use subrosa_engine::*;

/// The engine. It has no state: everything is in records, so it can't be ahead of the disk.
#[derive(Clone, Copy, Debug, Default)]
pub struct Omemo {}

impl Engine for Omemo {
    fn name(&self) -> &'static str {
        "omemo"
    }
    /// All: what comes encrypted may be of any kind, and nothing of a chat passes by in clear.
    fn wants(&self, _: Kind) -> bool {
        true
    }
    fn outgoing(&self, cx: &mut Context<'_>, message: &Outgoing<'_>) -> Hook<Encrypted> {
        outgoing::encrypt(cx, message)
    }
    fn incoming(&self, cx: &mut Context<'_>, message: &Incoming<'_>) -> Hook<Decrypted> {
        incoming::decrypt(cx, message)
    }
    fn notice(&self, cx: &mut Context<'_>, notice: &Notice) -> Result<(), Halt> {
        match notice {
            Notice::Online { resumed: false } => {
                join::online(cx)?;
                atm::online(cx)
            }
            Notice::Wake => join::wake(cx),
            Notice::CatchUp { running } => join::catch_up(cx, *running),
            Notice::Published(node, payload) => match Version::of_node(&node.name) {
                // an old item went, perhaps because a newer one came: what the node has now, its server knows
                Some(NodeKind::DeviceList(version)) if payload.is_none() && node.item.is_some() => {
                    cx.network.ask(Request::Fetch(directory::list_node(&node.owner, version)));
                    Ok(())
                }
                Some(NodeKind::DeviceList(version)) => directory::list_pushed(cx, &node.owner, version, payload.as_deref()),
                _ => Ok(()),
            },
            Notice::Answer(_, Request::Fetch(node), answer) => match Version::of_node(&node.name) {
                Some(NodeKind::DeviceList(version)) => directory::list_answered(cx, &node.owner, version, answer.clone()),
                Some(NodeKind::Bundle { version, device }) => {
                    let Some(id) = device.or_else(|| node.item.as_deref()?.parse().ok()) else { return Ok(()) };
                    let ours = node.owner == *cx.me && cx.records.get(records::account())?.is_some_and(|a| a.device == id);
                    if ours {
                        join::own_bundle(cx, version, answer.clone())?;
                        atm::ready(cx)
                    } else {
                        directory::bundle_answered(cx, &Device::of(&node.owner, id), version, answer.clone())
                    }
                }
                None => Ok(()),
            },
            Notice::Answer(id, Request::Publish { node, .. }, answer) => join::published(cx, *id, node, answer.is_ok()),
            Notice::TrustChanged(device, key, trust) => {
                trust_changed(cx, device, key, *trust)?;
                atm::decided(cx, device, key, *trust)
            }
            _ => Ok(()),
        }
    }
}
/// What follows from a decision, whoever made it. If it accepts another key for a device, the session with the old one is over.
pub(crate) fn trust_changed(cx: &mut Context<'_>, device: &Device, key: &Fingerprint, trust: Trust) -> Result<(), Halt> {
    let session = cx.records.get(records::session(device))?;
    if trust.is_trusted() && session.and_then(|s| s.current.as_ref()).is_some_and(|r| r.fingerprint() != *key) {
        cx.records.remove(records::session(device));
    }
    for version in Version::ALL {
        if cx.records.get(records::absent(device, version))?.is_some() {
            cx.records.remove(records::absent(device, version));
        }
    }
    Ok(())
}
