//! What was said, and what is said about it: `history`, `reply`, `react`, `edit`, `retract`.
use super::{ask, print, send};
use crate::failure::Failure;
use crate::home::Home;
use crate::rpc::Call;
use crate::rpc::types::{Edit, Entry, GetHistory, Messages, Of, React, Reply, Retract, Search, SendResult, Way};
use crate::show::{clean, time, word};

/// Digits of a place, since 2000 and until the year 2200: ids that are numbers are shorter.
const PLACE: usize = 19;

pub async fn show(home: &Home, account: Option<&str>, chat: Option<String>, search: Option<String>, limit: Option<u32>) -> Result<(), Failure> {
    let call = match (chat, search) {
        (chat, Some(query)) => Call::Search(Search { query, chat, limit, account: None }),
        (Some(chat), None) => Call::History(GetHistory { chat, limit, ..GetHistory::default() }),
        (None, None) => return Err(Failure::usage("say whose history (an address), or what to look for (--search WORDS)")),
    };
    // then each line says where
    let everywhere = matches!(&call, Call::Search(Search { chat: None, .. }));
    let nothing = match &call {
        Call::Search(search) => format!("no message has “{}”\n", clean(&search.query)),
        Call::History(of) => format!("nothing with {} is stored here; `subrosa listen` fetches what waits at the server\n", clean(&of.chat)),
        _ => String::new(),
    };
    let found: Messages = ask(home, account, false, call).await?;
    if found.messages.is_empty() {
        return print(&nothing);
    }
    let more = if found.more { "there is more; ask for it with a larger --limit\n" } else { "" };
    print(&(found.messages.iter().map(|entry| line(entry, everywhere) + "\n").collect::<String>() + more))
}
/// Something said about a message; what became of it, device by device.
pub async fn about(home: &Home, account: Option<&str>, call: Call) -> Result<(), Failure> {
    let result: SendResult = ask(home, account, false, call).await?;
    print(&send::lines(&result))
}
pub fn reply(chat: String, of: &str, text: String) -> Call {
    Call::Reply(Reply { chat, of: self::of(of), text, id: None, timeout: None, account: None })
}
pub fn react(chat: String, of: &str, emojis: Vec<String>) -> Call {
    Call::React(React { chat, of: self::of(of), emojis, id: None, timeout: None, account: None })
}
pub fn edit(chat: String, of: &str, text: String) -> Call {
    Call::Edit(Edit { chat, of: self::of(of), text, id: None, timeout: None, account: None })
}
pub fn retract(chat: String, of: &str) -> Call {
    Call::Retract(Retract { chat, of: self::of(of), id: None, timeout: None, account: None })
}
/// A place as `history` prints it, with `#` or without; else an id.
fn of(text: &str) -> Of {
    let digits = text.strip_prefix('#').unwrap_or(text);
    let named = text.starts_with('#') || digits.len() == PLACE;
    let place = digits.bytes().all(|b| b.is_ascii_digit()).then(|| digits.parse().ok()).flatten();
    place.filter(|_| named).map_or_else(|| Of::Id(text.to_owned()), Of::Place)
}

