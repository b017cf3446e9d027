//! Keys in dialogs, and what follows from what was typed and answered there.
use super::dialogs::QUICK;
use super::*;
use crate::rpc::types::*;
use crate::tui::text;

impl Screen {
    pub(super) fn act_in_dialog(&mut self, action: Action) {
        if action == Action::Cancel {
            return drop(self.dialogs.pop());
        }
        let page = usize::from(self.size.1).saturating_sub(6).max(1);
        match self.dialogs.last_mut() {
            Some(Dialog::Text { rows, top, .. }) => {
                let columns = layout::dialog_columns(self.size.0);
                let len: usize = rows.iter().map(|row| text::wrap(row, columns, 0).len()).sum();
                *top = moved(action, *top, len.saturating_sub(usize::from(self.size.1).saturating_sub(3)), page);
                if action == Action::Choose {
                    self.dialogs.pop();
                }
            }
            Some(Dialog::Code { .. }) if action == Action::Choose => drop(self.dialogs.pop()),
            Some(Dialog::Code { .. }) => {}
            Some(Dialog::Prompt(prompt)) => match action {
                Action::Edit(edit) => prompt.editor.apply(edit),
                Action::Choose => {
                    let text = prompt.editor.text().trim().to_owned();
                    if let Some(Dialog::Prompt(prompt)) = self.dialogs.pop() {
                        self.answered(prompt.what, text);
                    }
                }
                _ => {}
            },
            Some(Dialog::Question { .. }) => {
                if let (Action::Yes | Action::No, Some(Dialog::Question { what, .. })) = (action, self.dialogs.pop())
                    && action == Action::Yes
                {
                    self.sure(what);
                }
            }
            Some(Dialog::Trust(trusting)) => {
                let len = trusting.devices.as_ref().map_or(0, Vec::len);
                trusting.at = moved(action, trusting.at, len, (page / 3).max(1));
                self.act_in_trust(action);
            }
            Some(Dialog::Members(members)) => {
                members.at = moved(action, members.at, members.members.as_ref().map_or(0, Vec::len), page);
                self.act_in_members(action);
            }
            Some(Dialog::Search(searching)) => match action {
                Action::Edit(edit) => {
                    searching.editor.apply(edit);
                    self.typed();
                }
                Action::Choose => self.open_found(),
                _ => searching.at = moved(action, searching.at, searching.found.len(), page),
            },
            Some(Dialog::Notices { .. }) => self.act_in_notices(action, page),
            Some(Dialog::Accounts { at }) => {
                *at = moved(action, *at, self.accounts.len(), page);
                let at = *at;
                if action == Action::Choose {
                    self.dialogs.pop();
                    self.stop_typing();
                    self.at = at.min(self.accounts.len().saturating_sub(1));
                    self.focus = if self.page().is_some() { Focus::Composer } else { Focus::Chats };
                }
            }
            None => {}
        }
    }
    /// A prompt, or a command, with what was typed.
    pub(super) fn answered(&mut self, what: Asked, typed: String) {
        let Some(account) = self.jid() else { return };
        let named = Some(account.clone());
        match what {
            Asked::Chat => match address(&typed) {
                Some(jid) => {
                    if let Some(account) = self.account_mut() {
                        account.begin(&jid, false);
                    }
                    self.open(&jid);
                }
                None => self.warn("that is no address: it looks like bob@example.org"),
            },
            Asked::Room => {
                let name = Some(typed).filter(|name| !name.is_empty());
                self.call(Tag::Entered { account }, Call::RoomCreate(RoomCreate { name, room: None, nick: None, account: named }));
                self.say("the room is being made");
            }
            Asked::Join => match address(&typed) {
                Some(room) => self.enter(room),
                None => self.warn("that is no address of a room: it looks like tea@rooms.example.org"),
            },
            Asked::Invite(room) => match address(&typed) {
                Some(jid) => {
                    let tag = Tag::Done(format!("{} is invited", names::person(&jid, &account)));
                    self.call(tag, Call::RoomInvite(RoomInvite { room: room.clone(), jid, reason: None, account: named }));
                }
                None => self.warn("that is no address: it looks like bob@example.org"),
            },
            Asked::Link if typed.is_empty() => {}
            Asked::Link => self.call(Tag::Verified, Call::Verify(Verify { uri: Some(typed), account: named, ..Verify::default() })),
            Asked::Emoji(place) => {
                let Some(chat) = self.page().map(|page| page.chat.clone()) else { return };
                let quick = typed.parse::<usize>().ok().and_then(|n| QUICK.get(n.wrapping_sub(1)));
                let emojis = quick.map_or_else(|| typed.split_whitespace().map(str::to_owned).collect(), |emoji| vec![(*emoji).to_owned()]);
                self.call(Tag::Said, Call::React(React { chat, of: Of::Place(place), emojis, id: None, timeout: None, account: named }));
            }
            Asked::Passphrase { .. } if typed.is_empty() => self.warn("without a passphrase nothing is sealed"),
            Asked::Passphrase { path, restore: true, .. } => {
                self.call(Tag::Sealed { account, back: true }, Call::Restore(Sealed { path, passphrase: typed, replace: false, account: named }));
            }
            Asked::Passphrase { path, first: None, .. } => {
                self.dialogs.push(Prompt::dialog(Asked::Passphrase { path, restore: false, first: Some(typed) }));
            }
            Asked::Passphrase { first: Some(first), .. } if first != typed => self.warn("the two passphrases differ; nothing was written"),
            Asked::Passphrase { path, .. } => {
                self.call(Tag::Sealed { account, back: false }, Call::Backup(Sealed { path, passphrase: typed, replace: false, account: named }));
            }
        }
    }
    fn enter(&mut self, room: String) {
        let Some(account) = self.jid() else { return };
        self.say("going into the room");
        self.call(Tag::Entered { account: account.clone() }, Call::RoomJoin(RoomJoin { room, nick: None, account: Some(account) }));
    }
    /// A question was answered with yes.
    fn sure(&mut self, what: Sure) {
        let Some(account) = self.jid() else { return self.out.push(Effect::Quit) };
        let named = Some(account.clone());
        match what {
            Sure::Quit => self.out.push(Effect::Quit),
            Sure::Retract(place) => {
                let Some(chat) = self.page().map(|page| page.chat.clone()) else { return };
                self.call(Tag::Said, Call::Retract(Retract { chat, of: Of::Place(place), id: None, timeout: None, account: named }));
            }
            Sure::Leave(room) => {
                self.dialogs.retain(|dialog| !matches!(dialog, Dialog::Members(_)));
                if let Some(account) = self.account_mut() {
                    account.forget(&room);
                }
                self.focus = Focus::Chats;
                self.call(Tag::LeftRoom { account }, Call::RoomLeave(RoomLeave { room, destroy: false, resign: false, account: named }));
            }
            Sure::Verify { jid, device, fingerprint } => {
                let call = Verify { uri: None, jid: Some(jid), device: Some(device), fingerprint: Some(fingerprint), account: named };
                self.call(Tag::Verified, Call::Verify(call));
            }
            Sure::Approve { device, fingerprint, history } => {
                self.call(Tag::Decided(account), Call::Approve(Approve { device, fingerprint, history, account: named }));
            }
            Sure::RemoveDevice(device) => self.call(Tag::Decided(account), Call::RemoveDevice(RemoveDevice { device, account: named })),
            Sure::RemoveMember { room, jid } => {
                self.call(Tag::MembersChanged(room.clone()), Call::RoomRemove(RoomRemove { room, jid, account: named }));
            }
            Sure::LeaveOut(words) => {
                self.take_draft(&words);
                let call = Call::RoomLeaveOut(RoomLeaveOut { room: words.chat.clone(), leave_out: true, account: Some(words.account.clone()) });
                self.call(Tag::Freed(Words { decided: true, ..words }), call);
            }
            Sure::AllowClear(chat, words) => {
                if let Some(words) = &words {
                    self.take_draft(words);
                }
                let tag = words.map_or_else(
                    || Tag::Done("messages of this chat may go UNENCRYPTED".into()),
                    |words| Tag::Freed(Words { decided: true, ..words }),
                );
                self.call(tag, Call::AllowClear(AllowClear { chat, off: false, account: named }));
            }
            Sure::Block(jid) => self.call(Tag::Decided(jid.clone()), Call::Block(OfPerson { jid, account: named })),
            Sure::Erase(chat) => {
                if let Some(account) = self.account_mut() {
                    account.page = None;
                }
                self.focus = Focus::Chats;
                self.call(Tag::LeftRoom { account }, Call::Erase(OfChat { chat, account: named }));
            }
        }
    }

