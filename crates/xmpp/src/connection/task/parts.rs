//! What a stream carries besides messages of two and requests: rooms, archives, how far was read, who is blocked, what the server can.
//!
//! Invariants: a message to a room leaves only while we are in it and know for whom it is, and waits here until then; what nobody will go
//! into, or what can't be encrypted any more, is sent back; what stands in an archive's wrapping is
//! never taken for a message that came now.
use super::{Task, now};
use crate::archive::{self, Archive, Query};
use crate::blocking::{BlockChange, BlockTurn, Blocking};
use crate::bookmarks::{self, Bookmark, BookmarkTurn, Bookmarks};
use crate::connection::management::Sent;
use crate::connection::{Happening, LeftOut, Mark, RoomAct};
use crate::discovery::{Abilities, Discovery};
use crate::mapping::Bounce;
use crate::positions::{self, Position, PositionNews, PositionTurn, Positions};
use crate::rooms::{Left, RoomNews, RoomTurn, Rooms, Task as RoomTask};
use crate::{Ids, Unreadable, bare};
use minidom::Element;
use std::collections::{HashMap, VecDeque};
use subrosa_engine::{Address, Input, MessageId, OutputId, Time};

pub(super) struct Parts {
    pub rooms: Rooms,
    discovery: Discovery,
    archives: HashMap<Address, Archive>,
    positions: Positions,
    blocking: Blocking,
    bookmarks: Bookmarks,
    /// For rooms that we are not in now, in their order.
    held: VecDeque<Sent>,
    salt: String,
}
impl Parts {
    pub(super) fn new(me: &Address, salt: &str) -> Self {
        Parts {
            rooms: Rooms::new(me.clone(), salt),
            discovery: Discovery::new(me.clone(), salt),
            archives: HashMap::new(),
            positions: Positions::new(me.clone(), salt),
            blocking: Blocking::new(me.clone(), salt),
            bookmarks: Bookmarks::new(me.clone(), salt),
            held: VecDeque::new(),
            salt: salt.into(),
        }
    }
    pub(super) fn wake_at(&self) -> Option<Time> {
        let archives = self.archives.values().filter_map(Archive::wake_at);
        archives.chain(self.rooms.wake_at()).chain(self.discovery.wake_at()).min()
    }
}

