//! Dialogs that are lists: devices, members, finds, notices, accounts.
use super::dialogs::{Sheet, line};
use super::link;
use crate::args::Level;
use crate::colour;
use crate::rpc::types::DeviceInfo;
use crate::show;
use crate::tui::model::{Ink, MembersOf, NoticeKind, Row, Screen, Searching, Trusting, date, person};
use crate::tui::text;

/// Adds rows as one thing that can be chosen.
fn item(sheet: &mut Sheet, rows: Vec<Row>, chosen: bool) {
    if chosen {
        sheet.must = (sheet.rows.len(), sheet.rows.len() + rows.len().saturating_sub(1));
    }
    sheet.rows.extend(rows.into_iter().map(|row| (row, chosen)));
}

pub fn trust(now: &Trusting, screen: &Screen, columns: usize) -> Sheet {
    let account = screen.account().map(|account| account.jid.as_str()).unwrap_or_default();
    let own = now.jid == account;
    let (title, keys) = match own {
        true => ("Your own devices".to_owned(), "v verify  a approve  A with history  u reject  D remove  c code  o back"),
        false => (format!("Devices of {}", text::line(&now.jid)), "v verify  l link  t trust  u reject  s session  c code  o own  b block"),
    };
    let mut sheet = Sheet::new(title, keys);
    if now.blocked {
        sheet.row(vec![(Ink::Bad, "blocked: nothing comes from them".into())]);
    }
    match &now.devices {
        None => sheet.row(vec![(Ink::Dim, "asking …".into())]),
        Some(all) if all.is_empty() => sheet.words(Ink::Dim, "There are no devices that can be written to.", columns),
        Some(all) => {
            for (n, device) in all.iter().enumerate() {
                let mut rows = vec![device_row(device, own)];
                let key = device.fingerprint.as_deref().map_or("no key seen yet".to_owned(), |key| show::groups(&text::line(key)));
                rows.extend(text::wrap(&key, columns.saturating_sub(2), 0).into_iter().map(|key| key_row("  ", &key)));
                if let Some(stale) = now.stale.iter().find(|stale| device.device.to_string() == stale.device.to_string()) {
                    let heard = stale.heard.map_or("never, from here".into(), |ms| date(ms, &screen.zone));
                    rows.push(vec![(Ink::Bad, format!("  last heard of: {heard}. Remove it (D) if it is not used any more"))]);
                }
                item(&mut sheet, rows, n == now.at);
            }
        }
    }
    sheet
}
/// The groups of a fingerprint each in its own colour (XEP-0384 §8); of what is none, as it is.
pub fn key_row(indent: &str, words: &str) -> Row {
    let mut row = vec![(Ink::Text, indent.to_owned())];
    for word in words.split_inclusive(' ') {
        let ink = if colour::is_group(word.trim_end()) { Ink::Own(colour::of(word.trim_end())) } else { Ink::Text };
        row.push((ink, word.to_owned()));
    }
    row
}
fn device_row(device: &DeviceInfo, own: bool) -> Row {
    let word = match (device.own, device.trust) {
        (true, _) => (Ink::Good, "this device"),
        (false, Level::Undecided) if own => (Ink::Bad, "new: awaits approval"),
        (false, Level::Undecided) => (Ink::Bad, "undecided"),
        (false, Level::Untrusted) => (Ink::Bad, "untrusted"),
        (false, level) => (Ink::Good, show::word(level)),
    };
    let listed = if device.active || device.own { "" } else { "  not in use now" };
    let label = device.label.as_deref().map_or(String::new(), |label| format!("  \"{}\"", text::cut(&text::line(label), 24)));
    vec![
        (Ink::You, format!("{}  ", text::line(&device.device.to_string()))),
        (word.0, word.1.to_owned()),
        (Ink::Dim, format!("  {}{label}{listed}", text::line(&device.protocols.join(", ")))),
    ]
}

pub fn members(now: &MembersOf, screen: &Screen, columns: usize) -> Sheet {
    let account = screen.account().map(|account| account.jid.as_str()).unwrap_or_default();
    let title = format!("Members of {}", text::line(&now.room));
    let mut sheet = Sheet::new(title, "Enter devices  I invite  D remove  x leave out  L leave  Esc close");
    if now.leave_out {
        sheet.words(Ink::Bad, "Members without keys are left out: they can't read what is sent.", columns);
    }
    match &now.members {
        None => sheet.row(vec![(Ink::Dim, "asking …".into())]),
        Some(all) => {
            for (n, member) in all.iter().enumerate() {
                let nick = member.nick.as_deref().map_or(String::new(), |nick| format!("  as {}", text::cut(&text::line(nick), 20)));
                let here = if member.here { (Ink::Good, "here") } else { (Ink::Dim, "away") };
                let name = text::cut(&text::line(&member.jid), 40);
                let you = if member.jid == account { " (you)" } else { "" };
                let row = vec![
                    (here.0, format!("{}  ", here.1)),
                    (Ink::Text, format!("{name}{you}  ")),
                    (Ink::Dim, format!("{}{nick}", text::line(&member.affiliation))),
                ];
                item(&mut sheet, vec![row], n == now.at);
            }
        }
    }
    sheet
}

