//! A whole machine with OMEMO: what comes from the network, and what stands in its store.
use crate::now;
use std::cell::RefCell;
use std::sync::OnceLock;
use subrosa_engine::{
    Address, Batch, ChatId, ContentType, Event, Headers, Input, Item, Key, Kind, MemoryStore, Node, Output, Recipients, Request, Store, Write,
};
use subrosa_omemo::wire::Version;
use subrosa_scale::{Device, Post, says};
use subrosa_testkit::FakeServer;

const ME: &str = "juliet@capulet.lit";
const ROMEO: &str = "romeo@montague.lit";
const ROOM: &str = "garden@rooms.capulet.lit";

/// What was stored, in order, too.
#[derive(Clone, Default)]
struct Kept {
    store: MemoryStore,
    rows: Vec<Write>,
}
impl Store for Kept {
    type Error = std::convert::Infallible;
    fn load(&mut self, keys: &[Key]) -> Result<Vec<Option<Vec<u8>>>, Self::Error> {
        self.store.load(keys)
    }
    fn commit(&mut self, batch: &Batch) -> Result<(), Self::Error> {
        self.rows.extend_from_slice(batch.writes());
        self.store.commit(batch)
    }
}
/// Juliet's store, with sessions; what Romeo wrote since, one to be damaged, one that has to be read whatever came before it.
struct Made {
    store: Kept,
    posts: Vec<Post>,
    genuine: Post,
    published: Vec<Vec<u8>>,
}
fn made() -> &'static Made {
    static MADE: OnceLock<Made> = OnceLock::new();
    MADE.get_or_init(|| {
        let mut server = FakeServer::default();
        let (room, mut sent) = (ChatId(ROOM.into()), 0);
        let mut juliet = Device::new(&ME.into(), Kept::default(), 1);
        let mut romeo = Device::new(&ROMEO.into(), MemoryStore::default(), 2);
        juliet.join(&mut server);
        romeo.join(&mut server);
        let members = || Input::Room(ChatId(ROOM.into()), Some(vec![ME.into(), ROMEO.into()]));
        juliet.run(&mut server, vec![members()]);
        romeo.run(&mut server, vec![members()]);
        let mut say = |romeo: &mut Device<MemoryStore>, server: &mut FakeServer, chat: &str, to| {
            sent += 1;
            romeo.run(server, vec![says(&format!("m{sent}"), &ChatId(chat.into()), to, "hello")])
        };
        let people = || Recipients::People(vec![ME.into()]);
        // the first one starts a session
        let first = say(&mut romeo, &mut server, ME, people());
        for post in first.clone() {
            for answer in juliet.run(&mut server, vec![post.arrives("first", &room)]) {
                romeo.run(&mut server, vec![answer.arrives("answer", &room)]);
            }
        }
        let mut posts = first;
        posts.extend(say(&mut romeo, &mut server, ME, people()));
        posts.extend(say(&mut romeo, &mut server, ROOM, Recipients::Room));
        let genuine = say(&mut romeo, &mut server, ME, people()).remove(0);
        let mut published = Vec::new();
        for owner in [ME, ROMEO].map(Address::from) {
            let names: Vec<String> = server.nodes_of(&owner).map(str::to_owned).collect();
            published.extend(names.iter().flat_map(|name| server.node(&owner, name).unwrap().items.iter().map(|item| item.payload.clone())));
        }
        Made { store: juliet.store, posts, genuine, published }
    })
}

