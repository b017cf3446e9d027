//! Opening one: all of it is checked first, then taken in steps that may be repeated.
use super::sealing::{Broken, END, HEADER, Seal, Unsealer};
use super::{BackupError, Part, RECORD, SECTIONS, Section, Tag};
use crate::error::HistoryError;
use crate::item::{Decision, Item};
use crate::open::History;
use flate2::read::ZlibDecoder;
use std::fs::File;
use std::io::{self, BufRead, BufReader, ErrorKind, Read, Seek, SeekFrom, Take};
use std::path::{Path, PathBuf};
use subrosa_engine::codec::Reader;
use subrosa_engine::{Address, Time};
use zeroize::Zeroizing;

/// Decisions that are kept in memory; more were never made.
const DECISIONS: usize = 100_000;

/// A backup that was checked from its first to its last byte.
pub struct Opened {
    path: PathBuf,
    file: File,
    seal: Seal,
    account: Address,
    created: Time,
    sections: Vec<Section>,
    decisions: Vec<Decision>,
    rows: u64,
}
/// What a restoration did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Restored {
    /// Rows of the backup.
    pub rows: u64,
    /// Those that were not there yet.
    pub new: u64,
}

impl Opened {
    /// Opens a backup and checks all of it. Takes a second for Argon2id alone.
    ///
    /// # Errors
    /// See [`BackupError`].
    pub fn open(path: &Path, passphrase: &str) -> Result<Self, BackupError> {
        let io = |source| BackupError::Io { path: path.into(), source };
        let mut file = File::open(path).map_err(io)?;
        let seal = Seal::of(&mut file, passphrase, path)?;
        let mut opened =
            Opened { path: path.into(), file, seal, account: "".into(), created: Time(0), sections: Vec::new(), decisions: Vec::new(), rows: 0 };
        opened.check()?;
        Ok(opened)
    }
    /// Whose it is.
    pub fn account(&self) -> &Address {
        &self.account
    }
    /// When it was made.
    pub fn created(&self) -> Time {
        self.created
    }
    /// Rows of the history in it.
    pub fn rows(&self) -> u64 {
        self.rows
    }
    /// What the application put in.
    pub fn sections(&self) -> &[Section] {
        &self.sections
    }
    /// What was decided about keys.
    pub fn decisions(&self) -> &[Decision] {
        &self.decisions
    }
    /// Merges the history into this one; what is there already, by the same or by other ways, stays as it is. In several commits:
    /// after a failure all of it may be tried again. `progress` is told the rows so far.
    ///
    /// # Errors
    /// See [`BackupError`].
    pub fn restore_into(&mut self, history: &mut History, now: Time, mut progress: impl FnMut(u64)) -> Result<Restored, BackupError> {
        let mut parts = self.parts(history.me())?;
        let mut restored = Restored { rows: 0, new: 0 };
        while let Some(part) = parts.next_part()? {
            restored.rows = restored.rows.saturating_add(part.rows());
            restored.new = restored.new.saturating_add(history.take_part(part, now)?);
            progress(restored.rows);
        }
        Ok(restored)
    }
    /// Its rows, for [`History::take_part`].
    ///
    /// # Errors
    /// [`BackupError::OtherAccount`] where it is not `account`'s; what the disk says.
    pub fn parts(&mut self, account: &Address) -> Result<Parts, BackupError> {
        if self.account != *account {
            return Err(BackupError::OtherAccount { found: self.account.as_str().into() });
        }
        Ok(Parts(Some(self.records()?)))
    }

    fn check(&mut self) -> Result<(), BackupError> {
        let damaged = || BackupError::Changed { path: self.path.clone() };
        let mut records = self.records()?;
        let Record::Head(account, created) = records.next()? else { return Err(damaged()) };
        let (mut sections, mut decisions, mut rows) = (Vec::new(), Vec::new(), 0u64);
        loop {
            match records.next()? {
                Record::Section(section) if sections.len() < SECTIONS => sections.push(section),
                Record::Item(Item::Trust(decision)) if decisions.len() < DECISIONS => decisions.push(decision),
                Record::Item(_) => rows = rows.saturating_add(1),
                Record::End(told) if told == rows => break,
                _ => return Err(damaged()),
            }
        }
        records.end()?;
        (self.account, self.created, self.sections, self.decisions, self.rows) = (account, created, sections, decisions, rows);
        Ok(())
    }
    fn records(&self) -> Result<Records, BackupError> {
        let io = |source| BackupError::Io { path: self.path.clone(), source };
        let mut file = self.file.try_clone().map_err(io)?;
        let size = file.metadata().map_err(io)?.len();
        let content = size.checked_sub((HEADER as u64).saturating_add(END.len() as u64)).ok_or(BackupError::Truncated { path: self.path.clone() })?;
        let mut end = [0; END.len()];
        file.seek(SeekFrom::Start(size.saturating_sub(END.len() as u64))).map_err(io)?;
        file.read_exact(&mut end).map_err(io)?;
        if end != *END {
            return Err(BackupError::Truncated { path: self.path.clone() });
        }
        file.seek(SeekFrom::Start(HEADER as u64)).map_err(io)?;
        let unsealer = Unsealer::new(BufReader::new(file).take(content), self.seal.clone());
        Ok(Records { path: self.path.clone(), from: BufReader::new(ZlibDecoder::new(unsealer)) })
    }
}
impl std::fmt::Debug for Opened {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Opened({}, {} rows)", self.account, self.rows)
    }
}

