//! The connection of one account, as the machine's thread sees it: what it is asked ([`Ask`]), what it says ([`Said`]).
//! Made when it is wanted for the first time; what is to be sent before that waits here.
use super::drive::Job;
use super::ledger::Login;
use super::memory::KeptInvitation;
use super::sends::Waiter;
use crate::config::Account;
use crate::engine::Choice;
use crate::failure::{Failure, FaultName};
use crate::rpc::types::State;
use std::path::Path;
use subrosa_engine::{Address, Input, Output, OutputId, Time};
use subrosa_omemo::wire::Version;
use subrosa_xmpp::archive::{ArchiveError, Finished, Query};
use subrosa_xmpp::avatar::Picture;
use subrosa_xmpp::bookmarks::{Bookmark, BookmarkNews};
use subrosa_xmpp::positions::PositionNews;
use subrosa_xmpp::rooms::{Affiliation, Invitation, RoomConfig, RoomNews, RoomTurn, Rooms};
use subrosa_xmpp::{
    Abilities, BlockChange, BlockNews, Bounce, Config, ConnectError, Connection, Contact, Entity, Handle, Happening, Ids, Position, Roots, Security,
    StanzaId,
};
use tokio::sync::{mpsc, oneshot};

/// How long a goodbye to the server may take.
const GOODBYE: std::time::Duration = std::time::Duration::from_secs(3);
/// Where this program comes from, for XEP-0115.
const HOME: &str = "https://subrosa.example";

/// Up to where incoming stanzas are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mark {
    /// The connection's.
    Real(subrosa_xmpp::Mark),
    /// A test's.
    #[cfg(test)]
    Test(u64),
}

/// What the connection says.
pub enum Said {
    /// For the machine.
    Input(Input),
    /// A stanza, or what a room or an archive gave.
    Came(Box<Came>),
    /// A page of an archive is over.
    Page(Address, Result<Finished, ArchiveError>),
    /// What the server can.
    Abilities(Abilities),
    /// The contact list.
    Contacts(Vec<Contact>),
    /// One contact is new, changed or gone.
    Contact(Contact),
    /// Who is blocked.
    Blocking(BlockNews),
    /// How far the account's other devices have read.
    Position(PositionNews),
    /// Which rooms the account is in.
    Bookmarks(BookmarkNews),
    /// The server has this stanza.
    Acknowledged(OutputId),
    /// This stanza can never be sent.
    Unsendable(OutputId, Failure),
    /// A message of ours came back.
    Bounced(Bounce),
    /// Something came that can't be taken: from whom, and why.
    LeftOut(Option<String>, String),
    /// The strongest way of logging in so far.
    Pinned(String),
    /// The connection changed; with a failure where it went wrong.
    State(State, Option<Failure>),
}

/// What came.
#[derive(Default)]
pub struct Came {
    /// For the machine.
    pub inputs: Vec<Input>,
    /// The ids of the message in it.
    pub ids: Ids,
    /// What rooms say.
    pub news: Vec<RoomNews>,
    /// Out of an archive.
    pub archived: bool,
    /// The server is told that we have it once it is stored.
    pub mark: Option<Mark>,
}

