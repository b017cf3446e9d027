//! The open chat: its head, its messages, what is being written.
use super::chats::lock;
use super::put;
use crate::rpc::types::Lock;
use crate::tui::model::{About, Area, Focus, Ink, Layout, Look, Page, Screen, chat_name, fold, people, person, rows, sentence};
use crate::tui::text;
use crate::tui::view::Theme;
use ratatui::Frame;
use ratatui::buffer::Buffer;

pub fn draw(frame: &mut Frame, layout: &Layout, screen: &Screen, theme: Theme) {
    let (Some(account), Some(page), Some(look)) = (screen.account(), screen.page(), screen.look()) else {
        let what = if screen.accounts.is_empty() { "" } else { "↑ ↓ and Enter open a chat; n writes to somebody" };
        return put(frame.buffer_mut(), layout.messages, 1, vec![(Ink::Dim, format!(" {what}"))], theme, false);
    };
    let buffer = frame.buffer_mut();
    let chat = account.open();
    let mut head = vec![(Ink::You, chat.map_or_else(|| text::line(&page.chat), |chat| chat_name(chat, &account.jid)))];
    if chat.is_some_and(|chat| chat.room) {
        head.push((Ink::Dim, format!("  room {}", text::line(&page.chat))));
    } else if head.iter().any(|(_, name)| *name != page.chat) {
        head.push((Ink::Dim, format!("  {}", text::line(&page.chat))));
    }
    if !page.at_end() {
        head.push((Ink::Bad, "  ↓ more below".into()));
    }
    put(buffer, layout.header, 0, head, theme, false);
    messages(buffer, layout.messages, page, &look, theme, screen.focus == Focus::Messages);
    if let Some(about) = &page.draft.about {
        let what = match about {
            About::Reply { from, text: words, .. } => format!("answers {}: {words}", person(from, &account.jid)),
            About::Edit { .. } => "corrects your message (Esc: leave it as it is)".into(),
        };
        put(buffer, layout.about, 0, vec![(Ink::Good, text::cut(&format!("↪ {what}"), usize::from(layout.about.width)))], theme, false);
    }
    lock_line(buffer, layout.lock, screen, page, theme);
    composer(frame, layout.composer, screen, page, theme);
}

fn messages(buffer: &mut Buffer, area: Area, page: &Page, look: &Look, theme: Theme, marks: bool) {
    let height = usize::from(area.height);
    if page.entries.is_empty() {
        let what = if page.loading.is_some() { "loading …" } else { "nothing was said here yet" };
        return put(buffer, area, 0, vec![(Ink::Dim, what.into())], theme, false);
    }
    // from below
    let mut y = height;
    for (at, below) in page.visible(height, look) {
        let Some(entry) = page.entries.get(at) else { continue };
        let mut all = rows(entry, at.checked_sub(1).and_then(|n| page.entries.get(n)), look);
        all.truncate(all.len().saturating_sub(below));
        let chosen = marks && page.selected == Some(entry.place);
        for row in all.into_iter().rev() {
            let Some(up) = y.checked_sub(1) else { return };
            y = up;
            let lined = matches!(row.first(), Some((Ink::Line, _)));
            put(buffer, area, u16::try_from(y).unwrap_or(u16::MAX), row, theme, chosen && !lined);
        }
    }
}

/// How what is written will leave, and who writes there.
fn lock_line(buffer: &mut Buffer, area: Area, screen: &Screen, page: &Page, theme: Theme) {
    let width = usize::from(area.width);
    let Some(account) = screen.account() else { return };
    let (ink, sign, words) = match account.open() {
        None => (Ink::Dim, " ", String::new()),
        Some(chat) => {
            let why = chat.why.as_deref().map_or(String::new(), |why| format!(": {}", sentence(why)));
            let words = match chat.lock {
                Lock::Omemo => format!("encrypted{why}"),
                Lock::Clear => format!("NOT encrypted{why}"),
                Lock::Impossible => format!("can't be encrypted{why}"),
            };
            let (ink, sign) = lock(chat);
            (ink, sign, words)
        }
    };
    let typing = match page.typing.as_slice() {
        [] => String::new(),
        [one] => format!(" {} is writing", person(one, &account.jid)),
        more => format!(" {} are writing", people(more, &account.jid)),
    };
    let words = text::cut(&format!("{sign} {words}"), width.saturating_sub(4));
    let typing = text::cut(&typing, width.saturating_sub(text::width(&words) + 5));
    let rest = width.saturating_sub(text::width(&words) + text::width(&typing) + 4);
    let line = if screen.focus == Focus::Composer { Ink::Text } else { Ink::Line };
    let parts = vec![(line, "─ ".into()), (ink, words), (Ink::Dim, typing), (line, format!(" {}", "─".repeat(rest + 1)))];
    put(buffer, area, 0, parts, theme, false);
}

fn composer(frame: &mut Frame, area: Area, screen: &Screen, page: &Page, theme: Theme) {
    let columns = Layout::composer_columns(screen.size.0, screen.focus);
    let editor = &page.draft.editor;
    let (all, before) = (fold(editor.text(), columns), fold(editor.before(), columns));
    let (mut row, mut column) = (before.len().saturating_sub(1), before.last().map_or(0, |last| text::width(last)));
    // behind the last sign of a full row the cursor is on the next one
    if column >= columns && row + 1 < all.len() && !editor.behind().starts_with('\n') {
        (row, column) = (row + 1, 0);
    }
    let height = usize::from(area.height).max(1);
    let first = (row + 1).saturating_sub(height).min(all.len().saturating_sub(height));
    for (n, line) in all.iter().enumerate().skip(first).take(height) {
        let sign = if n == 0 { "> " } else { "  " };
        let y = u16::try_from(n - first).unwrap_or(u16::MAX);
        put(frame.buffer_mut(), area, y, vec![(Ink::Good, sign.into()), (Ink::Text, line.clone())], theme, false);
    }
    if screen.focus == Focus::Composer && screen.dialogs.is_empty() {
        let x = area.x + u16::try_from(column + 2).unwrap_or(0).min(area.width.saturating_sub(1));
        frame.set_cursor_position((x, area.y + u16::try_from(row - first).unwrap_or(0)));
    }
}
