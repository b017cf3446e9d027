//! What led to a failure: the last things that happened, and of them those that have to do with it.
use crate::simulation::judge::Broken;
use crate::simulation::{Plan, Rule};
use crate::{ClientId, Happening, Made, Taken, What};
use std::collections::VecDeque;
use std::fmt;
use subrosa_engine::{MessageId, Time};

/// How many things are remembered.
const REMEMBERED: usize = 30_000;
/// How many lines a failure prints.
const LINES: usize = 60;

#[derive(Default)]
pub(super) struct Trace(VecDeque<Line>);
enum Line {
    /// What a person, a server or a process did.
    Deed {
        at: Time,
        client: Option<ClientId>,
        message: Option<MessageId>,
        what: String,
    },
    Happened(u64, Happening),
}

impl Trace {
    pub fn deed(&mut self, at: Time, client: Option<ClientId>, message: Option<&MessageId>, what: String) {
        self.push(Line::Deed { at, client, message: message.cloned(), what });
    }
    pub fn happened(&mut self, step: u64, happening: Happening) {
        self.push(Line::Happened(step, happening));
    }
    fn push(&mut self, line: Line) {
        if self.0.len() >= REMEMBERED {
            self.0.pop_front();
        }
        self.0.push_back(line);
    }
    pub fn failure(&self, broken: Broken, plan: &Plan, step: u64, letters: usize) -> Failure {
        let mut lines: Vec<String> = self.0.iter().rev().filter_map(|line| line.tell(&broken)).take(LINES).collect();
        lines.reverse();
        Failure { broken, plan: plan.clone(), step, letters, lines }
    }
}
impl Line {
    /// In words, if it has to do with what was broken.
    fn tell(&self, broken: &Broken) -> Option<String> {
        let involved = |client: &ClientId| broken.clients.contains(client);
        match self {
            Line::Deed { at, client, message, what } => {
                let concerns = match (client, message) {
                    (_, Some(message)) => broken.message.as_ref() == Some(message),
                    (Some(client), None) => involved(client),
                    (None, None) => true,
                };
                concerns.then(|| format!("{} {}{what}", time(*at), name(*client)))
            }
            Line::Happened(step, Happening { at, client, what }) => {
                let mut words = Vec::new();
                match what {
                    What::Committed { taken, made } => {
                        words.extend(taken.iter().filter_map(|taken| tell_taken(taken, broken, involved(client))));
                        words.extend(made.iter().filter_map(|made| tell_made(made, broken, involved(client))));
                    }
                    What::Tripped(crash) => words.extend(involved(client).then(|| format!("dies: {crash:?}"))),
                    What::Restarted => words.extend(involved(client).then(|| "starts anew".to_owned())),
                    What::Reached(id, part) => words.extend(is(id, broken).then(|| format!("the server has {id}/{part}"))),
                    What::Bounced(id, part) => words.extend(is(id, broken).then(|| format!("the room refuses {id}/{part}"))),
                    What::Routed { id, part, copies, .. } => {
                        words.extend(is(id, broken).then(|| format!("{copies} copies of {id}/{part} are on their way to it")));
                    }
                }
                (!words.is_empty()).then(|| format!("{} #{step} {}{}", time(*at), name(Some(*client)), words.join("; ")))
            }
        }
    }
}
fn is(id: &MessageId, broken: &Broken) -> bool {
    broken.message.as_ref() == Some(id)
}
/// `all`: not only what is about the message.
fn tell_taken(taken: &Taken, broken: &Broken, all: bool) -> Option<String> {
    match taken {
        Taken::Send(id) => is(id, broken).then(|| format!("takes {id} to send")),
        Taken::Receive(id) => is(id, broken).then(|| format!("takes {id}")),
        Taken::Trust(device, _, trust) => all.then(|| format!("{device} is {}", trust.code())),
        Taken::Online => all.then(|| "online".into()),
        Taken::Room(chat, members) => all.then(|| format!("{} are in {}", members.len(), chat.0)),
        Taken::CatchUp(running) => all.then(|| format!("catching up: {running}")),
        Taken::Other => None,
    }
}
fn tell_made(made: &Made, broken: &Broken, all: bool) -> Option<String> {
    match made {
        Made::Stanza(stanza) => is(&stanza.id, broken).then(|| format!("{}/{} is to leave, {} bytes", stanza.id, stanza.part, stanza.body.len())),
        Made::Publish(node, _) => all.then(|| format!("publishes {} {}", node.name, node.item.as_deref().unwrap_or_default())),
        Made::Sent(id, report) => is(id, broken).then(|| {
            let line = |line: &subrosa_engine::DeviceReport| match &line.result {
                Ok(()) => format!("{} {} ok", line.device, line.protocol),
                Err(why) => format!("{} {} {}", line.device, line.protocol, why.code()),
            };
            format!("{id} is sent [{}]", report.iter().map(line).collect::<Vec<_>>().join(", "))
        }),
        Made::NotSent(id, reason) => is(id, broken).then(|| format!("{id} is not sent: {}", reason.code())),
        Made::DeviceNew(device, _, trust) => all.then(|| format!("meets {device}: {}", trust.code())),
        Made::Warning(warning) => all.then(|| format!("warns: {}", warning.code())),
        Made::KeyChanged(device, _) => all.then(|| format!("{device} shows another key")),
        Made::Message(id, _) => is(id, broken).then(|| format!("shows {id}")),
        Made::NotReceived(id, reason) => is(id, broken).then(|| format!("can't read {id}: {}", reason.code())),
    }
}
fn time(at: Time) -> String {
    let ms = at.0.saturating_sub(1_700_000_000_000);
    format!("{:>9}.{:03}", ms / 1000, ms % 1000)
}
fn name(client: Option<ClientId>) -> String {
    client.map_or_else(String::new, |client| format!("c{}: ", client.0))
}

/// A broken rule, with what it takes to see it again.
pub struct Failure {
    broken: Broken,
    plan: Plan,
    step: u64,
    letters: usize,
    lines: Vec<String>,
}
impl Failure {
    /// Which rule.
    pub fn rule(&self) -> Rule {
        self.broken.rule
    }
    /// What was being played.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }
    /// How many messages were written by then.
    pub fn letters(&self) -> usize {
        self.letters
    }
    /// At which step of the world it was seen.
    pub fn step(&self) -> u64 {
        self.step
    }
}
impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Failure { broken, plan, step, lines, .. } = self;
        writeln!(f, "{:?}, seed {}, step {step}: {}", broken.rule, plan.seed, broken.what)?;
        if let Some(message) = &broken.message {
            writeln!(f, "  message {message}")?;
        }
        writeln!(f, "  clients {}", broken.clients.iter().map(|c| name(Some(*c))).collect::<String>())?;
        writeln!(f, "  {plan:?}")?;
        lines.iter().try_for_each(|line| writeln!(f, "  {line}"))
    }
}
impl fmt::Debug for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
