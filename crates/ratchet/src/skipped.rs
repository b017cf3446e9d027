//! The keys of messages that have not come yet: seeds only, 32 bytes each. Double Ratchet §2.6, §8.4.
//!
//! Sorted by chain and counter, so that a late message is found by binary search; removing leaves an erased seed behind,
//! and the table is packed when these are the most. Bounded in number, the oldest go first, and in turns of the ratchet: whoever holds a
//! message back does not hold on to its key for ever.
use crate::secret::Secret;
use crate::session::{MAX_SKIP, MAX_TURNS};
use zeroize::Zeroize;

const MAX: usize = MAX_SKIP as usize;

/// Usually empty, then a pointer.
#[derive(Clone, Default)]
pub(crate) struct Skipped(Option<Box<Table>>);
#[derive(Clone, Default)]
struct Table {
    chains: Vec<Chain>,
    entries: Vec<Entry>,
    live: usize,
}
#[derive(Clone)]
struct Chain {
    ratchet: [u8; 32],
    /// Ascending with age.
    number: u32,
    /// Of the ratchet since one of its messages was skipped.
    turns: u16,
    live: usize,
}
#[derive(Clone)]
struct Entry {
    chain: u32,
    counter: u32,
    /// Zero: used.
    seed: Secret,
}
/// Where a seed lies. Valid until the next change.
#[derive(Clone, Copy)]
pub(crate) struct Slot(usize);

