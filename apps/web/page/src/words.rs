//! Every word that a person reads on the page, in English. Sentences of failures come from the worker and the gateway.
#![allow(missing_docs, reason = "the words say what they are")]
use subrosa_web_api::page::{Link, Lock, State, Trust};
use subrosa_web_api::{Failure, MAX_TEXT};

pub const APP: &str = "Subrosa";
pub const CLOSE: &str = "Close";
pub const CANCEL: &str = "Cancel";
pub const BACK: &str = "Back to the chats";
pub const RELOAD: &str = "Reload";
pub const DISMISS: &str = "Dismiss";
pub const NEVER: &str = "never";

// times
pub const TODAY: &str = "Today";
pub const YESTERDAY: &str = "Yesterday";
const WEEKDAYS: [&str; 7] = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];
const MONTHS: [&str; 12] = ["January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December"];
/// From 0, Monday.
pub fn weekday(day: i64) -> &'static str {
    usize::try_from(day).ok().and_then(|day| WEEKDAYS.get(day)).copied().unwrap_or("")
}
fn month(month: i64) -> &'static str {
    usize::try_from(month.saturating_sub(1)).ok().and_then(|month| MONTHS.get(month)).copied().unwrap_or("")
}
pub fn day_of_year(day: i64, m: i64) -> String {
    format!("{day} {}", month(m))
}
pub fn full_date(day: i64, m: i64, year: i64) -> String {
    format!("{day} {} {year}", month(m))
}

// entering
pub const SIGN_IN: &str = "Sign in";
pub const SIGNING_IN: &str = "Signing in …";
pub const SIGN_IN_INTRO: &str = "With your XMPP account. This browser becomes a device of its own: its keys are made here and stay here.";
pub const ADDRESS: &str = "Address";
pub const ADDRESS_HINT: &str = "alice@example.org";
pub const PASSWORD: &str = "Password";
pub const PASSPHRASE_OPTIONAL: &str = "Passphrase for this browser (optional)";
pub const PASSPHRASE_HINT: &str = "Locks keys and messages that are stored here. It is asked for at every start, and nobody can restore it.";
pub const UNLOCK: &str = "Unlock";
pub const UNLOCKING: &str = "Unlocking …";
pub const PASSPHRASE: &str = "Passphrase";
pub fn locked(jid: &str) -> String {
    // before unlocking not even the address can be read
    if jid.is_empty() { "The keys in this browser are locked.".into() } else { format!("The keys of {jid} in this browser are locked.") }
}
pub const LOADING: &str = "Starting the encryption engine …";
pub const SLOW: &str = "This takes longer than usual. Reload the page if nothing happens.";
pub const BROKEN: &str = "This browser can't go on";
pub const STUCK: &str = "The encryption engine stops again and again. Nothing is lost: reload the page.";
pub const OUTDATED: &str = "This page is of another version than its server. Reload it.";
pub fn signed_out() -> Failure {
    Failure::new("page.signed_out", "There is no account in this browser any more. Sign in again.")
}
pub fn gave_up() -> Failure {
    Failure::new("page.gave_up", "The encryption engine stopped each time at this. Reload the page and try again.")
}
pub const LOG_IN_AGAIN: &str = "Log in again";
pub fn log_in_again(jid: &str) -> String {
    format!("Password of {jid}")
}

// the way out
pub fn link(link: &Link) -> &'static str {
    match link {
        Link::Online => "Online",
        Link::Connecting => "Connecting …",
        Link::NoGateway(_) => "No connection. Messages wait.",
        Link::NoServer(_) => "The XMPP server is away. Messages wait.",
        Link::LoggedOut(_) => "Logged out",
        Link::WrongVersion => "Another version: reload",
    }
}
pub const CONNECT_NOW: &str = "Try now";
pub const ENGINE_AWAY: &str = "The encryption engine starts again …";