pub fn search(now: &Searching, screen: &Screen, columns: usize) -> Sheet {
    let account = screen.account().map(|account| account.jid.as_str()).unwrap_or_default();
    let title = now.chat.as_deref().map_or("Search everywhere".into(), |chat| format!("Search in {}", text::line(chat)));
    let mut sheet = Sheet::new(title, "Enter go there  ↑ ↓ choose  Esc close");
    sheet.large = true;
    sheet.input = Some(line(now.editor.before(), now.editor.behind(), columns));
    if now.found.is_empty() {
        let what = match (now.waits, now.editor.text().trim().is_empty()) {
            (true, _) => "searching …",
            (_, true) => "words, or their beginnings",
            _ => "nothing found",
        };
        sheet.row(vec![(Ink::Dim, what.into())]);
    }
    // each find has one row: only those near the cursor are laid out
    for (n, entry) in now.found.iter().enumerate() {
        let words: String = entry.text.as_deref().unwrap_or_default().chars().take(400).collect();
        let chat = if now.chat.is_some() || entry.chat == entry.from { String::new() } else { format!(" in {}", person(&entry.chat, account)) };
        let head = format!("{} {}{}: ", date(entry.time, &screen.zone), person(&entry.from, account), chat);
        let words = text::cut(&text::line(&words), columns.saturating_sub(text::width(&head)));
        item(&mut sheet, vec![vec![(Ink::Dim, head), (Ink::Text, words)]], n == now.at);
    }
    if now.more {
        sheet.row(vec![(Ink::Dim, "there are more: add words".into())]);
    }
    sheet
}

pub fn notices(at: usize, screen: &Screen, columns: usize) -> Sheet {
    let Some(account) = screen.account() else { return Sheet::new("Notices", "Esc close") };
    let mut sheet = Sheet::new("Notices", "a seen  A all  Enter look  y accept  n decline  e encrypt on  c in clear  Esc close");
    let wrapped = |ink: Ink, words: &str| -> Vec<Row> {
        let pieces = text::wrap(words, columns.saturating_sub(2), 0).into_iter().enumerate();
        pieces.map(|(n, piece)| vec![(Ink::Bad, if n == 0 { "• " } else { "  " }.to_owned()), (ink, piece)]).collect()
    };
    for (n, invitation) in account.invitations.iter().enumerate() {
        let why = invitation.reason.as_deref().map_or(String::new(), |why| format!(": {}", text::line(why)));
        let words = format!(
            "{} invites you to the room {}{why}. Accept (y) or decline (n)?",
            show::inviter(person(&invitation.from, &account.jid), &text::line(&invitation.room), invitation.by_room),
            text::line(&invitation.room)
        );
        item(&mut sheet, wrapped(Ink::Text, &words), n == at);
    }
    for (n, notice) in account.notices.iter().enumerate() {
        let more = match &notice.kind {
            NoticeKind::OptOut(_) => " (e: go on encrypted)",
            NoticeKind::Devices(_) => " (Enter: devices)",
            _ => "",
        };
        item(&mut sheet, wrapped(Ink::Text, &format!("{}{more}", notice.text)), account.invitations.len() + n == at);
    }
    if sheet.rows.is_empty() {
        sheet.row(vec![(Ink::Dim, "nothing".into())]);
    }
    let others: usize =
        screen.accounts.iter().filter(|other| other.jid != account.jid).map(|other| other.notices.len() + other.invitations.len()).sum();
    if others > 0 {
        sheet.row(vec![(Ink::Dim, format!("{others} more in other accounts: Alt-S"))]);
    }
    sheet
}

pub fn accounts(at: usize, screen: &Screen) -> Sheet {
    let mut sheet = Sheet::new("Accounts", "Enter choose  Esc close");
    for (n, account) in screen.accounts.iter().enumerate() {
        let here = if n == screen.at { "› " } else { "  " };
        let unread = if account.unread() > 0 { format!("  {} unread", account.unread()) } else { String::new() };
        let row = vec![(Ink::Text, format!("{here}{}  ", account.jid)), (Ink::Dim, format!("{}{unread}", link(account.link)))];
        item(&mut sheet, vec![row], n == at);
    }
    sheet
}