/// What is asked of rooms.
pub enum RoomAsk {
    /// Make one.
    Create { room: Address, nick: String, name: String },
    /// Go in. `after`: when the newest message was sent that we have.
    Join { room: Address, nick: String, password: Option<String>, after: Option<Time> },
    /// Leave for good.
    Leave { room: Address },
    /// Leave for good, and be no member any more.
    Resign { room: Address },
    /// End it.
    Destroy { room: Address },
    /// Bring somebody in.
    Invite { room: Address, who: Address, reason: String },
    /// Take somebody out.
    Remove { room: Address, who: Address },
    /// Which picture does it have?
    Avatar { room: Address },
    /// Give it this one, or none.
    SetAvatar { room: Address, picture: Option<Picture> },
    /// Say that we do not come.
    Decline { invitation: KeptInvitation },
    /// These are all: messages to others wait for nothing.
    Complete,
    /// Who is in it? Answered to the waiter.
    Members { room: Address, leave_out: bool, waiter: Waiter },
}
impl RoomAsk {
    fn act(self, rooms: &mut Rooms, now: Time) -> RoomTurn {
        match self {
            RoomAsk::Create { room, nick, name } => rooms.create(&room, &nick, RoomConfig { name, description: String::new() }, now),
            RoomAsk::Join { room, nick, password, after } => rooms.join(&room, &nick, password.as_deref(), after, now),
            RoomAsk::Leave { room } => rooms.leave(&room, now),
            RoomAsk::Resign { room } => rooms.resign(&room, now),
            RoomAsk::Destroy { room } => rooms.destroy(&room, "", now),
            RoomAsk::Invite { room, who, reason } => rooms.invite(&room, &who, &reason, now),
            RoomAsk::Remove { room, who } => rooms.affiliate(&room, &who, Affiliation::None, "", now),
            RoomAsk::Complete => rooms.complete(),
            RoomAsk::Avatar { room } => rooms.avatar(&room, now),
            RoomAsk::SetAvatar { room, picture } => rooms.set_avatar(&room, picture.as_ref(), now),
            RoomAsk::Decline { invitation: KeptInvitation { room, from, direct, reason, password } } => {
                let (room, by) = (Address::from(room.as_str()), Some(Address::from(from.as_str())));
                rooms.decline(&Invitation { room, by, direct, reason, password }, "")
            }
            RoomAsk::Members { room, leave_out, waiter } => {
                let members = rooms.members(&room).map(|(who, affiliation)| (who.clone(), affiliation)).collect();
                let present: Vec<_> = rooms.occupants(&room).map(|occupant| (occupant.nick.clone(), occupant.who.clone())).collect();
                let _ = waiter.send(super::notes::value(&super::rooms::members(&room, members, &present, leave_out)));
                RoomTurn::default()
            }
        }
    }
}

/// What the connection is asked.
#[allow(clippy::large_enum_variant, reason = "most are of the large one")]
pub enum Ask {
    /// To be sent, now or when there is a connection.
    Put(OutputId, Output),
    /// Incoming stanzas are stored up to here.
    Handled(Mark),
    /// About rooms.
    Room(RoomAsk),
    /// A page of an archive.
    Archive(Address, Query),
    /// Up to where a chat was read.
    Position(Position),
    /// The account is in this room, or no more.
    Bookmark(Result<Bookmark, Address>),
    /// Block or unblock somebody.
    Block(BlockChange),
    /// A connection is wanted.
    Connect,
    /// Close it in good order, and say when that is done.
    Stop(oneshot::Sender<()>),
}

/// The way to the connection.
#[derive(Clone)]
pub struct Link(mpsc::UnboundedSender<Ask>);
impl Link {
    /// Its two ends.
    pub fn new() -> (Self, mpsc::UnboundedReceiver<Ask>) {
        let (to, asks) = mpsc::unbounded_channel();
        (Link(to), asks)
    }
    /// To be sent, now or when there is a connection.
    pub fn put(&self, id: OutputId, output: Output) {
        let _ = self.0.send(Ask::Put(id, output));
    }
    /// Stored up to here.
    pub fn handled(&self, mark: Mark) {
        let _ = self.0.send(Ask::Handled(mark));
    }
    /// About rooms. Lost where there is no connection.
    pub fn room(&self, ask: RoomAsk) {
        let _ = self.0.send(Ask::Room(ask));
    }
    /// A page of an archive.
    pub fn archive(&self, by: Address, query: Query) {
        let _ = self.0.send(Ask::Archive(by, query));
    }
    /// The account's other devices learn up to where a chat was read.
    pub fn position(&self, chat: Address, by: Address, id: String) {
        let _ = self.0.send(Ask::Position(Position { chat, at: StanzaId { by, id } }));
    }
    /// The account's other devices go into this room too, or leave it.
    pub fn bookmark(&self, change: Result<Bookmark, Address>) {
        let _ = self.0.send(Ask::Bookmark(change));
    }
    /// Changes who is blocked.
    pub fn block(&self, change: BlockChange) {
        let _ = self.0.send(Ask::Block(change));
    }
    /// Connects, if that was not wanted before; else tries now rather than later.
    pub fn connect(&self) {
        let _ = self.0.send(Ask::Connect);
    }
    /// Closes it in good order.
    pub async fn stop(&self) {
        let (done, stopped) = oneshot::channel();
        if self.0.send(Ask::Stop(done)).is_ok() {
            let _ = stopped.await;
        }
    }
}

