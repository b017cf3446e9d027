//! A simulation: people with devices, rooms, a bad network, servers that drop and swap what was published, processes that die
//! around every commit, all from one seed, and a judge that looks at every step.
//!
//! What is simulated is a [`Subject`]: an engine with devices, sessions and published keys, and how to read what it sends. The judge knows
//! nothing of its records: only what it is fed, what it releases and what travels. A [`Plan`] says how bad it gets; [`run`] does it and
//! gives a [`Tally`] or a [`Failure`] that names the seed, the step and what led there; [`shrink`] finds the fewest kinds of trouble that
//! still fail.
//!
//! | rule | what it says |
//! |---|---|
//! | [`Rule::OneKeyOnce`] | no ratchet key and counter is used for two things |
//! | [`Rule::PreKeysOnce`] | no spent prekey is published again, or opens a second session but while old messages arrive |
//! | [`Rule::OnlyTheAdmitted`] | a message key goes to those devices, and is read by those keys, that its sender trusted in that step |
//! | [`Rule::TrustByTheRules`] | nobody is trusted more than policy and persons said |
//! | [`Rule::NoClearText`] | nothing readable travels |
//! | [`Rule::TrueReport`] | the report names as readers exactly those for whom there is a key |
//! | [`Rule::OneOutcome`] | each message is sent or not sent, once, and in its conversation's order |
//! | [`Rule::NothingOwedIsLost`] | what was committed is performed: it leaves, it is told, it is shown |
//! | [`Rule::ReadOrTold`] | what reaches a device is shown there or told as unreadable, but for what it showed before; and it is shown, where nothing happened that explains why not |
//! | [`Rule::ShownOnce`] | nothing is shown twice |
//! | [`Rule::AsItWasWritten`] | what is shown is what was written, by whom, in which conversation |
//! | [`Rule::Heals`] | once network and people behave, everybody who trusts each other reads each other |
//! | [`Rule::ComesToRest`] | nobody chatters for ever |
//! | [`Rule::NoticesOldMemory`] | a device whose store was put back notices before it encrypts, where what is published for it shows it; no other does; from then on it uses no key twice |
//! | [`Rule::ReadLater`] | a message of which nobody could say whose it is is read once that is known |
//! | [`Rule::ToldOnce`] | nothing is told twice as unreadable, whatever way it comes again |
mod deeds;
mod heal;
mod judge;
mod plan;
mod server;
mod subject;
mod tally;
mod trace;

pub use judge::Rule;
pub use plan::Plan;
pub use subject::{Carried, CarriedKey, Install, Published, Subject};
pub use tally::Tally;
pub use trace::Failure;

use crate::simulation::judge::{Book, Bundles, Judge};
use crate::simulation::server::Mood;
use crate::simulation::trace::Trace;
use crate::{ClientId, Seeded, Snapshot, Stanza, World};
use std::collections::VecDeque;
use std::rc::Rc;
use subrosa_engine::{Address, Device, Fingerprint, Time};

/// Steps after which a world that should come to rest is said not to: some, and some for every two devices.
const RESTLESS: (usize, usize) = (20_000, 250);
/// And for every device and hour that passes: what a server refuses is tried again each hour.
const HOURLY: usize = 24;

/// Plays a plan to its end.
///
/// # Errors
/// The first rule that was broken.
pub fn run<X: Subject>(subject: X, plan: Plan) -> Result<Tally, Box<Failure>> {
    let mut play = Play::new(subject, plan);
    match play.all() {
        Ok(()) => {
            play.tally.merge_judge(&play.judge);
            Ok(play.tally)
        }
        Err(broken) => Err(Box::new(play.trace.failure(broken, &play.plan, play.steps, play.judge.letters()))),
    }
}

/// The plan that still breaks the same rule with the fewest kinds of trouble and the fewest messages that were found.
pub fn shrink<X: Subject>(subject: impl Fn() -> X, failure: Box<Failure>) -> Box<Failure> {
    let mut least = failure;
    let rule = least.rule();
    for simpler in Plan::SIMPLER {
        let mut plan = least.plan().clone();
        plan.messages = plan.messages.min(least.letters());
        simpler(&mut plan);
        if plan != *least.plan()
            && let Err(failure) = run(subject(), plan)
            && failure.rule() == rule
        {
            least = failure;
        }
    }
    least
}

type Outcome = Result<(), judge::Broken>;
type WorldOf<X> = World<<X as Subject>::Handle, <X as Subject>::Store>;

