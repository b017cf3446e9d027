//! A backup: one file, sealed with a passphrase, that only its owner can open.
//!
//! ```text
//! header   "SUBROSA BACKUP\n"  version 2   Argon2id: memory in KiB, passes, lanes (u32 each, low byte first)   salt (16)   check (16)
//! chunk*   64 KiB of the content and a tag (AES-256-GCM); the last is shorter, or as long, and is marked as the last
//! end      "SUBROSA END\n": only tells a file that was cut from one that was changed
//! content  zlib of: head, section*, decision*, row*, end        each its length (varint) and its bytes
//! ```
//! Key and check are HKDF-SHA-256 of what Argon2id (RFC 9106) makes of the passphrase. Chunks are sealed by STREAM (Hoang, Reyhanitabar,
//! Rogaway, Vizár): the nonce is the chunk's number and whether it is the last, the header is authenticated with each. So a file that
//! was cut, reordered, joined with another or changed in any bit does not open. A salt, and with it a key, is never used twice.
//!
//! **What is in it** is what [`Section`] can hold, decisions about keys, and the history. Never a session, a ratchet state or a
//! prekey: taken back from a backup, they would use a key twice that was used since, and there is no section for them. Whoever is
//! restored is a new device with the old identity key.
//!
//! A backup is opened in two passes: the first checks all of it, the second takes it. Both need some 200 KiB, however large the file.
//!
//! What takes its time needs no history: [`Writing`] and [`Opened`] may be on a thread of their own, and the history gives and takes
//! [`Part`]s between other things.
mod error;
mod restoring;
mod sealing;
mod writing;

pub use error::BackupError;
pub use restoring::{Opened, Parts, Restored};
pub use sealing::Cost;
pub use writing::{BackedUp, Position, Wanted, Writing};

use crate::item::Item;

use subrosa_engine::codec::{Reader, Writer};
use zeroize::Zeroizing;

/// The least characters of a passphrase.
pub const PASSPHRASE: usize = 12;
/// The least that differ.
const DIFFERENT: usize = 5;
/// The longest name and value of a setting.
const SETTING: usize = 4096;
/// The most sections.
const SECTIONS: usize = 1000;

/// What the application itself puts into a backup: these kinds and no others.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Section {
    /// The long-term identity key of an engine: 32 bytes, too few for anything that moves on when it is used.
    IdentityKey {
        /// Whose: `"omemo"`.
        engine: String,
        /// The private key.
        key: Zeroizing<[u8; 32]>,
    },
    /// A setting that a person made: a label, a policy, a bookmark. Text of at most 4 KiB. Not for keys.
    Setting {
        /// Its name.
        name: String,
        /// What it is set to.
        value: String,
    },
}
impl std::fmt::Debug for Section {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Section::IdentityKey { engine, .. } => write!(f, "IdentityKey({engine})"),
            Section::Setting { name, .. } => write!(f, "Setting({name})"),
        }
    }
}
impl Section {
    fn write(&self) -> Option<Writer> {
        let mut out = Writer::new();
        let fits = |texts: [&str; 2]| texts.iter().all(|text| text.len() <= SETTING);
        match self {
            Section::IdentityKey { engine, key } if fits([engine, ""]) => out.u8(1).str(engine).raw(&**key),
            Section::Setting { name, value } if fits([name, value]) => out.u8(2).str(name).str(value),
            _ => return None,
        };
        Some(out)
    }
    fn read(input: &mut Reader<'_>) -> Option<Section> {
        let tag = input.u8()?;
        let text = |input: &mut Reader<'_>| input.str().filter(|text| text.len() <= SETTING).map(str::to_owned);
        Some(match tag {
            1 => Section::IdentityKey { engine: text(input)?, key: Zeroizing::new(input.array()?) },
            2 => Section::Setting { name: text(input)?, value: text(input)? },
            _ => return None,
        })
    }
}
/// Some rows on their way into a backup, or out of one: few enough for a history to give or take between two messages.
#[derive(Debug)]
pub struct Part(Vec<Item>);
impl Part {
    const ROWS: usize = 250;
    /// How many.
    pub fn rows(&self) -> u64 {
        self.0.len() as u64
    }
}
/// Whether nobody guesses it by trying what people choose.
fn is_weak(passphrase: &str) -> bool {
    let different = passphrase.chars().collect::<std::collections::BTreeSet<_>>();
    passphrase.chars().count() < PASSPHRASE || different.len() < DIFFERENT
}

/// The records of the content, by their first byte.
#[derive(Clone, Copy, PartialEq)]
enum Tag {
    Head = 0,
    Section = 1,
    Item = 2,
    End = 3,
}
impl Tag {
    const ALL: [Tag; 4] = [Tag::Head, Tag::Section, Tag::Item, Tag::End];
}
/// The longest record: a message, and what is around it.
const RECORD: usize = 512 * 1024;
