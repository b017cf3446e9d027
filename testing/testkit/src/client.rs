//! One device: a machine, its store, its randomness, and what a host owes them. It does what a careful
//! application does: commits a step, then performs its outputs, then says `Done`; after a crash it starts
//! a new machine over the same store.
use crate::{Crash, CrashError, CrashStore, LateStore, Made, Seeded, Taken, What, block_on};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use subrosa_engine::{
    Address, Batch, ChatId, ClearTextQuestion, ContentType, Context, Engine, Event, FileCipher, FileInfo, FileKey, Halt, Input, Installed, Key, Kind,
    Machine, MessageId, Output, OutputId, Outputs, Recipients, Request, RequestId, Status, Store, Time,
};

/// A message on its way. Ends up as one [`Input::Receive`] for every session it reaches.
#[derive(Clone, Debug)]
pub struct Stanza {
    /// The sender's id of the message.
    pub id: MessageId,
    /// Which of the message's bodies this is.
    pub part: u16,
    /// The sender's account.
    pub from: Address,
    /// The sender's conversation.
    pub chat: ChatId,
    /// Whom it is for.
    pub to: Recipients,
    /// What it is for.
    pub kind: Kind,
    /// What the body is.
    pub content_type: ContentType,
    /// The body as it travels.
    pub body: Vec<u8>,
    /// It was sent in clear, by a confirmed choice.
    pub in_clear: bool,
    /// When it was made, which its sender says where it was long ago.
    pub made: Time,
}

/// What a client wants from the network.
pub(crate) enum Sent {
    Stanza(OutputId, Stanza),
    Request(RequestId, Request),
}

type Install<H> = Box<dyn Fn(&mut Machine) -> H>;
type Neglect = Box<dyn FnMut(&Output) -> bool>;

/// A copy of what a client has on disk: its store, and what its history knows as shown.
pub struct Snapshot<S> {
    store: S,
    shown: BTreeSet<OutputId>,
    archive_read: usize,
}

/// One device of one account.
pub struct Client<H, S: Store> {
    me: Address,
    install: Install<H>,
    machine: Machine,
    handle: H,
    store: CrashStore<S>,
    rng: Seeded,
    /// What waits to be fed; network inputs are told apart because the server keeps them until they are stored.
    pub(crate) queue: VecDeque<Input>,
    pub(crate) online: bool,
    /// How much of the archive was read, as the history on disk has it.
    pub(crate) archive_read: usize,
    /// Grows with every connection: an answer to an earlier one reaches nobody.
    pub(crate) stream: u64,
    /// Transmitted, not yet acknowledged by the server. In memory only: the machine owes them over a restart.
    unacked: BTreeMap<OutputId, Stanza>,
    /// Acknowledged; remembered because an output comes again after a commit that failed.
    acked: BTreeSet<OutputId>,
    open: BTreeSet<RequestId>,
    /// The application's history, on disk: an output that comes again is known by its id.
    shown: BTreeSet<OutputId>,
    events: Vec<Event>,
    refused: Vec<(MessageId, Status)>,
    accepted: Vec<MessageId>,
    uploads: Vec<Upload>,
    restarts: usize,
    /// `Some`: somebody watches.
    notes: Option<Vec<What>>,
    neglects: Option<Neglect>,
}

/// A file that may go out: whose offer it is, what is known of it, and its key and cipher; none: in clear.
pub type Upload = (MessageId, FileInfo, Option<(FileKey, Box<dyn FileCipher>)>);

