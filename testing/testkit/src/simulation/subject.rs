//! What is simulated.
use crate::{ClientId, Stanza, World};
use subrosa_engine::{Address, Device, DeviceId, Fingerprint, Input, Machine, Node, Store};

/// What installs an engine, at every start of a process.
pub type Install<H> = Box<dyn Fn(&mut Machine) -> H>;

/// An engine with devices, installed in machines of its own kind: what the simulation has to know and to be able to do.
pub trait Subject: Sized + 'static {
    /// What installing gives.
    type Handle: Copy + 'static;
    /// Where devices keep their records.
    type Store: Store + Clone + 'static;

    /// A store for one more device.
    fn store(&mut self) -> Self::Store;
    /// What installs the engine; `manual`: a person decides about every key.
    fn install(&self, manual: bool) -> Install<Self::Handle>;
    /// A device joined; for mutants that have to do with its host.
    fn joined(&mut self, _: &mut World<Self::Handle, Self::Store>, _: ClientId) {}
    /// What the host really feeds where a person gave this; for mutants.
    fn feed(&mut self, input: Input) -> Input {
        input
    }
    /// Starts a session anew.
    fn replace(&mut self, world: &mut World<Self::Handle, Self::Store>, who: ClientId, device: &Device);
    /// Takes a device off its account.
    fn leave(&mut self, world: &mut World<Self::Handle, Self::Store>, who: ClientId);

    /// What a stanza carries.
    ///
    /// # Errors
    /// It is none that the engine should send.
    fn read(&self, stanza: &Stanza) -> Result<Carried, String>;
    /// What is published with this; `None`: nothing that matters.
    fn published(&self, node: &Node, payload: &[u8]) -> Option<Published>;
    /// A list with these devices, for a server or another client that rewrites it.
    fn list(&self, node: &str, devices: &[DeviceId]) -> Option<Vec<u8>>;
    /// Whether a node of that name is a device list.
    fn is_list(node: &str) -> bool;
    /// Whether a server of the older kind has such nodes.
    fn is_modern(node: &str) -> bool;
}

/// What a stanza carries, as anybody on the way can see it.
#[derive(Clone, Debug)]
pub struct Carried {
    /// There are words in it.
    pub payload: bool,
    /// What is inside names sender and conversation, so that it can't be moved.
    pub bound: bool,
    /// Message keys.
    pub keys: Vec<CarriedKey>,
}
/// A message key for one device.
#[derive(Clone, Debug)]
pub struct CarriedKey {
    /// Whose device, where the protocol says so.
    pub owner: Option<Address>,
    /// Which.
    pub id: DeviceId,
    /// The sender's ratchet key.
    pub ratchet: Vec<u8>,
    /// The message's number under it.
    pub counter: u32,
    /// It starts a session: by which prekey, if any, and the ephemeral key.
    pub exchange: Option<(Option<u32>, Vec<u8>)>,
}
/// What is published.
#[derive(Clone, Debug)]
pub enum Published {
    /// The devices of an account.
    List(Vec<DeviceId>),
    /// The keys of a device.
    Bundle {
        /// Which.
        device: DeviceId,
        /// Its identity key, as people compare it.
        key: Fingerprint,
        /// One-time prekeys.
        prekeys: Vec<u32>,
    },
}
