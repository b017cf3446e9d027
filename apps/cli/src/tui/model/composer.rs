//! What is written: sent, taken up again, and told to the other side as it is typed. And what follows of itself after each event.
use super::page::Seen;
use super::*;
use crate::rpc::types::*;
use crate::tui::editor::Edit as Typed;

impl Screen {
    pub(super) fn send(&mut self) {
        let Some(account) = self.jid() else { return };
        let Some(page) = self.page_mut() else { return self.warn("choose a chat first: Tab, then Enter, or n for a new one") };
        let line = page.draft.editor.text().trim_end().to_owned();
        if line.trim().is_empty() {
            return;
        }
        if line.starts_with('/') && !line.starts_with("//") && !line.starts_with("/me ") && page.draft.about.is_none() {
            if self.command(&line)
                && let Some(page) = self.page_mut()
            {
                page.draft.take();
            }
            return;
        }
        let chat = page.chat.clone();
        let (_, about) = page.draft.take();
        page.follow();
        page.selected = None;
        page.new_from = None;
        let newer = page.newer;
        let text = line.strip_prefix('/').filter(|rest| rest.starts_with('/')).unwrap_or(&line).to_owned();
        self.send_words(Words { account, chat, text, about, decided: false });
        if newer {
            self.load(page::Load::Newest);
        }
        if let Some(page) = self.page_mut() {
            page.told_typing = false; // the message says so
        }
    }
    pub(super) fn send_words(&mut self, words: Words) {
        let Words { account, chat, text, about, .. } = words.clone();
        let account = Some(account);
        let (id, timeout) = (None, None);
        let call = match about {
            None => Call::Send(SendText { to: chat, text, id, timeout, account }),
            Some(About::Reply { place, .. }) => Call::Reply(Reply { chat, of: Of::Place(place), text, id, timeout, account }),
            Some(About::Edit { place }) => Call::Edit(crate::rpc::types::Edit { chat, of: Of::Place(place), text, id, timeout, account }),
        };
        self.call(Tag::Sent(words), call);
    }
    /// They leave: what is written is not needed any more, where it is them.
    pub(super) fn take_draft(&mut self, words: &Words) {
        if let Some(page) = self.page_mut().filter(|page| page.chat == words.chat && page.draft.editor.text() == words.text) {
            page.draft.take();
        }
    }
    /// It could not be sent: back it comes, where nothing else is being written.
    pub(super) fn give_back(&mut self, words: &Words) {
        let Some(account) = self.account_of(&words.account) else { return };
        let draft = match account.page.as_mut().filter(|page| page.chat == words.chat) {
            Some(page) => &mut page.draft,
            None => account.drafts.entry(words.chat.clone()).or_default(),
        };
        if draft.editor.is_empty() {
            draft.editor = Editor::with(&words.text);
            draft.about = words.about.clone();
        }
    }
    /// Up and down while writing.
    pub(super) fn recall(&mut self, action: Action) {
        let Some(page) = self.page_mut() else { return };
        let (first, last) = page.draft.editor.at_edge();
        match action {
            Action::Up if first => page.draft.recall(true),
            Action::Down if last => page.draft.recall(false),
            Action::Up => page.draft.editor.apply(Typed::Up),
            Action::Down => page.draft.editor.apply(Typed::Down),
            _ => {}
        }
    }
    /// Something was typed somewhere.
    pub(super) fn typed(&mut self) {
        if let Some(Dialog::Search(_)) = self.dialogs.last() {
            return self.ask_search();
        }
        if !self.dialogs.is_empty() {
            return;
        }
        let Some(account) = self.jid() else { return };
        let Some(page) = self.page_mut() else { return };
        let text = page.draft.editor.text();
        let writes = !text.trim().is_empty() && !text.starts_with('/');
        if writes != page.told_typing {
            page.told_typing = writes;
            let to = page.chat.clone();
            self.call(Tag::Read, Call::Typing(Typing { to, composing: writes, account: Some(account) }));
        }
    }
    pub(super) fn stop_typing(&mut self) {
        let Some(account) = self.jid() else { return };
        if let Some(page) = self.page_mut()
            && std::mem::take(&mut page.told_typing)
        {
            let to = page.chat.clone();
            self.call(Tag::Read, Call::Typing(Typing { to, composing: false, account: Some(account) }));
        }
    }
    /// What follows from how things are: entries to be loaded, messages that were read by being on the screen.
    pub(super) fn settle(&mut self) {
        if let Some(Some(way)) = self.with_page(|page, height, look| page.wants(height, look)) {
            self.load(way);
        }
        if !self.attended || !self.dialogs.is_empty() {
            return;
        }
        let Some(account) = self.account_mut() else { return };
        let jid = account.jid.clone();
        let room = account.open().is_some_and(|chat| chat.room);
        let Some(Some(Seen { from, id, since })) = self.with_page(|page, height, look| page.seen(height, look)) else { return };
        let from = self.page().filter(|_| room).map_or(from, |page| page.chat.clone());
        self.call(Tag::Read, Call::MarkRead(MarkRead { from, id, since: Some(since), account: Some(jid) }));
    }
}
