//! What the page knows: what the worker told, which chat is open, what is being written. Screens read it and call its verbs.
use super::bridge;
use crate::chats::Chats;
use crate::clock::Local;
use crate::log::Log;
use leptos::prelude::*;
use std::collections::HashMap;
use subrosa_web_api::page::{Answer, Banner, Call, Chat, Content, Link, Me, Phase, Told};
use subrosa_web_api::{Failure, Jid, MessageId, Millis};
use wasm_bindgen::JsCast;

/// How many messages are asked for at a time.
const PAGE: u32 = 60;

/// What lies over everything else.
#[derive(Clone, Debug, PartialEq)]
pub enum Panel {
    Devices(Jid),
    Browsers,
    SignOut,
    About,
    AddContact,
    RemoveContact(Jid),
    /// The failed message that would open the chat for clear text.
    Clear(MessageId),
}

/// See the module. A handle.
#[derive(Clone, Copy)]
pub struct Model {
    /// Of the engine. While a lost engine starts again, what it was before.
    pub phase: RwSignal<Phase>,
    pub link: RwSignal<Link>,
    pub chats: RwSignal<Chats>,
    pub banners: RwSignal<Vec<Banner>>,
    pub trouble: RwSignal<Option<Failure>>,
    /// What a person asked for last did not work.
    pub notice: RwSignal<Option<Failure>>,
    /// There is an engine.
    pub up: RwSignal<bool>,
    /// It dies again and again.
    pub stuck: RwSignal<bool>,
    /// It is of another version.
    pub outdated: RwSignal<bool>,
    pub panel: RwSignal<Option<Panel>>,
    pub open: RwSignal<Option<Jid>>,
    /// Of the open chat. [`Model::rows`] tells of changes.
    pub log: StoredValue<Log>,
    pub rows: RwSignal<u32>,
    /// For those who don't see it: the last message that came into the open chat.
    pub spoken: RwSignal<String>,
    drafts: StoredValue<HashMap<Jid, String>>,
}

impl Model {
    pub fn new() -> Self {
        Model {
            phase: RwSignal::new(Phase::Loading),
            link: RwSignal::new(Link::Connecting),
            chats: RwSignal::default(),
            banners: RwSignal::default(),
            trouble: RwSignal::default(),
            notice: RwSignal::default(),
            up: RwSignal::new(false),
            stuck: RwSignal::new(false),
            outdated: RwSignal::new(false),
            panel: RwSignal::default(),
            open: RwSignal::default(),
            log: StoredValue::new(Log::default()),
            rows: RwSignal::new(0),
            spoken: RwSignal::default(),
            drafts: StoredValue::new(HashMap::new()),
        }
    }

    /// The worker says what is true.
    pub fn told(self, told: Told) {
        match told {
            Told::Phase(phase) => self.phase_is(phase),
            Told::Link(link) => self.link.set(link),
            Told::Chats(chats) => {
                self.chats.set(Chats::all(chats));
                self.read();
            }
            Told::Chat(chat) => {
                let open = self.is_open(&chat.jid);
                self.chats.update(|chats| chats.put(chat));
                if open {
                    self.read();
                }
            }
            Told::Message(message) => {
                if !self.is_open(&message.chat) {
                    return;
                }
                let words = match &message.content {
                    Content::Text(text) if !message.own => Some(text.clone()),
                    _ => None,
                };
                let at_end = self.log.try_update_value(|log| log.put(message)).unwrap_or(false);
                self.changed();
                if let Some(words) = words.filter(|_| at_end) {
                    self.spoken.set(format!("{}: {words}", self.name_of_open()));
                }
            }
            Told::Discarded { chat, id } => {
                self.log.update_value(|log| log.discard(&chat, &id));
                self.changed();
            }
            Told::Banners(banners) => self.banners.set(banners),
            Told::Trouble(trouble) => self.trouble.set(trouble),
        }
    }
    fn phase_is(self, phase: Phase) {
        match (&phase, self.phase.get_untracked()) {
            // a new engine behind a page that shows chats
            (Phase::Loading, Phase::Ready(_)) => {}
            (Phase::Ready(_), before) => {
                self.phase.set(phase);
                if !matches!(before, Phase::Ready(_)) {
                    self.notice.set(None);
                }
                if let Some(jid) = self.open.get_untracked() {
                    self.ask_newest(jid);
                }
            }
            (Phase::SignedOut, _) => {
                self.forget();
                self.phase.set(phase);
            }
            _ => self.phase.set(phase),
        }
    }
    /// Nothing of an account that left stays in the page.
    fn forget(self) {
        self.open.set(None);
        self.panel.set(None);
        self.chats.set(Chats::default());
        self.banners.set(Vec::new());
        self.spoken.set(String::new());
        self.log.set_value(Log::default());
        self.drafts.set_value(HashMap::new());
    }

