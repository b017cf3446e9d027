//! How the house gets to the disk and back: its rows, and the loading of them in three rounds before the first step.
use super::{Asked, CHUNK, House, Item, Loaded, Parked, SPACE, Slot, VERSION, failed};
use crate::codec::{Reader, Writer};
use crate::wire::{self, Stored};
use crate::*;
use std::sync::Arc;

impl House {
    pub fn is_loaded(&self) -> bool {
        matches!(self.loaded, Loaded::All)
    }
    /// Rows without which no step can run.
    pub fn missing(&self) -> Vec<Key> {
        match &self.loaded {
            Loaded::Nothing => [state()].into_iter().chain(failed::keys()).collect(),
            Loaded::State(chunks) => chunks.iter().map(|n| index(*n)).collect(),
            Loaded::Index(ids) => ids.iter().map(|id| item(*id)).collect(),
            Loaded::All => Vec::new(),
        }
    }
    /// `now` only keeps numbers apart from those of a state that was lost. How many of the rows were the house's.
    pub fn supply(&mut self, rows: &[Option<Vec<u8>>], now: Time) -> usize {
        let own = if matches!(self.loaded, Loaded::Nothing) { 1 } else { rows.len() };
        self.loaded = match std::mem::replace(&mut self.loaded, Loaded::All) {
            Loaded::Nothing => match rows.first().and_then(Option::as_deref).map(|bytes| self.read_state(bytes)) {
                None => Loaded::All, // the first start
                Some(Some(chunks)) => Loaded::State(chunks),
                Some(None) => {
                    tracing::error!("the state of the house is damaged, or from a newer version: waiting messages are lost");
                    self.next = now.0 << 20;
                    Loaded::All
                }
            },
            Loaded::State(chunks) => {
                let bits = |(chunk, row): (&u64, &Option<Vec<u8>>)| {
                    let first = *chunk << CHUNK;
                    let bits = row.clone().unwrap_or_default();
                    (0u64..1 << CHUNK).filter(move |n| bits.get((n >> 3) as usize).is_some_and(|b| b >> (n & 7) & 1 == 1)).map(move |n| first | n)
                };
                Loaded::Index(chunks.iter().zip(rows).flat_map(bits).collect())
            }
            Loaded::Index(ids) => {
                let mut parked = Vec::new();
                for (id, row) in ids.into_iter().zip(rows) {
                    match row.as_deref().and_then(read_item) {
                        Some(Row::Owed(output)) => {
                            self.place(id, Some(Slot::new(Item::Owed)));
                            self.again.push((OutputId(id), output));
                        }
                        Some(Row::Asked(asked)) => {
                            drop(self.place(id, Some(Slot { item: Item::Asked(asked.into()), flying: false, again: true })));
                        }
                        Some(Row::Parked(p)) => parked.push((id, p)), // after the requests that it waits for
                        None => tracing::error!(id, "something the house remembered is damaged, or from a newer version: it is lost"),
                    }
                }
                for (id, p) in parked {
                    let began = self.began.remove(&id);
                    self.place(id, Some(Slot::new(Item::Parked(Parked { began, ..p }.into()))));
                }
                Loaded::All
            }
            Loaded::All => Loaded::All,
        };
        if self.missing().is_empty() {
            self.loaded = Loaded::All;
            self.began.clear();
        }
        own
    }
    pub(super) fn state_row(&self) -> Vec<u8> {
        let mut out = Writer::versioned(VERSION);
        out.u64(self.seed).varint(self.next).len(self.alarms.len());
        for (engine, time) in &self.alarms {
            engine.write(&mut out);
            time.write(&mut out);
        }
        let (mut chunks, mut from) = (Vec::new(), 0u64);
        while let Some((chunk, _)) = self.used.range((from, 0)..).next() {
            chunks.push(*chunk);
            from = chunk.saturating_add(1);
        }
        out.len(chunks.len());
        let mut last = 0;
        for chunk in chunks {
            out.varint(chunk.saturating_sub(last));
            last = chunk;
        }
        out.into_bytes()
    }
    fn read_state(&mut self, bytes: &[u8]) -> Option<Vec<u64>> {
        let mut input = Reader::versioned(bytes, VERSION)?;
        (self.seed, self.next) = (input.u64()?, input.varint()?);
        for _ in 0..input.len()? {
            let engine = Stored::read(&mut input)?;
            self.alarms.push((engine, Stored::read(&mut input)?));
        }
        let mut last = 0u64;
        let chunks = (0..input.len()?)
            .map(|_| {
                last = last.checked_add(input.varint()?)?;
                Some(last)
            })
            .collect::<Option<_>>()?;
        input.end().map(|()| chunks)
    }
}

pub(super) fn state() -> Key {
    Key::single(SPACE, "state")
}
pub(super) fn index(chunk: u64) -> Key {
    Key::numbered(SPACE, "index", chunk)
}
pub(super) fn item(id: u64) -> Key {
    Key::numbered(SPACE, "item", id)
}

enum Row {
    Owed(Output),
    Asked(Asked),
    Parked(Parked),
}
pub(super) fn asked_row(asked: &Asked) -> Vec<u8> {
    let mut out = Writer::with_capacity(128);
    out.u8(VERSION).u8(1);
    asked.engine.write(&mut out);
    asked.request.write(&mut out);
    out.into_bytes()
}
pub(super) fn parked_row(parked: &Parked) -> Vec<u8> {
    let mut out = Writer::with_capacity(256);
    out.u8(VERSION).u8(2);
    parked.engine.write(&mut out);
    parked.wait.write(&mut out);
    parked.deadline.write(&mut out);
    out.u8(parked.rounds);
    parked.message.write(&mut out);
    out.into_bytes()
}
fn read_item(bytes: &[u8]) -> Option<Row> {
    let mut input = Reader::versioned(bytes, VERSION)?;
    let row = match input.u8()? {
        0 => Row::Owed(wire::read_output(&mut input)?),
        1 => Row::Asked(Asked { engine: Stored::read(&mut input)?, request: Stored::read(&mut input)? }),
        2 => Row::Parked(Parked {
            engine: Stored::read(&mut input)?,
            wait: Stored::read(&mut input)?,
            deadline: Stored::read(&mut input)?,
            rounds: input.u8()?,
            began: None,
            message: Arc::new(Stored::read(&mut input)?),
        }),
        _ => return None,
    };
    input.end().map(|()| row)
}
