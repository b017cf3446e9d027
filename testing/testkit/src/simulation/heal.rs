//! The end of every run: network, server and people behave, and then everybody reads everybody.
use super::{Outcome, Play, Rule, Subject};
use crate::{ClientId, Faults};
use subrosa_engine::{Address, ChatId, MessageId};

const HOUR: u64 = 3_600_000;
/// The room of all people.
const ALL: &str = "all@rooms.example.org";
/// Rounds in which what is broken has to heal once people replace sessions by hand.
const BY_HAND: u64 = 6;

/// Who wrote, who did not read it, and what.
type Deaf = (ClientId, ClientId, MessageId);

impl<X: Subject> Play<X> {
    pub(super) fn heal(&mut self) -> Outcome {
        self.trace.deed(self.world.now(), None, None, "everything gets good".into());
        self.world.faults = Faults::default();
        self.mood.mend();
        let living: Vec<ClientId> = self.world.clients().filter(|client| !self.judge.seats[client.0].gone).collect();
        for client in &living {
            // a new stream: it is then that what a server lost is looked for
            if self.world.client(*client).is_online() {
                self.world.disconnect(*client);
            }
            self.world.connect(*client);
            self.world.feed(*client, subrosa_engine::Input::CatchUp { running: false });
        }
        self.rest()?;
        self.pass(3 * HOUR)?;
        self.rest()?;
        self.world.set_room(ALL, self.people.clone());
        for client in &living {
            self.world.feed(*client, subrosa_engine::Input::LeaveOut(ChatId(ALL.into()), true));
            self.world.catch_up(*client);
        }
        self.rest()?;
        let rounds = self.plan.patience + BY_HAND;
        for round in 0..rounds {
            self.agree(&living)?;
            let deaf = self.round(&living)?;
            self.tally.rounds = self.tally.rounds.max(round + 1);
            let Some((from, to, id)) = deaf.first().cloned() else {
                self.pass(25 * HOUR)?; // what still waits ends
                self.rest()?;
                self.judge.read_later()?;
                return self.judge.end();
            };
            if round + 1 == rounds {
                let what = format!("{to:?} does not read {from:?}, {} pairs are deaf after {rounds} rounds", deaf.len());
                return Err(Rule::Heals.broken(what).about(&id).by(from).by(to));
            }
            if round >= self.plan.patience {
                self.replace_all(&deaf)?;
            }
            self.pass(if round < self.plan.patience { 2 * 60_000 } else { HOUR })?;
        }
        Ok(())
    }
    /// Everybody trusts everybody's true keys.
    fn agree(&mut self, living: &[ClientId]) -> Outcome {
        for client in living {
            let seat = &self.judge.seats[client.0];
            let truth = living.iter().filter(|other| *other != client).filter_map(|other| self.judge.seats[other.0].identity.clone());
            let wrong: Vec<_> = truth
                .filter(|(device, key)| seat.book.get(device).is_some() && !seat.trust(device, key).is_some_and(|trust| trust.is_trusted()))
                .collect();
            for (device, key) in wrong {
                self.set_trust(*client, &device, key, subrosa_engine::Trust::Trusted);
            }
        }
        self.rest()
    }
    /// Everybody writes to all. Who does not read whom.
    fn round(&mut self, living: &[ClientId]) -> Result<Vec<Deaf>, super::judge::Broken> {
        let mut written = Vec::new();
        for client in living {
            let id = self.send_in(*client, &Address::from(ALL));
            written.push((*client, id));
        }
        self.rest()?;
        let mut deaf = Vec::new();
        for (from, id) in &written {
            deaf.extend(living.iter().filter(|to| *to != from && !self.judge.was_shown(id, **to)).map(|to| (*from, *to, id.clone())));
        }
        Ok(deaf)
    }
    fn replace_all(&mut self, deaf: &[Deaf]) -> Outcome {
        for (from, to, _) in deaf {
            if let Some((device, _)) = self.judge.seats[to.0].identity.clone() {
                self.tally.replaced += 1;
                self.subject.replace(&mut self.world, *from, &device);
                self.look()?;
            }
        }
        self.rest()
    }
}
