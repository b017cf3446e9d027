//! What is printed for people. Everything that somebody else wrote goes through [`clean`]: a message must not move the
//! cursor, change a title or hide what stands before it.
use crate::args::Level;
use crate::colour::{self, Depth};
use crate::rpc::types::{DeviceInfo, DeviceResult, Fate, HowFar, Message, Notification, RoomEvent, SendOutcome, State, Status, Warned};
use crate::tui::text::lines;
use qrcode::render::unicode::Dense1x2;
use std::fmt::Write;
use std::io::IsTerminal;

/// As [`lines`] has it; line breaks stay, indented.
pub fn clean(text: &str) -> String {
    lines(text).replace('\n', "\n    ")
}

/// `8bd1c1f0 a3e59788 …`: eight groups of eight, as other clients show them.
pub fn groups(fingerprint: &str) -> String {
    let mut out = String::with_capacity(72);
    for (i, c) in fingerprint.chars().enumerate() {
        if i > 0 && i % 8 == 0 {
            out.push(' ');
        }
        out.push(c);
    }
    out
}

/// The same on standard output: each group in its own colour (XEP-0384 §8), where that is a terminal that has them.
fn coloured_groups(fingerprint: &str) -> String {
    let depth = if std::io::stdout().is_terminal() { Depth::here() } else { Depth::None };
    let paint = |group: &str| if colour::is_group(group) { colour::painted(group, depth) } else { group.to_owned() };
    groups(fingerprint).split(' ').map(paint).collect::<Vec<_>>().join(" ")
}
/// This device's key, with a code and a link to scan.
pub fn own_key(jid: &str, device: u32, fingerprint: &str) -> String {
    let uri = uri(jid, device, fingerprint);
    let qr = qr(&uri).unwrap_or_default();
    format!("{jid}, device {device}\n  {}\n\n{qr}\n\n{uri}\n", coloured_groups(fingerprint))
}

/// What a scanner reads: `xmpp:alice@example.org?omemo-sid-42=8bd1…`.
pub fn uri(jid: &str, device: u32, fingerprint: &str) -> String {
    format!("xmpp:{jid}?omemo-sid-{device}={fingerprint}")
}

/// A QR code for a dark or a light terminal, with its quiet zone; `None`: too long for one.
pub fn qr(text: &str) -> Option<String> {
    let code = qrcode::QrCode::with_error_correction_level(text, qrcode::EcLevel::L).ok()?;
    // light modules are drawn, dark ones left out: readable on a dark terminal, and scanners take the inverse too
    let mut image = code.render::<Dense1x2>();
    Some(image.dark_color(Dense1x2::Light).light_color(Dense1x2::Dark).build())
}

/// Milliseconds since 1970 as `2026-11-21 13:05:00` (UTC).
pub fn time(ms: u64) -> String {
    let seconds = ms / 1000;
    let (days, rest) = (seconds / 86_400, seconds % 86_400);
    // civil from days, by eras of 400 years that begin in March
    let z = days + 719_468;
    let (era, doe) = (z / 146_097, z % 146_097);
    let yoe = (doe - doe / 1460 + doe / 36_524 - doe / 146_096) / 365;
    let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    let mp = (5 * doy + 2) / 153;
    let day = doy - (153 * mp + 2) / 5 + 1;
    let month = if mp < 10 { mp + 3 } else { mp - 9 };
    let year = yoe + era * 400 + u64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02} {:02}:{:02}:{:02}", rest / 3600, rest / 60 % 60, rest % 60)
}

/// One device of the report on a message.
pub fn result(device: &DeviceResult) -> String {
    let (jid, number) = (clean(&device.jid), clean(&device.device.to_string()));
    match device.result {
        SendOutcome::Sent => format!("  {jid} device {number}: sent ({})", device.protocol.as_deref().unwrap_or("?")),
        SendOutcome::LeftOut => {
            let code = device.reason.as_deref().unwrap_or("unknown");
            let why = subrosa_engine::Exclusion::from_code(code).map_or("", |e| e.sentence());
            format!("  {jid} device {number}: left out, {code}. {why}")
        }
    }
}

/// Of a message that left in clear.
pub const IN_CLEAR: &str = "sent UNENCRYPTED, as was allowed: servers on the way can read it";
/// What messages go through, where it is not OMEMO: `xor: no protection`.
pub fn engine(engine: &str) -> String {
    format!("{}: {}", clean(engine), crate::engine::protection(engine))
}

/// One device of a list.
pub fn device(info: &DeviceInfo) -> String {
    let key = info.fingerprint.as_deref().map_or_else(|| "no key seen yet".into(), coloured_groups);
    let what = match (info.own, info.active) {
        (true, _) => "this device",
        (false, true) => word(info.trust),
        (false, false) if info.protocols.is_empty() => "not in use now",
        (false, false) => "not listed",
    };
    let label = info.label.as_deref().map_or(String::new(), |label| format!("  ({})", clean(label)));
    format!("{:>10}  {key}  {what}{label}", clean(&info.device.to_string()))
}

