//! One message to 100 devices through the machine, the engine and the store.
use super::{Device, median, now};
use std::collections::HashMap;
use subrosa_engine::*;
use subrosa_omemo::Omemo;
use subrosa_omemo::payload::OMEMO2_EMPTY;
use subrosa_omemo::wire::bundle::{self, Bundle};
use subrosa_omemo::wire::device_list::{self, ListedDevice};
use subrosa_omemo::wire::encrypted::{self, Builder};
use subrosa_omemo::wire::{NodeKind, Version};
use subrosa_ratchet::{KeyExchange, Omemo2, Session};
use subrosa_testkit::Seeded;
use subrosa_wasm::{At, IndexedDbStore};

const ALICE: &str = "alice@example.org";
const BOB: &str = "bob@example.org";
const DEVICES: u32 = 100;
const MESSAGES: u64 = 51;

struct Alice<S> {
    machine: Machine,
    store: S,
    rng: Seeded,
    theirs: HashMap<u32, Device>,
}
impl<S: AsyncStore> Alice<S> {
    async fn new(store: S) -> Self {
        let mut machine = Machine::new(ALICE.into());
        let omemo = machine.install(Omemo::default());
        machine.route(move |_| Some(omemo.id()));
        let mut rng = Seeded::new(3);
        let theirs = (1..=DEVICES).map(|id| (id, Device::new(&mut rng))).collect();
        let mut alice = Alice { machine, store, rng, theirs };
        alice.run(vec![Input::Online { resumed: false }]).await;
        let first = alice.run(vec![send(0)]).await;
        let us = encrypted::parse(&first, BOB, 1).unwrap().encrypted.unwrap().sid;
        let answers: Vec<_> = (1..=DEVICES).map(|id| receive(alice.reply(id, &first, us))).collect();
        alice.run(answers).await;
        alice.run(vec![send(0)]).await;
        alice
    }
    /// Until everything is answered. Gives the first body that left.
    async fn run(&mut self, mut queue: Vec<Input>) -> Vec<u8> {
        let mut body = Vec::new();
        while !queue.is_empty() {
            let mut step = self.machine.begin(Time(0), &mut self.rng);
            queue.drain(..).for_each(|input| step.feed(input));
            for (id, output) in step.commit_async(&mut self.store).await.unwrap() {
                let owed = output.is_owed();
                match output {
                    Output::Request(id, request) => queue.push(Input::Answer(id, Ok(self.answer(&request)))),
                    Output::Transmit { wire: Wire::Encrypted(part), .. } if body.is_empty() => body = part.body,
                    Output::Event(Event::NotSent { why, .. }) => panic!("{why}"),
                    Output::Event(Event::NotReceived { why, .. }) => panic!("{why}"),
                    _ => {}
                }
                if owed {
                    queue.push(Input::Done(id));
                }
            }
        }
        body
    }
    fn answer(&mut self, request: &Request) -> Vec<Item> {
        let Request::Fetch(node) = request else { return Vec::new() };
        let payload = match Version::of_node(&node.name) {
            Some(NodeKind::DeviceList(Version::Omemo2)) if node.owner.as_str() == BOB => {
                device_list::write(Version::Omemo2, &(1..=DEVICES).map(ListedDevice::new).collect::<Vec<_>>())
            }
            Some(NodeKind::Bundle { version: Version::Omemo2, .. }) => {
                let id: u32 = node.item.as_deref().and_then(|i| i.parse().ok()).unwrap();
                let theirs = &self.theirs[&id];
                bundle::write(&Bundle {
                    version: Version::Omemo2,
                    identity_key: (*theirs.identity.public().to_wire::<Omemo2>()).try_into().unwrap(),
                    signed_prekey_id: 1,
                    signed_prekey: *theirs.signed.public().as_bytes(),
                    signature: theirs.identity.sign_pre_key::<Omemo2>(theirs.signed.public(), &mut self.rng),
                    prekeys: vec![(1, *theirs.one_time.public().as_bytes())],
                })
            }
            _ => return Vec::new(),
        };
        vec![Item { id: node.item.clone(), payload }]
    }
    /// What a device of his says to the first message.
    fn reply(&mut self, id: u32, first: &[u8], alice: u32) -> Vec<u8> {
        let key = encrypted::parse(first, BOB, id).unwrap().encrypted.unwrap().keys.remove(0);
        let theirs = &self.theirs[&id];
        let mut session = Session::<Omemo2>::accept(&theirs.identity, theirs, &KeyExchange::parse(&key.data).unwrap()).unwrap().session;
        let (mut builder, mut out) = (Builder::omemo2(id, 1), Vec::new());
        session.encrypt(&OMEMO2_EMPTY, &mut self.rng, &mut out).unwrap();
        builder.recipient(ALICE);
        builder.key(alice, false, &out);
        builder.message(None)
    }
    /// One message: milliseconds from the step's begin to the released outputs.
    async fn message(&mut self, n: u64, stage: impl FnOnce(&mut S)) -> f64 {
        let start = now();
        stage(&mut self.store);
        let mut step = self.machine.begin(Time(0), &mut self.rng);
        step.feed(send(n));
        let outputs = step.commit_async(&mut self.store).await.unwrap();
        let time = now() - start;
        let done: Vec<Input> = outputs.iter().filter(|(_, o)| o.is_owed()).map(|(id, _)| Input::Done(*id)).collect();
        assert_eq!(done.len(), 2, "a stanza and its report");
        drop(outputs);
        self.run(done).await;
        time
    }
}
fn receive(body: Vec<u8>) -> Input {
    let (id, chat, from) = ("answer".into(), ChatId(BOB.into()), BOB.into());
    Input::Receive {
        id,
        chat,
        from,
        sent: Time(0),
        kind: Kind::Other,
        content_type: ContentType::STANZA,
        body,
        headers: Headers::default(),
        answer_by: None,
    }
}
fn send(id: u64) -> Input {
    let (chat, to) = (ChatId(BOB.into()), Recipients::People(vec![BOB.into()]));
    Input::Send { id: MessageId(id.to_string().into()), chat, to, kind: Kind::Text, plain: Plaintext::text("hello"), headers: Headers::default() }
}

/// Median with the commit, median with a store in memory, the slowest twentieth with the commit.
pub async fn measure(database: &str) -> Vec<f64> {
    let store = crate::open(database).await.unwrap();
    let mut disk: Alice<IndexedDbStore> = Alice::new(store).await;
    let mut memory = Alice::new(subrosa_testkit::Ready(MemoryStore::default())).await;
    let (mut with, mut without) = (Vec::new(), Vec::new());
    for n in 1..=MESSAGES + 2 {
        // the words go into the history with it, as in the messenger
        let time = disk.message(n, |store| store.stage("chat", At::Number(n), Some(b"hello".into()))).await;
        let bare = memory.message(n, |_| ()).await;
        if n > 2 {
            with.push(time);
            without.push(bare);
        }
    }
    let (middle, bare) = (median(&mut with), median(&mut without));
    vec![middle, bare, with[with.len() * 19 / 20]]
}
