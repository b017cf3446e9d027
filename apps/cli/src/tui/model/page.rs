//! The open chat: a window of its history around what is on the screen, the selected message, the scroll position, the draft.
//!
//! The window is contiguous and ordered by place. What is on the screen hangs at its bottom row, so that what comes or is loaded
//! above or below does not move it; at the end of the history the screen follows what comes.
use super::rows::{Look, rows};
use crate::rpc::types::Entry;
use crate::tui::editor::Editor;
use std::collections::VecDeque;

/// Entries of one chat that are in memory at most.
pub const LIMIT: usize = 400;
/// Entries asked for at once.
pub const STEP: u32 = 80;
/// So near to an end of the window the next ones are asked for.
const NEAR: usize = 20;

/// Which entries are being loaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Load {
    Newest,
    Before(i64),
    After(i64),
    Around(i64),
}
/// What the draft is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum About {
    /// It answers this message, of whom, with these words.
    Reply { place: i64, from: String, text: String },
    /// It is the new form of this message.
    Edit { place: i64 },
}
/// What is being written in a chat, and what was written there before.
#[derive(Debug, Default)]
pub struct Draft {
    pub editor: Editor,
    pub about: Option<About>,
    written: Vec<String>,
    /// Which of them is in the editor, and what was there before it.
    recalled: Option<(usize, String)>,
}
/// Texts of a chat that can be had again.
const WRITTEN: usize = 100;
impl Draft {
    /// What is there goes, to be had again.
    pub fn take(&mut self) -> (String, Option<About>) {
        let text = self.editor.take();
        self.recalled = None;
        if !text.trim().is_empty() && self.written.last() != Some(&text) {
            self.written.push(text.clone());
            if self.written.len() > WRITTEN {
                self.written.remove(0);
            }
        }
        (text, self.about.take())
    }
    /// What was written before, or after.
    pub fn recall(&mut self, older: bool) {
        let (at, kept) = match self.recalled.take() {
            Some((at, kept)) if older => (at.saturating_sub(1), kept),
            Some((at, kept)) => (at + 1, kept),
            None if older && !self.written.is_empty() => (self.written.len() - 1, self.editor.text().to_owned()),
            None => return,
        };
        match self.written.get(at) {
            Some(text) => {
                self.editor = Editor::with(text);
                self.recalled = Some((at, kept));
            }
            None => self.editor = Editor::with(&kept),
        }
    }
}
/// What the bottom row of the screen is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Bottom {
    place: i64,
    /// Rows of the entry that are below the screen.
    below: usize,
}

/// The open chat.
pub struct Page {
    pub chat: String,
    pub entries: VecDeque<Entry>,
    /// There are further ones before and after the window.
    pub older: bool,
    pub newer: bool,
    pub loading: Option<(Load, u64)>,
    /// `None`: the end of the history.
    bottom: Option<Bottom>,
    pub selected: Option<i64>,
    /// Where what was unread began as the chat was opened.
    pub new_from: Option<i64>,
    pub draft: Draft,
    /// Who writes.
    pub typing: Vec<String>,
    /// Whether the other side was told that somebody writes here.
    pub told_typing: bool,
    /// Something of it was on a screen that somebody looked at.
    looked_at: bool,
}
/// What was read by being on the screen.
#[derive(Debug, PartialEq, Eq)]
pub struct Seen {
    /// The newest of it, by its author and id.
    pub from: String,
    pub id: String,
    /// The place where it begins.
    pub since: i64,
}

