//! Messages that could not be read. Each is told once, whatever way it comes again: live, by carbon, from an archive; and not at all if it
//! was read before, which its engine may not know any more. Those that may be read later are kept, and run again when what they failed
//! on changes.
//!
//! Owns the rows of all three. Knows no engine: what a reason hangs on is in [`Hope`]. What can't ever be read is told and not kept.
//!
//! Invariants: a kept message runs once for each change; it leaves the rows before it runs, and comes back like any other that fails;
//! the rows are bounded, the oldest of the chat that has most go first, so that a flood takes nothing from other chats, and nobody is told,
//! because they were told before.
use super::{EngineName, Message, SPACE};
use crate::codec::{Reader, Writer};
use crate::error::Why;
use crate::wire::Stored;
use crate::*;
use sha2::{Digest as _, Sha256};
use std::collections::HashMap;
use std::sync::Arc;

/// Messages kept.
pub(crate) const KEPT: usize = 256;
/// Bytes kept, over all of them.
pub(crate) const KEPT_BYTES: u64 = 2 << 20;
/// Messages remembered as told.
pub(crate) const TOLD: u64 = 2048;
/// Messages remembered as read: so many rows, and in each so many.
pub(crate) const READ: (u64, usize) = (64, 64);

/// What has to change, so that a message may be read after all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hope {
    /// Trust in the device that sent it.
    Trust,
    /// Who is in the room.
    Members,
    /// The engine of its chat, or what that one speaks.
    Engines,
    /// What was asked about it was not answered: the next connection.
    Answers,
}
impl Hope {
    /// `asked`: it waited for answers. `nobody`: its chat had no engine that could look at it.
    pub fn of(why: &Refusal, asked: bool, nobody: bool) -> Option<Self> {
        match why.reason {
            Reason::Untrusted | Reason::KeyChanged => Some(Hope::Trust),
            Reason::UnknownMember | Reason::NotInRoom => Some(Hope::Members),
            Reason::Unsupported => Some(Hope::Engines),
            // an engine that is gone, or has a bug; what an engine refuses by a status of its own stays refused
            Reason::Engine if why.status == Status::INTERNAL => Some(Hope::Engines),
            Reason::NotEncrypted if nobody => Some(Hope::Engines),
            Reason::Expired if asked => Some(Hope::Answers),
            _ => None,
        }
    }
}

