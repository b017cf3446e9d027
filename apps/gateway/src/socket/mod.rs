//! One browser's socket: what it sends becomes commands, what happens to its account becomes frames, at its own pace.
//!
//! Invariants: a number goes out at most once, in order; what a browser may ask before it is answered is bounded, and with it all
//! that waits here; whoever takes nothing, or sends what is no frame or too much, is closed and holds up nobody. While a browser takes
//! nothing, nothing is read from it.
mod frames;

use crate::account::{Account, Close, Command, Credentials, Place, ReplyTo};
use crate::app::{App, Running, now};
use crate::db;
use crate::http::limits::Bucket;
use crate::http::{cookies, login};
use crate::lock;
use axum::body::{Body, Bytes};
use axum::extract::WebSocketUpgrade;
use axum::extract::ws::{CloseFrame, Message, Utf8Bytes, WebSocket};
use axum::http::{HeaderMap, Response, header};
use frames::{Asked, read};
use futures_util::SinkExt as _;
use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;
use subrosa_web_api::http::{CLOSE_ABUSE, CLOSE_REPLACED, CLOSE_RESTART, CLOSE_REVOKED, CLOSE_VERSION};
use subrosa_web_api::socket::{FromGateway, RequestError, Session, ToGateway};
use subrosa_web_api::{MAX_FRAME, Seq, VERSION, decode, encode};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, interval, sleep, timeout};

/// How long a browser has for its first frame.
const HELLO: Duration = Duration::from_secs(15);
/// How long it may take nothing.
const SLOW: Duration = Duration::from_secs(30);
/// Between two signs of life asked for.
const PING: Duration = Duration::from_secs(30);
/// How long it may give none.
const DEAD: Duration = Duration::from_secs(95);
/// Events that are written together.
const TOGETHER: usize = 64;
/// Stanzas that are not accepted yet; then nothing more is read.
const UNACCEPTED: usize = 64;
/// WebSocket: come back later (RFC 6455's registry).
const LATER: u16 = 1013;
/// The highest number that is believed of a browser.
const BELIEVED: u64 = 1 << 52;
/// The pause after the database failed.
const DB_PAUSE: Duration = Duration::from_secs(1);
/// How often it is noted that a browser is still there, long before its login is too old.
const NOTED: Duration = Duration::from_secs(6 * 3600);

/// `GET` [`subrosa_web_api::http::SOCKET`]; its origin has been checked. What is wrong otherwise is said by the code that closes it: a
/// browser does not tell the status of a socket that was refused.
pub async fn open(app: &Arc<App>, headers: &HeaderMap, query: &str, upgrade: WebSocketUpgrade) -> Response<Body> {
    let upgrade = upgrade.read_buffer_size(4096).write_buffer_size(4096).max_write_buffer_size(MAX_FRAME.saturating_mul(3));
    let upgrade = upgrade.max_message_size(MAX_FRAME).max_frame_size(MAX_FRAME);
    let running = app.tasks.begin();
    let closed = |upgrade: WebSocketUpgrade, code, reason| upgrade.on_upgrade(async move |mut ws| close(&mut ws, code, reason).await);
    let version = query.split('&').find_map(|pair| pair.strip_prefix("v=")).and_then(|v| v.parse::<u32>().ok());
    if version != Some(VERSION) {
        return closed(upgrade, CLOSE_VERSION, "another version: reload the page");
    }
    let known = match login::who(app, headers).await {
        Ok(Some(known)) => known,
        Ok(None) => return closed(upgrade, CLOSE_REVOKED, "not logged in"),
        Err(_) => return closed(upgrade, LATER, "the database does not answer"),
    };
    let Some(password) = known.token.open(&known.account.jid, &known.browser.sealed) else {
        return closed(upgrade, CLOSE_REVOKED, "not logged in");
    };
    let browser = db::from_sql(known.browser.id);
    let credentials = Credentials { password, since: known.browser.since };
    let Some(place) = app.enter(known.account.id, &known.account.jid, credentials.clone(), browser) else {
        return closed(upgrade, LATER, "this account has as many browsers connected as it may");
    };
    // whoever signed it out since it was looked up found no socket to close
    match login::who(app, headers).await {
        Ok(Some(_)) => {}
        Ok(None) => return closed(upgrade, CLOSE_REVOKED, "not logged in"),
        Err(_) => return closed(upgrade, LATER, "the database does not answer"),
    }
    let present = lock(&place.account.credentials).clone();
    if present.since > credentials.since {
        login::doubt(app, &place.account, &present, credentials);
    }
    let socket = (app.clone(), place, running);
    let mut response = upgrade.on_upgrade(async move |ws| {
        let (app, place, running) = socket;
        serve(app, place, ws, running).await;
    });
    // good for as long again
    response.headers_mut().extend(cookies::write(&app.config, Some(&known.token)).map(|cookie| (header::SET_COOKIE, cookie)));
    response
}
async fn close(ws: &mut WebSocket, code: u16, reason: &'static str) {
    let frame = Message::Close(Some(CloseFrame { code, reason: Utf8Bytes::from_static(reason) }));
    let farewell = async {
        if ws.send(frame).await.is_ok() {
            while let Some(Ok(_)) = ws.recv().await {} // what it still says; then its farewell
        }
    };
    let _ = timeout(Duration::from_secs(2), farewell).await;
}
/// Notes it for the list; nobody waits for that.
fn seen(app: &Arc<App>, browser: u64) {
    let app = app.clone();
    let note = async move {
        let mut tx = app.db.begin().await?;
        db::browser::seen(&mut tx, db::to_sql(browser), now()).await?;
        tx.commit().await
    };
    tokio::spawn(note);
}

