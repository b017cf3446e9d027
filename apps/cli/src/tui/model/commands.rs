//! What can be typed after a `/`. `//` begins a message with a slash; `/me` is words as any others.
use super::{Asked, Dialog, Prompt, Screen, Sure, Tag};
use crate::rpc::types::*;
use crate::tui::keys::Action;
use std::path::PathBuf;

/// `(how it is written, what it does)`
pub const COMMANDS: &[(&str, &str)] = &[
    ("/chat ADDRESS", "write to somebody"),
    ("/room [NAME]", "make a room"),
    ("/join ADDRESS", "go into a room"),
    ("/invite ADDRESS", "invite somebody to this room"),
    ("/members", "who is in this room"),
    ("/leave", "leave this room"),
    ("/trust [ADDRESS]", "devices and keys"),
    ("/verify LINK", "verify by the link in a QR code"),
    ("/search WORDS", "search everywhere"),
    ("/unblock ADDRESS", "let somebody write again"),
    ("/go-on", "go on encrypted, although the contact asked to stop"),
    ("/clear", "let what can't be encrypted go in clear in this chat; asks first"),
    ("/clear off", "no longer"),
    ("/erase", "erase what is stored of this chat here"),
    ("/backup FILE", "a sealed copy of the history"),
    ("/restore FILE", "the history out of such a copy"),
    ("/help", "this help"),
    ("/quit", "end the program"),
];

impl Screen {
    /// Carries out a line that begins with `/`. `false`: it is no command, and stays.
    pub(super) fn command(&mut self, line: &str) -> bool {
        let (name, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
        let rest = rest.trim();
        let open = self.open_room();
        // what is asked for with `rest` as the answer, or by a prompt
        let asked = match (name, open) {
            ("/chat", _) => Some(Asked::Chat),
            ("/room", _) => Some(Asked::Room),
            ("/join", _) => Some(Asked::Join),
            ("/verify", _) => Some(Asked::Link),
            ("/invite", Some(room)) => Some(Asked::Invite(room)),
            _ => None,
        };
        match (name, asked) {
            (_, Some(asked)) if rest.is_empty() => self.dialogs.push(Prompt::dialog(asked)),
            (_, Some(asked)) => self.answered(asked, rest.to_owned()),
            ("/invite", _) => self.warn("that is for rooms; this chat is none"),
            ("/members", _) => self.act(Action::Members),
            ("/leave", _) => self.act(Action::Leave),
            ("/trust", _) if rest.is_empty() => self.act(Action::Trust),
            ("/trust", _) => self.open_trust(rest.to_owned(), None),
            ("/search", _) => self.open_search(None, rest),
            ("/unblock", _) => {
                let call = Call::Unblock(OfPerson { jid: rest.to_owned(), account: self.jid() });
                self.call(Tag::Done(format!("{rest} may write again")), call);
            }
            ("/go-on", _) => match self.page().map(|page| page.chat.clone()) {
                Some(chat) => self.go_on(chat),
                None => self.warn("choose a chat first: Tab, then Enter, or n for a new one"),
            },
            ("/clear", _) => match (self.page().map(|page| page.chat.clone()), rest) {
                (None, _) => self.warn("choose a chat first: Tab, then Enter, or n for a new one"),
                (Some(chat), "") => self.ask_clear(chat, None),
                (Some(chat), "off") => self.clear_off(chat),
                _ => self.warn("/clear lets what can't be encrypted go in clear, /clear off takes that back"),
            },
            ("/erase", _) => self.ask_erase(),
            ("/backup" | "/restore", _) if rest.is_empty() => self.warn("which file? Name it behind the command"),
            ("/backup" | "/restore", _) => {
                let asked = Asked::Passphrase { path: PathBuf::from(rest), restore: name == "/restore", first: None };
                self.dialogs.push(Prompt::dialog(asked));
            }
            ("/help", _) => self.act(Action::Help),
            ("/quit", _) => self.quit(),
            _ => {
                self.warn(format!("there is no command {name}; /help shows all. To send it as it is begin with //"));
                return false;
            }
        }
        true
    }
    /// The open chat, where it is a room.
    pub(super) fn open_room(&self) -> Option<String> {
        self.account()?.open().filter(|chat| chat.room).map(|chat| chat.chat.clone())
    }
    /// In plain words, before anything leaves so.
    pub(super) fn ask_clear(&mut self, chat: String, words: Option<super::Words>) {
        let name = crate::tui::text::line(&chat);
        let send = if words.is_some() { " This message is sent in clear at once." } else { "" };
        let text = format!(
            "{name} can't be written to encrypted. Let messages to {name} go UNENCRYPTED? Servers on the way can read and change them, and \
             what comes in clear in this name is shown.{send} /clear off takes it back."
        );
        self.dialogs.push(Dialog::Question { text, what: Sure::AllowClear(chat, words) });
    }
    pub(super) fn go_on(&mut self, chat: String) {
        let call = Call::GoOn(OfChat { chat, account: self.jid() });
        self.call(Tag::Done("messages go on encrypted".into()), call);
    }
    fn clear_off(&mut self, chat: String) {
        let call = Call::AllowClear(AllowClear { chat, off: true, account: self.jid() });
        self.call(Tag::Done("messages of this chat are encrypted, or not sent".into()), call);
    }
    fn ask_erase(&mut self) {
        let Some(chat) = self.page().map(|page| page.chat.clone()) else { return };
        let text = format!("Erase all that was said with {} from this device? It can't be brought back.", crate::tui::text::line(&chat));
        self.dialogs.push(Dialog::Question { text, what: Sure::Erase(chat) });
    }
}