impl Step<'_> {
    /// Takes note of a message that failed. `true`: for the first time, so that it has to be told.
    pub(crate) fn fails(&mut self, message: &Arc<Message>, engine: &EngineName, why: &Refusal, asked: bool) -> Result<bool, Halt> {
        let Message::In { kind, chat, answer_by, .. } = &**message else { return Ok(true) };
        if *kind == Kind::Typing {
            return Ok(true);
        }
        let by_id = by_id(why, self.room(chat)?.is_some());
        let (Some(digest), Some(unique)) = (digest(message, by_id), digest(message, false)) else { return Ok(true) };
        if self.was_read(&unique)? {
            return Ok(false);
        }
        let kept = self.of_row(told(&digest))?.filter(|told| told.digest == digest).map(|told| told.kept);
        let mut index = self.of_row(index())?.unwrap_or_default();
        let there = kept.flatten().is_some_and(|n| index.entries.iter().any(|entry| entry.number == n));
        let hope = Hope::of(why, asked, engine.is_empty());
        // who holds the answer to it was told no, and sends it again
        let bytes = size(message);
        let keeps = hope.filter(|_| !there && answer_by.0.is_none() && bytes <= KEPT_BYTES);
        let Some((hope, Message::In { chat, .. })) = keeps.map(|hope| (hope, &**message)) else {
            if kept.is_none() {
                self.remember(&digest, None)?;
            }
            return Ok(kept.is_none());
        };
        let number = index.next;
        index.next = number.saturating_add(1);
        index.engines = self.machine.signature();
        let (device, chat, engine) = (why.device.clone(), chat.clone(), engine.to_string());
        index.entries.push(Entry { number, hope, device, chat, engine, bytes });
        self.rows().put(row(number), Kept(message.clone()));
        for gone in index.surplus() {
            self.rows().remove(row(gone));
        }
        self.rows().put(self::index(), index);
        if kept.is_some() {
            self.rows().put(told(&digest), Told { digest, kept: Some(number) });
        } else {
            self.remember(&digest, Some(number))?;
        }
        Ok(kept.is_none())
    }
    /// Takes note of a message that was read.
    pub(crate) fn reads(&mut self, message: &Message) -> Result<(), Halt> {
        let Some(digest) = digest(message, false) else { return Ok(()) };
        let digest = short(&digest);
        // nearly always: in its place. What is cold, damaged or full goes the long way
        if let Ok(Some(last)) = self.rows().edit(last())
            && last.digests.len() < READ.1
        {
            last.digests.push(digest);
            return Ok(());
        }
        let mut last = self.of_row(last())?.unwrap_or_default();
        if last.digests.len() >= READ.1 {
            let next = Read { chunks: last.chunks.saturating_add(1), digests: Vec::with_capacity(READ.1) };
            let full = std::mem::replace(&mut last, next);
            self.rows().put(chunk_of(full.chunks.checked_rem(READ.0).unwrap_or(0)), full);
        }
        last.digests.push(digest);
        self.rows().put(self::last(), last);
        Ok(())
    }
    fn was_read(&mut self, digest: &[u8; 32]) -> Result<bool, Halt> {
        let last = self.of_row(last())?.unwrap_or_default();
        if last.digests.contains(&short(digest)) {
            return Ok(true);
        }
        let chunks = last.chunks.min(READ.0);
        self.rows().warm((0..chunks).map(chunk_of))?;
        for chunk in 0..chunks {
            if self.of_row(chunk_of(chunk))?.is_some_and(|read| read.digests.contains(&short(digest))) {
                return Ok(true);
            }
        }
        Ok(false)
    }
    /// Remembers it as told, in the place of the oldest.
    fn remember(&mut self, digest: &[u8; 32], kept: Option<u64>) -> Result<(), Halt> {
        let Count(count) = self.of_row(count())?.unwrap_or(Count(0));
        let turn = RowOf::<Count>::numbered("told-turn", count.checked_rem(TOLD).unwrap_or(0));
        if let Some(Count(oldest)) = self.of_row(turn.clone())? {
            self.rows().remove(RowOf::<Told>::numbered("told", oldest));
        }
        self.rows().put(turn, Count(short(digest)));
        self.rows().put(self::count(), Count(count.saturating_add(1)));
        self.rows().put(told(digest), Told { digest: *digest, kept });
        Ok(())
    }
    /// A person decided about a device.
    pub(crate) fn trust_changed(&mut self, device: &Device) -> Result<(), Halt> {
        self.try_again(|_, entry| entry.hope == Hope::Trust && entry.device.as_ref().is_none_or(|d| d == device))
    }
    /// It is known anew who is in a room.
    pub(crate) fn members_changed(&mut self, chat: &ChatId) -> Result<(), Halt> {
        self.try_again(|_, entry| entry.hope == Hope::Members && entry.chat == *chat)
    }
    /// What engines found out in this job: what another device said about trust, and who has which devices.
    pub(crate) fn learned(&mut self, before: usize) -> Result<(), Halt> {
        let (mut trusted, mut people) = (Vec::new(), std::mem::take(&mut self.machine.house.learned));
        for output in self.outputs.iter().skip(before) {
            match output {
                Output::Event(Event::TrustChanged { device, .. }) => trusted.push(device.clone()),
                Output::Event(Event::DeviceNew { device, .. }) => people.push(device.owner.clone()),
                _ => {}
            }
        }
        trusted.iter().try_for_each(|device| self.trust_changed(device))?;
        if people.is_empty() {
            return Ok(());
        }
        let Some(index) = self.of_row(index())? else { return Ok(()) };
        let mut chats = sorted(index.entries.into_iter().filter(|entry| entry.hope == Hope::Members).map(|entry| entry.chat).collect());
        chats.dedup();
        for chat in chats {
            if self.room(&chat)?.is_some_and(|room| room.members.iter().any(|member| people.contains(member))) {
                self.members_changed(&chat)?;
            }
        }
        Ok(())
    }
    /// A new stream.
    pub(crate) fn connected(&mut self) -> Result<(), Halt> {
        self.try_again(|_, entry| entry.hope == Hope::Answers)
    }
    /// Engines or the rule about them may be others than before.
    pub(crate) fn engines_changed(&mut self) -> Result<(), Halt> {
        let Some(mut index) = self.of_row(index())? else { return Ok(()) };
        let now = self.machine.signature();
        let others = index.engines != now;
        if others {
            index.engines = now;
            self.rows().put(self::index(), index);
        }
        self.try_again(|machine, entry| entry.hope == Hope::Engines && (others || machine.engine_of(&entry.chat).unwrap_or_default() != entry.engine))
    }
    fn try_again(&mut self, hopeful: impl Fn(&Machine, &Entry) -> bool) -> Result<(), Halt> {
        let Some(mut index) = self.of_row(index())? else { return Ok(()) };
        let again: Vec<u64> = index.entries.iter().filter(|entry| hopeful(self.machine, entry)).map(|entry| entry.number).collect();
        if again.is_empty() {
            return Ok(());
        }
        self.rows().warm(again.iter().map(|number| row(*number)))?;
        index.entries.retain(|entry| !again.contains(&entry.number));
        self.rows().put(self::index(), index);
        for number in again {
            let Some(Kept(message)) = self.of_row(row(number))? else { continue };
            self.rows().remove(row(number));
            let Message::In { chat, .. } = &*message else { continue };
            // it was told, however long ago that was
            for digest in [false, true].into_iter().filter_map(|by_id| digest(&message, by_id)) {
                if self.of_row(told(&digest))?.is_none_or(|told| told.digest != digest) {
                    self.remember(&digest, None)?;
                }
            }
            self.pass(self.begins(chat, message.clone()))?;
        }
        Ok(())
    }
    /// One that is damaged is none: what is remembered here never stops a message.
    fn of_row<T: Record>(&mut self, row: RowOf<T>) -> Result<Option<T>, Halt> {
        match self.rows().get(row) {
            Ok(value) => Ok(value.cloned()),
            Err(Halt(Why::Failed(error))) => {
                tracing::error!(%error, "what was remembered of messages that could not be read is lost");
                Ok(None)
            }
            Err(cold) => Err(cold),
        }
    }
}
impl Machine {
    /// What may read messages here. Another program version may read what the one before could not.
    fn signature(&self) -> String {
        let mut names: Vec<&str> = self.engines().collect();
        names.sort_unstable();
        format!("{} {}", env!("CARGO_PKG_VERSION"), names.join(" "))
    }
}