impl<H, S: Store> Client<H, S> {
    pub(crate) fn new(me: Address, store: S, rng: Seeded, install: Install<H>) -> Self {
        let mut machine = Machine::new(me.clone());
        let handle = install(&mut machine);
        Client {
            me,
            install,
            machine,
            handle,
            store: CrashStore::new(store),
            rng,
            queue: VecDeque::new(),
            online: false,
            archive_read: 0,
            stream: 0,
            unacked: BTreeMap::new(),
            acked: BTreeSet::new(),
            open: BTreeSet::new(),
            shown: BTreeSet::new(),
            events: Vec::new(),
            refused: Vec::new(),
            accepted: Vec::new(),
            uploads: Vec::new(),
            restarts: 0,
            notes: None,
            neglects: None,
        }
    }
    pub(crate) fn watch(&mut self) {
        self.notes = Some(Vec::new());
    }
    pub(crate) fn take_notes(&mut self) -> Vec<What> {
        self.notes.as_mut().map(std::mem::take).unwrap_or_default()
    }
    fn note(&mut self, what: impl FnOnce(&Address) -> What) {
        if let Some(notes) = &mut self.notes {
            notes.push(what(&self.me));
        }
    }
    /// A broken application: what the rule says yes to is not performed, and `Done` all the same. For mutants.
    pub fn neglect(&mut self, rule: impl FnMut(&Output) -> bool + 'static) {
        self.neglects = Some(Box::new(rule));
    }
    /// Whether it is connected.
    pub fn is_online(&self) -> bool {
        self.online
    }
    /// The account.
    pub fn me(&self) -> &Address {
        &self.me
    }
    /// What the installing closure returned, for the machine that runs now.
    pub fn handle(&self) -> &H {
        &self.handle
    }
    /// The same, to put another in its place until the next restart.
    pub fn handle_mut(&mut self) -> &mut H {
        &mut self.handle
    }
    /// The machine, to look at.
    pub fn machine(&self) -> &Machine {
        &self.machine
    }
    /// The machine, to install and remove engines.
    pub fn machine_mut(&mut self) -> &mut Machine {
        &mut self.machine
    }
    /// The store, to plan crashes and to count commits.
    pub fn store(&mut self) -> &mut CrashStore<S> {
        &mut self.store
    }
    /// All that was shown to the user, in order, over all restarts.
    pub fn events(&self) -> &[Event] {
        &self.events
    }
    /// Messages that this device refused, with the status that went on the wire.
    pub fn refused(&self) -> &[(MessageId, Status)] {
        &self.refused
    }
    /// Messages whose answer was held, and which were accepted.
    pub fn accepted(&self) -> &[MessageId] {
        &self.accepted
    }
    /// Takes the files that may go out.
    pub fn take_uploads(&mut self) -> Vec<Upload> {
        std::mem::take(&mut self.uploads)
    }
    /// How often it crashed.
    pub fn restarts(&self) -> usize {
        self.restarts
    }
    /// The last question that a person was asked and has not answered.
    pub fn take_question(&mut self) -> Option<ClearTextQuestion> {
        self.events.iter_mut().rev().find_map(|e| if let Event::NotSent { ask, .. } = e { ask.take() } else { None })
    }
    /// The texts that were shown, with who wrote them, in order.
    pub fn texts(&self) -> Vec<(String, String)> {
        let text = |e: &Event| match e {
            Event::Message { message, .. } => {
                Some((message.from().as_str().to_owned(), String::from_utf8_lossy(message.plaintext().bytes()).into_owned()))
            }
            _ => None,
        };
        self.events.iter().filter_map(text).collect()
    }

    /// The process dies: all that is not on disk is gone. `refeed` comes back to it: what the server had not
    /// been told it has, what the user had not been told is stored.
    pub(crate) fn restart(&mut self, refeed: Vec<Input>) {
        self.restarts += 1;
        self.note(|_| What::Restarted);
        self.machine = Machine::new(self.me.clone());
        self.handle = (self.install)(&mut self.machine);
        self.unacked.clear();
        self.acked.clear();
        self.open.clear();
        // what was never fed: the server keeps messages, the application keeps what the user wants
        let waiting: Vec<Input> = refeed.into_iter().chain(self.queue.drain(..)).filter(survives).collect();
        self.queue.extend(waiting);
        self.online = false;
    }
    /// A stream begins: what was not acknowledged on the last one goes out again. Requests the machine asks again.
    pub(crate) fn connect(&mut self) -> Vec<Sent> {
        self.online = true;
        self.stream += 1;
        self.queue.push_front(Input::Online { resumed: false });
        self.open.clear();
        self.unacked.iter().map(|(id, s)| Sent::Stanza(*id, s.clone())).collect()
    }
    /// The server has it.
    pub(crate) fn acknowledged(&mut self, output: OutputId) {
        if self.unacked.remove(&output).is_some() {
            self.acked.insert(output);
            self.queue.push_back(Input::Done(output));
        }
    }
    pub(crate) fn answered(&mut self, id: RequestId, answer: Result<Vec<subrosa_engine::Item>, subrosa_engine::RequestError>) {
        if self.open.remove(&id) {
            self.queue.push_back(Input::Answer(id, answer));
        }
    }
    pub(crate) fn wake_at(&self) -> Option<Time> {
        self.machine.wake_at()
    }

