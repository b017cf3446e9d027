//! A store with ten thousand sessions, and a process that opens it and sends a message.
use crate::disk::{keep, open, server};
use crate::{Line, apart, peak, undisturbed};
use std::path::Path;
use std::time::{Duration, Instant};
use subrosa_engine::{Address, ChatId, Input, Keep, Node, Recipients, Request};
use subrosa_omemo::wire::Version;
use subrosa_omemo::wire::bundle::{self, Bundle};
use subrosa_omemo::wire::device_list::{self, ListedDevice};
use subrosa_ratchet::{IdentityKeyPair, KeyPair, Omemo2};
use subrosa_scale::{Device, says};
use subrosa_testkit::{FakeServer, Seeded};

/// A process that starts.
pub const CHILD: &str = "--start-child";
const ALICE: &str = "alice@example.org";
const PEOPLE: u32 = 2500;
const DEVICES: u32 = 4;
const ROUNDS: usize = 11;

pub fn measure() -> Vec<Line> {
    let directory = tempfile::tempdir().unwrap();
    make(directory.path());
    let rounds: Vec<(f64, f64)> = (0..ROUNDS).map(|_| apart(CHILD, directory.path())).collect();
    let memory = rounds.iter().fold(0.0, |most: f64, (_, mebibytes)| most.max(*mebibytes));
    vec![
        Line::AtMost("start_10000", undisturbed(rounds.iter().map(|(milliseconds, _)| *milliseconds).collect()), "ms", 50.0),
        Line::AtMost("start_10000_memory", memory, "MiB", 20.0),
    ]
}
/// From the file to the stanza; what the server has to answer takes no time here.
pub fn child(directory: &Path) {
    let mut server = server(directory);
    let (start, mut away) = (Instant::now(), Duration::ZERO);
    let mut alice = Device::new(&ALICE.into(), open(directory), u64::from(std::process::id()));
    let chat = person(PEOPLE / 2);
    let message = says("message", &ChatId(chat.clone()), Recipients::People(vec![chat]), "hello");
    let (mut inputs, mut stanza) = (vec![Input::Online { resumed: false }, message], None);
    while stanza.is_none() {
        assert!(!inputs.is_empty(), "it never left");
        let outputs = alice.commit(inputs);
        let pause = Instant::now();
        let released = alice.perform(&mut server, outputs);
        away += pause.elapsed();
        (stanza, inputs) = (released.posts.into_iter().next(), released.next);
    }
    println!("{} {}", (start.elapsed() - away).as_secs_f64() * 1000.0, peak());
}

fn person(n: u32) -> Address {
    format!("person{n:04}@example.org").as_str().into()
}
/// A message to everybody.
fn make(directory: &Path) {
    let mut server = FakeServer::default();
    let mut alice = Device::new(&ALICE.into(), open(directory), 1);
    alice.join(&mut server);
    let mut rng = Seeded::new(2);
    for n in 0..PEOPLE {
        let owner = person(n);
        publish(&mut server, &owner, n * DEVICES + 1, &mut rng);
        let message = says(&format!("message-{n}"), &ChatId(owner.clone()), Recipients::People(vec![owner]), "hello");
        assert_eq!(alice.run(&mut server, vec![message]).len(), 1);
    }
    keep(&server, &ALICE.into(), directory);
}
/// A list and its bundles.
fn publish(server: &mut FakeServer, owner: &Address, first: u32, rng: &mut Seeded) {
    let ids = first..first + DEVICES;
    let mut publish = |name: &str, item: String, keep, payload| {
        let node = Node { owner: owner.clone(), name: name.into(), item: Some(item) };
        server.answer(owner, &Request::Publish { node, keep, payload }).0.unwrap();
    };
    let list = device_list::write(Version::Omemo2, &ids.clone().map(ListedDevice::new).collect::<Vec<_>>());
    publish(Version::Omemo2.device_list_node(), "current".into(), Keep::One, list);
    for id in ids {
        let (identity, signed, one_time) = (IdentityKeyPair::generate(rng), KeyPair::generate(rng), KeyPair::generate(rng));
        let bundle = bundle::write(&Bundle {
            version: Version::Omemo2,
            identity_key: (*identity.public().to_wire::<Omemo2>()).try_into().unwrap(),
            signed_prekey_id: 1,
            signed_prekey: *signed.public().as_bytes(),
            signature: identity.sign_pre_key::<Omemo2>(signed.public(), rng),
            prekeys: vec![(1, *one_time.public().as_bytes())],
        });
        publish(&Version::Omemo2.bundle_node(id), id.to_string(), Keep::Many, bundle);
    }
}
