//! A connection and what it told.
#![allow(dead_code)] // each test takes what it needs
use std::collections::VecDeque;
use std::time::Duration;
use subrosa_engine::{
    ChatId, ContentType, Headers, Input, Kind, MessageId, Output, OutputId, Part, Recipients, Request, RequestError, RequestId, Time, Wire,
};
use subrosa_interop::{Friends, Prosody, Server};
use subrosa_xmpp::{Config, ConnectError, Connection, Entity, Handle, Happening, Mark, Roots, Security, State};
use tokio::sync::mpsc::Receiver;

pub const NODE: &str = "urn:example:list";

/// `None`, and a word about it, where Prosody is not installed.
pub fn prosody() -> Option<Prosody> {
    with(Friends::All)
}
/// The same with nobody on anybody's list.
pub fn strangers() -> Option<Prosody> {
    with(Friends::None)
}
fn with(friends: Friends) -> Option<Prosody> {
    if !Prosody::installed() {
        eprintln!("skipped: prosody is not installed (Debian package `prosody`)");
        return None;
    }
    Some(Prosody::start(&[("alice", "pw-alice"), ("bob", "pw-bob")], friends).unwrap())
}
pub fn entity() -> Entity {
    Entity::client("console", "Test", "1", "https://example.org/test").with_notify(NODE)
}
pub fn config(server: &Server, user: &str) -> Config {
    config_as(server, user, entity())
}
pub fn config_as(server: &Server, user: &str, entity: Entity) -> Config {
    let mut config = Config::new(&server.address(user), &format!("pw-{user}"), entity).unwrap();
    config.host = Some((server.host.clone(), server.port));
    config.roots = Roots::Pem(std::fs::read(server.ca_file()).unwrap());
    config.retry = Duration::from_millis(50);
    config
}
pub fn clear(server: &Server, user: &str, port: u16) -> Config {
    let mut config = config(server, user);
    config.host = Some(("127.0.0.1".into(), port));
    config.security = Security::ClearLoopback;
    config
}

pub struct Client {
    pub handle: Handle,
    pub happenings: Receiver<Happening>,
    /// Says at once that everything is stored.
    pub stores: bool,
    pub seen: Vec<String>,
    messages: VecDeque<(String, Mark)>,
    next: u64,
}
impl Client {
    pub fn start(config: Config) -> Self {
        let (handle, happenings) = Connection::start(config);
        Client { handle, happenings, stores: true, seen: Vec::new(), messages: VecDeque::new(), next: 1000 }
    }
    pub async fn online(config: Config) -> Self {
        let mut client = Self::start(config);
        client.until_online(false).await;
        client
    }
    pub async fn next(&mut self) -> Happening {
        let happening = tokio::time::timeout(Duration::from_secs(20), self.happenings.recv())
            .await
            .unwrap_or_else(|_| panic!("nothing happens after {:#?}", self.seen))
            .expect("it ended");
        self.seen.push(format!("{happening:?}"));
        if let Happening::Received { mark, inputs, .. } = &happening {
            self.messages.extend(inputs.iter().filter_map(text_of).map(|text| (text, *mark)));
            if self.stores {
                self.handle.handled(*mark);
            }
        }
        happening
    }
    pub async fn until<T>(&mut self, mut wanted: impl FnMut(Happening) -> Option<T>) -> T {
        loop {
            if let Some(found) = wanted(self.next().await) {
                return found;
            }
        }
    }
    pub async fn until_online(&mut self, resumed: bool) {
        let seen = self
            .until(|h| match h {
                Happening::State(State::Online { resumed }) => Some(Ok(resumed)),
                Happening::State(State::Failed(why)) => Some(Err(why)),
                _ => None,
            })
            .await;
        assert_eq!(seen, Ok(resumed));
        self.until(|h| matches!(h, Happening::Input(Input::Online { .. })).then_some(())).await;
    }
    pub async fn failure(mut self) -> ConnectError {
        self.until(|h| match h {
            Happening::State(State::Failed(why) | State::Offline { why, .. }) => Some(why),
            Happening::State(State::Online { .. }) => panic!("it is online"),
            _ => None,
        })
        .await
    }
    pub fn send(&self, id: u64, to: &str, text: &str) {
        self.handle.put(OutputId(id), message(id, to, text));
    }
    pub async fn acknowledged(&mut self, id: u64) {
        self.until(|h| match h {
            Happening::Acknowledged(OutputId(n)) if n == id => Some(()),
            Happening::Unsendable(_, why) => panic!("{why}"),
            _ => None,
        })
        .await;
    }
    /// The next message: its text and mark.
    pub async fn message(&mut self) -> (String, Mark) {
        loop {
            match self.messages.pop_front() {
                Some(message) => return message,
                None => drop(self.next().await),
            }
        }
    }
    pub async fn ask(&mut self, request: Request) -> Result<Vec<subrosa_engine::Item>, RequestError> {
        self.next += 1;
        let id = self.next;
        self.handle.put(OutputId(id), Output::Request(RequestId(id), request));
        self.until(|h| match h {
            Happening::Input(Input::Answer(RequestId(n), answer)) if n == id => Some(answer),
            _ => None,
        })
        .await
    }
    pub async fn close(mut self) {
        self.handle.close();
        self.until(|h| matches!(h, Happening::State(State::Closed)).then_some(())).await;
        assert!(self.happenings.recv().await.is_none());
    }
}
pub fn message(id: u64, to: &str, text: &str) -> Output {
    let body = format!("<payload xmlns='urn:example:p'>{text}</payload><body>{text}</body><store xmlns='urn:xmpp:hints'/>");
    Output::Transmit {
        id: MessageId::from(format!("m{id}").as_str()),
        part: 0,
        chat: ChatId(to.into()),
        to: Recipients::People(vec![to.into()]),
        kind: Kind::Text,
        wire: Wire::Encrypted(Part { content_type: ContentType::STANZA, body: body.into_bytes() }),
        headers: Headers::default(),
        made: Time(0),
    }
}
pub fn text_of(input: &Input) -> Option<String> {
    let Input::Receive { body, .. } = input else { return None };
    let body = std::str::from_utf8(body).ok()?; // what an engine made is no text
    let (_, rest) = body.split_once("<body")?;
    rest.split_once('>')?.1.split_once('<').map(|(text, _)| text.to_owned())
}