impl Page {
    pub fn new(chat: String) -> Self {
        Page {
            chat,
            entries: VecDeque::new(),
            older: true,
            newer: false,
            loading: None,
            bottom: None,
            selected: None,
            new_from: None,
            draft: Draft::default(),
            typing: Vec::new(),
            told_typing: false,
            looked_at: false,
        }
    }
    fn find(&self, place: i64) -> Result<usize, usize> {
        self.entries.binary_search_by_key(&place, |entry| entry.place)
    }
    pub fn entry(&self, place: i64) -> Option<&Entry> {
        self.find(place).ok().and_then(|at| self.entries.get(at))
    }
    pub fn chosen(&self) -> Option<&Entry> {
        self.entry(self.selected?)
    }
    /// The screen shows the end of the history.
    pub fn at_end(&self) -> bool {
        self.bottom.is_none() && !self.newer
    }
    /// An entry appeared or changed. Whether it is one that was not read and stands before the window: nobody would see it.
    pub fn put(&mut self, entry: Entry) -> bool {
        match self.find(entry.place) {
            Ok(at) => {
                if let Some(known) = self.entries.get_mut(at) {
                    *known = entry;
                }
            }
            Err(at) => {
                // outside the window it is loaded when the window comes there
                let before = at == 0 && self.older && !self.entries.is_empty();
                if before {
                    return entry.unread && !entry.outgoing;
                }
                if at != self.entries.len() || !self.newer {
                    self.entries.insert(at, entry);
                    self.trim_front();
                }
            }
        }
        false
    }
    /// What was asked for is there.
    pub fn loaded(&mut self, load: Load, entries: Vec<Entry>, more: bool) {
        self.loading = None;
        match load {
            Load::Newest | Load::Around(_) => {
                let newest = entries.last().map(|entry| entry.place);
                // what came since the question was asked is the end of it
                let later: Vec<_> =
                    std::mem::take(&mut self.entries).into_iter().filter(|e| load == Load::Newest && Some(e.place) > newest).collect();
                self.entries = entries.into();
                self.entries.extend(later);
                self.older = if load == Load::Newest { more } else { true };
                self.newer = load != Load::Newest;
                self.bottom = None;
                if load == Load::Newest && self.new_from.is_none() {
                    self.new_from = self.entries.iter().find(|e| e.unread && !e.outgoing).map(|e| e.place);
                }
            }
            Load::Before(place) => {
                if self.entries.front().is_some_and(|first| first.place == place) {
                    entries.into_iter().rev().for_each(|entry| self.entries.push_front(entry));
                    self.older = more;
                    while self.entries.len() > LIMIT && self.bottom.is_some() {
                        self.entries.pop_back();
                        self.newer = true;
                    }
                }
            }
            Load::After(place) => {
                if self.entries.back().is_some_and(|last| last.place == place) {
                    self.newer = more;
                    self.entries.extend(entries);
                    self.trim_front();
                }
            }
        }
    }
    fn trim_front(&mut self) {
        while self.entries.len() > LIMIT {
            self.entries.pop_front();
            self.older = true;
        }
    }
    fn height(&self, at: usize, look: &Look) -> usize {
        let before = at.checked_sub(1).and_then(|n| self.entries.get(n));
        self.entries.get(at).map_or(0, |entry| rows(entry, before, look).len())
    }
    fn last(&self) -> usize {
        self.entries.len().saturating_sub(1)
    }
    /// Which entry is at the bottom, and how many of its rows are below the screen.
    fn bottom(&self) -> (usize, usize) {
        match self.bottom {
            None => (self.last(), 0),
            Some(Bottom { place, below }) => match self.find(place) {
                Ok(at) => (at, below),
                Err(at) => (at.min(self.last()), 0),
            },
        }
    }
    fn set_bottom(&mut self, at: usize, below: usize) {
        let end = at >= self.last() && below == 0 && !self.newer;
        self.bottom = self.entries.get(at).filter(|_| !end).map(|entry| Bottom { place: entry.place, below });
    }
    /// What is on a screen of so many rows, from below: each entry with the number of its rows to leave out at its end.
    pub fn visible(&self, height: usize, look: &Look) -> Vec<(usize, usize)> {
        let (mut at, mut below) = self.bottom();
        let (mut seen, mut filled) = (Vec::new(), 0);
        while at < self.entries.len() && filled < height {
            seen.push((at, below));
            filled += self.height(at, look).saturating_sub(below);
            below = 0;
            match at.checked_sub(1) {
                Some(next) => at = next,
                None => break,
            }
        }
        seen
    }
    /// Moves the screen so many rows up (`true`) or down; never beyond the first or last row.
    pub fn scroll(&mut self, up: bool, by: usize, height: usize, look: &Look) {
        let (mut at, mut below) = self.bottom();
        if up {
            // not above the first row: as much as is above the screen
            let top = self.above(at, below, by.saturating_add(height), look).saturating_sub(height);
            let mut left = by.min(top);
            while left > 0 {
                let rest = self.height(at, look).saturating_sub(below);
                if left < rest {
                    below += left;
                    break;
                }
                left -= rest;
                below = 0;
                match at.checked_sub(1) {
                    Some(next) => at = next,
                    None => break,
                }
            }
        } else {
            let mut left = by;
            while left > 0 {
                if below >= left {
                    below -= left;
                    break;
                }
                left -= below;
                below = 0;
                if at >= self.last() {
                    break;
                }
                at += 1;
                below = self.height(at, look);
            }
        }
        self.set_bottom(at, below);
    }
    /// Rows from the first one to the bottom of the screen; counted up to `enough`.
    fn above(&self, mut at: usize, below: usize, enough: usize, look: &Look) -> usize {
        let mut rows = self.height(at, look).saturating_sub(below);
        while rows < enough
            && let Some(next) = at.checked_sub(1)
        {
            at = next;
            rows += self.height(at, look);
        }
        rows
    }
    /// Selects an entry and shows all of it that fits.
    pub fn select(&mut self, at: usize, height: usize, look: &Look) {
        let Some(place) = self.entries.get(at).map(|entry| entry.place) else { return };
        self.selected = Some(place);
        let seen = self.visible(height, look);
        let (bottom, below) = self.bottom();
        if at > bottom || at == bottom && below > 0 {
            self.set_bottom(at, 0);
        } else if let Some((top, _)) = seen.last() {
            let rows = self.above_between(at, bottom, look).saturating_sub(below);
            if at < *top || rows > height {
                self.scroll(true, rows.saturating_sub(height), height, look);
            }
        }
    }
    /// Rows from the first one of `from` to the last one of `to`.
    fn above_between(&self, from: usize, to: usize, look: &Look) -> usize {
        (from..=to).map(|at| self.height(at, look)).sum()
    }
    /// Selects the next entry up or down.
    pub fn step(&mut self, up: bool, height: usize, look: &Look) {
        let at = match self.selected.map(|place| self.find(place)) {
            Some(Ok(at)) if up => at.saturating_sub(1),
            Some(Ok(at)) => (at + 1).min(self.last()),
            _ => self.bottom().0,
        };
        self.select(at, height, look);
    }
    /// After the screen moved: the selected one is one that is on it.
    pub fn keep_selected(&mut self, height: usize, look: &Look) {
        let Some(Ok(at)) = self.selected.map(|place| self.find(place)) else { return };
        let seen = self.visible(height, look);
        let (Some((bottom, _)), Some((top, _))) = (seen.first(), seen.last()) else { return };
        // the topmost one may be cut
        let top = (*top + 1).min(*bottom);
        self.selected = self.entries.get(at.clamp(top, *bottom)).map(|entry| entry.place);
    }
    /// The newest one, or the first that is loaded.
    pub fn select_end(&mut self, first: bool, height: usize, look: &Look) {
        let at = if first { 0 } else { self.last() };
        self.select(at, height, look);
    }
    /// Shows this one in the middle; whether it is in the window.
    pub fn show(&mut self, place: i64, height: usize, look: &Look) -> bool {
        let Ok(at) = self.find(place) else { return false };
        self.selected = Some(place);
        self.set_bottom(at, 0);
        self.scroll(false, height / 2, height, look);
        // near the beginning of the history the screen is filled
        let (at, below) = self.bottom();
        let missing = height.saturating_sub(self.above(at, below, height, look));
        self.scroll(false, missing, height, look);
        true
    }
    /// To the end: what comes is followed.
    pub fn follow(&mut self) {
        self.bottom = None;
    }
    /// What has to be loaded for what is on the screen.
    pub fn wants(&self, height: usize, look: &Look) -> Option<Load> {
        if self.loading.is_some() {
            return None;
        }
        let (Some(first), Some(last)) = (self.entries.front(), self.entries.back()) else {
            return self.older.then_some(Load::Newest);
        };
        let seen = self.visible(height, look);
        let (bottom, top) = (seen.first().map_or(0, |(at, _)| *at), seen.last().map_or(0, |(at, _)| *at));
        if self.newer && self.last() - bottom < NEAR {
            return Some(Load::After(last.place));
        }
        (self.older && top < NEAR).then_some(Load::Before(first.place))
    }
    /// What is on the screen and was not read until now: then it is. As the chat is opened all behind the line is, else what can be seen.
    pub fn seen(&mut self, height: usize, look: &Look) -> Option<Seen> {
        if self.loading.is_some() {
            return None;
        }
        let visible = self.visible(height, look);
        let top = self.entries.get(visible.last()?.0)?.place;
        let opened = !std::mem::replace(&mut self.looked_at, true);
        let since = self.new_from.filter(|_| opened).map_or(top, |new| new.min(top));
        let newest = visible.iter().filter_map(|(at, _)| self.entries.get(*at)).find(|entry| entry.unread && !entry.outgoing)?;
        let (last, seen) = (newest.place, Seen { from: newest.from.clone(), id: newest.id.clone(), since });
        self.entries.iter_mut().filter(|entry| (since..=last).contains(&entry.place)).for_each(|entry| entry.unread = false);
        Some(seen)
    }
    /// Messages in the window that were not read.
    pub fn unread(&self) -> u64 {
        self.entries.iter().filter(|entry| entry.unread && !entry.outgoing).count() as u64
    }
}