/// `everywhere`: out of several conversations.
fn line(e: &Entry, everywhere: bool) -> String {
    let who = match &e.nick {
        _ if e.outgoing => "you".into(),
        // all that is known of them
        Some(nick) if e.from == e.chat => clean(&format!("{}/{nick}", e.from)),
        _ => clean(&e.from),
    };
    let place = match everywhere {
        true if e.outgoing => format!(" to {}", clean(&e.chat)),
        true if e.from != e.chat => format!(" in {}", clean(&e.chat)),
        _ => String::new(),
    };
    let device = match (&e.device, e.trust) {
        (Some(device), Some(trust)) => format!(" (device {}, {})", clean(&device.to_string()), word(trust)),
        _ if !e.encrypted => " (not encrypted)".into(),
        _ => String::new(),
    };
    let text = match (&e.text, &e.retracted, &e.undecryptable) {
        (Some(text), ..) => clean(text),
        (_, Some(by), _) => format!("(taken back by {})", clean(by)),
        (.., Some(why)) => {
            format!("(can't be read: {})", subrosa_engine::Reason::from_code(why).map_or(why.as_str(), |reason| reason.sentence()))
        }
        _ => String::new(),
    };
    let mut marks = Vec::new();
    if let Some(reply) = &e.reply {
        marks.push(format!("answers \u{201c}{}\u{201d}", clean(reply.text.as_deref().unwrap_or("a message that is not here"))));
    }
    if e.edited {
        marks.push("edited".into());
    }
    if e.corrects.is_some() {
        marks.push("corrects another message".into());
    }
    if e.beside {
        marks.push("that it answers or corrects was said in clear".into());
    }
    if let Some(by) = &e.claimed {
        marks.push(format!("{} is said to have taken it back; that is not proved", clean(by)));
    }
    marks.extend(e.reactions.iter().map(|r| {
        let who = |who: &String| format!("{}{}", clean(who), if r.unsure.contains(who) { " (not proved)" } else { "" });
        format!("{} {}", clean(&r.emoji), r.from.iter().map(who).collect::<Vec<_>>().join(", "))
    }));
    marks.extend(e.state.map(|state| {
        let reason = e.reason.as_deref().map_or(String::new(), |why| format!(" ({})", clean(why)));
        let state = match state {
            Way::Queued => "waiting",
            Way::Sent => "sent",
            Way::Delivered => "delivered",
            Way::Displayed => "read",
            Way::Failed => "not sent",
        };
        let unsure = if e.unsure { " (not proved)" } else { "" };
        format!("{state}{reason}{unsure}")
    }));
    let marks = if marks.is_empty() { String::new() } else { format!("  [{}]", marks.join("; ")) };
    format!("{} {who}{place}{device}: {text}{marks}  #{}", time(e.time), e.place)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_out_of_several_conversations_says_which() {
        let said = |from: &str, chat: &str, outgoing: bool| {
            let entry = serde_json::json!({"place": 1, "chat": chat, "id": "m", "from": from, "outgoing": outgoing, "time": 0, "text": "hi",
                "encrypted": true});
            let entry: Entry = serde_json::from_value(entry).expect("an entry");
            [false, true].map(|everywhere| line(&entry, everywhere).replace("1970-01-01 00:00:00 ", "").replace(": hi  #1", ""))
        };
        assert_eq!(said("bob@x", "bob@x", false), ["bob@x", "bob@x"]);
        assert_eq!(said("alice@x", "bob@x", true), ["you", "you to bob@x"]);
        assert_eq!(said("bob@x", "garden@rooms.x", false), ["bob@x", "bob@x in garden@rooms.x"]);
        assert_eq!(said("alice@x", "garden@rooms.x", true), ["you", "you to garden@rooms.x"]);
    }

    /// As `listen` has it; and what proves nothing is told as that.
    #[test]
    fn a_line_says_what_the_key_is_worth_and_what_proves_nothing() {
        let entry = |more: serde_json::Value| -> Entry {
            let mut all = serde_json::json!({"place": 7, "chat": "bob@x", "id": "m", "from": "bob@x", "outgoing": false, "time": 0, "text": "hi", "encrypted": true});
            all.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
            serde_json::from_value(all).expect("an entry")
        };
        let of = |more: serde_json::Value| line(&entry(more), false);
        use serde_json::json;
        assert_eq!(of(json!({"device": 5, "trust": "undecided"})), "1970-01-01 00:00:00 bob@x (device 5, undecided): hi  #7");
        assert_eq!(of(json!({"encrypted": false})), "1970-01-01 00:00:00 bob@x (not encrypted): hi  #7");
        assert!(of(json!({"corrects": "m1", "beside": true})).contains("[corrects another message; that it answers or corrects was said in clear]"));
        assert!(of(json!({"claimed": "bob@x"})).contains("hi  [bob@x is said to have taken it back; that is not proved]"));
        assert!(of(json!({"state": "displayed", "unsure": true})).contains("[read (not proved)]"));
        assert!(of(json!({"reactions": [{"emoji": "+", "from": ["a@x", "b@x"], "unsure": ["b@x"]}]})).contains("[+ a@x, b@x (not proved)]"));
        assert!(of(json!({"chat": "r@x", "from": "r@x", "nick": "eve\u{202e}"})).contains(" r@x/eve\u{fffd}: hi"));
    }
    #[test]
    fn messages_are_named_by_place_or_id() {
        assert_eq!(of("#1882455000000"), Of::Place(1_882_455_000_000));
        // a shell takes an unquoted # for a comment
        assert_eq!(of("1882455000000000123"), Of::Place(1_882_455_000_000_000_123));
        assert_eq!([of("1795260000000"), of("+882455000000000123")], ["1795260000000", "+882455000000000123"].map(|id| Of::Id(id.into())));
        assert_eq!([of("m-17"), of("17"), of("#x")], ["m-17", "17", "#x"].map(|id| Of::Id(id.into())));
    }
}
