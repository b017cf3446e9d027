//! OMEMO for the simulation: installed, and read on the wire by a reader of its own, straight from the text and the protobuf.
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use subrosa_engine::*;
use subrosa_omemo::Omemo;
use subrosa_omemo::wire::{NodeKind, Version, bundle, device_list};
use subrosa_ratchet::{IdentityKey, Legacy, Omemo2};
use subrosa_testkit::simulation::{Carried, CarriedKey, Install, Published, Subject};
use subrosa_testkit::{ClientId, Stanza, World};

/// What is simulated: OMEMO itself, or something around it that does one thing wrong.
pub trait Flavour: Default + 'static {
    type Engine: Engine + Around;
    type Store: Store + Clone + 'static;
    fn engine(&self) -> Self::Engine;
    fn store(&mut self) -> Self::Store;
    fn settings(&self, manual: bool) -> Settings {
        Settings::default().trust(if manual { TrustPolicy::Manual } else { TrustPolicy::Btbv }).trust_messages(false)
    }
    fn joined(&mut self, _: &mut World<Installed<Self::Engine>, Self::Store>, _: ClientId) {}
    fn feed(&mut self, input: Input) -> Input {
        input
    }
}
/// What has OMEMO in it.
pub trait Around {
    fn omemo(&self) -> &Omemo;
}
impl Around for Omemo {
    fn omemo(&self) -> &Omemo {
        self
    }
}
/// As it is.
#[derive(Default)]
pub struct Honest;
impl Flavour for Honest {
    type Engine = Omemo;
    type Store = MemoryStore;
    fn engine(&self) -> Omemo {
        Omemo::default()
    }
    fn store(&mut self) -> MemoryStore {
        MemoryStore::default()
    }
}

#[derive(Default)]
pub struct Simulated<F>(pub F);

type WorldOf<F> = World<Installed<<F as Flavour>::Engine>, <F as Flavour>::Store>;

impl<F: Flavour> Subject for Simulated<F> {
    type Handle = Installed<F::Engine>;
    type Store = F::Store;

    fn store(&mut self) -> F::Store {
        self.0.store()
    }
    fn install(&self, manual: bool) -> Install<Self::Handle> {
        let (flavour, settings) = (F::default(), self.0.settings(manual));
        Box::new(move |machine| {
            machine.configure(settings.clone());
            let engine = machine.install(flavour.engine());
            machine.route(move |_| Some(engine.id()));
            engine
        })
    }
    fn joined(&mut self, world: &mut WorldOf<F>, who: ClientId) {
        self.0.joined(world, who);
    }
    fn feed(&mut self, input: Input) -> Input {
        self.0.feed(input)
    }
    fn replace(&mut self, world: &mut WorldOf<F>, who: ClientId, device: &Device) {
        let engine = *world.client(who).handle();
        world.call(who, engine, |e, cx| e.omemo().replace_session(cx, device).map(drop));
    }
    fn leave(&mut self, world: &mut WorldOf<F>, who: ClientId) {
        let engine = *world.client(who).handle();
        world.call(who, engine, |e, cx| e.omemo().unpublish(cx));
    }
    fn read(&self, stanza: &Stanza) -> Result<Carried, String> {
        let xml = std::str::from_utf8(&stanza.body).map_err(|_| "no text")?;
        let version = Version::ALL.into_iter().find(|v| xml.starts_with(&format!("<encrypted xmlns='{}'>", v.namespace())));
        let version = version.ok_or("it does not begin with an encrypted element")?;
        let header = between(xml, "<header", "</header>").ok_or("no header")?;
        let mut keys = Vec::new();
        match version {
            Version::Omemo2 => {
                for block in header.split("<keys jid='").skip(1) {
                    let owner = block.split('\'').next().unwrap_or_default();
                    read_keys(block, version, Some(&Address::from(owner)), &mut keys)?;
                }
            }
            Version::Legacy => read_keys(header, version, None, &mut keys)?,
        }
        if keys.is_empty() {
            return Err("no key in it".into());
        }
        Ok(Carried { payload: xml.contains("<payload>"), bound: version == Version::Omemo2, keys })
    }
    fn published(&self, node: &Node, payload: &[u8]) -> Option<Published> {
        Some(match Version::of_node(&node.name)? {
            NodeKind::DeviceList(version) => {
                let list = device_list::parse(version, payload).ok()?;
                Published::List(list.into_iter().map(|device| DeviceId::Number(device.id)).collect())
            }
            NodeKind::Bundle { version, device } => {
                let id = device.or_else(|| node.item.as_deref()?.parse().ok())?;
                let bundle = bundle::parse(version, payload).ok()?;
                let key = match version {
                    Version::Omemo2 => IdentityKey::parse::<Omemo2>(&bundle.identity_key).ok()?,
                    Version::Legacy => {
                        let typed: Vec<u8> = [5].into_iter().chain(bundle.identity_key).collect();
                        IdentityKey::parse::<Legacy>(&typed).ok()?
                    }
                };
                let prekeys = bundle.prekeys.iter().map(|(id, _)| *id).collect();
                Published::Bundle { device: DeviceId::Number(id), key: Fingerprint(key.fingerprint()), prekeys }
            }
        })
    }
    fn list(&self, node: &str, devices: &[DeviceId]) -> Option<Vec<u8>> {
        let Some(NodeKind::DeviceList(version)) = Version::of_node(node) else { return None };
        let listed = |id: &DeviceId| if let DeviceId::Number(n) = id { Some(device_list::ListedDevice::new(*n)) } else { None };
        Some(device_list::write(version, &devices.iter().filter_map(listed).collect::<Vec<_>>()))
    }
    fn is_list(node: &str) -> bool {
        matches!(Version::of_node(node), Some(NodeKind::DeviceList(_)))
    }
    fn is_modern(node: &str) -> bool {
        node.starts_with(Version::Omemo2.namespace())
    }
}

