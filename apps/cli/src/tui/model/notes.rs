//! What comes without being asked for.
use super::account::NoticeKind;
use super::names::person;
use super::page::Load;
use super::rows::sentence;
use super::*;
use crate::rpc::types::*;
use crate::show;
use crate::tui::text;

impl Screen {
    pub(super) fn note(&mut self, note: Notification) {
        let jid = note.account().to_owned();
        let seq = note.seq();
        let Some(account) = self.known(&jid) else { return };
        match note {
            Notification::Entry(EntryChanged { entry, .. }) => {
                if let Some(page) = account.page.as_mut().filter(|page| page.chat == entry.chat) {
                    if !entry.outgoing {
                        page.typing.retain(|who| *who != entry.from);
                    }
                    let (place, who, when) = (entry.place, person(&entry.from, &jid), show::time(entry.time));
                    if page.put(entry) {
                        let words = format!("A message of {who} from {when} (UTC) came late: it stands further up. Enter goes there.");
                        let kind = NoticeKind::Late(page.chat.clone(), place);
                        if account.notices.iter().all(|notice| notice.kind != kind) {
                            account.notice(kind, words, None);
                        }
                    }
                }
            }
            Notification::Chat(ChatChanged { chat, .. }) => account.put(chat),
            // both are in the history, and the chat says that they are unread
            Notification::Message(_) | Notification::Undecryptable(_) => self.out.extend(seq.map(|seq| Effect::Shown { account: jid, seq })),
            Notification::Typing(t) => {
                let chat = t.chat.unwrap_or_else(|| t.from.clone());
                if let Some(page) = account.page.as_mut().filter(|page| page.chat == chat) {
                    page.typing.retain(|who| *who != t.from);
                    if t.composing {
                        page.typing.push(t.from);
                    }
                }
            }
            Notification::Connection(Connection { state, reason, .. }) => self.connection(&jid, state, reason),
            Notification::CatchUp(catch_up) => {
                account.catch_up = Some(catch_up.clone()).filter(|now| now.running);
                if account.catch_up.is_none() && !catch_up.failed.is_empty() {
                    self.warn(crate::show::note(&Notification::CatchUp(catch_up), false));
                }
            }
            Notification::HistoryProgress(progress) => self.history_moves(progress),
            Notification::Invitation(Invitation { room, from, by_room, reason, .. }) => {
                account.invitations.retain(|known| known.room != room);
                account.invitations.push(Invited { room, from, by_room, reason });
            }
            Notification::Room(news) => self.room_news(news),
            Notification::State(_) | Notification::Receipt(_) => {}
            note => self.notice(&jid, seq, note),
        }
    }
    /// What stays until it was acknowledged.
    fn notice(&mut self, jid: &str, seq: Option<u64>, note: Notification) {
        let mut devices_of = None;
        let (kind, words) = match note {
            Notification::DeviceNew(DeviceSeen { jid: whose, device, fingerprint, trust, .. }) => {
                let device = text::line(&device.to_string());
                let key = show::groups(&text::line(&fingerprint));
                let words = match (whose == jid, trust) {
                    (true, _) => {
                        format!("A new device {device} of your own account. Approve it if it is yours; change your password if it is not. {key}")
                    }
                    (false, crate::args::Level::Undecided) => {
                        format!("{} has a new device {device}. It gets nothing until you decide. {key}", person(&whose, jid))
                    }
                    (false, trust) => format!("{} has a new device {device}, {}. {key}", person(&whose, jid), show::word(trust)),
                };
                devices_of = Some(whose.clone());
                (NoticeKind::Devices(whose), words)
            }
            Notification::KeyChanged(KeyChanged { jid: whose, device, fingerprint, .. }) => {
                let (device, key) = (text::line(&device.to_string()), show::groups(&text::line(&fingerprint)));
                let words = format!(
                    "Device {device} of {} shows another key than before. It gets nothing until you compare the new one and trust it. {key}",
                    person(&whose, jid)
                );
                devices_of = Some(whose.clone());
                (NoticeKind::Devices(whose), words)
            }
            Notification::NotSent(n) => {
                let who = if n.people.is_empty() { String::new() } else { format!(" Without keys: {}.", people(&n.people, jid)) };
                (NoticeKind::Other, format!("A message that had waited was not sent. {}{who}", sentence(&n.reason)))
            }
            Notification::Warning(w) => {
                let kind = match w.chat {
                    Some(chat) if w.code == "opt-out" => NoticeKind::OptOut(chat),
                    Some(chat) => NoticeKind::Chat(chat),
                    None => NoticeKind::Other,
                };
                let chat = match &kind {
                    NoticeKind::OptOut(chat) | NoticeKind::Chat(chat) => format!("{}: ", person(chat, jid)),
                    _ => String::new(),
                };
                (kind, format!("{chat}{}", text::line(&w.sentence)))
            }
            Notification::Bounced(b) => (
                NoticeKind::Chat(b.from.clone()),
                format!("A message came back from {}: {}; they may not have got it.", person(&b.from, jid), text::line(&b.condition)),
            ),
            Notification::LeftOut(l) => {
                let from = l.from.as_deref().map_or("Somebody".into(), |from| person(from, jid));
                (NoticeKind::Other, format!("{from} sent something that can't be taken: {}", text::line(&l.reason)))
            }
            other => (NoticeKind::Other, text::line(&show::note(&other, false))),
        };
        if let Some(account) = self.account_of(jid) {
            account.notice(kind, words, seq);
        }
        if let Some(whose) = devices_of
            && self.trusting().is_some_and(|trusting| trusting.jid == whose)
        {
            self.ask_devices(&whose);
        }
    }
    fn connection(&mut self, jid: &str, state: State, reason: Option<String>) {
        let Some(account) = self.account_of(jid) else { return };
        let again = account.link != State::Online && state == State::Online;
        (account.link, account.link_told, account.link_reason) = (state, true, reason.map(|why| text::line(&why)));
        // another process may have had the account meanwhile: what it told is not known here
        if again {
            self.refresh(jid);
        }
    }
    /// A history is on its way between own devices, or is offered by one.
    fn history_moves(&mut self, progress: HistoryProgress) {
        let jid = progress.account.clone();
        let Some(account) = self.account_of(&jid) else { return };
        let outgoing = progress.outgoing;
        let done = progress.of.is_some_and(|of| progress.done >= of);
        let Some(device) = progress.device.as_ref().map(|device| text::line(&device.to_string())) else {
            account.transfer = (!done).then_some(progress); // what comes of it is told to who asked
            return;
        };
        if !outgoing && progress.done == 0 && !done {
            let of = progress.of.map_or(String::new(), |of| format!(" of {of} messages"));
            let words = format!("Your device {device} offers its history{of}. To take it approve that device with its history (A).");
            if account.notices.iter().all(|notice| notice.text != words) {
                account.notice(NoticeKind::Devices(jid), words, None);
            }
            return;
        }
        account.transfer = (!done).then_some(progress);
        match (done, outgoing) {
            (true, true) => self.say(format!("device {device} has the history")),
            (true, false) => {
                self.refresh(&jid);
                self.say(format!("the history of device {device} is here"));
            }
            _ => {}
        }
    }
    /// Chats, rooms and the end of the open chat, anew.
    pub(super) fn refresh(&mut self, jid: &str) {
        self.ask_chats(jid);
        let end = self.page().is_some_and(|page| page.at_end() && page.loading.is_none());
        if end && self.jid().as_deref() == Some(jid) {
            self.load(Load::Newest);
        }
    }
    pub(super) fn ask_chats(&mut self, jid: &str) {
        let of = || OfAccount { account: Some(jid.to_owned()) };
        self.call(Tag::Chats(jid.to_owned()), Call::Chats(of()));
        self.call(Tag::Rooms(jid.to_owned()), Call::Rooms(of()));
    }
    fn room_news(&mut self, news: RoomNews) {
        let RoomNews { account: jid, room, event, jid: whom, reason } = news;
        let name = text::line(room.split('@').next().unwrap_or_default());
        let who = whom.as_deref().map_or("somebody".into(), |whom| person(whom, &jid));
        let why = reason.as_deref().map_or(String::new(), |why| format!(" ({})", sentence(why)));
        let Some(account) = self.account_of(&jid) else { return };
        let open = account.page.as_ref().is_some_and(|page| page.chat == room);
        match event {
            RoomEvent::Joined | RoomEvent::Left => account.invitations.retain(|known| known.room != room),
            RoomEvent::Refused => account.notice(NoticeKind::Chat(room.clone()), format!("The room {name} could not be entered{why}"), None),
            RoomEvent::Removed => account.notice(NoticeKind::Chat(room.clone()), format!("You are no longer in the room {name}{why}"), None),
            RoomEvent::MemberAdded if open => self.say(format!("{who} is a member now")),
            RoomEvent::MemberRemoved if open => self.say(format!("{who} is no member any more")),
            _ => {}
        }
        if matches!(event, RoomEvent::Joined | RoomEvent::Changed | RoomEvent::Removed) {
            self.call(Tag::Rooms(jid.clone()), Call::Rooms(OfAccount { account: Some(jid) }));
        }
        if self.dialogs.iter().any(|dialog| matches!(dialog, Dialog::Members(now) if now.room == room)) {
            self.ask_members(&room);
        }
    }
}