impl Task {
    /// A stream begins. `left`: what the one before had not delivered.
    pub(super) fn parts_online(&mut self, resumed: bool, left: &mut VecDeque<Sent>) {
        if !self.config.rooms {
            return;
        }
        if !resumed {
            self.parts.archives.values_mut().for_each(Archive::clear);
            let (rooms, others): (VecDeque<_>, VecDeque<_>) = left.drain(..).partition(|sent| is_groupchat(&sent.stanza));
            *left = others;
            rooms.into_iter().rev().for_each(|sent| self.parts.held.push_front(sent));
            if self.parts.rooms.is_complete() {
                self.return_stray();
            }
            self.parts.positions.offline();
            self.parts.bookmarks.offline();
            let mut asked = self.parts.discovery.begin(now());
            asked.push(self.parts.blocking.ask());
            self.waiting.extend(asked.into_iter().map(Sent::passing));
        }
        let turn = self.parts.rooms.online(resumed, now());
        self.room_turn(turn);
    }
    /// What was to happen by now.
    pub(super) fn parts_late(&mut self) {
        let now = now();
        let late: Vec<_> = self.parts.archives.iter_mut().filter_map(|(by, archive)| Some((by.clone(), archive.expire(now)?))).collect();
        for (by, why) in late {
            self.tell(Happening::Page { by, page: Err(why) });
        }
        if let Some(found) = self.parts.discovery.expire(now) {
            self.discovered(found);
        }
        if self.config.rooms {
            let turn = self.parts.rooms.tick(now);
            self.room_turn(turn);
        }
    }
    /// A message of ours. To a room that we are not in now it waits.
    pub(super) fn put_message(&mut self, id: OutputId, stanza: Element) {
        if !self.tokens.insert(id) {
            return;
        }
        let sent = Sent::output(id, stanza);
        if self.config.rooms && is_groupchat(&sent.stanza) {
            self.put_to_room(sent);
        } else {
            self.waiting.push_back(sent);
        }
    }
    /// It leaves, and its reflection will be known; or it waits; or it comes back.
    fn put_to_room(&mut self, mut sent: Sent) {
        let rooms = &mut self.parts.rooms;
        match room_of(&sent.stanza).filter(|room| rooms.contains(room)) {
            None if rooms.is_complete() => self.give_back(sent),
            Some(room) if rooms.is_unencryptable(&room) && is_encrypted(&sent.stanza) => self.give_back(sent),
            Some(_) if rooms.send(&mut sent.stanza, now()) => self.waiting.push_back(sent),
            _ => self.parts.held.push_back(sent),
        }
    }
    /// What is for rooms that nobody goes into waits no more.
    fn return_stray(&mut self) {
        let held = std::mem::take(&mut self.parts.held);
        let is_ours = |sent: &Sent| room_of(&sent.stanza).is_some_and(|room| self.parts.rooms.contains(&room));
        let (ours, stray): (VecDeque<_>, VecDeque<_>) = held.into_iter().partition(is_ours);
        self.parts.held = ours;
        stray.into_iter().for_each(|sent| self.give_back(sent));
    }
    /// It did not leave and never will.
    fn give_back(&mut self, sent: Sent) {
        let (Some(token), Some(room)) = (sent.token, room_of(&sent.stanza)) else { return };
        self.tokens.remove(&token);
        let id = MessageId::from(sent.stanza.attr("id").unwrap_or_default());
        self.tell(Happening::Bounced(Bounce { id, from: room, condition: "not-acceptable".into(), refused: None }));
        self.tell(Happening::Acknowledged(token));
    }
    pub(super) fn rooms(&mut self, act: RoomAct) {
        let turn = act.0(&mut self.parts.rooms, now());
        self.room_turn(turn);
    }
    pub(super) fn archive(&mut self, by: Address, query: Query) {
        if !self.online {
            return self.tell(Happening::Page { by, page: Err(archive::ArchiveError::Busy) });
        }
        let (me, salt) = (self.config.account.clone(), self.parts.salt.clone());
        let make = || if by == me { Archive::of_account(me, &salt) } else { Archive::of_room(by.clone(), &salt) };
        let asked = self.parts.archives.entry(by.clone()).or_insert_with(make).ask(query, now());
        self.waiting.push_back(Sent::passing(asked));
    }

    pub(super) fn position(&mut self, position: Position) {
        let turn = self.parts.positions.publish(position);
        self.position_turn(turn);
    }
    fn position_turn(&mut self, turn: PositionTurn) {
        self.waiting.extend(turn.send.into_iter().map(Sent::passing));
        turn.news.into_iter().for_each(|news| self.tell(Happening::Position(news)));
    }
    /// `Err`: it is taken away.
    pub(super) fn bookmark(&mut self, change: Result<Bookmark, Address>) {
        let turn = match change {
            Ok(bookmark) => self.parts.bookmarks.set(bookmark),
            Err(room) => self.parts.bookmarks.remove(&room),
        };
        self.bookmark_turn(turn);
    }
    fn bookmark_turn(&mut self, turn: BookmarkTurn) {
        self.waiting.extend(turn.send.into_iter().map(Sent::passing));
        turn.news.into_iter().for_each(|news| self.tell(Happening::Bookmarks(news)));
    }
    pub(super) fn block(&mut self, change: BlockChange) {
        let turn = self.parts.blocking.change(change);
        self.block_turn(turn);
    }
    fn block_turn(&mut self, turn: BlockTurn) {
        self.waiting.extend(turn.send.into_iter().map(Sent::passing));
        turn.news.into_iter().for_each(|news| self.tell(Happening::Blocking(news)));
    }
    /// A received `<iq>` of type `get` or `set`, which is answered already.
    pub(super) fn block_pushed(&mut self, iq: &Element) {
        let news = self.parts.blocking.pushed(iq).filter(|_| self.config.rooms);
        news.into_iter().for_each(|news| self.tell(Happening::Blocking(news)));
    }
    /// Positions and bookmarks are nothing to the machine.
    fn own_nodes_pushed(&mut self, inputs: &mut Vec<Input>) {
        let is_ours = |input: &mut Input| matches!(input, Input::Published(node, _) if node.name == positions::NODE || node.name == bookmarks::NODE);
        let pushed: Vec<_> = inputs.extract_if(.., is_ours).collect();
        for input in pushed {
            let Input::Published(node, payload) = input else { continue };
            let moved = self.parts.positions.pushed(&node, payload.as_deref());
            moved.into_iter().for_each(|position| self.tell(Happening::Position(PositionNews::Moved(position))));
            let changed = self.parts.bookmarks.pushed(&node, payload.as_deref());
            changed.into_iter().for_each(|news| self.tell(Happening::Bookmarks(news)));
        }
    }