    /// One step over the first `most` waiting inputs, then its outputs. The store answers after `late` polls, or at once.
    pub(crate) fn turn(&mut self, now: Time, most: usize, late: usize) -> Vec<Sent> {
        let (mut redo, mut taken) = (Vec::new(), Vec::new());
        let mut step = self.machine.begin(now, &mut self.rng);
        for input in self.queue.drain(..most.min(self.queue.len())) {
            redo.extend(copy(&input));
            if self.notes.is_some() {
                taken.push(Taken::from(&input));
            }
            step.feed(input);
        }
        let result = match late {
            0 => step.commit(&mut self.store),
            polls => block_on(step.commit_async(&mut LateStore::new(Lent(&mut self.store), polls))),
        };
        self.settle(result.map_err(|e| (e.source, e.inputs)), redo, taken)
    }
    /// One step with one call.
    pub(crate) fn call<E: Engine, T: Send + 'static>(
        &mut self,
        now: Time,
        engine: Installed<E>,
        f: impl FnMut(&E, &mut Context<'_>) -> Result<T, Halt> + Send,
    ) -> (Vec<Sent>, Option<T>) {
        let mut step = self.machine.begin(now, &mut self.rng);
        let reply = step.call(engine, f);
        let mut result = step.commit(&mut self.store);
        let answer = result.as_mut().ok().and_then(|outputs| outputs.reply(&reply));
        let restarts = self.restarts;
        let sent = self.settle(result.map_err(|e| (e.source, e.inputs)), Vec::new(), Vec::new());
        (sent, answer.filter(|_| self.restarts == restarts))
    }
    fn settle(&mut self, result: Result<Outputs, (CrashError<S::Error>, Vec<Input>)>, redo: Vec<Input>, taken: Vec<Taken>) -> Vec<Sent> {
        let crash = self.store.take_tripped();
        if let Ok(outputs) = &result {
            self.note(|me| What::Committed { taken, made: Made::all(me, outputs) });
        }
        if let Some(crash) = crash {
            self.note(|_| What::Tripped(crash));
        }
        match (result, crash) {
            (Ok(outputs), None) => self.perform(outputs, usize::MAX),
            (Ok(outputs), Some(crash)) => {
                let sent = if let Crash::AfterOutputs(n) = crash { self.perform(outputs, n) } else { Vec::new() };
                // on disk, but nobody was told: the server sends its messages again, the user's are stored
                self.restart(redo.into_iter().filter(|i| matches!(i, Input::Receive { .. })).collect());
                sent
            }
            (Err((_, inputs)), Some(Crash::StoreFails)) => {
                for input in inputs.into_iter().rev() {
                    self.queue.push_front(input);
                }
                Vec::new()
            }
            (Err((_, inputs)), Some(_)) => {
                self.restart(inputs);
                Vec::new()
            }
            (Err((e, _)), None) => panic!("{}: the store failed, and no test asked it to: {e}", self.me),
        }
    }
    fn perform(&mut self, outputs: Outputs, most: usize) -> Vec<Sent> {
        let mut sent = Vec::new();
        for (id, output) in outputs.into_iter().take(most) {
            let mut done = output.is_owed();
            if done && self.neglects.as_mut().is_some_and(|rule| rule(&output)) {
                self.queue.push_back(Input::Done(id));
                continue;
            }
            let stanza = Stanza::of(&self.me, &output);
            match output {
                Output::Transmit { .. } if self.unacked.contains_key(&id) => continue, // comes again, and is still under way
                Output::Transmit { .. } if self.acked.contains(&id) => {}
                Output::Transmit { .. } => {
                    let Some(stanza) = stanza else { continue };
                    if done {
                        self.unacked.insert(id, stanza.clone());
                    }
                    sent.push(Sent::Stanza(id, stanza));
                    done = false; // when the server has it
                }
                Output::Request(request_id, request) => {
                    self.open.insert(request_id);
                    sent.push(Sent::Request(request_id, request));
                }
                Output::Refuse { id: message, status, .. } if self.shown.insert(id) => self.refused.push((message, status)),
                Output::Accept { id: message, .. } => self.accepted.push(message),
                Output::Upload { id: message, file, encryption } => self.uploads.push((message, file, encryption)),
                Output::Event(event) if self.shown.insert(id) || !done => self.events.push(event),
                _ => {}
            }
            if done {
                self.queue.push_back(Input::Done(id));
            }
        }
        sent
    }
}

/// A store that somebody else owns.
struct Lent<'a, S>(&'a mut S);
impl<S: Store> Store for Lent<'_, S> {
    type Error = S::Error;
    fn load(&mut self, keys: &[Key]) -> Result<Vec<Option<Vec<u8>>>, S::Error> {
        self.0.load(keys)
    }
    fn commit(&mut self, batch: &Batch) -> Result<(), S::Error> {
        self.0.commit(batch)
    }
}

impl<H, S: Store + Clone> Client<H, S> {
    /// What it has on disk now.
    pub fn snapshot(&mut self) -> Snapshot<S> {
        Snapshot { store: self.store.inner_mut().clone(), shown: self.shown.clone(), archive_read: self.archive_read }
    }
    /// Puts an older copy in the place of its disk. Restart the process at once.
    pub(crate) fn roll_back(&mut self, to: &Snapshot<S>) {
        *self.store.inner_mut() = to.store.clone();
        self.shown.clone_from(&to.shown);
        self.archive_read = to.archive_read;
    }
}

/// What outlives a process that had not stored it: messages (the server's) and commands (the user's).
fn survives(input: &Input) -> bool {
    matches!(input, Input::Receive { .. } | Input::Send { .. } | Input::SetTrust(..) | Input::SetPolicy(..))
}
/// What the server would send again.
fn copy(input: &Input) -> Option<Input> {
    match input {
        Input::Receive { id, chat, from, sent, kind, content_type, body, headers, answer_by } => Some(Input::Receive {
            id: id.clone(),
            chat: chat.clone(),
            from: from.clone(),
            sent: *sent,
            kind: *kind,
            content_type: content_type.clone(),
            body: body.clone(),
            headers: headers.clone(),
            answer_by: *answer_by,
        }),
        _ => None,
    }
}