    // members

    pub(super) fn open_members(&mut self, room: String) {
        self.ask_members(&room);
        self.dialogs.push(Dialog::Members(MembersOf { room, members: None, leave_out: false, at: 0 }));
    }
    pub(super) fn ask_members(&mut self, room: &str) {
        let account = self.jid();
        self.call(Tag::Members { room: room.to_owned() }, Call::RoomMembers(OfRoom { room: room.to_owned(), account }));
    }
    fn act_in_members(&mut self, action: Action) {
        let account = self.jid();
        let Some(Dialog::Members(now)) = self.dialogs.last() else { return };
        let (room, leave_out) = (now.room.clone(), now.leave_out);
        let member = now.members.as_ref().and_then(|all| all.get(now.at)).map(|member| member.jid.clone());
        match (action, member) {
            (Action::Invite, _) => self.dialogs.push(Prompt::dialog(Asked::Invite(room))),
            (Action::Leave, _) => self.ask_leave(room),
            (Action::LeaveOut, _) => {
                let call = Call::RoomLeaveOut(RoomLeaveOut { room: room.clone(), leave_out: !leave_out, account });
                self.call(Tag::MembersChanged(room), call);
            }
            (Action::Choose, Some(jid)) => self.open_trust(jid, None),
            (Action::RemoveMember, Some(jid)) => {
                let text = format!("Take the membership of {}? They get nothing more of what is said here.", text::line(&jid));
                self.dialogs.push(Dialog::Question { text, what: Sure::RemoveMember { room, jid } });
            }
            _ => {}
        }
    }

