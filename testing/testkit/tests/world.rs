//! The fake network does what it promises: order, loss, duplication, absence, pushes, crashes.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]
use subrosa_engine::{ChatId, Event, Installed, Keep, Machine, Reason, RequestError};
use subrosa_testkit::{Access, ClientId, Crash, Faults, What, World, crash_everywhere, toy, was_sent};

fn numbered(machine: &mut Machine) -> Installed<toy::Numbered> {
    let engine = machine.install(toy::Numbered);
    machine.route(move |_| Some(engine.id()));
    engine
}
type Toy = World<Installed<toy::Numbered>>;

fn pair(world: &mut Toy) -> (ClientId, ClientId) {
    (world.join("alice@x", numbered), world.join("bob@x", numbered))
}
fn texts(world: &Toy, who: ClientId) -> Vec<String> {
    world.client(who).texts().into_iter().map(|(_, text)| text).collect()
}
fn refusals(world: &Toy, who: ClientId, of: Reason) -> usize {
    world.client(who).events().iter().filter(|e| matches!(e, Event::NotReceived { why, .. } if why.reason == of)).count()
}

#[test]
fn two_talk_and_the_server_reads_nothing() {
    let mut world = World::new(1);
    let (alice, bob) = pair(&mut world);
    world.run();
    let id = world.send(alice, "bob@x", "a secret");
    world.run();
    world.send(bob, "alice@x", "another one");
    world.run();
    assert_eq!(texts(&world, bob), ["a secret"]);
    assert_eq!(texts(&world, alice), ["another one"]);
    assert!(was_sent(world.client(alice).events(), &id));
    assert!(!world.server.saw(b"a secret") && !world.server.saw(b"another one"));
    assert!(!world.server.requests().is_empty());
}

#[test]
fn the_same_seed_is_the_same_run() {
    let run = |seed| {
        let mut world = World::new(seed);
        world.faults = Faults { lose: 200, duplicate: 200, delay: 50, reorder: true, batch: 300, ..Faults::default() };
        let (alice, bob) = pair(&mut world);
        (0..30).for_each(|n| drop(world.send(alice, "bob@x", &n.to_string())));
        world.run();
        texts(&world, bob)
    };
    assert_eq!(run(5), run(5));
    assert_ne!(run(5), run(6), "the faults come from the seed");
}

#[test]
fn faults_do_what_they_are_called() {
    let send = |faults| {
        let mut world = World::new(3);
        let (alice, bob) = pair(&mut world);
        world.run();
        world.faults = faults;
        (0..100).for_each(|n| drop(world.send(alice, "bob@x", &n.to_string())));
        world.run();
        (texts(&world, bob), refusals(&world, bob, Reason::Duplicate))
    };
    let all: Vec<String> = (0..100).map(|n: u32| n.to_string()).collect();
    assert_eq!(send(Faults { delay: 100, ..Faults::default() }), (all.clone(), 0), "a delay alone keeps the order");
    let (lossy, _) = send(Faults { lose: 300, ..Faults::default() });
    assert!(lossy.len() > 40 && lossy.len() < 90, "{}", lossy.len());
    let (twice, duplicates) = send(Faults { duplicate: 300, ..Faults::default() });
    assert_eq!(twice, all);
    assert!(duplicates > 10 && duplicates < 60, "{duplicates}");
    let (mut mixed, _) = send(Faults { delay: 100, reorder: true, ..Faults::default() });
    assert_ne!(mixed, all);
    mixed.sort_by_key(|t| t.parse::<u32>().unwrap());
    assert_eq!(mixed, all);
}

#[test]
fn carbons_and_messages_kept_for_those_who_are_away() {
    let mut world = World::new(4);
    let (alice, bob) = pair(&mut world);
    let phone = world.join("bob@x", numbered); // has a key of its own: the node keeps the last
    world.run();
    world.disconnect(phone);
    world.send(alice, "bob@x", "one");
    world.run();
    assert_eq!(texts(&world, bob).len() + refusals(&world, bob, Reason::NotForThisDevice), 1);
    assert!(world.client(phone).events().is_empty());
    world.connect(phone);
    world.run();
    assert_eq!(texts(&world, phone).len() + refusals(&world, phone, Reason::NotForThisDevice), 1);
    // what bob writes reaches his other device as a carbon, from himself
    world.send(bob, "alice@x", "two");
    world.run();
    assert_eq!(texts(&world, alice), ["two"]);
    assert!(
        world
            .client(phone)
            .events()
            .iter()
            .any(|e| matches!(e, Event::NotReceived { from, chat, .. } if from.as_str() == "bob@x" && chat.0.as_str() == "alice@x"))
    );
}

#[test]
fn the_server_keeps_pushes_and_refuses() {
    let mut world = World::new(5);
    let (alice, bob) = pair(&mut world);
    world.run();
    let (a, b) = ("alice@x".into(), "bob@x".into());
    assert_eq!(world.server.node(&b, toy::NODE).unwrap().access, Access::Open);
    // bob's key changes behind his back: alice is told, and encrypts for nobody
    world.publish_as("bob@x", toy::NODE, None, Keep::One, &7u64.to_be_bytes());
    world.run();
    world.send(alice, "bob@x", "lost");
    world.run();
    assert_eq!(refusals(&world, bob, Reason::NotForThisDevice), 1);
    // strangers and closed nodes: fetched, refused, no clear text
    world.server.make_strangers(&a, &"carol@x".into());
    let carol = world.join("carol@x", numbered);
    world.run();
    world.server.node_mut(&"carol@x".into(), toy::NODE).unwrap().access = Access::Presence;
    let id = world.send(alice, "carol@x", "not for the server");
    world.run();
    assert!(!was_sent(world.client(alice).events(), &id));
    assert!(
        world.client(alice).events().iter().any(|e| matches!(e, Event::NotSent { id: i, why, .. } if *i == id && why.reason == Reason::NoDevice))
    );
    assert!(texts(&world, carol).is_empty());
    world.server.refuse(|_, _| Some(RequestError::Forbidden));
    world.send(alice, "dave@x", "nor this");
    world.run();
    assert!(!world.server.saw(b"not for the server") && !world.server.saw(b"nor this"));
}