/// A level as a word.
pub fn word(level: Level) -> &'static str {
    match level {
        Level::Verified => "verified",
        Level::Trusted => "trusted",
        Level::Untrusted => "untrusted",
        Level::Undecided => "undecided",
    }
}

/// The answer to `status`.
pub fn status(status: &Status) -> String {
    let mut out = String::new();
    for account in &status.accounts {
        let connection = match account.connection {
            State::Offline => "not connected",
            State::Connecting => "connecting",
            State::Online => "online",
            State::Refused => "refused by the server",
        };
        let _ = writeln!(out, "{}: {connection}", account.account);
        if let Some(used) = &account.engine {
            let _ = writeln!(out, "  messages go through {}", engine(used));
        }
        if let (Some(device), Some(fingerprint)) = (account.device, &account.fingerprint) {
            let _ = writeln!(out, "  device {device}, {}", groups(fingerprint));
        }
        let policy = match account.policy {
            crate::config::TrustPolicy::Btbv => "trusted until one is verified (btbv)",
            crate::config::TrustPolicy::Manual => "decided by hand (manual)",
        };
        let _ = writeln!(out, "  new keys of contacts are {policy}");
        let _ = writeln!(out, "  {} waiting to be sent, {} not read", account.queued, account.unread);
    }
    out
}
/// How many.
pub fn messages(count: u64) -> String {
    format!("{count} message{}", if count == 1 { "" } else { "s" })
}
/// Who invites; `by_room`: only the room says so, which may be anybody's. All for showing.
pub fn inviter(from: String, room: &str, by_room: bool) -> String {
    if by_room { format!("{room} says that {from}") } else { from }
}

