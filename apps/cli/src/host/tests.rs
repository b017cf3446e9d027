//! The host loop with real stores and real encryption over a server that is a table in memory.
use super::drive::Job;
use super::ledger::Login;
use super::link::{Ask, Came, Link, Mark, RoomAsk, Said};
use super::open;
use crate::args::Level;
use crate::config::TrustPolicy;
use crate::engine::Choice;
use crate::failure::Failure;
use crate::home::{AccountDir, Home};
use crate::rpc::types::{Devices, Message, Notification, SendResult, SendText, SetTrust, State};
use crate::rpc::{Call, types};
use serde_json::Value;
use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use subrosa_engine::{Address, ChatId, Headers, Input, Item, MessageId, Node, Output, OutputId, Recipients, Request, RequestError, Wire};
use subrosa_xmpp::Bounce;
use subrosa_xmpp::archive::Query;
use subrosa_xmpp::bookmarks::Bookmark;
use tokio::sync::{mpsc, oneshot};

mod hostile;
mod missed;
mod people;
mod rooms;
mod safekeeping;
mod talk;
mod told;

const PATIENCE: Duration = Duration::from_secs(20);

/// (owner, node) → items by id.
type Nodes = HashMap<(String, String), BTreeMap<String, Vec<u8>>>;
/// The server: nodes, and who is connected.
#[derive(Default)]
struct Server {
    nodes: Mutex<Nodes>,
    clients: Mutex<Vec<(String, u64, mpsc::UnboundedSender<Job>)>>,
    /// Messages are taken and not acknowledged.
    silent: Mutex<bool>,
    /// Messages come back, and are acknowledged then.
    bounces: Mutex<bool>,
    /// What was asked of rooms, bookmarks and archives.
    rooms: Mutex<Vec<RoomAsk>>,
    bookmarks: Mutex<Vec<Result<Bookmark, Address>>>,
    queries: Mutex<Vec<Query>>,
    /// Archives are kept and not given.
    busy: Mutex<bool>,
    count: AtomicU64,
    handled: AtomicU64,
    /// What each account sent and received, in order; read by `missed`. `None`: the server keeps nothing.
    archive: Mutex<Option<Vec<missed::Kept>>>,
}
impl Server {
    fn serve(self: &Arc<Self>, jid: &str, mut asks: mpsc::UnboundedReceiver<Ask>, jobs: mpsc::UnboundedSender<Job>) {
        let (server, jid) = (self.clone(), jid.to_owned());
        tokio::spawn(async move {
            let me = server.count.fetch_add(1, Ordering::Relaxed);
            let (mut online, mut waiting) = (false, Vec::new());
            while let Some(ask) = asks.recv().await {
                match ask {
                    Ask::Connect if online => {}
                    Ask::Connect => {
                        online = true;
                        server.clients.lock().expect("unpoisoned").push((jid.clone(), me, jobs.clone()));
                        let _ = jobs.send(Job::Link(Said::State(State::Online, None)));
                        let _ = jobs.send(Job::Link(Said::Input(Input::Online { resumed: false })));
                        server.tell_abilities(&jobs);
                        waiting.drain(..).for_each(|(id, output)| server.put(&jid, me, &jobs, id, output));
                    }
                    Ask::Put(id, output) if online => server.put(&jid, me, &jobs, id, output),
                    // requests come again after Online, by themselves
                    Ask::Put(id, output) => waiting.extend((!matches!(output, Output::Request(..))).then_some((id, output))),
                    Ask::Room(ask) => server.rooms.lock().expect("unpoisoned").push(ask),
                    Ask::Archive(by, query) => {
                        server.queries.lock().expect("unpoisoned").push(query.clone());
                        server.page(&jid, &by, &query, &jobs);
                    }
                    Ask::Handled(Mark::Real(_)) | Ask::Position(_) | Ask::Block(_) => {}
                    Ask::Bookmark(change) => server.bookmarks.lock().expect("unpoisoned").push(change),
                    Ask::Handled(Mark::Test(mark)) => drop(server.handled.fetch_max(mark, Ordering::Relaxed)),
                    Ask::Stop(done) => {
                        let _ = done.send(());
                        break;
                    }
                }
            }
            server.clients.lock().expect("unpoisoned").retain(|c| c.1 != me);
        });
    }
    fn put(&self, jid: &str, me: u64, jobs: &mpsc::UnboundedSender<Job>, id: OutputId, output: Output) {
        let say = |said| drop(jobs.send(Job::Link(said)));
        match output {
            Output::Request(request, what) => say(Said::Input(Input::Answer(request, self.answer(&what)))),
            Output::Transmit { id: message, to, kind, wire: Wire::Encrypted(part), .. } => {
                let people = match to {
                    Recipients::People(people) => people,
                    Recipients::Device(device) => vec![device.owner],
                    Recipients::Room => Vec::new(), // no rooms on this server
                };
                let to_chat = people.first().map_or_else(|| jid.into(), |p| p.to_string());
                if *self.bounces.lock().expect("unpoisoned") {
                    let condition = "service-unavailable".into();
                    say(Said::Bounced(Bounce { id: message, from: to_chat.as_str().into(), condition, refused: None }));
                    return say(Said::Acknowledged(id));
                }
                let place = self.keep(jid, &to_chat, &message, kind, &part);
                for (owner, client, queue) in self.clients.lock().expect("unpoisoned").iter().filter(|c| c.1 != me) {
                    let chat = match (people.iter().any(|p| p.as_str() == owner), owner == jid) {
                        (_, true) => to_chat.as_str(),
                        (true, _) => jid,
                        (false, false) => continue,
                    };
                    let input = Input::Receive {
                        id: MessageId::from(message.as_str()),
                        chat: ChatId(chat.into()),
                        from: jid.into(),
                        sent: super::drive::now(),
                        kind,
                        content_type: part.content_type.clone(),
                        body: part.body.clone(),
                        headers: Headers::default(),
                        answer_by: None,
                    };
                    let _ = client;
                    let mark = Mark::Test(self.count.fetch_add(1, Ordering::Relaxed));
                    let _ = queue.send(Job::Link(Said::Came(Box::new(Came {
                        inputs: vec![input],
                        ids: missed::ids(owner, place),
                        mark: Some(mark),
                        ..Came::default()
                    }))));
                }
                if !*self.silent.lock().expect("unpoisoned") {
                    say(Said::Acknowledged(id));
                }
            }
            _ => {}
        }
    }
    fn answer(&self, what: &Request) -> Result<Vec<Item>, RequestError> {
        let mut nodes = self.nodes.lock().expect("unpoisoned");
        let name = |node: &Node| (node.owner.to_string(), node.name.clone());
        match what {
            Request::Fetch(node) => {
                let items = nodes.get(&name(node)).ok_or(RequestError::NotFound)?.iter();
                let wanted = items.filter(|(id, _)| node.item.as_ref().is_none_or(|i| i == *id));
                Ok(wanted.map(|(id, payload)| Item { id: Some(id.clone()), payload: payload.clone() }).collect())
            }
            Request::Publish { node, payload, .. } => {
                let item = node.item.clone().unwrap_or_else(|| "current".into());
                nodes.entry(name(node)).or_default().insert(item, payload.clone());
                for (_, _, queue) in self.clients.lock().expect("unpoisoned").iter() {
                    let _ = queue.send(Job::Link(Said::Input(Input::Published(node.clone(), Some(payload.clone())))));
                }
                Ok(Vec::new())
            }
            Request::Delete(node) => {
                match &node.item {
                    Some(item) => drop(nodes.entry(name(node)).or_default().remove(item)),
                    None => drop(nodes.remove(&name(node))),
                }
                Ok(Vec::new())
            }
            _ => Err(RequestError::Unreachable),
        }
    }
}

