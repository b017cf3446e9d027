//! How bad it gets.
use crate::{Faults, Seeded};

/// One run. What is a chance is in thousandths, of each deed or of each step.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// Everything comes from it.
    pub seed: u64,
    /// How many messages people write before the network gets good.
    pub messages: usize,
    /// How many people there are.
    pub people: usize,
    /// How many devices a person has in the end, at most.
    pub devices: usize,
    /// How many rooms.
    pub rooms: usize,
    /// The network and the processes.
    pub faults: Faults,
    /// Milliseconds between two deeds, at most.
    pub pause: u64,
    /// How often everybody comes to rest between two deeds.
    pub rests: u32,
    /// A deed is one about trust.
    pub trust: u32,
    /// A device begins or ends being offline.
    pub absence: u32,
    /// Time goes on by up to so many hours.
    pub hours: u64,
    /// The server loses or restores what was published, or refuses for a while, or keeps quiet.
    pub forgetful: u32,
    /// The server swaps and damages what was published and what travels, and moves it.
    pub hostile: u32,
    /// Old stanzas come again.
    pub replay: u32,
    /// A session is replaced by hand.
    pub replace: u32,
    /// A device is taken off its account.
    pub leave: u32,
    /// A process starts anew over an older copy of its store.
    pub roll_back: u32,
    /// The server keeps what was said, and devices read it when they come back.
    pub archive: bool,
    /// What the archive says of rooms names no sender.
    pub anonymous: bool,
    /// Devices whose person decides about every key.
    pub manual: u32,
    /// The server knows the older version only.
    pub old: bool,
    /// How often everybody writes to all in the end before people replace by hand the sessions that still are broken.
    pub patience: u64,
}

impl Plan {
    /// Nothing goes wrong.
    pub fn calm(seed: u64, messages: usize) -> Self {
        Plan {
            seed,
            messages,
            people: 3,
            devices: 2,
            rooms: 1,
            faults: Faults::default(),
            pause: 20,
            rests: 30,
            trust: 0,
            absence: 0,
            hours: 0,
            forgetful: 0,
            hostile: 0,
            replay: 0,
            replace: 0,
            leave: 0,
            roll_back: 0,
            archive: false,
            anonymous: false,
            manual: 0,
            old: false,
            patience: 3,
        }
    }
    /// As bad as the seed has it: up to 8 people with 5 devices each.
    pub fn of(seed: u64, messages: usize) -> Self {
        let rng = &mut Seeded::new(seed ^ 0x0b1a_0b1a_0b1a_0b1a);
        let mut maybe = |chance: u32, most: u64| if rng.permille(chance) { 1 + u32::try_from(rng.below(most)).unwrap_or(0) } else { 0 };
        let faults = Faults {
            lose: maybe(600, 150),
            duplicate: maybe(600, 150),
            delay: maybe(700, 2_000).into(),
            reorder: maybe(500, 1) > 0,
            unanswered: maybe(400, 100),
            batch: maybe(500, 500),
            crash: maybe(700, 60),
        };
        Plan {
            people: 2 + maybe(1000, 7).saturating_sub(1) as usize,
            devices: maybe(1000, 5) as usize,
            rooms: maybe(1000, 4) as usize - 1,
            faults,
            pause: [5, 50, 500, 5_000][maybe(1000, 4) as usize - 1],
            rests: 5 + maybe(1000, 50),
            trust: maybe(600, 60),
            absence: maybe(600, 60),
            hours: u64::from(maybe(400, 400)),
            forgetful: maybe(500, 30),
            hostile: maybe(300, 30),
            replay: maybe(400, 30),
            replace: maybe(300, 20),
            leave: maybe(300, 5),
            manual: maybe(300, 300),
            roll_back: maybe(300, 10),
            archive: maybe(500, 1) > 0,
            anonymous: maybe(500, 1) > 0,
            old: maybe(150, 1) > 0,
            // a side that holds on to its own exchange yields after 24 turns
            patience: if maybe(200, 1) > 0 { 32 } else { 3 },
            ..Plan::calm(seed, messages)
        }
    }
    /// The same with as many messages as the seed has it: some hundred, now and then twenty thousand.
    pub fn any(seed: u64) -> Self {
        let rng = &mut Seeded::new(seed ^ 0x50a4_50a4_50a4_50a4);
        let most = match rng.below(100) {
            0 => 20_000,
            1..10 => 4_000,
            _ => 800,
        };
        Plan::of(seed, 50 + usize::try_from(rng.below(most)).unwrap_or(0))
    }
    /// Whether nothing in it can make a message unreadable for a device that its sender encrypted to, but a prekey that two took at once.
    pub fn is_readable(&self) -> bool {
        [self.trust, self.forgetful, self.hostile, self.replay, self.replace, self.leave, self.roll_back] == [0; 7]
    }
    /// Whether the server tells what it has, and answers.
    pub fn is_honest(&self) -> bool {
        [self.forgetful, self.hostile, self.faults.unanswered] == [0; 3]
    }
    /// Each takes one kind of trouble away, or half of something.
    pub const SIMPLER: [fn(&mut Plan); 26] = [
        |p| p.hostile = 0,
        |p| p.forgetful = 0,
        |p| p.replay = 0,
        |p| p.replace = 0,
        |p| p.leave = 0,
        |p| p.hours = 0,
        |p| p.absence = 0,
        |p| p.trust = 0,
        |p| p.manual = 0,
        |p| p.roll_back = 0,
        |p| p.anonymous = false,
        |p| p.archive = false,
        |p| p.faults.crash = 0,
        |p| p.faults.lose = 0,
        |p| p.faults.duplicate = 0,
        |p| p.faults.reorder = false,
        |p| p.faults.delay = 0,
        |p| p.faults.unanswered = 0,
        |p| p.faults.batch = 0,
        |p| p.rooms = p.rooms.min(1),
        |p| p.rooms = 0,
        |p| p.people = p.people.div_ceil(2).max(2),
        |p| p.devices = p.devices.div_ceil(2),
        |p| p.devices = 1,
        |p| p.messages /= 2,
        |p| p.messages /= 4,
    ];
}
