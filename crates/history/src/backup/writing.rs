//! Making one: into a file of another name, which gets its own when it is whole and on disk.
use super::sealing::{Cost, END, Seal, Sealer};
use super::{BackupError, SECTIONS, Section, Tag, is_weak};
use crate::error::HistoryError;
use crate::item::{Cursor, Decision, Item};
use crate::open::{History, private, sync_directory};
use flate2::write::ZlibEncoder;
use rand_core::CryptoRng;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;
use subrosa_engine::Time;
use subrosa_engine::codec::{Reader, Writer};

/// Rows that are read at once.
const READ: usize = 1000;

/// What is in a backup that was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct BackedUp {
    /// Rows of the history: messages, and what was said about them.
    pub rows: u64,
    /// Rows that are too large for any backup.
    pub left_out: u64,
    /// Its size in bytes.
    pub bytes: u64,
}
enum Failed {
    Io(io::Error),
    Store(HistoryError),
}
impl From<io::Error> for Failed {
    fn from(e: io::Error) -> Self {
        Failed::Io(e)
    }
}
impl From<HistoryError> for Failed {
    fn from(e: HistoryError) -> Self {
        Failed::Store(e)
    }
}

impl History {
    /// Makes a backup at `path`, in place of what is there: the history, these sections and decisions. Takes a second for Argon2id alone.
    ///
    /// # Errors
    /// What was at `path` is as it was.
    pub fn back_up(
        &self,
        path: &Path,
        passphrase: &str,
        sections: &[Section],
        decisions: &[Decision],
        now: Time,
        rng: &mut dyn CryptoRng,
    ) -> Result<BackedUp, BackupError> {
        self.back_up_at(Cost::OURS, path, passphrase, sections, decisions, now, rng)
    }
    /// For tests: as cheap for whoever guesses the passphrase.
    #[doc(hidden)]
    pub fn back_up_cheaply(
        &self,
        path: &Path,
        passphrase: &str,
        sections: &[Section],
        decisions: &[Decision],
        now: Time,
        rng: &mut dyn CryptoRng,
    ) -> Result<BackedUp, BackupError> {
        self.back_up_at(Cost { memory: 64, passes: 1, lanes: 1 }, path, passphrase, sections, decisions, now, rng)
    }
    #[allow(clippy::too_many_arguments)] // the public one, and what it costs
    fn back_up_at(
        &self,
        cost: Cost,
        path: &Path,
        passphrase: &str,
        sections: &[Section],
        decisions: &[Decision],
        now: Time,
        rng: &mut dyn CryptoRng,
    ) -> Result<BackedUp, BackupError> {
        if is_weak(passphrase) {
            return Err(BackupError::WeakPassphrase);
        }
        if sections.len() > SECTIONS {
            return Err(BackupError::SectionTooLarge("the list of settings".into()));
        }
        let written = |section: &Section| section.write().ok_or_else(|| BackupError::SectionTooLarge(format!("{section:?}")));
        let sections = sections.iter().map(written).collect::<Result<Vec<_>, _>>()?;
        let seal = Seal::new(passphrase, cost, rng)?;

        let mut half = path.as_os_str().to_owned();
        half.push(".part");
        let half = Path::new(&half);
        let write = || {
            // what an earlier attempt left, or somebody put there, is not written into
            if let Err(e) = std::fs::remove_file(half)
                && e.kind() != io::ErrorKind::NotFound
            {
                return Err(e.into());
            }
            let file = private().write(true).create_new(true).open(half)?;
            let (file, done) = self.write_backup(file, seal, sections, decisions, now)?;
            file.sync_all()?;
            std::fs::rename(half, path)?;
            sync_directory(path)?;
            Ok(done)
        };
        write().map_err(|e| {
            let _ = std::fs::remove_file(half); // it may not even be there
            match e {
                Failed::Io(source) => BackupError::Io { path: path.into(), source },
                Failed::Store(e) => e.into(),
            }
        })
    }
    fn write_backup(&self, mut file: File, seal: Seal, sections: Vec<Writer>, decisions: &[Decision], now: Time) -> Result<(File, BackedUp), Failed> {
        file.write_all(seal.header())?;
        let mut out = ZlibEncoder::new(Sealer::new(BufWriter::new(file), seal), flate2::Compression::default());
        let mut head = Writer::new();
        head.str(self.me().as_str()).u64(now.0);
        record(&mut out, Tag::Head, head)?;
        for section in sections {
            record(&mut out, Tag::Section, section)?;
        }
        let (mut rows, mut left_out) = (0u64, 0u64);
        for decision in decisions {
            item(&mut out, &Item::Trust(decision.clone()))?;
        }
        let mut cursor = Cursor::default();
        while let Some(items) = self.items(&cursor, READ)? {
            for (row, behind) in items {
                match item(&mut out, &row)? {
                    true => rows = rows.saturating_add(1),
                    false => left_out = left_out.saturating_add(1),
                }
                cursor = behind;
            }
        }
        let mut end = Writer::new();
        end.u64(rows);
        record(&mut out, Tag::End, end)?;
        let mut file = out.finish()?.finish()?.into_inner().map_err(io::IntoInnerError::into_error)?;
        file.write_all(END)?;
        let bytes = file.metadata()?.len();
        Ok((file, BackedUp { rows, left_out, bytes }))
    }
}
/// `false`: it would not be read again.
fn item(to: &mut impl Write, item: &Item) -> io::Result<bool> {
    let mut out = Writer::new();
    item.write(&mut out);
    let bytes = out.into_bytes();
    let fine = Item::read(&mut Reader::new(&bytes)).is_some();
    if fine {
        let mut out = Writer::with_capacity(bytes.len());
        out.raw(&bytes);
        record(to, Tag::Item, out)?;
    }
    Ok(fine)
}
/// Its length, its tag, its bytes.
fn record(to: &mut impl Write, tag: Tag, bytes: Writer) -> io::Result<()> {
    let bytes = zeroize::Zeroizing::new(bytes.into_bytes());
    let mut out = Writer::with_capacity(bytes.len().saturating_add(12));
    out.len(bytes.len().saturating_add(1)).u8(tag as u8).raw(&bytes);
    to.write_all(&zeroize::Zeroizing::new(out.into_bytes()))
}
