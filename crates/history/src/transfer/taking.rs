//! The new device's side: asks for batch after batch, takes each in one commit with the place to go on from.
use super::element::{Batch, Said};
use super::{Course, DECISIONS, Handled, Happened, OwnDevice, Stage, TransferError};
use crate::error::HistoryError;
use crate::item::{Decision, Item};
use crate::open::History;
use crate::row::device_text;
use subrosa_engine::{DeviceId, Plaintext, Time};

/// Beyond what was offered, and as much again: rows that came while it went on.
const MORE: u64 = 10_000;

impl History {
    /// A person said yes to what the device offers. To be sent to it.
    ///
    /// # Errors
    /// [`TransferError::Unknown`]: it offers nothing.
    pub fn accept_transfer(&mut self, from: &OwnDevice) -> Result<Plaintext, TransferError> {
        self.transaction(|history| {
            let course = history.course(from.id(), false)?.filter(|course| course.stage != Stage::Finished).ok_or(TransferError::Unknown)?;
            let course = Course { stage: Stage::Accepted, ..course };
            history.keep(&course)?;
            history.ask_for_next(&course)
        })
    }
    /// What the device told about keys, until [`Self::forget_told_decisions`].
    ///
    /// # Errors
    /// What the disk says.
    pub fn told_decisions(&self, by: &OwnDevice) -> Result<Vec<Decision>, HistoryError> {
        self.decisions(by.id(), false, 0, DECISIONS)
    }
    /// They are where they belong now.
    ///
    /// # Errors
    /// Nothing was changed.
    pub fn forget_told_decisions(&mut self, by: &OwnDevice) -> Result<(), HistoryError> {
        self.transaction(|history| {
            history.db.execute("DELETE FROM decisions WHERE device = ?1 AND NOT giving", [device_text(by.id())])?;
            Ok(())
        })
    }

    pub(super) fn ask_for_next(&self, course: &Course) -> Result<Plaintext, TransferError> {
        self.say(course.id, Said::Request { number: course.number.saturating_add(1), cursor: course.cursor.clone() })
    }
    fn done(&self, course: &Course) -> Result<Plaintext, TransferError> {
        self.say(course.id, Said::Done { done: course.done, left_out: course.left_out })
    }
    pub(super) fn offered(&mut self, from: &DeviceId, id: i64, total: u64) -> Result<Handled, TransferError> {
        match self.course(from, false)?.filter(|course| course.id == id) {
            None => {
                let with = from.clone();
                self.keep(&Course { with, giving: false, id, stage: Stage::Offered, number: 0, cursor: Vec::new(), done: 0, total, left_out: 0 })?;
                Ok(Handled { reply: None, happened: Happened::Offered { total } })
            }
            // it was offered again because an answer was lost
            Some(course) => Ok(match course.stage {
                Stage::Offered => Handled { reply: None, happened: Happened::Offered { total } },
                Stage::Accepted => Handled { reply: Some(self.ask_for_next(&course)?), happened: Happened::Nothing },
                Stage::Finished => Handled { reply: Some(self.done(&course)?), happened: Happened::Nothing },
            }),
        }
    }
    pub(super) fn taken(&mut self, from: &DeviceId, id: i64, batch: Batch, now: Time) -> Result<Handled, TransferError> {
        let course = self.course(from, false)?.filter(|course| course.id == id && course.stage != Stage::Offered);
        let mut course = course.ok_or(TransferError::Unknown)?;
        let expected = course.number.saturating_add(1);
        if batch.number > expected {
            return Err(TransferError::WrongNumber { expected, found: batch.number });
        }
        if batch.number < expected || course.stage == Stage::Finished {
            let reply = (course.stage == Stage::Finished).then(|| self.done(&course)).transpose()?;
            return Ok(Handled { reply, happened: Happened::Nothing }); // it was taken before
        }
        course.done = course.done.saturating_add(batch.items.len() as u64);
        if course.done > course.total.saturating_mul(2).saturating_add(MORE) {
            return Err(TransferError::TooLarge);
        }
        let told = device_text(from);
        let mut items = batch.items;
        // those of one time stay in their order
        items.reverse();
        for item in items {
            match item {
                Item::Trust(decision) if self.count_decisions(from, false)? < DECISIONS => self.keep_decision(from, false, &decision)?,
                item => drop(self.merge_item(item, Some(&told), now)?),
            }
        }
        course.number = batch.number;
        course.cursor = batch.cursor;
        course.left_out = batch.left_out;
        let happened = match batch.last {
            true => Happened::Finished { done: course.done, left_out: batch.left_out },
            false => Happened::Progress { done: course.done, total: course.total.max(course.done) },
        };
        let reply = match batch.last {
            true => {
                course = Course { stage: Stage::Finished, cursor: Vec::new(), ..course };
                self.done(&course)?
            }
            false => self.ask_for_next(&course)?,
        };
        self.keep(&course)?;
        Ok(Handled { reply: Some(reply), happened })
    }
}
