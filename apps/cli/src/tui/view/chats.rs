//! The list of chats: two rows each, only those that are on the screen.
use super::put;
use crate::rpc::types::{Chat, Lock};
use crate::tui::model::{Area, Focus, Ink, Screen, chat_name, person};
use crate::tui::text;
use crate::tui::view::Theme;
use ratatui::buffer::Buffer;

/// `▪` encrypted, `o` in clear, `✗` impossible.
pub fn lock(chat: &Chat) -> (Ink, &'static str) {
    match chat.lock {
        Lock::Omemo => (Ink::Good, "▪"),
        Lock::Clear => (Ink::Bad, "o"),
        Lock::Impossible => (Ink::Bad, "✗"),
    }
}

pub fn draw(buffer: &mut Buffer, area: Area, screen: &Screen, theme: Theme) {
    let Some(account) = screen.account() else { return };
    if account.chats.is_empty() {
        put(buffer, area, 0, vec![(Ink::Dim, "no chats yet".into())], theme, false);
        put(buffer, area, 1, vec![(Ink::Dim, "n writes to somebody".into())], theme, false);
        return;
    }
    let open = account.page.as_ref().map(|page| page.chat.as_str());
    // the cursor is the list's own while it has the keys; else it is the open chat
    let listed = screen.focus == Focus::Chats;
    let at = match open {
        Some(open) if !listed => account.chats.iter().position(|chat| chat.chat == open).unwrap_or(0),
        _ => account.cursor(),
    };
    let fit = usize::from(area.height / 2).max(1);
    let first = at.saturating_sub(fit.saturating_sub(1)).min(account.chats.len().saturating_sub(fit));
    let width = usize::from(area.width);
    for (n, chat) in account.chats.iter().enumerate().skip(first).take(fit) {
        let row = u16::try_from((n - first) * 2).unwrap_or(u16::MAX);
        let chosen = n == at && (listed || open.is_some());
        let (ink, sign) = lock(chat);
        let unread = if chat.unread > 0 { format!(" {}", chat.unread) } else { String::new() };
        let room = if chat.room { "#" } else { "" };
        let name = text::cut(&format!("{room}{}", chat_name(chat, &account.jid)), width.saturating_sub(3 + unread.len()));
        let gap = width.saturating_sub(3 + text::width(&name) + unread.len());
        let here = if Some(chat.chat.as_str()) == open { "›" } else { " " };
        let parts = vec![
            (Ink::Text, here.into()),
            (ink, sign.into()),
            (if chat.unread > 0 { Ink::You } else { Ink::Text }, format!("{name}{}", " ".repeat(gap))),
            (Ink::Bad, format!("{unread} ")),
        ];
        put(buffer, area, row, parts, theme, chosen);
        put(
            buffer,
            area,
            row + 1,
            vec![(Ink::Dim, format!("  {}", text::cut(&preview(chat, &account.jid), width.saturating_sub(3))))],
            theme,
            chosen,
        );
    }
}

/// The last thing that was said, on one line.
fn preview(chat: &Chat, account: &str) -> String {
    let Some(last) = &chat.last else {
        return match (chat.lock, &chat.why) {
            (Lock::Impossible, _) => "can't be encrypted".into(),
            _ => String::new(),
        };
    };
    let words = match (&last.retracted, &last.undecryptable, &last.text) {
        (Some(_), ..) => "(taken back)".to_owned(),
        (_, Some(_), _) => "(can't be read)".to_owned(),
        // of a long message only its beginning is looked at
        (.., Some(words)) => text::line(&words.chars().take(80).collect::<String>()),
        _ => String::new(),
    };
    match (last.outgoing, chat.room) {
        (true, _) => format!("you: {words}"),
        (false, true) => format!("{}: {words}", person(&last.from, account)),
        (false, false) => words,
    }
}
