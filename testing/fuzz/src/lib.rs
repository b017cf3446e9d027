//! A target for each parser of what others write: bytes in, no panic, and where there is a property, that too. [`TARGETS`] is the table; the
//! test of this package feeds each with its corpus and some thousands of mutations of it, `fuzz/` gives each to cargo-fuzz.
#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};
use subrosa_testkit::Seeded;

mod engine;
mod files;
mod history;
mod machine;
mod omemo;
mod ratchet;
mod sip;
mod xmpp;

/// One parser.
pub struct Target {
    /// Its name, and that of its directory in the corpus.
    pub name: &'static str,
    /// Reads this. Panics where a property does not hold.
    pub run: fn(&[u8]),
    /// Where else its inputs lie: a directory from the root of the project, and how the names of the files begin.
    pub beside: Option<(&'static str, &'static str)>,
    /// Inputs that can't lie in files, because they are made with keys.
    pub made: fn() -> Vec<Vec<u8>>,
    /// As many mutations are tried in the test: fewer where each takes long.
    pub rounds: usize,
}
impl Target {
    const fn new(name: &'static str, run: fn(&[u8])) -> Self {
        Target { name, run, beside: None, made: Vec::new, rounds: 6000 }
    }
    const fn beside(self, directory: &'static str, start: &'static str) -> Self {
        Target { beside: Some((directory, start)), ..self }
    }
    const fn made(self, made: fn() -> Vec<Vec<u8>>) -> Self {
        Target { made, ..self }
    }
    const fn rounds(self, rounds: usize) -> Self {
        Target { rounds, ..self }
    }
    /// All its inputs.
    ///
    /// # Panics
    /// Where a directory is missing.
    #[must_use]
    pub fn seeds(&self) -> Vec<Vec<u8>> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let own = root.join("corpus").join(self.name);
        let mut seeds = (self.made)();
        let beside = self.beside.map(|(directory, start)| (root.join("../..").join(directory), start));
        for (directory, start) in [(own, "")].into_iter().filter(|(own, _)| own.exists()).chain(beside) {
            let mut files: Vec<PathBuf> = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
            files.sort();
            let named = |path: &PathBuf| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(start));
            seeds.extend(files.into_iter().filter(named).map(|path| std::fs::read(path).unwrap()));
        }
        seeds
    }
}

const OMEMO: &str = "crates/omemo/tests/corpus";
const XMPP: &str = "crates/xmpp/tests/corpus";

/// All of them.
pub const TARGETS: [Target; 36] = [
    Target::new("ratchet_wire", ratchet::wire).made(ratchet::messages),
    Target::new("ratchet_stored", ratchet::stored).made(ratchet::sessions),
    Target::new("omemo_encrypted", omemo::encrypted).beside(OMEMO, "encrypted."),
    Target::new("omemo_device_list", omemo::device_list).beside(OMEMO, "device_list."),
    Target::new("omemo_bundle", omemo::bundle).beside(OMEMO, "bundle."),
    Target::new("omemo_envelope", omemo::envelope).beside(OMEMO, "envelope."),
    Target::new("omemo_trust_message", omemo::trust_message),
    Target::new("omemo_uri", omemo::uri),
    Target::new("omemo_payload", omemo::payload).made(omemo::payloads),
    Target::new("omemo_machine", machine::received).made(machine::inputs).rounds(300),
    Target::new("omemo_records", machine::records).made(machine::rows).rounds(300),
    Target::new("engine_codec", engine::codec),
    Target::new("engine_rows", machine::house).made(machine::house_rows).rounds(300),
    Target::new("xmpp_frames", xmpp::frames).rounds(2000),
    Target::new("xmpp_mapping", xmpp::mapping).beside(XMPP, "archive."),
    Target::new("xmpp_content", xmpp::content).beside(XMPP, "content."),
    Target::new("xmpp_archive", xmpp::archive).beside(XMPP, "archive."),
    Target::new("xmpp_archive_page", xmpp::page).beside(XMPP, "page."),
    Target::new("xmpp_rooms", xmpp::rooms),
    Target::new("xmpp_bookmarks", xmpp::bookmarks),
    Target::new("xmpp_positions", xmpp::positions),
    Target::new("xmpp_blocking", xmpp::blocking),
    Target::new("xmpp_contacts", xmpp::contacts),
    Target::new("xmpp_avatar", xmpp::avatar),
    Target::new("xmpp_requests", xmpp::requests),
    Target::new("sip_frames", sip::frames),
    Target::new("sip_cpim", sip::cpim),
    Target::new("sip_imdn", sip::imdn),
    Target::new("sip_offer", sip::offer),
    Target::new("sip_composing", sip::composing),
    Target::new("sip_inflate", sip::inflate),
    Target::new("sip_digest", sip::digest),
    Target::new("sip_address", sip::address),
    Target::new("history_transfer", history::transfer).made(history::batches).rounds(500),
    Target::new("history_backup", history::backup).made(history::backups).rounds(100),
    Target::new("files_name", files::name),
];

/// Runs the target of this name.
///
/// # Panics
/// Where there is none, and where its property does not hold.
pub fn run(name: &str, bytes: &[u8]) {
    let target = TARGETS.iter().find(|target| target.name == name).unwrap();
    (target.run)(bytes);
}

/// Some changes: bytes flipped, taken out, doubled, put in from another input or from what parsers fall over.
#[must_use]
pub fn mutated(seed: &[u8], other: &[u8], rng: &mut Seeded) -> Vec<u8> {
    const BITS: [&[u8]; 24] = [
        b"\0",
        b"\xff",
        b"\xff\xff\xff\xff",
        b"\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01",
        b"<",
        b">",
        b"</",
        b"/>",
        b"'",
        b"\"",
        b"&",
        b"&#0;",
        b"&#x10FFFF;",
        b"]]>",
        b"<![CDATA[",
        b"<!--",
        b"<?",
        b" xmlns='x'",
        b"-1",
        b"4294967296",
        b"\r\n",
        b"\r\n\r\n",
        b"\xEF\xBF\xBE",
        b"%00",
    ];
    let mut bytes = seed.to_vec();
    let below = |rng: &mut Seeded, n: usize| usize::try_from(rng.below(n as u64)).unwrap_or(0);
    for _ in 0..=below(rng, 4) {
        let at = below(rng, bytes.len() + 1);
        let end = at + below(rng, (bytes.len() - at).min(64) + 1);
        match below(rng, 7) {
            0 | 1 => {
                if let Some(byte) = bytes.get_mut(at) {
                    *byte ^= 1 << rng.below(8);
                }
            }
            2 => drop(bytes.drain(at..end)),
            3 => {
                let part = bytes[at..end].to_vec();
                bytes.splice(at..at, part);
            }
            4 => {
                let from = below(rng, other.len() + 1);
                let to = from + below(rng, (other.len() - from).min(256) + 1);
                bytes.splice(at..end, other[from..to].iter().copied());
            }
            5 => drop(bytes.splice(at..at, BITS[below(rng, BITS.len())].iter().copied())),
            _ => bytes.truncate(if rng.below(4) == 0 { at } else { bytes.len() }),
        }
    }
    bytes
}
/// The present.
fn now() -> subrosa_engine::Time {
    subrosa_scale::now()
}
fn text(bytes: &[u8]) -> std::borrow::Cow<'_, str> {
    String::from_utf8_lossy(bytes)
}