#[test]
fn a_request_without_an_answer_ends() {
    let mut world = World::new(6);
    let (alice, _) = pair(&mut world);
    world.run();
    world.faults.unanswered = 1000;
    world.send(alice, "nobody@x", "hello?");
    world.run();
    assert!(world.client(alice).events().iter().any(|e| matches!(e, Event::NotSent { .. })));
}

/// The simulation of the whole promise: whatever dies wherever, a message reported as sent is shown once.
#[test]
fn a_crash_at_every_commit_loses_and_repeats_nothing() {
    let scenario = |world: &mut Toy| {
        let (alice, bob) = pair(world);
        world.run();
        for n in 0..3 {
            world.send(alice, "bob@x", &format!("a{n}"));
            world.run();
            world.send(bob, "alice@x", &format!("b{n}"));
        }
        world.run_for(600_000);
    };
    let runs = crash_everywhere(11, scenario, |world, crash| {
        let ids: Vec<ClientId> = [0, 1].into_iter().map(|i| world.clients().nth(i).unwrap()).collect();
        for (who, expected) in [(ids[1], ["a0", "a1", "a2"]), (ids[0], ["b0", "b1", "b2"])] {
            let mut shown = texts(world, who);
            shown.sort();
            assert_eq!(shown, expected, "{crash:?}");
        }
        if let Some((who, _, kind)) = crash {
            assert_eq!(world.client(who).restarts(), usize::from(kind != Crash::StoreFails), "{crash:?}: it did crash");
        }
    });
    assert!(runs > 100, "{runs}");
}

/// The same promise over random crashes on a bad network, both ways at once, over many seeds.
#[test]
fn random_crashes_on_a_bad_network() {
    let mut crashes = 0;
    for seed in 0..60 {
        let mut world = World::new(seed);
        let (alice, bob) = pair(&mut world);
        world.run();
        world.faults = Faults { duplicate: 100, delay: 200, reorder: seed % 2 == 0, batch: 300, crash: 60, ..Faults::default() };
        let mut expected = Vec::new();
        for n in 0..20 {
            expected.push(format!("{n:02}"));
            world.send(alice, "bob@x", &expected[n]);
            world.send(bob, "alice@x", &expected[n]);
            if n % 3 == 0 {
                world.run_for(100);
            }
        }
        world.faults.crash = 0;
        world.run_for(3_600_000);
        for who in [alice, bob] {
            let mut shown = texts(&world, who);
            shown.sort();
            assert_eq!(shown, expected, "seed {seed}");
            crashes += world.client(who).restarts();
        }
    }
    assert!(crashes > 100, "{crashes}");
}
#[test]
fn what_is_written_in_a_room_reaches_its_members_and_comes_back() {
    let mut world = World::new(20);
    let xor = |machine: &mut Machine| {
        let engine = machine.install(toy::Xor(42));
        machine.route(move |_| Some(engine.id()));
        engine
    };
    let [alice, bob, carol] = ["alice@x", "bob@x", "carol@x"].map(|who| world.join(who, xor));
    world.set_room("room@x", ["alice@x".into(), "bob@x".into()]);
    world.watch();
    let all = || vec!["alice@x".into(), "bob@x".into()];
    world.send_to(alice, ChatId("room@x".into()), all(), "to the members");
    world.send_to(carol, ChatId("room@x".into()), all(), "from outside");
    world.run();
    let texts = |who| world.client(who).texts().into_iter().map(|(_, text)| text).collect::<Vec<_>>();
    assert_eq!((texts(alice), texts(bob), texts(carol).len()), (vec!["to the members".into()], vec!["to the members".into()], 0));
    let in_room = |e: &Event| matches!(e, Event::Message { chat, .. } if chat.0.as_str() == "room@x");
    assert!(world.client(bob).events().iter().any(in_room));
    let happenings = world.take_happenings();
    let refused = |h: &subrosa_testkit::Happening| h.client == carol && matches!(h.what, What::Bounced(..));
    assert_eq!(happenings.iter().filter(|h| refused(h)).count(), 1);
    assert!(world.stanzas().is_empty() && world.take_happenings().is_empty(), "all of it was handed out");
}
#[test]
fn a_disk_that_is_put_back_forgets() {
    let mut world = World::new(21);
    let (alice, bob) = pair(&mut world);
    world.run();
    let copy = world.client_mut(alice).snapshot();
    let count = |world: &mut Toy, text: &str| {
        world.send(alice, "bob@x", text);
        world.run();
        (texts(world, bob).len(), refusals(world, bob, Reason::Duplicate))
    };
    assert_eq!(count(&mut world, "one"), (1, 0));
    world.roll_back(alice, &copy);
    assert_eq!(count(&mut world, "the number again"), (1, 1));
}
