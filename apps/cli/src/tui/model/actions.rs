//! Keys on the main screen.
use super::page::{Load, Page, STEP};
use super::rows::{date, sentence, way};
use super::*;
use crate::rpc::types::*;
use crate::show;
use crate::tui::text;

impl Screen {
    pub(super) fn act(&mut self, action: Action) {
        match action {
            Action::Help => self.dialogs.push(super::dialogs::help()),
            Action::NextFocus => self.turn(&[Focus::Composer, Focus::Messages, Focus::Chats]),
            Action::PrevFocus => self.turn(&[Focus::Chats, Focus::Messages, Focus::Composer]),
            Action::Search => self.open_search(None, ""),
            Action::SearchHere => self.open_search(self.page().map(|page| page.chat.clone()), ""),
            Action::Trust => match (self.open_room(), self.page().map(|page| page.chat.clone()).or_else(|| self.jid())) {
                (Some(room), _) => self.open_members(room),
                (None, Some(jid)) => self.open_trust(jid, None),
                (None, None) => {}
            },
            Action::Members => match self.open_room() {
                Some(room) => self.open_members(room),
                None => self.warn("that is for rooms; this chat is none"),
            },
            Action::Notices => self.dialogs.push(Dialog::Notices { at: 0 }),
            Action::Accounts => self.dialogs.push(Dialog::Accounts { at: self.at }),
            Action::NewChat => self.dialogs.push(Prompt::dialog(Asked::Chat)),
            Action::NewRoom => self.dialogs.push(Prompt::dialog(Asked::Room)),
            Action::JoinRoom => self.dialogs.push(Prompt::dialog(Asked::Join)),
            Action::Invite | Action::Leave => self.room_action(action),
            Action::NextUnread => self.next_unread(),
            Action::PrevChat | Action::NextChat => self.neighbour(action == Action::NextChat),
            Action::PageUp | Action::PageDown => self.scroll_page(action == Action::PageUp),
            Action::Edit(edit) => {
                if let Some(editor) = self.editor() {
                    editor.apply(edit);
                }
                self.typed();
            }
            Action::Send => self.send(),
            Action::Cancel => self.cancel(),
            _ => match self.focus {
                Focus::Composer => self.recall(action),
                Focus::Messages => self.act_on_message(action),
                Focus::Chats => self.act_on_list(action),
            },
        }
    }
    fn turn(&mut self, order: &[Focus; 3]) {
        let mut at = order.iter().position(|focus| *focus == self.focus).unwrap_or(0);
        at = (at + 1) % 3;
        // without messages there is nothing to select
        if order.get(at) == Some(&Focus::Messages) && self.page().is_none_or(|page| page.entries.is_empty()) {
            at = (at + 1) % 3;
        }
        let focus = order.get(at).copied().unwrap_or(Focus::Composer);
        self.set_focus(focus);
    }
    pub(super) fn set_focus(&mut self, focus: Focus) {
        self.focus = focus;
        if focus == Focus::Messages {
            self.with_page(|page, height, look| {
                if page.selected.is_none() {
                    page.step(false, height, look);
                } else {
                    page.keep_selected(height, look);
                }
            });
        }
        if focus == Focus::Chats
            && let Some(account) = self.account_mut()
            && let Some(open) = account.page.as_ref().map(|page| page.chat.clone())
        {
            account.cursor = Some(open);
        }
    }
    /// The open chat with how it is laid out.
    pub(super) fn with_page<T>(&mut self, f: impl FnOnce(&mut Page, usize, &Look) -> T) -> Option<T> {
        let layout = self.layout().messages;
        let Screen { accounts, at, zone, .. } = self;
        let Account { page, jid, .. } = accounts.get_mut(*at)?;
        let page = page.as_mut()?;
        let new_from = page.new_from;
        let look = Look { width: usize::from(layout.width), account: jid, zone, new_from };
        Some(f(page, usize::from(layout.height), &look))
    }
    fn select_with(&mut self, f: impl FnOnce(&mut Page, usize, &Look)) {
        self.with_page(f);
    }
    fn scroll_page(&mut self, up: bool) {
        self.with_page(|page, height, look| {
            page.scroll(up, height.saturating_sub(2).max(1), height, look);
            page.keep_selected(height, look);
        });
    }
    fn cancel(&mut self) {
        let focus = self.focus;
        if let Some(page) = self.page_mut() {
            if focus == Focus::Composer {
                if let Some(About::Edit { .. }) = page.draft.about.take() {
                    page.draft.take();
                }
                page.follow();
            }
            page.selected = None;
        }
        let newer = self.page().is_some_and(|page| page.newer);
        if focus == Focus::Composer && newer {
            self.load(Load::Newest);
        }
        self.focus = Focus::Composer;
    }