    /// This device.
    pub fn me(self) -> Option<Me> {
        self.phase.with(|phase| if let Phase::Ready(me) = phase { Some(me.clone()) } else { None })
    }
    pub fn is_me(self, jid: &str) -> bool {
        self.phase.with_untracked(|phase| matches!(phase, Phase::Ready(me) if me.jid == jid))
    }
    pub fn is_open(self, jid: &str) -> bool {
        self.open.with_untracked(|open| open.as_deref() == Some(jid))
    }
    pub fn chat(self, jid: &str) -> Option<Chat> {
        self.chats.with(|chats| chats.get(jid).cloned())
    }
    /// What to call somebody.
    pub fn name(self, jid: &str) -> String {
        self.chats.with(|chats| chats.get(jid).map_or_else(|| jid.to_owned(), |chat| crate::chats::name(chat).to_owned()))
    }
    fn name_of_open(self) -> String {
        self.open.get_untracked().map(|jid| untrack(|| self.name(&jid))).unwrap_or_default()
    }

    /// Asks, and shows it when it does not work.
    pub fn call(self, call: Call) {
        bridge::call(call, move |result| {
            if let Err(failure) = result {
                self.notice.set(Some(failure));
            }
        });
    }
    pub fn open_chat(self, jid: Jid) {
        if self.is_open(&jid) {
            return;
        }
        if self.open.with_untracked(Option::is_none) {
            // so that the browser's own way back leaves the chat; names nobody
            let _ = window().history().and_then(|history| history.push_state(&wasm_bindgen::JsValue::NULL, ""));
        }
        self.log.set_value(Log::of(jid.clone()));
        self.spoken.set(String::new());
        self.open.set(Some(jid.clone()));
        self.changed();
        self.ask_newest(jid);
    }
    /// By the button; the browser's own way is [`Model::left`].
    pub fn leave_chat(self) {
        let _ = window().history().and_then(|history| history.back());
    }
    pub fn left(self) {
        if self.open.with_untracked(Option::is_none) {
            return;
        }
        let entry = document().query_selector(".chat[aria-current]").ok().flatten().and_then(|e| e.dyn_into::<web_sys::HtmlElement>().ok());
        self.open.set(None);
        request_animation_frame(move || {
            if let Some(entry) = entry {
                let _ = entry.focus();
            }
        });
    }
    fn ask_newest(self, jid: Jid) {
        let chat = jid.clone();
        self.log.update_value(Log::asking);
        bridge::call(Call::Open { chat: jid, count: PAGE }, move |result| {
            match result {
                Ok(Answer::History { messages, more }) => self.log.update_value(|log| {
                    if log.chat() == chat {
                        log.newest(messages, more);
                    }
                }),
                Ok(_) => {}
                Err(failure) => self.notice.set(Some(failure)),
            }
            self.changed();
        });
        self.read();
    }
    /// Older messages of the open chat, if there are some and nobody asked.
    pub fn ask_older(self) {
        let Some((chat, before)) = self.log.with_value(|log| Some((log.chat().to_owned(), log.ask_before()?))) else { return };
        self.log.update_value(|log| log.loading = true);
        let of = chat.clone();
        bridge::call(Call::History { chat, before, count: PAGE }, move |result| {
            self.log.update_value(|log| {
                if log.chat() != of {
                    return;
                }
                match result {
                    Ok(Answer::History { messages, more }) => log.older(messages, more),
                    _ => log.loading = false,
                }
            });
            self.changed();
        });
    }
    /// The open chat is being looked at.
    pub fn read(self) {
        let visible = document().visibility_state() == web_sys::VisibilityState::Visible;
        let Some(chat) = self.open.get_untracked().filter(|_| visible) else { return };
        if self.chats.with_untracked(|chats| chats.get(&chat).is_some_and(|chat| chat.unread > 0)) {
            bridge::call(Call::Read { chat }, |_| {});
        }
    }
    pub fn send(self, chat: Jid, text: String) {
        let Some(id) = window().crypto().ok().map(|crypto| crypto.random_uuid()) else { return };
        let (words, sent) = (text.clone(), id.clone());
        bridge::call(Call::Send { id, chat: chat.clone(), text }, move |result| {
            if let Err(failure) = result {
                self.notice.set(Some(failure));
                if self.log.with_value(|log| log.get(&sent).is_some()) {
                    return;
                }
                // it is not stored: nothing of it may be lost
                let draft = self.draft(&chat);
                self.set_draft(&chat, if draft.is_empty() { words } else { format!("{words}\n{draft}") });
                if self.is_open(&chat) {
                    self.open.notify();
                }
            }
        });
    }
    pub fn draft(self, jid: &str) -> String {
        self.drafts.with_value(|drafts| drafts.get(jid).cloned().unwrap_or_default())
    }
    pub fn set_draft(self, jid: &str, text: String) {
        self.drafts.update_value(|drafts| {
            drafts.insert(jid.to_owned(), text);
        });
    }

    fn changed(self) {
        self.rows.update(|n| *n = n.wrapping_add(1));
    }
}

/// A moment, here.
pub fn local(at: Millis) -> Local {
    let date = js_sys::Date::new(&wasm_bindgen::JsValue::from_f64(at as f64));
    let behind = date.get_timezone_offset(); // NaN for times that JavaScript has no dates for
    Local::new(at, if behind.is_finite() { (behind as i32).saturating_neg() } else { 0 })
}
pub fn now() -> Local {
    local(js_sys::Date::now() as Millis)
}