/// Which message it is, by whatever way it came: not all say who sent it. `by_id`: where the same body can be two messages.
fn digest(message: &Message, by_id: bool) -> Option<[u8; 32]> {
    let Message::In { id, chat, from, content_type, body, .. } = message else { return None };
    let whose = if by_id { [from.as_str(), id.as_str()] } else { [""; 2] };
    let [from, id] = whose.map(str::as_bytes);
    let mut hash = Sha256::new();
    for part in [chat.0.as_str().as_bytes(), content_type.0.as_bytes(), from, id, body] {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part);
    }
    Some(hash.finalize().into())
}
/// Clear text can be said twice, and an engine that names no device may make the same of the same words. In rooms it may be that nobody
/// says whose device it is.
fn by_id(why: &Refusal, in_room: bool) -> bool {
    let clear = matches!(why.reason, Reason::NotEncrypted | Reason::ContentType);
    clear || (why.device.is_none() && !in_room)
}
/// What it takes to keep it: whoever sent it chose how long all of this is.
fn size(message: &Message) -> u64 {
    let Message::In { id, headers, content_type, body, .. } = message else { return 0 };
    let headers = headers.0.iter().flat_map(|(name, value)| [name.len(), value.len()]);
    [id.as_str().len(), content_type.0.len(), body.len()].into_iter().chain(headers).fold(0, |all, n| all.saturating_add(n as u64))
}
fn short(digest: &[u8; 32]) -> u64 {
    u64::from_le_bytes(digest.first_chunk().copied().unwrap_or_default())
}

/// Loaded with the house: the first step and the first message ask for them.
pub(super) fn keys() -> [Key; 2] {
    [index().within(SPACE), last().within(SPACE)]
}
fn last() -> RowOf<Read> {
    RowOf::single("read")
}
fn chunk_of(chunk: u64) -> RowOf<Read> {
    RowOf::numbered("read", chunk)
}
fn index() -> RowOf<Index> {
    RowOf::single("failed")
}
fn row(number: u64) -> RowOf<Kept> {
    RowOf::numbered("failed", number)
}
fn told(digest: &[u8; 32]) -> RowOf<Told> {
    RowOf::numbered("told", short(digest))
}
fn count() -> RowOf<Count> {
    RowOf::single("told")
}