/// A copy of a store, with what the judge knew of its device then.
struct Copy<S> {
    client: ClientId,
    disk: Snapshot<S>,
    book: Book,
    identity: Option<(Device, Fingerprint)>,
    published: Bundles,
}

/// A plan being played.
struct Play<X: Subject> {
    subject: X,
    plan: Plan,
    world: WorldOf<X>,
    judge: Judge,
    trace: Trace,
    tally: Tally,
    /// What people do; the world's own draws are of another generator, so that fewer faults change fewer deeds.
    rng: Seeded,
    people: Vec<Address>,
    /// Devices of each person, gone ones included.
    devices: Vec<usize>,
    rooms: Vec<Address>,
    mood: Rc<Mood>,
    /// What was published, to be put back.
    archive: VecDeque<(subrosa_engine::Node, Vec<u8>)>,
    /// What travelled lately, to be replayed.
    recent: VecDeque<Rc<Stanza>>,
    copies: VecDeque<Copy<X::Store>>,
    steps: u64,
}

impl<X: Subject> Play<X> {
    fn new(subject: X, plan: Plan) -> Self {
        let mut world = World::new(plan.seed);
        world.watch();
        world.faults = plan.faults;
        if plan.archive {
            world.keep_archive(plan.anonymous);
        }
        let people: Vec<Address> = (0..plan.people).map(|n| Address::from(format!("p{n}@example.org").as_str())).collect();
        let rooms = (0..plan.rooms).map(|n| Address::from(format!("room{n}@rooms.example.org").as_str())).collect();
        let mood = Rc::new(Mood::new(&plan));
        Play {
            devices: vec![0; people.len()],
            rng: Seeded::new(plan.seed ^ 0x5eed_0fd0_0dee_d5ee),
            judge: Judge::new(&plan),
            trace: Trace::default(),
            tally: Tally::default(),
            archive: VecDeque::new(),
            recent: VecDeque::new(),
            copies: VecDeque::new(),
            steps: 0,
            subject,
            plan,
            world,
            people,
            rooms,
            mood,
        }
    }
    fn all(&mut self) -> Outcome {
        self.begin()?;
        while self.judge.letters() < self.plan.messages {
            self.deed()?;
            let pause = self.rng.below(self.plan.pause.saturating_add(1));
            self.pass(pause)?;
            if self.rng.permille(self.plan.rests) {
                self.rest()?;
            }
        }
        self.rest()?;
        self.heal()
    }
    /// Lets time pass.
    fn pass(&mut self, milliseconds: u64) -> Outcome {
        let end = Time(self.world.now().0.saturating_add(milliseconds));
        let hours = usize::try_from(milliseconds / 3_600_000).unwrap_or(usize::MAX);
        let mut steps = 0;
        loop {
            let more = self.world.step(end);
            self.look()?;
            if !more {
                return Ok(());
            }
            steps += 1;
            self.is_enough(steps, hours)?;
        }
    }
    /// Until nothing is under way; then those that are online must have done all that they have to. Nobody crashes meanwhile: who has
    /// to catch up with much would never get to its end.
    fn rest(&mut self) -> Outcome {
        let crash = std::mem::take(&mut self.world.faults.crash);
        let mut steps = 0;
        while self.world.settle() {
            self.look()?;
            steps += 1;
            self.is_enough(steps, 0)?;
        }
        self.look()?;
        self.world.faults.crash = crash;
        self.judge.rest(|client| self.world.client(client).is_online())
    }
    fn is_enough(&self, steps: usize, hours: usize) -> Outcome {
        let devices = self.judge.seats.len();
        let hourly = HOURLY.saturating_mul(devices).saturating_mul(hours);
        let most = RESTLESS.0.saturating_add(RESTLESS.1.saturating_mul(devices.saturating_mul(devices))).saturating_add(hourly);
        if steps > most { Err(Rule::ComesToRest.broken("steps follow each other without end")) } else { Ok(()) }
    }
    /// Judges what happened since the last look.
    fn look(&mut self) -> Outcome {
        self.steps += 1;
        let happenings = self.world.take_happenings();
        let mut acted: Vec<ClientId> = Vec::new();
        for happening in happenings {
            self.tally.count(&happening);
            acted.push(happening.client);
            let verdict = self.judge.see(&self.subject, &happening);
            self.trace.happened(self.steps, happening);
            verdict?;
        }
        self.remember();
        for client in acted {
            let events = self.world.client(client).events();
            self.judge.performed(client, events).map_err(|broken| broken.by(client))?;
        }
        Ok(())
    }
}