// chats
pub const CHATS: &str = "Chats";
pub const SEARCH: &str = "Search (Ctrl K)";
pub const NO_CHATS: &str = "No chats yet. Add a contact to begin.";
pub const NOBODY: &str = "Nobody of this name.";
pub const NO_CHAT_OPEN: &str = "Choose a chat.";
pub const ADD_CONTACT: &str = "Add contact";
pub const ADD: &str = "Add";
pub const NAME_OPTIONAL: &str = "Name (optional)";
pub const ACCEPT: &str = "Accept";
pub const DECLINE: &str = "Decline";
pub const REMOVE_CONTACT: &str = "Remove contact";
pub const ASKS: &str = "wants to be your contact";
pub const ASKED: &str = "has not answered your request";
pub const GONE: &str = "not a contact";
pub fn accept(name: &str) -> String {
    format!("Accept {name}")
}
pub fn decline(name: &str) -> String {
    format!("Decline {name}")
}
pub fn unread(n: u32) -> String {
    format!("{n} unread")
}
pub fn remove_contact(name: &str) -> String {
    format!("Remove {name} from your contacts? You no longer see each other's presence. The messages stay in this browser.")
}
pub const REMOVE: &str = "Remove";

// a chat
pub const MESSAGES: &str = "Messages";
pub const MESSAGE: &str = "Message";
pub const SEND: &str = "Send";
pub const SEND_HINT: &str = "Enter sends, Shift + Enter begins a new line.";
pub const EMPTY_CHAT: &str = "No messages in this browser yet.";
pub const OPENING: &str = "Opening …";
pub const TO_END: &str = "Newest messages";
pub fn composer(name: &str) -> String {
    format!("Message to {name}")
}
pub fn lock(lock: Lock) -> &'static str {
    match lock {
        Lock::Encrypted => "Encrypted: only devices you trust can read this",
        Lock::ClearAllowed => "Clear text allowed: NOT encrypted",
    }
}
pub const REQUIRE_ENCRYPTION: &str = "Encrypt again";
pub const TOO_LONG: &str = "Too long:";
pub fn too_long(bytes: usize) -> String {
    format!("{} KiB of {} KiB", bytes.div_ceil(1024), MAX_TEXT / 1024)
}
pub const YOU: &str = "You";
pub fn state(state: &State) -> &'static str {
    match state {
        State::Here => "",
        State::Sending => "sending",
        State::Waiting(_) => "waiting",
        State::Sent => "sent",
        State::Delivered => "delivered",
        State::Failed { .. } => "not sent",
    }
}
pub const RETRY: &str = "Try again";
pub const DISCARD: &str = "Discard";
pub const SEND_CLEAR: &str = "Send in clear …";
pub const CLEAR_TITLE: &str = "Send without encryption?";
pub fn clear_warning(name: &str) -> String {
    format!(
        "This message, and every later one to {name} that can't be encrypted, will be readable by both servers and by whoever can look into them. \
         You can go back at any time at the top of the chat."
    )
}
pub const CLEAR_CONFIRM: &str = "Send in clear";
pub const ENCRYPTED: &str = "encrypted";
pub const CLEAR: &str = "not encrypted";
pub const UNTRUSTED_DEVICE: &str = "from a device you refused";
pub const UNDECIDED_DEVICE: &str = "from a device you have not decided about";
pub const UNDECRYPTABLE: &str = "Can't be read";
pub fn left_out(n: usize) -> String {
    if n == 1 { "1 device can't read this".into() } else { format!("{n} devices can't read this") }
}
pub fn device_of(jid: &str, device: u32) -> String {
    format!("Device {device} of {jid}")
}

// devices
pub const MY_DEVICES: &str = "My devices";
pub const DEVICES: &str = "Devices";
pub fn devices_of(name: &str) -> String {
    format!("Devices of {name}")
}
pub const DEVICES_INTRO: &str =
    "Each device has a key of its own. Compare its fingerprint with the one that the device itself shows, over another way than this chat.";
