//! Ten thousand messages that came while this device was away. Nobody answered them, so that their senders' ratchets stood still but for
//! the first of each.
use crate::disk::{keep, open, read, server, write};
use crate::{Line, apart, peak, undisturbed};
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};
use subrosa_engine::{Address, ChatId, Input, MemoryStore, Recipients, Store};
use subrosa_scale::{Both, Device, Post, says};
use subrosa_testkit::FakeServer;

/// A process that reads an archive into a store.
pub const CHILD: &str = "--catch-up-child";
const ROOM: &str = "room@conference.example.org";
const BOB: &str = "bob@example.org";
const SENDERS: u64 = 8;
const MESSAGES: usize = 10_000;
const STEP: usize = 256;
const ROUNDS: usize = 11;

pub fn measure() -> Vec<Line> {
    let directory = tempfile::tempdir().unwrap();
    let (mut server, posts) = (FakeServer::default(), directory.path().join("posts"));
    let (store, archive) = archive(&mut server, directory.path());
    write(&posts, &archive);
    keep(&server, &BOB.into(), directory.path());
    let core = (0..ROUNDS).map(|_| seconds(&mut Device::new(&BOB.into(), store.clone(), 1), &mut server, archive.iter().cloned(), on_processor));
    let core = undisturbed(core.collect());
    let (mut disk, mut memory) = (Vec::new(), 0.0_f64);
    for _ in 0..ROUNDS {
        // each from the same store
        let round = tempfile::tempdir().unwrap();
        for file in ["store.db", "posts", "nodes"] {
            fs::copy(directory.path().join(file), round.path().join(file)).unwrap();
        }
        let (seconds, mebibytes) = apart(CHILD, round.path());
        disk.push(seconds);
        memory = memory.max(mebibytes);
    }
    vec![
        Line::AtLeast("catch_up_10000", MESSAGES as f64 / core, "/s", 50_000.0),
        Line::AtLeast("catch_up_10000_sqlite", MESSAGES as f64 / undisturbed(disk), "/s", 15_000.0),
        Line::AtMost("catch_up_10000_memory", memory, "MiB", 50.0),
    ]
}
pub fn child(directory: &Path) {
    let mut server = server(directory);
    let mut bob = Device::new(&BOB.into(), open(directory), 1);
    let start = Instant::now();
    let seconds = seconds(&mut bob, &mut server, read(&directory.join("posts")), || start.elapsed());
    println!("{seconds} {}", peak());
}

/// How long this thread was on a processor: without a disk it waits for nobody but others who want one too.
fn on_processor() -> Duration {
    let told = fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    Duration::from_nanos(told.split(' ').next().unwrap().parse().unwrap())
}
/// Of the steps that read all this, the making of the inputs aside.
fn seconds<S: Store>(bob: &mut Device<S>, server: &mut FakeServer, mut archive: impl Iterator<Item = Post>, clock: impl Fn() -> Duration) -> f64 {
    bob.join(server);
    let (mut time, mut shown, mut at, mut next) = (Duration::ZERO, 0, 0, vec![Input::CatchUp { running: true }]);
    let room = ChatId(ROOM.into());
    loop {
        let page = archive.by_ref().take(STEP).enumerate().map(|(n, post)| post.arrives(&format!("{}", at + n), &room));
        next.extend(page);
        let end = next.iter().all(|input| !matches!(input, Input::Receive { .. }));
        if end {
            next.push(Input::CatchUp { running: false });
        }
        at += STEP;
        let start = clock();
        let outputs = bob.commit(next);
        time += clock().saturating_sub(start);
        let released = bob.perform(server, outputs);
        shown += released.shown;
        next = released.next;
        if end {
            break;
        }
    }
    assert_eq!(shown, MESSAGES);
    time.as_secs_f64()
}
/// Bob's store, on disk too, and what was sent to him since he left.
fn archive(server: &mut FakeServer, directory: &Path) -> (MemoryStore, Vec<Post>) {
    let room = ChatId(ROOM.into());
    let mut bob = Device::new(&BOB.into(), Both(MemoryStore::default(), open(directory)), 1);
    bob.join(server);
    let people: Vec<Address> = (0..SENDERS).map(|n| format!("sender{n}@example.org").as_str().into()).collect();
    let mut senders: Vec<_> = people.iter().zip(2..).map(|(me, seed)| Device::new(me, MemoryStore::default(), seed)).collect();
    senders.iter_mut().for_each(|sender| sender.join(server));
    let members = Input::Room(room.clone(), Some(people.iter().chain([&bob.me]).cloned().collect()));
    let members = || if let Input::Room(chat, members) = &members { Input::Room(chat.clone(), members.clone()) } else { Input::Tick };
    // everybody has heard from everybody
    let said = bob.run(server, vec![members(), says("first", &room, Recipients::Room, "hello")]);
    for sender in &mut senders {
        let heard = said.iter().map(|post| post.clone().arrives("first", &room));
        let inputs: Vec<Input> = [members()].into_iter().chain(heard).collect();
        let answers = sender.run(server, inputs);
        bob.run(server, answers.into_iter().map(|answer| answer.arrives("answer", &room)).collect());
    }
    for n in 0..senders.len() {
        let said = senders[n].run(server, vec![says("hello", &room, Recipients::Room, "hello")]);
        for other in (0..senders.len()).filter(|other| *other != n) {
            let heard = said.iter().map(|post| post.clone().arrives("hello", &room)).collect();
            // to the one that spoke
            let answers = senders[other].run(server, heard);
            senders[n].run(server, answers.into_iter().map(|answer| answer.arrives("answer", &room)).collect());
        }
        bob.run(server, said.into_iter().map(|post| post.arrives("hello", &room)).collect());
    }
    let mut archive = Vec::with_capacity(MESSAGES);
    for n in 0..MESSAGES {
        let sender = &mut senders[n % SENDERS as usize];
        let words = format!("Message {n}: what one says in a line or two of text, as most people do in most of their messages.");
        let message = match n / SENDERS as usize % 2 {
            0 => says(&format!("message-{n}"), &room, Recipients::Room, &words),
            _ => says(&format!("message-{n}"), &ChatId(BOB.into()), Recipients::People(vec![BOB.into()]), &words),
        };
        let posts = sender.run(server, vec![message]);
        assert_eq!(posts.len(), 1);
        archive.extend(posts);
    }
    let Both(memory, disk) = bob.store;
    drop(disk);
    (memory, archive)
}
