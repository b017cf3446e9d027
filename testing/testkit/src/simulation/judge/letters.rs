//! What becomes of every message that a person wrote: at its sender, on its way, at every device that it reaches.
use super::{Allowed, Judge, MARK, Rule, Verdict};
use crate::simulation::{CarriedKey, Subject};
use crate::{ClientId, Stanza};
use std::collections::{BTreeMap, BTreeSet};
use subrosa_engine::{Address, ChatId, Device, DeviceReport, Event, Fingerprint, MessageId, Reason, Recipients, Sender, Time};

/// One message.
pub(super) struct Letter {
    from: ClientId,
    chat: ChatId,
    text: String,
    /// Which of all messages.
    number: u64,
    outcome: Option<bool>,
    /// Devices with a key in it, and what keys of theirs were trusted then. By part and number: owner and id are not always on the wire.
    keyed: BTreeMap<Device, Vec<Fingerprint>>,
    parts: BTreeMap<u16, Vec<CarriedKey>>,
    modern: bool,
    /// The server changed or moved it.
    pub tampered: bool,
    /// Its sender's store was put back: it may leave again, or not at all.
    again: bool,
    ways: BTreeMap<ClientId, Way>,
}
impl Letter {
    /// A store was put back.
    pub fn forget(&mut self, client: ClientId) {
        self.ways.remove(&client);
        self.again |= self.from == client;
    }
}
/// What reached one device, and what it made of it.
#[derive(Default)]
struct Way {
    with_key: u32,
    without_key: u32,
    /// The first part is among those without a key.
    first: bool,
    shown: bool,
    /// How often it was told as unreadable, and why at last.
    told: u32,
    why: Option<Reason>,
    done: bool,
}