/// What `listen` prints of a notification; `accounts`: several are shown, so each line says which.
pub fn note(note: &Notification, accounts: bool) -> String {
    let account = if accounts { format!("[{}] ", note.account()) } else { String::new() };
    let mark = |again: bool| if again { "(again) " } else { "" };
    match note {
        Notification::Message(m) => format!("{account}{}{}", mark(m.again), message(m)),
        Notification::Undecryptable(u) => {
            let own = u.from == u.account && u.reason == subrosa_engine::Reason::NotForThisDevice.code();
            let why = match subrosa_engine::Reason::from_code(&u.reason) {
                _ if own => "That device of yours does not write to this one: approve it there (`subrosa approve`)",
                reason => reason.map_or("", |r| r.sentence()),
            };
            let device = u.device.as_ref().map_or(String::new(), |d| format!(" (device {})", clean(&d.to_string())));
            format!("{account}{}! {}{device} wrote something that can't be read: {}. {why}", mark(u.again), clean(&u.from), u.reason)
        }
        Notification::DeviceNew(d) => format!(
            "{account}{}* {} has a new device {}, {}: {}",
            mark(d.again),
            clean(&d.jid),
            clean(&d.device.to_string()),
            word(d.trust),
            groups(&d.fingerprint)
        ),
        Notification::KeyChanged(k) => {
            let (jid, device, again, key) = (clean(&k.jid), clean(&k.device.to_string()), mark(k.again), &k.fingerprint);
            let todo = format!("It gets nothing until you run `subrosa trust {jid} {device} trusted --fingerprint {key}`");
            format!("{account}{again}! device {device} of {jid} shows another key: {}. {todo}", groups(key))
        }
        Notification::NotSent(n) => {
            let why = subrosa_engine::Reason::from_code(&n.reason).map_or("", |r| r.sentence());
            format!("{account}{}! message {} was not sent: {}. {why}", mark(n.again), clean(&n.id), n.reason)
        }
        Notification::Bounced(b) => {
            let (id, from) = (clean(&b.id), clean(&b.from));
            match b.status {
                Some(status) => format!("{account}! message {id} was refused by {from}: {status} {}", clean(b.reason.as_deref().unwrap_or_default())),
                None => format!("{account}! message {id} came back from {from}: {}; they may not have got it", clean(&b.condition)),
            }
        }
        Notification::LeftOut(l) => {
            let from = l.from.as_deref().map_or_else(|| "somebody".into(), clean);
            format!("{account}! {from} sent something that can't be taken: {}", clean(&l.reason))
        }
        Notification::State(s) => {
            let (id, to) = (clean(&s.id), s.to.as_deref().map_or_else(|| "the other side".into(), clean));
            let code = s.status.map_or(String::new(), |status| format!(" ({status})"));
            match s.state {
                HowFar::InProgress => format!("{account}* message {id} is on its way to {to}"),
                HowFar::Delivered => format!("{account}* message {id} was delivered to {to}{code}"),
                HowFar::NotDelivered => {
                    format!(
                        "{account}! message {id} was not delivered to {to}{code}: {}",
                        clean(s.reason.as_deref().unwrap_or("no reason was given"))
                    )
                }
            }
        }
        Notification::Typing(t) => format!("{account}* {} {}", clean(&t.from), if t.composing { "is writing" } else { "has stopped writing" }),
        Notification::Receipt(r) => {
            let what = match r.fate {
                Fate::Delivered => "has",
                Fate::Displayed => "has read",
                Fate::Failed => "can't show",
            };
            let unsure = if r.unsure { " (that was said in clear or by a device that is not trusted: anybody could have)" } else { "" };
            let which = r.words.as_deref().map_or_else(|| format!("message {}", clean(&r.id)), |words| format!("\u{201c}{}\u{201d}", clean(words)));
            format!("{account}* {} {what} {which}{unsure}", clean(&r.from))
        }
        Notification::File(f) => {
            let what = format!("{} ({}, {} bytes)", clean(&f.name), clean(&f.content_type), f.size);
            let through = f.protocol.as_deref().map_or_else(|| "not encrypted".into(), engine);
            let became = match (&f.path, &f.reason) {
                (Some(path), _) => format!("it is in {}", clean(&path.display().to_string())),
                (None, Some(reason)) => format!("it could not be fetched: {}", clean(reason)),
                (None, None) => "it was not fetched; say where to with --download-dir".into(),
            };
            format!("{account}{}{} {} ({through}) sent a file: {what}; {became}", mark(f.again), time(f.time), clean(&f.from))
        }
        Notification::Room(r) => {
            let (room, who) = (clean(&r.room), r.jid.as_deref().map_or_else(|| "somebody".into(), clean));
            let why = r.reason.as_deref().map_or(String::new(), |why| format!(": {}", clean(why)));
            match r.event {
                RoomEvent::Joined => format!("{account}* you are in {room}"),
                RoomEvent::Left => format!("{account}* you left {room}"),
                RoomEvent::Refused => format!("{account}! {room} does not let you in{why}"),
                RoomEvent::Removed => format!("{account}! you are not in {room} any more{why}"),
                RoomEvent::Lost => format!("{account}! {room} is out of reach{why}; it is joined again when it can be"),
                RoomEvent::Came => format!("{account}* {who} is in {room} now"),
                RoomEvent::Went => format!("{account}* {who} is not in {room} now"),
                RoomEvent::MemberAdded => format!("{account}* {who} is a member of {room} now"),
                RoomEvent::MemberRemoved => format!("{account}* {who} is no member of {room} any more"),
                RoomEvent::Changed => format!("{account}* {room} changed{why}"),
            }
        }
        Notification::Invitation(i) => {
            let room = clean(&i.room);
            let from = inviter(clean(&i.from), &room, i.by_room);
            let why = i.reason.as_deref().map_or(String::new(), |why| format!(" (\u{201c}{}\u{201d})", clean(why)));
            format!("{account}* {from} invites you to the room {room}{why}; go in with `subrosa room join {room}`")
        }
        Notification::Warning(w) => format!("{account}{}! {}", mark(w.again), warning(w)),
        Notification::HistoryProgress(p) => {
            let way = if p.outgoing { "to" } else { "from" };
            let with = p.device.as_ref().map_or("a file".into(), |device| format!("device {}", clean(&device.to_string())));
            format!("{account}* history {way} {with}: {}", p.of.map_or_else(|| messages(p.done), |of| format!("{} of {}", p.done, messages(of))))
        }
        Notification::CatchUp(c) if c.running => format!("{account}* reading what was missed: {} so far", messages(c.done)),
        Notification::CatchUp(c) if c.failed.is_empty() => format!("{account}* what was missed is read: {}", messages(c.done)),
        Notification::CatchUp(c) => {
            let failed: Vec<String> = c.failed.iter().map(|f| format!("{} ({})", clean(&f.archive), clean(&f.reason))).collect();
            let read = messages(c.done);
            format!("{account}! what was missed is not all read ({read}), and is tried again with the next connection: {}", failed.join(", "))
        }
        Notification::Entry(e) => format!("{account}* message {} changed", clean(&e.entry.id)),
        Notification::Chat(c) => format!("{account}* {}: {} unread", clean(&c.chat.chat), c.chat.unread),
        Notification::Connection(c) => {
            let state = match c.state {
                State::Offline => "offline",
                State::Connecting => "connecting",
                State::Online => "online",
                State::Refused => "refused",
            };
            let reason = c.reason.as_ref().map_or(String::new(), |r| format!(": {}", clean(r)));
            format!("{account}* {state}{reason}")
        }
    }
}