/// `what it is, the bytes`: a message or a publication, fed to Juliet; requests that follow are answered with the same bytes. Then comes what
/// Romeo wrote, and is read.
pub fn received(bytes: &[u8]) {
    let Some((what, bytes)) = bytes.split_first() else { return };
    let made = made();
    let mut juliet = Device::new(&ME.into(), made.store.store.clone(), 3);
    let (romeo, room) = (Address::from(ROMEO), Address::from(ROOM));
    let receive = |chat: &Address, from: &Address| Input::Receive {
        id: "hostile".into(),
        chat: ChatId(chat.clone()),
        from: from.clone(),
        sent: now(),
        kind: Kind::Text,
        content_type: ContentType::STANZA,
        body: bytes.to_vec(),
        headers: Headers::default(),
        answer_by: None,
    };
    let node =
        |owner: &str, name: &str| Input::Published(Node { owner: owner.into(), name: name.into(), item: Some("1".into()) }, Some(bytes.to_vec()));
    let mut inputs = match what % 8 {
        0 => vec![receive(&romeo, &romeo)],
        1 => vec![receive(&room, &romeo)],
        2 => vec![receive(&room, &room)],
        3 => vec![receive(&romeo, &ME.into())],
        4 => vec![node(ROMEO, Version::Omemo2.device_list_node())],
        5 => vec![node(ROMEO, Version::Legacy.device_list_node())],
        6 => vec![node(ME, Version::Omemo2.device_list_node()), Input::Online { resumed: false }],
        _ => vec![node(ROMEO, "urn:xmpp:omemo:2:bundles"), Input::Online { resumed: false }],
    };
    for _ in 0..4 {
        let outputs = juliet.commit(std::mem::take(&mut inputs));
        for (id, output) in outputs {
            if output.is_owed() {
                inputs.push(Input::Done(id));
            }
            if let Output::Request(id, request) = output {
                let item = if let Request::Fetch(node) = request { node.item } else { None };
                inputs.push(Input::Answer(id, Ok(vec![Item { id: item, payload: bytes.to_vec() }])));
            }
        }
    }
    if bytes == made.genuine.body {
        return;
    }
    let outputs = juliet.commit(vec![made.genuine.clone().arrives("genuine", &ChatId(room))]);
    let shown = |(_, output): &_| matches!(output, Output::Event(Event::Message { id, .. }) if id.as_str() == "genuine");
    assert!(outputs.iter().any(shown), "what a friend wrote is read, whatever else came");
}
pub fn inputs() -> Vec<Vec<u8>> {
    let made = made();
    let posts = made.posts.iter().flat_map(|post| [0, 1, 2, 3].map(|what| [&[what], post.body.as_slice()].concat()));
    let published = made.published.iter().flat_map(|payload| [4, 5, 6, 7].map(|what| [&[what], payload.as_slice()].concat()));
    posts.chain(published).collect()
}

/// A store with one row that is damaged.
struct Damaged {
    store: MemoryStore,
    key: Key,
    row: Vec<u8>,
}
impl Store for Damaged {
    type Error = std::convert::Infallible;
    fn load(&mut self, keys: &[Key]) -> Result<Vec<Option<Vec<u8>>>, Self::Error> {
        let mut rows = self.store.load(keys)?;
        for (row, _) in rows.iter_mut().zip(keys).filter(|(_, key)| **key == self.key) {
            *row = Some(self.row.clone());
        }
        Ok(rows)
    }
    fn commit(&mut self, batch: &Batch) -> Result<(), Self::Error> {
        self.store.commit(batch)
    }
}
thread_local! {
    /// Whom Juliet's server answers with.
    static SERVER: RefCell<FakeServer> = RefCell::default();
}
/// `which row, its bytes`: Juliet starts over it, connects, reads and writes.
fn over(rows: &[Write], bytes: &[u8]) {
    let Some((which, row)) = bytes.split_first() else { return };
    let Some((key, _)) = rows.get(usize::from(*which) % rows.len().max(1)) else { return };
    let made = made();
    let mut juliet = Device::new(&ME.into(), Damaged { store: made.store.store.clone(), key: key.clone(), row: row.to_vec() }, 4);
    let to = || Recipients::People(vec![ROMEO.into()]);
    let mut inputs = vec![
        Input::Online { resumed: false },
        made.genuine.clone().arrives("genuine", &ChatId(ROOM.into())),
        says("back", &ChatId(ROMEO.into()), to(), "hello"),
        says("all", &ChatId(ROOM.into()), Recipients::Room, "hello"),
        Input::Tick,
    ];
    for _ in 0..4 {
        for (id, output) in juliet.commit(std::mem::take(&mut inputs)) {
            if output.is_owed() {
                inputs.push(Input::Done(id));
            }
            if let Output::Request(id, request) = output {
                inputs.push(Input::Answer(id, SERVER.with_borrow_mut(|server| server.answer(&juliet.me, &request).0)));
            }
        }
    }
}
/// Those that are there, each once.
fn stored(house: bool) -> &'static [Write] {
    static ROWS: [OnceLock<Vec<Write>>; 2] = [OnceLock::new(), OnceLock::new()];
    ROWS[usize::from(house)].get_or_init(|| {
        let mut rows: Vec<Write> = Vec::new();
        for (key, value) in &made().store.rows {
            rows.retain(|(there, _)| there != key);
            if (key.space() == "house") == house && value.is_some() && rows.len() < 256 {
                rows.push((key.clone(), value.clone()));
            }
        }
        rows
    })
}
fn with_rows(rows: &[Write]) -> Vec<Vec<u8>> {
    (0..=u8::MAX).zip(rows).map(|(which, (_, row))| [&[which], row.as_deref().unwrap_or_default()].concat()).collect()
}
pub fn records(bytes: &[u8]) {
    over(stored(false), bytes);
}
pub fn rows() -> Vec<Vec<u8>> {
    with_rows(stored(false))
}
pub fn house(bytes: &[u8]) {
    over(stored(true), bytes);
}
pub fn house_rows() -> Vec<Vec<u8>> {
    with_rows(stored(true))
}