/// What is kept, the oldest first.
#[derive(Clone, Default)]
struct Index {
    /// What was installed when those that hope for engines ran last.
    engines: String,
    next: u64,
    entries: Vec<Entry>,
}
#[derive(Clone)]
struct Entry {
    number: u64,
    hope: Hope,
    device: Option<Device>,
    chat: ChatId,
    /// The chat's engine when it failed; empty: none.
    engine: String,
    bytes: u64,
}
impl Index {
    /// Takes out those that are too many: of the chat that has most of what there is too much of, the oldest.
    fn surplus(&mut self) -> Vec<u64> {
        let mut gone = Vec::new();
        loop {
            let many = self.entries.len() > KEPT;
            if !many && self.entries.iter().map(|entry| entry.bytes).fold(0, u64::saturating_add) <= KEPT_BYTES {
                return gone;
            }
            let mut shares: HashMap<&ChatId, u64> = HashMap::new();
            for entry in &self.entries {
                let share = shares.entry(&entry.chat).or_default();
                *share = share.saturating_add(if many { 1 } else { entry.bytes });
            }
            let most = shares.values().max().copied();
            let Some(at) = self.entries.iter().position(|entry| shares.get(&entry.chat).copied() == most) else { return gone };
            gone.push(self.entries.remove(at).number);
        }
    }
}
impl Record for Index {
    fn encode(&self) -> Vec<u8> {
        let mut out = Writer::versioned(1);
        out.str(&self.engines).varint(self.next).len(self.entries.len());
        for Entry { number, hope, device, chat, engine, bytes } in &self.entries {
            out.varint(*number).u8(*hope as u8);
            device.write(&mut out);
            chat.write(&mut out);
            out.str(engine).varint(*bytes);
        }
        out.into_bytes()
    }
    fn decode(bytes: &[u8]) -> Option<Self> {
        let input = &mut Reader::versioned(bytes, 1)?;
        let (engines, next, length) = (String::read(input)?, input.varint()?, input.len()?);
        let entry = |_| {
            let number = input.varint()?;
            let hope = match input.u8()? {
                0 => Hope::Trust,
                1 => Hope::Members,
                2 => Hope::Engines,
                3 => Hope::Answers,
                _ => return None,
            };
            let (device, chat) = (Stored::read(input)?, Stored::read(input)?);
            Some(Entry { number, hope, device, chat, engine: String::read(input)?, bytes: input.varint()? })
        };
        let entries = (0..length).map(entry).collect::<Option<_>>()?;
        input.end().map(|()| Index { engines, next, entries })
    }
}
/// A message as it came.
#[derive(Clone)]
struct Kept(Arc<Message>);
impl Record for Kept {
    fn encode(&self) -> Vec<u8> {
        let mut out = Writer::versioned(1);
        self.0.write(&mut out);
        out.into_bytes()
    }
    fn decode(bytes: &[u8]) -> Option<Self> {
        let input = &mut Reader::versioned(bytes, 1)?;
        let message = Stored::read(input)?;
        input.end().map(|()| Kept(Arc::new(message)))
    }
}
/// A message was told as unreadable.
#[derive(Clone)]
struct Told {
    digest: [u8; 32],
    /// Its number among those kept, if it was.
    kept: Option<u64>,
}
impl Record for Told {
    fn encode(&self) -> Vec<u8> {
        let mut out = Writer::versioned(1);
        out.raw(&self.digest).option(self.kept, |out, n| {
            out.varint(n);
        });
        out.into_bytes()
    }
    fn decode(bytes: &[u8]) -> Option<Self> {
        let input = &mut Reader::versioned(bytes, 1)?;
        let told = Told { digest: input.array()?, kept: input.option(Reader::varint)? };
        input.end().map(|()| told)
    }
}
/// Messages that were read.
#[derive(Clone, Default)]
struct Read {
    /// How many rows were filled before this one.
    chunks: u64,
    digests: Vec<u64>,
}
impl Record for Read {
    fn encode(&self) -> Vec<u8> {
        let mut out = Writer::with_capacity(self.digests.len().saturating_mul(8).saturating_add(16));
        out.u8(1).varint(self.chunks).len(self.digests.len());
        self.digests.iter().for_each(|digest| {
            out.u64(*digest);
        });
        out.into_bytes()
    }
    fn decode(bytes: &[u8]) -> Option<Self> {
        let input = &mut Reader::versioned(bytes, 1)?;
        let chunks = input.varint()?;
        let digests = (0..input.len()?).map(|_| input.u64()).collect::<Option<_>>()?;
        input.end().map(|()| Read { chunks, digests })
    }
}
/// A number that grows.
#[derive(Clone)]
pub(crate) struct Count(pub u64);
impl Record for Count {
    fn encode(&self) -> Vec<u8> {
        let mut out = Writer::versioned(1);
        out.varint(self.0);
        out.into_bytes()
    }
    fn decode(bytes: &[u8]) -> Option<Self> {
        let input = &mut Reader::versioned(bytes, 1)?;
        let count = Count(input.varint()?);
        input.end().map(|()| count)
    }
}
