//! What is remembered of a conversation: that the other side will not encrypt any more.
use subrosa_engine::codec::{Reader, Writer};
use subrosa_engine::{Device, DeviceId, Record, Time};

/// The other side asked not to be sent encrypted messages, and nobody here said how to go on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct OptOut {
    /// Which device said so. OMEMO's have numbers.
    pub device: Device,
    /// When, by the server's clock.
    pub at: Time,
    /// In the sender's words; may be empty.
    pub reason: String,
}
impl Record for OptOut {
    fn encode(&self) -> Vec<u8> {
        let mut out = Writer::versioned(1);
        let number = if let DeviceId::Number(number) = self.device.id { number } else { 0 };
        out.str(self.device.owner.as_str()).u32(number).u64(self.at.0).str(&self.reason);
        out.into_bytes()
    }
    fn decode(bytes: &[u8]) -> Option<Self> {
        let input = &mut Reader::versioned(bytes, 1)?;
        let owner = input.str()?.into();
        let opt_out = OptOut { device: Device::of(&owner, input.u32()?), at: Time(input.u64()?), reason: input.str()?.to_owned() };
        input.end().map(|()| opt_out)
    }
}