fn warning(w: &Warned) -> String {
    let about = match (&w.chat, &w.device) {
        (Some(chat), _) => format!("{}: ", clean(chat)),
        (None, Some(device)) => format!("device {}: ", clean(&device.to_string())),
        (None, None) => String::new(),
    };
    let todo = match &w.chat {
        Some(chat) if w.code == subrosa_engine::Warning::OptOut.code() => {
            format!("; `subrosa go-on {0}` goes on encrypted, `subrosa allow-clear {0}` in clear", clean(chat))
        }
        _ => String::new(),
    };
    format!("{about}{} ({}){todo}", clean(&w.sentence), clean(&w.code))
}
fn message(m: &Message) -> String {
    let from = match &m.nick {
        _ if m.from == m.account && m.chat != m.account => format!("you to {}", clean(&m.chat)),
        // all that is known of them
        Some(nick) if m.from == m.chat => clean(&format!("{}/{nick}", m.from)),
        // in a room, which others read too
        _ if m.from != m.chat && m.from != m.account => format!("{} in {}", clean(&m.from), clean(&m.chat)),
        _ => clean(&m.from),
    };
    let who = match (&m.device, m.trust) {
        (Some(device), Some(trust)) => format!("device {}, {}", clean(&device.to_string()), word(trust)),
        _ => m.protocol.as_deref().map_or_else(|| "not encrypted".into(), engine),
    };
    let refers = match (&m.corrects, &m.answers) {
        (Some(_), _) if m.beside => "  [corrects an earlier message, which was said in clear]",
        (_, Some(_)) if m.beside => "  [answers a message, which was said in clear]",
        _ => "",
    };
    format!("{} {from} ({who}): {}{refers}", time(m.time), clean(&m.text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_cannot_drive_the_terminal() {
        let bad = clean("\x1b]0;title\x07\x1b[2J\r\u{9b}31m\u{202e}ok\nnext\u{7f}");
        assert!(bad.chars().all(|c| !c.is_control() || c == '\n'));
        assert!(bad.contains("ok\n    next"));
        assert!(!bad.contains('\u{202e}'));
        assert_eq!(clean("a\u{61c}b\u{200b}c\u{2060}d\u{feff}e"), "a\u{fffd}b\u{fffd}c\u{fffd}d\u{fffd}e");
        assert_eq!(clean("a\u{2028}b\u{2029}c\r\nd"), "a\n    b\n    c\n    d");
    }

    #[test]
    fn a_message_says_where_it_was_said() {
        let said = |from: &str, chat: &str, nick: Option<&str>| {
            let message = Message {
                account: "bob@x".into(),
                seq: 1,
                again: false,
                id: "m".into(),
                from: from.into(),
                chat: chat.into(),
                device: None,
                protocol: None,
                trust: None,
                text: "hi".into(),
                time: 0,
                corrects: None,
                answers: None,
                beside: false,
                nick: nick.map(Into::into),
            };
            let line = note(&Notification::Message(message), false);
            line.trim_start_matches("1970-01-01 00:00:00 ").trim_end_matches(" (not encrypted): hi").to_owned()
        };
        assert_eq!(said("carol@x", "carol@x", None), "carol@x");
        assert_eq!(said("carol@x", "garden@rooms.x", Some("Carol")), "carol@x in garden@rooms.x");
        assert_eq!(said("garden@rooms.x", "garden@rooms.x", Some("Carol")), "garden@rooms.x/Carol");
        assert_eq!(said("bob@x", "garden@rooms.x", None), "you to garden@rooms.x");
        assert_eq!(said("bob@x", "bob@x", None), "bob@x");
    }

    #[test]
    fn one_message_is_one() {
        assert_eq!([0, 1, 2].map(messages), ["0 messages", "1 message", "2 messages"]);
    }

    #[test]
    fn times_are_the_calendars() {
        assert_eq!(time(0), "1970-01-01 00:00:00");
        assert_eq!(time(951_782_400_000), "2000-02-29 00:00:00");
        assert_eq!(time(1_795_260_000_000), "2026-11-21 11:20:00");
        assert_eq!(time(4_102_444_799_000), "2099-12-31 23:59:59");
    }

    #[test]
    fn fingerprints_are_grouped_and_fit_a_code() {
        let fingerprint = "8bd1c1f0a3e5978842b0c5c3d1f7e2906a5b4c3d2e1f00998877665544332211";
        assert_eq!(groups(fingerprint).split(' ').collect::<Vec<_>>().len(), 8);
        let uri = uri("alice@example.org", 42, fingerprint);
        assert_eq!(uri, format!("xmpp:alice@example.org?omemo-sid-42={fingerprint}"));
        let code = qr(&uri).expect("fits");
        assert!(code.lines().count() > 15 && code.lines().all(|l| l.chars().count() == code.lines().next().expect("a line").chars().count()));
    }
}