/// One process, as far as the host loop goes.
struct Client {
    jobs: mpsc::UnboundedSender<Job>,
    link: Link,
    notes: mpsc::UnboundedReceiver<Notification>,
    account: AccountDir,
    thread: Thread,
}
/// Ends with the test, and before the test's process does ([`open::joined`]).
struct Thread(mpsc::WeakUnboundedSender<Job>, Option<std::thread::JoinHandle<()>>);
impl Drop for Thread {
    fn drop(&mut self) {
        if let Some(jobs) = self.0.upgrade() {
            let _ = jobs.send(Job::Stop(oneshot::channel().0));
        }
        let _ = self.1.take().map(std::thread::JoinHandle::join);
    }
}
impl Client {
    async fn start(server: &Arc<Server>, account: &AccountDir, policy: TrustPolicy) -> Self {
        Self::start_with(server, account, policy, Choice::default()).await
    }
    async fn start_with(server: &Arc<Server>, account: &AccountDir, policy: TrustPolicy, engine: Choice) -> Self {
        let (jobs, inbox) = mpsc::unbounded_channel();
        let (link, asks) = Link::new();
        let key = account.store_key(true).expect("a key");
        let bell = jobs.downgrade();
        let (opened, thread) = open::spawn(open::Open { dir: account.clone(), key, policy, first_days: 7, engine, link: link.clone(), bell }, inbox);
        let thread = Thread(jobs.downgrade(), Some(thread));
        opened.await.expect("an answer").expect("opens");
        server.serve(&account.jid, asks, jobs.clone());
        let (_, notes) = mpsc::unbounded_channel();
        Client { jobs, link, notes, account: account.clone(), thread }
    }
    /// Opened, connected, published, listened to.
    async fn begin(server: &Arc<Server>, account: &AccountDir) -> Self {
        let mut client = Client::start(server, account, TrustPolicy::Btbv).await;
        client.link.connect();
        client.ask(Job::Settled).await.expect("settles");
        client.listen();
        client
    }
    fn listen(&mut self) {
        let (subscriber, notes) = mpsc::unbounded_channel();
        let _ = self.jobs.send(Job::Subscribe(subscriber));
        self.notes = notes;
    }
    async fn ask(&self, job: impl FnOnce(super::sends::Waiter) -> Job) -> Result<Value, Failure> {
        let (waiter, answer) = oneshot::channel();
        let _ = self.jobs.send(job(waiter));
        tokio::time::timeout(PATIENCE, answer).await.expect("in time").expect("an answer")
    }
    async fn call(&self, call: Call) -> Result<Value, Failure> {
        self.ask(|waiter| Job::Call(call, waiter)).await
    }
    async fn send(&self, to: &str, text: &str, id: &str) -> Result<SendResult, Failure> {
        let send = SendText { to: to.into(), text: text.into(), id: Some(id.into()), timeout: None, account: None };
        self.call(Call::Send(send)).await.map(|v| serde_json::from_value(v).expect("a result"))
    }
    async fn next(&mut self) -> Notification {
        loop {
            let note = tokio::time::timeout(PATIENCE, self.notes.recv()).await.expect("in time").expect("a notification");
            let for_screens = matches!(note, Notification::Entry(_) | Notification::Chat(_) | Notification::CatchUp(_));
            if !for_screens && !matches!(note, Notification::Connection(_)) {
                return note;
            }
        }
    }
    async fn message(&mut self) -> Message {
        loop {
            match self.next().await {
                Notification::Message(m) => return m,
                Notification::DeviceNew(d) => drop(self.jobs.send(Job::Shown(d.seq))),
                _ => panic!("something else than a message"),
            }
        }
    }
    async fn status(&self) -> types::AccountStatus {
        let value = self.call(Call::Status(types::Scope::default())).await.expect("a status");
        serde_json::from_value(value).expect("of an account")
    }
    /// What `kill -9` leaves: the thread sees its channel end and drops everything.
    async fn killed(self) -> AccountDir {
        let Client { jobs, link, notes, account, thread } = self;
        drop((jobs, notes));
        link.stop().await; // ends the server's task, which holds the other sender
        drop(link);
        let store = account.store();
        let key = account.store_key(false).expect("the key");
        // the lock of the store is free when the thread is gone
        let until = tokio::time::Instant::now() + PATIENCE;
        while subrosa_store::SqliteStore::open(&store, &key).is_err() {
            assert!(tokio::time::Instant::now() < until, "the thread did not end");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        drop(thread);
        account
    }
    async fn stopped(self) -> AccountDir {
        let (done, stopped) = oneshot::channel();
        let _ = self.jobs.send(Job::Stop(done));
        stopped.await.expect("stops");
        self.killed().await
    }
}

fn place() -> (tempfile::TempDir, Home) {
    let dir = tempfile::tempdir().expect("a directory");
    let home = Home::locate(Some(dir.path().to_owned())).expect("a home");
    (dir, home)
}