    // chats

    /// Opens a chat of the account on the screen; one that is open already stays as it is.
    pub fn open(&mut self, chat: &str) {
        self.focus = Focus::Composer;
        self.stop_typing();
        let Some(account) = self.account_mut() else { return };
        account.cursor = Some(chat.to_owned());
        if account.page.as_ref().is_some_and(|page| page.chat == chat) {
            return;
        }
        if let Some(old) = account.page.take() {
            account.drafts.insert(old.chat, old.draft);
        }
        let mut page = Page::new(chat.to_owned());
        page.draft = account.drafts.remove(chat).unwrap_or_default();
        account.page = Some(page);
        self.load(Load::Newest);
    }
    /// Asks for a part of the open chat's history.
    pub(super) fn load(&mut self, way: Load) {
        self.serial += 1;
        let serial = self.serial;
        let Some(account) = self.jid() else { return };
        let Some(page) = self.page_mut() else { return };
        page.loading = Some((way, serial));
        let chat = page.chat.clone();
        let mut ask = GetHistory { chat: chat.clone(), limit: Some(STEP), account: Some(account.clone()), ..GetHistory::default() };
        match way {
            Load::Newest => {}
            Load::Before(place) => ask.before = Some(place),
            Load::After(place) => ask.after = Some(place),
            Load::Around(place) => ask.around = Some(place),
        }
        self.call(Tag::Page { account, chat, way, serial }, Call::History(ask));
    }
    fn neighbour(&mut self, down: bool) {
        let Some(account) = self.account_mut() else { return };
        if account.page.is_some() {
            account.cursor = account.page.as_ref().map(|page| page.chat.clone());
        }
        let at = account.cursor();
        account.set_cursor(if down { at + 1 } else { at.saturating_sub(1) });
        if let Some(chat) = account.cursor.clone() {
            self.open(&chat);
        }
    }
    fn next_unread(&mut self) {
        let open = self.page().map(|page| page.chat.clone());
        let next = self.account().and_then(|a| a.chats.iter().find(|chat| chat.unread > 0 && Some(&chat.chat) != open.as_ref()));
        match next.map(|chat| chat.chat.clone()) {
            Some(chat) => self.open(&chat),
            None => self.say("nothing unread"),
        }
    }
    fn act_on_list(&mut self, action: Action) {
        let Some(account) = self.account_mut() else { return };
        let at = account.cursor();
        match action {
            Action::Up => account.set_cursor(at.saturating_sub(1)),
            Action::Down => account.set_cursor(at + 1),
            Action::First => account.set_cursor(0),
            Action::Last => account.set_cursor(usize::MAX),
            Action::Choose => {
                account.set_cursor(at);
                match account.cursor.clone() {
                    Some(chat) => self.open(&chat),
                    None => self.say("no chats yet: n writes to somebody, N makes a room"),
                }
            }
            _ => {}
        }
    }
    /// Of the chat under the cursor, or the open one.
    fn room_action(&mut self, action: Action) {
        let listed = self.focus == Focus::Chats;
        let account = self.account();
        let chat = account.and_then(|a| if listed { a.chats.get(a.cursor()) } else { a.open() });
        let Some(room) = chat.filter(|chat| chat.room).map(|chat| chat.chat.clone()) else {
            return self.warn("that is for rooms; this chat is none");
        };
        match action {
            Action::Invite => self.dialogs.push(Prompt::dialog(Asked::Invite(room))),
            _ => self.ask_leave(room),
        }
    }
    pub(super) fn ask_leave(&mut self, room: String) {
        let text = format!("Leave the room {}? You get nothing more of what is said there, but remain a member.", text::line(&room));
        self.dialogs.push(Dialog::Question { text, what: Sure::Leave(room) });
    }

