//! One message, two hundred devices, one transaction.
use crate::disk::open;
use crate::floor::Floor;
use crate::{Line, undisturbed};
use std::time::Instant;
use subrosa_engine::{Address, Batch, ChatId, Input, MemoryStore, Recipients, Store};
use subrosa_scale::{Device, Watched, says};
use subrosa_testkit::FakeServer;

const ROOM: &str = "room@conference.example.org";
const PEOPLE: u64 = 50;
const DEVICES: u64 = 4;
const ROUNDS: usize = 101;

pub fn measure() -> Vec<Line> {
    let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (value, floor) = against(MemoryStore::default(), MemoryStore::default());
    let (disk, disk_floor) = against(open(one.path()), open(other.path()));
    vec![Line::Ratio("room_200", value, floor), Line::Ratio("room_200_sqlite", disk, disk_floor)]
}
/// Nanoseconds of a message, and of its floor; turn about, so that a slower moment is one for both.
fn against<S: Store>(store: S, mut other: S) -> (f64, f64) {
    let (mut alice, mut server, mut floor) = (in_room(store), FakeServer::default(), Floor::new());
    let (chat, mut times, mut floors) = (ChatId(ROOM.into()), Vec::new(), Vec::new());
    let mut done = Vec::new();
    alice.store.rows = Some(Vec::new());
    done.extend(alice.step(&mut server, vec![says("rows", &chat, Recipients::Room, "hello")]).next);
    let rows = alice.store.rows.take().unwrap();
    assert!(rows.len() as u64 >= PEOPLE * DEVICES, "a row for each session");
    // in turn, because SQLite writes nothing where nothing changes
    let changed = rows.iter().map(|(key, value)| (key.clone(), value.as_ref().map(|value| value.iter().map(|byte| !byte).collect())));
    let batches = [Batch::for_tests(changed.collect()), Batch::for_tests(rows)];
    for round in 0..ROUNDS + 2 {
        // what was owed is done in a step of its own, so that this one is the message's
        alice.step(&mut server, std::mem::take(&mut done));
        let before = alice.store.commits;
        let inputs = vec![says(&format!("message-{round}"), &chat, Recipients::Room, "hello")];
        let mut floored = || {
            let start = Instant::now();
            (0..PEOPLE * DEVICES).for_each(|_| floor.encrypt());
            other.commit(&batches[round % 2]).unwrap();
            start.elapsed()
        };
        let first = (round % 2 == 0).then(&mut floored);
        let start = Instant::now();
        let outputs = alice.commit(inputs);
        let time = start.elapsed();
        let floor = first.unwrap_or_else(floored);
        assert_eq!(alice.store.commits - before, 1, "one transaction");
        let released = alice.perform(&mut server, outputs);
        assert_eq!(released.posts.len(), 1, "a stanza");
        done = released.next;
        // the first knows no rows yet
        if round >= 2 {
            times.push(time.as_nanos() as f64);
            floors.push(floor.as_nanos() as f64);
        }
    }
    (undisturbed(times), undisturbed(floors))
}
/// In a room, past the first messages of everybody.
fn in_room<S: Store>(store: S) -> Device<Watched<S>> {
    let mut server = FakeServer::default();
    let people: Vec<Address> = (0..PEOPLE).map(|n| format!("member{n:02}@example.org").as_str().into()).collect();
    let mut devices: Vec<_> = (0..PEOPLE * DEVICES).map(|n| Device::new(&people[(n % PEOPLE) as usize], MemoryStore::default(), n + 2)).collect();
    devices.iter_mut().for_each(|device| device.join(&mut server));
    let mut alice = Device::new(&"alice@example.org".into(), Watched { store, commits: 0, rows: None }, 1);
    alice.join(&mut server);
    let room = ChatId(ROOM.into());
    let everybody: Vec<Address> = people.iter().chain([&alice.me]).cloned().collect();
    let first = says("first", &room, Recipients::Room, "hello");
    let posts = alice.run(&mut server, vec![Input::Room(room.clone(), Some(everybody.clone())), first]);
    let [post] = posts.as_slice() else { panic!("{} stanzas", posts.len()) };
    for device in &mut devices {
        let arrives = vec![Input::Room(room.clone(), Some(everybody.clone())), post.clone().arrives("first", &room)];
        let answers = device.run(&mut server, arrives);
        let answers = answers.into_iter().map(|answer| answer.arrives("answer", &room)).collect();
        alice.run(&mut server, answers);
    }
    alice.run(&mut server, vec![says("second", &room, Recipients::Room, "hello")]);
    alice
}
