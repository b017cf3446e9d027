//! One room, as far as we know it.
use super::members::Members;
use super::news::{About, Occupant, RoomConfig};
use super::{ECHO, SILENCE};
use std::collections::{HashMap, VecDeque};
use subrosa_engine::{Address, MessageId, Time};

/// Occupants of one room, and occupant ids whose owner is remembered.
const MAX_OCCUPANTS: usize = 10_000;
/// Messages of ours whose reflection may still come.
const MAX_SENT: usize = 256;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// It is asked what it is.
    Asking,
    /// Presence is sent; ours must be back until then.
    Joining(Time),
    /// We made it, and it is being configured.
    Configuring,
    /// We are in.
    Joined,
    /// We said goodbye.
    Leaving,
    /// It is tried again then.
    Away(Time),
}
/// How to enter.
#[derive(Clone, Default)]
pub(super) struct Entry {
    pub nick: String,
    pub password: Option<String>,
    /// The newest message that the host has.
    pub after: Option<Time>,
    /// It is made.
    pub create: Option<RoomConfig>,
}
impl std::fmt::Debug for Entry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Entry").field("nick", &self.nick).field("after", &self.after).field("create", &self.create).finish_non_exhaustive()
    }
}
/// Whether the room is being asked about itself and its members.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Inquiry {
    #[default]
    None,
    Running,
    /// Something changed meanwhile.
    Again,
}

#[derive(Debug)]
pub(super) struct Room {
    pub phase: Phase,
    pub entry: Entry,
    /// The name that we have, or try.
    pub nick: String,
    pub about: About,
    pub occupants: HashMap<String, Occupant>,
    /// Whose occupant ids are (XEP-0421).
    ids: HashMap<String, Address>,
    pub members: Members,
    pub inquiry: Inquiry,
    sent: VecDeque<MessageId>,
    /// We are giving up what we are to it.
    pub resigning: bool,
    /// The room is new: ours to configure.
    pub made: bool,
    /// Other names that were tried.
    pub renamed: u8,
    /// Attempts to enter that failed.
    pub failures: u32,
    /// When it is asked whether we are in.
    pub ping_at: Time,
    /// When it is asked so because a message of ours has not come back.
    pub echo_by: Option<Time>,
    /// To be entered again once we have left.
    pub next: Option<Entry>,
}
impl Room {
    pub(super) fn new(entry: Entry, phase: Phase) -> Self {
        Room {
            phase,
            nick: entry.nick.clone(),
            entry,
            about: About::default(),
            occupants: HashMap::new(),
            ids: HashMap::new(),
            members: Members::default(),
            inquiry: Inquiry::None,
            sent: VecDeque::new(),
            resigning: false,
            made: false,
            renamed: 0,
            failures: 0,
            ping_at: Time(0),
            echo_by: None,
            next: None,
        }
    }
    /// Something came from it.
    pub(super) fn heard(&mut self, now: Time) {
        self.ping_at = now.after(SILENCE);
    }
    /// Somebody is there. What was known of the name before.
    pub(super) fn came(&mut self, occupant: Occupant) -> Option<Occupant> {
        if self.occupants.len() >= MAX_OCCUPANTS && !self.occupants.contains_key(&occupant.nick) {
            self.members.overflow();
            return None;
        }
        if let (Some(id), Some(who)) = (&occupant.id, &occupant.who)
            && (self.ids.len() < MAX_OCCUPANTS || self.ids.contains_key(id))
        {
            self.ids.insert(id.clone(), who.clone());
        }
        self.occupants.insert(occupant.nick.clone(), occupant)
    }
    /// Who has this occupant id, as the room has shown.
    pub(super) fn owner_of(&self, id: &str) -> Option<&Address> {
        self.ids.get(id)
    }
    /// When it is asked whether we are in.
    pub(super) fn check_at(&self) -> Time {
        self.echo_by.map_or(self.ping_at, |at| at.min(self.ping_at))
    }
    /// A message of ours went there. One that waited may go twice.
    pub(super) fn sent(&mut self, id: MessageId, now: Time) {
        self.echo_by = self.echo_by.or_else(|| Some(now.after(ECHO)));
        if self.sent.contains(&id) {
            return;
        }
        if self.sent.len() >= MAX_SENT {
            self.sent.pop_front();
        }
        self.sent.push_back(id);
    }
    /// Whether a message of ours has this id, and was not reflected yet.
    pub(super) fn reflected(&mut self, id: &str) -> Option<MessageId> {
        let at = self.sent.iter().position(|sent| sent.as_str() == id)?;
        // a room keeps their order
        if at.checked_add(1) == Some(self.sent.len()) {
            self.echo_by = None;
        }
        self.sent.remove(at)
    }
    /// Who is there and who is a member is told anew by the room, and then by us: the machine waits for it, though nothing may have changed.
    pub(super) fn forget(&mut self) {
        self.occupants.clear();
        self.members = Members::default();
        self.inquiry = Inquiry::None;
        self.echo_by = None;
    }
}