    // messages

    fn act_on_message(&mut self, action: Action) {
        match action {
            Action::Up | Action::Down => return self.select_with(|page, height, look| page.step(action == Action::Up, height, look)),
            Action::Last if self.page().is_some_and(|page| page.newer) => {
                if let Some(page) = self.page_mut() {
                    page.selected = None;
                }
                return self.load(Load::Newest);
            }
            Action::First | Action::Last => return self.select_with(|page, height, look| page.select_end(action == Action::First, height, look)),
            _ => {}
        }
        let Some(entry) = self.page().and_then(Page::chosen).cloned() else { return self.warn("choose a message first") };
        let gone = entry.retracted.is_some() || entry.undecryptable.is_some();
        match action {
            Action::Reply | Action::React | Action::Correct if gone => self.warn("there are no words to that"),
            Action::Reply => {
                let about = About::Reply { place: entry.place, from: entry.from, text: text::line(&entry.text.unwrap_or_default()) };
                self.write_about(about, None);
            }
            Action::React => self.dialogs.push(Prompt::dialog(Asked::Emoji(entry.place))),
            Action::Correct | Action::Retract if !entry.outgoing => self.warn("that is for messages of one's own"),
            Action::Correct => self.write_about(About::Edit { place: entry.place }, entry.text),
            Action::Retract if entry.retracted.is_some() => self.warn("it is taken back already"),
            Action::Retract => {
                let text = "Take this message back? Who has read it may remember it.".to_owned();
                self.dialogs.push(Dialog::Question { text, what: Sure::Retract(entry.place) });
            }
            Action::Details => self.details(&entry),
            Action::Answered => match entry.reply.and_then(|reply| reply.place) {
                Some(place) => self.jump(place),
                None => self.warn("it answers no message that is here"),
            },
            _ => {}
        }
    }
    fn write_about(&mut self, about: About, text: Option<String>) {
        if let Some(page) = self.page_mut() {
            page.draft.about = Some(about);
            if let Some(text) = text {
                page.draft.editor = Editor::with(&text);
            }
        }
        self.focus = Focus::Composer;
    }
    /// Shows a message of the open chat, wherever it is in the history.
    pub(super) fn jump(&mut self, place: i64) {
        if self.with_page(|page, height, look| page.show(place, height, look)) != Some(true) {
            if let Some(page) = self.page_mut() {
                page.selected = Some(place);
            }
            self.load(Load::Around(place));
        }
        self.focus = Focus::Messages;
    }
    fn details(&mut self, entry: &Entry) {
        let mut rows = vec![format!(" from     {}", text::line(&entry.from)), format!(" when     {}", date(entry.time, &self.zone))];
        let how = if entry.encrypted { "encrypted" } else { "in clear: servers could read it" };
        rows.push(format!(" how      {how}"));
        if let Some(device) = &entry.device {
            let trust = entry.trust.map_or("", show::word);
            rows.push(format!(" device   {} {trust}", text::line(&device.to_string())));
        }
        if let Some(state) = entry.state {
            rows.push(format!(" state    {}", way(state)));
        }
        for code in entry.reason.iter().chain(&entry.undecryptable) {
            rows.push(format!(" why      {}", sentence(code)));
        }
        let account = self.jid().unwrap_or_default();
        rows.extend(entry.reactions.iter().map(|r| format!(" {}       {}", text::line(&r.emoji), people(&r.from, &account))));
        rows.push(format!(" id       {}", text::line(&entry.id)));
        self.dialogs.push(Dialog::Text { what: "Message".into(), rows, top: 0 });
    }
}
