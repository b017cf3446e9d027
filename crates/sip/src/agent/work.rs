//! The agent's thread: what waits is fed, the step is stored, what comes out is done.
use super::bodies::{self, Content, Opened};
use super::event::Untaken;
use super::held::Held;
use super::lanes::{Gone, Lanes, Waiting};
use super::transfers::Files;
use super::{AgentEvent, Command, Handle, Settings, Told, TransferFailure, now};
use crate::connection::{Happening, Transport};
use crate::message::{Answer, Arrived, Delivery, SipMessage};
use crate::transfer::Transfers;
use crate::{Imdn, Offer};
use std::collections::{HashMap, HashSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};
use subrosa_engine::{
    Address, ChatId, Event, FileInfo, Headers, Input, Kind, Machine, MessageId, Output, OutputId, Outputs, Plaintext, Reason, Received, Recipients,
    RequestError, Status, Store, Time, Wire,
};
use tokio::sync::{mpsc, oneshot};

/// So many inputs share a commit.
const BATCH: usize = 512;
/// The pause before what the store refused is tried again.
const AGAIN: Duration = Duration::from_secs(1);
/// With so much on its way nobody gets a receipt: who sends much under many names would have us send as much, and more often.
const BUSY: usize = 1000;
/// Without anything to do.
const IDLE: Duration = Duration::from_secs(3600);

/// Hands what the transport tells to the thread.
pub(super) async fn listen<T: Transport>(transport: Arc<T>, handle: Handle) {
    while let Some(happening) = transport.next().await {
        handle.give(match happening {
            Happening::Arrived(arrived) => Command::Arrived(Box::new(arrived)),
            Happening::Registration(registration) => Command::Tell(Box::new(AgentEvent::Registration(registration))),
        });
    }
}

