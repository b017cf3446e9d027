//! One account: one XMPP session, one counter, all its browsers.
//!
//! [`session::Task`] is the only one that writes what has a number, so that their order is that of the counter; sockets read from
//! [`events::Ring`] and SQL at their own pace, and ask by [`Command`]. Nothing here opens an envelope.
pub mod events;
mod handful;
mod outbox;
mod receive;
mod roster;
mod session;

use crate::app::App;
use crate::lock;
use std::collections::HashMap;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};
use subrosa_web_api::http::BrowserId;
use subrosa_web_api::socket::{ContactChange, FromGateway, Request, Session};
use subrosa_web_api::{Failure, Jid, Kind, MessageId};
use tokio::sync::{mpsc, watch};
use zeroize::Zeroizing;

/// Commands that wait for the account's task; then sockets read no more.
const INBOX: usize = 128;

/// The way back to a socket. Unbounded, and bounded by what the socket lets a browser ask before it is answered.
pub type ReplyTo = mpsc::UnboundedSender<FromGateway>;

/// What a socket asks.
pub enum Command {
    /// Send a stanza; answered.
    Send { to: ReplyTo, browser: BrowserId, send: Send },
    /// Ask the XMPP server; answered while the session lasts.
    Request { to: ReplyTo, id: u64, what: Request },
    /// Read up to here.
    Read { chat: Jid, up_to: u64 },
    /// Decrypted here.
    Received { from: Jid, id: MessageId },
    /// Change the contact list; what does not work is answered.
    Contact { to: ReplyTo, change: ContactChange },
    /// Do not wait for the next attempt.
    ConnectNow,
    /// A browser knows higher numbers than there are: the database was put back.
    Raise(u64),
}
/// A stanza, as a browser gave it: addresses are normal, lengths checked.
pub struct Send {
    pub id: MessageId,
    pub part: u16,
    pub to: Jid,
    pub chat: Jid,
    pub kind: Kind,
    /// A run of XML elements.
    pub body: Vec<u8>,
    /// When it was made, as the browser says. 0: it does not.
    pub made: u64,
}

/// The password that the session uses, and until when who logged in has it from.
#[derive(Clone)]
pub struct Credentials {
    pub password: Zeroizing<String>,
    /// When the browser logged in that gave it.
    pub since: u64,
}

/// How the session is, and on which stream.
#[derive(Clone, Debug)]
pub struct Status {
    pub session: Session,
    /// Counts streams that are not resumed.
    pub stream: u64,
}

/// What closes a socket from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Close {
    Revoked,
    Replaced,
    /// The account's task ended: come back, to another one.
    Ended,
}
struct Slot {
    serial: u64,
    close: watch::Sender<Option<Close>>,
}
#[derive(Default)]
struct Slots {
    serial: u64,
    by_browser: HashMap<BrowserId, Slot>,
}

/// What the account's task and its sockets share.
pub struct Account {
    pub id: i64,
    pub jid: String,
    pub inbox: mpsc::Sender<Command>,
    pub ring: Mutex<events::Ring>,
    /// The newest event; `None`: not read yet.
    pub head: watch::Sender<Option<u64>>,
    pub status: watch::Sender<Status>,
    /// Counts changes of the list of browsers.
    pub browsers: watch::Sender<u64>,
    pub credentials: Mutex<Credentials>,
    /// A password that is not the present one is being asked about.
    pub doubting: AtomicBool,
    slots: Mutex<Slots>,
    connected: watch::Sender<usize>,
    /// The last browser left: end.
    leave: watch::Sender<bool>,
}

/// A socket's place in its account. Frees it when dropped.
pub struct Place {
    pub account: Arc<Account>,
    pub browser: BrowserId,
    serial: u64,
    pub close: watch::Receiver<Option<Close>>,
}
impl Drop for Place {
    fn drop(&mut self) {
        let mut slots = lock(&self.account.slots);
        if slots.by_browser.get(&self.browser).is_some_and(|slot| slot.serial == self.serial) {
            slots.by_browser.remove(&self.browser);
        }
        self.account.connected.send_replace(slots.by_browser.len());
    }
}

