//! A page: the records of a few devices of one person in one record of the disk, and the pages that are in memory.
//!
//! Bytes: for each record the length of its slot's name in four big-endian bytes, the name, the length of the value, the value.
use crate::names::Name;
use std::collections::HashMap;
use zeroize::Zeroizing;

/// How much is kept in memory: some thousand sessions.
const KEPT: usize = 4 << 20;

/// Records, by their slots and in the order of these.
#[derive(Clone, Default)]
pub struct Page(Vec<(Vec<u8>, Zeroizing<Vec<u8>>)>);
impl Page {
    pub fn get(&self, slot: &[u8]) -> Option<&[u8]> {
        self.0.iter().find(|(name, _)| name == slot).map(|(_, value)| value.as_slice())
    }
    pub fn set(&mut self, slot: Vec<u8>, value: Option<&[u8]>) {
        self.0.retain(|(name, _)| *name != slot);
        if let Some(value) = value {
            let at = self.0.partition_point(|(name, _)| *name < slot);
            self.0.insert(at, (slot, Zeroizing::new(value.to_vec())));
        }
    }
    /// Nothing: the page has no records, and none on the disk.
    pub fn encode(&self) -> Option<Zeroizing<Vec<u8>>> {
        let mut out = Zeroizing::new(Vec::with_capacity(self.size()));
        for (slot, value) in &self.0 {
            for part in [slot.as_slice(), value] {
                out.extend_from_slice(&u32::try_from(part.len()).unwrap_or(u32::MAX).to_be_bytes());
                out.extend_from_slice(part);
            }
        }
        (!self.0.is_empty()).then_some(out)
    }
    /// Nothing: that was never a page.
    pub fn decode(mut bytes: &[u8]) -> Option<Page> {
        let mut page = Page::default();
        while !bytes.is_empty() {
            let slot = part(&mut bytes)?.to_vec();
            page.set(slot, Some(part(&mut bytes)?));
        }
        Some(page)
    }
    fn size(&self) -> usize {
        self.0.iter().fold(0, |sum, (slot, value)| sum.saturating_add(slot.len()).saturating_add(value.len()).saturating_add(8))
    }
}
fn part<'a>(bytes: &mut &'a [u8]) -> Option<&'a [u8]> {
    let (length, rest) = bytes.split_first_chunk::<4>()?;
    let (part, rest) = rest.split_at_checked(u32::from_be_bytes(*length).try_into().ok()?)?;
    *bytes = rest;
    Some(part)
}

/// Pages as the disk has them. What is being written is taken out before and put back after: an abandoned commit leaves nothing
/// here that may not be on the disk.
#[derive(Default)]
pub struct Cache {
    pages: HashMap<Name, Page>,
    size: usize,
}
impl Cache {
    pub fn get(&self, name: &Name) -> Option<&Page> {
        self.pages.get(name)
    }
    pub fn take(&mut self, name: &Name) -> Option<Page> {
        let page = self.pages.remove(name)?;
        self.size = self.size.saturating_sub(page.size());
        Some(page)
    }
    pub fn put(&mut self, name: Name, page: Page) {
        drop(self.take(&name));
        self.size = self.size.saturating_add(page.size());
        self.pages.insert(name, page);
    }
    /// When it is too much, all goes: the next steps read what they need.
    pub fn trim(&mut self) {
        if self.size > KEPT {
            *self = Cache::default();
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, clippy::arithmetic_side_effects)]
    use super::*;

    #[test]
    fn a_page_comes_back_as_it_was() {
        let mut page = Page::default();
        assert!(page.encode().is_none());
        for (slot, value) in [(vec![2, 0, 0, 0, 1], vec![]), (vec![], vec![1; 300]), (vec![3], b"x".to_vec())] {
            page.set(slot, Some(&value));
        }
        let bytes = page.encode().unwrap();
        let again = Page::decode(&bytes).unwrap();
        assert_eq!(again.get(&[2, 0, 0, 0, 1]), Some(&[][..]));
        assert_eq!(again.get(&[]), Some(&[1; 300][..]));
        assert_eq!(again.get(&[4]), None);
        assert_eq!(again.encode().unwrap(), bytes);
        (1..bytes.len()).filter(|end| ![8 + 300, 8 + 300 + 13].contains(end)).for_each(|end| assert!(Page::decode(&bytes[..end]).is_none(), "{end}"));
    }
    #[test]
    fn a_length_beyond_the_end_is_no_page() {
        assert!(Page::decode(&[255, 255, 255, 255, 1]).is_none());
    }
    #[test]
    fn memory_is_bounded() {
        let mut cache = Cache::default();
        for n in 0..100u8 {
            let mut page = Page::default();
            page.set(vec![n], Some(&vec![0; 100_000]));
            cache.put([n; 16], page);
            cache.trim();
            assert!(cache.size <= KEPT);
        }
        assert!(cache.get(&[99; 16]).is_some());
        assert!(cache.take(&[99; 16]).is_some() && cache.take(&[99; 16]).is_none());
    }
}
