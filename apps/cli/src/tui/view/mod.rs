//! The screen, painted from the state; decides nothing. Texts of others come from the model, which has made them harmless, or go
//! through [`text`](super::text) here.
mod chats;
mod dialogs;
mod lists;
mod messages;
mod theme;

pub use theme::Theme;

use super::model::{Area, Focus, Ink, Row, SMALLEST, Screen};
use super::text;
use crate::rpc::types::State;
use ratatui::Frame;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};

/// Paints all of it.
pub fn draw(frame: &mut Frame, screen: &Screen, theme: Theme) {
    let area = frame.area();
    if (area.width, area.height) != screen.size {
        return; // it was resized since; the model hears of it next
    }
    if area.width < SMALLEST.0 || area.height < SMALLEST.1 {
        if !area.is_empty() {
            frame.buffer_mut().set_stringn(0, 0, "too small", usize::from(area.width), Style::new());
        }
        return;
    }
    let layout = screen.layout();
    top(frame.buffer_mut(), layout.top, screen, theme);
    if layout.chats.width > 0 {
        chats::draw(frame.buffer_mut(), layout.chats, screen, theme);
        if layout.chats.width < area.width {
            let style = theme.border(screen.focus != Focus::Composer && screen.dialogs.is_empty());
            for y in layout.chats.y..layout.chats.y + layout.chats.height {
                frame.buffer_mut().set_stringn(layout.chats.width, y, "│", 1, style);
            }
        }
    }
    if layout.header.width > 0 {
        messages::draw(frame, &layout, screen, theme);
    }
    bottom(frame.buffer_mut(), layout.bottom, screen, theme);
    if let Some(dialog) = screen.dialogs.last() {
        dialogs::draw(frame, dialog, screen, theme);
    }
}

/// How an account is connected, as a word.
fn link(state: State) -> &'static str {
    match state {
        State::Offline => "offline",
        State::Connecting => "connecting",
        State::Online => "online",
        State::Refused => "refused by the server",
    }
}

fn top(buffer: &mut Buffer, area: Area, screen: &Screen, theme: Theme) {
    let Some(account) = screen.account() else {
        return put(buffer, area, 0, vec![(Ink::Dim, "opening …".into())], theme, false);
    };
    let mut row: Row = vec![(Ink::You, account.jid.clone()), (Ink::Text, "  ".into())];
    let ink = if account.link == State::Online { Ink::Good } else { Ink::Bad };
    let why = account.link_reason.as_deref().filter(|_| account.link != State::Online).map_or(String::new(), |why| format!(": {why}"));
    row.push((ink, text::cut(&format!("{}{why}", link(account.link)), 60)));
    if let Some(catch_up) = &account.catch_up {
        row.push((Ink::Dim, format!("  catching up: {}", catch_up.done)));
    }
    if let Some(now) = &account.transfer {
        let of = now.of.map_or(String::new(), |of| format!(" of {of}"));
        let with = now.device.as_ref().map_or("a file".into(), |device| format!("device {device}"));
        row.push((Ink::Dim, format!("  history {} {with}: {}{of}", if now.outgoing { "to" } else { "from" }, now.done)));
    }
    let others: u64 = screen.accounts.iter().filter(|other| other.jid != account.jid).map(|other| other.unread()).sum();
    if others > 0 {
        row.push((Ink::Text, format!("  {others} unread elsewhere (Alt-S)")));
    }
    let notices: usize = screen.accounts.iter().map(|account| account.notices.len() + account.invitations.len()).sum();
    if notices > 0 {
        let many = if notices == 1 { "1 notice".into() } else { format!("{notices} notices") };
        let note = format!("{many}: Alt-N ");
        let used: usize = row.iter().map(|(_, part)| text::width(part)).sum();
        let gap = usize::from(area.width).saturating_sub(used + text::width(&note));
        row.push((Ink::Text, " ".repeat(gap.max(2))));
        row.push((Ink::Bad, note));
    }
    put(buffer, area, 0, row, theme, false);
}

fn bottom(buffer: &mut Buffer, area: Area, screen: &Screen, theme: Theme) {
    let row = match &screen.flash {
        Some(flash) => vec![(if flash.bad { Ink::Bad } else { Ink::Good }, text::cut(&flash.text, usize::from(area.width)))],
        None => {
            let hints = match (screen.dialogs.is_empty(), screen.focus) {
                (false, _) => "",
                (_, Focus::Composer) => "Enter send  Tab messages  Alt-↑↓ chats  Ctrl-F search  Ctrl-T keys  F1 help",
                (_, Focus::Messages) => "r answer  + react  e correct  d take back  Enter details  / search  Esc write",
                (_, Focus::Chats) => "Enter open  n new chat  N new room  J join  / search  ? help  Ctrl-Q end",
            };
            vec![(Ink::Dim, text::cut(hints, usize::from(area.width)))]
        }
    };
    put(buffer, area, 0, row, theme, false);
}

/// One row of an area; what is beyond its edge is not shown.
fn put(buffer: &mut Buffer, area: Area, row: u16, parts: Row, theme: Theme, chosen: bool) {
    if row >= area.height {
        return;
    }
    let y = area.y.saturating_add(row);
    let spans: Vec<_> = parts.into_iter().map(|(ink, part)| Span::styled(part, theme.ink(ink))).collect();
    buffer.set_line(area.x, y, &Line::from(spans), area.width);
    if chosen {
        buffer.set_style(Rect::new(area.x, y, area.width, 1), theme.chosen());
    }
}
