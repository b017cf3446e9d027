//! A few lines of text and a cursor in them: what is typed. Knows no keys and no screen.
use unicode_segmentation::UnicodeSegmentation;

/// The longest that can be typed or pasted, in bytes: what a message may have.
const LIMIT: usize = crate::host::TEXT_LIMIT;

/// Text that is being written.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Editor {
    text: String,
    /// In bytes, between two graphemes.
    at: usize,
}

/// What can be done in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Edit {
    Left,
    Right,
    WordLeft,
    WordRight,
    Home,
    End,
    /// To the same column of the line above.
    Up,
    /// Below.
    Down,
    Backspace,
    Delete,
    /// The word before the cursor goes.
    WordBack,
    /// All before it on its line.
    ToHome,
    /// All behind it on its line.
    ToEnd,
    Break,
}

impl Editor {
    /// With this text, the cursor at its end.
    pub fn with(text: &str) -> Self {
        Editor { text: text.to_owned(), at: text.len() }
    }
    pub fn text(&self) -> &str {
        &self.text
    }
    pub fn is_empty(&self) -> bool {
        self.text.is_empty()
    }
    /// Empties it.
    pub fn take(&mut self) -> String {
        self.at = 0;
        std::mem::take(&mut self.text)
    }
    /// What stands before the cursor.
    pub fn before(&self) -> &str {
        self.text.get(..self.at).unwrap_or_default()
    }
    /// What stands behind it.
    pub fn behind(&self) -> &str {
        self.text.get(self.at..).unwrap_or_default()
    }
    /// At the cursor. `false`: there is no room for it, and nothing was put.
    pub fn insert(&mut self, text: &str) -> bool {
        if self.text.len().saturating_add(text.len()) > LIMIT {
            return false;
        }
        self.text.insert_str(self.at, text);
        self.at += text.len();
        true
    }
    /// On the first line, on the last line.
    pub fn at_edge(&self) -> (bool, bool) {
        (!self.before().contains('\n'), !self.behind().contains('\n'))
    }
    pub fn apply(&mut self, edit: Edit) {
        match edit {
            Edit::Left => self.at -= self.before().graphemes(true).next_back().map_or(0, str::len),
            Edit::Right => self.at += self.behind().graphemes(true).next().map_or(0, str::len),
            Edit::WordLeft => self.at = self.word_start(),
            Edit::WordRight => self.at = self.word_end(),
            Edit::Home => self.at = self.line_start(),
            Edit::End => self.at = self.line_end(),
            Edit::Up => {
                let column = self.column();
                if let Some(end) = self.line_start().checked_sub(1) {
                    self.at = end;
                    self.move_to_column(column);
                }
            }
            Edit::Down => {
                let (column, end) = (self.column(), self.line_end());
                if end < self.text.len() {
                    self.at = end + 1;
                    self.move_to_column(column);
                }
            }
            Edit::Backspace => {
                // the last sign as a person sees it, but of a letter with marks only the last mark would be a surprise: all of it goes
                let from = self.at - self.before().graphemes(true).next_back().map_or(0, str::len);
                self.remove(from, self.at);
            }
            Edit::Delete => {
                let to = self.at + self.behind().graphemes(true).next().map_or(0, str::len);
                self.remove(self.at, to);
            }
            Edit::WordBack => self.remove(self.word_start(), self.at),
            Edit::ToHome => self.remove(self.line_start(), self.at),
            Edit::ToEnd => self.remove(self.at, self.line_end()),
            Edit::Break => {
                self.insert("\n");
            }
        }
    }
    fn remove(&mut self, from: usize, to: usize) {
        self.text.drain(from..to);
        self.at = from;
    }
    fn line_start(&self) -> usize {
        self.before().rfind('\n').map_or(0, |n| n + 1)
    }
    fn line_end(&self) -> usize {
        self.behind().find('\n').map_or(self.text.len(), |n| self.at + n)
    }
    /// Graphemes since the beginning of the line.
    fn column(&self) -> usize {
        self.text.get(self.line_start()..self.at).unwrap_or_default().graphemes(true).count()
    }
    /// `at` is on the line that is meant.
    fn move_to_column(&mut self, column: usize) {
        let (start, end) = (self.line_start(), self.line_end());
        let line = self.text.get(start..end).unwrap_or_default();
        self.at = start + line.graphemes(true).take(column).map(str::len).sum::<usize>();
    }
    fn word_start(&self) -> usize {
        let trimmed = self.before().trim_end_matches(|c: char| !c.is_alphanumeric());
        trimmed.trim_end_matches(char::is_alphanumeric).len()
    }
    fn word_end(&self) -> usize {
        let rest = self.behind();
        let word = rest.trim_start_matches(|c: char| !c.is_alphanumeric());
        let after = word.trim_start_matches(char::is_alphanumeric);
        self.text.len() - after.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(text: &str, edits: &[Edit]) -> (String, String) {
        let mut editor = Editor::with(text);
        edits.iter().for_each(|edit| editor.apply(*edit));
        (editor.before().to_owned(), editor.behind().to_owned())
    }
    fn split(before: &str, behind: &str) -> (String, String) {
        (before.into(), behind.into())
    }

    #[test]
    fn moves_and_deletes_by_what_a_person_sees() {
        assert_eq!(after("a👨‍👩‍👧‍👦", &[Edit::Backspace]), split("a", ""));
        assert_eq!(after("one two", &[Edit::WordBack]), split("one ", ""));
        assert_eq!(after("one two", &[Edit::WordLeft, Edit::ToHome]), split("", "two"));
        assert_eq!(after("one two", &[Edit::Home, Edit::WordRight]), split("one", " two"));
        assert_eq!(after("ab\ncd", &[Edit::Home, Edit::Delete]), split("ab\n", "d"));
        assert_eq!(after("abc\nd\nefg", &[Edit::Up]), split("abc\nd", "\nefg"));
        assert_eq!(after("日本\nab", &[Edit::Left, Edit::Up, Edit::Down]), split("日本\na", "b"));
        assert_eq!(after("ab", &[Edit::Break, Edit::Up, Edit::ToEnd]), split("", "\n"));
        assert_eq!(after("", &[Edit::Left, Edit::Backspace, Edit::Delete, Edit::Up, Edit::Down, Edit::WordLeft, Edit::WordRight]), split("", ""));
    }

    #[test]
    fn has_a_limit_and_says_so() {
        let mut editor = Editor::with("x");
        assert!(!editor.insert(&"y".repeat(LIMIT)));
        assert_eq!(editor.text(), "x");
    }
}
