//! One entry of a conversation as rows of the screen: what stands where, and in which ink. Colours are the view's.
use super::names::person;
use crate::args::Level;
use crate::colour::Rgb;
use crate::rpc::types::{Entry, Reacted, Way};
use crate::tui::text;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use subrosa_engine::Reason;

/// `14:03 ✓ `: before every row of an entry.
pub const INDENT: usize = 8;

/// What a piece of a row is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ink {
    Text,
    /// Beside the matter.
    Dim,
    /// A person, by their name's sum.
    Name(u8),
    You,
    /// A person has to act.
    Bad,
    /// As it should be.
    Good,
    /// Above the day's first message, above new ones.
    Line,
    /// In the colour that the text has everywhere.
    Own(Rgb),
}
/// One row; nothing in it is wider than was asked for.
pub type Row = Vec<(Ink, String)>;

/// What rows depend on beside the entry.
#[derive(Clone, Copy)]
pub struct Look<'a> {
    /// Columns.
    pub width: usize,
    pub account: &'a str,
    pub zone: &'a TimeZone,
    /// The first message that was new when the chat was opened.
    pub new_from: Option<i64>,
}

/// `14:03`
pub fn clock(ms: u64, zone: &TimeZone) -> String {
    zoned(ms, zone).strftime("%H:%M").to_string()
}
/// `Friday, 27 November 2026`
pub fn day(ms: u64, zone: &TimeZone) -> String {
    zoned(ms, zone).strftime("%A, %-d %B %Y").to_string()
}
/// `2026-11-27 14:03`
pub fn date(ms: u64, zone: &TimeZone) -> String {
    zoned(ms, zone).strftime("%Y-%m-%d %H:%M").to_string()
}
/// Nonsense of a server is the end of time, not the end of the program.
fn zoned(ms: u64, zone: &TimeZone) -> jiff::ZonedDateTime {
    let at = i64::try_from(ms).ok().and_then(|ms| Timestamp::from_millisecond(ms).ok());
    // a day before the last one: every zone can show it
    at.unwrap_or_else(|| Timestamp::from_second(253_402_000_000).unwrap_or_default()).to_zoned_datetime(zone.clone())
}

/// The sentence of a reason; one that a newer program gave is shown as it is.
pub fn sentence(code: &str) -> String {
    Reason::from_code(code).map_or_else(|| text::line(code), |reason| reason.sentence().to_owned())
}

/// All rows of an entry. `before`: the one above it, whose day it may share. Never without a row.
pub fn rows(entry: &Entry, before: Option<&Entry>, look: &Look) -> Vec<Row> {
    let width = look.width.max(INDENT + 4);
    let mut out = Vec::new();
    let date = |ms| zoned(ms, look.zone).date();
    if before.is_none_or(|other| date(other.time) != date(entry.time)) {
        out.push(ruled(&day(entry.time, look.zone), width));
    }
    if look.new_from == Some(entry.place) {
        out.push(ruled("new", width));
    }
    let (mark, ink) = mark(entry);
    let head = [(Ink::Dim, format!("{} ", clock(entry.time, look.zone))), (ink, format!("{mark} "))];
    let name = (name_ink(entry, look), text::cut(&author(entry, look.account), 24));
    let mut first: Row = head.into_iter().chain([name]).collect();
    let used = |row: &Row| row.iter().map(|(_, part)| text::width(part)).sum::<usize>();
    if let Some(reply) = entry.reply.as_ref().filter(|_| entry.retracted.is_none()) {
        let whom = reply.from.as_deref().map_or(String::new(), |from| format!("{}: ", person(from, look.account)));
        let what = reply.text.as_deref().unwrap_or("a message that is not here");
        // of long words only what can be seen is looked at
        let quote = format!(" ↪ {whom}{}", text::line(&what.chars().take(300).collect::<String>()));
        let room = width.saturating_sub(used(&first));
        first.push((Ink::Dim, text::cut(&quote, room)));
        out.push(first);
        first = vec![(Ink::Text, " ".repeat(INDENT))];
    } else {
        first.push((Ink::Dim, ": ".into()));
    }
    let (words, ink) = words(entry, look);
    let columns = width - INDENT;
    let mut pieces = text::wrap(&words, columns, used(&first).saturating_sub(INDENT)).into_iter();
    first.push((ink, pieces.next().unwrap_or_default()));
    if used(&first) > width {
        // a name that leaves no room
        let words = first.pop();
        out.push(first);
        first = [(Ink::Text, " ".repeat(INDENT))].into_iter().chain(words).collect();
    }
    out.push(first);
    out.extend(pieces.map(|piece| vec![(Ink::Text, " ".repeat(INDENT)), (ink, piece)]));
    if let Some((note, ink)) = note(entry) {
        let room = out.last().map_or(0, |row| width.saturating_sub(used(row)));
        if let Some(last) = out.last_mut().filter(|_| text::width(&note) + 2 <= room) {
            last.push((ink, format!("  {note}")));
        } else {
            out.extend(text::wrap(&note, columns, 0).into_iter().map(|piece| vec![(Ink::Text, " ".repeat(INDENT)), (ink, piece)]));
        }
    }
    if !entry.reactions.is_empty() {
        let all: Vec<_> = entry.reactions.iter().take(20).map(|r| reaction(r, look)).collect();
        out.extend(text::wrap(&all.join("  "), columns, 0).into_iter().map(|piece| vec![(Ink::Text, " ".repeat(INDENT)), (Ink::Dim, piece)]));
    }
    out
}