impl Account {
    /// Starts its task. The caller puts it where others find it.
    pub fn start(app: &Arc<App>, id: i64, jid: String, credentials: Credentials) -> Arc<Self> {
        let (inbox, commands) = mpsc::channel(INBOX);
        let account = Arc::new(Account {
            id,
            jid,
            inbox,
            ring: Mutex::default(),
            head: watch::Sender::new(None),
            status: watch::Sender::new(Status { session: Session::Connecting, stream: 0 }),
            browsers: watch::Sender::new(0),
            credentials: Mutex::new(credentials),
            doubting: AtomicBool::new(false),
            slots: Mutex::default(),
            connected: watch::Sender::new(0),
            leave: watch::Sender::new(false),
        });
        app.tasks.spawn(session::Task::new(app.clone(), account.clone(), commands).run());
        account
    }
    /// A place for a socket; the browser's other one is closed. `None`: the account has as many as it may.
    pub fn enter(self: &Arc<Self>, browser: BrowserId, most: usize) -> Option<Place> {
        let mut slots = lock(&self.slots);
        if !slots.by_browser.contains_key(&browser) && slots.by_browser.len() >= most {
            return None;
        }
        slots.serial = slots.serial.saturating_add(1);
        let serial = slots.serial;
        let (close, closed) = watch::channel(None);
        if let Some(old) = slots.by_browser.insert(browser, Slot { serial, close }) {
            old.close.send_replace(Some(Close::Replaced));
        }
        self.connected.send_replace(slots.by_browser.len());
        Some(Place { account: self.clone(), browser, serial, close: closed })
    }
    /// Closes the socket of a browser whose cookie is void.
    pub fn revoke(&self, browser: BrowserId) {
        if let Some(slot) = lock(&self.slots).by_browser.get(&browser) {
            slot.close.send_replace(Some(Close::Revoked));
        }
    }
    /// Closes all sockets.
    pub fn revoke_all(&self) {
        for slot in lock(&self.slots).by_browser.values() {
            slot.close.send_replace(Some(Close::Revoked));
        }
    }
    /// The task ended: whoever is still here has to come back.
    fn ended(&self) {
        for slot in lock(&self.slots).by_browser.values() {
            slot.close.send_if_modified(|close| close.is_none() && close.replace(Close::Ended).is_none());
        }
    }
    /// Closes the sockets of all browsers but these.
    pub fn revoke_others(&self, left: impl Iterator<Item = BrowserId>) {
        let left: std::collections::HashSet<BrowserId> = left.collect();
        for (_, slot) in lock(&self.slots).by_browser.iter().filter(|(browser, _)| !left.contains(browser)) {
            slot.close.send_replace(Some(Close::Revoked));
        }
    }
    pub fn is_connected(&self, browser: BrowserId) -> bool {
        lock(&self.slots).by_browser.contains_key(&browser)
    }
    /// How many sockets.
    pub fn sockets(&self) -> usize {
        lock(&self.slots).by_browser.len()
    }
    /// Somebody came or went for good.
    pub fn browsers_changed(&self) {
        self.browsers.send_modify(|count| *count = count.wrapping_add(1));
    }
    /// The last browser left for good: the session ends.
    pub fn leave(&self) {
        self.leave.send_replace(true);
    }
    /// How it stands in the log.
    pub fn name(&self) -> String {
        log_name(self.id)
    }
}
/// An account in the log: its random number in the database.
pub fn log_name(id: i64) -> String {
    format!("{id:013x}")
}

/// A failure of the connection, for a browser.
pub fn failure(why: &subrosa_xmpp::ConnectError) -> Failure {
    use subrosa_engine::Coded as _;
    let mut sentence = why.to_string();
    if let Some(first) = sentence.get(..1) {
        sentence = format!("{}{}.", first.to_uppercase(), sentence.get(1..).unwrap_or_default());
    }
    Failure::new(why.code(), sentence)
}
