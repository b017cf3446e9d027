//! A person with rooms, on a connection of their own that is as simple as can be: blocking, in clear, over the loopback.
use base64::Engine as _;
use minidom::Element;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use subrosa_engine::{Address, ChatId, Input, Kind, Part, Recipients, Time, Wire};
use subrosa_interop::Server;
use subrosa_xmpp::archive::{Archive, Query};
use subrosa_xmpp::rooms::{RoomNews, RoomTurn};
use subrosa_xmpp::{Entity, Ids, Mapping, Rooms};

const PATIENCE: Option<Duration> = Some(Duration::from_secs(20));

pub fn now() -> Time {
    Time(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as u64)
}
/// What came, in order.
#[derive(Debug)]
pub enum Came {
    News(RoomNews),
    Input(Input, Ids),
}
pub struct Person {
    pub address: Address,
    pub rooms: Rooms,
    pub mapping: Mapping,
    pub seen: Vec<Came>,
    looked: usize,
    tcp: TcpStream,
    read: String,
    entity: Entity,
    next: u64,
}
impl Person {
    pub fn online(server: &Server, user: &str) -> Self {
        let address = Address::from(server.address(user).as_str());
        let (tcp, read) = login(server, user);
        let rooms = Rooms::new(address.clone(), "salt");
        let mapping = Mapping::new(address.clone(), [], "salt").with_rooms();
        let entity = Entity::client("bot", "Test", "1", "urn:test");
        let mut person = Person { address, rooms, mapping, seen: Vec::new(), looked: 0, tcp, read, entity, next: 0 };
        person.put("<presence/>");
        person
    }
    /// On a new stream.
    pub fn again(&mut self, server: &Server) {
        let user = self.address.as_str().split('@').next().unwrap().to_owned();
        (self.tcp, self.read) = login(server, &user);
        self.put("<presence/>");
        let turn = self.rooms.online(false, now());
        self.turn(turn);
    }
    pub fn put(&mut self, xml: &str) {
        self.tcp.write_all(xml.as_bytes()).unwrap();
    }
    pub fn send(&mut self, stanza: &Element) {
        self.put(&String::from(stanza));
    }
    pub fn turn(&mut self, turn: RoomTurn) {
        turn.send.iter().for_each(|stanza| self.send(stanza));
        self.seen.extend(turn.news.into_iter().map(Came::News));
        self.seen.extend(turn.inputs.into_iter().map(|input| Came::Input(input, turn.ids.clone())));
    }
    pub fn act(&mut self, what: impl FnOnce(&mut Rooms) -> RoomTurn) {
        let turn = what(&mut self.rooms);
        self.turn(turn);
    }
    /// Says it in the room. Its id.
    pub fn say(&mut self, room: &Address, text: &str) -> String {
        self.next += 1;
        let id = format!("{}-{}-{}", self.address, self.next, now().0);
        let body = format!("<encrypted xmlns='urn:example:e'>{text}</encrypted><body>{text}</body>");
        let wire = Wire::Encrypted(Part { content_type: subrosa_engine::ContentType::STANZA, body: body.into_bytes() });
        let mut stanza = self.mapping.transmit(&id.as_str().into(), 0, &ChatId(room.clone()), &Recipients::Room, Kind::Text, &wire).unwrap();
        assert!(self.rooms.send(&mut stanza, now()), "not in the room");
        self.send(&stanza);
        id
    }
    /// Does what others wait for, until there is nothing to do.
    pub fn pump(&mut self) {
        self.tcp.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
        while let Some(stanza) = self.stanza() {
            self.came(&stanza);
        }
        self.tcp.set_read_timeout(PATIENCE).unwrap();
    }
    /// The first of what was not looked at yet that is wanted; what is before it is passed over.
    pub fn until<T>(&mut self, what: &str, mut wanted: impl FnMut(&Came) -> Option<T>) -> T {
        loop {
            while self.looked < self.seen.len() {
                self.looked += 1;
                if let Some(found) = wanted(&self.seen[self.looked - 1]) {
                    return found;
                }
            }
            let Some(stanza) = self.stanza() else { panic!("{}: no {what} after {:#?}", self.address, self.seen) };
            self.came(&stanza);
        }
    }
    pub fn news<T>(&mut self, what: &str, mut wanted: impl FnMut(&RoomNews) -> Option<T>) -> T {
        self.until(what, |came| match came {
            Came::News(news) => wanted(news),
            Came::Input(..) => None,
        })
    }
    /// Reads until these are the members.
    pub fn members(&mut self, expected: &[&str]) {
        let what = format!("members {expected:?}");
        self.news(&what, |news| match news {
            RoomNews::Members { members, .. } => (members.iter().map(Address::as_str).eq(expected.iter().copied())).then_some(()),
            _ => None,
        });
        let told = self.seen.iter().rev().find_map(|came| match came {
            Came::Input(Input::Room(_, members), _) => Some(members.clone()),
            _ => None,
        });
        assert!(told.is_some_and(|told| told.is_some_and(|told| told.iter().map(Address::as_str).eq(expected.iter().copied()))));
    }
    /// The next message in a room: who, text, its id in the room.
    pub fn message(&mut self) -> (String, String, Option<String>) {
        self.until("message", |came| match came {
            Came::Input(input @ Input::Receive { from, .. }, ids) => {
                Some((from.to_string(), crate::common::text_of(input).unwrap(), ids.archive.as_ref().map(|place| place.id.clone())))
            }
            _ => None,
        })
    }
    fn came(&mut self, stanza: &Element) {
        let turn = match stanza.name() {
            "message" => self.rooms.message(stanza, &mut self.mapping, now()),
            "presence" => self.rooms.presence(stanza, now()),
            _ => self.rooms.iq(stanza, now()),
        };
        match turn {
            Some(turn) => self.turn(turn),
            None if stanza.name() == "iq" => {
                if let Some(answer) = self.entity.answer(stanza, &self.address) {
                    self.send(&answer);
                }
            }
            None => {}
        }
    }
    /// All of the room's archive.
    pub fn archive(&mut self, room: &Address) {
        let mut archive = Archive::of_room(room.clone(), "salt");
        let mut query = Some(Query::all());
        while let Some(page) = query.take() {
            let iq = archive.ask(page, now());
            self.send(&iq);
            while archive.is_open() {
                let stanza = self.stanza().expect("no archive");
                if let Some(archived) = archive.result(&stanza, now()) {
                    let turn = self.rooms.archived(&archived, &mut self.mapping, now());
                    self.turn(turn);
                } else if let Some(finished) = archive.finished(&stanza) {
                    query = finished.unwrap().next;
                } else {
                    self.came(&stanza);
                }
            }
        }
    }
    /// `None`: nothing for long, or it ended.
    pub fn stanza(&mut self) -> Option<Element> {
        loop {
            if let Some(end) = end_of_element(&self.read) {
                let rest = self.read.split_off(end);
                let text = std::mem::replace(&mut self.read, rest);
                return Some(Element::from_reader_with_prefixes(text.as_bytes(), "jabber:client".to_string()).unwrap());
            }
            let mut buffer = [0; 65536];
            match self.tcp.read(&mut buffer) {
                Ok(0) | Err(_) => return None,
                Ok(count) => self.read.push_str(std::str::from_utf8(&buffer[..count]).unwrap()),
            }
        }
    }
}
fn login(server: &Server, user: &str) -> (TcpStream, String) {
    let mut tcp = TcpStream::connect(("127.0.0.1", server.port)).unwrap();
    tcp.set_read_timeout(PATIENCE).unwrap();
    let mut read = String::new();
    let mut say = |text: &str, end: &str| {
        tcp.write_all(text.as_bytes()).unwrap();
        let at = loop {
            if let Some(at) = read.find(end) {
                break at + end.len();
            }
            let mut buffer = [0; 65536];
            let count = tcp.read(&mut buffer).unwrap();
            assert!(count > 0, "no {end} in {read:.500}");
            read.push_str(&String::from_utf8_lossy(&buffer[..count]));
        };
        read.drain(..at);
    };
    let head = "<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' to='localhost' version='1.0'>";
    let plain = base64::engine::general_purpose::STANDARD.encode(format!("\0{user}\0pw-{user}"));
    say(head, "</stream:features>");
    say(
        &format!("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>{plain}</auth>"),
        "<success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>",
    );
    say(head, "</stream:features>");
    say("<iq type='set' id='bound'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>", "</iq>");
    say("<iq type='set' id='session'><session xmlns='urn:ietf:params:xml:ns:xmpp-session'/></iq>", "/>");
    (tcp, read)
}
/// Where the first element ends, if it is whole.
fn end_of_element(text: &str) -> Option<usize> {
    let (mut depth, mut quote, mut tag) = (0usize, None, None);
    for (at, c) in text.char_indices() {
        match (tag, quote, c) {
            (None, _, '<') => tag = Some(at),
            (Some(_), None, '\'' | '"') => quote = Some(c),
            (Some(_), Some(open), _) => quote = (open != c).then_some(open),
            (Some(from), None, '>') => {
                tag = None;
                let inner = &text[from + 1..at];
                match inner.as_bytes()[0] {
                    b'/' => depth -= 1,
                    b'?' => continue,
                    _ if inner.ends_with('/') => {}
                    _ => depth += 1,
                }
                if depth == 0 {
                    return Some(at + 1);
                }
            }
            _ => {}
        }
    }
    None
}
