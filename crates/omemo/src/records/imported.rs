//! What came along with an identity that another program had: signed prekeys under which messages may still be on their way.
use super::slot;
use crate::wire::Version;
use subrosa_engine::codec::{Reader, Writer};
use subrosa_engine::{Record, Time};
use subrosa_ratchet::KeyPair;

/// Of an identity that was taken over.
#[derive(Clone)]
pub(crate) struct Imported {
    /// The account's lists have not been read yet: the devices on them were there before.
    pub joining: bool,
    /// By version and number: two versions may have given the same number to two keys.
    pub signed: Vec<(Version, u32, KeyPair)>,
    /// How long they are kept.
    pub until: Time,
}
impl Imported {
    pub fn signed_pre_key(&self, version: Version, id: u32) -> Option<&KeyPair> {
        self.signed.iter().find(|(v, n, _)| *v == version && *n == id).map(|(.., pair)| pair)
    }
}
impl Record for Imported {
    fn encode(&self) -> Vec<u8> {
        let mut out = Writer::versioned(1);
        out.bool(self.joining).u64(self.until.0).len(self.signed.len());
        for (version, id, pair) in &self.signed {
            out.u8(u8::try_from(slot(*version)).unwrap_or_default()).u32(*id).raw(pair.to_bytes().as_slice());
        }
        out.into_bytes()
    }
    fn decode(bytes: &[u8]) -> Option<Self> {
        let input = &mut Reader::versioned(bytes, 1)?;
        let (joining, until, mut signed) = (input.bool()?, Time(input.u64()?), Vec::new());
        for _ in 0..input.len()? {
            let slot = usize::from(input.u8()?);
            let version = Version::ALL.into_iter().find(|v| super::slot(*v) == slot)?;
            signed.push((version, input.u32()?, KeyPair::from_bytes(input.raw(KeyPair::STORED)?).ok()?));
        }
        input.end().map(|()| Imported { joining, signed, until })
    }
}