/// Starts the connection's task.
pub fn spawn(
    asks: mpsc::UnboundedReceiver<Ask>,
    jobs: mpsc::UnboundedSender<Job>,
    account: &Account,
    login: &Login,
    engine: &Choice,
) -> Result<(), Failure> {
    let mut config = config(account, login)?;
    config.engines = engine.other().is_some();
    config.rooms = true;
    tokio::spawn(Task { jobs, asks, config, refused: None, waiting: Vec::new() }.run());
    Ok(())
}

struct Task {
    jobs: mpsc::UnboundedSender<Job>,
    asks: mpsc::UnboundedReceiver<Ask>,
    config: Config,
    refused: Option<Failure>,
    /// Owed, and there is no connection yet. Requests are not among them: they come again when there is one.
    waiting: Vec<(OutputId, Output)>,
}
impl Task {
    async fn run(mut self) {
        let mut open: Option<(Handle, mpsc::Receiver<Happening>)> = None;
        loop {
            let ask = match &mut open {
                None => self.asks.recv().await,
                Some((_, happenings)) => tokio::select! {
                    ask = self.asks.recv() => ask,
                    happening = happenings.recv() => {
                        match happening {
                            Some(happening) => self.happened(happening),
                            None => open = None,
                        }
                        continue;
                    }
                },
            };
            match ask {
                None => return,
                Some(Ask::Connect) => match (&open, &self.refused) {
                    (Some((handle, _)), None) => handle.connect_now(),
                    (_, Some(failure)) => self.say(Said::State(State::Refused, Some(failure.clone()))),
                    (None, None) => {
                        let (handle, happenings) = Connection::start(self.config.clone());
                        self.waiting.drain(..).for_each(|(id, output)| handle.put(id, output));
                        open = Some((handle, happenings));
                    }
                },
                Some(Ask::Put(id, output)) => match &open {
                    Some((handle, _)) => handle.put(id, output),
                    None if matches!(output, Output::Request(..)) => {}
                    None => self.waiting.push((id, output)),
                },
                Some(Ask::Room(ask)) => match &open {
                    Some((handle, _)) => handle.rooms(move |rooms, now| ask.act(rooms, now)),
                    None => tracing::debug!("there is no connection to ask about rooms"),
                },
                Some(Ask::Position(position)) => open.iter().for_each(|(handle, _)| handle.position(position.clone())),
                Some(Ask::Bookmark(change)) => open.iter().for_each(|(handle, _)| handle.bookmark(change.clone())),
                Some(Ask::Block(change)) => open.iter().for_each(|(handle, _)| handle.block(change.clone())),
                Some(Ask::Archive(by, query)) => open.iter().for_each(|(handle, _)| handle.archive(by.clone(), query.clone())),
                Some(Ask::Handled(Mark::Real(mark))) => open.iter().for_each(|(handle, _)| handle.handled(mark)),
                #[cfg(test)]
                Some(Ask::Handled(Mark::Test(_))) => {}
                Some(Ask::Stop(done)) => {
                    if let Some((handle, happenings)) = &mut open {
                        handle.close();
                        // what comes now was not stored: the server keeps it
                        let _ = tokio::time::timeout(GOODBYE, async { while happenings.recv().await.is_some() {} }).await;
                    }
                    let _ = done.send(());
                    return;
                }
            }
        }
    }
    fn say(&self, said: Said) {
        let _ = self.jobs.send(Job::Link(said));
    }
    fn happened(&mut self, happening: Happening) {
        let said = match happening {
            Happening::State(state) => match state {
                subrosa_xmpp::State::Connecting => Said::State(State::Connecting, None),
                subrosa_xmpp::State::Online { .. } => Said::State(State::Online, None),
                subrosa_xmpp::State::Offline { why, .. } => Said::State(State::Connecting, Some(failure(&why))),
                subrosa_xmpp::State::Failed(why) => {
                    let failure = failure(&why);
                    self.refused = Some(failure.clone());
                    Said::State(State::Refused, Some(failure))
                }
                _ => Said::State(State::Offline, None),
            },
            Happening::Received { inputs, ids, news, mark } => {
                Said::Came(Box::new(Came { inputs, ids, news, archived: false, mark: Some(Mark::Real(mark)) }))
            }
            Happening::Archived { inputs, ids, news } => Said::Came(Box::new(Came { inputs, ids, news, archived: true, mark: None })),
            Happening::Rooms { news, inputs } => Said::Came(Box::new(Came { inputs, news, ..Came::default() })),
            Happening::Page { by, page } => Said::Page(by, page),
            Happening::Abilities(found) => Said::Abilities(found),
            Happening::Bookmarks(news) => Said::Bookmarks(news),
            Happening::Blocking(news) => Said::Blocking(news),
            Happening::Position(news) => Said::Position(news),
            Happening::Contacts(all) => Said::Contacts(all),
            Happening::Contact(contact) => Said::Contact(contact),
            Happening::Input(input) => Said::Input(input),
            Happening::Acknowledged(id) => Said::Acknowledged(id),
            Happening::Unsendable(id, why) => Said::Unsendable(id, Failure::new("send.unsendable", FaultName::Caller, why.to_string())),
            Happening::Bounced(bounce) => Said::Bounced(bounce),
            Happening::LeftOut { stanza: "message", from, why } => Said::LeftOut(from.map(|from| from.to_string()), why.to_string()),
            Happening::Pinned(pin) => Said::Pinned(pin.to_string()),
            Happening::Subscription(_) => return tracing::info!("somebody asks to see the presence; nothing was answered"),
            _ => return,
        };
        self.say(said);
    }
}