fn between<'a>(text: &'a str, start: &str, end: &str) -> Option<&'a str> {
    text.split_once(start)?.1.split_once(end).map(|(inside, _)| inside)
}
fn read_keys(xml: &str, version: Version, owner: Option<&Address>, into: &mut Vec<CarriedKey>) -> Result<(), String> {
    for key in xml.split("<key rid='").skip(1) {
        let id: u32 = key.split('\'').next().and_then(|n| n.parse().ok()).ok_or("a key without a device")?;
        let exchange = key.split('>').next().is_some_and(|tag| tag.contains("kex='true'") || tag.contains("prekey='true'"));
        let data = between(key, ">", "</key>").and_then(|text| STANDARD.decode(text).ok()).ok_or("a key that is not base64")?;
        let read = message_key(&data, version, exchange).ok_or("a key that is no ratchet message")?;
        into.push(CarriedKey { owner: owner.cloned(), id: DeviceId::Number(id), ratchet: read.0, counter: read.1, exchange: read.2 });
    }
    Ok(())
}
type Read = (Vec<u8>, u32, Option<(Option<u32>, Vec<u8>)>);
/// The protobuf of either version: OMEMOKeyExchange and OMEMOAuthenticatedMessage, PreKeySignalMessage and SignalMessage.
fn message_key(data: &[u8], version: Version, exchange: bool) -> Option<Read> {
    let legacy = version == Version::Legacy;
    let (message, exchange) = if exchange {
        let fields = Fields(data.get(usize::from(legacy)..)?);
        let (ephemeral, message) = if legacy { (2, 4) } else { (4, 5) };
        let opened = (fields.number(1), fields.bytes(ephemeral)?.to_vec());
        (fields.bytes(message)?, Some(opened))
    } else {
        (data, None)
    };
    if legacy {
        let fields = Fields(message.get(1..message.len().checked_sub(8)?)?);
        Some((fields.bytes(1)?.to_vec(), fields.number(2)?, exchange))
    } else {
        let fields = Fields(Fields(message).bytes(2)?);
        Some((fields.bytes(3)?.to_vec(), fields.number(1)?, exchange))
    }
}
/// Fields of a protobuf message, numbers and bytes only.
struct Fields<'a>(&'a [u8]);
impl<'a> Fields<'a> {
    fn all(&self) -> impl Iterator<Item = (u8, u32, &'a [u8])> {
        let mut rest = self.0;
        std::iter::from_fn(move || {
            let tag = *rest.first()?;
            let end = 1 + rest.get(1..)?.iter().position(|byte| byte & 0x80 == 0)?;
            let number = rest[1..=end].iter().rev().fold(0u32, |n, byte| n << 7 | u32::from(byte & 0x7f));
            rest = &rest[end + 1..];
            let bytes = if tag & 7 == 2 { rest.get(..number as usize)? } else { &[] };
            rest = &rest[bytes.len()..];
            Some((tag >> 3, number, bytes))
        })
    }
    fn number(&self, field: u8) -> Option<u32> {
        self.all().find(|(f, ..)| *f == field).map(|(_, n, _)| n)
    }
    fn bytes(&self, field: u8) -> Option<&'a [u8]> {
        self.all().find(|(f, ..)| *f == field).map(|(.., bytes)| bytes)
    }
}
