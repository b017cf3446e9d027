//! What comes by XMPP.
use crate::{now, text};
use minidom::Element;
use std::sync::OnceLock;
use subrosa_engine::{Address, ContentType, Input, Node, Plaintext, Request, RequestId};
use subrosa_xmpp::archive::{Query, is_result};
use subrosa_xmpp::bookmarks::{self, Bookmarks};
use subrosa_xmpp::{
    Archive, Blocking, Contacts, Mapping, Positions, Requests, Rooms, avatar, connection, content as contents, positions as places, receipts,
};
use tokio::runtime::{Builder, Runtime};

const ME: &str = "juliet@capulet.lit";
const ROOM: &str = "garden@rooms.capulet.lit";

/// What a stream lets through ([`frames`]): its reader bounds what is built, minidom's own does not.
fn stanza(input: &[u8]) -> Option<Element> {
    let text = std::str::from_utf8(input).ok()?.trim_start();
    let mut depth = 0_u32;
    for part in text.split('<').skip(1) {
        depth = match part.starts_with('/') {
            true => depth.saturating_sub(1),
            false => depth + u32::from(!part.contains("/>")),
        };
        if depth > 200 {
            return None;
        }
    }
    let end = text.find([' ', '/', '>']).filter(|_| text.starts_with('<'))?;
    let (start, rest) = text.split_at(end);
    if rest.contains("xmlns='jabber:client'") { text.parse().ok() } else { format!("{start} xmlns='jabber:client'{rest}").parse().ok() }
}
pub fn frames(bytes: &[u8]) {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    let runtime = RUNTIME.get_or_init(|| Builder::new_current_thread().enable_time().build().unwrap());
    let whole = runtime.block_on(connection::fuzz::frames(bytes, &[]));
    let (one, two) = bytes.split_at(bytes.len() / 2);
    assert_eq!(runtime.block_on(connection::fuzz::frames(one, two)), whole, "a stream is the same in pieces");
}
pub fn mapping(bytes: &[u8]) {
    let Some(stanza) = stanza(bytes) else { return };
    let mut mapping = Mapping::new(ME.into(), ["urn:xmpp:omemo:2:devices".to_owned()], "s").with_engines().with_rooms();
    mapping.bound("juliet@capulet.lit/balcony");
    for input in mapping.message(&stanza, now()).inputs {
        // what comes in is a run that is read again
        if let Input::Receive { body, content_type, .. } = input
            && content_type == ContentType::STANZA
        {
            let _ = receipts::receipt_request(&body);
            let _ = receipts::received(&body);
            assert_ne!(
                contents::read(&Plaintext::new(ContentType::STANZA, body)).err().map(|e| e.to_string()),
                Some(subrosa_xmpp::StanzaError::NotXml.to_string())
            );
        }
    }
}
pub fn content(bytes: &[u8]) {
    let plain = Plaintext::new(ContentType::STANZA, bytes);
    let _ = contents::asks(&plain);
    let Ok(Some(content)) = contents::read(&plain) else { return };
    if let Ok(written) = contents::write(&content) {
        let again = contents::read(&Plaintext::new(ContentType::STANZA, written)).unwrap().unwrap();
        assert_eq!(std::mem::discriminant(&again), std::mem::discriminant(&content), "what was read and is written is of the same kind");
        let written = contents::write(&again).unwrap();
        let third = contents::read(&Plaintext::new(ContentType::STANZA, written)).unwrap().unwrap();
        assert_eq!(third, again, "and then reads the same");
    }
}
fn open() -> Archive {
    let mut archive = Archive::of_account(ME.into(), "salt");
    archive.ask(Query::after("0"), now());
    archive
}
pub fn archive(bytes: &[u8]) {
    let Some(message) = stanza(bytes) else { return };
    let _ = is_result(&message);
    let mut archive = open();
    let Some(archived) = archive.result(&message, now()) else { return };
    let mut mapping = Mapping::new(ME.into(), [], "s").with_rooms();
    drop(mapping.archived(&archived, now()));
    drop(Rooms::new(ME.into(), "s").archived(&archived, &mut mapping, now()));
    assert!(archive.result(&message, now()).is_none() || archive.is_open());
}
pub fn page(bytes: &[u8]) {
    let Some(iq) = stanza(bytes) else { return };
    let mut archive = open();
    if archive.finished(&iq).is_some() {
        assert!(archive.finished(&iq).is_none(), "a page ends once");
    }
    archive.ask_extent();
    let _ = archive.extent(&iq);
}
/// Presence, messages and answers, one after the other: those of the seed are in a room, joined.
pub fn rooms(bytes: &[u8]) {
    let (mut rooms, mut mapping) = (Rooms::new(ME.into(), "salt"), Mapping::new(ME.into(), [], "s").with_rooms());
    let room = Address::from(ROOM);
    drop(rooms.online(false, now()));
    let mut asked: Vec<String> =
        rooms.join(&room, "Juliet", None, None, now()).send.iter().filter_map(|iq| iq.attr("id").map(str::to_owned)).collect();
    for line in bytes.split(|byte| *byte == b'\n').take(32) {
        // `{0}`: the id of what was asked last
        let line = text(line).replace("{0}", asked.last().map_or("", String::as_str));
        let Some(stanza) = stanza(line.as_bytes()) else { continue };
        let turns = [rooms.presence(&stanza, now()), rooms.message(&stanza, &mut mapping, now()), rooms.iq(&stanza, now())];
        for turn in turns.into_iter().flatten() {
            asked.extend(turn.send.iter().filter(|sent| sent.name() == "iq").filter_map(|iq| iq.attr("id").map(str::to_owned)));
        }
    }
    drop(rooms.too_large(&Element::bare("iq", "jabber:client"), now()));
    let _ = (rooms.occupants(&room).count(), rooms.members(&room).count(), rooms.about(&room), rooms.wake_at());
    drop((rooms.tick(now()), rooms.online(true, now()), rooms.leave(&room, now())));
}
fn node(name: &str, item: &str) -> Node {
    Node { owner: ME.into(), name: name.into(), item: Some(item.into()) }
}
pub fn bookmarks(bytes: &[u8]) {
    let mut marks = Bookmarks::new(ME.into(), "salt");
    let mut asked = marks.online(true).send;
    let news = marks.pushed(&node(bookmarks::NODE, ROOM), Some(bytes));
    if let Some(bookmarks::BookmarkNews::Set(bookmark)) = news {
        asked.extend(marks.set(bookmark).send);
    }
    answers(bytes, &asked, |iq| drop(marks.answered(iq)));
    drop(marks.remove(&ROOM.into()));
}
pub fn positions(bytes: &[u8]) {
    let mut positions = Positions::new(ME.into(), "salt");
    let mut asked = positions.online(true).send;
    if let Some(position) = positions.pushed(&node(places::NODE, "romeo@montague.lit"), Some(bytes)) {
        asked.extend(positions.publish(position).send);
    }
    answers(bytes, &asked, |iq| drop(positions.answered(iq)));
}
/// The input as the answer to each of these, with their ids for `{0}`.
fn answers(bytes: &[u8], asked: &[Element], mut answered: impl FnMut(&Element)) {
    for id in asked.iter().filter_map(|iq| iq.attr("id")) {
        stanza(text(bytes).replace("{0}", id).as_bytes()).iter().for_each(&mut answered);
    }
}
pub fn blocking(bytes: &[u8]) {
    let mut blocking = Blocking::new(ME.into(), "salt");
    let asked = [blocking.ask()];
    if let Some(iq) = stanza(bytes) {
        drop(blocking.pushed(&iq));
    }
    answers(bytes, &asked, |iq| drop(blocking.answered(iq)));
}
pub fn contacts(bytes: &[u8]) {
    let mut contacts = Contacts::new(ME.into(), "salt");
    let asked = [contacts.ask()];
    if let Some(iq) = stanza(bytes) {
        drop((contacts.pushed(&iq), contacts.bounced(&iq)));
    }
    answers(bytes, &asked, |iq| drop(contacts.answered(iq)));
}
pub fn avatar(bytes: &[u8]) {
    if let Some(metadata) = avatar::Metadata::read(bytes) {
        assert_eq!(avatar::Metadata::read(avatar::Metadata::write(Some(&metadata)).as_bytes()), Some(metadata.clone()));
        let _ = avatar::read_data(bytes, &metadata);
    }
}
pub fn requests(bytes: &[u8]) {
    let mut requests = Requests::new(ME.into(), "salt");
    let turn = requests.ask(RequestId(1), Request::Fetch(Node { item: None, ..node("urn:xmpp:omemo:2:bundles", "") }), now());
    let asked: Vec<Element> = turn.send.into_iter().collect();
    answers(bytes, &asked, |iq| drop(requests.answered(iq, now())));
}