pub const NO_DEVICES: &str = "None. Messages can't be encrypted until a device publishes its keys.";
pub const LOADING_LIST: &str = "Loading …";
pub const THIS_DEVICE: &str = "this browser";
pub const UNLISTED: &str = "no longer listed: gets no messages";
pub const KEY_UNSEEN: &str = "Its key was not seen yet.";
pub const MAY_READ: &str = "May read messages";
pub const COMPARED: &str = "I compared it";
pub const VERIFIED: &str = "verified";
pub const LAST_HEARD: &str = "Last heard:";
pub fn device(id: u32) -> String {
    format!("Device {id}")
}
pub fn trust(trust: Trust) -> &'static str {
    match trust {
        Trust::Untrusted => "refused",
        Trust::Undecided => "not decided: gets no messages",
        Trust::Trusted => "trusted",
        Trust::Verified => VERIFIED,
    }
}

// banners
pub fn new_device(jid: &str, trust: Trust) -> String {
    match trust {
        Trust::Trusted | Trust::Verified => format!("{jid} has a new device. It is trusted and reads new messages. Refuse it if it is not theirs."),
        Trust::Undecided | Trust::Untrusted => format!("{jid} has a new device. It gets nothing until you trust it."),
    }
}
pub const NEW_OWN_DEVICE: &str = "YOUR account has a device that this browser has not met before. It gets nothing from here until you approve it. Approve it only if it is yours and shows this fingerprint.";
pub fn key_changed(jid: &str) -> String {
    format!("A known device of {jid} shows ANOTHER KEY. It may have been set up anew, or somebody is in between. It is refused until you decide.")
}
pub const APPROVE: &str = "Approve";
pub const REFUSE: &str = "Refuse";
pub const TRUST_KEY: &str = "Trust the new key";
pub const TRUST: &str = "Trust it";
pub const KEEP_REFUSING: &str = "Keep refusing";
pub const LOOK: &str = "Look at the devices";
pub const LATER: &str = "Later";
pub fn more_banners(n: usize) -> String {
    if n == 1 { "1 more notice about keys".into() } else { format!("{n} more notices about keys") }
}

// browsers
pub const BROWSERS: &str = "Browsers";
pub const BROWSERS_INTRO: &str =
    "Browsers that are logged in to this account. A revoked one gets nothing from the server any more; refuse its device as well, under My devices.";
pub const REVOKE: &str = "Revoke";
pub fn revoke(label: &str) -> String {
    format!("Revoke {label}")
}
pub const CONNECTED: &str = "connected";
pub fn browser_times(since: &str, seen: &str) -> String {
    format!("since {since}, last seen {seen}")
}

// leaving
pub const SIGN_OUT: &str = "Sign out";
pub const SIGNING_OUT: &str = "Signing out …";
pub const SIGN_OUT_TITLE: &str = "Sign out and erase?";
pub const SIGN_OUT_TEXT: &str = "This erases from this browser:";
pub const ERASED: [&str; 3] = [
    "the keys of this device: it leaves the account's device list and can read nothing any more",
    "all messages stored here: other devices keep theirs, but they can't be restored from the server",
    "messages that were not sent yet, and what you decided about other people's devices",
];
pub const SIGN_OUT_CONFIRM: &str = "Sign out and erase";
pub const SIGN_OUT_OFFLINE: &str =
    "The server could not be told. Erase anyway? The device then stays on the account's list until another device removes it.";
pub const ERASE_ANYWAY: &str = "Erase anyway";

// about
pub const ABOUT: &str = "About security";
pub const ABOUT_TEXT: &str = "Your messages are encrypted and decrypted in this browser; the server stores and passes on only ciphertext, except what you chose \
     to send in clear. What whoever runs this server could still do: they deliver the program itself, so they could serve changed code that gives away keys or \
     messages, to everybody or to you alone; they see who writes to whom and when, how much, and who your contacts are; they can withhold messages, and they \
     can add devices to lists, which is why new devices are shown to you and new ones of your own wait for your approval. Planned against changed code: signed \
     releases in a public log, which an extension or the browser itself checks before anything runs. Until then, trust in this page is trust in who serves it.";