async fn serve(app: Arc<App>, place: Place, ws: WebSocket, _running: Running) {
    app.metrics.sockets.add(1);
    let browser = place.browser;
    seen(&app, browser);
    let (to, replies) = mpsc::unbounded_channel();
    let per_second = f64::from(app.config.limits.frames_per_second);
    let burst = f64::from(app.config.limits.frames_burst);
    let mut socket = Socket {
        account: place.account.clone(),
        status: place.account.status.subscribe(),
        head: place.account.head.subscribe(),
        browsers: place.account.browsers.subscribe(),
        stop: app.stop.subscribe(),
        bucket: (Bucket::full(burst, std::time::Instant::now()), burst, per_second),
        app: app.clone(),
        place,
        ws,
        to,
        replies,
        stream: u64::MAX,
        position: 0,
        catching_up: None,
        requests: HashSet::new(),
        unaccepted: 0,
        waiting: None,
        heard: Instant::now(),
        noted: Instant::now(),
    };
    let end = match socket.hello().await {
        Ok(()) => socket.live().await,
        Err(end) => end,
    };
    let (code, reason) = match end {
        End::Gone => (0, ""),
        End::Revoked => (CLOSE_REVOKED, "this browser was signed out"),
        End::Replaced => (CLOSE_REPLACED, "this browser opened another socket"),
        End::Stops => (CLOSE_RESTART, "come back"),
        End::Abuse(reason) => {
            app.metrics.abuse.add(1);
            tracing::info!(account = socket.account.name(), reason, "a socket is closed");
            (CLOSE_ABUSE, reason)
        }
    };
    if code != 0 {
        close(&mut socket.ws, code, reason).await;
    }
    app.metrics.sockets.sub(1);
    if end != End::Stops {
        seen(&app, browser);
    }
}