impl Judge {
    /// A person writes.
    pub fn wrote(&mut self, id: &MessageId, from: ClientId, chat: &ChatId, text: &str) {
        let letter = Letter {
            from,
            chat: chat.clone(),
            text: text.to_owned(),
            number: self.letters.len() as u64,
            outcome: None,
            keyed: BTreeMap::new(),
            parts: BTreeMap::new(),
            modern: false,
            tampered: false,
            again: false,
            ways: BTreeMap::new(),
        };
        self.letters.insert(id.clone(), letter);
        self.open.insert(id.clone());
    }
    /// The server changed or moved a message: silence about it is no fault.
    pub fn tampered(&mut self, id: &MessageId) {
        if let Some(letter) = self.letters.get_mut(id) {
            letter.tampered = true;
        }
    }
    /// A stanza was made.
    pub(super) fn travels<X: Subject>(&mut self, subject: &X, client: ClientId, stanza: &Stanza, allowed: &Allowed) -> Verdict {
        let id = &stanza.id;
        let readable = std::str::from_utf8(&stanza.body).is_ok_and(|body| body.contains(MARK));
        if stanza.in_clear || readable {
            return Err(Rule::NoClearText.broken("words travel in clear").about(id));
        }
        let carried = subject.read(stanza).map_err(|why| Rule::NoClearText.broken(format!("not what the engine should send: {why}")).about(id))?;
        let shows = self.seats[client.0].shows;
        let forgiven = self.seats[client.0].rolled_back && !self.seats[client.0].noticed;
        for key in &carried.keys {
            match self.keys.uses(stanza, key) {
                Err(_) if shows => {
                    return Err(Rule::NoticesOldMemory.broken("it uses a key again, and has not looked what is published for it").about(id));
                }
                // whoever read the first takes this for a repetition
                Err(_) if forgiven => self.tampered(id),
                verdict => verdict?,
            }
        }
        let seat = &mut self.seats[client.0];
        seat.leave.insert((id.clone(), stanza.part));
        let Some(letter) = self.letters.get_mut(id) else {
            if carried.payload {
                return Err(Rule::OnlyTheAdmitted.broken("words that nobody wrote").about(id));
            }
            return Ok(());
        };
        let last = seat.order.entry(stanza.chat.0.clone()).or_insert(letter.number);
        if letter.number < *last {
            return Err(Rule::OneOutcome.broken("it leaves behind one that was written later in the same conversation").about(id));
        }
        *last = letter.number;
        let people: Vec<&Address> = match &stanza.to {
            Recipients::People(people) => people.iter().chain([&seat.account]).collect(),
            Recipients::Device(device) => vec![&device.owner],
            Recipients::Room => {
                let room = &stanza.chat.0;
                seat.rooms.get(room).into_iter().flatten().chain(allowed.members(room)).chain([&seat.account]).collect()
            }
        };
        for key in &carried.keys {
            let device = match &key.owner {
                Some(owner) => Some(Device::of(owner, key.id.clone())),
                None => {
                    let theirs = people.iter().map(|owner| Device::of(owner, key.id.clone()));
                    theirs.into_iter().find(|device| !allowed.keys(&seat.book, device).is_empty())
                }
            };
            let keys = device.as_ref().map(|device| allowed.keys(&seat.book, device)).unwrap_or_default();
            let Some(device) = device.filter(|device| people.contains(&&device.owner) && !keys.is_empty()) else {
                let whose = key.owner.as_ref().map_or("somebody", Address::as_str);
                return Err(Rule::OnlyTheAdmitted
                    .broken(format!("a message key for {whose}'s device {:?}, which was not admitted", key.id))
                    .about(id));
            };
            if letter.keyed.insert(device.clone(), keys).is_some() && !letter.again {
                return Err(Rule::TrueReport.broken(format!("two message keys for {device}")).about(id));
            }
        }
        letter.modern |= carried.bound;
        letter.parts.insert(stanza.part, carried.keys);
        Ok(())
    }
    pub(super) fn sent(&mut self, client: ClientId, id: &MessageId, report: &[DeviceReport]) -> Verdict {
        self.outcome(client, id, true)?;
        let Some(letter) = self.letters.get_mut(id) else { return Ok(()) };
        let readers = report.iter().filter(|line| line.result.is_ok());
        let mut said = 0;
        for line in readers {
            said += 1;
            if !letter.keyed.contains_key(&line.device) {
                return Err(Rule::TrueReport.broken(format!("{} can read it, says the report, and there is no key for it", line.device)).about(id));
            }
        }
        if (said != letter.keyed.len() && !letter.again) || said == 0 {
            let what = format!("there are keys for {} devices, the report speaks of {said}", letter.keyed.len());
            return Err(Rule::TrueReport.broken(what).about(id));
        }
        Ok(())
    }
    pub(super) fn not_sent(&mut self, client: ClientId, id: &MessageId, _: Reason) -> Verdict {
        self.outcome(client, id, false)?;
        if self.letters.get(id).is_some_and(|letter| !letter.parts.is_empty() && !letter.again) {
            return Err(Rule::OneOutcome.broken("told as not sent, and it left").about(id));
        }
        Ok(())
    }
    fn outcome(&mut self, client: ClientId, id: &MessageId, sent: bool) -> Verdict {
        self.seats[client.0].tell.insert(id.clone());
        let Some(letter) = self.letters.get_mut(id) else { return Ok(()) };
        if letter.outcome.replace(sent).is_some() && !self.seats[client.0].rolled_back {
            return Err(Rule::OneOutcome.broken("a second outcome").about(id));
        }
        Ok(())
    }
    pub(super) fn left(&mut self, client: ClientId, id: &MessageId, part: u16) {
        self.seats[client.0].leave.remove(&(id.clone(), part));
    }
    pub(super) fn routed(&mut self, to: ClientId, id: &MessageId, part: u16, copies: u32) {
        let Some(letter) = self.letters.get_mut(id).filter(|letter| letter.from != to) else { return };
        let mine = self.seats[to.0].identity.as_ref().map(|(device, _)| device);
        let has_key = letter.parts.get(&part).is_some_and(|keys| {
            let is = |key: &CarriedKey, mine: &Device| key.id == mine.id && key.owner.as_ref().is_none_or(|owner| *owner == mine.owner);
            mine.is_some_and(|mine| keys.iter().any(|key| is(key, mine)))
        });
        let way = letter.ways.entry(to).or_default();
        match (copies, has_key) {
            (0, _) => {}
            (_, true) => way.with_key += copies,
            (_, false) => {
                way.without_key += copies;
                way.first |= part == 0;
            }
        }
        if copies > 0 && !way.shown && way.told == 0 {
            way.done = false;
            self.open.insert(id.clone());
        }
    }
    /// A message is shown.
    pub(super) fn reads(&mut self, client: ClientId, id: &MessageId, sender: Option<&Sender>, allowed: &Allowed, at: Time) -> Verdict {
        let Some(letter) = self.letters.get_mut(id) else {
            return Err(Rule::AsItWasWritten.broken("a message that nobody wrote is shown").about(id));
        };
        let (seat, author) = (&self.seats[client.0], &self.seats[letter.from.0]);
        let way = letter.ways.entry(client).or_default();
        // whose memory was put back has a message of before once more, and sends it as a new one
        if std::mem::replace(&mut way.shown, true) && !author.rolled_back {
            return Err(Rule::ShownOnce.broken("it is shown a second time").about(id));
        }
        self.shown += 1;
        self.reread += u64::from(way.told > 0);
        let Some(sender) = sender else { return Err(Rule::AsItWasWritten.broken("shown without a sender").about(id)) };
        if author.identity.as_ref() != Some(&(sender.device.clone(), sender.key)) && !author.rolled_back {
            return Err(Rule::AsItWasWritten.broken(format!("shown as {}'s, whose it is not", sender.device)).about(id));
        }
        if !allowed.had(&seat.book, &sender.device, &sender.key, sender.trust) {
            let trust = sender.trust.code();
            return Err(Rule::TrustByTheRules.broken(format!("its sender is called {trust}, which is not what was decided")).about(id));
        }
        let Some((device, key)) = &seat.identity else { return Err(Rule::OnlyTheAdmitted.broken("read by a device without keys").about(id)) };
        if letter.keyed.get(device).is_none_or(|keys| !keys.contains(key)) {
            return Err(Rule::OnlyTheAdmitted.broken(format!("read by {device}, whose key its sender had not admitted")).about(id));
        }
        let exchanges = letter.parts.values().flatten().filter(|k| k.id == device.id).filter_map(|k| k.exchange.as_ref());
        for exchange in exchanges {
            if !seat.rolled_back {
                self.keys.opens(client, letter.modern, exchange, seat.online, seat.catching_up, at)?;
            }
        }
        self.seats[client.0].show.insert(id.clone());
        Ok(())
    }
    pub(super) fn tells(&mut self, client: ClientId, id: &MessageId, reason: Reason) -> Verdict {
        let Some(letter) = self.letters.get_mut(id) else { return Ok(()) };
        let parts = letter.parts.len() as u32;
        let way = letter.ways.entry(client).or_default();
        way.told += 1;
        way.why = Some(reason);
        if way.told > parts && !letter.tampered && ![client, letter.from].iter().any(|who| self.seats[who.0].rolled_back) {
            return Err(Rule::ToldOnce.broken(format!("told as {} again", reason.code())).about(id));
        }
        *self.told.entry(reason.code()).or_default() += 1;
        let can_be = matches!(reason, Reason::NotForThisDevice | Reason::UnknownPreKey | Reason::UnknownMember);
        if self.readable && !can_be {
            return Err(Rule::ReadOrTold
                .broken(format!("told as {}, and nothing happened that explains it", reason.code()))
                .about(id)
                .by(letter.from));
        }
        Ok(())
    }
    /// What the application has by now, of all that was looked at before.
    pub fn performed(&mut self, client: ClientId, events: &[Event]) -> Verdict {
        for event in events.iter().skip(self.seats[client.0].seen) {
            match event {
                Event::Message { id, chat, message } => {
                    self.seats[client.0].show.remove(id);
                    let Some(letter) = self.letters.get(id) else { continue };
                    let author = &self.seats[letter.from.0].account;
                    let seat = &self.seats[client.0];
                    let is_mine = *author == seat.account;
                    let room = letter.chat.0 != seat.account;
                    let expected = if is_mine || room { &letter.chat.0 } else { author };
                    let moved = chat.0 != *expected;
                    if message.plaintext().bytes() != letter.text.as_bytes() || message.from() != author || moved || message.in_clear() {
                        return Err(Rule::AsItWasWritten
                            .broken(format!("shown in {} as by {}, or in other words", chat.0, message.from()))
                            .about(id));
                    }
                }
                Event::Sent { id, .. } | Event::NotSent { id, .. } => drop(self.seats[client.0].tell.remove(id)),
                _ => {}
            }
        }
        self.seats[client.0].seen = events.len();
        Ok(())
    }
    /// Nothing is under way: all that those who are online owed is done, and what reached them was shown or told.
    pub fn rest(&mut self, is_online: impl Fn(ClientId) -> bool) -> Verdict {
        for (n, seat) in self.seats.iter().enumerate() {
            let client = ClientId(n);
            if !is_online(client) || seat.gone {
                continue;
            }
            let lost = |what: &str, id: &MessageId| Err(Rule::NothingOwedIsLost.broken(what).about(id).by(client));
            if let Some(id) = seat.show.first() {
                return lost("read, stored, and never shown", id);
            }
            if let Some(id) = seat.tell.first() {
                return lost("its outcome was stored and never told", id);
            }
            if let Some((id, _)) = seat.leave.first() {
                return lost("stored as sent, and the server never got it", id);
            }
        }
        let mut done = BTreeSet::new();
        for id in &self.open {
            let Some(letter) = self.letters.get_mut(id) else { continue };
            let mut open = letter.outcome.is_none();
            for (client, way) in letter.ways.iter_mut().filter(|(_, way)| !way.done) {
                let seat = &self.seats[client.0];
                if !is_online(*client) && !seat.gone {
                    open = true;
                    continue;
                }
                way.done = true;
                let received = way.with_key + way.without_key;
                // of two parts only the second came, which says that there is a first: that it is no news is all right
                let excused = seat.gone || seat.rolled_back || letter.tampered || received == 0 || (way.with_key == 0 && !way.first);
                if received == 0 {
                    self.lost += 1;
                } else if !way.shown && way.told == 0 && !excused {
                    let which = if way.with_key > 0 { "with a key for it" } else { "without a key for it" };
                    let device = seat.identity.as_ref().map_or_else(|| seat.account.to_string(), |(device, _)| device.to_string());
                    let what = format!("it reached {device} ({client:?}) {which}, and was neither shown nor told");
                    return Err(Rule::ReadOrTold.broken(what).about(id).by(*client).by(letter.from));
                }
            }
            if !open {
                done.insert(id.clone());
            }
        }
        self.open.retain(|id| !done.contains(id));
        Ok(())
    }
    /// At the very end: every message has an outcome.
    pub fn end(&self) -> Verdict {
        for (id, letter) in &self.letters {
            if letter.outcome.is_none() && !self.seats[letter.from.0].gone && !self.seats[letter.from.0].rolled_back {
                return Err(Rule::OneOutcome.broken("neither sent nor not sent").about(id).by(letter.from));
            }
        }
        Ok(())
    }
    /// What could be read by now, because people are who they are and devices are known, is read. Of who is in a room no more it may be
    /// that nobody says what they wrote.
    pub fn read_later(&self) -> Verdict {
        let hopes = |way: &Way| matches!(way.why, Some(Reason::UnknownMember)) && !way.shown && way.with_key > 0;
        let is_there = |client: &ClientId, letter: &Letter| {
            let members = self.seats[client.0].rooms.get(&letter.chat.0);
            members.is_none_or(|members| members.contains(&self.seats[letter.from.0].account))
        };
        for (id, letter) in self.letters.iter().filter(|(_, letter)| self.readable && !letter.tampered && !self.seats[letter.from.0].rolled_back) {
            if let Some((client, _)) =
                letter.ways.iter().find(|(client, way)| hopes(way) && is_there(client, letter) && !self.seats[client.0].rolled_back)
            {
                return Err(Rule::ReadLater
                    .broken("nobody knew whose it was; it is known by now, and it is not read")
                    .about(id)
                    .by(*client)
                    .by(letter.from));
            }
        }
        Ok(())
    }
    /// Whether a device showed a message.
    pub fn was_shown(&self, id: &MessageId, client: ClientId) -> bool {
        self.letters.get(id).and_then(|letter| letter.ways.get(&client)).is_some_and(|way| way.shown)
    }
}
