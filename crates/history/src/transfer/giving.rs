//! The old device's side: offers, and answers each request with the rows from there on.
use super::element::{Batch, ROWS, Said};
use super::{Course, DECISIONS, Handled, Happened, OwnDevice, Stage, TransferError};
use crate::item::{Cursor, Decision, Item};
use crate::open::History;
use rand_core::CryptoRng;
use subrosa_engine::codec::{Reader, Writer};
use subrosa_engine::{DeviceId, Plaintext};

/// Rows of a batch before they are packed: with Base64 and all around they stay below 64 KiB, however badly they pack.
const BATCH: usize = 44 * 1024;
/// Rows that are read at once.
const READ: usize = 200;

/// What a request says: how much there was, and from where on there is more.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Point {
    /// Decisions that were told.
    decisions: u32,
    /// Rows that were told, decisions too.
    done: u64,
    left_out: u64,
    rows: Cursor,
}
impl Point {
    pub fn write(&self) -> Vec<u8> {
        let mut out = Writer::versioned(1);
        out.u32(self.decisions).u64(self.done).u64(self.left_out).bytes(&self.rows.write());
        out.into_bytes()
    }
    fn read(bytes: &[u8]) -> Option<Self> {
        let mut input = Reader::versioned(bytes, 1)?;
        let point = Point { decisions: input.u32()?, done: input.u64()?, left_out: input.u64()?, rows: Cursor::read(input.bytes()?)? };
        input.end()?;
        Some(point)
    }
}

impl History {
    /// Offers the history to a device of one's own that a person has approved for this, with what was decided about keys (at
    /// most 10,000 are told). Ends an earlier offer to it. To be sent to that device.
    ///
    /// # Errors
    /// Nothing was changed.
    pub fn offer_transfer(&mut self, to: &OwnDevice, decisions: &[Decision], rng: &mut dyn CryptoRng) -> Result<Plaintext, TransferError> {
        let id = rng.next_u64().cast_signed();
        self.transaction(|history| {
            let decisions = decisions.get(..DECISIONS).unwrap_or(decisions);
            let total = history.count_items()?.saturating_add(decisions.len() as u64);
            let with = to.id().clone();
            let course = Course { with, giving: true, id, stage: Stage::Offered, number: 0, cursor: Vec::new(), done: 0, total, left_out: 0 };
            history.forget(&course)?;
            history.keep(&course)?;
            for decision in decisions {
                history.keep_decision(to.id(), true, decision)?;
            }
            history.say(id, Said::Offer { total })
        })
    }
    pub(super) fn requested(&mut self, from: &DeviceId, id: i64, number: u32, cursor: Vec<u8>) -> Result<Handled, TransferError> {
        let course = self.course(from, true)?.filter(|course| course.id == id).ok_or(TransferError::Unknown)?;
        let point = match cursor.is_empty() {
            true => Point::default(),
            false => Point::read(&cursor).ok_or(TransferError::Malformed("no place to go on from"))?,
        };
        let happened = Happened::Progress { done: point.done, total: course.total };
        self.keep(&Course { stage: Stage::Accepted, number, done: point.done, ..course })?;
        let batch = self.batch(from, number, point)?;
        Ok(Handled { reply: Some(self.say(id, Said::Batch(batch))?), happened })
    }
    pub(super) fn finished(&mut self, from: &DeviceId, id: i64, done: u64, left_out: u64) -> Result<Handled, TransferError> {
        let course = self.course(from, true)?.filter(|course| course.id == id).ok_or(TransferError::Unknown)?;
        self.forget(&course)?;
        Ok(Handled { reply: None, happened: Happened::Finished { done, left_out } })
    }

    /// The rows behind this point, as many as go into a batch.
    fn batch(&self, to: &DeviceId, number: u32, mut point: Point) -> Result<Batch, TransferError> {
        let (mut items, mut size) = (Vec::new(), 0usize);
        for decision in self.decisions(to, true, point.decisions, READ)? {
            point.decisions = point.decisions.saturating_add(1);
            point.done = point.done.saturating_add(1);
            items.push(Item::Trust(decision));
        }
        let mut last = false;
        // decisions travel by themselves
        'full: while items.is_empty() || point.rows != Cursor::default() {
            let Some(rows) = self.items(&point.rows, READ)? else {
                last = true;
                break;
            };
            for (item, behind) in rows {
                let mut out = Writer::new();
                item.write(&mut out);
                let bytes = out.into_bytes();
                size = size.saturating_add(bytes.len());
                if !items.is_empty() && (size > BATCH || items.len() >= ROWS) {
                    break 'full;
                }
                point.rows = behind;
                if bytes.len() > BATCH && self.is_too_large(&item)? || Item::read(&mut Reader::new(&bytes)).is_none() {
                    point.left_out = point.left_out.saturating_add(1);
                    size = size.saturating_sub(bytes.len());
                    continue;
                }
                point.done = point.done.saturating_add(1);
                items.push(item);
            }
        }
        Ok(Batch { number, cursor: point.write(), last, left_out: point.left_out, items })
    }
    /// Whether it could not even travel alone.
    fn is_too_large(&self, item: &Item) -> Result<bool, TransferError> {
        let cursor = vec![0xa5; 8 * 1024]; // as large as they get
        let alone = Batch { number: 0, cursor, last: false, left_out: 0, items: vec![item.clone()] };
        match self.say(0, Said::Batch(alone)) {
            Ok(_) => Ok(false),
            Err(TransferError::TooLarge) => Ok(true),
            Err(e) => Err(e),
        }
    }
}
