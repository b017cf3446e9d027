//! What a row is called on the disk: HMAC-SHA-256 under a key that is itself sealed, so that the database tells no addresses.
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use subrosa_engine::{DeviceId, Key};
use zeroize::Zeroizing;

/// Devices of one person are kept together in so many records: the cost of a commit is per record, not per byte.
const PAGES: u32 = 16;

/// The name of a record, or of a list.
pub type Name = [u8; 16];

/// Where a record of the machine is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// In a record of its own.
    Row(Name),
    /// In a page with others of the same person.
    Page(Name),
}

/// The key of the names, with its first block done.
pub struct Names(Hmac<Sha256>);
impl Names {
    pub fn new(key: &[u8; 32]) -> Names {
        let mut block = Zeroizing::new([0; 64]); // HMAC fills a short key up with zeros
        block.iter_mut().zip(key).for_each(|(to, from)| *to = *from);
        Names(Hmac::new((&*block).into()))
    }
    /// The record that holds it.
    pub fn place(&self, key: &Key) -> Place {
        let mut bytes = Vec::with_capacity(96);
        match (key.owner(), key.device()) {
            (Some(owner), Some(device)) => {
                for text in [key.space(), key.kind(), owner.as_str()] {
                    part(&mut bytes, text.as_bytes());
                }
                bytes.extend_from_slice(&page(device).to_be_bytes());
                Place::Page(self.name(Kind::Page, &bytes))
            }
            _ => {
                key.write_to(&mut bytes);
                Place::Row(self.name(Kind::Row, &bytes))
            }
        }
    }
    /// What the keys of all rows of a list begin with.
    pub fn list(&self, list: &str) -> Name {
        self.name(Kind::List, list.as_bytes())
    }
    /// An entry of a list that is called by a name.
    pub fn entry(&self, list: &str, name: &str) -> Name {
        let mut bytes = Vec::new();
        part(&mut bytes, list.as_bytes());
        part(&mut bytes, name.as_bytes());
        self.name(Kind::Entry, &bytes)
    }
    fn name(&self, kind: Kind, bytes: &[u8]) -> Name {
        let mut mac = self.0.clone();
        mac.update(&[kind as u8]);
        mac.update(bytes);
        let mut name = Name::default();
        name.iter_mut().zip(mac.finalize().into_bytes()).for_each(|(to, from)| *to = from);
        name
    }
}
/// What is named, so that a list can't have a record's name. Stored names rely on the numbers: they never change.
#[derive(Clone, Copy)]
enum Kind {
    Page = 1,
    Row = 2,
    List = 3,
    Entry = 4,
}
fn part(out: &mut Vec<u8>, bytes: &[u8]) {
    out.extend_from_slice(&u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_be_bytes());
    out.extend_from_slice(bytes);
}
/// Which of the pages. Stored rows rely on it: it never changes.
fn page(device: &DeviceId) -> u32 {
    let number = match device {
        DeviceId::Number(number) => *number,
        DeviceId::Name(name) => name.bytes().fold(0u32, |sum, byte| sum.wrapping_mul(31).wrapping_add(byte.into())),
    };
    number.checked_rem(PAGES).unwrap_or_default()
}
/// What a device is called within its page.
pub fn slot(device: &DeviceId) -> Vec<u8> {
    match device {
        DeviceId::Number(number) => [&[2], number.to_be_bytes().as_slice()].concat(),
        DeviceId::Name(name) => [&[3], name.as_bytes()].concat(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, clippy::arithmetic_side_effects)]
    use super::*;

    fn key(kind: &'static str, device: u32) -> Key {
        Key::for_tests("omemo", kind, Some("bob@example.org".into()), Some(device.into()))
    }
    #[test]
    fn names_stay_what_they_are() {
        let names = Names::new(&[7; 32]);
        let hex = |name: Name| name.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        let Place::Page(page) = names.place(&key("session", 42)) else { panic!("a device's record is in a page") };
        let Place::Row(row) = names.place(&Key::for_tests("house", "open", None, Some(9.into()))) else { panic!("a numbered one is not") };
        let all = [page, row, names.list("chat"), names.entry("chat", "draft")].map(hex);
        assert_eq!(all, FIXED);
    }
    // computed by Python's hmac
    const FIXED: [&str; 4] = [
        "f5d32fa62b738e40a1d9ae82a2f88b59",
        "e5e2de04a44d3e22fb99e40660f1f584",
        "e9ffb178bfcb2d9efd83f2c2fe4c6499",
        "3ab121e9aad40cd51b2a3011883a93c3",
    ];
    #[test]
    fn devices_share_a_page_only_with_their_like() {
        let names = Names::new(&[7; 32]);
        let all = |device| names.place(&key("session", device));
        assert_eq!(all(5), all(5 + PAGES));
        assert_ne!(all(5), all(6));
        assert_ne!(slot(&DeviceId::Number(5)), slot(&DeviceId::Number(5 + PAGES)));
        assert_ne!(slot(&DeviceId::Number(0x3432_3432)), slot(&DeviceId::Name("4242".into())));
        assert_ne!(all(5), names.place(&key("trust", 5)));
        assert_ne!(all(5), Names::new(&[8; 32]).place(&key("session", 5)));
    }
}
