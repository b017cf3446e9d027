//! What a run was: to see that it was not an empty one.
use crate::simulation::judge::Judge;
use crate::{Happening, Made, What};
use std::collections::BTreeMap;
use std::fmt;

/// Counts over one run or many.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Runs.
    pub runs: u64,
    /// Messages that people wrote, those of the end included.
    pub messages: u64,
    /// Devices that joined.
    pub devices: u64,
    /// Committed steps.
    pub steps: u64,
    /// Message keys on the wire.
    pub keys: u64,
    /// Messages shown, over all devices.
    pub shown: u64,
    /// Copies that the network lost for good, over all devices.
    pub lost: u64,
    /// Messages told as unreadable, by reason.
    pub unread: BTreeMap<&'static str, u64>,
    /// Messages not sent, by reason.
    pub not_sent: BTreeMap<&'static str, u64>,
    /// Devices left out of a message, by reason.
    pub left_out: BTreeMap<&'static str, u64>,
    /// Commits that went wrong, and processes that died.
    pub crashes: u64,
    /// Stores put back to an older copy.
    pub rolled_back: u64,
    /// Of them those whose devices noticed.
    pub noticed: u64,
    /// Messages told as unreadable, and shown later.
    pub reread: u64,
    /// The most rounds that it took until everybody read everybody.
    pub rounds: u64,
    /// Sessions that had to be replaced by hand in the end.
    pub replaced: u64,
    /// A fingerprint of all that happened: the same seed gives the same.
    pub fingerprint: u64,
}
impl Tally {
    pub(super) fn count(&mut self, happening: &Happening) {
        self.stir(happening.at.0 ^ (happening.client.0 as u64) << 48);
        match &happening.what {
            What::Committed { made, .. } => {
                self.steps += 1;
                made.iter().for_each(|made| self.made(made));
            }
            What::Tripped(_) => self.crashes += 1,
            What::Routed { copies, part, .. } => self.stir(u64::from(*copies) << 8 | u64::from(*part)),
            What::Restarted | What::Reached(..) | What::Bounced(..) => {}
        }
    }
    fn made(&mut self, made: &Made) {
        match made {
            Made::Stanza(stanza) => stanza.body.chunks(8).take(64).for_each(|chunk| {
                self.stir(chunk.iter().fold(0, |n, byte| n << 8 | u64::from(*byte)));
            }),
            Made::NotSent(_, reason) => *self.not_sent.entry(reason.code()).or_default() += 1,
            Made::Sent(_, report) => {
                for line in report {
                    match line.result {
                        Ok(()) => self.keys += 1,
                        Err(why) => *self.left_out.entry(why.code()).or_default() += 1,
                    }
                }
            }
            _ => {}
        }
    }
    fn stir(&mut self, n: u64) {
        self.fingerprint = (self.fingerprint.rotate_left(5) ^ n).wrapping_mul(0x517c_c1b7_2722_0a95);
    }
    pub(super) fn merge_judge(&mut self, judge: &Judge) {
        self.runs = 1;
        self.messages = judge.letters() as u64;
        self.devices = judge.seats.len() as u64;
        self.shown = judge.shown;
        self.lost = judge.lost;
        self.noticed = judge.noticed;
        self.reread = judge.reread;
        self.unread = judge.told.clone();
    }
    /// Adds another run.
    pub fn add(&mut self, other: &Tally) {
        self.runs += other.runs;
        self.messages += other.messages;
        self.devices += other.devices;
        self.steps += other.steps;
        self.keys += other.keys;
        self.shown += other.shown;
        self.lost += other.lost;
        self.crashes += other.crashes;
        self.replaced += other.replaced;
        self.rolled_back += other.rolled_back;
        self.noticed += other.noticed;
        self.reread += other.reread;
        self.rounds = self.rounds.max(other.rounds);
        self.stir(other.fingerprint);
        let add = |sum: &mut BTreeMap<&'static str, u64>, more: &BTreeMap<&'static str, u64>| {
            more.iter().for_each(|(code, n)| *sum.entry(code).or_default() += n);
        };
        add(&mut self.unread, &other.unread);
        add(&mut self.not_sent, &other.not_sent);
        add(&mut self.left_out, &other.left_out);
    }
}
impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let by = |counts: &BTreeMap<&'static str, u64>| counts.iter().map(|(code, n)| format!("{code} {n}")).collect::<Vec<_>>().join(", ");
        writeln!(f, "{} runs, {} messages, {} devices, {} steps, {} message keys", self.runs, self.messages, self.devices, self.steps, self.keys)?;
        writeln!(f, "  shown {}, lost by the network {}, told as unreadable: {}", self.shown, self.lost, by(&self.unread))?;
        writeln!(f, "  not sent: {}", by(&self.not_sent))?;
        writeln!(f, "  devices left out: {}", by(&self.left_out))?;
        writeln!(f, "  stores put back {}, noticed {}; told as unreadable and read later: {}", self.rolled_back, self.noticed, self.reread)?;
        write!(f, "  crashes {}, healed after at most {} rounds, {} sessions replaced for it", self.crashes, self.rounds, self.replaced)
    }
}
