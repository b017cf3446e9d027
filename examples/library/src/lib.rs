//! OMEMO for a client with a connection of its own: the code of `docs/use-as-library.md`.
use getrandom::{SysRng, rand_core::UnwrapErr};
use minidom::Element;
use std::{collections::HashMap, error::Error, path::Path, time::SystemTime};
use subrosa_engine::{Address, Event, Headers, Input, Installed, Kind, Machine, MessageId, Output, OutputId, Recipients, Time};
use subrosa_omemo::{DeviceInfo, Omemo, wire::Version};
use subrosa_store::{SqliteStore, StoreKey};
use subrosa_xmpp::{Mapping, Requests};

/// Stands between your connection and your screens.
pub struct Encryption {
    machine: Machine,
    omemo: Installed<Omemo>,
    store: SqliteStore,
    mapping: Mapping,
    requests: Requests,
    rng: UnwrapErr<SysRng>,
    leaving: HashMap<String, OutputId>,
}
/// What one call leads to. The stanzas are for your connection, in this order; the events are for your screens.
#[derive(Default)]
pub struct Turn {
    pub send: Vec<Element>,
    pub show: Vec<Event>,
}

impl Encryption {
    /// One account, `"alice@example.org".into()`. What is in `directory`, which has to be there, is this device: never copy it to another,
    /// never put an old copy back.
    pub fn open(me: &Address, directory: &Path) -> Result<Self, Box<dyn Error>> {
        let mut rng = UnwrapErr(SysRng);
        let key = StoreKey::load_or_create(&directory.join("key"), &mut rng)?; // better: from the system's key ring
        let store = SqliteStore::open(directory.join("omemo.db"), &key)?;
        let mut machine = Machine::new(me.clone());
        let omemo = machine.install(Omemo::default());
        machine.route(move |_chat| Some(omemo.id()));
        let salt = getrandom::u64()?.to_string();
        let nodes = Version::ALL.iter().map(|version| version.device_list_node().to_owned());
        let (mapping, requests) = (Mapping::new(me.clone(), nodes, &salt), Requests::new(me.clone(), &salt));
        Ok(Encryption { machine, omemo, store, mapping, requests, rng, leaving: HashMap::new() })
    }
    /// Announce these in your service discovery and entity capabilities: the server then pushes the device lists of contacts.
    pub fn features() -> impl Iterator<Item = String> {
        Version::ALL.iter().map(|version| format!("{}+notify", version.device_list_node()))
    }
    /// A new stream, bound to this full address. Send presence and enable carbons as you do anyway.
    pub fn online(&mut self, full: &str) -> Result<Turn, Box<dyn Error>> {
        self.mapping.bound(full);
        self.requests.clear();
        self.step(vec![Input::Online { resumed: false }])
    }
    /// Every `<message>` and every answered `<iq>` that you receive. A message has been handled, as stream management means it, when this returns.
    pub fn received(&mut self, stanza: &Element) -> Result<Turn, Box<dyn Error>> {
        if stanza.name() == "message" {
            let mapped = self.mapping.message(stanza, now());
            return self.step(mapped.inputs);
        }
        let Some(turn) = self.requests.answered(stanza, now()) else { return Ok(Turn::default()) };
        let mut next = self.step(turn.answer.map(|(id, answer)| Input::Answer(id, answer)).into_iter().collect())?;
        next.send.splice(0..0, turn.send);
        Ok(next)
    }
    /// Somebody writes. It leaves when all keys are there; an [`Event`] with this id says who can read it, or why it was not sent.
    pub fn write(&mut self, id: &str, to: &Address, text: &str) -> Result<Turn, Box<dyn Error>> {
        let (chat, plain) = (subrosa_engine::ChatId(to.clone()), subrosa_engine::Plaintext::text(text));
        let to = Recipients::People(vec![to.clone()]);
        self.step(vec![Input::Send { id: id.into(), chat, to, kind: Kind::Text, plain, headers: Headers::default() }])
    }
    /// The server has this message (stream management), or, without that, you have sent it. Until then it comes again after a restart.
    pub fn acknowledged(&mut self, stanza_id: &str) -> Result<Turn, Box<dyn Error>> {
        let done = self.leaving.remove(stanza_id).map(Input::Done);
        self.step(done.into_iter().collect())
    }
    /// At this time call [`Self::tick`].
    pub fn wake_at(&self) -> Option<Time> {
        self.machine.wake_at().into_iter().chain(self.requests.wake_at()).min()
    }
    pub fn tick(&mut self) -> Result<Turn, Box<dyn Error>> {
        let late = self.requests.expire(now()).into_iter().filter_map(|turn| turn.answer);
        let inputs = late.map(|(id, answer)| Input::Answer(id, answer)).chain([Input::Tick]).collect();
        self.step(inputs)
    }

    /// Somebody's devices, with their fingerprints and what they are trusted; `Input::SetTrust` decides.
    pub fn devices(&mut self, owner: &Address) -> Result<Vec<DeviceInfo>, Box<dyn Error>> {
        let mut step = self.machine.begin(now(), &mut self.rng);
        let devices = step.call(self.omemo, |omemo, cx| omemo.devices(cx, owner));
        Ok(step.commit(&mut self.store)?.reply(&devices).unwrap_or_default())
    }

    /// One transaction: what came in is stored with all that follows from it; only then anything leaves or is shown.
    fn step(&mut self, mut inputs: Vec<Input>) -> Result<Turn, Box<dyn Error>> {
        let mut all = Turn::default();
        loop {
            let mut step = self.machine.begin(now(), &mut self.rng);
            inputs.drain(..).for_each(|input| step.feed(input));
            for (id, output) in step.commit(&mut self.store)? {
                match output {
                    Output::Request(request, what) => {
                        let turn = self.requests.ask(request, what, now());
                        all.send.extend(turn.send);
                        inputs.extend(turn.answer.map(|(id, answer)| Input::Answer(id, answer)));
                    }
                    Output::Transmit { id: message, part, chat, to, kind, wire, made, .. } => {
                        match self.mapping.transmit(&message, part, &chat, &to, kind, &wire) {
                            Ok(stanza) => {
                                let stanza = subrosa_xmpp::late(stanza, made, now()); // it may have waited for days
                                self.leaving.insert(stanza.attr("id").unwrap_or_default().into(), id);
                                all.send.push(stanza);
                            }
                            Err(_) => inputs.push(Input::Done(id)), // it can never be sent: too large, for one
                        }
                    }
                    Output::Event(event) => {
                        all.show.push(event); // your history should have it before the next line
                        inputs.push(Input::Done(id));
                    }
                    _ => inputs.push(Input::Done(id)),
                }
            }
            if inputs.is_empty() {
                return Ok(all);
            }
        }
    }
}
/// An id for a message of yours: never the same twice.
pub fn new_id() -> Result<MessageId, Box<dyn Error>> {
    Ok(MessageId(format!("{:016x}", getrandom::u64()?).into()))
}
fn now() -> Time {
    Time(SystemTime::UNIX_EPOCH.elapsed().map_or(0, |d| d.as_millis() as u64))
}
