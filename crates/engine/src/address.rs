//! Who and where. Cheap to copy: a message to 200 devices copies each a few times.
use std::sync::Arc;

/// A bare address of a person or room, already normalised by the transport: a JID, a SIP URI.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Address(Arc<str>);

/// A conversation: the peer's address, or the room's.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ChatId(pub Address);

/// One device of a person.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DeviceId {
    /// OMEMO numbers them.
    Number(u32),
    /// LIME names them (GRUU).
    Name(Arc<str>),
}

/// A device and its owner: an id alone is never enough (two people may have the same).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Device {
    /// Whose it is.
    pub owner: Address,
    /// Which of them.
    pub id: DeviceId,
}

impl Address {
    /// As the transport wrote it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}
impl Device {
    /// `Device::of(&bob, 42)`
    pub fn of(owner: &Address, id: impl Into<DeviceId>) -> Self {
        Device { owner: owner.clone(), id: id.into() }
    }
}
impl From<&str> for Address {
    fn from(s: &str) -> Self {
        Address(s.into())
    }
}
impl From<u32> for DeviceId {
    fn from(n: u32) -> Self {
        DeviceId::Number(n)
    }
}
impl std::fmt::Display for DeviceId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            DeviceId::Number(n) => n.fmt(f),
            DeviceId::Name(s) => s.fmt(f),
        }
    }
}
impl std::fmt::Display for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}
impl std::fmt::Display for Device {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.owner, self.id)
    }
}
