//! What goes from one process to another: a store, what was posted, what is published.
use std::fs::File;
use std::io::{BufReader, Read, Write};
use std::path::Path;
use subrosa_engine::{Address, ChatId, Item, Keep, Node, Request};
use subrosa_omemo::wire::Version;
use subrosa_scale::Post;
use subrosa_store::{SqliteStore, StoreKey};
use subrosa_testkit::{FakeServer, Seeded};

/// The same store every time: made where there is none.
pub fn open(directory: &Path) -> SqliteStore {
    SqliteStore::open(directory.join("store.db"), &StoreKey::generate(&mut Seeded::new(1))).unwrap()
}
/// What the server has of somebody's, as posts: the chat is the node, the body the payload.
pub fn keep(server: &FakeServer, me: &Address, directory: &Path) {
    let names: Vec<&str> = server.nodes_of(me).collect();
    let items = names.iter().flat_map(|name| server.node(me, name).unwrap().items.iter().map(move |item| (name, item)));
    let line = |name: &str, item: &Item| Post {
        from: me.clone(),
        chat: ChatId(format!("{name}\n{}", item.id.as_deref().unwrap_or_default()).as_str().into()),
        body: item.payload.clone(),
    };
    write(&directory.join("nodes"), &items.map(|(name, item)| line(name, item)).collect::<Vec<_>>());
}
/// A server that has just that.
pub fn server(directory: &Path) -> FakeServer {
    let mut server = FakeServer::default();
    read(&directory.join("nodes")).for_each(|node| drop(server.answer(&node.from.clone(), &published(node))));
    server
}
fn published(Post { from, chat, body }: Post) -> Request {
    let (name, item) = chat.0.as_str().split_once('\n').unwrap();
    let node = Node { owner: from, name: name.into(), item: Some(item.into()).filter(|item: &String| !item.is_empty()) };
    let keep = if Version::ALL.iter().any(|version| version.device_list_node() == name) { Keep::One } else { Keep::Many };
    Request::Publish { node, keep, payload: body }
}
pub fn write(path: &Path, posts: &[Post]) {
    let mut out = Vec::new();
    for Post { from, chat, body } in posts {
        for part in [from.as_str().as_bytes(), chat.0.as_str().as_bytes(), body] {
            out.extend_from_slice(&u32::try_from(part.len()).unwrap().to_le_bytes());
            out.extend_from_slice(part);
        }
    }
    File::create(path).unwrap().write_all(&out).unwrap();
}
pub fn read(path: &Path) -> impl Iterator<Item = Post> {
    let mut file = BufReader::new(File::open(path).unwrap());
    let mut part = move || {
        let mut length = [0; 4];
        file.read_exact(&mut length).ok()?;
        let mut part = vec![0; u32::from_le_bytes(length) as usize];
        file.read_exact(&mut part).unwrap();
        Some(part)
    };
    std::iter::from_fn(move || {
        let [from, chat] = [part()?, part()?].map(|part| Address::from(String::from_utf8(part).unwrap().as_str()));
        Some(Post { from, chat: ChatId(chat), body: part()? })
    })
}
