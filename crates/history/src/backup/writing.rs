//! Making one: into a file of another name, which gets its own when it is whole and on disk.
use super::sealing::{Cost, END, Seal, Sealer};
use super::{BackupError, Part, SECTIONS, Section, Tag, is_weak};
use crate::item::{Cursor, Decision, Item};
use crate::open::{History, private, sync_directory};
use flate2::write::ZlibEncoder;
use rand_core::CryptoRng;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use subrosa_engine::codec::{Reader, Writer};
use subrosa_engine::{Address, Time};

/// What is sealed with the history, and with what.
#[derive(Clone, Copy)]
pub struct Wanted<'a> {
    /// At least [`super::PASSPHRASE`] characters.
    pub passphrase: &'a str,
    /// The application's.
    pub sections: &'a [Section],
    /// What was decided about keys.
    pub decisions: &'a [Decision],
    /// What it costs to try a passphrase: [`Cost::OURS`].
    pub cost: Cost,
}
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

/// A backup that is being made, on whatever thread: it is given the rows ([`History::read_part`]). Dropped before
/// [`Writing::finish`], it leaves nothing.
pub struct Writing {
    path: PathBuf,
    /// Its name until it is whole; empty from then on.
    half: PathBuf,
    out: ZlibEncoder<Sealer<BufWriter<File>>>,
    rows: u64,
    left_out: u64,
}
impl Writing {
    /// Begins one at `path`, of the history of `account`. Takes a second for Argon2id alone.
    ///
    /// # Errors
    /// See [`BackupError`]; what was at `path` is as it was, until [`Writing::finish`].
    pub fn begin(path: &Path, account: &Address, wanted: &Wanted<'_>, now: Time, rng: &mut dyn CryptoRng) -> Result<Self, BackupError> {
        if is_weak(wanted.passphrase) {
            return Err(BackupError::WeakPassphrase);
        }
        if wanted.sections.len() > SECTIONS {
            return Err(BackupError::SectionTooLarge("the list of settings".into()));
        }
        let written = |section: &Section| section.write().ok_or_else(|| BackupError::SectionTooLarge(format!("{section:?}")));
        let sections = wanted.sections.iter().map(written).collect::<Result<Vec<_>, _>>()?;
        let seal = Seal::new(wanted.passphrase, wanted.cost, rng)?;
        let mut half = path.as_os_str().to_owned();
        let mut name = [0; 8];
        rng.fill_bytes(&mut name);
        half.push(format!(".{:016x}.part", u64::from_be_bytes(name)));
        let io = |source| BackupError::Io { path: path.into(), source };
        // never somebody else's file
        let file = private().write(true).create_new(true).open(&half).map_err(io)?;
        let out = ZlibEncoder::new(Sealer::new(BufWriter::new(file), seal), flate2::Compression::default());
        let mut writing = Writing { path: path.into(), half: half.into(), out, rows: 0, left_out: 0 };
        let begin = || {
            writing.out.get_mut().write_header()?;
            let mut head = Writer::new();
            head.str(account.as_str()).u64(now.0);
            record(&mut writing.out, Tag::Head, head)?;
            sections.into_iter().try_for_each(|section| record(&mut writing.out, Tag::Section, section))?;
            wanted.decisions.iter().try_for_each(|decision| item(&mut writing.out, &Item::Trust(decision.clone())).map(drop))
        };
        let begun: io::Result<()> = begin();
        begun.map_err(io)?;
        Ok(writing)
    }
    /// Takes rows.
    ///
    /// # Errors
    /// What the disk says.
    pub fn write(&mut self, part: &Part) -> Result<(), BackupError> {
        for row in &part.0 {
            let kept = item(&mut self.out, row).map_err(|source| BackupError::Io { path: self.path.clone(), source })?;
            let count = if kept { &mut self.rows } else { &mut self.left_out };
            *count = count.saturating_add(1);
        }
        Ok(())
    }
    /// It is whole, on disk, and at its place.
    ///
    /// # Errors
    /// What the disk says: what was at its place is as it was.
    pub fn finish(mut self) -> Result<BackedUp, BackupError> {
        let finished = self.whole();
        finished.map_err(|source| BackupError::Io { path: self.path.clone(), source })
    }
    fn whole(&mut self) -> io::Result<BackedUp> {
        let mut end = Writer::new();
        end.u64(self.rows);
        record(&mut self.out, Tag::End, end)?;
        self.out.try_finish()?;
        let file = self.out.get_mut().finish()?;
        file.write_all(END)?;
        file.flush()?;
        let file = file.get_ref();
        file.sync_all()?;
        let bytes = file.metadata()?.len();
        std::fs::rename(&self.half, &self.path)?;
        self.half.clear();
        sync_directory(&self.path)?;
        Ok(BackedUp { rows: self.rows, left_out: self.left_out, bytes })
    }
}
impl Drop for Writing {
    fn drop(&mut self) {
        if !self.half.as_os_str().is_empty() {
            let _ = std::fs::remove_file(&self.half); // the error that is told is the first one
        }
    }
}

/// How far a history was read.
#[derive(Clone, Debug, Default)]
pub struct Position(Cursor);
impl History {
    /// The next rows behind `position`, which moves on; `None`: that was all. What comes between two calls is in it or not.
    ///
    /// # Errors
    /// What the disk says.
    pub fn read_part(&self, position: &mut Position) -> Result<Option<Part>, crate::HistoryError> {
        let Some(items) = self.items(&position.0, Part::ROWS)? else { return Ok(None) };
        if let Some((_, behind)) = items.last() {
            position.0 = behind.clone();
        }
        Ok(Some(Part(items.into_iter().map(|(item, _)| item).collect())))
    }
    /// Makes a backup at `path`, in place of what is there: all of it in this call.
    ///
    /// # Errors
    /// What was at `path` is as it was.
    pub fn back_up(&self, path: &Path, wanted: &Wanted<'_>, now: Time, rng: &mut dyn CryptoRng) -> Result<BackedUp, BackupError> {
        let mut writing = Writing::begin(path, self.me(), wanted, now, rng)?;
        let mut position = Position::default();
        while let Some(part) = self.read_part(&mut position)? {
            writing.write(&part)?;
        }
        writing.finish()
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