    // notices

    fn act_in_notices(&mut self, action: Action, page: usize) {
        let Screen { accounts, at: which, dialogs, out, .. } = self;
        let (Some(Dialog::Notices { at }), Some(account)) = (dialogs.last_mut(), accounts.get_mut(*which)) else { return };
        let invited = account.invitations.len();
        *at = moved(action, *at, invited + account.notices.len(), page);
        let jid = account.jid.clone();
        if let Some(room) = account.invitations.get(*at).map(|invitation| invitation.room.clone()) {
            match action {
                Action::Accept | Action::Choose => self.enter(room),
                Action::Decline => {
                    account.invitations.remove(*at);
                    self.call(Tag::Done("declined".into()), Call::RoomLeave(RoomLeave { room, destroy: false, resign: false, account: Some(jid) }));
                }
                _ => {}
            }
            return;
        }
        let n = at.saturating_sub(invited);
        let Some(notice) = account.notices.get(n).cloned() else { return };
        let mut seen = |all: Vec<Notice>| {
            out.extend(all.into_iter().flat_map(|notice| notice.seqs).map(|seq| Effect::Shown { account: jid.clone(), seq }));
        };
        match (action, notice.kind) {
            (Action::Acknowledge, _) => {
                seen(vec![account.notices.remove(n)]);
                *at = (*at).min((invited + account.notices.len()).saturating_sub(1));
            }
            (Action::AcknowledgeAll, _) => {
                seen(std::mem::take(&mut account.notices));
                *at = 0;
            }
            (Action::GoOn, NoticeKind::OptOut(chat)) => {
                seen(vec![account.notices.remove(n)]);
                self.go_on(chat);
            }
            (Action::InClear, NoticeKind::OptOut(chat)) => self.ask_clear(chat, None),
            (Action::Choose, NoticeKind::Devices(whose)) => self.open_trust(whose, None),
            (Action::Choose, NoticeKind::Late(chat, place)) => {
                account.notices.remove(n);
                self.dialogs.clear();
                self.open(&chat);
                self.jump(place);
            }
            (Action::Choose, NoticeKind::Chat(chat) | NoticeKind::OptOut(chat)) => {
                self.dialogs.clear();
                self.open(&chat);
            }
            _ => {}
        }
    }

    // search

    pub(super) fn open_search(&mut self, chat: Option<String>, words: &str) {
        let editor = Editor::with(words);
        self.dialogs.push(Dialog::Search(Searching { editor, chat, found: Vec::new(), more: false, at: 0, serial: 0, waits: false, go: false }));
        if !words.is_empty() {
            self.ask_search();
        }
    }
    pub(super) fn searching(&mut self) -> Option<&mut Searching> {
        match self.dialogs.last_mut() {
            Some(Dialog::Search(searching)) => Some(searching),
            _ => None,
        }
    }
    /// The words changed.
    pub(super) fn ask_search(&mut self) {
        self.serial += 1;
        let (serial, account) = (self.serial, self.jid());
        let Some(searching) = self.searching() else { return };
        let query = searching.editor.text().trim().to_owned();
        searching.serial = serial;
        (searching.waits, searching.go) = (!query.is_empty(), false);
        if query.is_empty() {
            searching.found.clear();
            return;
        }
        let chat = searching.chat.clone();
        self.call(Tag::Found { serial }, Call::Search(Search { query, chat, limit: Some(100), account }));
    }
    pub(super) fn open_found(&mut self) {
        if let Some(searching) = self.searching() {
            searching.go = searching.waits;
        }
        let found = self.searching().filter(|now| !now.waits).and_then(|now| now.found.get(now.at)).map(|entry| (entry.chat.clone(), entry.place));
        let Some((chat, place)) = found else { return };
        self.dialogs.pop();
        if let Some(account) = self.account_mut() {
            account.begin(&chat, false);
        }
        self.open(&chat);
        self.jump(place);
    }
}

/// Where the cursor of a list of so many is after this key.
fn moved(action: Action, at: usize, len: usize, page: usize) -> usize {
    let at = match action {
        Action::Up => at.saturating_sub(1),
        Action::Down => at.saturating_add(1),
        Action::PageUp => at.saturating_sub(page),
        Action::PageDown => at.saturating_add(page),
        Action::First => 0,
        Action::Last => usize::MAX,
        _ => at,
    };
    at.min(len.saturating_sub(1))
}
/// A bare address, as it looks; the host checks it in earnest.
fn address(typed: &str) -> Option<String> {
    let jid = typed.trim().strip_prefix("xmpp:").unwrap_or(typed.trim());
    let jid = jid.split(['?', '/']).next().unwrap_or_default();
    let (local, domain) = jid.split_once('@')?;
    let sound = !local.is_empty() && !domain.is_empty() && !domain.contains('@') && !jid.contains(char::is_whitespace);
    sound.then(|| jid.to_lowercase())
}
