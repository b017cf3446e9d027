//! What lies over the main screen: a frame, its heading, its rows, its keys.
use super::{lists, put};
use crate::tui::model::{Area, Dialog, Ink, Prompt, Row, Screen, dialog_columns};
use crate::tui::text;
use crate::tui::view::Theme;
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::widgets::{Block, Clear, Widget};

/// What a dialog shows: rows, which of them has to be on the screen, which is marked.
pub struct Sheet {
    pub title: String,
    pub rows: Vec<(Row, bool)>,
    /// The first row that has to be seen, and the last one.
    pub must: (usize, usize),
    /// Its keys, at the bottom.
    pub keys: &'static str,
    /// A line above the rows that does not move, and where the cursor is in it.
    pub input: Option<(Row, usize)>,
    /// As large as the screen, whatever is in it.
    pub large: bool,
}
impl Sheet {
    pub fn new(title: impl Into<String>, keys: &'static str) -> Self {
        Sheet { title: title.into(), rows: Vec::new(), must: (0, 0), keys, input: None, large: false }
    }
    pub fn row(&mut self, row: Row) {
        self.rows.push((row, false));
    }
    pub fn words(&mut self, ink: Ink, words: &str, columns: usize) {
        self.rows.extend(text::wrap(words, columns, 0).into_iter().map(|row| (vec![(ink, row)], false)));
    }
}

pub fn draw(frame: &mut Frame, dialog: &Dialog, screen: &Screen, theme: Theme) {
    let area = frame.area();
    let columns = dialog_columns(area.width);
    let sheet = match dialog {
        Dialog::Text { what, rows, top } => {
            let mut sheet = Sheet::new(what.clone(), "↑ ↓ PgUp PgDn  Esc close");
            rows.iter().for_each(|row| sheet.words(if row.starts_with(' ') { Ink::Text } else { Ink::You }, row, columns));
            sheet.must = (*top, *top + usize::from(area.height.saturating_sub(2)).max(1) - 1);
            sheet
        }
        Dialog::Code { rows, link } => {
            let mut sheet = Sheet::new("This device", "Esc close");
            // the link stands beside the code where there is room: on 24 rows there is none below
            let wide = rows.first().map_or(0, |row| text::width(row)) + 2;
            let beside = columns.saturating_sub(wide);
            let mut words = if beside >= 16 { text::wrap(link, beside, 0) } else { Vec::new() }.into_iter();
            for (n, row) in rows.iter().enumerate() {
                // below the quiet zone
                let word = if n < 2 { None } else { words.next() };
                sheet.row(vec![(Ink::Text, format!("{row}  ")), (Ink::Text, word.unwrap_or_default())]);
            }
            if beside < 16 {
                sheet.words(Ink::Text, link, columns);
            }
            sheet.large = true;
            sheet
        }
        Dialog::Prompt(prompt) => asked(prompt, columns),
        Dialog::Question { text: words, .. } => {
            let mut sheet = Sheet::new("", "y yes   n no");
            text::wrap(words, columns, 0).iter().for_each(|words| sheet.row(lists::key_row("", words)));
            sheet
        }
        Dialog::Trust(trusting) => lists::trust(trusting, screen, columns),
        Dialog::Members(members) => lists::members(members, screen, columns),
        Dialog::Search(searching) => lists::search(searching, screen, columns),
        Dialog::Notices { at } => lists::notices(*at, screen, columns),
        Dialog::Accounts { at } => lists::accounts(*at, screen),
    };
    paint(frame, sheet, columns, theme);
}

fn paint(frame: &mut Frame, sheet: Sheet, columns: usize, theme: Theme) {
    let area = frame.area();
    let inputs = usize::from(sheet.input.is_some()) * 2;
    let wanted = if sheet.large { usize::from(area.height) } else { sheet.rows.len() + inputs + 2 };
    let height = u16::try_from(wanted).unwrap_or(u16::MAX).clamp(3, area.height);
    let width = u16::try_from(columns).unwrap_or(u16::MAX).saturating_add(4).min(area.width);
    let rect = Rect::new((area.width - width) / 2, (area.height - height) / 2, width, height);
    Clear.render(rect, frame.buffer_mut());
    let keys = if sheet.keys.is_empty() { String::new() } else { format!(" {} ", text::cut(sheet.keys, columns.saturating_sub(2))) };
    let title = if sheet.title.is_empty() { String::new() } else { format!(" {} ", text::cut(&sheet.title, columns.saturating_sub(2))) };
    let block = Block::bordered().title(title).title_bottom(keys).border_style(theme.border(true)).style(Style::new());
    let inner = block.inner(rect);
    block.render(rect, frame.buffer_mut());
    let inside = Area { x: inner.x + 1, y: inner.y, width: inner.width.saturating_sub(2), height: inner.height };
    let mut first_row = 0;
    if let Some((row, cursor)) = sheet.input {
        put(frame.buffer_mut(), inside, 0, row, theme, false);
        let x = inside.x + u16::try_from(cursor).unwrap_or(0).min(inside.width.saturating_sub(1));
        frame.set_cursor_position((x, inside.y));
        first_row = 2;
    }
    let fit = usize::from(inside.height.saturating_sub(first_row)).max(1);
    let (from, to) = sheet.must;
    // what has to be seen is seen, its beginning before all
    let top = (to + 1).saturating_sub(fit).min(from).min(sheet.rows.len().saturating_sub(fit));
    for (n, (row, chosen)) in sheet.rows.into_iter().skip(top).take(fit).enumerate() {
        put(frame.buffer_mut(), inside, first_row + u16::try_from(n).unwrap_or(u16::MAX), row, theme, chosen);
    }
}

fn asked(prompt: &Prompt, columns: usize) -> Sheet {
    let mut sheet = Sheet::new(prompt.title(), "Enter done  Esc close");
    let (before, behind) = match prompt.hides() {
        true => ("•".repeat(prompt.editor.before().chars().count()), "•".repeat(prompt.editor.behind().chars().count())),
        false => (prompt.editor.before().to_owned(), prompt.editor.behind().to_owned()),
    };
    sheet.input = Some(line(&before, &behind, columns));
    sheet
}
/// One line that is edited; its end before the cursor where it is too long.
pub fn line(before: &str, behind: &str, columns: usize) -> (Row, usize) {
    let rows = crate::tui::model::fold(before, columns.saturating_sub(4));
    let shown = rows.last().cloned().unwrap_or_default();
    let more = if rows.len() > 1 { "…" } else { "" };
    let cursor = 2 + text::width(more) + text::width(&shown);
    (vec![(Ink::Good, "> ".into()), (Ink::Dim, more.into()), (Ink::Text, format!("{shown}{behind}"))], cursor)
}