/// Why a socket ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Gone,
    Revoked,
    Replaced,
    Stops,
    Abuse(&'static str),
}
struct Socket {
    app: Arc<App>,
    account: Arc<Account>,
    place: Place,
    ws: WebSocket,
    to: ReplyTo,
    replies: mpsc::UnboundedReceiver<FromGateway>,
    status: watch::Receiver<crate::account::Status>,
    head: watch::Receiver<Option<u64>>,
    browsers: watch::Receiver<u64>,
    stop: watch::Receiver<bool>,
    bucket: (Bucket, f64, f64),
    /// The XMPP stream that this browser knows of.
    stream: u64,
    /// All events up to here went out.
    position: u64,
    /// Where the browser has caught up with what was there when it came.
    catching_up: Option<u64>,
    /// Open requests, by the browser's number.
    requests: HashSet<u64>,
    unaccepted: usize,
    /// Waits for room in the account's inbox.
    waiting: Option<Command>,
    heard: Instant,
    /// When it was last noted that it is there.
    noted: Instant,
}
impl Socket {
    /// The first frame, and its answer.
    async fn hello(&mut self) -> Result<(), End> {
        let deadline = sleep(HELLO);
        tokio::pin!(deadline);
        let since = loop {
            tokio::select! {
                frame = self.ws.recv() => match frame {
                    Some(Ok(Message::Binary(bytes))) => match decode(&bytes) {
                        Some(ToGateway::Hello { since }) => break since,
                        _ => return Err(End::Abuse("the first frame is Hello")),
                    },
                    Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                    Some(Ok(Message::Text(_))) => return Err(End::Abuse("frames are binary")),
                    Some(Ok(Message::Close(_)) | Err(_)) | None => return Err(End::Gone),
                },
                end = ended(&mut self.place.close, &mut self.stop) => return Err(end),
                () = &mut deadline => return Err(End::Abuse("the first frame is Hello")),
            }
        };
        let head = self.head_from(since.map_or(0, |seq| seq.0)).await?;
        let welcome = FromGateway::Welcome { jid: self.account.jid.clone(), browser: self.place.browser, head: Seq(head), now: now() };
        self.send(&welcome).await?;
        let session = self.session();
        self.send(&session).await?;
        self.catching_up = Some(head);
        match since {
            Some(Seq(since)) => self.position = since.min(head),
            None => {
                let mut position = 0;
                while position < head {
                    let page = loop {
                        match self.snapshot(position, head).await {
                            Ok(page) => break page,
                            Err(why) => self.database_failed(&why).await?,
                        }
                    };
                    position = page.up_to;
                    let frames = page.events.into_iter().map(|(seq, event)| crate::account::events::frame(seq, event)).collect();
                    self.write(frames).await?;
                }
                self.position = head;
            }
        }
        Ok(())
    }
    /// The newest number, once it is known. A browser that knows a higher one is right: the database was put back.
    async fn head_from(&mut self, since: u64) -> Result<u64, End> {
        let mut head = self.head.clone();
        let mut raised = false;
        loop {
            let known = *head.borrow_and_update();
            match known {
                Some(known) if known >= since || since >= BELIEVED => return Ok(known),
                Some(_) if !raised => {
                    raised = true;
                    let _ = self.account.inbox.send(Command::Raise(since)).await;
                    continue;
                }
                _ => {}
            }
            tokio::select! {
                changed = head.changed() => changed.map_err(|_| End::Stops)?,
                end = ended(&mut self.place.close, &mut self.stop) => return Err(end),
                frame = self.ws.recv() => if !matches!(frame, Some(Ok(_))) { return Err(End::Gone) },
            }
        }
    }
    async fn live(&mut self) -> End {
        let mut ping = interval(PING);
        ping.reset();
        loop {
            let more = match self.events().await {
                Ok(more) => more,
                Err(end) => return end,
            };
            let account = self.account.clone();
            let reads = self.waiting.is_none() && self.unaccepted < UNACCEPTED;
            let done = tokio::select! {
                biased;
                end = ended(&mut self.place.close, &mut self.stop) => {
                    if end == End::Revoked {
                        let session = self.session();
                        let _ = self.send(&session).await; // it says why
                    }
                    return end;
                }
                Some(reply) = self.replies.recv() => self.reply(reply).await,
                Ok(()) = self.status.changed() => {
                    let session = self.session();
                    self.send(&session).await
                }
                Ok(()) = self.browsers.changed() => self.list_browsers().await,
                permit = account.inbox.reserve(), if self.waiting.is_some() => match (permit, self.waiting.take()) {
                    (Ok(permit), Some(command)) => {
                        permit.send(command);
                        Ok(())
                    }
                    (Err(_), _) => Err(End::Stops),
                    (_, None) => Ok(()),
                },
                frame = self.ws.recv(), if reads => self.frame(frame).await,
                () = std::future::ready(()), if more => Ok(()),
                changed = self.head.changed() => changed.map_err(|_| End::Stops),
                _ = ping.tick() => {
                    if self.heard.elapsed() > DEAD {
                        return End::Gone;
                    }
                    if self.noted.elapsed() > NOTED {
                        self.noted = Instant::now();
                        seen(&self.app, self.place.browser);
                    }
                    self.put(Message::Ping(Bytes::new())).await
                }
            };
            if let Err(end) = done {
                return end;
            }
        }
    }
    /// Writes some of what is new. Whether there may be more.
    async fn events(&mut self) -> Result<bool, End> {
        let head = self.head.borrow().unwrap_or_default();
        let ready = lock(&self.account.ring).after(self.position, self.place.browser, TOGETHER);
        let frames = match ready {
            Some(list) => {
                self.position = list.last().map_or(self.position, |(seq, _)| *seq);
                list.into_iter().map(|(_, frame)| frame).collect()
            }
            None => {
                let page = loop {
                    match self.page(head).await {
                        Ok(page) => break page,
                        Err(why) => self.database_failed(&why).await?,
                    }
                };
                self.position = self.position.max(page.up_to);
                page.events.into_iter().map(|(seq, event)| crate::account::events::frame(seq, event)).collect::<Vec<_>>()
            }
        };
        let some = !frames.is_empty();
        self.write(frames).await?;
        if !some {
            // numbers that were left out
            self.position = self.position.max(head);
        }
        if self.catching_up.is_some_and(|head| self.position >= head) {
            self.catching_up = None;
            self.send(&FromGateway::CaughtUp).await?;
        }
        Ok(some || self.position < head)
    }
    async fn snapshot(&mut self, position: u64, head: u64) -> sqlx::Result<db::since::Page> {
        db::since::snapshot(&mut *self.app.db.read().await?, self.account.id, position, head).await
    }
    async fn page(&mut self, head: u64) -> sqlx::Result<db::since::Page> {
        let browser = db::to_sql(self.place.browser);
        db::since::page(&mut *self.app.db.read().await?, self.account.id, self.position, head, browser).await
    }
    /// Waits a moment, unless the socket is to end.
    async fn database_failed(&mut self, why: &sqlx::Error) -> Result<(), End> {
        tracing::warn!(account = self.account.name(), %why, "the database could not be read; tried again");
        tokio::select! {
            () = sleep(DB_PAUSE) => Ok(()),
            end = ended(&mut self.place.close, &mut self.stop) => Err(end),
        }
    }
    /// How the XMPP session is, as this browser has to take it.
    fn session(&mut self) -> FromGateway {
        let status = self.status.borrow_and_update().clone();
        FromGateway::Session(match status.session {
            Session::Online { .. } => {
                let resumed = self.stream == status.stream;
                self.stream = status.stream;
                if !resumed {
                    self.requests.clear();
                }
                Session::Online { resumed }
            }
            other => other,
        })
    }
    async fn reply(&mut self, reply: FromGateway) -> Result<(), End> {
        match &reply {
            FromGateway::Accepted { .. } | FromGateway::Rejected { .. } => self.unaccepted = self.unaccepted.saturating_sub(1),
            FromGateway::Answer { id, .. } => drop(self.requests.remove(id)),
            _ => {}
        }
        self.send(&reply).await
    }
    /// A frame came.
    async fn frame(&mut self, frame: Option<Result<Message, axum::Error>>) -> Result<(), End> {
        self.heard = Instant::now();
        let (bucket, burst, per_second) = &mut self.bucket;
        if !bucket.take(*burst, *per_second, std::time::Instant::now()) {
            return Err(End::Abuse("too many frames"));
        }
        let bytes = match frame {
            Some(Ok(Message::Binary(bytes))) => bytes,
            Some(Ok(Message::Ping(_) | Message::Pong(_))) => return Ok(()),
            Some(Ok(Message::Text(_))) => return Err(End::Abuse("frames are binary")),
            Some(Ok(Message::Close(_))) | None => return Err(End::Gone),
            // of the library's errors only these are the browser's doing; the others are a line that was cut
            Some(Err(why))
                if ["limit", "protocol"].iter().any(|word| why.to_string().contains(word)) && !why.to_string().contains("without closing") =>
            {
                return Err(End::Abuse("a frame is too large or broken"));
            }
            Some(Err(_)) => return Err(End::Gone),
        };
        self.app.metrics.frames.add(1);
        match read(&bytes, &self.to, self.place.browser).map_err(End::Abuse)? {
            Asked::Command(command) => {
                match &command {
                    Command::Send { .. } => self.unaccepted = self.unaccepted.saturating_add(1),
                    Command::Request { id, .. } => {
                        if self.requests.len() >= self.app.config.limits.requests {
                            return self.send(&FromGateway::Answer { id: *id, answer: Err(RequestError::Refused) }).await;
                        }
                        if !self.requests.insert(*id) {
                            return Ok(()); // it is on its way
                        }
                    }
                    _ => {}
                }
                self.waiting = Some(command);
                Ok(())
            }
            Asked::Answer(answer) => self.send(&answer).await,
            Asked::Browsers => self.list_browsers().await,
            Asked::Revoke(browser) => match login::void(&self.app, self.account.id, browser).await {
                Ok(_) => self.list_browsers().await,
                Err(_) => self.send(&frames::no_database()).await,
            },
        }
    }
    async fn read_browsers(&mut self) -> sqlx::Result<Vec<db::browser::Browser>> {
        db::browser::of_account(&mut *self.app.db.read().await?, self.account.id).await
    }
    async fn list_browsers(&mut self) -> Result<(), End> {
        self.browsers.borrow_and_update();
        let rows = match self.read_browsers().await {
            Ok(rows) => rows,
            Err(_) => return self.send(&frames::no_database()).await,
        };
        let list = rows.into_iter().map(|row| {
            let id = db::from_sql(row.id);
            let (this, connected) = (id == self.place.browser, self.account.is_connected(id));
            subrosa_web_api::http::Browser { id, label: row.label, this, connected, since: row.since, seen: row.seen }
        });
        let list = FromGateway::Browsers(list.collect());
        self.send(&list).await
    }