fn reaction(Reacted { emoji, from, unsure }: &Reacted, look: &Look) -> String {
    let unsure = if unsure.is_empty() { "" } else { " (not proved)" };
    let who = match from.as_slice() {
        [one] => person(one, look.account),
        many if many.iter().any(|jid| jid == look.account) => format!("{} with you", many.len()),
        many => many.len().to_string(),
    };
    format!("{} {}{unsure}", text::cut(&text::line(emoji), 8), text::cut(&who, 24))
}
fn ruled(what: &str, width: usize) -> Row {
    let left = width.saturating_sub(text::width(what) + 2) / 2;
    let right = width.saturating_sub(left + text::width(what) + 2);
    vec![(Ink::Line, text::cut(&format!("{} {what} {}", "─".repeat(left), "─".repeat(right)), width))]
}
/// Whoever wrote it; of somebody in a room whose address nobody knows, what the room called them, behind the room's name.
pub fn author(entry: &Entry, account: &str) -> String {
    let name = person(&entry.from, account);
    match entry.nick.as_deref().filter(|_| entry.from == entry.chat) {
        Some(nick) => format!("{name}/{}", text::line(nick)),
        None => name,
    }
}
fn name_ink(entry: &Entry, look: &Look) -> Ink {
    match entry.outgoing || entry.from == look.account {
        true => Ink::You,
        false => Ink::Name(entry.from.bytes().fold(0, u8::wrapping_add)),
    }
}
/// What the key that wrote it is worth, as one sign.
pub fn mark(entry: &Entry) -> (char, Ink) {
    match (entry.undecryptable.is_some(), entry.encrypted, entry.trust) {
        (true, ..) => ('✗', Ink::Bad),
        (_, false, _) => ('o', Ink::Bad),
        (.., Some(Level::Verified)) => ('✓', Ink::Good),
        (.., Some(Level::Untrusted)) => ('!', Ink::Bad),
        (.., Some(Level::Undecided)) => ('?', Ink::Bad),
        (.., Some(Level::Trusted) | None) => (' ', Ink::Dim),
    }
}
fn words(entry: &Entry, look: &Look) -> (String, Ink) {
    if let Some(by) = &entry.retracted {
        let who = person(by, look.account);
        return (format!("(taken back by {who})"), Ink::Dim);
    }
    if let Some(code) = &entry.undecryptable {
        return (format!("can't be read. {}", sentence(code)), Ink::Bad);
    }
    match &entry.text {
        Some(words) => (text::lines(words), Ink::Text),
        None => ("(no words)".into(), Ink::Dim),
    }
}
/// What stands behind the words.
fn note(entry: &Entry) -> Option<(String, Ink)> {
    let mut all = Vec::new();
    if entry.edited && entry.retracted.is_none() {
        all.push("edited".to_owned());
    }
    let in_clear = if entry.beside { ", said in clear" } else { "" };
    if entry.corrects.is_some() {
        all.push(format!("corrects another{in_clear}"));
    } else if entry.beside {
        all.push(format!("answers{in_clear}"));
    }
    if entry.claimed.is_some() {
        all.push("taken back, it is said: not proved".to_owned());
    }
    if !entry.encrypted && entry.undecryptable.is_none() {
        all.push("in clear".to_owned());
    }
    if let Some(state) = entry.state {
        if state == Way::Failed {
            let why = entry.reason.as_deref().map_or("nothing of it left".into(), sentence);
            return Some((format!("failed: {why}"), Ink::Bad));
        }
        let unsure = if entry.unsure { ", not proved" } else { "" };
        all.push(format!("{}{unsure}", way(state)));
    }
    (!all.is_empty()).then(|| (all.join(" · "), if entry.encrypted { Ink::Dim } else { Ink::Bad }))
}
/// How far a message is, as a word.
pub fn way(state: Way) -> &'static str {
    match state {
        Way::Queued => "queued",
        Way::Sent => "sent",
        Way::Delivered => "delivered",
        Way::Displayed => "read",
        Way::Failed => "failed",
    }
}
