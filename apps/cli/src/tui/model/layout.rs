//! Where the parts of the main screen are. The model scrolls by it, the view draws by it.
use super::Focus;
use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthStr;

/// Below this many columns the chats are shown instead of the messages, not beside them.
const BESIDE: u16 = 70;
/// Columns of the chats.
const LIST: u16 = 26;
/// Rows that what is being written takes at most.
const WRITING: usize = 6;
/// Smaller than this nothing is drawn but a word.
pub const SMALLEST: (u16, u16) = (24, 8);

/// A rectangle of cells.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Area {
    pub x: u16,
    pub y: u16,
    pub width: u16,
    pub height: u16,
}
/// The parts. One without columns or rows is not shown.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Layout {
    pub top: Area,
    pub chats: Area,
    pub header: Area,
    pub messages: Area,
    /// What is answered or corrected.
    pub about: Area,
    /// The line above what is being written: how it will leave.
    pub lock: Area,
    pub composer: Area,
    pub bottom: Area,
}
impl Layout {
    /// `rows`: of what is being written; `about`: it is about a message.
    pub fn of((width, height): (u16, u16), focus: Focus, rows: usize, about: bool) -> Self {
        if width < SMALLEST.0 || height < SMALLEST.1 {
            return Layout::default();
        }
        let line = |y: u16, x: u16, width: u16, height: u16| Area { x, y, width, height };
        let inside = height - 2;
        let list = match (width >= BESIDE, focus) {
            (true, _) => LIST,
            (false, Focus::Chats) => width,
            (false, _) => 0,
        };
        let x = if list == 0 || list == width { list } else { list + 1 };
        let right = width - x;
        let room = usize::from(inside.saturating_sub(4));
        let composer = u16::try_from(rows.clamp(1, WRITING).min(room)).unwrap_or(1);
        let about = u16::from(about);
        let messages = inside.saturating_sub(1 + about + 1 + composer);
        let mut y = 1;
        let mut next = |rows: u16| {
            let area = line(y, x, right, rows);
            y += rows;
            area
        };
        let (header, messages, about, lock, composer) = (next(1), next(messages), next(about), next(1), next(composer));
        Layout {
            top: line(0, 0, width, 1),
            chats: line(1, 0, list, inside),
            header,
            messages,
            about,
            lock,
            composer,
            bottom: line(height - 1, 0, width, 1),
        }
    }
    /// Columns for what is being written, behind its `> `.
    pub fn composer_columns(width: u16, _focus: Focus) -> usize {
        let right = if width >= BESIDE { width - LIST - 1 } else { width };
        // one is kept for the cursor behind the last sign
        usize::from(right).saturating_sub(3).max(2)
    }
}

/// Columns inside a dialog.
pub fn dialog_columns(width: u16) -> usize {
    usize::from(width.saturating_sub(6).min(96))
}

/// What is being written, as rows: nothing is left out of them, so that the cursor finds its place.
pub fn fold(text: &str, columns: usize) -> Vec<String> {
    let mut rows = Vec::new();
    for line in text.split('\n') {
        let (mut row, mut used) = (String::new(), 0);
        for grapheme in line.graphemes(true) {
            let wide = grapheme.width();
            if used + wide > columns {
                rows.push(std::mem::take(&mut row));
                used = 0;
            }
            row.push_str(grapheme);
            used += wide;
        }
        rows.push(row);
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_fill_the_screen_and_no_more() {
        for width in 0..200 {
            for height in 0..60 {
                for focus in [Focus::Composer, Focus::Chats] {
                    for rows in [0, 1, 3, 100] {
                        for about in [true, false] {
                            let l = Layout::of((width, height), focus, rows, about);
                            for a in [l.top, l.chats, l.header, l.messages, l.about, l.lock, l.composer, l.bottom] {
                                assert!(a.x + a.width <= width && a.y + a.height <= height, "{width}x{height} {l:?}");
                            }
                            if (width, height) >= (80, 24) && height >= 24 {
                                assert!(l.messages.height > 8 && l.composer.height >= 1 && l.composer.y + l.composer.height == l.bottom.y);
                            }
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn folded_text_is_all_there() {
        let text = "one  two 日本語\n\n x ";
        for columns in 2..12 {
            let rows = fold(text, columns);
            assert_eq!(rows.concat(), text.replace('\n', ""));
            assert!(rows.iter().all(|row| row.width() <= columns));
        }
    }
}