    /// A received `<message>`, the stream's stanza of this number.
    pub(super) fn message(&mut self, stanza: &Element, number: u64) {
        if archive::is_result(stanza) {
            return self.archived(stanza);
        }
        let now = now();
        let turn = if self.config.rooms { self.parts.rooms.message(stanza, &mut self.mapping, now) } else { None };
        let mut mapped = match turn {
            Some(RoomTurn { more: false, .. }) => Default::default(),
            _ => self.mapping.message(stanza, now),
        };
        let (mut inputs, mut ids, mut news) = (Vec::new(), Ids::default(), Vec::new());
        if let Some(mut turn) = turn {
            self.waiting.extend(turn.send.drain(..).map(Sent::passing));
            self.follow(&turn.news);
            mapped.unreadable = mapped.unreadable.or(turn.unreadable.take());
            (inputs, ids, news) = (turn.inputs, turn.ids, turn.news);
        }
        if !mapped.inputs.is_empty() || ids == Ids::default() {
            ids = mapped.ids;
        }
        inputs.append(&mut mapped.inputs);
        self.own_nodes_pushed(&mut inputs);
        // what came back is held as what came is: else whoever dies now believes that it was sent
        let came_back = mapped.bounce.is_some();
        mapped.bounce.into_iter().for_each(|bounce| self.tell(Happening::Bounced(bounce)));
        self.unreadable(mapped.unreadable);
        if came_back || !inputs.is_empty() || !news.is_empty() {
            self.management.hold(number);
            self.tell(Happening::Received { inputs, ids, news, mark: Mark(number) });
        }
    }
    fn unreadable(&mut self, unreadable: Option<Unreadable>) {
        let Some(Unreadable { from, why, answer }) = unreadable else { return };
        self.waiting.extend(answer.filter(|_| self.watchers.contains(&from)).map(Sent::passing));
        self.tell(Happening::LeftOut { stanza: "message", from: Some(from), why: LeftOut::Engine(why) });
    }
    /// What an archive sends: of no question of ours it is nothing.
    fn archived(&mut self, stanza: &Element) {
        let now = now();
        let Some(found) = self.parts.archives.values_mut().find_map(|archive| archive.result(stanza, now)) else { return };
        let (inputs, ids, news) = if found.at.by == self.config.account {
            let mapped = self.mapping.archived(&found, now);
            self.unreadable(mapped.unreadable);
            (mapped.inputs, mapped.ids, Vec::new())
        } else {
            let turn = self.parts.rooms.archived(&found, &mut self.mapping, now);
            self.unreadable(turn.unreadable);
            (turn.inputs, turn.ids, turn.news)
        };
        if !inputs.is_empty() || !news.is_empty() {
            self.tell(Happening::Archived { inputs, ids, news });
        }
    }
    /// A received `<presence>`. `false`: it is no room's.
    pub(super) fn room_presence(&mut self, presence: &Element) -> bool {
        let turn = if self.config.rooms { self.parts.rooms.presence(presence, now()) } else { None };
        let is_it = turn.is_some();
        turn.into_iter().for_each(|turn| self.room_turn(turn));
        is_it
    }
    /// A received answer. `false`: it is none to a question of these parts.
    pub(super) fn parts_answered(&mut self, iq: &Element) -> bool {
        let page = self.parts.archives.iter_mut().find_map(|(by, archive)| Some((by.clone(), archive.finished(iq)?)));
        if let Some((by, page)) = page {
            self.tell(Happening::Page { by, page });
        } else if let Some((send, found)) = self.parts.discovery.answered(iq) {
            self.waiting.extend(send.into_iter().map(Sent::passing));
            found.into_iter().for_each(|found| self.discovered(found));
        } else if let Some(turn) = self.parts.positions.answered(iq) {
            self.position_turn(turn);
        } else if let Some(turn) = self.parts.blocking.answered(iq) {
            self.block_turn(turn);
        } else if let Some(turn) = self.parts.bookmarks.answered(iq) {
            self.bookmark_turn(turn);
        } else if let Some(turn) = self.parts.rooms.iq(iq, now()) {
            self.room_turn(turn);
        } else {
            return false;
        }
        true
    }
    /// An answer that was left out: only its head is there.
    pub(super) fn parts_too_large(&mut self, head: &Element) -> bool {
        if let Some(turn) = self.parts.rooms.too_large(head, now()) {
            self.room_turn(turn);
        } else if let Some(turn) = self.parts.positions.too_large(head) {
            self.position_turn(turn);
        } else if let Some(turn) = self.parts.blocking.too_large(head) {
            self.block_turn(turn);
        } else if let Some(turn) = self.parts.bookmarks.too_large(head) {
            self.bookmark_turn(turn);
        } else {
            return false;
        }
        true
    }
    fn discovered(&mut self, found: Abilities) {
        self.mapping.believe(self.config.account.clone(), found.stanza_ids);
        let turn = self.parts.positions.online(found.private_nodes);
        self.position_turn(turn);
        let turn = self.parts.bookmarks.online(found.private_nodes);
        self.bookmark_turn(turn);
        self.tell(Happening::Abilities(found));
    }
    fn room_turn(&mut self, turn: RoomTurn) {
        let RoomTurn { send, news, inputs, unreadable, complete, .. } = turn;
        self.waiting.extend(send.into_iter().map(Sent::passing));
        self.follow(&news);
        if complete {
            self.return_stray();
        }
        self.unreadable(unreadable);
        if !news.is_empty() || !inputs.is_empty() {
            self.tell(Happening::Rooms { news, inputs });
        }
    }
    /// What waits for a room goes on when we are in and know for whom it is, and comes back when we do not come in any more.
    fn follow(&mut self, news: &[RoomNews]) {
        for news in news {
            match news {
                RoomNews::Members { room, .. } | RoomNews::NotEncryptable { room, .. } => {
                    self.take_held(room).into_iter().for_each(|sent| self.put_to_room(sent));
                }
                RoomNews::Left { why: Left::Lost, .. } => {}
                RoomNews::Left { room, .. } | RoomNews::Failed { room, task: RoomTask::Join | RoomTask::Create, again: None, .. } => {
                    self.take_held(room).into_iter().for_each(|sent| self.give_back(sent));
                }
                _ => {}
            }
        }
    }
    fn take_held(&mut self, room: &Address) -> VecDeque<Sent> {
        let held = std::mem::take(&mut self.parts.held);
        let (theirs, others) = held.into_iter().partition(|sent| room_of(&sent.stanza).as_ref() == Some(room));
        self.parts.held = others;
        theirs
    }
}
fn is_groupchat(stanza: &Element) -> bool {
    stanza.attr("type") == Some("groupchat")
}
/// For those who were in the room when it was said.
fn is_encrypted(stanza: &Element) -> bool {
    stanza.children().any(|child| child.name() == "encrypted")
}
fn room_of(stanza: &Element) -> Option<Address> {
    bare(stanza.attr("to")?).ok()
}
