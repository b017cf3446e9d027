//! One file through an engine that C wrote: Liblinphone's two chunk callbacks as a cipher. Owns what a download holds back, so that
//! the engine is offered multiples of 16 bytes.
#![allow(unsafe_code)] // calls into C
use crate::content::Content;
use crate::engine::{CEngine, Table, status};
use crate::handle::{Lent, LentShared};
use crate::message::{Message, Source};
use std::ffi::c_int;
use std::sync::Arc;
use subrosa_engine::{FileCipher, FileInfo, Status};
use zeroize::Zeroizing;

const BLOCK: usize = 16;

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Direction {
    Up,
    Down,
}
pub(crate) struct TableCipher {
    table: Arc<Table>,
    engine: Arc<CEngine>,
    content: Arc<Content>,
    direction: Direction,
    /// Came, and was not offered yet: less than a block.
    held: Zeroizing<Vec<u8>>,
    /// Of a download: bytes offered so far.
    offset: u64,
}

impl TableCipher {
    pub fn new(table: &Arc<Table>, engine: &Arc<CEngine>, content: Arc<Content>, direction: Direction) -> Result<Self, Status> {
        let (up, down) = (table.cbs.process_uploading_file.is_some(), table.cbs.process_downloading_file.is_some());
        if !(if direction == Direction::Up { up } else { down }) {
            tracing::warn!(engine = table.name, "an engine has no function for files that go this way: 500");
            return Err(Status::INTERNAL);
        }
        let (table, engine) = (table.clone(), engine.clone());
        Ok(TableCipher { table, engine, content, direction, held: Zeroizing::default(), offset: 0 })
    }
    /// Calls C with its handles.
    fn with(&self, f: impl FnOnce(*mut CEngine, *mut Message<'_, '_>) -> c_int) -> Result<(), Status> {
        let message = Message::new(Source::Transfer, std::ptr::null_mut(), None).of_file(self.content.clone());
        let (engine, _content, message) = (LentShared::new(&self.engine), LentShared::new(&self.content), Lent::new(&message));
        match f(engine.pointer(), message.pointer()) {
            0 => Ok(()),
            code => Err(status(code).unwrap_or_else(|| self.nonsense(&format!("it returned {code}, which is neither 0 nor 300 to 699")))),
        }
    }
    fn nonsense(&self, what: &str) -> Status {
        tracing::warn!(engine = self.table.name, "an engine failed a file, with 500: {what}");
        Status::INTERNAL
    }
    fn up(&self, offset: u64, input: &[u8], output: &mut Vec<u8>) -> Result<usize, Status> {
        let hook = self.table.cbs.process_uploading_file.ok_or(Status::INTERNAL)?;
        let before = output.len();
        output.resize(before.saturating_add(input.len()), 0);
        let (offset, mut taken) = (usize::try_from(offset).map_err(|_| Status::TOO_LARGE)?, input.len());
        let out = output.get_mut(before..).ok_or(Status::INTERNAL)?.as_mut_ptr();
        self.with(|engine, message| unsafe { hook(engine, message, offset, input.as_ptr(), &raw mut taken, out) })?;
        if taken > input.len() {
            return Err(self.nonsense(&format!("it took {taken} bytes where {} were offered", input.len())));
        }
        output.truncate(before.saturating_add(taken));
        Ok(taken)
    }
    fn down(&mut self, input: &[u8], output: &mut Vec<u8>) -> Result<(), Status> {
        let hook = self.table.cbs.process_downloading_file.ok_or(Status::INTERNAL)?;
        let before = output.len();
        output.resize(before.saturating_add(input.len()), 0);
        let offset = usize::try_from(self.offset).map_err(|_| Status::TOO_LARGE)?;
        let out = output.get_mut(before..).ok_or(Status::INTERNAL)?.as_mut_ptr();
        self.with(|engine, message| unsafe { hook(engine, message, offset, input.as_ptr(), input.len(), out) })?;
        self.offset = self.offset.saturating_add(u64::try_from(input.len()).unwrap_or(u64::MAX));
        Ok(())
    }
    /// Offers all whole blocks, keeps the rest.
    fn blocks(&mut self, mut input: &[u8], output: &mut Vec<u8>) -> Result<(), Status> {
        if !self.held.is_empty() {
            let (now, later) = input.split_at(input.len().min(BLOCK.saturating_sub(self.held.len())));
            self.held.extend_from_slice(now);
            input = later;
            if self.held.len() < BLOCK {
                return Ok(());
            }
            let block = std::mem::take(&mut self.held);
            self.down(&block, output)?;
        }
        let (whole, rest) = input.split_at(input.len().saturating_sub(input.len() & (BLOCK - 1)));
        if !whole.is_empty() {
            self.down(whole, output)?;
        }
        self.held.extend_from_slice(rest);
        Ok(())
    }
}
impl FileCipher for TableCipher {
    fn chunk(&mut self, offset: u64, input: &[u8], output: &mut Vec<u8>) -> Result<usize, Status> {
        match self.direction {
            Direction::Up => self.up(offset, input, output),
            Direction::Down => self.blocks(input, output).map(|()| input.len()),
        }
    }
    fn finish(mut self: Box<Self>, file: &mut FileInfo, output: &mut Vec<u8>) -> Result<(), Status> {
        let (null, none, nowhere) = (std::ptr::null(), std::ptr::null_mut(), std::ptr::null_mut());
        match self.direction {
            Direction::Up => {
                let hook = self.table.cbs.process_uploading_file.ok_or(Status::INTERNAL)?;
                self.with(|engine, message| unsafe { hook(engine, message, 0, null, none, nowhere) })?;
                file.tag = self.content.tag();
            }
            Direction::Down => {
                let rest = std::mem::take(&mut self.held);
                if !rest.is_empty() {
                    self.down(&rest, output)?;
                }
                self.content.set_tag(file.tag);
                let hook = self.table.cbs.process_downloading_file.ok_or(Status::INTERNAL)?;
                self.with(|engine, message| unsafe { hook(engine, message, 0, null, 0, nowhere) })?;
            }
        }
        Ok(())
    }
}