impl Skipped {
    pub(crate) fn len(&self) -> usize {
        self.0.as_ref().map_or(0, |table| table.live)
    }
    /// Whether seeds of this ratchet key are kept.
    pub(crate) fn knows(&self, ratchet: &[u8; 32]) -> bool {
        self.0.as_ref().is_some_and(|table| table.chains.iter().any(|chain| chain.ratchet == *ratchet))
    }
    pub(crate) fn find(&self, ratchet: &[u8; 32], counter: u32) -> Option<(Slot, &Secret)> {
        let table = self.0.as_ref()?;
        let number = table.chains.iter().find(|chain| chain.ratchet == *ratchet)?.number;
        let slot = table.entries.binary_search_by_key(&(number, counter), |entry| (entry.chain, entry.counter)).ok()?;
        let seed = &table.entries.get(slot)?.seed;
        (!seed.is_zero()).then_some((Slot(slot), seed))
    }
    pub(crate) fn remove(&mut self, slot: Slot) {
        let Some(table) = &mut self.0 else { return };
        if let Some(entry) = table.entries.get_mut(slot.0) {
            let chain = entry.chain;
            entry.seed.zeroize();
            table.forget(chain);
        }
        self.tidy();
    }
    /// Adds a chain that is not there yet, by ascending counter: for reading what was stored. `room`: seeds that may
    /// come in all, so that the buffer never moves.
    pub(crate) fn restore(&mut self, ratchet: &[u8; 32], turns: u16, seeds: &[(u32, Secret)], room: usize) {
        let table = self.0.get_or_insert_default();
        if table.entries.is_empty() {
            table.entries.reserve_exact(room.min(MAX));
        }
        let number = table.chains.last().map_or(0, |chain| chain.number.saturating_add(1));
        table.chains.push(Chain { ratchet: *ratchet, number, turns, live: seeds.len() });
        table.live = table.live.saturating_add(seeds.len());
        table.entries.extend(seeds.iter().map(|(counter, seed)| Entry { chain: number, counter: *counter, seed: seed.clone() }));
    }
    /// Adds the seeds from `first` on, and drops the oldest above the limit.
    pub(crate) fn insert(&mut self, ratchet: &[u8; 32], first: u32, seeds: &[Secret]) {
        if seeds.is_empty() {
            return;
        }
        let table = self.0.get_or_insert_default();
        let number = match table.chains.iter_mut().find(|chain| chain.ratchet == *ratchet) {
            Some(chain) => {
                chain.live = chain.live.saturating_add(seeds.len());
                chain.turns = 0;
                chain.number
            }
            None => {
                // four thousand million chains later the order of age is lost, nothing else
                let number = table.chains.last().map_or(0, |chain| chain.number.saturating_add(1));
                table.chains.push(Chain { ratchet: *ratchet, number, turns: 0, live: seeds.len() });
                number
            }
        };
        table.live = table.live.saturating_add(seeds.len());
        let at = table.entries.partition_point(|entry| (entry.chain, entry.counter) < (number, first));
        let new = seeds.iter().zip(first..).map(|(seed, counter)| Entry { chain: number, counter, seed: seed.clone() });
        let needed = table.entries.len().saturating_add(seeds.len());
        if at == table.entries.len() && needed <= table.entries.capacity() {
            table.entries.extend(new);
        } else {
            // a new buffer, the old one erased: growing in place would leave seeds behind
            let mut entries = Vec::with_capacity(needed.saturating_add(needed / 4));
            let (before, after) = table.entries.split_at_checked(at).unwrap_or((&table.entries, &[]));
            entries.extend(before.iter().filter(|entry| !entry.seed.is_zero()).cloned());
            entries.extend(new);
            entries.extend(after.iter().filter(|entry| !entry.seed.is_zero()).cloned());
            table.entries = entries;
        }
        self.limit(MAX);
    }
    /// Drops the oldest until at most `max` are left.
    pub(crate) fn limit(&mut self, max: usize) {
        let Some(table) = &mut self.0 else { return };
        let mut excess = table.live.saturating_sub(max);
        let mut next = 0;
        while excess > 0 {
            let Some(entry) = table.entries.get_mut(next) else { break };
            next = next.saturating_add(1);
            if !entry.seed.is_zero() {
                let chain = entry.chain;
                entry.seed.zeroize();
                table.forget(chain);
                excess = excess.saturating_sub(1);
            }
        }
        self.tidy();
    }
    /// The ratchet turns once more: seeds of a chain that is [`MAX_TURNS`] back go.
    pub(crate) fn turn(&mut self) {
        let Some(table) = &mut self.0 else { return };
        table.chains.iter_mut().for_each(|chain| chain.turns = chain.turns.saturating_add(1));
        let over: Vec<u32> = table.chains.iter().filter(|chain| chain.turns > MAX_TURNS).map(|chain| chain.number).collect();
        let mut next = 0;
        while let Some(entry) = table.entries.get_mut(next).filter(|_| !over.is_empty()) {
            next = next.saturating_add(1);
            let chain = entry.chain;
            if over.contains(&chain) && !entry.seed.is_zero() {
                entry.seed.zeroize();
                table.forget(chain);
            }
        }
        self.tidy();
    }
    fn tidy(&mut self) {
        match &mut self.0 {
            Some(table) if table.live == 0 => self.0 = None,
            Some(table) if table.entries.len().saturating_sub(table.live) > table.live.saturating_add(64) => {
                table.entries = table.entries.iter().filter(|entry| !entry.seed.is_zero()).cloned().collect();
            }
            _ => (),
        }
    }
    /// Each chain, oldest first: its turns, how many seeds, the seeds by ascending counter.
    pub(crate) fn chains(&self) -> impl ExactSizeIterator<Item = (&[u8; 32], u16, usize, impl Iterator<Item = (u32, &Secret)>)> {
        let table = self.0.as_deref();
        let chains = table.map_or([].as_slice(), |table| &table.chains);
        let entries = table.map_or([].as_slice(), |table| &table.entries);
        chains.iter().map(move |chain| {
            let from = entries.partition_point(|entry| entry.chain < chain.number);
            let own = entries.iter().skip(from).take_while(|entry| entry.chain == chain.number);
            let live = own.filter(|entry| !entry.seed.is_zero()).map(|entry| (entry.counter, &entry.seed));
            (&chain.ratchet, chain.turns, chain.live, live)
        })
    }
}
impl Table {
    /// A seed of this chain was erased.
    fn forget(&mut self, number: u32) {
        self.live = self.live.saturating_sub(1);
        if let Ok(at) = self.chains.binary_search_by_key(&number, |chain| chain.number)
            && let Some(chain) = self.chains.get_mut(at)
        {
            chain.live = chain.live.saturating_sub(1);
            if chain.live == 0 {
                self.chains.remove(at);
                // what it leaves are used seeds; they must not be found under a later chain of the same number
                if at == self.chains.len() {
                    self.entries.truncate(self.entries.partition_point(|entry| entry.chain < number));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::arithmetic_side_effects)]
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    /// Seeds go by the turns since one of their chain was last skipped, whatever stands around them.
    #[test]
    fn by_turns() {
        let seeds = |n: u8| vec![Secret([n; 32]); 3];
        let mut skipped = Skipped::default();
        skipped.insert(&[1; 32], 5, &seeds(1));
        skipped.turn();
        skipped.insert(&[2; 32], 0, &seeds(2));
        (1..MAX_TURNS).for_each(|_| skipped.turn());
        assert_eq!(skipped.len(), 6);
        let (late, _) = skipped.find(&[1; 32], 6).unwrap();
        skipped.remove(late);
        skipped.turn();
        assert!(!skipped.knows(&[1; 32]) && skipped.find(&[1; 32], 5).is_none() && skipped.len() == 3);
        // one more of the same chain: the others may be as late
        skipped.insert(&[2; 32], 9, &seeds(3));
        (0..MAX_TURNS).for_each(|_| skipped.turn());
        assert!(skipped.find(&[2; 32], 0).is_some() && skipped.find(&[2; 32], 11).is_some());
        skipped.turn();
        assert!(skipped.0.is_none());
    }
    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]
        /// The same as a plain map that forgets the oldest chain's lowest counter first.
        #[test]
        fn like_a_map(steps in proptest::collection::vec((0u8..6, 0u32..400, 1u32..300, any::<bool>()), 1..60)) {
            let mut skipped = Skipped::default();
            let mut model: BTreeMap<(usize, u32), u8> = BTreeMap::new();
            let mut ages: Vec<u8> = Vec::new();
            for (chain, first, count, add) in steps {
                let ratchet = [chain; 32];
                let age = |ages: &[u8]| ages.iter().rposition(|other| *other == chain);
                if add {
                    let live = age(&ages).filter(|age| model.range((*age, 0)..=(*age, u32::MAX)).next().is_some());
                    let age = live.unwrap_or_else(|| { ages.push(chain); ages.len() - 1 });
                    let first = model.range((age, 0)..=(age, u32::MAX)).next_back().map_or(first, |((_, last), _)| last + 1);
                    let seeds: Vec<Secret> = (first..first + count).map(|n| Secret([(n % 250) as u8 + 1; 32])).collect();
                    skipped.insert(&ratchet, first, &seeds);
                    model.extend(seeds.iter().zip(first..).map(|(seed, n)| ((age, n), seed.0[0])));
                    while model.len() > MAX { model.pop_first(); }
                } else {
                    for counter in first..first + count {
                        let expected = age(&ages).and_then(|age| model.remove(&(age, counter)));
                        let found = skipped.find(&ratchet, counter).map(|(slot, seed)| (slot, seed.0[0]));
                        prop_assert_eq!(found.map(|(_, seed)| seed), expected);
                        if let Some((slot, _)) = found { skipped.remove(slot); }
                    }
                }
                prop_assert_eq!(skipped.len(), model.len());
                let all: Vec<(u8, u32, u8)> =
                    skipped.chains().flat_map(|(ratchet, _, _, seeds)| seeds.map(|(n, seed)| (ratchet[0], n, seed.0[0])).collect::<Vec<_>>()).collect();
                let expected: Vec<(u8, u32, u8)> = model.iter().map(|((age, n), seed)| (ages[*age], *n, *seed)).collect();
                prop_assert_eq!(all, expected);
                prop_assert!(skipped.0.as_ref().is_none_or(|table| table.entries.len() <= 3 * MAX + 64));
            }
        }
    }
}
