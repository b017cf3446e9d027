//! What people, hosts and servers do between two looks of the judge.
use super::judge::MARK;
use super::{Outcome, Play, Subject};
use crate::ClientId;
use subrosa_engine::{Address, ChatId, Device, Fingerprint, Input, Trust};

/// How many old publications, stanzas and copies of stores are kept to be brought back.
const KEPT: usize = 48;

impl<X: Subject> Play<X> {
    /// Everybody's first device, and perhaps more, at once or one after the other.
    pub(super) fn begin(&mut self) -> Outcome {
        self.set_mood();
        for room in self.rooms.clone() {
            let members: Vec<Address> = self.people.clone().into_iter().filter(|_| self.rng.permille(700)).collect();
            self.world.set_room(room.as_str(), members);
        }
        let at_once = self.rng.permille(500);
        for person in 0..self.people.len() {
            self.join(person);
            while self.devices[person] < self.plan.devices && self.rng.permille(600) {
                if !at_once {
                    self.rest()?;
                }
                self.join(person);
            }
        }
        if at_once { Ok(()) } else { self.rest() }
    }
    /// One thing that somebody does.
    pub(super) fn deed(&mut self) -> Outcome {
        let plan = &self.plan;
        let rooms = if self.rooms.is_empty() { 0 } else { 15 };
        let (crashes, jumps) = (if plan.faults.crash > 0 { 8 } else { 0 }, if plan.hours > 0 { 3 } else { 0 });
        type Deed<X> = fn(&mut Play<X>) -> Outcome;
        let deeds: [(u32, Deed<X>); 14] = [
            (60, Self::approve),
            (plan.trust, Self::decide),
            (plan.absence, Self::come_or_go),
            (plan.forgetful, Self::forget),
            (plan.hostile, Self::attack),
            (plan.replay, Self::replay),
            (plan.replace, Self::replace),
            (plan.leave, Self::leave),
            (plan.roll_back.saturating_mul(3), Self::roll_back),
            (rooms, Self::change_room),
            (40, Self::join_another),
            (crashes, Self::crash),
            (jumps, Self::sleep),
            (5, Self::catch_up),
        ];
        let mut roll = u32::try_from(self.rng.below(1000)).unwrap_or(0);
        for (chance, deed) in deeds {
            match roll.checked_sub(chance) {
                Some(rest) => roll = rest,
                None => return deed(self),
            }
        }
        self.write()
    }
    /// Keeps what may come again.
    pub(super) fn remember(&mut self) {
        self.archive.extend(self.judge.published.drain(..));
        self.recent.extend(self.judge.travelled.drain(..));
        let (archive, recent): (usize, usize) = (self.archive.len().saturating_sub(KEPT), self.recent.len().saturating_sub(KEPT));
        self.archive.drain(..archive);
        self.recent.drain(..recent);
    }

    pub(super) fn person(&mut self) -> Address {
        self.people[self.rng.below(self.people.len() as u64) as usize].clone()
    }
    pub(super) fn some_room(&mut self) -> Option<Address> {
        self.rooms.get(self.rng.below(self.rooms.len() as u64) as usize).cloned()
    }
    fn living(&self) -> Vec<ClientId> {
        self.world.clients().filter(|client| !self.judge.seats[client.0].gone).collect()
    }
    fn somebody(&mut self) -> ClientId {
        let living = self.living();
        living[self.rng.below(living.len() as u64) as usize]
    }
    fn did(&mut self, client: ClientId, what: impl Into<String>) {
        self.trace.deed(self.world.now(), Some(client), None, what.into());
    }