fn failure(why: &ConnectError) -> Failure {
    let mut failure = Failure::coded(why);
    if failure.code == "connect.certificate" {
        failure.sentence.push_str(". If it is your own server, name its authority with --ca FILE when you log in");
    }
    failure
}

fn config(account: &Account, login: &Login) -> Result<Config, Failure> {
    let me = Entity::client("console", "Subrosa", env!("CARGO_PKG_VERSION"), HOME).with_content().with_rooms().with_encryption();
    let mut me = me.with_notify(subrosa_xmpp::bookmarks::NODE).with_notify(subrosa_xmpp::positions::NODE);
    for version in Version::ALL {
        me = me.with_notify(version.device_list_node());
    }
    let mut config = Config::new(&account.jid, &login.password, me).map_err(|e| Failure::coded(&e))?;
    config.pin = login.pin.as_deref().map(str::parse).transpose().map_err(|e: subrosa_xmpp::connection::PinError| Failure::bug(e.to_string()))?;
    config.host = account.host.as_deref().map(host).transpose()?;
    config.resource = account.resource.clone();
    config.retry = std::time::Duration::from_millis(250);
    if account.plain_loopback {
        config.security = Security::ClearLoopback;
    }
    if let Some(path) = &account.ca {
        config.roots = Roots::Pem(authority(path)?);
    }
    Ok(config)
}
/// `HOST:PORT`, `[::1]:5222`; without a port 5222.
pub fn host(text: &str) -> Result<(String, u16), Failure> {
    let wrong = || Failure::usage(format!("{text:?} is no HOST:PORT; write it like xmpp.example.org:5222"));
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) if !host.contains(':') || (host.starts_with('[') && host.ends_with(']')) => (host, port.parse().map_err(|_| wrong())?),
        _ => (text, 5222),
    };
    let host = host.strip_prefix('[').and_then(|h| h.strip_suffix(']')).unwrap_or(host);
    if host.is_empty() || port == 0 { Err(wrong()) } else { Ok((host.to_owned(), port)) }
}
fn authority(path: &Path) -> Result<Vec<u8>, Failure> {
    std::fs::read(path).map_err(|e| Failure::io("reading", path, &e))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_read_in_all_their_forms() {
        let of = |text: &str| host(text).map(|(h, p)| format!("{h} {p}")).map_err(|f| f.code);
        assert_eq!(of("xmpp.example.org:5223").as_deref(), Ok("xmpp.example.org 5223"));
        assert_eq!(of("xmpp.example.org").as_deref(), Ok("xmpp.example.org 5222"));
        assert_eq!(of("[::1]:5224").as_deref(), Ok("::1 5224"));
        assert_eq!(of("::1").as_deref(), Ok("::1 5222"));
        for bad in ["", ":5222", "host:", "host:0", "host:99999", "host:port"] {
            assert_eq!(of(bad), Err("request.invalid".into()), "{bad}");
        }
    }
}
