//! What all of these tests begin with: a world in which everybody speaks OMEMO.
#![allow(dead_code, clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, clippy::arithmetic_side_effects)]
use subrosa_engine::*;
use subrosa_omemo::Omemo;
use subrosa_omemo::wire::{Version, bundle, device_list, encrypted, sce};
use subrosa_testkit::{ClientId, Stanza};

pub type World = subrosa_testkit::World<Installed<Omemo>>;

pub const ALICE: &str = "alice@example.org";
pub const BOB: &str = "bob@example.org";

/// Installs it, for every chat.
pub fn omemo(machine: &mut Machine) -> Installed<Omemo> {
    let engine = machine.install(Omemo::default());
    machine.route(move |_| Some(engine.id()));
    engine
}
pub fn manual(machine: &mut Machine) -> Installed<Omemo> {
    machine.configure(Settings::default().trust(TrustPolicy::Manual));
    omemo(machine)
}
/// Alice and Bob, one device each, joined.
pub fn two(seed: u64) -> (World, ClientId, ClientId) {
    let mut world = World::new(seed);
    let (alice, bob) = (world.join(ALICE, omemo), world.join(BOB, omemo));
    world.run();
    (world, alice, bob)
}
/// A world whose servers know the old version only.
pub fn legacy_only(world: &mut World) {
    world.notify(|node| !node.starts_with("urn:xmpp:omemo:2"));
    world.server.refuse(|_, request| match request {
        Request::Fetch(node) | Request::Delete(node) | Request::Publish { node, .. } if node.name.starts_with("urn:xmpp:omemo:2") => {
            Some(RequestError::Forbidden)
        }
        _ => None,
    });
}
/// The words that were shown; of what has none, all of it.
pub fn texts(world: &World, who: ClientId) -> Vec<String> {
    let words = |plain: &Plaintext| {
        let body = (plain.content_type == ContentType::STANZA).then(|| sce::body(plain.bytes()).ok().flatten()).flatten();
        body.map_or_else(|| String::from_utf8_lossy(plain.bytes()).into_owned(), |body| body.as_str().to_owned())
    };
    shown(world, who).into_iter().map(|message| words(message.plaintext())).collect()
}
/// The messages that were shown.
pub fn shown(world: &World, who: ClientId) -> Vec<&Received> {
    world.client(who).events().iter().filter_map(|e| if let Event::Message { message, .. } = e { Some(message) } else { None }).collect()
}
/// The last one: what it is, and all of it.
pub fn last(world: &World, who: ClientId) -> (Kind, String) {
    let message = *shown(world, who).last().expect("a message");
    (message.kind(), String::from_utf8(message.plaintext().bytes().to_vec()).unwrap())
}
pub fn device(world: &mut World, who: ClientId) -> Device {
    let engine = *world.client(who).handle();
    world.call(who, engine, |o, cx| o.own_device(cx)).flatten().expect("joined")
}
pub fn number(device: &Device) -> u32 {
    let DeviceId::Number(n) = device.id else { panic!("a named device") };
    n
}
pub fn key(world: &mut World, who: ClientId) -> Fingerprint {
    let engine = *world.client(who).handle();
    world.call(who, engine, |o, cx| o.fingerprint(cx)).flatten().expect("joined")
}
pub fn devices(world: &mut World, who: ClientId, owner: &str) -> Vec<subrosa_omemo::DeviceInfo> {
    let (engine, owner) = (*world.client(who).handle(), Address::from(owner));
    world.call(who, engine, move |o, cx| o.devices(cx, &owner)).expect("listed")
}
/// Why each message that was not received was not.
pub fn unread(world: &World, who: ClientId) -> Vec<Reason> {
    let reason = |e: &Event| if let Event::NotReceived { why, .. } = e { Some(why.reason) } else { None };
    world.client(who).events().iter().filter_map(reason).collect()
}
/// The report of a sent or not sent message.
pub fn report(world: &World, who: ClientId, message: &MessageId) -> Vec<DeviceReport> {
    let report = |e: &Event| match e {
        Event::Sent { id, report, .. } | Event::NotSent { id, report, .. } if id == message => Some(report.clone()),
        _ => None,
    };
    world.client(who).events().iter().find_map(report).expect("a report")
}
/// Why a message was not sent; `None`: it was.
pub fn not_sent(world: &World, who: ClientId, message: &MessageId) -> Option<Reason> {
    world.client(who).events().iter().find_map(|e| match e {
        Event::Sent { id, .. } if id == message => Some(None),
        Event::NotSent { id, why, .. } if id == message => Some(Some(why.reason)),
        _ => None,
    })?
}
/// The devices on a list as the server has it.
pub fn listed(world: &World, owner: &str, version: Version) -> Vec<u32> {
    let Some(node) = world.server.node(&owner.into(), version.device_list_node()) else { return Vec::new() };
    let Some(item) = node.items.last() else { return Vec::new() };
    device_list::parse(version, &item.payload).map(|l| l.iter().map(|d| d.id).collect()).unwrap_or_default()
}
/// A bundle as the server has it.
pub fn published(world: &World, owner: &str, id: u32, version: Version) -> Option<bundle::Bundle> {
    let node = world.server.node(&owner.into(), &version.bundle_node(id))?;
    let item = node.items.iter().find(|i| i.id.as_deref() == Some(&version.bundle_item(id)))?;
    bundle::parse(version, &item.payload).ok()
}
/// What a stanza carries for one device.
pub fn carried(stanza: &Stanza, to: &Device) -> Option<encrypted::Encrypted> {
    encrypted::parse(&stanza.body, to.owner.as_str(), number(to)).ok()?.encrypted.filter(|e| !e.keys.is_empty())
}