    fn join(&mut self, person: usize) {
        let account = self.people[person].clone();
        let manual = self.rng.permille(self.plan.manual);
        self.devices[person] += 1;
        self.judge.joins(&account, manual);
        let (store, install) = (self.subject.store(), self.subject.install(manual));
        let client = self.world.join_with(account.as_str(), store, install);
        self.subject.joined(&mut self.world, client);
        for room in self.rooms.clone() {
            let leave_out = self.rng.permille(800);
            self.world.feed(client, Input::LeaveOut(ChatId(room), leave_out));
        }
        self.did(client, format!("joins as a device of {account}, manual: {manual}"));
    }
    fn join_another(&mut self) -> Outcome {
        let person = self.rng.below(self.people.len() as u64) as usize;
        if self.devices[person] < self.plan.devices {
            self.join(person);
        }
        Ok(())
    }
    fn write(&mut self) -> Outcome {
        let mut from = self.somebody();
        if !self.world.client(from).is_online() {
            from = self.somebody(); // those who are away write too, but less
        }
        let me = self.judge.seats[from.0].account.clone();
        let room = if self.rng.permille(400) { self.some_room() } else { None };
        let in_room = |play: &Self, room: &Address| play.world.members(room).any(|member| *member == me);
        match room {
            Some(room) if in_room(self, &room) || self.rng.permille(100) => {
                if self.world.members(&room).any(|person| *person != me) {
                    self.send_in(from, &room);
                }
            }
            _ => {
                let mut to = self.person();
                if to == me && !self.rng.permille(100) {
                    to = self.person();
                }
                for _ in 0..=self.rng.below(3) {
                    self.send(from, ChatId(to.clone()), vec![to.clone()]);
                }
            }
        }
        Ok(())
    }
    pub(super) fn send(&mut self, from: ClientId, chat: ChatId, people: Vec<Address>) -> subrosa_engine::MessageId {
        let whom = format!("writes in {} to {} people", chat.0, people.len());
        self.wrote(from, chat.clone(), whom, |world, text| world.send_to(from, chat, people, text))
    }
    fn wrote(
        &mut self,
        from: ClientId,
        chat: ChatId,
        whom: String,
        send: impl FnOnce(&mut super::WorldOf<X>, &str) -> subrosa_engine::MessageId,
    ) -> subrosa_engine::MessageId {
        let n = self.judge.letters();
        let words = "rose ".repeat(self.rng.below(8) as usize);
        let text = format!("{MARK}{n} {words}");
        let id = send(&mut self.world, &text);
        self.judge.wrote(&id, from, &chat, &text);
        self.trace.deed(self.world.now(), Some(from), Some(&id), format!("{whom}: {id}"));
        id
    }
    pub(super) fn send_in(&mut self, from: ClientId, room: &Address) -> subrosa_engine::MessageId {
        self.wrote(from, ChatId(room.clone()), format!("writes in {room}"), |world, text| world.send_in(from, room, text))
    }
    /// Somebody looks at the devices that wait for a word.
    fn approve(&mut self) -> Outcome {
        let client = self.somebody();
        let waiting = self.judge.seats[client.0].book.iter().filter(|(.., trust)| *trust == Trust::Undecided);
        let waiting: Vec<(Device, Fingerprint)> = waiting.map(|(device, key, _)| (device.clone(), key)).collect();
        for (device, key) in waiting {
            if self.rng.permille(800) {
                self.set_trust(client, &device, key, Trust::Trusted);
            }
        }
        Ok(())
    }
    fn decide(&mut self) -> Outcome {
        let client = self.somebody();
        let book = &self.judge.seats[client.0].book;
        let at = self.rng.below(book.len() as u64) as usize;
        let Some((device, key, trust)) = book.iter().nth(at).map(|(device, key, trust)| (device.clone(), key, trust)) else { return Ok(()) };
        let (key, trust) = match self.rng.below(100) {
            // a no to a key that it may show one day, a yes to one that it never had
            0..4 => (Fingerprint([self.rng.below(256) as u8; 32]), Trust::Untrusted),
            4..6 => (Fingerprint([self.rng.below(256) as u8; 32]), Trust::Trusted),
            6..60 if !trust.is_trusted() => (key, Trust::Trusted),
            6..40 => (key, Trust::Verified),
            _ => (key, Trust::ALL[self.rng.below(4) as usize]),
        };
        self.set_trust(client, &device, key, trust);
        Ok(())
    }
    pub(super) fn set_trust(&mut self, client: ClientId, device: &Device, key: Fingerprint, trust: Trust) {
        self.did(client, format!("{device} shall be {}", trust.code()));
        self.judge.decided(client, device, key, trust);
        let input = Input::SetTrust(device.clone(), key, trust);
        let input = self.subject.feed(input);
        self.world.feed(client, input);
    }
    fn come_or_go(&mut self) -> Outcome {
        let away: Vec<ClientId> = self.living().into_iter().filter(|client| !self.world.client(*client).is_online()).collect();
        if !away.is_empty() && self.rng.permille(550) {
            let client = away[self.rng.below(away.len() as u64) as usize];
            self.did(client, "comes online");
            self.world.connect(client);
            self.world.catch_up(client);
        } else {
            let client = self.somebody();
            if self.world.client(client).is_online() {
                self.did(client, "goes offline");
                self.world.disconnect(client);
            }
        }
        Ok(())
    }
    fn crash(&mut self) -> Outcome {
        let client = self.somebody();
        self.did(client, "is killed");
        self.world.crash(client);
        self.look()
    }
    fn sleep(&mut self) -> Outcome {
        let hours = self.rng.below(self.plan.hours + 1);
        self.trace.deed(self.world.now(), None, None, format!("{hours} hours pass"));
        self.pass(hours * 3_600_000)
    }
    fn catch_up(&mut self) -> Outcome {
        let client = self.somebody();
        if self.plan.archive && self.world.client(client).is_online() {
            self.did(client, "catches up");
            self.world.catch_up(client);
            return Ok(());
        }
        let running = self.rng.permille(500);
        self.world.feed(client, Input::CatchUp { running });
        Ok(())
    }
    fn change_room(&mut self) -> Outcome {
        let Some(room) = self.some_room() else { return Ok(()) };
        let (person, mut members) = (self.person(), self.world.members(&room).cloned().collect::<Vec<_>>());
        let before = members.len();
        members.retain(|member| *member != person);
        let joins = members.len() == before;
        if joins {
            members.push(person.clone());
        }
        self.trace.deed(self.world.now(), None, None, format!("{person} {} {room}", if joins { "joins" } else { "leaves" }));
        self.world.set_room(room.as_str(), members);
        Ok(())
    }
    fn replace(&mut self) -> Outcome {
        let client = self.somebody();
        let book = &self.judge.seats[client.0].book;
        let at = self.rng.below(book.len() as u64) as usize;
        let device = book.iter().nth(at).map(|(device, ..)| device.clone());
        if let Some(device) = device {
            self.did(client, format!("replaces the session with {device}"));
            self.subject.replace(&mut self.world, client, &device);
            self.look()?;
        }
        Ok(())
    }
    fn leave(&mut self) -> Outcome {
        let client = self.somebody();
        let account = &self.judge.seats[client.0].account;
        let others = self.living().into_iter().filter(|other| self.judge.seats[other.0].account == *account).count();
        if others > 1 && self.world.client(client).is_online() {
            self.did(client, "is taken off its account");
            self.subject.leave(&mut self.world, client);
            self.judge.seats[client.0].gone = true;
            self.look()?;
            self.pass(5_000)?;
            self.world.disconnect(client);
        }
        Ok(())
    }
    fn roll_back(&mut self) -> Outcome {
        let client = self.somebody();
        if self.copies.is_empty() || self.rng.permille(667) {
            let seat = &self.judge.seats[client.0];
            let (book, identity) = (seat.book.clone(), seat.identity.clone());
            let published = self.judge.bundles(client);
            let disk = self.world.client_mut(client).snapshot();
            self.did(client, "is copied");
            self.copies.push_back(super::Copy { client, disk, book, identity, published });
            let surplus = self.copies.len().saturating_sub(KEPT / 4);
            self.copies.drain(..surplus);
            return Ok(());
        }
        let at = self.rng.below(self.copies.len() as u64) as usize;
        if let Some(super::Copy { client, disk, book, identity, published }) = self.copies.remove(at)
            && !self.judge.seats[client.0].gone
        {
            self.did(client, "is put back to an older copy");
            self.tally.rolled_back += 1;
            self.judge.rolled_back(client, book, identity, &published);
            self.world.roll_back(client, &disk);
            self.look()?;
            self.world.catch_up(client);
        }
        Ok(())
    }
}
