//! What people and chats are called on the screen. Two who differ never look the same: who is not of the account's own domain has
//! their whole address.
use crate::rpc::types::Chat;
use crate::tui::text;

/// A person, as seen by `account`.
pub fn person(jid: &str, account: &str) -> String {
    if jid == account {
        return "you".into();
    }
    match (jid.split_once('@'), account.split_once('@')) {
        (Some((local, domain)), Some((_, own))) if domain == own && local != "you" => text::line(local),
        _ => text::line(jid),
    }
}
/// A chat: its name where it is a room that has one.
pub fn chat_name(chat: &Chat, account: &str) -> String {
    match &chat.name {
        Some(name) if chat.room && !name.trim().is_empty() => text::line(name),
        _ if chat.room => text::line(chat.chat.split('@').next().unwrap_or_default()),
        _ if chat.chat == account => "notes to yourself".into(),
        _ => person(&chat.chat, account),
    }
}