pub(super) struct Work<S, T> {
    machine: Machine,
    store: S,
    settings: Settings,
    handle: Handle,
    events: mpsc::UnboundedSender<Told>,
    untaken: Arc<Untaken>,
    lanes: Lanes<T>,
    files: Files,
    held: Held,
    /// What was given out and is not done: after a commit that failed it comes again, to who has it already.
    given: HashSet<OutputId>,
    /// Asked for inputs before each step.
    sources: Vec<Box<dyn FnMut() -> Vec<Input> + Send>>,
    /// For the next step.
    inputs: Vec<Input>,
    failed: bool,
    /// Dropped at the very end.
    stopped: Option<Option<oneshot::Sender<()>>>,
}
impl<S: Store, T: Transport> Work<S, T> {
    #[allow(clippy::too_many_arguments)] // its one caller has them all
    pub fn new(
        machine: Machine,
        store: S,
        transport: Arc<T>,
        settings: Settings,
        transfers: Transfers,
        handle: Handle,
        events: mpsc::UnboundedSender<Told>,
        untaken: Arc<Untaken>,
    ) -> Self {
        Work {
            lanes: Lanes::new(transport, settings.under_way, handle.clone()),
            files: Files::new(transfers, settings.file_server.clone(), handle.clone()),
            machine,
            store,
            settings,
            handle,
            events,
            untaken,
            held: Held::default(),
            given: HashSet::new(),
            sources: Vec::new(),
            inputs: vec![Input::Online { resumed: false }],
            failed: false,
            stopped: None,
        }
    }
    pub fn run(mut self, inbox: &Receiver<Command>) {
        while self.stopped.is_none() {
            let wait = match (self.failed, self.machine.wake_at()) {
                (true, _) => AGAIN,
                (false, _) if !self.inputs.is_empty() => Duration::ZERO,
                (false, Some(at)) => Duration::from_millis(at.0.saturating_sub(now().0)).min(IDLE),
                (false, None) => IDLE,
            };
            match inbox.recv_timeout(wait) {
                Ok(command) => self.command(command),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
            while self.inputs.len() < BATCH
                && let Ok(command) = inbox.try_recv()
            {
                self.command(command);
            }
            self.step();
        }
    }
    fn command(&mut self, command: Command) {
        match command {
            Command::Input(input) => match *input {
                Input::Done(output) => self.done(output),
                input => self.inputs.push(input),
            },
            Command::Arrived(arrived) => self.arrived(*arrived),
            Command::Gone(gone) => self.gone(*gone),
            Command::Change(change) => change(&mut self.machine),
            Command::Source(source) => self.sources.push(source),
            Command::Offer { id, to, path, file } => self.offer(id, to, path, file),
            Command::Download { id, from, offer, directory } => self.download(id, from, *offer, directory),
            Command::Ended(id) => self.files.ended(&id),
            Command::Cancel(id) => self.files.cancel(&id),
            Command::Tell(event) => self.tell(None, *event),
            Command::Wake => {}
            Command::Stop(alive) => self.stopped = Some(alive),
        }
    }
    fn step(&mut self) {
        for source in &mut self.sources {
            self.inputs.extend(source());
        }
        let now = now();
        // while the store fails the machine can't say it
        let is_late = |input: &mut Input| matches!(input, Input::Receive { answer_by: Some(by), .. } if *by <= now);
        for late in self.inputs.extract_if(.., is_late).collect::<Vec<_>>() {
            if let Input::Receive { id, from, .. } = late {
                self.held.answer(from, id, Status::UNAVAILABLE.into());
            }
        }
        let due = self.machine.wake_at().is_some_and(|at| at <= now);
        let mut rng = getrandom::rand_core::UnwrapErr(getrandom::SysRng);
        let mut step = self.machine.begin(now, &mut rng);
        std::mem::take(&mut self.inputs).into_iter().for_each(|input| step.feed(input));
        if due {
            step.feed(Input::Tick);
        }
        match step.commit(&mut self.store) {
            Ok(outputs) => {
                self.failed = false;
                self.release(outputs);
            }
            Err(error) => {
                if !std::mem::replace(&mut self.failed, true) {
                    self.tell(None, AgentEvent::StoreFailed { cause: error.source.to_string() });
                }
                self.inputs = error.inputs;
                // the machine's alarm comes again by itself
                self.inputs.retain(|input| !matches!(input, Input::Tick));
            }
        }
    }

    fn arrived(&mut self, arrived: Arrived) {
        let Arrived { message, cseq, until, answer } = arrived;
        if self.untaken.is_full(self.settings.untaken, self.settings.untaken_bytes) {
            return answer.answer(Status::UNAVAILABLE.into());
        }
        if bodies::is_own(&message.content_type)
            && let Err(error) = bodies::open(&Plaintext::new(message.content_type.clone(), message.body.as_slice()))
        {
            tracing::debug!(id = %message.id, %error, "a message could not be read");
            return answer.answer(malformed());
        }
        if !self.held.keep(&message, cseq, answer) {
            return;
        }
        let SipMessage { id, from, content_type, headers, body, .. } = message;
        let kind = bodies::kind(&content_type, &body);
        let (chat, sent) = (ChatId(from.clone()), now());
        // before the transport answers for us: what is shown after that its sender would not know of
        let left = until.saturating_duration_since(Instant::now()).mul_f32(0.9);
        let answer_by = Some(sent.after(self.settings.hold.min(left)));
        self.inputs.push(Input::Receive { id, chat, from, sent, kind, content_type, body, headers, answer_by });
    }
    fn done(&mut self, output: OutputId) {
        self.given.remove(&output);
        self.inputs.push(Input::Done(output));
    }
    fn gone(&mut self, gone: Gone) {
        let Gone { output, chat, id, kind, delivery } = gone;
        self.done(output);
        self.lanes.gone(chat);
        match (kind, delivery) {
            // nobody waits for what becomes of these
            (Kind::Typing | Kind::Receipt, Delivery::NotDelivered(why)) => tracing::debug!(%id, %why, "a notice was not delivered"),
            (Kind::Typing | Kind::Receipt, Delivery::Delivered(_)) => {}
            (_, Delivery::Delivered(code)) => self.tell(None, AgentEvent::Delivered { id, code }),
            (_, Delivery::NotDelivered(why)) => self.tell(None, AgentEvent::NotDelivered { id, why }),
        }
    }
    fn offer(&mut self, id: MessageId, to: Address, path: PathBuf, file: FileInfo) {
        if self.files.offer(&id, to.clone(), path) {
            self.inputs.push(Input::OfferFile { id, chat: ChatId(to.clone()), to: Recipients::People(vec![to]), file });
        }
    }
    fn download(&mut self, id: MessageId, from: Address, offer: Offer, directory: PathBuf) {
        let cipher = match &offer.key {
            None => Ok(None),
            Some(key) => self.machine.download(&ChatId(from), &offer.file, key).map(Some),
        };
        match cipher {
            Ok(cipher) => self.files.download(id, offer, cipher, directory),
            Err(status) => self.files.fail(id, TransferFailure::Engine(status)),
        }
    }

    fn tell(&mut self, output: Option<OutputId>, event: AgentEvent) {
        self.given.extend(output);
        self.untaken.add(&event);
        let _ = self.events.send((output, event));
    }
    fn release(&mut self, mut outputs: Outputs) {
        let again = outputs.take_again().into_iter().filter(|(output, _)| !self.given.contains(output)).collect::<Vec<_>>();
        // why a message was refused comes behind the refusal
        let whys: HashMap<(Address, MessageId), &'static str> = outputs
            .iter()
            .chain(&again)
            .filter_map(|(_, output)| match output {
                Output::Event(Event::NotReceived { id, from, why, .. }) => Some(((from.clone(), id.clone()), why.reason.code())),
                _ => None,
            })
            .collect();
        for (output, what) in again.into_iter().chain(outputs) {
            match what {
                Output::Transmit { id, part, chat, to, kind, wire, headers, .. } => self.transmit(output, id, part, chat, to, kind, wire, headers),
                Output::Accept { id, from, .. } => self.held.answer(from, id, Answer::Accept),
                Output::Refuse { id, from, status, .. } => {
                    let reason = whys.get(&(from.clone(), id.clone())).copied();
                    self.held.answer(from, id, Answer::Refuse { status, reason });
                    self.inputs.push(Input::Done(output));
                }
                Output::Request(id, _) => {
                    tracing::warn!("{}", super::NotOnSip("An engine that asks a server for keys".into()));
                    self.inputs.push(Input::Answer(id, Err(RequestError::Forbidden)));
                }
                Output::Upload { id, file, encryption } => self.files.upload(id, file, encryption),
                Output::Event(event) => self.event(output, event),
                _ => {}
            }
        }
    }
    #[allow(clippy::too_many_arguments)] // the fields of one output
    fn transmit(&mut self, output: OutputId, id: MessageId, part: u16, chat: ChatId, to: Recipients, kind: Kind, wire: Wire, headers: Headers) {
        let to = match to {
            Recipients::People(people) => people.into_iter().next().unwrap_or_else(|| chat.0.clone()),
            Recipients::Device(device) => device.owner,
            Recipients::Room => chat.0.clone(),
        };
        let (content_type, body) = match wire {
            Wire::Encrypted(part) => (part.content_type, part.body),
            Wire::Clear { plain, .. } => (plain.content_type.clone(), plain.bytes().to_vec()),
        };
        self.given.insert(output);
        let call_id = if part == 0 { id.clone() } else { MessageId::from(format!("{id}.{part}").as_str()) };
        let message = SipMessage { id: call_id, from: self.machine.me().clone(), to, content_type, headers, body };
        self.lanes.send(chat, Waiting { output, id, kind, message });
    }
    fn event(&mut self, output: OutputId, event: Event) {
        let owed = Some(output);
        match event {
            Event::Message { id, chat: _, message } => self.message(owed, id, message),
            Event::Sent { id, kind: Kind::Text | Kind::FileOffer | Kind::Call | Kind::Other, report, .. } => {
                self.tell(owed, AgentEvent::InProgress { id, report })
            }
            Event::NotSent { id, kind: Kind::Typing | Kind::Receipt, why, .. } => {
                tracing::debug!(%id, %why, "a notice was not sent");
                self.inputs.push(Input::Done(output));
            }
            Event::NotSent { id, why, ask, .. } => {
                self.files.not_sent(&id);
                self.tell(owed, AgentEvent::NotSent { id, why, ask });
            }
            Event::Waiting { id } => self.tell(None, AgentEvent::Waiting { id }),
            Event::NotReceived { id, from, why, .. } => self.tell(owed, AgentEvent::NotReceived { id, from, why }),
            Event::DeviceNew { device, key, trust } => self.tell(owed, AgentEvent::DeviceNew { device, key, trust }),
            Event::KeyChanged { device, known, shown } => self.tell(owed, AgentEvent::KeyChanged { device, known, shown }),
            _ => self.inputs.push(Input::Done(output)),
        }
    }
    fn receipt(&self, to: &Address, receipt: &Imdn, at: Time) {
        match self.lanes.load() < BUSY {
            true => self.handle.receipt(to, receipt, at),
            false => tracing::debug!(%to, "too much is on its way for a receipt"),
        }
    }
    /// What was received and may be shown.
    fn message(&mut self, owed: Option<OutputId>, id: MessageId, message: Received) {
        let (from, at, in_clear, sender) = (message.from().clone(), message.sent(), message.in_clear(), message.sender().cloned());
        let Content { opened, id: named, wanted } = match bodies::open(message.plaintext()) {
            Ok(content) => content,
            Err(error) => {
                // it was encrypted, and so accepted before anybody could see what is in it
                tracing::debug!(%id, %error, "a message could not be read");
                self.receipt(&from, &Imdn::failed(id.as_str(), Status::BAD_REQUEST, error.to_string()), at);
                return self.tell(owed, AgentEvent::NotReceived { id, from, why: Reason::Malformed.into() });
            }
        };
        let id = named.map_or(id, |named| MessageId::from(named.as_str()));
        let receipt = |work: &Self, id: &MessageId, from: &Address| {
            if wanted.map_or(work.settings.receipts, |wanted| wanted.delivered) {
                work.receipt(from, &Imdn::delivered(id.as_str()), at);
            }
        };
        match opened {
            Opened::Words(plain) => {
                receipt(self, &id, &from);
                self.tell(owed, AgentEvent::Message { id, from, plain, in_clear, sender, at });
            }
            Opened::Offer(offer) => {
                receipt(self, &id, &from);
                let in_clear = in_clear || offer.key.is_none();
                self.tell(owed, AgentEvent::FileOffered { id, from, offer: *offer, in_clear });
            }
            Opened::Typing(composing) => self.tell(owed, AgentEvent::Typing { from, composing }),
            Opened::Receipt(receipt) => self.tell(owed, AgentEvent::Receipt { from, receipt }),
        }
    }
}
fn malformed() -> Answer {
    Answer::Refuse { status: Status::BAD_REQUEST, reason: Some(Reason::Malformed.code()) }
}