/// The rows of a backup, part by part.
pub struct Parts(Option<Records>);
impl Parts {
    /// The next ones; `None`: that was all.
    ///
    /// # Errors
    /// What the disk says; [`BackupError::Changed`] where the file is not any more what was checked.
    pub fn next_part(&mut self) -> Result<Option<Part>, BackupError> {
        let mut rows = Vec::with_capacity(Part::ROWS);
        while let Some(records) = self.0.as_mut().filter(|_| rows.len() < Part::ROWS) {
            match records.next()? {
                Record::Item(Item::Trust(_)) | Record::Head(..) | Record::Section(_) => {}
                Record::Item(item) => rows.push(item),
                Record::End(_) => self.0 = None,
            }
        }
        Ok(Some(Part(rows)).filter(|part| !part.0.is_empty()))
    }
}
impl History {
    /// Takes rows of a backup of this account, in one commit; what is there already stays as it is. How many were not.
    ///
    /// # Errors
    /// Nothing of the part was stored.
    pub fn take_part(&mut self, part: Part, now: Time) -> Result<u64, HistoryError> {
        self.transaction(|history| {
            let mut new = 0u64;
            for item in part.0.into_iter().rev() {
                // messages come the newest first
                new = new.saturating_add(history.merge_item(item, None, now)?.into());
            }
            Ok(new)
        })
    }
}

enum Record {
    Head(Address, Time),
    Section(Section),
    Item(Item),
    End(u64),
}
/// The records of a file, one after the other.
struct Records {
    path: PathBuf,
    from: BufReader<ZlibDecoder<Unsealer<Take<BufReader<File>>>>>,
}
impl Records {
    fn next(&mut self) -> Result<Record, BackupError> {
        let size = self.size()?;
        let mut bytes = Zeroizing::new(vec![0; size]);
        self.from.read_exact(&mut bytes).map_err(|e| self.broken(e))?;
        record(&bytes).ok_or_else(|| self.changed())
    }
    /// A varint, which must not be more than a record has.
    fn size(&mut self) -> Result<usize, BackupError> {
        let mut size = 0usize;
        for shift in [0u32, 7, 14] {
            let mut byte = [0];
            self.from.read_exact(&mut byte).map_err(|e| self.broken(e))?;
            let [byte] = byte;
            size |= usize::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 && size <= RECORD {
                return Ok(size);
            }
        }
        Err(self.changed())
    }
    /// Nothing may come any more; what the last chunk has behind the content is looked at too.
    fn end(mut self) -> Result<(), BackupError> {
        match self.from.fill_buf().map(<[u8]>::is_empty) {
            Ok(true) => {}
            Ok(false) => return Err(self.changed()),
            Err(e) => return Err(self.broken(e)),
        }
        let path = self.path;
        let mut unsealer = self.from.into_inner().into_inner();
        match unsealer.read(&mut [0]) {
            Ok(0) => Ok(()),
            Ok(_) => Err(BackupError::Changed { path }),
            Err(e) => Err(broken(&path, e)),
        }
    }
    fn changed(&self) -> BackupError {
        BackupError::Changed { path: self.path.clone() }
    }
    fn broken(&self, e: io::Error) -> BackupError {
        broken(&self.path, e)
    }
}
fn broken(path: &Path, e: io::Error) -> BackupError {
    let path = path.to_path_buf();
    match e.get_ref().and_then(|inner| inner.downcast_ref::<Broken>()) {
        Some(Broken::Truncated) => BackupError::Truncated { path },
        Some(Broken::Changed) => BackupError::Changed { path },
        // authentic, and yet not what this program writes
        None if matches!(e.kind(), ErrorKind::InvalidData | ErrorKind::InvalidInput | ErrorKind::UnexpectedEof) => BackupError::Changed { path },
        None => BackupError::Io { path, source: e },
    }
}
fn record(bytes: &[u8]) -> Option<Record> {
    let mut input = Reader::new(bytes);
    let tag = input.u8()?;
    let record = match Tag::ALL.into_iter().find(|t| *t as u8 == tag)? {
        Tag::Head => Record::Head(input.str()?.into(), Time(input.u64()?)),
        Tag::Section => Record::Section(Section::read(&mut input)?),
        Tag::Item => Record::Item(Item::read(&mut input)?),
        Tag::End => Record::End(input.u64()?),
    };
    input.end()?;
    Some(record)
}