    async fn send(&mut self, frame: &FromGateway) -> Result<(), End> {
        self.put(Message::Binary(encode(frame).into())).await
    }
    async fn put(&mut self, message: Message) -> Result<(), End> {
        match timeout(SLOW, self.ws.send(message)).await {
            Ok(Ok(())) => Ok(()),
            _ => Err(End::Gone),
        }
    }
    /// Several, and then what stands in the buffer.
    async fn write(&mut self, frames: Vec<Bytes>) -> Result<(), End> {
        if frames.is_empty() {
            return Ok(());
        }
        for frame in frames {
            match timeout(SLOW, self.ws.feed(Message::Binary(frame))).await {
                Ok(Ok(())) => {}
                _ => return Err(End::Gone),
            }
        }
        match timeout(SLOW, self.ws.flush()).await {
            Ok(Ok(())) => Ok(()),
            _ => Err(End::Gone),
        }
    }
}
/// Waits until somebody wants this socket closed.
async fn ended(close: &mut watch::Receiver<Option<Close>>, stop: &mut watch::Receiver<bool>) -> End {
    tokio::select! {
        close = close.wait_for(Option::is_some) => match close.ok().and_then(|close| *close) {
            Some(Close::Revoked) => End::Revoked,
            Some(Close::Replaced) => End::Replaced,
            Some(Close::Ended) | None => End::Stops,
        },
        _ = stop.wait_for(|stop| *stop) => End::Stops,
    }
}
